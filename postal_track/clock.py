"""Who has used which working hours of a dossier: the post, the agency, the citizen.

Joins the ledger's lines of all legs with the statutory time of the procedure, which
runs only while the complete papers lie with the agency. Pure: no table, no HTTP, and
the moment it is asked for is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise

from postal_track.custody import UNDELIVERED, Leg, Reason, Stage, Step
from postal_track.promises import LOCAL, Calendar, calendar

OFFICE_HOURS = ((time(7), time(11)), (time(13), time(17)))
"""When agencies work unless a province says otherwise: eight hours a day."""


class User(StrEnum):
    """Who uses the time."""

    POST_OUT = "post_out"  # on the way to the agency, or between two
    AGENCY = "agency"  # the statutory time runs
    CITIZEN = "citizen"  # it waits for him, with the reason
    POST_BACK = "post_back"  # the result, or refused papers, on the way back


class Why(StrEnum):
    """Why the statutory time stands still though the agency has the dossier."""

    SUPPLEMENT = "supplement"  # papers are asked for, and the citizen has them
    ON_THE_WAY = "on_the_way"  # papers that were asked for are with the post
    TRANSFER = "transfer"  # it goes to another agency
    UNDELIVERED = "undelivered"  # the citizen could not be handed it, or fetches it


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the ledger of one of the dossier's items, and the stage after it.

    ``reason`` is what the line gave. Lines that were declared wrong are left out.
    """

    at: datetime
    leg: Leg
    item: str
    step: Step
    stage: Stage
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that one side used; ``end`` is ``None`` while it lasts."""

    user: User
    leg: Leg
    start: datetime
    end: datetime | None
    hours: float
    why: Why | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """The dossier's time. Hours are working hours.

    ``limit`` is the statutory time, ``None`` when the procedure has none. ``runs_out``
    is the day on which it ends if nothing stops it any more; ``None`` once the agency
    is done with it. ``day_hours`` is how many hours one working day has.
    """

    spans: tuple[Span, ...]
    used: dict[User, float]
    limit: float | None
    runs_out: date | None
    day_hours: float

    @property
    def now(self) -> Span | None:
        """Who uses the time now; ``None`` when all is done or nothing has begun."""
        last = self.spans[-1] if self.spans else None
        return last if last is not None and last.end is None else None

    @property
    def stopped(self) -> Span | None:
        """Why the statutory time stands still now, if it does."""
        return self.now if self.now is not None and self.now.why else None

    @property
    def left(self) -> float | None:
        """How many statutory hours are left; negative when they are overdrawn."""
        return None if self.limit is None else self.limit - self.used[User.AGENCY]

    @property
    def over(self) -> bool:
        """Whether the agency has used more than the law gives it."""
        return self.left is not None and self.left < 0

    @property
    def total(self) -> float:
        """All working hours since the post took the papers."""
        return sum(self.used.values())


@dataclass(frozen=True)
class Hours:
    """Working hours: the days that are worked, and the hours of one."""

    days: Calendar = field(default_factory=calendar)
    sessions: tuple[tuple[time, time], ...] = OFFICE_HOURS

    @property
    def of_a_day(self) -> float:
        """How many hours a whole working day has."""
        return sum(map(_length, self.sessions), timedelta()) / timedelta(hours=1)

    def between(self, start: datetime, end: datetime) -> float:
        """Count the working hours between two moments; backwards counts nothing.

        Raises ValueError for moments without a time zone.
        """
        if start.tzinfo is None or end.tzinfo is None:
            raise ValueError("A moment has no time zone.")
        start, end = start.astimezone(LOCAL), end.astimezone(LOCAL)
        if end <= start:
            return 0.0
        if start.date() == end.date():
            return self._on(start.date(), start, end)
        whole = self.days.working_days_between(
            start.date(), end.date() - timedelta(days=1)
        )
        morning = datetime.combine(end.date(), time(), LOCAL)
        midnight = datetime.combine(start.date() + timedelta(days=1), time(), LOCAL)
        edges = self._on(start.date(), start, midnight)
        edges += self._on(end.date(), morning, end)
        return edges + whole * self.of_a_day

    def _on(self, day: date, start: datetime, end: datetime) -> float:
        if not self.days.works(day):
            return 0.0
        spent = timedelta()
        for opens, closes in self.sessions:
            begun = max(start, datetime.combine(day, opens, LOCAL))
            done = min(end, datetime.combine(day, closes, LOCAL))
            spent += max(done - begun, timedelta())
        return spent / timedelta(hours=1)

    def end_of(self, start: datetime, hours: float) -> date:
        """Tell the day on which so many working hours from a moment are used up.

        Nothing left ends on the day itself.
        """
        day = start.astimezone(LOCAL).date()
        left = hours - self.between(
            start, datetime.combine(day + timedelta(days=1), time(), LOCAL)
        )
        # A whole day that ends with the last hour still belongs to that day.
        while left > 1e-9:
            day = self.days.next_working_day(day)
            left -= self.of_a_day
        return day


def _length(session: tuple[time, time]) -> timedelta:
    opens, closes = session
    return timedelta(
        hours=closes.hour - opens.hour, minutes=closes.minute - opens.minute
    )


def read(
    points: Iterable[Point],
    now: datetime,
    *,
    days: int = 0,
    service: str = "both",
    born_at: datetime | None = None,
    hours: Hours | None = None,
) -> Clock:
    """Tell who has used which hours until ``now``.

    ``days`` is the procedure's statutory time in working days; none means that the law
    names none. ``service`` and ``born_at`` are the order's: who only has his result
    brought handed his papers in himself, and the agency has them from then on.
    """
    hours = hours or Hours()
    turns = _turns(sorted(points, key=lambda p: p.at), service, born_at)
    spans = []
    for turn, after in pairwise([*turns, None]):
        if turn is None or turn.user is None:
            continue
        end = after.at if after is not None else None
        spent = hours.between(turn.at, end or now)
        spans.append(
            Span(turn.user, turn.leg, turn.at, end, spent, turn.why, turn.reason)
        )
    used = {
        user: sum(span.hours for span in spans if span.user is user) for user in User
    }
    limit = days * hours.of_a_day if days else None
    return Clock(
        spans=tuple(spans),
        used=used,
        limit=limit,
        runs_out=_runs_out(spans, used, limit, now, hours),
        day_hours=hours.of_a_day,
    )


def _runs_out(
    spans: Sequence[Span],
    used: dict[User, float],
    limit: float | None,
    now: datetime,
    hours: Hours,
) -> date | None:
    """Say when the statutory time ends; a stop moves it on with every hour."""
    last = spans[-1] if spans else None
    if limit is None or last is None or last.end is not None:
        return None
    if not any(span.user is User.AGENCY for span in spans):
        return None
    if last.user is User.POST_BACK or last.why is Why.UNDELIVERED:
        return None
    left = limit - used[User.AGENCY]
    if left >= 0:
        return hours.end_of(now, left)
    return _ran_out(spans, limit, hours)


def _ran_out(spans: Sequence[Span], limit: float, hours: Hours) -> date | None:
    for span in spans:
        if span.user is not User.AGENCY:
            continue
        if span.hours >= limit:
            return hours.end_of(span.start, limit)
        limit -= span.hours
    return None


@dataclass(frozen=True, slots=True)
class _Turn:
    """From here on this side uses the time; nobody when ``user`` is ``None``."""

    at: datetime
    user: User | None
    leg: Leg = Leg.DOSSIER
    why: Why | None = None
    reason: Reason | None = None

    def goes_on(self, other: _Turn) -> bool:
        return (self.user, self.leg, self.why) == (other.user, other.leg, other.why)


def _turns(
    points: Sequence[Point], service: str, born_at: datetime | None
) -> list[_Turn | None]:
    turns: list[_Turn | None] = []
    newest: dict[Leg, Point] = {}
    tried: set[str] = set()
    before: _Turn | None = None
    if service == "receive" and born_at is not None:
        before = _Turn(born_at, User.AGENCY)
        turns.append(before)
    for point in points:
        if _of_an_earlier_item(newest.get(point.leg), point):
            continue
        newest[point.leg] = point
        if point.step is Step.ATTEMPTED and point.reason in _THE_CITIZENS:
            tried.add(point.item)
        turn = _whose(newest, point.at, service, tried)
        if before is None or not turn.goes_on(before):
            turns.append(turn)
            before = turn
    return turns


def _of_an_earlier_item(kept: Point | None, point: Point) -> bool:
    born = point.step in (Step.BOOKED, Step.READY)
    return kept is not None and kept.item != point.item and not born


_OVER = frozenset({Stage.DELIVERED, Stage.LOST})
_GONE = frozenset({Stage.CANCELLED, Stage.RECEIVED})


def _whose(
    newest: dict[Leg, Point], at: datetime, service: str, tried: set[str]
) -> _Turn:
    """Say whose time it is: the leg nearest to the end of the way decides."""
    result = newest.get(Leg.RESULT)
    if result is not None and result.stage is not Stage.CANCELLED:
        return _back(result, at, tried)
    back = newest.get(Leg.BRING_BACK)
    asked = newest.get(Leg.SUPPLEMENT)
    if back is not None and back.stage is not Stage.CANCELLED:
        refused = asked is not None and asked.stage is Stage.REFUSED
        if not refused:
            return _back(back, at, tried)
    between = newest.get(Leg.TRANSFER)
    if between is not None and between.stage not in _GONE:
        return _Turn(at, User.POST_OUT, Leg.TRANSFER, Why.TRANSFER)
    if asked is not None and asked.stage not in _GONE:
        return _asked_for(asked, at)
    return _out(newest.get(Leg.DOSSIER), at, service)


def _back(point: Point, at: datetime, tried: set[str]) -> _Turn:
    if point.stage in _OVER:
        return _Turn(at, None, point.leg)
    if point.stage is Stage.RETURNED:
        return _Turn(at, User.CITIZEN, point.leg, Why.UNDELIVERED)
    if point.stage is Stage.ATTEMPTED and point.reason in _THE_CITIZENS:
        return _Turn(at, User.CITIZEN, point.leg, Why.UNDELIVERED, point.reason)
    if point.stage is Stage.HELD and point.item in tried:
        return _Turn(at, User.CITIZEN, point.leg, Why.UNDELIVERED)
    # An attempt or a hold without a reason of the citizen's stops nothing.
    return _Turn(at, User.POST_BACK, point.leg)


_THE_CITIZENS = UNDELIVERED - {Reason.OFFICE_CLOSED, Reason.WEATHER, Reason.OTHER}
"""Why the citizen could not be handed it, of his own doing."""


def _asked_for(point: Point, at: datetime) -> _Turn:
    if point.stage in (Stage.BOOKED, Stage.REFUSED):
        return _Turn(at, User.CITIZEN, Leg.SUPPLEMENT, Why.SUPPLEMENT, point.reason)
    if point.stage is Stage.LOST:
        return _Turn(at, User.CITIZEN, Leg.SUPPLEMENT, Why.SUPPLEMENT)
    return _Turn(at, User.POST_OUT, Leg.SUPPLEMENT, Why.ON_THE_WAY)


def _out(point: Point | None, at: datetime, service: str) -> _Turn:
    if point is None:
        return _Turn(at, User.AGENCY if service == "receive" else None)
    if point.stage in (Stage.BOOKED, Stage.CANCELLED, Stage.LOST, Stage.REFUSED):
        return _Turn(at, None)
    if point.stage is Stage.RECEIVED:
        return _Turn(at, User.AGENCY)
    return _Turn(at, User.POST_OUT)
