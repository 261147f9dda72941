"""Registered before: who is told of a registration that there was already.

Anybody can type anybody's address. So only who may be taken for its owner, or works for the
mission, is told how it stands; others are answered as for any address on file.
"""

from datetime import datetime, timedelta
from uuid import UUID

from services.registration.commands.deciding import existing
from services.registration.domain.people import SignUp
from services.registration.store import people
from shared.access import Principal, Scope, may
from shared.postgres import Connection

SENT_AGAIN_WITHIN = timedelta(minutes=10)
"""A button is pressed twice, or a form is sent again where the first answer was lost."""
NOT_TOLD = ("other_role", "consent_withdrawn")
"""Refusals that would tell a stranger of the owner of an address."""


async def may_be_told(
    connection: Connection,
    registration_id: UUID,
    sign_up: SignUp,
    who: Principal | None,
    now: datetime,
) -> bool:
    """Say whether who sends a form is told of the registration that its address has already."""
    registration = await existing(connection, registration_id)
    if who is not None:
        mission = Scope(registration["mission_id"])
        if who.subject == registration["person_id"] or may(who, "people.invite", mission):
            return True
    if now - registration["registered_at"] > SENT_AGAIN_WITHIN:
        return False
    person = await people.person(connection, registration["person_id"])
    given = sign_up.person
    # Not the company: what was said of it first stays, by whomever.
    return person is not None and (
        *(person["full_name"], person["native_name"], person["latin_name"]),
        *(person["position"], person["language"], sorted(person["languages"])),
    ) == (
        *(given.full_name, given.native_name, given.latin_name),
        *(given.position, given.language, sorted(given.languages)),
    )
