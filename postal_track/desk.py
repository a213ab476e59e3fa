"""An agency's desk: what comes, what lies there, what is due, what leaves.

Reads for officers, by the agencies they act for. What they say goes by
``handoffs.record`` and ``bookings.announce_result``; here stand only the faults of a
registration that a form can still mend.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from asyncpg import Connection, Record

from postal_track.boards import LOCAL, today
from postal_track.chronicle import IN_HAND
from postal_track.custody import Leg, Party, PartyKind, Stage
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, NotFound, Problem
from postal_track.orders import plain
from postal_track.staff import Actor

LISTED = 200
"""Rows of one section; the heading tells how many there are in all."""

LONGEST_WORK = timedelta(days=3 * 365)

_CODE = re.compile(r"\S(.{0,48}\S)?")


@dataclass(frozen=True, slots=True)
class Slip:
    """One dossier on the desk. ``waybill`` is of the item that the section is about.

    ``late``: promised to us and not here, or due from us and not done.
    """

    waybill: str
    leg: Leg | None
    token: str
    code: str
    agency: Party
    procedure: tuple[str, str]
    stage: Stage | None
    holder: Party | None
    released_to: Party | None
    since: datetime | None
    originals: int | None
    copies: int | None
    seal_no: str
    fee: int
    promised_on: date | None
    due_on: date | None
    late: bool


@dataclass(frozen=True, slots=True)
class Section:
    """The slips of one kind, those first that wait longest, and how many in all."""

    slips: list[Slip]
    total: int


@dataclass(frozen=True, slots=True)
class Desk:
    """All of it. ``arriving`` stands at the counter and waits for our word.

    ``returning``: what went from us to a citizen and found nobody.
    """

    coming: Section
    arriving: Section
    unregistered: Section
    in_work: Section
    leaving: Section
    returning: Section
    names: dict[Party, Named]


async def desk(actor: Actor) -> Desk:
    """Lay out the desk of an officer's agencies."""
    async with transaction() as connection:
        coming = await _section(connection, actor, _COMING)
        arriving = await _section(connection, actor, _ARRIVING)
        unregistered = await _section(connection, actor, _UNREGISTERED)
        in_work = await _section(connection, actor, _IN_WORK)
        leaving = await _section(connection, actor, _LEAVING)
        returning = await _section(connection, actor, _RETURNING)
    sections = (coming, arriving, unregistered, in_work, leaving, returning)
    parties = {p for each in sections for slip in each.slips for p in _parties(slip)}
    return Desk(*sections, await names(parties | actor.places))


_SLIPS = """
    WITH my AS (SELECT $1::int[] AS agencies, $2::text[] AS places, $3::date AS today)
    SELECT d.token, d.agency, d.due_on, p.name AS procedure, p.name_en AS procedure_en,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code,
        i.waybill, i.leg, i.stage, i.holder, i.released_to, i.since, i.originals,
        i.copies, i.seal_no, i.fee, i.promised_on, coalesce({late}, false) AS late,
        count(*) OVER () AS total
    FROM my CROSS JOIN {source} JOIN procedure p ON p.id = d.procedure
    WHERE {rule} ORDER BY {order} LIMIT {most}
"""

_ITEMS = "item i JOIN dossier d ON d.id = i.dossier"
_DOSSIERS = """dossier d LEFT JOIN item i
    ON i.dossier = d.id AND i.leg = 'dossier' AND i.stage = 'received'"""

_TO_US = f"i.addressee = ANY(my.places) AND i.{IN_HAND}"
_OFFERED = """(i.stage IN ('out_for_delivery', 'attempted')
    OR coalesce(i.released_to, '') = ANY(my.places))"""
_OURS = "d.agency = ANY(my.agencies)"
_GIVEN = """(d.due_on IS NOT NULL AND EXISTS (SELECT FROM dossier_code c
    WHERE c.dossier = d.id AND c.source = 'agency:' || d.agency))"""
_NO_RESULT = """NOT EXISTS (SELECT FROM item r
    WHERE r.dossier = d.id AND r.leg = 'result' AND r.stage <> 'cancelled')"""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the slips of one section are found, what is late there, what comes first."""

    source: str
    rule: str
    late: str
    order: str


_COMING = _Kind(
    _ITEMS,
    f"{_TO_US} AND NOT {_OFFERED}",
    "i.promised_on < my.today",
    "i.promised_on, i.id",
)
_ARRIVING = _Kind(
    _ITEMS, f"{_TO_US} AND {_OFFERED}", "i.promised_on < my.today", "i.since, i.id"
)
_UNREGISTERED = _Kind(
    _DOSSIERS,
    f"{_OURS} AND i.id IS NOT NULL AND NOT {_GIVEN}",
    "false",
    "i.since, i.id",
)
# Who only has his result brought sends nothing by the post: no item, but work.
_IN_WORK = _Kind(
    _DOSSIERS,
    f"""{_OURS} AND d.service <> 'send' AND {_NO_RESULT}
        AND (d.service = 'receive' OR i.id IS NOT NULL AND {_GIVEN})""",
    "d.due_on < my.today",
    "d.due_on, d.id",
)
_LEAVING = _Kind(
    _ITEMS,
    "i.holder = ANY(my.places) AND i.stage = 'ready'",
    "i.promised_on < my.today",
    "i.since, i.id",
)


_RETURNING = _Kind(
    _ITEMS,
    f"""{_OURS} AND i.sender = ANY(my.places) AND i.addressee = 'citizen'
        AND i.stage IN ('in_transit', 'out_for_delivery', 'attempted')
        AND (i.attempts > 0 OR coalesce(i.released_to, '') = ANY(my.places)
            OR coalesce(i.bound_for, '') = ANY(my.places))""",
    "i.promised_on < my.today",
    "i.since, i.id",
)


async def _section(connection: Connection, actor: Actor, kind: _Kind) -> Section:
    statement = _SLIPS.format(
        source=kind.source,
        rule=kind.rule,
        late=kind.late,
        order=kind.order,
        most=LISTED,
    )
    agencies = [p.id for p in actor.desk if p.kind is PartyKind.AGENCY]
    places = [str(place) for place in actor.desk]
    rows = await connection.fetch(statement, agencies, places, today())
    return Section([_slip(row) for row in rows], rows[0]["total"] if rows else 0)


def _agencies(actor: Actor) -> list[int]:
    return [p.id for p in actor.places if p.kind is PartyKind.AGENCY]


def _slip(row: Record) -> Slip:
    return Slip(
        waybill=row["waybill"] or "",
        leg=Leg(row["leg"]) if row["leg"] else None,
        token=row["token"],
        code=row["code"],
        agency=Party(PartyKind.AGENCY, row["agency"]),
        procedure=(row["procedure"], row["procedure_en"]),
        stage=Stage(row["stage"]) if row["stage"] else None,
        holder=Party.parse(row["holder"]) if row["holder"] else None,
        released_to=Party.parse(row["released_to"]) if row["released_to"] else None,
        since=row["since"],
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"] or "",
        fee=row["fee"] or 0,
        promised_on=row["promised_on"],
        due_on=row["due_on"],
        late=row["late"],
    )


def _parties(slip: Slip) -> set[Party]:
    parties = {slip.agency, slip.holder, slip.released_to}
    return {party for party in parties if party is not None}


async def registrable(
    waybill: str, code: str, due_on: date | None, actor: Actor
) -> tuple[Party, str]:
    """Look a registration over before it is said; its agency, and the code as kept.

    Raises ``BadInput`` on ``code`` or ``due_on``: what the ledger holds is not taken
    back, and a code that another dossier has would stay with that one. ``NotFound`` for
    an item that was not sent to one of his agencies.
    """
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT d.id, d.agency, i.since FROM label l
            JOIN item i ON i.id = l.item JOIN dossier d ON d.id = i.dossier
            WHERE l.waybill = $1 AND i.leg = 'dossier' AND i.stage = 'received'
                AND d.agency = ANY($2::int[])
            """,
            plain(waybill),
            _agencies(actor),
        )
        if row is None:
            raise NotFound
        said = plain(code)
        taken = await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM dossier_code
                WHERE source = 'agency:' || $1::int AND code = $2 AND dossier <> $3)
            """,
            row["agency"],
            said,
            row["id"],
        )
    problems = [*code_faults(said, taken=taken), *due_faults(due_on, row["since"])]
    if problems:
        raise BadInput(tuple(problems))
    return Party(PartyKind.AGENCY, row["agency"]), said


def code_faults(code: str, *, taken: bool) -> list[Problem]:
    """Say what is wrong with a dossier code. ``taken``: another dossier has it."""
    if not _CODE.fullmatch(code):
        return [
            Problem(
                "code",
                "Give the dossier code: 1 to 50 characters.",
                "Hãy ghi mã hồ sơ, từ 1 đến 50 ký tự.",
            )
        ]
    if taken:
        return [
            Problem(
                "code",
                "Another dossier of your agency has this code.",
                "Mã này đã cấp cho hồ sơ khác của cơ quan.",
            )
        ]
    return []


def due_faults(due_on: date | None, since: datetime) -> list[Problem]:
    """Say what is wrong with a due date of what was received ``since`` then."""
    received = since.astimezone(LOCAL).date()
    if due_on is None:
        return [Problem("due_on", "Give the due date.", "Hãy ghi ngày hẹn trả.")]
    if not received <= due_on <= received + LONGEST_WORK:
        return [
            Problem(
                "due_on",
                "The due date lies before the receipt, or years ahead.",
                "Ngày hẹn trả trước ngày nhận hồ sơ hoặc quá xa.",
            )
        ]
    return []
