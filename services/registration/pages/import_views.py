"""What the pages of partners' lists show."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
from fastapi import Request
from fastapi.responses import Response

from services.registration.commands.imports.lists import (
    answer_codes,
    through,
    unknown_sectors,
    where,
)
from services.registration.commands.imports.receiving import ROWS_MAX
from services.registration.commands.missions import existing_item, existing_mission
from services.registration.commands.partners import existing as existing_partner
from services.registration.domain.imports.cells import letters_of
from services.registration.domain.imports.comparing import APPLICABLE, Kind
from services.registration.domain.imports.findings import Finding
from services.registration.domain.imports.heading import Heading
from services.registration.domain.imports.lines import COLUMNS_MAX
from services.registration.domain.imports.mapping import ANSWER, lacking, repeated
from services.registration.domain.imports.synonyms import FIELDS, kept_out, plain
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.resources import Resources
from services.registration.store import missions as missions_store
from services.registration.store.imports import rows
from shared.errors import Refusal
from shared.postgres import Connection
from shared.problems import status_of
from shared.web.pages import bilingual, language_of

FIXED = ("country", "sectors", "language")
VALUES_SHOWN_MAX = 60
SAMPLES = 3
ROWS_SHOWN = 50
FINDINGS = "findings"
MIB = 1024 * 1024
BADGES = {
    "confirmed": "good",
    "pending_approval": "warn",
    "waitlisted": "info",
    "updated": "good",
    "cancelled": "",
    "already_registered": "",
    "unchanged": "",
    "refused": "bad",
    "invalid": "bad",
}
"""What became of rows, in the order it is told in, with its colour."""
KIND_BADGES = {"new": "info", "changed": "info", "conflicting": "warn", "gone": "warn"}
_PLACE = re.compile(r"/rows/(\d+)(?:/columns/(\d+))?")


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a list are shown: of a kind, or with findings, and after which."""

    kind: str = ""
    after: int = 0


async def items_of(connection: Connection, partner: asyncpg.Record) -> list[Mapping[str, Any]]:
    """List the items of a partner's mission with the cities of their stops."""
    mission_id = partner["mission_id"]
    stops = {row["id"]: row for row in await missions_store.stops_of(connection, mission_id)}
    return [
        {**dict(item), "city": stops[item["stop_id"]]["city"]}
        for item in await missions_store.items_of(connection, mission_id)
    ]


def overview(
    request: Request,
    held: Resources,
    shown: Mapping[str, Any],
    *,
    is_staff: bool,
    wrong: Refusal | None,
) -> Response:
    """Show the form for the next list, and the lists so far."""
    return pages.render(
        request,
        "imports.html",
        status=status_of(wrong) if wrong else 200,
        **shown,
        is_staff=is_staff,
        wrong=said(request, wrong, mib=held.import_bytes // MIB),
        mib=held.import_bytes // MIB,
        moment=on_day(request),
    )


async def columns(
    request: Request,
    held: Resources,
    found: asyncpg.Record,
    *,
    chosen: Sequence[str | None] | None = None,
    fixed: Mapping[str, str] | None = None,
    wrong: Refusal | None = None,
) -> Response:
    """Ask what the columns mean."""
    async with held.database.reading() as connection:
        about = await _about(connection, found)
        samples = await rows.samples(connection, found["id"], SAMPLES)
        codes = await answer_codes(connection, found["programme_item_id"])
    heading = Heading(tuple(found["headers"]), 1)
    names = [plain(header) for header in found["headers"]]
    is_sheet = found["kind"] != "ndjson"
    given = found["placed"] if chosen is None else chosen
    fixed = found["fixed"] if fixed is None else fixed
    missing, label = lacking([*given, *fixed]), _label(request)
    shown = [
        {
            "header": header,
            "letters": letters_of(place) if is_sheet else "",
            "field": given[place] or "",
            "samples": [cells[place] for cells in samples if place < len(cells) and cells[place]],
            "repeats": letters_of(names.index(names[place])) if place in heading.repeated else "",
            "kept_out": kept_out(header),
        }
        for place, header in enumerate(found["headers"])
    ]
    return pages.render(
        request,
        "import_columns.html",
        status=status_of(wrong) if wrong else 200,
        **about,
        columns=shown,
        fields=[*FIELDS, *(f"{ANSWER}{code}" for code in codes)],
        fixed=fixed,
        countries=COUNTRIES[language_of(request)],
        wrong=wrong,
        lacking=missing,
        lacking_words=pages.text("import_between", language_of(request)).join(map(label, missing)),
        repeated={
            name: ", ".join(letters_of(place) for place in places)
            for name, places in repeated(given).items()
        },
        is_unknown=not any(found["placed"]),
        label=label,
    )


async def running(request: Request, held: Resources, found: asyncpg.Record) -> Response:
    """Show how far a list is."""
    async with held.database.reading() as connection:
        about = await _about(connection, found)
        counts = await rows.counts(connection, found["id"])
    done, total = through(found, counts)
    return pages.render(
        request,
        "import_running.html",
        **about,
        total=total,
        through=done,
    )


async def checked(
    request: Request,
    held: Resources,
    found: asyncpg.Record,
    part: Part,
    *,
    wrong: Refusal | None = None,
) -> Response:
    """Show what was found, what would be done, and what was."""
    is_kind = part.kind in set(Kind)
    async with held.database.reading() as connection:
        about = await _about(connection, found)
        counts = await rows.counts(connection, found["id"])
        unknown = await unknown_sectors(connection, found, VALUES_SHOWN_MAX)
        page = await rows.page(
            connection,
            found["id"],
            after=part.after,
            limit=ROWS_SHOWN + 1,
            kind=part.kind if is_kind else None,
            with_findings=part.kind == FINDINGS,
        )
    is_open = found["state"] in ("checked", "finished") and found["emptied_at"] is None
    open_kinds = [k.value for k in APPLICABLE if is_open and counts["open"].get(k.value)]
    return pages.render(
        request,
        "import_rows.html",
        status=status_of(wrong) if wrong else 200,
        **about,
        counts=counts,
        kinds=[kind.value for kind in Kind if counts["kinds"].get(kind.value)],
        open_kinds=open_kinds,
        figures=[(s, counts["statuses"][s]) for s in BADGES if counts["statuses"].get(s)],
        asks_consent=any(needs_consent(kind) for kind in open_kinds),
        needs_consent=needs_consent,
        part=part.kind,
        rows=page[:ROWS_SHOWN],
        next=page[ROWS_SHOWN - 1]["row"] if len(page) > ROWS_SHOWN else None,
        unknown=unknown,
        wrong=said(request, wrong),
        badges=BADGES,
        kind_badges=KIND_BADGES,
        label=_label(request),
        words=lambda content: bilingual(Finding.of(content).words, language_of(request)),
        is_warning=lambda content: Finding.of(content).level == "warning",
        at=lambda name: _at(request, found, name),
        text=lambda name, value: _text(request, about["mission"], name, value),
        refusal=lambda code: _refusal(request, code, {}),
        key=uuid4(),
        keys=uuid4(),
    )


def said(request: Request, wrong: Refusal | None, **more: object) -> str:
    """Say in the reader's language why something was not taken."""
    if wrong is None:
        return ""
    found = _PLACE.fullmatch(wrong.faults[0].pointer) if wrong.faults else None
    row, column = found.groups() if found else (None, None)
    values = {**more, "row": row, "column": letters_of(int(column) - 1) if column else ""}
    name = f"{wrong.code}_cell" if column else f"{wrong.code}_row" if row else wrong.code
    known = name if f"import_refused_{name}" in pages.words else wrong.code
    return _refusal(request, known, values)


def needs_consent(kind: str) -> bool:
    """Say whether people of a kind have to have agreed to what is done; who leaves need not."""
    return kind != Kind.GONE


def _refusal(request: Request, code: str | None, values: Mapping[str, object]) -> str:
    name = f"import_refused_{code}"
    known = name if name in pages.words else "import_refused_other"
    most = {"columns_max": COLUMNS_MAX, "rows_max": ROWS_MAX}
    return pages.text(known, language_of(request), **most, **values)


def _at(request: Request, found: asyncpg.Record, name: str) -> str:
    column = where(found, name)
    return pages.text("import_at", language_of(request), column=column) if column else ""


async def _about(connection: Connection, found: asyncpg.Record) -> dict[str, Any]:
    return {
        "found": found,
        "partner": await existing_partner(connection, found["partner_id"]),
        "mission": await existing_mission(connection, found["mission_id"]),
        "item": await existing_item(connection, found["programme_item_id"]),
    }


def _label(request: Request) -> Any:  # what a template calls
    language = language_of(request)

    def label(name: str) -> str:
        key = f"import_field_{name}"
        return pages.text(key, language) if key in pages.words else name.removeprefix(ANSWER)

    return label


def _text(request: Request, mission: asyncpg.Record, name: str, value: Any) -> str:
    """Write a field's value as its reader expects it."""
    language = language_of(request)
    if name == "country":
        return COUNTRIES[language].get(value or "", value or "")
    if name == "status":
        return pages.text(f"list_{value}", language) if value else ""
    if name == "sectors":
        names = mission["sectors"]
        return "; ".join(bilingual(names[c], language) if c in names else c for c in value or ())
    return ", ".join(value) if isinstance(value, list) else str(value or "")
