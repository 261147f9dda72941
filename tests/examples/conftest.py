"""The files of the sample mission, read once."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

Record = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "examples" / "cleantech-china-2023"


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cleantech_generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def data() -> Record:
    loaded: Record = yaml.safe_load((FOLDER / "mission.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def rehearsal() -> Record:
    loaded: Record = yaml.safe_load((FOLDER / "rehearsal.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def people() -> list[Record]:
    text = (FOLDER / "participants.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def delegates(people: list[Record]) -> list[Record]:
    return [p for p in people if p["side"] == "delegation"]


@pytest.fixture(scope="session")
def locals_(people: list[Record]) -> list[Record]:
    return [p for p in people if p["side"] == "local"]
