"""Mail: whether the server would take it, as far as can be asked without sending one."""

import ssl
from email.utils import parseaddr
from functools import partial
from ipaddress import ip_address

import aiosmtplib

from services.notify.channels.email import MailServer
from services.notify.settings import NotifySettings
from shared.doctor.examining import CONNECT_SECONDS_MAX, Check, said, underlying
from shared.doctor.findings import Finding, ok, warning, wrong
from shared.doctor.settings import is_this_machine

TROUBLE = "Mail waits until the server takes it. See TRADEWIND_SMTP_HOST and TRADEWIND_SMTP_PORT."
NOBODYS = ("localhost", "localdomain", "local", "internal", "invalid", "test", "example")
"""Last parts of names that lead nowhere on the Internet (RFC 6761, RFC 6762)."""


def check(settings: NotifySettings) -> Check:
    """Make the check of mail."""
    return Check("mail", partial(_look, settings), TROUBLE)


async def _look(settings: NotifySettings) -> list[Finding]:
    if settings.mailbox:
        seen, advice = (
            "stays in the mailbox",
            "Nobody gets any mail. Set TRADEWIND_MAILBOX=false, unless this is a trial.",
        )
        level = wrong if settings.mode == "production" else warning
        return [level("mail", seen, advice)]
    return [await _server(settings), _sender("mail: sender", settings.mail_from), *_way(settings)]


async def _server(settings: NotifySettings) -> Finding:
    """Connect as the sender does, sign in where that is set, and leave."""
    server = MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_user,
        settings.smtp_password.get_secret_value(),
        settings.smtp_starttls,
    )
    shown = f"{settings.smtp_host}:{settings.smtp_port}"
    client = server.client()
    client.timeout = CONNECT_SECONDS_MAX
    try:
        await client.connect()
        await client.ehlo()
        await client.quit()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        return _refused(shown, error)
    finally:
        client.close()
    how = "by STARTTLS" if settings.smtp_starttls else "without TLS"
    who = f", signed in as {settings.smtp_user}" if settings.smtp_user else ""
    return ok("mail", f"{shown} answers {how}{who}")


def _refused(shown: str, error: Exception) -> Finding:
    if cause := underlying(error, ssl.SSLError):
        seen = f"TLS with {shown} fails: {said(cause)}"
        advice = "Mail waits. Name the server in TRADEWIND_SMTP_HOST as its certificate does."
    elif isinstance(error, aiosmtplib.SMTPAuthenticationError):
        seen = f"{shown} refuses the user or its password ({error.code})"
        advice = "Mail waits. See TRADEWIND_SMTP_USER and TRADEWIND_SMTP_PASSWORD."
    elif isinstance(error, aiosmtplib.SMTPException) and "AUTH" in str(error):
        seen = f"{shown} lets nobody sign in like this"
        advice = (
            "Mail waits. Many servers offer it after STARTTLS alone (TRADEWIND_SMTP_STARTTLS); one "
            "that needs no user wants TRADEWIND_SMTP_USER empty."
        )
    elif isinstance(error, aiosmtplib.SMTPException) and "STARTTLS" in str(error):
        seen = f"{shown} does not offer STARTTLS"
        advice = (
            "Mail waits. Use the port where it does, commonly 587 (TRADEWIND_SMTP_PORT), or set "
            "TRADEWIND_SMTP_STARTTLS=false where the way there is your own."
        )
    elif isinstance(error, (OSError, aiosmtplib.SMTPConnectError)):
        seen, advice = f"{shown} does not answer", TROUBLE
    else:
        seen, advice = f"{shown}: {said(error)}", TROUBLE
    return wrong("mail", seen, advice)


def _way(settings: NotifySettings) -> list[Finding]:
    """Say whether what goes to the server can be read on the way."""
    if settings.smtp_starttls or is_this_machine(settings.smtp_host):
        return []
    what = "The password and all mail" if settings.smtp_user else "All mail"
    return [
        warning(
            "mail: way",
            "without TLS",
            f"{what} can be read on the way. Set TRADEWIND_SMTP_STARTTLS=true, unless the way is "
            "your own.",
        )
    ]


def _sender(about: str, sender: str) -> Finding:
    mailbox = parseaddr(sender)[1]
    name, _, domain = mailbox.rpartition("@")
    if not name or not _is_of_the_internet(domain):
        return wrong(
            about,
            mailbox or sender or "empty",
            "Others take it for spam, or refuse it. Set TRADEWIND_MAIL_FROM to an address of a "
            "domain that is yours, as in Tradewind <no-reply@mission.example.org>.",
        )
    return ok(about, mailbox)


def _is_of_the_internet(domain: str) -> bool:
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return "." in domain.strip(".") and domain.rpartition(".")[2].lower() not in NOBODYS
    return False
