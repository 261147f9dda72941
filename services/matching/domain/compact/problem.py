"""Which meetings are to be held, and when each of them can be."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Meeting:
    """Who meets (a pair, and an interpreter perhaps), and in which slots they may."""

    people: tuple[int, ...]
    slots: frozenset[int]


@dataclass(frozen=True, slots=True)
class Agenda:
    """All of `meetings` are held, in slots that have `tables[slot]` tables each."""

    meetings: tuple[Meeting, ...]
    tables: tuple[int, ...]
    forbidden: dict[int, frozenset[int]] = field(default_factory=dict)
    """In which slots a participant is away."""
    precedences: tuple[tuple[int, int], ...] = ()
    """Pairs of meetings: the first is before the second."""
    spread: int | None = None
    """By how much the breaks of two participants may differ."""

    def allowed(self, meeting: int) -> frozenset[int]:
        """Give the slots in which all who take part in a meeting are there, and a table is."""
        one = self.meetings[meeting]
        away = frozenset().union(*(self.forbidden.get(p, frozenset()) for p in one.people))
        return frozenset(s for s in one.slots - away if self.tables[s] > 0)

    def of(self) -> dict[int, list[int]]:
        """Give each participant's meetings, in order of the participants."""
        found: dict[int, list[int]] = {}
        for place, one in enumerate(self.meetings):
            for person in one.people:
                found.setdefault(person, []).append(place)
        return dict(sorted(found.items()))
