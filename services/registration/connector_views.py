"""Connectors as those who manage them see them, by API and by page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.connectors import finding
from services.registration.commands.connectors.connecting import New
from services.registration.commands.connectors.sealing import hook_of
from services.registration.connector_bodies import ConnectorBody
from services.registration.connectors.kinds import KINDS
from services.registration.resources import Resources
from services.registration.store import connectors as store
from shared.access import Principal, Scope, may, require
from shared.errors import Fault, Forbidden, Invalid

_SHOWN = (
    "id",
    "kind",
    "mission_id",
    "stop_id",
    "partner_id",
    "place",
    "field_map",
    "pushes",
    "revision",
    "error",
    "synced_at",
    "next_at",
    "linked",
    "conflicts",
    "arrived",
)


def scope_of(connector: asyncpg.Record) -> Scope:
    """Say what an action on a connector touches."""
    return Scope(connector["mission_id"], connector["stop_id"], partner_id=connector["partner_id"])


async def managed(held: Resources, who: Principal, connector_id: UUID) -> asyncpg.Record:
    """Read a connector that somebody may manage, with its counts.

    Raises `NotFound` and `Forbidden`.
    """
    async with held.database.reading() as connection:
        connector = await finding.existing(connection, connector_id)
        require(who, "connector.write", scope_of(connector))
        rows = await store.of_partner(connection, connector["partner_id"])
    return next(row for row in rows if row["id"] == connector_id)


async def stops_managed(
    held: Resources, who: Principal, partner_id: UUID
) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    """Give a partner, and its stops to which somebody may connect a system of it.

    Raises `NotFound` and `Forbidden`.
    """
    async with held.database.reading() as connection:
        partner = await finding.existing_partner(connection, partner_id)
        stops = await store.stops_of(connection, partner_id)
    mission_id = partner["mission_id"]
    own = [
        stop
        for stop in stops
        if may(who, "connector.write", Scope(mission_id, stop["id"], partner_id=partner_id))
    ]
    if not own and not may(who, "connector.write", Scope(mission_id, partner_id=partner_id)):
        raise Forbidden(f"The role {who.role} may not do this (connector.write) here.")
    return partner, own


def ordered(
    who: Principal,
    managed_stops: tuple[asyncpg.Record, Sequence[asyncpg.Record]],
    body: ConnectorBody,
) -> New:
    """Say what is to be connected to which of `stops_managed`; raises `Forbidden`, `Invalid`."""
    partner, stops = managed_stops
    partner_id = partner["id"]
    scope = Scope(partner["mission_id"], body.stop_id, partner_id=partner_id)
    require(who, "connector.write", scope)
    if body.stop_id not in {stop["id"] for stop in stops}:
        fault = Fault("/stop_id", "The partner has no role at this stop.")
        raise Invalid("The stop is wrong.", faults=[fault])
    return New(
        kind=body.kind,
        mission_id=partner["mission_id"],
        stop_id=body.stop_id,
        partner_id=partner_id,
        place=body.place,
        token=body.token,
        pushes=body.pushes,
        field_map=body.field_map.written() if body.field_map else None,
    )


async def listed(held: Resources, who: Principal, partner_id: UUID) -> list[asyncpg.Record]:
    """List the connectors of a partner that somebody may manage; raises as `stops_managed`."""
    await stops_managed(held, who, partner_id)
    async with held.database.reading() as connection:
        rows = await store.of_partner(connection, partner_id)
    return [row for row in rows if may(who, "connector.write", scope_of(row))]


def shown(held: Resources, row: asyncpg.Record) -> dict[str, Any]:
    """Give a connector without its token."""
    path = f"/api/v1/connectors/{row['id']}/webhooks/{hook_of(held.tokens, row['id'])}"
    return {
        **{name: row[name] for name in _SHOWN},
        "state": state_of(row),
        "webhook_url": held.public_url + path if KINDS[row["kind"]].wakes else None,
    }


def state_of(row: asyncpg.Record) -> str:
    """Name the state of a connector: paused, unmapped, failing or active."""
    if row["paused_at"] is not None:
        return "paused"
    if not row["field_map"]["items"]:
        return "unmapped"
    return "failing" if row["error"] else "active"
