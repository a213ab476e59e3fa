"""What follows from what a gateway said, whichever way we heard it.

An answer to a call, a receipt and a question asked later all end here, in any order.
Each function joins the caller's transaction. Does not call a gateway.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from sms import wishes
from sms.refusals import Matter, refusal
from sms.status import ARROWS, MISSED, UNSENT, Status, advance

log = logging.getLogger("sms")

MAY_BECOME = {
    status: [old for old, reachable in ARROWS.items() if status in reachable]
    for status in Status
}
"""From which statuses a status can be reached: the arrows, read backwards."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A gateway's word that it took a text at attempt `number`.

    `price`: VND for a segment. `look_after`: seconds until the text is looked up,
    should no receipt come.
    """

    message: int
    number: int
    gateway: str
    provider_id: str
    delivered: bool
    price: int
    look_after: float | None


async def accepted(connection: asyncpg.Connection, taken: Sequence[Taken]) -> None:
    """Note which texts gateways took.

    Where a receipt has said more already, that stays. A text that had been taken before
    under another id has gone out twice, which is logged.
    Raises UniqueViolationError when one of the ids is another text's.
    """
    taken = sorted(taken, key=lambda one: one.message)
    rows = await connection.fetch(
        """
        WITH one AS (
            SELECT * FROM unnest(
                $1::bigint[], $2::int[], $3::text[], $4::text[], $5::bool[], $6::int[],
                $7::float8[]
            ) AS one(message, number, gateway, provider_id, delivered, price, after)
        ), tried AS (
            UPDATE sms_attempt a
            SET outcome = 'accepted', ended_at = now(), provider_id = one.provider_id,
                error_code = '', error = ''
            FROM one WHERE a.message = one.message AND a.number = one.number
        )
        UPDATE sms_message m
        SET status = CASE
                WHEN delivered AND status = ANY($9::text[]) THEN 'delivered'
                WHEN status = ANY($8::text[]) THEN 'sent'
                ELSE status
            END,
            due_at = CASE
                WHEN delivered AND status = ANY($9::text[]) THEN NULL
                WHEN status = ANY($8::text[])
                THEN now() + make_interval(secs => one.after)
                ELSE due_at
            END,
            ended_at = CASE
                WHEN delivered AND status = ANY($9::text[]) THEN now() ELSE ended_at
            END,
            error_code = CASE WHEN status = ANY($8::text[]) THEN '' ELSE error_code END,
            gateway = one.gateway, provider_id = one.provider_id, unsure = false,
            leased_by = NULL, sent_at = coalesce(sent_at, now()),
            cost = segments * one.price, looks = 0, error = ''
        FROM one
        WHERE m.id = one.message
            AND (m.provider_id IS NULL OR m.provider_id = one.provider_id)
        RETURNING m.id
        """,
        [one.message for one in taken],
        [one.number for one in taken],
        [one.gateway for one in taken],
        [one.provider_id for one in taken],
        [one.delivered for one in taken],
        [one.price for one in taken],
        [one.look_after for one in taken],
        MAY_BECOME[Status.SENT],
        MAY_BECOME[Status.DELIVERED],
    )
    written = {row["id"] for row in rows}
    for one in taken:
        if one.message not in written:
            log.error(
                "text %d was taken twice, also as %s", one.message, one.provider_id
            )


async def hear(
    connection: asyncpg.Connection,
    gateway: str,
    message: int | None,
    provider_id: str,
    status: Status | None,
    said: str,
    error_code: str = "",
) -> Status | None:
    """Take in what a provider says of a text; return where the text then stands.

    `message`: the outbox id that the receipt's address names; with it, a receipt for a
    text whose sending was never answered makes it known. The same word twice changes
    nothing, nor does one that comes too late. Returns None when no text is meant.
    """
    row = await connection.fetchrow(
        """
        SELECT id, status, provider_id, recipient, error_code FROM sms_message
        WHERE gateway = $1 AND provider_id = $2 FOR UPDATE
        """,
        gateway,
        provider_id,
    )
    if row is None and message is not None:
        row = await connection.fetchrow(
            """
            SELECT id, status, provider_id, recipient, error_code FROM sms_message
            WHERE id = $1 AND tries > 0 FOR UPDATE
            """,
            message,
        )
    await _write_down(
        connection, gateway, row["id"] if row else None, provider_id, said, error_code
    )
    if row is None:
        return None
    old = Status(row["status"])
    if row["provider_id"] not in (None, provider_id):
        log.error("text %d was taken twice, also as %s", row["id"], provider_id)
        return old
    unheard = row["provider_id"] is None
    if status is None and unheard:
        # A word we do not know yet; but who speaks of a text has taken it.
        status = Status.SENT
    new = old if status is None else advance(old, status)
    if new is not old:
        await _move(connection, row["id"], new, error_code)
    if unheard:
        await _adopt(connection, row["id"], gateway, provider_id)
    if new is not old:
        await _follow(connection, row["id"], row["recipient"], new, error_code)
    return new


async def _write_down(
    connection: asyncpg.Connection,
    gateway: str,
    message: int | None,
    provider_id: str,
    said: str,
    error_code: str,
) -> None:
    await connection.execute(
        """
        INSERT INTO sms_receipt (
            message, gateway, provider_id, said, error_code, received_at
        )
        VALUES ($1, $2, left($3, 64), left($4, 24), left($5, 20), now())
        ON CONFLICT (gateway, provider_id, said) DO NOTHING
        """,
        message,
        gateway,
        provider_id,
        said,
        error_code,
    )


async def _adopt(
    connection: asyncpg.Connection, message: int, gateway: str, provider_id: str
) -> None:
    """Learn from a receipt that a text was taken after all."""
    await connection.execute(
        """
        UPDATE sms_message
        SET gateway = $2, provider_id = $3, unsure = false, leased_by = NULL,
            sent_at = coalesce(sent_at, now())
        WHERE id = $1
        """,
        message,
        gateway,
        provider_id,
    )
    await connection.execute(
        """
        UPDATE sms_attempt
        SET outcome = 'accepted', ended_at = now(), provider_id = $3
        WHERE message = $1 AND gateway = $2 AND number = (
            SELECT max(number) FROM sms_attempt WHERE message = $1 AND gateway = $2
        )
        """,
        message,
        gateway,
        provider_id,
    )


async def _move(
    connection: asyncpg.Connection, message: int, new: Status, error_code: str
) -> None:
    await connection.execute(
        """
        UPDATE sms_message
        SET status = $2::text, error_code = left($3, 20),
            due_at = CASE
                WHEN $2::text <> 'sent' THEN NULL
                ELSE now() + interval '10 minutes'
            END,
            ended_at = CASE WHEN $2::text = 'sent' THEN NULL ELSE now() END
        WHERE id = $1
        """,
        message,
        new,
        error_code,
    )


async def _follow(
    connection: asyncpg.Connection,
    message: int,
    recipient: str,
    new: Status,
    error_code: str,
) -> None:
    if new in MISSED:
        await blame(connection, recipient, error_code)
        await _missed(connection, message, error_code)
    if new is Status.DELIVERED:
        await connection.execute(
            """
            UPDATE sms_call SET closed_at = now(), note = 'delivered after all'
            WHERE message = $1 AND closed_at IS NULL
            """,
            message,
        )


async def blame(connection: asyncpg.Connection, recipient: str, code: str) -> None:
    """Mark a number for which a provider said that it takes no texts."""
    matter = refusal(code).matter if code else None
    if matter is Matter.WISH and recipient:
        await wishes.opt_out(connection, recipient, "provider")
    if matter is Matter.NUMBER and recipient:
        await connection.execute(
            """
            INSERT INTO sms_number_mark (number, code, since)
            VALUES ($1, left($2, 20), now()) ON CONFLICT (number) DO NOTHING
            """,
            recipient,
            code,
        )


async def end(
    connection: asyncpg.Connection,
    message: int,
    status: Status,
    code: str,
    error: str = "",
    *,
    number: int | None = None,
) -> None:
    """Close a text that is still unsent; a citizen who missed it is told otherwise.

    `number`: the attempt that this follows from; a later one has the say.
    """
    ended = await connection.fetchrow(
        """
        UPDATE sms_message
        SET status = $2, error_code = left($3, 20), error = left($4, 240),
            due_at = NULL, leased_by = NULL, unsure = false, ended_at = now()
        WHERE id = $1 AND status = ANY($5::text[])
            AND ($6::int IS NULL OR tries = $6)
        RETURNING recipient
        """,
        message,
        status,
        code,
        error,
        [old for old in MAY_BECOME[status] if old in UNSENT],
        number,
    )
    if ended is None:
        return
    if status in MISSED:
        await blame(connection, ended["recipient"], code)
    if status in MISSED or code == "not_known":
        await _missed(connection, message, code)


async def refused(
    connection: asyncpg.Connection, message: int, number: int, **told: Any
) -> None:
    """Note at attempt `number` that a gateway did not take the text, or maybe not.

    `told`: outcome, code, error of the attempt.
    """
    await connection.execute(
        """
        UPDATE sms_attempt
        SET outcome = $3, ended_at = now(), error_code = left($4, 20),
            error = left($5, 240)
        WHERE message = $1 AND number = $2 AND outcome IN ('sending', 'unsure')
        """,
        message,
        number,
        told["outcome"],
        told.get("code", ""),
        told.get("error", ""),
    )


async def requeue(
    connection: asyncpg.Connection,
    message: int,
    number: int,
    after: float,
    *,
    code: str = "",
    error: str = "",
    avoid: str | None = None,
) -> None:
    """Put back a text of which it is certain that no gateway took it.

    `number`: the attempt this is known of. A worker whose lease ran out must not undo
    what the next one has begun.
    """
    await connection.execute(
        """
        UPDATE sms_message
        SET status = 'queued', unsure = false, leased_by = NULL, looks = 0,
            due_at = now() + make_interval(secs => $2),
            error_code = left($3, 20), error = left($4, 240),
            avoid = CASE WHEN $5::text IS NULL THEN avoid ELSE avoid || $5::varchar END
        WHERE id = $1 AND status IN ('queued', 'sending') AND provider_id IS NULL
            AND tries = $6
        """,
        message,
        after,
        code,
        error,
        avoid,
        number,
    )


async def keep_unsure(
    connection: asyncpg.Connection, message: int, number: int, after: float, error: str
) -> None:
    """Ask about a text later: it is still not known whether it was taken."""
    await connection.execute(
        """
        UPDATE sms_message
        SET due_at = now() + make_interval(secs => $2), leased_by = NULL,
            looks = least(looks + 1, 1000), error = left($3, 240)
        WHERE id = $1 AND unsure AND provider_id IS NULL AND tries = $4
        """,
        message,
        after,
        error,
        number,
    )


async def look_later(
    connection: asyncpg.Connection, message: int, after: timedelta | None
) -> None:
    """Set when a text without a final receipt is looked up again, if ever."""
    await connection.execute(
        """
        UPDATE sms_message
        SET due_at = now() + $2::interval, leased_by = NULL, looks = looks + 1
        WHERE id = $1 AND status = 'sent'
        """,
        message,
        after,
    )


async def _missed(connection: asyncpg.Connection, message: int, code: str) -> None:
    """Try the second number, if there is one and the text still is true; else call."""
    second = await connection.fetchval(
        """
        INSERT INTO sms_message (
            key, recipient, fallback, template, version, language, params, body,
            segments, "group", secret, expires_at, created_at, due_at, status, unsure,
            tries, looks, avoid, cost, error_code, error,
            resend_of, resend_reason, resend_by
        )
        SELECT 'second:' || id, fallback, NULL, template, version, language, params,
            body, segments, "group", secret, expires_at, now(), now(), 'queued', false,
            0, 0, '{}', 0, '', '', id, 'second number', ''
        FROM sms_message
        WHERE id = $1 AND fallback IS NOT NULL AND erased_at IS NULL
            AND (expires_at IS NULL OR expires_at > now())
        ON CONFLICT (key) DO NOTHING
        RETURNING id
        """,
        message,
    )
    if second is None:
        await connection.execute(
            """
            INSERT INTO sms_call (message, code, opened_at, closed_by, note)
            SELECT id, left($2, 20), now(), '', '' FROM sms_message
            WHERE id = $1 AND erased_at IS NULL
            ON CONFLICT (message) DO NOTHING
            """,
            message,
            code,
        )
