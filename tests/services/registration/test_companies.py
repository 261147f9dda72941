import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.registration.commands.naming import name_some
from services.registration.domain.companies import Company, combined, core, likeness, parts
from services.registration.domain.people import CREDIT_CODE_ALPHABET, CREDIT_CODE_WEIGHTS
from services.registration.store import companies as store

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines

ENGLISH = "Shenzhen Chuangxin Technology Co., Ltd."
CHINESE = "深圳市创新科技有限公司"
WAITING = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def code(number: int) -> str:
    """Make a unified social credit code with its check character."""
    body = f"91350100{number:09d}"
    weights = zip(CREDIT_CODE_WEIGHTS, body, strict=True)
    total = sum(weight * CREDIT_CODE_ALPHABET.index(character) for weight, character in weights)
    return body + CREDIT_CODE_ALPHABET[(31 - total % 31) % 31]


def company(name: str, native: str | None = None, **facts: Any) -> Company:
    return Company(uuid4(), name, native, facts.get("country", "CN"), facts.get("number"))


def alike(one: Company, other: Company) -> tuple[str, ...]:
    """Give the reasons why two are likely one; the order of the two never matters."""
    found, turned = likeness(one, other), likeness(other, one)
    assert found == turned
    return found.reasons if found else ()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (CHINESE, ("chuangxin", "technology")),
        (ENGLISH, ("chuangxin", "technology")),
        ("Chuangxin Tech. Inc.", ("chuangxin", "technology")),
        ("比亚迪股份有限公司", ("biyadi",)),
        ("BYD Company Limited", ("byd",)),
        ("广东省深圳市华兴集团有限公司", ("huaxing",)),
        ("西门子（中国）有限公司", ("ximenzi",)),
        ("Müller & Söhne GmbH", ("muller", "sohne")),
        ("上海新能源汽车科技有限公司", ("new", "energy", "automotive", "technology")),
        ("The Group", ("the", "group")),
        ("有限公司", ("youxiangongsi",)),
    ],
)
def test_a_name_is_taken_apart(name: str, words: tuple[str, ...]) -> None:
    assert parts(name).words == words


def test_the_core_is_what_sets_a_company_apart() -> None:
    assert core(ENGLISH, CHINESE) == "chuangxin"
    assert core("BYD Company Limited", "比亚迪股份有限公司") == "byd biyadi"
    assert core("New Energy Technology Ltd.") == "new energy technology"


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        (company(ENGLISH, CHINESE), company("深圳创新科技股份有限公司"), ("same_native_name",)),
        (company("Shenzhen Chuang Xin Tech"), company(CHINESE), ("same_sound",)),
        (
            company("Acme Batteries Inc.", country="US"),
            company("ACME Battery, LLC", country="US"),
            ("same_name",),
        ),
        (
            company("广州创新科技有限公司"),
            company(CHINESE),
            ("same_native_name", "other_place"),
        ),
        (
            company("Siemens AG", country="DE"),
            company("Siemens (China) Co., Ltd.", "西门子（中国）有限公司"),
            ("same_name", "other_country"),
        ),
        (
            company("Sunbright Solar Inc.", country="US"),
            company("Sun Brigth Solar Inc.", country="US"),
            ("similar_name",),
        ),
        (
            company("A", number="12-3456789", country="US"),
            company("B", number="123456789", country="US"),
            ("same_number",),
        ),
        (
            company("Guangzhou Yuanjing New Energy Development Co., Ltd."),
            company("广州市远景新能源有限公司"),
            ("similar_name",),
        ),
        (company(CHINESE), company("深圳市创新环保有限公司"), ()),
        (company("Acme Solar Inc."), company("Acme Battery Inc."), ()),
        (company(CHINESE, number=code(1)), company(CHINESE, number=code(2)), ()),
        (company(CHINESE, number=code(1)), company(CHINESE), ("same_native_name",)),
    ],
)
def test_two_are_likely_one_for_reasons(
    one: Company, other: Company, reasons: tuple[str, ...]
) -> None:
    assert alike(one, other) == reasons


def test_a_mistyped_number_does_not_make_two_of_one() -> None:
    wrong = code(1)[:-1] + ("0" if code(1)[-1] != "0" else "1")

    assert alike(company(CHINESE, number=code(1)), company(CHINESE, number=wrong)) != ()


def test_the_company_that_stays_takes_what_it_lacks() -> None:
    kept = {"name": "A", "native_name": None, "country": "CN", "registration_number": None}
    gone = {"name": "B", "native_name": "乙", "country": "US", "registration_number": "7"}

    assert combined(
        kept | {"sectors": ["solar"], "size": "1-10"},
        gone | {"sectors": ["wind", "solar"], "size": "11-50"},
    ) == kept | {
        "native_name": "乙",
        "registration_number": "7",
        "sectors": ["solar", "wind"],
        "size": "1-10",
    }


async def company_of(house: "House", name: str) -> UUID:
    (row,) = await house.rows(
        "SELECT organization_id FROM person WHERE email = $1", f"{name}@example.com"
    )
    found: UUID = row["organization_id"]
    return found


@pytest.fixture
async def two(house: "House") -> dict[str, UUID]:
    """One company that registered in two ways: by ana with its number, by bo and cy without."""
    listing = {"kind": "need", "sector": "batteries", "text": {"en": "Cells", "zh": "电芯"}}
    await house.registered(
        "ana", organization={"name": ENGLISH, "registration_number": code(1)}, listings=[listing]
    )
    await house.registered(
        "bo",
        organization={"name": CHINESE, "native_name": CHINESE, "size": "11-50"},
        listings=[listing | {"kind": "offer"}],
    )
    await house.registered("cy", organization={"name": CHINESE})
    return {"kept": await company_of(house, "ana"), "gone": await company_of(house, "bo")}


async def merged(house: "House", two: dict[str, UUID]) -> dict[str, Any]:
    path = f"/api/v1/organizations/{two['kept']}/merges"
    answer = await house.post(path, {"organization_id": str(two["gone"])}, house.boss)
    assert answer.status_code == 201, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def undone(house: "House", merge: dict[str, Any]) -> tuple[int, str]:
    path = f"/api/v1/organizations/merges/{merge['id']}/undo"
    answer = await house.post(path, None, house.boss)
    return answer.status_code, answer.json().get("code", "")


async def state(house: "House") -> dict[str, list[tuple[Any, ...]]]:
    """Give all that a merge may touch."""
    queries = {
        "companies": "SELECT id, name, native_name, registration_number, sectors, size, "
        "merged_into, search, core FROM organization ORDER BY id",
        "people": "SELECT id, organization_id, search FROM person ORDER BY id",
        "listings": "SELECT id, organization_id FROM listing ORDER BY id",
    }
    return {name: [tuple(row) for row in await house.rows(q)] for name, q in queries.items()}


async def name_all(house: "House") -> None:
    while await name_some(house.database):
        pass


async def latest(house: "House", name: str) -> dict[str, Any]:
    """Give the last confirmation of somebody's place, as other services hear it."""
    rows = await house.rows(
        "SELECT payload FROM outbox JOIN person ON person.id = outbox.key WHERE email = $1 "
        "AND type = 'registration.participant.confirmed.v1' ORDER BY sequence DESC LIMIT 1",
        f"{name}@example.com",
    )
    content: dict[str, Any] = json.loads(rows[0]["payload"])
    return content


async def test_a_merge_moves_people_and_listings_and_both_states_are_kept(
    house: "House", two: dict[str, UUID]
) -> None:
    content = await merged(house, two)

    assert content["moved"] == {"person": 2, "listing": 1}
    assert {await company_of(house, name) for name in ("ana", "bo", "cy")} == {two["kept"]}
    (row,) = await house.rows(
        "SELECT native_name, registration_number, size FROM organization WHERE id = $1", two["kept"]
    )
    assert tuple(row) == (CHINESE, code(1), "11-50")
    path = f"/api/v1/organizations/merges?mission_id={house.mission}"
    (logged,) = (await house.get(path, house.boss)).json()["items"]
    assert logged["kept_before"]["native_name"] is None
    assert logged["gone_before"]["native_name"] == CHINESE
    assert logged["kept_after"]["native_name"] == CHINESE
    assert logged["merged_by"] == str(house.boss.subject)
    assert (logged["people"], logged["undone_at"]) == (2, None)


async def test_everybody_with_a_place_is_told_of_again_with_the_company_that_stays(
    house: "House", two: dict[str, UUID]
) -> None:
    content = await merged(house, two)

    # Two have a place; the third waits, and is told with the right company when it gets one.
    assert content["told"] == 2
    for name in ("ana", "bo"):
        told = await latest(house, name)
        assert told["is_correction"] is True
        assert told["organization"]["organization_id"] == str(two["kept"])
        assert told["organization"]["native_name"] == CHINESE
        assert {listing["kind"] for listing in told["listings"]} == {"need", "offer"}
    await undone(house, content)
    assert (await latest(house, "bo"))["organization"]["organization_id"] == str(two["gone"])
    assert (await latest(house, "ana"))["organization"]["native_name"] is None
    versions = await house.rows(
        "SELECT array_agg(sequence ORDER BY sequence) AS all FROM outbox "
        "WHERE type LIKE '%participant%' GROUP BY key"
    )
    assert sorted(row["all"] for row in versions) == [[1], [1, 2, 3], [1, 2, 3]]


async def test_who_has_several_places_is_told_of_each(house: "House", two: dict[str, UUID]) -> None:
    more = await house.register("bo", "dinner")
    await house.decide(more.json()["id"], "approve")

    assert (await merged(house, two))["told"] == 3


async def test_an_undo_restores_exactly_what_was(house: "House", two: dict[str, UUID]) -> None:
    await name_all(house)
    before = await state(house)
    merge = await merged(house, two)
    assert await state(house) != before

    assert await undone(house, merge) == (200, "")
    assert await state(house) == before
    assert await undone(house, merge) == (409, "already_undone")
    # And once more: the second merge is a row of its own.
    again = await merged(house, two)
    assert await undone(house, again) == (200, "")
    assert await state(house) == before


async def test_people_are_found_by_the_company_that_stays(
    house: "House", two: dict[str, UUID]
) -> None:
    await merged(house, two)

    path = f"/api/v1/organizations?mission_id={house.mission}&q="
    for query in ("chuangxin", "创新", "cxkj", "Shenzhen"):
        (found,) = (await house.get(path + query, house.boss)).json()["items"]
        assert (found["id"], found["people"]) == (str(two["kept"]), 3)


async def test_a_company_is_found_by_what_it_was_called_before_and_so_are_its_people(
    house: "House", two: dict[str, UUID]
) -> None:
    await house.registered("eve", "dinner", organization={"name": "Sunbright Solar Inc."})
    gone = await company_of(house, "eve")
    merge = await merged(house, {"kept": two["kept"], "gone": gone})

    path = f"/api/v1/organizations?mission_id={house.mission}&q=sunbright"
    (found,) = (await house.get(path, house.boss)).json()["items"]
    assert found["id"] == str(two["kept"])
    people = await house.rows("SELECT email FROM person WHERE search LIKE '%sunbright%'")
    assert {row["email"] for row in people} == {"ana@example.com", "eve@example.com"}
    await undone(house, merge)
    (found,) = (await house.get(path, house.boss)).json()["items"]
    assert found["id"] == str(gone)


async def test_who_registers_for_a_company_that_is_gone_belongs_to_the_one_that_stayed(
    house: "House", two: dict[str, UUID], lines: "Lines"
) -> None:
    merge = await merged(house, two)
    path = f"/stops/{house.stop}/programme-items"
    house.items["more"] = await house.made(path, lines.item)
    await house.registered("dai", "more", organization={"name": CHINESE})

    assert await company_of(house, "dai") == two["kept"]
    told = await latest(house, "dai")
    assert told["organization"]["organization_id"] == str(two["kept"])
    assert told["organization"]["name"] == ENGLISH
    assert told["is_correction"] is False
    # The newcomer never was the other company's, and stays.
    assert await undone(house, merge) == (200, "")
    assert await company_of(house, "dai") == two["kept"]
    assert await company_of(house, "bo") == two["gone"]


async def test_who_registers_in_the_moment_of_a_merge_is_not_left_behind(
    house: "House", two: dict[str, UUID]
) -> None:
    async with house.database.transaction() as connection:
        await store.lock(connection, list(two.values()))
        newcomer = asyncio.create_task(
            house.registered("dai", "dinner", organization={"name": CHINESE})
        )
        async with asyncio.timeout(60):
            # By another connection: inside a transaction these numbers stand still.
            while not await house.rows(WAITING):
                await asyncio.sleep(0.02)
        await store.set_merged_into(connection, two["gone"], two["kept"])
    await newcomer

    assert await company_of(house, "dai") == two["kept"]


async def test_a_chain_of_merges_leads_to_the_last_and_is_undone_from_its_end(
    house: "House", two: dict[str, UUID]
) -> None:
    await house.registered("eve", "dinner", organization={"name": "Third Co."})
    third = await company_of(house, "eve")
    await name_all(house)
    before = await state(house)
    first = await merged(house, two)
    second = await merged(house, {"kept": third, "gone": two["kept"]})
    await house.registered("fay", "dinner", organization={"name": CHINESE})

    assert await company_of(house, "fay") == third
    assert await undone(house, first) == (409, "merged_since")
    assert await undone(house, second) == (200, "")
    assert await undone(house, first) == (200, "")
    after = await state(house)
    assert after["companies"] == before["companies"]
    assert [row for row in after["people"] if row in before["people"]] == before["people"]


async def test_an_undo_that_would_lose_a_later_change_is_refused(
    house: "House", two: dict[str, UUID]
) -> None:
    merge = await merged(house, two)
    await house.rows("UPDATE organization SET size = '500+' WHERE id = $1", two["kept"])
    before = await state(house)

    assert await undone(house, merge) == (409, "changed_since")
    assert await state(house) == before


async def test_an_undo_refuses_when_somebody_went_to_a_third_company(
    house: "House", two: dict[str, UUID]
) -> None:
    await house.registered("eve", "dinner", organization={"name": "Third Co."})
    merge = await merged(house, two)
    await house.rows(
        "UPDATE person SET organization_id = $1 WHERE email = 'bo@example.com'",
        await company_of(house, "eve"),
    )
    before = await state(house)

    assert await undone(house, merge) == (409, "moved_since")
    assert await state(house) == before


async def test_an_undo_passes_over_what_is_gone_for_good(
    house: "House", two: dict[str, UUID]
) -> None:
    merge = await merged(house, two)
    await house.rows("DELETE FROM listing WHERE kind = 'offer'")

    assert await undone(house, merge) == (200, "")
    assert await company_of(house, "bo") == two["gone"]


async def test_nobody_who_is_erased_is_told_of_again(house: "House", two: dict[str, UUID]) -> None:
    await house.rows("UPDATE person SET erased_at = now() WHERE email = 'bo@example.com'")

    assert (await merged(house, two))["told"] == 1
    assert await company_of(house, "bo") == two["kept"]


async def test_two_merges_that_meet_happen_once(house: "House", two: dict[str, UUID]) -> None:
    turned = {"kept": two["gone"], "gone": two["kept"]}
    answers = await asyncio.gather(
        *(
            house.post(
                f"/api/v1/organizations/{pair['kept']}/merges",
                {"organization_id": str(pair["gone"])},
                house.boss,
            )
            for pair in (two, turned, two)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_what_a_company_has_once_is_decided_before_a_merge(
    house: "House", two: dict[str, UUID]
) -> None:
    await house.rows(
        "CREATE TABLE prize (organization_id uuid PRIMARY KEY REFERENCES organization)"
    )
    try:
        for one in two.values():
            await house.rows("INSERT INTO prize VALUES ($1)", one)
        before = await state(house)
        path = f"/api/v1/organizations/{two['kept']}/merges"
        answer = await house.post(path, {"organization_id": str(two["gone"])}, house.boss)
        assert (answer.status_code, answer.json()["code"]) == (409, "both_have_one")
        assert "prize" in answer.json()["detail"]
        assert await state(house) == before

        await house.rows("DELETE FROM prize WHERE organization_id = $1", two["kept"])
        merge = await merged(house, two)
        assert [tuple(row) for row in await house.rows("SELECT * FROM prize")] == [(two["kept"],)]
        assert await undone(house, merge) == (200, "")
        assert [tuple(row) for row in await house.rows("SELECT * FROM prize")] == [(two["gone"],)]
    finally:
        await house.rows("DROP TABLE prize")


@pytest.mark.parametrize("other", ["itself", "nobody", "elsewhere"])
async def test_only_two_companies_of_one_mission_are_merged(
    house: "House", two: dict[str, UUID], other: str
) -> None:
    ids = {"itself": two["kept"], "nobody": uuid4(), "elsewhere": two["gone"]}
    if other == "elsewhere":
        mission = {**_mission(), "slug": "second"}
        second = await house.made("/missions", mission)
        await house.rows(
            "UPDATE organization SET mission_id = $1 WHERE id = $2", second, two["gone"]
        )
    path = f"/api/v1/organizations/{two['kept']}/merges"
    answer = await house.post(path, {"organization_id": str(ids[other])}, house.boss)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/organization_id"


def _mission() -> dict[str, Any]:
    return {
        "title": {"en": "Second", "zh": "第二"},
        "summary": {"en": "Second"},
        "starts_on": "2023-11-06",
        "ends_on": "2023-11-11",
        "home_country": "US",
        "host_country": "CN",
        "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
    }


async def test_what_is_gone_is_not_merged_again(house: "House", two: dict[str, UUID]) -> None:
    await merged(house, two)
    path = f"/api/v1/organizations/{two['kept']}/merges"
    answer = await house.post(path, {"organization_id": str(two["gone"])}, house.boss)

    assert (answer.status_code, answer.json()["code"]) == (409, "already_merged")


async def test_a_merge_that_is_sent_twice_happens_once(
    house: "House", two: dict[str, UUID]
) -> None:
    path = f"/api/v1/organizations/{two['kept']}/merges"
    body = {"organization_id": str(two["gone"])}
    answers = [await house.post(path, body, house.boss, key="once") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(await house.rows("SELECT FROM organization_merge")) == 1


async def test_duplicates_are_listed_with_reasons_until_somebody_tells_them_apart(
    house: "House", two: dict[str, UUID]
) -> None:
    await house.registered("eve", "dinner", organization={"name": "Sunbright Solar Inc."})
    await name_all(house)
    path = f"/api/v1/organizations/duplicates?mission_id={house.mission}"
    (pair,) = (await house.get(path, house.boss)).json()["items"]

    assert (pair["kept"]["id"], pair["gone"]["id"]) == (str(two["kept"]), str(two["gone"]))
    assert (pair["score"], pair["reasons"]) == (0.85, ["same_sound"])
    distinct = f"/api/v1/organizations/{two['gone']}/distinctions"
    for _ in range(2):
        answer = await house.post(distinct, {"organization_id": str(two["kept"])}, house.boss)
        assert answer.status_code == 200
    assert (await house.get(path, house.boss)).json() == {"items": [], "next": None}
    actions = await house.rows("SELECT action FROM audit_entry WHERE action LIKE 'organization%'")
    assert [row["action"] for row in actions] == ["organization.told_apart"]


@pytest.mark.usefixtures("two")
async def test_companies_are_listed_and_looked_through_page_by_page(house: "House") -> None:
    await house.registered("eve", "dinner", organization={"name": "Third Co."})
    await name_all(house)
    pages: dict[str, list[Any]] = {}
    for kind in ("", "/duplicates"):
        path = f"/api/v1/organizations{kind}?mission_id={house.mission}&limit=1"
        after, found = "", []
        for _ in range(4):
            page = (await house.get(path + after, house.boss)).json()
            found += page["items"]
            after = f"&after={page['next']}"
            if page["next"] is None:
                break
        pages[kind] = found

    assert [one["name"] for one in pages[""]] == [ENGLISH, "Third Co.", CHINESE]
    assert len(pages["/duplicates"]) == 1


async def test_a_merge_and_its_undo_are_in_the_audit_trail(
    house: "House", two: dict[str, UUID]
) -> None:
    await undone(house, await merged(house, two))

    rows = await house.rows(
        "SELECT action, actor_id, subject_id FROM audit_entry WHERE action LIKE 'organization%' "
        "ORDER BY at"
    )
    assert [tuple(row) for row in rows] == [
        ("organization.merged", house.boss.subject, two["kept"]),
        ("organization.merge_undone", house.boss.subject, two["kept"]),
    ]


@pytest.mark.parametrize("role", ["partner_staff", "door_staff", "local", None])
async def test_mission_staff_alone_sees_and_merges_companies(
    house: "House", two: dict[str, UUID], role: Any
) -> None:
    merge = await merged(house, two)
    who = house.someone(role, partner_id=house.partner) if role else None
    refused = 403 if role else 401
    body = {"organization_id": str(two["gone"])}

    for path in ("", "/duplicates", "/merges"):
        path = f"/api/v1/organizations{path}?mission_id={house.mission}"
        assert (await house.get(path, who)).status_code == refused
    for path in (f"{two['kept']}/merges", f"{two['kept']}/distinctions"):
        answer = await house.post(f"/api/v1/organizations/{path}", body, who)
        assert answer.status_code == refused
    path = f"/api/v1/organizations/merges/{merge['id']}/undo"
    assert (await house.post(path, None, who)).status_code == refused
    assert (await house.get(f"/api/v1/organizations/{two['kept']}", who)).status_code == refused


async def test_the_staff_of_another_mission_merges_nothing_here(
    house: "House", two: dict[str, UUID]
) -> None:
    other = house.someone("mission_staff", mission_id=uuid4())
    path = f"/api/v1/organizations/{two['kept']}/merges"
    answer = await house.post(path, {"organization_id": str(two["gone"])}, other)

    assert answer.status_code == 403


async def test_the_page_shows_pairs_side_by_side_merges_and_takes_back(
    house: "House", two: dict[str, UUID]
) -> None:
    await name_all(house)
    path = f"/desk/missions/{house.mission}/companies"
    page = await house.page(path, house.boss)
    assert "Probably the same company" in page
    assert f"/desk/companies/{two['kept']}/merge/{two['gone']}" in page
    assert path in await house.page("/desk", house.boss)

    merge = await house.send(f"/desk/companies/{two['kept']}/merge/{two['gone']}", who=house.boss)
    assert merge.status_code == 303
    done = await house.page(merge.headers["location"], house.boss, lang="zh")
    assert f"已将“{CHINESE}”并入“{CHINESE}”" in done
    assert "未发现疑似重复的企业" in done
    undo = done.split('action="/desk/company-merges/')[1].split("/")[0]
    back = await house.send(f"/desk/company-merges/{undo}/undo", who=house.boss)
    assert "are two companies again" in await house.page(back.headers["location"], house.boss)
    assert await company_of(house, "bo") == two["gone"]


async def test_the_page_says_why_a_merge_cannot_be_taken_back(
    house: "House", two: dict[str, UUID]
) -> None:
    merge = await merged(house, two)
    await house.rows("UPDATE organization SET size = '500+' WHERE id = $1", two["kept"])
    answer = await house.send(f"/desk/company-merges/{merge['id']}/undo", who=house.boss)

    assert answer.status_code == 409
    assert "an undo would lose that" in answer.text
    again = await house.send(f"/desk/companies/{two['kept']}/merge/{two['gone']}", who=house.boss)
    assert again.status_code == 409
    assert "merged meanwhile" in again.text


async def test_two_that_do_not_look_alike_are_compared_when_chosen(
    house: "House", two: dict[str, UUID]
) -> None:
    await house.registered("eve", "dinner", organization={"name": "Third Co."})
    third = await company_of(house, "eve")
    path = f"/desk/missions/{house.mission}/companies"
    page = await house.page(f"{path}?c={two['kept']}&c={third}", house.boss)
    assert f"/desk/companies/{third}/merge/{two['kept']}" in page
    half = await house.page(f"{path}?c={third}", house.boss)
    assert "exactly two" in half

    apart = await house.send(f"/desk/companies/{third}/distinct/{two['kept']}", who=house.boss)
    assert apart.status_code == 303
    assert len(await house.rows("SELECT FROM organization_distinct")) == 1


async def test_companies_are_searched_on_the_page(house: "House", two: dict[str, UUID]) -> None:
    await house.registered("eve", "dinner", organization={"name": "Third Co."})
    await name_all(house)
    path = f"/desk/missions/{house.mission}/companies?q="

    found = await house.page(path + "cxkj", house.boss)
    assert str(two["gone"]) in found
    assert "Third" not in found
    assert "No company found" in await house.page(path + "nobody", house.boss)


@pytest.mark.parametrize("role", ["partner_staff", "door_staff"])
async def test_other_staff_neither_sees_nor_is_led_to_companies(
    house: "House", two: dict[str, UUID], role: Any
) -> None:
    who = house.someone(role, partner_id=house.partner)
    path = f"/desk/missions/{house.mission}/companies"

    assert path not in await house.page("/desk", who)
    await house.page(path, who, status=403)
    path = f"/desk/companies/{two['kept']}/merge/{two['gone']}"
    assert (await house.send(path, who=who)).status_code == 403
