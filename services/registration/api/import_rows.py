"""The rows of partners' lists: page by page, and as a file."""

import asyncio
import tempfile
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from services.registration.api.imports import Found
from services.registration.commands.imports.lists import where
from services.registration.domain.imports.comparing import Kind
from services.registration.domain.imports.findings import Finding
from services.registration.domain.imports.mapping import column_of
from services.registration.resources import Held
from services.registration.store.imports import rows
from shared.sheets import SHEET_TYPES, Cell, Csv, streamed

ROWS_MAX = 500
CHUNK = 1_000
COLUMNS = (
    "row",
    "kind",
    "status",
    "code",
    "pointer",
    "registration_id",
    "findings_en",
    "findings_zh",
)

Status = Literal[
    "invalid",
    "confirmed",
    "pending_approval",
    "waitlisted",
    "already_registered",
    "updated",
    "cancelled",
    "unchanged",
    "refused",
]

router = APIRouter(prefix="/api/v1", tags=["registration"])


@router.get("/imports/{import_id}/rows")
async def list_rows(  # what a page is of
    found: Found,
    held: Held,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 100,
    kind: Kind | None = None,
    status: Status | None = None,
) -> dict[str, Any]:
    """Read what became of each row; `next` is the row to go on after."""
    async with held.database.reading() as connection:
        page = await rows.page(
            connection, found["id"], after=after, limit=limit, kind=kind, status=status
        )
    return {
        "items": [_content(row, found) for row in page],
        "next": page[-1]["row"] if len(page) == limit else None,
    }


@router.get("/imports/{import_id}/rows.csv")
async def download_rows(found: Found, held: Held) -> Response:
    """Download what became of each row as CSV; it says nothing of people."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when all of it is sent
    try:
        sheet = Csv(file, COLUMNS)
        after = 0
        async with held.database.reading() as connection:
            while page := await rows.page(connection, found["id"], after=after, limit=CHUNK):
                await asyncio.to_thread(sheet.write, [_cells(row, found) for row in page])
                after = page[-1]["row"]
        sheet.close()
    except BaseException:
        file.close()
        raise
    return StreamingResponse(
        streamed(file),
        media_type=SHEET_TYPES["csv"],
        headers={
            "Content-Disposition": f'attachment; filename="import-{found["id"]}.csv"',
            "Cache-Control": "private, no-store",
        },
    )


def _content(row: asyncpg.Record, found: asyncpg.Record) -> dict[str, Any]:
    names = ("row", "kind", "status", "code", "pointer", "registration_id", "is_chosen")
    fields: Mapping[str, Any] = row["fields"] or {}
    return {
        **{name: row[name] for name in names},
        "fields": fields,
        "findings": [_finding(Finding.of(one), found) for one in row["findings"]],
        "differences": {
            name: {"changed_by": who, "theirs": fields.get(name), "ours": row["ours"].get(name)}
            for name, who in row["differences"].items()
        },
    }


def _finding(finding: Finding, found: asyncpg.Record) -> dict[str, Any]:
    column = column_of(finding.field, found["placed"])
    return finding.content() | {
        "level": finding.level,
        "pointer": f"/{finding.field}" if finding.field else "",
        "column": None if column is None else column + 1,
        "header": None if column is None else found["headers"][column],
        "detail": finding.words.model_dump(),
    }


def _cells(row: asyncpg.Record, found: asyncpg.Record) -> list[Cell]:
    findings = [Finding.of(one) for one in row["findings"]]
    words = [one.told(where(found, one.field)) for one in findings]
    told = [row[name] for name in COLUMNS[:6]]
    return [
        *("" if cell is None else str(cell) for cell in told),
        " ".join(one.en for one in words),
        "".join(one.zh for one in words),
    ]
