"""Repairing: what disturbs the running day becomes a proposal, which staff accepts or rejects."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID, uuid4

from services.matching.commands import enforcing, looking
from services.matching.commands.checking import Outdated
from services.matching.commands.reporting import Report, happened
from services.matching.commands.surveying import day_of, survey
from services.matching.commands.warning import warnings
from services.matching.domain.repair.day import Day, Disturbance
from services.matching.domain.repair.proposal import Proposal
from services.matching.domain.repair.record import Happened, Record
from services.matching.domain.requests import Author
from services.matching.store import facts
from services.matching.store import repairs as store
from shared.errors import Conflict, NotFound
from shared.postgres import Connection, Database

Repair = Callable[[Day, Disturbance], Awaitable[Proposal]]
"""Finds a repair while others are served."""
Row = store.Row


async def propose(
    database: Database,
    repair: Repair,
    stop_id: UUID,
    what: Report | Happened,
    by: Author,
    now: datetime,
) -> UUID:
    """Find a repair of a stop's day and keep it; the stop's rule may accept it at once.

    `what` is a report, or what was reported before. Raises `NotFound`, `Invalid`, `Conflict`.
    """
    async with database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        known = await survey(connection, stop)
        told = what if isinstance(what, Happened) else happened(what, known, now)
    # For thousands of meetings this takes its time: others are served meanwhile.
    day = await asyncio.to_thread(day_of, known, [one.people for one in told.wanted], now)
    record = Record.of(await repair(day, told.disturbance(known.at_sessions)))
    repair_id = uuid4()
    async with database.transaction() as connection:
        told_of = await warnings(connection, stop_id, known, record)
        record = record.model_copy(update={"warnings": told_of})
        await store.add(connection, (repair_id, stop_id), (told, record), by, now)
        meetings_max = await store.rule(connection, stop_id)
    if meetings_max is not None and record.is_light(meetings_max):
        await _accept_by_rule(database, repair_id, by, now)
    return repair_id


async def _accept_by_rule(database: Database, repair_id: UUID, by: Author, now: datetime) -> None:
    try:
        await accept(database, repair_id, by, now, is_by_rule=True)
    except Outdated:
        # It stays, with what came between, for staff to look at.
        return


async def again(
    database: Database, repair: Repair, repair_id: UUID, by: Author, now: datetime
) -> UUID:
    """Propose anew for what was reported then, on the day as it is now; raises as `propose`."""
    async with database.reading() as connection:
        row = await existing(connection, repair_id)
    told = Happened.model_validate(row["happened"])
    return await propose(database, repair, row["stop_id"], told, by, now)


async def accept(
    database: Database, repair_id: UUID, by: Author, now: datetime, *, is_by_rule: bool = False
) -> None:
    """Put a proposal in force, all of it or nothing; a repeat changes nothing.

    Raises `NotFound`, and `Conflict` for one that is rejected, or that something came between
    (`stale_repair`, which names it).
    """
    try:
        async with database.transaction() as connection:
            row = await _locked(connection, repair_id)
            if row["state"] == "accepted":
                return
            _must_be(row, "open")
            told = Happened.model_validate(row["happened"])
            record = Record.model_validate(row["proposal"])
            stop = await looking.existing_stop(connection, row["stop_id"])
            await enforcing.put_in_force(connection, stop, (told, record), now)
            await store.decide(connection, repair_id, "accepted", by, now)
            if is_by_rule:
                await store.by_rule(connection, repair_id)
    except Outdated as found:
        async with database.transaction() as connection:
            await store.decide(connection, repair_id, "stale", by, now, found.conflict)
        raise


async def reject(database: Database, repair_id: UUID, by: Author, now: datetime) -> None:
    """Put a proposal aside; a repeat changes nothing. Raises `NotFound`, `Conflict`."""
    async with database.transaction() as connection:
        row = await _locked(connection, repair_id)
        if row["state"] != "rejected":
            _must_be(row, "open")
            await store.decide(connection, repair_id, "rejected", by, now)


async def take_offer(database: Database, repair_id: UUID, number: int, now: datetime) -> None:
    """Give a waiting wish what an accepted repair freed; a repeat changes nothing.

    Raises `NotFound`, and `Conflict` before it is accepted or where it is taken by now.
    """
    async with database.transaction() as connection:
        row = await _locked(connection, repair_id)
        offers = Record.model_validate(row["proposal"]).offers
        if not 1 <= number <= len(offers):
            raise NotFound(f"This repair offers {len(offers)} meetings.")
        if number in row["taken"]:
            return
        _must_be(row, "accepted")
        stop = await looking.existing_stop(connection, row["stop_id"])
        await enforcing.add(connection, stop, offers[number - 1], now)
        await store.take(connection, repair_id, number)


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
