from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx2
import pytest

from shared.access import Role

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

DIET: dict[str, Any] = {
    "code": "diet",
    "kind": "choice",
    "label": {"en": "What do you eat?", "zh": "饮食要求"},
    "choices": [
        {"code": "all", "label": {"en": "Everything", "zh": "无要求"}},
        {"code": "other", "label": {"en": "Something else", "zh": "其他"}},
    ],
}
OTHER: dict[str, Any] = {
    "code": "diet_other",
    "kind": "text",
    "label": {"en": "Which?", "zh": "请说明"},
    "is_required": True,
    "when": {"question": "diet", "is": "other"},
}


async def define(house: "House", *bodies: dict[str, Any]) -> list[str]:
    """Define questions and give their ids."""
    path = f"/missions/{house.mission}/questions"
    return [str(await house.made(path, body)) for body in bodies]


async def refused(house: "House", body: dict[str, Any]) -> dict[str, str]:
    """Give the faults of a question that makes no sense."""
    answer = await house.post(f"/api/v1/missions/{house.mission}/questions", body, house.boss)
    assert answer.status_code == 422, answer.text
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


async def change(
    house: "House", question_id: str, body: dict[str, Any], revision: int = 1, **more: Any
) -> httpx2.Response:
    headers = house.headers(more.get("who", house.boss)) | {"If-Match": f'"{revision}"'}
    path = f"/api/v1/missions/{house.mission}/questions/{question_id}"
    if more.get("method") == "DELETE":
        return await house.client.delete(path, headers=headers)
    return await house.client.patch(path, json=body, headers=headers)


async def asked(house: "House", item: str = "talks") -> list[str]:
    answer = await house.get(f"/api/v1/programme-items/{house.items[item]}/questions")
    return [question["code"] for question in answer.json()["items"]]


async def test_an_item_asks_what_its_mission_its_stop_and_it_itself_ask(house: "House") -> None:
    dinner = {"programme_item_id": str(house.items["dinner"])}
    await define(
        house,
        DIET,
        OTHER | {"stop_id": str(house.stop)},
        {"code": "seat", "kind": "text", "label": DIET["label"], **dinner},
    )

    assert await asked(house) == ["diet", "diet_other"]
    assert await asked(house, "dinner") == ["diet", "diet_other", "seat"]


@pytest.mark.parametrize("role", ["partner_staff", "door_staff", "local", "delegate"])
async def test_only_mission_staff_defines_questions(house: "House", role: Role) -> None:
    who = house.someone(role)
    (diet,) = await define(house, DIET)
    path = f"/api/v1/missions/{house.mission}/questions"

    assert (await house.post(path, OTHER, who)).status_code == 403
    assert (await house.get(path, who)).status_code == 403
    assert (await house.get(f"{path}/{diet}/versions", who)).status_code == 403
    assert (await house.post(f"{path}/order", {"ids": [diet, diet]}, who)).status_code == 403
    assert (await change(house, diet, {}, who=who)).status_code == 403
    assert (await change(house, diet, {}, who=who, method="DELETE")).status_code == 403
    assert (await house.post(path, OTHER)).status_code == 401


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no choices": ({"kind": "choice"}, "/choices"),
    "choices of a text": ({"kind": "text", "choices": DIET["choices"]}, "/choices"),
    "one code twice": ({"kind": "several", "choices": DIET["choices"][:1] * 2}, "/choices"),
    "a limit of another kind": ({"kind": "text", "limits": {"max": 3}}, "/limits/max"),
    "a text too long": ({"kind": "text", "limits": {"length_max": 201}}, "/limits/length_max"),
    "a slow pattern": ({"kind": "text", "limits": {"pattern": "(a+)+"}}, "/limits/pattern"),
    "no date": ({"kind": "date", "limits": {"min": "2026-02-30"}}, "/limits/min"),
    "a date as number": ({"kind": "number", "limits": {"min": "2026-02-03"}}, "/limits/min"),
    "a number as date": ({"kind": "date", "limits": {"min": 3}}, "/limits/min"),
    "upside down": ({"kind": "number", "limits": {"min": 3, "max": 2}}, "/limits/max"),
    "part of a choice": (
        {"kind": "several", "choices": DIET["choices"], "limits": {"min": 1.5}},
        "/limits/min",
    ),
    "a file too big": ({"kind": "file", "limits": {"bytes_max": 9**9}}, "/limits/bytes_max"),
    "a file of no kind": ({"kind": "file", "limits": {"types": ["exe"]}}, "/limits/types/0"),
    "no such kind": ({"kind": "colour"}, "/kind"),
    "no Chinese": ({"kind": "text", "label": {"en": "Why?", "zh": ""}}, "/label/zh"),
    "a condition of no form": ({"kind": "text", "when": {"if": "x"}}, "/when"),
    "on nobody": ({"kind": "text", "when": {"question": "none", "answered": True}}, "/when"),
    "on itself": ({"kind": "text", "when": {"question": "new", "answered": True}}, "/when"),
    "no such choice": ({"kind": "text", "when": {"question": "diet", "is": "fish"}}, "/when"),
    "too much": ({"kind": "text", "when": {"question": "diet", "at_least": 3}}, "/when"),
    "no such fact": ({"kind": "text", "when": {"fact": "age", "is": "3"}}, "/when"),
    "no such side": ({"kind": "text", "when": {"fact": "side", "is": "left"}}, "/when"),
    "no such item": ({"kind": "text", "when": {"fact": "items", "is": str(uuid4())}}, "/when"),
    "another stop's": ({"kind": "text", "when": {"question": "at_stop", "is": "x"}}, "/when"),
    "no stop": ({"kind": "text", "stop_id": str(uuid4())}, "/stop_id"),
    "no item": ({"kind": "text", "programme_item_id": str(uuid4())}, "/programme_item_id"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_question_that_makes_no_sense_is_refused_at_its_field(
    house: "House", fault: str
) -> None:
    body, pointer = FAULTS[fault]
    at_stop = {"code": "at_stop", "kind": "text", "label": DIET["label"]}
    await define(house, DIET, at_stop | {"stop_id": str(house.stop)})

    faults = await refused(house, {"code": "new", "label": DIET["label"]} | body)

    assert any(found.startswith(pointer) for found in faults), faults


async def test_a_circle_is_refused_wherever_it_is_closed(house: "House") -> None:
    diet, other = await define(house, DIET, OTHER)

    answer = await change(house, diet, {"when": {"question": "diet_other", "answered": True}})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/when"
    assert await asked(house) == ["diet", "diet_other"]
    assert (await change(house, other, {"when": None})).status_code == 200
    again = await change(house, diet, {"when": {"question": "diet_other", "answered": True}})
    assert again.status_code == 200


async def test_what_others_hang_on_is_neither_retired_nor_left_without_its_choice(
    house: "House",
) -> None:
    diet, other = await define(house, DIET, OTHER)

    gone = await change(house, diet, {}, method="DELETE")
    assert (gone.status_code, gone.json()["code"]) == (409, "needed")
    fewer = await change(house, diet, {"choices": DIET["choices"][:1]})
    assert fewer.json()["errors"][0]["pointer"] == "/choices"

    assert (await change(house, other, {}, method="DELETE")).status_code == 200
    assert (await change(house, diet, {}, method="DELETE")).status_code == 200
    assert await asked(house) == []


async def test_a_code_is_never_used_again(house: "House") -> None:
    (diet,) = await define(house, DIET)
    path = f"/api/v1/missions/{house.mission}/questions"
    for _ in range(2):
        answer = await house.post(path, DIET, house.boss)
        assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
        await change(house, diet, {}, method="DELETE")


async def test_a_question_is_changed_on_its_current_revision_alone(house: "House") -> None:
    (diet,) = await define(house, DIET)
    label = {"en": "Your diet?", "zh": "饮食"}

    first = await change(house, diet, {"label": label})
    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    late = await change(house, diet, {"is_required": True})
    assert (late.status_code, late.json()["code"]) == (412, "stale_revision")
    path = f"/api/v1/missions/{house.mission}/questions/{diet}"
    without = await house.client.patch(path, json={}, headers=house.headers(house.boss))
    assert without.status_code == 428
    (shown,) = (await house.get(f"/api/v1/missions/{house.mission}/questions", house.boss)).json()[
        "items"
    ]
    assert (shown["label"], shown["revision"], shown["is_required"]) == (label, 2, False)
    assert shown["choices"] == DIET["choices"]


async def test_every_way_a_question_was_asked_is_kept(house: "House") -> None:
    (diet,) = await define(house, DIET)
    await change(house, diet, {"label": {"en": "Your diet?", "zh": "饮食"}})

    path = f"/api/v1/missions/{house.mission}/questions/{diet}/versions"
    items = (await house.get(path, house.boss)).json()["items"]

    labels = [(item["version"], item["definition"]["label"]["en"]) for item in items]
    assert labels == [(1, "What do you eat?"), (2, "Your diet?")]


async def test_questions_are_put_in_order(house: "House") -> None:
    third = {"code": "third", "kind": "text", "label": DIET["label"]}
    diet, other, last = await define(house, DIET, OTHER, third)
    path = f"/api/v1/missions/{house.mission}/questions/order"

    assert (await house.post(path, {"ids": [last, diet]}, house.boss)).status_code == 200
    assert await asked(house) == ["third", "diet_other", "diet"]
    twice = await house.post(path, {"ids": [other, other]}, house.boss)
    unknown = await house.post(path, {"ids": [other, str(uuid4())]}, house.boss)
    assert [twice.status_code, unknown.status_code] == [422, 422]
    assert unknown.json()["errors"][0]["pointer"] == "/ids/1"


async def test_a_repeated_request_defines_one_question(house: "House") -> None:
    path = f"/api/v1/missions/{house.mission}/questions"
    answers = [await house.post(path, DIET, house.boss, key="once") for _ in range(2)]

    assert [answer.json()["id"] for answer in answers] == [answers[0].json()["id"]] * 2
    assert await asked(house) == ["diet"]


async def test_who_registers_answers_what_is_asked(house: "House") -> None:
    await define(house, DIET | {"is_required": True}, OTHER)

    answer = await house.register("ana")
    assert answer.status_code == 422
    assert [f["pointer"] for f in answer.json()["errors"]] == ["/answers/diet"]
    answer = await house.register("ana", answers={"diet": "other", "shoes": 44})
    pointers = [f["pointer"] for f in answer.json()["errors"]]
    assert pointers == ["/answers/shoes", "/answers/diet_other"]
    assert await house.rows("SELECT FROM registration") == []

    await house.registered("ana", answers={"diet": "all", "diet_other": "hidden, so dropped"})
    await house.registered("bo", answers={"diet": "other", "diet_other": " no nuts "})
    rows = await house.rows("SELECT answers FROM registration ORDER BY rank")
    assert [row["answers"] for row in rows] == [
        {"diet": "all"},
        {"diet": "other", "diet_other": "no nuts"},
    ]


async def test_who_is_brought_by_others_is_not_held_up_by_a_question(house: "House") -> None:
    await define(house, DIET | {"is_required": True})

    await house.registered("ana", who=house.boss, source="walk_in")
    wrong = await house.register("bo", who=house.boss, source="import", answers={"diet": "fish"})

    assert wrong.status_code == 422


async def test_a_change_counts_for_the_next_who_registers(house: "House") -> None:
    await house.registered("ana")
    (diet,) = await define(house, DIET | {"is_required": True})
    assert (await house.register("bo")).status_code == 422
    await change(house, diet, {"is_required": False})
    await house.registered("bo")


async def test_the_trail_says_who_defined_and_changed_what(house: "House") -> None:
    (diet,) = await define(house, DIET)
    await change(house, diet, {"is_required": True})
    await change(house, diet, {}, revision=2, method="DELETE")

    rows = await house.rows(
        "SELECT action, actor_id, subject_id::text FROM audit_entry ORDER BY id"
    )
    assert [tuple(row) for row in rows if row["action"].startswith("question.")] == [
        (action, house.boss.subject, diet)
        for action in ("question.defined", "question.changed", "question.retired")
    ]
