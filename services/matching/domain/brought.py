"""Whom a partner brought to a stop, by company, with what became of their meetings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from services.matching.domain.meetings import Meeting

Missing = Literal["own", "other", "both"]
"""Who did not come: the partner's guest, who was to meet him or her, neither."""


@dataclass(frozen=True, slots=True)
class Held:
    """A meeting as one of its two sees it."""

    meeting: Meeting
    own_id: UUID

    @property
    def other_id(self) -> UUID:
        """The other of the two."""
        delegate, local = self.meeting.people
        return local if self.own_id == delegate else delegate

    @property
    def missing(self) -> Missing | None:
        """Say who did not come, where somebody did not."""
        own, other = self.meeting.delegate_attendance, self.meeting.local_attendance
        if self.own_id != self.meeting.delegate_id:
            own, other = other, own
        absent = (own == "absent", other == "absent")
        found: dict[tuple[bool, bool], Missing] = {
            (True, True): "both",
            (True, False): "own",
            (False, True): "other",
        }
        return found.get(absent)


@dataclass(slots=True)
class Company:
    """A company with its people and their meetings, in order of time."""

    id: UUID
    organization: str
    native_organization: str | None
    people: list[UUID] = field(default_factory=list)
    with_place: list[UUID] = field(default_factory=list)
    """Those who still have a place among the stop's meetings."""
    meetings: list[Held] = field(default_factory=list)


def companies(people: Iterable[Mapping[str, Any]]) -> list[Company]:
    """Put people who were brought together by company, in the order in which companies come."""
    found: dict[UUID, Company] = {}
    for one in people:
        company = found.setdefault(
            one["organization_id"],
            Company(one["organization_id"], one["organization"], one["native_organization"]),
        )
        company.people.append(one["id"])
        if one["has_place"]:
            company.with_place.append(one["id"])
    return list(found.values())


def fill(found: Sequence[Company], meetings: Iterable[Meeting]) -> None:
    """Give each company the meetings of its people; one of two of them is with both."""
    company_of = {person: company for company in found for person in company.people}
    for meeting in meetings:
        for person in meeting.people:
            if person in company_of:
                company_of[person].meetings.append(Held(meeting, person))
