"""Lists that a partner's system sends with a key: of its own partner and stop, and no others."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from tests.services.registration.imports.sending import PATH, row, table, worked

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House, Lines

LIST = table(row("ana"), row("bo"))


async def key_of(house: "House", *scopes: str, **facts: Any) -> dict[str, str]:
    """Make a key for the partner of the house, and give what signs its requests."""
    body = {"name": "Sample CRM", "scopes": scopes} | facts
    answer = await house.post(f"/api/v1/partners/{house.partner}/keys", body, house.boss)
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['key']}"}


async def sent(
    house: "House", key: dict[str, str], content: bytes = LIST, **query: Any
) -> "httpx2.Response":
    asked = {
        "programme_item_id": str(house.items["talks"]),
        "partner_id": str(house.partner),
        "consent": "true",
    } | query
    headers = key | {"Idempotency-Key": uuid4().hex}
    return await house.client.post(PATH, content=content, params=asked, headers=headers)


async def tried(house: "House", key: dict[str, str], import_id: str) -> list[int]:
    """Try all that can be done with a list, and give the statuses of the answers."""
    apply = {"consent": True, "kinds": ["gone"]}
    headers = key | {"Idempotency-Key": uuid4().hex}
    meaning = {"columns": ["full_name"]}
    return [
        answer.status_code
        for method, part, body in (
            ("GET", "", None),
            ("GET", "/rows", None),
            ("GET", "/rows.csv", None),
            ("POST", "/check", None),
            ("PUT", "/map", meaning),
            ("POST", "/apply", apply),
            ("POST", "/cancel", None),
        )
        for answer in [
            await house.client.request(
                method, f"{PATH}/{import_id}{part}", json=body, headers=headers
            )
        ]
    ]


async def elsewhere(house: "House", lines: "Lines") -> tuple[UUID, UUID]:
    """Plan another stop that the partner leads, and give it and its item."""
    roles = [{"partner_id": str(house.partner), "role": "lead"}]
    stop = await house.made(f"/missions/{house.mission}/stops", lines.stop | {"roles": roles})
    return stop, await house.made(f"/stops/{stop}/programme-items", lines.item)


async def test_a_key_sends_a_list_reads_what_became_of_it_and_applies_the_next(
    house: "House",
) -> None:
    key = await key_of(house, "imports:write", stop_ids=[str(house.stop)])
    answer = await sent(house, key)
    assert answer.status_code == 202, answer.text
    await worked(house)

    path = f"{PATH}/{answer.json()['id']}"
    rows = (await house.client.get(f"{path}/rows", headers=key)).json()["items"]
    assert [(one["row"], one["status"]) for one in rows] == [(2, "confirmed"), (3, "confirmed")]
    assert await house.statuses() == {"ana": "confirmed", "bo": "confirmed"}
    (noted,) = await house.rows(
        "SELECT actor_role FROM audit_entry WHERE action = 'import.applied'"
    )
    assert noted["actor_role"] == "partner_system"

    again = await sent(house, key, table(row("ana", position="总监")), validate_only="true")
    await worked(house)
    body = {"consent": True, "kinds": ["changed", "gone"]}
    headers = key | {"Idempotency-Key": uuid4().hex}
    path = f"{PATH}/{again.json()['id']}"
    answer = await house.client.post(f"{path}/apply", json=body, headers=headers)
    assert (answer.status_code, answer.json()["chosen"]) == (202, 2), answer.text
    await worked(house)
    rows = (await house.client.get(f"{path}/rows", headers=key)).json()["items"]
    assert [one["status"] for one in rows] == ["updated", "cancelled"]
    assert await house.statuses() == {"ana": "confirmed", "bo": "cancelled"}
    listed = await house.client.get(PATH, params={"partner_id": str(house.partner)}, headers=key)
    assert len(listed.json()["items"]) == 2


@pytest.mark.parametrize("scope", ["registrations:write", "registrations:read", "connectors:write"])
async def test_a_key_without_the_scope_sends_and_sees_no_list(house: "House", scope: str) -> None:
    sender = await key_of(house, "imports:write")
    import_id = (await sent(house, sender)).json()["id"]
    other = await key_of(house, scope)

    refused = await sent(house, other)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "imports:write" in refused.json()["detail"]
    assert await tried(house, other, import_id) == [403] * 7
    assert len(await house.rows("SELECT FROM import_list WHERE state = 'checking'")) == 1


async def test_a_key_for_another_stop_is_refused(house: "House", lines: "Lines") -> None:
    stop, item = await elsewhere(house, lines)
    here = await key_of(house, "imports:write", stop_ids=[str(house.stop)])
    there = await key_of(house, "imports:write", stop_ids=[str(stop)])
    import_id = (await sent(house, here)).json()["id"]

    assert (await sent(house, there)).status_code == 403
    assert (await sent(house, here, programme_item_id=str(item))).status_code == 403
    assert await tried(house, there, import_id) == [403] * 7
    listed = await house.client.get(PATH, params={"partner_id": str(house.partner)}, headers=there)
    assert not listed.json().get("items")
    assert len(await house.rows("SELECT FROM import_list WHERE state = 'checking'")) == 1

    assert (await sent(house, there, programme_item_id=str(item))).status_code == 202


async def test_a_key_sends_no_list_of_another_partner_and_none_of_the_delegation(
    house: "House",
) -> None:
    name = {"en": "Sample Chamber", "zh": "示例商会"}
    body = {"name": name, "kind": "company"}
    other = await house.made(f"/missions/{house.mission}/partners", body)
    theirs = await house.post(
        f"/api/v1/partners/{other}/keys",
        {"name": "Sample", "scopes": ["imports:write"]},
        house.boss,
    )
    stranger = {"Authorization": f"Bearer {theirs.json()['key']}"}
    key = await key_of(house, "imports:write")
    import_id = (await sent(house, key)).json()["id"]

    assert (await sent(house, key, partner_id=str(other))).status_code == 403
    assert (await sent(house, key, side="delegation")).status_code == 403
    assert (await sent(house, stranger)).status_code == 403
    assert await tried(house, stranger, import_id) == [403] * 7
    path = f"/api/v1/partners/{house.partner}/import-map"
    assert (await house.client.get(path, headers=stranger)).status_code == 403
    assert len(await house.rows("SELECT FROM import_list")) == 1
