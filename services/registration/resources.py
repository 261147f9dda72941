"""What a process of this service holds open, and how routes reach it."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from services.registration.commands.connectors.syncing import Syncer
from services.registration.commands.questions import Forms
from services.registration.commands.registering import Rush
from services.registration.commands.waiting import Waiting
from services.registration.limits import Limits
from services.registration.store.elsewhere import Elsewhere
from shared.access import Tokens
from shared.postgres import Database


@dataclass(frozen=True, slots=True)
class Resources:
    """Opened in `__main__`, handed down from there."""

    database: Database
    rush: Rush
    waiting: Waiting
    elsewhere: Elsewhere
    syncer: Syncer
    tokens: Tokens
    is_secure: bool
    """Whether users reach us by HTTPS, so that cookies may insist on it."""
    public_url: str
    """Where users reach us, without a slash at its end."""
    import_bytes: int
    """How many bytes a partner's list may have."""
    limits: Limits = field(default_factory=Limits)
    forms: Forms = field(default_factory=Forms)


async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.registration
    return resources


Held = Annotated[Resources, Depends(_resources)]
