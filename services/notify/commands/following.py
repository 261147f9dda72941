"""Following: how a listener's event stream begins, so that nothing is missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from services.notify.audience import Audience, Listener
from services.notify.commands.keeping import catch_up
from services.notify.domain.live import Place, Position, frame, snapshot
from services.notify.hub import Hub, retry
from services.notify.ring import EVERYBODY
from services.notify.store.live import CaughtUp, Live
from shared.postgres import Database

AGREE_SECONDS_MAX = 2.0
AGREE_EVERY_SECONDS = 0.01
NOWHERE = Position("0", Place(0, 0))
"""Of no epoch: who is cut off before the snapshot comes back as one who has nothing."""


@dataclass(slots=True)
class Beginning:
    """What somebody gets first, and from which change on the audience goes on."""

    audience: Audience
    whom: str
    person_id: str
    """Who listens."""
    first: bytes
    number: int

    def listen(self, fd: int, head: bytes = b"") -> Listener:
        """Let it go on over a socket, which is taken over; `head` comes before all."""
        listener = Listener(self.audience, self.whom, self.person_id)
        self.audience.listen(listener, fd, head + retry() + self.first, self.number)
        return listener


async def begin(
    sources: tuple[Database, Live, Hub],
    stop_id: UUID,
    person_id: UUID | None,
    last_event_id: str | None,
    *,
    by: UUID | None = None,
) -> Beginning:
    """Find what was missed, or everything; an outage is raised, as `ConnectionError`.

    `person_id` is whose changes are heard, None everybody's; `by` is who hears them, if not he.
    """
    database, live, hub = sources
    listener_id = str(by or person_id or "")
    audience = await hub.audience(stop_id)
    whom = str(person_id) if person_id else EVERYBODY
    seen = Position.read(last_event_id) if last_event_id else None
    if seen is not None and (number := audience.after(seen)) is not None:
        return Beginning(audience, whom, listener_id, b"", number)
    async with _agreeing():
        while True:
            caught = await catch_up(database, live, stop_id, person_id, seen)
            number = audience.after(caught.position)
            if number is not None:
                first = _first(caught, is_resync=bool(last_event_id))
                return Beginning(audience, whom, listener_id, first, number)
            # The audience has yet to read what Redis has told already.
            await asyncio.sleep(AGREE_EVERY_SECONDS)
            audience = await hub.audience(stop_id)


@asynccontextmanager
async def _agreeing() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(AGREE_SECONDS_MAX):
            yield
    except TimeoutError:
        raise ConnectionError("The live state is being filled; connect again.") from None


def _first(caught: CaughtUp, *, is_resync: bool) -> bytes:
    if caught.is_replay:
        return b"".join(
            frame("change", Position(caught.position.epoch, place), live)
            for place, live in zip(caught.places, caught.meetings, strict=True)
        )
    everything = frame("snapshot", caught.position, snapshot(list(caught.meetings)))
    return frame("resync", NOWHERE, "{}") + everything if is_resync else everything
