"""Labels to print: which ones someone may have, what stands on them, which pools.

A label names the leg and the office for whoever sorts, and nobody else. Looks labels
up and has them drawn; how they look is ``labels``' affair.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Record

from postal_track.custody import Leg, PartyKind, Role
from postal_track.database import transaction
from postal_track.errors import BadInput, NotFound, Problem, UnknownWaybill
from postal_track.labels import ROLL_50X30, Label, Stock, own_label
from postal_track.staff import Actor

MOST_PRINTED = 1_000
"""Labels in one file: some seconds of drawing."""

POOLS_LISTED = 100

_LEGS = {Leg.DOSSIER: "HỒ SƠ ĐI", Leg.RESULT: "KẾT QUẢ VỀ"}

# Drawing is work for the processor: one file at a time leaves the rest of a process to
# the scans.
_one_at_a_time = asyncio.Semaphore(1)


@dataclass(frozen=True, slots=True)
class Pool:
    """Waybills printed ahead for an office, and how many of them are on an item."""

    id: int
    office: str
    printed_by: str
    printed_at: datetime
    size: int
    bound: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Printable:
    """A label someone may print, with the hint for whoever sorts."""

    waybill: str
    hint: str

    def drawn(self, stock: Stock = ROLL_50X30) -> Label:
        """Describe the label on this stock."""
        return own_label(self.waybill, stock=stock, hint=self.hint)


async def find(waybills: Sequence[str], actor: Actor) -> list[Printable]:
    """Find labels in the order asked for, each once.

    An officer has those of his agencies' items, the post's staff all. Raises
    ``UnknownWaybill`` for the first that is not there or not his to know of.
    """
    wanted = list(dict.fromkeys(waybills))
    if len(wanted) > MOST_PRINTED:
        raise BadInput((_too_many(),))
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT l.waybill, i.leg, d.agency, coalesce(
                CASE i.leg WHEN 'dossier' THEN s.name ELSE o.name END, p.name)
                AS office
            FROM label l LEFT JOIN item i ON i.id = l.item
            LEFT JOIN dossier d ON d.id = i.dossier
            LEFT JOIN agency a ON a.id = d.agency
            LEFT JOIN office s ON s.id = a.office
            LEFT JOIN office o ON o.id = d.office
            LEFT JOIN label_pool n ON n.id = l.pool
            LEFT JOIN office p ON p.id = n.office
            WHERE l.waybill = ANY($1::text[])
            """,
            wanted,
        )
    known = {row["waybill"]: row for row in rows if _may_know(actor, row)}
    for waybill in wanted:
        if waybill not in known:
            raise UnknownWaybill(waybill)
    return [Printable(waybill, _hint(known[waybill])) for waybill in wanted]


def _too_many() -> Problem:
    return Problem(
        "waybills",
        f"At most {MOST_PRINTED} labels at a time.",
        f"Mỗi lần in nhiều nhất {MOST_PRINTED} nhãn.",
    )


def _may_know(actor: Actor, row: Record) -> bool:
    if actor.role is not Role.OFFICER:
        return True
    agencies = {p.id for p in actor.places if p.kind is PartyKind.AGENCY}
    return row["agency"] in agencies


def _hint(row: Record) -> str:
    """Name the leg, and the office at its far end."""
    leg = f"{_LEGS[Leg(row['leg'])]} · " if row["leg"] else ""
    return f"{leg}{row['office']}"


async def draw(
    labels: Sequence[Printable], stock: Stock, into: Callable[[list[Label]], bytes]
) -> bytes:
    """Draw labels into one file, away from the event loop."""
    async with _one_at_a_time:
        return await asyncio.to_thread(
            lambda: into([label.drawn(stock) for label in labels])
        )


async def pools(actor: Actor) -> list[Pool]:
    """List the pools of his office, or of all for who has none; the newest first."""
    return await _pools(actor, None)


async def pool(actor: Actor, number: int) -> Pool:
    """Find one pool; ``NotFound`` also for another office's."""
    found = await _pools(actor, number)
    if not found:
        raise NotFound
    return found[0]


async def _pools(actor: Actor, number: int | None) -> list[Pool]:
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT n.id, o.name AS office, s.name AS printed_by, n.printed_at, n.size,
                l.bound, l.first, l.last
            FROM label_pool n JOIN office o ON o.id = n.office
            JOIN staff s ON s.id = n.printed_by
            CROSS JOIN LATERAL (SELECT count(item)::int AS bound, min(waybill) AS first,
                max(waybill) AS last FROM label WHERE pool = n.id) l
            WHERE ($1::int IS NULL OR n.office = $1) AND ($2::int IS NULL OR n.id = $2)
            ORDER BY n.id DESC LIMIT $3
            """,
            actor.office,
            number,
            POOLS_LISTED,
        )
    return [Pool(**row) for row in rows]


async def of_pool(actor: Actor, number: int, *, unbound: bool) -> list[Printable]:
    """List the labels of a pool, in the order of their numbers.

    ``unbound``: only those that are on no item yet, as when a sheet was spoilt.
    """
    await pool(actor, number)
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT waybill FROM label WHERE pool = $1 AND (item IS NULL OR NOT $2)
            ORDER BY waybill
            """,
            number,
            unbound,
        )
    return await find([row["waybill"] for row in rows], actor)
