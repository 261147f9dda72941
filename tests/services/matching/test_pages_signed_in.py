"""Every page of wishes, and every form on one, asks first who calls."""

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute

from services.matching.pages import (
    apart,
    apart_forms,
    limits,
    meet,
    meet_forms,
    overview,
    partners,
    rules,
    rules_forms,
)

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

ROUTES = [
    route
    for module in (
        apart,
        apart_forms,
        limits,
        meet,
        meet_forms,
        overview,
        partners,
        rules,
        rules_forms,
    )
    for route in module.router.routes
    if isinstance(route, APIRoute)
]
WORDS = {"side": "local", "answer": "accept", "table": "veto"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.name} {route.path}")
async def test_who_is_not_signed_in_is_asked_to_be(house: "House", route: APIRoute) -> None:
    path = re.sub(r"\{(\w+)\}", lambda name: WORDS.get(name[1], str(uuid4())), route.path)
    path = path.replace(path.split("/")[2], str(house.stop), 1) if "stops" in path else path
    assert route.methods
    for method in route.methods:
        answer = await house.client.request(method, path, headers={"Accept": "text/html"})
        assert answer.status_code == 401
        assert "You are not signed in" in answer.text
