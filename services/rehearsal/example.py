"""An example read from its folder, and drawn from with its seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from services.rehearsal.files import Participant, Plan, Stop, StopTroubles, Troubles
from services.rehearsal.references import MISSION_FILE, PARTICIPANTS_FILE, TROUBLES_FILE, faults


class ExampleError(ValueError):
    """A file of an example is wrong; the message names the file and the field."""


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times as fast, and not everywhere."""

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True)
class Example:
    """An example as its three files describe it."""

    plan: Plan
    participants: tuple[Participant, ...]
    troubles: Troubles

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the files of a folder; raises `ExampleError` with one sentence."""
        plan = _model(Plan, MISSION_FILE, _yaml(folder / MISSION_FILE))
        troubles = _model(Troubles, TROUBLES_FILE, _yaml(folder / TROUBLES_FILE))
        lines = _text(folder / PARTICIPANTS_FILE).splitlines()
        participants = tuple(
            _json(f"{PARTICIPANTS_FILE}, line {number}", line)
            for number, line in enumerate(lines, 1)
            if line.strip()
        )
        for fault in faults(plan, participants, troubles):
            raise ExampleError(fault)
        return cls(plan, participants, troubles)

    @cached_property
    def by_ref(self) -> Mapping[str, Participant]:
        """Find participants by their ref."""
        return {one.ref: one for one in self.participants}

    def stop(self, slug: str) -> Stop:
        """Find a stop."""
        return next(stop for stop in self.plan.stops if stop.slug == slug)

    def troubles_of(self, slug: str) -> StopTroubles:
        """Give what goes wrong at a stop; nothing when the file is silent about it."""
        return self.troubles.stops.get(slug, StopTroubles())

    def dice(self, *what: str) -> random.Random:
        """Give the draws of one subject: what is drawn for another does not change them."""
        return random.Random(" ".join([str(self.troubles.seed), *what]))  # noqa: S311  # no secret

    def share_of(self, among: Sequence[T], share: float, *what: str) -> list[T]:
        """Draw a share of a sequence, in its order."""
        drawn = self.dice(*what).sample(range(len(among)), round(share * len(among)))
        return [among[place] for place in sorted(drawn)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExampleError(f"{path.name}: it cannot be read ({error}).") from None


def _yaml(path: Path) -> Any:  # the file's content, of any shape
    try:
        return yaml.load(_text(path), LOADER)  # noqa: S506  # both loaders are safe ones
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise ExampleError(f"{path.name}: this is not YAML ({first}).") from None


def _model(model: type[M], where: str, content: object) -> M:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _first(where, error) from None


def _json(where: str, line: str) -> Participant:
    try:
        return Participant.model_validate_json(line)
    except ValidationError as error:
        raise _first(where, error) from None


def _first(where: str, error: ValidationError) -> ExampleError:
    fault = error.errors()[0]
    field = ".".join(map(str, fault["loc"])) or "the whole"
    return ExampleError(f"{where}: {field}: {fault['msg'].removeprefix('Value error, ')}.")
