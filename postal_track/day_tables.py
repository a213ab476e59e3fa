"""The tables of a carrier's day: phones, rounds, the run and its order, photos.

As in ``tables``: constraints of one row stand here, all others in the migrations.
"""

from piccolo.columns import (
    UUID,
    Array,
    BigInt,
    BigSerial,
    Bytea,
    Date,
    ForeignKey,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from postal_track.tables import Item, Office, Staff


class Device(Table):
    """A phone or desk that somebody logged in with. ``id`` is what it calls itself.

    Out from ``signed_out_at`` on, until somebody lets it in again; ``told_at`` is when
    it asked for something while it was out, and so learnt that it is to wipe itself.
    """

    id = Varchar(length=40, primary_key=True)
    name = Varchar(length=60)
    agent = Varchar(length=200)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    first_seen = Timestamptz()
    last_seen = Timestamptz()
    skew_ms = BigInt(null=True, default=None)  # its clock less ours, when last measured
    signed_out_at = Timestamptz(null=True, default=None)
    signed_out_by = ForeignKey(
        Staff, null=True, default=None, on_delete=OnDelete.restrict
    )
    why = Varchar(length=240)
    told_at = Timestamptz(null=True, default=None)
    let_in_at = Timestamptz(null=True, default=None)
    let_in_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)

    device_has_id = Check("id ~ '^[A-Za-z0-9_.-]{4,40}$'")
    device_signed_out_by_someone = Check(
        "(signed_out_at IS NULL) = (signed_out_by IS NULL)"
    )
    device_let_in_by_someone = Check(
        "(let_in_at IS NULL) = (let_in_by IS NULL)"
        " AND (let_in_at IS NULL OR signed_out_at IS NOT NULL)"
    )


class CarrierRound(Table):
    """A ward that one carrier of an office goes to (tuyen phat)."""

    id = BigSerial(primary_key=True)
    office = ForeignKey(Office, null=False, on_delete=OnDelete.restrict)
    ward = Varchar(length=5)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)

    carrier_round_one_carrier = Unique([office, ward])


class RunStop(Table):
    """Who is to go for an item, on which day and when in it: the plan, not custody.

    One plan for an item: a newer one takes its place.
    """

    id = BigSerial(primary_key=True)
    item = ForeignKey(Item, null=False, unique=True, on_delete=OnDelete.cascade)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    on_day = Date(index=True)
    slot = Varchar(length=9)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()

    run_stop_known_slot = Check("slot IN ('any','morning','afternoon')")


class RunOrder(Table):
    """In which order a carrier goes on one day, and what he puts off to its end.

    The names of stops tell nobody: waybills and numbers of agencies.
    """

    id = BigSerial(primary_key=True)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    on_day = Date()
    keys = Array(base_column=Varchar(length=24))
    skipped = Array(base_column=Varchar(length=24))
    made_at = Timestamptz()

    run_order_one_a_day = Unique([staff, on_day])


class ItemPhoto(Table):
    """A photo of an item, never of an ID card: re-encoded, without metadata.

    ``id`` is the phone's own, so that twice is once; ``event`` the scan it was taken
    with. Append-only by trigger, but for the picture: it can be erased.
    """

    id = UUID(primary_key=True)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    event = UUID(null=True, default=None)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    taken_at = Timestamptz()
    recorded_at = Timestamptz()
    device = Varchar(length=40)
    digest = Bytea()
    picture = Bytea(null=True, default=None)  # JPEG

    item_photo_sane = Check(
        "length(digest) = 32 AND length(picture) BETWEEN 1 AND 524288"
    )
