"""Sources: where the databases of an installation are."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

DATABASES_VARIABLE = "TRADEWIND_DATABASES"
REDIS_VARIABLE = "TRADEWIND_REDIS_URL"
FILE = "addresses.json"


class NoSources(Exception):
    """Nothing says where the databases are; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The address of each service's database, and of Redis; empty: live pages are not asked."""

    databases: Mapping[str, str]
    redis: str = ""


def named(folder: Path) -> Sources:
    """Find them in the environment, or what runs on a data folder; raises `NoSources`."""
    if databases := os.environ.get(DATABASES_VARIABLE):
        return Sources(json.loads(databases), os.environ.get(REDIS_VARIABLE, ""))
    try:
        return Sources(**json.loads((folder / FILE).read_text()))
    except FileNotFoundError:
        raise NoSources(
            f"Nothing runs on {folder}: start it (make run), or name the databases in "
            f'{DATABASES_VARIABLE}, as JSON: {{"registration": "postgresql://…", …}}'
        ) from None


@contextmanager
def noted(folder: Path, sources: Sources) -> Iterator[None]:
    """Note them in a data folder, for its owner alone, while something runs on it."""
    file = folder / FILE
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(sources)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
