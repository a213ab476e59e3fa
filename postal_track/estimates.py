"""On which day an item will arrive, learned from those that went the same way.

Pure: no table, no clock. Durations are whole working days, counted as promises are: a
range of days is what a citizen can use. Says nothing rather than a day that has passed.
How well its ranges hold is measured in `docs/estimates.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from itertools import accumulate

from postal_track import promises
from postal_track.promises import Calendar

LONGEST = 40
"""Working days; what took longer is counted as this long and never promised."""

ENOUGH = 20.0
"""How many legs, the old ones counted for less, make a way known."""

RANGE = (0.1, 0.5, 0.9)
"""Of ten like it, one came before the first day and one after the last."""

LAST_ROUND = time(18)
"""After this nothing is handed over any more that day."""


class Phase(StrEnum):
    """Which stretch of a leg's time is counted."""

    WAIT = "wait"  # born -> taken over by the post
    WAY = "way"  # taken over by the post -> with the addressee
    LAST = "last"  # out for delivery for the first time -> with the addressee


class Scope(StrEnum):
    """What an estimate was learned from: the nearest that is known well enough."""

    PAIR = "pair"  # the same office and agency
    DISTRICT = "district"  # offices and agencies of the same old districts
    PROVINCE = "province"
    PROMISE = "promise"  # nothing is known: what was promised


@dataclass(frozen=True, slots=True)
class Spread:
    """How many legs took how many working days: `counts[3]` took three.

    Old legs weigh less than one. The last place stands for that long or longer.
    """

    counts: tuple[float, ...]

    @property
    def legs(self) -> float:
        """How many legs it knows of."""
        return math.fsum(self.counts)

    def given(self, days: int) -> Spread:
        """Keep what took at least so long: what is known once that time has passed."""
        at = min(max(days, 0), len(self.counts))
        return Spread((0.0,) * at + self.counts[at:])

    def then(self, other: Spread) -> Spread:
        """Let another stretch follow, whose length has nothing to do with this one's.

        As well known as the less known of both.
        """
        known = min(self.legs, other.legs)
        if not known:
            return Spread((0.0,))
        both = [0.0] * max(len(self.counts), len(other.counts))
        mine = [count / self.legs for count in self.counts]
        theirs = [count / other.legs for count in other.counts]
        for a, share in enumerate(mine):
            for b, more in enumerate(theirs):
                both[min(a + b, len(both) - 1)] += share * more * known
        return Spread(tuple(both))

    def quantile(self, share: float) -> int | None:
        """Give the days within which this share of such legs will have ended.

        The next leg is one more than those that are known, so the rank is taken of one
        more (split conformal prediction); `None` when that asks for more than is known.
        """
        rank = share * (self.legs + 1)
        for days, so_far in enumerate(accumulate(self.counts[:-1])):
            if so_far and so_far >= rank - 1e-9:
                return days
        return None

    def earliest(self, share: float) -> int:
        """Give the days before which only this share of such legs has ended."""
        rank = share * (self.legs + 1)
        for days, so_far in enumerate(accumulate(self.counts)):
            if so_far and so_far >= rank - 1:
                return days
        return 0


@dataclass(frozen=True, slots=True)
class Reckoned:
    """Working days from the day that is counted from: first, likely, last."""

    first: int
    likely: int
    last: int
    scope: Scope
    legs: int
    slow: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a way, from near to far: by scope, then by phase."""

    spreads: dict[tuple[Scope, Phase], Spread]

    def of(self, scope: Scope, phase: Phase) -> Spread:
        """Give what is known; nothing is known as no counts."""
        return self.spreads.get((scope, phase), _NOTHING)


_NOTHING = Spread(())
_NEAR_TO_FAR = (Scope.PAIR, Scope.DISTRICT, Scope.PROVINCE)


def reckon(known: Known, phase: Phase, passed: int) -> Reckoned | None:
    """Reckon with the nearest scope that knows enough legs which took this long.

    `passed`: the fewest days that are still possible. `None` when not even the province
    knows enough of them.
    """
    for scope in _NEAR_TO_FAR:
        spread = known.of(scope, phase)
        if phase is Phase.WAIT:
            way = known.of(scope, Phase.WAY)
            rest = spread.given(passed).then(way)
            whole = spread.then(way)
        else:
            rest, whole = spread.given(passed), spread
        if min(whole.legs, spread.legs) < ENOUGH:
            continue
        first, likely, last = RANGE
        latest, middle = rest.quantile(last), rest.quantile(likely)
        if latest is None or middle is None:
            continue
        usual = whole.quantile(last)
        return Reckoned(
            first=max(passed, min(rest.earliest(first), middle)),
            likely=middle,
            last=latest,
            scope=scope,
            legs=int(whole.legs),
            slow=usual is not None and passed > usual,
        )
    return None


@dataclass(frozen=True, slots=True)
class Expected:
    """Between which days something will arrive, and on which it is likeliest to.

    `legs`: how many it was learned from. `slow`: it already takes longer than nine in
    ten did. Of a mere promise, all three days are the promised one.
    """

    first: date
    likely: date
    last: date
    scope: Scope
    legs: int = 0
    slow: bool = False

    @property
    def learned(self) -> bool:
        """Whether it says more than the promise."""
        return self.scope is not Scope.PROMISE

    def not_before(self, day: date) -> Expected:
        """Put it off to a day that somebody chose."""
        days = (self.first, self.likely, self.last)
        first, likely, last = (max(each, day) for each in days)
        return replace(self, first=first, likely=likely, last=last)


@dataclass(frozen=True, slots=True)
class Running:
    """A stretch of time that has begun, or is to begin, and when."""

    phase: Phase
    since: datetime
    not_today: bool = False  # it was tried today already


def expect(
    known: Known,
    running: Running,
    now: datetime,
    promised_on: date | None,
    days: Calendar | None = None,
) -> Expected | None:
    """Say when something is to be expected; never a day that has passed.

    Falls back to the promise while its day has not passed; else `None`.
    """
    days = days or promises.calendar()
    counted = promises.counted_from(running.since, days=days)
    today = _earliest(running, now, days)
    passed = max(0, days.working_days_between(counted, today)) if today > counted else 0
    reckoned = reckon(known, running.phase, passed)
    if reckoned is None:
        if promised_on is None or promised_on < now.astimezone(promises.LOCAL).date():
            return None
        return Expected(promised_on, promised_on, promised_on, Scope.PROMISE)
    return Expected(
        first=days.add_working_days(counted, reckoned.first),
        likely=days.add_working_days(counted, reckoned.likely),
        last=days.add_working_days(counted, reckoned.last),
        scope=reckoned.scope,
        legs=reckoned.legs,
        slow=reckoned.slow,
    )


def _earliest(running: Running, now: datetime, days: Calendar) -> date:
    """Give the first day on which it can still arrive."""
    local = now.astimezone(promises.LOCAL)
    over = local.time() >= LAST_ROUND or running.not_today
    if over:
        return days.next_working_day(local.date())
    return days.on_or_after(local.date())


# Learning


def ordinals(days: Sequence[date], calendar: Calendar) -> list[int]:
    """Give each day the number of working days before it, from the first day on.

    A day off has the number of the next day that is worked: what ends on a Saturday
    counts as of Monday, as in a promise.
    """
    worked = accumulate((int(calendar.works(day)) for day in days), initial=0)
    return list(worked)[: len(days)]


def spread(days: Iterable[tuple[int, float]]) -> Spread:
    """Make a spread of lengths and their weights."""
    counts = [0.0] * (LONGEST + 1)
    for length, weight in days:
        counts[min(max(length, 0), LONGEST)] += weight
    return Spread(tuple(counts))


WEEKS = 26
"""How far back is learned from."""

HALVED_AFTER_WEEKS = 4.0
"""How fast what is past loses its weight: roads, ferries and people change."""


def weight(weeks_ago: float) -> float:
    """Say how much a leg counts that ended so many weeks ago."""
    return float(0.5 ** (max(weeks_ago, 0.0) / HALVED_AFTER_WEEKS))
