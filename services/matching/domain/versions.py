"""Versions of a schedule: what a new one changes, and why a wish is not in it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.problem import LOCAL_MEETINGS_MAX, Candidate, Problem, Solution
from services.matching.domain.wishes import Wish, Wishes
from shared.errors import Conflict
from shared.events.base import Bilingual, Facts


class Entry(Facts):
    """A meeting of a version, whole: it can be published as it is."""

    session_id: UUID
    delegate_id: UUID
    local_id: UUID
    starts_at: datetime
    ends_at: datetime
    point_id: UUID
    interpreter_id: UUID | None
    interpreter_needed: bool
    meeting_id: UUID | None = None
    """The meeting that the pair had when this was solved."""

    @property
    def spot(self) -> Spot:
        """When and where it is, and who interprets."""
        return Spot(self.starts_at, self.ends_at, self.point_id, self.interpreter_id)


class Unmet(Facts):
    """A wish that the version does not fulfil, and what stands in its way."""

    participant_id: UUID
    counterpart_id: UUID
    kind: str
    code: str
    reason: Bilingual


@dataclass(frozen=True, slots=True)
class Differences:
    """What publishing does to the meetings there are."""

    added: tuple[tuple[tuple[UUID, UUID], Spot], ...]
    moved: tuple[tuple[Meeting, Spot], ...]
    cancelled: tuple[Meeting, ...]

    @property
    def count(self) -> int:
        """Count the meetings that somebody is told of."""
        return len(self.added) + len(self.moved) + len(self.cancelled)


def is_fixed(meeting: Meeting) -> bool:
    """Say whether a new version must leave a meeting where it is."""
    return meeting.locked or meeting.state not in ("scheduled", "cancelled")


def stale(what: str) -> Conflict:
    """Refuse a version that what happened since it was made does not leave room for."""
    return Conflict(f"{what} since this schedule was made; make a new one.", code="stale_schedule")


def differences(
    current: Iterable[Meeting], wanted: Mapping[tuple[UUID, UUID], Spot]
) -> Differences:
    """Compare the meetings there are with a version, by pair; raises `Conflict` for a stale one."""
    now = {meeting.people: meeting for meeting in current if meeting.state != "cancelled"}
    moved, cancelled = [], []
    for pair, meeting in now.items():
        spot = wanted.get(pair)
        if spot == meeting.spot:
            continue
        if is_fixed(meeting):
            if spot is None:
                continue
            raise stale("A meeting was moved or begun")
        if spot is None:
            cancelled.append(meeting)
        else:
            moved.append((meeting, spot))
    added = [(pair, spot) for pair, spot in wanted.items() if pair not in now]
    return Differences(tuple(added), tuple(moved), tuple(cancelled))


_REASONS = {
    "refused": ("One of the two does not want this meeting.", "其中一方不希望安排此洽谈。"),
    "not_here": (
        "One of the two has no confirmed place at these meetings.",
        "其中一方未获得该场洽谈的名额。",
    ),
    "no_common_time": (
        "Their other meetings leave no time at which both are free.",
        "双方已无共同的空闲时段。",
    ),
    "enough_meetings": (
        "The local participant has the most meetings one can have.",
        "当地企业的洽谈场次已达上限。",
    ),
    "no_interpreter": (
        "No interpreter for their languages is free when both are.",
        "双方共同空闲的时段没有可用的翻译。",
    ),
    "no_point": ("No table is free when both are.", "双方共同空闲的时段没有空桌。"),
    "lower_value": (
        "Other meetings were worth more in these slots.",
        "这些时段安排了优先级更高的洽谈。",
    ),
}


def unmet(
    problem: Problem, solution: Solution, wishes: Wishes, met: set[frozenset[UUID]]
) -> Sequence[Unmet]:
    """Say of each wish to meet that is not fulfilled what stands in its way."""
    placed = met | {frozenset((one.delegate_id, one.local_id)) for one in solution.placed}
    found = []
    for wish in wishes.positive():
        pair = frozenset((wish.participant_id, wish.counterpart_id))
        if pair not in placed:
            code = _blocking(problem, solution, wishes, wish)
            en, zh = _REASONS[code]
            found.append(
                Unmet(
                    participant_id=wish.participant_id,
                    counterpart_id=wish.counterpart_id,
                    kind=wish.kind,
                    code=code,
                    reason=Bilingual(en=en, zh=zh),
                )
            )
    return found


def _blocking(problem: Problem, solution: Solution, wishes: Wishes, wish: Wish) -> str:
    if wishes.is_refused(wish.participant_id, wish.counterpart_id):
        return "refused"
    pair = {wish.participant_id, wish.counterpart_id}
    candidate = next((c for c in problem.candidates if {c.delegate_id, c.local_id} == pair), None)
    return "not_here" if candidate is None else _in_the_way(problem, solution, candidate)


def _in_the_way(problem: Problem, solution: Solution, candidate: Candidate) -> str:
    overlapping = problem.overlapping()
    used: dict[UUID, set[int]] = defaultdict(set)
    for one in solution.placed:
        for resource in (one.delegate_id, one.local_id, one.point_id, one.interpreter_id):
            if resource:
                used[resource] |= overlapping[one.time]
    meetings = sum(one.local_id == candidate.local_id for one in solution.placed)
    meetings += problem.meetings_before.get(candidate.local_id, 0)
    if meetings >= LOCAL_MEETINGS_MAX:
        return "enough_meetings"
    taken = used[candidate.delegate_id] | used[candidate.local_id]
    able = [one for one in problem.interpreters if one.serves(candidate)]
    stages: Sequence[tuple[str, Callable[[int], bool]]] = (
        ("no_common_time", lambda time: time not in taken),
        ("no_point", lambda time: any(time not in used[p] for p in problem.times[time].points)),
        (
            "no_interpreter",
            lambda time: (
                not candidate.needs_interpreter
                or any(time in one.times and time not in used[one.id] for one in able)
            ),
        ),
    )
    times = list(candidate.times)
    for code, is_possible in stages:
        times = [time for time in times if is_possible(time)]
        if not times:
            return code
    return "lower_value"
