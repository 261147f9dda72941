"""Slots: the times of a meeting session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Break:
    """A pause after a slot, counted from 1."""

    after_slot: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which meetings can be; half-open."""

    number: int
    starts_at: datetime
    ends_at: datetime

    def overlaps(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Say whether a time touches this slot."""
        return self.starts_at < ends_at and starts_at < self.ends_at


def slots_of(
    starts_at: datetime, slot_minutes: int, slots: int, breaks: Sequence[Break]
) -> tuple[Slot, ...]:
    """Lay out a session's slots one after the other, with its breaks between them."""
    pauses = {one.after_slot: one.minutes for one in breaks}
    length = timedelta(minutes=slot_minutes)
    found: list[Slot] = []
    at = starts_at
    for number in range(1, slots + 1):
        found.append(Slot(number, at, at + length))
        at += length + timedelta(minutes=pauses.get(number, 0))
    return tuple(found)
