"""A registration as its person sees and edits it."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import Field, JsonValue

from services.registration.bodies import (
    ANSWERS_MAX,
    LISTINGS_MAX,
    Address,
    Code,
    ListingBody,
    OrganizationBody,
    PersonBody,
)
from services.registration.commands import editing
from services.registration.commands.editing_facts import editor_of, scope_of
from services.registration.domain.editing import Edit
from services.registration.domain.people import Organization, shown_address
from services.registration.domain.readings import Wording, read
from services.registration.resources import Held
from services.registration.store import editing as store
from services.registration.store import people, questions
from shared.access import require
from shared.errors import Forbidden, NotFound
from shared.events.base import Bilingual, Side
from shared.events.registration import Listing
from shared.http import Body, Caller, IfMatch, Now, etag
from shared.postgres import Connection

router = APIRouter(prefix="/api/v1", tags=["registration"])


class EditedPersonBody(PersonBody):
    """A person, with the name as he or she writes it; an address that is empty stays as it is."""

    email: Address | Literal[""]


class EditBody(Body):
    """What is changed: each part that is given replaces that part; answers are set one by one."""

    side: Side | None = None
    organization: OrganizationBody | None = None
    person: EditedPersonBody | None = None
    listings: list[ListingBody] | None = Field(default=None, max_length=LISTINGS_MAX)
    answers: dict[Code, JsonValue] | None = Field(default=None, max_length=ANSWERS_MAX)

    def value(self) -> Edit:
        """Give the domain's value."""
        return Edit(
            side=self.side,
            organization=_organization(self.organization) if self.organization else None,
            person=self.person.value() if self.person else None,
            listings=None if self.listings is None else tuple(map(_listing, self.listings)),
            answers=self.answers,
        )


def _organization(given: OrganizationBody) -> Organization:
    return Organization(
        name=given.name,
        native_name=given.native_name,
        country=given.country,
        registration_number=given.registration_number,
        sectors=tuple(dict.fromkeys(given.sectors)),
        size=given.size,
    )


def _listing(given: ListingBody) -> Listing:
    text = Bilingual(en=given.text.en, zh=given.text.zh)
    return Listing(kind=given.kind, sector=given.sector, text=text)


@router.get("/registrations/{registration_id:uuid}")
async def read_registration(registration_id: UUID, held: Held, who: Caller) -> Response:
    """Read a registration with its person, company and answers."""
    async with held.database.reading() as connection:
        row = await editing.existing(connection, registration_id)
        require(who, "registration.edit", scope_of(row))
        content = await shown(connection, row)
    return JSONResponse(content, headers=etag(row["revision"]))


@router.patch("/registrations/{registration_id:uuid}")
async def edit_registration(  # what FastAPI hands in
    registration_id: UUID,
    body: EditBody,
    held: Held,
    who: Caller,
    revision: IfMatch,
    now: Now,
) -> Response:
    """Change a registration; what was approved and changes in substance is to be approved again."""
    async with held.database.reading() as connection:
        row = await editing.existing(connection, registration_id)
    editor = editor_of(who, row)
    if body.side is not None and not editor.approves:
        raise Forbidden("Only mission staff says on which side somebody is.")
    answer = await editing.edit(held.database, registration_id, body.value(), revision, editor, now)
    return JSONResponse(answer.content, headers=etag(answer.content["revision"]))


async def shown(connection: Connection, row: Any) -> dict[str, Any]:
    """Give a registration as the API shows it to who may edit it; raises `NotFound`."""
    person = await people.person(connection, row["person_id"])
    if person is None:
        raise NotFound("This person was erased on request.")
    company = await store.organization(connection, row["organization_id"])
    listings = await people.listings_of(connection, row["organization_id"])
    others = await store.colleagues(connection, row["organization_id"], row["person_id"])
    asked: dict[str, list[Wording]] = {}
    for one in await questions.versions_of_codes(connection, row["mission_id"], [*row["answers"]]):
        asked.setdefault(one["code"], []).append(Wording(one["since"], one["definition"]))
    answered_at = max(row["registered_at"], row["answered_at"] or row["registered_at"])
    names = ("full_name", "native_name", "latin_name", "email", "language", "languages", "position")
    facts = ("name", "native_name", "country", "registration_number", "sectors", "size")
    return {
        "id": str(row["id"]),
        "programme_item_id": str(row["programme_item_id"]),
        "participant_id": str(row["person_id"]),
        "revision": row["revision"],
        "status": row["status"],
        "side": "delegation" if row["role"] == "delegate" else "local",
        "person": {name: person[name] for name in names}
        | {"email": shown_address(person["email"])},
        "organization": {name: company[name] for name in facts},
        "is_company_shared": bool(others),
        "listings": [listing.model_dump() for listing in listings],
        "answers": row["answers"],
        "readings": read(row["answers"], asked, answered_at),
    }
