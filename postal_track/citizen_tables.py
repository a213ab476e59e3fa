"""The tables of what a citizen asks for: requests, instructions, ratings, erasures.

Constraints stand here; what needs a trigger or a partial index stands in the dated
migrations, each with its reason. Times are UTC.
"""

from piccolo.columns import (
    JSONB,
    UUID,
    BigSerial,
    Bytea,
    Date,
    DoublePrecision,
    ForeignKey,
    Integer,
    SmallInt,
    Timestamptz,
    Varchar,
)
from piccolo.columns.base import OnDelete
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from postal_track.tables import Dossier, Item, Office, Staff


class CitizenRequest(Table, tablename="citizen_request"):
    """What a citizen asks for, before and after he proved that it is he.

    ``payload`` is what was asked, word for word; ``digest`` its SHA-256, which the code
    is bound to. The code is derived from ``nonce``, never kept. ``wrong`` counts the
    tries of the code in force, ``codes`` how many were sent. Payload and number can be
    erased, the rest stays.
    """

    id = UUID(primary_key=True)
    act = Varchar(length=10)
    dossier = ForeignKey(
        Dossier, null=True, default=None, on_delete=OnDelete.restrict, index=True
    )
    item = ForeignKey(Item, null=True, default=None, on_delete=OnDelete.restrict)
    part = Varchar(length=9)  # whose number it is
    phone = Varchar(length=16)  # E.164; where the code went
    payload = JSONB()
    digest = Bytea()
    state = Varchar(length=9)
    asked_at = Timestamptz()
    expires_at = Timestamptz()
    nonce = Bytea()
    code_until = Timestamptz()
    codes = SmallInt(default=1)
    wrong = SmallInt(default=0)
    confirmed_at = Timestamptz(null=True, default=None)
    decided_at = Timestamptz(null=True, default=None)
    decided_by = ForeignKey(Staff, null=True, default=None, on_delete=OnDelete.restrict)
    due_on = Date(null=True, default=None)  # when what was granted is done
    reason = Varchar(length=500)
    ended_at = Timestamptz(null=True, default=None)

    citizen_request_known_act = Check(
        "act IN ('book','cancel','reschedule','redirect','hold','deputy','data',"
        "'erasure')"
    )
    citizen_request_known_state = Check(
        "state IN ('asked','confirmed','applied','refused','expired')"
    )
    citizen_request_known_part = Check("part IN ('owner','filer','recipient')")
    citizen_request_about_something = Check("act = 'book' OR dossier IS NOT NULL")
    citizen_request_few_tries = Check("wrong BETWEEN 0 AND 5 AND codes BETWEEN 1 AND 3")
    # Nothing is ever done that nobody confirmed.
    citizen_request_confirmed_first = Check(
        "(state NOT IN ('confirmed','applied') OR confirmed_at IS NOT NULL)"
        " AND (state NOT IN ('asked','expired') OR confirmed_at IS NULL)"
    )
    citizen_request_ends = Check(
        "(state IN ('applied','refused','expired')) = (ended_at IS NOT NULL)"
    )
    citizen_request_refused_with_reason = Check("state <> 'refused' OR reason <> ''")
    citizen_request_decided_by_someone = Check(
        "(decided_at IS NULL) = (decided_by IS NULL) AND (decided_at IS NULL OR"
        " confirmed_at IS NOT NULL) AND (due_on IS NULL OR decided_at IS NOT NULL)"
    )
    citizen_request_digest_whole = Check("length(digest) = 32")


class Instruction(Table):
    """What the citizen wants of the coming pickup or delivery, as it stands now.

    ``way``: pickup or delivery. Personal, all of it erasable; which request set it last
    is in ``request``.
    """

    id = BigSerial(primary_key=True)
    dossier = ForeignKey(Dossier, null=False, on_delete=OnDelete.restrict)
    way = Varchar(length=8)
    day = Date(null=True, default=None)
    half = Varchar(length=9)  # of that day; empty: at any hour
    address = Varchar(length=240)
    ward = Varchar(length=5)
    lat = DoublePrecision(null=True, default=None)
    lon = DoublePrecision(null=True, default=None)
    position_source = Varchar(length=20)
    accuracy_m = Integer(null=True, default=None)
    hold_at = ForeignKey(Office, null=True, default=None, on_delete=OnDelete.restrict)
    deputy_name = Varchar(length=120)
    deputy_phone = Varchar(length=16)
    request = UUID(null=True, default=None)
    set_at = Timestamptz()

    instruction_one_each = Unique([dossier, way])
    instruction_known_way = Check("way IN ('pickup','delivery')")
    instruction_known_half = Check(
        "half IN ('','morning','afternoon') AND (half = '' OR day IS NOT NULL)"
    )
    instruction_one_place = Check("hold_at IS NULL OR address = ''")
    instruction_address_has_ward = Check("(address = '') = (ward = '')")
    instruction_deputy_whole = Check("(deputy_name = '') = (deputy_phone = '')")
    instruction_pickup_is_a_time = Check(
        "way <> 'pickup' OR (hold_at IS NULL AND address = '' AND deputy_name = '')"
    )


class Rating(Table):
    """How a citizen found the service, once for each dossier; 5 is the best.

    ``line`` can be erased.
    """

    dossier = ForeignKey(
        Dossier, null=False, on_delete=OnDelete.restrict, primary_key=True
    )
    stars = SmallInt()
    line = Varchar(length=240)
    said_at = Timestamptz(index=True)
    changed_at = Timestamptz(null=True, default=None)

    rating_sane = Check("stars BETWEEN 1 AND 5")


class Erasure(Table):
    """Personal data of a dossier was erased: whose, when, on whose word.

    ``request``: the citizen's; none when the legal time was over. Append-only by
    trigger.
    """

    id = BigSerial(primary_key=True)
    dossier = ForeignKey(Dossier, null=False, on_delete=OnDelete.restrict, index=True)
    request = ForeignKey(
        CitizenRequest, null=True, default=None, on_delete=OnDelete.restrict
    )
    scope = Varchar(length=9)
    at = Timestamptz()

    erasure_known_scope = Check("scope IN ('dossier','filer','recipient')")
