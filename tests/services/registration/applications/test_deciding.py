import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from services.registration.commands.applications.deciding import lapse

if TYPE_CHECKING:
    from tests.services.registration.applications.conftest import Company, Selection

IN_TWO_WEEKS = timedelta(days=14)


async def in_review(selection: "Selection", *names: str) -> "list[Company]":
    companies = []
    for name in names:
        company = await selection.submitted(name)
        await selection.led(company, "begin_review")
        companies.append(company)
    return companies


async def statuses(selection: "Selection") -> dict[str, str]:
    rows = await selection.house.rows(
        "SELECT content->'company'->>'name' AS name, status FROM application"
    )
    return {row["name"].removesuffix(" Inc.").lower(): row["status"] for row in rows}


async def test_a_company_is_selected_and_confirms(selection: "Selection") -> None:
    (ana,) = await in_review(selection, "ana")
    selected = await selection.decide(ana, "select")
    assert selected.json()["status"] == "selected"

    confirmed = await selection.decide(ana, "confirm", ana.who)

    assert confirmed.json()["status"] == "confirmed"
    (person,) = await selection.house.rows(
        "SELECT role, organization.name FROM person "
        "JOIN organization ON organization.id = organization_id WHERE person.id = $1",
        ana.who.subject,
    )
    assert tuple(person) == ("delegate", "Ana Inc.")


async def test_a_decision_needs_the_revision_it_was_taken_on(selection: "Selection") -> None:
    (ana,) = await in_review(selection, "ana")
    path, body = f"/applications/{ana.id}/decisions", {"action": "select"}

    missing = await selection.ask("POST", path, body, selection.staff)
    stale = await selection.ask("POST", path, body, selection.staff, If_Match='"1"')

    assert (missing.status_code, stale.status_code) == (428, 412)
    assert await selection.status(ana) == "in_review"


async def test_nobody_decides_what_is_for_somebody_else(selection: "Selection") -> None:
    ana, bo = await in_review(selection, "ana", "bo")
    assert (await selection.decide(ana, "select", ana.who)).status_code == 403
    assert (await selection.decide(ana, "withdraw", bo.who)).status_code == 403
    assert (await selection.decide(ana, "answer", message="x")).status_code == 409
    for action in ("submit", "lapse"):
        assert (await selection.decide(ana, action)).status_code == 422


async def test_no_more_companies_are_selected_than_have_a_place(selection: "Selection") -> None:
    companies = await in_review(selection, "ana", "bo", "chen", "dai")

    answers = await asyncio.gather(*(selection.decide(one, "select") for one in companies))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"mission_full"}
    assert sorted((await statuses(selection)).values()) == ["in_review"] * 2 + ["selected"] * 2


async def test_a_company_that_applied_twice_travels_once(selection: "Selection") -> None:
    (ana,) = await in_review(selection, "ana")
    other = await selection.begun("bo")
    await selection.save(other, selection.written("ana", contact={"full_name": "Sample Bo"}))
    await selection.submit(other)
    await selection.led(other, "begin_review")
    await selection.led(ana, "select")

    answer = await selection.decide(other, "select")

    assert (answer.status_code, answer.json()["code"]) == (409, "company_selected")
    assert await selection.status(other) == "in_review"


@pytest.mark.parametrize("leaving", ["decline", "lapse", "withdraw"])
async def test_a_place_that_becomes_free_goes_to_the_first_in_reserve(
    selection: "Selection", leaving: str
) -> None:
    ana, bo, chen, dai = await in_review(selection, "ana", "bo", "chen", "dai")
    await selection.led(ana, "select")
    await selection.led(bo, "select", "confirm")
    await selection.led(chen, "reserve")
    await selection.led(dai, "reserve")

    if leaving == "decline":
        await selection.decide(ana, "decline", ana.who)
    elif leaving == "withdraw":
        await selection.decide(bo, "withdraw", bo.who)
    else:
        await lapse(selection.house.database, datetime.now(UTC) + timedelta(days=8))

    found = await statuses(selection)
    assert (found["chen"], found["dai"]) == ("selected", "reserve_listed")
    (row,) = await selection.house.rows(
        "SELECT confirm_by, reserve_place FROM application WHERE id = $1", chen.id
    )
    assert row["confirm_by"] > datetime.now(UTC)
    assert row["reserve_place"] is None
    (step,) = await selection.house.rows(
        "SELECT actor, action FROM application_step WHERE application_id = $1 "
        "ORDER BY id DESC LIMIT 1",
        chen.id,
    )
    assert tuple(step) == ("clock", "select")


async def test_lapsing_twice_or_at_once_ends_each_once(selection: "Selection") -> None:
    ana, bo, chen = await in_review(selection, "ana", "bo", "chen")
    await selection.led(ana, "select")
    await selection.led(bo, "select")
    await selection.led(chen, "reserve")
    database, later = selection.house.database, datetime.now(UTC) + timedelta(days=8)
    assert await lapse(database, datetime.now(UTC)) == []

    ended = await asyncio.gather(*(lapse(database, later) for _ in range(4)))

    assert sorted(one for part in ended for one in part) == sorted([ana.id, bo.id])
    assert await statuses(selection) == {"ana": "lapsed", "bo": "lapsed", "chen": "selected"}
    before = await selection.house.told()
    assert await lapse(database, later) == []
    assert await selection.house.told() == before


async def test_a_promoted_company_that_stays_silent_lapses_too(selection: "Selection") -> None:
    ana, chen, dai = await in_review(selection, "ana", "chen", "dai")
    await selection.led(ana, "select")
    await selection.led(chen, "reserve")
    await selection.led(dai, "reserve")
    database, now = selection.house.database, datetime.now(UTC)

    await lapse(database, now + timedelta(days=8))
    await lapse(database, now + timedelta(days=16))

    assert await statuses(selection) == {"ana": "lapsed", "chen": "lapsed", "dai": "selected"}


async def test_nobody_confirms_too_late(selection: "Selection") -> None:
    (ana,) = await in_review(selection, "ana")
    await selection.led(ana, "select")
    await selection.house.rows(
        "UPDATE application SET confirm_by = $1", datetime.now(UTC) - timedelta(seconds=1)
    )

    answer = await selection.decide(ana, "confirm", ana.who)

    assert (answer.status_code, answer.json()["code"]) == (409, "too_late")


async def test_nobody_is_offered_a_place_once_the_mission_began(selection: "Selection") -> None:
    ana, bo, chen = await in_review(selection, "ana", "bo", "chen")
    await selection.led(ana, "select", "confirm")
    await selection.led(bo, "reserve")
    await selection.house.rows("UPDATE mission SET starts_on = current_date - 1")

    await selection.led(ana, "withdraw")

    assert await selection.status(bo) == "reserve_listed"
    assert (await selection.decide(chen, "select")).json()["code"] == "mission_begun"


async def test_the_reserve_list_is_kept_in_the_order_staff_gives_it(
    selection: "Selection",
) -> None:
    ana, bo, chen, dai = await in_review(selection, "ana", "bo", "chen", "dai")
    await selection.led(ana, "select")
    for one in (bo, chen, dai):
        await selection.led(one, "reserve")
    path = f"/missions/{selection.mission}/reserve-list"
    order = [str(one.id) for one in (dai, bo, chen)]

    assert (await selection.ask("PUT", path, {"order": order}, selection.staff)).status_code == 200
    for wrong in ([*order, str(uuid4())], order[:2], order[:2] + order[:1]):
        answer = await selection.ask("PUT", path, {"order": wrong}, selection.staff)
        assert answer.status_code == 422

    await selection.decide(ana, "decline", ana.who)
    assert await selection.status(dai) == "selected"
    rows = await selection.house.rows(
        "SELECT id FROM application WHERE status = 'reserve_listed' ORDER BY reserve_place"
    )
    assert [row["id"] for row in rows] == [bo.id, chen.id]


@pytest.mark.parametrize("action", ["reject", "withdraw"])
async def test_whoever_was_turned_down_or_left_can_be_taken_back(
    selection: "Selection", action: str
) -> None:
    (ana,) = await in_review(selection, "ana")
    await selection.led(ana, action, "reopen", "select", "confirm")
    assert await selection.status(ana) == "confirmed"


async def test_a_draft_that_was_withdrawn_is_a_draft_again(selection: "Selection") -> None:
    ana = await selection.begun("ana")
    await selection.led(ana, "withdraw", "reopen")
    assert await selection.status(ana) == "draft"


async def test_staff_sees_the_confirmed_against_the_minimum(selection: "Selection") -> None:
    ana, bo = await in_review(selection, "ana", "bo")
    await selection.led(ana, "select", "confirm")
    path = f"/missions/{selection.mission}/applications"

    async def standing() -> tuple[int, int, str]:
        found = (await selection.ask("GET", path, who=selection.staff)).json()
        return found["confirmed"], found["places_held"], found["minimum"]

    assert await standing() == (1, 1, "open")
    await selection.house.rows("UPDATE call SET decide_on = current_date - 3")
    assert await standing() == (1, 1, "not_reached")
    page = f"/desk/missions/{selection.mission}/applications"
    assert "Minimum not reached: 1 missing" in await selection.house.page(page, selection.staff)
    await selection.led(bo, "select", "confirm")
    assert await standing() == (2, 2, "reached")
    assert "The minimum is reached." in await selection.house.page(page, selection.staff)


async def test_each_change_is_told_once_and_in_order(selection: "Selection") -> None:
    (ana,) = await in_review(selection, "ana")
    await selection.led(ana, "request_info", "resume", "reserve", "select", "confirm")

    rows = await selection.house.rows(
        "SELECT type, sequence, payload FROM outbox WHERE key = $1 ORDER BY id", ana.id
    )

    names = [row["type"].removeprefix("registration.application.") for row in rows]
    assert names == ["drafted.v1", "submitted.v1", *["decided.v1"] * 6]
    sequences = [row["sequence"] for row in rows]
    assert sequences == sorted(set(sequences))
    text = " ".join(row["payload"].decode() for row in rows)
    for personal in ("Sample", "ana@", "Signer", "Please say"):
        assert personal not in text
    assert '"status":"confirmed"' in text.replace(" ", "")


async def test_what_staff_decides_is_noted_and_what_a_company_says_is_not(
    selection: "Selection",
) -> None:
    (ana,) = await in_review(selection, "ana")
    await selection.led(ana, "select")
    await selection.decide(ana, "confirm", ana.who, "We are glad.")

    rows = await selection.house.rows(
        "SELECT action FROM audit_entry WHERE subject_id = $1 ORDER BY id", ana.id
    )
    assert [row["action"] for row in rows] == ["application.begin_review", "application.select"]
