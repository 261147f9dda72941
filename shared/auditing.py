"""Auditing: who did what, noted in the transaction of what was done, in the service's own trail."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.access import Principal
from shared.ids import new_id
from shared.postgres import Connection, columns

_CODE = re.compile(r"[\w.:+\-/]{0,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was done; `who` None stands for the system, or the public."""

    who: Principal | None
    action: str
    subject_id: UUID
    mission_id: UUID
    stop_id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


async def note(  # noqa: PLR0913  # what an entry is made of
    connection: Connection,
    who: Principal | None,
    action: str,
    *,
    subject_id: UUID,
    mission_id: UUID,
    stop_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Note that `who` did `action` to a subject; commits with it, or not at all.

    `details` hold ids, codes, numbers and times, nothing that says who somebody is.
    """
    done = Note(who, action, subject_id, mission_id, stop_id, details or {})
    await note_all(connection, [done], now=now)


async def note_all(connection: Connection, notes: Sequence[Note], *, now: datetime) -> None:
    """Note many things in one statement; else as `note`."""
    if not notes:
        return
    rows = [
        (
            new_id(),
            now,
            done.who.subject if done.who else None,
            done.who.role if done.who else None,
            done.action,
            done.subject_id,
            done.mission_id,
            done.stop_id,
            {name: _impersonal(value) for name, value in done.details.items()},
        )
        for done in notes
    ]
    # The order given is the order in which they are read again.
    await connection.execute(
        "INSERT INTO audit_entry (id, at, actor_id, actor_role, action, subject_id, mission_id, "
        "stop_id, details) SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], "
        "$4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::jsonb[])",
        *columns(rows, 9),
    )


def _impersonal(value: object) -> object:
    """Give a detail as JSON holds it; raises `ValueError` for text that may be about a person."""
    match value:
        case None | bool() | int() | float():
            return value
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case str() if _CODE.fullmatch(value):
            return value
        case list() | tuple():
            return [_impersonal(part) for part in value]
        case Mapping():
            return {str(name): _impersonal(part) for name, part in value.items()}
        case _:
            raise ValueError("The audit trail holds ids, codes, numbers and times alone.")
