"""Wishes: what people state about one another, and what it is worth to the timetable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

PreferenceKind = Literal["must_meet", "meet", "no_thanks"]

PREFERENCE_WORTH: Mapping[PreferenceKind, int] = {"must_meet": 6_000, "meet": 1_500, "no_thanks": 0}
REQUEST_WORTH = 3_000
COMPANY_LANGUAGE_WORTH = 500
"""For who represents a wished company and needs no interpreter."""

_ORDER = {"must_meet": 0, "request": 1, "meet": 2}


@dataclass(frozen=True, slots=True)
class Wish:
    """One side wants to meet the other; an accepted request is a wish of both."""

    participant_id: UUID
    counterpart_id: UUID
    kind: Literal["must_meet", "meet", "no_thanks", "request"]
    again: bool = False
    """Whether this person is wanted although another one of the company was met."""


@dataclass(frozen=True, slots=True)
class CompanyWish:
    """Somebody wants to meet a company: anybody who represents it."""

    participant_id: UUID
    organization_id: UUID
    kind: PreferenceKind


class Wishes:
    """All that was stated at a stop, by pair."""

    def __init__(
        self,
        wishes: Iterable[Wish],
        companies: Iterable[CompanyWish] = (),
        company_of: Mapping[UUID, UUID] | None = None,
        expired: Iterable[Wish] = (),
    ) -> None:
        self._by_pair: dict[frozenset[UUID], list[Wish]] = {}
        for wish in wishes:
            pair = frozenset((wish.participant_id, wish.counterpart_id))
            self._by_pair.setdefault(pair, []).append(wish)
        self._companies = {(one.participant_id, one.organization_id): one for one in companies}
        self._company_of = company_of or {}
        self._expired = tuple(expired)

    def is_refused(self, one: UUID, other: UUID) -> bool:
        """Say whether either side does not want to meet: one no is final."""
        return self.is_refused_by(one, other) or self.is_refused_by(other, one)

    def is_refused_by(self, one: UUID, other: UUID) -> bool:
        """Say whether `one` does not want to meet the other: what the other said stays private."""
        if self._company_kind(one, other) == "no_thanks":
            return True
        return any(
            wish.kind == "no_thanks" and wish.participant_id == one for wish in self._of(one, other)
        )

    def is_again(self, one: UUID, other: UUID) -> bool:
        """Say whether either wants the other although the company was met."""
        return any(wish.again for wish in self._of(one, other))

    def is_for_a_company(self, one: UUID, other: UUID) -> bool:
        """Say whether either wants to meet the other's company, whoever represents it."""
        kinds = (self._company_kind(one, other), self._company_kind(other, one))
        return any(kind in ("must_meet", "meet") for kind in kinds)

    def worth(self, one: UUID, other: UUID) -> int:
        """Give what the wishes of a pair add to the value of its meeting."""
        stated = sum(
            REQUEST_WORTH if wish.kind == "request" else PREFERENCE_WORTH[wish.kind]
            for wish in self._of(one, other)
        )
        kinds = (self._company_kind(one, other), self._company_kind(other, one))
        return stated + sum(PREFERENCE_WORTH[kind] for kind in kinds if kind)

    def positive(self) -> list[Wish]:
        """List the wishes to meet somebody, the strongest first."""
        found = [w for wishes in self._by_pair.values() for w in wishes if w.kind != "no_thanks"]
        return sorted(found, key=lambda w: (_ORDER[w.kind], w.participant_id, w.counterpart_id))

    def positive_for_companies(self) -> list[CompanyWish]:
        """List the wishes to meet a company, the strongest first."""
        found = [wish for wish in self._companies.values() if wish.kind != "no_thanks"]
        return sorted(found, key=lambda w: (_ORDER[w.kind], w.participant_id, w.organization_id))

    def expired(self) -> list[Wish]:
        """List the requests that nobody answered in time, where neither side stated a wish."""
        return [
            wish for wish in self._expired if not self._of(wish.participant_id, wish.counterpart_id)
        ]

    def company_of(self, person: UUID) -> UUID | None:
        """Give whom somebody represents, where a wish for a company needs that."""
        return self._company_of.get(person)

    def representatives(self, organization_id: UUID) -> list[UUID]:
        """List who represents a company."""
        return sorted(
            one for one, company in self._company_of.items() if company == organization_id
        )

    def _company_kind(self, one: UUID, other: UUID) -> PreferenceKind | None:
        company = self._company_of.get(other)
        wish = self._companies.get((one, company)) if company else None
        return wish.kind if wish else None

    def _of(self, one: UUID, other: UUID) -> list[Wish]:
        return self._by_pair.get(frozenset((one, other)), [])
