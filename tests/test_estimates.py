"""What is expected and when: what is said of a day, what it is learned from, and how
often it holds.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track import estimates, expectations, promises
from postal_track.custody import Leg, Party, PartyKind, Reason, Step
from postal_track.database import transaction
from postal_track.estimates import (
    ENOUGH,
    LONGEST,
    Known,
    Phase,
    Running,
    Scope,
    Spread,
    expect,
    reckon,
    weight,
)
from tests import simulated_ways
from tests.cast import Cast, scan, travel

# A Monday morning in An Giang; Tuesday is the Day of Vietnamese Culture.
MONDAY = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

NEAR, FAR = Spread((0, 60, 35, 5, 0)), Spread((0, 0, 10, 50, 40, 0))


def known(**scopes: Spread) -> Known:
    return Known({(Scope(name), Phase.WAY): each for name, each in scopes.items()})


def day(number: int) -> date:
    return date(2026, 11, number)


class TestWhatIsSaid:
    def test_a_way_that_is_known_has_a_first_a_likely_and_a_last_day(self) -> None:
        told = expect(known(pair=NEAR), Running(Phase.WAY, MONDAY), MONDAY, None)
        assert told
        assert (told.first, told.likely, told.last) == (day(25), day(25), day(26))
        assert (told.scope, told.legs, told.slow) == (Scope.PAIR, 100, False)

    def test_what_took_two_days_already_takes_longer(self) -> None:
        now = MONDAY + timedelta(days=3)  # Thursday: the second working day after
        told = expect(known(pair=NEAR), Running(Phase.WAY, MONDAY), now, None)
        assert told
        assert (told.first, told.likely, told.last) == (day(26), day(26), day(27))

    def test_in_the_evening_the_day_is_over(self) -> None:
        wednesday = Running(Phase.WAY, MONDAY)
        noon = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
        evening = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)
        for now, first in ((noon, day(25)), (evening, day(26))):
            told = expect(known(pair=NEAR), wednesday, now, None)
            assert told
            assert told.first == first

    def test_what_was_tried_today_comes_on_another_day(self) -> None:
        spreads = Known({(Scope.PAIR, Phase.LAST): Spread((80.0, 15.0, 15.0, 0.0))})
        once = expect(spreads, Running(Phase.LAST, MONDAY), MONDAY, None)
        again = expect(spreads, Running(Phase.LAST, MONDAY, True), MONDAY, None)
        assert once
        assert again
        assert (once.first, once.likely) == (day(23), day(23))
        assert (again.first, again.last) == (day(25), day(26))

    def test_a_wait_is_followed_by_the_way(self) -> None:
        both = Known(
            {
                (Scope.PAIR, Phase.WAIT): Spread((0, 50.0, 0, 0, 0)),
                (Scope.PAIR, Phase.WAY): Spread((0, 0, 50.0, 0, 0)),
            }
        )
        told = expect(both, Running(Phase.WAIT, MONDAY), MONDAY, None)
        assert told
        assert told.first == told.last == day(27)

    def test_what_takes_longer_than_nine_in_ten_is_called_slow(self) -> None:
        spread = Spread((0, 100.0, 0, 20.0, 0))
        late = MONDAY + timedelta(days=8)  # five working days
        told = [
            expect(known(pair=spread), Running(Phase.WAY, MONDAY), now, None)
            for now in (MONDAY, MONDAY + timedelta(days=4), late)
        ]
        assert [each and each.slow for each in told] == [False, False, None]

    def test_nothing_is_said_rather_than_a_day_that_has_passed(self) -> None:
        now = MONDAY + timedelta(days=30)
        running = Running(Phase.WAY, MONDAY)
        assert expect(known(pair=NEAR), running, now, day(26)) is None

    def test_without_knowledge_the_promise_stands_until_its_day_is_over(self) -> None:
        running = Running(Phase.WAY, MONDAY)
        told = expect(Known({}), running, MONDAY, day(25))
        assert told
        assert (told.likely, told.scope, told.learned) == (
            day(25),
            Scope.PROMISE,
            False,
        )
        assert expect(Known({}), running, MONDAY + timedelta(days=3), day(25)) is None


class TestFromNearToFar:
    def test_the_nearest_that_is_known_well_enough_counts(self) -> None:
        few = Spread((0, ENOUGH - 1, 0))
        for scopes, scope in (
            ({"pair": NEAR, "district": FAR, "province": FAR}, Scope.PAIR),
            ({"pair": few, "district": FAR, "province": NEAR}, Scope.DISTRICT),
            ({"pair": few, "district": few, "province": FAR}, Scope.PROVINCE),
        ):
            reckoned = reckon(known(**scopes), Phase.WAY, 0)
            assert reckoned
            assert reckoned.scope is scope
        assert reckon(known(pair=few), Phase.WAY, 0) is None

    def test_who_took_longer_than_all_of_the_pair_is_held_against_more(self) -> None:
        reckoned = reckon(known(pair=NEAR, province=FAR), Phase.WAY, 4)
        assert reckoned
        assert reckoned.scope is Scope.PROVINCE

    def test_what_is_past_loses_its_weight(self) -> None:
        assert weight(0) == 1
        assert weight(8) == 0.25

    def test_old_districts_stand_for_wards(self) -> None:
        assert expectations.district("30307") == "An Giang: Long Xuyên"
        assert expectations.district("30742") == "Kiên Giang: Rạch Giá"
        assert expectations.district("") == ""


counts = st.lists(st.floats(0, 50), min_size=2, max_size=LONGEST + 1).map(
    lambda each: Spread(tuple(each))
)


class TestWhatHoldsForAnyPast:
    @given(counts, counts, st.integers(0, LONGEST), st.sampled_from(Phase))
    def test_a_range_is_in_order_and_never_before_what_has_passed(
        self, near: Spread, far: Spread, passed: int, phase: Phase
    ) -> None:
        spreads = {(Scope.PAIR, each): near for each in Phase}
        spreads |= {(Scope.PROVINCE, each): far for each in Phase}
        reckoned = reckon(Known(spreads), phase, passed)
        if reckoned is not None:
            first, likely, last = reckoned.first, reckoned.likely, reckoned.last
            assert passed <= first <= likely <= last < LONGEST

    @given(counts, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
    def test_a_greater_share_takes_no_less_time(
        self, spread: Spread, a: float, b: float
    ) -> None:
        less, more = sorted((a, b))
        earlier, later = spread.quantile(less), spread.quantile(more)
        assert later is None or (earlier is not None and earlier <= later)
        assert spread.earliest(less) <= spread.earliest(more)

    @given(counts, st.integers(0, LONGEST), st.integers(0, LONGEST))
    def test_the_longer_it_took_the_later_it_comes(
        self, spread: Spread, a: int, b: int
    ) -> None:
        less, more = sorted((a, b))
        half = [spread.given(days).quantile(0.5) for days in (less, more)]
        if half[0] is not None and half[1] is not None and more > half[0]:
            assert half[1] >= half[0]

    @given(counts, counts)
    def test_two_stretches_are_known_as_well_as_the_less_known(
        self, one: Spread, other: Spread
    ) -> None:
        both = one.then(other)
        assert both.legs == pytest.approx(min(one.legs, other.legs), abs=1e-6)

    @given(
        st.integers(0, 500 * 24 * 60),
        st.integers(0, 60 * 24 * 60),
    )
    def test_no_day_is_told_that_has_passed(self, begins: int, minutes: int) -> None:
        begun = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=begins)
        now = begun + timedelta(minutes=minutes)
        spread = Spread((20.0,) * LONGEST + (0.0,))
        told = expect(known(pair=spread), Running(Phase.WAY, begun), now, None)
        if told is not None:
            today = now.astimezone(promises.LOCAL).date()
            assert today <= told.first <= told.likely <= told.last


def test_of_ten_legs_eight_come_within_the_range_that_was_told() -> None:
    """The floor of what `docs/estimates.md` says; measured there on more years."""
    made = simulated_ways.legs(seed=7)
    told = simulated_ways.forecasts(made, date(2026, 3, 2), seed=1, every=60)
    assert len(told) > 1000
    inside = sum(each.inside for each in told) / len(told)
    wide = sum(each.days_wide for each in told) / len(told)
    assert inside >= 0.85
    # A range that says nothing would hold, too.
    assert wide < 4.5
    drifting = [e for e in told if e.came >= simulated_ways.SLOWER_FROM]
    assert sum(each.inside for each in drifting) / len(drifting) >= 0.85
    assert not [each for each in told if each.said.first < each.at.date()]


# With the real database


async def learned(now: datetime | None = None) -> int:
    return await expectations.learn(now)


async def expected(waybill: str, now: datetime | None = None) -> Any:
    async with transaction() as connection:
        told = await expectations.expected(
            connection, [waybill], now or datetime.now(UTC)
        )
    return told.get(waybill)


async def test_ended_legs_are_counted_once_and_told_by_place(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "delivered", days_ago=9)
    await travel(cast, "delivered", days_ago=2, code="H01.26-2")
    await travel(cast, "carried", days_ago=2, code="H01.26-3")
    assert await learned() == 5  # three dossiers, two results
    assert await learned() == 5
    rows = await database.fetch(
        "SELECT leg, phase, origin, destination, sum(legs) AS legs FROM leg_count"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
    )
    office, agency = f"office:{cast.long_xuyen}", f"agency:{cast.agency}"
    assert [tuple(row) for row in rows] == [
        *(("dossier", each, office, agency, 3) for each in ("last", "wait", "way")),
        *(("result", each, agency, office, 2) for each in ("last", "wait", "way")),
    ]
    pairs = await database.fetchval("SELECT count(*) FROM pace WHERE scope = 'pair'")
    assert pairs == 6
    total = await database.fetchval(
        "SELECT sum(w) FROM pace, unnest(weights) w WHERE scope = 'province'"
    )
    assert 10 < total <= 15


async def test_sql_counts_days_as_estimates_do(cast: Cast, database: Any) -> None:
    waybills = [
        await travel(cast, "delivered", days_ago=ago / 7, code=f"H01.26-{ago}")
        for ago in range(0, 140, 13)
    ]
    # Spread the moments of each over some days, whatever hour they fall on.
    await database.execute("ALTER TABLE event DISABLE TRIGGER USER")
    await database.execute(
        """
        UPDATE event SET at = at - (10 - seq) * interval '11 hours' - item
            * interval '37 minutes'
        """
    )
    await database.execute("ALTER TABLE event ENABLE TRIGGER USER")
    await database.execute(
        """
        UPDATE item SET since = (SELECT max(at) FROM event e WHERE e.item = item.id
                AND e.step IN ('received', 'delivered')),
            created_at = (SELECT min(at) FROM event e WHERE e.item = item.id)
        """
    )
    await learned()
    rows = await database.fetch(
        """
        SELECT i.created_at AS born, i.since,
            min(e.at) FILTER (WHERE e.step = 'accepted') AS accepted
        FROM item i JOIN event e ON e.item = i.id WHERE i.waybill = ANY($1)
        GROUP BY i.id
        """,
        waybills,
    )
    between = promises.calendar().working_days_between
    ours: dict[tuple[str, int], int] = {}
    for row in rows:
        born = promises.counted_from(row["born"])
        taken = promises.counted_from(row["accepted"])
        ended = promises.calendar().on_or_after(
            row["since"].astimezone(promises.LOCAL).date()
        )
        for phase, days in (
            ("wait", between(born, taken)),
            ("way", between(taken, ended)),
        ):
            ours[phase, days] = ours.get((phase, days), 0) + 1
    theirs = await database.fetch(
        "SELECT phase, days, sum(legs) AS legs FROM leg_count"
        " WHERE leg = 'result' AND phase <> 'last' GROUP BY 1, 2"
    )
    assert {(r["phase"], r["days"]): r["legs"] for r in theirs} == ours
    assert len(ours) > 3


async def remember(database: Any, cast: Cast, leg: Leg, **days: int) -> None:
    """Let many legs between Long Xuyên's office and agency have taken so long."""
    ends = [f"office:{cast.long_xuyen}", f"agency:{cast.agency}"]
    if leg is Leg.RESULT:
        ends.reverse()
    # Weeks that were counted before are left alone, once there is a newer one.
    await database.execute(
        """
        INSERT INTO leg_count (week, leg, phase, origin, destination, days, legs)
        VALUES (date_trunc('week', now())::date, 'slip', 'way', '', '', 1, 1)
        """
    )
    for phase, took in days.items():
        await database.execute(
            """
            INSERT INTO leg_count (week, leg, phase, origin, destination, days, legs)
            VALUES (date_trunc('week', now())::date - 14, $1, $2, $3, $4, $5, 90)
            """,
            *(leg.value, phase, *ends, took),
        )
    await learned()


@pytest.mark.parametrize(
    ("until", "days"),
    [("booked", 3), ("accepted", 2), ("arrived", 2), ("out", 1), ("received", None)],
)
async def test_items_under_way_are_told_by_where_they_are(
    cast: Cast, database: Any, until: str, days: int | None
) -> None:
    await remember(database, cast, Leg.DOSSIER, wait=1, way=2, last=1)
    waybill = await travel(cast, until)
    told = await expected(waybill)
    if days is None:
        assert told is None
        return
    born = await database.fetchval("SELECT created_at FROM item")
    counted = promises.counted_from(born)
    assert told.likely == promises.add_working_days(counted, days)
    assert told.scope is Scope.PAIR


async def test_a_day_that_the_citizen_chose_is_waited_for(
    cast: Cast, database: Any
) -> None:
    await remember(database, cast, Leg.DOSSIER, wait=1, way=2, last=1)
    waybill = await travel(cast, "booked")
    chosen = promises.add_working_days(datetime.now(UTC).date(), 6)
    async with transaction() as connection:
        told = await expectations.expected(
            connection, [waybill], datetime.now(UTC), {waybill: chosen}
        )
    assert told[waybill].likely == promises.add_working_days(chosen, 2)
    later = told[waybill].not_before(chosen + timedelta(days=30))
    assert later.first == later.last == chosen + timedelta(days=30)


async def test_elsewhere_the_province_is_what_is_known(
    cast: Cast, database: Any
) -> None:
    await remember(database, cast, Leg.DOSSIER, wait=1, way=2, last=1)
    waybill = await travel(cast, "booked", agency="OTHER", office="CD")
    told = await expected(waybill)
    assert told.scope is Scope.PROVINCE


async def test_a_kind_that_is_rare_goes_as_the_usual_one_does(
    cast: Cast, database: Any
) -> None:
    await remember(database, cast, Leg.DOSSIER, wait=1, way=2, last=1)
    waybill = await travel(cast, "accepted")
    await database.execute("UPDATE item SET leg = 'supplement'")
    told = await expected(waybill)
    assert told.scope is Scope.PAIR


async def test_what_is_missing_has_no_day(cast: Cast, database: Any) -> None:
    await remember(database, cast, Leg.DOSSIER, wait=1, way=2, last=1)
    waybill = await travel(cast, "arrived")
    await scan(cast.bob, waybill, Step.MISSED, reason=Reason.NOT_FOUND)
    assert await expected(waybill) is None


async def test_nothing_was_learned_yet_then_the_promise_is_told(cast: Cast) -> None:
    told = await expected(await travel(cast, "accepted"))
    assert told.scope is Scope.PROMISE


async def test_a_result_that_is_still_to_come_can_be_looked_forward_to(
    cast: Cast, database: Any
) -> None:
    await remember(database, cast, Leg.RESULT, wait=1, way=1)
    ends = Party(PartyKind.AGENCY, cast.agency), Party(PartyKind.OFFICE, 1)
    office = Party(PartyKind.OFFICE, cast.long_xuyen)
    async with transaction() as connection:
        told = await expectations.expected_after(
            connection, Leg.RESULT, ends[0], office, day(26)
        )
        nothing = await expectations.expected_after(
            connection, Leg.SLIP, ends[0], office, day(26)
        )
    assert told
    assert told.likely == date(2026, 11, 30)
    assert nothing is None


async def test_old_weeks_are_forgotten_and_past_ones_left_alone(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "delivered")
    await learned()
    later = datetime.now(UTC) + timedelta(weeks=6)
    await learned(later)
    assert await database.fetchval("SELECT sum(legs) FROM leg_count") == 6
    weights = await database.fetchval(
        "SELECT sum(w) FROM pace, unnest(weights) w WHERE scope = 'pair'"
    )
    assert 1 < weights < 6
    await learned(later + timedelta(weeks=estimates.WEEKS))
    assert await database.fetchval("SELECT count(*) FROM leg_count") == 0
    assert await database.fetchval("SELECT count(*) FROM pace") == 0
