"""Places: the fields of an application's forms, by the name that a reader sees, in their order."""

from collections.abc import Collection, Iterator, Sequence

from services.registration.commands.applications.calls import Call
from services.registration.domain.applications import CERTIFICATIONS
from services.registration.pages.rendering import pages
from shared.web.pages import bilingual

BEFORE = {
    "message": "your_answer",
    "company": "field_applying_company",
    "company_name": "field_organization_name",
    "company_native_name": "field_organization_native_name",
    "country": "field_country",
    "registration_number": "field_company_number",
    "size": "field_size",
    "sectors": "sectors",
    "objectives": "objectives",
}
AFTER = {
    "full_name": "field_contact",
    "native_name": "field_native_name",
    "position": "field_position",
    "email": "field_email",
    "consent": "consent_to_application",
    **{f"certify.{code}": f"certification_{code}" for code in CERTIFICATIONS},
    "disclosure": "disclosure",
    "signer_name": "field_signer_name",
    "signer_title": "field_signer_title",
}


def places(wrong: Collection[str], call: Call | None, language: str) -> Sequence[tuple[str, str]]:
    """Give the name and the label of each field that is wrong, in the order of the page."""
    return [(name, label) for name, label in _all(call, language) if name in wrong]


def _all(call: Call | None, language: str) -> Iterator[tuple[str, str]]:
    for name, word in BEFORE.items():
        yield name, pages.text(word, language)
    for stop in call.stops if call else ():
        yield f"objective.{stop['id']}", bilingual(stop["city"], language)
    for question in call.row["questions"] if call else ():
        yield f"answer.{question['code']}", bilingual(question["text"], language)
    for name, word in AFTER.items():
        yield name, pages.text(word, language)
