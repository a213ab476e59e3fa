"""By when: working days of Vietnam, and what is promised to citizens.

Pure but for reading its table of holidays once. Does not know items, only moments; all
days are those of Asia/Ho_Chi_Minh. How many days are promised is practice and not law:
it stands in `Terms` and can be set.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

HOLIDAYS = Path(__file__).parent / "data" / "holidays.csv"

_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True)
class Holiday:
    """One row of the table: a day off, or a Saturday that is worked to make up for one.

    `day` is a date, or `--MM-DD` for every year. A row that is not sure counts all the
    same; it was expected when it was written, and a later row can say otherwise.
    """

    day: str
    kind: str  # off, work
    sure: bool
    name_vi: str
    name_en: str


@dataclass(frozen=True)
class Calendar:
    """Which days are worked: Monday to Friday, less holidays, and make-up Saturdays."""

    holidays: tuple[Holiday, ...]
    kinds: dict[str, str]

    @classmethod
    def of(cls, holidays: Iterable[Holiday]) -> Calendar:
        """Make a calendar of rows; of two rows for one day the later one counts."""
        rows = tuple(holidays)
        return cls(rows, {row.day: row.kind for row in rows})

    @property
    def known_through(self) -> int:
        """The last year with its own rows; after it Tet is missing from the table."""
        years = (int(row.day[:4]) for row in self.holidays if row.day[0] != "-")
        return max(years, default=0)

    def works(self, day: date) -> bool:
        """Tell whether the day is worked."""
        iso = day.isoformat()
        kind = self.kinds.get(iso) or self.kinds.get(f"-{iso[4:]}")
        return kind == "work" if kind else day.weekday() < _SATURDAY

    def on_or_after(self, day: date) -> date:
        """Give the day itself when it is worked, else the next that is."""
        while not self.works(day):
            day += _DAY
        return day

    def next_working_day(self, day: date) -> date:
        """Give the first working day after this one."""
        return self.on_or_after(day + _DAY)

    def add_working_days(self, day: date, count: int) -> date:
        """Count working days from the day after; none at all gives `on_or_after`."""
        if count < 0:
            raise ValueError(f"Working days are counted forwards, not {count}.")
        if count == 0:
            return self.on_or_after(day)
        for _ in range(count):
            day = self.next_working_day(day)
        return day

    def working_days_between(self, first: date, last: date) -> int:
        """Count the working days after `first` up to and with `last`: days late."""
        return sum(map(self.works, _days(first + _DAY, last)))

    def working_hours_between(
        self,
        start: datetime,
        end: datetime,
        opens: time = time(7),
        closes: time = time(17),
    ) -> float:
        """Count the hours on working days between opening and closing.

        Raises ValueError for moments without a time zone. Backwards counts nothing.
        """
        start, end = _local(start), _local(end)
        spent = timedelta()
        for day in _days(start.date(), end.date()):
            if self.works(day):
                begun = max(start, datetime.combine(day, opens, LOCAL))
                done = min(end, datetime.combine(day, closes, LOCAL))
                spent += max(done - begun, timedelta())
        return spent / timedelta(hours=1)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += _DAY


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone.")
    return moment.astimezone(LOCAL)


def read_holidays(path: Path) -> list[Holiday]:
    """Read a table of holidays; raises ValueError for a row that makes no sense."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_holiday(row) for row in csv.DictReader(file)]


def _holiday(row: dict[str, str]) -> Holiday:
    day = row["day"]
    # 2024: a leap year, so that the 29th of February may be a holiday too.
    date.fromisoformat(f"2024{day[1:]}" if day.startswith("--") else day)
    if row["kind"] not in ("off", "work") or row["sure"] not in ("yes", "no"):
        raise ValueError(f"The holiday {day} must be off or work, sure yes or no.")
    return Holiday(
        day, row["kind"], row["sure"] == "yes", row["name_vi"], row["name_en"]
    )


@cache
def calendar(*more: Path) -> Calendar:
    """Give the calendar of the table, amended by the tables of a province, if any."""
    return Calendar.of(row for path in (HOLIDAYS, *more) for row in read_holidays(path))


# What is promised


class Kind(StrEnum):
    """What a promise is about."""

    PICKUP = "pickup"  # booked -> collected
    DOSSIER = "dossier"  # collected -> with the agency
    FETCH = "fetch"  # result ready -> collected from the agency
    RESULT = "result"  # collected from the agency -> with the citizen


@dataclass(frozen=True)
class Terms:
    """How many working days each thing takes, and from when a day counts as over."""

    pickup: int = 1
    fetch: int = 1
    town: int = 2
    outlying: int = 3  # with the islands
    cut_off: time = time(16, 30)

    def days(self, kind: Kind, outlying: bool) -> int:
        """Say how many working days this takes."""
        match kind:
            case Kind.PICKUP:
                return self.pickup
            case Kind.FETCH:
                return self.fetch
            case Kind.DOSSIER | Kind.RESULT:
                return self.outlying if outlying else self.town


TERMS = Terms()


def promise(
    kind: Kind | str,
    accepted_at: datetime,
    outlying: bool = False,
    *,
    terms: Terms = TERMS,
    days: Calendar | None = None,
) -> date:
    """Give the last day on which the promise is kept.

    What comes in after the cut-off, or on a day off, counts as of the next working day.
    Raises ValueError for a moment without a time zone or an unknown kind.
    """
    days = days or calendar()
    counted = counted_from(accepted_at, terms=terms, days=days)
    return days.add_working_days(counted, terms.days(Kind(kind), outlying))


def counted_from(
    moment: datetime, *, terms: Terms = TERMS, days: Calendar | None = None
) -> date:
    """Give the working day that a moment counts as: after the cut-off, the next one."""
    days = days or calendar()
    local = _local(moment)
    if local.time() < terms.cut_off:
        return days.on_or_after(local.date())
    return days.next_working_day(local.date())


def add_working_days(day: date, count: int) -> date:
    """Count working days from the day after, by the table."""
    return calendar().add_working_days(day, count)


def next_working_day(day: date) -> date:
    """Give the first working day after this one, by the table."""
    return calendar().next_working_day(day)
