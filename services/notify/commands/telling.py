"""Telling: which events become messages."""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notify.commands.planning import WITHOUT_SETTINGS, tell
from services.notify.domain.live import Entry
from services.notify.domain.mail import OF_APPLICATIONS, ChannelName, Kind
from services.notify.domain.rules import turn
from services.notify.store import changes, facts, meetings, people, wishes
from services.notify.store.messages import About, News
from shared.events.matching import MeetingEvent
from shared.events.registration import (
    ApplicationDecided,
    ApplicationDrafted,
    ApplicationSubmitted,
    ParticipantConfirmed,
    ParticipantLapsed,
    ParticipantOffered,
    ParticipantPending,
    ParticipantRejected,
    ParticipantWaitlisted,
    SignInRequested,
)
from shared.postgres import Connection

RegistrationEvent = (
    ParticipantConfirmed
    | ParticipantOffered
    | ParticipantLapsed
    | ParticipantPending
    | ParticipantRejected
    | ParticipantWaitlisted
)


async def tell_registration(
    connection: Connection,
    kind: Kind,
    event: RegistrationEvent,
    now: datetime,
    available: Collection[ChannelName] = WITHOUT_SETTINGS,
) -> None:
    """Queue the message about a registration, unless a place is as confirmed as it was."""
    if isinstance(event, ParticipantConfirmed) and event.is_correction:
        return
    until = event.offered_until if isinstance(event, ParticipantOffered) else None
    about = About(event.stop_id, event.programme_item_id, until)
    news = News.of(kind, event.participant_id, event.mission_id, about)
    await tell(connection, [news], now, available)


async def tell_sign_in(connection: Connection, event: SignInRequested, now: datetime) -> None:
    """Queue the mail with a sign-in link."""
    await tell(connection, [News.of("sign_in", event.person_id, event.mission_id)], now)


async def tell_application(
    connection: Connection,
    event: ApplicationDrafted | ApplicationSubmitted | ApplicationDecided,
    now: datetime,
    available: Collection[ChannelName] = WITHOUT_SETTINGS,
) -> None:
    """Queue the message about a company's application, where its contact is to hear of it."""
    match event:
        case ApplicationDrafted():
            kind: Kind | None = "application_drafted"
        case ApplicationSubmitted():
            kind = "application_submitted"
        case _:
            kind = OF_APPLICATIONS.get(event.status)
    if kind is not None:
        news = News.of(kind, event.contact_id, event.mission_id)
        await tell(connection, [news], now, available)


async def tell_change(connection: Connection, event: MeetingEvent, now: datetime) -> None:
    """Have everybody concerned told of a change, together with what else changes just then."""
    # The live state's consumer writes the same row. It may wait for Redis; mail does not.
    (entry,) = await people.without_erased(connection, [Entry.of(event)])
    await meetings.put(connection, [entry])
    concerned = [person for person in entry.concerned if person != people.NOBODY]
    stop = await facts.stop(connection, event.stop_id)
    rules = await wishes.rules_of(connection, event.mission_id)
    turns = {
        one.person_id: turn(
            min(event.starts_at, one.told_starts_at or event.starts_at),
            is_first=not one.has_heard,
            rules=rules,
            # A stop that is not known yet: its mail waits for it anyway.
            zone=ZoneInfo(stop["timezone"] if stop else "UTC"),
            now=now,
        )
        for one in await changes.heard(connection, concerned, event.meeting_id, event.stop_id)
    }
    meeting = (event.meeting_id, event.stop_id, event.mission_id)
    await changes.note_change(connection, turns, meeting, event.revision, now)
