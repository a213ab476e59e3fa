"""A dossier as its citizen may see it: read by the token or the slug of its page.

Reads what `telling` puts into words. Names, numbers and addresses of persons stay
here: only initials and a masked number go on. Knows no HTTP.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from asyncpg import Connection, Record

from postal_track import codes, expectations, instructions
from postal_track.asks import Way
from postal_track.charges import OPEN_AT_DOOR
from postal_track.chronicle import event_of
from postal_track.custody import (
    ENDED,
    Kind,
    Leg,
    Party,
    PartyKind,
    Reason,
    Stage,
)
from postal_track.database import transaction
from postal_track.directory import names
from postal_track.errors import NotFound
from postal_track.estimates import Expected
from postal_track.followed import (
    LOCAL,
    Followed,
    Happening,
    Paper,
    Pickup,
    Stretch,
    Wished,
    Words,
)
from postal_track.instructions import Instruction
from postal_track.orders import plain
from postal_track.phones import mask
from postal_track.retold import FOUND
from postal_track.settings import settings


async def follow(token: str, at: datetime | None = None) -> Followed:
    """Read a dossier by its token; ``NotFound`` when there is none."""
    async with transaction() as connection:
        row = await connection.fetchrow(_DOSSIER, plain(token))
        if row is None:
            raise NotFound
        return await _followed(connection, row, at or datetime.now(UTC))


async def token_of(slug: str) -> str:
    """Find the token that the short form in a text stands for; ``NotFound``."""
    async with transaction() as connection:
        token = await connection.fetchval(
            "SELECT token FROM dossier WHERE slug = $1", plain(slug)
        )
    if token is None:
        raise NotFound
    return str(token)


_DOSSIER = """
    SELECT d.id, d.token, d.service, d.agency, d.office, d.due_on, p.name AS procedure,
        p.name_en AS procedure_en, p.sensitive, p.in_person, p.takes_back_old,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code,
        coalesce(o.name, '') AS owner,
        coalesce(nullif(f.phone, ''), o.phone, '') AS phone
    FROM dossier d JOIN procedure p ON p.id = d.procedure
    LEFT JOIN person o ON o.dossier = d.id AND o.part = 'owner'
    LEFT JOIN person f ON f.dossier = d.id AND f.part = 'filer'
    WHERE d.token = $1
"""

_STORIES = f"""
    SELECT i.waybill, i.leg, i.promised_on, i.fee, e.step, e.by, e.place, e.taker,
        e.towards, e.at, e.originals, e.copies, e.seal_no, e.seal_broken, e.damaged,
        e.reason, e.proof, e.flags, e.id, e.bag, e.corrects, e.next_on,
        v.content ->> 'receiver' AS receiver
    FROM (SELECT i.id, i.waybill, i.leg, i.promised_on, {OPEN_AT_DOOR} AS fee
        FROM item i WHERE i.dossier = $1) i
    JOIN event e ON e.item = i.id LEFT JOIN event_detail v ON v.event = e.id
    ORDER BY i.id, e.at, e.seq
"""  # noqa: S608 - constants

_PICKUP = """
    SELECT c.nonce, c.wrong FROM item i JOIN one_time_code c ON c.item = i.id
    WHERE i.dossier = $1 AND i.stage = 'booked' AND c.purpose = 'pickup'
        AND c.used_at IS NULL AND c.expires_at > $2
    ORDER BY c.id DESC LIMIT 1
"""

_CHECKING = """
    SELECT DISTINCT r.kind FROM item i JOIN irregularity r ON r.item = i.id
    WHERE i.dossier = $1 AND r.ended_at IS NULL AND r.kind = ANY($2::text[])
    ORDER BY r.kind
"""


async def _followed(connection: Connection, row: Record, at: datetime) -> Followed:
    number = row["id"]
    legs = _legs(await connection.fetch(_STORIES, number))
    papers = await connection.fetch(
        """
        SELECT name, originals, copies FROM paper WHERE dossier = $1 ORDER BY position
        """,
        number,
    )
    checking = await connection.fetch(_CHECKING, number, [*FOUND])
    booked = any(leg.now.stage is Stage.BOOKED for leg in legs)
    code = await connection.fetchrow(_PICKUP, number, at) if booked else None
    wanted = await instructions.of_dossiers(
        connection, [number], at.astimezone(LOCAL).date()
    )
    under_way = [leg.waybill for leg in legs if leg.now.stage not in ENDED]
    wished = _wished(legs, wanted, number)
    wished_on = wished.slot.day if wished.slot else None
    days = {
        leg.waybill: wished_on
        for leg in legs
        if wished_on and instructions.way_of(leg.leg, leg.now)
    }
    agency = Party(PartyKind.AGENCY, row["agency"])
    office = Party(PartyKind.OFFICE, row["office"])
    parties = {agency, office} | ({wished.held_at} if wished.held_at else set())
    private = row["sensitive"]
    return Followed(
        token=row["token"],
        service=row["service"],
        agency=agency,
        office=office,
        names=await _named(parties | _places(legs)),
        at=at,
        procedure=None if private else Words(row["procedure"], row["procedure_en"]),
        in_person=row["in_person"],
        takes_back_old=row["takes_back_old"],
        code=row["code"],
        due_on=row["due_on"],
        initials=initials(row["owner"]),
        phone=mask(row["phone"]) if row["phone"] else "",
        papers=tuple(
            Paper("" if private else p["name"], p["originals"], p["copies"])
            for p in papers
        ),
        legs=legs,
        pickup=_pickup(code),
        checking=tuple(Kind(each["kind"]) for each in checking),
        expected=await expectations.expected(connection, under_way, at, days),
        hoped=await _hoped(connection, row, legs, at),
        tries=settings().DELIVERY_ATTEMPTS,
        hold_days=settings().HOLD_DAYS,
        wished_on=wished_on,
        wished=wished,
    )


async def _hoped(
    connection: Connection, row: Record, legs: Sequence[Stretch], at: datetime
) -> Expected | None:
    """Say when a result will come that the agency has promised for a day."""
    set_out = any(leg.leg in (Leg.RESULT, Leg.BRING_BACK) for leg in legs)
    if row["due_on"] is None or row["service"] == "send" or set_out:
        return None
    begins = max(row["due_on"], at.astimezone(LOCAL).date())
    agency = Party(PartyKind.AGENCY, row["agency"])
    office = Party(PartyKind.OFFICE, row["office"])
    return await expectations.expected_after(
        connection, Leg.RESULT, agency, office, begins
    )


async def _named(parties: set[Party]) -> dict[Party, Words]:
    known = await names(parties)
    return {party: Words(n.name, n.name_en) for party, n in known.items()}


def _legs(rows: Sequence[Record]) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(
            waybill=waybill,
            leg=Leg(lines[0]["leg"]),
            promised_on=lines[0]["promised_on"],
            fee=lines[0]["fee"],
            story=tuple(_happening(line) for line in lines),
        )
        for waybill, each in groupby(rows, lambda row: row["waybill"])
        if (lines := list(each))
    )


def _happening(row: Record) -> Happening:
    return Happening(
        event=event_of(row),
        flags=tuple(Kind(flag) for flag in row["flags"]),
        reason=Reason(row["reason"]) if row["reason"] else None,
        proof=row["proof"] or "",
        authorised=row["receiver"] == "authorised",
    )


def _places(legs: Sequence[Stretch]) -> set[Party]:
    """Gather every office and agency that a story speaks of."""
    events = [h.event for leg in legs for h in leg.story]
    parties = {p for e in events for p in (e.place, e.taker, e.towards) if p}
    return {p for p in parties if p.kind in (PartyKind.OFFICE, PartyKind.AGENCY)}


def _wished(
    legs: Sequence[Stretch], wanted: dict[tuple[int, Way], Instruction], dossier: int
) -> Wished:
    """Tell what the citizen wants of what comes next; a day that has passed is none."""
    ways = {instructions.way_of(leg.leg, leg.now) for leg in legs}
    coming = Way.DELIVERY in ways or not any(leg.homeward for leg in legs)
    if Way.PICKUP in ways:
        way = Way.PICKUP
    elif coming:
        way = Way.DELIVERY
    else:
        return Wished()
    found = wanted.get((dossier, way), instructions.NOTHING)
    # A day is kept for what is on its way: nobody knows when a result will be ready.
    slot = found.slot if way in ways else None
    return Wished(slot, found.hold_at, bool(found.address), bool(found.deputy_name))


def _pickup(code: Record | None) -> Pickup | None:
    if code is None:
        return None
    locked = code["wrong"] >= codes.TRIES
    return Pickup("" if locked else codes.digits(code["nonce"]))


def initials(name: str) -> str:
    """Write the first letters of a name only: ``N.V.A.``."""
    return "".join(f"{part[0].upper()}." for part in name.split() if part[0].isalpha())
