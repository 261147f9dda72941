"""Privacy: consent texts and consents, all that is held about somebody, erasing, retention."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StrictBool, StrictInt, StringConstraints

from services.registration.bodies import BothTexts, Code, Country
from services.registration.commands import privacy as commands
from services.registration.commands import retention
from services.registration.domain.consents import ConsentText, Recipient
from services.registration.resources import Held, Resources
from services.registration.store import consents
from shared.access import Action, Principal, Scope, require
from shared.events.base import Bilingual, Language
from shared.http import Body, Caller, Now

RECIPIENTS_MAX = 50

router = APIRouter(prefix="/api/v1", tags=["registration"])


class RecipientBody(Body):
    """Somebody who is given the data."""

    name: BothTexts
    contact: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    country: Country


class ConsentTextBody(Body):
    """A new version of what is agreed to for one purpose."""

    purpose: Code
    title: BothTexts
    text: BothTexts
    recipients: list[RecipientBody] = Field(default_factory=list, max_length=RECIPIENTS_MAX)
    is_required: StrictBool = False
    is_cross_border: StrictBool = False
    method: BothTexts | None = None
    categories: BothTexts | None = None
    rights: BothTexts | None = None

    def value(self) -> ConsentText:
        """Give the domain's value; its version is given when it is put in force."""
        return ConsentText(
            purpose=self.purpose,
            version="",
            title=_bilingual(self.title),
            text=_bilingual(self.text),
            recipients=tuple(
                Recipient(_bilingual(one.name), one.contact, one.country) for one in self.recipients
            ),
            is_required=self.is_required,
            is_cross_border=self.is_cross_border,
            method=_maybe(self.method),
            categories=_maybe(self.categories),
            rights=_maybe(self.rights),
        )


def _bilingual(text: BothTexts) -> Bilingual:
    return Bilingual(en=text.en, zh=text.zh)


def _maybe(text: BothTexts | None) -> Bilingual | None:
    return _bilingual(text) if text else None


class ConsentBody(Body):
    """What somebody read and agrees to."""

    purpose: Code
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    language: Language


class PrivacyBody(Body):
    """How long a mission keeps things, where that is not as usual; and what data cross by."""

    cross_border_basis: Literal["consent", "other"] = "other"
    retention: dict[Code, StrictInt] = Field(default_factory=dict, max_length=50)


@router.get("/missions/{mission_id}/consent-texts")
async def list_texts(mission_id: UUID, held: Held) -> dict[str, list[dict[str, Any]]]:
    """List what people are asked to agree to, in the version in force."""
    async with held.database.reading() as connection:
        texts = await commands.texts(connection, mission_id)
    return {"items": [shown(text) for text in texts]}


def shown(text: ConsentText) -> dict[str, Any]:
    """Write a version as the API gives it."""
    facts = {
        name: getattr(text, name)
        for name in ("purpose", "version", "is_required", "is_cross_border")
    }
    return facts | text.content()


@router.post("/missions/{mission_id}/consent-texts", status_code=201)
async def add_text(
    mission_id: UUID, body: ConsentTextBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Put a new version of a text in force; what was agreed to before stays as it was."""
    require(who, "privacy.write", Scope(mission_id=mission_id))
    return shown(await commands.add_text(held.database, mission_id, body.value(), who, now))


@router.get("/missions/{mission_id}/retention")
async def read_retention(mission_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Show what is kept for how long, what is due, and what was removed."""
    require(who, "privacy.write", Scope(mission_id=mission_id))
    rules = await retention.shown(held.database, mission_id)
    async with held.database.reading() as connection:
        setting = await consents.setting(connection, mission_id)
    return {"cross_border_basis": setting["cross_border_basis"], "rules": rules}


@router.put("/missions/{mission_id}/retention")
async def set_retention(
    mission_id: UUID, body: PrivacyBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Set for how many days a mission keeps things, by rule."""
    require(who, "privacy.write", Scope(mission_id=mission_id))
    basis, days = body.cross_border_basis, body.retention
    await commands.set_privacy(held.database, mission_id, basis, days, who, now)
    return await read_retention(mission_id, held, who)


@router.get("/border-exports")
async def list_exports(held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """Count people whose data were to be seen abroad, by year."""
    require(who, "privacy.write", Scope(mission_id=who.mission_id))
    return {"items": await retention.exports(held.database)}


@router.get("/people/{person_id}/consents")
async def list_consents(
    person_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List what somebody agreed to and took back, oldest first."""
    await _require(held, who, "privacy.export", person_id)
    async with held.database.reading() as connection:
        rows = await consents.of_person(connection, person_id)
    return {"items": [dict(row) for row in rows]}


@router.post("/people/{person_id}/consents", status_code=201)
async def give(
    person_id: UUID, body: ConsentBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Agree to a text, in the version that was read. Nobody does that for somebody else."""
    await _require(held, who, "privacy.consent", person_id)
    await commands.give(held.database, person_id, body.purpose, body.version, body.language, now)
    return body.model_dump()


@router.post("/people/{person_id}/consents/{purpose}/withdraw")
async def withdraw(
    person_id: UUID, purpose: Code, held: Held, who: Caller, now: Now
) -> dict[str, str]:
    """Take back what somebody agreed to; without the required purpose registrations end."""
    await _require(held, who, "privacy.withdraw", person_id)
    await commands.withdraw(held.database, person_id, purpose, who, now)
    return {"purpose": purpose, "status": "withdrawn"}


@router.get("/people/{person_id}/data")
async def export(person_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Give all that is held about somebody. A service that is away is named in `missing`."""
    await _require(held, who, "privacy.export", person_id)
    return await commands.everything(held.database, held.elsewhere, person_id, who, now)


@router.post("/people/{person_id}/erase")
async def erase(person_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Forget somebody for good; again it changes nothing."""
    await _require(held, who, "privacy.erase", person_id)
    erased_at = await commands.erase(held.database, person_id, who, now)
    return {"person_id": person_id, "erased_at": erased_at}


async def _require(held: Resources, who: Principal, action: Action, person_id: UUID) -> None:
    async with held.database.reading() as connection:
        person = await commands.existing_person(connection, person_id)
    require(who, action, Scope(mission_id=person["mission_id"], person_ids=(person_id,)))
