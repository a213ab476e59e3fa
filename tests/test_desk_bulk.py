"""The desk in parts, and what is done there with many at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Page

from postal_track import desk, errands, handovers
from postal_track.boards import today
from postal_track.custody import Leg, Step
from postal_track.desk import Tab
from postal_track.errands import Errand
from postal_track.errors import Conflict, ForeignCode, ForgedLabel, UnknownWaybill
from postal_track.handovers import Way
from postal_track.labels import own_url as url
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, scan, travel, visitor
from tests.forms import fields, forms
from tests.usb_scanner import scan_by_hand

SOON = today() + timedelta(days=9)


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


def ticks(*waybills: str, place: Any = None) -> dict[str, str]:
    return {f"item.{w}": f"{uuid4()} {place}".removesuffix(" None") for w in waybills}


async def steps(database: Any, step: str) -> int:
    return int(
        await database.fetchval("SELECT count(*) FROM event WHERE step = $1", step)
    )


# Parts


async def test_the_desk_opens_where_most_is_to_be_done(cast: Cast) -> None:
    assert (await desk.lay(cast.charlie)).tab is Tab.ARRIVING  # empty
    await travel(cast, "ready", code="A-1", due_on=SOON)
    assert (await desk.lay(cast.charlie)).tab is Tab.LEAVING
    await travel(
        cast, "registered", code="A-2", due_on=today() - timedelta(days=1), days_ago=4
    )
    await travel(cast, "out")
    laid = await desk.lay(cast.charlie)
    assert laid.tab is Tab.ARRIVING
    totals = {tab: total for tab, total in laid.totals.items() if total}
    assert totals == {Tab.ARRIVING: 1, Tab.WORK: 1, Tab.LEAVING: 1}
    assert {tab for tab, late in laid.late.items() if late} == {Tab.WORK}


async def test_who_stands_at_the_counter_is_seen_with_what_he_brings(
    cast: Cast,
) -> None:
    mine = [await travel(cast, "out") for _ in range(2)]
    offered = await travel(cast, "arrived")
    await scan(cast.bob, offered, Step.RELEASED, to=cast.charlie.place)
    stands = (await desk.lay(cast.charlie, Tab.ARRIVING)).stands
    assert [(s.holder, [x.waybill for x in s.slips]) for s in stands] == [
        (cast.bob.place, [offered]),  # the item lies longest at the office
        (cast.alice.party, mine),
    ] or [(s.holder, [x.waybill for x in s.slips]) for s in stands] == [
        (cast.alice.party, mine),
        (cast.bob.place, [offered]),
    ]
    focused = await desk.lay(cast.charlie, Tab.ARRIVING, mine[1])
    assert focused.section.slips[0].waybill == mine[1]
    assert focused.stands[0].holder == cast.alice.party
    # What one carrier brings is counted blindly before it is received.
    begun = await handovers.begin(
        uuid4(),
        cast.charlie,
        way=Way.COUNT,
        giver=cast.alice.party,
        receiver=cast.charlie.place,
    )
    assert begun.lines is None


async def test_a_scan_finds_its_place_on_the_desk(cast: Cast) -> None:
    out = await travel(cast, "out")
    received = await travel(cast, "received")
    elsewhere = await travel(cast, "delivered")
    assert await desk.locate(cast.charlie, url(out)) == (Tab.ARRIVING, out)
    assert await desk.locate(cast.charlie, f" {received.lower()} ") == (
        Tab.UNREGISTERED,
        received,
    )
    for text, fault in (
        (elsewhere, UnknownWaybill),
        ("8934673123456", ForeignCode),
        (f"HTTP://X/T/{out}/AAAAAAAAAA", ForgedLabel),
    ):
        with pytest.raises(fault):
            await desk.locate(cast.charlie, text)
    with pytest.raises(UnknownWaybill):
        await desk.locate(cast.carol, out)


async def test_the_statutory_time_suggests_the_due_date(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "received")
    (slip,) = (await desk.lay(cast.charlie)).section.slips
    assert slip.suggested is not None
    async with await visitor(cast.charlie) as client:
        page = (await client.get("/desk")).text
    assert f'value="{slip.suggested}"' in page
    assert 'class="agency running"' in page  # and the clock runs in sight
    assert waybill in page


# Refusing


async def test_many_are_refused_each_for_its_own_reason(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [await travel(cast, "out") for _ in range(3)]
    form = ticks(*waybills, place=cast.charlie.place)
    async with await visitor(cast.charlie) as client:
        asked = await client.post("/desk/refusals", data=form)
        assert asked.status_code == 200
        assert await steps(database, "refused") == 0  # ticks alone refuse nothing
        form = fields(asked.text, "/desk/refusals")
        bare = await client.post("/desk/refusals", data=form)
        assert bare.status_code == 422
        form |= {f"reason.{waybills[0]}": "missing_papers", "reason": "other"}
        form |= {f"note.{waybills[1]}": "Sai mẫu đơn"}
        wrong = await client.post("/desk/refusals", data=form)
        assert "Hãy ghi rõ lý do." in wrong.text
        assert 'value="Sai mẫu đơn"' in wrong.text
        assert await steps(database, "refused") == 0
        partly = await client.post("/desk/refusals", data=form | {"mode": "partly"})
        assert partly.status_code == 422  # and the third is asked for again
        assert await steps(database, "refused") == 2
        form |= {f"note.{waybills[2]}": "Không rõ"}
        for _ in range(2):
            done = await client.post("/desk/refusals", data=form)
            assert done.headers["location"] == "/desk?refused=3"
    rows = await database.fetch(
        "SELECT reason FROM event WHERE step = 'refused' ORDER BY reason"
    )
    assert [row["reason"] for row in rows] == ["missing_papers", "other", "other"]


# Asking for papers


async def test_papers_are_asked_of_many_at_once(
    cast: Cast, server: str, database: Any
) -> None:
    bare = await travel(cast, "received")
    work = await travel(cast, "registered", code="A-1", due_on=SOON)
    gone = await travel(cast, "out")
    async with await visitor(cast.charlie) as client:
        asked = await client.post("/desk/supplements", data=ticks(bare, work, gone))
        assert gone not in asked.text
        form = fields(asked.text, "/desk/supplements")
        no_day = await client.post("/desk/supplements", data=form)
        assert no_day.status_code == 422
        form |= {"until": SOON.isoformat(), f"originals.{bare}": "0"}
        none = await client.post("/desk/supplements", data=form)
        assert none.status_code == 422  # nothing is asked for of the first
        count = "SELECT count(*) FROM item WHERE leg = 'supplement'"
        assert await database.fetchval(count) == 0
        form[f"copies.{bare}"] = "2"
        for _ in range(2):
            done = await client.post("/desk/supplements", data=form)
            assert done.headers["location"] == "/desk?supplements=2"
        assert await database.fetchval(count) == 2
        fresh = (await client.post("/desk/supplements", data=ticks(bare))).text
        again = fields(fresh, "/desk/supplements") | {"until": SOON.isoformat()}
        busy = await client.post("/desk/supplements", data=again)
        assert "đang được chuyển" in busy.text
        page = (await client.get("/desk?tab=work")).text
        assert "chờ người dân bổ sung giấy tờ" in page


async def test_of_errands_that_cannot_all_stand_none_is_sent(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "registered", code="A-1", due_on=SOON)
    (slip,) = (await desk.desk(cast.charlie)).in_work.slips
    good = Errand(id=uuid4(), token=slip.token, leg=Leg.SLIP, originals=1, copies=0)
    odd = Errand(
        id=uuid4(), token=slip.token, leg=Leg.TRANSFER, originals=1, copies=0, to="?"
    )
    none = await errands.send_each([good, odd], cast.charlie)
    assert [bool(each.error) for each in none] == [False, True]
    assert [each.waybill for each in none] == ["", ""]
    some = await errands.send_each([good, odd], cast.charlie, partly=True)
    assert some[0].waybill
    same = await errands.send_each([good], cast.charlie)
    assert same[0].waybill == some[0].waybill
    other = Errand(id=uuid4(), token=slip.token, leg=Leg.SLIP, originals=1, copies=0)
    (busy,) = await errands.send_each([other], cast.charlie)
    assert isinstance(busy.error, Conflict)


# Handing over


async def hand_over(
    client: httpx.AsyncClient, to: Any, counted: str, *waybills: str
) -> httpx.Response:
    form = ticks(*waybills) | {"to": str(to), "counted": counted}
    return await client.post("/desk/hand-over", data=form)


async def test_results_are_handed_over_once_they_are_counted(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [
        await travel(cast, "ready", code=f"A-{n}", due_on=SOON) for n in range(2)
    ]
    before = await steps(database, "released")
    async with await visitor(cast.charlie) as client:
        for to, counted in (
            ("", "2"),
            (cast.alice.party, ""),
            (cast.alice.party, "3"),
            (cast.amy.party, "2"),  # of another office
            (cast.charlie.party, "2"),
            ("staff:x", "2"),
        ):
            refused = await hand_over(client, to, counted, *waybills)
            assert refused.status_code == 422, (to, counted)
        assert await steps(database, "released") == before
        done = await hand_over(client, cast.alice.party, "2", *waybills)
        assert done.headers["location"] == "/desk?over=2"
    begun = await handovers.begin(
        uuid4(), cast.alice, way=Way.COUNT, giver=cast.charlie.place
    )
    assert begun.lines is None  # the carrier counts blindly
    counted_ = await handovers.count(begun.id, cast.alice, 2)
    assert {line.waybill for line in counted_.lines or ()} == set(waybills)
    async with await visitor(cast.bob) as client:
        assert (await hand_over(client, cast.alice.party, "0")).status_code == 403


# The browser


async def test_a_desk_is_worked_by_scanner_and_keyboard(cast: Cast, page: Page) -> None:
    out = [await travel(cast, "out") for _ in range(2)]
    ready = await travel(cast, "ready", code="A-9", due_on=SOON)
    await enter(page, cast.charlie)
    await page.goto("/desk")
    await assert_accessible(page)
    await scan_by_hand(page, url(out[1]))
    await page.get_by_role("button", name="Ký nhận các hồ sơ đã chọn (1)").wait_for()
    assert await page.get_by_label(f"Chọn {out[1]}").is_checked()
    await page.get_by_role("button", name="Từ chối các hồ sơ đã chọn").click()
    await page.get_by_label(f"Lý do {out[1]}").select_option("wrong_papers")
    await assert_accessible(page)
    await page.get_by_role("button", name="Từ chối, trả về người dân").click()
    await page.get_by_text("Đã từ chối").wait_for()
    await page.wait_for_load_state("load")
    await scan_by_hand(page, url(ready))  # lies on another part of the desk
    await page.locator(f'[data-waybill="{ready}"][data-focus]').wait_for()
    await page.get_by_label("Bưu tá đến lấy", exact=True).select_option(label="Alice")
    await page.get_by_label("Số phong bì bạn đếm được").fill("1")
    await page.get_by_label(f"Chọn {ready}").check()
    await assert_accessible(page)
    await page.get_by_role("button", name="Bàn giao các bưu gửi đã chọn (1)").click()
    await page.get_by_text("Đã bàn giao").wait_for()
    for tab in Tab:
        await page.goto(f"/desk?tab={tab}")
        await page.get_by_role("heading", level=2).first.wait_for()
    await page.goto("/desk?tab=unregistered")
    await assert_accessible(page)


async def test_a_forged_label_is_known_at_the_desk(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "out")
    form = ticks(waybill, place=cast.charlie.place)
    forged = f"HTTP://X/T/{waybill}/AAAAAAAAAA"
    async with await visitor(cast.charlie) as client:
        answer = await client.post(
            "/desk/receive", data=form | {f"code.{waybill}": forged}
        )
        assert answer.status_code == 409
        page = (await client.get("/desk")).text
        assert forms(page, "/desk/receive")
    kinds = await database.fetch("SELECT kind FROM irregularity")
    assert [row["kind"] for row in kinds] == ["forged_label"]
    assert await steps(database, "received") == 0
