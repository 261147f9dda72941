"""Posting to somebody else's HTTP server: one request, and what its answer means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from services.notify.channels.base import Away, Deferred, Refused, Unknown
from services.notify.domain.mail import without_addresses
from shared.authorities import authorities

SECONDS_MAX = 10
NOT_NOW = (408, 425, 429)


@asynccontextmanager
async def posting_client() -> AsyncIterator[httpx2.AsyncClient]:
    """Open a client that follows no redirect: it could lead into our own network."""
    async with httpx2.AsyncClient(
        timeout=SECONDS_MAX, follow_redirects=False, verify=authorities()
    ) as client:
        yield client


async def post(
    client: httpx2.AsyncClient, url: str, content: bytes, headers: dict[str, str]
) -> httpx2.Response:
    """Post, and give an answer that says it was taken.

    Raises `Away` when nothing was handed over, `Unknown` when the answer is missing, and
    `Deferred` or `Refused` for an answer that says so. No reason has the address: it may be secret.
    """
    try:
        answer = await client.post(url, content=content, headers=headers)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise Away(type(error).__name__) from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise Refused("This address cannot be called.") from error
    except httpx2.HTTPError as error:
        raise Unknown(type(error).__name__) from error
    if answer.is_success:
        return answer
    reason = without_addresses(f"{answer.status_code} {answer.text}")
    if answer.status_code in NOT_NOW or answer.is_server_error:
        raise Deferred(reason)
    raise Refused(reason)
