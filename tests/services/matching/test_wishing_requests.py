"""Requests over time: superseded, agreed on from both sides, expired, and made by staff."""

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.commands import requesting
from services.matching.domain.requests import VALID, VALID_MAX
from services.matching.store import wishes
from shared.access import Principal
from shared.http import now

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

DAY = timedelta(days=1)


async def request(house: "House", pair: str, who: Principal | None = None, **more: Any) -> Any:
    one, other = pair.split()
    body = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people[one]),
        "counterpart_id": str(house.people[other]),
        **more,
    }
    by = who or house.person(one)
    return await house.ask("POST", "/api/v1/requests", by, body=body, Idempotency_Key=uuid4().hex)


async def answer(house: "House", made: Any, what: str, who: Principal | str) -> Any:
    by = house.person(who) if isinstance(who, str) else who
    return await house.ask("POST", f"/api/v1/requests/{made.json()['id']}/{what}", by)


async def refuse(house: "House", pair: str) -> None:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    no = body | {"kind": "no_thanks"}
    who = house.person(pair.split()[0])
    assert (await house.ask("PUT", "/api/v1/preferences", who, body=no)).status_code == 200


async def seen(house: "House", name: str) -> list[Any]:
    path = f"/requests?stop_id={house.stop}&participant_id={house.people[name]}"
    items: list[Any] = (await house.get(path, house.person(name)))["items"]
    return items


async def over(house: "House", made: Any) -> None:
    """Let the time of a request be up."""
    await house.rows(
        "UPDATE meeting_request SET expires_at = now() - interval '1 second' WHERE id = $1",
        UUID(made.json()["id"]),
    )


async def test_a_message_is_kept_as_it_was_typed_in_both_languages(house: "House") -> None:
    message = "We build cells.\n我们生产电芯，期待与贵方洽谈。"
    made = (await request(house, "dora lin", message=message)).json()

    assert made["message"] == message
    assert [one["message"] for one in await seen(house, "lin")] == [message]


async def test_a_new_request_supersedes_the_one_that_waits(house: "House") -> None:
    first = await request(house, "dora lin", message="First")
    second = await request(house, "dora lin", message="Second")

    assert (first.status_code, second.status_code) == (201, 201)
    states = {one["id"]: one["status"] for one in await seen(house, "lin")}
    assert states == {first.json()["id"]: "superseded", second.json()["id"]: "pending"}
    late = await answer(house, first, "accept", "lin")
    assert (late.status_code, late.json()["code"]) == (409, "illegal_state")
    assert (await answer(house, second, "accept", "lin")).json()["status"] == "accepted"
    assert await house.told(UUID(first.json()["id"])) == ["request.submitted", "request.superseded"]


async def test_a_request_the_other_way_round_accepts_the_one_that_waits(house: "House") -> None:
    first = await request(house, "dora lin", message="We offer")
    other = await request(house, "lin dora", message="我们需要")

    assert (other.status_code, other.json()["status"]) == (200, "accepted")
    assert other.json()["id"] == first.json()["id"]
    assert (other.json()["message"], other.json()["reply"]) == ("We offer", "我们需要")
    assert await house.told(UUID(first.json()["id"])) == ["request.submitted", "request.accepted"]
    for pair in ("dora lin", "lin dora"):
        again = await request(house, pair)
        assert (again.status_code, again.json()["code"]) == (409, "already_requested")


async def test_of_requests_made_at_once_one_is_open_and_both_want_it(house: "House") -> None:
    pairs = ["dora lin", "lin dora", "dora lin", "lin dora"]
    async with asyncio.timeout(60):
        made = await asyncio.gather(*(request(house, pair) for pair in pairs))

    assert {one.status_code for one in made} <= {200, 201, 409}
    rows = await house.rows("SELECT status FROM meeting_request WHERE status <> 'superseded'")
    assert [row["status"] for row in rows] == ["accepted"]


async def test_a_request_waits_a_week_unless_it_says_something_else(house: "House") -> None:
    before = now()
    usual = (await request(house, "dora lin")).json()["expires_at"]
    wanted = (before + 3 * DAY).isoformat()
    special = (await request(house, "dora luo", expires_at=wanted)).json()["expires_at"]

    (row,) = await house.rows(
        "SELECT $1::timestamptz - $2 AS usual, $3::timestamptz - $2 AS special",
        *(now().fromisoformat(usual), before, now().fromisoformat(special)),
    )
    assert VALID <= row["usual"] < VALID + DAY
    assert row["special"] == 3 * DAY


@pytest.mark.parametrize("after", [timedelta(), -DAY, VALID_MAX + DAY])
async def test_an_expiry_in_the_past_or_too_far_away_is_named(
    house: "House", after: timedelta
) -> None:
    refused = await request(house, "dora lin", expires_at=(now() + after).isoformat())

    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/expires_at"]
    assert await house.rows("SELECT FROM meeting_request") == []


async def test_what_is_over_is_never_accepted_swept_or_not(house: "House") -> None:
    made = await request(house, "dora lin")
    await over(house, made)

    assert [one["status"] for one in await seen(house, "dora")] == ["expired"]
    for what, who in (("accept", "lin"), ("decline", "lin"), ("cancel", "dora")):
        late = await answer(house, made, what, who)
        assert (late.status_code, late.json()["code"]) == (409, "expired")
    assert await requesting.expire(house.database, now()) == 1
    assert await requesting.expire(house.database, now()) == 0
    late = await answer(house, made, "accept", "lin")
    assert (late.status_code, late.json()["code"]) == (409, "illegal_state")
    assert await house.told(UUID(made.json()["id"])) == ["request.submitted", "request.expired"]


async def test_requests_whose_time_is_not_up_are_left_alone(house: "House") -> None:
    made = await request(house, "dora lin")

    assert await requesting.expire(house.database, now() + VALID - DAY) == 0
    assert (await answer(house, made, "accept", "lin")).status_code == 200
    assert await requesting.expire(house.database, now() + 2 * VALID) == 0


@pytest.mark.parametrize("pair", ["dora lin", "lin dora"])
async def test_after_one_that_expired_either_may_ask_anew(house: "House", pair: str) -> None:
    made = await request(house, "dora lin")
    await over(house, made)
    again = await request(house, pair)

    assert (again.status_code, again.json()["status"]) == (201, "pending")
    assert (await house.told(UUID(made.json()["id"])))[-1] == "request.expired"


async def test_an_answer_and_the_sweeper_at_once_end_in_one_state(house: "House") -> None:
    made = await request(house, "dora lin")
    async with asyncio.timeout(60):
        answered, count = await asyncio.gather(
            answer(house, made, "accept", "lin"),
            requesting.expire(house.database, now() + 2 * VALID),
        )

    told = await house.told(UUID(made.json()["id"]))
    assert told == ["request.submitted", "request.expired" if count else "request.accepted"]
    assert (answered.status_code == 200) == (count == 0)


async def test_who_said_no_neither_asks_nor_accepts(house: "House") -> None:
    made = await request(house, "dora lin")
    await refuse(house, "lin dora")

    accepted = await answer(house, made, "accept", "lin")
    asked = await request(house, "lin dora")
    for refused in (accepted, asked):
        assert (refused.status_code, refused.json()["code"]) == (409, "final")
    # To the other side it is a request that waits, and then one that nobody answered.
    assert [one["status"] for one in await seen(house, "dora")] == ["pending"]
    await over(house, made)
    assert [one["status"] for one in await seen(house, "dora")] == ["expired"]


async def test_staff_asks_and_answers_for_those_who_never_sign_in(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    made = await request(house, "liu dora", partner)
    shown = made.json()
    assert (shown["asked_by"], shown["asked_role"]) == (str(partner.subject), "partner_staff")
    assert (shown["origin"], shown["on_behalf_of"]) == ("organizer", str(house.people["liu"]))

    # The partner speaks for its own invitee, not for the delegate who was asked.
    assert (await answer(house, made, "accept", partner)).status_code == 403
    boss = house.boss
    agreed = (await answer(house, made, "accept", boss)).json()
    assert (agreed["status"], agreed["answered_by"], agreed["answered_role"]) == (
        "accepted",
        str(boss.subject),
        "mission_staff",
    )
    assert [one["answered_role"] for one in await seen(house, "dora")] == ["mission_staff"]
    async with house.database.reading() as connection:
        stated = await wishes.of_stop(connection, house.stop)
    assert stated.worth(house.people["liu"], house.people["dora"]) > 0


async def test_a_partner_answers_for_its_own_invitee_alone(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    own = await request(house, "dora liu")
    other = await request(house, "dora lin")

    assert (await answer(house, own, "decline", partner)).json()["status"] == "declined"
    assert (await answer(house, other, "decline", partner)).status_code == 403
    assert (await request(house, "lin dave", partner)).status_code == 403


@pytest.mark.parametrize(
    ("is_recommended", "by", "origin"),
    [
        (True, "dora", "recommendation"),
        (False, "dora", "participant"),
        # Who asked for somebody else is told first.
        (True, "staff", "organizer"),
    ],
)
async def test_a_request_says_whether_it_follows_a_recommendation(
    house: "House", is_recommended: bool, by: str, origin: str
) -> None:
    who = house.boss if by == "staff" else house.person(by)
    made = await request(house, "dora lin", who, is_recommended=is_recommended)
    agreed = await answer(house, made, "accept", "lin")

    assert (made.json()["origin"], agreed.json()["origin"]) == (origin, origin)
    told = await house.rows("SELECT payload FROM outbox WHERE type LIKE 'matching.request.%'")
    assert [json.loads(row["payload"])["origin"] for row in told] == [origin, origin]
