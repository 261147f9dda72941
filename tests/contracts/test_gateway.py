import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from fastapi.routing import APIRoute

from scripts.contracts.openapi import SERVICES

TEMPLATE = Path(__file__).parents[2] / "gateway" / "nginx.conf.template"
ANY_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture(scope="module")
def served_by() -> Callable[[str], str]:
    """Which service the gateway asks for a path: the first match counts."""
    text = TEMPLATE.read_text(encoding="utf-8")
    found = re.search(r"map \$uri \$service \{(.*?)\n    \}", text, re.DOTALL)
    assert found is not None
    table = re.findall(r'("~([^"]+)"|default)\s+http://\$\{GATEWAY_([A-Z]+)\};', found[1])
    assert table[-1][0] == "default"

    def look_up(path: str) -> str:
        return next(name for _, pattern, name in table if re.search(pattern, path)).lower()

    return look_up


@pytest.mark.parametrize("service", SERVICES)
def test_the_gateway_asks_the_service_that_answers(
    service: str, served_by: Callable[[str], str]
) -> None:
    paths = set(public_paths(service))

    assert paths != set()
    assert {path for path in paths if served_by(path) != service} == set()


def public_paths(service: str) -> Iterator[str]:
    """List what a service answers to users: its API, its pages, its static files."""
    for part in ("api", "pages"):
        package = import_module(f"services.{service}.{part}")
        for module in iter_modules(package.__path__):
            router = getattr(import_module(f"{package.__name__}.{module.name}"), "router", None)
            for route in router.routes if router else ():
                assert isinstance(route, APIRoute)
                if not route.path.startswith("/internal/"):
                    yield re.sub(r"\{[^}]+\}", ANY_ID, route.path)
    yield f"/static/{service}/any.css"
