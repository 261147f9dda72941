"""Telling: the events about an application, in the order of its revisions."""

from datetime import datetime

import asyncpg

from services.registration.domain.applications import Status
from shared.events.registration import (
    ApplicationDecided,
    ApplicationDrafted,
    ApplicationSubmitted,
)
from shared.log import outbox
from shared.postgres import Connection


async def tell(
    connection: Connection, application: asyncpg.Record, revision: int, now: datetime
) -> None:
    """Announce the state that an application has; `application` was read after the change."""
    facts = {
        "application_id": application["id"],
        "mission_id": application["mission_id"],
        "contact_id": application["contact_id"],
    }
    organization_id = application["organization_id"]
    event: ApplicationDrafted | ApplicationSubmitted | ApplicationDecided
    if revision == 1:
        event = ApplicationDrafted(**facts)
    elif application["status"] == Status.SUBMITTED:
        event = ApplicationSubmitted(**facts, organization_id=organization_id)
    else:
        event = ApplicationDecided(
            **facts, organization_id=organization_id, status=application["status"]
        )
    await outbox.append(connection, event, sequence=revision, now=now)
