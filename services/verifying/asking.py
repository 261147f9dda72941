"""Asking an installation everything, and copies again until what was on its way has come."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

import asyncpg

from services.notify.store.live import Live
from services.verifying import events, meetings, places, walls
from services.verifying.copies import COPIES, compare, compare_live
from services.verifying.questions import Finding, Question, ask
from services.verifying.sources import Sources
from shared.postgres import Connection
from shared.redis import command_client

QUESTIONS: Mapping[str, Sequence[Question]] = {
    "registration": (
        *places.QUESTIONS,
        *events.TOLD,
        walls.standing(walls.REGISTRATION),
    ),
    "matching": (
        *meetings.QUESTIONS,
        *events.TOLD,
        *events.HEARD,
        walls.standing(walls.MATCHING),
    ),
    "notify": (*events.HEARD, walls.standing(walls.NOTIFY)),
}
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 10.0

Look = Callable[[], Awaitable[Finding]]


async def verify(sources: Sources, *, patience: float = PATIENCE_SECONDS) -> list[Finding]:
    """Ask everything; what copies lack is waited for, so many seconds.

    Raises `OSError` or an error of asyncpg where a database cannot be asked.
    """
    async with _connected(sources) as databases, _live(sources) as live:
        findings = [
            finding
            for name, questions in QUESTIONS.items()
            for finding in await ask(databases[name], name, questions)
        ]
        looks: list[Look] = [partial(compare, copy, databases) for copy in COPIES]
        if live:
            looks.append(partial(compare_live, databases["notify"], live))
        return findings + [await _lasting(look, patience) for look in looks]


async def _lasting(look: Look, patience: float) -> Finding:
    """Look until nothing is left that was different from the first look on."""
    finding = await look()
    deadline = asyncio.get_running_loop().time() + patience
    while finding.violations and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(PAUSE_SECONDS)
        again = await look()
        still = {*again.violations}
        finding = replace(again, violations=[one for one in finding.violations if one in still])
    return finding


@asynccontextmanager
async def _connected(sources: Sources) -> AsyncIterator[Mapping[str, Connection]]:
    async with AsyncExitStack() as stack:
        databases = {}
        for name in QUESTIONS:
            connection = await asyncpg.connect(sources.databases[name], timeout=10)
            stack.push_async_callback(connection.close)
            databases[name] = connection
        yield databases


@asynccontextmanager
async def _live(sources: Sources) -> AsyncIterator[Live | None]:
    if not sources.redis:
        yield None
        return
    async with command_client(sources.redis) as client:
        yield Live(client)
