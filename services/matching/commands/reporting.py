"""Reporting: what disturbed the day, checked against what is known of it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.matching.commands.surveying import Survey
from services.matching.domain.meetings import Meeting
from services.matching.domain.repair.record import Away, AwayKind, Couple, Happened, Kind, Lost
from shared.errors import Conflict, Fault, Invalid

Report = Mapping[str, Any]
"""What a caller reports, by the names of the body's fields, `kind` among them."""

WISHES_MAX = 5
"""How many waiting wishes of one person are placed at once, where nobody is named."""


def happened(report: Report, known: Survey, now: datetime) -> Happened:
    """Say what a report means for the day.

    Raises `Invalid` for who or what is not part of it, or for times that are over, and `Conflict`
    for a meeting that is not in progress.
    """
    return _READ[report["kind"]](report, known, now)


def _late(report: Report, known: Survey, now: datetime) -> Happened:
    person = _person(report, known, "person_id")
    return _away("late", person, (now, report["until"]), "until")


def _leaves(report: Report, known: Survey, now: datetime) -> Happened:
    person = _person(report, known, "person_id")
    since = max(report["since"], now)
    return _away("leaves_early", person, (since, _end(known)), "since")


def _unavailable(report: Report, known: Survey, now: datetime) -> Happened:
    person: UUID = report["interpreter_id"]
    if person not in known.interpreters:
        raise _invalid("interpreter_id", "No interpreter of this stop.")
    time = (max(report["since"] or now, now), report["until"] or _end(known))
    return _away("unavailable", person, time, "until" if report["until"] else "since")


def _lost(report: Report, known: Survey, now: datetime) -> Happened:
    point: UUID = report["point_id"]
    if not any(point == one.id for place in known.places for one in place.points):
        raise _invalid("point_id", "No session of this stop has this point.")
    lost = Lost(point_id=point, closed_from=max(report["since"] or now, now))
    return Happened(kind="point_lost", subject_id=point, closings=(lost,))


def _overrun(report: Report, known: Survey, now: datetime) -> Happened:
    meeting = known.meetings.get(report["meeting_id"])
    if meeting is None:
        raise _invalid("meeting_id", "No meeting of this stop.")
    if meeting.state != "in_progress":
        detail = f"Only a meeting in progress runs over; this one is {meeting.state}."
        raise Conflict(detail, code="illegal_state")
    until = meeting.spot.ends_at + timedelta(minutes=report["minutes"])
    if until <= now:
        raise _invalid("minutes", "That is over already.")
    return _running_over(meeting, until)


def _running_over(meeting: Meeting, until: datetime) -> Happened:
    absences = tuple(
        Away(resource_id=resource, starts_at=meeting.spot.ends_at, ends_at=until, kind="overrun")
        for resource in meeting.resources
    )
    return Happened(kind="overrun", subject_id=meeting.id, absences=absences)


def _placement(report: Report, known: Survey, now: datetime) -> Happened:
    del now
    person = _person(report, known, "participant_id")
    named: list[UUID] = report["counterpart_ids"]
    pairs = [_sided(known, person, number, other) for number, other in enumerate(named)]
    if not pairs:
        waiting = [pair for pair in known.waiting() if person in pair]
        pairs = waiting[: min(known.room(person), WISHES_MAX)]
    if not pairs:
        raise _invalid("counterpart_ids", "No wish waits here: say whom to meet.")
    couples = tuple(Couple(delegate_id=one, local_id=other) for one, other in pairs)
    return Happened(kind="placement", subject_id=person, wanted=couples)


def _sided(known: Survey, person: UUID, number: int, other: UUID) -> tuple[UUID, UUID]:
    field = f"counterpart_ids/{number}"
    if other not in known.people or known.people[other].side == known.people[person].side:
        raise _invalid(field, "Nobody of the other side with a place among the meetings here.")
    is_delegate = known.people[person].side == "delegation"
    pair = (person, other) if is_delegate else (other, person)
    if any(one.people == pair for one in known.meetings.values()):
        raise _invalid(field, "These two have a meeting here.")
    if frozenset(pair) in known.met_elsewhere:
        raise _invalid(field, "These two meet at another stop.")
    if known.room(person) <= number or not known.room(other):
        raise _invalid(field, "One of the two has as many meetings as the quota allows.")
    return pair


def _person(report: Report, known: Survey, field: str) -> UUID:
    person: UUID = report[field]
    if person not in known.people:
        raise _invalid(field, "Nobody with a place among the meetings here.")
    return person


def _away(kind: AwayKind, resource: UUID, time: tuple[datetime, datetime], field: str) -> Happened:
    starts_at, ends_at = time
    if ends_at <= starts_at:
        raise _invalid(field, "Nothing of the day is left for this time.")
    away = Away(resource_id=resource, starts_at=starts_at, ends_at=ends_at, kind=kind)
    return Happened(kind=kind, subject_id=resource, absences=(away,))


def _end(known: Survey) -> datetime:
    end = known.ends_at()
    if end is None:
        raise Conflict("No meeting session is planned at this stop.", code="no_session")
    return end


def _invalid(field: str, detail: str) -> Invalid:
    return Invalid(detail, faults=[Fault(f"/happened/{field}", detail)])


_READ: Mapping[Kind, Callable[[Report, Survey, datetime], Happened]] = {
    "late": _late,
    "leaves_early": _leaves,
    "unavailable": _unavailable,
    "point_lost": _lost,
    "overrun": _overrun,
    "placement": _placement,
}
