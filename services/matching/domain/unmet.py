"""Unmet: why a wish is not in a version, in both languages.

Staff reads all of it. What one side must not learn of the other has no reason for participants.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID

from services.matching.domain.barring import Barred
from services.matching.domain.obstacles import Obstacles
from services.matching.domain.problem import Problem, Solution
from services.matching.domain.wishes import Wishes
from shared.events.base import Bilingual, Facts

FOR_STAFF = frozenset({"refused", "excluded", "vetoed", "left_out", "lower_value"})
"""Reasons that participants read as one and the same: told apart, one of them would be a secret."""


class Unmet(Facts):
    """A wish, for a person or a company, that the version does not fulfil, and why."""

    participant_id: UUID
    counterpart_id: UUID | None = None
    organization_id: UUID | None = None
    kind: str
    code: str
    reason: Bilingual

    def shown(self) -> dict[str, object]:
        """Show it with its reason in both languages."""
        names = ("participant_id", "counterpart_id", "organization_id", "kind")
        said_ = {"code": self.code, "en": self.reason.en, "zh": self.reason.zh}
        return {**{name: getattr(self, name) for name in names}, "reason": said_}

    @property
    def for_participants(self) -> "Unmet":
        """This as a participant may read it."""
        if self.code not in FOR_STAFF:
            return self
        return self.model_copy(update={"code": "not_scheduled", "reason": said("not_scheduled")})


_REASONS = {
    "refused": ("One of the two does not want this meeting.", "其中一方不希望安排此洽谈。"),
    "excluded": ("The organiser keeps these two apart.", "主办方已排除双方洽谈。"),
    "vetoed": ("A host of this stop vetoed this meeting.", "本站合作方否决了此洽谈。"),
    "left_out": ("Staff took this meeting out by hand.", "工作人员已手动移除此洽谈。"),
    "expired": ("Nobody answered this request in time.", "洽谈申请逾期未获答复。"),
    "not_here": (
        "One of the two has no confirmed place at these meetings.",
        "其中一方未获得该场洽谈的名额。",
    ),
    "company_met": (
        "One of the two meets another representative of this company.",
        "其中一方已与该企业的其他代表洽谈。",
    ),
    "no_common_time": (
        "Their other meetings leave no time at which both are free.",
        "双方已无共同的空闲时段。",
    ),
    "enough_meetings": (
        "The local participant has the most meetings one can have.",
        "当地企业的洽谈场次已达上限。",
    ),
    "delegate_enough_meetings": (
        "The delegate has the most meetings one can have.",
        "代表团成员的洽谈场次已达上限。",
    ),
    "no_interpreter": (
        "No interpreter for their languages is free when both are.",
        "双方共同空闲的时段没有可用的翻译。",
    ),
    "other_order": (
        "Another meeting has to be before or after this one, and leaves no time for it.",
        "该洽谈与另一场洽谈有先后顺序要求，因而没有合适的时段。",
    ),
    "no_point": ("No table is free when both are.", "双方共同空闲的时段没有空桌。"),
    "no_rest": (
        "The interpreters for their languages would have no rest.",
        "所需语种的翻译将没有休息时间。",
    ),
    "lower_value": (
        "Other meetings were worth more in these slots.",
        "这些时段安排了优先级更高的洽谈。",
    ),
    "not_scheduled": ("No slot was found for this meeting.", "未能为此洽谈安排时段。"),
}


def said(code: str) -> Bilingual:
    """Give the words of a reason."""
    en, zh = _REASONS[code]
    return Bilingual(en=en, zh=zh)


@dataclass(frozen=True, slots=True)
class Around:
    """What a version was made of, besides its problem."""

    wishes: Wishes
    met: AbstractSet[frozenset[UUID]] = frozenset()
    """The pairs that meet already."""
    barred: Barred = field(default_factory=Barred)


def unmet(problem: Problem, solution: Solution, around: Around) -> Sequence[Unmet]:
    """Say of each wish to meet that is not fulfilled what stands in its way."""
    placed = {frozenset((one.delegate_id, one.local_id)) for one in solution.placed}
    judge = _Judge(problem, solution, around, placed | around.met)
    return [*judge.of_people(), *judge.of_companies(), *judge.expired()]


class _Judge:
    def __init__(
        self,
        problem: Problem,
        solution: Solution,
        around: Around,
        placed: AbstractSet[frozenset[UUID]],
    ) -> None:
        self._obstacles = Obstacles(problem, solution)
        self._around = around
        self._placed = placed
        self._candidates = {frozenset((c.delegate_id, c.local_id)): c for c in problem.candidates}
        company_of = around.barred.company_of
        self._meets = {
            (person, company_of[other])
            for pair in placed
            for person in pair
            for other in pair - {person}
            if other in company_of
        }

    def of_people(self) -> Iterator[Unmet]:
        for wish in self._around.wishes.positive():
            if frozenset((wish.participant_id, wish.counterpart_id)) not in self._placed:
                code = self._blocking(wish.participant_id, wish.counterpart_id)
                yield Unmet(
                    participant_id=wish.participant_id,
                    counterpart_id=wish.counterpart_id,
                    kind=wish.kind,
                    code=code,
                    reason=said(code),
                )

    def of_companies(self) -> Iterator[Unmet]:
        for wish in self._around.wishes.positive_for_companies():
            others = self._around.wishes.representatives(wish.organization_id)
            if any(frozenset((wish.participant_id, one)) in self._placed for one in others):
                continue
            # The one with whom it would have been worth most stands for the company.
            others.sort(key=lambda one: -self._worth(wish.participant_id, one))
            code = self._blocking(wish.participant_id, others[0]) if others else "not_here"
            yield Unmet(
                participant_id=wish.participant_id,
                organization_id=wish.organization_id,
                kind=wish.kind,
                code=code,
                reason=said(code),
            )

    def expired(self) -> Iterator[Unmet]:
        for wish in self._around.wishes.expired():
            if frozenset((wish.participant_id, wish.counterpart_id)) not in self._placed:
                yield Unmet(
                    participant_id=wish.participant_id,
                    counterpart_id=wish.counterpart_id,
                    kind=wish.kind,
                    code="expired",
                    reason=said("expired"),
                )

    def _worth(self, one: UUID, other: UUID) -> int:
        candidate = self._candidates.get(frozenset((one, other)))
        return candidate.worth if candidate else -1

    def _blocking(self, one: UUID, other: UUID) -> str:
        if self._around.wishes.is_refused(one, other):
            return "refused"
        if why := self._around.barred.why(one, other):
            return why
        candidate = self._candidates.get(frozenset((one, other)))
        if (candidate is None or not candidate.again) and self._is_company_met(one, other):
            return "company_met"
        if candidate is None:
            return "not_here"
        return self._obstacles.of(candidate)

    def _is_company_met(self, one: UUID, other: UUID) -> bool:
        company_of = self._around.barred.company_of
        both = ((one, company_of.get(other)), (other, company_of.get(one)))
        return any(meets in self._meets for meets in both)
