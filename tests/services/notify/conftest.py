"""A stage for notify's tests: its own database and Redis, and a registration that knows people."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from anyio.from_thread import BlockingPortal
from redis.asyncio import Redis

from services.notify.api import (
    bounces,
    calendars,
    day_plans,
    deliveries,
    feed,
    messages,
    people,
    webhooks,
)
from services.notify.api import live as live_api
from services.notify.api import reaching as reaching_api
from services.notify.api import templates as templates_api
from services.notify.audience import Listener
from services.notify.channels.hygiene import Hygiene, Throttle
from services.notify.commands import keeping
from services.notify.commands.feeding import Bell
from services.notify.commands.following import begin
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.webhooks import Hooks
from services.notify.domain.live import Entry
from services.notify.hub import Hub
from services.notify.pages import (
    announcements,
    day,
    delivery_log,
    mailbox,
    reaching,
    rules,
    screen,
    templates,
    wishes,
)
from services.notify.pages import day_plans as day_plan_pages
from services.notify.pages import webhooks as webhook_pages
from services.notify.resources import Resources
from services.notify.store import facts, meetings
from services.notify.store.live import Live
from shared.access import Principal, Role, Tokens
from shared.addresses import Allowed
from shared.contacts import Contact, Contacts
from shared.events import matching as m
from shared.events.base import Bilingual
from shared.events.registration import MissionAnnounced, ProgrammeItemPlanned, StopPlanned
from shared.outward import Outward
from shared.postgres import Database
from shared.process import cancelling
from shared.redis import blocking_client, command_client
from shared.sealing import Seal
from shared.service import Service
from tests.emptying import Emptying, emptying, made
from tests.pooling import Pools
from tests.serving import lent

MIGRATIONS = Path(__file__).parents[3] / "services" / "notify" / "migrations"
NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)
KEY = "a secret of tests that is long enough"

EVENTS: dict[str, type[m.MeetingEvent]] = {
    "scheduled": m.MeetingScheduled,
    "called": m.MeetingCalled,
    "in_progress": m.MeetingStarted,
    "completed": m.MeetingFinished,
    "no_show": m.MeetingMissed,
    "cancelled": m.MeetingCancelled,
}


@dataclass
class World:
    """A mission with two stops, and the people and meetings a test makes up."""

    mission: UUID = field(default_factory=uuid4)
    stop: UUID = field(default_factory=uuid4)
    other_stop: UUID = field(default_factory=uuid4)
    item: UUID = field(default_factory=uuid4)
    delegate: UUID = field(default_factory=uuid4)
    local: UUID = field(default_factory=uuid4)
    interpreter: UUID = field(default_factory=uuid4)

    def meeting(self, state: str = "scheduled", revision: int = 1, **facts: Any) -> m.MeetingEvent:
        """Make a meeting's event; what is not said is as in every other."""
        number = facts.pop("number", 0)
        starts_at = NOW + timedelta(minutes=30 + 30 * number)
        kind = facts.pop("kind", EVENTS[state])
        return kind(
            **{
                "meeting_id": uuid4(),
                "stop_id": self.stop,
                "mission_id": self.mission,
                "revision": revision,
                "state": state,
                "starts_at": starts_at,
                "ends_at": starts_at + timedelta(minutes=25),
                "point": f"T{number + 1}",
                "parties": self.parties(),
                "schedule_number": 1,
                "occurred_at": NOW,
                **facts,
            }
        )

    def parties(
        self, delegate: UUID | None = None, local: UUID | None = None
    ) -> tuple[m.Party, ...]:
        return (
            m.Party(
                participant_id=delegate or self.delegate,
                side="delegation",
                organization="Synthetic Hydrogen Ltd",
            ),
            m.Party(
                participant_id=local or self.local,
                side="local",
                organization="Sample Wind Co., Ltd.",
                native_organization="样例风电有限公司",
            ),
        )

    def then(self, event: m.MeetingEvent, state: str, **facts: Any) -> m.MeetingEvent:
        """Make the next event of the same meeting."""
        kind = facts.pop("kind", EVENTS[state])
        return kind(**event.model_dump() | {"revision": event.revision + 1, "state": state} | facts)

    def stop_planned(self, stop_id: UUID | None = None) -> StopPlanned:
        return StopPlanned(
            stop_id=stop_id or self.stop,
            mission_id=self.mission,
            slug="shanghai",
            city=Bilingual(en="Shanghai", zh="上海"),
            title=Bilingual(en="Synthetic matchmaking day", zh="样例对接日"),
            venue=Bilingual(en="Example Hall", zh="示例展馆"),
            timezone="Asia/Shanghai",
            on=date(2023, 4, 12),
        )

    def mission_announced(self, *, is_rehearsal: bool = False) -> MissionAnnounced:
        return MissionAnnounced(
            mission_id=self.mission,
            slug="synthetic",
            title=Bilingual(en="Synthetic Mission", zh="样例代表团"),
            starts_on=date(2023, 4, 10),
            ends_on=date(2023, 4, 20),
            is_rehearsal=is_rehearsal,
        )

    def item_planned(self) -> ProgrammeItemPlanned:
        return ProgrammeItemPlanned(
            programme_item_id=self.item,
            stop_id=self.stop,
            mission_id=self.mission,
            kind="matchmaking",
            title=Bilingual(en="Matchmaking", zh="洽谈会"),
            starts_at=NOW,
            ends_at=NOW + timedelta(hours=8),
        )


@dataclass
class Registration:
    """Registration as notify sees it: its internal API, which may be away."""

    people: dict[UUID, Contact] = field(default_factory=dict)
    is_away: bool = False

    def know(self, person_id: UUID, email: str, **facts: Any) -> None:
        self.people[person_id] = Contact.model_validate(
            {
                "person_id": person_id,
                "name": "Sample Person",
                "email": email,
                "language": "en",
                "role": "delegate",
                "sign_in_path": "/sign-in?token=abc",
                **facts,
            }
        )

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_away:
            raise httpx2.ConnectError("Connection refused")
        asked = [UUID(text) for text in request.url.params["ids"].split(",")]
        known = [self.people[i].model_dump(mode="json") for i in asked if i in self.people]
        return httpx2.Response(200, json={"items": known})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def notify_database(postgres_url: str, portal: BlockingPortal, pools: Pools) -> Iterator[str]:
    """A migrated database of notify, made once."""
    with made(portal, postgres_url, MIGRATIONS, pools) as url:
        yield url


async def ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def empty_notify(portal: BlockingPortal, notify_database: str) -> Iterator[Emptying]:
    """A function that empties that database."""
    tables = portal.call(
        ask,
        notify_database,
        "SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'public' "
        "AND tablename NOT IN ('migration', 'outbox_head', 'feed_head', 'audit_entry')",
    )
    deletes = "; ".join(f"DELETE FROM {table}" for table in tables)  # noqa: S608  # our own tables
    statements = f"SELECT end_audit_before('infinity'); {deletes}"
    with emptying(portal, notify_database, statements) as empty:
        yield empty


@pytest.fixture
async def database(notify_database: str, empty_notify: Emptying) -> AsyncIterator[Database]:
    """Notify's database, empty."""
    empty_notify()
    async with Database.connect(notify_database, size=4) as database:
        yield database


@pytest.fixture
async def planned(database: Database, world: World) -> World:
    """The world, with its mission, stops and programme item known to notify."""
    async with database.transaction() as connection:
        await facts.put_mission(connection, world.mission_announced(), 1)
        await facts.put_stop(connection, world.stop_planned(), 1)
        await facts.put_stop(connection, world.stop_planned(world.other_stop), 1)
        await facts.put_item(connection, world.item_planned(), 1)
    return world


@pytest.fixture
async def redis(redis_db: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    async with command_client(redis_db) as client:
        yield client


@pytest.fixture
def live(redis: Redis) -> Live:
    return Live(redis)


@pytest.fixture
async def hub(redis_db: str, redis: Redis) -> AsyncIterator[Hub]:
    """A hub that reads."""
    async with blocking_client(redis_db) as reader:
        hub = Hub(reader, redis, uuid4().hex)
        async with cancelling(hub.run()):
            yield hub
        hub.end()


Keep = Callable[..., Awaitable[None]]


@pytest.fixture
def keep(database: Database, live: Live) -> Keep:
    """A function that takes events in as the live consumer does."""

    async def keep(*events: m.MeetingEvent) -> None:
        for event in events:
            async with database.transaction() as connection:
                await keeping.apply(connection, live, [event])

    return keep


@pytest.fixture
def stored(database: Database) -> Keep:
    """A function that writes meetings to PostgreSQL alone."""

    async def store(*events: m.MeetingEvent) -> None:
        for event in events:
            async with database.transaction() as connection:
                await meetings.put(connection, [Entry.of(event)])

    return store


@pytest.fixture
def registration() -> Registration:
    return Registration()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(KEY)


@pytest.fixture
async def contacts(registration: Registration, tokens: Tokens) -> AsyncIterator[Contacts]:
    transport = httpx2.MockTransport(registration.answer)
    async with httpx2.AsyncClient(base_url="http://registration", transport=transport) as client:
        yield Contacts(client, tokens)


@pytest.fixture
async def hooks(database: Database, tokens: Tokens) -> AsyncIterator[Hooks]:
    """What webhooks need; this machine may be called."""
    async with Outward.open(Allowed.read("127.0.0.1")) as outward:
        yield Hooks(Bell(database), outward, Seal(tokens, "webhooks"))


@pytest.fixture
def resources(
    database: Database, live: Live, hub: Hub, contacts: Contacts, hooks: Hooks
) -> Resources:
    head = Letterhead(
        "Tradewind <no-reply@example.org>", "https://mission.example.org/", b"only for tests"
    )
    hygiene = Hygiene(database, partial(Tokens(KEY).digest, "mail address"), Throttle(0))
    return Resources(
        database,
        live,
        hub,
        contacts,
        has_mailbox=True,
        letterhead=head,
        hygiene=hygiene,
        hooks=hooks,
    )


@dataclass
class Browser:
    """Asks the application as somebody."""

    client: httpx2.AsyncClient
    tokens: Tokens

    async def get(self, path: str, who: Principal | None, language: str = "en") -> httpx2.Response:
        headers = {"Accept": "text/html", "Accept-Language": language}
        if who:
            token = self.tokens.sign(who, "session", datetime.now(UTC))
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.get(path, headers=headers)

    async def send(self, method: str, path: str, who: Principal, **content: Any) -> httpx2.Response:
        """Send a form (`data`) or a body (`json`), perhaps with more `headers`."""
        token = self.tokens.sign(who, "session", datetime.now(UTC))
        headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
        headers |= content.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **content)


@pytest.fixture
def browse(tokens: Tokens) -> Any:
    """A function that opens a browser on an application with these resources."""
    routers = [
        live_api.router,
        calendars.router,
        day_plans.router,
        day_plan_pages.router,
        deliveries.router,
        messages.router,
        bounces.router,
        templates_api.router,
        reaching_api.router,
        templates.router,
        reaching.router,
        rules.router,
        delivery_log.router,
        announcements.router,
        wishes.router,
        webhook_pages.router,
        people.router,
        feed.router,
        webhooks.router,
        day.router,
        screen.router,
        mailbox.router,
    ]

    @asynccontextmanager
    async def browse(resources: Resources) -> AsyncIterator[Browser]:
        service = Service(name="notify", routers=routers, loops={}, resources=resources)
        with lent(service, tokens) as app:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(base_url="http://notify", transport=transport) as client:
                yield Browser(client, tokens)

    return browse


@pytest.fixture
async def browser(browse: Any, resources: Resources) -> AsyncIterator[Browser]:
    async with browse(resources) as browser:
        yield browser


@pytest.fixture
def person(world: World) -> Callable[..., Principal]:
    """A function that makes somebody of the world's mission."""

    def person(role: Role, subject: UUID | None = None, *stops: UUID) -> Principal:
        return Principal(role, subject or uuid4(), world.mission, stops)

    return person


@dataclass
class Stream:
    """The other end of an open stream: gives what came as whole events, as browsers take it."""

    listener: Listener
    end: socket.socket
    cut: bytes = b""

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> bytes:
        whole = b""
        while not whole:
            part = await asyncio.get_running_loop().sock_recv(self.end, 1 << 20)
            if not part:
                raise StopAsyncIteration
            whole, found, self.cut = (self.cut + part).rpartition(b"\n\n")
            whole += found
        return whole

    async def aclose(self) -> None:
        self.end.close()


@pytest.fixture
async def follow(resources: Resources) -> AsyncIterator[Callable[..., Awaitable[Stream]]]:
    """A function that opens a stream; all are closed at the end."""
    opened = []

    async def follow(
        stop_id: UUID,
        person_id: UUID | None = None,
        seen: str | None = None,
        by: UUID | None = None,
    ) -> Stream:
        sources = (resources.database, resources.live, resources.hub)
        beginning = await begin(sources, stop_id, person_id, seen, by=by)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        opened.append(Stream(beginning.listen(theirs.detach()), ours))
        return opened[-1]

    yield follow
    for stream in opened:
        await stream.aclose()


@dataclass(frozen=True)
class Frame:
    """One event of a stream, as a browser reads it."""

    event: str
    id: str
    data: Any


@pytest.fixture
def read() -> Callable[[bytes], list[Frame]]:
    """A function that reads the events in some bytes of a stream."""

    def read(text: bytes) -> list[Frame]:
        frames = []
        for block in text.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "id" in fields:
                frames.append(Frame(fields["event"], fields["id"], json.loads(fields["data"])))
        return frames

    return read


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
