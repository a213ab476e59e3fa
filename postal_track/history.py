"""One item with its whole history: who holds it, who said what, what is amiss.

What staff look at when they are asked. Persons are masked until someone asks to see
them, which is written down. Knows no HTTP and no words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import clocks, instructions, reach, readings
from postal_track.addresses import wards
from postal_track.asks import Act, State, Way
from postal_track.chronicle import custody_of, entry_of, event_of
from postal_track.clock import Clock
from postal_track.corrections import hindrance
from postal_track.custody import (
    Custody,
    Event,
    Kind,
    Leg,
    Party,
    PartyKind,
    Reason,
    Role,
    Step,
)
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    Problem,
)
from postal_track.instructions import NOTHING, Instruction
from postal_track.ledger import first_break
from postal_track.orders import plain
from postal_track.phones import mask
from postal_track.places import Place, distance_m
from postal_track.reach import LARGEST_KEY, Values
from postal_track.staff import Actor

LONGEST_ENDING = 240


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a phone was: how far from the place it scanned for, and how surely."""

    accuracy_m: float
    distance_m: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger as it is read aloud.

    ``corrects`` is the line that this one declares wrong, ``corrected_by`` the later
    one that declares this one so. ``mendable``: whoever asks may declare it wrong, and
    speaks for ``mended_for`` then, if for a place. ``erased``: what it knew of persons
    was erased. ``late``: told after something that happened later. ``note``,
    ``id_last4`` and ``signature`` are personal and stand here only after a reading.
    """

    id: UUID
    seq: int
    step: Step
    by: Party
    place: Party | None
    taker: Party | None
    towards: Party | None
    at: datetime
    device_at: datetime
    recorded_at: datetime
    device: str
    originals: int | None
    copies: int | None
    seal_no: str | None
    seal_broken: bool
    damaged: bool
    reason: Reason | None
    proof: str
    receiver: str
    id_kind: str
    flags: tuple[Kind, ...]
    hash: str
    bag: str
    erased: bool
    corrects: int | None = None
    corrected_by: int | None = None
    mendable: bool = False
    mended_for: Party | None = None
    late: bool = False
    spot: Spot | None = None
    noted: bool = False
    note: str = ""
    id_last4: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An irregularity of the item. ``line``: of the ledger that raised it, if one did.

    ``overdue``: its owner's time has passed.
    """

    id: int
    kind: Kind
    owner: Party
    opened_at: datetime
    due_at: datetime
    overdue: bool
    detail: str
    line: int | None
    ended_at: datetime | None
    ended_by: Party | None
    ending: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the dossier, masked or in clear. ``ward`` is its name."""

    part: str
    name: str
    phone: str
    address: str
    ward: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What became of checking the chain: ``broken_at`` is the first bad line.

    ``head`` is the newest hash; with it anyone can check what he was told.
    """

    lines: int
    head: str
    broken_at: int | None


@dataclass(frozen=True, slots=True)
class Requested:
    """Something that the citizen asked for and confirmed by a code."""

    act: Act
    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class History:
    """An item, all of it. ``others`` are the dossier's other items, by waybill.

    ``clock`` is the whole dossier's.
    """

    waybill: str
    labels: tuple[str, ...]
    leg: Leg
    custody: Custody
    promised_on: date | None
    fee: int
    token: str
    dossier: int
    agency: Party
    office: Party
    service: str
    due_on: date | None
    codes: tuple[str, ...]
    procedure: tuple[str, str] | None
    others: tuple[tuple[str, Leg], ...]
    lines: tuple[Line, ...]
    chain: Chain
    clock: Clock
    troubles: tuple[Trouble, ...]
    persons: tuple[Person, ...]
    shown: bool
    names: dict[Party, Named]
    wanted: Instruction = NOTHING
    way: Way | None = None
    requests: tuple[Requested, ...] = ()


async def history(waybill: str, actor: Actor, *, show: bool = False) -> History:
    """Read an item by any label that is on it; ``NotFound`` outside his reach.

    ``show`` gives persons, notes and documents in clear and writes that down; raises
    ``NotAllowed`` for who needs none of it.
    """
    if show and not readings.may_read(actor):
        raise NotAllowed
    async with transaction() as connection:
        # One snapshot: a scan in between would make a sound chain look broken.
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        item = await _item(connection, waybill, actor)
        rows = await connection.fetch(_LINES, item["id"])
        others = await connection.fetch(_OTHERS, item["dossier"], item["id"])
        persons = await connection.fetch(_PERSONS, item["dossier"])
        troubles = await connection.fetch(_TROUBLES, item["id"])
        places = await _places(connection, rows)
        wishes = await instructions.of_dossiers(connection, [item["dossier"]])
        asked = await connection.fetch(_ASKED, item["dossier"])
        times = await clocks.of_dossiers(connection, [item["dossier"]])
        if show:
            await readings.note(actor, [item["dossier"]], "item")
    custody = custody_of(item)
    lines = _lines(rows, places, actor, show=show)
    found = tuple(_trouble(row) for row in troubles)
    agency = Party(PartyKind.AGENCY, item["agency"])
    office = Party(PartyKind.OFFICE, item["office"])
    parties = {agency, office} | _parties(custody, lines, found)
    way = instructions.way_of(Leg(item["leg"]), custody)
    wanted = wishes.get((item["dossier"], way), NOTHING) if way else NOTHING
    if wanted.hold_at:
        parties.add(wanted.hold_at)
    private = item["sensitive"] and not (show or actor.role is Role.OFFICER)
    return History(
        waybill=item["waybill"],
        labels=tuple(w for w in item["labels"] if w != item["waybill"]),
        leg=Leg(item["leg"]),
        custody=custody,
        promised_on=item["promised_on"],
        fee=item["fee"],
        token=item["token"],
        dossier=item["dossier"],
        agency=agency,
        office=office,
        service=item["service"],
        due_on=item["due_on"],
        codes=tuple(item["codes"]),
        procedure=None if private else (item["procedure"], item["procedure_en"]),
        others=tuple((row["waybill"], Leg(row["leg"])) for row in others),
        lines=lines,
        chain=_chain(item, rows),
        clock=times[item["dossier"]],
        troubles=found,
        persons=tuple(_person(row, show=show) for row in persons),
        shown=show,
        names=await names(parties),
        wanted=wanted,
        way=way,
        requests=tuple(
            Requested(Act(r["act"]), State(r["state"]), r["confirmed_at"])
            for r in asked
        ),
    )


_ITEM = """
    SELECT i.*, d.token, d.agency, d.office, d.service, d.due_on, p.sensitive,
        p.name AS procedure, p.name_en AS procedure_en,
        array(SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC) AS codes,
        array(SELECT b.waybill FROM label b WHERE b.item = i.id ORDER BY b.waybill)
            AS labels
    FROM label l JOIN item i ON i.id = l.item JOIN dossier d ON d.id = i.dossier
    JOIN procedure p ON p.id = d.procedure
    WHERE l.waybill = {waybill} AND {reach}
"""

_LINES = """
    SELECT e.*, v.content, v.event IS NOT NULL AS kept
    FROM event e LEFT JOIN event_detail v ON v.event = e.id
    WHERE e.item = $1 ORDER BY e.seq
"""

_OTHERS = "SELECT waybill, leg FROM item WHERE dossier = $1 AND id <> $2 ORDER BY id"

_PERSONS = """
    SELECT part, name, phone, address, ward FROM person WHERE dossier = $1
    ORDER BY array_position(ARRAY['owner', 'filer', 'recipient'], part::text)
"""

_ASKED = """
    SELECT act, state, confirmed_at FROM citizen_request
    WHERE dossier = $1 AND confirmed_at IS NOT NULL ORDER BY confirmed_at DESC LIMIT 20
"""

_TROUBLES = """
    SELECT r.*, e.seq, r.ended_at IS NULL AND r.due_at < now() AS overdue
    FROM irregularity r LEFT JOIN event e ON e.id = r.event
    WHERE r.item = $1 ORDER BY r.ended_at IS NOT NULL, r.id
"""


async def _item(connection: Connection, waybill: str, actor: Actor) -> Record:
    values = Values()
    given = values.put(plain(waybill).replace(" ", "").upper())
    row = await connection.fetchrow(
        _ITEM.format(waybill=given, reach=reach.items(actor, values, run=True)),
        *values,
    )
    if row is None:
        raise NotFound
    return row


async def _places(connection: Connection, rows: Sequence[Record]) -> dict[str, Place]:
    """Find where the places stand that the lines were said for."""
    wanted = sorted({row["place"] for row in rows if row["place"]})
    found = await connection.fetch(
        """
        SELECT 'office:' || id AS party, lat, lon FROM office
        WHERE 'office:' || id = ANY($1::text[])
        UNION ALL SELECT 'agency:' || id, lat, lon FROM agency
        WHERE 'agency:' || id = ANY($1::text[])
        """,
        wanted,
    )
    return {row["party"]: Place(row["lat"], row["lon"]) for row in found}


def _lines(
    rows: Sequence[Record], places: dict[str, Place], actor: Actor, *, show: bool
) -> tuple[Line, ...]:
    numbers = {row["id"]: row["seq"] for row in rows}
    corrected = {row["corrects"]: row["seq"] for row in rows if row["corrects"]}
    now, newest, lines = datetime.now(UTC), None, []
    for row in rows:
        late = newest is not None and row["at"] < newest
        newest = row["at"] if newest is None else max(newest, row["at"])
        line = replace(
            _line(row, places.get(row["place"]), show=show),
            corrects=numbers.get(row["corrects"]),
            corrected_by=corrected.get(row["id"]),
            late=late,
        )
        lines.append(_mendable(line, event_of(row), actor, now))
    return tuple(lines)


def _mendable(line: Line, event: Event, actor: Actor, now: datetime) -> Line:
    wrong = line.corrected_by is not None
    if hindrance(event, actor, now, corrected=wrong):
        return line
    theirs = line.place if line.place in actor.places else None
    return replace(line, mendable=True, mended_for=theirs)


def _line(row: Record, place: Place | None, *, show: bool) -> Line:
    known: dict[str, Any] = row["content"] or {}
    line = Line(
        id=row["id"],
        seq=row["seq"],
        step=Step(row["step"]),
        by=Party.parse(row["by"]),
        place=_party(row["place"]),
        taker=_party(row["taker"]),
        towards=_party(row["towards"]),
        at=row["at"],
        device_at=row["device_at"],
        recorded_at=row["recorded_at"],
        device=row["device"],
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"],
        seal_broken=row["seal_broken"],
        damaged=row["damaged"],
        reason=Reason(row["reason"]) if row["reason"] else None,
        proof=row["proof"] or "",
        receiver=known.get("receiver", ""),
        id_kind=known.get("id_kind", ""),
        flags=tuple(Kind(flag) for flag in row["flags"]),
        hash=row["hash"].hex(),
        bag=row["bag"] or "",
        erased=row["private"] is not None and not row["kept"],
        spot=_spot(known.get("position", ""), place),
        noted="note" in known,
    )
    if not show:
        return line
    return replace(
        line,
        note=known.get("note", ""),
        id_last4=known.get("id_last4", ""),
        signature=known.get("signature", ""),
    )


def _party(text: str | None) -> Party | None:
    return Party.parse(text) if text else None


def _spot(position: str, place: Place | None) -> Spot | None:
    if not position:
        return None
    lat, lon, accuracy = map(float, position.split(","))
    return Spot(accuracy, distance_m(Place(lat, lon), place) if place else None)


def _chain(item: Record, rows: Sequence[Record]) -> Chain:
    """Walk the chain; its end must be the one that the item's row keeps."""
    found = first_break(
        item["waybill"], ((entry_of(r, item["waybill"]), r["hash"]) for r in rows)
    )
    broken = found[0] if found else None
    if broken is None and (not rows or rows[-1]["hash"] != item["head"]):
        broken = len(rows) + 1
    return Chain(len(rows), item["head"].hex(), broken)


def _trouble(row: Record) -> Trouble:
    by = row["ended_by"]
    return Trouble(
        id=row["id"],
        kind=Kind(row["kind"]),
        owner=Party.parse(row["owner"]),
        opened_at=row["opened_at"],
        due_at=row["due_at"],
        overdue=row["overdue"],
        detail=row["detail"],
        line=row["seq"],
        ended_at=row["ended_at"],
        ended_by=Party(PartyKind.STAFF, by) if by else None,
        ending=row["ending"],
    )


def _person(row: Record, *, show: bool) -> Person:
    ward = wards().get(row["ward"])
    name, phone, address = row["name"], row["phone"], row["address"]
    if not show:
        name, phone, address = _initials(name), mask(phone) if phone else "", ""
    return Person(row["part"], name, phone, address, ward.name if ward else "")


def _initials(name: str) -> str:
    return " ".join(f"{word[0].upper()}•••" for word in name.split())


def _parties(
    now: Custody, lines: Sequence[Line], troubles: Sequence[Trouble]
) -> set[Party]:
    parties = {now.holder, now.sender, now.addressee, now.released_to, now.bound_for}
    parties |= {p for n in lines for p in (n.by, n.place, n.taker, n.towards)}
    parties |= {p for t in troubles for p in (t.owner, t.ended_by)}
    return {party for party in parties if party is not None}


async def end_trouble(waybill: str, trouble: int, ending: str, actor: Actor) -> None:
    """End an irregularity with a sentence that says how; supervisors only.

    Raises ``NotFound`` outside his reach, ``Conflict`` when it has ended already.
    """
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    if trouble > LARGEST_KEY:
        raise NotFound
    said = plain(ending)
    if not said or len(said) > LONGEST_ENDING:
        raise BadInput((_no_ending(),))
    async with transaction() as connection:
        item = await _item(connection, waybill, actor)
        ended = await connection.fetchval(
            """
            UPDATE irregularity SET ended_at = $3, ended_by = $4, ending = $5,
                outcome = 'other'
            WHERE id = $1 AND item = $2 AND ended_at IS NULL RETURNING id
            """,
            trouble,
            item["id"],
            datetime.now(UTC),
            actor.staff,
            said,
        )
        known = ended or await connection.fetchval(
            "SELECT id FROM irregularity WHERE id = $1 AND item = $2",
            trouble,
            item["id"],
        )
    if known is None:
        raise NotFound
    if ended is None:
        raise Conflict(
            why="the irregularity has been ended already",
            why_vi="bất thường này đã được kết thúc",
        )


def _no_ending() -> Problem:
    return Problem(
        "ending",
        f"Say how it ended, in at most {LONGEST_ENDING} letters.",
        f"Hãy ghi kết quả xử lý, nhiều nhất {LONGEST_ENDING} ký tự.",
    )
