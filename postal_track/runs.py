"""A carrier's run: where he has to go today, for what, and in which order.

Read from custody and plans: what he holds for somebody, what is booked in his round,
what an agency has ready, what was put on his run. The order is kept once it was looked
at, so that it does not change under his thumb. Showing it is a reading of personal
data, noted once a day for each dossier. Knows no HTTP and no words.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache

from asyncpg import Connection, Record

from postal_track import readings, routing
from postal_track.addresses import wards
from postal_track.boards import midnight, today
from postal_track.charges import OPEN_AT_DOOR
from postal_track.chronicle import IN_HAND
from postal_track.custody import (
    CITIZEN,
    FROM_CITIZEN,
    Leg,
    Party,
    PartyKind,
    Role,
    Stage,
    Step,
)
from postal_track.database import transaction
from postal_track.directory import Named, names
from postal_track.errors import NotAllowed, NotFound
from postal_track.places import Place, distance_m
from postal_track.routing import Part
from postal_track.slots import Half
from postal_track.staff import Actor

MOST_STOPS = 300
READ_FOR = "run"


class Do(StrEnum):
    """What is to be done with an item at a stop."""

    COLLECT = "collect"  # a citizen's papers
    FETCH = "fetch"  # what an agency has ready
    DELIVER = "deliver"  # to a citizen
    HAND_OVER = "hand_over"  # to an agency


@dataclass(frozen=True, slots=True)
class Paper:
    """One line of the list that is counted at the door."""

    name: str
    originals: int
    copies: int


@dataclass(frozen=True, slots=True)
class Task:
    """One item of a stop. ``here``: in his hands; else it is still to be fetched.

    ``fee``: VND to collect. ``released``: the agency was told that it may take it.
    """

    item: int
    waybill: str
    dossier: int
    leg: Leg
    do: Do
    stage: Stage
    here: bool
    released: bool
    originals: int | None
    copies: int | None
    seal_no: str | None
    fee: int
    in_person: bool
    takes_back_old: bool
    attempts: int
    promised_on: date | None
    late: bool
    papers: tuple[Paper, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it is on its way to the addressee, so that it can be handed over."""
        return self.stage in (Stage.OUT_FOR_DELIVERY, Stage.ATTEMPTED)


@dataclass(slots=True)
class Stop:
    """One door. ``key`` tells nobody: a waybill, or an agency's number.

    ``rough``: the position is no better than the centre of the ward. ``metres``: from
    the stop before.
    """

    key: str
    name: tuple[str, str]
    phone: str
    address: str
    ward: str
    place: Place | None
    rough: bool
    half: Half | None
    agency: int | None = None
    deputy: tuple[str, str] | None = None  # name and number of who may receive it
    tasks: list[Task] = field(default_factory=list)
    skipped: bool = False
    metres: float | None = None

    @property
    def fee(self) -> int:
        """What is to be collected here, in VND."""
        return sum(task.fee for task in self.tasks)

    @property
    def part(self) -> Part:
        """When in the day somebody is there."""
        if self.half is None:
            return Part.ANY
        return Part.MORNING if self.half is Half.MORNING else Part.AFTERNOON


@dataclass(frozen=True, slots=True)
class Free:
    """What nobody of the office was given yet: anyone may take it. Nothing personal."""

    waybill: str
    do: Do
    ward: str
    agency: int | None
    half: Half | None
    promised_on: date | None


@dataclass(frozen=True, slots=True)
class Done:
    """One thing done today."""

    waybill: str
    step: Step
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """A day's work. ``indoors``: what is in hand and goes back to the counter.

    ``later``: how many of his were put off to another day.
    """

    day: date
    made_at: datetime
    stops: list[Stop]
    indoors: list[Task]
    free: list[Free]
    later: int
    done: list[Done]
    names: dict[Party, Named]

    @property
    def fee(self) -> int:
        """What is to be collected on the whole run, in VND."""
        return sum(stop.fee for stop in self.stops)

    @property
    def metres(self) -> float:
        """How long the way is, as the crow flies from stop to stop."""
        return sum(stop.metres or 0 for stop in self.stops)


async def run(actor: Actor, start: Place | None = None) -> Run:
    """Tell a carrier's run of today, ordered from where he is or from his office.

    With ``start`` it is ordered anew; else as it was, with what is new where it
    lengthens the way least.
    """
    if actor.role is not Role.CARRIER:
        raise NotAllowed
    day = today()
    async with transaction() as connection:
        found = await _gather(connection, actor, day)
        kept = await _order_of(connection, actor, day)
        order = [] if start else kept[0]
        await _put_in_order(found.stops, order, kept[1], start or actor.location)
        await _keep_order(connection, actor, day, found.stops)
        done = await _done(connection, actor, day)
        await readings.note_today(actor, found.read, READ_FOR)
    parties = {Party(PartyKind.AGENCY, f.agency) for f in found.free if f.agency}
    return Run(
        day=day,
        made_at=datetime.now(UTC),
        stops=found.stops[:MOST_STOPS],
        indoors=found.indoors,
        free=found.free,
        later=found.later,
        done=done,
        names=await names(parties | {actor.party}),
    )


# Gathering


@dataclass(slots=True)
class _Found:
    """What was gathered, before it is put in order."""

    stops: list[Stop] = field(default_factory=list)
    indoors: list[Task] = field(default_factory=list)
    free: list[Free] = field(default_factory=list)
    later: int = 0
    read: set[int] = field(default_factory=set)


_FROM_CITIZEN = ", ".join(f"'{leg.value}'" for leg in sorted(FROM_CITIZEN))

WORK = f"""
    SELECT i.id, i.waybill, i.dossier, i.leg, i.stage, i.holder, i.released_to,
        i.next_on, i.last_at, i.addressee, i.originals, i.copies, i.seal_no,
        i.attempts, i.promised_on,
        {OPEN_AT_DOOR} AS fee, p.in_person, p.takes_back_old,
        s.staff AS planned, s.on_day, s.slot, s.at AS planned_at,
        n.day AS wished, n.half, n.set_at, n.hold_at, n.deputy_name, n.deputy_phone,
        q.name, q.phone,
        CASE WHEN n.address <> '' THEN n.address ELSE q.address END AS address,
        CASE WHEN n.address <> '' THEN n.ward ELSE q.ward END AS ward,
        CASE WHEN n.address <> '' THEN n.lat ELSE q.lat END AS lat,
        CASE WHEN n.address <> '' THEN n.lon ELSE q.lon END AS lon,
        CASE WHEN n.address <> '' THEN n.position_source ELSE q.position_source END
            AS position_source
    FROM item i JOIN dossier d ON d.id = i.dossier
    JOIN procedure p ON p.id = d.procedure
    LEFT JOIN run_stop s ON s.item = i.id
    LEFT JOIN instruction n ON n.dossier = i.dossier
        AND n.way = CASE WHEN i.leg IN ({_FROM_CITIZEN}) THEN 'pickup'
            ELSE 'delivery' END
    LEFT JOIN LATERAL (
        SELECT * FROM person WHERE dossier = i.dossier
            AND part = ANY(CASE WHEN i.leg IN ({_FROM_CITIZEN})
                THEN ARRAY['filer', 'owner'] ELSE ARRAY['recipient', 'owner'] END)
        ORDER BY part = 'owner' LIMIT 1
    ) q ON true
"""  # noqa: S608 - constants


async def _gather(connection: Connection, actor: Actor, day: date) -> _Found:
    me, office = str(actor.party), str(actor.place)
    rows = await connection.fetch(
        f"""
        {WORK}
        WHERE {IN_HAND} AND i.id = ANY(ARRAY(
            SELECT id FROM item WHERE holder = $1 AND {IN_HAND}
            UNION SELECT id FROM item WHERE released_to = $1
            UNION SELECT id FROM item WHERE released_to = $2 AND holder LIKE 'agency:%'
            UNION SELECT id FROM item WHERE stage = 'booked'
                AND bound_for = ANY(ARRAY[$1, $2])
            UNION SELECT item FROM run_stop WHERE staff = $3))
        ORDER BY i.id
        """,  # noqa: S608 - constants
        me,
        office,
        actor.staff,
    )
    rounds = await Rounds.of(connection, actor.office)
    known = await agencies(connection, rows)
    papers = await _papers(connection, [r["dossier"] for r in rows if _booked(r)])
    found, doors = _Found(), dict[str, Stop]()
    for row in rows:
        _sort(row, actor, day, rounds, known, papers, found, doors)
    found.stops = list(doors.values())
    for stop in found.stops:
        if stop.agency is None:
            found.read |= {task.dossier for task in stop.tasks}
    return found


def _booked(row: Record) -> bool:
    return bool(row["stage"] == Stage.BOOKED)


def _sort(
    row: Record,
    actor: Actor,
    day: date,
    rounds: "Rounds",
    known: dict[int, Record],
    papers: dict[int, list[Paper]],
    found: _Found,
    doors: dict[str, Stop],
) -> None:
    """Put one item where it belongs: at a door, at the counter, on another day."""
    do = what_to_do(row)
    here = row["holder"] == str(actor.party)
    party = Party.parse(row["holder"] if do is Do.FETCH else row["addressee"])
    agency = known.get(party.id) if do in (Do.FETCH, Do.HAND_OVER) else None
    ward = agency["ward"] if agency else row["ward"] or ""
    whose = actor.staff if here else promised_to(row) or row["planned"]
    if whose is None:
        whose = rounds.carrier(ward)
    half, on = when(row, day)
    task = _task(row, do, here, day, papers.get(row["dossier"], []))
    if whose is None:
        number = party.id if agency else None
        found.free.append(
            Free(task.waybill, do, ward_name(ward), number, half, task.promised_on)
        )
    elif whose != actor.staff and not here:
        return
    elif not _goes_out(row, task, actor):
        if here:
            found.indoors.append(task)
    elif on > day:
        found.later += 1
    else:
        _at_the_door(row, task, agency, half, doors)


def promised_to(row: Record) -> int | None:
    """Say to which member of staff an item was released: that is more than a plan."""
    party = Party.parse(row["released_to"]) if row["released_to"] else None
    return party.id if party and party.kind is PartyKind.STAFF else None


def what_to_do(row: Record) -> Do:
    """Say what is to be done with an item, by who has it and whom it goes to."""
    if _booked(row):
        return Do.COLLECT
    if row["holder"].startswith(PartyKind.AGENCY):
        return Do.FETCH
    return Do.DELIVER if row["addressee"] == str(CITIZEN) else Do.HAND_OVER


def _goes_out(row: Record, task: Task, actor: Actor) -> bool:
    """Whether it is carried to a door now, not back to a counter."""
    if task.do in (Do.COLLECT, Do.FETCH):
        return True
    if row["hold_at"] is not None or row["stage"] == Stage.MISSING:
        return False
    asked: bool = row["planned"] == actor.staff or row["released_to"] == str(
        actor.party
    )
    if not task.here:
        return asked
    return task.ready and not _tried_enough(row)


def _tried_enough(row: Record) -> bool:
    """Whether it was tried as often as it is: it waits at the counter from now on."""
    again = row["planned_at"] is not None and row["planned_at"] > row["last_at"]
    spent = row["stage"] == Stage.ATTEMPTED and row["next_on"] is None
    return bool(spent and row["addressee"] == str(CITIZEN) and not again)


def when(row: Record, day: date) -> tuple[Half | None, date]:
    """Say in which half of which day: by whatever was said last of it.

    The plan, the citizen's wish, or the day that a vain attempt named.
    """
    half = Half(row["half"]) if row["half"] else None
    wished = row["wished"] if row["wished"] and row["wished"] >= day else None
    named = row["next_on"] if row["next_on"] and row["next_on"] >= day else None
    if row["on_day"] is None:
        return (half if wished else None), wished or named or day
    if wished is not None and row["set_at"] > row["planned_at"]:
        return half, wished
    if named is not None and row["last_at"] > row["planned_at"]:
        return (half if wished == named else None), named
    slot = Half(row["slot"]) if row["slot"] != "any" else None
    return slot or (half if wished == row["on_day"] else None), row["on_day"]


def _task(row: Record, do: Do, here: bool, day: date, papers: list[Paper]) -> Task:
    promised_on = row["promised_on"]
    released = Party.parse(row["released_to"]) if row["released_to"] else None
    return Task(
        item=row["id"],
        waybill=row["waybill"],
        dossier=row["dossier"],
        leg=Leg(row["leg"]),
        do=do,
        stage=Stage(row["stage"]),
        here=here,
        released=here and released is not None,
        originals=row["originals"],
        copies=row["copies"],
        seal_no=row["seal_no"],
        fee=row["fee"] if do in (Do.DELIVER, Do.COLLECT) else 0,
        in_person=row["in_person"] and do is Do.DELIVER,
        takes_back_old=row["takes_back_old"] and row["leg"] == Leg.RESULT,
        attempts=row["attempts"],
        promised_on=promised_on,
        late=promised_on is not None and promised_on < day,
        papers=tuple(papers) if row["leg"] == Leg.DOSSIER and do is Do.COLLECT else (),
    )


def _at_the_door(
    row: Record,
    task: Task,
    agency: Record | None,
    half: Half | None,
    doors: dict[str, Stop],
) -> None:
    """Add an item to the stop of its door; what goes to one door is one stop."""
    if agency is not None:
        key = f"agency:{agency['id']}"
        name = (agency["name"], agency["name_en"])
        stop = doors.setdefault(
            key,
            Stop(
                key=key,
                name=name,
                phone="",
                address="",
                ward=ward_name(agency["ward"]),
                place=Place(agency["lat"], agency["lon"]),
                rough=False,
                half=None,
                agency=agency["id"],
            ),
        )
        stop.tasks.append(task)
        return
    address = row["address"] or ""
    door = f"{row['phone']} {address.lower()}" if row["name"] else row["waybill"]
    if door not in doors:
        doors[door] = Stop(
            key=row["waybill"],
            name=(row["name"] or "", row["name"] or ""),
            phone=row["phone"] or "",
            address=address,
            ward=ward_name(row["ward"] or ""),
            place=Place(row["lat"], row["lon"]) if row["lat"] is not None else None,
            rough=row["position_source"] != "nominatim",
            half=half,
        )
    stop = doors[door]
    stop.half = stop.half or half
    if row["deputy_name"]:
        stop.deputy = (row["deputy_name"], row["deputy_phone"])
    stop.tasks.append(task)


def ward_name(code: str) -> str:
    """Name a ward; empty for none."""
    ward = wards().get(code)
    return ward.name if ward else ""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Which carrier of an office goes to which ward."""

    carriers: dict[int, str]
    of_ward: dict[str, int]

    @classmethod
    async def of(cls, connection: Connection, office: int | None) -> "Rounds":
        """Read the rounds of an office, and who carries there."""
        carriers = await connection.fetch(
            """
            SELECT id, name FROM staff WHERE office = $1 AND role = 'carrier' AND active
            ORDER BY name, id
            """,
            office,
        )
        rows = await connection.fetch(
            "SELECT ward, staff FROM carrier_round WHERE office = $1", office
        )
        at_work = {row["id"]: row["name"] for row in carriers}
        wards_ = {r["ward"]: r["staff"] for r in rows if r["staff"] in at_work}
        return cls(at_work, wards_)

    def carrier(self, ward: str) -> int | None:
        """Say who goes to a ward; where one carries alone, it is he."""
        if len(self.carriers) == 1:
            return next(iter(self.carriers))
        return self.of_ward.get(ward)


async def agencies(connection: Connection, rows: Iterable[Record]) -> dict[int, Record]:
    """Read the agencies that items are at or go to, by their numbers."""
    parties = {
        Party.parse(row[name]) for row in rows for name in ("holder", "addressee")
    }
    numbers = [p.id for p in parties if p.kind is PartyKind.AGENCY]
    found = await connection.fetch(
        "SELECT * FROM agency WHERE id = ANY($1::int[])", numbers
    )
    return {row["id"]: row for row in found}


async def _papers(
    connection: Connection, dossiers: Sequence[int]
) -> dict[int, list[Paper]]:
    rows = await connection.fetch(
        """
        SELECT dossier, name, originals, copies FROM paper
        WHERE dossier = ANY($1::bigint[]) ORDER BY dossier, position
        """,
        dossiers,
    )
    lists: dict[int, list[Paper]] = {}
    for row in rows:
        line = Paper(row["name"], row["originals"], row["copies"])
        lists.setdefault(row["dossier"], []).append(line)
    return lists


async def _done(connection: Connection, actor: Actor, day: date) -> list[Done]:
    rows = await connection.fetch(
        """
        SELECT i.waybill, e.step, e.reason, e.at
        FROM event e JOIN item i ON i.id = e.item
        WHERE e.by = $1 AND e.recorded_at >= $2 AND e.at >= $2 AND e.step IN
            ('accepted', 'delivered', 'attempted', 'pickup_failed')
            AND NOT EXISTS (SELECT FROM event c WHERE c.corrects = e.id)
        ORDER BY e.at DESC LIMIT 500
        """,
        str(actor.party),
        midnight(day),
    )
    return [Done(r["waybill"], Step(r["step"]), r["reason"], r["at"]) for r in rows]


# The order


@lru_cache(maxsize=100_000)
def _metres(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    return distance_m(Place(lat, lon), Place(other_lat, other_lon))


def metres(a: Place, b: Place) -> float:
    """Measure along the ellipsoid, once for each pair: a day's doors come again."""
    if (b.lat, b.lon) < (a.lat, a.lon):
        a, b = b, a
    return _metres(a.lat, a.lon, b.lat, b.lon)


async def _put_in_order(
    stops: list[Stop], keys: Sequence[str], skipped: Sequence[str], start: Place | None
) -> None:
    """Sort stops as in ``keys``, new ones between them, skipped ones last."""
    known = {key: at for at, key in enumerate(keys)}
    late = {key: at for at, key in enumerate(skipped)}
    stops.sort(key=lambda stop: (known.get(stop.key, len(known)), stop.key))
    for stop in stops:
        stop.skipped = stop.key in late
    ahead = [stop for stop in stops if not stop.skipped]
    nowhere = [stop for stop in ahead if stop.place is None]
    placed = [stop for stop in ahead if stop.place is not None]
    if any(stop.key not in known for stop in placed):
        placed = await asyncio.to_thread(_routed, placed, known, start)
    behind = sorted((s for s in stops if s.skipped), key=lambda stop: late[stop.key])
    stops[:] = [*placed, *nowhere, *behind]
    here = start
    for stop in stops:
        if stop.place is not None:
            stop.metres = metres(here, stop.place) if here else None
            here = stop.place


def _routed(
    stops: list[Stop], known: dict[str, int], start: Place | None
) -> list[Stop]:
    first = start or stops[0].place
    points = [first, *(stop.place for stop in stops)]
    table = [[metres(a, b) if a and b else 0.0 for a in points] for b in points]
    parts = [Part.ANY, *(stop.part for stop in stops)]
    old = [at for at, stop in enumerate(stops, 1) if stop.key in known]
    if old:
        new = [at for at, stop in enumerate(stops, 1) if stop.key not in known]
        order = routing.insert(old, new, table, parts)
    else:
        order = routing.route(table, parts)
    return [stops[at - 1] for at in order]


async def _order_of(
    connection: Connection, actor: Actor, day: date
) -> tuple[list[str], list[str]]:
    row = await connection.fetchrow(
        "SELECT keys, skipped FROM run_order WHERE staff = $1 AND on_day = $2",
        actor.staff,
        day,
    )
    return (row["keys"], row["skipped"]) if row else ([], [])


async def _keep_order(
    connection: Connection, actor: Actor, day: date, stops: Sequence[Stop]
) -> None:
    """Keep the order, if it is another than before."""
    if not stops:
        return
    await connection.execute(
        """
        INSERT INTO run_order (staff, on_day, keys, skipped, made_at)
        VALUES ($1, $2, $3, $4, now())
        ON CONFLICT (staff, on_day) DO UPDATE SET keys = excluded.keys,
            skipped = excluded.skipped, made_at = now()
        WHERE (run_order.keys, run_order.skipped) IS DISTINCT FROM
            (excluded.keys, excluded.skipped)
        """,
        actor.staff,
        day,
        [stop.key for stop in stops if not stop.skipped],
        [stop.key for stop in stops if stop.skipped],
    )


async def reorder(actor: Actor, keys: Sequence[str]) -> Run:
    """Go in this order; what is not named follows as it was."""
    return await _rearrange(actor, lambda order: _first(order, keys))


async def move(actor: Actor, key: str, by: int) -> Run:
    """Go to a stop so many places earlier (less than zero) or later."""

    def moved(order: list[str]) -> list[str]:
        at = order.index(key)
        order.insert(max(0, at + by), order.pop(at))
        return order

    return await _rearrange(actor, moved, key)


async def skip(actor: Actor, key: str, skipped: bool) -> Run:
    """Put a stop off to the end of the run, where it stays; or take it in again."""
    day = today()
    async with transaction() as connection:
        keys, late = await _order_of(connection, actor, day)
        if key not in [*keys, *late]:
            raise NotFound
        late = [each for each in late if each != key] + [key] * skipped
        await connection.execute(
            "UPDATE run_order SET skipped = $3 WHERE staff = $1 AND on_day = $2",
            actor.staff,
            day,
            late,
        )
    return await run(actor)


def _first(order: list[str], keys: Sequence[str]) -> list[str]:
    named = [key for key in dict.fromkeys(keys) if key in order]
    return [*named, *(key for key in order if key not in named)]


async def _rearrange(
    actor: Actor, change: Callable[[list[str]], list[str]], key: str = ""
) -> Run:
    day = today()
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT keys FROM run_order WHERE staff = $1 AND on_day = $2 FOR UPDATE
            """,
            actor.staff,
            day,
        )
        if row is None or (key and key not in row["keys"]):
            raise NotFound
        await connection.execute(
            """
            UPDATE run_order SET keys = $3, made_at = now()
            WHERE staff = $1 AND on_day = $2
            """,
            actor.staff,
            day,
            change(list(row["keys"])),
        )
    return await run(actor)
