"""Bounces: which mail came back, and why (RFC 3464), by the return path that each mail has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from uuid import UUID

from services.notify.domain.mail import without_addresses

SOFT_MAX = 3
SOFT_WITHIN = timedelta(hours=72)
"""An address from which so many mails come back for now, within so long, is not counted on."""

_OURS = re.compile(r"\+([0-9a-f]{32})@")
_ID = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@")
_STATUS = re.compile(r"([245])\.\d{1,3}\.\d{1,3}")
_ENVELOPE = ("X-Original-To", "Delivered-To", "Envelope-To", "To")


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail that did not arrive; the id is that of its `Message-ID`."""

    message_id: UUID
    status: str
    """As RFC 3463 has it, such as 5.1.1."""
    reason: str
    is_given_up: bool = True
    """Whether the mail server tries no longer; a delay may still end well."""

    @property
    def is_permanent(self) -> bool:
        """Say whether trying again is of no use."""
        return self.status.startswith("5")


def return_path(address: str, message_id: UUID) -> str:
    """Write the address that a mail comes back to: no two mails have the same (VERP).

    The id is random and known to the reader's mail server alone, so nobody makes bounces up.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}+{message_id.hex}@{domain}"


def read(content: bytes) -> Bounce | None:
    """Read a report; None: it is none, none of a failure, or not about a mail of ours."""
    mail = message_from_bytes(content, policy=compat32)
    message_id = _message_id(mail)
    for part in mail.walk():
        if message_id and part.get_content_type() == "message/delivery-status":
            for fields in _blocks(part):
                found = _STATUS.search(str(fields.get("Status", "")))
                action = str(fields.get("Action", "")).strip().lower()
                if found and found[1] != "2" and action in ("failed", "delayed"):
                    said = " ".join(str(fields.get("Diagnostic-Code", "")).split())
                    reason = without_addresses(f"{found[0]} {said}")
                    return Bounce(message_id, found[0], reason, action == "failed")
    return None


def _blocks(part: Message) -> Iterator[Message]:
    content = part.get_payload()
    if isinstance(content, list):
        yield from (block for block in content if isinstance(block, Message))


def _message_id(mail: Message) -> UUID | None:
    """Find the id in the address that the report was sent to, or in the mail that it returns."""
    for name in _ENVELOPE:
        if found := _OURS.search(str(mail.get(name, ""))):
            return UUID(found[1])
    for part in mail.walk():
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers"):
            inner = part.as_string()
            for line in inner.splitlines():
                if line.lower().startswith("message-id:") and (found := _ID.search(line)):
                    return UUID(found[1])
    return None
