"""Templates: what mails say, with places to fill in by name. Nothing in them is ever run."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from services.notify.domain.mail import Kind
from shared.events.base import Language
from shared.marks import without_marks

OfSchedule = Literal["schedule_changed"]
TemplateName = Kind | OfSchedule
Fault = Literal["unknown", "stray", "missing"]

PERSON = frozenset(("name", "mission", "link"))
STOP = PERSON | {"stop", "city", "date", "place", "zone"}
REGISTRATION = STOP | {"item", "time"}

PLACES: Mapping[TemplateName, frozenset[str]] = {
    "schedule": STOP | {"meetings"},
    "schedule_changed": STOP | {"meetings", "cancelled"},
    "confirmed": REGISTRATION,
    "waitlisted": REGISTRATION,
    "pending": REGISTRATION,
    "rejected": REGISTRATION,
    "offered": REGISTRATION | {"until"},
    "offer_expired": REGISTRATION,
    "announcement": STOP - {"zone"} | {"subject", "body", "unsubscribe"},
    "results": PERSON | {"unsubscribe"},
    "application_drafted": PERSON,
    "application_submitted": PERSON,
    "application_info_requested": PERSON,
    "application_selected": PERSON,
    "application_reserve_listed": PERSON,
    "application_rejected": PERSON,
    "application_confirmed": PERSON,
    "application_lapsed": PERSON,
    "sign_in": PERSON,
}
"""Every mail there is, and what may be filled in there."""

NEEDED: Mapping[TemplateName, tuple[str, ...]] = {
    "schedule": ("meetings",),
    "schedule_changed": ("cancelled", "meetings"),
    "offered": ("until", "link"),
    "announcement": ("body",),
    "results": ("link",),
    "sign_in": ("link",),
    "application_drafted": ("link",),
    "application_info_requested": ("link",),
    "application_selected": ("link",),
}
"""What a mail is of no use without."""

_PLACE = re.compile(r"\{([^{}\n]*)\}")
_STRAY = re.compile(r"[{}｛｝]")  # a Chinese keyboard writes the last two
_GAP = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Template:
    """A mail in one language."""

    subject: str
    body: str


Texts = Mapping[Language, Template]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong in a template, and where."""

    language: Language
    field: Literal["subject", "body"]
    line: int
    """From 1; 0: of no line, as something is missing."""
    fault: Fault
    what: str


def filled(template: Template, values: Mapping[str, str]) -> Template:
    """Fill a template in; raises `KeyError` for a name without a value.

    Values are not looked at again: what looks like a place in one stays as it is. Where a value is
    empty, no gap is left. What is invisible, or turns a line round, is left out.
    """

    def value(found: re.Match[str]) -> str:
        return values[found[1]]

    subject, body = (
        without_marks(_PLACE.sub(value, text)) for text in (template.subject, template.body)
    )
    return Template(" ".join(subject.split()), _GAP.sub("\n\n", body).strip() + "\n")


def troubles(name: TemplateName, texts: Texts) -> list[Trouble]:
    """Find what is wrong with a mail in either language: it is not sent as long as anything is."""
    return [
        found
        for language, template in texts.items()
        for found in (
            *_of_text(name, language, "subject", template.subject),
            *_of_text(name, language, "body", template.body),
            *_missing(name, language, template),
        )
    ]


def _of_text(
    name: TemplateName, language: Language, field: Literal["subject", "body"], text: str
) -> Iterator[Trouble]:
    for number, line in enumerate(text.split("\n"), 1):
        for found in _PLACE.finditer(line):
            if found[1] not in PLACES[name]:
                yield Trouble(language, field, number, "unknown", found[0])
        if stray := _STRAY.search(_PLACE.sub("", line)):
            yield Trouble(language, field, number, "stray", stray[0])


def _missing(name: TemplateName, language: Language, template: Template) -> Iterator[Trouble]:
    there = {found[1] for found in _PLACE.finditer(template.body)}
    for place in NEEDED.get(name, ()):
        if place not in there:
            yield Trouble(language, "body", 0, "missing", f"{{{place}}}")
