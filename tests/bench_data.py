"""Databases to measure in: as many items and events as wanted, made by SQL alone.

Each dossier has a leg to the agency and a result, ten events each. The results of the
youngest are on their way back and can be scanned on; all else has ended. Stories,
holders and links of the chain agree; the hashes are not those of the ledger, so chains
do not verify here.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
import msgspec

from postal_track import labels, s10
from postal_track.custody import Step

# The next list of an office's items comes this many lists later: long after the last
# one was answered, and yet all have enough to fill a list of fifty.
OFFICES = 40
CARRIERS = 4  # of each office
# Dossiers under way at a time: what a province of 330,000 a year has within five days.
UNDER_WAY = 5_000
EVENTS = 10  # of each item

# Clerks have the ids of their offices, carriers follow, officers come last.
FIRST_OFFICER = OFFICES * (1 + CARRIERS)
FIRST_SERIAL = 20_000_000

_HOUSES = f"""
INSERT INTO office (id, code, name, short_name, hub, ward, lat, lon, synthetic)
SELECT n, 'BENCH' || n, 'Bưu cục ' || n, 'BC ' || n, n % 10 = 0, '30307',
    10 + n / 50.0, 105 + n / 50.0, true FROM generate_series(1, {OFFICES}) n;
INSERT INTO agency (id, code, name, name_en, short_name, ward, lat, lon, office,
    synthetic)
SELECT n, 'BENCH' || n, 'Trung tâm hành chính công ' || n, 'Service centre ' || n,
    'TT HCC ' || n, '30307', 10 + n / 50.0, 105 + n / 50.0, n, true
FROM generate_series(1, {OFFICES}) n;
INSERT INTO procedure (id, code, name, name_en, days, fee, sensitive, in_person,
    takes_back_old)
VALUES (1, '1.000', 'Cấp giấy phép', 'Permit', 5, 50000, false, false, false);
INSERT INTO staff (id, login, name, role, password, office, language, active)
SELECT n, 'clerk' || n, 'Giao dịch viên ' || n, 'clerk', '', n, 'vi', true
FROM generate_series(1, {OFFICES}) n
UNION ALL
SELECT {OFFICES} + n, 'carrier' || n, 'Bưu tá ' || n, 'carrier', '',
    1 + (n - 1) / {CARRIERS}, 'vi', true
FROM generate_series(1, {OFFICES * CARRIERS}) n
UNION ALL
SELECT {FIRST_OFFICER} + n, 'officer' || n, 'Cán bộ ' || n, 'officer', '', NULL, 'vi',
    true
FROM generate_series(1, {OFFICES}) n;
INSERT INTO staff_agency (staff, agency)
SELECT {FIRST_OFFICER} + n, n FROM generate_series(1, {OFFICES}) n;
"""  # noqa: S608 - numbers of ours

# Where dossier d belongs: its office, one of the carriers there.
_OFFICE = f"(1 + d % {OFFICES})"
_CARRIER = f"""
    ({OFFICES} + 1 + d % {OFFICES} * {CARRIERS} + d / {4 * OFFICES} % {CARRIERS})
"""

# How far it has come: out for delivery, at its office, in transit, at its office.
_STATE = f"(d / {OFFICES} % 4)"

_DOSSIERS = f"""
INSERT INTO dossier (id, token, slug, agency, procedure, office, service, language,
    source, order_id, created_at)
SELECT d, left(md5('token' || d), 22), left(md5('slug' || d), 10), {_OFFICE}, 1,
    {_OFFICE}, 'both', 'vi', 'counter', md5('order' || d)::uuid,
    now() - interval '9 days'
FROM generate_series(1, $1::int) d
"""  # noqa: S608 - numbers of ours

_PERSONS = """
INSERT INTO person (dossier, part, name, phone, address, ward, position_source)
SELECT d, 'owner', 'Nguyễn Thị ' || d, '+84912' || lpad((d % 1000000)::text, 6, '0'),
    d || ' Trần Hưng Đạo', '30307', 'ward'
FROM generate_series(1, $1::int) d
"""

# UPU S10: the digits weighed, their sum held against eleven.
_CHECK = "11 - ({}) % 11".format(
    " + ".join(
        f"{weight} * substr(serial, {at}, 1)::int"
        for at, weight in enumerate((8, 6, 4, 2, 3, 5, 9, 7), start=1)
    )
)

_ITEMS = f"""
INSERT INTO item (id, waybill, dossier, leg, promised_on, created_at, stage, sender,
    addressee, holder, holder_place, since, bound_for, attempts, originals, copies,
    seal_no, last_at, seq, head)
SELECT i, 'DH' || serial || CASE rest WHEN 10 THEN 0 WHEN 11 THEN 5 ELSE rest END
        || 'VN', d, CASE WHEN outward THEN 'dossier' ELSE 'result' END,
    current_date + 1, now() - interval '9 days',
    CASE WHEN outward THEN 'received' WHEN ended THEN 'delivered'
        WHEN {_STATE} = 0 THEN 'out_for_delivery' WHEN {_STATE} = 2 THEN 'in_transit'
        ELSE 'at_office' END,
    CASE WHEN outward THEN 'citizen' ELSE 'agency:' || {_OFFICE} END,
    CASE WHEN outward THEN 'agency:' || {_OFFICE} ELSE 'citizen' END,
    CASE WHEN outward THEN 'agency:' || {_OFFICE} WHEN ended THEN 'citizen'
        WHEN carried THEN 'staff:' || {_CARRIER} ELSE 'office:' || {_OFFICE} END,
    CASE WHEN carried THEN 'office:' || {_OFFICE} END, now() - interval '1 day',
    CASE WHEN carried AND {_STATE} = 0 THEN 'citizen' END, 0, 2, 1, 'NP' || i,
    now() - interval '1 day', {EVENTS}, sha256(int8send(i * 100 + {EVENTS}))
FROM (
    SELECT *, {_CHECK} AS rest, NOT ended AND {_STATE} % 2 = 0 AS carried FROM (
        SELECT i, d, i % 2 = 1 AS outward,
            i % 2 = 1 OR d <= $1::bigint - {UNDER_WAY} AS ended,
            lpad(({FIRST_SERIAL} + i)::text, 8, '0') AS serial
        FROM generate_series(1::bigint, 2 * $1::bigint) i,
            LATERAL (SELECT (i + 1) / 2 AS d) of_dossier
    ) numbered
) weighed
"""  # noqa: S608 - numbers of ours

_LABELS = """
INSERT INTO label (waybill, item, bound_at) SELECT waybill, id, created_at FROM item
"""

# The outer series is the time: an item's lines lie far apart, as they do in real life.
_EVENTS = f"""
INSERT INTO event (id, item, seq, step, by, place, taker, at, device_at, recorded_at,
    device, device_seq, originals, copies, seal_no, seal_broken, damaged, flags,
    previous, hash)
SELECT uuidv7(at - now()), i, seq,
    CASE WHEN outward THEN (ARRAY['booked', 'accepted', 'arrived', 'taken', 'arrived',
            'taken', 'arrived', 'out', 'received', 'registered'])[seq]
        WHEN seq = 1 THEN 'ready' WHEN seq = 2 THEN 'accepted'
        WHEN seq < {EVENTS} THEN (ARRAY['taken', 'arrived'])[1 + seq % 2]
        WHEN d <= $1::bigint - {UNDER_WAY} THEN 'delivered'
        ELSE (ARRAY['out', 'arrived', 'taken', 'arrived'])[1 + {_STATE}] END,
    'staff:' || {_CARRIER}, 'office:' || {_OFFICE}, 'staff:' || {_CARRIER},
    at, at, at, 'bench', seq, 2, 1, 'NP' || i, false, false, '{{}}',
    CASE WHEN seq = 1 THEN sha256(int8send(i)) ELSE sha256(int8send(i * 100 + seq - 1))
        END,
    sha256(int8send(i * 100 + seq))
FROM (
    SELECT i, seq, (i + 1) / 2 AS d, i % 2 = 1 AS outward,
        now() - interval '9 days' + seq * interval '19 hours' AS at
    FROM generate_series(1, {EVENTS}) seq, generate_series(1::bigint, 2 * $1::bigint) i
) told
"""  # noqa: S608 - numbers of ours

_TEXTS = """
INSERT INTO sms_message (key, recipient, template, version, language, params, body,
    segments, "group", created_at, status, unsure, avoid)
SELECT uuidv7() || ':S02_picked', '+84912' || lpad((d % 1000000)::text, 6, '0'),
    'S02_picked', 1, 'vi', '{}', 'Buu ta da nhan ho so cua Ong/Ba.', 1,
    'dossier:' || d, now() - interval '8 days', 'delivered', false, '{}'
FROM generate_series(1, 2 * $1::int) n, LATERAL (SELECT (n + 1) / 2 AS d) of_dossier
"""

_CODES = """
INSERT INTO one_time_code (item, purpose, nonce, made_at, expires_at, wrong, used_at)
SELECT 2 * d - 1, 'pickup', sha256(int8send(d)), now() - interval '9 days',
    now() - interval '8 days', 0, now() - interval '9 days'
FROM generate_series(1::bigint, $1::bigint) d
"""


async def fill(connection: asyncpg.Connection, items: int) -> None:
    """Fill a migrated, empty database; leaves it as an evening's vacuum would."""
    dossiers = items // 2
    # The rows agree with each other by the way they are made; asking the database to
    # see to it would take longer than everything else.
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(_HOUSES)
    for statement in (_DOSSIERS, _PERSONS, _ITEMS, _EVENTS, _TEXTS, _CODES):
        await connection.execute(statement, dossiers, timeout=3600)
    await connection.execute(_LABELS)
    await connection.execute("RESET session_replication_role")
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    await connection.execute("CHECKPOINT", timeout=600)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Scans that one person is to send at once: of which items, and what of each."""

    staff: int
    scans: tuple[tuple[str, Step], ...]


async def plan(
    connection: asyncpg.Connection, lists: int, size: int, rng: random.Random
) -> list[Wanted]:
    """Plan lists of scans that surprise nobody.

    Items go back and forth between an office and its carriers; every second time they
    leave it they are out for delivery, which sends the citizen a text: one scan in
    four. Each is of another item until all have had their turn; then their next turn
    comes in the same order.
    """
    stock = await _stock(connection, rng)
    wanted = []
    for number in range(lists):
        office = number % OFFICES
        at_office, away = stock[office]
        if len(at_office) > len(away):
            staff = OFFICES + 1 + office * CARRIERS + rng.randrange(CARRIERS)
            moved = [at_office.popleft() for _ in range(size)]
            away.extend(moved)
            steps = rng.choices((Step.OUT, Step.TAKEN), k=size)
        else:
            staff = office + 1
            moved = [away.popleft() for _ in range(size)]
            at_office.extend(moved)
            steps = [Step.ARRIVED] * size
        wanted.append(Wanted(staff, tuple(zip(moved, steps, strict=True))))
    return wanted


async def _stock(
    connection: asyncpg.Connection, rng: random.Random
) -> list[tuple[deque[str], deque[str]]]:
    """Find what lies at each office and what its carriers have, in random order."""
    last = await connection.fetchval("SELECT max(id) FROM item")
    rows = await connection.fetch(
        """
        SELECT id, waybill, stage = 'at_office' AS at_office FROM item
        WHERE leg = 'result' AND id > $1
        """,
        last - 2 * UNDER_WAY,
    )
    rng.shuffle(rows)
    stock: list[tuple[deque[str], deque[str]]] = [
        (deque(), deque()) for _ in range(OFFICES)
    ]
    for row in rows:
        at_office, away = stock[row["id"] // 2 % OFFICES]
        (at_office if row["at_office"] else away).append(row["waybill"])
    return stock


def body(wanted: Wanted, ids: Iterable[str]) -> bytes:
    """Write a list of scans as a phone sends it."""
    now = datetime.now(UTC).isoformat()
    scans = [
        {
            "id": id,
            "code": labels.own_url(waybill),
            "step": step.value,
            "at": now,
            "seq": number,
        }
        for number, (id, (waybill, step)) in enumerate(zip(ids, wanted.scans))  # noqa: B905 - ids go on
    ]
    return msgspec.json.encode({"device": "bench", "sent_at": now, "scans": scans})


def token(dossier: int) -> str:
    """Give the token of a dossier of these databases."""
    return hashlib.md5(f"token{dossier}".encode()).hexdigest()[:22]  # noqa: S324 - a name


def waybill(item: int) -> str:
    """Give the waybill of an item of these databases."""
    return s10.waybill(FIRST_SERIAL + item)
