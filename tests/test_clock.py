"""The dossier's clock: who used which working hours, and when it stands still."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track import clock, clocks, errands
from postal_track.clock import Clock, Hours, Point, User, Why
from postal_track.custody import Leg, Reason, Stage, Step
from postal_track.database import transaction
from postal_track.errands import Errand
from postal_track.handoffs import Proof
from postal_track.promises import LOCAL
from tests.cast import Cast, assemble, code_for, scan, travel, visitor

D, R, S = Leg.DOSSIER, Leg.RESULT, Leg.SUPPLEMENT


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL)


def point(
    text: str, leg: Leg, step: Step, stage: Stage, reason: Reason | None = None
) -> Point:
    return Point(at(text), leg, f"{leg}-1", step, stage, reason)


# Monday 7 to Friday 11 December 2026: an ordinary week.
WAY_OUT = [
    point("2026-12-07 08:00", D, Step.BOOKED, Stage.BOOKED),
    point("2026-12-07 09:00", D, Step.ACCEPTED, Stage.COLLECTED),
    point("2026-12-07 15:00", D, Step.ARRIVED, Stage.AT_OFFICE),
    point("2026-12-08 08:00", D, Step.OUT, Stage.OUT_FOR_DELIVERY),
    point("2026-12-08 09:00", D, Step.RECEIVED, Stage.RECEIVED),
    point("2026-12-08 10:00", D, Step.REGISTERED, Stage.RECEIVED),
]
READY = point("2026-12-10 09:00", R, Step.READY, Stage.READY)


def users(read: Clock) -> list[tuple[User, float]]:
    return [(span.user, span.hours) for span in read.spans]


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-12-07 07:00", "2026-12-07 17:00", 8),
        ("2026-12-07 10:30", "2026-12-07 13:30", 1),  # the noon break counts nothing
        ("2026-12-07 11:00", "2026-12-07 13:00", 0),
        ("2026-12-07 23:59", "2026-12-08 00:01", 0),  # over midnight
        ("2026-12-07 16:00", "2026-12-08 08:00", 2),
        ("2026-12-08 00:00", "2026-12-09 00:00", 8),  # from midnight to midnight
        ("2026-12-11 16:00", "2026-12-14 08:00", 2),  # over a weekend
        ("2026-02-13 16:00", "2026-02-23 08:00", 2),  # over Tet
        ("2026-08-21 16:00", "2026-08-24 08:00", 10),  # a Saturday worked to make up
        ("2026-08-28 16:00", "2026-09-03 08:00", 2),  # the days it makes up for
        ("2026-12-31 16:00", "2027-01-04 08:00", 2),
        ("2026-12-08 09:00", "2026-12-07 09:00", 0),  # backwards
    ],
)
def test_working_hours_are_counted_by_the_calendar(
    start: str, end: str, hours: float
) -> None:
    assert Hours().between(at(start), at(end)) == pytest.approx(hours)


def test_a_moment_without_a_zone_is_refused() -> None:
    bare = datetime(2026, 12, 7, 8)  # noqa: DTZ001 (on purpose)
    with pytest.raises(ValueError, match="time zone"):
        Hours().between(bare, at("2026-12-07 09:00"))


def test_the_hours_of_a_province_are_its_own() -> None:
    late = Hours(sessions=((time(7, 30), time(11, 30)), (time(13, 30), time(17))))
    assert late.of_a_day == 7.5
    assert late.between(at("2026-12-07 07:00"), at("2026-12-07 18:00")) == 7.5


moments = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 (the zone comes after)
    datetime(2026, 12, 31),  # noqa: DTZ001
    timezones=st.just(LOCAL),
)


@given(st.lists(moments, min_size=3, max_size=3))
def test_a_stretch_is_as_long_as_its_parts(three: list[datetime]) -> None:
    first, second, third = sorted(three)
    hours = Hours()
    parts = hours.between(first, second) + hours.between(second, third)
    assert hours.between(first, third) == pytest.approx(parts)


@given(moments, st.floats(0.1, 200))
def test_hours_end_on_the_day_they_are_used_up(start: datetime, spent: float) -> None:
    hours = Hours()
    last = hours.end_of(start, spent)
    night = datetime.combine(last, time(23, 59), LOCAL)
    before = datetime.combine(last, time(), LOCAL)
    assert hours.between(start, night) >= spent - 1e-6
    assert last == start.date() or hours.between(start, before) <= spent + 1e-6


def test_each_side_answers_for_its_own_hours() -> None:
    read = clock.read(
        [
            *WAY_OUT,
            READY,
            point("2026-12-11 09:00", R, Step.DELIVERED, Stage.DELIVERED),
        ],
        at("2026-12-20 12:00"),
        days=5,
    )
    assert users(read) == [
        (User.POST_OUT, 8),
        (User.AGENCY, 16),
        (User.POST_BACK, 8),
    ]
    assert (read.limit, read.left, read.now, read.runs_out) == (40, 24, None, None)
    assert read.total == 32


def test_before_the_post_has_the_papers_nothing_runs() -> None:
    read = clock.read(WAY_OUT[:1], at("2026-12-09 09:00"), days=5)
    assert read.spans == ()
    assert read.now is None


def test_the_statutory_time_runs_out_on_a_working_day() -> None:
    read = clock.read(WAY_OUT, at("2026-12-08 09:00"), days=5)
    assert read.now is not None
    assert read.now.user is User.AGENCY
    assert read.runs_out == date(2026, 12, 15)  # nine o'clock on the fifth day after
    read = clock.read(WAY_OUT, at("2026-12-12 20:00"), days=3)
    assert (read.over, read.left) == (True, -6)
    assert read.runs_out == date(2026, 12, 11)


def test_asking_for_papers_stops_it_until_they_are_there() -> None:
    asked = [
        point("2026-12-09 09:00", S, Step.BOOKED, Stage.BOOKED),
        point("2026-12-10 09:00", S, Step.ACCEPTED, Stage.COLLECTED),
    ]
    read = clock.read([*WAY_OUT, *asked[:1]], at("2026-12-09 17:00"), days=5)
    assert read.stopped is not None
    assert read.stopped.why is Why.SUPPLEMENT
    assert read.runs_out == date(2026, 12, 15)  # from now on, if nothing stops it more
    there = point("2026-12-10 15:00", S, Step.RECEIVED, Stage.RECEIVED)
    read = clock.read([*WAY_OUT, *asked, there], at("2026-12-11 09:00"), days=5)
    assert users(read) == [
        (User.POST_OUT, 8),
        (User.AGENCY, 8),
        (User.CITIZEN, 8),
        (User.POST_OUT, 4),  # 9 to 11 and 13 to 15
        (User.AGENCY, 4),
    ]
    assert [span.why for span in read.spans][2:4] == [Why.SUPPLEMENT, Why.ON_THE_WAY]
    assert read.used[User.AGENCY] == 12
    assert read.stopped is None


def test_a_refused_supplement_leaves_it_standing() -> None:
    told = [
        point("2026-12-09 09:00", S, Step.BOOKED, Stage.BOOKED),
        point("2026-12-09 15:00", S, Step.REFUSED, Stage.REFUSED),
        point("2026-12-09 15:00", Leg.BRING_BACK, Step.READY, Stage.IN_TRANSIT),
    ]
    read = clock.read([*WAY_OUT, *told], at("2026-12-10 09:00"), days=5)
    assert read.stopped is not None
    assert read.stopped.user is User.CITIZEN


@pytest.mark.parametrize(
    ("reason", "user"),
    [
        (Reason.ABSENT, User.CITIZEN),
        (Reason.CANNOT_PAY, User.CITIZEN),
        (Reason.WEATHER, User.POST_BACK),
        (Reason.OFFICE_CLOSED, User.POST_BACK),
    ],
)
def test_only_the_citizens_own_reasons_stop_the_post(
    reason: Reason, user: User
) -> None:
    told = [
        READY,
        point("2026-12-10 10:00", R, Step.OUT, Stage.OUT_FOR_DELIVERY),
        point("2026-12-10 15:00", R, Step.ATTEMPTED, Stage.ATTEMPTED, reason),
        point("2026-12-10 16:00", R, Step.HELD, Stage.HELD),
    ]
    read = clock.read([*WAY_OUT, *told], at("2026-12-11 09:00"))
    assert read.now is not None
    assert read.now.user is user
    assert (read.limit, read.left, read.over) == (None, None, False)


def test_a_hold_without_a_reason_stops_nothing() -> None:
    held = point("2026-12-10 16:00", R, Step.HELD, Stage.HELD)
    read = clock.read([*WAY_OUT, READY, held], at("2026-12-11 09:00"))
    assert read.now is not None
    assert (read.now.user, read.now.why) == (User.POST_BACK, None)


def test_a_transfer_is_the_posts_and_no_agencys() -> None:
    told = [
        point("2026-12-09 09:00", Leg.TRANSFER, Step.READY, Stage.READY),
        point("2026-12-10 09:00", Leg.TRANSFER, Step.RECEIVED, Stage.RECEIVED),
    ]
    read = clock.read([*WAY_OUT, *told], at("2026-12-10 11:00"), days=5)
    assert users(read)[1:] == [
        (User.AGENCY, 8),
        (User.POST_OUT, 8),
        (User.AGENCY, 2),
    ]
    assert read.spans[2].why is Why.TRANSFER


def test_who_only_has_his_result_brought_handed_his_papers_in_himself() -> None:
    born = at("2026-12-07 09:00")
    read = clock.read(
        [], at("2026-12-08 09:00"), days=5, service="receive", born_at=born
    )
    assert users(read) == [(User.AGENCY, 8)]


def test_refused_papers_go_back_on_the_posts_time() -> None:
    told = [
        *WAY_OUT[:4],
        point("2026-12-08 09:00", D, Step.REFUSED, Stage.REFUSED),
        point("2026-12-08 09:00", Leg.BRING_BACK, Step.READY, Stage.IN_TRANSIT),
        point("2026-12-09 09:00", Leg.BRING_BACK, Step.DELIVERED, Stage.DELIVERED),
    ]
    read = clock.read(told, at("2026-12-20 09:00"), days=5)
    assert [(span.user, span.hours) for span in read.spans if span.hours] == [
        (User.POST_OUT, 8),
        (User.POST_BACK, 8),
    ]
    assert (read.now, read.runs_out) == (None, None)


# Against the ledger


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def clock_of(waybill: str) -> Clock:
    async with transaction() as connection:
        dossier = await connection.fetchval(
            "SELECT dossier FROM item WHERE waybill = $1", waybill
        )
        return (await clocks.of_dossiers(connection, [dossier]))[dossier]


async def test_the_ledger_of_all_legs_is_one_clock(cast: Cast) -> None:
    waybill = await travel(cast, "delivered", days_ago=3)
    read = await clock_of(waybill)
    assert [span.user for span in read.spans] == [
        User.POST_OUT,
        User.AGENCY,
        User.POST_BACK,
    ]
    assert read.now is None


async def test_a_supplement_stops_it_until_the_officer_has_it(cast: Cast) -> None:
    waybill = await travel(cast, "registered", days_ago=1)
    async with transaction() as connection:
        token = await connection.fetchval(
            "SELECT token FROM dossier d JOIN item i ON i.dossier = d.id"
            " WHERE i.waybill = $1",
            waybill,
        )
    until = datetime.now(LOCAL).date() + timedelta(days=9)
    said = Errand(id=uuid4(), token=token, leg=S, originals=1, copies=0, until=until)
    asked = await errands.send(said, cast.charlie)
    stopped = (await clock_of(waybill)).stopped
    assert stopped is not None
    assert stopped.why is Why.SUPPLEMENT
    proof = Proof("code", code=await code_for(asked, "pickup"))
    await scan(cast.alice, asked, Step.ACCEPTED, proof=proof)
    await scan(cast.alice, asked, Step.OUT)
    await scan(cast.charlie, asked, Step.RECEIVED)
    read = await clock_of(waybill)
    assert read.stopped is None
    assert read.now is not None
    assert read.now.user is User.AGENCY


async def test_a_corrected_line_is_not_counted(cast: Cast) -> None:
    waybill = await travel(cast, "received")
    async with transaction() as connection:
        line = await connection.fetchval(
            "SELECT e.id FROM event e JOIN item i ON i.id = e.item"
            " WHERE i.waybill = $1 AND e.step = 'received'",
            waybill,
        )
    await scan(
        cast.charlie,
        waybill,
        Step.CORRECTED,
        corrects=line,
        reason=Reason.DID_NOT_OCCUR,
    )
    read = await clock_of(waybill)
    assert [span.user for span in read.spans] == [User.POST_OUT]


async def test_the_items_page_shows_the_strip(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "registered")
    for lang, said in (("vi", "Cơ quan giải quyết"), ("en", "Statutory time")):
        async with await visitor(cast.charlie, lang) as client:
            page = (await client.get(f"/items/{waybill}")).text
        assert said in page
        assert 'class="agency running"' in page
