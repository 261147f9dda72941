"""Forms: which questions are shown, and what their answers come to.

`pages/static/form.js` has the same rules; one test holds them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.registration.domain.answers import Refused, cleaned
from services.registration.domain.conditions import Values, holds
from services.registration.domain.questions import Answers, Facts, Question, Wrong
from shared.errors import Fault, Invalid


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a form's answers come to."""

    shown: Sequence[str]
    answers: Mapping[str, Any]
    """Of the questions that are shown, in the one way they are kept."""
    wrong: Mapping[str, Wrong]


def checked(questions: Sequence[Question], answers: Answers, facts: Facts) -> dict[str, Any]:
    """Give the answers as they are kept, without those of hidden questions.

    Raises `Invalid` with a fault for each answer that is wrong, and for one that no question asks.
    """
    verdict = judged(questions, answers, facts)
    known = {question.code for question in questions}
    unknown = {code: Wrong("unknown") for code in answers if code not in known}
    faults = [
        Fault(f"/answers/{code}", wrong.detail)
        for code, wrong in {**unknown, **verdict.wrong}.items()
    ]
    if faults:
        raise Invalid("Some answers are missing or wrong.", faults=faults)
    return dict(verdict.answers)


def judged(questions: Sequence[Question], answers: Answers, facts: Facts) -> Verdict:
    """Say which questions are shown, what the answers are, and what is wrong with them."""
    sheet = _Sheet(questions, answers, facts)
    shown = [question for question in questions if sheet.shows(question.code)]
    kept: dict[str, Any] = {}
    wrong: dict[str, Wrong] = {}
    for question in shown:
        value, fault = sheet.value(question.code)
        fault = fault or _missing(question, value, facts)
        if fault is not None:
            wrong[question.code] = fault
        elif value is not None:
            kept[question.code] = value
    return Verdict([question.code for question in shown], kept, wrong)


def _missing(question: Question, value: object, facts: Facts) -> Wrong | None:
    if value is not None or not (question.is_required and facts.is_complete):
        return None
    return Wrong("consent" if question.kind == "consent" else "required")


class _Sheet:
    """One form as it is filled in; each question is looked at once."""

    def __init__(self, questions: Sequence[Question], answers: Answers, facts: Facts) -> None:
        self._questions = {question.code: question for question in questions}
        self._answers = answers
        self._facts = facts
        self._shown: dict[str, bool] = {}
        self._values: dict[str, tuple[Any, Wrong | None]] = {}

    def shows(self, code: str) -> bool:
        if code not in self._shown:
            question = self._questions[code]
            is_asked = question.item is None or question.item in self._facts.items
            self._shown[code] = is_asked and (
                question.when is None or holds(question.when, self._look_up)
            )
        return self._shown[code]

    def value(self, code: str) -> tuple[Any, Wrong | None]:
        if code not in self._values:
            try:
                given = cleaned(self._questions[code], self._answers.get(code), self._facts)
                self._values[code] = given, None
            except Refused as refused:
                self._values[code] = None, refused.wrong
        return self._values[code]

    def _look_up(self, subject: str, name: str) -> Values:
        if subject == "fact":
            return _fact(self._facts, name)
        if name not in self._questions or not self.shows(name):
            return ()
        value = self.value(name)[0]
        if value is None:
            return ()
        return value if isinstance(value, list) else (value,)


def _fact(facts: Facts, name: str) -> Values:
    match name:
        case "side":
            return (facts.side,)
        case "country":
            return (facts.country,)
        case "items":
            return facts.items
        case _:
            return facts.kinds
