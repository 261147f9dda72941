"""Moments: a day and a time with the zone they are in, in the reader's language."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import Request

from shared.web import pages
from shared.web.pages import day, language_of


def on_day(request: Request) -> Callable[[datetime, str], str]:
    """Give what writes a moment for the reader of a page."""
    language = language_of(request)
    return lambda moment, zone: pages.on_day(moment, zone, language)


def only_day(request: Request) -> Callable[[datetime, str], str]:
    """Give what writes the day of a moment, where the hour does not matter."""
    language = language_of(request)
    return lambda moment, zone: day(moment.astimezone(ZoneInfo(zone)).date(), language)
