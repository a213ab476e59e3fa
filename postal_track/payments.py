"""Money comes in: each payment is written once and goes to what it was meant for.

From the bank's or the portal's feed, from a statement, from a carrier or a cashier; all
enter by ``book``, many at once. A payment finds its dossier by the reference in its
text; what cannot be placed, or is too much, stays on it until a person settles it with
a reason. Never by a picture of a screen. Locks accounts only, never an item.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import charges, paid_texts, reach, references
from postal_track.charges import LONGEST_WORDS
from postal_track.custody import Party, PartyKind, Role
from postal_track.database import transaction
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.reach import Values
from postal_track.staff import Actor

CASHIERS = frozenset({Role.CLERK, Role.SUPERVISOR})
"""Who takes money over a counter, reads statements in and settles by hand."""

REFUNDERS = frozenset({Role.SUPERVISOR})
"""Who gives money back, or says that it is none of ours."""

READERS = frozenset({Role.CLERK, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR})
"""Who sees what is owed and what came in; names in a transfer only those who settle."""

LONGEST_TEXT = 240
LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Money as somebody tells of it. ``text``: the words of the transfer.

    ``dossier``: what it is for, when that is known; else the text is searched.
    """

    method: str
    reference: str
    amount: int
    at: datetime
    via: str
    text: str = ""
    by: int | None = None
    office: int | None = None
    dossier: int | None = None
    statement: int | None = None


@dataclass(slots=True)
class Booked:
    """What became of one credit.

    ``new``: not told before. ``differs``: told before with another amount, and not
    written again. ``given``: what of it went to charges.
    """

    reference: str
    amount: int
    new: bool = False
    differs: bool = False
    dossier: int | None = None
    given: int = 0

    @property
    def matched(self) -> bool:
        """Whether nothing of it is left."""
        return self.given == self.amount


@dataclass(slots=True)
class _Open:
    """A charge under the lock, and what is still to be paid of it."""

    id: int
    due: str
    left: int


@dataclass(slots=True)
class _Accounts:
    """The accounts that some payments are for, locked, with what is open on each."""

    open: dict[int, list[_Open]] = field(default_factory=dict)

    def give(self, dossier: int, amount: int, method: str) -> list[tuple[int, int]]:
        """Share an amount out: what is due first, then an agency's before the post's.

        Money from the portal pays what was to be paid there first; no other money
        pays that before all else.
        """
        online_last = method != "portal"
        lines = sorted(
            self.open.get(dossier, ()),
            key=lambda line: (line.due == "online") == online_last,
        )
        shares = []
        for line in lines:
            share = min(line.left, amount)
            if share:
                shares.append((line.id, share))
                line.left -= share
                amount -= share
        return shares


async def book(
    connection: Connection, credits: Sequence[Credit], now: datetime
) -> tuple[list[Booked], list[int]]:
    """Write payments in the caller's transaction; what became of each, in that order.

    And the ids of the texts that were written, for ``paid_texts.spread`` after the
    commit. Safe to repeat: the same reference of the same method is the same money.
    """
    told = await _write(connection, credits, now)
    wanted = {each.dossier for each, _ in told.values() if each.dossier}
    accounts = await lock(connection, wanted)
    rows = []
    for credit in credits:
        booked, number = told[credit.method, credit.reference]
        if not booked.new or booked.dossier is None or booked.given:
            continue
        for charge, share in accounts.give(
            booked.dossier, booked.amount, credit.method
        ):
            booked.given += share
            rows.append((number, charge, share, now))
    await connection.executemany(
        """
        INSERT INTO allocation (payment, charge, amount, why, at)
        VALUES ($1, $2, $3, '', $4)
        """,
        rows,
    )
    paid = {b.dossier for b, _ in told.values() if b.dossier and b.given}
    texts = await paid_texts.put(connection, paid, now)
    return [told[each.method, each.reference][0] for each in credits], texts


async def take_in(credits: Sequence[Credit]) -> list[Booked]:
    """Write payments and say what follows from them; what became of each."""
    async with transaction() as connection:
        told, texts = await book(connection, credits, datetime.now(UTC))
    await spread(told, texts)
    return told


async def spread(told: Iterable[Booked], texts: Sequence[int]) -> None:
    """Do what follows the commit of payments."""
    await paid_texts.spread({b.dossier for b in told if b.dossier}, texts)


async def _write(
    connection: Connection, credits: Sequence[Credit], now: datetime
) -> dict[tuple[str, str], tuple[Booked, int]]:
    """Insert what is new; all of them with their rows' ids."""
    meant = await _meant(connection, credits)
    once = {(c.method, c.reference): c for c in reversed(credits)}
    # In one order for everybody, so that two that tell the same do not wait in a ring.
    ordered = [once[key] for key in sorted(once)]
    told: dict[tuple[str, str], tuple[Booked, int]] = {}
    for each in ordered:
        dossier = each.dossier or meant.get(each.text)
        number = await connection.fetchval(
            """
            INSERT INTO payment (method, reference, amount, settled, at, recorded_at,
                via, by, office, dossier, statement, text)
            VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (method, reference) DO NOTHING RETURNING id
            """,
            each.method,
            each.reference,
            each.amount,
            each.at,
            now,
            each.via,
            each.by,
            each.office,
            dossier,
            each.statement,
            each.text[:LONGEST_TEXT],
        )
        booked = Booked(each.reference, each.amount, number is not None, False, dossier)
        if number is None:
            before = await connection.fetchrow(
                """
                SELECT id, amount, dossier FROM payment
                WHERE method = $1 AND reference = $2
                """,
                each.method,
                each.reference,
            )
            number = before["id"]
            booked.differs = before["amount"] != each.amount
            booked.dossier = before["dossier"]
        told[each.method, each.reference] = booked, number
    return told


async def _meant(connection: Connection, credits: Iterable[Credit]) -> dict[str, int]:
    """Find the dossier that a transfer's text names; of two, none."""
    named = {
        each.text: references.found(each.text)
        for each in credits
        if each.dossier is None and each.text
    }
    rows = await connection.fetch(
        "SELECT reference, dossier FROM bill WHERE reference = ANY($1::text[])",
        [one for those in named.values() for one in those],
    )
    known = {row["reference"]: row["dossier"] for row in rows}
    meant = {}
    for text, those in named.items():
        dossiers = {known[one] for one in those if one in known}
        if len(dossiers) == 1:
            meant[text] = dossiers.pop()
    return meant


async def lock(connection: Connection, dossiers: Collection[int]) -> _Accounts:
    """Lock accounts, in one order for everybody, and read what is open on them."""
    accounts = _Accounts()
    if not dossiers:
        return accounts
    await connection.execute(
        "SELECT FROM bill WHERE dossier = ANY($1::bigint[]) ORDER BY id FOR UPDATE",
        sorted(dossiers),
    )
    rows = await connection.fetch(
        """
        SELECT b.dossier, c.id, c.due, c.amount - c.paid AS left
        FROM bill b JOIN charge c ON c.bill = b.id
        WHERE b.dossier = ANY($1::bigint[]) AND c.paid < c.amount
            AND c.payer = 'citizen'
        ORDER BY array_position(ARRAY['pickup', 'delivery', 'online'], c.due::text),
            c.kind DESC, c.id
        """,
        sorted(dossiers),
    )
    for row in rows:
        line = _Open(row["id"], row["due"], row["left"])
        accounts.open.setdefault(row["dossier"], []).append(line)
    return accounts


# Over the counter


async def at_counter(
    id: UUID, code: str, amount: int, actor: Actor
) -> tuple[int, Booked]:
    """Take money at a counter; the dossier, and what became of it.

    ``id`` is the form's own: twice is once. Raises ``NotAllowed``, ``NotFound`` outside
    the cashier's reach, and ``BadInput`` for more than is owed: nobody pays twice.
    """
    if actor.role not in CASHIERS or actor.office is None:
        raise NotAllowed
    now = datetime.now(UTC)
    async with transaction() as connection:
        dossier = await charges.find(connection, code, actor)
        known = await connection.fetchrow(
            "SELECT dossier FROM payment WHERE method = 'cashier' AND reference = $1",
            str(id),
        )
        accounts = await lock(connection, {dossier})
        owed = sum(line.left for line in accounts.open.get(dossier, ()))
        if known is None and not 0 < amount <= owed:
            raise BadInput((_too_much(owed) if owed else _nothing_owed(),))
        credit = Credit(
            method="cashier",
            reference=str(id),
            amount=amount,
            at=now,
            via="person",
            by=actor.staff,
            office=actor.office,
            dossier=dossier,
        )
        (booked,), texts = await book(connection, [credit], now)
    await spread([booked], texts)
    return dossier, booked


def _too_much(owed: int) -> Problem:
    shown = f"{owed:,}".replace(",", ".")
    return Problem(
        "amount",
        f"Between 1 and {shown} VND are owed.",
        f"Số tiền còn phải trả là {shown} đồng.",
    )


def _nothing_owed() -> Problem:
    return Problem("amount", "All of it is paid already.", "Hồ sơ này đã được trả đủ.")


# What is left of payments


@dataclass(frozen=True, slots=True)
class Proposed:
    """An account that a payment may have been meant for, and why."""

    reference: str
    waybill: str
    open: int
    why: str  # "reference" (one sign differs), "amount" (just so much is open), "own"


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A payment of which something is left.

    ``finding``: "unknown" (no dossier found), "over" (more than was owed). ``text`` is
    empty for who may not settle it.
    """

    id: int
    method: str
    reference: str
    amount: int
    left: int
    at: datetime
    text: str
    by: Party | None
    waybill: str
    finding: str
    proposals: list[Proposed]


async def left_of(payment: int, actor: Actor) -> Unsettled:
    """Show one payment that waits for a person; ``NotFound`` once nothing is left."""
    found = await unsettled(actor, only=payment)
    if not found:
        raise NotFound
    return found[0]


async def unsettled(
    actor: Actor, listed: int = LISTED, only: int | None = None
) -> list[Unsettled]:
    """List payments that wait for a person, the oldest first, with what they may mean.

    What is for a dossier only to who may know of it; what is for none to all who
    settle, since nobody knows whose it is.
    """
    if actor.role not in READERS:
        raise NotAllowed
    values = Values()
    seen = reach.dossiers(actor, values)
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            SELECT p.id, p.method, p.reference, p.amount, p.amount - p.settled AS left,
                p.at, p.text, p.by, p.dossier, coalesce(b.reference, '') AS own,
                coalesce((SELECT waybill FROM item WHERE dossier = d.id
                    ORDER BY id DESC LIMIT 1), '') AS waybill
            FROM payment p LEFT JOIN dossier d ON d.id = p.dossier
            LEFT JOIN bill b ON b.dossier = d.id
            WHERE p.settled < p.amount AND (p.dossier IS NULL OR {seen})
                AND ({values.put(only)}::bigint IS NULL OR p.id = ${len(values)})
            ORDER BY p.at, p.id LIMIT {values.put(listed)}
            """,  # noqa: S608 - placeholders
            *values,
        )
        accounts = await _may_mean(connection, rows, actor)
    settles = actor.role in CASHIERS
    return [
        Unsettled(
            row["id"],
            row["method"],
            row["reference"],
            row["amount"],
            row["left"],
            row["at"],
            row["text"] if settles else "",
            Party(PartyKind.STAFF, row["by"]) if row["by"] else None,
            row["waybill"],
            "over" if row["dossier"] else "unknown",
            accounts.get(row["id"], []) if settles else [],
        )
        for row in rows
    ]


async def _may_mean(
    connection: Connection, rows: Sequence[Record], actor: Actor
) -> dict[int, list[Proposed]]:
    """Look for accounts with a reference that is nearly this one, or just this open."""
    nearly = {
        row["id"]: {*references.found(row["text"]), *references.nearly(row["text"])}
        for row in rows
    }
    values = Values()
    named = values.put(sorted({one for those in nearly.values() for one in those}))
    amounts = values.put(sorted({row["left"] for row in rows}))
    own = values.put([row["dossier"] for row in rows if row["dossier"]])
    found = await connection.fetch(
        f"""
        SELECT b.dossier, b.reference, o.open,
            coalesce((SELECT waybill FROM item WHERE dossier = d.id
                ORDER BY id DESC LIMIT 1), '') AS waybill
        FROM bill b JOIN dossier d ON d.id = b.dossier,
            LATERAL (SELECT coalesce(sum(c.amount - c.paid), 0)::bigint AS open
                FROM charge c WHERE c.bill = b.id AND c.payer = 'citizen') o
        WHERE b.id IN (
                SELECT id FROM bill WHERE reference = ANY({named}::text[])
                UNION SELECT bill FROM charge WHERE paid < amount
                    AND payer = 'citizen'
                UNION SELECT id FROM bill WHERE dossier = ANY({own}::bigint[]))
            AND (b.reference = ANY({named}::text[]) OR o.open = ANY({amounts}::bigint[])
                OR b.dossier = ANY({own}::bigint[]))
            AND o.open > 0 AND {reach.dossiers(actor, values)}
        ORDER BY b.id DESC LIMIT 500
        """,  # noqa: S608 - placeholders
        *values,
    )
    meant: dict[int, list[Proposed]] = {}
    for row in rows:
        ways = (
            ("own", lambda f: f["dossier"] == row["dossier"]),  # noqa: B023 - used at once
            ("reference", lambda f: f["reference"] in nearly[row["id"]]),  # noqa: B023
            ("amount", lambda f: f["open"] == row["left"]),  # noqa: B023
        )
        proposals: dict[str, Proposed] = {}
        for why, fits in ways:
            for each in filter(fits, found):
                one = Proposed(each["reference"], each["waybill"], each["open"], why)
                proposals.setdefault(one.reference, one)
        meant[row["id"]] = [*proposals.values()][:5]
    return meant


async def settle(payment: int, code: str, why: str, actor: Actor) -> int:
    """Give what is left of a payment to a dossier's charges, by hand; how much went.

    Raises ``NotAllowed``, ``NotFound``, ``Conflict`` when nothing is left of it, and
    ``BadInput`` naming what is wrong.
    """
    if actor.role not in CASHIERS:
        raise NotAllowed
    why = plain(why)[:LONGEST_WORDS]
    now = datetime.now(UTC)
    async with transaction() as connection:
        try:
            dossier = await charges.find(connection, code, actor) if code else None
        except NotFound:
            dossier = None
        problems = []
        if dossier is None:
            problems.append(
                Problem(
                    "code",
                    "No dossier has this waybill or reference.",
                    "Không có hồ sơ nào mang mã vận đơn hoặc mã chuyển tiền này.",
                )
            )
        if not why:
            problems.append(Problem("why", "Say why.", "Hãy ghi lý do."))
        if problems or dossier is None:
            raise BadInput(tuple(problems))
        accounts = await lock(connection, {dossier})
        row = await _left(connection, payment, actor)
        shares = accounts.give(dossier, row["left"], row["method"])
        if not shares:
            raise BadInput((replace_field(_nothing_owed(), "code"),))
        await connection.executemany(
            """
            INSERT INTO allocation (payment, charge, amount, by, why, at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            [(payment, charge, n, actor.staff, why, now) for charge, n in shares],
        )
        texts = await paid_texts.put(connection, {dossier}, now)
    await paid_texts.spread({dossier}, texts)
    return sum(n for _, n in shares)


def replace_field(problem: Problem, name: str) -> Problem:
    """Put a problem beside another field."""
    return Problem(name, problem.detail, problem.detail_vi)


async def _left(connection: Connection, payment: int, actor: Actor) -> Record:
    """Lock a payment of which something is left, within someone's reach."""
    values = Values()
    row = await connection.fetchrow(
        f"""
        SELECT p.id, p.method, p.amount - p.settled AS left FROM payment p
        LEFT JOIN dossier d ON d.id = p.dossier
        WHERE p.id = {values.put(payment)}
            AND (p.dossier IS NULL OR {reach.dossiers(actor, values)})
        FOR UPDATE OF p
        """,  # noqa: S608 - placeholders
        *values,
    )
    if row is None:
        raise NotFound
    if not row["left"]:
        raise Conflict(
            "nothing is left of this payment", "khoản tiền này đã được xử lý hết"
        )
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What is given back of a payment, or was never for us.

    ``id`` is the form's own. ``way``: "transfer", "cash" or "not_ours". ``reference``:
    by which paper or transaction.
    """

    id: UUID
    payment: int
    amount: int
    way: str
    reference: str
    why: str


async def give_back(wanted: Return, actor: Actor) -> None:
    """Write that money went back; twice is once.

    Raises ``NotAllowed``, ``NotFound``, ``Conflict`` and ``BadInput``.
    """
    if actor.role not in REFUNDERS:
        raise NotAllowed
    problems = []
    if wanted.way not in ("transfer", "cash", "not_ours"):
        problems.append(Problem("way", "Choose one.", "Hãy chọn một mục."))
    if wanted.way == "cash" and actor.office is None:
        problems.append(
            Problem(
                "way",
                "Cash goes back from an office's drawer: you act for none.",
                "Tiền mặt được trả từ quỹ của bưu cục: bạn không thuộc bưu cục nào.",
            )
        )
    reference, why = plain(wanted.reference)[:80], plain(wanted.why)[:LONGEST_WORDS]
    if not reference:
        problems.append(
            Problem(
                "reference", "Name the voucher.", "Hãy ghi số chứng từ hoặc giao dịch."
            )
        )
    if not why:
        problems.append(Problem("why", "Say why.", "Hãy ghi lý do."))
    if problems:
        raise BadInput(tuple(problems))
    async with transaction() as connection:
        if await connection.fetchval("SELECT 1 FROM refund WHERE id = $1", wanted.id):
            return
        row = await _left(connection, wanted.payment, actor)
        if not 0 < wanted.amount <= row["left"]:
            raise BadInput((_beyond(row["left"]),))
        await connection.execute(
            """
            INSERT INTO refund (id, payment, amount, way, office, reference, why, by,
                at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            wanted.id,
            wanted.payment,
            wanted.amount,
            wanted.way,
            actor.office if wanted.way == "cash" else None,
            reference,
            why,
            actor.staff,
            datetime.now(UTC),
        )


def _beyond(left: int) -> Problem:
    shown = f"{left:,}".replace(",", ".")
    return Problem(
        "amount",
        f"At most {shown} VND are left of it.",
        f"Khoản này chỉ còn {shown} đồng.",
    )


# What is owed


@dataclass(frozen=True, slots=True)
class Owed:
    """An account on which the citizen still owes something.

    ``passed``: the moment at which it was due is over, and it was not paid.
    """

    waybill: str
    reference: str
    open: int
    paid: int
    stage: str
    passed: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Sums:
    """What is owed altogether: accounts and VND, and what of it should be here."""

    accounts: int
    open: int
    passed: int
    passed_open: int


async def owed(actor: Actor, listed: int = LISTED) -> tuple[list[Owed], Sums]:
    """List who still owes something, what is overdue first, the oldest first."""
    if actor.role not in READERS:
        raise NotAllowed
    values = Values()
    seen = reach.dossiers(actor, values)
    async with transaction() as connection:
        rows = await connection.fetch(
            f"""
            WITH open AS (
                SELECT c.bill, sum(c.amount - c.paid)::bigint AS open,
                    sum(c.paid)::bigint AS paid, bool_or(c.due = 'pickup') AS pickup,
                    min(c.created_at) AS since
                FROM charge c
                WHERE c.paid < c.amount AND c.payer = 'citizen' GROUP BY c.bill
            ), told AS (
                SELECT coalesce(i.waybill, '') AS waybill, b.reference, o.open, o.paid,
                    coalesce(i.stage, '') AS stage, o.since,
                    coalesce(i.stage IN ('delivered', 'lost')
                        OR (o.pickup AND i.stage NOT IN ('booked', 'cancelled')),
                        false) AS passed
                FROM open o JOIN bill b ON b.id = o.bill
                JOIN dossier d ON d.id = b.dossier
                LEFT JOIN LATERAL (SELECT waybill, stage FROM item
                    WHERE dossier = d.id ORDER BY id DESC LIMIT 1) i ON true
                WHERE {seen} AND coalesce(i.stage, '') <> 'cancelled'
            )
            SELECT *, count(*) OVER () AS accounts, sum(open) OVER () AS whole,
                count(*) FILTER (WHERE passed) OVER () AS late,
                coalesce(sum(open) FILTER (WHERE passed) OVER (), 0) AS late_open
            FROM told ORDER BY passed DESC, since LIMIT {values.put(listed)}
            """,  # noqa: S608 - placeholders
            *values,
        )
    sums = Sums(0, 0, 0, 0)
    if rows:
        first = rows[0]
        sums = Sums(
            first["accounts"],
            int(first["whole"]),
            first["late"],
            int(first["late_open"]),
        )
    return [
        Owed(
            row["waybill"],
            row["reference"],
            row["open"],
            row["paid"],
            row["stage"],
            row["passed"],
            row["since"],
        )
        for row in rows
    ], sums


async def balance(connection: Connection) -> Mapping[str, int]:
    """Add the books up: what came in, what went where. They balance at any time."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(amount), 0)::bigint AS came,
            coalesce(sum(amount - settled), 0)::bigint AS left,
            (SELECT coalesce(sum(amount), 0)::bigint FROM allocation) AS given,
            (SELECT coalesce(sum(amount), 0)::bigint FROM refund) AS back,
            (SELECT coalesce(sum(paid), 0)::bigint FROM charge) AS paid
        FROM payment
        """
    )
    return dict(row)
