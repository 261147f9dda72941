"""The page of a stop's rules: ways, hours, orders and rests in words, without a line of JSON."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

from services.matching.pages.hours import Hours, hours_of
from tests.services.matching.browsing import followed, headers, page, revision, send, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

RULES = "matching/rules"


async def rules(house: "House") -> Any:
    return await house.get(f"/scheduling-rules?stop_id={house.stop}")


async def sent(house: "House", section: str, *, language: str = "en", **form: Any) -> Any:
    """Send a form whose fields come again and again, as the page gives it."""
    action = f"/stops/{house.stop}/{RULES}/{section}"
    if "revision" not in form:
        person = f"?person={form['person_id']}" if section == "hours" else ""
        form["revision"] = revision(await page(house, house.boss, RULES + person), action)
    return await house.client.post(action, headers=headers(house, house.boss, language), data=form)


def refused(answer: httpx2.Response, *shown: str) -> None:
    """See that all that was typed is still there, and marked."""
    assert answer.status_code == 422, answer.text
    assert 'aria-invalid="true"' in answer.text
    for text in shown:
        assert text in answer.text


async def test_ways_between_the_venues_there_are_are_set_and_dropped(house: "House") -> None:
    assert "All meetings of this stop are at one place" in words(
        await page(house, house.boss, RULES)
    )
    await house.add_session(
        slug="harbour", venue="Harbour", points=[{"label": "H", "kind": "table"}]
    )
    shown = words(await page(house, house.boss, RULES))
    assert "The stop's own place ↔ Harbour" in shown
    assert "本站主会场 ↔ Harbour" in words(await page(house, house.boss, RULES, language="zh"))

    one_way: dict[str, Any] = {"one": [""], "other": ["Harbour"]}
    saved = await sent(house, "ways", **one_way, minutes=[" 12 "])
    assert "Saved." in words(await followed(house, house.boss, saved))
    assert (await rules(house))["ways"] == [{"one": "", "other": "Harbour", "minutes": 12}]
    assert 'value="12"' in await page(house, house.boss, RULES)
    await sent(house, "ways", **one_way, minutes=[""])
    assert (await rules(house))["ways"] == []


@pytest.mark.parametrize("minutes", ["soon", "0", "1.5", "9999"])
async def test_a_wrong_way_stays_as_it_was_typed_beside_the_others(
    house: "House", minutes: str
) -> None:
    before = await rules(house)
    rows: dict[str, Any] = {
        "one": ["", ""],
        "other": ["Annex", "Harbour"],
        "minutes": ["7", minutes],
        "revision": 0,
    }
    answer = await sent(house, "ways", **rows)
    refused(answer, 'value="7"', f'value="{minutes}"')
    assert answer.text.count('aria-invalid="true"') == 1
    assert await rules(house) == before
    assert (
        "路程分钟数须为 1 至 1440 的整数" in (await sent(house, "ways", language="zh", **rows)).text
    )


async def test_hours_are_those_of_the_stops_clock(house: "House") -> None:
    lin = house.people["lin"]
    shown = words(await page(house, house.boss, f"{RULES}?q=lin%20co"))
    assert "Sample Lin Co." in shown
    assert "Shanghai, UTC+8" in shown
    assert f'name="person_id" value="{lin}"' in await page(
        house, house.boss, f"{RULES}?person={lin}"
    )
    day = ["2023-11-07"] * 3
    saved = await sent(
        house,
        "hours",
        person_id=str(lin),
        day=day,
        starts=["10:00", "", "14:30"],
        ends=["11:00", "", "00:00"],
    )
    assert "Sample Lin Co." in words(await followed(house, house.boss, saved))
    assert (await rules(house))["availabilities"][0]["times"] == [
        {"starts_at": "2023-11-07T02:00:00Z", "ends_at": "2023-11-07T03:00:00Z"},
        {"starts_at": "2023-11-07T06:30:00Z", "ends_at": "2023-11-07T16:00:00Z"},
    ]
    shown = words(await page(house, house.boss, RULES))
    assert "10:00–11:00, 14:30–00:00" in shown

    await sent(house, "hours", person_id=str(lin), day=day[:1], starts=[""], ends=[""])
    assert (await rules(house))["availabilities"] == []


async def test_a_shift_of_an_interpreter_is_set(house: "House") -> None:
    ivy = str(house.helpers["ivy"])
    day, starts, ends = ["2023-11-07"], ["09:00"], ["12:00"]
    await sent(house, "hours", person_id=ivy, day=day, starts=starts, ends=ends)

    assert [one["person_id"] for one in (await rules(house))["availabilities"]] == [ivy]
    assert "09:00–12:00" in words(await page(house, house.boss, RULES))


@pytest.mark.parametrize(
    ("starts", "ends"), [("11:00", "10:00"), ("10:00", ""), ("ten", "11:00"), ("11:00", "11:00")]
)
async def test_wrong_hours_stay_as_they_were_typed(house: "House", starts: str, ends: str) -> None:
    lin = str(house.people["lin"])
    answer = await sent(
        house,
        "hours",
        person_id=lin,
        day=["2023-11-07"] * 2,
        starts=["08:00", starts],
        ends=["09:00", ends],
    )
    refused(answer, 'value="08:00"', f'value="{starts}"')
    # Both times of the row that is wrong.
    assert answer.text.count('aria-invalid="true"') == 2
    assert (await rules(house))["availabilities"] == []


async def test_one_meeting_is_put_before_another(house: "House") -> None:
    people = {name: str(one) for name, one in house.people.items()}
    form = {"first_delegate": people["dora"], "first_local": people["lin"]}
    answer = await send(
        house,
        house.boss,
        f"{RULES}/orders",
        **form,
        second_delegate=people["dave"],
        second_local=people["luo"],
    )
    shown = await followed(house, house.boss, answer)
    assert "Sample Dora Co. – Sample Lin Co. before Sample Dave Co. – Sample Luo Co." in words(
        shown
    )
    (order,) = (await rules(house))["precedences"]
    await send(house, house.boss, f"{RULES}/orders/{order['id']}")
    await send(house, house.boss, f"{RULES}/orders/{order['id']}")
    assert (await rules(house))["precedences"] == []


@pytest.mark.parametrize("second", ["dora lin", "dora stranger", " "])
async def test_a_wrong_order_keeps_what_was_chosen(house: "House", second: str) -> None:
    people = {name: str(one) for name, one in house.people.items()} | {"stranger": str(uuid4())}
    delegate, local = (people.get(name, "") for name in second.split(" "))
    answer = await send(
        house,
        house.boss,
        f"{RULES}/orders",
        first_delegate=people["dora"],
        first_local=people["lin"],
        second_delegate=delegate,
        second_local=local,
    )
    refused(answer, f'value="{people["lin"]}" selected')
    assert (await rules(house))["precedences"] == []


async def test_rests_are_set_and_ended(house: "House") -> None:
    await sent(house, "rest", run_minutes_max="90", rest_minutes="20")
    assert (await rules(house))["rest"] == {"run_minutes_max": 90, "rest_minutes": 20}
    answer = await sent(house, "rest", run_minutes_max="3", rest_minutes="x")
    refused(answer, 'value="3"', 'value="x"')
    assert (await rules(house))["rest"] == {"run_minutes_max": 90, "rest_minutes": 20}
    await sent(house, "rest", run_minutes_max="", rest_minutes="")
    assert (await rules(house))["rest"] is None


async def test_who_decided_on_older_rules_saves_nothing_and_may_save_anew(house: "House") -> None:
    await house.add_session(
        slug="harbour", venue="Harbour", points=[{"label": "H", "kind": "table"}]
    )
    lin = str(house.people["lin"])
    forms: dict[str, dict[str, Any]] = {
        "ways": {"one": [""], "other": ["Harbour"], "minutes": ["12"]},
        "hours": {"person_id": lin, "day": ["2023-11-07"], "starts": ["10:00"], "ends": ["11:00"]},
        "rest": {"run_minutes_max": "90", "rest_minutes": "20"},
    }
    for section, form in forms.items():
        assert (await sent(house, section, **form)).status_code == 303
        before = await rules(house)
        other = form | {"minutes": ["34"], "ends": ["12:34"], "run_minutes_max": "34"}
        other = {name: other[name] for name in form}
        late = await sent(house, section, **other, revision=0)
        assert late.status_code == 409
        assert "Changed by somebody else meanwhile" in late.text
        assert "34" in re.findall(r'value="[^"]*(34)"', late.text)
        assert await rules(house) == before
        seen = revision(late.text, f"/stops/{house.stop}/{RULES}/{section}")
        assert (await sent(house, section, **other, revision=seen)).status_code == 303
        assert await rules(house) != before


async def test_the_board_leads_to_the_rules_whoever_may_set_them(house: "House") -> None:
    link = f'href="/stops/{house.stop}/{RULES}"'
    assert link in await page(house, house.boss, "board")
    door = house.someone("door_staff")
    assert link not in await page(house, door, "board")
    await page(house, door, RULES, status=403)
    for section in ("ways", "hours", "orders", "rest", f"orders/{uuid4()}"):
        form = {
            "person_id": uuid4(),
            "one": "",
            "other": "",
            "minutes": "",
            "day": "",
            "starts": "",
            "ends": "",
            "revision": 0,
        }
        assert (await send(house, door, f"{RULES}/{section}", **form)).status_code == 403


async def test_an_order_of_another_stop_is_not_dropped_here(house: "House") -> None:
    people = {name: str(one) for name, one in house.people.items()}
    await send(
        house,
        house.boss,
        f"{RULES}/orders",
        first_delegate=people["dora"],
        first_local=people["lin"],
        second_delegate=people["dave"],
        second_local=people["luo"],
    )
    (order,) = (await rules(house))["precedences"]
    here, other = house.stop, uuid4()
    planned = house.stop_planned().model_copy(update={"stop_id": other, "slug": "nanjing"})
    await house.hear((planned, 1))
    house.stop = other
    boss = house.boss
    answer = await send(house, boss, f"{RULES}/orders/{order['id']}")
    house.stop = here
    assert answer.status_code == 404
    assert len((await rules(house))["precedences"]) == 1


def test_hours_that_are_shown_mean_what_they_were() -> None:
    zone = "Asia/Shanghai"
    begins = datetime(2023, 11, 7, 12, 15, tzinfo=UTC)
    rows = hours_of([(begins, begins + timedelta(hours=9))], zone)

    assert [(row.day, row.starts, row.ends) for row in rows] == [
        (str(date(2023, 11, 7)), "20:15", "00:00"),
        (str(date(2023, 11, 8)), "00:00", "05:15"),
    ]
    first, last = (row.moments(zone) for row in rows)
    assert (first[0], last[1], first[1]) == (begins, begins + timedelta(hours=9), last[0])
    with pytest.raises(ValueError, match="after it begins"):
        Hours("2023-11-07", "10:00", "09:00").moments(zone)
