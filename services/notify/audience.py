"""Audiences: those who listen at a stop, and how they are told.

Each hears everything that is theirs once and in order. What is for one person is told at once;
what is for many is told one after the other, for which each has a cursor, and whoever is called
meanwhile first hears what was for all before.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from time import monotonic

from services.notify.domain.live import Place, Position
from services.notify.ring import ALL, EVERYBODY, Change, Numbered, Ring, Track, joined
from services.notify.wires import Wire, Wires

TOLD_A_TURN = 64
"""So many are told in one turn of the loop: others, who are called now, need not wait."""
TOLD_A_CALM_TURN = 512
"""So many while hardly anybody is called: the fewer turns, the less of what else the process does
comes between, which the last would wait for."""
CALM_SECONDS = 0.1
"""So long ago somebody was called last, then."""


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


class Walk:
    """Brings many to the end of a track, so many in each turn of the loop."""

    def __init__(
        self,
        wires: Wires[Listener],
        track: Track,
        those: Callable[[], Sequence[Listener]],
        told_a_turn: Callable[[], int],
    ) -> None:
        self._wires = wires
        self._track = track
        self._those = those
        self._told_a_turn = told_a_turn
        self._way: Sequence[Listener] = ()
        self._place = 0
        self._is_behind = False
        """Something came after some had been told."""
        self._loop = asyncio.get_running_loop()

    def go(self) -> None:
        """Tell them what is new."""
        if self._way:
            self._is_behind = True
        else:
            self._way = self._those()
            self._step()

    def _step(self) -> None:
        before, self._place = self._place, self._place + self._told_a_turn()
        self._tell(self._way[before : self._place])
        if self._place >= len(self._way):
            self._way, self._place = self._those() if self._is_behind else (), 0
            self._is_behind = False
        if self._way:
            # Not in the next turn, but the one behind: what came meanwhile is taken in before.
            self._loop.call_soon(self._loop.call_soon, self._step)

    def _tell(self, those: Sequence[Listener]) -> None:
        """Tell them, who are nearly all as far as the others: who was called is further."""
        by_cursor: dict[int, list[Listener]] = {}
        for listener in those:
            by_cursor.setdefault(listener.cursor, []).append(listener)
        for cursor, some in by_cursor.items():
            self._bring(some, cursor)

    def _bring(self, those: Sequence[Listener], cursor: int) -> None:
        end = self._track.end
        if cursor >= end:
            return
        if cursor < self._track.begin:
            for listener in those:
                self._wires.close(listener)
            return
        for listener in those:
            listener.cursor = end
        self._wires.send(those, self._track.joined(cursor))


class Audience:
    """A stop's ring, and those who listen to it in this process."""

    def __init__(self, wires: Wires[Listener]) -> None:
        self.wires = wires
        self.epoch: str | None = None
        """None: nothing was announced yet, as far as is known here."""
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        """By whose own changes they hear: hardly anybody has two streams."""
        self._staff: dict[Listener, None] = {}
        """Those who hear everything: a room of them may come and go."""
        self._people: Sequence[Listener] | None = None
        """All of the former; None: it is to be listed anew."""
        self._called_at = 0.0
        """When somebody was called last, who must not wait long for others."""
        self._open(Ring(Place(0, 0)))

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._staff or self._listeners)

    def after(self, position: Position) -> int | None:
        """Give the number of what follows a position; None: that is not known here."""
        return self.ring.after(position.place) if self.epoch == position.epoch else None

    def take(self, changes: Sequence[Change]) -> None:
        """Announce changes to those whom they concern, joined into one write for each."""
        own: dict[str, list[Numbered]] = {}
        for change in changes:
            number = self.ring.add(change)
            for whom in change.whom:
                if whom in self._listeners:
                    own.setdefault(whom, []).append((number, change.frame))
        if own:
            self._call_those(own)
        if changes:
            self._to_everybody.go()
        if any(ALL in change.whom for change in changes):
            self._to_all.go()

    def listen(self, listener: Listener, fd: int, first: bytes, number: int) -> None:
        """Open a stream on a socket's descriptor: `first`, then everything from a number on."""
        whom = listener.whom
        if whom == EVERYBODY:
            self._staff[listener] = None
        else:
            self._listeners[whom] = (*self._listeners.get(whom, ()), listener)
            self._people = None
        listener.cursor = self.ring.track(whom).end
        self.wires.open(listener, fd, first + self.ring.content(whom, number))

    def forget(self, listener: Listener) -> None:
        """Know no more of a listener."""
        if listener.whom == EVERYBODY:
            del self._staff[listener]
            return
        self._people = None
        left = tuple(one for one in self._listeners[listener.whom] if one is not listener)
        if left:
            self._listeners[listener.whom] = left
        else:
            del self._listeners[listener.whom]

    def begin_anew(self, position: Position, last: Callable[[], bytes]) -> None:
        """Begin an epoch, and send everybody away with a last word: they start anew."""
        self.epoch = position.epoch
        self.leave(last)
        self._open(Ring(position.place))

    def leave(self, last: Callable[[], bytes]) -> None:
        """Send everybody away with a last word."""
        self._close([*self._staff, *self._all_people()], last)

    def dismiss(self, person_id: str, last: Callable[[], bytes]) -> None:
        """End a person's streams, also those on which everything is heard."""
        own = self._listeners.get(person_id, ())
        self._close([*own, *(one for one in self._staff if one.person_id == person_id)], last)

    def _close(self, those: Iterable[Listener], last: Callable[[], bytes]) -> None:
        for listener in those:
            self.wires.close(listener, last())

    def _open(self, ring: Ring) -> None:
        self.ring = ring
        turn = self._told_a_turn
        self._to_everybody = Walk(self.wires, ring.everything, self._all_staff, turn)
        self._to_all = Walk(self.wires, ring.to_all, self._all_people, turn)

    def _told_a_turn(self) -> int:
        is_calm = monotonic() - self._called_at > CALM_SECONDS
        return TOLD_A_CALM_TURN if is_calm else TOLD_A_TURN

    def _all_staff(self) -> Sequence[Listener]:
        return [*self._staff]

    def _all_people(self) -> Sequence[Listener]:
        if self._people is None:
            self._people = [*chain.from_iterable(self._listeners.values())]
        return self._people

    def _call_those(self, own: Mapping[str, Sequence[Numbered]]) -> None:
        self._called_at = monotonic()
        for whom, frames in own.items():
            for listener in self._listeners.get(whom, ()):
                self._call(listener, frames)

    def _call(self, listener: Listener, frames: Sequence[Numbered]) -> None:
        """Tell somebody what is theirs alone, after what was for all before it."""
        track, cursor = self.ring.to_all, listener.cursor
        if cursor < track.begin:
            self.wires.close(listener)
            return
        if cursor < track.end:
            listener.cursor = track.end
            frames = [*track.since(cursor), *frames]
        self.wires.send_one(listener, joined(frames))
