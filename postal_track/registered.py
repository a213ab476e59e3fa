"""The list registered for posting (danh sách đăng ký chuyển phát), as the post has it.

What an agency compares with its own books: every result that is to be brought, to
whom, when it was registered and taken, and its waybill. It names persons: whoever takes
it is written down.
"""

import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from asyncpg import Record

from postal_track import readings, spreadsheets
from postal_track.boards import LOCAL, midnight, today
from postal_track.custody import PartyKind, Role
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, Problem
from postal_track.spreadsheets import Column
from postal_track.staff import Actor

MOST = 5_000
LONGEST = 92


@dataclass(frozen=True, slots=True)
class Line:
    """One result of the list. ``taken_at``: when the post took it over."""

    agency: str
    code: str
    procedure: str
    name: str
    phone: str
    address: str
    registered_at: datetime
    taken_at: datetime | None
    result_no: str
    postage: int | None
    waybill: str
    stage: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The results registered on these days, both included."""

    since: date
    until: date
    lines: list[Line]


async def listed(
    actor: Actor, since: date | None = None, until: date | None = None
) -> Listed:
    """Read the list of one's units; this month's so far when no day is named.

    Raises ``BadInput`` on ``since`` for days out of order or too many.
    """
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    last = until or today()
    first = since or last.replace(day=1)
    if not first <= last or (last - first).days > LONGEST:
        why = Problem(
            "since",
            f"Choose at most {LONGEST} days, the first before the last.",
            f"Hãy chọn nhiều nhất {LONGEST} ngày, từ ngày trước đến ngày.",
        )
        raise BadInput((why,))
    agencies = [p.id for p in actor.desk if p.kind is PartyKind.AGENCY]
    async with transaction() as connection:
        rows = await connection.fetch(
            _LISTED,
            agencies,
            midnight(first),
            midnight(last + timedelta(days=1)),
            MOST,
        )
        await readings.note(actor, (row["dossier"] for row in rows), "list")
    return Listed(first, last, [_line(row) for row in rows])


# Who receives: the recipient named for it, else who owns the dossier.
_LISTED = """
    SELECT d.id AS dossier, a.name AS agency, p.name AS procedure, d.created_at,
        i.waybill, i.stage, i.created_at AS ready_at,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            AND c.source LIKE 'agency:%' ORDER BY c.id DESC LIMIT 1), '') AS code,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            AND c.source LIKE 'result:%' ORDER BY c.id DESC LIMIT 1), '') AS result_no,
        (SELECT min(e.at) FROM event e WHERE e.item = i.id AND e.step = 'accepted')
            AS taken_at,
        t.name, t.phone, t.address, i.fee
    FROM dossier d JOIN agency a ON a.id = d.agency
    JOIN procedure p ON p.id = d.procedure
    LEFT JOIN item i ON i.dossier = d.id AND i.leg = 'result'
        AND i.stage <> 'cancelled'
    LEFT JOIN LATERAL (SELECT * FROM person s WHERE s.dossier = d.id
        ORDER BY s.part = 'recipient' DESC, s.part = 'owner' DESC LIMIT 1) t ON true
    WHERE d.agency = ANY($1::int[]) AND d.service <> 'send'
        AND coalesce(i.created_at, d.created_at) >= $2
        AND coalesce(i.created_at, d.created_at) < $3
        AND (i.id IS NOT NULL OR d.service = 'receive')
    ORDER BY coalesce(i.created_at, d.created_at), d.id LIMIT $4
"""


def _line(row: Record) -> Line:
    return Line(
        agency=row["agency"],
        code=row["code"],
        procedure=row["procedure"],
        name=row["name"] or "",
        phone=_national(row["phone"] or ""),
        address=row["address"] or "",
        registered_at=row["ready_at"] or row["created_at"],
        taken_at=row["taken_at"],
        result_no=row["result_no"],
        postage=row["fee"],
        waybill=row["waybill"] or "",
        stage=row["stage"] or "",
    )


def _national(phone: str) -> str:
    return f"0{phone[3:]}" if phone.startswith("+84") else phone


_COLUMNS = (
    Column("STT", 6, number=True),
    Column("Mã hồ sơ", 26),
    Column("Nội dung", 34),
    Column("Người nhận", 24),
    Column("Địa chỉ", 40),
    Column("Điện thoại", 14),
    Column("Ngày đăng ký", 16),
    Column("Ngày bưu điện nhận", 16),
    Column("Số kết quả", 16),
    Column("Phải thu khi phát (đồng)", 14, number=True),
    Column("Mã vận đơn", 18),
)


async def sheet(told: Listed) -> bytes:
    """Draw the list as XLSX, away from the event loop; always in Vietnamese."""
    return await asyncio.to_thread(_draw, told)


def _draw(told: Listed) -> bytes:
    agencies = "; ".join(dict.fromkeys(line.agency for line in told.lines))
    return spreadsheets.write(
        "DANH SÁCH ĐĂNG KÝ CHUYỂN PHÁT KẾT QUẢ",
        [
            f"Đơn vị: {agencies}",
            f"Từ {told.since:%d/%m/%Y} đến {told.until:%d/%m/%Y}",
        ],
        _COLUMNS,
        [
            (
                at,
                line.code,
                line.procedure,
                line.name,
                line.address,
                line.phone,
                _clock(line.registered_at),
                _clock(line.taken_at),
                line.result_no,
                line.postage,
                line.waybill,
            )
            for at, line in enumerate(told.lines, 1)
        ],
        [f"Cộng: {len(told.lines)} kết quả"],
    )


def _clock(moment: datetime | None) -> str:
    return f"{moment.astimezone(LOCAL):%H:%M %d/%m/%Y}" if moment else ""
