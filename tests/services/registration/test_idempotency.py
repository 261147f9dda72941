import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines

KEY = "made-when-the-form-opened"


async def test_a_registration_without_a_key_is_malformed(house: "House") -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    answer = await house.post(path, house.sign_up("ana"))

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_needed")


async def test_a_key_that_is_empty_or_too_long_is_malformed(house: "House") -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    for key in ("", "k" * 256):
        answer = await house.client.post(
            path, json=house.sign_up("ana"), headers={"Idempotency-Key": key}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_request_sent_again_gets_its_first_answer_and_has_one_effect(
    house: "House",
) -> None:
    first = await house.register("ana", key=KEY)
    # What became of it since does not change the answer.
    await house.decide(first.json()["id"], "cancel")
    again = await house.register("ana", key=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert without_link(again.json()) == without_link(first.json())
    assert await house.places() == (0, 0)


def without_link(answer: dict[str, object]) -> dict[str, object]:
    """The link is made anew each time, because what is stored holds no credential."""
    assert answer["sign_in_path"]
    return {name: value for name, value in answer.items() if name != "sign_in_path"}


async def test_what_is_stored_under_a_key_signs_nobody_in(house: "House") -> None:
    await house.registered("ana", key=KEY)
    (row,) = await house.rows("SELECT answer::text FROM idempotency WHERE key = $1", KEY)
    assert "token" not in row["answer"]


async def test_a_key_used_with_another_body_is_refused(house: "House") -> None:
    await house.registered("ana", key=KEY)
    answer = await house.register("bo", key=KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert await house.statuses() == {"ana": "confirmed"}


async def test_keys_of_different_callers_and_addresses_do_not_meet(house: "House") -> None:
    answers = [
        await house.register("ana", key=KEY),
        await house.register("bo", "dinner", key=KEY),
        await house.register("chen", key=KEY, who=house.boss),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]


async def test_a_twin_is_refused_while_the_first_is_under_way(house: "House") -> None:
    async with house.crossing(1):
        first = asyncio.create_task(house.register("ana", key=KEY))
        await until_it_holds_the_key(house)
        twin = await asyncio.wait_for(house.register("ana", key=KEY), 60)
    answer = await asyncio.wait_for(first, 60)

    assert (twin.status_code, twin.json()["code"]) == (409, "in_progress")
    assert answer.status_code == 201
    assert (await house.register("ana", key=KEY)).headers["Idempotent-Replayed"] == "true"


async def until_it_holds_the_key(house: "House") -> None:
    async with asyncio.timeout(60):
        while not await house.rows(
            "SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = pg_locks.database "
            "WHERE d.datname = current_database() AND locktype = 'advisory' AND granted"
        ):
            await asyncio.sleep(0.02)


async def test_the_row_commits_with_the_effect(house: "House") -> None:
    refused = await house.register("ana", key=KEY, organization={"sectors": ["tea"]})
    assert refused.status_code == 422
    assert await house.rows("SELECT FROM idempotency WHERE key = $1", KEY) == []

    # So the key is still free for the body that was meant.
    assert (await house.register("ana", key=KEY)).status_code == 201
    assert len(await house.rows("SELECT FROM idempotency WHERE key = $1", KEY)) == 1


async def test_planning_takes_keys_too(house: "House", lines: "Lines") -> None:
    staff = {
        "role": "door_staff",
        "full_name": "Sample Door",
        "email": "door@example.com",
        "language": "en",
        "stop_ids": [str(house.stop)],
    }
    partner = {"name": {"en": "Sample Two", "zh": "示例二"}, "kind": "company"}
    for path, body in {
        "/missions": lines.mission,
        f"/missions/{house.mission}/partners": partner,
        f"/missions/{house.mission}/stops": lines.stop,
        f"/stops/{house.stop}/programme-items": lines.item,
        f"/missions/{house.mission}/staff": staff,
    }.items():
        first = await house.post(f"/api/v1{path}", body, house.boss, key=KEY)
        again = await house.post(f"/api/v1{path}", body, house.boss, key=KEY)

        assert (first.status_code, again.status_code) == (201, 201), path
        assert UUID(again.json()["id"]) == UUID(first.json()["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
