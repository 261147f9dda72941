"""Whole requests: what comes in one piece and is written as most are, read without a parser.

The server's parser calls for each piece that it finds, which was most of what a rushed request cost
before anybody looked at it. Here is read only what nobody can read in two ways (RFC 9112): whatever
is unusual the parser gets, as it came.
"""

from dataclasses import dataclass

from shared.edge import BODY_BYTES_MAX

_TOKEN = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PATH = _TOKEN + b"/"
_VISIBLE = bytes(range(0x20, 0x7F))
_VERSION = b" HTTP/1.1"
_LENGTH = b"content-length"
_LENGTH_DIGITS_MAX = len(str(BODY_BYTES_MAX))
# They change how a request is read, or answered.
_UNUSUAL = frozenset({b"", b"transfer-encoding", b"expect", b"upgrade"})


@dataclass(slots=True)
class Whole:
    """A request as it was written; the names of headers in small letters, each once."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes


def read_whole(data: bytes) -> Whole | None:
    """Read one whole request; None for a part, for more than one, and for whatever is unusual."""
    head, gap, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, _, target = first.partition(b" ")
    path = target.removesuffix(_VERSION)
    is_usual = gap and path != target and path.startswith(b"/")
    if not is_usual or method.translate(None, _TOKEN) or path.translate(None, _PATH):
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            return None
        headers[name.lower()] = value.strip(b" ")
    if not _is_usual(headers, len(lines), len(body)):
        return None
    return Whole(method.decode(), path.decode(), headers, body)


def _is_usual(headers: dict[bytes, bytes], count: int, size: int) -> bool:
    """Say whether headers leave no doubt: each once, in plain letters, and the length of all."""
    length = headers.get(_LENGTH, b"")
    return (
        len(headers) == count
        and not _UNUSUAL & headers.keys()
        and not b"".join(headers).translate(None, _TOKEN)
        and not b"".join(headers.values()).translate(None, _VISIBLE)
        and headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"
        and length.isdigit()
        and len(length) <= _LENGTH_DIGITS_MAX
        and int(length) == size <= BODY_BYTES_MAX
    )
