"""How the sending of texts stands, and what it costs.

Reads the outbox for `/health`, `/metrics` and a supervisor; changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from sms.status import MISSED, Status


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of text came to with one gateway. `cost` in VND."""

    gateway: str
    template: str
    texts: int
    segments: int
    cost: int


async def costs(
    connection: asyncpg.Connection, since: datetime, until: datetime
) -> list[Cost]:
    """Add up what was sent in a period, the dearest first."""
    rows = await connection.fetch(
        """
        SELECT gateway, template, count(*) AS texts, sum(segments)::bigint AS segments,
            sum(cost)::bigint AS cost
        FROM sms_message
        WHERE created_at >= $1 AND created_at < $2 AND sent_at IS NOT NULL
        GROUP BY gateway, template ORDER BY cost DESC, texts DESC
        """,
        since,
        until,
    )
    return [Cost(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How the sending of texts stands. Times in seconds, counts of the last 24 hours.

    `oldest_unsent`: how long the oldest text that might go now has waited. `latency`:
    median and 95th percentile from being due to being taken by a gateway, last hour.
    """

    unsent: int
    oldest_unsent: float
    unsure: int
    counts: Mapping[Status, int]
    segments: int
    cost: int
    latency_median: float
    latency_p95: float
    calls: int
    workers: int
    last_seen: float | None
    paused: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Texts of the last 24 hours that did not reach the citizen."""
        return sum(self.counts.get(status, 0) for status in MISSED)

    @property
    def sent(self) -> int:
        """Texts of the last 24 hours that a gateway took."""
        taken = (Status.SENT, Status.DELIVERED, Status.UNDELIVERED)
        return sum(self.counts.get(status, 0) for status in taken)


async def snapshot(connection: asyncpg.Connection) -> Snapshot:
    """Read how the sending of texts stands now."""
    row = await connection.fetchrow(
        """
        SELECT
            count(*) AS unsent,
            coalesce(extract(epoch FROM now() - min(
                greatest(created_at, not_before)
            ) FILTER (WHERE due_at <= now() OR status = 'sending')), 0)::float8
                AS oldest,
            count(*) FILTER (WHERE unsure) AS unsure
        FROM sms_message
        WHERE due_at IS NOT NULL AND status IN ('queued', 'sending')
        """
    )
    counted = await connection.fetch(
        """
        SELECT status, count(*) AS texts,
            coalesce(sum(segments) FILTER (WHERE sent_at IS NOT NULL), 0)::bigint
                AS segments,
            sum(cost)::bigint AS cost
        FROM sms_message WHERE created_at > now() - interval '24 hours' GROUP BY status
        """
    )
    pace = await connection.fetchrow(
        """
        SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY took), 0)::float8
                AS median,
            coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY took), 0)::float8
                AS p95
        FROM (
            SELECT extract(epoch FROM sent_at - greatest(created_at, not_before))
                AS took
            FROM sms_message
            WHERE created_at > now() - interval '24 hours'
                AND sent_at > now() - interval '1 hour'
        ) AS lately
        """
    )
    others = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM sms_call WHERE closed_at IS NULL) AS calls,
            (SELECT count(*) FROM sms_heartbeat
                WHERE seen_at > now() - interval '30 seconds') AS workers,
            (SELECT extract(epoch FROM now() - max(seen_at))::float8
                FROM sms_heartbeat) AS last_seen
        """
    )
    paused = await connection.fetch(
        "SELECT gateway, note FROM sms_line WHERE paused_until > now()"
    )
    return Snapshot(
        unsent=row["unsent"],
        oldest_unsent=max(row["oldest"], 0.0),
        unsure=row["unsure"],
        counts={Status(one["status"]): one["texts"] for one in counted},
        segments=sum(one["segments"] for one in counted),
        cost=sum(one["cost"] for one in counted),
        latency_median=pace["median"],
        latency_p95=pace["p95"],
        calls=others["calls"],
        workers=others["workers"],
        last_seen=others["last_seen"],
        paused={one["gateway"]: one["note"] for one in paused},
    )


@dataclass(frozen=True, slots=True)
class Pulse:
    """The least one must know of the sending, in seconds; cheap to ask for."""

    oldest_unsent: float
    last_seen: float | None


async def pulse(connection: asyncpg.Connection) -> Pulse:
    """Ask how long the oldest text has waited and when a worker last told of itself."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(extract(epoch FROM now() - (
                SELECT min(due_at) FROM sms_message
                WHERE due_at <= now() AND status IN ('queued', 'sending')
            )), 0)::float8 AS oldest_unsent,
            (SELECT extract(epoch FROM now() - max(seen_at))::float8
                FROM sms_heartbeat) AS last_seen
        """
    )
    return Pulse(**row)
