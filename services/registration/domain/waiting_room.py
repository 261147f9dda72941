"""The waiting room of a stop: who goes to the form next when more come than can be written.

A valve, not a truth: places are given by the one queue behind it. It opens and closes by itself.
Who came before it opened stands in an order drawn by lot, who came later behind them, first come
first served.

Everything that says where somebody stands is in the ticket: when its holder came, and its number,
from which the lot is made with a secret of the server's. In memory there is only who is here.
A restart forgets that and when the room opened: the first ticket that comes back says the latter,
nobody is called until everybody had time to come back, and all stand as they stood. Forgotten for
good is that staff opened or closed it by hand.
"""

import hmac
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.registration.domain.tickets import Ticket
from shared.errors import Busy

WAITING_MAX = 100_000

Place = tuple[int, int, str]
"""Sorts: those drawn by lot, then the others by when they came; the id tells twins apart."""


class Mode(StrEnum):
    """Who says whether the room is open."""

    AUTOMATIC = "automatic"
    OPEN = "open"
    CLOSED = "closed"


class State(StrEnum):
    """Where somebody stands."""

    FREE = "free"
    """Nobody has to wait."""
    BEFORE = "before_opening"
    WAITING = "waiting"
    ADMITTED = "admitted"


@dataclass(frozen=True, slots=True)
class Terms:
    """When a room opens, whom it calls, and when it closes."""

    open_seconds: float = 0.5
    """How long a registration waits to be written before the room opens; 0: never by itself."""
    open_after: timedelta = timedelta(seconds=1)
    """For how long without a break: one slow batch is no rush."""
    crowd: int = 100
    """How many have to wait for the moment of opening for it to be a rush."""
    close_after: timedelta = timedelta(seconds=30)
    pace_min: float = 2.0
    pace_share: float = 0.8
    present: timedelta = timedelta(seconds=60)
    """Who was not heard of for so long is passed over, and keeps the place."""
    admission: timedelta = timedelta(minutes=15)
    return_after: timedelta = timedelta(seconds=30)
    """How long after a restart nobody is called: until everybody's page has asked again."""

    def pace(self, rate: float, rooms: int = 1) -> float:
        """Give how many a second are called to the form where so many are written."""
        return max(self.pace_min, rate * self.pace_share / max(rooms, 1))


@dataclass(frozen=True, slots=True)
class Load:
    """What the queue behind the form says of itself, and when registration opens."""

    wait_seconds: float = 0.0
    pace: float = 0.0
    opens_at: datetime | None = None
    """The moment of opening that lies ahead, where nothing of the stop is open now."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the holder of a ticket stands."""

    state: State
    number: int = 0
    of: int = 0
    wait_seconds: float = 0.0
    opens_at: datetime | None = None
    until: datetime | None = None
    """Until when the form may be sent."""


def next_opening(
    times: Sequence[tuple[datetime | None, datetime | None]], now: datetime
) -> datetime | None:
    """Give when the first of a stop's items opens, unless one is open; `times` open and close."""
    if any(
        (opens is None or opens <= now) and (closes is None or now < closes)
        for opens, closes in times
    ):
        return None
    return min((opens for opens, _ in times if opens and now < opens), default=None)


class Room:
    """One stop's. `secret` makes the lots, which nobody knows who does not hold it."""

    def __init__(self, secret: bytes, terms: Terms) -> None:
        self.mode = Mode.AUTOMATIC
        self.opened_at: datetime | None = None
        self.gathers_for: datetime | None = None
        self._secret = secret
        self._terms = terms
        self._was_open = False
        self._seen: dict[str, tuple[Ticket, datetime]] = {}
        self._line: list[Place] = []
        self._called: OrderedDict[str, datetime] = OrderedDict()
        self._calls: deque[tuple[datetime, int]] = deque()
        self._pace = terms.pace_min
        self._credit = 0.0
        self._turned_at: datetime | None = None
        self._swept_at: datetime | None = None
        self._rests_until: datetime | None = None
        self._pressed_since: datetime | None = None
        self._calm_since: datetime | None = None

    @property
    def waiting(self) -> int:
        """How many wait, for the opening or for their turn."""
        return len(self._seen)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to remember, such as that it was open."""
        is_at_rest = self.mode is Mode.AUTOMATIC and not self._was_open
        return is_at_rest and not (self._seen or self._pressed_since)

    def called_since(self, moment: datetime) -> int:
        """Count who was called to the form since a moment of the last minute."""
        return sum(count for at, count in self._calls if at >= moment)

    def turn(self, load: Load, now: datetime) -> None:
        """Open or close where it is time to, and call those whose turn it is."""
        self._pace = max(load.pace, self._terms.pace_min)
        self._forget(now)
        if self.opened_at is None:
            self._open_in_time(load, now)
        if self.opened_at is not None:
            self._call(now)
            self._close_in_time(load, now)
        self._turned_at = now

    def resume(self, opened_at: datetime, now: datetime) -> None:
        """Be open as before a restart, as a ticket tells that was looked at just before it."""
        if self._was_open or self.mode is not Mode.AUTOMATIC:
            return
        self._open(opened_at)
        self._rests_until = now + self._terms.return_after

    def see(self, ticket: Ticket, now: datetime) -> Standing:
        """Note that the holder of a ticket is here, and say where that is."""
        if self.opened_at is None:
            if self.gathers_for is None:
                return Standing(State.FREE)
            self._note(ticket, now)
            return Standing(State.BEFORE, of=len(self._seen), opens_at=self.gathers_for)
        if (until := self._called.get(ticket.id)) is not None:
            return Standing(State.ADMITTED, until=until)
        if ticket.id not in self._seen:
            self._note(ticket, now)
            insort(self._line, self._place(ticket))
            self._call(now)
            if (until := self._called.get(ticket.id)) is not None:
                return Standing(State.ADMITTED, until=until)
        self._note(ticket, now)
        number = bisect_left(self._line, self._place(ticket)) + 1
        return Standing(State.WAITING, number, len(self._line), self._wait_seconds(number, now))

    def _note(self, ticket: Ticket, now: datetime) -> None:
        if ticket.id not in self._seen and len(self._seen) >= WAITING_MAX:
            raise Busy("More wait than can be counted; try again.", retry_seconds=30)
        self._seen[ticket.id] = (ticket, now)

    def _wait_seconds(self, number: int, now: datetime) -> float:
        rest = (self._rests_until - now).total_seconds() if self._rests_until else 0.0
        return max(rest, 0.0) + number / self._pace

    def _place(self, ticket: Ticket) -> Place:
        assert self.opened_at is not None
        if ticket.came_at >= self.opened_at:
            return (1, int(ticket.came_at.timestamp() * 1_000_000), ticket.id)
        text = f"{self.opened_at.timestamp():.6f}\n{ticket.id}"
        lot = hmac.digest(self._secret, text.encode(), "sha256")
        return (0, int.from_bytes(lot[:8]), ticket.id)

    def _open_in_time(self, load: Load, now: datetime) -> None:
        if load.opens_at is not None:
            self.gathers_for = load.opens_at
            self._sweep(now)
            return
        if self.gathers_for is not None:
            self._end_gathering(now)
        if self.mode is Mode.OPEN and self.opened_at is None:
            self._open(now)
        is_pressed = 0 < self._terms.open_seconds <= load.wait_seconds
        is_pressed = is_pressed and self.mode is Mode.AUTOMATIC and self.opened_at is None
        self._pressed_since = (self._pressed_since or now) if is_pressed else None
        if self._pressed_since and now - self._pressed_since >= self._terms.open_after:
            self._open(now)

    def _end_gathering(self, now: datetime) -> None:
        """Registration has opened: for a crowd by lot, for a few at once."""
        assert self.gathers_for is not None
        self._sweep(now)
        is_crowd = self._terms.open_seconds > 0 and len(self._seen) >= self._terms.crowd
        if self.mode is Mode.OPEN or (self.mode is Mode.AUTOMATIC and is_crowd):
            # It may have been opened before the time it was planned for.
            self._open(min(self.gathers_for, now))
        else:
            self._seen.clear()
        self.gathers_for = None

    def _open(self, opened_at: datetime) -> None:
        self.opened_at = opened_at
        self.gathers_for = None
        self._was_open = True
        self._pressed_since = self._calm_since = self._rests_until = None
        self._credit, self._turned_at = 1.0, None
        self._line = sorted(self._place(ticket) for ticket, _ in self._seen.values())

    def _close_in_time(self, load: Load, now: datetime) -> None:
        is_calm = not self._line and load.wait_seconds < self._terms.open_seconds / 2
        self._calm_since = (self._calm_since or now) if is_calm else None
        is_over = self._calm_since and now - self._calm_since >= self._terms.close_after
        if self.mode is Mode.CLOSED or (self.mode is Mode.AUTOMATIC and is_over):
            self.opened_at = self._calm_since = None
            self._line.clear()
            self._seen.clear()

    def _call(self, now: datetime) -> None:
        """Call as many to the form as the pace allows, in order, passing over who is away."""
        if self._rests_until and now < self._rests_until:
            return
        if self._turned_at:
            seconds = max((now - self._turned_at).total_seconds(), 0.0)
            self._credit = min(self._credit + seconds * self._pace, max(self._pace, 1.0))
        self._turned_at = now
        if not self._line or self._credit < 1:
            return
        self._sweep(now)
        count = min(int(self._credit), len(self._line))
        for _, _, ticket_id in self._line[:count]:
            del self._seen[ticket_id]
            self._called[ticket_id] = now + self._terms.admission
        del self._line[:count]
        self._calls.append((now, count))
        self._credit -= count

    def _sweep(self, now: datetime) -> None:
        """Pass over who was not heard of for long; the ticket still has the place."""
        if self._swept_at and timedelta() <= now - self._swept_at < self._terms.present / 10:
            return
        self._swept_at = now
        before = now - self._terms.present
        away = {name for name, (_, seen_at) in self._seen.items() if seen_at < before}
        for name in away:
            del self._seen[name]
        if away:
            self._line = [place for place in self._line if place[2] not in away]

    def _forget(self, now: datetime) -> None:
        """Forget admissions that are over, the oldest first; what they are good for they say."""
        while self._called:
            name, until = next(iter(self._called.items()))
            if now < until and len(self._called) <= WAITING_MAX:
                break
            del self._called[name]
        while self._calls and self._calls[0][0] < now - timedelta(minutes=1):
            self._calls.popleft()
