"""A dossier's receipt as one plain PDF: what was carried and who answered for it.

For whoever has the link, like the page itself: it names nobody, and its QR leads to the
public look-up, not to the page. Draws what `telling` says; knows no table.
"""

import asyncio
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import SimpleDocTemplate, Spacer, Table, TableStyle

from postal_track.followed import THING, Followed, Words, counted, written
from postal_track.papers import clock, fonts, one_at_a_time, paragraph, qr
from postal_track.s10 import spaced
from postal_track.settings import settings
from postal_track.telling import Telling

_MARGIN = 18 * mm
_ROOM = A4[0] - 2 * _MARGIN


async def draw(f: Followed, told: Telling, lang: str) -> bytes:
    """Draw it away from the event loop, in one of the two languages."""
    async with one_at_a_time:
        return await asyncio.to_thread(_draw, f, told, lang)


def _draw(f: Followed, told: Telling, lang: str) -> bytes:
    def t(words: Words) -> str:
        return escape(words.en if lang == "en" else words.vi)

    def of(vi: str, en: str) -> str:
        return t(Words(vi, en))

    file = BytesIO()
    title = of("BIÊN NHẬN HỒ SƠ", "DOSSIER RECEIPT")
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=title,
    )
    facts = [
        (of("Cơ quan giải quyết", "Agency"), t(f.names[f.agency])),
        (of("Bưu cục", "Post office"), t(f.names[f.office])),
    ]
    if f.procedure is not None:
        facts.append((of("Thủ tục", "Procedure"), t(f.procedure)))
    if f.code:
        facts.append((of("Mã hồ sơ", "Dossier code"), escape(f.code)))
    if f.due_on:
        facts.append((of("Cơ quan hẹn trả", "Result promised"), t(written(f.due_on))))
    facts += [(t(_LEGS[leg.leg].capital()), spaced(leg.waybill)) for leg in f.legs]
    papers = [
        f"{escape(paper.name)}: {t(counted(paper.originals, paper.copies))}"
        if paper.name
        else t(counted(paper.originals, paper.copies))
        for paper in f.papers
    ]
    if papers:
        facts.append((of("Giấy tờ", "Papers"), "<br/>".join(papers)))
    facts.append((of("Hiện nay", "Now"), t(told.holder)))
    lines = [
        (clock(line.at), "<br/>".join([t(line.said), *(t(w) for w in line.wrong)]))
        for line in told.story
    ]
    nothing = of("Bưu điện chưa nhận gì.", "The post has received nothing yet.")
    parts = [
        _head(title, f, of, lang),
        Spacer(1, 5 * mm),
        _grid(facts),
        Spacer(1, 6 * mm),
        paragraph(of("Những gì đã xảy ra", "What has happened"), size=12, bold=True),
        Spacer(1, 2 * mm),
        _grid(lines or [("", nothing)]),
        Spacer(1, 6 * mm),
        paragraph(
            of(
                "Biên nhận này không ghi tên ai. Từng lần giao nhận có tệp biên nhận "
                "có chữ ký số để tự kiểm tra, tải tại trang hồ sơ. Cần hỏi, xin gọi "
                f"{settings().HOTLINE}.",
                "This receipt names nobody. Each handover has a signed receipt of its "
                "own that anyone can check: see the dossier's page. Questions: "
                f"{settings().HOTLINE}.",
            ),
            size=8,
        ),
    ]

    def foot(canvas: Any, page: Any) -> None:
        canvas.setFont(fonts()[0], 7)
        said = of("Lập lúc", "Made at")
        canvas.drawString(_MARGIN, 9 * mm, f"Postal Track · {said} {clock(f.at)}")
        canvas.drawRightString(A4[0] - _MARGIN, 9 * mm, str(page.page))

    document.build(parts, onFirstPage=foot, onLaterPages=foot)
    return file.getvalue()


def _head(title: str, f: Followed, of: Any, lang: str) -> Table:
    made = of("Lập lúc", "Made at")
    left: list[Any] = [
        paragraph(title, size=17, bold=True),
        Spacer(1, 2 * mm),
        paragraph(f"{made} {clock(f.at)}"),
    ]
    if f.leg is None:
        return Table([[left]], colWidths=[_ROOM])
    look_up = f"{settings().PUBLIC_URL}/track/{f.leg.waybill}?lang={lang}"
    check = paragraph(of("Quét để tra cứu", "Scan to look it up"), size=7, centred=True)
    return Table(
        [[left, [qr(look_up), check]]],
        colWidths=[_ROOM - 36 * mm, 36 * mm],
        style=[("VALIGN", (0, 0), (-1, -1), "TOP")],
    )


def _grid(rows: list[tuple[str, str]]) -> Table:
    table = Table(
        [[paragraph(a, size=9, bold=True), paragraph(b, size=9)] for a, b in rows],
        colWidths=[42 * mm, _ROOM - 42 * mm],
    )
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.grey),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 3),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ]
        )
    )
    return table


_LEGS = {
    leg: Words(thing.vi, thing.en.removeprefix("the ")) for leg, thing in THING.items()
}
