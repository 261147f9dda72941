"""Recommending: whom somebody should meet, and why."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.matching.commands.aside import aside
from services.matching.domain.scoring import Profile, Recommendation, Scorer
from services.matching.domain.scoring.concepts import space, vector
from services.matching.store import choosing, facts, meetings, wishes
from shared.events.base import Bilingual
from shared.postgres import Connection, Database

STOPS_MAX = 16
PLACED_AT_ONCE = 4
"""So many texts take a few milliseconds; in between others are served."""
LOOK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class _Known:
    """The people of a stop at one time, weighed against one another."""

    fingerprint: tuple[int, ...]
    versions: Mapping[UUID, int]
    people: Mapping[UUID, Profile]
    sectors: Mapping[str, Bilingual]
    scorer: Scorer


class Recommender:
    """Ranks people, and keeps what was read of the last stops until it changes."""

    def __init__(self) -> None:
        self._stops: OrderedDict[UUID, _Known] = OrderedDict()

    async def recommend(
        self,
        connection: Connection,
        stop: facts.Row,
        participant_id: UUID,
        limit: int,
        is_wanted: Callable[[Profile], bool] = lambda _: True,
    ) -> list[tuple[Recommendation, Profile]]:
        """Rank the other side for somebody, without those refused or met at another stop.

        Who refused this person stays in the list: its gaps would tell. `is_wanted` narrows it.
        """
        known = await self._known(connection, stop)
        people = known.people
        if participant_id not in people:
            return []
        # What the other side wishes is not told, not even by the order: it is not read here.
        stated = await wishes.of_person(connection, stop["id"], participant_id)
        elsewhere = await meetings.pairs_elsewhere(
            connection, stop["mission_id"], stop["id"], participant_id
        )
        others = [
            other
            for other in people.values()
            if other.listings
            and not stated.is_refused_by(participant_id, other.id)
            and frozenset((participant_id, other.id)) not in elsewhere
            and is_wanted(other)
        ]
        own = {wish.counterpart_id: wish.kind for wish in stated.positive()}
        ranked = known.scorer.ranked(people[participant_id], others, limit, own)
        return [(found, people[found.counterpart_id]) for found in ranked]

    async def _known(self, connection: Connection, stop: facts.Row) -> _Known:
        fingerprint = await facts.fingerprint(connection, stop["id"])
        known = self._stops.get(stop["id"])
        if known is None or known.fingerprint != fingerprint:
            known = await self._renewed(connection, stop, fingerprint)
        self._stops[stop["id"]] = known
        self._stops.move_to_end(stop["id"])
        if len(self._stops) > STOPS_MAX:
            self._stops.popitem(last=False)
        return known

    async def _renewed(
        self, connection: Connection, stop: facts.Row, fingerprint: tuple[int, ...]
    ) -> _Known:
        """Read who changed since the stop was read last, and nobody else."""
        sectors = await facts.sectors(connection, stop["mission_id"])
        versions = await facts.versions(connection, stop["id"])
        known = self._stops.get(stop["id"])
        if known is None or known.sectors != sectors:
            known = _Known((), {}, {}, sectors, Scorer((), sectors))
        changed = [one for one, version in versions.items() if known.versions.get(one) != version]
        fresh = await choosing.profiles_of(connection, changed)
        await place(fresh.values())
        people = {one: fresh.get(one) or known.people[one] for one in versions}
        for gone in known.people.keys() - people.keys():
            known.scorer.drop(gone)
        # Who did not change is not read again; somebody else may have renewed this meanwhile.
        for person in people.values():
            known.scorer.put(person)
        return _Known(fingerprint, versions, people, sectors, known.scorer)


async def place(people: Iterable[Profile]) -> None:
    """Place what these people list, a few texts at a time: each is remembered from then on."""
    texts = [listing.text for person in people for listing in person.listings]
    for number, text in enumerate(texts, start=1):
        vector(text)
        if number % PLACED_AT_ONCE == 0:
            await asyncio.sleep(0)


async def place_for_ever(database: Database) -> None:
    """Place what companies list as events tell it, before anybody asks for recommendations."""
    # Two seconds of work, once for each process: nobody else waits for it.
    await aside(space)
    versions: Mapping[UUID, int] = {}
    while True:
        versions = await place_changed(database, versions)
        await asyncio.sleep(LOOK_SECONDS)


async def place_changed(database: Database, before: Mapping[UUID, int]) -> Mapping[UUID, int]:
    """Place the listings of profiles whose version is not the one of before; give the new ones."""
    async with database.reading() as connection:
        now = await choosing.versions(connection)
        changed = [one for one, version in now.items() if before.get(one) != version]
        fresh = await choosing.profiles_of(connection, changed)
    await place(fresh.values())
    return now
