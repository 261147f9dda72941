"""Lines of a list as they are read, whatever kind of file it came in."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.errors import Fault, Invalid

COLUMNS_MAX = 200
CELL_LENGTH_MAX = 4_000

# NUL, which no database stores; halves of a pair, also those a decoder puts for broken bytes; and
# what a decoder puts in the place of what it could not read.
_BROKEN = re.compile("[\x00\ud800-\udfff\ufffd]")
_AROUND = " \t\r\n\f\v\u00a0\u3000\ufeff\u200b"


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a list: its number as a spreadsheet shows it, and its cells as text."""

    number: int
    cells: tuple[str, ...]
    marks: Mapping[int, str] = field(default_factory=dict)
    """By column: the code of what was wrong with a cell when it was read."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Cells that a spreadsheet shows as one; rows and columns from 0, ends included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that is being read: its lines are taken one after the other, once."""

    kind: str
    lines: Iterator[Line]
    merged: Sequence[Merged] = ()
    about: Mapping[str, object] = field(default_factory=dict)
    """How it was understood: its encoding and separator, or the sheet that is read."""


def unreadable(
    code: str, detail: str, *, row: int | None = None, column: int | None = None
) -> Invalid:
    """Make the refusal of a file as a whole; `row` and `column`, from 1, are where it ended."""
    pointer = f"/rows/{row}" if row is not None else ""
    pointer += f"/columns/{column}" if column is not None else ""
    return Invalid(detail, code=code, faults=[Fault(pointer, detail)])


def too_wide(row: int, column: int) -> Invalid:
    """Make the refusal of a row that has something in a column, from 1, beyond those taken."""
    detail = f"Row {row} has more than {COLUMNS_MAX} columns."
    return unreadable("too_many_columns", detail, row=row, column=column)


def line_of(number: int, given: Sequence[str], marks: Mapping[int, str] | None = None) -> Line:
    """Make a line of cells as they were read; raises `Invalid` for more columns than are taken."""
    cells = list(given)
    while cells and not cells[-1].strip(_AROUND):
        cells.pop()
    if len(cells) > COLUMNS_MAX:
        raise too_wide(number, len(cells))
    found = dict(marks or {})
    for column, cell in enumerate(cells):
        cells[column], code = cleaned(cell)
        if code:
            found.setdefault(column, code)
    return Line(number, tuple(cells), found)


def cleaned(cell: str) -> tuple[str, str]:
    """Give a cell without what surrounds it, and the code of what is wrong with it, or nothing."""
    text = cell.strip(_AROUND)
    code = ""
    if _BROKEN.search(text):
        text, code = _BROKEN.sub("\ufffd", text), "broken_text"
    if len(text) > CELL_LENGTH_MAX:
        text, code = text[:CELL_LENGTH_MAX], "too_long"
    return text, code
