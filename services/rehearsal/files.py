"""What the three files of an example hold: a mission, its participants, what goes wrong.

The example's README explains every field.
"""

from datetime import date, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.events.base import ItemKind, Language, ListingKind, Side


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("no time zone of the IANA database, such as Asia/Shanghai") from None
    return name


class Part(BaseModel):
    """A part of a file. A misspelt field would be lost in silence, so unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Texts(Part):
    """A text in English and Chinese."""

    en: str
    zh: str

    def in_(self, language: str) -> str:
        """Give the text in a language."""
        return self.zh if language == "zh" else self.en


class Person(Part):
    """Somebody, with the name as he or she writes it."""

    full_name: str
    native_name: str | None
    latin_name: str | None
    email: str
    language: Language


class Mission(Part):
    """The mission itself."""

    slug: str
    title: Texts
    summary: Texts
    organizer: str
    starts: date
    ends: date
    home_country: str
    host_country: str
    sectors: tuple[str, ...]


class Partner(Part):
    """An organisation that hosts or supports."""

    ref: str
    name: Texts
    kind: str


class PartnerRole(Part):
    """What a partner is at a stop."""

    partner: str
    role: Literal["lead", "co_host", "organizer", "supporter", "venue_host"]


class Item(Part):
    """A programme item."""

    slug: str
    kind: ItemKind
    title: Texts
    starts: time
    ends: time
    capacity: int = Field(ge=0)
    requires_approval: bool


class Break(Part):
    """A pause after a slot, counted from 1."""

    after_slot: int = Field(ge=1)
    minutes: int = Field(ge=1)


class MeetingSession(Part):
    """The slots of a matchmaking item."""

    slug: str
    item: str
    starts: time
    slot_minutes: int = Field(ge=1)
    slots: int = Field(ge=1)
    breaks: tuple[Break, ...] = ()


class Point(Part):
    """A place at which two parties meet."""

    label: str
    kind: Literal["table", "booth", "offsite"]


class Interpreter(Part):
    """An interpreter of a stop."""

    ref: str
    person: Person
    languages: tuple[str, ...]


class Stop(Part):
    """A city on its day."""

    slug: str
    city: Texts
    timezone: Annotated[str, AfterValidator(_is_zone)]
    date: date
    title: Texts
    venue: Texts | None = None
    roles: tuple[PartnerRole, ...]
    programme: tuple[Item, ...]
    sessions: tuple[MeetingSession, ...]
    points: tuple[Point, ...]
    interpreters: tuple[Interpreter, ...]

    def moment(self, clock: time) -> datetime:
        """Give the moment at which the stop's clock shows a time on its day."""
        return datetime.combine(self.date, clock, ZoneInfo(self.timezone))


class Staff(Part):
    """Somebody who works for the mission."""

    ref: str
    role: Literal["mission_staff", "partner_staff", "door_staff"]
    partner: str | None = None
    stops: tuple[str, ...]
    person: Person


class Plan(Part):
    """The file of the mission."""

    mission: Mission
    sectors: dict[str, Texts]
    partners: tuple[Partner, ...]
    stops: tuple[Stop, ...]
    staff: tuple[Staff, ...]


class Organization(Part):
    """A company or body."""

    name: str
    native_name: str | None
    country: str
    registration_number: str | None
    sectors: tuple[str, ...] = Field(min_length=1)
    size: str | None


class Listing(Part):
    """What a company offers, needs or plans."""

    kind: ListingKind
    sector: str
    text: Texts


class ParticipantPerson(Person):
    """A participant, who speaks languages and has a position."""

    languages: tuple[str, ...] = Field(min_length=1)
    position: Texts | None


class Participant(Part):
    """A line of the participants' file."""

    ref: str
    side: Side
    stops: tuple[str, ...]
    items: dict[str, tuple[str, ...]]
    arrives: Literal["rush", "late"]
    source: Literal["self", "import"]
    partner: str | None
    organization: Organization
    person: ParticipantPerson
    listings: tuple[Listing, ...] = ()

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """List stop and item of every registration, in order."""
        return [(stop, item) for stop in self.items for item in self.items[stop]]


class LateBus(Part):
    """Delegates who arrive after the first meeting should begin."""

    minutes: int = Field(ge=1)
    delegates: tuple[str, ...]


class LostTable(Part):
    """A point that is gone from a slot, counted from 1."""

    label: str
    from_slot: int = Field(ge=1)


Share = Annotated[float, Field(ge=0, le=1)]


class StopTroubles(Part):
    """What goes wrong at a stop."""

    no_show_share: Share = 0
    late_bus: LateBus | None = None
    lost_table: LostTable | None = None
    overrun_share: Share = 0
    overrun_minutes: int = Field(default=0, ge=0)
    cancellations: tuple[str, ...] = ()
    duplicates: Share = 0
    walk_ins: int = Field(default=0, ge=0)


class Troubles(Part):
    """The file of what goes wrong."""

    seed: int
    stops: dict[str, StopTroubles]
