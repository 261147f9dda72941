"""Pieces of a board: what can be moved, where it sits, and people by number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.domain.repair.day import Pair

Value = TypeVar("Value")
NOBODY = -1
Seat = tuple[int, int, int]
"""The numbers of a slot, a point of it, and an interpreter or `NOBODY`."""


def bits(mask: int) -> Iterator[int]:
    """Give the numbers of the bits that are set, the lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass(slots=True, eq=False)
class Piece:
    """A meeting that can be moved, or a pair that is to get one."""

    number: int
    people: tuple[int, int]
    slots: int
    """Where it may be at all: its session's slots, or none when it may not be moved."""
    helpers: tuple[int, ...] | None
    """Interpreters who can help; None where none is needed."""
    meeting: Meeting | None
    pair: Pair | None
    home: Seat | None
    seat: Seat | None
    is_settled: bool = False
    """The search has put it there."""


@dataclass(slots=True)
class Resources:
    """People, points and interpreters by number."""

    number: dict[UUID, int] = field(default_factory=dict)
    ids: list[UUID] = field(default_factory=list)

    def of(self, resource_id: UUID) -> int:
        """Give somebody's number, a new one to whom was not seen before."""
        found = self.number.get(resource_id)
        if found is None:
            found = self.number[resource_id] = len(self.ids)
            self.ids.append(resource_id)
        return found


class Lazy(dict[int, Value], Generic[Value]):
    """What is made for a number once it is asked for, and may be changed then."""

    def __init__(self, make: Callable[[int], Value]) -> None:
        self._make = make

    def __missing__(self, number: int) -> Value:
        """Make it."""
        made = self[number] = self._make(number)
        return made
