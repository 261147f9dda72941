"""The live state in Redis. Every write is one script that a repeat does not harm.

A stop has an epoch, a hash of meetings (`<revision> <people>`, a line feed, JSON), and a stream of
changes. Without the epoch nothing of the stop counts: Redis was wiped, and is filled again.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast
from uuid import UUID

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

_APPLY = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then return {} end
local outcomes = {}
for i = 2, #ARGV, 5 do
  local held = redis.call('HGET', KEYS[2], ARGV[i])
  if held and tonumber(string.match(held, '^%d+')) >= tonumber(ARGV[i + 1]) then
    outcomes[#outcomes + 1] = 'known'
  else
    local entry = ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. '\\n' .. ARGV[i + 4]
    redis.call('HSET', KEYS[2], ARGV[i], entry)
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[1], '*',
      'to', ARGV[i + 3], 'd', ARGV[i + 4], 'e', epoch)
    outcomes[#outcomes + 1] = 'applied'
  end
end
return outcomes
"""

# Meetings and the new epoch in one step: nobody sees the one without the other. Its entry in the
# stream, which has no meeting, tells those who listen that they must start anew.
_REBUILD = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
for i = 4, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[2], ARGV[i])
  if not held or tonumber(string.match(held, '^%d+')) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
  end
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[2])
return 1
"""

_CATCH_UP = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then return {} end
local function is_before(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  if a1 ~= b1 then return tonumber(a1) < tonumber(b1) end
  return tonumber(a2) < tonumber(b2)
end
local function edge(command, from, to)
  local found = redis.call(command, KEYS[3], from, to, 'COUNT', 1)
  return found[1] and found[1][1] or '0-0'
end
local last = edge('XREVRANGE', '+', '-')
if ARGV[1] == epoch and not is_before(ARGV[2], edge('XRANGE', '-', '+'))
    and not is_before(last, ARGV[2]) then
  local most = tonumber(ARGV[4])
  local missed = redis.call('XRANGE', KEYS[3], '(' .. ARGV[2], '+', 'COUNT', most + 1)
  if #missed <= most then
    local found = {}
    for _, entry in ipairs(missed) do
      local to, d = entry[2][2], entry[2][4]
      if d and (ARGV[3] == '' or string.find(to, ARGV[3], 1, true)) then
        found[#found + 1] = entry[1]
        found[#found + 1] = d
      end
    end
    return {epoch, last, 'replay', found}
  end
end
local found = {}
for _, held in ipairs(redis.call('HVALS', KEYS[2])) do
  local line = string.find(held, '\\n', 1, true)
  if ARGV[3] == '' or string.find(string.sub(held, 1, line), ARGV[3], 1, true) then
    found[#found + 1] = string.sub(held, line + 1)
  end
end
return {epoch, last, 'snapshot', found}
"""

_REVISIONS = """
local found = {redis.call('GET', KEYS[1]) or ''}
local held = redis.call('HGETALL', KEYS[2])
for i = 1, #held, 2 do
  found[#found + 1] = held[i]
  found[#found + 1] = string.match(held[i + 1], '^%d+')
end
return found
"""


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

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._apply = client.register_script(_APPLY)
        self._rebuild = client.register_script(_REBUILD)
        self._catch_up = client.register_script(_CATCH_UP)
        self._revisions = client.register_script(_REVISIONS)

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
        """Fill a stop and begin `epoch`, if its epoch is still `instead_of`; later entries stay."""
        meetings = [
            word
            for entry in entries
            for word in (
                str(entry.meeting_id),
                str(entry.revision),
                f"{_ids(entry.people)}\n{entry.live}",
            )
        ]
        answer = await self._rebuild(
            keys=_keys(stop_id), args=[instead_of, epoch, STREAM_LENGTH_MAX, *meetings]
        )
        return bool(answer)

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


def _ids(people: Sequence[UUID]) -> str:
    return " ".join(map(str, people))
