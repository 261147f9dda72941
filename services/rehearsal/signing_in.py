"""Signing in: sessions of simulated people, each opened once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.rehearsal.client import Client


@dataclass
class SignIns:
    """Opens sessions by the links that were answered, or by new ones that staff makes."""

    staff: Client
    mission_id: str
    links: Mapping[str, str]
    _clients: dict[str, "asyncio.Task[Client]"] = field(default_factory=dict)

    async def of(self, person_id: str, role: str) -> Client:
        """Give a client that acts for a person."""
        if person_id not in self._clients:
            self._clients[person_id] = asyncio.ensure_future(self._open(person_id, role))
        return await self._clients[person_id]

    async def _open(self, person_id: str, role: str) -> Client:
        path = self.links.get(person_id)
        if path is None:
            body = {"role": role, "mission_id": self.mission_id, "subject": person_id}
            path = str((await self.staff.post("/api/v1/sessions/links", body))["path"])
        return await self.staff.session(path)
