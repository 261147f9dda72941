"""Registering: a person, an organisation and a place, or a place on the waiting list.

The single way in. Requests that come while a batch is written form the next one.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from services.registration.commands.committing import GroupCommit, Turn
from services.registration.commands.drafting import NAMED_AT_ONCE_MAX, Entry, Submission
from services.registration.commands.seating import seat
from services.registration.domain.people import SignUp
from shared.errors import Conflict
from shared.idempotency import ATTEMPTS_MAX, Answer, Key, recall
from shared.postgres import Database

PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.05
QUIET_SECONDS = 2.0

Name = tuple[str, str]

# The first of them: another process added a person or company of this batch meanwhile.
RACES = (
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)


class Rush:
    """Writes registrations, many in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: dict[Name, asyncio.Future[Answer]] = {}
        self._rushed_at = -math.inf
        self.queue: GroupCommit[Submission, Answer] = GroupCommit(
            self._commit, size_of=lambda one: len(one.entries)
        )

    def is_rushed(self) -> bool:
        """Say whether requests wait for the batch before them."""
        return self.queue.waiting > 0

    def was_rushed(self) -> bool:
        """Say whether more came at once, in the last `QUIET_SECONDS`, than are named at once."""
        return asyncio.get_running_loop().time() - self._rushed_at < QUIET_SECONDS

    def is_free(self, key: Key) -> bool:
        """Say whether a request with this key can be queued: none is under way, nor too many."""
        return (key.scope, key.value) not in self._under_way and not self.queue.is_full

    async def register(self, item_id: UUID, sign_up: SignUp, key: Key, now: datetime) -> Answer:
        """Register a person to a programme item.

        Answers 201 with `is_new` saying whether the person is new in the mission; 200 with the
        first registration when the address is registered already. Raises `NotFound`, `Invalid`,
        `Conflict`, `Busy`.
        """
        one = Submission((Entry(item_id, sign_up),), key, now, _request_id())
        return await self._submit(one)

    def begin(
        self,
        item_id: UUID,
        sign_up: SignUp,
        key: Key,
        now: datetime,
        *,
        correlation_id: str,
        tell: Callable[[asyncio.Future[Answer]], None],
    ) -> None:
        """Register a person as `register` does, without a task that waits for it.

        `tell` gets the answer, or what `register` would raise. Only for a key that `is_free`.
        """
        name = (key.scope, key.value)

        def told(future: asyncio.Future[Answer]) -> None:
            del self._under_way[name]
            tell(future)

        one = Submission((Entry(item_id, sign_up),), key, now, correlation_id)
        future = self._under_way[name] = self.queue.put(one)
        future.add_done_callback(told)

    async def register_group(
        self, item_id: UUID, sign_ups: Sequence[SignUp], key: Key, now: datetime
    ) -> Answer:
        """Register people who come together or not at all: a place each, or all wait together.

        Answers 201 with `registrations`; raises as `register`, with pointers into `/people`.
        """
        entries = tuple(Entry(item_id, sign_up) for sign_up in sign_ups)
        return await self._submit(Submission(entries, key, now, _request_id(), is_group=True))

    async def register_list(
        self, item_id: UUID, sign_ups: Sequence[SignUp], key: Key, now: datetime
    ) -> Answer:
        """Register each of a list by itself; answers 200 with what became of each, in order."""
        entries = tuple(Entry(item_id, sign_up) for sign_up in sign_ups)
        return await self._submit(Submission(entries, key, now, _request_id(), is_list=True))

    async def _submit(self, one: Submission) -> Answer:
        """Queue a request; a form's waits while another process answers the same key."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._once(one)
            except Conflict as conflict:
                is_late = asyncio.get_running_loop().time() > deadline
                if conflict.code != "in_progress" or not one.key.is_patient or is_late:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _once(self, one: Submission) -> Answer:
        """Queue a request, unless one with its key is under way in this process."""
        name = (one.key.scope, one.key.value)
        if name not in self._under_way:
            await self.queue.turn()
        twin = self._under_way.get(name)
        if twin is None:
            future = self._under_way[name] = self.queue.put(one)
            try:
                return await future
            finally:
                del self._under_way[name]
        if not one.key.is_patient:
            raise Conflict("The first request with this key is under way.", code="in_progress")
        return replace(await asyncio.shield(twin), is_replayed=True)

    async def _commit(
        self, submissions: Sequence[Submission], turn: Turn
    ) -> Sequence[Answer | Exception]:
        if sum(len(one.entries) for one in submissions) > NAMED_AT_ONCE_MAX:
            self._rushed_at = asyncio.get_running_loop().time()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._database.transaction() as connection:
                    before = await recall(connection, [one.key for one in submissions])
                    await turn.come()
                    answers = await seat(connection, submissions, before, is_last=True)
                    turn.pass_on()
                    return answers
            except RACES:
                if attempt == ATTEMPTS_MAX:
                    raise
        raise AssertionError("unreachable")


def _request_id() -> str | None:
    given: str | None = structlog.contextvars.get_contextvars().get("correlation_id")
    return given
