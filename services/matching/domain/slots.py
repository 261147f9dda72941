"""Slots: the times of a meeting session."""

from collections.abc import Mapping, Sequence
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
    starts_at: datetime,
    slot_minutes: int,
    slots: int,
    breaks: Sequence[Break],
    lengths: Mapping[int, int] | None = None,
) -> tuple[Slot, ...]:
    """Lay out a session's slots one after the other, with its breaks between them.

    `lengths`: the minutes of slots, by number, that last longer or shorter than the others.
    """
    pauses = {one.after_slot: one.minutes for one in breaks}
    found: list[Slot] = []
    at = starts_at
    for number in range(1, slots + 1):
        length = timedelta(minutes=(lengths or {}).get(number, slot_minutes))
        found.append(Slot(number, at, at + length))
        at += length + timedelta(minutes=pauses.get(number, 0))
    return tuple(found)
