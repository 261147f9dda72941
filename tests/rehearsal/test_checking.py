"""The checker of the end: it must find every kind of clash and every loss, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from services.rehearsal.checking import (
    clashes,
    meeting_faults,
    number_faults,
    registration_faults,
    unplayed_faults,
)
from services.rehearsal.meetings import Meeting
from services.rehearsal.registering import Acknowledged

Make = Callable[..., Meeting]

FREE = {"people": ("d2", "l2"), "point_id": "t2", "interpreter_id": "i2"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"people": ("d1", "l2")}, "person"),
        ({"people": ("d2", "l1")}, "person"),
        ({"point_id": "t1"}, "point"),
        ({"interpreter_id": "i1"}, "interpreter"),
        ({"people": ("d1", "l2"), "stop_id": "another city"}, "person"),
        ({"point_id": "t1", "at": 19}, "point"),
        ({"point_id": "t1", "at": -19}, "point"),
        ({"point_id": "t1", "state": "completed"}, "point"),
        ({"point_id": "t1", "state": "no_show"}, "point"),
    ],
)
def test_everything_in_two_places_at_once_is_found(
    meeting: Make, changes: dict[str, Any], kind: str
) -> None:
    found = clashes([meeting("m1", interpreter_id="i1"), meeting("m2", **(FREE | changes))])

    assert [(c.kind, {c.one.meeting_id, c.other.meeting_id}) for c in found] == [
        (kind, {"m1", "m2"})
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"point_id": "t1", "at": 20},
        {"point_id": "t1", "at": -20},
        {"point_id": "t1", "state": "cancelled"},
        {"interpreter_id": None},
    ],
)
def test_what_only_touches_is_no_clash(meeting: Make, changes: dict[str, Any]) -> None:
    found = clashes([meeting("m1", interpreter_id="i1"), meeting("m2", **(FREE | changes))])

    assert found == []


def test_nobody_without_an_interpreter_shares_one(meeting: Make) -> None:
    free = {"people": ("d2", "l2"), "point_id": "t2"}

    assert clashes([meeting("m1"), meeting("m2", **free)]) == []


def test_every_pair_of_three_is_found(meeting: Make) -> None:
    three = [
        meeting(f"m{n}", people=(f"d{n}", f"l{n}"), point_id="t1", at=at)
        for n, at in enumerate((0, 5, 15))
    ]

    assert len(clashes(three)) == 3


def test_a_long_meeting_clashes_beyond_its_neighbour(meeting: Make) -> None:
    long = meeting("m1", ends_at=meeting(at=60).starts_at)
    others = [
        meeting(f"m{n}", people=(f"d{n}", f"l{n}"), point_id="t1", at=at)
        for n, at in ((2, 0), (3, 30))
    ]

    found = clashes([long, *others])

    assert {frozenset((c.one.meeting_id, c.other.meeting_id)) for c in found} == {
        frozenset(("m1", "m2")),
        frozenset(("m1", "m3")),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": 3},
        {"state": "called"},
        {"point_id": "t9", "point": "T9"},
        {"at": 20},
        {"delay_minutes": 5},
        {"interpreter_id": "i1"},
    ],
)
def test_a_lost_command_is_found(meeting: Make, changes: dict[str, Any]) -> None:
    left, found = meeting(), meeting(**changes)

    (fault,) = meeting_faults({"m1": left}, {"m1": found}, "shenzhen")

    assert fault.startswith("shenzhen: meeting m1 is ")


def test_lost_and_strange_meetings_are_found(meeting: Make) -> None:
    known, found = {"m1": meeting("m1")}, {"m2": meeting("m2")}

    assert meeting_faults(known, known, "shenzhen") == []
    assert len(meeting_faults(known, found, "shenzhen")) == 2


def test_a_meeting_that_was_left_open_is_found(meeting: Make) -> None:
    ended = [meeting(f"m{n}", state=s) for n, s in enumerate(("completed", "no_show", "cancelled"))]
    left = [meeting("x", state=state) for state in ("scheduled", "called", "in_progress")]

    assert unplayed_faults(ended, "shenzhen") == []
    assert len(unplayed_faults([*ended, *left], "shenzhen")) == 3


def test_many_losses_are_counted_and_some_are_named(meeting: Make) -> None:
    left = [meeting(f"m{n}") for n in range(9)]

    faults = unplayed_faults(left, "shenzhen")

    assert len(faults) == 6
    assert faults[-1] == "shenzhen: and 4 more like these."


def row(name: str, **changes: Any) -> dict[str, Any]:
    facts = {"status": "confirmed", "item": "conference", "checked_in_at": None}
    return {"id": name, "participant_id": f"person of {name}", **facts, **changes}


ONE = Acknowledged("r1", "person of r1", "sz-001", "shenzhen", "conference", "confirmed")


def test_a_list_that_holds_what_was_acknowledged_is_right() -> None:
    rows = [row("r1", checked_in_at="now")]

    assert registration_faults([ONE], {"r1"}, rows, "shenzhen") == []


def test_a_lost_registration_is_found() -> None:
    (fault,) = registration_faults([ONE], set(), [], "shenzhen")

    assert fault == (
        "shenzhen: the registration of sz-001 to conference was acknowledged and is lost."
    )


def test_a_lost_check_in_is_found() -> None:
    (fault,) = registration_faults([ONE], {"r1"}, [row("r1")], "shenzhen")

    assert "r1 was checked in" in fault


def test_a_doubled_registration_is_found() -> None:
    rows = [row("r1"), row("r2", participant_id="person of r1")]

    faults = registration_faults([ONE], set(), rows, "shenzhen")

    assert len(faults) == 2
    assert "registered 2 times" in faults[1]


def numbers(**changes: Any) -> dict[str, Any]:
    items = [{"slug": "conference", "capacity": 1}]
    return {"registered": 1, "waitlisted": 1, "checked_in": 0, "items": items, **changes}


def test_numbers_that_fit_the_list_are_right() -> None:
    rows = [row("r1"), row("r2", status="waitlisted"), row("r3", status="cancelled")]

    assert number_faults(numbers(), rows, "shenzhen") == []


@pytest.mark.parametrize("name", ["registered", "waitlisted", "checked_in"])
def test_a_wrong_number_is_found(name: str) -> None:
    rows = [row("r1"), row("r2", status="waitlisted")]

    (fault,) = number_faults(numbers(**{name: 7}), rows, "shenzhen")

    assert f"7 {name}" in fault


def test_an_oversold_item_is_found() -> None:
    (fault,) = number_faults(
        numbers(registered=2, waitlisted=0), [row("r1"), row("r2")], "shenzhen"
    )

    assert fault == "shenzhen: conference has 2 people for 1 places."
