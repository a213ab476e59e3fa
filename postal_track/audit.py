"""Whether the ledger holds and the tables say what it says.

Reads everything in portions and changes nothing, but for ``rebuild``, which writes the
projection anew from the events. Says where a chain breaks, by waybill and line.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from asyncpg import Connection, Record

from postal_track.chronicle import custody_of, entry_of, event_of, rewrite
from postal_track.custody import Custody, read
from postal_track.database import transaction
from postal_track.ledger import first_break, seal_private

PORTION = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it was written: which item, which line (0.

    The item itself), what.
    """

    waybill: str
    line: int
    what: str

    def __str__(self) -> str:
        """Say it in one line."""
        where = f"line {self.line}" if self.line else "the item"
        return f"{self.waybill}, {where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was read, and what was found."""

    items: int
    events: int
    faults: tuple[Fault, ...]


async def verify() -> Verdict:
    """Check every chain, every private digest, and every item against its own story."""
    items = events = 0
    faults: list[Fault] = []
    async with transaction() as connection:
        # One snapshot: what is written meanwhile is the next check's affair.
        await connection.execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )
        async for item, lines in _stories(connection):
            items, events = items + 1, events + len(lines)
            faults += await _faults(connection, item, lines)
    return Verdict(items, events, tuple(faults))


async def rebuild() -> Verdict:
    """Write every item that differs from its story anew.

    The faults are those that were mended.
    """
    items = events = 0
    mended: list[Fault] = []
    async with transaction() as connection:
        await connection.execute("LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE")
        async for item, lines in _stories(connection):
            items, events = items + 1, events + len(lines)
            told = _told(lines)
            if custody_of(item) != told or _end(item) != _last(lines):
                await rewrite(connection, item["id"], told, *_last(lines))
                mended.append(
                    Fault(item["waybill"], 0, "did not say what its story says")
                )
    return Verdict(items, events, tuple(mended))


async def _stories(
    connection: Connection,
) -> AsyncIterator[tuple[Record, list[Record]]]:
    """Give every item with its lines in order of their numbers, a portion at a time."""
    after = 0
    while True:
        items = await connection.fetch(
            "SELECT * FROM item WHERE id > $1 ORDER BY id LIMIT $2", after, PORTION
        )
        if not items:
            return
        after = items[-1]["id"]
        rows = await connection.fetch(
            "SELECT * FROM event WHERE item = ANY($1::bigint[]) ORDER BY item, seq",
            [item["id"] for item in items],
        )
        lines: dict[int, list[Record]] = {item["id"]: [] for item in items}
        for row in rows:
            lines[row["item"]].append(row)
        for item in items:
            yield item, lines[item["id"]]


async def _faults(
    connection: Connection, item: Record, lines: list[Record]
) -> list[Fault]:
    waybill = item["waybill"]
    chain = [(entry_of(row, waybill), row["hash"]) for row in lines]
    if broken := first_break(waybill, chain):
        return [Fault(waybill, *broken)]
    if not lines:
        return [Fault(waybill, 0, "has no line at all")]
    if _end(item) != _last(lines):
        return [Fault(waybill, len(lines) + 1, "lines at the end are missing")]
    found = [Fault(waybill, 0, "does not say what its story says")] * (
        custody_of(item) != _told(lines)
    )
    return found + await _private_faults(connection, waybill, lines)


async def _private_faults(
    connection: Connection, waybill: str, lines: list[Record]
) -> list[Fault]:
    """Hold what is kept of persons against its digest; what was erased is no fault."""
    sealed = {row["id"]: row for row in lines if row["private"]}
    if not sealed:
        return []
    details = await connection.fetch(
        "SELECT event, salt, content FROM event_detail WHERE event = ANY($1::uuid[])",
        list(sealed),
    )
    return [
        Fault(waybill, sealed[d["event"]]["seq"], "its private part was changed")
        for d in details
        if seal_private(d["salt"], d["content"]) != sealed[d["event"]]["private"]
    ]


def _told(lines: list[Record]) -> Custody:
    return read(
        event_of(row) for row in sorted(lines, key=lambda r: (r["at"], r["seq"]))
    )


def _end(item: Record) -> tuple[int, bytes]:
    return item["seq"], item["head"]


def _last(lines: list[Record]) -> tuple[int, bytes]:
    return (lines[-1]["seq"], lines[-1]["hash"]) if lines else (0, b"")
