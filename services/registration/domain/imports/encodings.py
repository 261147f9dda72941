"""How a text is encoded: UTF-8, UTF-16 or GB18030, told by its bytes alone."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

BLOCK_BYTES = 65_536
# ASCII in UTF-16 is half NULs, and a list has separators, digits and addresses in any language.
NUL_SHARE_MIN = 0.1

_ESCAPED = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec, and what it does with bytes that it cannot read."""

    name: str
    errors: str = "replace"


def encoding_of(file: IO[bytes]) -> Encoding:
    """Tell the encoding of a file from its beginning to its end, in bounded memory.

    A few broken bytes in a text that is UTF-8 elsewhere do not make it GB18030, which reads nearly
    anything: the rows that they are in are to be named.
    """
    file.seek(0)
    head = file.read(BLOCK_BYTES)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, "surrogateescape" if name == "utf-8-sig" else "replace")
    if wide := _wide(head):
        return Encoding(wide)
    good, bad = _counted(file)
    if not bad or (good >= bad and not _reads(file, "gb18030")) or good > bad:
        return Encoding("utf-8", "surrogateescape")
    return Encoding("gb18030")


def opened(file: IO[bytes], encoding: Encoding) -> io.TextIOWrapper:
    """Read a file as text, its line ends as they are."""
    file.seek(0)
    return io.TextIOWrapper(file, encoding.name, errors=encoding.errors, newline="")


def _wide(head: bytes) -> str:
    """Tell UTF-16 without its mark: its NULs are all on one side."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if even + odd < NUL_SHARE_MIN * len(head) or (even and odd):
        return ""
    return "utf-16-le" if odd else "utf-16-be" if even else ""


def _counted(file: IO[bytes]) -> tuple[int, int]:
    """Count what is good UTF-8 beyond ASCII, and the bytes that are not."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    beyond = bad = 0
    for block in _blocks(file):
        text = decoder.decode(block)
        beyond += len(_BEYOND_ASCII.findall(text))
        bad += len(_ESCAPED.findall(text))
    bad += len(_ESCAPED.findall(decoder.decode(b"", final=True)))
    return beyond - bad, bad


def _reads(file: IO[bytes], name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)("strict")
    try:
        for block in _blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        yield block
    file.seek(0)
