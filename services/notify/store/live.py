"""The live state in Redis. Every write is one script that a repeat does not harm.

A stop has an epoch, a hash of meetings (`<revision> <people>`, a line feed, JSON), and a stream of
changes. Without the epoch nothing of the stop counts: Redis was wiped, and is filled again.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from uuid import UUID
from weakref import WeakValueDictionary

import redis.asyncio

from services.notify.domain.live import (
    REPLAY_LENGTH_MAX,
    SESSIONS_KEY,
    SESSIONS_SECONDS,
    STREAM_LENGTH_MAX,
    Entry,
    Place,
    Position,
    epoch_key,
    meetings_key,
    stream_key,
)
from services.notify.store import live_scripts as scripts

FILL_SIZE_MAX = 1_000
"""So many meetings are written in one step: others wait that long for Redis."""

Outcome = Literal["applied", "known"]


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a listener needs to be at `position`: everything, or only what it missed."""

    position: Position
    is_replay: bool
    meetings: Sequence[str]
    """JSON of each entry."""
    places: Sequence[Place]
    """Of each entry of a replay."""


class Live:
    """The live state of all stops."""

    def __init__(self, client: "redis.asyncio.Redis", fill_size_max: int = FILL_SIZE_MAX) -> None:
        self._client = client
        self._fill_size_max = fill_size_max
        self._apply = client.register_script(scripts.APPLY)
        self._forget = client.register_script(scripts.FORGET)
        self._fill_part = client.register_script(scripts.FILL_PART)
        self._rebuild = client.register_script(scripts.REBUILD)
        self._catch_up = client.register_script(scripts.CATCH_UP)
        self._revisions = client.register_script(scripts.REVISIONS)
        self._filling = WeakValueDictionary[UUID, asyncio.Lock]()

    def filling(self, stop_id: UUID) -> asyncio.Lock:
        """Give what is held while this process fills a stop: many may find it empty at once."""
        return self._filling.setdefault(stop_id, asyncio.Lock())

    async def apply(self, stop_id: UUID, entries: Sequence[Entry]) -> Sequence[Outcome] | None:
        """Write changes of a stop in their order and announce those that were not known.

        The answer is None, and nothing is written, when Redis was wiped.
        """
        words = [
            word
            for entry in entries
            for word in (
                str(entry.meeting_id),
                str(entry.revision),
                _ids(entry.people),
                _ids(entry.concerned),
                entry.live,
            )
        ]
        answer = await self._apply(keys=_keys(stop_id), args=[STREAM_LENGTH_MAX, *words])
        return cast(Sequence[Outcome], answer) or None

    async def rebuild(
        self, stop_id: UUID, entries: Sequence[Entry], *, epoch: str, instead_of: str = ""
    ) -> bool:
        """Fill a stop and begin `epoch`, if its epoch is still `instead_of`; later entries stay.

        False: it has another epoch, or what was written was lost meanwhile.
        """
        keys = _keys(stop_id)
        size = self._fill_size_max
        parts = [entries[i : i + size] for i in range(0, len(entries), size)]
        last = parts.pop() if parts else ()
        if parts:
            if not await self._forget(keys=keys, args=[instead_of]):
                return False
            instead_of = ""
        for part in parts:
            if not await self._fill_part(keys=keys, args=_held(part)):
                return False
        answer = await self._rebuild(
            keys=keys,
            args=[instead_of, epoch, STREAM_LENGTH_MAX, len(entries), *_held(last)],
        )
        return bool(answer)

    async def epoch(self, stop_id: UUID) -> str:
        """Give a stop's epoch, empty when there is none."""
        found: str | None = await cast(Awaitable[Any], self._client.get(epoch_key(stop_id)))
        return found or ""

    async def server(self) -> str:
        """Name the history that Redis goes on with: a restart or a failover begins another.

        The replication id (redis.io, INFO). Empty where a server tells none.
        """
        found = await cast(Awaitable[Any], self._client.info("replication"))
        return str(found.get("master_replid", ""))

    async def catch_up(
        self, stop_id: UUID, person_id: UUID | None, seen: Position | None = None
    ) -> CaughtUp | None:
        """Read what came after `seen` where that is known without a gap, else all of it.

        `person_id` None stands for everybody. The answer is None when Redis was wiped.
        """
        answer: list[Any] = await self._catch_up(
            keys=_keys(stop_id),
            args=[
                seen.epoch if seen else "",
                str(seen.place) if seen else "0-0",
                str(person_id or ""),
                REPLAY_LENGTH_MAX,
            ],
        )
        if not answer:
            return None
        epoch, last, kind, found = answer
        is_replay = kind == "replay"
        return CaughtUp(
            position=Position(epoch, Place.of(last)),
            is_replay=is_replay,
            meetings=found[1::2] if is_replay else found,
            places=[Place.of(i) for i in found[::2]] if is_replay else (),
        )

    async def revisions(self, stop_id: UUID) -> tuple[str, Mapping[UUID, int]]:
        """Give a stop's epoch, empty when there is none, and the revision of each meeting."""
        epoch, *held = await self._revisions(keys=_keys(stop_id)[:2])
        return epoch, {
            UUID(meeting): int(revision)
            for meeting, revision in zip(held[::2], held[1::2], strict=True)
        }

    async def wipe(self, stop_id: UUID) -> None:
        """Forget a stop, as a lost Redis would; it is filled again when it is next read."""
        await cast(Awaitable[object], self._client.delete(*_keys(stop_id)))

    async def end_session(self, person_id: UUID) -> None:
        """Have every process end somebody's open streams: whoever may, comes back."""
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.xadd(SESSIONS_KEY, {"p": str(person_id)})
            pipeline.expire(SESSIONS_KEY, SESSIONS_SECONDS)
            await pipeline.execute()

    async def answers(self) -> None:
        """Return when Redis answers."""
        await cast(Awaitable[object], self._client.ping())


def _keys(stop_id: UUID) -> list[str]:
    return [epoch_key(stop_id), meetings_key(stop_id), stream_key(stop_id)]


def _held(entries: Sequence[Entry]) -> list[str]:
    """Write meetings as the hash has them: a field, a value, and the next."""
    return [
        word
        for entry in entries
        for word in (
            str(entry.meeting_id),
            f"{entry.revision} {_ids(entry.people)}\n{entry.live}",
        )
    ]


def _ids(people: Sequence[UUID]) -> str:
    return " ".join(map(str, people))
