"""The day's plans on paper, as they are printed: read from the PDF, over the real database."""

import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import get_args
from uuid import UUID, uuid4

import pytest

from services.notify.commands.plans import printing
from services.notify.domain.day_plans import FINISHED, LEFT_OUT
from services.notify.store import facts, feed
from shared.access import Principal, Role
from shared.contacts import Contacts
from shared.erased import note_erased
from shared.events import matching as m
from shared.postgres import Database
from tests.services.notify.conftest import NOW, Browser, Keep, Registration, World

Person = Callable[..., Principal]
LONG = "Maria-Fernanda Gutiérrez y Villaseñor de la Torre Sample"


def text_of(pdf: bytes) -> list[str]:
    """Read what is printed, sheet by sheet; where lines end does not matter."""
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return [re.sub(r"\s+", " ", page) for page in done.stdout.decode().rstrip("\f").split("\f")]


@pytest.fixture
async def day(planned: World, stored: Keep, registration: Registration) -> World:
    """Two meetings of two people, the second with an interpreter, and a cancelled one."""
    world = planned
    registration.know(
        world.delegate,
        "dana@example.org",
        name="Sample Dana",
        organization="Synthetic Hydrogen Ltd",
    )
    registration.know(
        world.local,
        "wei@example.com",
        name="Sample Wei",
        native_name="样例伟",
        language="zh",
        role="local",
        organization="Sample Wind Co., Ltd.",
        native_organization="样例风电有限公司",
    )
    registration.know(world.interpreter, "ivy@example.org", name="Sample Ivy", role="interpreter")
    await stored(
        world.meeting(number=2, interpreter_id=world.interpreter, schedule_number=3, revision=4),
        world.meeting(number=0, schedule_number=2, delay_minutes=5, occurred_at=NOW),
        world.meeting("cancelled", number=4, revision=2, point="T99"),
    )
    return world


def path(world: World, **query: object) -> str:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/api/v1/stops/{world.stop}/day-plans.pdf?{asked}"


async def test_everybody_gets_a_sheet_in_their_own_language_with_version_and_page(
    day: World, browser: Browser, person: Person
) -> None:
    answer = await browser.get(path(day), person("mission_staff"))
    delegate, local, interpreter = text_of(answer.content)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "private, no-store"
    for part in (
        "Plan of the day",
        "Sample Dana",
        "Synthetic Hydrogen Ltd",
        "Synthetic matchmaking day",
        "Shanghai",
        "Wed 12 Apr 2023",
        "Example Hall",
        "All times are local: Shanghai, UTC+8",
        "Sample Wind Co., Ltd.",
        "样例风电有限公司",
        "Sample Wei",
        "5 min late",
        "Sample Ivy",
        "Schedule 3, change 7",
        "As it was on Wed 12 Apr 2023 09:00:00",
        "mission.example.org/day",
    ):
        assert part in delegate
    # By the stop's clock and in their order: the first begins five minutes later than planned.
    assert re.findall(r"\d\d:\d\d–\d\d:\d\d", delegate) == ["09:35–09:55", "10:30–10:55"]
    assert delegate.index("T1") < delegate.index("T3")
    squeezed = local.replace(" ", "")
    for part in (
        "当日洽谈安排",
        "样例伟",
        "样例风电有限公司",
        "样例对接日",
        "上海",
        "2023年4月12日",
        "示例展馆",
        "北京时间",
        "Synthetic Hydrogen Ltd",
        "Sample Dana",
        "推迟5分钟",
        "无",
        "日程第3版，第7次变更",
    ):
        assert part.replace(" ", "") in squeezed
    assert "Plan of the day" not in local
    for part in ("Sample Ivy", "Between", "Synthetic Hydrogen Ltd", "Sample Wind Co., Ltd."):
        assert part in interpreter
    assert "T1" not in interpreter


async def test_what_is_cancelled_is_left_out_and_who_has_nothing_left_is_told_so(
    day: World, stored: Keep, browser: Browser, person: Person, registration: Registration
) -> None:
    alone = uuid4()
    registration.know(alone, "bo@example.org", name="Sample Bo", organization="Zeta Sample")
    await stored(day.meeting("cancelled", number=5, parties=day.parties(delegate=alone)))

    pages = text_of((await browser.get(path(day), person("mission_staff"))).content)

    assert all("T99" not in page and "11:30" not in page for page in pages)
    (left,) = [page for page in pages if "Sample Bo" in page]
    assert "There are no meetings for you here at the moment." in left


async def test_one_person_is_printed_alone_and_nobody_from_elsewhere(
    day: World, browser: Browser, person: Person, registration: Registration
) -> None:
    stranger = uuid4()
    registration.know(stranger, "x@example.org", name="Sample Stranger")
    staff = person("mission_staff")

    (one,) = text_of((await browser.get(path(day, person_id=day.local), staff)).content)
    other = await browser.get(path(day, person_id=stranger), staff)

    assert "样例伟" in one
    assert other.status_code == 404
    assert "Stranger" not in other.text


async def test_who_was_written_to_about_the_stop_gets_a_sheet_without_meetings(
    day: World, database: Database, browser: Browser, person: Person, registration: Registration
) -> None:
    guest = uuid4()
    registration.know(guest, "g@example.org", name="Sample Guest", language="zh", role="local")
    await to_tell(database, day, guest)

    (one,) = text_of(
        (await browser.get(path(day, person_id=guest), person("mission_staff"))).content
    )

    assert "您目前在本站没有洽谈安排。" in one


async def to_tell(database: Database, world: World, whom: UUID) -> None:
    """Put a message to somebody on the sheet of those to be told by hand."""
    async with database.transaction() as connection:
        await connection.execute(
            "WITH written AS (INSERT INTO message (kind, channel, person_id, mission_id, stop_id, "
            "programme_item_id, state, next_attempt_at, created_at) VALUES "
            "('confirmed', 'print', $1, $2, $3, $4, 'sent', $5, $5) RETURNING id) "
            "INSERT INTO by_hand (message, listed_at) SELECT id, $5 FROM written",
            *(whom, world.mission, world.stop, world.item, NOW),
        )


async def test_those_to_tell_by_hand_are_printed_alone_and_linked_from_their_sheet(
    day: World, database: Database, browser: Browser, person: Person
) -> None:
    await to_tell(database, day, day.local)
    staff = person("mission_staff")

    pages = text_of((await browser.get(path(day, by_hand="true"), staff)).content)
    sheet = (await browser.get(f"/desk/stops/{day.stop}/deliveries/sheet", staff)).text
    overview = (await browser.get(f"/desk/stops/{day.stop}/day-plans", staff, "zh")).text

    assert len(pages) == 1
    assert "样例伟" in pages[0]
    assert f"/desk/stops/{day.stop}/day-plans.pdf?by_hand=true" in sheet
    assert f"/desk/stops/{day.stop}/day-plans.pdf?person_id={day.local}" in sheet
    assert "打印待人工告知人员（1）" in overview


async def test_who_does_not_agree_to_be_named_is_known_by_company_to_others_alone(
    day: World, browser: Browser, person: Person, registration: Registration
) -> None:
    hidden = registration.people[day.local].model_copy(update={"may_cross": False})
    registration.people[day.local] = hidden

    delegate, local, _ = text_of((await browser.get(path(day), person("mission_staff"))).content)

    assert "Sample Wei" not in delegate
    assert "Sample Wind Co., Ltd." in delegate
    assert "样例伟" in local


async def test_the_erased_get_no_sheet_and_are_named_on_none(
    day: World, database: Database, browser: Browser, person: Person, contacts: Contacts
) -> None:
    # As remembered from before, and with a message that nobody has told yet.
    await contacts.of([day.local])
    await to_tell(database, day, day.local)
    async with database.transaction() as connection:
        await note_erased(connection, day.local, NOW)

    pages = text_of((await browser.get(path(day), person("mission_staff"))).content)
    alone = await browser.get(path(day, person_id=day.local), person("mission_staff"))

    assert len(pages) == 2
    assert not any("Sample Wei" in page or "样例伟" in page for page in pages)
    assert alone.status_code == 404


async def test_a_change_gives_a_higher_version_and_the_same_state_the_same(
    day: World, stored: Keep, browser: Browser, person: Person
) -> None:
    async def version() -> str:
        asked = path(day, person_id=day.delegate)
        (page,) = text_of((await browser.get(asked, person("mission_staff"))).content)
        found = re.search(r"Schedule \d+, change \d+ As it was on [^.]+", page)
        assert found is not None
        return found[0]

    before, again = await version(), await version()
    await stored(
        day.meeting(number=6, revision=2, schedule_number=4, occurred_at=NOW + timedelta(seconds=7))
    )

    assert before == again
    assert await version() == "Schedule 4, change 9 As it was on Wed 12 Apr 2023 09:00:07"


@pytest.mark.parametrize(
    ("role", "hosts", "status"),
    [
        ("mission_staff", False, 200),
        ("partner_staff", True, 200),
        ("partner_staff", False, 403),
        ("door_staff", False, 403),
        ("local", False, 403),
        ("screen", False, 403),
        (None, False, 401),
    ],
)
async def test_who_prints_plans(
    day: World, database: Database, browser: Browser, role: Role | None, hosts: bool, status: int
) -> None:
    partner = uuid4()
    planned = day.stop_planned().model_copy(update={"hosts": (partner if hosts else uuid4(),)})
    async with database.transaction() as connection:
        await feed.put_stop(connection, planned, 1)
    who = role and Principal(
        role,
        uuid4(),
        day.mission,
        (day.stop,),
        partner if role == "partner_staff" else None,
    )

    for asked in (
        path(day),
        path(day, person_id=day.delegate),
        f"/desk/stops/{day.stop}/day-plans",
        f"/desk/stops/{day.stop}/day-plans.pdf",
    ):
        assert (await browser.get(asked, who)).status_code == status


async def test_staff_of_another_mission_prints_nothing(day: World, browser: Browser) -> None:
    other = Principal("mission_staff", uuid4(), uuid4())

    assert (await browser.get(path(day), other)).status_code == 403


async def test_that_plans_were_printed_is_noted_without_names(
    day: World, database: Database, browser: Browser, person: Person
) -> None:
    staff = person("mission_staff")
    answer = await browser.get(path(day), staff)

    async with database.reading() as connection:
        (entry,) = await connection.fetch(
            "SELECT actor_id, subject_id, details FROM audit_entry "
            "WHERE action = 'day_plans.printed'"
        )
    trail = await browser.get(f"/desk/missions/{day.mission}/messages/audit", staff)

    assert entry["actor_id"] == staff.subject
    assert entry["subject_id"] == day.stop
    assert entry["details"] == {"people": 3, "schedule": 3, "change": 7}
    assert answer.headers["Content-Disposition"] == 'inline; filename="plans-shanghai-3-7.pdf"'
    assert "Printed plans of the day" in trail.text


async def test_nothing_is_printed_while_nobody_says_what_people_are_called(
    day: World, browser: Browser, person: Person, registration: Registration
) -> None:
    registration.is_away = True

    answer = await browser.get(path(day), person("mission_staff"))

    assert (answer.status_code, answer.headers.get("Retry-After") is None) == (503, False)


async def test_a_long_day_goes_on_behind_and_every_page_says_so(
    day: World, stored: Keep, browser: Browser, person: Person, registration: Registration
) -> None:
    busy = uuid4()
    registration.know(busy, "busy@example.org", name=LONG, organization="Sample " * 20)
    await stored(
        *(
            day.meeting(
                number=number,
                parties=day.parties(delegate=busy),
                starts_at=NOW + timedelta(minutes=10 * number),
                ends_at=NOW + timedelta(minutes=10 * number + 8),
            )
            for number in range(60)
        )
    )

    asked = path(day, person_id=busy)
    pages = text_of((await browser.get(asked, person("mission_staff"))).content)

    assert len(pages) > 1
    assert sum(len(re.findall(r"\d\d:\d\d–\d\d:\d\d", page)) for page in pages) == 60
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Schedule 3, change" in page
    assert LONG in pages[0]


@pytest.mark.parametrize("number", [20])
async def test_a_full_day_fits_on_one_sheet(
    day: World,
    stored: Keep,
    browser: Browser,
    person: Person,
    number: int,
    registration: Registration,
) -> None:
    busy = uuid4()
    registration.know(busy, "busy@example.org", name=LONG, language="zh")
    await stored(
        *(day.meeting(number=n, parties=day.parties(delegate=busy)) for n in range(number))
    )

    asked = path(day, person_id=busy)
    pages = text_of((await browser.get(asked, person("mission_staff"))).content)

    assert len(pages) == 1


async def test_many_sheets_are_bound_from_chunks_and_more_than_fit_come_in_parts(
    day: World,
    stored: Keep,
    browser: Browser,
    person: Person,
    registration: Registration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(printing, "CHUNK_SIZE", 2)
    for number in range(4):
        one = uuid4()
        registration.know(one, f"p{number}@example.org", name=f"Sample P{number}", language="zh")
        await stored(day.meeting(number=number, parties=day.parties(delegate=one)))
    staff = person("mission_staff")

    whole = text_of((await browser.get(path(day), staff)).content)
    monkeypatch.setattr(printing, "PEOPLE_MAX", 5)
    refused = await browser.get(path(day), staff)
    first = text_of((await browser.get(path(day, part=1), staff)).content)
    second = text_of((await browser.get(path(day, part=2), staff)).content)
    third = await browser.get(path(day, part=3), staff)
    overview = await browser.get(f"/desk/stops/{day.stop}/day-plans", staff)

    assert [len(pages) for pages in (whole, first, second)] == [7, 5, 2]
    assert all(any(f"Sample P{n}" in page for page in whole) for n in range(4))
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_sheets")
    assert third.status_code == 404
    assert "Print part 2 of 2" in overview.text


async def test_the_pdf_is_one_that_strict_readers_take(
    day: World, browser: Browser, person: Person, tmp_path: Path
) -> None:
    file = tmp_path / "plans.pdf"
    file.write_bytes((await browser.get(path(day), person("mission_staff"))).content)

    done = subprocess.run(["pdfinfo", file], capture_output=True, text=True, check=True)
    drawn = subprocess.run(
        ["pdftoppm", "-r", "20", file, tmp_path / "p"], capture_output=True, text=True, check=True
    )

    assert re.search(r"Pages: +3\b", done.stdout)
    assert "A4" in done.stdout
    assert drawn.stderr == ""
    assert not re.search(rb"Sample (Dana|Wei)", file.read_bytes())


async def test_the_overview_finds_people_by_name_and_company_in_both_scripts(
    day: World, browser: Browser, person: Person
) -> None:
    async def named(query: str) -> list[str]:
        page = await browser.get(
            f"/desk/stops/{day.stop}/day-plans?q={query}", person("mission_staff")
        )
        return re.findall(r"<h2>(Sample \w+)", page.text)

    assert await named("") == ["Sample Dana", "Sample Wei", "Sample Ivy"]
    assert await named("风电") == ["Sample Wei"]
    assert await named("hydrogen") == ["Sample Dana"]
    assert await named("nobody") == []


async def test_a_rehearsal_says_so_on_paper(
    day: World, database: Database, browser: Browser, person: Person
) -> None:
    async with database.transaction() as connection:
        await facts.put_mission(connection, day.mission_announced(is_rehearsal=True), 2)

    pages = text_of((await browser.get(path(day), person("mission_staff"))).content)

    assert "Rehearsal: nothing on this sheet is in earnest." in pages[0]


async def test_without_a_chinese_font_nothing_is_printed_and_it_is_said_why(
    day: World, browser: Browser, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "families", lambda: frozenset({"Libertinus Serif"}))

    answer = await browser.get(path(day), person("mission_staff"))

    assert (answer.status_code, answer.json()["code"]) == (409, "font_missing")


def test_meeting_states_are_all_thought_of() -> None:
    running = {"scheduled", "called", "in_progress"}
    assert running | FINISHED | LEFT_OUT == set(get_args(m.MeetingState))
