"""A partner's real pretix, and registration as a process of its own, tell each other."""

import asyncio
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, Server, free_port, supervised
from services.embedded.servers.folder import claim
from shared.access import Principal, Tokens
from tests.journeys.conftest import SECRET, program

ROOT = Path(__file__).parents[2]
PRETIX = ROOT / ".cache" / "pretix"
SCRIPT = ROOT / "tests" / "peers" / "pretix_server.py"
START_SECONDS_MAX = 480
ANSWER_SECONDS_MAX = 180
SECONDS_MAX = 60
MISSION = {
    "slug": "sample",
    "title": {"en": "Sample Mission", "zh": "示例代表团"},
    "summary": {"en": "Sample companies meet.", "zh": "示例企业对接。"},
    "starts_on": "2026-11-06",
    "ends_on": "2026-11-11",
    "home_country": "US",
    "host_country": "CN",
    "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
}
STOP = {
    "slug": "guangzhou",
    "city": {"en": "Guangzhou", "zh": "广州"},
    "title": {"en": "Matchmaking Conference", "zh": "产业对接会"},
    "timezone": "Asia/Shanghai",
    "date": "2026-11-07",
}


def item(slug: str) -> dict[str, Any]:
    times = {"starts_at": "2026-11-07T02:15:00Z", "ends_at": "2026-11-07T04:45:00Z"}
    named = {"slug": slug, "kind": "matchmaking", "title": {"en": slug, "zh": "洽谈"}}
    return named | times | {"capacity": 100}


@dataclass
class Pretix:
    """A pretix with one event, asked as its API is."""

    url: str
    facts: dict[str, Any]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def send(self, method: str, path: str, body: Any = None, *, of_event: bool = True) -> Any:
        base = "/api/v1/organizers/bureau" + ("/events/talks" if of_event else "")
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS_MAX) as client:
            answer = await client.request(
                method,
                self.url + base + path,
                json=body,
                headers={"Authorization": f"Token {self.facts['token']}"},
            )
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def order(self, *people: tuple[str, int]) -> str:
        """Register people there, each a name and the place of a product; gives the order's code."""
        positions = [
            {
                "positionid": place,
                "item": self.facts["items"][product],
                "price": "0.00",
                "attendee_name": f"Sample {name}",
                "attendee_email": f"{name}@example.com",
                "company": f"Sample {name} Co.",
                "country": "CN",
                "answers": [{"question": self.facts["question"], "answer": "batteries"}],
            }
            for place, (name, product) in enumerate(people, start=1)
        ]
        body: dict[str, Any] = {
            "email": "orders@example.com",
            "locale": "en",
            "sales_channel": "web",
        }
        body |= {"status": "p", "positions": positions, "simulate": False, "send_email": False}
        code: str = (await self.send("POST", "/orders/", body))["code"]
        return code

    async def read(self, code: str) -> Any:
        return await self.send("GET", f"/orders/{code}/?include_canceled_positions=true")


@pytest.fixture(scope="module")
def pretix() -> Iterator[Pretix]:
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-pretix-"))
    file, port = folder / "peer.sqlite3", free_port()
    shutil.copy(PRETIX / "tables" / "empty.sqlite3", file)
    command = [str(PRETIX / "bin" / "python"), str(SCRIPT), "serve", str(file), str(port)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as server,
    ):
        try:
            assert server.stdout is not None
            alarm = threading.Timer(START_SECONDS_MAX, server.kill)
            alarm.start()
            # Ends with what there is, or with the process.
            line = server.stdout.readline()
            alarm.cancel()
            assert line, (folder / "log").read_text()[-3000:]
            yield Pretix(f"http://127.0.0.1:{port}", json.loads(line))
        finally:
            server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Ours:
    """Registration as a process, asked as its API is, and its database."""

    server: Server
    database: "asyncpg.Connection[asyncpg.Record]"
    log: Path
    items: list[UUID] = field(default_factory=list)
    partner: str = ""
    stop: str = ""
    connector: str = ""

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        who = Principal("mission_staff", uuid4())
        token = Tokens(SECRET).sign(who, "session", datetime.now(UTC))
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS_MAX) as client:
            answer = await client.request(
                method,
                f"{self.server.url}/api/v1{path}",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            )
        assert answer.status_code < 300, answer.text + self.log.read_text()[-3000:]
        return answer.json() if answer.content else None

    async def plan(self) -> None:
        mission = (await self.send("POST", "/missions", MISSION))["id"]
        named = {"name": {"en": "Sample Bureau", "zh": "示例商务局"}, "kind": "government"}
        self.partner = (await self.send("POST", f"/missions/{mission}/partners", named))["id"]
        roles = [{"partner_id": self.partner, "role": "lead"}]
        stop = await self.send("POST", f"/missions/{mission}/stops", STOP | {"roles": roles})
        self.stop = stop["id"]
        for slug in ("talks", "dinner", "visit"):
            made = await self.send("POST", f"/stops/{self.stop}/programme-items", item(slug))
            self.items.append(UUID(made["id"]))

    async def connect(self, pretix: Pretix) -> str:
        """Connect to pretix and give the address that it is to call."""
        fields = {"full_name": "attendee_name", "email": "email", "company": "company"}
        fields |= {"country": "country", "sectors": "question.FIELD"}
        items = {str(p): str(i) for p, i in zip(pretix.facts["items"], self.items, strict=True)}
        body = {
            "kind": "pretix",
            "stop_id": self.stop,
            "place": {
                "address": pretix.url,
                "organizer": "bureau",
                "event": "talks",
                "check_in_list": pretix.facts["check_in_list"],
            },
            "token": pretix.facts["token"],
            "pushes": ["check_in", "cancel"],
            "field_map": {"items": items, "fields": fields},
        }
        made = await self.send("POST", f"/partners/{self.partner}/connectors", body)
        self.connector = made["id"]
        url: str = (await self.send("GET", f"/connectors/{self.connector}"))["webhook_url"]
        return url

    async def registered(self) -> dict[str, asyncpg.Record]:
        """Give the registrations by the person's name."""
        rows = await self.database.fetch(
            "SELECT split_part(person.email, '@', 1) AS name, r.id, r.status, r.source, "
            "r.checked_in_at FROM registration AS r JOIN person ON person.id = r.person_id"
        )
        assert len({row["name"] for row in rows}) == len(rows)
        return {row["name"]: row for row in rows}

    async def status(self, name: str) -> str | None:
        row = (await self.registered()).get(name)
        return row["status"] if row else None

    async def told(self) -> list[str]:
        rows = await self.database.fetch("SELECT type FROM outbox ORDER BY id")
        return [row["type"] for row in rows if ".participant." in row["type"]]


@pytest.fixture
async def ours(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Ours]:
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    url, port = await new_database(), free_port()
    environment = {
        "MODE": "development",
        "PORT": port,
        "DATABASE_URL": url,
        "LOG_URL": "postgresql:",
        "SECRET_KEY": SECRET,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "OUTWARD_ALLOWED": "127.0.0.1",
        "LOG_LEVEL": "warning",
    }
    variables = [f"TRADEWIND_{key}={value}" for key, value in environment.items()]
    command = ["env", *variables, sys.executable, "-m", "services.registration"]
    what: Program = program("registration", command, port)
    async with AsyncExitStack() as stack:
        held = await stack.enter_async_context(claim(folder / "registration", OURS))
        server = await stack.enter_async_context(supervised(what, held))
        database = await asyncpg.connect(url)
        stack.push_async_callback(database.close)
        house = Ours(server, database, held.log)
        await house.plan()
        yield house
    shutil.rmtree(folder, ignore_errors=True)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, which must not take a minute."""
    async with asyncio.timeout(SECONDS_MAX):
        while not await holds():
            await asyncio.sleep(0.1)


async def test_a_partners_pretix_and_we_tell_each_other(pretix: Pretix, ours: Ours) -> None:
    hook = await ours.connect(pretix)
    called = {"enabled": True, "target_url": hook, "all_events": True, "limit_events": []}
    called |= {"action_types": ["pretix.event.order.placed", "pretix.event.order.canceled"]}
    await pretix.send("POST", "/webhooks/", called, of_event=False)
    await until(lambda: synced(ours))

    # Woken by pretix: nobody asks here, and the next look would be a minute away.
    ana = await pretix.order(("ana", 0))
    pair = await pretix.order(("bo", 0), ("chen", 1))
    await until(lambda: has(ours, "ana", "confirmed"))
    await until(lambda: has(ours, "chen", "confirmed"))
    assert (await ours.registered())["ana"]["source"] == "partner_api"

    # A check-in here is one there.
    await ours.send("POST", f"/registrations/{(await ours.registered())['ana']['id']}/check-in")
    await until(lambda: checked_in(pretix, ana))

    # Cancelled there, cancelled here; and here, there, for the one of two whom it is about.
    await ours.send("POST", f"/registrations/{(await ours.registered())['bo']['id']}/cancel")
    await until(lambda: one_is_left(pretix, pair))
    await pretix.send("POST", f"/orders/{pair}/mark_canceled/", {"send_email": False})
    await until(lambda: has(ours, "chen", "cancelled"))
    assert await ours.status("bo") == "cancelled"

    # Read all anew: nothing comes back of what came from here, and nothing is sent twice.
    before = await ours.told()
    await ours.database.execute("UPDATE connector_link SET seen = ''")
    await ours.database.execute(
        "UPDATE connector SET cursor = '{}', synced_at = NULL, next_at = now()"
    )
    await until(lambda: synced(ours))
    assert await ours.told() == before
    assert sorted(before) == [
        *["registration.participant.cancelled.v1"] * 2,
        "registration.participant.checked_in.v1",
        *["registration.participant.confirmed.v1"] * 3,
    ]
    (position,) = (await pretix.read(ana))["positions"]
    assert len(position["checkins"]) == 1
    assert (await ours.send("GET", f"/connectors/{ours.connector}/conflicts"))["items"] == []


async def test_killed_in_the_middle_it_goes_on_and_doubles_nothing(
    pretix: Pretix, ours: Ours
) -> None:
    names = [f"n{next(pretix.numbers)}" for _ in range(24)]
    await pretix.order(*((name, 0) for name in names[:12]))
    await pretix.order(*((name, 2) for name in names[12:]))
    # Who holds the visit lets the first transaction pass and stops one of those behind it.
    lock = ours.database.transaction()
    await lock.start()
    await ours.database.execute(
        "SELECT FROM programme_item WHERE id = $1 FOR UPDATE", ours.items[2]
    )
    await ours.connect(pretix)
    await until(lambda: is_stopped_in_the_middle(ours))
    ours.server.kill()
    await ours.server.ready()
    await lock.rollback()
    # What a dead worker claimed is free in minutes; these need not pass here.
    await ours.database.execute("UPDATE connector SET claimed_until = NULL")
    await until(lambda: synced(ours))

    assert {*names} <= {*await ours.registered()}
    told = await ours.told()
    assert told.count("registration.participant.confirmed.v1") == len(await ours.registered())


async def synced(ours: Ours) -> bool:
    return (await ours.send("GET", f"/connectors/{ours.connector}"))["synced_at"] is not None


async def has(ours: Ours, name: str, status: str) -> bool:
    return await ours.status(name) == status


async def checked_in(pretix: Pretix, code: str) -> bool:
    (position,) = (await pretix.read(code))["positions"]
    return bool(position["checkins"])


async def one_is_left(pretix: Pretix, code: str) -> bool:
    positions = (await pretix.read(code))["positions"]
    return [one["attendee_name"] for one in positions if not one["canceled"]] == ["Sample chen"]


async def is_stopped_in_the_middle(ours: Ours) -> bool:
    linked = await ours.database.fetchval("SELECT count(*) FROM connector_link")
    waits = await ours.database.fetchval(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
    )
    return linked > 0 and waits > 0
