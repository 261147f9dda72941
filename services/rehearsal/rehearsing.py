"""Rehearsing: a mission played from the first registration to its summary."""

import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.rehearsal import checking, registering, scheduling, streams
from services.rehearsal.client import Client, Refused, Unreachable
from services.rehearsal.day import Day
from services.rehearsal.example import Example
from services.rehearsal.meetings import Floor, Meeting, UnsettledError, read_all
from services.rehearsal.outcome import Outcome, StopOutcome
from services.rehearsal.pace import Pace
from services.rehearsal.planning import Planned, PlannedStop, alone, plan, together
from services.rehearsal.registering import Desk, DoubledError, People, listed
from services.rehearsal.scheduling import Proposal, ScheduleFailedError
from services.rehearsal.signing_in import SignIns
from services.rehearsal.streams import StreamRefused
from services.rehearsal.summary import write
from services.rehearsal.updates import Updates
from services.rehearsal.wishing import Sides, Wishes, Wishing, sides

IDLE_SECONDS_MAX = 30.0
AWAY_SECONDS = 2.0
ROUNDS_MAX = 4
DEFAULT_OUT = Path("var") / "rehearsal"

STOPPED_BY = (
    Refused,
    Unreachable,
    UnsettledError,
    DoubledError,
    ScheduleFailedError,
    StreamRefused,
)
"""What ends a rehearsal before its end, and is told in its outcome."""


def to_stderr(message: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Options:
    """How to rehearse."""

    speed: float | None = None
    """Times real time; None is as fast as possible."""
    out: Path | None = None
    """Where the summaries go: by default ./var/rehearsal and the mission's slug."""
    tell: Callable[[str], None] = to_stderr
    """Takes a line of progress."""


async def rehearse(folder: Path, url: str, token: str, options: Options) -> Outcome:
    """Rehearse the example in a folder with a session of mission staff; never raises a refusal.

    Raises `ExampleError` before anything is sent when a file is wrong.
    """
    example = Example.read(folder)
    started = time.monotonic()

    def tell(message: str) -> None:
        options.tell(f"[{time.monotonic() - started:6.1f} s] {message}")

    outcome = Outcome()
    try:
        async with Client.connect(url, token) as client:
            await Play(client, example, options.speed, tell, outcome).all()
    except STOPPED_BY as error:
        outcome.failures.append(f"The rehearsal stopped: {error}")
    out = options.out or DEFAULT_OUT / example.plan.mission.slug
    tell("writing the summaries")
    write(example, outcome, out)
    outcome.seconds = time.monotonic() - started
    tell(f"summaries are in {out}")
    return outcome


@dataclass
class Play:
    """The acts of one rehearsal, in their order."""

    client: Client
    example: Example
    speed: float | None
    tell: Callable[[str], None]
    outcome: Outcome
    people: People = field(default_factory=People)
    days: list[Day] = field(default_factory=list)

    @property
    def updates(self) -> Updates:
        """Give the live updates of all stops."""
        return self.outcome.updates

    async def all(self) -> None:
        """Play everything and hold the end against what was done."""
        slug = f"{self.example.plan.mission.slug}-rehearsal-{secrets.token_hex(4)}"
        planned = await plan(self.client, self.example, slug, is_rehearsal=True)
        self.tell(f"mission {slug}: {len(planned.stops)} stops planned")
        stops = {
            stop.stop.slug: StopOutcome(stop.stop.slug, stop.stop.city) for stop in planned.stops
        }
        self.outcome.stops = list(stops.values())
        desk = Desk(self.client, planned, self.people)
        await self._registrations(desk, stops)
        signed_in = SignIns(self.client, planned.id, {})
        meeting = [stop for stop in planned.stops if stop.stop.sessions]
        proposals = await self._timetables(meeting, planned, signed_in)
        for stop in planned.stops:
            await self._day(stop, desk, signed_in, proposals.get(stop.id))
        await self._checks(planned)

    async def _registrations(self, desk: Desk, stops: dict[str, StopOutcome]) -> None:
        twice = {slug: self._duplicates(slug) for slug in stops}
        await registering.rush(desk, self.example, twice)
        self.tell(f"the rush: {len(self.people.registrations)} registrations")
        await registering.latecomers(desk, self.example)
        self.tell(f"with those who came late: {len(self.people.registrations)} registrations")
        for planned in desk.planned.stops:
            slug = planned.stop.slug
            refs = self.example.troubles_of(slug).cancellations
            incidents = stops[slug].incidents
            incidents.pressed_twice = len(twice[slug])
            incidents.cancelled = len(refs)
            incidents.moved_up = await registering.cancel_all(desk, planned, refs)
            await registering.approve_all(self.client, planned)
        moved_up = sum(stop.incidents.moved_up for stop in stops.values())
        self.tell(f"cancellations: {moved_up} registrations moved up from the waiting lists")

    def _duplicates(self, slug: str) -> frozenset[str]:
        rush = [
            one.ref
            for one in self.example.participants
            if one.arrives == "rush" and one.items.get(slug)
        ]
        share = self.example.troubles_of(slug).duplicates
        return frozenset(self.example.share_of(rush, share, slug, "duplicates"))

    async def _timetables(
        self, stops: list[PlannedStop], planned: Planned, signed_in: SignIns
    ) -> dict[str, Proposal]:
        signed_in.links = {**planned.links, **self.people.links}
        among: list[Sides] = await together(sides(self.client, stop, self.people) for stop in stops)
        wishes = Wishes()
        found: list[asyncio.Task[Proposal]] = []
        with alone():
            async with asyncio.TaskGroup() as group:
                for stop, those in zip(stops, among, strict=True):
                    await scheduling.known(self.client, stop, those)
                    await Wishing(stop, those, signed_in, self.example, self.people, wishes).all()
                    # The solver works on it while the next stop's people state their wishes.
                    found.append(group.create_task(scheduling.propose(self.client, stop)))
                self.tell(f"wishes: {wishes.preferences} preferences, {wishes.requests} requests")
        self.tell("timetables are made")
        return {stop.id: task.result() for stop, task in zip(stops, found, strict=True)}

    async def _day(
        self, stop: PlannedStop, desk: Desk, signed_in: SignIns, proposal: Proposal | None
    ) -> None:
        listeners = await self._listeners(signed_in, proposal)
        outcome = next(one for one in self.outcome.stops if one.slug == stop.stop.slug)
        async with streams.listening(listeners, stop.id, self.updates) as following:
            self.tell(f"{stop.stop.city.en}: {len(listeners)} live streams")
            if proposal is not None:
                await scheduling.publish(self.client, stop, proposal)
            floor = await Floor.published(self.client, stop.id, self.updates)
            outcome.scheduled = len(floor.meetings)
            self.tell(f"{stop.stop.city.en}: {outcome.scheduled} meetings published")
            doors = await together(signed_in.of(one, "door_staff") for one in stop.door_staff)
            day = Day(
                example=self.example,
                stop=stop,
                desk=desk,
                doors=doors or [self.client],
                floor=floor,
                outcome=outcome,
                pace=Pace(self.speed),
                tell=self.tell,
            )
            self.days.append(day)
            await day.play()
            await self._arrived(stop, following)
        outcome.moved = len(floor.moved)
        seen = f"{self.updates.received} of {self.updates.expected}"
        self.tell(f"{stop.stop.city.en}: the day is over; live updates so far: {seen}")

    async def _listeners(self, signed_in: SignIns, proposal: Proposal | None) -> dict[str, Client]:
        if proposal is None:
            return {}
        sides_ = {one.ref: one.side for one in self.example.participants}
        roles = dict.fromkeys(proposal.interpreters, "interpreter")
        for person in proposal.people:
            is_local = sides_[self.people.refs[person]] == "local"
            roles[person] = "local" if is_local else "delegate"
        clients = await together(signed_in.of(person, role) for person, role in roles.items())
        return dict(zip(roles, clients, strict=True))

    async def _arrived(self, stop: PlannedStop, following: list[streams.Listener]) -> None:
        """Wait for what is still to come; a part that is away owes it until it is back."""
        for _ in range(ROUNDS_MAX):
            await self.updates.arrive(IDLE_SECONDS_MAX)
            if not self.updates.missing:
                return
            asked = time.monotonic()
            await read_all(self.client, stop.id)
            took = time.monotonic() - asked
            if took < AWAY_SECONDS and all(listener.is_connected for listener in following):
                return

    async def _checks(self, planned: Planned) -> None:
        failures = self.outcome.failures
        everywhere: list[Meeting] = []
        for stop, outcome, day in zip(planned.stops, self.outcome.stops, self.days, strict=True):
            slug = outcome.slug
            outcome.refs = self.people.refs
            outcome.meetings = await read_all(self.client, stop.id)
            found = {meeting.meeting_id: meeting for meeting in outcome.meetings}
            everywhere += outcome.meetings
            failures += checking.meeting_faults(day.floor.meetings, found, slug)
            failures += checking.unplayed_faults(outcome.meetings, slug)
            rows = await listed(self.client, stop)
            mine = self.people.at(slug)
            failures += checking.registration_faults(mine, day.checked_in, rows, slug)
            numbers = await self.client.get(f"/api/v1/stops/{stop.id}/numbers")
            failures += checking.number_faults(numbers, rows, slug)
            outcome.registered = numbers["registered"]
            outcome.waitlisted = numbers["waitlisted"]
            outcome.checked_in = numbers["checked_in"]
        self._note_clashes(everywhere, {stop.id: stop.stop.slug for stop in planned.stops})
        if self.updates.missing:
            failures.append(f"{self.updates.missing} expected live updates did not arrive.")
            failures += self.updates.samples()
        self.tell("what the installation holds was compared with what was done")

    def _note_clashes(self, meetings: list[Meeting], slugs: dict[str, str]) -> None:
        for clash in checking.clashes(meetings):
            slug = slugs[clash.other.stop_id]
            next(one for one in self.outcome.stops if one.slug == slug).clashes += 1
            self.outcome.failures.append(
                f"{slug}: {clash.kind} {clash.needed} is in two places: meetings "
                f"{clash.one.meeting_id} and {clash.other.meeting_id}."
            )
