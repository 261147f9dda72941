"""PDFs bound into one as they are made, so that a long one is never held whole.

Reads what typst writes without tags: a classic table of references, no streams of objects, and
texts in facts about the document alone, which are left out (ISO 32000-1, 7.5).
"""

import re
from collections.abc import Iterator

HEAD = b"%PDF-1.7\n%\x80\x80\x80\x80\n"
CATALOG, TREE, INFO = 1, 2, 3
_ENTRY_LENGTH = 20

_TABLE = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\Z")
_ENTRIES = re.compile(rb"xref\s+0 (\d+)\s+")
_FACTS = {
    name: re.compile(rb"/" + name.encode() + rb" (\d+) 0 R") for name in ("Root", "Info", "Pages")
}
_METADATA = re.compile(rb"/Metadata (\d+) 0 R")
_COUNT = re.compile(rb"/Count (\d+)")
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_STREAM = re.compile(rb"\bstream\r?\n")


class Binder:
    """Binds PDFs into one; each call gives the bytes that come next."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._length = 0
        self._offsets: dict[int, int] = {}
        self._highest = INFO
        self._trees: list[int] = []
        self._pages = 0

    def begin(self) -> bytes:
        """Give what comes before the first part."""
        self._length = len(HEAD)
        return HEAD

    def add(self, part: bytes) -> bytes:
        """Give a part's objects with numbers of their own; raises `ValueError` for another PDF."""
        try:
            objects, tree = _read(part)
            self._pages += int(_found(_COUNT, objects[tree]))
        except (KeyError, IndexError) as error:
            raise ValueError("This is no PDF of typst.") from error
        shift = self._highest
        self._highest += max(objects)
        self._trees.append(tree + shift)
        under = b"<</Type/Pages/Parent %d 0 R" % TREE
        return b"".join(
            self._placed(
                number + shift,
                _moved(body, shift).replace(b"<</Type/Pages", under, 1)
                if number == tree
                else _moved(body, shift),
            )
            for number, body in objects.items()
        )

    def end(self) -> bytes:
        """Give what comes behind the last part."""
        kids = b" ".join(b"%d 0 R" % tree for tree in self._trees)
        title = b"<FEFF%s>" % self._title.encode("utf-16-be").hex().encode()
        own = (
            self._placed(CATALOG, b"<</Type/Catalog/Pages %d 0 R>>" % TREE)
            + self._placed(TREE, b"<</Type/Pages/Count %d/Kids[%s]>>" % (self._pages, kids))
            + self._placed(INFO, b"<</Title%s>>" % title)
        )
        size = self._highest + 1
        # What a part had and this has not stays free.
        entries = (
            b"%010d 00000 n \n" % self._offsets[number]
            if number in self._offsets
            else b"0000000000 65535 f \n"
            for number in range(size)
        )
        trailer = b"trailer\n<</Size %d/Root %d 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n"
        end = trailer % (size, CATALOG, INFO, self._length)
        return own + b"xref\n0 %d\n" % size + b"".join(entries) + end

    def _placed(self, number: int, body: bytes) -> bytes:
        self._offsets[number] = self._length
        written = b"%d 0 obj\n%s\nendobj\n" % (number, body)
        self._length += len(written)
        return written


def _read(pdf: bytes) -> tuple[dict[int, bytes], int]:
    """Give the objects that pages need, by number, and which of them is the tree of pages."""
    table = int(_found(_TABLE, pdf))
    trailer = pdf[table:].rpartition(b"trailer")[2]
    objects = dict(_objects(pdf, table))
    catalog = objects.pop(int(_found(_FACTS["Root"], trailer)))
    for pattern, facts in ((_FACTS["Info"], trailer), (_METADATA, catalog)):
        if found := pattern.search(facts):
            objects.pop(int(found[1]))
    return objects, int(_found(_FACTS["Pages"], catalog))


def _objects(pdf: bytes, table: int) -> Iterator[tuple[int, bytes]]:
    head = _ENTRIES.match(pdf, table)
    if head is None:
        raise ValueError("The PDF has no classic table of references.")
    entries = (
        (number, pdf[at : at + _ENTRY_LENGTH])
        for number, at in enumerate(
            range(head.end(), head.end() + int(head[1]) * _ENTRY_LENGTH, _ENTRY_LENGTH)
        )
    )
    used = sorted((int(entry[:10]), number) for number, entry in entries if entry[17:18] == b"n")
    ends = [offset for offset, _ in used[1:]] + [table]
    for (offset, number), end in zip(used, ends, strict=True):
        whole = pdf[offset:end]
        begin = whole.index(b"obj") + len(b"obj")
        yield number, whole[begin : whole.rindex(b"endobj")].strip(b"\r\n ")


def _moved(body: bytes, shift: int) -> bytes:
    """Add to each number of an object that is named; a stream's bytes stay as they are."""
    stream = _STREAM.search(body)
    facts = body[: stream.start()] if stream else body
    moved = _REFERENCE.sub(lambda found: b"%d 0 R" % (int(found[1]) + shift), facts)
    return moved + body[len(facts) :]


def _found(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.search(text)
    if found is None:
        raise ValueError("This is no PDF of typst.")
    return found[1]
