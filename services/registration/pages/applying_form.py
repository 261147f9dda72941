"""The forms of applying: what they send becomes what the API takes, faults go to their fields."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.application_bodies import ApplicationBody, SignatureBody, StartBody
from services.registration.domain.applying import Content
from shared.errors import Fault, Invalid, Malformed
from shared.problems import pointer
from shared.web.numbers import number

START = ("full_name", "native_name", "email", "company", "language")
SINGLE = (
    "full_name",
    "native_name",
    "position",
    "company_name",
    "company_native_name",
    "country",
    "registration_number",
    "size",
    "signer_name",
    "signer_title",
    "disclosure",
)
PLAIN = {
    "/contact/full_name": "full_name",
    "/contact/native_name": "native_name",
    "/contact/position": "position",
    "/company/name": "company_name",
    "/company/native_name": "company_native_name",
    "/company/country": "country",
    "/company/registration_number": "registration_number",
    "/company/sectors": "sectors",
    "/company/size": "size",
    "/objectives": "objectives",
}
PREFIXES = {"/objectives/": "objective.", "/answers/": "answer.", "/certifications/": "certify."}


def start_values(given: FormData | None) -> dict[str, Any]:
    """Give what the first form shows."""
    if given is None:
        return dict.fromkeys(START, "") | {"consent": False}
    values: dict[str, Any] = {name: str(given.get(name, "")) for name in START}
    return values | {"consent": given.get("consent") == "yes"}


def start(given: FormData) -> StartBody:
    """Read the first form; raises `pydantic.ValidationError`."""
    values = start_values(given)
    return StartBody.model_validate(
        values
        | {"native_name": values["native_name"].strip() or None}
        | {"language": values["language"] or "en"}
    )


def kept(row: asyncpg.Record, language: str) -> dict[str, Any]:
    """Give what the form shows of an application as it was saved."""
    content = Content.read(row["content"])
    company, position = content.company, row["position"] or {}
    return {
        **dict.fromkeys(SINGLE, ""),
        "full_name": row["full_name"],
        "native_name": row["native_name"] or "",
        "position": position.get(language) or position.get("en") or position.get("zh") or "",
        # A company that gave its Chinese name alone goes by it everywhere.
        "company_name": "" if company.name == company.native_name else company.name,
        "company_native_name": company.native_name or "",
        "country": company.country,
        "registration_number": company.registration_number or "",
        "size": company.size or "",
        "sectors": list(company.sectors),
        **{f"objective.{stop}": text for stop, text in content.objectives.items()},
        **{f"answer.{code}": text for code, text in content.answers.items()},
    }


def shown(given: FormData) -> dict[str, Any]:
    """Give what somebody typed, to be shown again."""
    values: dict[str, Any] = {name: str(value) for name, value in given.multi_items()}
    return dict.fromkeys(SINGLE, "") | values | {"sectors": _list(given, "sectors")}


def body(given: FormData) -> ApplicationBody:
    """Read the form as the API reads its body; raises `pydantic.ValidationError`."""
    values = shown(given)
    language = "zh" if given.get("language") == "zh" else "en"
    position = values["position"].strip()
    both = {"en": "", "zh": "", language: position}
    return ApplicationBody.model_validate(
        {
            "contact": {
                "full_name": values["full_name"],
                "native_name": values["native_name"].strip() or None,
                "language": language,
                "position": both if position else None,
            },
            "company": {
                "name": values["company_name"].strip() or values["company_native_name"].strip(),
                "native_name": values["company_native_name"].strip() or None,
                "country": values["country"],
                "registration_number": values["registration_number"].strip() or None,
                "sectors": values["sectors"],
                "size": values["size"] or None,
            },
            "objectives": _part(given, "objective."),
            "answers": _part(given, "answer."),
        }
    )


def signature(given: FormData, language: str) -> SignatureBody:
    """Read who signed which texts; raises `pydantic.ValidationError`."""
    values = shown(given)
    return SignatureBody.model_validate(
        {
            "signer_name": values["signer_name"],
            "signer_title": values["signer_title"],
            "language": language,
            "disclosure": values["disclosure"].strip() or None,
            "certifications": {
                name: number(version) for name, version in _part(given, "certify.").items()
            },
        }
    )


def revision(given: FormData) -> int:
    """Read the revision that a form was opened with; raises `Malformed`."""
    text = str(given.get("revision", ""))
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004  # fits an integer
        raise Malformed("The form lacks the revision it was opened with.")
    return int(text)


def faults(error: ValidationError | Invalid) -> Sequence[Fault]:
    """List what is wrong, with pointers."""
    if isinstance(error, Invalid):
        return error.faults
    return [Fault(pointer(("body", *one["loc"])), one["msg"]) for one in error.errors()]


def wrong(found: Iterable[Fault]) -> frozenset[str]:
    """Name the form's fields that are wrong."""
    return frozenset(_field(fault.pointer) for fault in found)


def _field(place: str) -> str:
    for start_, field in PREFIXES.items():
        if place.startswith(start_):
            return field + place.removeprefix(start_)
    return next(
        (field for known, field in PLAIN.items() if f"{place}/".startswith(f"{known}/")),
        place.lstrip("/").partition("/")[0],
    )


def _part(given: FormData, prefix: str) -> Mapping[str, str]:
    return {
        name.removeprefix(prefix): str(value)
        for name, value in given.multi_items()
        if name.startswith(prefix) and str(value).strip()
    }


def _list(given: FormData, name: str) -> list[str]:
    return [str(value) for value in given.getlist(name)]
