"""Marks in texts of others that nobody sees, or that turn round what stands beside them.

Joiners, which names in some scripts need, are let through.
"""

import re

_IN_LINES = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Controls, what ends a line without looking so, and what changes the direction of writing."""

_MARKS = re.compile(f"[{_IN_LINES}]")
_NOT_IN_A_LINE = re.compile(rf"[\t\n{_IN_LINES}]")


def without_marks(text: str) -> str:
    """Leave such marks out; lines and tabs stay."""
    return _MARKS.sub("", text)


def is_one_line(text: str) -> bool:
    """Say whether a text stands in a line as it is: without such marks, line breaks and tabs."""
    return not _NOT_IN_A_LINE.search(text)
