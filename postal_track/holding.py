"""What a scanner is told about an item: what it is, who has it, what he may do now.

Reads only. The rules are ``custody``'s; the words are the routes'.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache

from asyncpg import Record

from postal_track import instructions, reach, readings
from postal_track.asks import Way
from postal_track.batching import Together
from postal_track.charges import OPEN_AT_DOOR, open_at_door
from postal_track.chronicle import IN_HAND, custody_of
from postal_track.custody import (
    CITIZEN,
    Custody,
    Leg,
    Party,
    PartyKind,
    Role,
    Stage,
    Step,
    propose,
)
from postal_track.database import look, transaction
from postal_track.directory import Named, names
from postal_track.errors import ForeignCode, ForgedLabel, UnboundLabel, UnknownWaybill
from postal_track.handoffs import Known
from postal_track.instructions import (
    NOTHING,
    Instruction,
    MayReceive,
    in_view_of,
    way_of,
)
from postal_track.labels import genuine, parse_code
from postal_track.promises import LOCAL
from postal_track.reach import Values
from postal_track.settings import settings
from postal_track.staff import Actor

MOST_LISTED = 500

_ITEM = f"""
    i.id, i.waybill, i.dossier, i.leg, i.promised_on, {OPEN_AT_DOOR} AS fee,
    i.fee AS charged, i.stage, i.sender,
    coalesce((SELECT reference FROM bill WHERE dossier = i.dossier), '') AS reference,
    i.addressee, i.holder, i.holder_place, i.since, i.released_to, i.released_at,
    i.bound_for, i.attempts, i.originals, i.copies, i.seal_no, i.bag,
    i.next_on, i.last_at
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Sight:
    """An item as one person sees it.

    With the names of all parties, and the steps open to him. ``fee`` is what is still
    to be paid when it changes hands, ``reference`` by which a transfer is known;
    ``charged``: something was to be paid.
    """

    waybill: str
    leg: Leg
    promised_on: date | None
    fee: int
    reference: str
    charged: bool
    custody: Custody
    names: dict[Party, Named]
    proposals: list[Step]
    mine: bool
    wanted: Instruction = NOTHING
    way: Way | None = None
    told: bool = False
    in_person: bool = False


async def understand(text: str, actor: Actor) -> Sight:
    """Read what a scanner gave and say what item that is.

    Raises the errors of ``labels.parse_code``, ``ForgedLabel``, ``UnboundLabel`` or
    ``UnknownWaybill``.
    """
    code = parse_code(text)
    if code.kind == "bag":
        raise ForeignCode(text)
    if code.tag is not None and not genuine(code):
        raise ForgedLabel(code.waybill)
    async with transaction() as connection:
        row = await connection.fetchrow(
            f"""
            SELECT {_ITEM} FROM label l JOIN item i ON i.id = l.item
            WHERE l.waybill = $1
            """,  # noqa: S608 - constants
            code.waybill,
        )
        pooled = row is None and await connection.fetchval(
            "SELECT true FROM label WHERE waybill = $1", code.waybill
        )
    if pooled:
        raise UnboundLabel(code.waybill)
    if row is None:
        raise UnknownWaybill(code.waybill)
    sight = (await _sights([row], actor))[0]
    return await _in_clear(sight, row["id"], row["dossier"], actor)


async def held(actor: Actor) -> tuple[list[Sight], list[Sight]]:
    """List what a person or his counter holds, and what is promised to them.

    The oldest first.
    """
    mine = [str(actor.party)]
    if actor.settled or actor.role == "supervisor":
        mine += [str(place) for place in actor.places]
    waiting = [str(actor.party), *(str(place) for place in actor.places)]
    async with transaction() as connection:
        holding = await connection.fetch(
            f"""
            SELECT {_ITEM} FROM item i WHERE (holder = ANY($1::text[]) AND {IN_HAND})
                OR (holder = ANY($1::text[]) AND released_to IS NOT NULL)
            ORDER BY since LIMIT {MOST_LISTED}
            """,  # noqa: S608 - constants
            mine,
        )
        promised = await connection.fetch(
            f"""
            SELECT {_ITEM} FROM item i WHERE (released_to = ANY($1::text[])
                OR (stage = 'booked' AND bound_for = ANY($1::text[])))
                AND NOT holder = ANY($2::text[])
            ORDER BY coalesce(released_at, since) LIMIT {MOST_LISTED}
            """,  # noqa: S608 - constants
            waiting,
            mine,
        )
    return await _sights(holding, actor), await _sights(promised, actor)


async def receivers(actor: Actor) -> list[tuple[Party, Named]]:
    """List whom a person may release an item to.

    Colleagues of his place, offices, agencies.
    """
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT 'staff:' || id AS party FROM staff
            WHERE active AND role IN ('carrier', 'clerk')
                AND office IS NOT DISTINCT FROM $1 AND id <> $2
            UNION ALL SELECT 'office:' || id FROM office
            UNION ALL SELECT 'agency:' || id FROM agency
            """,
            actor.office,
            actor.staff,
        )
    parties = [Party.parse(row["party"]) for row in rows]
    known = await names(set(parties))
    return [(party, known[party]) for party in parties]


async def sights(
    items: Sequence[Known | None], actors: Sequence[Actor]
) -> list[Sight | None]:
    """Turn outcomes of ``record`` into what each scanner sees.

    What the citizen wants is looked up for what just set out to him only: there it
    counts, and the other scans stay fast.
    """
    known = await names({p for item in items if item for p in _parties(item.custody)})
    # Of most items nothing was ever asked for: nobody need look.
    owed = await open_at_door({item.id for item in items if item and item.fee})
    seen = [
        _sight(
            item.waybill,
            item.leg,
            item.promised_on,
            owed.get(item.id, (0, "")),
            bool(item.fee),
            item.custody,
            known,
            actor,
        )
        if item
        else None
        for item, actor in zip(items, actors, strict=True)
    ]
    out = [
        (at, item, sight)
        for at, (item, sight) in enumerate(zip(items, seen, strict=True))
        if item and sight and _set_out(item)
    ]
    wishes = await _wished([(item.dossier, sight) for _, item, sight in out])
    for (at, item, _), wished in zip(out, wishes, strict=True):
        seen[at] = await _in_clear(wished, item.id, item.dossier, actors[at])
    return seen


def _set_out(item: Known) -> bool:
    out = item.custody.stage is Stage.OUT_FOR_DELIVERY
    return out and item.custody.addressee == CITIZEN


async def _wished(seen: Sequence[tuple[int, Sight]]) -> list[Sight]:
    """Add what the citizens of these dossiers want of what is to come."""
    ways = [way_of(sight.leg, sight.custody) for _, sight in seen]
    asked = {d for (d, _), way in zip(seen, ways, strict=True) if way}
    if not asked:
        return [sight for _, sight in seen]
    known, may = await _asked_for()(frozenset(asked))
    seen = [
        (dossier, replace(sight, in_person=True))
        if sight.leg is Leg.RESULT and way and may[dossier].in_person
        else (dossier, sight)
        for (dossier, sight), way in zip(seen, ways, strict=True)
    ]
    if not known:
        return [sight for _, sight in seen]
    found = [
        known.get((dossier, way), NOTHING) if way else NOTHING
        for (dossier, _), way in zip(seen, ways, strict=True)
    ]
    offices = await names({wanted.hold_at for wanted in found if wanted.hold_at})
    return [
        replace(
            sight,
            wanted=wanted,
            way=way,
            names=sight.names | offices,
            proposals=in_view_of(wanted, sight.custody, sight.proposals),
        )
        if wanted
        else sight
        for (_, sight), way, wanted in zip(seen, ways, found, strict=True)
    ]


_Wanted = tuple[dict[tuple[int, Way], Instruction], dict[int, MayReceive]]


@cache
def _asked_for() -> Together[frozenset[int], _Wanted]:
    # Single scans of many phones are answered together; so is what they ask.
    return Together(_ask_for, most=200)


async def _ask_for(dossiers: Sequence[frozenset[int]]) -> list[_Wanted]:
    async with look() as connection:
        asked = frozenset[int]().union(*dossiers)
        told = await instructions.for_cards(connection, asked)
    return [told] * len(dossiers)


async def _in_clear(sight: Sight, item: int, dossier: int, actor: Actor) -> Sight:
    """Show an address and who receives to whoever goes there; that is a reading."""
    if not sight.wanted.personal:
        return replace(sight, told=True)
    if not readings.may_read(actor) or actor.role is Role.OFFICER:
        return sight
    async with transaction() as connection:
        values = Values()
        given = values.put(item)
        within = await connection.fetchval(
            f"""
            SELECT true FROM item i JOIN dossier d ON d.id = i.dossier
            WHERE i.id = {given} AND {reach.items(actor, values, run=True)}
            """,  # noqa: S608 - placeholders
            *values,
        )
        if within:
            await readings.note(actor, [dossier], "instructions")
    return replace(sight, told=bool(within))


async def _sights(rows: Iterable[Record], actor: Actor) -> list[Sight]:
    read = [(row, custody_of(row)) for row in rows]
    known = await names({party for _, custody in read for party in _parties(custody)})
    seen = [
        (
            row["dossier"],
            _sight(
                row["waybill"],
                row["leg"],
                row["promised_on"],
                (row["fee"], row["reference"]),
                bool(row["charged"]),
                custody,
                known,
                actor,
            ),
        )
        for row, custody in read
    ]
    return await _wished(seen)


def _parties(now: Custody) -> set[Party]:
    all_ = {now.holder, now.addressee, now.sender, now.released_to, now.bound_for}
    return {party for party in all_ if party is not None}


def _sight(
    waybill: str,
    leg: str,
    promised_on: date | None,
    owed: tuple[int, str],
    charged: bool,
    now: Custody,
    known: dict[Party, Named],
    actor: Actor,
) -> Sight:
    places = (
        actor.places
        if actor.settled or actor.role == "supervisor"
        else frozenset[Party]()
    )
    return Sight(
        waybill=waybill,
        leg=Leg(leg),
        promised_on=promised_on,
        fee=owed[0],
        reference=owed[1],
        charged=charged,
        custody=now,
        names=known,
        proposals=propose(
            now,
            actor.role,
            actor.party,
            actor.places,
            settings().DELIVERY_ATTEMPTS,
            datetime.now(LOCAL).date(),
        ),
        mine=now.holder == actor.party or now.holder in places,
    )


def agency_of(sight: Sight) -> Party | None:
    """Name the agency at the other end of a leg."""
    for party in (sight.custody.addressee, sight.custody.sender):
        if party.kind is PartyKind.AGENCY:
            return party
    return None


NEEDS: dict[Step, tuple[str, ...]] = {
    Step.ACCEPTED: ("counts", "seal", "proof"),
    Step.RECEIVED: ("counts", "seal"),
    Step.DELIVERED: ("proof",),
    Step.ATTEMPTED: ("reason", "again_on"),
    Step.PICKUP_FAILED: ("reason", "again_on"),
    Step.HELD: ("held_until",),
    Step.REFUSED: ("reason",),
    Step.MISSED: ("reason",),
    Step.RELEASED: ("to",),
    Step.REGISTERED: ("code_and_due",),
}
"""What a step asks of the one who reports it, so that a page can ask for it."""


def needs(step: Step, now: Custody) -> tuple[str, ...]:
    """Say what a step asks for here.

    An agency proves nothing by a code, it released under its login.
    """
    asked = NEEDS.get(step, ())
    if step is Step.ACCEPTED and now.stage is not Stage.BOOKED:
        return tuple(need for need in asked if need != "proof")
    return asked
