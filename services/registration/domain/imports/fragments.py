"""Long parts of a workbook, taken apart in pieces that are small enough to be whole in memory.

Each piece is parsed at once: asking for the events of a million cells one by one takes five times
as long, on a processor that others need too.
"""

import re
from collections.abc import Iterator
from typing import IO
from xml.etree.ElementTree import Element, ParseError, XMLParser

from services.registration.domain.imports.archive import BLOCK_BYTES

PIECE_BYTES = 4 * BLOCK_BYTES
ELEMENT_BYTES_MAX = 16 * 1024 * 1024
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def parsed(text: bytes) -> Element:
    """Parse a small part, or a piece of one; raises `ParseError`.

    Whoever opened it made sure that it declares no entities.
    """
    parser = XMLParser()  # noqa: S314  # entities are what it is warned of
    parser.feed(text)
    element: Element = parser.close()
    return element


def elements(part: IO[bytes], name: str, within: tuple[str, ...]) -> Iterator[Element]:
    """Give the elements of a name, which are in `within`, the innermost first.

    Raises `ParseError` for a part that is damaged or cut off.
    """
    opening = re.compile(rf"<((?:[\w.-]+:)?){name}[\s/>]".encode())
    before, first = _until(part, opening)
    if first is None:
        return
    prefix = first[1]
    end = b"</" + prefix + name.encode() + b">"
    closing = b"".join(b"</" + prefix + one.encode() + b">" for one in within)
    left = before[first.start() :]
    before = before[: first.start()]
    while True:
        block = part.read(PIECE_BYTES)
        left += block
        if len(left) > ELEMENT_BYTES_MAX + PIECE_BYTES:
            raise ParseError("an element is too long")
        cut = left.rfind(end) + len(end)
        if cut >= len(end):
            found = parsed(before + left[:cut] + closing)
            for _ in within[1:]:
                found = found[-1]
            yield from found
            left = left[cut:]
        if not block:
            break
    # Behind the last one, only what is empty may stand before the end.
    if b"</" + prefix + within[0].encode() not in left:
        raise ParseError("the part is cut off")


def _until(part: IO[bytes], opening: re.Pattern[bytes]) -> tuple[bytes, re.Match[bytes] | None]:
    """Read up to the first element, and give what was read with where that begins."""
    text = b""
    while block := part.read(BLOCK_BYTES):
        text += block
        if found := opening.search(text):
            return text, found
        if text.startswith(UTF_16) or len(text) > ELEMENT_BYTES_MAX:
            raise ParseError("the part is not understood")
    return text, None
