from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.notify.commands import planning
from services.notify.domain.mail import Kind
from services.notify.store import messages
from services.notify.store.messages import About, News
from shared.access import Principal

NOW = datetime(2023, 4, 10, 1, 0, tzinfo=UTC)


@pytest.fixture
async def mails(database: Any, world: Any) -> list[Kind]:
    """Three mails of the world's mission and one of another; the kinds of the three."""
    kinds: list[Kind] = ["pending", "confirmed", "sign_in"]
    async with database.transaction() as connection:
        for kind in kinds:
            about = None if kind == "sign_in" else About(world.stop, world.item)
            person = world.local if kind == "sign_in" else world.delegate
            await planning.tell(connection, [News.of(kind, person, world.mission, about)], NOW)
        await planning.tell(connection, [News.of("sign_in", world.delegate, uuid4())], NOW)
        row = await connection.fetchrow("SELECT id FROM message WHERE kind = 'pending'")
        await messages.end(connection, row["id"], "failed", "550 No such user")
    return kinds


async def test_mission_staff_see_their_missions_mails_newest_first(
    browser: Any, person: Any, mails: list[Kind]
) -> None:
    answer = await browser.get("/api/v1/deliveries", person("mission_staff"))
    found = answer.json()
    assert [item["kind"] for item in found["items"]] == mails[::-1]
    assert found["next"] is None
    first = found["items"][-1]
    assert (first["state"], first["reason"]) == ("failed", "550 No such user")


async def test_staff_of_all_missions_see_all(browser: Any, mails: list[Kind]) -> None:
    answer = await browser.get("/api/v1/deliveries", Principal("mission_staff", uuid4()))
    assert len(answer.json()["items"]) == len(mails) + 1


@pytest.mark.usefixtures("mails")
async def test_one_persons_mails_are_found(browser: Any, person: Any, world: Any) -> None:
    path = f"/api/v1/deliveries?person_id={world.local}"
    answer = await browser.get(path, person("mission_staff"))
    assert [item["kind"] for item in answer.json()["items"]] == ["sign_in"]


async def test_pages_follow_each_other_without_gap_or_overlap(
    browser: Any, person: Any, mails: list[Kind]
) -> None:
    staff, after, seen = person("mission_staff"), 0, []
    for _ in range(4):
        path = f"/api/v1/deliveries?limit=2&after={after}"
        found = (await browser.get(path, staff)).json()
        seen += [item["kind"] for item in found["items"]]
        after = found["next"]
        if after is None:
            break
    assert seen == mails[::-1]


@pytest.mark.parametrize(
    "role", ["partner_staff", "door_staff", "delegate", "local", "interpreter", "screen", "service"]
)
async def test_nobody_else_sees_them(browser: Any, person: Any, world: Any, role: Any) -> None:
    answer = await browser.get("/api/v1/deliveries", person(role, world.delegate, world.stop))
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_a_session_there_is_nothing(browser: Any) -> None:
    assert (await browser.get("/api/v1/deliveries", None)).status_code == 401


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "after=-1", "person_id=somebody"])
async def test_a_wrong_question_is_said_to_be_one(browser: Any, person: Any, query: str) -> None:
    answer = await browser.get(f"/api/v1/deliveries?{query}", person("mission_staff"))
    assert answer.status_code == 422
