"""Which files are generated, and from what."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.contracts import asyncapi, configuration, events, openapi
from shared.events import EVENTS

DOCS = Path(__file__).parents[2] / "docs"
REMAKE = "make contracts"


class _Plain(yaml.SafeDumper):
    """YAML without aliases: what is the same twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def generated() -> dict[Path, str]:
    """Give each generated file's path and text; the same code gives the same bytes."""
    schemas = {
        DOCS / "events" / f"{event.TYPE}.json": _json(events.schema(event)) for event in EVENTS
    }
    return schemas | {
        DOCS / "events" / "headers.json": _json(events.headers()),
        DOCS / "events" / "README.md": events.index(EVENTS),
        DOCS / "configuration.md": configuration.page(),
        DOCS / "asyncapi.yaml": _yaml(asyncapi.document()),
        DOCS / "openapi.json": _json(openapi.document()),
    }


def committed() -> set[Path]:
    """List the files that are there now, among them those that nothing generates any more."""
    named = {DOCS / name for name in ("asyncapi.yaml", "configuration.md", "openapi.json")}
    return {path for path in (*(DOCS / "events").glob("*"), *named) if path.is_file()}


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _yaml(document: Mapping[str, Any]) -> str:
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return f"# Generated from the code: `{REMAKE}`.\n{text}"
