"""Mails as bytes (RFC 5322, RFC 2045): few headers and parts, all of them ours, written at once."""

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header

LINE = b"\r\n"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail, with its own headers."""

    headers: tuple[str, ...]
    content: bytes

    def written(self) -> bytes:
        """Write headers and content."""
        return LINE.join([*(header.encode() for header in self.headers), b"", self.content])


def text(kind: str, content: bytes, *more: str, is_mostly_ascii: bool = False) -> Part:
    """Make a part of text in UTF-8: quoted where it is mostly ASCII, else in base64."""
    if is_mostly_ascii:
        encoding = "quoted-printable"
        lines = b2a_qp(content.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", LINE)
    else:
        encoding = "base64"
        lines = encodebytes(content).rstrip(b"\n").replace(b"\n", LINE)
    head = (f"Content-Type: text/{kind}", f"Content-Transfer-Encoding: {encoding}")
    return Part((*head, *more), lines)


def several(kind: str, parts: Sequence[Part], boundary: str) -> Part:
    """Put parts together, or give the one there is.

    The boundary begins with `=_`, which neither of our encodings ever writes.
    """
    if len(parts) == 1:
        return parts[0]
    edge = f"--=_{boundary}".encode()
    written = [line for part in parts for line in (edge, part.written())]
    content = LINE.join([*written, edge + b"--", b""])
    return Part((f'Content-Type: multipart/{kind}; boundary="=_{boundary}"',), content)


def header(name: str, value: str) -> str:
    """Write a header of free text, encoded (RFC 2047) and folded where it must be."""
    # What looks encoded already would be read as something else.
    charset = "us-ascii" if value.isascii() and "=?" not in value else "utf-8"
    written = Header(value, charset, header_name=name).encode(linesep="\r\n")
    return f"{name}: {written}"
