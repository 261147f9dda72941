"""Questions: staff defines them, and registrations are checked against them."""

import asyncio
import contextvars
import math
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.defining import Placed, check, hangs_on
from services.registration.domain.forms import checked
from services.registration.domain.people import SignUp
from services.registration.domain.questions import Facts, Question, StoredFile
from services.registration.store import files, missions
from services.registration.store import questions as store
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound, Stale
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database

QUESTIONS_MAX = 200
REMEMBERED_SECONDS = 5
RENEWED_SECONDS = 2.5
REMEMBERED_MAX = 1_000

Definition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form asks; `kind` is that of the item, where it is one item's form."""

    kind: str
    questions: Sequence[Question]
    ids: Mapping[str, UUID]
    """The id of each question by its code."""


Reader = Callable[[Database, UUID], Coroutine[Any, Any, Asked]]


class Forms:
    """Each item's questions, remembered for a few seconds: a rush asks for them all the time.

    Read once for all who ask meanwhile, and again before they are forgotten: in a rush hundreds
    would read them at the same moment, and hold up the batch that waits for a connection.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[UUID, tuple[float, Asked]] = {}
        self._reading: dict[UUID, asyncio.Task[Asked]] = {}

    def forget(self) -> None:
        """Read again; other processes do so within seconds."""
        self._known.clear()
        # What was read before the change is nobody's who asks now, nor remembered.
        self._reading.clear()

    async def of_item(self, database: Database, item_id: UUID) -> Asked:
        """Give what those who register to an item are asked; raises `NotFound`."""
        if (known := self.known(database, item_id)) is not None:
            return known
        return await asyncio.shield(self._read(item_id, _of_item, database))

    async def of_stop(self, database: Database, stop_id: UUID) -> Asked:
        """Give what a stop's form asks, for all of its items."""
        if (known := self._fresh(stop_id, _of_stop, database)) is not None:
            return known
        return await asyncio.shield(self._read(stop_id, _of_stop, database))

    def known(self, database: Database, item_id: UUID) -> Asked | None:
        """Give what an item's form asks, where that need not be waited for."""
        return self._fresh(item_id, _of_item, database)

    def read(self, database: Database, item_id: UUID, then: Callable[[], None]) -> None:
        """Read what an item's form asks, if nobody does, and do something then; never raises."""
        self._read(item_id, _of_item, database).add_done_callback(lambda _: then())

    def _fresh(self, id_: UUID, read: Reader, database: Database) -> Asked | None:
        asked_at, asked = self._known.get(id_, (-math.inf, None))
        age = self._clock() - asked_at
        if age >= REMEMBERED_SECONDS:
            return None
        if age >= RENEWED_SECONDS:
            self._read(id_, read, database)
        return asked

    def _read(self, id_: UUID, read: Reader, database: Database) -> asyncio.Task[Asked]:
        task = self._reading.get(id_)
        if task is None:
            # In a context of its own: it belongs to no one request.
            task = asyncio.create_task(read(database, id_), context=contextvars.Context())
            self._reading[id_] = task
            task.add_done_callback(partial(self._remember, id_))
        return task

    def _remember(self, id_: UUID, task: asyncio.Task[Asked]) -> None:
        if self._reading.get(id_) is not task:
            return
        del self._reading[id_]
        if task.cancelled() or task.exception() is not None:
            return
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[id_] = self._clock(), task.result()


async def _of_item(database: Database, item_id: UUID) -> Asked:
    async with database.reading() as connection:
        item = await missions.item(connection, item_id)
        rows = await store.of_item(connection, item_id)
    if item is None:
        raise NotFound("There is no such programme item.")
    return _asked(item["kind"], rows)


async def _of_stop(database: Database, stop_id: UUID) -> Asked:
    async with database.reading() as connection:
        return _asked("", await store.of_stop(connection, stop_id))


def _asked(kind: str, rows: Sequence[asyncpg.Record]) -> Asked:
    questions = [store.question_of(row) for row in rows]
    return Asked(kind, questions, {row["code"]: row["id"] for row in rows})


async def answered(forms: Forms, database: Database, item_id: UUID, sign_up: SignUp) -> SignUp:
    """Give the sign-up with its answers as they are kept; raises `Invalid` or `NotFound`.

    Who is brought by others, or walks in, is not held up by a question that must be answered.
    """
    asked = await forms.of_item(database, item_id)
    if not asked.questions and not sign_up.answers:
        return sign_up
    facts = Facts(
        side=sign_up.side,
        country=sign_up.organization.country,
        items=(str(item_id),),
        kinds=(asked.kind,),
        files=await files_named(database, asked.questions, asked.ids, sign_up.answers),
        is_complete=sign_up.source == "self",
    )
    return replace(sign_up, answers=checked(asked.questions, sign_up.answers, facts))


async def files_named(
    database: Database,
    questions: Sequence[Question],
    ids: Mapping[str, UUID],
    answers: Mapping[str, object],
) -> dict[str, StoredFile]:
    """Find the files that answers name; what is no id names none."""
    named = {
        str(answers[question.code]): ids[question.code]
        for question in questions
        if question.kind == "file" and is_id(answers.get(question.code))
    }
    if not named:
        return {}
    async with database.reading() as connection:
        return await files.stored(connection, named)


def is_id(value: object) -> bool:
    """Say whether an answer is an id as we write it."""
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class New:
    """A question to be asked: of all, at one stop, or of those who chose one item."""

    code: str
    stop_id: UUID | None
    item_id: UUID | None
    definition: Definition


async def define(
    database: Database,
    who: Principal,
    mission_id: UUID,
    new: New,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Add a question to a mission's forms.

    Raises `NotFound`, `Invalid`, or `Conflict` when the code is taken.
    """
    code, definition = new.code, new.definition

    async def effect(connection: Connection) -> Answer:
        others = await _locked(connection, mission_id)
        if len(others) >= QUESTIONS_MAX:
            raise Conflict(f"A mission has {QUESTIONS_MAX} questions at most.", code="too_many")
        stop_id, item_id = await _place(connection, mission_id, new.stop_id, new.item_id)
        question = _question(code, item_id, definition)
        check(Placed(question, stop_id, item_id), others, await _items(connection, mission_id))
        question_id = new_id()
        try:
            await store.add(
                connection,
                id=question_id,
                mission_id=mission_id,
                stop_id=stop_id,
                item_id=item_id,
                code=code,
                definition=dict(definition),
            )
        except asyncpg.UniqueViolationError:
            raise Conflict(
                f"The code {code} is taken, perhaps by a retired question.", code="code_taken"
            ) from None
        await store.keep_version(connection, question_id, 1, dict(definition), now)
        await _note(connection, who, "question.defined", (mission_id, stop_id, question_id), now)
        return Answer({"id": str(question_id), "code": code, "revision": 1})

    return await once(database, key, effect)


async def change(
    database: Database,
    who: Principal,
    question_id: UUID,
    changes: Definition,
    revision: int,
    now: datetime,
) -> Answer:
    """Change how a question is asked from now on; what was answered stays as it was asked.

    Raises `NotFound`, `Stale`, `Invalid`.
    """

    async def effect(connection: Connection) -> Answer:
        row, others = await _current(connection, question_id, revision)
        definition = {**row["definition"], **changes}
        question = _question(row["code"], row["programme_item_id"], definition)
        placed = Placed(question, row["stop_id"], row["programme_item_id"])
        check(placed, others, await _items(connection, row["mission_id"]))
        version = await store.change(connection, question_id, definition)
        await store.keep_version(connection, question_id, version, definition, now)
        where = (row["mission_id"], row["stop_id"], question_id)
        await _note(connection, who, "question.changed", where, now)
        return Answer({"id": str(question_id), "code": row["code"], "revision": version}, 200)

    return await once(database, None, effect)


async def retire(
    database: Database, who: Principal, question_id: UUID, revision: int, now: datetime
) -> Answer:
    """Ask a question no longer; raises `NotFound`, `Stale`, or `Conflict` when another needs it."""

    async def effect(connection: Connection) -> Answer:
        row, others = await _current(connection, question_id, revision)
        if needed_by := hangs_on(row["code"], others):
            raise Conflict(f"The question {needed_by} is shown by this one.", code="needed")
        await store.retire(connection, question_id, now)
        where = (row["mission_id"], row["stop_id"], question_id)
        await _note(connection, who, "question.retired", where, now)
        # The store counts one on.
        told = {"id": str(question_id), "code": row["code"], "revision": revision + 1}
        return Answer(told | {"is_retired": True}, 200)

    return await once(database, None, effect)


async def put_in_order(
    database: Database, who: Principal, mission_id: UUID, ids: Sequence[UUID], now: datetime
) -> Answer:
    """Ask these questions in this order, in the places that they have among the others."""

    async def effect(connection: Connection) -> Answer:
        await _locked(connection, mission_id)
        places = {row["id"]: row["place"] for row in await store.of_mission(connection, mission_id)}
        faults = [
            Fault(f"/ids/{at}", "There is no such question in this mission.")
            for at, question_id in enumerate(ids)
            if question_id not in places
        ]
        if faults or len(set(ids)) < len(ids):
            raise Invalid("Name each question of this mission once.", faults=faults)
        await store.put_places(connection, ids, sorted(places[i] for i in ids))
        await _note(connection, who, "question.ordered", (mission_id, None, mission_id), now)
        return Answer({"ids": [str(question_id) for question_id in ids]}, 200)

    return await once(database, None, effect)


async def existing(connection: Connection, question_id: UUID) -> asyncpg.Record:
    """Read a question that is asked; raises `NotFound`."""
    row = await store.one(connection, question_id)
    if row is None or row["retired_at"] is not None:
        raise NotFound("There is no such question.")
    return row


async def _current(
    connection: Connection, question_id: UUID, revision: int
) -> tuple[asyncpg.Record, list[Placed]]:
    """Read a question and the others, once nobody else can change them; raises `Stale`."""
    mission_id = (await existing(connection, question_id))["mission_id"]
    others = await _locked(connection, mission_id, without=question_id)
    row = await existing(connection, question_id)
    if row["version"] != revision:
        raise Stale(f"This question is at revision {row['version']}.")
    return row, others


async def _locked(
    connection: Connection, mission_id: UUID, *, without: UUID | None = None
) -> list[Placed]:
    if not await store.lock_mission(connection, mission_id):
        raise NotFound("There is no such mission.")
    return [
        Placed(store.question_of(row), row["stop_id"], row["programme_item_id"])
        for row in await store.of_mission(connection, mission_id)
        if row["id"] != without
    ]


async def _place(
    connection: Connection, mission_id: UUID, stop_id: UUID | None, item_id: UUID | None
) -> tuple[UUID | None, UUID | None]:
    if item_id is not None:
        item = await missions.item(connection, item_id)
        if (
            item is None
            or item["mission_id"] != mission_id
            or stop_id not in (None, item["stop_id"])
        ):
            fault = Fault("/programme_item_id", "This is no programme item there.")
            raise Invalid("The programme item is wrong.", faults=[fault])
        return item["stop_id"], item_id
    if stop_id is not None:
        stop = await missions.stop(connection, stop_id)
        if stop is None or stop["mission_id"] != mission_id:
            fault = Fault("/stop_id", "This is not a stop of this mission.")
            raise Invalid("The stop is wrong.", faults=[fault])
    return stop_id, None


async def _items(connection: Connection, mission_id: UUID) -> set[str]:
    return {str(item["id"]) for item in await missions.items_of(connection, mission_id)}


def _question(code: str, item_id: UUID | None, definition: Definition) -> Question:
    return Question(code=code, item=str(item_id) if item_id else None, **definition)


async def _note(
    connection: Connection,
    who: Principal,
    action: str,
    where: tuple[UUID, UUID | None, UUID],
    now: datetime,
) -> None:
    mission_id, stop_id, subject_id = where
    await note(
        connection,
        who,
        action,
        subject_id=subject_id,
        mission_id=mission_id,
        stop_id=stop_id,
        now=now,
    )
