"""What forms ask is read once for all who ask, and again before it is forgotten."""

import asyncio
from typing import Any, cast
from uuid import UUID

import pytest

from services.registration.commands import questions
from services.registration.commands.questions import (
    REMEMBERED_SECONDS,
    RENEWED_SECONDS,
    Asked,
    Forms,
)
from shared.errors import NotFound
from shared.postgres import Database

ITEM = UUID(int=1)
NOWHERE = cast("Database", None)


class Shelf:
    """Where forms are read, each in its own time; a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reads: list[asyncio.Future[Asked]] = []

    async def read(self, database: Database, id_: UUID) -> Asked:
        assert (database, id_) == (NOWHERE, ITEM)
        future: asyncio.Future[Asked] = asyncio.get_running_loop().create_future()
        self.reads.append(future)
        return await future

    async def give(self, kind: str, place: int = -1) -> None:
        self.reads[place].set_result(Asked(kind, [], {}))
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def asking(forms: Forms) -> "asyncio.Task[Asked]":
    return asyncio.create_task(forms.of_item(NOWHERE, ITEM))


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr(questions, "_of_item", shelf.read)
    return shelf


async def test_many_who_ask_at_once_have_it_read_once(shelf: Shelf) -> None:
    forms = Forms(clock=lambda: shelf.now)
    asked = [asking(forms) for _ in range(50)]
    await turns()
    asked[0].cancel()
    await turns()
    await shelf.give("talk")

    assert {(await one).kind for one in asked[1:]} == {"talk"}
    assert asked[0].cancelled()
    assert (await forms.of_item(NOWHERE, ITEM)).kind == "talk"
    assert len(shelf.reads) == 1


async def test_it_is_read_again_while_nobody_waits(shelf: Shelf) -> None:
    forms = Forms(clock=lambda: shelf.now)
    first = asking(forms)
    await turns()
    await shelf.give("old")
    assert (await first).kind == "old"

    shelf.now = RENEWED_SECONDS
    for _ in range(3):
        known = forms.known(NOWHERE, ITEM)
        assert known is not None
        assert known.kind == "old"
        await turns()
    assert len(shelf.reads) == 2
    await shelf.give("new")
    shelf.now = RENEWED_SECONDS + REMEMBERED_SECONDS - 0.1
    known = forms.known(NOWHERE, ITEM)
    assert known is not None
    assert known.kind == "new"


async def test_what_could_not_be_read_again_is_forgotten(shelf: Shelf) -> None:
    forms = Forms(clock=lambda: shelf.now)
    first = asking(forms)
    await turns()
    await shelf.give("old")
    await first
    shelf.now = RENEWED_SECONDS
    forms.known(NOWHERE, ITEM)
    await turns()
    shelf.reads[1].set_exception(OSError())
    await turns()

    shelf.now = REMEMBERED_SECONDS
    assert forms.known(NOWHERE, ITEM) is None
    second = asking(forms)
    await turns()
    shelf.reads[2].set_exception(NotFound("Not there."))
    with pytest.raises(NotFound):
        await second


async def test_what_was_read_before_a_change_is_not_remembered(shelf: Shelf) -> None:
    forms = Forms(clock=lambda: shelf.now)
    before = asking(forms)
    await turns()
    forms.forget()
    after = asking(forms)
    await turns()
    await shelf.give("new", 1)
    await shelf.give("old", 0)

    assert ((await before).kind, (await after).kind) == ("old", "new")
    known: Any = forms.known(NOWHERE, ITEM)
    assert known.kind == "new"
