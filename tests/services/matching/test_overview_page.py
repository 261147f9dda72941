"""The overview of a stop: who wishes, asks and meets how much, and who is forgotten."""

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from tests.services.matching.browsing import headers, page, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration


def row(text: str, person: UUID) -> str:
    """Give what is read in somebody's row; empty where there is none."""
    for found in re.findall(r"<tr>.*?</tr>", text, re.DOTALL):
        if f"/meet/{person}" in found:
            return words(found)
    return ""


async def prefer(house: "House", pair: str, kind: str) -> None:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    answer = await house.ask("PUT", "/api/v1/preferences", body=body | {"kind": kind})
    assert answer.status_code == 200


async def ask(house: "House", pair: str) -> Any:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    return await house.ask("POST", "/api/v1/requests", body=body, Idempotency_Key=uuid4().hex)


def listed(text: str, house: "House") -> set[str]:
    return {name for name, person in house.people.items() if row(text, person)}


@pytest.mark.parametrize(
    ("language", "numbers", "forgotten"),
    [
        ("en", "1 Must meet 1 No thanks", "nobody"),
        ("zh", "1 必须见 1 不见", "无人"),
    ],
)
async def test_everybodys_numbers_are_shown(
    house: "House", language: str, numbers: str, forgotten: str
) -> None:
    await house.day()
    await prefer(house, "dora lin", "must_meet")
    await prefer(house, "dora liu", "no_thanks")
    await ask(house, "dave lin")
    agreed = (await ask(house, "dave luo")).json()["id"]
    await house.ask("POST", f"/api/v1/requests/{agreed}/accept")
    text = await page(house, house.boss, "matching", language=language)

    assert listed(text, house) == set(house.people)
    assert numbers in row(text, house.people["dora"])
    # No thanks is no wish: nobody wishes liu.
    assert forgotten in row(text, house.people["liu"])
    if language == "en":
        # By dora and, who asks, by dave.
        assert re.search(r"none 2 1 to answer 1 0–4", row(text, house.people["lin"]))
        assert re.search(r"none 1 1 sent 1 agreed 1 no limit", row(text, house.people["dave"]))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?side=delegation", {"dora", "dave"}),
        ("?only=unwished", {"dora", "dave", "luo", "liu"}),
        ("?only=silent", {"lin", "luo", "liu"}),
        ("?only=waiting", {"lin"}),
        ("?only=owed", {"dora"}),
        ("?only=unlisted", {"luo"}),
        ("?only=silent&side=local&q=示例", {"lin", "luo", "liu"}),
        ("?q=SAMPLE+lin", {"lin"}),
        ("?q=nobody", set()),
    ],
)
async def test_the_list_is_narrowed_to_whom_somebody_should_look_at(
    house: "House", query: str, found: set[str]
) -> None:
    await prefer(house, "dora lin", "meet")
    await ask(house, "dave lin")
    await house.hear((house.confirmed("luo", listings=()), 2))
    body = {"stop_id": str(house.stop), "participant_id": str(house.people["dora"])}
    await house.rule("/quotas/people", body | {"minimum": 1})

    assert listed(await page(house, house.boss, f"matching{query}"), house) == found


async def test_who_must_meet_more_than_he_may_is_found(house: "House") -> None:
    # Dave must meet two, dora one of two; both may meet one.
    for name, kinds in (("dave", ("must_meet", "must_meet")), ("dora", ("must_meet", "meet"))):
        for other, kind in zip(("luo", "liu"), kinds, strict=True):
            await prefer(house, f"{name} {other}", kind)
        body = {"stop_id": str(house.stop), "participant_id": str(house.people[name])}
        await house.rule("/quotas/people", body | {"maximum": 1})

    assert listed(await page(house, house.boss, "matching?only=over"), house) == {"dave"}


async def test_a_partner_sees_its_own_people_and_nothing_of_what_others_wish(
    house: "House", registration: "Registration"
) -> None:
    registration.people |= {one: f"Name of {name}" for name, one in house.people.items()}
    await prefer(house, "dora liu", "must_meet")
    partner = house.someone("partner_staff", partner_id=house.partner)
    text = await page(house, partner, "matching")

    assert listed(text, house) == {"liu"}
    assert "Name of liu" in text
    assert "Wished by" not in text
    assert "Nobody wishes" not in text
    assert words(row(text, house.people["liu"])).split()[-3:] == ["–", "0", "0–4"]
    await page(house, partner, "matching?only=unwished", status=403)


async def test_others_do_not_see_the_overview(house: "House") -> None:
    for who in (
        house.person("dora"),
        house.person("lin"),
        house.someone("door_staff"),
        house.someone("interpreter"),
        house.someone("partner_staff", partner_id=None),
        house.someone("partner_staff", partner_id=house.partner, stop_ids=(uuid4(),)),
        house.someone("mission_staff", mission_id=uuid4()),
    ):
        await page(house, who, "matching", status=403)
    assert (await house.client.get(f"/stops/{house.stop}/matching")).status_code == 401
    unknown = await house.client.get(
        f"/stops/{uuid4()}/matching", headers=headers(house, house.boss)
    )
    assert unknown.status_code == 404


async def test_a_wish_for_a_company_counts_for_each_who_represents_it(house: "House") -> None:
    found = await house.rows(
        "SELECT organization_id FROM participant WHERE id = $1", house.people["lin"]
    )
    about = {"organization_id": str(found[0]["organization_id"]), "kind": "meet"}
    body = {"stop_id": str(house.stop), "participant_id": str(house.people["dora"]), **about}
    await house.ask("PUT", "/api/v1/company-preferences", body=body)
    text = await page(house, house.boss, "matching")

    assert "1 Meet" in row(text, house.people["dora"])
    assert "none 1 –" in row(text, house.people["lin"])


async def test_many_people_come_in_pages(house: "House") -> None:
    for number in range(60):
        name = f"lot{number:02}"
        other = house.confirmed("lin", participant_id=house.people.setdefault(name, uuid4()))
        await house.hear((other, 1))
    pages = [listed(await page(house, house.boss, f"matching?page={n}"), house) for n in (1, 2, 3)]

    assert [len(one) for one in pages] == [50, 15, 0]
    assert pages[0] | pages[1] == set(house.people)
