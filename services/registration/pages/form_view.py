"""What the templates of forms need: texts of faults, labels, and data for the module."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from services.registration.pages.form import FIELDS, wrong
from services.registration.pages.form_questions import PREFIX, Sheet, said
from services.registration.pages.rendering import COUNTRIES, pages
from shared.errors import Fault
from shared.web.pages import bilingual, language_of

ORDER = (
    *("items", "full_name", "native_name", "email", "position", "languages"),
    *("organization_name", "organization_native_name", "country", "registration_number"),
    *("size", "sectors", "offer", "need"),
)
LABELS = {
    "sectors": "sectors",
    "consent": "form_consent_short",
    "consents": "form_consent_short",
    "": "form_other",
}
"""The words that name a field where they are not those of `field_<name>`."""


def form_context(
    request: Request,
    given: Mapping[str, Any],
    sheet: Sheet,
    faults: Sequence[Fault] = (),
    **data: Any,
) -> dict[str, Any]:
    """Give the context of a form's template; `data` is what its module needs beyond that."""
    language = language_of(request)
    texts = {name: _fault(name, language) for name in (*dict.fromkeys(FIELDS.values()), "need")}
    found = wrong(faults)
    return {
        "given": given,
        "key": given.get("key", ""),
        "sheet": sheet,
        "wrong": found,
        "faults": texts | {"": _fault("", language)},
        "labels": _labels(found, sheet, language),
        "countries": COUNTRIES,
        "marks_material": False,
        "is_bare": False,
        "data": sheet.data(language, texts, **data),
        "said": lambda fault: said(fault, language),
    }


def _fault(name: str, language: str) -> str:
    key = f"fault_{name}"
    return pages.text(key if key in pages.words else "fault_other", language)


def _labels(found: Sequence[str], sheet: Sheet, language: str) -> list[tuple[str, str]]:
    """Name what is wrong, in the order of the form: its fields, its questions, the agreement."""
    fields = [
        (name, pages.text(_word(name), language))
        for name in sorted(found, key=_place)
        if name != "consent"
    ]
    questions = [
        (PREFIX + question.code, bilingual(question.label, language))
        for question in sheet.asked.questions
        if question.code in sheet.wrong
    ]
    last = [("consent", pages.text(LABELS["consent"], language))] if "consent" in found else []
    return [*fields, *questions, *last]


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _word(name: str) -> str:
    return LABELS.get(name, f"field_{name}")
