"""What is read without a parser, and what the parser gets."""

import pytest
from httptools import HttpParserError, HttpRequestParser

from shared.edge import BODY_BYTES_MAX
from shared.whole import Whole, read_whole

HEAD = b"POST /a/b-1 HTTP/1.1\r\nHost: x\r\nX-Name:  two words \r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nok"


class Parsed:
    """What the server's own parser finds."""

    def __init__(self) -> None:
        self.url = self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.count = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.count += 1


def test_a_whole_request_is_read_as_the_parser_reads_it() -> None:
    parsed = Parsed()
    parser = HttpRequestParser(parsed)
    parser.feed_data(WHOLE)

    assert parsed.count == 1
    read = read_whole(WHOLE)
    assert read == Whole("POST", "/a/b-1", {**parsed.headers, b"x-name": b"two words"}, b"ok")
    assert (read.path.encode(), read.body) == (parsed.url, parsed.body)


def test_who_keeps_the_connection_as_anybody_does_is_read() -> None:
    assert read_whole(WHOLE.replace(b"Host: x", b"Connection: Keep-Alive")) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        WHOLE[:-1],
        WHOLE + b"P",
        WHOLE + WHOLE,
        HEAD,
        HEAD + b"\r\n",
        WHOLE.replace(b"1.1", b"1.0"),
        WHOLE.replace(b" HTTP/1.1", b""),
        WHOLE.replace(b"/a/b-1", b"a/b-1"),
        WHOLE.replace(b"/a/b-1", b"/a%2fb"),
        WHOLE.replace(b"/a/b-1", b"/a?b=1"),
        WHOLE.replace(b"/a/b-1", b"/a /b"),
        WHOLE.replace(b"POST", b"PO\tST"),
        WHOLE.replace(b"POST ", b"POST  "),
        WHOLE.replace(b"Host: x", b"Host : x"),
        WHOLE.replace(b"Host: x", b" Host: x"),
        WHOLE.replace(b"Host: x", b"Host"),
        WHOLE.replace(b"Host: x", b": x"),
        WHOLE.replace(b"Host: x", b"Host: x\ny: z"),
        WHOLE.replace(b"Host: x", b"Host: x\ry: z"),
        WHOLE.replace(b"Host: x", b"Host: x\0"),
        WHOLE.replace(b"Host: x", b"Host: \xff"),
        WHOLE.replace(b"Host: x", b"Host: x\r\n\tfolded"),
        WHOLE.replace(b"Host: x", b"X-Name: twice"),
        WHOLE.replace(b"Host: x", b"Content-Length: 2"),
        WHOLE.replace(b"Host: x", b"Transfer-Encoding: chunked"),
        WHOLE.replace(b"Host: x", b"Connection: close"),
        WHOLE.replace(b"Host: x", b"Connection: upgrade"),
        WHOLE.replace(b"Host: x", b"Expect: 100-continue"),
        WHOLE.replace(b"Host: x", b"Upgrade: h2c"),
        WHOLE.replace(b"Length: 2", b"Length: 3"),
        WHOLE.replace(b"Length: 2", b"Length: +2"),
        WHOLE.replace(b"Length: 2", b"Length: 2, 2"),
        WHOLE.replace(b"Length: 2", b"Length: " + b"0" * 5_000 + b"2"),
        HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1) + b"x" * (BODY_BYTES_MAX + 1),
    ],
)
def test_whatever_is_unusual_is_left_to_the_parser(data: bytes) -> None:
    assert read_whole(data) is None


@pytest.mark.parametrize("place", range(len(WHOLE)))
def test_no_other_byte_makes_a_request_that_the_parser_reads_otherwise(place: int) -> None:
    for byte in range(256):
        data = WHOLE[:place] + bytes([byte]) + WHOLE[place + 1 :]
        read = read_whole(data)
        if read is None:
            continue
        parsed = Parsed()
        parser = HttpRequestParser(parsed)
        try:
            parser.feed_data(data)
        except HttpParserError:
            # No such method: no route has it either.
            assert read.method != "POST"
            continue
        assert (parsed.count, parsed.url, parsed.body) == (1, read.path.encode(), read.body)
        stripped = {name: value.strip(b" ") for name, value in parsed.headers.items()}
        assert stripped == read.headers
