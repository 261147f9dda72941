"""E-mail, by SMTP (RFC 5321) to one server, over one connection while there is work."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

import aiosmtplib

from services.notify.channels.base import Away, Deferred, Letter, Reader, Refused, Unknown
from services.notify.channels.hygiene import Hygiene
from services.notify.domain.bounces import return_path
from services.notify.domain.mail import ChannelName, without_addresses

REPLY_SECONDS_MAX = 20
PERMANENT = 500
NOBODY_THERE = (550, 551, 553)

BROKEN = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError)
"""The connection ended; whether the server took the mail cannot be known."""

UNSENDABLE = (aiosmtplib.SMTPNotSupported, ValueError)
"""No command was given: the address has letters that the server or SMTP cannot take."""

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
        self._sender = sender
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
        path = return_path(self._bounces, letter.message_id) if self._bounces else None
        try:
            await self._client.send_message(self.written(letter, address), sender=path)
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

    async def close(self) -> None:
        """Take leave of the server."""
        client, self._client = self._client, None
        if client and client.is_connected:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    def written(self, letter: Letter, address: str) -> EmailMessage:
        """Write the mail."""
        mail = EmailMessage(SMTP)
        mail["From"] = self._sender
        mail["To"] = address
        mail["Subject"] = letter.subject
        mail["Date"] = format_datetime(letter.written_at)
        domain = parseaddr(self._sender)[1].rpartition("@")[2]
        mail["Message-ID"] = f"<{letter.message_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        cte = "base64" if letter.language == "zh" else "quoted-printable"
        mail.set_content(letter.body, cte=cte)
        # After the content, which takes all headers of its kind away when it is set.
        mail["Content-Language"] = letter.language
        if letter.calendar:
            mail.add_attachment(
                letter.calendar.content,
                maintype="text",
                subtype="calendar",
                filename=letter.calendar.name,
                params={"method": "PUBLISH", "charset": "utf-8"},
            )
        return mail


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
