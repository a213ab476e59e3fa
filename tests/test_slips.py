"""Appointment slips and handover papers as PDF and XLSX, verifiable by their QR."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from openpyxl import load_workbook
from PIL import Image

from postal_track import records, slips
from postal_track.boards import today
from postal_track.errors import BadInput, NotAllowed, NotFound
from tests.cast import Cast, assemble, travel, visitor

SOON = today() + timedelta(days=7)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


def verify(number: str, digest: str) -> str:
    return f"http://localhost/records/{number}?d={digest[:32]}"


async def test_a_slip_says_what_was_received_and_when_it_is_due(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "registered", code="H01.26-9", due_on=SOON)
    (slip,) = await slips.read([waybill], cast.charlie)
    assert (slip.code, slip.due_on, slip.received_by) == ("H01.26-9", SOON, "Charlie")
    assert slip.papers == (("Đơn đề nghị", 2, 1),)
    assert await slips.read([waybill], cast.charlie) == [slip]  # the same record
    pages = pypdfium2.PdfDocument(await slips.draw([slip, slip], verify))
    assert len(pages) == 2
    text = pages[0].get_textpage().get_text_range()
    for said in ("GIẤY TIẾP NHẬN HỒ SƠ", "Nguyễn Thị Hoa", "Đơn đề nghị", "H01.26-9"):
        assert said in text
    (found,) = zxingcpp.read_barcodes(pages[0].render(scale=3).to_pil())
    assert found.text == verify(slip.number, slip.digest)
    sheet = load_workbook(io.BytesIO(await slips.sheet([slip], verify))).active
    values = [c.value for row in sheet.iter_rows() for c in row]
    assert "Nguyễn Thị Hoa" in values
    kinds = await database.fetch("SELECT what, staff FROM reading")
    assert {(r["what"], r["staff"]) for r in kinds} == {("slip", cast.charlie.staff)}


async def test_only_its_own_agency_makes_a_slip(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "registered", code="A-1", due_on=SOON)
    with pytest.raises(NotFound):
        await slips.read([waybill], cast.carol)
    with pytest.raises(NotAllowed):
        await slips.read([waybill], cast.bob)
    bare = await travel(cast, "received")
    with pytest.raises(BadInput):
        await slips.read([waybill, bare], cast.charlie)
    assert await database.fetchval("SELECT count(*) FROM reading") == 0


async def test_a_paper_as_a_sheet_says_what_the_ledger_says(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "ready", code="=1+1", due_on=SOON)
    async with await visitor(cast.charlie) as client:
        made = await client.post(
            "/desk/record",
            data={f"item.{waybill}": "00000000-0000-4000-8000-000000000001"},
        )
        number = made.headers["location"].split("/")[2]
        told = await records.find(number, cast.charlie)
        file = await client.get(f"/records/{number}/paper.xlsx")
    sheet = load_workbook(io.BytesIO(file.content)).active
    cells = [c for row in sheet.iter_rows() for c in row if c.value is not None]
    assert {c.data_type for c in cells} == {"s", "n"}  # "=1+1" is a code, no formula
    values = {str(c.value) for c in cells}
    assert {number, waybill, "=1+1"} <= {v.removeprefix("Số: ") for v in values}
    (link,) = [v for v in values if v.startswith("Kiểm tra: ")]
    # The QR leads where the words do, and there the paper is found true.
    (picture,) = sheet._images
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture._data())))
    assert f"Kiểm tra: {found.text}" == link
    assert re.search(r"d=[0-9a-f]{32}$", found.text)
    async with await visitor(None) as client:
        page = await client.get(found.text)
        assert 'data-record="sound"' in page.text
        assert (await client.get(f"/records/{number}/paper.xlsx")).status_code in (
            303,
            401,
        )
    async with await visitor(cast.carol) as client:
        refused = await client.get(f"/records/{number}/paper.xlsx")
    assert refused.status_code == 404
    assert told.sound


async def test_slips_are_made_from_the_desk(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "registered", code="A-1", due_on=SOON)
    form = {f"item.{waybill}": "00000000-0000-4000-8000-000000000001"}
    async with await visitor(cast.charlie) as client:
        pdf = await client.post("/desk/slips", data=form)
        assert pdf.content.startswith(b"%PDF")
        sheet = await client.post("/desk/slips", data=form | {"as": "xlsx"})
        assert sheet.content.startswith(b"PK")
    async with await visitor(cast.bob) as client:
        assert (await client.post("/desk/slips", data=form)).status_code == 403
