"""Whether a schedule keeps all that is asked: told from the problem's words alone."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from services.matching.domain.compact.problem import Agenda


def breaks(agenda: Agenda, slots: Sequence[int]) -> dict[int, int]:
    """Count each participant's idle runs between meetings; `slots` has one slot a meeting."""
    found = {}
    for person, held in agenda.of().items():
        used = sorted(slots[place] for place in held)
        found[person] = sum(later - one > 1 for one, later in pairwise(used))
    return found


def faults(agenda: Agenda, slots: Sequence[int]) -> list[str]:
    """Say in words what a schedule breaks; nothing if it is a good one."""
    if len(slots) != len(agenda.meetings):
        return ["not every meeting is held"]
    found = []
    for place, (one, slot) in enumerate(zip(agenda.meetings, slots, strict=True)):
        if slot not in one.slots:
            found.append(f"meeting {place} is not allowed in slot {slot}")
        found += [
            f"participant {p} is away in slot {slot}"
            for p in one.people
            if slot in agenda.forbidden.get(p, ())
        ]
    met = Counter((p, s) for m, s in zip(agenda.meetings, slots, strict=True) for p in m.people)
    found += [f"participant {p} is twice in slot {s}" for (p, s), n in met.items() if n > 1]
    taken = Counter(slots)
    rooms = dict(enumerate(agenda.tables))
    found += [f"slot {s} lacks tables" for s, n in taken.items() if n > rooms.get(s, 0)]
    for first, second in agenda.precedences:
        if slots[first] >= slots[second]:
            found.append(f"meeting {first} is not before meeting {second}")
    counts = breaks(agenda, slots).values()
    if agenda.spread is not None and counts and max(counts) - min(counts) > agenda.spread:
        found.append("breaks are not spread fairly")
    return found
