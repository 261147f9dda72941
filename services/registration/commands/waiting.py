"""Waiting rooms: one for each stop that more people register to at once than can be written.

They are in the memory of the process that writes registrations; what a restart does to them says
`domain/waiting_room.py`.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.registration.commands.committing import GroupCommit
from services.registration.commands.drafting import Submission
from services.registration.commands.missions import existing_stop
from services.registration.domain.tickets import (
    Admission,
    Sign,
    Ticket,
    check_holder,
    read_admission,
    read_ticket,
)
from services.registration.domain.waiting_room import (
    WAITING_MAX,
    Load,
    Mode,
    Room,
    Standing,
    State,
    Terms,
    next_opening,
)
from services.registration.store import waiting as store
from shared.access import Principal
from shared.auditing import note
from shared.errors import Busy, Forbidden
from shared.idempotency import Answer
from shared.postgres import Database

REMEMBERED_SECONDS = 5
REMEMBERED_MAX = 10_000
RETRY_SECONDS = (5.0, 60.0)
# Whoever's page asked so shortly before a restart waits still.
RESTART = timedelta(minutes=5)

Times = Sequence[tuple[datetime | None, datetime | None]]


@dataclass(frozen=True, slots=True)
class Given:
    """What a request shows of the waiting room.

    A program's has a key, and a `scope` that it counts in; a browser's form has a ticket.
    """

    admission: str
    ticket: str = ""
    key: str | None = None
    scope: str = ""


class Waiting:
    """The rooms of this process. `sign` holds the key of the service."""

    def __init__(
        self,
        database: Database,
        queue: GroupCommit[Submission, Answer],
        sign: Sign,
        terms: Terms,
        started_at: datetime,
    ) -> None:
        self._database = database
        self._queue = queue
        self._sign = sign
        self._terms = terms
        self._started_at = started_at
        self._rooms: dict[UUID, Room] = {}
        self._used: OrderedDict[str, str] = OrderedDict()
        self._stops: dict[UUID, UUID] = {}
        self._times: dict[UUID, tuple[float, Times]] = {}

    @property
    def is_quiet(self) -> bool:
        """Whether there is no room, and no reason for one: nearly always."""
        return not self._rooms and not self._is_pressed()

    def _is_pressed(self) -> bool:
        return 0 < self._terms.open_seconds <= self._queue.wait_seconds

    def draw(self, stop_id: UUID, now: datetime, key: str = "") -> Ticket:
        """Draw a ticket; its admission will be good for `key`, or for a key of its own."""
        return Ticket(
            secrets.token_urlsafe(16), stop_id, key or secrets.token_urlsafe(16), now, now
        )

    def read(self, token: str, stop_id: UUID, now: datetime) -> Ticket:
        """Read a ticket; raises `Forbidden`."""
        return read_ticket(token, stop_id, self._sign, now)

    def sealed(self, ticket: Ticket, now: datetime) -> str:
        """Write a ticket as it is handed back to its holder, who was here now."""
        room = self._rooms.get(ticket.stop_id)
        return ticket.seen(room.opened_at if room else None, now).sealed(self._sign)

    def admission(self, ticket: Ticket, standing: Standing, *, is_browsers: bool) -> str | None:
        """Write the admission of a ticket whose turn it is."""
        if standing.until is None:
            return None
        one = Admission(ticket.id, ticket.stop_id, ticket.key, standing.until, is_browsers)
        return one.sealed(self._sign)

    async def look(self, ticket: Ticket, now: datetime) -> Standing:
        """Note that the holder of a ticket is here, and say where that is."""
        room = await self._turned(ticket.stop_id, now, resumed=ticket)
        return room.see(ticket, now) if room else Standing(State.FREE)

    async def overview(self, stop_id: UUID, now: datetime) -> "Overview":
        """Say how a stop's room stands, as everybody may know."""
        room = await self._turned(stop_id, now)
        if room is None:
            return Overview(Mode.AUTOMATIC, is_open=False)
        return Overview(
            room.mode,
            is_open=room.opened_at is not None,
            waiting=room.waiting,
            admitted_per_minute=room.called_since(now - timedelta(minutes=1)),
            opens_at=room.gathers_for,
        )

    async def check_item(self, item_id: UUID, given: Given, now: datetime) -> None:
        """Let a registration to an item pass; raises `Busy` without an admission, `Forbidden`."""
        if self.is_quiet:
            return
        if item_id not in self._stops:
            async with self._database.reading() as connection:
                stop_id = await store.stop_of(connection, item_id)
            if stop_id is None:
                return  # Whoever asks for an item that is not there is told so further on.
            if len(self._stops) >= REMEMBERED_MAX:
                self._stops.clear()
            self._stops[item_id] = stop_id
        await self.check(self._stops[item_id], given, now)

    async def check(self, stop_id: UUID, given: Given, now: datetime) -> Admission | None:
        """Let a registration pass: with its admission, or None where the room is not open."""
        room = await self._turned(stop_id, now)
        if room is None or room.opened_at is None:
            return None
        if not given.admission:
            wait = room.waiting / self._pace()
            raise Busy(
                "Many register at this stop now: draw a ticket and wait to be called "
                f"(POST {path_of(stop_id)}).",
                code="waiting_room",
                retry_seconds=min(max(wait, RETRY_SECONDS[0]), RETRY_SECONDS[1]),
                link=path_of(stop_id),
            )
        admission = read_admission(given.admission, stop_id, self._sign, now)
        check_holder(admission, self._ticket(given.ticket, stop_id, now), given.key)
        self._use(admission, given.scope)
        return admission

    def _use(self, admission: Admission, scope: str) -> None:
        """Note what an admission is used for; raises `Forbidden` when that was something else.

        That it is used once there, the key sees to.
        """
        if self._used.setdefault(admission.ticket_id, scope) != scope:
            raise Forbidden("This admission was used for another request.", code="admission_used")
        if len(self._used) > WAITING_MAX:
            self._used.popitem(last=False)

    def _ticket(self, token: str, stop_id: UUID, now: datetime) -> Ticket | None:
        try:
            return self.read(token, stop_id, now) if token else None
        except Forbidden:
            return None

    async def set_mode(self, stop_id: UUID, mode: Mode, who: Principal, now: datetime) -> None:
        """Open or close a room by hand, or leave it to itself again; raises `NotFound`."""
        async with self._database.transaction() as connection:
            stop = await existing_stop(connection, stop_id)
            await note(
                connection,
                who,
                "waiting_room.set",
                subject_id=stop_id,
                mission_id=stop["mission_id"],
                stop_id=stop_id,
                details={"mode": mode.value},
                now=now,
            )
        self._room(stop_id).mode = mode
        await self._turned(stop_id, now)

    async def _turned(
        self, stop_id: UUID, now: datetime, *, resumed: Ticket | None = None
    ) -> Room | None:
        """Give a stop's room as it is now, or None where there is no need for one."""
        opens_at = next_opening(await self._times_of(stop_id), now)
        if resumed and resumed.opened_at and self._was_before_restart(resumed):
            self._room(stop_id).resume(resumed.opened_at, now)
        if opens_at or self._is_pressed():
            self._room(stop_id)
        room = self._rooms.get(stop_id)
        if room is None:
            return None
        room.turn(Load(self._queue.wait_seconds, self._pace(), opens_at), now)
        if room.is_idle and not opens_at:
            del self._rooms[stop_id]
        return room

    def _was_before_restart(self, ticket: Ticket) -> bool:
        return timedelta() < self._started_at - ticket.seen_at < RESTART

    def _room(self, stop_id: UUID) -> Room:
        if stop_id not in self._rooms:
            secret = self._sign("waiting-lots", stop_id.hex)
            self._rooms[stop_id] = Room(secret, self._terms)
        return self._rooms[stop_id]

    def _pace(self) -> float:
        opened = sum(room.opened_at is not None for room in self._rooms.values())
        return self._terms.pace(self._queue.rate, opened)

    async def _times_of(self, stop_id: UUID) -> Times:
        known = self._times.get(stop_id)
        at = time.monotonic()
        if known and at - known[0] < REMEMBERED_SECONDS:
            return known[1]
        if known:
            # One asks again, and those who come meanwhile take what is known.
            self._times[stop_id] = (at, known[1])
        async with self._database.reading() as connection:
            times = await store.times_of(connection, stop_id)
        if len(self._times) >= REMEMBERED_MAX:
            self._times.clear()
        self._times[stop_id] = (at, times)
        return times


@dataclass(frozen=True, slots=True)
class Overview:
    """A room as everybody may know it."""

    mode: Mode
    is_open: bool
    waiting: int = 0
    admitted_per_minute: int = 0
    opens_at: datetime | None = None


def path_of(stop_id: UUID) -> str:
    """Give where a stop's room is in the API."""
    return f"/api/v1/stops/{stop_id}/waiting-room"
