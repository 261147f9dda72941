"""Meetings as the public API shows them, and commands that a lost answer does not confuse."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from services.rehearsal.client import Client, Json, Refused, Request
from services.rehearsal.updates import Updates
from shared.events.base import Side
from shared.events.matching import MeetingState

ATTEMPTS_MAX = 8

Command = Literal["call", "start", "finish", "cancel", "no-show", "delay", "move"]


class Party(BaseModel):
    """One side of a meeting."""

    model_config = ConfigDict(frozen=True)

    participant_id: str
    side: Side
    organization: str
    native_organization: str | None = None


class Meeting(BaseModel):
    """A meeting."""

    model_config = ConfigDict(frozen=True)

    meeting_id: str
    stop_id: str
    revision: int
    state: MeetingState
    starts_at: datetime
    ends_at: datetime
    delay_minutes: int
    point_id: str
    point: str
    parties: tuple[Party, ...]
    interpreter_id: str | None

    @property
    def people(self) -> tuple[str, ...]:
        """Give the ids of those who meet."""
        return tuple(party.participant_id for party in self.parties)

    @property
    def concerned(self) -> tuple[str, ...]:
        """Give everybody whose day it is part of."""
        return (*self.people, *filter(None, [self.interpreter_id]))

    def party(self, side: Side) -> Party:
        """Give the party of a side."""
        return next(party for party in self.parties if party.side == side)

    @property
    def length(self) -> timedelta:
        """Give how long it was planned to be."""
        return self.ends_at - self.starts_at


_SHOWS: dict[Command, Callable[[Meeting, Json], bool]] = {
    "call": lambda meeting, _: meeting.state == "called",
    "start": lambda meeting, _: meeting.state == "in_progress",
    "finish": lambda meeting, _: meeting.state == "completed",
    "cancel": lambda meeting, _: meeting.state == "cancelled",
    "no-show": lambda meeting, _: meeting.state == "no_show",
    "delay": lambda meeting, body: meeting.delay_minutes == body["minutes"],
    "move": lambda meeting, body: (
        meeting.starts_at == datetime.fromisoformat(body["starts_at"])
        and meeting.point_id == body["point_id"]
    ),
}


def took_effect(before: Meeting, after: Meeting, command: Command, body: Json) -> bool:
    """Say whether a meeting shows that the command sent about `before` was taken."""
    return after.revision == before.revision + 1 and _SHOWS[command](after, body)


@dataclass
class Floor:
    """The meetings of a stop as the rehearsal knows them; nobody else changes them."""

    staff: Client
    stop_id: str
    updates: Updates
    meetings: dict[str, Meeting] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    commands: int = 0

    @classmethod
    async def published(cls, staff: Client, stop_id: str, updates: Updates) -> Self:
        """Read a stop's meetings once its schedule is in force, and expect everybody to hear."""
        floor = cls(staff, stop_id, updates)
        for meeting in await read_all(staff, stop_id):
            floor.meetings[meeting.meeting_id] = meeting
            people = meeting.concerned
            updates.expect(people, stop_id, meeting.meeting_id, meeting.revision)
        return floor

    def of(self, person_id: str) -> list[Meeting]:
        """List a person's meetings that are still to come, the earliest first."""
        found = [m for m in self.meetings.values() if person_id in m.concerned and is_open(m)]
        return sorted(found, key=lambda m: (m.starts_at, m.meeting_id))

    async def take(self, meeting_id: str, command: Command, body: Json | None = None) -> Meeting:
        """Give a command about a meeting and note what it is afterwards; raises `Refused`."""
        before = self.meetings[meeting_id]
        after = await self._sent(before, command, body)
        self.commands += 1
        if command == "move":
            self.moved.add(meeting_id)
        self.note(after)
        return after

    def note(self, after: Meeting) -> None:
        """Take a meeting's new revision in and expect everybody concerned to hear of it."""
        before = self.meetings[after.meeting_id]
        self.meetings[after.meeting_id] = after
        about = (self.stop_id, after.meeting_id, after.revision)
        self.updates.expect(after.concerned, *about)
        former = before.interpreter_id
        if former is not None and former != after.interpreter_id:
            self.updates.expect_release(former, *about)

    async def _sent(self, before: Meeting, command: Command, body: Json | None) -> Meeting:
        path = f"/api/v1/meetings/{before.meeting_id}"
        for _ in range(ATTEMPTS_MAX):
            headers = {"If-Match": f'"{before.revision}"'}
            try:
                request = Request("POST", f"{path}/{command}", body, headers=headers)
                return Meeting.model_validate(await self.staff.send(request))
            except Refused as refusal:
                if refusal.code != "stale_revision" and not refusal.was_repeated:
                    raise
                # An earlier sending may have been taken and its answer lost.
                now = Meeting.model_validate(await self.staff.get(path))
                if took_effect(before, now, command, body or {}):
                    return now
                if now.revision == before.revision:
                    raise
                before = now
        raise UnsettledError(f"{command} of meeting {before.meeting_id} finds a newer revision.")


class UnsettledError(Exception):
    """Somebody else keeps changing a meeting."""


def is_open(meeting: Meeting) -> bool:
    """Say whether a meeting has not begun and still will."""
    return meeting.state in ("scheduled", "called")


async def read_all(client: Client, stop_id: str) -> list[Meeting]:
    """Read all meetings of a stop, in a fixed order."""
    items = (await client.get("/api/v1/meetings", converges=True, stop_id=stop_id))["items"]
    meetings = [Meeting.model_validate(item) for item in items]
    return sorted(meetings, key=lambda m: (m.starts_at, m.point, m.meeting_id))
