from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Point, Surroundings, Times, free_spots
from services.matching.domain.slots import Slot, slots_of

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
SLOTS = slots_of(START, 25, 3, [])
DELEGATE, LOCAL, T1, T2, IVY, IAN = (UUID(int=n) for n in range(1, 7))


def meeting(slot: Slot = SLOTS[1], helper: UUID | None = None) -> Meeting:
    return Meeting(
        id=UUID(int=9),
        stop_id=UUID(int=9),
        mission_id=UUID(int=9),
        session_id=UUID(int=9),
        delegate_id=DELEGATE,
        local_id=LOCAL,
        spot=Spot(slot.starts_at, slot.ends_at, T1, helper),
        interpreter_needed=helper is not None,
        state="scheduled",
        revision=1,
        delay_minutes=0,
        delegate_attendance="unknown",
        local_attendance="unknown",
        locked=False,
        schedule_number=1,
        started_at=None,
        finished_at=None,
    )


def around(
    taken: dict[UUID, Times] | None = None,
    helpers: Sequence[UUID] = (),
    closed: datetime | None = None,
) -> Surroundings:
    return Surroundings(SLOTS, [Point(T1, None), Point(T2, closed)], helpers, taken or {})


def found(spots: Sequence[Spot]) -> list[tuple[int, UUID]]:
    starts = [slot.starts_at for slot in SLOTS]
    return [(starts.index(spot.starts_at) + 1, spot.point_id) for spot in spots]


def during(*numbers: int) -> Times:
    return [(SLOTS[n - 1].starts_at, SLOTS[n - 1].ends_at) for n in numbers]


def test_its_own_slot_at_another_point_comes_first_and_its_own_place_never() -> None:
    spots = found(free_spots(meeting(), around()))

    assert spots[0] == (2, T2)
    assert sorted(spots[1:]) == [(1, T1), (1, T2), (3, T1), (3, T2)]


def test_the_nearest_slots_come_before_those_farther_away() -> None:
    spots = found(free_spots(meeting(SLOTS[0]), around()))

    assert [slot for slot, _ in spots] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize("person", [DELEGATE, LOCAL])
def test_a_slot_in_which_one_of_the_two_meets_another_is_left_out(person: UUID) -> None:
    spots = found(free_spots(meeting(), around({person: during(1, 3)})))

    assert spots == [(2, T2)]


def test_a_time_that_touches_a_slot_in_part_takes_it() -> None:
    late = (SLOTS[0].ends_at - timedelta(minutes=1), SLOTS[1].starts_at)

    spots = found(free_spots(meeting(), around({DELEGATE: [late]})))

    assert {slot for slot, _ in spots} == {2, 3}


def test_a_point_that_is_taken_or_closed_is_left_out() -> None:
    assert found(free_spots(meeting(), around({T2: during(2, 3)}))) == [(1, T1), (1, T2), (3, T1)]
    shut = around(closed=SLOTS[0].ends_at - timedelta(minutes=1))
    assert T2 not in {point for _, point in found(free_spots(meeting(), shut))}
    later = around(closed=SLOTS[1].starts_at)
    assert (1, T2) in found(free_spots(meeting(), later))
    assert (2, T2) not in found(free_spots(meeting(), later))


def test_a_meeting_that_needs_an_interpreter_goes_where_one_is_free() -> None:
    taken = {IVY: during(2, 3), IAN: during(3)}
    spots = free_spots(meeting(helper=IVY), around(taken, [IVY, IAN]))

    assert {(slot, spot.interpreter_id) for (slot, _), spot in zip(found(spots), spots)} == {  # noqa: B905  # made of one another
        (2, IAN),
        (1, IVY),
    }
    assert free_spots(meeting(helper=IVY), around(helpers=[])) == []
