"""Checking: what the installation says at the end, held against what the rehearsal did."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.rehearsal.meetings import Meeting
from services.rehearsal.registering import Acknowledged

NAMED_MAX = 5

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Clash:
    """Two meetings that need one and the same at one time."""

    kind: Literal["person", "point", "interpreter"]
    needed: str
    one: Meeting
    other: Meeting


def clashes(meetings: Iterable[Meeting]) -> list[Clash]:
    """Find every pair of meetings that overlap and share a person, a point or an interpreter.

    Times are half-open: a meeting may begin when another ends. Cancelled ones need nothing.
    """
    needs: dict[tuple[Literal["person", "point", "interpreter"], str], list[Meeting]] = {}
    for meeting in meetings:
        if meeting.state == "cancelled":
            continue
        for person in meeting.people:
            needs.setdefault(("person", person), []).append(meeting)
        needs.setdefault(("point", meeting.point_id), []).append(meeting)
        if meeting.interpreter_id:
            needs.setdefault(("interpreter", meeting.interpreter_id), []).append(meeting)
    return [
        Clash(kind, needed, one, other)
        for (kind, needed), those in needs.items()
        for one, other in _overlapping(those)
    ]


def _overlapping(meetings: Collection[Meeting]) -> list[tuple[Meeting, Meeting]]:
    """Pair meetings that overlap: in order of time, each is held against those still going on."""
    found: list[tuple[Meeting, Meeting]] = []
    going_on: list[Meeting] = []
    for meeting in sorted(meetings, key=lambda m: (m.starts_at, m.meeting_id)):
        going_on = [one for one in going_on if one.ends_at > meeting.starts_at]
        found += [(one, meeting) for one in going_on]
        going_on.append(meeting)
    return found


def meeting_faults(
    known: Mapping[str, Meeting], found: Mapping[str, Meeting], stop: str
) -> list[str]:
    """Say how the meetings that were read back differ from those the rehearsal left."""
    faults = [
        f"{stop}: meeting {one} is {_told(found[one])}; the rehearsal left it {_told(known[one])}."
        for one in known
        if one in found and found[one] != known[one]
    ]
    faults += [f"{stop}: meeting {one} is not there any more." for one in known.keys() - found]
    faults += [f"{stop}: meeting {one} was made by nobody." for one in found.keys() - known]
    return _some(faults, stop)


def unplayed_faults(meetings: Iterable[Meeting], stop: str) -> list[str]:
    """Say which meetings the day left open."""
    done = ("completed", "no_show", "cancelled")
    left = [
        f"{stop}: meeting {m.meeting_id} is {_told(m)}." for m in meetings if m.state not in done
    ]
    return _some(left, stop)


def _told(meeting: Meeting) -> str:
    where = f"{meeting.starts_at.isoformat()} at {meeting.point}"
    return f"{meeting.state} at revision {meeting.revision}, {where}"


def registration_faults(
    acknowledged: Collection[Acknowledged],
    checked_in: Collection[str],
    rows: Sequence[Row],
    stop: str,
) -> list[str]:
    """Say which acknowledged registrations and arrivals a stop's list does not hold."""
    found = {row["id"]: row for row in rows}
    faults = [
        f"{stop}: the registration of {one.ref} to {one.item} was acknowledged and is lost."
        for one in acknowledged
        if one.id not in found
    ]
    faults += [
        f"{stop}: registration {one} was checked in, and its list does not say so."
        for one in checked_in
        if one in found and found[one]["checked_in_at"] is None
    ]
    known = {one.id for one in acknowledged}
    faults += [
        f"{stop}: registration {one} was made by nobody." for one in found if one not in known
    ]
    twice = Counter((row["participant_id"], row["item"]) for row in rows)
    faults += [
        f"{stop}: {person} is registered {count} times to {item}."
        for (person, item), count in twice.items()
        if count > 1
    ]
    return _some(faults, stop)


def number_faults(numbers: Row, rows: Sequence[Row], stop: str) -> list[str]:
    """Say where a stop's numbers differ from its list, or an item has more people than places."""
    held = ("confirmed", "pending_approval")
    counted = {
        "registered": len({r["participant_id"] for r in rows if r["status"] in held}),
        "waitlisted": len({r["participant_id"] for r in rows if r["status"] == "waitlisted"}),
        "checked_in": len({r["participant_id"] for r in rows if r["checked_in_at"]}),
    }
    faults = [
        f"{stop}: the numbers say {numbers[name]} {name}, the list holds {count}."
        for name, count in counted.items()
        if numbers[name] != count
    ]
    taken = Counter(row["item"] for row in rows if row["status"] in held)
    faults += [
        f"{stop}: {item['slug']} has {taken[item['slug']]} people for {item['capacity']} places."
        for item in numbers["items"]
        if taken[item["slug"]] > item["capacity"]
    ]
    return faults


def _some(faults: list[str], stop: str) -> list[str]:
    """Name the first few, and count the rest."""
    rest = len(faults) - NAMED_MAX
    return [*faults[:NAMED_MAX], *([f"{stop}: and {rest} more like these."] if rest > 0 else [])]
