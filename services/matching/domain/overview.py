"""The overview of a stop: its participants in numbers, and who needs somebody's attention."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from services.matching.domain.problem import DEFAULT_QUOTAS, Quota
from services.matching.domain.quotas import Part, of_person
from shared.events.base import Side

Attention = Literal["unwished", "silent", "waiting", "owed", "over", "unlisted"]
"""Nobody wishes them; they wish nobody; they are asked; a guaranteed meeting lacks; they must meet
more than they may; no profile."""

ATTENTIONS: Sequence[Attention] = get_args(Attention)

OF_OTHERS: frozenset[Attention] = frozenset({"unwished"})
"""What tells of the other side's wishes, and so is for mission staff alone."""


@dataclass(frozen=True, slots=True)
class Line:
    """One participant's numbers."""

    id: UUID
    side: Side
    organization: str
    native_organization: str | None
    partner_id: UUID | None
    is_listed: bool
    must_meet: int
    meet: int
    no_thanks: int
    sent: int
    waiting: int
    agreed: int
    wished_by: int
    meetings: int
    quota: Quota

    @property
    def owed(self) -> int:
        """Say how many guaranteed meetings are not planned yet."""
        return max(0, self.quota.minimum - self.meetings)

    @property
    def attention(self) -> frozenset[Attention]:
        """Say what somebody should look at."""
        found: dict[Attention, bool] = {
            "unwished": not self.wished_by,
            "silent": not self.must_meet + self.meet + self.sent + self.agreed,
            "waiting": self.waiting > 0,
            "owed": self.owed > 0,
            "over": self.quota.maximum is not None and self.must_meet > self.quota.maximum,
            "unlisted": not self.is_listed,
        }
        return frozenset(code for code, is_so in found.items() if is_so)


def lines(
    rows: Iterable[Mapping[str, Any]], sides: Mapping[Side, Quota], personal: Mapping[UUID, Part]
) -> list[Line]:
    """Put each participant's numbers together with the quota that holds for that person."""
    shown = set(Line.__dataclass_fields__) - {"quota"}
    return [
        Line(
            **{name: row[name] for name in shown},
            quota=of_person(
                sides.get(row["side"], DEFAULT_QUOTAS[row["side"]]), personal.get(row["id"])
            ),
        )
        for row in rows
    ]


def narrowed(
    all_: Sequence[Line], words: str, side: Side | None, attention: Attention | None
) -> list[Line]:
    """Give those whose company's name has all the words, of a side, who need this attention."""
    wanted = words.casefold().split()
    return [
        one
        for one in all_
        if (side is None or one.side == side)
        and (attention is None or attention in one.attention)
        and all(
            word in f"{one.organization}\n{one.native_organization or ''}".casefold()
            for word in wanted
        )
    ]


def counted(all_: Sequence[Line]) -> dict[Attention, int]:
    """Count who needs which attention."""
    found = [one.attention for one in all_]
    return {code: sum(code in one for one in found) for code in ATTENTIONS}
