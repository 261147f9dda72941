"""Names on the pages: whose somebody may read, and companies in the reader's language."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx2
import structlog
from fastapi import Request

from services.matching.resources import Resources
from shared.access import Principal, Scope, may
from shared.contacts import Contact
from shared.web.pages import language_of

NAMES_SECONDS_MAX = 2

log = structlog.get_logger()


async def names(
    held: Resources,
    who: Principal,
    scope: Scope,
    people: Mapping[UUID, UUID | None],
    in_touch: Collection[UUID] = (),
) -> Callable[[UUID, str], str]:
    """Give what names people in a language, as far as the reader may know who they are.

    `people`: the partner who invited each. Staff reads the names it reads at the door, a
    participant those `in_touch`. Without registration nobody has a name.
    """
    staff = {
        person
        for person, partner in people.items()
        if may(who, "check_in", replace(scope, person_ids=(person,), partner_id=partner))
    }
    known = await _contacts(held, staff | {one for one in in_touch if one in people})

    def name(person: UUID, language: str) -> str:
        contact = known.get(person)
        if contact is None or not (person in staff or contact.may_cross):
            return ""
        return contact.name_in(language)

    return name


async def _contacts(held: Resources, people: Iterable[UUID]) -> Mapping[UUID, Contact]:
    try:
        async with asyncio.timeout(NAMES_SECONDS_MAX):
            return await held.contacts.of(people)
    except (httpx2.HTTPError, TimeoutError) as error:
        log.warning("names are left out", error=repr(error))
        return {}


def company_words(request: Request) -> dict[str, Any]:
    """Give what writes a company's name as readers know it, and its name in the other script."""
    is_chinese = language_of(request) == "zh"

    def company(one: Any) -> str:
        native = _of(one, "native_organization") if is_chinese else None
        return native or _of(one, "organization") or ""

    def other(one: Any) -> str:
        name = _of(one, "organization" if is_chinese else "native_organization") or ""
        return "" if name == company(one) else name

    return {"company": company, "company_other": other}


def _of(one: Any, name: str) -> str | None:
    # A row of the database is read as a mapping is, and is none.
    found: str | None = one[name] if hasattr(one, "keys") else getattr(one, name)
    return found
