"""Wishes: what people state about one another, and what it is worth to the timetable."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.errors import Conflict

PreferenceKind = Literal["must_meet", "meet", "no_thanks"]
RequestStatus = Literal["pending", "accepted", "declined", "cancelled"]
Answer = Literal["accept", "decline", "cancel"]

PREFERENCE_WORTH: Mapping[PreferenceKind, int] = {"must_meet": 6_000, "meet": 1_500, "no_thanks": 0}
REQUEST_WORTH = 3_000

_OUTCOMES: Mapping[tuple[RequestStatus, Answer], RequestStatus] = {
    ("pending", "accept"): "accepted",
    ("pending", "decline"): "declined",
    ("pending", "cancel"): "cancelled",
    ("accepted", "cancel"): "cancelled",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """One side wants to meet the other; an accepted request is a wish of both."""

    participant_id: UUID
    counterpart_id: UUID
    kind: Literal["must_meet", "meet", "no_thanks", "request"]


class Wishes:
    """All that was stated at a stop, by pair."""

    def __init__(self, wishes: Iterable[Wish]) -> None:
        self._by_pair: dict[frozenset[UUID], list[Wish]] = {}
        for wish in wishes:
            pair = frozenset((wish.participant_id, wish.counterpart_id))
            self._by_pair.setdefault(pair, []).append(wish)

    def is_refused(self, one: UUID, other: UUID) -> bool:
        """Say whether either side does not want to meet: one no is final."""
        return any(wish.kind == "no_thanks" for wish in self._of(one, other))

    def is_refused_by(self, one: UUID, other: UUID) -> bool:
        """Say whether `one` does not want to meet the other: what the other said stays private."""
        return any(
            wish.kind == "no_thanks" and wish.participant_id == one for wish in self._of(one, other)
        )

    def worth(self, one: UUID, other: UUID) -> int:
        """Give what the wishes of a pair add to the value of its meeting."""
        return sum(
            REQUEST_WORTH if wish.kind == "request" else PREFERENCE_WORTH[wish.kind]
            for wish in self._of(one, other)
        )

    def positive(self) -> list[Wish]:
        """List the wishes to meet, the strongest first."""
        found = [w for wishes in self._by_pair.values() for w in wishes if w.kind != "no_thanks"]
        order = {"must_meet": 0, "request": 1, "meet": 2}
        return sorted(found, key=lambda w: (order[w.kind], w.participant_id, w.counterpart_id))

    def _of(self, one: UUID, other: UUID) -> list[Wish]:
        return self._by_pair.get(frozenset((one, other)), [])


def answered(status: RequestStatus, answer: Answer) -> RequestStatus:
    """Give a request's state after an answer; raises `Conflict` where its state forbids it."""
    outcome = _OUTCOMES.get((status, answer))
    if outcome is None:
        raise Conflict(
            f"A request that is {status} cannot be changed by: {answer}.", code="illegal_state"
        )
    return outcome
