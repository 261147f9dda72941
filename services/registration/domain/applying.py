"""What a company writes when it applies, and when that is enough to be submitted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.registration.domain.applications import CERTIFICATIONS
from services.registration.domain.people import Organization, is_credit_code
from shared.errors import Conflict, Fault, Invalid


@dataclass(frozen=True, slots=True)
class Content:
    """What a company says of itself; in a draft much of it is empty."""

    company: Organization
    objectives: Mapping[UUID, str]
    """By stop: what the company wants to reach there."""
    answers: Mapping[str, str]
    """By the code of the question."""

    def stored(self) -> dict[str, Any]:
        """Give it as the database holds it."""
        company = self.company
        return {
            "company": {
                "name": company.name,
                "native_name": company.native_name,
                "country": company.country,
                "registration_number": company.registration_number,
                "sectors": list(company.sectors),
                "size": company.size,
            },
            "objectives": {str(stop): text for stop, text in self.objectives.items() if text},
            "answers": {code: text for code, text in self.answers.items() if text},
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Content":
        """Read it as the database holds it."""
        company = stored["company"]
        return cls(
            Organization(**company | {"sectors": tuple(company["sectors"])}),
            {UUID(stop): text for stop, text in stored["objectives"].items()},
            stored["answers"],
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a mission asks of a company."""

    sectors: Collection[str]
    stop_ids: Collection[UUID]
    questions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed which versions of the texts, read in which language."""

    signer_name: str
    signer_title: str
    language: str
    disclosure: str | None
    signed: Mapping[str, int]


def named(company: str, country: str) -> Organization:
    """Begin a company of which the name is all that is known, in whichever language it is."""
    is_native = any("\u4e00" <= letter <= "\u9fff" for letter in company)
    return Organization(company, company if is_native else None, country, None, (), None)


def check_known(content: Content, asked: Asked) -> None:
    """Raise `Invalid` for an answer to what nobody asked; every field is named."""
    codes = {question["code"] for question in asked.questions}
    faults = [
        Fault(f"/company/sectors/{place}", f"The mission has no sector `{sector}`.")
        for place, sector in enumerate(content.company.sectors)
        if sector not in asked.sectors
    ]
    faults += [
        Fault(f"/objectives/{stop}", "This is not a stop of this mission.")
        for stop in content.objectives
        if stop not in asked.stop_ids
    ]
    faults += [
        Fault(f"/answers/{code}", f"Nobody asks `{code}`.")
        for code in content.answers
        if code not in codes
    ]
    if faults:
        raise Invalid("Some fields are wrong.", faults=faults)


def check_complete(content: Content, asked: Asked) -> None:
    """Raise `Invalid` and name every field that is missing or wrong before a submission."""
    if faults := missing(content, asked):
        raise Invalid("Some fields are missing or wrong.", faults=faults)


def missing(content: Content, asked: Asked) -> Sequence[Fault]:
    """List every field that is missing or wrong before a submission."""
    company = content.company
    faults = [
        Fault(f"/company/{name}", "This is needed.")
        for name in ("name", "country", "sectors")
        if not getattr(company, name)
    ]
    number = company.registration_number
    if company.country == "CN" and number and not is_credit_code(number):
        faults.append(
            Fault("/company/registration_number", "This is not a unified social credit code.")
        )
    if not any(text.strip() for text in content.objectives.values()):
        faults.append(Fault("/objectives", "Say for one stop at least what you want to reach."))
    faults += [
        Fault(f"/answers/{question['code']}", "This is needed.")
        for question in asked.questions
        if question["is_needed"] and not content.answers.get(question["code"], "").strip()
    ]
    return faults


def outdated(signed: Mapping[str, int], current: Mapping[str, int]) -> tuple[str, ...]:
    """List the texts that have another version than the one that was signed last."""
    return tuple(
        code for code in CERTIFICATIONS if code in current and signed.get(code) != current[code]
    )


def check_signed(
    signature: Signature, current: Mapping[str, int], codes: Sequence[str] = CERTIFICATIONS
) -> None:
    """Raise unless every text of `codes` is signed as it stands today.

    `Conflict` when a text has another version by now: it must be read first.
    """
    faults = [
        *unsigned(signature.signed, codes),
        *(
            Fault(f"/{name}", "This is needed.")
            for name in ("signer_name", "signer_title")
            if not getattr(signature, name)
        ),
    ]
    if faults:
        raise Invalid("Some certifications are missing.", faults=faults)
    check_published(current)
    if any(signature.signed[code] != current[code] for code in codes):
        raise Conflict("A text has changed; read it again before you sign.", code="text_changed")


def unsigned(signed: Collection[str], codes: Sequence[str] = CERTIFICATIONS) -> Sequence[Fault]:
    """List the texts of `codes` that are not certified."""
    return [
        Fault(f"/certifications/{code}", "This has to be certified.")
        for code in codes
        if code not in signed
    ]


def check_published(current: Collection[str]) -> None:
    """Raise `Conflict` while a text that every company certifies is not published."""
    if missing := [code for code in CERTIFICATIONS if code not in current]:
        raise Conflict(f"Not published yet: {', '.join(missing)}.", code="texts_missing")
