"""All that is kept about one person for one dossier, as he may ask to see it.

Shown to whoever confirmed by a code that a number is his: his own data in clear, of
the others of the dossier that they exist. Texts come without codes and links. Knows no
HTTP.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import following
from postal_track.addresses import wards
from postal_track.database import transaction
from postal_track.errors import NotFound
from postal_track.followed import LOCAL, Followed, Words
from postal_track.following import initials
from postal_track.orders import plain
from postal_track.retold import story
from sms import wishes
from sms.outbox import hide


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is kept: what it is, and as what."""

    name: Words
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """What belongs together. ``key`` names it for programs."""

    key: str
    title: Words
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class OwnData:
    """All of it, read at one moment."""

    at: datetime
    sections: tuple[Section, ...]

    def plain(self) -> dict[str, Any]:
        """Lay it out for a program to read."""
        return {
            "made_at": self.at.isoformat(),
            **{
                section.key: [
                    {"name": fact.name.en, "ten": fact.name.vi, "value": fact.value}
                    for fact in section.facts
                ]
                for section in self.sections
            },
        }


async def collect(token: str, request: UUID) -> OwnData:
    """Read it all; ``NotFound`` unless this request for it was confirmed."""
    async with transaction() as connection:
        asked = await connection.fetchrow(
            """
            SELECT r.* FROM citizen_request r JOIN dossier d ON d.id = r.dossier
            WHERE r.id = $1 AND d.token = $2 AND r.act = 'data'
                AND r.state = 'applied' AND r.phone <> ''
            """,
            request,
            plain(token),
        )
        if asked is None:
            raise NotFound
        dossier, number = asked["dossier"], asked["phone"]
        followed = await following.follow(token)
        persons = await connection.fetch(
            "SELECT * FROM person WHERE dossier = $1 ORDER BY id", dossier
        )
        mine = [row for row in persons if row["phone"] == number]
        parts = {row["part"] for row in mine}
        sections = (
            Section("you", Words("Về Ông/Bà", "About you"), tuple(_you(mine))),
            Section(
                "others",
                Words("Người khác trong hồ sơ", "Others in this dossier"),
                tuple(_others([row for row in persons if row not in mine])),
            ),
            await _about(connection, dossier),
            Section(
                "journey", Words("Hành trình", "The journey"), tuple(_journey(followed))
            ),
            await _handovers(connection, dossier, parts),
            await _texts(connection, dossier, number),
            await _asked(connection, dossier, parts),
            await _said(connection, dossier, parts),
            await _money(connection, dossier),
            await _readings(connection, dossier),
        )
    return OwnData(datetime.now(UTC), tuple(s for s in sections if s.facts))


_PARTS = {
    "owner": Words("chủ hồ sơ", "owner"),
    "filer": Words("người nộp thay", "filer"),
    "recipient": Words("người nhận", "recipient"),
}


def _fact(vi: str, en: str, value: object) -> Fact:
    return Fact(Words(vi, en), str(value))


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(LOCAL):%d/%m/%Y %H:%M}"


def _you(rows: Sequence[Record]) -> Iterable[Fact]:
    for row in rows:
        part, ward = _PARTS[row["part"]], wards().get(row["ward"])
        yield Fact(Words("Vai trò", "Part"), f"{part.vi} / {part.en}")
        yield _fact("Họ tên", "Name", row["name"])
        yield _fact("Số điện thoại", "Phone number", row["phone"])
        yield _fact("Địa chỉ", "Address", row["address"])
        yield _fact("Phường, xã", "Ward", ward.name if ward else row["ward"])
        if row["lat"] is not None:
            where = f"{row['lat']:.5f}, {row['lon']:.5f}"
            how = f"{row['position_source']}, ± {row['accuracy_m']} m"
            yield _fact("Vị trí của địa chỉ", "Position", f"{where} ({how})")


def _others(rows: Sequence[Record]) -> Iterable[Fact]:
    for row in rows:
        yield Fact(_PARTS[row["part"]].capital(), initials(row["name"]))


async def _about(connection: Connection, dossier: int) -> Section:
    row = await connection.fetchrow(
        """
        SELECT d.*, p.name AS procedure, a.name AS agency, o.name AS office_name,
            array(SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
                ORDER BY c.id) AS codes,
            array(SELECT i.waybill || ' (' || i.leg || ')' FROM item i
                WHERE i.dossier = d.id ORDER BY i.id) AS items
        FROM dossier d JOIN procedure p ON p.id = d.procedure
        JOIN agency a ON a.id = d.agency JOIN office o ON o.id = d.office
        WHERE d.id = $1
        """,
        dossier,
    )
    papers = await connection.fetch(
        "SELECT * FROM paper WHERE dossier = $1 ORDER BY position", dossier
    )
    facts = [
        _fact("Ngày đặt", "Booked", _clock(row["created_at"])),
        _fact("Thủ tục", "Procedure", row["procedure"]),
        _fact("Cơ quan", "Agency", row["agency"]),
        _fact("Bưu cục", "Post office", row["office_name"]),
        _fact("Nơi nhận yêu cầu", "Came by", row["source"]),
        *(_fact("Mã hồ sơ", "Code", code) for code in row["codes"]),
        *(_fact("Bưu gửi", "Item", item) for item in row["items"]),
        *(
            _fact("Giấy tờ", "Paper", f"{p['name']}: {p['originals']} + {p['copies']}")
            for p in papers
        ),
    ]
    return Section("dossier", Words("Hồ sơ", "The dossier"), tuple(facts))


def _journey(f: Followed) -> Iterable[Fact]:
    for line in story(f):
        yield Fact(Words(_clock(line.at), _clock(line.at)), line.said.vi)


async def _handovers(connection: Connection, dossier: int, parts: set[str]) -> Section:
    """Gather what lines know of the person: a signature, an ID's end, a position."""
    steps = {"accepted"} if parts & {"owner", "filer"} else set()
    steps |= {"delivered"} if parts & {"owner", "recipient"} else set()
    rows = await connection.fetch(
        """
        SELECT e.at, e.step, v.content FROM item i JOIN event e ON e.item = i.id
        JOIN event_detail v ON v.event = e.id
        WHERE i.dossier = $1 AND e.step = ANY($2::text[]) ORDER BY e.at
        """,
        dossier,
        sorted(steps),
    )
    facts = [
        Fact(Words(f"{_clock(row['at'])} · {name.vi}", name.en), str(content[key]))
        for row in rows
        for key, name in _DETAILS.items()
        if (content := row["content"]).get(key)
    ]
    title = Words("Khi giao nhận với Ông/Bà", "At handovers with you")
    return Section("handovers", title, tuple(facts))


_DETAILS: Mapping[str, Words] = {
    "signature": Words("chữ ký (nét vẽ SVG)", "signature (an SVG path)"),
    "id_kind": Words("loại giấy tờ đã xem", "kind of ID that was shown"),
    "id_last4": Words("4 ký tự cuối của giấy tờ", "last 4 characters of the ID"),
    "receiver": Words("ai nhận", "who received it"),
    "position": Words("vị trí của máy bưu tá", "where the carrier's phone was"),
    "note": Words("ghi chú", "note"),
}


async def _texts(connection: Connection, dossier: int, number: str) -> Section:
    rows = await connection.fetch(
        """
        SELECT m.created_at, m.body, m.params, m.secret, m.status FROM sms_message m
        WHERE m.recipient = $2 AND m."group" IN (SELECT 'dossier:' || $1::bigint
            UNION ALL SELECT 'request:' || replace(r.id::text, '-', '')
            FROM citizen_request r WHERE r.dossier = $1)
        ORDER BY m.id
        """,
        dossier,
        number,
    )
    standing = (await wishes.standings(connection, [number]))[number]
    facts = [
        Fact(
            Words(_clock(row["created_at"]), _clock(row["created_at"])),
            f"{hide(row['body'], row['params'], row['secret'])} [{row['status']}]",
        )
        for row in rows
    ]
    if standing.stopped:
        since = _clock(standing.stopped)
        facts.append(_fact("Không nhận tin nhắn từ", "No texts since", since))
    return Section("texts", Words("Tin nhắn", "Text messages"), tuple(facts))


async def _asked(connection: Connection, dossier: int, parts: set[str]) -> Section:
    """Gather what he asked for on his code, and what stands of it now."""
    rows = await connection.fetch(
        """
        SELECT act, asked_at, state, payload FROM citizen_request
        WHERE dossier = $1 AND part = ANY($2::text[]) ORDER BY asked_at
        """,
        dossier,
        sorted(parts),
    )
    facts = []
    for row in rows:
        words = ", ".join(f"{k}: {v}" for k, v in row["payload"].items() if v)
        said = f"{row['act']}: {row['state']}" + (f" ({words})" if words else "")
        at = _clock(row["asked_at"])
        facts.append(Fact(Words(at, at), said))
    return Section("requests", Words("Yêu cầu của Ông/Bà", "Your requests"), (*facts,))


async def _said(connection: Connection, dossier: int, parts: set[str]) -> Section:
    """Gather claims and the rating: they came by the page, and may be his."""
    if "owner" not in parts and "recipient" not in parts:
        return Section("said", Words("", ""), ())
    claims = await connection.fetch(
        "SELECT * FROM claim WHERE dossier = $1 ORDER BY id", dossier
    )
    rating = await connection.fetchrow(
        "SELECT * FROM rating WHERE dossier = $1", dossier
    )
    facts = [
        _fact(
            f"Khiếu nại {row['number']}",
            f"Claim {row['number']}",
            f"{row['kind']}, {row['state']}: {row['words']}",
        )
        for row in claims
    ]
    if rating is not None:
        stars = f"{rating['stars']}/5 {rating['line']}".strip()
        facts.append(_fact("Đánh giá", "Rating", stars))
    title = Words("Khiếu nại và đánh giá", "Claims and rating")
    return Section("said", title, tuple(facts))


async def _money(connection: Connection, dossier: int) -> Section:
    """Tell what was to be paid, and what came in for this dossier."""
    charges = await connection.fetch(
        """
        SELECT c.kind, c.due, c.amount, c.paid FROM charge c
        JOIN bill b ON b.id = c.bill
        WHERE b.dossier = $1 AND c.payer = 'citizen' ORDER BY c.id
        """,
        dossier,
    )
    payments = await connection.fetch(
        """
        SELECT p.at, p.method, sum(a.amount)::bigint AS amount FROM bill b
        JOIN charge c ON c.bill = b.id JOIN allocation a ON a.charge = c.id
        JOIN payment p ON p.id = a.payment WHERE b.dossier = $1
        GROUP BY p.id, p.at, p.method ORDER BY p.at
        """,
        dossier,
    )
    facts = [
        _fact(
            "Phải trả",
            "To pay",
            f"{row['kind']}, {row['due']}: {row['amount']} VND ({row['paid']} VND)",
        )
        for row in charges
    ]
    facts += [
        Fact(
            Words(_clock(row["at"]), _clock(row["at"])),
            f"{row['method']}: {row['amount']} VND",
        )
        for row in payments
    ]
    return Section("money", Words("Tiền", "Money"), tuple(facts))


async def _readings(connection: Connection, dossier: int) -> Section:
    """Tell who of the staff has read persons of this dossier: by role, not by name."""
    rows = await connection.fetch(
        """
        SELECT r.at, r.what, s.role, coalesce(o.name, '') AS office FROM reading r
        JOIN staff s ON s.id = r.staff LEFT JOIN office o ON o.id = s.office
        WHERE r.dossier = $1 ORDER BY r.at DESC LIMIT 500
        """,
        dossier,
    )
    facts = [
        Fact(
            Words(_clock(row["at"]), _clock(row["at"])),
            f"{row['role']} {row['office']}: {row['what']}".replace("  ", " "),
        )
        for row in rows
    ]
    title = Words("Ai đã xem dữ liệu của hồ sơ", "Who has read this dossier's data")
    return Section("readings", title, tuple(facts))
