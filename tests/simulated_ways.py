"""Legs as a province might have them, to hold estimates against what came.

Made up, with what makes real ones hard to foresee: ways of unlike length and traffic,
Mondays, the weeks after Tet, ferries that stop for bad weather, second and third tries,
a few deliveries on Saturdays, and a way that grows slower for good.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from postal_track import estimates, promises
from postal_track.estimates import (
    Expected,
    Known,
    Phase,
    Running,
    Scope,
    Spread,
    ordinals,
    weight,
)

FIRST, LAST = date(2026, 1, 5), date(2026, 12, 25)
TET_ENDS = date(2026, 2, 22)
SLOWER_FROM = date(2026, 8, 3)
DISTRICTS, OFFICES, AGENCIES = 4, 12, 16

_DAYS = promises.calendar()


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """A pair of an office and an agency. `busy`: legs on a usual day."""

    office: int
    agency: int
    base: int
    island: bool
    busy: float
    grows_slower: bool

    @property
    def districts(self) -> tuple[int, int]:
        """The old districts of both."""
        return self.office % DISTRICTS, self.agency % DISTRICTS


@dataclass(frozen=True, slots=True)
class Leg:
    """One item's way, with the three moments that count."""

    way: Way
    born: datetime
    accepted: datetime
    ended: datetime


def ways(rng: random.Random) -> list[Way]:
    """Lay out the ways of a province: few are busy, many are rarely gone."""
    made = []
    for office in range(OFFICES):
        for agency in rng.sample(range(AGENCIES), 4):
            far = office % DISTRICTS != agency % DISTRICTS
            island = office == OFFICES - 1
            made.append(
                Way(
                    office=office,
                    agency=agency,
                    base=1 + far + island,
                    island=island,
                    busy=rng.choice((0.1, 0.3, 1.0, 4.0)),
                    grows_slower=office % DISTRICTS == 1,
                )
            )
    return made


def legs(seed: int) -> list[Leg]:
    """Let a year pass."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    laid, made = ways(rng), []
    for day in _each(FIRST, LAST):
        if not _DAYS.works(day):
            continue
        crowd = 1.6 if day.weekday() == 0 else 1.0
        storm = rng.random() < 0.06
        for way in laid:
            for _ in range(_poisson(rng, way.busy * crowd)):
                made.append(_leg(rng, way, day, storm=storm))
    return made


def _leg(rng: random.Random, way: Way, day: date, *, storm: bool) -> Leg:
    born = _at(day, 7 + rng.random() * 10)
    wait = rng.choices((0, 1, 2, 3), (12, 70, 14, 4))[0]
    taken_on = _DAYS.add_working_days(promises.counted_from(born), wait)
    accepted = max(born, _at(taken_on, 7.5 + rng.random() * 9.5))
    took = way.base + rng.choices((-1, 0, 1, 2, 4), (8, 62, 20, 8, 2))[0]
    took += accepted.astimezone(promises.LOCAL).weekday() == 0 and rng.random() < 0.3
    if TET_ENDS <= taken_on < TET_ENDS + timedelta(days=14):
        took += rng.choice((0, 1, 1, 2))
    if way.island and storm:
        took += rng.choice((1, 2, 3))
    if way.grows_slower and taken_on >= SLOWER_FROM:
        took += rng.random() < min(0.8, (taken_on - SLOWER_FROM).days / 60)
    if rng.random() < 0.12:  # nobody was in
        took += rng.choice((1, 1, 2))
    counted = promises.counted_from(accepted)
    ended_on = _DAYS.add_working_days(counted, max(0, took))
    if ended_on.weekday() == 0 and rng.random() < 0.1:
        ended_on -= timedelta(days=2)
    ended = max(_at(ended_on, 8 + rng.random() * 9), accepted + timedelta(hours=1))
    return Leg(way, born, accepted, ended)


def _poisson(rng: random.Random, mean: float) -> int:
    """Draw by waiting times: small means only."""
    count, passed = 0, rng.expovariate(1.0)
    while passed < mean:
        count += 1
        passed += rng.expovariate(1.0)
    return count


def _at(day: date, hour: float) -> datetime:
    return datetime.combine(day, time(), promises.LOCAL).astimezone(UTC) + timedelta(
        hours=hour
    )


def _each(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


class Memory:
    """What `estimates` learns from legs: the same counts as in the database."""

    def __init__(self, made: list[Leg]) -> None:
        days = list(_each(FIRST - timedelta(days=7), LAST + timedelta(days=120)))
        self._numbers = dict(zip(days, ordinals(days, _DAYS), strict=True))
        self._by_week: dict[date, Counter[tuple[Way, Phase, int]]] = {}
        for leg in made:
            started, taken = self._counted(leg.born), self._counted(leg.accepted)
            ended = self._numbers[_day(leg.ended)]
            told = self._by_week.setdefault(_week(_day(leg.ended)), Counter())
            told[leg.way, Phase.WAIT, max(0, taken - started)] += 1
            told[leg.way, Phase.WAY, max(0, ended - taken)] += 1
        self._known: dict[tuple[date, Way], Known] = {}

    def _counted(self, moment: datetime) -> int:
        return self._numbers[promises.counted_from(moment)]

    def of(self, way: Way, day: date) -> Known:
        """Give what was known of a way on a Monday, and for the week after it."""
        week = _week(day)
        if (week, way) not in self._known:
            self._learn(week)
        return self._known[week, way]

    def _learn(self, week: date) -> None:
        sums: dict[tuple[Scope, object, Phase], list[tuple[int, float]]] = {}
        every: set[Way] = set()
        for each, told in self._by_week.items():
            weeks_ago = (week - each).days / 7
            past = 0 < weeks_ago <= estimates.WEEKS
            for (way, phase, took), count in told.items():
                every.add(way)
                for scope, place in _places(way) if past else ():
                    key = (scope, place, phase)
                    some = (took, count * weight(weeks_ago))
                    sums.setdefault(key, []).append(some)
        spreads = {key: estimates.spread(some) for key, some in sums.items()}
        for way in every:
            found: dict[tuple[Scope, Phase], Spread] = {}
            for scope, place in _places(way):
                for phase in Phase:
                    if spread := spreads.get((scope, place, phase)):
                        found[scope, phase] = spread
            self._known[week, way] = Known(found)


def _places(way: Way) -> tuple[tuple[Scope, object], ...]:
    return (
        (Scope.PAIR, (way.office, way.agency)),
        (Scope.DISTRICT, way.districts),
        (Scope.PROVINCE, ()),
    )


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _day(moment: datetime) -> date:
    return moment.astimezone(promises.LOCAL).date()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was said of a leg at a moment, and what came."""

    said: Expected
    came: date
    at: datetime
    waited: int  # days since it began

    @property
    def inside(self) -> bool:
        """Whether it came within the range."""
        return self.said.first <= self.came <= self.said.last

    @property
    def days_wide(self) -> int:
        """How many working days the range has."""
        return 1 + _DAYS.working_days_between(self.said.first, self.said.last)


def forecasts(made: list[Leg], since: date, seed: int, every: int) -> list[Forecast]:
    """Ask on each morning of some legs' ways what is expected, and wait for it."""
    rng = random.Random(seed)  # noqa: S311 - not a secret
    memory, told = Memory(made), []
    asked = [leg for leg in made if since <= _day(leg.born)]
    for leg in rng.sample(asked, len(asked) // every):
        known = memory.of(leg.way, _day(leg.born))
        moments = [leg.born, leg.accepted] + [
            _at(day, 6 + rng.random() * 4)
            for day in _each(_day(leg.born), _day(leg.ended))
        ]
        for now in moments:
            if not leg.born <= now < leg.ended:
                continue
            taken = now >= leg.accepted
            running = Running(
                Phase.WAY if taken else Phase.WAIT, leg.accepted if taken else leg.born
            )
            said = estimates.expect(known, running, now, None)
            if said is not None:
                waited = (_day(now) - _day(leg.born)).days
                told.append(Forecast(said, _day(leg.ended), now, waited))
    return told
