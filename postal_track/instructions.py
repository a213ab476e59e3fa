"""What a citizen wants of the coming pickup or delivery, as it stands now.

Orders outside the ledger, and personal: when, where, to whom. Whoever shows an address
or a name to staff notes the reading. Knows no HTTP and no words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import promises
from postal_track.asks import Way
from postal_track.custody import (
    ENDED,
    FROM_CITIZEN,
    TO_CITIZEN,
    Custody,
    Leg,
    Party,
    PartyKind,
    Stage,
    Step,
)
from postal_track.database import given
from postal_track.places import Located
from postal_track.slots import Half, Slot


@dataclass(frozen=True, slots=True)
class Instruction:
    """What is wanted now; empty where nothing is.

    ``address`` and who receives are personal. ``hold_at``: the office at whose counter
    it waits.
    """

    slot: Slot | None = None
    address: str = ""
    hold_at: Party | None = None
    deputy_name: str = ""
    deputy_phone: str = ""

    def __bool__(self) -> bool:
        """Whether anything is wanted."""
        return self != NOTHING

    @property
    def personal(self) -> bool:
        """Whether showing it is a reading of personal data."""
        return bool(self.address or self.deputy_name)


NOTHING = Instruction()


def way_of(leg: Leg, now: Custody) -> Way | None:
    """Say which instruction an item is under; none when nothing of it is to come."""
    if now.stage in ENDED:
        return None
    if leg in FROM_CITIZEN:
        return Way.PICKUP if now.stage is Stage.BOOKED else None
    return Way.DELIVERY if leg in TO_CITIZEN else None


async def of_dossiers(
    connection: Connection, dossiers: Iterable[int], today: date | None = None
) -> dict[tuple[int, Way], Instruction]:
    """Read what is wanted for these dossiers. A day that has passed is no wish."""
    rows = await connection.fetch(
        f"SELECT * FROM instruction WHERE dossier = ANY({given(1, 'bigint')})",  # noqa: S608
        sorted(set(dossiers)),
    )
    today = today or datetime.now(promises.LOCAL).date()
    read = {(r["dossier"], Way(r["way"])): _instruction(r, today) for r in rows}
    return {key: wanted for key, wanted in read.items() if wanted}


def _instruction(row: Record, today: date) -> Instruction:
    slot = None
    if row["day"] is not None and row["day"] >= today:
        slot = Slot(row["day"], Half(row["half"]) if row["half"] else None)
    held = row["hold_at"]
    return Instruction(
        slot=slot,
        address=row["address"],
        hold_at=Party(PartyKind.OFFICE, held) if held else None,
        deputy_name=row["deputy_name"],
        deputy_phone=row["deputy_phone"],
    )


@dataclass(frozen=True, slots=True)
class MayReceive:
    """Who else may receive a result: nobody ``in_person``, else the ``deputy``.

    ``deputy``: the citizen named somebody.
    """

    in_person: bool = False
    deputy: bool = False


UNSAID = MayReceive()


async def who_may_receive(
    connection: Connection, dossiers: Iterable[int]
) -> dict[int, MayReceive]:
    """Say of these dossiers into whose hands a delivery may be given."""
    rows = await connection.fetch(
        """
        SELECT d.id, p.in_person, w.deputy_name <> '' AS deputy
        FROM dossier d JOIN procedure p ON p.id = d.procedure
        LEFT JOIN instruction w ON w.dossier = d.id AND w.way = 'delivery'
        WHERE d.id = ANY($1::bigint[])
        """,
        sorted(set(dossiers)),
    )
    return {
        row["id"]: MayReceive(row["in_person"], bool(row["deputy"])) for row in rows
    }


async def for_cards(
    connection: Connection, dossiers: Iterable[int], today: date | None = None
) -> tuple[dict[tuple[int, Way], Instruction], dict[int, MayReceive]]:
    """Read at once what is wanted for these dossiers, and who may receive."""
    rows = await connection.fetch(
        """
        SELECT w.*, d.id AS of_dossier, p.in_person FROM dossier d
        JOIN procedure p ON p.id = d.procedure
        LEFT JOIN instruction w ON w.dossier = d.id WHERE d.id = ANY($1::bigint[])
        """,
        sorted(set(dossiers)),
    )
    today = today or datetime.now(promises.LOCAL).date()
    read = {
        (row["dossier"], Way(row["way"])): _instruction(row, today)
        for row in rows
        if row["dossier"] is not None
    }
    wanted = {key: each for key, each in read.items() if each}
    may = {
        row["of_dossier"]: MayReceive(
            row["in_person"],
            bool(wanted.get((row["of_dossier"], Way.DELIVERY), NOTHING).deputy_name),
        )
        for row in rows
    }
    return wanted, may


def in_view_of(
    wanted: Instruction | None, now: Custody, proposals: Sequence[Step]
) -> list[Step]:
    """Put first what fits the citizen's wish: at a counter it is held, not carried out.

    Nothing is taken away: what happens is recorded, whatever was wished.
    """
    if wanted is None or wanted.hold_at is None or now.stage is Stage.HELD:
        return list(proposals)
    if wanted.hold_at == now.holder:
        first = [Step.HELD]
    else:
        first = [Step.HELD, Step.ARRIVED, Step.TAKEN, Step.RELEASED]
    last = (Step.OUT, Step.DELIVERED)
    ahead = [step for step in first if step in proposals]
    rest = [step for step in proposals if step not in (*ahead, *last)]
    return [*ahead, *rest, *(step for step in proposals if step in last)]


# Writing, each in the transaction of the request that was confirmed


async def set_slot(
    connection: Connection, dossier: int, way: Way, slot: Slot, request: UUID | None
) -> None:
    """Want it on a day."""
    half = slot.half.value if slot.half else ""
    await _set(connection, dossier, way, request, day=slot.day, half=half)


async def set_address(
    connection: Connection, dossier: int, address: str, at: Located, request: UUID
) -> None:
    """Want it at another address; it is no longer held at a counter then."""
    await _set(
        connection,
        dossier,
        Way.DELIVERY,
        request,
        address=address,
        ward=at.ward,
        lat=at.place.lat,
        lon=at.place.lon,
        position_source=at.source,
        accuracy_m=at.accuracy_m,
        hold_at=None,
    )


async def set_counter(
    connection: Connection, dossier: int, office: int, request: UUID
) -> None:
    """Want it held at a counter, in place of an address and a day."""
    await _set(
        connection,
        dossier,
        Way.DELIVERY,
        request,
        **_NO_ADDRESS,
        hold_at=office,
        day=None,
        half="",
    )


_NO_ADDRESS: dict[str, object] = {
    "address": "",
    "ward": "",
    "lat": None,
    "lon": None,
    "position_source": "",
    "accuracy_m": None,
}


async def set_deputy(
    connection: Connection, dossier: int, name: str, phone: str, request: UUID
) -> None:
    """Let someone else receive it; with empty words, nobody else any more."""
    await _set(
        connection,
        dossier,
        Way.DELIVERY,
        request,
        deputy_name=name,
        deputy_phone=phone,
    )


async def _set(
    connection: Connection,
    dossier: int,
    way: Way,
    request: UUID | None,
    **columns: object,
) -> None:
    await connection.execute(
        """
        INSERT INTO instruction (dossier, way, half, address, ward, position_source,
            deputy_name, deputy_phone, set_at)
        VALUES ($1, $2, '', '', '', '', '', '', now()) ON CONFLICT DO NOTHING
        """,
        dossier,
        way.value,
    )
    columns |= {"request": request, "set_at": datetime.now(UTC)}
    sets = ", ".join(f"{name} = ${at}" for at, name in enumerate(columns, 3))
    await connection.execute(
        f"UPDATE instruction SET {sets} WHERE dossier = $1 AND way = $2",  # noqa: S608 - our own names
        dossier,
        way.value,
        *columns.values(),
    )
