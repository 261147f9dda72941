"""Registration beside pgbench: the public endpoint with everything on, and the bulk endpoint.

Run: `python -m bench.registration [--quick]`. One PostgreSQL, durable, serves both; the rounds
alternate, and each ratio is that of medians. Ends with one JSON line.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import uvloop

from bench import load, people, pgbench
from bench.house import CAPACITY_MAX, SECRET, House, database, house
from shared.access import Principal, Tokens

CONNECTIONS = (64, 256)
"""A rush is many at once; like the peer, we are measured by the better of two."""
PEERS = {"capped": (16, 64), "uncapped": (16, 64), "batched": (1, 2)}
LIST_SIZE = 500
LIST_CONNECTIONS = 2
PACED_SHARE = 0.8
FLOOD = 5
FLOOD_CONNECTIONS = 2_048


@dataclass(frozen=True)
class Length:
    """How long a run takes: rounds, seconds of each, and how many rows the big table gets."""

    rounds: int
    seconds: int
    rows: int


WHOLE = Length(rounds=5, seconds=6, rows=1_000_000)
QUICK = Length(rounds=1, seconds=2, rows=20_000)


async def main(length: Length) -> dict[str, object]:
    """Measure everything, and give the ratios and figures."""
    async with house() as home:
        peer = await database(home.postgres_url, "peer")
        await pgbench.prepare(peer)
        figures = await _beside(home, peer, length)
        await _settle(home.database_url, peer)
        figures |= await _paced(home, figures["registrations_per_second"], length)
        figures |= await _flooded(home, figures["registrations_per_second"], length)
        figures |= await _grown(home, length)
        figures["memory_mib"] = home.memory_mib()
    ratios = {
        "vs_pgbench": figures["registrations_per_second"] / figures["pgbench_per_second"],
        "vs_pgbench_uncapped": figures["registrations_per_second"]
        / figures["pgbench_uncapped_per_second"],
        "vs_pgbench_batched": figures["registrations_per_second"]
        / figures["pgbench_batched_per_second"],
        "bulk_vs_pgbench_batched": figures["bulk_per_second"]
        / figures["pgbench_batched_per_second"],
        "goodput_at_5x": figures["flood_accepted_per_second"] / figures["registrations_per_second"],
        "rate_at_many_rows": figures["rate_with_many_rows"] / figures["rate_with_few_rows"],
    }
    rounded = {name: round(value, 2) for name, value in ratios.items()}
    return {
        "bench": "registration",
        "ratios": rounded,
        "figures": {name: round(value, 1) for name, value in figures.items()},
    }


async def _beside(home: House, peer: str, length: Length) -> dict[str, float]:
    """Alternate the three, so that a slow moment of the disk meets all of them."""
    rounds: dict[str, list[float]] = {name: [] for name in ("ours", *PEERS)}
    for number in range(length.rounds):
        for kind, counts in PEERS.items():
            rates = [
                await pgbench.rate(peer, kind, clients=clients, seconds=length.seconds)
                for clients in counts
            ]
            rounds[kind].append(max(rates))
        item = await home.item()
        rates = []
        for connections in CONNECTIONS:
            make = people.requests(f"beside{number}-{connections}", item)
            result = await load.closed(
                home.port, make, connections=connections, seconds=length.seconds
            )
            _all_accepted(result)
            rates.append(result.rate)
        rounds["ours"].append(max(rates))
        print(f"round {number + 1}: " + ", ".join(f"{n} {rounds[n][-1]:.0f}/s" for n in rounds))
    return {
        "registrations_per_second": statistics.median(rounds["ours"]),
        "pgbench_per_second": statistics.median(rounds["capped"]),
        "pgbench_uncapped_per_second": statistics.median(rounds["uncapped"]),
        "pgbench_batched_per_second": statistics.median(rounds["batched"]),
    }


async def _settle(*databases: str) -> None:
    """Have PostgreSQL tidy up what was written before a measurement, as it does before a morning.

    Else it does so while the service is measured: what the peer wrote, or a million rows.
    """
    for address in databases:
        connection = await asyncpg.connect(address)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
        await connection.close()


async def _paced(home: House, rate: float, length: Length) -> dict[str, float]:
    make = people.requests("paced", await home.item())
    result = await load.paced(
        home.port,
        make,
        connections=CONNECTIONS[-1],
        rate=PACED_SHARE * rate,
        seconds=length.seconds,
    )
    _all_accepted(result)
    found = {f"paced_p{share}_ms": result.percentile(share / 100) * 1000 for share in (50, 99)}
    print(f"at {PACED_SHARE:.0%} of the rate: {found}")
    return found


async def _flooded(home: House, rate: float, length: Length) -> dict[str, float]:
    make = people.requests("flood", await home.item())
    result = await load.flood(
        home.port,
        make,
        connections=FLOOD_CONNECTIONS,
        rate=FLOOD * rate,
        seconds=length.seconds,
    )
    assert result.without_retry_after == 0, "somebody was turned away without a Retry-After"
    print(f"flood: {dict(result.statuses)} in {result.seconds:.1f} s")
    # Those who were let in are still being written.
    await asyncio.sleep(length.seconds)
    return {
        "flood_accepted_per_second": result.rate,
        "flood_turned_away_per_second": (result.statuses[503] + result.statuses[429])
        / result.seconds,
        "flood_offered_per_second": result.offered / result.seconds,
    }


async def _grown(home: House, length: Length) -> dict[str, float]:
    """Measure with many rows in the tables, which come as lists of a partner's system.

    Each rate is that of a new item.
    """

    async def rate() -> float:
        result = await load.closed(
            home.port,
            people.requests(f"grown{uuid4().hex[:6]}", await home.item()),
            connections=CONNECTIONS[-1],
            seconds=length.seconds,
        )
        _all_accepted(result)
        return result.rate

    await _settle(home.database_url)
    few = await _median(rate, length.rounds)
    bulk, rows = await _fill(home, length.rows)
    print(f"{rows} rows, by lists of {LIST_SIZE}: {bulk:.0f}/s")
    await _settle(home.database_url)
    many = await _median(rate, length.rounds)
    return {
        "bulk_per_second": bulk,
        "rate_with_few_rows": few,
        "rate_with_many_rows": many,
        "many_rows": rows,
    }


async def _median(measure: Callable[[], Awaitable[float]], rounds: int) -> float:
    return statistics.median([await measure() for _ in range(rounds)])


async def _fill(home: House, rows: int) -> tuple[float, int]:
    """Let the tables grow to `rows` registrations; gives how many a second, and how many."""
    connection = await asyncpg.connect(home.database_url)
    who = Principal("mission_staff", uuid4())
    token = Tokens(SECRET).sign(who, "session", datetime.now(UTC))
    first: int = await connection.fetchval("SELECT count(*) FROM registration")
    count, number = first, 0
    started = time.perf_counter()
    while count < rows:
        item = await home.item(CAPACITY_MAX)
        make = people.lists(f"fill{number}", item, token, size=LIST_SIZE)
        wanted = min(CAPACITY_MAX, rows - count)
        opened = [await load.Connection.open(home.port) for _ in range(LIST_CONNECTIONS)]
        requests = iter([make() for _ in range(-(-wanted // LIST_SIZE))])

        async def send(sender: load.Connection, requests: Iterator[bytes] = requests) -> None:
            for request in requests:
                answer = await sender.ask(request)
                assert answer.status == 200, answer.body  # noqa: PLR2004

        await asyncio.gather(*(send(sender) for sender in opened))
        for sender in opened:
            sender.close()
        count = await connection.fetchval("SELECT count(*) FROM registration")
        number += 1
    rate = (count - first) / (time.perf_counter() - started)
    await connection.close()
    return rate, count


def _all_accepted(result: load.Result) -> None:
    assert set(result.statuses) == {201}, result.statuses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    chosen = QUICK if parser.parse_args().quick else WHOLE
    print(json.dumps(uvloop.run(main(chosen))))
