"""Checkpoints and receipts: what they prove, to whom, and without us."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Page

from postal_track import checkpoints, merkle, proofs, seals, worker
from postal_track.checkpoints import seal, seal_nightly
from postal_track.custody import Reason, Step
from postal_track.database import transaction
from postal_track.errors import BadEvidence, LedgerBroken, NotFound
from postal_track.evidence import read
from postal_track.merkle import TILE, Heads, climb, leaf, node, path, root
from postal_track.proofs import DEEDS, checkpoint_file, receipt_for, receipt_of
from postal_track.settings import ROOT, settings
from tests import bench_data
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, PHONE, Cast, enter, scan, travel, visitor

SCRIPT = ROOT / "docs" / "check_receipt.py"
ZERO = "0" * 64

# A second implementation, from docs/ledger.md alone: nothing of ours is used in it.


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def tree(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha(b"")
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\x01" + tree(leaves[:half]) + tree(leaves[half:]))


def way_up(start: bytes, index: int, size: int, neighbours: list[bytes]) -> bytes:
    """The root that a path leads to, from the top down."""
    if size == 1:
        assert not neighbours
        return start
    half = 1 << (size - 1).bit_length() - 1
    *below, top = neighbours
    if index < half:
        return sha(b"\x01" + way_up(start, index, half, below) + top)
    return sha(b"\x01" + top + way_up(start, index - half, size - half, below))


def statement(part: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(part["body"])
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(body["key"]))
    key.verify(bytes.fromhex(part["signature"]), part["body"].encode())
    return body


def second_opinion(file: dict[str, Any]) -> dict[str, Any]:
    """Check a receipt; its checkpoint's body, or nothing when there is none."""
    body = statement(file)
    assert (body["kind"], body["v"]) == ("receipt", 1)
    before, seq = None, body["seq"]
    for text in file["lines"]:
        line = json.loads(text)
        assert (line["waybill"], line["seq"]) == (body["waybill"], seq)
        assert before is None or line["previous"] == before.hex()
        assert seq > 1 or line["previous"] == sha(body["waybill"].encode()).hex()
        before, seq = sha(text.encode()), seq + 1
        assert seq > body["seq"] + 1 or before.hex() == body["hash"]
    assert before is not None
    if file["checkpoint"] is None:
        return {}
    sealed = statement(file["checkpoint"])
    assert (sealed["kind"], sealed["v"]) == ("checkpoint", 1)
    start = sha(
        b"\x00" + body["waybill"].encode() + (seq - 1).to_bytes(8, "big") + before
    )
    neighbours = [bytes.fromhex(each) for each in file["path"]["hashes"]]
    reached = way_up(start, file["path"]["index"], sealed["items"], neighbours)
    assert reached.hex() == sealed["root"]
    return sealed


def line_bytes(row: Any, waybill: str) -> bytes:
    """The bytes of a line, from its row, as the document says."""
    said = {name: row[name] for name in dict(row) if name not in ("item", "hash")}
    said |= {"v": 2 if said["next_on"] else 1, "waybill": waybill}
    if not said["next_on"]:
        del said["next_on"]
    for name, value in said.items():
        if isinstance(value, datetime):
            there = value.astimezone(UTC)
            said[name] = f"{there:%Y-%m-%dT%H:%M:%S}.{there.microsecond:06}Z"
        elif isinstance(value, date):
            said[name] = f"{value:%Y-%m-%d}"
        elif isinstance(value, bytes):
            said[name] = value.hex()
        elif name in ("id", "corrects") and value is not None:
            said[name] = str(value)
    return json.dumps(
        said, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode()


# The tree


@pytest.mark.parametrize(
    "size", [*range(18), TILE - 1, TILE, TILE + 1, 2 * TILE, 2 * TILE + 1, 3333]
)
def test_the_tree_is_that_of_rfc_6962_with_tiles_or_without(size: int) -> None:
    leaves = [sha(bytes([n % 256, n // 256])) for n in range(size)]
    tiles = [root(leaves[at : at + TILE]) for at in range(0, size, TILE)]
    assert root(leaves) == tree(leaves) == root(tiles)
    for index in {0, size // 2, size - 1} if size else ():
        whole, (tile, inside) = path(leaves, index), divmod(index, TILE)
        parts = path(leaves[tile * TILE : (tile + 1) * TILE], inside)
        assert whole == parts + path(tiles, tile)
        assert climb(leaves[index], index, size, whole) == tree(leaves)


@given(st.integers(1, 70), st.data())
def test_a_path_fits_its_own_leaf_and_place_only(size: int, data: Any) -> None:
    leaves = [sha(bytes([n])) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1))
    way = path(leaves, index)
    assert way_up(leaves[index], index, size, way) == tree(leaves)
    if other != index:
        assert climb(leaves[other], index, size, way) != tree(leaves)
    with pytest.raises(ValueError, match="too long"):
        climb(leaves[index], index, size, [*way, bytes(32)])
    if way:
        with pytest.raises(ValueError, match="too short"):
            climb(leaves[index], index, size, way[:-1])
    with pytest.raises(ValueError, match="no leaf"):
        climb(leaves[index], size, size, way)


def test_leaf_and_node_are_written_as_the_document_says() -> None:
    head = sha(b"head")
    written = b"\x00DH123456785VN\x00\x00\x00\x00\x00\x00\x01\x02" + head
    assert leaf("DH123456785VN", 258, head) == sha(written)
    assert node(head, sha(b"x")) == sha(b"\x01" + head + sha(b"x"))


@pytest.mark.parametrize("waybill", ["DH12345678VN", "DH123456785VN "])
def test_what_is_not_as_long_as_a_waybill_makes_no_leaf(waybill: str) -> None:
    with pytest.raises(ValueError, match="makes no leaf"):
        leaf(waybill, 1, bytes(32))


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=30),
        max_size=5,
    )
)
def test_heads_that_come_bit_by_bit_make_the_tree_that_all_make_at_once(
    batches: list[list[tuple[int, int]]],
) -> None:
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patched:
        patched.setattr(merkle, "TILE", 4)
        heads, known = Heads(), {}
        for batch in batches:
            for number, seq in batch:
                waybill = f"DH{number:09}VN"
                heads.put(waybill, seq, sha(bytes([seq])))
                known[waybill] = (seq, sha(bytes([seq])))
            tiles = heads.tiles()
            leaves = [leaf(w, *known[w]) for w in sorted(known)]
            assert root([tile.root for tile in tiles]) == tree(leaves)
            assert [tile.first for tile in tiles] == sorted(known)[::4]
            assert merkle.unpack(merkle.pack(tiles)) == tiles
            assert (len(heads), heads.lines) == (
                len(known),
                sum(seq for seq, _ in known.values()),
            )


# Checkpoints


async def test_the_first_checkpoint_covers_all_and_the_next_points_back_to_it(
    cast: Cast, database: Any
) -> None:
    waybills = [await travel(cast, word, code=word) for word in ("arrived", "booked")]
    first = (await seal()).checkpoint
    assert (first.number, first.items, first.lines) == (1, 2, 4)
    await scan(cast.alice, waybills[0], Step.OUT)
    second = (await seal()).checkpoint
    assert (second.number, second.items, second.lines) == (2, 2, 5)
    bodies = [json.loads(each.signed.body) for each in (first, second)]
    assert [each["previous"] for each in bodies] == [
        ZERO,
        sha(first.signed.body.encode()).hex(),
    ]
    rows = await database.fetch("SELECT waybill, seq, head FROM item ORDER BY waybill")
    leaves = [
        sha(b"\x00" + w.encode() + seq.to_bytes(8, "big") + head)
        for w, seq, head in rows
    ]
    assert bodies[1]["root"] == tree(leaves).hex()
    # Only what is new is written down.
    kept = await database.fetch(
        "SELECT checkpoint, waybill, seq FROM sealed_head ORDER BY id"
    )
    assert [tuple(row) for row in kept] == [
        (1, waybills[0], 3),
        (1, waybills[1], 1),
        (2, waybills[0], 4),
    ]


async def test_with_nothing_new_the_last_checkpoint_stands(cast: Cast) -> None:
    await travel(cast, "booked")
    first = await seal()
    again = await seal()
    assert first.fresh
    assert not again.fresh
    assert again.checkpoint == first.checkpoint


async def test_a_ledger_is_sealed_once_a_night_and_also_when_nothing_is_new(
    cast: Cast,
) -> None:
    now = datetime.now(UTC)
    assert await seal_nightly(now) is None  # nothing is there yet
    await travel(cast, "booked")
    made = [await seal_nightly(now + timedelta(hours=h)) for h in (0, 1, 24, 25, 48)]
    # Checkpoints are made by the real clock, whatever we say the time is.
    assert [each and each.checkpoint.number for each in made] == [1, None, 2, 3, 4]


@pytest.mark.parametrize(
    ("now", "since"),
    [
        ("2026-11-22T17:59:59Z", "2026-11-21T18:00:00Z"),
        ("2026-11-22T18:00:00Z", "2026-11-22T18:00:00Z"),
        ("2026-11-23T17:00:00Z", "2026-11-22T18:00:00Z"),
    ],
)
def test_the_night_begins_at_one_in_an_giang(now: str, since: str) -> None:
    told = checkpoints._last_night(datetime.fromisoformat(now))
    assert told == datetime.fromisoformat(since)


async def test_of_several_workers_one_seals_the_night(cast: Cast) -> None:
    await travel(cast, "booked")
    made = await asyncio.gather(*(seal_nightly() for _ in range(4)))
    assert sorted(each is None for each in made) == [False, True, True, True]


async def test_sealing_and_scanning_at_once_lose_nothing(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    told = [scan(cast.alice, waybill, Step.TAKEN) for _ in range(12)]
    await asyncio.gather(*told, *(seal() for _ in range(6)))
    await seal()
    numbers = await database.fetch("SELECT number FROM checkpoint ORDER BY number")
    assert [row["number"] for row in numbers] == list(range(1, len(numbers) + 1))
    newest = await checkpoints.newest()
    assert newest is not None
    assert newest.lines == 15


async def test_the_worker_asks_every_hour_and_seals(cast: Cast, database: Any) -> None:
    jobs = {job.coroutine: job for job in worker.WorkerSettings.cron_jobs}
    job = jobs[worker.seal]
    assert (job.hour, job.minute, job.unique) == (None, 10, True)
    await travel(cast, "booked")
    await job.coroutine({})
    assert await checkpoints.newest() is None  # the database was still waited for
    await job.coroutine({"courier": object()})
    assert await checkpoints.newest() is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET body = ''",
        "DELETE FROM checkpoint",
        "TRUNCATE checkpoint",
        "UPDATE sealed_head SET seq = 9",
        "DELETE FROM sealed_head",
        "TRUNCATE sealed_head",
    ],
)
async def test_what_was_sealed_refuses_to_be_changed(
    cast: Cast, database: Any, statement: str
) -> None:
    await travel(cast, "booked")
    await seal()
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        await database.execute(statement)


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE item SET head = sha256('x'), seq = 4", "line 4"),
        ("UPDATE item SET head = sha256('x')", "line 3"),
        ("UPDATE event SET hash = sha256('x') WHERE seq = 3", "line 3"),
        ("DELETE FROM label; DELETE FROM item", "{waybill}"),
        ("DELETE FROM checkpoint", "checkpoint 1"),
        ("UPDATE checkpoint SET signature = decode(repeat('00', 64), 'hex')", "1"),
    ],
)
async def test_nothing_is_sealed_that_contradicts_what_was(
    cast: Cast, database: Any, statement: str, where: str
) -> None:
    waybill = await travel(cast, "arrived")
    await seal()
    await database.execute("SET session_replication_role = replica")
    await database.execute(statement)
    if "event" in statement:
        await scan(cast.alice, waybill, Step.TAKEN)
    with pytest.raises(LedgerBroken, match=where.format(waybill=waybill)):
        await seal()


async def test_of_more_items_than_a_tile_each_can_be_proven(
    new_database: Callable[[bool], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merkle, "TILE", 64)
    monkeypatch.setattr(checkpoints, "TILE", 64)
    connection = await asyncpg.connect(dsn=await new_database(True))
    try:
        await bench_data.fill(connection, 300)
        async with connection.transaction():
            first = await checkpoints._seal(connection, None, even_unchanged=False)
        # Some go on, one is new and stands in the middle of the others.
        changed = [bench_data.waybill(n) for n in (2, 130, 300)]
        for waybill in changed:
            await _grow(connection, waybill)
        await _grow(connection, "DH200001009VN", anew=True)
        async with connection.transaction():
            second = await checkpoints._seal(
                connection, first.checkpoint, even_unchanged=False
            )
        sealed = "SELECT waybill FROM sealed_head WHERE checkpoint = 2 ORDER BY waybill"
        assert [row["waybill"] for row in await connection.fetch(sealed)] == sorted(
            [*changed, "DH200001009VN"]
        )
        assert (second.checkpoint.items, second.checkpoint.lines) == (301, 3004)
        for number in (1, 2, 64, 65, 130, 299, 300):
            found = await checkpoints.inclusion(
                connection, bench_data.waybill(number), 10
            )
            assert found is not None
            assert found.checkpoint.number == 1
        found = await checkpoints.inclusion(connection, changed[1], 11)
        assert found is not None
        assert found.checkpoint == second.checkpoint
        assert await checkpoints.inclusion(connection, changed[1], 12) is None
    finally:
        await connection.close()


async def _grow(connection: Any, waybill: str, *, anew: bool = False) -> None:
    """Add a line without a ledger, as `bench_data` does."""
    if anew:
        await connection.execute(
            """
            INSERT INTO item SELECT (jsonb_populate_record(i, jsonb_build_object(
                'id', 900001, 'waybill', $1::text, 'seq', 0))).* FROM item i
            WHERE id = 1
            """,
            waybill,
        )
    await connection.execute(
        """
        WITH grown AS (UPDATE item SET seq = seq + 1, head = sha256(head)
            WHERE waybill = $1 RETURNING id, seq, head)
        INSERT INTO event SELECT (jsonb_populate_record(e, jsonb_build_object(
            'id', gen_random_uuid(), 'item', g.id, 'seq', g.seq, 'hash', g.head,
            'previous', sha256('x')))).*
        FROM grown g, event e WHERE e.item = 1 AND e.seq = 1
        """,
        waybill,
    )


# Receipts


def _script(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str, dict[str, Any]], Path]:
    """Keep a file as its receiver would: `keep("receipt.json", {...})`."""

    def write(name: str, file: dict[str, Any]) -> Path:
        place = tmp_path / name
        place.write_text(json.dumps(file, ensure_ascii=False), "utf-8")
        return place

    return write


def judge(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *files: object
) -> tuple[int, str]:
    """Let the script judge in this process: what it ends with, and what it says."""
    monkeypatch.setattr(sys, "argv", ["check_receipt.py", *map(str, files)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().out


async def test_a_receipt_before_a_checkpoint_is_signed_and_says_what_is_missing(
    cast: Cast, keep: Any
) -> None:
    waybill = await travel(cast, "arrived")
    file = await receipt_for(waybill, 2, cast.bob)
    assert second_opinion(file) == {}
    assert file["checkpoint"] is file["path"] is None
    assert "mỗi đêm" in file["note"]["vi"]
    done = _script(keep("receipt.json", file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "not sealed by a checkpoint yet" in done.stdout


async def test_a_receipt_proves_its_line_without_us(
    cast: Cast, database: Any, keep: Any
) -> None:
    others = [await travel(cast, "booked", code=str(n)) for n in range(4)]
    waybill = await travel(cast, "arrived")
    others += [await travel(cast, "accepted", code=str(n)) for n in range(5, 8)]
    await seal()
    file = await receipt_for(waybill, 2, cast.bob)
    sealed = second_opinion(file)
    assert (sealed["number"], sealed["items"], file["path"]["index"]) == (1, 8, 4)
    # The line is there as the document says that it is written, and so is the next.
    rows = await database.fetch(
        "SELECT e.* FROM event e JOIN item i ON i.id = e.item "
        "WHERE i.waybill = $1 AND e.seq >= 2 ORDER BY e.seq",
        waybill,
    )
    written = [line_bytes(row, waybill).decode() for row in rows]
    assert file["lines"] == written
    done = _script("--key", seals.public_key(), keep("receipt.json", file))
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(file["body"])["words"]
    assert said["vi"] in done.stdout
    assert "nhận từ người gửi" in said["vi"]
    assert "Sealed by checkpoint 1" in done.stdout
    assert done.stdout.endswith("All is well.\n")


async def test_a_receipt_is_bound_to_the_first_checkpoint_that_covers_it(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "accepted")
    await seal()
    await scan(cast.bob, waybill, Step.ARRIVED)
    await scan(cast.alice, waybill, Step.OUT)
    await seal()
    numbers = []
    for seq in (1, 2, 3, 4):
        file = await receipt_for(waybill, seq, cast.bob)
        numbers.append((second_opinion(file)["number"], len(file["lines"])))
    assert numbers == [(1, 2), (1, 1), (2, 2), (2, 1)]


def _other_key(part: dict[str, Any]) -> None:
    """Sign it with a key that is not ours."""
    key = Ed25519PrivateKey.generate()
    body = json.loads(part["body"]) | {"key": key.public_key().public_bytes_raw().hex()}
    part["body"] = json.dumps(body, sort_keys=True, separators=(",", ":"))
    part["signature"] = key.sign(part["body"].encode()).hex()


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "its words": (
        lambda f: f.update(body=f["body"].replace("staff member", "nobody")),
        "signature does not fit",
    ),
    "its signature": (
        lambda f: f.update(signature="00" * 64),
        "signature does not fit",
    ),
    "its line": (
        lambda f: f["lines"].__setitem__(0, f["lines"][0].replace("NP1", "NP2")),
        "was altered|not the one that was signed|does not follow",
    ),
    "a line after it": (
        lambda f: f["lines"].__setitem__(1, f["lines"][1].replace("arrived", "taken")),
        "does not lead to the signed root",
    ),
    "the line of another": (
        lambda f: f["lines"].__setitem__(1, f["lines"][0]),
        "is not of this item",
    ),
    "no line": (lambda f: f.update(lines=[]), "no line|not the one that was signed"),
    "its place": (
        lambda f: f["path"].update(index=0),
        "does not lead to the signed root|too short|too long",
    ),
    "its path": (
        lambda f: f["path"].update(hashes=f["path"]["hashes"][:-1]),
        "too short",
    ),
    "the root": (
        lambda f: f["checkpoint"].update(
            body=f["checkpoint"]["body"].replace('"items":3', '"items":4')
        ),
        "signature does not fit",
    ),
    "a receipt for a checkpoint": (
        lambda f: f.update(checkpoint={k: f[k] for k in ("body", "signature")}),
        "it is no checkpoint",
    ),
    "its form": (lambda f: f.pop("lines"), "form|missing"),
    "its format": (lambda f: f.update(format="x"), "format"),
}


@pytest.mark.parametrize("what", FORGERIES)
async def test_a_forged_receipt_is_found_out(
    cast: Cast,
    keep: Any,
    what: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for word in ("booked", "accepted"):
        await travel(cast, word, code=word)
    waybill = await travel(cast, "arrived")
    await seal()
    file = await receipt_for(waybill, 2, cast.bob)
    forge, sentence = FORGERIES[what]
    forge(file)
    place = keep("forged.json", file)
    code, said = judge(capsys, monkeypatch, place)
    assert code == 1
    assert said.startswith("WRONG. ") or "\nWRONG. " in said
    assert re.search(sentence, said)
    with pytest.raises(BadEvidence, match=sentence):
        read(place)


async def test_a_signature_counts_by_its_key(
    cast: Cast,
    keep: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waybill = await travel(cast, "arrived")
    await seal()
    file = await receipt_for(waybill, 2, cast.bob)
    _other_key(file["checkpoint"])
    place = keep("receipt.json", file)
    code, said = judge(capsys, monkeypatch, place)
    assert code == 2
    assert "More than one key" in said
    trusting = ("--key", seals.public_key(), place)
    code, said = judge(capsys, monkeypatch, *trusting)
    assert code == 1
    assert "another key" in said
    assert read(place).keys > {seals.public_key()}


async def test_two_files_are_held_against_each_other(
    cast: Cast,
    keep: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waybill = await travel(cast, "arrived")
    early = await receipt_for(waybill, 3, cast.bob)
    older = await checkpoint_file((await seal()).checkpoint.number, None)
    for step in (Step.TAKEN, Step.ARRIVED, Step.TAKEN):
        await scan(cast.bob, waybill, step)
        await seal()
    late = await receipt_for(waybill, 4, cast.bob)
    bare, linked = await checkpoint_file(4, None), await checkpoint_file(4, 1)
    files = {
        name: keep(f"{name}.json", file)
        for name, file in (
            ("early", early),
            ("older", older),
            ("late", late),
            ("bare", bare),
            ("linked", linked),
        )
    }
    assert [json.loads(each["body"])["number"] for each in linked["links"]] == [2, 3]

    def judged(*names: str) -> tuple[int, str]:
        return judge(capsys, monkeypatch, *(files[name] for name in names))

    assert judged("older", "linked")[0] == 0
    assert judged("early", "late", "older", "linked")[0] == 0
    code, said = judged("older", "bare")
    assert code == 2
    assert "/checkpoints/4?since=1" in said


async def test_two_checkpoints_of_one_number_prove_that_one_is_false(
    cast: Cast,
    database: Any,
    keep: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waybill = await travel(cast, "arrived")
    await seal()
    kept = keep("kept.json", await checkpoint_file(1, None))
    receipt = keep("receipt.json", await receipt_for(waybill, 1, cast.bob))
    await database.execute("SET session_replication_role = replica")
    await database.execute("TRUNCATE checkpoint, sealed_head")
    await scan(cast.alice, waybill, Step.TAKEN)
    await seal()
    shown = keep("shown.json", await checkpoint_file(1, None))
    for older in (kept, receipt):
        code, said = judge(capsys, monkeypatch, older, shown)
        assert code == 1
        assert "checkpoint 1 was altered" in said


async def test_a_receipt_names_no_person_and_tells_no_secret(cast: Cast) -> None:
    waybill = await travel(cast, "delivered")
    await seal()
    story = await proofs.story_for(waybill, cast.dean)
    texts = [
        json.dumps(await receipt_for(waybill, line.seq, cast.dean), ensure_ascii=False)
        for line in story.lines
    ]
    told = " ".join(texts) + str(story)
    token = await _token(waybill)
    for secret in (OWNER, "Hoa", PHONE, "912345678", ADDRESS, token, "Alice"):
        assert secret not in told


async def _token(waybill: str) -> str:
    async with transaction() as connection:
        token = await connection.fetchval(
            "SELECT d.token FROM dossier d JOIN item i ON i.dossier = d.id "
            "WHERE i.waybill = $1",
            waybill,
        )
    return str(token)


async def test_a_receipt_still_proves_when_what_was_personal_is_erased(
    cast: Cast, database: Any, keep: Any
) -> None:
    waybill = await travel(cast, "delivered")
    await seal()
    before = await receipt_for(waybill, 1, cast.dean)
    await database.execute("DELETE FROM event_detail")
    await database.execute("DELETE FROM person")
    after = await receipt_for(waybill, 1, cast.dean)
    assert second_opinion(after) == second_opinion(before)
    assert after["lines"] == before["lines"]


async def test_no_receipt_is_given_of_a_line_that_was_altered(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    await seal()
    await database.execute("SET session_replication_role = replica")
    await database.execute("UPDATE event SET taker = 'staff:99' WHERE seq = 3")
    with pytest.raises(LedgerBroken, match="line 3"):
        await receipt_for(waybill, 2, cast.bob)
    await database.execute("UPDATE sealed_head SET head = sha256('x')")
    with pytest.raises(LedgerBroken, match="checkpoint 1"):
        await receipt_for(waybill, 2, cast.bob)


async def test_a_line_that_was_corrected_is_said_to_be_so_and_still_proven(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    taken = (await scan(cast.alice, waybill, Step.TAKEN)).id
    mended = await scan(
        cast.alice,
        waybill,
        Step.CORRECTED,
        corrects=taken,
        reason=Reason.DID_NOT_OCCUR,
    )
    assert mended.error is None
    (story,) = await proofs.stories_of(await _token(waybill))
    assert [(n.seq, n.wrong) for n in story.lines if n.handoff] == [
        (1, False),
        (2, False),
        (3, False),
        (4, True),
    ]
    await seal()
    assert second_opinion(await receipt_for(waybill, 4, cast.bob))["number"] == 1


def test_every_step_has_its_words_on_a_receipt() -> None:
    assert set(DEEDS) == set(Step)
    assert all(words.vi and words.en for words in DEEDS.values())


# Who may have which


async def test_a_citizen_gets_receipts_of_his_own_dossier_only(cast: Cast) -> None:
    mine, others = (
        await travel(cast, "received"),
        await travel(cast, "booked", code="x"),
    )
    token = await _token(mine)
    assert second_opinion(await receipt_of(token, mine, 1)) == {}
    for waybill, seq in ((others, 1), (mine, 99), ("DH999999995VN", 1)):
        with pytest.raises(NotFound):
            await receipt_of(token, waybill, seq)
    with pytest.raises(NotFound):
        await receipt_of("A" * 22, mine, 1)
    with pytest.raises(NotFound):
        await proofs.stories_of("A" * 22)


async def test_staff_get_receipts_within_their_reach_only(cast: Cast) -> None:
    waybill = await travel(cast, "received")
    for actor in (cast.charlie, cast.bob, cast.dora, cast.eve, cast.frank):
        assert second_opinion(await receipt_for(waybill, 2, actor)) == {}
    for actor in (cast.carol, cast.ben, cast.amy):
        with pytest.raises(NotFound):
            await receipt_for(waybill, 2, actor)


async def test_checkpoints_are_public_and_say_nothing_of_persons(
    cast: Cast, database: Any, server: str, keep: Any
) -> None:
    await travel(cast, "delivered")
    async with await visitor(None) as client:
        page = await client.get("/checkpoints")
        assert "chưa được chốt lần nào" in page.text
        assert (await client.get("/checkpoints/latest")).status_code == 404
        made = (await seal()).checkpoint
        latest = await client.get("/checkpoints/latest")
        assert latest.json()["body"] == made.signed.body
        numbered = await client.get(f"/checkpoints/{made.number}?since=0")
        assert numbered.json() == latest.json()
        assert "immutable" in numbered.headers["cache-control"]
        assert (await client.get("/checkpoints/99")).status_code == 404
        assert (await client.get("/checkpoints/99999999999")).status_code == 400
        key = (await client.get("/checkpoints/key")).json()
        assert key["key"] == seals.public_key()
        script = await client.get("/checkpoints/check_receipt.py")
        assert script.content == SCRIPT.read_bytes()
        page = await client.get("/checkpoints")
    shown = "".join(page.text.split())
    assert made.root.hex() in shown
    assert made.hash.hex() in shown
    assert key["key"] in shown
    assert OWNER not in page.text
    assert "Chốt sổ ngay" not in page.text
    done = _script("--key", key["key"], keep("latest.json", latest.json()))
    assert done.returncode == 0


async def test_a_supervisor_seals_on_demand_and_a_carrier_does_not(
    cast: Cast, database: Any, server: str
) -> None:
    await travel(cast, "booked")
    for actor in (cast.alice, cast.charlie, cast.eve):
        async with await visitor(actor) as client:
            assert (await client.post("/checkpoints")).status_code == 403
    assert await checkpoints.newest() is None
    async with await visitor(cast.dora) as client:
        assert "Chốt sổ ngay" in (await client.get("/checkpoints")).text
        done = await client.post("/checkpoints")
        assert (done.status_code, done.headers["location"]) == (
            303,
            "/checkpoints?sealed=now",
        )
        again = await client.post("/checkpoints")
        assert again.headers["location"] == "/checkpoints?sealed=already"
    assert await database.fetchval("SELECT count(*) FROM checkpoint") == 1


async def test_older_checkpoints_are_listed_page_by_page(
    cast: Cast, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waybill = await travel(cast, "booked")
    for _ in range(3):
        await scan(cast.alice, waybill, Step.TAKEN)
        await seal()
    assert [each.number for each in await checkpoints.listed(most=2)] == [3, 2]
    assert [each.number for each in await checkpoints.listed(before=2)] == [1]
    async with await visitor(None) as client:
        page = await client.get("/checkpoints?before=3")
    assert 'href="/checkpoints/2"' in page.text
    assert 'href="/checkpoints/3"' not in page.text


async def test_receipts_are_a_click_away_for_citizen_and_officer(
    cast: Cast, page: Page
) -> None:
    waybill = await travel(cast, "received")
    await seal()
    await page.goto(f"/d/{await _token(waybill)}")
    await page.get_by_role("link", name="Biên nhận của từng lần giao nhận").click()
    rows = page.locator(".proofs li")
    assert await rows.count() == 5
    assert "lần số 1" in await rows.first.inner_text()
    async with page.expect_download() as download:
        await rows.nth(4).get_by_role("link", name="Tải biên nhận").click()
    saved = await (await download.value).path()
    assert (await download.value).suggested_filename == f"receipt-{waybill}-5.json"
    assert second_opinion(json.loads(saved.read_text("utf-8")))["number"] == 1
    await assert_accessible(page)
    await enter(page, cast.charlie)
    await page.goto(f"/items/{waybill}")
    await page.get_by_role("link", name="Biên nhận").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="dòng 2").click()
    saved = await (await download.value).path()
    assert json.loads(json.loads(saved.read_text("utf-8"))["body"])["seq"] == 2


async def test_the_page_of_checkpoints_serves_everyone(cast: Cast, page: Page) -> None:
    await travel(cast, "booked")
    await seal()
    await page.goto("/checkpoints")
    await assert_accessible(page)
    await enter(page, cast.dora)
    await page.goto("/checkpoints")
    await page.get_by_role("button", name="Chốt sổ ngay").click()
    assert "Không có gì mới" in await page.get_by_role("status").inner_text()
    await assert_accessible(page)


async def test_a_link_that_leads_nowhere_has_no_receipts(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "booked")
    async with await visitor(None) as client:
        for path_ in (f"/d/{'A' * 22}/receipts", f"/d/{'A' * 22}/receipts/{waybill}/1"):
            assert (await client.get(path_)).status_code == 404
        answer = await client.get(f"/items/{waybill}/receipts/1")
        assert answer.status_code == 303  # to the login


# The key


async def test_the_key_is_kept_for_its_owner_alone(cast: Cast) -> None:
    await travel(cast, "booked")
    await seal()
    kept = settings().VAR_DIR / "seal_key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept.read_text()))
    assert private.public_key().public_bytes_raw().hex() == seals.public_key()
