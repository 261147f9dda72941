"""iCalendar as text (RFC 5545): content lines, values, and folding."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

OCTETS_MAX = 75
"""Of a line (RFC 5545, 3.1), without its end."""
_CONTINUED = 0b1100_0000, 0b1000_0000
"""What of a byte says that it goes on with a letter of UTF-8, and what it is then."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_QUOTED = str.maketrans({'"': "'", "\n": " "})


def text(value: str) -> str:
    """Write a text as a value (RFC 5545, 3.3.11)."""
    return _CONTROL.sub("", value).translate(_ESCAPED)


def parameter(value: str) -> str:
    """Write a text as a parameter (RFC 5545, 3.2), which can hold no double quote."""
    return f'"{_CONTROL.sub("", value).translate(_QUOTED)}"'


def moment(value: datetime) -> str:
    """Write a moment in UTC (RFC 5545, 3.3.5, form 2)."""
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def written(lines: Iterable[str]) -> bytes:
    """Write content lines, folded where they are long."""
    return b"".join(map(_folded, lines))


def _folded(line: str) -> bytes:
    octets = line.encode()
    if len(octets) <= OCTETS_MAX:
        return octets + b"\r\n"
    parts = []
    begin, room = 0, OCTETS_MAX
    while len(octets) - begin > room:
        end = begin + room
        while octets[end] & _CONTINUED[0] == _CONTINUED[1]:
            end -= 1
        parts.append(octets[begin:end])
        # The space that begins a line that goes on is one of its octets.
        begin, room = end, OCTETS_MAX - 1
    return b"\r\n ".join([*parts, octets[begin:]]) + b"\r\n"
