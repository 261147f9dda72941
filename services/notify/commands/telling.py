"""Telling: which events become mail."""

from datetime import datetime

from services.notify.domain.live import Entry
from services.notify.domain.mail import OF_APPLICATIONS, Kind
from services.notify.store import meetings, messages, people
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
    connection: Connection, kind: Kind, event: RegistrationEvent, now: datetime
) -> None:
    """Queue the mail about a registration, unless a place is as confirmed as it was."""
    if isinstance(event, ParticipantConfirmed) and event.is_correction:
        return
    until = event.offered_until if isinstance(event, ParticipantOffered) else None
    about = messages.About(event.stop_id, event.programme_item_id, until)
    await messages.queue(connection, kind, event.participant_id, event.mission_id, now, about)


async def tell_sign_in(connection: Connection, event: SignInRequested, now: datetime) -> None:
    """Queue the mail with a sign-in link."""
    await messages.queue(connection, "sign_in", event.person_id, event.mission_id, now)


async def tell_application(
    connection: Connection,
    event: ApplicationDrafted | ApplicationSubmitted | ApplicationDecided,
    now: datetime,
) -> None:
    """Queue the mail about a company's application to its contact, where there is one to tell."""
    match event:
        case ApplicationDrafted():
            kind: Kind | None = "application_drafted"
        case ApplicationSubmitted():
            kind = "application_submitted"
        case _:
            kind = OF_APPLICATIONS.get(event.status)
    if kind is not None:
        await messages.queue(connection, kind, event.contact_id, event.mission_id, now)


async def tell_change(connection: Connection, event: MeetingEvent, now: datetime) -> None:
    """Have everybody concerned told of a change, together with what else changes just then."""
    # The live state's consumer writes the same row. It may wait for Redis; mail does not.
    (entry,) = await people.without_erased(connection, [Entry.of(event)])
    await meetings.put(connection, [entry])
    meeting = (event.meeting_id, event.stop_id, event.mission_id)
    concerned = [person for person in entry.concerned if person != people.NOBODY]
    await messages.note_change(connection, concerned, meeting, event.revision, now)
