"""People: all that is held about one of them, and forgetting them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notify.domain.announcing import NOBODY as NOBODY  # also asked for here
from services.notify.domain.live import Entry
from shared.erased import rows_about
from shared.postgres import Connection

ABOUT: Sequence[tuple[str, str]] = (
    ("message", "t.person_id = $1"),
    ("notice", "t.person_id = $1"),
    ("told", "t.person_id = $1"),
    ("push_subscription", "t.person_id = $1"),
    ("wish", "t.person_id = $1"),
    ("suppression", "t.person_id = $1"),
    ("soft_bounce", "t.person_id = $1"),
    ("announcement", "t.written_by = $1"),
    ("mail_template", "t.written_by = $1"),
    ("partner_staff", "t.person_id = $1"),
    ("result_wave", "t.person_id = $1"),
    ("audit_entry", "t.actor_id = $1 OR t.subject_id = $1"),
    ("live_meeting", "t.people @> ARRAY[$1::uuid]"),
    ("erased_person", "t.person_id = $1"),
)
"""Which rows are about a person, $1."""

_FORGET = (
    "DELETE FROM mailbox_message USING message WHERE message.person_id = $1 "
    "AND strpos(mailbox_message.message_id, message.message_id::text) > 0",
    "DELETE FROM message WHERE person_id = $1 AND state = 'queued'",
    # Reasons are in the words of others' servers, which may repeat an address.
    "UPDATE message SET reason = NULL WHERE person_id = $1",
    "UPDATE attempt SET reason = NULL FROM message "
    "WHERE message.id = attempt.message AND message.person_id = $1",
    "DELETE FROM push_subscription WHERE person_id = $1",
    "DELETE FROM wish WHERE person_id = $1",
    "DELETE FROM suppression WHERE person_id = $1",
    "DELETE FROM soft_bounce WHERE person_id = $1",
    "DELETE FROM notice WHERE person_id = $1",
    "DELETE FROM told WHERE person_id = $1",
    "DELETE FROM partner_staff WHERE person_id = $1",
    "DELETE FROM result_wave WHERE person_id = $1",
)


async def everything(connection: Connection, person_id: UUID) -> dict[str, list[Any]]:
    """Read every row about somebody, by table."""
    return await rows_about(connection, person_id, ABOUT)


async def forget(connection: Connection, person_id: UUID) -> list[UUID]:
    """Delete what is held about somebody, and give the stops whose live state had the id."""
    for statement in _FORGET:
        await connection.execute(statement, person_id)
    rows = await connection.fetch(
        "UPDATE live_meeting SET people = array_replace(people, $1, $2), "
        "live = replace(live, $1::text, $2::text) WHERE people @> ARRAY[$1::uuid] "
        "RETURNING stop_id",
        person_id,
        NOBODY,
    )
    return sorted({row["stop_id"] for row in rows})


async def erased_among(connection: Connection, people: Collection[UUID]) -> set[UUID]:
    """Say which of these people were erased."""
    rows = await connection.fetch(
        "SELECT person_id FROM erased_person WHERE person_id = ANY($1::uuid[])", list(people)
    )
    return {row["person_id"] for row in rows}


async def without_erased(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Give meetings with nobody in the place of those who were erased."""
    people = {person for entry in entries for person in entry.concerned}
    gone = await erased_among(connection, people)
    return [_without(entry, gone) if gone & {*entry.concerned} else entry for entry in entries]


def _without(entry: Entry, gone: set[UUID]) -> Entry:
    live = entry.live
    for person in gone:
        live = live.replace(str(person), str(NOBODY))
    return replace(
        entry,
        people=tuple(NOBODY if person in gone else person for person in entry.people),
        concerned=tuple(NOBODY if person in gone else person for person in entry.concerned),
        live=live,
    )


async def forget_mails(connection: Connection, before: datetime, limit: int) -> int:
    """Delete one batch of mails that ended before a time, and count them."""
    done = await connection.execute(
        "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE state <> 'queued' "
        "AND created_at < $1 LIMIT $2)",
        before,
        limit,
    )
    await connection.execute("DELETE FROM mailbox_message WHERE received_at < $1", before)
    await connection.execute("DELETE FROM soft_bounce WHERE at < $1", before)
    return int(done.rpartition(" ")[2])
