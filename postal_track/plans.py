"""Whose run an item is put on: by a clerk or supervisor, or taken by a carrier himself.

What lies at the counter is released to the carrier in the same act: it stays the
office's until he has scanned it. By default each carrier has his wards. Nothing
personal is shown here but the ward. Knows no HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from asyncpg import Connection, Record

from postal_track import planned, runs
from postal_track.addresses import Ward, wards
from postal_track.boards import today
from postal_track.chronicle import IN_HAND
from postal_track.custody import Leg, Party, PartyKind, Role, Stage, Step
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import BadInput, NotAllowed, NotFound, NotYourPlace, Problem
from postal_track.handoffs import Outcome, Scan, record
from postal_track.planned import Plan
from postal_track.runs import Do, Rounds
from postal_track.slots import Half
from postal_track.staff import Actor

PLANNERS = frozenset({Role.CLERK, Role.SUPERVISOR})
DEVICE = "page"
MOST_LISTED = 500
FARTHEST = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Line:
    """One item that somebody has to go for. ``staff``: on whose run it is.

    ``likely``: whose round its ward is. ``wished``: the citizen asked for that day.
    """

    item: int
    waybill: str
    do: Do
    leg: Leg
    stage: Stage
    to: Party
    ward: str
    half: Half | None
    on_day: date
    wished: bool
    promised_on: date | None
    late: bool
    attempts: int
    staff: int | None
    likely: int | None
    released: bool
    at_counter: bool


@dataclass(frozen=True, slots=True)
class Board:
    """What an office's carriers have to go for, and who goes where.

    ``held``: how many items each carrier has in hand.
    """

    office: int
    lines: list[Line]
    carriers: dict[int, str]
    held: dict[int, int]
    rounds: dict[str, int]
    wards: list[Ward]
    names: dict[Party, Named]

    @property
    def open(self) -> list[Line]:
        """List what is on nobody's run."""
        return [line for line in self.lines if line.staff is None]

    def of(self, carrier: int) -> list[Line]:
        """List what is on one carrier's run."""
        return [line for line in self.lines if line.staff == carrier]


def _office(actor: Actor, office: int | None) -> int:
    """Choose the office somebody plans for; a supervisor without one names it."""
    if actor.role not in PLANNERS:
        raise NotAllowed
    chosen = actor.office if office is None else office
    if chosen is None or actor.office not in (None, chosen):
        raise NotYourPlace
    return chosen


async def offices(actor: Actor) -> dict[int, str]:
    """Name the offices that somebody may plan for."""
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT id, name FROM office WHERE NOT hub AND ($1::int IS NULL OR id = $1)
            ORDER BY name
            """,
            actor.office,
        )
    return {row["id"]: row["name"] for row in rows}


async def board(actor: Actor, office: int | None = None) -> Board:
    """List what an office has to fetch and to bring, and whose run it is on."""
    number = _office(actor, office)
    day = today()
    async with transaction() as connection:
        if not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM office WHERE id = $1 AND NOT hub)", number
        ):
            raise NotFound
        rows = await _rows(connection, number)
        rounds = await Rounds.of(connection, number)
        agencies = await runs.agencies(connection, rows)
        lines = [_line(row, day, rounds, agencies) for row in rows]
        held = await connection.fetch(
            f"""
            SELECT s.id, count(*) AS items FROM staff s
            JOIN item i ON i.holder = 'staff:' || s.id AND {IN_HAND}
            WHERE s.office = $1 AND s.role = 'carrier' GROUP BY s.id
            """,  # noqa: S608 - a constant
            number,
        )
        codes = await _ward_codes(connection, number)
    parties = {line.to for line in lines} | {Party(PartyKind.OFFICE, number)}
    return Board(
        office=number,
        lines=lines,
        carriers=rounds.carriers,
        held={row["id"]: row["items"] for row in held},
        rounds=rounds.of_ward,
        wards=sorted(
            (wards()[code] for code in codes if code in wards()),
            key=lambda ward: ward.name,
        ),
        names=await names(parties),
    )


async def _rows(
    connection: Connection, office: int, waybills: Sequence[str] | None = None
) -> list[Record]:
    rows: list[Record] = await connection.fetch(
        f"""
        {runs.WORK}
        WHERE {IN_HAND} AND i.stage NOT IN ('held', 'missing') AND i.id = ANY(ARRAY(
            SELECT id FROM item WHERE stage = 'booked' AND bound_for = $1
            UNION SELECT id FROM item WHERE holder = $1 AND bag IS NULL AND {IN_HAND}
            UNION SELECT id FROM item WHERE released_to = $1 AND holder LIKE 'agency:%'
            UNION SELECT i.id FROM run_stop s JOIN item i ON i.id = s.item
                JOIN staff c ON c.id = s.staff
                WHERE c.office = $2 AND i.stage IN ('booked', 'ready')))
        AND ($3::text[] IS NULL OR i.waybill = ANY($3))
        ORDER BY i.promised_on NULLS LAST, i.id LIMIT {MOST_LISTED}
        """,  # noqa: S608 - constants
        f"office:{office}",
        office,
        waybills,
    )
    return rows


def _line(
    row: Record, day: date, rounds: Rounds, agencies: Mapping[int, Record]
) -> Line:
    do = runs.what_to_do(row)
    to = Party.parse(row["holder"] if do is Do.FETCH else row["addressee"])
    agency = agencies.get(to.id) if do in (Do.FETCH, Do.HAND_OVER) else None
    ward = agency["ward"] if agency else row["ward"] or ""
    half, on_day = runs.when(row, day)
    promised = runs.promised_to(row)
    whose = promised or row["planned"]
    return Line(
        item=row["id"],
        waybill=row["waybill"],
        do=do,
        leg=Leg(row["leg"]),
        stage=Stage(row["stage"]),
        to=to,
        ward=runs.ward_name(ward),
        half=half,
        on_day=on_day,
        wished=row["wished"] is not None and row["wished"] == on_day,
        promised_on=row["promised_on"],
        late=row["promised_on"] is not None and row["promised_on"] < day,
        attempts=row["attempts"],
        staff=whose if whose in rounds.carriers else None,
        likely=rounds.carrier(ward),
        released=promised is not None,
        at_counter=row["hold_at"] is not None,
    )


async def _ward_codes(connection: Connection, office: int) -> list[str]:
    """List the wards an office has to do with: its own, its rounds', its citizens'."""
    rows = await connection.fetch(
        """
        SELECT ward FROM office WHERE id = $1
        UNION SELECT ward FROM carrier_round WHERE office = $1
        UNION SELECT ward FROM agency WHERE office = $1
        UNION SELECT p.ward FROM dossier d JOIN person p ON p.dossier = d.id
            WHERE d.office = $1 AND d.created_at > now() - interval '60 days'
        """,
        office,
    )
    return [row["ward"] for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who is to go for these items, and when. ``rows``: waybill and the release's id.

    ``staff`` ``None``: whoever's round it is.
    """

    rows: Sequence[tuple[str, UUID]]
    staff: int | None
    on_day: date
    half: Half | None = None


async def assign(
    wanted: Wanted, actor: Actor, office: int | None = None
) -> tuple[int, list[Outcome]]:
    """Put items on a carrier's run: how many, and what became of the releases.

    What lies at the counter is released to him, if it is for today. Safe to repeat.
    Raises ``BadInput`` naming what cannot be.
    """
    number = _office(actor, office)
    day, now = today(), datetime.now(UTC)
    ids = dict(wanted.rows)
    async with transaction() as connection:
        rows = await _rows(connection, number, list(ids))
        rounds = await Rounds.of(connection, number)
        agencies = await runs.agencies(connection, rows)
        lines = [_line(row, day, rounds, agencies) for row in rows]
        _check(wanted, lines, rounds, day)
        chosen = [(line, wanted.staff or line.likely) for line in lines]
        put = [(line, staff) for line, staff in chosen if staff is not None]
        plans = [
            Plan(line.item, staff, wanted.on_day, wanted.half, actor.staff, now)
            for line, staff in put
        ]
        await planned.write(connection, plans)
    scans = [
        _release(line, staff, number, ids[line.waybill], actor, now)
        for line, staff in put
        if wanted.on_day <= day
        and line.do in (Do.DELIVER, Do.HAND_OVER)
        and not (line.released and line.staff == staff)
    ]
    return len(put), await record(scans)


def _check(wanted: Wanted, lines: Sequence[Line], rounds: Rounds, day: date) -> None:
    problems = []
    if wanted.staff is not None and wanted.staff not in rounds.carriers:
        problems.append(Problem("staff", "Choose a carrier.", "Hãy chọn bưu tá."))
    if wanted.staff is None and not any(line.likely for line in lines):
        problems.append(
            Problem(
                "staff",
                "None of these wards is in a round yet: choose a carrier.",
                "Chưa có tuyến cho các xã, phường này: hãy chọn bưu tá.",
            )
        )
    if not day <= wanted.on_day <= day + FARTHEST:
        problems.append(
            Problem(
                "on_day",
                "Choose a day from today on.",
                "Hãy chọn ngày từ hôm nay trở đi.",
            )
        )
    if not lines:
        problems.append(
            Problem("items", "Tick at least one item.", "Hãy chọn ít nhất một bưu gửi.")
        )
    if problems:
        raise BadInput(tuple(problems))


def _release(
    line: Line, staff: int, office: int, id: UUID, actor: Actor, now: datetime
) -> Scan:
    return Scan(
        id=id,
        code=line.waybill,
        step=Step.RELEASED,
        at=now,
        actor=actor,
        place=Party(PartyKind.OFFICE, office),
        to=Party(PartyKind.STAFF, staff),
        device=DEVICE,
    )


async def take(waybills: Sequence[str], actor: Actor) -> int:
    """Let a carrier take what is on nobody's run of his office; how many he got.

    What a colleague was quicker to take stays the colleague's.
    """
    if actor.role is not Role.CARRIER or actor.office is None:
        raise NotAllowed
    day, now = today(), datetime.now(UTC)
    async with transaction() as connection:
        # One after the other: of two who take the same, the second finds it taken.
        await connection.execute("SELECT pg_advisory_xact_lock(7206, $1)", actor.office)
        rows = await _rows(connection, actor.office, list(waybills))
        rounds = await Rounds.of(connection, actor.office)
        agencies = await runs.agencies(connection, rows)
        free = [
            line
            for line in (_line(row, day, rounds, agencies) for row in rows)
            if line.do in (Do.COLLECT, Do.FETCH)
            and (line.staff or line.likely or actor.staff) == actor.staff
        ]
        plans = [
            Plan(line.item, actor.staff, day, line.half, actor.staff, now)
            for line in free
        ]
        await planned.write(connection, plans)
    return len(plans)


async def set_rounds(
    chosen: Mapping[str, int | None], actor: Actor, office: int | None = None
) -> None:
    """Say which carrier goes to which ward; ``None``: nobody of his own accord."""
    number = _office(actor, office)
    async with transaction() as connection:
        rounds = await Rounds.of(connection, number)
        for ward, staff in sorted(chosen.items()):
            if ward not in wards() or (
                staff is not None and staff not in rounds.carriers
            ):
                why = Problem("rounds", "Choose a carrier.", "Hãy chọn bưu tá.")
                raise BadInput((why,))
            await connection.execute(
                "DELETE FROM carrier_round WHERE office = $1 AND ward = $2",
                number,
                ward,
            )
            if staff is not None:
                await connection.execute(
                    """
                    INSERT INTO carrier_round (office, ward, staff) VALUES ($1, $2, $3)
                    ON CONFLICT (office, ward) DO UPDATE SET staff = excluded.staff
                    """,
                    number,
                    ward,
                    staff,
                )
