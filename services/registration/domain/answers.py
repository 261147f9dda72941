"""Answers: each kind of question's own rule, and the one way in which an answer is kept."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, cast

from services.registration.domain.patterns import matches
from services.registration.domain.questions import (
    FILE_BYTES_MAX,
    FILE_TYPES,
    LENGTHS,
    NUMBER_MAX,
    YEARS,
    Facts,
    Question,
    Wrong,
    elements_of,
)

# Not str.strip(): what counts as a space has to be the same in the browser.
SPACES = (
    " \t\n\r\v\f\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_ODD_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,6})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Refused(Exception):
    """An answer is wrong: the reason, and the limit it does not keep."""

    def __init__(self, reason: str, limit: float | str | None = None) -> None:
        super().__init__(reason)
        self.wrong = Wrong(reason, limit)


def cleaned(question: Question, value: object, facts: Facts) -> Any:
    """Give an answer in the one way it is kept; None for none. Raises `Refused`."""
    if value is None or value == "":
        return None
    return _CLEANERS[question.kind](question, value, facts)


def _text(question: Question, value: object, facts: Facts) -> str | None:
    del facts
    limits = question.limits
    text = _string(value).replace("\r\n", "\n").replace("\r", "\n").strip(SPACES)
    if not text:
        return None
    if (_ODD_IN_A_LINE if question.kind == "text" else _ODD).search(text):
        raise Refused("character")
    if len(text) < limits.get("length_min", 0):
        raise Refused("too_short", limits["length_min"])
    if len(text) > (most := limits.get("length_max", LENGTHS[question.kind])):
        raise Refused("too_long", most)
    if "pattern" in limits and not matches(elements_of(limits["pattern"]), text):
        raise Refused("pattern")
    return text


def _number(question: Question, value: object, facts: Facts) -> int | float | None:
    del facts
    number = _as_number(value)
    if number is None:
        return None
    limits = question.limits
    if limits.get("is_whole") and not isinstance(number, int):
        raise Refused("whole")
    if "min" in limits and number < limits["min"]:
        raise Refused("too_small", limits["min"])
    if "max" in limits and number > limits["max"]:
        raise Refused("too_big", limits["max"])
    return number


def _as_number(value: object) -> int | float | None:
    number: int | float
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Refused("kind")
    if isinstance(value, str):
        text = _plain(value)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise Refused("number")
        number = float(text)
    else:
        number = value
    # Not a number compares as false with everything.
    if not -NUMBER_MAX <= number <= NUMBER_MAX:
        raise Refused("number")
    return int(number) if number == int(number) else number


def _date(question: Question, value: object, facts: Facts) -> str | None:
    del facts
    text = _plain(_string(value))
    if not text:
        return None
    limits = question.limits
    try:
        if not _DATE.fullmatch(text) or not YEARS[0] <= text <= YEARS[1]:
            raise Refused("date")
        date.fromisoformat(text)
    except ValueError:
        raise Refused("date") from None
    if text < limits.get("min", YEARS[0]):
        raise Refused("too_early", limits["min"])
    if text > limits.get("max", YEARS[1]):
        raise Refused("too_late", limits["max"])
    return text


def _choice(question: Question, value: object, facts: Facts) -> str:
    del facts
    if (code := _string(value)) not in question.codes:
        raise Refused("choice")
    return code


def _several(question: Question, value: object, facts: Facts) -> list[str] | None:
    del facts
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        raise Refused("kind")
    if not set(value) <= set(question.codes):
        raise Refused("choice")
    chosen = [code for code in question.codes if code in value]
    if not chosen:
        return None
    limits = question.limits
    if len(chosen) < limits.get("min", 0):
        raise Refused("too_few", limits["min"])
    if len(chosen) > limits.get("max", len(chosen)):
        raise Refused("too_many", limits["max"])
    return chosen


def _file(question: Question, value: object, facts: Facts) -> str:
    file_id = _string(value)
    file = facts.files.get(file_id)
    if file is None:
        raise Refused("file")
    limits = question.limits
    if file.type not in limits.get("types", FILE_TYPES):
        raise Refused("file_type")
    if file.bytes > (most := limits.get("bytes_max", FILE_BYTES_MAX)):
        raise Refused("file_size", most)
    return file_id


def _consent(question: Question, value: object, facts: Facts) -> bool | None:
    del question, facts
    if not isinstance(value, bool):
        raise Refused("kind")
    return value or None


_CLEANERS = cast(
    "Mapping[str, Callable[[Question, object, Facts], Any]]",
    {
        "text": _text,
        "long_text": _text,
        "number": _number,
        "date": _date,
        "choice": _choice,
        "several": _several,
        "file": _file,
        "consent": _consent,
    },
)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Refused("kind")
    return value


def _plain(text: str) -> str:
    # Who writes Chinese may type full-width figures.
    return unicodedata.normalize("NFKC", text).strip(SPACES)
