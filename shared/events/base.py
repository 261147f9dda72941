"""What every event has: facts in the payload, delivery in the headers (CloudEvents 1.0)."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Language = Literal["en", "zh"]
Side = Literal["delegation", "local"]
ItemKind = Literal[
    "conference", "matchmaking", "site_visit", "reception", "briefing", "government_meeting"
]
ListingKind = Literal["offer", "need", "project"]


class Facts(BaseModel):
    """A part of an event.

    Unknown fields are passed over, so that yesterday's consumer reads tomorrow's event.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Bilingual(Facts):
    """The same text in English and Simplified Chinese."""

    en: str
    zh: str

    def in_(self, language: str) -> str:
        """Give the text in `language`, or in English where that is empty."""
        return (self.zh if language == "zh" else self.en) or self.en


class Event(Facts):
    """Something that became true.

    Carries ids, versions, company facts and slot times, never personal data.
    """

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    KEY: ClassVar[str]
    """The field with the aggregate's id."""

    @property
    def key(self) -> UUID:
        """The aggregate's id: events with one key keep their order."""
        key: UUID = getattr(self, self.KEY)
        return key
