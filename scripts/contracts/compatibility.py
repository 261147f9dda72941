"""Whether today's code still keeps what an event promised when it was first published."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from pydantic import ValidationError

from shared.events.base import Event

Json = dict[str, Any]


def faults(event: type[Event], sample: Json, schema: Mapping[str, Any]) -> list[str]:
    """Say in which ways `event` breaks what `sample` and the committed `schema` promise."""
    found = [f"sample against schema: {fault}" for fault in violations(sample, schema)]
    try:
        known = event.model_validate(sample)
        tolerated = event.model_validate(with_unknown_fields(sample))
    except ValidationError as error:
        return [*found, f"parsing: {error}"]
    written = json.loads(known.model_dump_json())
    found += [f"lost or changed: {path}" for path in lost(sample, written)]
    found += [f"written against schema: {fault}" for fault in violations(written, closed(schema))]
    if tolerated != known:
        found.append("an unknown field is not passed over")
    return found


def violations(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """List what `schema` says against `value`."""
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def closed(node: Any) -> Any:
    """Give the schema with no room for fields it does not name."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    shut = {key: closed(value) for key, value in node.items()}
    return {**shut, "additionalProperties": False} if "properties" in node else shut


def with_unknown_fields(value: Any) -> Any:
    """Give the value with a field of tomorrow in every object that has named fields."""
    if isinstance(value, list):
        return [with_unknown_fields(item) for item in value]
    if not isinstance(value, dict):
        return value
    # An object within an object may be a mapping whose keys are data.
    inner = {key: with_unknown_fields(item) for key, item in value.items()}
    return (
        inner
        if all(isinstance(item, dict) for item in value.values())
        else {**inner, "of_tomorrow": copy.deepcopy(value)}
    )


def lost(before: Any, after: Any, path: str = "$") -> Iterator[str]:
    """Find what of `before` is missing or different in `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key, Ellipsis), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from lost(*pair, f"{path}[{place}]")
    elif before != after:
        yield path
