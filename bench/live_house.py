"""Matching and notify as processes over Kafka and Valkey, as they are deployed."""

import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from bench.house import SECRET, database, running
from services import matching, notify
from services.embedded.servers.child import free_port
from services.embedded.servers.kafka import kafka
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import valkey
from services.notify.store import facts
from shared.access import Principal, Tokens
from shared.events.base import Bilingual
from shared.events.registration import MissionAnnounced, StopPlanned
from shared.postgres import Database, migrate

ROOT = Path(__file__).parents[1]
JARS = ROOT / ".cache" / "kafka"
NAMES = Bilingual(en="Benchmark", zh="基准测试")
NOW = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class LiveHouse:
    """What runs, and the stop, the meeting and its revision that the benchmark uses."""

    notify_url: str
    matching_url: str
    redis_url: str
    kafka_url: str
    ports: Mapping[str, int]
    pids: Mapping[str, int]
    mission: UUID
    stop: UUID
    meeting: UUID

    def token(self) -> str:
        """Sign a session of mission staff."""
        return Tokens(SECRET).sign(Principal("mission_staff", uuid4()), "session", _now())

    def stream(self) -> str:
        """Write the request for the stream of all that changes at the stop."""
        path = f"/api/v1/live/stops/{self.stop}"
        return f"GET {path} HTTP/1.1\nHost: x\nAuthorization: Bearer {self.token()}\n\n"

    def delay(self, revision: int, minutes: int) -> bytes:
        """Write the request by which the meeting is delayed."""
        body = f'{{"minutes":{minutes}}}'
        return (
            f"POST /api/v1/meetings/{self.meeting}/delay HTTP/1.1\r\nHost: x\r\n"
            f'Authorization: Bearer {self.token()}\r\nIf-Match: "{revision}"\r\n'
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


@asynccontextmanager
async def live_house(folder: Path) -> AsyncIterator[LiveHouse]:
    """Start all of it, and stop it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres(folder / "postgres"))
        redis = await stack.enter_async_context(valkey(folder / "valkey"))
        broker = await stack.enter_async_context(kafka(folder / "kafka", jars=JARS))
        urls = {name: await database(server.url, name) for name in ("matching", "notify")}
        mission, stop, meeting = uuid4(), uuid4(), uuid4()
        for name, url in urls.items():
            package = Path((matching if name == "matching" else notify).__file__ or "").parent
            await migrate(url, [package / "migrations"])
        await _tell_notify(urls["notify"], mission, stop)
        await _plan(urls["matching"], mission, stop, meeting)
        ports, pids = {}, {}
        for name, url in urls.items():
            ports[name] = free_port()
            environment = _environment(url, ports[name], broker.url, redis.url)
            command = [sys.executable, "-m", f"services.{name}"]
            served = running(command, ports[name], environment)
            pids[name] = await stack.enter_async_context(served)
        yield LiveHouse(
            urls["notify"],
            urls["matching"],
            redis.url,
            broker.url,
            ports,
            pids,
            *(mission, stop, meeting),
        )


def _environment(url: str, port: int, broker: str, redis: str) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "TRADEWIND_MODE": "development",
        "TRADEWIND_PORT": str(port),
        "TRADEWIND_DATABASE_URL": url,
        "TRADEWIND_LOG_URL": f"kafka://{broker}",
        "TRADEWIND_SECRET_KEY": SECRET,
        "TRADEWIND_LOG_LEVEL": "error",
        "TRADEWIND_REDIS_URL": redis,
    }


async def _tell_notify(url: str, mission: UUID, stop: UUID) -> None:
    """Write what notify would have heard of the stop."""
    announced = MissionAnnounced(
        mission_id=mission,
        slug="bench",
        title=NAMES,
        starts_on=date(2030, 11, 6),
        ends_on=date(2030, 11, 11),
        is_rehearsal=False,
    )
    planned = StopPlanned(
        stop_id=stop,
        mission_id=mission,
        slug="stop",
        city=NAMES,
        title=NAMES,
        venue=NAMES,
        timezone="Asia/Shanghai",
        on=NOW.date(),
    )
    async with Database.connect(url) as held, held.transaction() as connection:
        await facts.put_mission(connection, announced, 1)
        await facts.put_stop(connection, planned, 1)


async def _plan(url: str, mission: UUID, stop: UUID, meeting: UUID) -> None:
    """Write what matching would have heard and made: one meeting of two people."""
    item, session, point, names = uuid4(), uuid4(), uuid4(), NAMES.model_dump()
    people = uuid4(), uuid4()
    ends_at = NOW + timedelta(minutes=25)
    async with Database.connect(url) as held, held.transaction() as connection:
        statements: Sequence[tuple[str, *tuple[Any, ...]]] = (
            (
                "INSERT INTO mission (id, title, sectors, version) VALUES ($1, $2, '{}', 1)",
                *(mission, names),
            ),
            (
                "INSERT INTO stop (id, mission_id, slug, city, title, timezone, held_on, version) "
                "VALUES ($1, $2, 'stop', $3, $3, 'Asia/Shanghai', $4, 1)",
                *(stop, mission, names, NOW.date()),
            ),
            (
                "INSERT INTO programme_item VALUES ($1, $2, $3, 'matchmaking', $4, $5, 1)",
                *(item, stop, mission, NOW, ends_at),
            ),
            (
                "INSERT INTO meeting_session VALUES ($1, $2, $3, 'day', $4, 25, 1, '[]')",
                *(session, stop, item, NOW),
            ),
            (
                "INSERT INTO meeting_point (id, stop_id, label, kind) "
                "VALUES ($1, $2, 'T1', 'table')",
                *(point, stop),
            ),
            *(
                (
                    "INSERT INTO participant (id, mission_id, side, organization_id, organization,"
                    " sectors, languages, listings, version) "
                    "VALUES ($1, $2, $3, $4, 'Benchmark Co.', '{}', '{en}', '[]', 1)",
                    *(person, mission, side, uuid4()),
                )
                for person, side in zip(people, ("delegation", "local"), strict=True)
            ),
            (
                "INSERT INTO meeting (id, stop_id, mission_id, session_id, delegate_id, local_id, "
                "point_id, interpreter_needed, starts_at, ends_at, state, revision, "
                "schedule_number) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, false, $8, $9, 'scheduled', 1, 1)",
                *(meeting, stop, mission, session, *people, point, NOW, ends_at),
            ),
        )
        for statement, *given in statements:
            await connection.execute(statement, *given)


def _now() -> datetime:
    return datetime.now(UTC)
