"""The whole ledger sealed at a moment: one signed root over the heads of all items.

A checkpoint points back to the one before it and is published, so that whoever kept an
old one can prove that nothing under it was altered. Only what is new since the last is
written; everything is read in portions. Says nothing of persons and knows no HTTP.
``docs/ledger.md`` describes it byte by byte.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record

from postal_track import merkle, seals, tables
from postal_track.database import transaction
from postal_track.errors import LedgerBroken, NotFound, SealKeyChanged
from postal_track.ledger import stamp
from postal_track.merkle import TILE, Tile
from postal_track.seals import Signed

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

NIGHT = 1
"""The hour, in An Giang, after which a day is sealed."""

KIND = "checkpoint"
FIRST = bytes(32)
"""What the first checkpoint points back to."""

PAGE = 60

_END = "~"  # behind every waybill, in the order of bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was signed, and the same read: ``items`` with ``lines`` under ``root``."""

    signed: Signed
    number: int
    at: datetime
    items: int
    lines: int
    root: bytes
    previous: bytes
    key: str

    @classmethod
    def of(cls, signed: Signed) -> "Checkpoint":
        """Read a signed body; ``ValueError`` when it is no checkpoint's."""
        facts = signed.facts
        if facts.get("kind") != KIND or facts.get("v") != seals.VERSION:
            raise ValueError("it is no checkpoint")
        try:
            return cls(
                signed,
                number=int(facts["number"]),
                at=datetime.fromisoformat(facts["at"]),
                items=int(facts["items"]),
                lines=int(facts["lines"]),
                root=bytes.fromhex(facts["root"]),
                previous=bytes.fromhex(facts["previous"]),
                key=facts["key"],
            )
        except (KeyError, TypeError) as fault:
            raise ValueError(f"it has no {fault}") from fault

    @property
    def hash(self) -> bytes:
        """What the next one points back to."""
        return self.signed.hash


@dataclass(frozen=True, slots=True)
class Sealing:
    """The newest checkpoint, and whether it was made just now."""

    checkpoint: Checkpoint
    fresh: bool


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that a checkpoint covers an item's lines up to ``seq``.

    ``head`` is the hash of that last line, ``index`` the leaf's place among
    ``checkpoint.items``, ``path`` its neighbours up to the root.
    """

    checkpoint: Checkpoint
    seq: int
    head: bytes
    index: int
    path: tuple[bytes, ...]


# Sealing


async def seal() -> Sealing:
    """Seal what is new; with nothing new the last checkpoint stands.

    Raises ``LedgerBroken`` when an item no longer continues what was sealed of it: a
    checkpoint never contradicts an earlier one.
    """
    async with transaction() as connection:
        previous = await _alone(connection)
        return await _seal(connection, previous, even_unchanged=False)


async def seal_nightly(now: datetime | None = None) -> Sealing | None:
    """Seal once a night, also when nothing is new: it says that all was well.

    ``None`` when this night's was made already, or there is nothing to seal yet. Of
    several that are called at once, one seals.
    """
    async with transaction() as connection:
        previous = await _alone(connection)
        if previous and previous.at >= _last_night(now or datetime.now(UTC)):
            return None
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM item)"):
            return None
        return await _seal(connection, previous, even_unchanged=True)


def _last_night(now: datetime) -> datetime:
    """Give the moment since when a checkpoint counts as this night's."""
    today = now.astimezone(LOCAL).replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


async def _alone(connection: Connection) -> Checkpoint | None:
    """Keep other sealers out, and find the last checkpoint."""
    # In this order: the snapshot is taken behind the lock, so that whoever waited sees
    # what the one before him sealed.
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await connection.execute("LOCK TABLE checkpoint IN EXCLUSIVE MODE")
    row = await connection.fetchrow(
        "SELECT number, body, signature FROM checkpoint ORDER BY number DESC LIMIT 1"
    )
    return _read(row) if row else None


async def _seal(
    connection: Connection, previous: Checkpoint | None, *, even_unchanged: bool
) -> Sealing:
    if previous and not previous.signed.genuine(seals.trusted_keys()):
        if previous.key in seals.trusted_keys():
            raise LedgerBroken(f"checkpoint {previous.number}")
        raise SealKeyChanged(f"{previous.key[:16]}…")
    number = previous.number + 1 if previous else 1
    if await connection.fetchval(_STRAY, number):
        raise LedgerBroken(f"checkpoint {number}")
    walk = _Walk(connection, number, await _tiles(connection, number - 1))
    await walk.go()
    root = merkle.root([tile.root for tile in walk.tiles])
    if previous and root == previous.root and not even_unchanged:
        return Sealing(previous, fresh=False)
    now = datetime.now(UTC)
    if previous:
        now = max(now, previous.at + timedelta(microseconds=1))
    facts = {
        "at": stamp(now),
        "items": walk.items,
        "lines": walk.lines,
        "number": number,
        "previous": (previous.hash if previous else FIRST).hex(),
        "root": root.hex(),
    }
    signed = seals.sign(KIND, facts)
    await connection.execute(
        """
        INSERT INTO checkpoint (number, body, signature, tiles)
        VALUES ($1, $2, $3, $4)
        """,
        number,
        signed.body,
        signed.signature,
        merkle.pack(walk.tiles),
    )
    return Sealing(Checkpoint.of(signed), fresh=True)


async def _tiles(connection: Connection, number: int) -> list[Tile]:
    packed = await connection.fetchval(
        "SELECT tiles FROM checkpoint WHERE number = $1", number
    )
    return merkle.unpack(packed or b"")


class _Walk:
    """One way through the heads of all items, a tile at a time.

    A tile that is as it was in the checkpoint before has nothing new. In any other, and
    up to where the next begins, every item must continue what was sealed of it; its new
    head is then written down.
    """

    def __init__(
        self, connection: Connection, number: int, before: Sequence[Tile]
    ) -> None:
        self.connection = connection
        self.number = number
        self.before = before
        self.tiles: list[Tile] = []
        self.items = self.lines = 0

    async def go(self) -> None:
        heads = await self.connection.cursor(
            'SELECT waybill, seq, head FROM item ORDER BY waybill COLLATE "C"'
        )
        block = await heads.fetch(TILE)
        if not block:
            await self._compare([], "", _END)
        while block:
            after = await heads.fetch(TILE)
            await self._take(block, after[0]["waybill"] if after else _END)
            block = after

    async def _take(self, block: Sequence[Record], end: str) -> None:
        at = len(self.tiles)
        first = block[0]["waybill"]
        tile = Tile(first, merkle.root([merkle.leaf(*row) for row in block]))
        if self.before[at : at + 1] != [tile] or self._end_before(at) != end:
            await self._compare(block, first if at else "", end)
        self.tiles.append(tile)
        self.items += len(block)
        self.lines += sum(row["seq"] for row in block)

    def _end_before(self, at: int) -> str:
        return self.before[at + 1].first if at + 1 < len(self.before) else _END

    async def _compare(self, block: Sequence[Record], start: str, end: str) -> None:
        rows = await self.connection.fetch(_SEALED, start, end, self.number - 1)
        sealed = {row["waybill"]: row for row in rows}
        gone = sealed.keys() - {row["waybill"] for row in block}
        if gone:
            raise LedgerBroken(min(gone))
        fresh, joints = [], []
        for row in block:
            old = sealed.get(row["waybill"])
            if old is not None and tuple(old) == tuple(row):
                continue
            if old is not None and row["seq"] <= old["seq"]:
                raise LedgerBroken(f"{row['waybill']}, line {old['seq']}")
            fresh.append(row)
            joints += [old] if old else []
        await self._hold([*joints, *fresh])
        await self.connection.copy_records_to_table(
            "sealed_head",
            columns=["checkpoint", "waybill", "seq", "head"],
            records=[(self.number, *row) for row in fresh],
        )

    async def _hold(self, heads: Sequence[Record]) -> None:
        """See that these lines stand in their chains as they are said to."""
        columns = [[row[at] for row in heads] for at in range(3)]
        astray = await self.connection.fetchrow(_ASTRAY, *columns)
        if astray:
            raise LedgerBroken(f"{astray['waybill']}, line {astray['seq']}")


_STRAY = "SELECT EXISTS (SELECT FROM sealed_head WHERE checkpoint >= $1)"
"""Whether more was sealed than the checkpoints that are left say."""

_SEALED = """
    SELECT DISTINCT ON (waybill COLLATE "C") waybill, seq, head FROM sealed_head
    WHERE waybill COLLATE "C" >= $1::bpchar AND waybill COLLATE "C" < $2::bpchar
        AND checkpoint <= $3
    ORDER BY waybill COLLATE "C", seq DESC
"""
"""What was last sealed of the items between two waybills, as of a checkpoint."""

_ASTRAY = """
    SELECT n.waybill, n.seq
    FROM unnest($1::bpchar[], $2::int[], $3::bytea[]) AS n (waybill, seq, head)
    LEFT JOIN item i ON i.waybill = n.waybill
    LEFT JOIN event e ON e.item = i.id AND e.seq = n.seq
    WHERE e.hash IS DISTINCT FROM n.head
    ORDER BY n.waybill COLLATE "C", n.seq LIMIT 1
"""


# Reading


def _read(row: Mapping[str, Any]) -> Checkpoint:
    """Read a row; one that cannot be read was altered."""
    try:
        return Checkpoint.of(Signed(row["body"], row["signature"]))
    except ValueError:
        raise LedgerBroken(f"checkpoint {row['number']}") from None


def _select() -> Any:
    table = tables.Checkpoint
    return table.select(table.number, table.body, table.signature)


async def newest() -> Checkpoint | None:
    """Give the last checkpoint, if there is one."""
    found = await listed(most=1)
    return found[0] if found else None


async def listed(before: int | None = None, most: int = PAGE) -> list[Checkpoint]:
    """List checkpoints, the newest first; ``before``: only those under this number."""
    number = tables.Checkpoint.number
    query = _select().order_by(number, ascending=False).limit(most)
    rows = await (query.where(number < before) if before is not None else query)
    return [_read(row) for row in rows]


async def find(number: int) -> Checkpoint:
    """Find one; ``NotFound`` when there is none of this number."""
    row = await _select().where(tables.Checkpoint.number == number).first()
    if row is None:
        raise NotFound
    return _read(row)


async def between(older: int, newer: int) -> list[Checkpoint]:
    """List those that lead from one to another, both left out, the oldest first."""
    number = tables.Checkpoint.number
    asked = _select().where((number > older) & (number < newer)).order_by(number)
    return [_read(row) for row in await asked]


async def inclusion(connection: Connection, waybill: str, seq: int) -> Inclusion | None:
    """Prove a line by the first checkpoint that covers it; ``None`` when none does.

    Raises ``LedgerBroken`` when what was sealed no longer leads to the signed root:
    a proof that does not check is never given away.
    """
    row = await connection.fetchrow(
        """
        SELECT s.checkpoint, s.seq, s.head, c.number, c.body, c.signature, c.tiles
        FROM sealed_head s LEFT JOIN checkpoint c ON c.number = s.checkpoint
        WHERE s.waybill COLLATE "C" = $1::bpchar AND s.seq >= $2
        ORDER BY s.seq LIMIT 1
        """,
        waybill,
        seq,
    )
    if row is None:
        return None
    broken = LedgerBroken(f"checkpoint {row['checkpoint']}")
    if row["number"] is None:
        raise broken
    checkpoint = _read(row)
    tiles = merkle.unpack(row["tiles"])
    number = bisect_right(tiles, waybill, key=lambda tile: tile.first) - 1
    end = tiles[number + 1].first if number + 1 < len(tiles) else _END
    start = tiles[number].first if number >= 0 else waybill
    rows = await connection.fetch(_SEALED, start, end, checkpoint.number)
    names = [each["waybill"] for each in rows]
    if number < 0 or waybill not in names:
        raise broken
    leaves, inside = [merkle.leaf(*each) for each in rows], names.index(waybill)
    index = number * TILE + inside
    path = merkle.path(leaves, inside)
    path += merkle.path([tile.root for tile in tiles], number)
    leaf = merkle.leaf(waybill, row["seq"], row["head"])
    try:
        fits = merkle.climb(leaf, index, checkpoint.items, path) == checkpoint.root
    except ValueError:
        fits = False
    if not fits or not checkpoint.signed.genuine(seals.trusted_keys()):
        raise broken
    return Inclusion(checkpoint, row["seq"], row["head"], index, tuple(path))
