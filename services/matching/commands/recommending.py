"""Recommending: whom somebody should meet, and why."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from services.matching.domain.scoring import Profile, Recommendation, Scorer
from services.matching.store import facts, meetings, wishes
from shared.postgres import Connection

STOPS_MAX = 16


@dataclass(frozen=True, slots=True)
class _Known:
    """The people of a stop at one time, weighed against one another."""

    fingerprint: tuple[int, ...]
    people: dict[UUID, Profile]
    scorer: Scorer


class Recommender:
    """Ranks people, and keeps what was read of the last stops until it changes."""

    def __init__(self) -> None:
        self._stops: OrderedDict[UUID, _Known] = OrderedDict()

    async def recommend(
        self, connection: Connection, stop: facts.Row, participant_id: UUID, limit: int
    ) -> list[tuple[Recommendation, Profile]]:
        """Rank the other side for somebody, without those refused or met at another stop.

        Who refused this person stays in the list: its gaps would tell.
        """
        known = await self._known(connection, stop)
        people = known.people
        if participant_id not in people:
            return []
        stated = await wishes.of_stop(connection, stop["id"])
        elsewhere = await meetings.pairs_elsewhere(connection, stop["mission_id"], stop["id"])
        ranked = [
            found
            for found in known.scorer.ranked(people[participant_id], people.values())
            if people[found.counterpart_id].listings
            and not stated.is_refused_by(participant_id, found.counterpart_id)
            and frozenset((participant_id, found.counterpart_id)) not in elsewhere
        ]
        return [(found, people[found.counterpart_id]) for found in ranked[:limit]]

    async def _known(self, connection: Connection, stop: facts.Row) -> _Known:
        fingerprint = await facts.fingerprint(connection, stop["id"])
        known = self._stops.pop(stop["id"], None)
        if known is None or known.fingerprint != fingerprint:
            people = {one.id: one for one in await facts.profiles(connection, stop["id"])}
            sectors = await facts.sectors(connection, stop["mission_id"])
            known = _Known(fingerprint, people, Scorer(people.values(), sectors))
        self._stops[stop["id"]] = known
        if len(self._stops) > STOPS_MAX:
            self._stops.popitem(last=False)
        return known
