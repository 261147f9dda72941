"""Two missions in one installation: who works for one neither sees nor changes the other."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from shared.access import Principal, Role
from tests.services.registration.test_every_route import OPEN, WORDS, all_routes

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines

MARK = "Bravo"
NAMES = {"en": f"{MARK} one", "zh": f"{MARK} 一"}
CONNECTOR: dict[str, Any] = {
    "kind": "pretix",
    "place": {"url": "https://pretix.example.com", "organizer": "o", "event": "e"},
    "token": "x" * 20,
}
QUESTION: dict[str, Any] = {"code": "letter", "kind": "file", "label": NAMES}


@dataclass
class Other:
    """A second mission with somebody and something of each kind."""

    ids: dict[str, object]
    item: UUID
    registration: dict[str, Any]


@pytest.fixture
async def other(house: "House", lines: "Lines") -> Other:
    mission = await house.made("/missions", lines.mission)
    partner = await house.made(f"/missions/{mission}/partners", {"name": NAMES, "kind": "company"})
    roles = [{"partner_id": str(partner), "role": "lead"}]
    stop = await house.made(f"/missions/{mission}/stops", lines.stop | {"roles": roles})
    item = await house.made(f"/stops/{stop}/programme-items", lines.item)
    question = await house.made(f"/missions/{mission}/questions", QUESTION)
    body = house.sign_up(
        "there",
        person={"full_name": f"{MARK} there", "email": f"{MARK}@example.com"},
        organization={"name": f"{MARK} Cells Co."},
    )
    path = f"/api/v1/programme-items/{item}/registrations"
    answer = await house.post(path, body, house.boss, key=uuid4().hex)
    assert answer.status_code == 201, answer.text
    registration = answer.json()
    key = await house.post(
        f"/api/v1/partners/{partner}/keys", {"name": MARK, "scopes": ["events:read"]}, house.boss
    )
    (company,) = await house.rows("SELECT id FROM organization WHERE mission_id = $1", mission)
    file = await house.post(
        f"/api/v1/missions/{mission}/questions/{question}/files", {"name": MARK, "bytes": 5}
    )
    ids = {
        "mission_id": mission,
        "stop_id": stop,
        "item_id": item,
        "programme_item_id": item,
        "partner_id": partner,
        "owner": partner,
        "registration_id": registration["id"],
        "participant_id": registration["participant_id"],
        "person_id": registration["participant_id"],
        "question_id": question,
        "organization_id": company["id"],
        "key_id": key.json()["id"],
        "file_id": file.json()["id"],
    }
    return Other(ids, item, registration)


async def everything(house: "House") -> dict[str, Any]:
    """Read all that could have been changed."""
    tables = await house.rows(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' "
        "AND table_type = 'BASE TABLE' AND table_name NOT IN ('idempotency', 'badge') ORDER BY 1"
    )
    return {
        row["name"]: await house.rows(
            f"SELECT to_jsonb(t) AS row FROM {row['name']} AS t ORDER BY 1"  # noqa: S608
        )
        for row in tables
    }


def workers(house: "House") -> list[Principal]:
    """Those who may most in the first mission."""
    return [
        house.someone("mission_staff"),
        house.someone("partner_staff", partner_id=house.partner),
        house.someone("door_staff"),
    ]


async def test_every_route_is_shut_to_whoever_works_for_another_mission(
    house: "House", other: Other
) -> None:
    before, tried = await everything(house), 0
    for method, path in sorted(all_routes(house)):
        names = set(re.findall(r"\{(\w+)\}", path))
        if f"{method} {path}" in OPEN or not names & other.ids.keys():
            continue
        place = re.sub(
            r"\{(\w+)\}",
            lambda name: str(other.ids.get(name[1]) or WORDS.get(name[1], uuid4())),
            path,
        )
        for who in workers(house):
            headers = house.headers(who) | {"If-Match": '"1"', "Idempotency-Key": uuid4().hex}
            body: dict[str, Any] = {} if path.startswith("/api/") else {"data": {"x": "y"}}
            if path.startswith("/api/") and method not in ("GET", "DELETE"):
                body = {"json": {}}
            answer = await house.client.request(method, place, headers=headers, **body)
            tried += 1
            assert answer.status_code >= 400, (method, place, who.role, answer.status_code)
            if method == "GET":
                assert answer.status_code in (403, 404), (method, place, who.role, answer.text)
            assert MARK not in answer.text, (method, place, who.role)
    assert tried > 300
    assert await everything(house) == before


def reaching(house: "House", other: Other) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Calls that are right in themselves, and about something of the other mission."""
    there, here = {name: str(value) for name, value in other.ids.items()}, str(house.stop)
    talks, mission, partner = str(house.items["talks"]), str(house.mission), str(house.partner)
    person = house.sign_up("new")["person"]
    staff = person | {"role": "door_staff", "stop_ids": [here]}
    row = house.sign_up("new", source="import", partner_id=there["partner_id"])
    its = there["organization_id"]
    own_row = house.sign_up("new", source="import", partner_id=partner)
    choice = {"decision": "cancel", "filter": {"mission_id": mission}}
    return {
        "staff": ("POST", f"/missions/{there['mission_id']}/staff", staff),
        "staff for its stop": (
            "POST",
            f"/missions/{mission}/staff",
            staff | {"stop_ids": [there["stop_id"]]},
        ),
        "staff of its partner": (
            "POST",
            f"/missions/{mission}/staff",
            staff | {"role": "partner_staff", "partner_id": there["partner_id"]},
        ),
        "a role for its partner": (
            "PUT",
            f"/stops/{here}/roles",
            {"roles": [{"partner_id": there["partner_id"], "role": "lead"}]},
        ),
        "roles at its stop": (
            "PUT",
            f"/stops/{there['stop_id']}/roles",
            {"roles": [{"partner_id": partner, "role": "lead"}]},
        ),
        "seats for its partner": (
            "PUT",
            f"/programme-items/{talks}/allotments/{there['partner_id']}",
            {"seats": 1},
        ),
        "seats at its item": (
            "PUT",
            f"/programme-items/{there['item_id']}/allotments/{partner}",
            {"seats": 1},
        ),
        "a key for its stop": (
            "POST",
            f"/partners/{partner}/keys",
            {"name": "x", "scopes": ["events:read"], "stop_ids": [there["stop_id"]]},
        ),
        "a key of its partner": (
            "POST",
            f"/partners/{there['partner_id']}/keys",
            {"name": "x", "scopes": ["events:read"]},
        ),
        "an item at its stop": (
            "POST",
            f"/stops/{there['stop_id']}/programme-items",
            {
                "slug": "x",
                "kind": "reception",
                "title": NAMES,
                "starts_at": "2023-11-07T02:15:00Z",
                "ends_at": "2023-11-07T04:45:00Z",
                "capacity": 2,
            },
        ),
        "its capacity": ("PATCH", f"/programme-items/{there['item_id']}", {"capacity": 99}),
        "a question at its stop": (
            "POST",
            f"/missions/{mission}/questions",
            QUESTION | {"code": "x", "stop_id": there["stop_id"]},
        ),
        "a question at its item": (
            "POST",
            f"/missions/{mission}/questions",
            QUESTION | {"code": "x", "programme_item_id": there["item_id"]},
        ),
        "its question in an order": (
            "POST",
            f"/missions/{mission}/questions/order",
            {"ids": [there["question_id"], str(uuid4())]},
        ),
        "its question under our mission": (
            "PATCH",
            f"/missions/{mission}/questions/{there['question_id']}",
            {"label": {"en": "x", "zh": "x"}},
        ),
        "somebody at its item": ("POST", f"/programme-items/{there['item_id']}/registrations", row),
        "somebody of ours at its item": (
            "POST",
            f"/programme-items/{there['item_id']}/registrations",
            own_row,
        ),
        "somebody of its partner here": ("POST", f"/programme-items/{talks}/registrations", row),
        "a list at its item": (
            "POST",
            f"/programme-items/{there['item_id']}/registrations/bulk",
            {"registrations": [own_row]},
        ),
        "a link for its person": (
            "POST",
            "/sessions/links",
            {
                "role": "local",
                "mission_id": mission,
                "stop_ids": [],
                "subject": there["participant_id"],
            },
        ),
        "a screen at its stop": (
            "POST",
            "/sessions/links",
            {"role": "screen", "mission_id": mission, "stop_ids": [there["stop_id"]]},
        ),
        "its company into ours": ("POST", "/organizations/{ours}/merges", {"organization_id": its}),
        "its company and ours": (
            "POST",
            "/organizations/{ours}/distinctions",
            {"organization_id": its},
        ),
        "our company into its": (
            "POST",
            f"/organizations/{its}/merges",
            {"organization_id": "{ours}"},
        ),
        "its registration among ours": (
            "POST",
            "/registrations/bulk-decisions",
            choice | {"registration_ids": [there["registration_id"]]},
        ),
        "all of its registrations": (
            "POST",
            "/registrations/bulk-decisions",
            {"decision": "cancel", "filter": {"mission_id": there["mission_id"]}},
        ),
        "its person's consent": (
            "POST",
            f"/people/{there['person_id']}/consents",
            {"purpose": "cross_border_transfer", "version": "1", "language": "en"},
        ),
        "its retention": ("PUT", f"/missions/{there['mission_id']}/retention", {"retention": {}}),
        "its connector": (
            "POST",
            f"/partners/{there['partner_id']}/connectors",
            CONNECTOR | {"stop_id": there["stop_id"]},
        ),
        "our connector at its stop": (
            "POST",
            f"/partners/{partner}/connectors",
            CONNECTOR | {"stop_id": there["stop_id"]},
        ),
        "its waiting room": ("PUT", f"/stops/{there['stop_id']}/waiting-room", {"mode": "open"}),
    }


async def test_nothing_of_another_mission_is_reached_by_what_a_request_names(
    house: "House", other: Other
) -> None:
    await house.registered("ours")
    (company,) = await house.rows(
        "SELECT id FROM organization WHERE mission_id = $1", house.mission
    )
    ours, before = str(company["id"]), await everything(house)
    for what, (method, path, body) in reaching(house, other).items():
        who = house.someone("mission_staff")
        headers = house.headers(who) | {"If-Match": '"1"', "Idempotency-Key": uuid4().hex}
        content = {name: ours if value == "{ours}" else value for name, value in body.items()}
        place = f"/api/v1{path.replace('{ours}', ours)}"
        answer = await house.client.request(method, place, json=content, headers=headers)
        assert answer.status_code in (403, 404, 422), (what, answer.status_code, answer.text)
        # The request itself was right: it was refused for what it is about.
        assert "Some fields are missing or wrong." not in answer.text, (what, answer.text)
        assert MARK not in answer.text, what
    assert await everything(house) == before


async def test_nobody_of_another_mission_comes_in_at_our_door(house: "House", other: Other) -> None:
    await house.get(f"/api/v1/stops/{other.ids['stop_id']}/roster", house.boss)
    (badge,) = await house.rows("SELECT code FROM badge")
    door = house.someone("door_staff")
    at = {"scanned_at": datetime.now(UTC).isoformat()}
    scans = [
        {"nonce": str(uuid4()), "participant_id": str(other.ids["participant_id"])} | at,
        {"nonce": str(uuid4()), "code": badge["code"]} | at,
    ]
    answer = await house.post(f"/api/v1/stops/{house.stop}/scans", {"scans": scans}, door)

    said = [(one["outcome"], one["participant"]) for one in answer.json()["items"]]
    assert said == [("refused", None)] * 2
    assert MARK not in answer.text
    assert await house.rows("SELECT FROM registration WHERE checked_in_at IS NOT NULL") == []


@pytest.mark.parametrize("role", ["local", "delegate", "applicant", "interpreter", "screen"])
async def test_what_is_somebodys_own_is_nobody_elses(
    house: "House", other: Other, role: Role
) -> None:
    """Neither in another mission nor in the own one."""
    own = await house.registered("bravo", person={"full_name": f"{MARK} here"})
    here = {
        "registration_id": own["id"],
        "participant_id": own["participant_id"],
        "person_id": own["participant_id"],
    }
    before = await everything(house)
    for ids in (here, other.ids):
        for method, path in sorted(all_routes(house)):
            names = set(re.findall(r"\{(\w+)\}", path))
            if f"{method} {path}" in OPEN or not names & here.keys():
                continue
            place = re.sub(
                r"\{(\w+)\}",
                lambda name: str(ids.get(name[1]) or WORDS.get(name[1], uuid4())),  # noqa: B023
                path,
            )
            headers = house.headers(house.someone(role)) | {"If-Match": '"1"'}
            body: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {}}
            answer = await house.client.request(method, place, headers=headers, **body)
            assert answer.status_code >= 400, (method, place, answer.status_code)
            assert MARK not in answer.text, (method, place)
    assert await everything(house) == before
