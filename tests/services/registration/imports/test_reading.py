"""Files as partners send them, made here: nothing awkward is kept in the repository."""

import csv
import io
import struct
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook

from services.registration.domain.imports import archive
from services.registration.domain.imports.cells import column_of, letters_of
from services.registration.domain.imports.delimited import read_text
from services.registration.domain.imports.heading import Heading, headed
from services.registration.domain.imports.lines import Line, cleaned
from services.registration.domain.imports.objects import read_objects
from services.registration.domain.imports.reading import read
from services.registration.domain.imports.workbook import read_workbook
from shared.errors import Invalid
from shared.sheets import Csv, Xlsx

LIST = "姓名,公司名称,邮箱\n王芳,苏州某某电池有限公司,wang@example.com\n"


def lines(content: bytes) -> list[Line]:
    return list(read_text(io.BytesIO(content)).lines)


def cells(content: bytes) -> list[tuple[str, ...]]:
    return [line.cells for line in lines(content)]


def book(rows: list[list[Any]], **more: Any) -> io.BytesIO:
    """Make a workbook; `more`: what to do with the sheet, and formats by name."""
    file = io.BytesIO()
    with Workbook(file, more.pop("options", {})) as made:
        sheet = made.add_worksheet("名单")
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write(number, column, cell)
        for do in more.get("do", ()):
            do(made, sheet)
    file.seek(0)
    return file


def rows_of(file: io.BytesIO) -> list[Line]:
    return list(read_workbook(file).lines)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_a_list_is_read_in_the_encodings_that_people_save(encoding: str) -> None:
    assert cells(LIST.encode(encoding)) == [
        ("姓名", "公司名称", "邮箱"),
        ("王芳", "苏州某某电池有限公司", "wang@example.com"),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "，"])
def test_what_separates_cells_is_told_by_all_rows(separator: str) -> None:
    text = separator.join(["姓名", "行业"]) + "\n" + separator.join(["王芳", '"电池,储能;光伏"'])
    assert cells(text.encode())[1] == ("王芳", "电池,储能;光伏")


def test_a_pasted_table_with_commas_in_its_cells_is_separated_by_tabs() -> None:
    text = "Name\tCompany\nWang Fang\tSample Co., Ltd., Suzhou, China\n"
    assert cells(text.encode())[1] == ("Wang Fang", "Sample Co., Ltd., Suzhou, China")


def test_line_ends_may_be_mixed_and_within_quotes() -> None:
    assert cells(b'a,b\r\n1,2\r3,"x\ny"\n\n\n4,5') == [
        ("a", "b"),
        ("1", "2"),
        ("3", "x\ny"),
        ("4", "5"),
    ]


def test_a_broken_byte_is_named_by_its_row_and_column_and_spoils_no_other() -> None:
    broken = LIST.encode() + b"\xe7\x8e\x8b\xff,x,y\n" + "李,甲,li@example.com\n".encode()
    found = lines(broken)
    assert [line.marks for line in found] == [{}, {}, {0: "broken_text"}, {}]
    assert found[2].cells[0] == "王\ufffd"
    assert found[3].cells[0] == "李"


def test_a_nul_is_named_and_not_kept() -> None:
    (header, row) = lines(b"name,company\nA\x00na,b\n")
    assert (header.marks, row.marks, row.cells) == ({}, {0: "broken_text"}, ("A\ufffdna", "b"))


@pytest.mark.parametrize(
    ("rest", "pointer"),
    [(b"4,5\n6,7\n", "/rows/3/columns/2"), (b"4,5\n" * 50_000, "/rows/3")],
    ids=["to the end", "more than a cell may hold"],
)
def test_a_quotation_mark_that_is_never_closed_is_named_by_its_place(
    rest: bytes, pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        lines(b'a,b\n1,2\n3,"x\n' + rest)
    assert (refused.value.code, refused.value.faults[0].pointer) == ("quote_open", pointer)


def test_a_hundred_columns_are_read_and_too_many_are_refused() -> None:
    assert len(cells(",".join(map(str, range(100))).encode())[0]) == 100
    with pytest.raises(Invalid, match="more than 200 columns"):
        lines(",".join(map(str, range(201))).encode())


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n,,,\n", b" \r\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        headed(read_text(io.BytesIO(content)))
    assert refused.value.code == "empty"


def test_a_file_of_a_header_alone_has_no_rows() -> None:
    heading, below = headed(read_text(io.BytesIO("姓名,邮箱".encode())))
    assert (heading, list(below)) == (Heading(("姓名", "邮箱"), 1), [])


def test_a_title_above_the_header_is_passed_over_and_repeated_headers_are_named() -> None:
    text = (
        "2023年参会企业名单,,,\n填表说明：请勿合并,,,\n姓名,邮箱,公司,邮箱\n王,w@example.com,甲,\n"
    )
    heading, below = headed(read_text(io.BytesIO(text.encode())))
    assert heading.row == 3
    assert heading.repeated == (3,)
    assert [line.number for line in below] == [4]


def test_of_passports_nothing_is_read() -> None:
    text = "Name,Passport number,身份证号\nAna,E12345678,110101199003077777\n"
    _, below = headed(read_text(io.BytesIO(text.encode())))
    assert next(below).cells == ("Ana", "", "")


def test_objects_are_read_by_the_names_that_any_of_them_has() -> None:
    text = (
        b'{"full_name": "Ana", "organization": {"name": "Sample"}}\n\n'
        b'{"email": "bo@example.com", "sectors": ["a", "b"], "size": 5, "x": null}\n'
    )
    heading, below = headed(read_objects(io.BytesIO(text)))
    assert heading.headers == ("full_name", "organization.name", "email", "sectors", "size", "x")
    assert [(line.number, line.cells) for line in below] == [
        (1, ("Ana", "Sample")),
        (3, ("", "", "bo@example.com", "a; b", "5")),
    ]


@pytest.mark.parametrize("line", [b"[1]", b"{", b'{"a": "\xff"}', b'{"a": "\\ud800"}'])
def test_what_is_no_object_in_utf_8_is_named_by_its_line(line: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        list(read_objects(io.BytesIO(b'{"a": 1}\n' + line)).lines)
    assert refused.value.faults[0].pointer == "/rows/2"


def test_half_of_a_pair_is_never_stored() -> None:
    assert cleaned("a\ud800b") == ("a\ufffdb", "broken_text")


def test_a_workbook_gives_dates_as_dates_and_numbers_as_written() -> None:
    def dates(made: Workbook, sheet: Any) -> None:
        day = made.add_format({"num_format": "yyyy年m月d日"})
        sheet.write_datetime(1, 0, datetime(2023, 11, 7, 9, 30), day)  # noqa: DTZ001  # of no zone
        sheet.write_number(1, 1, 45237, made.add_format({"num_format": 14}))
        sheet.write_number(1, 2, 45237)
        sheet.write_number(1, 3, 13800138000)
        sheet.write_number(1, 4, 2.5)
        sheet.write_boolean(1, 5, True)

    row = rows_of(book([list("abcdef")], do=[dates]))[1]
    assert row.cells == ("2023-11-07 09:30", "2023-11-07", "45237", "13800138000", "2.5", "TRUE")


def test_a_number_that_excel_has_cut_and_an_error_are_named() -> None:
    def write(made: Workbook, sheet: Any) -> None:
        del made
        sheet.write_number(1, 0, 913205947820000000)
        sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")

    row = rows_of(book([["a", "b"]], do=[write]))[1]
    assert row.marks == {0: "number_cut", 1: "cell_error"}


def test_formulas_are_read_as_their_values_or_named() -> None:
    def write(made: Workbook, sheet: Any) -> None:
        del made
        sheet.write_formula(1, 0, '="Wang "&"Fang"', None, "Wang Fang")
        sheet.write_formula(1, 1, "=1+1", None, "")

    row = rows_of(book([["a", "b"]], do=[write]))[1]
    assert (row.cells, row.marks) == (("Wang Fang",), {1: "formula_without_value"})


def test_merged_header_cells_are_read_with_what_is_below_them() -> None:
    def merge(made: Workbook, sheet: Any) -> None:
        sheet.merge_range(0, 0, 0, 2, "2023 名单")
        sheet.merge_range(1, 0, 2, 0, "公司")
        sheet.merge_range(1, 1, 1, 2, "联系人")
        for column, text in enumerate(["姓名", "邮箱"], 1):
            sheet.write(2, column, text)
        sheet.write_row(3, 0, ["甲公司", "王芳", "wang@example.com"])
        del made

    heading, below = headed(read_workbook(book([], do=[merge])))
    assert heading.headers == ("公司", "联系人 / 姓名", "联系人 / 邮箱")
    assert [line.cells for line in below] == [("甲公司", "王芳", "wang@example.com")]


def test_a_header_that_is_merged_downwards_is_read_beside_lower_ones() -> None:
    def merge(made: Workbook, sheet: Any) -> None:
        sheet.merge_range(0, 0, 1, 0, "序号")
        sheet.merge_range(0, 1, 1, 1, "单位")
        sheet.merge_range(0, 2, 0, 4, "参会信息")
        for column, text in enumerate(["姓名", "邮箱", "行业"], 2):
            sheet.write(1, column, text)
        sheet.write_row(2, 0, [1, "甲公司", "王芳", "wang@example.com", "电池"])
        del made

    heading, below = headed(read_workbook(book([], do=[merge])))
    assert heading.headers == ("序号", "单位", "姓名", "邮箱", "行业")
    assert [line.cells[1] for line in below] == ["甲公司"]


def test_a_sheet_that_is_hidden_is_not_read_and_others_are_told() -> None:
    def hide(made: Workbook, sheet: Any) -> None:
        made.add_worksheet("第二").write(0, 0, "x")
        sheet.hide()
        made.add_worksheet("第三")
        made.get_worksheet_by_name("第二").set_first_sheet()
        made.get_worksheet_by_name("第二").activate()

    reading = read_workbook(book([["hidden"]], do=[hide]))
    assert reading.about == {"sheet": "第二", "other_sheets": ["第三"]}
    assert [line.cells for line in reading.lines] == [("x",)]


def test_a_cell_in_the_far_corner_makes_no_grid() -> None:
    file = book([["a"]], do=[lambda _, sheet: sheet.write(1_048_575, 3, "far")])
    assert [line.number for line in rows_of(file)] == [1, 1_048_576]
    wide = book([["a"]], do=[lambda _, sheet: sheet.write(5, 16_383, "far")])
    with pytest.raises(Invalid, match="more than 200 columns") as refused:
        rows_of(wide)
    assert refused.value.faults[0].pointer == "/rows/6/columns/16384"


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/workbook.xml", b"0" * (archive.RATIO_FROM_BYTES + 1))
    with pytest.raises(Invalid) as refused:
        read_workbook(file)
    assert refused.value.code == "unpacks_too_big"


def test_a_workbook_that_says_to_be_of_a_gigabyte_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("xl/workbook.xml", b"<workbook/>")
    content = bytearray(file.getvalue())
    size = content.index(b"PK\x01\x02") + 24
    content[size : size + 4] = struct.pack("<I", 1 << 30)
    with pytest.raises(Invalid) as refused:
        read_workbook(io.BytesIO(bytes(content)))
    assert refused.value.code == "unpacks_too_big"


def test_too_many_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ENTRIES_MAX", 3)
    with pytest.raises(Invalid) as refused:
        read_workbook(book([["a"]]))
    assert refused.value.code == "unpacks_too_big"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 and nothing", "not_a_workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old_workbook"),
    ],
)
def test_what_is_no_workbook_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_workbook(io.BytesIO(content))
    assert refused.value.code == code


def test_a_document_type_is_refused() -> None:
    file = book([["a"]])
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.infolist():
            text = old.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                text = text.replace(b"<worksheet", b'<!DOCTYPE w [<!ENTITY e "x">]><worksheet', 1)
            new.writestr(part.filename, text)
    with pytest.raises(Invalid) as refused:
        rows_of(changed)
    assert refused.value.code == "not_a_workbook"


def test_a_workbook_that_is_cut_off_is_refused_and_not_read_in_part() -> None:
    file = book([["a", "b"]] * 50)
    changed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.infolist():
            text = old.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                text = text[: len(text) * 3 // 4]
            new.writestr(part.filename, text)
    with pytest.raises(Invalid) as refused:
        rows_of(changed)
    assert refused.value.code == "not_a_workbook"


def test_the_kind_of_a_file_is_told_by_its_content() -> None:
    kinds = [read(book([["a"]])), read(io.BytesIO(LIST.encode())), read(io.BytesIO(b'{"a": 1}'))]
    assert [reading.kind for reading in kinds] == ["xlsx", "csv", "ndjson"]


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.4", b"\x89PNG\r\n", b"\xff\xd8\xff\xe0", b"{\\rtf1", b"\n<html><table>", b"<?xml?>"],
)
def test_other_kinds_of_files_are_no_lists(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        read(io.BytesIO(content))
    assert refused.value.code == "not_a_list"


@pytest.mark.parametrize(("column", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (16_383, "XFD")])
def test_columns_are_called_as_a_spreadsheet_calls_them(column: int, letters: str) -> None:
    assert letters_of(column) == letters
    assert column_of(letters) == column


PLAIN = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffd\ufeff\u200b"),
    max_size=12,
).map(lambda text: cleaned(f"x{text}x")[0][1:-1].strip())
FORMULAS = st.sampled_from(
    ["=1+1", "+44", "-1", "@x", "＝1", "'=1", "''+2", "'plain", "a'b", '"', "x\ny"]
)
TABLE = st.lists(
    st.lists(FORMULAS | PLAIN, min_size=3, max_size=3).map(lambda row: [*row, "."]),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(TABLE)
def test_what_we_export_is_read_as_the_same_rows(table: list[list[str]]) -> None:
    header = ["姓名", "公司", "邮箱", "."]
    file = io.BytesIO()
    sheet = Csv(file, header)
    sheet.write(table)
    sheet.close()
    assert [list(line.cells) for line in read_text(file).lines] == [header, *table]
    exported = file.getvalue().decode("utf-8-sig")
    for row in csv.reader(io.StringIO(exported, newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "＝")) for cell in row)


@settings(max_examples=15, deadline=None)
@given(TABLE)
def test_a_workbook_that_we_export_is_read_as_the_same_rows(table: list[list[str]]) -> None:
    header = ["姓名", "公司", "邮箱", "."]
    file = io.BytesIO()
    sheet = Xlsx(file, str(Path("/tmp")), "名单", header)  # noqa: S108  # only small parts, at once
    sheet.write(table)
    sheet.close()
    assert [list(line.cells) for line in read_workbook(file).lines] == [header, *table]
