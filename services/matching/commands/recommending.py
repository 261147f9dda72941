"""Recommending: whom somebody should meet, and why."""

from uuid import UUID

from services.matching.domain.scoring import Profile, Recommendation, Scorer
from services.matching.store import facts, meetings, wishes
from shared.postgres import Connection


async def recommend(
    connection: Connection, stop_id: UUID, mission_id: UUID, participant_id: UUID, limit: int
) -> list[tuple[Recommendation, Profile]]:
    """Rank the other side for somebody, without those refused or met at another stop.

    Who refused this person stays in the list: its gaps would tell.
    """
    people = {person.id: person for person in await facts.profiles(connection, stop_id)}
    if participant_id not in people:
        return []
    scorer = Scorer(people.values(), await facts.sectors(connection, mission_id))
    stated = await wishes.of_stop(connection, stop_id)
    elsewhere = await meetings.pairs_elsewhere(connection, mission_id, stop_id)
    ranked = [
        found
        for found in scorer.ranked(people[participant_id], people.values())
        if people[found.counterpart_id].listings
        and not stated.is_refused_by(participant_id, found.counterpart_id)
        and frozenset((participant_id, found.counterpart_id)) not in elsewhere
    ]
    return [(found, people[found.counterpart_id]) for found in ranked[:limit]]
