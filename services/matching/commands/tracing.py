"""Tracing: what staff did to the running day by repairs is noted, by ids, in the audit trail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.matching.domain.repair.record import Added, Happened, Record, Where
from services.matching.store import facts
from shared.access import Principal
from shared.auditing import note
from shared.postgres import Connection


class Decided(Protocol):
    """Which repair was decided about, by whom and when."""

    @property
    def repair_id(self) -> UUID:
        """The repair."""

    @property
    def who(self) -> Principal:
        """Who decided."""

    @property
    def now(self) -> datetime:
        """When."""


async def trace(
    connection: Connection,
    stop: facts.Row,
    decided: Decided,
    action: str,
    details: Mapping[str, Any],
) -> None:
    """Note what was decided; it commits with the decision."""
    await note(
        connection,
        decided.who,
        action,
        subject_id=decided.repair_id,
        mission_id=stop["mission_id"],
        stop_id=stop["id"],
        details=details,
        now=decided.now,
    )


def accepted(told: Happened, record: Record) -> dict[str, Any]:
    """Say what a repair did. Who was away is not kept for as long as the trail is."""
    return {
        "happened": told.kind,
        "touched": [
            {
                "meeting_id": one.meeting_id,
                "before": _where(one.now),
                "after": _where(one.to) if one.to else None,
            }
            for one in record.touched
        ],
        "added": [added(one) for one in record.additions],
    }


def added(one: Added) -> dict[str, Any]:
    """Say which meeting was added."""
    pair = {"delegate_id": one.delegate_id, "local_id": one.local_id}
    return {**pair, "after": _where(one.to)}


def _where(where: Where) -> dict[str, Any]:
    return where.model_dump()
