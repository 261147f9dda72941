"""A partner's system behind a real address, and a connector to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from services.registration.commands.connectors.syncing import Syncer
from services.registration.commands.questions import Forms
from shared.addresses import Allowed
from shared.outward import Outward
from tests.services.registration.connectors.peer import Peer, Room
from tests.serving import behind_an_address

if TYPE_CHECKING:
    from tests.services.registration.conftest import House


@asynccontextmanager
async def syncing(house: "House") -> AsyncIterator[Syncer]:
    async with Outward.open(Allowed.read("127.0.0.1")) as outward:
        yield Syncer(house.database, Forms(), outward, house.tokens)


@pytest.fixture
async def room(house: "House") -> AsyncIterator[Room]:
    """A connector whose system holds nothing so far."""
    peer = Peer()
    async with behind_an_address(peer) as address, syncing(house) as syncer:
        peer.address = address
        room = Room(house, peer, syncer)
        await room.connect()
        peer.asked.clear()
        yield room
