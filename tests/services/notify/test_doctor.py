"""What notify alone needs: Redis, a mail server that would take its mail, keys and files."""

import resource
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from redis.asyncio import Redis

from services.embedded.servers.child import free_port
from services.notify.doctor import live_state, mail, others
from services.notify.settings import NotifySettings
from shared.doctor.examining import examined
from shared.doctor.findings import Finding
from tests.services.notify.smtp import listening
from tests.shared.doctor.conftest import certificate_of

GIVEN = {
    "mode": "development",
    "database_url": "postgresql://127.0.0.1/one",
    "log_url": "postgresql:",
    "secret_key": "only for tests",
    "mail_from": "Tradewind <no-reply@mission.example.org>",
    "smtp_host": "127.0.0.1",
}
PASSWORD = "the word that opens"


@asynccontextmanager
async def configured(redis: str, values: Mapping[str, str]) -> AsyncIterator[None]:
    """Change what Redis is told, and put it back."""
    async with Redis.from_url(redis, decode_responses=True) as client:
        before = {name: str((await client.config_get(name))[name]) for name in values}
        for name, value in values.items():
            await client.config_set(name, value)
        yield
        for name, value in before.items():
            await client.config_set(name, value)


async def of_redis(url: str) -> dict[str, Finding]:
    return {one.about: one for one in await examined([live_state.check(url)])}


def levels(findings: Mapping[str, Finding]) -> dict[str, str]:
    """Give what is not ok."""
    return {about: one.level for about, one in findings.items() if one.level != "ok"}


async def test_a_redis_as_deployed_is_well(redis_db: str) -> None:
    assert levels(await of_redis(redis_db)) == {}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"maxmemory-policy": "allkeys-lru"}, {"Redis: full memory": "wrong"}),
        ({"maxmemory": "1mb"}, {"Redis: memory": "warning"}),
    ],
)
async def test_a_redis_that_would_drop_meetings_or_is_full_is_found(
    redis_db: str, values: dict[str, str], wrong: dict[str, str]
) -> None:
    async with configured(redis_db, values):
        assert levels(await of_redis(redis_db)) == wrong


async def test_a_redis_that_is_away_or_refuses_us_is_found(redis_db: str) -> None:
    away = await of_redis(f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")
    assert levels(away) == {"Redis": "wrong"}
    assert "does not answer" in away["Redis"].seen

    refused = await of_redis(redis_db.replace("redis://", "redis://nobody:wordless@"))
    assert levels(refused) == {"Redis": "wrong"}
    assert "refuses the user" in refused["Redis"].seen
    assert PASSWORD not in f"{away}"
    assert "wordless" not in f"{refused}"


async def of_mail(**given: Any) -> dict[str, Finding]:
    settings = NotifySettings.model_validate({**GIVEN, **given})
    return {one.about: one for one in await examined([mail.check(settings)])}


def opens(server: Any, session: Any, envelope: Any, mechanism: str, shown: Any) -> AuthResult:
    """Let in who knows the word."""
    del server, session, envelope, mechanism
    return AuthResult(success=shown.password == PASSWORD.encode(), handled=False)


GUARDED = {"authenticator": opens, "auth_require_tls": False}


async def test_a_server_that_would_take_mail_gets_none() -> None:
    async with listening() as server:
        findings = await of_mail(smtp_port=server.port)

    assert levels(findings) == {}
    assert (server.taken, server.paths) == ([], [])


@pytest.mark.parametrize(
    ("options", "given", "words"),
    [
        ({}, {"smtp_starttls": True}, "does not offer STARTTLS"),
        ({}, {"smtp_user": "me", "smtp_password": PASSWORD}, "lets nobody sign in"),
        (GUARDED, {"smtp_user": "me", "smtp_password": "another"}, "refuses the user"),
    ],
)
async def test_a_server_that_would_not_take_mail_is_found(
    options: dict[str, Any], given: dict[str, Any], words: str
) -> None:
    async with listening(**options) as server:
        findings = await of_mail(smtp_port=server.port, **given)

    assert levels(findings) == {"mail": "wrong"}
    assert words in findings["mail"].seen
    assert PASSWORD not in f"{findings}"
    assert "another" not in f"{findings}"


async def test_a_user_with_the_right_word_is_let_in() -> None:
    async with listening(**GUARDED) as server:
        findings = await of_mail(smtp_port=server.port, smtp_user="me", smtp_password=PASSWORD)

    assert levels(findings) == {}
    assert "signed in as me" in findings["mail"].seen


async def test_a_server_with_a_certificate_of_nobody_is_found(tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate_of("127.0.0.1", tmp_path / "self.pem"))
    async with listening(tls_context=tls) as server:
        findings = await of_mail(smtp_port=server.port, smtp_starttls=True)

    assert levels(findings) == {"mail": "wrong"}
    assert "TLS" in findings["mail"].seen
    assert "CERTIFICATE_VERIFY_FAILED" in findings["mail"].seen


async def test_a_closed_port_is_found() -> None:
    findings = await of_mail(smtp_port=free_port())

    assert levels(findings) == {"mail": "wrong"}
    assert "does not answer" in findings["mail"].seen


async def test_mail_that_can_be_read_on_its_way_is_a_warning() -> None:
    findings = await of_mail(smtp_host="nowhere.invalid", smtp_user="me", smtp_password=PASSWORD)

    assert findings["mail: way"].level == "warning"


@pytest.mark.parametrize(
    ("sender", "level"),
    [
        ("Tradewind <no-reply@mission.example.org>", "ok"),
        ("Tradewind <no-reply@localhost>", "wrong"),
        ("no-reply@mission.local", "wrong"),
        ("no-reply@[192.0.2.1]", "wrong"),
        ("Tradewind", "wrong"),
    ],
)
async def test_a_sender_needs_a_domain_of_its_own(sender: str, level: str) -> None:
    findings = await of_mail(smtp_port=free_port(), mail_from=sender)

    assert findings["mail: sender"].level == level


async def test_a_mailbox_that_keeps_all_mail_is_wrong_in_production() -> None:
    trial = await of_mail(mailbox=True)
    real = await of_mail(mailbox=True, mode="production", secret_key="a" * 32)

    assert (levels(trial), levels(real)) == ({"mail": "warning"}, {"mail": "wrong"})


@pytest.mark.parametrize(
    ("key", "level"),
    [
        ("", "ok"),
        ("7" * 64, "ok"),
        ("seven", "wrong"),
        ("777", "wrong"),
        ("0" * 64, "wrong"),
        ("f" * 64, "wrong"),
    ],
)
def test_a_key_of_web_push_is_one_of_its_curve(key: str, level: str) -> None:
    assert others.push(key).level == level


def test_pages_are_counted_by_the_files_that_may_be_open() -> None:
    few, many = others.open_files(1_024), others.open_files(65_536)

    assert (few.level, many.level) == ("warning", "ok")
    assert few.seen == "524 at once"
    assert others.open_files(resource.RLIM_INFINITY).level == "ok"
