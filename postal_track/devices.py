"""Phones that people log in with: known by the name each gave itself, and shut out.

A phone that was signed out opens no session until somebody lets it in again. Asked at
every login and with every list of scans. Who may sign one out is ``lost``'s to say;
knows no HTTP.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from asyncpg import Connection

from postal_track.database import look
from postal_track.errors import DeviceSignedOut

NAME_OF_ITS_OWN = re.compile(r"[A-Za-z0-9_.-]{4,40}")
LONGEST_NAME = 60

SEEN_EVERY_S = 60.0
"""How exactly it is known when a phone was last seen: a row is not written for each."""

_FRESH_S = 2.0
_MOST_REMEMBERED = 20_000


@dataclass(slots=True)
class _Memory:
    """What one process remembers: who was out when it last looked, and whom it saw."""

    out: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    read_at: float = float("-inf")
    seen: dict[str, float] = field(default_factory=dict)


_memory = _Memory()


def forget() -> None:
    """Look anew at the next question."""
    _memory.read_at = float("-inf")
    _memory.seen.clear()


def own_name(text: str) -> str:
    """Read what a phone calls itself; empty for what no phone of ours would say."""
    return text if NAME_OF_ITS_OWN.fullmatch(text) else ""


async def is_out(connection: Connection, device: str) -> bool:
    """Whether a phone is signed out at this moment."""
    out: bool | None = await connection.fetchval(
        """
        SELECT signed_out_at IS NOT NULL AND let_in_at IS NULL FROM device
        WHERE id = $1
        """,
        device,
    )
    return bool(out)


async def admit(
    connection: Connection, device: str, staff: int, agent: str, name: str = ""
) -> None:
    """Write down that somebody logs in with a phone; ``name`` is what he calls it.

    A name that was given stays until another is.
    """
    await connection.execute(
        """
        INSERT INTO device (id, name, agent, staff, first_seen, last_seen, why)
        VALUES ($1, $2, $3, $4, now(), now(), '')
        ON CONFLICT (id) DO UPDATE SET staff = excluded.staff, agent = excluded.agent,
            name = coalesce(nullif(excluded.name, ''), device.name), last_seen = now()
        """,
        device,
        " ".join(name.split())[:LONGEST_NAME],
        agent[:200],
        staff,
    )


async def learnt(device: str) -> None:
    """Write down that a phone was told that it is signed out: it wipes itself now."""
    async with look() as connection:
        await connection.execute(
            """
            UPDATE device SET told_at = now() WHERE id = $1 AND told_at IS NULL
                AND signed_out_at IS NOT NULL AND let_in_at IS NULL
            """,
            device,
        )


async def check(device: str) -> datetime | None:
    """Ask whether a phone's scans may come in: ``DeviceSignedOut`` when they may not.

    When it was signed out and let in again, since when: what it scanned before is
    worth something only under the new login. As of at most two seconds ago.
    """
    await _look_again()
    at, still = _memory.out.get(device, (None, False))
    if still:
        await learnt(device)
        raise DeviceSignedOut
    return at


async def _look_again() -> None:
    now = time.monotonic()
    if now - _memory.read_at < _FRESH_S:
        return
    _memory.read_at = now  # others that ask meanwhile need not look, too
    async with look() as connection:
        rows = await connection.fetch(
            """
            SELECT id, signed_out_at, let_in_at IS NULL AS still FROM device
            WHERE signed_out_at IS NOT NULL
            """
        )
    _memory.out = {row["id"]: (row["signed_out_at"], row["still"]) for row in rows}


async def seen(device: str, sent_at: datetime | None = None) -> None:
    """Write down that a phone was here, and how far its clock is off; not each time."""
    now = time.monotonic()
    # Its clock is worth a row of its own: a page does not measure it.
    key = f"{device} clock" if sent_at else device
    if now - _memory.seen.get(key, float("-inf")) < SEEN_EVERY_S:
        return
    if len(_memory.seen) > _MOST_REMEMBERED:
        _memory.seen.clear()
    _memory.seen[key] = now
    skew = (
        (sent_at - datetime.now(UTC)) / timedelta(milliseconds=1) if sent_at else None
    )
    async with look() as connection:
        await connection.execute(
            """
            UPDATE device SET last_seen = now(), skew_ms = coalesce($2, skew_ms)
            WHERE id = $1
            """,
            device,
            None if skew is None else round(skew),
        )


def waited(signed_out_at: datetime | None, scanned: Iterable[datetime]) -> bool:
    """Whether some of these were scanned before the phone was signed out."""
    return signed_out_at is not None and any(at <= signed_out_at for at in scanned)
