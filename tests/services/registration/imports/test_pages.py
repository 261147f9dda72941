"""The steps of a list as somebody takes them on a phone, without JavaScript."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tests.services.registration.imports.sending import row, staff, table, worked

if TYPE_CHECKING:
    import httpx2

    from shared.access import Principal
    from tests.services.registration.conftest import House

LIST = table(
    row("ana", sectors="锂电池"),
    row("bo", email="bo at example.com"),
    header="姓名,公司名称,代码,邮箱,职务,行业",
)


async def uploaded(
    house: "House", who: "Principal", content: bytes, **form: Any
) -> "httpx2.Response":
    fields = {"item": str(house.items["talks"]), "key": str(uuid4())} | form
    return await house.client.post(
        f"/partner/{house.partner}/imports",
        data=fields,
        files={"file": ("名单.csv", content)} if content else {},
        headers=house.browser(who),
    )


NAMES = ["full_name", "organization", "registration_number", "email", "position", "sectors"]
COLUMNS = {f"column-{place}": name for place, name in enumerate(NAMES)}


async def checked(house: "House", who: "Principal", content: bytes) -> str:
    """Upload a list, say what its columns mean, and give where it is shown."""
    path: str = (await uploaded(house, who, content)).headers["location"]
    assert (await house.send(f"{path}/columns", COLUMNS, who)).status_code == 303
    await worked(house)
    return path


async def test_a_list_is_uploaded_and_its_columns_are_said(house: "House") -> None:
    who = staff(house)
    start = await house.page(f"/partner/{house.partner}/imports", who)
    assert "Send a list" in start
    assert "Guangzhou · Morning talks" in start

    answer = await uploaded(house, who, LIST)
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    columns = await house.page(path, who, lang="zh")
    assert "核对各列含义" in columns
    assert 'value="email" selected' in columns
    assert "锂电池" in columns

    # The number has a header that nobody knows; without a company nothing goes on.
    wrong = await house.send(f"{path}/columns", COLUMNS | {"column-1": ""}, who)
    assert wrong.status_code == 422
    assert "Say which column is this: Company." in wrong.text
    twice = await house.send(f"{path}/columns", COLUMNS | {"column-4": "email"}, who)
    assert "“E-mail” can be one column only; it is chosen for D, E." in twice.text
    assert (await house.send(f"{path}/columns", COLUMNS, who)).status_code == 303
    running = await house.page(path, who)
    assert "The rows are being checked" in running
    assert 'http-equiv="refresh"' in running

    # What the columns mean is known from now on.
    again = (await uploaded(house, who, LIST)).headers["location"]
    assert 'value="registration_number" selected' in await house.page(again, who)


async def test_what_was_checked_is_looked_at_and_applied(house: "House") -> None:
    who = staff(house)
    path = await checked(house, who, LIST)
    looked = await house.page(path, who)
    assert "Nothing is applied yet" in looked
    assert "is not an e-mail address" in looked
    assert "E-mail (column D)" in looked
    assert "Rows that cannot be registered and are left out: 2. Say above which sector" in looked
    assert "邮箱（D 列）" in await house.page(path, who, lang="zh")
    assert "Which sector is meant?" in looked
    meant = {"value-0": "锂电池", "sector-0": "batteries"}
    assert (await house.send(f"{path}/values", meant, who)).status_code == 303
    await worked(house)
    looked = await house.page(path, who)
    assert "Which sector is meant?" not in looked

    apply = {"kind": "new", "key": str(uuid4())}
    refused = await house.send(f"{path}/apply", apply, who)
    assert (refused.status_code, "confirm that these people agreed" in refused.text) == (422, True)
    for _ in range(2):
        done = await house.send(f"{path}/apply", apply | {"consent": "yes"}, who)
        assert done.status_code == 303
    await worked(house)

    result = await house.page(path, who, lang="zh")
    assert "导入结果" in result
    assert "下载结果" in result
    assert await house.statuses() == {"ana": "confirmed"}


async def test_a_sector_is_chosen_beforehand_where_it_is_clear_which_one_is_meant(
    house: "House",
) -> None:
    who = staff(house)
    path = await checked(house, who, table(row("ana", sectors="锂电池"), row("bo", sectors="奇异")))
    looked = await house.page(path, who)
    assert '<option value="batteries" selected>Batteries (suggested)' in looked
    assert "We think this one is meant" in looked
    assert "We know nothing like it" in looked
    assert looked.count(" selected>") == 1


async def test_a_sector_is_left_out_and_a_row_with_another_one_is_registered(
    house: "House",
) -> None:
    who = staff(house)
    rows = (row("ana", sectors="电池；奇异"), row("bo", sectors="奇异"))
    path = await checked(house, who, table(*rows))
    await house.send(f"{path}/values", {"value-0": "奇异", "sector-0": "-"}, who)
    await worked(house)

    looked = await house.page(path, who)
    assert "Which sector is meant?" not in looked
    assert "Sectors (column F): </strong>This is missing." in looked
    apply = {"kind": "new", "key": str(uuid4()), "consent": "yes"}
    await house.send(f"{path}/apply", apply, who)
    await worked(house)
    assert await house.statuses() == {"ana": "confirmed"}


async def test_a_list_that_was_stopped_says_so(house: "House") -> None:
    who = staff(house)
    path = await checked(house, who, table(row("ana")))
    assert (await house.send(f"{path}/cancel", None, who)).status_code == 303
    looked = await house.page(path, who)
    assert "This list was stopped" in looked
    assert 'name="consent"' not in looked
    assert "此名单已停止" in await house.page(path, who, lang="zh")


async def test_changes_are_shown_side_by_side_and_taken_over_row_by_row(house: "House") -> None:
    who = staff(house)
    rows = [row("ana", company=1), row("bo", company=2)]
    for content in (
        table(*rows),
        table(row("ana", company=1, position="总监"), row("eva", company=3)),
    ):
        path = await checked(house, who, content)
        assert "left out" not in await house.page(path, who)
        apply = {"kind": "new", "key": str(uuid4()), "consent": "yes"}
        await house.send(f"{path}/apply", apply, who)
        await worked(house)

    page = await house.page(f"{path}?kind=changed", who)
    assert "总监" in page
    assert "经理" in page
    assert "changed by you" in page
    gone = await house.page(f"{path}?kind=gone", who)
    assert "bo@example.com" in gone
    assert gone.index('name="consent"') < gone.index('name="rows"') < gone.index("bo@example.com")
    assert gone.count('name="consent"') == 1

    form = {"kind": "changed", "rows": "yes", "key": str(uuid4()), "consent": "yes"}
    nothing = await house.send(f"{path}/apply", form, who)
    assert (nothing.status_code, "Nothing was chosen" in nothing.text) == (409, True)
    assert (await house.send(f"{path}/apply", form | {"row": "2"}, who)).status_code == 303
    await worked(house)
    (ana,) = await house.rows("SELECT position FROM person WHERE email = 'ana@example.com'")
    assert ana["position"] == {"en": "", "zh": "总监"}
    assert (await house.statuses())["bo"] == "confirmed"

    # Who is taken out does not have to have agreed.
    form = {"kind": "gone", "rows": "yes", "row": "4", "key": str(uuid4())}
    assert (await house.send(f"{path}/apply", form, who)).status_code == 303
    await worked(house)
    assert (await house.statuses())["bo"] == "cancelled"


async def test_what_cannot_be_read_is_said_in_the_readers_language(house: "House") -> None:
    who = staff(house)
    for content, pasted, said in (
        (b"", "", "Choose a file, or paste a table."),
        (b"PK\x03\x04 no workbook", "", "This is not an Excel workbook"),
        (b"", "姓名,邮箱", "There is no row below the header."),
        (table(row("ana")) + b'\n"x', "", "never closed, in row 3, column A."),
        (b"x," * 201 + b"y", "", "There is something in row 1, column GT,"),
        (b"%PDF-1.4 no list", "", "This is not a list that can be read."),
    ):
        answer = await uploaded(house, who, content, pasted=pasted)
        assert (answer.status_code, said in answer.text) == (422, True), said
    nothing = await house.client.post(
        f"/partner/{house.partner}/imports",
        data={"item": str(house.items["talks"]), "key": str(uuid4())},
        files={"file": ("空.csv", b"")},
        headers=house.browser(who),
    )
    assert "There is nothing in this file." in nothing.text
    # What was chosen and pasted before stays.
    chosen = {"item": str(house.items["dinner"]), "pasted": "姓名,邮箱"}
    answer = await uploaded(house, who, b"", **chosen)
    assert f'value="{house.items["dinner"]}" selected' in answer.text
    assert "姓名,邮箱</textarea>" in answer.text


async def test_what_is_too_large_is_said_on_the_page_of_lists(house: "House") -> None:
    who = staff(house)
    long = {"Content-Length": str(1 << 30), "Content-Type": "multipart/form-data; boundary=x"}
    answer = await house.client.post(
        f"/partner/{house.partner}/imports", content=b"", headers=house.browser(who) | long
    )
    assert "This is too large: 32 MB at most." in answer.text
    pasted = await uploaded(house, who, b"", pasted="x" * (8 * 1024 * 1024 + 1))
    assert (pasted.status_code, "This is too large" in pasted.text) == (422, True)


async def test_nobody_else_sees_the_pages_of_a_partner(house: "House") -> None:
    path = (await uploaded(house, staff(house), LIST)).headers["location"]
    for who in (house.someone("partner_staff", partner_id=uuid4()), house.someone("local")):
        await house.page(f"/partner/{house.partner}/imports", who, status=403)
        await house.page(path, who, status=403)
    elsewhere = path.replace(str(house.partner), str(uuid4()))
    await house.page(elsewhere, house.boss, status=404)
