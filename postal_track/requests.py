"""What citizens asked for, for those who answer for it: listed, granted, refused.

Only an erasure waits for a word; the rest was done when it was confirmed. Shows no name
and no number. Knows no HTTP and no words.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import erasing, promises, reach
from postal_track.asks import Act, State
from postal_track.custody import Party, PartyKind, Role
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.reach import Values
from postal_track.staff import Actor

LISTED = 50
LONGEST_REASON = 500

ANSWERED_WITHIN = 2
"""Working days for an answer (Decree 356/2025; check the law in force)."""

READERS = frozenset({Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR})


@dataclass(frozen=True, slots=True)
class Request:
    """A confirmed request. ``answer_by``: while it waits for a word.

    ``kept_until``: the legal time of its dossier; none while that is under way.
    """

    id: UUID
    act: Act
    state: State
    part: str
    at: datetime
    waybill: str
    office: Party
    answer_by: date | None
    overdue: bool
    kept_until: date | None
    decided_at: datetime | None
    decided_by: Party | None
    due_on: date | None
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page, those that wait first, then the newest; ``more``: there are others."""

    requests: list[Request]
    names: dict[Party, Named]
    waiting: int
    more: bool


async def listed(
    actor: Actor, *, waiting: bool = False, before: datetime | None = None
) -> Page:
    """List requests within reach; ``waiting``: only those that need a word."""
    if actor.role not in READERS:
        raise NotAllowed
    async with transaction() as connection:
        values = Values()
        rules = ["r.confirmed_at IS NOT NULL", reach.dossiers(actor, values)]
        count = await connection.fetchval(
            f"""
            SELECT count(*) FROM citizen_request r JOIN dossier d ON d.id = r.dossier
            WHERE {_WAITS} AND {" AND ".join(rules)}
            """,  # noqa: S608 - placeholders
            *values,
        )
        if waiting:
            rules.append(_WAITS)
        if before is not None:
            rules.append(f"r.confirmed_at < {values.put(before)}")
        rows = await connection.fetch(
            f"""
            {_REQUEST} WHERE {" AND ".join(rules)}
            ORDER BY r.confirmed_at DESC LIMIT {LISTED + 1}
            """,
            *values,
        )
        found = [await _request(connection, row) for row in rows[:LISTED]]
    known = await names({p for one in found for p in (one.office, one.decided_by) if p})
    return Page(found, known, count, len(rows) > LISTED)


_WAITS = "r.act = 'erasure' AND r.state = 'confirmed' AND r.decided_at IS NULL"

_REQUEST = """
    SELECT r.*, d.office, coalesce((SELECT i.waybill FROM item i
        WHERE i.dossier = d.id ORDER BY i.id DESC LIMIT 1), '') AS waybill
    FROM citizen_request r JOIN dossier d ON d.id = r.dossier
"""


async def look(id_: UUID, actor: Actor) -> tuple[Request, dict[Party, Named]]:
    """Open one; ``NotFound`` outside one's reach."""
    if actor.role not in READERS:
        raise NotAllowed
    async with transaction() as connection:
        found = await _request(connection, await _row(connection, id_, actor))
    known = await names({p for p in (found.office, found.decided_by) if p})
    return found, known


async def _row(
    connection: Connection, id_: UUID, actor: Actor, *, locked: bool = False
) -> Record:
    values = Values()
    rule = f"r.id = {values.put(id_)} AND r.confirmed_at IS NOT NULL"
    lock = " FOR UPDATE OF r" if locked else ""
    row = await connection.fetchrow(
        f"{_REQUEST} WHERE {rule} AND {reach.dossiers(actor, values)}{lock}",
        *values,
    )
    if row is None:
        raise NotFound
    return row


async def _request(connection: Connection, row: Record) -> Request:
    waits = _waits(row)
    answer_by = None
    if waits:
        confirmed = row["confirmed_at"].astimezone(promises.LOCAL).date()
        answer_by = promises.add_working_days(confirmed, ANSWERED_WITHIN)
    today = datetime.now(promises.LOCAL).date()
    kept = await erasing.last_day(connection, row["dossier"]) if waits else None
    by = row["decided_by"]
    return Request(
        id=row["id"],
        act=Act(row["act"]),
        state=State(row["state"]),
        part=row["part"],
        at=row["confirmed_at"],
        waybill=row["waybill"],
        office=Party(PartyKind.OFFICE, row["office"]),
        answer_by=answer_by,
        overdue=answer_by is not None and answer_by < today,
        kept_until=kept,
        decided_at=row["decided_at"],
        decided_by=Party(PartyKind.STAFF, by) if by else None,
        due_on=row["due_on"],
        reason=row["reason"],
    )


def _waits(row: Record) -> bool:
    return (
        row["act"] == "erasure"
        and row["state"] == "confirmed"
        and row["decided_at"] is None
    )


async def grant(id_: UUID, actor: Actor) -> None:
    """Grant an erasure: done at once, or on the day when the legal time is over.

    Raises ``Conflict`` while the dossier is under way, or when it was answered.
    """
    _standing(actor)
    now = datetime.now(UTC)
    async with transaction() as connection:
        row = await _row(connection, id_, actor, locked=True)
        if not _waits(row):
            raise Conflict(*_ANSWERED)
        last = await erasing.last_day(connection, row["dossier"])
        if last is None:
            raise Conflict(
                why="the dossier is still under way",
                why_vi="hồ sơ chưa xong nên chưa xóa được",
            )
        today = now.astimezone(promises.LOCAL).date()
        await connection.execute(
            """
            UPDATE citizen_request SET decided_at = $2, decided_by = $3, due_on = $4
            WHERE id = $1
            """,
            id_,
            now,
            actor.staff,
            max(today, last),
        )
        if last <= today:
            await erasing.carry_out(connection, row)


async def refuse(id_: UUID, reason: str, actor: Actor) -> None:
    """Refuse an erasure with a reason, which the citizen reads on his page."""
    _standing(actor)
    said = plain(reason)
    if not said or len(said) > LONGEST_REASON:
        why = (
            f"Give a reason, in at most {LONGEST_REASON} letters.",
            f"Hãy ghi lý do, nhiều nhất {LONGEST_REASON} ký tự.",
        )
        raise BadInput((Problem("reason", *why),))
    async with transaction() as connection:
        row = await _row(connection, id_, actor, locked=True)
        if not _waits(row):
            raise Conflict(*_ANSWERED)
        await connection.execute(
            """
            UPDATE citizen_request SET state = 'refused', ended_at = now(),
                decided_at = now(), decided_by = $2, reason = $3 WHERE id = $1
            """,
            id_,
            actor.staff,
            said,
        )


def _standing(actor: Actor) -> None:
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed


_ANSWERED = (
    "the request was answered already",
    "yêu cầu này đã được trả lời",
)
