"""Choosing: how people want to be told, on which browsers, and how a mission tells its own."""

from datetime import datetime
from uuid import UUID

from services.notify.channels.base import Reach
from services.notify.channels.web_push import is_allowed, read_subscription
from services.notify.domain.rules import Rules, Wishes
from services.notify.store import audit, facts, subscriptions, waves, wishes
from services.notify.store.wishes import MINUTE
from shared.access import Principal
from shared.auditing import note
from shared.errors import Fault, Invalid, NotFound, Stale
from shared.postgres import Database

RULED = "rules.changed"


async def wishes_of(database: Database, person_id: UUID) -> Wishes:
    """Read how somebody wants to be told."""
    async with database.reading() as connection:
        return (await wishes.of_people(connection, [person_id]))[person_id]


async def choose(database: Database, reach: Reach, person_id: UUID, wanted: Wishes) -> None:
    """Write how somebody wants to be told; raises `Invalid` for what cannot be."""
    faults = []
    if wanted.channels and not {*wanted.channels} <= reach.available:
        faults.append(Fault("/channels", "This installation has no such channel."))
    if wanted.channels and "sms" in wanted.channels and not wanted.phone:
        faults.append(Fault("/phone", "Short messages need a number."))
    if faults:
        raise Invalid("You cannot be told so.", faults=faults)
    async with database.transaction() as connection:
        await wishes.put(connection, person_id, wanted)


async def subscribe(
    database: Database,
    reach: Reach,
    person_id: UUID,
    given: tuple[str, str, str],
    now: datetime,
) -> None:
    """Keep a browser: its endpoint, its key and its secret; raises `Invalid`."""
    endpoint = given[0]
    if not reach.push_key or not is_allowed(endpoint, reach.push_services):
        fault = Fault("/endpoint", "Messages do not go to this service.")
        raise Invalid("This browser cannot be told.", faults=[fault])
    try:
        browser = read_subscription(*given)
    except ValueError as error:
        fault = Fault("/keys", "These are not keys of a browser.")
        raise Invalid("This browser cannot be told.", faults=[fault]) from error
    async with database.transaction() as connection:
        await subscriptions.put(connection, person_id, browser, now)


async def unsubscribe(database: Database, person_id: UUID, endpoint: str) -> None:
    """Forget a browser of somebody's; again it changes nothing."""
    async with database.transaction() as connection:
        await subscriptions.forget(connection, endpoint, person_id)


async def rules_of(database: Database, mission_id: UUID) -> tuple[Rules, int]:
    """Read how a mission tells its people, and the rules' revision; raises `NotFound`.

    Revision 0: nobody ever changed them.
    """
    async with database.reading() as connection:
        _existing(await facts.mission(connection, mission_id))
        revision = await wishes.revision_of(connection, mission_id)
        return await wishes.rules_of(connection, mission_id), revision


async def ruled_by(database: Database, mission_id: UUID) -> UUID | None:
    """Say who changed a mission's rules last."""
    async with database.reading() as connection:
        last = await audit.latest(connection, mission_id, RULED)
    return last["actor_id"] if last else None


async def rule(
    database: Database,
    who: Principal,
    mission_id: UUID,
    change: tuple[int, Rules],
    now: datetime,
) -> int:
    """Write how a mission tells its people, given the revision it was decided on.

    Gives the new one. Raises `NotFound` or `Stale`.
    """
    seen, rules = change
    async with database.transaction() as connection:
        _existing(await facts.mission(connection, mission_id))
        if not await wishes.put_rules(connection, mission_id, rules, seen):
            raise Stale("These rules were changed meanwhile: read them again.")
        # Switched on again, or quiet at other hours: who is due may be so at once.
        await waves.look_anew(connection, mission_id)
        details = {
            "channels": list(rules.channels),
            "fallback": list(rules.fallback),
            "urgent_minutes": rules.urgent // MINUTE,
            "digest_at": rules.digest_at and rules.digest_at.isoformat("minutes"),
            "quiet_from": rules.quiet_from.isoformat("minutes"),
            "quiet_until": rules.quiet_until.isoformat("minutes"),
            "asks_for_results": rules.asks_for_results,
        }
        await note(
            connection,
            who,
            RULED,
            subject_id=mission_id,
            mission_id=mission_id,
            details=details,
            now=now,
        )
    return seen + 1


def _existing(mission: object) -> None:
    if mission is None:
        raise NotFound("There is no such mission.")
