"""Who cannot have all meetings, and when they can follow one another: Hall's condition (1935)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.matching.domain.compact.layout import bits, mask_of
from services.matching.domain.compact.problem import Agenda

Kind = Literal["absence", "participant", "tables", "order", "spread", "together"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why no schedule exists: these meetings cannot all be held, any fewer of them could.

    `absence`: one has no slot in which all are there and a table is; `participant`: somebody has
    fewer slots than meetings; `tables`: they have too few tables; `order`: they could be held, but
    not one before the other as asked; `spread`: all could be held, but some of these participants
    have too many breaks beside those with the fewest; `together`: several of that at once.
    """

    kind: Kind
    participants: tuple[int, ...]
    """Who stands in the way; nobody where it is not due to who takes part."""
    meetings: tuple[int, ...]
    slots: frozenset[int]
    """All slots in which the meetings could be, each for itself."""
    is_least: bool = True
    """False if time ran out before it was known that fewer could be held."""


def crowded(domains: Sequence[int], room: Callable[[int], int] = lambda _: 1) -> list[int] | None:
    """Give fewest meetings that have no room in their slots, or None if all have."""
    return _seated(domains, room)[1]


def _seated(
    domains: Sequence[int], room: Callable[[int], int]
) -> tuple[dict[int, list[int]], list[int] | None]:
    """Give who holds each slot's bit, and those for whom it ends badly (Kuhn 1955)."""
    holders: dict[int, list[int]] = {}

    def put(one: int, seen: list[int]) -> bool:
        while fresh := domains[one] & ~seen[0]:
            slot = fresh & -fresh
            seen[0] |= slot
            holding = holders.setdefault(slot, [])
            if len(holding) < room(slot.bit_length() - 1):
                holding.append(one)
                return True
            for place, other in enumerate(holding):
                if put(other, seen):
                    holding[place] = one
                    return True
        return False

    for one in range(len(domains)):
        seen = [0]
        if not put(one, seen):
            return holders, sorted(
                {one, *(o for slot in bits(seen[0]) for o in holders[1 << slot])}
            )
    return holders, None


def cause(agenda: Agenda) -> Cause | None:
    """Name a reason why no schedule exists; None if pigeonholes show none."""
    domains = [mask_of(agenda.allowed(place)) for place in range(len(agenda.meetings))]
    for place, slots in enumerate(domains):
        if not slots:
            return Cause("absence", agenda.meetings[place].people, (place,), frozenset())
    for person, held in agenda.of().items():
        if (few := crowded([domains[place] for place in held])) is not None:
            meetings = tuple(held[one] for one in few)
            return Cause("participant", (person,), meetings, _either(domains, meetings))
    if (few := crowded(domains, agenda.tables.__getitem__)) is not None:
        return Cause("tables", (), tuple(few), _either(domains, few))
    return None


def _either(domains: Sequence[int], meetings: Sequence[int]) -> frozenset[int]:
    return frozenset(slot for one in meetings for slot in bits(domains[one]))


def followed(domains: Sequence[int], first: int) -> list[int]:
    """Give the slots that each can have if all follow one another from the slot `first`.

    Any of these is part of a way to hold all (Régin 1994); without such a way the list is empty.
    """
    return filling(domains, ((1 << len(domains)) - 1) << first)


def filling(domains: Sequence[int], window: int) -> list[int]:
    """As `followed`, for any set of as many slots as there are meetings."""
    inside = [mask & window for mask in domains]
    if all(mask == window for mask in inside):
        return inside
    holders, few = _seated(inside, lambda _: 1)
    if few is not None:
        return []
    holder = {slot.bit_length() - 1: holding[0] for slot, holding in holders.items()}
    ways = [
        1 << one | sum(1 << holder[slot] for slot in bits(mask) if holder[slot] != one)
        for one, mask in enumerate(inside)
    ]
    for over in range(len(ways)):
        ways = [way | ways[over] if way >> over & 1 else way for way in ways]
    return [
        mask_of(slot for slot in bits(mask) if ways[holder[slot]] >> one & 1)
        for one, mask in enumerate(inside)
    ]
