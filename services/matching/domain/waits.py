"""Waits: how often somebody has nothing to do between two meetings while a slot goes by."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from services.matching.domain.problem import Placed, Problem, Span

NIGHT = timedelta(hours=11)
"""Who has so long until the next meeting goes home meanwhile."""

Line = tuple[Span, ...]
"""The times of one day at which somebody can have meetings, one after the other."""


def lines(problem: Problem) -> dict[UUID, list[Line]]:
    """Give for each participant the days: all slots of the sessions where he or she may be."""
    sessions: dict[UUID, set[UUID]] = {}
    for candidate in problem.candidates:
        found = {problem.times[time].session_id for time in candidate.times}
        for person in candidate.pair:
            sessions.setdefault(person, set()).update(found)
    return {
        person: list(
            _days(
                {
                    (one.starts_at, one.ends_at)
                    for one in (
                        *(t for t in problem.times if t.session_id in found),
                        *problem.held.get(person, ()),
                    )
                }
            )
        )
        for person, found in sessions.items()
    }


def _days(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[Line]:
    day: list[Span] = []
    for starts_at, ends_at in sorted(spans):
        span = Span(starts_at=starts_at, ends_at=ends_at)
        if day and span.starts_at - day[-1].ends_at >= NIGHT:
            yield tuple(day)
            day = []
        day.append(span)
    if day:
        yield tuple(day)


def breaks(problem: Problem, placed: Sequence[Placed], days: Mapping[UUID, Sequence[Line]]) -> int:
    """Count the waits of all participants in a timetable; those of interpreters do not count.

    `days` are their lines.
    """
    meetings: dict[UUID, list[Span]] = {}
    for one in placed:
        for person in one.pair:
            meetings.setdefault(person, []).append(problem.times[one.time])
    return sum(
        _waits(days[person], [*own, *problem.held.get(person, ())])
        for person, own in meetings.items()
    )


def _waits(days: Sequence[Line], own: Sequence[Span]) -> int:
    order = sorted(own, key=lambda one: one.starts_at)
    return sum(
        timedelta(0) < later.starts_at - one.ends_at < NIGHT
        and any(
            one.ends_at <= slot.starts_at and slot.ends_at <= later.starts_at
            for day in days
            for slot in day
        )
        for one, later in pairwise(order)
    )


def is_straight(line: Line) -> bool:
    """Say whether the times of a line follow one another: none overlaps the next."""
    return all(one.ends_at <= later.starts_at for one, later in pairwise(line))
