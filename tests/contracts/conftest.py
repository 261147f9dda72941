"""What was promised: the first sample of each event, and the committed schemas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.contracts.files import DOCS
from shared.events.base import Event

EXAMPLES = Path(__file__).parent / "examples"

Json = dict[str, Any]


@pytest.fixture(scope="session")
def samples() -> Callable[[type[Event]], list[Json]]:
    """The fullest event of a type that was first written, and the one with least in it."""

    def read(event: type[Event]) -> list[Json]:
        paths = [folder / f"{event.TYPE}.json" for folder in (EXAMPLES, EXAMPLES / "least")]
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]

    return read


@pytest.fixture(scope="session")
def schema_of() -> Callable[[type[Event]], Json]:
    """The schema in the repository, not the one that today's code would generate."""

    def read(event: type[Event]) -> Json:
        text = (DOCS / "events" / f"{event.TYPE}.json").read_text(encoding="utf-8")
        schema: Json = json.loads(text)
        return schema

    return read
