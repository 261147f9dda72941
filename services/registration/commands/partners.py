"""Partner organisations: their names and logos, and what they are at a stop."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.missions import check_partners, existing_stop, stop_planned
from services.registration.domain.logos import Logo
from services.registration.store import missions, partners
from shared.access import Principal
from shared.auditing import note
from shared.errors import NotFound, Stale
from shared.log import outbox
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def existing(connection: Connection, partner_id: UUID) -> asyncpg.Record:
    """Read a partner organisation; raises `NotFound`."""
    partner = await partners.partner(connection, partner_id)
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


async def change(
    database: Database,
    partner_id: UUID,
    changes: Facts,
    revision: int,
    who: Principal,
    now: datetime,
) -> asyncpg.Record:
    """Change a partner's name or kind; raises `NotFound`, and `Stale` for an older revision."""
    async with database.transaction() as connection:
        await partners.lock(connection, partner_id)
        before = await existing(connection, partner_id)
        _same(before["version"], revision)
        await partners.change(connection, partner_id, {**before, **changes})
        await note(
            connection,
            who,
            "partner.changed",
            subject_id=partner_id,
            mission_id=before["mission_id"],
            details={"fields": sorted(changes)},
            now=now,
        )
        return await existing(connection, partner_id)


async def set_roles(
    database: Database,
    stop_id: UUID,
    roles: Sequence[Facts],
    revision: int,
    who: Principal,
    now: datetime,
) -> asyncpg.Record:
    """Say what partners are at a stop, in order of protocol; gives the stop.

    Their rights follow at once. Raises `NotFound`, `Invalid`, and `Stale` for an older revision.
    """
    async with database.transaction() as connection:
        version = await partners.locked_version(connection, stop_id)
        stop = await existing_stop(connection, stop_id)
        _same(version, revision)
        await check_partners(connection, stop["mission_id"], roles)
        await partners.forget_roles(connection, stop_id)
        await missions.add_roles(connection, stop_id, roles)
        version = await partners.next_version(connection, stop_id)
        await outbox.append(connection, stop_planned(dict(stop), roles), sequence=version, now=now)
        await note(
            connection,
            who,
            "stop.roles_set",
            subject_id=stop_id,
            mission_id=stop["mission_id"],
            stop_id=stop_id,
            details={"roles": [f"{role['role']}:{role['partner_id']}" for role in roles]},
            now=now,
        )
        return await existing_stop(connection, stop_id)


async def set_logo(
    database: Database, partner: asyncpg.Record, logo: Logo, who: Principal, now: datetime
) -> str:
    """Keep a partner's logo, in place of another; gives its digest."""
    digest = hashlib.sha256(logo.content).hexdigest()[:32]
    async with database.transaction() as connection:
        await partners.set_logo(
            connection, partner["id"], (logo.content, digest, logo.width, logo.height)
        )
        await _noted(connection, partner, "partner.logo_set", who, now)
    return digest


async def remove_logo(
    database: Database, partner: asyncpg.Record, who: Principal, now: datetime
) -> None:
    """Show a partner without a logo; a second time changes nothing."""
    async with database.transaction() as connection:
        if await partners.remove_logo(connection, partner["id"]):
            await _noted(connection, partner, "partner.logo_removed", who, now)


async def _noted(
    connection: Connection, partner: asyncpg.Record, action: str, who: Principal, now: datetime
) -> None:
    await note(
        connection,
        who,
        action,
        subject_id=partner["id"],
        mission_id=partner["mission_id"],
        now=now,
    )


def _same(version: int | None, revision: int) -> None:
    if version is not None and version != revision:
        raise Stale(f"This is at revision {version} by now; look again.")
