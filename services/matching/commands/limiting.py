"""Limiting: how many meetings each side, or one person, has at a stop."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.matching.commands import looking
from services.matching.commands.ruling import check_revision
from services.matching.domain.ground import SIDES
from services.matching.domain.problem import DEFAULT_QUOTAS, Quota
from services.matching.domain.quotas import Part, effective, exceeding, of_person, used
from services.matching.store import meetings
from services.matching.store import quotas as store
from shared.errors import Fault, Invalid
from shared.events.base import Side
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def limit_side(database: Database, facts: Facts, seen: int) -> tuple[dict[str, Any], int]:
    """Set a side's quota at a stop in place of what was `seen`, and give its revision.

    Raises `NotFound`, `Invalid` and `Stale`.
    """
    _check(facts["minimum"], facts["maximum"], "/minimum")
    stop_id, side = facts["stop_id"], facts["side"]
    async with database.transaction() as connection:
        await looking.existing_stop(connection, stop_id, lock=True)
        check_revision(seen, (await store.side_revisions(connection, stop_id)).get(side, 0))
        quota = Quota(minimum=facts["minimum"], maximum=facts["maximum"])
        return dict(facts), await store.put_side(connection, stop_id, side, quota)


async def limit_person(database: Database, facts: Facts, seen: int) -> tuple[dict[str, Any], int]:
    """Set what is another number for one person at a stop in place of what was `seen`.

    Gives what holds now, and its revision. Raises `NotFound`, `Invalid` and `Stale`.
    """
    stop_id, person_id = facts["stop_id"], facts["participant_id"]
    async with database.transaction() as connection:
        await looking.existing_stop(connection, stop_id, lock=True)
        check_revision(seen, await store.revision_of(connection, stop_id, person_id))
        person = await looking.existing_participant(connection, stop_id, person_id)
        part: Part = (facts["minimum"], facts["maximum"])
        side = (await _sides(connection, stop_id))[person["side"]]
        pointer = "/maximum" if part[0] is None else "/minimum"
        least = side.minimum if part[0] is None else part[0]
        if part != (None, None):
            _check(least, side.maximum if part[1] is None else part[1], pointer)
        revision = await store.put_person(connection, stop_id, person_id, part)
    return {**facts, "effective": of_person(side, part).model_dump()}, revision


async def quota_of(connection: Connection, stop_id: UUID, person_id: UUID) -> Quota:
    """Give one person's quota; raises `NotFound`."""
    person = await looking.existing_participant(connection, stop_id, person_id)
    side = (await _sides(connection, stop_id))[person["side"]]
    return of_person(side, await store.part(connection, stop_id, person_id))


async def limits(connection: Connection, stop_id: UUID) -> dict[str, Any]:
    """Show a stop's quotas, for each side and for whom they are others, with their revisions."""
    sides = await _sides(connection, stop_id)
    revisions = await store.side_revisions(connection, stop_id)
    return {
        "sides": [
            {"side": side, **quota.model_dump(), "revision": revisions.get(side, 0)}
            for side, quota in sides.items()
        ],
        "people": [dict(row) for row in await store.people(connection, stop_id)],
    }


async def exceeded(connection: Connection, stop_id: UUID) -> dict[UUID, tuple[int, int]]:
    """Give who has more meetings than the quota allows now: how many, and how many are allowed."""
    held = [one for one in await meetings.of_stop(connection, stop_id) if one.state != "cancelled"]
    counts = used(held)
    people = {person: side for one in held for person, side in zip(one.people, SIDES, strict=True)}
    parts = await store.parts(connection, stop_id)
    limits = effective(await _sides(connection, stop_id), parts, people)
    return {one: (counts[one], most) for one, most in exceeding(counts, people, limits).items()}


async def _sides(connection: Connection, stop_id: UUID) -> dict[Side, Quota]:
    return {**DEFAULT_QUOTAS, **await store.sides(connection, stop_id)}


def _check(minimum: int, maximum: int | None, pointer: str) -> None:
    if maximum is not None and minimum > maximum:
        fault = Fault(pointer, f"The minimum, {minimum}, is above the maximum, {maximum}.")
        raise Invalid("A minimum is not above the maximum.", faults=[fault])
