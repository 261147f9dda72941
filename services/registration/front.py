"""What stands in front of public registration: the limits of one client, and the waiting room."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Header, Request
from starlette.datastructures import Headers
from starlette.types import Scope

from services.registration.commands.signing_in import ask_for_link
from services.registration.commands.waiting import Given
from services.registration.domain.tickets import TICKET_LIFETIME
from services.registration.domain.waiting_room import Standing, State
from services.registration.resources import Held, Resources
from shared.access import Principal, Role
from shared.idempotency import Key
from shared.limits import Client, named

ADMISSION_HEADER = "waiting-room-admission"
COOKIE_SECONDS = int(TICKET_LIFETIME.total_seconds())
POLL_SECONDS = (3.0, 20.0)
# Who is far from the turn need not ask often.
POLL_SHARE = 0.1
# Who works for the mission is never held up, whomever he registers.
AT_WORK: frozenset[Role] = frozenset(
    {"mission_staff", "partner_staff", "partner_system", "door_staff", "service"}
)


class Registered(Protocol):
    """What a body says of who registers whom."""

    @property
    def side(self) -> str:
        """The side of the table."""

    @property
    def source(self) -> str:
        """Who brings the person."""

    @property
    def partner_id(self) -> UUID | None:
        """Which partner does."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A request at the door of registration, as the server has it."""

    held: Resources
    scope: Scope

    async def on_item(
        self,
        item_id: UUID,
        body: Registered,
        who: Principal | None,
        key: Key,
        now: datetime,
    ) -> None:
        """Let a public registration to an item pass; raises `TooMany`, `Busy`, `Forbidden`."""
        is_public = body.side == "local" and body.source == "self" and body.partner_id is None
        if not is_public or (who is not None and who.role in AT_WORK):
            return
        self.held.limits.registrations.take(named(self.scope, who))
        if not self.held.waiting.is_quiet:
            admission = Headers(scope=self.scope).get(ADMISSION_HEADER, "")
            given = Given(admission, key=key.value, scope=key.scope)
            await self.held.waiting.check_item(item_id, given, now)


async def knock(
    request: Request,
    held: Held,
    client: Client,
    waiting_room_admission: Annotated[
        str | None, Header(description="What the stop's waiting room gave, where one is open.")
    ] = None,
) -> Knock:
    """Take the request as it knocks; the header is read there, and described here."""
    del client, waiting_room_admission
    return Knock(held, request.scope)


Knocking = Annotated[Knock, Depends(knock)]


def count_link_request(held: Resources, client: str, email: str) -> None:
    """Count a request for a sign-in link; raises `TooMany`."""
    held.limits.links.take(client)
    held.limits.links_to_address.take(email.strip().lower())


async def count_draft(held: Held, client: Client) -> None:
    """Count an application that is begun; raises `TooMany`."""
    held.limits.drafts.take(client)


async def mail_link(held: Resources, mission_id: UUID, email: str, now: datetime) -> None:
    """Have a link sent to who is on file already, unless enough were: the answer is the same."""
    if not held.limits.links_to_address.wait_seconds(email.strip().lower()):
        await ask_for_link(held.database, mission_id, email, now)


def poll_seconds(standing: Standing) -> int:
    """Say after how long it is worth asking again; the caller spreads it."""
    if standing.state is State.BEFORE:
        return round(POLL_SECONDS[1])
    shortest, longest = POLL_SECONDS
    return round(min(max(standing.wait_seconds * POLL_SHARE, shortest), longest))


def cookie_of(stop_id: UUID) -> str:
    """Name the cookie that holds a browser's ticket for a stop."""
    return f"tradewind_ticket_{stop_id.hex[:12]}"


def cookie_header(held: Resources, stop_id: UUID, token: str) -> str:
    """Write the cookie that keeps a ticket in the browser, out of the reach of scripts."""
    secure = "; Secure" if held.is_secure else ""
    return (
        f"{cookie_of(stop_id)}={token}; Path=/; Max-Age={COOKIE_SECONDS}; "
        f"HttpOnly; SameSite=Lax{secure}"
    )
