"""The citizen's one-time codes: six digits that prove he agreed to a handover.

A code is never stored: it is derived from a random nonce and the secret key. Five wrong
tries lock it. Rows are read and written under the lock of their item.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from asyncpg import Connection

from postal_track.custody import Step
from postal_track.database import given
from postal_track.settings import settings

TRIES = 5

PURPOSE = {Step.ACCEPTED: "pickup", Step.DELIVERED: "delivery"}
"""Which code each handover with a citizen asks for."""


@dataclass(slots=True)
class _Code:
    id: int
    nonce: bytes
    expires_at: datetime
    wrong: int
    used: bool
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try: was it right, how many are left, did it lock the code."""

    right: bool
    left: int
    locked_now: bool = False


@dataclass(slots=True)
class Codes:
    """The codes in force for some items, by item and purpose."""

    rows: dict[tuple[int, str], _Code] = field(default_factory=dict)

    def try_out(self, item: int, purpose: str, given: str, at: datetime) -> Tried:
        """Hold what the citizen said at ``at`` against the code in force.

        A wrong try is counted.
        """
        code = self.rows.get((item, purpose))
        if code is None:
            return Tried(right=False, left=TRIES)
        if code.wrong >= TRIES:
            return Tried(right=False, left=0)
        said = "".join(given.split())
        if (
            hmac.compare_digest(said.encode(), digits(code.nonce).encode())
            and at <= code.expires_at
        ):
            code.used = code.changed = True
            return Tried(right=True, left=TRIES - code.wrong)
        code.wrong += 1
        code.changed = True
        return Tried(
            right=False, left=TRIES - code.wrong, locked_now=code.wrong == TRIES
        )


def digits(nonce: bytes) -> str:
    """Derive the six digits from a row's nonce."""
    key = settings().SECRET_KEY.encode()
    mac = hmac.new(key, b"one-time code" + nonce, hashlib.sha256).digest()
    return f"{int.from_bytes(mac[:8], 'big') % 1_000_000:06d}"


async def in_force(connection: Connection, items: Iterable[int]) -> Codes:
    """Read the newest code of each purpose for these items."""
    wanted = sorted(items)
    if not wanted:
        return Codes()
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (item, purpose) id, item, purpose, nonce, expires_at, wrong,
            used_at IS NOT NULL AS used
        FROM one_time_code WHERE item = ANY($1::bigint[]) ORDER BY item, purpose, id
            DESC
        """,
        wanted,
    )
    return Codes(
        {
            (row["item"], row["purpose"]): _Code(
                row["id"], row["nonce"], row["expires_at"], row["wrong"], row["used"]
            )
            for row in rows
        }
    )


async def keep(connection: Connection, codes: Codes) -> None:
    """Write what the tries changed."""
    changed = [code for code in codes.rows.values() if code.changed]
    if not changed:
        return
    await connection.execute(
        """
        UPDATE one_time_code AS c SET wrong = n.wrong,
            used_at = CASE WHEN n.used THEN coalesce(c.used_at, now()) END
        FROM unnest($1::bigint[], $2::int[], $3::bool[]) AS n(id, wrong, used) WHERE
            c.id = n.id
        """,
        [code.id for code in changed],
        [code.wrong for code in changed],
        [code.used for code in changed],
    )


async def make(
    connection: Connection,
    items: Iterable[int],
    purpose: str,
    made_at: datetime,
    expires_at: datetime,
) -> dict[int, str]:
    """Make a new code for each item; return the six digits by item.

    The code before is out of force.
    """
    nonces = {item: secrets.token_bytes(16) for item in sorted(items)}
    if not nonces:
        return {}
    if not nonces:
        return {}
    await connection.execute(
        f"""
        INSERT INTO one_time_code (item, purpose, nonce, made_at, expires_at, wrong)
        SELECT i, $3, n, $4, $5, 0
        FROM unnest({given(1, "bigint")}, {given(2, "bytea")}) AS u(i, n)
        """,  # noqa: S608 - constants
        list(nonces),
        list(nonces.values()),
        purpose,
        made_at,
        expires_at,
    )
    return {item: digits(nonce) for item, nonce in nonces.items()}
