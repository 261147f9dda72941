"""The pages on which partners connect their systems, as a browser uses them."""

import re
from typing import Any

from tests.services.registration.connectors.peer import TOKEN, Answer, Room


def listed(room: Room) -> str:
    return f"/partner/{room.house.partner}/connectors"


def page(room: Room) -> str:
    return f"{listed(room)}/{room.id}"


def filled(room: Room, **changes: Any) -> dict[str, Any]:
    return {
        "key": "key-of-the-form",
        "kind": "pretix",
        "stop_id": str(room.house.stop),
        "address": room.peer.address,
        "organizer": "bureau",
        "event": "talks",
        "check_in_list": "5",
        "token": TOKEN,
        "pushes": ["check_in"],
    } | changes


async def test_a_system_is_connected_mapped_and_read_by_pages_alone(room: Room) -> None:
    house, who = room.house, room.staff
    answer = await house.send(listed(room), filled(room), who)
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    assert path.endswith("/map")

    shown = await house.page(path, who)
    assert "Talks" in shown
    assert "Your field" in shown
    form = {"revision": "1", "item.1": str(house.items["talks"]), "pushes": "check_in"}
    form |= {"field.full_name": "attendee_name", "field.email": "email"}
    form |= {"field.company": "company", "fixed.country": "CN", "token": ""}
    answer = await house.send(path, form, who)
    assert answer.status_code == 422
    assert 'class="mapping wrong"' in answer.text
    more = {"field.sectors": "question.SECTOR", "theirs": "Energy storage", "ours": "batteries"}
    answer = await house.send(path, form | more, who)
    assert answer.status_code == 303, answer.text
    stale = await house.send(path, form | more, who)
    assert stale.status_code == 422

    room.id = answer.headers["location"].partition("?")[0].rpartition("/")[2]  # type: ignore[assignment]
    room.peer.order("ANA")
    await room.sync()
    assert "batteries" in (await house.page(path, who))
    assert (await house.statuses()) == {"ana": "confirmed"}
    assert TOKEN not in await house.page(page(room), who)


async def test_what_is_wrong_is_said_in_the_readers_words(room: Room) -> None:
    room.peer.answers = [Answer(401)]
    answer = await room.house.send(listed(room), filled(room), room.staff)
    assert answer.status_code == 422
    assert "does not accept the token" in answer.text
    assert TOKEN not in answer.text
    odd = filled(room, address="http://10.0.0.1")
    headers = {"Accept-Language": "zh"}
    answer = await room.house.send(listed(room), odd, room.staff, **headers)
    assert answer.status_code == 422
    assert "不允许访问该网址" in answer.text


async def test_a_conflict_is_shown_with_its_field_and_decided(room: Room) -> None:
    room.peer.order("ANA", country="China")
    await room.sync()
    shown = await room.house.page(page(room), room.staff)
    assert "ANA-1" in shown
    assert "Country or region" in shown
    form = {"remote_id": "ANA-1", "decision": "keep_ours"}
    for _ in range(2):
        answer = await room.house.send(f"{page(room)}/conflicts", form, room.staff)
        assert answer.status_code == 303
    assert await room.conflicts() == {}


async def test_pause_go_on_read_and_end_are_buttons(room: Room) -> None:
    for what, state in (("pause", "paused"), ("resume", "active"), ("sync", "active")):
        answer = await room.house.send(f"{page(room)}/do", {"what": what}, room.staff)
        assert answer.status_code == 303
        assert (await room.state())["state"] == state
        shown = await room.house.page(answer.headers["location"], room.staff, lang="zh")
        assert re.search('class="notice good" role="status"', shown)
    answer = await room.house.send(f"{page(room)}/do", {"what": "disconnect"}, room.staff)
    assert answer.headers["location"] == listed(room)
    assert "No system is connected yet" in await room.house.page(listed(room), room.staff)
    await room.house.page(page(room), room.staff, status=404)
    await room.house.page(listed(room), room.house.someone("door_staff"), status=403)
