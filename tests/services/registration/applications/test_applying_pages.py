import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import UUID

import pytest

from shared.access import Principal

if TYPE_CHECKING:
    from tests.services.registration.applications.conftest import Company, Selection

APPLY = "/missions/outbound/apply"
CODES = ("home_content", "export_control", "anti_bribery", "litigation")


def words(page: str) -> str:
    """Give what a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


def beginning(**changes: Any) -> dict[str, Any]:
    return {
        "key": "made-when-the-form-opened",
        "language": "en",
        "company": "Ana Inc.",
        "full_name": "Sample Ana",
        "native_name": "",
        "email": "ana@example.com",
        "consent": "yes",
    } | changes


def filled(selection: "Selection", revision: int, **changes: Any) -> dict[str, Any]:
    """The form of an application as somebody fills it in and signs it."""
    return {
        "revision": str(revision),
        "language": "en",
        "do": "submit",
        "full_name": "Sample Ana",
        "native_name": "示例安",
        "position": "Director",
        "company_name": "Ana Inc.",
        "company_native_name": "",
        "country": "US",
        "registration_number": "",
        "size": "11-50",
        "sectors": ["batteries"],
        f"objective.{selection.stop}": "Find two <b>buyers</b>.",
        "answer.experience": "Ten years.",
        **{f"certify.{code}": "1" for code in CODES},
        "disclosure": "",
        "signer_name": "Sample Signer",
        "signer_title": "President",
    } | changes


async def test_the_public_page_says_what_is_expected(selection: "Selection") -> None:
    page = words(await selection.house.page(APPLY))
    for part in (
        "We go to meet buyers.",
        "Fit 60 %",
        "Plan 40 %",
        "At least 51 % home content",
        "Text anti_bribery",
        "Companies 2 ",
        "USD 500",
        "New York, UTC-",
        "Begin an application",
    ):
        assert part in page


async def test_a_mission_without_a_call_takes_no_applications(bare: Any) -> None:
    await bare.made("/missions", MISSION)
    assert "takes no applications" in await bare.page("/missions/quiet/apply")
    page = await bare.client.get("/missions/none/apply", headers=bare.browser(None))
    assert page.status_code == 404


MISSION: dict[str, Any] = {
    "slug": "quiet",
    "title": {"en": "Quiet Mission", "zh": "安静代表团"},
    "summary": {"en": "Nothing.", "zh": "无。"},
    "starts_on": "2030-11-06",
    "ends_on": "2030-11-11",
    "home_country": "US",
    "host_country": "CN",
    "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
}


@pytest.mark.parametrize(
    ("opens", "closes", "said"), [(1, 2, "not open yet"), (-2, -1, "applications is over")]
)
async def test_a_call_that_is_not_open_has_no_form(
    selection: "Selection", opens: int, closes: int, said: str
) -> None:
    now = datetime.now(UTC)
    await selection.publish(
        opens_at=(now + timedelta(days=opens)).isoformat(),
        closes_at=(now + timedelta(days=closes)).isoformat(),
    )
    page = await selection.house.page(APPLY)
    assert said in page
    assert "<form" not in page.partition("<main")[2]


async def test_who_begins_is_led_to_the_draft_signed_in(selection: "Selection") -> None:
    answer = await selection.house.send(APPLY, beginning())

    assert answer.status_code == 303
    (row,) = await selection.house.rows("SELECT id FROM application")
    assert answer.headers["location"] == f"/applications/{row['id']}?new=1"
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page = await selection.house.client.get(
        answer.headers["location"], headers={"Cookie": cookie, "Accept-Language": "en"}
    )
    assert "Your application is begun" in page.text
    assert 'value="Ana Inc."' in page.text


async def test_another_sites_form_begins_a_draft_but_signs_nobody_in(
    selection: "Selection",
) -> None:
    headers = {"Origin": "http://elsewhere.example"}
    answer = await selection.house.client.post(APPLY, data=beginning(), headers=headers)

    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    asked = await selection.house.client.get(answer.headers["location"])
    assert "Continue as Sample Ana" in asked.text


async def test_an_address_on_file_opens_nothing(selection: "Selection") -> None:
    await selection.begun("ana")
    answer = await selection.house.send(APPLY, beginning(company="Rival Inc."))
    assert answer.status_code == 200
    assert "Look into your mailbox" in answer.text
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("field", "value", "english", "chinese"),
    [
        ("company", " ", "Please give the company&#39;s name.", "请填写企业名称。"),
        ("email", "ana@", "This is not an e-mail address.", "邮箱地址不正确"),
        ("consent", "", "Without your agreement", "未经您同意"),
    ],
)
async def test_a_fault_is_said_beside_its_field(
    selection: "Selection", field: str, value: str, english: str, chinese: str
) -> None:
    for lang, sentence in (("en", english), ("zh", chinese)):
        form = beginning(language=lang, **{field: value})
        answer = await selection.house.send(f"{APPLY}?lang={lang}", form)
        assert answer.status_code == 422
        assert answer.text.count(sentence) == 1
    assert await selection.house.rows("SELECT FROM application") == []


async def test_a_form_is_filled_in_signed_and_submitted(selection: "Selection") -> None:
    company = await selection.begun("ana")
    path = f"/applications/{company.id}"

    answer = await selection.house.send(path, filled(selection, 1), company.who)

    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?sent=1")
    page = await selection.house.page(f"{path}?sent=1", company.who)
    assert "We have mailed you that we have it." in page
    assert "We have your application" in page
    assert "Find two &lt;b&gt;buyers&lt;/b&gt;." in page
    assert "Signed by Sample Signer, President" in page
    (person,) = await selection.house.rows("SELECT native_name, position, email FROM person")
    assert tuple(person) == ("示例安", {"en": "Director", "zh": ""}, "ana@example.com")


async def test_a_draft_is_saved_without_being_complete(selection: "Selection") -> None:
    company = await selection.begun("ana")
    path = f"/applications/{company.id}"
    form = filled(selection, 1, do="save", sectors=[], **{"answer.experience": ""})

    answer = await selection.house.send(path, form, company.who)

    assert answer.headers["location"] == f"{path}?saved=1"
    assert await selection.status(company) == "draft"
    assert "Saved." in await selection.house.page(f"{path}?saved=1", company.who)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sectors": []}, "Choose one sector at least."),
        ({"answer.experience": ""}, "Please fill this in."),
        ({"signer_name": ""}, "Please give the name of who signs."),
        ({"certify.litigation": ""}, "This has to be certified."),
        (
            {"country": "CN", "registration_number": "123"},
            "This is not a unified social credit code",
        ),
    ],
)
async def test_what_is_missing_is_said_and_what_was_typed_is_saved(
    selection: "Selection", change: dict[str, Any], sentence: str
) -> None:
    company = await selection.begun("ana")
    path = f"/applications/{company.id}"

    answer = await selection.house.send(path, filled(selection, 1, **change), company.who)

    assert answer.status_code == 422
    assert answer.text.count(sentence) == 1
    assert await selection.status(company) == "draft"
    again = await selection.house.page(path, company.who)
    assert "Find two &lt;b&gt;buyers" in again
    # The page that said so can be sent once more.
    revision = re.search(r'name="revision" value="(\d+)"', answer.text)
    assert revision is not None
    form = filled(selection, int(revision[1]))
    assert (await selection.house.send(path, form, company.who)).status_code == 303


async def test_all_that_is_missing_is_said_at_once_with_a_way_to_each(
    selection: "Selection",
) -> None:
    company = await selection.begun("ana")
    form = filled(selection, 1, sectors=[], **{"answer.experience": "", "certify.litigation": ""})
    form |= {f"objective.{selection.stop}": "", "signer_name": "", "signer_title": " "}

    answer = await selection.house.send(f"/applications/{company.id}", form, company.who)

    ways = re.findall(r'<a href="#(field-[\w.-]+)">', answer.text)
    names = ["sectors", "objectives", "answer.experience", "certify.litigation"]
    assert ways == [f"field-{name}" for name in (*names, "signer_name", "signer_title")]
    assert all(answer.text.count(f'id="{way}"') == 1 for way in ways)


async def test_a_company_may_go_by_its_chinese_name_alone(selection: "Selection") -> None:
    answer = await selection.house.send(APPLY, beginning(language="zh", company="示例净水公司"))
    path = answer.headers["location"].partition("?")[0]
    (row,) = await selection.house.rows("SELECT contact_id FROM application")
    who = Principal("applicant", row["contact_id"], selection.mission)
    page = await selection.house.page(f"{path}?lang=zh", who)
    fields = re.findall(r'name="(company_\w+|native_name|full_name)" value="([^"]*)"', page)
    assert fields == [
        ("company_native_name", "示例净水公司"),
        ("company_name", ""),
        ("native_name", ""),
        ("full_name", "Sample Ana"),
    ]
    form = filled(selection, 1, company_name="", company_native_name="示例净水公司")
    assert (await selection.house.send(path, form, who)).status_code == 303
    assert "<h1>示例净水公司</h1>" in await selection.house.page(path, who)


async def test_a_text_that_changed_under_ones_hands_is_shown_anew(
    selection: "Selection",
) -> None:
    company = await selection.begun("ana")
    await selection.certify("litigation", "Stricter")

    answer = await selection.house.send(
        f"/applications/{company.id}", filled(selection, 1), company.who
    )

    assert answer.status_code == 409
    assert "A text was changed while you were reading." in answer.text
    assert "Stricter litigation" in answer.text
    assert 'value="2"' in answer.text


async def test_a_page_that_is_old_changes_nothing(selection: "Selection") -> None:
    company = await selection.begun("ana")
    path = f"/applications/{company.id}"
    await selection.house.send(path, filled(selection, 1, do="save"), company.who)

    answer = await selection.house.send(
        path, filled(selection, 1, do="save", company_name="Old Inc."), company.who
    )

    assert answer.status_code == 412
    assert "It was changed meanwhile" in answer.text
    (row,) = await selection.house.rows("SELECT content FROM application")
    assert row["content"]["company"]["name"] == "Ana Inc."


async def act(selection: "Selection", company: "Company", action: str, **form: Any) -> Any:
    revision = await selection.revision(company)
    return await selection.house.send(
        f"/applications/{company.id}/{action}", {"revision": str(revision)} | form, company.who
    )


async def test_a_company_answers_confirms_and_withdraws_by_its_page(
    selection: "Selection",
) -> None:
    company = await selection.submitted("ana")
    path = f"/applications/{company.id}"
    await selection.led(company, "request_info")
    assert "Please say more." in await selection.house.page(path, company.who)
    assert (await act(selection, company, "answer", message=" ")).status_code == 422
    assert (await act(selection, company, "answer", message="In Ohio.")).status_code == 303
    await selection.led(company, "select")
    assert "Confirm by" in words(await selection.house.page(path, company.who))

    assert (await act(selection, company, "confirm")).status_code == 303
    assert "part of the delegation" in await selection.house.page(path, company.who)
    assert (await act(selection, company, "confirm")).status_code == 409
    assert (await act(selection, company, "withdraw")).status_code == 303
    assert await selection.status(company) == "withdrawn"
    for action in ("select", "reopen", "submit"):
        assert (await act(selection, company, action)).status_code == 404


async def test_who_is_in_reserve_sees_the_place(selection: "Selection") -> None:
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review", "reserve")
    page = await selection.house.page(f"/applications/{company.id}", company.who)
    assert "Number 1 on the reserve list" in page


async def test_a_company_never_sees_who_decided_or_how_it_was_scored(
    selection: "Selection",
) -> None:
    company = await selection.submitted("ana")
    await selection.led(company, "begin_review")
    await selection.review(company, selection.staff, 1, 2, comment="Rather weak.")
    await selection.led(company, "reject")
    page = await selection.house.page(f"/applications/{company.id}", company.who)
    assert "Not selected" in page
    assert "Please say more." in page, "what staff wrote to the company"
    assert "Rather weak." not in page


async def test_own_application_is_found_without_its_address(selection: "Selection") -> None:
    company = await selection.begun("ana")
    answer = await selection.house.client.get(
        "/applications", headers=selection.house.browser(company.who)
    )
    assert unquote(answer.headers["location"]) == f"/applications/{company.id}"
    nobody = Principal("applicant", UUID(int=7), selection.mission)
    answer = await selection.house.client.get(
        "/applications", headers=selection.house.browser(nobody)
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "state", ["draft", "submitted", "info_requested", "selected", "reserve_listed", "rejected"]
)
async def test_a_chinese_page_is_chinese(selection: "Selection", state: str) -> None:
    steps: dict[str, tuple[str, ...]] = {
        "info_requested": ("request_info",),
        "selected": ("begin_review", "select"),
        "reserve_listed": ("begin_review", "reserve"),
        "rejected": ("reject",),
    }
    company = await (selection.begun("ana") if state == "draft" else selection.submitted("ana"))
    await selection.led(company, *steps.get(state, ()))
    await selection.house.rows("UPDATE person SET full_name = '示例', email = '1'")
    await selection.house.rows("UPDATE application_step SET message = '请补充'")
    page = await selection.house.page(f"/applications/{company.id}", company.who, lang="zh-CN")
    known = {"English", "UTC", "Ana", "Inc", "Find", "two", "buyers", "Ten", "years", "Text"}
    known |= {"Sample", "Signer", "President"} | set(re.findall(r"[a-z]+", " ".join(CODES)))
    latin = set(re.findall(r"[A-Za-z]{2,}", words(page)))
    assert latin <= known


async def test_the_public_page_is_chinese(selection: "Selection") -> None:
    page = words(await selection.house.page(APPLY, lang="zh-CN"))
    latin = set(re.findall(r"[A-Za-z]{2,}", page))
    assert latin <= {"English", "UTC", "Text", *re.findall(r"[a-z]+", " ".join(CODES))}


async def test_a_company_is_asked_to_sign_what_changed_and_nothing_else(
    selection: "Selection",
) -> None:
    company = await selection.submitted("ana")
    path = f"/applications/{company.id}"
    assert "has changed: please sign" not in await selection.house.page(path, company.who)
    await selection.certify("export_control", "Stricter")
    page = await selection.house.page(path, company.who)
    assert re.findall(r'name="certify\.(\w+)" value="(\d)"', page) == [("export_control", "2")]
    desk = await selection.house.page(f"/desk/applications/{company.id}", selection.staff)
    assert "version 1, not today&#39;s" in desk

    form = {"certify.export_control": "2", "signer_name": "Sample Signer"}
    assert (await act(selection, company, "sign", **form)).status_code == 422
    assert (await act(selection, company, "sign", **form, signer_title="CEO")).status_code == 303

    assert "has changed: please sign" not in await selection.house.page(path, company.who)
