"""The questions of a form: read from what was sent, judged, and shown with what is wrong."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from starlette.datastructures import FormData, UploadFile

from services.registration.commands import files
from services.registration.commands.questions import Asked, files_named, is_id
from services.registration.domain.forms import judged
from services.registration.domain.questions import (
    FILE_BYTES_MAX,
    FILE_TYPES,
    Answers,
    Facts,
    Question,
    Wrong,
)
from services.registration.pages.rendering import pages
from services.registration.resources import Resources
from services.registration.store import files as store
from shared.errors import Conflict, Invalid, TooMany

PREFIX = "answer."
MEGABYTE = 1_048_576
# The texts that the browser's module says by itself.
REASONS = [key for key in pages.words if key.startswith("fault_answer_")]
SAYINGS = [
    *(key for key in pages.words if key.startswith(("form_file_", "form_faults_"))),
    *("form_sending", "form_waiting", "form_gave_up", "form_failed", "form_too_large"),
    *("form_draft_restored", "form_consent_short"),
]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a form asks and what somebody answered, with what is wrong once it was sent."""

    asked: Asked
    given: Answers
    facts: Facts
    shown: frozenset[str]
    answers: Mapping[str, Any] = field(default_factory=dict)
    wrong: Mapping[str, Wrong] = field(default_factory=dict)
    named: Sequence[Mapping[str, Any]] = ()
    """The files that answers name."""

    def of_item(self, item_id: UUID) -> dict[str, Any]:
        """Give the answers of one item's registration."""
        asked = {q.code for q in self.asked.questions if q.item in (None, str(item_id))}
        return {code: value for code, value in self.answers.items() if code in asked}

    def sections(self) -> list[tuple[Any, list[dict[str, Any]]]]:
        """Give what the page shows, question by question, under the headings they have."""
        sections: list[tuple[Any, list[dict[str, Any]]]] = []
        for question in self.asked.questions:
            if not sections or (question.section and question.section != sections[-1][0]):
                sections.append((question.section, []))
            sections[-1][1].append(self._view(question))
        return sections

    def _view(self, question: Question) -> dict[str, Any]:
        value = self.given.get(question.code)
        named = next((one for one in self.named if str(one["id"]) == value), None)
        return {
            "question": question,
            "name": PREFIX + question.code,
            "value": "" if value is None else value,
            "wrong": self.wrong.get(question.code),
            "is_shown": question.code in self.shown,
            "file": named,
            "types": question.limits.get("types", FILE_TYPES),
            "megabytes": megabytes(question.limits.get("bytes_max", FILE_BYTES_MAX)),
        }

    def data(self, language: str, faults: Mapping[str, str], **more: Any) -> dict[str, Any]:
        """Give what the browser needs to know: the rules, the words, and where files go."""
        words = {key: pages.words[key][language] for key in (*REASONS, *SAYINGS)}
        return {
            "questions": [question.rules() for question in self.asked.questions],
            "ids": {code: str(id_) for code, id_ in self.asked.ids.items()},
            "files": {
                str(one["id"]): {"type": one["type"], "bytes": one["bytes"]} for one in self.named
            },
            "side": self.facts.side,
            "words": words,
            "faults": faults,
            **more,
        }


def said(wrong: Wrong, language: str) -> str:
    """Say what is wrong with an answer, in the reader's language."""
    limit = wrong.limit
    if wrong.reason == "file_size" and isinstance(limit, int):
        limit = megabytes(limit)
    return pages.text(f"fault_answer_{wrong.reason}", language, limit=limit)


def megabytes(count: int) -> str:
    """Write a size for people."""
    return f"{count / MEGABYTE:.1f}".removesuffix(".0")


def opened(asked: Asked, given: Answers, facts: Facts) -> Sheet:
    """Show a form that nobody has sent yet: nothing is wrong so far."""
    verdict = judged(asked.questions, given, facts)
    return Sheet(asked, given, facts, frozenset(verdict.shown))


def with_files(sheet: Sheet, named: Sequence[Mapping[str, Any]]) -> Sheet:
    """Show the names of the files that answers on file name."""
    return replace(sheet, named=named)


async def sent(held: Resources, asked: Asked, given: FormData, facts: Facts) -> Sheet:
    """Judge a form as it was sent."""
    answers = read(given, asked.questions)
    known = await files_named(held.database, asked.questions, asked.ids, answers)
    facts = replace(facts, files=known)
    verdict = judged(asked.questions, answers, facts)
    return Sheet(
        asked,
        answers,
        facts,
        frozenset(verdict.shown),
        verdict.answers,
        verdict.wrong,
        await file_names(held, answers.values()),
    )


def read(given: FormData, questions: Sequence[Question]) -> dict[str, Any]:
    """Read the answers as the API would get them."""
    answers: dict[str, Any] = {}
    for question in questions:
        name = PREFIX + question.code
        match question.kind:
            case "several":
                answers[question.code] = [str(value) for value in given.getlist(name)]
            case "file":
                # Without script there are two: the file that was just sent, and the one before.
                values = [str(value) for value in given.getlist(name)]
                answers[question.code] = next((value for value in values if value), "")
            case "consent":
                answers[question.code] = given.get(name) == "yes"
            case _:
                answers[question.code] = str(given.get(name) or "")
    return answers


async def file_names(held: Resources, values: Any) -> Sequence[Mapping[str, Any]]:
    """Read the names of the files among answers."""
    ids = [UUID(value) for value in values if is_id(value)]
    if not ids:
        return ()
    async with held.database.reading() as connection:
        return [dict(row) for row in await store.names(connection, ids)]


async def keep_files(
    held: Resources, client: str, mission_id: UUID, asked: Asked, given: FormData, now: datetime
) -> FormData:
    """Keep files that came with a client's form itself, and put their ids in their places.

    A browser without script sends them so. One that cannot be kept has its own name as its id,
    and the form says that there is no such file.
    """
    fields: list[tuple[str, str | UploadFile]] = []
    for name, value in given.multi_items():
        if not isinstance(value, UploadFile):
            fields.append((name, value))
            continue
        question_id = asked.ids.get(name.removeprefix(PREFIX))
        content = await value.read(FILE_BYTES_MAX + 1)
        await value.close()
        if question_id is not None and content:
            # The same again, by a second press of the button, is the same file.
            text = f"{given.get('key')} {name} {hashlib.sha256(content).hexdigest()}"
            file = files.Announced(
                uuid5(question_id, text), question_id, value.filename or "file", len(content)
            )
            fields.append((name, await _kept(held, client, mission_id, file, content, now)))
    return FormData(fields)


async def _kept(
    held: Resources,
    client: str,
    mission_id: UUID,
    file: files.Announced,
    content: bytes,
    now: datetime,
) -> str:
    try:
        held.limits.file_bytes.take(client, file.bytes)
        await files.begin(held.database, mission_id, file, None, now)
        for at in range(0, len(content), files.CHUNK_BYTES):
            part = content[at : at + files.CHUNK_BYTES]
            await files.put_chunk(held.database, file.id, at // files.CHUNK_BYTES, part)
        await files.finish(held.database, file.id)
    except (Conflict, Invalid, TooMany):
        return file.name
    return str(file.id)
