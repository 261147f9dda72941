import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import yaml

from scripts.contracts.compatibility import closed, violations
from scripts.contracts.files import DOCS
from services.notify.domain.live import Entry, Place, Position, snapshot
from shared.events import EVENTS, TOPICS
from shared.events.base import Event
from shared.events.matching import MeetingEvent, MeetingMoved
from shared.log.kafka import KafkaLog
from shared.log.records import Envelope

Json = dict[str, Any]

MEETING_EVENTS = [event for event in EVENTS if issubclass(event, MeetingEvent)]


@pytest.fixture(scope="module")
def described() -> Json:
    document: Json = yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
    return document


def test_every_event_is_in_its_topic_and_says_where_its_schema_is(described: Json) -> None:
    prefix = inspect.signature(KafkaLog).parameters["prefix"].default
    for topic in TOPICS:
        channel = described["channels"][topic]
        events = [event for event in EVENTS if topic == event.TOPIC]
        assert channel["address"] == f"{prefix}.{topic}"
        assert list(channel["messages"]) == [event.__name__ for event in events]
        for event in events:
            payload = described["components"]["messages"][event.__name__]["payload"]
            assert payload["schema"]["$ref"] == f"./events/{event.TYPE}.json"
            assert (DOCS / payload["schema"]["$ref"]).is_file()


def test_a_topic_has_the_partitions_it_is_made_with(described: Json) -> None:
    made = inspect.signature(KafkaLog).parameters["partitions"].default

    for topic in TOPICS:
        assert described["channels"][topic]["bindings"]["kafka"]["partitions"] == made


def test_a_record_has_the_headers_described(described: Json) -> None:
    message = described["components"]["messages"]["MissionAnnounced"]
    schema = json.loads((DOCS / message["headers"]["$ref"]).read_text(encoding="utf-8"))
    envelope = Envelope(
        event_id=UUID(int=1),
        type="registration.mission.announced.v1",
        source="/registration",
        subject=str(UUID(int=2)),
        occurred_at=datetime(2023, 11, 6, tzinfo=UTC),
        sequence=7,
        correlation_id="a request",
    )

    headers = {name: value.decode() for name, value in envelope.headers()}

    assert violations(headers, closed(schema)) == []


@pytest.mark.parametrize("event", MEETING_EVENTS, ids=lambda event: event.TYPE)
def test_a_listener_gets_what_is_described(
    event: type[MeetingEvent], described: Json, samples: Callable[[type[Event]], list[Json]]
) -> None:
    entry = Entry.of(event.model_validate(samples(event)[0]))
    change = closed({**described, **described["components"]["messages"]["change"]["payload"]})
    everything = {**described, **described["components"]["messages"]["snapshot"]["payload"]}

    assert violations(json.loads(entry.live), change) == []
    assert violations(json.loads(snapshot([entry.live] * 2)), closed(everything)) == []


def test_a_listener_is_not_told_who_interpreted_before(described: Json) -> None:
    live = described["components"]["schemas"]["Live"]["properties"]

    assert MeetingMoved.model_fields.keys() - live.keys() == {"former_interpreter_id"}


def test_a_position_is_written_as_described(described: Json) -> None:
    for name in ("snapshot", "change", "resync"):
        headers = described["components"]["messages"][name]["headers"]
        position = str(Position("0a1b", Place(1_700_000_000_000, 3)))
        assert violations({"id": position}, headers) == []
        assert violations({"id": "3"}, headers) != []


def test_the_streams_are_where_the_http_interface_has_them(described: Json) -> None:
    openapi = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    streams = {
        path
        for path, methods in openapi["paths"].items()
        if "get" in methods
        and "text/event-stream" in methods["get"]["responses"]["200"].get("content", {})
    }

    addresses = {
        channel["address"].partition("?")[0]
        for channel in described["channels"].values()
        if channel["servers"] == [{"$ref": "#/servers/gateway"}]
    }
    assert addresses == streams
