"""Audiences: what was announced at a stop lately, and who hears of it.

Whoever listens has a cursor into what was announced, and is always brought from there to the end:
each hears everything that is theirs once and in order, however it came about that they are told.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from services.notify.domain.live import Place, Position
from services.notify.wires import Wire, Wires

EVERYBODY = ""
"""Who hears of every change: staff, screens."""
ALL = "*"
"""Whom a notice to all concerns."""
KEPT_MAX = 4_096
"""So many changes of a stop are kept in the process, for those who come back."""
SLICE = 256
"""So many are told in one turn of the loop: others, who are called now, need not wait for all."""


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a stop's stream, encoded once for all who hear of it."""

    position: Position
    whom: tuple[str, ...]
    frame: bytes


class Listener(Wire):
    """An open stream of somebody at a stop."""

    __slots__ = ("audience", "cursor", "person_id", "whom")

    def __init__(self, audience: "Audience", whom: str, person_id: str) -> None:
        """Begin; `person_id` is who listens, `whom` is whose changes are heard."""
        super().__init__()
        self.person_id = person_id
        self.audience = audience
        self.whom = whom
        self.cursor = 0

    def close(self) -> None:
        """End the stream from this side."""
        self.audience.wires.close(self)

    def left(self) -> None:
        """Be forgotten by the audience."""
        self.audience.forget(self)


class Ring:
    """The latest changes in order, numbered without a gap, and by whom they concern."""

    def __init__(self, since: Place) -> None:
        self.known_from = since
        """Who was here or later can be told what followed."""
        self.read_to = since
        self.head = 0
        """The number of the next change."""
        self._first = 0
        self._forgotten = 0
        """The number after the latest of the forgotten changes that were for all."""
        self._places: list[Place] = []
        self._changes: list[Change] = []
        self._of: dict[str, deque[tuple[int, bytes]]] = {}
        self._joined: dict[tuple[str, int], bytes] = {}

    def add(self, change: Change) -> None:
        """Add a change behind all others."""
        self.read_to = change.position.place
        self._places.append(self.read_to)
        self._changes.append(change)
        for whom in change.whom:
            self._of.setdefault(whom, deque()).append((self.head, change.frame))
        self.head += 1
        self._joined.clear()
        if len(self._changes) >= 2 * KEPT_MAX:
            self._forget(len(self._changes) - KEPT_MAX)

    def after(self, place: Place) -> int | None:
        """Give the number of the change that follows a place; None: that is not known here."""
        if not self.known_from <= place <= self.read_to:
            return None
        return self._first + bisect_right(self._places, place)

    def has(self, whom: str, number: int) -> bool:
        """Say whether all that may be told to somebody from a number on is still here.

        What is for one person is told at once, so it cannot have been forgotten before.
        """
        return number >= (self._first if whom == EVERYBODY else self._forgotten)

    def content(self, whom: str, number: int) -> bytes:
        """Join what concerns somebody from a number on, in order."""
        if whom == EVERYBODY:
            return self._shared(EVERYBODY, self.head - number)
        own, to_all = [*self._later(whom, number)], [*self._later(ALL, number)]
        if not own:
            return self._shared(ALL, len(to_all))
        return b"".join(frame for _, frame in sorted([*own, *to_all]))

    def _shared(self, whom: str, count: int) -> bytes:
        """Join once what many get: the latest so many."""
        known = self._joined.get((whom, count))
        if known is None:
            if whom == EVERYBODY:
                found = islice(reversed(self._changes), count)
                frames = [change.frame for change in found]
            else:
                frames = [frame for _, frame in islice(reversed(self._of.get(ALL, ())), count)]
            known = self._joined[whom, count] = b"".join(reversed(frames))
        return known

    def _later(self, whom: str, number: int) -> Iterable[tuple[int, bytes]]:
        for one in reversed(self._of.get(whom, ())):
            if one[0] < number:
                return
            yield one

    def _forget(self, count: int) -> None:
        for change in self._changes[:count]:
            for whom in change.whom:
                of_them = self._of[whom]
                number, _ = of_them.popleft()
                if whom == ALL:
                    self._forgotten = number + 1
                if not of_them:
                    del self._of[whom]
        self.known_from = self._places[count - 1]
        del self._changes[:count], self._places[:count]
        self._first += count


class Audience:
    """A stop's ring, and those who listen to it in this process."""

    def __init__(self, wires: Wires[Listener]) -> None:
        self.epoch: str | None = None
        """None: nothing was announced yet, as far as is known here."""
        self.ring = Ring(Place(0, 0))
        self.wires = wires
        self._everybody: dict[Listener, None] = {}
        self._people: dict[str, dict[Listener, None]] = {}
        self._left: dict[str, list[Listener]] = {}
        """Of a walk that is under way, who is still to be brought to the end."""
        self._again: set[str] = set()
        """Who must be walked through once more, for what came during the walk."""
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._everybody) + sum(map(len, self._people.values()))

    def after(self, position: Position) -> int | None:
        """Give the number of what follows a position; None: that is not known here."""
        return self.ring.after(position.place) if self.epoch == position.epoch else None

    def take(self, changes: Sequence[Change]) -> None:
        """Announce changes to those whom they concern, joined into one write for each."""
        for change in changes:
            self.ring.add(change)
        concerned = {whom for change in changes for whom in change.whom}
        for whom in concerned & self._people.keys():
            for listener in [*self._people[whom]]:
                self._bring(listener)
        if changes:
            self._walk(EVERYBODY)
        if ALL in concerned:
            self._walk(ALL)

    def listen(self, listener: Listener, fd: int, first: bytes, number: int) -> None:
        """Open a stream on a socket's descriptor: `first`, then everything from a number on."""
        if listener.whom == EVERYBODY:
            self._everybody[listener] = None
        else:
            self._people.setdefault(listener.whom, {})[listener] = None
        listener.cursor = self.ring.head
        self.wires.open(listener, fd, first + self.ring.content(listener.whom, number))

    def forget(self, listener: Listener) -> None:
        """Know no more of a listener."""
        those = self._those(listener.whom)
        del those[listener]
        if not those:
            self._people.pop(listener.whom, None)

    def begin_anew(self, position: Position, last: Callable[[], bytes]) -> None:
        """Begin an epoch, and send everybody away with a last word: they start anew."""
        self.epoch, self.ring = position.epoch, Ring(position.place)
        for whom in [EVERYBODY, *self._people]:
            self.cut(whom, last)

    def dismiss(self, person_id: str, last: Callable[[], bytes]) -> None:
        """End a person's streams, also those on which everything is heard."""
        self.cut(person_id, last)
        for listener in [one for one in self._everybody if one.person_id == person_id]:
            self.wires.close(listener, last())

    def cut(self, whom: str, last: Callable[[], bytes]) -> None:
        """Send somebody's streams away with a last word."""
        for listener in [*self._those(whom)]:
            self.wires.close(listener, last())

    def _those(self, whom: str) -> dict[Listener, None]:
        return self._everybody if whom == EVERYBODY else self._people.get(whom, {})

    def _bring(self, listener: Listener) -> None:
        """Bring a listener to the end."""
        number, listener.cursor = listener.cursor, self.ring.head
        if not self.ring.has(listener.whom, number):
            self.wires.close(listener)
        elif content := self.ring.content(listener.whom, number):
            self.wires.send(listener, content)

    def _walk(self, whom: str) -> None:
        """Bring everybody to the end, or all people, a slice in each turn of the loop."""
        if whom in self._left:
            self._again.add(whom)
            return
        self._left[whom] = self._audience(whom)
        self._step(whom)

    def _audience(self, whom: str) -> list[Listener]:
        if whom == EVERYBODY:
            return [*self._everybody]
        return [one for those in self._people.values() for one in those]

    def _step(self, whom: str) -> None:
        left = self._left[whom]
        for listener in left[-SLICE:]:
            if listener.is_open and listener.cursor < self.ring.head:
                self._bring(listener)
        del left[-SLICE:]
        if not left and whom in self._again:
            self._again.discard(whom)
            left.extend(self._audience(whom))
        if left:
            self._loop.call_soon(self._step, whom)
        else:
            del self._left[whom]
