from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.matching.domain.meetings import Meeting, Spot, State
from services.matching.domain.versions import differences, is_fixed
from shared.errors import Conflict

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
DELEGATE, OTHER, LOCAL, THIRD, T1, T2, IVY = (UUID(int=n) for n in range(1, 8))
PAIR = (DELEGATE, LOCAL)


def spot(slot: int = 0, point: UUID = T1) -> Spot:
    starts_at = START + timedelta(minutes=25 * slot)
    return Spot(starts_at, starts_at + timedelta(minutes=25), point, None)


def meeting(**facts: Any) -> Meeting:
    made = Meeting(
        id=uuid4(),
        stop_id=UUID(int=9),
        mission_id=UUID(int=9),
        session_id=UUID(int=9),
        delegate_id=DELEGATE,
        local_id=LOCAL,
        spot=spot(),
        interpreter_needed=False,
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
    return replace(made, **facts)


def test_the_same_version_again_changes_nothing() -> None:
    found = differences([meeting()], {PAIR: spot()})

    assert (found.added, found.moved, found.cancelled, found.count) == ((), (), (), 0)


def test_pairs_are_added_moved_and_cancelled() -> None:
    stays, goes = meeting(), meeting(delegate_id=OTHER)
    new = (OTHER, THIRD)
    found = differences([stays, goes], {PAIR: spot(1), new: spot()})

    assert found.added == ((new, spot()),)
    assert found.moved == ((stays, spot(1)),)
    assert found.cancelled == (goes,)
    assert found.count == 3


def test_another_point_or_interpreter_is_a_move() -> None:
    assert differences([meeting()], {PAIR: spot(0, T2)}).count == 1
    assert differences([meeting()], {PAIR: replace(spot(), interpreter_id=IVY)}).count == 1


def test_who_was_cancelled_may_meet_again() -> None:
    found = differences([meeting(state="cancelled")], {PAIR: spot()})

    assert [pair for pair, _ in found.added] == [PAIR]


FIXED: list[dict[str, Any]] = [
    {"locked": True},
    {"state": "called"},
    {"state": "in_progress"},
    {"state": "completed"},
    {"state": "no_show"},
]


@pytest.mark.parametrize("facts", FIXED)
def test_a_meeting_that_is_locked_or_begun_stays_where_it_is(facts: dict[str, Any]) -> None:
    fixed = meeting(**facts)

    assert is_fixed(fixed)
    assert differences([fixed], {PAIR: spot()}).count == 0
    assert differences([fixed], {}).count == 0
    with pytest.raises(Conflict) as refused:
        differences([fixed], {PAIR: spot(1)})
    assert refused.value.code == "stale_schedule"


@pytest.mark.parametrize("state", ["scheduled", "cancelled"])
def test_a_meeting_to_come_may_be_changed(state: State) -> None:
    assert not is_fixed(meeting(state=state))
