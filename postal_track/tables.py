"""The tables: the one definition of names, types and constraints.

Rules that a single column or row can break stand here as constraints; those that need a
partial index, a trigger or a sequence stand in the dated migrations, each with its
reason. Parties are written as ``postal_track.custody.Party`` writes them. Times are
UTC.
"""

from piccolo.columns import (
    JSONB,
    UUID,
    Array,
    BigInt,
    BigSerial,
    Boolean,
    Bytea,
    Char,
    Date,
    DoublePrecision,
    ForeignKey,
    Integer,
    Serial,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class Office(Table):
    """A post office or hub. ``synthetic``: made up for the demo."""

    id = Serial(primary_key=True)
    code = Varchar(length=12, unique=True)
    name = Varchar(length=120)
    short_name = Varchar(length=24)  # what fits in a text message
    hub = Boolean()
    ward = Varchar(length=5)
    lat = DoublePrecision()
    lon = DoublePrecision()
    synthetic = Boolean()

    office_on_earth = Check("lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180")


class Agency(Table):
    """A government agency that takes dossiers in.

    ``office`` is the post office that serves it.
    """

    id = Serial(primary_key=True)
    code = Varchar(length=40, unique=True)
    name = Varchar(length=160)
    name_en = Varchar(length=160)
    short_name = Varchar(length=24)
    ward = Varchar(length=5)
    lat = DoublePrecision()
    lon = DoublePrecision()
    office = ForeignKey(Office, null=False, on_delete=OnDelete.restrict)
    synthetic = Boolean()

    agency_on_earth = Check("lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180")


class Procedure(Table):
    """An administrative procedure and what it asks for. ``days``: statutory, working.

    ``fee``: VND.
    """

    id = Serial(primary_key=True)
    code = Varchar(length=40, unique=True)
    name = Varchar(length=240)
    name_en = Varchar(length=240)
    days = SmallInt()
    fee = Integer()
    sensitive = Boolean()  # its very name tells something private
    in_person = Boolean()  # the result goes to the person himself only
    takes_back_old = Boolean()

    procedure_sane = Check("days >= 0 AND fee >= 0")


class ProcedurePaper(Table):
    """One line of a procedure's published list of papers."""

    id = Serial(primary_key=True)
    procedure = ForeignKey(Procedure, null=False)
    position = SmallInt()
    name = Varchar(length=240)
    name_en = Varchar(length=240)
    originals = SmallInt()
    copies = SmallInt()
    required = Boolean(default=True)

    procedure_paper_one_line = Unique([procedure, position])
    procedure_paper_sane = Check("originals >= 0 AND copies >= 0")


class Staff(Table, tablename="staff"):
    """A login. ``password``: argon2id's own string."""

    id = Serial(primary_key=True)
    login = Varchar(length=40, unique=True)
    name = Varchar(length=80)
    role = Varchar(length=12)
    password = Varchar(length=160, secret=True)
    office = ForeignKey(Office, null=True, on_delete=OnDelete.restrict)
    language = Char(length=2, default="vi")
    active = Boolean(default=True)

    staff_known_role = Check(
        "role IN ('carrier','clerk','officer','supervisor','admin','auditor')"
    )
    staff_post_has_office = Check(
        "role NOT IN ('carrier','clerk') OR office IS NOT NULL"
    )


class StaffAgency(Table):
    """Which agencies an officer acts for: one or more.

    ``chief``: he sees the work of its other officers, too.
    """

    id = Serial(primary_key=True)
    staff = ForeignKey(Staff, null=False)
    agency = ForeignKey(Agency, null=False)
    chief = Boolean()

    staff_agency_once = Unique([staff, agency])


class MembershipChange(Table):
    """Someone was let into an agency, made its chief, or taken out: who did it, when.

    Whoever is in sees personal data, so this is kept. Append-only by trigger.
    """

    id = Serial(primary_key=True)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    agency = ForeignKey(Agency, null=False, on_delete=OnDelete.restrict)
    change = Varchar(length=6)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()

    membership_change_known = Check("change IN ('joined','chief','member','left')")


class Session(Table):
    """A login in force. Only the token's SHA-256 is kept.

    A copy of the table opens no door. ``unit``: the one agency that an officer of
    several works for just now; ``None`` for all of them.
    """

    token = Bytea(primary_key=True)
    staff = ForeignKey(Staff, null=False)
    created_at = Timestamptz()
    expires_at = Timestamptz(index=True)
    agent = Varchar(length=200)
    device = Varchar(length=40, null=True, default=None, index=True)
    unit = ForeignKey(Agency, null=True, default=None)


class LoginAttempt(Table):
    """A try to log in; failed ones are counted per login and per address."""

    id = BigSerial(primary_key=True)
    login = Varchar(length=40)
    address = Varchar(length=45)
    at = Timestamptz()
    succeeded = Boolean()


class Dossier(Table):
    """The case (ho so). ``token`` opens its page.

    ``slug`` is the short form for a text message.
    """

    id = BigSerial(primary_key=True)
    token = Varchar(length=22, unique=True)
    slug = Varchar(length=10, unique=True)
    agency = ForeignKey(Agency, null=False, on_delete=OnDelete.restrict)
    procedure = ForeignKey(Procedure, null=False, on_delete=OnDelete.restrict)
    office = ForeignKey(
        Office, null=False, on_delete=OnDelete.restrict
    )  # collects and delivers
    service = Varchar(length=8)
    language = Char(length=2, default="vi")
    due_on = Date(null=True, default=None)  # when the agency promised the result
    source = Varchar(length=20)  # who placed the order: counter, citizen, api
    order_id = UUID(unique=True)  # the same order sent twice is one dossier
    created_at = Timestamptz()

    dossier_known_service = Check("service IN ('send','receive','both')")
    dossier_known_language = Check("language IN ('vi','en')")
    dossier_token_shape = Check(
        "token ~ '^[A-Za-z0-9_-]{22}$' AND slug ~ '^[A-Za-z0-9]{10}$'"
    )


class DossierCode(Table):
    """A code that another system gave to a dossier, stored as given."""

    id = BigSerial(primary_key=True)
    dossier = ForeignKey(Dossier, null=False)
    source = Varchar(length=20)
    code = Varchar(length=50)
    given_at = Timestamptz()

    dossier_code_one_meaning = Unique([source, code])
    dossier_code_not_blank = Check("code <> ''")


class Person(Table):
    """Personal data, all of it erasable. ``part``: owner, filer or recipient."""

    id = BigSerial(primary_key=True)
    dossier = ForeignKey(Dossier, null=False)
    part = Varchar(length=9)
    name = Varchar(length=120)
    phone = Varchar(length=16, index=True)  # E.164
    address = Varchar(length=240)
    ward = Varchar(length=5)
    lat = DoublePrecision(null=True, default=None)
    lon = DoublePrecision(null=True, default=None)
    position_source = Varchar(length=20)
    accuracy_m = Integer(null=True, default=None)

    person_one_each = Unique([dossier, part])
    person_known_part = Check("part IN ('owner','filer','recipient')")
    person_phone_shape = Check("phone = '' OR phone ~ '^\\+[0-9]{6,15}$'")


class Paper(Table):
    """One line of the list of papers that travel with a dossier, as counted."""

    id = BigSerial(primary_key=True)
    dossier = ForeignKey(Dossier, null=False)
    position = SmallInt()
    name = Varchar(length=240)
    originals = SmallInt()
    copies = SmallInt()

    paper_one_line = Unique([dossier, position])
    paper_sane = Check("originals >= 0 AND copies >= 0")


class Item(Table):
    """One sealed postal item, one leg of a dossier: the projection of its ledger.

    Everything from ``stage`` on can be rebuilt from the events; ``postal-track replay``
    does.
    """

    id = BigSerial(primary_key=True)
    waybill = Char(length=13, unique=True)
    dossier = ForeignKey(Dossier, null=False, on_delete=OnDelete.restrict)
    leg = Varchar(
        length=12
    )  # at its birth the only open one of its dossier, by trigger
    promised_on = Date(null=True, default=None)
    fee = Integer(default=0)  # VND that was open when it set out; now: `charges`
    created_at = Timestamptz()

    stage = Varchar(length=16)
    sender = Varchar(length=24)
    addressee = Varchar(length=24)
    holder = Varchar(length=24)
    holder_place = Varchar(length=24, null=True, default=None)
    since = Timestamptz()
    released_to = Varchar(length=24, null=True, default=None)
    released_at = Timestamptz(null=True, default=None)
    bound_for = Varchar(length=24, null=True, default=None)
    attempts = SmallInt(default=0)
    originals = SmallInt(null=True, default=None)
    copies = SmallInt(null=True, default=None)
    seal_no = Varchar(length=20, null=True, default=None)
    bag = Varchar(length=13, null=True, default=None)
    next_on = Date(null=True, default=None)  # tried again, or kept at the counter until
    last_at = Timestamptz()
    seq = Integer()
    head = Bytea()

    item_leg_of_ours = Check(
        "leg IN ('dossier','result','supplement','bring_back','old_papers','slip',"
        "'transfer')"
    )
    item_holder_shape = Check(
        "holder ~ '^(citizen|(staff|office|agency):[1-9][0-9]*)$'"
    )
    item_limbo_has_age = Check("(released_to IS NULL) = (released_at IS NULL)")
    item_fee_sane = Check("fee >= 0")
    item_waybill_shape = Check("waybill ~ '^[A-Z]{2}[0-9]{9}[A-Z]{2}$'")


class LabelPool(Table):
    """A batch of waybills printed ahead for an office."""

    id = Serial(primary_key=True)
    office = ForeignKey(Office, null=False, on_delete=OnDelete.restrict)
    printed_by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    printed_at = Timestamptz()
    size = Integer()

    label_pool_sane = Check("size BETWEEN 1 AND 1000")


class Label(Table):
    """A waybill that was given out.

    One from a pool has no item until a pickup binds it.
    """

    waybill = Char(length=13, primary_key=True)
    item = ForeignKey(Item, null=True, default=None, on_delete=OnDelete.restrict)
    pool = ForeignKey(LabelPool, null=True, default=None, on_delete=OnDelete.restrict)
    bound_at = Timestamptz(null=True, default=None)

    label_from_somewhere = Check("item IS NOT NULL OR pool IS NOT NULL")


class Event(Table):
    """One line of an item's ledger. Append-only by trigger.

    ``id`` is the scan's own, so a repeat is known.

    ``hash`` is SHA-256 over ``postal_track.ledger.canonical``; ``previous`` the hash
    before it. What is personal is in ``EventDetail``; ``private`` is its salted digest.
    """

    id = UUID(primary_key=True)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    seq = Integer()
    step = Varchar(length=16)
    by = Varchar(length=24)
    place = Varchar(length=24, null=True, default=None)
    taker = Varchar(length=24, null=True, default=None)
    towards = Varchar(length=24, null=True, default=None)  # promised to or bound for
    at = (
        Timestamptz()
    )  # device time, corrected by the measured skew: the order of the story
    device_at = Timestamptz()  # what the device's clock said
    recorded_at = Timestamptz()
    device = Varchar(length=40)
    device_seq = BigInt(default=0)
    originals = SmallInt(null=True, default=None)
    copies = SmallInt(null=True, default=None)
    seal_no = Varchar(length=20, null=True, default=None)
    seal_broken = Boolean()
    damaged = Boolean()
    reason = Varchar(length=24, null=True, default=None)
    proof = Varchar(length=12, null=True, default=None)
    flags = Array(base_column=Varchar(length=24))
    bag = Varchar(length=13, null=True, default=None)  # the bag it was in
    corrects = UUID(null=True, default=None)  # the event that this one declares wrong
    next_on = Date(null=True, default=None)  # the day it names, as in ``Item``
    private = Bytea(null=True, default=None)
    previous = Bytea()
    hash = Bytea()

    event_one_line = Unique([item, seq])
    event_no_fork = Unique([item, previous])
    event_sane = Check("seq >= 1 AND length(hash) = 32 AND length(previous) = 32")


class EventDetail(Table):
    """What an event knows of persons: position, signature, document, free words.

    Erasable.
    """

    event = UUID(primary_key=True)
    salt = Bytea()
    content = JSONB()


class RefusedScan(Table):
    """A scan without standing.

    Kept word for word, so that it is answered alike and nothing is lost.
    """

    id = UUID(primary_key=True)
    staff = ForeignKey(Staff, null=True, default=None)
    code = Varchar(length=200)
    step = Varchar(length=16)
    at = Timestamptz()
    error = Varchar(length=40)
    fields = JSONB()  # what the error's sentence is made of
    scan = JSONB()


class OneTimeCode(Table):
    """The citizen's code for a handover.

    The code itself is derived from ``nonce`` and the secret key.
    """

    id = BigSerial(primary_key=True)
    item = ForeignKey(Item, null=False)
    purpose = Varchar(length=8)
    nonce = Bytea()
    made_at = Timestamptz()
    expires_at = Timestamptz()
    wrong = SmallInt(default=0)
    used_at = Timestamptz(null=True, default=None)

    one_time_code_known_purpose = Check("purpose IN ('pickup','delivery')")
    one_time_code_five_tries = Check("wrong BETWEEN 0 AND 5")


class Irregularity(Table):
    """What someone must put right about a handover, with an owner and an end.

    ``giver`` and ``receiver``: between whom it is, when someone opened it by hand; else
    the event tells. An end is final (by trigger).
    """

    id = BigSerial(primary_key=True)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    event = UUID(null=True, default=None)
    kind = Varchar(length=24)
    owner = Varchar(length=24)
    due_at = Timestamptz()
    opened_at = Timestamptz()
    detail = Varchar(length=240)
    ended_at = Timestamptz(null=True, default=None)
    ended_by = ForeignKey(Staff, null=True, default=None)
    ending = Varchar(length=240)
    outcome = Varchar(length=12, null=True, default=None)
    opened_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    giver = Varchar(length=24, null=True, default=None)
    receiver = Varchar(length=24, null=True, default=None)

    irregularity_once = Unique([event, kind])
    irregularity_ended_by_someone = Check("(ended_at IS NULL) = (ended_by IS NULL)")
    irregularity_known_outcome = Check(
        "outcome IN ('found','corrected','new_seal','reforwarded','compensated',"
        "'lost','unfounded','other')"
    )
    irregularity_outcome_at_the_end = Check("outcome IS NULL OR ended_at IS NOT NULL")
    irregularity_other_needs_words = Check("outcome <> 'other' OR ending <> ''")
    irregularity_by_hand_has_sides = Check(
        "(opened_by IS NULL) = (giver IS NULL) AND (opened_by IS NULL) ="
        " (receiver IS NULL)"
    )


class Reading(Table):
    """A member of staff read personal data: who, whose, what for, when.

    Append-only by trigger.
    """

    id = BigSerial(primary_key=True)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    dossier = ForeignKey(Dossier, null=False, on_delete=OnDelete.restrict)
    what = Varchar(length=40)
    at = Timestamptz()


class Tally(Table):
    """How often someone outside came within a span of time.

    ``key`` is a keyed digest of what was asked, the address and the span: whoever reads
    the table learns nobody's address from it.
    """

    key = Bytea(primary_key=True)
    visits = Integer(db_column_name="count")  # a Table's own count() has the name
    ends_at = Timestamptz(index=True)

    tally_sane = Check("count > 0")


class Checkpoint(Table):
    """A signed root over the newest lines of all items. Append-only by trigger.

    ``body`` is what was signed, letter by letter; ``tiles`` spare a receipt the reading
    of all leaves (see ``merkle``). Nothing of it is personal: it is published.
    """

    number = Integer(primary_key=True)
    body = Text()
    signature = Bytea()
    tiles = Bytea()

    checkpoint_sane = Check(
        "number >= 1 AND length(signature) = 64 AND length(tiles) % 45 = 0"
    )


class SealedHead(Table):
    """The newest line of an item that has new ones since the checkpoint before.

    Append-only by trigger. An item is named by its waybill and ``checkpoint`` by its
    number only, so that the list says what was sealed even if either row were gone.
    """

    id = BigSerial(primary_key=True)
    checkpoint = Integer()
    waybill = Char(length=13)
    seq = Integer()
    head = Bytea()

    sealed_head_sane = Check("checkpoint >= 1 AND seq >= 1 AND length(head) = 32")


class Bag(Table):
    """A bag (tui) on its one way: from an office to an office or agency.

    ``holder`` and what follows it tell at whom it was when it was last scanned whole;
    of what is inside, the items' own ledgers tell. Never nested.
    """

    number = Char(length=13, primary_key=True)
    origin = ForeignKey(Office, null=False, on_delete=OnDelete.restrict)
    destination = Varchar(length=24)
    part = SmallInt(default=1)  # "bag 2 of 3"
    parts = SmallInt(default=1)
    made_by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    made_at = Timestamptz()
    seal_no = Varchar(length=20, null=True, default=None)
    size = SmallInt(null=True, default=None)  # items inside when it was closed
    closed_at = Timestamptz(null=True, default=None)
    closed_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    holder = Varchar(length=24)
    since = Timestamptz()
    released_to = Varchar(length=24, null=True, default=None)
    released_at = Timestamptz(null=True, default=None)
    opened_at = Timestamptz(null=True, default=None)
    opened_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)

    bag_number_shape = Check("number ~ '^DT[0-9]{9}VN$'")
    bag_destination_shape = Check("destination ~ '^(office|agency):[1-9][0-9]*$'")
    bag_part_sane = Check("part BETWEEN 1 AND parts AND parts <= 99")
    bag_closed_with_a_seal = Check(
        "(closed_at IS NULL) = (seal_no IS NULL) AND (closed_at IS NULL) ="
        " (closed_by IS NULL) AND (closed_at IS NULL) = (size IS NULL)"
        " AND seal_no <> '' AND size > 0"
    )
    bag_opened_after_closed = Check(
        "(opened_at IS NULL) = (opened_by IS NULL)"
        " AND (opened_at IS NULL OR closed_at IS NOT NULL)"
    )
    bag_limbo_has_age = Check("(released_to IS NULL) = (released_at IS NULL)")


class BagScan(Table):
    """A scan of a bag's code: what was inside, so that a repeat is answered alike.

    ``id`` is the scan's own. Append-only by trigger.
    """

    id = UUID(primary_key=True)
    bag = ForeignKey(
        Bag, null=False, on_delete=OnDelete.restrict, target_column="number"
    )
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    step = Varchar(length=16)
    at = Timestamptz()
    recorded_at = Timestamptz()
    waybills = Array(base_column=Char(length=13))


class Handover(Table):
    """A receiving session: what was announced, counted and found, of a bag or a pile.

    Open until ``ended_at``; then neither it nor its lines change (by trigger), and no
    line is without an outcome.
    """

    id = UUID(primary_key=True)
    bag = ForeignKey(
        Bag,
        null=True,
        default=None,
        on_delete=OnDelete.restrict,
        target_column="number",
    )
    giver = Varchar(length=24)
    receiver = Varchar(length=24)
    way = Varchar(length=8)
    begun_by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    begun_at = Timestamptz()
    counted = SmallInt(null=True, default=None)
    counted_at = Timestamptz(null=True, default=None)
    seal_no = Varchar(length=20, null=True, default=None)  # as the receiver read it
    seal_broken = Boolean()
    mode = Varchar(length=8, null=True, default=None)
    ending = Varchar(length=12, null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
    ended_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    note = Varchar(length=240)  # why the count differs from what was then found

    handover_party_shape = Check(
        "giver ~ '^(citizen|(staff|office|agency):[1-9][0-9]*)$'"
        " AND receiver ~ '^(staff|office|agency):[1-9][0-9]*$'"
    )
    handover_known_way = Check("way IN ('each','count')")
    handover_known_mode = Check("mode IN ('rollback','proceed')")
    handover_known_ending = Check("ending IN ('accepted','rolled_back','cancelled')")
    handover_counted_sane = Check(
        "(counted IS NULL) = (counted_at IS NULL) AND counted >= 0"
    )
    handover_ended_by_someone = Check(
        "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) ="
        " (ending IS NULL)"
    )


class HandoverLine(Table):
    """One item of a receiving session. Every difference has its own reason."""

    id = BigSerial(primary_key=True)
    handover = ForeignKey(Handover, null=False, on_delete=OnDelete.restrict)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    announced = Boolean()
    outcome = Varchar(length=12, null=True, default=None)
    reason = Varchar(length=24, null=True, default=None)
    note = Varchar(length=240)
    said_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    said_at = Timestamptz(null=True, default=None)

    handover_line_once = Unique([handover, item])
    handover_line_known_outcome = Check(
        "outcome IN ('present','missing','extra','misrouted')"
    )
    # What no bulk action may get around, whoever writes it.
    handover_line_difference_has_reason = Check(
        "outcome IS NULL OR outcome = 'present' OR"
        " (reason IS NOT NULL AND (reason <> 'other' OR note <> ''))"
    )
    handover_line_outcome_fits = Check(
        "outcome IS NULL OR outcome = 'misrouted'"
        " OR announced = (outcome IN ('present','missing'))"
    )
    handover_line_said_by_someone = Check(
        "(outcome IS NULL) = (said_by IS NULL) AND (said_by IS NULL) ="
        " (said_at IS NULL)"
    )


class Minute(Table):
    """What one side states about an irregularity: a line of the minutes (bien ban).

    ``party`` is whom the writer speaks for, ``owner`` to whom he hands the irregularity
    over, if he does. Append-only by trigger, but for the words: they can be erased.
    """

    id = BigSerial(primary_key=True)
    irregularity = ForeignKey(Irregularity, null=False, on_delete=OnDelete.restrict)
    side = Varchar(length=8)
    party = Varchar(length=24)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    words = Varchar(length=1000)
    originals = SmallInt(null=True, default=None)  # counted again
    copies = SmallInt(null=True, default=None)
    seal_no = Varchar(length=20, null=True, default=None)  # the new one
    owner = Varchar(length=24, null=True, default=None)
    at = Timestamptz()

    minute_known_side = Check("side IN ('giver','receiver','other')")
    minute_party_shape = Check("party ~ '^(staff|office|agency):[1-9][0-9]*$'")
    minute_owner_shape = Check("owner ~ '^(staff|office|agency):[1-9][0-9]*$'")
    minute_counts_sane = Check("originals >= 0 AND copies >= 0 AND seal_no <> ''")


class EnvelopePhoto(Table):
    """A photo of an envelope, never of an ID card: re-encoded, without metadata.

    ``digest`` is its SHA-256. Append-only by trigger, but for the picture: it can be
    erased.
    """

    id = BigSerial(primary_key=True)
    irregularity = ForeignKey(Irregularity, null=False, on_delete=OnDelete.restrict)
    by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    at = Timestamptz()
    digest = Bytea()
    picture = Bytea(null=True, default=None)  # JPEG

    envelope_photo_once = Unique([irregularity, digest])
    envelope_photo_sane = Check(
        "length(digest) = 32 AND length(picture) BETWEEN 1 AND 1572864"
    )


class Claim(Table):
    """A citizen's claim (khieu nai) for a loss, a delay or damage.

    ``least`` is what an accepted claim is worth at least, by the rule in force then.
    Decided once and settled once (by trigger).
    """

    id = BigSerial(primary_key=True)
    number = Char(length=12, unique=True)
    dossier = ForeignKey(Dossier, null=False, on_delete=OnDelete.restrict)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    irregularity = ForeignKey(
        Irregularity, null=True, default=None, on_delete=OnDelete.restrict
    )
    kind = Varchar(length=6)
    state = Varchar(length=8)
    words = Varchar(length=1000)
    opened_at = Timestamptz()
    opened_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    settle_by = Date()
    decided_at = Timestamptz(null=True, default=None)
    decided_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    reason = Varchar(length=500)  # of the decision
    postage = Integer(null=True, default=None)  # VND that was paid for the item
    least = Integer(null=True, default=None)
    amount = Integer(null=True, default=None)
    settled_at = Timestamptz(null=True, default=None)
    settled_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    receipt = Varchar(length=80)  # by which it was paid

    claim_number_shape = Check("number ~ '^KN[0-9]{10}$'")
    claim_known_kind = Check("kind IN ('loss','delay','damage')")
    claim_known_state = Check("state IN ('opened','accepted','rejected','settled')")
    claim_decided_by_someone = Check(
        "(state = 'opened') = (decided_at IS NULL) AND (decided_at IS NULL) ="
        " (decided_by IS NULL)"
    )
    claim_rejected_with_reason = Check("state <> 'rejected' OR reason <> ''")
    claim_accepted_with_amount = Check(
        "(state IN ('accepted','settled')) = (amount IS NOT NULL)"
        " AND (amount IS NULL) = (postage IS NULL) AND (amount IS NULL) ="
        " (least IS NULL) AND postage >= 0 AND amount >= least"
    )
    claim_settled_by_someone = Check(
        "(state = 'settled') = (settled_at IS NOT NULL) AND (settled_at IS NULL) ="
        " (settled_by IS NULL) AND (state <> 'settled' OR receipt <> '')"
    )


class Watch(Table):
    """How far a sweep has read the ledger. One row for each sweep, locked by it."""

    name = Varchar(length=20, primary_key=True)
    through = Timestamptz()


class ShiftEnd(Table):
    """Someone went home, and what he or his counter still answered for was explained.

    ``id`` is the form's own, so that twice is once. Append-only by trigger.
    """

    id = UUID(primary_key=True)
    staff = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    office = ForeignKey(Office, null=True, default=None, on_delete=OnDelete.restrict)
    ended_at = Timestamptz()


class ShiftLine(Table):
    """One item that was still held at the end of a shift, and why.

    Append-only by trigger, but for the note: it can be erased.
    """

    id = BigSerial(primary_key=True)
    shift_end = ForeignKey(ShiftEnd, null=False, on_delete=OnDelete.restrict)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    holder = Varchar(length=24)
    reason = Varchar(length=16)
    note = Varchar(length=240)

    shift_line_once = Unique([shift_end, item])
    shift_line_party_shape = Check("holder ~ '^(staff|office):[1-9][0-9]*$'")
    shift_line_known_reason = Check(
        "reason IN ('awaiting','tomorrow','citizen','safe','closed','weather',"
        "'disputed','other')"
    )


class HandoverRecord(Table):
    """A paper of a handover: bien ban giao nhan, or phieu ban giao ket qua.

    ``digest`` is SHA-256 over the kind and the lines with their hashes: the same lines
    are the same paper. Append-only by trigger.
    """

    id = BigSerial(primary_key=True)
    number = Char(length=10, unique=True)
    kind = Varchar(length=8)
    made_by = ForeignKey(Staff, null=False, on_delete=OnDelete.restrict)
    made_at = Timestamptz()
    digest = Bytea(unique=True)

    handover_record_known_kind = Check("kind IN ('handover','result')")
    handover_record_number_shape = Check("number ~ '^(BB|KQ)[0-9]{8}$'")
    handover_record_digest_whole = Check("length(digest) = 32")


class HandoverRecordLine(Table):
    """One line of the ledger that a paper tells, as it was. Append-only by trigger."""

    id = BigSerial(primary_key=True)
    record = ForeignKey(HandoverRecord, null=False, on_delete=OnDelete.restrict)
    item = ForeignKey(Item, null=False, on_delete=OnDelete.restrict)
    seq = Integer()
    hash = Bytea()

    handover_record_line_once = Unique([record, item, seq])
    handover_record_line_whole = Check("length(hash) = 32 AND seq > 0")
