"""What staff did on the day stays, whatever a version says that was made before."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import pytest

from services.matching.domain.versions import Entry
from services.matching.store import schedules

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

LATER = timedelta(days=2557)


@pytest.fixture
async def session(house: "House") -> UUID:
    """A session of four slots and two tables that is still to come."""
    starts_at = (house.slot(1) + LATER).isoformat()
    answer = await house.add_session(slug="later", starts_at=starts_at)
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


def entry(house: "House", session: UUID, pair: str, slot: int, point: str = "T1") -> Entry:
    found = house.entry(pair, slot, point)
    times = {n: getattr(found, n) + LATER for n in ("starts_at", "ends_at")}
    return found.model_copy(update={"session_id": session, **times})


async def publish(house: "House", schedule: UUID) -> httpx2.Response:
    return await house.ask("POST", f"/api/v1/schedules/{schedule}/publish")


async def repaired(house: "House") -> None:
    """Let Luo come in the middle of the first slot, and accept what is proposed."""
    until = (house.slot(1) + LATER + timedelta(minutes=5)).isoformat()
    late = {"kind": "late", "person_id": str(house.people["luo"]), "until": until}
    body = {"stop_id": str(house.stop), "happened": late}
    repair = (await house.ask("POST", "/api/v1/repairs", body=body)).json()
    assert len(repair["touched"]) == 1
    answer = await house.ask("POST", f"/api/v1/repairs/{repair['id']}/accept")
    assert answer.status_code == 200, answer.text


async def moved(house: "House") -> None:
    """Move it by hand, and let later versions move it again."""
    meeting = await house.meeting("dave luo")
    to = (house.slot(2) + LATER).isoformat()
    body = {"starts_at": to, "point_id": str(house.points["T1"])}
    answer = await house.order(meeting, "move", 1, body)
    assert answer.status_code == 200, answer.text
    answer = await house.order(meeting, "unlock", 2)
    assert answer.status_code == 200, answer.text


async def cancelled(house: "House") -> None:
    answer = await house.order(await house.meeting("dave luo"), "cancel", 1)
    assert answer.status_code == 200, answer.text


async def where(house: "House") -> list[tuple[Any, ...]]:
    rows = await house.rows(
        "SELECT delegate_id, starts_at, point_id, state, revision FROM meeting ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


Happens = Callable[["House"], Awaitable[None]]


@pytest.mark.parametrize("happens", [repaired, moved, cancelled])
async def test_a_version_of_before_does_not_undo_it(
    house: "House", session: UUID, happens: Happens
) -> None:
    """Both versions were made before there was any meeting: neither knows its id."""
    first = await house.proposed(entry(house, session, "dave luo", 1))
    older = await house.proposed(
        entry(house, session, "dave luo", 1), entry(house, session, "dora luo", 3)
    )
    assert (await publish(house, first)).status_code == 200
    await happens(house)
    before = await where(house)
    answer = await publish(house, older)

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_schedule")
    why = "it was cancelled since" if happens is cancelled else "it was moved or begun since"
    (told,) = answer.json()["errors"]
    assert (told["pointer"], told["detail"]) == (
        "/entries/0",
        f"Sample Dave Co. – Sample Luo Co. (10:00, T1): {why}.",
    )
    assert await where(house) == before
    page = await house.get(f"/schedules/{older}/differences")
    assert [one["code"] for one in page["conflicts"]] == [
        "cancelled" if happens is cancelled else "fixed"
    ]


async def test_staff_decides_and_the_older_version_is_published_around_it(
    house: "House", session: UUID
) -> None:
    first = await house.proposed(entry(house, session, "dave luo", 1))
    older = await house.proposed(
        entry(house, session, "dave luo", 1), entry(house, session, "dora luo", 3)
    )
    await publish(house, first)
    await repaired(house)
    (before,) = await where(house)
    pair = {"delegate_id": str(house.people["dave"]), "local_id": str(house.people["luo"])}
    path = f"/api/v1/schedules/{older}/lock"
    answer = await house.ask("POST", path, body=pair | {"locked": True}, If_Match='"1"')
    assert answer.status_code == 200, answer.text

    assert (await publish(house, older)).status_code == 200
    assert before in await where(house)
    assert len(await where(house)) == 2


async def test_what_a_version_of_before_does_not_have_is_kept(
    house: "House", session: UUID
) -> None:
    first = await house.proposed(entry(house, session, "dave luo", 1))
    older = await house.proposed(entry(house, session, "dora luo", 3, "T2"))
    await publish(house, first)
    await repaired(house)
    (before,) = await where(house)

    assert (await publish(house, older)).status_code == 200
    assert before in await where(house)


async def test_a_version_made_afterwards_may_move_it_again(house: "House", session: UUID) -> None:
    await publish(house, await house.proposed(entry(house, session, "dave luo", 1)))
    await repaired(house)
    later = await house.proposed(entry(house, session, "dave luo", 4, "T2"))

    assert (await publish(house, later)).status_code == 200
    (row,) = await house.rows("SELECT starts_at, point_id FROM meeting")
    assert tuple(row) == (house.slot(4) + LATER, house.points["T2"])


async def test_a_search_knows_what_was_done_before_it_began(house: "House", session: UUID) -> None:
    await publish(house, await house.proposed(entry(house, session, "dave luo", 1)))
    asked = await house.ask("POST", "/api/v1/schedules", body={"stop_id": str(house.stop)})
    await repaired(house)
    async with house.database.transaction() as connection:
        row = await schedules.claim(connection)
    assert row is not None
    assert str(row["id"]) == asked.json()["id"]

    (seen,) = await house.rows("SELECT interventions FROM schedule WHERE id = $1", row["id"])
    assert seen["interventions"] == 1
