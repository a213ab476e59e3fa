"""The end of a shift: what is held comes to nothing, or each item is explained.

Whoever goes home says of every item that he or his counter still answers for why that
is so; a supervisor sees who went home with what, and who said nothing. Custody does not
move by this. Knows no HTTP and no words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import tables
from postal_track.boards import midnight, today
from postal_track.chronicle import IN_HAND
from postal_track.custody import Leg, Party, Role, Stage
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, NotAllowed, Problem
from postal_track.orders import plain
from postal_track.staff import Actor

WORKERS = frozenset({Role.CARRIER, Role.CLERK, Role.SUPERVISOR})
LISTED = 500
"""Rows of a page. What is beyond it is held all the same, and needs the one reason."""
LONGEST_NOTE = 240
MOST_ENDS = 200


class Stay(StrEnum):
    """Why something is still here when one goes home."""

    AWAITING = "awaiting"  # released; the receiver has not confirmed yet
    TOMORROW = "tomorrow"  # goes out again on the next run
    CITIZEN = "citizen"  # kept for the citizen who comes for it
    SAFE = "safe"  # locked up at the counter overnight
    CLOSED = "closed"  # the office or agency was closed already
    WEATHER = "weather"
    DISPUTED = "disputed"  # an irregularity is open
    OTHER = "other"  # needs a note


@dataclass(frozen=True, slots=True)
class Kept:
    """One item that is still held. ``irregular``: something is open about it."""

    item: int
    waybill: str
    leg: Leg
    stage: Stage
    holder: Party
    since: datetime
    released_to: Party | None
    bag: str
    irregular: bool

    @property
    def likely(self) -> Stay | None:
        """Guess why it stays, from what is known of it; a proposal, no more."""
        if self.released_to is not None:
            return Stay.AWAITING
        if self.irregular:
            return Stay.DISPUTED
        return Stay.CITIZEN if self.stage is Stage.HELD else None


@dataclass(frozen=True, slots=True)
class Shift:
    """What someone answers for now, the oldest first, and when he last went home."""

    kept: list[Kept]
    total: int
    ended_at: datetime | None
    names: dict[Party, Named]


@dataclass(frozen=True, slots=True)
class Why:
    """What was said of one item."""

    reason: Stay | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """One item someone went home with."""

    waybill: str
    holder: Party
    reason: Stay
    note: str


@dataclass(frozen=True, slots=True)
class End:
    """One person went home. ``lines`` are empty when nothing was left."""

    staff: Party
    office: Party | None
    ended_at: datetime
    lines: list[Explained]


@dataclass(frozen=True, slots=True)
class Silent:
    """Who holds items that nobody has explained today: how many, since when."""

    holder: Party
    office: Party | None
    items: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """All ends of one day; ``silent`` only of today."""

    day: date
    ends: list[End]
    silent: list[Silent]
    names: dict[Party, Named]

    @property
    def by_office(self) -> list[tuple[Party | None, list[End]]]:
        """Put the ends under their offices."""
        return [(of, [*ends]) for of, ends in groupby(self.ends, lambda e: e.office)]


def _answers_for(actor: Actor) -> list[str]:
    """List the parties he speaks for at the end of the day: a clerk for the counter."""
    places = actor.places if actor.role is not Role.CARRIER else frozenset[Party]()
    return [str(actor.party), *(str(place) for place in places)]


async def shift(actor: Actor) -> Shift:
    """Tell what is still to be handed over or explained."""
    _check_role(actor)
    async with transaction() as connection:
        rows = await _held(connection, actor)
        last = await connection.fetchval(
            "SELECT max(ended_at) FROM shift_end WHERE staff = $1", actor.staff
        )
    kept = [_kept(row) for row in rows]
    parties = {p for each in kept for p in (each.holder, each.released_to) if p}
    return Shift(kept[:LISTED], len(kept), last, await names(parties | {actor.party}))


async def end(
    id: UUID,
    actor: Actor,
    said: Mapping[str, Why],
    rest: Why,
    at: datetime | None = None,
) -> int:
    """Go home: write down why each item is still held; how many there are.

    ``said`` is by waybill, ``rest`` of all others. Raises ``BadInput`` naming every
    waybill that is held and not explained; nothing is written then. The same ``id``
    again is the same end.
    """
    _check_role(actor)
    async with transaction() as connection:
        # The same form sent twice at once: the second waits and finds the first.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", str(id)
        )
        before = await connection.fetchval(
            """
            SELECT count(l.id) FROM shift_end e
            LEFT JOIN shift_line l ON l.shift_end = e.id
            WHERE e.id = $1 AND e.staff = $2 GROUP BY e.id
            """,
            id,
            actor.staff,
        )
        if before is not None:
            return int(before)
        kept = [_kept(row) for row in await _held(connection, actor)]
        whys = [_why(said.get(each.waybill), rest) for each in kept]
        problems = [
            problem
            for each, why in zip(kept, whys, strict=True)
            if (problem := _fault(each, why))
        ]
        if problems:
            raise BadInput(tuple(problems))
        now = at or datetime.now(UTC)
        await tables.ShiftEnd.insert(
            tables.ShiftEnd(id=id, staff=actor.staff, office=actor.office, ended_at=now)
        )
        lines = [
            tables.ShiftLine(
                shift_end=id,
                item=each.item,
                holder=str(each.holder),
                reason=why.reason,
                note=why.note,
            )
            for each, why in zip(kept, whys, strict=True)
        ]
        if lines:
            await tables.ShiftLine.insert(*lines)
    return len(kept)


def _check_role(actor: Actor) -> None:
    if actor.role not in WORKERS:
        raise NotAllowed


async def _held(connection: Connection, actor: Actor) -> list[Record]:
    found: list[Record] = await connection.fetch(
        f"""
        SELECT i.id, i.waybill, i.leg, i.stage, i.holder, i.since, i.released_to, i.bag,
            EXISTS (SELECT FROM irregularity r
                WHERE r.item = i.id AND r.ended_at IS NULL) AS irregular
        FROM item i WHERE holder = ANY($1::text[]) AND {IN_HAND} ORDER BY since, id
        """,  # noqa: S608 - a constant
        _answers_for(actor),
    )
    return found


def _kept(row: Record) -> Kept:
    return Kept(
        item=row["id"],
        waybill=row["waybill"],
        leg=Leg(row["leg"]),
        stage=Stage(row["stage"]),
        holder=Party.parse(row["holder"]),
        since=row["since"],
        released_to=Party.parse(row["released_to"]) if row["released_to"] else None,
        bag=row["bag"] or "",
        irregular=row["irregular"],
    )


def _why(own: Why | None, rest: Why) -> Why:
    said = own if own is not None and own.reason is not None else rest
    return Why(said.reason, plain(said.note)[:LONGEST_NOTE])


def _fault(kept: Kept, why: Why) -> Problem | None:
    if why.reason is None:
        return Problem(
            kept.waybill,
            "Hand it over, or say why you still hold it.",
            "Hãy bàn giao, hoặc ghi lý do còn giữ.",
        )
    if why.reason is Stay.OTHER and not why.note:
        return Problem(
            kept.waybill, "Say which reason in the note.", "Hãy ghi rõ lý do khác."
        )
    return None


async def went_home(actor: Actor, day: date) -> Day:
    """Tell a supervisor who of his office, or of all, went home that day with what.

    And today, who holds something that nobody has explained yet.
    """
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    since, until = midnight(day), midnight(day + timedelta(days=1))
    async with transaction() as connection:
        ends = await connection.fetch(_ENDS, since, until, actor.office)
        lines = await connection.fetch(_LINES, [row["id"] for row in ends])
        silent = (
            await connection.fetch(_SILENT, since, actor.office)
            if day == today()
            else []
        )
    by_end: dict[UUID, list[Explained]] = {row["id"]: [] for row in ends}
    for row in lines:
        by_end[row["shift_end"]].append(
            Explained(
                row["waybill"],
                Party.parse(row["holder"]),
                Stay(row["reason"]),
                row["note"],
            )
        )
    told = [
        End(
            Party.parse(f"staff:{row['staff']}"),
            _office(row["office"]),
            row["ended_at"],
            by_end[row["id"]],
        )
        for row in ends
    ]
    quiet = [
        Silent(
            Party.parse(row["holder"]), _office(row["office"]), row["n"], row["since"]
        )
        for row in silent
    ]
    parties = {p for each in told for p in (each.staff, each.office) if p}
    parties |= {line.holder for each in told for line in each.lines}
    parties |= {p for each in quiet for p in (each.holder, each.office) if p}
    return Day(day, told, quiet, await names(parties))


_ENDS = f"""
    SELECT id, staff, office, ended_at FROM shift_end
    WHERE ended_at >= $1 AND ended_at < $2 AND ($3::int IS NULL OR office = $3)
    ORDER BY office, ended_at DESC LIMIT {MOST_ENDS}
"""  # noqa: S608 - a constant

_LINES = """
    SELECT l.shift_end, i.waybill, l.holder, l.reason, l.note
    FROM shift_line l JOIN item i ON i.id = l.item
    WHERE l.shift_end = ANY($1::uuid[]) ORDER BY l.id
"""

# What was explained today and is still held needs no second word.
_SILENT = f"""
    WITH party AS (
        SELECT 'staff:' || id AS holder, office FROM staff
        WHERE role IN ('carrier', 'clerk', 'supervisor')
            AND ($2::int IS NULL OR office = $2)
        UNION ALL SELECT 'office:' || id, id FROM office
        WHERE $2::int IS NULL OR id = $2
    )
    SELECT p.holder, p.office, count(*)::int AS n, min(i.since) AS since
    FROM party p JOIN item i ON i.holder = p.holder AND i.{IN_HAND}
    WHERE NOT EXISTS (SELECT FROM shift_line l JOIN shift_end e ON e.id = l.shift_end
        WHERE l.item = i.id AND l.holder = i.holder
            AND e.ended_at >= greatest(i.since, $1))
    GROUP BY p.holder, p.office ORDER BY p.office, min(i.since) LIMIT {MOST_ENDS}
"""  # noqa: S608 - constants


def _office(number: int | None) -> Party | None:
    return Party.parse(f"office:{number}") if number else None
