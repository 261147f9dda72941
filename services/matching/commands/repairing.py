"""Repairing: what disturbs the running day becomes a proposal, which staff accepts or rejects."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from pydantic_core import to_jsonable_python

from services.matching.commands import enforcing, looking, reviewing, tracing
from services.matching.commands.checking import Outdated
from services.matching.commands.keeping import Days, Kept
from services.matching.commands.reporting import Report, happened
from services.matching.commands.warning import warnings
from services.matching.domain.repair.day import Disturbance
from services.matching.domain.repair.proposal import Proposal
from services.matching.domain.repair.record import Happened, Record
from services.matching.domain.requests import Author
from services.matching.store import facts
from services.matching.store import repairs as store
from shared.access import Principal
from shared.errors import Conflict, NotFound, Refusal
from shared.idempotency import Answer, Key, once, recall
from shared.postgres import Connection, Database

Row = store.Row


class Repair(Protocol):
    """Finds repairs while others are served."""

    @property
    def days(self) -> Days:
        """The days that it is kept for."""

    async def __call__(self, kept: Kept, disturbance: Disturbance, now: datetime) -> Proposal:
        """Find a repair of a day that is up to date; the caller has its turn."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A repair that somebody decides about; a request with `key` takes effect once."""

    repair_id: UUID
    who: Principal
    now: datetime
    key: Key | None = None
    in_full: bool = False
    """Whether the answer says also who does not want to meet."""

    @property
    def by(self) -> Author:
        """Say whose decision it is."""
        return Author(self.who.subject, self.who.role)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a repair and when; sent again with its key it is the same repair."""

    who: Principal
    now: datetime
    key: Key | None = None


async def propose(
    database: Database, repair: Repair, stop_id: UUID, what: Report | Happened, asking: Asking
) -> UUID:
    """Find a repair of a stop's day and keep it; the stop's rule may accept it at once.

    `what` is a report, or what was reported before. Raises `NotFound`, `Invalid`, `Conflict`.
    """
    key, now = asking.key, asking.now
    if key and (before := await _before(database, key)):
        return before
    async with database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    kept = repair.days.of(stop_id)
    async with kept.turn:
        known = await kept.renew(database, stop)
        told = what if isinstance(what, Happened) else happened(what, known, now)
        record = Record.of(await repair(kept, told.disturbance(known.at_sessions), now))
    decision = Decision(uuid4(), asking.who, now)
    is_light = False

    async def effect(connection: Connection) -> Answer:
        nonlocal is_light
        told_of = await warnings(connection, stop_id, known, record)
        kept = record.model_copy(update={"warnings": told_of})
        await store.add(connection, (decision.repair_id, stop_id), (told, kept), decision.by, now)
        meetings_max = await store.rule(connection, stop_id)
        is_light = meetings_max is not None and kept.is_light(meetings_max)
        return Answer({"id": str(decision.repair_id)})

    answer = await once(database, key, effect)
    if is_light and not answer.is_replayed:
        await _accept_by_rule(database, decision)
    return UUID(answer.content["id"])


async def _before(database: Database, key: Key) -> UUID | None:
    """Give the repair that a key has led to, before anything is searched for; raises as `once`."""
    async with database.transaction() as connection:
        found = (await recall(connection, [key]))[key]
    if isinstance(found, Refusal):
        raise found
    return UUID(found.content["id"]) if found else None


async def _accept_by_rule(database: Database, decision: Decision) -> None:
    try:
        await accept(database, decision, is_by_rule=True)
    except Outdated:
        # It stays, with what came between, for staff to look at.
        return


async def again(database: Database, repair: Repair, repair_id: UUID, asking: Asking) -> UUID:
    """Propose anew for what was reported then, on the day as it is now; raises as `propose`."""
    async with database.reading() as connection:
        row = await existing(connection, repair_id)
    told = Happened.model_validate(row["happened"])
    return await propose(database, repair, row["stop_id"], told, asking)


async def accept(database: Database, decision: Decision, *, is_by_rule: bool = False) -> Answer:
    """Put a proposal in force, all of it or nothing, and show it; a repeat changes nothing.

    Raises `NotFound`, and `Conflict` for one that is rejected, or that something came between
    (`stale_repair`, which names it).
    """
    repair_id, now = decision.repair_id, decision.now

    async def effect(connection: Connection) -> Answer:
        row = await _locked(connection, repair_id)
        if row["state"] != "accepted":
            _must_be(row, "open")
            told = Happened.model_validate(row["happened"])
            record = Record.model_validate(row["proposal"])
            stop = await looking.existing_stop(connection, row["stop_id"])
            await enforcing.put_in_force(connection, stop, (told, record), now)
            await store.decide(connection, repair_id, "accepted", decision.by, now)
            if is_by_rule:
                await store.by_rule(connection, repair_id)
            done = {"is_by_rule": is_by_rule, **tracing.accepted(told, record)}
            await tracing.trace(connection, stop, decision, "repair.accept", done)
        return await _shown(connection, decision)

    try:
        return await once(database, decision.key, effect)
    except Outdated as found:
        async with database.transaction() as connection:
            await store.decide(connection, repair_id, "stale", decision.by, now, found.conflict)
        raise


async def reject(database: Database, decision: Decision) -> Answer:
    """Put a proposal aside, and show it; a repeat changes nothing.

    Raises `NotFound`, `Conflict`.
    """

    async def effect(connection: Connection) -> Answer:
        row = await _locked(connection, decision.repair_id)
        if row["state"] != "rejected":
            _must_be(row, "open")
            stop = await looking.existing_stop(connection, row["stop_id"])
            await store.decide(
                connection, decision.repair_id, "rejected", decision.by, decision.now
            )
            await tracing.trace(connection, stop, decision, "repair.reject", {})
        return await _shown(connection, decision)

    return await once(database, decision.key, effect)


async def take_offer(database: Database, decision: Decision, number: int) -> Answer:
    """Give a waiting wish what an accepted repair freed, and show it; a repeat changes nothing.

    Raises `NotFound`, and `Conflict` before it is accepted or where it is taken by now.
    """

    async def effect(connection: Connection) -> Answer:
        row = await _locked(connection, decision.repair_id)
        offers = Record.model_validate(row["proposal"]).offers
        if not 1 <= number <= len(offers):
            raise NotFound(f"This repair offers {len(offers)} meetings.")
        if number not in row["taken"]:
            _must_be(row, "accepted")
            stop = await looking.existing_stop(connection, row["stop_id"])
            offer = offers[number - 1]
            await enforcing.add(connection, stop, offer, decision.now)
            await store.take(connection, decision.repair_id, number)
            done = {"offer": number, **tracing.added(offer)}
            await tracing.trace(connection, stop, decision, "repair.offer.accept", done)
        return await _shown(connection, decision)

    return await once(database, decision.key, effect)


async def set_rule(database: Database, stop_id: UUID, meetings_max: int | None) -> None:
    """Say how many meetings a repair may move to be accepted at once; None: none is."""
    async with database.transaction() as connection:
        await looking.existing_stop(connection, stop_id)
        await store.put_rule(connection, stop_id, meetings_max)


async def existing(connection: Connection, repair_id: UUID) -> Row:
    """Read a proposal; raises `NotFound`."""
    row = await store.one(connection, repair_id)
    if row is None:
        raise NotFound("There is no such repair.")
    return row


async def _shown(connection: Connection, decision: Decision) -> Answer:
    row = await existing(connection, decision.repair_id)
    stop_id, in_full = row["stop_id"], decision.in_full
    (view,) = await reviewing.views(connection, stop_id, [row], in_full=in_full)
    return Answer(to_jsonable_python(view), status=200)


async def _locked(connection: Connection, repair_id: UUID) -> Row:
    """Lock the stop of a proposal, as whoever moves or publishes does, and then the proposal."""
    await facts.stop(connection, (await existing(connection, repair_id))["stop_id"], lock=True)
    row = await store.one(connection, repair_id, lock=True)
    if row is None:
        raise NotFound("There is no such repair.")
    return row


def _must_be(row: Row, state: store.State) -> None:
    if row["state"] != state:
        detail = f"This repair is {row['state']}, not {state}."
        raise Conflict(detail, code="illegal_state")
