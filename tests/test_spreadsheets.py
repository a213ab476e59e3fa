"""Spreadsheets: every way a list comes in, and nothing that computes goes out."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from postal_track import spreadsheets
from postal_track.errors import BadInput
from postal_track.spreadsheets import Column, Row


def workbook(*rows: list[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def cells(rows: list[Row]) -> list[tuple[str, ...]]:
    return [row.cells for row in rows]


@pytest.mark.parametrize(
    "data",
    [
        "Mã;Ngày\nA-1;2/3/2027\n".encode(),
        "\ufeffMã,Ngày\r\nA-1,2/3/2027\r\n".encode(),
        "Mã\tNgày\nA-1\t2/3/2027".encode(),
        "Mã\tNgày\r\nA-1\t2/3/2027\r\n".encode("utf-16"),
        'sep=;\n"Mã";"Ngày"\n"A-1";"2/3/2027"'.encode(),
        '\n\nMã;Ngày\n;;;\n="A-1";2/3/2027\n'.encode(),
    ],
)
async def test_text_is_read_however_it_is_separated(data: bytes) -> None:
    (sheet,) = await spreadsheets.read(data)
    assert cells(sheet) == [("Mã", "Ngày"), ("A-1", "2/3/2027")]


async def test_a_comma_inside_quotes_does_not_separate() -> None:
    given = 'Mã;Địa chỉ\nA-1;"12, Trần Hưng Đạo, Phường Long Xuyên"'.encode()
    (sheet,) = await spreadsheets.read(given)
    assert cells(sheet)[1] == ("A-1", "12, Trần Hưng Đạo, Phường Long Xuyên")


async def test_a_workbook_is_read_as_people_see_it() -> None:
    data = workbook(
        ["DANH SÁCH"],
        [],
        ["Mã", "Ngày", "Số"],
        ["A-1", date(2027, 3, 2), 912345678],
        [26.0, datetime(2027, 3, 2, 9, 30), 1.5],  # noqa: DTZ001 (Excel has no zone)
        ["=1+1", "=HYPERLINK(1)", "#REF!"],
    )
    (sheet,) = await spreadsheets.read(data)
    assert [(row.number, row.cells) for row in sheet] == [
        (1, ("DANH SÁCH",)),
        (3, ("Mã", "Ngày", "Số")),
        (4, ("A-1", "2027-03-02", "912345678")),
        (5, ("26", "2027-03-02", "1.5")),
        (6, ("=1+1", "=HYPERLINK(1)", "#REF!")),
    ]
    assert all(map(spreadsheets.computed, sheet[-1].cells))


def repacked(data: bytes, part: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "'
    + b"ha" * 500
    + b'">'
    + b"".join(
        b'<!ENTITY %c "%s">' % (after, b"&%c;" % before * 20)
        for before, after in zip(b"abcdefg", b"bcdefgh", strict=True)
    )
    + b"]><worksheet><sheetData><row><c><v>&h;</v></c></row></sheetData></worksheet>"
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no archive",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        b"a" * (spreadsheets.LARGEST_FILE + 1),
        "Mã;Ngày\nHồ sơ".encode("cp1258", "replace"),
        repacked(workbook(["a"]), SHEET, bytes(spreadsheets.LARGEST_INSIDE)),
        repacked(workbook(["a"]), SHEET, LAUGHS),
        repacked(workbook(["a"]), SHEET, b"<worksheet><sheetData><row>"),
        repacked(workbook(["a"]), "xl/workbook.xml", b"<x/>"),
        "\n".join(["a;b"] * (spreadsheets.MOST_ROWS + 1)).encode(),
        b'a;"' + b"x" * 200_000,
    ],
    ids=[
        "nothing",
        "broken",
        "old",
        "large",
        "cp1258",
        "bomb",
        "laughs",
        "cut",
        "other",
        "long",
        "unclosed",
    ],
)
async def test_what_is_no_list_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        await spreadsheets.read(data)
    (problem,) = refused.value.problems
    assert problem.field == "file"
    assert problem.detail_vi


RISKY = ["=1+1", "+84912", "-2", "@SUM(A1)", "=HYPERLINK(A1)", "\t=1", "%0A", "|calc"]


def test_nothing_that_goes_out_is_a_formula() -> None:
    columns = [Column("Nội dung", 20), Column("Số", 8, number=True)]
    rows = [(each, 7) for each in RISKY] + [("Đặng Thị Ổi\x0b", 1)]
    data = spreadsheets.write("Sổ: [1]", ["Ngày 1"], columns, rows, ["=hết"])
    sheet = load_workbook(io.BytesIO(data)).active
    kinds = {c.data_type for line in sheet.iter_rows() for c in line if c.value}
    assert kinds == {"s", "n"}
    told = [sheet.cell(at, 1) for at in range(5, 5 + len(rows))]
    assert [c.value for c in told] == [*RISKY, "Đặng Thị Ổi"]
    assert all(c.quotePrefix for c in told[:-1])
    assert sheet.cell(5, 2).value == 7


def test_commas_separate_and_nothing_computes() -> None:
    data = spreadsheets.comma_separated(["Mã"], [[each] for each in RISKY])
    assert data.startswith(b"\xef\xbb\xbf")
    rows = spreadsheets.text(data.decode("utf-8-sig"))
    assert not [row for row in rows[1:] if row.cells[0][0] != "'"]
