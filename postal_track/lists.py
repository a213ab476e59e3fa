"""Lists that an agency brings: codes with due dates, and results to be brought.

What was pasted or uploaded is read into rows, every row is looked over, and all of it
is written or nothing. Bringing the same list again changes nothing. A list of results
("danh sách đăng ký chuyển phát") names the recipients; a code that we know is announced
for the dossier that has it, any other becomes a dossier of which only the result is
brought. Knows no HTTP.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from asyncpg import Connection, Record

from postal_track import bookings, orders, spreadsheets
from postal_track.bookings import Announcement, Order, PersonGiven
from postal_track.custody import Party, PartyKind, Role, Step
from postal_track.database import transaction
from postal_track.desk import code_faults, due_faults
from postal_track.errors import BadInput, NotAllowed, NotYourPlace, Problem
from postal_track.handoffs import Scan, record
from postal_track.orders import plain
from postal_track.promises import calendar
from postal_track.settings import settings
from postal_track.spreadsheets import Row
from postal_track.staff import Actor

_ORDERS = UUID("5f0c1a3e-3f5c-5f0e-9d3b-0a4f2a7f1d55")
"""Under which the ids of listed orders are made: one code of an agency is one order."""

LARGEST_AMOUNT = 1_000_000_000
HEADING_WITHIN = 15
"""The rows of a sheet in which its headings are looked for."""


class Kind(StrEnum):
    """What a list is about."""

    CODES = "codes"  # waybill, dossier code, due date
    RESULTS = "results"  # whom the results are to be brought to


class Fate(StrEnum):
    """What becomes of a row that is in order."""

    NEW = "new"  # written
    CHANGED = "changed"  # another code or due date than before
    KNOWN = "known"  # a dossier of ours: its result is announced
    SAME = "same"  # nothing to do


HEADINGS: Mapping[str, tuple[str, ...]] = {
    "waybill": (
        "ma van don",
        "so van don",
        "van don",
        "ma buu gui",
        "so hieu buu gui",
        "ma phieu gui",
        "waybill",
    ),
    "code": ("ma ho so", "so ho so", "ma hs", "so bien nhan", "dossier code", "code"),
    "due_on": (
        "ngay hen tra ket qua",
        "ngay hen tra",
        "ngay hen",
        "han tra",
        "due date",
        "due",
    ),
    "procedure": ("ma thu tuc", "ten thu tuc", "thu tuc", "noi dung", "procedure"),
    "name": (
        "ho ten nguoi nhan",
        "ho va ten nguoi nhan",
        "ten nguoi nhan",
        "nguoi nhan",
        "ho va ten",
        "ho ten",
        "chu ho so",
        "recipient",
        "name",
    ),
    "phone": ("so dien thoai", "dien thoai", "sdt", "so dt", "phone"),
    "address": (
        "dia chi nguoi nhan",
        "dia chi nhan ket qua",
        "dia chi nhan",
        "dia chi phat",
        "dia chi",
        "address",
    ),
    "ward": ("phuong xa dac khu", "phuong xa", "xa phuong", "xa", "phuong", "ward"),
    "result_no": ("so ket qua", "ket qua so", "so van ban", "result no"),
    "originals": ("so ban chinh", "ban chinh", "originals"),
    "copies": ("so ban sao", "ban sao", "copies"),
    "fee": ("phai thu", "so tien phai thu", "le phi phai thu", "le phi", "fee"),
    "postage": ("cuoc phi", "cuoc", "cuoc chuyen phat", "postage"),
}
"""What columns are called, without marks; the longest that fits decides."""

COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CODES: ("waybill", "code", "due_on"),
    Kind.RESULTS: (
        "code",
        "procedure",
        "name",
        "phone",
        "address",
        "ward",
        "result_no",
        "originals",
        "copies",
        "fee",
        "postage",
    ),
}
NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.CODES: ("waybill", "code", "due_on"),
    Kind.RESULTS: ("code", "name", "phone", "address"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the list, as text by column. ``number`` is that of the sheet."""

    number: int
    said: dict[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """What a list says. ``ignored``: headings that mean nothing to us."""

    kind: Kind
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    lines: list[Line]


@dataclass(slots=True)
class Checked:
    """A line that was looked over: what becomes of it, or what is wrong with it.

    ``remark`` is for the eye only, as (Vietnamese, English).
    """

    line: Line
    problems: list[Problem] = field(default_factory=list)
    fate: Fate = Fate.NEW
    remark: tuple[str, str] | None = None
    waybill: str = ""
    code: str = ""
    due_on: date | None = None
    agency: int = 0
    dossier: int = 0
    token: str = ""
    order: Order | None = None
    originals: int = 1
    copies: int = 0
    fee: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for a whole list of results.

    ``agency`` is the unit that brings it, ``procedure`` the code of rows that name
    none. ``ready``: the results lie there to be fetched; else they are only registered.
    """

    agency: Party
    procedure: str = ""
    ready: bool = True
    postage_by: str = "citizen"


# Reading


def understand(kind: Kind, sheets: Sequence[Sequence[Row]]) -> Given:
    """Find the headings and read the rows below them; of the first sheet that has them.

    Three columns without headings are waybill, code and due date. Raises ``BadInput``
    on ``file`` for columns that are missing and for a list that is too long or empty.
    """
    best: tuple[str, ...] = ()
    for rows in sheets:
        for at, row in enumerate(rows[:HEADING_WITHIN]):
            found = _headings(kind, row)
            if set(NEEDED[kind]) <= set(found):
                return _given(kind, found, row, rows[at + 1 :])
            best = max(best, tuple(n for n in found if n), key=len)
    bare = next((rows for rows in sheets if rows), [])
    if kind is Kind.CODES and len(best) < 2 and bare and _looks_bare(bare[0]):
        return _given(kind, list(COLUMNS[kind]), Row(0, ()), bare)
    missing = [name for name in NEEDED[kind] if name not in best]
    vi = ", ".join(TITLES[name][0] for name in missing)
    en = ", ".join(TITLES[name][1] for name in missing)
    raise BadInput(
        (
            Problem(
                "file",
                f"These columns were not found: {en}.",
                f"Không tìm thấy các cột: {vi}.",
            ),
        )
    )


TITLES: Mapping[str, tuple[str, str]] = {
    "waybill": ("Mã vận đơn", "Waybill"),
    "code": ("Mã hồ sơ", "Dossier code"),
    "due_on": ("Ngày hẹn trả", "Due date"),
    "procedure": ("Thủ tục", "Procedure"),
    "name": ("Người nhận", "Recipient"),
    "phone": ("Điện thoại", "Phone"),
    "address": ("Địa chỉ", "Address"),
    "ward": ("Phường, xã, đặc khu", "Ward"),
    "result_no": ("Số kết quả", "Result no."),
    "originals": ("Bản chính", "Originals"),
    "copies": ("Bản sao", "Copies"),
    "fee": ("Phải thu", "To collect"),
    "postage": ("Cước", "Postage"),
}
"""What a column is called on a page and in the sheets that we make."""


def _looks_bare(row: Row) -> bool:
    return len(row.cells) >= 3 and _compact(row.cells[0])[:2].isalpha()


def _compact(text: str) -> str:
    return text.replace(" ", "").upper()


def _headings(kind: Kind, row: Row) -> list[str]:
    """Say which column each cell of a row names; empty for none, or named before."""
    found: list[str] = []
    for cell in row.cells:
        name = _column(cell)
        wanted = name in COLUMNS[kind] and name not in found
        found.append(name if wanted else "")
    return found


def _column(cell: str) -> str:
    said = bare_words(cell)
    for name, known in HEADINGS.items():
        if said in known:
            return name
    # "Ngày hẹn trả (dự kiến)", "Địa chỉ người nhận kết quả": the longest start wins.
    starts = [
        (len(each), name)
        for name, known in HEADINGS.items()
        for each in known
        if len(each) > 4 and said.startswith(f"{each} ")
    ]
    return max(starts)[1] if starts else ""


def bare_words(text: str) -> str:
    """Say a heading without marks, signs and capitals."""
    spread = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    letters = "".join(c for c in spread if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^a-z0-9]+", " ", letters).split())


def _given(
    kind: Kind, found: Sequence[str], heading: Row, rows: Sequence[Row]
) -> Given:
    lines = []
    for row in rows:
        said = {
            name: plain(cell)
            for name, cell in zip(found, row.cells, strict=False)
            if name and cell
        }
        if said and not _closing(said, kind):
            lines.append(Line(row.number, said))
    most = settings().MAX_SCANS_PER_LIST
    if not lines:
        why = Problem("file", "The list has no rows.", "Danh sách không có dòng nào.")
        raise BadInput((why,))
    if len(lines) > most:
        why = Problem(
            "file",
            f"At most {most} rows at once: split the list.",
            f"Mỗi lần nhiều nhất {most} dòng: hãy chia nhỏ danh sách.",
        )
        raise BadInput((why,))
    ignored = [
        cell
        for name, cell in zip(found, heading.cells, strict=False)
        if not name and cell
    ]
    return Given(kind, tuple(n for n in found if n), tuple(ignored), lines)


def _closing(said: Mapping[str, str], kind: Kind) -> bool:
    """Whether a row is no line but what stands below a list: a sum, a signature."""
    return not any(name in said for name in NEEDED[kind][:2])


def written(given: Given) -> str:
    """Write a list as it would be pasted: tabs, our own headings, one row a line."""
    rows = [[TITLES[name][0] for name in given.columns]]
    rows += [
        [line.said.get(name, "") for name in given.columns] for line in given.lines
    ]
    return "\n".join("\t".join(_cell(cell) for cell in row) for row in rows)


def _cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if '"' in text else text


_D_M_Y = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
_Y_M_D = re.compile(r"(\d{4})[./-](\d{1,2})[./-](\d{1,2})")
_SERIAL = re.compile(r"\d{5}(\.\d+)?")
_EXCEL_BEGINS = date(1899, 12, 30)
_TIME = re.compile(r"([T ]\d{1,2}(:\d{2}){1,2}(\.\d+)?)$")


def day(text: str) -> date | None:
    """Read a day as lists have it: 2/3/2027, 2027-03-02, or Excel's own number.

    ``None`` for anything else. A time of day after it is left out.
    """
    said = _TIME.sub("", text.strip())
    try:
        if found := _D_M_Y.fullmatch(said):
            read = date(int(found[3]), int(found[2]), int(found[1]))
        elif found := _Y_M_D.fullmatch(said):
            read = date(int(found[1]), int(found[2]), int(found[3]))
        elif _SERIAL.fullmatch(said):
            read = _EXCEL_BEGINS + timedelta(days=int(float(said)))
        else:
            return None
    except ValueError:
        return None
    return read if 2000 <= read.year < 2100 else None


# Looking over


async def check(
    given: Given, actor: Actor, terms: Terms | None = None
) -> list[Checked]:
    """Look every row over; nothing is written. ``terms`` are for a list of results."""
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    rows = [Checked(line) for line in given.lines]
    for row in rows:
        _no_formula(row)
    async with transaction() as connection:
        if given.kind is Kind.CODES:
            await _check_codes(connection, rows, actor)
        else:
            await _check_results(connection, rows, actor, _sound(terms, actor))
    return rows


def _sound(terms: Terms | None, actor: Actor) -> Terms:
    if terms is None or terms.agency not in actor.places:
        raise NotYourPlace
    return terms


def _no_formula(row: Checked) -> None:
    for name, cell in row.line.said.items():
        if spreadsheets.computed(cell):
            row.problems.append(
                Problem(
                    name,
                    "This cell is a formula: paste its value.",
                    "Ô này là công thức: hãy dán giá trị.",
                )
            )


def _told_twice(rows: Sequence[Checked], name: str) -> None:
    said = Counter(_compact(row.line.said.get(name, "")) for row in rows)
    for row in rows:
        text = _compact(row.line.said.get(name, ""))
        if text and said[text] > 1:
            row.problems.append(
                Problem(
                    name,
                    "It stands in the list more than once.",
                    "Có nhiều dòng trùng nhau trong danh sách.",
                )
            )


async def _check_codes(
    connection: Connection, rows: Sequence[Checked], actor: Actor
) -> None:
    _told_twice(rows, "waybill")
    _told_twice(rows, "code")
    for row in rows:
        row.waybill = _compact(row.line.said.get("waybill", ""))
        row.code = row.line.said.get("code", "")
    found = await connection.fetch(
        """
        SELECT l.waybill, d.id, d.agency, d.due_on, i.since, array(SELECT c.code
            FROM dossier_code c WHERE c.dossier = d.id
            AND c.source = 'agency:' || d.agency) AS codes
        FROM label l JOIN item i ON i.id = l.item JOIN dossier d ON d.id = i.dossier
        WHERE l.waybill = ANY($1::bpchar[]) AND i.leg = 'dossier'
            AND i.stage = 'received' AND d.agency = ANY($2::int[])
        """,
        [row.waybill for row in rows],
        _agencies(actor),
    )
    known = {each["waybill"]: each for each in found}
    owners = await _owners(connection, [row.code for row in rows], _agencies(actor))
    for row in rows:
        _check_code(row, known.get(row.waybill), owners)


async def _owners(
    connection: Connection, codes: Sequence[str], agencies: Sequence[int]
) -> dict[tuple[int, str], Record]:
    """Find which dossiers have these codes, by agency and code."""
    rows = await connection.fetch(
        """
        SELECT c.code, d.agency, d.id, d.token, d.service,
            EXISTS (SELECT FROM item r WHERE r.dossier = d.id AND r.leg = 'result'
                AND r.stage NOT IN ('cancelled', 'returned')) AS has_result
        FROM dossier_code c JOIN dossier d ON d.id = c.dossier
        WHERE c.code = ANY($1::text[]) AND c.source = 'agency:' || d.agency
            AND d.agency = ANY($2::int[])
        """,
        list(codes),
        list(agencies),
    )
    return {(row["agency"], row["code"]): row for row in rows}


def _check_code(
    row: Checked, item: Record | None, owners: Mapping[tuple[int, str], Record]
) -> None:
    said = row.line.said.get("due_on", "")
    row.due_on = day(said)
    if item is None:
        row.problems.append(
            Problem(
                "waybill",
                "No dossier that you received has this waybill.",
                "Không có hồ sơ nào đơn vị đã nhận mang mã vận đơn này.",
            )
        )
        return
    row.agency, row.dossier = item["agency"], item["id"]
    owner = owners.get((row.agency, row.code))
    taken = owner is not None and owner["id"] != row.dossier
    row.problems += code_faults(row.code, taken=taken)
    if said and row.due_on is None:
        row.problems.append(_no_day())
    else:
        row.problems += due_faults(row.due_on, item["since"])
    if row.due_on and not row.problems and not calendar().works(row.due_on):
        row.remark = (
            "Ngày hẹn trả rơi vào ngày nghỉ.",
            "The due date is no working day.",
        )
    if row.code in item["codes"] and row.due_on == item["due_on"]:
        row.fate = Fate.SAME
    elif item["codes"] or item["due_on"]:
        row.fate = Fate.CHANGED


def _no_day() -> Problem:
    return Problem(
        "due_on", "Write a day as 31/12/2026.", "Hãy ghi ngày như 31/12/2026."
    )


def _agencies(actor: Actor) -> list[int]:
    return [p.id for p in actor.places if p.kind is PartyKind.AGENCY]


async def _check_results(
    connection: Connection, rows: Sequence[Checked], actor: Actor, terms: Terms
) -> None:
    _told_twice(rows, "code")
    for row in rows:
        row.code, row.agency = row.line.said.get("code", ""), terms.agency.id
    owners = await _owners(connection, [r.code for r in rows], [terms.agency.id])
    procedures = await connection.fetch("SELECT code, name, name_en FROM procedure")
    by_word = {
        bare_words(word): p["code"]
        for p in procedures
        for word in (p["code"], p["name"], p["name_en"])
        if word
    }
    agency = await connection.fetchval(
        "SELECT code FROM agency WHERE id = $1", terms.agency.id
    )
    for row in rows:
        row.problems += code_faults(row.code, taken=False)
        row.originals = _number(row, "originals", 1)
        row.copies = _number(row, "copies", 0)
        row.fee = _amount(row, "fee") or 0
        owner = owners.get((terms.agency.id, row.code))
        if owner is not None:
            _known(row, owner, terms)
        else:
            await _order(row, terms, agency, by_word)


def _known(row: Checked, owner: Record, terms: Terms) -> None:
    """Take a row of a dossier that we have: only its result is left to announce."""
    row.dossier, row.token = owner["id"], owner["token"]
    if owner["has_result"] or not terms.ready:
        row.fate = Fate.SAME
        return
    row.fate = Fate.KNOWN
    row.remark = (
        "Hồ sơ đã có: kết quả phát đến người nhận đã đăng ký.",
        "We have this dossier: its result goes to the recipient registered there.",
    )


async def _order(
    row: Checked, terms: Terms, agency: str, by_word: Mapping[str, str]
) -> None:
    said = row.line.said
    named = said.get("procedure", "")
    procedure = by_word.get(bare_words(named)) if named else None
    procedure = procedure or terms.procedure
    if not procedure:
        row.problems.append(
            Problem(
                "procedure",
                "Name a procedure of the list, or choose one for all rows.",
                "Hãy ghi thủ tục có trong danh mục, hoặc chọn chung cho mọi dòng.",
            )
        )
    row.order = Order(
        id=uuid5(_ORDERS, f"{terms.agency} {row.code}"),
        procedure=procedure,
        agency=agency,
        service="receive",
        owner=PersonGiven(
            said.get("name", ""),
            _phone(said.get("phone", "")),
            said.get("address", ""),
            said.get("ward", ""),
        ),
        source="agency",
        codes=((str(terms.agency), row.code),),
        fee=row.fee,
        postage=_amount(row, "postage"),
        postage_by=terms.postage_by,
    )
    draft = await orders.read(row.order, ask=False)
    names = {"owner.name": "name", "owner.phone": "phone"}
    names |= {"owner.address": "address", "owner.ward": "address"}
    mentioned = {problem.field for problem in row.problems}
    for problem in draft.problems:
        at = names.get(problem.field, problem.field.partition(".")[0])
        if at not in mentioned and not at.startswith("codes"):
            row.problems.append(Problem(at, problem.detail, problem.detail_vi))


def _phone(text: str) -> str:
    """Give a number the zero back that a spreadsheet took for a number's."""
    bare = re.sub(r"[ .]", "", text)
    return f"0{bare}" if re.fullmatch(r"[35789]\d{8}", bare) else text


def _number(row: Checked, name: str, usual: int) -> int:
    text = row.line.said.get(name, "")
    if not text:
        return usual
    if text.isascii() and text.isdigit() and int(text[:6]) <= 200:
        return int(text[:6])
    row.problems.append(
        Problem(name, "Write a number of sheets.", "Hãy ghi số bản bằng chữ số.")
    )
    return usual


def _amount(row: Checked, name: str) -> int | None:
    """Read VND as people write it: ``26.000``, ``26 000 đ``; ``None`` for nothing."""
    text = row.line.said.get(name, "")
    if not text:
        return None
    digits = re.sub(r"(?i)[ .,₫đ]|vnd|dong", "", text)
    if digits.isascii() and digits.isdigit() and int(digits[:12]) <= LARGEST_AMOUNT:
        return int(digits[:12])
    row.problems.append(
        Problem(name, "Write the amount in VND.", "Hãy ghi số tiền bằng chữ số.")
    )
    return None


# Writing


@dataclass(frozen=True, slots=True)
class Done:
    """What a list came to: how many were written, announced, and left as they were."""

    written: int
    announced: int
    same: int


async def take_in(
    id: UUID, given: Given, actor: Actor, terms: Terms | None = None
) -> Done:
    """Write a whole list or nothing of it. ``id`` is the form's: twice is once.

    Raises ``BadInput`` whose fields are ``<row number>.<column>``.
    """
    rows = await check(given, actor, terms)
    _refuse_faulty(rows)
    if given.kind is Kind.CODES:
        return await _register(id, rows, actor)
    return await _bring(rows, actor, _sound(terms, actor))


def _refuse_faulty(rows: Sequence[Checked]) -> None:
    problems = [
        Problem(f"{row.line.number}.{p.field}", p.detail, p.detail_vi)
        for row in rows
        for p in row.problems
    ]
    if problems:
        raise BadInput(tuple(problems))


async def _register(id: UUID, rows: Sequence[Checked], actor: Actor) -> Done:
    todo = [row for row in rows if row.fate is not Fate.SAME]
    now = datetime.now().astimezone()
    scans = [
        Scan(
            id=uuid5(id, row.waybill),
            code=row.waybill,
            step=Step.REGISTERED,
            at=now,
            actor=actor,
            place=Party(PartyKind.AGENCY, row.agency),
            device="list",
            dossier_code=row.code,
            due_on=row.due_on,
        )
        for row in todo
    ]
    async with transaction():
        outcomes = await record(scans)
        problems = [
            Problem.of(f"{row.line.number}.waybill", outcome.error)
            for row, outcome in zip(todo, outcomes, strict=True)
            if outcome.error is not None
        ]
        if problems:
            raise BadInput(tuple(problems))  # and nothing of it is kept
    return Done(len(todo), 0, len(rows) - len(todo))


async def _bring(rows: Sequence[Checked], actor: Actor, terms: Terms) -> Done:
    fresh = [row for row in rows if row.order is not None]
    async with transaction() as connection:
        try:
            booked = await bookings.book_results(
                [row.order for row in fresh if row.order is not None], actor
            )
        except BadInput as fault:
            raise BadInput(tuple(_by_row(p, fresh) for p in fault.problems)) from fault
        for row, each in zip(fresh, booked, strict=True):
            row.token, row.dossier = each.token, each.dossier
        wanted = [r for r in rows if terms.ready and r.fate is not Fate.SAME]
        told = await bookings.announce_results(
            [
                Announcement(
                    id=uuid5(_ORDERS, f"result {row.token}"),
                    token=row.token,
                    originals=row.originals,
                    copies=row.copies,
                    fee=row.fee,
                )
                for row in wanted
            ],
            actor,
        )
        problems = [
            Problem.of(f"{row.line.number}.code", each.error)
            for row, each in zip(wanted, told, strict=True)
            if each.error is not None
        ]
        if problems:
            raise BadInput(tuple(problems))
        await _keep_result_numbers(connection, rows)
    same = sum(row.fate is Fate.SAME for row in rows)
    return Done(len(fresh), len(wanted), same)


def _by_row(problem: Problem, fresh: Sequence[Checked]) -> Problem:
    at, _, name = problem.field.partition(".")
    column = "address" if "address" in name or "ward" in name else name
    return Problem(
        f"{fresh[int(at)].line.number}.{column}", problem.detail, problem.detail_vi
    )


async def _keep_result_numbers(connection: Connection, rows: Sequence[Checked]) -> None:
    """Keep the numbers of results beside the dossiers' codes: a code of its own."""
    for row in rows:
        number = row.line.said.get("result_no", "")[:50]
        if number and row.dossier:
            await connection.execute(
                """
                INSERT INTO dossier_code (dossier, source, code, given_at)
                VALUES ($1, $2, $3, now()) ON CONFLICT (source, code) DO NOTHING
                """,
                row.dossier,
                f"result:{row.agency}",
                number,
            )


# A list to begin with

_SAMPLES: Mapping[Kind, tuple[str, ...]] = {
    Kind.CODES: ("DH 1234 5678 5 VN", "H01.26-261123-0001", "30/11/2026"),
    Kind.RESULTS: (
        "H01.26-261123-0001",
        "1.000000",
        "Nguyễn Văn Mẫu",
        "0912 345 678",
        "12 Trần Hưng Đạo, Phường Long Xuyên",
        "Long Xuyên",
        "12/KQ-UBND",
        "1",
        "0",
        "0",
        "",
    ),
}


def sample(kind: Kind) -> bytes:
    """Make a workbook with the headings that are read, and one made-up row."""
    columns = [
        spreadsheets.Column(TITLES[name][0], max(14, len(TITLES[name][0]) + 4))
        for name in COLUMNS[kind]
    ]
    title = {
        Kind.CODES: "MÃ HỒ SƠ VÀ NGÀY HẸN TRẢ",
        Kind.RESULTS: "DANH SÁCH ĐĂNG KÝ CHUYỂN PHÁT",
    }[kind]
    return spreadsheets.write(title, [], columns, [_SAMPLES[kind]])
