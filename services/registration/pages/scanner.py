"""The scanning page for the door, and the worker that keeps it while the network is away."""

import hashlib
import json
from functools import cache
from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.registration.domain.taking_back import MISTAKES
from services.registration.door import stop_at_the_door
from services.registration.pages.rendering import pages
from services.registration.resources import Held
from services.registration.store import check_in as store
from shared.edge import SECURITY_HEADERS
from shared.http import Caller
from shared.web.pages import STATIC as SHARED
from shared.web.pages import language_of

STATIC = Path(__file__).parent / "static"
DECODER = "zxing"
"""Where scripts/setup puts what reads QR codes in browsers that cannot; it may be missing."""
POLICY = "Content-Security-Policy"

router = APIRouter(include_in_schema=False)


@router.get("/desk/stops/{stop_id}/scan")
async def scanner(stop_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show the page that scans badges at a stop's door."""
    stop = await stop_at_the_door(held, who, stop_id)
    async with held.database.reading() as connection:
        items = await store.items_of(connection, stop_id)
    language = language_of(request)
    words = {key: texts[language] for key, texts in pages.words.items() if key.startswith("scan_")}
    answer = pages.render(
        request,
        "scanner.html",
        stop=stop,
        items=items,
        page=_page(stop_id),
        decoder=decoder(),
        mistakes=MISTAKES,
        words=words,
    )
    if decoder():
        # Here alone: elsewhere no page may compile anything.
        answer.headers[POLICY] = f"{SECURITY_HEADERS[POLICY]}; script-src 'self' 'wasm-unsafe-eval'"
    return answer


@router.get("/desk/stops/{stop_id}/scan/worker.js")
async def worker(stop_id: UUID) -> Response:
    """Give the service worker of a stop's page: it sees that page, and no other."""
    facts = {
        "VERSION": version(),
        "PAGE": _page(stop_id),
        "FILES": list(files()),
        "DECODER": decoder(),
    }
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in facts.items())
    return Response(
        head + (STATIC / "scan-worker.js").read_text(encoding="utf-8"),
        media_type="text/javascript",
        headers={"Service-Worker-Allowed": _page(stop_id), "Cache-Control": "no-cache"},
    )


def decoder() -> str:
    """Give the address of the reader of QR codes; empty when it is not here."""
    return f"/static/registration/{DECODER}" if (STATIC / DECODER / "verified").exists() else ""


@cache
def files() -> dict[str, Path]:
    """List what the page needs besides itself, by address."""
    own = sorted(
        {*STATIC.glob("scan*.js"), *STATIC.glob("scan*.css")} - {STATIC / "scan-worker.js"}
    )
    return {
        **{f"/static/registration/{path.name}": path for path in own},
        **{f"/static/shared/{name}": SHARED / name for name in ("styles.css", "icon.svg")},
    }


@cache
def version() -> str:
    """Name the state of the files: a change of one makes phones fetch them anew."""
    digest = hashlib.sha256()
    for path in files().values():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _page(stop_id: UUID) -> str:
    return f"/desk/stops/{stop_id}/scan"
