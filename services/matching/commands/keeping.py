"""Keeping: the days on which repairs are searched, kept and brought up to date.

To read a stop with thousands of meetings takes longer than to repair its day. So what was read is
kept, and before each repair what has changed since is read, and nothing else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from services.matching.commands.aside import aside, lasting
from services.matching.commands.surveying import Survey, away, day_of, survey
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Taken
from services.matching.domain.repair.chart import Chart
from services.matching.domain.repair.day import Day, Pair
from services.matching.domain.wishes import Wishes
from services.matching.store import facts, marks, meetings, wishes
from services.matching.store.marks import Marks
from shared.postgres import Connection, Database, own_connection

STOPS_MAX = 4
NEWS_MAX = 500
"""Where more meetings have changed all is read anew, which holds up nobody else."""
NOTICE = timedelta(minutes=5)
"""A meeting that begins sooner stays: its parties are on their way."""


@dataclass(frozen=True, slots=True)
class _State:
    """A stop as it was when it was looked at last."""

    marks: Marks
    known: Survey
    day: Day
    chart: Chart
    waiting: Sequence[Pair] | None = None
    """None before anybody asked."""


@dataclass(frozen=True, slots=True)
class _News:
    """What was read since."""

    marks: Marks
    changed: Sequence[Meeting]
    wishes: Wishes | None
    elsewhere: tuple[frozenset[frozenset[UUID]], Taken] | None


class Kept:
    """A stop's day. Whoever uses it has its `turn`, and its `guard` in threads.

    A thread goes on when nobody waits for it any more; the guard holds the next one back.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.guard = Lock()
        self.readings = 0
        """How often all of it was read."""
        self._state: _State | None = None

    async def renew(self, database: Database, stop: facts.Row) -> Survey:
        """Bring it up to date, and give what is known."""
        async with database.reading() as connection:
            now, before = await marks.look(connection, stop), self._state
            if before is not None and now.parts == before.marks.parts:
                return before.known
            news = await _news(connection, stop, before, now) if before is not None else None
        if before is None or news is None:
            with lasting():
                state = await aside(self._begin, now, database.dsn, stop)
        else:
            state = await aside(self._go_on, before, news)
        return state.known

    def day(self, wanted: Iterable[tuple[UUID, UUID]], now: datetime) -> tuple[Day, Chart]:
        """Give the day as the search wants it; `wanted` are pairs that are to get a meeting.

        To be called with the guard held, as long as the chart is used.
        """
        state = self._state
        assert state is not None
        waiting = state.waiting
        if waiting is None:
            waiting = [state.known.pair(pair) for pair in state.known.waiting()]
            self._state = replace(state, waiting=waiting)
        refused = {pair for pair in wanted if state.known.is_refused(pair)}
        day = replace(
            state.day,
            refused=state.day.refused | refused if refused else state.day.refused,
            waiting=waiting,
            movable_from=now + NOTICE,
        )
        return day, state.chart

    def _begin(self, now: Marks, dsn: str, stop: facts.Row) -> _State:
        # Held while it is read as well: nothing older takes the place of what is newer.
        with self.guard:
            known = asyncio.run(_surveyed(dsn, stop))
            self._state = state = _begun(now, known)
            self.readings += 1
            return state

    def _go_on(self, before: _State, news: _News) -> _State:
        with self.guard:
            # Should anything fail half-way, all is read anew.
            self._state = None
            self._state = state = _gone_on(before, news)
            return state


class Days:
    """The days of the last stops that were repaired, and of those that may soon be."""

    def __init__(self) -> None:
        self._stops: OrderedDict[UUID, Kept] = OrderedDict()

    def of(self, stop_id: UUID) -> Kept:
        """Give the day that is kept of a stop, or begin to keep it."""
        kept = self._stops.setdefault(stop_id, Kept())
        self._stops.move_to_end(stop_id)
        if len(self._stops) > STOPS_MAX:
            self._stops.popitem(last=False)
        return kept

    def ahead(self, stop_ids: Sequence[UUID]) -> Mapping[UUID, Kept]:
        """Give those of stops that there is room for; none of them takes another's place."""
        for stop_id in stop_ids:
            if len(self._stops) == STOPS_MAX and stop_id not in self._stops:
                others = (one for one in self._stops if one not in stop_ids)
                if (other := next(others, None)) is None:
                    break
                del self._stops[other]
            self._stops.setdefault(stop_id, Kept())
        return {one: self._stops[one] for one in stop_ids if one in self._stops}


async def _surveyed(dsn: str, stop: facts.Row) -> Survey:
    """Read all in a loop of a thread, by a connection of its own: it takes half a second."""
    connection = await own_connection(dsn)
    try:
        return await survey(connection, stop)
    finally:
        connection.terminate()


async def _news(
    connection: Connection, stop: facts.Row, before: _State, now: Marks
) -> _News | None:
    """Read what has changed; None where all is to be read anew."""
    is_new = {part: now.parts[part] != mark for part, mark in before.marks.parts.items()}
    if is_new["rest"]:
        return None
    changed: Sequence[Meeting] = ()
    if is_new["meetings"]:
        most = NEWS_MAX + 1
        changed = await marks.changed_meetings(connection, stop["id"], before.marks, most)
        if len(changed) == most:
            return None
    if len(before.known.ids.union(one.id for one in changed)) != now.count:
        # Some are gone, or came after the look.
        return None
    elsewhere = None
    if is_new["elsewhere"]:
        met = await meetings.pairs_elsewhere(connection, stop["mission_id"], stop["id"])
        elsewhere = frozenset(met), await away(connection, stop, before.known)
    stated = await wishes.of_stop(connection, stop["id"]) if is_new["wishes"] else None
    return _News(now, changed, stated, elsewhere)


def _begun(now: Marks, known: Survey) -> _State:
    day = day_of(known)
    chart = Chart(day)
    return _State(now, known, replace(day, meetings=()), chart)


def _gone_on(before: _State, news: _News) -> _State:
    """Bring a state up to date; its chart is the same one, unless other pairs are refused."""
    known = _known(before.known, news)
    pairs = known.meetings.values() if news.wishes is not None else news.changed
    refused = {one.people for one in pairs if known.is_refused(one.people)}
    if news.wishes is not None and refused != before.day.refused:
        return _begun(news.marks, known)
    day, chart = before.day, before.chart
    if not refused <= day.refused:
        day = replace(day, refused=day.refused | refused)
    chart.put(news.changed, day.refused)
    if news.elsewhere is not None:
        for resource in before.known.away.keys() | known.away.keys():
            chart.take_away(resource, known.away.get(resource, ()))
    has_same_pairs = (
        news.wishes is None
        and all(one.id in before.known.meetings for one in news.changed)
        and not any(one.state in ("cancelled", "no_show") for one in news.changed)
        and known.met_elsewhere == before.known.met_elsewhere
    )
    return _State(news.marks, known, day, chart, before.waiting if has_same_pairs else None)


def _known(before: Survey, news: _News) -> Survey:
    found = dict(before.meetings)
    for one in news.changed:
        found[one.id] = one
        if one.state == "cancelled":
            del found[one.id]
    met, gone = news.elsewhere or (before.met_elsewhere, before.away)
    return replace(
        before,
        meetings=found,
        ids=before.ids.union(one.id for one in news.changed),
        wishes=news.wishes or before.wishes,
        met_elsewhere=met,
        away=gone,
    )
