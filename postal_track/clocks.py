"""The clocks of dossiers, read from the ledger: for one page, or for a whole desk.

Reads the lines and folds them; who uses which hours is ``clock``'s to say.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from asyncpg import Connection, Record

from postal_track import clock
from postal_track.chronicle import event_of
from postal_track.clock import Clock, Hours, Point
from postal_track.custody import UNBORN, Custody, Event, Leg, Reason, apply, standing
from postal_track.settings import settings


@cache
def hours() -> Hours:
    """Give the working hours that are set for the agencies."""
    return Hours(sessions=settings().AGENCY_HOURS)


async def of_dossiers(
    connection: Connection, dossiers: Iterable[int], now: datetime | None = None
) -> dict[int, Clock]:
    """Read the clocks of these dossiers, by their ids."""
    wanted = sorted(set(dossiers))
    orders = await connection.fetch(
        """
        SELECT d.id, d.service, d.created_at, p.days
        FROM dossier d JOIN procedure p ON p.id = d.procedure
        WHERE d.id = ANY($1::bigint[])
        """,
        wanted,
    )
    rows = await connection.fetch(
        """
        SELECT i.dossier, i.waybill, i.leg, e.*
        FROM item i JOIN event e ON e.item = i.id
        WHERE i.dossier = ANY($1::bigint[]) ORDER BY i.id, e.at, e.seq
        """,
        wanted,
    )
    stories: dict[int, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        stories[row["dossier"]][row["waybill"]].append(row)
    moment = now or datetime.now(UTC)
    return {
        order["id"]: clock.read(
            [p for lines in stories[order["id"]].values() for p in points(lines)],
            moment,
            days=order["days"],
            service=order["service"],
            born_at=order["created_at"],
            hours=hours(),
        )
        for order in orders
    }


def points(rows: Sequence[Record | Mapping[str, Any]]) -> list[Point]:
    """Fold one item's lines, in the order of what happened, into points."""
    reasons = {row["id"]: row["reason"] for row in rows}
    told, custody = [], UNBORN
    for event in standing(event_of(row) for row in rows):
        custody = apply(custody, event)
        told.append(_point(rows[0], event, custody, reasons))
    return told


def _point(
    row: Record | Mapping[str, Any],
    event: Event,
    custody: Custody,
    reasons: Mapping[Any, str | None],
) -> Point:
    reason = reasons.get(event.id)
    return Point(
        at=event.at,
        leg=Leg(row["leg"]),
        item=row["waybill"],
        step=event.step,
        stage=custody.stage,
        reason=Reason(reason) if reason else None,
    )
