"""A registration service on a database of its own, with one mission to register for."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from anyio.from_thread import BlockingPortal

from services.registration.__main__ import opened
from services.registration.commands.registering import Rush
from services.registration.resources import Resources
from services.registration.settings import RegistrationSettings
from shared.access import Principal, Role, Tokens
from shared.http import SESSION_COOKIE
from shared.log.postgres import PostgresLog
from shared.postgres import Database
from tests.emptying import Emptying, emptying, made
from tests.pooling import Pools
from tests.serving import lent

MIGRATIONS = Path(__file__).parents[3] / "services" / "registration" / "migrations"
ORIGIN = "http://testserver"
# In order of reference. For so few rows this is much quicker than TRUNCATE.
TABLES = (
    "connector_link connector "
    "hosted_row import_row import_list import_map bulk_row bulk_job "
    "letter score review application_step application certification criterion call "
    "border_export retention_run privacy_setting consent_text erased_person "
    "organization_distinct organization_move organization_merge "
    "file_chunk file question_version question "
    "scan badge consent registration allotment person listing organization programme_item "
    "partner_role stop api_key partner_logo partner_organization mission outbox idempotency"
)
EMPTY = "; ".join(f"DELETE FROM {table}" for table in TABLES.split())  # noqa: S608
EMPTY += "; SELECT end_audit_before('infinity')"
WAITING = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
NOBODY = UUID(int=0)
BOSS = Principal("mission_staff", uuid4())
MISSION: dict[str, Any] = {
    "slug": "sample",
    "title": {"en": "Sample Mission", "zh": "示例代表团"},
    "summary": {"en": "Sample companies meet.", "zh": "示例企业对接。"},
    "starts_on": "2023-11-06",
    "ends_on": "2023-11-11",
    "home_country": "US",
    "host_country": "CN",
    "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
}
STOP: dict[str, Any] = {
    "slug": "guangzhou",
    "city": {"en": "Guangzhou", "zh": "广州"},
    "title": {"en": "Matchmaking Conference", "zh": "产业对接会"},
    "timezone": "Asia/Shanghai",
    "date": "2023-11-07",
}
ITEM: dict[str, Any] = {
    "slug": "talks",
    "kind": "matchmaking",
    "title": {"en": "Morning talks", "zh": "上午洽谈"},
    "starts_at": "2023-11-07T02:15:00Z",
    "ends_at": "2023-11-07T04:45:00Z",
    "capacity": 2,
}
DINNER: dict[str, Any] = ITEM | {
    "slug": "dinner",
    "kind": "reception",
    "title": {"en": "Evening reception", "zh": "欢迎酒会"},
    "starts_at": "2023-11-07T10:00:00Z",
    "ends_at": "2023-11-07T12:30:00Z",
    "requires_approval": True,
}


@dataclass
class House:
    """The service, a mission with a stop, a partner, and two items with two places each."""

    client: httpx2.AsyncClient
    database: Database
    rush: Rush
    tokens: Tokens
    boss: Principal = BOSS
    mission: UUID = NOBODY
    stop: UUID = NOBODY
    partner: UUID = NOBODY
    items: dict[str, UUID] = field(default_factory=dict)

    def someone(self, role: Role, **facts: Any) -> Principal:
        """Make somebody who works at this mission's stop; `facts` change that."""
        somebody = Principal(role, uuid4(), self.mission, (self.stop,))
        return replace(somebody, **facts)

    def headers(self, who: Principal | None) -> dict[str, str]:
        """Sign somebody in as a program does."""
        if who is None:
            return {}
        return {"Authorization": f"Bearer {self.tokens.sign(who, 'session', datetime.now(UTC))}"}

    def browser(self, who: Principal | None) -> dict[str, str]:
        """Sign somebody in as a browser does that shows one of our pages."""
        headers = {"Origin": ORIGIN, "Accept": "text/html", "Accept-Language": "en"}
        if who is None:
            return headers
        token = self.tokens.sign(who, "session", datetime.now(UTC))
        return headers | {"Cookie": f"{SESSION_COOKIE}={token}"}

    async def page(
        self, path: str, who: Principal | None = None, *, lang: str = "en", status: int = 200
    ) -> str:
        """Give what a page says to somebody."""
        headers = self.browser(who) | {"Accept-Language": lang}
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(
        self,
        path: str,
        form: dict[str, Any] | None = None,
        who: Principal | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """Send a form as a browser does."""
        return await self.client.post(path, data=form, headers=self.browser(who) | headers)

    async def get(self, path: str, who: Principal | None = None) -> httpx2.Response:
        """Ask the API."""
        return await self.client.get(path, headers=self.headers(who))

    async def post(
        self, path: str, body: object = None, who: Principal | None = None, *, key: str = ""
    ) -> httpx2.Response:
        """Send to the API."""
        headers = self.headers(who) | ({"Idempotency-Key": key} if key else {})
        return await self.client.post(path, json=body, headers=headers)

    async def made(self, path: str, body: object) -> UUID:
        """Plan something and give its id."""
        answer = await self.post(f"/api/v1{path}", body, self.boss)
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    def sign_up(self, name: str, **changes: Any) -> dict[str, Any]:
        """Make the body of a registration; what `changes` gives for a part is merged into it."""
        body: dict[str, Any] = {
            "side": "local",
            "consent": True,
            "organization": {
                "name": f"Sample {name} Co.",
                "country": "CN",
                "sectors": ["batteries"],
            },
            "person": {
                "full_name": f"Sample {name}",
                "email": f"{name}@example.com",
                "language": "zh",
                "languages": ["zh"],
            },
        }
        for part, change in changes.items():
            body[part] = body[part] | change if isinstance(body.get(part), dict) else change
        return body

    async def register(
        self,
        name: str,
        item: str = "talks",
        *,
        who: Principal | None = None,
        key: str = "",
        **changes: Any,
    ) -> httpx2.Response:
        """Register somebody by the API."""
        path = f"/api/v1/programme-items/{self.items[item]}/registrations"
        return await self.post(path, self.sign_up(name, **changes), who, key=key or uuid4().hex)

    async def registered(self, name: str, item: str = "talks", **changes: Any) -> dict[str, Any]:
        """Register somebody who is not known yet and give the answer."""
        answer = await self.register(name, item, **changes)
        assert answer.status_code == 201, answer.text
        content: dict[str, Any] = answer.json()
        return content

    async def decide(self, registration_id: str, decision: str) -> dict[str, Any]:
        """Decide about a registration as mission staff."""
        answer = await self.post(
            f"/api/v1/registrations/{registration_id}/{decision}", None, self.boss
        )
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    @asynccontextmanager
    async def crossing(self, count: int, item: str = "talks") -> AsyncIterator[None]:
        """Hold an item until `count` requests of the block wait, so that they truly meet."""
        async with self.database.transaction() as connection:
            await connection.execute(
                "SELECT FROM programme_item WHERE id = $1 FOR UPDATE", self.items[item]
            )
            yield
            async with asyncio.timeout(60):
                while await self._waiting() < count:
                    await asyncio.sleep(0.02)

    async def _waiting(self) -> int:
        """Count who waits for the item; a batch of registrations is one at the lock."""
        # By another connection: inside a transaction these numbers stand still.
        at_the_lock = len(await self.rows(WAITING))
        return at_the_lock and at_the_lock + max(self.rush.queue.waiting - 1, 0)

    async def meeting(self, *requests: Coroutine[Any, Any, httpx2.Response]) -> list[int]:
        """Send requests that meet at an item, and give the statuses of their answers in order."""
        async with self.crossing(len(requests)):
            tasks = [asyncio.create_task(request) for request in requests]
        return sorted(answer.status_code for answer in await asyncio.gather(*tasks))

    def person(self, registration: dict[str, Any], role: Role = "local") -> Principal:
        """Give who registered, as a session names that person."""
        return self.someone(role, subject=UUID(registration["participant_id"]))

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database."""
        async with self.database.reading() as connection:
            return await connection.fetch(query, *arguments)

    async def statuses(self, item: str = "talks") -> dict[str, str]:
        """Give each person's state at an item, in order of rank."""
        rows = await self.rows(
            "SELECT split_part(person.email, '@', 1) AS name, status FROM registration AS r "
            "JOIN person ON person.id = r.person_id WHERE programme_item_id = $1 ORDER BY rank",
            self.items[item],
        )
        return {row["name"]: row["status"] for row in rows}

    async def places(self, item: str = "talks") -> tuple[int, int]:
        """Give how many places are taken and how many people wait, as the item counts them."""
        (row,) = await self.rows(
            "SELECT taken, waiting FROM programme_item WHERE id = $1", self.items[item]
        )
        return row["taken"], row["waiting"]

    async def told(self, key: object = None) -> list[str]:
        """List the types of the events in the outbox, of one key or of all."""
        rows = await self.rows(
            "SELECT type FROM outbox WHERE $1::uuid IS NULL OR key = $1 ORDER BY id",
            UUID(str(key)) if key else None,
        )
        return [row["type"].removeprefix("registration.").removesuffix(".v1") for row in rows]


@pytest.fixture(scope="session")
def registration_url(portal: BlockingPortal, postgres_url: str, pools: Pools) -> Iterator[str]:
    """The address of a database with registration's tables."""
    with made(portal, postgres_url, MIGRATIONS, pools) as url:
        yield url


@pytest.fixture(scope="session")
def empty_registration(portal: BlockingPortal, registration_url: str) -> Iterator[Emptying]:
    """A function that empties that database."""
    with emptying(portal, registration_url, EMPTY) as empty:
        yield empty


@pytest.fixture
async def bare(registration_url: str, empty_registration: Emptying) -> AsyncIterator[House]:
    """The service with an empty database."""
    empty_registration()
    settings = RegistrationSettings.model_validate(
        {
            "database_url": registration_url,
            "log_url": "postgresql:",
            "secret_key": secrets.token_hex(32),
            "outward_allowed": "127.0.0.1",
        }
    )
    async with opened(settings, PostgresLog({})) as service:
        assert isinstance(service.resources, Resources)
        tokens = service.resources.tokens
        with lent(service, tokens) as app:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                held = service.resources
                yield House(client, held.database, held.rush, tokens)


@pytest.fixture
async def house(bare: House) -> House:
    """The service with one mission."""
    bare.mission = await bare.made("/missions", MISSION)
    bare.partner = await bare.made(
        f"/missions/{bare.mission}/partners",
        {"name": {"en": "Sample Bureau", "zh": "示例商务局"}, "kind": "government"},
    )
    roles = [{"partner_id": str(bare.partner), "role": "lead"}]
    bare.stop = await bare.made(f"/missions/{bare.mission}/stops", STOP | {"roles": roles})
    for item in (ITEM, DINNER):
        path = f"/stops/{bare.stop}/programme-items"
        bare.items[item["slug"]] = await bare.made(path, item)
    return bare


@dataclass
class Lines:
    """The bodies that plan things, to be changed by a test."""

    mission: dict[str, Any]
    stop: dict[str, Any]
    item: dict[str, Any]


@pytest.fixture
def lines() -> Lines:
    """Bodies that plan a second mission, stop and item."""
    return Lines(MISSION | {"slug": "second"}, STOP | {"slug": "nanjing"}, ITEM | {"slug": "more"})


@pytest.fixture
async def crowd(house: House) -> dict[str, dict[str, Any]]:
    """Four people at an item with two places, in order: two have one, two wait."""
    return {name: await house.registered(name) for name in ("ana", "bo", "chen", "dai")}
