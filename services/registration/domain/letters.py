"""Invitation letters: their numbers, and what they are worth today."""

import unicodedata
from datetime import date
from enum import StrEnum

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is read as a digit."""
MARK_LENGTH = 10
_MISREAD = str.maketrans("OIL", "011")


class Worth(StrEnum):
    """What a letter is worth."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


def number(year: int, serial: int, digest: bytes) -> str:
    """Write a letter's number: year, serial, and ten characters that nobody can guess.

    `digest` is a keyed one; each of its bytes gives five bits.
    """
    mark = "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:MARK_LENGTH])
    return f"{year}-{serial:04}-{mark[:5]}-{mark[5:]}"


def as_written(typed: str) -> str:
    """Read a number as it was typed from paper: spaces, small letters, and O for 0 are forgiven."""
    plain = "".join(unicodedata.normalize("NFKC", typed).upper().split())
    for dash in "‐‑‒–—−":
        plain = plain.replace(dash, "-")
    return plain.translate(_MISREAD)


def worth(valid_until: date, today: date, *, is_revoked: bool) -> Worth:
    """Say what a letter is worth; its last day counts."""
    if is_revoked:
        return Worth.REVOKED
    return Worth.VALID if today <= valid_until else Worth.EXPIRED


def initials(full_name: str) -> str:
    """Give the initials of a name, or the first character of a Chinese one."""
    parts = full_name.split()
    return " ".join(f"{part[0].upper()}." for part in parts) if parts[0].isascii() else parts[0][0]
