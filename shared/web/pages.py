"""Pages: templates rendered in the reader's language."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from shared.web.words import LANGUAGES, load, preferred

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"

LANGUAGE_COOKIE = "tradewind_language"
YEAR_SECONDS = 365 * 24 * 3600
WEEKDAYS_ZH = "一二三四五六日"
ZONES_ZH = {"Asia/Shanghai": "北京时间", "Asia/Hong_Kong": "香港时间"}


def language_of(request: Request) -> str:
    """Choose the language: `?lang=`, then the cookie, then what the browser asks for."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return str(chosen)
    return preferred(request.headers.get("accept-language", ""))


def local(moment: datetime, zone: str) -> str:
    """Write a time as the clock on the wall of the stop shows it."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def zone_name(moment: datetime, zone: str, language: str = "en") -> str:
    """Name a zone for people, with its distance from UTC: `Shanghai, UTC+8`."""
    offset = moment.astimezone(ZoneInfo(zone)).strftime("%z")
    hours = f"{int(offset[:3]):+d}" + (f":{offset[3:]}" if offset[3:] != "00" else "")
    if language == "zh":
        return ZONES_ZH.get(zone, f"UTC{hours}")
    return f"{zone.rpartition('/')[2].replace('_', ' ')}, UTC{hours}"


def bilingual(value: Any, language: str) -> str:  # a mapping, a model or nothing
    """Give the text in the reader's language, or the other where that is empty."""
    if value is None:
        return ""
    texts: Mapping[str, str] = value.model_dump() if isinstance(value, BaseModel) else value
    return texts.get(language) or texts["en"] or texts["zh"]


def day(on: date, language: str) -> str:
    """Write a day with its weekday."""
    if language == "zh":
        return f"{on.year}年{on.month}月{on.day}日 星期{WEEKDAYS_ZH[on.weekday()]}"
    return f"{on:%a} {on.day} {on:%b %Y}"


def on_day(moment: datetime, zone: str, language: str) -> str:
    """Write a moment as its day and time with the zone they are in."""
    on = day(moment.astimezone(ZoneInfo(zone)).date(), language)
    name = zone_name(moment, zone, language)
    if language == "zh":
        return f"{on} {local(moment, zone)}（{name}）"
    return f"{on}, {local(moment, zone)} ({name})"


class Pages:
    """The templates and words of one service, over the shared ones."""

    def __init__(self, folder: Path) -> None:
        self.words = load([HERE / "words.toml", *sorted(folder.glob("words*.toml"))])
        self.environment = Environment(
            loader=FileSystemLoader([folder, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def text(self, key: str, language: str, **values: object) -> str:
        """Give one text; `values` fill its braces. Raises `KeyError` for an unknown key."""
        return self.words[key][language].format(**values)

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        **context: object,
    ) -> HTMLResponse:
        """Render a page. Templates see `t`, `b`, `local`, `zone_name`, `day`, `lang`."""
        language = language_of(request)
        page = self.environment.get_template(template).render(
            lang=language,
            t=lambda key, **values: self.text(key, language, **values),
            known=lambda key: key in self.words,
            b=lambda value: bilingual(value, language),
            day=lambda on: day(on, language),
            local=local,
            zone_name=lambda moment, zone: zone_name(moment, zone, language),
            query={k: v for k, v in request.query_params.items() if k not in ("lang", "token")},
            is_signed_in="tradewind_session" in request.cookies,
            status=status,
            **context,
        )
        response = HTMLResponse(page, status, headers={"Content-Language": language})
        response.headers["Vary"] = "Accept-Language, Cookie"
        # A page may be somebody's own; the browser's way back may still show it at once.
        response.headers["Cache-Control"] = "private, no-cache"
        if request.query_params.get("lang") == language:
            response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_SECONDS, samesite="lax")
        return response


PROBLEMS = Pages(TEMPLATES)
"""Renders the page of an error."""
