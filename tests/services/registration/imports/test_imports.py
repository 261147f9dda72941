"""Lists that partners send, from their file to registrations, on a real database."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from xlsxwriter import Workbook

from services.registration.commands.imports import applying, checking
from services.registration.commands.imports.importing import LEASE
from services.registration.commands.retention import Sweeper
from services.registration.domain.people import is_credit_code
from shared.edge import BODY_BYTES_MAX
from tests.services.registration.imports.sending import (
    HEADER,
    PATH,
    applied,
    credit_code,
    importer,
    outcomes,
    read,
    row,
    sent,
    staff,
    table,
    worked,
)

if TYPE_CHECKING:
    from tests.services.registration.conftest import House


async def test_people_are_registered_in_the_order_of_the_list_and_wait_beyond_the_last_place(
    house: "House",
) -> None:
    await house.registered("early")
    import_id = await applied(
        house, table(row("ana"), row("bo"), row("ana", company=2), row("chen"))
    )

    assert await outcomes(house, import_id) == [
        (2, "confirmed", None),
        (3, "waitlisted", None),
        (4, "invalid", None),
        (5, "waitlisted", None),
    ]
    assert await house.statuses() == {
        "early": "confirmed",
        "ana": "confirmed",
        "bo": "waitlisted",
        "chen": "waitlisted",
    }
    assert await house.places() == (2, 2)
    found = await read(house, import_id)
    assert found["state"] == "finished"
    assert found["counts"]["statuses"] == {"confirmed": 1, "waitlisted": 2, "invalid": 1}
    (twice,) = (await read(house, import_id, "/rows?status=invalid"))["items"][0]["findings"]
    assert (twice["code"], twice["row"], twice["header"], twice["column"]) == (
        "twice",
        2,
        "邮箱",
        4,
    )
    assert twice["detail"] == {
        "en": "Row 2 has the same e-mail address.",
        "zh": "与第2行的邮箱地址相同。",
    }
    sources = await house.rows("SELECT source, partner_id FROM registration WHERE source <> 'self'")
    assert {(one["source"], one["partner_id"]) for one in sources} == {("import", house.partner)}


async def test_who_is_brought_has_agreed_to_take_part_and_to_nothing_that_crosses_the_border(
    house: "House",
) -> None:
    refused = await sent(house, table(row("ana")), consent="false")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "query/consent")

    await applied(house, table(row("ana")))

    consents = await house.rows("SELECT purpose, is_cross_border FROM consent")
    assert [tuple(one) for one in consents] == [("share_profile_with_the_other_side", False)]


async def test_seats_that_are_kept_for_a_partner_are_used_and_no_others(house: "House") -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}/allotments"
    kept = await house.client.put(
        f"{path}/{house.partner}", json={"seats": 1}, headers=house.headers(house.boss)
    )
    assert kept.status_code in (200, 201), kept.text
    await house.registered("early")

    import_id = await applied(house, table(row("ana"), row("bo")))

    assert [status for _, status, _ in await outcomes(house, import_id)] == [
        "confirmed",
        "waitlisted",
    ]


async def test_each_finding_names_row_and_column_in_both_languages(house: "House") -> None:
    number = credit_code(7)
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    content = table(
        row("ana", email="ana at example.com"),
        row("bo", number=wrong),
        row("chen", sectors="锂电池"),
        row("", email="dai@example.com"),
        row("eva", company=9),
    )
    import_id = await applied(house, content, validate_only="true")

    items = (await read(house, import_id, "/rows"))["items"]
    found = {
        one["row"]: [(f["code"], f.get("field"), f["column"]) for f in one["findings"]]
        for one in items
    }
    assert found == {
        2: [("email_wrong", "email", 4)],
        3: [("credit_code_wrong", "registration_number", 3)],
        4: [("sector_unknown", "sectors", 6)],
        5: [("missing", "full_name", 1)],
        6: [],
    }
    assert all(f["detail"]["en"] and f["detail"]["zh"] for one in items for f in one["findings"])
    told = await read(house, import_id)
    assert told["state"] == "checked"
    assert told["unknown_sectors"] == [
        {"value": "锂电池", "rows": 1, "suggested": ["batteries"], "is_clear": True}
    ]
    assert await house.statuses() == {}


async def test_what_is_too_long_is_said_once_with_how_long_it_may_be(house: "House") -> None:
    import_id = await applied(house, table(row("示" * 500, email="a@example.com")))

    (item,) = (await read(house, import_id, "/rows"))["items"]
    (found,) = item["findings"]
    assert (found["code"], found["field"], found["value"]) == ("too_long", "full_name", "200")


async def test_companies_and_people_that_look_alike_are_pointed_out(house: "House") -> None:
    company = {"name": "苏州绿能电池有限公司", "country": "CN", "sectors": ["batteries"]}
    await house.registered("known", organization=company, person={"full_name": "张伟"})

    import_id = await applied(
        house,
        table(
            row("ana", company=1, number="").replace(
                "苏州示例1有限公司", "苏州绿能电池股份有限公司"
            ),
            "章伟,苏州绿能电池有限公司,,zhang.wei@example.com,经理,电池",
            row("chen"),
        ),
        validate_only="true",
    )

    items = (await read(house, import_id, "/rows"))["items"]
    assert [[f["code"] for f in one["findings"]] for one in items] == [
        ["similar_company"],
        ["same_person"],
        [],
    ]
    assert [one["kind"] for one in items] == ["new"] * 3


async def test_a_workbook_is_imported_and_a_saved_map_reads_what_nobody_else_would(
    house: "House",
) -> None:
    answer = await house.client.put(
        f"/api/v1/partners/{house.partner}/import-map",
        json={
            "columns": {"联系邮件地址": "email", "备注": "-"},
            "fixed": {"country": "CN"},
            "values": {"sectors": {"锂电": "batteries"}},
        },
        headers=house.headers(staff(house)),
    )
    assert answer.status_code == 200, answer.text
    file = io.BytesIO()
    with Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["参会人", "单位", "联系邮件地址", "所属行业", "备注", "护照号"])
        sheet.write_row(1, 0, ["王芳", "示例公司", "wang@example.com", "锂电", "=x", "E12345678"])

    import_id = await applied(house, file.getvalue())

    assert await outcomes(house, import_id) == [(2, "confirmed", None)]
    stored = await house.rows("SELECT cells FROM import_row")
    assert "E12345678" not in str([list(one["cells"]) for one in stored])
    (person,) = await house.rows("SELECT full_name, native_name, language FROM person")
    assert tuple(person) == ("王芳", "王芳", "zh")


async def test_a_list_of_no_use_is_refused_and_leaves_nothing(house: "House") -> None:
    for content, code in (
        (b"", "empty"),
        (HEADER.encode(), "only_header"),
        (table(row("ana"), row("ben"), header="").lstrip(), "no_header"),
        (b"a,b\n1,2\n", "columns"),
        ("姓名,邮箱\n王,w@example.com".encode(), "columns"),
        (table(row("ana")) + b'\n"x', "quote_open"),
    ):
        answer = await sent(house, content)
        assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert await house.rows("SELECT FROM import_list") == []


async def test_more_than_may_be_sent_is_refused_before_it_is_read(house: "House") -> None:
    headers = house.headers(staff(house)) | {"Idempotency-Key": "a", "Content-Length": str(1 << 30)}
    asked = {
        "programme_item_id": str(house.items["talks"]),
        "partner_id": str(house.partner),
        "consent": "true",
    }
    answer = await house.client.post(PATH, params=asked, content=b"", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    # More than other requests may have is a list of usual size.
    long = table(*(row(f"p{n}") + "," + "x" * 3_000 for n in range(500)), header=HEADER + ",备注")
    assert len(long) > BODY_BYTES_MAX
    assert (await sent(house, long)).status_code == 202


async def test_a_list_sent_again_with_its_key_is_one_list_and_another_body_is_refused(
    house: "House",
) -> None:
    who = staff(house)
    first, second = [await sent(house, table(row("ana")), who, key="same") for _ in range(2)]
    other = await sent(house, table(row("bo")), who, key="same")

    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert other.json()["code"] == "idempotency_key_reused"
    assert len(await house.rows("SELECT FROM import_list")) == 1


async def test_a_worker_killed_at_any_row_is_followed_by_one_that_doubles_nothing(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "CHUNK", 7)
    monkeypatch.setattr(applying, "CHUNK", 5)
    people = [f"p{number:02d}" for number in range(23)]
    answer = await sent(house, table(*(row(name, company=n) for n, name in enumerate(people))))
    now = datetime.now(UTC)
    works = importer(house)
    for cut in range(1, 40):
        # Cut off wherever it is by then: in the middle of a statement as between two.
        task = asyncio.create_task(works.work(now))
        for _ in range(cut):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        now += LEASE + timedelta(seconds=1)
    await worked(house, now)

    import_id = answer.json()["id"]
    assert await house.places() == (2, 21)
    assert list(await house.statuses()) == people
    told = await outcomes(house, import_id)
    rows = await house.rows(
        "SELECT r.row, r.status, registration.status AS truth FROM import_row AS r "
        "JOIN registration ON registration.id = r.registration_id ORDER BY r.row"
    )
    assert [(one["row"], one["truth"], None) for one in rows] == told
    events = await house.told()
    assert events.count("participant.confirmed") + events.count("participant.waitlisted") == 23


async def test_the_same_list_again_changes_nothing(house: "House") -> None:
    content = table(row("ana"), row("bo"))
    await applied(house, content)
    before = await house.told()

    import_id = await applied(house, content)

    assert [status for _, status, _ in await outcomes(house, import_id)] == ["unchanged"] * 2
    assert await house.told() == before


async def test_the_next_list_is_compared_and_nothing_of_it_is_applied_unseen(
    house: "House",
) -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}"
    changed = await house.client.patch(
        path, json={"capacity": 9}, headers=house.headers(house.boss)
    )
    assert changed.status_code == 200, changed.text
    names = ("ana", "bo", "chen", "dai", "eva")
    await applied(house, table(*(row(name, company=n) for n, name in enumerate(names))))
    (chen,) = await house.rows(
        "SELECT r.id, revision FROM registration AS r JOIN person ON person.id = r.person_id "
        "WHERE email = 'chen@example.com'"
    )
    await house.client.patch(
        f"/api/v1/registrations/{chen['id']}",
        json={
            "person": {
                "full_name": "chen",
                "email": "chen@example.com",
                "language": "en",
                "languages": ["en"],
                "position": {"zh": "主任"},
            }
        },
        headers=house.headers(house.boss) | {"If-Match": f'"{chen["revision"]}"'},
    )

    second = table(
        row("ana", company=0),
        row("bo", company=1, position="总监"),
        row("chen", company=2, position="总裁"),
        row("fan", company=7),
        row("eva", company=4),
    )
    import_id = await applied(house, second, apply="new")

    items = {one["row"]: one for one in (await read(house, import_id, "/rows"))["items"]}
    assert {number: (one["kind"], one["status"]) for number, one in items.items()} == {
        2: ("same", "unchanged"),
        3: ("changed", None),
        4: ("conflicting", None),
        5: ("new", "confirmed"),
        6: ("same", "unchanged"),
        7: ("gone", None),
    }
    assert items[3]["differences"] == {
        "position": {"changed_by": "theirs", "theirs": "总监", "ours": "经理"}
    }
    assert items[4]["differences"] == {
        "position": {"changed_by": "both", "theirs": "总裁", "ours": "主任"}
    }
    assert items[7]["fields"]["full_name"] == "dai"

    body = {"consent": True, "kinds": ["changed", "gone"]}
    answer = await house.post(f"{PATH}/{import_id}/apply", body, staff(house), key="a")
    assert (answer.status_code, answer.json()["chosen"]) == (202, 2), answer.text
    await worked(house)

    done = {number: status for number, status, _ in await outcomes(house, import_id)}
    assert (done[3], done[4], done[7]) == ("updated", None, "cancelled")
    positions = await house.rows("SELECT email, position FROM person ORDER BY email")
    assert [one["position"]["zh"] for one in positions] == [
        "经理",
        "总监",
        "主任",
        "经理",
        "经理",
        "经理",
    ]
    assert (await house.statuses())["dai"] == "cancelled"
    assert sorted(
        name for name, status in (await house.statuses()).items() if status != "cancelled"
    ) == [
        "ana",
        "bo",
        "chen",
        "eva",
        "fan",
    ]

    # Theirs is taken for one row alone.
    body = {"consent": True, "kinds": ["conflicting"], "rows": [4]}
    await house.post(f"{PATH}/{import_id}/apply", body, staff(house), key="b")
    await worked(house)
    third = await applied(house, second, validate_only="true")
    kinds = {one["kind"] for one in (await read(house, third, "/rows"))["items"]}
    assert kinds == {"same"}


async def test_a_list_that_is_older_than_one_applied_since_is_checked_again_first(
    house: "House",
) -> None:
    first = await applied(house, table(row("ana")), validate_only="true")
    await applied(house, table(row("ana", position="总监")))

    body = {"consent": True, "kinds": ["new", "changed"]}
    answer = await house.post(f"{PATH}/{first}/apply", body, staff(house), key="a")
    assert (answer.status_code, answer.json()["code"]) == (409, "list_changed")

    assert (await house.post(f"{PATH}/{first}/check", None, staff(house))).status_code == 202
    await worked(house)
    (item,) = (await read(house, first, "/rows"))["items"]
    assert (item["kind"], item["differences"]["position"]["changed_by"]) == ("changed", "theirs")


async def test_of_who_came_otherwise_a_partner_sees_and_changes_nothing(house: "House") -> None:
    await house.registered("ana", person={"position": {"zh": "秘密职务"}})

    import_id = await applied(house, table(row("ana")))

    (item,) = (await read(house, import_id, "/rows"))["items"]
    assert (item["kind"], item["status"]) == ("known", "already_registered")
    assert "秘密职务" not in str(item)


async def test_a_cancelled_list_goes_no_further(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "CHUNK", 1)
    answer = await sent(house, table(row("ana"), row("bo"), row("chen")))
    import_id, works, now = answer.json()["id"], importer(house), datetime.now(UTC)
    for _ in range(2):
        await works.work(now)

    stopped = await house.post(f"{PATH}/{import_id}/cancel", None, staff(house))

    assert stopped.json()["state"] == "cancelled"
    await worked(house)
    assert await house.statuses() == {"ana": "confirmed"}
    assert [status for _, status, _ in await outcomes(house, import_id)] == [
        "confirmed",
        None,
        None,
    ]


async def test_only_those_send_and_see_lists_who_may(house: "House") -> None:
    import_id = await applied(house, table(row("ana")))
    others = [
        house.someone("partner_staff", partner_id=uuid4()),
        house.someone("partner_staff", partner_id=house.partner, stop_ids=(uuid4(),)),
        house.someone("door_staff"),
        house.someone("local"),
    ]
    for who in others:
        assert (await sent(house, table(row("bo")), who)).status_code == 403, who
        for part in ("", "/rows", "/rows.csv"):
            assert (await house.get(f"{PATH}/{import_id}{part}", who)).status_code == 403
    assert (await sent(house, table(row("bo")), staff(house), side="delegation")).status_code == 403
    listed = await house.get(f"{PATH}?partner_id={house.partner}", staff(house))
    assert [one["id"] for one in listed.json()["items"]] == [import_id]


async def test_the_result_is_a_file_too_and_holds_nothing_of_people(house: "House") -> None:
    import_id = await applied(house, table(row("ana"), row("bo", email="=cmd")))
    answer = await house.get(f"{PATH}/{import_id}/rows.csv", staff(house))
    text = answer.content.decode("utf-8-sig")
    assert [line.split(",")[:3] for line in text.splitlines()[1:]] == [
        ['"2"', '"new"', '"confirmed"'],
        ['"3"', '"invalid"', '"invalid"'],
    ]
    assert "ana@example.com" not in text
    assert "Column D: “=cmd” is not an e-mail address." in text
    assert "D 列：" in text


async def test_what_rows_said_is_forgotten_with_the_person(house: "House") -> None:
    import_id = await applied(house, table(row("ana"), row("bo")))
    (ana,) = await house.rows("SELECT id FROM person WHERE email = 'ana@example.com'")
    answer = await house.post(f"/api/v1/people/{ana['id']}/erase", None, house.boss)
    if answer.status_code == 404:
        pytest.fail(answer.text)

    kept = str([dict(one) for one in await house.rows("SELECT * FROM import_row ORDER BY row")])
    kept += str([dict(one) for one in await house.rows("SELECT * FROM hosted_row")])
    assert "ana" not in kept.replace(import_id, "")
    assert "bo@example.com" in kept


def test_the_codes_of_these_tests_are_codes() -> None:
    assert all(is_credit_code(credit_code(number)) for number in (1, 7, 123_456))


async def test_what_was_written_in_lists_is_forgotten_after_thirty_days(house: "House") -> None:
    import_id = await applied(house, table(row("ana"), row("bo", email="no address")))
    now = datetime.now(UTC)

    await Sweeper(house.database).sweep(now + timedelta(days=29))
    assert (await house.rows("SELECT cells FROM import_row WHERE row = 3"))[0]["cells"] != []
    await Sweeper(house.database).sweep(now + timedelta(days=31))

    kept = await house.rows("SELECT cells, fields, address, findings FROM import_row")
    assert [tuple(one) for one in kept] == [([], None, None, [])] * 2
    told = [status for _, status, _ in await outcomes(house, import_id)]
    assert told == ["confirmed", "invalid"]
    body = {"consent": True, "kinds": ["new"]}
    again = await house.post(f"{PATH}/{import_id}/apply", body, staff(house), key="a")
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")
