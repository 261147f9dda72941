"""The people who register in a benchmark: all different, and visibly made up."""

import itertools
import json
from collections.abc import Callable

_BODY = (
    '{"side":"local","consent":true,"organization":{"name":"Benchmark Company %s","native_name":'
    '"基准企业%s","country":"CN","sectors":["batteries"],"size":"11-50"},"person":{"full_name":'
    '"Bench Person %s","native_name":"测试员","email":"person-%s@example.com","language":"zh",'
    '"languages":["zh","en"]}}'
)


def bodies(prefix: str) -> Callable[[], str]:
    """Give a function that makes the next person's registration, as JSON."""
    numbers = itertools.count()

    def make() -> str:
        name = f"{prefix}-{next(numbers)}"
        return _BODY % (name, name, name, name)

    return make


def requests(prefix: str, item_id: str) -> Callable[[], bytes]:
    """Give a function that makes the next person's whole request, from an address of its own."""
    body = bodies(prefix)
    numbers = itertools.count()
    path = f"/api/v1/programme-items/{item_id}/registrations"

    def make() -> bytes:
        number, content = next(numbers), body().encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {prefix}-{number}\r\n"
            f"X-Forwarded-For: 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    return make


def lists(prefix: str, item_id: str, token: str, *, size: int) -> Callable[[], bytes]:
    """Give a function that makes the next request with `size` people, as a partner's system."""
    body = bodies(prefix)
    numbers = itertools.count()
    path = f"/api/v1/programme-items/{item_id}/registrations/bulk"

    def make() -> bytes:
        people = ",".join(body() for _ in range(size))
        content = f'{{"registrations":[{people}]}}'.encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nIdempotency-Key: {prefix}-{next(numbers)}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content

    return make


def sample() -> dict[str, object]:
    """Give one registration as data."""
    content: dict[str, object] = json.loads(bodies("sample")())
    return content
