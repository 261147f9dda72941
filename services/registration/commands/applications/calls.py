"""Calls: what a mission publishes before companies apply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.missions import existing_mission
from services.registration.domain.applications import CERTIFICATIONS, Status, Terms
from services.registration.domain.applying import Asked
from services.registration.store import applications, missions
from services.registration.store import calls as store
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, NotFound, PreconditionMissing, Stale
from shared.ids import new_id
from shared.postgres import Connection, Database

Row = asyncpg.Record
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """All that is published about applying to a mission."""

    mission: Row
    row: Row
    criteria: Sequence[Row]
    certifications: Sequence[Row]
    """Today's texts, in the order in which they are asked."""
    stops: Sequence[Row]

    @property
    def terms(self) -> Terms:
        """Give what the rules need."""
        return store.terms(self.row)

    @property
    def asked(self) -> Asked:
        """Give what a company is asked."""
        stop_ids = [stop["id"] for stop in self.stops]
        return Asked(self.mission["sectors"], stop_ids, self.row["questions"])

    @property
    def versions(self) -> dict[str, int]:
        """Give the version of each text."""
        return {row["code"]: row["version"] for row in self.certifications}

    @property
    def weights(self) -> dict[UUID, int]:
        """Give the weight of each criterion."""
        return {row["id"]: row["weight"] for row in self.criteria}


async def published(connection: Connection, mission: Row) -> Call | None:
    """Read what a mission has published, if it has."""
    mission_id = mission["id"]
    row = await store.call(connection, mission_id)
    if row is None:
        return None
    return Call(
        mission,
        row,
        await store.criteria(connection, mission_id),
        await texts(connection, mission_id),
        await missions.stops_of(connection, mission_id),
    )


async def existing(connection: Connection, mission_id: UUID) -> Call:
    """Read what a mission has published; raises `NotFound`."""
    call = await published(connection, await existing_mission(connection, mission_id))
    if call is None:
        raise NotFound("This mission takes no applications.")
    return call


async def texts(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List today's texts in the order in which they are asked."""
    found = await store.certifications(connection, mission_id)
    return sorted(found, key=lambda row: CERTIFICATIONS.index(row["code"]))


async def publish(  # a revision, and who and when
    database: Database,
    mission_id: UUID,
    facts: Facts,
    seen: int | None,
    who: Principal,
    now: datetime,
) -> int:
    """Publish a mission's call, or change it on the revision that was `seen`; gives its revision.

    Before the first the revision is 0, or None. Raises `Stale`, `PreconditionMissing` where there
    is a call and none was seen, and `Conflict` when the criteria would change after a company has
    applied: they are announced in advance.
    """
    async with database.transaction() as connection:
        await existing_mission(connection, mission_id)
        row = await store.lock(connection, mission_id)
        if row and seen is None:
            raise PreconditionMissing(
                'There is a call already: send the revision you decided on as If-Match: "7".'
            )
        _must_be(seen or 0, row["revision"] if row else 0)
        before = [
            (row["title"], row["weight"]) for row in await store.criteria(connection, mission_id)
        ]
        after = [(criterion["title"], criterion["weight"]) for criterion in facts["criteria"]]
        has_applied = set(await applications.counts(connection, mission_id)) - {Status.DRAFT}
        if before != after and has_applied:
            raise Conflict(
                "Companies have applied: the criteria stay as they were announced.",
                code="criteria_announced",
            )
        revision = await store.put(connection, mission_id, facts)
        # Where there was none to lock, somebody else may have published the first meanwhile.
        _must_be(seen or 0, revision - 1)
        if before != after:
            criteria = [(new_id(), title, weight) for title, weight in after]
            await store.put_criteria(connection, mission_id, criteria)
        await note(
            connection,
            who,
            "call.published",
            subject_id=mission_id,
            mission_id=mission_id,
            details={"revision": revision},
            now=now,
        )
    return revision


def _must_be(seen: int, revision: int) -> None:
    if seen != revision:
        raise Stale(f"The call has revision {revision} now.")


async def put_certification(
    database: Database,
    mission_id: UUID,
    text: tuple[str, Facts],
    who: Principal,
    now: datetime,
) -> int:
    """Publish a text, by code and content, and give its version; the same again is no new one."""
    code, content = text
    try:
        async with database.transaction() as connection:
            await existing_mission(connection, mission_id)
            for row in await store.certifications(connection, mission_id):
                if row["code"] == code and row["content"] == content:
                    version: int = row["version"]
                    return version
            version = await store.add_certification(connection, mission_id, code, content, now)
            await note(
                connection,
                who,
                "certification.published",
                subject_id=mission_id,
                mission_id=mission_id,
                details={"code": code, "version": version},
                now=now,
            )
            return version
    except asyncpg.UniqueViolationError:
        raise Conflict("Somebody publishes this text just now; try again.") from None
