"""Short messages, by a gateway with an HTTP interface: settings say how it wants to be asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template
from urllib.parse import quote

import httpx2

from services.notify.channels.base import Letter, Reader, Refused
from services.notify.channels.posting import post
from services.notify.domain.mail import ChannelName

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Gateway:
    """Address and body with `$phone`, `$text` and `$id` in them.

    The same id at each attempt, for a gateway that can recognise what comes twice.
    """

    url: str
    body: str
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, values: Mapping[str, str]) -> tuple[str, bytes]:
        """Fill in values, as an address and a body each need them."""
        quoted = {name: quote(value, safe="") for name, value in values.items()}
        inner = {name: json.dumps(value)[1:-1] for name, value in values.items()}
        body = inner if self.content_type == JSON else quoted
        return (
            Template(self.url).substitute(quoted),
            Template(self.body).substitute(body).encode(),
        )


class Sms:
    """Short messages over one gateway."""

    name: ChannelName = "sms"

    def __init__(self, client: httpx2.AsyncClient, gateway: Gateway) -> None:
        self._client = client
        self._gateway = gateway

    async def open(self) -> None:
        """Do nothing: the client connects by itself."""

    async def send(self, letter: Letter, reader: Reader) -> None:
        """Send the brief form; raises as `post` does."""
        if not reader.phone:
            raise Refused("No number is on file under this id.")
        values = {"phone": reader.phone, "text": letter.brief, "id": str(letter.message_id)}
        url, body = self._gateway.request(values)
        headers = {"Content-Type": self._gateway.content_type, **self._gateway.headers}
        await post(self._client, url, body, headers)

    async def close(self) -> None:
        """Do nothing: who opened the client closes it."""
