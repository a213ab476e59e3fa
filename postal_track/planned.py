"""The plan of an item: who goes for it, on which day. Custody does not move by it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Connection

from postal_track.slots import Half


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is to go for an item, when; ``by`` and ``at`` tell who said so."""

    item: int
    staff: int
    on_day: date
    half: Half | None
    by: int
    at: datetime


async def write(connection: Connection, plans: Iterable[Plan]) -> None:
    """Write plans down; of two for one item the one that was said later stands."""
    rows = sorted(plans, key=lambda plan: (plan.item, plan.at))
    if not rows:
        return
    await connection.executemany(
        """
        INSERT INTO run_stop (item, staff, on_day, slot, by, at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (item) DO UPDATE SET staff = excluded.staff,
            on_day = excluded.on_day, slot = excluded.slot, by = excluded.by,
            at = excluded.at WHERE run_stop.at <= excluded.at
        """,
        [
            (p.item, p.staff, p.on_day, p.half.value if p.half else "any", p.by, p.at)
            for p in rows
        ],
    )
