from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.registration.domain.applications import (
    EDITABLE,
    HOLDS_A_PLACE,
    NEEDS_A_MESSAGE,
    REVIEWABLE,
    TRANSITIONS,
    Action,
    Actor,
    Minimum,
    Status,
    Terms,
    actions,
    check_in_time,
    check_message,
    decided,
)
from shared.errors import Conflict, Forbidden, Invalid

TERMS = Terms(
    timezone="Asia/Shanghai",
    opens_at=datetime(2023, 6, 1, tzinfo=UTC),
    closes_at=datetime(2023, 8, 1, tzinfo=UTC),
    decide_on=date(2023, 9, 1),
    participants_min=2,
    participants_max=3,
    days_to_confirm=14,
)
STARTS_ON = date(2023, 11, 6)
NOW = datetime(2023, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize(("status", "action", "actor"), list(product(Status, Action, Actor)))
def test_what_the_table_does_not_list_is_refused(
    status: Status, action: Action, actor: Actor
) -> None:
    listed = TRANSITIONS.get((status, action))
    if listed is None:
        with pytest.raises(Conflict) as refused:
            decided(status, action, actor)
        assert refused.value.code == "illegal_state"
    elif actor not in listed[1]:
        with pytest.raises(Forbidden):
            decided(status, action, actor)
    else:
        assert decided(status, action, actor) == listed[0]
        assert action in actions(status, actor)


@pytest.mark.parametrize("status", Status)
def test_every_state_has_an_exit_for_staff(status: Status) -> None:
    assert actions(status, Actor.STAFF)


def test_every_state_is_reached() -> None:
    assert {to for to, _ in TRANSITIONS.values()} | {Status.DRAFT} == set(Status)


def test_an_applicant_decides_nothing_about_the_selection() -> None:
    open_to_applicants = {
        action for (_, action), (_, actors) in TRANSITIONS.items() if Actor.APPLICANT in actors
    }
    assert open_to_applicants == {
        Action.SUBMIT,
        Action.WITHDRAW,
        Action.ANSWER,
        Action.CONFIRM,
        Action.DECLINE,
    }


def test_the_clock_ends_what_was_not_confirmed_and_offers_the_place_alone() -> None:
    by_clock = {key for key, (_, actors) in TRANSITIONS.items() if Actor.CLOCK in actors}
    assert by_clock == {
        (Status.SELECTED, Action.LAPSE),
        (Status.RESERVE_LISTED, Action.SELECT),
    }


def test_what_was_never_submitted_is_a_draft_again() -> None:
    again = decided(Status.WITHDRAWN, Action.REOPEN, Actor.STAFF, was_submitted=False)
    assert again is Status.DRAFT
    assert decided(Status.WITHDRAWN, Action.REOPEN, Actor.STAFF) is Status.IN_REVIEW


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("message", [None, "", "  ", "Which plant?"])
def test_a_question_and_its_answer_need_words(action: Action, message: str | None) -> None:
    if action in NEEDS_A_MESSAGE and not (message or "").strip():
        with pytest.raises(Invalid) as refused:
            check_message(action, message)
        assert refused.value.faults[0].pointer == "/message"
    else:
        check_message(action, message)


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (TERMS.opens_at - timedelta(seconds=1), "call_not_open"),
        (TERMS.opens_at, None),
        (TERMS.closes_at - timedelta(seconds=1), None),
        (TERMS.closes_at, "call_closed"),
    ],
)
def test_a_call_is_open_from_its_first_moment_to_before_its_last(
    now: datetime, code: str | None
) -> None:
    assert TERMS.is_open(now) == (code is None)
    if code is None:
        TERMS.check_open(now)
        return
    with pytest.raises(Conflict) as refused:
        TERMS.check_open(now)
    assert refused.value.code == code


# The day of decision ends in the call's zone: 16:00 UTC is midnight in Shanghai.
LAST_MOMENT = datetime(2023, 9, 1, 15, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("confirmed", "now", "minimum"),
    [
        (0, LAST_MOMENT, Minimum.OPEN),
        (1, LAST_MOMENT + timedelta(seconds=1), Minimum.NOT_REACHED),
        (2, LAST_MOMENT, Minimum.REACHED),
        (2, LAST_MOMENT + timedelta(days=9), Minimum.REACHED),
    ],
)
def test_the_minimum_is_open_until_the_day_of_decision_is_over(
    confirmed: int, now: datetime, minimum: Minimum
) -> None:
    assert TERMS.minimum(confirmed, now) is minimum


@given(st.integers(0, 183 * 24))
def test_a_place_is_held_for_the_days_promised_and_never_into_the_mission(hours: int) -> None:
    now = TERMS.opens_at + timedelta(hours=hours)
    until = TERMS.confirm_by(now, STARTS_ON)
    assert until <= now + timedelta(days=14)
    assert until <= datetime(2023, 11, 5, 16, tzinfo=UTC)
    assert TERMS.may_offer(now, STARTS_ON) == (now < datetime(2023, 11, 5, 16, tzinfo=UTC))


def test_a_place_is_confirmed_before_its_time_is_over() -> None:
    check_in_time(NOW, NOW - timedelta(seconds=1))
    with pytest.raises(Conflict) as refused:
        check_in_time(NOW, NOW)
    assert refused.value.code == "too_late"


class Application(RuleBasedStateMachine):
    """Anybody tries anything on one application; what must hold holds after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.status = Status.DRAFT
        self.was_submitted = False
        self.was_selected_by: set[Actor] = set()
        self.was_confirmed = False

    @rule(action=st.sampled_from(Action), actor=st.sampled_from(Actor))
    def anybody_tries(self, action: Action, actor: Actor) -> None:
        try:
            after = decided(self.status, action, actor, was_submitted=self.was_submitted)
        except (Conflict, Forbidden):
            return
        self._note(after, actor)

    @precondition(lambda self: self.status is Status.SELECTED)
    @rule()
    def the_clock_runs_out(self) -> None:
        self._note(decided(self.status, Action.LAPSE, Actor.CLOCK), Actor.CLOCK)
        assert self.status is Status.LAPSED

    def _note(self, after: Status, actor: Actor) -> None:
        if after is Status.SELECTED:
            self.was_selected_by.add(actor)
        self.was_submitted |= after is Status.SUBMITTED
        self.was_confirmed |= after is Status.CONFIRMED
        self.status = after

    @invariant()
    def nobody_has_a_place_without_a_submission_and_a_choice(self) -> None:
        if self.status in HOLDS_A_PLACE:
            assert self.was_submitted
            assert self.was_selected_by - {Actor.APPLICANT}
        assert Actor.APPLICANT not in self.was_selected_by

    @invariant()
    def the_clock_never_chooses_first(self) -> None:
        if self.was_selected_by == {Actor.CLOCK}:
            # Only from the reserve list, which staff alone puts a company on.
            assert self.was_submitted

    @invariant()
    def only_what_was_submitted_is_reviewed(self) -> None:
        if self.status in REVIEWABLE:
            assert self.was_submitted
        if self.status not in EDITABLE | {Status.WITHDRAWN}:
            assert self.was_submitted


def test_whatever_is_tried_in_whatever_order_no_company_slips_in() -> None:
    run_state_machine_as_test(
        Application, settings=settings(max_examples=150, stateful_step_count=30, deadline=None)
    )
