"""Lists of registrations: what they are narrowed to, how they are sorted, and where a page begins.

A cursor holds no name: where a list is sorted by names, its place is looked up by the registration.
"""

import base64
import json
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, datetime
from enum import StrEnum
from uuid import UUID

from services.registration.domain.places import Status
from shared.errors import Fault, Invalid
from shared.events.base import Side

CURSOR_LENGTH_MAX = 200


class Sort(StrEnum):
    """The order of a list."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to. None, and no status, do not narrow it."""

    mission_id: UUID
    stop_id: UUID | None = None
    item_id: UUID | None = None
    statuses: tuple[Status, ...] = ()
    partner_id: UUID | None = None
    side: Side | None = None
    source: str | None = None
    is_checked_in: bool | None = None
    since: datetime | None = None
    country: str | None = None
    sector: str | None = None
    terms: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether indexes alone answer it in order of time."""
        return self == Filter(
            self.mission_id, self.stop_id, self.item_id, self.statuses, since=self.since
        )

    @property
    def of_any_status(self) -> "Filter":
        """The same list with every state."""
        return replace(self, statuses=())


@dataclass(frozen=True, slots=True)
class Cursor:
    """The registration next to a page: the page follows it, or goes before it."""

    sort: Sort
    registration_id: UUID
    at: datetime | None = None
    """When it was made, where that is the order: it keeps its place if it is made again."""
    is_before: bool = False

    def __str__(self) -> str:
        parts = [
            self.sort.value,
            self.registration_id.hex,
            self.at.isoformat() if self.at else None,
            int(self.is_before),
        ]
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, sort: Sort) -> "Cursor":
        """Read what a `next` link said; raises `Invalid` for anything else."""
        try:
            padded = text + "=" * (-len(text) % 4)
            given, registration, at, before = json.loads(base64.urlsafe_b64decode(padded))
            cursor = cls(
                Sort(given),
                UUID(hex=registration),
                datetime.fromisoformat(at) if at is not None else None,
                is_before=bool(before),
            )
        except (ValueError, TypeError, AttributeError):
            raise _wrong("A cursor is what a `next` link gave, unchanged.") from None
        if cursor.sort is not sort:
            raise _wrong("This cursor belongs to a list in another order.")
        if (cursor.at is None) != (sort not in _BY_TIME) or (cursor.at and not _is_told(cursor.at)):
            raise _wrong("A cursor is what a `next` link gave, unchanged.")
        return cursor

    @classmethod
    def of(
        cls, sort: Sort, registration_id: UUID, at: datetime, *, is_before: bool = False
    ) -> "Cursor":
        """Mark the place of a row."""
        return cls(sort, registration_id, at if sort in _BY_TIME else None, is_before)


_BY_TIME = {Sort.NEWEST, Sort.OLDEST}


def _is_told(moment: datetime) -> bool:
    """Say whether a moment has a zone, and can be moved to another one."""
    return moment.tzinfo is not None and MINYEAR < moment.year < MAXYEAR


def _wrong(detail: str) -> Invalid:
    return Invalid("The cursor is wrong.", faults=[Fault("query/cursor", detail)])
