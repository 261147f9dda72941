"""Whatever is said by whom in whatever order: a deal is counted once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.outcomes import (
    Act,
    Deal,
    Speaker,
    Standing,
    Statement,
    check_judgement,
    check_retraction,
    meant,
    reported_as,
    standing,
    totals,
    unanswered,
)
from shared.errors import Conflict

AT = datetime(2023, 11, 7, tzinfo=UTC)
SPEAKERS = [
    Speaker(UUID(int=1), "delegate", "delegation"),
    Speaker(UUID(int=2), "delegate", "delegation"),
    Speaker(UUID(int=3), "local", "local"),
    Speaker(UUID(int=4), "mission_staff", None),
]
DEALS = [
    Deal("mou"),
    Deal("contract", Decimal("100.50"), "USD"),
    Deal("contract", Decimal(700), "CNY"),
]

speakers = st.sampled_from(SPEAKERS)
deals = st.sampled_from(DEALS)
words = st.lists(
    st.tuples(
        st.sampled_from(["report", "verify", "dispute", "retract", "another"]), speakers, deals
    ),
    min_size=1,
    max_size=12,
)
Ledger = dict[UUID, list[Statement]]


def say(ledger: Ledger, outcome: UUID, act: Act, deal: Deal, by: Speaker) -> None:
    said = ledger.setdefault(outcome, [])
    number = len(said) + 1
    at = AT + timedelta(minutes=number)
    said.append(Statement(number, act, deal, (), False, None, by, at))


def report(ledger: Ledger, deal: Deal, by: Speaker, *, is_another: bool) -> None:
    """Report as the command does."""
    if is_another and unanswered(ledger, by):
        return
    outcome = None if is_another else meant(ledger, by)
    if outcome is None:
        say(ledger, UUID(int=100 + len(ledger)), "report", deal, by)
    else:
        say(ledger, outcome, reported_as(standing(ledger[outcome]), deal, by), deal, by)


def judge(ledger: Ledger, act: Literal["verify", "dispute", "retract"], by: Speaker) -> None:
    for outcome, said in ledger.items():
        now = standing(said)
        try:
            if act == "retract":
                check_retraction(now, by)
            else:
                check_judgement(now, act, by)
        except Conflict:
            continue
        say(ledger, outcome, act, now.deal, by)


def told(said: list[tuple[str, Speaker, Deal]]) -> Ledger:
    ledger: Ledger = {}
    for act, by, deal in said:
        if act in ("report", "another"):
            report(ledger, deal, by, is_another=act == "another")
        elif act == "verify":
            judge(ledger, "verify", by)
        elif act == "dispute":
            judge(ledger, "dispute", by)
        else:
            judge(ledger, "retract", by)
    return ledger


@given(words)
def test_totals_count_each_deal_once_and_no_more_verified_than_stated(
    said: list[tuple[str, Speaker, Deal]],
) -> None:
    ledger = told(said)
    found = [standing(one) for one in ledger.values()]
    counted = totals(found)
    kept = [one for one in found if one.state not in ("retracted", "disputed")]

    assert counted.deals == len(kept) == sum(stage.deals for stage in counted.stages)
    assert counted.verified <= counted.deals <= len(ledger)
    for value in counted.values:
        those = [one.deal.value for one in kept if one.deal.currency == value.currency]
        assert value.stated == sum(one for one in those if one)
        assert value.verified <= value.stated


@given(st.lists(st.tuples(speakers, deals), min_size=1, max_size=12))
def test_sides_that_tell_of_their_deal_again_and_again_have_one_deal(
    said: list[tuple[Speaker, Deal]],
) -> None:
    ledger: Ledger = {}
    for by, deal in said:
        report(ledger, deal, by, is_another=False)

    assert len(ledger) == 1
    assert totals(standing(one) for one in ledger.values()).deals == 1


@given(st.permutations(SPEAKERS[:3]), deals)
def test_two_sides_cannot_each_open_another_for_the_same_deal(
    order: list[Speaker], deal: Deal
) -> None:
    ledger: Ledger = {}
    for by in order:
        report(ledger, deal, by, is_another=True)
    sides = {said[0].by.side for said in ledger.values()}

    # A side may open several; the other one must answer those first.
    assert len(sides) == 1


@given(words)
def test_nothing_is_verified_by_the_side_that_stated_it(
    said: list[tuple[str, Speaker, Deal]],
) -> None:
    for one in told(said).values():
        for place, statement in enumerate(one):
            if statement.act == "verify":
                before: Standing = standing(one[:place])
                assert statement.by.id != before.author.id
                assert statement.by.side is None or statement.by.side != before.author.side


def test_words_of_the_other_side_for_the_same_deal_confirm_it() -> None:
    ledger: Ledger = {}
    report(ledger, DEALS[1], SPEAKERS[0], is_another=False)
    report(ledger, DEALS[1], SPEAKERS[1], is_another=False)
    (said,) = ledger.values()
    assert standing(said).state == "reported"
    report(ledger, DEALS[1], SPEAKERS[2], is_another=False)
    assert standing(said).state == "verified"
