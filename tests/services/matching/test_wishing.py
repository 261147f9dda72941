import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from shared.access import Principal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.services.matching.conftest import House


def about(house: "House", pair: str, **more: Any) -> dict[str, Any]:
    one, other = (str(house.people[name]) for name in pair.split())
    ids = {"participant_id": one, "counterpart_id": other}
    return {"stop_id": str(house.stop), **ids, **more}


async def state(house: "House", pair: str, kind: str, who: Principal | None = None) -> Any:
    body = about(house, pair, kind=kind)
    return await house.ask("PUT", "/api/v1/preferences", who, body=body)


async def request(house: "House", pair: str, **more: Any) -> Any:
    who = house.person(pair.split()[0])
    key = more.pop("key", uuid4().hex)
    body = about(house, pair, **more)
    return await house.ask("POST", "/api/v1/requests", who, body=body, Idempotency_Key=key)


async def answer(house: "House", request_id: str, what: str, name: str) -> Any:
    path = f"/api/v1/requests/{request_id}/{what}"
    return await house.ask("POST", path, house.person(name))


def of(house: "House", what: str, name: str) -> str:
    return f"/{what}?stop_id={house.stop}&participant_id={house.people[name]}"


async def test_a_preference_is_stated_changed_and_read_back(house: "House") -> None:
    dora = house.person("dora")
    by = {"stated_by": str(dora.subject), "stated_role": "delegate", "on_behalf_of": None}
    for kind in ("meet", "must_meet", "must_meet"):
        said = await state(house, "dora lin", kind, dora)
        shown = about(house, "dora lin", kind=kind, again=False, **by)
        assert (said.status_code, said.json()) == (200, shown)

    found = (await house.get(of(house, "preferences", "dora"), dora))["items"]
    assert found == [about(house, "dora lin", kind="must_meet", again=False, **by)]


async def test_what_staff_states_for_somebody_says_who_did(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    said = (await state(house, "liu dora", "must_meet", partner)).json()
    (seen,) = (await house.get(of(house, "preferences", "liu"), house.person("liu")))["items"]

    assert said == seen
    assert (seen["stated_by"], seen["stated_role"]) == (str(partner.subject), "partner_staff")
    assert seen["on_behalf_of"] == str(house.people["liu"])
    # Whoever never signs in may still do so, and say it oneself.
    (await state(house, "liu dora", "meet", house.person("liu"))).raise_for_status()
    (seen,) = (await house.get(of(house, "preferences", "liu")))["items"]
    assert (seen["kind"], seen["on_behalf_of"]) == ("meet", None)


async def test_a_no_is_final_and_may_be_repeated(house: "House") -> None:
    await state(house, "dora lin", "meet")
    for kind, status in (("no_thanks", 200), ("no_thanks", 200), ("meet", 409), ("must_meet", 409)):
        said = await state(house, "dora lin", kind)
        assert said.status_code == status
        assert status == 200 or said.json()["code"] == "final"
    (kept,) = (await house.get(of(house, "preferences", "dora")))["items"]
    assert kept["kind"] == "no_thanks"


async def test_a_no_said_at_once_with_other_things_has_the_last_word(house: "House") -> None:
    kinds = ["meet", "no_thanks", "must_meet", "meet", "no_thanks"]
    async with asyncio.timeout(60):
        said = await asyncio.gather(*(state(house, "dora lin", kind) for kind in kinds))

    for kind, one in zip(kinds, said, strict=True):
        assert one.status_code == 200 or (kind, one.json()["code"]) != ("no_thanks", "final")
    (kept,) = (await house.get(of(house, "preferences", "dora")))["items"]
    assert kept["kind"] == "no_thanks"


async def test_what_the_other_side_states_is_read_nowhere(house: "House") -> None:
    dora, lin = house.person("dora"), house.person("lin")
    before = await house.get(of(house, "recommendations", "dora"), dora)
    assert (await state(house, "lin dora", "no_thanks", lin)).status_code == 200

    assert (await house.get(of(house, "preferences", "dora"), dora))["items"] == []
    assert (
        await house.ask("GET", f"/api/v1{of(house, 'preferences', 'lin')}", dora)
    ).status_code == 403
    # A gap in the list would tell, and so would a request that is refused.
    assert await house.get(of(house, "recommendations", "dora"), dora) == before
    assert (await request(house, "dora lin")).status_code == 201
    assert not [
        row
        for row in await house.rows("SELECT payload FROM outbox")
        if b"no_thanks" in row["payload"]
    ]


async def test_whom_one_refused_is_recommended_no_more(house: "House") -> None:
    dora = house.person("dora")
    before = (await house.get(of(house, "recommendations", "dora"), dora))["items"]
    assert before[0]["counterpart_id"] in {str(house.people[n]) for n in ("lin", "liu")}
    await state(house, "dora lin", "no_thanks", dora)
    after = (await house.get(of(house, "recommendations", "dora"), dora))["items"]

    assert after == [one for one in before if one["counterpart_id"] != str(house.people["lin"])]
    assert len(after) == len(before) - 1


async def test_a_recommendation_names_the_company_and_reasons_in_both_languages(
    house: "House",
) -> None:
    (first, *_) = (await house.get(of(house, "recommendations", "luo") + "&limit=1"))["items"]

    assert first["counterpart_id"] == str(house.people["dave"])
    assert first["organization"] == "Sample Dave Co."
    assert {"code", "en", "zh"} == set(first["reasons"][0])
    assert (first["reasons"][0]["code"], first["needs_interpreter"]) == ("they_offer", False)
    assert "氢能" in first["reasons"][0]["zh"]


async def test_who_lists_nothing_is_recommended_to_nobody_and_sees_others(house: "House") -> None:
    await house.hear((house.confirmed("lin", listings=()), 2))
    seen = (await house.get(of(house, "recommendations", "dora")))["items"]

    assert str(house.people["lin"]) not in {one["counterpart_id"] for one in seen}
    assert len((await house.get(of(house, "recommendations", "lin")))["items"]) == 2


async def test_who_meets_at_another_stop_is_recommended_no_more(
    house: "House", away: "Callable[[House, str], Awaitable[UUID]]"
) -> None:
    await away(house, "dave luo")
    seen = (await house.get(of(house, "recommendations", "luo")))["items"]

    assert [one["counterpart_id"] for one in seen] == [str(house.people["dora"])]


@pytest.mark.parametrize("what", ["preferences", "requests"])
async def test_wishes_are_between_two_known_people_of_two_sides(house: "House", what: str) -> None:
    async def send(pair: str) -> Any:
        return await (state(house, pair, "meet") if what == "preferences" else request(house, pair))

    house.people["nobody"] = uuid4()
    same = await send("lin luo")
    assert (same.status_code, same.json()["errors"][0]["pointer"]) == (422, "/counterpart_id")
    assert (await send("lin lin")).status_code == 422
    assert (await send("dora nobody")).status_code == 404
    house.stop = uuid4()
    assert (await send("dora lin")).status_code == 404


async def test_a_request_is_made_once_a_key(house: "House") -> None:
    first = await request(house, "dora lin", message="Sample", key="k")
    again = await request(house, "dora lin", message="Sample", key="k")
    other_body = await request(house, "dora lin", message="Other", key="k")

    assert (first.status_code, first.json()["status"]) == (201, "pending")
    assert again.json() == first.json()
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency_key_reused")
    for name in ("dora", "lin"):
        found = (await house.get(of(house, "requests", name), house.person(name)))["items"]
        assert found == [first.json()]
    body = about(house, "dora liu")
    keyless = await house.ask("POST", "/api/v1/requests", house.person("dora"), body=body)
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_needed")


@pytest.mark.parametrize(
    ("what", "who", "wrong", "status"),
    [
        ("accept", "lin", "dora", "accepted"),
        ("decline", "lin", "dora", "declined"),
        ("cancel", "dora", "lin", "cancelled"),
    ],
)
async def test_a_request_is_answered_by_whom_it_concerns(
    house: "House", what: str, who: str, wrong: str, status: str
) -> None:
    request_id = (await request(house, "dora lin")).json()["id"]

    assert (await answer(house, request_id, what, wrong)).status_code == 403
    assert (await answer(house, request_id, what, "luo")).status_code == 403
    answered = await answer(house, request_id, what, who)
    assert (answered.status_code, answered.json()["status"]) == (200, status)
    assert answered.json()["answered_at"].endswith("Z")
    again = await answer(house, request_id, what, who)
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")
    assert (await answer(house, str(uuid4()), what, who)).status_code == 404


async def test_after_a_decline_the_pair_may_ask_again(house: "House") -> None:
    request_id = (await request(house, "dora lin")).json()["id"]
    await answer(house, request_id, "decline", "lin")

    assert (await request(house, "lin dora")).status_code == 201


async def test_a_pending_request_blocks_nothing_and_an_accepted_one_counts(
    house: "House",
) -> None:
    from services.matching.store import wishes

    async def worth() -> int:
        async with house.database.reading() as connection:
            stated = await wishes.of_stop(connection, house.stop)
        return stated.worth(house.people["dora"], house.people["lin"])

    request_id = (await request(house, "dora lin")).json()["id"]
    assert await worth() == 0
    await answer(house, request_id, "accept", "lin")
    assert await worth() > 0
    assert await house.rows("SELECT FROM booking") == []
    await answer(house, request_id, "cancel", "dora")
    assert await worth() == 0


async def test_a_partner_speaks_for_its_own_people_alone(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)

    assert (await state(house, "liu dora", "meet", partner)).status_code == 200
    assert (await state(house, "lin dora", "meet", partner)).status_code == 403
    assert json.dumps(await house.get(of(house, "preferences", "liu"), partner)).count("meet") == 1


@pytest.mark.parametrize("message", ["x" * 1_001, "Sample\0"])
async def test_a_message_that_cannot_be_kept_is_refused(house: "House", message: str) -> None:
    assert (await request(house, "dora lin", message=message)).status_code == 422
    assert await house.rows("SELECT FROM meeting_request") == []
