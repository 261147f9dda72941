"""The search in a process of its own: heard while it goes on, ended by staff, outlived."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.commands import scheduling
from services.matching.commands.solving import search
from services.matching.commands.stating import state
from services.matching.domain.reports import Report
from services.matching.store import schedules
from shared.events import registration as r
from shared.events.base import Bilingual
from shared.process import cancelling

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

SEARCH_SECONDS = 60
SECONDS_MAX = 120
SECTORS = ("batteries", "hydrogen")


@pytest.fixture
async def crowded(house: "House") -> "House":
    """A stop with so many equal people that no search proves its best within a minute."""
    events = []
    for number in range(60):
        side = "delegation" if number < 20 else "local"
        sector = SECTORS[number % 2]
        name = f"Sample {number}"
        events.append(
            r.ParticipantConfirmed(
                **house.about("dora") | {"participant_id": uuid4(), "side": side},
                organization=r.OrganizationFacts(
                    organization_id=uuid4(),
                    name=name,
                    country="CN",
                    sectors=(sector,),
                ),
                languages=("en",),
                listings=(
                    r.Listing(
                        kind="offer" if number % 3 else "need",
                        sector=sector,
                        text=Bilingual(en=f"sample {sector} {number}", zh=f"示例{number}"),
                    ),
                ),
            )
        )
    await house.hear(*((event, 1) for event in events))
    answer = await house.add_session(
        slug="afternoon",
        starts_at=house.slot(30).isoformat(),
        slots=12,
        points=[{"label": f"A{n}", "kind": "table"} for n in range(9)],
    )
    assert answer.status_code == 201, answer.text
    return house


async def asked(house: "House") -> str:
    body = {"stop_id": str(house.stop), "seconds_max": SEARCH_SECONDS}
    answer = await house.ask("POST", "/api/v1/schedules", body=body)
    schedule_id: str = answer.json()["id"]
    return schedule_id


async def read(house: "House", schedule_id: str) -> Any:
    return await house.get(f"/schedules/{schedule_id}")


async def until_found(house: "House", schedule_id: str) -> Any:
    """Wait until the search has found something and goes on."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (found := await read(house, schedule_id))["entries"]:
            await asyncio.sleep(0.05)
    assert (found["progress"], found["state"]) == ("running", "draft")
    return found


async def until_over(house: "House", schedule_id: str) -> Any:
    async with asyncio.timeout(SECONDS_MAX):
        while (found := await read(house, schedule_id))["progress"] in ("queued", "running"):
            await asyncio.sleep(0.05)
    return found


def solvers() -> list[int]:
    """List the solver's processes that this one has started."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        # A thread or a child may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in (task / "children").read_text().split():
                command = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"services.matching.solver" in command:
                    found.append(int(child))
    return found


async def test_a_killed_solver_leaves_the_best_it_has_found(crowded: "House") -> None:
    schedule_id = await asked(crowded)
    loop = scheduling.solve_for_ever(crowded.database, crowded.resources.asked)
    async with cancelling(loop):
        during = await until_found(crowded, schedule_id)
        assert during["stage"]
        assert during["seconds"] < SEARCH_SECONDS
        assert os.getpriority(os.PRIO_PROCESS, solvers()[0]) > os.getpriority(os.PRIO_PROCESS, 0)
        os.kill(solvers()[0], signal.SIGKILL)
        found = await until_over(crowded, schedule_id)

    assert (found["state"], found["progress"]) == ("provisional", "done")
    assert found["ended"] == "broken"
    assert found["objective"] >= during["objective"]
    assert found["meetings"] == len(found["entries"]) > 0
    published = await crowded.ask("POST", f"/api/v1/schedules/{schedule_id}/publish")
    assert published.status_code == 200, published.text


async def test_staff_ends_a_search_and_keeps_what_it_has_found(crowded: "House") -> None:
    schedule_id, waiting = await asked(crowded), await asked(crowded)
    loop = scheduling.solve_for_ever(crowded.database, crowded.resources.asked)
    async with cancelling(loop):
        await until_found(crowded, schedule_id)
        for each in (waiting, schedule_id, schedule_id):
            answer = await crowded.ask("POST", f"/api/v1/schedules/{each}/cancel")
            assert (answer.status_code, answer.json()["is_cancelled"]) == (200, True)
        found = await until_over(crowded, schedule_id)
        never = await until_over(crowded, waiting)

    assert (found["state"], found["progress"], found["ended"]) == (
        "provisional",
        "done",
        "cancelled",
    )
    assert found["entries"]
    assert (never["state"], never["progress"], never["entries"]) == ("draft", "cancelled", [])
    assert solvers() == []


async def test_a_restart_leaves_what_was_found_and_asks_anew_for_the_rest(
    crowded: "House",
) -> None:
    schedule_id, waiting = await asked(crowded), await asked(crowded)
    loop = scheduling.solve_for_ever(crowded.database, crowded.resources.asked)
    async with cancelling(loop):
        during = await until_found(crowded, schedule_id)
    # Nothing was settled: the process of the service is gone.
    assert (await read(crowded, schedule_id))["progress"] == "running"
    assert solvers() == []
    async with crowded.database.transaction() as connection:
        await schedules.resume(connection)

    found = await read(crowded, schedule_id)
    assert (found["state"], found["progress"], found["ended"]) == ("provisional", "done", "broken")
    assert found["meetings"] >= during["meetings"]
    assert (await read(crowded, waiting))["progress"] == "queued"


async def test_only_what_is_made_can_be_ended_and_only_by_staff(house: "House") -> None:
    made = await house.proposed(house.entry("dave luo", 1))
    answer = await house.ask("POST", f"/api/v1/schedules/{made}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")
    for who in (house.person("dora"), house.someone("door_staff"), house.someone("partner_staff")):
        answer = await house.ask("POST", f"/api/v1/schedules/{made}/cancel", who)
        assert answer.status_code == 403
    assert (await house.ask("POST", f"/api/v1/schedules/{uuid4()}/cancel")).status_code == 404


async def test_what_is_told_gets_never_worse_and_says_what_cannot_be(house: "House") -> None:
    for other in ("lin", "luo", "liu"):
        body = {
            "stop_id": str(house.stop),
            "participant_id": str(house.people["dora"]),
            "counterpart_id": str(house.people[other]),
            "kind": "must_meet",
        }
        await house.ask("PUT", "/api/v1/preferences", body=body)
    answer = await house.rule(
        "/scheduling-rules/availabilities",
        {
            "stop_id": str(house.stop),
            "person_id": str(house.people["dora"]),
            "times": [
                {"starts_at": house.slot(1).isoformat(), "ends_at": house.slot(3).isoformat()}
            ],
        },
    )
    assert answer.status_code == 200, answer.text
    async with house.database.reading() as connection:
        stated = await state(connection, house.stop, house.mission, 5)
    told: list[Report] = []
    search(stated, told.append)

    ranks = [(one.musts, one.objective) for one in told]
    assert ranks == sorted(ranks)
    last = told[-1]
    assert (last.musts, last.musts_most, last.is_proved) == (2, 3, True)
    schedule_id = uuid4()
    async with house.database.transaction() as connection:
        await schedules.add(connection, schedule_id, house.stop, 5, house.slot(1))
        for one in told:
            await schedules.note(connection, schedule_id, one)
    (conflict,) = (await read(house, str(schedule_id)))["conflicts"]
    assert conflict["code"] == "slots"
    assert {UUID(local) for _, local in conflict["pairs"]} == {
        house.people[name] for name in ("lin", "luo", "liu")
    }
    assert conflict["reason"]["zh"]
