"""A robot in a group of WeCom: what it is told, all of the group reads.

https://developer.work.weixin.qq.com/document/path/91770
"""

from collections.abc import Mapping

import httpx2
from pydantic_core import from_json, to_json

from services.notify.channels.base import Deferred, Letter, Reader, Refused, Unknown
from services.notify.channels.posting import post
from services.notify.domain.mail import ChannelName

BYTES_MAX = 2048
BUSY = (-1, 45009)
"""Its system is busy; more than twenty messages a minute."""


class Wecom:
    """Robots by the slug of their group's stop."""

    name: ChannelName = "wecom"

    def __init__(self, client: httpx2.AsyncClient, robots: Mapping[str, str]) -> None:
        self._client = client
        self._robots = robots

    async def open(self) -> None:
        """Do nothing: the client connects by itself."""

    async def send(self, letter: Letter, reader: Reader) -> None:
        """Tell the stop's group, in words that name nobody; raises as `post` does."""
        robot = self._robots.get(reader.stop or "")
        if robot is None:
            raise Refused("This stop's group has no robot.")
        text = letter.brief.encode()[:BYTES_MAX].decode(errors="ignore")
        content = to_json({"msgtype": "text", "text": {"content": text}})
        answer = await post(self._client, robot, content, {"Content-Type": "application/json"})
        try:
            said = from_json(answer.content)
            code, reason = int(said["errcode"]), str(said.get("errmsg", ""))
        except (ValueError, KeyError, TypeError) as error:
            raise Unknown("The answer is none of WeCom's.") from error
        if code:
            raise (Deferred if code in BUSY else Refused)(f"{code} {reason}")

    async def close(self) -> None:
        """Do nothing: who opened the client closes it."""
