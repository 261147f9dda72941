"""What a row means: a registration to be made, a change to one, or the same as what is on file."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.registration.bodies import RegistrationBody
from services.registration.domain.editing import Edit
from services.registration.domain.imports.comparing import Who
from services.registration.domain.imports.findings import Finding
from services.registration.domain.imports.mapping import ANSWER
from services.registration.domain.people import Organization, Person, SignUp
from shared.events.base import Bilingual, ListingKind, Side
from shared.events.registration import Listing

Row = asyncpg.Record
Fields = Mapping[str, Any]

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_PLACES = {
    "name": "organization",
    "native_name": "native_organization",
}
_OURS = (
    "full_name",
    "native_name",
    "latin_name",
    "email",
    "language",
    "organization",
    "native_organization",
    "country",
    "registration_number",
    "size",
    "status",
)
_LISTINGS: tuple[tuple[str, ListingKind], ...] = (("offers", "offer"), ("needs", "need"))
_FOLLOWS = {"native_name": "full_name", "native_organization": "organization"}
"""Names that are one text in a list where the other is not a column of its own."""
_CODES = {"email": "email_wrong", "string_too_long": "too_long"}


def checked_sign_up(fields: Fields, side: Side, partner_id: UUID) -> SignUp:
    """Give the registration that a row asks for, checked as one's own is.

    Raises `ValidationError`.
    """
    one = sign_up_of(fields, side, partner_id)
    given, company = one.person, one.organization
    RegistrationBody.model_validate(
        {
            "side": side,
            "source": one.source,
            "partner_id": partner_id,
            "consent": True,
            "person": {name: getattr(given, name) for name in Person.__slots__},
            "organization": {name: getattr(company, name) for name in Organization.__slots__},
            "listings": [listing.model_dump() for listing in one.listings],
            "answers": one.answers,
        }
    )
    return one


def sign_up_of(fields: Fields, side: Side, partner_id: UUID) -> SignUp:
    """Give the registration that a row asks for.

    Whoever sends a list says that its people were told and agreed to take part. To have their data
    sent abroad each agrees alone, and no list can say it for them.
    """
    sectors = tuple(fields.get("sectors", ()))
    return SignUp(
        side=side,
        source="import",
        partner_id=partner_id,
        organization=Organization(
            name=fields.get("organization", ""),
            native_name=fields.get("native_organization"),
            country=fields.get("country", ""),
            registration_number=fields.get("registration_number"),
            sectors=sectors,
            size=fields.get("size"),
        ),
        person=Person(
            full_name=fields.get("full_name", ""),
            native_name=fields.get("native_name"),
            latin_name=fields.get("latin_name"),
            email=fields.get("email", ""),
            language=fields["language"],
            languages=tuple(fields["languages"]),
            position=both(fields.get("position")),
        ),
        listings=tuple(
            Listing(kind=kind, sector=sectors[0], text=Bilingual(**both(fields[name]) or {}))
            for name, kind in _LISTINGS
            if fields.get(name) and sectors
        ),
        answers=fields.get("answers", {}),
    )


def both(text: str | None) -> dict[str, str] | None:
    """Put a text beside the language that it is written in."""
    if not text:
        return None
    is_native = bool(_HAN.search(text))
    return {"en": "" if is_native else text, "zh": text if is_native else ""}


def findings_of(error: ValidationError, fields: Fields) -> list[Finding]:
    """Say what is wrong with a row in the words of lists."""
    found: dict[str, Finding] = {}
    for fault in error.errors():
        name = field_at(fault["loc"])
        is_address = name == "email"
        code = "email_wrong" if is_address else _CODES.get(fault["type"], "wrong")
        value = str(fields.get(name, ""))[:200]
        if code == "too_long":
            value = str(fault["ctx"]["max_length"])
        found.setdefault(name, Finding(code, name, value))
    # What is one text in the list is said once.
    for name, leader in _FOLLOWS.items():
        if leader in found and fields.get(name) == fields.get(leader):
            found.pop(name, None)
    return list(found.values())


def field_at(place: Collection[Any]) -> str:
    """Give the field of a list that a place in a registration is filled from."""
    part, *rest = [str(one) for one in place] or [""]
    if part == "answers":
        return f"{ANSWER}{rest[0]}" if rest else part
    if part == "listings":
        return "offers"
    name = rest[0] if rest else part
    return _PLACES.get(name, name) if part == "organization" else name


def ours_of(row: Row) -> dict[str, Any]:
    """Give what is on file in the fields that a list has."""
    position = row["position"] or {}
    return {
        **{name: row[name] for name in _OURS if row[name]},
        "languages": list(row["languages"]),
        "sectors": list(row["sectors"] or ()),
        **({"position": text} if (text := position.get("zh") or position.get("en")) else {}),
    }


def edit_of(row: Row, fields: Fields, differences: Mapping[str, Who]) -> Edit:
    """Give the change that takes over what the partner changed; what only we changed stays."""
    taken = {name for name, who in differences.items() if who != "ours"}
    taken |= {
        name
        for name, leader in _FOLLOWS.items()
        if leader in taken and name not in differences and row[name] == row[leader]
    }

    def value(name: str, column: str | None = None) -> Any:
        return fields.get(name) if name in taken else row[column or name]

    person = Person(
        full_name=value("full_name"),
        native_name=value("native_name"),
        latin_name=value("latin_name"),
        email=value("email"),
        language=value("language"),
        languages=tuple(value("languages")),
        position=both(fields.get("position")) if "position" in taken else row["position"],
    )
    organization = Organization(
        name=value("organization"),
        native_name=value("native_organization"),
        country=value("country"),
        registration_number=value("registration_number"),
        sectors=tuple(value("sectors")),
        size=value("size"),
    )
    return Edit(person=person, organization=organization)
