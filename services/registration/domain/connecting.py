"""Connecting: registrations of a partner's own system, in our terms, and what to do about each."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic_core import to_json

from services.registration.domain.places import IS_OVER, Status
from services.registration.domain.taking_back import counts

Cursor = Mapping[str, Any]
"""How far was read, as the connector says it; empty at first."""

BACKOFF_SECONDS = 30
BACKOFF_SECONDS_MAX = 3600
BACKOFF_DOUBLINGS_MAX = 7


@dataclass(frozen=True, slots=True)
class Record:
    """One person's registration as it stands there."""

    id: str
    """The same for ever, and nobody else's there."""
    handle: Mapping[str, Any]
    """What it is asked for and written to by: ids, nothing about the person."""
    product: str
    """What it is a registration to: the key of a product or form."""
    has_ended: bool
    arrived_at: datetime | None
    values: Mapping[str, str]
    """What it says, by the key of the field; what is empty is not there."""

    @property
    def seen(self) -> bytes:
        """Tell this state of it from any other."""
        arrived = self.arrived_at is not None
        return _digest([self.product, self.has_ended, arrived, dict(sorted(self.values.items()))])


@dataclass(frozen=True, slots=True)
class Page:
    """Some registrations that may have changed, and where to go on."""

    records: Sequence[Record]
    cursor: Cursor
    is_last: bool


@dataclass(frozen=True, slots=True)
class Field:
    """Something that a registration there may say, or a product it may be to."""

    key: str
    label: str
    options: Sequence[str] = ()
    """What it may say, where that is a closed list."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What there is to map."""

    products: Sequence[Field]
    fields: Sequence[Field]


class Push(StrEnum):
    """What we tell the other system."""

    CHECK_IN = "check_in"
    CANCEL = "cancel"


class Target(StrEnum):
    """What a field there can become here."""

    FULL_NAME = "full_name"
    NATIVE_NAME = "native_name"
    LATIN_NAME = "latin_name"
    EMAIL = "email"
    LANGUAGE = "language"
    POSITION = "position"
    COMPANY = "company"
    COMPANY_NATIVE = "company_native"
    COUNTRY = "country"
    REGISTRATION_NUMBER = "registration_number"
    SECTORS = "sectors"


ANSWER = "answer."
"""A target that begins so is our question of that code."""
NEEDED = (Target.FULL_NAME, Target.EMAIL, Target.COMPANY, Target.COUNTRY, Target.SECTORS)


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How their words become ours."""

    items: Mapping[str, str] = field(default_factory=dict)
    """Our programme item by their product; a product that is not there is not read."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Their field by our target."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """What a target says where theirs says nothing."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Our value by theirs, by target."""

    @property
    def missing(self) -> list[str]:
        """Name what a registration needs and nothing is mapped to."""
        return [name for name in NEEDED if name not in self.fields and name not in self.fixed]


# Controls but for tabs and line ends: PostgreSQL keeps none of the first of them.
_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def said(values: Mapping[str, str | None]) -> dict[str, str]:
    """Give the values that say something, without what cannot be kept."""
    plain = {key: _ODD.sub("", text or "").strip() for key, text in values.items()}
    return {key: text for key, text in plain.items() if text}


def facts_of(mapped: FieldMap, record: Record) -> dict[str, str]:
    """Give what a record says, by target, in our values where those are mapped."""
    facts = {target: text for target, text in mapped.fixed.items() if text}
    for target, key in mapped.fields.items():
        if text := record.values.get(key, ""):
            known = mapped.values.get(target, {})
            parts = [part.strip() for part in text.split(",")] if target == "sectors" else [text]
            facts[target] = ",".join(known.get(part, part) for part in parts)
    return facts


def digest_of(facts: Mapping[str, str]) -> bytes:
    """Tell these facts from any others."""
    return _digest(dict(sorted(facts.items())))


def _digest(value: object) -> bytes:
    return hashlib.sha256(to_json(value)).digest()


def body_of(facts: Mapping[str, str], languages: Sequence[str]) -> dict[str, Any]:
    """Write facts as the body of a registration, to be checked as any other is.

    `languages`: what a person speaks who does not say so.
    """
    language = (facts.get("language") or languages[0])[:2].lower()
    spoken = language if language in ("en", "zh") else languages[0]
    position = facts.get("position")
    person = {
        "full_name": facts.get("full_name", ""),
        "native_name": facts.get("native_name"),
        "latin_name": facts.get("latin_name"),
        "email": facts.get("email", ""),
        "language": spoken,
        "languages": [spoken],
        "position": {spoken: position} if position else None,
    }
    organization = {
        "name": facts.get("company", ""),
        "native_name": facts.get("company_native"),
        "country": facts.get("country", ""),
        "registration_number": facts.get("registration_number"),
        "sectors": [code for code in facts.get("sectors", "").split(",") if code],
    }
    answers = {
        name.removeprefix(ANSWER): text for name, text in facts.items() if name.startswith(ANSWER)
    }
    return {"person": person, "organization": organization, "answers": answers}


@dataclass(frozen=True, slots=True)
class Link:
    """What is known here of a record: what was last seen of it, and what became of it."""

    facts: bytes | None
    revision: int | None
    has_ended: bool
    takes_theirs: bool = False
    has_arrived: bool = False


@dataclass(frozen=True, slots=True)
class Ours:
    """The registration here."""

    status: Status
    revision: int
    has_arrived: bool
    check_in_undone_at: datetime | None = None


Step = Literal["register", "cancel", "edit", "check_in"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do here about a record, in order, or why nothing can be done."""

    steps: Sequence[Step] = ()
    conflict: str | None = None


def plan(record: Record, facts: bytes, link: Link | None, ours: Ours | None) -> Plan:
    """Say what a record that has changed means here.

    What is as it should be gives no step, so what came from here and is read back does nothing.
    """
    if link is None or ours is None:
        return Plan() if record.has_ended else Plan(_registered(is_there=bool(record.arrived_at)))
    if record.has_ended:
        return _ended(ours)
    if ours.status in IS_OVER:
        return _came_back(record, link, ours)
    steps: tuple[Step, ...] = ()
    if link.facts != facts or link.takes_theirs:
        if link.revision != ours.revision and not link.takes_theirs:
            return Plan(conflict="changed_on_both_sides")
        steps = ("edit",)
    return Plan((*steps, "check_in") if _arrives(record, link, ours) else steps)


def _ended(ours: Ours) -> Plan:
    if ours.status in IS_OVER:
        return Plan()
    return Plan(conflict="ended_there_but_arrived") if ours.has_arrived else Plan(("cancel",))


def _came_back(record: Record, link: Link, ours: Ours) -> Plan:
    """Register again who had ended there before; else it ended here alone, and is not undone."""
    if (link.has_ended or link.takes_theirs) and ours.status is not Status.REJECTED:
        return Plan(_registered(is_there=_arrives(record, link, ours)))
    return Plan(conflict="ended_here")


def _registered(*, is_there: bool) -> tuple[Step, ...]:
    return ("register", "check_in") if is_there else ("register",)


def _arrives(record: Record, link: Link, ours: Ours) -> bool:
    """Say whether an arrival there is news here; one that was taken back here is not."""
    if ours.has_arrived or record.arrived_at is None:
        return False
    undone_at = ours.check_in_undone_at
    return undone_at is None or (not link.has_arrived and counts(record.arrived_at, undone_at))


def pause_of(failures: int, asked_for: float | None, jitter: float) -> timedelta:
    """Say how long to leave a system alone after it failed, `failures` times in a row.

    What it asks for (Retry-After) counts, within an hour; `jitter` from 0 to 1 spreads the rest.
    """
    if asked_for is not None:
        return timedelta(seconds=min(max(asked_for, 1.0), BACKOFF_SECONDS_MAX))
    doubled = BACKOFF_SECONDS * 2 ** min(max(failures, 1) - 1, BACKOFF_DOUBLINGS_MAX)
    return timedelta(seconds=min(doubled, BACKOFF_SECONDS_MAX) * (0.75 + jitter / 2))
