"""Reading a list: what kind of file it is, by its content, and its rows."""

from typing import IO

from services.registration.domain.imports.archive import OLE_BEGINNING
from services.registration.domain.imports.delimited import read_text
from services.registration.domain.imports.lines import Reading, unreadable
from services.registration.domain.imports.objects import read_objects
from services.registration.domain.imports.workbook import read_workbook

ZIP_BEGINNING = b"PK\x03\x04"
NO_LISTS = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"{\\rtf", b"<")
"""What files begin with that are no lists, though text could be read out of them: some systems
save web pages as .xls."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(file: IO[bytes]) -> Reading:
    """Read a file that can be read again from its beginning; raises `Invalid`."""
    file.seek(0)
    head = file.read(64).removeprefix(_BYTE_ORDER_MARK).lstrip()
    file.seek(0)
    if head.startswith((ZIP_BEGINNING, OLE_BEGINNING)):
        return read_workbook(file)
    if head.startswith(NO_LISTS):
        raise unreadable("not_a_list", "This is neither an Excel workbook (.xlsx) nor text (CSV).")
    return read_objects(file) if head.startswith(b"{") else read_text(file)
