"""A chart kept and changed is the chart that would be made anew; boards leave it as it is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.meetings import Meeting, Spot, State
from services.matching.domain.repair.chart import Chart
from services.matching.domain.repair.day import Day, Disturbance
from services.matching.domain.repair.proposal import repair
from tests.services.matching.test_repair import (
    DELEGATES,
    HELPERS,
    LOCALS,
    POINTS,
    SLOT,
    SLOTS,
    START,
    days,
)

STATES: Sequence[State] = ("scheduled", "scheduled", "called", "in_progress", "completed")
Away = dict[UUID, list[tuple[datetime, datetime]]]


@st.composite
def absences(draw: st.DrawFn) -> Away:
    """Let some be away for a slot each, points among them."""
    everybody = st.sampled_from([*DELEGATES, *LOCALS, *HELPERS, *POINTS])
    slots = draw(st.dictionaries(everybody, st.integers(0, SLOTS - 1), max_size=3))
    return {one: [(START + n * SLOT, START + (n + 1) * SLOT)] for one, n in slots.items()}


@st.composite
def mornings(draw: st.DrawFn) -> tuple[Day, Disturbance, Day]:
    """Give a day and what disturbs it, and how it was before: other meetings, others away."""
    (before, _), (day, happened) = draw(days()), draw(days())
    meetings = [replace(one, state=draw(st.sampled_from(STATES))) for one in day.meetings]
    # Whether one runs longer than its slot is no matter of the session.
    meetings = [replace(one, spot=_longer(one)) if draw(st.booleans()) else one for one in meetings]
    meetings.sort(key=lambda one: (one.spot.starts_at, one.id))
    day = replace(day, meetings=meetings, away=draw(absences()))
    return day, happened, replace(day, meetings=before.meetings, away=draw(absences()))


def _longer(one: Meeting) -> Spot:
    return replace(one.spot, ends_at=one.spot.ends_at + SLOT / 2)


def changed(chart: Chart, before: Day, day: Day) -> None:
    """Let a chart hear what has changed, as a service hears it."""
    now = {one.id for one in day.meetings}
    gone = [replace(one, state="cancelled") for one in before.meetings if one.id not in now]
    chart.put([*gone, *day.meetings], day.refused)
    for resource in before.away.keys() | day.away.keys():
        chart.take_away(resource, day.away.get(resource, ()))


def said(chart: Chart) -> dict[str, object]:
    """Give all that a chart says, by ids instead of its numbers."""
    masks = zip(chart.given, chart.busy, chart.near, chart.held, strict=True)
    of_resource = dict(zip(chart.resources.ids, masks, strict=True))
    return {
        "of resources": {one: found for one, found in of_resource.items() if any(found)},
        "members": [{one.meeting.id for one in members} for members in chart.members],
        "troubled": {one.meeting.id for one in chart.troubled},
        "refused": {one.meeting.id for one in chart.refused},
        "open points": chart.open_points,
        "used points": chart.used_points,
    }


@settings(max_examples=100, deadline=None)
@given(mornings())
def test_a_chart_that_heard_of_all_changes_says_what_one_made_anew_does(
    case: tuple[Day, Disturbance, Day],
) -> None:
    day, _, before = case
    chart = Chart(before)
    changed(chart, before, day)

    assert said(Chart(day)) == said(chart)


@settings(max_examples=100, deadline=None)
@given(mornings())
def test_a_chart_that_heard_of_all_changes_leads_to_the_same_repair(
    case: tuple[Day, Disturbance, Day],
) -> None:
    day, happened, before = case
    chart = Chart(before)
    changed(chart, before, day)

    anew = repair(day, happened, lambda: 0.0)
    assert anew == repair(day, happened, lambda: 0.0, chart)
    # And once more: a board that was searched leaves the chart as it is.
    assert anew == repair(day, happened, lambda: 0.0, chart)
