"""Who somebody is, and what an action touches."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.access.actions import KeyScope

Role = Literal[
    "mission_staff",
    "partner_staff",
    "partner_system",
    "door_staff",
    "applicant",
    "delegate",
    "local",
    "interpreter",
    "screen",
    "service",
]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who is signed in.

    `mission_id` None stands for every mission, for mission staff and services only. A partner's
    system has the id of its key for a subject, and the key's `scopes`.
    """

    role: Role
    subject: UUID
    mission_id: UUID | None = None
    stop_ids: tuple[UUID, ...] = ()
    partner_id: UUID | None = None
    scopes: tuple[KeyScope, ...] = ()

    @property
    def is_partner(self) -> bool:
        """Whether it is a partner organisation's staff or system."""
        return self.role in ("partner_staff", "partner_system")

    @property
    def seen_partner(self) -> UUID | None:
        """The partner whose people alone somebody sees; None: everybody that the policy lets."""
        return self.partner_id if self.is_partner else None


@dataclass(frozen=True, slots=True)
class Scope:
    """What an action touches. A part that is None does not narrow the action.

    `hosts` are the partners that lead the stop or host it with others.
    """

    mission_id: UUID | None = None
    stop_id: UUID | None = None
    person_ids: tuple[UUID, ...] = ()
    partner_id: UUID | None = None
    hosts: tuple[UUID, ...] = ()
