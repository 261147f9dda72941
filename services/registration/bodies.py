"""What callers send."""

import re
import unicodedata
from collections.abc import Set
from functools import cache
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from email_validator import SPECIAL_USE_DOMAIN_NAMES
from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    JsonValue,
    StrictBool,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from services.registration.domain.people import Organization, Person, SignUp, Source, StaffRole
from services.registration.domain.taking_back import Mistake
from shared import marks
from shared.access import Role
from shared.events.base import Bilingual, ItemKind, Language, ListingKind, Side
from shared.events.registration import Listing
from shared.http import Body, Day, Moment


def is_one_line(name: str) -> str:
    """Give a name; raises `ValueError` for one that would not stand in a line as it is."""
    if not marks.is_one_line(name):
        raise ValueError("A name has neither line breaks nor invisible marks.")
    return name


Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(is_one_line)]
Number = Annotated[
    str,
    StringConstraints(to_upper=True, max_length=40, min_length=1),
    AfterValidator(is_one_line),
]
"""The registration number of a company."""
Size = Annotated[str, StringConstraints(max_length=20), AfterValidator(is_one_line)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
LISTINGS_MAX = 20
ANSWERS_MAX = 100
CAPACITY_MAX = 100_000


def _in_plain_letters(given: object) -> object:
    return unicodedata.normalize("NFKC", given) if isinstance(given, str) else given


# What the library would find nothing wrong with, in a fortieth of its time: a rush needs that.
_PLAIN_ADDRESS = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@((?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,63})", re.ASCII
)
_PLAIN_LENGTH_MAX = 64


def _is_address(given: object, validate: ValidatorFunctionWrapHandler) -> str:
    if isinstance(given, str) and len(given) <= _PLAIN_LENGTH_MAX:
        plain = _PLAIN_ADDRESS.fullmatch(given)
        if plain and not plain[1].endswith(_SPECIAL_DOMAINS):
            return given
    address: str = validate(given)
    return address


_SPECIAL_DOMAINS = tuple(SPECIAL_USE_DOMAIN_NAMES)

Address = Annotated[EmailStr, WrapValidator(_is_address), BeforeValidator(_in_plain_letters)]
"""Checked in the letters it is kept in: a full-width comma would make two addresses of one."""


def is_zone(name: str) -> str:
    """Give the name of a time zone; raises `ValueError` for one that is none."""
    if name not in _zones():
        raise ValueError("This is not a time zone of the IANA database, such as Asia/Shanghai.")
    return name


@cache
def _zones() -> Set[str]:
    """Read the names of all zones, once: they lie in many folders."""
    return available_timezones()


class BothNames(Body):
    """A name in English and Chinese."""

    en: Name
    zh: Name


class BothTexts(Body):
    """A text in English and Chinese; one of the two may be empty."""

    en: Annotated[str, StringConstraints(max_length=2_000)] = ""
    zh: Annotated[str, StringConstraints(max_length=2_000)] = ""

    @model_validator(mode="after")
    def _needs_one(self) -> "BothTexts":
        if not (self.en or self.zh):
            raise ValueError("Give the text in English or in Chinese.")
        return self


class MissionBody(Body):
    """A mission as it is announced."""

    slug: Slug
    title: BothNames
    summary: BothTexts
    organizer: BothNames | None = None
    starts_on: Day
    ends_on: Day
    home_country: Country
    host_country: Country
    sectors: dict[Code, BothNames] = Field(min_length=1, max_length=100)
    is_rehearsal: StrictBool = False

    @model_validator(mode="after")
    def _in_order(self) -> "MissionBody":
        if self.ends_on < self.starts_on:
            raise ValueError("A mission ends on or after the day it starts.")
        return self


class PartnerBody(Body):
    """A partner organisation."""

    name: BothNames
    kind: Code


class RoleBody(Body):
    """What a partner is at a stop."""

    partner_id: UUID
    role: Literal["lead", "co_host", "organizer", "supporter", "venue_host"]


class StopBody(Body):
    """A stop as it is planned; the order of `roles` is the order of names."""

    slug: Slug
    city: BothNames
    title: BothNames
    venue: BothNames | None = None
    timezone: Annotated[str, AfterValidator(is_zone)]
    date: Day
    roles: list[RoleBody] = Field(default_factory=list, max_length=50)

    @model_validator(mode="after")
    def _once_each(self) -> "StopBody":
        if len({role.partner_id for role in self.roles}) < len(self.roles):
            raise ValueError("A partner has one role at a stop.")
        return self


class ItemBody(Body):
    """A programme item as it is planned."""

    slug: Slug
    kind: ItemKind
    title: BothNames
    starts_at: Moment
    ends_at: Moment
    capacity: Annotated[int, Field(strict=True, ge=0, le=CAPACITY_MAX)]
    requires_approval: StrictBool = False
    opens_at: Moment | None = None
    closes_at: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "ItemBody":
        if self.ends_at <= self.starts_at:
            raise ValueError("A programme item ends after it starts.")
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise ValueError("Registration closes after it opens.")
        return self


class PersonBody(Body):
    """A person, with the name as he or she writes it."""

    full_name: Name
    native_name: Name | None = None
    latin_name: Name | None = None
    email: Address
    language: Language
    languages: list[LanguageTag] = Field(min_length=1, max_length=10)
    position: BothTexts | None = None

    def value(self) -> Person:
        """Give the domain's value."""
        return Person(
            full_name=self.full_name,
            native_name=self.native_name,
            latin_name=self.latin_name,
            email=self.email,
            language=self.language,
            languages=tuple(self.languages),
            position=self.position.model_dump() if self.position else None,
        )


class StaffBody(PersonBody):
    """A member of staff or an interpreter."""

    role: StaffRole
    languages: list[LanguageTag] = Field(default_factory=list, max_length=10)
    stop_ids: list[UUID] = Field(max_length=100)
    partner_id: UUID | None = None

    @model_validator(mode="after")
    def _fits_the_role(self) -> "StaffBody":
        if self.role == "partner_staff" and self.partner_id is None:
            raise ValueError("Partner staff needs the partner_id it works for.")
        if self.role == "interpreter" and len(set(self.languages)) < 2:  # noqa: PLR2004
            raise ValueError("An interpreter speaks two languages at least.")
        return self


class OrganizationBody(Body):
    """A company or body."""

    name: Name
    native_name: Name | None = None
    country: Country
    registration_number: Number | None = None
    sectors: list[Code] = Field(min_length=1, max_length=20)
    size: Size | None = None


class ListingBody(Body):
    """What an organisation offers, needs or plans."""

    kind: ListingKind
    sector: Code
    text: BothTexts


class RegistrationBody(Body):
    """A registration to a programme item."""

    side: Side
    source: Source = "self"
    partner_id: UUID | None = None
    consent: Literal[True]
    consents: list[Code] = Field(default_factory=list, max_length=20)
    organization: OrganizationBody
    person: PersonBody
    listings: list[ListingBody] = Field(default_factory=list, max_length=LISTINGS_MAX)
    answers: dict[Code, JsonValue] = Field(default_factory=dict, max_length=ANSWERS_MAX)

    def value(self, *, by: UUID | None = None) -> SignUp:
        """Give the domain's value; `by`: who fills it in."""
        given = self.organization
        return SignUp(
            side=self.side,
            source=self.source,
            partner_id=self.partner_id,
            organization=Organization(
                name=given.name,
                native_name=given.native_name,
                country=given.country,
                registration_number=given.registration_number,
                sectors=tuple(dict.fromkeys(given.sectors)),
                size=given.size,
            ),
            person=self.person.value(),
            listings=tuple(
                Listing(
                    kind=listing.kind,
                    sector=listing.sector,
                    text=Bilingual(en=listing.text.en, zh=listing.text.zh),
                )
                for listing in self.listings
            ),
            consents=tuple(dict.fromkeys(self.consents)),
            answers=self.answers,
            by=by,
        )


class TakeBackBody(Body):
    """Why a check-in is taken back. With `checked_in_at`, as it was read, no newer one is."""

    reason: Mistake
    checked_in_at: Moment | None = None


class SessionBody(Body):
    """A sign-in link's token."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class LinkBody(Body):
    """Whom a link is for: a person by `subject`, or a venue screen."""

    role: Role
    mission_id: UUID
    stop_ids: list[UUID] = Field(default_factory=list, max_length=100)
    subject: UUID | None = None

    @model_validator(mode="after")
    def _has_somebody(self) -> "LinkBody":
        if self.subject is None and self.role != "screen":
            raise ValueError("Only a screen signs in without being somebody; give a subject.")
        return self


class AskForLinkBody(Body):
    """An address to which a sign-in link goes, if it is on file."""

    mission_id: UUID
    email: Address
