"""Screens: pages that follow a stream over a network that cuts them off."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from tests.faults.hall import Hall

WAIT_SECONDS_MAX = 120
BACK_SECONDS = 0.05
SILENCE_SECONDS_MAX = 15
"""Longer than a heart beats: who hears nothing asks anew, as a page does."""
STREAMED = b"HTTP/1.1 200"

Meeting = dict[str, Any]
Page = tuple[str, dict[str, Meeting], dict[str, Meeting]]
"""The id of a page's last event, what it shows, and the newest it knows of each meeting."""
PAGES_MAX = 200


@dataclass(frozen=True)
class Frame:
    """One event of a stream."""

    event: str
    id: str
    data: Any


async def stream(
    hall: Hall, stop_id: UUID, person_id: UUID | None, seen: str
) -> AsyncIterator[Frame]:
    """Read a stream until it ends; raises OSError where it is not answered."""
    path = "me?stop_id=" if person_id else "stops/"
    reader, writer = await asyncio.open_connection("127.0.0.1", hall.port, limit=1 << 24)
    try:
        writer.write(
            f"GET /api/v1/live/{path}{stop_id} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {hall.token(person_id)}\r\n"
            f"Last-Event-ID: {seen}\r\n\r\n".encode()
        )
        async with asyncio.timeout(SILENCE_SECONDS_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(STREAMED):
            raise ConnectionError("not a stream")
        while True:
            async with asyncio.timeout(SILENCE_SECONDS_MAX):
                block = (await reader.readuntil(b"\n\n")).decode()
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "id" in fields:
                yield Frame(fields["event"], fields["id"], json.loads(fields["data"]))
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("the stream ended") from error
    finally:
        writer.close()


@dataclass
class Screen:
    """A page that comes back when its stream ends, and shows the latest of each meeting."""

    hall: Hall
    stop_id: UUID
    person_id: UUID | None
    hang_up_share: float = 0.02
    """After such a share of events it leaves, and comes back."""
    shown: dict[str, Meeting] = field(default_factory=dict)
    openings: int = 0
    resyncs: int = 0
    told_back: list[str] = field(default_factory=list)
    """Where one connection told of an older revision after a newer one."""
    _known: dict[str, Meeting] = field(default_factory=dict)
    _pages: deque[Page] = field(default_factory=lambda: deque(maxlen=PAGES_MAX))

    async def run(self, random: Random) -> None:
        """Listen for ever; hang up now and then, and come back with an id that may be wrong."""
        while True:
            with suppress(OSError):
                await self._listen(random)
            await asyncio.sleep(random.random() * BACK_SECONDS)

    async def _listen(self, random: Random) -> None:
        frames = stream(self.hall, self.stop_id, self.person_id, self._seen(random))
        told: dict[str, int] = {}
        try:
            async for frame in frames:
                self.openings += not told
                self._take(frame, told)
                if random.random() < self.hang_up_share:
                    return
        finally:
            await frames.aclose()  # type: ignore[attr-defined]  # a generator has it

    def _seen(self, random: Random) -> str:
        """Give the id to come back with, as a page that was restored, copied or broken has it."""
        chance = random.random()
        if not self._pages or chance < 0.1:
            return ""
        if chance < 0.2:
            return random.choice(("nonsense", "ffff:1-1", self._ahead()))
        if chance < 0.3:
            # It is the page from now on, also when it cannot connect at first.
            self._pages.append(random.choice(self._pages))
            _, self.shown, self._known = self._pages[-1]
        return self._pages[-1][0]

    def _ahead(self) -> str:
        epoch, _, place = self._pages[-1][0].partition(":")
        return f"{epoch}:{int(place.partition('-')[0]) + 10**7}-0"

    def _take(self, frame: Frame, told: dict[str, int]) -> None:
        if frame.event == "resync":
            self.resyncs += 1
        elif frame.event == "snapshot":
            self.shown = {
                meeting["meeting_id"]: self._newest(meeting, told)
                for meeting in frame.data["meetings"]
            }
        elif frame.event == "change":
            newest = self._newest(frame.data, told)
            self.shown = self.shown | {newest["meeting_id"]: newest}
        self._pages.append((frame.id, self.shown, self._known))

    def _newest(self, meeting: Meeting, told: dict[str, int]) -> Meeting:
        """Give what is to be shown of a meeting: never what is older than before."""
        self._note(meeting, told)
        key = meeting["meeting_id"]
        known = self._known.get(key, meeting)
        newest = known if known["revision"] > meeting["revision"] else meeting
        self._known = self._known | {key: newest}
        return newest

    def _note(self, meeting: Meeting, told: dict[str, int]) -> None:
        key, revision = meeting["meeting_id"], meeting["revision"]
        if told.get(key, -1) >= revision:
            self.told_back.append(f"{key}: {revision} after {told[key]}")
        told[key] = revision

    def holds(self, truth: dict[str, Meeting]) -> bool:
        """Say whether what is shown, of what is still somebody's, is the truth."""
        return mine(self.shown, self.person_id) == mine(truth, self.person_id)


def mine(meetings: dict[str, Meeting], person_id: UUID | None) -> dict[str, Meeting]:
    """Narrow meetings to those that somebody takes part in; None is everybody."""
    person = str(person_id)
    return {
        key: meeting
        for key, meeting in meetings.items()
        if person_id is None
        or person == meeting["interpreter_id"]
        or any(person == party["participant_id"] for party in meeting["parties"])
    }


async def snapshot(hall: Hall, stop_id: UUID) -> dict[str, Meeting]:
    """Open a page that has seen nothing, and give what it shows."""
    frames = stream(hall, stop_id, None, "")
    try:
        first = await anext(frames)
    finally:
        await frames.aclose()  # type: ignore[attr-defined]  # a generator has it
    return {meeting["meeting_id"]: meeting for meeting in first.data["meetings"]}
