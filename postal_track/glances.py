"""What a waybill alone tells: the stage and the day of its item, no more.

Asked over and over by strangers' programs, so all who ask at once share one way to the
database. Each process tells the others what was read from it five times a second:
a flood may pass for that long before its address has to wait.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from asyncpg import Record

from postal_track import limits, misses
from postal_track.batching import Together
from postal_track.custody import Stage
from postal_track.database import engine, given, transaction
from postal_track.errors import NoMatch, PostalTrackError, TooOften
from postal_track.limits import Limit
from postal_track.lookups import read

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

TOLD_EVERY = 0.2
"""Seconds between two times that a process writes down who read how much."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What a waybill alone tells. ``day``: of the last news of it, in An Giang."""

    waybill: str
    stage: Stage
    day: date


async def glance(text: str, address: str) -> Glance:
    """Tell stage and day of a waybill.

    Raises BadWaybill or ForeignCode; NoMatch, which counts as a miss; or TooOften.
    """
    answer = await _together()((read(text), _neighbourhood(address)))
    if isinstance(answer, PostalTrackError):
        raise answer
    return answer


_Ask = tuple[str, str]  # waybill, neighbourhood
_Answer = Glance | PostalTrackError

_neighbourhood = lru_cache(1_000)(limits.neighbourhood)


@cache
def _together() -> Together[_Ask, _Answer]:
    # One at a time: the more wait, the more share the next way to the server.
    return Together(Glances(misses.reads()).look, most=200)


@dataclass(slots=True)
class Glances:
    """Many glances at once, and what this process has not told the others yet."""

    limit: Limit  # of one address
    unsaid: Counter[str] = field(default_factory=Counter)
    said: dict[bytes, int] = field(default_factory=dict)  # what all had read by then
    said_at: float = float("-inf")

    async def look(self, asks: Sequence[_Ask]) -> list[_Answer]:
        """Answer in the order of the questions."""
        now = datetime.now(UTC)
        self.unsaid.update(neighbour for _, neighbour in asks)
        rows = await self._ask(asks, now)
        counts = {row["key"]: row["count"] for row in rows if row["key"]}
        found = {row["waybill"]: row for row in rows if row["waybill"]}
        shut = {each: self._shut(each, counts, now) for _, each in asks}
        lost = [n for waybill, n in asks if waybill not in found and not shut[n]]
        if lost:
            await _count(lost, now)
        return [shut[n] or _answer(found.get(waybill), waybill) for waybill, n in asks]

    async def _ask(self, asks: Sequence[_Ask], now: datetime) -> list[Record]:
        missed = [w.key for _, n in asks for w in misses.of_address(n, now)]
        waybills = [waybill for waybill, _ in asks]
        # A statement by itself: BEGIN and COMMIT would be two more ways to the server.
        pool: Any = engine().pool
        async with pool.acquire() as connection:
            if time.monotonic() - self.said_at < TOLD_EVERY:
                return list(await connection.fetch(_LOOK, missed, waybills))
            reads = {
                misses.window(self.limit, neighbour, now): times
                for neighbour, times in self.unsaid.items()
            }
            rows = await connection.fetch(
                _TELL_AND_LOOK, missed, waybills, *misses.columns(reads)
            )
        self.unsaid.clear()
        self.said = {row["key"]: row["count"] for row in rows if row["key"]}
        self.said_at = time.monotonic()
        return list(rows)

    def _shut(
        self, neighbour: str, counts: dict[bytes, int], now: datetime
    ) -> TooOften | None:
        read = misses.window(self.limit, neighbour, now)
        if self.said.get(read.key, 0) + self.unsaid[neighbour] > read.limit.most:
            return read.refusal(now)
        return misses.shut_by(misses.of_address(neighbour, now), counts, now)


_LOOK = f"""
    SELECT key, count, NULL::bpchar AS waybill, NULL::text AS stage,
        NULL::timestamptz AS last_at
    FROM tally WHERE key = ANY({given(1, "bytea")})
    UNION ALL
    SELECT NULL, NULL, l.waybill, i.stage, i.last_at
    FROM label l JOIN item i ON i.id = l.item
    WHERE l.waybill = ANY({given(2, "bpchar")})
"""  # noqa: S608 - constants

# A count that is lost when the power fails is no harm, so nobody waits for the disk.
_TELL_AND_LOOK = f"""
    WITH past AS (
        DELETE FROM tally WHERE key IN (SELECT key FROM tally
            WHERE ends_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED)
    ), told AS (
        INSERT INTO tally (key, ends_at, count)
        SELECT n.key, n.ends_at, n.count
        FROM unnest({given(3, "bytea")}, {given(4, "timestamptz")}, {given(5, "int")})
            AS n(key, ends_at, count),
            (SELECT set_config('synchronous_commit', 'off', true)) AS no_wait
        ON CONFLICT (key) DO UPDATE SET count = tally.count + excluded.count
        RETURNING key, count
    )
    {_LOOK}
    UNION ALL SELECT key, count, NULL, NULL, NULL FROM told
"""  # noqa: S608 - two constants


async def _count(neighbours: Sequence[str], now: datetime) -> None:
    times = {
        window: number
        for neighbour, number in Counter(neighbours).items()
        for window in misses.of_address(neighbour, now)
    }
    async with transaction() as connection:
        await misses.count(connection, times)


def _answer(row: Record | None, waybill: str) -> _Answer:
    if row is None:
        return NoMatch()
    day = row["last_at"].astimezone(LOCAL).date()
    return Glance(waybill, Stage(row["stage"]), day)
