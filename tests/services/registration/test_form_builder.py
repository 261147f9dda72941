import re
from typing import TYPE_CHECKING, Any

from shared.access import Role

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

DIET: dict[str, Any] = {
    "code": "diet",
    "kind": "choice",
    "where": "mission",
    "label_en": "What do you eat?",
    "label_zh": "饮食要求",
    "choices": "all | Everything | 无要求\nother | Something else | 其他",
    "is_required": "yes",
}


async def codes(house: "House") -> list[str]:
    answer = await house.get(f"/api/v1/missions/{house.mission}/questions", house.boss)
    return [question["code"] for question in answer.json()["items"]]


async def test_staff_makes_a_form_and_sees_it_in_both_languages(house: "House") -> None:
    path = f"/desk/stops/{house.stop}/form"
    assert "Nothing more is asked" in await house.page(path, house.boss)

    assert (await house.send(path, DIET, house.boss)).status_code == 303
    other = DIET | {
        "code": "diet_other",
        "kind": "text",
        "where": str(house.items["dinner"]),
        "label_en": "Which?",
        "label_zh": "请说明",
        "choices": "",
        "length_max": "40",
        "when": '{"question": "diet", "is": "other"}',
    }
    assert (await house.send(path, other, house.boss)).status_code == 303

    page = await house.page(path, house.boss)
    for text in ("What do you eat?", "饮食要求", "Something else", "其他", "Which?", "请说明"):
        assert text in page
    assert "shown by condition" in page
    assert "按条件显示" in await house.page(path, house.boss, lang="zh")
    assert await codes(house) == ["diet", "diet_other"]


async def test_staff_changes_moves_and_retires_questions(house: "House") -> None:
    path = f"/desk/stops/{house.stop}/form"
    await house.send(path, DIET, house.boss)
    await house.send(path, DIET | {"code": "second", "label_en": "Second?"}, house.boss)
    first, second = re.findall(r"\?edit=([0-9a-f-]{36})", await house.page(path, house.boss))

    page = await house.page(f"{path}?edit={second}", house.boss)
    assert 'value="Second?"' in page
    assert "all | Everything | 无要求" in page
    change = DIET | {"label_en": "Changed?", "revision": "1"}
    assert (await house.send(f"{path}/{second}", change, house.boss)).status_code == 303
    stale = await house.send(f"{path}/{second}", change, house.boss)
    assert stale.status_code == 409
    assert "revision 2" in stale.text
    assert (await house.send(f"{path}/{second}/up", who=house.boss)).status_code == 303
    assert await codes(house) == ["second", "diet"]
    assert (await house.send(f"{path}/{first}/retire", who=house.boss)).status_code == 303
    assert await codes(house) == ["second"]
    assert "Changed?" in await house.page(path, house.boss)


async def test_what_makes_no_sense_is_said_and_what_was_typed_is_kept(house: "House") -> None:
    path = f"/desk/stops/{house.stop}/form"
    for changes, part in (
        ({"label_zh": ""}, "Question"),
        ({"choices": ""}, "Choices"),
        ({"when": "{"}, "Shown only when"),
        ({"when": "[" * 50_000}, "Shown only when"),
        ({"when": '{"question": "none", "is": "x"}'}, "Shown only when"),
        ({"min": "3"}, "Limits"),
    ):
        answer = await house.send(path, DIET | changes, house.boss)
        assert answer.status_code == 422
        assert f"<strong>{part}:</strong>" in answer.text
        assert 'value="What do you eat?"' in answer.text
    assert await codes(house) == []


async def test_only_mission_staff_makes_forms(house: "House") -> None:
    path = f"/desk/stops/{house.stop}/form"
    roles: tuple[Role, ...] = ("partner_staff", "door_staff", "local")
    for role in roles:
        await house.page(path, house.someone(role), status=403)
        assert (await house.send(path, DIET, house.someone(role))).status_code == 403
    await house.page(path, status=401)
