"""The page of who is kept apart: exclusions, vetoes, and wishes that cannot be met."""

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.wish_bodies import MESSAGE_LENGTH_MAX
from shared.access import Principal
from tests.services.matching.browsing import followed, page, send, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

REASON = "One group of companies"


@pytest.fixture
async def host(house: "House") -> Principal:
    """Staff of a partner that hosts the stop."""
    planned = house.stop_planned().model_copy(update={"hosts": (house.partner,)})
    await house.hear((planned, 2))
    return house.someone("partner_staff", partner_id=house.partner)


async def keep(house: "House", who: Principal, pair: str, how: str, **form: Any) -> Any:
    one, other = (house.people[name] for name in pair.split())
    given = {"one": one, "other": other, "how": how, "reason": REASON, **form}
    return await send(house, who, "matching/apart", **given)


async def prefer(house: "House", pair: str, kind: str) -> None:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    answer = await house.ask("PUT", "/api/v1/preferences", body=body | {"kind": kind})
    assert answer.status_code == 200


def conflicts(text: str) -> list[str]:
    """Give the lines of what cannot be met."""
    found = re.search(r"Wishes that cannot be met.*?</ul>", text, re.DOTALL)
    lines = re.findall(r"<li>.*?</li>", found[0], re.DOTALL) if found else []
    return [words(line).strip() for line in lines]


async def test_the_local_company_is_searched_for_and_the_form_keeps_the_delegate(
    house: "House",
) -> None:
    dora = house.people["dora"]
    text = await page(house, house.boss, f"matching/apart?q=LIN&one={dora}")
    form = text[text.index('<form method="post"') :]
    assert f'value="{house.people["lin"]}"' in form
    assert f'value="{house.people["luo"]}"' not in form
    assert f'<option value="{dora}" selected>' in form

    ready = await page(house, house.boss, f"matching/apart?one={dora}&other={house.people['luo']}")
    assert f'value="{house.people["luo"]}" checked' in ready
    assert "Nobody fits" in words(await page(house, house.boss, "matching/apart?q=nobody+there"))


@pytest.mark.parametrize("where", ["stop", "mission"])
@pytest.mark.parametrize("how", ["people", "companies"])
async def test_two_are_kept_apart_and_let_meet_again(house: "House", how: str, where: str) -> None:
    sent = await keep(house, house.boss, "dora lin", how, where=where)
    text = await followed(house, house.boss, sent)
    assert REASON in words(text)
    assert "will not be scheduled together" in words(text)
    (row,) = (await house.get(f"/exclusions?mission_id={house.mission}"))["items"]
    assert (row["kind"], row["stop_id"] is None) == (how, where == "mission")

    again = await keep(house, house.boss, "dora lin", how, where=where)
    assert again.status_code == 422
    assert "kept apart already" in words(again.text)
    lifted = await send(house, house.boss, f"matching/apart/exclusion/{row['id']}/lift")
    assert "may meet again" in words(await followed(house, house.boss, lifted))
    # Whoever presses it a moment later finds it done.
    twice = await send(house, house.boss, f"matching/apart/exclusion/{row['id']}/lift")
    assert twice.status_code == 303


async def test_meetings_that_stand_all_the_same_are_told(house: "House") -> None:
    await house.day()
    sent = await keep(house, house.boss, "dora lin", "companies")
    assert "planned already: 1" in words(await followed(house, house.boss, sent))


async def test_neither_side_reads_anything_of_it(house: "House") -> None:
    dora, lin = house.person("dora"), house.person("lin")
    mine = {who.subject: f"meet/{who.subject}" for who in (dora, lin)}
    before = [words(await page(house, who, mine[who.subject])) for who in (dora, lin)]
    await keep(house, house.boss, "dora lin", "people")

    assert [words(await page(house, who, mine[who.subject])) for who in (dora, lin)] == before
    for who in (dora, lin, house.someone("door_staff"), house.someone("interpreter")):
        await page(house, who, "matching/apart", status=403)
        assert (await keep(house, who, "dora lin", "people")).status_code == 403


async def test_a_host_vetoes_a_pair_and_reads_its_own_vetoes_alone(
    house: "House", host: Principal
) -> None:
    await keep(house, house.boss, "dave luo", "people", reason="Only for the organiser")
    assert "Veto a pair" in words(await page(house, host, "matching/apart"))
    sent = await keep(house, host, "dora lin", "veto")
    text = words(await followed(house, host, sent))
    assert REASON in text
    assert "Only for the organiser" not in text
    assert "Excluded by the organiser" not in text

    another = house.someone("partner_staff", partner_id=uuid4())
    text = words(await page(house, another, "matching/apart"))
    assert REASON not in text
    assert "Only the lead and co-hosts" in text
    for who, how in ((another, "veto"), (host, "people"), (house.boss, "veto")):
        assert (await keep(house, who, "dave lin", how)).status_code == 403

    (row,) = (await house.get(f"/vetoes?stop_id={house.stop}"))["items"]
    path = f"matching/apart/veto/{row['id']}/lift"
    assert (await send(house, host, path)).status_code == 403
    assert (await send(house, house.boss, path)).status_code == 303


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": " "}, "Give a reason"),
        ({"reason": "x" * (MESSAGE_LENGTH_MAX + 1)}, "Give a reason"),
        ({"other": ""}, "Choose one of the delegation"),
        ({"one": UUID(int=7)}, "Choose one of the delegation"),
    ],
)
@pytest.mark.parametrize("how", ["people", "companies"])
async def test_what_lacks_is_said_and_the_reason_is_kept(
    house: "House", how: str, changes: dict[str, Any], said: str
) -> None:
    answer = await keep(house, house.boss, "dora lin", how, **changes)
    assert answer.status_code == 422
    assert said in words(answer.text)
    if "reason" not in changes and changes.get("other") != "":
        assert REASON in answer.text
    assert await house.rows("SELECT FROM exclusion") == []


async def test_a_card_leads_to_the_form_with_each_on_its_side(
    house: "House", host: Principal
) -> None:
    dora, liu = house.people["dora"], house.people["liu"]
    link = f"/stops/{house.stop}/matching/apart?one={dora}&amp;other={liu}#new"
    for who, me in ((house.boss, dora), (house.boss, liu), (host, liu)):
        assert link in await page(house, who, f"meet/{me}")
    another = house.someone("partner_staff", partner_id=house.partner)
    await house.hear((house.stop_planned(), 3))
    for who in (another, house.person("liu")):
        assert "/matching/apart" not in await page(house, who, f"meet/{liu}")


async def test_two_of_one_side_are_no_pair(house: "House") -> None:
    answer = await keep(house, house.boss, "lin luo", "people")
    assert answer.status_code == 422
    assert "Choose one of the delegation" in words(answer.text)


async def test_wishes_that_cannot_be_met_are_listed_the_strongest_first(
    house: "House", host: Principal
) -> None:
    await house.day()
    assert conflicts(await page(house, house.boss, "matching/apart")) == []
    await prefer(house, "dave liu", "meet")
    await prefer(house, "lin dora", "must_meet")
    await prefer(house, "luo dora", "must_meet")
    await prefer(house, "dora luo", "no_thanks")
    await keep(house, house.boss, "dora lin", "companies")
    await keep(house, host, "dave liu", "veto")
    found = conflicts(await page(house, house.boss, "matching/apart"))

    assert sorted(found[:2]) == [
        "Sample Lin Co. → Sample Dora Co. Must meet excluded by the organiser planned all the same",
        "Sample Luo Co. → Sample Dora Co. Must meet one of them said no",
    ]
    assert found[2:] == ["Sample Dave Co. → Sample Liu Co. Meet vetoed by a host"]
    # A host learns nothing of what others wish.
    assert conflicts(await page(house, host, "matching/apart")) == []
    # The one whom it concerns is told in front of staff, and not oneself.
    own = f"meet/{house.people['liu']}"
    assert "Sample Dave Co. · Meet · vetoed by a host" in words(await page(house, house.boss, own))
    for who in (house.person("liu"), host):
        assert "vetoed" not in await page(house, who, own)


async def test_a_wish_for_a_company_and_an_agreed_request_count_as_wishes(house: "House") -> None:
    found = await house.rows(
        "SELECT organization_id FROM participant WHERE id = $1", house.people["lin"]
    )
    about = {"organization_id": str(found[0]["organization_id"]), "kind": "meet"}
    body = {"stop_id": str(house.stop), "participant_id": str(house.people["dora"]), **about}
    await house.ask("PUT", "/api/v1/company-preferences", body=body)
    pair = {"participant_id": house.people["dave"], "counterpart_id": house.people["luo"]}
    asked = {"stop_id": str(house.stop)} | {k: str(v) for k, v in pair.items()}
    made = await house.ask("POST", "/api/v1/requests", body=asked, Idempotency_Key=uuid4().hex)
    await house.ask("POST", f"/api/v1/requests/{made.json()['id']}/accept")
    await keep(house, house.boss, "dora lin", "people", where="mission")
    await keep(house, house.boss, "dave luo", "companies")
    lines = conflicts(await page(house, house.boss, "matching/apart"))

    assert lines == [
        "Sample Dave Co. → Sample Luo Co. Agreed request excluded by the organiser",
        "Sample Dora Co. → Sample Lin Co. Meet excluded by the organiser",
    ]
    for row in (await house.get(f"/exclusions?mission_id={house.mission}"))["items"]:
        await send(house, house.boss, f"matching/apart/exclusion/{row['id']}/lift")
    assert conflicts(await page(house, house.boss, "matching/apart")) == []
