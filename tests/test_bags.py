"""Bags on the real database: carried as one, told once, never losing what is inside."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Page

from postal_track import bags, labels, s10
from postal_track.custody import Kind, Party, PartyKind, Reason, Stage, Step
from postal_track.errors import (
    BadInput,
    BadScan,
    Conflict,
    ForgedLabel,
    NotAllowed,
    NotYourPlace,
    UnknownBag,
)
from postal_track.handoffs import Scan, record
from postal_track.staff import Actor
from tests.axe import assert_accessible
from tests.cast import Cast, enter, travel, visitor
from tests.cast import scan as tell
from tests.forms import fields


def said(who: Actor, step: Step, code: str, **more: Any) -> Scan:
    facts: dict[str, Any] = {"id": uuid4(), "at": datetime.now(UTC)} | more
    return Scan(actor=who, step=step, code=code, device="test", **facts)


def hub(cast: Cast) -> Party:
    return Party(PartyKind.OFFICE, cast.hub)


async def packed(
    cast: Cast, size: int, to: Party | None = None
) -> tuple[str, list[str]]:
    """A bag at Bob's office, not yet closed, and what is in it."""
    number = await bags.make(cast.bob, to or hub(cast))
    waybills = [await travel(cast, "arrived") for _ in range(size)]
    outcomes = await record(
        [said(cast.bob, Step.PACKED, w, bag=number) for w in waybills]
    )
    assert [(o.error, o.remarks) for o in outcomes] == [(None, ())] * size
    return number, waybills


async def closed(
    cast: Cast, size: int, to: Party | None = None
) -> tuple[str, list[str]]:
    number, waybills = await packed(cast, size, to)
    await bags.close(number, "NP-77", cast.bob)
    return number, waybills


async def bag_of(database: Any, waybill: str) -> str | None:
    found: str | None = await database.fetchval(
        "SELECT bag FROM item WHERE waybill = $1", waybill
    )
    return found


async def holders(database: Any, waybills: list[str]) -> set[str]:
    rows = await database.fetch(
        "SELECT holder FROM item WHERE waybill = ANY($1::bpchar[])", waybills
    )
    return {row["holder"] for row in rows}


async def test_packing_leaves_custody_where_it_was(cast: Cast, database: Any) -> None:
    number, waybills = await packed(cast, 2)
    assert {await bag_of(database, w) for w in waybills} == {number}
    assert await holders(database, waybills) == {f"office:{cast.long_xuyen}"}


async def test_a_bag_is_carried_by_one_scan_and_every_item_tells_of_it(
    cast: Cast, database: Any
) -> None:
    number, waybills = await closed(cast, 3)
    outcome = await tell(cast.alice, labels.bag_url(number), Step.TAKEN)
    assert (outcome.error, outcome.remarks, outcome.written) == (None, (), 3)
    assert await holders(database, waybills) == {str(cast.alice.party)}
    lines = await database.fetch("SELECT bag, flags FROM event WHERE step = 'taken'")
    assert [tuple(line) for line in lines] == [(number, [])] * 3
    assert {await bag_of(database, w) for w in waybills} == {number}
    bag = (await bags.look(number, cast.bob)).bag
    assert bag.holder == cast.alice.party


async def test_the_same_bag_scan_twenty_times_at_once_is_written_once(
    cast: Cast, database: Any
) -> None:
    number, _ = await closed(cast, 12)
    scan = said(cast.alice, Step.TAKEN, number)
    answers = await asyncio.gather(*(record([scan]) for _ in range(20)))
    assert {(o.error, o.remarks, o.written) for (o,) in answers} == {(None, (), 12)}
    assert (
        await database.fetchval("SELECT count(*) FROM event WHERE step = 'taken'") == 12
    )
    assert await database.fetchval("SELECT count(*) FROM bag_scan") == 1
    (a, b) = await record([scan, scan])
    assert a.written == b.written == 12


async def test_a_repeat_is_answered_alike_after_the_bag_was_emptied(cast: Cast) -> None:
    number, waybills = await closed(cast, 2)
    scan = said(cast.alice, Step.TAKEN, number)
    (first,) = await record([scan])
    for waybill in waybills:
        await tell(cast.alice, waybill, Step.TAKEN)
    (again,) = await record([scan])
    assert (again.error, again.written) == (None, 2)
    assert [o.id for o in again.inside] == [o.id for o in first.inside]


async def test_a_late_scan_of_a_bag_means_what_was_inside_then(
    cast: Cast, database: Any
) -> None:
    number, waybills = await closed(cast, 2)
    then = datetime.now(UTC)
    await tell(cast.ben, waybills[0], Step.ARRIVED)  # taken out on its way
    taken = await tell(cast.alice, number, Step.TAKEN, then)
    assert taken.written == 2
    holder = "SELECT holder FROM item WHERE waybill = $1"
    assert await database.fetchval(holder, waybills[0]) == f"office:{cast.chau_doc}"
    assert await database.fetchval(holder, waybills[1]) == str(cast.alice.party)
    # What was put in later was not inside an hour ago.
    before = await tell(cast.alice, number, Step.TAKEN, then - timedelta(hours=1))
    assert isinstance(before.error, Conflict)


async def test_an_id_of_another_scan_is_refused(cast: Cast) -> None:
    one, _ = await closed(cast, 1)
    other, _ = await closed(cast, 1)
    scan = said(cast.alice, Step.TAKEN, one)
    await record([scan])
    for wrong in (
        said(cast.alice, Step.TAKEN, other, id=scan.id),
        said(cast.alice, Step.OUT, one, id=scan.id),
    ):
        (outcome,) = await record([wrong])
        assert isinstance(outcome.error, Conflict)


async def test_packing_and_carrying_may_come_in_one_list(cast: Cast) -> None:
    number = await bags.make(cast.bob, hub(cast))
    waybill = await travel(cast, "arrived")
    now = datetime.now(UTC)
    outcomes = await record(
        [
            said(cast.alice, Step.TAKEN, number, at=now),
            said(
                cast.bob,
                Step.PACKED,
                waybill,
                bag=number,
                at=now - timedelta(seconds=1),
            ),
        ]
    )
    assert [(o.error, o.written) for o in outcomes] == [(None, 1), (None, 1)]


@pytest.mark.parametrize("fault", [{"seal_broken": True}, {"seal_no": "NP-78"}])
async def test_a_broken_or_other_seal_puts_every_item_in_doubt(
    cast: Cast, database: Any, fault: dict[str, Any]
) -> None:
    number, _ = await closed(cast, 2)
    outcome = await tell(cast.alice, number, Step.TAKEN, **fault)
    assert outcome.remarks == (Kind.SEAL_BROKEN,)
    opened = await database.fetch("SELECT kind, owner, detail FROM irregularity")
    assert [tuple(row) for row in opened] == [
        ("seal_broken", f"office:{cast.long_xuyen}", number)
    ] * 2


async def test_the_right_seal_and_the_items_own_counts_raise_nothing(
    cast: Cast,
) -> None:
    number, _ = await closed(cast, 2)
    outcome = await tell(cast.alice, number, Step.TAKEN, seal_no="NP-77", originals=99)
    assert outcome.remarks == ()


async def test_an_item_moved_to_another_bag_leaves_a_trace_in_both(
    cast: Cast, database: Any
) -> None:
    first, (waybill,) = await packed(cast, 1)
    second = await bags.make(cast.bob, hub(cast))
    outcome = await tell(cast.bob, waybill, Step.PACKED, bag=second)
    assert (outcome.error, outcome.remarks) == (None, ())
    lines = await database.fetch(
        "SELECT step, bag FROM event WHERE bag IS NOT NULL ORDER BY seq"
    )
    assert [tuple(line) for line in lines] == [
        ("packed", first),
        ("unpacked", first),
        ("packed", second),
    ]
    assert await bag_of(database, waybill) == second


async def test_what_leaves_a_closed_bag_for_another_is_flagged(
    cast: Cast, database: Any
) -> None:
    _, (waybill,) = await closed(cast, 1)
    second = await bags.make(cast.bob, hub(cast))
    await tell(cast.bob, waybill, Step.PACKED, bag=second)
    kinds = await database.fetch("SELECT kind FROM irregularity")
    assert [row["kind"] for row in kinds] == ["out_of_order"]


async def test_a_bag_is_never_put_into_a_bag(cast: Cast) -> None:
    outer = await bags.make(cast.bob, hub(cast))
    inner, _ = await closed(cast, 1)
    outcome = await tell(cast.bob, inner, Step.PACKED, bag=outer)
    assert isinstance(outcome.error, BadScan)


async def test_what_cannot_be_said_of_a_bag_is_refused_and_kept(
    cast: Cast, database: Any
) -> None:
    number, _ = await closed(cast, 1)
    empty = await bags.make(cast.bob, hub(cast))
    waybill = await travel(cast, "arrived")
    refused = [
        (said(cast.alice, Step.DELIVERED, number), BadScan),
        (said(cast.charlie, Step.TAKEN, number), NotAllowed),
        (said(cast.alice, Step.TAKEN, empty), Conflict),
        (said(cast.alice, Step.TAKEN, s10.bag(99_999)), UnknownBag),
        (
            said(cast.alice, Step.TAKEN, f"HTTPS://BD.VN/B/{number}/AAAAAAAA"),
            ForgedLabel,
        ),
        (said(cast.bob, Step.PACKED, waybill), BadScan),
        (said(cast.bob, Step.PACKED, waybill, bag=number), Conflict),
        (said(cast.ben, Step.PACKED, waybill, bag=empty), NotYourPlace),
    ]
    for _ in range(2):
        for scan, error in refused:
            (outcome,) = await record([scan])
            assert isinstance(outcome.error, error), (scan, outcome.error)
    assert await database.fetchval("SELECT count(*) FROM refused_scan") == len(refused)


async def test_a_single_scan_takes_an_item_out_of_its_bag(
    cast: Cast, database: Any
) -> None:
    number, (one, other) = await closed(cast, 2)
    await tell(cast.alice, one, Step.TAKEN)
    assert await bag_of(database, one) is None
    outcome = await tell(cast.alice, number, Step.TAKEN)
    assert outcome.written == 1
    assert await bag_of(database, other) == number


async def test_a_bag_is_closed_once_with_a_seal_and_something_inside(
    cast: Cast,
) -> None:
    number = await bags.make(cast.bob, hub(cast))
    with pytest.raises(Conflict):
        await bags.close(number, "NP-1", cast.bob)
    waybill = await travel(cast, "arrived")
    await tell(cast.bob, waybill, Step.PACKED, bag=number)
    with pytest.raises(BadInput):
        await bags.close(number, " ", cast.bob)
    with pytest.raises(UnknownBag):
        await bags.close(number, "NP-1", cast.ben)
    bag = await bags.close(number, "NP-1", cast.bob)
    assert (bag.seal_no, bag.size) == ("NP-1", 1)
    assert await bags.close(number, "NP-1", cast.dora) == bag
    with pytest.raises(Conflict):
        await bags.close(number, "NP-2", cast.bob)


async def test_closing_and_packing_at_once_never_leave_a_closed_bag_that_grew(
    cast: Cast, database: Any
) -> None:
    number, _ = await packed(cast, 1)
    late = [await travel(cast, "arrived") for _ in range(4)]
    await asyncio.gather(
        *(tell(cast.bob, w, Step.PACKED, bag=number) for w in late),
        bags.close(number, "NP-1", cast.bob),
    )
    inside = await database.fetchval("SELECT count(*) FROM item WHERE bag = $1", number)
    assert await database.fetchval("SELECT size FROM bag") == inside


async def test_a_bag_to_an_agency_says_what_is_not_for_it(cast: Cast) -> None:
    number = await bags.make(cast.bob, Party(PartyKind.AGENCY, cast.other_agency))
    waybill = await travel(cast, "arrived")
    outcome = await tell(cast.bob, waybill, Step.PACKED, bag=number)
    assert outcome.remarks == (Kind.MISROUTED,)


async def test_a_bag_is_released_recalled_and_taken_where_it_was_promised(
    cast: Cast, database: Any
) -> None:
    number, waybills = await closed(cast, 2)
    await tell(cast.alice, number, Step.TAKEN)
    assert (await tell(cast.alice, number, Step.RELEASED, to=hub(cast))).written == 2
    look = await bags.look(number, cast.alice)
    assert look.bag.released_to == hub(cast)
    assert (await tell(cast.bob, number, Step.RELEASED, to=hub(cast))).error is not None
    await tell(cast.alice, number, Step.RECALLED)
    assert (await bags.look(number, cast.alice)).bag.released_to is None
    assert await holders(database, waybills) == {str(cast.alice.party)}


async def test_a_missing_item_needs_a_reason_and_stays_with_the_last_holder(
    cast: Cast, database: Any
) -> None:
    number, waybills = await closed(cast, 2)
    await tell(cast.alice, number, Step.TAKEN)
    bare = await tell(cast.alice, waybills[0], Step.MISSED)
    assert isinstance(bare.error, BadScan)
    outcome = await tell(cast.alice, waybills[0], Step.MISSED, reason=Reason.NOT_FOUND)
    assert outcome.remarks == (Kind.MISSING,)
    assert outcome.item is not None
    assert outcome.item.custody.stage is Stage.MISSING
    assert outcome.item.custody.bag is None
    row = await database.fetchrow("SELECT owner, detail FROM irregularity")
    assert tuple(row) == (str(cast.alice.party), number)


async def test_a_single_scan_asks_nothing_about_bags(
    cast: Cast, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(*_: Any) -> None:
        raise AssertionError("a bag was looked for")

    for name in ("lock", "ever_inside", "told", "filled", "write"):
        monkeypatch.setattr(bags, name, asked)
    waybill = await travel(cast, "out")
    assert waybill


async def test_the_label_of_a_bag_reads_as_its_number_on_every_stock(
    cast: Cast,
) -> None:
    number, _ = await closed(cast, 2)
    for stock in labels.STOCKS.values():
        label = await bags.label(number, cast.bob, stock)
        assert labels.pdf([label]).startswith(b"%PDF")
        assert labels.png(label).startswith(b"\x89PNG")
        assert "Túi 1/1" in labels.svg(label)
        assert all(w.y < label.bars.y for w in label.words)
    assert labels.parse_code(labels.bag_url(number)).kind == "bag"
    assert labels.parse_code(f"{number[:2]} {number[2:]}").waybill == number
    for stranger in (cast.amy, cast.carol):
        with pytest.raises(UnknownBag):
            await bags.look(number, stranger)


async def test_a_clerk_makes_fills_closes_and_labels_a_bag_in_a_browser(
    cast: Cast, page: Page, database: Any
) -> None:
    waybills = [await travel(cast, "arrived") for _ in range(2)]
    await enter(page, cast.bob)
    await page.goto("/bags")
    await assert_accessible(page)
    await page.get_by_label("Nơi nhận túi").select_option(str(hub(cast)))
    await page.get_by_label("trên tổng số túi").fill("3")
    await page.get_by_label("Túi thứ").fill("2")
    await page.get_by_role("button", name="Lập túi").click()
    await page.wait_for_url("**/bags/DT*")
    number = page.url.rpartition("/")[2]
    for waybill in waybills:
        # A USB scanner types and presses Enter, wherever the focus is.
        await page.wait_for_load_state("load")
        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.type(labels.own_url(waybill))
        await page.keyboard.press("Enter")
        await page.locator(f'a.waybill[href="/items/{waybill}"]').wait_for()
    await page.get_by_role("button", name=f"Lấy ra {waybills[0]}").click()
    await page.get_by_text("Đã lấy ra khỏi túi.").wait_for()
    await assert_accessible(page)
    await page.get_by_label("Số niêm phong").fill("NP-5")
    await page.get_by_role("button", name="Đóng túi").click()
    await page.get_by_text("Đã đóng túi.").wait_for()
    await assert_accessible(page)
    await page.get_by_label("Bàn giao cho").select_option(str(cast.alice.party))
    await page.get_by_role("button", name="Báo giao cả túi").click()
    await page.get_by_text("Đã báo giao túi.").wait_for()
    assert await bag_of(database, waybills[0]) is None
    promised = "SELECT released_to FROM item WHERE waybill = $1"
    assert await database.fetchval(promised, waybills[1]) == str(cast.alice.party)
    for ending, start in (("pdf", b"%PDF"), ("png", b"\x89PNG"), ("svg", b"<svg")):
        file = await page.request.get(f"/bags/{number}/label.{ending}")
        assert file.ok
        assert (await file.body()).startswith(start)
    read = zxingcpp.read_barcodes(
        Image.open(BytesIO(labels.png(await bags.label(number, cast.bob), 300)))
    )
    assert {code.text for code in read} == {number, labels.bag_url(number)}
    await enter(page, cast.alice)
    await page.goto(urlsplit(labels.bag_url(number)).path)
    await page.get_by_role("button", name="Nhận nguyên túi, chưa mở").click()
    await page.get_by_text("Bạn đã nhận giữ cả túi.").wait_for()
    assert await holders(database, waybills[1:]) == {str(cast.alice.party)}


async def test_a_bag_is_shown_to_those_it_concerns_only(
    cast: Cast, server: str
) -> None:
    number, waybills = await closed(cast, 2, Party(PartyKind.AGENCY, cast.agency))
    for actor, status in (
        (cast.bob, 200),
        (cast.charlie, 200),
        (cast.carol, 404),
        (cast.amy, 404),
        (cast.eve, 403),
    ):
        async with await visitor(actor) as client:
            answer = await client.get(f"/bags/{number}")
            assert answer.status_code == status, actor.login
            # Who is to count it does not see what is inside.
            assert (waybills[0] in answer.text) == (actor == cast.bob)
    path = urlsplit(labels.bag_url(number)).path
    async with await visitor(cast.amy) as client:  # she has it in her hands
        there = (await client.get(path)).headers["location"]
        page = await client.get(there)
        assert page.status_code == 200
        assert waybills[0] not in page.text
        form = fields(page.text, f"/bags/{number}/take")
        taken = await client.post(f"/bags/{number}/take", data=form)
        # Nobody had promised it to her: recorded, and flagged.
        assert taken.status_code == 200
        assert (await client.get(f"/bags/{number}")).status_code == 200
    async with await visitor(None) as client:
        assert (await client.get(path)).headers["location"] == "/"
        assert (await client.get(path[:-8] + "AAAAAAAA")).status_code == 403


async def test_a_program_makes_fills_closes_and_carries_a_bag(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "arrived")

    def scan_of(step: str, code: str, **more: str) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        said = {"id": str(uuid4()), "code": code, "step": step, "at": now} | more
        return {"device": "test", "scans": [said]}

    async with await visitor(cast.bob) as client:
        client.headers["accept"] = "application/json"
        made = await client.post("/api/bags", json={"to": f"office:{cast.hub}"})
        assert made.status_code == 201, made.text
        number = made.json()["number"]
        wrong = await client.post("/api/bags", json={"to": "office:999"})
        assert (wrong.status_code, list(wrong.json()["fields"])) == (422, ["to"])
        sent = scan_of("packed", waybill, bag=number)
        (put,) = (await client.post("/api/scans", json=sent)).json()["outcomes"]
        assert put["result"] == "recorded"
        shut = await client.post(f"/api/bags/{number}/close", json={"seal_no": "NP"})
        assert (shut.json()["items"], shut.json()["seal_no"]) == ([waybill], "NP")
    async with await visitor(cast.alice) as client:
        sent = scan_of("taken", labels.bag_url(number))
        (took,) = (await client.post("/api/scans", json=sent)).json()["outcomes"]
        assert (took["result"], took["bag"], took["items"]) == ("recorded", number, 1)


async def test_what_is_meant_for_another_office_is_flagged_when_it_is_packed(
    cast: Cast,
) -> None:
    chau_doc = Party(PartyKind.OFFICE, cast.chau_doc)
    ours, theirs = (
        await travel(cast, "arrived"),
        await travel(cast, "arrived", agency="OTHER"),
    )
    number = await bags.make(cast.bob, chau_doc)
    wrong, right = await record(
        [said(cast.bob, Step.PACKED, w, bag=number) for w in (ours, theirs)]
    )
    assert (wrong.error, wrong.remarks) == (None, (Kind.MISROUTED,))
    assert (right.error, right.remarks) == (None, ())
    # A hub sorts it, wherever it goes.
    on = await bags.make(cast.bob, hub(cast))
    (sorted_there,) = await record([said(cast.bob, Step.PACKED, theirs, bag=on)])
    assert sorted_there.remarks == ()
