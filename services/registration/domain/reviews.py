"""Reviews: scores on a scale from 1 to 5, their weighted mean, and where reviewers disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.errors import Conflict, Fault, Invalid

SCALE = (1, 2, 3, 4, 5)
SPREAD_MAX = 1
"""Further apart than this, two scores of one criterion are a disagreement,"""
MEAN_SPREAD_MAX = 1.0
"""and so are two reviewers' weighted means."""

Scores = Mapping[UUID, int]
Weights = Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Spread:
    """How far apart reviewers are."""

    lowest: float
    highest: float
    is_disputed: bool

    @property
    def width(self) -> float:
        """Give the distance between the lowest and the highest."""
        return self.highest - self.lowest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the reviews of one application come to; None where nobody has scored yet."""

    mean: float | None
    overall: Spread | None
    by_criterion: Mapping[UUID, Spread]

    @property
    def is_disputed(self) -> bool:
        """Say whether the reviewers disagree, in one criterion or on the whole."""
        spreads = [*self.by_criterion.values(), *([self.overall] if self.overall else [])]
        return any(spread.is_disputed for spread in spreads)


def weighted_mean(scores: Scores, weights: Weights) -> float:
    """Give the mean of one reviewer's scores by the criteria's weights."""
    total = sum(weights[criterion] for criterion in scores)
    return sum(score * weights[criterion] for criterion, score in scores.items()) / total


def verdict(reviews: Sequence[Scores], weights: Weights) -> Verdict:
    """Sum the reviews up: every reviewer counts the same."""
    if not reviews:
        return Verdict(None, None, {})
    means = [weighted_mean(scores, weights) for scores in reviews]
    by_criterion = {
        criterion: _spread([scores[criterion] for scores in reviews], SPREAD_MAX)
        for criterion in weights
    }
    return Verdict(sum(means) / len(means), _spread(means, MEAN_SPREAD_MAX), by_criterion)


def _spread(values: Sequence[float], width_max: float) -> Spread:
    lowest, highest = min(values), max(values)
    # Weighted means are sums of fractions: a hair more than the limit is the limit.
    return Spread(lowest, highest, highest - lowest > width_max + 1e-9)


def check_complete(given: Sequence[UUID], weights: Weights) -> None:
    """Raise `Invalid` unless every criterion is scored once, and nothing else is."""
    faults = [
        Fault(f"/scores/{place}/criterion_id", "This is not a criterion of this mission.")
        for place, criterion in enumerate(given)
        if criterion not in weights
    ]
    if len(set(given)) < len(given):
        faults.append(Fault("/scores", "A criterion is scored once."))
    if missing := [criterion for criterion in weights if criterion not in given]:
        faults.append(Fault("/scores", f"{len(missing)} of the criteria are not scored."))
    if faults:
        raise Invalid("A review scores every criterion.", faults=faults)


def may_see(*, has_reviewed: bool, is_reviewable: bool) -> bool:
    """Say whether somebody sees the others' scores: after his own, or when none is taken more."""
    return has_reviewed or not is_reviewable


def check_stands(*, was_abstention: bool) -> None:
    """Raise `Conflict` when somebody scores who abstained, and so has seen the others' scores."""
    if was_abstention:
        raise Conflict("Who abstained has seen the others' scores.", code="abstained")
