"""Events that registration publishes.

A field is only ever added; a break is a `.v2` beside the `.v1`.
"""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.events.base import Bilingual, Event, Facts, ItemKind, ListingKind, Side


class _Registration(Event):
    TOPIC: ClassVar[str] = "registration"


class MissionAnnounced(_Registration):
    """A mission exists, or its public facts changed."""

    TYPE = "registration.mission.announced.v1"
    KEY = "mission_id"
    mission_id: UUID
    slug: str
    title: Bilingual
    starts_on: date
    ends_on: date
    is_rehearsal: bool = False
    sectors: dict[str, Bilingual] = Field(default_factory=dict)
    """Each sector's code and name."""


class StopPlanned(_Registration):
    """A mission has this stop, or its facts changed."""

    TYPE = "registration.stop.planned.v1"
    KEY = "stop_id"
    stop_id: UUID
    mission_id: UUID
    slug: str
    city: Bilingual
    title: Bilingual
    venue: Bilingual | None = None
    timezone: str
    on: date
    hosts: tuple[UUID, ...] = ()
    """The partners that are its lead or co-host."""
    partners: tuple[UUID, ...] = ()
    """All partners that have a role there."""


class ProgrammeItemPlanned(_Registration):
    """A stop's programme has this item, or its facts changed."""

    TYPE = "registration.programme_item.planned.v1"
    KEY = "programme_item_id"
    programme_item_id: UUID
    stop_id: UUID
    mission_id: UUID
    kind: ItemKind
    title: Bilingual
    starts_at: datetime
    ends_at: datetime


class OrganizationFacts(Facts):
    """A company or body as everybody may see it."""

    organization_id: UUID
    name: str
    native_name: str | None = None
    country: str
    sectors: tuple[str, ...]
    size: str | None = None


class Listing(Facts):
    """What a company offers, needs or plans."""

    kind: ListingKind
    sector: str
    text: Bilingual


class ParticipantEvent(_Registration):
    """What became of somebody at a programme item."""

    KEY = "participant_id"
    participant_id: UUID
    registration_id: UUID
    mission_id: UUID
    stop_id: UUID
    programme_item_id: UUID
    item_kind: ItemKind
    side: Side
    partner_id: UUID | None = None
    """Who brought this person."""


class ParticipantConfirmed(ParticipantEvent):
    """A person has a place at a programme item."""

    TYPE = "registration.participant.confirmed.v1"
    organization: OrganizationFacts
    languages: tuple[str, ...]
    listings: tuple[Listing, ...]
    is_correction: bool = False
    """Said again because what is told of the company changed: the place was confirmed before."""


class ParticipantPending(ParticipantEvent):
    """A registration holds a place and waits for the organiser's approval."""

    TYPE = "registration.participant.pending.v1"


class ParticipantWaitlisted(ParticipantEvent):
    """A person is on the waiting list of a programme item."""

    TYPE = "registration.participant.waitlisted.v1"


class ParticipantOffered(ParticipantEvent):
    """A place became free and is held for one who waited, until it is taken or the time is up."""

    TYPE = "registration.participant.offered.v1"
    offered_until: datetime


class ParticipantLapsed(ParticipantEvent):
    """A place that was offered was not taken in time; it goes to the next who waits."""

    TYPE = "registration.participant.lapsed.v1"


class ParticipantRejected(ParticipantEvent):
    """The organiser did not approve a registration; its place is free again."""

    TYPE = "registration.participant.rejected.v1"


class ParticipantCancelled(ParticipantEvent):
    """A person does not come to a programme item after all."""

    TYPE = "registration.participant.cancelled.v1"


class ParticipantCheckedIn(ParticipantEvent):
    """A person arrived at a programme item."""

    TYPE = "registration.participant.checked_in.v1"
    checked_in_at: datetime


class CheckInRetracted(ParticipantEvent):
    """A check-in was a mistake and is taken back: the person has not arrived."""

    TYPE = "registration.check_in.retracted.v1"
    checked_in_at: datetime
    """When the person was held to have arrived."""
    undone_at: datetime
    has_place: bool
    """Whether the place is still there; it may have been cancelled since."""


class StaffEngaged(_Registration):
    """A member of staff or an interpreter works at these stops."""

    TYPE = "registration.staff.engaged.v1"
    KEY = "staff_id"
    staff_id: UUID
    mission_id: UUID
    role: Literal["mission_staff", "partner_staff", "door_staff", "interpreter"]
    stop_ids: tuple[UUID, ...]
    languages: tuple[str, ...] = ()
    partner_id: UUID | None = None
    """For whom a partner's staff works."""


class SignInRequested(_Registration):
    """Somebody asked for a sign-in link; it goes to the address on file, nowhere else."""

    TYPE = "registration.sign_in.requested.v1"
    KEY = "person_id"
    person_id: UUID
    mission_id: UUID


class SessionEnded(_Registration):
    """Somebody signed out; streams that are open anywhere ask again who is there."""

    TYPE = "registration.session.ended.v1"
    KEY = "person_id"
    person_id: UUID
    mission_id: UUID


class ConsentGranted(_Registration):
    """A person agreed to a purpose again, after taking it back, or later than when registering."""

    TYPE = "registration.consent.granted.v1"
    KEY = "person_id"
    person_id: UUID
    mission_id: UUID
    purpose: str
    is_cross_border: bool


class ConsentRevoked(_Registration):
    """A person took back what he or she had agreed to, or refused it."""

    TYPE = "registration.consent.revoked.v1"
    KEY = "person_id"
    person_id: UUID
    mission_id: UUID
    purpose: str
    is_cross_border: bool


class PersonErased(_Registration):
    """Nothing is known about a person any more but the id; whoever holds more deletes it."""

    TYPE = "registration.person.erased.v1"
    KEY = "person_id"
    person_id: UUID
    mission_id: UUID
    erased_at: datetime


class _ApplicationEvent(_Registration):
    KEY = "application_id"
    application_id: UUID
    mission_id: UUID
    contact_id: UUID
    """The person who is written to about it."""


class ApplicationDrafted(_ApplicationEvent):
    """A company began to apply for a place in the delegation."""

    TYPE = "registration.application.drafted.v1"


class ApplicationSubmitted(_ApplicationEvent):
    """A company's application is complete and signed."""

    TYPE = "registration.application.submitted.v1"
    organization_id: UUID


class ApplicationDecided(_ApplicationEvent):
    """An application has another state: by staff, by the company, or because time ran out."""

    TYPE = "registration.application.decided.v1"
    status: Literal[
        "draft",
        "in_review",
        "info_requested",
        "selected",
        "reserve_listed",
        "rejected",
        "confirmed",
        "declined",
        "lapsed",
        "withdrawn",
    ]
    organization_id: UUID | None = None
