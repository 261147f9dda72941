"""What is wished at a stop and can never be: of two who are kept apart, or of whom one refused."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record

CONFLICTS_MAX = 200


async def of_stop(
    connection: Connection, mission_id: UUID, stop_id: UUID, person_id: UUID | None = None
) -> Sequence[Row]:
    """List wishes that cannot be met, with `why`: excluded, vetoed, or refused; or one person's.

    The strongest wishes first, at most `CONFLICTS_MAX`. A meeting of the two that is planned all
    the same is told by `is_planned`.
    """
    return await connection.fetch(
        """
        WITH person AS (
            SELECT DISTINCT p.id, p.organization_id FROM participant AS p
            JOIN participation AS place ON place.participant_id = p.id
            WHERE place.stop_id = $2 AND place.is_confirmed
        ), stated AS (
            SELECT participant_id, counterpart_id, kind FROM preference WHERE stop_id = $2
            UNION SELECT about.participant_id, person.id, about.kind
            FROM company_preference AS about
            JOIN person ON person.organization_id = about.organization_id
            WHERE about.stop_id = $2
        ), wish AS (
            SELECT participant_id, counterpart_id, kind FROM stated WHERE kind <> 'no_thanks'
            UNION SELECT participant_id, counterpart_id, 'request' FROM meeting_request
            WHERE stop_id = $2 AND status = 'accepted'
        ), pair AS (
            SELECT wish.*, least(wish.participant_id, wish.counterpart_id) AS one_id,
                   greatest(wish.participant_id, wish.counterpart_id) AS other_id,
                   least(mine.organization_id, theirs.organization_id) AS one_company,
                   greatest(mine.organization_id, theirs.organization_id) AS other_company
            FROM wish JOIN person AS mine ON mine.id = wish.participant_id
            JOIN person AS theirs ON theirs.id = wish.counterpart_id
            WHERE $3::uuid IS NULL OR $3 IN (wish.participant_id, wish.counterpart_id)
        ), excluded AS (
            SELECT DISTINCT kind, least(one_id, other_id) AS one_id,
                   greatest(one_id, other_id) AS other_id FROM exclusion
            WHERE mission_id = $1 AND (stop_id IS NULL OR stop_id = $2) AND lifted_at IS NULL
        ), vetoed AS (
            SELECT least(one_id, other_id) AS one_id, greatest(one_id, other_id) AS other_id
            FROM veto WHERE stop_id = $2 AND lifted_at IS NULL
        ), barred AS (
            SELECT pair.participant_id, pair.counterpart_id, pair.kind, 'excluded' AS why FROM pair
            JOIN excluded USING (one_id, other_id) WHERE excluded.kind = 'people'
            UNION SELECT pair.participant_id, pair.counterpart_id, pair.kind, 'excluded' FROM pair
            JOIN excluded ON excluded.kind = 'companies' AND excluded.one_id = pair.one_company
            AND excluded.other_id = pair.other_company
            UNION SELECT pair.participant_id, pair.counterpart_id, pair.kind, 'vetoed' FROM pair
            JOIN vetoed USING (one_id, other_id)
            UNION SELECT pair.participant_id, pair.counterpart_id, pair.kind, 'refused' FROM pair
            JOIN stated ON stated.kind = 'no_thanks'
            AND least(stated.participant_id, stated.counterpart_id) = pair.one_id
            AND greatest(stated.participant_id, stated.counterpart_id) = pair.other_id
        )
        SELECT barred.*, EXISTS (SELECT FROM meeting WHERE stop_id = $2 AND state <> 'cancelled'
            AND delegate_id IN (barred.participant_id, barred.counterpart_id)
            AND local_id IN (barred.participant_id, barred.counterpart_id)) AS is_planned
        FROM barred ORDER BY array_position(ARRAY['must_meet', 'request', 'meet'], kind),
            participant_id, counterpart_id, why LIMIT $4
        """,
        mission_id,
        stop_id,
        person_id,
        CONFLICTS_MAX,
    )
