"""What someone must put right: opened, answered by both sides, ended with a reason.

An irregularity has an owner and a day. What two sides must agree on ends with the word
of both, or by a supervisor; the database holds to the same. Locks items before their
irregularities, as ``handoffs`` does. Knows no HTTP and no words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import chronicle, complaints, outgoing, reach
from postal_track.custody import (
    SYSTEM,
    Custody,
    Event,
    Kind,
    Leg,
    Party,
    PartyKind,
    Reason,
    Role,
    Stage,
    Step,
    apply,
    read,
    standing,
)
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    Problem,
    UnknownWaybill,
)
from postal_track.handoffs import Scan, to_be_ended_by, write_down
from postal_track.labels import parse_code
from postal_track.orders import plain
from postal_track.reach import LARGEST_KEY, Values
from postal_track.staff import Actor

LISTED = 50
LONGEST_DETAIL = 240
LONGEST_STATEMENT = 1000
LONGEST_SEAL = 20
MOST_PAPERS = 999

WORKERS = frozenset({Role.CARRIER, Role.CLERK, Role.OFFICER, Role.SUPERVISOR})
"""Who handles items, and so may open, state and end. The others look on."""


class Ending(StrEnum):
    """How an irregularity ended."""

    FOUND = "found"  # it is there, and in order
    CORRECTED = "corrected"  # what was told wrongly was put right
    NEW_SEAL = "new_seal"  # sealed again; the minutes have the number
    REFORWARDED = "reforwarded"  # sent on to where it belongs
    COMPENSATED = "compensated"  # a claim was accepted
    LOST = "lost"  # only by declaring it so, after the search
    UNFOUNDED = "unfounded"  # nothing was wrong
    OTHER = "other"  # with words


class Side(StrEnum):
    """For which side of a handover someone speaks."""

    GIVER = "giver"
    RECEIVER = "receiver"
    OTHER = "other"


BY_HAND = (
    Kind.DAMAGED,
    Kind.SEAL_BROKEN,
    Kind.COUNT_MISMATCH,
    Kind.MISROUTED,
    Kind.NOT_LISTED,
    Kind.DISPUTED,
    Kind.FAILED_PROOF,
    Kind.FORGED_LABEL,
)
"""What people open by hand. Missing is said by a scan, the rest is measured."""

OF_BOTH_SIDES = frozenset({Kind.COUNT_MISMATCH, Kind.SEAL_BROKEN, Kind.DAMAGED})
"""What ends with the minutes of both sides, or by a supervisor. The database agrees."""

_ANY_END = frozenset({Ending.FOUND, Ending.CORRECTED, Ending.UNFOUNDED, Ending.OTHER})
_FURTHER: dict[Kind, frozenset[Ending]] = {
    Kind.SEAL_BROKEN: frozenset({Ending.NEW_SEAL, Ending.COMPENSATED}),
    Kind.DAMAGED: frozenset({Ending.NEW_SEAL, Ending.COMPENSATED}),
    Kind.COUNT_MISMATCH: frozenset({Ending.NEW_SEAL, Ending.COMPENSATED}),
    Kind.MISROUTED: frozenset({Ending.REFORWARDED}),
    Kind.NOT_LISTED: frozenset({Ending.REFORWARDED}),
    Kind.MISSING: frozenset({Ending.COMPENSATED}),
    Kind.SILENT: frozenset({Ending.COMPENSATED}),
    Kind.DISPUTED: frozenset({Ending.COMPENSATED}),
}


def endings(kind: Kind) -> list[Ending]:
    """List how an irregularity of this kind can be ended by hand."""
    fit = _ANY_END | _FURTHER.get(kind, frozenset())
    return [ending for ending in Ending if ending in fit]


@dataclass(frozen=True, slots=True)
class Case:
    """One irregularity in a list. ``overdue``: its owner's time has passed."""

    id: int
    kind: Kind
    owner: Party
    opened_at: datetime
    due_at: datetime
    overdue: bool
    detail: str
    ended_at: datetime | None
    outcome: Ending | None
    waybill: str
    leg: Leg
    stage: Stage
    holder: Party


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, the most overdue first; ``after`` asks for the next."""

    cases: list[Case]
    names: dict[Party, Named]
    after: int | None
    overdue: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of the minutes. ``owner``: to whom it was handed over by it, if so."""

    side: Side
    party: Party
    by: Party
    words: str
    originals: int | None
    copies: int | None
    seal_no: str
    owner: Party | None
    at: datetime


@dataclass(frozen=True, slots=True)
class PhotoTaken:
    """A photo of the envelope. ``there``: it was not erased."""

    id: int
    by: Party
    at: datetime
    digest: str
    there: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of the ledger around the irregularity. ``raised``: it is about this."""

    seq: int
    step: Step
    at: datetime
    by: Party
    taker: Party | None
    originals: int | None
    copies: int | None
    seal_no: str
    raised: bool


@dataclass(frozen=True, slots=True)
class File:
    """An irregularity with all that belongs to it, and what this person may do."""

    case: Case
    giver: Party
    receiver: Party
    opened_by: Party | None
    ended_by: Party | None
    ending: str
    dossier: int
    custody: Custody
    excerpt: tuple[Heard, ...]
    minutes: tuple[Statement, ...]
    photos: tuple[PhotoTaken, ...]
    claims: tuple[str, ...]
    names: dict[Party, Named]
    sides: tuple[Side, ...]
    may_end: bool
    may_take: bool
    may_lose: bool
    both_needed: bool
    endings: tuple[Ending, ...]
    heirs: tuple[Party, ...]


# Opening


async def open_by_hand(waybill: str, kind: Kind, words: str, actor: Actor) -> int:
    """Open an irregularity of an item that one may see; its id.

    Raises ``BadInput`` for a kind that is not opened by hand or without words;
    ``NotFound`` outside his reach, ``Conflict`` when such a one is open already.
    """
    if actor.role not in WORKERS:
        raise NotAllowed
    said = plain(words)
    problems = []
    if kind not in BY_HAND:
        problems.append(_problem("kind", *_NOT_BY_HAND))
    if not said or len(said) > LONGEST_DETAIL:
        problems.append(_problem("words", *_NO_WORDS))
    if problems:
        raise BadInput(tuple(problems))
    async with transaction() as connection:
        item = await _item(connection, waybill, actor)
        # Whoever opens twice at once does it one after the other.
        await chronicle.lock(connection, [item["waybill"]])
        if await connection.fetchval(_OPEN_ALREADY, item["id"], kind.value):
            raise Conflict(
                why="an irregularity of this kind is open already",
                why_vi="đã có bất thường loại này chưa kết thúc",
            )
        story = standing(await _story(connection, item["id"]))
        giver, receiver = _between(story, actor)
        now = datetime.now(UTC)
        owner = giver if giver.kind in _ANSWERS else receiver
        number = await connection.fetchval(
            """
            INSERT INTO irregularity (item, event, kind, owner, due_at, opened_at,
                detail, ending, opened_by, giver, receiver)
            VALUES ($1, NULL, $2, $3, $4, $5, $6, '', $7, $8, $9) RETURNING id
            """,
            item["id"],
            kind.value,
            str(owner if owner.kind in _ANSWERS else _speaks_for(actor)),
            to_be_ended_by(kind, now),
            now,
            said,
            actor.staff,
            str(giver),
            str(receiver),
        )
    return int(number)


_OPEN_ALREADY = """
    SELECT EXISTS (SELECT FROM irregularity WHERE item = $1 AND kind = $2
        AND ended_at IS NULL AND opened_by IS NOT NULL)
"""

_ANSWERS = frozenset({PartyKind.STAFF, PartyKind.OFFICE, PartyKind.AGENCY})
"""Who can be made to put something right."""


def _between(story: Sequence[Event], actor: Actor) -> tuple[Party, Party]:
    """Say between whom it is: the last holder and who opens it.

    Opened by the holder himself, it is between him and whom he has it from.
    """
    now = read(story)
    if now.holder not in _parties(actor):
        return now.holder, _speaks_for(actor)
    return _giver_before(story, now.holder), now.holder


def _giver_before(story: Sequence[Event], holder: Party) -> Party:
    """Find who held it before this one took it; himself when nobody did."""
    held, before = SYSTEM, holder
    custody = Custody()
    for event in story:
        custody = apply(custody, event)
        if custody.holder != held:
            before, held = held, custody.holder
    return before if before != SYSTEM else holder


async def report_missing(
    id_: UUID, waybill: str, reason: Reason, note: str, actor: Actor
) -> int:
    """Say by a scan that an item is not where it should be; its search, to follow.

    The last holder of the ledger must answer. ``id_``: told twice is told once.
    """
    async with transaction() as connection:
        item = await _item(connection, waybill, actor)
        said = Scan(
            id=id_,
            code=item["waybill"],
            step=Step.MISSED,
            at=datetime.now(UTC),
            actor=actor,
            reason=reason,
            note=plain(note)[:LONGEST_DETAIL],
            device="page",
        )
        (outcome,), told = await write_down([said])
        if outcome.error is not None:
            raise outcome.error
        number = await connection.fetchval(
            "SELECT id FROM irregularity WHERE event = $1 AND kind = 'missing'", id_
        )
    await outgoing.poke(told)
    return int(number)


async def declare_lost(id_: UUID, number: int, words: str, actor: Actor) -> str:
    """End a search that found nothing; the number of the claim that settles it.

    Supervisors only, once the search clock has run out. Raises ``Conflict`` before
    that, or when the item has turned up.
    """
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    said = plain(words)[:LONGEST_DETAIL]
    async with transaction() as connection:
        row = await _case_row(connection, number, actor)
        await chronicle.lock(connection, [row["waybill"]])
        row = await _case_row(connection, number, actor, locked=True)
        _may_be_lost(row)
        # Before the scan, so that the text to the citizen names it.
        claim = await complaints.open_for_loss(connection, row["item"], number, actor)
        scan = Scan(
            id=id_,
            code=row["waybill"],
            step=Step.LOST,
            at=datetime.now(UTC),
            actor=actor,
            note=said,
            device="page",
        )
        (outcome,), told = await write_down([scan])
        if outcome.error is not None:
            raise outcome.error
        await connection.execute(
            """
            UPDATE irregularity SET ended_at = now(), ended_by = $2, outcome = 'lost',
                ending = $3
            WHERE item = $1 AND kind IN ('missing', 'silent_too_long')
                AND ended_at IS NULL
            """,
            row["item"],
            actor.staff,
            said,
        )
    await outgoing.poke(told)
    return claim


def _may_be_lost(row: Record) -> None:
    if row["kind"] != Kind.MISSING:
        raise NotFound
    if row["ended_at"] is not None or row["stage"] != Stage.MISSING:
        raise Conflict(why="the search has ended", why_vi="việc tìm kiếm đã kết thúc")
    if row["due_at"] > datetime.now(UTC):
        day = f"{row['due_at'].astimezone(complaints.LOCAL):%d/%m/%Y}"
        raise Conflict(
            why=f"the search runs until {day}", why_vi=f"còn tìm kiếm đến {day}"
        )


# Finding


async def listed(
    actor: Actor,
    *,
    mine: bool = True,
    ended: bool = False,
    overdue: bool = False,
    kind: Kind | None = None,
    after: int | None = None,
) -> Page:
    """List irregularities: one's own and one's place's, or all within one's reach.

    Open ones by their day, so the overdue come first; ended ones the newest first.
    ``mine`` of a supervisor is his office's and its people's.
    """
    async with transaction() as connection:
        values = Values()
        scope = await _scope(connection, actor, values, mine=mine)
        rules = [scope, f"r.ended_at IS {'NOT ' if ended else ''}NULL"]
        if overdue and not ended:
            rules.append("r.due_at < now()")
        if kind is not None:
            rules.append(f"r.kind = {values.put(kind.value)}")
        if after is not None:
            rules.append(_beyond(values.put(after), ended=ended))
        order = "r.ended_at DESC, r.id DESC" if ended else "r.due_at, r.id"
        rows = await connection.fetch(
            f"""{_CASE} WHERE {" AND ".join(rules)}
            ORDER BY {order} LIMIT {LISTED + 1}""",
            *values,
        )
        values = Values()
        scope = await _scope(connection, actor, values, mine=mine)
        late = await connection.fetchval(
            f"""SELECT count(*) FROM irregularity r JOIN item i ON i.id = r.item
            JOIN dossier d ON d.id = i.dossier
            WHERE {scope} AND r.ended_at IS NULL AND r.due_at < now()""",  # noqa: S608
            *values,
        )
    cases = [_case(row) for row in rows[:LISTED]]
    return Page(
        cases,
        await names({p for case in cases for p in (case.owner, case.holder)}),
        cases[-1].id if len(rows) > LISTED else None,
        late,
    )


_CASE = """
    SELECT r.*, i.waybill, i.leg, i.stage, i.holder, i.dossier,
        r.ended_at IS NULL AND r.due_at < now() AS overdue
    FROM irregularity r JOIN item i ON i.id = r.item
    JOIN dossier d ON d.id = i.dossier
"""


def _beyond(key: str, *, ended: bool) -> str:
    if ended:
        return f"""(r.ended_at, r.id) < (SELECT ended_at, id FROM irregularity
            WHERE id = {key}::bigint)"""  # noqa: S608 - a placeholder
    return f"""(r.due_at, r.id) > (SELECT due_at, id FROM irregularity
        WHERE id = {key}::bigint)"""  # noqa: S608 - a placeholder


async def _scope(
    connection: Connection, actor: Actor, values: Values, *, mine: bool
) -> str:
    owners = [str(party) for party in _parties(actor)]
    if actor.role is Role.SUPERVISOR and actor.places:
        owners += await _people(connection, actor)
    own = f"r.owner = ANY({values.put(owners)}::text[])"
    return own if mine else f"({own} OR {reach.items(actor, values)})"


async def _people(connection: Connection, actor: Actor) -> list[str]:
    """List the staff of someone's offices, as parties."""
    offices = [p.id for p in actor.places if p.kind is PartyKind.OFFICE]
    rows = await connection.fetch(
        "SELECT id FROM staff WHERE office = ANY($1::int[]) AND active", offices
    )
    return [f"staff:{row['id']}" for row in rows]


def _case(row: Record) -> Case:
    return Case(
        id=row["id"],
        kind=Kind(row["kind"]),
        owner=Party.parse(row["owner"]),
        opened_at=row["opened_at"],
        due_at=row["due_at"],
        overdue=row["overdue"],
        detail=row["detail"],
        ended_at=row["ended_at"],
        outcome=Ending(row["outcome"]) if row["outcome"] else None,
        waybill=row["waybill"],
        leg=Leg(row["leg"]),
        stage=Stage(row["stage"]),
        holder=Party.parse(row["holder"]),
    )


async def look(number: int, actor: Actor) -> File:
    """Open the file of one irregularity; ``NotFound`` outside one's reach.

    Its owner and both sides of it may look, whoever has the item by now.
    """
    async with transaction() as connection:
        row = await _case_row(connection, number, actor)
        story = await _story(connection, row["item"])
        giver, receiver = _sides(row, story)
        excerpt = await connection.fetch(_EXCERPT, row["item"], row["event"])
        minutes = await connection.fetch(
            "SELECT * FROM minute WHERE irregularity = $1 ORDER BY id", number
        )
        photos = await connection.fetch(_PHOTOS, number)
        of_item = await connection.fetch(
            "SELECT number FROM claim WHERE item = $1 ORDER BY id", row["item"]
        )
        heirs = await _heirs(connection, row, {giver, receiver}, actor)
    stated = tuple(_statement(one) for one in minutes)
    heard = tuple(_heard(one, row["event"]) for one in excerpt)
    taken = tuple(_photo(one) for one in photos)
    case, custody = _case(row), read(story)
    known = {giver, receiver, case.owner, case.holder, *heirs}
    known |= {p for s in stated for p in (s.party, s.by, s.owner) if p}
    known |= {p for h in heard for p in (h.by, h.taker) if p}
    known |= {photo.by for photo in taken}
    opened_by, ended_by = _staff(row["opened_by"]), _staff(row["ended_by"])
    known |= {p for p in (opened_by, ended_by) if p}
    open_ = case.ended_at is None
    works = open_ and actor.role in WORKERS
    mine = _answers_for(case.owner, actor)
    sought = case.kind is Kind.MISSING and custody.stage is Stage.MISSING
    overseer = actor.role is Role.SUPERVISOR
    return File(
        case=case,
        giver=giver,
        receiver=receiver,
        opened_by=opened_by,
        ended_by=ended_by,
        ending=row["ending"],
        dossier=row["dossier"],
        custody=custody,
        excerpt=heard,
        minutes=stated,
        photos=taken,
        claims=tuple(one["number"] for one in of_item),
        names=await names(known),
        sides=_sides_of(actor, giver, receiver) if works else (),
        may_end=works and (mine or overseer) and not sought,
        may_take=works and case.owner != actor.party,
        may_lose=works and overseer and sought and case.overdue,
        both_needed=not overseer
        and case.kind in OF_BOTH_SIDES
        and not _agreed(minutes),
        endings=tuple(endings(case.kind)),
        heirs=heirs if works else (),
    )


_EXCERPT = """
    SELECT * FROM (SELECT e.*, e.id = $2 AS raised FROM event e
        WHERE e.item = $1 ORDER BY e.seq DESC LIMIT 200) AS e
    WHERE $2::uuid IS NULL OR abs(e.seq - coalesce(
        (SELECT seq FROM event WHERE id = $2), e.seq)) <= 3
    ORDER BY e.seq DESC LIMIT 7
"""

_PHOTOS = """
    SELECT id, by, at, digest, picture IS NOT NULL AS there FROM envelope_photo
    WHERE irregularity = $1 ORDER BY id
"""


def _statement(row: Record) -> Statement:
    return Statement(
        side=Side(row["side"]),
        party=Party.parse(row["party"]),
        by=Party(PartyKind.STAFF, row["by"]),
        words=row["words"],
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"] or "",
        owner=Party.parse(row["owner"]) if row["owner"] else None,
        at=row["at"],
    )


def _heard(row: Record, event: UUID | None) -> Heard:
    return Heard(
        seq=row["seq"],
        step=Step(row["step"]),
        at=row["at"],
        by=Party.parse(row["by"]),
        taker=Party.parse(row["taker"]) if row["taker"] else None,
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"] or "",
        raised=event is not None and row["id"] == event,
    )


def _photo(row: Record) -> PhotoTaken:
    by = Party(PartyKind.STAFF, row["by"])
    return PhotoTaken(row["id"], by, row["at"], row["digest"].hex(), row["there"])


def _staff(number: int | None) -> Party | None:
    return Party(PartyKind.STAFF, number) if number else None


# Who stands where


async def _item(connection: Connection, waybill: str, actor: Actor) -> Record:
    number = parse_code(waybill).waybill
    values = Values()
    given = values.put(number)
    rule = reach.items(actor, values, run=True)
    row = await connection.fetchrow(
        f"""
        SELECT i.id, i.waybill FROM label l JOIN item i ON i.id = l.item
        JOIN dossier d ON d.id = i.dossier WHERE l.waybill = {given} AND {rule}
        """,  # noqa: S608 - placeholders
        *values,
    )
    if row is None:
        raise UnknownWaybill(waybill=number)
    return row


async def _case_row(
    connection: Connection, number: int, actor: Actor, *, locked: bool = False
) -> Record:
    """Read one irregularity that someone may know of; ``NotFound`` else."""
    if number > LARGEST_KEY:
        raise NotFound
    values = Values()
    rule = f"r.id = {values.put(number)}::bigint"
    seen = reach.items(actor, values, run=True)
    sql = _CASE.replace("SELECT r.*", f"SELECT r.*, ({seen}) AS within", 1)
    row = await connection.fetchrow(
        f"{sql} WHERE {rule}{' FOR UPDATE OF r' if locked else ''}", *values
    )
    if row is None:
        raise NotFound
    if not row["within"] and not await _concerns(connection, row, actor):
        raise NotFound
    return row


async def _concerns(connection: Connection, row: Record, actor: Actor) -> bool:
    parties = _parties(actor)
    if Party.parse(row["owner"]) in parties:
        return True
    if actor.role is Role.SUPERVISOR and row["owner"] in await _people(
        connection, actor
    ):
        return True
    return bool(parties & {*_sides(row, await _story(connection, row["item"]))})


async def _story(connection: Connection, item: int) -> list[Event]:
    """Read a story in the order of what happened, what was declared wrong as well."""
    rows = await connection.fetch(
        "SELECT * FROM event WHERE item = $1 ORDER BY at, seq", item
    )
    return [chronicle.event_of(row) for row in rows]


def _sides(row: Record, story: Sequence[Event]) -> tuple[Party, Party]:
    """Say between whom it is: as it was opened, else by the line that raised it."""
    if row["giver"] is not None:
        return Party.parse(row["giver"]), Party.parse(row["receiver"])
    raised = next((e for e in story if e.id == row["event"]), None)
    if raised is None:
        return Party.parse(row["holder"]), Party.parse(row["owner"])
    earlier = standing(story[: story.index(raised)])
    giver = read(earlier).holder
    receiver = raised.taker or raised.place or raised.by
    if giver == receiver:
        giver = _giver_before(earlier, receiver)
    return giver, receiver


def _parties(actor: Actor) -> frozenset[Party]:
    return frozenset({actor.party, *actor.places})


def _speaks_for(actor: Actor) -> Party:
    return actor.place if actor.place and actor.settled else actor.party


def _answers_for(owner: Party, actor: Actor) -> bool:
    return owner in _parties(actor)


def _sides_of(actor: Actor, giver: Party, receiver: Party) -> tuple[Side, ...]:
    """Say for which sides someone can speak; for neither he speaks as another."""
    parties = _parties(actor)
    own = [
        side
        for side, party in ((Side.GIVER, giver), (Side.RECEIVER, receiver))
        if party in parties
    ]
    return tuple(own) or (Side.OTHER,)


async def _heirs(
    connection: Connection, row: Record, sides: set[Party], actor: Actor
) -> tuple[Party, ...]:
    """List to whom someone may hand it: within his own house, a supervisor to all.

    To shed it on another house would take that one's word.
    """
    owner = Party.parse(row["owner"])
    overseer = actor.role is Role.SUPERVISOR
    if not overseer and not _answers_for(owner, actor):
        return ()
    people = [Party.parse(one) for one in await _people(connection, actor)]
    heirs = {*actor.places, *people}
    if overseer:
        heirs |= {p for p in sides if p.kind in _ANSWERS}
        heirs |= {p for p in [Party.parse(row["holder"])] if p.kind in _ANSWERS}
        if not actor.places:
            houses = await connection.fetch(
                """
                SELECT 'office:' || id AS party FROM office
                UNION ALL SELECT 'agency:' || id FROM agency
                """
            )
            heirs |= {Party.parse(one["party"]) for one in houses}
    return tuple(sorted(heirs - {owner}))


# Stating and handing over


async def state(
    number: int,
    words: str,
    actor: Actor,
    *,
    side: Side | None = None,
    originals: int | None = None,
    copies: int | None = None,
    seal_no: str = "",
) -> None:
    """Put a statement into the minutes, for the side that one is of.

    ``side`` is asked for only of who is of both. Raises ``BadInput`` without words,
    ``Conflict`` after the end.
    """
    if actor.role not in WORKERS:
        raise NotAllowed
    said, seal = plain(words), plain(seal_no)
    _fit_to_state(said, originals, copies, seal)
    async with transaction() as connection:
        row = await open_case(connection, number, actor)
        giver, receiver = _sides(row, await _story(connection, row["item"]))
        open_to = _sides_of(actor, giver, receiver)
        chosen = side if side in open_to else open_to[0]
        party = {Side.GIVER: giver, Side.RECEIVER: receiver}.get(
            chosen, _speaks_for(actor)
        )
        await connection.execute(
            _MINUTE,
            number,
            chosen.value,
            str(party),
            actor.staff,
            said,
            originals,
            copies,
            seal or None,
            None,
        )


_MINUTE = """
    INSERT INTO minute (irregularity, side, party, by, words, originals, copies,
        seal_no, owner, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp())
"""


def _fit_to_state(
    said: str, originals: int | None, copies: int | None, seal: str
) -> None:
    problems = []
    if not said or len(said) > LONGEST_STATEMENT:
        problems.append(_problem("words", *_NO_STATEMENT))
    for field, count in (("originals", originals), ("copies", copies)):
        if count is not None and not 0 <= count <= MOST_PAPERS:
            problems.append(_problem(field, *_NO_COUNT))
    if len(seal) > LONGEST_SEAL:
        problems.append(_problem("seal_no", *_NO_SEAL))
    if problems:
        raise BadInput(tuple(problems))


async def take_over(number: int, actor: Actor) -> None:
    """Make it one's own: responsibility may always be taken."""
    if actor.role not in WORKERS:
        raise NotAllowed
    async with transaction() as connection:
        row = await open_case(connection, number, actor)
        await _give(connection, row, actor.party, "", actor)


async def hand_over(number: int, to: Party, words: str, actor: Actor) -> None:
    """Give it to another owner, within one's own house or as a supervisor.

    Raises ``NotAllowed`` for who does not answer for it, ``BadInput`` on ``to`` for
    someone it cannot be given to.
    """
    if actor.role not in WORKERS:
        raise NotAllowed
    async with transaction() as connection:
        row = await open_case(connection, number, actor)
        if actor.role is not Role.SUPERVISOR and not _answers_for(
            Party.parse(row["owner"]), actor
        ):
            raise NotAllowed
        sides = {*_sides(row, await _story(connection, row["item"]))}
        if to not in await _heirs(connection, row, sides, actor):
            raise BadInput((_problem("to", *_NO_HEIR),))
        await _give(connection, row, to, plain(words)[:LONGEST_STATEMENT], actor)


async def _give(
    connection: Connection, row: Record, to: Party, said: str, actor: Actor
) -> None:
    await connection.execute(
        "UPDATE irregularity SET owner = $2 WHERE id = $1", row["id"], str(to)
    )
    await connection.execute(
        _MINUTE,
        row["id"],
        Side.OTHER.value,
        str(_speaks_for(actor)),
        actor.staff,
        said,
        None,
        None,
        None,
        str(to),
    )


async def seen_case(connection: Connection, number: int, actor: Actor) -> int:
    """See that someone may know of an irregularity; the number of its dossier."""
    row = await _case_row(connection, number, actor)
    return int(row["dossier"])


async def open_case(connection: Connection, number: int, actor: Actor) -> Record:
    """Read one under the lock; ``Conflict`` when it has ended."""
    row = await _case_row(connection, number, actor, locked=True)
    if row["ended_at"] is not None:
        raise _over()
    return row


def _over() -> Conflict:
    return Conflict(
        why="the irregularity has been ended already",
        why_vi="bất thường này đã được kết thúc",
    )


# Ending


async def end(number: int, ending: Ending, words: str, actor: Actor) -> None:
    """End it: by its owner's side, or by a supervisor.

    Raises ``NotAllowed`` for others, ``Conflict`` after the end, and ``BadInput`` when
    the end does not fit: without the minutes of both sides where they are needed,
    without words for ``OTHER``, without what the ending speaks of.
    """
    if actor.role not in WORKERS:
        raise NotAllowed
    said = plain(words)
    async with transaction() as connection:
        row = await open_case(connection, number, actor)
        owner, overseer = Party.parse(row["owner"]), actor.role is Role.SUPERVISOR
        if not overseer and not _answers_for(owner, actor):
            raise NotAllowed
        minutes = await connection.fetch(
            "SELECT side, by, seal_no FROM minute WHERE irregularity = $1", number
        )
        wrong = _unfit_words(ending, said) + _unfit(ending, row, minutes, overseer)
        if ending is Ending.COMPENSATED and not await complaints.accepted(
            connection, row["item"]
        ):
            wrong.append(_problem("ending", *_NO_CLAIM))
        if wrong:
            raise BadInput(tuple(wrong))
        await connection.execute(
            """
            UPDATE irregularity SET ended_at = now(), ended_by = $2, outcome = $3,
                ending = $4 WHERE id = $1
            """,
            number,
            actor.staff,
            ending.value,
            said,
        )


def _unfit_words(ending: Ending, said: str) -> list[Problem]:
    missing = ending is Ending.OTHER and not said
    if missing or len(said) > LONGEST_DETAIL:
        return [_problem("words", *_NO_WORDS)]
    return []


def _unfit(
    ending: Ending, row: Record, minutes: Sequence[Record], overseer: bool
) -> list[Problem]:
    """Say why this end does not fit what is known."""
    kind = Kind(row["kind"])
    if kind is Kind.MISSING and row["stage"] == Stage.MISSING:
        return [_problem("ending", *_STILL_SOUGHT)]
    if ending not in endings(kind):
        return [_problem("ending", *_NO_SUCH_END)]
    if ending is Ending.NEW_SEAL and not any(one["seal_no"] for one in minutes):
        return [_problem("ending", *_NO_NEW_SEAL)]
    if kind in OF_BOTH_SIDES and not overseer and not _agreed(minutes):
        return [_problem("ending", *_ONE_SIDED)]
    return []


def _agreed(minutes: Sequence[Any]) -> bool:
    """Whether both sides have said something, and not one person for both."""
    givers = {one["by"] for one in minutes if one["side"] == Side.GIVER}
    receivers = {one["by"] for one in minutes if one["side"] == Side.RECEIVER}
    return any(giver != receiver for giver in givers for receiver in receivers)


def _problem(field: str, english: str, vietnamese: str) -> Problem:
    return Problem(field, english, vietnamese)


_NOT_BY_HAND = (
    "Choose what is wrong.",
    "Hãy chọn loại bất thường.",
)
_NO_WORDS = (
    f"Say it in at most {LONGEST_DETAIL} letters.",
    f"Hãy ghi rõ, nhiều nhất {LONGEST_DETAIL} ký tự.",
)
_NO_STATEMENT = (
    f"Say what you saw, in at most {LONGEST_STATEMENT} letters.",
    f"Hãy ghi những gì đã thấy, nhiều nhất {LONGEST_STATEMENT} ký tự.",
)
_NO_COUNT = (
    f"A count is a number up to {MOST_PAPERS}.",
    f"Số lượng là một số đến {MOST_PAPERS}.",
)
_NO_SEAL = (
    f"A seal number has at most {LONGEST_SEAL} letters.",
    f"Số niêm phong có nhiều nhất {LONGEST_SEAL} ký tự.",
)
_NO_HEIR = (
    "It cannot be handed to this one: ask a supervisor.",
    "Không thể chuyển cho người hoặc nơi này: hãy hỏi kiểm soát viên.",
)
_STILL_SOUGHT = (
    "The item is still being searched for: scan it where it is, and the search ends.",
    "Bưu gửi vẫn đang được tìm: hãy quét ở nơi tìm thấy, việc tìm kiếm tự kết thúc.",
)
_NO_SUCH_END = (
    "This is no end for an irregularity of this kind.",
    "Không thể kết thúc loại bất thường này như vậy.",
)
_NO_NEW_SEAL = (
    "Put the number of the new seal into the minutes first.",
    "Trước hết hãy ghi số niêm phong mới vào biên bản.",
)
_NO_CLAIM = (
    "No claim for this item has been accepted.",
    "Chưa có khiếu nại nào của bưu gửi này được chấp nhận.",
)
_ONE_SIDED = (
    "Both sides must put their statement into the minutes, or a supervisor ends it.",
    "Cần lời ghi của cả hai bên trong biên bản, hoặc kiểm soát viên kết thúc.",
)
