"""Forgetting persons: on a citizen's word that a supervisor granted, and in due time.

What is personal goes, what happened stays: who held what and when is told by numbers,
and every chain still verifies. The law has the post keep its papers for a while; how
long is a setting. Runs in bulk, in the order in which everybody locks. Knows no HTTP.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import promises
from postal_track.chronicle import IN_HAND
from postal_track.complaints import months_later
from postal_track.database import transaction
from postal_track.settings import settings
from sms import outbox

LOCAL = promises.LOCAL

MOST = 200
"""Dossiers of one transaction."""

MOST_ROUNDS = 50
"""Transactions of one night; the next one goes on."""

DOSSIER = "dossier"
"""The scope of an erasure that leaves nobody; else it is one person's part."""


async def last_day(connection: Connection, dossier: int) -> date | None:
    """Say until when the post keeps a dossier's persons; ``None``: it is under way."""
    row = await connection.fetchrow(
        f"""
        SELECT coalesce(max(i.last_at), d.created_at) AS ended,
            coalesce(bool_or(i.{IN_HAND}), false) OR (d.service <> 'send'
                AND NOT coalesce(bool_or(i.leg IN ('result', 'bring_back')
                    OR i.stage IN ('cancelled', 'lost')), false)) AS under_way
        FROM dossier d LEFT JOIN item i ON i.dossier = d.id
        WHERE d.id = $1 GROUP BY d.id
        """,  # noqa: S608 - a constant
        dossier,
    )
    if row is None or row["under_way"]:
        return None
    ended = row["ended"].astimezone(LOCAL).date()
    return months_later(ended, settings().RETENTION_MONTHS)


async def sweep(now: datetime | None = None) -> int:
    """Erase what was granted for today, and what was kept long enough; how many.

    Safe to repeat, and beside others.
    """
    now = now or datetime.now(UTC)
    done = await _granted(now)
    for _ in range(MOST_ROUNDS):
        purged = await _purge(now)
        done += purged
        if purged < MOST:
            break
    await _forget_what_has_run_out(now)
    return done


async def _granted(now: datetime) -> int:
    """Do what a supervisor granted and whose day has come."""
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT id, dossier, part FROM citizen_request
            WHERE act = 'erasure' AND state = 'confirmed' AND due_on <= $1
            ORDER BY due_on LIMIT {MOST}
            """,  # noqa: S608 - a constant
            now.astimezone(LOCAL).date(),
        )
    for row in rows:
        async with transaction() as connection:
            await carry_out(connection, row)
    return len(rows)


async def carry_out(connection: Connection, request: Record) -> None:
    """Erase what one granted request speaks of: the owner's word is for all."""
    scope = DOSSIER if request["part"] == "owner" else request["part"]
    await erase(connection, [request["dossier"]], scope, request["id"])
    await connection.execute(
        """
        UPDATE citizen_request SET state = 'applied', ended_at = now()
        WHERE id = $1 AND state = 'confirmed'
        """,
        request["id"],
    )


async def _purge(now: datetime) -> int:
    """Erase the oldest dossiers that ended long enough ago and have no quarrel open."""
    cutoff = months_before(now, settings().RETENTION_MONTHS)
    async with transaction() as connection:
        rows = await connection.fetch(_OLD, cutoff, months_before(cutoff, 24))
        dossiers = [row["dossier"] for row in rows]
        if dossiers:
            await erase(connection, dossiers, DOSSIER, None)
    return len(dossiers)


# By the persons that are left, the oldest first: what was erased costs nothing. A
# result that never came keeps a dossier for two years more, and no longer.
_OLD = f"""
    SELECT p.dossier FROM person p JOIN dossier d ON d.id = p.dossier
    WHERE p.part = 'owner' AND d.created_at < $1
        AND NOT EXISTS (SELECT FROM item i WHERE i.dossier = d.id
            AND (i.{IN_HAND} OR i.last_at >= $1))
        AND (d.service = 'send' OR d.created_at < $2 OR EXISTS (SELECT FROM item i
            WHERE i.dossier = d.id AND (i.leg IN ('result', 'bring_back')
                OR i.stage IN ('cancelled', 'lost'))))
        AND NOT EXISTS (SELECT FROM claim c WHERE c.dossier = d.id
            AND c.state IN ('opened', 'accepted'))
        AND NOT EXISTS (SELECT FROM irregularity r JOIN item i ON i.id = r.item
            WHERE i.dossier = d.id AND r.ended_at IS NULL)
    ORDER BY p.id LIMIT {MOST} FOR UPDATE OF p SKIP LOCKED
"""  # noqa: S608 - constants


def months_before(moment: datetime, months: int) -> datetime:
    """Count calendar months back."""
    day = months_later(moment.astimezone(LOCAL).date(), -months)
    return datetime.combine(day, moment.astimezone(LOCAL).timetz()).astimezone(UTC)


async def erase(
    connection: Connection, dossiers: Sequence[int], scope: str, request: UUID | None
) -> None:
    """Take persons out of these dossiers: all of them, or one part of one dossier.

    What happened, when and in whose hands stays, and so does that it was erased.
    """
    whole = scope == DOSSIER
    items = await connection.fetch(
        """
        SELECT id, waybill, dossier FROM item WHERE dossier = ANY($1::bigint[])
        ORDER BY id FOR UPDATE
        """,
        dossiers,
    )
    numbers = await connection.fetch(
        """
        SELECT DISTINCT phone FROM person WHERE dossier = ANY($1::bigint[])
            AND ($2 OR part = $3) AND phone <> ''
        """,
        dossiers,
        whole,
        scope,
    )
    await _texts(connection, dossiers, None if whole else [r["phone"] for r in numbers])
    ids = [row["id"] for row in items]
    if whole:
        for statement in _OF_ITEMS:
            await connection.execute(statement, ids)
        for statement in _OF_DOSSIERS:
            await connection.execute(statement, dossiers)
        await connection.execute(
            """
            UPDATE refused_scan SET scan = '{}' WHERE code = ANY($1::text[])
                AND scan <> '{}'::jsonb
            """,
            [row["waybill"] for row in items],
        )
    else:
        await connection.execute(_SIGNED[scope], ids)
        await connection.execute(_ASKED_BY, dossiers, scope)
        await connection.execute(
            "DELETE FROM person WHERE dossier = ANY($1::bigint[]) AND part = $2",
            dossiers,
            scope,
        )
    await connection.execute(
        """
        INSERT INTO erasure (dossier, request, scope, at)
        SELECT d, $2, $3, now() FROM unnest($1::bigint[]) AS d
        """,
        dossiers,
        request,
        scope,
    )


_ABOUT = "irregularity IN (SELECT id FROM irregularity WHERE item = ANY($1::bigint[]))"

_OF_ITEMS = (
    """
    DELETE FROM event_detail WHERE event IN
        (SELECT id FROM event WHERE item = ANY($1::bigint[]))
    """,
    f"UPDATE minute SET words = '' WHERE words <> '' AND {_ABOUT}",  # noqa: S608
    f"""
    UPDATE envelope_photo SET picture = NULL WHERE picture IS NOT NULL AND {_ABOUT}
    """,  # noqa: S608
    """
    UPDATE item_photo SET picture = NULL
    WHERE picture IS NOT NULL AND item = ANY($1::bigint[])
    """,
    """
    UPDATE shift_line SET note = '' WHERE note <> '' AND item = ANY($1::bigint[])
    """,
    "UPDATE claim SET words = '' WHERE words <> '' AND item = ANY($1::bigint[])",
    """
    UPDATE irregularity SET detail = '',
        ending = CASE WHEN ending IN ('', 'corrected') THEN ending ELSE '-' END
    WHERE item = ANY($1::bigint[])
        AND (detail <> '' OR ending NOT IN ('', '-', 'corrected'))
    """,
)
"""What of a dossier's items speaks of persons; the rest of a row stays."""

_OF_DOSSIERS = (
    "UPDATE rating SET line = '' WHERE line <> '' AND dossier = ANY($1::bigint[])",
    "UPDATE payment SET text = '' WHERE text <> '' AND dossier = ANY($1::bigint[])",
    "DELETE FROM instruction WHERE dossier = ANY($1::bigint[])",
    "DELETE FROM paper WHERE dossier = ANY($1::bigint[])",
    """
    UPDATE citizen_request SET state = 'expired', ended_at = now()
    WHERE dossier = ANY($1::bigint[]) AND state = 'asked'
    """,
    """
    UPDATE citizen_request SET payload = '{}', phone = ''
    WHERE dossier = ANY($1::bigint[]) AND (phone <> '' OR payload <> '{}'::jsonb)
    """,
    "DELETE FROM person WHERE dossier = ANY($1::bigint[])",
)

# Who handed papers over signed at the pickup, who received them at the delivery.
_SIGNED = {
    part: f"""
    DELETE FROM event_detail WHERE event IN
        (SELECT id FROM event WHERE item = ANY($1::bigint[]) AND step = '{step}')
    """  # noqa: S608 - constants
    for part, step in (("filer", "accepted"), ("recipient", "delivered"))
}

_ASKED_BY = """
    UPDATE citizen_request SET payload = '{}', phone = ''
    WHERE dossier = ANY($1::bigint[]) AND part = $2 AND state <> 'asked'
"""


async def _texts(
    connection: Connection, dossiers: Sequence[int], numbers: Sequence[str] | None
) -> None:
    """Take numbers and words out of the texts, those with codes too."""
    asked = await connection.fetch(
        "SELECT id FROM citizen_request WHERE dossier = ANY($1::bigint[])", dossiers
    )
    groups = [f"dossier:{dossier}" for dossier in dossiers]
    groups += [f"request:{row['id'].hex}" for row in asked]
    await outbox.erase(connection, groups, numbers)


async def _forget_what_has_run_out(now: datetime) -> None:
    """Take away counts, logins and codes that have had their time."""
    cutoff = months_before(now, settings().RETENTION_MONTHS)
    async with transaction() as connection:
        await connection.execute("DELETE FROM tally WHERE ends_at < $1", now)
        await connection.execute("DELETE FROM session WHERE expires_at < $1", now)
        await connection.execute(
            "DELETE FROM login_attempt WHERE at < $1::timestamptz - interval '90 days'",
            now,
        )
        # Codes of requests that never became a dossier's.
        over = await connection.fetch(
            """
            SELECT r.id FROM citizen_request r WHERE r.dossier IS NULL
                AND r.state IN ('expired', 'refused') AND EXISTS (
                    SELECT FROM sms_message m WHERE m.erased_at IS NULL
                        AND m."group" = 'request:' || replace(r.id::text, '-', ''))
            LIMIT 1000
            """
        )
        await outbox.erase(connection, [f"request:{row['id'].hex}" for row in over])
        await connection.execute(
            "UPDATE refused_scan SET scan = '{}' WHERE at < $1 AND scan <> '{}'::jsonb",
            cutoff,
        )
