from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.matching.domain.meetings import Meeting, Spot, State
from services.matching.domain.problem import (
    Candidate,
    FreeInterpreter,
    Placed,
    Problem,
    Solution,
    Time,
)
from services.matching.domain.versions import differences, is_fixed, unmet
from services.matching.domain.wishes import Wish, Wishes
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


def problem(**facts: Any) -> Problem:
    given: dict[str, Any] = {
        "times": tuple(
            Time(
                session_id=UUID(int=9),
                starts_at=spot(slot).starts_at,
                ends_at=spot(slot).ends_at,
                points=(T1,),
            )
            for slot in (0, 1)
        ),
        "candidates": (candidate(),),
        "interpreters": (FreeInterpreter(id=IVY, languages=("en", "zh"), times=(0, 1)),),
        "meetings_before": {},
        "seconds_max": 1,
    }
    return Problem(**given | facts)


def candidate(**facts: Any) -> Candidate:
    given: dict[str, Any] = {
        "delegate_id": DELEGATE,
        "local_id": LOCAL,
        "worth": 1,
        "times": (0, 1),
        "languages": (("en",), ("zh",)),
    }
    return Candidate(**given | facts)


def placed(delegate: UUID, local: UUID, time: int, point: UUID = T1, helper: Any = None) -> Placed:
    return Placed(
        delegate_id=delegate, local_id=local, time=time, point_id=point, interpreter_id=helper
    )


def reasons(
    problem_: Problem, held: Sequence[Placed] = (), wishes: Sequence[Wish] = (), **facts: Any
) -> list[str]:
    solution = Solution(placed=tuple(held), objective=0, bound=0, is_optimal=True)
    all_wishes = Wishes([Wish(DELEGATE, LOCAL, "must_meet"), *wishes])
    found = unmet(problem_, solution, all_wishes, facts.get("met", set()))
    assert all(one.reason.en and one.reason.zh for one in found)
    return [one.code for one in found]


def test_a_wish_that_is_fulfilled_needs_no_reason() -> None:
    assert reasons(problem(), [placed(DELEGATE, LOCAL, 0)]) == []
    assert reasons(problem(candidates=()), met={frozenset(PAIR)}) == []


def test_a_no_is_the_reason() -> None:
    assert reasons(problem(), wishes=[Wish(LOCAL, DELEGATE, "no_thanks")]) == ["refused"]


def test_who_has_no_place_is_not_here() -> None:
    assert reasons(problem(candidates=())) == ["not_here"]


def test_there_may_be_no_time_at_which_both_are_free() -> None:
    held = [placed(DELEGATE, THIRD, 0, T2), placed(OTHER, LOCAL, 1, T2)]
    assert reasons(problem(), held) == ["no_common_time"]
    assert reasons(problem(candidates=(candidate(times=()),))) == ["no_common_time"]


def test_a_slot_that_overlaps_another_takes_its_people_too() -> None:
    late = START + timedelta(minutes=10)
    beside = Time(
        session_id=UUID(int=8),
        starts_at=late,
        ends_at=late + timedelta(minutes=25),
        points=(T2,),
    )
    both = problem(times=(problem().times[0], beside), candidates=(candidate(times=(0,)),))

    assert reasons(both, [placed(DELEGATE, THIRD, 1, T2)]) == ["no_common_time"]


def test_a_local_participant_may_have_enough_meetings() -> None:
    assert reasons(problem(meetings_before={LOCAL: 4})) == ["enough_meetings"]
    held = [placed(OTHER, LOCAL, 0, T2)]
    assert reasons(problem(meetings_before={LOCAL: 3}), held) == ["enough_meetings"]


def test_every_table_may_be_taken() -> None:
    held = [placed(OTHER, THIRD, 0), placed(OTHER, THIRD, 1)]
    assert reasons(problem(), held) == ["no_point"]


def test_no_interpreter_may_be_free() -> None:
    assert reasons(problem(interpreters=())) == ["no_interpreter"]
    held = [placed(OTHER, THIRD, t, T2, IVY) for t in (0, 1)]
    assert reasons(problem(), held) == ["no_interpreter"]
    alone = problem(candidates=(candidate(languages=(("en",), ("en",))),), interpreters=())
    assert reasons(alone) == ["lower_value"]


def test_otherwise_other_meetings_were_worth_more() -> None:
    assert reasons(problem()) == ["lower_value"]
