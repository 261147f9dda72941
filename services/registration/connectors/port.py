"""The port: what a connector to one kind of system is made of; `docs/connectors.md` explains it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from services.registration.connectors.asking import Asking
from services.registration.domain.connecting import Cursor, Page, Push, Record, Vocabulary
from shared.http import Body


class Connector(Protocol):
    """One system, opened with its address and token. Each call raises `Failed`."""

    async def vocabulary(self) -> Vocabulary:
        """Say what there is to map: products and fields."""

    async def changes(self, cursor: Cursor) -> Page:
        """Give the next registrations that changed since `cursor`, a bounded number of them.

        The page's cursor goes on behind them; that of the last page is where the next
        synchronisation begins.
        """

    async def one(self, handle: Mapping[str, Any]) -> Record | None:
        """Read one registration anew; None when it is gone."""

    async def push(
        self, what: Push, handle: Mapping[str, Any], at: datetime | None, nonce: str
    ) -> None:
        """Tell of a check-in at `at`, or of an end; again, with the same `nonce`, changes nothing.

        Raises `Failed` with the code `refused` when the system will not have it.
        """


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of system: how it is set up, opened and woken by."""

    name: str
    place: type[Body]
    """Its settings, except the token: pages and the API ask for these fields."""
    authorization: str
    """The scheme of the Authorization header that the token goes in."""
    defaults: Mapping[str, str]
    """Its field by our target, before anybody maps anything."""
    pushes: frozenset[Push]
    """What it can be told."""
    every: timedelta
    """How often to look for changes when nothing wakes us."""
    open: Callable[[Mapping[str, Any], Asking], Connector]
    wakes: Callable[[Mapping[str, Any], bytes], bool] | None = None
    """Whether a webhook's body is about the place; its content is never taken as data. None: the
    system has no webhooks."""
