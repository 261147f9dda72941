"""Outcomes as a file: a row for each deal, in the reader's language."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import IO
from uuid import UUID
from zoneinfo import ZoneInfo

from services.matching.commands.outcomes import Found
from services.matching.domain.outcomes import Deal
from services.matching.pages.rendering import pages
from services.matching.store import outcomes as store
from shared.sheets import Cell, Csv, Sheet, Xlsx
from shared.web.pages import bilingual

COLUMNS = (
    *("stop", "delegation", "delegation_native", "local", "local_native", "kind", "state"),
    *("value", "currency", "side", "last", "id"),
)

Rows = Mapping[UUID, store.Row]
Write = Callable[[Sequence[Found], Rows, Rows], None]


@asynccontextmanager
async def sheet(kind: str, file: IO[bytes], language: str) -> AsyncIterator[Write]:
    """Write deals as CSV or Excel, part by part.

    What is given takes deals, and the stops and the companies that they name.
    """
    headers = [pages.text(f"outcomes_column_{name}", language) for name in COLUMNS]
    title = pages.text("outcomes_title", language)
    with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
        whole: Sheet = Csv(file, headers) if kind == "csv" else Xlsx(file, folder, title, headers)

        def write(found: Sequence[Found], stops: Rows, companies: Rows) -> None:
            whole.write([_row(one, stops, companies, language) for one in found])

        yield write
        await asyncio.to_thread(whole.close)


def _row(one: Found, stops: Rows, companies: Rows, language: str) -> list[Cell]:
    now, outcome = one.standing, one.outcome
    stop = stops[outcome["stop_id"]]
    delegation = companies[outcome["delegate_organization_id"]]
    local = companies[outcome["local_organization_id"]]
    last = one.statements[-1].at.astimezone(ZoneInfo(stop["timezone"]))
    cells: Mapping[str, Cell] = {
        "stop": bilingual(stop["city"], language),
        "delegation": delegation["organization"],
        "delegation_native": delegation["native_organization"],
        "local": local["organization"],
        "local_native": local["native_organization"],
        "kind": pages.text(f"outcomes_kind_{now.deal.kind}", language),
        "state": pages.text(f"outcomes_is_{now.state}", language),
        "value": now.deal.value,
        "currency": now.deal.currency,
        "side": pages.text(f"outcomes_side_{now.author.side or 'staff'}", language),
        "last": last.replace(tzinfo=None),
        "id": str(outcome["id"]),
    }
    return [cells[name] for name in COLUMNS]


def money(deal: Deal) -> str:
    """Write what a deal is worth: `USD 1,200,000`."""
    if deal.value is None:
        return ""
    whole = deal.value == deal.value.to_integral_value()
    return f"{deal.currency} {deal.value:,.{0 if whole else 2}f}"
