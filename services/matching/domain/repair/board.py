"""The board: the day's movable meetings over bit masks of slots, on which a search makes moves.

A mask has a bit for each slot of the day. What cannot be moved is taken out of everybody's time
beforehand, so that only what can be moved is ever looked at.
"""

from collections.abc import Iterable
from itertools import count
from uuid import UUID

from services.matching.domain.meetings import NOT_BEGUN, Meeting, Spot
from services.matching.domain.repair.chart import Chart, Entry, in_order
from services.matching.domain.repair.day import Day, Disturbance, Pair, closings
from services.matching.domain.repair.pieces import NOBODY, Lazy, Piece, Seat, bits

_OVER = ("completed", "no_show")


class Board:
    """The day after a disturbance; the meetings that it hits are `hit`, and are not lifted yet.

    It is laid over a chart, which it leaves as it is: masks and pieces are made once they are
    asked for. Where none is given, one is made of the day.
    """

    def __init__(self, day: Day, disturbance: Disturbance, chart: Chart | None = None) -> None:
        self._chart = chart = chart or Chart(day)
        self._grid = grid = chart.grid
        self.day = day
        self.places, self.count = grid.places, grid.count
        self.overlap, self.is_simple = grid.overlap, grid.is_simple
        self.ids = chart.resources.ids
        self.has_booths = any(grid.owned)
        """Whether some points are for one company alone."""
        self.left: list[tuple[Meeting, str]] = []
        """Meetings that it hits and that may not be moved, with the reason."""
        self.hit: list[Piece] = []
        self._later = grid.since(day.movable_from)
        self._closings = closings(chart.closed, disturbance)
        self.open_points = [*chart.open_points]
        self._make_lazy()
        self._disturb(disturbance)
        self._find_hit(disturbance, self._keep_early())
        self._pin_refused()
        self.free_points = [self._free_points(number) for number in range(self.count)]
        self.room = sum(1 << n for n, free in enumerate(self.free_points) if free & ~grid.owned[n])
        self.wanted = [self.wanting(pair) for pair in disturbance.wanted]

    def _make_lazy(self) -> None:
        self.held = Lazy(self._held)
        self.away = Lazy(lambda one: self._hard(one) | self._too_near(one))
        self.holder = Lazy(lambda key: self._piece(self._chart.holder(*divmod(key, self.count))))
        self._pieces: dict[Entry, Piece] = {}
        self._natives = Lazy(self._seated)
        self._come: list[dict[int, Piece]] = [{} for _ in self.places]
        """Who came to each slot from elsewhere."""
        self._count = count()
        self._disturbed = 0
        self._absent: dict[int, int] = {}
        """The slots at which the disturbance keeps resources away."""
        self._kept: dict[int, int] = {}
        """Those that meetings hold which stay for this board alone: by the time, or as refused."""
        self._near: dict[int, int] = {}
        """And those that nobody reaches from there."""
        self._pinned: set[Entry] = set()
        """What is refused and stays."""
        self._pinned_slots: dict[int, int] = {}

    def taken(self, resource: int) -> int:
        """Give the slots that overlap what a resource holds on the board."""
        held = self.held[resource]
        return held if self.is_simple else self._spread(held)

    def reach(self, piece: Piece) -> int:
        """Give the slots where both could be, were there no other movable meeting."""
        one, other = piece.people
        return piece.slots & ~self.away[one] & ~self.away[other]

    def free(self, piece: Piece) -> int:
        """Give the slots where everything that a piece needs is free."""
        one, other = piece.people
        mask = self.reach(piece) & ~self.taken(one) & ~self.taken(other)
        mask &= self.room if not self.has_booths else self._room_of(piece, mask)
        return mask if piece.helpers is None else self.helped(piece.helpers, mask)

    def helped(self, helpers: Iterable[int], mask: int) -> int:
        """Give the slots of a mask at which one of these interpreters at least is free."""
        lacking = mask
        for helper in helpers:
            if not lacking:
                break
            lacking &= self.taken(helper) | self.away[helper]
        return mask & ~lacking

    def lift(self, piece: Piece) -> None:
        """Take a piece off the board."""
        assert piece.seat is not None
        slot, point, helper = piece.seat
        bit = 1 << slot
        for resource in (*piece.people, helper):
            if resource != NOBODY:
                self.held[resource] ^= bit
        self._come[slot].pop(piece.number, None)
        self.free_points[slot] |= 1 << point & self.open_points[slot]
        if self.free_points[slot] & ~self._grid.owned[slot]:
            self.room |= bit
        piece.seat = None

    def put(self, piece: Piece, seat: Seat) -> None:
        """Put a piece that was lifted to a seat that is free, or back to where it was."""
        slot, point, helper = piece.seat = seat
        bit = 1 << slot
        for resource in (*piece.people, helper):
            if resource != NOBODY:
                self.held[resource] |= bit
                self.holder[resource * self.count + slot] = piece
        if piece.home is None or piece.home[0] != slot:
            self._come[slot][piece.number] = piece
        self.free_points[slot] &= ~(1 << point)
        if not self.free_points[slot] & ~self._grid.owned[slot]:
            self.room &= ~bit

    def members(self, slot: int) -> list[Piece]:
        """List the pieces that sit in a slot."""
        natives = [p for p in self._natives[slot] if p.seat is not None and p.seat[0] == slot]
        return [*natives, *self._come[slot].values()]

    def seat_at(self, piece: Piece, slot: int) -> Seat:
        """Choose a free seat in a slot: the point and the interpreter it had, where they are."""
        point, home = self.point_at(piece, slot), piece.home
        if piece.helpers is None:
            return slot, point, NOBODY
        if home and home[2] in piece.helpers and self.is_free(home[2], slot):
            return slot, point, home[2]
        return slot, point, next(one for one in piece.helpers if self.is_free(one, slot))

    def point_at(self, piece: Piece, slot: int) -> int:
        """Choose a free point in a slot: the one it had, where that is free."""
        free, home = self.free_points[slot] & self.allowed(piece, slot), piece.home
        return home[1] if home and free >> home[1] & 1 else (free & -free).bit_length() - 1

    def allowed(self, piece: Piece, slot: int) -> int:
        """Give the points that are for everybody, and those of the companies of a piece."""
        if not self._grid.owned[slot]:
            return -1
        booths = self._grid.booths[slot]
        own = sum(booths.get(company, 0) for company in self._companies(piece))
        return ~self._grid.owned[slot] | own

    def is_free(self, resource: int, slot: int) -> bool:
        """Say whether somebody is there, and holds nothing then."""
        return not (self.away[resource] >> slot & 1 or self.held[resource] & self.overlap[slot])

    def holders(self, resource: int, slot: int) -> list[Piece]:
        """List the pieces that hold a resource while a slot is on."""
        mask = self.held[resource] & self.overlap[slot]
        return [self.holder[resource * self.count + n] for n in bits(mask)]

    def spot(self, piece: Piece) -> Spot:
        """Say where a piece is, as meetings are."""
        assert piece.seat is not None
        slot, point, helper = piece.seat
        place = self.places[slot]
        helper_id = None if helper == NOBODY else self.ids[helper]
        return Spot(place.starts_at, place.ends_at, place.points[point].id, helper_id)

    def session_id(self, piece: Piece) -> UUID:
        """Say at which session a piece is."""
        assert piece.seat is not None
        return self.places[piece.seat[0]].session_id

    def shift(self, piece: Piece, slot: int) -> float:
        """Give how far a slot is from a piece's own time, in seconds."""
        if piece.home is None:
            return 0.0
        away = self.places[slot].starts_at - self.places[piece.home[0]].starts_at
        return abs(away.total_seconds())

    def wanting(self, pair: Pair) -> Piece:
        """Make a piece of a pair that has no meeting; it is not on the board yet."""
        one, other = (self._chart.of(person) for person in pair.people)
        spoken = [self.day.languages.get(person, frozenset()) for person in pair.people]
        slots = 0
        if pair.people not in self.day.refused:
            slots = sum(self._grid.sessions.get(session, 0) for session in pair.session_ids)
        helpers = None if spoken[0] & spoken[1] else self._chart.helpers(pair.people)
        number = next(self._count)
        return Piece(number, (one, other), slots & self._later, helpers, None, pair, None, None)

    def _spread(self, held: int) -> int:
        mask = 0
        for number in bits(held):
            mask |= self.overlap[number]
        return mask

    def _companies(self, piece: Piece) -> set[UUID]:
        companies = self.day.companies
        return {companies[id_] for one in piece.people if (id_ := self.ids[one]) in companies}

    def _room_of(self, piece: Piece, mask: int) -> int:
        return sum(
            1 << slot for slot in bits(mask) if self.free_points[slot] & self.allowed(piece, slot)
        )

    def _hard(self, resource: int) -> int:
        """Give the slots at which a resource is away, or held by what stays."""
        taken = self._chart.given[resource] | self._chart.busy[resource]
        return taken | self._absent.get(resource, 0) | self._kept.get(resource, 0)

    def _held(self, resource: int) -> int:
        held = self._chart.held[resource] & self._later
        return held & ~self._pinned_slots.get(resource, 0)

    def _too_near(self, resource: int) -> int:
        """Let nobody be put too near to what stays; what is there already may be."""
        near = self._chart.near[resource] | self._near.get(resource, 0)
        return near & ~self._held(resource)

    def _free_points(self, slot: int) -> int:
        used = self._chart.used_points[slot] if self._later >> slot & 1 else 0
        return self.open_points[slot] & ~used

    def _seated(self, slot: int) -> list[Piece]:
        """Make the pieces that the day has in a slot."""
        is_early = not self._later >> slot & 1
        members = set() if is_early else self._chart.members[slot] - self._pinned
        return [self._piece(entry) for entry in in_order(members)]

    def _piece(self, entry: Entry) -> Piece:
        piece = self._pieces.get(entry)
        if piece is None:
            meeting, seat = entry.meeting, entry.seat
            is_refused = meeting.people in self.day.refused
            slots = 0 if is_refused else self._grid.sessions[meeting.session_id] & self._later
            helpers = self._chart.helpers(meeting.people) if meeting.interpreter_needed else None
            number = next(self._count)
            piece = Piece(number, entry.people, slots, helpers, meeting, None, seat, seat)
            self._pieces[entry] = piece
        return piece

    def _disturb(self, disturbance: Disturbance) -> None:
        for one in disturbance.absences:
            during = self._grid.during(one.starts_at, one.ends_at)
            number = self._chart.of(one.resource_id)
            self._absent[number] = self._absent.get(number, 0) | during
            self._disturbed |= during
            self._shut(one.resource_id, during)
        for point, at in disturbance.closings:
            late = sum(1 << n for n, p in enumerate(self.places) if p.ends_at > at)
            self._disturbed |= late
            self._shut(point, late)

    def _shut(self, point: UUID, slots: int) -> None:
        """Take a point that cannot be used for a time out of its slots."""
        for slot in bits(slots):
            number = self._grid.points_at[slot].get(point)
            if number is not None:
                self.open_points[slot] &= ~(1 << number)

    def _keep_early(self) -> set[int]:
        """Let what begins too soon to be moved hold what it needs of later slots; say of whom."""
        chart, concerned = self._chart, set[int]()
        for slot in bits(~self._later & (1 << self.count) - 1):
            is_near = chart.ends[slot] + self._grid.longest_way > self.day.movable_from
            if chart.reach[slot] & self._later or (self.day.ways and is_near):
                for entry in chart.members[slot]:
                    self._keep(entry)
                    concerned.update((*entry.parties, entry.point))
        return concerned

    def _keep(self, entry: Entry) -> None:
        """Take what a meeting that stays needs out of everybody's time."""
        for resource in entry.parties:
            self._kept[resource] = self._kept.get(resource, 0) | entry.during
            self._near[resource] = self._near.get(resource, 0) | entry.near
        self._shut(entry.meeting.spot.point_id, entry.during)

    def _find_hit(self, disturbance: Disturbance, concerned: set[int]) -> None:
        """Look at what was in trouble before, and at all that the concerned resources hold."""
        of, of_resource = self._chart.of, self._chart.of_resource
        concerned.update(of(one.resource_id) for one in disturbance.absences)
        concerned.update(of(point) for point, _ in disturbance.closings)
        perhaps = self._chart.troubled.union(*(of_resource[number] for number in concerned))
        for entry in in_order(perhaps):
            why = self._why_fixed(entry)
            if not why and self._is_hit(entry):
                self.hit.append(self._piece(entry))
            elif why and self._is_hit_fixed(entry, why):
                self.left.append((entry.meeting, why))

    def _pin_refused(self) -> None:
        """Let what is refused, and nothing hits, stay where it is."""
        for entry in self._chart.refused - self._pieces.keys():
            seat = entry.seat
            if seat is not None and self._later >> seat[0] & 1:
                self._pinned.add(entry)
                self._keep(entry)
                for resource in entry.parties:
                    slots = self._pinned_slots.get(resource, 0)
                    self._pinned_slots[resource] = slots | 1 << seat[0]

    def _is_over(self, entry: Entry, why: str) -> bool:
        """Say whether nothing to come can need what a meeting holds, and nothing disturbs it."""
        ends_at = entry.meeting.spot.ends_at
        is_past = ends_at + self._grid.longest_way <= self.day.movable_from
        return is_past and (why in _OVER or not entry.during & self._disturbed)

    def _why_fixed(self, entry: Entry) -> str:
        meeting = entry.meeting
        if meeting.state != "scheduled":
            return meeting.state
        if meeting.locked:
            return "locked"
        if meeting.spot.starts_at < self.day.movable_from:
            return "too_soon"
        return "" if entry.slot is not None else "elsewhere"

    def _is_hit(self, entry: Entry) -> bool:
        assert entry.seat is not None
        slot, point, _ = entry.seat
        mask = 0
        for resource in entry.parties:
            mask |= self._hard(resource)
        return bool(mask >> slot & 1 or not self.open_points[slot] >> point & 1)

    def _is_hit_fixed(self, entry: Entry, why: str) -> bool:
        spot = entry.meeting.spot
        if entry.meeting.state not in NOT_BEGUN or self._is_over(entry, why):
            return False
        closed = self._closings.get(spot.point_id)
        is_closed = closed is not None and spot.ends_at > closed
        return is_closed or any(
            (self._chart.given[one] | self._absent.get(one, 0)) & entry.during
            for one in (*entry.parties, entry.point)
        )
