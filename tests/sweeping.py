"""Every call of the API that names something: made from the document that users read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from scripts.contracts.files import DOCS

PREFIX = "/api/v1"
WORDS = {"number": "0", "code": "any", "name": "any", "purpose": "any", "channel": "email"}


@dataclass(frozen=True)
class Call:
    """One call, with ids where its path and its query name something."""

    method: str
    path: str
    template: str
    """The path as the document has it, without what all begin with."""
    query: Mapping[str, str]
    is_public: bool
    named: frozenset[str] = field(default=frozenset())
    """What of the given ids it names."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def route(self) -> str:
        """Its method and path, as the document has them."""
        return f"{self.method} {self.template}"


def calls(served: Mapping[str, Any], ids: Mapping[str, object]) -> Iterator[Call]:
    """Give every documented call that `served` (the paths of an application) has, with `ids`.

    What has no id is somebody's of whom nobody has heard.
    """
    document = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    for path, methods in document["paths"].items():
        if path not in served:
            continue
        for method, operation in methods.items():
            given = operation.get("parameters", [])
            names = {p["name"]: p["in"] for p in given}
            values = {
                name: str(ids.get(name) or WORDS.get(name) or uuid4())
                for name, place in names.items()
                if place == "path"
            }
            queried = {n: str(ids[n]) for n, place in names.items() if place == "query" if n in ids}
            yield Call(
                method.upper(),
                path.format(**values),
                path.removeprefix(PREFIX),
                queried,
                is_public={} in operation.get("security", [{}]),
                named=frozenset(ids) & names.keys(),
            )
