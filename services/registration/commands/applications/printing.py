"""Printing: an invitation letter becomes a PDF in one language."""

import io
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
import segno

from services.registration.domain.letters import Worth
from shared.errors import Conflict
from shared.events.base import Language
from shared.printing import CJK_FONT, families, typeset
from shared.web.pages import bilingual
from shared.web.words import load

HERE = Path(__file__).parent

Json = dict[str, Any]


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Read the words of the letter."""
    return load([HERE / "words_letter.toml"])


def printed(letter: asyncpg.Record, language: Language, address: str, worth: Worth) -> bytes:
    """Set a letter; `address` is where its number is checked.

    It takes a good part of a second: call it in a thread. Raises `Conflict` where the font for
    Chinese is missing.
    """
    if CJK_FONT not in families():
        raise Conflict(f"The font {CJK_FONT} is not installed on this server.", code="no_font")
    return typeset(HERE / "letter.typ", content(letter, language, address, worth))


def content(letter: asyncpg.Record, language: Language, address: str, worth: Worth) -> Json:
    """Give what the letter says in one language: texts, ready to be set."""
    said = letter["content"]
    mission, invitee = said["mission"], said["invitee"]
    organizer = bilingual(mission["organizer"], language)
    starts, ends = (date.fromisoformat(mission[name]) for name in ("starts_on", "ends_on"))
    company = _company(said["company"], language)

    def t(key: str, **values: object) -> str:
        return words()[key][language].format(**values)

    return {
        "language": language,
        "title": t("title"),
        "organizer": organizer or t("no_organizer"),
        "facts": [
            [t("number"), letter["number"]],
            [t("issued"), day(letter["issued_at"].date(), language)],
        ],
        "greeting": t("greeting", name=_person(invitee, language)),
        "paragraphs": [
            t(
                "invites",
                organizer=organizer or t("no_organizer"),
                mission=bilingual(mission["title"], language),
                starts=day(starts, language),
                ends=day(ends, language),
            ),
            t("costs", company=company),
        ],
        "invitee": [
            [t("invitee"), _person(invitee, language)],
            *(
                [[t("position"), bilingual(invitee["position"], language)]]
                if invitee["position"]
                else []
            ),
            [t("company"), company],
            [t("dates"), t("from_to", starts=day(starts, language), ends=day(ends, language))],
            [t("valid"), t("valid_until", day=day(letter["valid_until"], language))],
        ],
        "stops": {
            "title": t("programme"),
            "head": [t("date"), t("city"), t("event"), t("hosts")],
            "rows": [
                [
                    day(date.fromisoformat(stop["held_on"]), language),
                    bilingual(stop["city"], language),
                    bilingual(stop["title"], language),
                    t("comma").join(bilingual(host, language) for host in stop["hosts"]),
                ]
                for stop in said["stops"]
            ],
        },
        "signature": t("signature", organizer=organizer or t("no_organizer")),
        "verify": t("verify"),
        "address": address,
        "place": address.removesuffix(letter["number"]),
        "number": letter["number"],
        "code": _code(address),
        "void": t("void") if worth is Worth.REVOKED else "",
        "void_line": t("void_line"),
    }


def day(on: date, language: Language) -> str:
    """Write a day as letters do."""
    if language == "zh":
        return f"{on.year}年{on.month}月{on.day}日"
    return f"{on.day} {on:%B %Y}"


def _person(invitee: Json, language: Language) -> str:
    native, full = invitee["native_name"], invitee["full_name"]
    if not native or native == full:
        return str(full)
    return f"{native}（{full}）" if language == "zh" else f"{full} ({native})"


def _company(company: Json, language: Language) -> str:
    return str((company["native_name"] if language == "zh" else None) or company["name"])


def _code(address: str) -> str:
    """Draw the address as a QR code."""
    drawn = io.BytesIO()
    segno.make(address, error="m").save(drawn, kind="svg", border=0, dark="#083f4a")
    return drawn.getvalue().decode()
