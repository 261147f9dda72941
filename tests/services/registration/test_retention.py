"""What is kept goes when its time has come, and nothing goes before."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.registration.commands.retention import Sweeper
from services.registration.domain import retention as domain
from services.registration.domain.retention import BY_CODE, RULES
from services.registration.store import privacy
from services.registration.store import retention as store

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

ENDS_ON = date(2023, 11, 11)


def due(code: str, days: int | None = None) -> datetime:
    rule = BY_CODE[code]
    return rule.due(ENDS_ON, rule.days if days is None else days)


async def answered(house: "House", name: str) -> None:
    content = await house.registered(name)
    # Straight into the table: which questions there are is the business of other tests.
    await house.rows(
        "UPDATE registration SET answers = $2 WHERE id = $1 RETURNING id",
        UUID(content["id"]),
        {"diet": "vegetarian"},
    )


async def sweep(house: "House", at: datetime) -> dict[str, int]:
    found = await Sweeper(house.database).sweep(at)
    return {code: count for code, count in found.items() if count}


async def rules(house: "House") -> dict[str, dict[str, Any]]:
    answer = await house.get(f"/api/v1/missions/{house.mission}/retention", house.boss)
    assert answer.status_code == 200, answer.text
    return {rule["code"]: rule for rule in answer.json()["rules"]}


async def put(house: "House", **days: Any) -> Any:
    path = f"/api/v1/missions/{house.mission}/retention"
    body = {"cross_border_basis": "other", "retention": days}
    return await house.client.put(path, json=body, headers=house.headers(house.boss))


def test_what_a_mission_left_is_kept_until_its_last_day_is_over_everywhere() -> None:
    assert due("answers") == datetime(2023, 12, 13, tzinfo=UTC)


@pytest.mark.parametrize("code", ["answers", "contact_details"])
async def test_a_rule_is_carried_out_when_it_is_due_and_not_before(
    house: "House", code: str
) -> None:
    for name in ("ana", "bo"):
        await answered(house, name)

    assert await sweep(house, due(code) - timedelta(seconds=1)) == (
        {} if code == "answers" else {"answers": 2}
    )
    assert (await sweep(house, due(code)))[code] == 2
    assert await sweep(house, due(code)) == {}


async def test_answers_go_and_the_person_stays(house: "House") -> None:
    await answered(house, "ana")

    await sweep(house, due("answers"))

    (row,) = await house.rows(
        "SELECT answers, full_name FROM registration AS r JOIN person ON person.id = r.person_id"
    )
    assert (row["answers"], row["full_name"]) == ({}, "Sample ana")


async def test_files_go_with_all_their_parts(house: "House") -> None:
    await house.rows(
        "INSERT INTO question (id, mission_id, code, place, definition) "
        "VALUES ($1, $1, 'cv', 1, '{}') RETURNING id",
        house.mission,
    )
    await house.rows(
        "INSERT INTO file (id, mission_id, question_id, name, bytes, created_at) "
        "VALUES ($1, $1, $1, 'cv.pdf', 3, now()) RETURNING id",
        house.mission,
    )
    await house.rows(
        "INSERT INTO file_chunk VALUES ($1, 0, $2) RETURNING number", house.mission, b"cv."
    )

    assert await sweep(house, due("files") - timedelta(seconds=1)) == {}
    assert await sweep(house, due("files")) == {"files": 1}
    assert await house.rows("SELECT FROM file_chunk") == []


async def test_people_are_erased_as_if_they_had_asked(house: "House") -> None:
    ana = await house.registered("ana")

    await sweep(house, due("contact_details"))

    (row,) = await house.rows("SELECT full_name, email FROM person")
    assert row["full_name"] == privacy.ERASED_NAME
    assert (await house.told(ana["participant_id"]))[-1] == "person.erased"
    (entry,) = await house.rows("SELECT actor_id FROM audit_entry WHERE action = 'person.erased'")
    assert entry["actor_id"] is None


async def test_proofs_of_consent_stay_for_three_years_longer_than_names(house: "House") -> None:
    await house.registered("ana")

    await sweep(house, due("consents") - timedelta(seconds=1))
    assert len(await house.rows("SELECT FROM consent")) == 1
    await sweep(house, due("consents"))
    assert await house.rows("SELECT FROM consent") == []


async def test_a_mission_sets_its_own_days_and_sees_what_is_due_when(house: "House") -> None:
    await answered(house, "ana")
    assert (await put(house, answers=5)).status_code == 200

    shown = (await rules(house))["answers"]
    assert (shown["days"], shown["is_usual"], shown["kept"]) == (5, False, 1)
    assert shown["due_at"] == due("answers", 5).isoformat().replace("+00:00", "Z")
    assert await sweep(house, due("answers", 5)) == {"answers": 1}
    after = (await rules(house))["answers"]
    assert (after["kept"], after["removed"]) == (0, 1)
    assert datetime.fromisoformat(after["swept_at"]) == due("answers", 5)


@pytest.mark.parametrize("days", [{"answers": 0}, {"answers": 5_000}, {"audit": 5}, {"unknown": 5}])
async def test_what_a_mission_cannot_set_is_refused_by_name(
    house: "House", days: dict[str, int]
) -> None:
    answer = await put(house, **days)

    assert answer.status_code == 422
    (code,) = days
    assert answer.json()["errors"][0]["pointer"] == f"/retention/{code}"
    assert not await house.rows("SELECT FROM privacy_setting")


async def test_another_mission_is_not_swept_by_its_neighbours_days(
    house: "House", lines: Any
) -> None:
    await answered(house, "ana")
    other = await house.made("/missions", lines.mission)
    path = f"/api/v1/missions/{other}/retention"
    body = {"cross_border_basis": "other", "retention": {"answers": 1}}
    await house.client.put(path, json=body, headers=house.headers(house.boss))

    assert await sweep(house, due("answers", 1)) == {}


async def test_more_than_a_batch_goes_in_one_sweep(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ana", "bo", "chen"):
        await answered(house, name)
    monkeypatch.setattr(store, "BATCH_SIZE_MAX", 2)

    assert (await sweep(house, due("answers")))["answers"] == 3


async def test_answers_to_requests_are_forgotten_after_72_hours(house: "House") -> None:
    answered_at = datetime(2023, 5, 1, tzinfo=UTC)
    await house.rows("DELETE FROM idempotency RETURNING key")
    await house.rows(
        "INSERT INTO idempotency (scope, key, digest, status, answer, answered_at) "
        "VALUES ('anybody', 'key', '', 201, '{}', $1) RETURNING key",
        answered_at,
    )
    over = answered_at + timedelta(hours=72)

    assert "idempotency" not in await sweep(house, over)
    assert (await sweep(house, over + timedelta(seconds=1)))["idempotency"] == 1
    assert await house.rows("SELECT FROM idempotency") == []


async def test_the_audit_trail_is_kept_for_six_years(house: "House") -> None:
    (row,) = await house.rows("SELECT min(at) AS at FROM audit_entry")
    over = row["at"] + timedelta(days=BY_CODE["audit"].days)

    assert "audit" not in await sweep(house, over)
    assert (await sweep(house, over + timedelta(seconds=1)))["audit"] >= 1


async def test_what_was_written_about_somebody_erased_does_not_stay(
    house: "House", lines: Any
) -> None:
    """Somebody registers in the moment of being erased."""
    soon = {
        "starts_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
        "ends_at": (datetime.now(UTC) + timedelta(days=2, hours=2)).isoformat(),
    }
    path = f"/stops/{house.stop}/programme-items"
    house.items["more"] = await house.made(path, lines.item | soon)
    ana = await house.registered("ana", "more")
    await house.post(f"/api/v1/people/{ana['participant_id']}/erase", None, house.boss)
    await house.rows("UPDATE programme_item SET taken = 1 WHERE id = $1", house.items["more"])
    await house.rows(
        "UPDATE registration SET status = 'confirmed', answers = $1 RETURNING id",
        {"diet": "vegetarian"},
    )

    await sweep(house, datetime.now(UTC))

    (row,) = await house.rows("SELECT status, answers FROM registration")
    assert (row["status"], row["answers"]) == ("cancelled", {})
    assert await house.places("more") == (0, 0)


async def count_exports(house: "House") -> list[dict[str, Any]]:
    answer = await house.get("/api/v1/border-exports", house.boss)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_people_whose_data_cross_the_border_are_counted_once_a_year(
    house: "House",
) -> None:
    for name in ("ana", "bo", "chen"):
        await house.registered(name)
    chen = (await house.rows("SELECT id FROM person WHERE full_name = 'Sample chen'"))[0]["id"]
    path = f"/api/v1/people/{chen}/consents/cross_border_transfer/withdraw"
    await house.post(path, None, house.boss)

    for at in (datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC)):
        await sweep(house, at)
    assert [(one["year"], one["people"]) for one in await count_exports(house)] == [(2023, 2)]

    # It is New Year in China already.
    await sweep(house, datetime(2023, 12, 31, 17, 0, tzinfo=UTC))
    assert [one["year"] for one in await count_exports(house)] == [2024, 2023]


async def test_who_was_erased_stays_counted(house: "House") -> None:
    ana = await house.registered("ana")
    await sweep(house, datetime(2023, 5, 1, tzinfo=UTC))
    await house.post(f"/api/v1/people/{ana['participant_id']}/erase", None, house.boss)
    await sweep(house, datetime(2023, 5, 2, tzinfo=UTC))

    assert [one["people"] for one in await count_exports(house)] == [1]


async def test_many_raise_an_alarm_that_staff_sees(house: "House") -> None:
    await house.rows(
        "INSERT INTO border_export SELECT 2023, gen_random_uuid() FROM generate_series(1, $1) "
        "RETURNING year",
        domain.EXPORTS_ALARM - 1,
    )
    (before,) = await count_exports(house)
    assert not before["is_alarming"]
    await house.rows("INSERT INTO border_export VALUES (2023, $1) RETURNING year", uuid4())

    (after,) = await count_exports(house)
    assert (after["people"], after["alarm_at"]) == (80_000, 80_000)
    assert after["is_alarming"]
    page = await house.page(f"/desk/missions/{house.mission}/privacy", house.boss)
    assert "80000 people in 2023: close to the number" in page


async def test_the_page_of_a_mission_shows_every_rule_and_takes_days(house: "House") -> None:
    path = f"/desk/missions/{house.mission}/privacy"
    for lang in ("en", "zh"):
        page = await house.page(path, house.boss, lang=lang)
        for rule in RULES:
            assert (rule.title.en if lang == "en" else rule.title.zh) in page

    sent = {rule.code: str(rule.days) for rule in RULES if rule.is_for_a_mission}
    answer = await house.send(path, sent | {"scans": "10", "basis": "consent"}, house.boss)
    assert answer.status_code == 303, answer.text
    (row,) = await house.rows("SELECT cross_border_basis, retention FROM privacy_setting")
    assert (row["cross_border_basis"], row["retention"]) == ("consent", {"scans": 10})
    answer = await house.send(path, sent | {"scans": "many"}, house.boss)
    assert answer.status_code == 422
    await house.page(path, house.someone("door_staff"), status=403)
