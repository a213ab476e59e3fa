"""Who holds an item, and how it changes hands.

The rule book: no HTTP, no tables, no clock. An item has one holder at every moment. A
release does not move custody; the receiver's own word does. A missing item is thus
always answered for by someone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import reduce
from typing import Any
from uuid import UUID


class PartyKind(StrEnum):
    """Who can answer for an item."""

    CITIZEN = "citizen"  # the dossier's own person; never numbered
    STAFF = "staff"  # one member of the post's staff
    OFFICE = "office"  # a post office or hub
    AGENCY = "agency"  # a government agency
    SYSTEM = "system"  # speaks, but never holds


@dataclass(frozen=True, slots=True, order=True)
class Party:
    """One side of a handover.

    Written ``staff:12``, ``office:3``, ``agency:5``, ``citizen`` or ``system``.
    """

    kind: PartyKind
    id: int = 0

    def __str__(self) -> str:
        """Write the party as tables and the ledger keep it."""
        return f"{self.kind}:{self.id}" if self.id else str(self.kind)

    @classmethod
    def parse(cls, text: str) -> "Party":
        """Read what ``str`` wrote; ``ValueError`` for anything else."""
        kind, _, number = text.partition(":")
        party = cls(PartyKind(kind), int(number) if number else 0)
        numbered = party.kind not in (PartyKind.CITIZEN, PartyKind.SYSTEM)
        if numbered != (party.id > 0) or str(party) != text:
            raise ValueError(f"{text!r} is not a party")
        return party


CITIZEN = Party(PartyKind.CITIZEN)
SYSTEM = Party(PartyKind.SYSTEM)


class Role(StrEnum):
    """What a login is for."""

    CARRIER = "carrier"
    CLERK = "clerk"
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Leg(StrEnum):
    """Which stretch of the dossier's way an item is."""

    DOSSIER = "dossier"  # citizen -> agency
    RESULT = "result"  # agency -> citizen
    SUPPLEMENT = "supplement"  # citizen -> agency: papers that were asked for
    BRING_BACK = "bring_back"  # agency -> citizen: refused or withdrawn
    OLD_PAPERS = "old_papers"  # citizen -> agency: recovered at delivery
    SLIP = "slip"  # agency -> citizen: the receipt and appointment slip
    TRANSFER = "transfer"  # agency -> agency


FROM_CITIZEN = frozenset({Leg.DOSSIER, Leg.SUPPLEMENT, Leg.OLD_PAPERS})
TO_CITIZEN = frozenset({Leg.RESULT, Leg.BRING_BACK, Leg.SLIP})


class Stage(StrEnum):
    """What an item is now. The arrows are the expected steps.

    Anything else is recorded and flagged.
    """

    UNBORN = "unborn"  # -> booked, ready
    BOOKED = "booked"  # -> collected (accepted), booked (pickup failed)
    READY = "ready"  # -> collected (accepted)
    COLLECTED = "collected"  # -> at office, in transit, out for delivery, received
    AT_OFFICE = (
        "at_office"  # -> in transit, out for delivery, delivered over the counter
    )
    IN_TRANSIT = "in_transit"  # -> at office, in transit, out for delivery, received
    OUT_FOR_DELIVERY = (
        "out_for_delivery"  # -> received, delivered, attempted, at office
    )
    ATTEMPTED = (
        "attempted"  # -> out for delivery, at office, in transit, received, delivered
    )
    HELD = "held"  # at the counter for the citizen -> delivered, out, returned
    MISROUTED = "misrouted"  # with an agency it was not meant for -> collected
    MISSING = "missing"  # being searched for -> wherever it turns up, or lost
    RECEIVED = (
        "received"  # the addressed agency has it; nothing but its registration follows
    )
    DELIVERED = "delivered"  # the citizen has it; nothing follows
    REFUSED = "refused"  # the agency would not have it; its bring-back goes on
    RETURNED = "returned"  # undeliverable, the agency has it back; nothing follows
    CANCELLED = "cancelled"  # never handed over; nothing follows
    LOST = "lost"  # the search has ended; a claim settles it


ENDED = frozenset(
    {
        Stage.RECEIVED,
        Stage.DELIVERED,
        Stage.REFUSED,
        Stage.RETURNED,
        Stage.CANCELLED,
        Stage.LOST,
    }
)
"""Where a journey ends. Whatever is seen afterwards is recorded and flagged."""


class Step(StrEnum):
    """What a scan says happened. The arrow tells who holds the item afterwards."""

    BOOKED = "booked"  # unborn -> held by the sender
    READY = "ready"  # unborn -> held by the agency, waiting for the post
    PICKUP_FAILED = "pickup_failed"  # custody stays; needs a reason
    ACCEPTED = "accepted"  # held by the sender -> the scanner's (a clerk's office's)
    TAKEN = "taken"  # held by anyone -> the scanner's own
    ARRIVED = "arrived"  # held by anyone -> the scanner's office
    OUT = "out"  # held by anyone -> the scanner's own, on the way to the addressee
    RECEIVED = "received"  # held by anyone -> the officer's agency
    REGISTERED = "registered"  # custody stays; the agency gives its code and due date
    RELEASED = "released"  # in limbo: promised to a receiver, still the giver's
    RECALLED = "recalled"  # out of limbo, the giver's as before
    ATTEMPTED = "attempted"  # custody stays; needs a reason
    HELD = "held"  # held by anyone -> the scanner's office, for the citizen to fetch
    REDIRECTED = "redirected"  # custody stays; the citizen wants it elsewhere
    REFUSED = "refused"  # custody stays; the agency will not have it, with a reason
    RETURNED = "returned"  # held by anyone -> the agency that sent it, undeliverable
    CANCELLED = "cancelled"  # custody stays with the sender
    PACKED = "packed"  # into a bag; custody stays
    UNPACKED = "unpacked"  # out of its bag; custody stays
    MISSED = "missed"  # custody stays: the last holder answers while it is searched
    LOST = "lost"  # custody stays: the last holder answers for the loss
    CORRECTED = "corrected"  # an earlier line is declared wrong; it is read no more
    DELIVERED = (
        "delivered"  # held by anyone -> the citizen's, on proof; nothing follows
    )


class Reason(StrEnum):
    """Why a handover did not come about, or why a line is declared wrong."""

    WRONG_ADDRESS = "wrong_address"
    UNKNOWN = "addressee_unknown"
    ABSENT = "absent"
    REFUSED = "refused"
    LATER = "asks_for_later"
    CANNOT_PAY = "cannot_pay"
    ID_MISSING = "id_missing"
    NOT_AUTHORISED = "not_authorised"
    OFFICE_CLOSED = "office_closed"
    WEATHER = "weather_or_ferry"
    MISSING_PAPERS = "missing_papers"
    WRONG_PAPERS = "wrong_papers"
    WRONG_AGENCY = "wrong_agency"
    COUNT_MISMATCH = "count_mismatch"
    SEAL_BROKEN = "seal_broken"
    WITHDRAWN = "withdrawn"  # the citizen wants it back
    DID_NOT_OCCUR = "did_not_occur"  # EPCIS: the corrected event never happened
    INCORRECT_DATA = "incorrect_data"  # EPCIS: it did, but was told wrongly
    NOT_FOUND = "not_found"  # announced, but not there when it was counted
    LEFT_BEHIND = "left_behind"  # announced, but the giver still has it
    NOT_ANNOUNCED = "not_announced"  # there, although nobody had listed it
    MISSORTED = "missorted"  # there, but meant for somebody else
    OTHER = "other"  # with a note


UNDELIVERED = frozenset(
    {
        Reason.WRONG_ADDRESS,
        Reason.UNKNOWN,
        Reason.ABSENT,
        Reason.REFUSED,
        Reason.LATER,
        Reason.CANNOT_PAY,
        Reason.ID_MISSING,
        Reason.NOT_AUTHORISED,
        Reason.OFFICE_CLOSED,
        Reason.WEATHER,
        Reason.OTHER,
    }
)
UNACCEPTED = frozenset(
    {
        Reason.MISSING_PAPERS,
        Reason.WRONG_PAPERS,
        Reason.WRONG_AGENCY,
        Reason.COUNT_MISMATCH,
        Reason.SEAL_BROKEN,
        Reason.WITHDRAWN,
        Reason.OTHER,
    }
)
ERRORS = frozenset({Reason.DID_NOT_OCCUR, Reason.INCORRECT_DATA})
ABSENCES = frozenset(
    {Reason.NOT_FOUND, Reason.LEFT_BEHIND, Reason.SEAL_BROKEN, Reason.OTHER}
)


class Kind(StrEnum):
    """What can be wrong with a handover that was recorded all the same."""

    UNANNOUNCED = "unannounced_handover"  # taken from someone who had not released it
    COUNT_MISMATCH = "count_mismatch"
    SEAL_BROKEN = "seal_broken"  # or another number than at the last handover
    DAMAGED = "damaged"
    MISROUTED = "misrouted"  # taken by a place it was not on its way to
    WRONG_PLACE = "wrong_place"  # scanned far from where the scanner says he is
    CLOCK_SKEW = "clock_skew"
    OUT_OF_ORDER = "out_of_order"  # the step does not follow from what was known
    FAILED_PROOF = "failed_proof"  # none given where one is due, or five wrong codes
    FORGED_LABEL = "forged_label"
    MISSING = "missing"  # not in the bag or list it should be in, or not found at all
    NOT_LISTED = "not_on_list"  # there, although nobody announced it
    SILENT = "silent_too_long"  # nothing heard of it for longer than is plausible
    WRONG_RECEIVER = "wrong_receiver"  # not in person where it must, or not authorised
    DISPUTED = "disputed_delivery"  # the citizen says he did not receive it


_STAFF_OF_THE_POST = frozenset({Role.CARRIER, Role.CLERK, Role.SUPERVISOR})

MAY: dict[Step, frozenset[Role]] = {
    Step.BOOKED: frozenset({Role.CLERK, Role.SUPERVISOR}),
    Step.READY: frozenset({Role.OFFICER}),
    Step.PICKUP_FAILED: _STAFF_OF_THE_POST,
    Step.ACCEPTED: _STAFF_OF_THE_POST,
    Step.TAKEN: _STAFF_OF_THE_POST,
    Step.ARRIVED: frozenset({Role.CLERK, Role.SUPERVISOR}),
    Step.OUT: _STAFF_OF_THE_POST,
    Step.RECEIVED: frozenset({Role.OFFICER}),
    Step.REGISTERED: frozenset({Role.OFFICER}),
    Step.RELEASED: _STAFF_OF_THE_POST | {Role.OFFICER},
    Step.RECALLED: _STAFF_OF_THE_POST | {Role.OFFICER},
    Step.ATTEMPTED: _STAFF_OF_THE_POST,
    Step.HELD: frozenset({Role.CLERK, Role.SUPERVISOR}),
    Step.REDIRECTED: _STAFF_OF_THE_POST,
    Step.REFUSED: frozenset({Role.OFFICER}),
    Step.RETURNED: frozenset({Role.OFFICER}),
    Step.CANCELLED: frozenset({Role.CLERK, Role.SUPERVISOR}),
    Step.PACKED: frozenset({Role.CLERK, Role.SUPERVISOR}),
    Step.UNPACKED: frozenset({Role.CLERK, Role.SUPERVISOR, Role.OFFICER}),
    Step.MISSED: _STAFF_OF_THE_POST | {Role.OFFICER},
    Step.LOST: frozenset({Role.SUPERVISOR}),
    Step.CORRECTED: _STAFF_OF_THE_POST | {Role.OFFICER},
    Step.DELIVERED: _STAFF_OF_THE_POST,
}
"""Which roles have the standing to say that a step happened."""

_ON_THE_WAY = frozenset(
    {
        Step.TAKEN,
        Step.ARRIVED,
        Step.OUT,
        Step.RELEASED,
        Step.RECALLED,
        Step.PACKED,
        Step.UNPACKED,
        Step.REDIRECTED,
        Step.MISSED,
    }
)
_AT_ANY_TIME = frozenset({Step.CORRECTED})

FOLLOWS: dict[Stage, frozenset[Step]] = {
    Stage.UNBORN: frozenset({Step.BOOKED, Step.READY}),
    Stage.BOOKED: frozenset({Step.ACCEPTED, Step.PICKUP_FAILED, Step.CANCELLED}),
    Stage.READY: frozenset(
        {
            Step.ACCEPTED,
            Step.PICKUP_FAILED,
            Step.RELEASED,
            Step.RECALLED,
            Step.REDIRECTED,
            Step.CANCELLED,
        }
    ),
    Stage.COLLECTED: _ON_THE_WAY | {Step.RECEIVED},
    Stage.AT_OFFICE: _ON_THE_WAY | {Step.DELIVERED, Step.HELD},
    Stage.IN_TRANSIT: _ON_THE_WAY | {Step.RECEIVED, Step.RETURNED},
    Stage.OUT_FOR_DELIVERY: _ON_THE_WAY - {Step.OUT, Step.PACKED, Step.UNPACKED}
    | {Step.RECEIVED, Step.REFUSED, Step.DELIVERED, Step.ATTEMPTED, Step.RETURNED},
    Stage.ATTEMPTED: _ON_THE_WAY
    | {
        Step.RECEIVED,
        Step.REFUSED,
        Step.DELIVERED,
        Step.ATTEMPTED,
        Step.HELD,
        Step.RETURNED,
    },
    Stage.HELD: _ON_THE_WAY | {Step.DELIVERED, Step.HELD, Step.RETURNED},
    Stage.MISROUTED: _ON_THE_WAY | {Step.ACCEPTED},
    Stage.MISSING: _ON_THE_WAY | {Step.LOST, Step.RECEIVED, Step.DELIVERED, Step.HELD},
    Stage.RECEIVED: frozenset({Step.REGISTERED}),
    Stage.DELIVERED: frozenset(),
    Stage.REFUSED: frozenset(),
    Stage.RETURNED: frozenset(),
    Stage.CANCELLED: frozenset(),
    Stage.LOST: frozenset(),
}
"""The steps that surprise nobody at a stage: the graph of the journey on one screen."""

STAYS = frozenset(
    {
        Step.PICKUP_FAILED,
        Step.REGISTERED,
        Step.RELEASED,
        Step.RECALLED,
        Step.ATTEMPTED,
        Step.REDIRECTED,
        Step.REFUSED,
        Step.CANCELLED,
        Step.PACKED,
        Step.UNPACKED,
        Step.MISSED,
        Step.LOST,
        Step.CORRECTED,
    }
)
"""Steps that say something about an item without moving it."""

NAMES_A_DAY = frozenset({Step.PICKUP_FAILED, Step.ATTEMPTED, Step.HELD})
"""Steps that say when it goes on: at the next attempt, or at the end of the hold."""

REASONS: dict[Step, frozenset[Reason]] = {
    Step.PICKUP_FAILED: UNDELIVERED,
    Step.ATTEMPTED: UNDELIVERED,
    Step.REFUSED: UNACCEPTED,
    Step.MISSED: ABSENCES,
    Step.CORRECTED: ERRORS,
}
"""Steps that need a reason, and which ones will do."""


@dataclass(frozen=True, slots=True)
class Event:
    """What the rules need of one line of the ledger.

    ``by`` is who says so, ``place`` the office or agency he acted for, ``taker`` who
    holds the item from now on (``None``: custody stays), ``towards`` the party it is
    promised to or bound for; of a first event, the addressee. ``next_on``: the day it
    is tried again, or until which it waits at the counter.
    """

    step: Step
    by: Party
    at: datetime
    place: Party | None = None
    taker: Party | None = None
    towards: Party | None = None
    originals: int | None = None
    copies: int | None = None
    seal_no: str | None = None
    seal_broken: bool = False
    damaged: bool = False
    id: UUID | None = None
    bag: str | None = None
    corrects: UUID | None = None
    next_on: date | None = None


@dataclass(frozen=True, slots=True)
class Custody:
    """What is known of an item: the fold of its story."""

    stage: Stage = Stage.UNBORN
    holder: Party = SYSTEM
    holder_place: Party | None = None  # the place a member of staff took it for
    since: datetime | None = None
    addressee: Party = SYSTEM
    sender: Party = SYSTEM
    released_to: Party | None = None
    released_at: datetime | None = None
    bound_for: Party | None = None
    attempts: int = 0
    originals: int | None = None
    copies: int | None = None
    seal_no: str | None = None
    bag: str | None = None
    next_on: date | None = None
    last_at: datetime | None = None


UNBORN = Custody()


def taker(step: Step, by: Party, place: Party | None, role: Role) -> Party | None:
    """Who answers for the item after this step; ``None`` when custody stays."""
    if step in STAYS:
        return None
    if step is Step.DELIVERED:
        return CITIZEN
    if step in (Step.ARRIVED, Step.HELD, Step.RECEIVED, Step.RETURNED, Step.READY):
        return place
    if step is Step.ACCEPTED and role is not Role.CARRIER:
        return place  # taken in over the counter: the office answers for it
    return by


def announced(now: Custody, event: Event) -> bool:
    """Whether the giver's side knew of this handover.

    By a promise, a plan, or being one and the same house. From a citizen it is his
    proof that counts, not an announcement.
    """
    if event.taker is None or now.holder in (CITIZEN, SYSTEM, event.taker):
        return True
    if event.step is Step.DELIVERED:
        return now.holder in (event.by, event.place)
    promised = {now.released_to, now.bound_for} - {None}
    if promised & {event.by, event.place, event.taker}:
        return True
    if now.released_to is not None:
        return False  # promised to someone else
    if now.holder == event.place:
        return True  # out of his own office's stock
    if event.step is Step.RETURNED:
        return event.taker == now.sender
    return event.taker in (now.holder_place, now.addressee)


def flags(now: Custody, event: Event) -> list[Kind]:
    """Say what is wrong with an event that comes upon this state.

    Nothing here refuses it.
    """
    found = []
    # A bag is taken over closed and opened later, even when its way has ended.
    opened = now.bag is not None and event.step in (Step.UNPACKED, Step.MISSED)
    if (event.step not in FOLLOWS[now.stage] | _AT_ANY_TIME and not opened) or (
        event.step in STAYS and not _speaks_for_holder(now, event)
    ):
        found.append(Kind.OUT_OF_ORDER)
    if now.stage is Stage.UNBORN:
        return found
    if not announced(now, event):
        found.append(Kind.UNANNOUNCED)
    if _astray(now, event):
        found.append(Kind.MISROUTED)
    if _differs(now.originals, event.originals) or _differs(now.copies, event.copies):
        found.append(Kind.COUNT_MISMATCH)
    if event.seal_broken or _differs(now.seal_no, event.seal_no):
        found.append(Kind.SEAL_BROKEN)
    if event.damaged:
        found.append(Kind.DAMAGED)
    if event.step is Step.MISSED:
        found.append(Kind.MISSING)
    return found


def _speaks_for_holder(now: Custody, event: Event) -> bool:
    if event.step in _SAID_BY_OTHERS:
        return True
    return now.holder in (event.by, event.place)


_SAID_BY_OTHERS = frozenset(
    {
        Step.PICKUP_FAILED,  # the one who came in vain is never the holder
        Step.REFUSED,  # said by the one who would not become it
        Step.REDIRECTED,
        Step.CANCELLED,
        Step.MISSED,
        Step.LOST,
        Step.CORRECTED,
    }
)
"""What is truly said of an item by someone who does not hold it."""


def _astray(now: Custody, event: Event) -> bool:
    if event.step is Step.RECEIVED:
        return event.taker != now.addressee
    if event.step is Step.RETURNED:
        return event.taker != now.sender
    office_bound = now.bound_for is not None and now.bound_for.kind is PartyKind.OFFICE
    return event.step is Step.ARRIVED and office_bound and event.taker != now.bound_for


def _differs(agreed: int | str | None, found: int | str | None) -> bool:
    return agreed is not None and found is not None and agreed != found


def apply(now: Custody, event: Event) -> Custody:
    """Take in one event. Never refuses."""
    if event.step is Step.CORRECTED:
        return now  # what it declares wrong is left out by ``read``
    # What both sides counted becomes what the next handover is measured by; the first
    # count is the sender's.
    return replace(
        now,
        **_hand_over(now, event),
        stage=_stage(now, event),
        attempts=now.attempts + (event.step is Step.ATTEMPTED),
        originals=now.originals if event.originals is None else event.originals,
        copies=now.copies if event.copies is None else event.copies,
        seal_no=now.seal_no if event.seal_no is None else event.seal_no,
        bag=_bag(now, event),
        next_on=event.next_on if event.step in NAMES_A_DAY else _still_on(now, event),
        last_at=event.at,
    )


def _bag(now: Custody, event: Event) -> str | None:
    """Say which bag it is in: it stays there while the bag is carried, closed."""
    if event.step is Step.PACKED:
        return event.bag
    carried = event.bag is not None and event.bag == now.bag
    moved = event.taker is not None and event.taker != now.holder
    if event.step in (Step.UNPACKED, Step.MISSED) or (moved and not carried):
        return None
    return now.bag


def _still_on(now: Custody, event: Event) -> date | None:
    """Keep the day of the next attempt on the way home, and forget it thereafter."""
    stays = event.taker is None or event.step is Step.ARRIVED
    return now.next_on if stays else None


def _hand_over(now: Custody, event: Event) -> dict[str, Any]:
    """Say what an event changes of who holds it, since when and for whom."""
    if event.step in (Step.BOOKED, Step.READY):
        return {
            "holder": event.taker or CITIZEN,
            "holder_place": None,
            "since": event.at,
            "sender": event.taker or CITIZEN,
            "addressee": event.towards or SYSTEM,
            "bound_for": event.place if event.step is Step.BOOKED else None,
        }
    if event.step is Step.RELEASED:
        return {"released_to": event.towards, "released_at": event.at}
    if event.step in _ENDS_LIMBO:
        return {"released_to": None, "released_at": None}
    if event.taker is None:
        return {}
    moved = event.taker != now.holder
    return {
        "holder": event.taker,
        "holder_place": event.place if event.taker.kind is PartyKind.STAFF else None,
        "since": event.at if moved else now.since,
        "released_to": None,
        "released_at": None,
        "bound_for": now.addressee if event.step is Step.OUT else event.towards,
    }


_ENDS_LIMBO = frozenset(
    {
        Step.RECALLED,
        Step.REFUSED,  # by whom it was promised to: it goes back as another item
        Step.CANCELLED,
        Step.LOST,
    }
)
"""Steps after which nobody is waited for, though custody stays."""

_STAGE_AFTER: dict[Step, Stage] = {
    Step.BOOKED: Stage.BOOKED,
    Step.READY: Stage.READY,
    Step.TAKEN: Stage.IN_TRANSIT,
    Step.ARRIVED: Stage.AT_OFFICE,
    Step.OUT: Stage.OUT_FOR_DELIVERY,
    Step.ATTEMPTED: Stage.ATTEMPTED,
    Step.HELD: Stage.HELD,
    Step.REFUSED: Stage.REFUSED,
    Step.RETURNED: Stage.RETURNED,
    Step.CANCELLED: Stage.CANCELLED,
    Step.MISSED: Stage.MISSING,
    Step.LOST: Stage.LOST,
    Step.DELIVERED: Stage.DELIVERED,
}


_BORN_WITH = {
    PartyKind.STAFF: Stage.IN_TRANSIT,  # taken along, or refused at the door
    PartyKind.OFFICE: Stage.AT_OFFICE,
}


def _stage(now: Custody, event: Event) -> Stage:
    if event.step is Step.RECEIVED:
        return Stage.RECEIVED if event.taker == now.addressee else Stage.MISROUTED
    if event.step is Step.READY and event.taker is not None:
        return _BORN_WITH.get(event.taker.kind, Stage.READY)
    if event.step is Step.ACCEPTED:
        over_the_counter = (
            event.taker is not None and event.taker.kind is PartyKind.OFFICE
        )
        return Stage.AT_OFFICE if over_the_counter else Stage.COLLECTED
    inferred = now.bag is not None and event.step is Step.MISSED
    if event.step in STAYS and now.stage in ENDED and not inferred:
        # Mere words cannot undo a receipt, but one that was inferred of a closed bag.
        return now.stage
    return _STAGE_AFTER.get(event.step, now.stage)


def standing(story: Iterable[Event]) -> list[Event]:
    """Leave out the lines that a later one declares wrong, and the mere declarations.

    A line that stands in for a wrong one is read at its own time.
    """
    told = list(story)
    wrong = {event.corrects for event in told if event.corrects is not None}
    return [
        event
        for event in told
        if event.id not in wrong and event.step is not Step.CORRECTED
    ]


def read(story: Iterable[Event]) -> Custody:
    """Fold a whole story, oldest first, less what was declared wrong.

    Never refuses: rules may tighten, history must still read.
    """
    return reduce(apply, standing(story), UNBORN)


def tried_enough(now: Custody, tries: int) -> bool:
    """Whether it is the counter's turn: tried in vain, and no other day was named."""
    tried = now.stage in (Stage.ATTEMPTED, Stage.AT_OFFICE) and now.attempts >= tries
    return tried and now.next_on is None and now.addressee == CITIZEN


def hold_is_over(now: Custody, today: date) -> bool:
    """Whether it waited at the counter for as long as was said."""
    held = now.stage is Stage.HELD and now.released_to is None
    return held and now.next_on is not None and now.next_on < today


def propose(
    now: Custody,
    role: Role,
    by: Party,
    places: frozenset[Party],
    tries: int = 3,
    today: date | None = None,
) -> list[Step]:
    """List what this person may say of this item, the likeliest first.

    Empty when only looking is left to him. ``places`` are the offices or agencies he
    acts for; ``tries``: how often a delivery is tried before it waits at the counter.
    """
    if now.stage is Stage.UNBORN or now.stage in ENDED - {Stage.RECEIVED}:
        return []
    if role is Role.OFFICER:
        return _officers_steps(now, places)
    if role not in _STAFF_OF_THE_POST:
        return []
    mine = now.holder == by
    steps = [s for s in _carriers_order(now, role, mine) if role in MAY[s]]
    first: list[Step] = []
    if tried_enough(now, tries):  # to the counter, and not out once more
        first = [Step.HELD, Step.RELEASED]
    elif today is not None and hold_is_over(now, today):
        first = [Step.RELEASED]  # back to the agency, which confirms it
    return sorted(steps, key=lambda step: step not in first)


def _officers_steps(now: Custody, places: frozenset[Party]) -> list[Step]:
    if now.holder not in places:
        back = now.sender in places and now.addressee == CITIZEN
        return [Step.RETURNED] if back else [Step.RECEIVED, Step.REFUSED]
    if now.stage is Stage.RECEIVED:
        return [Step.REGISTERED]
    return [Step.RECALLED] if now.released_to else [Step.RELEASED]


def _carriers_order(now: Custody, role: Role, mine: bool) -> list[Step]:
    at_the_counter = role is not Role.CARRIER
    if now.stage is Stage.RECEIVED:
        return [Step.TAKEN]
    if now.stage in (Stage.BOOKED, Stage.READY):
        return [Step.ACCEPTED, Step.PICKUP_FAILED]
    if now.released_to is not None and mine:
        return [Step.RECALLED]
    return _at_the_counter(now) if at_the_counter else _on_the_road(now, mine)


def _at_the_counter(now: Custody) -> list[Step]:
    citizen = [Step.DELIVERED, Step.HELD] if now.addressee == CITIZEN else []
    if now.stage is Stage.HELD:
        return [Step.DELIVERED, Step.OUT, Step.TAKEN, Step.RELEASED]
    if now.holder.kind is not PartyKind.OFFICE:
        return [Step.ARRIVED, Step.TAKEN, Step.OUT, *citizen, Step.ATTEMPTED]
    return [Step.TAKEN, Step.OUT, *citizen, Step.ARRIVED, Step.RELEASED]


def _on_the_road(now: Custody, mine: bool) -> list[Step]:
    delivered = [Step.DELIVERED] if now.addressee == CITIZEN else []
    if mine and now.stage is Stage.OUT_FOR_DELIVERY:
        return [*delivered, Step.ATTEMPTED, Step.RELEASED]
    if mine and now.stage is Stage.ATTEMPTED:
        return [Step.OUT, *delivered, Step.ATTEMPTED, Step.RELEASED]
    if mine:
        return [Step.OUT, Step.RELEASED]
    if now.holder.kind is PartyKind.OFFICE:
        return [Step.OUT, Step.TAKEN]
    return [Step.TAKEN, Step.OUT]
