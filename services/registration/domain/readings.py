"""Readings: answers in words, as they were asked when they were given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Wording:
    """How a question was asked from a moment on."""

    since: datetime
    definition: Mapping[str, Any]


def read(
    answers: Mapping[str, Any], asked: Mapping[str, Sequence[Wording]], at: datetime
) -> list[dict[str, Any]]:
    """Give each answer with the question as it was asked at the time, in the order of `asked`."""
    return [
        {
            "code": code,
            "kind": now.definition["kind"],
            "label": now.definition["label"],
            "answer": answers[code],
            "choices": _labels(answers[code], now, wordings),
        }
        for code, wordings in asked.items()
        if code in answers
        for now in [_then(wordings, at)]
    ]


def _then(wordings: Sequence[Wording], at: datetime) -> Wording:
    earlier = [wording for wording in wordings if wording.since <= at]
    return earlier[-1] if earlier else wordings[0]


def _labels(answer: Any, now: Wording, wordings: Sequence[Wording]) -> list[Any]:
    """Give the words of what was chosen; a form may have been open while they were changed."""
    if now.definition["kind"] not in ("choice", "several"):
        return []
    words = {
        choice["code"]: choice["label"]
        for wording in (*wordings, now)
        for choice in wording.definition.get("choices", [])
    }
    chosen = answer if isinstance(answer, list) else [answer]
    return [words[code] for code in chosen if code in words]
