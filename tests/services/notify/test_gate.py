"""Streams over real connections: who is let in at the gate, and who by the route."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.notify.api import live as live_api
from services.notify.commands import snapshots
from services.notify.gate import Gate
from services.notify.store.live import Live
from shared.access import Principal, Tokens
from shared.erased import note_erased, refusing_the_erased
from shared.service import Service
from tests.serving import serving

Open = Callable[..., Any]


@pytest.fixture
async def port(resources: Any, tokens: Tokens, planned: Any) -> AsyncIterator[int]:
    """The port of notify, whose stops are known."""
    del planned
    sources = (resources.database, resources.live, resources.hub)
    service = Service(
        name="notify",
        routers=refusing_the_erased("notify", [live_api.router]),
        loops={},
        resources=resources,
        gates={"/api/v1/live/me": Gate(sources, live_api.head).knock},
        closing=resources.hub.close,
    )
    async with serving(service, tokens) as port:
        yield port


@pytest.fixture
async def opened(port: int, tokens: Tokens, world: Any) -> AsyncIterator[Open]:
    """A function that opens somebody's stream and gives its reader, after the head, and status."""
    writers = []

    async def opened(who: Principal | None, seen: str = "", path: str = "me") -> Any:
        place = path if path == "me" else f"stops/{world.stop}"
        head = f"GET /api/v1/live/{place}?stop_id={world.stop} HTTP/1.1\r\nHost: x\r\n"
        if who:
            head += f"Authorization: Bearer {tokens.sign(who, 'session', datetime.now(UTC))}\r\n"
        if seen:
            head += f"Last-Event-ID: {seen}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        writer.write(f"{head}\r\n".encode())
        async with asyncio.timeout(60):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        return int(lines.split()[1]), lines, reader

    yield opened
    for writer in writers:
        writer.close()


async def heard(reader: asyncio.StreamReader, read: Any, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += read(await reader.readuntil(b"\n\n"))
    return found


@pytest.fixture
def no_route(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function after which no route can open a stream."""

    async def broken(*_: object) -> None:
        raise AssertionError

    return lambda: monkeypatch.setattr(live_api, "begin", broken)


async def test_who_comes_back_is_let_in_at_the_gate_and_hears_what_was_missed(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, no_route: Any
) -> None:
    first = world.meeting()
    await keep(first)
    who = person("delegate", world.delegate)
    status, first_head, reader = await opened(who)
    (snapshot,) = await heard(reader, read, 1)
    assert (status, snapshot.event) == (200, "snapshot")
    await keep(world.then(first, "called"))
    await heard(reader, read, 1)

    no_route()
    status, head, again = await opened(who, snapshot.id)
    assert status == 200
    assert head.split("\r\n")[1:4] == first_head.split("\r\n")[1:4]
    assert "x-request-id: " in head
    await keep(world.then(first, "in_progress", revision=3))
    assert [change.data["revision"] for change in await heard(again, read, 2)] == [2, 3]


async def test_many_who_come_at_once_are_all_let_in(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, no_route: Any
) -> None:
    first = world.meeting()
    await keep(first)
    who = person("delegate", world.delegate)
    (snapshot,) = await heard((await opened(who))[2], read, 1)
    no_route()
    streams = await asyncio.gather(*(opened(who, snapshot.id) for _ in range(60)))
    assert {status for status, _, _ in streams} == {200}
    await keep(world.then(first, "called"))
    for _, _, reader in streams:
        assert [change.data["revision"] for change in await heard(reader, read, 1)] == [2]


@pytest.fixture(params=["_known", "_open"])
def fail_once(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[Any]]:
    """Gives what has a step of the gate fail for the next who comes, and holds him then."""
    given = getattr(Gate, request.param)
    failed: list[Any] = []

    def failing(*what: Any) -> Any:
        if not failed:
            failed.append(what)
            raise OSError("Bad file descriptor")
        return given(*what)

    def begin() -> list[Any]:
        monkeypatch.setattr(Gate, request.param, failing)
        return failed

    return begin


async def test_who_cannot_be_let_in_keeps_nobody_waiting(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, fail_once: Any
) -> None:
    meeting = world.meeting()
    await keep(meeting)
    who = person("delegate", world.delegate)
    assert (await opened(who))[0] == 200
    failed = fail_once()
    streams = await asyncio.gather(*(opened(who) for _ in range(4)))

    assert [status for status, *_ in streams] == [200] * 4
    for _, _, reader in streams:
        assert [frame.event for frame in await heard(reader, read, 1)] == ["snapshot"]
    assert len(failed) == 1


async def test_who_comes_to_a_stop_that_is_read_is_let_in_with_what_is_theirs(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, no_route: Any
) -> None:
    first = world.meeting()
    second = world.meeting(
        parties=world.parties(uuid4(), uuid4()), interpreter_id=world.interpreter
    )
    await keep(first, second)
    await heard((await opened(person("delegate", world.delegate)))[2], read, 1)
    no_route()
    for who, wanted in (
        (person("local", world.local), [first]),
        (person("interpreter", world.interpreter), [second]),
        (person("delegate", uuid4()), []),
    ):
        status, _, reader = await opened(who)
        (snapshot,) = await heard(reader, read, 1)
        assert (status, snapshot.event) == (200, "snapshot")
        found = [meeting["meeting_id"] for meeting in snapshot.data["meetings"]]
        assert found == [str(meeting.meeting_id) for meeting in wanted]


async def test_who_gets_what_others_got_just_before_hears_what_followed(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, monkeypatch: Any
) -> None:
    first = world.meeting()
    await keep(first)
    who = person("delegate", world.delegate)
    await heard((await opened(who))[2], read, 1)  # by the route
    monkeypatch.setattr(snapshots, "SHARED_SECONDS", 1_000)
    early = (await opened(who))[2]
    (snapshot,) = await heard(early, read, 1)
    await keep(world.then(first, "called"))
    await heard(early, read, 1)
    same, change = await heard((await opened(who))[2], read, 2)
    assert (same.id, same.data) == (snapshot.id, snapshot.data)
    assert (change.event, change.data["revision"]) == ("change", 2)

    monkeypatch.setattr(snapshots, "SHARED_SECONDS", 0)
    (anew,) = await heard((await opened(who))[2], read, 1)
    assert (anew.id, anew.data["meetings"]) == (change.id, [change.data])


async def test_while_redis_is_away_who_has_seen_nothing_is_told_to_come_back(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, monkeypatch: Any
) -> None:
    await keep(world.meeting())
    who = person("delegate", world.delegate)
    (snapshot,) = await heard((await opened(who))[2], read, 1)

    async def away(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(Live, "catch_up", away)
    assert (await opened(who))[0] == 503
    assert (await opened(who, snapshot.id))[0] == 200


async def test_whoever_the_gate_does_not_know_is_answered_by_the_route(
    opened: Open, read: Any, keep: Any, world: Any, person: Any
) -> None:
    await keep(world.meeting())
    who = person("delegate", world.delegate)
    (snapshot,) = await heard((await opened(who))[2], read, 1)
    assert (await opened(None, snapshot.id))[0] == 401
    assert (await opened(person("screen"), snapshot.id))[0] == 403
    status, _, reader = await opened(who, "ffff:1-1")
    assert status == 200
    assert [one.event for one in await heard(reader, read, 2)] == ["resync", "snapshot"]
    staff = person("mission_staff")
    assert (await opened(staff, snapshot.id, "stops"))[0] == 200


async def test_who_was_erased_meanwhile_does_not_pass(
    opened: Open, read: Any, keep: Any, world: Any, person: Any, database: Any
) -> None:
    await keep(world.meeting())
    who = person("delegate", world.delegate)
    (snapshot,) = await heard((await opened(who))[2], read, 1)
    async with database.transaction() as connection:
        await note_erased(connection, world.delegate, datetime.now(UTC))
    assert (await opened(who, snapshot.id))[0] == 401


async def test_the_process_stops_at_once_and_says_when_to_come_back(
    opened: Open, keep: Any, world: Any, person: Any, resources: Any
) -> None:
    await keep(world.meeting())
    readers = [(await opened(person("delegate", world.delegate)))[2] for _ in range(5)]
    resources.hub.close()
    async with asyncio.timeout(10):
        for reader in readers:
            assert b"retry: " in (await reader.read()).rpartition(b"data: ")[2]
