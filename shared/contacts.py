"""Contacts: names and addresses of people, asked from registration when a page or a mail is made.

Nobody else stores them, so that erasing a person is one transaction.
"""

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import httpx2

from shared.access import Role, Tokens
from shared.authorities import authorities
from shared.events.base import Facts, Language

CACHE_SECONDS = 120
BATCH_SIZE_MAX = 200
CACHE_LENGTH_MAX = 20_000


class Contact(Facts):
    """How to address and reach a person."""

    person_id: UUID
    name: str
    native_name: str | None = None
    email: str
    language: Language
    role: Role
    organization: str = ""
    native_organization: str | None = None
    sign_in_path: str
    may_cross: bool = True
    """Whether the other side may read the name."""

    def name_in(self, language: str) -> str:
        """Give the name as readers of `language` write it."""
        return (self.native_name if language == "zh" else None) or self.name


class Contacts:
    """Asks registration's internal API and remembers the answers for two minutes."""

    def __init__(self, client: httpx2.AsyncClient, tokens: Tokens) -> None:
        self._client = client
        self._tokens = tokens
        self._known: dict[UUID, tuple[float, Contact]] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, base_url: str, tokens: Tokens) -> AsyncIterator[Self]:
        """Open the client and close it at the end."""
        async with httpx2.AsyncClient(base_url=base_url, timeout=5, verify=authorities()) as client:
            yield cls(client, tokens)

    async def of(self, ids: Iterable[UUID]) -> dict[UUID, Contact]:
        """Look up people; who is not known, or was erased, is not in the answer.

        Raises `httpx2.HTTPError` while registration is away.
        """
        wanted = set(ids)
        oldest = time.monotonic() - CACHE_SECONDS
        missing = [i for i in wanted if self._known.get(i, (oldest, None))[0] <= oldest]
        for start in range(0, len(missing), BATCH_SIZE_MAX):
            await self._ask(missing[start : start + BATCH_SIZE_MAX])
        return {i: self._known[i][1] for i in wanted if i in self._known}

    def forget(self, person_id: UUID) -> None:
        """Remember nothing of somebody who was erased."""
        self._known.pop(person_id, None)

    async def _ask(self, ids: list[UUID]) -> None:
        answer = await self._client.get(
            "/internal/contacts",
            params={"ids": ",".join(map(str, ids))},
            headers=self._tokens.between_services(datetime.now(UTC)),
        )
        answer.raise_for_status()
        if len(self._known) > CACHE_LENGTH_MAX:
            self._known.clear()
        for person_id in ids:
            self._known.pop(person_id, None)
        for item in answer.json()["items"]:
            contact = Contact.model_validate(item)
            self._known[contact.person_id] = (time.monotonic(), contact)
