"""Handover papers as PDF and XLSX, in Vietnamese, with a QR to verify them.

Draws what it is given; knows no table. The layout follows the papers of Circular
17/2017: sides, list with counts, remarks, who and when.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

import qrcode
from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from postal_track import spreadsheets
from postal_track.boards import LOCAL
from postal_track.custody import Kind, Leg, Party
from postal_track.errors import FontMissing
from postal_track.labels import FONTS
from postal_track.records import Paper, Row, Told
from postal_track.spreadsheets import Column

Say = Callable[[Leg | Kind], str]

_TITLES = {
    Paper.HANDOVER: "BIÊN BẢN GIAO NHẬN HỒ SƠ",
    Paper.RESULT: "PHIẾU BÀN GIAO KẾT QUẢ",
}
_QR_SIDE = 28 * mm
_MARGIN = 14 * mm

# Drawing is work for the processor: one file at a time leaves the rest of a process to
# the scans.
one_at_a_time = asyncio.Semaphore(1)


async def draw(told: Told, say: Say, url: str) -> bytes:
    """Draw a paper away from the event loop; ``say`` words legs and flags."""
    async with one_at_a_time:
        return await asyncio.to_thread(_draw, told, say, url)


async def draw_sheet(told: Told, say: Say, url: str) -> bytes:
    """Draw the same paper as XLSX: to be filled in, filtered and kept with others."""
    async with one_at_a_time:
        return await asyncio.to_thread(_sheet, told, say, url)


def _sheet(told: Told, say: Say, url: str) -> bytes:
    return spreadsheets.write(
        _TITLES[told.paper],
        [
            f"Số: {told.number}",
            f"Lập lúc {clock(told.made_at)}",
            f"Người lập: {_plain_name(told, told.made_by)}",
            f"Bên giao: {_joined(_plain_name(told, row.giver) for row in told.rows)}",
            f"Bên nhận: {_joined(_receiver(told, row) for row in told.rows)}",
        ],
        _COLUMNS,
        [
            (
                at,
                row.waybill,
                row.code,
                say(row.leg),
                row.originals,
                row.copies,
                row.seal_no,
                row.fee,
                _confirmed(told, row.released_by, row.released_at),
                _confirmed(told, row.by, row.at),
                " ".join([_notes(row), *(say(flag) for flag in row.flags)]).strip(),
            )
            for at, row in enumerate(told.rows, 1)
        ],
        [
            f"Cộng: {len(told.rows)} bưu gửi",
            f"Kiểm tra: {url}",
            f"SHA-256: {told.digest}",
        ],
        qr_picture(url),
    )


_COLUMNS = (
    Column("STT", 6, number=True),
    Column("Mã vận đơn", 18),
    Column("Mã hồ sơ", 26),
    Column("Loại", 20),
    Column("Bản chính", 10, number=True),
    Column("Bản sao", 10, number=True),
    Column("Niêm phong", 14),
    Column("Phải thu (đồng)", 14, number=True),
    Column("Bên giao xác nhận", 30),
    Column("Bên nhận xác nhận", 30),
    Column("Nhận xét", 34),
)


def _plain_name(told: Told, party: Party) -> str:
    named = told.names[party]
    return f"{named.name} ({named.where})" if named.where else named.name


def _receiver(told: Told, row: Row) -> str:
    return _plain_name(told, row.receiver) if row.receiver else "chưa xác định"


def _confirmed(told: Told, by: Party | None, at: datetime | None) -> str:
    return f"{_plain_name(told, by)}, {clock(at)}" if by and at else ""


def qr_picture(url: str) -> bytes:
    """Draw the QR that verifies a sheet, as PNG."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=2)
    code.add_data(url)
    file = BytesIO()
    code.make_image().save(file, format="PNG")
    return file.getvalue()


def _draw(told: Told, say: Say, url: str) -> bytes:
    file = BytesIO()
    title = _TITLES[told.paper]
    document = SimpleDocTemplate(
        file,
        pagesize=landscape(A4),
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"{title} {told.number}",
        # Invariant: the same paper gives the same file, so that a print is repeatable.
        invariant=1,
    )
    parts = [
        _head(told, title, url),
        Spacer(1, 4 * mm),
        _sides(told),
        Spacer(1, 3 * mm),
        _list(told, say),
        Spacer(1, 3 * mm),
        KeepTogether([_remarks(told, say), Spacer(1, 4 * mm), _signatures(told)]),
    ]

    def foot(canvas: Any, page: Any) -> None:
        canvas.setFont(fonts()[0], 7)
        canvas.drawString(_MARGIN, 7 * mm, f"{told.number} · SHA-256 {told.digest}")
        right = landscape(A4)[0] - _MARGIN
        canvas.drawRightString(right, 7 * mm, f"Trang {page.page}")

    document.build(parts, onFirstPage=foot, onLaterPages=foot)
    return file.getvalue()


def _head(told: Told, title: str, url: str) -> Table:
    nation = paragraph("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", bold=True, centred=True)
    motto = paragraph("Độc lập - Tự do - Hạnh phúc", bold=True, centred=True)
    named = paragraph(title, size=15, bold=True, centred=True)
    made = paragraph(
        f"Số: {told.number} · Lập lúc {clock(told.made_at)} · "
        f"Người lập: {_name(told, told.made_by)}",
        centred=True,
    )
    code = qr(url)
    check = paragraph(f"Quét để kiểm tra<br/>{told.digest[:16]}", size=7, centred=True)
    room = landscape(A4)[0] - 2 * _MARGIN
    return Table(
        [
            [
                [nation, motto, Spacer(1, 3 * mm), named, Spacer(1, mm), made],
                [code, check],
            ]
        ],
        colWidths=[room - _QR_SIDE - 8 * mm, _QR_SIDE + 8 * mm],
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("ALIGN", (1, 0), (1, 0), "CENTER"),
        ],
    )


def qr(url: str) -> Drawing:
    """Draw the QR that verifies a paper."""
    code = QrCodeWidget(url, barLevel="M", barBorder=2)
    left, bottom, right, top = code.getBounds()
    scale = (_QR_SIDE / (right - left), _QR_SIDE / (top - bottom))
    drawing = Drawing(_QR_SIDE, _QR_SIDE, transform=[scale[0], 0, 0, scale[1], 0, 0])
    drawing.add(code)
    return drawing


def _sides(told: Told) -> Table:
    givers = _joined(_name(told, row.giver) for row in told.rows)
    takers = _joined(
        _name(told, row.receiver) if row.receiver else "chưa xác định"
        for row in told.rows
    )
    return grid(
        [
            [paragraph("Bên giao", bold=True), paragraph(givers)],
            [paragraph("Bên nhận", bold=True), paragraph(takers)],
        ],
        [30 * mm, None],
    )


def _joined(names: Any) -> str:
    return "; ".join(dict.fromkeys(names))


def _list(told: Told, say: Say) -> Table:
    result = told.paper is Paper.RESULT
    heads = ["STT", "Mã vận đơn", "Mã hồ sơ", "Loại", "Bản chính", "Bản sao"]
    heads += ["Niêm phong", "Phải thu (đồng)" if result else "Thời điểm", "Ghi chú"]
    rows = [[paragraph(head, bold=True, size=8) for head in heads]]
    for number, row in enumerate(told.rows, 1):
        cells = [
            str(number),
            row.waybill,
            row.code or "-",
            say(row.leg),
            _count(row.originals),
            _count(row.copies),
            row.seal_no or "-",
            f"{row.fee:,}".replace(",", ".") if result else clock(row.at),
            _notes(row),
        ]
        rows.append([paragraph(escape(cell), size=8) for cell in cells])
    totals = [
        "",
        "Cộng",
        f"{len(told.rows)} bưu gửi",
        "",
        str(sum(row.originals or 0 for row in told.rows)),
        str(sum(row.copies or 0 for row in told.rows)),
        "",
        f"{sum(row.fee for row in told.rows):,}".replace(",", ".") if result else "",
        "",
    ]
    rows.append([paragraph(cell, size=8, bold=True) for cell in totals])
    widths = [12, 34, 42, 34, 18, 18, 26, 34, None]
    return grid(rows, [w and w * mm for w in widths], repeatRows=1)


def _notes(row: Row) -> str:
    said = []
    if row.seal_broken:
        said.append("niêm phong rách")
    if row.damaged:
        said.append("hư hỏng")
    if row.flags:
        said.append("xem nhận xét")
    if row.corrected:
        said.append("đã đính chính")
    return ", ".join(said)


def _count(number: int | None) -> str:
    return "chưa đếm" if number is None else str(number)


def _remarks(told: Told, say: Say) -> Paragraph:
    said = [
        f"{row.waybill}: {' '.join(say(flag) for flag in row.flags)}"
        for row in told.rows
        if row.flags
    ]
    return paragraph(f"<b>Nhận xét:</b> {'<br/>'.join(said) or 'Không có.'}")


def _signatures(told: Told) -> Table:
    given = {
        f"{_name(told, row.released_by)}, {clock(row.released_at)}"
        for row in told.rows
        if row.released_by and row.released_at
    }
    taken = {f"{_name(told, row.by)}, {clock(row.at)}" for row in told.rows if row.by}
    rows = [
        [paragraph(side, bold=True, centred=True) for side in ("BÊN GIAO", "BÊN NHẬN")],
        [_said(given), _said(taken)],
        [Spacer(1, 16 * mm), Spacer(1, 16 * mm)],
    ]
    return grid(rows, [None, None])


def _said(words: set[str]) -> Paragraph:
    told = "<br/>".join(sorted(words)[:4])
    more = f"<br/>và {len(words) - 4} lượt khác" if len(words) > 4 else ""
    if not words:
        return paragraph(
            "Chưa xác nhận điện tử. Ký, ghi rõ họ tên:", size=8, centred=True
        )
    return paragraph(f"Đã xác nhận điện tử: {told}{more}", size=8, centred=True)


def grid(
    rows: Sequence[Sequence[Any]], widths: Sequence[float | None], **more: Any
) -> Table:
    """Rule a table; columns without a width share what is left of a wide page."""
    room = landscape(A4)[0] - 2 * _MARGIN
    spare = [width for width in widths if width is None]
    rest = (room - sum(width or 0 for width in widths)) / max(1, len(spare))
    table = Table(rows, colWidths=[w or rest for w in widths], **more)
    table.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def paragraph(
    text: str, *, size: float = 10, bold: bool = False, centred: bool = False
) -> Paragraph:
    """Set a paragraph of markup in the paper's font."""
    plain, heavy = fonts()
    style = ParagraphStyle(
        "text",
        fontName=heavy if bold else plain,
        fontSize=size,
        leading=1.3 * size,
        alignment=1 if centred else 0,
        # A dossier code has no space to break at.
        splitLongWords=1,
    )
    return Paragraph(text, style)


def _name(told: Told, party: Party) -> str:
    """Name a party, with his place; safe inside a paragraph's markup."""
    named = told.names[party]
    where = f" ({named.where})" if named.where else ""
    return escape(f"{named.name}{where}")


def clock(moment: datetime) -> str:
    """Write a moment as papers do."""
    return moment.astimezone(LOCAL).strftime("%H:%M %d/%m/%Y")


@cache
def fonts() -> tuple[str, str]:
    """Name the plain and the bold font; raises ``FontMissing``."""
    found = {"Paper": "DejaVuSans.ttf", "Paper-Bold": "DejaVuSans-Bold.ttf"}
    for name, file in found.items():
        path = FONTS / file
        if not path.is_file():
            raise FontMissing(file)
        pdfmetrics.registerFont(TTFont(name, str(path)))
    pdfmetrics.registerFontFamily(
        "Paper",
        normal="Paper",
        bold="Paper-Bold",
        italic="Paper",
        boldItalic="Paper-Bold",
    )
    return "Paper", "Paper-Bold"
