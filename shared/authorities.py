"""The authorities whose certificates this machine trusts, read once in each process."""

import ssl
from functools import cache

import httpx2


@cache
def authorities() -> ssl.SSLContext:
    """Give what checks a server's certificate, as httpx2's own clients do.

    To read the bundle takes some 60 ms and a MiB: every client would do it again.
    """
    return httpx2.create_ssl_context()
