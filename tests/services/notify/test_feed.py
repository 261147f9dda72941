"""The partner feed: complete, in one order, and to everybody what concerns him alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jsonschema
import pytest

from services.notify.commands import feeding
from services.notify.commands.webhooks import Hooks
from services.notify.domain.feed import Entry
from services.notify.store import feed
from shared.access import Principal
from shared.events import EVENTS
from shared.events import matching as m
from shared.events import registration as r
from shared.events.base import Event
from shared.log.records import Envelope
from shared.postgres import Database
from shared.process import cancelling
from tests.services.notify.partners import NOW, Mission, append, envelope

WRITERS = 16
EVENTS_EACH = 15
THINK_SECONDS = 0.1
"""So that the reader keeps up: what is lost is lost at the head."""

# What CloudEvents 1.0.2 says of its JSON format: attributes, their types, and names of extensions.
CLOUD_EVENT = {
    "type": "object",
    "required": ["id", "source", "specversion", "type"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "specversion": {"const": "1.0"},
        "type": {"type": "string", "minLength": 1},
        "datacontenttype": {"type": "string"},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
}


Tell = Callable[..., Awaitable[list[Envelope]]]


@pytest.fixture
def tell(database: Database) -> Tell:
    """A function that appends events as the consumer does, in one batch."""

    async def tell(*events: Event, version: int = 1) -> list[Envelope]:
        return await append(database, events, version)

    return tell


@pytest.fixture
def mission(world: Any) -> Mission:
    return Mission(world)


@dataclass
class Reader:
    """Polls the feed as somebody, page by page."""

    browser: Any
    who: Principal
    path: str = "/api/v1/events"

    async def page(self, **query: Any) -> dict[str, Any]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        path = self.path if not asked else f"{self.path.partition('?')[0]}?{asked}"
        answer = await self.browser.get(path, self.who)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        self.path = page["next"]
        return page

    async def rest(self) -> list[dict[str, Any]]:
        found = []
        while items := (await self.page())["items"]:
            found += items
        return found


def ids(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


async def latest(browser: Any, who: Principal) -> Reader:
    """Begin after what other tests have told."""
    reader = Reader(browser, who)
    await reader.rest()
    return reader


async def test_an_event_is_a_cloud_event_and_names_nobody(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    person = mission.somebody(r.ParticipantPending, mission.host)
    (told,) = await tell(person)
    reader = Reader(browser, mission.as_partner(mission.host, mission.world.stop))
    (event,) = await reader.rest()
    jsonschema.validate(event, CLOUD_EVENT, format_checker=jsonschema.FormatChecker())
    assert event["id"] == str(told.event_id)
    assert event["type"] == "registration.participant.pending.v1"
    assert r.ParticipantPending.model_validate(event["data"]) == person
    again = await browser.get(f"/api/v1/events/{told.event_id}", reader.who)
    assert again.json() == event
    assert again.headers["content-type"] == "application/cloudevents+json"


async def test_a_batch_is_given_where_it_is_asked_for(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    await tell(*mission.stops())
    who = mission.as_partner(mission.host, mission.world.stop)
    token = browser.tokens.sign(who, "session", datetime.now(UTC))
    answer = await browser.client.get(
        "/api/v1/events",
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/cloudevents-batch+json",
        },
    )
    assert answer.headers["content-type"] == "application/cloudevents-batch+json"
    assert ids(answer.json()) != []
    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    assert (await browser.get(link[1:].partition(">")[0], who)).json()["items"] == []


async def test_everybody_sees_what_concerns_him_alone(
    mission: Mission, tell: Tell, browser: Any, person: Any
) -> None:
    world = mission.world
    theirs, other = uuid4(), uuid4()
    events: dict[str, Event] = {
        "mission": world.mission_announced(),
        "stop": mission.stops()[0],
        "other stop": mission.stops()[1],
        "item": world.item_planned(),
        "theirs": mission.somebody(r.ParticipantPending, mission.supporter, theirs),
        "the host's": mission.somebody(r.ParticipantPending, mission.host, other),
        "nobody's": mission.somebody(r.ParticipantPending, None),
        "meeting": world.meeting(parties=world.parties(uuid4(), theirs)),
        "other meeting": world.meeting(parties=world.parties(uuid4(), other)),
        "staff": r.StaffEngaged(
            staff_id=uuid4(), mission_id=world.mission, role="door_staff", stop_ids=(world.stop,)
        ),
        "sign-in": r.SignInRequested(person_id=uuid4(), mission_id=world.mission),
        "erased": r.PersonErased(person_id=theirs, mission_id=world.mission, erased_at=NOW),
        "other mission": world.mission_announced().model_copy(update={"mission_id": uuid4()}),
    }
    told = dict(zip(events, await tell(*events.values()), strict=True))
    names = {str(one.event_id): name for name, one in told.items()}

    async def seen(who: Principal) -> set[str]:
        return {names[id_] for id_ in ids(await Reader(browser, who).rest())}

    of_all = {"mission"}
    of_stop = of_all | {"stop", "item"}
    supporters = of_stop | {"theirs", "meeting", "erased"}
    assert await seen(person("mission_staff")) == events.keys() - {"other mission"}
    assert await seen(mission.as_partner(mission.supporter, world.stop)) == supporters
    assert await seen(mission.as_partner(mission.host, world.stop)) == of_stop | {
        *("theirs", "the host's", "nobody's", "meeting", "other meeting")
    }
    assert await seen(mission.as_partner(mission.elsewhere, world.other_stop)) == of_all | {
        "other stop"
    }
    # A key for none of the stops sees what is about none.
    assert await seen(mission.as_partner(mission.host)) == of_all
    (meeting,) = [one.event_id for name, one in told.items() if name == "other meeting"]
    hidden = await browser.get(
        f"/api/v1/events/{meeting}", mission.as_partner(mission.supporter, world.stop)
    )
    assert hidden.status_code == 404


@pytest.mark.parametrize("role", ["delegate", "local", "door_staff", "interpreter", "screen"])
async def test_nobody_else_reads_it(browser: Any, person: Any, world: Any, role: Any) -> None:
    answer = await browser.get("/api/v1/events", person(role, None, world.stop))
    assert answer.status_code == 403


async def test_who_is_told_late_whom_a_partner_brought_misses_nothing_and_hears_nothing_twice(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    """The topics have no order between them: a meeting may come before its person."""
    world = mission.world
    somebody = uuid4()
    await tell(*mission.stops())
    supporter = await latest(browser, mission.as_partner(mission.supporter, world.stop))
    host = await latest(browser, mission.as_partner(mission.host, world.stop))
    meeting = world.meeting(parties=world.parties(uuid4(), somebody))
    report = m.MeetingReported(
        **{"report_id": uuid4(), "meeting_id": meeting.meeting_id, "stop_id": world.stop},
        **{"mission_id": world.mission, "revision": 1, "side": "local", "was_held": True},
        occurred_at=NOW,
    )
    early = await tell(meeting, report)
    assert await supporter.rest() == []
    late = await tell(mission.somebody(r.ParticipantPending, mission.supporter, somebody))
    again = await tell(world.then(meeting, "called"))
    expected = [str(one.event_id) for one in (*early, *late, *again)]
    assert ids(await supporter.rest()) == expected
    assert sorted(ids(await host.rest())) == sorted(expected)
    await tell(mission.somebody(r.ParticipantPending, mission.supporter, somebody))
    assert len(await supporter.rest()) == 1


async def test_who_hosts_a_stop_that_is_told_late_misses_nothing_and_hears_nothing_twice(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    world = mission.world
    host = await latest(browser, mission.as_partner(mission.host, world.stop))
    supporter = await latest(browser, mission.as_partner(mission.supporter, world.stop))
    somebody = mission.somebody(r.ParticipantPending, mission.supporter)
    meeting = world.meeting()
    early = await tell(meeting, somebody, world.item_planned(), world.then(meeting, "called"))
    assert await host.rest() == []
    assert ids(await supporter.rest()) == [str(early[1].event_id)]
    late = await tell(mission.stops()[0], world.then(meeting, "in_progress"))
    expected = [str(one.event_id) for one in (*early, *late)]
    assert ids(await host.rest()) == expected
    assert ids(await supporter.rest()) == [str(early[2].event_id), str(late[0].event_id)]
    again = await tell(mission.stops()[0])
    assert ids(await host.rest()) == [str(one.event_id) for one in again]
    # Who begins only now reads the same.
    anew = ids(await Reader(browser, host.who).rest())
    assert sorted(anew) == sorted({*expected, *(str(one.event_id) for one in again)})


async def test_a_supporter_who_comes_to_host_is_told_what_it_has_missed(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    world, (planned, _) = mission.world, mission.stops()
    supporter = await latest(browser, mission.as_partner(mission.supporter, world.stop))
    theirs = mission.somebody(r.ParticipantPending, mission.supporter)
    told = await tell(planned, theirs, mission.somebody(r.ParticipantPending, mission.host))
    seen = ids(await supporter.rest())
    assert seen == [str(one.event_id) for one in told[:2]]
    both = (mission.host, mission.supporter)
    (again,) = await tell(planned.model_copy(update={"hosts": both}), version=2)
    assert ids(await supporter.rest()) == [str(told[2].event_id), str(again.event_id)]
    anew = ids(await Reader(browser, supporter.who).rest())
    assert sorted(anew) == sorted(str(one.event_id) for one in (*told, again))


async def test_partners_hear_of_a_check_in_and_that_it_was_taken_back_in_that_order(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    await tell(*mission.stops())
    supporter = await latest(browser, mission.as_partner(mission.supporter, mission.world.stop))
    about = mission.somebody(r.ParticipantPending, mission.supporter).model_dump()
    there = r.ParticipantCheckedIn(**about, checked_in_at=NOW)
    undone = r.CheckInRetracted(
        **about, checked_in_at=NOW, undone_at=NOW + timedelta(minutes=1), has_place=True
    )
    told = await tell(there, undone)

    events = await supporter.rest()
    assert ids(events) == [str(one.event_id) for one in told]
    assert events[1]["type"] == "registration.check_in.retracted.v1"
    assert r.CheckInRetracted.model_validate(events[1]["data"]) == undone


async def test_types_are_chosen_and_the_cursor_moves_past_the_others(
    mission: Mission, tell: Tell, browser: Any
) -> None:
    await tell(*mission.stops())
    reader = await latest(browser, mission.as_partner(mission.host, mission.world.stop))
    before = reader.path
    await tell(*(mission.somebody(r.ParticipantPending, mission.host) for _ in range(3)))
    page = await reader.page(after=before.rpartition("=")[2], types=r.StopPlanned.TYPE)
    assert page["items"] == []
    assert page["position"] != before.rpartition("=")[2]
    assert f"types={r.StopPlanned.TYPE}" in page["next"]


@pytest.mark.parametrize("after", ["7", "x", "0123456789ab-", "0123456789ab--1", "-1"])
async def test_what_is_no_cursor_is_refused(browser: Any, person: Any, after: str) -> None:
    answer = await browser.get(f"/api/v1/events?after={after}", person("mission_staff"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "query/after"


async def test_a_cursor_of_a_feed_that_was_rebuilt_or_shortened_says_so(
    mission: Mission, tell: Tell, browser: Any, person: Any, database: Database
) -> None:
    """A rebuilt feed gives the same positions to other events: none may be skipped in silence."""
    await tell(*mission.stops(), *mission.stops())
    staff = person("mission_staff")
    reader = Reader(browser, staff)
    first = await reader.page(limit=1)
    ahead = str(int(first["position"].partition("-")[2]) + 10**6)
    epoch = first["position"].partition("-")[0]
    for after, code in (
        (f"{epoch}-{ahead}", "feed_restarted"),
        (f"0123456789ab-{first['position'].partition('-')[2]}", "feed_restarted"),
    ):
        answer = await browser.get(f"/api/v1/events?after={after}", staff)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    await feeding.sweep(database, datetime.now(UTC) + timedelta(days=91))
    late = await browser.get(f"/api/v1/events?after={first['position']}", staff)
    assert (late.status_code, late.json()["code"]) == (422, "feed_forgotten")
    async with database.transaction() as connection:
        await connection.execute("UPDATE feed_head SET epoch = 'fedcba987654'")
    again = await browser.get(reader.path, staff)
    assert again.json()["code"] == "feed_restarted"


async def test_a_reader_waits_and_hears_at_once(
    mission: Mission, tell: Tell, browser: Any, person: Any, hooks: Hooks
) -> None:
    reader = await latest(browser, person("mission_staff"))
    loop = asyncio.get_running_loop()
    async with cancelling(hooks.bell.run()):
        began = loop.time()
        waiting = asyncio.create_task(reader.page(after=reader.path.rpartition("=")[2], wait=25))
        while not hooks.bell.has_waiting:
            await asyncio.sleep(0.01)
        (told, *_) = await tell(mission.stops()[0])
        assert ids((await waiting)["items"]) == [str(told.event_id)]
        waiting = asyncio.create_task(reader.page(after=reader.path.rpartition("=")[2], wait=25))
        while not hooks.bell.has_waiting:
            await asyncio.sleep(0.01)
        hooks.bell.close()
        assert (await waiting)["items"] == []
        assert loop.time() - began < 20


async def write(database: Database, mission: Mission, take: Any) -> list[str]:
    """Let many append at once, some of whom take their time or are rolled back."""
    told: list[str] = []

    async def writer(number: int) -> None:
        for turn in range(EVENTS_EACH):
            await asyncio.sleep(THINK_SECONDS * (1 + (number * turn) % 5) / 3)
            event = mission.somebody(r.ParticipantPending, mission.host)
            one = envelope(event)
            try:
                async with wide.transaction() as connection:
                    await take(connection, [(one, event)])
                    await asyncio.sleep(0.02 if (number + turn) % 5 == 0 else 0)
                    roll_back((number + turn) % 19 == 0)
            except RolledBack:
                continue
            told.append(str(one.event_id))

    async with Database.connect(database.dsn, size=WRITERS) as wide:
        await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return told


class RolledBack(Exception):
    pass


def roll_back(is_wanted: bool) -> None:
    if is_wanted:
        raise RolledBack


async def polled(
    database: Database, browser: Any, mission: Mission, take: Any
) -> tuple[list[str], list[str]]:
    """Give what was committed, and what a reader with tiny pages read meanwhile and after."""
    reader = await latest(browser, mission.as_partner(mission.host, mission.world.stop))
    read: list[str] = []
    async with asyncio.timeout(180):
        writing = asyncio.create_task(write(database, mission, take))
        while not writing.done():
            read += ids((await reader.page(limit=7, after=reader.path.rpartition("=")[2]))["items"])
        read += ids(await reader.rest())
    return writing.result(), read


async def test_who_polls_while_many_write_misses_nothing_and_reads_nothing_twice(
    database: Database, browser: Any, mission: Mission, tell: Tell
) -> None:
    await tell(*mission.stops())
    told, read = await polled(database, browser, mission, feeding.take)
    assert len(told) > WRITERS * EVENTS_EACH * 0.8
    assert len(read) == len(set(read))
    assert set(read) == set(told)


async def test_the_check_finds_what_a_cursor_over_a_plain_sequence_loses(
    database: Database, browser: Any, mission: Mission, tell: Tell
) -> None:
    """Numbers of a sequence are taken before the commit: a later one is visible earlier."""
    await tell(*mission.stops())
    async with database.transaction() as connection:
        start = (await feed.head(connection)).position + 1
        await connection.execute("DROP SEQUENCE IF EXISTS naive")
        await connection.execute(f"CREATE SEQUENCE naive START {start}")

    async def naive(connection: Any, events: Any) -> None:
        position = await connection.fetchval("SELECT nextval('naive')")
        rows = [(Entry.of(*events[0]), [mission.host])]
        await feed.append(connection, rows, position - 1, NOW)

    class Naive:
        """The head as such a feed has it: the greatest number there is."""

        async def __call__(self, connection: Any) -> feed.Head:
            row = await connection.fetchrow(
                "SELECT epoch, greatest(position, (SELECT max(position) FROM feed_event)), dropped "
                "FROM feed_head"
            )
            return feed.Head(*row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "head", Naive())
        told, read = await polled(database, browser, mission, naive)
    async with database.transaction() as connection:
        await feed.set_position(
            connection, await connection.fetchval("SELECT nextval('naive')") + WRITERS
        )
        await connection.execute("DROP SEQUENCE naive")
    assert set(told) - set(read) != set()


def test_every_event_says_whom_it_concerns() -> None:
    """An event without a mission could be told to nobody: a new one must not come so."""
    assert [event.TYPE for event in EVENTS if "mission_id" not in event.model_fields] == []
