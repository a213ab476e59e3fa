"""What travels over HTTP, and how it becomes the domain's own.

Shapes only: limits on sizes stand here, rules do not.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from postal_track import handoffs, holding, paying
from postal_track.cash import LARGEST as LARGEST_CASH
from postal_track.custody import Kind, Party, Reason, Step
from postal_track.errors import PostalTrackError
from postal_track.handoffs import Outcome
from postal_track.holding import Sight
from postal_track.staff import Actor
from routes import act_words, words

Short = Annotated[str, Meta(max_length=40)]
Line = Annotated[str, Meta(max_length=240)]
Count = Annotated[int, Meta(ge=0, le=9999)]
PartyText = Annotated[str, Meta(pattern="^(staff|office|agency):[1-9][0-9]{0,8}$")]
Aware = Annotated[datetime, Meta(tz=True)]


FOREVER_MS = 10**14
"""Longer than time is reckoned: such a skew says nothing."""


class Position(msgspec.Struct, forbid_unknown_fields=True):
    """Where the phone says it is: degrees, and the radius in metres it is sure of."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    accuracy_m: Annotated[float, Meta(ge=0, le=10_000_000)]


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    """The citizen's side.

    A one-time code, or a signature with the kind of ID and its last 4 digits.
    """

    kind: Annotated[str, Meta(pattern="^(code|signature)$")]
    code: Annotated[str, Meta(max_length=12)] = ""
    signature: Annotated[
        str, Meta(max_length=20_000, pattern="^[MLCQZHVmlcqzhv0-9 .,-]*$")
    ] = ""
    id_kind: Annotated[str, Meta(pattern="^(cccd|passport|vneid|other)?$")] = ""
    id_last4: Annotated[str, Meta(pattern="^([0-9A-Za-z]{4})?$")] = ""
    receiver: Annotated[str, Meta(pattern="^(addressee|authorised)$")] = "addressee"


class Scan(msgspec.Struct, forbid_unknown_fields=True):
    """One statement about one item. ``id`` is the device's own.

    The same id is written once.
    """

    id: UUID
    code: Annotated[str, Meta(min_length=1, max_length=300)]
    step: Step
    at: Aware
    seq: Annotated[int, Meta(ge=0, le=2**53)] = 0
    skew_ms: (
        Annotated[
            int,
            Meta(
                ge=-(2**53),
                le=2**53,
                description="The server's clock less the phone's, as last measured "
                "before the scan.",
            ),
        ]
        | None
    ) = None
    place: PartyText | None = None
    to: PartyText | None = None
    position: Position | None = None
    originals: Count | None = None
    copies: Count | None = None
    seal_no: Annotated[str, Meta(max_length=20)] | None = None
    seal_broken: bool = False
    damaged: bool = False
    reason: Reason | None = None
    note: Line = ""
    bind_to: Annotated[str, Meta(max_length=20)] | None = None
    corrects: UUID | None = None
    old_papers: Count = 0
    proof: Proof | None = None
    dossier_code: Annotated[str, Meta(max_length=50)] = ""
    due_on: date | None = None
    bag: Annotated[str, Meta(max_length=300)] | None = None
    again_on: date | None = None
    held_until: date | None = None
    cash: Annotated[int, Meta(ge=0, le=LARGEST_CASH)] = 0


class ScanList(msgspec.Struct, forbid_unknown_fields=True):
    """Scans of one device.

    ``sent_at`` is its clock at this moment, by which its skew is measured.
    """

    device: Short
    scans: list[Scan]
    sent_at: Aware | None = None


class PartlyRead(ScanList):
    """A list of which some scans could not be read.

    ``unread`` tells by their place in what was sent: the scan's id, and what is wrong.
    """

    unread: dict[int, tuple[str, str]] = {}


class _Sheet(msgspec.Struct, forbid_unknown_fields=True):
    """A list whose scans have not been looked at."""

    device: Short
    scans: list[msgspec.Raw]
    sent_at: Aware | None = None


class Remark(msgspec.Struct):
    """Something that is wrong with a scan that was recorded all the same."""

    kind: Kind
    sentence: str


class Proposal(msgspec.Struct):
    """A step that is open to the one who asks, and what it will ask of him."""

    step: Step
    text: str
    needs: tuple[str, ...]


class Pay(msgspec.Struct, omit_defaults=True):
    """What is to be paid when an item changes hands.

    ``paid``: something was, and nothing is any more. ``qr`` is the path of an SVG,
    stroked one unit wide in a square of ``size``, for the citizen's bank app; without
    it money is paid in cash.
    """

    amount: int
    paid: bool
    reference: str = ""
    qr: str = ""
    size: int = 0


class Item(msgspec.Struct, omit_defaults=True):
    """An item as the one who asks sees it.

    ``fee``: VND that are still to be paid. ``instructions``: what the citizen wants of
    the coming pickup or delivery.
    """

    waybill: str
    leg: str
    leg_text: str
    stage: str
    stage_text: str
    holder: str
    holder_text: str
    since: datetime
    mine: bool
    addressee_text: str
    sender_text: str
    agency_text: str
    attempts: int
    fee: int
    proposals: list[Proposal]
    link: str
    originals: int | None = None
    copies: int | None = None
    seal_no: str | None = None
    promised_on: date | None = None
    next_on: date | None = None
    released_to: str | None = None
    released_text: str | None = None
    bound_text: str | None = None
    instructions: list[str] = []
    pay: Pay | None = None


class ScanOutcome(msgspec.Struct, omit_defaults=True):
    """What became of one scan.

    ``recorded``, perhaps with remarks, or ``refused`` with an error. Of a bag's code,
    ``bag`` is its number and ``items`` how many inside it was recorded of. ``cash``
    is what became of the cash that was told with it: recorded, repeated or refused.
    """

    id: str
    result: str
    remarks: list[Remark] = []
    error: str | None = None
    detail: str | None = None
    item: Item | None = None
    bag: str | None = None
    items: int | None = None
    cash: str | None = None


class Outcomes(msgspec.Struct, omit_defaults=True):
    """The answers to a list, in its order.

    ``notice`` says so when scans had waited on a phone that was signed out meanwhile.
    """

    outcomes: list[ScanOutcome]
    notice: str | None = None


_whole = msgspec.json.Decoder(ScanList)
_sheet = msgspec.json.Decoder(_Sheet)
_one = msgspec.json.Decoder(Scan)


def read(body: bytes) -> ScanList:
    """Read a list at once; when that fails, scan by scan.

    One that cannot be read must not keep the others from being written. Raises
    ``msgspec.DecodeError`` for what is no list of scans at all.
    """
    try:
        return _whole.decode(body)
    except msgspec.DecodeError:
        return _partly(_sheet.decode(body))


def _partly(sheet: _Sheet) -> PartlyRead:
    read = PartlyRead(sheet.device, [], sheet.sent_at, {})
    for place, raw in enumerate(sheet.scans):
        try:
            read.scans.append(_one.decode(raw))
        except msgspec.DecodeError as fault:
            read.unread[place] = (_id_of(raw), str(fault))
    return read


def _id_of(raw: msgspec.Raw) -> str:
    """Find the id of an unreadable scan, so that a phone knows which one it was."""
    try:
        return str(msgspec.json.decode(raw, type=dict[str, Any]).get("id", ""))[:40]
    except msgspec.DecodeError:
        return ""


def scan(
    given: Scan, device: str, sent_at: datetime | None, actor: Actor
) -> handoffs.Scan:
    """Make a scan of the domain out of what came in."""
    p, proof = given.position, given.proof
    return handoffs.Scan(
        id=given.id,
        code=given.code,
        step=given.step,
        at=given.at,
        actor=actor,
        sent_at=sent_at,
        skew=timedelta(milliseconds=given.skew_ms)
        if given.skew_ms is not None and abs(given.skew_ms) < FOREVER_MS
        else None,
        place=Party.parse(given.place) if given.place else None,
        to=Party.parse(given.to) if given.to else None,
        device=device,
        device_seq=given.seq,
        position=handoffs.Position(p.lat, p.lon, p.accuracy_m) if p else None,
        originals=given.originals,
        copies=given.copies,
        seal_no=given.seal_no,
        seal_broken=given.seal_broken,
        damaged=given.damaged,
        reason=given.reason,
        note=given.note,
        bind_to=given.bind_to,
        corrects=given.corrects,
        old_papers=given.old_papers,
        proof=handoffs.Proof(
            proof.kind,
            proof.code,
            proof.signature,
            proof.id_kind,
            proof.id_last4,
            proof.receiver,
        )
        if proof
        else None,
        dossier_code=given.dossier_code,
        due_on=given.due_on,
        bag=given.bag,
        again_on=given.again_on,
        held_until=given.held_until,
    )


def item(sight: Sight, lang: str, *, drawn: bool = False) -> Item:
    """Say in words what a person sees of an item; ``drawn``: with its QR to pay by."""
    now = sight.custody
    agency = holding.agency_of(sight)

    def name(party: Party | None) -> str | None:
        if party is None:
            return None
        named = sight.names[party]
        return named.name_en if lang == "en" else named.name

    return Item(
        waybill=sight.waybill,
        leg=sight.leg.value,
        leg_text=words.leg(sight.leg, lang),
        stage=now.stage.value,
        stage_text=words.stage(now.stage, lang),
        holder=str(now.holder),
        holder_text=name(now.holder) or "",
        since=now.since,  # type: ignore[arg-type] # an item that was born has it
        mine=sight.mine,
        addressee_text=name(now.addressee) or "",
        sender_text=name(now.sender) or "",
        agency_text=name(agency) or "",
        attempts=now.attempts,
        fee=sight.fee,
        proposals=[
            Proposal(step, words.step(step, lang), holding.needs(step, now))
            for step in sight.proposals
        ],
        link=f"/items/{sight.waybill}",
        originals=now.originals,
        copies=now.copies,
        seal_no=now.seal_no,
        promised_on=sight.promised_on,
        next_on=now.next_on,
        released_to=str(now.released_to) if now.released_to else None,
        released_text=name(now.released_to),
        bound_text=name(now.bound_for),
        instructions=instructions(sight, lang),
        pay=_pay(sight, drawn=drawn),
    )


def instructions(sight: Sight, lang: str) -> list[str]:
    """Say what the citizen wants: all of it, or in short to who need not read it."""
    alone = [words.choose(act_words.IN_PERSON, lang)] if sight.in_person else []
    if sight.way is None:
        return alone
    held = sight.wanted.hold_at
    office = sight.names[held].name if held else ""
    say = act_words.instructions if sight.told else act_words.badges
    return alone + say(sight.wanted, sight.way, office, lang)


def _pay(sight: Sight, *, drawn: bool) -> Pay | None:
    if not sight.fee and not sight.charged:
        return None
    pay = Pay(sight.fee, paid=not sight.fee)
    if sight.fee and drawn:
        pay.reference = sight.reference
        if code := paying.qr(sight.reference, sight.fee):
            pay.qr, pay.size = code.path, code.size
    return pay


def outcome(answered: Outcome, sight: Sight | None, lang: str) -> ScanOutcome:
    """Say what became of one scan."""
    return ScanOutcome(
        id=str(answered.id),
        result="refused" if answered.error else "recorded",
        remarks=[Remark(kind, words.kind(kind, lang)) for kind in answered.remarks],
        error=type(answered.error).__name__ if answered.error else None,
        detail=sentence(answered.error, lang),
        item=item(sight, lang) if sight else None,
        bag=answered.waybill if answered.inside else None,
        items=answered.written if answered.inside else None,
    )


def sentence(error: PostalTrackError | None, lang: Any) -> str | None:
    """Say an error, if there is one."""
    return error.sentence(lang) if error else None
