"""What matching and notify hold about a person, asked by their internal routes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import httpx2
import structlog

from shared.access import Tokens
from shared.authorities import authorities

ASK_SECONDS_MAX = 5

log = structlog.get_logger()


class Elsewhere:
    """Asks the other services, each at its own address."""

    def __init__(self, clients: Mapping[str, httpx2.AsyncClient], tokens: Tokens) -> None:
        self._clients = clients
        self._tokens = tokens

    @classmethod
    @asynccontextmanager
    async def connect(cls, urls: Mapping[str, str], tokens: Tokens) -> AsyncIterator[Self]:
        """Open the clients and close them at the end; `urls` by the service's name."""
        async with AsyncExitStack() as stack:
            clients = {
                name: await stack.enter_async_context(
                    httpx2.AsyncClient(base_url=url, timeout=ASK_SECONDS_MAX, verify=authorities())
                )
                for name, url in urls.items()
            }
            yield cls(clients, tokens)

    async def everything(self, person_id: UUID) -> dict[str, dict[str, Any] | None]:
        """Read every row about somebody, by service and table; None for a service that is away."""
        return {name: await self._ask(name, person_id) for name in self._clients}

    async def _ask(self, name: str, person_id: UUID) -> dict[str, Any] | None:
        try:
            answer = await self._clients[name].get(
                f"/internal/{name}/people/{person_id}",
                headers=self._tokens.between_services(datetime.now(UTC)),
            )
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            log.warning("what a service holds is not to be had", service=name, error=repr(error))
            return None
        content: dict[str, Any] = answer.json()
        return content
