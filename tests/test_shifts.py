"""Going home: nothing held, or each item explained; and who went home with what."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from playwright.async_api import Page

from postal_track import shifts
from postal_track.boards import midnight, today
from postal_track.custody import Step
from postal_track.errors import BadInput, NotAllowed
from postal_track.shifts import Stay, Why
from routes.shifts import REASONS
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, scan, travel, visitor
from tests.forms import fields

NOTHING = Why(None)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def with_alice(cast: Cast, number: int) -> list[str]:
    return [await travel(cast, "out") for _ in range(number)]


async def count(database: Any, table: str) -> int:
    return int(await database.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608


async def test_every_item_is_explained_or_nobody_goes_home(
    cast: Cast, database: Any
) -> None:
    one, two, three = await with_alice(cast, 3)
    said = {
        one: Why(Stay.TOMORROW),
        two: Why(Stay.OTHER),
        "DH999999999VN": Why(Stay.SAFE),  # not hers: of no account
    }
    with pytest.raises(BadInput) as fault:
        await shifts.end(uuid4(), cast.alice, said, NOTHING)
    assert {each.field for each in fault.value.problems} == {two, three}
    assert await count(database, "shift_end") == 0
    said[two] = Why(Stay.OTHER, "Khách hẹn sáng mai")
    id = uuid4()
    assert await shifts.end(id, cast.alice, said, Why(Stay.WEATHER)) == 3
    assert await shifts.end(id, cast.alice, {}, NOTHING) == 3  # told twice
    rows = await database.fetch(
        """
        SELECT i.waybill, l.reason, l.note FROM shift_line l
        JOIN item i ON i.id = l.item ORDER BY i.id
        """
    )
    assert [tuple(row) for row in rows] == [
        (one, "tomorrow", ""),
        (two, "other", "Khách hẹn sáng mai"),
        (three, "weather", ""),
    ]


async def test_of_one_form_sent_twice_at_once_one_end_is_written(
    cast: Cast, database: Any
) -> None:
    await with_alice(cast, 2)
    id, why = uuid4(), Why(Stay.SAFE)
    told = await asyncio.gather(
        *(shifts.end(id, cast.alice, {}, why) for _ in range(4))
    )
    assert told == [2] * 4
    assert await count(database, "shift_line") == 2


async def test_who_holds_nothing_goes_home_without_a_word(
    cast: Cast, database: Any
) -> None:
    (waybill,) = await with_alice(cast, 1)
    await scan(cast.charlie, waybill, Step.RECEIVED)
    assert (await shifts.shift(cast.alice)).total == 0
    assert await shifts.end(uuid4(), cast.alice, {}, NOTHING) == 0
    assert (await shifts.shift(cast.alice)).ended_at is not None
    assert await count(database, "shift_line") == 0


async def test_a_clerk_answers_for_the_counter_a_carrier_for_himself(
    cast: Cast,
) -> None:
    on_the_road = await travel(cast, "out")
    at_the_counter = await travel(cast, "arrived")

    async def held(actor: Any) -> list[str]:
        return [each.waybill for each in (await shifts.shift(actor)).kept]

    assert await held(cast.alice) == [on_the_road]
    assert await held(cast.bob) == await held(cast.dora) == [at_the_counter]
    assert await held(cast.ben) == await held(cast.dean) == []
    for actor in (cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await shifts.shift(actor)
        with pytest.raises(NotAllowed):
            await shifts.end(uuid4(), actor, {}, NOTHING)


async def test_what_is_promised_is_still_the_givers_to_explain(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    await scan(cast.alice, waybill, Step.RELEASED, to=cast.bob.place)
    (kept,) = (await shifts.shift(cast.alice)).kept
    assert kept.likely is Stay.AWAITING
    with pytest.raises(BadInput):
        await shifts.end(uuid4(), cast.alice, {}, NOTHING)


async def test_going_home_moves_nothing(cast: Cast, database: Any) -> None:
    await with_alice(cast, 1)
    before = await database.fetch("SELECT * FROM item")
    events = await count(database, "event")
    await shifts.end(uuid4(), cast.alice, {}, Why(Stay.SAFE))
    assert await database.fetch("SELECT * FROM item") == before
    assert await count(database, "event") == events


async def test_what_was_said_stays_said(cast: Cast, database: Any) -> None:
    await with_alice(cast, 1)
    await shifts.end(uuid4(), cast.alice, {}, Why(Stay.OTHER, "Gọi 0912345678"))
    for statement in (
        "UPDATE shift_end SET ended_at = now()",
        "DELETE FROM shift_line",
        "DELETE FROM shift_end",
        "UPDATE shift_line SET reason = 'safe'",
        "UPDATE shift_line SET note = 'x'",
    ):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await database.execute(statement)
    await database.execute("UPDATE shift_line SET note = ''")  # but erased it may be


async def test_a_supervisor_sees_who_went_home_with_what(cast: Cast) -> None:
    mine = await with_alice(cast, 2)
    there = await travel(cast, "booked", agency="OTHER", office="CD")
    yesterday = midnight(today()) - timedelta(hours=3)
    await shifts.end(uuid4(), cast.amy, {}, NOTHING, yesterday)
    await shifts.end(uuid4(), cast.alice, {}, Why(Stay.TOMORROW))
    now = await shifts.went_home(cast.dora, today())
    ((office, (told,)),) = now.by_office
    assert (office, told.staff) == (cast.alice.place, cast.alice.party)
    assert [line.waybill for line in told.lines] == mine
    assert there not in [line.waybill for line in told.lines]
    before = today() - timedelta(days=1)
    assert (await shifts.went_home(cast.dora, before)).ends == []
    (past,) = (await shifts.went_home(cast.dean, before)).ends
    assert (past.staff, past.lines) == (cast.amy.party, [])
    for actor in (cast.alice, cast.bob, cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await shifts.went_home(actor, today())


async def test_who_holds_and_said_nothing_today_is_named(cast: Cast) -> None:
    (one,) = await with_alice(cast, 1)
    await travel(cast, "arrived")
    # What was explained yesterday is to be explained again today.
    yesterday = midnight(today()) - timedelta(hours=3)
    await shifts.end(uuid4(), cast.alice, {}, Why(Stay.SAFE), yesterday)

    async def silent(actor: Any) -> set[tuple[str, int]]:
        found = await shifts.went_home(actor, today())
        return {(str(each.holder), each.items) for each in found.silent}

    counter = (str(cast.bob.place), 1)
    assert await silent(cast.dora) == {(str(cast.alice.party), 1), counter}
    await shifts.end(uuid4(), cast.alice, {one: Why(Stay.TOMORROW)}, NOTHING)
    assert await silent(cast.dora) == await silent(cast.dean) == {counter}
    await with_alice(cast, 1)  # taken after she had gone home
    assert await silent(cast.dora) == {(str(cast.alice.party), 1), counter}
    earlier = await shifts.went_home(cast.dora, today() - timedelta(days=1))
    assert earlier.silent == []


async def test_what_lies_beyond_the_page_goes_by_the_one_reason(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shifts, "LISTED", 1)
    first, second = await with_alice(cast, 2)
    shown = await shifts.shift(cast.alice)
    assert ([each.waybill for each in shown.kept], shown.total) == ([first], 2)
    with pytest.raises(BadInput) as fault:
        await shifts.end(uuid4(), cast.alice, {first: Why(Stay.SAFE)}, NOTHING)
    assert [each.field for each in fault.value.problems] == [second]


# The pages


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == set(Stay)


async def test_the_form_keeps_what_was_typed_and_ends_once(
    cast: Cast, server: str, database: Any
) -> None:
    one, two = await with_alice(cast, 2)
    async with await visitor(cast.alice, "en") as client:
        page = (await client.get("/shift")).text
        assert "You hold 2 items" in page
        form = fields(page, "/shift") | {
            f"reason.{one}": "other",
            f"note.{one}": "Ngày mai khách về",
            f"reason.{two}": "",
        }
        short = await client.post("/shift", data=form)
        form[f"reason.{two}"] = "safe"
        done = await client.post("/shift", data=form)
        again = await client.post("/shift", data=form)
        after = (await client.get(done.headers["location"])).text
    assert short.status_code == 422
    assert short.text.count("Hand it over, or say why you still hold it.") == 1
    assert 'value="Ngày mai khách về"' in short.text
    assert done.headers["location"] == again.headers["location"] == "/shift?ended=2"
    assert "Items still held and explained: 2" in after
    assert await count(database, "shift_end") == 1


async def test_pages_are_for_whom_they_concern(cast: Cast, server: str) -> None:
    for actor, own, all_ in (
        (cast.alice, 200, 403),
        (cast.bob, 200, 403),
        (cast.dora, 200, 200),
        (cast.dean, 200, 200),
        (cast.charlie, 403, 403),
        (cast.eve, 403, 403),
    ):
        async with await visitor(actor) as client:
            assert (await client.get("/shift")).status_code == own, actor.login
            assert (await client.get("/shifts")).status_code == all_, actor.login
    async with await visitor(cast.dora) as client:
        assert (await client.get("/shifts?on=31/31/2026")).status_code == 422
        assert (await client.get("/shifts?on=2026-01-31")).status_code == 200


async def test_a_shift_ends_in_a_browser(cast: Cast, page: Page) -> None:
    waybill, _ = await with_alice(cast, 2)
    await travel(cast, "arrived")
    await enter(page, cast.alice)
    await page.goto("/held")
    await page.get_by_role("link", name="Chốt ca").click()
    await page.get_by_role("button", name="Chốt ca, về").click()
    await page.get_by_text("Chưa chốt được").wait_for()
    await assert_accessible(page)
    await page.locator(f"#reason-{waybill}").select_option("other")
    await page.locator(f"#note-{waybill}").fill("Hẹn chủ nhà")
    await page.get_by_label("Lý do chung").select_option("tomorrow")
    await page.get_by_role("button", name="Chốt ca, về").click()
    await page.wait_for_url("**/shift?ended=2")
    await assert_accessible(page)
    await enter(page, cast.dora)
    await page.goto("/shifts")
    await page.get_by_text("Hẹn chủ nhà").wait_for()
    await assert_accessible(page)
    await page.goto("/shifts?lang=en&on=2026-01-31")
    await assert_accessible(page)
