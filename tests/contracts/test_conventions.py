"""What partners' programs are told that all requests have in common is true of each of them.

Each exception has its reason: a new route that wants to be one has to give its own.
"""

import json
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from scripts.contracts.files import DOCS
from scripts.contracts.openapi import PREFIX, read_at
from scripts.contracts.whole import WHOLE
from tests.promises import Broken, Promises

Json = dict[str, Any]

OWN_STATE = "its state says what is possible: of two at once one is taken, and the other told so"
ANOTHER = "it changes nothing of what has the revision"
WITHOUT_REVISION = {
    "DELETE /connectors/{connector_id}": "what is gone is gone, whatever it was",
    "DELETE /webhooks/{webhook_id}": "what is gone is gone, whatever it was",
    "DELETE /partners/{partner_id}/keys/{key_id}": ANOTHER,
    "PUT /applications/{application_id}/review": "each reviewer's own",
    "POST /connectors/{connector_id}/conflicts/{remote_id}": "a conflict is decided once",
    "POST /connectors/{connector_id}/pause": OWN_STATE,
    "POST /connectors/{connector_id}/resume": OWN_STATE,
    "POST /connectors/{connector_id}/sync": ANOTHER,
    "POST /connectors/{connector_id}/webhooks/{secret}": ANOTHER,
    "POST /meetings/{meeting_id}/report": "each side's own word, of which the last counts",
    "POST /registrations/{registration_id}/accept": OWN_STATE,
    "POST /registrations/{registration_id}/approve": OWN_STATE,
    "POST /registrations/{registration_id}/cancel": OWN_STATE,
    "POST /registrations/{registration_id}/check-in": OWN_STATE,
    "POST /registrations/{registration_id}/check-in/undo": "it names the check-in that is meant",
    "POST /registrations/{registration_id}/reinstate": OWN_STATE,
    "POST /registrations/{registration_id}/reject": OWN_STATE,
    "POST /schedules/{schedule_id}/cancel": "a search is ended, whatever it has found",
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay": ANOTHER,
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/skip": OWN_STATE,
    "POST /webhooks/{webhook_id}/replay": ANOTHER,
    "POST /webhooks/{webhook_id}/rotate": "the former secret signs as well for a day",
    "POST /webhooks/{webhook_id}/test": ANOTHER,
}
"""What changes something of a thing with a revision, and takes no If-Match.

What is read at an address of its own is a thing of its own.
"""
READ_ELSEWHERE = {
    **dict.fromkeys(
        (
            "PUT /quotas",
            "PUT /quotas/people",
            "PUT /scheduling-rules/availabilities",
            "PUT /scheduling-rules/rest",
            "PUT /scheduling-rules/ways",
        ),
        "what a stop has of them is read at once, each with its revision",
    ),
    "PATCH /missions/{mission_id}/questions/{question_id}": "the list of questions has revisions",
    "DELETE /missions/{mission_id}/questions/{question_id}": "the list of questions has revisions",
}
SIGNED = "signed and kept nowhere: another one takes nothing away"
AGAIN = "the same again changes nothing"
WITHOUT_KEY = {
    "POST /calendars": SIGNED,
    "POST /sessions": SIGNED,
    "POST /sessions/links": SIGNED,
    "POST /stops/{stop_id}/waiting-room": SIGNED,
    "POST /meetings/{meeting_id}/report": AGAIN,
    "POST /people/{person_id}/consents": AGAIN,
    "POST /scheduling-rules/precedences": AGAIN,
    "POST /missions/{mission_id}/consent-texts": "the same again is a version with the same words",
}
"""What is answered 201, and takes no Idempotency-Key."""
CURSORS = {"after", "before", "cursor"}


@pytest.fixture(scope="module")
def described() -> Json:
    document: Json = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def paths(described: Json) -> Json:
    found: Json = described["paths"]
    return found


def routes(paths: Json, *methods: str) -> dict[str, Json]:
    """Give operations by method and path, without what all paths begin with."""
    return {
        f"{method.upper()} /{path.removeprefix(PREFIX)}": operation
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method in methods
    }


def names(operation: Json) -> set[str]:
    return {parameter["name"] for parameter in operation.get("parameters", [])}


def has_tag(operation: Json) -> bool:
    """Whether it answers with a revision as its ETag."""
    return any("ETag" in one.get("headers", {}) for one in operation["responses"].values())


def test_what_has_a_revision_is_changed_on_it(paths: Json) -> None:
    without = set()
    for route, operation in routes(paths, "post", "put", "patch", "delete").items():
        path = f"{PREFIX}{route.partition(' ')[2].removeprefix('/')}"
        above = owner(path, paths)
        if above and has_tag(paths[above]["get"]) and "If-Match" not in names(operation):
            without.add(route)
    assert without == WITHOUT_REVISION.keys()


def owner(path: str, paths: Json) -> str | None:
    """Give the nearest path, this or one above it, at which one thing is read."""
    steps = path.split("/")
    above = ["/".join(steps[:length]) for length in range(len(steps), 3, -1)]
    return next((one for one in above if "get" in paths.get(one, {}) and named(one, path)), None)


def named(above: str, path: str) -> bool:
    return above == path or above.endswith("}")


def test_who_changes_on_a_revision_can_read_it_and_is_told_the_next(paths: Json) -> None:
    elsewhere = set()
    for route, operation in routes(paths, "post", "put", "patch", "delete").items():
        if "If-Match" not in names(operation):
            continue
        assert has_tag(operation), route
        read = read_at(f"{PREFIX}{route.partition(' ')[2].removeprefix('/')}", paths)
        if read is None or not has_tag(paths[read]["get"]):
            elsewhere.add(route)
    assert elsewhere == READ_ELSEWHERE.keys()


def test_what_is_made_is_made_once_by_a_key(paths: Json) -> None:
    made = {
        route: operation
        for route, operation in routes(paths, "post").items()
        if "201" in operation["responses"]
    }
    without = {route for route, one in made.items() if "Idempotency-Key" not in names(one)}
    assert without == WITHOUT_KEY.keys()


def test_a_creation_says_what_it_answers(paths: Json) -> None:
    for route, operation in routes(paths, "post", "put").items():
        content = operation["responses"].get("201", {}).get("content")
        assert content is None or content["application/json"]["schema"], route


def test_a_list_comes_in_pages_or_is_bounded_and_says_by_what(paths: Json) -> None:
    lists = {
        route: operation
        for route, operation in routes(paths, "get").items()
        if operation["summary"].startswith("List ")
    }
    whole = {
        route.partition(" ")[2]
        for route, one in lists.items()
        if not ("limit" in names(one) and CURSORS & names(one))
    }
    assert whole == WHOLE.keys()
    for route, operation in lists.items():
        bound = WHOLE.get(route.partition(" ")[2])
        assert (bound or "`next`") in operation["description"], route


def test_who_asks_too_often_or_too_early_is_told_when_to_come_back(described: Json) -> None:
    for name in ("TooMany", "Unavailable"):
        header = described["components"]["responses"][name]["headers"]["Retry-After"]
        assert header["required"], name
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert "503" in operation["responses"], path


def test_what_lets_somebody_in_is_explained(described: Json) -> None:
    known = described["components"]["securitySchemes"].keys()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            wanted = {name for one in operation.get("security", []) for name in one}
            assert wanted <= known, path


async def test_an_answer_that_breaks_a_promise_is_found() -> None:
    """Every test that asks an application of ours does so through this."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/webhooks/{webhook_id}")
    async def without_its_tag(webhook_id: str) -> dict[str, str]:
        return {"id": webhook_id}

    @router.post("/missions", status_code=201)
    async def without_its_id() -> dict[str, str]:
        return {"slug": "sample"}

    @router.post("/requests", status_code=204)
    async def without_a_word() -> None:
        return None

    app = FastAPI()
    app.include_router(router)
    app.add_middleware(Promises)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tradewind.test") as client:
        for method, path, said in (
            ("GET", "webhooks/1", "without ETag"),
            ("POST", "missions", "without id"),
            ("POST", "requests", "answered 204"),
        ):
            with pytest.raises(Broken, match=said):
                await client.request(method, f"/api/v1/{path}")
