"""Runs: how long an interpreter speaks at a stretch before there is a rest."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID

from services.matching.domain.problem import Placed, Problem, Rest, Span

Run = Sequence[Span]


def too_long(spans: Iterable[Span], rest: Rest | None) -> bool:
    """Say whether some stretch of these times lasts too long, from its begin to its end."""
    if rest is None:
        return False
    begin = end = None
    for span in sorted(spans, key=lambda one: one.starts_at):
        if begin is None or end is None or span.starts_at - end >= _pause(rest):
            begin = span.starts_at
        end = span.ends_at
        if end - begin > _longest(rest):
            return True
    return False


def shortest_too_long(spans: Sequence[Span], rest: Rest) -> Iterator[tuple[int, ...]]:
    """Give the stretches that last too long and would not without their last; as places in `spans`.

    Whoever speaks at all times of none of them keeps the rule.
    """
    order = sorted(range(len(spans)), key=lambda place: spans[place].starts_at)

    def follow(run: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        first, last = spans[run[0]], spans[run[-1]]
        if last.ends_at - first.starts_at > _longest(rest):
            yield run
            return
        for place in order:
            gap = spans[place].starts_at - last.ends_at
            if timedelta(0) <= gap < _pause(rest):
                yield from follow((*run, place))

    for place in order:
        yield from follow((place,))


def of_interpreter(problem: Problem, placed: Iterable[Placed], helper: UUID) -> list[Span]:
    """Give when an interpreter speaks, fixed meetings included."""
    times = (problem.times[one.time] for one in placed if one.interpreter_id == helper)
    return [*problem.held.get(helper, ()), *times]


def _pause(rest: Rest) -> timedelta:
    return timedelta(minutes=rest.rest_minutes)


def _longest(rest: Rest) -> timedelta:
    return timedelta(minutes=rest.run_minutes_max)
