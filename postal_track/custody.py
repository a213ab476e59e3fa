"""Who holds an item, and how it changes hands.

The rule book: no HTTP, no tables, no clock. An item has one holder at every moment. A
release does not move custody; the receiver's own word does. A missing item is thus
always answered for by someone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce


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
    MISROUTED = "misrouted"  # with an agency it was not meant for -> collected
    RECEIVED = (
        "received"  # the addressed agency has it; nothing but its registration follows
    )
    DELIVERED = "delivered"  # the citizen has it; nothing follows


ENDED = frozenset({Stage.RECEIVED, Stage.DELIVERED})


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
    DELIVERED = (
        "delivered"  # held by anyone -> the citizen's, on proof; nothing follows
    )


class Reason(StrEnum):
    """Why a pickup or a delivery did not come about."""

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
    OTHER = "other"  # with a note


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
    Step.DELIVERED: _STAFF_OF_THE_POST,
}
"""Which roles have the standing to say that a step happened."""

FOLLOWS: dict[Stage, frozenset[Step]] = {
    Stage.UNBORN: frozenset({Step.BOOKED, Step.READY}),
    Stage.BOOKED: frozenset({Step.ACCEPTED, Step.PICKUP_FAILED}),
    Stage.READY: frozenset(
        {Step.ACCEPTED, Step.PICKUP_FAILED, Step.RELEASED, Step.RECALLED}
    ),
    Stage.COLLECTED: frozenset(
        {
            Step.TAKEN,
            Step.ARRIVED,
            Step.OUT,
            Step.RECEIVED,
            Step.RELEASED,
            Step.RECALLED,
        }
    ),
    Stage.AT_OFFICE: frozenset(
        {
            Step.TAKEN,
            Step.ARRIVED,
            Step.OUT,
            Step.DELIVERED,
            Step.RELEASED,
            Step.RECALLED,
        }
    ),
    Stage.IN_TRANSIT: frozenset(
        {
            Step.TAKEN,
            Step.ARRIVED,
            Step.OUT,
            Step.RECEIVED,
            Step.RELEASED,
            Step.RECALLED,
        }
    ),
    Stage.OUT_FOR_DELIVERY: frozenset(
        {
            Step.RECEIVED,
            Step.DELIVERED,
            Step.ATTEMPTED,
            Step.ARRIVED,
            Step.TAKEN,
            Step.RELEASED,
            Step.RECALLED,
        }
    ),
    Stage.ATTEMPTED: frozenset(
        {
            Step.OUT,
            Step.ARRIVED,
            Step.TAKEN,
            Step.RECEIVED,
            Step.DELIVERED,
            Step.ATTEMPTED,
            Step.RELEASED,
            Step.RECALLED,
        }
    ),
    Stage.MISROUTED: frozenset(
        {Step.ACCEPTED, Step.TAKEN, Step.RELEASED, Step.RECALLED}
    ),
    Stage.RECEIVED: frozenset({Step.REGISTERED}),
    Stage.DELIVERED: frozenset(),
}
"""The steps that surprise nobody at a stage: the graph of the journey on one screen."""

STAYS = frozenset(
    {
        Step.PICKUP_FAILED,
        Step.REGISTERED,
        Step.RELEASED,
        Step.RECALLED,
        Step.ATTEMPTED,
    }
)
"""Steps that say something about an item without moving it."""

NEEDS_REASON = frozenset({Step.PICKUP_FAILED, Step.ATTEMPTED})


@dataclass(frozen=True, slots=True)
class Event:
    """What the rules need of one line of the ledger.

    ``by`` is who says so, ``place`` the office or agency he acted for, ``taker`` who
    holds the item from now on (``None``: custody stays), ``towards`` the party it is
    promised to or bound for; of a first event, the addressee.
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
    last_at: datetime | None = None


UNBORN = Custody()


def taker(step: Step, by: Party, place: Party | None, role: Role) -> Party | None:
    """Who answers for the item after this step; ``None`` when custody stays."""
    if step in STAYS:
        return None
    if step is Step.DELIVERED:
        return CITIZEN
    if step in (Step.ARRIVED, Step.RECEIVED, Step.READY):
        return place
    if step is Step.ACCEPTED and role is not Role.CARRIER:
        return place  # taken in over the counter: the office answers for it
    return by


def announced(now: Custody, event: Event) -> bool:
    """Whether the giver's side knew of this handover.

    A promise, a plan, or one and the same house.

    From a citizen it is the citizen's proof that counts, not an announcement.
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
    return event.taker in (now.holder_place, now.addressee)


def flags(now: Custody, event: Event) -> list[Kind]:
    """Say what is wrong with an event that comes upon this state.

    Nothing here refuses it.
    """
    found = []
    if event.step not in FOLLOWS[now.stage] or (
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
    return found


def _speaks_for_holder(now: Custody, event: Event) -> bool:
    if event.step is Step.PICKUP_FAILED:
        return True  # the one who came in vain is never the holder
    return now.holder in (event.by, event.place)


def _astray(now: Custody, event: Event) -> bool:
    if event.step is Step.RECEIVED:
        return event.taker != now.addressee
    office_bound = now.bound_for is not None and now.bound_for.kind is PartyKind.OFFICE
    return event.step is Step.ARRIVED and office_bound and event.taker != now.bound_for


def _differs(agreed: int | str | None, found: int | str | None) -> bool:
    return agreed is not None and found is not None and agreed != found


def apply(now: Custody, event: Event) -> Custody:
    """Take in one event. Never refuses."""
    held = _hand_over(now, event)
    # What both sides counted becomes what the next handover is measured by; the first
    # count is the sender's.
    return replace(
        held,
        stage=_stage(now, event),
        attempts=now.attempts + (event.step is Step.ATTEMPTED),
        originals=now.originals if event.originals is None else event.originals,
        copies=now.copies if event.copies is None else event.copies,
        seal_no=now.seal_no if event.seal_no is None else event.seal_no,
        last_at=event.at,
    )


def _hand_over(now: Custody, event: Event) -> Custody:
    if event.step in (Step.BOOKED, Step.READY):
        return replace(
            now,
            holder=event.taker or CITIZEN,
            holder_place=None,
            since=event.at,
            sender=event.taker or CITIZEN,
            addressee=event.towards or SYSTEM,
            bound_for=event.place if event.step is Step.BOOKED else None,
        )
    if event.step is Step.RELEASED:
        return replace(now, released_to=event.towards, released_at=event.at)
    if event.step is Step.RECALLED:
        return replace(now, released_to=None, released_at=None)
    if event.taker is None:
        return now
    moved = event.taker != now.holder
    bound_for = now.addressee if event.step is Step.OUT else event.towards
    return replace(
        now,
        holder=event.taker,
        holder_place=event.place if event.taker.kind is PartyKind.STAFF else None,
        since=event.at if moved else now.since,
        released_to=None,
        released_at=None,
        bound_for=bound_for,
    )


_STAGE_AFTER: dict[Step, Stage] = {
    Step.BOOKED: Stage.BOOKED,
    Step.READY: Stage.READY,
    Step.TAKEN: Stage.IN_TRANSIT,
    Step.ARRIVED: Stage.AT_OFFICE,
    Step.OUT: Stage.OUT_FOR_DELIVERY,
    Step.ATTEMPTED: Stage.ATTEMPTED,
    Step.DELIVERED: Stage.DELIVERED,
}


def _stage(now: Custody, event: Event) -> Stage:
    if event.step is Step.RECEIVED:
        return Stage.RECEIVED if event.taker == now.addressee else Stage.MISROUTED
    if event.step is Step.ACCEPTED:
        over_the_counter = (
            event.taker is not None and event.taker.kind is PartyKind.OFFICE
        )
        return Stage.AT_OFFICE if over_the_counter else Stage.COLLECTED
    if event.step is Step.ATTEMPTED and now.stage in ENDED:
        return now.stage  # an attempt moves nothing, so it cannot undo a receipt
    return _STAGE_AFTER.get(event.step, now.stage)


def read(story: Iterable[Event]) -> Custody:
    """Fold a whole story, oldest first. Never refuses.

    Rules may tighten, history must still read.
    """
    return reduce(apply, story, UNBORN)


def propose(
    now: Custody, role: Role, by: Party, places: frozenset[Party]
) -> list[Step]:
    """List what this person may say of this item, the likeliest first. Empty.

    Only looking is left to him.

    ``places`` are the offices or agencies he acts for. The first one is what he would
    most likely do now.
    """
    if now.stage in (Stage.UNBORN, Stage.DELIVERED):
        return []
    if role is Role.OFFICER:
        return _officers_steps(now, places)
    if role not in _STAFF_OF_THE_POST:
        return []
    mine = now.holder == by
    return [s for s in _carriers_order(now, role, mine) if role in MAY[s]]


def _officers_steps(now: Custody, places: frozenset[Party]) -> list[Step]:
    if now.holder not in places:
        return [Step.RECEIVED]
    if now.stage is Stage.RECEIVED:
        return [Step.REGISTERED]
    return [Step.RECALLED] if now.released_to else [Step.RELEASED]


def _carriers_order(now: Custody, role: Role, mine: bool) -> list[Step]:
    to_citizen = now.addressee == CITIZEN
    at_the_counter = role is not Role.CARRIER
    if now.stage is Stage.RECEIVED:
        return [Step.TAKEN]
    if now.stage in (Stage.BOOKED, Stage.READY):
        return [Step.ACCEPTED, Step.PICKUP_FAILED]
    if now.released_to is not None and mine:
        return [Step.RECALLED]
    if at_the_counter and now.holder.kind is not PartyKind.OFFICE:
        return [Step.ARRIVED, Step.TAKEN, Step.OUT, Step.DELIVERED, Step.ATTEMPTED]
    if at_the_counter:
        counter = [Step.DELIVERED] if to_citizen else []
        return [Step.TAKEN, Step.OUT, *counter, Step.ARRIVED, Step.RELEASED]
    if mine and now.stage is Stage.OUT_FOR_DELIVERY:
        ends = [Step.DELIVERED, Step.ATTEMPTED] if to_citizen else [Step.ATTEMPTED]
        return [*ends, Step.RELEASED]
    if mine and now.stage is Stage.ATTEMPTED:
        return [
            Step.OUT,
            *([Step.DELIVERED] if to_citizen else []),
            Step.ATTEMPTED,
            Step.RELEASED,
        ]
    if mine:
        return [Step.OUT, Step.RELEASED]
    if now.holder.kind is PartyKind.OFFICE:
        return [Step.OUT, Step.TAKEN]
    return [Step.TAKEN, Step.OUT]
