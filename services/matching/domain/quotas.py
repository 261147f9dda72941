"""Quotas: how many meetings each of a side has at least and at most."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.domain.problem import DEFAULT_QUOTAS, Placed, Problem, Quota
from shared.events.base import Side

Part = tuple[int | None, int | None]
"""What is said for one person: minimum and maximum; None is as for the side."""


def effective(
    sides: Mapping[Side, Quota], personal: Mapping[UUID, Part], people: Mapping[UUID, Side]
) -> dict[UUID, Quota]:
    """Give the quota of everybody for whom it is another one than by default."""
    found = {}
    for person, side in people.items():
        quota = of_person(sides.get(side, DEFAULT_QUOTAS[side]), personal.get(person))
        if quota != DEFAULT_QUOTAS[side]:
            found[person] = quota
    return found


def of_person(side: Quota, part: Part | None) -> Quota:
    """Give one person's quota: the maximum is the harder of the two numbers."""
    minimum, maximum = part or (None, None)
    most = side.maximum if maximum is None else maximum
    least = side.minimum if minimum is None else minimum
    return Quota(minimum=least if most is None else min(least, most), maximum=most)


def used(meetings: Iterable[Meeting]) -> Counter[UUID]:
    """Count everybody's meetings; one that the other missed is none for whoever was there."""
    held = list(meetings)
    counts = Counter(person for one in held for person in one.people)
    counts.subtract(missed(held))
    return counts


def missed(meetings: Iterable[Meeting]) -> Counter[UUID]:
    """Count for whoever was there the meetings that the other did not come to."""
    return Counter(
        person
        for one in meetings
        if one.state == "no_show"
        for person, attendance in (
            (one.delegate_id, one.delegate_attendance),
            (one.local_id, one.local_attendance),
        )
        if attendance != "absent"
    )


def exceeding(
    counts: Mapping[UUID, int], people: Mapping[UUID, Side], limits: Mapping[UUID, Quota]
) -> dict[UUID, int]:
    """Give who has more meetings than allowed, with how many are allowed.

    `limits`: the quotas of those for whom it is another one than by default.
    """
    return {
        person: most
        for person, side in people.items()
        if (most := limits.get(person, DEFAULT_QUOTAS[side]).maximum) is not None
        and counts.get(person, 0) > most
    }


def kept(problem: Problem, placed: Sequence[Placed]) -> int:
    """Count the guaranteed meetings that a timetable gives, beyond those that are fixed."""
    counts: dict[UUID, int] = {}
    for one in placed:
        for person in (one.delegate_id, one.local_id):
            counts[person] = counts.get(person, 0) + 1
    return sum(min(count, problem.owed(person)) for person, count in counts.items())
