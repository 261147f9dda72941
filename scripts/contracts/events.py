"""JSON Schemas of the events, and of the headers they travel with."""

import inspect
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import CoreSchema

from shared.events.base import Event

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCES = "#/$defs/{model}"

HEADERS: dict[str, dict[str, Any]] = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_id": {
        "format": "uuid",
        "description": "Names the event. It may be delivered again under the same id.",
    },
    "ce_source": {"pattern": "^/[a-z]+$", "description": "The publisher, as in `/registration`."},
    "ce_type": {
        "pattern": r"^[a-z]+\.[a-z_]+\.[a-z_]+\.v[0-9]+$",
        "description": "What became true. Pass over types you do not know.",
    },
    "ce_subject": {"format": "uuid", "description": "The aggregate's id; the record's key too."},
    "ce_time": {"format": "date-time", "description": "When it became true."},
    "ce_sequence": {
        "pattern": "^[0-9]+$",
        "description": "The aggregate's version: it grows with each event of one subject.",
    },
    "ce_partitionkey": {"format": "uuid", "description": "The same as `ce_subject`."},
    "ce_correlationid": {"description": "The id of the request that began it; for logs."},
}


class _WithoutFieldTitles(GenerateJsonSchema):
    """The stock titles only repeat the field's name."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        del schema
        return False


def model_schema(model: type[BaseModel], references: str = REFERENCES) -> dict[str, Any]:
    """Write a model's schema as a consumer may rely on it: what has a default may be absent."""
    return model.model_json_schema(ref_template=references, schema_generator=_WithoutFieldTitles)


def schema(event: type[Event]) -> dict[str, Any]:
    """Write an event's schema.

    It is open: a field that is added later must not fail a consumer that validates.
    """
    return {
        "$schema": DIALECT,
        "$id": f"urn:tradewind:{event.TYPE}",
        "x-topic": f"tradewind.{event.TOPIC}",
        "x-key": event.KEY,
        **model_schema(event),
    }


def headers() -> dict[str, Any]:
    """Write the schema of the headers that every record carries."""
    return {
        "$schema": DIALECT,
        "$id": "urn:tradewind:headers",
        "title": "Headers",
        "description": "CloudEvents 1.0 in Kafka's binary content mode. Values are UTF-8 text.",
        "type": "object",
        "properties": {name: {"type": "string", **rest} for name, rest in HEADERS.items()},
        "required": list(HEADERS),
    }


def summary(event: type[Event]) -> str:
    """Give the first sentence of an event's docstring: what became true."""
    return inspect.cleandoc(event.__doc__ or "").splitlines()[0]


def index(events: Sequence[type[Event]]) -> str:
    """Write the page that lists every event and header."""
    rows = [
        f"| [`{event.TYPE}`]({event.TYPE}.json) | `{event.KEY}` | {summary(event)} |"
        for event in events
    ]
    given = [f"| `{name}` | {_told(rest)} |" for name, rest in HEADERS.items()]
    lines = [
        "# Events",
        "",
        "Generated from the code: `make contracts`. The topic is `tradewind.` and the first word",
        "of the type. A field is only ever added; a break is a `.v2` beside the `.v1`. No event",
        "carries personal data.",
        "",
        "| Type | Key | What became true |",
        "| --- | --- | --- |",
        *rows,
        "",
        "## Headers",
        "",
        "CloudEvents 1.0, Kafka binary mode ([schema](headers.json)). The value of the record is",
        "the event alone, as JSON.",
        "",
        "| Header | Meaning |",
        "| --- | --- |",
        *given,
    ]
    return "\n".join(lines) + "\n"


def _told(header: dict[str, Any]) -> str:
    return header.get("description") or f"Always `{header['const']}`."
