import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.matching.commands import publishing
from shared.errors import Stale
from shared.events import registration as r

if TYPE_CHECKING:
    from tests.services.matching.conftest import House


def pair_of(house: "House", pair: str) -> dict[str, str]:
    delegate, local = pair.split()
    return {
        "delegate_id": str(house.people[delegate]),
        "local_id": str(house.people[local]),
    }


def place(house: "House", pair: str, slot: int, point: str = "T1", **facts: Any) -> dict[str, Any]:
    where = {"starts_at": house.slot(slot).isoformat(), "point_id": str(house.points[point])}
    return pair_of(house, pair) | where | facts


async def edit(
    house: "House", schedule: UUID, command: str, body: Any, revision: int = 1, **facts: Any
) -> httpx2.Response:
    path = f"/api/v1/schedules/{schedule}/{command}"
    return await house.ask("POST", path, body=body, If_Match=f'"{revision}"', **facts)


async def refused(answer: httpx2.Response, pointer: str, said: str) -> None:
    problem = answer.json()
    assert answer.status_code in (409, 422), answer.text
    assert pointer in [fault["pointer"] for fault in problem["errors"]], problem
    assert said in " ".join(fault["detail"] for fault in problem["errors"]), problem


async def entries(house: "House", schedule: UUID) -> dict[str, Any]:
    names = {str(person): name for name, person in house.people.items()}
    found = (await house.get(f"/schedules/{schedule}"))["entries"]
    return {f"{names[e['delegate_id']]} {names[e['local_id']]}": e for e in found}


async def test_a_meeting_is_added_with_an_interpreter_and_locked(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    answer = await edit(house, schedule, "add", place(house, "dora lin", 1))

    assert answer.status_code == 200, answer.text
    assert (answer.json()["revision"], answer.headers["ETag"]) == (2, '"2"')
    found = (await entries(house, schedule))["dora lin"]
    assert found["locked"] is True
    assert found["point"] == "T1"
    assert found["interpreter_needed"] is True
    assert UUID(found["interpreter_id"]) in (house.helpers["ivy"], house.helpers["ian"])
    assert await house.rows("SELECT FROM meeting") == []


async def test_a_meeting_is_moved_locked_and_unlocked(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    await edit(house, schedule, "move", place(house, "dave luo", 3, "T1"))
    found = (await entries(house, schedule))["dave luo"]
    assert (found["point"], found["locked"]) == ("T1", True)
    assert found["starts_at"] == house.slot(3).isoformat().replace("+00:00", "Z")

    await edit(house, schedule, "lock", pair_of(house, "dave luo") | {"locked": False}, 2)
    assert (await entries(house, schedule))["dave luo"]["locked"] is False
    edits = (await house.get(f"/schedules/{schedule}/differences"))["edits"]
    assert [(one["revision"], one["kind"]) for one in edits] == [(3, "unlock"), (2, "move")]


async def test_what_is_taken_out_is_not_in_what_is_published(house: "House") -> None:
    schedule = await house.proposed(
        house.entry("dave luo", 1, "T2"), house.entry("dora lin", 1, "T1", "ivy")
    )
    await edit(house, schedule, "remove", pair_of(house, "dora lin"))
    await publishing.publish(house.database, schedule, lambda: house.slot(1))

    assert await house.states() == {"dave luo": "scheduled"}


@pytest.mark.parametrize(
    ("pair", "slot", "point", "pointer", "said"),
    [
        ("dora luo", 1, "T1", "/delegate_id", "taken then by Sample Dora Co. – Sample Lin Co."),
        ("dave liu", 1, "T1", "/point_id", "T1 is taken then by"),
        ("dave luo", 1, "T1", "/point_id", "T1 is taken then by"),
    ],
)
async def test_an_edit_that_would_put_something_in_two_places_names_the_other_meeting(
    house: "House", pair: str, slot: int, point: str, pointer: str, said: str
) -> None:
    schedule = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"))
    answer = await edit(house, schedule, "add", place(house, pair, slot, point))

    await refused(answer, pointer, said)
    assert answer.json()["code"] == "does_not_fit"
    assert set(await entries(house, schedule)) == {"dora lin"}


async def test_nobody_to_interpret_is_said(house: "House") -> None:
    taken = await house.proposed(house.entry("dave luo", 1, "T2", "ian"))
    both = str(house.helpers["jun"])
    named = place(house, "dora lin", 1, interpreter_id=both)
    await refused(await edit(house, taken, "add", named), "/interpreter_id", "None who speaks")
    named = place(house, "dora lin", 1, interpreter_id=str(house.helpers["ian"]))
    await refused(await edit(house, taken, "add", named), "/interpreter_id", "taken then by")
    await house.rows(
        "UPDATE interpreter SET languages = '{ja}' WHERE id <> $1", house.helpers["ian"]
    )
    answer = await edit(house, taken, "add", place(house, "dora lin", 1))
    await refused(answer, "/interpreter_id", "No interpreter for their languages")


async def test_a_no_an_exclusion_a_veto_and_a_full_day_stop_an_edit(house: "House") -> None:
    schedule = await house.proposed()
    body = {"stop_id": str(house.stop), "participant_id": str(house.people["liu"])}
    wish = body | {"counterpart_id": str(house.people["dave"]), "kind": "no_thanks"}
    assert (await house.ask("PUT", "/api/v1/preferences", body=wish)).status_code == 200
    excluded = {
        "mission_id": str(house.mission),
        "kind": "people",
        "one_id": str(house.people["dora"]),
        "other_id": str(house.people["lin"]),
        "reason": "Sample",
    }
    assert (await house.ask("POST", "/api/v1/exclusions", body=excluded)).status_code == 201
    limit = {"stop_id": str(house.stop), "participant_id": str(house.people["luo"]), "maximum": 0}
    assert (await house.rule("/quotas/people", limit)).status_code == 200

    for pair, said in (
        ("dave liu", "does not want"),
        ("dora lin", "keeps these two apart"),
        ("dave luo", "more meetings than allowed"),
    ):
        await refused(await edit(house, schedule, "add", place(house, pair, 1)), "/local_id", said)


async def test_who_has_no_place_or_met_elsewhere_is_not_added(house: "House", away: Any) -> None:
    await away(house, "dora liu")
    await house.hear((r.ParticipantCancelled(**house.about("luo")), 2))
    schedule = await house.proposed()

    refusal = await edit(house, schedule, "add", place(house, "dave luo", 1))
    await refused(refusal, "/local_id", "Sample Luo Co. has no place at this session")
    refusal = await edit(house, schedule, "add", place(house, "dora liu", 1))
    await refused(refusal, "/local_id", "meet at another stop")


async def test_a_company_is_met_once_unless_it_is_wanted_again(house: "House") -> None:
    await house.rows(
        "UPDATE participant SET organization_id = (SELECT organization_id FROM participant "
        "WHERE id = $1) WHERE id = $2",
        house.people["lin"],
        house.people["liu"],
    )
    schedule = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"))
    refusal = await edit(house, schedule, "add", place(house, "dora liu", 2))
    await refused(refusal, "/delegate_id", "meets this company already: Sample Dora Co.")

    wish = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people["dora"]),
        "counterpart_id": str(house.people["liu"]),
        "kind": "meet",
        "again": True,
    }
    assert (await house.ask("PUT", "/api/v1/preferences", body=wish)).status_code == 200
    answer = await edit(house, schedule, "add", place(house, "dora liu", 2))
    assert answer.status_code == 200, answer.text


async def test_a_closed_point_an_unknown_slot_and_an_unknown_point_are_named(
    house: "House",
) -> None:
    path = f"/api/v1/meeting-sessions/{house.session}/points/{house.points['T2']}/close"
    assert (await house.ask("POST", path, body={"from_slot": 3})).status_code == 200
    schedule = await house.proposed()

    closed = await edit(house, schedule, "add", place(house, "dave luo", 3, "T2"))
    await refused(closed, "/point_id", "T2 is closed then")
    late = place(house, "dave luo", 1) | {"starts_at": house.slot(9).isoformat()}
    await refused(await edit(house, schedule, "add", late), "/starts_at", "No slot")
    lost = place(house, "dave luo", 1) | {"point_id": str(uuid4())}
    await refused(await edit(house, schedule, "add", lost), "/point_id", "No session")
    wrong = pair_of(house, "dave luo")
    wrong = {"delegate_id": wrong["local_id"], "local_id": wrong["delegate_id"]}
    answer = await edit(house, schedule, "remove", wrong)
    await refused(answer, "/delegate_id", "delegation")


async def test_a_meeting_that_begun_or_was_moved_on_the_day_is_not_edited(house: "House") -> None:
    await house.day()
    await house.order(await house.meeting("dora lin"), "start", 1)
    schedule = await house.proposed(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 1, "T2")
    )
    for command, body in (
        ("move", place(house, "dora lin", 3)),
        ("remove", pair_of(house, "dora lin")),
        ("lock", pair_of(house, "dora lin") | {"locked": False}),
    ):
        await refused(await edit(house, schedule, command, body), "/local_id", "begun on the day")


async def test_what_the_day_overtook_is_taken_as_it_is_now(house: "House") -> None:
    await house.day()
    await house.order(await house.meeting("dora lin"), "start", 1)
    schedule = await house.proposed(
        house.entry("dora lin", 3, "T2", "ivy"), house.entry("dave liu", 3, "T2")
    )
    conflicts = (await house.get(f"/schedules/{schedule}/differences"))["conflicts"]
    assert [one["code"] for one in conflicts] == ["fixed"]
    lock = pair_of(house, "dora lin") | {"locked": True}
    assert (await edit(house, schedule, "lock", lock)).status_code == 200

    found = (await entries(house, schedule))["dora lin"]
    assert (found["point"], found["locked"]) == ("T1", True)
    await publishing.publish(house.database, schedule, lambda: house.slot(1), 2)
    assert (await house.states())["dora lin"] == "in_progress"


async def test_an_edit_of_a_revision_that_is_gone_is_refused(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    await edit(house, schedule, "move", place(house, "dave luo", 3))
    late = await edit(house, schedule, "move", place(house, "dave luo", 4))

    assert (late.status_code, late.json()["code"]) == (412, "stale_revision")
    with pytest.raises(Stale):
        await publishing.publish(house.database, schedule, lambda: house.slot(1), 1)
    path = f"/api/v1/schedules/{schedule}/publish"
    unseen = await house.ask("POST", path, If_Match='"1"')
    assert (unseen.status_code, unseen.json()["code"]) == (412, "stale_revision")
    seen = (await house.ask("GET", path.removesuffix("/publish"))).headers["ETag"]
    assert (await house.ask("POST", path, If_Match=seen)).status_code == 200
    over = await edit(house, schedule, "move", place(house, "dave luo", 4), 2)
    assert (over.status_code, over.json()["code"]) == (409, "illegal_state")


async def test_of_edits_at_once_on_one_revision_one_is_taken(house: "House") -> None:
    schedule = await house.proposed()
    wanted = [("dora lin", 1), ("dave luo", 2), ("dave liu", 3), ("dora luo", 4)]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(edit(house, schedule, "add", place(house, *one)) for one in wanted)
        )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    assert len(await entries(house, schedule)) == 1


async def test_an_edit_and_publishing_at_once_leave_what_one_of_them_saw(house: "House") -> None:
    for number in range(1, 4):
        schedule = await house.proposed(house.entry("dave luo", number, "T2"))
        body = place(house, "dave luo", number, "T1")
        publishing_ = publishing.publish(house.database, schedule, lambda: house.slot(1), 1)
        edited, published = await asyncio.gather(
            edit(house, schedule, "move", body), publishing_, return_exceptions=True
        )
        assert isinstance(edited, httpx2.Response)
        (entry,) = (await house.get(f"/schedules/{schedule}"))["entries"]
        if isinstance(published, Stale):
            assert (edited.status_code, entry["point"]) == (200, "T1")
        else:
            assert (edited.status_code, entry["point"]) == (409, "T2")


async def test_a_review_is_over_once_something_is_edited(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    boss = house.boss
    path = f"/api/v1/schedules/{schedule}/review"
    assert (await house.ask("POST", path, boss, If_Match='"1"')).status_code == 200
    seen = await house.get(f"/schedules/{schedule}/differences")
    assert seen["reviewed_by"] == str(boss.subject)

    await edit(house, schedule, "move", place(house, "dave luo", 3))
    assert (await house.get(f"/schedules/{schedule}/differences"))["reviewed_at"] is None
    assert (await house.ask("POST", path, boss, If_Match='"1"')).status_code == 412


async def test_options_of_a_version_are_those_that_an_edit_takes(house: "House") -> None:
    schedule = await house.proposed(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 2, "T2")
    )
    query = "&".join(f"{name}={value}" for name, value in pair_of(house, "dora luo").items())
    found = (await house.get(f"/schedules/{schedule}/options?{query}"))["items"]

    assert [(one["starts_at"], one["point"]) for one in found] == [
        (house.slot(slot).isoformat().replace("+00:00", "Z"), point)
        for slot in (3, 4)
        for point in ("T1", "T2")
    ]
    for one in found:
        body = pair_of(house, "dora luo") | {k: one[k] for k in ("starts_at", "point_id")}
        schedule = await house.proposed(
            house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 2, "T2")
        )
        assert (await edit(house, schedule, "add", body)).status_code == 200


async def test_differences_are_told_person_by_person(house: "House") -> None:
    await house.day()
    schedule = await house.proposed(
        house.entry("dora lin", 1, "T1", "ian"),
        house.entry("dave luo", 3, "T2"),
        house.entry("dave liu", 4, "T2"),
    )
    found = await house.get(f"/schedules/{schedule}/differences")
    people = {
        one["participant_id"]: [change["kind"] for change in one["changes"]]
        for one in found["people"]
    }
    names = house.people | house.helpers

    assert people == {
        str(names["dora"]): ["moved", "cancelled"],
        str(names["dave"]): ["moved", "added"],
        str(names["lin"]): ["moved"],
        str(names["luo"]): ["moved"],
        str(names["liu"]): ["cancelled", "added"],
        str(names["ivy"]): ["cancelled", "cancelled"],
        str(names["ian"]): ["added"],
    }
    assert (found["changes"], found["conflicts"]) == (4, [])


async def test_differences_say_what_stands_in_the_way(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    await house.hear((r.ParticipantCancelled(**house.about("luo")), 2))
    (conflict,) = (await house.get(f"/schedules/{schedule}/differences"))["conflicts"]

    assert conflict["code"] == "no_place"
    assert "Sample Luo Co. has no place" in conflict["reason"]["en"]
    assert "没有名额" in conflict["reason"]["zh"]


@pytest.mark.parametrize("role", ["partner_staff", "door_staff", "delegate", "local", "screen"])
async def test_versions_are_for_mission_staff_alone(house: "House", role: Any) -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    stranger = house.someone(role, partner_id=house.partner)
    elsewhere = house.someone("mission_staff", mission_id=uuid4())
    query = "&".join(f"{name}={value}" for name, value in pair_of(house, "dave luo").items())
    for who in (stranger, elsewhere):
        for path in ("differences", f"options?{query}"):
            answer = await house.ask("GET", f"/api/v1/schedules/{schedule}/{path}", who)
            assert answer.status_code == 403
        for command, body in (
            ("add", place(house, "dora luo", 1)),
            ("move", place(house, "dave luo", 3)),
            ("remove", pair_of(house, "dave luo")),
            ("lock", pair_of(house, "dave luo") | {"locked": True}),
            ("review", None),
        ):
            path = f"/api/v1/schedules/{schedule}/{command}"
            answer = await house.ask("POST", path, who, body=body, If_Match='"1"')
            assert answer.status_code == 403
