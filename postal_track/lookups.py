"""Finding a dossier by a waybill and the last four digits of a phone.

Two small secrets, of which one is sequential: so unknown and wrong are one answer,
counted alike by `misses`. Knows no page; `glances` tells what a waybill says alone.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from asyncpg import Connection

from postal_track import labels, limits, misses, s10
from postal_track.batching import Together
from postal_track.database import transaction
from postal_track.errors import BadInput, ForeignCode, NoMatch, Problem, TooOften
from postal_track.misses import Window

# What programs send, and need not be understood first.
_AS_PRINTED = re.compile(f"{s10.SERVICE}[0-9]{{9}}{s10.COUNTRY}")


def read(text: str) -> str:
    """Read a waybill however it is written, or the address in a label's QR.

    Raises BadWaybill or ForeignCode, which say what is wrong, before anything is asked.
    """
    if _AS_PRINTED.fullmatch(text) and s10.check_digit(text[2:10]) == text[10]:
        return text
    code = labels.parse_code(text)
    if code.kind != "item":
        raise ForeignCode(text)
    return code.waybill


async def token_for(text: str, last4: str, address: str) -> str:
    """Find the token of the dossier that a waybill and a phone's last digits open.

    The phone may be that of any person of the dossier. What is right is not counted;
    what is wrong is, before anyone else can try the same waybill. Raises BadWaybill,
    BadInput, NoMatch, TooManyGuesses, LookupClosed or TooOften.
    """
    waybill, digits = read(text), "".join(last4.split())
    if not re.fullmatch("[0-9]{4}", digits):
        raise BadInput((_FOUR_DIGITS,))
    now = datetime.now(UTC)
    neighbourhood = limits.neighbourhood(address)
    windows = misses.of_waybill(waybill, now) + misses.of_address(neighbourhood, now)
    # Whoever is shut out already is turned away before he can hold anyone up.
    if shut := await _watch()((windows, now)):
        raise shut
    async with transaction() as connection:
        shut, token = await _try(connection, waybill, digits, windows, now)
    if shut is not None:
        raise shut
    if token is None:
        raise NoMatch
    return token


_FOUR_DIGITS = Problem(
    "last4",
    "Give the last four digits of the phone number.",
    "Hãy nhập 4 số cuối của số điện thoại.",
)


async def _try(
    connection: Connection,
    waybill: str,
    digits: str,
    windows: Sequence[Window],
    now: datetime,
) -> tuple[TooOften | None, str | None]:
    # Tries of one waybill queue up here: of many at once none slips past the count.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", waybill
    )
    row = await connection.fetchrow(
        _MATCH, waybill, digits, [each.key for each in windows]
    )
    counts = dict(zip(row["keys"], row["counts"], strict=True))
    shut = misses.shut_by(windows, counts, now)
    if shut is None and row["token"] is None:
        await misses.count(connection, dict.fromkeys(windows, 1))
    return shut, row["token"]


_MATCH = """
    SELECT (SELECT d.token FROM label l JOIN item i ON i.id = l.item
            JOIN dossier d ON d.id = i.dossier
            WHERE l.waybill = $1 AND EXISTS (SELECT FROM person p
                WHERE p.dossier = d.id AND right(p.phone, 4) = $2)) AS token,
        coalesce(array_agg(t.key), '{}') AS keys,
        coalesce(array_agg(t.count), '{}') AS counts
    FROM tally t WHERE t.key = ANY($3::bytea[])
"""

_Watched = tuple[list[Window], datetime]


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
    return [misses.shut_by(windows, counts, now) for windows, now in asks]
