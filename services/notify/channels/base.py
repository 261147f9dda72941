"""What a channel is, what it is given, and how it says what became of that."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.notify.domain.mail import ChannelName, Method
from shared.contacts import Contact
from shared.events.base import Language


class Away(Exception):
    """The other side cannot be reached; no message is to blame, and none was handed over."""


class Later(Exception):
    """Not handed over, as its turn has not come; it comes at `at`, and no attempt was made."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at


class Deferred(Exception):
    """Not taken now, and why; it may be taken later."""


class Refused(Exception):
    """Not taken, and why; it will never be."""


class Unknown(Exception):
    """The connection broke while the message was handed over: it may have arrived."""


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """A calendar that goes with a letter."""

    name: str
    method: Method
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in its reader's language."""

    id: int
    message_id: UUID
    """The same at each attempt: what came twice can be recognised."""
    language: Language
    subject: str
    body: str
    brief: str
    """All of it in a sentence or two that name nobody and have no link of anybody's own."""
    page: str
    """Where there is more, as a path."""
    topic: UUID
    """A newer letter on the same topic takes the place of an older one that was not seen."""
    is_urgent: bool
    written_at: datetime
    link: str = ""
    """Where the body leads its reader, as it stands there; empty: nowhere."""
    link_words: str = ""
    """What that link is called where its address is not shown."""
    invitation: CalendarFile | None = None
    """What a calendar takes in by itself: the one meeting that this letter is about."""
    files: tuple[CalendarFile, ...] = ()
    """What the reader may open."""
    unsubscribe: str = ""
    """Where a click ends letters of this kind; empty for those that nobody can do without."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a letter is for, and how this reader is reached."""

    person_id: UUID
    contact: Contact | None
    phone: str | None = None
    stop: str | None = None
    """The slug of the stop that the letter is about."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which channels this process has, and what browsers need to subscribe."""

    available: frozenset[ChannelName] = frozenset(("email", "print"))
    push_key: str = ""
    """Our public key; empty: no web push."""
    push_services: tuple[str, ...] = ()


WITH_ANY_SETTINGS = Reach()


class Channel(Protocol):
    """A way to reach people. Used by one sender, one letter at a time."""

    @property
    def name(self) -> ChannelName:
        """Say which channel it is."""
        ...

    async def open(self) -> None:
        """Get ready to send; raises `Away`. Again it does nothing."""

    async def send(self, letter: Letter, reader: Reader) -> None:
        """Hand a letter over; raises `Deferred`, `Refused`, `Unknown`, `Later` or `Away`."""

    async def close(self) -> None:
        """Give back what was opened; it may be opened again."""
