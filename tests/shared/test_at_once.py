"""Who is answered without parser and task, over a real connection."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from shared.access import Tokens
from shared.errors import Busy, Conflict
from shared.express import Call, Express, Outcome, Reply, Tell
from shared.protocol import Protocol
from shared.service import Service
from tests.serving import serving

TOKENS = Tokens("only for this test, and long enough")


@dataclass
class Clerk:
    """Answers what is begun when told to, and counts what comes the other way."""

    begun: list[tuple[Call, Tell]] = field(default_factory=list)
    waited_for: int = 0
    is_plain: bool = True
    fault: Exception | None = None
    busy: Busy | None = None

    def begin(self, call: Call, tell: Tell, name: str) -> bool:
        assert name == "ana"
        if self.fault:
            raise self.fault
        if self.is_plain:
            self.begun.append((call, tell))
        return self.is_plain

    async def answer(self, call: Call, name: str) -> Reply:
        self.waited_for += 1
        return Reply(201, {"way": "task", "length": len(call.body), "name": name}, {})

    async def next(self) -> tuple[Call, Tell]:
        async with asyncio.timeout(60):
            while not self.begun:
                await asyncio.sleep(0.005)
        return self.begun.pop(0)

    async def tell(self, outcome: Outcome) -> Call:
        call, tell = await self.next()
        tell(outcome)
        return call


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int

    def send(self, body: bytes = b"body", more: str = "") -> None:
        head = f"POST /rush/ana HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def read(self) -> tuple[int, dict[str, str], dict[str, object]]:
        async with asyncio.timeout(60):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            content = await self.reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split()[1]), headers, json.loads(content)


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


@pytest.fixture
async def client(clerk: Clerk) -> AsyncIterator[Client]:
    lane = [
        Express(
            "POST",
            re.compile("/rush/(?P<name>[a-z]+)"),
            clerk.answer,
            lambda: clerk.busy,
            clerk.begin,
        )
    ]
    service = Service(name="sample", routers=[], loops={}, express=lane)
    async with serving(service, TOKENS) as port:
        client = Client(*await asyncio.open_connection("127.0.0.1", port), port)
        yield client
        client.writer.close()


async def test_the_answer_has_what_every_answer_has(clerk: Clerk, client: Client) -> None:
    client.send(more="X-Request-Id: mine\r\n")
    call = await clerk.tell(Reply(201, {"way": "begun"}, {}))
    status, headers, content = await client.read()
    clerk.is_plain = False
    client.send(more="X-Request-Id: mine\r\n")
    other_status, other_headers, other_content = await client.read()

    assert (status, content, call.body) == (201, {"way": "begun"}, b"body")
    assert headers["x-request-id"] == call.request_id == "mine"
    assert (other_content["way"], other_content["length"], clerk.waited_for) == ("task", 4, 1)
    del headers["content-length"], other_headers["content-length"]
    assert (status, headers.keys()) == (other_status, other_headers.keys())
    assert {k: v for k, v in headers.items() if k != "date"} == {
        k: v for k, v in other_headers.items() if k != "date"
    }


async def test_headers_of_a_reply_go_with_it(clerk: Clerk, client: Client) -> None:
    client.send()
    await clerk.tell(Reply(200, {}, {"Idempotent-Replayed": "true"}))
    status, headers, _ = await client.read()
    assert (status, headers["idempotent-replayed"]) == (200, "true")


async def test_what_has_to_be_waited_for_is(clerk: Clerk, client: Client) -> None:
    async def late() -> Reply:
        await asyncio.sleep(0.01)
        return Reply(202, {"way": "late"}, {})

    client.send()
    await clerk.tell(late())
    assert (await client.read())[::2] == (202, {"way": "late"})


async def test_an_error_is_answered_with_problem_details(clerk: Clerk, client: Client) -> None:
    async def refused() -> Reply:
        raise Conflict("Not so.", code="not_so")

    async def broken() -> Reply:
        raise RuntimeError

    for outcome, status, code in ((refused, 409, "not_so"), (broken, 500, "failed")):
        client.send()
        await clerk.tell(outcome())
        found, headers, problem = await client.read()
        assert (found, problem["code"]) == (status, code)
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-request-id"] == problem["request_id"]


async def test_whoever_cannot_be_begun_with_is_answered_the_other_way(
    clerk: Clerk, client: Client
) -> None:
    clerk.fault = Conflict("The other way says what is wrong.")
    client.send()
    assert (await client.read())[2] == {"way": "task", "length": 4, "name": "ana"}


async def test_a_request_in_two_parts_is_begun_too(clerk: Clerk, client: Client) -> None:
    client.writer.write(b"POST /rush/ana HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    await asyncio.sleep(0.05)
    client.writer.write(b"dy")
    call = await clerk.tell(Reply(201, {}, {}))
    assert call.body == b"body"
    assert (await client.read())[0] == 201
    client.send(b"whole")
    assert (await clerk.tell(Reply(201, {}, {}))).body == b"whole"
    assert (await client.read())[0] == 201


async def test_what_comes_meanwhile_is_answered_in_turn(clerk: Clerk, client: Client) -> None:
    client.send(b"first")
    first, tell = await clerk.next()
    client.send(b"second")
    client.send(b"third")
    await asyncio.sleep(0.05)
    assert (first.body, clerk.begun) == (b"first", [])

    tell(Reply(201, {"place": 1}, {}))
    for place in (2, 3):
        await clerk.tell(Reply(201, {"place": place}, {}))
    assert [(await client.read())[2]["place"] for _ in range(3)] == [1, 2, 3]


async def test_who_is_turned_away_is_told_when_to_come_back(clerk: Clerk, client: Client) -> None:
    clerk.busy = Busy("Too many.", retry_seconds=3)
    client.send()
    status, headers, problem = await client.read()
    assert (status, problem["code"], clerk.begun) == (503, "busy", [])
    assert 3 <= int(headers["retry-after"]) <= 7

    clerk.busy = None
    client.send()
    await clerk.tell(Reply(201, {}, {}))
    assert (await client.read())[0] == 201


async def test_who_has_gone_is_told_nothing(clerk: Clerk, client: Client) -> None:
    gone = Client(*await asyncio.open_connection("127.0.0.1", client.port), client.port)
    gone.send()
    _, tell = await clerk.next()
    gone.writer.close()
    await gone.writer.wait_closed()
    await asyncio.sleep(0.05)
    tell(Reply(201, {}, {}))

    client.send()
    await clerk.tell(Reply(201, {}, {}))
    assert (await client.read())[0] == 201


async def test_a_server_that_stops_answers_first_what_it_began(
    clerk: Clerk, client: Client
) -> None:
    client.send()
    _, tell = await clerk.next()
    signal.raise_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        while await listens(client.port):
            await asyncio.sleep(0.01)
    tell(Reply(201, {"way": "begun"}, {}))
    status, headers, content = await client.read()
    assert (status, headers["connection"], content) == (201, "close", {"way": "begun"})
    assert await client.reader.read() == b""


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_a_connection_ends_on_which_nothing_is_asked(
    clerk: Clerk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.protocol.KEEP_ALIVE_STEP_SECONDS", 0.05)
    seconds = property(lambda _: 0.2, lambda *_: None)
    monkeypatch.setattr(Protocol, "timeout_keep_alive", seconds, raising=False)
    silent = Client(*await asyncio.open_connection("127.0.0.1", client.port), client.port)
    for _ in range(2):
        silent.send()
        _, tell = await clerk.next()
        # While an answer is made, nobody is silent.
        await asyncio.sleep(0.4)
        tell(Reply(201, {}, {}))
        assert (await silent.read())[0] == 201
    async with asyncio.timeout(60):
        assert await silent.reader.read() == b""
    silent.writer.close()
