"""A service as a process.

Its routers and its loops, how they start, and how they end on a signal.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import httpx2
import structlog
import uvicorn
import uvloop

from shared import logs
from shared.access import Tokens
from shared.http import App, create_app
from shared.log.postgres import PostgresLog
from shared.log.records import Log
from shared.log.sequencer import number
from shared.postgres import Database, is_outage
from shared.protocol import protocol_of
from shared.redis import OUTAGE as REDIS_OUTAGE
from shared.service import Loop, Service
from shared.settings import ServiceSettings
from shared.threshold import Threshold

SHUTDOWN_SECONDS_MAX = 5
CANCEL_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 5.0
NOWHERE = "/nothing/is/here"

S = TypeVar("S", bound=ServiceSettings)

log = structlog.get_logger()


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
            if not _will_pass(error):
                raise
            if asyncio.get_running_loop().time() - started > BACKOFF_SECONDS_MAX:
                backoff = 0.1
            log.warning("loop waits for an outage to end", loop=name, error=repr(error))
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)


def _will_pass(error: Exception) -> bool:
    from aiokafka.errors import KafkaError  # the embedded shape never loads Kafka

    if isinstance(error, ExceptionGroup):
        # One outage meets several tasks of a loop at once.
        return all(map(_will_pass, error.exceptions))
    return is_outage(error) or isinstance(error, (*REDIS_OUTAGE, KafkaError))


def log_of(settings: ServiceSettings) -> Log:
    """Give the log that the settings name."""
    if settings.has_kafka:
        from shared.log.kafka import PREFIX, KafkaLog  # the embedded shape never loads Kafka

        servers, _, prefix = settings.log_url.partition("://")[2].partition("/")
        return KafkaLog(servers, prefix=prefix or PREFIX, security=settings.log_security)
    return PostgresLog(settings.log_databases)


def run(
    settings_type: type[S], opened: Callable[[S, Log], AbstractAsyncContextManager[Service]]
) -> None:
    """Run one service as this process: settings from the environment, until a signal."""
    settings = settings_type.model_validate({})
    logs.configure(settings.log_level)

    async def main() -> None:
        async with opened(settings, log_of(settings)) as service:
            tokens = Tokens(settings.secret_key.get_secret_value())
            app = create_app([service], tokens)
            await serve(app, [service], settings.host, settings.port, gateways=settings.gateways)

    uvloop.run(main())


async def serve(
    app: App,
    services: Sequence[Service],
    host: str,
    port: int,
    *,
    quiet: bool = False,
    gateways: str = "",
) -> None:
    """Listen and run every loop until SIGTERM or SIGINT.

    A loop that fails ends all and its exception is raised. `gateways` are believed when they say
    who asks.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
        timeout_keep_alive=65,
        http=protocol_of(app, gateways),
    )
    server = _Server(config, app, services)
    await understand(app)
    # The application is some hundred thousand objects that live as long as the process: looked
    # through with all that comes and goes, they took two fifths of the time of a rush.
    gc.collect()
    gc.freeze()
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
            await cancel(tasks)
    if not quiet:
        log.info("stopped")


async def understand(app: App) -> None:
    """Have every route understood, which FastAPI leaves to the first request.

    Hundreds take seconds, in which the event loop stands still: what a loop of a service began to
    wait for, such as its connection to Redis, would be late by no fault of the other side.
    """
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        await client.get(NOWHERE)


class _Server(uvicorn.Server):
    """Has gates stand before it, and tells the services that the process stops.

    Of that they hear before uvicorn waits for their open streams.
    """

    def __init__(self, config: uvicorn.Config, app: App, services: Sequence[Service]) -> None:
        super().__init__(config)
        self._app = app
        self._services = services

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._app.gates:
            found: list[Any] = [Threshold(self._app, one, self._protocol) for one in self.servers]
            self.servers = found

    def _protocol(self) -> asyncio.Protocol:
        """Make what uvicorn makes for a connection."""
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

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
        await cancel([task])
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def cancel(tasks: "Iterable[asyncio.Future[Any]]") -> None:
    """Cancel tasks and wait for their end.

    More than once: a library may lose a cancellation that comes just as its own wait ends
    (`asyncio.wait_for` before Python 3.12), and its loop would go on for ever.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_SECONDS)
