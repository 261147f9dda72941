"""The gate: those who come to their own streams are let in many at a time.

Before the first meeting of a day, after a deployment or a lapse of the network everybody comes at
once. Whoever comes to a stop that is read here needs no route and no task: all who come in the same
turn share one look at who was erased, and those who have seen nothing yet one snapshot. Who says
something that cannot be gone on from here, or may not listen, is passed on to the route.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from starlette.types import Scope

from services.notify.audience import Audience
from services.notify.commands.following import Beginning
from services.notify.commands.snapshots import Snapshots
from services.notify.domain.live import Position
from services.notify.hub import Hub
from services.notify.store import people
from services.notify.store.live import Live
from shared import access
from shared.access import may
from shared.edge import usable_request_id
from shared.errors import Refusal
from shared.http import header_of, person_of
from shared.ids import read_id
from shared.postgres import Database
from shared.threshold import Knock

LET_IN_MAX = 500
"""So many in one turn of the loop: events go on being told meanwhile."""
GATHER_SECONDS_MAX = 0.005
GATHER_SECONDS_EACH = 0.001
"""The more come together, the longer others are waited for, who share what is asked for all.

No longer than it takes to accept the next of a crowd: nothing else is done meanwhile.
"""
ASKED_MAX = 256
"""So many different questions are kept as they were understood: a crowd asks the same."""

log = structlog.get_logger()

_position = lru_cache(ASKED_MAX)(Position.read)


@lru_cache(ASKED_MAX)
def _asked(query: bytes) -> tuple[UUID, str]:
    """Read which stop somebody asks for, and what he saw of it; raises `ValueError`."""
    asked = dict(parse_qsl(query.decode("latin-1")))
    return read_id(asked.get("stop_id", "")), asked.get("last_event_id", "")


@dataclass(slots=True)
class _Waiting:
    knock: Knock
    person_id: UUID
    stop_id: UUID
    audience: Audience
    seen: Position | None


class Gate:
    """Lets people in to their own streams of stops that are read already."""

    def __init__(self, sources: tuple[Database, Live, Hub], head: Callable[[Scope], bytes]) -> None:
        self._database, live, self._hub = sources
        self._snapshots = Snapshots(self._database, live)
        self._head = head
        self._knocking: list[Knock] = []
        self._task: asyncio.Task[None] | None = None

    def knock(self, knock: Knock) -> None:
        """Hear somebody, who is let in with the others or passed on to the route then."""
        self._knocking.append(knock)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._let_in())

    def _known(self, knock: Knock) -> _Waiting | None:
        try:
            stop_id, last = _asked(knock.scope["query_string"])
            who = person_of(knock.scope)
        except (ValueError, Refusal):
            return None
        last = header_of(knock.scope, b"last-event-id") or last
        seen = _position(last) if last else None
        audience = self._hub.known(stop_id)
        if audience is None or (last and (seen is None or audience.after(seen) is None)):
            return None
        if who is None or not may(who, "live.me", access.Scope(person_ids=(who.subject,))):
            return None
        return _Waiting(knock, who.subject, stop_id, audience, seen)

    async def _let_in(self) -> None:
        try:
            # Those who come in the same turn of the loop come together.
            await asyncio.sleep(0)
            while self._knocking:
                came, self._knocking = self._knocking[:LET_IN_MAX], self._knocking[LET_IN_MAX:]
                # Each step for all before the next: what was just run is still in the caches of
                # the processor, which is most of what reading a token costs.
                those = self._known_among(came)
                erased = await self._erased(those) if those else ()
                away: set[UUID] = set()
                for one in those:
                    if one.person_id in erased or not await self._opened(one, away):
                        one.knock.go_on()
                if len(came) > 1:
                    pause = len(came) * GATHER_SECONDS_EACH
                    await asyncio.sleep(min(pause, GATHER_SECONDS_MAX))
        finally:
            self._task = None

    def _known_among(self, came: Sequence[Knock]) -> Sequence[_Waiting]:
        """Find those who may be let in here; the others go on."""
        those = []
        for knock in came:
            try:
                waiting = self._known(knock)
            except Exception:
                # It hinders nobody behind.
                log.exception("somebody was not understood at the gate")
                waiting = None
            if waiting is None:
                knock.go_on()
            else:
                those.append(waiting)
        return those

    async def _erased(self, those: Sequence[_Waiting]) -> Collection[UUID]:
        """Say who was erased; while that cannot be told, the route has to answer everybody."""
        asked = {one.person_id for one in those}
        try:
            async with self._database.reading() as connection:
                return await people.erased_among(connection, asked)
        except Exception:  # noqa: BLE001  # the route meets the same, and tells of it
            return asked

    async def _opened(self, one: _Waiting, away: set[UUID]) -> bool:
        """Say whether somebody's stream is open; what hinders that hinders nobody behind."""
        try:
            if one.seen is None:
                beginning = await self._begun(one, away)
            else:
                beginning = self._resumed(one, one.seen)
            # From here to the end nothing may wait.
            return beginning is not None and self._open(one, beginning)
        except Exception:
            log.exception("somebody was not let in at the gate")
            return False

    def _resumed(self, one: _Waiting, seen: Position) -> Beginning | None:
        """Find what somebody goes on with."""
        number, whom = one.audience.after(seen), str(one.person_id)
        return None if number is None else Beginning(one.audience, whom, whom, b"", number)

    async def _begun(self, one: _Waiting, away: set[UUID]) -> Beginning | None:
        """Find what somebody begins with; `away` are stops whose state could not be read just now.

        Where Redis does not answer, each who asked it would wait for those before.
        """
        if one.stop_id in away:
            return None
        try:
            return await self._snapshots.beginning(one.audience, one.stop_id, one.person_id)
        except Exception:  # noqa: BLE001  # as above
            away.add(one.stop_id)
            return None

    def _open(self, one: _Waiting, beginning: Beginning) -> bool:
        if self._hub.known(one.stop_id) is not one.audience:
            return False
        scope = one.knock.scope
        given = usable_request_id(header_of(scope, b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = given
        head = self._head(scope)
        beginning.listen(one.knock.take_over(), head)
        return True
