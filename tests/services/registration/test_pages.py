import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import pytest

from services.registration.pages.rendering import COUNTRIES
from shared.access import Role
from shared.http import SESSION_COOKIE

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

REGISTER = "/missions/sample/stops/guangzhou/register"


def filled(house: "House", **changes: Any) -> dict[str, Any]:
    """The form as somebody fills it in."""
    return {
        "key": "made-when-the-form-opened",
        "language": "en",
        "items": [str(house.items["talks"])],
        "full_name": "Sample Ana",
        "native_name": "示例安",
        "email": "ana@example.com",
        "position": "Director",
        "languages": ["zh", "en"],
        "organization_name": "Sample Cells Co.",
        "organization_native_name": "",
        "country": "CN",
        "registration_number": "",
        "size": "11-50",
        "sectors": ["batteries"],
        "offer": "Cells",
        "need": "",
        "consent": "yes",
    } | changes


def words(page: str) -> str:
    """Give what a page says, without its markup."""
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page)).strip()


def cookie(answer: httpx2.Response) -> dict[str, str]:
    """Give the session that an answer opens."""
    header = answer.headers["set-cookie"]
    assert header.startswith(f"{SESSION_COOKIE}=")
    assert "HttpOnly" in header
    assert "SameSite=lax" in header
    return {"Cookie": header.partition(";")[0], "Origin": "http://testserver"}


async def test_the_start_page_shows_missions_and_no_rehearsal(house: "House") -> None:
    assert "Sample Mission" in await house.page("/")
    await house.rows("UPDATE mission SET is_rehearsal = true")
    assert "Sample Mission" not in await house.page("/")


async def test_a_house_without_missions_says_so(bare: "House") -> None:
    assert "No mission is open" in await bare.page("/")
    assert "目前没有" in await bare.page("/", lang="zh")
    assert "No mission is open" in await bare.page("/sign-in")


async def test_the_public_page_shows_stops_hosts_times_and_places(house: "House") -> None:
    await to_come(house)
    page = words(await house.page("/missions/sample"))

    assert "Guangzhou Tue 7 Nov 2023" in page
    assert "Lead organizer Sample Bureau" in page
    assert "10:15–12:45 Morning talks Places left: 2" in page
    assert "Shanghai, UTC+8" in page
    for name in ("ana", "bo", "chen"):
        await house.registered(name)
    assert "10:15–12:45 Morning talks Waiting list" in words(await house.page("/missions/sample"))


async def to_come(house: "House") -> None:
    """Put the programme off, so that it is not over."""
    await house.rows(
        "UPDATE programme_item SET starts_at = starts_at + interval '50 years', "
        "ends_at = ends_at + interval '50 years'"
    )


@pytest.mark.parametrize(
    ("change", "english", "chinese", "is_open"),
    [
        ("ends_at = ends_at", "over", "已结束", False),
        ("closes_at = '2024-01-01Z'", "registration closed", "报名已截止", False),
        (
            "opens_at = '2060-01-01Z'",
            "registration opens Thu 1 Jan 2060, 08:00 (Shanghai, UTC+8)",
            "2060年1月1日 星期四 08:00（北京时间）开放报名",
            True,
        ),
    ],
)
async def test_what_takes_nobody_offers_no_registration(
    house: "House", change: str, english: str, chinese: str, *, is_open: bool
) -> None:
    if "ends_at" not in change:
        await to_come(house)
    await house.rows(f"UPDATE programme_item SET {change}")  # noqa: S608  # three of our own
    page = await house.page("/missions/sample")

    assert f"Morning talks {english}" in words(page)
    assert chinese in words(await house.page("/missions/sample", lang="zh"))
    assert "Places left" not in page
    assert ("/register" in page) == is_open
    if "ends_at" in change:
        assert "This day is over." in await house.page(REGISTER)


async def test_a_stop_without_a_programme_takes_no_registration(house: "House") -> None:
    await house.rows("DELETE FROM programme_item")
    page = await house.page("/missions/sample")
    assert "The programme follows." in page
    assert "/register" not in page


PAGES = ("/", "/missions/sample", REGISTER, "/sign-in", "/status", "/desk", "/desk/stops/{stop}")


@pytest.mark.parametrize("path", PAGES)
async def test_a_chinese_page_is_chinese(house: "House", path: str) -> None:
    await house.registered("ana", "dinner", who=house.boss)
    await house.rows("UPDATE person SET native_name = '示例安'")
    await house.rows("UPDATE organization SET native_name = '示例公司'")
    query = "?q=示例" if path == PAGES[-1] else ""
    page = await house.page(path.format(stop=house.stop) + query, house.boss, lang="zh-CN")

    assert '<html lang="zh-Hans">' in page
    latin = set(re.findall(r"[A-Za-z]{2,}", words(page)))
    # The switch to English, and the form's example of a name in Latin letters.
    assert latin <= {"English", "Wang", "Xiaoming"}


async def test_a_page_is_in_the_language_asked_for_and_stays_in_it(house: "House") -> None:
    answer = await house.client.get("/?lang=zh", headers={"Accept-Language": "en"})

    assert answer.headers["Content-Language"] == "zh"
    cookies = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    again = await house.client.get("/", headers={"Accept-Language": "en"} | cookies)
    assert again.headers["Content-Language"] == "zh"


async def test_who_fills_in_the_form_is_registered_and_signed_in(house: "House") -> None:
    items = [str(item) for item in house.items.values()]

    answer = await house.send(REGISTER, filled(house, items=items))

    assert (answer.status_code, answer.headers["location"]) == (303, "/status?new=1")
    assert "Secure" not in answer.headers["set-cookie"]
    page = words((await house.client.get("/status?new=1", headers=cookie(answer))).text)
    assert "Thank you" in page
    assert "Morning talks Confirmed" in page
    assert "Evening reception Waits for approval" in page
    (person,) = await house.rows("SELECT full_name, native_name, position, languages FROM person")
    assert dict(person) == {
        "full_name": "Sample Ana",
        "native_name": "示例安",
        "position": {"en": "Director", "zh": ""},
        "languages": ["zh", "en"],
    }
    assert (await house.statuses("dinner")) == {"ana": "pending_approval"}


async def test_a_second_press_of_the_button_is_one_registration(house: "House") -> None:
    form = filled(house)
    async with house.crossing(1):
        twins = [asyncio.create_task(house.send(REGISTER, form)) for _ in range(2)]

    assert [answer.status_code for answer in await asyncio.gather(*twins)] == [303, 303]
    assert (await house.send(REGISTER, form)).status_code == 303
    assert await house.places() == (1, 0)


async def test_a_form_gone_back_to_and_changed_is_another_request(house: "House") -> None:
    await house.send(REGISTER, filled(house))
    both = [str(item) for item in house.items.values()]

    answer = await house.send(REGISTER, filled(house, items=both))

    assert answer.status_code == 200
    assert await house.statuses("dinner") == {"ana": "pending_approval"}


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "items": ({"items": []}, "Choose one at least.", "请至少选择一项。"),
    "full_name": ({"full_name": " "}, "Please give your name.", "请填写姓名拼音或英文名。"),
    "email": ({"email": "ana@"}, "This is not an e-mail address.", "邮箱地址不正确"),
    "languages": ({"languages": []}, "Choose one language at least.", "请至少选择一种语言。"),
    "organization_name": (
        {"organization_name": ""},
        "Please give the company&#39;s name",
        "请填写单位名称",
    ),
    "country": ({"country": ""}, "Please choose a country", "请选择国家或地区。"),
    "registration_number": (
        {"registration_number": "91350100M000100Y44"},
        "This is not a unified social credit code",
        "统一社会信用代码不正确",
    ),
    "sectors": ({"sectors": []}, "Choose one sector at least.", "请至少选择一个行业。"),
    "consent": ({"consent": ""}, "Without your agreement", "未经您同意"),
    "position": ({"position": "x" * 2_001}, "Something here is wrong.", "此处填写有误"),
}


@pytest.mark.parametrize("field", FAULTS)
async def test_a_fault_is_said_beside_its_field_and_what_was_typed_is_kept(
    house: "House", field: str
) -> None:
    change, *sentences = FAULTS[field]
    given = filled(house, offer="Cells <b>&", **change)
    for lang, sentence in zip(("en", "zh"), sentences, strict=True):
        answer = await house.send(f"{REGISTER}?lang={lang}", given | {"language": lang})

        assert answer.status_code == 422
        page = answer.text.partition("<script")[0]
        assert page.count(sentence) == 1
        assert f'<a href="#field-{field}">' in page
        part = page.partition(sentence)[0]
        assert re.findall(r'name="(\w+)"', part)[-1] == field
        assert "Cells &lt;b&gt;&amp;" in answer.text
        if field != "email":
            assert 'value="ana@example.com"' in answer.text
        if lang == "zh":
            assert "character" not in words(answer.text)
    assert await house.rows("SELECT FROM person") == []


async def test_a_chinese_company_needs_no_english_name(house: "House") -> None:
    given = filled(house, language="zh", organization_name="", organization_native_name="示例公司")

    assert (await house.send(REGISTER, given)).status_code == 303
    (company,) = await house.rows("SELECT name, native_name FROM organization")
    assert tuple(company) == ("示例公司", "示例公司")


async def test_the_list_of_countries_begins_with_those_of_the_mission(house: "House") -> None:
    page = await house.page(REGISTER)
    codes = re.findall(r'<option value="([A-Z]{2})"', page)

    assert codes[:3] == ["CN", "US", "HK"]
    assert sorted(codes) == sorted(COUNTRIES["en"])
    assert '<option value="CN" selected>' in page
    assert list(COUNTRIES["en"].values()).index("Türkiye") < len(COUNTRIES["en"]) - 10


@pytest.mark.parametrize("side", ["local", "delegation"])
async def test_an_address_on_file_gets_a_mail_and_its_typist_no_session(
    house: "House", side: str
) -> None:
    known = await house.registered("ana", who=house.boss, side=side)

    answer = await house.send(REGISTER, filled(house))

    assert answer.status_code == 200
    assert SESSION_COOKIE not in answer.headers["set-cookie"]
    assert "Look into your mailbox" in answer.text
    assert (await house.told(known["participant_id"]))[-1] == "sign_in.requested"


async def test_the_other_language_of_a_page_is_on_this_site_whatever_its_address(
    house: "House",
) -> None:
    page = await house.page("http://testserver//elsewhere.example/", status=404)

    assert 'href="?lang=zh"' in page
    assert "elsewhere" not in page


async def test_a_form_of_a_stop_that_is_not_there_is_a_page_that_says_so(house: "House") -> None:
    for path in (
        "/missions/none",
        "/missions/none/stops/guangzhou/register",
        "/missions/sample/stops/none/register",
    ):
        assert "There is nothing at this address." in await house.page(path, status=404)


async def test_who_waits_sees_the_place_in_the_queue_and_can_cancel(
    house: "House", crowd: dict[str, dict[str, Any]]
) -> None:
    dai = house.person(crowd["dai"])
    assert "Number 2 on the waiting list" in words(await house.page("/status", dai))

    answer = await house.send(f"/status/{crowd['dai']['id']}/cancel", who=dai)

    assert (answer.status_code, answer.headers["location"]) == (303, "/status")
    page = await house.page("/status", dai)
    assert "Cancelled" in page
    assert "/cancel" not in page


async def test_somebody_elses_registration_cannot_be_cancelled(
    house: "House", crowd: dict[str, dict[str, Any]]
) -> None:
    path = f"/status/{crowd['ana']['id']}/cancel"
    assert (await house.send(path, who=house.person(crowd["bo"]))).status_code == 403
    assert (await house.statuses())["ana"] == "confirmed"


@pytest.mark.parametrize(
    "origin", ["http://elsewhere.example", "null", "", "http://testserver.elsewhere.example"]
)
async def test_a_foreign_page_cannot_act_for_who_is_signed_in(house: "House", origin: str) -> None:
    ana = await house.registered("ana")
    for path in (f"/status/{ana['id']}/cancel", f"/api/v1/registrations/{ana['id']}/cancel"):
        answer = await house.send(path, who=house.person(ana), Origin=origin)
        assert answer.status_code == 403
    assert await house.statuses() == {"ana": "confirmed"}


async def test_the_desk_shows_the_stops_that_somebody_works_at(house: "House") -> None:
    await house.registered("ana", "dinner")

    roles: tuple[Role, ...] = ("mission_staff", "partner_staff", "door_staff")
    for role in roles:
        page = words(await house.page("/desk", house.someone(role)))
        assert "Guangzhou" in page
        assert "1 registered" in page
        assert "1 to approve" in page
    assert "Guangzhou" in await house.page("/desk", house.boss)
    elsewhere = house.someone("door_staff", stop_ids=())
    assert "no stop here that you work at" in await house.page("/desk", elsewhere)


async def test_the_door_finds_people_and_checks_them_in(house: "House") -> None:
    ana = await house.registered("ana", person={"native_name": "示例安"})
    await house.registered("bo")
    door, path = house.someone("door_staff"), f"/desk/stops/{house.stop}"

    for text in ("SAMPLE ANA", "示例安", " ana co"):
        page = await house.page(f"{path}?q={text}", door)
        assert (page.count("Sample ana"), page.count("Sample bo")) == (2, 0)
    answer = await house.send(f"/desk/arrivals/{ana['id']}?q=示例安", who=door)

    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    page = await house.page(f"{back.path}?{back.query}", door)
    assert "Sample ana" in page
    assert "Arrived " in page
    assert "Nobody found" in await house.page(f"{path}?q=zz", door)
    assert "Sample" not in words(await house.page(path, door)).replace("Sample Bureau", "")


async def test_mission_staff_approves_and_rejects_at_the_desk(house: "House") -> None:
    for name in ("ana", "bo"):
        await house.registered(name, "dinner")
    staff, path = house.someone("mission_staff"), f"/desk/stops/{house.stop}"
    page = await house.page(path, staff)
    assert "To approve (2)" in page
    ana, bo = re.findall(r'action="(/desk/registrations/[^"]+)/approve"', page)

    for action in (f"{ana}/approve", f"{bo}/reject"):
        answer = await house.send(action, who=staff)
        assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert await house.statuses("dinner") == {"ana": "confirmed", "bo": "rejected"}
    assert "To approve" not in await house.page(path, staff)


async def test_the_door_does_not_approve(house: "House") -> None:
    ana = await house.registered("ana", "dinner")
    door = house.someone("door_staff")
    assert "Approve" not in await house.page(f"/desk/stops/{house.stop}", door)
    answer = await house.send(f"/desk/registrations/{ana['id']}/approve", who=door)
    assert answer.status_code == 403


async def test_a_device_becomes_the_venue_screen(house: "House") -> None:
    answer = await house.send(
        f"/desk/stops/{house.stop}/screen", who=house.someone("mission_staff")
    )
    signed_in = await house.client.get(answer.headers["location"])

    assert signed_in.headers["location"] == f"/screen/{house.stop}"
    token = cookie(signed_in)["Cookie"].partition("=")[2]
    assert house.tokens.read(token, "session").role == "screen"


@pytest.mark.parametrize(
    ("role", "home"),
    [
        ("local", "/day"),
        ("delegate", "/day"),
        ("interpreter", "/day"),
        ("mission_staff", "/desk"),
        ("partner_staff", "/desk"),
        ("door_staff", "/desk"),
        ("service", "/"),
    ],
)
async def test_home_is_where_a_role_works(house: "House", role: Role, home: str) -> None:
    headers = house.browser(house.someone(role))
    assert (await house.client.get("/home", headers=headers)).headers["location"] == home
    assert (await house.client.get("/home")).headers["location"] == "/sign-in"


async def test_a_page_is_kept_in_no_shared_cache(house: "House") -> None:
    answer = await house.client.get("/status", headers=house.browser(house.boss))
    assert answer.headers["Cache-Control"] == "private, no-cache"


async def test_what_people_typed_is_shown_as_text(house: "House") -> None:
    await house.registered("ana", person={"full_name": "<script>alert(1)</script>"})
    page = await house.page(f"/desk/stops/{house.stop}?q=<script>", house.someone("door_staff"))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
