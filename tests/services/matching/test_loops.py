"""What a process of matching does by itself, beside answering: each loop is there and works."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from services.matching.__main__ import opened
from services.matching.settings import MatchingSettings
from shared.log.postgres import PostgresLog
from shared.service import Service
from shared.sweeping import KEPT

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

LOOPS = {"sequencer", "publisher", "consumer", "sweeper", "expirer", "solver", "placer", "foreseer"}


@asynccontextmanager
async def process(url: str) -> AsyncIterator[Service]:
    """Open the service as a process of its own does."""
    settings = MatchingSettings.model_validate(
        {"database_url": url, "log_url": "postgresql:", "secret_key": secrets.token_hex(32)}
    )
    async with opened(settings, PostgresLog({})) as service:
        yield service


async def running(service: Service, name: str, is_done: Callable[[], Awaitable[bool]]) -> None:
    """Run a loop until something is so."""
    loop = asyncio.ensure_future(service.loops[name]())
    try:
        async with asyncio.timeout(120):
            while not await is_done():
                assert not loop.done(), loop
                await asyncio.sleep(0.01)
    finally:
        loop.cancel()
        await asyncio.wait([loop])


async def request(house: "House") -> None:
    one, other = (str(house.people[name]) for name in ("dora", "lin"))
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    key = uuid4().hex
    made = await house.ask("POST", "/api/v1/requests", body=body, Idempotency_Key=key)
    assert made.status_code == 201


async def test_a_process_has_each_of_its_loops(matching_url: str) -> None:
    async with process(matching_url) as service:
        assert set(service.loops) == LOOPS


async def test_the_expirer_lets_requests_expire(house: "House", matching_url: str) -> None:
    await request(house)
    await house.rows("UPDATE meeting_request SET expires_at = now() - interval '1 second'")

    async def is_expired() -> bool:
        (row,) = await house.rows("SELECT status FROM meeting_request")
        return bool(row["status"] == "expired")

    async with process(matching_url) as service:
        await running(service, "expirer", is_expired)
    assert (await house.told())[-1] == "request.expired"


async def test_the_sweeper_deletes_old_answers(house: "House", matching_url: str) -> None:
    await request(house)
    await house.rows("UPDATE idempotency SET answered_at = $1", datetime.now(UTC) - 2 * KEPT)

    async def is_swept() -> bool:
        return not await house.rows("SELECT FROM idempotency")

    async with process(matching_url) as service:
        await running(service, "sweeper", is_swept)


async def test_the_sequencer_numbers_what_was_told(house: "House", matching_url: str) -> None:
    await request(house)

    async def is_numbered() -> bool:
        return not await house.rows("SELECT FROM outbox WHERE position IS NULL")

    assert not await is_numbered()
    async with process(matching_url) as service:
        await running(service, "sequencer", is_numbered)


async def test_the_solver_takes_a_schedule_that_waits(house: "House", matching_url: str) -> None:
    body = {"stop_id": str(house.stop), "seconds_max": 30}
    asked = await house.ask("POST", "/api/v1/schedules", body=body, Idempotency_Key=uuid4().hex)
    assert asked.status_code == 202

    async def is_made() -> bool:
        (row,) = await house.rows("SELECT progress FROM schedule")
        return bool(row["progress"] == "done")

    async with process(matching_url) as service:
        await running(service, "solver", is_made)
