"""What the sweep finds: silence, broken promises, ways that nobody goes. Each once."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from postal_track import instructions, irregularities, silence, worker
from postal_track.asks import Way
from postal_track.custody import Kind, Reason, Step
from postal_track.handoffs import Position
from postal_track.irregularities import Ending
from postal_track.promises import add_working_days
from postal_track.slots import Slot
from tests.cast import Cast, scan, travel

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
LONG_XUYEN = Position(10.3661, 105.423, 20)
RACH_GIA = Position(9.99098, 105.1, 20)  # 54 km away


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=LOCAL).astimezone(UTC)


def after(days: int) -> datetime:
    """Give noon of a working day to come: what was done now was long ago then."""
    return noon(add_working_days(datetime.now(LOCAL).date(), days))


async def kinds(database: Any) -> list[str]:
    rows = await database.fetch("SELECT kind FROM irregularity ORDER BY id")
    return [row["kind"] for row in rows]


async def told(database: Any) -> list[str]:
    rows = await database.fetch(
        "SELECT body FROM sms_message WHERE template = 'S12_late' ORDER BY id"
    )
    return [row["body"] for row in rows]


# Silence


async def test_an_item_without_news_is_flagged_once_for_each_silence(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "accepted")
    assert await silence.find_silence(after(1)) == 0
    assert await silence.find_silence(after(4)) == 1
    assert await silence.find_silence(after(5)) == 0
    (case,) = (await irregularities.listed(cast.alice)).cases
    assert case.kind is Kind.SILENT
    await irregularities.end(case.id, Ending.OTHER, "đã gọi bưu tá", cast.alice)
    assert await silence.find_silence(after(6)) == 0


async def test_several_sweeps_at_once_flag_it_once(cast: Cast, database: Any) -> None:
    for _ in range(3):
        await travel(cast, "accepted")
    found = await asyncio.gather(*(silence.find_silence(after(4)) for _ in range(4)))
    assert sum(found) == 3
    assert await kinds(database) == [Kind.SILENT] * 3


async def test_days_off_are_silent_anyway(cast: Cast, database: Any) -> None:
    await travel(cast, "accepted")
    friday = noon(date(2026, 11, 27))
    await database.execute("UPDATE item SET last_at = $1", friday)
    assert await silence.find_silence(noon(date(2026, 11, 30))) == 0  # Monday
    assert await silence.find_silence(noon(date(2026, 12, 1))) == 1


@pytest.mark.parametrize("until", ["booked", "received", "registered"])
async def test_what_nobody_carries_may_be_silent(cast: Cast, until: str) -> None:
    await travel(cast, until)
    assert await silence.find_silence(after(9)) == 0


async def test_what_waits_at_the_counter_or_is_searched_for_may_be_silent(
    cast: Cast,
) -> None:
    held, missed = await travel(cast, "brought"), await travel(cast, "accepted")
    await scan(cast.bob, held, Step.HELD)
    await scan(cast.bob, missed, Step.MISSED, reason=Reason.NOT_FOUND)
    assert await silence.find_silence(after(5)) == 0


async def test_what_nobody_fetched_in_time_and_nobody_took_back_is_asked_after(
    cast: Cast, database: Any
) -> None:
    held = await travel(cast, "brought")
    await scan(cast.bob, held, Step.HELD)
    assert await silence.find_silence(after(12)) == 1
    await scan(cast.bob, held, Step.RELEASED, to=cast.charlie.place)
    assert await silence.find_silence(after(12)) == 0


async def test_what_its_citizen_wants_on_a_later_day_may_be_silent_until_then(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "brought")
    dossier = await database.fetchval("SELECT id FROM dossier")
    wanted = Slot(after(6).astimezone(LOCAL).date())
    await instructions.set_slot(database, dossier, Way.DELIVERY, wanted, None)
    assert await silence.find_silence(after(5)) == 0
    assert await silence.find_silence(after(7)) == 1


async def test_a_silence_ends_by_itself_with_the_next_news(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    await silence.find_silence(after(4))
    assert await silence.end_silences(datetime.now(UTC)) == 0
    await scan(cast.bob, waybill, Step.ARRIVED)
    assert await silence.end_silences(datetime.now(UTC)) == 1
    row = await database.fetchrow("SELECT ended_by, outcome FROM irregularity")
    assert tuple(row) == (cast.bob.staff, "found")
    assert await silence.find_silence(after(4)) == 1  # another one


async def test_news_that_it_is_missing_ends_no_silence(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    await silence.find_silence(after(4))
    await scan(cast.bob, waybill, Step.MISSED, reason=Reason.NOT_FOUND)
    assert await silence.end_silences(datetime.now(UTC)) == 0


async def test_a_misrouted_item_that_goes_on_is_no_longer_misrouted(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "out")
    await scan(cast.carol, waybill, Step.RECEIVED)
    assert await silence.end_detours(datetime.now(UTC)) == 0
    await scan(cast.carol, waybill, Step.RELEASED, to=cast.amy.party)
    assert await silence.end_detours(datetime.now(UTC)) == 0
    await scan(cast.amy, waybill, Step.TAKEN)
    assert await silence.end_detours(datetime.now(UTC)) == 1
    row = await database.fetchrow(
        "SELECT ended_by, outcome FROM irregularity WHERE kind = 'misrouted'"
    )
    assert tuple(row) == (cast.amy.staff, "reforwarded")


# Promises


async def promised(database: Any, waybill: str, days: int) -> None:
    day = datetime.now(LOCAL).date() + timedelta(days=days)
    await database.execute(
        "UPDATE item SET promised_on = $2 WHERE waybill = $1", waybill, day
    )


async def test_a_broken_promise_is_told_once(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "accepted")
    await promised(database, waybill, 0)
    now = datetime.now(UTC)
    assert await silence.tell_of_broken_promises(now) == 0  # the day is not over
    await promised(database, waybill, -1)
    found = await asyncio.gather(
        *(silence.tell_of_broken_promises(now) for _ in range(3))
    )
    assert sum(found) == 1
    (text,) = await told(database)
    again = add_working_days(datetime.now(LOCAL).date(), 1)
    assert f"{again:%d/%m}" in text


async def test_a_new_promise_that_is_broken_is_told_again(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    for days in (-2, -1):
        await promised(database, waybill, days)
        await silence.tell_of_broken_promises(datetime.now(UTC))
    assert len(await told(database)) == 2


@pytest.mark.parametrize("days", [-40, 1])
async def test_what_is_not_late_or_no_news_any_more_is_not_told(
    cast: Cast, database: Any, days: int
) -> None:
    waybill = await travel(cast, "accepted")
    await promised(database, waybill, days)
    assert await silence.tell_of_broken_promises(datetime.now(UTC)) == 0


async def test_who_was_told_of_a_pickup_in_vain_is_not_told_twice(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    await scan(cast.alice, waybill, Step.PICKUP_FAILED, reason=Reason.ABSENT)
    await promised(database, waybill, -1)
    assert await silence.tell_of_broken_promises(datetime.now(UTC)) == 0
    assert len(await told(database)) == 1


async def test_what_has_arrived_is_not_late(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "received")
    await promised(database, waybill, -1)
    assert await silence.tell_of_broken_promises(datetime.now(UTC)) == 0


# Ways that nobody goes


async def along(
    cast: Cast, minutes: float, there: Position = RACH_GIA, **more: Any
) -> str:
    """Let Alice scan two items, so far apart and so many minutes; the second one."""
    first = await travel(cast, "accepted", days_ago=0.1)
    second = await travel(cast, "accepted", days_ago=0.1)
    now = datetime.now(UTC)
    then = now - timedelta(minutes=minutes)
    who = more.get("who", cast.alice)
    await scan(cast.alice, first, Step.TAKEN, then, position=LONG_XUYEN)
    await scan(who, second, Step.TAKEN, now, position=there)
    return second


async def test_two_scans_too_far_apart_for_the_time_between_are_flagged_once(
    cast: Cast, database: Any
) -> None:
    second = await along(cast, minutes=5)
    found = await asyncio.gather(
        *(silence.find_impossible_ways(datetime.now(UTC)) for _ in range(3))
    )
    assert sum(found) == 1
    row = await database.fetchrow(
        """
        SELECT waybill, owner, detail FROM irregularity r JOIN item i ON i.id = r.item
        WHERE kind = 'wrong_place'
        """
    )
    assert tuple(row) == (second, str(cast.alice.place), "55 km / 5 min")
    again = datetime.now(UTC) + timedelta(hours=1)
    assert await silence.find_impossible_ways(again) == 0


@pytest.mark.parametrize(
    ("minutes", "there"),
    [
        (40, RACH_GIA),  # 82 km/h
        (0.1, Position(10.3761, 105.423, 20)),  # about a kilometre: a phone errs
        (1, Position(9.99098, 105.1, 60_000)),  # it does not know where it is
    ],
)
async def test_what_can_be_is_not_flagged(
    cast: Cast, minutes: float, there: Position
) -> None:
    await along(cast, minutes, there)
    assert await silence.find_impossible_ways(datetime.now(UTC)) == 0


async def test_two_persons_may_be_in_two_places(cast: Cast) -> None:
    await along(cast, 1, who=cast.amy)
    assert await silence.find_impossible_ways(datetime.now(UTC)) == 0


async def test_a_scan_that_comes_late_is_held_against_both_its_neighbours(
    cast: Cast, database: Any
) -> None:
    now = datetime.now(UTC)
    waybills = [await travel(cast, "accepted", days_ago=0.1) for _ in range(3)]
    ways = [(20, LONG_XUYEN), (0, LONG_XUYEN), (10, RACH_GIA)]
    for waybill, (minutes, there) in zip(waybills, ways, strict=True):
        then = now - timedelta(minutes=minutes)
        await scan(cast.alice, waybill, Step.TAKEN, then, position=there)
        await silence.find_impossible_ways(datetime.now(UTC))
    flagged = await database.fetch(
        """
        SELECT waybill FROM irregularity r JOIN item i ON i.id = r.item
        WHERE kind = 'wrong_place' ORDER BY waybill
        """
    )
    assert [row["waybill"] for row in flagged] == sorted(waybills[1:])


async def test_one_sweep_looks_for_all_of_it(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "accepted")
    await promised(database, waybill, -1)
    await along(cast, minutes=5)
    assert await silence.sweep() == silence.Swept(late=1, apart=1)
    assert await silence.sweep() == silence.Swept()


async def test_the_worker_sweeps_once_it_has_its_database(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    await promised(database, waybill, -1)
    await worker.watch({})
    assert await told(database) == []
    await worker.watch({"courier": object()})
    assert len(await told(database)) == 1
    assert "watch" in {
        job.coroutine.__name__ for job in worker.WorkerSettings.cron_jobs
    }
