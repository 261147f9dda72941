import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shared.access import Principal
    from tests.services.registration.applications.conftest import Company, Selection

CODES = ("home_content", "export_control", "anti_bribery", "litigation")


def words(page: str) -> str:
    """Give what a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


def announced(**changes: Any) -> dict[str, Any]:
    """The form of a call as staff fills it in, who saw the first that was published."""
    return {
        "revision": "1",
        "statement_en": "We go.",
        "statement_zh": "我们出发。",
        "fee_en": "",
        "fee_zh": "",
        "timezone": "Asia/Shanghai",
        "opens_at": "2026-01-01T09:00",
        "closes_at": "2036-02-01T17:30",
        "decide_on": "2036-03-01",
        "participants_min": "3",
        "participants_max": "5",
        "days_to_confirm": "10",
        "criterion_en.0": "Fit",
        "criterion_zh.0": "契合度",
        "weight.0": "70",
        "criterion_en.3": "Plan",
        "criterion_zh.3": "计划",
        "weight.3": "30",
        "question_en.0": "Why?",
        "question_zh.0": "为何？",
        "needed.0": "yes",
    } | changes


@pytest.fixture
async def ana(selection: "Selection") -> "Company":
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review")
    return company


async def test_staff_publishes_a_call_in_the_time_of_its_zone(selection: "Selection") -> None:
    path = f"/desk/missions/{selection.mission}/call"

    answer = await selection.house.send(path, announced(), selection.staff)

    assert answer.status_code == 303
    (row,) = await selection.house.rows("SELECT closes_at, participants_max, questions FROM call")
    assert row["closes_at"].isoformat() == "2036-02-01T09:30:00+00:00"
    assert row["questions"] == [
        {"code": "question_1", "text": {"en": "Why?", "zh": "为何？"}, "is_needed": True}
    ]
    page = await selection.house.page(path, selection.staff)
    assert 'value="2036-02-01T17:30"' in page
    assert page.count('value="Plan"') == 1
    # Two criteria, of which the second was typed into the fourth line, and two more to fill in.
    assert page.count('name="weight.') == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"statement_zh": ""}, "Needed in English and in Chinese."),
        ({"closes_at": "soon"}, "Please fill this in."),
        ({"closes_at": "2025-12-01T09:00"}, "The call closes after it opens"),
        ({"weight.0": "0"}, "Each criterion needs both languages"),
        ({"criterion_zh.3": ""}, "Each criterion needs both languages"),
        ({"timezone": "../../etc/passwd"}, "Not published yet."),
    ],
)
async def test_a_call_with_a_fault_is_shown_again_as_it_was_typed(
    selection: "Selection", change: dict[str, Any], said: str
) -> None:
    path = f"/desk/missions/{selection.mission}/call"
    before = await selection.house.rows("SELECT revision FROM call")

    answer = await selection.house.send(path, announced(**change), selection.staff)

    assert answer.status_code == 422
    assert said in answer.text
    assert "We go." in answer.text
    assert await selection.house.rows("SELECT revision FROM call") == before


async def test_what_was_published_meanwhile_is_not_replaced_unseen(selection: "Selection") -> None:
    path = f"/desk/missions/{selection.mission}/call"
    form = announced(statement_en="Mine, and long.")
    assert (await selection.house.send(path, announced(), selection.staff)).status_code == 303

    late = await selection.house.send(path, form, selection.staff)

    assert late.status_code == 412
    assert "Somebody else has published another version meanwhile" in late.text
    assert "Mine, and long." in late.text
    (row,) = await selection.house.rows("SELECT revision, statement FROM call")
    assert (row["revision"], row["statement"]["en"]) == (2, "We go.")
    found = re.search(r'name="revision" value="(\d+)"', late.text)
    assert found
    wrong = await selection.house.send(path, form | {"closes_at": "soon"}, selection.staff)
    assert 'name="revision" value="1"' in wrong.text, "a fault shows nobody what is there now"
    again = await selection.house.send(path, form | {"revision": found[1]}, selection.staff)
    assert again.status_code == 303
    none = await selection.house.send(path, form | {"revision": "x"}, selection.staff)
    assert none.status_code == 400


async def test_all_faults_of_a_call_are_marked_at_once(selection: "Selection") -> None:
    empty = dict.fromkeys(announced(), "") | {"revision": "1", "timezone": "Asia/Shanghai"}
    path = f"/desk/missions/{selection.mission}/call"
    answer = await selection.house.send(path, empty, selection.staff)
    wrong = re.findall(
        r'class="field wrong"><span>[^<]*</span><input type="[\w-]+" name="(\w+)"', answer.text
    )
    assert sorted(wrong) == ["closes_at", "days_to_confirm", "decide_on", "opens_at", *NUMBERS]
    assert "Each criterion needs" in answer.text
    assert "Needed in English and in Chinese." in answer.text


NUMBERS = ("participants_max", "participants_min")


async def test_what_is_typed_of_the_call_is_not_lost_when_the_texts_are_published(
    selection: "Selection",
) -> None:
    path = f"/desk/missions/{selection.mission}"
    texts = {f"{code}_{language}": f"Text {code}" for code in CODES for language in ("en", "zh")}
    form = announced(statement_en="Typed, and not published.") | texts

    answer = await selection.house.send(f"{path}/call/certifications", form, selection.staff)

    assert "The call is not published as you typed it" in answer.text
    assert "Typed, and not published." in answer.text
    (row,) = await selection.house.rows("SELECT statement FROM call")
    assert row["statement"]["en"].startswith("We go to meet buyers.")
    published = await selection.house.send(f"{path}/call", form, selection.staff)
    assert published.status_code == 303, "all is published now"
    again = await selection.house.page(f"{path}/call", selection.staff)
    kept = form | {"revision": "2", "criterion_en.1": "Plan", "criterion_zh.1": "计划"}
    kept = kept | {"weight.1": "30", "criterion_en.3": "", "criterion_zh.3": "", "weight.3": ""}
    assert "Typed, and not published." in again
    same = await selection.house.send(f"{path}/call/certifications", kept, selection.staff)
    assert same.status_code == 303, "nothing is left to be published"


async def test_texts_that_are_typed_are_not_lost_when_the_call_is_published(
    selection: "Selection",
) -> None:
    path = f"/desk/missions/{selection.mission}"
    form = announced(litigation_en="Stricter.", litigation_zh="更严。")

    answer = await selection.house.send(f"{path}/call", form, selection.staff)

    assert "not published as you typed them" in answer.text
    assert ">Stricter.</textarea>" in answer.text
    assert (await selection.house.rows("SELECT revision FROM call"))[0]["revision"] == 2
    assert await selection.house.rows("SELECT FROM certification WHERE version > 1") == []
    wrong = form | {"litigation_zh": "", "revision": "2"}
    fault = await selection.house.send(f"{path}/call/certifications", wrong, selection.staff)
    assert fault.status_code == 422
    assert ">Stricter.</textarea>" in fault.text


async def test_texts_are_proposed_and_a_changed_one_becomes_a_version(
    selection: "Selection",
) -> None:
    await selection.house.rows("DELETE FROM certification WHERE code = 'anti_bribery'")
    path = f"/desk/missions/{selection.mission}/call"
    page = await selection.house.page(path, selection.staff)
    assert "has offered, given or taken bribes" in page
    texts = {f"{code}_en": f"Text {code}" for code in CODES}
    texts |= {f"{code}_zh": f"Text之{code}" for code in CODES}

    answer = await selection.house.send(
        f"/desk/missions/{selection.mission}/call/certifications",
        texts | {"litigation_en": "Stricter"},
        selection.staff,
    )

    assert answer.status_code == 303
    rows = await selection.house.rows("SELECT code, max(version) FROM certification GROUP BY code")
    assert {row["code"]: row["max"] for row in rows} == dict.fromkeys(CODES, 1) | {"litigation": 2}


async def test_staff_without_a_call_is_led_to_its_form(bare: Any) -> None:
    mission = {
        "slug": "quiet",
        "title": {"en": "Quiet", "zh": "安静"},
        "summary": {"en": "Nothing.", "zh": "无。"},
        "starts_on": "2030-11-06",
        "ends_on": "2030-11-11",
        "home_country": "US",
        "host_country": "CN",
        "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
    }
    mission_id = await bare.made("/missions", mission)
    path = f"/desk/missions/{mission_id}/applications"
    answer = await bare.client.get(path, headers=bare.browser(bare.boss))
    assert answer.headers["location"] == f"/desk/missions/{mission_id}/call"
    page = await bare.page(f"/desk/missions/{mission_id}/call", bare.boss)
    assert "Publish the call" in page


async def decided(selection: "Selection", company: "Company", action: str, **form: str) -> Any:
    revision = await selection.revision(company)
    return await selection.house.send(
        f"/desk/applications/{company.id}/decide",
        {"action": action, "revision": str(revision)} | form,
        selection.staff,
    )


async def test_staff_decides_by_the_page(selection: "Selection", ana: "Company") -> None:
    assert (await decided(selection, ana, "request_info")).status_code == 422
    assert (await decided(selection, ana, "request_info", message="Which?")).status_code == 303
    assert (await decided(selection, ana, "resume")).status_code == 303
    assert (await decided(selection, ana, "select", revision="1")).status_code == 412
    assert (await decided(selection, ana, "select")).status_code == 303
    assert (await decided(selection, ana, "select")).status_code == 409
    for wrong in ("submit", "lapse", "answer", "dance"):
        assert (await decided(selection, ana, wrong)).status_code == 400
    assert await selection.status(ana) == "selected"


async def test_the_page_offers_what_the_state_allows_and_nothing_else(
    selection: "Selection", ana: "Company"
) -> None:
    path = f"/desk/applications/{ana.id}"
    page = await selection.house.page(path, selection.staff)
    assert re.findall(r'name="action" value="(\w+)"', page) == [
        "request_info",
        "select",
        "reserve",
        "reject",
        "withdraw",
    ]
    await selection.led(ana, "select")
    page = await selection.house.page(path, selection.staff)
    assert re.findall(r'name="action" value="(\w+)"', page) == ["confirm", "decline"]


async def test_what_was_typed_is_there_after_a_refusal(
    selection: "Selection", ana: "Company"
) -> None:
    late = await decided(selection, ana, "request_info", revision="1", message="Which plants?")
    assert (late.status_code, ">Which plants?</textarea>" in late.text) == (412, True)
    fit, _ = await selection.criteria()
    scores = {f"score.{fit}": "4", f"comment.{fit}": "Good, and long."}
    path = f"/desk/applications/{ana.id}"
    incomplete = await selection.house.send(f"{path}/review", scores, selection.staff)
    assert f'name="score.{fit}" value="4" required checked' in incomplete.text
    assert ">Good, and long.</textarea>" in incomplete.text
    await selection.led(ana, "select")
    letter = {"full_name": "Sample Traveller", "position_en": "Chief", "valid_until": "2020-01-01"}
    wrong = await selection.house.send(f"{path}/letters", letter, selection.staff)
    assert wrong.status_code == 422
    assert all(f'value="{typed}"' in wrong.text for typed in letter.values())


async def test_no_single_tap_takes_back_what_a_company_has(
    selection: "Selection", ana: "Company"
) -> None:
    desk, own = f"/desk/applications/{ana.id}", f"/applications/{ana.id}"
    await found_behind(selection, desk, selection.staff, ['value="reject"', 'value="withdraw"'])
    await selection.led(ana, "select")
    await found_behind(selection, desk, selection.staff, ['value="decline"'])
    await found_behind(selection, own, ana.who, ["/decline"])
    await selection.letter(ana)
    await found_behind(selection, desk, selection.staff, ["/revoke"])


async def found_behind(
    selection: "Selection", path: str, who: "Principal", parts: list[str]
) -> None:
    page = await selection.house.page(path, who)
    behind = "".join(re.findall(r"<details.*?</details>", page, re.DOTALL))
    for part in parts:
        assert page.count(part) == behind.count(part) == 1


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "state: Selected"), ("zh", "状态: 已入选")],
)
async def test_what_was_decided_is_read_in_the_audit(
    selection: "Selection", ana: "Company", language: str, said: str
) -> None:
    await selection.led(ana, "select")
    await selection.letter(ana)
    path = f"/desk/audit?mission_id={selection.mission}"
    page = await selection.house.page(path, selection.staff, lang=language)
    desk = f'<a href="/desk/applications/{ana.id}">Ana Inc.</a>'
    assert page.count(desk) == 3, "reviewed, selected, invited"
    page = words(page)
    assert said in page
    assert str(ana.id) not in page
    assert ("home content" if language == "en" else "本国成分") in page


async def test_a_full_mission_is_said_on_the_page(selection: "Selection", ana: "Company") -> None:
    for name in ("bo", "chen"):
        other = await selection.submitted(name)
        await selection.led(other, "begin_review", "select")
    answer = await decided(selection, ana, "select")
    assert answer.status_code == 409
    assert "All places are given." in answer.text


async def test_a_review_is_given_by_the_page(selection: "Selection", ana: "Company") -> None:
    who, path = selection.staff, f"/desk/applications/{ana.id}/review"
    fit, plan = await selection.criteria()
    form = {f"score.{fit}": "4", f"comment.{fit}": "Good.", f"score.{plan}": "2"}

    incomplete = await selection.house.send(path, {f"score.{fit}": "4"}, who)
    assert (incomplete.status_code, "Score every criterion" in incomplete.text) == (422, True)
    assert (await selection.house.send(path, form | {"do": "score"}, who)).status_code == 303
    page = words(await selection.house.page(f"/desk/applications/{ana.id}", who))
    assert "Weighted mean 3.20" in page
    other = selection.staff
    assert (await selection.house.send(path, {"do": "abstain"}, other)).status_code == 303
    assert "abstained" in await selection.house.page(f"/desk/applications/{ana.id}", other)


async def test_a_letter_is_issued_and_revoked_by_the_page(
    selection: "Selection", ana: "Company"
) -> None:
    await selection.led(ana, "select")
    path = f"/desk/applications/{ana.id}/letters"
    form = {"full_name": "Sample Traveller", "valid_until": "2036-01-01", "position_en": "Chief"}

    assert (await selection.house.send(path, form, selection.staff)).status_code == 303
    wrong = await selection.house.send(path, form | {"valid_until": "x"}, selection.staff)
    assert wrong.status_code == 422
    (row,) = await selection.house.rows("SELECT id, number FROM letter")
    assert row["number"] in await selection.house.page(
        f"/desk/applications/{ana.id}", selection.staff
    )
    revoke = f"/desk/letters/{row['id']}/revoke"
    assert (await selection.house.send(revoke, {}, selection.staff)).status_code == 303
    assert "Revoked" in await selection.house.page(f"/applications/{ana.id}", ana.who)


async def test_the_reserve_list_is_moved_by_the_page(selection: "Selection") -> None:
    companies = []
    for name in ("ana", "bo", "chen"):
        company = await selection.submitted(name)
        await selection.led(company, "begin_review", "reserve")
        companies.append(company)
    path = f"/desk/missions/{selection.mission}/reserve-list"

    for moved in (companies[2], companies[2], companies[2]):
        answer = await selection.house.send(path, {"up": str(moved.id)}, selection.staff)
        assert answer.status_code == 303

    rows = await selection.house.rows("SELECT id FROM application ORDER BY reserve_place")
    assert [row["id"] for row in rows] == [companies[n].id for n in (2, 0, 1)]


PAGES = (
    "/desk/missions/{mission}/applications",
    "/desk/applications/{application}",
    "/desk/missions/{mission}/call",
)


@pytest.mark.parametrize("path", PAGES)
async def test_a_chinese_page_of_staff_is_chinese(
    selection: "Selection", ana: "Company", path: str
) -> None:
    await selection.review(ana, selection.staff, 5, 2, comment="好")
    await selection.led(ana, "select")
    await selection.letter(ana)
    await selection.house.rows("UPDATE application_step SET message = '请补充'")
    await selection.house.rows(
        "UPDATE application SET content = jsonb_set(content, '{company,native_name}', '\"示例\"')"
    )
    address = path.format(mission=selection.mission, application=ana.id)
    page = await selection.house.page(address, selection.staff, lang="zh-CN")
    page = re.sub(r"<textarea.*?</textarea>|<option.*?</option>", "", page, flags=re.DOTALL)
    (letter,) = await selection.house.rows("SELECT number FROM letter")
    page = page.replace(letter["number"], "")
    latin = set(re.findall(r"[A-Za-z]{2,}", words(page)))
    data = (
        "Ana Inc Sample Find two buyers Ten years Text Signer President Traveller example com ana"
    )
    assert latin <= {"English", "UTC", "PDF", *data.split(), *"_".join(CODES).split("_")}


async def test_the_desk_leads_staff_to_the_applications(selection: "Selection") -> None:
    link = f'href="/desk/missions/{selection.mission}/applications"'
    assert link in await selection.house.page("/desk", selection.staff)
    door = selection.house.someone("door_staff")
    assert link not in await selection.house.page("/desk", door)


async def test_who_has_not_reviewed_yet_finds_that_first(
    selection: "Selection", ana: "Company"
) -> None:
    who, path = selection.staff, f"/desk/applications/{ana.id}"
    before = await selection.house.page(path, who)
    assert before.index("Your review") < before.index("Message to the company")
    await selection.review(ana, who, 4, 4)
    after = await selection.house.page(path, who)
    assert after.index("Message to the company") < after.index("Change my review")
