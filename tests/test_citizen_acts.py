"""The pages on which a citizen asks, confirms, says and sees: without scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pypdfium2  # type: ignore[import-untyped]
import pytest
from playwright.async_api import Browser

from postal_track import asking, following, slots
from postal_track.asks import Act
from postal_track.s10 import spaced
from postal_track.wanted import read
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, Cast, enter, order, texted, travel, visitor
from tests.forms import forms

pytestmark = pytest.mark.usefixtures("server")

LIGHT = 50 * 1024
"""Bytes of a public page, whatever stands on it."""


async def token_of(database: Any) -> str:
    token: str = await database.fetchval("SELECT token FROM dossier")
    return token


async def sent(client: httpx.AsyncClient, path: str, **typed: str) -> httpx.Response:
    """Send the first form of a page to that page's own address."""
    page = await client.get(path)
    assert page.status_code == 200, page.text
    assert len(page.content) < LIGHT
    return await client.post(path, data=forms(page.text, path)[0] | typed)


async def test_a_request_goes_from_page_to_code_to_done(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    async with await visitor(None) as client:
        page = await client.get(f"/d/{token}")
        assert f'href="/d/{token}/ask/hold"' in page.text
        assert f'href="/d/{token}/ask/cancel"' not in page.text
        assert len(page.content) < LIGHT
        empty = await sent(client, f"/d/{token}/ask/hold")
        assert empty.status_code == 422
        assert "Hãy chọn một bưu cục." in empty.text
        gone = await sent(client, f"/d/{token}/ask/hold", office="CD")
        assert gone.status_code == 303
        here = gone.headers["location"]
        code = await texted(here.rsplit("/", 1)[1])
        shown = await client.get(here)
        assert "0912•••678" in shown.text
        assert code not in shown.text
        wrong = await sent(client, here, code="12")
        assert wrong.status_code == 403
        assert "Còn 4 lần thử" in wrong.text
        again = await sent(client, here, code="", act="again")
        assert again.status_code == 303
        right = await sent(client, here, code=await texted(here.rsplit("/", 1)[1]))
        assert right.headers["location"] == here
        assert "Đã xong." in (await client.get(here)).text
        for path in (f"/d/{'A' * 22}/ask/hold", f"/d/{token}/ask/book"):
            assert (await client.get(path)).status_code == 404
        late = await client.get(f"/d/{token}/ask/cancel")
        assert "Lúc này không làm được việc này." in late.text
        assert late.headers["x-robots-tag"] == "noindex, nofollow"


async def test_it_is_done_by_keyboard_without_scripts(
    cast: Cast, database: Any, browser: Browser, server: str
) -> None:
    booked = await order(cast)
    context = await browser.new_context(
        base_url=server,
        locale="vi-VN",
        java_script_enabled=False,
        viewport={"width": 390, "height": 844},
    )
    page = await context.new_page()
    await page.goto(f"/d/{booked.token}")
    await page.get_by_role("link", name="Hủy thu gom").press("Enter")
    await page.get_by_role("button", name="Gửi mã cho tôi").press("Enter")
    await page.wait_for_url("**/confirm/*")
    # The field has the focus: the code is typed at once.
    await page.keyboard.type(await texted(page.url.rsplit("/", 1)[1]))
    await page.keyboard.press("Enter")
    await page.get_by_text("Đã xong.").wait_for()
    assert await database.fetchval("SELECT stage FROM item") == "cancelled"
    await context.close()


async def test_everybody_can_use_the_pages(
    cast: Cast, page: Any, database: Any
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    await page.goto(f"/d/{token}")
    await assert_accessible(page)
    for act in ("redirect", "deputy"):
        await page.goto(f"/d/{token}/ask/{act}")
        await page.get_by_role("button", name="Gửi mã cho tôi").click()
        await page.get_by_role("alert").first.wait_for()
        await assert_accessible(page)
    await page.goto(f"/d/{token}/ask/reschedule")
    await page.locator("#day").select_option(index=1)
    await assert_accessible(page)
    await page.get_by_role("button", name="Gửi mã cho tôi").click()
    await page.wait_for_url("**/confirm/*")
    await assert_accessible(page)
    await page.emulate_media(color_scheme="dark")
    await assert_accessible(page)
    # A phone of 390 px and a desk of 1280, both at 200 %; and WCAG's narrowest.
    for path in (page.url, f"/d/{token}", f"/d/{token}/ask/redirect"):
        await page.goto(path)
        for width in (195, 320, 640):
            await page.set_viewport_size({"width": width, "height": 600})
            over = await page.evaluate(
                "document.documentElement.scrollWidth - window.innerWidth"
            )
            assert over <= 0, f"{path} is {over} px too wide at {width}"


async def test_everybody_can_use_what_follows_a_delivery_and_what_staff_see(
    cast: Cast, page: Any, database: Any
) -> None:
    waybill = await travel(cast, "delivered")
    token = await token_of(database)
    await page.goto(f"/d/{token}/say/rate")
    await assert_accessible(page)
    await page.get_by_text("4 · Hài lòng").click()
    await page.get_by_role("button", name="Gửi đánh giá").click()
    await page.get_by_role("status").wait_for()
    for word in ("claim", "dispute"):
        await page.goto(f"/d/{token}/say/{word}")
        await assert_accessible(page)
    await page.get_by_role("button", name="Tôi chưa nhận được").click()
    await page.get_by_text("Số khiếu nại:").wait_for()
    await assert_accessible(page)
    await wish(token, Act.DATA)
    await wish(token, Act.ERASURE)
    await enter(page, cast.dora)
    number = await database.fetchval(
        "SELECT id FROM citizen_request WHERE act = 'erasure'"
    )
    for path in ("/requests", f"/requests/{number}", "/ratings", f"/items/{waybill}"):
        await page.goto(path)
        await assert_accessible(page)
    await page.goto(f"/requests/{number}")
    await page.get_by_role("button", name="Chấp thuận xóa").click()
    await page.get_by_text("xóa ngày").wait_for()


# What staff see of it


async def wish(token: str, act: Act, **typed: str) -> None:
    payload = await read(await following.follow(token), act, typed)
    number = await asking.ask(token, act, payload, "owner", "192.0.2.1")
    await asking.confirm(number, token, await texted(number), "192.0.2.1")


async def test_whoever_carries_it_sees_what_is_wanted_and_that_is_written_down(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    token = await token_of(database)
    home = "5 Nguyễn Du, Phường Long Xuyên, An Giang"
    await wish(token, Act.REDIRECT, address=home)
    await wish(token, Act.DEPUTY, name="Lê Văn Con", phone="0987 654 321")
    path = f"/api/items?code={waybill}"
    async with await visitor(cast.alice) as client:
        told = (await client.get(path)).json()["instructions"]
        assert told == [
            f"Phát tại: {home}",
            "Người được ủy quyền nhận: Lê Văn Con, 0987654321.",
        ]
        held = await client.get("/held")
        assert "đổi địa chỉ phát" in held.text
        assert home not in held.text
        page = await client.get(f"/items/{waybill}")
        assert "Người dân yêu cầu" in page.text
        assert home not in page.text
        shown = await client.post(f"/items/{waybill}")
        assert home in shown.text
    readings = await database.fetch("SELECT staff, what FROM reading ORDER BY id")
    assert [(r["staff"], r["what"]) for r in readings] == [
        (cast.alice.staff, "instructions"),
        (cast.alice.staff, "item"),
    ]
    # Someone who only finds the envelope learns that there is a wish, not whose.
    for stranger in (cast.amy, cast.charlie, cast.eve):
        async with await visitor(stranger) as client:
            told = (await client.get(path)).json()["instructions"]
            assert told == ["đổi địa chỉ phát", "người khác nhận thay"]
    assert await database.fetchval("SELECT count(*) FROM reading") == 2


async def test_a_clerk_takes_a_wish_down_on_a_page_of_his_own(
    cast: Cast, page: Any, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    await enter(page, cast.bob)
    await page.goto(f"/items/{waybill}")
    await page.get_by_role("link", name="Ghi yêu cầu của người dân").click()
    await assert_accessible(page)
    await page.get_by_role("link", name="Giữ tại quầy").click()
    await page.get_by_role("button", name="Ghi nhận").click()
    await page.get_by_text("Hãy chọn một bưu cục.").wait_for()
    await assert_accessible(page)
    await page.select_option("#office", "LX")
    await page.get_by_role("button", name="Ghi nhận").click()
    await page.get_by_text("giữ tại Bưu cục Long Xuyên").wait_for()
    async with await visitor(cast.bob) as client:
        for act, number in (("data", 404), ("book", 404), ("cancel", 200)):
            answer = await client.get(f"/items/{waybill}/wishes/{act}")
            assert answer.status_code == number
    async with await visitor(cast.alice) as client:
        assert (await client.get(f"/items/{waybill}/wishes")).status_code == 403


async def test_what_is_to_be_held_is_not_proposed_to_be_carried_out(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    await wish(await token_of(database), Act.HOLD, office="LX")
    async with await visitor(cast.bob) as client:
        item = (await client.get(f"/api/items?code={waybill}")).json()
    assert item["proposals"][0]["step"] == "held"
    assert "Bưu cục Long Xuyên" in item["instructions"][0]
    booked = await order(cast)
    day = slots.offered(datetime.now(UTC))[1].isoformat()
    await wish(booked.token, Act.RESCHEDULE, day=day, half="afternoon")
    async with await visitor(cast.alice) as client:
        answer = await client.get(f"/api/items?code={booked.waybill}")
        assert "buổi chiều" in answer.json()["instructions"][0]
        assert "buổi chiều" in (await client.get("/held")).text


async def test_the_page_says_what_was_asked_without_a_name_or_an_address(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "collected")
    token = await token_of(database)
    await wish(token, Act.HOLD, office="CD")
    person = {"name": "Lê Văn Con", "phone": "0987 654 321"}
    await wish(token, Act.DEPUTY, **person)
    async with await visitor(None) as client:
        page = (await client.get(f"/d/{token}")).text
        assert "Giữ tại quầy của Bưu cục Châu Đốc." in page
        assert "Bưu điện giữ kết quả tại quầy của Bưu cục Châu Đốc" in page
        assert "Người Ông/Bà cử được nhận thay." in page
        home = "5 Nguyễn Du, Phường Long Xuyên, An Giang"
        await wish(token, Act.REDIRECT, address=home)
        page = (await client.get(f"/d/{token}")).text
        assert "Phát đến địa chỉ mới" in page
        for personal in (home, "Nguyễn Du", *person.values(), "0987"):
            assert personal not in page
        assert len(page) < LIGHT


async def test_a_receipt_is_one_plain_file_that_names_nobody(
    cast: Cast, database: Any
) -> None:
    for procedure, shown in (("1.000", True), ("2.000", False)):
        waybill = await travel(
            cast, "delivered", procedure=procedure, code=f"H01.26-{procedure}"
        )
        token = await database.fetchval("SELECT token FROM dossier ORDER BY id DESC")
        for lang in ("vi", "en"):
            async with await visitor(None, lang=lang) as client:
                answer = await client.get(f"/d/{token}/receipt.pdf")
            assert answer.headers["content-type"] == "application/pdf"
            file = pypdfium2.PdfDocument(answer.content)
            text = "".join(page.get_textpage().get_text_range() for page in file)
            words = " ".join(text.split())
            assert spaced(waybill) in words
            assert ("BIÊN NHẬN HỒ SƠ" if lang == "vi" else "DOSSIER RECEIPT") in words
            for personal in (OWNER, ADDRESS, "0912", token):
                assert personal not in words
            private = ("Ghi chú ly hôn", "Divorce registration", "Đơn đề nghị")
            assert any(name in words for name in private) == shown
    async with await visitor(None) as client:
        assert (await client.get(f"/d/{'A' * 22}/receipt.pdf")).status_code == 404
