"""The client against a server that drops answers and is away."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from services.rehearsal.client import Client, Refused, Unreachable
from services.rehearsal.meetings import Floor, Meeting
from services.rehearsal.updates import Updates

Serve = Callable[..., AbstractAsyncContextManager[Any]]
Make = Callable[..., Meeting]
Answer = tuple[int, dict[str, Any]] | None


def one_after_another(*answers: Answer) -> Callable[[Any], Answer]:
    left: Iterator[Answer] = iter(answers)
    return lambda _: next(left)


@asynccontextmanager
async def client_of(url: str) -> Any:
    async with Client.connect(url, "token") as client:
        yield client


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(server: Serve) -> None:
    answers = one_after_another(None, (503, {"code": "unavailable"}), (201, {"id": "1"}))

    async with server(answers) as here, client_of(here.url) as client:
        created = await client.post("/api/v1/things", {"a": 1}, key="the key")

    assert created == {"id": "1"}
    assert [r.headers["idempotency-key"] for r in here.received] == ["the key"] * 3
    assert [r.headers["authorization"] for r in here.received] == ["Bearer token"] * 3
    assert [r.body for r in here.received] == [{"a": 1}] * 3


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_part_that_is_away_is_waited_for(server: Serve, status: int) -> None:
    async with (
        server(one_after_another((status, {}), (200, {"ok": True}))) as here,
        client_of(here.url) as client,
    ):
        assert await client.get("/x") == {"ok": True}


async def test_a_first_request_under_way_is_waited_for(server: Serve) -> None:
    answers = one_after_another((409, {"code": "in_progress"}), (201, {"id": "1"}))

    async with server(answers) as here, client_of(here.url) as client:
        assert await client.post("/x", key="k") == {"id": "1"}


async def test_a_refusal_is_told_at_once(server: Serve) -> None:
    problem = {
        "code": "invalid",
        "detail": "Some fields are wrong.",
        "errors": [{"pointer": "/a", "detail": "Too long."}],
    }

    async with server(one_after_another((422, problem))) as here, client_of(here.url) as client:
        with pytest.raises(Refused, match=r"POST /x answered 422 invalid: .*/a: Too long"):
            await client.post("/x")

    assert len(here.received) == 1


async def test_what_another_service_will_learn_is_waited_for(server: Serve) -> None:
    answers = one_after_another((404, {}), (404, {}), (200, {"ok": True}))

    async with server(answers) as here, client_of(here.url) as client:
        assert await client.get("/x", converges=True) == {"ok": True}


async def test_what_nobody_will_learn_is_refused(server: Serve) -> None:
    async with server(lambda _: (404, {})) as here, client_of(here.url) as client:
        with pytest.raises(Refused):
            await client.get("/x")
        with pytest.raises(Refused):
            await replace(client, convergence_seconds_max=0.3).get("/x", converges=True)


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://example.com", "http://"])
async def test_what_is_no_address_is_told_at_once(address: str) -> None:
    with pytest.raises(Unreachable, match="is not an address"):
        async with Client.connect(address, "token"):
            pass


async def test_patience_has_an_end(server: Serve) -> None:
    async with server(lambda _: None) as here, client_of(here.url) as client:
        with pytest.raises(Unreachable, match="GET /x had no answer"):
            await replace(client, retry_seconds_max=0.5).get("/x")

    assert len(here.received) > 1


async def test_a_decision_whose_answer_was_lost_is_taken_once(server: Serve) -> None:
    lost = one_after_another(None, (409, {"code": "illegal_state"}))

    async with server(lost) as here, client_of(here.url) as client:
        await client.decide("/x/cancel")
        here.answer = one_after_another((409, {"code": "illegal_state"}))
        with pytest.raises(Refused):
            await client.decide("/x/cancel")


class Desk:
    """A meeting on a server that takes commands, and loses the answers it is told to lose."""

    def __init__(self, meeting: Meeting, *lost: str) -> None:
        self.meeting = meeting
        self.lost = list(lost)
        self.taken: list[str] = []

    def __call__(self, request: Any) -> Answer:
        if request.method == "GET":
            return 200, self.meeting.model_dump(mode="json")
        command = request.path.rpartition("/")[2]
        if request.headers["if-match"] != f'"{self.meeting.revision}"':
            return 412, {"code": "stale_revision"}
        if self.lost and self.lost[0] == f"before {command}":
            self.lost.pop(0)
            return None
        self.taken.append(command)
        states = {"call": "called", "start": "in_progress"}
        changes = {
            "revision": self.meeting.revision + 1,
            "state": states.get(command, self.meeting.state),
            "delay_minutes": (request.body or {}).get("minutes", 0),
        }
        self.meeting = self.meeting.model_copy(update=changes)
        if self.lost and self.lost[0] == f"after {command}":
            self.lost.pop(0)
            return None
        return 200, self.meeting.model_dump(mode="json")


@asynccontextmanager
async def floor_of(server: Serve, desk: Desk, meeting: Meeting) -> Any:
    async with server(desk) as here, client_of(here.url) as client:
        updates = Updates()
        updates.listen("d1", "s1")
        yield Floor(client, "s1", updates, {meeting.meeting_id: meeting})


@pytest.mark.parametrize("lost", [[], ["before call"], ["after call"], ["before call"] * 2])
async def test_a_command_takes_effect_once_whatever_is_lost(
    server: Serve, meeting: Make, lost: list[str]
) -> None:
    desk = Desk(meeting(), *lost)

    async with floor_of(server, desk, meeting()) as floor:
        called = await floor.take("m1", "call")
        started = await floor.take("m1", "start")

    assert desk.taken == ["call", "start"]
    assert (called.revision, called.state) == (2, "called")
    assert (started.revision, started.state) == (3, "in_progress")
    assert floor.updates.expected == 2


async def test_a_command_goes_on_from_a_revision_it_did_not_know(
    server: Serve, meeting: Make
) -> None:
    desk = Desk(meeting(revision=5))

    async with floor_of(server, desk, meeting(revision=4)) as floor:
        delayed = await floor.take("m1", "delay", {"minutes": 7})

    assert (delayed.revision, delayed.delay_minutes) == (6, 7)
    assert desk.taken == ["delay"]


async def test_a_command_that_somebody_else_gave_does_not_pass_for_ours(
    server: Serve, meeting: Make
) -> None:
    desk = Desk(meeting(revision=2, delay_minutes=3))

    async with floor_of(server, desk, meeting(revision=1)) as floor:
        await floor.take("m1", "delay", {"minutes": 7})

    assert desk.taken == ["delay"]


async def test_a_refused_command_is_raised(server: Serve, meeting: Make) -> None:
    def refuse(_: object) -> Answer:
        return 409, {"code": "illegal_state"}

    async with server(refuse) as here, client_of(here.url) as client:
        floor = Floor(client, "s1", Updates(), {"m1": meeting()})
        with pytest.raises(Refused, match="illegal_state"):
            await floor.take("m1", "start")

    assert floor.meetings["m1"] == meeting()


async def test_a_released_interpreter_is_expected_to_hear(server: Serve, meeting: Make) -> None:
    before = meeting(interpreter_id="i1")

    async with floor_of(server, Desk(before), before) as floor:
        floor.updates.listen("i1", "s1")
        floor.updates.listen("i2", "s1")
        floor.note(meeting(revision=2, interpreter_id="i2"))

    assert floor.updates.expected == 3
