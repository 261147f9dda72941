"""Badges on paper and on one's own phone."""

import subprocess
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.registration.domain.badges import shown
from services.registration.pages import badges
from shared.access import Principal, Role

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

LONG = "Maria-Fernanda Gutiérrez y Villaseñor de la Torre"


async def sheet(house: "House", who: Principal, participant: object = None) -> httpx2.Response:
    query = f"?participant={participant}" if participant else ""
    path = f"/desk/stops/{house.stop}/badges.pdf{query}"
    return await house.client.get(path, headers=house.browser(who))


def text(pdf: bytes) -> str:
    """Read what is printed, each page after a form feed."""
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True
    )
    return done.stdout.decode()


async def code_of(house: "House", person_id: str) -> str:
    (row,) = await house.rows(
        "SELECT code FROM badge WHERE person_id = $1 AND revoked_at IS NULL", UUID(person_id)
    )
    return shown(row["code"])


async def test_a_sheet_has_names_in_both_scripts_company_side_city_and_code(
    house: "House",
) -> None:
    ana = await house.registered(
        "ana",
        person={"full_name": LONG, "native_name": "玛利亚·费尔南达"},
        organization={"native_name": "广东能源集团有限公司"},
    )
    await house.register("bo", who=house.boss, side="delegation", source="import")

    answer = await sheet(house, house.boss)
    printed = text(answer.content)

    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Cache-Control"] == "private, no-store"
    for part in ("玛利亚·费尔南达", "广东能源集团有限公司", "Sample ana Co.", "本地嘉宾"):
        assert part in printed
    assert LONG in printed.replace("\n", " ")
    assert "Delegation" in printed
    assert "Guangzhou 广州" in printed
    assert await code_of(house, ana["participant_id"]) in printed


async def test_eight_badges_are_on_a_page(house: "House") -> None:
    await house.rows("UPDATE programme_item SET capacity = 9")
    for number in range(9):
        await house.registered(f"p{number}")

    printed = text((await sheet(house, house.boss)).content)

    pages = printed.rstrip("\f").split("\f")
    assert [page.count("Local participant") for page in pages] == [8, 1]


async def test_who_has_no_place_gets_no_badge_printed_but_may_get_one_alone(
    house: "House", crowd: dict[str, dict[str, Any]]
) -> None:
    printed = text((await sheet(house, house.boss)).content)
    alone = text((await sheet(house, house.boss, crowd["dai"]["participant_id"])).content)

    assert ("Sample ana" in printed, "Sample dai" in printed) == (True, False)
    assert ("Sample ana" in alone, "Sample dai" in alone) == (False, True)


async def test_badges_are_printed_item_by_item_when_they_are_too_many(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.registered("ana")
    await house.registered("bo", "dinner")
    monkeypatch.setattr(badges, "BADGES_MAX", 1)
    path = f"/desk/stops/{house.stop}/badges.pdf"

    all_of_them = await sheet(house, house.boss)
    some = await house.client.get(
        f"{path}?item={house.items['dinner']}", headers=house.browser(house.boss)
    )

    assert all_of_them.status_code == 409
    assert ("Sample ana" in text(some.content), "Sample bo" in text(some.content)) == (False, True)


@pytest.mark.parametrize(
    ("role", "all_of_them", "one"),
    [
        ("mission_staff", 200, 200),
        ("partner_staff", 200, 404),
        ("door_staff", 403, 200),
        ("local", 403, 403),
        ("screen", 403, 403),
    ],
)
async def test_who_prints_badges(house: "House", role: Role, all_of_them: int, one: int) -> None:
    await house.register("ana", who=house.boss, source="partner_api", partner_id=str(house.partner))
    bo = await house.registered("bo")
    who = house.someone(role, partner_id=house.partner if role == "partner_staff" else None)

    whole = await sheet(house, who)

    assert whole.status_code == all_of_them
    assert (await sheet(house, who, bo["participant_id"])).status_code == one
    if role == "partner_staff":
        # Those it brought alone.
        assert ("Sample ana" in text(whole.content), "Sample bo" in text(whole.content)) == (
            True,
            False,
        )


async def test_a_badge_that_is_replaced_is_printed_anew(house: "House") -> None:
    ana = (await house.registered("ana"))["participant_id"]
    await sheet(house, house.boss)
    lost = await code_of(house, ana)

    answer = await house.send(
        f"/desk/stops/{house.stop}/participants/{ana}/badge", None, house.someone("door_staff")
    )

    assert answer.status_code == 303
    new = await house.client.get(
        answer.headers["Location"], headers=house.browser(house.someone("door_staff"))
    )
    printed = text(new.content)
    assert lost not in printed
    assert await code_of(house, ana) in printed


async def test_a_participant_has_the_same_badge_on_the_phone(house: "House") -> None:
    ana = await house.registered("ana", person={"native_name": "张伟"})

    page = await house.page("/my/badge", house.person(ana))
    again = await house.page("/my/badge", house.person(ana), lang="zh")

    code = await code_of(house, ana["participant_id"])
    assert code in page
    assert code in again
    assert "<svg" in page
    assert "张伟" in again


async def test_whoever_is_not_registered_has_no_badge(house: "House") -> None:
    await house.page("/my/badge", house.someone("local", subject=uuid4()), status=404)


async def test_without_a_chinese_font_nothing_is_printed_and_it_is_said_why(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.registered("ana")
    monkeypatch.setattr(badges, "families", lambda: frozenset({"Libertinus Serif"}))

    answer = await sheet(house, house.boss)

    assert answer.status_code == 409
    assert "Noto Sans CJK SC" in answer.text
