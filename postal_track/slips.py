"""Receipt and appointment slips (giấy tiếp nhận hồ sơ và hẹn trả kết quả).

What an agency gives the citizen for his papers: who, what, received when, due when, and
where the result is had. Each names the record of its receipt, by which it is verified.
It names a person: whoever makes one is written down.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from xml.sax.saxutils import escape

from asyncpg import Record
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, PageBreak, SimpleDocTemplate, Spacer, Table

from postal_track import readings, records, spreadsheets
from postal_track.custody import PartyKind, Role
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.papers import clock, grid, one_at_a_time, paragraph, qr
from postal_track.spreadsheets import Column
from postal_track.staff import Actor

MOST = 100

Verify = Callable[[str, str], str]
"""Gives the address at which a record is verified, by its number and digest."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What stands on one slip. ``number`` and ``digest`` are the receipt's record."""

    number: str
    digest: str
    waybill: str
    code: str
    agency: str
    procedure: str
    days: int
    name: str
    address: str
    papers: tuple[tuple[str, int, int], ...]
    received_at: datetime
    received_by: str
    due_on: date
    by_post: bool


async def read(waybills: Sequence[str], actor: Actor) -> list[Slip]:
    """Read the slips of received and registered dossiers, by their waybills.

    Raises ``NotFound`` outside his units, ``BadInput`` on ``items`` for one that has no
    code or due date yet.
    """
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    wanted = sorted({plain(each).upper() for each in waybills})
    if not 0 < len(wanted) <= MOST:
        why = Problem("items", "Choose 1 to 100 items.", "Hãy chọn 1 đến 100 bưu gửi.")
        raise BadInput((why,))
    agencies = [p.id for p in actor.places if p.kind is PartyKind.AGENCY]
    async with transaction() as connection:
        rows = await connection.fetch(_SLIPS, wanted, agencies)
        if len(rows) != len(wanted):
            raise NotFound
        bare = [row["waybill"] for row in rows if not row["code"] or not row["due_on"]]
        if bare:
            why = Problem(
                "items",
                f"These have no code or due date yet: {', '.join(bare)}.",
                f"Chưa có mã hoặc ngày hẹn: {', '.join(bare)}.",
            )
            raise BadInput((why,))
        await readings.note(actor, (row["dossier"] for row in rows), "slip")
        told = []
        for row in rows:
            number = await records.of_line(row["waybill"], row["seq"], actor)
            digest = await connection.fetchval(
                "SELECT digest FROM handover_record WHERE number = $1", number
            )
            told.append(_slip(row, number, digest.hex()))
    return told


_SLIPS = """
    SELECT i.waybill, d.id AS dossier, d.due_on, d.service, a.name AS agency, p.days,
        p.name AS procedure, t.name, t.address, e.seq, e.at, s.name AS officer,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            AND c.source = 'agency:' || d.agency ORDER BY c.id DESC LIMIT 1), '')
            AS code,
        array(SELECT (x.name, x.originals, x.copies) FROM paper x
            WHERE x.dossier = d.id ORDER BY x.position) AS papers
    FROM item i JOIN dossier d ON d.id = i.dossier JOIN agency a ON a.id = d.agency
    JOIN procedure p ON p.id = d.procedure
    JOIN LATERAL (SELECT * FROM event v WHERE v.item = i.id AND v.step = 'received'
        AND NOT EXISTS (SELECT FROM event w WHERE w.corrects = v.id)
        ORDER BY v.seq DESC LIMIT 1) e ON true
    LEFT JOIN staff s ON 'staff:' || s.id = e.by
    LEFT JOIN person t ON t.dossier = d.id AND t.part = 'owner'
    WHERE i.waybill = ANY($1::bpchar[]) AND i.leg = 'dossier' AND i.stage = 'received'
        AND d.agency = ANY($2::int[])
    ORDER BY e.at, i.id
"""


def _slip(row: Record, number: str, digest: str) -> Slip:
    return Slip(
        number=number,
        digest=digest,
        waybill=row["waybill"],
        code=row["code"],
        agency=row["agency"],
        procedure=row["procedure"],
        days=row["days"],
        name=row["name"] or "",
        address=row["address"] or "",
        papers=tuple(tuple(paper) for paper in row["papers"]),
        received_at=row["at"],
        received_by=row["officer"] or "",
        due_on=row["due_on"],
        by_post=row["service"] != "send",
    )


# PDF: one page each


async def draw(told: Sequence[Slip], verify: Verify) -> bytes:
    """Draw the slips away from the event loop, a page each; always in Vietnamese."""
    async with one_at_a_time:
        return await asyncio.to_thread(_draw, told, verify)


def _draw(told: Sequence[Slip], verify: Verify) -> bytes:
    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title="Giấy tiếp nhận hồ sơ và hẹn trả kết quả",
        invariant=1,
    )
    parts: list[Flowable] = []
    for slip in told:
        parts += [*_page(slip, verify), PageBreak()]
    document.build(parts)
    return file.getvalue()


_MARGIN = 16 * mm
_ROOM = A4[0] - 2 * _MARGIN


def _page(slip: Slip, verify: Verify) -> list[Flowable]:
    head = [
        paragraph(f"<b>{escape(slip.agency)}</b>", centred=True),
        paragraph(f"Số: {escape(slip.code)}", centred=True),
    ]
    nation = [
        paragraph("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", bold=True, centred=True),
        paragraph("Độc lập - Tự do - Hạnh phúc", bold=True, centred=True),
    ]
    title = "GIẤY TIẾP NHẬN HỒ SƠ VÀ HẸN TRẢ KẾT QUẢ"
    code = [
        qr(verify(slip.number, slip.digest)),
        paragraph(f"{slip.number}<br/>{slip.digest[:16]}", size=7, centred=True),
    ]
    facts = [
        ("Người nộp", slip.name),
        ("Địa chỉ", slip.address),
        ("Thủ tục", slip.procedure),
        ("Mã vận đơn bưu điện", slip.waybill),
        ("Nhận hồ sơ lúc", f"{clock(slip.received_at)}, {slip.received_by}"),
        ("Thời hạn giải quyết", f"{slip.days} ngày làm việc" if slip.days else "-"),
        ("Hẹn trả kết quả", f"{slip.due_on:%d/%m/%Y}"),
        ("Nhận kết quả tại", _where(slip)),
    ]
    papers = [("STT", "Tên giấy tờ", "Bản chính", "Bản sao")]
    papers += [
        (str(at), name, str(originals), str(copies))
        for at, (name, originals, copies) in enumerate(slip.papers, 1)
    ]
    return [
        Table([[head, nation]], colWidths=[0.45 * _ROOM, 0.55 * _ROOM]),
        Spacer(1, 6 * mm),
        Table(
            [[paragraph(title, size=14, bold=True, centred=True), code]],
            colWidths=[_ROOM - 36 * mm, 36 * mm],
            style=[("VALIGN", (0, 0), (-1, -1), "MIDDLE")],
        ),
        Spacer(1, 4 * mm),
        grid(
            [
                [paragraph(name, bold=True), paragraph(escape(said))]
                for name, said in facts
            ],
            [46 * mm, _ROOM - 46 * mm],
        ),
        Spacer(1, 4 * mm),
        paragraph("Giấy tờ đã nhận", bold=True),
        Spacer(1, 2 * mm),
        grid(
            [
                [paragraph(escape(cell), size=9, bold=not at) for cell in row]
                for at, row in enumerate(papers)
            ],
            [12 * mm, _ROOM - 56 * mm, 22 * mm, 22 * mm],
        ),
        Spacer(1, 8 * mm),
        Table(
            [
                [
                    paragraph("NGƯỜI NỘP HỒ SƠ", bold=True, centred=True),
                    paragraph("NGƯỜI TIẾP NHẬN HỒ SƠ", bold=True, centred=True),
                ],
                [
                    paragraph("Đã giao qua bưu điện", size=8, centred=True),
                    paragraph(
                        f"Đã xác nhận điện tử: {escape(slip.received_by)}, "
                        f"{clock(slip.received_at)}",
                        size=8,
                        centred=True,
                    ),
                ],
            ],
            colWidths=[0.5 * _ROOM, 0.5 * _ROOM],
        ),
    ]


def _where(slip: Slip) -> str:
    return "Qua dịch vụ bưu chính công ích" if slip.by_post else slip.agency


# XLSX: one row each, for an agency's own forms


_COLUMNS = (
    Column("STT", 6, number=True),
    Column("Mã hồ sơ", 26),
    Column("Người nộp", 24),
    Column("Địa chỉ", 40),
    Column("Thủ tục", 34),
    Column("Giấy tờ", 44),
    Column("Nhận lúc", 18),
    Column("Người nhận", 20),
    Column("Hẹn trả", 12),
    Column("Nhận kết quả tại", 26),
    Column("Mã vận đơn", 18),
    Column("Biên bản", 14),
    Column("Kiểm tra", 40),
)


async def sheet(told: Sequence[Slip], verify: Verify) -> bytes:
    """Write the slips' data as XLSX, away from the event loop."""
    return await asyncio.to_thread(_sheet, told, verify)


def _sheet(told: Sequence[Slip], verify: Verify) -> bytes:
    rows = [
        (
            at,
            slip.code,
            slip.name,
            slip.address,
            slip.procedure,
            "; ".join(f"{n} ({o} bản chính, {c} bản sao)" for n, o, c in slip.papers),
            clock(slip.received_at),
            slip.received_by,
            f"{slip.due_on:%d/%m/%Y}",
            _where(slip),
            slip.waybill,
            slip.number,
            verify(slip.number, slip.digest),
        )
        for at, slip in enumerate(told, 1)
    ]
    agencies = "; ".join(dict.fromkeys(slip.agency for slip in told))
    return spreadsheets.write(
        "GIẤY TIẾP NHẬN HỒ SƠ VÀ HẸN TRẢ KẾT QUẢ", [agencies], _COLUMNS, rows
    )
