"""What I hold: listed by age, released, recalled, without a script and with one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page

from postal_track.custody import Step
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, scan, travel, visitor


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def held_by(database: Any, waybill: str) -> tuple[str, str | None]:
    row = await database.fetchrow(
        "SELECT holder, released_to FROM item WHERE waybill = $1", waybill
    )
    return row["holder"], row["released_to"]


def row_of(page: str, waybill: str) -> dict[str, str]:
    """The box of a row as a browser would send it when it is ticked."""
    found = re.search(rf'name="item\.{waybill}" value="([^"]+)"', page)
    assert found is not None, f"no box for {waybill}"
    return {f"item.{waybill}": found[1]}


async def test_the_oldest_comes_first_with_its_age(cast: Cast, server: str) -> None:
    young = await travel(cast, "accepted")
    old = await travel(cast, "accepted", days_ago=3)
    other = await travel(cast, "booked")
    async with await visitor(cast.alice, "en") as client:
        page = (await client.get("/held")).text
    waiting, holding = page.split('id="holding"')
    assert other in waiting
    assert holding.index(old) < holding.index(young)
    assert "3 days" in holding


async def test_a_release_keeps_the_giver_answerable_and_can_be_recalled(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [await travel(cast, "accepted") for _ in range(3)]
    two, bob = waybills[:2], str(cast.bob.party)
    async with await visitor(cast.alice) as client:
        page = (await client.get("/held")).text
        form = {"to": bob} | {k: v for w in two for k, v in row_of(page, w).items()}
        done = await client.post("/held/release", data=form)
        assert (done.status_code, done.headers["location"]) == (
            303,
            "/held?released=2",
        )
        assert {await held_by(database, w) for w in two} == {
            (str(cast.alice.party), bob)
        }
        assert await held_by(database, waybills[2]) == (str(cast.alice.party), None)
        page = (await client.get("/held?released=2")).text
        assert "Bob" in page
        done = await client.post("/held/recall", data=row_of(page, two[0]))
        assert done.headers["location"] == "/held?recalled=1"
    assert await held_by(database, two[0]) == (str(cast.alice.party), None)
    async with await visitor(cast.bob) as client:
        page = (await client.get("/held")).text
    assert two[1] in page
    assert two[0] not in page


async def test_a_form_sent_twice_is_written_once(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    async with await visitor(cast.alice) as client:
        page = (await client.get("/held")).text
        form = {"to": str(cast.bob.party)} | row_of(page, waybill)
        for _ in range(2):
            assert (await client.post("/held/release", data=form)).status_code == 303
    told = await database.fetchval("SELECT count(*) FROM event WHERE step = 'released'")
    assert told == 1


async def test_a_release_to_nobody_or_of_nothing_says_what_is_missing(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "accepted")
    async with await visitor(cast.alice) as client:
        ticked = row_of((await client.get("/held")).text, waybill)
        for to in ("", "staff:999", "rubbish", str(cast.eve.party)):
            answer = await client.post("/held/release", data={"to": to} | ticked)
            assert answer.status_code == 422
            assert "Hãy chọn người nhận." in answer.text
            assert re.search(
                rf'name="item\.{waybill}" value="[^"]+" checked', answer.text
            )
        bob = str(cast.bob.party)
        answer = await client.post("/held/release", data={"to": bob})
        assert answer.status_code == 422
        assert "Hãy chọn ít nhất một bưu gửi." in answer.text
        assert f'value="{bob}" selected' in answer.text
        answer = await client.post(
            "/held/release", data={"to": bob, f"item.{waybill}": "not-an-id"}
        )
        assert answer.status_code == 422


async def test_what_somebody_else_has_by_now_is_refused_in_words(
    cast: Cast, server: str, database: Any
) -> None:
    gone, mine = await travel(cast, "accepted"), await travel(cast, "accepted")
    async with await visitor(cast.alice) as client:
        page = (await client.get("/held")).text
        await scan(cast.amy, gone, Step.TAKEN)
        form = {"to": str(cast.bob.party)} | row_of(page, gone) | row_of(page, mine)
        answer = await client.post("/held/release", data=form)
    assert answer.status_code == 409
    assert "Vai trò của bạn không được phép làm việc này." in answer.text
    assert await held_by(database, mine) == (
        str(cast.alice.party),
        str(cast.bob.party),
    )


async def test_a_clerk_speaks_for_the_stock_of_his_counter(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    async with await visitor(cast.bob) as client:
        page = (await client.get("/held")).text
        form = {"to": str(cast.alice.party)} | row_of(page, waybill)
        assert (await client.post("/held/release", data=form)).status_code == 303
    office = f"office:{cast.long_xuyen}"
    assert await held_by(database, waybill) == (office, str(cast.alice.party))


async def test_who_never_holds_has_no_such_page(cast: Cast, server: str) -> None:
    for actor in (cast.eve, cast.frank):
        async with await visitor(actor) as client:
            assert (await client.get("/held")).status_code == 403
            assert (await client.post("/held/release")).status_code == 403
            assert (await client.post("/held/recall")).status_code == 403


async def test_all_rows_are_ticked_at_once_in_a_browser(
    cast: Cast, page: Page, database: Any
) -> None:
    waybills = [await travel(cast, "accepted") for _ in range(3)]
    await scan(cast.alice, waybills[0], Step.RELEASED, to=cast.bob.party)
    await enter(page, cast.alice)
    await page.goto("/held")
    await assert_accessible(page)
    await page.get_by_label("Chọn tất cả").check()
    button = page.get_by_role("button", name="Báo giao các bưu gửi đã chọn (2)")
    await page.get_by_label("Bàn giao cho").select_option(str(cast.bob.party))
    await button.click()
    await page.get_by_text("Đã báo giao: 2").wait_for()
    await assert_accessible(page)
    for waybill in waybills:
        assert await held_by(database, waybill) == (
            str(cast.alice.party),
            str(cast.bob.party),
        )
    await page.get_by_role("button", name=f"Rút lại {waybills[1]}").click()
    await page.get_by_text("Đã rút lại bàn giao.").wait_for()


async def test_an_age_is_said_as_people_say_it() -> None:
    from routes.measured import age, distance

    now = datetime.now(UTC)
    for passed, vietnamese, english in (
        (timedelta(seconds=20), "vừa xong", "under a minute"),
        (timedelta(minutes=1), "1 phút", "1 minute"),
        (timedelta(hours=2, minutes=5), "2 giờ 5 phút", "2 hours 5 minutes"),
        (timedelta(hours=5, minutes=5), "5 giờ", "5 hours"),
        (timedelta(days=1, hours=1), "1 ngày 1 giờ", "1 day 1 hour"),
        (timedelta(days=9, hours=3), "9 ngày", "9 days"),
        (timedelta(minutes=-3), "vừa xong", "under a minute"),
    ):
        assert age(now - passed, now, "vi") == vietnamese
        assert age(now - passed, now, "en") == english
    assert [distance(m, "vi") for m in (7.2, 25, 384, 3_249, 140_200)] == [
        "7 m",
        "25 m",
        "380 m",
        "3,2 km",
        "140 km",
    ]
