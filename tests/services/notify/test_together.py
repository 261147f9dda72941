"""Together: one call writes to all, and says of each socket what a single one would."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest

from services.notify import together
from services.notify.together import Together

GONE, FULL, NO_SOCKET = 3, 21, -1
COUNT = 40


class Crowd:
    """Sockets with their other ends: one of those is gone, one takes nothing."""

    def __init__(self) -> None:
        pairs = [socket.socketpair() for _ in range(COUNT)]
        self.own = [own for own, _ in pairs]
        self.other = [other for _, other in pairs]
        for one in (*self.own, *self.other):
            one.setblocking(False)
        self.other[GONE].close()
        with suppress(BlockingIOError):
            while True:
                self.own[FULL].send(b"x" * 1024)
        self.fds = [*(one.fileno() for one in self.own), NO_SOCKET]

    def heard(self) -> list[bytes]:
        """Give what each got since, of those who take something."""
        return [
            one.recv(1 << 20) for place, one in enumerate(self.other) if place not in (GONE, FULL)
        ]

    def close(self) -> None:
        """Close all."""
        for one in (*self.own, *self.other):
            one.close()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.close()


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Together]:
    """A ring with fewer places than the crowd, so that it goes round."""
    monkeypatch.setattr(together, "ENTRIES", 16)
    try:
        ring = Together()
    except OSError as failure:
        pytest.skip(f"no io_uring here: {failure}")
    yield ring
    ring.close()


def told(odd: Sequence[together.Odd]) -> dict[int, int]:
    """Give what is said of those who did not take all, each of whom is told of once."""
    assert len({place for place, _ in odd}) == len(odd)
    return dict(odd)


def test_all_get_the_same_and_who_took_less_is_told_of(crowd: Crowd, ring: Together) -> None:
    for number in range(9):
        content = b"%d" % number * (number + 1)
        count, odd = ring.write(crowd.fds, content)
        assert count == COUNT + 1
        assert told(odd) == {GONE: -errno.EPIPE, FULL: -errno.EAGAIN, COUNT: -errno.EBADF}
        assert crowd.heard() == [content] * (COUNT - 2)


def test_what_is_too_long_is_taken_in_part(crowd: Crowd, ring: Together) -> None:
    content = bytes(range(256)) * 4_096
    taken = told(ring.write(crowd.fds, content)[1])
    assert set(taken) == set(range(COUNT + 1))
    for place in (0, 15, 16, COUNT - 1):
        assert 0 < taken[place] < len(content)
        got = b""
        with suppress(BlockingIOError):
            while True:
                got += crowd.other[place].recv(1 << 20)
        assert got == content[: taken[place]]


def test_where_the_kernel_refuses_nothing_is_written_later(
    crowd: Crowd, ring: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> int:
        raise OSError(errno.EAGAIN, "refused")

    with monkeypatch.context() as patched:
        patched.setattr(together, "_called", refused)
        assert ring.write(crowd.fds, b"refused") == (0, [])
    count, odd = ring.write(crowd.fds, b"again")
    assert (count, set(told(odd))) == (COUNT + 1, {GONE, FULL, COUNT})
    assert crowd.heard() == [b"again"] * (COUNT - 2)
