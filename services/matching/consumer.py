"""Kafka in: which of registration's events goes where."""

from typing import Any

from services.matching.commands import erasing, learning
from services.matching.store import facts
from shared.events import registration as r
from shared.http import now
from shared.log.consumer import Consumer, Handler, on, subscriptions
from shared.log.records import Envelope
from shared.postgres import Connection, Database

NAME = "matching"
TOPICS = ("registration",)


def consumer(database: Database) -> Consumer:
    """Make the consumer that learns of missions, people and interpreters."""
    routes = subscriptions(
        on(r.MissionAnnounced, _versioned(facts.put_mission)),
        on(r.StopPlanned, _versioned(facts.put_stop)),
        on(r.ProgrammeItemPlanned, _versioned(facts.put_item)),
        on(r.ParticipantConfirmed, _versioned(learning.has_place)),
        on(r.ParticipantPending, _versioned_now(learning.has_no_place)),
        on(r.ParticipantWaitlisted, _versioned_now(learning.has_no_place)),
        on(r.ParticipantOffered, _versioned_now(learning.has_no_place)),
        on(r.ParticipantLapsed, _versioned_now(learning.has_no_place)),
        on(r.ParticipantRejected, _versioned_now(learning.has_no_place)),
        on(r.ParticipantCancelled, _versioned_now(learning.has_no_place)),
        on(r.ParticipantCheckedIn, _versioned(learning.has_arrived)),
        on(r.CheckInRetracted, _versioned_now(learning.has_not_arrived)),
        on(r.StaffEngaged, _engaged),
        on(r.ConsentGranted, _versioned(erasing.withhold)),
        on(r.ConsentRevoked, _versioned(erasing.withhold)),
        on(r.PersonErased, _versioned_now(erasing.erase)),
    )
    return Consumer(NAME, database, routes)


def _versioned(put: Any) -> Handler[Any]:
    async def handle(connection: Connection, event: Any, envelope: Envelope) -> None:
        await put(connection, event, envelope.sequence)

    return handle


def _versioned_now(put: Any) -> Handler[Any]:
    async def handle(connection: Connection, event: Any, envelope: Envelope) -> None:
        await put(connection, event, envelope.sequence, now())

    return handle


async def _engaged(connection: Connection, event: r.StaffEngaged, envelope: Envelope) -> None:
    if event.role == "interpreter":
        await facts.put_interpreter(connection, event, envelope.sequence)
