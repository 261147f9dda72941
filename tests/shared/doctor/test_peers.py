"""Services that do not answer, do not trust us, or are others than the address says."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import APIRouter

from services.embedded.servers.child import free_port
from shared.access import Scope, Tokens, require
from shared.doctor import peers
from shared.doctor.findings import Finding
from shared.doctor.peers import Peer
from shared.http import Caller, create_app
from shared.service import Service
from shared.settings import ServiceSettings
from tests.serving import behind_an_address
from tests.shared.doctor.conftest import certificate_of, found

KEY = "0f3c9a77d1e2b8405566778899aabbcc"
INSIDE = f"/internal/testing/people/{UUID(int=0)}"

router = APIRouter()


@router.get(INSIDE)
async def inside(who: Caller) -> dict[str, Any]:
    require(who, "contacts.read", Scope())
    return {}


async def usable() -> None:
    """Find nothing wrong."""


async def unusable() -> None:
    raise OSError("away")


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """A file that the service serves."""
    file = tmp_path / "testing.css"
    file.write_text("b { color: teal }")
    return file


@asynccontextmanager
async def serving(static: Path, **more: Any) -> AsyncIterator[tuple[str, str]]:
    """Serve a service; gives its address, and that by which users come."""
    given = {"checks": {"testing database": usable}, **more}
    service = Service(name="testing", routers=[router], loops={}, static=static.parent, **given)
    app = create_app([service], Tokens(KEY))
    async with behind_an_address(app) as url, behind_an_address(app) as public_url:
        yield url, public_url


async def asked(
    urls: tuple[str, str], static: Path, *, key: str = KEY, path: str = INSIDE
) -> dict[str, Finding]:
    """Give the findings of a service that asks another, both at the same address."""
    url, public_url = urls
    settings = ServiceSettings.model_validate(
        {
            "mode": "development",
            "port": int(url.rpartition(":")[2]),
            "database_url": "postgresql://127.0.0.1/one",
            "log_url": "postgresql:",
            "secret_key": key,
            "public_url": public_url,
        }
    )
    peer = Peer("other", url, "TRADEWIND_INTERNAL_URL", path)
    return await found(*peers.checks(settings, "testing", static, [peer]))


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    """Give what is not ok."""
    return {about: one.level for about, one in findings.items() if one.level != "ok"}


async def test_services_that_answer_and_trust_one_another_are_well(static: Path) -> None:
    async with serving(static) as urls:
        findings = await asked(urls, static)

    assert findings.keys() == {"this service", "other", "other: trust", "gateway"}
    assert levels(findings) == {}


async def test_another_secret_is_found(static: Path) -> None:
    async with serving(static) as urls:
        findings = await asked(urls, static, key="another secret")

    assert levels(findings) == {"other: trust": "wrong"}
    assert "TRADEWIND_SECRET_KEY" in findings["other: trust"].advice


async def test_an_address_of_the_gateway_in_place_of_the_services_is_found(static: Path) -> None:
    async with serving(static) as urls:
        findings = await asked(urls, static, path="/internal/hidden")

    assert levels(findings) == {"other: trust": "wrong"}
    assert "TRADEWIND_INTERNAL_URL" in findings["other: trust"].advice


async def test_a_service_that_cannot_use_its_database_is_found(static: Path) -> None:
    async with serving(static, checks={"testing database": unusable}) as urls:
        findings = await asked(urls, static)

    assert levels(findings) == {"this service": "wrong", "other": "wrong"}
    assert "testing database" in findings["other"].seen


async def test_a_service_that_goes_on_without_something_is_a_warning(static: Path) -> None:
    async with serving(static, advisory_checks={"redis": unusable}) as urls:
        findings = await asked(urls, static)

    assert levels(findings) == {"this service": "warning", "other": "warning"}


def closed() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_nobody_at_the_address_is_found(static: Path) -> None:
    findings = await asked((closed(), closed()), static)

    assert levels(findings) == {
        "this service": "warning",
        "other": "wrong",
        "gateway": "warning",
    }


async def test_another_version_behind_the_gateway_is_found(static: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours" / static.name
    ours.parent.mkdir()
    ours.write_text("b { color: tan }")
    async with serving(static) as urls:
        findings = await asked(urls, ours)

    assert levels(findings) == {"gateway": "wrong"}


@asynccontextmanager
async def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Give the same answer to whatever is asked."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0, ssl=tls)
    yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def test_something_else_at_the_address_is_found(static: Path) -> None:
    async with answering(b"200 OK") as url, answering(b"200 OK") as public_url:
        findings = await asked((url, public_url), static)

    assert levels(findings) == {"this service": "wrong", "other": "wrong", "gateway": "wrong"}
    assert "something else answers" in findings["gateway"].seen


async def test_a_certificate_that_browsers_refuse_is_found(static: Path, tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate_of("127.0.0.1", tmp_path / "self.pem"))
    async with answering(b"200 OK", tls) as url:
        findings = await asked((closed(), url), static)

    assert findings["gateway"].level == "wrong"
    assert "certificate" in findings["gateway"].seen


async def test_in_a_container_the_gateway_of_this_machine_cannot_be_seen(static: Path) -> None:
    async with serving(static) as (url, _):
        findings = await asked((url, url), static)

    assert levels(findings) == {"gateway": "warning"}
