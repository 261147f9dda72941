"""What a process of this service holds open, and how routes reach it."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from services.matching.commands.recommending import Recommender
from services.matching.commands.repairing import Repair
from services.matching.repairer import Repairer
from shared.contacts import Contacts
from shared.postgres import Database


@dataclass(frozen=True, slots=True)
class Resources:
    """Opened in `__main__`, handed down from there."""

    database: Database
    contacts: Contacts
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a schedule is asked for: the solver of this process need not wait."""
    recommender: Recommender = field(default_factory=Recommender)
    repair: Repair = field(default_factory=Repairer)


async def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.matching
    return resources


Held = Annotated[Resources, Depends(_resources)]
