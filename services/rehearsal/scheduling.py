"""Scheduling: the timetable of a stop is asked for, waited for and published."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from uuid import uuid4

from services.rehearsal.client import Client, Json, Refused
from services.rehearsal.planning import PlannedStop
from services.rehearsal.wishing import Sides, recommended

SOLVE_SECONDS_MAX = 20
WAIT_SECONDS_MAX = 300.0
"""A stop waits for those that were asked for before it, and the solver for everything else."""
POLL_SECONDS = 0.25
KNOWN_SECONDS_MAX = 90.0
STALE_MAX = 5
LISTED_MAX = 200
"""The API lists no more at once."""


class ScheduleFailedError(Exception):
    """The installation could not make a timetable."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A provisional schedule: who would meet in it."""

    id: str
    people: frozenset[str]
    interpreters: frozenset[str]


async def known(client: Client, stop: PlannedStop, among: Sides) -> None:
    """Wait until matching has learnt of everybody who may meet at a stop.

    Raises `ScheduleFailedError`: a timetable without them would pass for a complete one.
    """
    ends = time.monotonic() + KNOWN_SECONDS_MAX
    while True:
        missing = await _unknown(client, stop, among)
        if not missing:
            return
        if time.monotonic() > ends:
            raise ScheduleFailedError(f"{stop.stop.slug}: matching does not know {missing} people.")
        await asyncio.sleep(POLL_SECONDS)


async def _unknown(client: Client, stop: PlannedStop, among: Sides) -> int:
    if not among.delegates or not among.locals:
        return 0
    locals_ = await recommended(client, stop, among.delegates[0], LISTED_MAX)
    delegates = await recommended(client, stop, among.locals[0], LISTED_MAX)
    answer = await client.get("/api/v1/interpreters", converges=True, stop_id=stop.id)
    interpreters = [one["id"] for one in answer["items"]]
    return (
        _differs(among.locals, locals_)
        + _differs(among.delegates, delegates)
        + _differs(stop.interpreters, interpreters)
    )


def _differs(expected: Collection[str], found: Collection[str]) -> int:
    if len(found) == LISTED_MAX <= len(expected):
        return len(set(found) - set(expected))
    return len(set(expected) ^ set(found))


async def propose(client: Client, stop: PlannedStop) -> Proposal:
    """Have a timetable made; raises `ScheduleFailedError`."""
    asked = await client.post(
        "/api/v1/schedules",
        {"stop_id": stop.id, "seconds_max": SOLVE_SECONDS_MAX},
        key=f"schedule {uuid4()}",
        converges=True,
    )
    schedule = await _solved(client, stop, asked["id"])
    entries = schedule["entries"]
    return Proposal(
        id=schedule["id"],
        people=frozenset(e[side] for e in entries for side in ("delegate_id", "local_id")),
        interpreters=frozenset(e["interpreter_id"] for e in entries if e["interpreter_id"]),
    )


async def _solved(client: Client, stop: PlannedStop, schedule_id: str) -> Json:
    ends = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        schedule = await client.get(f"/api/v1/schedules/{schedule_id}", converges=True)
        if schedule["progress"] == "done":
            return schedule
        if schedule["progress"] == "failed" or time.monotonic() > ends:
            reason = (
                schedule["reason"] or f"it is {schedule['progress']} after {WAIT_SECONDS_MAX} s"
            )
            raise ScheduleFailedError(f"{stop.stop.slug}: no timetable: {reason}")
        await asyncio.sleep(POLL_SECONDS)


async def publish(client: Client, stop: PlannedStop, proposal: Proposal) -> Json:
    """Put a timetable in force, or a new one where something changed since; raises `Refused`."""
    for attempt in range(1, STALE_MAX + 1):
        try:
            return await client.post(f"/api/v1/schedules/{proposal.id}/publish")
        except Refused as refusal:
            if refusal.code != "stale_schedule" or attempt == STALE_MAX:
                raise
        proposal = await propose(client, stop)
    raise AssertionError("unreachable")


async def is_published(client: Client, stop_id: str) -> bool:
    """Say whether a stop has a schedule in force."""
    answer = await client.get("/api/v1/schedules", converges=True, stop_id=stop_id)
    return any(schedule["state"] == "published" for schedule in answer["items"])
