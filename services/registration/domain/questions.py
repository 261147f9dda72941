"""Questions of a form, what conditions may look at, and what can be wrong with an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from services.registration.domain.conditions import Condition
from services.registration.domain.patterns import Element, parsed

Kind = Literal["text", "long_text", "choice", "several", "number", "date", "file", "consent"]
Answers = Mapping[str, object]
Texts = Mapping[str, str]

LENGTHS: Mapping[str, int] = {"text": 200, "long_text": 4_000}
NUMBER_MAX = 10**15
YEARS = ("1900-01-01", "2199-12-31")
FILE_BYTES_MAX = 5 * 1024 * 1024
FILE_TYPES = ("pdf", "png", "jpeg", "docx", "xlsx")


@cache
def elements_of(pattern: str) -> list[Element]:
    """Give a pattern's parts; it was checked when the question was defined."""
    return parsed(pattern)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is shown today; `item` narrows it to those who chose that one."""

    code: str
    kind: Kind
    label: Texts
    help: Texts | None = None
    section: Texts | None = None
    choices: Sequence[Mapping[str, Any]] = ()
    is_required: bool = False
    is_material: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)
    when: Condition | None = None
    item: str | None = None

    @property
    def codes(self) -> list[str]:
        """The codes of its choices, in their order."""
        return [choice["code"] for choice in self.choices]

    def rules(self) -> dict[str, Any]:
        """Give what the browser needs to know to judge as we do."""
        limits = dict(self.limits)
        if pattern := limits.pop("pattern", None):
            limits["pattern"] = elements_of(pattern)
        return {
            "code": self.code,
            "kind": self.kind,
            "codes": self.codes,
            "is_required": self.is_required,
            "limits": limits,
            "when": self.when,
            "item": self.item,
        }


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was sent: what it is, by its content, and how big."""

    type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions may look at beside answers, and the files that answers may name."""

    side: str = "local"
    country: str = ""
    items: Sequence[str] = ()
    kinds: Sequence[str] = ()
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    is_complete: bool = True
    """Whether required questions have to be answered; who is brought by others need not."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with an answer: a reason with words in every language, and its limit."""

    reason: str
    limit: int | float | str | None = None

    @property
    def detail(self) -> str:
        """Say it in English, for a reader of the API."""
        return _DETAILS[self.reason].format(limit=self.limit)


_DETAILS = {
    "unknown": "There is no such question here.",
    "kind": "The answer is of the wrong kind for this question.",
    "required": "This question has to be answered.",
    "consent": "Without this consent there is no registration.",
    "character": "The text has a character that cannot be kept.",
    "too_short": "The text has {limit} characters at least.",
    "too_long": "The text has {limit} characters at most.",
    "pattern": "The text does not have the form that is asked for.",
    "number": "This is not a number.",
    "whole": "This is not a whole number.",
    "too_small": "The number is {limit} at least.",
    "too_big": "The number is {limit} at most.",
    "date": "This is not a date, as in 2026-11-30.",
    "too_early": "The date is {limit} or later.",
    "too_late": "The date is {limit} or earlier.",
    "choice": "This is not among the choices.",
    "too_few": "Choose {limit} at least.",
    "too_many": "Choose {limit} at most.",
    "file": "There is no such file; send it first.",
    "file_type": "A file of this kind is not taken here.",
    "file_size": "The file has {limit} bytes at most.",
}
