"""Recommendations follow changed profiles, and only what changed is placed anew."""

from typing import TYPE_CHECKING, Any

from services.matching.commands.recommending import Recommender
from services.matching.domain.scoring.concepts import vector
from services.matching.store import facts
from shared.events import registration as r
from shared.events.base import Bilingual

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
    """Count how often a text was placed so far, remembered or not."""
    told = vector.cache_info()
    return told.hits + told.misses


async def test_a_changed_profile_is_recommended_otherwise_and_alone_placed_anew(
    house: "House",
) -> None:
    before = await recommended(house, "dave")
    assert before[0][0] == "luo"
    unconcerned = await recommended(house, "luo")
    placed = placings()
    # Nothing changed: nothing is placed.
    assert await recommended(house, "dave") == before
    assert placings() == placed

    turned = house.confirmed("liu", listings=(listing("proton exchange membrane electrolysers"),))
    await house.hear((turned, 2))
    after = dict(await recommended(house, "dave"))
    assert placings() == placed + 1
    assert after["liu"] > dict(before)["liu"]
    assert after["luo"] == dict(before)["luo"]
    # Of the same side, and so not concerned.
    assert await recommended(house, "luo") == unconcerned
    assert placings() == placed + 1


async def test_who_came_and_who_went_is_seen_without_reading_the_others_again(
    house: "House",
) -> None:
    await recommended(house, "dave")
    placed = placings()
    await house.hear((r.ParticipantCancelled(**house.about("luo")), 2))
    assert "luo" not in dict(await recommended(house, "dave"))
    assert placings() == placed

    await house.hear((house.confirmed("luo"), 3))
    assert "luo" in dict(await recommended(house, "dave"))
    assert placings() == placed + 1


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
    house: "House",
) -> None:
    await house.hear((house.confirmed("liu", listings=(listing("green ammonia", "batteries"),)), 2))
    names = ("dora", "dave", "luo")
    before = [await recommended(house, name) for name in names]
    placed = placings()
    restarted = Recommender()

    assert [await recommended(house, name, restarted) for name in names] == before
    assert placings() == placed + len(house.people)


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
