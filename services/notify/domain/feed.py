"""The feed: every event in one order, who may see it, and cursors that cannot mislead."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self
from uuid import UUID

from pydantic_core import to_json

from shared.events import matching as m
from shared.events import registration as r
from shared.events.base import Event
from shared.log.records import Envelope

Audience = Literal["mission", "stop", "people", "staff"]

# Whoever takes part may know; else it is those who host the stop, or brought the people.
OF_A_MISSION: tuple[type[Event], ...] = (r.MissionAnnounced,)
OF_A_STOP: tuple[type[Event], ...] = (r.StopPlanned, r.ProgrammeItemPlanned, m.SchedulePublished)
OF_STAFF: tuple[type[Event], ...] = (
    r.StaffEngaged,
    r.SignInRequested,
    r.SessionEnded,
    r.ApplicationDrafted,
    r.ApplicationSubmitted,
    r.ApplicationDecided,
)
OF_HOSTS: tuple[Audience, ...] = ("stop", "people")
OF_PARTNERS: tuple[Audience, ...] = ("stop",)
"""What those see that host a stop, and all that have a role there."""
PEOPLE = ("participant_id", "counterpart_id", "person_id")
POSITION_MAX = 2**62

_CURSOR = re.compile(r"([0-9a-f]{12})-([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far somebody has read, and in which feed: a rebuilt one has other positions."""

    epoch: str
    position: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.position}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read what `str` wrote; None for anything else."""
        found = _CURSOR.fullmatch(text)
        if found is None or int(found[2]) > POSITION_MAX:
            return None
        return cls(found[1], int(found[2]))


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as the feed keeps it, but for its position."""

    envelope: Envelope
    event: Event
    audience: Audience
    mission_id: UUID
    stop_id: UUID | None
    concerned: tuple[UUID, ...]

    @classmethod
    def of(cls, envelope: Envelope, event: Event) -> Self:
        """Say whom an event concerns."""
        facts: Any = event
        return cls(
            envelope=envelope,
            event=event,
            audience=_audience(event),
            mission_id=facts.mission_id,
            stop_id=getattr(event, "stop_id", None),
            concerned=concerned(event),
        )

    def partners(self, hosts: Iterable[UUID], partners: Iterable[UUID]) -> set[UUID]:
        """Give those of a stop's hosts, and of all its partners, that may see it as such."""
        seen = set(hosts) if self.audience in OF_HOSTS else set()
        return seen | set(partners) if self.audience in OF_PARTNERS else seen

    def text(self) -> str:
        """Write the event: CloudEvents 1.0, JSON format, structured mode, without its position."""
        said = self.envelope
        return to_json(
            {
                "specversion": "1.0",
                "id": said.event_id,
                "source": said.source,
                "type": said.type,
                "subject": said.subject,
                "time": said.occurred_at,
                "datacontenttype": "application/json",
                # An extension of that name has texts that are compared as such (1.0.2).
                "sequence": f"{said.sequence:020}",
                "partitionkey": said.subject,
                "data": self.event.model_dump(mode="json"),
            }
        ).decode()

    def hook(self) -> str:
        """Write what a webhook carries (Standard Webhooks 1.0): ids, a version, and where more is.

        Who asks there is asked who he is: what webhooks carry may end in many logs.
        """
        ids = {
            name: value
            for name, value in self.event.model_dump(mode="json").items()
            if name.endswith("_id") and value is not None
        }
        version = {"version": self.envelope.sequence}
        link = {"link": f"/api/v1/events/{self.envelope.event_id}"}
        return to_json(
            {
                "type": self.envelope.type,
                "timestamp": self.envelope.occurred_at,
                "data": ids | version | link,
            }
        ).decode()


def concerned(event: Event) -> tuple[UUID, ...]:
    """Give the people whom an event is about; where none are named, their meeting."""
    if isinstance(event, m.MeetingEvent):
        return tuple(party.participant_id for party in event.parties)
    people = [value for name in PEOPLE if isinstance(value := getattr(event, name, None), UUID)]
    meeting = getattr(event, "meeting_id", None)
    return tuple(people) or ((meeting,) if meeting else ())


def brought(events: Sequence[Event]) -> list[tuple[UUID, UUID]]:
    """Give who was brought by which partner, as events tell it: pairs of ids, in order."""
    found = {
        (event.participant_id, event.partner_id): None
        for event in events
        if isinstance(event, r.ParticipantEvent) and event.partner_id is not None
    }
    return sorted(found)


def _audience(event: Event) -> Audience:
    if isinstance(event, OF_A_MISSION):
        return "mission"
    if isinstance(event, OF_A_STOP):
        return "stop"
    return "staff" if isinstance(event, OF_STAFF) else "people"
