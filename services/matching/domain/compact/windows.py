"""Who must wait, and who cannot have all meetings: Hall's condition (1935) for each participant."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.matching.domain.compact.problem import Agenda


@dataclass(frozen=True, slots=True)
class Cause:
    """Why no schedule exists: these meetings have too few slots among them.

    Without a participant they lack slots or tables whoever takes part.
    """

    participant: int | None
    meetings: tuple[int, ...]
    slots: frozenset[int]


def crowded(domains: Sequence[frozenset[int]]) -> list[int] | None:
    """Give meetings with fewer slots than they are, or None if each can have its own slot."""
    holder: dict[int, int] = {}

    def put(one: int, seen: set[int]) -> bool:
        for slot in sorted(domains[one] - seen):
            if slot in seen:
                continue
            seen.add(slot)
            if slot not in holder or put(holder[slot], seen):
                holder[slot] = one
                return True
        return False

    for one in range(len(domains)):
        seen: set[int] = set()
        if not put(one, seen):
            return sorted({one, *(holder[slot] for slot in seen)})
    return None


def cause(agenda: Agenda) -> Cause | None:
    """Name a reason why no schedule exists; None if pigeonholes show none."""
    domains = [agenda.allowed(place) for place in range(len(agenda.meetings))]
    for place, slots in enumerate(domains):
        if not slots:
            return Cause(None, (place,), slots)
    for person, held in agenda.of().items():
        if (few := crowded([domains[place] for place in held])) is not None:
            meetings = tuple(held[one] for one in few)
            return Cause(person, meetings, frozenset().union(*(domains[m] for m in meetings)))
    if len(domains) > sum(agenda.tables):
        return Cause(None, tuple(range(len(domains))), frozenset(range(len(agenda.tables))))
    return None


def windows(agenda: Agenda, held: Sequence[int]) -> list[int]:
    """Give the first slots from which somebody's meetings `held` could follow without a break."""
    domains = [agenda.allowed(place) for place in held]
    return [
        start
        for start in range(len(agenda.tables) - len(held) + 1)
        if crowded([slots & set(range(start, start + len(held))) for slots in domains]) is None
    ]


def breaks_least(agenda: Agenda) -> int:
    """Give a number of breaks that no schedule is below: one for each who has no window."""
    return sum(not windows(agenda, held) for held in agenda.of().values())
