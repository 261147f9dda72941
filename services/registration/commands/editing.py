"""Editing: own facts and answers are changed, and approved again where it matters."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.editing_facts import Changed, Editor, change_facts
from services.registration.commands.questions import is_id
from services.registration.commands.telling import News, tell_all
from services.registration.domain.editing import (
    Edit,
    edited,
    goes_back,
    may_be_edited,
    refuse,
    untouched,
)
from services.registration.domain.places import Status
from services.registration.domain.questions import Facts, Question
from services.registration.store import editing as store
from services.registration.store import files, places, questions, rush
from shared.access import Principal
from shared.auditing import note
from shared.errors import NotFound, Stale
from shared.idempotency import Answer, once
from shared.postgres import Connection, Database

Row = asyncpg.Record


async def edit(
    database: Database,
    registration_id: UUID,
    change: Edit,
    revision: int,
    editor: Editor,
    now: datetime,
) -> Answer:
    """Change a registration's person, company and answers in one transaction.

    A material change of what was approved waits for approval again, and keeps its place. Raises
    `NotFound`, `Stale`, `Conflict`, `Invalid`.
    """

    async def effect(connection: Connection) -> Answer:
        return await edit_within(connection, registration_id, change, revision, editor, now)

    return await once(database, None, effect)


async def edit_within(
    connection: Connection,
    registration_id: UUID,
    change: Edit,
    revision: int,
    editor: Editor,
    now: datetime,
) -> Answer:
    """Edit as `edit` does, as a part of a transaction."""
    person, found = await _locked(connection, registration_id)
    mine = next((row for row in found if row["id"] == registration_id), None)
    before = mine or await existing(connection, registration_id)
    may_be_edited(Status(before["status"]))
    if before["revision"] != revision:
        raise Stale(f"This registration is at revision {before['revision']}.")
    changed = await change_facts(connection, person, change, editor)
    if changed.is_respelled:
        changed.is_material |= await store.was_respelled(connection, person["id"])
    material = await _answers(connection, registration_id, found, change, editor, now)
    if material:
        changed.parts.append("answers")
    again = await _tell(connection, person, changed, material, editor, now)
    await store.next_revisions(connection, [person["id"], *changed.also])
    await _note(connection, editor.who, before, changed, again, now)
    status = Status.PENDING_APPROVAL if registration_id in again else Status(before["status"])
    return Answer(
        {
            "id": str(registration_id),
            "revision": revision + 1,
            "status": status.value,
            "changed": changed.parts,
            "is_pending_again": registration_id in again,
        },
        status=200,
    )


async def existing(connection: Connection, registration_id: UUID) -> Row:
    """Read a registration with what an edit looks at; raises `NotFound`."""
    registration = await store.one(connection, registration_id)
    if registration is None:
        raise NotFound("There is no such registration.")
    return registration


async def _locked(connection: Connection, registration_id: UUID) -> tuple[Row, Sequence[Row]]:
    """Lock the items of a person's registrations, then the person, and read what is true then."""
    person_id = (await existing(connection, registration_id))["person_id"]
    items = {row["programme_item_id"] for row in await store.of_people(connection, [person_id])}
    await places.locked_items(connection, items)
    person = await store.lock_person(connection, person_id)
    found = await store.of_people(connection, [person_id])
    if {row["programme_item_id"] for row in found} - items:
        raise Stale("This person has just registered for something more.")
    return person, found


async def _answers(
    connection: Connection,
    registration_id: UUID,
    found: Sequence[Row],
    change: Edit,
    editor: Editor,
    now: datetime,
) -> dict[UUID, bool]:
    """Write the answers of all of a person's registrations that share the questions.

    Gives which registrations have other answers now, and whether that is material.
    """
    person = await store.lock_person(connection, found[0]["person_id"])
    company = await store.organization(connection, person["organization_id"])
    changed: dict[UUID, bool] = {}
    kept: list[dict[str, Any]] = []
    for row in found:
        asked = await questions.of_item(connection, row["programme_item_id"])
        forms = [questions.question_of(one) for one in asked]
        is_edited = row["id"] == registration_id
        facts = Facts(
            side="delegation" if person["role"] == "delegate" else "local",
            country=company["country"],
            items=[str(one["programme_item_id"]) for one in found],
            kinds=[one["item_kind"] for one in found],
            files=await _files(connection, asked, {**row["answers"], **(change.answers or {})}),
            is_complete=is_edited and change.answers is not None and not editor.approves,
        )
        after, wrong = edited(forms, row["answers"], change.answers, facts)
        if is_edited and change.answers is not None:
            codes = {question.code for question in forms}
            refuse(wrong, [code for code in change.answers if code not in codes])
        after = untouched(after, row["answers"], change.answers, wrong)
        kept.append(after)
        if after != row["answers"]:
            await store.put_answers(connection, row["id"], after, now)
            changed[row["id"]] = _is_material(forms, row["answers"], after)
    named = [UUID(value) for one in kept for value in one.values() if is_id(value)]
    await files.claim(connection, named, person["id"])
    await files.delete_unnamed(connection, person["id"], named)
    return changed


async def _files(
    connection: Connection, asked: Sequence[Row], answers: Mapping[str, object]
) -> dict[str, Any]:
    named = {
        str(answers[row["code"]]): row["id"]
        for row in asked
        if row["definition"]["kind"] == "file" and is_id(answers.get(row["code"]))
    }
    return await files.stored(connection, named) if named else {}


def _is_material(
    forms: Sequence[Question], before: Mapping[str, object], after: Mapping[str, object]
) -> bool:
    return any(
        question.is_material and before.get(question.code) != after.get(question.code)
        for question in forms
    )


async def _tell(
    connection: Connection,
    person: Row,
    changed: Changed,
    material: Mapping[UUID, bool],
    editor: Editor,
    now: datetime,
) -> set[UUID]:
    """Send back what has to be approved again, tell others the facts; gives what went back."""
    found = await store.of_people(connection, [person["id"], *changed.also])
    again = {
        row["id"]: row["allotment_id"]
        for row in found
        if row["person_id"] == person["id"]
        and not editor.approves
        and goes_back(
            Status(row["status"]),
            is_material=changed.is_material or material.get(row["id"], False),
            requires_approval=row["requires_approval"],
            has_arrived=row["checked_in_at"] is not None,
        )
    }
    if again:
        # No end: whoever had a place does not lose it because nobody looked.
        pending = Status.PENDING_APPROVAL
        await rush.set_statuses(
            connection, [(id_, pending, allotment, None) for id_, allotment in again.items()]
        )
    news = [
        News(row, Status.PENDING_APPROVAL if row["id"] in again else Status.CONFIRMED)
        for row in found
        if row["id"] in again or (changed.is_told and row["status"] == Status.CONFIRMED)
    ]
    if news:
        await tell_all(connection, news, now)
    return set(again)


async def _note(
    connection: Connection,
    who: Principal,
    registration: Row,
    changed: Changed,
    again: set[UUID],
    now: datetime,
) -> None:
    await note(
        connection,
        who,
        "registration.edited",
        subject_id=registration["id"],
        mission_id=registration["mission_id"],
        stop_id=registration["stop_id"],
        details={"parts": changed.parts, "pending_again": sorted(map(str, again))}
        | ({"respelled": True} if changed.is_respelled else {}),
        now=now,
    )
