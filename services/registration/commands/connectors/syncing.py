"""Syncing: partners' systems are read and told, each when it is due, some at a time.

Any number of processes may: a connector belongs to who claimed it, for as long as it is renewed.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import structlog

from services.registration.commands.connectors.applying import Applier
from services.registration.commands.connectors.reading import Reader, Reading
from services.registration.commands.connectors.sealing import unseal
from services.registration.commands.questions import Forms
from services.registration.connectors.asking import Asking, Failed
from services.registration.connectors.kinds import KINDS
from services.registration.connectors.port import Connector, Kind
from services.registration.domain.connecting import Cursor, Push, pause_of
from services.registration.store import connector_links as links
from services.registration.store import connectors as store
from services.registration.store import missions
from shared.access import Tokens
from shared.idempotency import ATTEMPTS_MAX
from shared.outward import Outward
from shared.postgres import Database

Row = asyncpg.Record

WORKERS = 4
IDLE_SECONDS = 1.0
LEASE = timedelta(minutes=3)
CHUNK = 10
"""So many in one transaction: their items are locked meanwhile."""
PAGES_MAX = 20
PUSHES_MAX = 100
DUE_MAX = 50

_RACES = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)

log = structlog.get_logger()


class Taken(Exception):
    """The connector was changed, or somebody else works on it: what was begun is left to them."""


class Syncer:
    """Works on the connectors that are due."""

    def __init__(self, database: Database, forms: Forms, outward: Outward, tokens: Tokens) -> None:
        self._database = database
        self._forms = forms
        self._outward = outward
        self._tokens = tokens

    async def run(self) -> None:
        """Work for ever: one slow system keeps a worker waiting, not the others."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work_on())
            group.create_task(self._notice())

    async def _work_on(self) -> None:
        while True:
            if not await self.work(datetime.now(UTC)):
                await asyncio.sleep(IDLE_SECONDS)

    async def _notice(self) -> None:
        """Look for what happened here and is to be told."""
        while True:
            await self.notice(datetime.now(UTC))
            await asyncio.sleep(IDLE_SECONDS)

    async def notice(self, now: datetime) -> None:
        """Let those connectors be due that have something to tell."""
        async with self._database.reading() as connection:
            ids = await links.with_untold(connection, now)
        for connector_id in ids:
            async with self._database.transaction() as connection:
                await store.wake(connection, connector_id, now)

    async def work(self, now: datetime) -> bool:
        """Work on one connector that is due; False when there is none."""
        async with self._database.transaction() as connection:
            connector = await store.claim(connection, now, now + LEASE)
        if connector is None:
            return False
        kind = KINDS[connector["kind"]]
        try:
            is_done = await self._sync(kind, connector)
        except Taken:
            return True
        except Failed as failed:
            await self._failed(connector, failed)
            return True
        except asyncpg.DataError:
            # What a stranger's system says may be odd in ways nobody thought of; others go on.
            await self._failed(connector, Failed("unreadable"))
            return True
        ended = datetime.now(UTC)
        next_at = ended + kind.every if is_done else ended
        async with self._database.transaction() as connection:
            await store.release(connection, connector, next_at, ended if is_done else None)
        return True

    async def _failed(self, connector: Row, failed: Failed) -> None:
        jitter = random.random()  # noqa: S311  # spreads what would come at once, no secret
        pause = pause_of(connector["failures"] + 1, failed.retry_seconds, jitter)
        # The id and the code: an address, or what was answered, may hold what nobody should read.
        log.warning("a connector failed", connector=str(connector["id"]), error=failed.code)
        async with self._database.transaction() as connection:
            await store.fail(connection, connector, failed.code, datetime.now(UTC) + pause)

    async def _sync(self, kind: Kind, connector: Row) -> bool:
        """Read some pages and tell what is to be told; False when there is more to read."""
        peer = self.opened(connector)
        reader = await self._reader(connector)
        await self._read_due(peer, reader, connector)
        cursor, is_last = connector["cursor"], False
        for _ in range(PAGES_MAX):
            page = await peer.changes(cursor)
            await self._take(connector, await reader.read(page.records), page.cursor)
            cursor, is_last = page.cursor, page.is_last
            if is_last:
                break
        await self._tell(kind, peer, connector)
        return is_last

    def opened(self, connector: Row) -> Connector:
        """Open the other system; raises `Failed` when its token cannot be read any more."""
        token = unseal(self._tokens, connector["id"], connector["token"])
        if token is None:
            raise Failed("token_unreadable")
        return self.open(KINDS[connector["kind"]], connector["place"], token)

    def open(self, kind: Kind, place: dict[str, Any], token: str) -> Connector:
        """Open a system that may not be on file yet."""
        return kind.open(
            place, Asking(self._outward, place["address"], f"{kind.authorization} {token}")
        )

    async def _reader(self, connector: Row) -> Reader:
        async with self._database.reading() as connection:
            mission = await missions.mission(connection, connector["mission_id"])
        assert mission is not None
        languages = ["zh", "en"] if mission["host_country"] == "CN" else ["en", "zh"]
        return Reader(self._database, self._forms, connector, languages)

    async def _read_due(self, peer: Connector, reader: Reader, connector: Row) -> None:
        """Read once more what somebody decided about."""
        async with self._database.reading() as connection:
            rows = await links.due(connection, connector["id"], DUE_MAX)
        for row in rows:
            record = await peer.one(row["handle"])
            if record is not None:
                await self._take(connector, await reader.read([record]), None)
                continue
            async with self._database.transaction() as connection:
                await links.forget_gone(connection, connector["id"], row["remote_id"])

    async def _take(
        self, connector: Row, readings: Sequence[Reading], cursor: Cursor | None
    ) -> None:
        """Apply a page in small transactions; the last of them says how far was read."""
        chunks = [readings[at : at + CHUNK] for at in range(0, len(readings), CHUNK)] or [[]]
        for place, chunk in enumerate(chunks, start=1):
            await self._apply(connector, chunk, cursor if place == len(chunks) else None)

    async def _apply(self, connector: Row, chunk: Sequence[Reading], cursor: Cursor | None) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return await self._apply_once(connector, chunk, cursor)
            except _RACES:
                # Another process added a person or company of this chunk meanwhile.
                if attempt == ATTEMPTS_MAX:
                    raise
        raise AssertionError("unreachable")

    async def _apply_once(
        self, connector: Row, chunk: Sequence[Reading], cursor: Cursor | None
    ) -> None:
        async with self._database.transaction() as connection:
            if not await store.still_ours(connection, connector):
                raise Taken
            await Applier(connection, connector, datetime.now(UTC)).apply(chunk)
            if cursor is not None:
                await store.reach(connection, connector["id"], cursor)

    async def _tell(self, kind: Kind, peer: Connector, connector: Row) -> None:
        pushes = [one for one in connector["pushes"] if one in kind.pushes]
        async with self._database.reading() as connection:
            rows = await links.untold(connection, connector["id"], pushes, PUSHES_MAX)
        for row in rows:
            await self._push(peer, row)

    async def _push(self, peer: Connector, row: Row) -> None:
        """Tell of one thing; told again after a crash, it is the same to the other system."""
        what, link = Push(row["what"]), (row["connector_id"], row["remote_id"])
        nonce = f"tradewind-{row['registration_id']}"
        refused = ""
        try:
            await peer.push(what, row["handle"], row["checked_in_at"], nonce)
        except Failed as failed:
            if failed.code not in ("refused", "not_found"):
                raise
            refused = f"{what}_refused_there"
        async with self._database.transaction() as connection:
            if refused:
                await links.untellable(connection, *link, refused, datetime.now(UTC))
            else:
                await links.told(connection, *link, what)
