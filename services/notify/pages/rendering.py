"""The templates and words of this service."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from shared.web.pages import Pages, on_day

HERE = Path(__file__).parent
STATIC = HERE / "static"

FITS = {24: "", 32: "long"}
"""Up to how many letters a name has which size on a screen; a Chinese one counts twice."""


def begins_at(meeting: dict[str, Any]) -> datetime:
    """Say when a meeting begins with its delay, which does not move its end."""
    planned = datetime.fromisoformat(meeting["starts_at"])
    return planned + timedelta(minutes=meeting["delay_minutes"])


def fit(name: str) -> str:
    """Say how small a name must be written on a screen."""
    units = sum(1 if letter.isascii() else 2 for letter in name)
    return next((size for most, size in FITS.items() if units <= most), "longer")


def clock(moment: datetime, zone: str) -> str:
    """Write a moment as the stop's clock and calendar show it."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M")


pages = Pages(HERE)
pages.environment.globals |= {
    "moment": datetime.fromisoformat,
    "begins_at": begins_at,
    "fit": fit,
    "clock": clock,
    "on_day": on_day,
}
