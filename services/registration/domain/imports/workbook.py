"""Excel workbooks (ECMA-376), row by row: no grid is ever made of what a sheet says it spans."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from services.registration.domain.imports import archive
from services.registration.domain.imports.cells import (
    Strings,
    date_styles,
    place_of,
    text_of,
    unescaped,
)
from services.registration.domain.imports.fragments import ELEMENT_BYTES_MAX, elements, parsed
from services.registration.domain.imports.lines import (
    COLUMNS_MAX,
    Line,
    Merged,
    Reading,
    line_of,
    too_wide,
    unreadable,
)

MERGED_MAX = 10_000

_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}\d{1,7}):([A-Z]{1,3}\d{1,7})"')
_TAIL = 256


@dataclass(frozen=True, slots=True)
class _Book:
    """What the cells of a workbook refer to."""

    strings: Strings
    dates: list[bool]
    is_1904: bool


def read_workbook(file: IO[bytes]) -> Reading:
    """Read the first sheet that is shown; raises `Invalid`, while it is read as well."""
    opened = archive.opened(file)
    try:
        names, path, is_1904 = _sheets(opened)
        book = _Book(_strings(opened), _dates(opened), is_1904)
        merged = _merged(opened, path)
    except (ParseError, ValueError, zipfile.BadZipFile, EOFError):
        raise unreadable("not_a_workbook", "This workbook is damaged.") from None
    about = {"sheet": names[0], "other_sheets": names[1:]}
    return Reading("xlsx", _lines(opened, path, book), merged, about)


def _sheets(opened: zipfile.ZipFile) -> tuple[list[str], str, bool]:
    """Give the names of the sheets that are shown, where the first is, and how days are counted."""
    names, targets, is_1904 = [], [], False
    for element in _small(opened, "xl/workbook.xml", ("sheet", "workbookPr")):
        if _name(element) == "workbookPr":
            is_1904 = element.get("date1904", "") in ("1", "true")
        elif element.get("state", "visible") == "visible":
            names.append(element.get("name", ""))
            targets.append(next((v for k, v in element.items() if k.endswith("}id")), ""))
    if not names:
        raise unreadable("not_a_workbook", "This workbook has no sheet.")
    links = {
        one.get("Id", ""): one.get("Target", "")
        for one in _small(opened, "xl/_rels/workbook.xml.rels", ("Relationship",))
    }
    target = links.get(targets[0], "worksheets/sheet1.xml")
    return names, target if target.startswith("/") else f"xl/{target}", is_1904


def _strings(opened: zipfile.ZipFile) -> Strings:
    strings = Strings()
    part = archive.part(opened, "xl/sharedStrings.xml")
    for element in elements(part, "si", ("sst",)) if part else ():
        strings.add(unescaped(_text(element)))
    return strings


def _dates(opened: zipfile.ZipFile) -> list[bool]:
    formats: dict[int, str] = {}
    styles: list[int] = []
    for element in _small(opened, "xl/styles.xml", ("numFmt", "cellXfs")):
        if _name(element) == "numFmt":
            formats[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
        else:
            styles = [int(one.get("numFmtId", "0")) for one in element]
    return date_styles(formats, styles)


def _merged(opened: zipfile.ZipFile, path: str) -> list[Merged]:
    """Find merged cells, which a sheet tells behind its rows, without taking it apart."""
    found: list[Merged] = []
    sheet = archive.part(opened, path)
    if sheet is None:
        raise unreadable("not_a_workbook", "This workbook has no sheet.")
    tail = b""
    while block := sheet.read(archive.BLOCK_BYTES):
        text = tail + block
        end = 0
        # Looking for a plain text first takes a tenth of the time, and most of a sheet has none.
        for one in _MERGED.finditer(text) if b"mergeCell" in text else ():
            end = one.end()
            if len(found) < MERGED_MAX:
                found.append(Merged(*place_of(one[1].decode()), *place_of(one[2].decode())))
        tail = text[max(end, len(text) - _TAIL) :]
    return found


def _lines(opened: zipfile.ZipFile, path: str, book: _Book) -> Iterator[Line]:
    number = 0
    sheet = archive.part(opened, path)
    assert sheet is not None
    try:
        for row in elements(sheet, "row", ("sheetData", "worksheet")):
            number = int(row.get("r", number + 1))
            if line := _line(number, row, book):
                yield line
    except (ParseError, ValueError, zipfile.BadZipFile, EOFError):
        raise unreadable(
            "not_a_workbook", f"This workbook is damaged after row {number}.", row=number
        ) from None


def _line(number: int, row: Element, book: _Book) -> Line | None:
    cells: list[str] = []
    marks: dict[int, str] = {}
    column = -1
    for cell in row:
        reference = cell.get("r")
        column = place_of(reference)[1] if reference else column + 1
        text, mark = _cell(cell, book)
        if not (text or mark):
            continue
        if column >= COLUMNS_MAX:
            raise too_wide(number, column + 1)
        cells.extend([""] * (column + 1 - len(cells)))
        cells[column] = text
        if mark:
            marks[column] = mark
    return line_of(number, cells, marks) if cells else None


def _cell(cell: Element, book: _Book) -> tuple[str, str]:
    """Give a cell's text and what is wrong with it; of a formula, what it last came to."""
    value, is_formula, inline = None, False, None
    for part in cell:
        name = part.tag
        if name.endswith("}v"):
            value = part.text
        elif name.endswith("}f"):
            is_formula = True
        elif name.endswith("}is"):
            inline = _text(part)
    kind = cell.get("t", "n")
    given = inline if value is None else value
    if not given:
        return "", "formula_without_value" if is_formula and kind != "str" else ""
    style = cell.get("s", "")
    is_date = style.isdecimal() and int(style) < len(book.dates) and book.dates[int(style)]
    return text_of(kind, given, book.strings, is_date=is_date, is_1904=book.is_1904)


def _text(element: Element) -> str:
    """Put the runs of a text together, without how its characters are read aloud."""
    parts = []
    for child in element:
        if child.tag.endswith("}t"):
            parts.append(child.text or "")
        elif child.tag.endswith("}r"):
            parts.append(_text(child))
    return "".join(parts)


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _small(opened: zipfile.ZipFile, path: str, names: tuple[str, ...]) -> Iterator[Element]:
    """Give the elements of some names in a part that is never long."""
    found = archive.part(opened, path)
    if found is not None:
        text = found.read(ELEMENT_BYTES_MAX + 1)
        if len(text) > ELEMENT_BYTES_MAX:
            raise ParseError("a part is too long")
        yield from (one for one in parsed(text).iter() if _name(one) in names)
