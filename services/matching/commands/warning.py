"""Warning: what a repair would do to ways, orders and rests, which its search does not know."""

from uuid import UUID

from services.matching.commands.fitting import ground, names
from services.matching.commands.surveying import Survey
from services.matching.domain.explaining import sentence
from services.matching.domain.fitting import as_entry
from services.matching.domain.repair.record import Added, Record, Touched
from services.matching.domain.siting import misplaced
from services.matching.domain.versions import Entry
from services.matching.store import rules
from shared.events.base import Bilingual
from shared.postgres import Connection

WARNINGS_MAX = 20


async def warnings(
    connection: Connection, stop_id: UUID, known: Survey, record: Record
) -> tuple[Bilingual, ...]:
    """Say which rules of the stop's places a repair would break, for staff to weigh."""
    orders = await rules.precedences(connection, stop_id)
    if not (known.ways or orders or await rules.rest(connection, stop_id)):
        return ()
    touched = {one.meeting_id: one for one in record.touched}
    whole, changed = [], [_added(one) for one in record.additions]
    for meeting in known.meetings.values():
        one = touched.get(meeting.id)
        if one is None:
            whole.append(as_entry(meeting))
        elif one.to:
            changed.append(_moved(as_entry(meeting), one))
    whole += changed
    helpers = [entry.interpreter_id for entry in whole if entry.interpreter_id]
    pairs = [entry.people for entry in whole]
    stands_on = await ground(connection, stop_id, [*known.meetings.values()], pairs, helpers)
    misfits = list(misplaced(changed, whole, stands_on))[:WARNINGS_MAX]
    named = await names(connection, stop_id, {person for pair in pairs for person in pair})
    return tuple(sentence(one, named) for one in misfits)


def _moved(entry: Entry, one: Touched) -> Entry:
    assert one.to is not None
    return entry.model_copy(update=one.to.model_dump())


def _added(one: Added) -> Entry:
    return Entry(
        session_id=one.session_id,
        delegate_id=one.delegate_id,
        local_id=one.local_id,
        interpreter_needed=one.interpreter_needed,
        **one.to.model_dump(),
    )
