"""Locking: whether later versions leave a meeting where it is."""

from dataclasses import replace

from services.matching.commands.running import Ordered, locked
from services.matching.domain import meetings as domain
from services.matching.domain.meetings import Meeting
from services.matching.store import meetings as store
from shared.errors import Conflict
from shared.postgres import Database


async def lock(database: Database, order: Ordered, *, is_locked: bool) -> Meeting:
    """Let later versions keep a meeting where it is, or move it; raises as commands of the day do.

    Nobody is told, for nothing moves, and its revision stays: what others are about to do to it
    is decided on what they see.
    """
    async with database.transaction() as connection:
        meeting = await locked(connection, order)
        if meeting.state not in domain.NOT_BEGUN:
            raise Conflict(f"A meeting that is {meeting.state} stays anyway.", code="illegal_state")
        changed = replace(meeting, locked=is_locked)
        await store.put(connection, [changed])
        return changed
