"""The people to be called: whose list they stand on, whose number is seen by whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page

from postal_track import calls
from postal_track.bookings import PersonGiven
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.staff import Actor
from sms import outcomes
from sms.status import Status
from sms.wishes import mark_of
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, Cast, code_for, enter, travel, visitor

NUMBER = "+84912345678"
OTHER = PersonGiven("Lê Văn Tám", "0987 654 321", ADDRESS, "30316")


async def missed(database: Any, code: str, template: str = "S01_booked") -> int:
    """Let the newest text of a kind fail; the call that it leads to."""
    message = await database.fetchval(
        "SELECT max(id) FROM sms_message WHERE template = $1", template
    )
    await outcomes.end(database, message, Status.FAILED, code)
    call: int = await database.fetchval(
        "SELECT id FROM sms_call WHERE message = $1", message
    )
    return call


async def listed(actor: Actor) -> list[int]:
    page = await calls.calls(actor)
    assert page.after is None
    return [one.due.id for one in page.calls]


async def readings(database: Any) -> list[tuple[str, str]]:
    rows = await database.fetch(
        """
        SELECT s.login, r.what FROM reading r JOIN staff s ON s.id = r.staff
        ORDER BY r.id
        """
    )
    return [(row["login"], row["what"]) for row in rows]


async def test_everybody_sees_the_calls_of_his_own_office(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "booked")
    ours = await missed(database, "30003")
    await travel(cast, "booked", owner=OTHER, office="CD", agency="OTHER")
    theirs = await missed(database, "30003")
    assert await listed(cast.bob) == await listed(cast.dora) == [ours]
    assert await listed(cast.ben) == [theirs]
    for all_seeing in (cast.dean, cast.eve, cast.frank):
        assert await listed(all_seeing) == [ours, theirs]
    for stranger in (cast.alice, cast.charlie):
        with pytest.raises(NotAllowed):
            await calls.calls(stranger)
    for doing in (
        calls.call(ours, cast.ben),
        calls.call(ours, cast.ben, show=True),
        calls.close(ours, "told her", cast.ben),
        calls.clear_mark(ours, "it works", cast.ben),
    ):
        with pytest.raises(NotFound):
            await doing
    assert await listed(cast.bob) == [ours]


async def test_a_number_is_masked_until_it_is_asked_for_which_is_written_down(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "booked")
    call = await missed(database, "30003")
    async with await visitor(cast.bob) as client:
        before = [
            (await client.get("/sms/calls")).text,
            (await client.get(f"/sms/calls/{call}")).text,
        ]
        assert await readings(database) == []
        shown = await client.post(f"/sms/calls/{call}")
    for page in before:
        assert "0912•••678" in page
        assert NUMBER not in page
        assert OWNER not in page
        assert "Điện thoại tắt máy hoặc ngoài vùng phủ sóng" in page
    assert f'href="tel:{NUMBER}"' in shown.text
    assert OWNER in shown.text
    assert await readings(database) == [("bob", "call")]


async def test_who_only_looks_on_sees_no_number_and_closes_nothing(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "booked")
    call = await missed(database, "21614")
    for actor in (cast.eve, cast.frank):
        async with await visitor(actor) as client:
            seen = (await client.get(f"/sms/calls/{call}")).text
            assert "<form" not in seen.split("<main")[1].split("</main")[0]
            assert (await client.post(f"/sms/calls/{call}")).status_code == 403
            for what in ("close", "mark"):
                answer = await client.post(
                    f"/sms/calls/{call}/{what}", data={"note": "x", "reason": "x"}
                )
                assert answer.status_code == 403
    assert await readings(database) == []
    assert await mark_of(database, NUMBER) == "21614"
    assert await listed(cast.bob) == [call]


async def test_a_call_is_closed_with_a_note(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "booked")
    call = await missed(database, "30003")
    path = f"/sms/calls/{call}/close"
    async with await visitor(cast.bob) as client:
        empty = await client.post(path, data={"note": " \u200b "})
        assert empty.status_code == 422
        assert "Hãy ghi kết quả cuộc gọi." in empty.text
        done = await client.post(path, data={"note": "Đã báo con gái"})
        assert (done.status_code, done.headers["location"]) == (303, "/sms/calls")
        assert "Không còn ai cần gọi." in (await client.get("/sms/calls")).text
        twice = await client.post(path, data={"note": "Đã báo con gái"})
        assert twice.status_code == 303
        closed = (await client.get(f"/sms/calls/{call}")).text
    assert "Đã báo con gái" in closed
    assert "bob" in closed
    async with await visitor(cast.dora) as client:
        late = await client.post(path, data={"note": "Không nghe máy"})
    assert late.status_code == 422
    assert "cuộc gọi đã được đóng" in late.text
    with pytest.raises(Conflict):
        await calls.close(call, "no answer", cast.dora)
    row = await database.fetchrow("SELECT note, closed_by FROM sms_call")
    assert tuple(row) == ("Đã báo con gái", "bob")


async def test_a_mark_is_cleared_with_a_reason(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "booked")
    call = await missed(database, "21614")
    path = f"/sms/calls/{call}/mark"
    async with await visitor(cast.bob) as client:
        assert "Số bị đánh dấu" in (await client.get(f"/sms/calls/{call}")).text
        empty = await client.post(path, data={"reason": ""})
        assert empty.status_code == 422
        assert "Hãy ghi vì sao biết số này nhận được tin nhắn." in empty.text
        assert await mark_of(database, NUMBER) == "21614"
        done = await client.post(path, data={"reason": "Người dân đổi SIM"})
        assert done.headers["location"] == f"/sms/calls/{call}"
        assert "Số bị đánh dấu" not in (await client.get(f"/sms/calls/{call}")).text
    assert await mark_of(database, NUMBER) == ""
    kept = await database.fetchrow("SELECT * FROM sms_cleared_mark")
    assert (kept["cleared_by"], kept["reason"]) == ("bob", "Người dân đổi SIM")
    with pytest.raises(BadInput):
        await calls.clear_mark(call, "", cast.bob)


async def test_no_code_is_read_out_from_a_call(
    cast: Cast, server: str, database: Any
) -> None:
    result = await travel(cast, "carried")
    call = await missed(database, "30003", "S07_out")
    async with await visitor(cast.bob) as client:
        page = (await client.post(f"/sms/calls/{call}")).text
    assert await code_for(result, "delivery") not in page
    assert await database.fetchval("SELECT slug FROM dossier") not in page
    assert result in page


async def test_many_calls_come_a_page_at_a_time(
    cast: Cast, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PORTION", 2)
    monkeypatch.setattr(calls, "LISTED", 3)
    mine, theirs = [], []
    for _ in range(4):
        await travel(cast, "booked")
        mine.append(await missed(database, "30003"))
        await travel(cast, "booked", owner=OTHER, office="CD", agency="OTHER")
        theirs.append(await missed(database, "30003"))
    for actor, whole in (
        (cast.bob, mine),
        (cast.ben, theirs),
        (cast.dean, sorted(mine + theirs)),
    ):
        found, after = [], None
        while True:
            page = await calls.calls(actor, after)
            assert len(page.calls) <= 3
            found += [one.due.id for one in page.calls]
            if (after := page.after) is None:
                break
        assert found == whole


@pytest.mark.parametrize("path", ["/sms/calls/999", f"/sms/calls/{2**63}"])
async def test_a_call_that_is_not_there_is_not_found(
    cast: Cast, server: str, path: str
) -> None:
    async with await visitor(cast.dean) as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.post(path)).status_code == 404
        for what in ("close", "mark"):
            answer = await client.post(
                f"{path}/{what}", data={"note": "x", "reason": "x"}
            )
            assert answer.status_code == 404
        for after in ("", "x", "-1", "999", str(2**64)):
            seen = await client.get("/sms/calls", params={"after": after})
            assert seen.status_code == 200


async def test_a_clerk_works_through_the_calls_in_a_browser(
    cast: Cast, page: Page, database: Any
) -> None:
    await travel(cast, "booked")
    await missed(database, "21614")
    await enter(page, cast.bob)
    await page.goto("/items")
    await page.get_by_text("Thêm", exact=True).click()
    await page.get_by_role("link", name="Cần gọi").click()
    await page.wait_for_url("**/sms/calls")
    await assert_accessible(page)
    await page.get_by_role("button", name="Hiện số để gọi").click()
    await page.get_by_role("link", name=NUMBER).wait_for()
    await assert_accessible(page)
    forged = await page.request.post(f"{page.url}/close", form={"note": "x"})
    assert forged.status == 403
    await page.get_by_label("Vì sao biết").fill("Đã gọi thử, nhận được tin")
    await page.get_by_role("button", name="Bỏ đánh dấu").click()
    await page.wait_for_url(re.compile(r"/sms/calls/\d+$"))
    await page.get_by_label("Kết quả").fill("Đã báo qua điện thoại")
    await page.get_by_role("button", name="Đóng").click()
    await page.get_by_text("Không còn ai cần gọi.").wait_for()
    await assert_accessible(page)
