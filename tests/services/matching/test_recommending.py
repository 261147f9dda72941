"""Recommendations follow changed profiles, and only what changed is placed anew."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.matching.commands.recommending import (
    PLACED_AT_ONCE,
    Recommender,
    place,
    place_changed,
)
from services.matching.domain.scoring import Profile
from services.matching.domain.scoring.concepts import vector
from services.matching.store import facts
from shared.events import registration as r
from shared.events.base import Bilingual
from tests.services.matching.conftest import PEOPLE

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

Shown = list[tuple[str, int]]


def listing(text: str, sector: str = "hydrogen") -> r.Listing:
    return r.Listing(kind="need", sector=sector, text=Bilingual(en=text, zh=text))


async def recommended(house: "House", name: str, by: Recommender | None = None) -> Shown:
    """List whom somebody is recommended, the best first, with the scores."""
    names = {person: name for name, person in house.people.items()}
    async with house.database.reading() as connection:
        stop = await facts.stop(connection, house.stop)
        assert stop is not None
        recommender = by or house.resources.recommender
        found = await recommender.recommend(connection, stop, house.people[name], 20)
    return [(names[one.counterpart_id], one.score) for one, _ in found]


def placings() -> int:
    """Count the texts that were placed so far: what is remembered is not placed again."""
    return vector.cache_info().misses


@pytest.fixture
async def told(house: "House") -> "House":
    """A house in which everybody lists a text of their own, new to this process."""
    for name in PEOPLE:
        own = house.confirmed(name, listings=(listing(f"{name} {uuid4()}", PEOPLE[name][2]),))
        await house.hear((own, 2))
    return house


async def test_a_changed_profile_is_recommended_otherwise_and_alone_placed_anew(
    told: "House",
) -> None:
    placed = placings()
    before = await recommended(told, "dave")
    assert placings() == placed + len(PEOPLE)
    unconcerned = await recommended(told, "luo")
    # Nothing changed: nothing is placed.
    assert await recommended(told, "dave") == before
    assert placings() == placed + len(PEOPLE)

    offer = r.Listing(kind="offer", sector="hydrogen", text=Bilingual(en=f"{uuid4()}", zh="氢"))
    await told.hear((told.confirmed("dave", listings=(offer,)), 3))
    placed = placings()
    wanted = f"proton exchange membrane electrolysers {uuid4()}"
    await told.hear((told.confirmed("liu", listings=(listing(wanted),)), 3))
    after = dict(await recommended(told, "dave"))
    assert placings() == placed + 2
    assert after["liu"] > dict(before)["liu"]
    assert set(after) == set(dict(before))
    # Of the same side as liu, whose profile is nothing to luo; dave's is.
    changed = dict(await recommended(told, "luo"))
    assert changed["dave"] != dict(unconcerned)["dave"]
    assert changed["dora"] == dict(unconcerned)["dora"]
    assert placings() == placed + 2


async def test_who_came_and_who_went_is_seen_without_placing_anybody_again(
    told: "House",
) -> None:
    await recommended(told, "dave")
    placed = placings()
    await told.hear((r.ParticipantCancelled(**told.about("luo")), 3))
    assert "luo" not in dict(await recommended(told, "dave"))
    await told.hear((told.confirmed("luo", listings=()), 4))
    assert "luo" not in dict(await recommended(told, "dave"))
    assert placings() == placed

    back = told.confirmed("luo", listings=(listing(f"back {uuid4()}"),))
    await told.hear((back, 5))
    assert "luo" in dict(await recommended(told, "dave"))
    assert placings() == placed + 1


async def test_what_is_listed_is_placed_before_anybody_asks(told: "House") -> None:
    day = told.stop_planned().model_copy(update={"on": datetime.now(UTC).date()})
    await told.hear((day, 2))
    placed = placings()
    versions = await place_changed(told.database, {})
    assert placings() == placed + len(PEOPLE)
    await recommended(told, "dora")
    assert placings() == placed + len(PEOPLE)

    await told.hear((told.confirmed("lin", listings=(listing(f"new {uuid4()}"),)), 3))
    assert await place_changed(told.database, versions) != versions
    assert placings() == placed + len(PEOPLE) + 1


async def test_who_has_been_at_a_stop_that_is_over_is_placed_when_somebody_asks(
    told: "House",
) -> None:
    placed = placings()
    assert await place_changed(told.database, {}) == {}
    assert placings() == placed


async def test_others_are_served_while_many_texts_are_placed() -> None:
    people = [
        Profile(uuid4(), "local", "Co", None, frozenset(), frozenset(), (listing(f"{uuid4()}"),))
        for _ in range(10 * PLACED_AT_ONCE)
    ]
    turns = 0

    async def serve() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    serving = asyncio.create_task(serve())
    await place(people)
    serving.cancel()

    assert turns >= len(people) // PLACED_AT_ONCE


async def test_who_takes_the_consent_back_is_recommended_no_more_until_it_is_given_again(
    house: "House",
) -> None:
    told: dict[str, Any] = {
        "person_id": house.people["luo"],
        "mission_id": house.mission,
        "purpose": "cross_border_transfer",
        "is_cross_border": True,
    }
    assert "luo" in dict(await recommended(house, "dave"))
    await house.hear((r.ConsentRevoked(**told), 2))
    assert "luo" not in dict(await recommended(house, "dave"))
    await house.hear((r.ConsentGranted(**told), 3))
    assert "luo" in dict(await recommended(house, "dave"))


async def test_after_a_restart_the_same_is_recommended_and_each_text_is_placed_once(
    told: "House",
) -> None:
    names = ("dora", "dave", "luo")
    before = [await recommended(told, name) for name in names]
    vector.cache_clear()
    restarted = Recommender()

    assert [await recommended(told, name, restarted) for name in names] == before
    assert placings() == len(PEOPLE)


async def test_who_refused_everybody_is_recommended_nobody(house: "House") -> None:
    for name in ("lin", "luo", "liu"):
        pair = {"participant_id": house.people["dora"], "counterpart_id": house.people[name]}
        no = {"stop_id": house.stop, **pair, "kind": "no_thanks"}
        await house.ask("PUT", "/api/v1/preferences", body={k: str(v) for k, v in no.items()})

    assert await recommended(house, "dora") == []


async def test_only_what_somebody_asks_for_is_ranked(house: "House") -> None:
    async with house.database.reading() as connection:
        stop = await facts.stop(connection, house.stop)
        assert stop is not None
        found = await house.resources.recommender.recommend(
            connection, stop, house.people["dora"], 1, lambda one: "hydrogen" in one.sectors
        )
    assert [one.counterpart_id for one, _ in found] == [house.people["luo"]]
