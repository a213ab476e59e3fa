"""The auditor's view of who has read whose personal data: found, counted, taken along.

Shows nothing personal itself: staff by name, dossiers by code and waybill. An auditor
who asks for a person's readings by a phone number or a name reads of that person, which
is written down like every other reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from asyncpg import Connection, Record

from postal_track import readings, spreadsheets
from postal_track.boards import LOCAL, midnight, today
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.errors import (
    BadInput,
    BadPhone,
    BadWaybill,
    ForeignCode,
    NotAllowed,
    Problem,
)
from postal_track.labels import parse_code
from postal_track.orders import plain
from postal_track.phones import normalise
from postal_track.reach import Values
from postal_track.staff import Actor

LISTED = 100
MOST_TAKEN = 50_000
MOST_DAYS = 366
MOST_PERSONS = 500

AUDITORS = frozenset({Role.AUDITOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What readings are looked for; what is not set does not limit.

    ``person`` is a phone number or a whole name, ``dossier`` a code or a waybill,
    ``staff`` a login or a name. Days are local, both included; this week's when none
    is named. ``before`` is the key that the page before gave.
    """

    person: str = ""
    dossier: str = ""
    staff: str = ""
    what: str = ""
    since: date | None = None
    until: date | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One reading. ``agency`` is where the dossier belongs, ``where`` the reader."""

    id: int
    at: datetime
    staff: str
    login: str
    role: Role
    where: str
    what: str
    code: str
    waybill: str
    agency: str


@dataclass(frozen=True, slots=True)
class Reader:
    """How much one member of staff has read in the time that is looked at."""

    name: str
    login: str
    role: Role
    readings: int
    dossiers: int


@dataclass(frozen=True, slots=True)
class Board:
    """The readings that were found, the newest first; who reads most."""

    since: date
    until: date
    total: int
    rows: list[Row]
    readers: list[Reader]
    before: int | None


async def board(wanted: Wanted, actor: Actor) -> Board:
    """Find readings.

    Raises ``BadInput`` on ``since``, ``person`` or ``dossier`` for what cannot be
    looked for.
    """
    since, until = _days(wanted)
    async with transaction() as connection:
        values = Values()
        rules = await _rules(connection, wanted, actor, since, until, values)
        of_all = list(values)
        total = await connection.fetchval(_TOTAL.format(rules=rules), *of_all)
        readers = await connection.fetch(_READERS.format(rules=rules), *of_all)
        paged = rules
        if wanted.before is not None:
            paged = f"{rules} AND r.id < {values.put(wanted.before)}::bigint"
        rows = await connection.fetch(
            _ROWS.format(rules=paged, most=LISTED + 1), *values
        )
    listed = [_row(row) for row in rows[:LISTED]]
    return Board(
        since=since,
        until=until,
        total=total,
        rows=listed,
        readers=[_reader(row) for row in readers],
        before=listed[-1].id if len(rows) > LISTED else None,
    )


async def sheet(wanted: Wanted, actor: Actor, words: Mapping[str, str]) -> bytes:
    """Take the readings along as CSV, the newest first; ``words`` name what for."""
    since, until = _days(wanted)
    async with transaction() as connection:
        values = Values()
        rules = await _rules(connection, wanted, actor, since, until, values)
        rows = await connection.fetch(
            _ROWS.format(rules=rules, most=MOST_TAKEN), *values
        )
    return spreadsheets.comma_separated(
        (
            "Thời điểm",
            "Nhân viên",
            "Tên đăng nhập",
            "Vai trò",
            "Đơn vị",
            "Việc",
            "Mã hồ sơ",
            "Mã vận đơn",
            "Cơ quan",
        ),
        (
            (
                f"{each.at.astimezone(LOCAL):%Y-%m-%d %H:%M:%S}",
                each.staff,
                each.login,
                each.role.value,
                each.where,
                words.get(each.what, each.what),
                each.code,
                each.waybill,
                each.agency,
            )
            for each in map(_row, rows)
        ),
    )


def _days(wanted: Wanted) -> tuple[date, date]:
    last = wanted.until or today()
    first = wanted.since or min(last, today()) - timedelta(days=6)
    if not first <= last or (last - first).days > MOST_DAYS:
        why = Problem(
            "since",
            "Choose at most a year, the first day before the last.",
            "Hãy chọn nhiều nhất một năm, từ ngày trước đến ngày.",
        )
        raise BadInput((why,))
    return first, last


async def _rules(
    connection: Connection,
    wanted: Wanted,
    actor: Actor,
    since: date,
    until: date,
    values: Values,
) -> str:
    if actor.role not in AUDITORS:
        raise NotAllowed
    rules = [
        f"r.at >= {values.put(midnight(since))}",
        f"r.at < {values.put(midnight(until + timedelta(days=1)))}",
    ]
    if text := plain(wanted.dossier)[:60]:
        numbers = values.put(await _dossiers(connection, text))
        rules.append(f"r.dossier = ANY({numbers}::bigint[])")
    if text := plain(wanted.person)[:120]:
        found = await _of_person(connection, text)
        await readings.note(actor, found, "audit")
        rules.append(f"r.dossier = ANY({values.put(found)}::bigint[])")
    if text := plain(wanted.staff)[:80]:
        name = values.put(text.lower())
        rules.append(f"(s.login = {name} OR lower(s.name) = {name})")
    if wanted.what:
        rules.append(f"r.what = {values.put(wanted.what)}")
    return " AND ".join(rules)


async def _dossiers(connection: Connection, text: str) -> list[int]:
    """Find dossiers by a code or a waybill; none is no fault."""
    rows = await connection.fetch(
        """
        SELECT dossier FROM dossier_code WHERE upper(code) = upper($1)
        UNION SELECT i.dossier FROM label l JOIN item i ON i.id = l.item
        WHERE l.waybill = $2
        """,
        text,
        _waybill(text),
    )
    return [row["dossier"] for row in rows]


def _waybill(text: str) -> str:
    try:
        return parse_code(text).waybill
    except (BadWaybill, ForeignCode):  # a dossier code, then
        return ""


async def _of_person(connection: Connection, text: str) -> list[int]:
    """Find the dossiers of a person by a whole phone number or a whole name."""
    phone = ""
    if any(sign.isdigit() for sign in text):
        try:
            phone = normalise(text).e164
        except BadPhone as fault:
            raise BadInput((Problem.of("person", fault),)) from fault
    rows = await connection.fetch(
        """
        SELECT DISTINCT dossier FROM person
        WHERE CASE WHEN $1 <> '' THEN phone = $1 ELSE lower(name) = lower($2) END
        ORDER BY dossier DESC LIMIT $3
        """,
        phone,
        text,
        MOST_PERSONS,
    )
    return [row["dossier"] for row in rows]


_TOTAL = """
    SELECT count(*) FROM reading r JOIN staff s ON s.id = r.staff WHERE {rules}
"""

_READERS = """
    SELECT s.name, s.login, s.role, count(*) AS readings,
        count(DISTINCT r.dossier) AS dossiers
    FROM reading r JOIN staff s ON s.id = r.staff WHERE {rules}
    GROUP BY s.id ORDER BY count(*) DESC, s.login LIMIT 10
"""

_ROWS = """
    SELECT r.id, r.at, r.what, s.name, s.login, s.role, a.name AS agency,
        coalesce(o.name, (SELECT string_agg(g.name, ', ' ORDER BY m.id)
            FROM staff_agency m JOIN agency g ON g.id = m.agency
            WHERE m.staff = s.id), '') AS place,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code,
        coalesce((SELECT i.waybill FROM item i WHERE i.dossier = d.id
            ORDER BY i.id LIMIT 1), '') AS waybill
    FROM reading r JOIN staff s ON s.id = r.staff
    JOIN dossier d ON d.id = r.dossier JOIN agency a ON a.id = d.agency
    LEFT JOIN office o ON o.id = s.office
    WHERE {rules} ORDER BY r.id DESC LIMIT {most}
"""


def _row(row: Record) -> Row:
    return Row(
        id=row["id"],
        at=row["at"],
        staff=row["name"],
        login=row["login"],
        role=Role(row["role"]),
        where=row["place"],
        what=row["what"],
        code=row["code"],
        waybill=row["waybill"],
        agency=row["agency"],
    )


def _reader(row: Record) -> Reader:
    return Reader(
        row["name"], row["login"], Role(row["role"]), row["readings"], row["dossiers"]
    )
