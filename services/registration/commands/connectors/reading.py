"""Reading: what a registration there would be here, judged as any other registration is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.registration.bodies import RegistrationBody
from services.registration.commands.questions import Forms, answered
from services.registration.domain.connecting import (
    FieldMap,
    Record,
    body_of,
    digest_of,
    facts_of,
)
from services.registration.domain.people import SignUp
from services.registration.domain.questions import Question
from shared.errors import Fault, Invalid, Refusal
from shared.postgres import Database
from shared.problems import pointer

YES = ("true", "yes", "1")


@dataclass(frozen=True, slots=True)
class Reading:
    """A registration there in our terms."""

    record: Record
    item_id: UUID
    facts: bytes
    sign_up: SignUp | None
    refusal: Refusal | None = None
    """Why it cannot be one here."""


class Reader:
    """Reads records of one connector."""

    def __init__(
        self, database: Database, forms: Forms, connector: asyncpg.Record, languages: list[str]
    ) -> None:
        self._database = database
        self._forms = forms
        self._map = FieldMap(**connector["field_map"])
        self._partner_id: UUID = connector["partner_id"]
        self._languages = languages

    async def read(self, records: Sequence[Record]) -> list[Reading]:
        """Read those records that are to one of our items, as they are mapped."""
        found = {record.id: record for record in records}
        return [
            await self._one(record, UUID(self._map.items[record.product]))
            for record in found.values()
            if record.product in self._map.items
        ]

    async def _one(self, record: Record, item_id: UUID) -> Reading:
        facts = facts_of(self._map, record)
        digest = digest_of(facts)
        try:
            sign_up = await self._sign_up(facts, item_id)
        except Refusal as refusal:
            return Reading(record, item_id, digest, None, refusal)
        return Reading(record, item_id, digest, sign_up)

    async def _sign_up(self, facts: Mapping[str, str], item_id: UUID) -> SignUp:
        body = body_of(facts, self._languages)
        asked = await self._forms.of_item(self._database, item_id)
        kinds = {question.code: question for question in asked.questions}
        given = {code: _as_asked(kinds.get(code), text) for code, text in body["answers"].items()}
        try:
            checked = RegistrationBody.model_validate(
                {
                    **body,
                    "answers": given,
                    "side": "local",
                    "source": "partner_api",
                    "partner_id": self._partner_id,
                    # Who comes by a partner agreed there to what every registration asks for.
                    "consent": True,
                }
            )
        except ValidationError as error:
            faults = [Fault(pointer(("body", *one["loc"])), one["msg"]) for one in error.errors()]
            raise Invalid("Some fields are missing or wrong.", faults=faults) from None
        sign_up = checked.value()
        kept = await answered(self._forms, self._database, item_id, sign_up)
        return replace(sign_up, answers=kept.answers)


def _as_asked(question: Question | None, text: str) -> object:
    """Write an answer as a question of ours takes it: theirs are all text."""
    if question is not None and question.kind == "several":
        return [part.strip() for part in text.split(",") if part.strip()]
    if question is not None and question.kind == "consent":
        return text.casefold() in YES
    return text
