import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

import openpyxl
import pytest

from shared.sheets import Csv

if TYPE_CHECKING:
    from shared.access import Principal
    from tests.services.registration.conftest import House

NASTY = ("=1+1", "+86 20", "-2", "@SUM(A1)", "＝1")


async def download(
    house: "House", kind: str, who: "Principal | None" = None, *, lang: str = "en", query: str = ""
) -> Any:
    headers = house.browser(who or house.boss) | {"Accept-Language": lang}
    path = f"/desk/registrations.{kind}?stop_id={house.stop}{query}"
    return await house.client.get(path, headers=headers)


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def sheet_of(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return openpyxl.load_workbook(io.BytesIO(answer.content)).active


async def test_csv_is_whole_in_both_scripts_and_says_so_to_excel(house: "House") -> None:
    await house.registered(
        "ana",
        person={"full_name": "Wang Fang", "native_name": "王芳", "position": {"zh": '经理,"副"'}},
        organization={"name": "Sample Co.", "native_name": "示例有限公司"},
    )

    answer = await download(house, "csv")
    rows = rows_of(answer)

    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.content.endswith(b"\r\n")
    assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    (row,) = rows
    assert row["Name"] == "Wang Fang"
    assert row["Name in own script"] == "王芳"
    assert row["Position"] == '经理,"副"'
    assert row["Company in own script"] == "示例有限公司"
    assert (row["State"], row["Sectors"], row["Country or region"]) == (
        "Confirmed",
        "Batteries",
        "Mainland China",
    )


async def test_headers_and_states_are_in_the_readers_language(house: "House") -> None:
    await house.registered("ana", "dinner")

    answer = await download(house, "csv", lang="zh")
    (row,) = rows_of(answer)
    sheet = sheet_of(await download(house, "xlsx", lang="zh"))

    assert row["状态"] == "待审核"
    assert row["行业"] == "电池"
    assert [cell.value for cell in sheet[1]][:2] == ["姓名", "本国文字姓名"]
    name = unquote(answer.headers["Content-Disposition"].rpartition("''")[2])
    assert name == f"报名名单-广州-{datetime.now(UTC):%Y-%m-%d}.csv"
    assert 'filename="registrations-guangzhou-' in answer.headers["Content-Disposition"]


async def test_times_are_by_the_clock_of_the_stop_and_the_zone_is_named(house: "House") -> None:
    one = await house.registered("ana")
    async with house.database.transaction() as connection:
        await connection.execute(
            "UPDATE registration SET registered_at = '2026-10-01T20:30:00Z' WHERE id = $1",
            one["id"],
        )

    (row,) = rows_of(await download(house, "csv"))
    sheet = sheet_of(await download(house, "xlsx"))
    shown = dict(zip([cell.value for cell in sheet[1]], sheet[2], strict=True))

    assert row["Registered at"] == "2026-10-02 04:30"
    assert row["Time zone"] == "Shanghai, UTC+8"
    assert shown["Registered at"].value == datetime(2026, 10, 2, 4, 30)  # noqa: DTZ001  # a cell has no zone
    assert shown["Time zone"].value == "Shanghai, UTC+8"


@pytest.mark.parametrize("nasty", NASTY)
async def test_no_cell_is_calculated(house: "House", nasty: str) -> None:
    await house.registered("ana", person={"full_name": nasty}, organization={"name": nasty})

    (row,) = rows_of(await download(house, "csv"))
    cell = sheet_of(await download(house, "xlsx"))["A2"]

    assert row["Name"] == f"'{nasty}"
    assert row["Company"] == f"'{nasty}"
    assert (cell.value, cell.data_type) == (nasty, "s")
    assert cell.quotePrefix


async def test_a_list_is_whole_and_in_its_order_across_chunks(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.store.lists.CHUNK", 3)
    names = [f"p{number:02}" for number in range(20)]
    for name in names:
        await house.registered(name)

    by_name = rows_of(await download(house, "csv", query="&sort=name"))
    waiting = rows_of(await download(house, "csv", query="&sort=oldest&status=waitlisted"))
    sheet = sheet_of(await download(house, "xlsx", query="&sort=name"))

    assert [row["Name"] for row in by_name] == [f"Sample {name}" for name in names]
    assert [row["Name"] for row in waiting] == [f"Sample {name}" for name in names[2:]]
    assert [row[0].value for row in sheet.iter_rows(min_row=2)] == [row["Name"] for row in by_name]


async def test_a_partner_downloads_its_own_people_alone(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    await house.register("ana", who=partner, source="partner_api", partner_id=str(house.partner))
    await house.registered("bo")

    theirs = rows_of(await download(house, "csv", partner))
    others = await download(house, "csv", partner, query=f"&partner_id={uuid4()}")

    assert [row["Name"] for row in theirs] == ["Sample ana"]
    assert [row["Brought by"] for row in theirs] == ["Sample Bureau"]
    assert others.status_code == 404


async def test_only_those_who_may_download(house: "House") -> None:
    for role in ("door_staff", "delegate", "local", "interpreter", "screen", "service"):
        who = house.someone(role)
        assert (await download(house, "csv", who)).status_code == 403, role
    elsewhere = house.someone("partner_staff", stop_ids=(uuid4(),), partner_id=house.partner)
    assert (await download(house, "csv", elsewhere)).status_code == 403
    stranger = house.someone("mission_staff", mission_id=uuid4())
    assert (await download(house, "csv", stranger)).status_code == 403
    assert (await house.get(f"/desk/registrations.csv?stop_id={house.stop}")).status_code == 401


async def test_a_download_is_noted_and_not_whom_it_looked_for(house: "House") -> None:
    await house.registered("ana")
    staff = house.someone("mission_staff")

    await download(house, "xlsx", staff, query="&q=sample&status=confirmed&country=CN")

    (entry,) = await house.rows(
        "SELECT actor_id, subject_id, stop_id, details FROM audit_entry "
        "WHERE action = 'list.exported'"
    )
    assert (entry["actor_id"], entry["subject_id"]) == (staff.subject, house.stop)
    assert entry["details"] == {
        "format": "xlsx",
        "rows": 1,
        "status": ["confirmed"],
        "country": "CN",
        "is_search": True,
    }


async def test_what_fails_half_way_is_no_file_and_is_not_noted(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.registered("ana")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Csv, "write", full)
    answer = await download(house, "csv")

    assert answer.status_code == 503
    assert "attachment" not in answer.headers.get("Content-Disposition", "")
    assert await house.rows("SELECT FROM audit_entry WHERE action = 'list.exported'") == []


async def test_an_empty_list_is_a_file_with_headers(house: "House") -> None:
    assert rows_of(await download(house, "csv")) == []
    sheet = sheet_of(await download(house, "xlsx"))
    assert sheet.max_row == 1


async def test_a_missions_list_has_every_stop(house: "House") -> None:
    await house.registered("ana")
    path = f"/desk/registrations.csv?mission_id={house.mission}"

    answer = await house.client.get(path, headers=house.browser(house.boss))

    assert [row["City"] for row in rows_of(answer)] == ["Guangzhou"]
