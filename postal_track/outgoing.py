"""Texts to citizens, put into the outbox in the transaction of what they tell of.

Joins ``notices`` (what is due), ``wording`` (how it is said) and ``sms.outbox`` (which
keeps it until it is sent). Looks up addressees for the items that need it only, all at
once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection

from postal_track import codes, promises
from postal_track.charges import OPEN_AT_DOOR
from postal_track.custody import Custody, Reason, Stage
from postal_track.database import given
from postal_track.notices import Occasion, due, needs_code, still_true
from postal_track.settings import settings
from postal_track.wording import compose
from postal_track.worker import poke as poke_worker
from sms.outbox import Text, cancel_all
from sms.outbox import put as put_texts

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

CODE_STANDS_FOR = timedelta(hours=36)
"""How long a delivery code is good.

A phone that was offline all day must still be able to send it.
"""

BROUGHT_BACK_WITHIN = 2
"""In how many working days refused papers are brought back."""

CALLED_WITHIN = timedelta(hours=24)
"""When a citizen is called about an incident, at the latest."""


async def put(
    connection: Connection,
    occasions: Sequence[Occasion],
    final: Mapping[int, Custody],
    now: datetime,
) -> list[int]:
    """Put every text that is due and still true into the outbox; return the new ids."""
    out = {
        o.item
        for o in occasions
        if needs_code(o) and final[o.item].stage is Stage.OUT_FOR_DELIVERY
    }
    digits = await codes.make(connection, out, "delivery", now, now + CODE_STANDS_FOR)
    told = [
        (name, occasion)
        for occasion in occasions
        if (name := due(occasion)) and still_true(name, final[occasion.item])
    ]
    if not told:
        return []
    about = await _look_up(connection, {occasion.item for _, occasion in told})
    if incidents := {o.item for name, o in told if name == "S13_incident"}:
        await _add_files(connection, about, incidents)
    texts = [
        _text(name, occasion, about[occasion.item], digits.get(occasion.item, ""), now)
        for name, occasion in told
        if about[occasion.item]["phone"]
    ]
    return await put_texts(connection, texts)


async def put_late(
    connection: Connection, broken: Mapping[int, date], now: datetime
) -> list[int]:
    """Tell of items whose promised day has passed; once for each promise.

    ``broken`` gives the day that was promised. The ids of the rows written.
    """
    about = await _look_up(connection, broken)
    again = promises.add_working_days(now.astimezone(LOCAL).date(), 1)
    texts = [
        written(
            late_key(item, day),
            "S12_late",
            about[item],
            _common(about[item]) | {"date": again},
            now + timedelta(days=2),
        )
        for item, day in broken.items()
        if about[item]["phone"]
    ]
    return await put_texts(connection, texts)


def late_key(item: int, promised_on: date) -> str:
    """Name the text about one broken promise."""
    return f"late:{item}:{promised_on}"


async def put_code(
    connection: Connection,
    *,
    key: str,
    group: str,
    phone: str,
    language: str,
    act: str,
    otp: str,
    until: datetime,
) -> list[int]:
    """Send a code to someone who waits for it before our page."""
    hot = settings().HOTLINE
    composed = compose("S15_code", language, otp=otp, act=act, time=until, hot=hot)
    text = Text(
        key=key,
        recipient=phone,
        template=composed.template,
        version=composed.version,
        language=language,
        params=composed.params,
        body=composed.body,
        group=group,
        secret="otp",  # noqa: S106 - the name of a field
        expires_at=until,
    )
    return await put_texts(connection, [text])


async def put_incident(
    connection: Connection, item: int, key: str, now: datetime
) -> list[int]:
    """Tell that an incident which the citizen reported is being looked into."""
    about = await _look_up(connection, [item])
    await _add_files(connection, about, [item])
    row = about[item]
    if not row["phone"]:
        return []
    by = (now + CALLED_WITHIN).astimezone(LOCAL)
    fields = _common(row) | {"time": by, "date": by.date(), "cl": row["file"]}
    text = written(key, "S13_incident", row, fields, now + timedelta(days=7))
    return await put_texts(connection, [text])


async def put_noted(
    connection: Connection, dossier: int, request: UUID, act: str, now: datetime
) -> list[int]:
    """Tell every number of a dossier what was done on a code: it may not have been he.

    Nothing for a dossier that has neither code nor waybill yet: the text names it.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (p.phone) p.phone, d.id AS dossier, d.slug, d.language,
            NULL AS fallback,
            (SELECT array_agg(c.code ORDER BY c.id DESC) FROM dossier_code c
                WHERE c.dossier = d.id) AS codes,
            (SELECT i.waybill FROM item i WHERE i.dossier = d.id ORDER BY i.id DESC
                LIMIT 1) AS waybill
        FROM dossier d JOIN person p ON p.dossier = d.id WHERE d.id = $1
            AND p.phone <> ''
        ORDER BY p.phone
        """,
        dossier,
    )
    texts = [
        written(
            f"noted:{request}:{at}",
            "S16_noted",
            row,
            _common(row) | {"act": act, "time": now, "date": now, "code": _names(row)},
            now + timedelta(days=2),
        )
        for at, row in enumerate(rows)
        if _names(row)
    ]
    return await put_texts(connection, texts)


def _names(row: Mapping[str, Any]) -> list[str]:
    return [*(row["codes"] or ()), *([row["waybill"]] if row["waybill"] else [])]


async def withdraw(connection: Connection, untrue: Collection[tuple[int, str]]) -> None:
    """Take back texts that wait and are no longer true: a dossier's, by name."""
    if untrue:
        texts = {(f"dossier:{dossier}", name) for dossier, name in untrue}
        await cancel_all(connection, texts)


async def poke(ids: Sequence[int]) -> None:
    """Wake the worker after the commit; a lost poke is found by its sweep."""
    if ids:
        await poke_worker(ids)


async def _look_up(
    connection: Connection, items: Iterable[int]
) -> dict[int, Mapping[str, Any]]:
    rows = await connection.fetch(
        f"""
        SELECT i.id, i.waybill, i.leg, i.promised_on, {OPEN_AT_DOOR} AS fee,
            i.originals, i.copies,
            d.id AS dossier, d.slug, d.language, d.due_on, a.short_name AS agency,
            CASE WHEN i.stage = 'held' THEN coalesce((SELECT h.short_name FROM office h
                WHERE i.holder = 'office:' || h.id), t.short_name)
                ELSE t.short_name END AS office, w.day AS pickup_day,
            CASE WHEN i.addressee = 'citizen' THEN coalesce(r.phone, o.phone)
                 ELSE coalesce(f.phone, o.phone) END AS phone, o.phone AS fallback,
            (SELECT array_agg(c.code ORDER BY c.id DESC) FROM dossier_code c
                WHERE c.dossier = d.id) AS codes
        FROM item i JOIN dossier d ON d.id = i.dossier JOIN agency a ON a.id = d.agency
        JOIN office t ON t.id = d.office
        LEFT JOIN instruction w ON w.dossier = d.id AND w.way = 'pickup'
        LEFT JOIN person o ON o.dossier = d.id AND o.part = 'owner'
        LEFT JOIN person f ON f.dossier = d.id AND f.part = 'filer'
        LEFT JOIN person r ON r.dossier = d.id AND r.part = 'recipient'
        WHERE i.id = ANY({given(1, "bigint")})
        """,  # noqa: S608 - constants
        sorted(items),
    )
    return {row["id"]: row for row in rows}


async def _add_files(
    connection: Connection, about: dict[int, Mapping[str, Any]], items: Iterable[int]
) -> None:
    """Add the number that a citizen names: of the claim, else the irregularity's."""
    rows = await connection.fetch(
        """
        SELECT i.id, coalesce(
            (SELECT c.number FROM claim c WHERE c.item = i.id ORDER BY c.id DESC
                LIMIT 1),
            (SELECT 'BT' || max(r.id) FROM irregularity r WHERE r.item = i.id),
            i.waybill) AS file
        FROM item i WHERE i.id = ANY($1::bigint[])
        """,
        sorted(items),
    )
    for row in rows:
        about[row["id"]] = {**about[row["id"]], "file": row["file"]}


def _text(
    name: str, occasion: Occasion, row: Mapping[str, Any], otp: str, now: datetime
) -> Text:
    return written(
        f"{occasion.source}:{name}",
        name,
        row,
        _common(row) | _own_fields(name, occasion, row, otp, now),
        _expiry(name, occasion, now),
        otp,
    )


def written(
    key: str,
    name: str,
    row: Mapping[str, Any],
    fields: dict[str, Any],
    expires_at: datetime | None,
    otp: str = "",
) -> Text:
    """Compose a text to those a row names: phone, fallback, language and dossier."""
    composed = compose(name, row["language"], **fields)
    return Text(
        key=key,
        recipient=row["phone"],
        fallback=row["fallback"] if row["fallback"] != row["phone"] else None,
        template=composed.template,
        version=composed.version,
        language=row["language"],
        params=composed.params,
        body=composed.body,
        group=f"dossier:{row['dossier']}",
        # Whoever has the link is the citizen, as far as his page can tell.
        secret="otp,link" if otp else "link",
        not_before=None,
        expires_at=expires_at,
    )


def _expiry(name: str, occasion: Occasion, now: datetime) -> datetime | None:
    """Say until when a text is worth sending: a code of yesterday helps nobody."""
    if name == "S07_out":
        local = occasion.event.at.astimezone(LOCAL)
        evening = datetime.combine(local.date(), time(21), LOCAL).astimezone(UTC)
        return max(evening, occasion.event.at + timedelta(hours=3))
    if name in ("S01_booked", "S09_failed", "S12_late"):
        return now + timedelta(days=2)
    return now + timedelta(days=7)


def _common(row: Mapping[str, Any]) -> dict[str, Any]:
    """Gather what every text speaks of."""
    return {
        "code": [*(row["codes"] or ()), row["waybill"]],
        "tok": row["slug"],
        "hot": settings().HOTLINE,
    }


def _own_fields(
    name: str, occasion: Occasion, row: Mapping[str, Any], otp: str, now: datetime
) -> dict[str, Any]:
    """Gather what only this text speaks of; ``compose`` takes what it needs."""
    local = occasion.event.at.astimezone(LOCAL)
    today = local.date()
    tomorrow = promises.add_working_days(today, 1)
    expected: date = row["promised_on"] or tomorrow
    agency, reason = row["agency"], occasion.reason
    match name:
        case "S01_booked":
            usual = promises.promise("pickup", occasion.event.at)
            return {"date": row["pickup_day"] or usual}
        case "S02_picked":
            return {"n": _papers(row), "agency": agency, "date": expected}
        case "S03_agency":
            since = occasion.after.since
            times = {"time": since or local, "date": since or today}
            return times | {"agency": agency, "due": row["due_on"] or expected}
        case "S04_refused":
            back = promises.add_working_days(today, BROUGHT_BACK_WITHIN)
            return {"reason": reason or Reason.OTHER, "date": back}
        case "S05_supplement":
            return {"date": expected}
        case "S06_result_ready":
            return {"date": expected, "fee": row["fee"]}
        case "S07_out":
            return {"otp": otp, "fee": row["fee"]}
        case "S08_delivered":
            receiver = "authorised" if occasion.authorised else "owner"
            return {"time": local, "date": today, "name": receiver}
        case "S09_failed":
            attempts = min(occasion.after.attempts, settings().DELIVERY_ATTEMPTS)
            tries = {"k": attempts, "of": settings().DELIVERY_ATTEMPTS}
            again = occasion.event.next_on or tomorrow
            return tries | {"reason": reason or "", "date": again}
        case "S10_hold":
            usual = today + timedelta(days=settings().HOLD_DAYS)
            until = occasion.event.next_on or usual
            return {"po": row["office"], "hold": until, "agency": agency}
        case "S11_returned":
            return {"agency": agency, "date": today}
        case "S12_late":
            return {"date": occasion.event.next_on or tomorrow}
        case "S13_incident":
            by = (now + CALLED_WITHIN).astimezone(LOCAL)
            return {"time": by, "date": by.date(), "cl": row["file"]}
    raise LookupError(f"nothing is known that {name} could say")


def _papers(row: Mapping[str, Any]) -> int:
    return (row["originals"] or 0) + (row["copies"] or 0)
