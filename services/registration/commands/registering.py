"""Registering: a person, an organisation and a place, or a place on the waiting list."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.registration.commands.missions import (
    check_partner,
    existing_item,
    existing_mission,
)
from services.registration.commands.telling import tell
from services.registration.domain.people import SignUp, check, role_of
from services.registration.domain.places import Status, granted
from services.registration.store import missions, people
from services.registration.store import registrations as store
from shared.errors import Conflict
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database

Row = asyncpg.Record


async def register(
    database: Database, item_id: UUID, sign_up: SignUp, key: Key, now: datetime
) -> Answer:
    """Register a person to a programme item.

    Answers 201 with `is_new` saying whether the person is new in the mission; 200 with the first
    registration when the address is registered already. Raises `NotFound`, `Invalid`, `Conflict`.
    """

    async def effect(connection: Connection) -> Answer:
        item = await existing_item(connection, item_id)
        mission = await existing_mission(connection, item["mission_id"])
        check(sign_up, mission["sectors"])
        await check_partner(connection, item["mission_id"], sign_up.partner_id)
        person_id, is_new = await _person(connection, item["mission_id"], sign_up, now)
        known = None if is_new else await _known(connection, item_id, person_id)
        if known is not None and known["status"] != Status.CANCELLED:
            content = _content(known, Status(known["status"]))
            return Answer({**content, "is_new": False}, status=200)
        has_place = await missions.take_place(connection, item_id)
        status = (
            granted(requires_approval=item["requires_approval"]) if has_place else Status.WAITLISTED
        )
        if known is not None:
            await store.revive(connection, known["id"], status, now)
        registration_id = known["id"] if known else uuid4()
        if known is None:
            await store.add(
                connection,
                {
                    "id": registration_id,
                    "programme_item_id": item_id,
                    "person_id": person_id,
                    "status": status,
                    "source": sign_up.source,
                    "partner_id": sign_up.partner_id,
                    "registered_at": now,
                },
            )
        registration = await store.one(connection, registration_id)
        assert registration is not None
        await tell(connection, registration, status, now)
        content = _content(registration, status)
        if status is Status.WAITLISTED:
            content["position"] = await store.position(connection, registration_id)
        return Answer({**content, "is_new": is_new})

    return await once(database, key, effect)


async def _known(connection: Connection, item_id: UUID, person_id: UUID) -> Row | None:
    """Find a person's registration once the item is locked: another request may be adding it."""
    await missions.lock_item(connection, item_id)
    return await store.of_person(connection, item_id, person_id)


def _content(registration: Row, status: Status) -> dict[str, Any]:
    return {
        "id": str(registration["id"]),
        "status": status.value,
        "participant_id": str(registration["person_id"]),
        "programme_item_id": str(registration["programme_item_id"]),
    }


async def _person(
    connection: Connection, mission_id: UUID, sign_up: SignUp, now: datetime
) -> tuple[UUID, bool]:
    """Find the person by address, or add him or her; what is on file stays as it is."""
    known = await people.person_by_email(connection, mission_id, sign_up.person.email)
    if known is None:
        organization_id, is_new = await people.organization_id(
            connection, mission_id, sign_up.organization, uuid4()
        )
        if is_new:
            await people.add_listings(connection, organization_id, sign_up.listings)
        person_id = uuid4()
        if await people.add_person(
            connection,
            sign_up.person,
            id=person_id,
            mission_id=mission_id,
            role=role_of(sign_up.side),
            organization_id=organization_id,
            partner_id=sign_up.partner_id,
        ):
            consent = people.granted(now, sign_up.person.language)
            await people.add_consent(connection, person_id, **consent)
            return person_id, True
        known = await people.person_by_email(connection, mission_id, sign_up.person.email)
        assert known is not None
    if known["role"] != role_of(sign_up.side):
        raise Conflict(
            "This e-mail address belongs to somebody with another role in this mission.",
            code="other_role",
        )
    return known["id"], False
