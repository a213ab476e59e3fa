"""Scans become lines of the ledger: one function for one or many.

``record`` is the only way a scan is written. It locks the items, judges each scan by
the rules of ``custody``, writes everything in bulk and says in the same transaction
what is to be told to citizens. It has never heard of HTTP. What physically happened is
written down even when it breaks a rule; only a claim without standing is refused, and
even that is kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from asyncpg import Connection

from postal_track import attempts, chronicle, codes, notices, outgoing
from postal_track.bagged import (
    Bagged,
    about_bag,
    is_inside,
    no_packing,
    offices_for,
    sum_up,
    unfold,
)
from postal_track.chronicle import Chain
from postal_track.claims import Claim, place_of, tolerance
from postal_track.corrections import hindrance
from postal_track.custody import (
    CITIZEN,
    NAMES_A_DAY,
    Custody,
    Event,
    Kind,
    Leg,
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
from postal_track.database import transaction
from postal_track.errors import (
    BadCode,
    CodeLocked,
    NotAllowed,
    NotFound,
    NotYourPlace,
    PostalTrackError,
    UnboundLabel,
    UnknownWaybill,
)
from postal_track.instructions import UNSAID, who_may_receive
from postal_track.legs import Birth
from postal_track.places import Place, distance_m
from postal_track.planned import Plan
from postal_track.scans import Known as Known
from postal_track.scans import Outcome as Outcome
from postal_track.scans import Position as Position
from postal_track.scans import Proof as Proof
from postal_track.scans import Scan as Scan
from postal_track.sheets import (
    Sheet,
    answered_before,
    open_irregularity,
    owner_of,
    refuse,
    repeat,
    unbound,
    write,
)
from postal_track.sheets import to_be_ended_by as to_be_ended_by

IN_THE_PLACE_M = 2_000
"""How far off his counter or desk someone may scan before it is flagged, beyond the
position's accuracy.
"""


IN_THE_PROVINCE_M = 150_000
"""The same for carriers, who are on the road.

An Giang with its islands, measured from any office.
"""


async def record(scans: Sequence[Scan]) -> list[Outcome]:
    """Write scans down; answer each, in the same order.

    Safe to repeat: an id is written once. One transaction: an error in one scan refuses
    that scan only; a failure of the database raises and nothing is written.
    """
    if not scans:
        return []
    outcomes, told = await write_down(scans)
    await outgoing.poke(told)
    return outcomes


async def write_down(scans: Sequence[Scan]) -> tuple[list[Outcome], list[int]]:
    """Do as ``record`` does, as a part of the caller's transaction.

    With the answers go the ids of the texts, of which the worker hears after the
    caller's commit: before it there is nothing for him to send.
    """
    claims = [Claim.of(scan) for scan in scans]
    async with transaction() as connection:
        bagged = Bagged(each=claims)
        if any(claim.bag for claim in claims):
            bagged = await unfold(connection, claims)
        each = bagged.each
        sheet = await _prepare(connection, each, bagged)
        outcomes: dict[UUID, Outcome] = {}
        # A list is read in the order of its own clock, whatever order a phone sent it
        # in.
        for claim in sorted(
            each, key=lambda c: (c.happened_at(sheet.now)[0], c.scan.device_seq)
        ):
            if claim.scan.id not in outcomes and is_inside(sheet, claim):
                outcomes[claim.scan.id] = _judge(sheet, claim)
        for claim in claims:
            if claim.scan.id not in outcomes:
                outcomes[claim.scan.id] = sum_up(sheet, claim, bagged, outcomes)
        told = await write(connection, sheet)
    return [_answer(sheet, claim, outcomes[claim.scan.id]) for claim in claims], told


async def _prepare(
    connection: Connection, claims: Sequence[Claim], bagged: Bagged
) -> Sheet:
    """Lock the items, then look.

    What was answered before, which codes are in force, whose story is needed.
    """
    waybills = {c.waybill for c in claims if c.waybill}
    waybills |= {c.scan.bind_to for c in claims if c.scan.bind_to}
    chains = await chronicle.lock(connection, sorted(waybills))
    now = datetime.now(UTC)
    kept = await answered_before(connection, [c.scan.id for c in claims])
    missing = waybills - chains.keys()
    loose = await unbound(connection, missing) if missing else frozenset()
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
    others = {
        chain.dossier
        for c, chain in spoken_of
        if chain and c.scan.step is Step.DELIVERED and _to_another(c.scan)
    }
    packed = {
        chain.id: bag.destination
        for c, chain in spoken_of
        if chain and c.scan.step is Step.PACKED and (bag := bagged.known.get(c.bag))
        if bag.destination.kind is PartyKind.OFFICE
    }
    return Sheet(
        now,
        chains,
        kept,
        in_force,
        loose,
        bags=bagged.known,
        filled=bagged.filled,
        receivers=await who_may_receive(connection, others) if others else {},
        offices=await offices_for(connection, packed) if packed else {},
    )


def _last(chain: Chain, now: datetime) -> datetime:
    return chain.custody.last_at or now


def _judge(sheet: Sheet, claim: Claim) -> Outcome:
    """Answer one scan; whatever is to be written is put on the sheet."""
    scan = claim.scan
    if known := sheet.kept.get(scan.id):
        return repeat(sheet, claim, known)
    chain = sheet.chains.get(claim.waybill) or _bind(sheet, claim)
    if claim.error is not None:
        if claim.forged and chain is not None:
            open_irregularity(
                sheet, chain, None, Kind.FORGED_LABEL, scan.actor.place, ""
            )
        return refuse(sheet, claim, claim.error)
    if chain is None:
        return refuse(sheet, claim, _unknown(sheet, claim))
    return _tell(sheet, claim, chain)


def _bind(sheet: Sheet, claim: Claim) -> Chain | None:
    """Put a label from a pool on the item that was booked, at its pickup."""
    booked = sheet.chains.get(claim.scan.bind_to or "")
    if claim.waybill not in sheet.unbound or booked is None or claim.error is not None:
        return None
    sheet.chains[claim.waybill] = sheet.bindings[claim.waybill] = booked
    return booked


def _unknown(sheet: Sheet, claim: Claim) -> PostalTrackError:
    if claim.waybill in sheet.unbound:
        return UnboundLabel(waybill=claim.waybill)
    return UnknownWaybill(waybill=claim.waybill)


def _tell(sheet: Sheet, claim: Claim, chain: Chain) -> Outcome:
    """Write one scan of a known item down, unless its proof is false."""
    scan = claim.scan
    if scan.step is Step.CORRECTED:
        return _correct(sheet, claim, chain)
    at, doubtful = claim.happened_at(sheet.now)
    if at < chain.born_at:  # nothing happens to an item before it is born
        doubtful = doubtful or chain.born_at - at > tolerance()
        at = chain.born_at
    late = chain.custody.last_at is not None and at < chain.custody.last_at
    now = chain.before(at)
    event = _event(scan, at)
    if event.step in NAMES_A_DAY:
        day = attempts.named(event, scan.again_on, scan.held_until)
        event = attempts.dated(replace(event, next_on=day), now)
    if event.bag is None and event.step in (Step.UNPACKED, Step.MISSED):
        event = replace(event, bag=now.bag)
    if error := _no_right_here(now, event, scan) or no_packing(sheet, now, scan):
        return refuse(sheet, claim, error)
    if event.step is Step.PACKED and now.bag is not None:
        now = _take_out(sheet, chain, now, event, scan)
    proof, error = _check_proof(sheet, chain, now, scan, at)
    if error is not None:
        return refuse(sheet, claim, error)
    found = flags(now, event)
    found += _about_proof(now, event, proof) + _about_receiver(sheet, chain, scan)
    found += about_bag(sheet, chain, now, event, scan)
    found += [Kind.CLOCK_SKEW] * doubtful + [Kind.WRONG_PLACE] * _elsewhere(scan)
    if late and Kind.OUT_OF_ORDER not in found and _breaks_the_story(chain, now, event):
        found.append(Kind.OUT_OF_ORDER)
    found = list(dict.fromkeys(found))  # what was seen may be what the rules flag
    was = chain.custody.stage
    chain.add(event, _line(sheet, scan, proof), found, _private(scan))
    for kind in found:
        open_irregularity(
            sheet, chain, scan.id, kind, owner_of(kind, now, event), event.bag or ""
        )
    if now.stage is Stage.MISSING:
        sheet.turned_up.append((chain, scan.actor.staff))
    if scan.step is Step.REGISTERED:
        sheet.registrations.append(
            (chain.dossier, scan.dossier_code.strip(), scan.due_on)
        )
    if event.step is Step.ARRIVED and not late and attempts.waits_here(now, event):
        _hold(sheet, chain, event, scan)
    _come_again(sheet, chain, event, scan)
    if chain.custody.stage is not was:  # what was told before has had its consequences
        _follow_up(sheet, chain, event, scan)
    if not late or _told_before(chain, at):
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


def _hold(sheet: Sheet, chain: Chain, event: Event, scan: Scan) -> None:
    """Let it wait at the counter from now on, without another scan."""
    held = Event(
        step=Step.HELD,
        by=event.by,
        at=event.at,
        place=event.place,
        taker=event.taker,
        id=uuid5(scan.id, "held"),
        bag=event.bag,
    )
    held, before = attempts.dated(held, chain.custody), chain.custody
    line = _line(sheet, scan, None) | {"id": held.id, "reason": None}
    chain.add(held, line, [], {})
    sheet.occasions.append(
        notices.Occasion(
            chain.id,
            uuid5(scan.id, "held"),
            held,
            before,
            chain.custody,
            leg=Leg(chain.leg),
        )
    )


def _take_out(
    sheet: Sheet, chain: Chain, now: Custody, event: Event, scan: Scan
) -> Custody:
    """Tell that an item left its bag before it was put into another.

    Out of a closed one it comes as a surprise.
    """
    left = sheet.bags.get(now.bag or "")
    found = [Kind.OUT_OF_ORDER] if left is not None and not left.loose else []
    out = replace(event, id=uuid5(scan.id, "unpacked"), step=Step.UNPACKED, bag=now.bag)
    chain.add(out, _line(sheet, scan, None) | {"id": out.id}, found, {})
    for kind in found:
        open_irregularity(
            sheet, chain, out.id, kind, owner_of(kind, now, out), now.bag or ""
        )
    return apply(now, out)


def _follow_up(sheet: Sheet, chain: Chain, event: Event, scan: Scan) -> None:
    """Note what it brings with it: another leg, another agency in charge, a claim."""
    stage = chain.custody.stage
    if stage is Stage.LOST:
        sheet.lost.append((chain, scan))
    if scan.step is Step.REFUSED and stage is Stage.REFUSED:
        sheet.births.append((chain, _bring_back(chain, event, scan)))
    if scan.step is Step.DELIVERED and stage is Stage.DELIVERED and scan.old_papers:
        sheet.births.append((chain, _take_along(chain, event, scan)))
    if chain.leg == Leg.TRANSFER and stage is Stage.RECEIVED and event.taker:
        sheet.transfers.append((chain.dossier, event.taker.id))


def _come_again(sheet: Sheet, chain: Chain, event: Event, scan: Scan) -> None:
    """Plan the day that a carrier who came in vain named himself."""
    day, actor = scan.again_on, scan.actor
    if actor.role is Role.CARRIER and day is not None and day == event.next_on:
        sheet.plans.append(
            Plan(chain.id, actor.staff, day, None, actor.staff, event.at)
        )


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


def _correct(sheet: Sheet, claim: Claim, chain: Chain) -> Outcome:
    """Declare a line wrong, and let this one stand in for it when it did occur.

    The ledger keeps both; the reading of the story leaves the wrong one out.
    """
    scan = claim.scan
    wrong = chain.line(scan.corrects) if scan.corrects else None
    if wrong is None or wrong.id is None:
        return refuse(sheet, claim, NotFound())
    before = chain.corrected(wrong.id)
    if error := hindrance(wrong, scan.actor, sheet.now, corrected=before):
        return refuse(sheet, claim, error)
    if scan.reason is Reason.DID_NOT_OCCUR:
        event, found = _event(scan, sheet.now), []
    else:
        event = _instead(wrong, scan)
        found = flags(chain.until(wrong), event)
    chain.add(event, _line(sheet, scan, None), found, _private(scan))
    sheet.corrected.append((scan.corrects, scan.actor.staff))
    for kind in found:
        open_irregularity(
            sheet, chain, scan.id, kind, owner_of(kind, chain.custody, event), ""
        )
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
        next_on=attempts.named(wrong, scan.again_on, scan.held_until) or wrong.next_on,
    )


def _event(scan: Scan, at: datetime) -> Event:
    place = place_of(scan)
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
    sheet: Sheet, chain: Chain, now: Custody, scan: Scan, at: datetime
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
        open_irregularity(
            sheet, chain, None, Kind.FAILED_PROOF, scan.actor.place, purpose
        )
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


def _about_receiver(sheet: Sheet, chain: Chain, scan: Scan) -> list[Kind]:
    """Flag handing it to another than the addressee, where nobody else may have it.

    It happened; the next one to ask is the citizen.
    """
    if scan.step is not Step.DELIVERED or not _to_another(scan):
        return []
    may = sheet.receivers.get(chain.dossier, UNSAID)
    in_person = may.in_person and chain.leg == Leg.RESULT
    return [Kind.WRONG_RECEIVER] if in_person or not may.deputy else []


def _to_another(scan: Scan) -> bool:
    return scan.proof is not None and scan.proof.receiver != "addressee"


def _elsewhere(scan: Scan) -> bool:
    """Whether a clerk's or officer's scan came from far off the place he acts for."""
    home = scan.actor.location
    if scan.position is None or home is None:
        return False
    here = Place(scan.position.lat, scan.position.lon)
    beyond = distance_m(here, home) - scan.position.accuracy_m
    return beyond > (IN_THE_PLACE_M if scan.actor.settled else IN_THE_PROVINCE_M)


def _told_before(chain: Chain, at: datetime) -> bool:
    """Whether a late scan is late only for the citizen's own word on his page.

    He redirects while a phone is offline: the code for his delivery is due all the
    same.
    """
    return all(event.step is Step.REDIRECTED for event in chain.after(at))


def _breaks_the_story(chain: Chain, then: Custody, event: Event) -> bool:
    """Whether a late event makes a surprise of a later handover that was in order."""
    without, within = then, apply(then, event)
    for later in chain.after(event.at):
        if announced(without, later) and not announced(within, later):
            return True
        without, within = apply(without, later), apply(within, later)
    return False


def _line(sheet: Sheet, scan: Scan, proof: str | None) -> dict[str, Any]:
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


def _answer(sheet: Sheet, claim: Claim, outcome: Outcome) -> Outcome:
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
