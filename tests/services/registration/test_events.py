import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from services.registration.commands.calling_up import expire
from shared.events import EVENTS
from shared.events.registration import ParticipantConfirmed

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

CANARIES = {
    "full_name": "Canary Fullname",
    "native_name": "金丝雀",
    "latin_name": "Canary Latinname",
    "email": "canary.address@example.com",
    "position": {"en": "Canary Position", "zh": "金丝雀职务"},
}


def participant(kind: str) -> str:
    return f"participant.{kind}"


async def test_planning_tells_each_thing_once(house: "House") -> None:
    for key in (house.mission, house.stop, *house.items.values()):
        assert len(await house.told(key)) == 1
    assert await house.told() == [
        "mission.announced",
        "stop.planned",
        "programme_item.planned",
        "programme_item.planned",
    ]


async def test_a_confirmation_is_written_as_its_model_writes_it(house: "House") -> None:
    text = {"en": 'Solid-state "cells"', "zh": "固态\n电池"}
    listings = [{"kind": "offer", "sector": "batteries", "text": text}]
    await house.registered("ana", "talks", listings=listings)
    await house.registered("ana", "dinner")
    ben = await house.registered("ben", "dinner", organization={"native_name": None, "size": None})
    await house.decide(ben["id"], "approve")

    rows = await house.rows(
        "SELECT payload, key FROM outbox WHERE type = $1", ParticipantConfirmed.TYPE
    )
    assert len(rows) >= 2
    for row in rows:
        event = ParticipantConfirmed.model_validate_json(row["payload"], strict=True)
        assert json.loads(row["payload"]) == json.loads(event.model_dump_json())
        assert row["key"] == event.key
    told = [json.loads(row["payload"])["listings"] for row in rows]
    assert listings in told


@pytest.mark.parametrize(
    ("item", "decisions", "told"),
    [
        ("talks", [], ["confirmed"]),
        ("talks", ["cancel"], ["confirmed", "cancelled"]),
        ("talks", ["check-in"], ["confirmed", "checked_in"]),
        ("dinner", ["approve"], ["pending", "confirmed"]),
        ("dinner", ["reject"], ["pending", "rejected"]),
        (
            "dinner",
            ["approve", "check-in", "cancel"],
            ["pending", "confirmed", "checked_in", "cancelled"],
        ),
    ],
)
async def test_each_change_leaves_one_event_in_order(
    house: "House", item: str, decisions: list[str], told: list[str]
) -> None:
    ana = await house.registered("ana", item)
    for decision in decisions:
        await house.decide(ana["id"], decision)

    rows = await house.rows(
        "SELECT type, sequence, topic, payload FROM outbox WHERE key = $1 ORDER BY id",
        house.person(ana).subject,
    )
    assert [row["type"] for row in rows] == [f"registration.participant.{t}.v1" for t in told]
    assert [row["sequence"] for row in rows] == list(range(1, len(told) + 1))
    assert {row["topic"] for row in rows} == {"registration"}
    for row in rows:
        event = json.loads(row["payload"])
        assert (event["registration_id"], event["side"]) == (ana["id"], "local")
        assert (event["stop_id"], event["programme_item_id"]) == (
            str(house.stop),
            str(house.items[item]),
        )


async def test_who_moves_up_is_told_after_who_left(
    house: "House", crowd: dict[str, dict[str, Any]]
) -> None:
    await house.decide(crowd["ana"]["id"], "cancel")

    rows = await house.rows("SELECT key, type FROM outbox ORDER BY id DESC LIMIT 2")
    assert [(str(row["key"]), row["type"].split(".")[2]) for row in reversed(rows)] == [
        (crowd["ana"]["participant_id"], "cancelled"),
        (crowd["chen"]["participant_id"], "confirmed"),
    ]


async def test_two_items_of_a_person_count_in_one_sequence(house: "House") -> None:
    ana = await house.registered("ana")
    await house.register("ana", "dinner")
    await house.decide(ana["id"], "cancel")

    rows = await house.rows(
        "SELECT sequence FROM outbox WHERE key = $1 ORDER BY id", house.person(ana).subject
    )
    assert [row["sequence"] for row in rows] == [1, 2, 3]


async def test_what_is_refused_or_known_already_tells_nothing(house: "House") -> None:
    ana = await house.registered("ana")
    before = await house.told()

    await house.register("ana")
    await house.register("bo", organization={"sectors": ["tea"]})
    await house.post(f"/api/v1/registrations/{ana['id']}/approve", None, house.boss)

    assert await house.told() == before


async def test_a_confirmation_says_what_matching_needs_to_know(house: "House") -> None:
    need = {"kind": "need", "sector": "batteries", "text": {"en": "Cells", "zh": "电芯"}}
    ana = await house.registered("ana", listings=[need], organization={"size": "11-50"})

    (row,) = await house.rows(
        "SELECT payload FROM outbox WHERE key = $1", house.person(ana).subject
    )
    event = json.loads(row["payload"])
    assert event["languages"] == ["zh"]
    assert event["listings"] == [need]
    assert (event["organization"]["size"], event["organization"]["sectors"]) == (
        "11-50",
        ["batteries"],
    )


async def test_another_partner_does_not_become_the_one_who_brought_somebody(
    house: "House",
) -> None:
    rival = house.someone("partner_staff", partner_id=house.partner)
    ana = await house.registered("ana")

    answer = await house.register(
        "ana", "dinner", who=rival, source="partner_api", partner_id=str(house.partner)
    )
    await house.decide(answer.json()["id"], "approve")

    rows = await house.rows(
        "SELECT payload FROM outbox WHERE key = $1 AND type LIKE '%.confirmed.%'",
        house.person(ana).subject,
    )
    assert [json.loads(row["payload"]).get("partner_id") for row in rows] == [None, None]


async def an_offer_lapses(house: "House") -> None:
    """Let a place be offered to somebody who does not take it."""
    await house.rows(
        "UPDATE programme_item SET offer_seconds = 60, starts_at = now() + interval '9 days', "
        "ends_at = now() + interval '10 days' WHERE id = $1",
        house.items["talks"],
    )
    first, *_ = [await house.registered(f"w{n}", person={"full_name": "Canary"}) for n in range(3)]
    await house.decide(first["id"], "cancel")
    await expire(house.database, datetime.now(UTC) + timedelta(hours=1))


async def test_no_event_holds_personal_data(house: "House") -> None:
    staff = {"role": "interpreter", "language": "zh", "languages": ["en", "zh"], "stop_ids": []}
    await house.made(
        f"/missions/{house.mission}/staff",
        CANARIES | staff | {"email": "canary.staff@example.com"},
    )
    ana = await house.registered("ana", "dinner", person=CANARIES)
    await house.registered("bo", "dinner", person={"full_name": "Canary Bo"})
    chen = await house.registered("chen", "dinner", person={"full_name": "Canary Chen"})
    for registration, decisions in ((ana, ["approve", "check-in", "cancel"]), (chen, ["reject"])):
        for decision in decisions:
            await house.decide(registration["id"], decision)
    undo = f"/api/v1/registrations/{ana['id']}/check-in/undo"
    await house.post(undo, {"reason": "trial"}, house.boss)
    request = {"mission_id": str(house.mission), "email": CANARIES["email"]}
    await house.post("/api/v1/sessions/requests", request)
    await house.send("/sign-out", who=house.person(ana))
    await an_offer_lapses(house)
    person = f"/api/v1/people/{ana['participant_id']}"
    (text,) = [
        one
        for one in (await house.get(f"/api/v1/missions/{house.mission}/consent-texts")).json()[
            "items"
        ]
        if one["is_cross_border"]
    ]
    agreed = {"purpose": text["purpose"], "version": text["version"], "language": "zh"}
    for path, body in (
        ("/consents", agreed),
        (f"/consents/{text['purpose']}/withdraw", None),
        ("/erase", None),
    ):
        answer = await house.post(person + path, body, house.person(ana))
        assert answer.status_code in (200, 201), answer.text

    rows = await house.rows("SELECT type, payload, correlation_id FROM outbox")
    # Applications have tests of their own, in the folder beside this file.
    assert {row["type"] for row in rows} == {
        event.TYPE
        for event in EVENTS
        if event.TOPIC == "registration" and ".application." not in event.TYPE
    }
    text = " ".join(row["payload"].decode() + row["correlation_id"] for row in rows)
    for canary in ("anary", "金丝雀", "@example.com"):
        assert canary not in text


async def test_a_request_id_follows_the_event(house: "House") -> None:
    headers = {"X-Request-Id": "from-a-partner-7", "Idempotency-Key": "k"}
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    await house.client.post(path, json=house.sign_up("ana"), headers=headers)

    (row,) = await house.rows("SELECT correlation_id FROM outbox ORDER BY id DESC LIMIT 1")
    assert row["correlation_id"] == "from-a-partner-7"
