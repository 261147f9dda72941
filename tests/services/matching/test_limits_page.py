"""The page of quotas: for each side at once, and for single people."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

from tests.services.matching.browsing import followed, page, revision, send, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House


async def limit(house: "House", whose: str, query: str = "", **numbers: str) -> httpx2.Response:
    """Send the form of a side or a person as the page gives it."""
    person = f"?person={whose.partition('/')[2]}" if whose.startswith("people/") else ""
    shown = await page(house, house.boss, f"matching/quotas{person}")
    seen = revision(shown, f"/stops/{house.stop}/matching/quotas/{whose}")
    return await send(
        house, house.boss, f"matching/quotas/{whose}{query}", revision=seen, **numbers
    )


async def quotas(house: "House") -> Any:
    return await house.get(f"/quotas?stop_id={house.stop}")


async def test_a_whole_side_is_set_at_once(house: "House") -> None:
    sent = await limit(house, "sides/delegation", minimum=" 3 ", maximum="8")
    assert "Saved" in words(await followed(house, house.boss, sent))
    sides = {one["side"]: one for one in (await quotas(house))["sides"]}
    assert (sides["delegation"]["minimum"], sides["delegation"]["maximum"]) == (3, 8)

    # What is left empty: nothing is guaranteed, and there is no limit.
    await limit(house, "sides/delegation", minimum="", maximum="")
    sides = {one["side"]: one for one in (await quotas(house))["sides"]}
    assert (sides["delegation"]["minimum"], sides["delegation"]["maximum"]) == (0, None)


async def test_one_persons_numbers_are_set_and_dropped(house: "House") -> None:
    lin = house.people["lin"]
    shown = await page(house, house.boss, f"matching/quotas?person={lin}")
    assert f'action="/stops/{house.stop}/matching/quotas/people/{lin}"' in shown
    sent = await limit(house, f"people/{lin}", minimum="2")
    text = words(await followed(house, house.boss, sent))
    assert "Set for single people 1" in text
    (personal,) = (await quotas(house))["people"]
    assert (personal["participant_id"], personal["minimum"], personal["maximum"]) == (
        str(lin),
        2,
        None,
    )

    await limit(house, f"people/{lin}")
    assert (await quotas(house))["people"] == []


@pytest.mark.parametrize("whose", ["sides/local", "people/{lin}"])
async def test_who_decided_on_older_numbers_saves_nothing_and_may_save_anew(
    house: "House", whose: str
) -> None:
    whose = whose.format(lin=house.people["lin"])
    await limit(house, whose, maximum="3")
    before = await quotas(house)
    late = await send(house, house.boss, f"matching/quotas/{whose}", maximum="2", revision=0)

    assert late.status_code == 409
    assert "Changed by somebody else meanwhile" in late.text
    assert 'value="2"' in late.text
    assert "aria-invalid" not in late.text
    assert await quotas(house) == before
    seen = revision(late.text, f"/stops/{house.stop}/matching/quotas/{whose}")
    anew = await send(house, house.boss, f"matching/quotas/{whose}", maximum="2", revision=seen)
    assert anew.status_code == 303


@pytest.mark.parametrize("whose", ["sides/local", "people/{lin}"])
@pytest.mark.parametrize(
    ("minimum", "maximum"), [("5", "4"), ("-1", "4"), ("many", "4"), ("0", "201"), ("1.5", "")]
)
@pytest.mark.parametrize(("language", "said"), [("en", ""), ("zh", "请填写 0 至 200 的整数")])
async def test_what_is_wrong_stays_in_its_field_and_changes_nothing(
    house: "House", whose: str, minimum: str, maximum: str, language: str, said: str
) -> None:
    before = await quotas(house)
    whose = whose.format(lin=house.people["lin"])
    sent = await limit(house, whose, f"?lang={language}", minimum=minimum, maximum=maximum)

    assert sent.status_code == 422
    assert 'aria-invalid="true"' in sent.text
    assert f'value="{minimum}"' in sent.text
    assert said in sent.text
    assert await quotas(house) == before


async def test_quotas_are_for_mission_staff(house: "House") -> None:
    for who in (
        house.person("dora"),
        house.someone("door_staff"),
        house.someone("partner_staff", partner_id=house.partner),
        house.someone("mission_staff", mission_id=uuid4()),
    ):
        await page(house, who, "matching/quotas", status=403)
        for path in ("sides/local", f"people/{house.people['lin']}"):
            sent = await send(house, who, f"matching/quotas/{path}", minimum="1", revision=0)
            assert sent.status_code == 403
    assert (await quotas(house))["people"] == []


async def test_somebody_who_is_not_there_has_no_numbers(house: "House") -> None:
    await page(house, house.boss, f"matching/quotas?person={uuid4()}", status=404)
    path = f"matching/quotas/people/{uuid4()}"
    sent = await send(house, house.boss, path, minimum="1", revision=0)
    assert sent.status_code == 404


async def test_who_has_more_by_hand_than_is_allowed_by_now_is_named(house: "House") -> None:
    await house.published(
        *(house.entry(pair, slot, "T2") for pair, slot in (("dave lin", 1), ("dave luo", 2)))
    )
    named = "More meetings than allowed, as things stand"
    assert named not in words(await page(house, house.boss, "matching/quotas"))
    sent = await limit(house, "sides/delegation", maximum="1")

    shown = words(await followed(house, house.boss, sent))
    assert f"{named}: Sample Dave Co." in shown
    assert "2 of at most 1" in shown
    in_chinese = words(await page(house, house.boss, "matching/quotas", language="zh"))
    assert "目前洽谈场次超过上限" in in_chinese
    # What is there already stays; nothing is added by hand.
    schedule = await house.proposed(
        *(house.entry(pair, slot, "T2") for pair, slot in (("dave lin", 1), ("dave luo", 2)))
    )
    body = {
        "delegate_id": str(house.people["dave"]),
        "local_id": str(house.people["liu"]),
        "starts_at": house.slot(3).isoformat(),
        "point_id": str(house.points["T1"]),
    }
    path = f"/api/v1/schedules/{schedule}/add"
    refused = await house.ask("POST", path, body=body, If_Match='"1"')
    assert (refused.status_code, refused.json()["code"]) == (409, "does_not_fit")
    assert "more meetings than allowed" in refused.json()["detail"]
    quality = await house.get(f"/schedules/{schedule}/quality")
    assert [(one["meetings"], one["maximum"]) for one in quality["exceeded"]] == [(2, 1)]
