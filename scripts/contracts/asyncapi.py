"""AsyncAPI 3.1: the topics of the log, and the live streams."""

from typing import Any

from scripts.contracts.events import model_schema, summary
from shared.events import EVENTS, TOPICS
from shared.events.base import Event
from shared.events.matching import MeetingEvent

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
PARTITIONS = 12

STREAMS = {
    "me": ("/api/v1/live/me", "One's own meetings at a stop: delegates, locals, interpreters."),
    "stop": ("/api/v1/live/stops/{stop_id}", "All meetings of a stop: staff and screens."),
}
POSITION = {
    "type": "string",
    "pattern": "^[0-9a-f]{1,32}:[0-9]{1,15}-[0-9]{1,15}$",
    "description": "`<epoch>:<ms-seq>`. Send the last one back as Last-Event-ID to resume.",
}
LIVE = {"$ref": "#/components/schemas/Live"}


def document() -> dict[str, Any]:
    """Write the whole document."""
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Tradewind events",
            "version": "1",
            "description": (
                "Facts in Kafka for systems that follow along, and server-sent events for the "
                "people of the day. Records come at least once, and in order for one key. How a "
                "reader gets at them, and what else it may not do, is in docs/kafka.md."
            ),
            "contact": {"name": "The organiser who runs this installation"},
            "license": {"name": "Apache-2.0"},
            "tags": [
                {"name": "log", "description": "Facts in Kafka, for systems."},
                {"name": "live", "description": "Server-sent events, for people."},
            ],
        },
        "defaultContentType": "application/json",
        "servers": {
            "log": {"host": "kafka:9092", "protocol": "kafka", "description": "Kafka 4."},
            "gateway": {"host": "127.0.0.1:8000", "protocol": "http", "description": "The API."},
        },
        "channels": {topic: _topic(topic) for topic in TOPICS}
        | {f"live_{name}": _stream(*told) for name, told in STREAMS.items()},
        "operations": {
            f"publish_{topic}": _send(topic, f"Says what became true in {topic}.")
            for topic in TOPICS
        }
        | {f"stream_{name}": _stream_operation(name, *told) for name, told in STREAMS.items()},
        "components": {
            "messages": {event.__name__: _record(event) for event in EVENTS} | _frames(),
            "schemas": _schemas(),
        },
    }


def _topic(topic: str) -> dict[str, Any]:
    names = [event.__name__ for event in EVENTS if topic == event.TOPIC]
    return {
        "address": f"tradewind.{topic}",
        "description": f"What {topic} publishes. The key of a record is its aggregate's id.",
        "servers": [{"$ref": "#/servers/log"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": {"partitions": PARTITIONS, "bindingVersion": "0.5.0"}},
    }


def _record(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": summary(event),
        "headers": {"$ref": "./events/headers.json"},
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": f"./events/{event.TYPE}.json"},
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "format": "uuid", "description": f"`{event.KEY}`"},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _stream(address: str, description: str) -> dict[str, Any]:
    names = ("snapshot", "change", "resync")
    stop = {"parameters": {"stop_id": {"description": "The stop's id, a UUID."}}}
    return {
        "address": address,
        "description": f"{description} text/event-stream, with a bearer token.",
        "servers": [{"$ref": "#/servers/gateway"}],
        **(stop if "{stop_id}" in address else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _frames() -> dict[str, Any]:
    many = {
        "type": "object",
        "properties": {"meetings": {"type": "array", "items": LIVE}},
        "required": ["meetings"],
    }
    return {
        "snapshot": _frame("All meetings as they are now; it replaces what you hold.", many),
        "change": _frame("A meeting as it is now.", LIVE),
        "resync": _frame(
            "What you hold cannot be continued. A snapshot follows.",
            {"type": "object", "maxProperties": 0},
        ),
    }


def _frame(told: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": told,
        "contentType": "text/event-stream",
        "headers": {"type": "object", "properties": {"id": POSITION}, "required": ["id"]},
        "payload": payload,
    }


def _schemas() -> dict[str, Any]:
    """Write what a listener gets of a meeting: the event's facts and the type of the change."""
    facts = model_schema(MeetingEvent, "#/components/schemas/{model}")
    parts = facts.pop("$defs")
    types = [event.TYPE for event in EVENTS if issubclass(event, MeetingEvent)]
    live = {
        **facts,
        "title": "Live",
        "description": "A meeting's whole state. Of two with one meeting_id the higher revision "
        "is the newer.",
        "properties": {"type": {"enum": types, "type": "string"}, **facts["properties"]},
        "required": ["type", *facts["required"]],
    }
    return {"Live": live, **parts}


def _stream_operation(name: str, address: str, told: str) -> dict[str, Any]:
    query = {
        "type": "object",
        "required": ["stop_id"],
        "properties": {"stop_id": {"type": "string", "format": "uuid"}},
    }
    http = {"method": "GET", "bindingVersion": "0.3.0"}
    asked = {} if "{stop_id}" in address else {"query": query}
    return _send(f"live_{name}", told) | {"bindings": {"http": http | asked}}


def _send(channel: str, told: str) -> dict[str, Any]:
    return {"action": "send", "description": told, "channel": {"$ref": f"#/channels/{channel}"}}
