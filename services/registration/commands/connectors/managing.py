"""Managing connectors: changed, paused, woken, ended, and their conflicts decided."""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from services.registration.commands.connectors.connecting import check_map, pushes_of
from services.registration.commands.connectors.finding import existing, note_done
from services.registration.commands.connectors.sealing import hook_of, seal
from services.registration.connectors.kinds import KINDS
from services.registration.store import connector_links as links
from services.registration.store import connectors as store
from shared.access import Principal, Tokens
from shared.errors import NotFound, Stale
from shared.postgres import Database

Resolution = Literal["take_theirs", "keep_ours", "try_again"]

WAKE_AFTER = timedelta(seconds=1)
"""Calls of a system that come at once wake us once, when what they tell of is committed there."""


async def change(
    database: Database,
    tokens: Tokens,
    connector_id: UUID,
    changes: Mapping[str, Any],
    revision: int,
    **by: Any,
) -> int:
    """Change the token, what is told, or the map, and give the new revision; raises `Stale`.

    With another map all of it is read anew. `by`: `who` and `now`.
    """
    async with database.transaction() as connection:
        connector = await existing(connection, connector_id, lock=True)
        if connector["revision"] != revision:
            raise Stale(f"This connector is at revision {connector['revision']}.")
        written: dict[str, Any] = {}
        if changes.get("token"):
            written["token"] = seal(tokens, connector_id, changes["token"])
        if changes.get("pushes") is not None:
            written["pushes"] = pushes_of(KINDS[connector["kind"]], changes["pushes"])
        if changes.get("field_map") is not None:
            await check_map(connection, connector["stop_id"], changes["field_map"])
            written["field_map"] = changes["field_map"]
            await store.read_anew(connection, connector_id)
        written |= {"next_at": by["now"], "failures": 0, "error": None}
        await store.change(connection, connector_id, written)
        await note_done(connection, connector, by["who"], "changed", by["now"])
    return revision + 1


async def pause(database: Database, connector_id: UUID, who: Principal, now: datetime) -> None:
    """Leave a system alone until somebody resumes."""
    await _put(database, connector_id, {"paused_at": now}, "paused", who=who, now=now)


async def resume(database: Database, connector_id: UUID, who: Principal, now: datetime) -> None:
    """Go on where it was paused."""
    changes = {"paused_at": None, "next_at": now, "failures": 0, "error": None}
    await _put(database, connector_id, changes, "resumed", who=who, now=now)


async def disconnect(database: Database, connector_id: UUID, who: Principal, now: datetime) -> None:
    """End a connector and forget its token; who came by it stays."""
    changes = {"ended_at": now, "token": None}
    await _put(database, connector_id, changes, "disconnected", who=who, now=now)


async def _put(
    database: Database, connector_id: UUID, changes: Mapping[str, Any], what: str, **by: Any
) -> None:
    async with database.transaction() as connection:
        connector = await existing(connection, connector_id, lock=True)
        await store.change(connection, connector_id, changes)
        await note_done(connection, connector, by["who"], what, by["now"])


async def sync_now(database: Database, connector_id: UUID, now: datetime) -> None:
    """Look at a system as soon as somebody is free; what failed before does not matter."""
    async with database.transaction() as connection:
        await existing(connection, connector_id, lock=True)
        await store.wake(connection, connector_id, now)


async def woken(
    database: Database, tokens: Tokens, hook: tuple[UUID, str], body: bytes, now: datetime
) -> None:
    """Be woken by a system's own call, to the id and the secret of its path.

    Nothing of the body is believed. Raises `NotFound` for a path that is not ours.
    """
    connector_id, secret = hook
    async with database.transaction() as connection:
        connector = await store.one(connection, connector_id)
        known = hook_of(tokens, connector_id)
        if (
            not hmac.compare_digest(known.encode(), secret.encode())
            or connector is None
            or connector["ended_at"] is not None
        ):
            raise NotFound("There is no such webhook.")
        wakes = KINDS[connector["kind"]].wakes
        if wakes is not None and wakes(connector["place"], body):
            await store.wake(connection, connector_id, now + WAKE_AFTER)


async def resolve(
    database: Database,
    connector_id: UUID,
    remote_id: str,
    decision: Resolution,
    **by: Any,
) -> None:
    """Decide about a conflict; raises `NotFound` when there is none. `by`: `who` and `now`."""
    async with database.transaction() as connection:
        connector = await existing(connection, connector_id, lock=True)
        if decision == "keep_ours":
            found = await links.keep_ours(connection, connector_id, remote_id)
        else:
            takes_theirs = decision == "take_theirs"
            found = await links.ask_again(
                connection, connector_id, remote_id, takes_theirs=takes_theirs
            )
            await store.wake(connection, connector_id, by["now"])
        if not found:
            raise NotFound("There is no such conflict.")
        await note_done(connection, connector, by["who"], decision, by["now"])
