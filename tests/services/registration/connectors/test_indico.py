"""Indico's check-in API, answered as its own snapshots of that API do.

The shape of the answers is that of Indico's tests (`checkin_registration_details.yml`, 3.3): a
field is told by its number, choices by ids. A real Indico needs Celery and a database of its own.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from services.registration.connectors import indico
from tests.services.registration.connectors.conftest import syncing
from tests.services.registration.connectors.peer import Peer, Room
from tests.serving import behind_an_address

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

FORM = "/api/checkin/event/12/forms/34"
CHOICES = [
    {"caption": "Energy storage", "id": "a1", "isEnabled": True, "price": 0},
    {"caption": "Wind", "id": "b2", "isEnabled": True, "price": 0},
]
FIELDS = {
    "company": {"id": 901, "title": "Affiliation", "input_type": "text", "position": 4},
    "country": {"id": 902, "title": "Country", "input_type": "country", "position": 5},
    "sector": {
        **{"id": 903, "title": "Field", "input_type": "single_choice", "position": 6},
        "choices": CHOICES,
    },
    "photo": {"id": 904, "title": "Picture", "input_type": "picture", "position": 7},
}


@dataclass
class Indico:
    """One registration form, changed by the test."""

    registrations: dict[int, dict[str, Any]] = field(default_factory=dict)
    sent: list[tuple[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def register(self, number: int, name: str, **changes: Any) -> None:
        answers = {"company": f"{name} Co.", "country": "CN", "sector": {"a1": 1}, "photo": None}
        answers |= {key: changes.pop(key) for key in list(changes) if key in answers}
        fields = [
            {**FIELDS[key], "data": data, "default_value": "", "description": ""}
            for key, data in answers.items()
        ]
        self.registrations[number] = {
            "checked_in": False,
            "checked_in_dt": None,
            "checkin_secret": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "currency": "USD",
            "email": f"n{number}@example.com",
            "event_id": 12,
            "formatted_price": "US$0.00",
            "full_name": name,
            "id": number,
            "is_paid": False,
            "occupied_slots": 1,
            "payment_date": None,
            "personal_data_picture": None,
            "price": 0,
            "regform_id": 34,
            "registration_date": "2026-10-01T08:00:00+00:00",
            "state": "complete",
            "tags": [],
            "registration_data": [
                {"id": 900, "position": 1, "title": "Personal Data", "fields": fields}
            ],
        } | changes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive()).get("body", b"")
        self.tokens.add(dict(scope["headers"])[b"authorization"].decode())
        found = self.answer(scope["method"], scope["path"].removeprefix(FORM), body)
        missing = {"error": {"message": "Not Found"}}
        content = json.dumps(missing if found is None else found).encode()
        headers = [(b"content-length", str(len(content)).encode())]
        status = 404 if found is None else 200
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def answer(self, method: str, path: str, body: bytes) -> Any:
        if path == "/":
            return {"id": 34, "title": "Delegates", "event_id": 12, "is_open": True}
        if path == "/registrations/":
            hidden = ("registration_data",)
            return [
                {key: value for key, value in one.items() if key not in hidden}
                for one in self.registrations.values()
            ]
        one = self.registrations.get(int(path.rpartition("/")[2]))
        if one is not None and method == "PATCH":
            self.sent.append((path, json.loads(body)))
            one |= json.loads(body) | {"checked_in_dt": "2026-11-07T02:20:00+00:00"}
        return one


@pytest.fixture
async def system() -> Indico:
    return Indico()


@pytest.fixture
async def room(house: "House", system: Indico) -> AsyncIterator[Room]:
    async with behind_an_address(system) as address, syncing(house) as syncer:
        room = Room(house, Peer(address), syncer)
        fields = {"full_name": "full_name", "email": "email", "company": "field.901"}
        fields |= {"country": "field.902", "sectors": "field.903"}
        await room.connect(
            kind="indico",
            place={"address": address, "event_id": 12, "form_id": 34},
            pushes=["check_in"],
            field_map={
                "items": {"34": str(house.items["talks"])},
                "fields": fields,
                "values": {"sectors": {"Energy storage": "batteries"}},
            },
        )
        yield room


async def test_registrations_there_appear_here_and_a_token_is_a_bearers(
    room: Room, system: Indico
) -> None:
    system.register(7, "Guinea Pig")
    await room.sync()

    (link,) = (await room.links()).values()
    assert (link["full_name"], link["email"]) == ("Guinea Pig", "n7@example.com")
    assert (link["status"], link["source"]) == ("confirmed", "partner_api")
    assert system.tokens == {"Bearer their-secret-token"}


async def test_a_change_and_an_end_there_are_taken_over(room: Room, system: Indico) -> None:
    system.register(7, "Guinea Pig")
    await room.sync()
    system.register(7, "Guinea Pigg")
    await room.sync()
    assert (await room.links())["7"]["full_name"] == "Guinea Pigg"
    system.registrations[7]["state"] = "withdrawn"
    await room.sync()

    assert await room.statuses() == {"7": "cancelled"}


async def test_a_check_in_goes_both_ways_and_is_told_once(room: Room, system: Indico) -> None:
    system.register(7, "Guinea Pig")
    system.register(8, "Sample Pig")
    await room.sync()
    links = await room.links()
    await room.house.decide(links["7"]["registration_id"], "check-in")
    system.registrations[8] |= {"checked_in": True, "checked_in_dt": "2026-11-07T02:20:00+00:00"}
    for _ in range(3):
        await room.sync()

    assert system.sent == [("/registrations/7", {"checked_in": True})]
    assert all(row["checked_in_at"] for row in (await room.links()).values())
    assert (await room.house.told()).count("participant.checked_in") == 2


async def test_more_than_a_page_is_read_to_its_end(
    room: Room, system: Indico, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indico, "PAGE", 2)
    for number in range(1, 6):
        system.register(number, f"Pig {number}")
    await room.sync()

    assert len(await room.links()) == 5
    assert datetime.fromisoformat((await room.state())["synced_at"]) <= datetime.now(UTC)


async def test_what_it_asks_is_named_by_its_newest_registration(room: Room, system: Indico) -> None:
    system.register(7, "Guinea Pig")
    answer = await room.house.get(f"/api/v1/connectors/{room.id}/fields", room.staff)

    found = answer.json()
    assert found["products"] == [{"key": "34", "label": "Delegates", "options": []}]
    labels = {one["key"]: one["label"] for one in found["fields"]}
    assert labels["field.901"] == "Affiliation"
    (field_,) = [one for one in found["fields"] if one["key"] == "field.903"]
    assert field_["options"] == ["Energy storage", "Wind"]


async def test_nothing_there_can_be_cancelled_from_here(room: Room) -> None:
    path = f"/api/v1/connectors/{room.id}"
    headers = room.house.headers(room.staff) | {"If-Match": '"1"'}
    answer = await room.house.client.patch(path, json={"pushes": ["cancel"]}, headers=headers)

    assert answer.status_code == 422
