"""Newline-delimited JSON: an object a line, as partners' systems send lists."""

from collections.abc import Iterator, Mapping
from typing import IO

from pydantic_core import from_json

from services.registration.domain.imports.lines import (
    COLUMNS_MAX,
    Line,
    Reading,
    line_of,
    unreadable,
)

LINE_BYTES_MAX = 262_144


def read_objects(file: IO[bytes]) -> Reading:
    """Read objects; what is within another is called `outer.inner`. Raises `Invalid`."""
    names: dict[str, int] = {}
    for number, row in _objects(file):
        for name in row:
            names.setdefault(name, len(names))
        if len(names) > COLUMNS_MAX:
            raise unreadable(
                "too_many_columns", f"The rows have more than {COLUMNS_MAX} names.", row=number
            )
    return Reading("ndjson", _lines(file, names), about={"encoding": "utf-8"})


def _lines(file: IO[bytes], names: Mapping[str, int]) -> Iterator[Line]:
    # The names are the header, so rows are numbered from 1 as lines are.
    yield line_of(0, list(names))
    for number, row in _objects(file):
        yield line_of(number, [row.get(name, "") for name in names])


def _objects(file: IO[bytes]) -> Iterator[tuple[int, dict[str, str]]]:
    file.seek(0)
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise unreadable("line_too_long", f"Line {number} is too long.", row=number)
        if line.strip():
            yield number, dict(_flat("", _object(line, number)))


def _object(line: bytes, number: int) -> Mapping[str, object]:
    try:
        given = from_json(line.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise unreadable("not_json", f"Line {number} is not a JSON object in UTF-8.", row=number)
    return given


def _flat(before: str, given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if isinstance(value, dict):
            yield from _flat(f"{before}{name}.", value)
        elif isinstance(value, list):
            yield f"{before}{name}", "; ".join(_text(one) for one in value)
        else:
            yield f"{before}{name}", _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)
