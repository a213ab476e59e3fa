"""The phone is lost: who sees which phones, signs one out, and lets it in again.

Its sessions end at once and none is opened until it is let in. Everybody sees the
phones he logged in with last, and may sign them out; a supervisor those of his office.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from asyncpg import Connection, Record

from postal_track import devices
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.reach import Values
from postal_track.staff import Actor

MOST_LISTED = 500
LONGEST_WHY = 240

WARDENS = frozenset({Role.SUPERVISOR, Role.ADMIN})
"""Who lets a phone in again."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone or desk. ``staff`` is who logged in with it last.

    ``here``: it is the one that asks. ``told_at``: when it learnt that it is out.
    """

    id: str
    name: str
    agent: str
    staff: str
    login: str
    office: str
    first_seen: datetime
    last_seen: datetime
    skew_ms: int | None
    signed_out_at: datetime | None
    signed_out_by: str
    why: str
    told_at: datetime | None
    let_in_at: datetime | None
    let_in_by: str
    sessions: int
    mine: bool
    here: bool

    @property
    def out(self) -> bool:
        """Whether it is signed out."""
        return self.signed_out_at is not None and self.let_in_at is None


_PHONE = """
    d.*, s.name AS staff_name, s.login, coalesce(o.name, '') AS office_name,
    coalesce(b.name, '') AS by_name, coalesce(l.name, '') AS let_in_name,
    (SELECT count(*) FROM session n WHERE n.device = d.id AND n.expires_at > now())
        AS sessions
    FROM device d JOIN staff s ON s.id = d.staff LEFT JOIN office o ON o.id = s.office
    LEFT JOIN staff b ON b.id = d.signed_out_by LEFT JOIN staff l ON l.id = d.let_in_by
"""


def _within_reach(actor: Actor, values: Values) -> str:
    """Say which phones, as a condition over a device ``d`` and its user ``s``."""
    if actor.role is Role.ADMIN or (actor.role is Role.SUPERVISOR and not actor.office):
        return "true"
    own = f"d.staff = {values.put(actor.staff)}"
    if actor.role is Role.SUPERVISOR:
        return f"({own} OR s.office = {values.put(actor.office)})"
    return own


async def phones(actor: Actor) -> list[Phone]:
    """List the phones within someone's reach: his own first, then the silent ones."""
    values = Values()
    reach = _within_reach(actor, values)
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT {_PHONE} WHERE {reach}
            ORDER BY d.staff <> {values.put(actor.staff)},
                d.signed_out_at IS NOT NULL AND d.let_in_at IS NULL, d.last_seen, d.id
            LIMIT {MOST_LISTED}
            """,
            *values,
        )
    return [_phone(row, actor) for row in rows]


def _phone(row: Record, actor: Actor) -> Phone:
    return Phone(
        id=row["id"],
        name=row["name"],
        agent=row["agent"],
        staff=row["staff_name"],
        login=row["login"],
        office=row["office_name"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        skew_ms=row["skew_ms"],
        signed_out_at=row["signed_out_at"],
        signed_out_by=row["by_name"],
        why=row["why"],
        told_at=row["told_at"],
        let_in_at=row["let_in_at"],
        let_in_by=row["let_in_name"],
        sessions=row["sessions"],
        mine=row["staff"] == actor.staff,
        here=row["id"] == actor.device,
    )


async def _find(connection: Connection, device: str, actor: Actor) -> Record:
    values = Values()
    row = await connection.fetchrow(
        f"""
        SELECT d.* FROM device d JOIN staff s ON s.id = d.staff
        WHERE d.id = {values.put(device)} AND {_within_reach(actor, values)}
        FOR UPDATE OF d
        """,  # noqa: S608 - placeholders
        *values,
    )
    if row is None:
        raise NotFound
    return row


async def call(device: str, name: str, actor: Actor) -> None:
    """Give a phone a name that people know it by."""
    name = plain(name)[: devices.LONGEST_NAME]
    if not name:
        why = Problem("name", "Write a name.", "Hãy ghi tên máy.")
        raise BadInput((why,))
    async with transaction() as connection:
        await _find(connection, device, actor)
        await connection.execute(
            "UPDATE device SET name = $2 WHERE id = $1", device, name
        )


async def sign_out(device: str, why: str, actor: Actor) -> None:
    """End a phone's sessions, whoever's, and let it open none. Twice is once."""
    why = plain(why)[:LONGEST_WHY]
    if not why:
        problem = Problem(
            "why",
            "Say why: lost, stolen, handed on …",
            "Hãy ghi lý do: mất, bị trộm, giao cho người khác…",
        )
        raise BadInput((problem,))
    async with transaction() as connection:
        row = await _find(connection, device, actor)
        if row["signed_out_at"] is not None and row["let_in_at"] is None:
            return
        now = datetime.now(UTC)
        await connection.execute(
            """
            UPDATE device SET signed_out_at = $2, signed_out_by = $3, why = $4,
                told_at = NULL, let_in_at = NULL, let_in_by = NULL WHERE id = $1
            """,
            device,
            now,
            actor.staff,
            why,
        )
        # Not deleted: the phone is to learn why its session is over.
        await connection.execute(
            """
            UPDATE session SET expires_at = $2 WHERE device = $1 AND expires_at > $2
            """,
            device,
            now,
        )
    devices.forget()


async def let_in(device: str, actor: Actor) -> None:
    """Let a phone that was found log in again. Twice is once."""
    if actor.role not in WARDENS:
        raise NotAllowed
    async with transaction() as connection:
        await _find(connection, device, actor)
        await connection.execute(
            """
            UPDATE device SET let_in_at = now(), let_in_by = $2
            WHERE id = $1 AND signed_out_at IS NOT NULL AND let_in_at IS NULL
            """,
            device,
            actor.staff,
        )
    devices.forget()
