import asyncio
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

SERVICES = ("registration", "matching", "notify")


def paths(service: str) -> list[str]:
    """Every path that a service's routers serve, with `x` in the place of what varies."""
    found = []
    for folder in ("api", "pages"):
        package = importlib.import_module(f"services.{service}.{folder}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            router = getattr(importlib.import_module(module.name), "router", None)
            if isinstance(router, APIRouter):
                found += [r.path for r in router.routes if isinstance(r, APIRoute)]
    return [re.sub(r"\{[^}]*\}", "x", path) for path in found]


@pytest.mark.parametrize("service", SERVICES)
async def test_every_path_of_a_service_leads_to_it(gateway: Any, service: str) -> None:
    wanted = [path for path in paths(service) if not path.startswith("/internal/")]

    astray = {
        path: found
        for path in [*wanted, f"/static/{service}/x.css"]
        if not path.startswith("/api/v1/live/")
        if (found := await gateway.service(path)) != service
    }

    assert len(wanted) > 1
    assert astray == {}


async def test_what_services_ask_one_another_is_hidden(gateway: Any) -> None:
    for path in ("/internal", "/internal/contacts", "//internal/contacts", "/%69nternal/contacts"):
        # Joined here: a path that begins with two slashes would be read as a host.
        answer = await gateway.client.get(f"{gateway.client.base_url}".rstrip("/") + path)

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_stream_is_passed_on_event_by_event(gateway: Any) -> None:
    async with gateway.client.stream("GET", "/api/v1/live/me") as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "data: first of notify"
        gateway.more.set()
        assert [line async for line in lines if line] == ["data: second"]


async def test_a_service_hears_who_asked_for_what(gateway: Any) -> None:
    path = "/api/v1/stops/a%2Fb?next=%2F"
    sent = {"X-Request-Id": "abc-1", "X-Forwarded-Proto": "https"}

    told = (await gateway.client.get(path, headers=sent)).json()

    assert told["request"] == f"GET {path} HTTP/1.1"
    assert told["headers"]["host"] == gateway.client.base_url.netloc.decode()
    assert told["headers"]["x-request-id"] == "abc-1"
    assert told["headers"]["x-forwarded-proto"] == "https"
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"


async def test_an_id_that_is_none_is_replaced(gateway: Any) -> None:
    told = (await gateway.client.get("/", headers={"X-Request-Id": 'a"b'})).json()

    assert re.fullmatch("[0-9a-f]{32}", told["headers"]["x-request-id"])


async def test_a_service_that_is_away_is_a_problem_to_programs_and_a_page_to_people(
    gateway: Any,
) -> None:
    gateway.upstreams["matching"].close()

    problem = await gateway.client.post("/api/v1/requests")
    page = await gateway.client.get("/stops/x/board", headers={"Accept": "text/html,*/*"})

    assert (problem.status_code, page.status_code) == (503, 503)
    assert (problem.json()["code"], problem.headers["retry-after"]) == ("unavailable", "1")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert await gateway.service("/") == "registration"


async def test_a_body_over_one_mebibyte_is_refused(gateway: Any) -> None:
    answer = await gateway.client.post("/api/v1/sessions", content=b"x" * 1_048_577)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_the_log_holds_no_token(gateway: Any, tmp_path: Path) -> None:
    gateway.upstreams["registration"].close()
    await gateway.client.get("/sign-in?token=secret")

    # The line is written after the answer.
    async with asyncio.timeout(60):
        while '"path":"/sign-in","status":503' not in (said := (tmp_path / "said").read_text()):
            await asyncio.sleep(0.02)
    assert "secret" not in said
