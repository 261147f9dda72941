"""Every channel keeps the same promises, each before a real server of its kind."""

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock
from urllib.parse import unquote
from uuid import uuid4

import httpx2
import jwt
import pytest
from aiosmtpd.smtp import SMTP
from cryptography.hazmat.primitives.asymmetric import ec

from services.notify.channels.base import (
    Away,
    Channel,
    Deferred,
    Letter,
    Reader,
    Refused,
    Unknown,
)
from services.notify.channels.email import Email, MailServer
from services.notify.channels.posting import posting_client
from services.notify.channels.printed import Printed
from services.notify.channels.sms import Gateway, Sms
from services.notify.channels.web_push import Vapid, WebPush, encrypt, is_allowed, read_key
from services.notify.channels.wecom import Wecom
from services.notify.commands import planning
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.sending import IN_THE_DARK, Sender
from services.notify.domain.mail import COPIES_MAX, LEASE
from services.notify.domain.rules import Wishes
from services.notify.settings import PUSH_SERVICES
from services.notify.store import attempts, subscriptions, wishes
from services.notify.store.messages import About, News
from services.notify.store.subscriptions import Subscription
from shared.contacts import Contact
from shared.postgres import Database

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)
PUSH_KEY = "c9f58f89813e9f8e872e71f42aa64e1757c9254dcc62b72ddc010bb4043ea11c"


def base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


# The example of RFC 8291, section 5 and appendix A.
BROWSER_KEY = base64url(
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = base64url("BTBZMqHH6r4Tts7J_aSIgg")


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A real server on this machine that answers as it is told, and keeps what it took."""

    port: int = 0
    answer: str = "200"
    body: bytes = b'{"errcode": 0, "errmsg": "ok"}'
    requests: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(head[0].split()[1], headers, body))
        if self.answer != "break":
            extra = "Location: /elsewhere\r\n" if self.answer.startswith("3") else ""
            content = self.body if self.answer == "200" else b"no: somebody@example.org"
            length = f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {self.answer} Said\r\n{extra}{length}".encode() + content)
            await writer.drain()
        writer.close()

    # aiosmtpd names its hook so.
    async def handle_DATA(self, server: Any, *given: Any) -> str:  # noqa: N802
        self.requests.append(given[1])
        if self.answer == "break":
            server.transport.abort()
        said = {"200": "250 Kept", "503": "451 Later", "403": "550 No <somebody@example.org>"}
        return said.get(self.answer, "451 Gone")


@dataclass
class Rig:
    """A channel before a server of its kind."""

    channel: Channel
    reader: Reader
    receiver: Receiver
    text: Callable[[Any], str]
    """What a reader of this channel sees of a request."""

    async def send(self, letter: Letter) -> None:
        await self.channel.open()
        await self.channel.send(letter, self.reader)


def letter(**facts: Any) -> Letter:
    given: dict[str, Any] = {
        "id": 1,
        "message_id": uuid4(),
        "language": "zh",
        "subject": "您的洽谈安排",
        "body": "您好：T1\n",
        "brief": '您的洽谈安排有变更 "T1"',
        "page": "/day",
        "topic": uuid4(),
        "is_urgent": True,
        "written_at": NOW,
    }
    return Letter(**(given | facts))


@asynccontextmanager
async def http_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve_http, "127.0.0.1", 0)
    async with server:
        receiver.port = server.sockets[0].getsockname()[1]
        yield receiver


@asynccontextmanager
async def smtp_receiver() -> AsyncIterator[Receiver]:
    receiver, loop = Receiver(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(receiver, loop=loop), "127.0.0.1", 0)
    async with server:
        receiver.port = server.sockets[0].getsockname()[1]
        yield receiver


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with posting_client() as client:
        yield client


@pytest.fixture
async def set_up(
    database: Database, client: httpx2.AsyncClient
) -> AsyncIterator[Callable[[str], Any]]:
    """A function that sets a channel up, by name."""
    async with AsyncExitStack() as stack:

        async def set_up(name: str) -> Rig:
            contact = Contact.model_validate(
                {
                    "person_id": uuid4(),
                    "name": "Sample Person",
                    "email": "somebody@example.org",
                    "language": "zh",
                    "role": "delegate",
                    "sign_in_path": "/sign-in?token=abc",
                }
            )
            reader = Reader(contact.person_id, contact, phone="+8613800000000", stop="shanghai")
            receiver = await stack.enter_async_context(
                smtp_receiver() if name == "email" else http_receiver()
            )
            url = receiver.url
            if name == "email":
                server = MailServer("127.0.0.1", receiver.port)
                channel: Channel = Email("Tradewind <no-reply@example.org>", server)
                rig = Rig(channel, reader, receiver, lambda taken: taken.content.decode())
            elif name == "sms":
                gateway = Gateway(
                    f"{url}/send?to=$phone",
                    '{"text": "$text", "id": "$id"}',
                    headers={"Authorization": "Bearer k"},
                )
                channel = Sms(client, gateway)
                rig = Rig(channel, reader, receiver, lambda taken: json.loads(taken.body)["text"])
            elif name == "wecom":
                channel = Wecom(client, {"shanghai": f"{url}/robot?key=secret"})
                rig = Rig(
                    channel,
                    reader,
                    receiver,
                    lambda taken: json.loads(taken.body)["text"]["content"],
                )
            else:
                vapid = Vapid(read_key(PUSH_KEY), "mailto:no-reply@example.org")
                channel = WebPush(client, database, vapid, (url,))
                await subscribe(database, reader, f"{url}/push/1")
                rig = Rig(channel, reader, receiver, lambda taken: taken.headers["urgency"])
            stack.push_async_callback(rig.channel.close)
            return rig

        yield set_up


async def subscribe(database: Database, reader: Reader, endpoint: str) -> None:
    async with database.transaction() as connection:
        one = Subscription(endpoint, BROWSER_KEY, AUTH)
        await subscriptions.put(connection, reader.person_id, one, NOW)


class Killed(BaseException):
    """The process ended here."""


ALL = ["email", "web_push", "sms", "wecom"]


@pytest.mark.parametrize("name", ALL)
async def test_a_letter_that_is_taken_was_taken_whole(set_up: Any, name: str) -> None:
    rig = await set_up(name)
    await rig.send(letter())
    await rig.channel.close()
    await rig.send(letter())
    assert len(rig.receiver.requests) == 2
    assert rig.text(rig.receiver.requests[0])


@pytest.mark.parametrize("name", ALL)
async def test_what_is_refused_for_good_is_told_from_what_is_refused_for_now(
    set_up: Any, name: str
) -> None:
    rig = await set_up(name)
    rig.receiver.answer = "503"
    with pytest.raises(Deferred):
        await rig.send(letter())
    rig.receiver.answer = "403"
    with pytest.raises(Refused) as refusal:
        await rig.send(letter())
    assert "@" not in str(refusal.value)


@pytest.mark.parametrize("name", ALL)
async def test_a_connection_that_breaks_may_have_delivered(set_up: Any, name: str) -> None:
    rig = await set_up(name)
    rig.receiver.answer = "break"
    with pytest.raises(Unknown):
        await rig.send(letter())
    rig.receiver.answer = "200"
    await rig.send(letter())


@pytest.mark.parametrize(("name", "expected"), [("email", Away), ("sms", Away), ("wecom", Away)])
async def test_a_server_that_is_away_blames_no_letter(
    client: httpx2.AsyncClient, free_port: int, name: str, expected: type[Exception]
) -> None:
    url = f"http://127.0.0.1:{free_port}"
    away: dict[str, Channel] = {
        "email": Email("no-reply@example.org", MailServer("127.0.0.1", free_port)),
        "sms": Sms(client, Gateway(url, "$text")),
        "wecom": Wecom(client, {"shanghai": url}),
    }
    reader = Reader(uuid4(), None, phone="+8613800000000", stop="shanghai")
    with pytest.raises(expected):
        await Rig(away[name], reader, Receiver(), str).send(letter())


@pytest.mark.parametrize("name", ["web_push", "sms", "wecom"])
async def test_nobody_is_led_elsewhere(set_up: Any, name: str) -> None:
    rig = await set_up(name)
    rig.receiver.answer = "307"
    with pytest.raises(Refused):
        await rig.send(letter())
    assert len(rig.receiver.requests) == 1


@pytest.mark.parametrize("name", ["email", "web_push", "sms", "wecom"])
async def test_who_cannot_be_reached_is_refused_at_once(set_up: Any, name: str) -> None:
    rig = await set_up(name)
    rig.reader = Reader(uuid4(), None)
    with pytest.raises(Refused):
        await rig.send(letter())
    assert rig.receiver.requests == []


async def test_a_gateway_is_asked_as_its_settings_say() -> None:
    values = {"phone": "+86 138", "text": '您好 "T1"\n', "id": "7"}
    asked = Gateway("https://x/?to=$phone", '{"t": "$text", "id": "$id"}').request(values)
    assert asked[0] == "https://x/?to=%2B86%20138"
    assert json.loads(asked[1]) == {"t": values["text"], "id": "7"}
    form = Gateway("https://x/", "to=$phone&t=$text", "application/x-www-form-urlencoded")
    _, body = form.request(values)
    assert dict(part.split("=") for part in unquote(body.decode()).split("&"))["to"] == "+86 138"
    assert b'"' not in body


@pytest.mark.parametrize(
    ("code", "expected"), [(45009, Deferred), (-1, Deferred), (93000, Refused)]
)
async def test_wecom_says_no_in_an_answer_that_is_a_yes(
    set_up: Any, code: int, expected: type[Exception]
) -> None:
    rig = await set_up("wecom")
    rig.receiver.body = json.dumps({"errcode": code, "errmsg": "no"}).encode()
    with pytest.raises(expected):
        await rig.send(letter())
    rig.receiver.body = b"<html>"
    with pytest.raises(Unknown):
        await rig.send(letter())


def test_what_a_browser_gets_is_what_rfc_8291_says() -> None:
    number = base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    own = ec.derive_private_key(int.from_bytes(number, "big"), ec.SECP256R1())
    salt = base64url("DGv6ra1nlYgDCS1FRnbzlw")
    browser = Subscription("https://push.example.net/", BROWSER_KEY, AUTH)
    assert encrypt(b"When I grow up, I want to be a watermelon", browser, own, salt) == base64url(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmY"
        "WAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexS"
        "gSxsj_Qulcy4a-fN"
    )


async def test_a_service_of_web_push_knows_who_sends_and_what_is_newer(set_up: Any) -> None:
    rig = await set_up("web_push")
    sent = letter(written_at=datetime.now(UTC))
    await rig.send(sent)
    (asked,) = rig.receiver.requests
    token, key = asked.headers["authorization"].removeprefix("vapid t=").split(", k=")
    vapid = Vapid(read_key(PUSH_KEY), "")
    # The receiver writes all headers in small letters.
    assert key == vapid.public_key.lower()
    assert int(asked.headers["ttl"]) > 0
    assert asked.headers["topic"] == sent.topic.hex
    assert asked.headers["urgency"] == "high"
    assert token
    claims = jwt.decode(
        vapid.authorization(f"{rig.receiver.url}/push/1", sent).split()[1][2:-1],
        vapid.key.public_key(),
        algorithms=["ES256"],
        audience=rig.receiver.url,
    )
    assert claims["exp"] - sent.written_at.timestamp() <= 24 * 3600


@pytest.mark.parametrize("answer", ["404", "410"])
async def test_a_browser_that_is_gone_is_forgotten_and_the_others_are_told(
    set_up: Any, database: Database, answer: str
) -> None:
    gone, there = await set_up("web_push"), await set_up("web_push")
    gone.receiver.answer = answer
    await subscribe(database, there.reader, f"{gone.receiver.url}/push/2")
    there.channel._services = (gone.receiver.url, there.receiver.url)
    await there.send(letter())
    async with database.reading() as connection:
        left = await subscriptions.of_person(connection, there.reader.person_id)
    assert [one.endpoint for one in left] == [f"{there.receiver.url}/push/1"]


def test_browsers_name_no_address_but_those_of_the_services() -> None:
    assert is_allowed("https://fcm.googleapis.com/fcm/send/x", PUSH_SERVICES)
    assert is_allowed("https://sg2p.notify.windows.com/w/?token=x", PUSH_SERVICES)
    for other in (
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com@127.0.0.1/x",
        "https://fcm.googleapis.com.example.org/x",
        "https://127.0.0.1/.notify.windows.com",
        "https://user@127.0.0.1:80#.notify.windows.com",
        "https://127.0.0.1\\.notify.windows.com",
    ):
        assert not is_allowed(other, PUSH_SERVICES)


async def test_the_desk_has_each_message_on_its_sheet_once(database: Database, world: Any) -> None:
    async with database.transaction() as connection:
        number = await connection.fetchval(
            "INSERT INTO message (kind, person_id, mission_id, next_attempt_at, created_at) "
            "VALUES ('sign_in', $1, $2, $3, $3) RETURNING id",
            world.local,
            world.mission,
            NOW,
        )
    rig = Rig(Printed(database), Reader(world.local, None), Receiver(), str)
    await rig.send(letter(id=number))
    await rig.send(letter(id=number))
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM by_hand") == 1


@pytest.fixture
def due(database: Database, contacts: Any, registration: Any, planned: Any) -> Callable[[Rig], Any]:
    """A function that makes one message due over a channel, and the sender of that channel."""

    async def due(rig: Rig) -> Sender:
        person = rig.reader.person_id
        registration.know(person, "somebody@example.org")
        async with database.transaction() as connection:
            about = About(planned.stop, planned.item)
            await planning.tell(
                connection, [News.of("confirmed", person, planned.mission, about)], NOW
            )
            await wishes.put(connection, person, Wishes(phone="+8613800000000"))
            await connection.execute("UPDATE message SET channel = $1", rig.channel.name)
        head = Letterhead("Tradewind <no-reply@example.org>", "https://mission.example.org")
        return Sender(database, contacts, head, rig.channel, rest=0)

    return due


@pytest.mark.parametrize("name", ALL)
async def test_who_dies_between_sending_and_saving_sends_few_copies_and_then_none(
    set_up: Any, due: Any, database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rig = await set_up(name)
    sender = await due(rig)
    at = NOW
    with monkeypatch.context() as patch:
        patch.setattr(attempts, "succeed", Mock(side_effect=Killed))
        for _ in range(COPIES_MAX):
            with pytest.raises(Killed):
                await sender.send_due(at)
            at += LEASE
    for _ in range(30):
        # What is tried instead of this channel is not counted here.
        await sender.send_due(at)
        at += LEASE
    assert len(rig.receiver.requests) == COPIES_MAX
    async with database.reading() as connection:
        row = await connection.fetchrow(
            "SELECT state, reason FROM message WHERE channel = $1", name
        )
    assert row
    assert (row["state"], row["reason"]) == ("failed", IN_THE_DARK)
