"""What calendars take in by themselves: one change is an invitation, several are files."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from icalendar import Calendar

from services.notify.channels.email import Email, MailServer
from services.notify.commands import telling
from services.notify.commands.sending import Sender
from services.notify.domain.mail import QUIET
from services.notify.resources import Resources
from shared.events.matching import MeetingDelayed, MeetingEvent, MeetingMoved
from tests.services.notify.smtp import listening

NOW = datetime(2023, 4, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

Mailed = Callable[..., Awaitable[EmailMessage]]


@pytest.fixture
async def mailed(resources: Resources, planned: Any, registration: Any) -> AsyncIterator[Mailed]:
    """A function that tells of changes, and gives the mail that the delegate gets."""
    registration.know(planned.delegate, "delegate@example.org")
    async with listening() as server:
        channel = Email(resources.letterhead.sender, MailServer("127.0.0.1", server.port))
        sender = Sender(
            resources.database, resources.contacts, resources.letterhead, channel, rest=0
        )

        async def mailed(*events: MeetingEvent, at: datetime = NOW) -> EmailMessage:
            server.taken.clear()
            for event in events:
                async with resources.database.transaction() as connection:
                    await telling.tell_change(connection, event, at)
            await sender.send_due(at + QUIET)
            (content,) = server.taken
            mail = message_from_bytes(content, policy=default)
            assert isinstance(mail, EmailMessage)
            return mail

        yield mailed
        await channel.close()


def shape(mail: EmailMessage) -> list[tuple[str, object, str | None]]:
    """Give the parts of a mail: type, method and name of a file."""
    return [
        (part.get_content_type(), part.get_param("method"), part.get_filename())
        for part in mail.walk()
    ]


def events_of(mail: EmailMessage) -> list[tuple[str, list[Any]]]:
    found = []
    for part in mail.walk():
        if part.get_content_type() == "text/calendar":
            read = Calendar.from_ical(part.get_content())
            # Outlook takes a part whose method is another than its calendar's for none.
            assert part.get_param("method") == read["METHOD"]
            found.append((str(read["METHOD"]), list(read.walk("VEVENT"))))
    return found


async def test_a_mail_about_one_meeting_is_an_invitation_to_it(
    mailed: Mailed, planned: Any
) -> None:
    meeting = planned.meeting(revision=3)
    mail = await mailed(meeting)
    assert shape(mail) == [
        ("multipart/mixed", None, None),
        ("multipart/alternative", None, None),
        ("text/plain", None, None),
        ("text/html", None, None),
        ("text/calendar", "REQUEST", None),
        ("text/calendar", "PUBLISH", "shanghai.ics"),
    ]
    (method, (event,)), (_, (published,)) = events_of(mail)
    assert method == "REQUEST"
    assert event["UID"] == published["UID"] == f"{meeting.meeting_id}@tradewind"
    assert event["SEQUENCE"] == 3
    assert event["ORGANIZER"] == f"mailto:{mail['From'].addresses[0].addr_spec}"
    assert event["ATTENDEE"] == f"mailto:{mail['To']}"
    assert event["DTSTAMP"].dt == NOW + QUIET
    assert event["DTSTART"].dt == meeting.starts_at


async def test_a_change_and_a_cancellation_follow_with_higher_sequences(
    mailed: Mailed, planned: Any
) -> None:
    first = planned.meeting()
    sequences = [events_of(await mailed(first))[0][1][0]["SEQUENCE"]]
    moved = planned.then(first, "scheduled", kind=MeetingMoved, point="T9")
    gone = planned.then(moved, "cancelled")
    methods = []
    for hours, event in enumerate((moved, gone), 1):
        (method, (invited,)), _ = events_of(await mailed(event, at=NOW + hours * HOUR))
        methods.append((method, str(invited["LOCATION"]), str(invited["STATUS"])))
        sequences.append(invited["SEQUENCE"])
    assert methods == [
        ("REQUEST", "T9, Example Hall", "CONFIRMED"),
        ("CANCEL", "T9, Example Hall", "CANCELLED"),
    ]
    assert sequences == sorted(set(sequences))


async def test_of_several_changes_each_goes_along_alone_beside_the_whole_day(
    mailed: Mailed, planned: Any
) -> None:
    meetings = [planned.meeting(number=number) for number in range(4)]
    first = events_of(await mailed(*meetings))
    assert [(method, len(events)) for method, events in first] == [("PUBLISH", 4)]
    delayed = planned.then(meetings[1], "scheduled", kind=MeetingDelayed, delay_minutes=10)
    gone = planned.then(meetings[2], "cancelled")
    mail = await mailed(delayed, gone, planned.meeting(number=5), at=NOW + HOUR)
    assert [name for _, _, name in shape(mail) if name] == [
        "shanghai.ics",
        "shanghai-1.ics",
        "shanghai-2.ics",
    ]
    found = [
        (method, [str(event["UID"]) for event in events]) for method, events in events_of(mail)
    ]
    assert found[1:] == [
        ("REQUEST", [f"{delayed.meeting_id}@tradewind"]),
        ("CANCEL", [f"{gone.meeting_id}@tradewind"]),
    ]
    assert len(found[0][1]) == 5


async def test_any_reader_finds_the_text_of_a_mail(mailed: Mailed, planned: Any) -> None:
    mail = await mailed(planned.meeting())
    body = mail.get_body(("plain",))
    assert body
    assert "Sample Wind Co., Ltd. (样例风电有限公司)" in body.get_content()
    assert body["Content-Language"] == "en"
    assert not mail.defects
    assert all(not part.defects for part in mail.walk())
    assert "List-Unsubscribe" not in mail
