"""Rings: what was announced at a stop lately, in order, and whom it concerns."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.domain.live import Place, Position

EVERYBODY = ""
"""Who hears of every change: staff, screens."""
ALL = "*"
"""Whom a notice to all concerns."""
KEPT_MAX = 4_096
"""So many changes of a stop are kept in the process, for those who come back."""
JOINED_MAX = 16
"""So many different beginnings are kept joined, for those who missed the same."""

Numbered = tuple[int, bytes]
"""A change's number in its ring, and its frame."""


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a stop's stream, encoded once for all who hear of it."""

    position: Position
    whom: tuple[str, ...]
    frame: bytes


class Track:
    """Frames that many hear alike. Who hears them has a cursor: how many there were before."""

    def __init__(self) -> None:
        self.begin = 0
        """The first cursor from which all is still here."""
        self.end = 0
        """The cursor of those who heard all."""
        self._frames: list[Numbered] = []
        self._joined: dict[int, bytes] = {}

    def add(self, number: int, frame: bytes) -> None:
        """Add the frame of a change behind all others."""
        self._frames.append((number, frame))
        self._joined.clear()
        self.end += 1
        if len(self._frames) >= 2 * KEPT_MAX:
            del self._frames[:-KEPT_MAX]
            self.begin = self.end - KEPT_MAX

    def cursor(self, number: int) -> int:
        """Give the cursor of those who have yet to hear a change and what followed."""
        return self.begin + bisect_left(self._frames, (number,))

    def since(self, cursor: int) -> Sequence[Numbered]:
        """Give what follows a cursor."""
        return self._frames[cursor - self.begin :]

    def joined(self, cursor: int) -> bytes:
        """Join what follows a cursor, once for all who have the same."""
        found = self._joined.get(cursor)
        if found is None:
            if len(self._joined) == JOINED_MAX:
                self._joined.clear()
            found = self._joined[cursor] = b"".join(frame for _, frame in self.since(cursor))
        return found


class Ring:
    """The latest changes, numbered without a gap."""

    def __init__(self, since: Place) -> None:
        self.known_from = since
        """Who was here or later can be told what followed."""
        self.read_to = since
        self.everything = Track()
        self.to_all = Track()
        """What concerns all."""
        self._own: dict[str, list[Numbered]] = {}
        """What concerns somebody alone."""
        self._places: list[Place] = []
        self._changes: list[Change] = []

    def add(self, change: Change) -> int:
        """Add a change behind all others, and give its number."""
        number = self.everything.end
        self.read_to = change.position.place
        self._places.append(self.read_to)
        self._changes.append(change)
        for whom in change.whom:
            if whom == ALL:
                self.to_all.add(number, change.frame)
            else:
                self._own.setdefault(whom, []).append((number, change.frame))
        self.everything.add(number, change.frame)
        if len(self._changes) >= 2 * KEPT_MAX:
            self._forget(KEPT_MAX)
        return number

    def after(self, place: Place) -> int | None:
        """Give the number of the change that follows a place; None: that is not known here."""
        if not self.known_from <= place <= self.read_to:
            return None
        return self.everything.begin + bisect_right(self._places, place)

    def track(self, whom: str) -> Track:
        """Give what somebody hears as others do."""
        return self.everything if whom == EVERYBODY else self.to_all

    def content(self, whom: str, number: int) -> bytes:
        """Join what concerns somebody from a number on, in order."""
        track = self.track(whom)
        own = self._own.get(whom, ())
        later = own[bisect_left(own, (number,)) :]
        if not later:
            return track.joined(track.cursor(number))
        return joined([*later, *track.since(track.cursor(number))])

    def _forget(self, count: int) -> None:
        for change in self._changes[:count]:
            for whom in change.whom:
                if whom != ALL:
                    del self._own[whom][0]
                    if not self._own[whom]:
                        del self._own[whom]
        self.known_from = self._places[count - 1]
        del self._changes[:count], self._places[:count]


def joined(frames: Sequence[Numbered]) -> bytes:
    """Join frames in the order of their numbers; one that comes twice is told once."""
    return b"".join(frame for _, frame in sorted({*frames}))
