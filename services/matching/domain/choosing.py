"""Choosing: what one person stated, asked and was planned at a stop, and what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.matching.domain.problem import Quota
from services.matching.domain.scoring import Profile, Recommendation
from services.matching.domain.wishes import PreferenceKind
from shared.events.base import Bilingual

Facts = Mapping[str, Any]

OPEN = ("pending", "accepted")


@dataclass(frozen=True, slots=True)
class Company:
    """A company with several representatives at a stop: any of them can be wished."""

    organization_id: UUID
    people: int
    kind: PreferenceKind | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A counterpart as the one who chooses sees it: nothing of what the other side stated."""

    profile: Profile
    kind: PreferenceKind | None = None
    by_staff: bool = False
    """Whether staff stated it on the person's behalf."""
    request: Facts | None = None
    """The open request of the two, whoever asked."""
    meeting: Facts | None = None
    recommendation: Recommendation | None = None
    company: Company | None = None
    """Where others represent it, too."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """All that one person stated, asked, was asked and was planned at a stop."""

    person_id: UUID
    quota: Quota
    preferences: Mapping[UUID, Facts] = field(default_factory=dict)
    """By counterpart."""
    companies: Sequence[Facts] = ()
    requests: Sequence[Facts] = ()
    """The latest first."""
    meetings: Mapping[UUID, Facts] = field(default_factory=dict)
    """By counterpart."""

    @property
    def received(self) -> list[Facts]:
        """List the requests that others made, those that wait for an answer first."""
        found = [one for one in self.requests if one["counterpart_id"] == self.person_id]
        return sorted(found, key=lambda one: one["status"] != "pending")

    @property
    def sent(self) -> list[Facts]:
        """List the requests that this person made, those that are open first."""
        found = [one for one in self.requests if one["participant_id"] == self.person_id]
        return sorted(found, key=lambda one: one["status"] not in OPEN)

    @property
    def waiting(self) -> int:
        """Count the requests that wait for this person's answer."""
        return sum(one["status"] == "pending" for one in self.received)

    @property
    def wished(self) -> int:
        """Count whom this person wants to meet, companies among them."""
        stated = [*self.preferences.values(), *self.companies]
        return sum(one["kind"] != "no_thanks" for one in stated)

    @property
    def owed(self) -> int:
        """Say how many of the guaranteed meetings are not planned yet."""
        return max(0, self.quota.minimum - len(self.meetings))

    @property
    def left(self) -> int | None:
        """Say how many meetings more there may be; None is any number."""
        most = self.quota.maximum
        return None if most is None else max(0, most - len(self.meetings))

    @property
    def musts_beyond(self) -> int:
        """Count the must-meets that the maximum leaves no room for."""
        stated = [*self.preferences.values(), *self.companies]
        musts = sum(one["kind"] == "must_meet" for one in stated)
        return 0 if self.quota.maximum is None else max(0, musts - self.quota.maximum)

    @property
    def in_touch(self) -> set[UUID]:
        """Give whose name is known to this person: who meets, agreed to meet, or asked."""
        asked = {one["participant_id"] for one in self.received if one["status"] in OPEN}
        agreed = {one["counterpart_id"] for one in self.sent if one["status"] == "accepted"}
        return asked | agreed | set(self.meetings)

    @property
    def counterparts(self) -> set[UUID]:
        """Give everybody who is named in what was stated and asked."""
        return {
            *self.preferences,
            *self.meetings,
            *(one["counterpart_id"] for one in self.sent),
            *(one["participant_id"] for one in self.received),
        }

    def choice(
        self,
        profile: Profile,
        recommendation: Recommendation | None = None,
        company: tuple[UUID, int] | None = None,
    ) -> Choice:
        """Give a counterpart with all that concerns the two.

        `company`: which one, and how many people it has here.
        """
        stated = self.preferences.get(profile.id)
        return Choice(
            profile=profile,
            kind=stated["kind"] if stated else None,
            by_staff=bool(stated and stated["on_behalf_of"]),
            request=next(
                (
                    one
                    for one in self.requests
                    if profile.id in (one["participant_id"], one["counterpart_id"])
                    and one["status"] in OPEN
                ),
                None,
            ),
            meeting=self.meetings.get(profile.id),
            recommendation=recommendation,
            company=self._company(*company) if company else None,
        )

    def _company(self, organization_id: UUID, people: int) -> Company | None:
        if people == 1:
            return None
        kinds = {one["organization_id"]: one["kind"] for one in self.companies}
        return Company(organization_id, people, kinds.get(organization_id))


def matches(one: Profile, words: str, sector: str, sectors: Mapping[str, Bilingual]) -> bool:
    """Say whether a company deals in a sector and has all of the words, in either language."""
    codes = one.sectors | {listing.sector for listing in one.listings if listing.sector}
    if sector and sector not in codes:
        return False
    if not words:
        return True
    texts = [
        *(listing.text for listing in one.listings),
        *(sectors[code] for code in codes if code in sectors),
    ]
    written = [one.organization, one.native_organization or ""]
    written += [part for text in texts for part in (text.en, text.zh)]
    whole = "\n".join(written).casefold()
    return all(word in whole for word in words.casefold().split())
