"""Receipts of handoffs and published checkpoints, as files that prove themselves.

A receipt has the bytes of a line as they were hashed, the lines up to the one that a
checkpoint covers, the way to its root, and a signature; whoever has it can prove,
without us and long after, what was written and that it stands as it did. It names no
person: staff are numbers, and what is personal is there as a salted digest only.
``docs/ledger.md`` describes the files byte by byte. Knows no HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record

from postal_track import checkpoints, reach, seals
from postal_track.checkpoints import Checkpoint, Inclusion
from postal_track.chronicle import entry_of
from postal_track.custody import CITIZEN, Leg, Party, PartyKind, Step
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import LedgerBroken, NotFound
from postal_track.evidence import CHECKPOINT, RECEIPT
from postal_track.followed import NOTHING, Words, counted
from postal_track.ledger import Entry, canonical, digest, stamp
from postal_track.reach import Values
from postal_track.seals import Signed
from postal_track.staff import Actor

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class Provable:
    """A line of which a receipt can be had. ``checkpoint``: the first that covers it.

    ``handoff``: the item changed hands. ``wrong``: a later line declares it so; that it
    was written stays true, and provable.
    """

    seq: int
    at: datetime
    said: Words
    handoff: bool
    wrong: bool
    checkpoint: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """The lines of one item, oldest first."""

    waybill: str
    leg: Leg
    lines: tuple[Provable, ...]


# Whose receipts


async def stories_of(token: str) -> list[Story]:
    """List the lines of a citizen's dossier, by the token of his page; ``NotFound``."""
    async with transaction() as connection:
        rows = await connection.fetch(f"{_STORY} WHERE d.token = $1 {_IN_ORDER}", token)
        return await _stories(rows)


async def story_for(waybill: str, actor: Actor) -> Story:
    """List the lines of an item within someone's reach; else ``NotFound``."""
    async with transaction() as connection:
        item = await _within_reach(connection, waybill, actor)
        rows = await connection.fetch(
            f"{_STORY} WHERE i.id = $1 {_IN_ORDER}", item["id"]
        )
        return (await _stories(rows))[0]


async def receipt_of(token: str, waybill: str, seq: int) -> dict[str, Any]:
    """Make a receipt for a citizen, by the token of his page; else ``NotFound``."""
    async with transaction() as connection:
        item = await connection.fetchrow(
            """
            SELECT i.id, i.waybill FROM dossier d JOIN item i ON i.dossier = d.id
            WHERE d.token = $1 AND i.waybill = $2
            """,
            token,
            waybill,
        )
        return await _receipt(connection, item, seq)


async def receipt_for(waybill: str, seq: int, actor: Actor) -> dict[str, Any]:
    """Make a receipt of an item within someone's reach; else ``NotFound``."""
    async with transaction() as connection:
        item = await _within_reach(connection, waybill, actor)
        return await _receipt(connection, item, seq)


async def _within_reach(connection: Connection, waybill: str, actor: Actor) -> Record:
    values = Values()
    given = values.put("".join(waybill.split()).upper())
    row = await connection.fetchrow(
        f"""
        SELECT i.id, i.waybill
        FROM label l JOIN item i ON i.id = l.item JOIN dossier d ON d.id = i.dossier
        WHERE l.waybill = {given} AND {reach.items(actor, values, run=True)}
        """,  # noqa: S608 - placeholders
        *values,
    )
    if row is None:
        raise NotFound
    return row


_STORY = """
    SELECT i.waybill AS own, i.leg, e.*, (
        SELECT s.checkpoint FROM sealed_head s
        WHERE s.waybill COLLATE "C" = i.waybill AND s.seq >= e.seq
        ORDER BY s.seq LIMIT 1) AS checkpoint
    FROM dossier d JOIN item i ON i.dossier = d.id JOIN event e ON e.item = i.id
"""

_IN_ORDER = "ORDER BY i.id, e.seq"


async def _stories(rows: Sequence[Record]) -> list[Story]:
    if not rows:
        raise NotFound
    told: dict[str, list[Provable]] = {}
    known = await names(_places(rows))
    wrong = {row["corrects"] for row in rows} - {None}
    for row in rows:
        entry = entry_of(row, row["own"])
        line = Provable(
            seq=entry.seq,
            at=entry.at,
            said=_said(entry, known),
            handoff=entry.taker is not None,
            wrong=entry.id in wrong,
            checkpoint=row["checkpoint"],
        )
        told.setdefault(entry.waybill, []).append(line)
    legs = {row["own"]: Leg(row["leg"]) for row in rows}
    return [Story(each, legs[each], tuple(lines)) for each, lines in told.items()]


# The files


async def _receipt(
    connection: Connection, item: Mapping[str, Any] | None, seq: int
) -> dict[str, Any]:
    if item is None:
        raise NotFound
    waybill = item["waybill"]
    covered = await checkpoints.inclusion(connection, waybill, seq)
    rows = await connection.fetch(
        "SELECT * FROM event WHERE item = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq",
        item["id"],
        seq,
        covered.seq if covered else seq,
    )
    if not rows and covered is None:
        raise NotFound
    entries = [entry_of(row, waybill) for row in rows]
    _must_hold(waybill, seq, entries, rows, covered)
    known = await names(_places(rows[:1]))
    vi, en = _said(entries[0], known)
    signed = seals.sign(
        "receipt",
        {
            "at": stamp(datetime.now(UTC)),
            "hash": rows[0]["hash"].hex(),
            "seq": seq,
            "waybill": waybill,
            "words": {"en": en, "vi": vi},
        },
    )
    return {
        "format": RECEIPT,
        **_written(signed),
        "lines": [canonical(entry).decode() for entry in entries],
        "checkpoint": _written(covered.checkpoint.signed) if covered else None,
        "path": {
            "index": covered.index,
            "hashes": [each.hex() for each in covered.path],
        }
        if covered
        else None,
        "note": _SEALED if covered else _UNSEALED,
    }


def _must_hold(
    waybill: str,
    seq: int,
    entries: Sequence[Entry],
    rows: Sequence[Record],
    covered: Inclusion | None,
) -> None:
    """Give no receipt of a line that no longer is what was hashed."""
    previous = None
    for at, (entry, row) in enumerate(zip(entries, rows, strict=True), start=seq):
        linked = previous in (None, entry.previous)
        if entry.seq != at or not linked or digest(entry) != row["hash"]:
            raise LedgerBroken(f"{waybill}, line {at}")
        previous = row["hash"]
    if covered and (not rows or previous != covered.head):
        raise LedgerBroken(f"{waybill}, line {covered.seq}")


async def checkpoint_file(number: int | None, since: int | None) -> dict[str, Any]:
    """Give a checkpoint as a file, the newest for ``None``; else ``NotFound``.

    ``since``: with those that link it to an older one, so that who has that can see
    that this one follows from it.
    """
    if number is None:
        newest = await checkpoints.newest()
        if newest is None:
            raise NotFound
        checkpoint = newest
    else:
        checkpoint = await checkpoints.find(number)
    links: list[Checkpoint] = []
    if since is not None:
        links = await checkpoints.between(since, checkpoint.number)
    return {
        "format": CHECKPOINT,
        **_written(checkpoint.signed),
        "links": [_written(each.signed) for each in links],
    }


def _written(signed: Signed) -> dict[str, str]:
    return {"body": signed.body, "signature": signed.signature.hex()}


_SEALED = {
    "vi": "Dòng này đã được chốt sổ. Dùng check_receipt.py để tự kiểm tra.",
    "en": "This line is sealed by a checkpoint. check_receipt.py checks it.",
}
_UNSEALED = {
    "vi": (
        "Dòng này chưa được chốt sổ. Sổ được chốt mỗi đêm: hãy tải lại biên nhận "
        "từ ngày mai để có thêm bằng chứng của lần chốt sổ."
    ),
    "en": (
        "No checkpoint covers this line yet. The ledger is sealed every night: fetch "
        "the receipt again from tomorrow on to have that proof, too."
    ),
}


# Words


def _places(rows: Sequence[Record]) -> set[Party]:
    """Gather the offices and agencies that lines speak of."""
    told = {row[name] for row in rows for name in ("by", "place", "taker", "towards")}
    parties = {Party.parse(each) for each in told if each}
    return {p for p in parties if p.kind in (PartyKind.OFFICE, PartyKind.AGENCY)}


def _said(entry: Entry, known: Mapping[Party, Named]) -> Words:
    """Say a line to whoever holds its receipt, neither citizen nor staff."""
    place = Party.parse(entry.place) if entry.place else None
    who, at = _named(Party.parse(entry.by), place, known), entry.at.astimezone(LOCAL)
    deed = DEEDS[Step(entry.step)]
    said = Words(
        f"{at:%H:%M %d/%m/%Y}, {who.vi}: {deed.vi}.",
        f"{at:%-d %b %Y, %H:%M}, {who.en}: {deed.en}.",
    )
    if entry.taker:
        holder = _named(Party.parse(entry.taker), place, known).capital()
        said += Words(
            f" {holder.vi} giữ bưu gửi {entry.waybill}.",
            f" {holder.en} holds item {entry.waybill}.",
        )
    elif entry.towards:
        to = _named(Party.parse(entry.towards), None, known)
        said += Words(f" Bên nhận: {to.vi}.", f" For {to.en}.")
    return said + _counted(entry)


def _counted(entry: Entry) -> Words:
    papers = counted(entry.originals or 0, entry.copies or 0)
    said = Words(f" Có {papers.vi}.", f" With {papers.en}.") if papers else NOTHING
    if entry.seal_no:
        said += Words(f" Niêm phong {entry.seal_no}.", f" Seal {entry.seal_no}.")
    if entry.seal_broken:
        said += Words(" Niêm phong bị rách.", " The seal was broken.")
    if entry.damaged:
        said += Words(" Bưu gửi bị hư hỏng.", " The item was damaged.")
    return said


def _named(party: Party, place: Party | None, known: Mapping[Party, Named]) -> Words:
    if party == CITIZEN:
        return Words("người dân", "the citizen")
    if party.kind is PartyKind.SYSTEM:
        return Words("hệ thống", "the system")
    if party.kind is not PartyKind.STAFF:
        return Words(known[party].name, known[party].name_en)
    vi, en = f"nhân viên số {party.id}", f"staff member {party.id}"
    if place is not None and place in known:
        of = known[place]
        return Words(f"{vi} của {of.name}", f"{en} of {of.name_en}")
    return Words(vi, en)


DEEDS: Mapping[Step, Words] = {
    Step.BOOKED: Words("đặt lịch thu gom", "pickup booked"),
    Step.READY: Words("có kết quả, chờ bưu điện đến lấy", "ready for the post"),
    Step.PICKUP_FAILED: Words("chưa thu gom được", "pickup failed"),
    Step.ACCEPTED: Words("nhận từ người gửi", "accepted from the sender"),
    Step.TAKEN: Words("nhận giữ", "taken over"),
    Step.ARRIVED: Words("nhập bưu cục", "taken into the office"),
    Step.OUT: Words("mang đi phát", "taken out for delivery"),
    Step.RECEIVED: Words("cơ quan nhận", "received by the agency"),
    Step.REGISTERED: Words("cấp mã hồ sơ và ngày hẹn", "code and due date given"),
    Step.RELEASED: Words("bàn giao, chờ bên nhận", "released to a receiver"),
    Step.RECALLED: Words("rút lại bàn giao", "release recalled"),
    Step.ATTEMPTED: Words("phát chưa thành công", "delivery attempted"),
    Step.HELD: Words("giữ tại quầy chờ người nhận", "held at the counter"),
    Step.REDIRECTED: Words("đổi nơi phát", "redirected"),
    Step.REFUSED: Words("cơ quan từ chối nhận", "refused by the agency"),
    Step.RETURNED: Words("chuyển hoàn cơ quan", "returned to the agency"),
    Step.CANCELLED: Words("hủy yêu cầu", "cancelled"),
    Step.PACKED: Words("đóng vào túi", "put into a bag"),
    Step.UNPACKED: Words("lấy ra khỏi túi", "taken out of the bag"),
    Step.MISSED: Words("báo không thấy, đang tìm", "reported missing"),
    Step.LOST: Words("kết luận thất lạc", "declared lost"),
    Step.CORRECTED: Words("đính chính một dòng trước", "an earlier line corrected"),
    Step.DELIVERED: Words("phát cho người dân", "delivered to the citizen"),
}
"""What each step is called on a receipt."""
