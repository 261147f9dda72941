"""One person: all that is held is given out, and all of it is forgotten."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.registration.store import privacy as store
from shared.access import Principal
from shared.http import SESSION_COOKIE

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

NAME, NATIVE, ADDRESS = "Canary Zhang", "张金丝雀", "canary@example.com"
TRACES = (NAME, NATIVE, ADDRESS, "canary", "金丝雀", "138 0013 8000", "Chief Canary Officer")

KEPT = {
    "audit_entry": "ids alone",
    "bulk_row": "ids alone",
    "consent": "ids alone: the proof of what was agreed to",
    "organization_move": "ids alone",
}

LATER = {
    "slug": "later",
    "kind": "reception",
    "title": {"en": "Reception", "zh": "酒会"},
    "starts_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
    "ends_at": (datetime.now(UTC) + timedelta(days=2, hours=2)).isoformat(),
    "capacity": 1,
}


async def canary(house: "House", item: str = "talks") -> dict[str, Any]:
    content = await house.registered(
        "canary",
        item,
        person={
            "full_name": NAME,
            "native_name": NATIVE,
            "email": ADDRESS,
            "position": {"en": "Chief Canary Officer", "zh": "首席金丝雀"},
        },
        organization={"name": "Sample Wind Co.", "native_name": "样例风电"},
        listings=[
            {"kind": "offer", "sector": "batteries", "text": {"en": "Call 138 0013 8000"}},
        ],
    )
    # Straight into the table: which questions there are is the business of other tests.
    await house.rows(
        "UPDATE registration SET answers = $2 WHERE id = $1 RETURNING id",
        UUID(content["id"]),
        {"diet": "canary seeds, 138 0013 8000"},
    )
    return content


async def dump(house: "House") -> str:
    """Write every row of every table but those whose content is the business of another test."""
    tables = await house.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'outbox'"
    )
    rows = [
        row
        for table in tables
        for row in await house.rows(f"SELECT to_jsonb(t)::text FROM {table['tablename']} AS t")  # noqa: S608
    ]
    return "\n".join(row[0] for row in rows)


async def erase(house: "House", person_id: object, who: Principal) -> Any:
    return await house.post(f"/api/v1/people/{person_id}/erase", None, who)


async def later(house: "House") -> None:
    house.items["later"] = await house.made(f"/stops/{house.stop}/programme-items", LATER)


async def test_a_person_is_given_everything_from_every_table(house: "House") -> None:
    who = house.person(await canary(house))

    answer = await house.get(f"/api/v1/people/{who.subject}/data", who)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert set(found["registration"]) >= {
        "person", "organization", "listing", "registration", "consent"
    }  # fmt: skip
    assert found["registration"]["person"][0]["native_name"] == NATIVE
    assert found["registration"]["registration"][0]["answers"]["diet"].startswith("canary")
    # Nobody answers at the address of the other two here.
    assert found["missing"] == ["matching", "notify"]


async def test_giving_it_out_is_on_the_record_with_who_asked(house: "House") -> None:
    who = house.person(await canary(house))
    await house.get(f"/api/v1/people/{who.subject}/data", house.boss)

    (row,) = await house.rows("SELECT * FROM audit_entry WHERE action = 'person.exported'")
    assert (row["actor_id"], row["subject_id"]) == (house.boss.subject, who.subject)


async def test_only_oneself_and_the_missions_staff_may_see_or_erase(house: "House") -> None:
    who = house.person(await canary(house))
    other = house.person(await house.registered("bo"))
    foreign = house.someone("mission_staff", mission_id=uuid4())

    for stranger in (other, foreign, house.someone("partner_staff"), house.someone("door_staff")):
        path = f"/api/v1/people/{who.subject}"
        assert (await house.get(f"{path}/data", stranger)).status_code == 403
        assert (await erase(house, who.subject, stranger)).status_code == 403
    assert (await house.get(f"/api/v1/people/{uuid4()}/data", house.boss)).status_code == 404
    assert NATIVE in await dump(house)


async def test_nothing_that_says_who_it_was_is_left_in_any_row(house: "House") -> None:
    who = house.person(await canary(house))
    before = await dump(house)
    assert all(trace in before for trace in TRACES)

    assert (await erase(house, who.subject, who)).status_code == 200

    after = await dump(house)
    assert [trace for trace in TRACES if trace in after] == []
    # What happened is counted.
    assert await house.statuses() == {f"erased:{who.subject}": "confirmed"}
    assert "Sample Wind Co." in after


async def test_a_colleague_keeps_what_the_company_says(house: "House") -> None:
    who = house.person(await canary(house))
    await house.registered(
        "bo", organization={"name": "Sample Wind Co.", "native_name": "样例风电"}
    )

    await erase(house, who.subject, house.boss)

    assert len(await house.rows("SELECT FROM listing")) == 1


async def test_erasing_cancels_what_is_to_come_and_lets_the_next_one_in(house: "House") -> None:
    await later(house)
    who = house.person(await canary(house, "later"))
    await house.registered("bo", "later")

    await erase(house, who.subject, who)

    rows = await house.rows("SELECT status FROM registration ORDER BY rank")
    assert [row["status"] for row in rows] == ["cancelled", "confirmed"]
    assert (await house.told(who.subject))[-2:] == ["participant.cancelled", "person.erased"]


async def test_the_event_has_ids_and_a_time_alone(house: "House") -> None:
    who = house.person(await canary(house))
    await erase(house, who.subject, house.boss)

    (row,) = await house.rows("SELECT payload FROM outbox WHERE type LIKE '%.erased.%'")
    content = json.loads(row["payload"])
    assert set(content) == {"person_id", "mission_id", "erased_at"}


async def test_again_changes_nothing_and_tells_nobody(house: "House") -> None:
    who = house.person(await canary(house))
    first = await erase(house, who.subject, house.boss)
    second = await erase(house, who.subject, house.boss)

    assert first.json() == second.json()
    assert (await house.told(who.subject)).count("person.erased") == 1
    assert len(await house.rows("SELECT FROM audit_entry WHERE action = 'person.erased'")) == 1


async def test_a_failure_in_the_middle_leaves_all_of_it(house: "House") -> None:
    await later(house)
    who = house.person(await canary(house, "later"))
    before = await dump(house)
    (row,) = await house.rows("SELECT version FROM person WHERE id = $1", who.subject)
    # The event's place is taken: the last statement of the transaction fails.
    await house.rows(
        "INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, correlation_id, "
        "payload) VALUES ($1, 'x', $2, $3, 'x', now(), 'x', '') RETURNING id",
        uuid4(),
        who.subject,
        row["version"] + 2,
    )

    assert (await erase(house, who.subject, who)).status_code == 500

    assert await dump(house) == before


async def test_a_session_and_a_link_of_somebody_erased_open_nothing(house: "House") -> None:
    content = await canary(house)
    who = house.person(content)
    path = f"/api/v1/people/{who.subject}/consents"
    assert (await house.get(path, who)).status_code == 200

    await erase(house, who.subject, house.boss)

    assert (await house.get(path, who)).status_code == 401
    link = content["sign_in_path"].partition("token=")[2]
    assert (await house.post("/api/v1/sessions", {"token": link})).status_code == 401
    answer = await house.get(
        f"/internal/contacts?ids={who.subject}", Principal("service", UUID(int=0))
    )
    assert answer.json() == {"items": []}


async def test_the_rushed_path_does_not_know_somebody_erased_either(house: "House") -> None:
    staff = await house.made(
        f"/missions/{house.mission}/staff",
        {
            "role": "mission_staff",
            "full_name": "Sample Staff",
            "email": "staff@example.com",
            "language": "en",
            "stop_ids": [],
        },
    )
    who = house.someone("mission_staff", subject=staff)
    assert (await house.register("ana", who=who, source="import")).status_code == 201

    await erase(house, staff, house.boss)

    assert (await house.register("bo", who=who, source="import")).status_code == 401


async def test_a_browser_of_somebody_erased_is_signed_out_and_sees_public_pages(
    house: "House",
) -> None:
    who = house.person(await canary(house))
    await erase(house, who.subject, house.boss)

    answer = await house.client.get("/missions/sample", headers=house.browser(who))
    assert (answer.status_code, answer.headers["location"]) == (303, "/missions/sample")
    assert answer.headers["set-cookie"].startswith(f"{SESSION_COOKIE}=;")
    answer = await house.send("/my/privacy/erase", {"sure": "yes"}, who)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_the_address_may_register_again_as_somebody_new(house: "House") -> None:
    first = await canary(house)
    await erase(house, first["participant_id"], house.boss)

    second = await canary(house)

    assert second["participant_id"] != first["participant_id"]


async def test_nobody_is_sent_a_link_who_was_erased(house: "House") -> None:
    first = await canary(house)
    await erase(house, first["participant_id"], house.boss)

    body = {"mission_id": str(house.mission), "email": ADDRESS}
    assert (await house.post("/api/v1/sessions/requests", body)).status_code == 202
    assert "sign_in.requested" not in await house.told()


async def test_every_table_about_people_says_what_erasing_does_to_it(house: "House") -> None:
    """A new table that refers to a person belongs into ERASING, or here with a reason."""
    async with house.database.reading() as connection:
        about = {table for table, _ in await store.tables_about(connection, "person")}
        about |= {table for table, _ in await store.tables_about(connection, "registration")}

    assert about - store.ERASING.keys() - KEPT.keys() == set()


@pytest.mark.parametrize("leak", ["position", "answers"])
async def test_the_search_for_traces_is_proven_by_an_erasing_that_forgets_one(
    house: "House", leak: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = house.person(await canary(house))
    if leak == "answers":
        monkeypatch.setattr(
            store, "ERASING", {k: v for k, v in store.ERASING.items() if k != "registration"}
        )
    else:
        monkeypatch.setattr(store, "_FORGET", store._FORGET.replace("position = NULL,", ""))

    await erase(house, who.subject, who)

    after = await dump(house)
    assert [trace for trace in TRACES if trace in after] != []


async def test_the_page_shows_what_follows_and_does_it(house: "House") -> None:
    await later(house)
    who = house.person(await canary(house, "later"))

    page = await house.page("/my/privacy", who)
    assert "Your registrations to come are cancelled" in page
    assert "Reception" in page
    chinese = await house.page("/my/privacy", who, lang="zh")
    assert "我的隐私" in chinese

    await house.send("/my/privacy/consents/cross_border_transfer/withdraw", {}, who)
    assert "Taken back" in await house.page("/my/privacy", who)
    await house.send("/my/privacy/consents/cross_border_transfer", {"version": "2026-11"}, who)
    assert "Taken back" not in await house.page("/my/privacy", who)

    unsure = await house.send("/my/privacy/erase", {}, who)
    assert unsure.status_code == 400
    done = await house.send("/my/privacy/erase", {"sure": "yes"}, who)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert NATIVE not in await dump(house)


async def test_what_is_held_can_be_read_and_taken_away(house: "House") -> None:
    who = house.person(await canary(house))

    for path, reader in (
        ("/my/privacy/data", who),
        (f"/desk/people/{who.subject}/privacy", house.boss),
    ):
        page = await house.page(path, reader)
        assert NATIVE in page
        assert "This is not everything: matching, notify" in page
    for path, reader in (
        ("/my/privacy/data.json", who),
        (f"/desk/people/{who.subject}/privacy.json", house.boss),
    ):
        answer = await house.client.get(path, headers=house.browser(reader))
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.json()["registration"]["person"][0]["full_name"] == NAME
    other = house.person(await house.registered("bo"))
    await house.page(f"/desk/people/{who.subject}/privacy", other, status=403)


async def test_the_audit_trail_keeps_ids_that_lead_to_nobody(house: "House") -> None:
    who = house.person(await canary(house))
    await erase(house, who.subject, house.boss)

    rows = await house.rows(
        "SELECT action, details FROM audit_entry WHERE subject_id = $1", who.subject
    )
    assert "person.erased" in [row["action"] for row in rows]
    with pytest.raises(asyncpg.RestrictViolationError):
        await house.rows("UPDATE audit_entry SET action = 'x.y' RETURNING id")
