"""Receiving in bulk: what was announced, counted and found, and what each item came to.

A bag is opened, or a pile taken over, in a session: the receiver counts, scans, says of
every item what he found, and only then custody moves, all at once, by
``handoffs.record``. Every difference has its own reason; no bulk action gets around it,
here or in the database. Knows no HTTP.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from asyncpg import Connection, Record, UniqueViolationError

from postal_track import bags, outgoing
from postal_track.bags import Bag
from postal_track.chronicle import IN_HAND
from postal_track.custody import (
    ABSENCES,
    CITIZEN,
    Kind,
    Party,
    PartyKind,
    Reason,
    Role,
    Stage,
    Step,
)
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import (
    BadInput,
    Conflict,
    ForeignCode,
    ForgedLabel,
    NotAllowed,
    NotFound,
    NotYourPlace,
    Problem,
    TooManyScans,
    UnknownBag,
    UnknownWaybill,
)
from postal_track.handoffs import Outcome, Scan, write_down
from postal_track.labels import genuine, parse_code
from postal_track.settings import settings
from postal_track.staff import Actor

RECEIVERS = frozenset({Role.CARRIER, Role.CLERK, Role.SUPERVISOR, Role.OFFICER})
LISTED = 100
MOST_COUNTED = 9_999


class Way(StrEnum):
    """How the receiver finds out what he was given."""

    EACH = "each"  # he scans one by one, with the list before him
    COUNT = "count"  # he counts before he sees what was announced


class Mode(StrEnum):
    """What becomes of the rest when something differs."""

    ROLLBACK = "rollback"  # all or nothing
    PROCEED = "proceed"  # what is in order goes ahead


class Found(StrEnum):
    """What an item of the session came to."""

    PRESENT = "present"  # announced, and there
    MISSING = "missing"  # announced, not there
    EXTRA = "extra"  # there, not announced
    MISROUTED = "misrouted"  # there, but meant for somebody else


WHY: dict[Found, tuple[Reason, ...]] = {
    Found.MISSING: tuple(r for r in Reason if r in ABSENCES),
    Found.EXTRA: (Reason.NOT_ANNOUNCED, Reason.MISSORTED, Reason.OTHER),
    Found.MISROUTED: (Reason.MISSORTED, Reason.WRONG_AGENCY, Reason.OTHER),
}
"""Why a difference may be; the first is the likeliest."""


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a session. ``astray``: it is addressed to somebody else."""

    waybill: str
    announced: bool
    outcome: Found | None
    reason: Reason | None
    note: str
    addressee: Party
    holder: Party
    astray: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What the receiver says of one item."""

    waybill: str
    outcome: Found
    reason: Reason | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A receiving session. ``lines`` is ``None`` while they are to be counted blindly.

    ``seal_agreed`` is the seal that the bag was closed with; hidden as the lines are.
    """

    id: UUID
    bag: str | None
    giver: Party
    receiver: Party
    way: Way
    begun_at: datetime
    counted: int | None
    seal_no: str | None
    seal_broken: bool
    seal_agreed: str | None
    mode: Mode | None
    ending: str | None
    ended_at: datetime | None
    ended_by: Party | None
    note: str
    lines: list[Line] | None
    names: dict[Party, Named]

    @property
    def announced(self) -> int:
        """How many items were announced."""
        return sum(line.announced for line in self.lines or ())

    @property
    def there(self) -> int:
        """How many were found so far."""
        found = (Found.PRESENT, Found.EXTRA, Found.MISROUTED)
        return sum(line.outcome in found for line in self.lines or ())

    @property
    def unsettled(self) -> list[Line]:
        """The items that nothing was said of yet."""
        return [line for line in self.lines or () if line.outcome is None]

    @property
    def differences(self) -> list[Line]:
        """The items that are not simply there as announced."""
        other = (None, Found.PRESENT)
        return [line for line in self.lines or () if line.outcome not in other]


@dataclass(frozen=True, slots=True)
class Pile:
    """What one giver has promised to one receiver, outside of bags."""

    giver: Party
    receiver: Party
    items: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for someone's word, what he has begun, and what has ended lately."""

    bags: list[Bag]
    piles: list[Pile]
    open: list[Session]
    ended: list[Session]
    names: dict[Party, Named]


# Beginning


async def begin(
    id: UUID,
    actor: Actor,
    *,
    way: Way,
    bag: str | None = None,
    giver: Party | None = None,
    receiver: Party | None = None,
) -> Session:
    """Begin to receive a bag (by its code), or the pile of a giver.

    Whoever begins what a colleague has begun for the same place joins him. Raises
    ``UnknownBag``, ``NotFound`` when nothing was announced, and ``Conflict`` for a bag
    that is loose, was opened, or is being opened elsewhere.
    """
    if actor.role not in RECEIVERS:
        raise NotAllowed
    if (bag is None) == (giver is None):
        why = Problem("bag", "Name a bag or a giver.", "Hãy chọn túi hoặc bên giao.")
        raise BadInput((why,))
    try:
        async with transaction() as connection:
            known = await connection.fetchval(
                "SELECT id FROM handover WHERE id = $1", id
            )
            if known is None and bag is not None:
                known = await _begin_bag(connection, id, actor, way, bag)
            elif known is None and giver is not None:
                known = await _begin_pile(connection, id, actor, way, giver, receiver)
    except UniqueViolationError as fault:
        raise Conflict(
            why="somebody else began this at the same moment: look again",
            why_vi="người khác vừa bắt đầu nhận: hãy xem lại",
        ) from fault
    return await session(known, actor)


def _mine(actor: Actor) -> set[Party]:
    return {actor.party, *actor.places}


async def _begin_bag(
    connection: Connection, id: UUID, actor: Actor, way: Way, text: str
) -> UUID:
    number = bags.number_of(text)
    if actor.role is Role.CARRIER:
        raise NotAllowed  # he carries it closed; a house opens it
    bag = (await bags.lock(connection, [number])).get(number)
    in_hand = parse_code(text).tag is not None  # only who has it reads its label
    parties = {bag.destination, bag.holder, bag.released_to} if bag else set()
    if bag is None or not (in_hand or parties & _mine(actor)):
        raise UnknownBag(number)
    to = bag.destination if bag.destination in actor.places else None
    receiver = _receiver(actor, to)
    begun = await connection.fetchrow(
        "SELECT id, receiver FROM handover WHERE bag = $1 AND ended_at IS NULL", number
    )
    if begun is not None:
        if begun["receiver"] == str(receiver):
            found: UUID = begun["id"]
            return found
        raise Conflict(
            why="the bag is being opened elsewhere",
            why_vi="túi đang được mở ở nơi khác",
        )
    if bag.opened_at is not None:
        raise Conflict(why="the bag was opened", why_vi="túi đã được mở")
    if bag.loose:
        raise Conflict(why="the bag is not closed", why_vi="túi chưa được đóng")
    items = await connection.fetch(
        "SELECT id FROM item WHERE bag = $1 ORDER BY id", number
    )
    return await _write(connection, id, actor, way, bag.holder, receiver, items, number)


async def _begin_pile(
    connection: Connection,
    id: UUID,
    actor: Actor,
    way: Way,
    giver: Party,
    to: Party | None,
) -> UUID:
    receiver = _receiver(actor, to)
    begun: UUID | None = await connection.fetchval(
        """
        SELECT id FROM handover WHERE giver = $1 AND receiver = $2 AND bag IS NULL
            AND ended_at IS NULL
        """,
        str(giver),
        str(receiver),
    )
    if begun is not None:
        return begun
    items = await connection.fetch(
        f"""
        SELECT id FROM item WHERE holder = $1 AND {IN_HAND} AND bag IS NULL
            AND {_PROMISED.format(to="$2::text[]")} ORDER BY id
        """,  # noqa: S608 - constants
        str(giver),
        [str(receiver), str(to or receiver)],
    )
    if not items:
        raise NotFound
    return await _write(connection, id, actor, way, giver, receiver, items, None)


_PROMISED = """(released_to = ANY({to}) OR (stage IN ('out_for_delivery', 'attempted',
    'in_transit') AND bound_for = ANY({to})))"""
"""In SQL: what a giver has announced, by a promise or by where he takes it."""


def _receiver(actor: Actor, to: Party | None) -> Party:
    """Say for whom he receives: a carrier for himself, others for their place.

    An officer takes for his agency even what was promised to himself.
    """
    if actor.role is Role.CARRIER:
        return actor.party
    if to is not None and to not in _mine(actor):
        raise NotYourPlace
    own = actor.role is Role.OFFICER and to == actor.party
    receiver = actor.place if own or to is None else to
    if receiver is None:
        raise NotYourPlace
    return receiver


async def _write(
    connection: Connection,
    id: UUID,
    actor: Actor,
    way: Way,
    giver: Party,
    receiver: Party,
    items: Sequence[Record],
    bag: str | None,
) -> UUID:
    limit = settings().MAX_SCANS_PER_LIST
    if len(items) > limit:
        raise TooManyScans(found=len(items), limit=limit)
    await connection.execute(
        """
        INSERT INTO handover (id, bag, giver, receiver, way, begun_by, begun_at,
            seal_broken, note)
        VALUES ($1, $2, $3, $4, $5, $6, now(), false, '')
        """,
        id,
        bag,
        str(giver),
        str(receiver),
        way.value,
        actor.staff,
    )
    await connection.execute(
        """
        INSERT INTO handover_line (handover, item, announced, note)
        SELECT $1, item, true, '' FROM unnest($2::bigint[]) AS item
        """,
        id,
        [row["id"] for row in items],
    )
    return id


# Finding out


async def count(
    id: UUID,
    actor: Actor,
    counted: int,
    seal_no: str | None = None,
    seal_broken: bool = False,
) -> Session:
    """Say how many there are before seeing the list, and how the seal looks.

    A count is said once: what comes to light afterwards is explained, not adjusted.
    """
    if not 0 <= counted <= MOST_COUNTED:
        why = Problem("counted", "Write how many there are.", "Hãy ghi số đã đếm.")
        raise BadInput((why,))
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        _still_open(row)
        if row["counted"] not in (None, counted):
            raise Conflict(
                why=f"{row['counted']} were counted before",
                why_vi=f"đã ghi số đếm là {row['counted']}",
            )
        if row["counted"] is None:
            await connection.execute(
                """
                UPDATE handover SET counted = $2, counted_at = now(), seal_no = $3,
                    seal_broken = $4
                WHERE id = $1
                """,
                id,
                counted,
                (seal_no or "").strip()[:20] or None,
                seal_broken,
            )
    return await session(id, actor)


async def see(id: UUID, actor: Actor, text: str) -> Line:
    """Scan an item on the table: it is there, or a line is added for it.

    An item of the list that is addressed here is then present; of any other the
    receiver has yet to say what it is. Raises the errors of ``labels.parse_code``,
    ``ForgedLabel`` or ``UnknownWaybill``.
    """
    code = parse_code(text)
    if code.kind == "bag":
        raise ForeignCode(text)
    if code.tag is not None and not genuine(code):
        raise ForgedLabel(code.waybill)
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        _still_open(row)
        _counted(row)
        item = await connection.fetchval(
            "SELECT item FROM label WHERE waybill = $1", code.waybill
        )
        if item is None:
            raise UnknownWaybill(code.waybill)
        await connection.execute(
            """
            INSERT INTO handover_line (handover, item, announced, note)
            VALUES ($1, $2, false, '') ON CONFLICT (handover, item) DO NOTHING
            """,
            id,
            item,
        )
        line = (await _lines(connection, row, item))[0]
        # Found after all: what was said to be missing is no longer.
        if line.announced and not line.astray and line.outcome is not Found.PRESENT:
            await _settle(connection, row, actor, [Said(line.waybill, Found.PRESENT)])
            line = (await _lines(connection, row, item))[0]
    return line


async def settle(id: UUID, actor: Actor, said: Sequence[Said]) -> Session:
    """Say what became of items; nothing is kept unless all can be.

    Raises ``BadInput`` that names each that lacks a reason.
    """
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        _still_open(row)
        _counted(row)
        await _settle(connection, row, actor, said)
    return await session(id, actor)


async def finish(
    id: UUID, actor: Actor, mode: Mode, said: Sequence[Said] = (), note: str = ""
) -> Session:
    """End a session: custody of what is there moves, what is missing is reported.

    ``rollback``: with any difference nothing moves. Safe to repeat. Raises ``BadInput``
    naming every item that nothing was said of and every difference without a reason.
    """
    told: list[int] = []
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        if row["ended_at"] is None:
            _counted(row)
            await _settle(connection, row, actor, said)
            lines = await _lines(connection, row)
            _complete(row, lines, note)
            differs = any(line.outcome is not Found.PRESENT for line in lines)
            undone = mode is Mode.ROLLBACK and differs
            if not undone:
                told = await _accept(connection, row, actor, lines)
            await connection.execute(
                """
                UPDATE handover SET mode = $2, ending = $3, ended_at = now(),
                    ended_by = $4, note = $5
                WHERE id = $1
                """,
                id,
                mode.value,
                "rolled_back" if undone else "accepted",
                actor.staff,
                note.strip()[:240],
            )
    await outgoing.poke(told)
    return await session(id, actor)


async def cancel(id: UUID, actor: Actor) -> Session:
    """Leave off: nothing moves, and it can be begun anew."""
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        _still_open(row)
        await connection.execute(
            """
            UPDATE handover SET ending = 'cancelled', ended_at = now(), ended_by = $2
            WHERE id = $1
            """,
            id,
            actor.staff,
        )
    return await session(id, actor)


async def _locked(connection: Connection, id: UUID, actor: Actor) -> Record:
    """Lock a session for its receiver; ``NotFound`` for anyone else."""
    row = await connection.fetchrow(
        "SELECT * FROM handover WHERE id = $1 FOR UPDATE", id
    )
    if row is None or Party.parse(row["receiver"]) not in _mine(actor):
        raise NotFound
    if actor.role not in RECEIVERS:
        raise NotAllowed
    return row


def _still_open(row: Record) -> None:
    if row["ended_at"] is not None:
        raise Conflict(why="it has ended", why_vi="phiên nhận đã kết thúc")


def _counted(row: Record) -> None:
    if row["way"] == Way.COUNT and row["counted"] is None:
        raise Conflict(why="count first", why_vi="hãy đếm trước")


async def _settle(
    connection: Connection, row: Record, actor: Actor, said: Iterable[Said]
) -> None:
    lines = {line.waybill: line for line in await _lines(connection, row)}
    told = list(said)
    if problems := [p for each in told if (p := _unfit(each, lines))]:
        raise BadInput(tuple(problems))
    await connection.execute(
        """
        UPDATE handover_line AS l SET outcome = n.outcome, reason = n.reason,
            note = n.note, said_by = $6, said_at = now()
        FROM unnest($2::bpchar[], $3::text[], $4::text[], $5::text[])
            AS n (waybill, outcome, reason, note)
        JOIN item i ON i.waybill = n.waybill
        WHERE l.handover = $1 AND l.item = i.id
        """,
        row["id"],
        [each.waybill for each in told],
        [each.outcome.value for each in told],
        [
            each.reason.value
            if each.reason and each.outcome is not Found.PRESENT
            else None
            for each in told
        ],
        [each.note.strip()[:240] for each in told],
        actor.staff,
    )


def _unfit(said: Said, lines: dict[str, Line]) -> Problem | None:
    """Say what is wrong with what is said of one item."""
    line = lines.get(said.waybill)
    if line is None:
        return Problem(said.waybill, "Scan it first.", "Hãy quét bưu gửi này trước.")
    listed = said.outcome in (Found.PRESENT, Found.MISSING)
    if said.outcome is not Found.MISROUTED and listed != line.announced:
        return Problem(
            said.waybill,
            "This is on the list." if line.announced else "This is not on the list.",
            "Bưu gửi có trong danh sách."
            if line.announced
            else "Bưu gửi không có trong danh sách.",
        )
    if said.outcome is Found.PRESENT:
        return None
    if said.reason not in WHY[said.outcome]:
        return Problem(said.waybill, "Give a reason.", "Hãy ghi lý do.")
    if said.reason is Reason.OTHER and not said.note.strip():
        return Problem(
            said.waybill, "Say which other reason.", "Hãy ghi rõ lý do khác."
        )
    return None


def _complete(row: Record, lines: Sequence[Line], note: str) -> None:
    """Raise ``BadInput`` naming all that keeps a session from ending."""
    problems = [
        Problem(
            line.waybill,
            "Say whether it is there.",
            "Hãy cho biết có bưu gửi này hay không.",
        )
        for line in lines
        if line.outcome is None
    ]
    there = sum(line.outcome not in (None, Found.MISSING) for line in lines)
    if row["counted"] not in (None, there) and not note.strip() and not problems:
        problems.append(
            Problem(
                "note",
                f"You counted {row['counted']} and found {there}: say why.",
                f"Đã đếm {row['counted']}, tìm thấy {there}: hãy ghi lý do.",
            )
        )
    if problems:
        raise BadInput(tuple(problems))


async def _accept(
    connection: Connection, row: Record, actor: Actor, lines: Sequence[Line]
) -> list[int]:
    """Move custody of what is there and report what is missing, in one list.

    The ids of the texts that are due.
    """
    bag = None
    if row["bag"] is not None:
        bag = (await bags.lock(connection, [row["bag"]]))[row["bag"]]
    stages = await connection.fetch(
        """
        SELECT waybill, stage, sender, addressee, holder, bag FROM item
        WHERE waybill = ANY($1::bpchar[])
        """,
        [line.waybill for line in lines],
    )
    known = {each["waybill"]: each for each in stages}
    scans = [
        scan
        for line in lines
        for scan in _scans(row, actor, line, known[line.waybill], bag)
    ]
    outcomes, told = await write_down(scans)
    if refused := [outcome for outcome in outcomes if outcome.error is not None]:
        raise _refusal(refused)
    if bag is not None:
        await connection.execute(
            """
            UPDATE bag SET opened_at = now(), opened_by = $2, holder = $3,
                since = now(), released_to = NULL, released_at = NULL
            WHERE number = $1
            """,
            bag.number,
            actor.staff,
            row["receiver"],
        )
    return told


def _refusal(refused: Sequence[Outcome]) -> BadInput:
    return BadInput(
        tuple(Problem.of(o.waybill, o.error) for o in refused if o.error is not None)
    )


def _scans(
    row: Record, actor: Actor, line: Line, now: Record, bag: Bag | None
) -> list[Scan]:
    """Say of one item, in scans, what the session found."""
    receiver = Party.parse(row["receiver"])
    facts: dict[str, Any] = {
        "code": line.waybill,
        "at": datetime.now(UTC),
        "actor": actor,
        "place": receiver if receiver.kind is not PartyKind.STAFF else None,
        "device": "handover",
        "note": line.note,
    }
    number = bag.number if bag and line.announced else None

    def scan(step: Step, order: int, **more: Any) -> Scan:
        id = scan_id(row["id"], line.waybill, step)
        return Scan(id=id, step=step, device_seq=order, **facts | more)

    if line.outcome is Found.MISSING:
        return [scan(Step.MISSED, 0, reason=line.reason, bag=number)]
    seen = _seen(line)
    other_seal = bool(
        bag and number and row["seal_no"] and row["seal_no"] != bag.seal_no
    )
    broken = bool(number and row["seal_broken"]) or other_seal
    said = []
    if now["holder"] != str(receiver) or number is None:
        step = _step(actor, receiver, now)
        said.append(scan(step, 0, bag=number, seen=seen, seal_broken=broken))
        seen, broken = (), False
    if number is not None and now["bag"] == number:
        said.append(scan(Step.UNPACKED, 1, bag=number, seen=seen, seal_broken=broken))
    return said


def scan_id(session: UUID, waybill: str, step: Step) -> UUID:
    """Name the line that a session writes of an item: the same however often."""
    return uuid5(session, f"{waybill}:{step.value}")


def _seen(line: Line) -> tuple[Kind, ...]:
    kinds = []
    if not line.announced:
        kinds.append(Kind.NOT_LISTED)
    if line.outcome is Found.MISROUTED:
        kinds.append(Kind.MISROUTED)
    return tuple(kinds)


def _step(actor: Actor, receiver: Party, now: Record) -> Step:
    """Say by which step this receiver takes this item over."""
    if actor.role is Role.OFFICER:
        back = now["addressee"] == str(CITIZEN) and now["sender"] == str(receiver)
        return Step.RETURNED if back else Step.RECEIVED
    counter = receiver.kind is PartyKind.OFFICE
    if now["stage"] == Stage.READY and (counter or actor.role is Role.CARRIER):
        return Step.ACCEPTED
    # What was promised to a clerk himself is his, and not his counter's.
    return Step.ARRIVED if counter else Step.TAKEN


# Looking


async def _lines(
    connection: Connection, row: Record, item: int | None = None
) -> list[Line]:
    rows = await connection.fetch(
        """
        SELECT i.waybill, l.announced, l.outcome, l.reason, l.note, i.addressee,
            i.holder, i.sender
        FROM handover_line l JOIN item i ON i.id = l.item
        WHERE l.handover = $1 AND ($2::bigint IS NULL OR l.item = $2)
        ORDER BY NOT l.announced, i.waybill
        """,
        row["id"],
        item,
    )
    receiver = Party.parse(row["receiver"])
    return [_line(each, receiver) for each in rows]


def _line(row: Record, receiver: Party) -> Line:
    agency = receiver.kind is PartyKind.AGENCY
    ours = str(receiver) in (row["addressee"], row["sender"])
    return Line(
        waybill=row["waybill"],
        announced=row["announced"],
        outcome=Found(row["outcome"]) if row["outcome"] else None,
        reason=Reason(row["reason"]) if row["reason"] else None,
        note=row["note"],
        addressee=Party.parse(row["addressee"]),
        holder=Party.parse(row["holder"]),
        astray=agency and not ours,
    )


async def session(id: UUID, actor: Actor) -> Session:
    """Look at a session as its receiver or its giver; ``NotFound`` for anyone else.

    While the receiver is to count blindly nobody is shown what was announced.
    """
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT h.*, b.seal_no AS agreed FROM handover h
            LEFT JOIN bag b ON b.number = h.bag WHERE h.id = $1
            """,
            id,
        )
        if row is None or not _concerns(actor, row):
            raise NotFound
        blind = row["way"] == Way.COUNT and row["counted"] is None
        lines = None if blind else await _lines(connection, row)
    parties = {Party.parse(row["giver"]), Party.parse(row["receiver"])}
    parties |= {line.addressee for line in lines or ()}
    if row["ended_by"]:
        parties.add(Party(PartyKind.STAFF, row["ended_by"]))
    return _session(row, lines, await names(parties))


def _concerns(actor: Actor, row: Record) -> bool:
    if actor.role in (Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN) and not actor.places:
        return True
    parties = {Party.parse(row["giver"]), Party.parse(row["receiver"])}
    return bool(parties & _mine(actor))


def _session(
    row: Record, lines: list[Line] | None, known: dict[Party, Named]
) -> Session:
    return Session(
        id=row["id"],
        bag=row["bag"],
        giver=Party.parse(row["giver"]),
        receiver=Party.parse(row["receiver"]),
        way=Way(row["way"]),
        begun_at=row["begun_at"],
        counted=row["counted"],
        seal_no=row["seal_no"],
        seal_broken=row["seal_broken"],
        seal_agreed=row["agreed"] if lines is not None else None,
        mode=Mode(row["mode"]) if row["mode"] else None,
        ending=row["ending"],
        ended_at=row["ended_at"],
        ended_by=Party(PartyKind.STAFF, row["ended_by"]) if row["ended_by"] else None,
        note=row["note"],
        lines=lines,
        names=known,
    )


async def waiting(actor: Actor) -> Waiting:
    """List bags and piles that wait for the actor's word, the oldest first."""
    mine = [str(party) for party in _mine(actor)]
    to = mine if actor.role is not Role.CARRIER else [str(actor.party)]
    async with transaction() as connection:
        piles = await connection.fetch(
            f"""
            SELECT holder, coalesce(released_to, bound_for) AS receiver,
                count(*) AS items, min(coalesce(released_at, since)) AS since
            FROM item WHERE {_PROMISED.format(to="$1::text[]")} AND {IN_HAND}
                AND bag IS NULL AND holder <> 'citizen' AND NOT holder = ANY($1::text[])
            GROUP BY 1, 2 ORDER BY 4 LIMIT {LISTED}
            """,  # noqa: S608 - constants
            to,
        )
        rows = await connection.fetch(
            f"""
            SELECT h.*, NULL AS agreed FROM handover h
            WHERE receiver = ANY($1::text[]) OR giver = ANY($1::text[])
            ORDER BY ended_at IS NOT NULL, begun_at DESC LIMIT {LISTED}
            """,  # noqa: S608 - constants
            mine,
        )
    found, _ = await bags.listed(actor)
    coming = [
        look.bag
        for look in found
        if not look.bag.loose
        and {look.bag.destination, look.bag.released_to} & _mine(actor)
    ]
    heaps = [
        Pile(
            Party.parse(each["holder"]),
            Party.parse(each["receiver"]),
            each["items"],
            each["since"],
        )
        for each in piles
    ]
    sessions = [_session(row, None, {}) for row in rows]
    parties = {p for heap in heaps for p in (heap.giver, heap.receiver)}
    parties |= {p for one in sessions for p in (one.giver, one.receiver)}
    parties |= {p for bag in coming for p in (bag.origin, bag.destination, bag.holder)}
    return Waiting(
        bags=coming,
        piles=heaps,
        open=[one for one in sessions if one.ended_at is None],
        ended=[one for one in sessions if one.ended_at is not None],
        names=await names(parties),
    )
