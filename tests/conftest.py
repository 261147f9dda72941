"""The real servers every test may ask for, started when the first one does.

Where each comes from, first match: an address in TEST_POSTGRES_URL, TEST_REDIS_URL or
TEST_KAFKA_SERVERS; a container, when a Docker engine already holds the image (nothing is pulled);
a child process.
"""

import asyncio
import os
import secrets
import shutil
import socket
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
import structlog
from anyio.from_thread import BlockingPortal, start_blocking_portal
from redis.asyncio import Redis

from services.embedded.servers.child import Server, free_port
from services.embedded.servers.kafka import ask as kafka_ask
from services.embedded.servers.kafka import kafka, settings
from services.embedded.servers.postgres import ask as postgres_ask
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import ask as valkey_ask
from services.embedded.servers.valkey import valkey
from shared.postgres import Database
from tests.pooling import Pools
from tests.serving import DRIVER, is_of_the_driver

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

# What structlog does by itself shows every local variable of a traceback: that takes a minute.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

LONG = ("journeys", "privacy", "faults")
"""Folders of tests that take long: they come first, so that no worker ends with one of them."""
LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()
KAFKA_JARS = Path(__file__).parents[1] / ".cache" / "kafka"
CONTAINER_SECONDS_MAX = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; of the others, with the files of the most tests."""
    sizes = Counter(item.path for item in items)
    root = Path(__file__).parent

    def order(item: pytest.Item) -> tuple[bool, int]:
        return item.path.relative_to(root).parts[0] not in LONG, -sizes[item.path]

    items.sort(key=order)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Let no task of a test live on: all have one loop."""
    yield
    loop = item.session.stash.get(LOOP, None)
    if not loop or loop.is_closed():
        return
    if tasks := [task for task in asyncio.all_tasks(loop) if not is_of_the_driver(task)]:
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks))


@pytest.fixture(scope="session", autouse=True)
async def one_loop(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Remember the loop of all tests, and end what they shared on it."""
    request.session.stash[LOOP] = asyncio.get_running_loop()
    yield
    await DRIVER.stop()


@pytest.fixture(scope="session")
async def pools() -> AsyncIterator[Pools]:
    """The pools of databases that tests have one after the other."""
    pools = Pools()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "connect", pools.connect)
        yield pools
    await pools.close()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop of its own for servers that outlive the loop of any one test."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def postgres_url(portal: BlockingPortal) -> Iterator[str]:
    """A superuser's address of a real PostgreSQL."""
    image = os.environ.get("TEST_POSTGRES_IMAGE", "postgres:18")
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
    elif image_is_here(image):
        port = free_port()
        command = ["postgres", "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}"]
        environment = {"POSTGRES_HOST_AUTH_METHOD": "trust"}
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with container(image, command, environment, portal, lambda: postgres_ask(url)):
            yield url
    else:
        with child(portal, lambda folder: postgres(folder, durable=False)) as server:
            yield server.url


@pytest.fixture(scope="session")
def redis_url(portal: BlockingPortal) -> Iterator[str]:
    """The address of a real Redis or Valkey."""
    image = os.environ.get("TEST_REDIS_IMAGE", "redis:7")
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
    elif image_is_here(image):
        port = free_port()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
        with container(image, command, {}, portal, lambda: valkey_ask(port)):
            yield f"redis://127.0.0.1:{port}/0"
    else:
        with child(portal, valkey) as server:
            yield server.url


@pytest.fixture(scope="session")
def kafka_servers(portal: BlockingPortal) -> Iterator[str]:
    """The bootstrap address of a real Kafka that does not make topics by itself."""
    image = os.environ.get("TEST_KAFKA_IMAGE", "apache/kafka:4.4.0")
    if servers := os.environ.get("TEST_KAFKA_SERVERS"):
        yield servers
    elif image_is_here(image):
        port = free_port()
        values = settings(Path("/var/lib/kafka/data"), port, free_port())
        # The image's own way to take settings.
        environment = {f"KAFKA_{name.upper().replace('.', '_')}": values[name] for name in values}
        with container(image, [], environment, portal, lambda: kafka_ask(port)):
            yield f"127.0.0.1:{port}"
    else:
        with child(portal, lambda folder: kafka(folder, jars=KAFKA_JARS)) as server:
            yield server.url


@pytest.fixture
async def new_database(postgres_url: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A function that makes an empty database and gives its address; all are dropped afterwards."""
    connection = await asyncpg.connect(postgres_url)
    names: list[str] = []

    async def create() -> str:
        name = f"test_{secrets.token_hex(6)}"
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        names.append(name)
        return urlsplit(postgres_url)._replace(path=f"/{name}").geturl()

    yield create
    for name in names:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def fresh_database(new_database: Callable[[], Awaitable[str]]) -> str:
    """The address of an empty database that only this test sees."""
    return await new_database()


@pytest.fixture
async def redis_db(redis_url: str) -> str:
    """The address of a Redis that holds no key."""
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    return redis_url


@contextmanager
def child(
    portal: BlockingPortal, start: Callable[[Path], AbstractAsyncContextManager[Server]]
) -> Iterator[Server]:
    """Run one of our servers on a new folder, and delete that afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    with portal.wrap_async_context_manager(start(folder)) as server:
        yield server
    for path in {folder, server.folder}:
        shutil.rmtree(path, ignore_errors=True)


def image_is_here(image: str) -> bool:
    """Say whether a Docker engine answers and already holds the image."""
    with socket.socket(socket.AF_UNIX) as engine:
        try:
            engine.connect("/var/run/docker.sock")
        except OSError:  # The client, asked in vain, would leave its own socket open: a warning.
            return False
    import docker  # Here for the same reason as below.

    client = docker.from_env()
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    finally:
        client.close()
    return True


@contextmanager
def container(
    image: str,
    command: list[str],
    environment: dict[str, str],
    portal: BlockingPortal,
    ask: Callable[[], Awaitable[None]],
) -> Iterator[None]:
    """Run a container on the host's network, where it can listen on 127.0.0.1 alone."""
    # Here, because most runs need no container and would pay for the import.
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    # Its clean-up container would have to be pulled; `with` cleans up here.
    testcontainers_config.ryuk_disabled = True
    server = DockerContainer(image, env=environment, network_mode="host").with_command(command)
    with server:
        portal.call(until_it_answers, server, ask)
        yield


async def until_it_answers(server: "DockerContainer", ask: Callable[[], Awaitable[None]]) -> None:
    """Wait for a container's server. Raises RuntimeError with its log when it ends instead."""
    inside = server.get_wrapped_container()
    async with asyncio.timeout(CONTAINER_SECONDS_MAX):
        while True:
            with suppress(OSError):
                return await ask()
            inside.reload()
            if inside.status == "exited":
                raise RuntimeError(inside.logs().decode())
            await asyncio.sleep(0.1)
