"""Repairs of the day against a server that holds meetings and knows where they could go."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from services.rehearsal.client import Client
from services.rehearsal.files import LateBus, LostTable
from services.rehearsal.meetings import Floor, Meeting
from services.rehearsal.outcome import Incidents
from services.rehearsal.troubles import Repairs, Slot, Timetable
from services.rehearsal.updates import Updates

Serve = Callable[..., AbstractAsyncContextManager[Any]]
Make = Callable[..., Meeting]


class Hall:
    """Meetings by id, the options of each, and points that are taken without showing it."""

    def __init__(self, *meetings: Meeting) -> None:
        self.meetings = {meeting.meeting_id: meeting for meeting in meetings}
        self.options: dict[str, list[tuple[datetime, str]]] = {}
        self.taken: set[str] = set()
        self.commands: list[tuple[str, str]] = []

    def __call__(self, request: Any) -> tuple[int, dict[str, Any]]:
        path = request.path.partition("?")[0].split("/")
        if path[-1] == "close":
            on = [m for m in self.meetings.values() if m.point_id == path[-2]]
            return 200, {"meetings": [m.model_dump(mode="json") for m in on]}
        meeting, command = self.meetings[path[-2]], path[-1]
        if command == "options":
            found = self.options.get(meeting.meeting_id, [])
            return 200, {"items": [{"starts_at": at, "point_id": p} for at, p in found]}
        body = request.body or {}
        if body.get("point_id") in self.taken:
            return 409, {"code": "taken"}
        self.commands.append((command, meeting.meeting_id))
        changes: dict[str, Any] = {"revision": meeting.revision + 1}
        if command == "move":
            starts_at = datetime.fromisoformat(body["starts_at"])
            changes |= {"starts_at": starts_at, "ends_at": starts_at + meeting.length}
            changes |= {"point_id": body["point_id"]}
        elif command == "delay":
            changes |= {"delay_minutes": body["minutes"]}
        else:
            changes |= {"state": "cancelled"}
        self.meetings[meeting.meeting_id] = meeting.model_copy(update=changes)
        return 200, self.meetings[meeting.meeting_id].model_dump(mode="json")


@asynccontextmanager
async def repairs_of(server: Serve, hall: Hall) -> Any:
    async with server(hall) as here, Client.connect(here.url, "token") as client:
        yield Repairs(Floor(client, "s1", Updates(), dict(hall.meetings)), Incidents())


async def test_what_a_late_bus_misses_is_moved_to_a_later_place(
    server: Serve, meeting: Make
) -> None:
    first, later = meeting("m1"), meeting("m2", at=40, people=("d1", "l2"))
    hall = Hall(first, later)
    hall.options["m1"] = [(first.starts_at, "t2"), (first.starts_at + timedelta(minutes=20), "t3")]

    async with repairs_of(server, hall) as repairs:
        bus = LateBus(minutes=20, delegates=("us-01",))
        arrival = await repairs.late_bus(bus, ["d1"], first.starts_at)

    assert arrival == first.starts_at + timedelta(minutes=20)
    assert hall.commands == [("move", "m1")]
    assert hall.meetings["m1"].point_id == "t3"
    assert repairs.floor.moved == {"m1"}
    assert (repairs.incidents.late, repairs.incidents.late_moved) == (1, 1)


async def test_without_a_later_place_it_is_delayed(server: Serve, meeting: Make) -> None:
    hall = Hall(meeting("m1"))

    async with repairs_of(server, hall) as repairs:
        bus = LateBus(minutes=15, delegates=("us-01",))
        await repairs.late_bus(bus, ["d1"], hall.meetings["m1"].starts_at)

    assert hall.commands == [("delay", "m1")]
    assert hall.meetings["m1"].delay_minutes == 15


async def test_what_would_be_over_by_then_is_left_to_be_missed(
    server: Serve, meeting: Make
) -> None:
    hall = Hall(meeting("m1"))

    async with repairs_of(server, hall) as repairs:
        bus = LateBus(minutes=20, delegates=("us-01",))
        await repairs.late_bus(bus, ["d1"], hall.meetings["m1"].starts_at)

    assert hall.commands == []
    assert (repairs.incidents.late_moved, repairs.incidents.late_delayed) == (0, 0)


async def test_a_lost_table_leaves_no_meeting_behind(server: Serve, meeting: Make) -> None:
    hall = Hall(
        meeting("m1", at=20),
        meeting("m2", at=40, people=("d2", "l2")),
        meeting("m3", at=20, people=("d3", "l3"), point_id="t2"),
    )
    now = hall.meetings["m1"].starts_at
    past = now - timedelta(minutes=20)
    hall.options["m1"] = [(past, "t5"), (now, "t3"), (now, "t4")]
    hall.options["m2"] = [(past, "t5")]
    hall.taken.add("t3")
    slot = Slot("session", 2, now, now + timedelta(minutes=20))

    async with repairs_of(server, hall) as repairs:
        timetable = Timetable([slot], {("session", "T1"): "t1"})
        await repairs.lost_table(LostTable(label="T1", from_slot=2), timetable, slot)

    assert hall.commands == [("move", "m1"), ("cancel", "m2")]
    assert hall.meetings["m1"].point_id == "t4"
    assert (repairs.incidents.table_moved, repairs.incidents.table_cancelled) == (1, 1)


async def test_an_overrun_delays_the_next_meeting_of_both_parties(
    server: Serve, meeting: Make
) -> None:
    over = meeting("m1", state="in_progress")
    hall = Hall(
        over,
        meeting("m2", at=20, people=("d1", "l2"), point_id="t2"),
        meeting("m3", at=25, people=("d2", "l1"), point_id="t3"),
        meeting("m4", at=40, people=("d1", "l3"), point_id="t4"),
        meeting("m5", at=20, people=("d9", "l9"), point_id="t5"),
    )

    async with repairs_of(server, hall) as repairs:
        await repairs.overrun([over], 7)

    delays = {name: one.delay_minutes for name, one in hall.meetings.items()}
    assert delays == {"m1": 0, "m2": 7, "m3": 2, "m4": 0, "m5": 0}
    assert (repairs.incidents.overruns, repairs.incidents.overrun_delayed) == (1, 2)


async def test_a_longer_delay_stays(server: Serve, meeting: Make) -> None:
    over = meeting("m1", state="in_progress")
    hall = Hall(over, meeting("m2", at=20, people=("d1", "l2"), delay_minutes=10))

    async with repairs_of(server, hall) as repairs:
        await repairs.overrun([over], 7)

    assert hall.commands == []
