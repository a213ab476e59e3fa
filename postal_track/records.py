"""Papers of a handover: which lines of the ledger they tell, and if they still fit.

A paper has a number and a digest over its lines' hashes, so that whoever holds it can
ask whether the ledger still says the same. The same lines are the same paper. Holds
nothing personal of citizens; how it looks is ``papers``' affair.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import bags, handovers, reach
from postal_track.chronicle import entry_of, event_of
from postal_track.custody import (
    STAYS,
    Custody,
    Event,
    Kind,
    Leg,
    Party,
    PartyKind,
    Role,
    Step,
    apply,
    read,
    standing,
)
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.handovers import Found
from postal_track.ledger import first_break
from postal_track.limits import Limit
from postal_track.orders import plain
from postal_track.reach import Values
from postal_track.staff import Actor

MAKERS = frozenset({Role.CARRIER, Role.CLERK, Role.SUPERVISOR, Role.OFFICER})
MOST_LINES = 100
SHORTEST_DIGEST = 16
"""Hex digits of a digest that open a paper to who has no login: 64 bits."""

ASKED = Limit("papers", 60, timedelta(minutes=10))
"""How often someone without a login may hold papers against the ledger."""

_NUMBER = re.compile(r"(?:BB|KQ)[0-9]{8}")


class Paper(StrEnum):
    """Which paper it is."""

    HANDOVER = "handover"  # bien ban giao nhan
    RESULT = "result"  # phieu ban giao ket qua


@dataclass(frozen=True, slots=True)
class Row:
    """One item on a paper: what both sides agreed, who said so and when.

    ``released_by`` announced it for the giver, ``by`` confirmed it for the receiver;
    ``None`` where that side has said nothing yet. ``corrected``: a later line declares
    this one wrong.
    """

    waybill: str
    seq: int
    code: str
    leg: Leg
    giver: Party
    released_by: Party | None
    released_at: datetime | None
    receiver: Party | None
    by: Party | None
    at: datetime
    originals: int | None
    copies: int | None
    seal_no: str
    seal_broken: bool
    damaged: bool
    fee: int
    flags: tuple[Kind, ...]
    corrected: bool
    sound: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A whole paper. ``sound``: the ledger still says what it said."""

    number: str
    paper: Paper
    made_by: Party
    made_at: datetime
    digest: str
    rows: list[Row]
    sound: bool
    names: dict[Party, Named]


async def of_line(waybill: str, seq: int, actor: Actor) -> str:
    """Make the paper of one line; its number. The same line is the same paper.

    Raises ``NotFound`` outside his reach, ``BadInput`` for a line that hands nothing
    over.
    """
    return await _make([waybill], actor, seq)


async def of_items(waybills: Sequence[str], actor: Actor) -> str:
    """Make one paper of the latest handover of each of these items; its number."""
    if not 0 < len(waybills) <= MOST_LINES:
        raise BadInput((_bad("Choose 1 to 100 items.", "Hãy chọn 1 đến 100 bưu gửi."),))
    return await _make(waybills, actor, None)


async def of_session(id: UUID, actor: Actor) -> str:
    """Make the paper of what a receiving session took over; its number.

    For both sides of it, whosever dossiers they are. Raises ``BadInput`` when nothing
    was taken over.
    """
    seen = await handovers.session(id, actor)
    there = [
        line.waybill for line in seen.lines or () if line.outcome is not Found.MISSING
    ]
    if seen.ending != "accepted" or seen.ended_at is None or not there:
        raise BadInput((_bad("Nothing was received.", "Chưa nhận bưu gửi nào."),))
    said = {handovers.scan_id(id, each, step) for each in there for step in Step}
    kept = _Kept(frozenset(said), seen.ended_at)
    return await _make(there, actor, None, kept=kept, within=True)


async def of_bag(text: str, actor: Actor) -> str:
    """Make the paper of a bag: of how it was opened, or of what is inside; its number.

    For whom the bag concerns, and who need not count it first.
    """
    look = await bags.look(text, actor)
    if look.bag.opened_at is not None:
        async with transaction() as connection:
            session = await connection.fetchval(
                """
                SELECT id FROM handover WHERE bag = $1 AND ending = 'accepted'
                ORDER BY ended_at DESC LIMIT 1
                """,
                look.bag.number,
            )
        if session is not None:
            return await of_session(session, actor)
    inside = [each.waybill for each in look.inside]
    if not inside:
        raise BadInput((_bad("There is nothing inside.", "Không có bưu gửi nào."),))
    return await _make(inside, actor, None, within=True)


def _bad(detail: str, detail_vi: str) -> Problem:
    return Problem("items", detail, detail_vi)


async def _make(
    waybills: Sequence[str],
    actor: Actor,
    seq: int | None,
    *,
    kept: "_Kept | None" = None,
    within: bool = False,
) -> str:
    """Make a paper; ``kept``: which lines it may tell, ``within``: he may see them."""
    if actor.role not in MAKERS:
        raise NotAllowed
    wanted = sorted({plain(each).upper() for each in waybills})
    async with transaction() as connection:
        items = await _items(connection, wanted, None if within else actor)
        if len(items) != len(wanted):
            raise NotFound
        stories = await _stories(connection, [item["id"] for item in items])
        lines = [(item, _line(stories[item["id"]], seq, kept)) for item in items]
        results = all(
            item["leg"] == Leg.RESULT and item["sender"].startswith("agency:")
            for item in items
        )
        agency = all(_given_by_agency(stories[i["id"]], n) for i, n in lines)
        paper = Paper.RESULT if results and agency else Paper.HANDOVER
        chosen = [(item["id"], item["waybill"], line) for item, line in lines]
        whole = _digest(paper, [(w, n["seq"], n["hash"]) for _, w, n in chosen])
        return await _write(connection, paper, whole, chosen, actor)


async def _items(
    connection: Connection, waybills: Sequence[str], actor: Actor | None
) -> list[Record]:
    values = Values()
    given = values.put(waybills)
    theirs = reach.items(actor, values, run=True) if actor else "true"
    found: list[Record] = await connection.fetch(
        f"""
        SELECT i.id, i.waybill, i.leg, i.sender FROM item i
        JOIN dossier d ON d.id = i.dossier
        WHERE i.waybill = ANY({given}::text[]) AND {theirs} ORDER BY i.waybill
        """,  # noqa: S608 - placeholders
        *values,
    )
    return found


async def _stories(
    connection: Connection, items: Sequence[int]
) -> dict[int, list[Record]]:
    rows = await connection.fetch(
        "SELECT * FROM event WHERE item = ANY($1::bigint[]) ORDER BY item, seq", items
    )
    stories: dict[int, list[Record]] = {item: [] for item in items}
    for row in rows:
        stories[row["item"]].append(row)
    return stories


def hands_over(step: Step, taker: Party | None) -> bool:
    """Whether a line is one side's or both sides' word of a handover."""
    if step in (Step.BOOKED, Step.READY):
        return False
    return step is Step.RELEASED or (taker is not None and step not in STAYS)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The lines of one session, and those that were written before it ended."""

    ids: frozenset[UUID]
    ended_at: datetime

    def of(self, row: Record) -> bool:
        return row["id"] in self.ids or row["recorded_at"] <= self.ended_at


def _line(
    story: Sequence[Record], seq: int | None, kept: _Kept | None = None
) -> Record:
    """Choose the line asked for, or the latest handover that stands.

    ``kept``: among these, whatever came later.
    """
    story = [row for row in story if kept is None or kept.of(row)]
    wrong = {row["corrects"] for row in story}
    for row in reversed(story):
        taker = Party.parse(row["taker"]) if row["taker"] else None
        stands = row["id"] not in wrong
        asked = stands if seq is None else row["seq"] == seq
        if asked and hands_over(Step(row["step"]), taker):
            return row
    if seq is not None and seq not in {row["seq"] for row in story}:
        raise NotFound
    raise BadInput(
        (_bad("This hands nothing over.", "Dòng này không phải là bàn giao."),)
    )


def _given_by_agency(story: Sequence[Record], line: Record) -> bool:
    return _before(story, line).holder.kind is PartyKind.AGENCY


def _past(story: Sequence[Record], line: Record) -> list[Event]:
    """List what was known to have happened before a line when it was written.

    What was told or corrected later does not change a paper that was signed.
    """
    earlier = sorted(
        (r for r in story if r["seq"] < line["seq"] and r["at"] <= line["at"]),
        key=lambda row: (row["at"], row["seq"]),
    )
    return standing(event_of(row) for row in earlier)


def _before(story: Sequence[Record], line: Record) -> Custody:
    return read(_past(story, line))


def _digest(paper: Paper, lines: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Hash the kind and the lines: ``waybill seq hash``, one a line, by waybill."""
    told = [str(paper), *(f"{w} {seq} {hash.hex()}" for w, seq, hash in sorted(lines))]
    return hashlib.sha256("\n".join(told).encode()).digest()


async def _write(
    connection: Connection,
    paper: Paper,
    whole: bytes,
    chosen: Sequence[tuple[int, str, Record]],
    actor: Actor,
) -> str:
    # The same lines asked for twice at once: the second waits and finds the first.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", whole.hex()
    )
    before = await connection.fetchval(
        "SELECT number FROM handover_record WHERE digest = $1", whole
    )
    if before is not None:
        return str(before)
    serial = await connection.fetchval("SELECT nextval('handover_record_serial')")
    number = f"{'KQ' if paper is Paper.RESULT else 'BB'}{serial:08}"
    record = await connection.fetchval(
        """
        INSERT INTO handover_record (number, kind, made_by, made_at, digest)
        VALUES ($1, $2, $3, $4, $5) RETURNING id
        """,
        number,
        paper,
        actor.staff,
        datetime.now(UTC),
        whole,
    )
    await connection.executemany(
        """
        INSERT INTO handover_record_line (record, item, seq, hash)
        VALUES ($1, $2, $3, $4)
        """,
        [(record, item, line["seq"], line["hash"]) for item, _, line in chosen],
    )
    return number


async def find(number: str, actor: Actor | None, digest: str = "") -> Told:
    """Read a paper for who made it, reaches all its items, or has its digest.

    For everyone else there is none: ``NotFound``.
    """
    said = plain(number).replace(" ", "").upper()
    if not _NUMBER.fullmatch(said):
        raise NotFound
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT * FROM handover_record WHERE number = $1", said
        )
        if row is None:
            raise NotFound
        lines = await connection.fetch(_LINES, row["id"])
        if not await _may_see(connection, row, lines, actor, digest):
            raise NotFound
        stories = await _stories(connection, [line["item"] for line in lines])
    rows = [_row(line, stories[line["item"]]) for line in lines]
    paper = Paper(row["kind"])
    whole = _digest(paper, [(n["waybill"], n["seq"], n["hash"]) for n in lines])
    made_by = Party(PartyKind.STAFF, row["made_by"])
    parties = {p for r in rows for p in (r.giver, r.receiver, r.by, r.released_by) if p}
    return Told(
        number=said,
        paper=paper,
        made_by=made_by,
        made_at=row["made_at"],
        digest=row["digest"].hex(),
        rows=rows,
        sound=whole == row["digest"] and all(each.sound for each in rows),
        names=await names(parties | {made_by}),
    )


_LINES = """
    SELECT l.item, l.seq, l.hash, i.waybill, i.leg, i.fee,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = i.dossier
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code
    FROM handover_record_line l JOIN item i ON i.id = l.item
    WHERE l.record = $1 ORDER BY i.waybill, l.seq
"""


async def _may_see(
    connection: Connection,
    row: Record,
    lines: Sequence[Record],
    actor: Actor | None,
    digest: str,
) -> bool:
    said = plain(digest).replace(" ", "").lower()
    whole = row["digest"].hex()
    if len(said) >= SHORTEST_DIGEST and hmac.compare_digest(
        said.encode(), whole[: len(said)].encode()
    ):
        return True
    if actor is None:
        return False
    if actor.staff == row["made_by"]:
        return True
    waybills = sorted({line["waybill"] for line in lines})
    return len(await _items(connection, waybills, actor)) == len(waybills)


def _row(line: Record, story: Sequence[Record]) -> Row:
    told = next((row for row in story if row["seq"] == line["seq"]), None)
    if told is None:  # somebody cut the ledger: the paper says more than it does
        return _lost(line)
    event = event_of(told)
    past = _past(story, told)
    before = read(past)
    released = next(
        (e for e in reversed(past) if e.step is Step.RELEASED and before.released_to),
        None,
    )
    promise = event if event.step is Step.RELEASED else released
    agreed = apply(before, event)
    confirmed = event.step is not Step.RELEASED
    prefix = [row for row in story if row["seq"] <= line["seq"]]
    broken = first_break(
        line["waybill"], ((entry_of(r, line["waybill"]), r["hash"]) for r in prefix)
    )
    return Row(
        waybill=line["waybill"],
        seq=line["seq"],
        code=line["code"],
        leg=Leg(line["leg"]),
        giver=before.holder,
        released_by=promise.by if promise else None,
        released_at=promise.at if promise else None,
        receiver=event.taker if confirmed else event.towards,
        by=event.by if confirmed else None,
        at=event.at,
        originals=agreed.originals,
        copies=agreed.copies,
        seal_no=agreed.seal_no or "",
        seal_broken=event.seal_broken,
        damaged=event.damaged,
        fee=line["fee"],
        flags=tuple(Kind(flag) for flag in told["flags"]),
        corrected=event.id in {row["corrects"] for row in story},
        sound=broken is None and told["hash"] == line["hash"],
    )


def _lost(line: Record) -> Row:
    return Row(
        waybill=line["waybill"],
        seq=line["seq"],
        code=line["code"],
        leg=Leg(line["leg"]),
        giver=Party(PartyKind.SYSTEM),
        released_by=None,
        released_at=None,
        receiver=None,
        by=None,
        at=datetime.fromtimestamp(0, UTC),
        originals=None,
        copies=None,
        seal_no="",
        seal_broken=False,
        damaged=False,
        fee=0,
        flags=(),
        corrected=False,
        sound=False,
    )
