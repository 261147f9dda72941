"""Twenty-four writers change one stop at once, over three services on one database.

They move, delay, cancel, have repairs proposed and accepted, and publish versions. Each commit
looks, as it ends, whether anybody is in two places by what meetings say themselves: bookings,
and the wall over them, are not asked. `RACE_ROUNDS` times each writer does what it does.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from services.matching.domain.versions import Entry

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Opening

ROUNDS = int(os.environ.get("RACE_ROUNDS", "4"))
SERVICES = 3
ATTEMPTS = 6
CANCEL_SHARE = 0.4
LEAVING_SHARE = 0.5
SLOTS, POINTS, DELEGATES, LOCALS = 8, 6, 6, 12
START = datetime(2030, 11, 7, 2, 0, tzinfo=UTC)
SLOT = timedelta(minutes=25)

WATCH = """
CREATE TABLE watched (txid bigint PRIMARY KEY, twice bigint NOT NULL);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT EXISTS (SELECT FROM watched WHERE txid = txid_current()) THEN
        INSERT INTO watched SELECT txid_current(), count(*) FROM meeting AS a JOIN meeting AS b
            ON a.id < b.id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
            AND (a.delegate_id = b.delegate_id OR a.local_id = b.local_id
                 OR a.point_id = b.point_id OR a.interpreter_id = b.interpreter_id)
            WHERE a.state <> 'cancelled' AND b.state <> 'cancelled';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER watch AFTER INSERT OR UPDATE ON meeting
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION watch();
"""
FORGET = "DROP TRIGGER watch ON meeting; DROP FUNCTION watch; DROP TABLE watched"


@dataclass
class Crowd:
    """A stop with room for trouble, and the services that change it."""

    houses: Sequence["House"]
    session: UUID
    points: Sequence[UUID]
    plan: Sequence[Entry]
    delegates: Sequence[UUID]
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def ask(
        self, rng: random.Random, what: str, path: str, body: Any = None, revision: int = 0
    ) -> Any:
        """Ask one of the services, and count how it answered; a fault of the service is none."""
        house = rng.choice(self.houses)
        headers = {"If_Match": f'"{revision}"'} if revision else {}
        answer = await house.ask("POST", f"/api/v1{path}", None, body=body, **headers)
        assert answer.status_code < 500, answer.text
        self.answers[what, answer.status_code] += 1
        return answer.json() if answer.content else None

    async def meeting(self, rng: random.Random) -> tuple[UUID, int]:
        """Choose a meeting, as somebody saw it a moment ago."""
        rows = await self.houses[0].rows(
            "SELECT id, revision FROM meeting WHERE state = 'scheduled' ORDER BY id"
        )
        row = rng.choice(rows)
        return row["id"], row["revision"]


async def move(crowd: Crowd, rng: random.Random) -> None:
    meeting, revision = await crowd.meeting(rng)
    body = {
        "starts_at": (START + rng.randrange(SLOTS) * SLOT).isoformat(),
        "point_id": str(rng.choice(crowd.points)),
    }
    await crowd.ask(rng, "move", f"/meetings/{meeting}/move", body, revision)


async def delay(crowd: Crowd, rng: random.Random) -> None:
    meeting, revision = await crowd.meeting(rng)
    body = {"minutes": rng.randrange(1, 20)}
    await crowd.ask(rng, "delay", f"/meetings/{meeting}/delay", body, revision)


async def cancel(crowd: Crowd, rng: random.Random) -> None:
    """Cancel a meeting now and then: some must be left to change."""
    if rng.random() > CANCEL_SHARE:
        return
    meeting, revision = await crowd.meeting(rng)
    await crowd.ask(rng, "cancel", f"/meetings/{meeting}/cancel", None, revision)


async def repair(crowd: Crowd, rng: random.Random) -> None:
    """Let somebody be late, or leave early, accept the repair, and let that be forgotten."""
    person = {"person_id": str(rng.choice(crowd.delegates))}
    at = (START + rng.randrange(1, 4) * SLOT).isoformat()
    happened = {"kind": "late", **person, "until": at}
    if rng.random() < LEAVING_SHARE:
        at = (START + (SLOTS - rng.randrange(1, 4)) * SLOT).isoformat()
        happened = {"kind": "leaves_early", **person, "since": at}
    body = {"stop_id": str(crowd.houses[0].stop), "happened": happened}
    found = await crowd.ask(rng, "propose", "/repairs", body)
    await crowd.ask(rng, "accept", f"/repairs/{found['id']}/accept")
    for row in await crowd.houses[0].rows("SELECT id FROM absence"):
        await crowd.ask(rng, "end", f"/absences/{row['id']}/end")


async def publish(crowd: Crowd, rng: random.Random) -> None:
    """Publish the day of a moment ago with one meeting more, or elsewhere, until that fits."""
    for _ in range(ATTEMPTS):
        rows = await crowd.houses[0].rows(
            "SELECT id AS meeting_id, session_id, delegate_id, local_id, starts_at, ends_at, "
            "point_id, interpreter_id, interpreter_needed, locked FROM meeting "
            "WHERE state <> 'cancelled'"
        )
        now = {entry.people: entry for entry in (Entry(**row) for row in rows)}
        gone = [entry for entry in crowd.plan if entry.people not in now]
        one = rng.choice(gone or [entry for entry in now.values() if not entry.locked])
        others = [entry for entry in now.values() if entry.people != one.people]
        held = {(resource, entry.starts_at) for entry in others for resource in entry.resources}
        free = [
            (START + slot * SLOT, point)
            for slot in range(SLOTS)
            for point in crowd.points
            if not held & {(r, START + slot * SLOT) for r in (*one.people, point)}
        ]
        starts_at, point = rng.choice(free)
        spot = {"starts_at": starts_at, "ends_at": starts_at + SLOT, "point_id": point}
        now[one.people] = one.model_copy(update=spot)
        schedule = await rng.choice(crowd.houses).proposed(*now.values())
        if "code" not in await crowd.ask(rng, "publish", f"/schedules/{schedule}/publish"):
            return


WRITERS: Sequence[Callable[[Crowd, random.Random], Awaitable[None]]] = (
    *[move] * 6,
    *[delay] * 5,
    *[cancel] * 3,
    *[repair] * 6,
    *[publish] * 4,
)


@asynccontextmanager
async def crowded(house: "House", opening: "Opening", url: str) -> AsyncIterator[Crowd]:
    """Make a stop where a third of all points is free, and open the other services."""
    async with AsyncExitStack() as stack:
        houses = [house]
        for _ in range(SERVICES - 1):
            opened = await stack.enter_async_context(opening(url))
            houses.append(replace(opened, mission=house.mission, stop=house.stop, item=house.item))
        answer = await house.add_session(
            slug="race",
            starts_at=START.isoformat(),
            slots=SLOTS,
            breaks=[],
            points=[{"label": f"R{n}", "kind": "table"} for n in range(POINTS)],
        )
        session = UUID(answer.json()["id"])
        points = [UUID(point["id"]) for point in answer.json()["points"]]
        people = await settle(house)
        delegates, locals_ = people[:DELEGATES], people[DELEGATES:]
        plan = planned(session, points, (delegates, locals_))
        crowd = Crowd(houses, session, points, plan, delegates)
        await house.published(*plan)
        await execute(house, WATCH)
        try:
            yield crowd
        finally:
            await execute(house, FORGET)


async def execute(house: "House", statements: str) -> None:
    async with house.database.transaction() as connection:
        await connection.execute(statements)


async def settle(house: "House") -> list[UUID]:
    """Give people places: the delegation first. All speak one language."""
    people = [uuid4() for _ in range(DELEGATES + LOCALS)]
    async with house.database.transaction() as connection:
        for number, person in enumerate(people):
            await connection.execute(
                "INSERT INTO participant (id, mission_id, side, organization_id, organization, "
                "sectors, languages, listings, version) "
                "VALUES ($1, $2, $3, $4, $5, '{}', '{en}', '[]', 1)",
                person,
                house.mission,
                "delegation" if number < DELEGATES else "local",
                uuid4(),
                f"Sample {number} Co.",
            )
            await connection.execute(
                "INSERT INTO participation VALUES ($1, $2, $3, true, NULL, 1)",
                person,
                house.item,
                house.stop,
            )
    return people


def planned(
    session: UUID, points: Sequence[UUID], people: tuple[Sequence[UUID], Sequence[UUID]]
) -> list[Entry]:
    """Let each delegate meet somebody else in two slots of three."""
    delegates, locals_ = people
    return [
        Entry(
            session_id=session,
            delegate_id=delegate,
            local_id=locals_[(slot + 2 * number) % LOCALS],
            starts_at=START + slot * SLOT,
            ends_at=START + (slot + 1) * SLOT,
            point_id=points[number],
            interpreter_id=None,
            interpreter_needed=False,
        )
        for slot in range(SLOTS)
        for number, delegate in enumerate(delegates)
        if (slot + number) % 3
    ]


async def test_twenty_four_writers_leave_nobody_in_two_places_and_lose_nothing(
    bare: "House", furnished: Any, opening: "Opening", matching_url: str
) -> None:
    await furnished(bare)
    async with crowded(bare, opening, matching_url) as crowd:
        assert len(WRITERS) == 24

        async def write(number: int) -> None:
            rng = random.Random(number)  # noqa: S311  # the same each time
            for _ in range(ROUNDS):
                await WRITERS[number](crowd, rng)

        async with asyncio.timeout(120 + 20 * ROUNDS), asyncio.TaskGroup() as group:
            for number in range(len(WRITERS)):
                group.create_task(write(number))
        watched = await bare.rows("SELECT twice FROM watched")
    done = {what: count for (what, status), count in crowd.answers.items() if status == 200}

    # Everything happened, and nothing was refused for another reason than its state.
    assert {status for _, status in crowd.answers} <= {200, 201, 204, 404, 409, 412}
    assert done.keys() >= {"move", "delay", "cancel", "accept", "publish"}, crowd.answers
    assert len(watched) >= sum(done[what] for what in ("move", "delay", "cancel"))
    assert {row["twice"] for row in watched} == {0}
    await assert_nothing_is_lost(bare, done)


async def assert_nothing_is_lost(house: "House", done: dict[str, int]) -> None:
    """Each revision of each meeting was announced once, in order, and is what is stored."""
    rows = await house.rows("SELECT id, revision, state FROM meeting")
    told = await house.rows("SELECT key, sequence, type FROM outbox ORDER BY id")
    announced: dict[UUID, list[int]] = {}
    for row in told:
        if ".meeting." in row["type"]:
            announced.setdefault(row["key"], []).append(row["sequence"])
    assert announced == {row["id"]: list(range(1, row["revision"] + 1)) for row in rows}
    kinds = Counter(row["type"] for row in told)
    assert kinds["matching.meeting.delayed.v1"] == done["delay"]
    # And what holds people and points is what the meetings say.
    wrong = await house.rows(
        "SELECT FROM meeting FULL JOIN booking ON booking.meeting_id = meeting.id "
        "WHERE (meeting.state = 'cancelled') = (booking.meeting_id IS NOT NULL) "
        "OR booking.during <> tstzrange(meeting.starts_at, meeting.ends_at)"
    )
    assert wrong == []
