"""Who belongs to which agency, who leads it, and what its people did.

Memberships are changed by admins and supervisors and each change is kept; a change
counts from the officer's next request on. A chief reads the work of his unit's people:
what they said and what they left open. Shows nothing personal of citizens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from asyncpg import Connection, Record

from postal_track.boards import midnight, today
from postal_track.custody import Party, PartyKind, Role, Step
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.staff import Actor

MANAGERS = frozenset({Role.ADMIN, Role.SUPERVISOR})
LISTED = 200
LONGEST_LOOK = 92
"""Days that the work of a unit's people is looked at in at once."""


@dataclass(frozen=True, slots=True)
class Member:
    """An officer in a unit."""

    staff: int
    login: str
    name: str
    chief: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Roster:
    """A unit with its people, and whether whoever asks may change them."""

    agency: int
    code: str
    name: str
    name_en: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a membership: ``change`` is joined, chief, member or left."""

    at: datetime
    change: str
    login: str
    name: str
    by: str
    agency: str
    agency_en: str


@dataclass(frozen=True, slots=True)
class Memberships:
    """All that someone may manage: units, officers without one, the last changes."""

    rosters: list[Roster]
    free: list[Member]
    changes: list[Change]


def manages(actor: Actor) -> bool:
    """Whether someone manages memberships at all."""
    return actor.role in MANAGERS


# An office's supervisor manages the agencies that his office serves; one without an
# office, and an admin, all.
_MANAGED = """
    SELECT a.* FROM agency a
    WHERE ($1::int IS NULL OR a.office = $1)
"""


async def memberships(actor: Actor) -> Memberships:
    """List the units that someone manages, by name; ``NotAllowed`` for who does not."""
    if not manages(actor):
        raise NotAllowed
    async with transaction() as connection:
        agencies = await connection.fetch(f"{_MANAGED} ORDER BY a.name", actor.office)
        numbers = [row["id"] for row in agencies]
        members = await connection.fetch(
            """
            SELECT m.agency, m.chief, s.id, s.login, s.name, s.active
            FROM staff_agency m JOIN staff s ON s.id = m.staff
            WHERE m.agency = ANY($1::int[]) ORDER BY m.chief DESC, s.name, s.id
            """,
            numbers,
        )
        free = await connection.fetch(
            """
            SELECT s.id, s.login, s.name, s.active, false AS chief FROM staff s
            WHERE s.role = 'officer' AND NOT EXISTS
                (SELECT FROM staff_agency m WHERE m.staff = s.id)
            ORDER BY s.name, s.id LIMIT $1
            """,
            LISTED,
        )
        changes = await connection.fetch(
            """
            SELECT c.at, c.change, s.login, s.name, b.name AS by, a.name AS agency,
                a.name_en AS agency_en
            FROM membership_change c JOIN staff s ON s.id = c.staff
            JOIN staff b ON b.id = c.by JOIN agency a ON a.id = c.agency
            WHERE c.agency = ANY($1::int[]) ORDER BY c.id DESC LIMIT 50
            """,
            numbers,
        )
    rosters = [
        Roster(
            row["id"],
            row["code"],
            row["name"],
            row["name_en"],
            tuple(_member(m) for m in members if m["agency"] == row["id"]),
        )
        for row in agencies
    ]
    return Memberships(
        rosters, [_member(row) for row in free], [Change(**row) for row in changes]
    )


def _member(row: Record) -> Member:
    return Member(row["id"], row["login"], row["name"], row["chief"], row["active"])


async def join(actor: Actor, agency: int, login: str, *, chief: bool = False) -> None:
    """Let an officer into a unit, or make him its chief; twice changes nothing more.

    Raises ``BadInput`` on ``login`` for who is no officer.
    """
    async with transaction() as connection:
        await _managed(connection, actor, agency)
        staff = await connection.fetchval(
            """
            SELECT id FROM staff WHERE login = $1 AND role = 'officer' AND active
            FOR UPDATE
            """,
            plain(login).lower()[:40],
        )
        if staff is None:
            why = Problem(
                "login",
                "No officer has this login.",
                "Không có cán bộ một cửa nào dùng tên đăng nhập này.",
            )
            raise BadInput((why,))
        before = await connection.fetchval(
            "SELECT chief FROM staff_agency WHERE staff = $1 AND agency = $2",
            staff,
            agency,
        )
        if before is None:
            await connection.execute(
                "INSERT INTO staff_agency (staff, agency, chief) VALUES ($1, $2, $3)",
                staff,
                agency,
                chief,
            )
            await _keep(connection, actor, agency, staff, "joined")
        if chief and not before:
            await _set_chief(connection, actor, agency, staff, chief=True)


async def lead(actor: Actor, agency: int, staff: int, *, chief: bool) -> None:
    """Make a member the chief of his unit, or no longer; ``NotFound`` for no member."""
    async with transaction() as connection:
        await _managed(connection, actor, agency)
        before = await _membership(connection, agency, staff)
        if before != chief:
            await _set_chief(connection, actor, agency, staff, chief=chief)


async def leave(actor: Actor, agency: int, staff: int) -> None:
    """Take someone out of a unit; who is out already stays out."""
    async with transaction() as connection:
        await _managed(connection, actor, agency)
        gone = await connection.fetchval(
            "DELETE FROM staff_agency WHERE staff = $1 AND agency = $2 RETURNING id",
            staff,
            agency,
        )
        if gone is not None:
            await _keep(connection, actor, agency, staff, "left")


async def _managed(connection: Connection, actor: Actor, agency: int) -> None:
    if not manages(actor):
        raise NotAllowed
    found = await connection.fetchval(
        f"SELECT EXISTS ({_MANAGED} AND a.id = $2)",
        actor.office,
        agency,
    )
    if not found:
        raise NotFound


async def _membership(connection: Connection, agency: int, staff: int) -> bool:
    chief = await connection.fetchval(
        "SELECT chief FROM staff_agency WHERE staff = $1 AND agency = $2 FOR UPDATE",
        staff,
        agency,
    )
    if chief is None:
        raise NotFound
    return bool(chief)


async def _set_chief(
    connection: Connection, actor: Actor, agency: int, staff: int, *, chief: bool
) -> None:
    await connection.execute(
        "UPDATE staff_agency SET chief = $3 WHERE staff = $1 AND agency = $2",
        staff,
        agency,
        chief,
    )
    await _keep(connection, actor, agency, staff, "chief" if chief else "member")


async def _keep(
    connection: Connection, actor: Actor, agency: int, staff: int, change: str
) -> None:
    await connection.execute(
        """
        INSERT INTO membership_change (staff, agency, change, by, at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        staff,
        agency,
        change,
        actor.staff,
        datetime.now(UTC),
    )


# What a chief sees


SAID = (
    Step.RECEIVED,
    Step.REGISTERED,
    Step.REFUSED,
    Step.READY,
    Step.RELEASED,
    Step.RETURNED,
    Step.CORRECTED,
)
"""What an officer says at his desk, as a chief counts it."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the unit's people: how often he said what, and what of his lies open.

    ``unregistered`` has no code or due date yet, ``late`` has passed its due date.
    """

    staff: int
    name: str
    login: str
    member: bool
    said: dict[Step, int]
    last: datetime | None
    unregistered: int
    in_work: int
    late: int


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that somebody said at the desk. ``recorded_at``: when we heard it."""

    at: datetime
    recorded_at: datetime
    step: Step
    staff: int
    name: str
    waybill: str
    code: str
    flagged: bool


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a unit's people on some days, both included."""

    unit: Party
    since: date
    until: date
    workers: list[Worker]
    deeds: list[Deed]
    more: bool


def _looks_at(actor: Actor, unit: Party) -> bool:
    if unit.kind is not PartyKind.AGENCY:
        return False
    return unit in actor.chief_of


async def work(
    actor: Actor,
    unit: Party,
    since: date | None = None,
    until: date | None = None,
    staff: int | None = None,
) -> Work:
    """Read what a unit's people did; today's when no day is named.

    ``staff`` narrows the list of deeds to one. ``NotFound`` for who is not its chief,
    ``BadInput`` on ``since`` for days that are out of order or too many.
    """
    if not _looks_at(actor, unit):
        raise NotFound
    last = until or today()
    first = since or last
    if not first <= last or (last - first).days > LONGEST_LOOK:
        why = Problem(
            "since",
            f"Choose at most {LONGEST_LOOK} days, the first before the last.",
            f"Hãy chọn nhiều nhất {LONGEST_LOOK} ngày, từ ngày trước đến ngày.",
        )
        raise BadInput((why,))
    days = (midnight(first), midnight(last + timedelta(days=1)))
    async with transaction() as connection:
        counted = await connection.fetch(_COUNTED, str(unit), *days, _steps())
        people = await connection.fetch(_PEOPLE, unit.id, [r["by"] for r in counted])
        left_open = await connection.fetch(_OPEN, unit.id, today())
        deeds = await connection.fetch(
            _DEEDS,
            str(unit),
            *days,
            _steps(),
            str(Party(PartyKind.STAFF, staff)) if staff else None,
            LISTED + 1,
        )
    return Work(
        unit=unit,
        since=first,
        until=last,
        workers=[_worker(row, counted, left_open) for row in people],
        deeds=[_deed(row) for row in deeds[:LISTED]],
        more=len(deeds) > LISTED,
    )


def _steps() -> list[str]:
    return [step.value for step in SAID]


_COUNTED = """
    SELECT e.by, e.step, count(*) AS times, max(e.at) AS last FROM event e
    WHERE e.place = $1 AND e.place LIKE 'agency:%' AND e.recorded_at >= $2
        AND e.recorded_at < $3 AND e.step = ANY($4::text[]) AND e.by LIKE 'staff:%'
    GROUP BY e.by, e.step
"""

# Who has left the unit since is shown with what he said while he was in it.
_PEOPLE = """
    SELECT s.id, s.name, s.login, m.id IS NOT NULL AS member FROM staff s
    LEFT JOIN staff_agency m ON m.staff = s.id AND m.agency = $1
    WHERE m.id IS NOT NULL OR 'staff:' || s.id = ANY($2::text[])
    ORDER BY m.id IS NULL, s.name, s.id
"""

_OPEN = """
    WITH lying AS (
        SELECT d.id, d.due_on, d.service, i.id AS item,
            EXISTS (SELECT FROM dossier_code c WHERE c.dossier = d.id
                AND c.source = 'agency:' || d.agency) AND d.due_on IS NOT NULL AS given
        FROM dossier d JOIN item i ON i.dossier = d.id AND i.leg = 'dossier'
            AND i.stage = 'received'
        WHERE d.agency = $1 AND NOT EXISTS (SELECT FROM item r WHERE r.dossier = d.id
            AND r.leg = 'result' AND r.stage <> 'cancelled')
    ), told AS (
        SELECT l.*, (SELECT e.by FROM event e WHERE e.item = l.item
            AND e.step IN ('received', 'registered') ORDER BY e.seq DESC LIMIT 1) AS by
        FROM lying l WHERE NOT given OR service <> 'send'
    )
    SELECT by, count(*) FILTER (WHERE NOT given) AS unregistered,
        count(*) FILTER (WHERE given) AS in_work,
        count(*) FILTER (WHERE given AND due_on < $2) AS late
    FROM told GROUP BY by
"""

_DEEDS = """
    SELECT e.at, e.recorded_at, e.step, e.flags, s.id AS staff, s.name, i.waybill,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = i.dossier
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code
    FROM event e JOIN item i ON i.id = e.item
    JOIN staff s ON 'staff:' || s.id = e.by
    WHERE e.place = $1 AND e.place LIKE 'agency:%' AND e.recorded_at >= $2
        AND e.recorded_at < $3 AND e.step = ANY($4::text[])
        AND ($5::text IS NULL OR e.by = $5)
    ORDER BY e.recorded_at DESC LIMIT $6
"""


def _worker(
    row: Record, counted: Sequence[Record], left_open: Sequence[Record]
) -> Worker:
    by = str(Party(PartyKind.STAFF, row["id"]))
    mine = [each for each in counted if each["by"] == by]
    lies = next((each for each in left_open if each["by"] == by), None)
    return Worker(
        staff=row["id"],
        name=row["name"],
        login=row["login"],
        member=row["member"],
        said={Step(each["step"]): each["times"] for each in mine},
        last=max((each["last"] for each in mine), default=None),
        unregistered=lies["unregistered"] if lies else 0,
        in_work=lies["in_work"] if lies else 0,
        late=lies["late"] if lies else 0,
    )


def _deed(row: Record) -> Deed:
    return Deed(
        at=row["at"],
        recorded_at=row["recorded_at"],
        step=Step(row["step"]),
        staff=row["staff"],
        name=row["name"],
        waybill=row["waybill"],
        code=row["code"],
        flagged=bool(row["flags"]),
    )
