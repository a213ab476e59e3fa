"""Promises: the working days of Vietnam as facts, and counting as properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track import promises
from postal_track.promises import (
    HOLIDAYS,
    LOCAL,
    Calendar,
    Holiday,
    Kind,
    Terms,
    add_working_days,
    calendar,
    promise,
    read_holidays,
)

days = st.dates(date(2025, 1, 1), date(2027, 12, 31))
moments = st.datetimes(
    datetime(2025, 1, 1),  # noqa: DTZ001 (the zone comes after)
    datetime(2027, 12, 20),  # noqa: DTZ001
    timezones=st.just(LOCAL),
)
counts = st.integers(1, 30)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL)


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2025-01-25", "2025-02-02"),  # Tet: nine days on end
        ("2025-04-05", "2025-04-07"),  # Hung Kings, on a Monday
        ("2025-04-30", "2025-05-04"),  # five days, for a Saturday worked
        ("2025-08-30", "2025-09-02"),
        ("2026-01-01", "2026-01-04"),
        ("2026-02-14", "2026-02-22"),
        ("2026-04-25", "2026-04-27"),  # Hung Kings, on a Sunday: Monday in lieu
        ("2026-04-30", "2026-05-03"),
        ("2026-08-29", "2026-09-02"),
        ("2027-02-04", "2027-02-10"),
        ("2027-04-16", "2027-04-18"),
        ("2027-04-30", "2027-05-03"),
        ("2027-09-02", "2027-09-05"),
    ],
)
def test_nobody_works_on_these_days_but_just_before_and_after(
    first: str, last: str
) -> None:
    one_day = timedelta(days=1)
    assert calendar().works(day(first) - one_day)
    assert calendar().on_or_after(day(first)) == day(last) + one_day


@pytest.mark.parametrize("saturday", ["2025-04-26", "2026-01-10", "2026-08-22"])
def test_a_make_up_saturday_is_worked(saturday: str) -> None:
    assert day(saturday).weekday() == 5
    assert calendar().works(day(saturday))
    assert add_working_days(day(saturday) - timedelta(days=1), 1) == day(saturday)


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2026-03-02", 1, "2026-03-03"),  # Monday to Tuesday
        ("2026-03-06", 1, "2026-03-09"),  # Friday to Monday
        ("2026-03-07", 0, "2026-03-09"),  # of a Saturday: the Monday
        ("2026-03-07", 1, "2026-03-09"),
        ("2026-02-13", 1, "2026-02-23"),  # over Tet
        ("2026-02-13", 5, "2026-02-27"),
        ("2025-04-25", 1, "2025-04-26"),  # a Saturday worked
        ("2026-12-31", 1, "2027-01-04"),
    ],
)
def test_working_days_are_counted(start: str, count: int, end: str) -> None:
    assert add_working_days(day(start), count) == day(end)


@pytest.mark.parametrize(
    ("kind", "accepted", "outlying", "due"),
    [
        ("pickup", "2026-03-02 09:00", False, "2026-03-03"),
        ("pickup", "2026-03-02 16:29:59", False, "2026-03-03"),
        ("pickup", "2026-03-02 16:30", False, "2026-03-04"),  # too late for today
        ("pickup", "2026-03-07 09:00", False, "2026-03-10"),  # Saturday: as of Monday
        ("dossier", "2026-03-02 09:00", False, "2026-03-04"),
        ("dossier", "2026-03-02 09:00", True, "2026-03-05"),  # to Thổ Châu
        ("dossier", "2026-03-05 17:00", True, "2026-03-11"),
        ("result", "2026-02-13 09:00", False, "2026-02-24"),  # the last day before Tet
        ("result", "2025-04-25 10:00", False, "2025-04-28"),  # by a Saturday worked
        ("fetch", "2026-03-02 09:00", True, "2026-03-03"),
    ],
)
def test_a_promise_is_a_day(kind: str, accepted: str, outlying: bool, due: str) -> None:
    assert promise(kind, at(accepted), outlying=outlying) == day(due)


def test_the_day_is_that_of_vietnam() -> None:
    # Half past five in the afternoon of Sunday in London: half past midnight, Monday.
    sunday = datetime(2026, 3, 1, 17, 30, tzinfo=UTC)
    assert promise(Kind.PICKUP, sunday) == day("2026-03-03")


def test_terms_are_set_and_not_law() -> None:
    terms = Terms(town=5, cut_off=time(12))
    assert promise("dossier", at("2026-03-02 11:00"), terms=terms) == day("2026-03-09")
    assert promise("dossier", at("2026-03-02 13:00"), terms=terms) == day("2026-03-10")


@pytest.mark.parametrize("kind", ["", "letter", "DOSSIER"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Kind"):
        promise(kind, at("2026-03-02 09:00"))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        promise("pickup", datetime(2026, 3, 2, 9))  # noqa: DTZ001
    with pytest.raises(ValueError, match="forwards"):
        add_working_days(day("2026-03-02"), -1)


class TestCounting:
    @given(days, counts)
    def test_the_end_is_worked_and_the_count_is_right(
        self, start: date, count: int
    ) -> None:
        end = add_working_days(start, count)
        assert calendar().works(end)
        assert calendar().working_days_between(start, end) == count

    @given(days, counts, st.integers(0, 30))
    def test_counting_on_is_counting_further(
        self, start: date, one: int, more: int
    ) -> None:
        whole = add_working_days(start, one + more)
        assert add_working_days(add_working_days(start, one), more) == whole

    @given(days, days, counts)
    def test_who_starts_later_never_ends_earlier(
        self, one: date, other: date, count: int
    ) -> None:
        early, late = sorted((one, other))
        assert add_working_days(early, count) <= add_working_days(late, count)

    @given(days)
    def test_the_next_working_day_has_only_days_off_before_it(
        self, start: date
    ) -> None:
        following = promises.next_working_day(start)
        assert calendar().working_days_between(start, following) == 1
        assert following - start <= timedelta(days=11)


class TestPromises:
    @given(moments, st.sampled_from(Kind), st.booleans())
    def test_a_promise_falls_on_a_working_day_after_today(
        self, accepted: datetime, kind: Kind, outlying: bool
    ) -> None:
        due = promise(kind, accepted, outlying)
        assert calendar().works(due)
        assert due > accepted.date()
        assert due == promise(kind, accepted.astimezone(UTC), outlying)

    @given(moments, moments, st.sampled_from(Kind))
    def test_who_comes_later_is_never_served_earlier(
        self, one: datetime, other: datetime, kind: Kind
    ) -> None:
        early, late = sorted((one, other))
        assert promise(kind, early) <= promise(kind, late)
        assert promise(kind, early) <= promise(kind, early, outlying=True)


class TestHours:
    @pytest.mark.parametrize(
        ("start", "end", "hours"),
        [
            ("2026-03-02 09:00", "2026-03-02 11:30", 2.5),
            ("2026-03-02 16:00", "2026-03-03 08:00", 2),  # over night
            ("2026-03-06 16:00", "2026-03-09 08:00", 2),  # over a week-end
            ("2026-02-13 16:00", "2026-02-23 08:00", 2),  # over Tet
            ("2026-03-07 09:00", "2026-03-08 18:00", 0),
            ("2026-03-02 05:00", "2026-03-02 23:00", 10),
            ("2026-03-02 11:00", "2026-03-02 09:00", 0),
        ],
    )
    def test_only_hours_of_work_count(self, start: str, end: str, hours: float) -> None:
        assert calendar().working_hours_between(at(start), at(end)) == hours

    def test_opening_hours_are_the_offices(self) -> None:
        hours = calendar().working_hours_between(
            at("2026-03-02 05:00"), at("2026-03-02 23:00"), time(8), time(20)
        )
        assert hours == 12

    @given(moments, st.lists(st.timedeltas(timedelta(0), timedelta(9)), max_size=3))
    def test_parts_add_up_to_the_whole(
        self, start: datetime, parts: list[timedelta]
    ) -> None:
        between = calendar().working_hours_between
        total, here = 0.0, start
        for part in parts:
            total += between(here, here + part)
            here += part
        assert between(start, here) == pytest.approx(total, abs=1e-6)
        assert 0 <= between(start, here) <= (here - start) / timedelta(hours=1) + 1e-9


class TestTable:
    def test_it_covers_the_years_it_should(self) -> None:
        assert calendar().known_through == 2027
        for year in (2025, 2026, 2027):
            worked = calendar().working_days_between(
                date(year - 1, 12, 31), date(year, 12, 31)
            )
            assert 247 <= worked <= 251, year

    def test_days_off_that_are_swapped_are_made_up_for(self) -> None:
        rows = read_holidays(HOLIDAYS)
        swapped = [row for row in rows if row.name_en.startswith("Swapped")]
        made_up = [row for row in rows if row.kind == "work"]
        assert len(swapped) == len(made_up) == 3

    def test_no_day_is_told_twice_and_each_has_both_names(self) -> None:
        rows = read_holidays(HOLIDAYS)
        assert len({row.day for row in rows}) == len(rows)
        assert all(row.name_vi and row.name_en for row in rows)

    def test_what_the_government_has_not_decided_is_not_called_sure(self) -> None:
        unsure = {row.day for row in read_holidays(HOLIDAYS) if not row.sure}
        assert {"2027-02-10", "2026-11-24"} <= unsure

    def test_a_later_row_says_otherwise(self, tmp_path: Path) -> None:
        table = tmp_path / "province.csv"
        table.write_text(
            "day,kind,sure,name_vi,name_en\n"
            "2026-11-24,work,yes,Không nghỉ,Worked after all\n"
            "2026-07-01,off,yes,Ngày thành lập tỉnh,Day of the province\n",
            encoding="utf-8",
        )
        amended = calendar(table)
        assert amended.works(day("2026-11-24"))
        assert not amended.works(day("2026-07-01"))
        assert not calendar().works(day("2026-11-24"))
        due = promise("pickup", at("2026-06-30 09:00"), days=amended)
        assert due == day("2026-07-02")

    @pytest.mark.parametrize(
        "row",
        ["2026-02-30,off,yes,a,b", "--13-01,off,yes,a,b", "2026-01-01,of,yes,a,b"],
    )
    def test_a_row_that_makes_no_sense_is_refused(
        self, tmp_path: Path, row: str
    ) -> None:
        table = tmp_path / "wrong.csv"
        table.write_text(f"day,kind,sure,name_vi,name_en\n{row}\n", encoding="utf-8")
        with pytest.raises(ValueError, match=r"month|day|must be off"):
            read_holidays(table)

    def test_without_holidays_a_week_has_five_days(self) -> None:
        plain = Calendar.of(
            [Holiday("--12-25", "off", True, "Giáng sinh", "Christmas")]
        )
        assert plain.working_days_between(day("2026-03-01"), day("2026-03-08")) == 5
        assert not plain.works(day("2030-12-25"))
