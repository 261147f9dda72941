"""The chart: a day's meetings by slot, person, interpreter and point, kept while the day runs.

A repair looks at few of thousands of meetings. So what does not depend on the disturbance is kept
from one repair to the next: a change costs what it changes, and a board is laid over the chart
without copying it.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.matching.domain.meetings import NOT_BEGUN, Meeting
from services.matching.domain.options import Times
from services.matching.domain.repair.day import Day, closed, too_near
from services.matching.domain.repair.grid import Grid
from services.matching.domain.repair.pieces import NOBODY, Resources, Seat


@dataclass(slots=True, eq=False)
class Entry:
    """A meeting on the chart, with what it holds by number."""

    meeting: Meeting
    slot: int | None
    """Its slot, where its session has one with its point."""
    during: int
    """The slots that its time touches."""
    seat: Seat | None
    """Where it is, when it can be moved as far as its own state goes."""
    people: tuple[int, int]
    helper: int
    point: int
    """The number of the point among the resources; in the seat it is that of its room."""
    near: int
    """The slots at other venues that nobody reaches from it."""

    @property
    def order(self) -> tuple[datetime, UUID]:
        """Say where it comes among the others."""
        return self.meeting.spot.starts_at, self.meeting.id

    @property
    def parties(self) -> tuple[int, ...]:
        """Give who is there: the two, and who interprets."""
        return self.people if self.helper == NOBODY else (*self.people, self.helper)


class Chart:
    """A day's meetings by all that they hold; changes are noted by `put` and `take_away`.

    It knows of no disturbance, and not what time it is. Places, languages and refusals are those
    of the day it is made of.
    """

    def __init__(self, day: Day) -> None:
        self._day = day
        self._refused = day.refused
        self.grid = grid = Grid(day)
        self.closed = closed(day)
        """From when on points are out of use."""
        self.open_points = [*grid.open_points]
        """The points of each slot that are in use, without those that are away or kept."""
        self.used_points = [0] * grid.count
        """The points of each slot at which meetings are that can be moved."""
        self.entries: dict[UUID, Entry] = {}
        self.members: list[set[Entry]] = [set() for _ in day.places]
        """The meetings of each slot that can be moved."""
        self.reach = [0] * grid.count
        """All slots that members of a slot touch, or have touched."""
        self.ends = [place.ends_at for place in day.places]
        """When the last of them ends, or ended."""
        self.troubled: set[Entry] = set()
        """Meetings not begun at which somebody, an interpreter or the point cannot be."""
        self.refused: set[Entry] = set()
        """Meetings that could be moved if both wanted them."""
        self._able: dict[tuple[frozenset[str], frozenset[str]], tuple[int, ...]] = {}
        self._number_resources()
        for resource_id, times in day.away.items():
            self.given[self.of(resource_id)] = grid.touched(times)
        for meeting in day.meetings:
            self._enter(meeting)
        self._settle(range(len(self.given)))

    def _number_resources(self) -> None:
        self.resources = Resources()
        self.of_resource: list[set[Entry]] = []
        self.given: list[int] = []
        """The slots at which each resource is away, by what the day says."""
        self.busy: list[int] = []
        """The slots that meetings which stay hold."""
        self.near: list[int] = []
        """The slots that nobody reaches from those."""
        self.held: list[int] = []
        """The slots of meetings that can be moved."""
        self._bits_of_point: dict[int, list[tuple[int, int]]] = {}
        for number, points in enumerate(self.grid.points_at):
            for point, place in points.items():
                at = self._bits_of_point.setdefault(self.of(point), [])
                at.append((number, 1 << place))

    def of(self, resource_id: UUID) -> int:
        """Give somebody's number, a new one to whom was not seen before."""
        number = self.resources.of(resource_id)
        if number == len(self.given):
            self.of_resource.append(set())
            for masks in (self.given, self.busy, self.near, self.held):
                masks.append(0)
        return number

    def put(self, meetings: Iterable[Meeting], refused: Set[tuple[UUID, UUID]]) -> None:
        """Note meetings as they are now: new, changed or cancelled ones.

        `refused`: the pairs of whom one does not want the other, as the day has them by now.
        """
        self._refused = refused
        resources: set[int] = set()
        for meeting in meetings:
            resources |= self._leave(meeting.id)
            if meeting.state != "cancelled":
                resources |= self._enter(meeting)
        self._settle(resources)

    def take_away(self, resource_id: UUID, times: Times) -> None:
        """Note when somebody or something is away; what was noted before is forgotten."""
        number, mask = self.of(resource_id), self.grid.touched(times)
        if self.given[number] != mask:
            self.given[number] = mask
            self._settle((number,))

    def helpers(self, people: tuple[UUID, UUID]) -> tuple[int, ...]:
        """List the interpreters who can help two people."""
        nothing: frozenset[str] = frozenset()
        spoken = self._day.languages
        key = (spoken.get(people[0], nothing), spoken.get(people[1], nothing))
        if key not in self._able:
            self._able[key] = tuple(
                self.of(helper)
                for helper, languages in self._day.interpreters.items()
                if languages & key[0] and languages & key[1]
            )
        return self._able[key]

    def holder(self, resource: int, slot: int) -> Entry:
        """Give the meeting that can be moved and for which somebody is held in a slot."""
        return next(
            entry
            for entry in self.of_resource[resource]
            if entry.seat is not None and entry.slot == slot
        )

    def _enter(self, meeting: Meeting) -> set[int]:
        grid, spot, slot = self.grid, meeting.spot, self.grid.slot_of(meeting)
        one, other, point = map(self.of, (*meeting.people, spot.point_id))
        helper = self.of(spot.interpreter_id) if spot.interpreter_id else NOBODY
        seat = None
        if slot is not None and meeting.state == "scheduled" and not meeting.locked:
            seat = slot, grid.points_at[slot][spot.point_id], helper
        during = grid.during(spot.starts_at, spot.ends_at)
        near = too_near(self._day, spot, grid.venue_of(meeting)) if self._day.ways else 0
        entry = Entry(meeting, slot, during, seat, (one, other), helper, point, near)
        self.entries[meeting.id] = entry
        resources = {*entry.parties, point}
        for resource in resources:
            self.of_resource[resource].add(entry)
        if seat is not None:
            self._enter_slot(entry, seat[0])
        return resources

    def _enter_slot(self, entry: Entry, slot: int) -> None:
        self.members[slot].add(entry)
        self.reach[slot] |= entry.during
        self.ends[slot] = max(self.ends[slot], entry.meeting.spot.ends_at)
        if entry.meeting.people in self._refused:
            self.refused.add(entry)

    def _leave(self, meeting_id: UUID) -> set[int]:
        entry = self.entries.pop(meeting_id, None)
        if entry is None:
            return set()
        self.troubled.discard(entry)
        self.refused.discard(entry)
        resources = {*entry.parties, entry.point}
        for resource in resources:
            self.of_resource[resource].discard(entry)
        if entry.seat is not None:
            self.members[entry.seat[0]].discard(entry)
        return resources

    def _settle(self, resources: Iterable[int]) -> None:
        """Sum up what resources hold, and see again to the meetings that need them."""
        concerned: set[Entry] = set()
        for resource in resources:
            self._sum_up(resource)
            concerned |= self.of_resource[resource]
        for entry in concerned:
            if self._is_troubled(entry):
                self.troubled.add(entry)
            else:
                self.troubled.discard(entry)

    def _sum_up(self, resource: int) -> None:
        busy = near = held = 0
        for entry in self.of_resource[resource]:
            if entry.seat is not None:
                held |= 1 << entry.seat[0]
            else:
                busy |= entry.during
                near |= entry.near
        self.busy[resource], self.near[resource], self.held[resource] = busy, near, held
        taken = busy | self.given[resource]
        for slot, bit in self._bits_of_point.get(resource, ()):
            is_open = self.grid.open_points[slot] & bit and not taken >> slot & 1
            _set(self.open_points, slot, bit, is_on=bool(is_open))
            _set(self.used_points, slot, bit, is_on=bool(held >> slot & 1))

    def _is_troubled(self, entry: Entry) -> bool:
        meeting = entry.meeting
        if meeting.state not in NOT_BEGUN:
            return False
        closed_from = self.closed.get(meeting.spot.point_id)
        if closed_from is not None and meeting.spot.ends_at > closed_from:
            return True
        away = self.given[entry.point]
        for resource in entry.parties:
            away |= self.given[resource]
        if away & entry.during or entry.seat is None:
            return bool(away & entry.during)
        slot, point, _ = entry.seat
        for resource in entry.parties:
            away |= self.busy[resource]
        return bool(away >> slot & 1 or not self.open_points[slot] >> point & 1)


def in_order(entries: Iterable[Entry]) -> Sequence[Entry]:
    """List meetings in order of time."""
    return sorted(entries, key=lambda entry: entry.order)


def _set(masks: list[int], slot: int, bit: int, *, is_on: bool) -> None:
    masks[slot] = masks[slot] | bit if is_on else masks[slot] & ~bit
