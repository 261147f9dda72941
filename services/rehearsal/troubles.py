"""Troubles of the day and how staff repairs them: a late bus, a lost table, overruns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.rehearsal.client import Client, Json, Refused
from services.rehearsal.files import LateBus, LostTable
from services.rehearsal.meetings import Floor, Meeting, is_open
from services.rehearsal.outcome import Incidents
from services.rehearsal.planning import PlannedStop

OPTIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of a session."""

    session_id: str
    number: int
    starts_at: datetime
    ends_at: datetime


@dataclass
class Timetable:
    """The slots of a stop's sessions, and their points by label."""

    slots: list[Slot] = field(default_factory=list)
    points: dict[tuple[str, str], str] = field(default_factory=dict)
    """By session and label."""

    @classmethod
    async def of(cls, client: Client, stop: PlannedStop) -> "Timetable":
        """Read it."""
        answer = await client.get("/api/v1/meeting-sessions", converges=True, stop_id=stop.id)
        timetable = cls()
        for session in answer["items"]:
            timetable.slots += [_slot(session["id"], slot) for slot in session["slots"]]
            for point in session["points"]:
                timetable.points[session["id"], point["label"]] = point["id"]
        timetable.slots.sort(key=lambda slot: (slot.starts_at, slot.session_id))
        return timetable


def _slot(session_id: str, slot: Json) -> Slot:
    starts_at, ends_at = (datetime.fromisoformat(slot[name]) for name in ("starts_at", "ends_at"))
    return Slot(session_id, slot["number"], starts_at, ends_at)


@dataclass
class Repairs:
    """Staff at the desk of a stop."""

    floor: Floor
    incidents: Incidents

    async def late_bus(self, bus: LateBus, delegates: Iterable[str], first: datetime) -> datetime:
        """Move or delay what the delegates of a late bus miss, and say when they arrive.

        What can be neither moved nor delayed stays, and will be missed.
        """
        arrival = first + timedelta(minutes=bus.minutes)
        for delegate in delegates:
            self.incidents.late += 1
            for meeting in self.floor.of(delegate):
                if meeting.starts_at < arrival:
                    await self._make_later(meeting, arrival)
        return arrival

    async def _make_later(self, meeting: Meeting, arrival: datetime) -> None:
        if await self._move(meeting, arrival):
            self.incidents.late_moved += 1
        elif arrival - meeting.starts_at < meeting.length:
            await self._delay(meeting, _minutes(arrival - meeting.starts_at))
            self.incidents.late_delayed += 1

    async def lost_table(self, lost: LostTable, timetable: Timetable, slot: Slot) -> None:
        """Close a point from a slot on, and find another place for every meeting it had."""
        point_id = timetable.points[slot.session_id, lost.label]
        path = f"/api/v1/meeting-sessions/{slot.session_id}/points/{point_id}/close"
        closed = await self.floor.staff.post(path, {"from_slot": lost.from_slot})
        stranded = sorted(
            (Meeting.model_validate(one) for one in closed["meetings"]),
            key=lambda meeting: meeting.starts_at,
        )
        for meeting in stranded:
            if await self._move(meeting, slot.starts_at):
                self.incidents.table_moved += 1
            else:
                await self.floor.take(meeting.meeting_id, "cancel")
                self.incidents.table_cancelled += 1

    async def overrun(self, meetings: Iterable[Meeting], minutes: int) -> None:
        """Delay the next meeting of everybody whose meeting ends late."""
        delays: dict[str, int] = {}
        for meeting in meetings:
            self.incidents.overruns += 1
            ends_at = meeting.ends_at + timedelta(minutes=minutes)
            for person in meeting.concerned:
                for following in self.floor.of(person)[:1]:
                    late = _minutes(ends_at - following.starts_at)
                    known = delays.get(following.meeting_id, following.delay_minutes)
                    if known < late < _minutes(following.length):
                        delays[following.meeting_id] = late
        for meeting_id, late in delays.items():
            await self._delay(self.floor.meetings[meeting_id], late)
            self.incidents.overrun_delayed += 1

    async def _delay(self, meeting: Meeting, minutes: int) -> None:
        await self.floor.take(meeting.meeting_id, "delay", {"minutes": minutes})

    async def _move(self, meeting: Meeting, earliest: datetime) -> bool:
        """Move a meeting to the nearest place from a moment on, if there is one."""
        for option in await self._options(meeting, earliest):
            body = {"starts_at": option["starts_at"], "point_id": option["point_id"]}
            try:
                await self.floor.take(meeting.meeting_id, "move", body)
            except Refused as refusal:
                if refusal.code != "taken":
                    raise
            else:
                return True
        return False

    async def _options(self, meeting: Meeting, earliest: datetime) -> list[dict[str, Any]]:
        assert is_open(meeting)
        path = f"/api/v1/meetings/{meeting.meeting_id}/options"
        items: list[dict[str, Any]] = (await self.floor.staff.get(path, limit=OPTIONS_MAX))["items"]
        return [o for o in items if datetime.fromisoformat(o["starts_at"]) >= earliest]


def _minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)
