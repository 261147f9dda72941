"""Barring: who must not meet, by exclusion, by a host's veto, or left out of a version by hand."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

Pair = frozenset[UUID]
Why = Literal["excluded", "vetoed", "left_out"]


@dataclass(frozen=True, slots=True)
class Barred:
    """All that is barred at a stop. Neither side is ever told of it."""

    people: AbstractSet[Pair] = frozenset()
    """Pairs of people whom the organiser excludes."""
    companies: AbstractSet[Pair] = frozenset()
    """Pairs of companies whom the organiser excludes."""
    vetoed: AbstractSet[Pair] = frozenset()
    company_of: Mapping[UUID, UUID] = field(default_factory=dict)
    """The company of each participant of the mission."""
    left_out: AbstractSet[Pair] = frozenset()
    """Pairs that staff took out of the version made before; the next one leaves them out too."""

    def why(self, one: UUID, other: UUID) -> Why | None:
        """Say what keeps two people apart, if anything does."""
        pair = frozenset((one, other))
        if pair in self.people or frozenset(self._companies(pair)) in self.companies:
            return "excluded"
        if pair in self.vetoed:
            return "vetoed"
        return "left_out" if pair in self.left_out else None

    def _companies(self, pair: Pair) -> set[UUID]:
        return {self.company_of[person] for person in pair if person in self.company_of}
