"""The page about whom to meet, without JavaScript: what is shown to whom."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from shared.access import Principal
from shared.events import registration as r
from shared.events.base import Bilingual
from tests.services.matching.browsing import (
    card,
    cards,
    followed,
    headers,
    page,
    send,
    words,
)

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration


def of(house: "House", name: str) -> str:
    return f"meet/{house.people[name]}"


async def prefer(house: "House", who: Principal, pair: str, kind: str) -> Any:
    one, other = pair.split()
    form = {"counterpart_id": house.people[other], "kind": kind}
    return await send(house, who, f"{of(house, one)}/preferences", **form)


@pytest.fixture
def known(house: "House", registration: "Registration") -> None:
    """Registration knows everybody's name."""
    registration.people |= {one: f"Name of {name}" for name, one in house.people.items()}


@pytest.mark.parametrize(
    ("language", "title", "company", "reason"),
    [
        ("en", "Whom to meet", "Sample Luo Co.", "They look for what you offer in Hydrogen"),
        ("zh", "选择洽谈对象", "示例luo公司", "对方正在寻找您所提供的“氢能"),
    ],
)
async def test_recommendations_are_shown_in_order_with_reasons_in_both_languages(
    house: "House", language: str, title: str, company: str, reason: str
) -> None:
    text = await page(house, house.person("dave"), of(house, "dave"), language=language)
    first = card(text, house.people["luo"])

    assert title in words(text)
    assert cards(text)[0] == house.people["luo"]
    assert set(cards(text)) == {house.people[name] for name in ("lin", "luo", "liu")}
    assert company in words(first)
    assert reason in words(first)


async def test_a_tap_is_kept_shown_and_private(house: "House") -> None:
    dora, lin = house.person("dora"), house.person("lin")
    before = await page(house, lin, of(house, "lin"))
    for kind in ("meet", "must_meet"):
        text = await followed(house, dora, await prefer(house, dora, "dora lin", kind))
        assert f'value="{kind}" aria-pressed="true"' in card(text, house.people["lin"])
        assert text.count('aria-pressed="true"') == 1
        assert "Noted: Sample Lin Co." in words(text)
    assert cards(text)[0] == house.people["lin"]
    # The other side's page is the same as ever.
    assert words(await page(house, lin, of(house, "lin"))) == words(before)


async def test_more_must_meets_than_meetings_are_told(house: "House") -> None:
    dora = house.person("dora")
    for other in ("lin", "luo"):
        await prefer(house, dora, f"dora {other}", "must_meet")
    quota = {"stop_id": str(house.stop), "side": "delegation", "minimum": 0}
    said = "More must-meets than meetings: at most 1 are planned for you, so 1 cannot be."
    for maximum, is_told in ((2, False), (1, True)):
        body = quota | {"maximum": maximum}
        assert (await house.rule("/quotas", body)).status_code == 200
        assert (said in words(await page(house, dora, of(house, "dora")))) == is_told


async def test_a_no_takes_somebody_from_the_list_and_is_final(house: "House") -> None:
    dora = house.person("dora")
    text = await followed(house, dora, await prefer(house, dora, "dora lin", "no_thanks"))
    assert house.people["lin"] not in cards(text)

    wishes = await page(house, dora, of(house, "dora") + "?show=wishes")
    assert "You said no" in words(card(wishes, house.people["lin"]))
    assert 'name="kind"' not in card(wishes, house.people["lin"])
    again = await followed(house, dora, await prefer(house, dora, "dora lin", "meet"))
    assert "that is final" in words(again)


async def test_words_and_a_sector_narrow_the_list(house: "House") -> None:
    dora = house.person("dora")
    listing = r.Listing(
        kind="need", sector="hydrogen", text=Bilingual(en="alkaline stacks", zh="碱性电解槽")
    )
    await house.hear((house.confirmed("liu", listings=(listing,)), 2))
    for query, found in (
        ("?sector=hydrogen", {"luo", "liu"}),
        ("?q=ALKALINE%20%20stacks", {"liu"}),
        ("?q=碱性", {"liu"}),
        ("?q=氢能", {"luo", "liu"}),
        ("?q=示例lin", {"lin"}),
        ("?q=nothing+like+it", set()),
    ):
        text = await page(house, dora, of(house, "dora") + query)
        assert set(cards(text)) == {house.people[name] for name in found}, query
    assert "No company fits this" in words(text)


async def test_the_list_comes_in_pages(house: "House") -> None:
    dora = house.person("dora")
    for number in range(20):
        name = f"lot{number}"
        other = house.confirmed("lin", participant_id=house.people.setdefault(name, uuid4()))
        await house.hear((other, 1))
    first = cards(await page(house, dora, of(house, "dora")))
    second = cards(await page(house, dora, of(house, "dora") + "?page=2"))

    assert (len(first), len(second)) == (20, 3)
    assert not set(first) & set(second)
    await page(house, dora, of(house, "dora") + "?page=0", status=422)


async def test_what_is_owed_and_left_of_the_quota_is_told(house: "House") -> None:
    await house.day()
    body = {"stop_id": str(house.stop), "participant_id": str(house.people["dora"])}
    for part in ({"minimum": 5, "maximum": 6}, {"minimum": 1, "maximum": 2}):
        await house.rule("/quotas/people", body | part)
        text = words(await page(house, house.person("dora"), of(house, "dora")))
        owed, left = part["minimum"] - 2, part["maximum"] - 2
        assert f"still owed of {part['minimum']} guaranteed {max(0, owed)}" in text
        assert f"left of at most {part['maximum']} {left}" in text
        assert "meetings planned 2" in text


@pytest.mark.usefixtures("known")
async def test_names_are_read_of_those_one_meets_and_of_nobody_else(house: "House") -> None:
    await house.day()
    text = await page(house, house.person("dora"), of(house, "dora"))

    assert "Name of lin" in card(text, house.people["lin"])
    assert "Meeting 10:00" in words(card(text, house.people["lin"]))
    assert "Name of liu" in card(text, house.people["liu"])
    assert "Name of luo" not in text


@pytest.mark.usefixtures("known")
async def test_without_registration_companies_are_shown_alone(
    house: "House", registration: "Registration"
) -> None:
    registration.is_away = True
    text = await page(house, house.boss, of(house, "dora"))

    assert "Sample Lin Co." in text
    assert "Name of" not in text


@pytest.mark.parametrize("part", ["", "?show=wishes", "?show=requests", "/cards/{lin}"])
async def test_nobody_reads_anybody_elses_page(house: "House", part: str) -> None:
    path = of(house, "dora") + part.format(lin=house.people["lin"])
    for who in (
        house.person("dave"),
        house.person("lin"),
        house.someone("door_staff"),
        house.someone("interpreter"),
        house.someone("screen"),
        house.someone("partner_staff", partner_id=house.partner),
        house.someone("mission_staff", mission_id=uuid4()),
    ):
        await page(house, who, path, status=403)


@pytest.mark.usefixtures("known")
async def test_staff_chooses_on_behalf_and_the_person_sees_who_did(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    text = words(await page(house, partner, of(house, "liu")))
    assert "On behalf of Sample Liu Co." in text
    assert "Name of liu" in text
    assert "Name of dora" not in text

    sent = await prefer(house, partner, "liu dora", "must_meet")
    assert "On behalf of" in words(await followed(house, partner, sent))
    own = card(await page(house, house.person("liu"), of(house, "liu")), house.people["dora"])
    assert "Stated for you by the organisers" in words(own)
    # Whose invitee somebody else is, that one speaks for.
    assert (await prefer(house, partner, "lin dora", "meet")).status_code == 403


async def test_a_card_is_given_alone_for_whoever_is_on_the_other_side(house: "House") -> None:
    dora = house.person("dora")
    await prefer(house, dora, "dora lin", "meet")
    alone = await page(house, dora, f"{of(house, 'dora')}/cards/{house.people['lin']}")
    assert cards(alone) == [house.people["lin"]]
    assert "<html" not in alone

    await prefer(house, dora, "dora lin", "no_thanks")
    alone = await page(house, dora, f"{of(house, 'dora')}/cards/{house.people['lin']}")
    assert "You said no" in words(alone)
    for nobody in (uuid4(), house.people["dave"]):
        await page(house, dora, f"{of(house, 'dora')}/cards/{nobody}", status=404)


async def test_a_wish_for_a_company_is_shown_and_changed(house: "House") -> None:
    dora = house.person("dora")
    (row,) = await house.rows(
        "SELECT organization_id FROM participant WHERE id = $1", house.people["lin"]
    )
    form = {"organization_id": row["organization_id"], "kind": "must_meet"}
    sent = await send(house, dora, f"{of(house, 'dora')}/companies?show=wishes", **form)
    text = words(await followed(house, dora, sent))
    assert "Must meet 1 Sample Lin Co." in text

    await send(house, dora, f"{of(house, 'dora')}/companies", **form | {"kind": "no_thanks"})
    text = await page(house, dora, of(house, "dora") + "?show=wishes")
    assert "No thanks 1 Sample Lin Co." in words(text)
    refused = await send(house, dora, f"{of(house, 'dora')}/companies", **form)
    assert "that is final" in words(await followed(house, dora, refused))


async def test_one_s_own_page_is_found_at_the_stop_that_comes_next(house: "House") -> None:
    dora = house.person("dora")
    sent = await house.client.get("/meet", headers=headers(house, dora))
    assert sent.headers["Location"] == f"/stops/{house.stop}/meet/{dora.subject}"
    nobody = house.someone("delegate")
    assert "no confirmed place" in words(await page(house, nobody, "/meet"))
    staff = await house.client.get("/meet", headers=headers(house, house.boss))
    assert staff.headers["Location"] == "/home"


async def test_a_form_of_another_site_changes_nothing(house: "House") -> None:
    dora = house.person("dora")
    path = f"/stops/{house.stop}/{of(house, 'dora')}/preferences"
    data = {"counterpart_id": str(house.people["lin"]), "kind": "no_thanks"}
    foreign = headers(house, dora) | {"Origin": "http://elsewhere.example.com"}
    assert (await house.client.post(path, headers=foreign, data=data)).status_code == 403
    assert await house.rows("SELECT FROM preference") == []


@pytest.mark.parametrize(
    "form", [{}, {"kind": "maybe"}, {"kind": "meet", "counterpart_id": "nobody"}, {"kind": "meet"}]
)
async def test_what_no_form_of_ours_sends_is_refused_with_a_page(
    house: "House", form: dict[str, str]
) -> None:
    dora = house.person("dora")
    whom = {"counterpart_id": house.people["dave"]} if form == {"kind": "meet"} else {}
    answer = await send(house, dora, f"{of(house, 'dora')}/preferences", **whom, **form)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_anybody_of_a_company_with_several_people_is_wished_on_its_card(
    house: "House",
) -> None:
    dora = house.person("dora")
    assert "from this company" not in await page(house, dora, of(house, "dora"))
    found = await house.rows(
        "SELECT organization_id, organization FROM participant WHERE id = $1", house.people["lin"]
    )
    company = r.OrganizationFacts(
        organization_id=found[0]["organization_id"],
        name=found[0]["organization"],
        country="CN",
        sectors=("hydrogen",),
    )
    await house.hear((house.confirmed("luo", organization=company), 2))
    text = await page(house, dora, of(house, "dora"))
    for name in ("lin", "luo"):
        assert "Anybody of the 2 from this company" in words(card(text, house.people[name]))
    assert "from this company" not in card(text, house.people["liu"])

    form = {"organization_id": company.organization_id, "kind": "meet"}
    sent = await send(house, dora, f"{of(house, 'dora')}/companies", **form)
    text = card(await followed(house, dora, sent), house.people["luo"])
    assert 'value="meet" aria-pressed="true"' in text[text.index("from this company") :]
    assert 'aria-pressed="true"' not in text[: text.index("from this company")]


async def test_whom_somebody_meets_already_is_asked_for_nothing(house: "House") -> None:
    await house.day()
    meeting, dora = await house.meeting("dora liu"), house.person("dora")
    liu, luo = house.people["liu"], house.people["luo"]
    shown = await page(house, dora, of(house, "dora"))
    assert "Ask to meet" in card(shown, luo)
    assert "Must meet" in card(shown, liu)
    assert "Ask to meet" not in card(shown, liu)
    # Whoever was missed may be asked for again.
    missed = {"absent": [str(liu)]}
    assert (await house.order(meeting, "no-show", 1, missed)).status_code == 200
    assert "Ask to meet" in card(await page(house, dora, of(house, "dora")), liu)
