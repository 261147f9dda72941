"""The ledger's readers and speakers: who sees which outcome, and for whom somebody speaks."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.matching.commands import outcomes
from services.matching.commands.aside import aside
from services.matching.commands.outcomes import Counted, Found
from services.matching.domain.outcomes import Speaker, Statement
from services.matching.store import outcomes as store
from services.matching.store.outcomes import Wanted
from shared.access import Action, Principal, Scope, may
from shared.errors import Fault, Forbidden, Invalid
from shared.events.base import Side
from shared.postgres import Connection

Outcome = store.Row | Mapping[str, Any]
"""A deal, or one that is not opened yet."""

_SIDES: Mapping[str, Side] = {"delegate": "delegation", "local": "local"}


async def readable(
    connection: Connection,
    who: Principal,
    wanted: Wanted,
    after: UUID | None = None,
    at_once: int | None = None,
) -> AsyncGenerator[list[Found]]:
    """Read the deals that somebody may read, however many, the last opened first, in parts."""
    is_staff = may(who, "outcome.read", Scope(wanted.mission_id, wanted.stop_id))
    if not is_staff:
        own = await store.organizations_of(
            connection, wanted.mission_id, who.subject, who.seen_partner
        )
        wanted = replace(wanted, organizations=own)
    async for found in outcomes.parts(connection, wanted, after, at_once):
        # Whoever works on the mission reads each, whoever stands for its companies.
        people = [] if is_staff else await _people(connection, found)
        yield [one for one in found if _mine(who, "outcome.read", one.outcome, people)]


async def page(
    connection: Connection, who: Principal, wanted: Wanted, after: UUID | None, limit: int
) -> tuple[list[Found], UUID | None]:
    """Read the next deals that somebody may read, and after which one there are more."""
    found: list[Found] = []
    async with aclosing(readable(connection, who, wanted, after, limit + 1)) as parts:
        async for part in parts:
            found += part
            if len(found) > limit:
                return found[:limit], found[limit - 1].outcome["id"]
    return found, None


async def counted(connection: Connection, who: Principal, wanted: Wanted) -> Counted:
    """Count all deals that somebody may read, each once."""
    parts = readable(connection, who, wanted)
    found = [(one.outcome["stop_id"], one.standing) async for part in parts for one in part]
    return await aside(outcomes.counted, found)


async def require(
    connection: Connection, who: Principal, action: Action, outcome: Outcome
) -> list[store.Row]:
    """Give the people who stand for the two companies; raises `Forbidden`."""
    companies = outcome["delegate_organization_id"], outcome["local_organization_id"]
    rows = await store.representatives(connection, outcome["mission_id"], companies)
    if not _mine(who, action, outcome, list(rows.values())):
        raise Forbidden(f"The role {who.role} may not do this ({action}) here.")
    return list(rows.values())


def speaker(who: Principal, people: Sequence[store.Row], side: Side | None) -> Speaker:
    """Say for which side somebody speaks: people for their own, a partner for whom it invited.

    Mission staff speaks for itself, or for the `side` that it names. Raises `Invalid`.
    """
    if who.role in _SIDES:
        own = next((one["side"] for one in people if one["id"] == who.subject), _SIDES[who.role])
        return Speaker(who.subject, who.role, own)
    if who.is_partner:
        sides = {one["side"] for one in people if one["partner_id"] == who.partner_id}
        if side is None and len(sides) == 1:
            side = sides.pop()
        elif side not in sides:
            fault = Fault("/side", "The side of somebody whom you invited.")
            raise Invalid("Say for which side you speak.", faults=[fault])
    return Speaker(who.subject, who.role, side)


def view(found: Found) -> dict[str, Any]:
    """Show a deal and where it stands."""
    now = found.standing
    return {
        **dict(found.outcome),
        "kind": now.deal.kind,
        "value": now.deal.value,
        "currency": now.deal.currency,
        "state": now.state,
        "revision": now.revision,
        "stated_by_side": now.author.side,
    }


def statement_view(said: Statement) -> dict[str, Any]:
    """Show one line of a deal's history."""
    return {
        "revision": said.revision,
        "act": said.act,
        "kind": said.deal.kind,
        "value": said.deal.value,
        "currency": said.deal.currency,
        "evidence": [one.model_dump() for one in said.evidence],
        "note": said.note,
        "side": said.by.side,
        "stated_by": said.by.id,
        "stated_role": said.by.role,
        "stated_at": said.at,
    }


async def existing(
    connection: Connection, who: Principal, action: Action, outcome_id: UUID
) -> tuple[Found, list[store.Row]]:
    """Read a deal that somebody may read or speak of; raises `NotFound` and `Forbidden`."""
    found = await outcomes.existing(connection, outcome_id)
    return found, await require(connection, who, action, found.outcome)


async def _people(connection: Connection, found: Sequence[Found]) -> list[store.Row]:
    rows: dict[UUID, store.Row] = {}
    for mission_id in {one.outcome["mission_id"] for one in found}:
        companies = {
            one.outcome[name]
            for one in found
            for name in ("delegate_organization_id", "local_organization_id")
        }
        rows |= await store.representatives(connection, mission_id, list(companies))
    return list(rows.values())


def _mine(who: Principal, action: Action, outcome: Outcome, people: Sequence[store.Row]) -> bool:
    mission_id, stop_id = outcome["mission_id"], outcome["stop_id"]
    if may(who, action, Scope(mission_id, stop_id)):
        return True
    companies = outcome["delegate_organization_id"], outcome["local_organization_id"]
    return any(
        may(who, action, Scope(mission_id, stop_id, (one["id"],), one["partner_id"]))
        for one in people
        if one["organization_id"] in companies
    )
