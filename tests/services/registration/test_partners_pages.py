"""A partner's pages: its numbers and its keys, for who works there and for mission staff."""

import re
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from shared.access import Principal
from tests.services.registration.test_partners import png

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House


def staff_of(house: "House", partner: UUID) -> Principal:
    return house.someone("partner_staff", partner_id=partner)


async def other_partner(house: "House") -> UUID:
    path = f"/missions/{house.mission}/partners"
    body = {"name": {"en": "Other Bureau", "zh": "另一商务局"}, "kind": "government"}
    return await house.made(path, body)


async def set_roles(house: "House", roles: list[tuple[UUID, str]]) -> None:
    (row,) = await house.rows("SELECT version FROM stop WHERE id = $1", house.stop)
    answer = await house.client.put(
        f"/api/v1/stops/{house.stop}/roles",
        json={"roles": [{"partner_id": str(one), "role": role} for one, role in roles]},
        headers=house.headers(house.boss) | {"If-Match": f'"{row["version"]}"'},
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("Your invitees", "All partners of this stop", "Lead organizer")),
        ("zh", ("本单位邀请的人", "本站所有合作单位", "主办单位")),
    ],
)
async def test_a_host_sees_its_own_people_and_the_others_numbers(
    house: "House", lang: str, words: tuple[str, ...]
) -> None:
    other = await other_partner(house)
    await set_roles(house, [(house.partner, "lead"), (other, "supporter")])
    await house.registered("ana", who=house.boss, source="import", partner_id=str(house.partner))
    page = await house.page(f"/partner/{house.partner}", staff_of(house, house.partner), lang=lang)
    for word in words:
        assert word in page
    assert f"/desk/stops/{house.stop}/registrations?status=confirmed" in page
    assert ("Other Bureau" if lang == "en" else "另一商务局") in page


async def test_who_is_no_host_sees_its_own_line_and_no_other_partners_page(
    house: "House",
) -> None:
    other = await other_partner(house)
    await set_roles(house, [(house.partner, "lead"), (other, "venue_host")])
    mine = staff_of(house, other)
    page = await house.page(f"/partner/{other}", mine)
    assert "All partners of this stop" not in page
    assert "Sample Bureau" not in page
    assert "Sample Bureau" not in await house.page(f"/desk/stops/{house.stop}/partners", mine)
    for tab in ("", "/keys"):
        await house.page(f"/partner/{house.partner}{tab}", mine, status=403)
    answer = await house.client.get("/partner", headers=house.browser(mine))
    assert answer.headers["Location"] == f"/partner/{other}"
    assert f"/partner/{other}" in await house.page("/desk", mine)


async def test_mission_staff_finds_every_partner(house: "House") -> None:
    boss = house.someone("mission_staff")
    listed = f"/desk/missions/{house.mission}/partners"
    assert listed in await house.page("/desk", boss)
    assert f"/partner/{house.partner}" in await house.page(listed, boss)
    assert "Sample Bureau" in await house.page(f"/desk/stops/{house.stop}/partners", boss)
    assert "Sample Bureau" in await house.page(f"/partner/{house.partner}", boss)
    await house.page(listed, staff_of(house, house.partner), status=403)
    await house.page("/partner", boss, status=404)


async def test_a_key_is_made_shown_once_and_revoked_on_the_page(house: "House") -> None:
    mine = staff_of(house, house.partner)
    path = f"/partner/{house.partner}/keys"
    form = {
        "once": str(uuid4()),
        "name": "Sample CRM",
        "scopes": ["registrations:read"],
        "days": 30,
    }
    made = await house.send(path, form, mine)
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    found = re.search(r"tw_live_\w+", made.text)
    assert found is not None
    lists = f"/api/v1/stops/{house.stop}/registrations"
    headers = {"Authorization": f"Bearer {found[0]}"}
    assert (await house.client.get(lists, headers=headers)).status_code == 200

    again = await house.send(path, form, mine)
    assert (again.status_code, again.headers["Location"]) == (303, path)
    page = await house.page(path, mine)
    assert "tw_live_" not in page
    assert "Sample CRM" in page
    assert "Read your invitees and numbers" in page
    (row,) = await house.rows("SELECT id, expires_at - created_at AS life FROM api_key")
    assert row["life"].days == 30

    assert (await house.send(f"{path}/{row['id']}/revoke", None, mine)).status_code == 303
    assert (await house.client.get(lists, headers=headers)).status_code == 401
    assert "Revoked" in await house.page(path, mine)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "Say for which system the key is."),
        ({"scopes": []}, "Choose what the key may do."),
    ],
)
async def test_what_is_missing_is_said_and_what_was_typed_is_kept(
    house: "House", change: dict[str, object], said: str
) -> None:
    form = {"once": str(uuid4()), "name": "Kept", "scopes": ["events:read"], "days": 90} | change
    path = f"/partner/{house.partner}/keys"
    answer = await house.send(path, form, staff_of(house, house.partner))
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="90" selected' in answer.text
    assert await house.rows("SELECT FROM api_key") == []


async def test_a_logo_is_taken_from_the_page_or_what_is_wrong_is_said(house: "House") -> None:
    path = f"/partner/{house.partner}"
    mine = staff_of(house, house.partner)

    async def sent(content: bytes, who: Principal) -> "httpx2.Response":
        files = {"logo": ("logo.png", content, "image/png")}
        return await house.client.post(f"{path}/logo", files=files, headers=house.browser(who))

    wrong = await sent(b"<svg/>", mine)
    assert wrong.status_code == 422
    assert "This cannot be a logo" in wrong.text
    assert (await sent(png(), staff_of(house, uuid4()))).status_code == 403
    assert await house.rows("SELECT FROM partner_logo") == []
    assert (await sent(png(), mine)).headers["Location"] == path
    assert f'src="/api/v1/partners/{house.partner}/logo' in await house.page(path, mine)
