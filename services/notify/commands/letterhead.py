"""The letterhead: what all mails have in common."""

from dataclasses import dataclass
from email.utils import parseaddr
from functools import cache
from urllib.parse import quote
from uuid import UUID

from services.notify.domain import unsubscribing
from shared.contacts import Contact

_parsed = cache(parseaddr)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes, and where our pages are."""

    sender: str
    public_url: str
    unsubscribe_key: bytes = b""
    """Empty: nobody is offered to unsubscribe."""

    @property
    def organizer(self) -> tuple[str, str]:
        """Give name and address of the sender."""
        name, address = _parsed(self.sender)
        return name or "Tradewind", address

    @property
    def origin(self) -> str:
        """Give the address of our pages, without a slash at its end."""
        return self.public_url.rstrip("/")

    def link(self, contact: Contact, page: str = "") -> str:
        """Write the link that signs a person in and leads to a page."""
        onward = f"&next={quote(page, safe='')}" if page else ""
        return f"{self.origin}{contact.sign_in_path}{onward}"

    def unsubscribe(self, person_id: UUID) -> str:
        """Write the link by which somebody is sent no more of what is written to many."""
        if not self.unsubscribe_key:
            return ""
        token = unsubscribing.token(self.unsubscribe_key, person_id)
        return f"{self.origin}/messages/unsubscribe/{token}"
