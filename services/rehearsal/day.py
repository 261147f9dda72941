"""The day of a stop: check-in, walk-ins, and every meeting called, started and finished."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

from services.rehearsal.client import Client
from services.rehearsal.example import Example
from services.rehearsal.files import Organization, Participant, ParticipantPerson, Plan
from services.rehearsal.meetings import Floor, Meeting, is_open
from services.rehearsal.outcome import StopOutcome
from services.rehearsal.pace import Pace
from services.rehearsal.planning import PlannedStop, together
from services.rehearsal.registering import Desk, listed
from services.rehearsal.troubles import Repairs, Slot, Timetable

DOORS_OPEN = timedelta(minutes=45)
HEARD_SECONDS_MAX = 2.0
"""A day goes on when everybody has heard, as people do; what hangs is waited for at its end."""


@dataclass
class Day:
    """One stop's day, in order of simulated time."""

    example: Example
    stop: PlannedStop
    desk: Desk
    doors: list[Client]
    floor: Floor
    outcome: StopOutcome
    pace: Pace
    tell: Callable[[str], None]
    absent: set[str] = field(default_factory=set)
    """People who do not come."""
    arrives: dict[str, datetime] = field(default_factory=dict)
    """People who come late, and when."""
    checked_in: set[str] = field(default_factory=set)
    """Registrations whose check-in was acknowledged."""
    _inside: set[str] = field(default_factory=set)

    async def play(self) -> None:
        """Play the day from the doors' opening to the last meeting."""
        starts = [self.stop.stop.moment(item.starts) for item in self.stop.stop.programme]
        self.pace.begin(min(starts) - DOORS_OPEN)
        troubles = self.example.troubles_of(self.stop.stop.slug)
        repairs = Repairs(self.floor, self.outcome.incidents)
        timetable = await Timetable.of(self.floor.staff, self.stop)
        await self._check_in()
        await self._walk_ins(troubles.walk_ins)
        if troubles.late_bus and timetable.slots:
            late = [self.desk.people.ids[ref] for ref in troubles.late_bus.delegates]
            first = timetable.slots[0].starts_at
            arrival = await repairs.late_bus(troubles.late_bus, late, first)
            self.arrives = dict.fromkeys(late, arrival)
        lost = troubles.lost_table
        for slot in timetable.slots:
            await self.pace.until(slot.starts_at)
            if lost is not None and lost.from_slot == slot.number:
                await repairs.lost_table(lost, timetable, slot)
                lost = None
            await self._late_check_in(slot)
            await self._slot(slot, repairs, troubles.overrun_minutes)
        await self._late_check_in(None)

    async def _slot(self, slot: Slot, repairs: Repairs, overrun_minutes: int) -> None:
        meetings = sorted(
            (m for m in self.floor.meetings.values() if is_open(m) and _is_in(m, slot)),
            key=lambda m: (m.starts_at, m.point),
        )
        begun = [m for m in await together(self._begin(m) for m in meetings) if m is not None]
        await self.floor.updates.arrive(HEARD_SECONDS_MAX)
        await self.pace.until(slot.ends_at)
        over = [meeting for meeting in begun if self._overruns(meeting)]
        in_time = [meeting for meeting in begun if meeting not in over]
        await together(self._finish(meeting) for meeting in in_time)
        await repairs.overrun(over, overrun_minutes)
        await self.pace.until(slot.ends_at + timedelta(minutes=overrun_minutes if over else 0))
        await together(self._finish(meeting) for meeting in over)
        await self.floor.updates.arrive(HEARD_SECONDS_MAX)
        self.tell(f"{self.stop.stop.city.en}: slot {slot.number}, {len(meetings)} meetings")

    async def _begin(self, meeting: Meeting) -> Meeting | None:
        """Call a meeting and start it, or note who did not come."""
        await self.floor.take(meeting.meeting_id, "call")
        missing = [person for person in meeting.people if self._is_missing(person, meeting)]
        if missing:
            await self.floor.take(meeting.meeting_id, "no-show", {"absent": missing})
            if self.absent & {*missing}:
                self.outcome.incidents.absent_missed += 1
            else:
                self.outcome.incidents.late_missed += 1
            return None
        return await self.floor.take(meeting.meeting_id, "start")

    async def _finish(self, meeting: Meeting) -> None:
        await self.floor.take(meeting.meeting_id, "finish")

    def _is_missing(self, person: str, meeting: Meeting) -> bool:
        arrival = self.arrives.get(person)
        return person in self.absent or (arrival is not None and arrival >= meeting.ends_at)

    def _overruns(self, meeting: Meeting) -> bool:
        slug = self.stop.stop.slug
        refs = (self.desk.people.refs[person] for person in meeting.people)
        share = self.example.troubles_of(slug).overrun_share
        return self.example.dice(slug, "overrun", *refs).random() < share

    async def _check_in(self) -> None:
        troubles = self.example.troubles_of(self.stop.stop.slug)
        confirmed = self._by_person(await listed(self.floor.staff, self.stop))
        refs = self.desk.people.refs
        locals_ = sorted(
            (person for person, rows in confirmed.items() if rows[0]["role"] == "local"),
            key=lambda person: refs[person],
        )
        self.absent = self._absent(locals_)
        self.outcome.incidents.absent = len(self.absent)
        late = set(troubles.late_bus.delegates) if troubles.late_bus else set()
        present = [p for p in confirmed if p not in self.absent and refs[p] not in late]
        doors = cycle(self.doors)
        await together(self._arrive(next(doors), confirmed[person]) for person in present)
        self.tell(f"{self.stop.stop.city.en}: {len(present)} people checked in")

    def _absent(self, people: list[str]) -> set[str]:
        """Draw who does not come, so that how many meetings are missed is no matter of luck.

        The share counts for people and for meetings: some of the absent have one or two, most none.
        """
        slug = self.stop.stop.slug
        troubles = self.example.troubles_of(slug)
        bus = troubles.late_bus.delegates if troubles.late_bus else ()
        late = {self.desk.people.ids[ref] for ref in bus}
        meetings = {person: self.floor.of(person) for person in people}
        count = round(troubles.no_show_share * len(people))
        wanted = round(troubles.no_show_share * len(self.floor.meetings))
        dice = self.example.dice(slug, "no-show")

        def some(having: int, most: int) -> list[str]:
            those = [
                person
                for person in people
                if len(meetings[person]) == having
                and not any(late & {*meeting.people} for meeting in meetings[person])
            ]
            return dice.sample(those, max(0, min(len(those), most)))

        twice = some(having=2, most=min(wanted // 2, count))
        once = some(having=1, most=min(wanted - 2 * len(twice), count - len(twice)))
        return {*twice, *once, *some(having=0, most=count - len(twice) - len(once))}

    async def _late_check_in(self, slot: Slot | None) -> None:
        """Check in who came late and is there when a slot begins, or at the end of all."""
        people = [
            person
            for person, at in self.arrives.items()
            if (slot is None or at <= slot.starts_at) and person not in self._inside
        ]
        if people:
            confirmed = self._by_person(await listed(self.floor.staff, self.stop))
            await together(self._arrive(self.doors[0], confirmed.get(p, [])) for p in people)
            self._inside.update(people)

    async def _arrive(self, door: Client, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            await door.post(f"/api/v1/registrations/{row['id']}/check-in")
            self.checked_in.add(row["id"])

    async def _walk_ins(self, count: int) -> None:
        door = self.doors[0]
        for number in range(1, count + 1):
            who = _walk_in(self.stop, self.example.plan, number)
            registration = await self.desk.walk_in(door, who, self.stop)
            self.outcome.incidents.walk_ins += 1
            if registration.status == "confirmed":
                await self._arrive(door, [{"id": registration.id}])
            else:
                self.outcome.incidents.walk_ins_waiting += 1

    def _by_person(self, rows: list[dict[str, Any]]) -> Mapping[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if row["status"] == "confirmed":
                found.setdefault(row["participant_id"], []).append(row)
        return found


def _is_in(meeting: Meeting, slot: Slot) -> bool:
    return slot.starts_at <= meeting.starts_at < slot.ends_at


def _walk_in(stop: PlannedStop, plan: Plan, number: int) -> Participant:
    """Make somebody up who comes unannounced."""
    ref = f"{stop.stop.slug}-walk-in-{number}"
    name = f"Walk-in Sample {number}"
    return Participant(
        ref=ref,
        side="local",
        stops=(stop.stop.slug,),
        items={stop.stop.slug: (stop.stop.programme[0].slug,)},
        arrives="late",
        source="self",
        partner=None,
        organization=Organization(
            name=f"{stop.stop.city.en} {name}",
            native_name=None,
            country=plan.mission.host_country,
            registration_number=None,
            sectors=plan.mission.sectors[:1],
            size=None,
        ),
        person=ParticipantPerson(
            full_name=name,
            native_name=None,
            latin_name=name,
            email=f"{ref}@example.com",
            language="en",
            languages=("en",),
            position=None,
        ),
    )
