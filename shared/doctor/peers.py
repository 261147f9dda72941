"""Peers: this service itself, those it asks, and the way that users come."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from shared.access import Tokens
from shared.authorities import authorities
from shared.doctor.examining import CONNECT_SECONDS_MAX, Check, said, underlying
from shared.doctor.findings import Finding, address, ok, warning, wrong
from shared.doctor.settings import is_this_machine
from shared.settings import ServiceSettings

TROUBLE = "Look at the address, and whether a service of ours answers there."
BAD_GATEWAY = (502, 503, 504)
REFUSED = (401, 403)
NOT_FOUND = 404
EVERYWHERE = "0.0.0.0"  # noqa: S104  # compared with, not listened on


@dataclass(frozen=True, slots=True)
class Peer:
    """Another service: where it is, by which variable, and what of it services alone may ask."""

    name: str
    url: str
    variable: str
    inside: str
    """A path that reads nothing about anybody."""


def checks(
    settings: ServiceSettings, service: str, static: Path, peers: Sequence[Peer]
) -> list[Check]:
    """Make the checks of all that answers by HTTP; `static` is a file that the service serves."""
    tokens = Tokens(settings.secret_key.get_secret_value())
    return [
        Check("this service", partial(_itself, settings), TROUBLE),
        *(Check(peer.name, partial(_peer, peer, tokens), TROUBLE) for peer in peers),
        Check("gateway", partial(_gateway, settings, service, static), TROUBLE),
    ]


def _client(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=CONNECT_SECONDS_MAX, verify=authorities())


async def _itself(settings: ServiceSettings) -> list[Finding]:
    host = "127.0.0.1" if settings.host in (EVERYWHERE, "::", "") else settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    try:
        async with _client(url) as client:
            answer = await client.get("/readyz")
    except httpx2.HTTPError:
        return [
            warning(
                "this service",
                f"does not answer at {url}",
                "Start it; if it runs already, run this command beside it, with its environment.",
            )
        ]
    return [_ready("this service", url, answer)]


def _ready(about: str, url: str, answer: httpx2.Response) -> Finding:
    """Judge what a service says of itself."""
    shown = address(url)
    try:
        found: dict[str, bool] = answer.json()["checks"]
        failing = [name for name, is_usable in found.items() if not is_usable]
    except (ValueError, KeyError, TypeError, AttributeError):
        return wrong(
            about,
            f"something else answers at {shown} ({answer.status_code})",
            "The address does not lead to a service of ours.",
        )
    if answer.status_code != httpx2.codes.OK:
        return wrong(
            about,
            f"not ready at {shown}: {', '.join(failing)}",
            "It answers, and cannot use these. Run its own doctor, and see its log.",
        )
    if failing:
        return warning(
            about,
            f"ready at {shown}, without: {', '.join(failing)}",
            "It goes on without these, and makes up for it later. Its own doctor says more.",
        )
    return ok(about, f"ready at {shown}")


async def _peer(peer: Peer, tokens: Tokens) -> list[Finding]:
    shown = address(peer.url)
    try:
        async with _client(peer.url) as client:
            ready = _ready(peer.name, peer.url, await client.get("/readyz"))
            header = tokens.between_services(datetime.now(UTC))
            inside = await client.get(peer.inside, headers=header)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return [
            wrong(
                peer.name,
                f"does not answer at {shown}: {said(error)}",
                f"Start {peer.name}, see its log if it runs, or set {peer.variable} to where it "
                "answers other services.",
            )
        ]
    if ready.level == "wrong":
        return [ready]
    return [ready, _trusting(peer, shown, inside.status_code)]


def _trusting(peer: Peer, shown: str, status: int) -> Finding:
    about = f"{peer.name}: trust"
    if status in REFUSED:
        return wrong(
            about,
            f"{shown} does not know our signature",
            "TRADEWIND_SECRET_KEY is another one there, or a clock is hours off: names, mails and "
            "sign-ins fail. Give all three services the same, and start them again.",
        )
    if status == NOT_FOUND:
        return wrong(
            about,
            f"{shown} is not {peer.name} itself",
            f"It is a gateway, or another service. Set {peer.variable} to where {peer.name} itself "
            "answers.",
        )
    if status != httpx2.codes.OK:
        return wrong(about, f"{shown} answers {status}", f"See the log of {peer.name}.")
    return ok(about, "the same secret")


async def _gateway(settings: ServiceSettings, service: str, static: Path) -> list[Finding]:
    url, about = settings.public_url, "gateway"
    shown = address(url)
    if _is_own(settings):
        seen = f"{shown} is this service itself, seen from here"
        return [warning(about, seen, "Open that address in a browser where the gateway runs.")]
    try:
        async with _client(url) as client:
            alive = await client.get("/livez")
            served = await client.get(f"/static/{service}/{static.name}")
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        return [_away(shown, error, is_here=is_this_machine(httpx2.URL(url).host))]
    if _word(alive) != "live":
        return [
            wrong(
                about,
                f"something else answers at {shown} ({alive.status_code})",
                "Users do not come to this installation: see where the name leads, and what ends "
                "TLS there. TRADEWIND_PUBLIC_URL has only the origin, without a path.",
            )
        ]
    if served.status_code in BAD_GATEWAY:
        advice = f"For users {service} is away: start it, or let the gateway reach it."
        return [wrong(about, f"{shown} does not reach {service}", advice)]
    if served.content != await asyncio.to_thread(static.read_bytes):
        return [
            wrong(
                about,
                f"{shown} leads to another {service} than this one",
                "Another version answers, or another installation. Build and start all services "
                "from the same files, and see where the name leads.",
            )
        ]
    return [ok(about, f"{shown} leads to this {service}")]


def _is_own(settings: ServiceSettings) -> bool:
    """Say whether the public address is that of this very process, as in a container it may be."""
    place = httpx2.URL(settings.public_url)
    return is_this_machine(place.host) and place.port == settings.port


def _word(answer: httpx2.Response) -> Any:
    try:
        return answer.json()["status"]
    except (ValueError, KeyError, TypeError):
        return None


def _away(shown: str, error: Exception, *, is_here: bool) -> Finding:
    about, why = "gateway", said(error)
    if underlying(error, ssl.SSLCertVerificationError):
        return wrong(
            about,
            f"the certificate of {shown} is not trusted: {why}",
            "Browsers refuse it, or warn: renew it, and send the whole chain.",
        )
    if is_here:
        return warning(
            about,
            f"{shown} is not reached from here",
            "In a container that address is the container's own. Open it in a browser.",
        )
    return warning(
        about,
        f"{shown} is not reached from here: {why}",
        "Not every network leads back in from inside. Open it in a browser: if that fails too, "
        "start the gateway, and see where the name leads.",
    )
