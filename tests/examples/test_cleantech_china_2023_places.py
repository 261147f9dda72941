"""The sample mission adds up: places, hours, interpreters, and what happens on the days."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

Record = dict[str, Any]


def wanting(people: list[Record], stop: str, item: str) -> list[Record]:
    return [p for p in people if item in p["items"].get(stop, [])]


def wanting_items(person: Record) -> list[str]:
    return [item for items in person["items"].values() for item in items]


def test_the_rush_fills_every_item_exactly_and_the_late_find_no_place(
    data: Record, people: list[Record]
) -> None:
    for stop in data["stops"]:
        for item in stop["programme"]:
            wanted = wanting(people, stop["slug"], item["slug"])
            rush = [p for p in wanted if p["arrives"] == "rush"]

            assert len(rush) == item["capacity"], (stop["slug"], item["slug"])


def test_late_comers_wait_for_the_conference_and_most_for_matchmaking(
    data: Record, locals_: list[Record]
) -> None:
    late = [p for p in locals_ if p["arrives"] == "late"]

    counts = Counter(p["stops"][0] for p in late)
    assert [counts[s["slug"]] for s in data["stops"]] == [12, 16, 10, 6]
    assert all("conference" in wanting_items(p) for p in late)
    assert sum("matchmaking" in wanting_items(p) for p in late) > len(late) / 2


def test_delegates_attend_everything_and_locals_one_stop(
    data: Record, delegates: list[Record], locals_: list[Record]
) -> None:
    everything = {s["slug"]: [i["slug"] for i in s["programme"]] for s in data["stops"]}

    assert all(p["items"] == everything for p in delegates)
    assert all(len(p["stops"]) == 1 and list(p["items"]) == p["stops"] for p in locals_)
    assert [i["requires_approval"] for s in data["stops"] for i in s["programme"]].count(True) == 1


def test_matchmaking_is_for_those_whose_needs_a_delegate_can_meet(
    delegates: list[Record], locals_: list[Record]
) -> None:
    offered = {x["sector"] for p in delegates for x in p["listings"] if x["kind"] == "offer"}
    assert len(offered) == 10

    for local in locals_:
        wanted = {x["sector"] for x in local["listings"] if x["kind"] in {"need", "project"}}
        assert bool(wanted & offered) == ("matchmaking" in wanting_items(local)), local["ref"]


def test_interpreters_are_scarce_but_not_missing(
    data: Record, delegates: list[Record], locals_: list[Record]
) -> None:
    assert sum("zh" in p["person"]["languages"] for p in delegates) == 4
    english = sum("en" in p["person"]["languages"] for p in locals_) / len(locals_)
    assert 0.42 < english < 0.48
    # All 16 delegates sit at a table; 12 of them and most locals share no language.
    without_common_language = 12 * (1 - english)
    for stop in data["stops"]:
        interpreters = len(stop["interpreters"])
        assert 6 <= interpreters <= 9
        assert abs(interpreters - without_common_language) < 2
        assert 16 <= len(stop["points"]) <= 20


def test_sessions_fit_into_their_items(data: Record) -> None:
    for stop in data["stops"]:
        items = {i["slug"]: i for i in stop["programme"]}
        for session in stop["sessions"]:
            item = items[session["item"]]
            assert item["kind"] == "matchmaking"
            assert all(0 < b["after_slot"] < session["slots"] for b in session["breaks"])
            assert 8 <= session["slots"] <= 12
            assert 15 <= session["slot_minutes"] <= 20
            minutes = session["slots"] * session["slot_minutes"]
            minutes += sum(b["minutes"] for b in session["breaks"])
            day = stop["date"].isoformat()
            starts = datetime.fromisoformat(f"{day}T{session['starts']}")
            ends = starts + timedelta(minutes=minutes)
            assert item["starts"] <= session["starts"]
            assert ends <= datetime.fromisoformat(f"{day}T{item['ends']}")


def test_items_of_a_stop_follow_one_another(data: Record) -> None:
    for stop in data["stops"]:
        hours = [(i["starts"], i["ends"]) for i in stop["programme"]]
        assert all(starts < ends for starts, ends in hours)
        assert all(a[1] <= b[0] for a, b in pairwise(hours))


def test_the_days_disturb_people_and_tables_that_exist(
    data: Record, rehearsal: Record, people: list[Record]
) -> None:
    by_ref = {p["ref"]: p for p in people}
    stops = {s["slug"]: s for s in data["stops"]}
    assert [s for s, day in rehearsal["stops"].items() if "late_bus" in day] == ["nanjing"]
    assert [s for s, day in rehearsal["stops"].items() if "lost_table" in day] == ["shenzhen"]
    for slug, day in rehearsal["stops"].items():
        for ref in day.get("late_bus", {"delegates": []})["delegates"]:
            assert by_ref[ref]["side"] == "delegation"
        if lost := day.get("lost_table"):
            assert lost["label"] in {p["label"] for p in stops[slug]["points"]}
            assert 1 < lost["from_slot"] <= stops[slug]["sessions"][0]["slots"]
        for share in ("no_show_share", "overrun_share", "duplicates"):
            assert 0 < day[share] < 0.2
        assert day["overrun_minutes"] < stops[slug]["sessions"][0]["slot_minutes"]
        assert day["walk_ins"] > 0


def test_those_who_cancel_make_room_for_some_who_wait(
    rehearsal: Record, people: list[Record]
) -> None:
    by_ref = {p["ref"]: p for p in people}
    for slug, day in rehearsal["stops"].items():
        gone = [by_ref[ref] for ref in day["cancellations"]]
        assert 3 <= len(set(day["cancellations"])) == len(gone) <= 6
        assert all(p["stops"] == [slug] and p["arrives"] == "rush" for p in gone)
        assert all("Sample" in p["organization"]["name"] for p in gone)
        for item in ("conference", "matchmaking"):
            waiting = [p for p in wanting(people, slug, item) if p["arrives"] == "late"]
            assert 0 < len(wanting(gone, slug, item)) <= len(waiting)
