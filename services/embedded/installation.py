"""A whole installation in one process: real servers as its children, and the three services."""

import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg

from services.embedded.servers.kafka import kafka
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import valkey
from services.matching.__main__ import opened as matching
from services.matching.settings import MatchingSettings
from services.notify.__main__ import opened as notify
from services.notify.settings import NotifySettings
from services.registration.__main__ import opened as registration
from services.registration.settings import RegistrationSettings
from services.verifying.sources import Sources, noted
from shared.access import Tokens
from shared.events import TOPICS
from shared.process import log_of
from shared.service import Service

ROOT = Path(__file__).parents[2]
JARS = ROOT / ".cache" / "kafka"
SERVICES = ("registration", "matching", "notify")
SECRET_BYTES = 32

LogKind = Literal["postgres", "kafka"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an installation is to be: where its data are, its port, and what carries its events."""

    data: Path
    port: int
    log: LogKind = "postgres"


@dataclass(frozen=True, slots=True)
class Installation:
    """The services, ready to be served."""

    services: Sequence[Service]
    tokens: Tokens


@asynccontextmanager
async def installed(wanted: Wanted) -> AsyncIterator[Installation]:
    """Start the servers, open the services, and close all of it in order.

    `DATABASE_URL` and `REDIS_URL` name servers to be used instead of those started here.
    """
    wanted.data.mkdir(parents=True, exist_ok=True)
    # The account of the servers passes through it to their own folders.
    wanted.data.chmod(wanted.data.stat().st_mode | 0o711)
    async with AsyncExitStack() as stack:
        common = await _servers(wanted, stack)
        redis = common.pop("redis_url")
        stack.enter_context(noted(wanted.data, Sources(common["databases"], redis)))
        # Everybody is on this machine, and so has one address.
        first = RegistrationSettings(limit_registrations=0, **_of("registration", common))
        second = MatchingSettings(**_of("matching", common))
        third = NotifySettings(redis_url=redis, mailbox=True, **_of("notify", common))
        opening = (
            registration(first, log_of(first)),
            matching(second, log_of(second)),
            notify(third, log_of(third)),
        )
        services = [await stack.enter_async_context(service) for service in opening]
        yield Installation(services, Tokens(common["secret_key"]))


async def _servers(wanted: Wanted, stack: AsyncExitStack) -> dict[str, Any]:
    """Start what is not named in the environment, and give the settings that all services have."""
    url = f"http://127.0.0.1:{wanted.port}"
    database = os.environ.get("DATABASE_URL")
    if not database:
        database = (await stack.enter_async_context(postgres(wanted.data / "postgres"))).url
    databases = await make_databases(database)
    redis = os.environ.get("REDIS_URL")
    if not redis:
        redis = (await stack.enter_async_context(valkey(wanted.data / "valkey"))).url
    log = "postgresql:"
    if wanted.log == "kafka":
        broker = await stack.enter_async_context(kafka(wanted.data / "kafka", jars=JARS))
        log = f"kafka://{broker.url}"
    return {
        "mode": "development",
        "port": wanted.port,
        "databases": databases,
        "redis_url": redis,
        "log_url": log,
        "log_databases": {topic: databases[topic] for topic in TOPICS},
        "secret_key": secret_of(wanted.data),
        "public_url": url,
        "internal_url": url,
        "matching_url": url,
        "notify_url": url,
    }


def _of(service: str, common: dict[str, Any]) -> dict[str, Any]:
    """Narrow the settings to one service."""
    return common | {"database_url": common["databases"][service]}


async def make_databases(url: str) -> dict[str, str]:
    """Make each service's database where it is missing, and give the addresses."""
    connection = await asyncpg.connect(url)
    try:
        for name in SERVICES:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return {name: urlsplit(url)._replace(path=f"/{name}").geturl() for name in SERVICES}


def secret_of(data: Path) -> str:
    """Read the secret that signs sessions and links, made once for each data folder."""
    file = data / "secret"
    if not file.exists():
        fresh = data / f"secret.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(SECRET_BYTES))
        fresh.rename(file)
    return file.read_text()
