"""The roster: what a phone at the door may know about who is expected."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.registration.domain.names import search_text

KEPT_AFTER_MIDNIGHT = timedelta(hours=4)
"""A reception may end late, and scans of it be sent later still."""
KEPT_WHEN_LATE = timedelta(hours=12)
"""Of a stop whose day is over: in a rehearsal, or when a list is put right afterwards."""


def forgotten_at(held_on: date, zone: str, now: datetime) -> datetime:
    """Say when phones must have forgotten a roster taken now: the night after the stop's day."""
    midnight = datetime.combine(held_on + timedelta(days=1), time(), ZoneInfo(zone))
    night = (midnight + KEPT_AFTER_MIDNIGHT).astimezone(UTC)
    return night if now < night else now + KEPT_WHEN_LATE


def people(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Gather registrations by person: names, what is searched, the badge's digest, and states."""
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        person = found.get(row["person_id"])
        if person is None:
            person = found[row["person_id"]] = _person(row)
        person["registrations"].append(
            {
                "programme_item_id": row["programme_item_id"],
                "status": row["status"],
                "checked_in_at": row["checked_in_at"],
                "check_in_undone_at": row["check_in_undone_at"],
            }
        )
    return list(found.values())


def _person(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("full_name", "native_name", "organization", "native_organization")
    return {
        "id": row["person_id"],
        "side": "delegation" if row["role"] == "delegate" else "local",
        "digest": row["digest"].hex() if row["digest"] else None,
        **{name: row[name] for name in names},
        "search": search_text(
            row["full_name"],
            row["native_name"],
            row["latin_name"],
            row["organization"],
            row["native_organization"],
        ),
        "registrations": [],
    }
