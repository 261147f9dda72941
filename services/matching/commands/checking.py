"""Checking: what came between a proposal and its acceptance that the walls do not see."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from services.matching.commands import reaching
from services.matching.domain.barring import Barred
from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Point
from services.matching.domain.problem import Pair, Quota
from services.matching.domain.quotas import effective, exceeding, used
from services.matching.domain.wishes import Wishes
from services.matching.store import (
    absences,
    barring,
    facts,
    meetings,
    quotas,
    repairs,
    sessions,
    wishes,
)
from shared.errors import Conflict, Fault
from shared.events.base import Side
from shared.postgres import Connection

Why = Literal[
    "changed",
    "barred",
    "closed",
    "away",
    "too_far",
    "no_place",
    "too_many",
    "taken",
    "has_one",
    "late",
]

_SAID: Mapping[Why, str] = {
    "changed": "was changed since",
    "barred": "is not to be any more",
    "closed": "has lost its point since",
    "away": "needs somebody who is away by now",
    "too_far": "leaves somebody no time for the way from or to another meeting",
    "no_place": "is of somebody who has no place any more",
    "too_many": "is more than a quota allows by now",
    "taken": "needs what was taken since",
    "has_one": "is of two who have a meeting by now",
    "late": "would have begun by now",
}


class Outdated(Conflict):
    """Something came between a proposal and its acceptance; `conflict` names the meeting."""

    code = "stale_repair"

    def __init__(self, detail: str, conflict: dict[str, Any]) -> None:
        super().__init__(detail, faults=[Fault(f"/meetings/{conflict['meeting_id']}", detail)])
        self.conflict = conflict


async def outdated(
    connection: Connection, stop: facts.Row, about: tuple[UUID, tuple[UUID, UUID], Spot], why: Why
) -> Outdated:
    """Say which meeting stands in the way; `about`: its id, its people, and its spot."""
    meeting_id, people, spot = about
    known = await meetings.companies(connection, people)
    labels = await sessions.labels(connection, stop["id"])
    who = " and ".join(known[person]["organization"] for person in people if person in known)
    at = spot.starts_at.astimezone(ZoneInfo(stop["timezone"])).strftime("%H:%M")
    detail = f"The meeting of {who} at {at}, {labels[spot.point_id]}, {_SAID[why]}. Look again."
    conflict = {
        "meeting_id": str(meeting_id),
        "delegate_id": str(people[0]),
        "local_id": str(people[1]),
        "why": why,
    }
    return Outdated(detail, conflict)


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a stop's meetings now."""

    wishes: Wishes
    barred: Barred
    closed: Mapping[UUID, datetime]
    away: AbstractSet[tuple[UUID, datetime]]
    """Who and what is away, by the start of the meeting that wants it."""
    interpreters: AbstractSet[UUID]
    there: AbstractSet[tuple[UUID, UUID]]
    """Who has a place at which session."""
    full: AbstractSet[UUID]
    """Who would have more meetings than the quota allows."""
    too_far: AbstractSet[Pair]
    """The meetings to which, or from which, somebody has no time for the way."""

    def against(self, one: Meeting, *, is_new: bool, now: datetime) -> Why | None:
        """Say what does not allow a meeting where it is to go, if anything does."""
        return self._against_spot(one, now) or (self._against_new(one) if is_new else None)

    def _against_spot(self, one: Meeting, now: datetime) -> Why | None:
        spot = one.spot
        if spot.starts_at <= now:
            return "late"
        if self.wishes.is_refused(*one.people) or self.barred.why(*one.people):
            return "barred"
        if not Point(spot.point_id, self.closed.get(spot.point_id)).is_open_until(spot.ends_at):
            return "closed"
        helper = spot.interpreter_id
        is_away = any((resource, spot.starts_at) in self.away for resource in one.resources)
        if is_away or (helper and helper not in self.interpreters):
            return "away"
        return "too_far" if one.people in self.too_far else None

    def _against_new(self, one: Meeting) -> Why | None:
        if any((person, one.session_id) not in self.there for person in one.people):
            return "no_place"
        return "too_many" if self.full & set(one.people) else None


async def check(
    connection: Connection,
    stop: facts.Row,
    moved: Sequence[Meeting],
    added: Sequence[Meeting],
    now: datetime,
    gone: Sequence[Meeting] = (),
) -> None:
    """Raise `Outdated` for the first meeting that cannot go where it is to go.

    `gone`: the meetings that end with the same repair.
    """
    if not (moved or added):
        return
    standing = await _standing(connection, stop, (moved, added, gone))
    for one in (*moved, *added):
        why = standing.against(one, is_new=one.revision == 1, now=now)
        if why:
            raise await outdated(connection, stop, (one.id, one.people, one.spot), why)


async def _standing(
    connection: Connection,
    stop: facts.Row,
    changed: tuple[Sequence[Meeting], Sequence[Meeting], Sequence[Meeting]],
) -> Standing:
    """Read what holds; `changed`: the meetings that are moved, added, and cancelled."""
    stop_id = stop["id"]
    moved, added, gone = changed
    placed = [*moved, *added]
    held = [(r, m.spot.starts_at, m.spot.ends_at) for m in placed for r in m.resources]
    far = await reaching.too_far(connection, stop_id, placed, [one.id for one in gone])
    rows = await repairs.people_at(connection, stop_id)
    sides = {row["id"]: row["side"] for row in rows}
    there = {(row["id"], row["item_id"]) for row in rows}
    return Standing(
        wishes=await wishes.of_stop(connection, stop_id),
        barred=await barring.of_stop(connection, stop["mission_id"], stop_id),
        closed=await sessions.closings(connection, stop_id),
        away=set(await absences.met_by(connection, held)),
        interpreters={row["id"] for row in await facts.interpreters(connection, stop_id)},
        there={
            (person, session["id"])
            for session in await sessions.of_stop(connection, stop_id)
            for person in sides
            if (person, session["programme_item_id"]) in there
        },
        full=await _full(connection, stop_id, sides, added),
        too_far={one.entry.people for one in far},
    )


async def _full(
    connection: Connection, stop_id: UUID, sides: Mapping[UUID, Side], added: Sequence[Meeting]
) -> set[UUID]:
    if not added:
        return set()
    now = [m for m in await meetings.of_stop(connection, stop_id) if m.state != "cancelled"]
    counts = used([*now, *added])
    limits: Mapping[UUID, Quota] = effective(
        await quotas.sides(connection, stop_id), await quotas.parts(connection, stop_id), sides
    )
    return set(exceeding(counts, sides, limits))
