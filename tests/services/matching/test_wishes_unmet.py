from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.matching.domain.barring import Barred
from services.matching.domain.problem import (
    Candidate,
    FreeInterpreter,
    Placed,
    Problem,
    Quota,
    Rest,
    Solution,
    Time,
)
from services.matching.domain.unmet import FOR_STAFF, Around, Unmet, said, unmet
from services.matching.domain.wishes import CompanyWish, Wish, Wishes

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
LENGTH = timedelta(minutes=25)
DELEGATE, OTHER, LOCAL, THIRD, T1, T2, IVY, FIRM = (UUID(int=n) for n in range(1, 9))
PAIR = frozenset((DELEGATE, LOCAL))


def problem(**facts: Any) -> Problem:
    given: dict[str, Any] = {
        "times": tuple(
            Time(
                session_id=UUID(int=9),
                starts_at=START + slot * LENGTH,
                ends_at=START + (slot + 1) * LENGTH,
                points=(T1,),
            )
            for slot in (0, 1)
        ),
        "candidates": (candidate(),),
        "interpreters": (FreeInterpreter(id=IVY, languages=("en", "zh"), times=(0, 1)),),
        "meetings_before": {},
        "seconds_max": 30,
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
    found = unmet(problem_, solution, Around(all_wishes, **facts))
    assert all(one.reason.en and one.reason.zh for one in found)
    return [one.code for one in found]


def test_a_wish_that_is_fulfilled_needs_no_reason() -> None:
    assert reasons(problem(), [placed(DELEGATE, LOCAL, 0)]) == []
    assert reasons(problem(candidates=()), met={PAIR}) == []


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


def test_another_meeting_may_have_to_be_before_or_after() -> None:
    other = (OTHER, THIRD)
    held = [placed(*other, 1, T2)]
    assert reasons(problem(precedences=((other, (DELEGATE, LOCAL)),)), held) == ["other_order"]
    held = [placed(*other, 0, T2)]
    assert reasons(problem(precedences=(((DELEGATE, LOCAL), other),)), held) == ["other_order"]
    assert reasons(problem(precedences=((other, (DELEGATE, LOCAL)),)), held) == ["lower_value"]


def test_an_interpreter_may_have_no_rest() -> None:
    rest = Rest(run_minutes_max=30, rest_minutes=10)
    held = [placed(OTHER, THIRD, 0, T2, IVY)]
    late = problem(candidates=(candidate(times=(1,)),), rest=rest)
    assert reasons(late, held) == ["no_rest"]
    assert reasons(late) == ["lower_value"]


def test_the_booth_may_be_taken_and_another_companys_is_of_no_use() -> None:
    owners, firms = {T1: FIRM}, (None, FIRM)
    own = problem(candidates=(candidate(companies=firms, times=(0,)),), owners=owners)
    assert reasons(own) == ["lower_value"]
    assert reasons(own, [placed(OTHER, THIRD, 0)]) == ["no_point"]
    assert reasons(problem(owners=owners)) == ["no_point"]


def test_otherwise_other_meetings_were_worth_more() -> None:
    assert reasons(problem()) == ["lower_value"]


def test_an_exclusion_or_a_veto_is_the_reason() -> None:
    assert reasons(problem(candidates=()), barred=Barred(people={PAIR})) == ["excluded"]
    assert reasons(problem(candidates=()), barred=Barred(vetoed={PAIR})) == ["vetoed"]
    companies = {DELEGATE: OTHER, LOCAL: FIRM}
    of_companies = Barred(companies={frozenset((OTHER, FIRM))}, company_of=companies)
    assert reasons(problem(candidates=()), barred=of_companies) == ["excluded"]
    assert reasons(problem(), barred=Barred(people={frozenset((DELEGATE, THIRD))})) == [
        "lower_value"
    ]


def test_a_delegate_may_have_enough_meetings() -> None:
    quota = {DELEGATE: Quota(maximum=2)}
    one = [placed(DELEGATE, THIRD, 0, T2)]

    assert reasons(problem(quotas=quota), one) == ["lower_value"]
    full = problem(quotas=quota, delegate_meetings_before={DELEGATE: 1})
    assert reasons(full, one) == ["delegate_enough_meetings"]


def test_another_of_the_company_may_be_met() -> None:
    barred = Barred(company_of={LOCAL: FIRM, THIRD: FIRM})
    held = [placed(DELEGATE, THIRD, 0, T2)]

    assert reasons(problem(candidates=()), held, barred=barred) == ["company_met"]
    assert reasons(problem(), held, barred=barred) == ["company_met"]
    wanted = problem(candidates=(candidate(again=True),))
    assert reasons(wanted, held, barred=barred) == ["lower_value"]


def of_company(held: Sequence[Placed], candidates: Sequence[Candidate]) -> list[Unmet]:
    solution = Solution(placed=tuple(held), objective=0, bound=0, is_optimal=True)
    company_of = {LOCAL: FIRM, THIRD: FIRM}
    wishes = Wishes([], [CompanyWish(DELEGATE, FIRM, "must_meet")], company_of)
    around = Around(wishes, barred=Barred(company_of=company_of))
    return list(unmet(problem(candidates=tuple(candidates)), solution, around))


@pytest.mark.parametrize("representative", [LOCAL, THIRD])
def test_anybody_of_a_company_fulfils_a_wish_for_it(representative: UUID) -> None:
    assert of_company([placed(DELEGATE, representative, 0)], [candidate()]) == []


def test_a_wish_for_a_company_that_is_not_fulfilled_names_the_company() -> None:
    (found,) = of_company([], [candidate(), candidate(local_id=THIRD, worth=9)])

    assert (found.participant_id, found.organization_id, found.counterpart_id) == (
        DELEGATE,
        FIRM,
        None,
    )
    assert (found.kind, found.code) == ("must_meet", "lower_value")
    assert [one.code for one in of_company([], [])] == ["not_here"]


def test_a_request_that_expired_is_told_where_nothing_else_was_wished() -> None:
    solution = Solution(placed=(), objective=0, bound=0, is_optimal=True)
    expired = [Wish(DELEGATE, LOCAL, "request")]

    def codes(wishes: Wishes) -> list[str]:
        return [one.code for one in unmet(problem(), solution, Around(wishes))]

    assert codes(Wishes([], expired=expired)) == ["expired"]
    stated = Wishes([Wish(DELEGATE, LOCAL, "meet")], expired=expired)
    assert codes(stated) == ["lower_value"]


@pytest.mark.parametrize("code", sorted(FOR_STAFF))
def test_what_one_side_must_not_learn_reads_like_a_lack_of_slots(code: str) -> None:
    told = Unmet(participant_id=DELEGATE, kind="meet", code=code, reason=said(code))

    assert told.for_participants.code == "not_scheduled"
    assert told.for_participants.reason == said("not_scheduled")
    full = Unmet(participant_id=DELEGATE, kind="meet", code="no_point", reason=said("no_point"))
    assert full.for_participants == full
