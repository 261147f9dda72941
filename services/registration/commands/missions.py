"""Planning: missions, partner organisations, stops, programme items and staff."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.registration.domain.people import Person
from services.registration.store import missions as store
from services.registration.store import people
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.events.registration import (
    MissionAnnounced,
    ProgrammeItemPlanned,
    StaffEngaged,
    StopPlanned,
)
from shared.idempotency import Answer, Key, once
from shared.log import outbox
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]

HOSTS = ("lead", "co_host")
"""The roles of partners that have a say in who meets at their stop."""


async def add_mission(
    database: Database, facts: Facts, who: Principal, key: Key | None, now: datetime
) -> Answer:
    """Announce a mission; raises `Conflict` when the slug is taken."""

    async def effect(connection: Connection) -> Answer:
        mission_id = uuid4()
        try:
            await store.add_mission(connection, {**facts, "id": mission_id})
        except asyncpg.UniqueViolationError:
            raise _taken(facts["slug"]) from None
        names = ("slug", "title", "starts_on", "ends_on", "is_rehearsal", "sectors")
        event = MissionAnnounced(mission_id=mission_id, **{name: facts[name] for name in names})
        await outbox.append(connection, event, sequence=1, now=now)
        await note(
            connection, who, "mission.added", subject_id=mission_id, mission_id=mission_id, now=now
        )
        return Answer({"id": str(mission_id), "slug": facts["slug"]})

    return await once(database, key, effect)


async def add_partner(
    database: Database,
    mission_id: UUID,
    facts: Facts,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Add a partner organisation to a mission."""

    async def effect(connection: Connection) -> Answer:
        await existing_mission(connection, mission_id)
        partner_id = uuid4()
        partner = {**facts, "id": partner_id, "mission_id": mission_id}
        await store.add_partner(connection, partner)
        await note(
            connection, who, "partner.added", subject_id=partner_id, mission_id=mission_id, now=now
        )
        return Answer({"id": str(partner_id)})

    return await once(database, key, effect)


async def add_stop(
    database: Database,
    mission_id: UUID,
    facts: Facts,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Plan a stop with its partners' roles; raises `Conflict` when the slug is taken."""

    async def effect(connection: Connection) -> Answer:
        mission = await existing_mission(connection, mission_id)
        if not mission["starts_on"] <= facts["held_on"] <= mission["ends_on"]:
            fault = Fault("/date", "A stop lies within the days of its mission.")
            raise Invalid("The stop is outside its mission.", faults=[fault])
        await check_partners(connection, mission_id, facts["roles"])
        stop_id = uuid4()
        stop = {**facts, "id": stop_id, "mission_id": mission_id}
        try:
            await store.add_stop(connection, stop)
        except asyncpg.UniqueViolationError:
            raise _taken(facts["slug"]) from None
        await store.add_roles(connection, stop_id, facts["roles"])
        event = stop_planned(stop, facts["roles"])
        await outbox.append(connection, event, sequence=1, now=now)
        await note(
            connection,
            who,
            "stop.added",
            subject_id=stop_id,
            mission_id=mission_id,
            stop_id=stop_id,
            now=now,
        )
        return Answer({"id": str(stop_id), "slug": facts["slug"]})

    return await once(database, key, effect)


def stop_planned(stop: Facts, roles: Sequence[Facts]) -> StopPlanned:
    """Make the event that tells a stop with its partners."""
    names = ("slug", "city", "title", "venue", "timezone")
    return StopPlanned(
        stop_id=stop["id"],
        mission_id=stop["mission_id"],
        on=stop["held_on"],
        hosts=tuple(one["partner_id"] for one in roles if one["role"] in HOSTS),
        partners=tuple(dict.fromkeys(one["partner_id"] for one in roles)),
        **{name: stop[name] for name in names},
    )


async def add_item(
    database: Database,
    stop_id: UUID,
    facts: Facts,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Plan a programme item; raises `Conflict` when the slug is taken."""

    async def effect(connection: Connection) -> Answer:
        stop = await existing_stop(connection, stop_id)
        item_id = uuid4()
        try:
            await store.add_item(connection, {**facts, "id": item_id, "stop_id": stop_id})
        except asyncpg.UniqueViolationError:
            raise _taken(facts["slug"]) from None
        names = ("kind", "title", "starts_at", "ends_at")
        event = ProgrammeItemPlanned(
            programme_item_id=item_id,
            stop_id=stop_id,
            mission_id=stop["mission_id"],
            **{name: facts[name] for name in names},
        )
        await outbox.append(connection, event, sequence=1, now=now)
        await note(
            connection,
            who,
            "item.added",
            subject_id=item_id,
            mission_id=stop["mission_id"],
            stop_id=stop_id,
            details={"capacity": facts["capacity"]},
            now=now,
        )
        return Answer({"id": str(item_id), "slug": facts["slug"]})

    return await once(database, key, effect)


async def engage(
    database: Database,
    mission_id: UUID,
    facts: Facts,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Engage a member of staff or an interpreter; raises `Conflict` when the address is in use.

    `facts`: person, role, stop_ids, partner_id.
    """
    person: Person = facts["person"]
    duties = {name: facts[name] for name in ("role", "stop_ids", "partner_id")}

    async def effect(connection: Connection) -> Answer:
        await existing_mission(connection, mission_id)
        await check_stops(connection, mission_id, facts["stop_ids"])
        await check_partner(connection, mission_id, facts["partner_id"])
        person_id = uuid4()
        if not await people.add_person(
            connection, person, id=person_id, mission_id=mission_id, **duties
        ):
            raise Conflict("Somebody has this e-mail address already.", code="email_in_use")
        event = StaffEngaged(
            staff_id=person_id,
            mission_id=mission_id,
            role=facts["role"],
            stop_ids=tuple(facts["stop_ids"]),
            languages=person.languages,
            partner_id=facts["partner_id"],
        )
        version = await people.next_version(connection, person_id)
        await outbox.append(connection, event, sequence=version, now=now)
        await note(
            connection,
            who,
            "staff.engaged",
            subject_id=person_id,
            mission_id=mission_id,
            details=duties,
            now=now,
        )
        return Answer({"id": str(person_id)})

    return await once(database, key, effect)


async def existing_mission(connection: Connection, mission_id: UUID) -> asyncpg.Record:
    """Read a mission; raises `NotFound`."""
    mission = await store.mission(connection, mission_id)
    if mission is None:
        raise NotFound("There is no such mission.")
    return mission


async def existing_stop(connection: Connection, stop_id: UUID) -> asyncpg.Record:
    """Read a stop; raises `NotFound`."""
    stop = await store.stop(connection, stop_id)
    if stop is None:
        raise NotFound("There is no such stop.")
    return stop


async def existing_item(connection: Connection, item_id: UUID) -> asyncpg.Record:
    """Read a programme item; raises `NotFound`."""
    item = await store.item(connection, item_id)
    if item is None:
        raise NotFound("There is no such programme item.")
    return item


async def check_stops(connection: Connection, mission_id: UUID, stop_ids: list[UUID]) -> None:
    """Raise `Invalid` when one of the stops is none of this mission's."""
    known = {stop["id"] for stop in await store.stops_of(connection, mission_id)}
    faults = [
        Fault(f"/stop_ids/{place}", "This is not a stop of this mission.")
        for place, stop_id in enumerate(stop_ids)
        if stop_id not in known
    ]
    if faults:
        raise Invalid("Some stops are wrong.", faults=faults)


async def check_partner(connection: Connection, mission_id: UUID, partner_id: UUID | None) -> None:
    """Raise `Invalid` when there is a partner and it is none of this mission's."""
    if partner_id is None:
        return
    if partner_id not in {row["id"] for row in await store.partners_of(connection, mission_id)}:
        fault = Fault("/partner_id", "This is not a partner of this mission.")
        raise Invalid("The partner is wrong.", faults=[fault])


async def check_partners(connection: Connection, mission_id: UUID, roles: Sequence[Facts]) -> None:
    """Raise `Invalid` when a role is for a partner that is none of this mission's."""
    known = {partner["id"] for partner in await store.partners_of(connection, mission_id)}
    faults = [
        Fault(f"/roles/{place}/partner_id", "This is not a partner of this mission.")
        for place, role in enumerate(roles)
        if role["partner_id"] not in known
    ]
    if faults:
        raise Invalid("Some partners are wrong.", faults=faults)


def _taken(slug: str) -> Conflict:
    return Conflict(f"The slug {slug} is taken.", code="slug_taken")
