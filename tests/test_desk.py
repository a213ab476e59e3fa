"""The officer's desk: what comes, is received, registered, due, and leaves."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page

from postal_track import desk
from postal_track.boards import today
from postal_track.bookings import Announcement, announce_result
from postal_track.custody import Step
from postal_track.errors import NotFound
from tests.axe import assert_accessible
from tests.cast import Cast, assemble, enter, order, scan, travel, visitor


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


def box(page: str, waybill: str) -> dict[str, str]:
    found = re.search(rf'name="item\.{waybill}" value="([^"]+)"', page)
    assert found is not None, f"no box for {waybill}"
    return {f"item.{waybill}": found[1]}


async def test_every_dossier_lies_in_its_own_part_of_the_desk(cast: Cast) -> None:
    soon, past = today() + timedelta(days=9), today() - timedelta(days=1)
    booked = await travel(cast, "booked")
    arrived = await travel(cast, "arrived")
    out = await travel(cast, "out")
    received = await travel(cast, "received")
    working = await travel(cast, "registered", code="A-1", due_on=soon)
    late = await travel(cast, "registered", code="A-2", due_on=past, days_ago=4)
    undated = await travel(cast, "registered", code="A-3")
    ready = await travel(cast, "ready", code="A-4", due_on=soon)
    laid = await desk.desk(cast.charlie)

    def waybills(section: desk.Section) -> list[str]:
        assert section.total == len(section.slips)
        return [slip.waybill for slip in section.slips]

    assert waybills(laid.coming) == [booked, arrived]
    assert waybills(laid.arriving) == [out]
    assert waybills(laid.unregistered) == [received, undated]
    assert waybills(laid.in_work) == [late, working]  # what is due first stands first
    assert [slip.late for slip in laid.in_work.slips] == [True, False]
    assert waybills(laid.leaving) == [ready]
    assert [slip.promised_on is not None for slip in laid.coming.slips] == [True] * 2
    elsewhere = await desk.desk(cast.carol)
    assert not any(
        section.total
        for section in (
            elsewhere.coming,
            elsewhere.arriving,
            elsewhere.unregistered,
            elsewhere.in_work,
            elsewhere.leaving,
        )
    )


async def test_what_is_offered_to_the_agency_waits_at_its_counter(cast: Cast) -> None:
    waybill = await travel(cast, "arrived")
    office = cast.bob.place
    await scan(cast.bob, waybill, Step.RELEASED, to=cast.charlie.place)
    (slip,) = (await desk.desk(cast.charlie)).arriving.slips
    assert (slip.waybill, slip.holder) == (waybill, office)


async def test_several_are_received_at_once_each_by_a_scan_of_its_own(
    cast: Cast, server: str, database: Any
) -> None:
    waybills = [await travel(cast, "out") for _ in range(4)]
    async with await visitor(cast.charlie) as client:
        page = (await client.get("/desk")).text
        form = {k: v for w in waybills[:3] for k, v in box(page, w).items()}
        for _ in range(2):  # a second click changes nothing
            done = await client.post("/desk/receive", data=form)
            assert done.headers["location"] == "/desk?received=3"
    rows = await database.fetch(
        """
        SELECT e.id, i.waybill, e.by, e.place, e.taker, e.flags FROM event e
        JOIN item i ON i.id = e.item WHERE e.step = 'received'
        """
    )
    assert sorted(row["waybill"] for row in rows) == sorted(waybills[:3])
    assert {str(row["id"]) for row in rows} == {v.split()[0] for v in form.values()}
    agency = f"agency:{cast.agency}"
    assert {(r["by"], r["place"], r["taker"]) for r in rows} == {
        (str(cast.charlie.party), agency, agency)
    }
    assert not any(row["flags"] for row in rows)
    laid = await desk.desk(cast.charlie)
    assert [slip.waybill for slip in laid.arriving.slips] == waybills[3:]


async def test_one_is_received_with_what_was_counted_and_found(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "out")
    async with await visitor(cast.charlie) as client:
        page = (await client.get("/desk")).text
        form = box(page, waybill) | {
            "originals": "1",
            "copies": "1",
            "seal_no": "NP1",
            "damaged": "1",
            "note": "Góc phong bì ướt",
        }
        wrong = await client.post("/desk/receive", data=form | {"copies": "một"})
        assert wrong.status_code == 422
        assert "Góc phong bì ướt" in wrong.text
        done = await client.post("/desk/receive", data=form)
    assert done.status_code == 200  # it is written, and there is something to say
    assert "Số bản chính hoặc bản sao khác" in done.text
    assert "Bưu gửi bị hư hỏng." in done.text
    row = await database.fetchrow(
        """
        SELECT e.originals, e.copies, e.seal_no, e.damaged, e.flags, v.content
        FROM event e JOIN event_detail v ON v.event = e.id WHERE e.step = 'received'
        """
    )
    assert (row["originals"], row["copies"], row["seal_no"]) == (1, 1, "NP1")
    assert sorted(row["flags"]) == ["count_mismatch", "damaged"]
    assert row["content"] == {"note": "Góc phong bì ướt"}


async def test_nothing_ticked_and_too_much_ticked_are_said(
    cast: Cast, server: str
) -> None:
    async with await visitor(cast.charlie) as client:
        empty = await client.post("/desk/receive", data={})
        assert empty.status_code == 422
        waybill = await travel(cast, "out")
        empty = await client.post("/desk/receive", data={})
        assert "Hãy chọn ít nhất một bưu gửi." in empty.text
        crowd = {f"item.{waybill}{n}": str(uuid4()) for n in range(600)}
        assert (await client.post("/desk/receive", data=crowd)).status_code == 413


async def test_an_officer_receives_for_his_own_agency_only(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "out")
    async with await visitor(cast.carol) as client:
        form = {f"item.{waybill}": f"{uuid4()} agency:{cast.agency}"}
        answer = await client.post("/desk/receive", data=form)
    assert answer.status_code == 409
    assert "Bạn không được phân công" in answer.text
    assert not await database.fetchval(
        "SELECT count(*) FROM event WHERE step = 'received'"
    )


# Code and due date


async def test_code_and_due_date_are_given_and_the_citizen_is_told(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "received")
    due = today() + timedelta(days=12)
    form = {
        "waybill": waybill,
        "id": str(uuid4()),
        "code": "  H01.26-7  ",
        "due_on": due.isoformat(),
    }
    async with await visitor(cast.charlie) as client:
        for _ in range(2):
            done = await client.post("/desk/register", data=form)
            assert done.headers["location"] == f"/desk?registered={waybill}"
        page = (await client.get("/desk")).text
    assert "H01.26-7" in page
    (slip,) = (await desk.desk(cast.charlie)).in_work.slips
    assert (slip.code, slip.due_on, slip.late) == ("H01.26-7", due, False)
    told = await database.fetchval(
        "SELECT count(*) FROM sms_message WHERE template = 'S03_agency'"
    )
    assert told == 1


async def test_a_registration_that_cannot_stand_is_asked_again_before_it_is_said(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "registered", code="TAKEN-1", due_on=today())
    waybill = await travel(cast, "received")
    soon = (today() + timedelta(days=5)).isoformat()
    yesterday = (today() - timedelta(days=1)).isoformat()
    async with await visitor(cast.charlie, "en") as client:
        for code, due, sentence in (
            ("TAKEN-1", soon, "Another dossier of your agency has this code."),
            ("", soon, "Give the dossier code"),
            ("x" * 51, soon, "Give the dossier code"),
            ("A-9", "", "Give the due date."),
            ("A-9", yesterday, "lies before the receipt"),
            ("A-9", "2099-01-01", "years ahead"),
            ("A-9", "soon", "Write a day as 31/12/2026."),
        ):
            form = {"waybill": waybill, "code": code, "due_on": due}
            answer = await client.post("/desk/register", data=form)
            assert answer.status_code == 422, (code, due)
            assert sentence in answer.text
            assert f'value="{code}"' in answer.text  # nothing typed is lost
    steps = await database.fetchval(
        """
        SELECT count(*) FROM event e JOIN item i ON i.id = e.item
        WHERE i.waybill = $1 AND e.step = 'registered'
        """,
        waybill,
    )
    assert steps == 0


async def test_nobody_registers_what_was_not_sent_to_him(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "received")
    on_its_way = await travel(cast, "out")
    soon = today() + timedelta(days=5)
    for theirs, actor in ((waybill, cast.carol), (on_its_way, cast.charlie)):
        with pytest.raises(NotFound):
            await desk.registrable(theirs, "A-9", soon, actor)
    async with await visitor(cast.carol) as client:
        form = {"waybill": waybill, "code": "A-9", "due_on": soon.isoformat()}
        assert (await client.post("/desk/register", data=form)).status_code == 404


# Results


async def test_a_result_is_announced_once_and_waits_for_the_carrier(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "registered", code="A-1", due_on=today())
    (slip,) = (await desk.desk(cast.charlie)).in_work.slips
    form = {
        "token": slip.token,
        "id": str(uuid4()),
        "originals": "1",
        "copies": "2",
        "fee": "26.000 đ",
    }
    async with await visitor(cast.charlie) as client:
        done = await client.post("/desk/announce", data=form)
        again = await client.post("/desk/announce", data=form)
        assert done.status_code == again.status_code == 303
        assert done.headers["location"] == again.headers["location"]
        page = (await client.get(done.headers["location"])).text
    (result,) = (await desk.desk(cast.charlie)).leaving.slips
    assert (result.originals, result.copies, result.fee) == (1, 2, 26_000)
    assert done.headers["location"] == f"/desk?announced={result.waybill}"
    assert result.waybill in page
    assert "26.000 ₫" in page
    assert (await desk.desk(cast.charlie)).in_work.total == 0
    assert await database.fetchval("SELECT count(*) FROM item") == 2


async def test_a_result_is_counted_before_it_is_announced(
    cast: Cast, server: str
) -> None:
    await travel(cast, "registered", code="A-1", due_on=today())
    (slip,) = (await desk.desk(cast.charlie)).in_work.slips
    async with await visitor(cast.charlie, "en") as client:
        for wrong, sentence in (
            ({"originals": "0", "copies": ""}, "Count the result"),
            ({"originals": "a few"}, "Write a number of sheets."),
            ({"originals": "1", "fee": "much"}, "Write the amount in VND."),
            ({"originals": "1", "fee": "9" * 12}, "not plausible"),
        ):
            form = {"token": slip.token, "id": str(uuid4())} | wrong
            answer = await client.post("/desk/announce", data=form)
            assert answer.status_code == 422, wrong
            assert sentence in answer.text
            assert '<details class="more" open>' in answer.text
    async with await visitor(cast.carol) as client:
        form = {"token": slip.token, "originals": "1"}
        assert (await client.post("/desk/announce", data=form)).status_code in (
            403,
            404,
        )
    assert (await desk.desk(cast.charlie)).leaving.total == 0


async def test_who_only_has_his_result_brought_is_work_too(cast: Cast) -> None:
    booked = await order(cast, service="receive", papers=())
    sent = await travel(cast, "registered", code="A-1", due_on=today(), service="send")
    (slip,) = (await desk.desk(cast.charlie)).in_work.slips
    assert (slip.token, slip.waybill) == (booked.token, "")
    assert sent  # nothing is brought back, so nothing waits here
    said = Announcement(id=uuid4(), token=booked.token, originals=1, copies=0)
    waybill = await announce_result(said, cast.charlie)
    (slip,) = (await desk.desk(cast.charlie)).leaving.slips
    assert slip.waybill == waybill


async def test_only_officers_have_a_desk(cast: Cast, server: str) -> None:
    for actor in (cast.alice, cast.bob, cast.dora, cast.eve, cast.frank):
        async with await visitor(actor) as client:
            assert (await client.get("/desk")).status_code == 403
            for act in ("receive", "register", "announce"):
                assert (await client.post(f"/desk/{act}")).status_code == 403


async def test_a_dossier_crosses_the_desk_in_a_browser(cast: Cast, page: Page) -> None:
    out = [await travel(cast, "out") for _ in range(2)]
    await travel(cast, "booked")
    await enter(page, cast.charlie)
    await page.goto("/desk")
    await assert_accessible(page)
    await page.get_by_label(f"Chọn {out[0]}").check()
    await page.get_by_role("button", name="Ký nhận các hồ sơ đã chọn (1)").click()
    await page.get_by_text("Đã ký nhận: 1").wait_for()
    row = page.locator("form[action='/desk/register']")
    await row.get_by_label("Mã hồ sơ").fill("H01.26-77")
    await row.get_by_label("Ngày hẹn trả").fill(str(today() + timedelta(days=3)))
    await row.get_by_role("button", name="Cấp mã").click()
    await page.get_by_text("Đã cấp mã và ngày hẹn").wait_for()
    await page.get_by_text("Báo có kết quả").click()
    await page.get_by_label("Phải thu của người dân").fill("31.500")
    await assert_accessible(page)
    await page.get_by_role("button", name="Giao bưu điện").click()
    await page.get_by_text("Kết quả chờ bưu tá, mã vận đơn").wait_for()
    await page.get_by_role("link", name="Chờ ký nhận").click()
    await page.get_by_text("Nhận riêng, có kiểm đếm").click()
    await page.get_by_label("Bản chính đếm được").fill("9")
    await page.get_by_role("button", name=f"Ký nhận {out[1]}").click()
    await page.get_by_text("đã ghi, có điều bất thường").wait_for()
    await assert_accessible(page)


async def test_signs_that_no_column_holds_harm_nothing(cast: Cast, server: str) -> None:
    waybill = await travel(cast, "received")
    async with await visitor(cast.charlie) as client:
        form = {"item.DH\0": str(uuid4()), "note": "\0", "seal_no": "\0"}
        assert (await client.post("/desk/receive", data=form)).status_code == 409
        form = {"waybill": f"{waybill}\0", "code": "\0", "due_on": "\0"}
        assert (await client.post("/desk/register", data=form)).status_code == 422
        form = {"token": "\0", "originals": "1"}
        assert (await client.post("/desk/announce", data=form)).status_code == 404
