"""Adding many registrations, with people, companies, listings and consents, in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.postgres import Connection, columns


@dataclass(frozen=True, slots=True)
class Table:
    """Where a batch adds rows, and what each of them is made of: names and types of columns."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]

    @classmethod
    def of(cls, name: str, columns: str) -> "Table":
        """Read columns written as `name:type`, or as `name` where it is a text."""
        pairs = [one.partition(":") for one in columns.split()]
        return cls(name, tuple(p[0] for p in pairs), tuple(p[2] or "text" for p in pairs))

    def insert(self, first: int) -> str:
        """Write the statement that adds rows, each column an array, from the `first` parameter."""
        names = ", ".join(self.columns)
        pairs = list(zip(self.columns, self.types, strict=True))
        read = ", ".join(f"string_to_array({n}, ' ')" if t == WORDS else n for n, t in pairs)
        given = ", ".join(
            f"${nth}::{'text' if kind == WORDS else kind}[]"
            for nth, kind in enumerate(self.types, start=first)
        )
        return (
            f"INSERT INTO {self.name} ({names}) "  # noqa: S608  # all of it is written here
            f"SELECT {read} FROM unnest({given}) AS given ({names})"
        )

    def arrays(self, rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Turn rows into the arrays of `insert`."""
        found: list[list[Any]] = columns(rows, len(self.columns))
        for place, kind in enumerate(self.types):
            if kind == WORDS:
                found[place] = [" ".join(words) for words in found[place]]
        return found


WORDS = "text[]"
"""Codes without spaces. An array of arrays would be taken apart to its last element: they are sent
as one text."""

ORGANIZATION = Table.of(
    "organization",
    "id:uuid mission_id:uuid identity name native_name country registration_number sectors:text[] "
    "size search core",
)
LISTING = Table.of("listing", "organization_id:uuid kind sector content:jsonb")
PERSON = Table.of(
    "person",
    "id:uuid mission_id:uuid role email full_name native_name latin_name language "
    "languages:text[] position:jsonb organization_id:uuid partner_id:uuid version:bigint search",
)
REGISTRATION = Table.of(
    "registration",
    "id:uuid programme_item_id:uuid person_id:uuid status source partner_id:uuid "
    "registered_at:timestamptz allotment_id:uuid group_id:uuid hold_until:timestamptz "
    "answers:jsonb",
)
CONSENT = Table.of(
    "consent",
    "person_id:uuid purpose text_version language granted_at:timestamptz is_cross_border:bool",
)
ADDED = (ORGANIZATION, LISTING, PERSON, REGISTRATION, CONSENT)


def _together(tables: Sequence[Table]) -> str:
    """Write one statement that adds to several tables; references are checked at its end."""
    parts, first = [], 1
    for table in tables:
        parts.append(table.insert(first))
        first += len(table.columns)
    *before, last = parts
    named = ", ".join(f"part_{nth} AS ({part})" for nth, part in enumerate(before))
    return f"WITH {named} {last}"


_ADD = _together(ADDED)


async def add(connection: Connection, rows: Mapping[Table, Sequence[Sequence[Any]]]) -> None:
    """Add rows to the tables of `ADDED`, in one statement: COPY takes two round trips for each.

    Raises `asyncpg.UniqueViolationError` when another process added one of them meanwhile.
    """
    await connection.execute(
        _ADD, *(array for table in ADDED for array in table.arrays(rows[table]))
    )
