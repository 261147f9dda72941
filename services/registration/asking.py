"""What somebody asks to see of the registrations, and what of it he or she may see."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.registration.bodies import Code, Country
from services.registration.commands.missions import existing_item, existing_mission, existing_stop
from services.registration.domain.listing import CURSOR_LENGTH_MAX, Cursor, Filter, Sort
from services.registration.domain.names import query_terms
from services.registration.domain.people import Source
from services.registration.domain.places import Status
from services.registration.seeing import hosts_of
from services.registration.store import lists
from shared.access import Action, Principal, Scope, require
from shared.errors import Fault, Invalid, NotFound
from shared.events.base import Side
from shared.http import YEARS
from shared.postgres import Connection

LIMIT_MAX = 200


def _in_our_years(moment: datetime) -> datetime:
    if not YEARS[0] <= moment.year < YEARS[1]:
        raise ValueError(f"A time of the years {YEARS[0]} to {YEARS[1] - 1}.")
    return moment


class Narrowing(BaseModel):
    """What a list is narrowed to. `since` without a zone is by the clock of the stop."""

    model_config = ConfigDict(frozen=True)
    POINTER: ClassVar[str] = "query"

    mission_id: UUID | None = None
    stop_id: UUID | None = None
    item_id: UUID | None = None
    status: list[Status] = Field(default_factory=list, max_length=len(Status))
    partner_id: UUID | None = None
    side: Side | None = None
    source: Source | None = None
    checked_in: bool | None = None
    since: Annotated[datetime, AfterValidator(_in_our_years)] | None = None
    country: Country | None = None
    sector: Code | None = None
    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""

    def link(self, path: str, **changes: object) -> str:
        """Give the address of this list, or of one a little different."""
        fields = self.model_dump(mode="json", exclude_defaults=True) | changes
        pairs = [(name, value) for name, value in fields.items() if value not in (None, "", [])]
        pairs = [(name, _written(value)) for name, value in pairs]
        return f"{path}?{urlencode(pairs, doseq=True)}" if pairs else path


class Chosen(Narrowing):
    """The list that a decision is about: a misspelt name would widen it in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    POINTER = "/filter"


class Sorted(Narrowing):
    """A whole list in an order."""

    sort: Sort = Sort.NEWEST


class Asked(Sorted):
    """A page of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: Annotated[str, StringConstraints(max_length=CURSOR_LENGTH_MAX)] | None = None
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = 50

    def place(self) -> Cursor | None:
        """Read the cursor; raises `Invalid`."""
        return Cursor.read(self.cursor, self.sort) if self.cursor else None


class Typed(BaseModel):
    """What comes from a form of ours: all of its fields, also those that were left empty."""

    @model_validator(mode="before")
    @classmethod
    def _without_gaps(cls, given: Any) -> Any:
        """Take what a form leaves empty as not asked."""
        if not isinstance(given, dict):
            return given
        some = {
            name: [part for part in value if part != ""] if isinstance(value, list) else value
            for name, value in given.items()
        }
        return {name: value for name, value in some.items() if value not in ("", None)}


class Printed(Typed, Sorted):
    """A whole list as our pages ask for it."""


class Shown(Typed, Asked):
    """A page of a list as our pages ask for it, with what else their addresses hold."""

    model_config = ConfigDict(frozen=True, extra="ignore")


async def narrowed(
    connection: Connection, who: Principal, asked: Narrowing, action: Action
) -> Filter:
    """Say what is listed for `who`: partner staff sees those its own partner brought.

    Raises `Forbidden`, `NotFound`, or `Invalid` where nothing says which mission it is about.
    """
    mission_id, stop_id, zone = await _where(connection, asked)
    hosts = await hosts_of(connection, who, stop_id) if stop_id else ()
    require(who, action, Scope(mission_id, stop_id, (), who.partner_id, hosts))
    since = asked.since
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=ZoneInfo(zone))
    wanted = Filter(
        mission_id=mission_id,
        stop_id=stop_id,
        item_id=asked.item_id,
        statuses=tuple(dict.fromkeys(asked.status)),
        partner_id=asked.partner_id,
        side=asked.side,
        source=asked.source,
        is_checked_in=asked.checked_in,
        since=since,
        country=asked.country,
        sector=asked.sector,
        terms=_terms(asked),
    )
    if own := who.seen_partner:
        if asked.partner_id not in (None, own):
            raise NotFound("You see the people of your own partner organisation.")
        wanted = replace(wanted, partner_id=own)
    return await lists.heard(connection, wanted)


def _terms(asked: Narrowing) -> tuple[str, ...]:
    terms = tuple(query_terms(asked.q))
    if asked.q and not terms:
        # Left out it would widen the list to everybody.
        fault = Fault(f"{asked.POINTER}/q", "Search for letters, digits or characters.")
        raise Invalid("Nothing can be found by this.", faults=[fault])
    return terms


async def _where(connection: Connection, asked: Narrowing) -> tuple[UUID, UUID | None, str]:
    """Find the mission, the stop and the zone of what was asked for."""
    stop_id = asked.stop_id
    if asked.item_id:
        item = await existing_item(connection, asked.item_id)
        _agrees(item["stop_id"], asked.stop_id, f"{asked.POINTER}/stop_id")
        stop_id = item["stop_id"]
    if stop_id:
        stop = await existing_stop(connection, stop_id)
        _agrees(stop["mission_id"], asked.mission_id, f"{asked.POINTER}/mission_id")
        return stop["mission_id"], stop_id, stop["timezone"]
    if asked.mission_id is None:
        fault = Fault(f"{asked.POINTER}/mission_id", "Give a mission_id, a stop_id or an item_id.")
        raise Invalid("Nothing says which mission this is about.", faults=[fault])
    await existing_mission(connection, asked.mission_id)
    return asked.mission_id, None, "UTC"


def _agrees(found: UUID, given: UUID | None, pointer: str) -> None:
    if given not in (None, found):
        fault = Fault(pointer, "This does not belong to the rest of what is asked for.")
        raise Invalid("The list asked for cannot be.", faults=[fault])


def _written(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
