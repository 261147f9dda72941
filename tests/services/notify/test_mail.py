import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP
from icalendar import Calendar

from services.notify.channels.base import Away
from services.notify.channels.email import Email, MailServer
from services.notify.commands import mailbox, planning, telling
from services.notify.commands.checking import MailWaits, mail_flows
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.sending import Sender
from services.notify.domain.mail import ATTEMPTS_MAX, LEASE, QUIET, WAIT_MAX
from services.notify.store import facts
from services.notify.store.messages import About, News
from shared.contacts import Contacts
from shared.events.matching import MeetingDelayed, MeetingEvent, MeetingMoved
from shared.events.registration import SignInRequested
from shared.postgres import Database

NOW = datetime(2023, 4, 12, 0, 0, tzinfo=UTC)
HEAD = Letterhead("Tradewind <no-reply@example.org>", "https://mission.example.org/")


class Server:
    """A real SMTP server that gives the answers it is told to, and keeps what it took."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.sender = "250 OK"
        self.recipient = "250 OK"
        self.answers: list[str] = []
        self.port = 0

    # aiosmtpd names its hooks so.
    async def handle_MAIL(self, *given: Any) -> str:  # noqa: N802
        _, _, envelope, address, _ = given
        envelope.mail_from = address
        return self.sender

    async def handle_RCPT(self, *given: Any) -> str:  # noqa: N802
        _, _, envelope, address, _ = given
        envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, *given: Any) -> str:  # noqa: N802
        server, _, envelope = given
        answer = self.answers.pop(0) if self.answers else "250 Kept"
        if answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.taken.append(mail)
        if "gone" in answer:
            server.transport.abort()
        return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    loop, server = asyncio.get_running_loop(), Server()
    listening = await loop.create_server(lambda: SMTP(server, loop=loop), "127.0.0.1", 0)
    async with listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


def sender_to(database: Database, contacts: Contacts, port: int) -> Sender:
    channel = Email(HEAD.sender, MailServer("127.0.0.1", port))
    return Sender(database, contacts, HEAD, channel)


@pytest.fixture
async def sender(database: Database, contacts: Contacts, server: Server) -> AsyncIterator[Sender]:
    sender = sender_to(database, contacts, server.port)
    yield sender
    await sender._channel.close()


@pytest.fixture
def people(planned: Any, registration: Any) -> Any:
    """The world, whose people registration knows."""
    registration.know(planned.delegate, "delegate@example.org")
    registration.know(
        planned.local, "local@example.org", language="zh", native_name="样例先生", role="local"
    )
    registration.know(planned.interpreter, "interpreter@example.org", role="interpreter")
    return planned


async def tell(database: Database, *events: MeetingEvent, at: datetime = NOW) -> None:
    for event in events:
        async with database.transaction() as connection:
            await telling.tell_change(connection, event, at)


async def ask_for_link(database: Database, world: Any, at: datetime = NOW) -> None:
    async with database.transaction() as connection:
        event = SignInRequested(person_id=world.delegate, mission_id=world.mission)
        await telling.tell_sign_in(connection, event, at)


async def state(database: Database) -> list[tuple[str, int, str | None]]:
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT state, attempts, reason FROM message WHERE channel = 'email' ORDER BY id"
        )
    return [tuple(row) for row in rows]


def to(server: Server, address: str) -> list[EmailMessage]:
    return [mail for mail in server.taken if mail["To"] == address]


def text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


def calendars(mail: EmailMessage) -> list[tuple[str, dict[str, Any]]]:
    """Give the method and the events of each calendar in a mail, in its order."""
    found = []
    for part in mail.walk():
        if part.get_content_type() == "text/calendar":
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            read = Calendar.from_ical(content)
            assert part.get_param("method") == read["METHOD"]
            events = {str(event["UID"]): event for event in read.walk("VEVENT")}
            found.append((str(read["METHOD"]), events))
    return found


def calendar(mail: EmailMessage) -> dict[str, Any]:
    """Give the events of the file of the whole day."""
    (events,) = [events for method, events in calendars(mail) if method == "PUBLISH"]
    return events


async def test_a_schedule_becomes_one_mail_in_each_readers_language(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    meetings = [
        people.meeting(number=n, interpreter_id=people.interpreter if n else None) for n in range(3)
    ]
    await tell(database, *meetings)
    assert await sender.send_due(NOW + QUIET) == 3
    (english,) = to(server, "delegate@example.org")
    assert english["Subject"] == "Your meetings: Shanghai, Wed 12 Apr 2023"
    for said in (
        "Dear Sample Person,",
        "Sample Wind Co., Ltd. (样例风电有限公司)",
        "09:30-09:55  T1",
        "10:30-10:55  T3",
        "Shanghai, UTC+8",
        "with interpreter",
        f"https://mission.example.org/sign-in?token=abc&next=%2Fday%3Fstop%3D{people.stop}",
    ):
        assert said in text(english)
    assert "NEW" not in text(english)
    (chinese,) = to(server, "local@example.org")
    assert chinese["Subject"] == "您的洽谈安排：上海，2023年4月12日 星期三"
    body = chinese.get_body(("plain",))
    assert body
    assert body["Content-Language"] == "zh"
    for said in ("样例先生，您好：", "Synthetic Hydrogen Ltd", "无翻译", "示例展馆"):
        assert said in text(chinese)
    (interpreting,) = to(server, "interpreter@example.org")
    assert "Synthetic Hydrogen Ltd; Sample Wind Co., Ltd. (样例风电有限公司)" in text(interpreting)
    assert len(calendar(interpreting)) == 2


async def test_the_calendar_has_times_of_the_stop_and_versions_of_the_meetings(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    meeting = people.meeting(revision=7)
    await tell(database, meeting)
    await sender.send_due(NOW + QUIET)
    (mail,) = to(server, "delegate@example.org")
    event = calendar(mail)[f"{meeting.meeting_id}@tradewind"]
    assert event["SEQUENCE"] == 7
    assert event["STATUS"] == "CONFIRMED"
    assert event["DTSTART"].dt == meeting.starts_at
    assert event["DTSTART"].to_ical().endswith(b"Z")
    assert event["DTEND"].dt == meeting.ends_at
    assert event["LOCATION"] == "T1, Example Hall"
    assert event["ORGANIZER"] == "mailto:no-reply@example.org"


async def test_a_later_mail_marks_what_is_different_and_cancels_what_is_gone(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    kept, moved, gone = (people.meeting(number=n) for n in range(3))
    await tell(database, kept, moved, gone)
    await sender.send_due(NOW + QUIET)
    server.taken.clear()
    later = NOW + timedelta(hours=1)
    await tell(
        database,
        people.then(moved, "scheduled", kind=MeetingMoved, point="T9"),
        people.then(gone, "cancelled"),
        people.meeting(number=4),
        at=later,
    )
    await sender.send_due(later + QUIET)
    (mail,) = to(server, "delegate@example.org")
    assert mail["Subject"].startswith("Your meetings have changed")
    lines = text(mail).splitlines()
    assert "09:30-09:55  T1" in lines
    assert "10:00-10:25  T9  [CHANGED]" in lines
    assert "11:30-11:55  T5  [NEW]" in lines
    assert lines[lines.index("Cancelled:") + 1].startswith("  10:30  Sample Wind")
    events = calendar(mail)
    assert events[f"{gone.meeting_id}@tradewind"]["STATUS"] == "CANCELLED"
    assert events[f"{gone.meeting_id}@tradewind"]["SEQUENCE"] == 2
    assert events[f"{kept.meeting_id}@tradewind"]["SEQUENCE"] == 1
    (chinese,) = to(server, "local@example.org")
    assert "【变更】" in text(chinese)
    assert "已取消：" in text(chinese)


async def test_a_third_mail_does_not_repeat_the_second_ones_news(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    first, second = people.meeting(number=0), people.meeting(number=1)
    await tell(database, first, second)
    await sender.send_due(NOW + QUIET)
    for hours, number in ((1, 0), (2, 1)):
        server.taken.clear()
        at = NOW + timedelta(hours=hours)
        one = (first, second)[number]
        delayed = people.then(one, "scheduled", kind=MeetingDelayed, delay_minutes=10)
        await tell(database, delayed, at=at)
        await sender.send_due(at + QUIET)
    (mail,) = to(server, "delegate@example.org")
    changed = [line for line in text(mail).splitlines() if "[CHANGED]" in line]
    assert changed == ["10:00-10:25  T2  [CHANGED]"]
    assert text(mail).count("starts 10 min late") == 2
    begins = calendar(mail)[f"{second.meeting_id}@tradewind"]["DTSTART"].dt
    assert begins == second.starts_at + timedelta(minutes=10)


async def test_an_interpreter_who_is_released_hears_of_it(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    meeting = people.meeting(interpreter_id=people.interpreter)
    await tell(database, meeting)
    await sender.send_due(NOW + QUIET)
    server.taken.clear()
    moved = people.then(
        meeting,
        "scheduled",
        kind=MeetingMoved,
        interpreter_id=None,
        former_interpreter_id=people.interpreter,
    )
    await tell(database, moved, at=NOW + timedelta(hours=1))
    await sender.send_due(NOW + timedelta(hours=1) + QUIET)
    (mail,) = to(server, "interpreter@example.org")
    assert "You have no meetings there at present." in text(mail)
    (event,) = calendar(mail).values()
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 2)


async def test_changes_are_gathered_until_it_is_quiet_and_not_for_ever(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    meeting = people.meeting()
    at, revision = NOW, 1
    while at - NOW < WAIT_MAX:
        await tell(database, people.then(meeting, "scheduled", revision=revision), at=at)
        assert await sender.send_due(at) == 0
        at, revision = at + QUIET / 2, revision + 1
    await sender.send_due(NOW + WAIT_MAX)
    assert len(to(server, "delegate@example.org")) == 1


async def test_a_meeting_cancelled_before_anybody_heard_of_it_is_no_mail(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    meeting = people.meeting()
    await tell(database, meeting, people.then(meeting, "cancelled"))
    await sender.send_due(NOW + QUIET)
    assert server.taken == []
    assert {found[0] for found in await state(database)} == {"superseded"}


@pytest.mark.parametrize(
    ("kind", "subjects"),
    [
        ("confirmed", ["Confirmed: Matchmaking, Shanghai", "报名成功：洽谈会（上海）"]),
        ("waitlisted", ["Waiting list: Matchmaking, Shanghai", "候补名单：洽谈会（上海）"]),
        ("pending", ["Received: Matchmaking, Shanghai", "已收到报名：洽谈会（上海）"]),
        ("rejected", ["Not approved: Matchmaking, Shanghai", "报名未通过：洽谈会（上海）"]),
        (
            "offer_expired",
            ["Offer ended: Matchmaking, Shanghai", "保留的名额已过期：洽谈会（上海）"],
        ),
    ],
)
async def test_registrations_are_told_in_both_languages(
    database: Database, sender: Sender, server: Server, people: Any, kind: Any, subjects: list[str]
) -> None:
    async with database.transaction() as connection:
        for person in (people.delegate, people.local):
            about = About(people.stop, people.item)
            await planning.tell(connection, [News.of(kind, person, people.mission, about)], NOW)
    await sender.send_due(NOW)
    assert [mail["Subject"] for mail in server.taken] == subjects
    assert all("https://mission.example.org/sign-in?token=abc" in text(m) for m in server.taken)
    assert "09:00-17:00 (Shanghai, UTC+8)" in text(server.taken[0])


async def test_an_offer_says_until_when_the_place_is_held(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    until = datetime(2023, 11, 3, 9, 30, tzinfo=UTC)
    async with database.transaction() as connection:
        for person in (people.delegate, people.local):
            about = About(people.stop, people.item, until)
            await planning.tell(
                connection, [News.of("offered", person, people.mission, about)], NOW
            )
    await sender.send_due(NOW)
    assert "held for you until Fri 3 Nov 2023, 17:30 (Shanghai, UTC+8)" in text(server.taken[0])
    assert "保留至2023年11月3日 星期五 17:30（北京时间）" in text(server.taken[1])


async def test_a_rehearsals_mail_says_so(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    async with database.transaction() as connection:
        await facts.put_mission(connection, people.mission_announced(is_rehearsal=True), 2)
    await ask_for_link(database, people)
    await sender.send_due(NOW)
    assert server.taken[0]["Subject"] == "[Rehearsal] Your sign-in link: Synthetic Mission"


async def test_a_mail_that_is_sent_twice_can_be_recognised(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    await ask_for_link(database, people)
    await sender.send_due(NOW)
    async with database.transaction() as connection:
        await connection.execute("UPDATE message SET state = 'queued'")
    await sender.send_due(NOW + LEASE)
    assert len({mail["Message-ID"] for mail in server.taken}) == 1
    assert len(server.taken) == 2


async def test_a_refusal_for_now_is_tried_again_with_growing_pauses(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    server.answers = ["451 Busy, <delegate@example.org>", "451 Busy"]
    await ask_for_link(database, people)
    await sender.send_due(NOW)
    assert await state(database) == [("queued", 1, "451 Busy, <address>")]
    assert await sender.send_due(NOW + timedelta(seconds=4)) == 0
    await sender.send_due(NOW + timedelta(seconds=5))
    assert await sender.send_due(NOW + timedelta(seconds=14)) == 0
    await sender.send_due(NOW + timedelta(seconds=15))
    assert await state(database) == [("sent", 3, None)]
    assert len(server.taken) == 1


async def test_a_refusal_for_now_ends_some_day(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    await ask_for_link(database, people)
    async with database.transaction() as connection:
        await connection.execute("UPDATE message SET attempts = $1", ATTEMPTS_MAX - 1)
    server.answers = ["452 Full"]
    await sender.send_due(NOW)
    assert await state(database) == [("failed", ATTEMPTS_MAX, "Given up: 452 Full")]


async def test_a_refusal_for_good_is_not_repeated_and_holds_up_nobody(
    database: Database, sender: Sender, server: Server, people: Any, registration: Any
) -> None:
    registration.know(people.interpreter, "")
    server.recipient = "550 No such user <delegate@example.org>"
    await ask_for_link(database, people)
    await sender.send_due(NOW)
    server.recipient = "250 OK"
    assert await state(database) == [("failed", 1, "550 No such user <address>")]
    await tell(database, people.meeting(interpreter_id=people.interpreter))
    await sender.send_due(NOW + QUIET)
    assert len(server.taken) == 2
    reasons = [reason for found, _, reason in await state(database) if found == "failed"]
    assert reasons[1:] == ["Nobody with an address is on file under this id."]


async def test_a_refused_sender_is_no_fault_of_the_mail(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    server.sender = "550 Not for us"
    await ask_for_link(database, people)
    await sender.send_due(NOW)
    assert await state(database) == [("queued", 1, "550 Not for us")]
    server.sender = "250 OK"
    await sender.send_due(NOW + timedelta(minutes=1))
    assert len(server.taken) == 1


async def test_an_address_that_the_server_cannot_take_fails_alone(
    database: Database, sender: Sender, server: Server, people: Any, registration: Any
) -> None:
    registration.know(people.delegate, "样例@example.org")
    await tell(database, people.meeting())
    await sender.send_due(NOW + QUIET)
    states = await state(database)
    assert sorted(found for found, _, _ in states) == ["failed", "sent"]
    assert [mail["To"] for mail in server.taken] == ["local@example.org"]


async def test_a_connection_that_breaks_costs_no_mail(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    server.answers = ["421 gone"]
    await tell(database, people.meeting(interpreter_id=people.interpreter))
    with pytest.raises(Away):
        await sender.send_due(NOW + QUIET)
    found = await state(database)
    assert [attempts for _, attempts, _ in found] == [1, 0, 0]
    await sender.send_due(NOW + QUIET + timedelta(seconds=10))
    assert len(server.taken) == 3
    assert {found for found, _, _ in await state(database)} == {"sent"}


async def test_no_mail_is_to_blame_while_the_mail_server_is_away(
    database: Database, contacts: Contacts, people: Any, free_port: int
) -> None:
    sender = sender_to(database, contacts, free_port)
    await ask_for_link(database, people)
    for seconds in range(0, 10, 2):
        with pytest.raises(Away):
            await sender.send_due(NOW + timedelta(seconds=seconds))
    assert await state(database) == [("queued", 0, None)]


async def test_no_mail_is_to_blame_while_registration_is_away(
    database: Database, sender: Sender, people: Any, registration: Any
) -> None:
    registration.is_away = True
    await ask_for_link(database, people)
    with pytest.raises(Away):
        await sender.send_due(NOW)
    registration.is_away = False
    await sender.send_due(NOW + timedelta(seconds=1))
    assert await state(database) == [("sent", 1, None)]


async def test_a_mail_waits_for_the_facts_it_needs(
    database: Database, sender: Sender, server: Server, world: Any, registration: Any
) -> None:
    registration.know(world.delegate, "delegate@example.org")
    await ask_for_link(database, world)
    await sender.send_due(NOW)
    assert await state(database) == [("queued", 1, "The mission is not known yet.")]
    async with database.transaction() as connection:
        await facts.put_mission(connection, world.mission_announced(), 1)
    await sender.send_due(NOW + timedelta(seconds=5))
    assert len(server.taken) == 1


async def test_a_persons_mails_keep_their_order(
    database: Database, sender: Sender, server: Server, people: Any
) -> None:
    server.answers = ["451 Busy"]
    await ask_for_link(database, people)
    async with database.transaction() as connection:
        about = About(people.stop, people.item)
        await planning.tell(
            connection, [News.of("confirmed", people.delegate, people.mission, about)], NOW
        )
    at = NOW
    for _ in range(4):
        await sender.send_due(at)
        at += timedelta(seconds=6)
    assert [mail["Subject"].split(":")[0] for mail in server.taken] == [
        "Your sign-in link",
        "Confirmed",
    ]


async def test_many_senders_send_each_mail_once(
    database: Database, contacts: Contacts, server: Server, people: Any, registration: Any
) -> None:
    others = [uuid4() for _ in range(60)]
    for number, person in enumerate(others):
        registration.know(person, f"person{number}@example.org")
    async with database.transaction() as connection:
        for person in others:
            await planning.tell(connection, [News.of("sign_in", person, people.mission)], NOW)
    senders = [sender_to(database, contacts, server.port) for _ in range(3)]

    async def work(sender: Sender) -> None:
        while await sender.send_due(NOW):
            pass
        await sender._channel.close()

    await asyncio.gather(*map(work, senders))
    assert sorted(mail["To"] for mail in server.taken) == sorted(
        f"person{number}@example.org" for number in range(60)
    )


async def test_the_mailbox_takes_mail_by_smtp_and_shows_it(
    database: Database, contacts: Contacts, people: Any, registration: Any
) -> None:
    registration.know(people.delegate, "样例@example.org")
    async with mailbox.receiving(database) as port:
        sender = sender_to(database, contacts, port)
        await tell(database, people.meeting())
        await sender.send_due(NOW + QUIET)
        await sender._channel.close()
    assert len(await mailbox.find(database, "", 0, 10)) == 2
    (found,) = await mailbox.find(database, "LOCAL@", 0, 10)
    opened = await mailbox.opened(database, found["id"])
    assert opened.recipients == ("local@example.org",)
    assert "Synthetic Hydrogen Ltd" in opened.text
    assert opened.page
    assert "Synthetic Hydrogen Ltd" in opened.page
    assert ">打开我的日程</a>" in opened.page
    assert opened.calendar
    assert opened.calendar.startswith(b"BEGIN:VCALENDAR")


async def test_mail_that_does_not_go_out_is_said(database: Database, people: Any) -> None:
    await mail_flows(database)
    await ask_for_link(database, people)
    with pytest.raises(MailWaits):
        await mail_flows(database)
