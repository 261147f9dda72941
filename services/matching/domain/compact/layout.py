"""An agenda laid out for searches: participants numbered from zero, sets of slots as bits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.matching.domain.compact.problem import Agenda


def bits(mask: int) -> Iterator[int]:
    """Give the numbers of the bits that are set, the lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def mask_of(slots: Iterable[int]) -> int:
    """Set a bit for each slot."""
    mask = 0
    for slot in slots:
        mask |= 1 << slot
    return mask


@dataclass(frozen=True, slots=True)
class Layout:
    """What a search asks again and again; lists are by number of meeting or of participant."""

    tables: tuple[int, ...]
    people: list[tuple[int, ...]]
    """Who takes part in each meeting."""
    domains: list[int]
    """The slots in which each meeting can be: participants, tables and precedences allow them."""
    held: list[list[int]]
    """The meetings of each participant."""
    earlier: dict[int, list[int]]
    """The meetings that are before one, of those that wait for others."""
    later: dict[int, list[int]]
    """The meetings that are after one, of those for which others wait."""

    @property
    def slots(self) -> int:
        """Count the slots."""
        return len(self.tables)

    @property
    def table_use(self) -> float:
        """Give the share of all tables, in all slots, that the meetings take."""
        return len(self.people) / max(sum(self.tables), 1)


def layout(agenda: Agenda) -> Layout:
    """Lay an agenda out."""
    number: dict[int, int] = {}
    people: list[tuple[int, ...]] = []
    held: list[list[int]] = []
    for place, meeting in enumerate(agenda.meetings):
        for person in meeting.people:
            if person not in number:
                number[person] = len(held)
                held.append([])
            held[number[person]].append(place)
        people.append(tuple(number[person] for person in meeting.people))
    earlier: dict[int, list[int]] = {}
    later: dict[int, list[int]] = {}
    for first, second in agenda.precedences:
        earlier.setdefault(second, []).append(first)
        later.setdefault(first, []).append(second)
    domains = _domains(agenda)
    keep_order(domains, agenda.precedences, len(agenda.tables))
    return Layout(agenda.tables, people, domains, held, earlier, later)


def _domains(agenda: Agenda) -> list[int]:
    open_slots = mask_of(slot for slot, tables in enumerate(agenda.tables) if tables > 0)
    away = {person: mask_of(slots) for person, slots in agenda.forbidden.items()}
    known: dict[frozenset[int], int] = {}
    domains = []
    for meeting in agenda.meetings:
        if (mask := known.get(meeting.slots)) is None:
            mask = known[meeting.slots] = mask_of(meeting.slots) & open_slots
        for person in meeting.people:
            mask &= ~away.get(person, 0)
        domains.append(mask)
    return domains


def keep_order(domains: list[int], precedences: Sequence[tuple[int, int]], slots: int) -> None:
    """Take away the slots too late for what comes after, and too early for what is before."""
    for _ in range(slots):
        has_changed = False
        for first, second in precedences:
            one, other = domains[first], domains[second]
            latest = other.bit_length() - 1
            domains[first] &= (1 << max(latest, 0)) - 1
            earliest = (one & -one).bit_length()
            domains[second] &= -1 << earliest if one else 0
            has_changed |= (one, other) != (domains[first], domains[second])
        if not has_changed:
            return
