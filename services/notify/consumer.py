"""Kafka in: which event goes where. Four consumers: none waits for another's troubles.

The live state waits while Redis is away; mail waits for nobody.
"""

from collections.abc import Collection, Sequence
from typing import Any

from services.notify.commands import erasing, feeding, keeping, telling
from services.notify.commands.feeding import Bell
from services.notify.commands.planning import WITHOUT_SETTINGS
from services.notify.domain.mail import ChannelName, Kind
from services.notify.store import facts, staff
from services.notify.store.live import Live
from shared.contacts import Contacts
from shared.events import EVENTS, TOPICS
from shared.events import matching as m
from shared.events import registration as r
from shared.events.base import Event
from shared.http import now
from shared.log.consumer import Consumer, Handler, Subscriptions, on, subscriptions
from shared.log.records import Envelope
from shared.postgres import Connection, Database

LIVE_TOPICS = ("matching",)
MAIL_TOPICS = ("registration", "matching")
PRIVACY_TOPICS = ("registration",)
FEED_TOPICS = TOPICS

LIVE, MAIL, PRIVACY, FEED = "notify.live", "notify.mail", "notify.privacy", "notify.feed"
READS = {LIVE: LIVE_TOPICS, MAIL: MAIL_TOPICS, PRIVACY: PRIVACY_TOPICS, FEED: FEED_TOPICS}
"""What each consumer reads, by its name."""

GATHER_SECONDS = 1.0
"""Mail is queued this much later: phones, which are told at once, come first."""

MEETING_EVENTS: tuple[type[m.MeetingEvent], ...] = (
    m.MeetingScheduled,
    m.MeetingMoved,
    m.MeetingDelayed,
    m.MeetingCalled,
    m.MeetingStarted,
    m.MeetingFinished,
    m.MeetingMissed,
    m.MeetingCancelled,
)
TOLD_BY_MAIL: tuple[type[m.MeetingEvent], ...] = (
    m.MeetingScheduled,
    m.MeetingMoved,
    m.MeetingDelayed,
    m.MeetingCancelled,
)


def live_consumer(database: Database, live: Live) -> Consumer:
    """Make the consumer that keeps the live state."""

    async def keep(connection: Connection, event: m.MeetingEvent, envelope: Envelope) -> None:
        del envelope
        await keeping.apply(connection, live, [event])

    async def keep_all(connection: Connection, events: Sequence[tuple[Envelope, Event]]) -> None:
        found = [event for _, event in events if isinstance(event, m.MeetingEvent)]
        await keeping.apply(connection, live, found)

    routes = subscriptions(*(on(event, keep) for event in MEETING_EVENTS))
    return Consumer(LIVE, database, routes, together=keep_all)


def mail_consumer(
    database: Database, available: Collection[ChannelName] = WITHOUT_SETTINGS
) -> Consumer:
    """Make the consumer that queues messages and keeps the facts that they need."""
    routes = _mail_routes(available)
    return Consumer(MAIL, database, routes, gather_seconds=GATHER_SECONDS)


def privacy_consumer(database: Database, live: Live, contacts: Contacts) -> Consumer:
    """Make the consumer that forgets people and ends sessions; nobody waits for it."""

    async def erase(connection: Connection, event: r.PersonErased, envelope: Envelope) -> None:
        del envelope
        await erasing.erase(connection, live, contacts, event)

    async def end(connection: Connection, event: r.SessionEnded, envelope: Envelope) -> None:
        del connection, envelope
        await erasing.end_session(live, event.person_id)

    routes = subscriptions(on(r.PersonErased, erase), on(r.SessionEnded, end))
    return Consumer(PRIVACY, database, routes)


def feed_consumer(database: Database, bell: Bell) -> Consumer:
    """Make the consumer that appends every event to the feed, and rings for whom it wakes."""

    async def take(connection: Connection, event: Event, envelope: Envelope) -> None:
        await feeding.take(connection, [(envelope, event)])

    routes = subscriptions(*(on(event, take) for event in EVENTS))
    return Consumer(FEED, database, routes, together=feeding.take, taken=bell.appended)


def _mail_routes(available: Collection[ChannelName]) -> Subscriptions:
    def registration(kind: Kind) -> Handler[Any]:
        async def tell(
            connection: Connection, event: telling.RegistrationEvent, envelope: Envelope
        ) -> None:
            del envelope
            await telling.tell_registration(connection, kind, event, now(), available)

        return tell

    async def application(
        connection: Connection,
        event: r.ApplicationDrafted | r.ApplicationSubmitted | r.ApplicationDecided,
        envelope: Envelope,
    ) -> None:
        del envelope
        await telling.tell_application(connection, event, now(), available)

    return subscriptions(
        on(r.MissionAnnounced, _mission),
        on(r.StopPlanned, _stop),
        on(r.ProgrammeItemPlanned, _item),
        on(r.ParticipantConfirmed, registration("confirmed")),
        on(r.ParticipantPending, registration("pending")),
        on(r.ParticipantWaitlisted, registration("waitlisted")),
        on(r.ParticipantRejected, registration("rejected")),
        on(r.ParticipantOffered, registration("offered")),
        on(r.ParticipantLapsed, registration("offer_expired")),
        on(r.StaffEngaged, _staff),
        on(r.SignInRequested, _sign_in),
        on(r.ApplicationDrafted, application),
        on(r.ApplicationSubmitted, application),
        on(r.ApplicationDecided, application),
        *(on(event, _change) for event in TOLD_BY_MAIL),
    )


async def _mission(connection: Connection, event: r.MissionAnnounced, envelope: Envelope) -> None:
    await facts.put_mission(connection, event, envelope.sequence)


async def _stop(connection: Connection, event: r.StopPlanned, envelope: Envelope) -> None:
    await facts.put_stop(connection, event, envelope.sequence)


async def _item(connection: Connection, event: r.ProgrammeItemPlanned, envelope: Envelope) -> None:
    await facts.put_item(connection, event, envelope.sequence)


async def _staff(connection: Connection, event: r.StaffEngaged, envelope: Envelope) -> None:
    await staff.put(connection, event, envelope.sequence)


async def _sign_in(connection: Connection, event: r.SignInRequested, envelope: Envelope) -> None:
    del envelope
    await telling.tell_sign_in(connection, event, now())


async def _change(connection: Connection, event: m.MeetingEvent, envelope: Envelope) -> None:
    del envelope
    await telling.tell_change(connection, event, now())
