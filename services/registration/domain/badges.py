"""Badge codes: random, short enough to be typed, with a check character; nothing personal in them.

Eleven random characters of Crockford's base32 are 55 bits, and one more checks them. Twelve
characters fit the smallest QR code (version 1) at quality Q: a quarter of it may be unreadable.
"""

import hashlib
import unicodedata
from collections.abc import Callable

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 12
GROUP = 4
# What people write for a character that looks like it.
LOOKS_LIKE = str.maketrans("OIL", "011")
GAPS = " -‐‑–—"

SALT = b"tradewind badge"
ROUNDS = 4_000
"""Whoever steals a roster needs a graphics card for a year to find one of 400 codes behind their
digests; a phone needs milliseconds for the one it was shown."""
DIGEST_BYTES = 16

_POLYNOMIAL = 0b100101
_FIELD = 32


def new_code(choose: Callable[[str], str]) -> str:
    """Make a code; `choose` picks one of the characters given, unpredictably."""
    body = "".join(choose(ALPHABET) for _ in range(LENGTH - 1))
    return body + check_character(body)


def read(text: str) -> str | None:
    """Read a code as it was scanned or typed; None when it cannot be one."""
    plain = unicodedata.normalize("NFKC", text).upper().translate(LOOKS_LIKE)
    code = "".join(character for character in plain if character not in GAPS)
    if len(code) != LENGTH or any(character not in ALPHABET for character in code):
        return None
    return code if check_character(code[:-1]) == code[-1] else None


def shown(code: str) -> str:
    """Write a code in groups, as people read it."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def digest(code: str) -> bytes:
    """Give what a phone keeps instead of the code: enough to know it again when it is shown."""
    return hashlib.pbkdf2_hmac("sha256", code.encode(), SALT, ROUNDS, DIGEST_BYTES)


def check_character(body: str) -> str:
    """Give the character that finds any one wrong character, and any two that were swapped.

    A weighted sum over the field of 32 elements; each place has a weight of its own.
    """
    total = 0
    for character in body:
        total = _doubled(total ^ ALPHABET.index(character))
    return ALPHABET[total]


def _doubled(element: int) -> int:
    element <<= 1
    return element ^ _POLYNOMIAL if element >= _FIELD else element
