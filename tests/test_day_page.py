"""A carrier's day in his hand: at 390 px, by thumb and by keyboard, with no network."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, Page

from postal_track.custody import Step
from tests.axe import assert_accessible
from tests.cast import PASSWORD, Cast, code_for, enter, scan, travel

LEAST_TARGET = 44  # CSS px; the house's own buttons have 48


@pytest.fixture
async def phone(browser: Browser, server: str) -> AsyncIterator[Page]:
    """A phone held upright, with a finger and a position."""
    context = await browser.new_context(
        base_url=server,
        locale="vi-VN",
        timezone_id="Asia/Ho_Chi_Minh",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        geolocation={"latitude": 10.4, "longitude": 105.43},
        permissions=["geolocation"],
    )
    opened = await context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    yield opened
    await context.close()
    assert not faults


async def sign(pad: Locator, page: Page) -> None:
    """Draw a line with a finger."""
    await pad.scroll_into_view_if_needed()
    box = await pad.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 40)
    await page.mouse.down()
    for at in range(12):
        await page.mouse.move(box["x"] + 20 + at * 20, box["y"] + 40 + at % 3 * 30)
    await page.mouse.up()


def stop_of(page: Page, waybill: str) -> Locator:
    return page.locator("[data-stop]").filter(
        has=page.locator(f'[data-task="{waybill}"]')
    )


def photo() -> bytes:
    """A photo as a phone makes it: large, and it tells where it was taken."""
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x010F] = "Samsung"
    noise = Image.effect_noise((2400, 1800), 90).convert("RGB")
    noise.save(out, "JPEG", quality=92, exif=exif)
    return out.getvalue()


async def test_a_day_from_the_first_door_to_the_last(
    cast: Cast, phone: Page, database: Any
) -> None:
    signed, coded, absent = [await travel(cast, "carried") for _ in range(3)]
    papers = await travel(cast, "out")
    for at, waybill in enumerate((signed, coded, absent)):
        await database.execute(
            """
            UPDATE person SET address = $1, lat = $2 WHERE dossier =
                (SELECT dossier FROM item WHERE waybill = $1)
            """,
            waybill,
            10.37 + at / 100,
        )
    await enter(phone, cast.alice)
    await phone.goto("/day")
    count = phone.locator('[data-count="stops"]')
    assert await count.inner_text() == "4"
    await assert_accessible(phone)

    # Signed for, with a photo of the envelope.
    stop = stop_of(phone, signed)
    await stop.locator("summary", has_text="ảnh phong bì").click()
    await stop.locator("[data-photo]").set_input_files(
        {"name": "e.jpg", "mimeType": "image/jpeg", "buffer": photo()}
    )
    await stop.get_by_text("Ảnh đã gửi.").wait_for()
    size, picture = await database.fetchrow(
        "SELECT length(picture), picture FROM item_photo"
    )
    assert size <= 300_000
    assert b"Samsung" not in picture
    await stop.locator("summary", has_text="Đã giao").click()
    deliver = stop.get_by_role("button", name=f"Đã giao {signed}")
    await stop.get_by_text("Chữ ký", exact=True).click()
    await deliver.click()
    await stop.get_by_text("Chưa có chữ ký.").wait_for()
    await sign(stop.locator("[data-pad]"), phone)
    await stop.get_by_text("Đã ký.").wait_for()
    await assert_accessible(phone)
    await stop.get_by_label("4 ký tự cuối").fill("1234")
    await deliver.click()
    await stop.get_by_text("Đã giao · đã gửi").first.wait_for()
    assert await count.inner_text() == "3"
    kept = await database.fetchrow(
        """
        SELECT e.proof, d.content->>'id_last4' FROM event e
        JOIN event_detail d ON d.event = e.id WHERE e.step = 'delivered'
        """
    )
    assert tuple(kept) == ("signature", "1234")

    # A wrong code is refused, and can be said again.
    stop = stop_of(phone, coded)
    await stop.locator("summary", has_text="Đã giao").click()
    code = stop.get_by_label("Mã nhận 6 chữ số")
    right = await code_for(coded, "delivery")
    await code.fill("000000" if right != "000000" else "111111")
    await stop.get_by_role("button", name=f"Đã giao {coded}").click()
    await stop.locator("[data-task] .said", has_text="bị từ chối").wait_for()
    await code.fill(right)
    await stop.get_by_role("button", name=f"Đã giao {coded}").click()
    await stop.get_by_text("Đã giao · đã gửi").first.wait_for()

    # Nobody there, and no network either: it is on the phone, also after a reload.
    await phone.context.set_offline(True)
    stop = stop_of(phone, absent)
    await stop.locator("summary", has_text="Không giao được").click()
    await stop.get_by_role("button", name="Ghi lại").click()
    await stop.get_by_text("Hãy chọn lý do.").wait_for()
    await stop.get_by_text("Vắng nhà").click()
    await stop.get_by_role("button", name="Ghi lại").click()
    await stop.get_by_text("đã lưu trên máy này").first.wait_for()
    await phone.get_by_text("Không có mạng. 1 việc nằm trên máy").wait_for()
    assert await count.inner_text() == "1"
    tries = "SELECT attempts FROM item WHERE waybill = $1"
    assert await database.fetchval(tries, absent) == 0
    await phone.context.set_offline(False)
    await stop.get_by_text("Chưa giao được · đã gửi").first.wait_for()
    assert await database.fetchval(tries, absent) == 1

    # The agency's, released with one tap; it stays his until the officer has it.
    stop = stop_of(phone, papers)
    await stop.get_by_role("button", name="Báo giao cho cơ quan").click()
    await stop.locator("[data-task] .said", has_text="đã gửi").wait_for()
    to = await database.fetchval(
        "SELECT released_to FROM item WHERE waybill = $1", papers
    )
    assert to == f"agency:{cast.agency}"
    await phone.reload()
    assert await count.inner_text() == "1"
    assert await phone.locator("[data-stop]").count() == 1


async def test_what_is_for_the_thumb_is_large_enough(cast: Cast, phone: Page) -> None:
    await travel(cast, "carried")
    await travel(cast, "booked")
    await enter(phone, cast.alice)
    await phone.goto("/day")
    for details in await phone.locator("main details").all():
        await details.evaluate("one => one.open = true")
    targets = phone.locator(
        "main :is(button, summary, .reach a, .choice label, input:not([type=radio]"
        ", [type=checkbox], .unseen), select):visible"
    )
    small = await targets.evaluate_all(
        """(all, least) => all.filter((one) => {
            const {width, height} = one.getBoundingClientRect();
            return Math.min(width, height) < least && one.offsetParent;
        }).map((one) => one.outerHTML.slice(0, 120))""",
        LEAST_TARGET,
    )
    assert small == []


async def test_the_way_begins_where_the_carrier_stands(
    cast: Cast, phone: Page, database: Any
) -> None:
    near, far = await travel(cast, "carried"), await travel(cast, "carried")
    for waybill, lat in ((near, 10.37), (far, 10.41)):  # from the office, that is
        await database.execute(
            """
            UPDATE person SET address = $1, lat = $2, lon = 105.43 WHERE dossier =
                (SELECT dossier FROM item WHERE waybill = $1)
            """,
            waybill,
            lat,
        )
    await enter(phone, cast.alice)
    await phone.goto("/day")
    stops = phone.locator("[data-stop]")
    assert await stops.first.get_attribute("data-stop") == near
    await phone.get_by_role("button", name="Sắp lại đường đi").click()
    await phone.locator(f'[data-stop="{far}"]:first-child').wait_for()


async def test_a_day_goes_by_keyboard_alone(
    cast: Cast, page: Page, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    await scan(cast.bob, waybill, Step.RELEASED, to=cast.alice.party)
    await enter(page, cast.alice)
    await page.goto("/day")
    out = page.get_by_role("button", name="Đã cầm, mang đi phát")
    await out.focus()
    await page.keyboard.press("Enter")
    summary = page.locator("summary:visible", has_text="Đã giao")
    await summary.focus()
    await page.keyboard.press("Enter")
    await page.locator("[data-task] .said", has_text="đã gửi").wait_for()
    code = page.get_by_label("Mã nhận 6 chữ số")
    await code.focus()
    await page.keyboard.type(await code_for(waybill, "delivery"))
    await page.keyboard.press("Enter")
    await page.get_by_text("Đã giao · đã gửi").first.wait_for()
    stage = await database.fetchval("SELECT stage FROM item WHERE waybill=$1", waybill)
    assert stage == "delivered"


async def test_a_kept_page_of_another_day_shows_nobody(
    cast: Cast, phone: Page, database: Any
) -> None:
    await travel(cast, "carried")
    await phone.goto("/login")
    await phone.get_by_label("Tên đăng nhập").fill("alice")
    await phone.get_by_label("Mật khẩu").fill(PASSWORD)
    await phone.get_by_role("button", name="Đăng nhập").click()
    await phone.wait_for_selector("body[data-role]")
    await phone.goto("/day")
    await phone.locator("[data-stop]").first.wait_for()
    await phone.evaluate(
        "document.querySelector('[data-day]').dataset.day = '2026-01-01'"
    )
    await phone.context.set_offline(True)
    await phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await phone.get_by_text("Tuyến của ngày trước đã được xóa khỏi máy").wait_for()
    assert await phone.locator("[data-stop]").count() == 0
    assert await phone.evaluate("localStorage.getItem('day.of')") is None


async def test_a_pen_a_finger_and_a_turned_phone_leave_one_signature(
    page: Page,
) -> None:
    await page.goto("/login")
    drawn = await page.evaluate(
        """async () => {
            const {SignaturePad} = await import('/static/js/signature.js');
            const canvas = document.createElement('canvas');
            canvas.style.cssText = 'display:block;width:300px;height:150px';
            document.body.prepend(canvas);
            const pad = new SignaturePad(canvas, () => {});
            canvas.setPointerCapture = () => {};
            const box = () => canvas.getBoundingClientRect();
            const say = (name, id, x, y, pointerType = 'touch') => canvas.dispatchEvent(
                new PointerEvent(name, {pointerId: id, pointerType, bubbles: true,
                    cancelable: true, clientX: box().left + x,
                    clientY: box().top + y}));
            // Two fingers at once draw two lines.
            say('pointerdown', 1, 10, 10); say('pointerdown', 2, 10, 60);
            say('pointermove', 1, 60, 10); say('pointermove', 2, 60, 60);
            say('pointerup', 1, 60, 10); say('pointermove', 1, 200, 10);
            say('pointercancel', 2, 60, 60);
            const two = pad.path();
            pad.clear();
            const cleared = [pad.isEmpty, pad.path()];
            // A hand that rests on the glass while a pen signs is none of it.
            say('pointerdown', 5, 10, 10, 'pen'); say('pointerdown', 6, 100, 100);
            say('pointermove', 6, 150, 100); say('pointermove', 5, 40, 40, 'pen');
            say('pointerup', 5, 40, 40, 'pen');
            const pen = pad.path();
            // Turned, it is the same signature, on another scale.
            canvas.style.width = '600px'; canvas.style.height = '300px';
            say('pointerdown', 7, 80, 80); say('pointerup', 7, 80, 80);
            return {two, cleared, pen, turned: pad.path()};
        }"""
    )
    assert drawn == {
        "two": "M20 20L120 20M20 120L120 120",
        "cleared": [True, ""],
        "pen": "M20 20L80 80",
        "turned": "M20 20L80 80M80 80h0",
    }
