"""The internal API: names and addresses for the other services, when they render a page or mail."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query

from services.registration.commands.signing_in import sign_in_path
from services.registration.domain.names import displayed
from services.registration.domain.people import shown_address
from services.registration.resources import Held, Resources
from services.registration.store import consents, people
from shared.access import Principal, Scope, require
from shared.errors import Fault, Invalid
from shared.http import Caller, Now

IDS_MAX = 500

router = APIRouter(include_in_schema=False)


@router.get("/internal/contacts")
async def contacts(
    held: Held, who: Caller, now: Now, ids: Annotated[str, Query(max_length=40 * IDS_MAX)]
) -> dict[str, list[dict[str, Any]]]:
    """Look up people by id, separated by commas; who is unknown is left out."""
    require(who, "contacts.read", Scope())
    try:
        wanted = [UUID(text) for text in ids.split(",") if text]
    except ValueError:
        fault = Fault("query/ids", "Ids are UUIDs separated by commas.")
        raise Invalid("The ids are wrong.", faults=[fault]) from None
    async with held.database.reading() as connection:
        rows = await people.contacts(connection, wanted)
        may_cross = await consents.who_may_cross(connection, wanted)
    return {
        "items": [_contact(held, row, now) | {"may_cross": row["id"] in may_cross} for row in rows]
    }


def _contact(held: Resources, row: asyncpg.Record, now: Now) -> dict[str, Any]:
    # The link names the person alone: stops and partner are read when it is redeemed.
    person = Principal(role=row["role"], subject=row["id"], mission_id=row["mission_id"])
    return {
        "person_id": row["id"],
        "name": displayed(row["full_name"], None, row["latin_name"], "en"),
        "native_name": row["native_name"],
        # Who walked in without an address has none to write to.
        "email": shown_address(row["email"]),
        "language": row["language"],
        "role": row["role"],
        "organization": row["organization"] or "",
        "native_organization": row["native_organization"],
        "sign_in_path": sign_in_path(held.tokens, person, now),
    }
