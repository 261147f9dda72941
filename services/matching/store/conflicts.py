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
        WITH refused AS (
            SELECT participant_id AS one_id, counterpart_id AS other_id FROM preference
            WHERE stop_id = $2 AND kind = 'no_thanks'
            UNION SELECT about.participant_id, p.id FROM company_preference AS about
            JOIN participant AS p ON p.organization_id = about.organization_id
            AND p.mission_id = $1 WHERE about.stop_id = $2 AND about.kind = 'no_thanks'
        ), excluded AS (
            SELECT kind, one_id, other_id FROM exclusion
            WHERE mission_id = $1 AND (stop_id IS NULL OR stop_id = $2) AND lifted_at IS NULL
        ), apart AS (
            SELECT one_id, other_id, 'excluded' AS why FROM excluded WHERE kind = 'people'
            UNION SELECT one.id, other.id, 'excluded' FROM excluded
            JOIN participant AS one ON one.organization_id = excluded.one_id
            AND one.mission_id = $1
            JOIN participant AS other ON other.organization_id = excluded.other_id
            AND other.mission_id = $1 WHERE kind = 'companies'
            UNION SELECT one_id, other_id, 'vetoed' FROM veto
            WHERE stop_id = $2 AND lifted_at IS NULL
            UNION SELECT one_id, other_id, 'refused' FROM refused
        ), pair AS (
            SELECT one_id AS participant_id, other_id AS counterpart_id, why FROM apart
            UNION SELECT other_id, one_id, why FROM apart
        ), barred AS (
            -- Few pairs are apart: each is looked up among what is wished, by key.
            SELECT pair.*, stated.kind FROM pair CROSS JOIN LATERAL
                (SELECT kind FROM preference WHERE stop_id = $2 AND kind <> 'no_thanks'
                 AND participant_id = pair.participant_id
                 AND counterpart_id = pair.counterpart_id) AS stated
            UNION SELECT pair.*, about.kind FROM company_preference AS about
            JOIN participant AS p ON p.organization_id = about.organization_id
            JOIN pair ON pair.participant_id = about.participant_id
            AND pair.counterpart_id = p.id
            WHERE about.stop_id = $2 AND about.kind <> 'no_thanks'
            UNION SELECT pair.*, 'request' FROM meeting_request AS asked
            JOIN pair USING (participant_id, counterpart_id)
            WHERE asked.stop_id = $2 AND asked.status = 'accepted'
        )
        SELECT participant_id, counterpart_id, kind, why, EXISTS (SELECT FROM meeting
            WHERE stop_id = $2 AND state <> 'cancelled'
            AND delegate_id IN (barred.participant_id, barred.counterpart_id)
            AND local_id IN (barred.participant_id, barred.counterpart_id)) AS is_planned
        FROM barred WHERE ($3::uuid IS NULL OR $3 IN (participant_id, counterpart_id))
        AND EXISTS (SELECT FROM participation AS place WHERE place.is_confirmed
            AND place.participant_id = barred.participant_id AND place.stop_id = $2)
        AND EXISTS (SELECT FROM participation AS place WHERE place.is_confirmed
            AND place.participant_id = barred.counterpart_id AND place.stop_id = $2)
        ORDER BY array_position(ARRAY['must_meet', 'request', 'meet'], kind),
            participant_id, counterpart_id, why LIMIT $4
        """,
        mission_id,
        stop_id,
        person_id,
        CONFLICTS_MAX,
    )
