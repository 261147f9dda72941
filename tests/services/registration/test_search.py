from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.registration.commands.drafting import NAMED_AT_ONCE_MAX
from services.registration.commands.naming import NOTHING, name_some
from services.registration.domain.names import query_terms
from services.registration.store import search

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

PEOPLE = {
    "wei": {"full_name": "Wei Zhang", "native_name": "张伟"},
    "shan": {"full_name": "单雄信", "latin_name": "Shan Xiongxin"},
    "ana": {"full_name": "Ana García Goldenberg", "language": "en", "languages": ["en"]},
    "chen": {"full_name": "Chen Li", "native_name": "陳麗"},
}
COMPANIES = {
    "wei": {"name": "BYD Company Limited", "native_name": "比亚迪股份有限公司"},
    "shan": {"name": "深圳市创新科技有限公司"},
    "ana": {"name": "Sunbright Solar Inc.", "country": "US"},
    "chen": {"name": "Chen & Sons"},
}


@pytest.fixture
async def found(house: "House") -> "Any":
    """A function that gives who is found at the stop, as the start of the address."""
    for name, person in PEOPLE.items():
        await house.registered(name, "dinner", person=person, organization=COMPANIES[name])
    while await name_some(house.database):
        pass

    async def found(text: str, **narrow: Any) -> list[str]:
        async with house.database.reading() as connection:
            rows = await search.people(connection, house.mission, query_terms(text), **narrow)
        return await names(house, [row["id"] for row in rows])

    return found


async def names(house: "House", ids: Sequence[UUID]) -> list[str]:
    rows = await house.rows(
        "SELECT split_part(email, '@', 1) AS name FROM person "
        "JOIN unnest($1::uuid[]) WITH ORDINALITY AS given (id, place) USING (id) ORDER BY place",
        ids,
    )
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("张", ["wei"]),
        ("伟", ["wei"]),
        ("张伟", ["wei"]),
        ("張偉", ["wei"]),
        ("zw", ["wei"]),
        ("WZ", ["wei"]),
        ("zhang w", ["wei"]),
        ("weizh", ["wei"]),
        ("单", ["shan"]),
        ("shanxx", []),
        ("sxx", ["shan"]),
        ("danxiong", ["shan"]),
        ("garcia", ["ana"]),
        ("GARCÍA ana", ["ana"]),
        ("berg", ["ana"]),
        ("er", []),
        ("比亚迪", ["wei"]),
        ("byd", ["wei"]),
        ("zw byd", ["wei"]),
        ("zw 创新", []),
        ("cxkj", ["shan"]),
        ("chuangxin", ["shan"]),
        ("陈丽", ["chen"]),
        ("chenli", ["chen"]),
        ("s", ["ana", "chen", "shan"]),
        ("nobody", []),
        ("'; DROP TABLE person; --", []),
        ("%", []),
        ("", []),
    ],
)
async def test_people_are_found_by_what_is_typed(found: Any, text: str, who: list[str]) -> None:
    assert sorted(await found(text)) == who


async def test_those_who_have_the_very_word_come_first(found: Any, house: "House") -> None:
    await house.registered("chenko", "dinner", person={"full_name": "Bo Chenko"})

    assert await found("chen") == ["chen", "chenko"]


async def test_a_search_stays_within_its_stop_mission_and_partner(
    found: Any, house: "House"
) -> None:
    assert await found("zw", stop_id=house.stop) == ["wei"]
    assert await found("zw", stop_id=uuid4()) == []
    assert await found("zw", stop_id=house.stop, partner_id=house.partner) == []
    async with house.database.reading() as connection:
        assert not await search.people(connection, uuid4(), ["zw"])


async def test_registrations_are_found_by_name_state_and_partner(
    found: Any, house: "House"
) -> None:
    del found
    async with house.database.reading() as connection:

        async def at(stop_id: UUID, **narrow: Any) -> int:
            return len(await search.registrations(connection, stop_id, ["zw"], **narrow))

        assert await at(house.stop) == 1
        assert await at(house.stop, status="waitlisted") == 0
        assert await at(house.stop, partner_id=house.partner) == 0
        assert await at(uuid4()) == 0


async def test_companies_are_found_by_both_names_with_their_people(
    found: Any, house: "House"
) -> None:
    del found
    async with house.database.reading() as connection:
        for text in ("byd", "比亚迪", "biyadi", "bydgf", "yadi", "dib"):
            rows = await search.companies(connection, house.mission, query_terms(text))
            assert [(row["name"], row["people"]) for row in rows] == (
                [("BYD Company Limited", 1)] if text != "dib" else []
            )


@pytest.mark.parametrize("table", ["person", "organization"])
async def test_a_search_uses_its_index(house: "House", table: str) -> None:
    words = search._PEOPLE if table == "person" else search._COMPANIES
    async with house.database.transaction() as connection:
        # So few rows are read at once otherwise.
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            f"EXPLAIN SELECT id FROM {table} WHERE {words} @@ $1::tsquery AND search <> ''",  # noqa: S608
            "'zw':*",
        )

    assert f"{table}_search" in "\n".join(row[0] for row in plan)


async def test_whoever_came_without_a_search_text_gets_one(house: "House") -> None:
    await house.registered("wei", person=PEOPLE["wei"], organization=COMPANIES["wei"])
    written = await house.rows("SELECT search FROM person ORDER BY id")
    await house.rows("UPDATE person SET search = ''")
    await house.rows("UPDATE organization SET search = '', core = ''")

    assert await name_some(house.database) == 1
    assert await house.rows("SELECT search FROM person ORDER BY id") == written
    (company,) = await house.rows("SELECT search, core FROM organization")
    assert " biyadi" in company["search"]
    assert company["core"] == "byd biyadi"
    assert await name_some(house.database) == 0


async def test_a_name_without_any_letter_is_not_looked_at_again(house: "House") -> None:
    await house.registered("odd", person={"full_name": "?!"}, organization={"name": "***"})
    await house.rows("UPDATE person SET search = ''")

    while await name_some(house.database):
        pass
    (row,) = await house.rows("SELECT search FROM person")
    assert row["search"] == NOTHING


async def test_names_are_written_after_a_rush_not_between_its_batches(house: "House") -> None:
    await house.registered("alone")
    assert not house.rush.was_rushed()

    rows = [house.sign_up(f"many{nth}") for nth in range(NAMED_AT_ONCE_MAX + 1)]
    path = f"/api/v1/programme-items/{house.items['dinner']}/registrations/bulk"
    answer = await house.post(path, {"registrations": rows}, house.boss, key="many")
    assert answer.status_code == 200, answer.text
    assert house.rush.was_rushed()
    (row,) = await house.rows("SELECT count(*) AS unnamed FROM person WHERE search = ''")
    assert row["unnamed"] == len(rows)
