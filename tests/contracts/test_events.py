import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import create_model

from scripts.contracts.compatibility import faults
from scripts.contracts.events import schema
from shared.events import EVENTS, TOPICS, matching, registration
from shared.events.base import Event

EXAMPLES = Path(__file__).parent / "examples"
PERSONAL = {
    "address", "birth", "email", "gender", "mail", "mobile", "name", "passport", "phone", "photo",
    "position", "wechat",
}  # fmt: skip
COMPANY_FACTS = {("OrganizationFacts", "name"), ("OrganizationFacts", "native_name")}
STATES_THAT_NO_VERB_NAMES = {"pending"}

Json = dict[str, Any]
Samples = Callable[[type[Event]], list[Json]]
SchemaOf = Callable[[type[Event]], Json]

every_event = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TYPE)


@every_event
def test_an_event_keeps_what_its_first_samples_promised(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    assert samples(event) != []
    assert [faults(event, sample, schema_of(event)) for sample in samples(event)] == [
        [] for _ in samples(event)
    ]


@every_event
def test_the_first_sample_is_a_full_one(event: type[Event], samples: Samples) -> None:
    full, *least = samples(event)
    optional = {name for name, field in event.model_fields.items() if not field.is_required()}

    assert full.keys() >= event.model_fields.keys() - optional
    assert full.keys() <= event.model_fields.keys()
    assert bool(optional) <= bool(least), "an optional field needs a sample without it"


def test_no_sample_is_of_an_event_that_is_gone() -> None:
    types = {event.TYPE for event in EVENTS}

    assert {path.stem for path in EXAMPLES.glob("**/*.json")} == types


def test_every_event_of_the_publishers_is_listed_once() -> None:
    defined = {
        value
        for module in (registration, matching)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Event) and "TYPE" in vars(value)
    }

    assert set(EVENTS) == defined
    assert len({event.TYPE for event in EVENTS}) == len(EVENTS)


@every_event
def test_a_type_says_publisher_noun_what_happened_and_version(event: type[Event]) -> None:
    found = re.fullmatch(
        r"([a-z]+)\.([a-z]+(?:_[a-z]+)*)\.([a-z]+)(?:_[a-z]+)*\.v[1-9]", event.TYPE
    )

    assert found is not None
    assert found[1] == event.TOPIC
    assert found[3].endswith("ed") or found[3] in STATES_THAT_NO_VERB_NAMES
    assert event.TOPIC in TOPICS


@every_event
def test_a_key_is_the_id_of_something(event: type[Event]) -> None:
    field = event.model_fields[event.KEY]

    assert field.annotation is UUID
    assert field.is_required()


@every_event
def test_an_event_says_what_became_true(event: type[Event]) -> None:
    assert re.match(r"[A-Z].*\.", vars(event)["__doc__"] or "")


@every_event
def test_no_event_has_a_field_for_personal_data(event: type[Event]) -> None:
    assert personal(schema(event)) == []


def test_a_field_for_personal_data_would_be_found() -> None:
    mutant = changed(registration.StaffEngaged, {"contact_email": (str, "")})

    assert personal(schema(mutant)) == ["StaffEngaged.contact_email"]


@every_event
def test_a_removed_field_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    full = samples(event)[0]

    for name in full:
        assert faults(changed(event, {}, without=name), full, schema_of(event)), name


@every_event
def test_a_renamed_field_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    full = samples(event)[0]

    for name in full:
        field = event.model_fields[name]
        mutant = changed(event, {f"new_{name}": (field.annotation, field)}, without=name)
        assert faults(mutant, full, schema_of(event)), name


@every_event
def test_a_new_field_that_is_required_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    mutant = changed(event, {"of_today": (str, ...)})

    assert all(faults(mutant, sample, schema_of(event)) for sample in samples(event))


@every_event
def test_an_optional_field_that_became_required_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    for name, field in event.model_fields.items():
        if not field.is_required():
            mutant = changed(event, {name: (field.annotation, ...)})
            found = [faults(mutant, sample, schema_of(event)) for sample in samples(event)]
            assert any(found), name


@every_event
def test_a_field_of_another_type_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    full = samples(event)[0]

    for name in full:
        mutant = changed(event, {name: (complex, ...)})
        assert faults(mutant, full, schema_of(event)), name


@every_event
def test_a_field_that_the_schema_does_not_name_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    mutant = changed(event, {"undocumented": (str, "")})

    assert faults(mutant, samples(event)[0], schema_of(event))


@every_event
def test_a_consumer_that_refuses_unknown_fields_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    mutant = changed(event, {})
    mutant.model_config["extra"] = "forbid"
    mutant.model_rebuild(force=True)

    assert faults(mutant, samples(event)[0], schema_of(event))


@pytest.mark.parametrize(
    "event", [registration.ParticipantConfirmed, matching.MeetingCalled], ids=lambda e: e.TYPE
)
def test_a_field_lost_deep_inside_is_caught(
    event: type[Event], samples: Samples, schema_of: SchemaOf
) -> None:
    full = samples(event)[0]

    for inner in objects(full):
        inner["once_here"] = 1
        assert faults(event, full, schema_of(event))
        del inner["once_here"]
    assert faults(event, full, schema_of(event)) == []


def changed(
    event: type[Event], fields: Mapping[str, tuple[Any, Any]], without: str = ""
) -> type[Event]:
    """Make an event that differs from a real one in some fields."""
    kept = {
        name: (field.annotation, field)
        for name, field in event.model_fields.items()
        if name != without
    }
    mutant: type[Event] = create_model(event.__name__, __base__=Event, **{**kept, **fields})  # type: ignore[call-overload]
    mutant.TYPE, mutant.TOPIC, mutant.KEY = event.TYPE, event.TOPIC, event.KEY
    return mutant


def personal(schema: Json) -> list[str]:
    """List the fields whose names are those of personal data."""
    owners = {schema["title"]: schema, **schema.get("$defs", {})}
    return [
        f"{owner}.{name}"
        for owner, definition in owners.items()
        for name in definition.get("properties", {})
        if PERSONAL & set(name.split("_")) and (owner, name) not in COMPANY_FACTS
    ]


def objects(value: Any) -> Iterator[Json]:
    """Find every object in a value, itself among them."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from objects(inner)
