"""Group commit: many requests share one transaction, and each is answered after it.

A batch forms while the one before it is written: no timer, and a batch of one when idle.
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.errors import Busy
from shared.postgres import is_outage

BATCH_MAX = 128
WAIT_SECONDS_MAX = 1.0
WAITING_MIN = 1_024
"""So many may wait in any case: before anything is measured, and two lists of the longest kind."""
SMOOTHING = 0.2
TOLD_AT_ONCE_MAX = 2
"""So many are answered in one turn of the loop: meanwhile the database writes the next batch."""

Request = TypeVar("Request")
Result = TypeVar("Result")


class GroupCommit(Generic[Request, Result]):
    """A queue in front of one writer. `commit` takes a batch and gives a result for each in order.

    An exception among the results is raised where that request was made.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Request]], Awaitable[Sequence[Result | Exception]]],
        *,
        size_of: Callable[[Request], int],
    ) -> None:
        self._commit = commit
        self._size_of = size_of
        self._queue: deque[tuple[Request, asyncio.Future[Result]]] = deque()
        self._told: deque[tuple[asyncio.Future[Result], Result | Exception]] = deque()
        self._waiting = 0
        self._rate = 0.0
        self._flusher: asyncio.Task[None] | None = None

    @property
    def rate(self) -> float:
        """How many registrations a second were written lately while there was a queue."""
        return self._rate

    @property
    def waiting(self) -> int:
        """How many registrations are not answered yet."""
        return self._waiting

    @property
    def wait_seconds(self) -> float:
        """How long a newcomer would wait, about."""
        return self._waiting / self._rate if self._rate else 0.0

    @property
    def is_full(self) -> bool:
        """Whether newcomers are turned away: more waits than is written in `WAIT_SECONDS_MAX`."""
        return self._waiting >= max(WAITING_MIN, self._rate * WAIT_SECONDS_MAX)

    def busy(self) -> Busy | None:
        """Give why a newcomer is turned away, or None while there is room."""
        if not self.is_full:
            return None
        return Busy("Too many register at once; try again.", retry_seconds=self.wait_seconds)

    def put(self, request: Request) -> "asyncio.Future[Result]":
        """Queue a request; its result is there once it is committed. Raises `Busy` when full."""
        if busy := self.busy():
            raise busy
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((request, future))
        self._waiting += self._size_of(request)
        if self._flusher is None or self._flusher.done():
            # In a context of its own: a batch belongs to no one request.
            self._flusher = asyncio.create_task(self._flush(), context=contextvars.Context())
        return future

    async def _flush(self) -> None:
        while self._queue:
            batch = self._take()
            started = time.perf_counter()
            results = await self._results([request for request, _ in batch])
            size = sum(self._size_of(request) for request, _ in batch)
            self._waiting -= size
            rate = size / (time.perf_counter() - started)
            self._rate += (rate - self._rate) * (SMOOTHING if self._rate else 1)
            is_telling = bool(self._told)
            self._told += zip((future for _, future in batch), results, strict=True)
            if not is_telling:
                asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Tell some their results, and the others in the next turns of the loop."""
        for _ in range(min(TOLD_AT_ONCE_MAX, len(self._told))):
            future, result = self._told.popleft()
            if future.done():
                continue  # Whoever asked has gone; what was written stays.
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        if self._told:
            asyncio.get_running_loop().call_soon(self._tell)

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

    async def _results(self, requests: Sequence[Request]) -> Sequence[Result | Exception]:
        """Commit together; where that fails for good, one by one, so that one is at fault alone."""
        if not requests:
            return []
        try:
            return await self._commit(requests)
        except Exception as error:  # noqa: BLE001  # it is raised again where the request was made
            if len(requests) == 1 or is_outage(error):
                return [error] * len(requests)
        return [result for request in requests for result in await self._results([request])]
