"""From the columns of a list to the fields of a registration, as a partner's map says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.registration.domain.imports.heading import JOINT, Heading
from services.registration.domain.imports.synonyms import FIELDS, field_of, plain
from shared.errors import Fault, Invalid

ANSWER = "answer:"
"""What the name of a field begins with that is an answer to a question of the form."""
IGNORED = "-"
VALUES_MAX = 2_000
"""So many values a map remembers: nobody's list has as many sectors."""

NAMES = ("full_name", "native_name", "latin_name", "family_name", "given_name")
COMPANIES = ("organization", "native_organization", "latin_organization")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """What a partner's columns mean: by plain header, for all rows alike, and value by value."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """By plain header: a field, or `IGNORED`."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """By field: what every row has that has nothing there."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By field, and by a plain value: what is meant."""

    def content(self) -> dict[str, Any]:
        """Write it as JSON holds it."""
        return {
            "columns": dict(self.columns),
            "fixed": dict(self.fixed),
            "values": {name: dict(values) for name, values in self.values.items()},
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "FieldMap":
        """Read a stored one."""
        return cls(content["columns"], content["fixed"], content["values"])

    def remembering(self, other: "FieldMap") -> "FieldMap":
        """Give this map with what another one knows beside it; the other one is right."""
        values = {
            name: {**self.values.get(name, {}), **other.values.get(name, {})}
            for name in {*self.values, *other.values}
        }
        return FieldMap({**self.columns, **other.columns}, {**other.fixed}, values)


def placed(heading: Heading, known: FieldMap) -> list[str | None]:
    """Give the field of each column: as the map says, or else as the header is understood.

    Of several columns for one field the first has it.
    """
    found: list[str | None] = []
    for place, header in enumerate(heading.headers):
        last = header.rpartition(JOINT)[2]
        name = known.columns.get(plain(header)) or field_of(header) or field_of(last)
        is_taken = name in found or place in heading.hidden or name == IGNORED
        found.append(None if is_taken else name)
    return found


def check_fields(
    columns: Sequence[str | None], fixed: Mapping[str, str], answers: Collection[str]
) -> None:
    """Check that a list can be registered from; raises `Invalid` and names what is missing.

    `answers`: the codes of the questions that the item asks.
    """
    known = {*FIELDS, *(f"{ANSWER}{code}" for code in answers)}
    faults = [
        Fault(f"/columns/{place}", f"There is no field `{name}`.")
        for place, name in enumerate(columns)
        if name is not None and name not in known
    ]
    faults += [
        Fault(f"/fixed/{name}", f"There is no field `{name}`.")
        for name in fixed
        if name not in known
    ]
    given = {name for name in columns if name} | {name for name, value in fixed.items() if value}
    faults += [Fault("/columns", f"No column is the field `{name}`.") for name in lacking(given)]
    faults += [
        Fault("/columns", f"Two columns are the field `{name}`.") for name in repeated(columns)
    ]
    if faults:
        raise Invalid(
            "The columns are not what a registration needs.", code="columns", faults=faults
        )


def lacking(given: Collection[str | None]) -> list[str]:
    """Give the fields without which nobody can be registered, and that are not among these."""
    ways = (("full_name", NAMES), ("organization", COMPANIES), ("email", ("email",)))
    return [name for name, names in ways if not set(given) & set(names)]


def repeated(columns: Sequence[str | None]) -> dict[str, list[int]]:
    """Give the fields that several columns fill, with these columns' places."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(columns):
        if name:
            places.setdefault(name, []).append(place)
    return {name: found for name, found in sorted(places.items()) if len(found) > 1}


def column_of(name: str, columns: Sequence[str | None]) -> int | None:
    """Give the place of the column that a field is read from; None where no column is it.

    A name and a company may come from another column than their own.
    """
    group = next((names for names in (NAMES, COMPANIES) if name in names), ())
    return next((columns.index(one) for one in (name, *group) if one in columns), None)


def texts_of(
    cells: Sequence[str], columns: Sequence[str | None], fixed: Mapping[str, str]
) -> dict[str, str]:
    """Give the text of each field that a row fills, or that is the same for all."""
    given = {
        name: cell for name, cell in zip(columns, cells, strict=False) if name is not None and cell
    }
    return {**{name: value for name, value in fixed.items() if value}, **given}
