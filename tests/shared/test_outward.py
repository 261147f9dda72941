"""Requests to addresses that strangers give: none leads inside, however it is written."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.addresses import Allowed, Blocked, is_public
from shared.outward import Outward, resolver
from shared.wire import NoAnswer
from tests.shared.resets import resettable

Handle = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

# Hosts as they can be written to lead to this machine, to our network or nowhere one may call.
INSIDE = [
    # This machine.
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1"),
    *("017700000001", "0177.0.0.1", "0177.1", "127.255.255.254", "0.0.0.0", "0", "0x0", "00"),  # noqa: S104  # called, not listened on
    *("localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]"),
    *("１２７.０.０.１", "①②⑦.0.0.1", "127。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ"),
    # IPv4 within IPv6: mapped, compatible, translated (NAT64), by SIIT, 6to4, Teredo, ISATAP.
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::a00:1]", "[::ffff:0:127.0.0.1]"),
    *("[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]"),
    *("[fe80::5efe:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"),
    # Private and shared networks.
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "167772161"),
    *("0xa000001", "012.0.0.1", "10.1", "192.168.257", "0xc0a80001", "100.64.0.1"),
    *("100.127.255.254", "[fc00::1]", "[fd00::1]", "[fd12:3456:789a::1]", "[fec0::1]"),
    # Those of machines in clouds.
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"),
    *("0xA9.0xFE.0xA9.0xFE", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    *("[fd00:ec2::254]", "[fe80::a9fe:a9fe]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%251]"),
    # For no single machine, for examples and tests, or for nobody.
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "[ff02::1]", "[ff0e::1]"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "[2001:db8::1]"),
    *("[100::1]", "[2001:2::1]", "[2001:10::1]", "[3fff::1]", "[5f00::1]", "[4000::1]"),
]

NO_ADDRESSES = [
    *("", "https://", "https:///x", "//example.org/x", "example.org", "https:example.org"),
    *("ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "unix:///run/x.sock"),
    *("javascript:alert(1)", "data:,x", "ws://example.org/", "https://user@example.org/"),
    *("https://user:secret@example.org/", "https://example.org@10.0.0.1/"),
    *("https://example.org:0/", "https://example.org:65536/", "https://example.org:x/"),
    *("https://[::1/", "https://exa mple.org/", "https://example.org\r\nX: y/", "https://\0/"),
    f"https://example.org/{'x' * 2_000}",
]


@pytest.fixture
def threads() -> Any:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@asynccontextmanager
async def server(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answer each request on a free port; `handle` gets its head."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or b"0"))
                await handle(head, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def answering(raw: bytes) -> Handle:
    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        del head
        writer.write(raw)
        await writer.drain()

    return handle


def leading_to(*answers: str) -> Any:
    """Resolve every name, each time to the next of these."""
    turns = iter(answers)

    async def resolve(host: str, port: int) -> list[Any]:
        del host, port
        return [ip_address(text) for text in next(turns).split()]

    return resolve


HERE = Allowed.read("127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def test_no_spelling_leads_inside(threads: ThreadPoolExecutor) -> None:
    came: list[bytes] = []

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        came.append(head)
        writer.write(OK)

    async with server(handle) as port:
        outward = Outward(Allowed(), resolver(threads))
        let_through = []
        for scheme in ("https", "http"):
            for host in INSIDE:
                try:
                    await outward.ask("POST", f"{scheme}://{host}:{port}/", seconds_max=5)
                except Blocked:
                    continue
                except NoAnswer as error:
                    # What no resolver reads as an address leads nowhere.
                    if error.code == "no_such_host":
                        continue
                let_through.append((scheme, host))
    assert let_through == []
    assert came == []


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(Blocked, match="not_an_address"):
        Outward(Allowed(), leading_to()).check(url)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "8.8.8.8", "114.114.114.114", "2606:4700:4700::1111", "240e::1"]
)
def test_public_addresses_may_be_called(text: str) -> None:
    assert is_public(ip_address(text))


async def test_a_name_is_refused_when_anything_it_leads_to_is_inside() -> None:
    for found in ("10.0.0.1", "1.1.1.1 10.0.0.1", "::ffff:10.0.0.1", "2606:4700::1 fd00::1"):
        outward = Outward(Allowed(), leading_to(found))
        with pytest.raises(Blocked, match="not_public"):
            await outward.ask("GET", "https://partner.example.org/")


async def test_a_name_that_leads_elsewhere_a_moment_later_is_looked_at_again() -> None:
    """DNS rebinding: each connection resolves once, and calls what it has looked at."""
    called: list[str] = []

    class Watched(Outward):
        async def _connect_to(self, target: Any, address: Any) -> Any:
            del target
            called.append(str(address))
            raise ConnectionRefusedError

    outward = Watched(Allowed(), leading_to("1.1.1.1", "127.0.0.1", "1.1.1.1", "169.254.169.254"))
    blocked = 0
    for _ in range(4):
        try:
            await outward.ask("GET", "https://rebinding.example.org/")
        except Blocked:
            blocked += 1
        except NoAnswer:
            pass
    assert called == ["1.1.1.1", "1.1.1.1"]
    assert blocked == 2


async def test_only_what_is_listed_is_called_by_http_or_within_our_network() -> None:
    allowed = Allowed.read("crm.example.org, 10.1.0.0/16,127.0.0.1")
    for url in ("http://crm.example.org/", "https://CRM.example.org./", "http://10.1.2.3/"):
        Outward(allowed, leading_to()).check(url)
    for url, code in (
        ("http://example.org/", "not_https"),
        ("http://10.2.0.1/", "not_public"),
        ("http://1.1.1.1/", "not_https"),
        ("https://127.0.0.2/", "not_public"),
    ):
        with pytest.raises(Blocked, match=code):
            Outward(allowed, leading_to()).check(url)
    # By https a name may lead into a listed network, and nowhere else inside.
    with pytest.raises(Blocked, match="not_public"):
        await Outward(allowed, leading_to("10.2.0.1")).ask("GET", "https://inside.example.org/")


async def test_a_redirect_is_an_answer_and_is_not_followed(threads: ThreadPoolExecutor) -> None:
    inside: list[bytes] = []

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        inside.append(head)
        writer.write(OK)

    async with server(handle) as hidden:
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{hidden}/\r\n\r\n"
        raw = moved.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n").encode()
        async with server(answering(raw)) as port:
            outward = Outward(HERE, resolver(threads))
            answer = await outward.ask("POST", f"http://127.0.0.1:{port}/")
            outward.close()
    assert answer.status == 302
    assert inside == []


@pytest.mark.parametrize(
    ("raw", "content", "is_whole"),
    [
        (OK, b"{}", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n" + b"x" * 300, b"x" * 99, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"ab", True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"{}", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ],
)
async def test_an_answer_is_read_up_to_what_was_asked_for(
    threads: ThreadPoolExecutor, raw: bytes, content: bytes, *, is_whole: bool
) -> None:
    async with server(answering(raw)) as port:
        outward = Outward(HERE, resolver(threads))
        answer = await outward.ask("GET", f"http://127.0.0.1:{port}/", bytes_max=99, seconds_max=5)
        outward.close()
    assert (answer.content, answer.is_whole) == (content, is_whole)


async def test_an_answer_may_end_with_its_connection(threads: ThreadPoolExecutor) -> None:
    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        del head
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    async with server(handle) as port:
        answer = await Outward(HERE, resolver(threads)).ask("GET", f"http://127.0.0.1:{port}/")
    assert answer.content == b"all of it"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "timed_out"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "timed_out"),
        (b"SSH-2.0-x\r\n", "not_http"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 40_000 + b"\r\n\r\n", "not_http"),
    ],
)
async def test_what_is_no_answer_is_told_apart_and_takes_no_longer_than_it_may(
    threads: ThreadPoolExecutor, raw: bytes, code: str
) -> None:
    async with server(answering(raw)) as port:
        outward = Outward(HERE, resolver(threads))
        with pytest.raises(NoAnswer, match=code):
            await outward.ask("GET", f"http://127.0.0.1:{port}/", seconds_max=0.3)


async def test_a_connection_is_used_again_and_by_one_at_a_time(
    threads: ThreadPoolExecutor,
) -> None:
    peers: set[Any] = set()

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        body = head.partition(b" ")[2].partition(b" ")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    async with server(handle) as port:
        outward = Outward(HERE, resolver(threads))

        async def ask(number: int) -> None:
            url = f"http://127.0.0.1:{port}/{number}"
            assert (await outward.ask("GET", url)).content == f"/{number}".encode()

        for number in range(5):
            await ask(number)
        assert len(peers) == 1
        await asyncio.gather(*(ask(number) for number in range(20)))
        assert 1 < len(peers) <= 20
        outward.close()


async def test_it_works_in_the_loop_that_services_run_in() -> None:
    async def ask() -> int:
        with ThreadPoolExecutor(1) as threads:
            async with server(answering(OK)) as port:
                outward = Outward(HERE, resolver(threads))
                answer = await outward.ask("GET", f"http://127.0.0.1:{port}/")
                outward.close()
                return answer.status

    assert await asyncio.to_thread(uvloop.run, ask()) == 200


async def test_a_kept_connection_that_was_reset_a_moment_ago_is_not_used_again() -> None:
    async def ask() -> tuple[int, int]:
        async with server(answering(OK)) as behind, resettable(f"127.0.0.1:{behind}") as (port, it):
            outward = Outward(HERE, leading_to("127.0.0.1", "127.0.0.1"))
            url = f"http://127.0.0.1:{port}/"
            first = await outward.ask("GET", url)
            ((wire, _),) = next(iter(outward._idle.values()))
            assert wire._transport is not None
            it.set()
            while not wire._transport.is_closing():
                await asyncio.sleep(0)
            it.clear()
            second = await outward.ask("GET", url)
            outward.close()
            with pytest.raises(NoAnswer, match="cut_off"):
                await wire.ask(b"GET / HTTP/1.1\r\n\r\n", 100)
            return first.status, second.status

    assert await asyncio.to_thread(uvloop.run, ask()) == (200, 200)


async def test_a_header_cannot_become_two() -> None:
    outward = Outward(HERE, leading_to("127.0.0.1"))
    for value in ("a\r\nHost: b", "a\nb", "a\rb", "a\0b"):
        with pytest.raises(ValueError, match="line break"):
            await outward.ask("GET", "http://127.0.0.1:9/", headers={"X": value})


async def test_the_certificate_must_be_the_names_and_the_name_is_told(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    ours, theirs = certificate(tmp_path, "partner.example.org")
    named: list[str | None] = []
    theirs.sni_callback = lambda _, name, __: named.append(name)
    allowed = Allowed.read("127.0.0.1")
    async with server(handle, theirs) as port:
        resolve = leading_to("127.0.0.1", "127.0.0.1")
        outward = Outward(allowed, resolve, ours)
        answer = await outward.ask("GET", f"https://partner.example.org:{port}/")
        with pytest.raises(NoAnswer, match="not_trusted"):
            await outward.ask("GET", f"https://other.example.org:{port}/")
        outward.close()
    assert answer.status == 200
    assert f"Host: partner.example.org:{port}".encode() in heads[0]
    assert named == ["partner.example.org", "other.example.org"]


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for a name, and give who trusts it and who shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(file)
    return ssl.create_default_context(cafile=str(file)), theirs
