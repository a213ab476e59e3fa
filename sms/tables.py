"""The outbox and what became of each text in it.

One definition of names, types and the rules that one row can break; partial indexes
stand in the dated migrations, each with its reason. Times are UTC.
"""

from piccolo.columns import (
    JSONB,
    Array,
    BigInt,
    BigSerial,
    Boolean,
    Char,
    DoublePrecision,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Message(Table, tablename="sms_message"):
    """One text to one number: the outbox row.

    `key` makes a second one impossible. `group` is the caller's and opaque. `params`
    named in `secret` are shown to nobody. `due_at` is when a worker may next take the
    row up; while one has it, the end of his lease; null when nothing is left to do.
    `unsure`: an attempt was begun and its answer is not known.
    """

    id = BigSerial(primary_key=True)
    key = Varchar(length=120, unique=True)
    recipient = Varchar(length=16)  # E.164
    fallback = Varchar(length=16, null=True, default=None)
    template = Varchar(length=40)
    version = SmallInt()
    language = Char(length=2)
    params = JSONB()
    body = Text(secret=True)
    segments = SmallInt()
    group = Varchar(length=40, default="")
    secret = Varchar(length=80, default="")
    created_at = Timestamptz()
    not_before = Timestamptz(null=True, default=None)
    expires_at = Timestamptz(null=True, default=None)

    status = Varchar(length=12, default="queued")
    due_at = Timestamptz(null=True, default=None)
    leased_by = Varchar(length=60, null=True, default=None)
    unsure = Boolean()
    tries = SmallInt(default=0)
    looks = SmallInt(default=0)
    tried_at = Timestamptz(null=True, default=None)
    avoid = Array(base_column=Varchar(length=12))  # gateways that do not carry it
    gateway = Varchar(length=12, null=True, default=None)
    provider_id = Varchar(length=64, null=True, default=None)
    sent_at = Timestamptz(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
    cost = Integer(default=0)  # VND: segments times the gateway's price of one
    error_code = Varchar(length=20, default="")
    error = Varchar(length=240, default="")  # the provider's own words
    resend_of = BigInt(null=True, default=None)
    resend_reason = Varchar(length=240, default="")
    resend_by = Varchar(length=40, default="")
    erased_at = Timestamptz(null=True, default=None)

    known_status = Check(
        "status IN ('queued','sending','sent','delivered','undelivered','failed',"
        "'expired','suppressed')"
    )
    known_language = Check("language IN ('vi','en')")
    # Empty: what was given was no number, or it has been erased.
    number_shape = Check("recipient = '' OR recipient ~ '^\\+[0-9]{6,15}$'")
    sane = Check("version >= 1 AND segments >= 1 AND tries >= 0 AND cost >= 0")
    unsent_is_due = Check("due_at IS NOT NULL OR status NOT IN ('queued','sending')")
    sent_by_someone = Check("provider_id IS NULL OR gateway IS NOT NULL")
    # What a gateway has taken can never be sent again, whatever a program thinks.
    taken_once = Check("provider_id IS NULL OR status NOT IN ('queued','sending')")


class Attempt(Table, tablename="sms_attempt"):
    """One try to hand a text to a gateway, written as "sending" before the call."""

    id = BigSerial(primary_key=True)
    message = ForeignKey(Message, null=False)
    number = SmallInt()
    gateway = Varchar(length=12)
    outcome = Varchar(length=12, default="sending")
    started_at = Timestamptz()
    ended_at = Timestamptz(null=True, default=None)
    provider_id = Varchar(length=64, null=True, default=None)
    error_code = Varchar(length=20, default="")
    error = Varchar(length=240, default="")

    one_each = Unique([message, number])
    known_outcome = Check(
        "outcome IN ('sending','accepted','refused','unsure','not_taken','abandoned')"
    )


class Receipt(Table, tablename="sms_receipt"):
    """One thing a provider said about a text; the same said twice is one row."""

    id = BigSerial(primary_key=True)
    message = ForeignKey(
        Message, null=True, default=None, on_delete=OnDelete.set_null, index=True
    )
    gateway = Varchar(length=12)
    provider_id = Varchar(length=64)
    said = Varchar(length=24)
    error_code = Varchar(length=20, default="")
    received_at = Timestamptz()

    once = Unique([gateway, provider_id, said])


class OptOut(Table, tablename="sms_opt_out"):
    """A number whose owner wants no texts."""

    number = Varchar(length=16, primary_key=True)
    since = Timestamptz()
    source = Varchar(length=12)  # page, counter, sms, provider
    by = Varchar(length=40, default="")

    known_source = Check("source IN ('page','counter','sms','provider')")


class NumberMark(Table, tablename="sms_number_mark"):
    """A number that a provider said takes no texts; a clerk may clear the mark."""

    number = Varchar(length=16, primary_key=True)
    code = Varchar(length=20)
    since = Timestamptz()


class ClearedMark(Table, tablename="sms_cleared_mark"):
    """A mark that a clerk took away, and why: the number takes texts after all."""

    id = BigSerial(primary_key=True)
    number = Varchar(length=16, index=True)  # empty: erased
    code = Varchar(length=20)
    since = Timestamptz()
    cleared_at = Timestamptz()
    cleared_by = Varchar(length=40)
    reason = Varchar(length=240)


class Call(Table, tablename="sms_call"):
    """A citizen to be called, because his text did not arrive."""

    id = BigSerial(primary_key=True)
    message = ForeignKey(Message, null=False, unique=True)
    code = Varchar(length=20)
    opened_at = Timestamptz()
    closed_at = Timestamptz(null=True, default=None)
    closed_by = Varchar(length=40, default="")
    note = Varchar(length=240, default="")


class Line(Table, tablename="sms_line"):
    """What is known of the way to one gateway; locked while texts are claimed.

    `next_at`: when the next text may go, by the pace. `note`: why it was last paused.
    """

    gateway = Varchar(length=12, primary_key=True)
    next_at = Timestamptz()
    paused_until = Timestamptz()
    note = Varchar(length=240, default="")


class Heartbeat(Table, tablename="sms_heartbeat"):
    """A worker that lives: when it last said so and what it has done."""

    worker = Varchar(length=60, primary_key=True)
    started_at = Timestamptz()
    seen_at = Timestamptz()
    in_flight = SmallInt(default=0)
    sent = BigInt(default=0)
    refused = BigInt(default=0)
    unsure = BigInt(default=0)
    latency = DoublePrecision(default=0)  # seconds a gateway took to answer, smoothed
