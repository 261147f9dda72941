import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from services.matching.commands import requesting
from services.matching.domain.requests import VALID
from shared.events import EVENTS
from shared.http import now

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration

CANARY = "Canary Fullname"
MESSAGE = "Canary message"


async def lived(house: "House") -> None:
    """Let everything happen that matching tells of."""
    await house.day()
    for pair, *steps in (
        ("dora lin", "call", "start", "finish"),
        ("dora liu", "delay", "move", "cancel"),
        ("dave luo", "no-show"),
    ):
        for revision, command in enumerate(steps, 1):
            bodies: dict[str, Any] = {
                "delay": {"minutes": 5},
                "no-show": {"absent": [str(house.people["luo"])]},
                "move": {
                    "starts_at": house.slot(4).isoformat(),
                    "point_id": str(house.points["T2"]),
                },
            }
            answer = await house.order(
                await house.meeting(pair), command, revision, bodies.get(command)
            )
            assert answer.status_code == 200, answer.text
    await asked(house)
    await told_afterwards(house)


async def told_afterwards(house: "House") -> None:
    """Let people say what a meeting was, and everything be said of what came of two."""
    dora, lin = house.person("dora"), house.person("lin")
    report = {"was_held": True, "usefulness": 5, "next_step": "none", "note": MESSAGE}
    path = f"/api/v1/meetings/{await house.meeting('dora lin')}/report"
    answer = await house.ask("POST", path, dora, body=report)
    assert answer.status_code == 201, answer.text
    for local, *words in (
        ("lin", ("verify", lin)),
        ("luo", ("dispute", house.boss), ("retract", dora)),
    ):
        deal = {
            "delegate_id": str(house.people["dora"]),
            "local_id": str(house.people[local]),
            "stop_id": str(house.stop),
            "kind": "mou",
            "note": MESSAGE,
        }
        made = await house.ask("POST", "/api/v1/outcomes", dora, body=deal)
        assert made.status_code == 201, made.text
        for revision, (act, who) in enumerate(words, 1):
            path = f"/api/v1/outcomes/{made.json()['id']}/{act}"
            answer = await house.ask("POST", path, who, body={}, If_Match=f'"{revision}"')
            assert answer.status_code == 200, answer.text


async def asked(house: "House") -> None:
    """Let every kind of request come to its end."""
    for other, answer in (("lin", "accept"), ("luo", "decline"), ("liu", "cancel"), ("lin", "")):
        asker = "dave" if not answer else "dora"
        for _ in range(1 if answer else 2):
            made = await house.ask(
                "POST",
                "/api/v1/requests",
                body={
                    "stop_id": str(house.stop),
                    "participant_id": str(house.people[asker]),
                    "counterpart_id": str(house.people[other]),
                    "message": MESSAGE,
                },
                Idempotency_Key=uuid4().hex,
            )
            assert made.status_code == 201, made.text
        if answer:
            address = f"/api/v1/requests/{made.json()['id']}/{answer}"
            assert (await house.ask("POST", address)).status_code == 200
    assert await requesting.expire(house.database, now() + VALID) == 1


async def test_every_event_of_matching_is_told_and_can_be_read(house: "House") -> None:
    await lived(house)
    rows = await house.rows("SELECT type, key, sequence, payload FROM outbox ORDER BY id")

    kinds = {event.TYPE: event for event in EVENTS if event.TOPIC == "matching"}
    assert {row["type"] for row in rows} == set(kinds)
    for row in rows:
        event = kinds[row["type"]].model_validate_json(row["payload"])
        assert event.key == row["key"]
        revision = getattr(event, "revision", None) or getattr(event, "number", None)
        assert revision == row["sequence"]


async def test_no_event_has_anything_personal(house: "House", registration: "Registration") -> None:
    everybody = [*house.people.values(), *house.helpers.values()]
    registration.people |= dict.fromkeys(everybody, CANARY)
    body = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people["dora"]),
        "counterpart_id": str(house.people["luo"]),
        "message": MESSAGE,
    }
    made = await house.ask("POST", "/api/v1/requests", body=body, Idempotency_Key="k")
    assert made.status_code == 201
    await lived(house)
    for row in await house.rows("SELECT payload FROM outbox"):
        text = row["payload"].decode()
        assert CANARY not in text
        assert MESSAGE not in text
        assert "@" not in text
        fields = set(json.loads(text)) | {
            name for party in json.loads(text).get("parties", ()) for name in party
        }
        assert not fields & {"name", "full_name", "email", "listings", "languages", "message"}


async def test_the_two_sides_of_a_meeting_are_told_the_delegation_first(house: "House") -> None:
    await house.day()
    (row,) = await house.rows(
        "SELECT payload FROM outbox WHERE key = $1", await house.meeting("dora lin")
    )
    event = json.loads(row["payload"])

    assert [party["side"] for party in event["parties"]] == ["delegation", "local"]
    assert [party["organization"] for party in event["parties"]] == [
        "Sample Dora Co.",
        "Sample Lin Co.",
    ]
    assert event["parties"][1]["native_organization"] == "示例lin公司"
    assert (event["point"], event["interpreter_id"]) == ("T1", str(house.helpers["ivy"]))
