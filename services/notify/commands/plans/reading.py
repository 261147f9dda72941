"""Reading: the state of a stop's day, once for all sheets, and whose sheets are wanted."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import httpx2

from services.notify.domain.day_plans import Version, days_of, version_of
from services.notify.domain.live import Entry
from services.notify.domain.order import Meeting
from services.notify.store import deliveries, facts, feed, meetings, people
from services.notify.store.facts import Facts
from shared.access import Principal, Scope, require
from shared.contacts import Contact, Contacts
from shared.errors import Busy, NotFound
from shared.postgres import Connection, Database

NAMES_SECONDS_MAX = 10
RETRY_SECONDS = 5
ROLES = ("delegate", "local", "interpreter")
"""Who gets a plan, in the order in which sheets lie on one another."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose plans: everybody's, one person's, or of those who must be told by hand."""

    person_id: UUID | None = None
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Plans:
    """All that sheets are made of."""

    mission: Facts | None
    stop: Facts
    version: Version
    days: Mapping[UUID, Sequence[Meeting]]
    contacts: Mapping[UUID, Contact]
    people: Sequence[Contact]
    """Whose sheets these are, as they lie on one another."""
    by_hand: Collection[UUID]
    """Who must be told by hand."""


async def plans(
    sources: tuple[Database, Contacts], who: Principal, stop_id: UUID, asked: Asked, now: datetime
) -> Plans:
    """Read plans of those with meetings at a stop, and of those who must be told by hand.

    Who has no meetings is given one alone. Raises `NotFound`, `Forbidden`, or `Busy` while nobody
    says what people are called: a sheet without names helps nobody.
    """
    async with sources[0].reading() as connection:
        stop = await _stop(connection, who, stop_id)
        mission = await facts.mission(connection, stop["mission_id"])
        entries = await people.without_erased(
            connection, await meetings.of_stop(connection, stop_id)
        )
        by_hand = {one.person_id for one in await deliveries.on_the_sheet(connection, stop_id)}
        is_known = asked.person_id is not None and await deliveries.is_written_to(
            connection, stop_id, asked.person_id
        )
    # Thousands of meetings take long enough for others to notice.
    version, found = await asyncio.to_thread(_read, entries, now)
    days = dict.fromkeys(by_hand, ()) | found
    wanted = _wanted(asked, days, by_hand, is_known=is_known)
    known = await _known(sources, wanted | _met(days.get(one, ()) for one in wanted))
    return Plans(
        mission=mission,
        stop=stop,
        version=version,
        days=days,
        contacts=known,
        people=sorted(
            (known[one] for one in wanted if one in known and known[one].role in ROLES), key=_place
        ),
        by_hand=by_hand,
    )


def _read(entries: Sequence[Entry], now: datetime) -> tuple[Version, dict[UUID, Sequence[Meeting]]]:
    lives: list[Meeting] = [json.loads(one.live) for one in entries]
    return version_of(entries, lives, now), {**days_of(entries, lives)}


def _wanted(
    asked: Asked, days: Collection[UUID], by_hand: Collection[UUID], *, is_known: bool
) -> set[UUID]:
    if asked.person_id is not None:
        # Whoever prints must not learn the names of those who have nothing to do with the stop.
        return {asked.person_id} if is_known or asked.person_id in days else set()
    return set(by_hand if asked.by_hand else days)


def _met(days: Iterable[Sequence[Meeting]]) -> set[UUID]:
    """List everybody in these meetings."""
    both = [one for day in days for one in day]
    sides = {UUID(party["participant_id"]) for one in both for party in one["parties"]}
    return sides | {UUID(one["interpreter_id"]) for one in both if one["interpreter_id"]}


async def _known(
    sources: tuple[Database, Contacts], wanted: Collection[UUID]
) -> Mapping[UUID, Contact]:
    database, contacts = sources
    try:
        async with asyncio.timeout(NAMES_SECONDS_MAX):
            found = await contacts.of(wanted)
    except (httpx2.HTTPError, TimeoutError) as error:
        raise Busy(
            "Nobody can say just now what people are called; try again.",
            code="names_away",
            retry_seconds=RETRY_SECONDS,
        ) from error
    async with database.reading() as connection:
        # A contact is remembered for a while.
        gone = await people.erased_among(connection, found)
    return {person_id: one for person_id, one in found.items() if person_id not in gone}


def _place(one: Contact) -> tuple[int, str, str, UUID]:
    """Put a company's sheets together, those of a side before another's."""
    return (
        ROLES.index(one.role),
        one.organization.casefold(),
        one.name.casefold(),
        one.person_id,
    )


async def _stop(connection: Connection, who: Principal, stop_id: UUID) -> Facts:
    stop = await facts.stop(connection, stop_id)
    if stop is None:
        raise NotFound("There is no such stop.")
    hosts = await feed.hosts_of(connection, stop_id) if who.is_partner else ()
    require(who, "day_plan.print", Scope(stop["mission_id"], stop_id, hosts=hosts))
    return stop
