import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from scripts.contracts.compatibility import violations
from scripts.contracts.files import DOCS
from scripts.contracts.openapi import PROBLEM, SERVICES, TAGS, calls_of, routers
from shared.access import Tokens
from shared.http import create_app
from shared.service import Service

Json = dict[str, Any]
Operation = tuple[str, str, Json]


@pytest.fixture(scope="module")
def described() -> Json:
    document: Json = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def operations(described: Json) -> list[Operation]:
    return [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_users_see_one_api_and_nothing_internal(operations: list[Operation]) -> None:
    assert operations != []
    assert {path for _, path, _ in operations if not path.startswith("/api/v1/")} == set()


def test_an_operation_has_a_name_of_its_own_and_a_tag_that_is_explained(
    described: Json, operations: list[Operation]
) -> None:
    names = [operation["operationId"] for _, _, operation in operations]
    explained = {tag["name"] for tag in described["tags"]}

    assert len(set(names)) == len(names)
    assert {tag for _, _, operation in operations for tag in operation["tags"]} == explained
    assert explained <= TAGS.keys()


def test_a_summary_says_in_plain_english_what_a_call_does(operations: list[Operation]) -> None:
    for _, path, operation in operations:
        words = operation["summary"].split()
        assert re.fullmatch(r"[A-Z][a-z]+", words[0]), path
        assert not words[0].endswith(("s", "ing", "ed")), f"{path}: begin with an imperative"
        assert 2 <= len(words) <= 14, path
        assert not operation["summary"].endswith("."), path


def test_what_is_described_is_used_and_said_in_words(
    described: Json, operations: list[Operation]
) -> None:
    used = set(references(described))
    parts = [
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in described["components"][kind]
    ]

    assert set(parts) - used == set()
    for _, path, operation in operations:
        assert operation["description"].startswith(operation["summary"]), path


def test_every_reference_leads_somewhere(described: Json) -> None:
    for reference in references(described):
        node = described
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_every_error_is_a_problem(described: Json, operations: list[Operation]) -> None:
    for _, path, operation in operations:
        errors = {status for status in operation["responses"] if status >= "400"}
        assert errors != set(), path
        for status in errors:
            name = operation["responses"][status]["$ref"].rpartition("/")[2]
            assert list(described["components"]["responses"][name]["content"]) == [PROBLEM]


def test_who_needs_to_be_signed_in_is_said_with_the_answers_to_those_who_are_not(
    operations: list[Operation],
) -> None:
    for _, path, operation in operations:
        # A session is opened with a token in the body: 401, and nobody needs to be signed in.
        if path != "/api/v1/sessions":
            assert ("401" in operation["responses"]) == ("security" in operation), path


def test_a_call_that_changes_a_revision_says_that_it_needs_it(operations: list[Operation]) -> None:
    for _, path, operation in operations:
        taken = {p["name"] for p in operation.get("parameters", [])}
        assert ("If-Match" in taken) == ("412" in operation["responses"]), path
        needed = {p["name"] for p in operation.get("parameters", []) if p["required"]}
        assert "If-Match" not in needed or "428" in operation["responses"], path


async def test_what_the_application_answers_is_the_problem_described(described: Json) -> None:
    services = [Service(name, routers(name), loops={}) for name in SERVICES]
    app = create_app(services, Tokens("not a secret, and long enough for its job"))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://tradewind.test") as client:
        answers = [
            await client.get("/api/v1/missions", headers={"Authorization": "Basic abc"}),
            await client.get("/api/v1/missions/no-uuid"),
            await client.post("/api/v1/sessions", json={"tocken": "misspelt"}),
            await client.get("/api/v1/nothing-here"),
        ]

    assert [answer.status_code for answer in answers] == [401, 422, 422, 404]
    for answer in answers:
        assert answer.headers["content-type"] == PROBLEM
        assert violations(answer.json(), described["components"]["schemas"]["Problem"]) == []


def references(node: Any) -> Iterator[str]:
    """Find every reference in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_no_dependency_is_handed_to_a_thread() -> None:
    found = [
        f"{call.__module__}.{call.__qualname__}"
        for service in SERVICES
        for router in routers(service)
        for route in router.routes
        if isinstance(route, APIRoute)
        for call in (route.endpoint, *calls_of(route.dependant))
        if not inspect.iscoroutinefunction(call)
    ]
    assert sorted(set(found)) == []
