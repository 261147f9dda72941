"""Outcomes: what came of a mission is stated, confirmed, disputed or taken back.

A deal belongs to two companies. Whoever of them tells of it adds to the one row there is, so that
it is counted once.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.matching.commands import looking
from services.matching.domain import outcomes as domain
from services.matching.domain.outcomes import (
    Act,
    Deal,
    Evidence,
    Speaker,
    Standing,
    Statement,
    Totals,
)
from services.matching.store import outcomes as store
from services.matching.store.outcomes import Wanted
from shared.errors import Conflict, Fault, Invalid, NotFound, Stale
from shared.events.matching import (
    OutcomeDisputed,
    OutcomeEvent,
    OutcomeReported,
    OutcomeRetracted,
    OutcomeVerified,
)
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.log import outbox
from shared.postgres import Connection, Database

EVENTS: dict[Act, type[OutcomeEvent]] = {
    "report": OutcomeReported,
    "verify": OutcomeVerified,
    "dispute": OutcomeDisputed,
    "retract": OutcomeRetracted,
}


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says of a deal, besides what the deal is."""

    by: Speaker
    now: datetime
    evidence: tuple[Evidence, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """Between whom a deal is; `is_another` opens one beside those there are."""

    delegate_id: UUID
    local_id: UUID
    stop_id: UUID | None = None
    is_another: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A deal, all that was said of it, and where it stands."""

    outcome: store.Row
    statements: Sequence[Statement]
    standing: Standing


async def report(
    database: Database, about: About, deal: Deal, said: Said, key: Key | None
) -> Answer:
    """State a deal: a new one, or a word more on the one that is meant.

    Raises `Invalid` for what is no deal or not between the two sides, and `Conflict`
    (`answer_first`) where another deal is to be opened while the other side waits for an answer.
    """
    domain.check_deal(deal)

    async def effect(connection: Connection) -> Answer:
        outcome: Any = await _between(connection, about, said.now)
        pair = outcome["delegate_organization_id"], outcome["local_organization_id"]
        await store.lock_companies(connection, outcome["mission_id"], pair)
        rows = await store.of_companies(connection, outcome["mission_id"], pair)
        deals = await store.statements(connection, [row["id"] for row in rows])
        if about.is_another:
            if waiting := domain.unanswered(deals, said.by):
                detail = f"The other side states a deal ({waiting}): confirm or dispute it first."
                raise Conflict(detail, code="answer_first")
            meant = None
        else:
            meant = domain.meant(deals, said.by)
        if meant is None:
            await store.add(connection, outcome)
            await _say(connection, outcome, [], "report", deal, said)
            return Answer({"id": str(outcome["id"]), "revision": 1})
        outcome = next(row for row in rows if row["id"] == meant)
        act = domain.reported_as(domain.standing(deals[meant]), deal, said.by)
        revision = await _say(connection, outcome, deals[meant], act, deal, said)
        return Answer({"id": str(meant), "revision": revision}, status=200)

    return await once(database, key, effect)


async def restate(
    database: Database, outcome_id: UUID, revision: int, deal: Deal, said: Said
) -> int:
    """State anew what a deal is, and give its revision; raises `NotFound`, `Stale`, `Invalid`."""
    domain.check_deal(deal)

    def decide(now: Standing) -> tuple[Act, Deal]:
        return domain.reported_as(now, deal, said.by), deal

    return await _change(database, (outcome_id, revision), decide, said)


async def judge(
    database: Database,
    outcome_id: UUID,
    revision: int,
    act: Literal["verify", "dispute"],
    said: Said,
) -> int:
    """Confirm or dispute what somebody else states; raises `NotFound`, `Stale`, `Conflict`."""

    def decide(now: Standing) -> tuple[Act, Deal]:
        domain.check_judgement(now, act, said.by)
        return act, now.deal

    return await _change(database, (outcome_id, revision), decide, said)


async def retract(database: Database, outcome_id: UUID, revision: int, said: Said) -> int:
    """Take a deal back; raises `NotFound`, `Stale`, and `Conflict` for another side's word."""

    def decide(now: Standing) -> tuple[Act, Deal]:
        domain.check_retraction(now, said.by)
        return "retract", now.deal

    return await _change(database, (outcome_id, revision), decide, said)


async def existing(connection: Connection, outcome_id: UUID) -> Found:
    """Read a deal with its history; raises `NotFound`."""
    row = await store.one(connection, outcome_id)
    if row is None:
        raise NotFound("There is no such outcome.")
    (found,) = await _found(connection, [row])
    return found


async def parts(
    connection: Connection,
    wanted: Wanted,
    after: UUID | None = None,
    at_once: int | None = None,
) -> AsyncIterator[list[Found]]:
    """Read deals, however many, the last opened first; others have their turn between parts.

    `at_once` is how many are read at a time, for readers who want few.
    """
    limit = min(at_once or store.OUTCOMES_AT_ONCE, store.OUTCOMES_AT_ONCE)
    while rows := await store.of_mission(connection, wanted, after, limit):
        after = rows[-1]["id"]
        yield await _found(connection, rows)
        if len(rows) < limit:
            return


async def _found(connection: Connection, rows: Sequence[store.Row]) -> list[Found]:
    said = await store.statements(connection, [row["id"] for row in rows])
    return [Found(row, said[row["id"]], domain.standing(said[row["id"]])) for row in rows]


@dataclass(frozen=True, slots=True)
class Counted:
    """What deals amount to, in all and at each stop."""

    whole: Totals
    by_stop: dict[UUID, Totals]


def counted(found: Sequence[tuple[UUID, Standing]], stops: Iterable[UUID] | None = None) -> Counted:
    """Count deals, of which stop and standing are given; `stops` other than those of deals."""
    by_stop: dict[UUID, list[Standing]] = {
        stop: [] for stop in (sorted({stop for stop, _ in found}) if stops is None else stops)
    }
    for stop, one in found:
        by_stop[stop].append(one)
    return Counted(
        domain.totals(one for _, one in found),
        {stop: domain.totals(those) for stop, those in by_stop.items()},
    )


async def _change(
    database: Database,
    where: tuple[UUID, int],
    decide: Callable[[Standing], tuple[Act, Deal]],
    said: Said,
) -> int:
    outcome_id, revision = where
    async with database.transaction() as connection:
        outcome = (await existing(connection, outcome_id)).outcome
        # The one lock of all who speak of these two companies.
        pair = outcome["delegate_organization_id"], outcome["local_organization_id"]
        await store.lock_companies(connection, outcome["mission_id"], pair)
        found = await existing(connection, outcome_id)
        now = found.standing
        if now.revision != revision:
            raise Stale(f"This outcome is at revision {now.revision} by now; look again.")
        act, deal = decide(now)
        return await _say(connection, outcome, found.statements, act, deal, said)


async def _say(
    connection: Connection,
    outcome: Any,
    before: Sequence[Statement],
    act: Act,
    deal: Deal,
    said: Said,
) -> int:
    statement = Statement(
        revision=len(before) + 1,
        act=act,
        deal=deal,
        evidence=said.evidence,
        is_evidenced=bool(said.evidence),
        note=said.note,
        by=said.by,
        at=said.now,
    )
    await store.say(connection, outcome["id"], statement)
    now = domain.standing([*before, statement])
    names = ("stop_id", "mission_id", "meeting_id", "delegate_organization_id")
    event = EVENTS[act](
        outcome_id=outcome["id"],
        **{name: outcome[name] for name in (*names, "local_organization_id")},
        revision=statement.revision,
        state=now.state,
        kind=now.deal.kind,
        occurred_at=said.now,
    )
    await outbox.append(connection, event, sequence=statement.revision, now=said.now)
    return statement.revision


async def _between(connection: Connection, about: About, now: datetime) -> dict[str, Any]:
    """Give a deal of two as it would be opened; raises `Invalid` where there is none."""
    people = await store.parties(connection, [about.delegate_id, about.local_id])
    delegate, local = people.get(about.delegate_id), people.get(about.local_id)
    faults = []
    if delegate is None or delegate["side"] != "delegation":
        faults.append(Fault("/delegate_id", "Nobody of the delegation."))
    if local is None or local["side"] != "local":
        faults.append(Fault("/local_id", "No local participant."))
    if delegate is None or local is None or faults:
        raise Invalid("A deal is between a delegate and a local participant.", faults=faults)
    if delegate["mission_id"] != local["mission_id"]:
        fault = Fault("/local_id", "Of another mission.")
        raise Invalid("A deal is between two of one mission.", faults=[fault])
    meeting = await store.meeting_of(connection, about.delegate_id, about.local_id)
    stop_id = about.stop_id or (meeting["stop_id"] if meeting else None)
    if stop_id is None:
        fault = Fault("/stop_id", "These two had no meeting: say at which stop it began.")
        raise Invalid("A deal belongs to a stop.", faults=[fault])
    stop = await looking.existing_stop(connection, stop_id)
    if stop["mission_id"] != delegate["mission_id"]:
        raise Invalid(
            "A deal belongs to a stop.", faults=[Fault("/stop_id", "Of another mission.")]
        )
    return {
        "id": new_id(),
        "mission_id": delegate["mission_id"],
        "stop_id": stop_id,
        "meeting_id": meeting["id"] if meeting and meeting["stop_id"] == stop_id else None,
        "delegate_id": about.delegate_id,
        "local_id": about.local_id,
        "delegate_organization_id": delegate["organization_id"],
        "local_organization_id": local["organization_id"],
        "opened_at": now,
    }
