"""The registration form: what it sends becomes a sign-up, what is wrong goes back to its field."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict
from uuid import UUID

import asyncpg
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request

from services.registration.bodies import RegistrationBody
from services.registration.domain.consents import ConsentText
from services.registration.domain.people import SignUp
from services.registration.domain.questions import Facts
from shared.errors import Fault, Invalid, Malformed, NotFound
from shared.idempotency import Key
from shared.problems import pointer

FIELDS_MAX = 500
FILES_MAX = 20

SINGLE = (
    "full_name",
    "native_name",
    "email",
    "position",
    "organization_name",
    "organization_native_name",
    "country",
    "registration_number",
    "size",
    "offer",
    "offer_sector",
    "need",
    "need_sector",
    "language",
)
SEVERAL = ("items", "sectors", "languages", "consents")

FIELDS = {
    "/person/full_name": "full_name",
    "/person/native_name": "native_name",
    "/person/latin_name": "full_name",
    "/person/email": "email",
    "/person/language": "language",
    "/person/languages": "languages",
    "/person/position": "position",
    "/organization/name": "organization_name",
    "/organization/native_name": "organization_native_name",
    "/organization/country": "country",
    "/organization/registration_number": "registration_number",
    "/organization/sectors": "sectors",
    "/organization/size": "size",
    "/listings": "offer",
    "/consent": "consent",
    "/consents": "consents",
    "/items": "items",
}
"""Where the API's pointers lie on the form; a longer pointer belongs to its beginning."""


class StopFacts(TypedDict):
    """What the form says about the stop."""

    mission: asyncpg.Record
    stop: asyncpg.Record
    items: Sequence[asyncpg.Record]
    roles: Sequence[asyncpg.Record]
    texts: Sequence[ConsentText]


def stop_facts(facts: Mapping[str, Any], slug: str) -> StopFacts:
    """Narrow a mission's facts to one stop; raises `NotFound`."""
    stop = next((stop for stop in facts["stops"] if stop["slug"] == slug), None)
    if stop is None:
        raise NotFound("There is no such stop.")
    return StopFacts(
        mission=facts["mission"],
        stop=stop,
        items=[item for item in facts["items"] if item["stop_id"] == stop["id"]],
        roles=[role for role in facts["roles"] if role["stop_id"] == stop["id"]],
        texts=facts["texts"],
    )


def facts_of(given: Mapping[str, Any], items: Sequence[asyncpg.Record]) -> Facts:
    """Give what the form's questions may hang on."""
    ticked = [item for item in items if str(item["id"]) in given["items"]]
    return Facts(
        country=given["country"],
        items=[str(item["id"]) for item in ticked],
        kinds=[item["kind"] for item in ticked],
    )


def empty(items: Sequence[asyncpg.Record], country: str) -> dict[str, Any]:
    """Give what the form shows first: everything is chosen that needs no approval."""
    chosen = [str(item["id"]) for item in items if not item["requires_approval"]]
    return dict.fromkeys(SINGLE, "") | {
        "items": chosen,
        "country": country,
        "sectors": [],
        "languages": [],
        "consents": [],
        "consent": False,
    }


async def given(request: Request) -> FormData:
    """Read what was sent; raises `Malformed` for letters that can be neither kept nor shown."""
    try:
        sent = await request.form(max_fields=FIELDS_MAX, max_files=FILES_MAX)
        for name, value in sent.multi_items():
            f"{name}{value}".encode()
    except ValueError:
        raise Malformed("The form is in letters that cannot be read.") from None
    return sent


def shown(given: FormData) -> dict[str, Any]:
    """Give what somebody typed, to be shown again."""
    values: dict[str, Any] = {name: str(given.get(name, "")) for name in SINGLE}
    values |= {name: [str(value) for value in given.getlist(name)] for name in SEVERAL}
    return values | {"consent": given.get("consent") == "yes"}


def read(given: FormData) -> SignUp:
    """Read the form as the API reads its body; raises `pydantic.ValidationError`."""
    values = shown(given)
    language = values["language"] or "en"
    other = "zh" if language == "en" else "en"
    listings = [
        {
            "kind": kind,
            "sector": values[f"{kind}_sector"] or (values["sectors"] or ["none"])[0],
            "text": {language: values[kind], other: ""},
        }
        for kind in ("offer", "need")
        if values[kind].strip()
    ]
    position = {language: values["position"], other: ""} if values["position"].strip() else None
    body = {
        "side": "local",
        "source": "self",
        "consent": values["consent"],
        "consents": values["consents"],
        "organization": {
            "name": values["organization_name"] or values["organization_native_name"],
            "native_name": values["organization_native_name"] or None,
            "country": values["country"],
            "registration_number": values["registration_number"].strip() or None,
            "sectors": values["sectors"],
            "size": values["size"] or None,
        },
        "person": {
            "full_name": values["full_name"],
            "native_name": values["native_name"] or None,
            "email": values["email"],
            "language": language,
            "languages": values["languages"],
            "position": position,
        },
        "listings": listings,
    }
    return RegistrationBody.model_validate(body).value()


def filled(
    given: FormData, items: Sequence[asyncpg.Record], wrong: Mapping[str, Any]
) -> tuple[SignUp, Sequence[UUID]]:
    """Give the sign-up and the items that were ticked, in order of time.

    Raises `Invalid` with everything that is wrong at once; `wrong` are the answers that are.
    """
    ticked = {str(value) for value in given.getlist("items")}
    chosen = [item["id"] for item in items if str(item["id"]) in ticked]
    faults = [] if chosen else [Fault("/items", "Choose one item at least.")]
    faults += [Fault(f"/answers/{code}", fault.detail) for code, fault in wrong.items()]
    sign_up: SignUp | None = None
    try:
        sign_up = read(given)
    except ValidationError as error:
        faults += faults_of(error)
    if sign_up is None or faults:
        raise Invalid("Some fields are missing or wrong.", faults=faults)
    return sign_up, chosen


def faults_of(error: ValidationError) -> list[Fault]:
    """Give what is wrong with a body as faults."""
    return [Fault(pointer(("body", *one["loc"])), one["msg"]) for one in error.errors()]


def key(given: FormData, item_id: UUID) -> Key:
    """Make the idempotency key of one item: what this form said when it was opened as this one.

    The same again, by a second press of the button, is one request; a form that was gone back to
    and changed is another.
    """
    text = repr(sorted((name, str(value)) for name, value in given.multi_items()))
    digest = hashlib.sha256(text.encode())
    return Key(f"form {item_id}", digest.hexdigest(), digest.digest(), is_patient=True)


def wrong(faults: Sequence[Fault]) -> list[str]:
    """Name the form's fields that are wrong; what fits none is under an empty name."""
    found = [
        next((FIELDS[start] for start in FIELDS if f"{fault.pointer}/".startswith(f"{start}/")), "")
        for fault in faults
        if not fault.pointer.startswith("/answers/")
    ]
    return list(dict.fromkeys(found))
