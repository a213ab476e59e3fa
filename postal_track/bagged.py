"""The scan of a whole bag: one statement that stands for one of each item inside.

Bags are locked before items. What was inside at the time of the scan is judged under
the items' lock, and a scan that was told before means what it meant then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from asyncpg import Connection

from postal_track import bags
from postal_track.bags import Bag
from postal_track.chronicle import Chain
from postal_track.claims import Claim, place_of
from postal_track.custody import (
    Custody,
    Event,
    Kind,
    Party,
    PartyKind,
    Step,
    taker,
)
from postal_track.errors import Conflict, NotYourPlace, PostalTrackError, UnknownBag
from postal_track.scans import Outcome, Scan
from postal_track.sheets import (
    Kept,
    Sheet,
    answered_before,
    other_scan,
    refuse,
    repeat,
)


@dataclass(frozen=True, slots=True)
class Bagged:
    """The bags that a list speaks of, under the lock.

    ``each``: all scans of single items, those that a bag's scan stands for among them;
    ``parts``: these by the bag's scan; ``kept`` and ``told``: bag scans that were
    answered before; ``filled``: how many items are in each bag.
    """

    each: Sequence[Claim]
    parts: dict[UUID, list[Claim]] = field(default_factory=dict)
    known: dict[str, Bag] = field(default_factory=dict)
    kept: dict[UUID, "Kept"] = field(default_factory=dict)
    told: dict[UUID, bags.Told] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)


async def unfold(connection: Connection, claims: Sequence[Claim]) -> Bagged:
    """Lock the bags, before the items; make of each bag's scan one for each item.

    What was ever inside is taken along: what is inside at the time of the scan is
    judged under the items' lock. A scan that was told before means what it meant then.
    """
    whole = [c for c in claims if c.whole]
    numbers = {c.bag for c in claims if c.bag}
    numbers |= await _left_behind(connection, [c for c in claims if not c.whole])
    known = await bags.lock(connection, sorted(numbers))
    kept = await answered_before(connection, [c.scan.id for c in whole])
    told = await bags.told(connection, [c.scan.id for c in whole])
    inside = await bags.ever_inside(connection, sorted({c.bag for c in whole}))
    filled = await bags.filled(connection, sorted(numbers))
    for claim in claims:  # put in by the same list
        if claim.scan.step is Step.PACKED and claim.bag in inside and claim.waybill:
            inside[claim.bag].append(claim.waybill)
    parts: dict[UUID, list[Claim]] = {}
    for claim in whole:
        before, bag = told.get(claim.scan.id), known.get(claim.bag)
        if bag is None or claim.error is not None or claim.scan.id in kept:
            parts[claim.scan.id] = []
        else:
            waybills = before.waybills if before else dict.fromkeys(inside[claim.bag])
            parts[claim.scan.id] = claim.of_each(bag, waybills)
    single = [c for c in claims if not c.whole]
    each = single + [part for of_one in parts.values() for part in of_one]
    return Bagged(each, parts, known, kept, told, filled)


async def _left_behind(connection: Connection, claims: Sequence[Claim]) -> set[str]:
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


def is_inside(sheet: Sheet, claim: Claim) -> bool:
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


def sum_up(
    sheet: Sheet, claim: Claim, bagged: Bagged, outcomes: dict[UUID, Outcome]
) -> Outcome:
    """Answer the scan of a whole bag by what became of the items inside."""
    scan, bag = claim.scan, bagged.known.get(claim.bag)
    if known := bagged.kept.get(scan.id):
        return repeat(sheet, claim, known)
    if claim.error is not None or bag is None:
        return refuse(sheet, claim, claim.error or UnknownBag(number=claim.bag))
    before = bagged.told.get(scan.id)
    if before and (before.bag, before.step) != (claim.bag, scan.step.value):
        return Outcome(scan.id, claim.bag, error=other_scan())
    inside = [
        outcomes[part.scan.id]
        for part in bagged.parts[scan.id]
        if part.scan.id in outcomes
    ]
    if not inside:
        empty = Conflict(why="the bag is empty", why_vi="trong túi không có bưu gửi")
        return refuse(sheet, claim, empty)
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
    sheet: Sheet,
    claim: Claim,
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
    holder = taker(scan.step, scan.actor.party, place_of(scan), scan.actor.role)
    return replace(
        bag, holder=holder or bag.holder, since=at, released_to=None, released_at=None
    )


def no_packing(sheet: Sheet, now: Custody, scan: Scan) -> PostalTrackError | None:
    """Say why an item cannot be put into this bag; ``None`` when it can."""
    if scan.step is not Step.PACKED:
        return None
    bag = sheet.bags.get(scan.bag or "")
    if bag is None:
        return UnknownBag(number=scan.bag or "")
    if bag.origin != place_of(scan):
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


async def offices_for(
    connection: Connection, packed: Mapping[int, Party]
) -> dict[int, Party]:
    """Say which office each item is meant for: its citizen's, or its agency's.

    ``packed``: to which office its bag goes. What goes to a hub is sorted there.
    """
    rows = await connection.fetch(
        """
        SELECT i.id, coalesce(a.office, d.office) AS office
        FROM unnest($1::bigint[], $2::int[]) AS n(item, destination)
        JOIN office o ON o.id = n.destination AND NOT o.hub
        JOIN item i ON i.id = n.item JOIN dossier d ON d.id = i.dossier
        LEFT JOIN agency a ON i.addressee = 'agency:' || a.id
        """,
        list(packed),
        [to.id for to in packed.values()],
    )
    return {row["id"]: Party(PartyKind.OFFICE, row["office"]) for row in rows}


def about_bag(
    sheet: Sheet, chain: Chain, now: Custody, event: Event, scan: Scan
) -> list[Kind]:
    """Flag what only a list or a bag's address shows."""
    found = list(scan.seen)
    bag = sheet.bags.get(event.bag or "")
    if bag is None or event.step is not Step.PACKED:
        return found
    agency = bag.destination.kind is PartyKind.AGENCY
    meant = now.addressee if agency else sheet.offices.get(chain.id)
    return found + [Kind.MISROUTED] * (meant not in (None, bag.destination))
