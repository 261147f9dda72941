import re
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

LABEL = {"en": "What do you make?", "zh": "产品"}
GOODS: dict[str, Any] = {
    "code": "goods",
    "kind": "text",
    "label": LABEL,
    "is_material": True,
    "limits": {"length_min": 3},
}


async def fields(house: "House", registration: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Give what the page would send, with something changed."""
    page = await house.page(f"/status/{registration['id']}/edit", house.person(registration))
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision is not None
    return {
        "revision": revision[1],
        "full_name": "Sample ana",
        "native_name": "",
        "position": "",
        "languages": ["zh"],
        "organization_name": "Sample ana Co.",
        "organization_native_name": "",
        "country": "CN",
        "registration_number": "",
        "size": "",
        "sectors": ["batteries"],
        "offer": "",
        "need": "",
        "answer.goods": "solar cells",
    } | changes


async def save(
    house: "House", registration: dict[str, Any], form: dict[str, Any]
) -> httpx2.Response:
    return await house.send(f"/status/{registration['id']}/edit", form, house.person(registration))


async def approved(house: "House") -> dict[str, Any]:
    await house.made(f"/missions/{house.mission}/questions", GOODS)
    ana = await house.registered("ana", "dinner", answers={"goods": "solar cells"})
    await house.decide(ana["id"], "approve")
    return ana


async def test_a_small_change_is_saved_at_once_and_a_material_one_waits_again(
    house: "House",
) -> None:
    ana = await approved(house)
    assert f"/status/{ana['id']}/edit" in await house.page("/status", house.person(ana))

    answer = await save(house, ana, await fields(house, ana, full_name="Sample Anna"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/status?saved=yes")
    page = await house.page("/status?saved=yes", house.person(ana))
    assert "Your changes are saved." in page
    form = await fields(house, ana, full_name="Sample Anna", **{"answer.goods": "wind turbines"})
    answer = await save(house, ana, form)

    assert answer.headers["location"] == "/status?saved=pending"
    assert await house.statuses("dinner") == {"ana": "pending_approval"}
    (row,) = await house.rows("SELECT full_name FROM person WHERE role = 'local'")
    assert row["full_name"] == "Sample Anna"
    assert "your place is kept" in await house.page("/status?saved=pending", house.person(ana))


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_the_page_shows_what_is_on_file_and_what_is_approved_again(
    house: "House", lang: str
) -> None:
    ana = await approved(house)
    page = await house.page(f"/status/{ana['id']}/edit", house.person(ana), lang=lang)

    for value in ("Sample ana", "Sample ana Co.", "solar cells"):
        assert f'value="{value}"' in page
    mark = "confirmed again if changed" if lang == "en" else "修改后需重新审核"
    assert page.count(f'<span class="badge warn">{mark}</span>') == 1
    assert ("Your place is kept" if lang == "en" else "名额为您保留") in page


async def test_what_is_wrong_is_said_beside_it_and_the_rest_is_kept(house: "House") -> None:
    ana = await approved(house)
    form = await fields(house, ana, full_name="", position="Boss", **{"answer.goods": "x"})

    answer = await save(house, ana, form)

    assert answer.status_code == 422
    page = answer.text.partition("<script")[0]
    assert page.count("Please give your name.") == 1
    assert page.count("Please write 3 characters at least.") == 1
    assert 'value="Boss"' in page
    assert re.findall(r'<a href="#field-([\w.]+)">', page) == ["full_name", "answer.goods"]


async def test_a_second_tab_shows_what_holds_now_instead_of_overwriting_it(house: "House") -> None:
    ana = await approved(house)
    old = await fields(house, ana, full_name="Sample Late")
    await save(house, ana, await fields(house, ana, full_name="Sample First"))

    answer = await save(house, ana, old)

    assert answer.status_code == 412
    assert "changed in another window" in answer.text
    assert 'value="Sample First"' in answer.text


async def test_a_shared_company_is_not_asked_about_and_not_changed(house: "House") -> None:
    company = {"name": "Sample Shared Co."}
    await house.registered("bo", organization=company)
    ana = await house.registered("ana", organization=company)
    form = await fields(house, ana, organization_name="Sample Shared Co.")
    del form["sectors"], form["offer"], form["need"], form["size"]

    assert (await save(house, ana, form)).status_code == 303
    answer = await save(
        house,
        ana,
        form | {"revision": "2", "organization_native_name": "示例"},
    )
    assert answer.status_code == 409
    assert "shared with your colleagues" in answer.text


async def test_somebody_elses_page_is_closed(house: "House") -> None:
    ana, bo = await house.registered("ana"), await house.registered("bo")
    path = f"/status/{ana['id']}/edit"

    await house.page(path, house.person(bo), status=403)
    await house.page(path, status=401)
    answer = await house.send(path, await fields(house, ana), house.person(bo))
    assert answer.status_code == 403
    foreign = await house.send(path, {}, house.person(ana), Origin="http://elsewhere.example")
    assert foreign.status_code == 403
