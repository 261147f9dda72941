"""Keys of partners' systems: made once, shown once, and of no use when they are revoked."""

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus
from uuid import uuid4

import pytest

from shared.access import Principal
from shared.errors import Unauthenticated
from shared.keys import Keyring, digest_of, shown
from tests.serving import behind_an_address

if TYPE_CHECKING:
    import httpx2

    from tests.services.registration.conftest import House

READ = {"name": "Sample CRM", "scopes": ["registrations:read"]}


def path_of(house: "House") -> str:
    return f"/api/v1/partners/{house.partner}/keys"


def staff_of(house: "House", **facts: Any) -> Principal:
    return house.someone("partner_staff", **({"partner_id": house.partner} | facts))


async def made(house: "House", **changes: Any) -> dict[str, str]:
    answer = await house.post(path_of(house), READ | changes, staff_of(house))
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


async def listed(house: "House", key: str) -> "httpx2.Response":
    path = f"/api/v1/stops/{house.stop}/registrations"
    return await house.client.get(path, headers={"Authorization": f"Bearer {key}"})


async def test_a_key_opens_what_its_scopes_say_and_no_more(house: "House") -> None:
    key = (await made(house))["key"]
    headers = {"Authorization": f"Bearer {key}"}
    mine = house.sign_up("ana", source="partner_api", partner_id=str(house.partner))
    item = f"/api/v1/programme-items/{house.items['talks']}/registrations"

    refused = await house.client.post(
        item, json=mine, headers=headers | {"Idempotency-Key": uuid4().hex}
    )
    assert refused.status_code == 403
    assert "registrations:write" in refused.json()["detail"]

    wide = (await made(house, scopes=["registrations:read", "registrations:write"]))["key"]
    answer = await house.client.post(
        item,
        json=mine,
        headers={"Authorization": f"Bearer {wide}", "Idempotency-Key": uuid4().hex},
    )
    assert answer.status_code == 201, answer.text
    await house.registered("somebody")
    found = await listed(house, key)
    assert [one["id"] for one in found.json()["items"]] == [answer.json()["id"]]


async def test_a_key_is_shown_once_and_its_secret_is_kept_nowhere(house: "House") -> None:
    token = uuid4().hex
    first = await house.post(path_of(house), READ, house.boss, key=token)
    again = await house.post(path_of(house), READ, house.boss, key=token)
    key = first.json()["key"]
    assert again.json() == {"id": first.json()["id"]}
    assert again.headers["Idempotent-Replayed"] == "true"

    secret = key.removeprefix("tw_live_")[22:65]
    for table in ("api_key", "audit_entry", "idempotency", "outbox"):
        rows = await house.rows(f"SELECT t::text AS content FROM {table} AS t")  # noqa: S608
        assert all(secret not in row["content"] for row in rows), table
    (row,) = await house.rows("SELECT digest FROM api_key")
    assert row["digest"] == shown(key).digest != digest_of(b"")

    one = (await house.get(path_of(house), house.boss)).json()["items"][0]
    assert one["id"] == first.json()["id"]
    assert "digest" not in one
    assert key not in str(one)


async def test_a_revoked_key_opens_nothing_any_more(house: "House") -> None:
    one, other = await made(house), await made(house)
    assert (await listed(house, one["key"])).status_code == 200

    path = f"{path_of(house)}/{one['id']}"
    for _ in range(2):
        answer = await house.client.delete(path, headers=house.headers(staff_of(house)))
        assert answer.status_code == 204

    refused = await listed(house, one["key"])
    assert (refused.status_code, refused.json()["code"]) == (401, "key_revoked")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert (await listed(house, other["key"])).status_code == 200
    noted = await house.rows("SELECT action FROM audit_entry WHERE action LIKE 'key.%' ORDER BY at")
    assert [row["action"] for row in noted] == ["key.made", "key.made", "key.revoked"]


async def test_what_is_no_key_is_told_why_as_far_as_that_is_safe(house: "House") -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = await made(house, expires_at=soon.isoformat())
    known = key["key"]
    stranger = known[:8] + ("0" if known[8] != "0" else "1") + known[9:]
    found = {
        wrong: (await listed(house, wrong)).json()["code"]
        for wrong in (known[:-1], known[:-1] + "!", stranger, known.lower())
    }
    assert set(found.values()) == {"key_malformed"}

    async with house.database.transaction() as connection:
        await connection.execute("UPDATE api_key SET expires_at = now() - interval '1 second'")
    assert (await listed(house, known)).json()["code"] == "key_expired"
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE api_key SET digest = sha256('another')")
    # Who has not the secret is not told that such a key was there, or has expired.
    assert (await listed(house, known)).json()["code"] == "key_unknown"
    async with house.database.transaction() as connection:
        await connection.execute("DELETE FROM api_key")
    assert (await listed(house, known)).json()["code"] == "key_unknown"


async def test_its_use_is_noted_once_a_minute_at_most(house: "House") -> None:
    key = (await made(house))["key"]

    async def used() -> datetime | None:
        (row,) = await house.rows("SELECT last_used_at FROM api_key")
        return row["last_used_at"]

    assert await used() is None
    await listed(house, key)
    first = await used()
    assert first is not None
    await listed(house, key)
    assert await used() == first
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE api_key SET last_used_at = now() - interval '61 seconds'")
    await listed(house, key)
    later = await used()
    assert later is not None
    assert later >= first


async def test_partner_staff_makes_keys_for_its_own_partner_and_stops_alone(
    house: "House",
) -> None:
    other = await house.made(
        f"/missions/{house.mission}/partners",
        {"name": {"en": "Other Bureau", "zh": "另一商务局"}, "kind": "government"},
    )
    mine = staff_of(house)
    for method in ("GET", "POST"):
        answer = await house.client.request(
            method, f"/api/v1/partners/{other}/keys", json=READ, headers=house.headers(mine)
        )
        assert answer.status_code == 403
    theirs = await house.post(f"/api/v1/partners/{other}/keys", READ, house.boss)
    answer = await house.client.delete(
        f"{path_of(house)}/{theirs.json()['id']}", headers=house.headers(mine)
    )
    assert answer.status_code == 404

    stop = [str(house.stop)]
    elsewhere = staff_of(house, stop_ids=())
    wrong = await house.post(path_of(house), READ | {"stop_ids": stop}, elsewhere)
    assert wrong.json()["errors"][0]["pointer"] == "/stop_ids/0"
    right = await house.post(path_of(house), READ | {"stop_ids": stop}, mine)
    assert right.status_code == 201
    # Without stops it has those of who makes it, which are none here.
    none = await house.post(path_of(house), READ, elsewhere)
    assert (await listed(house, none.json()["key"])).status_code == 403


async def test_a_key_makes_no_keys(house: "House") -> None:
    scopes = ["registrations:read", "registrations:write", "imports:write", "events:read"]
    key = (await made(house, scopes=scopes))["key"]
    headers = {"Authorization": f"Bearer {key}"}
    answer = await house.client.post(path_of(house), json=READ, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"name": ""}, "/name"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"stop_ids": [str(uuid4())]}, "/stop_ids/0"),
    ],
)
async def test_a_wrong_field_is_named(house: "House", change: dict[str, Any], pointer: str) -> None:
    answer = await house.post(path_of(house), READ | change, house.boss)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_partner_has_so_many_keys_at_most(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.commands.keys.KEYS_MAX", 2)
    first, _ = await made(house), await made(house)
    answer = await house.post(path_of(house), READ, house.boss)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_keys")
    await house.client.delete(f"{path_of(house)}/{first['id']}", headers=house.headers(house.boss))
    await made(house)


async def test_the_other_services_are_told_what_a_key_opens(house: "House") -> None:
    key = await made(house)
    digest = shown(key["key"]).digest
    assert digest is not None
    service = house.headers(Principal("service", uuid4()))
    for body, state in (
        ({"id": key["id"], "digest": digest.hex()}, "valid"),
        ({"id": key["id"], "digest": None}, "valid"),
        ({"id": key["id"], "digest": "0" * 64}, "unknown"),
        ({"id": str(uuid4()), "digest": None}, "unknown"),
    ):
        answer = await house.client.post("/internal/keys", json=body, headers=service)
        assert answer.json()["state"] == state
        assert (answer.json()["holder"] is not None) == (state == "valid")
    refused = await house.client.post(
        "/internal/keys", json={"id": key["id"], "digest": None}, headers=house.headers(house.boss)
    )
    assert refused.status_code == 403


async def test_another_service_asks_over_http_and_remembers_the_answer(house: "House") -> None:
    key = await made(house)
    app: Any = house.client._transport.app  # type: ignore[attr-defined]  # the app that the client calls
    async with (
        behind_an_address(app) as address,
        Keyring.connect(address, house.tokens) as remembering,
        Keyring.connect(address, house.tokens) as other,
    ):
        who = await remembering.holder(key["key"])
        assert (who.role, who.partner_id, who.stop_ids, who.scopes) == (
            "partner_system",
            house.partner,
            (house.stop,),
            ("registrations:read",),
        )
        path = f"{path_of(house)}/{key['id']}"
        await house.client.delete(path, headers=house.headers(house.boss))
        # Half a minute at most: who has not asked yet hears it at once.
        assert await remembering.holder(key["key"]) == who
        with pytest.raises(Unauthenticated) as refused:
            await other.holder(key["key"])
        assert refused.value.code == "key_revoked"


GRANT = {"grant_type": "client_credentials"}
TOKEN = "/api/v1/oauth/token"


def basic(user: str, password: str) -> dict[str, str]:
    pair = f"{quote_plus(user)}:{quote_plus(password)}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


async def test_client_credentials_give_a_token_of_an_hour(house: "House") -> None:
    key = await made(house, scopes=["registrations:read", "events:read"])
    in_body = {"client_id": key["id"], "client_secret": key["key"]}
    answers = [
        await house.client.post(TOKEN, data=GRANT, headers=basic(key["id"], key["key"])),
        await house.client.post(TOKEN, data=GRANT | in_body),
        await house.client.post(TOKEN, data=GRANT | in_body | {"scope": "events:read"}),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    scopes = [set(answer.json()["scope"].split()) for answer in answers]
    assert scopes == [{"registrations:read", "events:read"}] * 2 + [{"events:read"}]
    statuses = [(await listed(house, one.json()["access_token"])).status_code for one in answers]
    assert statuses == [200, 200, 403]

    await house.client.delete(f"{path_of(house)}/{key['id']}", headers=house.headers(house.boss))
    refused = await listed(house, answers[0].json()["access_token"])
    assert (refused.status_code, refused.json()["code"]) == (401, "key_revoked")


async def test_what_oauth_refuses_it_refuses_in_its_own_words(house: "House") -> None:
    key = await made(house)
    client = {"client_id": key["id"], "client_secret": key["key"]}
    other = await made(house)
    expected = [
        (client, {}, 400, "invalid_request"),
        (client | {"grant_type": "password"}, {}, 400, "unsupported_grant_type"),
        (GRANT | client | {"scope": "events:read"}, {}, 400, "invalid_scope"),
        (GRANT | client, basic(key["id"], key["key"]), 400, "invalid_request"),
        (GRANT | {"client_id": key["id"]}, {}, 401, "invalid_client"),
        (GRANT | client | {"client_secret": key["key"][:-1]}, {}, 401, "invalid_client"),
        (GRANT | client | {"client_id": other["id"]}, {}, 401, "invalid_client"),
        (GRANT, basic(key["id"], "wrong"), 401, "invalid_client"),
        (GRANT, {"Authorization": "Basic %"}, 401, "invalid_client"),
        (GRANT, {"Authorization": "Digest abc"}, 401, "invalid_client"),
    ]
    for form, headers, status, error in expected:
        answer = await house.client.post(TOKEN, data=form, headers=headers)
        found = (answer.status_code, answer.json()["error"])
        assert found == (status, error), (form, answer.text)
        basic_wanted = status == 401 and bool(headers)
        assert ("Basic" in answer.headers.get("WWW-Authenticate", "")) == basic_wanted
    twice = f"grant_type=client_credentials&grant_type=x&client_id={key['id']}"
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await house.client.post(TOKEN, content=twice, headers=form_type)
    assert answer.json()["error"] == "invalid_request"
    assert (await house.client.post(TOKEN, json=GRANT)).json()["error"] == "invalid_request"
