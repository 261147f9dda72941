"""The desk and one's own page: what leads where, who decides what from which page."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from shared.access import Role
    from tests.services.registration.conftest import House

Crowd = dict[str, dict[str, Any]]


async def test_an_applicant_is_led_to_the_applications(house: "House") -> None:
    headers = house.browser(house.someone("applicant"))
    answer = await house.client.get("/home", headers=headers)
    assert answer.headers["location"] == "/applications"


async def test_a_mission_leads_to_its_call_once_there_is_one(house: "House") -> None:
    assert "/missions/sample/apply" not in await house.page("/missions/sample")
    await house.rows(
        "INSERT INTO call (mission_id, statement, questions, timezone, opens_at, "
        "closes_at, decide_on, participants_min, participants_max, days_to_confirm) "
        "VALUES ($1, $2, '[]', 'America/New_York', now(), now() + interval '1 day', "
        "'2099-01-01', 1, 2, 7)",
        house.mission,
        {"en": "Come", "zh": "欢迎"},
    )
    assert 'href="/missions/sample/apply"' in await house.page("/missions/sample")


async def test_staff_is_led_to_wishes_and_participants_to_whom_to_meet(
    house: "House", crowd: Crowd
) -> None:
    path = f"/desk/stops/{house.stop}"
    wishes = f'href="/stops/{house.stop}/matching"'
    for who in (house.boss, house.someone("partner_staff", partner_id=house.partner)):
        assert wishes in await house.page(path, who)
    assert wishes not in await house.page(path, house.someone("door_staff"))
    assert 'href="/meet"' in await house.page("/status", house.person(crowd["chen"]))


async def test_staff_of_a_mission_is_led_to_its_messages_and_nobody_else_is(house: "House") -> None:
    messages = f'href="/desk/missions/{house.mission}/messages"'
    assert messages in await house.page("/desk", house.boss)
    others = (house.someone("partner_staff", partner_id=house.partner), house.someone("door_staff"))
    for who in others:
        assert messages not in await house.page("/desk", who)


@pytest.mark.parametrize(
    ("role", "leads"),
    [
        ("local", {"/day", "/meet"}),
        ("delegate", {"/day", "/meet"}),
        ("interpreter", {"/day", "/home"}),
        ("mission_staff", {"/home"}),
        ("partner_staff", {"/home"}),
        ("door_staff", {"/home"}),
        ("applicant", {"/home"}),
    ],
)
async def test_the_own_page_leads_where_a_role_has_something_to_see(
    house: "House", role: "Role", leads: set[str]
) -> None:
    page = await house.page("/status", house.someone(role))
    assert {path for path in ("/day", "/meet", "/home") if f'href="{path}"' in page} == leads


@pytest.mark.parametrize(
    ("role", "cleared"),
    [
        ("local", '"cache", "storage"'),
        ("delegate", '"cache", "storage"'),
        ("door_staff", '"cache"'),
    ],
)
async def test_signing_out_leaves_nothing_but_scans_that_wait(
    house: "House", role: "Role", cleared: str
) -> None:
    answer = await house.send("/sign-out", who=house.someone(role))
    assert answer.headers["clear-site-data"] == cleared


async def test_an_offered_place_is_shown_with_its_end_and_taken_or_declined(
    house: "House", crowd: Crowd
) -> None:
    chen = house.person(crowd["chen"])
    until = datetime(2099, 11, 7, 1, 30, tzinfo=UTC)
    await house.rows(
        "UPDATE registration SET status = 'offered', hold_until = $2 WHERE id = $1",
        UUID(crowd["chen"]["id"]),
        until,
    )
    page = await house.page("/status", chen)

    assert "Yours until Sat 7 Nov 2099, 09:30 (Shanghai, UTC+8)." in page
    assert ("Take the place" in page, "Decline" in page) == (True, True)
    assert ("I cannot come" in page, "/my/badge" in page) == (False, True)


async def test_a_page_that_is_old_says_so_and_shows_what_is_true(
    house: "House", crowd: Crowd
) -> None:
    path = f"/status/{crowd['ana']['id']}/accept"
    answer = await house.send(path, who=house.person(crowd["ana"]))
    page = await house.page(answer.headers["location"], house.person(crowd["ana"]))
    assert "This page was older than your registration." in page


async def test_those_who_come_together_are_named(house: "House") -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}/groups"
    body = house.sign_up("ana")
    people = [house.sign_up(name)["person"] for name in ("ana", "bo")]
    body = {k: v for k, v in body.items() if k != "person"} | {"people": people}
    answer = await house.post(path, body, house.boss, key="together")
    assert answer.status_code == 201, answer.text
    ana = answer.json()["registrations"][0]
    assert "Together with: Sample bo" in await house.page("/status", house.person(ana))


async def test_a_decision_goes_back_to_where_it_was_made(house: "House") -> None:
    waiting = [await house.registered(name, "dinner") for name in ("ana", "bo")]
    own, other = (f"/desk/registrations/{one['id']}" for one in waiting)

    there = await house.send(f"{own}/approve", {"origin": "registration"}, house.boss)
    desk = await house.send(f"{other}/approve", {}, house.boss)
    twice = await house.send(f"{other}/approve", {}, house.boss)

    assert there.headers["location"] == own
    assert desk.headers["location"] == f"/desk/stops/{house.stop}"
    assert "decided about meanwhile" in await house.page(twice.headers["location"], house.boss)


async def test_partner_staff_cancels_its_own_and_decides_nothing_else(house: "House") -> None:
    # A host decides about its own; others do not.
    await house.rows("UPDATE partner_role SET role = 'supporter'")
    partner = house.someone("partner_staff", partner_id=house.partner)
    own = await house.registered("ana", who=house.boss, partner_id=str(house.partner))
    other = await house.registered("bo")
    path = f"/desk/registrations/{own['id']}"
    assert "Cancel registration" in await house.page(path, partner)

    refused = [
        await house.send(f"{path}/reject", {}, partner),
        await house.send(f"/desk/registrations/{other['id']}/cancel", {}, partner),
    ]
    answer = await house.send(f"{path}/cancel", {"origin": "registration"}, partner)

    assert [one.status_code for one in (*refused, answer)] == [403, 403, 303]
    assert await house.statuses() == {"ana": "cancelled", "bo": "confirmed"}


async def test_who_was_cancelled_is_put_back_in_line_but_nobody_who_was_erased(
    house: "House",
) -> None:
    ana, bo = [await house.registered(name) for name in ("ana", "bo")]
    for one in (ana, bo):
        await house.decide(one["id"], "cancel")
    await house.send(f"/desk/people/{bo['participant_id']}/erase", {"sure": "yes"}, house.boss)

    back = f"/desk/registrations/{ana['id']}"
    assert "Put back in line" in await house.page(back, house.boss)
    await house.send(f"{back}/reinstate", {"origin": "registration"}, house.boss)
    gone = f"/desk/registrations/{bo['id']}"
    assert "Put back in line" not in await house.page(gone, house.boss)
    answer = await house.post(f"/api/v1/registrations/{bo['id']}/reinstate", None, house.boss)

    assert (answer.status_code, answer.json()["code"]) == (409, "erased")
    found = await house.rows("SELECT status FROM registration ORDER BY status")
    assert [row["status"] for row in found] == ["cancelled", "confirmed"]


async def test_the_form_asks_for_each_consent_and_keeps_what_was_ticked(house: "House") -> None:
    path = "/missions/sample/stops/guangzhou/register"
    page = await house.page(path)
    assert 'name="consents" value="cross_border_transfer"' in page
    assert "checked data-no-draft" not in page

    form = {
        "key": "k",
        "language": "en",
        "items": [str(house.items["talks"])],
        "full_name": "Sample Ana",
        "email": "ana@example.com",
        "languages": ["en"],
        "organization_name": "Sample Cells",
        "country": "CN",
        "sectors": ["batteries"],
        "consents": ["cross_border_transfer"],
    }
    again = await house.send(path, form)
    assert again.status_code == 422
    assert 'value="cross_border_transfer" checked' in again.text
    done = await house.send(path, form | {"consent": "yes"})
    assert done.status_code == 303
    rows = await house.rows("SELECT purpose FROM consent WHERE purpose = 'cross_border_transfer'")
    assert len(rows) == 1


async def test_answers_are_shown_with_their_questions(house: "House") -> None:
    question = {
        "code": "diet",
        "kind": "choice",
        "label": {"en": "What do you eat?", "zh": "饮食要求"},
        "choices": [{"code": "no_pork", "label": {"en": "No pork", "zh": "清真"}}],
    }
    path = f"/api/v1/missions/{house.mission}/questions"
    made = await house.post(path, question, house.boss)
    assert made.status_code == 201, made.text
    ana = await house.registered("ana", answers={"diet": "no_pork"})

    page = await house.page(f"/desk/registrations/{ana['id']}", house.boss)

    assert "<dt>What do you eat?</dt><dd>No pork</dd>" in page
    assert f"/desk/people/{ana['participant_id']}/privacy" in page


async def test_who_may_print_plans_of_the_day_is_led_there(house: "House") -> None:
    path = f"/desk/stops/{house.stop}"
    plans = f'href="{path}/day-plans"'
    partner = house.someone("partner_staff", partner_id=house.partner)

    assert plans in await house.page(path, house.boss)
    assert plans not in await house.page(path, house.someone("door_staff"))
    await house.rows("DELETE FROM partner_role WHERE partner_id = $1", house.partner)
    assert plans not in await house.page(path, partner)
    await house.rows(
        "INSERT INTO partner_role (stop_id, partner_id, role, place) VALUES ($1, $2, 'co_host', 9)",
        house.stop,
        house.partner,
    )
    assert plans in await house.page(path, partner)


async def test_who_decides_sees_that_nobody_of_a_company_vouches_for_somebody(
    house: "House",
) -> None:
    company, staff = {"name": "Sample Cells Co."}, house.someone("mission_staff")
    await house.registered(
        "ana", who=house.boss, partner_id=str(house.partner), organization=company
    )
    await house.registered("chen", "dinner")
    said = "Says to be of this company"
    assert said not in await house.page(f"/desk/stops/{house.stop}", staff)

    bo = await house.registered("bo", "dinner", organization=company)

    desk = await house.page(f"/desk/stops/{house.stop}", staff)
    assert desk.count(said) == 1
    assert "Others on file: 1" in desk
    assert said in await house.page(f"/desk/registrations/{bo['id']}", staff)
    assert "自称属于该企业" in await house.page(f"/desk/stops/{house.stop}", staff, lang="zh")
    # Who was brought is vouched for.
    (ana,) = await house.rows("SELECT id FROM registration WHERE partner_id IS NOT NULL")
    assert said not in await house.page(f"/desk/registrations/{ana['id']}", staff)
