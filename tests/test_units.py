"""Units: officers of several, the one they work for, and what a chief sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from playwright.async_api import Page

from postal_track import desk, staff, units
from postal_track.boards import today
from postal_track.custody import Party, PartyKind, Step
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, NotYourPlace
from postal_track.staff import Actor, actor_of
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, token_of, travel, visitor


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def again(actor: Actor) -> Actor:
    async with transaction() as connection:
        return await actor_of(connection, actor.staff)


def agency(number: int) -> Party:
    return Party(PartyKind.AGENCY, number)


async def test_an_officer_of_two_units_acts_for_both(cast: Cast) -> None:
    here = await travel(cast, "out")
    await units.join(cast.frank, cast.agency, "carol")
    carol = await again(cast.carol)
    assert carol.places == {agency(cast.agency), agency(cast.other_agency)}
    (slip,) = (await desk.desk(carol)).arriving.slips
    assert slip.waybill == here
    await units.leave(cast.frank, cast.agency, cast.carol.staff)
    assert (await again(cast.carol)).places == {agency(cast.other_agency)}


async def test_the_session_keeps_the_unit_one_works_for(cast: Cast) -> None:
    await units.join(cast.frank, cast.other_agency, "charlie")
    token = await token_of(cast.charlie)
    charlie = await staff.whose(token)
    assert (charlie.unit, charlie.place) == (None, agency(cast.agency))
    await staff.choose_unit(token, cast.other_agency, charlie)
    charlie = await staff.whose(token)
    assert charlie.unit == charlie.place == agency(cast.other_agency)
    assert len(charlie.places) == 2  # what he may do is unchanged
    await travel(cast, "out")
    assert (await desk.desk(charlie)).arriving.total == 0
    await staff.choose_unit(token, None, charlie)
    assert (await desk.desk(await staff.whose(token))).arriving.total == 1
    with pytest.raises(NotYourPlace):
        await staff.choose_unit(token, cast.agency, cast.carol)


async def test_who_was_taken_out_of_his_unit_works_for_it_no_longer(cast: Cast) -> None:
    await units.join(cast.frank, cast.other_agency, "charlie")
    token = await token_of(cast.charlie)
    await staff.choose_unit(token, cast.other_agency, await staff.whose(token))
    await units.leave(cast.frank, cast.other_agency, cast.charlie.staff)
    charlie = await staff.whose(token)  # the very next request
    assert charlie.unit is None
    assert charlie.places == {agency(cast.agency)}


async def test_an_offices_supervisor_manages_the_units_it_serves(cast: Cast) -> None:
    await units.join(cast.dora, cast.agency, "carol", chief=True)
    for act in (
        units.join(cast.dora, cast.other_agency, "charlie"),
        units.leave(cast.dora, cast.other_agency, cast.carol.staff),
        units.lead(cast.dora, cast.agency, cast.alice.staff, chief=True),
    ):
        with pytest.raises(NotFound):
            await act
    for nobody in (cast.bob, cast.charlie, cast.eve, cast.alice):
        with pytest.raises(NotAllowed):
            await units.join(nobody, cast.agency, "carol")
    with pytest.raises(BadInput):
        await units.join(cast.dora, cast.agency, "alice")  # a carrier
    seen = await units.memberships(cast.dora)
    assert [roster.agency for roster in seen.rosters] == [cast.agency]
    assert {m.login: m.chief for m in seen.rosters[0].members} == {
        "carol": True,
        "charlie": False,
    }
    assert [change.change for change in seen.changes] == ["chief", "joined"]


async def test_the_same_change_twice_is_kept_once(cast: Cast, database: Any) -> None:
    for _ in range(2):
        await units.join(cast.frank, cast.agency, "Carol ", chief=True)
        await units.lead(cast.frank, cast.agency, cast.carol.staff, chief=True)
    rows = await database.fetch("SELECT change FROM membership_change ORDER BY id")
    assert [row["change"] for row in rows] == ["joined", "chief"]
    with pytest.raises(asyncpg.PostgresError):
        await database.execute("UPDATE membership_change SET by = staff")


async def test_a_chief_sees_who_confirmed_what_and_what_lies_open(cast: Cast) -> None:
    await units.lead(cast.frank, cast.agency, cast.charlie.staff, chief=True)
    await travel(cast, "received")
    await travel(cast, "registered", code="A-1", due_on=today() + timedelta(days=3))
    late = await travel(
        cast, "registered", code="A-2", due_on=today() - timedelta(days=1), days_ago=4
    )
    chief = await again(cast.charlie)
    seen = await units.work(chief, agency(cast.agency))
    (worker,) = seen.workers
    assert worker.said == {Step.RECEIVED: 3, Step.REGISTERED: 2}
    assert (worker.unregistered, worker.in_work, worker.late) == (1, 2, 1)
    assert len(seen.deeds) == 5
    assert late in {deed.waybill for deed in seen.deeds}
    await units.join(cast.frank, cast.agency, "carol")
    await units.leave(cast.frank, cast.agency, cast.charlie.staff)
    await units.lead(cast.frank, cast.agency, cast.carol.staff, chief=True)
    carol = await again(cast.carol)
    gone = {w.login: w.member for w in (await units.work(carol, seen.unit)).workers}
    assert gone == {"carol": True, "charlie": False}  # what he did is still shown
    for outsider in (await again(cast.charlie), cast.dora, cast.eve):
        with pytest.raises(NotFound):
            await units.work(outsider, seen.unit)
    with pytest.raises(BadInput):
        await units.work(carol, seen.unit, today(), today() - timedelta(days=1))


async def test_only_who_may_sees_the_pages(cast: Cast, server: str) -> None:
    wanted = {
        "/memberships": (cast.frank, cast.dora, cast.dean),
        "/unit/people": (),
    }
    for path, allowed in wanted.items():
        for actor in (cast.frank, cast.dora, cast.dean, cast.charlie, cast.eve):
            async with await visitor(actor) as client:
                status = (await client.get(path)).status_code
            assert (status == 200) == (actor in allowed), (path, actor.login)


async def post(actor: Actor, path: str, **form: str) -> httpx.Response:
    async with await visitor(actor) as client:
        return await client.post(path, data=form)


async def test_forms_that_nobody_made_change_nothing(
    cast: Cast, server: str, database: Any
) -> None:
    tried = [
        (cast.frank, "/memberships", {"agency": "x", "login": "carol"}),
        (cast.frank, f"/memberships/{cast.agency}/999999", {"act": "chief"}),
        (cast.frank, f"/memberships/{cast.agency}/{2**40}", {"act": "left"}),
        (cast.frank, f"/memberships/{cast.agency}/1", {"act": "boss"}),
        (cast.charlie, "/memberships", {"agency": str(cast.agency), "login": "carol"}),
        (cast.charlie, "/unit", {"unit": str(cast.other_agency)}),
        (cast.charlie, "/unit", {"unit": "x"}),
    ]
    for actor, path, form in tried:
        assert (await post(actor, path, **form)).status_code in (403, 404), path
    away = await post(cast.charlie, "/unit", unit="", back="//elsewhere.example")
    assert away.headers["location"] == "/"
    assert await database.fetchval("SELECT count(*) FROM membership_change") == 0


async def test_units_in_a_browser(cast: Cast, page: Page) -> None:
    await enter(page, cast.frank)
    await page.goto("/memberships")
    await page.get_by_label("Tên đăng nhập của cán bộ").fill("charlie")
    await page.get_by_label("Đơn vị", exact=True).select_option(str(cast.other_agency))
    await page.get_by_label("Là lãnh đạo đơn vị").check()
    await page.get_by_role("button", name="Đưa vào đơn vị").click()
    await page.get_by_text("Đã ghi thay đổi").wait_for()
    await assert_accessible(page)
    await enter(page, cast.charlie)
    await page.goto("/desk")
    await page.get_by_label("Đơn vị: Mọi đơn vị của tôi").click()
    await assert_accessible(page)
    await page.get_by_role("button", name="Trung tâm hành chính công Châu Đốc").click()
    await page.get_by_label("Đơn vị: Trung tâm hành chính công Châu Đốc").wait_for()
    await page.goto("/unit/people")
    await page.get_by_role("heading", name="Cán bộ của tôi").wait_for()
    await assert_accessible(page)
