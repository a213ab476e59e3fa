"""Photos of envelopes that a carrier takes on his way, kept with the item.

Each has the phone's own id, so that a picture sent again is kept once. Of a scan that
raised an irregularity, it is evidence there, too. Never of an ID card; an envelope has
an address, so each look is noted. Knows no HTTP.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import reach, readings
from postal_track.custody import Party, PartyKind, Role
from postal_track.database import transaction
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound, Problem
from postal_track.labels import parse_code
from postal_track.photographs import prepared
from postal_track.reach import Values
from postal_track.staff import Actor

TAKERS = frozenset({Role.CARRIER, Role.CLERK, Role.OFFICER, Role.SUPERVISOR})
LARGEST_UPLOAD = 2 * 1024 * 1024
"""A phone makes them smaller than what is kept; another program may not know how."""
LARGEST_KEPT = 300_000
MOST_OF_AN_ITEM = 24
READ_FOR = "photo"


@dataclass(frozen=True, slots=True)
class Taken:
    """What is said of a photo. ``id`` is the phone's; ``scan`` what it goes with."""

    id: UUID
    code: str
    at: datetime
    scan: UUID | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A photo, without the picture. ``there``: it was not erased."""

    id: UUID
    waybill: str
    at: datetime
    by: Party
    digest: str
    there: bool


async def keep(taken: Taken, data: bytes, actor: Actor) -> Snapshot:
    """Keep a photo with its item. Safe to repeat under the same id.

    JPEG or PNG, known by its content. Raises ``BadInput`` on ``photo``, ``NotFound``
    for an item out of reach, ``Conflict`` for an id that was spent on another photo.
    """
    if actor.role not in TAKERS:
        raise NotAllowed
    if not data or len(data) > LARGEST_UPLOAD:
        raise BadInput((Problem("photo", *_TOO_LARGE),))
    waybill = parse_code(taken.code).waybill
    async with transaction() as connection:
        item = await _item(connection, waybill, actor)
        if kept := await _kept(connection, taken.id, item, actor):
            return kept
    picture = await asyncio.to_thread(prepared, data, LARGEST_KEPT)
    async with transaction() as connection:
        # Under the item's lock: of two that send the same at once, one writes.
        await connection.execute("SELECT id FROM item WHERE id = $1 FOR UPDATE", item)
        if kept := await _kept(connection, taken.id, item, actor):
            return kept
        count = await connection.fetchval(
            "SELECT count(*) FROM item_photo WHERE item = $1", item
        )
        if count >= MOST_OF_AN_ITEM:
            raise BadInput((Problem("photo", *_TOO_MANY),))
        now = datetime.now(UTC)
        await connection.execute(
            """
            INSERT INTO item_photo (id, item, event, by, taken_at, recorded_at, device,
                digest, picture)
            VALUES ($1, $2, (SELECT id FROM event WHERE id = $3 AND item = $2), $4, $5,
                $6, $7, $8, $9)
            """,
            taken.id,
            item,
            taken.scan,
            actor.staff,
            min(taken.at, now + timedelta(minutes=1)),
            now,
            taken.device[:40],
            hashlib.sha256(picture).digest(),
            picture,
        )
        kept = await _kept(connection, taken.id, item, actor)
    if kept is None:
        raise NotFound
    return kept


async def _item(connection: Connection, waybill: str, actor: Actor) -> int:
    values = Values()
    number: int | None = await connection.fetchval(
        f"""
        SELECT i.id FROM label l JOIN item i ON i.id = l.item
        JOIN dossier d ON d.id = i.dossier
        WHERE l.waybill = {values.put(waybill)}
            AND {reach.items(actor, values, run=True)}
        """,  # noqa: S608 - placeholders
        *values,
    )
    if number is None:
        raise NotFound
    return number


async def _kept(
    connection: Connection, id: UUID, item: int, actor: Actor
) -> Snapshot | None:
    row = await connection.fetchrow(
        f"SELECT {_SNAPSHOT} WHERE p.id = $1",
        id,
    )
    if row is None:
        return None
    if row["item"] != item or row["by"] != actor.staff:
        raise Conflict(
            why="this id was spent on another photo",
            why_vi="mã này đã dùng cho ảnh khác",
        )
    return _snapshot(row)


_SNAPSHOT = """
    p.id, p.item, p.by, p.taken_at, p.digest, p.picture IS NOT NULL AS there, i.waybill
    FROM item_photo p JOIN item i ON i.id = p.item
"""


def _snapshot(row: Record) -> Snapshot:
    return Snapshot(
        id=row["id"],
        waybill=row["waybill"],
        at=row["taken_at"],
        by=Party(PartyKind.STAFF, row["by"]),
        digest=row["digest"].hex(),
        there=row["there"],
    )


async def of_item(waybill: str) -> list[Snapshot]:
    """List an item's photos for a page that its reader may see, the oldest first."""
    async with transaction() as connection:
        rows = await connection.fetch(
            f"SELECT {_SNAPSHOT} WHERE i.waybill = $1 ORDER BY p.taken_at, p.id",
            waybill,
        )
    return [_snapshot(row) for row in rows]


async def of_irregularity(number: int) -> list[Snapshot]:
    """List the photos that were taken with the scan that raised an irregularity."""
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT {_SNAPSHOT} JOIN irregularity g ON g.event = p.event
            WHERE g.id = $1 ORDER BY p.taken_at, p.id
            """,
            number,
        )
    return [_snapshot(row) for row in rows]


async def show(waybill: str, photo: UUID, actor: Actor) -> bytes:
    """Give a photo to look at, and note the reading.

    Raises ``NotAllowed`` for who needs none of it, ``NotFound`` out of reach or when it
    was erased.
    """
    if not readings.may_read(actor):
        raise NotAllowed
    async with transaction() as connection:
        item = await _item(connection, parse_code(waybill).waybill, actor)
        row = await connection.fetchrow(
            """
            SELECT p.picture, i.dossier FROM item_photo p JOIN item i ON i.id = p.item
            WHERE p.id = $1 AND p.item = $2 AND p.picture IS NOT NULL
            """,
            photo,
            item,
        )
        if row is None:
            raise NotFound
        await readings.note(actor, [row["dossier"]], READ_FOR)
    return bytes(row["picture"])


_TOO_LARGE = (
    f"Choose a photo of at most {LARGEST_UPLOAD // 1024 // 1024} MB.",
    f"Hãy chọn ảnh không quá {LARGEST_UPLOAD // 1024 // 1024} MB.",
)
_TOO_MANY = (
    f"{MOST_OF_AN_ITEM} photos of one item are enough.",
    f"Mỗi bưu gửi có nhiều nhất {MOST_OF_AN_ITEM} ảnh.",
)
