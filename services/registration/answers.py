"""What creating requests answer, for the document."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.places import Status
from shared.made import Made


class Registered(Made):
    """A registration: new, or the one there was."""

    status: Status
    participant_id: UUID
    programme_item_id: UUID
    mission_id: UUID
    is_new: bool
    position: int = Field(0, description="In the waiting list, where there was no place.")
    sign_in_path: str = Field("", description="With what is new: opens the person's own page.")


class GroupRegistered(BaseModel):
    """A group: a place each, or all wait together."""

    model_config = ConfigDict(extra="allow")

    group_id: UUID
    registrations: list[Registered]
    position: int = Field(0, description="In the waiting list, where there was no place.")


class Engaged(Made):
    """Who works on a mission, and the link to sign in with."""

    sign_in_path: str


class KeyMade(Made):
    """A key of a partner's system."""

    key: str = Field("", description="To be kept: it is not told again, nor to who asks again.")


class BadgeMade(Made):
    """A badge, and what its QR code says."""

    code: str


class FileBegun(Made):
    """A file that is sent in parts of that many bytes, the last one shorter."""

    chunk_bytes: int


class QuestionMade(Made):
    """A question, its code in answers, and the revision to change it on."""

    code: str
    revision: int


class Merged(Made):
    """A merge, by which it is undone: which company stays, and what was moved."""

    kept_id: UUID
    gone_id: UUID


class ApplicationBegun(Made):
    """An application, and the link at which it is written."""

    status: Literal["draft"]
    contact_id: UUID
    sign_in_path: str = ""


class SentIfKnown(BaseModel):
    """The address is on file: its owner gets a link, and who gave it hears nothing else."""

    status: Literal["sent_if_known"]


class LetterMade(Made):
    """A letter, its number, and the page on which its number is checked."""

    number: str
    page: str
