"""Whether solving blocks: other requests of matching while a schedule is made, and while none is.

One stop of a mission's size, with a schedule in force. The board and the list of meetings are asked
for at an even pace, in turns with and without a search; a delay counts from when a request was due.
"""

import argparse
import asyncio
import itertools
import json
import random
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from bench.house import SECRET
from bench.load import Result, paced
from bench.matching_house import matching_house
from services.matching.store import facts
from shared.access import Principal, Tokens
from shared.events import registration as r
from shared.events.base import Bilingual
from shared.postgres import Database

DELEGATES, LOCALS, SLOTS, POINTS, INTERPRETERS = 16, 100, 10, 16, 7
RATE = 20
UNDER_WAY = ("queued", "running")
CONNECTIONS = 8
NAME = Bilingual(en="Benchmark", zh="基准测试")
SECTORS = ("batteries", "hydrogen", "water", "buildings")
STARTS_AT = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Stop:
    """A running matching service, and the stop in it."""

    port: int
    mission: UUID
    stop: UUID

    def token(self) -> str:
        """Sign somebody of mission staff in."""
        who = Principal("mission_staff", uuid4(), self.mission)
        return Tokens(SECRET).sign(who, "session", datetime.now(UTC))

    async def ask(self, path: str, body: object = None) -> dict[str, Any]:
        """Ask the API."""
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        address = f"http://127.0.0.1:{self.port}/api/v1{path}"
        request = urllib.request.Request(address, data, headers)  # an address of ours
        return await asyncio.to_thread(_answer, request)

    async def search(self, seconds: int) -> str:
        """Ask for a schedule, and give its id."""
        body = {"stop_id": str(self.stop), "seconds_max": seconds}
        schedule_id: str = (await self.ask("/schedules", body))["id"]
        return schedule_id

    async def ended(self, schedule_id: str) -> None:
        """Wait until a search is over."""
        while schedule_id in await self.searches():  # noqa: ASYNC110  # over HTTP
            await asyncio.sleep(0.5)

    async def searches(self) -> list[str]:
        """List the searches that wait or go on."""
        found = (await self.ask(f"/schedules?stop_id={self.stop}"))["items"]
        return [one["id"] for one in found if one["progress"] in UNDER_WAY]


def _answer(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # of ours
        content: dict[str, Any] = json.load(response)
        return content


@asynccontextmanager
async def service() -> AsyncIterator[Stop]:
    """Start matching with a stop that it has heard of, and stop it."""
    async with matching_house() as house:
        stop, item = Stop(house.port, uuid4(), uuid4()), uuid4()
        async with Database.connect(house.database_url) as connected:
            await _tell(connected, stop, item)
        await _session(stop, item)
        yield stop


async def _session(stop: Stop, item: UUID) -> None:
    body = {
        "programme_item_id": str(item),
        "slug": "morning",
        "starts_at": STARTS_AT.isoformat(),
        "slot_minutes": 25,
        "slots": SLOTS,
        "points": [{"label": f"T{n}", "kind": "table"} for n in range(POINTS)],
    }
    await stop.ask("/meeting-sessions", body)


async def _tell(connected: Database, stop: Stop, item: UUID) -> None:
    """Write what matching would have learnt by events."""
    names = random.Random(1)  # noqa: S311  # the same people each time
    async with connected.transaction() as connection:
        mission = r.MissionAnnounced(
            mission_id=stop.mission,
            slug="bench",
            title=NAME,
            starts_on=date(2030, 11, 6),
            ends_on=date(2030, 11, 11),
            sectors=dict.fromkeys(SECTORS, NAME),
        )
        await facts.put_mission(connection, mission, 1)
        planned = r.StopPlanned(
            stop_id=stop.stop,
            mission_id=stop.mission,
            slug="stop",
            city=NAME,
            title=NAME,
            timezone="Asia/Shanghai",
            on=date(2030, 11, 7),
        )
        await facts.put_stop(connection, planned, 1)
        held = r.ProgrammeItemPlanned(
            programme_item_id=item,
            stop_id=stop.stop,
            mission_id=stop.mission,
            kind="matchmaking",
            title=NAME,
            starts_at=STARTS_AT,
            ends_at=STARTS_AT + timedelta(hours=6),
        )
        await facts.put_item(connection, held, 1)
        for number in range(DELEGATES + LOCALS):
            event = _person(stop, item, number, names)
            await facts.put_participant(connection, event, 1)
            about = (event.participant_id, item, stop.stop)
            await facts.put_participation(connection, about, is_confirmed=True, version=1)
        for _ in range(INTERPRETERS):
            engaged = r.StaffEngaged(
                staff_id=uuid4(),
                mission_id=stop.mission,
                role="interpreter",
                stop_ids=(stop.stop,),
                languages=("en", "zh"),
            )
            await facts.put_interpreter(connection, engaged, 1)


def _person(stop: Stop, item: UUID, number: int, names: random.Random) -> r.ParticipantConfirmed:
    is_delegate = number < DELEGATES
    sector = names.choice(SECTORS)
    text = f"benchmark {sector} product {names.randrange(1000)}"
    return r.ParticipantConfirmed(
        participant_id=uuid4(),
        registration_id=uuid4(),
        mission_id=stop.mission,
        stop_id=stop.stop,
        programme_item_id=item,
        item_kind="matchmaking",
        side="delegation" if is_delegate else "local",
        organization=r.OrganizationFacts(
            organization_id=uuid4(),
            name=f"Benchmark Company {number}",
            native_name=f"基准企业{number}",
            country="US" if is_delegate else "CN",
            sectors=(sector,),
        ),
        languages=("en",) if is_delegate else ("zh",),
        listings=(
            r.Listing(
                kind="offer" if is_delegate else "need",
                sector=sector,
                text=Bilingual(en=text, zh=f"基准{sector}产品"),
            ),
        ),
    )


async def measured(stop: Stop, seconds: float) -> Result:
    """Ask for the board and for the meetings in turn, at an even pace."""
    paths = itertools.cycle(
        [f"/stops/{stop.stop}/board/content", f"/api/v1/meetings?stop_id={stop.stop}"]
    )
    token = stop.token()

    def make() -> bytes:
        head = f"GET {next(paths)} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}"
        return f"{head}\r\n\r\n".encode()

    return await paced(stop.port, make, connections=CONNECTIONS, rate=RATE, seconds=seconds)


async def compared(rounds: int, seconds: int) -> tuple[Result, Result]:
    """Measure in turns without a search and during one."""
    quiet, busy = Result(), Result()
    async with service() as stop:
        await stop.ended(first := await stop.search(5))
        await stop.ask(f"/schedules/{first}/publish", {})
        for _ in range(rounds):
            _add(quiet, await measured(stop, seconds))
            # The search is asked to take longer than the measurement, and starts before it.
            search = await stop.search(min(60, seconds + 10))
            _add(busy, await measured(stop, seconds))
            if search in await stop.searches():
                await stop.ask(f"/schedules/{search}/cancel", {})
            await stop.ended(search)
    return quiet, busy


def _add(result: Result, more: Result) -> None:
    result.seconds += more.seconds
    result.statuses += more.statuses
    result.delays += more.delays


def main() -> None:
    """Print each figure, and all as one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=15, help="of each round's two parts")
    arguments = parser.parse_args()
    quiet, busy = asyncio.run(compared(arguments.rounds, arguments.seconds))
    figures: dict[str, float] = {}
    for name, result in (("without", quiet), ("during", busy)):
        failed = sum(count for status, count in result.statuses.items() if status != 200)  # noqa: PLR2004
        figures[f"requests_{name}"] = len(result.delays)
        figures[f"failed_{name}"] = failed
        for share in (0.5, 0.99):
            key = f"p{100 * share:.0f}_ms_{name}"
            figures[key] = round(1000 * result.percentile(share), 2)
            print(f"{key:20} {figures[key]:8}")
    ratios = {
        "p99_during_vs_without": round(figures["p99_ms_during"] / figures["p99_ms_without"], 3),
        "p50_during_vs_without": round(figures["p50_ms_during"] / figures["p50_ms_without"], 3),
    }
    print(json.dumps({"bench": "blocking", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
