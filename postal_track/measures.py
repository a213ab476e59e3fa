"""How the service is doing, in figures: for ``/health`` and ``/metrics``.

Everything is read from the database, so that every process gives the same answer. Asks
lightly: health is asked every few seconds. Changes nothing.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from redis.asyncio import Redis
from redis.exceptions import RedisError

from postal_track import stack
from postal_track.database import transaction
from postal_track.settings import settings
from sms import figures
from sms.figures import Snapshot

PATIENCE_SECONDS = 1.0

WORKER_SILENT_SECONDS = 60.0
"""A worker tells of itself every few seconds; after this long it is taken for dead."""


async def health() -> dict[str, Any]:
    """Ask the parts how they are. ``database`` alone decides whether we are well.

    Scans need neither Redis nor a worker: texts wait in the outbox meanwhile.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS * 3):
            async with transaction() as connection:
                pulse = await figures.pulse(connection)
    except (OSError, TimeoutError, stack.StackError) as fault:
        return {"database": f"unreachable: {type(fault).__name__}"}
    silent = pulse.last_seen is None or pulse.last_seen > WORKER_SILENT_SECONDS
    return {
        "database": "ok",
        "redis": await _redis(),
        "worker": "silent" if silent else "ok",
        "oldest_unsent_seconds": round(pulse.oldest_unsent, 1),
    }


async def _redis() -> str:
    client = Redis.from_url(
        settings().REDIS_URL or stack.redis_url(settings()),
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
    )
    try:
        await client.ping()
    except (RedisError, OSError) as fault:
        return f"unreachable: {type(fault).__name__}"
    finally:
        await client.aclose()
    return "ok"


async def exposition() -> bytes:
    """Write all figures in Prometheus' text format."""
    async with transaction() as connection:
        texts = await figures.snapshot(connection)
        custody: Mapping[str, Any] = await connection.fetchrow(_CUSTODY)
    registry = CollectorRegistry()
    registry.register(_Figures(texts, custody))
    return generate_latest(registry)


_CUSTODY = """
    SELECT (SELECT count(*) FROM item WHERE released_to IS NOT NULL) AS limbo,
        (SELECT coalesce(extract(epoch FROM now() - min(released_at)), 0)::float8
            FROM item WHERE released_to IS NOT NULL) AS oldest_limbo,
        (SELECT count(*) FROM irregularity WHERE ended_at IS NULL) AS irregularities,
        (SELECT count(*) FROM irregularity WHERE ended_at IS NULL AND due_at < now())
            AS overdue,
        (SELECT count(*) FROM refused_scan WHERE at > now() - interval '24 hours')
            AS refused,
        (SELECT extract(epoch FROM now() - (body::json ->> 'at')::timestamptz)::float8
            FROM checkpoint ORDER BY number DESC LIMIT 1) AS checkpoint_age
"""


class _Figures:
    """What was read, as Prometheus wants it."""

    def __init__(self, texts: Snapshot, custody: Mapping[str, Any]) -> None:
        self.texts, self.custody = texts, custody

    def collect(self) -> Iterator[Metric]:
        """Give one family of figures after the other."""
        yield from self._of_custody()
        yield from self._of_texts()

    def _of_custody(self) -> Iterator[Metric]:
        for name, words in (
            ("limbo", "Items that were released and not yet accepted"),
            ("oldest_limbo", "Seconds since the oldest of them was released"),
            ("irregularities", "Irregularities that have not ended"),
            ("overdue", "Of these, how many should have ended by now"),
            ("refused", "Scans refused in the last 24 hours"),
            ("checkpoint_age", "Seconds since the ledger was sealed; NaN: never"),
        ):
            value = self.custody[name]
            found = math.nan if value is None else value
            yield _gauge(f"postal_track_{name}", words, found)

    def _of_texts(self) -> Iterator[Metric]:
        texts = self.texts
        for name, words, value in (
            ("unsent", "Texts that are still to be sent", texts.unsent),
            (
                "oldest_unsent",
                "Seconds that the oldest has waited",
                texts.oldest_unsent,
            ),
            ("unsure", "Texts whose gateway has not answered", texts.unsure),
            ("sent", "Texts taken by a gateway in 24 hours", texts.sent),
            ("failed", "Texts that did not arrive in 24 hours", texts.failed),
            ("segments", "Segments sent in 24 hours", texts.segments),
            ("cost_dong", "What these cost, in VND", texts.cost),
            ("latency_median", "Median seconds to a gateway", texts.latency_median),
            ("latency_p95", "95th percentile of the same", texts.latency_p95),
            ("calls", "Citizens to be called instead", texts.calls),
            ("workers", "Workers that live", texts.workers),
        ):
            yield _gauge(f"postal_track_sms_{name}", words, value)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))
