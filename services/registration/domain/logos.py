"""Logos: PNG images, checked to the last byte and written anew without what nobody sees.

What a browser shows beside our own pages comes from partners. So it is one plain format without
scripts (an SVG may hold them), with true checksums, as many pixels as it says, and nothing behind
its end. Follows the PNG specification, third edition (https://www.w3.org/TR/png-3/), 5 and 11.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import Fault, Invalid

LOGO_BYTES_MAX = 200_000
SIDE_MIN, SIDE_MAX = 16, 2_000

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel by colour type."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_SHOWN = (b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND")
"""The chunks that make the image; others hold texts, times and places."""


@dataclass(frozen=True, slots=True)
class Logo:
    """An image that may be shown; width and height in pixels."""

    content: bytes
    width: int
    height: int


def checked(content: bytes) -> Logo:
    """Check an image and give it as it is kept; raises `Invalid`."""
    if len(content) > LOGO_BYTES_MAX:
        raise _wrong(f"A logo has {LOGO_BYTES_MAX} bytes at most.")
    if not content.startswith(_SIGNATURE):
        raise _wrong("A logo is a PNG image.")
    chunks = [(kind, data) for kind, data in _chunks(content) if kind in _SHOWN]
    kinds = [kind for kind, _ in chunks]
    if kinds[:1] != [b"IHDR"] or kinds.count(b"IHDR") != 1 or kinds.count(b"IEND") != 1:
        raise _wrong("The image is not whole.")
    width, height, row_bytes = _measured(chunks[0][1])
    if kinds.count(b"PLTE") != 1 and chunks[0][1][9] == 3:  # noqa: PLR2004  # colours by index
        raise _wrong("The image has no palette.")
    pixels = b"".join(data for kind, data in chunks if kind == b"IDAT")
    if not _fills(pixels, height * (1 + row_bytes)):
        raise _wrong("The image has not the pixels that it says.")
    written = _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)
    return Logo(written, width, height)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give each chunk's type and data to the end of the image, where the file ends too."""
    place = len(_SIGNATURE)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        kind, end = content[place + 4 : place + 8], place + 12 + length
        if end > len(content):
            break
        (check,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(content[place + 4 : end - 4]) != check:
            raise _wrong("The image is damaged: a checksum differs.")
        yield kind, content[place + 8 : end - 4]
        if kind == b"IEND":
            if end != len(content):
                raise _wrong("Something follows the end of the image.")
            return
        place = end
    raise _wrong("The image is not whole.")


def _measured(header: bytes) -> tuple[int, int, int]:
    """Give width, height, and the bytes of a row of pixels."""
    if len(header) != _HEADER.size:
        raise _wrong("The image is not whole.")
    width, height, depth, colours, compression, filters, interlace = _HEADER.unpack(header)
    if not (SIDE_MIN <= width <= SIDE_MAX and SIDE_MIN <= height <= SIDE_MAX):
        raise _wrong(f"A logo is {SIDE_MIN} to {SIDE_MAX} pixels wide and high.")
    if depth not in _DEPTHS.get(colours, ()) or compression or filters:
        raise _wrong("The image has no kind of pixels that PNG knows.")
    if interlace:
        raise _wrong("Save the image without interlacing.")
    return width, height, (width * _SAMPLES[colours] * depth + 7) // 8


def _fills(compressed: bytes, size: int) -> bool:
    """Say whether pixels unpack to exactly so many bytes; never unpacks more."""
    unpacking = zlib.decompressobj()
    try:
        found = len(unpacking.decompress(compressed, size + 1))
    except zlib.error:
        return False
    return found == size and unpacking.eof and not unpacking.unused_data


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _wrong(detail: str) -> Invalid:
    return Invalid("This cannot be a logo.", code="logo_wrong", faults=[Fault("", detail)])
