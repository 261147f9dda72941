"""What people agree to: texts by version, consents that stay, and what taking one back means."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from services.registration.commands.privacy import texts
from services.registration.domain.consents import (
    CROSS_BORDER_PURPOSE,
    DEFAULTS,
    FIRST_VERSION,
    REQUIRED_PURPOSE,
)
from services.registration.pages.rendering import pages
from tests.services.registration.test_pages import REGISTER, filled

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

LATER = {
    "starts_at": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
    "ends_at": (datetime.now(UTC) + timedelta(days=3, hours=2)).isoformat(),
}
BOTH = {"en": "Some text", "zh": "一段文字"}
CROSS: dict[str, Any] = {
    "purpose": CROSS_BORDER_PURPOSE,
    "title": BOTH,
    "text": {"en": "Our own text.", "zh": "我们自己的文本。"},
    "is_cross_border": True,
    "recipients": [{"name": BOTH, "contact": "privacy@example.com", "country": "US"}],
    "method": BOTH,
    "categories": BOTH,
    "rights": BOTH,
}


async def in_force(house: "House") -> dict[str, str]:
    answer = await house.get(f"/api/v1/missions/{house.mission}/consent-texts")
    return {text["purpose"]: text["version"] for text in answer.json()["items"]}


async def put(house: "House", **changes: Any) -> Any:
    path = f"/api/v1/missions/{house.mission}/consent-texts"
    return await house.post(path, CROSS | changes, house.boss)


async def said(house: "House") -> list[tuple[Any, ...]]:
    rows = await house.rows(
        "SELECT purpose, text_version, language, withdrawn_at IS NULL, is_cross_border "
        "FROM consent ORDER BY id"
    )
    return [tuple(row) for row in rows]


def test_a_usual_text_that_changes_gets_a_new_version() -> None:
    """Who agreed to this version agreed to these words: a change here needs another version."""
    words = json.dumps([text.content() for text in DEFAULTS], sort_keys=True)

    assert {text.version for text in DEFAULTS} == {FIRST_VERSION}
    assert hashlib.sha256(words.encode()).hexdigest()[:16] == "774dc5c148d35e9c"


def test_the_usual_texts_keep_what_crosses_the_border_apart() -> None:
    required, cross = DEFAULTS

    assert (required.is_required, required.is_cross_border) == (True, False)
    assert (cross.is_required, cross.is_cross_border) == (False, True)
    assert all((cross.method, cross.categories, cross.rights))


async def test_a_mission_without_texts_asks_the_usual_ones_with_its_organizer(
    house: "House",
) -> None:
    assert await in_force(house) == {
        REQUIRED_PURPOSE: FIRST_VERSION,
        CROSS_BORDER_PURPOSE: FIRST_VERSION,
    }
    answer = await house.get(f"/api/v1/missions/{house.mission}/consent-texts")
    first = answer.json()["items"][0]
    assert first["is_required"]
    assert first["recipients"][0]["country"] == "US"


async def test_a_changed_text_is_a_new_version_and_the_old_one_stays(house: "House") -> None:
    assert (await put(house)).json()["version"] == "v1"
    assert (await put(house, text={"en": "Changed.", "zh": "改。"})).json()["version"] == "v2"

    assert (await in_force(house))[CROSS_BORDER_PURPOSE] == "v2"
    rows = await house.rows("SELECT version, content FROM consent_text ORDER BY number")
    assert [row["content"]["text"]["en"] for row in rows] == ["Our own text.", "Changed."]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"is_required": True}, "/is_required"),
        ({"recipients": []}, "/recipients"),
        ({"method": None}, "/method"),
        ({"categories": None}, "/categories"),
        ({"rights": None}, "/rights"),
        ({"purpose": REQUIRED_PURPOSE, "is_cross_border": False}, "/is_required"),
        ({"purpose": "not a code"}, "/purpose"),
    ],
)
async def test_what_a_person_must_be_told_is_needed(
    house: "House", changes: dict[str, Any], pointer: str
) -> None:
    answer = await put(house, **changes)

    assert answer.status_code == 422, answer.text
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert not await house.rows("SELECT FROM consent_text")


async def test_only_mission_staff_puts_a_text_in_force(house: "House") -> None:
    path = f"/api/v1/missions/{house.mission}/consent-texts"

    for role in ("partner_staff", "door_staff", "local"):
        answer = await house.post(path, CROSS, house.someone(role))
        assert answer.status_code == 403


async def test_who_registers_agrees_to_the_version_in_force_in_the_language_read(
    house: "House",
) -> None:
    await put(house)

    await house.registered("ana", consents=[CROSS_BORDER_PURPOSE])
    await house.registered("bo")

    assert await said(house) == [
        (REQUIRED_PURPOSE, FIRST_VERSION, "zh", True, False),
        (CROSS_BORDER_PURPOSE, "v1", "zh", True, True),
        (REQUIRED_PURPOSE, FIRST_VERSION, "zh", True, False),
    ]


async def test_a_purpose_that_nobody_asked_for_is_refused(house: "House") -> None:
    answer = await house.register("ana", consents=[CROSS_BORDER_PURPOSE, "sell_it"])

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/consents/1"
    assert not await house.rows("SELECT FROM consent")


async def test_a_consent_is_never_changed_but_ended_once(house: "House") -> None:
    await house.registered("ana")

    async def change(what: str) -> None:
        await house.rows(f"UPDATE consent SET {what} RETURNING id")  # noqa: S608

    for what in ("text_version = 'x'", "granted_at = now()", "person_id = gen_random_uuid()"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await change(what)
    await change("withdrawn_at = now()")
    with pytest.raises(asyncpg.RestrictViolationError):
        await change("withdrawn_at = NULL")


async def withdraw(house: "House", who: Any, purpose: str, by: Any = None) -> Any:
    path = f"/api/v1/people/{who.subject}/consents/{purpose}/withdraw"
    return await house.post(path, None, by or who)


async def test_taking_the_required_one_back_cancels_what_is_to_come(house: "House") -> None:
    house.items["soon"] = await house.made(
        f"/stops/{house.stop}/programme-items", LINES | LATER | {"slug": "soon", "capacity": 1}
    )
    past = await house.registered("ana")
    coming = await house.register("ana", "soon")
    waiting = await house.registered("bo", "soon")
    ana = house.person(past)

    assert (await withdraw(house, ana, REQUIRED_PURPOSE)).status_code == 200

    assert await house.statuses("soon") == {"ana": "cancelled", "bo": "confirmed"}
    assert await house.statuses("talks") == {"ana": "confirmed"}
    assert (await house.told(ana.subject))[-2:] == ["participant.cancelled", "consent.revoked"]
    assert coming.json()["status"] == "confirmed"
    assert waiting["status"] == "waitlisted"
    again = await withdraw(house, ana, REQUIRED_PURPOSE)
    assert (again.status_code, again.json()["code"]) == (409, "no_consent")


async def test_taking_the_other_one_back_is_told_and_stops_the_name(house: "House") -> None:
    await house.registered("bo")
    ana = house.person(await house.registered("ana", consents=[CROSS_BORDER_PURPOSE]))
    assert await may_cross(house, ana.subject)

    assert (await withdraw(house, ana, CROSS_BORDER_PURPOSE)).status_code == 200

    assert not await may_cross(house, ana.subject)
    assert await house.statuses() == {"bo": "confirmed", "ana": "confirmed"}
    (row,) = await house.rows("SELECT payload FROM outbox WHERE type LIKE '%revoked%'")
    assert json.loads(row["payload"])["is_cross_border"] is True


async def test_who_takes_it_back_may_agree_again_to_the_version_that_was_read(
    house: "House",
) -> None:
    ana = house.person(await house.registered("ana", consents=[CROSS_BORDER_PURPOSE]))
    await withdraw(house, ana, CROSS_BORDER_PURPOSE)
    await put(house)
    path = f"/api/v1/people/{ana.subject}/consents"
    body = {"purpose": CROSS_BORDER_PURPOSE, "version": FIRST_VERSION, "language": "en"}

    answer = await house.post(path, body, ana)
    assert (answer.status_code, answer.json()["code"]) == (409, "consent_text_changed")
    for _ in range(2):
        assert (await house.post(path, body | {"version": "v1"}, ana)).status_code == 201

    assert (await said(house))[1:] == [
        (CROSS_BORDER_PURPOSE, FIRST_VERSION, "zh", False, True),
        (CROSS_BORDER_PURPOSE, "v1", "en", True, True),
    ]
    assert await may_cross(house, ana.subject)
    assert (await house.told(ana.subject)).count("consent.granted") == 1


async def test_who_was_never_asked_may_still_refuse(house: "House") -> None:
    ana = house.person(await house.registered("ana"))
    assert await may_cross(house, ana.subject)

    assert (await withdraw(house, ana, CROSS_BORDER_PURPOSE)).status_code == 200

    assert not await may_cross(house, ana.subject)
    assert (await withdraw(house, ana, CROSS_BORDER_PURPOSE)).status_code == 409


async def test_a_mission_may_name_abroad_only_those_who_agreed(house: "House") -> None:
    silent = await house.registered("ana")
    agreed = await house.registered("bo", consents=[CROSS_BORDER_PURPOSE])
    path = f"/api/v1/missions/{house.mission}/retention"
    body = {"cross_border_basis": "consent", "retention": {}}
    answer = await house.client.put(path, json=body, headers=house.headers(house.boss))
    assert answer.status_code == 200, answer.text

    assert not await may_cross(house, silent["participant_id"])
    assert await may_cross(house, agreed["participant_id"])


async def test_who_took_it_back_and_registers_again_agrees_again(house: "House") -> None:
    ana = house.person(await house.registered("ana"))
    await withdraw(house, ana, REQUIRED_PURPOSE)

    again = await house.register("ana", "dinner", consents=[CROSS_BORDER_PURPOSE], who=ana)
    assert again.status_code == 201, again.text
    assert (await house.register("ana", "dinner")).status_code == 200

    # What is free is for the own page: an address that is typed shows nothing.
    assert await said(house) == [
        (REQUIRED_PURPOSE, FIRST_VERSION, "zh", False, False),
        (REQUIRED_PURPOSE, FIRST_VERSION, "zh", True, False),
    ]


async def test_nobody_agrees_again_for_somebody_whose_address_is_known(house: "House") -> None:
    ana = house.person(await house.registered("ana"))
    await withdraw(house, ana, REQUIRED_PURPOSE)
    before = await said(house)

    strangers = [
        await house.register("ana", "dinner"),
        await house.register("ana"),
        await house.register("ana", "dinner", who=house.someone("local")),
    ]
    page = await house.send(REGISTER, filled(house))

    assert [(one.status_code, one.json()) for one in strangers] == [
        (202, {"status": "sent_if_known"})
    ] * 3
    assert "Look into your mailbox" in page.text
    assert await said(house) == before
    assert await house.statuses("dinner") == {}
    # Who works for the mission says that it was agreed to, as for whomever it brings.
    brought = await house.register("ana", "dinner", who=house.boss, source="import")
    assert brought.status_code == 201


async def may_cross(house: "House", person_id: object) -> bool:
    answer = await house.get(
        f"/internal/contacts?ids={person_id}", house.someone("service", mission_id=None)
    )
    return bool(answer.json()["items"][0]["may_cross"])


async def test_nobody_agrees_for_somebody_else_but_staff_may_take_it_back(
    house: "House",
) -> None:
    ana = house.person(await house.registered("ana", consents=[CROSS_BORDER_PURPOSE]))
    other = house.person(await house.registered("bo"))
    body = {"purpose": CROSS_BORDER_PURPOSE, "version": FIRST_VERSION, "language": "en"}

    for who in (other, house.boss):
        answer = await house.post(f"/api/v1/people/{ana.subject}/consents", body, who)
        assert answer.status_code == 403
    assert (await withdraw(house, ana, CROSS_BORDER_PURPOSE, other)).status_code == 403
    assert (await withdraw(house, ana, CROSS_BORDER_PURPOSE, house.boss)).status_code == 200


async def test_a_form_asks_each_free_purpose_in_a_box_that_nobody_ticked(
    house: "House",
) -> None:
    async with house.database.reading() as connection:
        asked = await texts(connection, house.mission)
    source = '{% from "consents.html" import boxes with context %}{{ boxes(texts, ticked) }}'
    template = pages.environment.from_string(source)

    def render(*ticked: str) -> str:
        return template.render(
            texts=asked,
            lang="zh",
            ticked=ticked,
            b=lambda text: text.zh,
            t=lambda key: pages.text(key, "zh"),
        )

    assert "checked" not in render()
    assert REQUIRED_PURPOSE not in render()
    assert f'value="{CROSS_BORDER_PURPOSE}" checked' in render(CROSS_BORDER_PURPOSE)
    for told in ("我单独同意", "接收方", "处理方式", "信息种类", "您的权利", "自愿"):
        assert told in render()


LINES: dict[str, Any] = {
    "kind": "matchmaking",
    "title": {"en": "Later talks", "zh": "后续洽谈"},
    "capacity": 5,
}
