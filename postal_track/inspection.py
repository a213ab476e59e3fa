"""Whether the checkpoints hold: signed, chained, and their roots still what they were.

Goes through them from the first, takes in what each sealed, and holds the root over all
heads against the signed one. Whether the lines are still those heads is ``audit``'s
question. Changes nothing.
"""

from dataclasses import dataclass, field
from datetime import datetime

from asyncpg import Connection, Record

from postal_track import merkle, seals
from postal_track.checkpoints import FIRST, Checkpoint
from postal_track.merkle import TILE, Heads, Tile
from postal_track.seals import Signed

PORTION = 5 * TILE
NAMED = 5  # of many items under suspicion, so many are named


@dataclass(slots=True)
class Inspection:
    """What became of it: each fault is a sentence that names its checkpoint.

    ``made_at`` tells when each checkpoint was made, by its number.
    """

    newest: Checkpoint | None = None
    made_at: dict[int, datetime] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


async def inspect(connection: Connection) -> Inspection:
    """Check every checkpoint there is, in the order in which they were made."""
    found, heads, expected = Inspection(), Heads(), 1
    comparable = True
    rows = await connection.cursor(
        "SELECT number, body, signature, tiles FROM checkpoint ORDER BY number"
    )
    while row := await rows.fetchrow():
        for number in range(expected, row["number"])[:NAMED]:
            found.faults.append(f"checkpoint {number} is missing")
        comparable &= row["number"] == expected
        expected = row["number"] + 1
        checkpoint, fault = _read(row, found.newest)
        if fault:
            found.faults.append(f"checkpoint {row['number']} {fault}")
        if checkpoint is None:
            comparable = False
            continue
        if comparable:
            # One root that is wrong makes all after it wrong: the first is named.
            fault = await _compare(connection, heads, checkpoint, row["tiles"])
            comparable = fault is None
            found.faults += [fault] if fault else []
        found.newest = checkpoint
        found.made_at[checkpoint.number] = checkpoint.at
    found.faults += await _unsigned(connection, expected)
    return found


def _read(
    row: Record, previous: Checkpoint | None
) -> tuple[Checkpoint | None, str | None]:
    """Read one checkpoint and say what is wrong with it by itself, if something is."""
    signed = Signed(row["body"], row["signature"])
    try:
        checkpoint = Checkpoint.of(signed)
    except ValueError:
        return None, "was changed after it was signed: it can no longer be read"
    return checkpoint, _fault(row["number"], checkpoint, previous)


def _fault(
    number: int, checkpoint: Checkpoint, previous: Checkpoint | None
) -> str | None:
    if checkpoint.key not in seals.trusted_keys():
        return (
            f"is signed with the key {checkpoint.key[:16]}…, which is not this "
            "server's: set SEAL_KEY, or name it in SEAL_OLD_KEYS"
        )
    if not checkpoint.signed.genuine(seals.trusted_keys()):
        return "was changed after it was signed"
    if checkpoint.number != number:
        return f"was put in the place of another: it was signed as {checkpoint.number}"
    if number == 1 and checkpoint.previous != FIRST:
        return "is not the first that was made"
    if previous is None or previous.number != number - 1:
        return None  # it is said already that the one before is missing
    if checkpoint.previous != previous.hash:
        return "does not point to the one before it"
    if checkpoint.at <= previous.at:
        return "says that it is older than the one before it"
    return None


async def _compare(
    connection: Connection, heads: Heads, checkpoint: Checkpoint, packed: bytes
) -> str | None:
    """Take in what a checkpoint sealed, and hold the root against the signed one."""
    number = checkpoint.number
    rows = await connection.cursor(
        """
        SELECT waybill, seq, head FROM sealed_head WHERE checkpoint = $1
        ORDER BY waybill COLLATE "C"
        """,
        number,
    )
    while portion := await rows.fetch(PORTION):
        for row in portion:
            try:
                heads.put(*row)
            except ValueError:
                return f"what checkpoint {number} sealed was altered: {row['waybill']}"
    tiles, kept = heads.tiles(), _unpacked(packed)
    if _root(tiles) == checkpoint.root and len(heads) == checkpoint.items:
        if kept == tiles:
            return None
        return f"the tiles that are kept with checkpoint {number} were altered"
    where = await _suspects(connection, number, tiles, kept, checkpoint.root)
    return (
        f"what checkpoint {number} sealed no longer gives its signed root: at least "
        f"one item was altered after it was sealed{where}"
    )


async def _suspects(
    connection: Connection,
    number: int,
    tiles: list[Tile],
    kept: list[Tile],
    signed: bytes,
) -> str:
    """Name who can have been altered, as closely as the kept tiles can tell."""
    if _root(kept) != signed:
        return ""
    pairs = zip(tiles, kept, strict=False)
    at = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
    if at is None:
        at = min(len(tiles), len(kept) - 1)
    end = kept[at + 1].first if at + 1 < len(kept) else "~"
    rows = await connection.fetch(
        """
        SELECT waybill FROM sealed_head WHERE checkpoint = $1
            AND waybill COLLATE "C" >= $2::bpchar AND waybill COLLATE "C" < $3::bpchar
        ORDER BY waybill COLLATE "C" LIMIT $4
        """,
        number,
        kept[at].first if at else "",
        end,
        NAMED + 1,
    )
    names = [row["waybill"] for row in rows]
    if not names:
        return f", near {kept[at].first}"
    more = " and others" if len(names) > NAMED else ""
    return f", among {', '.join(names[:NAMED])}{more}"


def _unpacked(packed: bytes) -> list[Tile]:
    try:
        return merkle.unpack(packed)
    except ValueError:
        return []


def _root(tiles: list[Tile]) -> bytes:
    return merkle.root([tile.root for tile in tiles])


async def _unsigned(connection: Connection, number: int) -> list[str]:
    """Find what was sealed by a checkpoint behind the last that is left."""
    row = await connection.fetchrow(
        """
        SELECT checkpoint, count(*) AS heads FROM sealed_head WHERE checkpoint >= $1
        GROUP BY checkpoint ORDER BY checkpoint LIMIT 1
        """,
        number,
    )
    if row is None:
        return []
    return [
        f"checkpoint {row['checkpoint']} is missing: "
        f"it sealed new lines of {row['heads']} items"
    ]
