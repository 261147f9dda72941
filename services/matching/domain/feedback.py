"""Feedback: what a side says of a meeting, right after it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.matching.domain.meetings import Meeting
from shared.errors import Conflict, Fault, Invalid
from shared.events.base import Facts, Side

NextStep = Literal["none", "follow_up", "sample_or_quote", "meet_again", "negotiate"]

USEFULNESS_MAX = 5


@dataclass(frozen=True, slots=True)
class Opinion:
    """Whether the meeting was held, how useful it was (1 to 5), and what follows."""

    was_held: bool
    usefulness: int | None = None
    next_step: NextStep | None = None
    note: str | None = None


class Felt(Facts):
    """What one side said of its meetings: how many, how useful on average, and what follows."""

    side: Side
    answers: int
    held: int
    usefulness: float | None
    """The mean of 1 to 5; None where nobody said."""
    next_steps: dict[NextStep, int]


def felt(said: Iterable[tuple[Side, Opinion]]) -> tuple[Felt, Felt]:
    """Sum up what was said, side by side; each meeting and side once."""
    words = list(said)
    return _felt("delegation", words), _felt("local", words)


def _felt(side: Side, said: Sequence[tuple[Side, Opinion]]) -> Felt:
    words = [opinion for one, opinion in said if one == side]
    scores = [one.usefulness for one in words if one.usefulness]
    steps = Counter(one.next_step for one in words if one.next_step)
    return Felt(
        side=side,
        answers=len(words),
        held=sum(one.was_held for one in words),
        usefulness=sum(scores) / len(scores) if scores else None,
        next_steps=dict(steps.most_common()),
    )


def side_of(meeting: Meeting, person_id: UUID) -> Side:
    """Say on which side of a meeting somebody is; raises `Invalid` for a stranger."""
    sides: Mapping[UUID, Side] = {meeting.delegate_id: "delegation", meeting.local_id: "local"}
    side = sides.get(person_id)
    if side is None:
        fault = Fault("/participant_id", "This is not one of the two who meet.")
        raise Invalid("Somebody is not part of this meeting.", faults=[fault])
    return side


def check_opinion(opinion: Opinion) -> None:
    """Raise `Invalid` for an opinion of a meeting that was not held."""
    faults = [
        Fault(f"/{name}", "A meeting that was not held has none.")
        for name in ("usefulness", "next_step")
        if not opinion.was_held and getattr(opinion, name) is not None
    ]
    if faults:
        raise Invalid("Nothing can be said of a meeting that was not held.", faults=faults)


def check_over(meeting: Meeting, now: datetime) -> None:
    """Raise `Conflict` before a meeting has begun (`too_early`), and for a cancelled one."""
    if meeting.state == "cancelled":
        raise Conflict("This meeting was cancelled.", code="illegal_state")
    if meeting.state in ("scheduled", "called") and now < meeting.spot.starts_at:
        raise Conflict("This meeting has not begun yet.", code="too_early")
