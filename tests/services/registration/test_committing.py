"""Group commit: who is answered when, while the next batch is written."""

import asyncio
from collections.abc import Sequence

import pytest

from services.registration.commands.committing import BATCH_MAX, GroupCommit


class Book:
    """Writes numbers; three is refused. Notes when each batch began and ended."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.queue: GroupCommit[int, int] = GroupCommit(self._commit, size_of=lambda _: 1)

    async def _commit(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.notes.append(f"begin {len(numbers)}")
        for _ in range(100):
            await asyncio.sleep(0)
        self.notes.append(f"end {len(numbers)}")
        return [ValueError("three") if number == 3 else number * 10 for number in numbers]

    def put(self, number: int) -> "asyncio.Future[int]":
        """Queue a number, and note when it was answered."""
        future = self.queue.put(number)
        future.add_done_callback(lambda _: self.notes.append(str(number)))
        return future


async def test_answers_are_told_while_the_next_batch_is_written() -> None:
    book = Book()
    futures = [book.put(number) for number in range(10, BATCH_MAX + 20)]

    assert await asyncio.gather(*futures) == [number * 10 for number in range(10, BATCH_MAX + 20)]

    told = [note for note in book.notes if note.isdigit()]
    assert told == [str(number) for number in range(10, BATCH_MAX + 20)], "out of their order"
    begun, ended = book.notes.index("begin 10"), book.notes.index("end 10")
    of_the_first = [book.notes.index(str(number)) for number in range(10, BATCH_MAX + 10)]
    assert begun < of_the_first[-1] < ended, "they waited for the next batch, or it for them"
    assert book.queue.waiting == 0


async def test_one_is_refused_and_the_others_are_answered() -> None:
    book = Book()
    futures = [book.put(number) for number in range(1, 9)]
    results = await asyncio.gather(*futures, return_exceptions=True)

    assert isinstance(results[2], ValueError)
    assert [one for one in results if isinstance(one, int)] == [10, 20, 40, 50, 60, 70, 80]


async def test_who_has_gone_meanwhile_holds_nobody_up() -> None:
    book = Book()
    futures = [book.put(number) for number in range(1, 9)]
    futures[0].add_done_callback(lambda _: futures[6].cancel())

    assert await futures[7] == 80
    with pytest.raises(asyncio.CancelledError):
        await futures[6]
