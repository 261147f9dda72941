"""Defining questions: whether a question makes sense by itself and among the others."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.registration.domain import patterns
from services.registration.domain.answers import Refused, cleaned
from services.registration.domain.conditions import (
    Condition,
    cycle,
    fact_fault,
    leaves,
    questions_in,
    shape_fault,
)
from services.registration.domain.questions import LENGTHS, NUMBER_MAX, Facts, Kind, Question
from shared.errors import Fault, Invalid

LIMITS: Mapping[Kind, Collection[str]] = {
    "text": ("length_min", "length_max", "pattern"),
    "long_text": ("length_min", "length_max"),
    "choice": (),
    "several": ("min", "max"),
    "number": ("min", "max", "is_whole"),
    "date": ("min", "max"),
    "file": ("types", "bytes_max"),
    "consent": (),
}
"""Which limits each kind of question may have."""

TESTS: Mapping[Kind, Collection[str]] = {
    "text": ("is", "in", "answered"),
    "long_text": ("answered",),
    "choice": ("is", "in", "answered"),
    "several": ("is", "in", "answered"),
    "number": ("is", "in", "answered", "at_least", "at_most"),
    "date": ("is", "in", "answered"),
    "file": ("answered",),
    "consent": ("answered",),
}
"""What a condition may ask about an answer of each kind."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A question with the stop and the item it belongs to; None stands for all."""

    question: Question
    stop_id: UUID | None
    item_id: UUID | None

    def sees(self, other: "Placed") -> bool:
        """Say whether `other` is asked wherever this one is."""
        return other.stop_id in (None, self.stop_id) and other.item_id in (None, self.item_id)


def check(new: Placed, others: Sequence[Placed], items: Collection[str]) -> None:
    """Check a question among those that are there; raises `Invalid` and names every field.

    `items` are the ids of the mission's programme items.
    """
    question = new.question
    faults = [*_choice_faults(question), *_limit_faults(question)]
    if question.when is not None:
        fault = _condition_fault(new, question.when, others, items)
        faults += [Fault("/when", fault)] if fault else []
    faults += _broken(new, others, items)
    if faults:
        raise Invalid("This question does not make sense.", faults=faults)


def hangs_on(code: str, others: Sequence[Placed]) -> str | None:
    """Name a question whose condition looks at this one, if there is one."""
    return next(
        (o.question.code for o in others if code in questions_in(o.question.when)),
        None,
    )


def _choice_faults(question: Question) -> Iterator[Fault]:
    if question.kind not in ("choice", "several"):
        if question.choices:
            yield Fault("/choices", "Only choice and several have choices.")
    elif not question.choices:
        yield Fault("/choices", "Give what there is to choose from.")
    elif len(set(question.codes)) < len(question.codes):
        yield Fault("/choices", "Each choice needs a code of its own.")


def _limit_faults(question: Question) -> Iterator[Fault]:
    limits = question.limits
    for name in limits:
        if name not in LIMITS[question.kind]:
            yield Fault(f"/limits/{name}", f"A question of kind {question.kind} has no such limit.")
        elif fault := _bound_fault(question.kind, name, limits[name]):
            yield Fault(f"/limits/{name}", fault)
    for low, high in (("min", "max"), ("length_min", "length_max")):
        if low in limits and high in limits and _runs_backwards(limits[low], limits[high]):
            yield Fault(f"/limits/{high}", "The upper limit is below the lower one.")


def _runs_backwards(low: Any, high: Any) -> bool:
    return isinstance(low, str) is isinstance(high, str) and bool(low > high)


def _bound_fault(kind: Kind, name: str, bound: Any) -> str | None:
    if name == "pattern":
        try:
            patterns.parsed(bound)
        except ValueError as error:
            return str(error)
    if name.startswith("length_") and bound > LENGTHS[kind]:
        return f"A text of this kind has {LENGTHS[kind]} characters at most."
    if name in ("min", "max"):
        return _min_max_fault(kind, bound)
    return None


def _min_max_fault(kind: Kind, bound: Any) -> str | None:
    if kind == "date":
        try:
            cleaned(Question(code="", kind="date", label={}), bound, Facts())
        except Refused as refused:
            return refused.wrong.detail
        return None
    if isinstance(bound, str):
        return "This limit is a number."
    if kind == "several" and not (isinstance(bound, int) and bound >= 0):
        return "This limit is a count."
    return None if abs(bound) <= NUMBER_MAX else "This number is too big."


def _condition_fault(
    new: Placed, condition: Condition, others: Sequence[Placed], items: Collection[str]
) -> str | None:
    if fault := shape_fault(condition):
        return fault
    seen = {o.question.code: o.question for o in others if new.sees(o)}
    for leaf in leaves(condition):
        if fault := _leaf_fault(leaf, seen, items):
            return fault
    needs = {o.question.code: list(questions_in(o.question.when)) for o in others}
    needs[new.question.code] = list(questions_in(condition))
    if cycle(needs):
        return "The question would hang on itself in the end."
    return None


def _leaf_fault(
    leaf: Condition, seen: Mapping[str, Question], items: Collection[str]
) -> str | None:
    if "fact" in leaf:
        named = [leaf["is"]] if "is" in leaf else leaf.get("in", [])
        if leaf["fact"] == "items" and not set(map(str, named)) <= set(items):
            return "There is no such programme item in this mission."
        return fact_fault(leaf)
    question = seen.get(leaf["question"])
    if question is None:
        return f"No question {leaf['question']} is asked wherever this one is."
    (test,) = leaf.keys() - {"question"}
    if test not in TESTS[question.kind]:
        return f"A question of kind {question.kind} is not tested by `{test}`."
    wanted = leaf[test] if test == "in" else [leaf[test]]
    if test in ("is", "in") and not all(_can_be(question, value) for value in wanted):
        return f"The question {question.code} never has this answer."
    return None


def _can_be(question: Question, value: object) -> bool:
    match question.kind:
        case "choice" | "several":
            return value in question.codes
        case "number":
            return not isinstance(value, str)
        case _:
            return isinstance(value, str)


def _broken(new: Placed, others: Sequence[Placed], items: Collection[str]) -> Iterator[Fault]:
    """Find conditions of other questions that this one, as it is to be, makes meaningless."""
    known = [*others, new]
    for other in others:
        if new.question.code in questions_in(other.question.when):
            rest = [one for one in known if one is not other]
            assert other.question.when is not None
            if _condition_fault(other, other.question.when, rest, items):
                detail = f"The question {other.question.code} is shown by what is gone here."
                yield Fault("/choices", detail)
