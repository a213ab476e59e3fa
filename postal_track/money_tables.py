"""The tables of money: what is owed, what came in, what cash somebody still holds.

Amounts are whole VND. Sums that are kept (``Charge.amount``, ``Charge.paid``,
``Payment.settled``) are written by triggers from append-only lines and by nobody else;
the checks on them are what makes paying twice or below nothing impossible.
"""

from piccolo.columns import (
    UUID,
    BigInt,
    BigSerial,
    Bytea,
    Char,
    ForeignKey,
    Integer,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from postal_track.tables import Dossier, Office, Staff


class Bill(Table):
    """One dossier's account, in which charges and payments meet.

    ``reference`` stands in the text of a transfer. Locked before any of its charges.
    """

    id = BigSerial(primary_key=True)
    dossier = ForeignKey(Dossier, null=False, on_delete=OnDelete.restrict, unique=True)
    reference = Char(length=11, unique=True)
    created_at = Timestamptz()

    bill_reference_shape = Check("reference ~ '^BD[0-9A-HJKMNP-TV-Z]{9}$'")


class Charge(Table):
    """What somebody owes for a dossier, to whom, and when it is due.

    ``amount`` is the sum of its lines, ``paid`` that of its allocations. ``told_at``:
    when the citizen was told that it is paid.
    """

    id = BigSerial(primary_key=True)
    bill = ForeignKey(Bill, null=False, on_delete=OnDelete.restrict)
    kind = Varchar(length=9)
    payer = Varchar(length=24)
    payee = Varchar(length=24)
    due = Varchar(length=8)
    amount = BigInt()
    paid = BigInt()
    told_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz()

    charge_one_each = Unique([bill, kind, payer, due])
    charge_known_kind = Check("kind IN ('postage','state_fee')")
    charge_known_due = Check("due IN ('pickup','delivery','online')")
    charge_payer_shape = Check("payer ~ '^(citizen|agency:[1-9][0-9]*)$'")
    charge_payee_shape = Check("payee ~ '^(office|agency):[1-9][0-9]*$'")
    charge_never_paid_twice = Check("paid >= 0 AND paid <= amount")
    charge_amount_plausible = Check("amount <= 1000000000")


class ChargeLine(Table):
    """Why a charge is as high as it is. Append-only by trigger."""

    id = BigSerial(primary_key=True)
    charge = ForeignKey(Charge, null=False, on_delete=OnDelete.restrict)
    change = BigInt()
    why = Varchar(length=12)
    words = Varchar(length=240)
    by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    at = Timestamptz()

    charge_line_changes = Check("change <> 0")
    charge_line_known_why = Check(
        "why IN ('order','tariff','result','asked','mistake','waived','brought_over')"
    )
    charge_line_by_hand_has_words = Check(
        "why IN ('order','tariff','result','brought_over')"
        " OR (words <> '' AND by IS NOT NULL)"
    )


class Statement(Table):
    """A bank's statement that was read in. ``digest``: SHA-256 of the file.

    Append-only by trigger.
    """

    id = BigSerial(primary_key=True)
    digest = Bytea(unique=True)
    name = Varchar(length=120)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()
    rows = Integer()
    new = Integer()
    matched = Integer()

    statement_sane = Check(
        "length(digest) = 32 AND rows >= new AND new >= matched AND matched >= 0"
    )


class Payment(Table):
    """Money that came in. Append-only by trigger, but for ``settled`` and ``text``.

    ``reference`` is the bank's or portal's number of the transaction, or the id of the
    scan or form that told of cash: the same one is the same money. ``via``: who says
    so. ``by``: the carrier or cashier who took it, or who read a statement in.
    ``settled`` is what was allocated, paid back or found to be nothing of ours.
    ``text`` is kept only as long as something is left to settle: it may name a person.
    """

    id = BigSerial(primary_key=True)
    method = Varchar(length=8)
    reference = Varchar(length=80)
    amount = BigInt()
    settled = BigInt()
    at = Timestamptz()
    recorded_at = Timestamptz()
    via = Varchar(length=9)
    by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    office = ForeignKey(Office, null=True, default=None, on_delete=OnDelete.restrict)
    dossier = ForeignKey(Dossier, null=True, default=None, on_delete=OnDelete.restrict)
    statement = ForeignKey(
        Statement, null=True, default=None, on_delete=OnDelete.restrict
    )
    text = Varchar(length=240)

    payment_once = Unique([method, reference])
    payment_known_method = Check("method IN ('transfer','portal','cash','cashier')")
    payment_known_via = Check("via IN ('feed','statement','person')")
    payment_of_something = Check("amount > 0 AND reference <> ''")
    payment_never_settled_twice = Check("settled >= 0 AND settled <= amount")
    payment_cash_has_taker = Check(
        "method NOT IN ('cash','cashier')"
        " OR (by IS NOT NULL AND office IS NOT NULL AND via = 'person')"
    )


class Allocation(Table):
    """What of a payment went to which charge; less than nothing takes it back.

    Without ``by`` the reference said so. Append-only by trigger.
    """

    id = BigSerial(primary_key=True)
    payment = ForeignKey(Payment, null=False, on_delete=OnDelete.restrict)
    charge = ForeignKey(Charge, null=False, on_delete=OnDelete.restrict)
    amount = BigInt()
    by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    why = Varchar(length=240)
    at = Timestamptz()

    allocation_moves_something = Check("amount <> 0")
    allocation_by_hand_has_reason = Check("by IS NULL OR why <> ''")


class Refund(Table):
    """What of a payment went back, or was never for us. Append-only by trigger.

    ``id`` is the form's own. ``reference``: by which paper or transaction it went.
    """

    id = UUID(primary_key=True)
    payment = ForeignKey(Payment, null=False, on_delete=OnDelete.restrict)
    amount = BigInt()
    way = Varchar(length=8)
    office = ForeignKey(Office, null=True, default=None, on_delete=OnDelete.restrict)
    reference = Varchar(length=80)
    why = Varchar(length=240)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()

    refund_sane = Check("amount > 0 AND why <> '' AND reference <> ''")
    refund_known_way = Check("way IN ('transfer','cash','not_ours')")
    refund_cash_from_a_drawer = Check("(way = 'cash') = (office IS NOT NULL)")


class CashHandIn(Table):
    """A carrier hands his cash in: he says how much, a cashier counts blind.

    The cashier may count what nobody announced. Each side says its word once; a
    difference has a reason and somebody else's agreement before it ends (by trigger).
    """

    id = UUID(primary_key=True)
    carrier = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    office = ForeignKey(Office, null=False, on_delete=OnDelete.restrict)
    said = BigInt(null=True, default=None)
    said_at = Timestamptz(null=True, default=None)
    counted = BigInt(null=True, default=None)
    counted_at = Timestamptz(null=True, default=None)
    cashier = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    reason = Varchar(length=240)
    agreed_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    ended_at = Timestamptz(null=True, default=None)
    recalled_at = Timestamptz(null=True, default=None)

    cash_hand_in_said = Check("(said IS NULL) = (said_at IS NULL) AND said > 0")
    cash_hand_in_counted = Check(
        "(counted IS NULL) = (counted_at IS NULL)"
        " AND (counted IS NULL) = (cashier IS NULL) AND counted >= 0"
    )
    cash_hand_in_begun = Check("said IS NOT NULL OR counted IS NOT NULL")
    cash_hand_in_two_people = Check("cashier <> carrier AND agreed_by <> cashier")
    cash_hand_in_ended_alike = Check(
        "ended_at IS NULL OR (counted IS NOT NULL AND (said IS NOT DISTINCT FROM"
        " counted OR (reason <> '' AND agreed_by IS NOT NULL)))"
    )
    cash_hand_in_recalled_before = Check("recalled_at IS NULL OR counted IS NULL")


class CashDifference(Table):
    """Cash that a carrier answered for and no longer does, or the other way round.

    ``amount`` is added to what he holds. Append-only by trigger.
    """

    id = UUID(primary_key=True)
    carrier = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    amount = BigInt()
    why = Varchar(length=240)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()

    cash_difference_has_reason = Check("amount <> 0 AND why <> ''")
    cash_difference_not_his_own = Check("by <> carrier")


class CashClose(Table):
    """An office's drawer was counted and taken to the bank. Append-only by trigger.

    ``expected``: what had come into it since the close before, by the books.
    """

    id = UUID(primary_key=True)
    office = ForeignKey(Office, null=False, on_delete=OnDelete.restrict)
    expected = BigInt()
    counted = BigInt()
    why = Varchar(length=240)
    deposit = Varchar(length=80)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()

    cash_close_counted = Check("counted >= 0")
    cash_close_difference_has_reason = Check("expected = counted OR why <> ''")
