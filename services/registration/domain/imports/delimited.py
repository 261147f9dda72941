"""Text with separators (RFC 4180, as people save it): CSV, tabs, and what is pasted."""

import csv
from collections.abc import Iterator
from itertools import islice
from typing import IO

from services.registration.domain.imports.encodings import Encoding, encoding_of, opened
from services.registration.domain.imports.lines import Line, Reading, line_of, unreadable
from shared.sheets import unquoted

SEPARATORS = "\t,;|，；"
LOOKED_AT = 5


def read_text(file: IO[bytes]) -> Reading:
    """Read separated text; raises `Invalid`, while it is read as well, naming the row."""
    encoding = encoding_of(file)
    text = opened(file, encoding)
    separator = separator_of(line for line in islice(text, LOOKED_AT * 4))
    text.detach()
    about = {"encoding": encoding.name.removesuffix("-sig"), "separator": separator}
    return Reading("csv", _lines(file, encoding, separator), about=about)


def separator_of(lines: Iterator[str]) -> str:
    """Tell what separates cells: what every one of the first lines has most of, outside quotes."""
    counts: list[dict[str, int]] = []
    is_quoted = False
    for line in lines:
        if not is_quoted:
            counts.append(dict.fromkeys(SEPARATORS, 0))
        for letter in line:
            if letter == '"':
                is_quoted = not is_quoted
            elif not is_quoted and letter in counts[-1]:
                counts[-1][letter] += 1
    filled = [line for line in counts if any(line.values())][:LOOKED_AT]
    if not filled:
        return ","
    # The first of several that are there as often.
    return max(
        SEPARATORS,
        key=lambda one: (min(line[one] for line in filled), sum(line[one] for line in filled)),
    )


def _lines(file: IO[bytes], encoding: Encoding, separator: str) -> Iterator[Line]:
    text = opened(file, encoding)
    taken: list[str] = []

    def noted() -> Iterator[str]:
        for physical in text:
            taken.append(physical)
            yield physical

    number, is_read = 0, False
    cells: list[str] = []
    try:
        for cells in csv.reader(noted(), delimiter=separator):
            number += 1
            last, taken[:] = list(taken), []
            line = line_of(number, [unquoted(cell) for cell in cells])
            if line.cells:
                yield line
        is_read = True
        if number:
            # Only at the end of the file, where a quote that is never closed swallows what is left.
            list(csv.reader(last, delimiter=separator, strict=True))
    except csv.Error:
        # What a quote swallows may also grow too long before the file ends: within the next row.
        row = number if is_read else number + 1
        raise unreadable(
            "quote_open",
            f"A quotation mark in row {row} is never closed.",
            row=row,
            column=len(cells) if is_read else None,
        ) from None
    finally:
        text.detach()
