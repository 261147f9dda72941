"""Findings: what was looked at, how it is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    about: str
    level: Level
    seen: str
    advice: str = ""
    """What it means and what to do, unless it is `ok`."""


def ok(about: str, seen: str) -> Finding:
    """Say that something is as it must be."""
    return Finding(about, "ok", seen)


def warning(about: str, seen: str, advice: str) -> Finding:
    """Say that something works, and may not when it counts."""
    return Finding(about, "warning", seen, advice)


def wrong(about: str, seen: str, advice: str) -> Finding:
    """Say that something does not work, or does not keep what is promised."""
    return Finding(about, "wrong", seen, advice)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 record`, `2 records`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def lasting(seconds: float) -> str:
    """Write how long something lasts, in the unit that people would say."""
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return counted(int(seconds), "second")


def address(url: str) -> str:
    """Give what may be shown of an address: neither user and password, nor the query."""
    scheme, separator, place = url.partition("://")
    place, _, query = place.partition("?")
    if "@" in query and "@" not in place:
        # Whether a password ends there, nobody can say.
        return f"{scheme}{separator}…"
    return f"{scheme}{separator}{place.rpartition('@')[2]}"
