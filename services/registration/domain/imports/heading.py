"""Where the header of a list is, and what it calls the columns."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from services.registration.domain.imports.lines import Line, Merged, Reading, unreadable
from services.registration.domain.imports.synonyms import field_of, kept_out, plain

LOOKED_AT = 12
"""Above a header there may be a title, a note on how to fill in, and empty rows."""
JOINT = " / "
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True, slots=True)
class Heading:
    """The header of a list; columns that have the same are told apart by their place alone."""

    headers: tuple[str, ...]
    row: int

    @property
    def repeated(self) -> tuple[int, ...]:
        """The columns that are called as one before them."""
        names = [plain(header) for header in self.headers]
        return tuple(place for place, name in enumerate(names) if name and name in names[:place])

    @property
    def hidden(self) -> frozenset[int]:
        """The columns of which nothing is taken in: passports, identity cards, birthdays."""
        return frozenset(
            place for place, header in enumerate(self.headers) if kept_out(header) == "never_read"
        )


def headed(reading: Reading) -> tuple[Heading, Iterator[Line]]:
    """Find the header, and give the lines below it.

    Raises `Invalid` for an empty file, and where somebody stands in place of a header: what columns
    are called is remembered, and no place for people.
    """
    lines = iter(reading.lines)
    first = list(islice(lines, LOOKED_AT))
    if not first:
        raise unreadable("empty", "There is nothing in this file.")
    place = max(range(len(first)), key=lambda one: (_known(first[one].cells), -one))
    height = _height(first, place, reading.merged)
    rows = [
        _from_above(_spread(line, reading.merged), line.number - 1, first, reading.merged)
        for line in first[place : place + height]
    ]
    heading = Heading(_joined(rows), first[place].number)
    if any(_ADDRESS.fullmatch(header) for header in heading.headers):
        raise unreadable("no_header", "No row says what the columns are.", row=heading.row)
    below, hidden = chain(first[place + height :], lines), heading.hidden
    return heading, (_without(line, hidden) for line in below)


def _known(cells: Sequence[str]) -> int:
    return sum(bool(cell and (field_of(cell) or kept_out(cell))) for cell in cells)


def _height(first: Sequence[Line], place: int, merged: Sequence[Merged]) -> int:
    """Say whether the header has a second row, below cells that are merged across."""
    row = first[place].number - 1
    if place + 1 == len(first) or first[place + 1].number != row + 2:
        return 1
    above = any(
        one.top <= row <= one.bottom and one.right > one.left and one.bottom == row
        for one in merged
    )
    return 2 if above and _known(first[place + 1].cells) else 1


def _spread(line: Line, merged: Sequence[Merged]) -> list[str]:
    """Give each of merged cells the text that is shown over all of them."""
    cells, row = list(line.cells), line.number - 1
    for one in merged:
        if one.top <= row <= one.bottom and one.left < len(cells) and one.top == row:
            cells.extend([""] * (one.right + 1 - len(cells)))
            for column in range(one.left, one.right + 1):
                cells[column] = cells[one.left]
    return cells


def _from_above(
    cells: list[str], row: int, first: Sequence[Line], merged: Sequence[Merged]
) -> list[str]:
    """Give empty cells the text of what they are merged with above them."""
    above = {line.number - 1: line.cells for line in first if line.number <= row}
    for one in merged:
        texts = above.get(one.top, ())
        if one.top < row <= one.bottom and one.left < len(texts):
            cells.extend([""] * (one.right + 1 - len(cells)))
            for column in range(one.left, one.right + 1):
                cells[column] = cells[column] or texts[one.left]
    return cells


def _joined(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    width = max(len(row) for row in rows)
    return tuple(
        JOINT.join(dict.fromkeys(row[column] for row in rows if column < len(row) and row[column]))
        for column in range(width)
    )


def _without(line: Line, hidden: frozenset[int]) -> Line:
    if not hidden:
        return line
    cells = tuple("" if place in hidden else cell for place, cell in enumerate(line.cells))
    return Line(line.number, cells, line.marks)
