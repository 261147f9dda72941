"""A matching service on a database of its own, and a small stop that it learned of by events."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from anyio.from_thread import BlockingPortal

from services.matching.__main__ import opened
from services.matching.commands import publishing
from services.matching.consumer import consumer
from services.matching.domain.problem import Progress, Solution
from services.matching.domain.reports import Found, Report
from services.matching.domain.versions import Entry
from services.matching.resources import Resources
from services.matching.settings import MatchingSettings
from services.matching.store import schedules
from shared.access import Principal, Role, Tokens
from shared.contacts import Contact, Contacts
from shared.events import registration as r
from shared.events.base import Bilingual, Event
from shared.log.postgres import PostgresLog
from shared.log.records import Envelope, Record
from shared.postgres import Database
from tests.emptying import Emptying, emptying, made
from tests.lines import Line
from tests.pooling import Pools
from tests.serving import lent

MIGRATIONS = Path(__file__).parents[3] / "services" / "matching" / "migrations"
ORIGIN = "http://testserver"
# In order of reference. For so few rows this is much quicker than TRUNCATE.
TABLES = (
    "booking absence availability precedence way interpreters_rest repair repair_rule "
    "outcome_statement outcome meeting_report meeting withheld erased_person "
    "schedule_edit schedule session_point meeting_point meeting_session "
    "preference company_preference quota personal_quota exclusion veto meeting_request "
    "participation participant interpreter programme_item stop mission "
    "outbox inbox dead_letter idempotency audit_entry"
)
EMPTY = "; ".join(f"DELETE FROM {table}" for table in TABLES.split())  # noqa: S608
# What was said of outcomes, and what staff did, is only added to, but for this.
EMPTY = f"SET tradewind.ledger_ends = 'yes'; SET tradewind.audit_ends = 'yes'; {EMPTY}"
START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
NOW = datetime(2023, 11, 7, 1, 0, tzinfo=UTC)
SLOT = timedelta(minutes=25)
SECTORS = {
    "batteries": Bilingual(en="Batteries", zh="电池"),
    "hydrogen": Bilingual(en="Hydrogen", zh="氢能"),
}
PEOPLE: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "dora": ("delegation", "offer", "batteries", ("en",)),
    "dave": ("delegation", "offer", "hydrogen", ("en", "zh")),
    "lin": ("local", "need", "batteries", ("zh",)),
    "luo": ("local", "need", "hydrogen", ("zh", "en")),
    "liu": ("local", "need", "batteries", ("zh",)),
}
"""Side, kind and sector of what is listed, and languages."""


@dataclass
class House:
    """The service, and what it knows of one stop."""

    client: httpx2.AsyncClient
    database: Database
    tokens: Tokens
    resources: Resources
    mission: UUID = field(default_factory=uuid4)
    stop: UUID = field(default_factory=uuid4)
    item: UUID = field(default_factory=uuid4)
    partner: UUID = field(default_factory=uuid4)
    session: UUID = field(default_factory=uuid4)
    points: dict[str, UUID] = field(default_factory=dict)
    people: dict[str, UUID] = field(default_factory=dict)
    helpers: dict[str, UUID] = field(default_factory=dict)
    made: int = 0
    """How many versions were put in."""

    @property
    def boss(self) -> Principal:
        return self.someone("mission_staff")

    def someone(self, role: Role, **facts: Any) -> Principal:
        """Make somebody who works at this mission's stop; `facts` change that."""
        somebody = Principal(role, uuid4(), self.mission, (self.stop,))
        return replace(somebody, **facts)

    def person(self, name: str) -> Principal:
        """Give a participant as a session names that person."""
        role: Role = "delegate" if PEOPLE[name][0] == "delegation" else "local"
        return self.someone(role, subject=self.people[name])

    async def ask(
        self,
        method: str,
        path: str,
        who: Principal | None = None,
        *,
        body: object = None,
        **headers: str,
    ) -> httpx2.Response:
        """Call the service as somebody, or as mission staff."""
        token = self.tokens.sign(who or self.boss, "session", datetime.now(UTC))
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, json=body, headers=headers)

    async def get(self, path: str, who: Principal | None = None) -> Any:
        """Ask the API for what must be there."""
        answer = await self.ask("GET", f"/api/v1{path}", who)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rule(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Set a quota or a rule of the stop on its present revision."""
        quotas = await self.get(f"/quotas?stop_id={self.stop}")
        rules = await self.get(f"/scheduling-rules?stop_id={self.stop}")
        present = rules["revisions"] | {
            str(one[name]): one["revision"]
            for name, those in (
                ("side", quotas["sides"]),
                ("participant_id", quotas["people"]),
                ("person_id", rules["availabilities"]),
            )
            for one in those
        }
        whose = {"side", "participant_id", "person_id"} & {*body}
        about = str(body[whose.pop()]) if whose else path.rpartition("/")[2]
        seen = f'"{present.get(about, 0)}"'
        return await self.ask("PUT", f"/api/v1{path}", body=body, If_Match=seen)

    async def order(
        self, meeting: UUID, command: str, revision: object, body: object = None
    ) -> httpx2.Response:
        """Give a command of the day, decided on a revision."""
        return await self.ask(
            "POST", f"/api/v1/meetings/{meeting}/{command}", body=body, If_Match=f'"{revision}"'
        )

    async def hear(self, *events: tuple[Event, int]) -> None:
        """Take events in, each with its sequence, as the service's consumer does."""
        await self.hear_records(*(record(event, sequence) for event, sequence in events))

    async def hear_records(self, *records: Record) -> None:
        await consumer(self.database).step(Line(records))
        parked = await self.rows("SELECT reason FROM dead_letter")
        assert not parked, parked

    def confirmed(self, name: str, **facts: Any) -> r.ParticipantConfirmed:
        """Make the event that gives somebody a place."""
        side, kind, sector, languages = PEOPLE[name]
        listing = r.Listing(
            kind=kind,  # type: ignore[arg-type]  # these are kinds
            sector=sector,
            text=Bilingual(en=f"sample {sector} cells", zh=f"示例{sector}电芯"),
        )
        given = {
            **self.about(name),
            "side": side,
            "organization": r.OrganizationFacts(
                organization_id=uuid4(),
                name=f"Sample {name.title()} Co.",
                native_name=f"示例{name}公司",
                country="US" if side == "delegation" else "CN",
                sectors=(sector,),
            ),
            "languages": languages,
            "listings": (listing,),
            **facts,
        }
        return r.ParticipantConfirmed(**given)

    def about(self, name: str) -> dict[str, Any]:
        """Give what every event about somebody's place says."""
        return {
            "participant_id": self.people.setdefault(name, uuid4()),
            "registration_id": uuid4(),
            "mission_id": self.mission,
            "stop_id": self.stop,
            "programme_item_id": self.item,
            "item_kind": "matchmaking",
            "side": PEOPLE[name][0],
        }

    def stop_planned(self) -> r.StopPlanned:
        return r.StopPlanned(
            stop_id=self.stop,
            mission_id=self.mission,
            slug="guangzhou",
            city=Bilingual(en="Guangzhou", zh="广州"),
            title=Bilingual(en="Sample matchmaking", zh="示例对接会"),
            timezone="Asia/Shanghai",
            on=date(2023, 11, 7),
        )

    def item_planned(self, kind: str = "matchmaking", **facts: Any) -> r.ProgrammeItemPlanned:
        given = {
            "programme_item_id": self.item,
            "stop_id": self.stop,
            "mission_id": self.mission,
            "kind": kind,
            "title": Bilingual(en="Talks", zh="洽谈"),
            "starts_at": START,
            "ends_at": START + 6 * SLOT,
            **facts,
        }
        return r.ProgrammeItemPlanned(**given)

    def interpreter(self, name: str, *languages: str) -> r.StaffEngaged:
        return r.StaffEngaged(
            staff_id=self.helpers.setdefault(name, uuid4()),
            mission_id=self.mission,
            role="interpreter",
            stop_ids=(self.stop,),
            languages=languages,
        )

    async def learn(self) -> None:
        """Hear of the mission, its stop, its people and its interpreters."""
        mission = r.MissionAnnounced(
            mission_id=self.mission,
            slug="sample",
            title=Bilingual(en="Sample Mission", zh="示例代表团"),
            starts_on=date(2023, 11, 6),
            ends_on=date(2023, 11, 11),
            sectors=SECTORS,
        )
        events = [
            mission,
            self.stop_planned(),
            self.item_planned(),
            *(self.confirmed(name) for name in PEOPLE if name != "liu"),
            self.confirmed("liu", partner_id=self.partner),
            self.interpreter("ivy", "en", "zh"),
            self.interpreter("ian", "en", "zh"),
            self.interpreter("jun", "ja", "zh"),
        ]
        await self.hear(*((event, 1) for event in events))

    async def add_session(self, **changes: Any) -> httpx2.Response:
        """Plan a session of four slots, with a break in the middle, and two points."""
        body = {
            "programme_item_id": str(self.item),
            "slug": "morning",
            "starts_at": START.isoformat(),
            "slot_minutes": 25,
            "slots": 4,
            "breaks": [{"after_slot": 2, "minutes": 15}],
            "points": [{"label": "T1", "kind": "table"}, {"label": "T2", "kind": "table"}],
            **changes,
        }
        return await self.ask("POST", "/api/v1/meeting-sessions", body=body)

    def slot(self, number: int) -> datetime:
        """Give when a slot begins, counted from 1."""
        return START + (number - 1) * SLOT + timedelta(minutes=15 if number > 2 else 0)

    def entry(self, pair: str, slot: int, point: str = "T1", helper: str = "") -> Entry:
        """Make a version's entry for `dora lin` and the like."""
        delegate, local = pair.split()
        return Entry(
            session_id=self.session,
            delegate_id=self.people[delegate],
            local_id=self.people[local],
            starts_at=self.slot(slot),
            ends_at=self.slot(slot) + SLOT,
            point_id=self.points[point],
            interpreter_id=self.helpers[helper] if helper else None,
            interpreter_needed=bool(helper),
        )

    async def proposed(self, *entries: Entry) -> UUID:
        """Put a provisional version in, as the solver leaves one."""
        schedule_id = uuid4()
        self.made += 1
        async with self.database.transaction() as connection:
            asked_at = NOW + timedelta(seconds=self.made)
            await schedules.add(connection, schedule_id, self.stop, 1, asked_at)
            # As the solver does when it begins.
            await connection.execute(
                "UPDATE schedule SET interventions = stop.interventions FROM stop "
                "WHERE stop.id = stop_id AND schedule.id = $1",
                schedule_id,
            )
        await self.found(schedule_id, Found.of(entries))
        return schedule_id

    async def found(self, schedule_id: UUID, version: Found) -> None:
        """Let a search have found this, and end."""
        solution = Solution(placed=(), objective=1, bound=1, is_optimal=True)
        progress = Progress(stage="tables", seconds=1, solution=solution)
        async with self.database.transaction() as connection:
            await schedules.note(connection, schedule_id, Report.of(progress, 0, version))
            await schedules.settle(connection, schedule_id, "proved")

    async def published(self, *entries: Entry) -> dict[str, Any]:
        """Put a version in force."""
        return await publishing.publish(self.database, await self.proposed(*entries), lambda: NOW)

    async def day(self) -> None:
        """Publish three meetings: two with an interpreter, one without."""
        await self.published(
            self.entry("dora lin", 1, "T1", "ivy"),
            self.entry("dora liu", 2, "T1", "ivy"),
            self.entry("dave luo", 1, "T2"),
        )

    async def meeting(self, pair: str) -> UUID:
        """Give the id of the meeting of two, the last made."""
        delegate, local = pair.split()
        (row, *_) = await self.rows(
            "SELECT id FROM meeting WHERE delegate_id = $1 AND local_id = $2 "
            "ORDER BY state = 'cancelled'",
            self.people[delegate],
            self.people[local],
        )
        return row["id"]

    async def states(self) -> dict[str, str]:
        """Give the state of each pair's meeting."""
        names = {person: name for name, person in self.people.items()}
        rows = await self.rows("SELECT delegate_id, local_id, state FROM meeting")
        return {
            f"{names[row['delegate_id']]} {names[row['local_id']]}": row["state"] for row in rows
        }

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database."""
        async with self.database.reading() as connection:
            return await connection.fetch(query, *arguments)

    async def told(self, key: UUID | None = None) -> list[str]:
        """List the types of the events in the outbox, of one key or of all."""
        rows = await self.rows(
            "SELECT type FROM outbox WHERE $1::uuid IS NULL OR key = $1 ORDER BY id", key
        )
        return [row["type"].removeprefix("matching.").removesuffix(".v1") for row in rows]


def record(event: Event, sequence: int) -> Record:
    """Write an event as it lies in the log."""
    envelope = Envelope(
        event_id=uuid4(),
        type=event.TYPE,
        source="/registration",
        subject=str(event.key),
        occurred_at=NOW,
        sequence=sequence,
        correlation_id="",
    )
    return Record(
        topic=event.TOPIC,
        key=str(event.key).encode(),
        headers=envelope.headers(),
        value=event.model_dump_json().encode(),
    )


@pytest.fixture
def written() -> Callable[[Event, int], Record]:
    """A function that writes an event as it lies in the log."""
    return record


@pytest.fixture(scope="session")
def matching_url(portal: BlockingPortal, postgres_url: str, pools: Pools) -> Iterator[str]:
    """The address of a database with matching's tables."""
    with made(portal, postgres_url, MIGRATIONS, pools) as url:
        yield url


Opening = Callable[[str], AbstractAsyncContextManager[House]]


@pytest.fixture
def opening(registration: "Registration") -> Opening:
    """A function that opens the service on a database."""

    @asynccontextmanager
    async def opening(url: str) -> AsyncIterator[House]:
        secret = secrets.token_hex(32)
        settings = MatchingSettings.model_validate(
            {"database_url": url, "log_url": "postgresql:", "secret_key": secret}
        )
        tokens = Tokens(secret)
        outside = httpx2.MockTransport(registration.answer)
        async with (
            httpx2.AsyncClient(base_url="http://registration", transport=outside) as asker,
            opened(settings, PostgresLog({})) as service,
        ):
            assert isinstance(service.resources, Resources)
            resources = replace(service.resources, contacts=Contacts(asker, tokens))
            with lent(replace(service, resources=resources), tokens) as app:
                async with httpx2.AsyncClient(
                    transport=httpx2.ASGITransport(app), base_url=ORIGIN
                ) as client:
                    yield House(client, resources.database, tokens, resources)

    return opening


@dataclass
class Registration:
    """Registration's internal API, which knows people by name and may be away."""

    people: dict[UUID, str] = field(default_factory=dict)
    is_away: bool = False

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_away:
            raise httpx2.ConnectError("Connection refused")
        asked = [UUID(text) for text in request.url.params["ids"].split(",")]
        known = [contact(i, self.people[i]) for i in asked if i in self.people]
        return httpx2.Response(200, json={"items": known})


def contact(person_id: UUID, name: str) -> dict[str, Any]:
    return Contact(
        person_id=person_id,
        name=name,
        email="sample@example.com",
        language="en",
        role="local",
        sign_in_path="/sign-in?token=sample",
    ).model_dump(mode="json")


@pytest.fixture
def registration() -> Registration:
    return Registration()


@pytest.fixture(scope="session")
def empty_matching(portal: BlockingPortal, matching_url: str) -> Iterator[Emptying]:
    """A function that empties that database."""
    with emptying(portal, matching_url, EMPTY) as empty:
        yield empty


@pytest.fixture
async def bare(
    matching_url: str, empty_matching: Emptying, opening: Opening
) -> AsyncIterator[House]:
    """The service with an empty database."""
    empty_matching()
    async with opening(matching_url) as house:
        yield house


@pytest.fixture
async def house(bare: House) -> House:
    """The service with one stop, and a session there."""
    await furnish(bare)
    return bare


@pytest.fixture
def furnished() -> Callable[[House], Any]:
    """A function that makes the stop and its session."""
    return furnish


async def furnish(house: House) -> None:
    await house.learn()
    answer = await house.add_session()
    assert answer.status_code == 201, answer.text
    house.session = UUID(answer.json()["id"])
    house.points = {point["label"]: UUID(point["id"]) for point in answer.json()["points"]}


@pytest.fixture
def away() -> Callable[[House, str], Any]:
    """A function that lets two meet at another stop of the mission, a day later."""

    async def away(house: House, pair: str) -> UUID:
        here, stop, item = house.session, uuid4(), uuid4()
        later = START + timedelta(days=1)
        planned = house.stop_planned().model_copy(update={"stop_id": stop, "slug": "nanjing"})
        talks = house.item_planned(programme_item_id=item, stop_id=stop)
        names = pair.split()
        places = [house.confirmed(n, programme_item_id=item, stop_id=stop) for n in names]
        await house.hear((planned, 1), (talks, 1), *((place, 9) for place in places))
        answer = await house.add_session(
            programme_item_id=str(item), starts_at=later.isoformat(), breaks=[]
        )
        entry = house.entry(pair, 1).model_copy(
            update={
                "session_id": UUID(answer.json()["id"]),
                "point_id": UUID(answer.json()["points"][0]["id"]),
                "starts_at": later,
                "ends_at": later + SLOT,
            }
        )
        house.stop, home = stop, house.stop
        await house.published(entry)
        house.stop, house.session = home, here
        return stop

    return away
