"""`postal-track verify`: who alters the ledger, even as a superuser, is found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from postal_track import audit, checkpoints, evidence, merkle, seals
from postal_track.audit import Fault, Verdict
from postal_track.checkpoints import seal
from postal_track.chronicle import entry_of
from postal_track.custody import Step
from postal_track.errors import BadEvidence, LedgerBroken, SealKeyChanged
from postal_track.handoffs import Position
from postal_track.ledger import Entry, digest, genesis
from postal_track.proofs import checkpoint_file, receipt_for
from postal_track.settings import ROOT, settings
from tests.cast import Cast, order, scan, travel

Rewrite = Callable[[list[Entry]], list[Entry]]


@pytest.fixture
async def waybill(cast: Cast, database: Any) -> str:
    """A dossier among others, sealed at its third line and again at its fifth.

    The connection of the test may from now on do what a superuser may.
    """
    await travel(cast, "accepted", code="before")
    waybill = await travel(cast, "arrived", code="it")
    await travel(cast, "booked", code="after")
    await seal()
    here = Position(10.37, 105.42, 8)
    await scan(cast.alice, waybill, Step.TAKEN, position=here)
    await scan(cast.bob, waybill, Step.ARRIVED, note="vắng nhà")
    await seal()
    assert (await audit.verify()).faults == ()
    await database.execute("SET session_replication_role = replica")
    return waybill


async def rewrite(database: Any, waybill: str, change: Rewrite) -> None:
    """Write a whole chain anew, as somebody would who knows how it is made."""
    item = await database.fetchval("SELECT id FROM item WHERE waybill = $1", waybill)
    rows = await database.fetch(
        "SELECT * FROM event WHERE item = $1 ORDER BY seq", item
    )
    await database.execute("DELETE FROM event WHERE item = $1", item)
    head = genesis(waybill)
    entries = change([entry_of(row, waybill) for row in rows])
    for seq, entry in enumerate(entries, start=1):
        fresh = replace(entry, seq=seq, previous=head)
        head = digest(fresh)
        line = {
            name: getattr(fresh, name)
            for name in Entry.__dataclass_fields__
            if name != "waybill"
        } | {"item": item, "hash": head}
        names, places = (
            ", ".join(line),
            ", ".join(f"${n + 1}" for n in range(len(line))),
        )
        await database.execute(
            f"INSERT INTO event ({names}) VALUES ({places})",  # noqa: S608 - our names
            *line.values(),
        )
    await database.execute(
        "UPDATE item SET head = $2, seq = $3 WHERE id = $1", item, head, len(entries)
    )
    await audit.rebuild()  # the item says what its new story says


def _changed(seq: int, **fields: Any) -> Rewrite:
    return lambda lines: [
        replace(line, **fields) if line.seq == seq else line for line in lines
    ]


def _back_dated(lines: list[Entry]) -> list[Entry]:
    """Put the last line a day back, by all of its clocks."""
    day = timedelta(days=1)
    last = lines[-1]
    moved = replace(
        last,
        at=last.at - day,
        device_at=last.device_at - day,
        recorded_at=last.recorded_at - day,
    )
    return [*lines[:-1], moved]


def _swapped(lines: list[Entry]) -> list[Entry]:
    return [*lines[:3], lines[4], lines[3]]


def said(verdict: Verdict) -> list[str]:
    return [str(fault) for fault in verdict.faults]


TAMPERED: dict[str, tuple[str, str]] = {
    "a field": (
        "UPDATE event SET taker = 'staff:99' WHERE item = {it} AND seq = 2",
        "{waybill}, line 2: was changed after it was written",
    ),
    "a flag": (
        "UPDATE event SET flags = '{{damaged}}' WHERE item = {it} AND seq = 3",
        "{waybill}, line 3: was changed after it was written",
    ),
    "a time, put back": (
        "UPDATE event SET recorded_at = recorded_at - interval '1 day' "
        "WHERE item = {it} AND seq = 4",
        "{waybill}, line 4: was changed after it was written",
    ),
    "a hash": (
        "UPDATE event SET hash = sha256('x') WHERE item = {it} AND seq = 4",
        "{waybill}, line 4: was changed after it was written",
    ),
    "a line in the middle, dropped": (
        "DELETE FROM event WHERE item = {it} AND seq = 3",
        "{waybill}, line 3: line 3 is missing; line 4 follows",
    ),
    "a line at the end, dropped": (
        "DELETE FROM event WHERE item = {it} AND seq = 5",
        "{waybill}, line 5: lines at the end are missing: checkpoint 2 sealed 5",
    ),
    "all lines, dropped": (
        "DELETE FROM event WHERE item = {it}",
        "{waybill}, line 1: lines at the end are missing: checkpoint 1 sealed 3",
    ),
    "two lines, swapped": (
        "UPDATE event SET seq = 1000 WHERE item = {it} AND seq = 2;"
        "UPDATE event SET seq = 2 WHERE item = {it} AND seq = 3;"
        "UPDATE event SET seq = 3 WHERE item = {it} AND seq = 1000",
        "{waybill}, line 2: does not point to the line before it",
    ),
    "who holds it": (
        "UPDATE item SET holder = 'staff:99' WHERE waybill = '{waybill}'",
        "{waybill}, the item: does not say what its story says",
    ),
    "a stage that there is not": (
        "UPDATE item SET stage = 'stolen' WHERE waybill = '{waybill}'",
        "{waybill}, the item: does not say what its story says",
    ),
    "its head": (
        "UPDATE item SET head = sha256('x') WHERE waybill = '{waybill}'",
        "{waybill}, the item: does not say what its story says",
    ),
    "its number of lines": (
        "UPDATE item SET seq = 6 WHERE waybill = '{waybill}'",
        "{waybill}, line 6: lines at the end are missing",
    ),
    "what is personal": (
        'UPDATE event_detail SET content = \'{{"note": "có nhà"}}\' WHERE event = '
        "(SELECT id FROM event WHERE item = {it} AND seq = 5)",
        "{waybill}, line 5: its private part was changed",
    ),
    "something personal, made up": (
        "INSERT INTO event_detail (event, salt, content) "
        "SELECT id, 'x', '{{}}' FROM event WHERE item = {it} AND seq = 1",
        "{waybill}, line 1: its private part was changed",
    ),
    "the item": (
        "DELETE FROM item WHERE waybill = '{waybill}'",
        "{waybill}, the item: is gone; checkpoint 2 sealed 5 lines of it",
    ),
    "a checkpoint": (
        "UPDATE checkpoint SET body = replace(body, '\"items\":3', '\"items\":2') "
        "WHERE number = 1",
        "checkpoint 1 was changed after it was signed",
    ),
    "a checkpoint's signature": (
        "UPDATE checkpoint SET signature = sha512('x') WHERE number = 2",
        "checkpoint 2 was changed after it was signed",
    ),
    "a checkpoint, beyond reading": (
        "UPDATE checkpoint SET body = 'x' WHERE number = 1",
        "checkpoint 1 was changed after it was signed: it can no longer be read",
    ),
    "the first checkpoint, dropped": (
        "DELETE FROM checkpoint WHERE number = 1",
        "checkpoint 1 is missing",
    ),
    "the last checkpoint, dropped": (
        "DELETE FROM checkpoint WHERE number = 2",
        "checkpoint 2 is missing: it sealed new lines of 1 items",
    ),
    "a checkpoint in the place of another": (
        "UPDATE checkpoint c SET body = o.body, signature = o.signature "
        "FROM checkpoint o WHERE c.number = 2 AND o.number = 1",
        "checkpoint 2 was put in the place of another: it was signed as 1",
    ),
    "what a checkpoint sealed": (
        "UPDATE sealed_head SET head = sha256('x') WHERE checkpoint = 2",
        "what checkpoint 2 sealed no longer gives its signed root: at least one item "
        "was altered after it was sealed, among {waybill}",
    ),
    "what a checkpoint sealed, dropped": (
        "DELETE FROM sealed_head WHERE checkpoint = 2",
        "what checkpoint 2 sealed no longer gives its signed root: at least one item "
        "was altered after it was sealed, near {first}",
    ),
    "the tiles": (
        "UPDATE checkpoint SET tiles = tiles || tiles WHERE number = 1",
        "the tiles that are kept with checkpoint 1 were altered",
    ),
    "a trigger, switched off": (
        "ALTER TABLE event DISABLE TRIGGER event_append_only",
        "the database no longer refuses changes: trigger event_append_only is off",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_is_altered_behind_the_triggers_back_is_found_and_named(
    waybill: str, database: Any, what: str
) -> None:
    statement, sentence = TAMPERED[what]
    first = await database.fetchval("SELECT min(waybill) FROM item")
    it = await database.fetchval("SELECT id FROM item WHERE waybill = $1", waybill)
    await database.execute(statement.format(waybill=waybill, it=it))
    try:
        verdict = await audit.verify()
    finally:
        # Switched off it would stay off for all tests that follow.
        await database.execute("ALTER TABLE event ENABLE TRIGGER event_append_only")
    assert sentence.format(waybill=waybill, first=first) in said(verdict)


REWRITTEN: dict[str, tuple[Rewrite, str]] = {
    "a field": (
        _changed(2, taker="staff:99"),
        "line 1: this or a later line up to 3 was rewritten after checkpoint 1 "
        "had sealed it",
    ),
    "a line after the first checkpoint": (
        _changed(5, by="staff:99"),
        "line 4: this or a later line up to 5 was rewritten after checkpoint 2 "
        "had sealed it",
    ),
    "a time, put back": (
        _back_dated,
        "line 4: this or a later line up to 5 was rewritten after checkpoint 2 "
        "had sealed it",
    ),
    "two lines, swapped": (
        _swapped,
        "line 4: this or a later line up to 5 was rewritten after checkpoint 2 "
        "had sealed it",
    ),
    "a line in the middle, dropped": (
        lambda lines: [lines[0], *lines[2:]],
        "line 1: this or a later line up to 3 was rewritten after checkpoint 1 "
        "had sealed it",
    ),
    "a line at the end, dropped": (
        lambda lines: lines[:-1],
        "line 5: lines at the end are missing: checkpoint 2 sealed 5",
    ),
}


@pytest.mark.parametrize("what", REWRITTEN)
async def test_a_chain_that_was_written_anew_without_a_flaw_betrays_itself(
    waybill: str, database: Any, what: str
) -> None:
    change, sentence = REWRITTEN[what]
    await rewrite(database, waybill, change)
    assert said(await audit.verify()) == [f"{waybill}, {sentence}"]


@pytest.mark.parametrize("tiles_too", [False, True])
async def test_who_also_alters_what_was_sealed_is_betrayed_by_the_signed_root(
    waybill: str, database: Any, tiles_too: bool
) -> None:
    await rewrite(database, waybill, _changed(5, taker="staff:99"))
    await database.execute(
        """
        UPDATE sealed_head s SET head = e.hash FROM event e JOIN item i ON i.id = e.item
        WHERE i.waybill = s.waybill AND e.seq = s.seq
        """
    )
    where = f", among {waybill}"
    if tiles_too:
        rows = await database.fetch("SELECT waybill, seq, head FROM item ORDER BY 1")
        top = merkle.root([merkle.leaf(*row) for row in rows])
        packed = merkle.pack([merkle.Tile(rows[0]["waybill"], top)])
        await database.execute(
            "UPDATE checkpoint SET tiles = $1 WHERE number = 2", packed
        )
        where = ""
    assert said(await audit.verify()) == [
        "what checkpoint 2 sealed no longer gives its signed root: at least one item "
        f"was altered after it was sealed{where}"
    ]


# With a file that somebody kept


@pytest.fixture
async def kept(cast: Cast, waybill: str, tmp_path: Path) -> dict[str, Path]:
    """What others have: a receipt of line 4 and the second checkpoint."""
    files = {
        "receipt.json": await receipt_for(waybill, 4, cast.bob),
        "checkpoint.json": await checkpoint_file(2, 0),
    }
    for name, file in files.items():
        (tmp_path / name).write_text(json.dumps(file), "utf-8")
    return {name: tmp_path / name for name in files}


async def seal_all_anew(database: Any) -> None:
    """Forget every checkpoint and make new ones, as who has the key can."""
    await database.execute("TRUNCATE checkpoint, sealed_head")
    await seal()
    await checkpoints.seal_nightly(datetime.now(UTC) + timedelta(days=1))


async def test_what_others_kept_agrees_with_a_ledger_that_nobody_touched(
    kept: dict[str, Path], cast: Cast, waybill: str
) -> None:
    await scan(cast.alice, waybill, Step.TAKEN)
    await seal()
    found = [evidence.read(path) for path in kept.values()]
    assert (await audit.verify(found)).faults == ()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "receipt.json",
            "{waybill}, line 4: is not as receipt.json proves that it was",
        ),
        (
            "checkpoint.json",
            "checkpoint 1 is not the one that checkpoint.json proves: the ledger up to",
        ),
    ],
)
async def test_who_has_the_key_and_alters_everything_is_betrayed_by_what_others_kept(
    kept: dict[str, Path], waybill: str, database: Any, name: str, sentence: str
) -> None:
    await rewrite(database, waybill, _changed(4, taker="staff:99"))
    await seal_all_anew(database)
    assert (await audit.verify()).faults == ()  # by itself nothing is amiss
    (found,) = said(await audit.verify([evidence.read(kept[name])]))
    assert found.startswith(sentence.format(waybill=waybill))


async def test_a_receipt_proves_a_line_even_before_it_is_sealed(
    cast: Cast, waybill: str, database: Any, tmp_path: Path
) -> None:
    await scan(cast.alice, waybill, Step.TAKEN)
    place = tmp_path / "receipt.json"
    place.write_text(json.dumps(await receipt_for(waybill, 6, cast.alice)), "utf-8")
    await rewrite(database, waybill, lambda lines: lines[:-1])
    assert (await audit.verify()).faults == ()
    verdict = await audit.verify([evidence.read(place)])
    assert verdict.faults == (
        Fault(waybill, 6, "is missing, but receipt.json proves it"),
    )


async def test_a_checkpoint_that_is_gone_with_all_it_sealed_is_missed_by_who_kept_it(
    kept: dict[str, Path], database: Any
) -> None:
    await database.execute("DELETE FROM checkpoint WHERE number = 2")
    await database.execute("DELETE FROM sealed_head WHERE checkpoint = 2")
    found = evidence.read(kept["checkpoint.json"])
    assert said(await audit.verify([found])) == [
        "checkpoint 2 is missing, but checkpoint.json proves it"
    ]


async def test_a_file_that_a_foreign_key_signed_is_said_to_be_so(
    kept: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evidence.read(kept["receipt.json"])
    monkeypatch.setattr(found, "keys", {"ab" * 32})
    (fault,) = said(await audit.verify([found]))
    assert "receipt.json was signed with the key abababababababab…" in fault


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read"),
        ("{", "form"),
        ("[]", "form"),
        ("{}", "'format' is missing"),
        ('{"format": "x"}', "its format is 'x'"),
        ('{"format": "postal-track receipt 1", "body": 1}', "'signature' is missing"),
        (
            '{"format": "postal-track receipt 1", "body": "{}", "signature": "00"}',
            "no statement",
        ),
    ],
)
def test_a_file_that_is_no_proof_is_refused_with_a_sentence(
    tmp_path: Path, content: str | None, why: str
) -> None:
    place = tmp_path / "file.json"
    if content is not None:
        place.write_text(content)
    with pytest.raises(BadEvidence, match=why):
        evidence.read(place)


# What is no fault


async def test_erasing_a_persons_data_leaves_everything_verifying(
    cast: Cast, database: Any, tmp_path: Path
) -> None:
    waybill = await travel(cast, "delivered")
    await seal()
    place = tmp_path / "receipt.json"
    place.write_text(json.dumps(await receipt_for(waybill, 2, cast.dean)), "utf-8")
    dossier = await database.fetchval("SELECT dossier FROM item LIMIT 1")
    await database.execute(
        """
        DELETE FROM event_detail WHERE event IN (SELECT e.id FROM event e
            JOIN item i ON i.id = e.item WHERE i.dossier = $1)
        """,
        dossier,
    )
    await database.execute("DELETE FROM person WHERE dossier = $1", dossier)
    assert await database.fetchval("SELECT count(*) FROM event_detail") == 0
    verdict = await audit.verify([evidence.read(place)])
    assert (verdict.faults, verdict.remarks) == ((), ())


async def test_a_verdict_says_how_much_was_read(waybill: str) -> None:
    verdict = await audit.verify()
    assert (verdict.items, verdict.events, verdict.checkpoints) == (3, 8, 2)
    assert verdict.newest is not None
    assert (verdict.newest.number, verdict.newest.lines) == (2, 8)


async def test_a_line_that_claims_to_be_older_than_a_checkpoint_is_remarked_upon(
    cast: Cast, waybill: str, database: Any
) -> None:
    await scan(cast.alice, waybill, Step.TAKEN)
    await rewrite(database, waybill, _back_dated)
    verdict = await audit.verify()
    assert verdict.faults == ()
    (remark,) = verdict.remarks
    assert (remark.waybill, remark.line) == (waybill, 6)
    assert "checkpoint 2, made later, did not have it" in remark.what


async def test_a_whole_item_that_was_slipped_in_later_is_remarked_upon(
    cast: Cast, waybill: str, database: Any
) -> None:
    slipped = (await order(cast)).waybill
    assert slipped is not None
    await rewrite(database, slipped, _back_dated)
    await seal()
    verdict = await audit.verify()
    assert [(each.waybill, each.line) for each in verdict.remarks] == [(slipped, 1)]


# The key


async def test_a_key_that_was_changed_on_purpose_is_named_and_trusted(
    waybill: str, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, fresh = seals.public_key(), Ed25519PrivateKey.generate().private_bytes_raw()
    changed = replace(settings(), SEAL_KEY=fresh.hex())
    monkeypatch.setattr(seals, "settings", lambda: changed)
    await scan(cast.alice, waybill, Step.TAKEN)
    with pytest.raises(SealKeyChanged, match=old[:16]):
        await seal()
    (fault, *_) = said(await audit.verify())
    assert fault.startswith(f"checkpoint 1 is signed with the key {old[:16]}…")
    named = replace(changed, SEAL_OLD_KEYS=(old,))
    monkeypatch.setattr(seals, "settings", lambda: named)
    assert (await seal()).checkpoint.key != old
    assert (await audit.verify()).faults == ()


# At the terminal


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "postal_track", *map(str, words)],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_command_says_in_one_sentence_what_broke_first(
    kept: dict[str, Path], waybill: str, database: Any
) -> None:
    whole = command("verify", "--with", *kept.values())
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.splitlines()[0] == "The ledger holds: 3 items with 8 lines."
    assert "sealed up to checkpoint 2" in whole.stdout
    assert "receipt.json agrees with it." in whole.stdout
    await database.execute("UPDATE event SET by = 'staff:99' WHERE seq = 4")
    broken = command("verify")
    assert broken.returncode == 3
    assert broken.stdout.splitlines()[0] == (
        f"The ledger is broken. {waybill}, line 4: was changed after it was written."
    )


async def test_the_command_tells_a_broken_ledger_from_one_it_cannot_check(
    tmp_path: Path, database: Any
) -> None:
    (tmp_path / "no.json").write_text("{}")
    done = command("verify", "--with", tmp_path / "no.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no.json is no proof: 'format' is missing.\n"
    assert command("verify", "--with").returncode == 2


async def test_seal_and_replay_are_commands(
    cast: Cast, waybill: str, database: Any
) -> None:
    await database.execute("UPDATE item SET holder = 'staff:99'")
    replayed = command("replay")
    assert replayed.returncode == 0
    assert f"Written anew: {waybill}." in replayed.stdout
    assert (await audit.verify()).faults == ()
    assert command("seal").stdout == "Nothing is new since checkpoint 2.\n"
    await scan(cast.alice, waybill, Step.TAKEN)
    sealed = command("seal")
    assert sealed.stdout.startswith("Checkpoint 3 seals 3 items with 9 lines")
    await database.execute("UPDATE item SET head = sha256('x'), seq = 7")
    broken = command("seal")
    assert broken.returncode == 3
    assert broken.stderr.count("\n") == 1
    with pytest.raises(LedgerBroken):
        await seal()


async def test_a_database_without_our_tables_is_said(
    new_database: Callable[[bool], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "DATABASE_URL", await new_database(False))
    done = command("verify")
    assert done.returncode == 1
    assert "run `postal-track migrate`" in done.stderr
