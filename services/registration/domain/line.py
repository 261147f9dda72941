"""The line for a programme item: who gets a place, who waits, and who is next.

The line is read when its item is locked, and written back in the same transaction. Two promises:
never more places than the capacity, and nobody passes somebody who has waited longer, except on a
seat that is kept for a partner's invitees or for the door.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.registration.domain.places import Status, granted
from shared.errors import Conflict


@dataclass(slots=True)
class Allotment:
    """Seats kept for a partner's invitees; `partner_id` None: for walk-ins at the door."""

    id: UUID
    partner_id: UUID | None
    seats: int
    taken: int
    is_released: bool

    @property
    def free(self) -> int:
        """How many of its seats wait for its own people."""
        return 0 if self.is_released else self.seats - self.taken


# Not frozen, as is what a rush makes one of for each request: that takes twice as long.
@dataclass(slots=True)
class Claim:
    """Who asks for a place: somebody a partner brings, a walk-in, or one of the public."""

    partner_id: UUID | None = None
    is_walk_in: bool = False

    def fits(self, allotment: Allotment) -> bool:
        """Say whether a seat of this allotment is for this person."""
        if allotment.partner_id is None:
            return self.is_walk_in
        return self.partner_id == allotment.partner_id


@dataclass(slots=True)
class Seat:
    """A place that was given: out of an allotment, or (None) out of what is free to all."""

    allotment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One who waits; those with the same `group_id` get their places together."""

    registration_id: UUID
    claim: Claim
    group_id: UUID | None = None


@dataclass(slots=True)
class Line:
    """The counts of one item."""

    capacity: int
    taken: int = 0
    reserved: int = 0
    waiting: int = 0
    allotments: list[Allotment] = field(default_factory=list)

    @property
    def free(self) -> int:
        """How many places are free to all."""
        return self.capacity - self.taken - self.reserved

    def admit(self, claims: Sequence[Claim]) -> list[Seat] | None:
        """Give newcomers a place each, or none of them one; None: they have to wait.

        Kept seats first. A place that is free to all goes to a newcomer only when nobody waits.
        """
        return self._take(claims, free=self.free if self.waiting == 0 else 0)

    def call_up(self, waiting: Iterable[Waiting]) -> list[tuple[Waiting, Seat]]:
        """Give places to those who wait, in the order given, which is that of the line.

        Whoever is first among those without a kept seat holds the others back until there is a
        place for the whole group: a small group must not pass a large one for ever.
        """
        called: list[tuple[Waiting, Seat]] = []
        is_blocked = False
        for unit in _units(waiting):
            seats = self._take(
                [one.claim for one in unit], free=0 if is_blocked else max(self.free, 0)
            )
            if seats is None:
                is_blocked = True
                if not any(allotment.free for allotment in self.allotments):
                    break
            else:
                self.waiting -= len(unit)
                called += zip(unit, seats, strict=True)
        return called

    def wait(self, count: int) -> int:
        """Let newcomers stand at the end; gives the position of the first of them."""
        self.waiting += count
        return self.waiting - count + 1

    def leave(self, allotment_id: UUID | None) -> None:
        """Take back a place; a kept seat is kept again, unless it was released meanwhile."""
        self.taken -= 1
        allotment = self._allotment(allotment_id)
        if allotment is not None:
            allotment.taken -= 1
            if not allotment.is_released:
                self.reserved += 1

    def keep(self, allotment: Allotment, seats: int) -> None:
        """Keep this many seats; raises `Conflict` when they are not there."""
        if seats < allotment.taken:
            raise Conflict(f"{allotment.taken} of these seats are taken.", code="seats_taken")
        more = seats - allotment.taken - allotment.free
        if more > self.free:
            raise Conflict(f"Only {self.free} places are free.", code="too_few_places")
        self.reserved += more
        allotment.seats, allotment.is_released = seats, False

    def release(self, allotment: Allotment) -> None:
        """Free to all what an allotment has not used."""
        self.reserved -= allotment.free
        allotment.is_released = True

    def resize(self, capacity: int) -> None:
        """Change the capacity; raises `Conflict` where more places are taken or kept."""
        if capacity < self.taken + self.reserved:
            raise Conflict(
                f"{self.taken} places are taken and {self.reserved} are kept for partners.",
                code="too_few_places",
            )
        self.capacity = capacity

    def _allotment(self, allotment_id: UUID | None) -> Allotment | None:
        return next((one for one in self.allotments if one.id == allotment_id), None)

    def _take(self, claims: Sequence[Claim], *, free: int) -> list[Seat] | None:
        if not self.allotments:
            # Nearly always, and a rush asks for one place after the other.
            if len(claims) > free:
                return None
            self.taken += len(claims)
            return [Seat() for _ in claims]
        left = {allotment.id: allotment.free for allotment in self.allotments}
        seats: list[Seat] = []
        for claim in claims:
            own = next((a for a in self.allotments if left[a.id] and claim.fits(a)), None)
            if own is not None:
                left[own.id] -= 1
                seats.append(Seat(own.id))
            elif free:
                free -= 1
                seats.append(Seat())
            else:
                return None
        for allotment in self.allotments:
            used = allotment.free - left[allotment.id]
            allotment.taken += used
            self.reserved -= used
        self.taken += len(seats)
        return seats


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an item gives its places."""

    requires_approval: bool
    hold_seconds: int | None
    offer_seconds: int | None
    starts_at: datetime

    def newcomer(self, now: datetime) -> tuple[Status, datetime | None]:
        """Give the state of a newcomer with a place, and until when that is held."""
        status = granted(requires_approval=self.requires_approval)
        if status is Status.PENDING_APPROVAL and self.hold_seconds:
            return status, now + timedelta(seconds=self.hold_seconds)
        return status, None

    def called_up(self, now: datetime) -> tuple[Status, datetime | None]:
        """Give the state of one who waited and got a place, and until when that is held."""
        if self.offer_seconds:
            return Status.OFFERED, min(now + timedelta(seconds=self.offer_seconds), self.starts_at)
        return self.newcomer(now)

    def may_call_up(self, now: datetime) -> bool:
        """Say whether places still go to those who wait: an offer after the start helps nobody."""
        return not self.offer_seconds or now < self.starts_at


def _units(waiting: Iterable[Waiting]) -> list[list[Waiting]]:
    """Put groups together, each where its first member stands."""
    units: dict[UUID, list[Waiting]] = {}
    for one in waiting:
        units.setdefault(one.group_id or one.registration_id, []).append(one)
    return list(units.values())
