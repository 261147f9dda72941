"""What a partner's system holds appears here, and what happens here is told there."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.registration.commands.connectors import syncing
from services.registration.commands.connectors.applying import Applier
from tests.services.registration.connectors.peer import Answer, Room


async def test_an_order_there_is_a_registration_here(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()

    (link,) = (await room.links()).values()
    assert (link["status"], link["source"]) == ("confirmed", "partner_api")
    assert (link["full_name"], link["email"]) == ("Sample ANA", "ana@example.com")
    assert await room.house.told() == [
        *["mission.announced", "stop.planned", "programme_item.planned"],
        *["programme_item.planned", "participant.confirmed"],
    ]


async def test_who_is_one_too_many_waits_and_is_not_let_in_by_a_back_door(room: Room) -> None:
    for code in ("ANA", "BO", "CHEN"):
        room.peer.order(code)
    await room.sync()

    assert sorted((await room.statuses()).values()) == ["confirmed", "confirmed", "waitlisted"]
    assert await room.house.places() == (2, 1)


async def test_what_is_read_twice_is_done_once(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    before = await room.house.told()
    await room.sync()
    room.peer.order("ANA")
    await room.sync()

    assert await room.house.told() == before


async def test_a_change_there_is_a_change_here(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    room.peer.order("ANA", attendee_name="Sample Anna")
    await room.sync()

    assert (await room.links())["ANA-1"]["full_name"] == "Sample Anna"
    assert await room.conflicts() == {}


async def test_who_cancels_there_makes_room_for_who_waits_here(room: Room) -> None:
    for code in ("ANA", "BO", "CHEN"):
        room.peer.order(code)
    await room.sync()
    room.peer.order("BO", status="c")
    await room.sync()

    assert await room.statuses() == {
        "ANA-1": "confirmed",
        "BO-1": "cancelled",
        "CHEN-1": "confirmed",
    }
    assert room.peer.sent == []


async def test_who_comes_back_there_stands_in_line_again_here(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    room.peer.order("ANA", status="c")
    await room.sync()
    room.peer.order("ANA", status="p")
    await room.sync()

    assert await room.statuses() == {"ANA-1": "confirmed"}
    assert len(await room.house.rows("SELECT FROM registration")) == 1


async def test_a_check_in_here_is_told_there_once_and_never_comes_back(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    (link,) = (await room.links()).values()
    await room.house.decide(link["registration_id"], "check-in")
    await room.syncer.notice(datetime.now(UTC))
    await room.sync()
    before = await room.house.told()
    await room.sync()
    await room.sync()

    ((method, path, body),) = room.peer.sent
    assert (method, path) == ("POST", "/checkinlists/5/positions/101/redeem/")
    assert body["nonce"] == f"tradewind-{link['registration_id']}"
    assert await room.house.told() == before


async def test_a_check_in_there_is_one_here_and_is_not_sent_back(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    at = "2026-11-07T02:20:00Z"
    room.peer.order("ANA", checkins=[{"list": 5, "type": "entry", "datetime": at}])
    await room.sync()
    await room.sync()

    assert (await room.links())["ANA-1"]["checked_in_at"] is not None
    assert (await room.house.told())[-1] == "participant.checked_in"
    assert room.peer.sent == []


async def test_a_check_in_there_does_not_bring_back_one_that_was_taken_back_here(
    room: Room,
) -> None:
    def entered(at: str) -> list[dict[str, Any]]:
        return [{"list": 5, "type": "entry", "datetime": at}]

    room.peer.order("ANA", checkins=entered("2026-11-07T02:20:00Z"))
    await room.sync()
    (link,) = (await room.links()).values()
    assert link["checked_in_at"] is not None
    path = f"/api/v1/registrations/{link['registration_id']}/check-in/undo"
    undone = await room.house.post(path, {"reason": "wrong_person"}, room.house.boss)
    assert undone.status_code == 200

    # There it is as it was, whatever else changes.
    room.peer.order("ANA", attendee_name="Sample Anna", checkins=entered("2026-11-07T02:20:00Z"))
    await room.sync()
    (link,) = (await room.links()).values()
    assert (link["full_name"], link["checked_in_at"]) == ("Sample Anna", None)

    # Taken back there too, and entered anew.
    room.peer.order("ANA", checkins=[])
    await room.sync()
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    room.peer.order("ANA", checkins=entered(later))
    await room.sync()
    assert (await room.links())["ANA-1"]["checked_in_at"] is not None
    assert (await room.house.told()).count("participant.checked_in") == 2


async def test_an_end_here_is_told_there_and_is_no_conflict(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    (link,) = (await room.links()).values()
    await room.house.decide(link["registration_id"], "cancel")
    await room.sync()
    await room.sync()

    assert [path for _, path, _ in room.peer.sent] == ["/orders/ANA/mark_canceled/"]
    assert await room.conflicts() == {}
    assert await room.statuses() == {"ANA-1": "cancelled"}


async def test_killed_in_the_middle_it_goes_on_and_nothing_is_doubled(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.house.rows(
        "UPDATE programme_item SET capacity = 100 WHERE id = $1", room.house.items["talks"]
    )
    room.peer.page_size = 7
    for number in range(30):
        room.peer.order(f"N{number}")
    calls = 0
    apply = Applier.apply

    async def killed(self: Applier, readings: object) -> int:
        nonlocal calls
        calls += 1
        done = await apply(self, readings)  # type: ignore[arg-type]
        if calls in (2, 4):
            raise asyncio.CancelledError
        return done

    monkeypatch.setattr(syncing, "CHUNK", 4)
    monkeypatch.setattr(Applier, "apply", killed)
    for _ in range(3):
        # A worker that died holds its claim until it runs out.
        await room.house.rows("UPDATE connector SET claimed_until = NULL")
        try:
            await room.sync()
        except asyncio.CancelledError:
            continue
        break

    assert calls > 4
    assert len(await room.links()) == 30
    assert len(await room.house.rows("SELECT FROM registration")) == 30
    assert (await room.house.told()).count("participant.confirmed") == 30


async def test_two_workers_never_work_on_one_connector(room: Room) -> None:
    for number in range(8):
        room.peer.order(f"N{number}")
    now = datetime.now(UTC)

    worked = await asyncio.gather(*(room.syncer.work(now) for _ in range(4)))

    assert sorted(worked) == [False, False, False, True]
    assert len([one for one in room.peer.asked if "/orders/" in one]) == 1


async def test_a_system_that_asks_for_time_gets_it(room: Room) -> None:
    room.peer.answers = [Answer(429, headers={"retry-after": "1800"})]
    await room.sync()

    state = await room.state()
    assert (state["state"], state["error"]) == ("failing", "too_many")
    pause = datetime.fromisoformat(state["next_at"]) - datetime.now(UTC)
    assert 1700 < pause.total_seconds() < 1801
    assert not await room.syncer.work(datetime.now(UTC))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401), "not_allowed"),
        (Answer(404), "not_found"),
        (Answer(503), "broken"),
        (Answer(302, headers={"location": "/elsewhere"}), "refused"),
        (Answer(200, {"next": None, "results": [{"code": 5}]}), "unreadable"),
        (Answer(200, "no orders"), "unreadable"),
    ],
)
async def test_what_is_wrong_there_is_named_and_tried_again(
    room: Room, answer: Answer, error: str
) -> None:
    room.peer.order("ANA")
    room.peer.answers = [answer]
    await room.sync()
    assert (await room.state())["error"] == error
    await room.sync()

    assert await room.statuses() == {"ANA-1": "confirmed"}
    assert (await room.state())["error"] is None


async def test_a_page_that_is_broken_leaves_the_one_before_it(room: Room) -> None:
    room.peer.page_size = 1
    room.peer.order("ANA")
    room.peer.order("BO")
    first = Answer(200, room.peer.page({"page": "1"}))
    room.peer.answers = [first, Answer(500)]
    await room.sync()

    assert await room.statuses() == {"ANA-1": "confirmed"}
    await room.sync()
    assert list(await room.statuses()) == ["ANA-1", "BO-1"]


async def test_what_a_form_would_refuse_is_a_conflict_with_its_field(room: Room) -> None:
    room.peer.order("ANA", country="China")
    room.peer.order("BO")
    await room.sync()

    assert await room.conflicts() == {"ANA-1": "invalid"}
    (link, _) = (await room.links()).values()
    assert link["conflict_fields"] == ["/organization/country"]
    room.peer.order("ANA", country="CN")
    await room.sync()
    assert await room.conflicts() == {}


async def test_what_cannot_be_kept_is_left_out_and_stops_nobody(room: Room) -> None:
    odd = "Sample \x00\x07Ana"
    room.peer.order("ANA", attendee_name=odd, company="Sample\x00 Co.")
    room.peer.order("BO")
    await room.sync()

    assert (await room.links())["ANA-1"]["full_name"] == "Sample Ana"
    assert await room.statuses() == {"ANA-1": "confirmed", "BO-1": "confirmed"}
    room.peer.orders["ANA"]["code"] = "A\x00"
    room.peer.order("ANA")
    await room.sync()
    assert (await room.state())["error"] == "unreadable"


async def test_an_end_here_is_told_though_theirs_changed_meanwhile(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    (link,) = (await room.links()).values()
    await room.house.decide(link["registration_id"], "cancel")
    room.peer.order("ANA", attendee_name="Sample Anna")
    await room.sync()
    await room.sync()

    assert [path for _, path, _ in room.peer.sent] == ["/orders/ANA/mark_canceled/"]
    assert await room.conflicts() == {}


async def test_what_both_changed_waits_for_somebody_to_decide(room: Room) -> None:
    for code in ("ANA", "BO"):
        room.peer.order(code)
    await room.sync()
    for link in (await room.links()).values():
        path = f"/api/v1/registrations/{link['registration_id']}"
        person = {"full_name": "Ours", "email": link["email"], "language": "en"}
        answer = await room.house.client.patch(
            path,
            json={"person": person | {"languages": ["en"]}},
            headers=room.house.headers(room.house.boss) | {"If-Match": f'"{link["ours"]}"'},
        )
        assert answer.status_code == 200, answer.text
    for code in ("ANA", "BO"):
        room.peer.order(code, attendee_name="Theirs")
    await room.sync()

    assert await room.conflicts() == {
        "ANA-1": "changed_on_both_sides",
        "BO-1": "changed_on_both_sides",
    }
    assert await room.decide("ANA-1", "take_theirs") == 200
    assert await room.decide("BO-1", "keep_ours") == 200
    await room.sync()
    names = {one: row["full_name"] for one, row in (await room.links()).items()}
    assert names == {"ANA-1": "Theirs", "BO-1": "Ours"}
    assert await room.conflicts() == {}
    assert await room.decide("BO-1", "keep_ours") == 404


async def test_two_there_with_one_address_are_one_here(room: Room) -> None:
    room.peer.order("ANA")
    room.peer.order("BO", attendee_email="ana@example.com")
    await room.sync()
    room.peer.order("BO", status="c")
    await room.sync()

    assert await room.conflicts() == {}
    assert (await room.links())["ANA-1"]["status"] == "confirmed"


async def test_who_came_in_another_way_is_nobody_of_the_partners(room: Room) -> None:
    await room.house.registered("ana")
    room.peer.order("ANA")
    await room.sync()
    assert await room.conflicts() == {"ANA-1": "brought_by_others"}
    room.peer.order("ANA", status="c")
    await room.sync()

    assert await room.house.statuses() == {"ana": "confirmed"}


async def test_who_was_erased_is_not_brought_back(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    (link,) = (await room.links()).values()
    (row,) = await room.house.rows("SELECT person_id FROM registration")
    answer = await room.house.client.post(
        f"/api/v1/people/{row['person_id']}/erase", headers=room.house.headers(room.house.boss)
    )
    assert answer.status_code < 300, answer.text
    room.peer.order("ANA", attendee_name="Sample Anna")
    await room.sync()

    assert len(await room.house.rows("SELECT FROM person WHERE email LIKE 'ana%'")) == 0
    assert link["registration_id"] is not None


async def test_a_paused_connector_reads_nothing_and_goes_on_where_it_was(room: Room) -> None:
    path = f"/api/v1/connectors/{room.id}"
    await room.house.post(f"{path}/pause", None, room.staff)
    room.peer.order("ANA")
    await room.sync()
    assert room.peer.asked == []
    await room.house.post(f"{path}/resume", None, room.staff)
    await room.sync()

    assert list(await room.statuses()) == ["ANA-1"]


async def test_another_map_reads_everything_anew(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    path = f"/api/v1/connectors/{room.id}"
    mapped = room.field_map(fixed={"native_name": "样本"})
    headers = room.house.headers(room.staff) | {"If-Match": '"1"'}
    answer = await room.house.client.patch(path, json={"field_map": mapped}, headers=headers)
    assert answer.status_code == 200, answer.text
    await room.sync()

    (row,) = await room.house.rows("SELECT native_name FROM person WHERE email LIKE 'ana%'")
    assert row["native_name"] == "样本"


async def test_a_call_of_the_system_wakes_us_and_is_believed_in_nothing(room: Room) -> None:
    await room.sync()
    room.peer.order("ANA")
    url = (await room.state())["webhook_url"].partition("8000")[2]
    call = {"notification_id": 1, "organizer": "bureau", "event": "talks", "code": "XXX"}
    client = room.house.client
    assert (await client.post(url, json=call | {"event": "other"})).status_code == 202
    assert not await room.syncer.work(datetime.now(UTC) + syncing.LEASE / 6)
    assert (await client.post(url, json=call)).status_code == 202
    assert await room.syncer.work(datetime.now(UTC) + syncing.LEASE / 6)

    assert await room.statuses() == {"ANA-1": "confirmed"}
    assert (await client.post(url[:-1] + "x", json=call)).status_code == 404
    other = url.replace(str(room.id), str(uuid4()))
    assert (await client.post(other, json=call)).status_code == 404


async def test_what_the_system_will_not_have_is_named(room: Room) -> None:
    room.peer.order("ANA")
    await room.sync()
    (link,) = (await room.links()).values()
    await room.house.decide(link["registration_id"], "check-in")
    room.peer.answers = [Answer(200, room.peer.page({"page": "1"})), Answer(400)]
    await room.sync()

    assert await room.conflicts() == {"ANA-1": "check_in_refused_there"}
    assert await room.decide("ANA-1", "try_again") == 200
    await room.sync()
    assert await room.conflicts() == {}
    assert [body["nonce"] for _, _, body in room.peer.sent] == [
        f"tradewind-{link['registration_id']}"
    ]
