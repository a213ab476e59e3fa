"""What is wanted on a number: no texts at all, or none until a clerk has checked it.

Does not know whose number it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from sms import refusals


async def opt_out(
    connection: asyncpg.Connection, number: str, source: str, by: str = ""
) -> None:
    """Send nothing more to this number. `source`: page, counter, sms or provider."""
    await connection.execute(
        """
        INSERT INTO sms_opt_out (number, since, source, by)
        VALUES ($1, now(), $2, left($3, 40)) ON CONFLICT (number) DO NOTHING
        """,
        number,
        source,
        by,
    )


async def opt_in(connection: asyncpg.Connection, number: str) -> None:
    """Send texts to this number again."""
    await connection.execute("DELETE FROM sms_opt_out WHERE number = $1", number)


async def opted_out(connection: asyncpg.Connection, number: str) -> bool:
    """Whether this number gets no texts by the citizen's wish."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM sms_opt_out WHERE number = $1)", number
    )
    return found


async def mark_of(connection: asyncpg.Connection, number: str) -> str:
    """Return the code for which a provider refuses this number; empty when none."""
    code: str | None = await connection.fetchval(
        "SELECT code FROM sms_number_mark WHERE number = $1", number
    )
    return code or ""


async def clear_mark(
    connection: asyncpg.Connection, number: str, who: str, reason: str
) -> bool:
    """Try this number again: a clerk has checked it, and says how he knows.

    Return whether there was a mark. It is kept who took it away, and why.
    """
    cleared: bool = await connection.fetchval(
        """
        WITH cleared AS (
            DELETE FROM sms_number_mark WHERE number = $1 RETURNING number, code, since
        ), kept AS (
            INSERT INTO sms_cleared_mark (
                number, code, since, cleared_at, cleared_by, reason
            )
            SELECT number, code, since, now(), left($2, 40), left($3, 240) FROM cleared
            RETURNING id
        )
        SELECT EXISTS (SELECT 1 FROM kept)
        """,
        number,
        who,
        reason.strip(),
    )
    return cleared


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands between us and a number.

    `stopped`: since when its owner wants no texts, with `source` and `by` as they were
    given. `mark`: the code for which a provider refuses it; empty when none.
    """

    stopped: datetime | None = None
    source: str = ""
    by: str = ""
    mark: str = ""

    def trouble(self, language: str = "vi") -> str:
        """Say why a provider takes nothing for this number; empty when it does."""
        return refusals.sentence(self.mark, language)


async def standings(
    connection: asyncpg.Connection, numbers: Collection[str]
) -> dict[str, Standing]:
    """Say of each of these numbers what stands between us and it."""
    rows = await connection.fetch(
        """
        SELECT one.number, o.since AS stopped, coalesce(o.source, '') AS source,
            coalesce(o.by, '') AS by, coalesce(m.code, '') AS mark
        FROM unnest($1::text[]) AS one(number)
        LEFT JOIN sms_opt_out o ON o.number = one.number
        LEFT JOIN sms_number_mark m ON m.number = one.number
        """,
        list(numbers),
    )
    return {
        row["number"]: Standing(row["stopped"], row["source"], row["by"], row["mark"])
        for row in rows
    }
