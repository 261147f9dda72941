"""Live entries: a meeting as listeners see it, and its place in a stop's stream."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Self
from uuid import UUID

from pydantic_core import from_json

from shared.events.matching import MeetingEvent

STREAM_LENGTH_MAX = 10_000
REPLAY_LENGTH_MAX = 1_000
"""Who missed more is better served by a snapshot."""

_POSITION = re.compile(r"([0-9a-f]{1,32}):(\d{1,15})-(\d{1,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A meeting's state after a change.

    `people` are those whose day it is part of; `concerned` adds those it was taken from.
    """

    meeting_id: UUID
    stop_id: UUID
    revision: int
    state: str
    starts_at: datetime
    people: tuple[UUID, ...]
    concerned: tuple[UUID, ...]
    live: str
    """JSON of one line."""

    @classmethod
    def of(cls, event: MeetingEvent) -> Self:
        """Make the entry of an event."""
        facts = event.model_dump_json(include=set(MeetingEvent.model_fields))
        return cls(
            meeting_id=event.meeting_id,
            stop_id=event.stop_id,
            revision=event.revision,
            state=event.state,
            starts_at=event.starts_at,
            people=people_of(event),
            concerned=event.concerned,
            live=f'{{"type":"{event.TYPE}",{facts[1:]}',
        )


def people_of(event: MeetingEvent) -> tuple[UUID, ...]:
    """List those whose day the meeting is part of from now on."""
    people = tuple(party.participant_id for party in event.parties)
    return (*people, event.interpreter_id) if event.interpreter_id else people


def people_in(live: str) -> list[str]:
    """List the same from the JSON of an entry."""
    facts = from_json(live)
    people = [party["participant_id"] for party in facts["parties"]]
    return [*people, facts["interpreter_id"]] if facts["interpreter_id"] else people


class Place(NamedTuple):
    """Where in a stop's stream an entry lies: the two numbers of a Redis stream id."""

    milliseconds: int
    nth: int

    @classmethod
    def of(cls, stream_id: str) -> Self:
        """Read a stream id."""
        milliseconds, _, nth = stream_id.partition("-")
        return cls(int(milliseconds), int(nth))

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.nth}"


@dataclass(frozen=True, slots=True)
class Position:
    """What a listener has seen: a place, and the epoch without which places cannot be compared."""

    epoch: str
    place: Place

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read `<epoch>:<ms-seq>`; anything else is None."""
        found = _POSITION.fullmatch(text)
        return cls(found[1], Place(int(found[2]), int(found[3]))) if found else None

    def __str__(self) -> str:
        return f"{self.epoch}:{self.place}"


SESSIONS_KEY = "live:sessions"
"""The stream of those whose open streams end, at every stop."""
SESSIONS_SECONDS = 60


def epoch_key(stop_id: UUID) -> str:
    """Name the key of a stop's epoch; the braces keep a stop's keys on one node of a cluster."""
    return f"live:{{{stop_id}}}:epoch"


def meetings_key(stop_id: UUID) -> str:
    """Name the hash with a stop's meetings."""
    return f"live:{{{stop_id}}}:meetings"


def stream_key(stop_id: UUID) -> str:
    """Name the stream of a stop's changes."""
    return f"live:{{{stop_id}}}:stream"


def frame(event: str, position: Position, data: str) -> bytes:
    """Encode one event of an event stream (WHATWG HTML, server-sent events); one line of data."""
    return f"id: {position}\nevent: {event}\ndata: {data}\n\n".encode()


def snapshot(meetings: list[str]) -> str:
    """Write the data of a snapshot from entries' JSON."""
    return f'{{"meetings":[{",".join(meetings)}]}}'
