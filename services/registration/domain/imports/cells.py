"""Cells of a workbook as text (ECMA-376, part 1, 18.3.1.4): numbers, dates, and formulas."""

import re
from array import array
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

# Formats 14 to 22 and 45 to 47 everywhere, 27 to 36 and 50 to 58 in Chinese, Japanese and Korean.
DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
DIGITS_MAX = 15
"""So many digits Excel keeps of a number; what came after them is zeros."""

_NO_DATE = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DATE = re.compile("[ymdhs年月日]", re.IGNORECASE)
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_COLUMN = re.compile("[A-Z]{1,3}")
_EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001  # of no zone
_DAYS_MAX = 2_958_465
SECONDS_OF_DAY = 86_400


class Strings:
    """The texts that cells share, packed: a workbook may have a million of them."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("Q")

    def add(self, text: str) -> None:
        """Add the next text."""
        self._text += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._text))

    def __getitem__(self, place: int) -> str:
        start = self._ends[place - 1] if place else 0
        return self._text[start : self._ends[place]].decode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return len(self._ends)


def is_date_format(number: int, code: str) -> bool:
    """Say whether numbers of a format are shown as dates or times."""
    return number in DATE_FORMATS or bool(_DATE.search(_NO_DATE.sub("", code)))


def text_of(
    kind: str, value: str, strings: Strings, *, is_date: bool, is_1904: bool
) -> tuple[str, str]:
    """Give a cell's text, and the code of what is wrong with it, or nothing.

    `kind` is the attribute `t` of the cell.
    """
    match kind:
        case "s":
            is_there = value.isdecimal() and int(value) < len(strings)
            return (strings[int(value)], "") if is_there else ("", "cell_error")
        case "str" | "inlineStr" | "d":
            return unescaped(value), ""
        case "b":
            return ("TRUE" if value == "1" else "FALSE"), ""
        case "e":
            return "", "cell_error"
        case _:
            return _number(value, is_date=is_date, is_1904=is_1904)


def unescaped(text: str) -> str:
    """Give the characters that XML cannot hold, which are written by their number."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _number(value: str, *, is_date: bool, is_1904: bool) -> tuple[str, str]:
    try:
        number = float(value)
    except ValueError:
        return value, ""
    if is_date and 0 <= number <= _DAYS_MAX:
        return _date(number, is_1904=is_1904), ""
    if not number.is_integer() or abs(number) >= 10.0 ** (2 * DIGITS_MAX):
        return f"{number:.{DIGITS_MAX}g}", ""
    text = f"{Decimal(value):f}".partition(".")[0]
    return text, "number_cut" if len(text.lstrip("-")) > DIGITS_MAX else ""


def _date(days: float, *, is_1904: bool) -> str:
    """Write a date, with its time where it has one, or a time alone."""
    moment = _EPOCHS[is_1904] + timedelta(seconds=round(days * SECONDS_OF_DAY))
    if days < 1:
        return f"{moment:%H:%M:%S}"
    has_time = moment.hour or moment.minute or moment.second
    return f"{moment:%Y-%m-%d %H:%M}" if has_time else f"{moment:%Y-%m-%d}"


def date_styles(formats: dict[int, str], styles: Collection[int]) -> list[bool]:
    """Say of each style of cells whether it shows dates; `formats` are the workbook's own."""
    return [is_date_format(number, formats.get(number, "")) for number in styles]


@lru_cache(maxsize=1_024)
def column_of(letters: str) -> int:
    """Give the column of a reference such as `AB`, from 0; raises `ValueError`."""
    if not _COLUMN.fullmatch(letters):
        raise ValueError(letters)
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def letters_of(column: int) -> str:
    """Give the letters of a column, from 0, as a spreadsheet shows them."""
    letters = ""
    while column >= 0:
        column, letter = divmod(column, 26)
        letters = chr(ord("A") + letter) + letters
        column -= 1
    return letters


def place_of(reference: str) -> tuple[int, int]:
    """Give row and column of a reference such as `AB12`, both from 0; raises `ValueError`."""
    letters = reference.rstrip("0123456789")
    return int(reference[len(letters) :]) - 1, column_of(letters)
