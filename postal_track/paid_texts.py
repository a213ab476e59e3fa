"""The text that says "paid", and what it makes untrue.

Once nothing is owed any more the citizen is told so, once, in the transaction of the
payment. A text that waits and still asks for money is taken back after it, and put
again with what is owed now.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from asyncpg import Connection

from postal_track.charges import OPEN_AT_DOOR
from postal_track.database import transaction
from postal_track.outgoing import poke, written
from postal_track.settings import settings
from postal_track.wording import FIELDS, compose
from sms.outbox import Text, take_back
from sms.outbox import put as put_texts

PAID = "S14_paid"
ASKING = ("S06_result_ready", "S07_out")
"""Texts that say what is to be paid at the door."""

WORTH_SENDING = timedelta(days=7)


async def put(
    connection: Connection, dossiers: Collection[int], now: datetime
) -> list[int]:
    """Say of these dossiers that nothing is owed any more; ids of new texts."""
    if not dossiers:
        return []
    told = await connection.fetch(_NEWS, sorted(dossiers))
    if not told:
        return []
    await connection.execute(
        """
        UPDATE charge SET told_at = $2 WHERE told_at IS NULL AND payer = 'citizen'
            AND paid > 0 AND bill = ANY($1::bigint[])
        """,
        [row["bill"] for row in told],
        now,
    )
    return await put_texts(
        connection, [_text(row, now) for row in told if row["phone"]]
    )


async def spread(dossiers: Collection[int], ids: Sequence[int]) -> None:
    """Do what follows the commit of a payment: send, and ask for no more than is owed.

    Not in that commit: a scan takes waiting texts back as well, and must not wait for
    money. Whoever tells of the same payment again makes up for what was cut short.
    """
    again = list(ids)
    for dossier in sorted(dossiers):
        async with transaction() as connection:
            texts = await _ask_anew(connection, dossier)
            again += await put_texts(connection, texts)
    await poke(again)


# Of accounts on which nothing is open: what was paid since the citizen was last told.
_NEWS = """
    SELECT b.id AS bill, b.dossier, n.fee, n.postage, n.last, d.slug, d.language,
        coalesce(nullif(f.phone, ''), o.phone, '') AS phone, o.phone AS fallback,
        (SELECT array_agg(c.code ORDER BY c.id DESC) FROM dossier_code c
            WHERE c.dossier = d.id) AS codes,
        (SELECT waybill FROM item WHERE dossier = d.id ORDER BY id DESC LIMIT 1)
            AS waybill
    FROM bill b JOIN dossier d ON d.id = b.dossier
    JOIN LATERAL (
        SELECT coalesce(sum(c.paid) FILTER (WHERE c.kind = 'state_fee'
                AND c.told_at IS NULL), 0)::bigint AS fee,
            coalesce(sum(c.paid) FILTER (WHERE c.kind = 'postage'
                AND c.told_at IS NULL), 0)::bigint AS postage,
            bool_or(c.paid < c.amount) AS owing,
            max((SELECT max(l.id) FROM charge_line l WHERE l.charge = c.id)) AS last
        FROM charge c WHERE c.bill = b.id AND c.payer = 'citizen'
    ) n ON NOT n.owing AND n.fee + n.postage > 0
    LEFT JOIN person o ON o.dossier = d.id AND o.part = 'owner'
    LEFT JOIN person f ON f.dossier = d.id AND f.part = 'filer'
    WHERE b.dossier = ANY($1::bigint[])
"""


def _text(row: Mapping[str, Any], now: datetime) -> Text:
    known = [*(row["codes"] or ()), row["waybill"]]
    fields = {
        "code": [each for each in known if each] or row["slug"],
        "fee": row["fee"] + row["postage"],
        "f1": row["fee"],
        "f2": row["postage"],
        "tok": row["slug"],
        "hot": settings().HOTLINE,
    }
    # The last line says what was owed: the same sum settled again is no news.
    key = f"paid:{row['dossier']}:{row['last']}"
    return written(key, PAID, row, fields, now + WORTH_SENDING)


async def _ask_anew(connection: Connection, dossier: int) -> list[Text]:
    """Take back what waits and asks for another sum, to be said with what is owed."""
    owed = await connection.fetchval(
        f"SELECT max({OPEN_AT_DOOR}) FROM item i WHERE i.dossier = $1",  # noqa: S608
        dossier,
    )
    fee = FIELDS["fee"].write(owed or 0, "vi")
    waiting = await take_back(connection, f"dossier:{dossier}", ASKING, "fee", fee)
    return [_reworded(each, owed or 0) for each in waiting]


def _reworded(text: Text, owed: int) -> Text:
    params = {**text.params, "fee": owed}
    link = params.pop("link", "")
    composed = compose(text.template, text.language, link=str(link), tok="", **params)
    return replace(
        text,
        key=f"{text.key}:{owed}",
        params=composed.params,
        body=composed.body,
        version=composed.version,
    )
