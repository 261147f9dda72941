"""The line of an item against a small model that keeps every place and person as a list."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.registration.domain.line import Allotment, Claim, Line, Terms, Waiting
from services.registration.domain.places import Status
from shared.errors import Conflict

PARTNERS = [None, UUID(int=101), UUID(int=102)]
NOW = datetime(2030, 11, 7, tzinfo=UTC)


@dataclass
class Someone:
    """One who registered: waiting, or with a seat of `seat_of`, or gone."""

    id: UUID
    claim: Claim
    group: UUID | None
    state: str
    seat_of: UUID | None = None


@dataclass
class World:
    """What is true, told as slowly and plainly as possible."""

    people: list[Someone] = field(default_factory=list)

    def waiting(self) -> list[Someone]:
        return [one for one in self.people if one.state == "waiting"]

    def seated(self, allotment: UUID | None = None) -> list[Someone]:
        seated = [one for one in self.people if one.state == "seated"]
        return [one for one in seated if one.seat_of == allotment] if allotment else seated


class LineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.line = Line(capacity=4)
        self.world = World()
        self.count = 0

    def _new_id(self) -> UUID:
        self.count += 1
        return UUID(int=self.count)

    @rule(
        claims=st.lists(
            st.builds(Claim, st.sampled_from(PARTNERS), is_walk_in=st.booleans()),
            min_size=1,
            max_size=3,
        )
    )
    def register(self, claims: list[Claim]) -> None:
        nobody_waited = not self.world.waiting()
        seats = self.line.admit(claims)
        group = self._new_id() if len(claims) > 1 else None
        if seats is None:
            position = self.line.wait(len(claims))
            assert position == len(self.world.waiting()) + 1
        for place, claim in enumerate(claims):
            seat = seats[place] if seats else None
            state = "seated" if seat else "waiting"
            allotment = seat.allotment_id if seat else None
            assert not (seat and allotment is None) or nobody_waited, "a newcomer passed the line"
            self.world.people.append(Someone(self._new_id(), claim, group, state, allotment))
        self._call_up()

    @precondition(lambda self: self.world.seated())
    @rule(data=st.data())
    def cancel_a_place(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.world.seated()))
        one.state = "gone"
        self.line.leave(one.seat_of)
        self._call_up()

    @precondition(lambda self: self.world.waiting())
    @rule(data=st.data())
    def leave_the_line(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.world.waiting()))
        one.state = "gone"
        self.line.waiting -= 1
        self._call_up()

    @rule(capacity=st.integers(0, 9))
    def resize(self, capacity: int) -> None:
        kept = sum(one.free for one in self.line.allotments)
        if capacity < len(self.world.seated()) + kept:
            with pytest.raises(Conflict):
                self.line.resize(capacity)
            return
        self.line.resize(capacity)
        self._call_up()

    @rule(partner=st.sampled_from(PARTNERS), seats=st.integers(0, 3))
    def keep(self, partner: UUID | None, seats: int) -> None:
        found = next((one for one in self.line.allotments if one.partner_id == partner), None)
        if found is None:
            found = Allotment(self._new_id(), partner, 0, 0, is_released=False)
            self.line.allotments.append(found)
        more = seats - found.taken - found.free
        if seats < found.taken or more > self.line.free:
            with pytest.raises(Conflict):
                self.line.keep(found, seats)
            return
        self.line.keep(found, seats)
        self._call_up()

    @precondition(lambda self: self.line.allotments)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.line.release(data.draw(st.sampled_from(self.line.allotments)))
        self._call_up()

    def _call_up(self) -> None:
        before = self.world.waiting()
        called = self.line.call_up(Waiting(one.id, one.claim, one.group) for one in before)
        by_id = {one.id: one for one in before}
        for waiting, seat in called:
            one = by_id[waiting.registration_id]
            one.state, one.seat_of = "seated", seat.allotment_id
        free_for_all = {one.id for one in before if one.state == "seated" and not one.seat_of}
        units = [one.group or one.id for one in before]
        for place, one in enumerate(before):
            if one.state == "waiting":
                passed = [
                    other
                    for other in before[place + 1 :]
                    if other.id in free_for_all
                    and (other.group or other.id) != units[place]
                    and units.index(other.group or other.id) > units.index(units[place])
                ]
                assert not passed, "somebody passed one who waited longer"

    @invariant()
    def counts_are_true(self) -> None:
        assert self.line.taken == len(self.world.seated())
        assert self.line.waiting == len(self.world.waiting())
        assert self.line.reserved == sum(one.free for one in self.line.allotments)

    @invariant()
    def nothing_is_oversold(self) -> None:
        assert self.line.taken + self.line.reserved <= self.line.capacity
        for allotment in self.line.allotments:
            assert allotment.taken == len(self.world.seated(allotment.id)) <= allotment.seats

    @invariant()
    def kept_seats_go_to_their_own(self) -> None:
        owner = {one.id: one for one in self.line.allotments}
        for one in self.world.seated():
            assert one.seat_of is None or one.claim.fits(owner[one.seat_of])

    @invariant()
    def no_place_stays_empty_while_somebody_could_have_it(self) -> None:
        waiting = self.world.waiting()
        if waiting and waiting[0].group is None:
            assert self.line.free == 0
        again = deepcopy(self.line)
        assert not again.call_up(Waiting(one.id, one.claim, one.group) for one in waiting)

    @invariant()
    def groups_are_together(self) -> None:
        for group in {one.group for one in self.world.people if one.group}:
            states = {one.state for one in self.world.people if one.group == group}
            assert states <= {"gone", "waiting"} or states <= {"gone", "seated"}


TestLine = LineMachine.TestCase
TestLine.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


def test_a_place_that_is_offered_is_held_until_its_item_starts_at_the_latest() -> None:
    terms = Terms(
        requires_approval=True,
        hold_seconds=60,
        offer_seconds=3600,
        starts_at=NOW + timedelta(minutes=10),
    )
    assert terms.newcomer(NOW) == (Status.PENDING_APPROVAL, NOW + timedelta(seconds=60))
    assert terms.called_up(NOW) == (Status.OFFERED, NOW + timedelta(minutes=10))
    assert terms.may_call_up(NOW)
    assert not terms.may_call_up(NOW + timedelta(minutes=10))


def test_without_offers_and_approval_a_place_is_confirmed_and_has_no_end() -> None:
    terms = Terms(requires_approval=False, hold_seconds=60, offer_seconds=None, starts_at=NOW)
    assert terms.newcomer(NOW) == terms.called_up(NOW) == (Status.CONFIRMED, None)
    assert terms.may_call_up(NOW + timedelta(days=1))
