import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.registration.commands import bulk

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

INPUT = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


async def guests(house: "House") -> dict[str, str]:
    """Two wait for approval of the dinner, one for a place there."""
    return {name: (await house.registered(name, "dinner"))["id"] for name in ("ana", "bo", "chen")}


def path(house: "House", query: str = "") -> str:
    return f"/desk/stops/{house.stop}/registrations{query}"


async def previewed(house: "House", form: dict[str, Any], query: str = "") -> str:
    answer = await house.send(path(house, f"/preview{query}"), form, house.boss)
    assert answer.status_code == 200, answer.text
    return answer.text


async def confirmed(house: "House", page: str, query: str = "") -> Any:
    form: dict[str, Any] = {}
    for name, value in INPUT.findall(page):
        form.setdefault(name, []).append(value)
    return await house.send(path(house, f"/decide{query}"), form, house.boss)


async def test_the_page_shows_who_registered_with_numbers_by_state(house: "House") -> None:
    ids = await guests(house)

    page = await house.page(path(house), house.boss)

    assert all(f"/desk/registrations/{one}" in page for one in ids.values())
    assert re.search(r'Waits for approval <span class="number">2</span>', page)
    assert re.search(r'Waiting list <span class="number">1</span>', page)


async def test_filters_work_as_a_plain_form(house: "House") -> None:
    await guests(house)
    query = "?q=&status=waitlisted&item_id=&partner_id=&side=local&source=&checked_in=&since="

    page = await house.page(path(house, query + "&country=CN&sector=&sort=name"), house.boss)

    assert "Sample chen" in page
    assert "Sample ana" not in page
    nobody = await house.page(path(house, "?country=FR"), house.boss)
    assert "Nobody matches." in nobody


async def test_pages_follow_one_another(house: "House") -> None:
    for number in range(5):
        await house.registered(f"p{number}")

    first = await house.page(path(house, "?sort=name&limit=2"), house.boss)
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    second = await house.page(link[1].replace("&amp;", "&"), house.boss)

    assert "Sample p1" in first
    assert "Sample p2" not in first
    assert "Sample p2" in second
    assert 'rel="prev"' in second


async def test_the_page_is_in_chinese_too(house: "House") -> None:
    await guests(house)
    page = await house.page(path(house), house.boss, lang="zh")
    assert "报名名单" in page
    assert "待审核" in page


async def test_what_is_previewed_is_decided_once(house: "House") -> None:
    ids = await guests(house)
    form = {"id": [ids["ana"], ids["chen"]], "decision": "approve"}

    page = await previewed(house, form)
    assert await house.rows("SELECT FROM bulk_job") == []
    assert "Registrations to approve: 1" in page
    assert "stays as it is" in page
    answers = [await confirmed(house, page) for _ in range(2)]
    while await bulk.work(house.database, datetime.now(UTC)):
        pass

    assert {answer.headers["Location"] for answer in answers} == {answers[0].headers["Location"]}
    assert await house.statuses("dinner") == {
        "ana": "confirmed",
        "bo": "pending_approval",
        "chen": "waitlisted",
    }
    job = await house.page(answers[0].headers["Location"], house.boss)
    assert "Finished" in job
    assert "Sample chen" in job
    assert "The state does not allow it" in job


async def test_everything_that_matches_is_decided_without_a_script(house: "House") -> None:
    await guests(house)
    query = "?status=pending_approval"

    page = await previewed(house, {"all": "true", "decision": "reject"}, query)
    answer = await confirmed(house, page, query)
    while await bulk.work(house.database, datetime.now(UTC)):
        pass

    assert answer.status_code == 303
    assert await house.statuses("dinner") == {
        "ana": "rejected",
        "bo": "rejected",
        "chen": "pending_approval",
    }


async def test_nothing_is_decided_about_a_list_that_changed_meanwhile(house: "House") -> None:
    await guests(house)
    page = await previewed(house, {"all": "true", "decision": "cancel"})
    await house.registered("dai", "dinner")

    answer = await confirmed(house, page)

    assert answer.headers["Location"].endswith("changed=1")
    assert await house.rows("SELECT FROM bulk_job") == []
    assert "nothing was decided" in await house.page(answer.headers["Location"], house.boss)


async def test_a_choice_of_nobody_leads_back(house: "House") -> None:
    answer = await house.send(path(house, "/preview"), {"decision": "approve"}, house.boss)
    assert answer.status_code == 303


async def test_a_partner_sees_its_own_people_and_may_cancel_them_alone(house: "House") -> None:
    # A host decides about its own; others do not.
    await house.rows("UPDATE partner_role SET role = 'supporter'")
    partner = house.someone("partner_staff", partner_id=house.partner)
    own = await house.register(
        "ana", "dinner", who=partner, source="partner_api", partner_id=str(house.partner)
    )
    other = await house.registered("bo", "dinner")

    page = await house.page(path(house), partner)

    assert "Sample ana" in page
    assert "Sample bo" not in page
    assert 'value="cancel"' in page
    assert 'value="approve"' not in page
    approving = {"id": [own.json()["id"]], "decision": "approve"}
    assert (await house.send(path(house, "/preview"), approving, partner)).status_code == 403
    detail = f"/desk/registrations/{own.json()['id']}"
    assert "What happened" not in await house.page(detail, partner)
    await house.page(f"/desk/registrations/{other['id']}", partner, status=404)


@pytest.mark.parametrize("role", ["door_staff", "delegate", "local", "interpreter", "screen"])
async def test_others_see_no_list_no_trail_and_no_registration(house: "House", role: Any) -> None:
    ids = await guests(house)
    for address in (path(house), "/desk/audit", f"/desk/registrations/{ids['ana']}"):
        who = house.someone(role)
        assert (await house.client.get(address, headers=house.browser(who))).status_code == 403


async def test_a_registration_has_a_page_with_its_trail(house: "House") -> None:
    ids = await guests(house)
    await house.decide(ids["ana"], "approve")

    page = await house.page(f"/desk/registrations/{ids['ana']}", house.boss)
    chinese = await house.page(f"/desk/registrations/{ids['ana']}", house.boss, lang="zh")

    assert "ana@example.com" in page
    assert "Registration approved" in page
    assert "Operator" in page
    assert "通过报名" in chinese
    await house.page(f"/desk/registrations/{uuid4()}", house.boss, status=404)


async def test_the_trail_is_found_by_person_action_subject_and_day(house: "House") -> None:
    ids = await guests(house)
    body = {
        "role": "mission_staff",
        "full_name": "Sample Lead",
        "email": "lead@example.com",
        "language": "en",
        "stop_ids": [],
    }
    lead = await house.made(f"/missions/{house.mission}/staff", body)
    who = house.someone("mission_staff", subject=lead)
    await house.post(f"/api/v1/registrations/{ids['ana']}/approve", None, who)
    await house.decide(ids["bo"], "reject")

    async def shown(**query: Any) -> str:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        page = await house.page(f"/desk/audit?{asked}", who)
        return page.partition('<ol class="trail')[2]

    assert "Sample Lead" in await shown()
    by_lead = await shown(actor=lead, action="", day="")
    assert "Registration approved" in by_lead
    assert "Registration rejected" not in by_lead
    assert "Sample bo" in await shown(action="registration.reject")
    assert "Sample ana" not in await shown(action="registration.reject")
    assert "Sample ana" in await shown(subject_id=ids["ana"])
    assert "Sample bo" not in await shown(subject_id=ids["ana"])
    assert await shown(day="2020-01-01") == ""
    assert "Registration approved" not in await shown(actor="public")


async def test_the_trail_goes_back_page_by_page(house: "House") -> None:
    link_to_screen = {"role": "screen", "mission_id": str(house.mission)}
    for _ in range(110):
        await house.post("/api/v1/sessions/links", link_to_screen, house.boss)
    seen, query = 0, ""
    while True:
        page = await house.page(f"/desk/audit{query}", house.boss)
        seen += page.count("<strong>")
        link = re.search(r'rel="next" href="([^"]+)"', page)
        if link is None:
            break
        query = link[1].replace("&amp;", "&")

    total = await house.rows("SELECT count(*) AS n FROM audit_entry")
    assert seen == total[0]["n"]


async def test_staff_sees_the_trail_of_its_own_mission_alone(house: "House", lines: Any) -> None:
    second = await house.made("/missions", lines.mission)
    who = house.someone("mission_staff", mission_id=second)

    page = await house.page(f"/desk/audit?mission_id={house.mission}", who)

    assert "Mission announced" in page
    assert "Stop planned" not in page
