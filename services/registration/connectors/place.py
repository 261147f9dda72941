"""Where a partner's system is: an address as strangers give it."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints


def _is_address(given: str) -> str:
    """Give an address without a slash at its end; raises `ValueError` for what is none."""
    parts = urlsplit(given)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
        raise ValueError("Give the address as https://name, without a user or password in it.")
    if parts.query or parts.fragment:
        raise ValueError("Give the address alone, without ? and # and what is behind them.")
    return given.rstrip("/")


Address = Annotated[str, StringConstraints(max_length=500), AfterValidator(_is_address)]
"""Whether it may be asked at all is for the client: it refuses what is not public."""
