"""What is expected of items under way, and the learning from those that have ended.

Reads and writes for `estimates`, in bulk. `expected` is for everybody who tells a day:
the citizen's page, the agency's desk. `learn` is the worker's, some times a day; what
it counts can be counted again at any time and comes out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

from asyncpg import Connection, Record

from postal_track import promises
from postal_track.addresses import former_units
from postal_track.custody import FROM_CITIZEN, TO_CITIZEN, Leg, Party, Stage
from postal_track.database import given, transaction
from postal_track.directory import names
from postal_track.estimates import (
    LONGEST,
    WEEKS,
    Expected,
    Known,
    Phase,
    Running,
    Scope,
    Spread,
    expect,
    ordinals,
    weight,
)
from postal_track.promises import LOCAL

_WAITING = frozenset({Stage.BOOKED, Stage.READY})
_ON_THE_ROUND = frozenset({Stage.OUT_FOR_DELIVERY, Stage.ATTEMPTED})
_CARRIED = frozenset({Stage.COLLECTED, Stage.AT_OFFICE, Stage.IN_TRANSIT})


@dataclass(frozen=True, slots=True)
class Way:
    """Between which places a leg goes; both are written as parties."""

    leg: str
    origin: str
    destination: str


async def expected(
    connection: Connection,
    waybills: Collection[str],
    now: datetime,
    wished: Mapping[str, date] | None = None,
) -> dict[str, Expected]:
    """Say when each of these items will be with its addressee, as far as can be said.

    What has ended, is missing, astray or waits for its citizen has no day: absent.
    ``wished``: the day that a citizen chose for the post to come.
    """
    if not waybills:
        return {}
    wished = wished or {}
    rows = await connection.fetch(_UNDER_WAY, sorted(waybills))
    running = {
        row["waybill"]: r
        for row in rows
        if (r := _running(row, now, wished.get(row["waybill"])))
    }
    rows = [row for row in rows if row["waybill"] in running]
    ways = {way for row in rows for way in (_way(row), _kin(_way(row)))}
    known = await _known(connection, ways)
    told: dict[str, Expected] = {}
    for row in rows:
        for way in (_kin(_way(row)), _way(row)):  # what is said last counts
            said = expect(known[way], running[row["waybill"]], now, row["promised_on"])
            if said is not None and (said.learned or row["waybill"] not in told):
                told[row["waybill"]] = said
    return {
        waybill: said.not_before(wished[waybill]) if waybill in wished else said
        for waybill, said in told.items()
    }


_SAME_WAY = {
    Leg.SUPPLEMENT: Leg.DOSSIER,
    Leg.OLD_PAPERS: Leg.DOSSIER,
    Leg.BRING_BACK: Leg.RESULT,
    Leg.SLIP: Leg.RESULT,
}


def _kin(way: Way) -> Way:
    """Give the kind of leg that goes the same way more often."""
    leg = _SAME_WAY.get(Leg(way.leg))
    return replace(way, leg=leg.value) if leg else way


async def expected_after(
    connection: Connection, leg: Leg, agency: Party, office: Party, day: date
) -> Expected | None:
    """Say when a leg between agency and citizen will end that is to begin on a day.

    `None` when nothing is known of such legs.
    """
    ends = (str(agency), str(office))
    way = Way(leg.value, *(ends if leg in TO_CITIZEN else reversed(ends)))
    known = await _known(connection, {way})
    morning = datetime.combine(day, time(7), LOCAL).astimezone(UTC)
    return expect(known[way], Running(Phase.WAIT, morning), morning, None)


_LEGS_TO_AGENCY = sorted(leg.value for leg in FROM_CITIZEN)
_LEGS_TO_CITIZEN = sorted(leg.value for leg in TO_CITIZEN)

# Where a leg begins and ends: its agency, and the office that collects and delivers.
# What an agency refused comes back from there, whoever held it at the time.
_PLACES = f"""
    CASE WHEN i.leg = ANY('{{{",".join(_LEGS_TO_AGENCY)}}}') THEN 'office:' || d.office
        WHEN i.sender LIKE 'agency:%' THEN i.sender ELSE 'agency:' || d.agency
        END AS origin,
    CASE WHEN i.leg = ANY('{{{",".join(_LEGS_TO_CITIZEN)}}}') THEN 'office:' || d.office
        ELSE i.addressee END AS destination
"""

# When the post took an item over, when it first went out, and the last try: less what
# was declared wrong.
_MOMENTS = """
    LATERAL (SELECT min(at) FILTER (WHERE step = 'accepted') AS accepted,
            min(at) FILTER (WHERE step = 'out') AS out,
            max(at) FILTER (WHERE step = 'attempted') AS tried
        FROM event m WHERE m.item = i.id AND m.step IN ('accepted', 'out', 'attempted')
            AND NOT EXISTS (SELECT FROM event c WHERE c.corrects = m.id)) AS told
"""

_UNDER_WAY = f"""
    SELECT i.waybill, i.leg, i.stage, i.promised_on, i.created_at AS born, told.*,
        {_PLACES}
    FROM item i JOIN dossier d ON d.id = i.dossier, {_MOMENTS}
    WHERE i.waybill = ANY({given(1, "bpchar")})
"""  # noqa: S608 - constants


def _way(row: Record | Mapping[str, Any]) -> Way:
    return Way(row["leg"], row["origin"], row["destination"])


def _running(row: Record, now: datetime, wished: date | None) -> Running | None:
    """Tell in which stretch of its time an item is."""
    stage = Stage(row["stage"])
    if stage is Stage.BOOKED and wished is not None and wished > _day(now):
        return Running(Phase.WAY, datetime.combine(wished, time(12), LOCAL))
    if stage in _WAITING:
        return Running(Phase.WAIT, row["born"])
    if stage in _ON_THE_ROUND and row["out"]:
        tried = stage is Stage.ATTEMPTED and row["tried"]
        today = tried and _day(row["tried"]) == _day(now)
        return Running(Phase.LAST, row["out"], bool(today))
    if stage in _CARRIED | _ON_THE_ROUND:
        return Running(Phase.WAY, row["accepted"] or row["born"])
    return None


def _day(moment: datetime) -> date:
    return moment.astimezone(LOCAL).date()


async def _known(connection: Connection, ways: Collection[Way]) -> dict[Way, Known]:
    """Read what was learned of these ways, near and far."""
    if not ways:
        return {}
    ends = {Party.parse(end) for way in ways for end in (way.origin, way.destination)}
    called = await names(ends)
    of_place = {str(end): district(called[end].ward) for end in ends}
    keys = {way: _keys(way, of_place) for way in ways}
    asked = sorted({(way.leg, *key) for way in ways for key in keys[way]})
    rows = await connection.fetch(
        f"""
        SELECT p.* FROM unnest({given(1, "text")}, {given(2, "text")},
            {given(3, "text")}, {given(4, "text")})
            AS asked(leg, scope, origin, destination)
        JOIN pace p USING (leg, scope, origin, destination)
        """,  # noqa: S608 - constants
        *map(list, zip(*asked, strict=True)),
    )
    found: dict[tuple[str, ...], dict[Phase, Spread]] = {}
    for row in rows:
        key = (row["leg"], row["scope"], row["origin"], row["destination"])
        spread = Spread(tuple(row["weights"]))
        found.setdefault(key, {})[Phase(row["phase"])] = spread
    return {
        way: Known(
            {
                (Scope(key[0]), phase): spread
                for key in keys[way]
                for phase, spread in found.get((way.leg, *key), {}).items()
            }
        )
        for way in ways
    }


def _keys(way: Way, of_place: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name the rows that tell of a way: its own, its districts', the province's."""
    districts = of_place[way.origin], of_place[way.destination]
    return [
        (Scope.PAIR.value, way.origin, way.destination),
        (Scope.DISTRICT.value, *districts),
        (Scope.PROVINCE.value, "", ""),
    ]


async def _districts(connection: Connection) -> dict[str, str]:
    """Give the old district of every office and agency."""
    rows = await connection.fetch(
        "SELECT 'office:' || id AS place, ward FROM office"
        " UNION ALL SELECT 'agency:' || id, ward FROM agency"
    )
    return {row["place"]: district(row["ward"]) for row in rows}


def district(ward: str) -> str:
    """Name the district of before 2025 that most of a ward was in; '' for no ward."""
    return _districts_of_wards().get(ward, "")


@cache
def _districts_of_wards() -> dict[str, str]:
    votes: dict[str, Counter[str]] = {}
    for unit in former_units():
        for number, ward in enumerate(unit.wards):
            voted = votes.setdefault(ward.code, Counter())
            # A unit that was divided counts most for its largest part.
            voted[f"{unit.province}: {unit.district}"] += 10 if number == 0 else 1
    return {code: voted.most_common(1)[0][0] for code, voted in votes.items()}


# Learning

LEARNING = 5_700_611
"""The advisory lock of whoever learns; any number that nobody else uses."""

AGAIN = 2
"""The newest weeks are counted again each time: they have grown, or were corrected."""


async def learn(now: datetime | None = None) -> int:
    """Count the legs that ended, week by week, and tell how long each way takes.

    Weeks that were counted before are left alone, but for the newest. Returns how many
    legs were counted anew.
    """
    now = now or datetime.now(UTC)
    this_week = _week(_day(now))
    async with transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LEARNING)
        oldest = this_week - timedelta(weeks=WEEKS)
        await connection.execute("DELETE FROM leg_count WHERE week < $1", oldest)
        counted = await _count(connection, await _uncounted(connection, this_week))
        await _tell(connection, this_week)
    return counted


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())


async def _uncounted(connection: Connection, this_week: date) -> tuple[date, date]:
    """Give the first week to be counted and the one after the last."""
    rows = await connection.fetchval("SELECT max(week) FROM leg_count")
    newest = this_week - timedelta(weeks=AGAIN - 1)
    if rows is None:
        newest = this_week - timedelta(weeks=WEEKS)
    return min(newest, rows or newest), this_week + timedelta(weeks=1)


async def _count(connection: Connection, weeks: tuple[date, date]) -> int:
    first, end = weeks
    await connection.execute("DELETE FROM leg_count WHERE week >= $1", first)
    days = [
        first + timedelta(days=n) for n in range(-_LONGEST_LEG, (end - first).days + 1)
    ]
    calendar = promises.calendar()
    return int(
        await connection.fetchval(
            _COUNT,
            datetime.combine(first, time(), LOCAL),
            datetime.combine(end, time(), LOCAL),
            days,
            ordinals(days, calendar),
            [calendar.works(day) for day in days],
            promises.TERMS.cut_off,
            LONGEST,
        )
        or 0
    )


_LONGEST_LEG = 400
"""Calendar days before a week in which what ended then may have begun."""

# By the week in which the end was recorded: an offline phone's scans count when they
# come, and a week that is over does not change much any more.
_COUNT = f"""
    WITH day AS MATERIALIZED (
        SELECT * FROM unnest($3::date[], $4::int[], $5::bool[])
            AS day(day, number, works)
    ), ended AS (
        SELECT date_trunc('week', e.recorded_at AT TIME ZONE '{LOCAL.key}')::date
                AS week,
            i.leg, {_PLACES}, e.at AT TIME ZONE '{LOCAL.key}' AS ended,
            i.created_at AT TIME ZONE '{LOCAL.key}' AS born,
            coalesce(told.accepted, i.created_at) AT TIME ZONE '{LOCAL.key}'
                AS accepted,
            told.out AT TIME ZONE '{LOCAL.key}' AS out
        FROM event e JOIN item i ON i.id = e.item JOIN dossier d ON d.id = i.dossier,
            {_MOMENTS}
        WHERE e.recorded_at >= $1 AND e.recorded_at < $2
            AND e.step IN ('received', 'delivered')
            AND i.stage IN ('received', 'delivered')
            AND e.taker = i.holder AND e.at = i.since
    ), numbered AS (
        SELECT n.week, n.leg, n.origin, n.destination, e.number AS ended,
            b.number + (b.works AND n.born::time >= $6)::int AS born,
            a.number + (a.works AND n.accepted::time >= $6)::int AS accepted,
            o.number + (o.works AND n.out::time >= $6)::int AS out
        FROM ended n JOIN day e ON e.day = n.ended::date
        JOIN day b ON b.day = n.born::date JOIN day a ON a.day = n.accepted::date
        LEFT JOIN day o ON o.day = n.out::date
    ), took AS (
        SELECT week, leg, origin, destination, phase,
            least(greatest(days, 0), $7) AS days
        FROM numbered, LATERAL (VALUES ('wait', accepted - born),
            ('way', ended - accepted), ('last', ended - out)) AS of_phase(phase, days)
        WHERE days IS NOT NULL
    ), counted AS (
        INSERT INTO leg_count (week, leg, phase, origin, destination, days, legs)
        SELECT week, leg, phase, origin, destination, days, count(*) FROM took
        GROUP BY week, leg, phase, origin, destination, days
        RETURNING legs, phase
    )
    SELECT sum(legs) FROM counted WHERE phase = 'way'
"""  # noqa: S608 - constants


async def _tell(connection: Connection, this_week: date) -> None:
    """Sum the weeks up, for pairs, their districts and the province."""
    of_place = await _districts(connection)
    weeks = [this_week - timedelta(weeks=n) for n in range(WEEKS + 1)]
    await connection.execute("DELETE FROM pace")
    await connection.execute(
        _TELL,
        list(of_place),
        list(of_place.values()),
        weeks,
        [weight(n) for n in range(WEEKS + 1)],
        LONGEST,
    )


_TELL = """
    WITH place AS MATERIALIZED (
        SELECT * FROM unnest($1::text[], $2::text[]) AS place(place, district)
    ), weighed AS (
        SELECT c.leg, c.phase, c.origin, c.destination, c.days,
            sum(c.legs * w.weight) AS legs
        FROM leg_count c
        JOIN unnest($3::date[], $4::float8[]) AS w(week, weight) USING (week)
        GROUP BY c.leg, c.phase, c.origin, c.destination, c.days
    ), scoped AS (
        SELECT scope, leg, phase, s.origin, s.destination, days, sum(legs) AS legs
        FROM weighed w LEFT JOIN place a ON a.place = w.origin
        LEFT JOIN place b ON b.place = w.destination,
            LATERAL (VALUES ('pair', w.origin, w.destination),
                ('district', coalesce(a.district, ''), coalesce(b.district, '')),
                ('province', '', '')) AS s(scope, origin, destination)
        GROUP BY scope, leg, phase, s.origin, s.destination, days
    ), ways AS (
        SELECT DISTINCT scope, leg, phase, origin, destination FROM scoped
    )
    INSERT INTO pace (scope, leg, phase, origin, destination, weights)
    SELECT w.scope, w.leg, w.phase, w.origin, w.destination,
        array_agg(coalesce(s.legs, 0) ORDER BY n)
    FROM ways w CROSS JOIN generate_series(0, $5) AS n
    LEFT JOIN scoped s ON s.days = n AND (s.scope, s.leg, s.phase, s.origin,
        s.destination) = (w.scope, w.leg, w.phase, w.origin, w.destination)
    GROUP BY w.scope, w.leg, w.phase, w.origin, w.destination
"""
