import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import pytest

from services.registration.domain.editing import Naming, renamed
from services.registration.domain.people import Person
from shared.access import Principal

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

LABEL = {"en": "What do you eat?", "zh": "饮食要求"}
DIET: dict[str, Any] = {
    "code": "diet",
    "kind": "choice",
    "label": LABEL,
    "choices": [
        {"code": "all", "label": {"en": "Everything", "zh": "无要求"}},
        {"code": "other", "label": {"en": "Something else", "zh": "其他"}},
    ],
}
OTHER: dict[str, Any] = {
    "code": "diet_other",
    "kind": "text",
    "label": LABEL,
    "is_required": True,
    "when": {"question": "diet", "is": "other"},
}
GOODS: dict[str, Any] = {"code": "goods", "kind": "text", "label": LABEL, "is_material": True}


async def define(house: "House", *bodies: dict[str, Any]) -> list[UUID]:
    path = f"/missions/{house.mission}/questions"
    return [await house.made(path, body) for body in bodies]


async def read(house: "House", registration: dict[str, Any], who: Principal) -> dict[str, Any]:
    answer = await house.get(f"/api/v1/registrations/{registration['id']}", who)
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == f'"{answer.json()["revision"]}"'
    content: dict[str, Any] = answer.json()
    return content


async def edit(
    house: "House",
    registration: dict[str, Any],
    body: dict[str, Any],
    who: Principal | None = None,
    revision: int | None = None,
) -> httpx2.Response:
    """Edit a registration as its person does, on its current revision."""
    somebody = who or house.person(registration)
    if revision is None:
        revision = (await read(house, registration, house.boss))["revision"]
    headers = house.headers(somebody) | {"If-Match": f'"{revision}"'}
    path = f"/api/v1/registrations/{registration['id']}"
    return await house.client.patch(path, json=body, headers=headers)


async def part(house: "House", registration: dict[str, Any], name: str, /, **changes: Any) -> Any:
    """Give a part of a registration with something changed."""
    shown = await read(house, registration, house.boss)
    return {name: shown[name] | changes}


async def approved(house: "House", name: str, **changes: Any) -> dict[str, Any]:
    """Register somebody for the dinner, and approve."""
    registration = await house.registered(name, "dinner", **changes)
    await house.decide(registration["id"], "approve")
    return registration


async def test_a_person_reads_the_own_registration_and_nobody_elses(house: "House") -> None:
    await define(house, DIET)
    ana = await house.registered("ana", answers={"diet": "all"})
    bo = await house.registered("bo")
    path = f"/api/v1/registrations/{ana['id']}"

    shown = await read(house, ana, house.person(ana))

    assert (shown["status"], shown["side"], shown["revision"]) == ("confirmed", "local", 1)
    assert shown["person"]["email"] == "ana@example.com"
    assert shown["organization"]["name"] == "Sample ana Co."
    assert shown["readings"] == [
        {
            "code": "diet",
            "kind": "choice",
            "label": LABEL,
            "answer": "all",
            "choices": [DIET["choices"][0]["label"]],
        }
    ]
    others = [house.person(bo), house.someone("door_staff"), house.someone("partner_staff")]
    assert [(await house.get(path, who)).status_code for who in others] == [403] * 3
    assert [(await edit(house, ana, {}, who)).status_code for who in others] == [403] * 3
    assert (await house.get(path)).status_code == 401


async def test_who_was_erased_is_not_shown_for_editing(house: "House") -> None:
    ana = await house.registered("ana")
    erasing = f"/api/v1/people/{ana['participant_id']}/erase"
    assert (await house.post(erasing, None, house.boss)).status_code == 200

    for path in (f"/api/v1/registrations/{ana['id']}", f"/status/{ana['id']}/edit"):
        assert (await house.get(path, house.boss)).status_code == 404, path


async def test_a_partner_edits_whom_it_brought(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    ana = await house.registered("ana", who=partner, partner_id=str(house.partner))

    body = await part(house, ana, "person", full_name="Sample Anna")
    assert (await edit(house, ana, body, partner)).status_code == 200
    assert (await read(house, ana, partner))["person"]["full_name"] == "Sample Anna"


async def test_what_is_edited_is_there_and_only_what_others_were_told_is_told_again(
    house: "House",
) -> None:
    ana = await house.registered("ana")

    quiet = await edit(house, ana, await part(house, ana, "person", full_name="Sample Anna"))
    assert quiet.json()["changed"] == ["person"]
    assert await house.told(ana["participant_id"]) == ["participant.confirmed"]

    await edit(house, ana, await part(house, ana, "person", languages=["zh", "en"]))
    await edit(house, ana, await part(house, ana, "organization", size="11-50"))
    text = {"en": "Cells", "zh": ""}
    listings = [{"kind": "offer", "sector": "batteries", "text": text}]
    await edit(house, ana, {"listings": listings})

    rows = await house.rows(
        "SELECT payload, sequence FROM outbox WHERE key = $1 ORDER BY id",
        UUID(ana["participant_id"]),
    )
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
    told = [json.loads(row["payload"]) for row in rows]
    assert told[1]["languages"] == ["zh", "en"]
    assert told[2]["organization"]["size"] == "11-50"
    assert told[3]["listings"] == listings
    assert (await read(house, ana, house.boss))["person"]["full_name"] == "Sample Anna"


async def test_an_edit_that_changes_nothing_says_so_and_tells_nobody(house: "House") -> None:
    ana = await approved(house, "ana")
    shown = await read(house, ana, house.boss)
    body = {name: shown[name] for name in ("person", "organization", "listings", "answers")}

    answer = await edit(house, ana, body)

    assert (answer.json()["changed"], answer.json()["status"]) == ([], "confirmed")
    assert await house.told(ana["participant_id"]) == [
        "participant.pending",
        "participant.confirmed",
    ]


MATERIAL: dict[str, tuple[str, dict[str, Any]]] = {
    "company": ("organization", {"name": "Sample Other Co."}),
    "Chinese name": ("organization", {"native_name": "示例"}),
    "country": ("organization", {"country": "DE"}),
    "registration number": ("organization", {"registration_number": "91350100M000100Y43"}),
    "another name": ("person", {"full_name": "Somebody Else"}),
    "a name in characters": ("person", {"native_name": "示例安"}),
    "a name in Latin letters": ("person", {"latin_name": "Somebody Else"}),
    "two letters": ("person", {"full_name": "Sampel ana"}),
    "a material answer": ("answers", {"goods": "solar cells"}),
}


@pytest.mark.parametrize("what", MATERIAL)
async def test_a_material_edit_of_what_was_approved_waits_again_and_keeps_its_place(
    house: "House", what: str
) -> None:
    await define(house, GOODS, DIET)
    ana = await approved(house, "ana")
    name, changes = MATERIAL[what]

    answer = await edit(house, ana, await part(house, ana, name, **changes))

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["is_pending_again"]) == (
        "pending_approval",
        True,
    )
    assert await house.statuses("dinner") == {"ana": "pending_approval"}
    assert await house.places("dinner") == (1, 0)
    assert (await house.told(ana["participant_id"]))[-1] == "participant.pending"
    (row,) = await house.rows("SELECT hold_until FROM registration")
    assert row["hold_until"] is None
    await house.decide(ana["id"], "approve")
    assert await house.places("dinner") == (1, 0)


@pytest.mark.parametrize("what", ["item without approval", "small change", "by staff", "arrived"])
async def test_any_other_edit_changes_at_once(house: "House", what: str) -> None:
    await define(house, GOODS, DIET)
    item = "talks" if what == "item without approval" else "dinner"
    ana = await (house.registered("ana") if item == "talks" else approved(house, "ana"))
    body = await part(house, ana, "organization", name="Sample Other Co.")
    if what == "small change":
        body = {"answers": {"diet": "all"}} | await part(house, ana, "organization", size="11-50")
    if what == "arrived":
        await house.decide(ana["id"], "check-in")

    answer = await edit(house, ana, body, house.boss if what == "by staff" else None)

    assert answer.json()["status"] == "confirmed"
    assert (await house.told(ana["participant_id"]))[-1] == "participant.confirmed"


@pytest.mark.parametrize("name", ["SAMPLE  Ána", "Sample-ana"])
async def test_another_way_to_write_a_name_is_no_other_name(house: "House", name: str) -> None:
    ana = await approved(house, "ana")
    for _ in range(2):
        answer = await edit(house, ana, await part(house, ana, "person", full_name=name))
        assert answer.json()["status"] == "confirmed"


async def test_a_slip_in_a_name_is_put_right_once(house: "House") -> None:
    ana = await approved(house, "ana")
    first = await edit(house, ana, await part(house, ana, "person", full_name="Sample anna"))
    assert first.json()["status"] == "confirmed"

    second = await edit(house, ana, await part(house, ana, "person", full_name="Sample anne"))
    assert second.json()["status"] == "pending_approval"


@pytest.mark.parametrize(
    ("before", "after", "naming"),
    [
        ("Sample ana", "Sample anna", Naming.RESPELLED),
        ("Sample anna", "Sample ana", Naming.RESPELLED),
        ("Sample ana", "xSample ana", Naming.RESPELLED),
        ("Sample ana", "Sample ani", Naming.RESPELLED),
        ("Sample ana", "Sample ana", Naming.SAME),
        ("Sample ana", "Sample a", Naming.OTHER),
        ("Sample ana", "Samqle ani", Naming.OTHER),
        ("Ana", "Ada", Naming.OTHER),
        ("王小明经理", "王小红经理", Naming.OTHER),
    ],
)
def test_one_letter_is_a_slip_and_one_character_another_name(
    before: str, after: str, naming: Naming
) -> None:
    people = [Person(name, None, None, "a@b.c", "en", (), None) for name in (before, after)]
    assert renamed(*people) is naming


async def test_two_tabs_do_not_overwrite_each_other(house: "House") -> None:
    ana = await house.registered("ana")
    also = await house.registered("ana", "dinner")
    body = await part(house, ana, "person", full_name="Sample Anna")

    assert (await edit(house, ana, body, revision=1)).status_code == 200
    late = await edit(house, ana, body, revision=1)
    assert (late.status_code, late.json()["code"]) == (412, "stale_revision")
    # The other registration shows the same person.
    assert (await edit(house, also, body, revision=1)).status_code == 412
    path = f"/api/v1/registrations/{ana['id']}"
    bare = await house.client.patch(path, json=body, headers=house.headers(house.person(ana)))
    assert bare.status_code == 428


async def test_edits_that_meet_take_turns(house: "House") -> None:
    ana = await house.registered("ana")
    bodies = [
        await part(house, ana, "person", full_name=name) for name in ("Sample One", "Sample Two")
    ]
    async with house.crossing(2):
        tasks = [asyncio.create_task(edit(house, ana, body, revision=1)) for body in bodies]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*tasks))
    assert statuses == [200, 412]


async def test_answers_are_checked_alike_and_shared_by_what_asks_the_same(house: "House") -> None:
    await define(house, DIET, OTHER)
    ana = await house.registered("ana", answers={"diet": "all"})
    also = await house.registered("ana", "dinner", answers={"diet": "all"})

    wrong = await edit(house, ana, {"answers": {"diet": "other", "shoes": 44}})
    assert [f["pointer"] for f in wrong.json()["errors"]] == [
        "/answers/shoes",
        "/answers/diet_other",
    ]
    right = await edit(house, ana, {"answers": {"diet": "other", "diet_other": "no nuts"}})
    assert right.json()["changed"] == ["answers"]
    for one in (ana, also):
        shown = await read(house, one, house.boss)
        assert shown["answers"] == {"diet": "other", "diet_other": "no nuts"}
    await edit(house, also, {"answers": {"diet": None}})
    assert (await read(house, ana, house.boss))["answers"] == {}


async def test_an_old_answer_is_read_as_it_was_asked(house: "House") -> None:
    (diet,) = await define(house, DIET)
    ana = await house.registered("ana", answers={"diet": "other"})
    path = f"/api/v1/missions/{house.mission}/questions/{diet}"
    headers = house.headers(house.boss) | {"If-Match": '"1"'}
    new = {"label": {"en": "New?", "zh": "新？"}, "choices": DIET["choices"][:1]}
    assert (await house.client.patch(path, json=new, headers=headers)).status_code == 200

    def words(shown: dict[str, Any]) -> list[Any]:
        return [
            (one["label"]["en"], [c["en"] for c in one["choices"]]) for one in shown["readings"]
        ]

    assert words(await read(house, ana, house.boss)) == [(LABEL["en"], ["Something else"])]
    # Nobody has to answer again because somebody else changed a question.
    await edit(house, ana, await part(house, ana, "person", full_name="Sample Anna"))
    assert words(await read(house, ana, house.boss)) == [(LABEL["en"], ["Something else"])]
    headers["If-Match"] = '"2"'
    assert (await house.client.delete(path, headers=headers)).status_code == 200
    await edit(house, ana, {"answers": {}})
    assert words(await read(house, ana, house.boss)) == [(LABEL["en"], ["Something else"])]
    assert (await edit(house, ana, {"answers": {"diet": "all"}})).status_code == 422


async def test_what_colleagues_share_is_changed_by_staff_and_told_of_all(house: "House") -> None:
    company = {"name": "Sample Shared Co."}
    ana = await house.registered("ana", organization=company)
    bo = await house.registered("bo", organization=company)
    body = await part(house, ana, "organization", size="51-250")

    refused = await edit(house, ana, body)
    assert (refused.status_code, refused.json()["code"]) == (409, "company_is_shared")
    listings = await edit(
        house,
        ana,
        {"listings": [{"kind": "need", "sector": "batteries", "text": {"en": "x", "zh": ""}}]},
    )
    assert listings.json()["code"] == "company_is_shared"
    assert (await read(house, ana, house.boss))["is_company_shared"]

    assert (await edit(house, ana, body, house.boss)).status_code == 200
    for one in (ana, bo):
        assert (await read(house, one, house.boss))["organization"]["size"] == "51-250"
        assert await house.told(one["participant_id"]) == ["participant.confirmed"] * 2
    assert (await edit(house, bo, {}, revision=1)).status_code == 412


async def test_who_leaves_a_shared_company_takes_nothing_from_it(house: "House") -> None:
    company = {"name": "Sample Shared Co."}
    listings = [{"kind": "offer", "sector": "batteries", "text": {"en": "Cells", "zh": ""}}]
    ana = await house.registered("ana", organization=company, listings=listings)
    bo = await house.registered("bo", organization=company)

    await edit(house, bo, await part(house, bo, "organization", name="Sample New Co."))

    new, old = await read(house, bo, house.boss), await read(house, ana, house.boss)
    assert (new["organization"]["name"], new["listings"]) == ("Sample New Co.", listings)
    assert (old["organization"]["name"], old["is_company_shared"]) == ("Sample Shared Co.", False)
    # And who comes to a company on file does not change what is known of it.
    await edit(house, bo, await part(house, bo, "organization", **company, size="1000+"))
    assert (await read(house, ana, house.boss))["organization"]["size"] is None
    assert (await read(house, bo, house.boss))["is_company_shared"]


async def test_an_address_is_changed_by_staff_alone_and_never_to_somebody_elses(
    house: "House",
) -> None:
    ana, _ = await house.registered("ana"), await house.registered("bo")
    body = await part(house, ana, "person", email="anna@example.com")

    refused = await edit(house, ana, body)
    assert refused.json()["errors"][0]["pointer"] == "/person/email"
    assert (await edit(house, ana, body, house.boss)).status_code == 200
    taken = await part(house, ana, "person", email="bo@example.com")
    answer = await edit(house, ana, taken, house.boss)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_in_use")


async def test_only_staff_says_on_which_side_somebody_is(house: "House") -> None:
    ana = await approved(house, "ana")

    assert (await edit(house, ana, {"side": "delegation"})).status_code == 403
    answer = await edit(house, ana, {"side": "delegation"}, house.boss)

    assert (answer.json()["changed"], answer.json()["status"]) == (["side"], "confirmed")
    (row,) = await house.rows("SELECT payload FROM outbox ORDER BY id DESC LIMIT 1")
    assert json.loads(row["payload"])["side"] == "delegation"


async def test_what_has_ended_is_not_edited(house: "House") -> None:
    ana = await house.registered("ana")
    await house.decide(ana["id"], "cancel")

    answer = await edit(house, ana, {})

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")


async def test_wrong_facts_are_refused_at_their_fields(house: "House") -> None:
    ana = await house.registered("ana")
    body = await part(house, ana, "organization", sectors=["none"], registration_number="X1")

    answer = await edit(house, ana, body)

    assert [f["pointer"] for f in answer.json()["errors"]] == [
        "/organization/sectors/0",
        "/organization/registration_number",
    ]
    assert (await read(house, ana, house.boss))["revision"] == 1


async def test_the_trail_says_which_parts_were_edited_and_not_what_they_say(
    house: "House",
) -> None:
    ana = await approved(house, "ana")
    await edit(house, ana, await part(house, ana, "organization", name="Sample Other Co."))

    (row,) = await house.rows(
        "SELECT actor_id, details FROM audit_entry WHERE action = 'registration.edited'"
    )
    assert str(row["actor_id"]) == ana["participant_id"]
    assert row["details"] == {"parts": ["organization"], "pending_again": [ana["id"]]}
