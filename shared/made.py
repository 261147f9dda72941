"""What creating requests answer, for the document: programs are generated from it."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Made(BaseModel):
    """What was made: its id; more may stand beside it."""

    model_config = ConfigDict(extra="allow")

    id: UUID


class Slugged(Made):
    """What was made, and its part of an address."""

    slug: str


class Revised(Made):
    """What was made, and the revision to change it on."""

    revision: int
