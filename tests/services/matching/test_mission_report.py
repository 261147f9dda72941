"""The mission report: everything once, by what was noted, stated and confirmed."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from services.matching.domain.mission_report import totals_at, waves
from services.matching.domain.outcomes import Act, Deal, Speaker, Statement
from services.matching.store import outcomes as store
from shared.access import Role
from shared.events.registration import PersonErased
from shared.waves import WAVES
from tests.services.matching.browsing import page, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

ENDED = date(2023, 11, 9)
STOPS = [(ENDED - timedelta(days=2), "Asia/Tokyo"), (ENDED, "Asia/Shanghai")]
EVENING = datetime(2023, 11, 9, 15, 59, tzinfo=UTC)
"""A minute before midnight in Shanghai."""


def statement(act: Act, at: datetime, revision: int = 1) -> Statement:
    by = Speaker(uuid4(), "delegate", "delegation" if act == "report" else "local")
    return Statement(revision, act, Deal("mou"), (), False, None, by, at)


def test_a_wave_comes_with_its_day_at_the_last_stop() -> None:
    assert waves(STOPS, [], datetime(2023, 11, 8, 15, 59, tzinfo=UTC)) == ()
    for number, days in enumerate(WAVES, 1):
        # The day begins in Shanghai while it is yesterday in UTC.
        at = datetime(2023, 11, 8, 16, 0, tzinfo=UTC) + timedelta(days=days)
        assert [one.days for one in waves(STOPS, [], at)] == [*WAVES[:number]]
    assert waves([], [], EVENING) == ()


def test_each_wave_knows_what_had_been_said_by_its_evening() -> None:
    deal = [
        statement("report", EVENING),
        statement("verify", EVENING + timedelta(days=90), 2),
        statement("retract", EVENING + timedelta(days=180, minutes=1), 3),
    ]
    later = [statement("report", EVENING + timedelta(minutes=1))]
    found = waves(STOPS, [deal, later], EVENING + timedelta(days=400))
    assert [(one.deals.deals, one.deals.verified) for one in found] == [
        (1, 0),
        (2, 1),
        (2, 1),
        (1, 0),
    ]
    assert totals_at([deal], EVENING - timedelta(days=1)).deals == 0


async def test_the_report_counts_deals_however_many_parts_they_are_read_in(
    over: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    for local in ("lin", "liu", "luo"):
        people = {"delegate_id": over.people["dora"], "local_id": over.people[local]}
        deal = {name: str(one) for name, one in people.items()} | {"kind": "mou"}
        deal |= {"stop_id": str(over.stop)}
        stated = await over.ask("POST", "/api/v1/outcomes", body=deal, Idempotency_Key=uuid4().hex)
        assert stated.status_code == 201, stated.text
    monkeypatch.setattr(store, "OUTCOMES_AT_ONCE", 2)

    found = await told(over)
    assert (found["deals"]["deals"], found["stops"][0]["deals"]["deals"]) == (3, 3)


@pytest.mark.parametrize("zones", [("Asia/Shanghai", "America/New_York"), ("UTC", "Asia/Tokyo")])
def test_of_two_stops_on_the_last_day_the_one_that_ends_last_counts(zones: tuple[str, str]) -> None:
    ends = max(datetime.combine(ENDED, time.max, ZoneInfo(zone)) for zone in zones)
    deal = [statement("report", ends.astimezone(UTC))]
    for stops in ([(ENDED, zone) for zone in zones], [(ENDED, zone) for zone in zones[::-1]]):
        (found,) = waves(stops, [deal], ends + timedelta(hours=1))
        assert (found.on, found.deals.deals) == (ENDED, 1)


async def told(house: "House") -> Any:
    return await house.get(f"/outcomes/report?mission_id={house.mission}")


async def wish(house: "House", pair: str, kind: str) -> None:
    one, other = (str(house.people[name]) for name in pair.split())
    body = {"stop_id": str(house.stop), "participant_id": one, "counterpart_id": other}
    answer = await house.ask("PUT", "/api/v1/preferences", body=body | {"kind": kind})
    assert answer.status_code == 200


@pytest.fixture
async def over(house: "House") -> "House":
    """After a meeting of dora and liu; she had wished it, and another that was not planned."""
    await house.day()
    await wish(house, "dora liu", "must_meet")
    await wish(house, "dora luo", "must_meet")
    await wish(house, "liu dora", "meet")
    meeting = await house.meeting("dora liu")
    await house.order(meeting, "start", 1)
    await house.order(meeting, "finish", 2)
    return house


async def test_nothing_is_counted_before_it_happened(house: "House") -> None:
    await house.day()
    found = await told(house)
    planned = found["met"]["planned"]
    assert planned > 0
    assert found["met"] | {"planned": 0, "unknown": 0} == dict.fromkeys(found["met"], 0)
    assert found["met"]["unknown"] == planned
    assert found["deals"]["deals"] == 0
    assert [one["stop_id"] for one in found["stops"]] == [str(house.stop)]


async def test_meetings_wishes_and_deals_are_counted_once(over: "House") -> None:
    house = over
    absent = await house.meeting("dora lin")
    await house.order(absent, "no-show", 1, {"absent": [str(house.people["lin"])]})
    people = {"delegate_id": str(house.people["dora"]), "local_id": str(house.people["liu"])}
    deal = people | {"kind": "contract", "value": "1250000", "currency": "USD"}
    stated = await house.ask(
        "POST", "/api/v1/outcomes", house.person("dora"), body=deal, Idempotency_Key=uuid4().hex
    )
    assert stated.status_code == 201, stated.text

    found = await told(house)
    met = found["met"]
    assert (met["held"], met["no_show"], met["contacts"], met["companies"]) == (1, 1, 1, 2)
    assert met["planned"] == met["held"] + met["no_show"] + met["unknown"]
    assert found["wished"] == {"must_meet": 2, "must_meet_met": 1, "meet": 1, "meet_met": 1}
    (stop,) = found["stops"]
    assert stop["met"] == met
    assert stop["wished"] == found["wished"]
    assert stop["deals"] == found["deals"]
    assert found["deals"]["values"] == [
        {"currency": "USD", "stated": "1250000.00", "verified": "0"}
    ]


@pytest.mark.parametrize(
    ("language", "seen"),
    [
        ("en", ("Mission report", "1 meetings held", "1 of 2", "Nobody has stated a deal yet")),
        ("zh", ("代表团成果报告", "1 场洽谈已举行", "尚无申报成果", "各站情况")),
    ],
)
async def test_the_report_is_a_page(over: "House", language: str, seen: tuple[str, ...]) -> None:
    house = over
    path = f"/outcomes/report?mission_id={house.mission}"
    text = words(await page(house, house.boss, path, language=language))
    assert all(one in text for one in seen), text
    assert path in await page(house, house.boss, f"/outcomes?mission_id={house.mission}")


async def test_the_report_is_for_mission_staff(over: "House") -> None:
    house = over
    roles: tuple[Role, ...] = ("partner_staff", "door_staff", "delegate", "local", "interpreter")
    path = f"/outcomes/report?mission_id={house.mission}"
    for role in roles:
        who = house.someone(role)
        assert (await house.ask("GET", f"/api/v1{path}", who)).status_code == 403
        await page(house, who, path, status=403)
        assert path not in await page(house, who, f"/outcomes?mission_id={house.mission}")
    everywhere, unknown = house.someone("mission_staff", mission_id=None), uuid4()
    missing = f"/api/v1/outcomes/report?mission_id={unknown}"
    assert (await house.ask("GET", missing, everywhere)).status_code == 404


async def test_no_mission_reads_the_report_of_another(over: "House") -> None:
    house, other = over, over.someone("mission_staff", mission_id=uuid4())
    path = f"/outcomes/report?mission_id={house.mission}"
    assert (await house.ask("GET", f"/api/v1{path}", other)).status_code == 403
    await page(house, other, path, status=403)
    # Nor does who asks learn whether there is such a mission.
    unknown = f"/api/v1/outcomes/report?mission_id={uuid4()}"
    assert (await house.ask("GET", unknown, other)).status_code == 403


@pytest.mark.parametrize(
    ("language", "seen"), [("en", "Nobody has stated a deal yet"), ("zh", "尚无申报成果")]
)
async def test_a_mission_without_a_stop_has_a_report(
    bare: "House", language: str, seen: str
) -> None:
    async with bare.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO mission (id, title, sectors, version) VALUES ($1, $2, '{}', 1)",
            bare.mission,
            {"en": "<b>Bare</b>", "zh": "<b>空</b>"},
        )
    found = await told(bare)
    assert found["stops"] == found["waves"] == found["felt"] == []
    assert found["met"] == dict.fromkeys(found["met"], 0)
    path = f"/outcomes/report?mission_id={bare.mission}"
    shown = await page(bare, bare.boss, path, language=language)
    assert seen in words(shown)
    assert "<b>" not in shown


async def test_deals_in_several_currencies_stand_apart_and_stay_when_people_are_erased(
    over: "House",
) -> None:
    house = over
    for local, value, currency in (("liu", "0.40", "EUR"), ("luo", "1000000000.99", "JPY")):
        people = {"delegate_id": str(house.people["dora"]), "local_id": str(house.people[local])}
        deal = people | {"stop_id": str(house.stop), "kind": "contract"}
        stated = await house.ask(
            "POST",
            "/api/v1/outcomes",
            house.person("dora"),
            body=deal | {"value": value, "currency": currency},
            Idempotency_Key=uuid4().hex,
        )
        assert stated.status_code == 201, stated.text
    before = await told(house)
    assert [(one["currency"], one["stated"]) for one in before["deals"]["values"]] == [
        ("EUR", "0.40"),
        ("JPY", "1000000000.99"),
    ]
    shown = words(await page(house, house.boss, f"/outcomes/report?mission_id={house.mission}"))
    for said in ("EUR 0.40", "JPY 1,000,000,000.99"):
        assert said in shown, shown

    for number, name in enumerate(("dora", "liu"), 100):
        erased = PersonErased(
            person_id=house.people[name],
            mission_id=house.mission,
            erased_at=datetime(2023, 12, 1, tzinfo=UTC),
        )
        await house.hear((erased, number))
    after = await told(house)
    kept = ("held", "no_show", "hours", "contacts", "companies", "interpreted")
    assert {name: after["met"][name] for name in kept} == {
        name: before["met"][name] for name in kept
    }
    assert after["deals"] == before["deals"]
