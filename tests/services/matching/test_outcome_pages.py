"""The pages of the ledger and of feedback: two taps, and who may say and see what."""

import csv
import html
import io
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx2
import pytest
from openpyxl import load_workbook

from services.matching.domain.outcomes import Deal
from services.matching.pages import outcomes
from services.matching.pages.outcome_sheet import money
from services.matching.store import outcomes as store
from shared.access import Principal, Role
from tests.services.matching.browsing import headers, page, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

Form = Mapping[str, object]


async def send(house: "House", path: str, who: Principal, form: Form) -> httpx2.Response:
    given = {name: str(value) for name, value in form.items()}
    return await house.client.post(path, data=given, headers=headers(house, who, "en"))


@pytest.fixture
async def over(house: "House") -> UUID:
    """A meeting of dora and liu that was held."""
    await house.day()
    meeting = await house.meeting("dora liu")
    await house.order(meeting, "start", 1)
    await house.order(meeting, "finish", 2)
    return meeting


async def said(house: "House") -> list[tuple[object, ...]]:
    rows = await house.rows(
        "SELECT side, was_held, usefulness, next_step, note FROM meeting_report ORDER BY revision"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("language", "asks", "next_"),
    [("en", "How useful was it?", "What comes next?"), ("zh", "多大帮助", "下一步是什么")],
)
async def test_two_taps_say_it_all(
    house: "House", over: UUID, language: str, asks: str, next_: str
) -> None:
    dora, path = house.person("dora"), f"/meetings/{over}/feedback"
    first = await page(house, dora, path, language=language)
    assert asks in first
    assert first.count('name="usefulness"') == 5
    tapped = {"person": dora.subject, "was_held": "true", "usefulness": 4}
    assert (await send(house, path, dora, tapped)).headers["Location"] == path
    second = await page(house, dora, path, language=language)
    assert next_ in second
    await send(house, path, dora, {"person": dora.subject, "next_step": "meet_again"})
    assert "4" in words(await page(house, dora, path, language=language))

    assert (await said(house))[-1] == ("delegation", True, 4, "meet_again", None)
    await send(house, path, dora, {"person": dora.subject, "note": "They call us."})
    assert (await said(house))[-1] == ("delegation", True, 4, "meet_again", "They call us.")


async def test_one_tap_says_that_it_did_not_take_place_and_can_be_changed(
    house: "House", over: UUID
) -> None:
    liu, path = house.person("liu"), f"/meetings/{over}/feedback"
    await send(house, path, liu, {"person": liu.subject, "was_held": "false"})
    assert "did not take place" in words(await page(house, liu, path))
    assert "How useful" in await page(house, liu, f"{path}?again=true")
    again = {"person": liu.subject, "was_held": "true", "usefulness": 2}
    await send(house, path, liu, again)
    assert "What comes next" in await page(house, liu, path)


async def test_the_other_side_reads_nothing_of_it(house: "House", over: UUID) -> None:
    dora, path = house.person("dora"), f"/meetings/{over}/feedback"
    tapped = {"person": dora.subject, "was_held": "true", "usefulness": 1}
    await send(house, path, dora, tapped)

    assert "How useful" in await page(house, house.person("liu"), path)


async def test_staff_answers_for_somebody_and_strangers_do_not(house: "House", over: UUID) -> None:
    liu, path = house.people["liu"], f"/meetings/{over}/feedback"
    partner = house.someone("partner_staff", partner_id=house.partner)
    for who in (house.boss, partner):
        assert "You answer for Sample Liu Co." in words(
            await page(house, who, f"{path}?person={liu}")
        )
    await send(house, path, partner, {"person": liu, "was_held": "true", "usefulness": 3})
    assert await said(house) == [("local", True, 3, None, None)]
    strangers = [
        house.person("lin"),
        house.someone("door_staff"),
        house.someone("partner_staff", partner_id=uuid4()),
    ]
    for who in strangers:
        await page(house, who, f"{path}?person={liu}", status=403)
        answer = await send(house, path, who, {"person": liu, "was_held": "false"})
        assert answer.status_code == 403


async def test_before_the_meeting_the_page_asks_nothing(house: "House") -> None:
    await house.day()
    await house.rows("UPDATE meeting SET starts_at = now() + '1 h', ends_at = now() + '2 h'")
    path = f"/meetings/{await house.meeting('dora lin')}/feedback"
    text = await page(house, house.person("dora"), path)

    assert "when the meeting has begun" in text
    assert 'name="usefulness"' not in text


async def test_a_deal_is_stated_and_confirmed_by_forms(house: "House", over: UUID) -> None:
    dora, liu = house.person("dora"), house.person("liu")
    assert "Sample Liu Co." in await page(house, dora, f"/outcomes?meeting={over}")
    form = {
        "meeting": over,
        "kind": "contract",
        "value": "1,250,000",
        "currency": "USD",
        "evidence": "https://example.com/contract",
        "note": "Signed.",
    }
    stated = await send(house, "/outcomes", dora, form)
    assert stated.status_code == 303, stated.text
    deal = stated.headers["Location"]
    text = words(await page(house, liu, deal))
    assert "USD 1,250,000" in text
    assert "Waits for your answer" in text
    assert "Waits for your answer" not in words(await page(house, dora, deal))

    assert (await send(house, f"{deal}/verify", liu, {"revision": 1})).status_code == 303
    text = words(await page(house, liu, deal, language="zh"))
    assert "已核实" in text
    assert "合同" in text
    total = words(await page(house, house.boss, "/outcomes"))
    assert "USD 1,250,000" in total


async def test_what_is_refused_says_why_on_the_page(house: "House", over: UUID) -> None:
    dora, liu = house.person("dora"), house.person("liu")
    wrong = {"meeting": over, "kind": "contract", "value": "much", "currency": "USD"}
    answer = await send(house, "/outcomes", dora, wrong)
    assert answer.status_code == 422
    assert "Look at the value" in words(answer.text)
    stated = await send(house, "/outcomes", dora, {"meeting": over, "kind": "mou"})
    deal = stated.headers["Location"]
    own = await send(house, f"{deal}/verify", dora, {"revision": 1})
    assert own.status_code == 409
    assert "Nobody confirms the own word" in words(own.text)
    another = {"meeting": over, "kind": "mou", "is_another": "true"}
    waiting = await send(house, "/outcomes", liu, another)
    assert "waits for your answer" in words(waiting.text)
    moved_on = {"revision": 1, "kind": "loi"}
    assert (await send(house, f"{deal}/report", liu, moved_on)).status_code == 303
    late = await send(house, f"{deal}/report", liu, moved_on)
    assert late.status_code == 412
    assert "a moment ago" in words(late.text)


async def test_each_reads_the_own_deals_and_no_other(house: "House", over: UUID) -> None:
    dora = house.person("dora")
    stated = await send(house, "/outcomes", dora, {"meeting": over, "kind": "mou"})
    deal = stated.headers["Location"]
    partner = house.someone("partner_staff", partner_id=house.partner)

    for who in (house.boss, partner, house.person("liu")):
        assert deal in await page(house, who, f"/outcomes?mission_id={house.mission}")
    roles: list[Role] = ["door_staff", "interpreter", "screen"]
    strangers = [house.person("lin"), *(house.someone(role) for role in roles)]
    for who in strangers:
        assert deal not in await page(house, who, f"/outcomes?mission_id={house.mission}")
        await page(house, who, deal, status=403)
        assert (await send(house, f"{deal}/verify", who, {"revision": 1})).status_code == 403


@pytest.mark.parametrize(("language", "stage"), [("en", "Contract"), ("zh", "合同")])
async def test_the_deals_one_may_read_are_a_file(
    house: "House", over: UUID, language: str, stage: str
) -> None:
    form = {"meeting": over, "kind": "contract", "value": "1250000.50", "currency": "USD"}
    await send(house, "/outcomes", house.person("dora"), form)

    async def file(kind: str, who: Principal) -> httpx2.Response:
        path = f"/outcomes/all.{kind}?mission_id={house.mission}"
        answer = await house.client.get(path, headers=headers(house, who, language))
        assert answer.status_code == 200
        return answer

    plain = await file("csv", house.boss)
    head, row = csv.reader(io.StringIO(plain.content.decode("utf-8-sig")))
    assert len(head) == len(row)
    assert {stage, "1250000.50", "USD", "示例liu公司"} <= set(row)
    book = load_workbook(io.BytesIO((await file("xlsx", house.boss)).content))
    values = [cell.value for cell in book.worksheets[0][2]]
    assert 1250000.5 in values
    nothing = (await file("csv", house.person("lin"))).content.decode("utf-8-sig")
    assert len(nothing.strip().splitlines()) == 1


async def test_the_ledger_goes_on_to_earlier_deals_and_a_file_has_them_all(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.day()
    for pair in ("dora lin", "dora liu", "dora luo"):
        delegate, local = (str(house.people[name]) for name in pair.split())
        deal = {"delegate_id": delegate, "local_id": local, "kind": "mou"}
        deal |= {"stop_id": str(house.stop)}
        assert (await house.ask("POST", "/api/v1/outcomes", body=deal)).status_code == 201
    monkeypatch.setattr(store, "OUTCOMES_AT_ONCE", 2)
    monkeypatch.setattr(outcomes, "DEALS_MAX", 2)
    where = f"/outcomes?mission_id={house.mission}&stop_id={house.stop}"

    def deals(text: str) -> list[str]:
        return re.findall(r'<h3><a href="(/outcomes/[^"]+)"', text)

    first = await page(house, house.boss, where)
    (onwards,) = re.findall(r'href="([^"]+)">Earlier ones', first)
    second = await page(house, house.boss, "/outcomes" + html.unescape(onwards))
    assert (len(deals(first)), len(deals(second))) == (2, 1)
    assert len({*deals(first), *deals(second)}) == 3
    assert ("The latest ones" in first, "The latest ones" in second) == (False, True)
    assert "Earlier ones" not in second
    # Each page counts all of them.
    assert "Memorandum of understanding 3" in words(first)
    assert "Memorandum of understanding 3" in words(second)
    path = f"/outcomes/all.csv?mission_id={house.mission}"
    file = await house.client.get(path, headers=headers(house, house.boss))
    assert len(list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))) == 4
    assert file.headers["Content-Length"] == str(len(file.content))
    await page(
        house, house.boss, f"/outcomes?mission_id={house.mission}&stop_id={uuid4()}", status=404
    )


async def test_staff_of_every_mission_chooses_one(house: "House") -> None:
    every = house.someone("mission_staff", mission_id=None)
    await house.rows(
        'INSERT INTO mission VALUES (gen_random_uuid(), \'{"en": "Second", '
        '"zh": "第二"}\', \'{}\', 1)'
    )
    text = await page(house, every, "/outcomes")

    assert f"/outcomes?mission_id={house.mission}" in text
    assert "Second" in text


async def test_a_cookie_from_elsewhere_says_nothing(house: "House", over: UUID) -> None:
    dora = house.person("dora")
    elsewhere = headers(house, dora) | {"Origin": "http://elsewhere.example.com"}
    path = f"/meetings/{over}/feedback"
    form = {"person": str(dora.subject), "was_held": "true", "usefulness": "5"}
    answer = await house.client.post(path, data=form, headers=elsewhere)

    assert answer.status_code == 403
    assert await said(house) == []


@pytest.mark.parametrize(
    ("deal", "written"),
    [
        (Deal("mou"), ""),
        (Deal("contract", Decimal(1200000), "USD"), "USD 1,200,000"),
        (Deal("contract", Decimal("0.50"), "CNY"), "CNY 0.50"),
    ],
)
def test_a_value_is_written_with_its_currency(deal: Deal, written: str) -> None:
    assert money(deal) == written
