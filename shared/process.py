"""A service as a process.

Its routers and its loops, how they start, and how they end on a signal.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI

from shared.log.records import Log
from shared.log.sequencer import number
from shared.postgres import Database, is_outage

Loop = Callable[[], Awaitable[None]]
Check = Callable[[], Awaitable[None]]

SHUTDOWN_SECONDS_MAX = 5
BACKOFF_SECONDS_MAX = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """What one service brings to a process. A check raises when what it looks at cannot be used."""

    name: str
    routers: Sequence[APIRouter]
    loops: Mapping[str, Loop]
    checks: Mapping[str, Check] = field(default_factory=dict)
    closing: Callable[[], None] = lambda: None
    """Called when the process is told to stop, before open streams are waited for."""


def outbox_loops(database: Database, log_: Log) -> dict[str, Loop]:
    """Give the two loops that carry a publisher's committed events to the log."""
    return {"sequencer": lambda: number(database), "publisher": lambda: log_.publish(database)}


async def persist(name: str, loop: Loop) -> None:
    """Run `loop` for ever, again after each outage.

    Any other exception ends it, and with it the process.
    """
    backoff = 0.1
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await loop()
        except Exception as error:
            if not is_outage(error) and not _is_kafka_outage(error):
                raise
            if asyncio.get_running_loop().time() - started > BACKOFF_SECONDS_MAX:
                backoff = 0.1
            log.warning("loop waits for an outage to end", loop=name, error=repr(error))
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)


def _is_kafka_outage(error: Exception) -> bool:
    from aiokafka.errors import KafkaError  # the embedded shape never loads Kafka

    return isinstance(error, KafkaError)


async def serve(
    app: FastAPI, services: Sequence[Service], host: str, port: int, *, quiet: bool = False
) -> None:
    """Listen and run every loop until SIGTERM or SIGINT.

    A loop that fails ends all and its exception is raised.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
        timeout_keep_alive=65,
        http="httptools",
    )
    server = _Server(config, services)
    # uvicorn raises the signal again after its own shutdown, for the handler that was there before.
    for number_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number_, lambda: None)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                persist(f"{service.name}.{name}", loop), name=f"{service.name}.{name}"
            )
            for service in services
            for name, loop in service.loops.items()
        ]
        try:
            await server.serve()
        finally:
            for task in tasks:
                task.cancel()
    if not quiet:
        log.info("stopped")


class _Server(uvicorn.Server):
    """Tells the services that the process stops before uvicorn waits for their open streams."""

    def __init__(self, config: uvicorn.Config, services: Sequence[Service]) -> None:
        super().__init__(config)
        self._services = services

    def handle_exit(self, sig: int, frame: object) -> None:
        for service in self._services:
            service.closing()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]  # the frame is passed on as it came


@contextlib.asynccontextmanager
async def cancelling(awaitable: Awaitable[None]) -> AsyncIterator[None]:
    """Run `awaitable` beside the block and cancel it at the end."""
    task = asyncio.ensure_future(awaitable)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
