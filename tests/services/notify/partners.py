"""A mission with partners, and the feed told of it as the consumer does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from services.notify.commands import feeding
from shared.access import Principal
from shared.events import registration as r
from shared.events.base import Event
from shared.log.records import Envelope
from shared.postgres import Database

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)


def envelope(event: Event, sequence: int = 1) -> Envelope:
    return Envelope(uuid4(), event.TYPE, f"/{event.TOPIC}", str(event.key), NOW, sequence, "a")


async def append(database: Database, events: Sequence[Event], version: int = 1) -> list[Envelope]:
    """Append events in one batch."""
    batch = [(envelope(event, version), event) for event in events]
    async with database.transaction() as connection:
        await feeding.take(connection, batch)
    return [one for one, _ in batch]


@dataclass
class Mission:
    """A mission with a stop of two partners, and another one's."""

    world: Any
    host: UUID = field(default_factory=uuid4)
    supporter: UUID = field(default_factory=uuid4)
    elsewhere: UUID = field(default_factory=uuid4)

    def stops(self) -> list[r.StopPlanned]:
        here = self.world.stop_planned()
        there = self.world.stop_planned(self.world.other_stop)
        return [
            here.model_copy(
                update={"hosts": (self.host,), "partners": (self.host, self.supporter)}
            ),
            there.model_copy(update={"hosts": (self.elsewhere,), "partners": (self.elsewhere,)}),
        ]

    def somebody(
        self, kind: type[r.ParticipantEvent], partner: UUID | None, person: UUID | None = None
    ) -> r.ParticipantEvent:
        facts = {
            "participant_id": person or uuid4(),
            "registration_id": uuid4(),
            "mission_id": self.world.mission,
            "stop_id": self.world.stop,
            "programme_item_id": self.world.item,
            "item_kind": "matchmaking",
            "side": "local",
            "partner_id": partner,
        }
        return kind(**facts)

    def as_partner(self, partner: UUID, *stops: UUID) -> Principal:
        return Principal(
            "partner_system", uuid4(), self.world.mission, stops, partner, ("events:read",)
        )
