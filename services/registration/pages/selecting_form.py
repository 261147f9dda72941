"""The forms of mission staff: a call, the texts to certify, a review, a letter."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from services.registration.application_bodies import CallBody, LetterBody, ReviewBody
from services.registration.commands.applications.calls import Call
from services.registration.domain.applications import CERTIFICATIONS
from shared.web.numbers import number

LINES = 10
"""How many criteria and questions are read from the form."""
ZONES = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "UTC",
)
NOT_OF_THE_CALL = ("revision", "code.", *(f"{code}_" for code in CERTIFICATIONS))
NUMBERS = ("participants_min", "participants_max", "days_to_confirm")


def kept(call: Call | None) -> dict[str, Any]:
    """Give what the form shows of a call as it is published."""
    if call is None:
        return {"timezone": ZONES[0], "days_to_confirm": 14}
    row, zone = call.row, ZoneInfo(call.row["timezone"])
    values: dict[str, Any] = {name: row[name] for name in (*NUMBERS, "timezone")}
    for name in ("opens_at", "closes_at"):
        values[name] = row[name].astimezone(zone).strftime("%Y-%m-%dT%H:%M")
    values["decide_on"] = row["decide_on"].isoformat()
    for language in ("en", "zh"):
        values[f"statement_{language}"] = row["statement"][language]
        values[f"fee_{language}"] = (row["fee"] or {}).get(language, "")
        for place, criterion in enumerate(call.criteria):
            values[f"criterion_{language}.{place}"] = criterion["title"][language]
        for place, question in enumerate(row["questions"]):
            values[f"question_{language}.{place}"] = question["text"][language]
    for place, criterion in enumerate(call.criteria):
        values[f"weight.{place}"] = criterion["weight"]
    for place, question in enumerate(row["questions"]):
        values[f"code.{place}"] = question["code"]
        values[f"needed.{place}"] = question["is_needed"]
    return values


def shown(given: FormData) -> dict[str, Any]:
    """Give what somebody typed, to be shown again."""
    return {name: str(value) for name, value in given.multi_items()}


def is_call_unpublished(given: Mapping[str, Any], published: Call | None) -> bool:
    """Say whether what is typed of a call is not what is published."""
    was = kept(published)
    names = [name for name in {**was, **given} if not name.startswith(NOT_OF_THE_CALL)]
    return any(_plain(given.get(name)) != _plain(was.get(name)) for name in names)


def are_texts_unpublished(given: Mapping[str, Any], shown: Mapping[str, str]) -> bool:
    """Say whether a text to certify is not what the form has `shown`, by the field's name."""
    return any(_plain(given.get(name, text)) != _plain(text) for name, text in shown.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value).replace("\r\n", "\n").strip()


def lines(values: Mapping[str, Any], name: str) -> int:
    """Count the lines to show: all that are filled in, and two more to fill in."""
    filled = [
        int(key.rpartition(".")[2])
        for key, value in values.items()
        if key.startswith(f"{name}_") and value and key.rpartition(".")[2].isdecimal()
    ]
    return min(max(filled, default=0) + 3, LINES)


def call(given: FormData) -> CallBody:
    """Read a call; raises `pydantic.ValidationError`."""
    values = shown(given)
    zone = values.get("timezone", "")
    fee = _both(values, "fee_", "")
    return CallBody.model_validate(
        {
            "statement": _both(values, "statement_", ""),
            "fee": fee if any(fee.values()) else None,
            "timezone": zone,
            "opens_at": _moment(values, "opens_at", zone),
            "closes_at": _moment(values, "closes_at", zone),
            "decide_on": values.get("decide_on", ""),
            **{name: number(values.get(name, "")) for name in NUMBERS},
            "criteria": [
                {
                    "title": _both(values, "criterion_", f".{place}"),
                    "weight": number(values.get(f"weight.{place}", "")),
                }
                for place in range(LINES)
                if any(_both(values, "criterion_", f".{place}").values())
            ],
            "questions": [
                {
                    "code": values.get(f"code.{place}") or f"question_{place + 1}",
                    "text": _both(values, "question_", f".{place}"),
                    "is_needed": values.get(f"needed.{place}") == "yes",
                }
                for place in range(LINES)
                if any(_both(values, "question_", f".{place}").values())
            ],
        }
    )


def review(given: FormData) -> ReviewBody:
    """Read a review; raises `pydantic.ValidationError`."""
    values = shown(given)
    return ReviewBody.model_validate(
        {
            "abstain": values.get("do") == "abstain",
            "scores": []
            if values.get("do") == "abstain"
            else [
                {
                    "criterion_id": name.removeprefix("score."),
                    "score": number(value),
                    "comment": values.get(f"comment.{name.removeprefix('score.')}", ""),
                }
                for name, value in values.items()
                if name.startswith("score.") and value
            ],
        }
    )


def letter(given: FormData) -> LetterBody:
    """Read who is invited; raises `pydantic.ValidationError`."""
    values = shown(given)
    position = _both(values, "position_", "")
    return LetterBody.model_validate(
        {
            "full_name": values.get("full_name", ""),
            "native_name": values.get("native_name", "").strip() or None,
            "position": position if any(position.values()) else None,
            "valid_until": values.get("valid_until", ""),
        }
    )


def moved_up(order: list[UUID], up: UUID) -> list[UUID]:
    """Give the order with one application a place further up."""
    place = order.index(up) if up in order else 0
    if place == 0:
        return order
    return [*order[: place - 1], up, order[place - 1], *order[place + 1 :]]


def _both(values: Mapping[str, str], before: str, after: str) -> dict[str, str]:
    return {
        language: values.get(f"{before}{language}{after}", "").strip() for language in ("en", "zh")
    }


def _moment(values: Mapping[str, str], name: str, zone: str) -> str:
    """Read a time of the clock in the call's zone; what is none stays, as it is no moment."""
    text = values.get(name, "")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except (ValueError, OSError, KeyError):
        return text
