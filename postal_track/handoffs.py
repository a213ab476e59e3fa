"""Scans become lines of the ledger: one function for one or many.

``record`` is the only way a scan is written. It locks the items, judges each scan by
the rules of ``custody``, writes everything in bulk and says in the same transaction
what is to be told to citizens. It has never heard of HTTP. What physically happened is
written down even when it breaks a rule; only a claim without standing is refused, and
even that is kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid5

import msgspec
from asyncpg import Connection

from postal_track import (
    bags,
    chronicle,
    codes,
    errors,
    legs,
    notices,
    outgoing,
    promises,
)
from postal_track.bags import Bag
from postal_track.chronicle import Chain
from postal_track.corrections import hindrance
from postal_track.custody import (
    CITIZEN,
    MAY,
    REASONS,
    STAYS,
    Custody,
    Event,
    Kind,
    Leg,
    Party,
    PartyKind,
    Reason,
    Role,
    Stage,
    Step,
    announced,
    apply,
    flags,
    taker,
)
from postal_track.database import given, transaction
from postal_track.errors import (
    BadCode,
    BadScan,
    CodeLocked,
    Conflict,
    ForgedLabel,
    NotAllowed,
    NotFound,
    NotYourPlace,
    PostalTrackError,
    UnboundLabel,
    UnknownBag,
    UnknownWaybill,
)
from postal_track.labels import genuine, parse_code
from postal_track.legs import Birth
from postal_track.places import Place, distance_m
from postal_track.settings import settings
from postal_track.staff import Actor

IN_THE_PLACE_M = 2_000
"""How far off his counter or desk someone may scan before it is flagged, beyond the
position's accuracy.
"""

IN_THE_PROVINCE_M = 150_000
"""The same for carriers, who are on the road.

An Giang with its islands, measured from any office.
"""

TO_BE_ENDED_WITHIN = timedelta(hours=24)
"""How long the owner of an irregularity has to end it; a search takes longer."""

CLOSES = time(17)
"""When the last day of a search ends."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a phone says it is.

    Degrees (WGS 84) and the radius of 68 % confidence in metres.
    """

    lat: float
    lon: float
    accuracy_m: float


@dataclass(frozen=True, slots=True)
class Proof:
    """The citizen's side of a handover.

    A one-time code, or a signature (SVG path data).
    """

    kind: str
    code: str = ""
    signature: str = ""
    id_kind: str = ""
    id_last4: str = ""
    receiver: str = "addressee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One statement about one item: who says what happened, when by his device's clock.

    ``id`` is the device's own: the same id twice is the same statement. ``code`` is
    whatever a scanner read. ``sent_at`` is the device's clock at the moment of sending,
    by which its skew is measured. ``bag``: the bag that the item is put into or taken
    out of, or in which it travels. ``seen``: what a receiver found out by comparing,
    which the item alone does not tell.
    """

    id: UUID
    code: str
    step: Step
    at: datetime
    actor: Actor
    sent_at: datetime | None = None
    place: Party | None = None
    to: Party | None = None
    device: str = ""
    device_seq: int = 0
    position: Position | None = None
    originals: int | None = None
    copies: int | None = None
    seal_no: str | None = None
    seal_broken: bool = False
    damaged: bool = False
    reason: Reason | None = None
    note: str = ""
    proof: Proof | None = None
    dossier_code: str = ""
    due_on: date | None = None
    bind_to: str | None = None
    corrects: UUID | None = None
    old_papers: int = 0
    bag: str | None = None
    seen: tuple[Kind, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What became of one scan: written with these remarks, or refused with this error.

    ``item`` is the state of the item after the whole list. Of a bag's code, ``waybill``
    is the bag's number and ``inside`` tells what became of each item in it.
    """

    id: UUID
    waybill: str
    remarks: tuple[Kind, ...] = ()
    error: PostalTrackError | None = None
    item: "Known | None" = None
    inside: "tuple[Outcome, ...]" = ()

    @property
    def written(self) -> int:
        """How many items this was written of."""
        return sum(o.error is None for o in self.inside or (self,))


@dataclass(frozen=True, slots=True)
class Known:
    """An item as it stands, for whoever answers the scanner."""

    id: int
    waybill: str
    dossier: int
    leg: str
    promised_on: date | None
    fee: int
    custody: Custody


@dataclass(slots=True)
class _Sheet:
    """The work of one call: what was found, and what is to be written."""

    now: datetime
    chains: dict[str, Chain]
    kept: dict[UUID, "_Kept"]
    in_force: codes.Codes
    unbound: frozenset[str]
    refusals: list[tuple[Any, ...]] = field(default_factory=list)
    irregularities: list[tuple[Any, ...]] = field(default_factory=list)
    occasions: list[notices.Occasion] = field(default_factory=list)
    registrations: list[tuple[int, str, date | None]] = field(default_factory=list)
    bindings: dict[str, Chain] = field(default_factory=dict)
    corrected: list[tuple[UUID | None, int]] = field(default_factory=list)
    turned_up: list[tuple[Chain, int]] = field(default_factory=list)
    births: list[tuple[Chain, Birth]] = field(default_factory=list)
    transfers: list[tuple[int, int]] = field(default_factory=list)
    bags: dict[str, Bag] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    bag_scans: list[tuple[Any, ...]] = field(default_factory=list)
    moved: dict[str, Bag] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What an earlier call answered to the same scan id."""

    code: str
    step: str
    remarks: tuple[Kind, ...]
    error: PostalTrackError | None


async def record(scans: Sequence[Scan]) -> list[Outcome]:
    """Write scans down; answer each, in the same order. Safe to repeat.

    An id is written once.

    One transaction. An error in one scan refuses that scan only; a failure of the
    database raises and nothing is written.
    """
    if not scans:
        return []
    claims = [_Claim.of(scan) for scan in scans]
    async with transaction() as connection:
        bagged = _Bagged(each=claims)
        if any(claim.bag for claim in claims):
            bagged = await _unfold(connection, claims)
        each = bagged.each
        sheet = await _prepare(connection, each, bagged)
        outcomes: dict[UUID, Outcome] = {}
        # A list is read in the order of its own clock, whatever order a phone sent it
        # in.
        for claim in sorted(
            each, key=lambda c: (c.happened_at(sheet.now)[0], c.scan.device_seq)
        ):
            if claim.scan.id not in outcomes and _is_inside(sheet, claim):
                outcomes[claim.scan.id] = _judge(sheet, claim)
        for claim in claims:
            if claim.scan.id not in outcomes:
                outcomes[claim.scan.id] = _sum_up(sheet, claim, bagged, outcomes)
        told = await _write(connection, sheet)
    await outgoing.poke(told)
    return [_answer(sheet, claim, outcomes[claim.scan.id]) for claim in claims]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A scan with its code read; or with the reason why it has no standing.

    ``bag``: the number of the bag it is about. ``whole``: its code is the bag's own;
    ``part``: it was made of such a scan, for one item.
    """

    scan: Scan
    waybill: str
    error: PostalTrackError | None
    forged: bool = False
    bag: str = ""
    whole: bool = False
    part: bool = False

    @classmethod
    def of(cls, scan: Scan) -> "_Claim":
        try:
            code = parse_code(scan.code)
        except PostalTrackError as error:
            return cls(scan, "", error)
        whole = code.kind == "bag"
        if code.tag is not None and not genuine(code):
            fault = ForgedLabel(waybill=code.waybill)
            number = code.waybill if whole else ""
            return cls(scan, code.waybill, fault, not whole, bag=number, whole=whole)
        if whole:
            number = code.waybill
            return cls(scan, number, _bag_standing(scan), bag=number, whole=True)
        if scan.bag is None:
            return cls(scan, code.waybill, _standing(scan))
        try:
            number = bags.number_of(scan.bag)
        except PostalTrackError as error:
            return cls(scan, code.waybill, error)
        known = replace(scan, bag=number)
        return cls(known, code.waybill, _standing(known), bag=number)

    def of_each(self, bag: Bag, waybills: Iterable[str]) -> "list[_Claim]":
        """Say of each item inside what was said of the bag as a whole.

        Counts and seals of items are not what was looked at: that the bag is complete
        is inferred.
        """
        scan = self.scan
        onward = bag.destination if scan.step is Step.TAKEN else None
        other_seal = scan.seal_no is not None and scan.seal_no != bag.seal_no
        said = replace(
            scan,
            bag=bag.number,
            to=scan.to or onward,
            originals=None,
            copies=None,
            seal_no=None,
            seal_broken=scan.seal_broken or other_seal,
            proof=None,
            bind_to=None,
        )
        return [
            _Claim(
                replace(said, id=uuid5(scan.id, waybill), code=waybill),
                waybill,
                None,
                bag=bag.number,
                part=True,
            )
            for waybill in waybills
        ]

    def happened_at(self, now: datetime) -> tuple[datetime, bool]:
        """Correct the device's time by its measured skew.

        Say whether its clock is to be doubted.
        """
        scan, tolerance = self.scan, _tolerance()
        skew = now - scan.sent_at if scan.sent_at else timedelta(0)
        doubtful = abs(skew) > tolerance
        at = scan.at + skew
        if at > now + tolerance or at < now - _oldest():
            return now, True  # no clock to go by: the server's is the best there is
        return min(at, now), doubtful


@cache
def _tolerance() -> timedelta:
    return timedelta(seconds=settings().CLOCK_TOLERANCE_SECONDS)


@cache
def _oldest() -> timedelta:
    return timedelta(days=settings().MAX_SCAN_AGE_DAYS)


def _standing(scan: Scan) -> PostalTrackError | None:
    """Say why this person may not say this at all; ``None`` when he may."""
    actor = scan.actor
    if scan.step in (Step.BOOKED, Step.READY):
        return BadScan(
            why="an item is not born by a scan",
            why_vi="bưu gửi không được tạo bằng cách quét",
        )
    if actor.role not in MAY[scan.step]:
        return NotAllowed()
    if not _speaks_for_place(scan):
        return NotYourPlace()
    return _complete(scan)


def _bag_standing(scan: Scan) -> PostalTrackError | None:
    """Say why this cannot be said of a whole bag; ``None`` when it can."""
    if scan.step is Step.PACKED:
        return BadScan(
            why="a bag is never put into a bag", why_vi="không đặt túi vào trong túi"
        )
    if scan.step not in bags.CARRIED:
        return BadScan(
            why="this is said of items, not of a bag: open the bag first",
            why_vi="bước này dành cho từng bưu gửi: hãy mở túi trước",
        )
    return _standing(scan)


def _speaks_for_place(scan: Scan) -> bool:
    """Whether he acts for the place he names; one who supervises all needs none."""
    place, actor = _place(scan), scan.actor
    if place is None:
        return actor.role is Role.SUPERVISOR and scan.step in STAYS
    return place in actor.places


def _complete(scan: Scan) -> PostalTrackError | None:
    if scan.step in REASONS and scan.reason not in REASONS[scan.step]:
        return BadScan(why="a reason is needed", why_vi="cần ghi rõ lý do")
    if (scan.step is Step.CORRECTED) != (scan.corrects is not None):
        return BadScan(why="say which line is wrong", why_vi="cần chỉ rõ dòng nào sai")
    if scan.reason is Reason.OTHER and not scan.note.strip():
        return BadScan(why="'other' needs a note", why_vi="lý do khác cần ghi chú")
    if scan.step is Step.PACKED and scan.bag is None:
        return BadScan(why="say into which bag", why_vi="cần ghi cho vào túi nào")
    if scan.step is Step.RELEASED and scan.to is None:
        return BadScan(why="say to whom it is released", why_vi="cần ghi giao cho ai")
    if scan.step is Step.REGISTERED and not scan.dossier_code.strip():
        return BadScan(why="the dossier code is missing", why_vi="thiếu mã hồ sơ")
    if scan.step is Step.DELIVERED and not _proves(scan.proof):
        return BadScan(
            why="a delivery needs the recipient's code, or a signature with the kind "
            "of ID and its last four digits",
            why_vi="phát bưu gửi cần mã nhận, hoặc chữ ký cùng loại giấy tờ "
            "và 4 số cuối",
        )
    return None


def _proves(proof: Proof | None) -> bool:
    if proof is None:
        return False
    if proof.kind == "code":
        return bool(proof.code)
    return bool(proof.signature and proof.id_kind and len(proof.id_last4) == 4)


def _place(scan: Scan) -> Party | None:
    return scan.place or scan.actor.place


@dataclass(frozen=True, slots=True)
class _Bagged:
    """The bags that a list speaks of, under the lock.

    ``each``: all scans of single items, those that a bag's scan stands for among them;
    ``parts``: these by the bag's scan; ``kept`` and ``told``: bag scans that were
    answered before; ``filled``: how many items are in each bag.
    """

    each: Sequence[_Claim]
    parts: dict[UUID, list[_Claim]] = field(default_factory=dict)
    known: dict[str, Bag] = field(default_factory=dict)
    kept: dict[UUID, "_Kept"] = field(default_factory=dict)
    told: dict[UUID, bags.Told] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)


async def _unfold(connection: Connection, claims: Sequence[_Claim]) -> _Bagged:
    """Lock the bags, before the items; make of each bag's scan one for each item.

    What was ever inside is taken along: what is inside at the time of the scan is
    judged under the items' lock. A scan that was told before means what it meant then.
    """
    whole = [c for c in claims if c.whole]
    numbers = {c.bag for c in claims if c.bag}
    numbers |= await _left_behind(connection, [c for c in claims if not c.whole])
    known = await bags.lock(connection, sorted(numbers))
    kept = await _kept(connection, [c.scan.id for c in whole])
    told = await bags.told(connection, [c.scan.id for c in whole])
    inside = await bags.ever_inside(connection, sorted({c.bag for c in whole}))
    filled = await bags.filled(connection, sorted(numbers))
    for claim in claims:  # put in by the same list
        if claim.scan.step is Step.PACKED and claim.bag in inside and claim.waybill:
            inside[claim.bag].append(claim.waybill)
    parts: dict[UUID, list[_Claim]] = {}
    for claim in whole:
        before, bag = told.get(claim.scan.id), known.get(claim.bag)
        if bag is None or claim.error is not None or claim.scan.id in kept:
            parts[claim.scan.id] = []
        else:
            waybills = before.waybills if before else dict.fromkeys(inside[claim.bag])
            parts[claim.scan.id] = claim.of_each(bag, waybills)
    single = [c for c in claims if not c.whole]
    each = single + [part for of_one in parts.values() for part in of_one]
    return _Bagged(each, parts, known, kept, told, filled)


async def _left_behind(connection: Connection, claims: Sequence[_Claim]) -> set[str]:
    """Find the bags out of which items are put into others."""
    packed = [c.waybill for c in claims if c.scan.step is Step.PACKED]
    rows = await connection.fetch(
        """
        SELECT DISTINCT i.bag FROM label l JOIN item i ON i.id = l.item
        WHERE l.waybill = ANY($1::bpchar[]) AND i.bag IS NOT NULL
        """,
        packed,
    )
    return {row["bag"] for row in rows}


def _is_inside(sheet: _Sheet, claim: _Claim) -> bool:
    """Whether an item was in the bag when the bag was scanned.

    What was told before stays told, whatever is in the bag by now.
    """
    if not claim.part or claim.scan.id in sheet.kept:
        return True
    chain = sheet.chains.get(claim.waybill)
    if chain is None:
        return False
    at, _ = claim.happened_at(sheet.now)
    return chain.before(max(at, chain.born_at)).bag == claim.bag


def _sum_up(
    sheet: _Sheet, claim: _Claim, bagged: _Bagged, outcomes: dict[UUID, Outcome]
) -> Outcome:
    """Answer the scan of a whole bag by what became of the items inside."""
    scan, bag = claim.scan, bagged.known.get(claim.bag)
    if known := bagged.kept.get(scan.id):
        return _repeat(sheet, claim, known)
    if claim.error is not None or bag is None:
        return _refuse(sheet, claim, claim.error or UnknownBag(number=claim.bag))
    before = bagged.told.get(scan.id)
    if before and (before.bag, before.step) != (claim.bag, scan.step.value):
        return Outcome(scan.id, claim.bag, error=_other_scan())
    inside = [
        outcomes[part.scan.id]
        for part in bagged.parts[scan.id]
        if part.scan.id in outcomes
    ]
    if not inside:
        empty = Conflict(why="the bag is empty", why_vi="trong túi không có bưu gửi")
        return _refuse(sheet, claim, empty)
    written = [outcome for outcome in inside if outcome.error is None]
    if before is None:
        _keep_bag_scan(sheet, claim, bag, inside, moved=bool(written))
    remarks = dict.fromkeys(kind for outcome in inside for kind in outcome.remarks)
    return Outcome(
        scan.id,
        claim.bag,
        tuple(remarks),
        None if written else inside[0].error,
        inside=tuple(inside),
    )


def _keep_bag_scan(
    sheet: _Sheet,
    claim: _Claim,
    bag: Bag,
    inside: Sequence[Outcome],
    *,
    moved: bool,
) -> None:
    scan = claim.scan
    at, _ = claim.happened_at(sheet.now)
    waybills = [outcome.waybill for outcome in inside]
    sheet.bag_scans.append(
        (
            scan.id,
            bag.number,
            scan.actor.staff,
            scan.step.value,
            at,
            sheet.now,
            waybills,
        )
    )
    bag = sheet.moved.get(bag.number, bag)
    if moved and at >= bag.since:
        sheet.moved[bag.number] = _carried(bag, scan, at)


def _carried(bag: Bag, scan: Scan, at: datetime) -> Bag:
    """Say at whom a bag is after a scan of it."""
    if scan.step is Step.RELEASED:
        return replace(bag, released_to=scan.to, released_at=at)
    if scan.step is Step.RECALLED:
        return replace(bag, released_to=None, released_at=None)
    holder = taker(scan.step, scan.actor.party, _place(scan), scan.actor.role)
    return replace(
        bag, holder=holder or bag.holder, since=at, released_to=None, released_at=None
    )


async def _prepare(
    connection: Connection, claims: Sequence[_Claim], bagged: _Bagged
) -> _Sheet:
    """Lock the items, then look.

    What was answered before, which codes are in force, whose story is needed.
    """
    waybills = {c.waybill for c in claims if c.waybill}
    waybills |= {c.scan.bind_to for c in claims if c.scan.bind_to}
    chains = await chronicle.lock(connection, sorted(waybills))
    now = datetime.now(UTC)
    kept = await _kept(connection, [c.scan.id for c in claims])
    missing = waybills - chains.keys()
    unbound = await _unbound(connection, missing) if missing else frozenset()
    spoken_of = [
        (c, chains.get(c.waybill) or chains.get(c.scan.bind_to or "")) for c in claims
    ]
    proofs = {
        chain.id
        for c, chain in spoken_of
        if chain and c.scan.proof and c.scan.proof.kind == "code"
    }
    in_force = await codes.in_force(connection, proofs)
    late = [
        chain
        for c, chain in spoken_of
        if chain and (c.scan.corrects or c.happened_at(now)[0] < _last(chain, now))
    ]
    await chronicle.read_stories(connection, late)
    return _Sheet(
        now,
        chains,
        kept,
        in_force,
        unbound,
        bags=bagged.known,
        filled=bagged.filled,
    )


def _last(chain: Chain, now: datetime) -> datetime:
    return chain.custody.last_at or now


async def _kept(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, _Kept]:
    rows = await connection.fetch(
        f"""
        SELECT e.id, l.waybill, e.flags, NULL AS error, NULL AS fields,
            CASE WHEN e.corrects IS NULL THEN e.step ELSE 'corrected' END AS step
        FROM event e JOIN item l ON l.id = e.item
        WHERE e.id = ANY({given(1, "uuid")})
        UNION ALL
        SELECT id, code, '{{}}', error, fields, step FROM refused_scan
        WHERE id = ANY({given(1, "uuid")})
        """,  # noqa: S608 - constants
        ids,
    )
    return {
        row["id"]: _Kept(
            code=row["waybill"],
            step=row["step"],
            remarks=tuple(Kind(flag) for flag in row["flags"]),
            error=_recall(row["error"], row["fields"]) if row["error"] else None,
        )
        for row in rows
    }


def _recall(name: str, facts: dict[str, Any]) -> PostalTrackError:
    """Make an error again as it was answered the first time."""
    kind: type[PostalTrackError] = getattr(errors, name)
    return kind(**facts)


async def _unbound(connection: Connection, waybills: Iterable[str]) -> frozenset[str]:
    rows = await connection.fetch(
        "SELECT waybill FROM label WHERE waybill = ANY($1::bpchar[]) AND item IS NULL",
        sorted(waybills),
    )
    return frozenset(row["waybill"] for row in rows)


def _judge(sheet: _Sheet, claim: _Claim) -> Outcome:
    """Answer one scan; whatever is to be written is put on the sheet."""
    scan = claim.scan
    if known := sheet.kept.get(scan.id):
        return _repeat(sheet, claim, known)
    chain = sheet.chains.get(claim.waybill) or _bind(sheet, claim)
    if claim.error is not None:
        if claim.forged and chain is not None:
            _open(sheet, chain, None, Kind.FORGED_LABEL, scan.actor.place, "")
        return _refuse(sheet, claim, claim.error)
    if chain is None:
        return _refuse(sheet, claim, _unknown(sheet, claim))
    return _tell(sheet, claim, chain)


def _repeat(sheet: _Sheet, claim: _Claim, known: _Kept) -> Outcome:
    scan = claim.scan
    chain = sheet.chains.get(claim.waybill)
    # A label may mean another item by now: that of the leg its envelope went on in.
    names = {scan.code, claim.waybill, chain.waybill if chain else ""}
    if known.code not in names or known.step != scan.step.value:
        return Outcome(scan.id, claim.waybill, error=_other_scan())
    return Outcome(scan.id, claim.waybill, known.remarks, known.error)


def _other_scan() -> Conflict:
    return Conflict(
        why="another scan has the same id",
        why_vi="một lượt quét khác đã dùng mã số này",
    )


def _bind(sheet: _Sheet, claim: _Claim) -> Chain | None:
    """Put a label from a pool on the item that was booked, at its pickup."""
    booked = sheet.chains.get(claim.scan.bind_to or "")
    if claim.waybill not in sheet.unbound or booked is None or claim.error is not None:
        return None
    sheet.chains[claim.waybill] = sheet.bindings[claim.waybill] = booked
    return booked


def _unknown(sheet: _Sheet, claim: _Claim) -> PostalTrackError:
    if claim.waybill in sheet.unbound:
        return UnboundLabel(waybill=claim.waybill)
    return UnknownWaybill(waybill=claim.waybill)


def _tell(sheet: _Sheet, claim: _Claim, chain: Chain) -> Outcome:
    """Write one scan of a known item down, unless its proof is false."""
    scan = claim.scan
    if scan.step is Step.CORRECTED:
        return _correct(sheet, claim, chain)
    at, doubtful = claim.happened_at(sheet.now)
    if at < chain.born_at:  # nothing happens to an item before it is born
        doubtful = doubtful or chain.born_at - at > _tolerance()
        at = chain.born_at
    late = chain.custody.last_at is not None and at < chain.custody.last_at
    now = chain.before(at)
    event = _event(scan, at)
    if event.bag is None and event.step in (Step.UNPACKED, Step.MISSED):
        event = replace(event, bag=now.bag)
    if error := _no_right_here(now, event, scan) or _no_packing(sheet, now, scan):
        return _refuse(sheet, claim, error)
    if event.step is Step.PACKED and now.bag is not None:
        now = _take_out(sheet, chain, now, event, scan)
    proof, error = _check_proof(sheet, chain, now, scan, at)
    if error is not None:
        return _refuse(sheet, claim, error)
    found = flags(now, event)
    found += _about_proof(now, event, proof)
    found += _about_bag(sheet, now, event, scan)
    found += [Kind.CLOCK_SKEW] * doubtful + [Kind.WRONG_PLACE] * _elsewhere(scan)
    if late and Kind.OUT_OF_ORDER not in found and _breaks_the_story(chain, now, event):
        found.append(Kind.OUT_OF_ORDER)
    found = list(dict.fromkeys(found))  # what was seen may be what the rules flag
    chain.add(event, _line(sheet, scan, proof), found, _private(scan))
    for kind in found:
        _open(sheet, chain, scan.id, kind, _owner(kind, now, event), event.bag or "")
    if now.stage is Stage.MISSING:
        sheet.turned_up.append((chain, scan.actor.staff))
    if scan.step is Step.REGISTERED:
        sheet.registrations.append(
            (chain.dossier, scan.dossier_code.strip(), scan.due_on)
        )
    _follow_up(sheet, chain, event, scan)
    if not late:
        authorised = scan.proof is not None and scan.proof.receiver == "authorised"
        sheet.occasions.append(
            notices.Occasion(
                chain.id,
                scan.id,
                event,
                now,
                chain.custody,
                scan.reason,
                Leg(chain.leg),
                authorised=authorised,
            )
        )
    return Outcome(scan.id, chain.waybill, tuple(found))


def _no_packing(sheet: _Sheet, now: Custody, scan: Scan) -> PostalTrackError | None:
    """Say why an item cannot be put into this bag; ``None`` when it can."""
    if scan.step is not Step.PACKED:
        return None
    bag = sheet.bags.get(scan.bag or "")
    if bag is None:
        return UnknownBag(number=scan.bag or "")
    if bag.origin != _place(scan):
        return NotYourPlace()
    if not bag.loose:
        return Conflict(why="the bag is closed", why_vi="túi đã được đóng")
    if now.bag == bag.number:
        return Conflict(
            why="the item is in this bag already", why_vi="bưu gửi đã ở trong túi này"
        )
    if sheet.filled[bag.number] >= bags.most_inside():
        return Conflict(why="the bag is full", why_vi="túi đã đầy")
    sheet.filled[bag.number] += 1
    return None


def _take_out(
    sheet: _Sheet, chain: Chain, now: Custody, event: Event, scan: Scan
) -> Custody:
    """Tell that an item left its bag before it was put into another.

    Out of a closed one it comes as a surprise.
    """
    left = sheet.bags.get(now.bag or "")
    found = [Kind.OUT_OF_ORDER] if left is not None and not left.loose else []
    out = replace(event, id=uuid5(scan.id, "unpacked"), step=Step.UNPACKED, bag=now.bag)
    chain.add(out, _line(sheet, scan, None) | {"id": out.id}, found, {})
    for kind in found:
        _open(sheet, chain, out.id, kind, _owner(kind, now, out), now.bag or "")
    return apply(now, out)


def _about_bag(sheet: _Sheet, now: Custody, event: Event, scan: Scan) -> list[Kind]:
    """Flag what only a list or a bag's address shows."""
    found = list(scan.seen)
    bag = sheet.bags.get(event.bag or "")
    agency = bag is not None and bag.destination.kind is PartyKind.AGENCY
    if agency and bag and event.step is Step.PACKED:
        found += [Kind.MISROUTED] * (now.addressee != bag.destination)
    return found


def _follow_up(sheet: _Sheet, chain: Chain, event: Event, scan: Scan) -> None:
    """Note what a handover brings with it: another leg, or another agency in charge."""
    stage = chain.custody.stage
    if scan.step is Step.REFUSED and stage is Stage.REFUSED:
        sheet.births.append((chain, _bring_back(chain, event, scan)))
    if scan.step is Step.DELIVERED and stage is Stage.DELIVERED and scan.old_papers:
        sheet.births.append((chain, _take_along(chain, event, scan)))
    if chain.leg == Leg.TRANSFER and stage is Stage.RECEIVED and event.taker:
        sheet.transfers.append((chain.dossier, event.taker.id))


def _take_along(chain: Chain, event: Event, scan: Scan) -> Birth:
    """Let old papers recovered at delivery go to the agency, from who took them."""
    return Birth(
        id=uuid5(scan.id, "old_papers"),
        dossier=chain.dossier,
        leg=Leg.OLD_PAPERS,
        by=event.by,
        place=event.place,
        holder=event.by,
        addressee=chain.custody.sender,
        at=event.at,
        originals=scan.old_papers,
        copies=0,
    )


def _bring_back(chain: Chain, event: Event, scan: Scan) -> Birth:
    """Let refused papers go back in their envelope, from whoever holds it."""
    return Birth(
        id=uuid5(scan.id, "bring_back"),
        dossier=chain.dossier,
        leg=Leg.BRING_BACK,
        by=event.by,
        place=event.place,
        holder=chain.custody.holder,
        addressee=CITIZEN,
        at=event.at,
        originals=chain.custody.originals,
        copies=chain.custody.copies,
        envelope=chain.id,
        reason=scan.reason,
    )


def _correct(sheet: _Sheet, claim: _Claim, chain: Chain) -> Outcome:
    """Declare a line wrong, and let this one stand in for it when it did occur.

    The ledger keeps both; the reading of the story leaves the wrong one out.
    """
    scan = claim.scan
    wrong = chain.line(scan.corrects) if scan.corrects else None
    if wrong is None or wrong.id is None:
        return _refuse(sheet, claim, NotFound())
    before = chain.corrected(wrong.id)
    if error := hindrance(wrong, scan.actor, sheet.now, corrected=before):
        return _refuse(sheet, claim, error)
    if scan.reason is Reason.DID_NOT_OCCUR:
        event, found = _event(scan, sheet.now), []
    else:
        event = _instead(wrong, scan)
        found = flags(chain.until(wrong), event)
    chain.add(event, _line(sheet, scan, None), found, _private(scan))
    sheet.corrected.append((scan.corrects, scan.actor.staff))
    for kind in found:
        _open(sheet, chain, scan.id, kind, _owner(kind, chain.custody, event), "")
    return Outcome(scan.id, chain.waybill, tuple(found))


def _instead(wrong: Event, scan: Scan) -> Event:
    """Tell a line again as it truly was: same step, same time, other facts."""
    return replace(
        wrong,
        id=scan.id,
        corrects=wrong.id,
        by=scan.actor.party,
        towards=scan.to or wrong.towards,
        originals=wrong.originals if scan.originals is None else scan.originals,
        copies=wrong.copies if scan.copies is None else scan.copies,
        seal_no=scan.seal_no or wrong.seal_no,
        seal_broken=scan.seal_broken,
        damaged=scan.damaged,
    )


def _event(scan: Scan, at: datetime) -> Event:
    place = _place(scan)
    return Event(
        step=scan.step,
        by=scan.actor.party,
        at=at,
        place=place,
        taker=taker(scan.step, scan.actor.party, place, scan.actor.role),
        towards=scan.to,
        originals=scan.originals,
        copies=scan.copies,
        seal_no=scan.seal_no or None,
        seal_broken=scan.seal_broken,
        damaged=scan.damaged,
        id=scan.id,
        corrects=scan.corrects,
        bag=scan.bag,
    )


def _no_right_here(now: Custody, event: Event, scan: Scan) -> PostalTrackError | None:
    """Refuse what only the holder may say, and what only the other side may confirm."""
    if event.step in (Step.RELEASED, Step.RECALLED) and now.holder not in (
        event.by,
        event.place,
    ):
        return NotAllowed()
    if event.step is Step.DELIVERED and now.addressee != CITIZEN:
        return NotAllowed()
    asked = {Step.REGISTERED: now.addressee, Step.REFUSED: now.addressee}
    if event.step in asked and asked[event.step] not in scan.actor.places:
        return NotYourPlace()
    if event.step is Step.CANCELLED and now.holder != now.sender:
        return NotAllowed()  # it is under way: it can be sent back, not undone
    return None


def _check_proof(
    sheet: _Sheet, chain: Chain, now: Custody, scan: Scan, at: datetime
) -> tuple[str | None, PostalTrackError | None]:
    """Hold a one-time code against the one in force.

    The kind of proof that stands, or why it fails.
    """
    if scan.proof is None:
        return None, None
    if scan.proof.kind != "code":
        return "signature", None
    purpose = codes.PURPOSE.get(scan.step)
    if purpose is None or (scan.step is Step.ACCEPTED and now.holder != CITIZEN):
        return None, None  # nobody asked for it
    tried = sheet.in_force.try_out(chain.id, purpose, scan.proof.code, at)
    if tried.locked_now:
        _open(sheet, chain, None, Kind.FAILED_PROOF, scan.actor.place, purpose)
        occasion = notices.Occasion(
            chain.id,
            scan.id,
            _event(scan, at),
            now,
            chain.custody,
            leg=Leg(chain.leg),
            code_locked=True,
        )
        sheet.occasions.append(occasion)
    if tried.right:
        return "code", None
    if tried.left == 0:
        return None, CodeLocked()
    return None, BadCode(left=tried.left)


def _about_proof(now: Custody, event: Event, proof: str | None) -> list[Kind]:
    """Flag taking a citizen's papers without his word.

    It happened, but someone must answer for it.
    """
    collected = (
        event.step is Step.ACCEPTED
        and now.holder == CITIZEN
        and now.stage is not Stage.UNBORN
    )
    return [Kind.FAILED_PROOF] if collected and proof is None else []


def _elsewhere(scan: Scan) -> bool:
    """Whether a clerk's or officer's scan came from far off the place he acts for."""
    home = scan.actor.location
    if scan.position is None or home is None:
        return False
    here = Place(scan.position.lat, scan.position.lon)
    beyond = distance_m(here, home) - scan.position.accuracy_m
    return beyond > (IN_THE_PLACE_M if scan.actor.settled else IN_THE_PROVINCE_M)


def _breaks_the_story(chain: Chain, then: Custody, event: Event) -> bool:
    """Whether a late event makes a surprise of a later handover that was in order."""
    without, within = then, apply(then, event)
    for later in chain.after(event.at):
        if announced(without, later) and not announced(within, later):
            return True
        without, within = apply(without, later), apply(within, later)
    return False


def _line(sheet: _Sheet, scan: Scan, proof: str | None) -> dict[str, Any]:
    return {
        "id": scan.id,
        "device_at": scan.at.astimezone(UTC),
        "recorded_at": sheet.now,
        "device": scan.device,
        "device_seq": scan.device_seq,
        "reason": scan.reason.value if scan.reason else None,
        "proof": proof,
    }


def _private(scan: Scan) -> dict[str, Any]:
    """Gather what must be erasable.

    Where a phone was, a signature, a document's end, free words.
    """
    content: dict[str, Any] = {}
    if scan.position is not None:
        p = scan.position
        content["position"] = f"{p.lat:.6f},{p.lon:.6f},{p.accuracy_m:.0f}"
    if scan.note.strip():
        content["note"] = scan.note.strip()
    if scan.proof is not None and scan.proof.kind == "signature":
        content["signature"] = scan.proof.signature
    if scan.proof is not None and scan.proof.id_kind:
        content["id_kind"] = scan.proof.id_kind
        content["id_last4"] = scan.proof.id_last4
    if scan.proof is not None and scan.step is Step.DELIVERED:
        content["receiver"] = scan.proof.receiver
    return content


def to_be_ended_by(kind: Kind, now: datetime) -> datetime:
    """Say when an irregularity is to be ended: after the search, or in a day."""
    if kind is not Kind.MISSING:
        return now + TO_BE_ENDED_WITHIN
    day = now.astimezone(promises.LOCAL).date()
    last = promises.add_working_days(day, settings().SEARCH_DAYS)
    return datetime.combine(last, CLOSES, promises.LOCAL).astimezone(UTC)


def _owner(kind: Kind, now: Custody, event: Event) -> Party | None:
    """Name who must put it right.

    The giver when he is asked for, else the place that found it.
    """
    asked = kind in (
        Kind.UNANNOUNCED,
        Kind.COUNT_MISMATCH,
        Kind.SEAL_BROKEN,
        Kind.DAMAGED,
        Kind.MISSING,
    )
    if asked and now.holder.kind in (
        PartyKind.STAFF,
        PartyKind.OFFICE,
        PartyKind.AGENCY,
    ):
        return now.holder
    return event.place


def _open(
    sheet: _Sheet,
    chain: Chain,
    event: UUID | None,
    kind: Kind,
    owner: Party | None,
    detail: str,
) -> None:
    due = to_be_ended_by(kind, sheet.now)
    sheet.irregularities.append(
        (
            chain.id,
            event,
            kind.value,
            str(owner or chain.custody.holder),
            due,
            sheet.now,
            detail,
        )
    )


def _refuse(sheet: _Sheet, claim: _Claim, error: PostalTrackError) -> Outcome:
    scan = claim.scan
    sheet.refusals.append(
        (
            scan.id,
            scan.actor.staff,
            (claim.waybill or scan.code)[:200],
            scan.step.value,
            sheet.now,
            type(error).__name__,
            asdict(error),
            _without_secrets(scan),
        )
    )
    return Outcome(scan.id, claim.waybill, error=error)


def _without_secrets(scan: Scan) -> dict[str, Any]:
    """Keep a refused scan as it came, less the citizen's code and signature."""
    proof = replace(scan.proof, code="", signature="") if scan.proof else None
    words: dict[str, Any] = msgspec.to_builtins(
        replace(scan, proof=proof), str_keys=True
    )
    del words["actor"]
    return words


async def _write(connection: Connection, sheet: _Sheet) -> list[int]:
    """Write the whole sheet; the ids of the messages that are due now."""
    await chronicle.write(connection, {c.id: c for c in sheet.chains.values()}.values())
    if sheet.bindings:
        await connection.execute(
            """
            UPDATE label SET item = n.item, bound_at = $3
            FROM unnest($1::text[], $2::bigint[]) AS n(waybill, item) WHERE
                label.waybill = n.waybill
            """,
            list(sheet.bindings),
            [chain.id for chain in sheet.bindings.values()],
            sheet.now,
        )
    if sheet.registrations:
        await _register(connection, sheet)
    if sheet.corrected:
        await connection.execute(
            """
            UPDATE irregularity AS i SET ended_at = $3, ended_by = n.staff,
                ending = 'corrected', outcome = 'corrected'
            FROM unnest($1::uuid[], $2::int[]) AS n(event, staff)
            WHERE i.event = n.event AND i.ended_at IS NULL
            """,
            [event for event, _ in sheet.corrected],
            [staff for _, staff in sheet.corrected],
            sheet.now,
        )
    if sheet.bag_scans:
        await bags.write(connection, sheet.bag_scans, list(sheet.moved.values()))
    await codes.keep(connection, sheet.in_force)
    await _insert(connection, _IRREGULARITIES, sheet.irregularities)
    await _end_searches(connection, sheet)
    await _insert(connection, _REFUSALS, sheet.refusals)
    final = {chain.id: chain.custody for chain in sheet.chains.values()}
    told = await outgoing.put(connection, sheet.occasions, final, sheet.now)
    if sheet.transfers:
        await connection.executemany(
            "UPDATE dossier SET agency = $2 WHERE id = $1", sheet.transfers
        )
    for _, birth in sheet.births:
        born = await legs.bear(connection, birth)
        told += await legs.announce(connection, born, birth)
    return told


async def _end_searches(connection: Connection, sheet: _Sheet) -> None:
    """End the search for what has turned up; whoever told of it has found it."""
    sought = (Stage.MISSING, Stage.LOST)
    found = {
        chain.id: staff
        for chain, staff in sheet.turned_up
        if chain.custody.stage not in sought
    }
    await _insert(connection, _FOUND, list(found.items()))


_FOUND = """
    UPDATE irregularity AS i SET ended_at = clock_timestamp(), ended_by = n.staff,
        outcome = 'found'
    FROM unnest($1::bigint[], $2::int[]) AS n(item, staff)
    WHERE i.item = n.item AND i.kind = 'missing' AND i.ended_at IS NULL
"""

_IRREGULARITIES = """
    INSERT INTO irregularity (item, event, kind, owner, due_at, opened_at, detail,
        ending)
    SELECT *, '' FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[],
        $5::timestamptz[],
        $6::timestamptz[], $7::text[])
"""

_REFUSALS = """
    INSERT INTO refused_scan (id, staff, code, step, at, error, fields, scan)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[],
        $5::timestamptz[],
        $6::text[], $7::jsonb[], $8::jsonb[])
    ON CONFLICT (id) DO NOTHING
"""


async def _insert(
    connection: Connection, statement: str, rows: list[tuple[Any, ...]]
) -> None:
    if rows:
        await connection.execute(statement, *map(list, zip(*rows, strict=True)))


async def _register(connection: Connection, sheet: _Sheet) -> None:
    """Give dossiers the agency's own code and due date.

    A code that another dossier has stays with that one.
    """
    for dossier, code, due_on in sheet.registrations:
        await connection.execute(
            """
            INSERT INTO dossier_code (dossier, source, code, given_at)
            SELECT $1, 'agency:' || d.agency, $2, $3 FROM dossier d WHERE d.id = $1
            ON CONFLICT (source, code) DO NOTHING
            """,
            dossier,
            code,
            sheet.now,
        )
        await connection.execute(
            "UPDATE dossier SET due_on = coalesce($2, due_on) WHERE id = $1",
            dossier,
            due_on,
        )


def _answer(sheet: _Sheet, claim: _Claim, outcome: Outcome) -> Outcome:
    chain = sheet.chains.get(claim.waybill)
    if chain is None or claim.forged:
        return outcome
    item = Known(
        chain.id,
        chain.waybill,
        chain.dossier,
        chain.leg,
        chain.promised_on,
        chain.fee,
        chain.custody,
    )
    told = (outcome.id, outcome.waybill, outcome.remarks, outcome.error)
    return Outcome(*told, item, outcome.inside)
