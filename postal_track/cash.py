"""Cash: taken at a door, held by a carrier, handed in, counted, taken to the bank.

The law is that of custody: a carrier answers for what he took until a cashier counted
it. The carrier says how much, the cashier counts without knowing it, and a difference
has a reason and somebody else's agreement. What is missing stays with the carrier until
a supervisor lets it go, with a reason. Knows no HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import payments
from postal_track.boards import midnight
from postal_track.custody import Party, PartyKind, Role
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import (
    BadInput,
    Conflict,
    ForeignCode,
    NotAllowed,
    NotFound,
    PostalTrackError,
    Problem,
)
from postal_track.labels import parse_code
from postal_track.orders import plain
from postal_track.payments import CASHIERS, LONGEST_TEXT, Credit
from postal_track.staff import Actor

TAKERS = frozenset({Role.CARRIER, Role.CLERK, Role.SUPERVISOR})
"""Who may take cash: a carrier holds it himself, others put it into their drawer."""

LARGEST = 100_000_000
"""VND that may be told of at once. What is more was mistyped."""

LONGEST_REASON = 240
LISTED = 200


# Taken


@dataclass(frozen=True, slots=True)
class Taken:
    """Cash that somebody took for an item. ``id`` is the device's own: twice is once.

    ``code`` is whatever a scanner read.
    """

    id: UUID
    code: str
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it: written now, before, or refused.

    ``over``: what of it nothing was owed for. It is written all the same, and to be
    given back.
    """

    id: UUID
    new: bool = False
    over: int = 0
    error: PostalTrackError | None = None


async def take(taken: Sequence[Taken], actor: Actor) -> list[Answer]:
    """Write down cash that was taken; answer each, in the same order.

    Safe to repeat. What was taken is written even when nothing was owed, or when nobody
    knows the item: it is in somebody's hands. Refused are only amounts that cannot be,
    and who may not take cash.
    """
    if actor.role not in TAKERS or actor.office is None:
        return [Answer(each.id, error=NotAllowed()) for each in taken]
    method = "cash" if actor.role is Role.CARRIER else "cashier"
    answers: dict[UUID, Answer] = {}
    good = []
    for each in taken:
        if 0 < each.amount <= LARGEST:
            good.append(each)
        else:
            answers[each.id] = Answer(each.id, error=BadInput((_implausible(),)))
    now = datetime.now(UTC)
    async with transaction() as connection:
        dossiers = await _dossiers(connection, good)
        credits = [
            Credit(
                method=method,
                reference=str(each.id),
                amount=each.amount,
                at=min(each.at, now),
                via="person",
                text="" if each.code in dossiers else plain(each.code)[:LONGEST_TEXT],
                by=actor.staff,
                office=actor.office,
                dossier=dossiers.get(each.code),
            )
            for each in good
        ]
        told, texts = await payments.book(connection, credits, now)
    await payments.spread(told, texts)
    for each, booked in zip(good, told, strict=True):
        if booked.differs:
            error = Conflict(
                "this cash was told before with another amount",
                "khoản tiền mặt này đã được báo với số tiền khác",
            )
            answers[each.id] = Answer(each.id, error=error)
        else:
            over = booked.amount - booked.given if booked.new else 0
            answers[each.id] = Answer(each.id, booked.new, over)
    return [answers[each.id] for each in taken]


def _implausible() -> Problem:
    return Problem("amount", "The amount is not plausible.", "Số tiền không hợp lý.")


async def _dossiers(connection: Connection, taken: Sequence[Taken]) -> dict[str, int]:
    waybills = {}
    for each in taken:
        try:
            waybills[each.code] = parse_code(each.code).waybill
        except (ForeignCode, ValueError):
            continue
    rows = await connection.fetch(
        """
        SELECT l.waybill, i.dossier FROM label l JOIN item i ON i.id = l.item
        WHERE l.waybill = ANY($1::text[])
        """,
        sorted(set(waybills.values())),
    )
    known = {row["waybill"]: row["dossier"] for row in rows}
    return {code: known[one] for code, one in waybills.items() if one in known}


# Held


@dataclass(frozen=True, slots=True)
class Piece:
    """Cash for one dossier. ``waybill`` is empty when nobody knows the item."""

    waybill: str
    amount: int
    at: datetime
    over: int


@dataclass(frozen=True, slots=True)
class HandIn:
    """One heap of cash that goes from a carrier to a cashier."""

    id: UUID
    carrier: Party
    said: int | None
    said_at: datetime | None
    counted: int | None
    counted_at: datetime | None
    cashier: Party | None
    reason: str
    agreed_by: Party | None
    ended: bool

    @property
    def difference(self) -> int:
        """How much more was counted than said."""
        return (self.counted or 0) - (self.said or 0)

    @property
    def state(self) -> "HandInState":
        """Where it stands."""
        if self.ended:
            return HandInState.ENDED
        if self.counted is None:
            return HandInState.RELEASED
        return HandInState.AGREE if self.reason else HandInState.EXPLAIN


class HandInState(StrEnum):
    """What a hand-in waits for."""

    RELEASED = "released"  # -> explain or ended: the cashier counts
    EXPLAIN = "explain"  # -> agree: the cashier says why it differs
    AGREE = "agree"  # -> ended: the carrier, or a supervisor, agrees
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Held:
    """What a carrier holds in cash: altogether, since he last handed in, and under way.

    ``last``: his newest hand-in, if any.
    """

    total: int
    pieces: list[Piece]
    last: HandIn | None
    names: dict[Party, Named]


_HELD = """
    SELECT s.id,
        (SELECT coalesce(sum(p.amount), 0) FROM payment p
            WHERE p.by = s.id AND p.method = 'cash')::bigint AS taken,
        (SELECT coalesce(sum(h.counted), 0) FROM cash_hand_in h
            WHERE h.carrier = s.id)::bigint AS given,
        (SELECT coalesce(sum(x.amount), 0) FROM cash_difference x
            WHERE x.carrier = s.id)::bigint AS settled
    FROM staff s
"""
"""What was taken, handed in and settled otherwise; what is held is what remains."""


async def total(actor: Actor) -> int:
    """Tell how much cash somebody holds."""
    async with transaction() as connection:
        return await _total(connection, actor.staff)


async def _total(connection: Connection, staff: int) -> int:
    row = await connection.fetchrow(f"{_HELD} WHERE s.id = $1", staff)
    return int(row["taken"] - row["given"] + row["settled"])


async def held(actor: Actor) -> Held:
    """Tell a carrier what he holds in cash, and how his last hand-in stands."""
    if actor.role is not Role.CARRIER:
        raise NotAllowed
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT p.amount, p.at, p.amount - p.settled AS over,
                coalesce((SELECT waybill FROM item WHERE dossier = p.dossier
                    ORDER BY id DESC LIMIT 1), '') AS waybill
            FROM payment p WHERE p.by = $1 AND p.method = 'cash'
                AND p.recorded_at > coalesce((SELECT max(counted_at)
                    FROM cash_hand_in WHERE carrier = $1), '-infinity')
            ORDER BY p.at DESC LIMIT 200
            """,
            actor.staff,
        )
        last = await connection.fetchrow(
            """
            SELECT * FROM cash_hand_in WHERE carrier = $1 AND recalled_at IS NULL
            ORDER BY coalesce(said_at, counted_at) DESC LIMIT 1
            """,
            actor.staff,
        )
        holding = await _total(connection, actor.staff)
    seen = _hand_in(last) if last else None
    parties = {p for p in (seen.cashier, seen.agreed_by) if p} if seen else set()
    return Held(
        holding,
        [Piece(row["waybill"], row["amount"], row["at"], row["over"]) for row in rows],
        seen,
        await names(parties),
    )


def _hand_in(row: Record) -> HandIn:
    return HandIn(
        row["id"],
        Party(PartyKind.STAFF, row["carrier"]),
        row["said"],
        row["said_at"],
        row["counted"],
        row["counted_at"],
        _staff(row["cashier"]),
        row["reason"],
        _staff(row["agreed_by"]),
        row["ended_at"] is not None,
    )


def _staff(number: int | None) -> Party | None:
    return Party(PartyKind.STAFF, number) if number else None


# Handed in


async def release(id: UUID, amount: int, actor: Actor) -> None:
    """Say how much cash one brings to one's office. Nothing moves by it yet.

    ``id`` is the form's own. Raises ``NotAllowed``, ``BadInput``, and ``Conflict`` when
    a heap waits to be counted already.
    """
    if actor.role is not Role.CARRIER or actor.office is None:
        raise NotAllowed
    if not 0 < amount <= LARGEST:
        raise BadInput((_implausible(),))
    async with transaction() as connection:
        await _alone(connection, f"cash:{actor.staff}")
        waits = await connection.fetchrow(
            """
            SELECT id FROM cash_hand_in WHERE id = $1 OR (carrier = $2
                AND ended_at IS NULL AND recalled_at IS NULL AND counted IS NULL)
            ORDER BY id = $1 DESC
            """,
            id,
            actor.staff,
        )
        if waits and waits["id"] == id:
            return
        if waits:
            raise Conflict(
                "cash of yours waits to be counted already",
                "đã có một khoản tiền mặt của bạn đang chờ đếm",
            )
        await connection.execute(
            """
            INSERT INTO cash_hand_in (id, carrier, office, said, said_at, reason)
            VALUES ($1, $2, $3, $4, now(), '')
            """,
            id,
            actor.staff,
            actor.office,
            amount,
        )


async def recall(id: UUID, actor: Actor) -> None:
    """Take a word back that nobody has counted after. ``NotFound``, ``Conflict``."""
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        if row["carrier"] != actor.staff:
            raise NotFound
        if row["recalled_at"]:
            return
        if row["counted"] is not None:
            raise _counted_already()
        await connection.execute(
            "UPDATE cash_hand_in SET recalled_at = now() WHERE id = $1", id
        )


def _counted_already() -> Conflict:
    return Conflict(
        "the cash was counted in the meantime", "khoản tiền này vừa được đếm"
    )


async def count(id: UUID, carrier: int, counted: int, actor: Actor) -> HandIn:
    """Write what a cashier counted, before he learns what was said; how it stands.

    ``id`` is the hand-in's, or a new form's when the carrier announced nothing. What
    was counted is the cashier's from now on. Counted alike by both, it has ended.
    """
    if actor.role not in CASHIERS or actor.office is None:
        raise NotAllowed
    if not 0 <= counted <= LARGEST:
        raise BadInput((_implausible(),))
    async with transaction() as connection:
        await _alone(connection, f"cash:{carrier}")
        row = await connection.fetchrow(
            "SELECT * FROM cash_hand_in WHERE id = $1 AND office = $2 FOR UPDATE",
            id,
            actor.office,
        )
        if row is None:
            await _new_heap(connection, id, carrier, counted, actor)
        elif row["recalled_at"]:
            raise Conflict(
                "the carrier took his word back", "bưu tá đã rút lại khoản nộp này"
            )
        elif row["counted"] is None:
            await connection.execute(
                """
                UPDATE cash_hand_in SET counted = $2, counted_at = now(), cashier = $3,
                    ended_at = CASE WHEN said = $2 THEN now() END WHERE id = $1
                """,
                id,
                counted,
                actor.staff,
            )
        elif (row["counted"], row["cashier"]) != (counted, actor.staff):
            raise _counted_already()
        return _hand_in(
            await connection.fetchrow("SELECT * FROM cash_hand_in WHERE id = $1", id)
        )


async def _new_heap(
    connection: Connection, id: UUID, carrier: int, counted: int, actor: Actor
) -> None:
    """Count what a carrier of this office brought without a word."""
    ours = await connection.fetchval(
        "SELECT true FROM staff WHERE id = $1 AND office = $2 AND role = 'carrier'",
        carrier,
        actor.office,
    )
    if not ours:
        raise NotFound
    waits = await connection.fetchval(
        """
        SELECT true FROM cash_hand_in WHERE carrier = $1 AND ended_at IS NULL
            AND recalled_at IS NULL AND counted IS NULL
        """,
        carrier,
    )
    if waits:
        raise Conflict(
            "the carrier has just announced his cash", "bưu tá vừa báo nộp tiền"
        )
    await connection.execute(
        """
        INSERT INTO cash_hand_in (id, carrier, office, counted, counted_at, cashier,
            reason)
        VALUES ($1, $2, $3, $4, now(), $5, '')
        """,
        id,
        carrier,
        actor.office,
        counted,
        actor.staff,
    )


async def explain(id: UUID, reason: str, actor: Actor) -> None:
    """Say why what was counted is not what was said. Said once.

    Raises ``NotAllowed``, ``NotFound``, ``BadInput`` and ``Conflict``.
    """
    if actor.role not in CASHIERS:
        raise NotAllowed
    reason = plain(reason)[:LONGEST_REASON]
    if not reason:
        raise BadInput((Problem("reason", "Say why.", "Hãy ghi lý do."),))
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        if row["counted"] is None or row["ended_at"] or row["reason"]:
            raise Conflict(
                "there is nothing to explain any more", "không còn gì phải giải trình"
            )
        await connection.execute(
            "UPDATE cash_hand_in SET reason = $2 WHERE id = $1", id, reason
        )


async def agree(id: UUID, actor: Actor) -> None:
    """Agree to a count that differs, and to its reason: the carrier, or a supervisor.

    Never the cashier himself. Raises ``NotAllowed``, ``NotFound`` and ``Conflict``.
    """
    async with transaction() as connection:
        row = await _locked(connection, id, actor)
        own = row["carrier"] == actor.staff
        if not own and actor.role is not Role.SUPERVISOR:
            raise NotAllowed
        if row["cashier"] == actor.staff:
            raise NotAllowed
        if row["ended_at"]:
            return
        if row["counted"] is None or not row["reason"]:
            raise Conflict(
                "it was not counted or explained yet",
                "khoản này chưa được đếm hoặc chưa ghi lý do",
            )
        await connection.execute(
            """
            UPDATE cash_hand_in SET agreed_by = $2, ended_at = now() WHERE id = $1
            """,
            id,
            actor.staff,
        )


async def _locked(connection: Connection, id: UUID, actor: Actor) -> Record:
    """Lock a hand-in of one's own or of one's office."""
    row = await connection.fetchrow(
        """
        SELECT * FROM cash_hand_in WHERE id = $1
            AND (carrier = $2 OR office = $3 OR $4) FOR UPDATE
        """,
        id,
        actor.staff,
        actor.office if actor.role in CASHIERS else None,
        actor.role is Role.SUPERVISOR and actor.office is None,
    )
    if row is None:
        raise NotFound
    return row


async def _alone(connection: Connection, what: str) -> None:
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", what
    )


async def let_go(id: UUID, carrier: int, amount: int, why: str, actor: Actor) -> None:
    """Settle what a carrier holds by the books and not in his hands, or has too much.

    ``amount`` is added to what he holds: less than nothing lets him go. Only a
    supervisor, with a reason. Raises ``NotAllowed``, ``NotFound`` and ``BadInput``.
    """
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    why = plain(why)[:LONGEST_REASON]
    problems = []
    if not why:
        problems.append(Problem("why", "Say why.", "Hãy ghi lý do."))
    if not 0 < abs(amount) <= LARGEST:
        problems.append(_implausible())
    if problems:
        raise BadInput(tuple(problems))
    async with transaction() as connection:
        ours = await connection.fetchval(
            """
            SELECT true FROM staff WHERE id = $1 AND role = 'carrier'
                AND ($2::int IS NULL OR office = $2)
            """,
            carrier,
            actor.office,
        )
        if not ours:
            raise NotFound
        await connection.execute(
            """
            INSERT INTO cash_difference (id, carrier, amount, why, by, at)
            VALUES ($1, $2, $3, $4, $5, now()) ON CONFLICT (id) DO NOTHING
            """,
            id,
            carrier,
            amount,
            why,
            actor.staff,
        )


# The drawer


async def close(id: UUID, counted: int, why: str, deposit: str, actor: Actor) -> int:
    """Count an office's drawer and take it to the bank; how much more than expected.

    Raises ``NotAllowed``, ``BadInput``: a difference needs a reason.
    """
    if actor.role not in CASHIERS or actor.office is None:
        raise NotAllowed
    why, deposit = plain(why)[:LONGEST_REASON], plain(deposit)[:80]
    async with transaction() as connection:
        await _alone(connection, f"drawer:{actor.office}")
        before = await connection.fetchrow(
            "SELECT counted - expected AS more FROM cash_close WHERE id = $1", id
        )
        if before:
            return int(before["more"])
        expected = await _drawer(connection, actor.office)
        problems = []
        if not 0 <= counted <= 10 * LARGEST:
            problems.append(
                Problem(
                    "counted", "The amount is not plausible.", "Số tiền không hợp lý."
                )
            )
        elif counted != expected and not why:
            problems.append(_differs(counted - expected))
        if problems:
            raise BadInput(tuple(problems))
        await connection.execute(
            """
            INSERT INTO cash_close (id, office, expected, counted, why, deposit, by, at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, now())
            """,
            id,
            actor.office,
            expected,
            counted,
            why,
            deposit,
            actor.staff,
        )
    return counted - expected


def _differs(more: int) -> Problem:
    shown = f"{abs(more):,}".replace(",", ".")
    return Problem(
        "why",
        f"{shown} VND {'too much' if more > 0 else 'are missing'}: say why.",
        f"{'Thừa' if more > 0 else 'Thiếu'} {shown} đồng: hãy ghi lý do.",
    )


async def _drawer(connection: Connection, office: int) -> int:
    """Tell what an office's drawer holds by the books."""
    row = await connection.fetchval(
        """
        SELECT (SELECT coalesce(sum(counted), 0) FROM cash_hand_in WHERE office = $1)
            + (SELECT coalesce(sum(amount), 0) FROM payment
                WHERE office = $1 AND method = 'cashier')
            - (SELECT coalesce(sum(amount), 0) FROM refund WHERE office = $1)
            - (SELECT coalesce(sum(expected), 0) FROM cash_close WHERE office = $1)
        """,
        office,
    )
    return int(row)


# A day


@dataclass(frozen=True, slots=True)
class Purse:
    """A carrier's cash on one day, and what he holds now."""

    carrier: Party
    taken: int
    pieces: int
    given: int
    holds: int


@dataclass(frozen=True, slots=True)
class Close:
    """A drawer that was counted."""

    office: Party
    expected: int
    counted: int
    why: str
    deposit: str
    by: Party
    at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """A difference that a supervisor settled."""

    carrier: Party
    amount: int
    why: str
    by: Party
    at: datetime


@dataclass(frozen=True, slots=True)
class Drawer:
    """What one office's cash came to on a day. ``holds``: by the books, now."""

    office: Party
    counter: int
    handed_in: int
    refunded: int
    holds: int


@dataclass(frozen=True, slots=True)
class Day:
    """The cash of one day, of an office or of all."""

    day: date
    drawers: list[Drawer]
    purses: list[Purse]
    hand_ins: list[HandIn]
    closes: list[Close]
    settled: list[Settled]
    names: dict[Party, Named]


DAY_READERS = frozenset({Role.CLERK, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR})


async def day(actor: Actor, on: date) -> Day:
    """Tell the cash of a day: a clerk's or supervisor's office, else all.

    Who may count a heap is not told what its carrier holds before he has.
    """
    if actor.role not in DAY_READERS:
        raise NotAllowed
    since, until = midnight(on), midnight(on + timedelta(days=1))
    span = (since, until, actor.office)
    counts = actor.role in CASHIERS and actor.office is not None
    async with transaction() as connection:
        purses = await connection.fetch(_PURSES, *span, counts)
        hand_ins = await connection.fetch(_HAND_INS, *span)
        closes = await connection.fetch(_CLOSES, *span)
        settled = await connection.fetch(_SETTLED, *span)
        drawers = await connection.fetch(_DRAWERS, *span)
        offices = [
            Drawer(
                Party(PartyKind.OFFICE, row["id"]),
                row["counter"],
                row["handed_in"],
                row["refunded"],
                await _drawer(connection, row["id"]),
            )
            for row in drawers
        ]
    told = Day(
        on,
        offices,
        [
            Purse(
                Party(PartyKind.STAFF, row["id"]),
                row["taken_today"],
                row["pieces"],
                row["given_today"],
                row["taken"] - row["given"] + row["settled"],
            )
            for row in purses
        ],
        [_hand_in(row) for row in hand_ins],
        [
            Close(
                Party(PartyKind.OFFICE, row["office"]),
                row["expected"],
                row["counted"],
                row["why"],
                row["deposit"],
                Party(PartyKind.STAFF, row["by"]),
                row["at"],
            )
            for row in closes
        ],
        [
            Settled(
                Party(PartyKind.STAFF, row["carrier"]),
                row["amount"],
                row["why"],
                Party(PartyKind.STAFF, row["by"]),
                row["at"],
            )
            for row in settled
        ],
        {},
    )
    told.names.update(await names(_parties(told)))
    return told


def _parties(told: Day) -> set[Party]:
    parties = {each.carrier for each in told.purses}
    parties |= {each.office for each in told.drawers}
    for heap in told.hand_ins:
        parties |= {p for p in (heap.carrier, heap.cashier, heap.agreed_by) if p}
    for one in told.closes:
        parties |= {one.office, one.by}
    for difference in told.settled:
        parties |= {difference.carrier, difference.by}
    return parties


_PURSES = f"""
    SELECT w.*,
        (SELECT coalesce(sum(p.amount), 0) FROM payment p WHERE p.by = w.id
            AND p.method = 'cash' AND p.at >= $1 AND p.at < $2)::bigint AS taken_today,
        (SELECT count(*) FROM payment p WHERE p.by = w.id
            AND p.method = 'cash' AND p.at >= $1 AND p.at < $2)::int AS pieces,
        (SELECT coalesce(sum(h.counted), 0) FROM cash_hand_in h WHERE h.carrier = w.id
            AND h.counted_at >= $1 AND h.counted_at < $2)::bigint AS given_today
    FROM ({_HELD} WHERE s.role = 'carrier' AND ($3::int IS NULL OR s.office = $3)
        AND (EXISTS (SELECT FROM payment p WHERE p.by = s.id AND p.method = 'cash')
            OR EXISTS (SELECT FROM cash_hand_in h WHERE h.carrier = s.id))) w
    WHERE (w.taken - w.given + w.settled <> 0
            OR EXISTS (SELECT FROM payment p WHERE p.by = w.id AND p.method = 'cash'
                AND p.at >= $1 AND p.at < $2)
            OR EXISTS (SELECT FROM cash_hand_in h WHERE h.carrier = w.id
                AND h.counted_at >= $1 AND h.counted_at < $2))
        AND NOT ($4 AND EXISTS (SELECT FROM cash_hand_in h WHERE h.carrier = w.id
            AND h.counted IS NULL AND h.recalled_at IS NULL))
    ORDER BY w.taken - w.given + w.settled DESC, w.id LIMIT {LISTED}
"""  # noqa: S608 - constants

# Of the day, and whatever still waits for somebody.
_HAND_INS = f"""
    SELECT * FROM cash_hand_in WHERE recalled_at IS NULL
        AND ($3::int IS NULL OR office = $3)
        AND (coalesce(counted_at, said_at) >= $1 AND coalesce(counted_at, said_at) < $2
            OR ended_at IS NULL AND coalesce(counted_at, said_at) < $2)
    ORDER BY ended_at IS NOT NULL, coalesce(counted_at, said_at) DESC LIMIT {LISTED}
"""  # noqa: S608 - a constant

_CLOSES = """
    SELECT * FROM cash_close WHERE at >= $1 AND at < $2
        AND ($3::int IS NULL OR office = $3) ORDER BY at DESC LIMIT 200
"""

_SETTLED = """
    SELECT x.* FROM cash_difference x JOIN staff s ON s.id = x.carrier
    WHERE x.at >= $1 AND x.at < $2 AND ($3::int IS NULL OR s.office = $3)
    ORDER BY x.at DESC LIMIT 200
"""

_DRAWERS = """
    SELECT * FROM (
        SELECT o.id,
            (SELECT coalesce(sum(p.amount), 0) FROM payment p WHERE p.office = o.id
                AND p.method = 'cashier' AND p.recorded_at >= $1
                AND p.recorded_at < $2)::bigint AS counter,
            (SELECT coalesce(sum(h.counted), 0) FROM cash_hand_in h
                WHERE h.office = o.id AND h.counted_at >= $1 AND h.counted_at < $2
            )::bigint AS handed_in,
            (SELECT coalesce(sum(r.amount), 0) FROM refund r
                WHERE r.office = o.id AND r.at >= $1 AND r.at < $2)::bigint AS refunded
        FROM office o WHERE NOT o.hub AND ($3::int IS NULL OR o.id = $3)
    ) d
    WHERE $3::int IS NOT NULL OR counter + handed_in + refunded > 0 ORDER BY id
"""


async def waiting(actor: Actor) -> list[HandIn]:
    """List what a cashier has to count, explain or see agreed to, the oldest first.

    What the carrier said is not told before it was counted.
    """
    if actor.role not in CASHIERS:
        raise NotAllowed
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT id, carrier, CASE WHEN counted IS NULL THEN NULL ELSE said END
                    AS said, said_at, counted, counted_at, cashier, reason, agreed_by,
                ended_at
            FROM cash_hand_in WHERE ended_at IS NULL AND recalled_at IS NULL
                AND ($1::int IS NULL OR office = $1)
            ORDER BY coalesce(counted_at, said_at) LIMIT {LISTED}
            """,  # noqa: S608 - a constant
            actor.office,
        )
    return [_hand_in(row) for row in rows]


async def carriers(actor: Actor) -> list[tuple[int, str]]:
    """List the carriers of a cashier's office, who may bring cash without a word."""
    if actor.role not in CASHIERS or actor.office is None:
        return []
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT id, name FROM staff s WHERE office = $1 AND role = 'carrier'
                AND active AND NOT EXISTS (SELECT FROM cash_hand_in h
                    WHERE h.carrier = s.id AND ended_at IS NULL
                        AND recalled_at IS NULL AND counted IS NULL)
            ORDER BY name
            """,
            actor.office,
        )
    return [(row["id"], row["name"]) for row in rows]
