"""What is wanted on a number: no texts at all, or none until a clerk has checked it.

Does not know whose number it is.
"""

from __future__ import annotations

import asyncpg


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


async def clear_mark(connection: asyncpg.Connection, number: str) -> None:
    """Try this number again: a clerk has checked it."""
    await connection.execute("DELETE FROM sms_number_mark WHERE number = $1", number)
