"""Choosing: what a page needs for somebody who chooses whom to meet at a stop."""

from datetime import datetime
from uuid import UUID

from services.matching.commands import limiting, wishing
from services.matching.domain.choosing import Chosen
from services.matching.domain.requests import status_at
from services.matching.store import choosing as store
from services.matching.store import requests, wishes
from shared.postgres import Connection


async def chosen(
    connection: Connection, stop_id: UUID, participant_id: UUID, now: datetime
) -> Chosen:
    """Read what somebody stated, asked and was planned; raises `NotFound` for who is not there."""
    stated = await wishes.preferences_of(connection, stop_id, participant_id)
    about = await wishes.company_preferences_of(connection, stop_id, participant_id)
    asked = await requests.of_person(connection, stop_id, participant_id)
    return Chosen(
        person_id=participant_id,
        quota=await limiting.quota_of(connection, stop_id, participant_id),
        preferences={row["counterpart_id"]: wishing.shown(dict(row)) for row in stated},
        companies=[wishing.shown(dict(row)) for row in about],
        requests=[
            {
                **row,
                "status": status_at(row["status"], row["expires_at"], now),
                "on_behalf_of": wishing.on_behalf_of(row["asked_by"], row["participant_id"]),
            }
            for row in reversed(asked)
        ],
        meetings=await store.planned(connection, stop_id, participant_id),
    )
