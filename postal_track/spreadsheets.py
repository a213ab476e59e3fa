"""Spreadsheets in and out: XLSX, CSV and what was pasted become rows of plain text.

Nothing in a file is ever computed or followed: a formula is text that says so. What
goes out is text where it is text, so that no cell of ours becomes a formula in somebody
else's program. Knows no column's meaning.
"""

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.drawing.image import Image
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter

from postal_track.errors import BadInput, Problem

LARGEST_FILE = 2 * 1024 * 1024
LARGEST_INSIDE = 24 * 1024 * 1024
"""What an XLSX may hold once unpacked: a bomb is told by what it says of itself."""

MOST_PARTS = 500
MOST_ROWS = 5_000
MOST_COLUMNS = 60
LONGEST_CELL = 500

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"

_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_KEPT_AS_TEXT = re.compile(r'="([^"]*)"')
_FAULT = re.compile(r"#(REF|N/A|VALUE|NAME|DIV/0|NUM|NULL|SPILL|CALC)[!?]?")

# Reading is work for the processor: one file at a time leaves the rest to the scans.
_one_at_a_time = asyncio.Semaphore(1)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a person sees it in the sheet, and its cells as text.

    Days are ISO. A formula begins with ``=``.
    """

    number: int
    cells: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing was written in it."""
        return not any(self.cells)


def _bad(detail: str, detail_vi: str) -> BadInput:
    return BadInput((Problem("file", detail, detail_vi),))


async def read(data: bytes) -> list[list[Row]]:
    """Read a file into its sheets, each without empty rows; a CSV is one sheet.

    Raises ``BadInput`` on ``file`` for what is no spreadsheet, too large, or packed so
    that it would become so.
    """
    if len(data) > LARGEST_FILE:
        raise _bad(
            "The file is larger than 2 MB: split the list.",
            "Tệp lớn hơn 2 MB: hãy chia nhỏ danh sách.",
        )
    if not data:
        raise _bad("Choose a file.", "Hãy chọn tệp.")
    if data.startswith(_OLD_EXCEL):
        raise _bad(
            "This is an old or a locked Excel file: save it as .xlsx without password.",
            "Tệp Excel cũ hoặc có mật khẩu: hãy lưu lại dạng .xlsx, bỏ mật khẩu.",
        )
    async with _one_at_a_time:
        sheets = await asyncio.to_thread(_read, data)
    if not any(sheets):
        raise _bad("There is nothing in the file.", "Tệp không có nội dung.")
    return sheets


def _read(data: bytes) -> list[list[Row]]:
    return _workbook(data) if data.startswith(_ZIP) else [text(_decoded(data))]


def _workbook(data: bytes) -> list[list[Row]]:
    try:
        _measured(data)
        book = load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        try:
            return [_sheet(sheet) for sheet in book.worksheets]
        finally:
            book.close()
    except BadInput:
        raise
    # The library answers broken files with whatever it stumbles over.
    except (
        AttributeError,
        EOFError,
        KeyError,
        IndexError,
        OSError,
        OverflowError,
        ParseError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as fault:
        raise _bad(
            "The file cannot be read as .xlsx: open it in Excel and save it again.",
            "Không đọc được tệp .xlsx: hãy mở bằng Excel và lưu lại.",
        ) from fault


def _measured(data: bytes) -> None:
    """Refuse an archive that unpacks into more than a list of names can need.

    Python's own reader never gives more of a part than the archive says it has.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    inside = sum(part.file_size for part in parts)
    if inside > LARGEST_INSIDE or len(parts) > MOST_PARTS:
        raise _bad(
            "The file holds too much: copy the list into a new workbook.",
            "Tệp chứa quá nhiều dữ liệu: hãy chép danh sách sang tệp mới.",
        )


def _sheet(sheet: Any) -> list[Row]:
    rows = []
    given = sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS)
    for number, cells in enumerate(given, 1):
        row = Row(number, _trimmed(_text(cell.value) for cell in cells))
        if row.empty:
            continue
        if number > MOST_ROWS:
            raise _too_many()
        rows.append(row)
    return rows


def _too_many() -> BadInput:
    return _bad(
        f"More than {MOST_ROWS} rows: split the list.",
        f"Nhiều hơn {MOST_ROWS} dòng: hãy chia nhỏ danh sách.",
    )


def _text(value: Any) -> str:
    """Say a cell as text; whole numbers without a point, days as ISO."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str | int | float | bool):
        return _line(str(value))
    formula = getattr(value, "text", None)  # an array formula is an object
    return f"={formula or ''}".replace("==", "=")


def _line(value: str) -> str:
    return " ".join(value.split())[:LONGEST_CELL]


def _trimmed(cells: Iterable[str]) -> tuple[str, ...]:
    kept = list(cells)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _decoded(data: bytes) -> str:
    """Read a text file as UTF-8, or as what Excel calls Unicode text."""
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as fault:
        raise _bad(
            "The file is not UTF-8: in Excel choose “CSV UTF-8” or save it as .xlsx.",
            "Tệp không phải UTF-8: trong Excel hãy chọn “CSV UTF-8” hoặc lưu .xlsx.",
        ) from fault


def text(given: str) -> list[Row]:
    """Read CSV or what was pasted out of a spreadsheet: tabs, semicolons or commas."""
    given = given.removeprefix("\ufeff").replace("\x00", "")
    lines = given.splitlines()
    skipped = 0
    if lines and lines[0].lower().startswith("sep="):  # Excel's own hint
        lines, skipped = lines[1:], 1
    reader = csv.reader(lines, delimiter=_separator(lines))
    rows: list[Row] = []
    try:
        for cells in reader:
            row = Row(reader.line_num + skipped, _trimmed(map(_unquoted, cells)))
            if row.empty:
                continue
            if len(rows) >= MOST_ROWS:
                raise _too_many()
            rows.append(Row(row.number, row.cells[:MOST_COLUMNS]))
    except csv.Error as fault:
        raise _bad(
            f"Line {reader.line_num} cannot be read.",
            f"Không đọc được dòng {reader.line_num}.",
        ) from fault
    return rows


def _separator(lines: Sequence[str]) -> str:
    """Tell what stands between cells: what the first lines have most of."""
    sample = "\n".join(lines[:20])
    if "\t" in sample:
        return "\t"
    bare = re.sub(r'"[^"]*"', "", sample)
    return max(";,", key=bare.count) if re.search("[;,]", bare) else "\t"


def _unquoted(cell: str) -> str:
    """Take the text out of ``="00123"``, as programs write it to keep its zeros."""
    kept = _KEPT_AS_TEXT.fullmatch(cell.strip())
    return _line(kept[1] if kept else cell)


def computed(cell: str) -> bool:
    """Whether a cell is a formula, or what is left of one that failed."""
    return cell.startswith("=") or _FAULT.fullmatch(cell) is not None


# Out


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: its heading, how wide it is, whether it holds numbers."""

    heading: str
    width: int
    number: bool = False


_THIN = Side(style="thin", color="808080")
_GRID = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)


def write(
    title: str,
    above: Sequence[str],
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | int | None]],
    below: Sequence[str] = (),
    picture: bytes | None = None,
) -> bytes:
    """Write one sheet, ready to print; ``picture`` is a PNG for its upper right corner.

    A whole number stays one in a column of numbers; everything else is text, whatever
    it begins with.
    """
    book = Workbook()
    sheet = book.active
    sheet.title = re.sub(r"[\[\]:*?/\\]", " ", title)[:31]
    at = 1
    for line in (title, *above):
        cell = sheet.cell(at, 1)
        _put(cell, line)
        cell.font = Font(bold=at == 1, size=14 if at == 1 else 11)
        at += 1
    at += 1
    heading_row = at
    for place, column in enumerate(columns, 1):
        cell = sheet.cell(at, place)
        _put(cell, column.heading)
        cell.font, cell.border = Font(bold=True), _GRID
        cell.alignment = Alignment(wrap_text=True, vertical="center")
        sheet.column_dimensions[get_column_letter(place)].width = column.width
    for row in rows:
        at += 1
        for place, value in enumerate(row, 1):
            cell = sheet.cell(at, place)
            _put(cell, value, number=columns[place - 1].number)
            cell.border = _GRID
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    at += 1
    for line in below:
        at += 1
        _put(sheet.cell(at, 1), line)
    sheet.print_title_rows = f"{heading_row}:{heading_row}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.freeze_panes = sheet.cell(heading_row + 1, 1)
    if picture is not None:
        drawn = Image(io.BytesIO(picture))
        drawn.width = drawn.height = 96
        sheet.add_image(drawn, f"{get_column_letter(len(columns) + 2)}1")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _put(cell: Cell, value: str | int | None, *, number: bool = False) -> None:
    if number and isinstance(value, int):
        cell.value = value
        return
    if value is None:
        return
    said = ILLEGAL_CHARACTERS_RE.sub("", str(value))
    cell.value = said
    # Said aloud: the library takes what begins with "=" for a formula.
    cell.data_type = "s"
    if _RISKY.match(said):
        # Excel's own apostrophe: it stays text also when somebody edits the cell.
        cell.quotePrefix = True


_RISKY = re.compile(r"[=+\-@\t\r|%]")


def comma_separated(
    headings: Sequence[str], rows: Iterable[Sequence[str | int | None]]
) -> bytes:
    """Write CSV as Excel reads it: UTF-8 with its mark, risky text behind a quote."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(headings)
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def _harmless(value: str | int | None) -> str | int:
    if value is None or isinstance(value, int):
        return value if value is not None else ""
    return f"'{value}" if _RISKY.match(value) else value
