"""Lists as files: CSV and Excel, of any list that can be seen, in the reader's language.

A file is written to a nameless temporary one before its first byte is sent: it is whole or not sent
at all, memory holds one chunk of it, and a slow reader keeps no connection of the database.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import IO, Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.registration.asking import Printed, narrowed
from services.registration.commands.missions import existing_mission, existing_stop
from services.registration.domain.listing import Filter
from services.registration.domain.people import shown_address
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.resources import Held
from services.registration.store import lists
from services.registration.store import missions as store
from shared.auditing import note
from shared.http import Caller, Now
from shared.postgres import Connection
from shared.sheets import Cell, Csv, Sheet, Xlsx, download
from shared.web.pages import bilingual, language_of, zone_name

AT_ONCE_MAX = 2

COLUMNS = (
    "full_name",
    "native_name",
    "latin_name",
    "position",
    "email",
    "organization",
    "native_organization",
    "country",
    "sectors",
    "side",
    "city",
    "item",
    "status",
    "partner",
    "source",
    "registered_at",
    "arrived_at",
    "zone",
    "id",
)

Kind = Literal["csv", "xlsx"]

router = APIRouter(include_in_schema=False)

# Writing takes the processor, which others need too.
_turns = asyncio.Semaphore(AT_ONCE_MAX)


@router.get("/desk/registrations.{kind}")
async def export(
    kind: Kind,
    asked: Annotated[Printed, Query()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Hand out a list as a file, and note that it was."""
    language = language_of(request)
    async with _turns:
        file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when all of it is sent
        try:
            async with held.database.reading() as connection:
                wanted = await narrowed(connection, who, asked, "list.export")
                slug, title = await _title(connection, wanted, language)
                headers = [pages.text(f"export_{name}", language) for name in COLUMNS]
                write = await _writer(connection, wanted, who.seen_partner, language)
                async with _sheet(kind, file, title, headers) as sheet:
                    count = await _fill(connection, wanted, asked, sheet, write)
            async with held.database.transaction() as connection:
                await note(
                    connection,
                    who,
                    "list.exported",
                    subject_id=wanted.item_id or wanted.stop_id or wanted.mission_id,
                    mission_id=wanted.mission_id,
                    stop_id=wanted.stop_id,
                    details={"format": kind, "rows": count, **_narrowing(asked)},
                    now=now,
                )
        except BaseException:
            file.close()
            raise
    disposition = _disposition(
        f"registrations-{slug}-{now:%Y-%m-%d}.{kind}",
        f"{pages.text('list_title', language)}-{title}-{now:%Y-%m-%d}.{kind}",
    )
    return download(file, kind, disposition)


async def _fill(
    connection: Connection,
    wanted: Filter,
    asked: Printed,
    sheet: Sheet,
    write: Callable[[asyncpg.Record], Sequence[Cell]],
) -> int:
    """Write all rows chunk by chunk, away from the loop that answers others."""

    def add(rows: Sequence[asyncpg.Record]) -> int:
        sheet.write([write(row) for row in rows])
        return len(rows)

    async with lists.planned(connection):
        chunks = lists.everything(connection, wanted, asked.sort)
        return sum([await asyncio.to_thread(add, rows) async for rows in chunks])


@asynccontextmanager
async def _sheet(
    kind: Kind, file: IO[bytes], title: str, headers: Sequence[str]
) -> AsyncIterator[Sheet]:
    with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
        sheet: Sheet = Csv(file, headers) if kind == "csv" else Xlsx(file, folder, title, headers)
        yield sheet
        await asyncio.to_thread(sheet.close)


async def _writer(
    connection: Connection, wanted: Filter, own: UUID | None, language: str
) -> Callable[[asyncpg.Record], Sequence[Cell]]:
    """Give what turns a row into cells in the reader's language.

    A partner (`own`) that registered whose address it knew is told name and state alone.
    """
    mission = await existing_mission(connection, wanted.mission_id)
    partners = {
        partner["id"]: bilingual(partner["name"], language)
        for partner in await store.partners_of(connection, wanted.mission_id)
    }
    items = await _items(connection, wanted, language)
    sectors = {code: bilingual(name, language) for code, name in mission["sectors"].items()}
    countries = COUNTRIES[language]

    @cache
    def word(key: str, value: str) -> str:
        return pages.text(key, language) if key in pages.words else value

    def write(row: asyncpg.Record) -> Sequence[Cell]:
        item = items[row["programme_item_id"]]
        is_told = own in (None, row["person_partner_id"])
        cells: Mapping[str, Cell] = {
            "position": bilingual(row["position"], language) if is_told else None,
            "email": shown_address(row["email"]) if is_told else None,
            "country": countries.get(row["country"], row["country"]),
            "sectors": "; ".join([sectors.get(code, code) for code in row["sectors"] or ()]),
            "side": word(f"list_side_{'delegation' if row['role'] == 'delegate' else 'local'}", ""),
            "city": item.city,
            "item": item.title,
            "status": word(f"list_{row['status']}", row["status"]),
            "partner": partners.get(row["partner_id"]),
            "source": word(f"list_source_{row['source']}", row["source"]),
            "registered_at": _local(row["registered_at"], item.zone),
            "arrived_at": _local(row["checked_in_at"], item.zone),
            "zone": item.zone_name,
            "id": str(row["id"]),
        }
        return [cells[name] if name in cells else row[name] for name in COLUMNS]

    return write


@dataclass(frozen=True, slots=True)
class _Item:
    """What all rows of a programme item share."""

    city: str
    title: str
    zone: ZoneInfo
    zone_name: str


async def _items(connection: Connection, wanted: Filter, language: str) -> Mapping[UUID, _Item]:
    stops = {stop["id"]: stop for stop in await store.stops_of(connection, wanted.mission_id)}
    return {
        item["id"]: _Item(
            city=bilingual(stops[item["stop_id"]]["city"], language),
            title=bilingual(item["title"], language),
            zone=ZoneInfo(stops[item["stop_id"]]["timezone"]),
            zone_name=zone_name(item["starts_at"], stops[item["stop_id"]]["timezone"], language),
        )
        for item in await store.items_of(connection, wanted.mission_id)
    }


async def _title(connection: Connection, wanted: Filter, language: str) -> tuple[str, str]:
    """Name what a list is of, for addresses and for people: a stop, or the mission."""
    if wanted.stop_id:
        stop = await existing_stop(connection, wanted.stop_id)
        return stop["slug"], bilingual(stop["city"], language)
    mission = await existing_mission(connection, wanted.mission_id)
    return mission["slug"], bilingual(mission["title"], language)


def _narrowing(asked: Printed) -> dict[str, Any]:
    """Say how a list was narrowed, and not by whose name."""
    fields = asked.model_dump(
        mode="json", exclude_defaults=True, exclude={"q", "mission_id", "stop_id", "sort"}
    )
    return fields | ({"is_search": True} if asked.q else {})


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment.astimezone(zone).replace(tzinfo=None) if moment else None


def _disposition(plain: str, named: str) -> str:
    """Name a file (RFC 6266): for everybody, and for whoever reads names in full."""
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(named, safe='')}"
