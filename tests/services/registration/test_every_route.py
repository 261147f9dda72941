"""Every route is either named here as open to everybody, or asks first who calls."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi import APIRouter, FastAPI

from shared.access import Role
from shared.http import SESSION_COOKIE

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

OPEN = {
    "GET /",
    "GET /home",
    "GET /letters",
    "GET /letters/{number}",
    "GET /livez",
    "GET /readyz",
    "GET /missions/{slug}",
    "GET /missions/{slug}/apply",
    "GET /missions/{slug}/stops/{stop_slug}/register",
    "GET /missions/{slug}/stops/{stop_slug}/waiting-room",
    "GET /sign-in",
    "GET /desk/stops/{stop_id}/scan/worker.js",
    "GET /api/v1/missions",
    "GET /api/v1/missions/{mission_id}",
    "GET /api/v1/missions/{mission_id}/call",
    "GET /api/v1/missions/{mission_id}/consent-texts",
    "GET /api/v1/partners/{partner_id}/logo",
    "GET /api/v1/programme-items/{item_id}/questions",
    "GET /api/v1/stops/{stop_id}/roles",
    "GET /api/v1/stops/{stop_id}/waiting-room",
    "POST /missions/{slug}/apply",
    "POST /missions/{slug}/stops/{stop_slug}/register",
    "POST /sign-in",
    # Brings the link with it.
    "POST /sign-in/continue",
    "POST /sign-out",
    "POST /api/v1/connectors/{connector_id}/webhooks/{secret}",
    "POST /api/v1/missions/{mission_id}/applications",
    "POST /api/v1/missions/{mission_id}/questions/{question_id}/files",
    "POST /api/v1/missions/{mission_id}/files/{file_id}/finish",
    "PUT /api/v1/missions/{mission_id}/files/{file_id}/chunks/{number}",
    # Brings its key with it.
    "POST /api/v1/oauth/token",
    "POST /api/v1/programme-items/{item_id}/groups",
    "POST /api/v1/programme-items/{item_id}/registrations",
    "POST /api/v1/sessions",
    "POST /api/v1/sessions/requests",
    "POST /api/v1/stops/{stop_id}/waiting-room",
}
"""What nobody has to sign in for. Whoever adds a line says why to whoever reads the change."""

WORDS = {"number": "0", "kind": "csv", "decision": "approve", "action": "confirm", "owner": "door"}


def routes(where: Any) -> Iterator[tuple[str, str]]:
    """Give the method and path of each route, also of routers within routers."""
    for route in where.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(inner, APIRouter):
            yield from routes(inner)
        elif hasattr(route, "endpoint") and getattr(route, "methods", None):
            for method in route.methods - {"HEAD", "OPTIONS"}:
                yield method, route.path_format


def all_routes(house: "House") -> set[tuple[str, str]]:
    app: FastAPI = house.client._transport.app  # type: ignore[attr-defined]  # the app that the client calls
    found = {one for one in routes(app) if not one[1].startswith(("/openapi", "/docs"))}
    assert len(found) > 120
    return found


def address(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: WORDS.get(name[1], str(uuid4())), path)


async def test_a_route_that_is_not_named_as_open_asks_who_calls(house: "House") -> None:
    found = all_routes(house)
    assert {f"{method} {path}" for method, path in found} >= OPEN
    for method, path in found:
        if f"{method} {path}" not in OPEN:
            answer = await house.client.request(method, address(path))
            assert answer.status_code == 401, (method, path, answer.status_code)


async def test_no_route_is_pressed_from_another_site(house: "House") -> None:
    cookie = house.browser(house.boss)["Cookie"]
    assert cookie.startswith(SESSION_COOKIE)
    for method, path in all_routes(house):
        if method != "GET" and f"{method} {path}" not in OPEN:
            for origin in ("https://elsewhere.example", "null", ""):
                headers = {"Cookie": cookie, "Origin": origin}
                answer = await house.client.request(method, address(path), headers=headers)
                assert answer.status_code == 403, (method, path, answer.status_code)


async def test_the_desk_shows_nothing_to_those_who_do_not_work_there(house: "House") -> None:
    ana = await house.registered("ana", "dinner")
    ids = {
        "mission_id": house.mission,
        "stop_id": house.stop,
        "registration_id": ana["id"],
        "person_id": ana["participant_id"],
        "kind": "csv",
    }
    visitors: tuple[Role, ...] = (
        *("local", "delegate", "applicant", "interpreter", "screen", "service"),
    )
    asked = 0
    for method, path in all_routes(house):
        names = set(re.findall(r"\{(\w+)\}", path))
        if method != "GET" or not path.startswith("/desk/") or f"GET {path}" in OPEN:
            continue
        if not names <= ids.keys():
            continue
        place = f"{path.format(**ids)}?mission_id={house.mission}"
        asked += 1
        # Somebody who registered sees no more of the desk, not even what is about him or her.
        people = [house.someone(role) for role in visitors]
        for who in (*people, house.someone("mission_staff", mission_id=uuid4())):
            answer = await house.get(place, who)
            assert answer.status_code in (403, 404), (place, who.role, answer.status_code)
    assert asked > 10
