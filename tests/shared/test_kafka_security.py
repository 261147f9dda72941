"""A Kafka that asks who is there, by TLS and SCRAM, and lets a reader read and no more."""

import asyncio
import datetime
import ipaddress
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, free_port, supervised
from services.embedded.servers.folder import claim
from services.embedded.servers.kafka import CLUSTER_ID, ask, settings, virtual_machine_of, write
from shared.doctor import kafka
from shared.doctor.examining import examined
from shared.doctor.findings import Finding
from shared.log.kafka import KafkaLog
from shared.log.security import Security
from shared.settings import ServiceSettings

JARS = Path(__file__).parents[2] / ".cache" / "kafka"
TOPIC = "registration"
NAME = f"tradewind.{TOPIC}"
# Kafka's own numbers (org.apache.kafka.common.acl and .resource).
TOPICS, GROUPS, PREFIXED = 2, 3, 4
READ, DESCRIBE, ALLOW = 3, 8, 3


@dataclass(frozen=True)
class Guarded:
    """Where it listens for those who sign in, and who vouches for it."""

    servers: str
    ours: Security
    partners: Security


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tradewind-tests-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    """A file with a key and a certificate of 127.0.0.1, which vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kafka.test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    written = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "kafka.pem"
    file.write_bytes(written + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
async def guarded(folder: Path, certificate: Path) -> AsyncIterator[Guarded]:
    machine = await asyncio.to_thread(virtual_machine_of, JARS)
    async with claim(folder / f"kafka-{free_port()}", OURS) as held:
        properties, data, inside, outside = (
            held.path / "server.properties",
            held.path / "data",
            free_port(),
            free_port(),
        )
        common = settings(data, inside, free_port())
        write(
            properties,
            common
            | {
                "listeners": f"{common['listeners']},SASL_SSL://127.0.0.1:{outside}",
                "advertised.listeners": (
                    f"{common['advertised.listeners']},SASL_SSL://127.0.0.1:{outside}"
                ),
                "listener.security.protocol.map": (
                    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL"
                ),
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                ),
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(certificate),
                "authorizer.class.name": (
                    "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                ),
                # The broker itself speaks on the listener that asks nobody.
                "super.users": "User:ANONYMOUS;User:tradewind",
            },
        )
        people = [
            word
            for name in ("tradewind", "partner")
            for word in ("--add-scram", f"SCRAM-SHA-512=[name={name},password=secret of {name}]")
        ]
        tool = [*machine.command, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID]
        await asyncio.to_thread(
            subprocess.run,
            [*tool, "-c", str(properties), *people],
            check=True,
            capture_output=True,
        )
        program = Program(
            name="Kafka",
            command=[*machine.command, "kafka.Kafka", str(properties)],
            url=f"127.0.0.1:{inside}",
            ask=lambda: ask(inside),
            stop_signal=signal.SIGTERM,
            stop_seconds=60.0,
        )
        async with supervised(program, held):
            await allow_to_read(f"127.0.0.1:{inside}")
            ours = Security(
                tls=True,
                authorities=str(certificate),
                user="tradewind",
                password="secret of tradewind",
            )
            partner = replace(ours, user="partner", password="secret of partner")
            yield Guarded(f"127.0.0.1:{outside}", ours, partner)


async def allow_to_read(servers: str) -> None:
    """Give the partner what docs/deploy.md says, as kafka-acls.sh would."""
    rights = [(TOPICS, NAME, operation, "User:partner") for operation in (READ, DESCRIBE)] + [
        (GROUPS, "partner.", READ, "User:partner")
    ]
    client = AIOKafkaClient(bootstrap_servers=servers)
    await client.bootstrap()
    try:
        for kind, name, operation, who in rights:
            request = CreateAclsRequest(kind, name, PREFIXED, who, "*", operation, ALLOW)
            answer = await client.send(client.get_random_node(), request)
            assert [code for code, _ in answer.creation_responses] == [0]
    finally:
        await client.close()


async def read(guarded: Guarded, group: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        NAME,
        bootstrap_servers=guarded.servers,
        group_id=group,
        auto_offset_reset="earliest",
        **guarded.partners.options(),
    )
    try:
        await consumer.start()
        async with asyncio.timeout(60):
            found: bytes | None = (await consumer.getone()).value
        return found
    finally:
        await consumer.stop()


async def send(guarded: Guarded, who: Security, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=guarded.servers, **who.options())
    try:
        await producer.start()
        await producer.send_and_wait(NAME, value, key=uuid4().bytes)
    finally:
        await producer.stop()


async def test_services_write_and_a_partner_reads_and_does_no_more(guarded: Guarded) -> None:
    log = KafkaLog(guarded.servers, partitions=1, security=guarded.ours)
    await log.prepare([TOPIC])
    await send(guarded, guarded.ours, b"a fact")

    assert await read(guarded, "partner.crm") == b"a fact"
    with pytest.raises(TopicAuthorizationFailedError):
        await send(guarded, guarded.partners, b"not a fact")
    with pytest.raises(GroupAuthorizationFailedError):
        await read(guarded, "tradewind.notify")
    wrong = replace(guarded.ours, password="another")
    with pytest.raises(KafkaError) as refused:
        await KafkaLog(guarded.servers, security=wrong).prepare([TOPIC])
    assert "another" not in str(refused.value)


async def test_the_doctor_says_why_a_guarded_cluster_does_not_let_us_in(guarded: Guarded) -> None:
    async def seen(security: Security) -> Finding:
        log = KafkaLog(guarded.servers, security=security)
        await KafkaLog(guarded.servers, partitions=1, security=guarded.ours).prepare([TOPIC])
        return (await examined([kafka.check(log, [TOPIC], {"notify": [TOPIC]})]))[0]

    assert (await seen(guarded.ours)).level == "ok"
    for security, variable in (
        (replace(guarded.ours, password="another"), "TRADEWIND_LOG_PASSWORD"),
        (replace(guarded.ours, mechanism="SCRAM-SHA-256"), "TRADEWIND_LOG_MECHANISM"),
        (replace(guarded.ours, authorities=""), "TRADEWIND_LOG_TLS_AUTHORITIES"),
        (replace(guarded.ours, tls=False), "TRADEWIND_LOG_TLS"),
    ):
        finding = await seen(security)
        assert finding.level == "wrong"
        assert variable in finding.advice
        assert "another" not in finding.seen


@pytest.mark.parametrize(
    ("security", "protocol"),
    [
        (Security(), "PLAINTEXT"),
        (Security(tls=True), "SSL"),
        (Security(user="a", password="b"), "SASL_PLAINTEXT"),
        (Security(tls=True, user="a", password="b"), "SASL_SSL"),
    ],
)
def test_tls_and_a_user_go_together_or_apart(security: Security, protocol: str) -> None:
    options = security.options()

    assert options["security_protocol"] == protocol
    assert ("ssl_context" in options) == security.tls
    assert ("sasl_plain_username" in options) == bool(security.user)


def test_a_password_is_not_sent_as_it_is() -> None:
    given: dict[str, Any] = {
        "database_url": "postgresql://127.0.0.1/one",
        "log_url": "kafka://kafka:9092",
        "secret_key": "only for tests, and long enough for them",
        "log_user": "tradewind",
        "log_mechanism": "PLAIN",
    }
    with pytest.raises(ValidationError, match="use TLS"):
        ServiceSettings.model_validate(given)
    assert ServiceSettings.model_validate(given | {"log_tls": True}).log_security.tls
