"""What nobody says by a scan: silence, a promise that has passed, an impossible way.

A sweep of the worker, in short transactions of their own. Whatever it finds has a key
that lets it be written once, so several workers and a repeat do no harm. Keeps out of
``handoffs.record``, which stays fast. Sends nothing itself: ``outgoing`` does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import outgoing, promises
from postal_track.chronicle import IN_HAND
from postal_track.custody import Kind, Stage
from postal_track.database import transaction
from postal_track.handoffs import IN_THE_PLACE_M, to_be_ended_by
from postal_track.places import Place, distance_m
from postal_track.settings import settings

LOCAL = promises.LOCAL

MOST = 500
"""Rows of one kind in one sweep; the next one goes on."""

OVERLAP = timedelta(minutes=5)
"""A line is dated before it is committed: how far a sweep looks back again."""

NEIGHBOURS = timedelta(days=1)
"""How far back the scans of a person are read that new ones are held against."""

TOLD_AT_MOST = 30
"""Days after which a broken promise is no news any more."""

ON_THE_WAY = (
    Stage.COLLECTED,
    Stage.AT_OFFICE,
    Stage.IN_TRANSIT,
    Stage.OUT_FOR_DELIVERY,
    Stage.ATTEMPTED,
    Stage.MISROUTED,
)
"""Where something is expected to happen: not at a counter where a citizen fetches it,
nor while it is searched for.
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found: how many of each."""

    heard: int = 0
    reforwarded: int = 0
    silent: int = 0
    late: int = 0
    apart: int = 0


async def sweep(now: datetime | None = None) -> Swept:
    """Look for all of it once. Safe to repeat, and beside others."""
    now = now or datetime.now(UTC)
    return Swept(
        heard=await end_silences(now),
        reforwarded=await end_detours(now),
        silent=await find_silence(now),
        late=await tell_of_broken_promises(now),
        apart=await find_impossible_ways(now),
    )


# Silence


async def find_silence(now: datetime) -> int:
    """Open an irregularity for every item that is silent for too long.

    What waits at a counter may be silent for as long as was said, and not longer.
    Once for each silence: it is named by the line that was the last one heard.
    """
    limit = settings().SILENT_HOURS
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT i.id, i.holder, i.last_at, e.id AS event FROM item i
            JOIN event e ON e.item = i.id AND e.seq = i.seq
            WHERE i.{IN_HAND} AND i.last_at < $2 AND (i.stage = ANY($1::text[])
                    OR (i.stage = 'held' AND i.next_on < $3 AND i.released_to IS NULL))
                AND NOT EXISTS (SELECT FROM irregularity r
                    WHERE r.event = e.id AND r.kind = 'silent_too_long')
                AND NOT {_WISHED_FOR_LATER}
            ORDER BY i.last_at LIMIT {MOST}
            """,  # noqa: S608 - constants
            [stage.value for stage in ON_THE_WAY],
            now - timedelta(hours=limit),
            now.astimezone(LOCAL).date(),
        )
        silent = [row for row in rows if _hours(row["last_at"], now) >= limit]
        return await _open(
            connection,
            Kind.SILENT,
            [(r["id"], r["event"], r["holder"], "") for r in silent],
            now,
        )


# It lies where it is because its citizen chose a later day: he knows, and so do we.
_WISHED_FOR_LATER = """EXISTS (SELECT FROM instruction n
    WHERE n.dossier = i.dossier AND n.way = 'delivery' AND n.day >= $3
        AND i.addressee = 'citizen')"""


def _hours(since: datetime, now: datetime) -> float:
    """Count the hours of working days; weekends and holidays are silent anyway."""
    days = promises.calendar()
    hours = days.working_hours_between(since, now, opens=time(), closes=time.max)
    return round(hours, 3)  # the last instant of a day is not counted


async def end_silences(now: datetime) -> int:
    """End the silences of items that were heard of again, by whoever told of them."""
    async with transaction() as connection:
        ended = await connection.fetch(
            """
            UPDATE irregularity r SET ended_at = $1, outcome = 'found',
                ended_by = substr(e.by, 7)::int
            FROM item i JOIN event e ON e.item = i.id AND e.seq = i.seq
            WHERE r.kind = 'silent_too_long' AND r.ended_at IS NULL AND i.id = r.item
                AND e.id <> r.event AND e.by LIKE 'staff:%'
                AND i.stage NOT IN ('missing', 'lost')
            RETURNING r.id
            """,
            now,
        )
    return len(ended)


async def end_detours(now: datetime) -> int:
    """End what was misrouted once somebody else has taken it on its way again."""
    async with transaction() as connection:
        ended = await connection.fetch(
            """
            UPDATE irregularity r SET ended_at = $1, outcome = 'reforwarded',
                ended_by = substr(e.by, 7)::int
            FROM item i JOIN event e ON e.item = i.id AND e.seq = i.seq, event was
            WHERE r.kind = 'misrouted' AND r.ended_at IS NULL AND i.id = r.item
                AND was.id = r.event AND e.at > was.at AND e.by LIKE 'staff:%'
                AND e.taker IS NOT NULL AND e.taker <> coalesce(was.taker, '')
                AND NOT 'misrouted' = ANY(e.flags)
            RETURNING r.id
            """,
            now,
        )
    return len(ended)


# Promises


async def tell_of_broken_promises(now: datetime) -> int:
    """Tell the citizen, once, that a promised day has passed.

    Not while it waits for him at a counter or is searched for, and not when a pickup
    in vain has just told him so.
    """
    today = now.astimezone(LOCAL).date()
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT i.id, i.promised_on FROM item i
            WHERE i.{IN_HAND} AND i.stage NOT IN ('held', 'missing', 'misrouted')
                AND i.promised_on BETWEEN $2 AND $3
                AND NOT EXISTS (SELECT FROM sms_message m
                    WHERE m.key = 'late:' || i.id || ':' || i.promised_on)
                AND NOT EXISTS (SELECT FROM event e WHERE e.item = i.id
                    AND e.step = 'pickup_failed'
                    AND e.at > $1::timestamptz - interval '2 days')
            ORDER BY i.promised_on, i.id LIMIT {MOST}
            """,  # noqa: S608 - constants
            now,
            today - timedelta(days=TOLD_AT_MOST),
            today - timedelta(days=1),
        )
        broken: dict[int, date] = {row["id"]: row["promised_on"] for row in rows}
        told = await outgoing.put_late(connection, broken, now) if broken else []
    await outgoing.poke(told)
    return len(told)


# Ways that nobody goes


@dataclass(frozen=True, slots=True)
class Seen:
    """A scan with where its phone was; ``new``: this sweep is the first to see it."""

    event: UUID
    item: int
    by: str
    owner: str
    at: datetime
    place: Place
    accuracy_m: float
    new: bool


async def find_impossible_ways(now: datetime) -> int:
    """Flag scans of one person that are too far apart for the time between.

    Beyond what both positions may be off, and never for less than a scan may be off
    its place. The later of two is flagged; nothing is blocked.
    """
    async with transaction() as connection:
        since = await _since(connection, now)
        seen = await _seen(connection, since - OVERLAP)
        found = [
            (b.item, b.event, b.owner, _said(a, b))
            for a, b in pairwise(seen)
            if (a.new or b.new) and _apart(a, b)
        ]
        opened = await _open(connection, Kind.WRONG_PLACE, found, now)
        await connection.execute(
            "UPDATE watch SET through = $1 WHERE name = 'ways'", now
        )
    return opened


async def _since(connection: Connection, now: datetime) -> datetime:
    """Tell up to when the ledger was looked through; others wait meanwhile."""
    await connection.execute(
        """
        INSERT INTO watch (name, through) VALUES ('ways', $1)
        ON CONFLICT (name) DO NOTHING
        """,
        now - NEIGHBOURS,
    )
    through: datetime = await connection.fetchval(
        "SELECT through FROM watch WHERE name = 'ways' FOR UPDATE"
    )
    return through


async def _seen(connection: Connection, since: datetime) -> list[Seen]:
    """Read the placed scans of everyone who has a new one, person by person."""
    rows = await connection.fetch(
        """
        WITH fresh AS (SELECT DISTINCT e.by FROM event e
            JOIN event_detail v ON v.event = e.id
            WHERE e.recorded_at > $1 AND v.content ? 'position')
        SELECT e.id, e.item, e.by, e.place, e.at, e.recorded_at > $1 AS new,
            v.content ->> 'position' AS position
        FROM event e JOIN event_detail v ON v.event = e.id
        WHERE e.recorded_at > $2 AND v.content ? 'position'
            AND e.by IN (SELECT by FROM fresh)
        ORDER BY e.by, e.at, e.device_seq, e.id
        """,
        since,
        since - NEIGHBOURS,
    )
    return [_read(row) for row in rows]


def _read(row: Record) -> Seen:
    lat, lon, accuracy = map(float, row["position"].split(","))
    return Seen(
        event=row["id"],
        item=row["item"],
        by=row["by"],
        owner=row["place"] or row["by"],
        at=row["at"],
        place=Place(lat, lon),
        accuracy_m=accuracy,
        new=row["new"],
    )


def _apart(a: Seen, b: Seen) -> bool:
    if a.by != b.by:
        return False
    beyond = distance_m(a.place, b.place) - a.accuracy_m - b.accuracy_m
    hours = (b.at - a.at) / timedelta(hours=1)
    return beyond > IN_THE_PLACE_M + hours * settings().MAX_SPEED_KMH * 1000


def _said(a: Seen, b: Seen) -> str:
    kilometres = distance_m(a.place, b.place) / 1000
    minutes = (b.at - a.at) / timedelta(minutes=1)
    return f"{kilometres:.0f} km / {minutes:.0f} min"


# Both


async def _open(
    connection: Connection,
    kind: Kind,
    found: Sequence[tuple[int, UUID, str, str]],
    now: datetime,
) -> int:
    """Open one for each item, line, owner and detail; what is open is not repeated."""
    if not found:
        return 0
    columns: Iterable[list[Any]] = map(list, zip(*sorted(found), strict=True))
    rows = await connection.fetch(
        """
        INSERT INTO irregularity (item, event, kind, owner, due_at, opened_at, detail,
            ending)
        SELECT item, event, $5, owner, $6, $7, detail, ''
        FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[])
            AS n(item, event, owner, detail)
        ON CONFLICT (event, kind) DO NOTHING RETURNING id
        """,
        *columns,
        kind.value,
        to_be_ended_by(kind, now),
        now,
    )
    return len(rows)
