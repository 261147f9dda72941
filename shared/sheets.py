"""The two kinds of files that a list is written to, row by row."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import IO, Protocol

from fastapi.responses import StreamingResponse
from xlsxwriter import Workbook

SHEET_TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
CELL_LENGTH_MAX = 32_767
BLOCK_BYTES = 65_536
COLUMN_WIDTH = 20

# What a spreadsheet would calculate (OWASP: CSV injection), also in full width.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Cell = str | datetime | Decimal | None


async def streamed(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Give a file block by block from its beginning, and close it at the end."""
    with file:
        file.seek(0)
        while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
            yield block


def download(file: IO[bytes], kind: str, disposition: str) -> StreamingResponse:
    """Answer with a sheet that is written, which is closed when all of it is sent."""
    return StreamingResponse(
        streamed(file),
        media_type=SHEET_TYPES[kind],
        headers={
            "Content-Length": str(file.seek(0, io.SEEK_END)),
            "Content-Disposition": disposition,
            "Cache-Control": "private, no-store",
        },
    )


class Sheet(Protocol):
    """A file being written."""

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows."""

    def close(self) -> None:
        """Write what is left."""


class Csv:
    """Comma-separated values (RFC 4180) that Excel reads as UTF-8 and calculates nothing of."""

    def __init__(self, file: IO[bytes], headers: Sequence[str]) -> None:
        # The mark is what tells Excel the encoding.
        self._text = io.TextIOWrapper(file, "utf-8-sig", newline="", write_through=False)
        self._writer = csv.writer(self._text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
        self._writer.writerow(headers)

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows."""
        self._writer.writerows([[_plain(cell) for cell in row] for row in rows])

    def close(self) -> None:
        """Write what is left."""
        self._text.flush()
        self._text.detach()


class Xlsx:
    """A workbook of one sheet, written row by row; what looks like a formula is text in it."""

    def __init__(self, file: IO[bytes], folder: str, title: str, headers: Sequence[str]) -> None:
        self._book = Workbook(file, {"constant_memory": True, "tmpdir": folder})
        self._sheet = self._book.add_worksheet(_sheet_name(title))
        bold = self._book.add_format({"bold": True, "bottom": 1})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._sheet.freeze_panes(1, 1)
        self._sheet.set_column(0, len(headers) - 1, COLUMN_WIDTH)
        for column, header in enumerate(headers):
            self._sheet.write_string(0, column, header, bold)
        self._columns, self._row = len(headers), 0

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Add rows."""
        for row in rows:
            self._row += 1
            for column, cell in enumerate(row):
                if isinstance(cell, datetime):
                    self._sheet.write_datetime(self._row, column, cell, self._time)
                elif isinstance(cell, Decimal):
                    self._sheet.write_number(self._row, column, cell)
                elif cell:
                    quoted = self._quoted if cell.startswith(FORMULA_STARTS) else None
                    self._sheet.write_string(self._row, column, cell[:CELL_LENGTH_MAX], quoted)

    def close(self) -> None:
        """Write what is left."""
        self._sheet.autofilter(0, 0, self._row, self._columns - 1)
        self._book.close()


def _plain(cell: Cell) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "minutes")
    if isinstance(cell, Decimal):
        return str(cell)
    return quoted(cell or "")


def quoted(text: str) -> str:
    """Mark what a spreadsheet would calculate as text; `unquoted` gives it back as it was."""
    return f"'{text}" if _may_be_taken_for_a_formula(text) else text


def unquoted(text: str) -> str:
    """Take away the mark that `quoted`, and people who know spreadsheets, put before a text."""
    is_marked = text.startswith("'") and _may_be_taken_for_a_formula(text)
    return text[1:] if is_marked else text


def _may_be_taken_for_a_formula(text: str) -> bool:
    return text.lstrip("'").startswith(FORMULA_STARTS)


def _sheet_name(title: str) -> str:
    """Leave out what Excel takes for no name of a sheet."""
    return "".join(" " if letter in "[]:*?/\\'" else letter for letter in title)[:31].strip()
