"""Whether the ledger holds and the tables say what it says.

Reads everything in portions and changes nothing, but for ``rebuild``, which writes the
projection anew from the events. Says where a chain breaks, by waybill and line; holds
the chains against the checkpoints that sealed them, and both against what others kept.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asyncpg import Connection, Record

from postal_track import seals
from postal_track.checkpoints import Checkpoint
from postal_track.chronicle import custody_of, entry_of, event_of, rewrite
from postal_track.custody import Custody, read
from postal_track.database import transaction
from postal_track.evidence import Evidence
from postal_track.inspection import Inspection, inspect
from postal_track.ledger import first_break, seal_private

PORTION = 1_000

SLACK = timedelta(minutes=10)
"""How far a server's clock and a commit may lie apart before it is worth a remark."""

GUARDS = {
    "trigger": (
        "event_append_only",
        "event_no_truncate",
        "checkpoint_append_only",
        "checkpoint_no_truncate",
        "sealed_head_append_only",
        "sealed_head_no_truncate",
    ),
    "constraint": ("event_one_line", "event_no_fork", "event_sane"),
}
"""What keeps the database from changing the ledger."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was written: which item, which line, and what.

    Line 0 is the item itself; without a waybill it is about the ledger as a whole.
    """

    waybill: str
    line: int
    what: str

    def __str__(self) -> str:
        """Say it in one line."""
        if not self.waybill:
            return self.what
        where = f"line {self.line}" if self.line else "the item"
        return f"{self.waybill}, {where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was read, and what was found.

    ``remarks`` are what no honest clock would have written; they break nothing.
    """

    items: int
    events: int
    faults: tuple[Fault, ...]
    remarks: tuple[Fault, ...] = ()
    checkpoints: int = 0
    newest: Checkpoint | None = None


@dataclass(slots=True)
class _Item:
    """An item with all that is kept of it, in the order of its lines."""

    row: Record
    lines: list[Record] = field(default_factory=list)
    sealed: list[Record] = field(default_factory=list)
    details: list[Record] = field(default_factory=list)

    @property
    def waybill(self) -> str:
        return str(self.row["waybill"])


async def verify(evidence: Sequence[Evidence] = ()) -> Verdict:
    """Check every chain, private digest, item, checkpoint, and the database's guards.

    ``evidence``: what others kept must still be so. Faults of lines come first, in the
    order of the items.
    """
    items = events = 0
    faults: list[Fault] = []
    remarks: list[Fault] = []
    async with transaction() as connection:
        # One snapshot: what is written meanwhile is the next check's affair.
        await connection.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )
        sealing = await inspect(connection)
        async for item in _stories(connection):
            items, events = items + 1, events + len(item.lines)
            found = _faults(item)
            faults += found
            remarks += [] if found else _remarks(item, sealing)
        faults += await _gone(connection)
        faults += [Fault("", 0, each) for each in sealing.faults]
        faults += await _unguarded(connection)
        for each in evidence:
            faults += await _contradictions(connection, each, sealing)
    return Verdict(
        items,
        events,
        tuple(faults),
        tuple(remarks),
        len(sealing.made_at),
        sealing.newest,
    )


async def rebuild() -> Verdict:
    """Write every item that differs from its story anew.

    The faults are those that were mended.
    """
    items = events = 0
    mended: list[Fault] = []
    async with transaction() as connection:
        await connection.execute("LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE")
        async for item in _stories(connection):
            items, events = items + 1, events + len(item.lines)
            told = _told(item.lines)
            if custody_of(item.row) != told or _end(item.row) != _last(item.lines):
                await rewrite(connection, item.row["id"], told, *_last(item.lines))
                mended.append(Fault(item.waybill, 0, "did not say what its story says"))
    return Verdict(items, events, tuple(mended))


async def _stories(connection: Connection) -> AsyncIterator[_Item]:
    """Give every item with what is kept of it, a portion at a time."""
    after = 0
    while True:
        rows = await connection.fetch(
            "SELECT * FROM item WHERE id > $1 ORDER BY id LIMIT $2", after, PORTION
        )
        if not rows:
            return
        after = rows[-1]["id"]
        items = {row["id"]: _Item(row) for row in rows}
        named = {row["waybill"]: items[row["id"]] for row in rows}
        for line in await connection.fetch(
            "SELECT * FROM event WHERE item = ANY($1::bigint[]) ORDER BY item, seq",
            list(items),
        ):
            items[line["item"]].lines.append(line)
        for sealed in await connection.fetch(_SEALED, list(named)):
            named[sealed["waybill"]].sealed.append(sealed)
        for detail in await connection.fetch(_DETAILS, list(items)):
            items[detail["item"]].details.append(detail)
        for item in items.values():
            yield item


_SEALED = """
    SELECT checkpoint, waybill, seq, head FROM sealed_head
    WHERE waybill COLLATE "C" = ANY($1::bpchar[]) ORDER BY waybill COLLATE "C", seq
"""

_DETAILS = """
    SELECT e.item, e.seq, e.private, d.salt, d.content
    FROM event e JOIN event_detail d ON d.event = e.id
    WHERE e.item = ANY($1::bigint[]) ORDER BY e.item, e.seq
"""


def _faults(item: _Item) -> list[Fault]:
    """Say what is wrong with an item: at most one fault of its lines, the first."""
    waybill, lines = item.waybill, item.lines
    chain = [(entry_of(row, waybill), row["hash"]) for row in lines]
    if broken := first_break(waybill, chain):
        return [Fault(waybill, *broken)]
    if fault := _rewritten(item):
        return [fault]
    if not lines:
        return [Fault(waybill, 0, "has no line at all")]
    if item.row["seq"] > len(lines):
        return [Fault(waybill, len(lines) + 1, "lines at the end are missing")]
    found = []
    if _end(item.row) != _last(lines) or not _says_its_story(item):
        found.append(Fault(waybill, 0, "does not say what its story says"))
    return found + _private_faults(item)


def _says_its_story(item: _Item) -> bool:
    try:
        return custody_of(item.row) == _told(item.lines)
    except ValueError:
        return False  # a word that the trade does not have: nobody of ours wrote it


def _rewritten(item: _Item) -> Fault | None:
    """Hold a chain that is sound in itself against what was sealed of it."""
    good = 0
    for row in item.sealed:
        number, seq = row["checkpoint"], row["seq"]
        if seq > len(item.lines):
            what = f"lines at the end are missing: checkpoint {number} sealed {seq}"
            return Fault(item.waybill, len(item.lines) + 1, what)
        if item.lines[seq - 1]["hash"] != row["head"]:
            which = f"this or a later line up to {seq} " if good + 1 < seq else ""
            what = f"{which}was rewritten after checkpoint {number} had sealed it"
            return Fault(item.waybill, good + 1, what)
        good = seq
    return None


def _private_faults(item: _Item) -> list[Fault]:
    """Hold what is kept of persons against its digest; what was erased is no fault."""
    return [
        Fault(item.waybill, kept["seq"], "its private part was changed")
        for kept in item.details
        if seal_private(kept["salt"], kept["content"]) != kept["private"]
    ]


def _remarks(item: _Item, sealing: Inspection) -> list[Fault]:
    """Note the first line whose time of writing does not fit the checkpoints."""
    sealed = iter(item.sealed)
    cover = next(sealed, None)
    latest = sealing.newest.number if sealing.newest else 0
    for line in item.lines:
        seq, written = line["seq"], line["recorded_at"]
        while cover is not None and cover["seq"] < seq:
            cover = next(sealed, None)
        without = cover["checkpoint"] - 1 if cover else latest
        if _made(sealing, without, written) > written + SLACK:
            what = (
                f"says that it was written at {written:%Y-%m-%d %H:%M} UTC, "
                f"but checkpoint {without}, made later, did not have it"
            )
            return [Fault(item.waybill, seq, what)]
        if cover and _made(sealing, cover["checkpoint"], written) < written - SLACK:
            what = f"says that it was written after checkpoint {without + 1} sealed it"
            return [Fault(item.waybill, seq, what)]
    return []


def _made(sealing: Inspection, number: int, unknown: datetime) -> datetime:
    return sealing.made_at.get(number, unknown)


async def _gone(connection: Connection) -> list[Fault]:
    """Find what is left of items that are not there any more."""
    rows = await connection.fetch(
        """
        SELECT s.waybill, max(s.seq) AS seq, max(s.checkpoint) AS checkpoint
        FROM sealed_head s LEFT JOIN item i ON i.waybill = s.waybill
        WHERE i.id IS NULL GROUP BY s.waybill ORDER BY s.waybill
        """
    )
    found = [
        Fault(
            row["waybill"],
            0,
            f"is gone; checkpoint {row['checkpoint']} sealed {row['seq']} lines of it",
        )
        for row in rows
    ]
    orphans = await connection.fetchval(
        """
        SELECT count(*) FROM event e
        WHERE NOT EXISTS (SELECT FROM item i WHERE i.id = e.item)
        """
    )
    if orphans:
        found.append(Fault("", 0, f"{orphans} lines belong to items that are gone"))
    return found


async def _unguarded(connection: Connection) -> list[Fault]:
    """Find guards of the database that are missing or switched off."""
    rows = await connection.fetch(
        """
        SELECT tgname::text AS name FROM pg_trigger
        WHERE tgname = ANY($1::text[]) AND tgenabled IN ('O', 'A')
        UNION ALL
        SELECT conname::text FROM pg_constraint
        WHERE conname = ANY($2::text[]) AND convalidated
        """,
        list(GUARDS["trigger"]),
        list(GUARDS["constraint"]),
    )
    there = {row["name"] for row in rows}
    return [
        Fault("", 0, f"the database no longer refuses changes: {kind} {name} is off")
        for kind, wanted in GUARDS.items()
        for name in wanted
        if name not in there
    ]


async def _contradictions(
    connection: Connection, evidence: Evidence, sealing: Inspection
) -> list[Fault]:
    """Hold the ledger against what someone kept; the first contradiction will do."""
    strange = evidence.keys - seals.trusted_keys()
    if strange:
        key = min(strange)[:16]
        what = f"{evidence.name} was signed with the key {key}…, which is not this"
        return [Fault("", 0, f"{what} server's: one of the two was exchanged")]
    if fault := await _other_line(connection, evidence):
        return [fault]
    if fault := await _other_checkpoint(connection, evidence, sealing):
        return [fault]
    return []


async def _other_line(connection: Connection, evidence: Evidence) -> Fault | None:
    for (waybill, seq), hash_ in sorted(evidence.lines.items()):
        here = await connection.fetchval(
            """
            SELECT e.hash FROM item i JOIN event e ON e.item = i.id
            WHERE i.waybill = $1 AND e.seq = $2
            """,
            waybill,
            seq,
        )
        if here is None:
            return Fault(waybill, seq, f"is missing, but {evidence.name} proves it")
        if here != hash_:
            what = f"is not as {evidence.name} proves that it was written"
            return Fault(waybill, seq, what)
    return None


async def _other_checkpoint(
    connection: Connection, evidence: Evidence, sealing: Inspection
) -> Fault | None:
    for number, there in sorted(evidence.checkpoints.items()):
        body = await connection.fetchval(
            "SELECT body FROM checkpoint WHERE number = $1", number
        )
        if body is None:
            what = f"checkpoint {number} is missing, but {evidence.name} proves it"
            return Fault("", 0, what)
        if body != there.signed.body:
            what = (
                f"checkpoint {number} is not the one that {evidence.name} proves: the "
                f"ledger up to {there.at:%Y-%m-%d %H:%M} UTC was rewritten"
            )
            return Fault("", 0, what)
    return None


def _told(lines: Iterable[Record]) -> Custody:
    return read(
        event_of(row) for row in sorted(lines, key=lambda r: (r["at"], r["seq"]))
    )


def _end(item: Record) -> tuple[int, bytes]:
    return item["seq"], item["head"]


def _last(lines: Sequence[Record]) -> tuple[int, bytes]:
    return (lines[-1]["seq"], lines[-1]["hash"]) if lines else (0, b"")
