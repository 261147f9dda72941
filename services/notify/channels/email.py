"""E-mail, by SMTP (RFC 5321) to one server, over one connection while there is work."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime, formataddr, parseaddr

import aiosmtplib

from services.notify.channels.base import (
    Away,
    CalendarFile,
    Deferred,
    Letter,
    Reader,
    Refused,
    Unknown,
)
from services.notify.channels.hygiene import Hygiene
from services.notify.channels.markup import page_of
from services.notify.channels.mime import Part, header, several, text
from services.notify.domain.bounces import return_path
from services.notify.domain.mail import ChannelName, without_addresses
from services.notify.domain.templates import Template

REPLY_SECONDS_MAX = 20
PERMANENT = 500
NOBODY_THERE = (550, 551, 553)

BROKEN = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError)
"""The connection ended; whether the server took the mail cannot be known."""

UNSENDABLE = (aiosmtplib.SMTPNotSupported, ValueError)
"""No command was given: the address has letters that the server or SMTP cannot take."""

INTERNATIONAL = ("SMTPUTF8", "BODY=8BITMIME")
"""For an address with letters that are not ASCII (RFC 6531)."""

NOBODY = "Nobody with an address is on file under this id."


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes out."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    starttls: bool = False

    def client(self) -> aiosmtplib.SMTP:
        """Make a client, not connected yet."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user or None,
            password=self.password or None,
            start_tls=self.starttls,
            timeout=REPLY_SECONDS_MAX,
        )


class Email:
    """Mails as `sender`, a name and an address; `bounces` is an address that they come back to."""

    name: ChannelName = "email"

    def __init__(
        self, sender: str, server: MailServer, hygiene: Hygiene | None = None, bounces: str = ""
    ) -> None:
        name, self._address = parseaddr(sender)
        self._from = formataddr((name, self._address))
        self._domain = self._address.rpartition("@")[2]
        self._server = server
        self._hygiene = hygiene
        self._bounces = bounces
        self._client: aiosmtplib.SMTP | None = None

    async def open(self) -> None:
        """Connect, unless that is done; raises `Away`."""
        if self._client and self._client.is_connected:
            return
        client = self._server.client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise Away(f"mail server: {without_addresses(repr(error))}") from error
        self._client = client

    async def send(self, letter: Letter, reader: Reader) -> None:
        """Send a mail; raises `Deferred`, `Refused`, `Later` or `Unknown`."""
        assert self._client is not None
        if reader.contact is None or not reader.contact.email:
            raise Refused(NOBODY)
        address = reader.contact.email
        if self._hygiene:
            await self._hygiene.check(reader.person_id, address, letter.written_at)
        try:
            await self._client.sendmail(
                self._return_path(letter),
                [address],
                self.written(letter, address),
                mail_options=() if address.isascii() else INTERNATIONAL,
            )
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            told = _read(refusal)
            if self._hygiene and _is_of_address(refusal):
                now = letter.written_at
                await self._hygiene.suppress(reader.person_id, address, str(told), now)
            raise told from refusal
        except aiosmtplib.SMTPResponseException as refusal:
            raise _read(refusal) from refusal
        except UNSENDABLE as error:
            raise Refused(without_addresses(str(error))) from error
        except BROKEN as error:
            self._client.close()
            reason = without_addresses(repr(error))
            raise Unknown(f"The connection broke: {reason}") from error

    def _return_path(self, letter: Letter) -> str:
        return return_path(self._bounces, letter.message_id) if self._bounces else self._address

    async def close(self) -> None:
        """Take leave of the server."""
        client, self._client = self._client, None
        if client and client.is_connected:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    def written(self, letter: Letter, address: str) -> bytes:
        """Write the mail."""
        body = _body(letter)
        return Part((*self._headers(letter, address), *body.headers), body.content).written()

    def _headers(self, letter: Letter, address: str) -> Iterator[str]:
        yield f"From: {self._from}"
        yield f"To: {address}"
        yield header("Subject", letter.subject)
        yield f"Date: {format_datetime(letter.written_at)}"
        yield f"Message-ID: <{letter.message_id}@{self._domain}>"
        yield "Auto-Submitted: auto-generated"
        if letter.unsubscribe:
            # One click without signing in (RFC 8058).
            yield f"List-Unsubscribe: <{letter.unsubscribe}>"
            yield "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
        yield "MIME-Version: 1.0"


def _body(letter: Letter) -> Part:
    """Write the text in two forms, what a calendar takes in (RFC 6047), and files after them."""
    is_english = letter.language == "en"
    language = f"Content-Language: {letter.language}"
    page = page_of(
        Template(letter.subject, letter.body), letter.language, (letter.link, letter.link_words)
    )
    kinds = (("plain", letter.body), ("html", page))
    # The last that a program can show is the one it shows (RFC 2046, 5.1.4).
    read = [
        text(f"{kind}; charset=utf-8", content.encode(), language, is_mostly_ascii=is_english)
        for kind, content in kinds
    ]
    if letter.invitation:
        read.append(_calendar(letter.invitation))
    boundary = letter.message_id.hex
    parts = [several("alternative", read, f"{boundary}_a")]
    for file in letter.files:
        named = f'Content-Disposition: attachment; filename="{file.name}"'
        parts.append(_calendar(file, named))
    return several("mixed", parts, f"{boundary}_m")


def _calendar(file: CalendarFile, *more: str) -> Part:
    # The same method as inside: where they differ, Outlook takes it for no invitation.
    return text(f"calendar; charset=utf-8; method={file.method}", file.content, *more)


def _is_of_address(refusal: aiosmtplib.SMTPRecipientsRefused) -> bool:
    """Say whether nobody is there, and not only our mail unwelcome (5.7 of RFC 3463)."""
    said = refusal.recipients[0]
    return said.code in NOBODY_THERE and "5.7." not in said.message


def _read(
    refusal: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPResponseException,
) -> Deferred | Refused:
    if isinstance(refusal, aiosmtplib.SMTPRecipientsRefused):
        refusal = refusal.recipients[0]
    reason = without_addresses(f"{refusal.code} {refusal.message}")
    # A refused sender is a fault of our settings, which somebody may mend.
    is_of_mail = not isinstance(refusal, aiosmtplib.SMTPSenderRefused)
    return Refused(reason) if refusal.code >= PERMANENT and is_of_mail else Deferred(reason)
