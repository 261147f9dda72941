"""Nobody meets at two venues with less time between than the way takes, whoever places it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import httpx2
import pytest

from services.matching.domain.versions import Entry
from services.matching.store import meetings

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

pytestmark = pytest.mark.usefixtures("harbour")


@pytest.fixture
async def harbour(house: "House") -> UUID:
    """A session of four slots in 2030: one table at the stop, one at the harbour."""
    points = [
        {"label": "T1", "kind": "table"},
        {"label": "H1", "kind": "offsite", "venue": "Harbour"},
    ]
    starts_at = (house.slot(1) + timedelta(days=2557)).isoformat()
    answer = await house.add_session(slug="later", starts_at=starts_at, points=points)
    assert answer.status_code == 201, answer.text
    house.points["H1"] = UUID(answer.json()["points"][1]["id"])
    await ways(house, 10)
    return UUID(answer.json()["id"])


async def ways(house: "House", minutes: int) -> None:
    """Say how far the harbour is; no minutes is next door."""
    listed = [{"one": "", "other": "Harbour", "minutes": minutes}] if minutes else []
    body = {"stop_id": str(house.stop), "ways": listed}
    answer = await house.rule("/scheduling-rules/ways", body)
    assert answer.status_code == 200, answer.text


def entry(house: "House", session: UUID, pair: str, slot: int, *where: str) -> Entry:
    found = house.entry(pair, slot, *where)
    times = {n: getattr(found, n) + timedelta(days=2557) for n in ("starts_at", "ends_at")}
    return found.model_copy(update={"session_id": session, **times})


async def move(house: "House", pair: str, to: Entry, revision: int = 1) -> httpx2.Response:
    body: dict[str, Any] = {"starts_at": to.starts_at.isoformat(), "point_id": str(to.point_id)}
    if to.interpreter_id:
        body["interpreter_id"] = str(to.interpreter_id)
    return await house.order(await house.meeting(pair), "move", revision, body)


async def report(house: "House", **happened: Any) -> Any:
    body = {"stop_id": str(house.stop), "happened": happened}
    answer = await house.ask("POST", "/api/v1/repairs", body=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_who_has_no_time_for_the_way_is_not_moved_there(
    house: "House", harbour: UUID
) -> None:
    await house.published(
        entry(house, harbour, "dave luo", 1, "H1"), entry(house, harbour, "dave lin", 4, "T1")
    )
    told = await house.told()
    answer = await move(house, "dave lin", entry(house, harbour, "dave lin", 2, "T1"))

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "too_far")
    assert problem["detail"] == (
        "Sample Dave Co. has no time for the way from or to "
        "Sample Dave Co. – Sample Luo Co. (10:00, H1)."
    )
    assert await house.told() == told
    # At the harbour itself, and after the break, there is time.
    for revision, (slot, point) in enumerate([(2, "H1"), (3, "T1")], 1):
        to = entry(house, harbour, "dave lin", slot, point)
        assert (await move(house, "dave lin", to, revision)).status_code == 200


async def test_an_interpreter_goes_the_way_too(house: "House", harbour: UUID) -> None:
    await house.published(
        entry(house, harbour, "dora lin", 1, "H1", "ivy"),
        entry(house, harbour, "dave liu", 4, "T1", "ivy"),
    )
    refused = await move(house, "dave liu", entry(house, harbour, "dave liu", 2, "T1", "ivy"))
    assert (refused.status_code, refused.json()["code"]) == (409, "too_far")
    assert refused.json()["detail"].startswith("The interpreter has no time for the way")

    moved = await move(house, "dave liu", entry(house, harbour, "dave liu", 2, "T1"))
    assert moved.json()["interpreter_id"] not in (None, str(house.helpers["ivy"]))


async def test_only_what_is_reached_is_offered(house: "House", harbour: UUID) -> None:
    await house.published(
        entry(house, harbour, "dave luo", 1, "H1"), entry(house, harbour, "dave lin", 4, "T1")
    )

    async def offered() -> list[tuple[str, str]]:
        path = f"/meetings/{await house.meeting('dave lin')}/options"
        return [(one["starts_at"][11:16], one["point"]) for one in (await house.get(path))["items"]]

    assert set(await offered()) == {
        ("03:05", "T1"),
        ("03:05", "H1"),
        ("02:25", "H1"),
        ("03:30", "H1"),
    }
    await ways(house, 0)
    assert ("02:25", "T1") in await offered()


async def test_a_version_edited_by_hand_offers_and_takes_what_is_reached_alone(
    house: "House", harbour: UUID
) -> None:
    kept = entry(house, harbour, "dave luo", 1, "H1")
    schedule = await house.proposed(kept, entry(house, harbour, "dave lin", 4, "T1"))
    pair = {
        name: str(house.people[who]) for name, who in (("delegate_id", "dave"), ("local_id", "lin"))
    }
    query = "&".join(f"{name}={value}" for name, value in pair.items())
    found = await house.get(f"/schedules/{schedule}/options?{query}&limit=100")
    near = entry(house, harbour, "dave lin", 2, "T1")
    at = near.starts_at.isoformat().replace("+00:00", "Z")
    assert {one["point"] for one in found["items"] if one["starts_at"] == at} == {"H1"}

    body = pair | {"starts_at": at, "point_id": str(near.point_id)}
    path = f"/api/v1/schedules/{schedule}/move"
    answer = await house.ask("POST", path, body=body, If_Match='"1"')
    assert (answer.status_code, answer.json()["code"]) == (409, "does_not_fit")


async def test_a_version_of_before_the_way_is_not_published(house: "House", harbour: UUID) -> None:
    await ways(house, 0)
    schedule = await house.proposed(
        entry(house, harbour, "dave luo", 1, "H1"), entry(house, harbour, "dave lin", 2, "T1")
    )
    await ways(house, 10)
    answer = await house.ask("POST", f"/api/v1/schedules/{schedule}/publish")

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_schedule")
    assert "has no time for the way" in answer.json()["detail"]
    assert await house.rows("SELECT FROM meeting") == []


async def test_a_repair_knows_the_way(house: "House", harbour: UUID) -> None:
    """Lin comes after the first slot: at the second she would leave Dave no way to the harbour."""
    await house.published(
        entry(house, harbour, "dave lin", 1, "T1"), entry(house, harbour, "dave luo", 3, "H1")
    )
    await ways(house, 20)
    until = entry(house, harbour, "dave lin", 2).starts_at - timedelta(minutes=10)
    late = {"kind": "late", "person_id": str(house.people["lin"]), "until": until.isoformat()}
    repair = await report(house, **late)
    (touched,) = repair["touched"]
    # The way back from the harbour leaves the second slot at the harbour alone, or the last.
    assert (touched["to"]["starts_at"][11:16], touched["to"]["point"]) == ("02:25", "H1")

    await ways(house, 0)
    (touched,) = (await report(house, **late))["touched"]
    assert (touched["to"]["starts_at"][11:16], touched["to"]["point"]) == ("02:25", "T1")


async def test_a_repair_of_before_the_way_is_stale(house: "House", harbour: UUID) -> None:
    await ways(house, 0)
    await house.published(
        entry(house, harbour, "dave lin", 1, "T1"), entry(house, harbour, "dave luo", 3, "H1")
    )
    until = entry(house, harbour, "dave lin", 2).starts_at - timedelta(minutes=10)
    repair = await report(
        house, kind="late", person_id=str(house.people["lin"]), until=until.isoformat()
    )
    await ways(house, 20)
    answer = await house.ask("POST", f"/api/v1/repairs/{repair['id']}/accept")

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_repair")
    view = await house.get(f"/repairs/{repair['id']}")
    assert view["conflict"]["why"] == "too_far"


async def test_the_wall_stands_without_the_commands(house: "House", harbour: UUID) -> None:
    await house.published(
        entry(house, harbour, "dave luo", 1, "H1"), entry(house, harbour, "dave lin", 4, "T1")
    )
    async with house.database.reading() as connection:
        held = await meetings.one(connection, await house.meeting("dave lin"))
    assert held is not None
    for slot, point, is_refused in ((2, "T1", True), (2, "H1", False), (3, "T1", False)):
        spot = entry(house, harbour, "dave lin", slot, point).spot

        async def written() -> None:
            async with house.database.transaction() as connection:
                await connection.execute(
                    "UPDATE meeting SET starts_at = $2, ends_at = $3, point_id = $4 WHERE id = $1",
                    *(held.id, spot.starts_at, spot.ends_at, spot.point_id),  # noqa: B023  # awaited at once
                )
                await connection.execute("DELETE FROM booking WHERE meeting_id = $1", held.id)
                await connection.execute(
                    "INSERT INTO booking SELECT $1, unnest($2::uuid[]), tstzrange($3, $4)",
                    *(held.id, [*held.people, spot.point_id], spot.starts_at, spot.ends_at),  # noqa: B023  # the same
                )

        if is_refused:
            with pytest.raises(asyncpg.CheckViolationError, match="no time for the way"):
                await written()
        else:
            await written()


async def test_venues_are_in_the_order_of_the_database(house: "House") -> None:
    """Where capital letters do not come first, Python's order is another one."""
    body = {
        "stop_id": str(house.stop),
        "ways": [
            {"one": one, "other": other, "minutes": 5}
            for one, other in (("annex", "Harbour"), ("Zoo", "annex"), ("Ärzte", "zoo"))
        ],
    }
    answer = await house.rule("/scheduling-rules/ways", body)
    assert (answer.status_code, len(answer.json()["ways"])) == (200, 3)
