"""Who asks, when gateways stand between."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.gateways import Gateways

ADDRESSES = (
    *("10.0.0.1", "10.0.0.2", "192.0.2.9", "198.51.100.66", "2001:db8::1", "2001:db8:0:0::2"),
    *("192.0.2.9:443", "[2001:db8::1]:443", "[2001:db8::9]", "unknown", "2001:DB8::1", ""),
)


def asked(peer: str, *forwarded: str, proto: str = "") -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    headers += [(b"x-forwarded-proto", proto.encode())] if proto else []
    return {"type": "http", "client": (peer, 50_000), "scheme": "http", "headers": headers}


def heard(gateways: str, peer: str, *forwarded: str) -> str:
    scope = asked(peer, *forwarded)
    Gateways(gateways).tell(scope)
    address: str = scope["client"][0]
    return address


def test_nobody_but_the_gateway_says_who_asks() -> None:
    assert heard("10.0.0.1", "10.0.0.1", "198.51.100.7") == "198.51.100.7"
    assert heard("10.0.0.1", "192.0.2.9", "198.51.100.7") == "192.0.2.9"
    assert heard("", "127.0.0.1", "198.51.100.7") == "127.0.0.1"


def test_what_a_client_says_before_the_gateway_is_not_believed() -> None:
    assert heard("10.0.0.1", "10.0.0.1", "198.51.100.66, 203.0.113.5") == "203.0.113.5"


def test_what_ends_tls_before_the_gateway_is_passed_over() -> None:
    chain = "198.51.100.66, 203.0.113.5, 10.0.0.2"
    assert heard("10.0.0.0/24", "10.0.0.1", chain) == "203.0.113.5"


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "gopher", "http"),
        ("192.0.2.9", "https", "http"),
    ],
)
def test_the_gateway_alone_says_how_it_was_asked(peer: str, proto: str, scheme: str) -> None:
    scope = asked(peer, proto=proto)
    Gateways("10.0.0.1").tell(scope)
    assert scope["scheme"] == scheme


@given(
    gateways=st.sampled_from(["10.0.0.1", "10.0.0.1,2001:db8::1", "10.0.0.0/24,2001:db8::/48"]),
    peer=st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1", "192.0.2.9"]),
    forwarded=st.lists(st.lists(st.sampled_from(ADDRESSES), min_size=1).map(", ".join), max_size=3),
)
async def test_it_hears_what_the_server_s_own_would_hear(
    gateways: str, peer: str, forwarded: list[str]
) -> None:
    async def nothing(scope: Any, receive: Any, send: Any) -> None:
        del scope, receive, send

    expected = asked(peer, *forwarded)
    await ProxyHeadersMiddleware(nothing, gateways)(expected, None, None)  # type: ignore[arg-type]
    scope = asked(peer, *forwarded)
    Gateways(gateways).tell(scope)

    assert scope["client"][0] == expected["client"][0]
