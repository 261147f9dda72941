"""Wires: open event streams as bare sockets, which are written to directly.

What a framework does for each stream, a task, a queue and a message for each event, costs several
times the send itself. Here a stream is a descriptor and a few numbers, and one `epoll` object
watches all of them for who hangs up and who has room again.
"""

import asyncio
import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import structlog

from services.notify.together import FEW, Together

SEND_BUFFER_BYTES = 32_768
BACKLOG_BYTES_MAX = 65_536
"""Beyond both, a phone that takes nothing is cut off: it resumes, and costs nothing until then."""
UNANSWERED_MILLISECONDS_MAX = 20_000
BEAT = b"event: beat\ndata\n\n"
"""Keeps gateways from closing a quiet stream, and lets a page notice that nobody is there."""
BEAT_SECONDS = 10.0
PULSES = 100
READY_MAX = 1_024
QUIET = select.EPOLLRDHUP
WAITING = select.EPOLLRDHUP | select.EPOLLOUT

log = structlog.get_logger()


class Backlog(bytearray):
    """What a socket did not take yet, and how much that may become."""

    __slots__ = ("bytes_max",)

    def __init__(self, bytes_max: int) -> None:
        super().__init__()
        self.bytes_max = bytes_max


class Wire:
    """One open stream. It belongs to `Wires` from `open` until `left` is called."""

    __slots__ = ("backlog", "fd", "pulse")

    def __init__(self) -> None:
        self.fd = -1
        self.pulse = 0
        """When it was last written to, counted in pulses."""
        self.backlog: Backlog | None = None

    @property
    def is_open(self) -> bool:
        """Say whether it can be written to."""
        return self.fd >= 0

    def left(self) -> None:
        """Hear that the stream is closed, from either side."""


W = TypeVar("W", bound=Wire)


class Wires(Generic[W]):
    """All streams of a process. Nothing here waits: each call returns at once."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._of: list[W | None] = []
        """By descriptor: the kernel gives the lowest that is free."""
        self._together = _together()
        self._count = 0
        self._dropped = 0
        self._pulse = 0
        self._next = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)
        self._timer = self._loop.call_later(BEAT_SECONDS / PULSES, self._beat)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[W]:
        return iter([wire for wire in self._of if wire is not None])

    def open(self, wire: W, fd: int, first: bytes) -> None:
        """Take a socket's descriptor over, write what comes first, and watch it.

        `first` may be larger than any backlog: a whole day on a slow line.
        """
        wire.fd = fd
        self._of.extend([None] * (fd + 1 - len(self._of)))
        self._of[fd] = wire
        self._count += 1
        self._epoll.register(fd, QUIET)
        _tune(fd)
        self.send_one(wire, first, BACKLOG_BYTES_MAX + len(first))

    def send_one(self, wire: W, content: bytes, backlog_max: int = BACKLOG_BYTES_MAX) -> None:
        """Write to a stream behind all that was written before; who takes too little is cut."""
        wire.pulse = self._pulse
        taken = 0
        if wire.backlog is None:
            try:
                taken = os.write(wire.fd, content)
            except BlockingIOError:
                pass
            except OSError:
                self.close(wire)
                return
        if taken < len(content):
            self._hold(wire, content[taken:], backlog_max)

    def send(self, those: Sequence[W], content: bytes) -> None:
        """Write the same to many, to each as if it were alone."""
        if self._together and len(those) > FEW:
            those = self._sent_together(self._together, those, content)
        for wire in those:
            self.send_one(wire, content)

    def _sent_together(self, together: Together, those: Sequence[W], content: bytes) -> Sequence[W]:
        """Write to those who took all so far; give the others."""
        free = [wire for wire in those if wire.backlog is None]
        behind = [wire for wire in those if wire.backlog is not None]
        count, odd = together.write([wire.fd for wire in free], content)
        pulse = self._pulse
        for wire in free:
            wire.pulse = pulse
        for place, taken in odd:
            if taken >= 0 or taken == -errno.EAGAIN:
                self._hold(free[place], content[max(taken, 0) :], BACKLOG_BYTES_MAX)
            else:
                self.close(free[place])
        return [*behind, *free[count:]]

    def _hold(self, wire: W, content: bytes, backlog_max: int) -> None:
        if wire.backlog is None:
            wire.backlog = Backlog(backlog_max)
            self._epoll.modify(wire.fd, WAITING)
        wire.backlog += content
        if len(wire.backlog) > wire.backlog.bytes_max:
            self._dropped += 1
            self.close(wire)

    def close(self, wire: W, last: bytes = b"") -> None:
        """End a stream, with a last word if there is room for it; a repeat does nothing."""
        fd = wire.fd
        if fd < 0:
            return
        if last and wire.backlog is None:
            with contextlib.suppress(OSError):
                os.write(fd, last)
        self._of[fd] = None
        self._count -= 1
        wire.fd, wire.backlog = -1, None
        os.close(fd)
        wire.left()

    def close_all(self, last: Callable[[], bytes]) -> None:
        """End all streams, each with a last word of its own."""
        for wire in self:
            self.close(wire, last())

    def end(self) -> None:
        """Close all, and watch no more."""
        self.close_all(bytes)
        self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        if self._together:
            self._together.close()

    def _ready(self) -> None:
        for fd, events in self._epoll.poll(0, READY_MAX):
            wire = self._of[fd]
            if wire is None:
                continue
            if events & ~select.EPOLLOUT:
                self.close(wire)
            elif wire.backlog is not None:
                self._drain(wire, wire.backlog)

    def _drain(self, wire: W, backlog: Backlog) -> None:
        try:
            taken = os.write(wire.fd, backlog)
        except BlockingIOError:
            return
        except OSError:
            self.close(wire)
            return
        if taken == len(backlog):
            wire.backlog = None
            self._epoll.modify(wire.fd, QUIET)
        else:
            del backlog[:taken]

    def _beat(self) -> None:
        """Keep a share of the quiet streams alive: each in turn, without a timer of its own."""
        self._pulse += 1
        if self._dropped:
            log.warning("listeners dropped: they do not keep up", count=self._dropped)
            self._dropped = 0
        share = -(-len(self._of) // PULSES)
        those = (one for one in self._of[self._next : self._next + share] if one is not None)
        due = self._pulse - PULSES
        self.send([one for one in those if one.backlog is None and one.pulse <= due], BEAT)
        self._next = self._next + share if self._next + share < len(self._of) else 0
        self._timer = self._loop.call_later(BEAT_SECONDS / PULSES, self._beat)


def _together() -> Together | None:
    try:
        return Together()
    except OSError as failure:
        log.info("streams are written to one by one", reason=str(failure))
        return None


def _tune(fd: int) -> None:
    """Let the kernel keep little for each stream, and find out soon who is gone."""
    # The bare type, which need not look up what kind of socket it is: a third of the time.
    held = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MILLISECONDS_MAX)
    except OSError:
        # Another kind, as where a stream is copied, or one that is gone already.
        return
    finally:
        held.detach()
