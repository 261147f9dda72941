"""Wires: the same for many, among whom some take nothing and some are gone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from services.notify.together import FEW, Together
from services.notify.wires import BACKLOG_BYTES_MAX, Wire, Wires

FIRST = b"first\n"
COUNT = FEW + 6


class Phones:
    """Streams, each with the socket of who listens; the second is gone, the third takes nothing."""

    GONE, FULL = 1, 2

    def __init__(self, count: int) -> None:
        self.wires = Wires[Wire]()
        self.own = [Wire() for _ in range(count)]
        self.other: list[socket.socket] = []
        self.filled = 0
        for wire in self.own:
            here, there = socket.socketpair()
            for one in (here, there):
                one.setblocking(False)
            self.other.append(there)
            self.wires.open(wire, here.detach(), FIRST)
        self.other[self.GONE].close()
        filler = socket.socket(fileno=self.own[self.FULL].fd)
        with suppress(BlockingIOError):
            while True:
                self.filled += filler.send(b"x" * 1024)
        filler.detach()

    def read(self, place: int) -> bytes:
        """Give what somebody got since."""
        content = b""
        with suppress(BlockingIOError):
            while more := self.other[place].recv(1 << 20):
                content += more
        return content

    async def read_to(self, place: int, end: bytes) -> bytes:
        """Read what somebody gets until this is there."""
        got = b""
        async with asyncio.timeout(60):
            while not got.endswith(end):
                got += self.read(place)
                await asyncio.sleep(0)
        return got

    def close(self) -> None:
        """Close all."""
        self.wires.end()
        for one in self.other:
            one.close()


def refused(*_: int) -> Together:
    raise PermissionError


@pytest.fixture(params=["together", "one by one", "refused later"])
async def phones(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Phones]:
    if request.param == "one by one":
        monkeypatch.setattr("services.notify.wires.Together", refused)
    phones = Phones(COUNT)
    if request.param == "refused later":
        monkeypatch.setattr("services.notify.together._called", refused)
    yield phones
    phones.close()


async def test_who_is_gone_or_takes_nothing_holds_up_nobody(phones: Phones) -> None:
    phones.wires.send(phones.own, b"told\n")

    others = [place for place in range(COUNT) if place not in (phones.GONE, phones.FULL)]
    assert [phones.read(place) for place in others] == [FIRST + b"told\n"] * len(others)
    assert not phones.own[phones.GONE].is_open
    assert len(phones.wires) == COUNT - 1

    phones.wires.send(phones.own, b"again\n")
    assert [phones.read(place) for place in others] == [b"again\n"] * len(others)


async def test_who_takes_nothing_gets_all_in_order_when_there_is_room(phones: Phones) -> None:
    told = [b"%d\n" % number for number in range(1_000)]
    for one in told:
        phones.wires.send(phones.own, one)

    assert await phones.read_to(phones.FULL, told[-1]) == (
        FIRST + b"x" * phones.filled + b"".join(told)
    )
    assert await phones.read_to(0, told[-1]) == FIRST + b"".join(told)


async def test_who_takes_too_little_is_cut_and_nobody_else(phones: Phones) -> None:
    for _ in range(BACKLOG_BYTES_MAX // 1_000 + 1):
        phones.wires.send(phones.own, b"y" * 999 + b"\n")
        for place in (0, *range(3, COUNT)):
            phones.read(place)

    assert [wire.is_open for wire in phones.own] == [True, False, False] + [True] * (COUNT - 3)
