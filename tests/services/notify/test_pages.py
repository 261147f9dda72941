import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.notify.commands import planning
from services.notify.store import mailbox
from services.notify.store.live import Live
from services.notify.store.messages import News
from shared.access import Principal
from shared.http import now
from shared.postgres import Database
from shared.redis import command_client

MAIL = b"""From: Tradewind <no-reply@example.org>
To: delegate@example.org
Subject: Synthetic
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset="utf-8"

Hello <script>alert(1)</script>,
open https://mission.example.org/sign-in?token=abc&next=%2Fday or not.
--b
Content-Type: text/calendar; charset="utf-8"; method="PUBLISH"
Content-Disposition: attachment; filename="shanghai.ics"

BEGIN:VCALENDAR
END:VCALENDAR
--b--
"""


@pytest.fixture
async def message_id(database: Database, world: Any) -> str:
    """What names a mail of the world's mission."""
    async with database.transaction() as connection:
        news = News.of("sign_in", world.delegate, world.mission)
        await planning.tell(connection, [news], now())
        found = await connection.fetchval("SELECT message_id FROM message")
    return f"<{found}@example.org>"


@pytest.fixture
async def mail(database: Database, message_id: str) -> int:
    """The id of a mail in the mailbox."""
    async with database.transaction() as connection:
        received = mailbox.Received(("delegate@example.org",), "Synthetic", message_id, MAIL)
        await mailbox.put(connection, received)
        found: int = await connection.fetchval("SELECT id FROM mailbox_message")
    return found


def order(page: str, *texts: str) -> bool:
    """Say whether texts are on a page in this order."""
    places = [page.index(text) for text in texts]
    return places == sorted(places)


async def test_a_day_shows_the_next_meeting_first_and_what_is_over_last(
    browser: Any, person: Any, planned: Any, keep: Any, registration: Any
) -> None:
    registration.know(planned.local, "local@example.org", name="Example Person")
    over, called, later = (planned.meeting(number=n) for n in range(3))
    await keep(over, later, called)
    await keep(
        planned.then(over, "completed"),
        planned.then(called, "called", delay_minutes=5, interpreter_id=uuid4()),
    )
    answer = await browser.get("/day", person("delegate", planned.delegate))
    page = answer.text
    assert answer.status_code == 200
    assert order(
        page, ">Next<", ">10:05<", ">10:25<", "More meetings", ">10:30<", "Over", ">09:30<"
    )
    assert order(page, "Please come to the table", "starts 5 min late", "With interpreter")
    assert page.count("Example Person") >= 3
    assert "样例风电有限公司" in page
    assert "Shanghai, UTC+8" in page
    assert "Example Hall" in page


@pytest.mark.parametrize(("language", "said"), [("en", "Not called"), ("zh", "未叫号")])
async def test_what_nobody_called_is_over_on_the_day_after_a_while(
    browser: Any, person: Any, planned: Any, keep: Any, language: str, said: str
) -> None:
    began = datetime.now(UTC) - timedelta(hours=2)
    times = {"starts_at": began, "ends_at": began + timedelta(minutes=25)}
    await keep(planned.meeting(**times))
    who = person("delegate", planned.delegate)
    page = (await browser.get(f"/day?lang={language}", who)).text
    page = page[: page.index("<template")]
    assert 'id="next" aria-live="polite" hidden' in page
    assert page.index('id="over"') < page.index(said)
    screen = await browser.get(f"/screen/{planned.stop}", person("screen", None, planned.stop))
    assert 'data-state="next"' not in screen.text


async def test_a_meeting_that_was_held_asks_its_two_how_it_was(
    browser: Any, person: Any, planned: Any, keep: Any
) -> None:
    helper = planned.interpreter
    held, to_come = (planned.meeting(number=n, interpreter_id=helper) for n in range(2))
    await keep(held, to_come)
    await keep(planned.then(held, "completed", interpreter_id=helper))

    def asked(page: str) -> list[tuple[str, str]]:
        found = re.findall(r'href="/meetings/([^/"]+)/feedback"( hidden)?', page)
        return [(meeting, "hidden" if hidden else "shown") for meeting, hidden in found]

    page = (await browser.get("/day", person("delegate", planned.delegate))).text
    assert asked(page) == [(str(to_come.meeting_id), "hidden"), (str(held.meeting_id), "shown")]
    # An interpreter is no party.
    page = (await browser.get("/day", person("interpreter", helper))).text
    assert {how for _, how in asked(page)} == {"hidden"}


async def test_a_day_is_shown_in_chinese(
    browser: Any, person: Any, planned: Any, keep: Any, registration: Any
) -> None:
    registration.know(planned.local, "local@example.org", name="Example", native_name="样例先生")
    await keep(planned.meeting())
    answer = await browser.get("/day", person("delegate", planned.delegate), "zh-CN")
    for said in ("我的洽谈", "下一场", "已安排", "无翻译", "样例先生", "示例展馆", "2023年4月12日"):
        assert said in answer.text
    assert 'lang="zh-Hans"' in answer.text


async def test_a_company_is_shown_without_names_while_registration_is_away(
    browser: Any, person: Any, planned: Any, keep: Any, registration: Any
) -> None:
    registration.is_away = True
    await keep(planned.meeting())
    answer = await browser.get("/day", person("delegate", planned.delegate))
    assert answer.status_code == 200
    assert "Sample Wind Co., Ltd." in answer.text
    assert 'class="person"' not in answer.text


async def test_a_day_is_shown_while_redis_is_away(
    browse: Any, resources: Any, person: Any, planned: Any, stored: Any, free_port: int
) -> None:
    await stored(planned.meeting(number=3))
    async with (
        command_client(f"redis://127.0.0.1:{free_port}") as nowhere,
        browse(replace(resources, live=Live(nowhere))) as browser,
    ):
        answer = await browser.get("/day", person("local", planned.local))
    assert answer.status_code == 200
    assert ">11:00<" in answer.text


async def test_an_interpreter_sees_both_companies(
    browser: Any, person: Any, planned: Any, keep: Any
) -> None:
    await keep(planned.meeting(interpreter_id=planned.interpreter))
    page = (await browser.get("/day", person("interpreter", planned.interpreter))).text
    assert "<strong>Synthetic Hydrogen Ltd</strong>" in page
    assert "<strong>Sample Wind Co., Ltd.</strong>" in page
    # Whoever interprets knows it; the two are told.
    line = 'data-slot="interpreter"{}>With interpreter'
    assert line.format(" hidden") in page
    assert line.format("") in (await browser.get("/day", person("delegate", planned.delegate))).text


@pytest.mark.parametrize(
    ("role", "is_led"), [("delegate", True), ("local", True), ("interpreter", False)]
)
async def test_who_chooses_is_led_to_whom_to_meet(
    browser: Any, person: Any, planned: Any, role: Any, is_led: bool
) -> None:
    for path in ("/day", f"/day?stop={planned.stop}"):
        answer = await browser.get(path, person(role, uuid4()))
        assert ('href="/meet"' in answer.text) == is_led


async def test_a_day_has_nothing_of_others(
    browser: Any, person: Any, planned: Any, keep: Any, registration: Any
) -> None:
    stranger = uuid4()
    registration.know(stranger, "stranger@example.org", name="Somebody Else")
    await keep(
        planned.meeting(number=0), planned.meeting(number=5, parties=planned.parties(stranger))
    )
    who = person("delegate", planned.delegate)
    page = (await browser.get("/day", who)).text
    assert "T6" not in page
    names = await browser.get(f"/day/names?stop={planned.stop}", who)
    assert str(stranger) not in names.json()


async def test_stops_are_tabs_and_the_first_with_meetings_to_come_is_open(
    browser: Any, person: Any, planned: Any, keep: Any
) -> None:
    await keep(planned.meeting("completed", number=0))
    await keep(planned.meeting(number=7, stop_id=planned.other_stop))
    who = person("delegate", planned.delegate)
    page = (await browser.get("/day", who)).text
    assert f'href="/day?stop={planned.stop}"' in page
    assert f'href="/day?stop={planned.other_stop}" aria-current="page"' in page
    page = (await browser.get(f"/day?stop={planned.stop}", who)).text
    assert f'href="/day?stop={planned.stop}" aria-current="page"' in page
    assert "That was your last meeting here" in page


@pytest.mark.parametrize(
    ("language", "said"), [("en", "No meetings here yet"), ("zh", "暂无洽谈安排")]
)
async def test_a_day_without_meetings_says_so_kindly(
    browser: Any, person: Any, planned: Any, language: str, said: str
) -> None:
    who = person("delegate")
    for path in ("/day", f"/day?stop={planned.stop}"):
        answer = await browser.get(path, who, language)
        assert answer.status_code == 200
        assert said in answer.text


@pytest.mark.parametrize("role", ["mission_staff", "partner_staff", "door_staff", "screen"])
async def test_staff_have_no_day_and_are_led_to_their_own_page(
    browser: Any, person: Any, planned: Any, role: Any
) -> None:
    who = person(role, None, planned.stop)
    answer = await browser.get("/day", who)

    assert (answer.status_code, answer.headers["location"]) == (303, "/home")
    assert (await browser.get(f"/day/names?stop={planned.stop}", who)).status_code == 403


async def test_an_unknown_stop_is_not_found(browser: Any, person: Any, planned: Any) -> None:
    who = person("delegate", planned.delegate)
    for path in (f"/day?stop={uuid4()}", f"/screen/{uuid4()}", f"/api/v1/live/stops/{uuid4()}"):
        assert (await browser.get(path, who)).status_code == 404


@pytest.mark.parametrize("path", ["/day", "/screen/{}", "/mailbox", "/api/v1/live/stops/{}"])
async def test_nobody_sees_anything_without_signing_in(
    browser: Any, planned: Any, path: str
) -> None:
    assert (await browser.get(path.format(planned.stop), None)).status_code == 401


async def test_a_screen_shows_each_table_in_both_languages_at_once(
    browser: Any, person: Any, planned: Any, keep: Any
) -> None:
    called, sitting, then = (
        planned.meeting(point="T2"),
        planned.meeting(),
        planned.meeting(number=1),
    )
    await keep(called, sitting, planned.meeting(point="T10"))
    await keep(planned.then(called, "called"), planned.then(sitting, "in_progress"))
    await keep(planned.then(then, "scheduled", point="T1"))
    page = (await browser.get(f"/screen/{planned.stop}", person("screen", None, planned.stop))).text
    page = page[: page.index("<template")]
    assert order(page, 'data-state="in_progress"', 'data-state="called"', 'data-state="next"')
    assert order(page, ">T1<", "进行中", "In progress", ">T2<", "请就座", "Please come", ">T10<")
    for said in (
        "上海",
        "Shanghai",
        "样例风电有限公司",
        "Sample Wind Co., Ltd.",
        "Synthetic Hydrogen Ltd",
    ):
        assert said in page
    assert order(page, 'id="clock"', "Shanghai, UTC+8")


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("mission_staff", 200),
        ("screen", 200),
        ("door_staff", 200),
        ("partner_staff", 200),
        ("delegate", 403),
        ("interpreter", 403),
    ],
)
async def test_a_screen_is_for_staff_and_screens_of_the_stop(
    browser: Any, person: Any, planned: Any, role: Any, status: int
) -> None:
    here, elsewhere = person(role, None, planned.stop), person(role, None, planned.other_stop)
    path = f"/screen/{planned.stop}"
    assert (await browser.get(path, here)).status_code == status
    if role != "mission_staff":
        assert (await browser.get(path, elsewhere)).status_code == 403
        live = await browser.get(f"/api/v1/live/stops/{planned.stop}", elsewhere)
        assert live.status_code == 403


async def test_an_empty_screen_says_what_will_come(browser: Any, person: Any, planned: Any) -> None:
    answer = await browser.get(f"/screen/{planned.stop}", person("mission_staff"))
    assert "日程发布后" in answer.text
    assert "as soon as the schedule is published" in answer.text


async def test_pages_hold_no_script_or_style_that_the_policy_forbids(
    browser: Any, person: Any, planned: Any, keep: Any, mail: int
) -> None:
    await keep(planned.meeting())
    staff = person("mission_staff")
    pages = [
        await browser.get("/day", person("delegate", planned.delegate)),
        await browser.get(f"/screen/{planned.stop}", staff),
        await browser.get(f"/mailbox/{mail}", staff),
    ]
    for page in pages:
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert " style=" not in page.text
        assert "<style" not in page.text
        for script in page.text.split("<script")[1:]:
            assert script.startswith((' type="application/json"', ' type="module" src="/static/'))


async def test_a_company_cannot_write_markup_into_a_page(
    browser: Any, person: Any, planned: Any, keep: Any
) -> None:
    parties = planned.parties()
    wicked = parties[1].model_copy(update={"organization": "</script><script>alert(1)</script>"})
    await keep(planned.meeting(parties=(parties[0], wicked)))
    for path, who in (
        ("/day", person("delegate", planned.delegate)),
        (f"/screen/{planned.stop}", person("mission_staff")),
    ):
        assert "<script>alert" not in (await browser.get(path, who)).text


async def test_the_mailbox_lists_mail_and_finds_it_by_address(
    browser: Any, person: Any, mail: int
) -> None:
    staff = person("mission_staff")
    page = (await browser.get("/mailbox", staff)).text
    assert order(page, f'href="/mailbox/{mail}"', "Synthetic", "delegate@example.org")
    assert f"/mailbox/{mail}" in (await browser.get("/mailbox?q=DELEGATE", staff)).text
    assert "No mail to such an address" in (await browser.get("/mailbox?q=nobody", staff)).text
    assert "没有发往该地址的邮件" in (await browser.get("/mailbox?q=nobody", staff, "zh")).text


async def test_staff_of_another_mission_reads_none_of_these_mails(
    browser: Any, mail: int, person: Any
) -> None:
    other = Principal("mission_staff", uuid4(), uuid4())
    assert f"/mailbox/{mail}" not in (await browser.get("/mailbox", other)).text
    for path in (f"/mailbox/{mail}", f"/mailbox/{mail}/calendar", f"/mailbox/{mail}/page"):
        assert (await browser.get(path, other)).status_code == 404
    for who in (person("mission_staff"), Principal("mission_staff", uuid4())):
        assert f"/mailbox/{mail}" in (await browser.get("/mailbox", who)).text
        assert (await browser.get(f"/mailbox/{mail}", who)).status_code == 200


async def test_a_long_mailbox_has_pages(
    browser: Any, person: Any, database: Database, message_id: str
) -> None:
    async with database.transaction() as connection:
        for number in range(51):
            received = mailbox.Received(
                (f"p{number}@example.org",), f"No {number}", message_id, MAIL
            )
            await mailbox.put(connection, received)
    staff = person("mission_staff")
    page = (await browser.get("/mailbox", staff)).text
    assert "p50@" in page
    assert "p0@" not in page
    older = page.split("/mailbox?q=&amp;after=")[1].split('"')[0]
    page = (await browser.get(f"/mailbox?after={older}", staff)).text
    assert "p0@" in page
    assert "p1@" not in page


async def test_a_mail_has_links_and_a_calendar_and_no_markup_of_its_own(
    browser: Any, person: Any, mail: int
) -> None:
    staff = person("mission_staff")
    page = (await browser.get(f"/mailbox/{mail}", staff)).text
    link = "https://mission.example.org/sign-in?token=abc&amp;next=%2Fday"
    assert f'<a href="{link}" rel="noreferrer">{link}</a> or not.' in page
    assert "<script>alert" not in page
    calendar = await browser.get(f"/mailbox/{mail}/calendar", staff)
    assert calendar.headers["content-type"] == "text/calendar; charset=utf-8"
    assert calendar.headers["content-disposition"].startswith("attachment;")
    assert calendar.text.startswith("BEGIN:VCALENDAR")


async def test_a_mail_is_shown_as_mail_programs_do_and_runs_nothing(
    browser: Any, person: Any, database: Database, message_id: str
) -> None:
    content = b"Content-Type: text/html; charset=utf-8\n\n<p>Hello<script>alert(1)</script>"
    async with database.transaction() as connection:
        received = mailbox.Received(("delegate@example.org",), "Page", message_id, content)
        await mailbox.put(connection, received)
        found = await connection.fetchval("SELECT id FROM mailbox_message")
    staff = person("mission_staff")
    assert f'href="/mailbox/{found}/page"' in (await browser.get(f"/mailbox/{found}", staff)).text
    page = await browser.get(f"/mailbox/{found}/page", staff)
    assert page.text.startswith("<p>Hello")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script" not in policy


async def test_an_unknown_mail_is_not_found(browser: Any, person: Any, mail: int) -> None:
    for path in (
        "/mailbox/999999999",
        "/mailbox/999999999/calendar",
        "/mailbox/999999999/page",
        f"/mailbox/{mail}/page",
    ):
        assert (await browser.get(path, person("mission_staff"))).status_code == 404


@pytest.mark.parametrize("role", ["delegate", "partner_staff", "door_staff", "screen"])
async def test_mail_is_for_mission_staff(browser: Any, person: Any, mail: int, role: Any) -> None:
    mails = (f"/mailbox/{mail}", f"/mailbox/{mail}/calendar", f"/mailbox/{mail}/page")
    for path in ("/mailbox", *mails):
        assert (await browser.get(path, person(role))).status_code == 403


async def test_a_process_that_sends_its_mail_has_no_mailbox(
    browse: Any, resources: Any, person: Any, mail: int
) -> None:
    async with browse(replace(resources, has_mailbox=False)) as browser:
        for path in ("/mailbox", f"/mailbox/{mail}"):
            assert (await browser.get(path, person("mission_staff"))).status_code == 404


@pytest.mark.parametrize("may_cross", [True, False])
async def test_who_may_not_be_named_abroad_is_known_by_company_alone(
    browser: Any, person: Any, planned: Any, keep: Any, registration: Any, *, may_cross: bool
) -> None:
    facts = {"name": "Sample Local", "may_cross": may_cross}
    registration.know(planned.local, "local@example.org", **facts)
    await keep(planned.meeting())

    answer = await browser.get("/day", person("delegate", planned.delegate))

    assert "Sample Wind Co., Ltd." in answer.text
    assert ("Sample Local" in answer.text) is may_cross
