"""Wires: open event streams as bare sockets, which are written to directly.

What a framework does for each stream, a task, a queue and a message for each event, costs several
times the send itself. Here a stream is a descriptor and a few numbers, and one `epoll` object
watches all of them for who hangs up and who has room again.
"""

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import structlog

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


class Wire:
    """One open stream. It belongs to `Wires` from `open` until `left` is called."""

    __slots__ = ("allowance", "backlog", "fd", "place", "pulse")

    def __init__(self) -> None:
        self.fd = -1
        self.place = -1
        self.pulse = 0
        self.backlog: bytearray | None = None
        """What the socket did not take yet."""
        self.allowance = BACKLOG_BYTES_MAX

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
        self._of: dict[int, W] = {}
        self._all: list[W] = []
        self._pulse = 0
        self._next = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)
        self._timer = self._loop.call_later(BEAT_SECONDS / PULSES, self._beat)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[W]:
        return iter([*self._all])

    def open(self, wire: W, fd: int, first: bytes) -> None:
        """Take a socket's descriptor over, write what comes first, and watch it.

        `first` may be larger than any backlog: a whole day on a slow line.
        """
        wire.fd, wire.place = fd, len(self._all)
        wire.allowance = BACKLOG_BYTES_MAX + len(first)
        self._of[fd] = wire
        self._all.append(wire)
        self._epoll.register(fd, QUIET)
        _tune(fd)
        self.send(wire, first)

    def send(self, wire: W, content: bytes) -> None:
        """Write to a stream behind all that was written before; who takes too little is cut."""
        wire.pulse = self._pulse
        if wire.backlog is None:
            try:
                taken = os.write(wire.fd, content)
            except BlockingIOError:
                taken = 0
            except OSError:
                self.close(wire)
                return
            if taken == len(content):
                return
            wire.backlog, content = bytearray(), content[taken:]
            self._epoll.modify(wire.fd, WAITING)
        wire.backlog += content
        if len(wire.backlog) > wire.allowance:
            log.warning("listener dropped: it does not keep up")
            self.close(wire)

    def close(self, wire: W, last: bytes = b"") -> None:
        """End a stream, with a last word if there is room for it; a repeat does nothing."""
        fd = wire.fd
        if fd < 0:
            return
        if last and wire.backlog is None:
            with contextlib.suppress(OSError):
                os.write(fd, last)
        del self._of[fd]
        moved = self._all.pop()
        if moved is not wire:
            self._all[wire.place] = moved
            moved.place = wire.place
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

    def _ready(self) -> None:
        for fd, events in self._epoll.poll(0, READY_MAX):
            wire = self._of.get(fd)
            if wire is None:
                continue
            if events & ~select.EPOLLOUT:
                self.close(wire)
            elif wire.backlog is not None:
                self._drain(wire, wire.backlog)

    def _drain(self, wire: W, backlog: bytearray) -> None:
        try:
            taken = os.write(wire.fd, backlog)
        except BlockingIOError:
            return
        except OSError:
            self.close(wire)
            return
        if taken == len(backlog):
            wire.backlog, wire.allowance = None, BACKLOG_BYTES_MAX
            self._epoll.modify(wire.fd, QUIET)
        else:
            del backlog[:taken]

    def _beat(self) -> None:
        """Keep a share of the quiet streams alive: each in turn, without a timer of its own."""
        self._pulse += 1
        for _ in range(-(-len(self._all) // PULSES)):
            if self._next >= len(self._all):
                self._next = 0
            wire = self._all[self._next]
            self._next += 1
            if self._pulse - wire.pulse >= PULSES and wire.backlog is None:
                self.send(wire, BEAT)
            if not self._all:
                break
        self._timer = self._loop.call_later(BEAT_SECONDS / PULSES, self._beat)


def _tune(fd: int) -> None:
    """Let the kernel keep little for each stream, and find out soon who is gone."""
    held = socket.socket(fileno=fd)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if held.family in (socket.AF_INET, socket.AF_INET6):
            held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            timeout = UNANSWERED_MILLISECONDS_MAX
            held.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)
    finally:
        held.detach()
