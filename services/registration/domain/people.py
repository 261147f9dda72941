"""People and organisations as they are when they register, and what makes two of them the same."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal
from uuid import UUID

from shared.errors import Fault, Invalid
from shared.events.base import Language, Side
from shared.events.registration import Listing

Source = Literal["self", "import", "partner_api", "walk_in"]
StaffRole = Literal["mission_staff", "partner_staff", "door_staff", "interpreter"]

WITHOUT_ADDRESS = "walk-in:"
"""What the address of somebody begins with who walked in and gave none; no mail reaches it."""

CREDIT_CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_CODE_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
CREDIT_CODE_LENGTH = 18


# None of the three is frozen: a rush makes them for each request, and that takes twice as long.
@dataclass(slots=True)
class Organization:
    """A company or body as it describes itself."""

    name: str
    native_name: str | None
    country: str
    registration_number: str | None
    sectors: tuple[str, ...]
    size: str | None

    @property
    def identity(self) -> str:
        """What makes it the same one again: its registration number, or else its name."""
        if self.registration_number:
            return f"{self.country}:{plain_number(self.registration_number)}"
        return f"name:{unicodedata.normalize('NFKC', self.name).casefold()}"


@dataclass(slots=True)
class Person:
    """A person as he or she writes the name; no algorithm splits it."""

    full_name: str
    native_name: str | None
    latin_name: str | None
    email: str
    language: Language
    languages: tuple[str, ...]
    position: dict[str, str] | None


@dataclass(slots=True)
class SignUp:
    """Everything that one registration brings."""

    side: Side
    source: Source
    partner_id: UUID | None
    organization: Organization
    person: Person
    listings: tuple[Listing, ...]
    consents: tuple[str, ...] = ()
    """The purposes agreed to, beyond the one that every registration asks for."""
    answers: Mapping[str, object] = field(default_factory=dict)
    """By the code of the question."""
    by: UUID | None = None
    """Who fills it in; None for whoever has not shown who it is."""


def plain_number(number: str) -> str:
    """Write a registration number in the one form it is compared in, without marks and spaces."""
    if number.isascii() and number.isalnum():
        # Nearly all are; the rest takes ten times as long.
        return number.upper()
    letters = unicodedata.normalize("NFKC", number).upper()
    return "".join(letter for letter in letters if letter.isalnum()) or number


def shown_address(email: str) -> str:
    """Give an address as people see it: nothing for whoever came without one."""
    return "" if email.startswith(WITHOUT_ADDRESS) else email


def same_address(email: str) -> str:
    """Write an e-mail address in the one form it is compared in."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


def role_of(side: Side) -> Literal["delegate", "local"]:
    """Give the role of a participant of a side."""
    return "delegate" if side == "delegation" else "local"


def check(sign_up: SignUp, sectors: Sequence[str]) -> None:
    """Check what the form alone cannot; raises `Invalid` and names every field."""
    faults = [
        Fault(f"/organization/sectors/{place}", f"The mission has no sector `{sector}`.")
        for place, sector in enumerate(sign_up.organization.sectors)
        if sector not in sectors
    ]
    faults += [
        Fault(f"/listings/{place}/sector", f"The mission has no sector `{listing.sector}`.")
        for place, listing in enumerate(sign_up.listings)
        if listing.sector not in sectors
    ]
    number = sign_up.organization.registration_number
    if sign_up.organization.country == "CN" and number and not is_credit_code(number):
        faults.append(
            Fault(
                "/organization/registration_number",
                "This is not a unified social credit code: 18 characters, the last a check.",
            )
        )
    if faults:
        raise Invalid("Some fields are wrong.", faults=faults)


@lru_cache(maxsize=4_096)
def is_credit_code(number: str) -> bool:
    """Check a unified social credit code with its check character (GB 32100-2015)."""
    if len(number) != CREDIT_CODE_LENGTH or any(c not in CREDIT_CODE_ALPHABET for c in number):
        return False
    values = [CREDIT_CODE_ALPHABET.index(character) for character in number]
    weighted = sum(w * v for w, v in zip(CREDIT_CODE_WEIGHTS, values[:-1], strict=True))
    return (31 - weighted % 31) % 31 == values[-1]
