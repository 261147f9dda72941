"""Ways: how long it takes from one venue to another, and who has no time for that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

Ways = Mapping[str, Mapping[str, int]]
"""Minutes from one venue to another, in either direction; what is not named is no way."""


def way(ways: Ways, one: str, other: str) -> timedelta:
    """Give how long the way between two venues takes."""
    there, back = ways.get(one, {}).get(other, 0), ways.get(other, {}).get(one, 0)
    return timedelta(minutes=max(there, back))


@dataclass(frozen=True, slots=True)
class Visit:
    """When somebody is at a venue; half-open."""

    starts_at: datetime
    ends_at: datetime
    venue: str


@dataclass(frozen=True, slots=True)
class Trips:
    """Where people and interpreters are, and how long the ways between take."""

    ways: Ways = field(default_factory=dict)
    visits: Mapping[UUID, Sequence[Visit]] = field(default_factory=dict)

    def allow(self, one: UUID, visit: Visit) -> bool:
        """Say whether there is time for the way; two visits at one time are not looked at here."""
        return all(
            pause < timedelta(0) or pause >= way(self.ways, other.venue, visit.venue)
            for other in self.visits.get(one, ())
            for pause in [max(other.starts_at - visit.ends_at, visit.starts_at - other.ends_at)]
        )
