"""Mail that comes back: how it is read, what it stops, and who is told instead."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.base import Later
from services.notify.channels.email import Email, MailServer
from services.notify.channels.hygiene import Throttle
from services.notify.commands import bouncing, planning
from services.notify.commands.sending import Sender
from services.notify.domain.bounces import Bounce, read, return_path
from services.notify.resources import Resources
from services.notify.store.messages import About, News
from shared.postgres import Database
from tests.services.notify.smtp import Server, listening

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)
KEY = "what the mail server knows"
BOUNCES = "bounces@example.org"


def report(
    message_id: UUID, status: str = "5.1.1", action: str = "failed", to: str = "", mail: str = ""
) -> bytes:
    """Write a report as mail servers do (RFC 3464, appendix E)."""
    lines = [
        "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.com>",
        f"To: {to or return_path(BOUNCES, message_id)}",
        "Subject: Undelivered Mail Returned to Sender",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "I could not deliver your message.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example.com",
        "",
        "Final-Recipient: rfc822; lost@example.com",
        f"Action: {action}",
        f"Status: {status}",
        "Diagnostic-Code: smtp; 550 5.1.1 <lost@example.com>: no such",
        "    user here",
        "",
        "--b",
        "Content-Type: text/rfc822-headers",
        "",
        mail or f"Message-ID: <{message_id}@example.org>",
        "Subject: Your meetings",
        "",
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with listening() as server:
        yield server


@pytest.fixture
def sender(resources: Resources, server: Server) -> Callable[..., Sender]:
    """A function that makes a sender of mail."""

    def sender(per_minute: int = 0) -> Sender:
        hygiene = resources.hygiene
        hygiene._throttle = Throttle(per_minute)
        channel = Email(
            "no-reply@example.org", MailServer("127.0.0.1", server.port), hygiene, BOUNCES
        )
        return Sender(resources.database, resources.contacts, resources.letterhead, channel, rest=0)

    return sender


@pytest.fixture
def tell(database: Database, planned: Any, registration: Any) -> Callable[..., Any]:
    """A function that has the delegate told of a place, at some address."""

    async def tell(address: str = "lost@example.com", person: UUID | None = None) -> None:
        to = person or planned.delegate
        registration.know(to, address)
        about = About(planned.stop, planned.item)
        async with database.transaction() as connection:
            news = News.of("confirmed", to, planned.mission, about)
            await planning.tell(connection, [news], NOW)

    return tell


@pytest.fixture
async def post(browse: Any, resources: Resources) -> AsyncIterator[Any]:
    """A function that posts a report as the mail server does."""
    async with browse(replace(resources, bounce_key=KEY)) as browser:

        async def post(content: bytes, key: str = KEY) -> Any:
            return await browser.client.post(
                "/internal/notify/bounces", content=content, headers={"X-Bounce-Key": key}
            )

        yield post


async def rows(database: Database) -> list[tuple[str, str, str | None]]:
    async with database.reading() as connection:
        found = await connection.fetch("SELECT channel, state, reason FROM message ORDER BY id")
    return [tuple(row) for row in found]


async def message_id(database: Database) -> UUID:
    async with database.reading() as connection:
        found: UUID = await connection.fetchval("SELECT message_id FROM message ORDER BY id")
    return found


def test_a_report_is_read_by_its_address_or_by_what_it_returns() -> None:
    id_ = uuid4()
    expected = Bounce(id_, "5.1.1", "5.1.1 smtp; 550 5.1.1 <address>: no such user here", True)
    assert read(report(id_, mail="Subject: cut")) == expected
    assert read(report(id_, to="no-reply@example.org")) == expected
    assert expected.is_permanent
    delayed = read(report(id_, status="4.4.7", action="delayed"))
    assert delayed
    assert (delayed.is_permanent, delayed.is_given_up) == (False, False)


def test_what_is_no_failure_of_ours_is_none() -> None:
    id_ = uuid4()
    assert read(report(id_, status="2.0.0", action="delivered")) is None
    assert read(report(id_, to="no-reply@example.org", mail="Message-ID: <x@y>")) is None
    assert read(b"Subject: I am on holiday\r\n\r\nUntil Monday.") is None


@given(st.binary(max_size=400))
def test_no_mail_is_too_broken_to_be_read(content: bytes) -> None:
    assert read(content) is None
    read(b"To: bounces+" + uuid4().hex.encode() + b"@example.org\r\n" + content)


async def test_each_mail_comes_back_to_an_address_of_its_own(
    tell: Any, sender: Any, server: Server, database: Database
) -> None:
    await tell()
    await sender().send_due(NOW)
    assert server.paths == [return_path(BOUNCES, await message_id(database))]


async def test_who_cannot_be_reached_is_left_alone_and_told_at_the_desk(
    tell: Any, sender: Any, server: Server, database: Database, post: Any
) -> None:
    await tell()
    await sender().send_due(NOW)
    content = report(await message_id(database))
    for _ in range(2):
        assert (await post(content)).json() == {"is_ours": True}
    came_back = "Came back: 5.1.1 smtp; 550 5.1.1 <address>: no such user here"
    assert await rows(database) == [("email", "failed", came_back), ("print", "queued", None)]
    await tell()
    await sender().send_due(NOW + timedelta(hours=1))
    assert len(server.paths) == 1
    third, fourth = (await rows(database))[2:]
    assert third[:2] == ("email", "failed")
    assert str(third[2]).startswith("Suppressed")
    assert fourth[:2] == ("print", "queued")


async def test_a_new_address_is_written_to(
    tell: Any, sender: Any, server: Server, database: Database, post: Any
) -> None:
    await tell()
    mails = sender()
    await mails.send_due(NOW)
    await post(report(await message_id(database)))
    mails._contacts._known.clear()
    await tell("found@example.com")
    await mails.send_due(NOW + timedelta(hours=1))
    assert len(server.paths) == 2


async def test_a_report_waits_for_registration(
    tell: Any, sender: Any, database: Database, post: Any, registration: Any
) -> None:
    await tell()
    mails = sender()
    await mails.send_due(NOW)
    mails._contacts._known.clear()
    registration.is_away = True
    answer = await post(report(await message_id(database)))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert await rows(database) == [("email", "sent", None)]


async def test_a_mail_that_is_only_late_stops_nothing(
    tell: Any, sender: Any, database: Database, post: Any
) -> None:
    await tell()
    await sender().send_due(NOW)
    await post(report(await message_id(database), status="4.4.7", action="delayed"))
    assert await rows(database) == [("email", "sent", None)]


async def test_a_mail_that_is_given_up_is_told_otherwise_and_the_address_tried_again(
    tell: Any, sender: Any, server: Server, database: Database, post: Any
) -> None:
    await tell()
    await sender().send_due(NOW)
    await post(report(await message_id(database), status="4.4.7"))
    assert [row[:2] for row in await rows(database)] == [("email", "failed"), ("print", "queued")]
    await tell()
    await sender().send_due(NOW + timedelta(hours=1))
    assert len(server.taken) == 2


@pytest.mark.parametrize(
    ("hours", "is_suspect"), [((0, 1, 2), True), ((0, 0, 1), False), ((0, 71, 73), False)]
)
async def test_three_delays_within_three_days_make_an_address_suspect(
    tell: Any, sender: Any, server: Server, resources: Any, hours: tuple[int, ...], is_suspect: bool
) -> None:
    await tell()
    await sender().send_due(NOW)
    database, known = resources.database, (resources.hygiene, resources.reach)
    id_ = await message_id(database)
    for hour in hours:
        # The same report twice is one.
        content = report(id_, status="4.4.7", action="delayed", mail=f"Subject: at {hour}")
        at = NOW + timedelta(hours=hour)
        assert await bouncing.take(database, resources.contacts, known, content, at)
    first, *sheet = [row[:2] for row in await rows(database)]
    assert first == ("email", "failed" if is_suspect else "sent")
    assert sheet == ([("print", "queued")] if is_suspect else [])
    await tell()
    await sender().send_due(NOW + timedelta(days=4))
    assert len(server.taken) == (1 if is_suspect else 2)


@pytest.mark.parametrize(
    ("answer", "is_written_to"), [("550 5.1.1 No such user", False), ("550 5.7.1 Spam", True)]
)
async def test_a_server_that_knows_nobody_is_asked_once(
    tell: Any, sender: Any, server: Server, answer: str, is_written_to: bool
) -> None:
    server.recipient = answer
    await tell()
    await sender().send_due(NOW)
    server.recipient = "250 OK"
    await tell()
    await sender().send_due(NOW + timedelta(hours=1))
    assert len(server.taken) == int(is_written_to)


async def test_nobody_else_says_that_mail_came_back(
    tell: Any, sender: Any, database: Database, post: Any, browser: Any
) -> None:
    await tell()
    await sender().send_due(NOW)
    content = report(await message_id(database))
    assert (await post(content, "a guess")).status_code == 401
    without = await browser.client.post(
        "/internal/notify/bounces", content=content, headers={"X-Bounce-Key": ""}
    )
    assert without.status_code == 401
    assert (await post(report(uuid4()))).json() == {"is_ours": False}
    assert await rows(database) == [("email", "sent", None)]


async def test_a_domain_is_not_rushed_and_no_attempt_is_lost_by_it(
    tell: Any, sender: Any, server: Server, database: Database
) -> None:
    for number in range(3):
        await tell(f"person{number}@example.com", uuid4())
    await tell("other@example.net", uuid4())
    slow, at = sender(per_minute=1), NOW
    taken = []
    for _ in range(4):
        while await slow.send_due(at):
            pass
        taken.append(len(server.taken))
        at += timedelta(minutes=1)
    assert taken == [2, 3, 4, 4]
    async with database.reading() as connection:
        attempts = await connection.fetch("SELECT attempts FROM message")
        assert await connection.fetchval("SELECT count(*) FROM attempt") == 4
    assert {row["attempts"] for row in attempts} == {1}


@given(
    st.integers(1, 600),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90)), max_size=60),
)
def test_no_domain_gets_more_than_its_number_in_a_minute(
    per_minute: int, mails: list[tuple[str, int]]
) -> None:
    throttle, at = Throttle(per_minute), NOW
    taken: dict[str, list[datetime]] = {}
    for domain, seconds in mails:
        at += timedelta(seconds=seconds) / 30
        try:
            throttle.take(f"somebody@{domain}.example.org", at)
        except Later:
            continue
        taken.setdefault(domain, []).append(at)
    for times in taken.values():
        for begin in times:
            within = [one for one in times if begin <= one < begin + timedelta(minutes=1)]
            assert len(within) <= per_minute
