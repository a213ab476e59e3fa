"""A citizen's claim (khieu nai): opened in time, decided once, settled once.

The windows, the time to settle and the least compensation are settings: what the law
says must be checked at its source before anyone relies on them. Knows postage only as
the one who decides states it. Knows no HTTP and no words.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from asyncpg import Connection, Record

from postal_track import chronicle, promises, reach
from postal_track.custody import Leg, Party, PartyKind, Role, Stage
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound, Problem
from postal_track.labels import parse_code
from postal_track.orders import plain
from postal_track.reach import Values
from postal_track.settings import settings
from postal_track.staff import Actor

LOCAL = promises.LOCAL
LISTED = 50
LONGEST_WORDS = 1000
LONGEST_REASON = 500
LONGEST_RECEIPT = 80
MOST_MONEY = 1_000_000_000

TAKERS = frozenset({Role.CLERK, Role.SUPERVISOR})
"""Who takes claims in over the counter, or on the phone."""

READERS = TAKERS | {Role.ADMIN, Role.AUDITOR}


class Claimed(StrEnum):
    """What a claim is for."""

    LOSS = "loss"
    DELAY = "delay"
    DAMAGE = "damage"


class State(StrEnum):
    """What became of a claim."""

    OPENED = "opened"  # -> accepted, rejected
    ACCEPTED = "accepted"  # -> settled
    REJECTED = "rejected"  # nothing follows; a new claim may be made
    SETTLED = "settled"  # paid; nothing follows


FOLLOWS: dict[State, frozenset[State]] = {
    State.OPENED: frozenset({State.ACCEPTED, State.REJECTED}),
    State.ACCEPTED: frozenset({State.SETTLED}),
    State.REJECTED: frozenset(),
    State.SETTLED: frozenset(),
}
"""The graph of a claim. The database agrees."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as staff see it. ``opened_by`` is ``None`` for the citizen himself.

    ``overdue``: it should have been settled. Money is VND.
    """

    number: str
    kind: Claimed
    state: State
    words: str
    opened_at: datetime
    opened_by: Party | None
    settle_by: date
    overdue: bool
    waybill: str
    leg: Leg
    stage: Stage
    irregularity: int | None
    agency: Party
    office: Party
    decided_at: datetime | None
    decided_by: Party | None
    reason: str
    postage: int | None
    least: int | None
    amount: int | None
    settled_at: datetime | None
    settled_by: Party | None
    receipt: str
    may_decide: bool
    may_settle: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page of claims; those first that are to be settled first."""

    claims: list[Claim]
    names: dict[Party, Named]
    after: str | None


# The calendar of claims


def months_later(day: date, months: int) -> date:
    """Count calendar months; the 31st becomes the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def window(kind: Claimed) -> int:
    """Say for how many months one may claim."""
    if kind is Claimed.DAMAGE:
        return settings().DAMAGE_CLAIM_MONTHS
    return settings().CLAIM_MONTHS


def least(postage: int) -> int:
    """Say what an accepted claim is worth at least, by the postage, in VND."""
    return postage * settings().COMPENSATION_TIMES


# Opening


async def open_at_counter(waybill: str, kind: Claimed, words: str, actor: Actor) -> str:
    """Take a claim in for the citizen; its number.

    Raises ``BadInput`` without words or out of time, ``Conflict`` when one of this kind
    is open, ``NotFound`` outside one's reach.
    """
    if actor.role not in TAKERS:
        raise NotAllowed
    number = parse_code(waybill).waybill
    async with transaction() as connection:
        values = Values()
        given = values.put(number)
        rule = reach.items(actor, values)
        row = await connection.fetchrow(
            f"""
            SELECT i.waybill FROM label l JOIN item i ON i.id = l.item
            JOIN dossier d ON d.id = i.dossier WHERE l.waybill = {given} AND {rule}
            """,  # noqa: S608 - placeholders
            *values,
        )
        if row is None:
            raise NotFound
        return await _open(connection, row["waybill"], kind, words, actor.staff)


async def open_by_citizen(token: str, waybill: str, kind: Claimed, words: str) -> str:
    """Take a claim in from the dossier's own page; its number. As at the counter."""
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT i.waybill FROM dossier d JOIN item i ON i.dossier = d.id
            WHERE d.token = $1 AND i.waybill = $2
            """,
            token,
            waybill,
        )
        if row is None:
            raise NotFound
        return await _open(connection, row["waybill"], kind, words, None)


async def open_for_loss(
    connection: Connection, item: int, irregularity: int | None, actor: Actor
) -> str:
    """Open the claim that a loss brings with it; the one that is open already will do.

    The caller has the item locked.
    """
    known: str | None = await connection.fetchval(
        """
        SELECT number FROM claim WHERE item = $1 AND kind = 'loss'
            AND state IN ('opened', 'accepted')
        """,
        item,
    )
    return known or await _write(
        connection, item, Claimed.LOSS, "", actor.staff, irregularity
    )


async def _open(
    connection: Connection, waybill: str, kind: Claimed, words: str, by: int | None
) -> str:
    chains = await chronicle.lock(connection, [waybill])
    item = chains[waybill].id
    said = plain(words)
    problems = []
    if not said or len(said) > LONGEST_WORDS:
        problems.append(Problem("words", *_NO_WORDS))
    last = await _last_day(connection, item, kind)
    if last is not None and datetime.now(LOCAL).date() > last:
        problems.append(_too_late(last))
    if problems:
        raise BadInput(tuple(problems))
    if await connection.fetchval(_OPEN_ONE, item, kind.value):
        raise Conflict(
            why="such a claim is open already",
            why_vi="đã có khiếu nại loại này đang được giải quyết",
        )
    irregularity = await connection.fetchval(_ABOUT, item)
    return await _write(connection, item, kind, said, by, irregularity)


_OPEN_ONE = """
    SELECT EXISTS (SELECT FROM claim WHERE item = $1 AND kind = $2
        AND state IN ('opened', 'accepted'))
"""

_ABOUT = """
    SELECT id FROM irregularity WHERE item = $1
        AND kind IN ('missing', 'damaged', 'seal_broken', 'disputed_delivery')
    ORDER BY ended_at IS NOT NULL, id DESC LIMIT 1
"""


async def _last_day(connection: Connection, item: int, kind: Claimed) -> date | None:
    """Say until when one may claim; ``None`` while the time has not begun to run.

    Damage counts from the day it was handed over at the end; loss and delay from the
    promised day, without one from the day the post took it.
    """
    row = await connection.fetchrow(_MILESTONES, item)
    ended, taken, promised = row["ended"], row["taken"], row["promised_on"]
    if kind is Claimed.DAMAGE:
        begun = ended.astimezone(LOCAL).date() if ended else None
    else:
        begun = promised or (taken.astimezone(LOCAL).date() if taken else None)
    return months_later(begun, window(kind)) if begun else None


_MILESTONES = """
    SELECT i.promised_on,
        (SELECT max(at) FROM event e WHERE e.item = i.id
            AND e.step IN ('delivered', 'received', 'returned')) AS ended,
        (SELECT min(at) FROM event e WHERE e.item = i.id AND e.step = 'accepted')
            AS taken
    FROM item i WHERE i.id = $1
"""


def _too_late(last: date) -> Problem:
    return Problem(
        "kind",
        f"The time to make this claim ended on {last:%d/%m/%Y}.",
        f"Thời hạn khiếu nại loại này đã hết ngày {last:%d/%m/%Y}.",
    )


async def _write(
    connection: Connection,
    item: int,
    kind: Claimed,
    said: str,
    by: int | None,
    irregularity: int | None,
) -> str:
    now = datetime.now(LOCAL)
    # Numbers are given out one at a time, and a day's begin at 0001.
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('claim number'))")
    number: str = await connection.fetchval(
        """
        INSERT INTO claim (number, dossier, item, irregularity, kind, state, words,
            opened_at, opened_by, settle_by, reason, receipt)
        SELECT $1::text || lpad((1 + coalesce((SELECT max(right(number, 4)::int)
                FROM claim WHERE number LIKE $1::text || '%'), 0))::text, 4, '0'),
            i.dossier, i.id, $3, $4, 'opened', $5, $6, $7, $8, '', ''
        FROM item i WHERE i.id = $2 RETURNING number
        """,
        f"KN{now:%y%m%d}",
        item,
        irregularity,
        kind.value,
        said,
        now.astimezone(UTC),
        by,
        months_later(now.date(), settings().SETTLE_MONTHS),
    )
    return number


# Finding


async def listed(
    actor: Actor, *, state: State | None = None, after: str | None = None
) -> Page:
    """List claims within reach: those in work by their day; ``after`` pages on."""
    if actor.role not in READERS:
        raise NotAllowed
    async with transaction() as connection:
        values = Values()
        rules = [reach.items(actor, values)]
        if state is not None:
            rules.append(f"c.state = {values.put(state.value)}")
        if after is not None:
            rules.append(
                f"""({_ORDER}) > (SELECT {_ORDER} FROM claim c
                WHERE c.number = {values.put(after)})"""  # noqa: S608 - constants
            )
        rows = await connection.fetch(
            f"""{_CLAIM} WHERE {" AND ".join(rules)}
            ORDER BY {_ORDER} LIMIT {LISTED + 1}""",
            *values,
        )
    found = [_claim(row, actor) for row in rows[:LISTED]]
    return Page(
        found,
        await names({party for claim in found for party in _parties(claim)}),
        found[-1].number if len(rows) > LISTED else None,
    )


_ORDER = "c.state NOT IN ('opened', 'accepted'), c.settle_by, c.id"

_CLAIM = """
    SELECT c.*, i.waybill, i.leg, i.stage, d.agency, d.office
    FROM claim c JOIN item i ON i.id = c.item JOIN dossier d ON d.id = c.dossier
"""


async def look(number: str, actor: Actor) -> tuple[Claim, dict[Party, Named]]:
    """Open one claim; ``NotFound`` outside one's reach."""
    if actor.role not in READERS:
        raise NotAllowed
    async with transaction() as connection:
        claim = _claim(await _row(connection, number, actor), actor)
    return claim, await names(_parties(claim))


async def _row(
    connection: Connection, number: str, actor: Actor, *, locked: bool = False
) -> Record:
    values = Values()
    rule = f"c.number = {values.put(plain(number).upper()[:20])}"
    rule += f" AND {reach.items(actor, values)}"
    lock = " FOR UPDATE OF c" if locked else ""
    row = await connection.fetchrow(f"{_CLAIM} WHERE {rule}{lock}", *values)
    if row is None:
        raise NotFound
    return row


def _claim(row: Record, actor: Actor) -> Claim:
    state = State(row["state"])
    waiting = state in (State.OPENED, State.ACCEPTED)
    return Claim(
        number=row["number"],
        kind=Claimed(row["kind"]),
        state=state,
        words=row["words"],
        opened_at=row["opened_at"],
        opened_by=_staff(row["opened_by"]),
        settle_by=row["settle_by"],
        overdue=waiting and row["settle_by"] < datetime.now(LOCAL).date(),
        waybill=row["waybill"],
        leg=Leg(row["leg"]),
        stage=Stage(row["stage"]),
        irregularity=row["irregularity"],
        agency=Party(PartyKind.AGENCY, row["agency"]),
        office=Party(PartyKind.OFFICE, row["office"]),
        decided_at=row["decided_at"],
        decided_by=_staff(row["decided_by"]),
        reason=row["reason"],
        postage=row["postage"],
        least=row["least"],
        amount=row["amount"],
        settled_at=row["settled_at"],
        settled_by=_staff(row["settled_by"]),
        receipt=row["receipt"],
        may_decide=actor.role is Role.SUPERVISOR and state is State.OPENED,
        may_settle=actor.role in TAKERS and state is State.ACCEPTED,
    )


def _staff(number: int | None) -> Party | None:
    return Party(PartyKind.STAFF, number) if number else None


def _parties(claim: Claim) -> set[Party]:
    parties = {claim.agency, claim.office, claim.opened_by}
    parties |= {claim.decided_by, claim.settled_by}
    return {party for party in parties if party is not None}


async def accepted(connection: Connection, item: int) -> bool:
    """Whether a claim for this item was accepted, paid or not yet."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM claim WHERE item = $1
            AND state IN ('accepted', 'settled'))
        """,
        item,
    )
    return found


# Deciding


async def accept(
    number: str, postage: int | None, amount: int | None, reason: str, actor: Actor
) -> None:
    """Accept it with an amount; a supervisor decides.

    Raises ``BadInput`` when the amount is less than the rule gives for this postage.
    """
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    said = plain(reason)
    wrong = [
        Problem(field, *_NO_MONEY)
        for field, money in (("postage", postage), ("amount", amount))
        if money is None or not 0 < money <= MOST_MONEY
    ]
    if len(said) > LONGEST_REASON:
        wrong.append(Problem("reason", *_NO_REASON))
    if postage and amount and not wrong and amount < least(postage):
        wrong.append(_too_little(least(postage)))
    if wrong or postage is None:
        raise BadInput(tuple(wrong))
    async with transaction() as connection:
        await connection.execute(
            """
            UPDATE claim SET state = 'accepted', decided_at = now(), decided_by = $2,
                reason = $3, postage = $4, least = $5, amount = $6 WHERE id = $1
            """,
            await _going_on(connection, number, State.ACCEPTED, actor),
            actor.staff,
            said,
            postage,
            least(postage),
            amount,
        )


async def reject(number: str, reason: str, actor: Actor) -> None:
    """Reject it for a reason that the citizen will hear; a supervisor decides."""
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    said = plain(reason)
    if not said or len(said) > LONGEST_REASON:
        raise BadInput((Problem("reason", *_NO_REASON),))
    async with transaction() as connection:
        await connection.execute(
            """
            UPDATE claim SET state = 'rejected', decided_at = now(), decided_by = $2,
                reason = $3 WHERE id = $1
            """,
            await _going_on(connection, number, State.REJECTED, actor),
            actor.staff,
            said,
        )


async def settle(number: str, receipt: str, actor: Actor) -> None:
    """Say that the money was paid, and by which receipt."""
    if actor.role not in TAKERS:
        raise NotAllowed
    said = plain(receipt)
    if not said or len(said) > LONGEST_RECEIPT:
        raise BadInput((Problem("receipt", *_NO_RECEIPT),))
    async with transaction() as connection:
        await connection.execute(
            """
            UPDATE claim SET state = 'settled', settled_at = now(), settled_by = $2,
                receipt = $3 WHERE id = $1
            """,
            await _going_on(connection, number, State.SETTLED, actor),
            actor.staff,
            said,
        )


async def _going_on(
    connection: Connection, number: str, to: State, actor: Actor
) -> int:
    """Lock a claim and see that it can go this way; its id."""
    row = await _row(connection, number, actor, locked=True)
    if to not in FOLLOWS[State(row["state"])]:
        raise Conflict(
            why="the claim was decided or settled already",
            why_vi="khiếu nại này đã được quyết định hoặc đã chi trả",
        )
    return int(row["id"])


def _too_little(money: int) -> Problem:
    shown = f"{money:,}".replace(",", ".")
    times = settings().COMPENSATION_TIMES
    return Problem(
        "amount",
        f"At least {shown} VND: {times} times the postage.",
        f"Ít nhất {shown} đồng: {times} lần cước.",
    )


_NO_WORDS = (
    f"Say what happened, in at most {LONGEST_WORDS} letters.",
    f"Hãy ghi sự việc, nhiều nhất {LONGEST_WORDS} ký tự.",
)
_NO_MONEY = (
    "Write an amount in VND, such as 26000.",
    "Hãy ghi số tiền bằng đồng, ví dụ 26000.",
)
_NO_REASON = (
    f"Give a reason, in at most {LONGEST_REASON} letters.",
    f"Hãy ghi lý do, nhiều nhất {LONGEST_REASON} ký tự.",
)
_NO_RECEIPT = (
    f"Give the number of the receipt, in at most {LONGEST_RECEIPT} letters.",
    f"Hãy ghi số phiếu chi, nhiều nhất {LONGEST_RECEIPT} ký tự.",
)
