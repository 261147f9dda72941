"""What callers send about applications, reviews and letters."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)

from services.registration.bodies import (
    Address,
    BothNames,
    BothTexts,
    Code,
    Country,
    Name,
    Number,
    Size,
    is_one_line,
    is_zone,
)
from services.registration.domain.applications import Action
from services.registration.domain.applying import Content, Signature
from services.registration.domain.people import Organization, Person
from shared.events.base import Language
from shared.http import Body, Day, Moment

STOPS_MAX = 50
QUESTIONS_MAX = 20
CRITERIA_MAX = 20
RESERVE_MAX = 500

LongText = Annotated[str, StringConstraints(max_length=4_000)]
Certification = Literal["home_content", "export_control", "anti_bribery", "litigation"]
MaybeName = Annotated[str, StringConstraints(max_length=200), AfterValidator(is_one_line)]


class BothLongTexts(Body):
    """A long text in English and Chinese; both are needed: it is what people are held to."""

    en: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    zh: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class QuestionBody(Body):
    """A question to every company."""

    code: Code
    text: BothNames
    is_needed: StrictBool = False


class CriterionBody(Body):
    """A criterion and its weight; every criterion is scored from 1 to 5."""

    title: BothNames
    weight: Annotated[int, Field(strict=True, ge=1, le=100)]


class CallBody(Body):
    """What a mission publishes before companies apply."""

    statement: BothLongTexts
    fee: BothTexts | None = None
    questions: list[QuestionBody] = Field(default_factory=list, max_length=QUESTIONS_MAX)
    criteria: list[CriterionBody] = Field(min_length=1, max_length=CRITERIA_MAX)
    timezone: Annotated[str, AfterValidator(is_zone)]
    opens_at: Moment
    closes_at: Moment
    decide_on: Day
    participants_min: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    participants_max: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    days_to_confirm: Annotated[int, Field(strict=True, ge=1, le=90)] = 14

    @model_validator(mode="after")
    def _fits(self) -> "CallBody":
        if self.closes_at <= self.opens_at:
            raise ValueError("A call closes after it opens.")
        if self.participants_max < self.participants_min:
            raise ValueError("The maximum is the minimum or more.")
        if len({question.code for question in self.questions}) < len(self.questions):
            raise ValueError("Each question has a code of its own.")
        return self


class StartBody(Body):
    """Who begins an application, and for which company."""

    full_name: Name
    native_name: Name | None = None
    email: Address
    language: Language
    company: Name
    consent: Literal[True]

    def person(self) -> Person:
        """Give the contact."""
        return Person(
            full_name=self.full_name,
            native_name=self.native_name,
            latin_name=None,
            email=self.email,
            language=self.language,
            languages=(self.language,),
            position=None,
        )


class ContactBody(Body):
    """The contact of a company; the address stays the one that links were sent to."""

    full_name: Name
    native_name: Name | None = None
    language: Language
    position: BothTexts | None = None


class CompanyBody(Body):
    """A company as it describes itself; a draft may leave out what is not known yet."""

    name: MaybeName = ""
    native_name: Name | None = None
    country: Country | Literal[""] = ""
    registration_number: Number | None = None
    sectors: list[Code] = Field(default_factory=list, max_length=20)
    size: Size | None = None


class ApplicationBody(Body):
    """All that a company writes; what is left out is empty."""

    contact: ContactBody
    company: CompanyBody
    objectives: dict[UUID, LongText] = Field(default_factory=dict, max_length=STOPS_MAX)
    answers: dict[Code, LongText] = Field(default_factory=dict, max_length=QUESTIONS_MAX)

    def content(self) -> Content:
        """Give what the company says of itself."""
        given = self.company
        company = Organization(
            name=given.name,
            native_name=given.native_name,
            country=given.country,
            registration_number=given.registration_number,
            sectors=tuple(dict.fromkeys(given.sectors)),
            size=given.size,
        )
        return Content(company, self.objectives, self.answers)

    def person(self) -> Person:
        """Give the contact; the address is not changed by it."""
        given = self.contact
        return Person(
            full_name=given.full_name,
            native_name=given.native_name,
            latin_name=None,
            email="",
            language=given.language,
            languages=(given.language,),
            position=given.position.model_dump() if given.position else None,
        )


class SignatureBody(Body):
    """Who signs which versions of the texts."""

    signer_name: Name
    signer_title: Name
    language: Language
    disclosure: LongText | None = None
    certifications: dict[Certification, StrictInt]

    def value(self) -> Signature:
        """Give the domain's value."""
        return Signature(
            self.signer_name,
            self.signer_title,
            self.language,
            self.disclosure or None,
            {str(name): version for name, version in self.certifications.items()},
        )


Decided = Literal[
    "withdraw",
    "begin_review",
    "request_info",
    "answer",
    "resume",
    "select",
    "reserve",
    "reject",
    "confirm",
    "decline",
    "reopen",
]
"""Every action but those with a signature, or by the clock."""


class DecisionBody(Body):
    """What is done about an application, and what the other side is told with it."""

    action: Decided
    message: LongText | None = None

    @property
    def chosen(self) -> Action:
        """Give the domain's value."""
        return Action(self.action)


class ScoreBody(Body):
    """The score of one criterion, and why."""

    criterion_id: UUID
    score: Annotated[int, Field(strict=True, ge=1, le=5)]
    comment: LongText = ""


class ReviewBody(Body):
    """A review: every criterion is scored, or none where somebody abstains."""

    abstain: StrictBool = False
    scores: list[ScoreBody] = Field(default_factory=list, max_length=CRITERIA_MAX)

    @model_validator(mode="after")
    def _one_of_two(self) -> "ReviewBody":
        if self.abstain and self.scores:
            raise ValueError("Who abstains gives no score.")
        return self


class ReserveBody(Body):
    """The reserve list, in the order in which places are offered."""

    order: list[UUID] = Field(max_length=RESERVE_MAX)


class LetterBody(Body):
    """Who is invited by a letter, and until when it is valid."""

    full_name: Name
    native_name: Name | None = None
    position: BothTexts | None = None
    valid_until: Day
