"""Group commit: who is answered when, while the next batch is written."""

import asyncio
from collections.abc import Sequence

import pytest

from services.registration.commands.committing import BATCH_MAX, WAITING_MIN, GroupCommit, Turn
from shared.errors import Busy


class Book:
    """Writes numbers; three is refused. Notes when each batch began and ended."""

    def __init__(self, turns: int = 2 * BATCH_MAX) -> None:
        self._turns = turns
        self.notes: list[str] = []
        self.queue: GroupCommit[int, int] = GroupCommit(self._commit, size_of=lambda _: 1)

    async def _commit(self, numbers: Sequence[int], _turn: Turn) -> list[int | Exception]:
        self.notes.append(f"begin {len(numbers)}")
        for _ in range(self._turns):
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


async def test_answers_are_told_as_fast_as_they_are_written() -> None:
    book = Book(turns=1)
    futures: list[asyncio.Future[int]] = []
    for _ in range(30):
        futures += [book.put(number) for number in range(10, BATCH_MAX + 10)]
        while book.queue.waiting:
            await asyncio.sleep(0)
    told_at_once = sum(future.done() for future in futures)
    for _ in range(BATCH_MAX):
        await asyncio.sleep(0)

    assert told_at_once < len(futures)
    assert all(future.done() for future in futures), "some wait for more turns than a batch has"


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


async def test_of_many_some_are_read_ahead_and_all_in_turn() -> None:
    book = Book()
    read: list[int] = []
    unwritten = 0
    futures: list[asyncio.Future[int]] = []

    def enter(number: int) -> None:
        nonlocal unwritten
        read.append(number)
        futures.append(book.put(number))
        unwritten = max(unwritten, len(read) - sum(note.isdigit() for note in book.notes))

    numbers = range(10, 10 + 6 * BATCH_MAX)
    for number in numbers:
        if book.queue.is_crowded:
            book.queue.later(lambda number=number: enter(number))  # type: ignore[misc]  # bound now
        else:
            enter(number)
    assert book.queue.waiting == len(numbers)
    assert len(read) == BATCH_MAX, "it was not crowded, or not for long"
    while len(read) < len(numbers):
        await asyncio.sleep(0)
    assert await asyncio.gather(*futures) == [number * 10 for number in numbers]

    assert read == [*numbers], "out of their order"
    # A batch that is written, one that is told and one that is read.
    assert unwritten <= 3 * BATCH_MAX
    assert book.queue.waiting == 0


async def test_who_has_to_be_waited_for_comes_in_turn_as_well() -> None:
    book = Book()
    order: list[str] = []

    async def wait() -> None:
        await book.queue.turn()
        order.append("waited")

    futures = [book.put(number + 10) for number in range(BATCH_MAX)]
    book.queue.later(lambda: order.append("before"))
    waiting = asyncio.create_task(wait())
    gone = asyncio.create_task(wait())
    await asyncio.sleep(0)
    book.queue.later(lambda: order.append("after"))
    gone.cancel()
    await waiting

    assert order[0] == "before"
    assert order[-1] in {"waited", "after"}
    await asyncio.gather(*futures)
    await book.queue.turn()
    assert sorted(order) == ["after", "before", "waited"]
    assert book.queue.waiting == 0


async def test_who_comes_when_it_is_full_does_not_wait_outside() -> None:
    book = Book()
    futures = [book.put(10) for _ in range(BATCH_MAX)]
    for _ in range(WAITING_MIN - BATCH_MAX):
        book.queue.later(lambda: None)
    with pytest.raises(Busy):
        await book.queue.turn()
    await asyncio.gather(*futures)


class Ledger:
    """Writes as a transaction does: in turn, and the next begins while the commit is on its way."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.commits_to_fail = 0
        self.queue: GroupCommit[int, int] = GroupCommit(self._commit, size_of=lambda _: 1)

    async def _commit(self, numbers: Sequence[int], turn: Turn) -> list[int]:
        name = f"{numbers[0]}x{len(numbers)}"
        self.notes.append(f"begin {name}")
        await asyncio.sleep(0)
        await turn.come()
        self.notes.append(f"write {name}")
        if -1 in numbers:
            raise ValueError(name)
        await asyncio.sleep(0)
        turn.pass_on()
        await asyncio.sleep(0.01)
        if self.commits_to_fail:
            self.commits_to_fail -= 1
            raise ValueError(name)
        self.notes.append(f"end {name}")
        return list(numbers)

    async def ask(self, *batches: Sequence[int]) -> list[list[int | BaseException]]:
        """Queue batches, each as the one before it begins."""
        asked = []
        for numbers in batches:
            futures = [self.queue.put(number) for number in numbers]
            asked.append(asyncio.gather(*futures, return_exceptions=True))
            # What comes later is of a later batch.
            await asyncio.sleep(0)
        return [await one for one in asked]


async def test_a_batch_begins_while_the_one_before_is_committed_and_writes_after_it() -> None:
    ledger = Ledger()
    assert await ledger.ask([1, 2], [3, 4], [5]) == [[1, 2], [3, 4], [5]]

    assert ledger.notes == [
        *("begin 1x2", "write 1x2", "begin 3x3", "end 1x2"),
        *("write 3x3", "end 3x3"),
    ]
    assert ledger.queue.waiting == 0


async def test_what_fails_in_its_commit_is_taken_apart_before_the_next_batch_writes() -> None:
    ledger = Ledger()
    ledger.commits_to_fail = 1
    assert await ledger.ask([1, 2], [3, 4]) == [[1, 2], [3, 4]]

    assert ledger.notes == [
        *("begin 1x2", "write 1x2", "begin 3x2"),
        *("begin 1x1", "write 1x1", "end 1x1", "begin 2x1", "write 2x1", "end 2x1"),
        *("write 3x2", "end 3x2"),
    ]


async def test_what_fails_before_its_commit_holds_up_nobody() -> None:
    ledger = Ledger()
    ((of_one, of_two),) = await ledger.ask([-1, 2])
    assert isinstance(of_one, ValueError)
    assert of_two == 2
    assert await ledger.ask([3]) == [[3]]

    assert ledger.notes[-3:] == ["begin 3x1", "write 3x1", "end 3x1"]
    assert ledger.queue.waiting == 0


async def test_what_passes_on_to_nobody_does_not_keep_the_next_from_beginning() -> None:
    ledger = Ledger()
    for number in range(1, 4):
        assert await ledger.ask([number]) == [[number]]
    assert ledger.notes[::3] == ["begin 1x1", "begin 2x1", "begin 3x1"]
