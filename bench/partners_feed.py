"""How fast a partner reads the feed, beside a bare read of the same rows by asyncpg."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
from fastapi import FastAPI

from bench.partners_house import SECRET, PartnersHouse
from services.notify.api import feed
from shared.access import Tokens
from shared.http import create_app, now
from shared.service import Service

EVENTS = 20_000
PAGE = 1_000
ROUNDS = 3


@dataclass(frozen=True)
class _Held:
    """Of the service's resources those that the feed needs."""

    database: Any
    hooks: Any


async def measure(house: PartnersHouse, *, events: int = EVENTS) -> dict[str, dict[str, float]]:
    """Fill the feed, and read it in turns as a partner and barely; give ratios and figures."""
    began = time.perf_counter()
    await house.take([house.somebody(uuid4()) for _ in range(events)])
    appended = events / (time.perf_counter() - began)
    app = create_app(
        [
            Service(
                name="notify",
                routers=[feed.router],
                loops={},
                resources=_Held(house.database, house.hooks),
            )
        ],
        Tokens(SECRET),
    )
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(await _read(house, app))
        bare.append(await _read_barely(house))
    best, limit = min(ours), min(bare)
    return {
        "ratios": {"feed_vs_bare_read": round(limit / best, 3)},
        "figures": {
            "feed_events_a_second": round(1 / best),
            "feed_bare_events_a_second": round(1 / limit),
            "feed_appended_a_second": round(appended),
        },
    }


async def _read(house: PartnersHouse, app: FastAPI) -> float:
    """Read all of it page by page over HTTP within the process; give the seconds of an event."""
    token = Tokens(SECRET).sign(house.staff(), "session", now())
    count, path = 0, f"/api/v1/events?limit={PAGE}"
    async with httpx2.AsyncClient(
        base_url="http://notify",
        transport=httpx2.ASGITransport(app),
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/cloudevents-batch+json",
        },
    ) as client:
        began = time.perf_counter()
        while True:
            answer = await client.get(path)
            # As many as there are, without reading JSON: that is the reader's work.
            found = answer.text.count('"specversion"')
            if not found:
                break
            count += found
            path = answer.headers["link"][1:].partition(">")[0]
        return (time.perf_counter() - began) / count


async def _read_barely(house: PartnersHouse) -> float:
    count, after = 0, 0
    async with house.database.reading() as connection:
        began = time.perf_counter()
        while rows := await connection.fetch(
            "SELECT position, event FROM feed_event WHERE position > $1 ORDER BY position LIMIT $2",
            after,
            PAGE,
        ):
            count += len(rows)
            after = rows[-1]["position"]
        return (time.perf_counter() - began) / count
