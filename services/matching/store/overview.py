"""The participants of a stop in numbers: what they wish, ask, are asked, and were given."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record


async def of_stop(
    connection: Connection, stop_id: UUID, partner_id: UUID | None, now: datetime
) -> Sequence[Row]:
    """List who has a place among the stop's meetings, by side and company; of one partner, or all.

    `wished_by`: by how many others, of whom some may have wished the company or have asked.
    """
    return await connection.fetch(
        """
        WITH here AS (
            SELECT p.id, p.side, p.organization_id, p.organization, p.native_organization,
                   p.partner_id, p.listings <> '[]' AND NOT EXISTS
                       (SELECT FROM withheld WHERE person_id = p.id AND is_withheld) AS is_listed
            FROM participant AS p WHERE ($2::uuid IS NULL OR p.partner_id = $2) AND p.id IN
                (SELECT place.participant_id FROM participation AS place
                 JOIN programme_item AS item ON item.id = place.programme_item_id
                 WHERE place.stop_id = $1 AND place.is_confirmed AND item.kind = 'matchmaking')
        ), wish AS (
            SELECT participant_id, counterpart_id, NULL::uuid AS organization_id, kind
            FROM preference WHERE stop_id = $1
            UNION ALL SELECT participant_id, NULL, organization_id, kind
            FROM company_preference WHERE stop_id = $1
        ), stated AS (
            SELECT participant_id, count(*) FILTER (WHERE kind = 'must_meet') AS must_meet,
                   count(*) FILTER (WHERE kind = 'meet') AS meet,
                   count(*) FILTER (WHERE kind = 'no_thanks') AS no_thanks
            FROM wish GROUP BY participant_id
        ), request AS (
            SELECT participant_id, counterpart_id, status FROM meeting_request
            WHERE stop_id = $1 AND (status = 'accepted' OR (status = 'pending' AND expires_at > $3))
        ), asked AS (
            SELECT participant_id, count(*) FILTER (WHERE status = 'pending') AS sent,
                   count(*) FILTER (WHERE status = 'accepted') AS agreed
            FROM request GROUP BY participant_id
        ), was_asked AS (
            SELECT counterpart_id, count(*) FILTER (WHERE status = 'pending') AS waiting,
                   count(*) FILTER (WHERE status = 'accepted') AS agreed
            FROM request GROUP BY counterpart_id
        ), wanted AS (
            SELECT counterpart_id, participant_id FROM wish
            WHERE kind <> 'no_thanks' AND counterpart_id IS NOT NULL
            UNION SELECT here.id, wish.participant_id FROM wish
            JOIN here ON here.organization_id = wish.organization_id WHERE kind <> 'no_thanks'
            UNION SELECT counterpart_id, participant_id FROM request
            UNION SELECT participant_id, counterpart_id FROM request WHERE status = 'accepted'
        ), wished AS (
            SELECT counterpart_id, count(*) AS by FROM wanted GROUP BY counterpart_id
        ), met AS (
            SELECT person_id, count(*) AS meetings FROM
                (SELECT delegate_id AS person_id FROM meeting
                 WHERE stop_id = $1 AND state <> 'cancelled'
                 UNION ALL SELECT local_id FROM meeting
                 WHERE stop_id = $1 AND state <> 'cancelled') AS one GROUP BY person_id
        )
        SELECT here.*, coalesce(stated.must_meet, 0) AS must_meet, coalesce(stated.meet, 0) AS meet,
               coalesce(stated.no_thanks, 0) AS no_thanks, coalesce(asked.sent, 0) AS sent,
               coalesce(was_asked.waiting, 0) AS waiting,
               coalesce(asked.agreed, 0) + coalesce(was_asked.agreed, 0) AS agreed,
               coalesce(wished.by, 0) AS wished_by, coalesce(met.meetings, 0) AS meetings
        FROM here LEFT JOIN stated ON stated.participant_id = here.id
        LEFT JOIN asked ON asked.participant_id = here.id
        LEFT JOIN was_asked ON was_asked.counterpart_id = here.id
        LEFT JOIN wished ON wished.counterpart_id = here.id
        LEFT JOIN met ON met.person_id = here.id
        ORDER BY here.side, here.organization COLLATE "C", here.id
        """,
        stop_id,
        partner_id,
        now,
    )
