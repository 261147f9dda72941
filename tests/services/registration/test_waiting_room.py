"""The waiting room in front of public registration: whom it holds, and what gets past it."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.registration.commands.waiting import Waiting
from services.registration.domain.tickets import ADMISSION, TICKET, Admission, Ticket
from services.registration.domain.waiting_room import State, Terms
from tests.services.registration.conftest import House

STRANGERS_KEY = b"a key that is not the service's"


def room(house: House) -> str:
    return f"/api/v1/stops/{house.stop}/waiting-room"


async def set_mode(house: House, mode: str, *, status: int = 200) -> dict[str, Any]:
    answer = await house.client.put(
        room(house), json={"mode": mode}, headers=house.headers(house.boss)
    )
    assert answer.status_code == status, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def draw(house: House, key: str | None = None) -> dict[str, Any]:
    answer = await house.post(room(house), {"idempotency_key": key} if key else None)
    assert answer.status_code == 201, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def look(house: House, ticket: str) -> dict[str, Any]:
    answer = await house.client.get(room(house), headers={"Waiting-Room-Ticket": ticket})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def admitted(house: House, key: str | None = None) -> dict[str, Any]:
    """Draw and wait for the turn."""
    drawn = await draw(house, key)
    async with asyncio.timeout(60):
        while drawn["state"] != "admitted":
            await asyncio.sleep(0.1)
            drawn = await look(house, drawn["ticket"])
    return drawn


async def register(
    house: House, name: str, key: str, admission: str = "", item: str = "talks"
) -> Any:
    headers = {"Idempotency-Key": key}
    if admission:
        headers["Waiting-Room-Admission"] = admission
    path = f"/api/v1/programme-items/{house.items[item]}/registrations"
    return await house.client.post(path, json=house.sign_up(name), headers=headers)


def press(house: House, *, waiting: int = 400, rate: float = 500.0) -> None:
    """Have the queue say that so many wait, as in a rush."""
    house.rush.queue._waiting = waiting
    house.rush.queue._rate = rate


# ---- Whom it holds ------------------------------------------------------------------------------


async def test_a_room_that_is_closed_holds_nobody(house: House) -> None:
    assert (await register(house, "ana", "k1")).status_code == 201
    told = (await house.get(room(house))).json()

    assert (told["is_open"], told["mode"], told["waiting"]) == (False, "automatic", 0)
    assert (await draw(house))["state"] == "free"


async def test_an_open_room_is_named_to_who_comes_without_an_admission(house: House) -> None:
    await set_mode(house, "open")

    answer = await register(house, "ana", "k1")

    assert answer.status_code == 503
    assert answer.json()["code"] == "waiting_room"
    assert 5 <= int(answer.headers["Retry-After"]) <= 121
    assert answer.headers["Link"] == f'<{room(house)}>; rel="help"'
    assert await house.statuses() == {}


async def test_a_program_draws_waits_and_registers(house: House) -> None:
    await set_mode(house, "open")
    first, second = await draw(house), await draw(house, "my own key")

    assert first["state"] == "admitted"
    assert first["admitted_until"] is not None
    assert (second["state"], second["number"], second["of"]) == ("waiting", 1, 1)
    assert second["admission"] is None
    assert second["poll_seconds"] >= 3
    answer = await register(house, "ana", first["idempotency_key"], first["admission"])
    assert answer.status_code == 201
    async with asyncio.timeout(60):
        while second["state"] == "waiting":
            await asyncio.sleep(0.1)
            second = await look(house, second["ticket"])
    answer = await register(house, "bo", "my own key", second["admission"])
    assert answer.status_code == 201
    assert set(await house.statuses()) == {"ana", "bo"}


async def test_a_group_is_held_as_one_person_is(house: House) -> None:
    await set_mode(house, "open")
    people = [house.sign_up(name)["person"] for name in ("ana", "bo")]
    body = house.sign_up("x") | {"people": people}
    del body["person"]
    path = f"/api/v1/programme-items/{house.items['talks']}/groups"

    held = await house.post(path, body, key="k1")
    drawn = await admitted(house)
    headers = {
        "Idempotency-Key": drawn["idempotency_key"],
        "Waiting-Room-Admission": drawn["admission"],
    }
    passed = await house.client.post(path, json=body, headers=headers)

    assert (held.status_code, held.json()["code"]) == (503, "waiting_room")
    assert passed.status_code == 201


async def test_a_room_holds_nobody_of_another_stop(house: House, lines: Any) -> None:
    other = await house.made(f"/missions/{house.mission}/stops", lines.stop)
    house.items["more"] = await house.made(f"/stops/{other}/programme-items", lines.item)
    await set_mode(house, "open")

    assert (await register(house, "ana", "k1", item="more")).status_code == 201


async def test_staff_partners_lists_check_in_cancelling_and_health_are_never_held(
    house: House,
) -> None:
    here = await house.registered("here")
    going = await house.registered("going")
    await set_mode(house, "open")
    press(house, waiting=400)
    partner = house.someone("partner_staff", partner_id=house.partner)
    door = house.someone("door_staff")
    rows = [house.sign_up(f"row{n}", partner_id=str(house.partner)) for n in range(3)]
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"

    answers = {
        "staff": await house.register("ana", who=house.boss),
        "staff for the public": await house.register("bo", "dinner", who=house.boss),
        "partner": await house.register("chen", who=partner, partner_id=str(house.partner)),
        "door": await house.register("dai", who=house.boss, source="walk_in"),
        "list": await house.post(f"{path}/bulk", {"registrations": rows}, partner, key="list"),
        "check-in": await house.post(f"/api/v1/registrations/{here['id']}/check-in", None, door),
        "cancel": await house.post(
            f"/api/v1/registrations/{going['id']}/cancel", None, house.person(going)
        ),
        "live": await house.client.get("/livez"),
        "ready": await house.client.get("/readyz"),
    }

    assert {name: a.status_code for name, a in answers.items() if a.status_code >= 300} == {}
    assert (await register(house, "public", "k9")).json()["code"] == "waiting_room"


# ---- What gets past it --------------------------------------------------------------------------


def forged(house: House, good: dict[str, Any]) -> dict[str, str]:
    """Everything that somebody might show instead of an admission of one's own."""
    token: str = good["admission"]
    text, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(text + "=="))
    now = datetime.now(UTC)

    def own_work(purpose: str, changed: list[Any]) -> str:
        from hmac import digest

        body = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
        made = digest(STRANGERS_KEY, f"{purpose}\n{body}".encode(), "sha256")
        return f"{body}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"

    def real(**changes: Any) -> str:
        facts: dict[str, Any] = {
            "ticket_id": claims[0],
            "stop_id": house.stop,
            "key": claims[2],
            "until": now + timedelta(minutes=5),
            "is_browsers": False,
        }
        return Admission(**facts | changes).sealed(house.tokens.digest)

    later = [claims[0], claims[1], claims[2], claims[3] + 10**9, claims[4]]
    encoded = base64.urlsafe_b64encode(json.dumps(later).encode()).rstrip(b"=").decode()
    session = house.tokens.sign(house.boss, "session", now)
    return {
        "nothing like one": "x",
        "empty parts": ".",
        "claims alone": text,
        "no signature": f"{text}.",
        "no claims": f".{signature}",
        "changed claims": f"{encoded}.{signature}",
        "changed signature": f"{text}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "padding added": f"{token}=",
        "signature twice": f"{token}.{signature}",
        "another way to write the signature": f"{token[:-1]}{chr(ord(token[-1]) + 1)}",
        "upper case": token.upper(),
        "very long": f"{token}{'A' * 5_000}",
        "signed by a stranger": own_work(ADMISSION, later),
        "a session": session,
        "a session's parts": ".".join(session.split(".")[1:]),
        "a ticket": good["ticket"],
        "signed as a ticket": own_work(TICKET, later),
        "over": real(until=now),
        "of another stop": real(stop_id=uuid4()),
        "for another key": real(key="another"),
        "a browser's": real(is_browsers=True),
    }


async def test_no_forged_foreign_expired_or_shared_admission_gets_past_it(house: House) -> None:
    await set_mode(house, "open")
    good = await admitted(house)
    corpus = forged(house, good)

    answers = {
        name: await register(house, "ana", good["idempotency_key"], token)
        for name, token in corpus.items()
    }

    assert len(corpus) > 20
    assert {name: a.status_code for name, a in answers.items() if a.status_code != 403} == {}
    codes = {a.json()["code"] for a in answers.values()}
    assert codes == {"admission_refused", "admission_expired"}
    assert await house.statuses() == {}
    passed = await register(house, "ana", good["idempotency_key"], good["admission"])
    assert passed.status_code == 201


async def test_no_forged_foreign_or_old_ticket_has_a_place(house: House) -> None:
    await set_mode(house, "open")
    good = await admitted(house)
    now = datetime.now(UTC)
    old = Ticket("old", house.stop, "k", now, now - timedelta(hours=2))
    corpus = {
        "another stop's": Ticket("a", uuid4(), "k", now, now).sealed(house.tokens.digest),
        "too old": old.sealed(house.tokens.digest),
        "an admission": good["admission"],
        "changed": good["ticket"][:-1] + ("A" if good["ticket"][-1] != "A" else "B"),
        "a session": house.tokens.sign(house.boss, "session", now),
        "nothing like one": "x",
    }

    for name, token in corpus.items():
        answer = await house.client.get(room(house), headers={"Waiting-Room-Ticket": token})
        assert answer.status_code == 403, name
        assert answer.json()["code"] in ("ticket_refused", "ticket_expired"), name
        assert "admission" not in answer.text or "admission_" in answer.text, name


async def test_an_admission_used_again_gives_the_first_answer_and_no_second_place(
    house: House,
) -> None:
    await set_mode(house, "open")
    good = await admitted(house)
    key, admission = good["idempotency_key"], good["admission"]
    first = await register(house, "ana", key, admission)

    again = await register(house, "ana", key, admission)
    other_key = await register(house, "bo", "another", admission)
    other_person = await register(house, "bo", key, admission)
    other_item = await register(house, "bo", key, admission, item="dinner")

    assert first.status_code == 201
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert (other_key.status_code, other_key.json()["code"]) == (403, "admission_refused")
    assert (other_person.status_code, other_person.json()["code"]) == (
        422,
        "idempotency_key_reused",
    )
    assert (other_item.status_code, other_item.json()["code"]) == (403, "admission_used")
    assert set(await house.statuses()) == {"ana"}
    assert await house.statuses("dinner") == {}


async def test_hundreds_with_the_same_admission_are_one_registration(house: House) -> None:
    await set_mode(house, "open")
    good = await admitted(house)

    answers = await asyncio.gather(
        *(
            register(house, f"person{n}", good["idempotency_key"], good["admission"])
            for n in range(100)
        )
    )

    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert len(await house.statuses()) == 1


# ---- Opening and closing ------------------------------------------------------------------------


async def test_a_rush_opens_it_and_calm_closes_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime.now(UTC)
    at = [start]
    monkeypatch.setattr("services.registration.api.registrations.current_time", lambda: at[0])
    monkeypatch.setattr("services.registration.api.waiting_room.current_time", lambda: at[0])
    codes = []
    for tenth in range(0, 16, 5):
        press(house)
        at[0] = start + timedelta(seconds=tenth / 10)
        codes.append((await register(house, f"p{tenth}", f"k{tenth}")).status_code)
    press(house, waiting=0)
    assert (await house.get(room(house))).json()["is_open"] is True
    for second in (2, 40):
        at[0] = start + timedelta(seconds=second)
        told = (await house.get(room(house))).json()

    assert codes == [201, 201, 503, 503]
    assert told["is_open"] is False
    assert (await register(house, "after", "k")).status_code == 201


async def test_who_comes_before_the_opening_is_told_when_that_is(house: House) -> None:
    opens_at = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    for item in house.items.values():
        answer = await house.client.patch(
            f"/api/v1/programme-items/{item}",
            json={"opens_at": opens_at.isoformat()},
            headers=house.headers(house.boss),
        )
        assert answer.status_code == 200, answer.text

    drawn = await draw(house)
    again = await look(house, drawn["ticket"])

    assert (drawn["state"], drawn["of"]) == ("before_opening", 1)
    assert datetime.fromisoformat(drawn["opens_at"]) == opens_at
    assert again["of"] == 1
    assert drawn["admission"] is None


async def test_the_state_is_told_to_everybody_and_set_by_mission_staff_alone(house: House) -> None:
    for who in (None, house.someone("partner_staff"), house.someone("door_staff")):
        headers = house.headers(who)
        answer = await house.client.put(room(house), json={"mode": "open"}, headers=headers)
        assert answer.status_code in (401, 403)
    answer = await house.client.put(
        room(house), json={"mode": "ajar"}, headers=house.headers(house.boss)
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/mode"

    assert (await set_mode(house, "open"))["is_open"] is True
    await draw(house)
    await draw(house)
    told = (await house.get(room(house))).json()
    assert (told["waiting"], told["admitted_per_minute"]) == (1, 1)
    assert (await set_mode(house, "closed"))["is_open"] is False
    rows = await house.rows(
        "SELECT actor_id, details FROM audit_entry WHERE action = 'waiting_room.set' ORDER BY at"
    )
    assert [row["details"]["mode"] for row in rows] == ["open", "closed"]
    assert {row["actor_id"] for row in rows} == {house.boss.subject}


async def test_a_stop_that_is_not_there_has_no_room(house: House) -> None:
    path = f"/api/v1/stops/{UUID(int=1)}/waiting-room"

    assert (await house.get(path)).status_code == 404
    assert (await house.post(path)).status_code == 404
    answer = await house.client.put(path, json={"mode": "open"}, headers=house.headers(house.boss))
    assert answer.status_code == 404


# ---- Limits -------------------------------------------------------------------------------------


@pytest.fixture
def at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time go by for limits: a busy machine takes longer to ask than they take to refill."""
    transport: Any = house.client._transport
    limits = transport.app.state.registration.limits
    for limit in (limits.registrations, limits.tickets):
        monkeypatch.setattr(limit, "_clock", lambda: 0.0)


@pytest.mark.usefixtures("at_once")
async def test_one_address_registers_a_hall_at_once_and_no_more(house: House) -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    answers = [
        await house.client.post(path, json={}, headers={"Idempotency-Key": "k"}) for _ in range(5)
    ]
    assert {answer.status_code for answer in answers} == {422}
    statuses = [(await register(house, f"p{n % 3}", "same key")).status_code for n in range(250)]

    assert statuses[:240].count(429) == 0
    refused = await register(house, "late", "late")
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_requests"
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await house.register("staff", who=house.boss)).status_code == 201


async def test_links_are_asked_for_five_times_an_hour_by_address_and_thirty_by_client(
    house: House,
) -> None:
    def body(name: str) -> dict[str, str]:
        return {"mission_id": str(house.mission), "email": f"{name}@example.com"}

    path = "/api/v1/sessions/requests"
    one = [(await house.post(path, body("ana"))).status_code for _ in range(6)]
    other_letters = await house.post(path, body("ANA"))
    others = [(await house.post(path, body(f"p{n}"))).status_code for n in range(30)]

    assert one == [202] * 5 + [429]
    assert other_letters.status_code == 429
    assert others.count(202) == 30 - 7
    assert others[-1] == 429


@pytest.mark.usefixtures("at_once")
async def test_tickets_are_drawn_by_no_machine(house: House) -> None:
    await set_mode(house, "open")
    statuses = [(await house.post(room(house))).status_code for _ in range(250)]

    assert statuses[:240] == [201] * 240
    assert 429 in statuses[240:]


async def test_a_restart_takes_nobodys_place(house: House) -> None:
    await set_mode(house, "open")
    await admitted(house)
    drawn = [await draw(house) for _ in range(6)]
    tickets = [(await look(house, one["ticket"]))["ticket"] for one in drawn]
    await set_mode(house, "automatic")
    now = datetime.now(UTC)

    def started_anew(at: datetime) -> Waiting:
        return Waiting(house.database, house.rush.queue, house.tokens.digest, Terms(), at)

    waiting = started_anew(now)
    back = [waiting.read(token, house.stop, now) for token in tickets]
    numbers = {}
    for ticket in reversed(back):
        await waiting.look(ticket, now + timedelta(seconds=5))
    for ticket in back:
        standing = await waiting.look(ticket, now + timedelta(seconds=6))
        numbers[ticket.id] = (standing.state, standing.number)

    assert {state for state, _ in numbers.values()} == {State.WAITING}
    assert [number for _, number in numbers.values()] == list(range(1, len(back) + 1))
    # Long after a restart, an old ticket opens nothing.
    late = started_anew(now + timedelta(hours=1))
    assert (await late.look(back[0], now + timedelta(hours=1))).state is State.FREE
