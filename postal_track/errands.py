"""What an agency asks the post to carry besides results: each errand is a leg.

Papers that go back, papers that are still wanted, a transfer to another agency, the
appointment slip. Every errand has the sender's id: twice is once. Needs the agency's
own officer; what is under way lives under the same law of custody as every item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import codes, legs, outgoing, promises
from postal_track.chronicle import IN_HAND
from postal_track.custody import (
    CITIZEN,
    UNACCEPTED,
    Leg,
    Party,
    PartyKind,
    Reason,
    Role,
)
from postal_track.database import transaction
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    PostalTrackError,
    Problem,
)
from postal_track.legs import Birth
from postal_track.orders import MOST_OF_ONE_PAPER, plain
from postal_track.staff import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What an agency wants carried. ``id`` is the sender's; ``token`` the dossier's.

    ``reason``: why papers go back. ``until``: by when a supplement is wanted. ``to``:
    the code of the agency a dossier is transferred to.
    """

    id: UUID
    token: str
    leg: Leg
    originals: int
    copies: int
    reason: Reason | None = None
    until: date | None = None
    to: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A dossier that lies with an agency, as whoever sends an errand about it needs it.

    ``waybill`` is of the papers that were received, with their counts.
    """

    token: str
    agency: Party
    code: str
    waybill: str
    procedure: tuple[str, str]
    originals: int | None
    copies: int | None
    under_way: tuple[tuple[Leg, str], ...]


async def case(token: str, actor: Actor) -> Case:
    """Look a dossier up at its own agency's desk; else ``NotFound``."""
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT d.id, d.agency, p.name, p.name_en, i.waybill, i.originals, i.copies,
                coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
                    ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '')
                    AS code
            FROM dossier d JOIN procedure p ON p.id = d.procedure
            LEFT JOIN item i ON i.dossier = d.id AND i.leg = 'dossier'
                AND i.stage = 'received'
            WHERE d.token = $1
            """,
            plain(token),
        )
        if row is None or _agency(row["agency"]) not in actor.places:
            raise NotFound
        under_way = await connection.fetch(
            f"""
            SELECT leg, waybill FROM item WHERE dossier = $1 AND {IN_HAND} ORDER BY id
            """,  # noqa: S608 - a constant
            row["id"],
        )
    return Case(
        token=plain(token),
        agency=_agency(row["agency"]),
        code=row["code"],
        waybill=row["waybill"] or "",
        procedure=(row["name"], row["name_en"]),
        originals=row["originals"],
        copies=row["copies"],
        under_way=tuple((Leg(each["leg"]), each["waybill"]) for each in under_way),
    )


async def send(errand: Errand, actor: Actor) -> str:
    """Open the leg that an errand is; its waybill.

    Raises ``BadInput`` for what is missing, ``NotFound`` for a dossier that is not this
    agency's, ``Conflict`` when such a leg is under way already.
    """
    (waybill,) = await send_all([errand], actor)
    return waybill


async def send_all(errands: Sequence[Errand], actor: Actor) -> list[str]:
    """Open the legs of many errands, or of none; their waybills in the same order."""
    told = await send_each(errands, actor)
    for each in told:
        if each.error is not None:
            raise each.error
    return [each.waybill for each in told]


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one errand: its waybill, or why there is none.

    Neither: it was in order, but another was not and nothing was written.
    """

    token: str
    waybill: str = ""
    error: PostalTrackError | None = None


async def send_each(
    errands: Sequence[Errand], actor: Actor, *, partly: bool = False
) -> list[Sent]:
    """Open the legs of many errands; what became of each, in the same order.

    All or none, unless ``partly``: then those that are in order go ahead. Safe to
    repeat either way.
    """
    if actor.role is not Role.OFFICER:
        raise NotAllowed
    faults = {errand.id: _fault(errand) for errand in errands}
    told: list[int] = []
    waybills: dict[UUID, str] = {}
    births: dict[UUID, Birth] = {}
    async with transaction() as connection:
        # In one order for everybody, so that two lists do not wait in a circle.
        for errand in sorted(errands, key=lambda one: one.token):
            try:
                before, birth = await _look(connection, errand, actor)
            except (BadInput, Conflict, NotFound) as fault:
                faults[errand.id] = faults[errand.id] or fault
                continue
            if before:
                waybills[errand.id] = before
            elif birth is not None and not faults[errand.id]:
                births[errand.id] = birth
        if partly or not any(faults.values()):
            for id_, birth in births.items():
                waybills[id_], texts = await _open(connection, birth)
                told += texts
    await outgoing.poke(told)
    return [
        Sent(
            errand.token,
            "" if faults[errand.id] else waybills.get(errand.id, ""),
            faults[errand.id],
        )
        for errand in errands
    ]


def _fault(errand: Errand) -> PostalTrackError | None:
    try:
        _check(errand)
    except BadInput as fault:
        return fault
    return None


def _check(errand: Errand) -> None:
    problems = []
    counted = errand.originals + errand.copies
    if min(errand.originals, errand.copies) < 0 or not 0 < counted <= MOST_OF_ONE_PAPER:
        problems.append(
            Problem(
                "originals",
                "Count the papers: at least one.",
                "Hãy ghi số giấy tờ, ít nhất một.",
            )
        )
    if errand.leg is Leg.BRING_BACK and errand.reason not in UNACCEPTED:
        problems.append(
            Problem("reason", "Say why they go back.", "Hãy chọn lý do trả lại.")
        )
    if errand.leg is Leg.SUPPLEMENT and errand.until is None:
        problems.append(Problem("until", "Say by when.", "Hãy ghi thời hạn bổ sung."))
    if errand.leg not in ERRANDS:
        problems.append(
            Problem("leg", "Choose an errand.", "Hãy chọn việc cần chuyển.")
        )
    if problems:
        raise BadInput(tuple(problems))


ERRANDS = (Leg.BRING_BACK, Leg.SUPPLEMENT, Leg.SLIP, Leg.TRANSFER)
"""What an agency may ask for, the most usual first."""


async def _look(
    connection: Connection, errand: Errand, actor: Actor
) -> tuple[str, Birth | None]:
    """Find what this errand became before, or what is to be born of it.

    Locks the dossier. Raises ``NotFound``, ``Conflict`` and ``BadInput``.
    """
    dossier = await connection.fetchrow(
        "SELECT id, agency, office FROM dossier WHERE token = $1 FOR UPDATE",
        errand.token,
    )
    # Another agency's dossier is as good as none.
    if dossier is None or _agency(dossier["agency"]) not in actor.places:
        raise NotFound
    before = await connection.fetchrow(
        """
        SELECT i.waybill, e.id FROM item i JOIN event e ON e.item = i.id AND e.seq = 1
        WHERE i.dossier = $1 AND i.leg = $2 AND (e.id = $3 OR i.stage NOT IN
            ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost'))
        """,
        dossier["id"],
        errand.leg.value,
        errand.id,
    )
    if before is not None and before["id"] == errand.id:
        return str(before["waybill"]), None
    if before is not None:
        raise Conflict(
            why=f"such papers are under way as {before['waybill']}",
            why_vi=f"giấy tờ loại này đang được chuyển, mã {before['waybill']}",
        )
    return "", await _birth(connection, errand, actor, dossier)


async def _open(connection: Connection, birth: Birth) -> tuple[str, list[int]]:
    chain = await legs.bear(connection, birth)
    if birth.holder == CITIZEN:
        until = birth.at + timedelta(days=365)
        await codes.make(connection, [chain.id], "pickup", birth.at, until)
    return chain.waybill, await legs.announce(connection, chain, birth)


async def _birth(
    connection: Connection, errand: Errand, actor: Actor, dossier: Record
) -> Birth:
    now = datetime.now(UTC)
    agency = _agency(dossier["agency"])
    office = Party(PartyKind.OFFICE, dossier["office"])
    fetched = errand.leg is Leg.SUPPLEMENT
    addressee = CITIZEN
    if fetched:
        addressee = agency
    elif errand.leg is Leg.TRANSFER:
        addressee = await _other(connection, errand.to, agency)
    return Birth(
        id=errand.id,
        dossier=dossier["id"],
        leg=errand.leg,
        by=actor.party,
        # A booking is to be collected by the citizen's office.
        place=office if fetched else agency,
        holder=CITIZEN if fetched else agency,
        addressee=addressee,
        at=now,
        originals=errand.originals,
        copies=errand.copies,
        promised_on=errand.until or promises.promise("result", now),
        release_to=None if fetched else office,
        reason=errand.reason,
    )


def _agency(number: int) -> Party:
    return Party(PartyKind.AGENCY, number)


async def _other(connection: Connection, code: str, own: Party) -> Party:
    number = await connection.fetchval("SELECT id FROM agency WHERE code = $1", code)
    if number is None or _agency(number) == own:
        raise BadInput(
            (
                Problem(
                    "to", "Choose another agency.", "Hãy chọn cơ quan khác để chuyển."
                ),
            )
        )
    return _agency(number)
