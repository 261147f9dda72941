"""Taking back a check-in: the registration is as it was before, and a new scan counts again."""

from datetime import datetime
from uuid import UUID

from services.registration.commands.deciding import content, locked, note_about
from services.registration.commands.telling import tell_no_arrival
from services.registration.domain.places import Status
from services.registration.domain.taking_back import Undoing, is_to_be_undone
from services.registration.store import registrations as store
from shared.access import Principal
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database


async def take_back(
    database: Database,
    registration_id: UUID,
    undoing: Undoing,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Take a check-in back; where there is none any more, nothing changes.

    From then on a scan counts only if it was made after this moment: one that a phone kept without
    the network, and that is older, is refused with `check_in_undone`; one that was answered before
    gets its first answer again, without any effect. Times are by our clock, as `happened` gives
    them: of a phone that does not say when it sends and whose clock is ahead, an old scan cannot be
    told from a new one.

    Raises `NotFound`, or `Conflict` when the person was checked in anew since the one meant.
    """

    async def effect(connection: Connection) -> Answer:
        registration, _ = await locked(connection, registration_id)
        at, undone_at = registration["checked_in_at"], registration["check_in_undone_at"]
        if is_to_be_undone(at, undoing.checked_in_at):
            # That scan may have been answered while this waited for its turn.
            undone_at = max(now, at)
            await store.undo_check_in(connection, registration_id, undone_at)
            await tell_no_arrival(connection, registration, now)
            details = {"mistake": undoing.mistake, "checked_in_at": at}
            await note_about(
                connection, who, "registration.undo_check_in", registration, details, now
            )
        more = {
            "checked_in_at": None,
            "check_in_undone_at": undone_at.isoformat() if undone_at else None,
        }
        return Answer(content(registration, Status(registration["status"])) | more, 200)

    return await once(database, key, effect)
