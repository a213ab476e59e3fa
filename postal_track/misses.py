"""How often a stranger may miss, guess and read before he is asked to wait.

Waybills are sequential and four digits are few, so whatever is not found is counted,
per address and per waybill, in the one table of `limits`, for all processes together.
Does not know what was looked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from asyncpg import Connection

from postal_track import limits
from postal_track.errors import LookupClosed, TooManyGuesses, TooOften
from postal_track.limits import Limit, knock
from postal_track.settings import settings

GUESSES = Limit("guess", 5, timedelta(hours=1))
"""Wrong digits for one waybill; a citizen knows his number by then."""

GUESSES_IN_ALL = Limit("guess in all", 30, timedelta(days=30))
"""The same over about a dossier's life: of 10,000 numbers, that is nothing."""

MISSES = Limit("miss", 30, timedelta(minutes=10))
"""Whatever one address did not find; a whole commune may share one."""

MISSES_A_DAY = Limit("miss a day", 150, timedelta(days=1))


@cache
def reads() -> Limit:
    """Give the limit of what one address may read of what is there."""
    return Limit("read", settings().PUBLIC_READS_PER_MINUTE, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Window:
    """The count of one subject against one limit, for as long as it lasts."""

    limit: Limit
    key: bytes
    ends_at: datetime

    def refusal(self, now: datetime) -> TooOften:
        """Say no, and until when."""
        kind = _KINDS.get(self.limit, TooOften)
        return kind(max(1, round((self.ends_at - now).total_seconds() / 60)))


_KINDS: dict[Limit, type[TooOften]] = {
    GUESSES: TooManyGuesses,
    GUESSES_IN_ALL: LookupClosed,
}


def of_waybill(waybill: str, now: datetime) -> list[Window]:
    """Give the counts of wrong digits for a waybill, whether or not it exists."""
    return [window(limit, waybill, now) for limit in (GUESSES, GUESSES_IN_ALL)]


def of_address(neighbourhood: str, now: datetime) -> list[Window]:
    """Give the counts of what an address did not find."""
    return [window(limit, neighbourhood, now) for limit in (MISSES, MISSES_A_DAY)]


def window(limit: Limit, subject: str, now: datetime) -> Window:
    """Give the window that a moment falls into."""
    return _window(limit, subject, int(now.timestamp() // limit.window.total_seconds()))


@lru_cache(10_000)
def _window(limit: Limit, subject: str, number: int) -> Window:
    end = (number + 1) * limit.window.total_seconds()
    return Window(
        limit, limits.key(limit, subject, number), datetime.fromtimestamp(end, UTC)
    )


def shut_by(
    windows: Iterable[Window], counts: dict[bytes, int], now: datetime
) -> TooOften | None:
    """Say which limit was reached before, if one was."""
    for each in windows:
        if counts.get(each.key, 0) >= each.limit.most:
            return each.refusal(now)
    return None


async def count(connection: Connection, times: dict[Window, int]) -> None:
    """Count misses; all in the order of their keys, so that nobody deadlocks."""
    await connection.execute(
        """
        INSERT INTO tally (key, ends_at, count)
        SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::int[])
        ON CONFLICT (key) DO UPDATE SET count = tally.count + excluded.count
        """,
        *columns(times),
    )


def columns(times: dict[Window, int]) -> tuple[list[bytes], list[datetime], list[int]]:
    """Lay counts out for `unnest`, in the order of their keys."""
    ordered = sorted(times, key=lambda each: each.key)
    return (
        [each.key for each in ordered],
        [each.ends_at for each in ordered],
        [times[each] for each in ordered],
    )


async def reading(address: str) -> None:
    """Count a public page that is read; `TooOften` when it is one too many."""
    await knock(reads(), address)


async def missed(address: str) -> None:
    """Count a link that leads nowhere; `TooOften` when it is one too many."""
    for limit in (MISSES, MISSES_A_DAY):
        await knock(limit, address)
