"""Editing: which changes to a registration the organiser has to look at again."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from services.registration.domain.forms import judged
from services.registration.domain.people import Organization, Person
from services.registration.domain.places import IS_OVER, Status
from services.registration.domain.questions import Answers, Facts, Question, Wrong
from shared.errors import Conflict, Fault, Invalid
from shared.events.base import Side
from shared.events.registration import Listing

SLIP_LETTERS_MIN = 5
"""In a shorter name one letter makes another one: Ana and Ada."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody changes; a part that is None stays as it is."""

    side: Side | None = None
    organization: Organization | None = None
    person: Person | None = None
    listings: tuple[Listing, ...] | None = None
    answers: Answers | None = None
    """By code, over those that are there; None for an answer takes it back."""


def may_be_edited(status: Status) -> None:
    """Raise `Conflict` where a registration has ended."""
    if status in IS_OVER:
        raise Conflict(f"A registration that is {status} is not edited.", code="illegal_state")


def is_other_company(before: Organization, after: Organization) -> bool:
    """Say whether the organiser approved of another company than this: who it is, by law."""
    return (before.name, before.native_name, before.country, before.registration_number) != (
        *(after.name, after.native_name, after.country, after.registration_number),
    )


class Naming(Enum):
    """What became of a person's name."""

    SAME = "same"
    RESPELLED = "respelled"
    OTHER = "other"


def renamed(before: Person, after: Person) -> Naming:
    """Say whether the organiser approved of somebody else, by name, in whichever script.

    Capitals, spaces and marks are no other name. One letter more, less or other in a name in Latin
    letters is a slip that is put right; one Chinese character is another name.
    """
    pairs = list(zip(_names(before), _names(after), strict=True))
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    if not changed:
        return Naming.SAME
    return Naming.RESPELLED if all(_is_slip(*pair) for pair in changed) else Naming.OTHER


def _names(person: Person) -> tuple[str, ...]:
    given = (person.full_name, person.native_name, person.latin_name)
    folded = (unicodedata.normalize("NFKD", name or "").casefold() for name in given)
    return tuple("".join(letter for letter in name if letter.isalnum()) for name in folded)


def _is_slip(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    if not (shorter + longer).isascii() or len(shorter) < SLIP_LETTERS_MIN:
        return False
    start = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), -1)
    if start < 0:
        return len(longer) - len(shorter) == 1
    rest = shorter[start + 1 :] if len(shorter) == len(longer) else shorter[start:]
    return rest == longer[start + 1 :]


def goes_back(
    status: Status, *, is_material: bool, requires_approval: bool, has_arrived: bool
) -> bool:
    """Say whether the organiser has to approve again; who is in the room already stays."""
    is_confirmed = status is Status.CONFIRMED and not has_arrived
    return is_material and requires_approval and is_confirmed


def edited(
    questions: Sequence[Question], before: Answers, changes: Answers | None, facts: Facts
) -> tuple[dict[str, Any], Mapping[str, Wrong]]:
    """Give the answers after an edit, and what is wrong with them.

    What no question asks any more stays on file; what is hidden now is dropped.
    """
    asked = {question.code for question in questions}
    given = {**before, **(changes or {})}
    verdict = judged(questions, {c: v for c, v in given.items() if c in asked}, facts)
    retired = {code: value for code, value in before.items() if code not in asked}
    return {**retired, **verdict.answers}, verdict.wrong


def untouched(
    after: Mapping[str, Any], before: Answers, changes: Answers | None, wrong: Mapping[str, Wrong]
) -> dict[str, Any]:
    """Keep the answers that nobody touched, though today's question would not take them."""
    old = {c: before[c] for c in wrong if c in before and c not in (changes or {})}
    return {**after, **old}


def refuse(wrong: Mapping[str, Wrong], unknown: Sequence[str]) -> None:
    """Raise `Invalid` with a fault for each answer, if there is any."""
    all_ = {**{code: Wrong("unknown") for code in unknown}, **wrong}
    if all_:
        faults = [Fault(f"/answers/{code}", fault.detail) for code, fault in all_.items()]
        raise Invalid("Some answers are missing or wrong.", faults=faults)
