"""What became of the meetings of those whom a partner brought: its page, and the API beside it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from shared.access import KeyScope, Principal
from tests.services.matching.browsing import page, words
from tests.serving import behind_an_address, chromium, context_of

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

PHONE = {"width": 390, "height": 844}
NUMBERS = ("people", "people_meeting", "planned", "held", "no_show", "cancelled")


def staff(house: "House", **facts: Any) -> Principal:
    return house.someone("partner_staff", **({"partner_id": house.partner} | facts))


def key(house: "House", *scopes: KeyScope) -> Principal:
    return house.someone("partner_system", partner_id=house.partner, scopes=scopes)


async def brought(house: "House", *names: str, version: int = 2) -> None:
    """Let the partner have brought more people."""
    for name in names:
        await house.hear((house.confirmed(name, partner_id=house.partner), version))


async def ended(house: "House") -> None:
    """Play a day: of the partner's three, one met, one missed somebody, and one lost a meeting."""
    await brought(house, "luo", "lin")
    await house.day()
    held, missed, lost = [await house.meeting(p) for p in ("dora liu", "dave luo", "dora lin")]
    for step, revision in (("start", 1), ("finish", 2)):
        assert (await house.order(held, step, revision)).status_code == 200
    absent = {"absent": [str(house.people["dave"])]}
    assert (await house.order(missed, "no-show", 1, absent)).status_code == 200
    assert (await house.order(lost, "cancel", 1)).status_code == 200


def path(house: "House", query: str = "") -> str:
    return f"/partners/{house.partner}/meetings{query}"


def section(text: str, company: str) -> str:
    """Give what is read of a company; empty where it is not there."""
    for found in re.findall(r'<section class="card company">.*?</section>', text, re.DOTALL):
        if company in found[: found.index("</h3>")]:
            return words(found)
    return ""


async def test_a_partners_key_reads_what_became_of_its_invitees_and_of_nobody_else(
    house: "House",
) -> None:
    await ended(house)
    await brought(house, "dave")
    found = await house.get(path(house), key(house, "meetings:read"))

    (stop,) = found["stops"]
    assert stop["stop_id"] == str(house.stop)
    # Dave and luo are both the partner's: their meeting is one. Nobody meets lin any more.
    assert [stop[name] for name in NUMBERS] == [4, 3, 0, 1, 1, 1]
    assert found["next"] is None
    by_id = {one["meeting_id"]: one for one in found["items"]}
    assert len(by_id) == 3
    one = by_id[str(await house.meeting("dora liu"))]
    assert one["own"] == [str(house.people["liu"])]
    assert (one["state"], one["point"]) == ("completed", "T1")
    assert [party["organization"] for party in one["parties"]] == [
        "Sample Dora Co.",
        "Sample Liu Co.",
    ]
    both = by_id[str(await house.meeting("dave luo"))]["own"]
    assert both == [str(house.people[name]) for name in ("dave", "luo")]


async def test_pages_have_every_meeting_once_though_one_moves_meanwhile(house: "House") -> None:
    await brought(house, "luo", "lin")
    await house.day()
    seen: list[str] = []
    after = ""
    for turn in range(4):
        found = await house.get(path(house, f"?limit=1{after}"), staff(house))
        seen += [one["meeting_id"] for one in found["items"]]
        if found["next"] is None:
            break
        after = f"&after={found['next']}"
        if turn == 0:
            to = {"starts_at": house.slot(4).isoformat(), "point_id": str(house.points["T2"])}
            moved = await house.order(UUID(seen[0]), "move", 1, to)
            assert moved.status_code == 200, moved.text
    assert len(seen) == len(set(seen)) == 3
    assert found["stops"][0]["planned"] == 3
    for limit in ("0", "501", "x"):
        answer = await house.ask("GET", f"/api/v1{path(house)}?limit={limit}")
        assert answer.status_code == 422


async def test_what_is_at_a_stop_of_others_is_not_shown(
    house: "House", away: Callable[["House", str], Any]
) -> None:
    await brought(house, "lin")
    await house.day()
    there = await away(house, "dave liu")
    await brought(house, "liu", version=10)
    everything = await house.get(path(house))
    assert [one["stop_id"] for one in everything["stops"]] == [str(house.stop), str(there)]
    assert len(everything["items"]) == 3

    mine = await house.get(path(house), staff(house))
    assert [one["stop_id"] for one in mine["stops"]] == [str(house.stop)]
    assert {one["stop_id"] for one in mine["items"]} == {str(house.stop)}
    both = staff(house, stop_ids=(house.stop, there))
    narrowed = await house.get(path(house, f"?stop_id={there}"), both)
    assert [one["stop_id"] for one in narrowed["stops"]] == [str(there)]
    assert {one["stop_id"] for one in narrowed["items"]} == {str(there)}
    answer = await house.ask("GET", f"/api/v1{path(house)}?stop_id={there}", staff(house))
    assert answer.status_code == 403
    nowhere = await house.get(path(house), staff(house, stop_ids=()))
    assert (nowhere["stops"], nowhere["items"]) == ([], [])
    own = f"/partner/{house.partner}/meetings"
    assert "Sample Liu Co." in await page(house, both, f"{own}?stop={there}")
    await page(house, staff(house), f"{own}?stop={there}", status=404)


async def test_strangers_are_refused_by_page_and_api(house: "House") -> None:
    await house.day()
    strangers = [
        staff(house, partner_id=uuid4()),
        staff(house, partner_id=None),
        staff(house, mission_id=uuid4()),
        house.someone("mission_staff", mission_id=uuid4()),
        house.someone("door_staff"),
        house.person("liu"),
        house.person("dora"),
        key(house, "registrations:read", "events:read"),
    ]
    for stranger in strangers:
        assert (await house.ask("GET", f"/api/v1{path(house)}", stranger)).status_code == 403
        await page(house, stranger, f"/partner/{house.partner}/meetings", status=403)
    refused = await house.ask("GET", f"/api/v1{path(house)}", strangers[-1])
    assert "The key lacks the scope meetings:read." in refused.json()["detail"]


async def test_of_a_partner_that_brought_nobody_nothing_is_known(house: "House") -> None:
    other = uuid4()
    new = staff(house, partner_id=other)
    found = await house.get(f"/partners/{other}/meetings", new)
    assert found == {"stops": [], "items": [], "next": None}
    text = await page(house, new, f"/partner/{other}/meetings")
    assert "has a place among the meetings yet" in text
    everywhere = house.someone("mission_staff", mission_id=None)
    for address in ("/api/v1/partners", "/partner"):
        answer = await house.ask("GET", f"{address}/{other}/meetings", everywhere)
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            {
                "Sample Liu Co.": r"10:25–10:50 Table T1 Held Sample Dora Co\.",
                "Sample Luo Co.": r"10:00–10:25 Table T2 Missed Sample Dave Co\..*The other side",
                "Sample Lin Co.": r"10:00–10:25 Table T1 Cancelled Sample Dora Co\.",
            },
        ),
        (
            "zh",
            {
                "示例liu公司": r"10:25–10:50 T1 号桌 已完成 示例dora公司 Sample Dora",
                "示例luo公司": r"10:00–10:25 T2 号桌 缺席 示例dave公司 .*对方未到",
                "示例lin公司": r"10:00–10:25 T1 号桌 已取消 示例dora公司",
            },
        ),
    ],
)
async def test_staff_reads_by_company_who_met_whom(
    house: "House", language: str, expected: dict[str, str]
) -> None:
    await ended(house)
    for who in (staff(house), house.boss):
        address = f"/partner/{house.partner}/meetings"
        text = await page(house, who, address, language=language)
        assert f'href="/partner/{house.partner}/meetings" aria-current="page"' in text
        figures = re.findall(r'<dd class="figure[^>]*>(.*?)</dd>', text)
        numbers = ["".join(re.findall(r"[\d/]+", re.sub(r"<[^>]*>", "", one))) for one in figures]
        assert numbers == ["2/3", "0", "1", "1", "1"]
        for company, meeting in expected.items():
            assert re.search(meeting, section(text, company)), section(text, company)
        assert "dora" not in "".join(re.findall(r"<h3>(.*?)</h3>", text, re.DOTALL)).lower(), (
            "the other side is no company of the partner's"
        )


async def test_who_has_no_meeting_is_listed_and_led_to_whom_to_meet(house: "House") -> None:
    text = await page(house, staff(house), f"/partner/{house.partner}/meetings")
    assert "No meetings. Choose whom to meet" in section(text, "Sample Liu Co.")
    assert f"/stops/{house.stop}/meet/{house.people['liu']}" in text


async def test_many_companies_come_in_pages(house: "House", monkeypatch: Any) -> None:
    monkeypatch.setattr("services.matching.pages.partners.PAGE_LENGTH", 2)
    await brought(house, "luo", "lin")
    address = f"/partner/{house.partner}/meetings"
    first = await page(house, staff(house), address)
    assert [bool(section(first, f"Sample {n} Co.")) for n in ("Lin", "Liu", "Luo")] == [1, 1, 0]
    (following,) = re.findall(r'href="(\?stop=[^"]*page=2)#companies"', first)
    second = await page(house, staff(house), address + following.replace("&amp;", "&"))
    assert [bool(section(second, f"Sample {n} Co.")) for n in ("Lin", "Liu", "Luo")] == [0, 0, 1]


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
async def test_every_tab_is_in_sight_on_a_phone(house: "House", language: str) -> None:
    await house.day()
    transport: Any = house.client._transport
    token = house.tokens.sign(staff(house), "session", datetime.now(UTC))
    async with behind_an_address(transport.app) as address, chromium() as browser:
        context = await context_of(browser, address, token, viewport=PHONE, locale=language)
        opened = await context.new_page()
        await opened.goto(f"{address}/partner/{house.partner}/meetings")
        tabs = opened.locator(".partner-tabs a")
        ends = await tabs.evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(at => [at.left, at.right])"
        )
        assert len(ends) == 6
        assert all(left >= 0 and right <= PHONE["width"] for left, right in ends), ends
        assert await opened.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
