"""Group commit: many requests share one transaction, and each is answered after it.

A batch forms while the one before it is written: no timer, and a batch of one when idle. It begins
when of the one before only the commit is left, so that each spares the other some waiting. Where
many more have come than the next batches hold, they wait as they came: to read what each of them
wants takes the time of those who came before.
"""

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import Busy
from shared.postgres import is_outage

BATCH_MAX = 128
AT_WORK_MAX = 2
"""So many batches there are at most: one that is written, and one that has begun."""
WAIT_SECONDS_MAX = 1.0
WAITING_MIN = 1_024
"""So many may wait in any case: before anything is measured, and two lists of the longest kind."""
SMOOTHING = 0.2

Request = TypeVar("Request")
Result = TypeVar("Result")


class Turn:
    """The turn of a batch, behind the one before it."""

    def __init__(self, before: "Turn | None", begin_next: Callable[[], None]) -> None:
        self.has_passed_on = False
        self._before = before
        self._begin_next = begin_next
        self._has_ended = asyncio.Event()

    async def come(self) -> None:
        """Wait until the batch before is committed, or was refused."""
        if self._before:
            await self._before._has_ended.wait()
            self._before = None

    def pass_on(self) -> None:
        """Have the next batch begin: of this one, only the commit is left."""
        if not self.has_passed_on:
            self.has_passed_on = True
            self._begin_next()

    def end(self) -> None:
        """Have the next batch go on."""
        self._has_ended.set()
        self.pass_on()


class GroupCommit(Generic[Request, Result]):
    """A queue in front of one writer. `commit` takes a batch and gives a result for each in order.

    An exception among the results is raised where that request was made. What a batch does before
    its turn has come is done while the one before it is committed.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Request], Turn], Awaitable[Sequence[Result | Exception]]],
        *,
        size_of: Callable[[Request], int],
    ) -> None:
        self._commit = commit
        self._size_of = size_of
        self._queue: deque[tuple[Request, asyncio.Future[Result]]] = deque()
        self._told: deque[tuple[asyncio.Future[Result], Result | Exception]] = deque()
        self._told_a_turn = 1
        self._outside: deque[Callable[[], None]] = deque()
        self._is_turning = False
        self._waiting = 0
        self._rate = 0.0
        self._ended_at = -math.inf
        self._last: Turn | None = None
        self._writers: set[asyncio.Task[None]] = set()

    @property
    def rate(self) -> float:
        """How many registrations a second were written lately while there was a queue."""
        return self._rate

    @property
    def waiting(self) -> int:
        """How many registrations are not answered yet."""
        return self._waiting + len(self._outside)

    @property
    def wait_seconds(self) -> float:
        """How long a newcomer would wait, about."""
        return self.waiting / self._rate if self._rate else 0.0

    @property
    def is_full(self) -> bool:
        """Whether newcomers are turned away: more waits than is written in `WAIT_SECONDS_MAX`."""
        return self.waiting >= max(WAITING_MIN, self._rate * WAIT_SECONDS_MAX)

    @property
    def is_crowded(self) -> bool:
        """Whether who comes now waits outside, behind others or until what is inside is written."""
        return bool(self._outside) or self._has_next

    def busy(self) -> Busy | None:
        """Give why a newcomer is turned away, or None while there is room."""
        if not self.is_full:
            return None
        return Busy("Too many register at once; try again.", retry_seconds=self.wait_seconds)

    @property
    def _has_next(self) -> bool:
        return len(self._queue) >= BATCH_MAX

    def later(self, enter: Callable[[], None]) -> None:
        """Have somebody enter when it is crowded no more, in the order in which they came."""
        self._outside.append(enter)
        self._go_on()

    async def turn(self) -> None:
        """Wait outside with the others, if it is crowded; raises `Busy` when full."""
        if busy := self.busy():
            raise busy
        if self.is_crowded:
            turn = asyncio.Event()
            self.later(turn.set)
            await turn.wait()

    def put(self, request: Request) -> "asyncio.Future[Result]":
        """Queue a request; its result is there once it is committed. Raises `Busy` when full."""
        if busy := self.busy():
            raise busy
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((request, future))
        self._waiting += self._size_of(request)
        self._begin()
        return future

    def _begin(self) -> None:
        """Have a batch begin, unless the last one has not passed on."""
        if not self._queue or (self._last and not self._last.has_passed_on):
            return
        self._last = Turn(self._last, self._begin)
        # In a context of its own: a batch belongs to no one request.
        writer = asyncio.create_task(self._write(self._last), context=contextvars.Context())
        self._writers.add(writer)
        writer.add_done_callback(self._writers.discard)

    async def _write(self, turn: Turn) -> None:
        try:
            self._let_in(BATCH_MAX)
            batch = self._take()
            started = time.perf_counter()
            results = await self._results([request for request, _ in batch], turn)
            await turn.come()
            ended = time.perf_counter()
            size = sum(self._size_of(request) for request, _ in batch)
            self._waiting -= size
            rate = size / (ended - max(started, self._ended_at))
            self._ended_at = ended
            self._rate += (rate - self._rate) * (SMOOTHING if self._rate else 1)
            self._told += zip((future for _, future in batch), results, strict=True)
            # One, and where batches end faster than that, so many that all are told as fast.
            self._told_a_turn = -(-len(self._told) // BATCH_MAX)
            self._go_on()
        finally:
            turn.end()

    def _go_on(self) -> None:
        has_room = self._outside and not self._has_next
        if not self._is_turning and (self._told or has_room):
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Tell one the result and let one in, and the others in the next turns of the loop.

        The database is answered in between.
        """
        for _ in range(min(self._told_a_turn, len(self._told))):
            self._tell(*self._told.popleft())
        self._let_in(1)
        self._is_turning = False
        self._go_on()

    def _let_in(self, most: int) -> None:
        for _ in range(most):
            if self._outside and not self._has_next:
                self._outside.popleft()()

    def _tell(self, future: "asyncio.Future[Result]", result: Result | Exception) -> None:
        if future.done():
            return  # Whoever asked has gone; what was written stays.
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    def _take(self) -> list[tuple[Request, "asyncio.Future[Result]"]]:
        batch: list[tuple[Request, asyncio.Future[Result]]] = []
        size = 0
        while self._queue:
            more = self._size_of(self._queue[0][0])
            if batch and size + more > BATCH_MAX:
                break
            request, future = self._queue.popleft()
            if future.cancelled():
                self._waiting -= more
                continue
            batch.append((request, future))
            size += more
        return batch

    async def _results(
        self, requests: Sequence[Request], turn: Turn
    ) -> Sequence[Result | Exception]:
        """Commit together; where that fails for good, one by one, so that one is at fault alone."""
        if not requests:
            return []
        try:
            return await self._commit(requests, turn)
        except Exception as error:  # noqa: BLE001  # it is raised again where the request was made
            if len(requests) == 1 or is_outage(error):
                return [error] * len(requests)
        return [result for request in requests for result in await self._results([request], turn)]
