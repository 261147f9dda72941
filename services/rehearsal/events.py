"""Event streams read from bytes (WHATWG HTML, 9.2.6), however these are cut."""

from collections.abc import Iterator
from dataclasses import dataclass

LINE_BYTES_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of a stream."""

    name: str
    data: str


class Frames:
    """Cuts a stream into events and remembers where it was."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry_seconds: float | None = None
        self._id = last_event_id
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        """Take bytes in and give the events that are whole now; raises `ValueError` when endless.

        `last_event_id` moves on with each event that is given, not before.
        """
        lines = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_BYTES_MAX:
            raise ValueError("A line of the stream is too long.")
        for line in lines:
            if line:
                self._field(line.decode())
                continue
            self.last_event_id = self._id
            if self._data:
                yield StreamEvent(self._name or "message", "\n".join(self._data))
            self._name, self._data = "", []

    def resumed(self) -> "Frames":
        """Give the reader of the next connection: a half event of this one is void."""
        frames = Frames(self.last_event_id)
        frames.retry_seconds = self.retry_seconds
        return frames

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isdigit():
            self.retry_seconds = int(value) / 1000
