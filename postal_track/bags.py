"""Bags as their rows tell: where from and to, sealed, at whom, what was put inside.

Knows the tables and nothing of what a scan means: putting in, carrying and taking out
go by ``handoffs.record``, which locks bags before items. A bag is never inside another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import s10
from postal_track.custody import Party, PartyKind, Role, Step
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import (
    BadInput,
    Conflict,
    ForeignCode,
    ForgedLabel,
    NotAllowed,
    NotYourPlace,
    Problem,
    UnknownBag,
)
from postal_track.labels import ROLL_70X40, Label, Stock, genuine, own_bag_label
from postal_track.labels import parse_code as parse
from postal_track.settings import settings
from postal_track.staff import Actor

MOST_PARTS = 99
LISTED = 200

CARRIED = frozenset(
    {
        Step.ACCEPTED,
        Step.TAKEN,
        Step.ARRIVED,
        Step.OUT,
        Step.RECEIVED,
        Step.RETURNED,
        Step.RELEASED,
        Step.RECALLED,
    }
)
"""What can be said of a bag as a whole, closed as it is."""


@dataclass(frozen=True, slots=True)
class Bag:
    """One bag. ``size``: items inside when it was closed."""

    number: str
    origin: Party
    destination: Party
    part: int
    parts: int
    made_at: datetime
    seal_no: str | None
    size: int | None
    closed_at: datetime | None
    holder: Party
    since: datetime
    released_to: Party | None
    released_at: datetime | None
    opened_at: datetime | None

    @property
    def loose(self) -> bool:
        """Whether something may still be put in."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class Told:
    """A scan of a whole bag that was written before, with what was inside then."""

    bag: str
    step: str
    waybills: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """An item inside, and to whom it goes in the end."""

    waybill: str
    addressee: Party
    holder: Party
    stage: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """A bag with what is inside now, and the names of all parties.

    ``blind``: what is inside is not shown, because the reader is to count it.
    """

    bag: Bag
    inside: list[Content]
    names: dict[Party, Named]
    blind: bool = False


_BAG = """
    b.number, b.origin, b.destination, b.part, b.parts, b.made_at, b.seal_no, b.size,
    b.closed_at, b.holder, b.since, b.released_to, b.released_at, b.opened_at
"""


def number_of(text: str) -> str:
    """Read a bag's number from whatever a scanner gave.

    Raises ``ForeignCode`` for the code of anything else and ``ForgedLabel``.
    """
    code = parse(text)
    if code.kind != "bag":
        raise ForeignCode(text)
    if code.tag is not None and not genuine(code):
        raise ForgedLabel(code.waybill)
    return code.waybill


def _of(row: Record) -> Bag:
    return Bag(
        number=row["number"],
        origin=Party(PartyKind.OFFICE, row["origin"]),
        destination=Party.parse(row["destination"]),
        part=row["part"],
        parts=row["parts"],
        made_at=row["made_at"],
        seal_no=row["seal_no"],
        size=row["size"],
        closed_at=row["closed_at"],
        holder=Party.parse(row["holder"]),
        since=row["since"],
        released_to=Party.parse(row["released_to"]) if row["released_to"] else None,
        released_at=row["released_at"],
        opened_at=row["opened_at"],
    )


async def lock(connection: Connection, numbers: Sequence[str]) -> dict[str, Bag]:
    """Lock bags in the order of their numbers; unknown ones are absent."""
    rows = await connection.fetch(
        f"""
        SELECT {_BAG} FROM bag b WHERE number = ANY($1::bpchar[])
        ORDER BY number FOR UPDATE
        """,  # noqa: S608 - constants
        sorted(set(numbers)),
    )
    return {row["number"]: _of(row) for row in rows}


async def ever_inside(
    connection: Connection, numbers: Sequence[str]
) -> dict[str, list[str]]:
    """List what was ever put into these bags, whatever became of it."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT e.bag, i.waybill FROM event e JOIN item i ON i.id = e.item
        WHERE e.step = 'packed' AND e.bag = ANY($1::text[]) ORDER BY i.waybill
        """,
        list(numbers),
    )
    found: dict[str, list[str]] = {number: [] for number in numbers}
    for row in rows:
        found[row["bag"]].append(row["waybill"])
    return found


async def filled(connection: Connection, numbers: Sequence[str]) -> dict[str, int]:
    """Count what is in these bags."""
    rows = await connection.fetch(
        "SELECT bag, count(*) AS n FROM item WHERE bag = ANY($1::text[]) GROUP BY bag",
        list(numbers),
    )
    return dict.fromkeys(numbers, 0) | {row["bag"]: row["n"] for row in rows}


async def told(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Told]:
    """Find scans of whole bags that were written before."""
    rows = await connection.fetch(
        "SELECT id, bag, step, waybills FROM bag_scan WHERE id = ANY($1::uuid[])", ids
    )
    return {
        row["id"]: Told(row["bag"], row["step"], tuple(row["waybills"])) for row in rows
    }


async def write(
    connection: Connection, scans: Sequence[tuple[Any, ...]], moved: Sequence[Bag]
) -> None:
    """Write scans of whole bags, and at whom the bags are now."""
    await connection.executemany(
        """
        INSERT INTO bag_scan (id, bag, staff, step, at, recorded_at, waybills)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        scans,
    )
    await connection.executemany(
        """
        UPDATE bag SET holder = $2, since = $3, released_to = $4, released_at = $5
        WHERE number = $1
        """,
        [
            (
                b.number,
                str(b.holder),
                b.since,
                str(b.released_to) if b.released_to else None,
                b.released_at,
            )
            for b in moved
        ],
    )


# Making and closing


async def make(actor: Actor, destination: Party, part: int = 1, parts: int = 1) -> str:
    """Make an empty bag at the actor's office; its number.

    Raises ``BadInput`` for a destination that is not there or is the office itself.
    """
    if actor.role not in (Role.CLERK, Role.SUPERVISOR):
        raise NotAllowed
    if actor.office is None or actor.place is None:
        raise NotYourPlace
    if problems := await _unfit(actor.place, destination, part, parts):
        raise BadInput(tuple(problems))
    now = datetime.now(UTC)
    async with transaction() as connection:
        number = s10.bag(await connection.fetchval("SELECT nextval('bag_serial')"))
        await connection.execute(
            """
            INSERT INTO bag (number, origin, destination, part, parts, made_by,
                made_at, holder, since)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7)
            """,
            number,
            actor.office,
            str(destination),
            part,
            parts,
            actor.staff,
            now,
            str(actor.place),
        )
    return number


async def _unfit(
    origin: Party, destination: Party, part: int, parts: int
) -> list[Problem]:
    problems = []
    house = destination.kind in (PartyKind.OFFICE, PartyKind.AGENCY)
    known = house and (await names({destination}))[destination].name != str(destination)
    if not known or destination == origin:
        problems.append(
            Problem(
                "to",
                "Choose the office or agency it goes to.",
                "Hãy chọn bưu cục hoặc cơ quan nhận túi.",
            )
        )
    if not 1 <= part <= parts <= MOST_PARTS:
        problems.append(
            Problem(
                "part",
                f"Say which bag of how many, up to {MOST_PARTS}.",
                f"Hãy ghi túi thứ mấy trên tổng số, nhiều nhất {MOST_PARTS}.",
            )
        )
    return problems


async def close(number: str, seal_no: str, actor: Actor) -> Bag:
    """Close a bag with a seal. The same seal said twice is once.

    Raises ``BadInput`` without a seal number, ``Conflict`` when it is closed with
    another or empty.
    """
    seal_no = seal_no.strip()
    if not 1 <= len(seal_no) <= 20:
        why = Problem(
            "seal_no",
            "Write the number on the seal, at most 20 characters.",
            "Hãy ghi số niêm phong, nhiều nhất 20 ký tự.",
        )
        raise BadInput((why,))
    async with transaction() as connection:
        bag = (await lock(connection, [number])).get(number)
        if bag is None or bag.origin not in actor.places:
            raise UnknownBag(number)
        if actor.role not in (Role.CLERK, Role.SUPERVISOR):
            raise NotAllowed
        if bag.closed_at is not None:
            if bag.seal_no == seal_no:
                return bag
            raise Conflict(
                why=f"the bag was closed with the seal {bag.seal_no}",
                why_vi=f"túi đã được đóng với niêm phong {bag.seal_no}",
            )
        size = await connection.fetchval(
            "SELECT count(*) FROM item WHERE bag = $1", number
        )
        if not size:
            raise Conflict(why="the bag is empty", why_vi="túi chưa có bưu gửi nào")
        await connection.execute(
            """
            UPDATE bag SET seal_no = $2, closed_at = now(), closed_by = $3, size = $4
            WHERE number = $1
            """,
            number,
            seal_no,
            actor.staff,
            size,
        )
        return (await lock(connection, [number]))[number]


def most_inside() -> int:
    """Say how many items one bag may hold: what one list of scans may."""
    return settings().MAX_SCANS_PER_LIST


# Looking


async def look(text: str, actor: Actor) -> Look:
    """Look at a bag that comes from, goes to or is at the actor or his places.

    Whoever reads its label has it in his hands, and may take it over unseen. Raises
    ``UnknownBag`` for anyone else.
    """
    number = number_of(text)
    in_hand = parse(text).tag is not None and actor.role in _CARRIERS
    async with transaction() as connection:
        row = await connection.fetchrow(
            f"SELECT {_BAG} FROM bag b WHERE number = $1",  # noqa: S608 - constants
            number,
        )
        if row is None or not (in_hand or _concerns(actor, _of(row))):
            raise UnknownBag(number)
        rows = await connection.fetch(
            """
            SELECT waybill, addressee, holder, stage, since FROM item WHERE bag = $1
            ORDER BY waybill
            """,
            number,
        )
    bag = _of(row)
    blind = _is_to_count(actor, bag) or not _concerns(actor, bag)
    inside = [
        Content(
            each["waybill"],
            Party.parse(each["addressee"]),
            Party.parse(each["holder"]),
            each["stage"],
            each["since"],
        )
        for each in rows
        if not blind
    ]
    parties = _parties(bag) | {c.addressee for c in inside} | {c.holder for c in inside}
    return Look(bag, inside, await names(parties), blind)


_CARRIERS = frozenset({Role.CARRIER, Role.CLERK, Role.SUPERVISOR, Role.OFFICER})


def _is_to_count(actor: Actor, bag: Bag) -> bool:
    return bag.destination in actor.places and not bag.loose and bag.opened_at is None


def _concerns(actor: Actor, bag: Bag) -> bool:
    if actor.role in (Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN) and not actor.places:
        return True
    return bool(_parties(bag) & {actor.party, *actor.places})


def _parties(bag: Bag) -> set[Party]:
    all_ = {bag.origin, bag.destination, bag.holder, bag.released_to}
    return {party for party in all_ if party is not None}


async def listed(actor: Actor) -> tuple[list[Look], dict[Party, Named]]:
    """List the bags under way that concern the actor, the newest first.

    What is inside is counted by ``size`` or, of a loose bag, listed by nobody here.
    """
    mine = [str(actor.party), *(str(place) for place in actor.places)]
    everything = actor.role in (Role.SUPERVISOR, Role.AUDITOR) and not actor.places
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT {_BAG} FROM bag b
            WHERE opened_at IS NULL AND ($2 OR holder = ANY($1::text[])
                OR released_to = ANY($1::text[]) OR destination = ANY($1::text[])
                OR 'office:' || origin = ANY($1::text[]))
            ORDER BY made_at DESC LIMIT {LISTED}
            """,  # noqa: S608 - constants
            mine,
            everything,
        )
    found = [_of(row) for row in rows]
    known = await names({party for bag in found for party in _parties(bag)})
    return [Look(bag, [], known, _is_to_count(actor, bag)) for bag in found], known


async def label(text: str, actor: Actor, stock: Stock = ROLL_70X40) -> Label:
    """Describe the label of a bag: whither first, then whence, "2 of 3", the count."""
    seen = await look(text, actor)
    bag = seen.bag
    count = bag.size if bag.size is not None else len(seen.inside)
    lines = (
        seen.names[bag.destination].name,
        f"Từ: {seen.names[bag.origin].name}",
        f"Túi {bag.part}/{bag.parts} · {count} bưu gửi",
        f"Niêm phong: {bag.seal_no or '........'}",
    )
    return own_bag_label(bag.number, lines, stock=stock)
