"""The board: the day's movable meetings over bit masks of slots, on which a search makes moves.

A mask has a bit for each slot of the day. What cannot be moved is taken out of everybody's time
beforehand, so that only what can be moved is ever looked at.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from services.matching.domain.meetings import NOT_BEGUN, Meeting, Spot
from services.matching.domain.repair.day import (
    Day,
    Disturbance,
    Pair,
    closings,
    longest_way,
    overlaps,
    slots_of_sessions,
    too_near,
)
from services.matching.domain.repair.pieces import NOBODY, Piece, Resources, Seat, bits

_OVER = ("completed", "no_show")


class Board:
    """The day after a disturbance; the meetings that it hits are `hit`, and are not lifted yet."""

    def __init__(self, day: Day, disturbance: Disturbance) -> None:
        self.day = day
        self.places = day.places
        self.count = len(day.places)
        self.overlap = overlaps(day)
        self.is_simple = all(mask == 1 << n for n, mask in enumerate(self.overlap))
        self._sessions = slots_of_sessions(day)
        self._resources = Resources()
        self.away, self.held = self._resources.away, self._resources.held
        self.ids = self._resources.ids
        self.holder: dict[int, Piece] = {}
        self.members: list[dict[int, Piece]] = [{} for _ in day.places]
        self.pieces: list[Piece] = []
        self.left: list[tuple[Meeting, str]] = []
        """Meetings that it hits and that may not be moved, with the reason."""
        self.hit: list[Piece] = []
        self._able: dict[tuple[frozenset[str], frozenset[str]], tuple[int, ...]] = {}
        self._times: dict[tuple[datetime, datetime], int] = {}
        """The slots that a time touches: the same few times come again and again."""
        self._disturbed = 0
        self._closings = closings(day, disturbance)
        self._point_bits = {
            place.room: {p.id: n for n, p in enumerate(place.points)}
            for place in {one.room: one for one in day.places}.values()
        }
        self._points_at = [self._point_bits[place.room] for place in day.places]
        self.open_points = [self._open(number) for number in range(self.count)]
        self._booths = [self._booths_at(place.room) for place in day.places]
        self._take_away(disturbance)
        self._shut_away()
        self._keep_ways(self._seat_meetings())
        self.free_points = [self._free_points(number) for number in range(self.count)]
        self.room = sum(1 << n for n, free in enumerate(self.free_points) if free & ~self._owned[n])
        self.wanted = [self.wanting(pair) for pair in disturbance.wanted]

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
        if piece.helpers is None or not mask:
            return mask
        helped = 0
        for helper in piece.helpers:
            helped |= ~self.taken(helper) & ~self.away[helper]
        return mask & helped

    def lift(self, piece: Piece) -> None:
        """Take a piece off the board."""
        assert piece.seat is not None
        slot, point, helper = piece.seat
        bit = 1 << slot
        for resource in (*piece.people, helper):
            if resource != NOBODY:
                self.held[resource] ^= bit
                del self.holder[resource * self.count + slot]
        del self.members[slot][piece.number]
        self.free_points[slot] |= 1 << point & self.open_points[slot]
        if self.free_points[slot] & ~self._owned[slot]:
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
        self.members[slot][piece.number] = piece
        self.free_points[slot] &= ~(1 << point)
        if not self.free_points[slot] & ~self._owned[slot]:
            self.room &= ~bit

    def seat_at(self, piece: Piece, slot: int) -> Seat:
        """Choose a free seat in a slot: the point and the interpreter it had, where they are."""
        point, home = self.point_at(piece, slot), piece.home
        if piece.helpers is None:
            return slot, point, NOBODY
        able = [one for one in piece.helpers if self.is_free(one, slot)]
        return slot, point, home[2] if home and home[2] in able else able[0]

    def point_at(self, piece: Piece, slot: int) -> int:
        """Choose a free point in a slot: the one it had, where that is free."""
        free, home = self.free_points[slot] & self.allowed(piece, slot), piece.home
        return home[1] if home and free >> home[1] & 1 else (free & -free).bit_length() - 1

    @cached_property
    def has_booths(self) -> bool:
        """Whether some points are for one company alone."""
        return any(self._owned)

    @cached_property
    def _owned(self) -> list[int]:
        return [sum(booths.values()) for booths in self._booths]

    def allowed(self, piece: Piece, slot: int) -> int:
        """Give the points that are for everybody, and those of the companies of a piece."""
        if not self._owned[slot]:
            return -1
        own = sum(self._booths[slot].get(company, 0) for company in self._companies(piece))
        return ~self._owned[slot] | own

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
        helper_id = None if helper == NOBODY else self._resources.ids[helper]
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
        one, other = (self._resources.of(person) for person in pair.people)
        spoken = [self.day.languages.get(person, frozenset()) for person in pair.people]
        slots = 0
        if pair.people not in self.day.refused:
            slots = sum(self._sessions.get(session, 0) for session in pair.session_ids)
        helpers = None if spoken[0] & spoken[1] else self._helpers(pair.people)
        number = len(self.pieces)
        piece = Piece(number, (one, other), slots & self._later, helpers, None, pair, None, None)
        self.pieces.append(piece)
        return piece

    @cached_property
    def _later(self) -> int:
        return sum(
            1 << n for n, p in enumerate(self.places) if p.starts_at >= self.day.movable_from
        )

    def _spread(self, held: int) -> int:
        mask = 0
        for number in bits(held):
            mask |= self.overlap[number]
        return mask

    def _open(self, number: int) -> int:
        place = self.places[number]
        return sum(
            1 << n
            for n, point in enumerate(place.points)
            if point.is_open_until(place.ends_at)
            and not (point.id in self._closings and place.ends_at > self._closings[point.id])
        )

    def _booths_at(self, room: tuple[UUID, str]) -> dict[UUID, int]:
        """Give the points of each company that has its own."""
        found: dict[UUID, int] = {}
        for point, number in self._point_bits[room].items():
            owner = self.day.owners.get(point)
            if owner is not None:
                found[owner] = found.get(owner, 0) | 1 << number
        return found

    def _companies(self, piece: Piece) -> set[UUID]:
        companies = self.day.companies
        return {companies[id_] for one in piece.people if (id_ := self.ids[one]) in companies}

    def _room_of(self, piece: Piece, mask: int) -> int:
        return sum(
            1 << slot for slot in bits(mask) if self.free_points[slot] & self.allowed(piece, slot)
        )

    def _free_points(self, number: int) -> int:
        free = self.open_points[number]
        for piece in self.members[number].values():
            assert piece.seat is not None
            free &= ~(1 << piece.seat[1])
        return free

    def _during(self, starts_at: datetime, ends_at: datetime) -> int:
        found = self._times.get((starts_at, ends_at))
        if found is None:
            found = self._times[starts_at, ends_at] = sum(
                1 << n
                for n, p in enumerate(self.places)
                if p.starts_at < ends_at and starts_at < p.ends_at
            )
        return found

    def _take_away(self, disturbance: Disturbance) -> None:
        for resource_id, times in self.day.away.items():
            for time in times:
                self.away[self._resources.of(resource_id)] |= self._during(*time)
        for one in disturbance.absences:
            during = self._during(one.starts_at, one.ends_at)
            self.away[self._resources.of(one.resource_id)] |= during
            self._disturbed |= during
        for _, at in disturbance.closings:
            self._disturbed |= sum(1 << n for n, p in enumerate(self.places) if p.ends_at > at)

    def _shut_away(self) -> None:
        """Take points that cannot be used for a time out of its slots."""
        for point_bits in self._point_bits.values():
            for point in point_bits.keys() & self._resources.number.keys():
                for slot in bits(self.away[self._resources.number[point]]):
                    number = self._points_at[slot].get(point)
                    if number is not None:
                        self.open_points[slot] &= ~(1 << number)

    def _seat_meetings(self) -> list[Meeting]:
        """Seat what can be moved, and give what stays."""
        fixed = []
        for meeting in self.day.meetings:
            slot = self._slot_of(meeting)
            why = self._why_fixed(meeting, slot)
            if why and self._is_over(meeting, why):
                continue
            if why or slot is None:
                fixed.append((meeting, why))
            else:
                self._seat(meeting, slot)
        for meeting, why in fixed:
            if meeting.state in NOT_BEGUN and self._is_hit_fixed(meeting):
                self.left.append((meeting, why))
        for meeting, _ in fixed:
            self._hold(meeting)
        self.hit = [piece for piece in self.pieces if self._is_hit(piece)]
        pinned = [p for p in self.pieces if p.slots == 0 and not self._is_hit(p)]
        return [*(meeting for meeting, _ in fixed), *map(self._pin, pinned)]

    def _is_over(self, meeting: Meeting, why: str) -> bool:
        """Say whether nothing to come can need what a meeting holds, and nothing disturbs it."""
        spot = meeting.spot
        is_past = spot.ends_at + self._longest_way <= self.day.movable_from
        during = self._during(spot.starts_at, spot.ends_at)
        return is_past and (why in _OVER or not during & self._disturbed)

    def _why_fixed(self, meeting: Meeting, slot: int | None) -> str:
        if meeting.state != "scheduled":
            return meeting.state
        if meeting.locked:
            return "locked"
        if meeting.spot.starts_at < self.day.movable_from:
            return "too_soon"
        return "" if slot is not None else "elsewhere"

    def _seat(self, meeting: Meeting, slot: int) -> None:
        spot = meeting.spot
        of = self._resources.of
        one, other = of(meeting.delegate_id), of(meeting.local_id)
        helper = of(spot.interpreter_id) if spot.interpreter_id else NOBODY
        seat = (slot, self._points_at[slot][spot.point_id], helper)
        is_refused = meeting.people in self.day.refused
        slots = 0 if is_refused else self._sessions[meeting.session_id] & self._later
        helpers = self._helpers(meeting.people) if meeting.interpreter_needed else None
        number = len(self.pieces)
        piece = Piece(number, (one, other), slots, helpers, meeting, None, seat, seat)
        self.pieces.append(piece)
        bit, count = 1 << slot, self.count
        for resource in (one, other) if helper == NOBODY else (one, other, helper):
            self.held[resource] |= bit
            self.holder[resource * count + slot] = piece
        self.members[slot][number] = piece

    def _hold(self, meeting: Meeting) -> None:
        """Take what a meeting that stays needs out of everybody's time."""
        spot = meeting.spot
        during = self._during(spot.starts_at, spot.ends_at)
        for resource in filter(None, (*meeting.people, spot.interpreter_id)):
            self.away[self._resources.of(resource)] |= during
        for slot in bits(during):
            point = self._points_at[slot].get(spot.point_id)
            if point is not None:
                self.open_points[slot] &= ~(1 << point)

    def _is_hit(self, piece: Piece) -> bool:
        assert piece.seat is not None
        slot, point, helper = piece.seat
        one, other = piece.people
        mask = self.away[one] | self.away[other]
        if helper != NOBODY:
            mask |= self.away[helper]
        return bool(mask >> slot & 1 or not self.open_points[slot] >> point & 1)

    def _is_hit_fixed(self, meeting: Meeting) -> bool:
        spot = meeting.spot
        during = self._during(spot.starts_at, spot.ends_at)
        closed = self._closings.get(spot.point_id)
        numbers = [self._resources.of(one) for one in meeting.resources]
        is_closed = closed is not None and spot.ends_at > closed
        return is_closed or any(self.away[number] & during for number in numbers)

    def _pin(self, piece: Piece) -> Meeting:
        assert piece.meeting is not None
        self.lift_silently(piece)
        self._hold(piece.meeting)
        return piece.meeting

    def _keep_ways(self, fixed: Iterable[Meeting]) -> None:
        """Let nobody be put too near to what stays; what is there already may be."""
        for meeting in fixed if self.day.ways else ():
            venue = self._venues.get((meeting.session_id, meeting.spot.point_id), "")
            near = too_near(self.day, meeting.spot, venue)
            for resource in filter(None, (*meeting.people, meeting.spot.interpreter_id)):
                number = self._resources.of(resource)
                self.away[number] |= near & ~self.held[number]

    @cached_property
    def _longest_way(self) -> timedelta:
        return longest_way(self.day)

    @cached_property
    def _numbers(self) -> dict[tuple[UUID, datetime], list[int]]:
        found: dict[tuple[UUID, datetime], list[int]] = {}
        for number, place in enumerate(self.places):
            found.setdefault((place.session_id, place.starts_at), []).append(number)
        return found

    @cached_property
    def _venues(self) -> dict[tuple[UUID, UUID], str]:
        return {
            (session_id, point): venue
            for (session_id, venue), points in self._point_bits.items()
            for point in points
        }

    def _slot_of(self, meeting: Meeting) -> int | None:
        """Give the slot of a meeting at the venue of its point; None where there is none."""
        spot = meeting.spot
        for number in self._numbers.get((meeting.session_id, spot.starts_at), ()):
            if spot.point_id in self._points_at[number]:
                return number
        return None

    def lift_silently(self, piece: Piece) -> None:
        """Take a piece off before points are counted."""
        assert piece.seat is not None
        slot, _, helper = piece.seat
        for resource in (*piece.people, helper):
            if resource != NOBODY:
                self.held[resource] ^= 1 << slot
                del self.holder[resource * self.count + slot]
        del self.members[slot][piece.number]

    def _helpers(self, people: tuple[UUID, UUID]) -> tuple[int, ...]:
        nothing: frozenset[str] = frozenset()
        spoken = self.day.languages
        key = (spoken.get(people[0], nothing), spoken.get(people[1], nothing))
        if key not in self._able:
            self._able[key] = tuple(
                self._resources.of(helper)
                for helper, languages in self.day.interpreters.items()
                if languages & key[0] and languages & key[1]
            )
        return self._able[key]
