"""Notify's database in a PostgreSQL of its own, with the feed of a mission that has partners."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from services.embedded.servers.postgres import postgres
from services.notify.commands import feeding
from services.notify.commands.feeding import Bell
from services.notify.commands.webhooks import Hooks
from shared.access import Principal, Tokens
from shared.addresses import Allowed
from shared.events.base import Bilingual, Event
from shared.events.registration import ParticipantPending, StopPlanned
from shared.log.records import Envelope
from shared.outward import Outward
from shared.postgres import Database, migrate
from shared.sealing import Seal

MIGRATIONS = Path(__file__).parents[1] / "services" / "notify" / "migrations"
BATCH = 500
NOW = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
NAME = Bilingual(en="Benchmark", zh="基准测试")
SECRET = "a secret that only the benchmark knows"  # noqa: S105  # of servers that live for minutes


@dataclass(frozen=True)
class PartnersHouse:
    """A database, what webhooks need, and a partner that hosts a stop."""

    database: Database
    hooks: Hooks
    mission: UUID = field(default_factory=uuid4)
    stop: UUID = field(default_factory=uuid4)
    partner: UUID = field(default_factory=uuid4)

    def staff(self) -> Principal:
        """Give somebody of the partner's staff."""
        return Principal("partner_staff", uuid4(), self.mission, (self.stop,), self.partner)

    def somebody(self, person: UUID) -> ParticipantPending:
        """Make an event of a person at the stop."""
        return ParticipantPending(
            participant_id=person,
            registration_id=uuid4(),
            mission_id=self.mission,
            stop_id=self.stop,
            programme_item_id=uuid4(),
            item_kind="matchmaking",
            side="local",
            partner_id=self.partner,
        )

    async def take(self, events: Sequence[Event]) -> list[UUID]:
        """Append events as the consumer does, in its batches, and give their ids."""
        ids = []
        for start in range(0, len(events), BATCH):
            batch = [
                (Envelope(uuid4(), one.TYPE, f"/{one.TOPIC}", str(one.key), NOW, 1, ""), one)
                for one in events[start : start + BATCH]
            ]
            async with self.database.transaction() as connection:
                await feeding.take(connection, batch)
            self.hooks.bell.appended()
            ids += [envelope.event_id for envelope, _ in batch]
        return ids


@asynccontextmanager
async def partners_house() -> AsyncIterator[PartnersHouse]:
    """Start PostgreSQL, with everything it does for durability, and stop it."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    tokens = Tokens(SECRET)
    try:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(postgres(folder))
            own = await asyncpg.connect(server.url)
            await own.execute("CREATE DATABASE notify")
            await own.close()
            url = server.url.rpartition("/")[0] + "/notify"
            await migrate(url, [MIGRATIONS])
            database = await stack.enter_async_context(Database.connect(url))
            outward = await stack.enter_async_context(Outward.open(Allowed.read("127.0.0.1")))
            hooks = Hooks(Bell(database), outward, Seal(tokens, "webhooks"))
            house = PartnersHouse(database, hooks)
            await house.take([_stop(house)])
            yield house
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop(house: PartnersHouse) -> StopPlanned:
    return StopPlanned(
        stop_id=house.stop,
        mission_id=house.mission,
        slug="stop",
        city=NAME,
        title=NAME,
        timezone="Asia/Shanghai",
        on=date(2030, 11, 7),
        hosts=(house.partner,),
        partners=(house.partner,),
    )
