"""What a dossier costs, who owes it to whom, and when; why each sum is what it is.

Charges are born with the order and with the result, and changed by lines that name a
reason. What was paid is ``payments``'s to say; neither moves an item. Whoever changes a
charge locks the items first, then the account: who pays locks the account only, so
that no scan ever waits for money.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from asyncpg import Connection, Record

from postal_track import reach, references
from postal_track.chronicle import IN_HAND
from postal_track.custody import (
    FROM_CITIZEN,
    TO_CITIZEN,
    Leg,
    Party,
    PartyKind,
    Role,
)
from postal_track.database import given, look, transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.orders import Order, plain
from postal_track.reach import Values
from postal_track.settings import settings
from postal_track.staff import Actor

LARGEST = 1_000_000_000
"""VND. What is more was mistyped."""

LONGEST_WORDS = 240


class ChargeKind(StrEnum):
    """What is charged."""

    POSTAGE = "postage"  # the post's own
    STATE_FEE = "state_fee"  # the agency's: other people's money


class Due(StrEnum):
    """When something is to be paid."""

    PICKUP = "pickup"  # when the papers are collected
    DELIVERY = "delivery"  # when the result is handed over
    ONLINE = "online"  # on the public portal; nobody asks for it at a door


class Why(StrEnum):
    """Why a charge changed."""

    ORDER = "order"  # the order said so
    TARIFF = "tariff"  # by the settings in force
    RESULT = "result"  # the agency said so with the result
    ASKED = "asked"  # the agency asks for it, or takes it back
    MISTAKE = "mistake"  # it was wrong
    WAIVED = "waived"  # the post lets it go
    BROUGHT_OVER = "brought_over"  # from before there were accounts


BY_HAND = (Why.ASKED, Why.MISTAKE, Why.WAIVED)

READERS = frozenset(Role)
"""Whoever may know of an item may know what it costs."""

CHANGERS = frozenset({Role.CLERK, Role.SUPERVISOR, Role.OFFICER})


def may_change(actor: Actor, kind: ChargeKind, why: Why) -> bool:
    """Say who may change what: an agency its own fee, only a supervisor lets go."""
    if actor.role is Role.OFFICER:
        return kind is ChargeKind.STATE_FEE and why is not Why.WAIVED
    if why is Why.WAIVED:
        return actor.role is Role.SUPERVISOR
    return actor.role in (Role.CLERK, Role.SUPERVISOR)


_LEGS_OUT = sorted(FROM_CITIZEN | TO_CITIZEN)
_LEGS_BACK = sorted(TO_CITIZEN)


def _listed(legs: Iterable[Leg]) -> str:
    return ", ".join(f"'{leg.value}'" for leg in legs)


OPEN_AT_DOOR = f"""(SELECT coalesce(sum(c.amount - c.paid), 0)::bigint
    FROM bill b JOIN charge c ON c.bill = b.id
    WHERE b.dossier = i.dossier AND c.paid < c.amount AND c.payer = 'citizen'
        AND (c.due = 'pickup' AND i.leg IN ({_listed(_LEGS_OUT)})
            OR c.due = 'delivery' AND i.leg IN ({_listed(_LEGS_BACK)})))"""  # noqa: S608
"""In SQL, of an item ``i``: what is still to be paid when it changes hands.

What was not paid at the pickup is asked for with the result.
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a charge's story."""

    change: int
    why: Why
    words: str
    by: Party | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ChargeSeen:
    """One charge as it stands, with its story, oldest first."""

    id: int
    kind: ChargeKind
    payer: str
    payee: Party
    due: Due
    amount: int
    paid: int
    changes: list[Change]

    @property
    def open(self) -> int:
        """What is still to be paid of it."""
        return self.amount - self.paid

    @property
    def by_citizen(self) -> bool:
        """Whether the citizen owes it."""
        return self.payer == "citizen"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that went to a dossier's charges; ``over``: what is left of it."""

    payment: int
    method: str
    at: datetime
    amount: int
    given: int
    over: int
    by: Party | None


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of one dossier's money."""

    dossier: int
    waybill: str
    reference: str
    charges: list[ChargeSeen]
    receipts: list[Receipt]
    names: Mapping[Party, Named]

    @property
    def open(self) -> int:
        """What the citizen still owes, whenever it is due."""
        return sum(each.open for each in self.charges if each.by_citizen)

    @property
    def paid(self) -> int:
        """What the citizen paid."""
        return sum(each.paid for each in self.charges if each.by_citizen)

    @property
    def over(self) -> int:
        """What came in beyond what was owed."""
        return sum(each.over for each in self.receipts)


# Born with the order and with the result


async def with_order(
    connection: Connection,
    dossier: int,
    order: Order,
    fee: int,
    agency: int,
    office: int,
    at: datetime,
) -> int:
    """Write what an order costs; what of it is due when the papers are collected.

    ``fee`` is the procedure's own, when the order names none. Who has only a result
    brought has paid the agency where he filed, unless the order says otherwise.
    """
    back_only = order.service == "receive"
    due = Due.DELIVERY if back_only else Due.PICKUP
    tariff = settings().POSTAGE_BACK if back_only else settings().POSTAGE_OUT
    postage = tariff if order.postage is None else order.postage
    stated = (0 if back_only else fee) if order.fee is None else order.fee
    payer = f"agency:{agency}" if order.postage_by == "agency" else "citizen"
    if not postage and not stated:
        return 0
    bill = await bill_of(connection, dossier, at)
    why = Why.TARIFF if order.postage is None else Why.ORDER
    await _add(
        connection,
        await _charge(
            connection, bill, ChargeKind.POSTAGE, payer, f"office:{office}", due, at
        ),
        (postage, why, "", None, at),
    )
    fee_due = Due(order.fee_due) if order.fee_due else due
    to = f"agency:{agency}"
    await _add(
        connection,
        await _charge(
            connection, bill, ChargeKind.STATE_FEE, "citizen", to, fee_due, at
        ),
        (stated, Why.ORDER, "", None, at),
    )
    at_pickup = postage if payer == "citizen" and due is Due.PICKUP else 0
    return at_pickup + (stated if fee_due is Due.PICKUP else 0)


async def with_result(
    connection: Connection,
    dossier: int,
    fee: int,
    agency: int,
    office: int,
    by: int,
    at: datetime,
) -> int:
    """Write what a result costs; all that is then open when it is handed over.

    ``fee`` is what the agency asks for with it. Announced anew after a return, it is
    the same fee.
    """
    tariff = settings().POSTAGE_BACK
    if fee or tariff:
        bill = await bill_of(connection, dossier, at)
        if fee:
            to = f"agency:{agency}"
            charge = await _charge(
                connection,
                bill,
                ChargeKind.STATE_FEE,
                "citizen",
                to,
                Due.DELIVERY,
                at,
            )
            was, paid = await _standing(connection, charge)
            # Less than was paid of it is for a person to settle.
            change = max(fee, paid) - was
            await _add(connection, charge, (change, Why.RESULT, "", by, at))
        known = await connection.fetchval(
            """
            SELECT true FROM charge WHERE bill = $1 AND kind = 'postage'
                AND due = 'delivery'
            """,
            bill,
        )
        if tariff and not known:
            charge = await _charge(
                connection,
                bill,
                ChargeKind.POSTAGE,
                "citizen",
                f"office:{office}",
                Due.DELIVERY,
                at,
            )
            await _add(connection, charge, (tariff, Why.TARIFF, "", None, at))
    return int(
        await connection.fetchval(
            """
            SELECT coalesce(sum(c.amount - c.paid), 0)::bigint
            FROM bill b JOIN charge c ON c.bill = b.id
            WHERE b.dossier = $1 AND c.payer = 'citizen' AND c.due <> 'online'
            """,
            dossier,
        )
    )


async def bill_of(connection: Connection, dossier: int, at: datetime) -> int:
    """Find the account of a dossier, or open it."""
    found = await connection.fetchval(
        """
        INSERT INTO bill (dossier, reference, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (dossier) DO NOTHING RETURNING id
        """,
        dossier,
        references.make(),
        at,
    )
    return int(
        found
        or await connection.fetchval(
            "SELECT id FROM bill WHERE dossier = $1 FOR UPDATE", dossier
        )
    )


async def _charge(
    connection: Connection,
    bill: int,
    kind: ChargeKind,
    payer: str,
    payee: str,
    due: Due,
    at: datetime,
) -> int:
    """Find a charge, or begin it at nothing."""
    found = await connection.fetchval(
        """
        INSERT INTO charge (bill, kind, payer, payee, due, amount, paid, created_at)
        VALUES ($1, $2, $3, $4, $5, 0, 0, $6)
        ON CONFLICT (bill, kind, payer, due) DO NOTHING RETURNING id
        """,
        bill,
        kind.value,
        payer,
        payee,
        due.value,
        at,
    )
    return int(
        found
        or await connection.fetchval(
            """
            SELECT id FROM charge WHERE bill = $1 AND kind = $2 AND payer = $3
                AND due = $4 FOR UPDATE
            """,
            bill,
            kind.value,
            payer,
            due.value,
        )
    )


async def _standing(connection: Connection, charge: int) -> tuple[int, int]:
    row = await connection.fetchrow(
        "SELECT amount, paid FROM charge WHERE id = $1", charge
    )
    return row["amount"], row["paid"]


async def _add(
    connection: Connection,
    charge: int,
    line: tuple[int, Why, str, int | None, datetime],
) -> None:
    """Write one line of a charge; a line that changes nothing is none."""
    change, why, words, by, at = line
    if change:
        await connection.execute(
            """
            INSERT INTO charge_line (charge, change, why, words, by, at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            charge,
            change,
            why.value,
            words,
            by,
            at,
        )


# Changed by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants a charge to be. ``amount``: from now on, not by how much."""

    kind: ChargeKind
    due: Due
    amount: int
    why: Why
    words: str


async def change(code: str, wanted: Wanted, actor: Actor) -> int:
    """Set a charge of the citizen's to another amount, with a reason; the dossier.

    ``code`` is a waybill of the dossier or its reference. What was paid beyond the new
    amount is then left of its payment, for somebody to pay back. Raises ``NotFound``
    outside the actor's reach, ``NotAllowed`` and ``BadInput``.
    """
    words = plain(wanted.words)[:LONGEST_WORDS]
    if actor.role not in CHANGERS or not may_change(actor, wanted.kind, wanted.why):
        raise NotAllowed
    problems = []
    if not words or wanted.why not in BY_HAND:
        problems.append(Problem("words", "Say why.", "Hãy ghi lý do."))
    if not 0 <= wanted.amount <= LARGEST:
        problems.append(_implausible("amount"))
    if problems:
        raise BadInput(tuple(problems))
    now = datetime.now(UTC)
    async with transaction() as connection:
        dossier = await find(connection, code, actor)
        # As a scan does: items first. Then the account, as who pays.
        await connection.execute(
            "SELECT FROM item WHERE dossier = $1 ORDER BY id FOR UPDATE", dossier
        )
        row = await connection.fetchrow(
            "SELECT agency, office FROM dossier WHERE id = $1", dossier
        )
        bill = await bill_of(connection, dossier, now)
        postage = wanted.kind is ChargeKind.POSTAGE
        charge = await _charge(
            connection,
            bill,
            wanted.kind,
            "citizen",
            f"office:{row['office']}" if postage else f"agency:{row['agency']}",
            wanted.due,
            now,
        )
        was, paid = await _standing(connection, charge)
        if wanted.amount < paid:
            await _take_back(
                connection, charge, paid - wanted.amount, (actor.staff, words, now)
            )
        line = (wanted.amount - was, wanted.why, words, actor.staff, now)
        await _add(connection, charge, line)
        await _note_on_items(connection, dossier)
    return dossier


def _implausible(field: str) -> Problem:
    return Problem(field, "The amount is not plausible.", "Số tiền không hợp lý.")


async def _take_back(
    connection: Connection,
    charge: int,
    amount: int,
    said: tuple[int, str, datetime],
) -> None:
    """Take money off a charge again, what came last first."""
    rows = await connection.fetch(
        """
        SELECT payment, sum(amount)::bigint AS given FROM allocation WHERE charge = $1
        GROUP BY payment HAVING sum(amount) > 0 ORDER BY payment DESC
        """,
        charge,
    )
    for row in rows:
        back = min(row["given"], amount)
        amount -= back
        if back:
            await connection.execute(
                """
                INSERT INTO allocation (payment, charge, amount, by, why, at)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                row["payment"],
                charge,
                -back,
                *said,
            )


async def _note_on_items(connection: Connection, dossier: int) -> None:
    """Keep on items under way that there is something to ask for at the door."""
    await connection.execute(
        f"""
        UPDATE item i SET fee = {OPEN_AT_DOOR}
        WHERE dossier = $1 AND {IN_HAND} AND fee <> {OPEN_AT_DOOR}
        """,  # noqa: S608 - constants
        dossier,
    )


# Read


async def find(connection: Connection, code: str, actor: Actor) -> int:
    """Find a dossier by a waybill or its reference, within someone's reach."""
    typed = plain(code).replace(" ", "").upper()[:40]
    values = Values()
    wanted = values.put(typed)
    column = "l.waybill"
    if references.sound(typed):
        column = "b.reference"
    dossier: int | None = await connection.fetchval(
        f"""
        SELECT d.id FROM dossier d LEFT JOIN item i ON i.dossier = d.id
        LEFT JOIN label l ON l.item = i.id LEFT JOIN bill b ON b.dossier = d.id
        WHERE {column} = {wanted} AND {reach.items(actor, values, run=True)} LIMIT 1
        """,  # noqa: S608 - placeholders
        *values,
    )
    if dossier is None:
        raise NotFound
    return dossier


async def account(code: str, actor: Actor) -> Account:
    """Read a dossier's money for whoever may know of it; ``NotFound`` outside."""
    async with transaction() as connection:
        return await read(connection, await find(connection, code, actor))


async def read(connection: Connection, dossier: int) -> Account:
    """Read a dossier's money."""
    rows = await connection.fetch(
        """
        SELECT c.id, c.kind, c.payer, c.payee, c.due, c.amount, c.paid
        FROM bill b JOIN charge c ON c.bill = b.id
        WHERE b.dossier = $1 AND (c.amount > 0 OR EXISTS
            (SELECT FROM charge_line l WHERE l.charge = c.id))
        ORDER BY array_position(ARRAY['pickup', 'delivery', 'online'], c.due::text),
            c.kind DESC, c.id
        """,
        dossier,
    )
    lines = await connection.fetch(
        """
        SELECT charge, change, why, words, by, at FROM charge_line
        WHERE charge = ANY($1::bigint[]) ORDER BY id
        """,
        [row["id"] for row in rows],
    )
    money = await connection.fetch(
        """
        SELECT p.id, p.method, p.at, p.amount, p.settled, p.by,
            coalesce((SELECT sum(a.amount) FROM allocation a
                JOIN charge c ON c.id = a.charge JOIN bill b ON b.id = c.bill
                WHERE a.payment = p.id AND b.dossier = $1), 0)::bigint AS given
        FROM payment p WHERE p.dossier = $1 OR p.id IN (SELECT a.payment
            FROM bill b JOIN charge c ON c.bill = b.id
            JOIN allocation a ON a.charge = c.id WHERE b.dossier = $1)
        ORDER BY p.at, p.id
        """,
        dossier,
    )
    about = await connection.fetchrow(
        """
        SELECT coalesce(b.reference, '') AS reference,
            coalesce((SELECT waybill FROM item WHERE dossier = d.id
                ORDER BY id DESC LIMIT 1), '') AS waybill
        FROM dossier d LEFT JOIN bill b ON b.dossier = d.id WHERE d.id = $1
        """,
        dossier,
    )
    charges = [
        _seen(row, [each for each in lines if each["charge"] == row["id"]])
        for row in rows
    ]
    receipts = [
        Receipt(
            row["id"],
            row["method"],
            row["at"],
            row["amount"],
            row["given"],
            row["amount"] - row["settled"],
            _staff(row["by"]),
        )
        for row in money
    ]
    parties = {each.payee for each in charges}
    parties |= {Party.parse(each.payer) for each in charges if not each.by_citizen}
    parties |= {line.by for each in charges for line in each.changes if line.by}
    parties |= {each.by for each in receipts if each.by}
    return Account(
        dossier,
        about["waybill"],
        about["reference"],
        charges,
        receipts,
        await names(parties),
    )


def _seen(row: Record, lines: Iterable[Record]) -> ChargeSeen:
    return ChargeSeen(
        row["id"],
        ChargeKind(row["kind"]),
        row["payer"],
        Party.parse(row["payee"]),
        Due(row["due"]),
        row["amount"],
        row["paid"],
        [
            Change(
                each["change"],
                Why(each["why"]),
                each["words"],
                _staff(each["by"]),
                each["at"],
            )
            for each in lines
        ],
    )


def _staff(number: int | None) -> Party | None:
    return Party(PartyKind.STAFF, number) if number else None


async def open_at_door(items: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Tell of items what is to be paid when they change hands, and the reference."""
    asked = list(items)
    if not asked:
        return {}
    async with look() as connection:
        rows: list[Any] = await connection.fetch(
            f"""
            SELECT i.id, {OPEN_AT_DOOR} AS open, b.reference FROM item i
            JOIN bill b ON b.dossier = i.dossier
            WHERE i.id = ANY({given(1, "bigint")})
            """,  # noqa: S608 - constants
            asked,
        )
    return {row["id"]: (row["open"], row["reference"]) for row in rows}
