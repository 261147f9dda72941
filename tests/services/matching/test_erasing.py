"""What is left of a person in matching once registration has forgotten him or her."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.matching.commands.erasing import MESSAGES_KEPT, sweep
from services.matching.store.people import ABOUT
from services.registration.domain.retention import BY_CODE
from shared.access import Principal
from shared.events import registration as r

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

NOW = datetime(2023, 11, 20, tzinfo=UTC)

SECRET = "Ask for Canary Zhang 金丝雀"


def erased(house: "House", name: str) -> r.PersonErased:
    return r.PersonErased(person_id=house.people[name], mission_id=house.mission, erased_at=NOW)


async def asked(house: "House", one: str, other: str) -> UUID:
    answer = await house.ask(
        "POST",
        "/api/v1/requests",
        body={
            "stop_id": str(house.stop),
            "participant_id": str(house.people[one]),
            "counterpart_id": str(house.people[other]),
            "message": SECRET,
        },
        Idempotency_Key=f"{one} {other}",
    )
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def recommended(house: "House", name: str) -> set[str]:
    path = f"/recommendations?stop_id={house.stop}&participant_id={house.people[name]}"
    found = {item["counterpart_id"] for item in (await house.get(path))["items"]}
    return {name for name, person in house.people.items() if str(person) in found}


async def dump(house: "House") -> str:
    tables = await house.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        row
        for table in tables
        for row in await house.rows(f"SELECT to_jsonb(t)::text FROM {table['tablename']} AS t")  # noqa: S608
    ]
    return "\n".join(row[0] for row in rows)


async def test_who_is_erased_has_no_meeting_to_come_and_both_sides_hear_of_it(
    house: "House",
) -> None:
    await house.day()
    meeting = await house.meeting("dora lin")

    await house.hear((erased(house, "lin"), 9))

    states = await house.states()
    assert states["dora lin"] == "cancelled"
    assert states["dora liu"] == "scheduled"
    assert (await house.told(meeting))[-1] == "meeting.cancelled"
    assert not await house.rows("SELECT FROM booking WHERE resource_id = $1", house.people["lin"])


async def test_a_meeting_that_took_place_stays_a_fact(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    for revision, command in ((1, "start"), (2, "finish")):
        assert (await house.order(meeting, command, revision)).status_code == 200

    await house.hear((erased(house, "lin"), 9))

    assert (await house.states())["dora lin"] == "completed"


async def test_what_was_written_and_wished_is_gone_and_requests_are_not_open(
    house: "House",
) -> None:
    await asked(house, "dora", "lin")
    await asked(house, "lin", "dave")
    await asked(house, "dora", "luo")
    answer = await house.ask(
        "PUT",
        "/api/v1/preferences",
        body={
            "stop_id": str(house.stop),
            "participant_id": str(house.people["lin"]),
            "counterpart_id": str(house.people["dora"]),
            "kind": "no_thanks",
        },
    )
    assert answer.status_code == 200, answer.text

    await house.hear((erased(house, "lin"), 9))

    rows = await house.rows("SELECT status, message FROM meeting_request ORDER BY requested_at")
    assert [(row["status"], row["message"]) for row in rows] == [
        ("cancelled", None),
        ("cancelled", None),
        ("pending", SECRET),
    ]
    assert not await house.rows("SELECT FROM preference")
    # In the row of the request that stays, and in the answer that was given to it.
    assert (await dump(house)).count("金丝雀") == 2


async def test_erasing_twice_and_an_old_event_afterwards_change_nothing(house: "House") -> None:
    await house.day()
    await house.hear((erased(house, "lin"), 9))
    before = await dump(house)

    await house.hear((erased(house, "lin"), 9), (house.confirmed("lin"), 8))

    (row,) = await house.rows(
        "SELECT listings, languages, version FROM participant WHERE id = $1", house.people["lin"]
    )
    assert (row["listings"], row["languages"], row["version"]) == ([], [], 9)
    assert before.count("cancelled") == (await dump(house)).count("cancelled")


async def test_a_session_of_somebody_erased_opens_nothing(house: "House") -> None:
    lin = house.person("lin")
    path = f"/api/v1/preferences?stop_id={house.stop}&participant_id={lin.subject}"
    assert (await house.ask("GET", path, lin)).status_code == 200

    await house.hear((erased(house, "lin"), 9))

    answer = await house.ask("GET", path, lin)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed")


def withdrawn(house: "House", name: str, **facts: Any) -> r.ConsentRevoked:
    given = {"purpose": "cross_border_transfer", "is_cross_border": True, **facts}
    return r.ConsentRevoked(person_id=house.people[name], mission_id=house.mission, **given)


async def test_who_withdraws_is_not_shown_to_the_other_side_until_agreeing_again(
    house: "House",
) -> None:
    assert await recommended(house, "dora") == {"lin", "luo", "liu"}

    await house.hear((withdrawn(house, "lin"), 5))
    assert await recommended(house, "dora") == {"luo", "liu"}
    assert await recommended(house, "lin") != set()

    again = r.ConsentGranted(**withdrawn(house, "lin").model_dump())
    await house.hear((again, 6), (withdrawn(house, "lin"), 5))
    assert await recommended(house, "dora") == {"lin", "luo", "liu"}


async def test_another_purpose_changes_nothing_here(house: "House") -> None:
    await house.hear((withdrawn(house, "lin", purpose="photos", is_cross_border=False), 5))

    assert "lin" in await recommended(house, "dora")


async def test_registration_is_given_all_that_is_held_and_nobody_else_is(house: "House") -> None:
    await house.day()
    await asked(house, "lin", "dave")
    path = f"/internal/matching/people/{house.people['lin']}"
    service = Principal("service", UUID(int=0))

    found = (await house.ask("GET", path, service)).json()

    assert set(found) == {
        "participant", "participation", "meeting_request", "meeting", "booking"
    }  # fmt: skip
    assert found["meeting_request"][0]["message"] == SECRET
    assert (await house.ask("GET", path, house.boss)).status_code == 403


async def test_every_table_that_names_a_person_is_looked_at(house: "House") -> None:
    """By the names that columns with a person's id have here."""
    rows = await house.rows(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND column_name IN ('person_id', 'participant_id', 'counterpart_id', 'delegate_id', "
        "'local_id', 'interpreter_id', 'resource_id')"
    )

    assert {row["table_name"] for row in rows} <= {table for table, _ in ABOUT}


async def test_what_was_written_with_a_request_is_kept_for_as_long_as_registration_says(
    house: "House",
) -> None:
    await asked(house, "dora", "lin")
    (row,) = await house.rows("SELECT requested_at FROM meeting_request")
    over = row["requested_at"] + MESSAGES_KEPT

    assert await sweep(house.database, over) == 0
    assert await sweep(house.database, over + timedelta(seconds=1)) == 1
    assert await sweep(house.database, over + timedelta(seconds=1)) == 0
    assert MESSAGES_KEPT.days == BY_CODE["request_messages"].days
