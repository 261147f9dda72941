"""The archive that a workbook is: what is in it, and that it is no bomb."""

import io
import zipfile
from typing import IO

from services.registration.domain.imports.lines import unreadable

ENTRIES_MAX = 2_000
UNPACKED_BYTES_MAX = 384 * 1024 * 1024
RATIO_MAX = 200
RATIO_FROM_BYTES = 8 * 1024 * 1024
"""Small parts of a workbook shrink to nearly nothing, and do no harm."""
OLE_BEGINNING = b"\xd0\xcf\x11\xe0"
BLOCK_BYTES = 65_536


def opened(file: IO[bytes]) -> zipfile.ZipFile:
    """Open a workbook's archive by its directory; nothing is unpacked. Raises `Invalid`.

    The sizes of the directory are what reading a part ends at, so that they bound it also where
    they are a lie.
    """
    file.seek(0)
    if file.read(len(OLE_BEGINNING)) == OLE_BEGINNING:
        raise unreadable(
            "old_workbook", "This is an .xls file, or has a password: save it as .xlsx without one."
        )
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise unreadable("not_a_workbook", "This file is not an Excel workbook (.xlsx).") from None
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    is_bomb = any(
        part.file_size > RATIO_FROM_BYTES and part.file_size > RATIO_MAX * part.compress_size
        for part in parts
    )
    if len(parts) > ENTRIES_MAX or unpacked > UNPACKED_BYTES_MAX or is_bomb:
        raise unreadable("unpacks_too_big", "Unpacked, this workbook is too big.")
    if any(part.flag_bits & 1 for part in parts):
        raise unreadable("old_workbook", "This workbook has a password.")
    return archive


def part(archive: zipfile.ZipFile, name: str) -> IO[bytes] | None:
    """Open a part; None where there is none. Raises `Invalid` for one with a document type."""
    try:
        found = archive.open(name.lstrip("/"))
    except KeyError:
        return None
    except (zipfile.BadZipFile, NotImplementedError):
        raise unreadable("not_a_workbook", "This workbook is damaged.") from None
    # No workbook has one; it is how XML is made to grow (CWE-776) or to read other files (CWE-611).
    if b"<!DOCTYPE" in found.read(1_024).upper():
        raise unreadable("not_a_workbook", "This workbook has a document type.")
    found.seek(0, io.SEEK_SET)
    return found
