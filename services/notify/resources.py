"""What a process of this service holds open, and how routes reach it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.notify.channels.base import WITH_ANY_SETTINGS, Reach
from services.notify.channels.hygiene import Hygiene
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.webhooks import Hooks
from services.notify.hub import Hub
from services.notify.store.live import Live
from shared.contacts import Contacts
from shared.postgres import Database


@dataclass(frozen=True, slots=True)
class Resources:
    """Opened in `__main__`, handed down from there."""

    database: Database
    live: Live
    hub: Hub
    contacts: Contacts
    has_mailbox: bool
    letterhead: Letterhead
    hygiene: Hygiene
    hooks: Hooks
    reach: Reach = WITH_ANY_SETTINGS
    bounce_key: str = ""
    """Empty: nobody may say that a mail came back."""


async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.notify
    return resources


Held = Annotated[Resources, Depends(_resources)]
