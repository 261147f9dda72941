from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.slots import Break, Slot, slots_of

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)


def test_slots_follow_one_another_with_breaks_between() -> None:
    slots = slots_of(START, 25, 4, [Break(2, 15), Break(4, 60)])

    minutes = [int((slot.starts_at - START).total_seconds()) // 60 for slot in slots]
    assert minutes == [0, 25, 65, 90]
    assert [slot.number for slot in slots] == [1, 2, 3, 4]
    assert {slot.ends_at - slot.starts_at for slot in slots} == {timedelta(minutes=25)}


def test_slots_that_touch_do_not_overlap() -> None:
    one, two = slots_of(START, 25, 2, [])

    assert not one.overlaps(two.starts_at, two.ends_at)
    assert not two.overlaps(one.starts_at, one.ends_at)
    assert one.overlaps(one.ends_at - timedelta(minutes=1), two.ends_at)


minutes = st.integers(0, 60)


@given(minutes, minutes, minutes, minutes)
def test_overlapping_means_a_minute_in_both(a: int, b: int, c: int, d: int) -> None:
    def at(minute: int) -> datetime:
        return START + timedelta(minutes=minute)

    one, other = sorted((a, b)), sorted((c, d))
    in_both = set(range(*one)) & set(range(*other))
    if one[0] < one[1] and other[0] < other[1]:
        assert Slot(1, at(one[0]), at(one[1])).overlaps(at(other[0]), at(other[1])) == bool(in_both)


async def test_a_session_has_its_slots_and_points(house: "House") -> None:
    (session,) = (await house.get(f"/meeting-sessions?stop_id={house.stop}"))["items"]

    starts = [datetime.fromisoformat(slot["starts_at"]) for slot in session["slots"]]
    assert starts == [house.slot(number) for number in (1, 2, 3, 4)]
    assert [(p["label"], p["closed_from"]) for p in session["points"]] == [
        ("T1", None),
        ("T2", None),
    ]


async def test_a_slug_is_used_once_at_a_stop(house: "House") -> None:
    answer = await house.add_session(points=[{"label": "B1", "kind": "booth"}])

    assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")
    assert [row["label"] for row in await house.rows("SELECT label FROM meeting_point")] == [
        "T1",
        "T2",
    ]


async def test_two_sessions_share_points_one_after_the_other_alone(house: "House") -> None:
    during = await house.add_session(slug="beside", starts_at=house.slot(2).isoformat())
    assert (during.status_code, during.json()["code"]) == (409, "point_in_use")

    apart = await house.add_session(
        slug="beside",
        starts_at=house.slot(2).isoformat(),
        points=[{"label": "B1", "kind": "booth"}],
    )
    after = await house.add_session(slug="after", starts_at=house.slot(5).isoformat())
    assert (apart.status_code, after.status_code) == (201, 201)
    assert {p["id"] for p in after.json()["points"]} == {str(p) for p in house.points.values()}


@pytest.mark.parametrize(
    "changes",
    [
        {"slots": 0},
        {"slots": 100},
        {"slot_minutes": 4},
        {"points": []},
        {"points": [{"label": "T1", "kind": "table"}] * 2},
        {"points": [{"label": "T1", "kind": "sofa"}]},
        {"breaks": [{"after_slot": 1, "minutes": 5}] * 2},
        {"starts_at": "2023-11-07T02:00:00"},
        {"starts_at": "9999-12-31T23:59:00Z"},
        {"starts_at": "0001-01-01T00:00:00+14:00"},
        {"points": [{"label": "T\0", "kind": "table"}]},
        {"slug": "No Slug"},
        {"unknown": 1},
    ],
)
async def test_a_session_that_cannot_be_is_refused(house: "House", changes: dict[str, Any]) -> None:
    answer = await house.add_session(**{"slug": "other"} | changes)

    assert answer.status_code == 422
    assert len(await house.rows("SELECT FROM meeting_session")) == 1


async def test_a_session_is_part_of_a_known_matchmaking_item(bare: "House") -> None:
    assert (await bare.add_session()).status_code == 404
    await bare.hear((bare.item_planned(), 1))
    assert (await bare.add_session()).status_code == 404
    await bare.hear((bare.stop_planned(), 1))
    assert (await bare.add_session()).status_code == 201
    await bare.hear((bare.item_planned("reception"), 2))
    answer = await bare.add_session(slug="dinner")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (
        422,
        "/programme_item_id",
    )


async def test_a_session_sent_twice_is_planned_once(house: "House") -> None:
    body = {
        "programme_item_id": str(house.item),
        "slug": "late",
        "starts_at": house.slot(5).isoformat(),
        "slot_minutes": 20,
        "slots": 1,
        "points": [{"label": "T9", "kind": "table"}],
    }
    boss = house.boss
    answers = [
        await house.ask("POST", "/api/v1/meeting-sessions", boss, body=body, Idempotency_Key="k")
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
