"""A bank's statement, read in as CSV by a cashier.

Banks agree on no form: columns are known by their headings in Vietnamese or English,
whatever stands above them. All of a file is read or nothing; the same file again
changes nothing, nor does a line that the feed told already.
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from postal_track import payments
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, Problem
from postal_track.orders import plain
from postal_track.payments import CASHIERS, Booked, Credit
from postal_track.staff import Actor

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
LARGEST_FILE = 2 * 1024 * 1024
MOST_ROWS = 5_000
MOST_PROBLEMS = 50

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "reference": (
        "so giao dich",
        "ma giao dich",
        "so but toan",
        "so tham chieu",
        "ma tham chieu",
        "so ct",
        "so chung tu",
        "transaction id",
        "transaction no",
        "transaction number",
        "reference no",
        "reference number",
        "reference",
        "ref no",
        "ref",
        "doc no",
    ),
    "at": (
        "ngay giao dich",
        "ngay gd",
        "ngay hieu luc",
        "thoi gian",
        "ngay",
        "transaction date",
        "trans date",
        "value date",
        "posting date",
        "date",
    ),
    "credit": (
        "so tien ghi co",
        "phat sinh co",
        "ghi co",
        "so tien co",
        "tien vao",
        "co",
        "credit amount",
        "credit",
        "money in",
        "so tien",
        "amount",
    ),
    "text": (
        "noi dung giao dich",
        "noi dung",
        "dien giai",
        "mo ta",
        "transaction description",
        "description",
        "details",
        "remark",
        "narrative",
        "content",
    ),
}
"""How banks head their columns, without marks; the first that is there is taken."""

_DATES = ("%d/%m/%Y", "%d-%m-%Y", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%y", "%Y%m%d")
_TIMES = ("", " %H:%M:%S", " %H:%M")


@dataclass(frozen=True, slots=True)
class Line:
    """One credit of a statement. ``row`` is its line in the file, from 1."""

    row: int
    reference: str
    at: datetime
    amount: int
    text: str


@dataclass(slots=True)
class Read:
    """A file as it was read: its credits, and what is wrong with which row."""

    lines: list[Line] = field(default_factory=list)
    debits: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a statement. ``again``: it was read in before.

    ``known``: credits that were told already; ``differing``: those of them that were
    told with another amount, which somebody must look at.
    """

    rows: int
    new: int
    matched: int
    debits: int
    again: bool = False
    at: datetime | None = None
    differing: tuple[str, ...] = ()

    @property
    def known(self) -> int:
        """How many credits were told before."""
        return self.rows - self.new


def read(data: bytes) -> Read:
    """Read a statement; raises nothing: what is wrong is named by row."""
    told = Read()
    text = _text(data)
    if text is None:
        _note(told, 0, "The file is no CSV text.", "Tệp không phải văn bản CSV.")
        return told
    rows = list(enumerate(_rows(text), start=1))
    head = next(((n, found) for n, row in rows[:40] if (found := _columns(row))), None)
    if head is None:
        _note(
            told,
            0,
            "Columns are missing: date, transaction number, credit, description.",
            "Không tìm thấy các cột: ngày, số giao dịch, ghi có, nội dung.",
        )
        return told
    first, columns = head
    if len(rows) - first > MOST_ROWS:
        _note(
            told,
            0,
            f"At most {MOST_ROWS} rows at a time.",
            f"Mỗi lần tối đa {MOST_ROWS} dòng.",
        )
        return told
    seen: dict[str, int] = {}
    for number, row in rows[first:]:
        _read_row(told, number, row, columns, seen)
    if not told.lines and not told.problems and not told.debits:
        _note(told, 0, "There is no transaction in it.", "Tệp không có giao dịch nào.")
    return told


def _text(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "cp1258")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else unicodedata.normalize("NFC", text)
    return None


def _rows(text: str) -> Iterator[list[str]]:
    sample = text[:4000]
    delimiter = max(",;\t|", key=lambda sign: sample.count(sign))
    yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _columns(row: Sequence[str]) -> dict[str, int] | None:
    """Find the columns in a row of headings; ``None`` when it is none."""
    heads = [_head(cell) for cell in row]
    found: dict[str, int] = {}
    for name, ways in HEADINGS.items():
        place = next((heads.index(way) for way in ways if way in heads), None)
        if place is None:
            return None
        found[name] = place
    return found


def _head(cell: str) -> str:
    """Write a heading without marks, case, brackets and signs."""
    bare = unicodedata.normalize("NFD", cell.split("(")[0].split("/")[0].lower())
    letters = "".join(c for c in bare if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^a-z0-9]+", " ", letters.replace("đ", "d")).split())


def _read_row(
    told: Read,
    number: int,
    row: Sequence[str],
    columns: Mapping[str, int],
    seen: dict[str, int],
) -> None:
    cells = {
        name: plain(row[place]) if place < len(row) else ""
        for name, place in columns.items()
    }
    at, amount = _moment(cells["at"]), _amount(cells["credit"])
    if at is None and not cells["reference"]:
        return  # an empty row, or a sum at the end
    if amount is not None and amount <= 0:
        told.debits += 1
        return
    if at is None:
        _note(told, number, "The date cannot be read.", "Không đọc được ngày.")
    if amount is None:
        _note(told, number, "The amount cannot be read.", "Không đọc được số tiền.")
    reference = cells["reference"]
    if not reference:
        _note(
            told,
            number,
            "The transaction has no number: nobody could tell it from another.",
            "Giao dịch không có số: không thể phân biệt với giao dịch khác.",
        )
    elif len(reference) > 80:
        _note(told, number, "The number is too long.", "Số giao dịch quá dài.")
    elif reference in seen:
        _note(
            told,
            number,
            f"Row {seen[reference]} has the same number.",
            f"Trùng số giao dịch với dòng {seen[reference]}.",
        )
    elif at is not None and amount is not None:
        told.lines.append(Line(number, reference, at, amount, cells["text"]))
    seen.setdefault(reference, number)


def _note(told: Read, row: int, detail: str, detail_vi: str) -> None:
    if len(told.problems) < MOST_PROBLEMS:
        told.problems.append(
            Problem(f"row.{row}" if row else "file", detail, detail_vi)
        )


def _moment(text: str) -> datetime | None:
    for day in _DATES:
        for time in _TIMES:
            try:
                read = datetime.strptime(text, f"{day}{time}")  # noqa: DTZ007 - local
            except ValueError:
                continue
            return read.replace(tzinfo=LOCAL).astimezone(UTC)
    return None


def _amount(text: str) -> int | None:
    """Read an amount: 26.000, 26,000.00, +26 000 VND; nothing is none."""
    bare = re.sub(r"(?i)vn[dđ]|[đ₫\s+]", "", text)
    if bare in ("", "-"):
        return 0
    sign = -1 if bare.startswith(("-", "(")) else 1
    bare = bare.strip("-()")
    # Two digits at the end are hundredths of a dong: there are none to pay with.
    whole = re.fullmatch(r"(\d{1,3}(?:[.,]\d{3})+|\d+)(?:[.,]0{1,2})?", bare)
    if whole is None:
        return None
    digits = re.sub(r"[.,]", "", whole[1])
    return sign * int(digits) if len(digits) <= 13 else None


async def take_in(data: bytes, name: str, actor: Actor) -> Imported:
    """Read a statement in; all of it or nothing.

    Raises ``NotAllowed``, and ``BadInput`` naming every row that cannot be used.
    """
    if actor.role not in CASHIERS:
        raise NotAllowed
    digest = hashlib.sha256(data).digest()
    told = read(data)
    if told.problems:
        raise BadInput(tuple(told.problems))
    now = datetime.now(UTC)
    async with transaction() as connection:
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", digest.hex()
        )
        before = await connection.fetchrow(
            "SELECT rows, new, matched, at FROM statement WHERE digest = $1", digest
        )
        if before:
            return Imported(
                before["rows"],
                before["new"],
                before["matched"],
                told.debits,
                again=True,
                at=before["at"],
            )
        # The statement tells how many were new, and so is written after them.
        await connection.execute("SET CONSTRAINTS payment_statement_fkey DEFERRED")
        number = await connection.fetchval(
            "SELECT nextval(pg_get_serial_sequence('statement', 'id'))"
        )
        credits = [_credit(line, actor, number) for line in told.lines]
        booked, texts = await payments.book(connection, credits, now)
        new = [each for each in booked if each.new]
        matched = sum(each.matched for each in new)
        await connection.execute(
            """
            INSERT INTO statement (id, digest, name, by, at, rows, new, matched)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            number,
            digest,
            plain(name)[:120],
            actor.staff,
            now,
            len(told.lines),
            len(new),
            matched,
        )
    await payments.spread(booked, texts)
    return Imported(
        len(told.lines),
        len(new),
        matched,
        told.debits,
        differing=_differing(booked),
    )


def _differing(booked: Sequence[Booked]) -> tuple[str, ...]:
    return tuple(each.reference for each in booked if each.differs)


def _credit(line: Line, actor: Actor, statement: int) -> Credit:
    return Credit(
        method="transfer",
        reference=line.reference,
        amount=line.amount,
        at=line.at,
        via="statement",
        text=line.text,
        by=actor.staff,
        statement=statement,
    )
