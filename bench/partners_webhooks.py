"""How fast webhooks are delivered, beside bare signed posts, and what a dead endpoint costs others.

Deliveries are those of the service: claimed, signed, sent, answered and logged in PostgreSQL. The
limit sends the same bodies by httpx2 to the same receiver, and keeps nothing.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2

from bench.partners_house import PartnersHouse
from services.embedded.servers.child import free_port
from services.notify.commands import webhooks
from services.notify.commands.webhook_sending import AT_ONCE, Couriers
from services.notify.commands.webhooks import Owner
from services.notify.domain.webhooks import Secret, headers
from services.notify.store import webhook_deliveries
from shared.http import now
from shared.process import cancelling

DELIVERIES = 4_000
BARE = 2_000
ENDPOINTS, OTHERS = 4, 2
ROUNDS = 3
PACED, EACH_SECONDS = 300, 0.01
"""Events of a round that is about latency, and the time between them."""


async def measure(house: PartnersHouse, *, deliveries: int = DELIVERIES) -> dict[str, Any]:
    """Deliver as fast as it goes, then at a pace with and without a dead endpoint beside it."""
    async with _sink() as port:
        url = f"http://127.0.0.1:{port}/hook"
        fast, bare = [], []
        for _ in range(ROUNDS):
            bare.append(await _post_barely(url))
            fast.append(await _deliver(house, url, deliveries))
    without, beside = [], []
    for _ in range(ROUNDS):
        without += await _paced(house, are_dead=False)
        beside += await _paced(house, are_dead=True)
    p99, p99_beside = _p99(without), _p99(beside)
    ours, limit = max(fast), max(bare)
    return {
        "ratios": {
            "webhooks_vs_bare_posts": round(ours[0] / limit[0], 3),
            "webhooks_vs_bare_posts_by_cpu": round(ours[1] / limit[1], 3),
            "webhook_p99_beside_a_dead_endpoint": round(p99_beside / p99, 3),
        },
        "figures": {
            "webhook_deliveries_a_second": round(ours[0]),
            "webhook_deliveries_a_cpu_second": round(ours[1]),
            "bare_posts_a_second": round(limit[0]),
            "bare_posts_a_cpu_second": round(limit[1]),
            "webhook_p50_ms": round(1000 * statistics.median(without), 1),
            "webhook_p50_ms_beside_a_dead_endpoint": round(1000 * statistics.median(beside), 1),
            "webhook_p99_ms": round(1000 * p99, 1),
            "webhook_p99_ms_beside_a_dead_endpoint": round(1000 * p99_beside, 1),
            "load_average": round(os.getloadavg()[0], 1),
        },
    }


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peers.webhook_sink", str(port)
    )
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield port
    finally:
        child.terminate()
        await child.wait()


async def _post_barely(url: str) -> tuple[float, float]:
    """Post by httpx2, as many at once as a courier does; a second's, and a CPU second's."""
    secret = Secret("v1", os.urandom(32))
    body = b'{"type":"registration.participant.pending.v1","data":{}}'.ljust(420)
    turns = iter(range(BARE))
    limits = httpx2.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)

    async def post() -> None:
        for _ in turns:
            event_id = uuid4()
            answer = await client.post(
                url, content=body, headers=headers(event_id, body, [secret], now())
            )
            assert answer.is_success

    async with httpx2.AsyncClient(limits=limits, trust_env=False) as client:
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post() for _ in range(AT_ONCE)))
        return BARE / (time.perf_counter() - began), BARE / (time.process_time() - cpu)


async def _add(house: PartnersHouse, url: str) -> UUID:
    facts = {"url": url, "name": "", "types": (), "scheme": "v1"}
    owner = Owner(house.mission, house.partner)
    row, _ = await webhooks.add(house.database, house.hooks, owner, facts, (house.staff(), now()))
    return UUID(str(row["id"]))


async def _deliver(house: PartnersHouse, url: str, count: int) -> tuple[float, float]:
    """Deliver events that wait; a second's, and a CPU second's of this process."""
    id_ = await _add(house, url)
    await house.take([house.somebody(uuid4()) for _ in range(count)])
    couriers = Couriers(house.database, house.hooks)
    began, cpu = time.perf_counter(), time.process_time()
    await couriers.serve(id_)
    pace = count / (time.perf_counter() - began), count / (time.process_time() - cpu)
    async with house.database.reading() as connection:
        left = await webhook_deliveries.log(connection, id_, "waiting", 0, 1)
    assert not left
    await webhooks.remove(house.database, house.staff(), id_)
    return pace


class _Clock(asyncio.Protocol):
    """A receiver in this process that notes when each event came."""

    def __init__(self, came: dict[str, list[float]]) -> None:
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        # A request is written at once, and is small: it comes whole.
        id_ = data.partition(b"webhook-id: ")[2][:36].decode()
        self._came.setdefault(id_, []).append(at)
        self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def _paced(house: PartnersHouse, *, are_dead: bool) -> list[float]:
    """Append events one by one, and give the seconds until each endpoint had each of them.

    Beside those endpoints there are others: well too, or taking connections without an answer.
    """
    came: dict[str, list[float]] = {}
    loop = asyncio.get_running_loop()
    alive = await loop.create_server(lambda: _Clock(came), "127.0.0.1", 0)
    silent = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    well = await loop.create_server(lambda: _Clock({}), "127.0.0.1", 0)
    servers = [alive] * ENDPOINTS + [silent if are_dead else well] * OTHERS
    ids = [
        await _add(house, f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}/{number}")
        for number, one in enumerate(servers)
    ]
    told: dict[str, float] = {}
    bell, couriers = house.hooks.bell, Couriers(house.database, house.hooks)
    async with cancelling(bell.run()), cancelling(couriers.run()):
        for _ in range(PACED):
            at = time.perf_counter()
            (event_id,) = await house.take([house.somebody(uuid4())])
            told[str(event_id)] = at
            await asyncio.sleep(max(0.0, EACH_SECONDS - (time.perf_counter() - at)))
        async with asyncio.timeout(60):
            while sum(map(len, came.values())) < PACED * ENDPOINTS:  # noqa: ASYNC110  # once
                await asyncio.sleep(0.05)
    for id_ in ids:
        await webhooks.remove(house.database, house.staff(), id_)
    for server in (alive, silent, well):
        server.close()
    return [at - told[id_] for id_, times in came.items() for at in times]


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
