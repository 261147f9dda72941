"""The gate: those who were cut off are let in again many at a time.

After a deployment or a lapse of the network everybody comes back at once. Who says what he has
seen, and can be told the rest from what the process holds, needs no route and no task; all who
come in the same turn share one look at who was erased. Anybody else is passed on to the route.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from services.notify.audience import Audience
from services.notify.commands.following import Beginning
from services.notify.domain.live import Position
from services.notify.hub import Hub
from services.notify.store import people
from shared import access
from shared.access import may
from shared.edge import usable_request_id
from shared.errors import Refusal
from shared.http import person_of
from shared.ids import read_id
from shared.postgres import Database, is_outage
from shared.protocol import Knock

log = structlog.get_logger()

LET_IN_MAX = 500
"""So many in one turn of the loop: events go on being told meanwhile."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    knock: Knock
    person_id: UUID
    stop_id: UUID
    audience: Audience
    seen: Position


class Gate:
    """Lets people in to their own streams of stops that are read already."""

    def __init__(self, database: Database, hub: Hub, head: Callable[[Scope], bytes]) -> None:
        self._database = database
        self._hub = hub
        self._head = head
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    def knock(self, knock: Knock) -> bool:
        """Take somebody in; False: the route answers, with the same or with a refusal."""
        waiting = self._known(knock)
        if waiting is None:
            return False
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._let_in())
        return True

    def _known(self, knock: Knock) -> _Waiting | None:
        request = Request(knock.scope)
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id", "")
        seen = Position.read(last)
        try:
            stop_id = read_id(request.query_params.get("stop_id", ""))
            who = person_of(request)
        except (ValueError, Refusal):
            return None
        audience = self._hub.known(stop_id)
        if seen is None or audience is None or audience.after(seen) is None:
            return None
        if who is None or not may(who, "live.me", access.Scope(person_ids=(who.subject,))):
            return None
        return _Waiting(knock, who.subject, stop_id, audience, seen)

    async def _let_in(self) -> None:
        try:
            # Those who come in the same turn of the loop come together.
            await asyncio.sleep(0)
            while self._waiting:
                those, self._waiting = self._waiting[:LET_IN_MAX], self._waiting[LET_IN_MAX:]
                erased = await self._erased(those)
                for one in those:
                    if one.person_id in erased or not self._open(one):
                        one.knock.go_on()
        finally:
            self._task = None

    async def _erased(self, those: Sequence[_Waiting]) -> Collection[UUID]:
        """Say who was erased; while that cannot be told, the route has to answer everybody."""
        asked = {one.person_id for one in those}
        try:
            async with self._database.reading() as connection:
                return await people.erased_among(connection, asked)
        except Exception as error:
            if not is_outage(error):
                log.exception("nobody is let in at the gate")
            return asked

    def _open(self, one: _Waiting) -> bool:
        number = one.audience.after(one.seen)
        if number is None or self._hub.known(one.stop_id) is not one.audience:
            return False
        fd = one.knock.take_over()
        if fd is None:
            return False
        scope = one.knock.scope
        given = Headers(scope=scope).get("x-request-id", "")
        scope.setdefault("state", {})["request_id"] = usable_request_id(given)
        person_id = str(one.person_id)
        beginning = Beginning(one.audience, person_id, person_id, b"", number)
        beginning.listen(fd, self._head(scope))
        return True
