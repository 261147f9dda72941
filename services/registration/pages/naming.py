"""Names as a page's reader knows them: of people, and of their companies."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from services.registration.domain.names import displayed
from shared.events.base import Language
from shared.web.pages import language_of


def naming(request: Request) -> dict[str, Any]:
    """Give what writes the name, the name in the other script, and the company of a row."""
    language: Language = "zh" if language_of(request) == "zh" else "en"

    def name(row: Mapping[str, Any]) -> str:
        return displayed(row["full_name"], row["native_name"], row["latin_name"], language)

    def other_name(row: Mapping[str, Any]) -> str:
        # Who reads Chinese and sees the characters needs no letters beside them.
        other = row["native_name"] if language == "en" else ""
        return "" if not other or other == name(row) else other

    def company(row: Mapping[str, Any]) -> str:
        native = row["native_organization"] if language == "zh" else None
        return native or row["organization"] or ""

    return {"name": name, "other_name": other_name, "company": company}
