"""Connectors are set up, kept and ended by those who may, and never show their tokens."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.registration.commands.connectors.sealing import seal, unseal
from services.registration.connectors.asking import retry_seconds
from shared.access import Tokens
from tests.services.registration.connectors.peer import TOKEN, Answer, Room


async def refused(room: Room, **changes: Any) -> tuple[int, list[str]]:
    path = f"/api/v1/partners/{room.house.partner}/connectors"
    answer = await room.house.post(path, room.body(**changes), room.staff)
    return answer.status_code, [one["pointer"] for one in answer.json().get("errors", [])]


async def test_a_token_is_sent_to_its_system_and_shown_to_nobody(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    assert room.peer.tokens == {f"Token {TOKEN}"}

    path = f"/api/v1/partners/{room.house.partner}/connectors"
    for answer in (
        await room.house.get(path, room.staff),
        await room.house.get(f"/api/v1/connectors/{room.id}", room.staff),
        await room.house.get(f"/api/v1/connectors/{room.id}/fields", room.staff),
    ):
        assert answer.status_code == 200
        assert TOKEN not in answer.text
    tables = await room.house.rows(
        "SELECT c::text AS content FROM connector AS c UNION ALL "
        "SELECT convert_from(payload, 'UTF8') FROM outbox UNION ALL SELECT a::text "
        "FROM audit_entry AS a UNION ALL SELECT i::text FROM idempotency AS i"
    )
    assert not any(TOKEN in row["content"] for row in tables)
    assert not any(TOKEN.encode().hex() in row["content"] for row in tables)


def test_a_sealed_token_is_read_by_its_own_connector_and_key_alone() -> None:
    tokens, one, other = Tokens("a" * 32), uuid4(), uuid4()
    sealed = seal(tokens, one, TOKEN)

    assert unseal(tokens, one, sealed) == TOKEN
    assert unseal(tokens, other, sealed) is None
    assert unseal(Tokens("b" * 32), one, sealed) is None
    assert seal(tokens, one, TOKEN) != sealed


async def test_with_another_secret_key_the_token_is_asked_for_anew(room: Room) -> None:
    sealed = seal(Tokens("another secret key, long enough now"), room.id, TOKEN)
    await room.house.rows("UPDATE connector SET token = $1", sealed)
    await room.sync()
    assert (await room.state())["error"] == "token_unreadable"

    headers = room.house.headers(room.staff) | {"If-Match": '"1"'}
    path = f"/api/v1/connectors/{room.id}"
    answer = await room.house.client.patch(path, json={"token": TOKEN}, headers=headers)
    assert answer.status_code == 200
    await room.sync()
    assert (await room.state())["error"] is None


async def test_who_does_not_work_for_the_partner_at_the_stop_is_refused(room: Room) -> None:
    house = room.house
    strangers = [
        house.someone("partner_staff", partner_id=uuid4()),
        house.someone("partner_staff", partner_id=house.partner, stop_ids=()),
        house.someone("door_staff"),
        house.someone("mission_staff", mission_id=uuid4()),
    ]
    path = f"/api/v1/connectors/{room.id}"
    for who in strangers:
        assert (await house.get(path, who)).status_code == 403
        assert (await house.post(f"{path}/pause", None, who)).status_code == 403
        listed = f"/api/v1/partners/{house.partner}/connectors"
        assert (await house.get(listed, who)).status_code == 403
        assert (await house.post(listed, room.body(), who)).status_code == 403
    assert (await house.get(path, house.boss)).status_code == 200


async def test_what_is_wrong_is_named_before_anything_is_kept(room: Room) -> None:
    place = room.body()["place"]
    dead = place | {"address": "http://127.0.0.1:9"}
    assert await refused(room, place=dead) == (422, ["/place/address"])
    inside = place | {"address": "http://10.0.0.1"}
    assert await refused(room, place=inside) == (422, ["/place/address"])
    odd = place | {"address": "ftp://example.com"}
    assert await refused(room, place=odd) == (422, ["/place/address"])
    assert await refused(room, place=place | {"event": "a b"}) == (422, ["/place/event"])
    assert await refused(room, place=place | {"more": 1}) == (422, ["/place/more"])
    assert await refused(room, token="two words") == (422, ["/token"])
    room.peer.answers = [Answer(401)]
    assert await refused(room) == (422, ["/token"])
    fields = {"full_name": "attendee_name", "email": "email", "company": "company"}
    unmapped = room.field_map(fields=fields)
    assert await refused(room, field_map=unmapped) == (
        422,
        ["/field_map/fields/country", "/field_map/fields/sectors"],
    )
    elsewhere = room.field_map(items={"1": str(uuid4())})
    assert await refused(room, field_map=elsewhere) == (422, ["/field_map/items/1"])
    place = {"address": room.peer.address, "event_id": 1, "form_id": 1}
    assert await refused(room, kind="indico", place=place) == (422, ["/pushes/1"])
    assert len(await room.house.rows("SELECT FROM connector")) == 1


async def test_what_is_asked_twice_with_one_key_is_connected_once(room: Room) -> None:
    path = f"/api/v1/partners/{room.house.partner}/connectors"
    body, who = room.body(), room.staff
    first, second = [await room.house.post(path, body, who, key="once") for _ in range(2)]

    assert first.json()["id"] == second.json()["id"]
    assert len(await room.house.rows("SELECT FROM connector")) == 2


async def test_two_who_change_it_at_once_do_not_overwrite_each_other(room: Room) -> None:
    path, headers = f"/api/v1/connectors/{room.id}", room.house.headers(room.staff)
    change = {"pushes": ["check_in"]}
    client = room.house.client
    assert (await client.patch(path, json=change, headers=headers)).status_code == 428
    headers |= {"If-Match": '"1"'}
    assert (await client.patch(path, json=change, headers=headers)).status_code == 200
    assert (await client.patch(path, json=change, headers=headers)).status_code == 412


async def test_disconnected_it_forgets_the_token_and_keeps_the_people(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    path = f"/api/v1/connectors/{room.id}"
    answer = await room.house.client.delete(path, headers=room.house.headers(room.staff))

    assert answer.status_code == 204
    (row,) = await room.house.rows("SELECT token, ended_at FROM connector")
    assert row["token"] is None
    assert (await room.house.get(path, room.staff)).status_code == 404
    assert await room.house.statuses() == {"ana": "confirmed"}
    rows = await room.house.rows("SELECT action FROM audit_entry WHERE action LIKE 'connector.%'")
    assert {row["action"] for row in rows} == {"connector.connected", "connector.disconnected"}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        ("99999999999", 3600.0),
        ("Fri, 27 Nov 2026 00:01:00 GMT", 60.0),
        ("Thu, 26 Nov 2026 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert retry_seconds(header, datetime(2026, 11, 27, tzinfo=UTC)) == seconds
