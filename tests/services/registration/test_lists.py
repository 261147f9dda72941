import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.registration.domain.listing import Cursor, Filter, Sort
from services.registration.domain.places import Status
from services.registration.store import lists
from shared.errors import Invalid

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

PEOPLE = 240
START = datetime(2026, 10, 1, tzinfo=UTC)
FILL = """
INSERT INTO organization (id, mission_id, identity, name, country, sectors)
SELECT gen_random_uuid(), $1, 'name:' || o, 'Sample ' || chr(65 + o % 7) || ' Co.',
    (ARRAY['CN', 'CN', 'US'])[1 + o % 3], ARRAY[(ARRAY['batteries', 'solar'])[1 + o % 2]]
FROM generate_series(1, $2::integer) AS o
"""
PERSONS = """
INSERT INTO person (id, mission_id, role, email, full_name, latin_name, language, languages,
    organization_id, search)
SELECT gen_random_uuid(), $1, CASE WHEN n % 10 = 0 THEN 'delegate' ELSE 'local' END,
    'p' || n || '@example.com', 'Sample ' || chr(97 + n % 11), CASE WHEN n % 4 = 0 THEN 'Ana' END,
    'zh', ARRAY['zh'], (ARRAY(SELECT id FROM organization WHERE mission_id = $1 ORDER BY name, id))
    [1 + n % $4::integer], 'sample p' || n % 50
FROM generate_series($2::integer, $3::integer) AS n
"""
REGISTRATIONS = """
INSERT INTO registration (id, programme_item_id, person_id, status, source, partner_id,
    registered_at, checked_in_at)
SELECT gen_random_uuid(), ($1::uuid[])[1 + n % 2], person.id,
    (ARRAY['confirmed', 'confirmed', 'waitlisted', 'pending_approval', 'rejected'])[1 + n % 5],
    CASE WHEN n % 6 = 0 THEN 'partner_api' ELSE 'self' END, CASE WHEN n % 6 = 0 THEN $2::uuid END,
    $3::timestamptz + (n * 37 % 50) * interval '1 minute',
    CASE WHEN n % 5 = 1 THEN $3::timestamptz END
FROM (SELECT id, substr(split_part(email, '@', 1), 2)::integer AS n FROM person
    WHERE email ~ '^p[0-9]+@') AS person WHERE n BETWEEN $4 AND $5
"""
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "states": {"statuses": (Status.WAITLISTED, Status.REJECTED)},
    "partner": {"partner": True},
    "side": {"side": "delegation"},
    "source": {"source": "partner_api"},
    "arrived": {"is_checked_in": True},
    "not arrived": {"is_checked_in": False},
    "since": {"since": START + timedelta(minutes=30)},
    "country": {"country": "US"},
    "sector": {"sector": "solar", "statuses": (Status.CONFIRMED,)},
    "search": {"terms": ("p1", "sam")},
    "nobody": {"country": "FR"},
}


async def fill(house: "House", first: int = 1, last: int = PEOPLE, *, companies: int = 40) -> None:
    async with house.database.transaction() as connection:
        if first == 1:
            await connection.execute(FILL, house.mission, companies)
        await connection.execute(PERSONS, house.mission, first, last, companies)
        items = list(house.items.values())
        await connection.execute(REGISTRATIONS, items, house.partner, START, first, last)


def wanted(house: "House", name: str) -> Filter:
    facts = dict(FILTERS[name])
    if facts.pop("partner", None):
        facts["partner_id"] = house.partner
    return Filter(house.mission, house.stop, **facts)


async def expected(house: "House", name: str, sort: Sort) -> list[UUID]:
    """Filter and sort in Python what is there."""
    rows = await house.rows(
        "SELECT r.*, person.role, person.full_name, person.latin_name, person.search, "
        "organization.id AS company_id, organization.name, organization.country, "
        "organization.sectors FROM registration AS r JOIN person ON person.id = r.person_id "
        "JOIN organization ON organization.id = person.organization_id"
    )
    facts = FILTERS[name]
    tests: dict[str, Any] = {
        "statuses": lambda row, value: row["status"] in value,
        "partner": lambda row, _: row["partner_id"] == house.partner,
        "side": lambda row, value: (row["role"] == "delegate") == (value == "delegation"),
        "source": lambda row, value: row["source"] == value,
        "is_checked_in": lambda row, value: (row["checked_in_at"] is not None) == value,
        "since": lambda row, value: row["registered_at"] >= value,
        "country": lambda row, value: row["country"] == value,
        "sector": lambda row, value: value in row["sectors"],
        "terms": lambda row, value: all(
            any(word.startswith(term) for word in row["search"].split()) for term in value
        ),
    }
    rows = [row for row in rows if all(tests[key](row, value) for key, value in facts.items())]
    keys: dict[Sort, Any] = {
        Sort.NEWEST: lambda row: (row["registered_at"], row["id"]),
        Sort.OLDEST: lambda row: (row["registered_at"], row["id"]),
        Sort.NAME: lambda row: (
            (row["latin_name"] or row["full_name"]).lower(),
            row["person_id"],
            row["id"],
        ),
        Sort.ORGANIZATION: lambda row: (row["name"].lower(), row["company_id"], row["id"]),
    }
    rows.sort(key=keys[sort], reverse=sort is Sort.NEWEST)
    return [row["id"] for row in rows]


async def pages(
    house: "House", name: str, sort: Sort, limit: int = 17
) -> AsyncIterator[list[UUID]]:
    """Turn the pages forwards."""
    cursor = None
    while True:
        async with house.database.reading() as connection, lists.planned(connection):
            found = await lists.find(connection, wanted(house, name), sort, cursor, limit=limit)
            rows = await lists.rows(connection, found.ids)
        yield list(found.ids)
        if not found.has_after:
            return
        cursor = Cursor.of(sort, rows[-1]["id"], rows[-1]["registered_at"])


@pytest.mark.parametrize("sort", Sort)
async def test_pages_hold_what_matches_once_and_in_order(house: "House", sort: Sort) -> None:
    await fill(house)

    for name in FILTERS:
        found = [page async for page in pages(house, name, sort)]
        assert [one for page in found for one in page] == await expected(house, name, sort), name
        assert all(len(page) == 17 for page in found[:-1])


@pytest.mark.parametrize("sort", Sort)
async def test_where_little_of_much_matches_all_of_it_is_found(
    house: "House", sort: Sort, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the walk ends long before a page is full.
    monkeypatch.setattr(lists, "WALK_MAX", 20)
    await fill(house)

    for name in FILTERS:
        found = [one async for page in pages(house, name, sort) for one in page]
        assert found == await expected(house, name, sort), name


@pytest.mark.parametrize("sort", Sort)
async def test_the_way_back_shows_the_same_pages(house: "House", sort: Sort) -> None:
    await fill(house)
    forwards = [page async for page in pages(house, "side", sort, limit=5)]
    backwards: list[list[UUID]] = []
    async with house.database.reading() as connection, lists.planned(connection):
        last = (await lists.rows(connection, forwards[-1]))[0]
        cursor = Cursor.of(sort, last["id"], last["registered_at"], is_before=True)
        while True:
            found = await lists.find(connection, wanted(house, "side"), sort, cursor, limit=5)
            backwards.insert(0, list(found.ids))
            first = (await lists.rows(connection, found.ids))[0]
            cursor = Cursor.of(sort, first["id"], first["registered_at"], is_before=True)
            assert found.has_after
            if not found.has_before:
                break

    assert backwards == forwards[:-1]


@pytest.mark.parametrize("sort", Sort)
async def test_pages_miss_and_repeat_nothing_while_people_register(
    house: "House", sort: Sort
) -> None:
    await fill(house)
    there = set(await expected(house, "all", sort))
    seen: list[UUID] = []
    number = PEOPLE
    async for page in pages(house, "all", sort):
        seen += page
        await fill(house, number + 1, number + 7)
        number += 7
        if len(seen) > 2 * PEOPLE:
            break

    assert len(seen) == len(set(seen))
    assert there <= set(seen)


async def test_a_registration_that_is_made_again_is_not_shown_again_below(house: "House") -> None:
    await fill(house)
    turned = pages(house, "all", Sort.NEWEST)
    first = await anext(turned)
    async with house.database.transaction() as connection:
        await connection.execute(
            "UPDATE registration SET registered_at = now() WHERE id = $1", first[-1]
        )

    assert first[-1] not in [one async for page in turned for one in page]


async def test_counts_are_by_state_whatever_state_is_asked_for(house: "House") -> None:
    await fill(house)
    async with house.database.reading() as connection, lists.planned(connection):
        counted = await lists.counts(connection, wanted(house, "states"))
        of_side = await lists.counts(connection, wanted(house, "side"))

    assert counted == {
        "confirmed": 96,
        "waitlisted": 48,
        "pending_approval": 48,
        "rejected": 48,
    }
    assert sum(of_side.values()) == 24


class Recording:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, query: str, *arguments: object) -> Any:
        self.asked.append((query, arguments))
        return await self._connection.fetch(query, *arguments)


@pytest.mark.parametrize("sort", Sort)
async def test_a_walk_never_reads_all_registrations(house: "House", sort: Sort) -> None:
    await fill(house, 1, 3_000, companies=1_000)
    async with house.database.reading() as connection:
        await connection.execute("ANALYZE registration, person, organization")
        trial = connection.transaction()
        await trial.start()
        # The planner is to decide as it would for a hundred thousand.
        await connection.execute(
            "UPDATE pg_class SET reltuples = reltuples * 40 "
            "WHERE relname IN ('registration', 'person', 'organization')"
        )
        recording: Any = Recording(connection)
        async with lists.planned(recording):
            for name in ("all", "states", "partner", "arrived", "search", "country"):
                await lists.find(recording, wanted(house, name), sort, None, limit=50)
            walks = [asked for asked in recording.asked if asked[0].startswith("WITH candidate")]
            plans = [
                await connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *arguments)
                for query, arguments in walks
            ]
        await trial.rollback()

    assert len(plans) == 6
    assert [scans(plan, "registration") for plan in plans] == [False] * 6


def scans(plan: str, table: str) -> bool:
    """Say whether a plan reads a table from end to end."""
    todo: list[Any] = [json.loads(plan)[0]["Plan"]]
    while todo:
        node = todo.pop()
        if node["Node Type"] == "Seq Scan" and node.get("Relation Name") == table:
            return True
        todo += node.get("Plans", [])
    return False


async def test_the_list_says_where_the_next_page_is(house: "House") -> None:
    await fill(house)
    path = f"/api/v1/registrations?stop_id={house.stop}&status=waitlisted&sort=name&limit=20"

    first = await house.get(path, house.boss)
    second = await house.get(first.json()["next"], house.boss)
    third = await house.get(second.json()["next"], house.boss)
    back = await house.get(second.json()["prev"], house.boss)

    assert first.headers["Link"] == f'<{first.json()["next"]}>; rel="next"'
    assert first.json()["prev"] is None
    assert third.json()["next"] is None
    assert back.json()["items"] == first.json()["items"]
    assert back.json()["prev"] is None
    items = [item for page in (first, second, third) for item in page.json()["items"]]
    assert len({item["id"] for item in items}) == 48
    assert {item["status"] for item in items} == {"waitlisted"}
    assert first.json()["counts"]["confirmed"] == 96
    assert first.json()["counts_end"] is False


async def test_a_partner_lists_its_own_people_alone(house: "House") -> None:
    await fill(house)
    partner = house.someone("partner_staff", partner_id=house.partner)

    seen = await house.get(f"/api/v1/registrations?stop_id={house.stop}&limit=200", partner)
    others = f"/api/v1/registrations?stop_id={house.stop}&partner_id={uuid4()}"

    assert len(seen.json()["items"]) == PEOPLE // 6
    assert {item["partner_id"] for item in seen.json()["items"]} == {str(house.partner)}
    assert sum(seen.json()["counts"].values()) == PEOPLE // 6
    assert (await house.get(others, partner)).status_code == 404
    whole = await house.get(f"/api/v1/registrations?mission_id={house.mission}", partner)
    assert whole.status_code == 403


async def test_a_time_without_a_zone_is_by_the_clock_of_the_stop(house: "House") -> None:
    await fill(house)
    path = f"/api/v1/registrations?stop_id={house.stop}&limit=200&since="

    by_clock = await house.get(path + "2026-10-01T08:30:00", house.boss)
    by_zone = await house.get(path + "2026-10-01T00:30:00Z", house.boss)

    assert by_clock.json()["counts"] == by_zone.json()["counts"]
    assert 0 < len(by_zone.json()["items"]) < PEOPLE


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "query/mission_id"),
        ("stop_id={stop}&cursor=nonsense", "query/cursor"),
        ("stop_id={stop}&cursor=W10", "query/cursor"),
        ("stop_id={stop}&mission_id={other}", "query/mission_id"),
        ("stop_id={stop}&stauts=confirmed", "query/stauts"),
        ("stop_id={stop}&q=!!", "query/q"),
        ("stop_id={stop}&limit=1000", "query/limit"),
        ("stop_id={stop}&status=gone", "query/status/0"),
    ],
)
async def test_what_cannot_be_listed_is_named(house: "House", query: str, pointer: str) -> None:
    query = query.format(stop=house.stop, other=uuid4())

    answer = await house.get(f"/api/v1/registrations?{query}", house.boss)

    assert answer.status_code == 422, answer.text
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_a_cursor_belongs_to_its_order_and_names_nobody() -> None:
    cursor = Cursor.of(Sort.NAME, uuid4(), START)

    assert Cursor.read(str(cursor), Sort.NAME) == cursor
    assert cursor.at is None
    with pytest.raises(Invalid):
        Cursor.read(str(cursor), Sort.NEWEST)


async def test_an_unknown_stop_is_not_found(house: "House") -> None:
    answer = await house.get(f"/api/v1/registrations?stop_id={uuid4()}", house.boss)
    assert answer.status_code == 404
