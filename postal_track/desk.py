"""An agency's desk: what comes, what lies there, what is due, what leaves.

Reads for officers, by the agencies they act for. What they say goes by
``handoffs.record`` and ``bookings.announce_result``; here stand only the faults of a
registration that a form can still mend.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from asyncpg import Connection, Record

from postal_track import clocks, expectations
from postal_track.boards import LOCAL, today
from postal_track.chronicle import IN_HAND
from postal_track.clock import Clock
from postal_track.custody import Leg, Party, PartyKind, Stage
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import (
    BadInput,
    ForeignCode,
    ForgedLabel,
    NotFound,
    Problem,
    UnknownWaybill,
)
from postal_track.estimates import Expected
from postal_track.labels import genuine, parse_code
from postal_track.orders import plain
from postal_track.promises import add_working_days
from postal_track.staff import Actor

LISTED = 200
"""Rows of one section; the heading tells how many there are in all."""

AT_THE_COUNTER = frozenset({Stage.OUT_FOR_DELIVERY, Stage.ATTEMPTED})
"""Where an item is that an agency may refuse: in front of it."""

LONGEST_WORK = timedelta(days=3 * 365)

_CODE = re.compile(r"\S(.{0,48}\S)?")


@dataclass(frozen=True, slots=True)
class Slip:
    """One dossier on the desk. ``waybill`` is of the item that the section is about.

    ``at`` is the unit whose desk it lies on, or comes to. ``suggested`` is the due date
    that the statutory time would give.
    ``late``: promised to us and not here, or due from us and not done.
    """

    dossier: int
    waybill: str
    leg: Leg | None
    token: str
    code: str
    agency: Party
    at: Party
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
    suggested: date | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The slips of one kind, those first that wait longest, and how many in all."""

    slips: list[Slip]
    total: int


class Tab(StrEnum):
    """The parts of a desk, what presses most first."""

    ARRIVING = "arriving"  # stands at the counter -> received, refused
    UNREGISTERED = "unregistered"  # received -> code and due date given
    WORK = "work"  # owed -> result announced
    LEAVING = "leaving"  # result ready -> the post has it
    RETURNING = "returning"  # found nobody -> taken back
    RECOVERED = "recovered"  # old papers coming back -> received
    COMING = "coming"  # on the way to us -> at the counter


@dataclass(frozen=True, slots=True)
class Stand:
    """Who stands at the counter for one of the units, and with what."""

    holder: Party
    at: Party
    since: datetime
    slips: list[Slip]


@dataclass(frozen=True, slots=True)
class Laid:
    """One part of a desk, and how much lies in the others.

    ``late`` counts what is late in each. ``focus`` is the item that was asked for; it
    stands first. ``clocks`` are by dossier, ``expected`` by waybill.
    """

    tab: Tab
    section: Section
    totals: dict[Tab, int]
    late: dict[Tab, int]
    focus: str
    clocks: dict[int, Clock]
    expected: dict[str, Expected]
    carriers: list[Party]
    names: dict[Party, Named]

    @property
    def stands(self) -> list[Stand]:
        """Group what waits at the counter by who brings it; who waits longest first."""
        found: dict[tuple[Party, Party], list[Slip]] = {}
        for slip in self.section.slips:
            if slip.holder is not None:
                found.setdefault((slip.holder, slip.at), []).append(slip)
        stands = [
            Stand(holder, at, min(s.since for s in slips if s.since), slips)
            for (holder, at), slips in found.items()
        ]
        focused = {s.waybill for s in self.section.slips if s.waybill == self.focus}
        return sorted(
            stands,
            key=lambda one: (
                not any(s.waybill in focused for s in one.slips),
                one.since,
            ),
        )


@dataclass(frozen=True, slots=True)
class Desk:
    """All of it. ``arriving`` stands at the counter and waits for our word.

    ``returning``: what went from us to a citizen and found nobody. ``recovered``: old
    papers that were taken back for us.
    """

    coming: Section
    arriving: Section
    unregistered: Section
    in_work: Section
    leaving: Section
    returning: Section
    recovered: Section


async def desk(actor: Actor) -> Desk:
    """Lay out the desk of an officer's agencies, all of it."""
    async with transaction() as connection:
        return Desk(
            coming=await _section(connection, actor, _COMING),
            arriving=await _section(connection, actor, _ARRIVING),
            unregistered=await _section(connection, actor, _UNREGISTERED),
            in_work=await _section(connection, actor, _IN_WORK),
            leaving=await _section(connection, actor, _LEAVING),
            returning=await _section(connection, actor, _RETURNING),
            recovered=await _section(connection, actor, _RECOVERED),
        )


async def section(actor: Actor, tab: Tab) -> Section:
    """Read one part of the desk."""
    async with transaction() as connection:
        return await _section(connection, actor, _KINDS[tab])


async def lay(
    actor: Actor,
    tab: Tab | None = None,
    focus: str = "",
    first: Sequence[Tab] = (),
) -> Laid:
    """Lay one part of the desk out: the wanted, else the first with anything in it.

    ``first``: the parts to look at before the others.
    """
    now = datetime.now(UTC)
    async with transaction() as connection:
        totals, late = {}, {}
        for each, kind in _KINDS.items():
            totals[each], late[each] = await _count(connection, actor, kind)
        chosen = tab or next((e for e in (*first, *Tab) if totals[e]), Tab.ARRIVING)
        found = await _section(connection, actor, _KINDS[chosen], focus)
        times, days, carriers = {}, {}, list[Party]()
        if chosen in _OWED:
            times = await clocks.of_dossiers(
                connection, [slip.dossier for slip in found.slips], now
            )
        if chosen in (Tab.COMING, Tab.RECOVERED):
            waybills = [slip.waybill for slip in found.slips]
            days = await expectations.expected(connection, waybills, now)
        if chosen is Tab.LEAVING:
            carriers = await _carriers(connection, actor)
    parties = {p for slip in found.slips for p in _parties(slip)} | set(carriers)
    return Laid(
        tab=chosen,
        section=found,
        totals=totals,
        late=late,
        focus=focus,
        clocks=times,
        expected=days,
        carriers=carriers,
        names=await names(parties | actor.places),
    )


_OWED = (Tab.UNREGISTERED, Tab.WORK)


async def locate(actor: Actor, text: str) -> tuple[Tab, str]:
    """Find where on the desk a scanned item lies; its part and its waybill.

    Raises the errors of ``labels.parse_code``, ``ForgedLabel``, and ``UnknownWaybill``
    for what is not on this desk.
    """
    code = parse_code(text)
    if code.kind == "bag":
        raise ForeignCode(text)
    if code.tag is not None and not genuine(code):
        raise ForgedLabel(code.waybill)
    async with transaction() as connection:
        waybill = await connection.fetchval(
            """
            SELECT i.waybill FROM label l JOIN item i ON i.id = l.item
            WHERE l.waybill = $1
            """,
            code.waybill,
        )
        for tab, kind in _KINDS.items():
            lies = await _section(connection, actor, kind, waybill or "", most=1)
            if lies.slips and lies.slips[0].waybill == waybill:
                return tab, str(waybill)
    raise UnknownWaybill(code.waybill)


async def _carriers(connection: Connection, actor: Actor) -> list[Party]:
    """List the carriers who may come for the results: of the offices that serve us."""
    rows = await connection.fetch(
        """
        SELECT s.id FROM staff s WHERE s.role = 'carrier' AND s.active AND s.office IN (
            SELECT office FROM agency WHERE id = ANY($1::int[])
            UNION SELECT d.office FROM item i JOIN dossier d ON d.id = i.dossier
            WHERE i.holder = ANY($2::text[]) AND i.stage = 'ready')
        ORDER BY s.name, s.id LIMIT $3
        """,
        _desk_agencies(actor),
        [str(place) for place in actor.desk],
        LISTED,
    )
    return [Party(PartyKind.STAFF, row["id"]) for row in rows]


_SLIPS = """
    WITH my AS (SELECT $1::int[] AS agencies, $2::text[] AS places, $3::date AS today)
    SELECT d.id AS dossier, d.token, d.agency, d.due_on, p.days,
        p.name AS procedure, p.name_en AS procedure_en, i.addressee, i.sender,
        coalesce((SELECT c.code FROM dossier_code c WHERE c.dossier = d.id
            ORDER BY c.source LIKE 'agency:%' DESC, c.id DESC LIMIT 1), '') AS code,
        i.waybill, i.leg, i.stage, i.holder, i.released_to, i.since, i.originals,
        i.copies, i.seal_no, i.fee, i.promised_on, coalesce({late}, false) AS late,
        count(*) OVER () AS total
    FROM my CROSS JOIN {source} JOIN procedure p ON p.id = d.procedure
    WHERE {rule} ORDER BY i.waybill = $4 DESC NULLS LAST, {order} LIMIT {most}
"""

_HOW_MANY = """
    WITH my AS (SELECT $1::int[] AS agencies, $2::text[] AS places, $3::date AS today)
    SELECT count(*) AS total, count(*) FILTER (WHERE {late}) AS late
    FROM my CROSS JOIN {source} WHERE {rule}
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
    f"{_TO_US} AND NOT {_OFFERED} AND i.leg <> 'old_papers'",
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


# Wherever they are: at the counter they are signed for like everything else.
_RECOVERED = _Kind(
    _ITEMS,
    f"{_TO_US} AND i.leg = 'old_papers'",
    "i.promised_on < my.today",
    "i.since, i.id",
)

_KINDS = {
    Tab.ARRIVING: _ARRIVING,
    Tab.UNREGISTERED: _UNREGISTERED,
    Tab.WORK: _IN_WORK,
    Tab.LEAVING: _LEAVING,
    Tab.RETURNING: _RETURNING,
    Tab.RECOVERED: _RECOVERED,
    Tab.COMING: _COMING,
}


async def _section(
    connection: Connection,
    actor: Actor,
    kind: _Kind,
    focus: str = "",
    most: int = LISTED,
) -> Section:
    statement = _SLIPS.format(
        source=kind.source, rule=kind.rule, late=kind.late, order=kind.order, most=most
    )
    rows = await connection.fetch(statement, *_mine(actor), focus)
    slips = [_slip(row, actor) for row in rows]
    return Section(slips, rows[0]["total"] if rows else 0)


async def _count(connection: Connection, actor: Actor, kind: _Kind) -> tuple[int, int]:
    statement = _HOW_MANY.format(source=kind.source, rule=kind.rule, late=kind.late)
    row = await connection.fetchrow(statement, *_mine(actor))
    return row["total"], row["late"]


def _mine(actor: Actor) -> tuple[list[int], list[str], date]:
    return _desk_agencies(actor), [str(place) for place in actor.desk], today()


def _desk_agencies(actor: Actor) -> list[int]:
    return [p.id for p in actor.desk if p.kind is PartyKind.AGENCY]


def _agencies(actor: Actor) -> list[int]:
    return [p.id for p in actor.places if p.kind is PartyKind.AGENCY]


def _unit(row: Record, actor: Actor) -> Party:
    """Say which of his units a slip concerns: of a transfer, the one it comes to."""
    for name in ("addressee", "sender"):
        if row[name] and (party := Party.parse(row[name])) in actor.places:
            return party
    return Party(PartyKind.AGENCY, row["agency"])


def _suggested(row: Record) -> date | None:
    if row["due_on"] or not row["days"] or row["since"] is None:
        return None
    return add_working_days(row["since"].astimezone(LOCAL).date(), row["days"])


def _slip(row: Record, actor: Actor) -> Slip:
    return Slip(
        dossier=row["dossier"],
        at=_unit(row, actor),
        suggested=_suggested(row),
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
    parties = {slip.agency, slip.at, slip.holder, slip.released_to}
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
