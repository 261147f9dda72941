"""The templates and words of this service."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared.web.pages import Pages

LONG_UNITS = 30
"""From here on a name needs smaller letters on a screen; a Chinese character counts twice."""


def begins_at(meeting: dict[str, Any]) -> datetime:
    """Say when a meeting begins with its delay, which does not move its end."""
    planned = datetime.fromisoformat(meeting["starts_at"])
    return planned + timedelta(minutes=meeting["delay_minutes"])


def is_long(name: str) -> bool:
    """Say whether a name needs smaller letters on a screen."""
    return sum(1 if letter.isascii() else 2 for letter in name) > LONG_UNITS


pages = Pages(Path(__file__).parent)
pages.environment.globals |= {
    "moment": datetime.fromisoformat,
    "begins_at": begins_at,
    "is_long": is_long,
}
