"""Lists of an agency: codes with due dates, results to be brought; all or nothing."""

from __future__ import annotations

import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from openpyxl import Workbook, load_workbook
from playwright.async_api import Page

from postal_track import lists, spreadsheets
from postal_track.boards import today
from postal_track.custody import Party, PartyKind
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotYourPlace
from postal_track.lists import Checked, Done, Fate, Given, Kind, Terms
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, travel, visitor
from tests.forms import fields

SOON = today() + timedelta(days=7)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


def given(kind: Kind, *rows: str) -> Given:
    text = "\n".join(rows).replace("|", "\t")
    return lists.understand(kind, [spreadsheets.text(text)])


def codes(*rows: str) -> Given:
    return given(Kind.CODES, "Mã vận đơn|Mã hồ sơ|Ngày hẹn trả", *rows)


def results(*rows: str) -> Given:
    return given(
        Kind.RESULTS,
        "Mã hồ sơ|Thủ tục|Người nhận|Điện thoại|Địa chỉ|Số kết quả|Phải thu",
        *rows,
    )


HOA = "Nguyễn Thị Hoa|0912345678|12 Trần Hưng Đạo, Phường Long Xuyên"


def terms(cast: Cast, **changes: Any) -> Terms:
    return Terms(agency=Party(PartyKind.AGENCY, cast.agency), **changes)


def faults(rows: list[Checked]) -> dict[int, list[str]]:
    return {r.line.number: [p.field for p in r.problems] for r in rows if r.problems}


# Reading


@pytest.mark.parametrize(
    "heading",
    [
        "Mã vận đơn|Mã hồ sơ|Ngày hẹn trả",
        "STT|ma van don|MA HO SO|ngay hen tra ket qua (du kien)",
        "Ngày hẹn trả\u200b|Số hồ sơ|Số hiệu bưu gửi",
        "Waybill|Dossier code|Due date",
    ],
)
def test_headings_are_known_with_and_without_marks(heading: str) -> None:
    read = given(Kind.CODES, "DANH SÁCH HỒ SƠ", "Đơn vị: UBND", heading, "1|2|3|4")
    assert set(read.columns) == {"waybill", "code", "due_on"}
    assert [line.number for line in read.lines] == [4]


def test_three_columns_need_no_headings() -> None:
    read = given(Kind.CODES, "DH 1234 5678 5 VN|A-1|2/3/2027")
    assert read.lines[0].said == {
        "waybill": "DH 1234 5678 5 VN",
        "code": "A-1",
        "due_on": "2/3/2027",
    }


def test_columns_that_are_missing_are_named() -> None:
    with pytest.raises(BadInput) as refused:
        given(Kind.CODES, "Mã vận đơn|Người nhận", "1|2")
    assert "Mã hồ sơ, Ngày hẹn trả" in refused.value.problems[0].detail_vi


def test_what_stands_below_a_list_is_no_row() -> None:
    read = codes("DH1|A-1|2/3/2027", "||Cộng: 1", "", "||Người lập")
    assert len(read.lines) == 1


def test_a_list_is_written_as_it_is_read() -> None:
    read = results(f'A-1|1.000|Hoa "Béo"|0912|"12 a"|{1}|0')
    again = lists.understand(Kind.RESULTS, [spreadsheets.text(lists.written(read))])
    assert [line.said for line in again.lines] == [line.said for line in read.lines]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2/3/2027", date(2027, 3, 2)),
        ("02-03-2027", date(2027, 3, 2)),
        ("2.3.2027 16:30", date(2027, 3, 2)),
        ("2027-03-02", date(2027, 3, 2)),
        ("2027-03-02T00:00:00", date(2027, 3, 2)),
        ("46448", date(2027, 3, 2)),  # Excel's own number
        ("46448.5", date(2027, 3, 2)),
        ("31/02/2027", None),
        ("13/13/2027", None),
        ("2/3/27", None),
        ("", None),
        ("mai", None),
        ("٢/٣/٢٠٢٧", date(2027, 3, 2)),
        ("99999", None),
    ],
)
def test_days_are_read_as_lists_have_them(text: str, read: date | None) -> None:
    assert lists.day(text) == read


# Codes and due dates


async def test_a_list_gives_codes_and_due_dates_at_once(
    cast: Cast, database: Any
) -> None:
    waybills = [await travel(cast, "received") for _ in range(3)]
    read = codes(*(f"{w}|H-{n}|{SOON:%d/%m/%Y}" for n, w in enumerate(waybills)))
    id = uuid4()
    assert await lists.take_in(id, read, cast.charlie) == Done(3, 0, 0)
    assert await lists.take_in(id, read, cast.charlie) == Done(0, 0, 3)  # once more
    rows = await database.fetch("SELECT code FROM dossier_code ORDER BY code")
    assert [row["code"] for row in rows] == ["H-0", "H-1", "H-2"]
    lines = await database.fetch("SELECT flags FROM event WHERE step = 'registered'")
    assert [row["flags"] for row in lines] == [[]] * 3
    assert await database.fetchval("SELECT max(due_on) FROM dossier") == SOON


async def test_one_bad_row_keeps_all_the_others_out(cast: Cast, database: Any) -> None:
    good, other = await travel(cast, "received"), await travel(cast, "received")
    out = await travel(cast, "out")
    taken = await travel(cast, "registered", code="TAKEN")
    day = f"{SOON:%d/%m/%Y}"
    read = codes(
        f"{good}|A-1|{day}",
        f"DH123456785VN|A-2|{day}",
        f"{out}|A-3|{day}",
        f"{other}|TAKEN|{day}",
        f"{taken}|A-5|1/1/2020",
        f"{good}|A-6|=TODAY()",
        f"{other}|A-1|mai",
    )
    rows = await lists.check(read, cast.charlie)
    assert faults(rows) == {
        2: ["waybill", "code"],
        3: ["waybill"],
        4: ["waybill"],
        5: ["waybill", "code"],
        6: ["due_on"],
        7: ["due_on", "waybill", "due_on"],
        8: ["waybill", "code", "due_on"],
    }
    with pytest.raises(BadInput) as refused:
        await lists.take_in(uuid4(), read, cast.charlie)
    assert {"3.waybill", "5.code"} <= {p.field for p in refused.value.problems}
    count = "SELECT count(*) FROM event WHERE step = 'registered'"
    assert await database.fetchval(count) == 1


async def test_a_list_changes_what_was_said_and_says_so(cast: Cast) -> None:
    waybill = await travel(cast, "registered", code="A-1", due_on=SOON)
    same = codes(f"{waybill}|A-1|{SOON:%d/%m/%Y}")
    assert [r.fate for r in await lists.check(same, cast.charlie)] == [Fate.SAME]
    later = SOON + timedelta(days=1)
    for due, id in ((later, uuid4()), (SOON, uuid4()), (later, uuid4())):
        other = codes(f"{waybill}|A-1|{due:%d/%m/%Y}")
        assert [r.fate for r in await lists.check(other, cast.charlie)] == [
            Fate.CHANGED
        ]
        assert await lists.take_in(id, other, cast.charlie) == Done(1, 0, 0)
    assert await lists.take_in(uuid4(), same, cast.charlie) == Done(1, 0, 0)


async def test_nobody_brings_a_list_for_another_agency(cast: Cast) -> None:
    waybill = await travel(cast, "received")
    read = codes(f"{waybill}|A-1|{SOON:%d/%m/%Y}")
    assert faults(await lists.check(read, cast.carol)) == {2: ["waybill"]}
    for nobody in (cast.bob, cast.dora, cast.frank):
        with pytest.raises(NotAllowed):
            await lists.take_in(uuid4(), read, nobody)
    with pytest.raises(NotYourPlace):
        await lists.check(results(f"A-1|1.000|{HOA}"), cast.carol, terms(cast))


# Results to be brought


async def test_a_list_of_results_registers_who_receives_them(
    cast: Cast, database: Any
) -> None:
    read = results(
        f"A-1|1.000|{HOA}|7/KQ|26.000",
        "A-2|Ghi chú ly hôn|Trần Văn Ổi|912345679|4 Lê Lợi, Phường Châu Đốc|8/KQ|",
    )
    done = await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    assert done == Done(2, 2, 0)
    rows = await database.fetch(
        """
        SELECT t.name, t.phone, d.service, d.source, i.leg, i.stage, d.agency,
            array(SELECT code FROM dossier_code c WHERE c.dossier = d.id ORDER BY id)
                AS codes
        FROM dossier d JOIN person t ON t.dossier = d.id
        JOIN item i ON i.dossier = d.id ORDER BY d.id
        """
    )
    assert {row["phone"] for row in rows} == {"+84912345678", "+84912345679"}
    assert {(r["service"], r["source"], r["leg"], r["stage"]) for r in rows} == {
        ("receive", "agency", "result", "ready")
    }
    assert sorted(row["codes"] for row in rows) == [["A-1", "7/KQ"], ["A-2", "8/KQ"]]
    again = await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    assert again == Done(0, 0, 2)  # bringing it again changes nothing
    assert await database.fetchval("SELECT count(*) FROM dossier") == 2


async def test_a_known_code_announces_its_own_dossier(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "registered", code="A-1", due_on=SOON)
    read = results(f"A-1|1.000|{HOA}", f"A-2|1.000|{HOA}")
    rows = await lists.check(read, cast.charlie, terms(cast))
    assert [row.fate for row in rows] == [Fate.KNOWN, Fate.NEW]
    done = await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    assert done == Done(1, 2, 0)
    assert await database.fetchval("SELECT count(*) FROM dossier") == 2


async def test_results_may_be_registered_before_they_are_ready(
    cast: Cast, database: Any
) -> None:
    read = results(f"A-1||{HOA}")
    early = terms(cast, ready=False, procedure="1.000", postage_by="agency")
    assert await lists.take_in(uuid4(), read, cast.charlie, early) == Done(1, 0, 0)
    assert await database.fetchval("SELECT count(*) FROM item") == 0
    later = await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    assert later == Done(0, 1, 0)


async def test_rows_that_no_carrier_could_deliver_are_named(
    cast: Cast, database: Any
) -> None:
    read = results(
        f"A-1|1.000|{HOA}",
        f"A-2|Thủ tục lạ|{HOA}",
        "A-3|1.000|Hoa|12|12 Trần Hưng Đạo, Phường Long Xuyên",
        "A-4|1.000|Hoa|0912345678|Đâu đó",
        f"A-5|1.000|{HOA}||nhiều",
        f"{'x' * 60}|1.000|{HOA}",
        '=HYPERLINK("x")|1.000|Hoa|0912345678|Phường Long Xuyên',
    )
    rows = await lists.check(read, cast.charlie, terms(cast))
    assert faults(rows) == {
        3: ["procedure"],
        4: ["phone"],
        5: ["address"],
        6: ["fee"],
        7: ["code"],
        8: ["code"],
    }
    with pytest.raises(BadInput):
        await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0


# The pages


async def test_a_file_becomes_a_preview_and_then_the_ledger(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [await travel(cast, "received") for _ in range(2)]
    book = Workbook()
    book.active.append(["Danh sách"])
    book.active.append(["TT", "Mã vận đơn", "Mã hồ sơ", "Ngày hẹn trả"])
    for n, waybill in enumerate(waybills):
        book.active.append([n, waybill, f"H-{n}", SOON])
    file = io.BytesIO()
    book.save(file)
    async with await visitor(cast.charlie) as client:
        seen = await client.post(
            "/desk/lists/codes/file", files={"file": ("ds.xlsx", file.getvalue())}
        )
        assert seen.status_code == 200
        form = fields(seen.text, "/desk/lists/codes")
        for told in ("2-0-0", "0-0-2"):
            done = await client.post("/desk/lists/codes", data=form)
            assert done.headers["location"] == f"/desk/lists?kind=codes&done={told}"
        bad = form | {"list": form["list"].replace("H-0", "H-1")}
        wrong = await client.post("/desk/lists/codes", data=bad)
        assert wrong.status_code == 422
        assert "chưa nhập dòng nào" in wrong.text
        for name in ("codes", "results"):
            sample = await client.get(f"/desk/lists/{name}/sample.xlsx")
            sheets = await spreadsheets.read(sample.content)
            assert lists.understand(Kind(name), sheets).lines
        junk = {"file": ("x.xlsx", b"PK\x03\x04junk")}
        refused = await client.post("/desk/lists/codes/file", files=junk)
        assert refused.status_code == 422
        large = {"file": ("x.csv", b"a" * (3 * 1024 * 1024))}
        status = (await client.post("/desk/lists/codes/file", files=large)).status_code
        assert status in (413, 422)
        assert (await client.get("/desk/lists/nothing")).status_code == 404
    count = "SELECT count(*) FROM event WHERE step = 'registered'"
    assert await database.fetchval(count) == 2
    for actor in (cast.alice, cast.bob, cast.dora, cast.eve):
        async with await visitor(actor) as client:
            for path in ("/desk/lists", "/desk/registered"):
                assert (await client.get(path)).status_code == 403


async def test_the_list_of_what_is_registered_names_persons_and_is_written_down(
    cast: Cast, server: str, database: Any
) -> None:
    read = results(f"A-1|1.000|{HOA}|=2+3|0")
    with pytest.raises(BadInput):  # no formula comes in
        await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    read = results("A-1|1.000|+Hoa -1|0912345678|Phường Long Xuyên|7/KQ|31.500")
    await lists.take_in(uuid4(), read, cast.charlie, terms(cast))
    async with await visitor(cast.charlie) as client:
        file = await client.get("/desk/registered")
    sheet = load_workbook(io.BytesIO(file.content)).active
    cells = [c for row in sheet.iter_rows() for c in row if c.value is not None]
    values = [c.value for c in cells]
    for said in ("A-1", "+Hoa -1", "0912345678", "7/KQ"):
        assert said in values
    assert {c.data_type for c in cells} == {"s", "n"}
    rows = await database.fetch("SELECT staff, what FROM reading")
    assert [(r["staff"], r["what"]) for r in rows] == [(cast.charlie.staff, "list")]
    async with await visitor(cast.carol) as client:
        file = await client.get("/desk/registered")
    assert b"A-1" not in file.content
    async with transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM reading") == 1


async def test_a_list_in_a_browser(cast: Cast, page: Page, tmp_path: Path) -> None:
    good, bad = await travel(cast, "received"), await travel(cast, "received")
    await enter(page, cast.charlie)
    await page.goto("/desk/lists")
    await assert_accessible(page)
    day = f"{SOON:%d/%m/%Y}"
    await page.get_by_label("Chọn các ô trong Excel").fill(
        f"{good}\tA-1\t{day}\n{bad}\tA-2\thôm nào đó"
    )
    await page.get_by_role("button", name="Xem lại danh sách").click()
    await page.get_by_text("1 dòng có lỗi, chưa nhập dòng nào").wait_for()
    await assert_accessible(page)
    area = page.get_by_label("Danh sách, mỗi dòng một hồ sơ")
    await area.fill((await area.input_value()).replace("hôm nào đó", day))
    await page.get_by_role("button", name="Kiểm tra lại").click()
    await page.get_by_role("button", name="Nhập 2 dòng").wait_for()
    await assert_accessible(page)
    await page.keyboard.press("Enter")  # the button has the focus
    await page.get_by_text("Đã cấp mã và ngày hẹn cho 2").wait_for()
    await page.get_by_role("link", name="Đăng ký chuyển phát kết quả").click()
    file = tmp_path / "ds.csv"
    file.write_text(
        "Mã hồ sơ;Thủ tục;Người nhận;Điện thoại;Địa chỉ\n"
        "B-1;1.000;Nguyễn Thị Hoa;0912345678;12 Trần Hưng Đạo, Phường Long Xuyên\n",
        "utf-8-sig",
    )
    await page.get_by_label("Tệp Excel (.xlsx) hoặc CSV").set_input_files(file)
    await page.get_by_role("button", name="Xem lại tệp").click()
    await page.get_by_role("button", name="Nhập 1 dòng").click()
    await page.get_by_text("Đã đăng ký 1 kết quả").wait_for()
    await assert_accessible(page)
