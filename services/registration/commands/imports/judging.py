"""Judging rows: what each says, and what is wrong with it, by itself and beside the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError
from pydantic_core import to_json

from services.registration.commands.imports.meaning import checked_sign_up, findings_of
from services.registration.domain.imports.comparing import Kind, Who
from services.registration.domain.imports.fields import Fields, Ground, fields_of
from services.registration.domain.imports.findings import Finding
from services.registration.domain.imports.lines import CELL_LENGTH_MAX
from services.registration.domain.imports.mapping import texts_of
from services.registration.domain.people import SignUp, same_address

Row = asyncpg.Record


@dataclass(slots=True)
class Judged:
    """A row and what was found about it so far."""

    number: int
    fields: Fields
    findings: list[Finding]
    sign_up: SignUp | None = None
    kind: Kind = Kind.INVALID
    differences: dict[str, Who] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)
    registration_id: UUID | None = None
    person_id: UUID | None = None
    address: str | None = field(init=False)
    """The e-mail address in the form it is compared in."""

    def __post_init__(self) -> None:
        email = self.fields.get("email")
        self.address = same_address(email) if email else None

    @property
    def ref(self) -> str | None:
        """What makes it the same row in the next list: the partner's reference, or the address."""
        return self.fields.get("external_ref") or self.address

    @property
    def is_wrong(self) -> bool:
        """Whether it cannot be registered as it is."""
        return any(finding.level == "error" for finding in self.findings)

    def written(self) -> tuple[Any, ...]:
        """Give what is stored, in the order of `write_checked`."""
        kind = Kind.INVALID if self.is_wrong else self.kind
        return (
            *(self.number, self.fields, self.ref, self.address, kind.value),
            to_json([finding.content() for finding in self.findings]).decode(),
            *(self.differences, self.ours, (self.registration_id, self.person_id)),
        )


def judged(rows: Sequence[Row], found: Row, ground: Ground) -> list[Judged]:
    """Judge rows by themselves."""
    columns = [name or None for name in found["placed"]]
    return [_judged(row, columns, found, ground) for row in rows]


def _judged(row: Row, columns: Sequence[str | None], found: Row, ground: Ground) -> Judged:
    fields, findings = fields_of(texts_of(row["cells"], columns, found["fixed"]), ground)
    marked = _marked(row["marks"], columns)
    # What could not be read is not missing.
    named = {finding.field for finding in marked}
    findings = [*marked, *(one for one in findings if one.field not in named)]
    one = Judged(row["row"], fields, findings)
    try:
        one.sign_up = checked_sign_up(fields, found["side"], found["partner_id"])
    except ValidationError as error:
        named = {finding.field for finding in findings}
        one.findings += [f for f in findings_of(error, fields) if f.field not in named]
    return one


def _marked(marks: Mapping[str, str], columns: Sequence[str | None]) -> list[Finding]:
    found = []
    for place, code in marks.items():
        name = columns[int(place)] if int(place) < len(columns) else None
        if name:
            value = str(CELL_LENGTH_MAX) if code == "too_long" else ""
            found.append(Finding(code, name, value))
    return found


def find_repeated(
    judgements: Sequence[Judged], earlier: tuple[Mapping[str, int], Mapping[str, int]]
) -> None:
    """Note rows that are there twice; of them the first stands.

    `earlier`: in which row before these a reference, and an address, was first.
    """
    refs, addresses = (dict(known) for known in earlier)
    for one in judgements:
        if one.address:
            first = addresses.setdefault(one.address, one.number)
            if first != one.number:
                one.findings.append(Finding("twice", "email", one.fields["email"], first))
        if ref := one.fields.get("external_ref"):
            first = refs.setdefault(ref, one.number)
            if first != one.number:
                one.findings.append(Finding("ref_twice", "external_ref", ref, first))
