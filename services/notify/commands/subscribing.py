"""Subscribing: a calendar's address that its program asks again, and what it answers.

Programs that ask cannot sign in: the address holds a token for one calendar and nothing else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg

from services.notify.commands.calendar import Appointment, Frame, subscription
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.looking import existing_stop
from services.notify.store import calendars, facts
from shared.access import Principal, Scope, Tokens, require
from shared.erased import refuse_erased
from shared.events.base import Bilingual
from shared.postgres import Database

NOBODY = UUID(int=0)
"""Whose companies are not left out: whoever reads a stop's calendar sits on no side."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calendar: one's own, a stop's, or that of one table there."""

    stop_id: UUID | None = None
    point: str | None = None


async def address(
    database: Database, tokens: Tokens, who: Principal, wanted: Wanted, now: datetime
) -> str:
    """Give the path of a calendar; raises `Forbidden` or `NotFound`."""
    if wanted.stop_id is None:
        require(who, "live.me", Scope(person_ids=(who.subject,)))
        holder = Principal(who.role, who.subject, who.mission_id)
        place, narrowed = "me", {}
    else:
        stop = await existing_stop(database, wanted.stop_id)
        require(who, "live.stop", Scope(stop["mission_id"], stop["id"]))
        # A calendar that goes around opens no more than a screen on a wall does.
        holder = Principal("screen", who.subject, stop["mission_id"], (stop["id"],))
        place = f"stops/{stop['id']}"
        narrowed = {"point": wanted.point} if wanted.point else {}
    query = urlencode({"token": tokens.sign(holder, "calendar", now), **narrowed})
    return f"/api/v1/calendars/{place}.ics?{query}"


async def own(database: Database, head: Letterhead, who: Principal) -> bytes:
    """Write somebody's meetings at all stops; raises `Forbidden`, `Unauthenticated`."""
    require(who, "live.me", Scope(person_ids=(who.subject,)))
    async with database.reading() as connection:
        await refuse_erased(connection, who)
        rows = await calendars.of_person(connection, who.subject)
        stops = await facts.stops(connection, {row["stop_id"] for row in rows})
    return _written("Tradewind", rows, stops, head, who.subject)


async def of_stop(
    database: Database, head: Letterhead, who: Principal, stop_id: UUID, point: str | None
) -> bytes:
    """Write a stop's meetings, or those at one table; raises `Forbidden` or `NotFound`."""
    stop = await existing_stop(database, stop_id)
    require(who, "live.stop", Scope(stop["mission_id"], stop_id))
    async with database.reading() as connection:
        rows = await calendars.of_stop(connection, stop_id, point)
    name = " · ".join(filter(None, (_both(stop["city"]), point)))
    return _written(name, rows, {stop_id: stop}, head, NOBODY)


def _both(text: Bilingual) -> str:
    return " ".join(dict.fromkeys((text.zh, text.en)))


def _written(
    name: str,
    rows: Sequence[asyncpg.Record],
    stops: dict[UUID, dict[str, Any]],
    head: Letterhead,
    reader: UUID,
) -> bytes:
    parts = []
    for row in rows:
        live, stop = json.loads(row["live"]), stops[row["stop_id"]]
        is_on = live["state"] != "cancelled"
        venue = stop["venue"] or stop["city"]
        # Stamped when it changed, not when it is asked for: the same calendar is the same bytes.
        frame = Frame(_both(venue), head.organizer, ("", ""), row["updated_at"])
        parts.append((Appointment.of(live, reader, "known", is_on=is_on), frame))
    return subscription(name, parts)
