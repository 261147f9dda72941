"""Recommending: whom somebody should meet, and why."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.matching.domain.scoring import Profile, Recommendation, Scorer
from services.matching.store import facts, meetings, wishes
from shared.events.base import Bilingual
from shared.postgres import Connection

STOPS_MAX = 16


@dataclass(frozen=True, slots=True)
class _Known:
    """The people of a stop at one time, weighed against one another."""

    fingerprint: tuple[int, ...]
    people: dict[UUID, Profile]
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
        known = self._stops.pop(stop["id"], None)
        if known is None or known.fingerprint != fingerprint:
            people = {one.id: one for one in await facts.profiles(connection, stop["id"])}
            sectors = await facts.sectors(connection, stop["mission_id"])
            known = _Known(fingerprint, people, sectors, _renewed(known, people, sectors))
        self._stops[stop["id"]] = known
        if len(self._stops) > STOPS_MAX:
            self._stops.popitem(last=False)
        return known


def _renewed(
    known: _Known | None, people: Mapping[UUID, Profile], sectors: Mapping[str, Bilingual]
) -> Scorer:
    """Give a scorer of these people: where one is there, only who changed is read again."""
    if known is None or known.sectors != sectors:
        return Scorer(people.values(), sectors)
    for gone in known.people.keys() - people.keys():
        known.scorer.drop(gone)
    for person in people.values():
        known.scorer.put(person)
    return known.scorer
