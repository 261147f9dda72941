"""The board's card about the schedule: progress, the end of a search, what cannot be, locks."""

import re
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from services.matching.domain.problem import Conflict, Progress, Solution
from services.matching.domain.reports import Found, Report
from services.matching.store import schedules
from services.matching.store.schedules import Row
from shared.access import Principal
from shared.events.base import Bilingual

if TYPE_CHECKING:
    import httpx2

    from tests.services.matching.conftest import House


async def page(house: "House", part: str = "", language: str = "en") -> str:
    answer = await house.ask(
        "GET", f"/stops/{house.stop}/board{part}", Accept="text/html", Accept_Language=language
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


async def send(
    house: "House", path: str, who: Principal | None = None, language: str = "en"
) -> "httpx2.Response":
    return await house.ask(
        "POST",
        f"/stops/{house.stop}/board/{path}",
        who,
        Accept="text/html",
        Accept_Language=language,
    )


async def running(house: "House", *reports: Report) -> UUID:
    """Let a search be on that has told this so far."""
    schedule_id = uuid4()
    async with house.database.transaction() as connection:
        await schedules.add(connection, schedule_id, house.stop, 10, house.slot(1))
        claimed: Row | None = await schedules.claim(connection)
        assert claimed is not None
        for report in reports:
            await schedules.note(connection, schedule_id, report)
    return schedule_id


def report(house: "House", *, is_proved: bool = False) -> Report:
    dora, lin, luo = (house.people[name] for name in ("dora", "lin", "luo"))
    solution = Solution(
        placed=(),
        objective=9_000,
        bound=9_000 if is_proved else 10_000,
        is_optimal=is_proved,
        musts=3,
        breaks=7,
        breaks_bound=7 if is_proved else 2,
        table_changes=5,
        conflicts=(
            Conflict(
                code="slots",
                pairs=((dora, lin), (dora, luo)),
                reason=Bilingual(en="These cannot both be kept.", zh="以下要求无法同时满足。"),
            ),
        ),
    )
    progress = Progress(stage="waits", seconds=4.2, solution=solution)
    return Report.of(progress, 4, Found.of([house.entry("dave luo", 1)]))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "Step 6 of 7: less waiting between meetings",
                "3 of 4 must-meets",
                "90% of the best possible value at most 10% more is possible",
                "7 waits between meetings at least 2 cannot be helped",
                "4 of 10 seconds",
                "Stop and keep the best so far",
                "These cannot both be kept. Sample Dora Co. – Sample Lin Co.",
            ],
        ),
        ("zh", ["第 6/7 步：减少洽谈之间的等待", "3/4 必见洽谈", "停止并保留", "示例dora公司"]),
    ],
)
async def test_while_a_schedule_is_made_the_board_says_how_far_it_is(
    house: "House", language: str, said: list[str]
) -> None:
    await running(house, report(house))
    for part in ("", "/schedule"):
        shown = words(await page(house, part, language))
        for each in said:
            assert each in shown


async def test_a_search_that_has_found_nothing_yet_says_so(house: "House") -> None:
    await running(house)
    assert "Reading who is there" in words(await page(house, "/schedule"))
    await house.rows("UPDATE schedule SET progress = 'queued'")
    assert "Waiting for its turn" in words(await page(house, "/schedule"))


@pytest.mark.parametrize(
    ("ended", "said"),
    [("proved", "nothing better exists"), ("broken", "broke off"), ("time", "in the time given")],
)
async def test_why_a_search_is_over_is_said(house: "House", ended: str, said: str) -> None:
    schedule_id = await running(house, report(house, is_proved=ended == "proved"))
    async with house.database.transaction() as connection:
        await schedules.settle(connection, schedule_id, ended)  # type: ignore[arg-type]  # it is one
    shown = words(await page(house))

    assert said in shown
    assert ("none fewer is possible" in shown) == (ended == "proved")
    assert f"/board/schedules/{schedule_id}/publish" in await page(house)


async def test_a_search_is_ended_from_the_board_by_staff_alone(house: "House") -> None:
    schedule_id = await running(house, report(house))
    path = f"schedules/{schedule_id}/cancel"
    assert (await send(house, path, house.someone("door_staff"))).status_code == 403
    answer = await send(house, path)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/stops/{house.stop}/board")
    shown = await page(house)
    assert "Stopping" in words(shown)
    assert path not in shown


async def test_door_staff_reads_nothing_of_a_schedule_that_is_made(house: "House") -> None:
    await running(house, report(house))
    answer = await house.ask(
        "GET", f"/stops/{house.stop}/board/schedule", house.someone("door_staff")
    )

    assert answer.status_code == 200
    assert "must-meets" not in answer.text
    assert "Sample Lin" not in answer.text
    stranger = house.someone("mission_staff", mission_id=uuid4())
    answer = await house.ask("GET", f"/stops/{house.stop}/board/schedule", stranger)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("language", "said"), [("en", "does not fit any more"), ("zh", "该方案已不再适用")]
)
async def test_what_stands_against_publishing_is_shown_on_the_board(
    house: "House", language: str, said: str
) -> None:
    await house.day()
    schedule_id = await house.proposed(house.entry("dora lin", 2, "T1", "ivy"))
    await house.order(await house.meeting("dora lin"), "start", 1)
    answer = await send(house, f"schedules/{schedule_id}/publish", language=language)

    shown = words(answer.text)
    assert answer.status_code == 409
    assert said in shown
    assert ("Sample Lin Co." if language == "en" else "示例lin公司") in shown


@pytest.mark.parametrize(
    ("language", "state", "said"),
    [
        ("en", "superseded", "Another version has taken its place meanwhile"),
        ("zh", "superseded", "该版本已被其他版本取代"),
        ("zh", "draft", "该日程仍在编排中"),
    ],
)
async def test_a_refusal_that_names_no_meeting_is_in_the_readers_language(
    house: "House", language: str, state: str, said: str
) -> None:
    schedule_id = await house.proposed(house.entry("dave luo", 1))
    number = 1 if state == "superseded" else None
    await house.rows("UPDATE schedule SET state = $1, number = $2", state, number)
    refused = await send(house, f"schedules/{schedule_id}/publish", language=language)
    assert refused.status_code == 409
    assert said in refused.text
    assert "cannot be published" not in refused.text


@pytest.mark.parametrize(
    ("language", "said"), [("en", "2 meetings fewer than are in force"), ("zh", "少2场洽谈")]
)
async def test_a_proposal_that_would_cancel_more_than_it_has_says_so(
    house: "House", language: str, said: str
) -> None:
    await house.day()
    in_force = len((await house.get(f"/meetings?stop_id={house.stop}"))["items"])
    names = ["dave luo", "dave liu", "dora lin", "dora luo"]
    entries = [house.entry(pair, place + 1) for place, pair in enumerate(names)]
    await house.proposed(*entries[: in_force - 2])
    shown = await page(house, "/schedule", language)
    assert said in words(shown)
    assert 'class="plain">' + ("Publish" if language == "en" else "发布") in shown


async def test_a_lock_keeps_a_meeting_where_it_is_until_it_is_taken_off(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    told = await house.told()
    assert 'data-locked="yes"' not in await page(house, "/content")
    locked = await house.order(meeting, "lock", 1)
    assert (locked.status_code, locked.json()["locked"], locked.json()["revision"]) == (
        200,
        True,
        1,
    )
    assert (await page(house, "/content")).count('data-locked="yes"') == 1
    stale = await house.order(meeting, "unlock", 2)
    assert stale.status_code == 412
    assert (await house.order(meeting, "unlock", 1)).json()["locked"] is False
    assert await house.told() == told

    door = await house.ask(
        "POST", f"/api/v1/meetings/{meeting}/lock", house.someone("door_staff"), If_Match='"1"'
    )
    assert door.status_code == 403
    await house.order(meeting, "start", 1)
    begun = await house.order(meeting, "lock", 2)
    assert (begun.status_code, begun.json()["code"]) == (409, "illegal_state")
