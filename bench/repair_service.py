"""Repairs over the running service: the whole round trip, and what others notice of them.

A stop in the middle of its day: eight slots are over, the ninth begins in six minutes.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg

from bench.house import SECRET
from bench.load import Answer, Connection, Result, paced
from bench.matching_house import matching_house
from bench.repair_days import SESSION, SLOT, SLOTS, STOP, Event, starts_at
from services.matching.domain.meetings import Meeting, State
from services.matching.store import meetings as store
from shared.access import Principal, Tokens
from shared.postgres import Database

OVER = 8
"""How many slots are over."""
HEAD_START = timedelta(minutes=6)
RATE = 100
"""How many meetings others read in a second, while repairs are found one after the other."""
SECONDS = 10
FIRST_AFTER_SECONDS = 15
"""How long after the start of the service the first repair is asked for."""
ZONE = ZoneInfo("Asia/Shanghai")
MISSION, ITEM = UUID(int=3), UUID(int=4)
NAMES = {"en": "Benchmark", "zh": "基准测试"}


@dataclass(frozen=True)
class Stop:
    """The service, and the event that its stop has."""

    port: int
    pid: int
    event: Event
    shift: timedelta
    """From the event's times to today's."""

    def request(
        self, method: str, path: str, body: object = None, revision: int | None = None
    ) -> bytes:
        """Write a request of mission staff, decided on a revision."""
        token = Tokens(SECRET).sign(
            Principal("mission_staff", uuid4()), "session", datetime.now(UTC)
        )
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} /api/v1{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
            + (f'If-Match: "{revision}"\r\n\r\n' if revision is not None else "\r\n")
        )
        return head.encode() + content

    def reports(self, rng: random.Random) -> dict[str, object]:
        """Make one report of each kind."""
        soon = starts_at(OVER + 2) + self.shift
        people = [*self.event.delegates, *self.event.locals]
        running = [m for m in self.event.meetings if m.spot.ends_at == starts_at(OVER)]
        return {
            "late": {"person_id": str(rng.choice(people)), "until": soon.isoformat()},
            "overrun": {"meeting_id": str(rng.choice(running).id), "minutes": 25},
            "point_lost": {"point_id": str(rng.choice(self.event.tables))},
            "unavailable": {"interpreter_id": str(rng.choice(self.event.interpreters))},
        }

    def repair(self, kind: str, report: object) -> bytes:
        """Write the request for a repair."""
        assert isinstance(report, dict)
        body = {"stop_id": str(STOP), "happened": {"kind": kind, **report}}
        return self.request("POST", "/repairs", body)

    def cpu_seconds(self) -> float:
        """Give what the service and its children have used of processors so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        children = _children(self.pid)
        own = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
        return own + sum(replace(self, pid=child).cpu_seconds() for child in children)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


async def round_trips(stop: Stop, count: int) -> tuple[dict[str, list[float]], float]:
    """Ask for repairs of each kind one after the other; gives seconds by kind, and CPU for each.

    Before each some meeting is delayed, which is not counted: so the day is another one each time.
    """
    rng = random.Random(5)  # noqa: S311  # the same each time
    connection = await Connection.open(stop.port)
    times: dict[str, list[float]] = {}
    used = 0.0
    for _ in range(count):
        for kind, report in stop.reports(rng).items():
            await _delay(stop, connection, rng)
            before, asked = stop.cpu_seconds(), time.perf_counter()
            _check(await connection.ask(stop.repair(kind, report)))
            times.setdefault(kind, []).append(time.perf_counter() - asked)
            used += stop.cpu_seconds() - before
    connection.close()
    return times, used / sum(map(len, times.values()))


async def first_round_trip(stop: Stop) -> float:
    """Ask for the first repair after the service was started, a while after it; gives seconds."""
    await asyncio.sleep(FIRST_AFTER_SECONDS)
    connection = await Connection.open(stop.port)
    # Somebody has looked at the day before: what is compared is the repair, not what is first.
    await connection.ask(stop.request("GET", f"/repairs?stop_id={STOP}"))
    ((kind, report), *_) = stop.reports(random.Random(4)).items()  # noqa: S311  # the same each time
    asked = time.perf_counter()
    _check(await connection.ask(stop.repair(kind, report)))
    found = time.perf_counter() - asked
    connection.close()
    return found


async def _delay(stop: Stop, connection: Connection, rng: random.Random) -> None:
    one = rng.choice([m for m in stop.event.meetings if m.spot.starts_at >= starts_at(OVER + 1)])
    path = f"/meetings/{one.id}"
    found = json.loads((await connection.ask(stop.request("GET", path))).body)
    body = {"minutes": rng.randint(1, 9)}
    order = stop.request("POST", f"{path}/delay", body, found["revision"])
    answer = await connection.ask(order)
    assert answer.status == HTTPStatus.OK, answer.body


async def others(stop: Stop, *, beside: bool) -> Result:
    """Let others read meetings at an even pace; `beside` repairs that never pause, or not."""
    readable = [
        stop.request("GET", f"/meetings/{meeting.id}") for meeting in stop.event.meetings[:100]
    ]
    rng = random.Random(6)  # noqa: S311  # the same each time

    async def repairs() -> None:
        connection = await Connection.open(stop.port)
        while True:
            for kind, report in stop.reports(rng).items():
                _check(await connection.ask(stop.repair(kind, report)))

    busy = asyncio.create_task(repairs()) if beside else None
    found = await paced(
        stop.port, lambda: rng.choice(readable), connections=8, rate=RATE, seconds=SECONDS
    )
    if busy:
        busy.cancel()
    return found


def _check(answer: Answer) -> dict[str, Any]:
    assert answer.status == HTTPStatus.CREATED, answer.body
    content: dict[str, Any] = json.loads(answer.body)
    return content


@asynccontextmanager
async def service(event: Event) -> AsyncIterator[Stop]:
    """Start matching amid the day of an event, and stop it."""
    shift = datetime.now(UTC) + HEAD_START - starts_at(OVER)
    async with matching_house(lambda url: _load(url, event, shift)) as house:
        yield Stop(house.port, house.pid, event, shift)


async def _load(url: str, event: Event, shift: timedelta) -> None:
    """Write what matching would have heard, and the meetings as the day has left them."""
    async with Database.connect(url) as connected, connected.transaction() as connection:
        first = starts_at(0) + shift
        await connection.execute(
            "INSERT INTO mission (id, title, sectors, version) VALUES ($1, $2, '{}', 1)",
            MISSION,
            NAMES,
        )
        await connection.execute(
            "INSERT INTO stop (id, mission_id, slug, city, title, timezone, held_on, version) "
            "VALUES ($1, $2, 'stop', $3, $3, $4, $5, 1)",
            *(STOP, MISSION, NAMES, ZONE.key, datetime.now(ZONE).date()),
        )
        await connection.execute(
            "INSERT INTO programme_item VALUES ($1, $2, $3, 'matchmaking', $4, $5, 1)",
            *(ITEM, STOP, MISSION, first, first + SLOTS * SLOT),
        )
        await connection.execute(
            "INSERT INTO meeting_session VALUES ($1, $2, $3, 'day', $4, $5, $6, '[]')",
            *(SESSION, STOP, ITEM, first, SLOT // timedelta(minutes=1), SLOTS),
        )
        await _people(connection, event)
        points = [(table, STOP, f"T{n}", "table") for n, table in enumerate(event.tables)]
        await _copy(connection, "meeting_point", "id stop_id label kind", points)
        used = [(SESSION, table, n) for n, table in enumerate(event.tables)]
        await _copy(connection, "session_point", "session_id point_id place", used)
        await store.put(connection, found := [_today(one, shift) for one in event.meetings])
        await store.book(connection, found)
        away = [
            (uuid4(), STOP, person, asyncpg.Range(start + shift, end + shift), "late", first)
            for person, times in event.away.items()
            for start, end in times
        ]
        columns = "id stop_id resource_id during kind noted_at"
        await _copy(connection, "absence", columns, away)


async def _people(connection: Any, event: Event) -> None:
    people: list[tuple[Any, ...]] = [
        (person, MISSION, side, uuid4(), "Benchmark Co.", [], [*event.languages[person]], [], 1)
        for side, group in (("delegation", event.delegates), ("local", event.locals))
        for person in group
    ]
    columns = "id mission_id side organization_id organization sectors languages listings version"
    await _copy(connection, "participant", columns, people)
    there = [(row[0], ITEM, STOP, True, 1) for row in people]
    columns = "participant_id programme_item_id stop_id is_confirmed version"
    await _copy(connection, "participation", columns, there)
    helpers = [(one, MISSION, ["en", "zh"], [STOP], 1) for one in event.interpreters]
    await _copy(connection, "interpreter", "id mission_id languages stop_ids version", helpers)


async def _copy(connection: Any, table: str, columns: str, rows: Sequence[Any]) -> None:
    await connection.copy_records_to_table(table, columns=columns.split(), records=rows)


def _today(one: Meeting, shift: timedelta) -> Meeting:
    spot = replace(one.spot, starts_at=one.spot.starts_at + shift, ends_at=one.spot.ends_at + shift)
    is_over = one.spot.ends_at < starts_at(OVER)
    is_on = one.spot.ends_at == starts_at(OVER)
    state: State = "completed" if is_over else "in_progress" if is_on else "scheduled"
    return replace(one, spot=spot, state=state, stop_id=STOP, mission_id=MISSION)
