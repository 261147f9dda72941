"""Servers that may be spoilt: a PostgreSQL that is safe to commit to, and databases in it."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.embedded.servers.postgres import postgres
from shared.doctor.examining import Check, examined
from shared.doctor.findings import Finding
from shared.doctor.postgres import Place
from shared.postgres import migrate
from tests.conftest import child

PASSWORD = "the password of tests"
RULE = "host all +guarded 127.0.0.1/32 scram-sha-256\n"


async def found(*checks: Check) -> dict[str, Finding]:
    """Look, and give the findings by what they are about."""
    return {finding.about: finding for finding in await examined(checks)}


@dataclass
class House:
    """A server of its own, and a database in it whose owner is a service's role."""

    server: str
    place: Place
    role: str
    connection: "asyncpg.Connection[asyncpg.Record]"

    async def command(self, *statements: str) -> None:
        """Run statements in the database, as superuser."""
        for statement in statements:
            await self.connection.execute(statement)

    def as_role(self, role: str = "", password: str = PASSWORD, database: str = "") -> str:
        """Give an address of the server for one of its roles."""
        parts = urlsplit(self.server)
        name = database or urlsplit(self.place.dsn).path.strip("/")
        place = f"{role or self.role}:{password.replace(' ', '%20')}@{parts.hostname}:{parts.port}"
        return parts._replace(netloc=place, path=f"/{name}").geturl()


@pytest.fixture(scope="session")
def careful_postgres(portal: BlockingPortal) -> Iterator[str]:
    """A PostgreSQL as deployed: it gives up nothing for speed, and asks some for a password."""
    with child(portal, postgres) as server:
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text(RULE + rules.read_text())
        portal.call(_reload, server.url)
        yield server.url


async def _reload(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE ROLE guarded")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture
async def house(careful_postgres: str, tmp_path: Path) -> AsyncIterator[House]:
    """A service's database as `scripts/make-databases` makes it, migrated."""
    name = f"doctor_{secrets.token_hex(6)}"
    folder = tmp_path / "testing" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_testing.sql").write_text("CREATE TABLE thing (id uuid PRIMARY KEY);")
    async with AsyncExitStack() as stack:
        server = await asyncpg.connect(careful_postgres)
        stack.push_async_callback(server.close)
        await server.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' IN ROLE guarded")
        stack.push_async_callback(server.execute, f"DROP ROLE {name}")
        await server.execute(f"CREATE DATABASE {name} OWNER {name}")
        stack.push_async_callback(server.execute, f"DROP DATABASE {name} WITH (FORCE)")
        inside = urlsplit(careful_postgres)._replace(path=f"/{name}").geturl()
        made = House(careful_postgres, Place(inside, "testing", folder), name, server)
        made.place = Place(made.as_role(), "testing", folder)
        await migrate(made.place.dsn, [folder])
        made.connection = await asyncpg.connect(inside)
        stack.push_async_callback(made.connection.close)
        yield made


def certificate_of(address: str, file: Path) -> Path:
    """Write a key and a certificate that vouches for itself alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .sign(key, hashes.SHA256())
    )
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(written + made.public_bytes(Encoding.PEM))
    return file
