"""What became of a mission's meetings and wishes, in numbers."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

_MET = """
    SELECT {stop} AS stop_id,
        count(*) FILTER (WHERE m.state <> 'cancelled') AS planned,
        count(*) FILTER (WHERE held) AS held,
        count(*) FILTER (WHERE m.state = 'no_show') AS no_show,
        count(*) FILTER (WHERE m.state IN ('scheduled', 'called')) AS unknown,
        count(*) FILTER (WHERE m.state = 'cancelled') AS cancelled,
        count(*) FILTER (WHERE held AND m.interpreter_id IS NOT NULL) AS interpreted,
        coalesce(sum(extract(epoch FROM CASE WHEN m.finished_at > m.started_at
            THEN m.finished_at - m.started_at ELSE m.ends_at - m.starts_at END))
            FILTER (WHERE held), 0)::float8 / 3600 AS hours,
        count(DISTINCT d.organization_id) FILTER (WHERE held)
            + count(DISTINCT l.organization_id) FILTER (WHERE held) AS companies,
        count(DISTINCT (d.organization_id, l.organization_id)) FILTER (WHERE held) AS contacts
    FROM meeting AS m
    JOIN participant AS d ON d.id = m.delegate_id JOIN participant AS l ON l.id = m.local_id
    CROSS JOIN LATERAL (SELECT m.state IN ('in_progress', 'completed') AS held) AS how
    WHERE m.mission_id = $1 {group}
"""

_WISHED = """
    WITH wish AS (
        SELECT p.stop_id, p.participant_id, p.kind, other.organization_id
        FROM preference AS p JOIN participant AS other ON other.id = p.counterpart_id
        WHERE other.mission_id = $1
        UNION SELECT stop_id, participant_id, kind, organization_id FROM company_preference
    ), judged AS (
        SELECT wish.stop_id, kind, EXISTS (
            SELECT FROM meeting AS m
            JOIN participant AS other ON other.id = CASE WHEN m.delegate_id = wish.participant_id
                THEN m.local_id ELSE m.delegate_id END
            WHERE m.stop_id = wish.stop_id AND m.state IN ('in_progress', 'completed')
            AND wish.participant_id IN (m.delegate_id, m.local_id)
            AND other.organization_id = wish.organization_id
        ) AS is_met
        FROM wish JOIN stop ON stop.id = wish.stop_id WHERE stop.mission_id = $1
    )
    SELECT stop_id, count(*) FILTER (WHERE kind = 'must_meet') AS must_meet,
        count(*) FILTER (WHERE kind = 'must_meet' AND is_met) AS must_meet_met,
        count(*) FILTER (WHERE kind = 'meet') AS meet,
        count(*) FILTER (WHERE kind = 'meet' AND is_met) AS meet_met
    FROM judged GROUP BY GROUPING SETS ((stop_id), ())
"""

Numbers = Mapping[UUID | None, Mapping[str, Any]]
"""By stop; under None of all, which is no sum: a company is counted once."""


async def met(connection: Connection, mission_id: UUID) -> Numbers:
    """Count the meetings of a mission by what became of them; stops without any are left out."""
    by_stop = _MET.format(stop="m.stop_id", group="GROUP BY m.stop_id")
    of_all = _MET.format(stop="NULL::uuid", group="")
    return _by_stop(await connection.fetch(f"{by_stop} UNION ALL {of_all}", mission_id))


async def wished(connection: Connection, mission_id: UUID) -> Numbers:
    """Count wishes, each person's for a company once, and those that were met at a table."""
    return _by_stop(await connection.fetch(_WISHED, mission_id))


async def mission(connection: Connection, mission_id: UUID) -> asyncpg.Record | None:
    """Read a mission's title."""
    return await connection.fetchrow("SELECT id, title FROM mission WHERE id = $1", mission_id)


def _by_stop(rows: list[asyncpg.Record]) -> Numbers:
    return {row["stop_id"]: {k: v for k, v in row.items() if k != "stop_id"} for row in rows}
