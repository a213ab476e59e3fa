"""Looking a dossier up by its waybill, and how often strangers may try.

A waybill alone tells stage and day; with the last four digits of a phone of the dossier
it opens the dossier's page. Waybills are sequential and four digits are few, so every
miss is counted, per address and per waybill, for all processes together. Unknown and
wrong are one answer, counted alike.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from asyncpg import Record

from postal_track import labels, limits, s10
from postal_track.batching import Together
from postal_track.custody import Stage
from postal_track.database import engine, transaction
from postal_track.errors import (
    BadInput,
    ForeignCode,
    LookupClosed,
    NoMatch,
    PostalTrackError,
    Problem,
    TooManyGuesses,
    TooOften,
)
from postal_track.limits import Limit, knock
from postal_track.settings import settings

# What programs send, and need not be understood first.
_AS_PRINTED = re.compile(f"{s10.SERVICE}[0-9]{{9}}{s10.COUNTRY}")

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

GUESSES = Limit("guess", 5, timedelta(hours=1))
"""Wrong digits for one waybill; a citizen knows his number by then."""

GUESSES_IN_ALL = Limit("guess in all", 30, timedelta(days=30))
"""The same over about a dossier's life: of 10,000 numbers, that is nothing."""

MISSES = Limit("miss", 30, timedelta(minutes=10))
"""Whatever one address did not find; a whole commune may share one."""

MISSES_A_DAY = Limit("miss a day", 150, timedelta(days=1))

_OF_WAYBILL = (GUESSES, GUESSES_IN_ALL)
_OF_ADDRESS = (MISSES, MISSES_A_DAY)


@cache
def _reads() -> Limit:
    return Limit("read", settings().PUBLIC_READS_PER_MINUTE, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Glance:
    """What a waybill alone tells. ``day``: of the last news of it, in An Giang."""

    waybill: str
    stage: Stage
    day: date


def read(text: str) -> str:
    """Read a waybill however it is written, or the address in a label's QR.

    Raises BadWaybill or ForeignCode, which say what is wrong, before anything is asked.
    """
    if _AS_PRINTED.fullmatch(text):
        return s10.parse(text)
    code = labels.parse_code(text)
    if code.kind != "item":
        raise ForeignCode(text)
    return code.waybill


async def glance(text: str, address: str) -> Glance:
    """Tell stage and day of a waybill; `NoMatch` when there is none.

    Questions that arrive together share one statement. Raises TooOften, BadWaybill.
    """
    answer = await _together()((read(text), _neighbourhood(address)))
    if isinstance(answer, PostalTrackError):
        raise answer
    return answer


async def token_for(text: str, last4: str, address: str) -> str:
    """Find the token of the dossier that a waybill and a phone's last digits open.

    The phone may be that of any person of the dossier. What is right is not counted;
    what is wrong is, before anyone else can try the same waybill. Raises BadWaybill,
    BadInput, NoMatch, TooManyGuesses, LookupClosed or TooOften.
    """
    waybill, digits = read(text), "".join(last4.split())
    if len(digits) != 4 or not (digits.isascii() and digits.isdigit()):
        raise BadInput((_FOUR_DIGITS,))
    now = datetime.now(UTC)
    counts = _windows(_OF_WAYBILL, waybill, now) + _windows(
        _OF_ADDRESS, limits.neighbourhood(address), now
    )
    # Whoever is shut out already is turned away before he can hold anyone up.
    if refused := await _watch()((counts, now)):
        raise refused
    async with transaction() as connection:
        # Tries of one waybill queue up here: of many at once none slips past the count.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", waybill
        )
        row = await connection.fetchrow(
            _MATCH, waybill, digits, [each.key for each in counts]
        )
        shut = _shut(counts, dict(zip(row["keys"], row["counts"], strict=True)), now)
        if shut is None and row["token"] is None:
            await connection.execute(_MISSED, *_columns(counts))
    if shut is not None:
        raise shut
    if row["token"] is None:
        raise NoMatch
    return str(row["token"])


async def reading(address: str) -> None:
    """Count a public page that is read; `TooOften` when it is one too many."""
    await knock(_reads(), address)


async def missed(address: str) -> None:
    """Count a link that leads nowhere; `TooOften` when it is one too many."""
    for limit in _OF_ADDRESS:
        await knock(limit, address)


_FOUR_DIGITS = Problem(
    "last4",
    "Give the last four digits of the phone number.",
    "Hãy nhập 4 số cuối của số điện thoại.",
)

_MATCH = """
    SELECT (SELECT d.token FROM label l JOIN item i ON i.id = l.item
            JOIN dossier d ON d.id = i.dossier
            WHERE l.waybill = $1 AND EXISTS (SELECT FROM person p
                WHERE p.dossier = d.id AND right(p.phone, 4) = $2)) AS token,
        coalesce(array_agg(t.key), '{}') AS keys,
        coalesce(array_agg(t.count), '{}') AS counts
    FROM tally t WHERE t.key = ANY($3::bytea[])
"""

_MISSED = """
    INSERT INTO tally (key, ends_at, count)
    SELECT * FROM unnest($1::bytea[], $2::timestamptz[], $3::int[])
    ON CONFLICT (key) DO UPDATE SET count = tally.count + excluded.count
"""

# One way to the server for all who asked together. A count that is lost when the power
# fails is no harm, so nobody waits for the disk.
_GLANCE = """
    WITH read AS (
        INSERT INTO tally (key, ends_at, count)
        SELECT n.key, n.ends_at, n.count
        FROM unnest($1::bytea[], $2::timestamptz[], $3::int[])
            AS n(key, ends_at, count),
            (SELECT set_config('synchronous_commit', 'off', true)) AS no_wait
        ON CONFLICT (key) DO UPDATE SET count = tally.count + excluded.count
        RETURNING key, count
    )
    SELECT key, count, NULL::bpchar AS waybill, NULL::text AS stage,
        NULL::timestamptz AS last_at
    FROM read
    UNION ALL
    SELECT key, count, NULL, NULL, NULL FROM tally WHERE key = ANY($4::bytea[])
    UNION ALL
    SELECT NULL, NULL, l.waybill, i.stage, i.last_at
    FROM label l JOIN item i ON i.id = l.item WHERE l.waybill = ANY($5::bpchar[])
"""


@dataclass(frozen=True, slots=True)
class _Window:
    """The count of one subject against one limit, for as long as it lasts."""

    limit: Limit
    key: bytes
    ends_at: datetime
    times: int = 1


def _windows(
    kinds: Iterable[Limit], subject: str, now: datetime, times: int = 1
) -> list[_Window]:
    found = []
    for limit in kinds:
        length = limit.window.total_seconds()
        number = int(now.timestamp() // length)
        ends_at = datetime.fromtimestamp((number + 1) * length, UTC)
        found.append(_Window(limit, limits.key(limit, subject, number), ends_at, times))
    return found


def _columns(
    windows: Iterable[_Window],
) -> tuple[list[bytes], list[datetime], list[int]]:
    """Lay windows out for `unnest`, in one order for all, so that nobody deadlocks."""
    ordered = sorted(windows, key=lambda each: each.key)
    return (
        [each.key for each in ordered],
        [each.ends_at for each in ordered],
        [each.times for each in ordered],
    )


def _shut(
    windows: Iterable[_Window], counts: dict[bytes, int], now: datetime
) -> TooOften | None:
    """Say which limit was reached before, if one was."""
    for each in windows:
        if counts.get(each.key, 0) >= each.limit.most:
            return _refusal(each, now)
    return None


def _refusal(window: _Window, now: datetime) -> TooOften:
    kind = {GUESSES: TooManyGuesses, GUESSES_IN_ALL: LookupClosed}.get(
        window.limit, TooOften
    )
    return kind(max(1, round((window.ends_at - now).total_seconds() / 60)))


# Many at once

_Watched = tuple[list[_Window], datetime]


@cache
def _watch() -> Together[_Watched, TooOften | None]:
    return Together(_watch_all, most=500)


async def _watch_all(asks: Sequence[_Watched]) -> list[TooOften | None]:
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT key, count FROM tally WHERE key = ANY($1::bytea[])",
            [each.key for windows, _ in asks for each in windows],
        )
    counts = {row["key"]: row["count"] for row in rows}
    return [_shut(windows, counts, now) for windows, now in asks]


_Ask = tuple[str, str]  # waybill, neighbourhood


@cache
def _together() -> Together[_Ask, Glance | PostalTrackError]:
    return Together(_look, most=200)


_neighbourhood = lru_cache(1_000)(limits.neighbourhood)


async def _look(asks: Sequence[_Ask]) -> list[Glance | PostalTrackError]:
    now = datetime.now(UTC)
    neighbours = [neighbour for _, neighbour in asks]
    reads = {
        each: _windows((_reads(),), each, now, neighbours.count(each))[0]
        for each in set(neighbours)
    }
    misses = {each: _windows(_OF_ADDRESS, each, now) for each in reads}
    # A transaction by itself: BEGIN and COMMIT would be two more ways to the server.
    pool: Any = engine().pool
    async with pool.acquire() as connection:
        rows = await connection.fetch(
            _GLANCE,
            *_columns(reads.values()),
            [window.key for each in misses.values() for window in each],
            [waybill for waybill, _ in asks],
        )
    counts = {row["key"]: row["count"] for row in rows if row["key"]}
    found = {row["waybill"]: row for row in rows if row["waybill"]}
    shut = {
        each: _over(window, counts, now) or _shut(misses[each], counts, now)
        for each, window in reads.items()
    }
    lost = [n for waybill, n in asks if waybill not in found and not shut[n]]
    if lost:
        await _miss(lost, now)
    return [shut[n] or _glance(found.get(waybill), waybill) for waybill, n in asks]


async def _miss(neighbours: Sequence[str], now: datetime) -> None:
    windows = [
        window
        for each in set(neighbours)
        for window in _windows(_OF_ADDRESS, each, now, neighbours.count(each))
    ]
    async with transaction() as connection:
        await connection.execute(_MISSED, *_columns(windows))


def _over(window: _Window, counts: dict[bytes, int], now: datetime) -> TooOften | None:
    return _refusal(window, now) if counts[window.key] > window.limit.most else None


def _glance(row: Record | None, waybill: str) -> Glance | PostalTrackError:
    if row is None:
        return NoMatch()
    return Glance(
        waybill,
        Stage(row["stage"]),
        row["last_at"].astimezone(LOCAL).date(),
    )
