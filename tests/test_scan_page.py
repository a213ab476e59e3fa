"""The scan page does a carrier's, a clerk's and an officer's work in a real browser.

Labels made by the application lie before a fake camera; typed numbers, hand-held
scanners, lost answers and ended sessions are what people and networks really do.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, expect

from postal_track import instructions, labels, lost
from postal_track.bookings import print_pool
from postal_track.database import transaction
from postal_track.s10 import spaced, waybill
from postal_track.staff import Actor
from routes.shell import shell
from tests import cast as people
from tests import fake_camera
from tests.axe import assert_accessible
from tests.cast import Cast, enter, travel
from tests.usb_scanner import scan_by_hand

PHONE = {"width": 390, "height": 844}
AS_FAST_AS_A_PERSON = 90
FILM_OF_A_LABEL = 8.0

Launch = Callable[..., Awaitable[Browser]]


def verdict(page: Page, tone: str) -> Any:
    return page.locator(f'[data-verdict][data-tone="{tone}"]')


def shown(page: Page, number: str) -> Any:
    """Find the card of this item."""
    return page.locator("[data-item]:visible", has_text=spaced(number))


async def look_up(page: Page, text: str) -> None:
    await page.get_by_label("Nhập mã vận đơn").fill(text)
    await page.keyboard.press("Enter")


async def do(page: Page) -> None:
    await page.locator("[data-do]").click()


async def choose(page: Page, act: str) -> None:
    """Choose another act than the one that was proposed."""
    await page.get_by_text("Việc khác").click()
    await page.get_by_role("button", name=act).click()


async def events(database: Any, number: str) -> list[Any]:
    rows: list[Any] = await database.fetch(
        """
        SELECT e.* FROM event e JOIN item i ON i.id = e.item
        WHERE i.waybill = $1 ORDER BY e.seq
        """,
        number,
    )
    return rows


@asynccontextmanager
async def watching(
    launch: Launch,
    server: str,
    film: Path,
    actor: Actor,
) -> AsyncIterator[Page]:
    """Open the scan page on a phone whose camera sees this film."""
    browser = await launch(*fake_camera.flags(film))
    try:
        page = await browser.new_page(base_url=server, locale="vi-VN", viewport=PHONE)  # type: ignore[arg-type] # a dict is its TypedDict
        await enter(page, actor)
        await page.goto("/scan")
        yield page
    finally:
        await browser.close()


def label(number: str) -> bytes:
    return labels.png(labels.own_label(number))


@pytest.fixture
async def alice(page: Page, cast: Cast) -> Page:
    """Alice's phone, without a camera, on the scan page."""
    await page.set_viewport_size({"width": 390, "height": 844})
    await enter(page, cast.alice)
    await page.goto("/scan")
    return page


# The camera


async def test_labels_before_the_camera_are_dealt_with_one_after_the_other(
    launch: Launch, server: str, cast: Cast, database: Any, tmp_path: Path
) -> None:
    first, second = [await travel(cast, "arrived") for _ in range(2)]
    scenes = [(None, 0.5), (label(first), 4.0), (label(second), 4.0)]
    film = fake_camera.film(tmp_path / "two.y4m", scenes)
    async with watching(launch, server, film, cast.alice) as page:
        await expect(page.locator("[data-do]")).to_have_text("Mang đi phát")
        for _ in range(2):
            number = await page.locator("[data-item-waybill]").inner_text()
            await do(page)
            await expect(verdict(page, "good")).to_contain_text("Mang đi phát")
            # The other label comes without a touch: the camera is still looking.
            await expect(page.locator("[data-item]:visible")).not_to_contain_text(
                number
            )
        assert await page.locator("[data-finder]").get_attribute("data-state") == "open"
    for number in (first, second):
        assert (await events(database, number))[-1]["step"] == "out"


async def test_a_label_that_lies_in_the_picture_is_told_once(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    number = await travel(cast, "arrived")
    film = fake_camera.film(tmp_path / "one.y4m", [(label(number), 2.0)])
    async with watching(launch, server, film, cast.alice) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await expect(shown(page, number)).to_be_visible()
        await page.get_by_role("button", name="Bỏ qua").click()
        now = await page.evaluate("document.querySelector('video').currentTime")
        await page.wait_for_function(
            "until => document.querySelector('video').currentTime > until", arg=now + 4
        )
        await expect(page.locator("[data-item]")).to_be_hidden()
        # The first may have been asked before we listened.
        assert len([url for url in asked if "/api/items" in url]) <= 1


async def test_a_forged_label_is_named_as_such_in_red(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    number = await travel(cast, "arrived")
    forged = labels.draw(labels.label_url(server, number, "ABCDEFGH"), number)
    film = fake_camera.film(tmp_path / "forged.y4m", [(labels.png(forged), 2.0)])
    async with watching(launch, server, film, cast.alice) as page:
        await expect(verdict(page, "wrong")).to_contain_text("không do hệ thống in ra")
        await expect(page.locator("[data-item]")).to_be_hidden()


async def test_a_camera_that_fails_is_opened_again(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    number = await travel(cast, "arrived")
    scenes = [(None, 3.0), (label(number), FILM_OF_A_LABEL)]
    film = fake_camera.film(tmp_path / "late.y4m", scenes)
    async with watching(launch, server, film, cast.alice) as page:
        finder = page.locator('[data-finder][data-state="open"]')
        await expect(finder).to_be_visible()
        await page.evaluate(
            """() => {
                window.first = document.querySelector('video').srcObject.getTracks()[0];
                window.first.stop();
            }"""
        )
        await page.wait_for_function(
            """() => {
                const track = document.querySelector('video').srcObject?.getTracks()[0];
                return track && track !== window.first && track.readyState === 'live';
            }"""
        )
        await expect(shown(page, number)).to_be_visible(timeout=20_000)


async def test_what_is_being_entered_is_not_wiped_away_by_another_label(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    first, second = await travel(cast, "booked"), await travel(cast, "arrived")
    scenes = [(label(first), 5.0), (label(second), 5.0)]
    film = fake_camera.film(tmp_path / "two.y4m", scenes)
    async with watching(launch, server, film, cast.alice) as page:
        await expect(shown(page, first)).to_be_visible()
        await page.get_by_label("Số niêm phong").fill("NP5")
        await expect(page.locator("[data-waiting]")).to_contain_text(spaced(second))
        await expect(page.get_by_label("Số niêm phong")).to_have_value("NP5")
        await page.get_by_role("button", name="Chuyển sang nhãn này").click()
        await expect(shown(page, second)).to_be_visible()


async def test_without_a_camera_the_page_says_so_and_works_by_typing(
    alice: Page, cast: Cast
) -> None:
    await expect(alice.locator("[data-camera-says]")).to_contain_text("nhập mã")
    number = await travel(cast, "arrived")
    await look_up(alice, number)
    await do(alice)
    await expect(verdict(alice, "good")).to_contain_text(spaced(number))


async def test_a_camera_that_was_not_allowed_is_offered_again(
    launch: Launch, server: str, cast: Cast
) -> None:
    browser = await launch("--use-fake-device-for-media-stream")
    page = await browser.new_page(base_url=server, locale="vi-VN")
    await enter(page, cast.alice)
    await page.goto("/scan")
    await expect(page.locator('[data-finder][data-state="refused"]')).to_be_visible()
    await page.context.grant_permissions(["camera"])
    await page.get_by_role("button", name="Mở máy ảnh").click()
    await expect(page.locator('[data-finder][data-state="open"]')).to_be_visible()
    await browser.close()


# Typing and hand-held scanners


async def test_a_slip_in_a_typed_number_is_named_before_anything_is_asked(
    alice: Page, cast: Cast
) -> None:
    asked: list[str] = []
    alice.on("request", lambda request: asked.append(request.url))
    right = waybill(12345678)
    assert right == "DH123456785VN"
    await look_up(alice, "DH 1234 5678 6 VN")
    sentence = "chữ số kiểm tra phải là 5, không phải 6"
    await expect(verdict(alice, "wrong")).to_contain_text(sentence)
    await expect(alice.locator("[data-typed-says]")).to_contain_text(sentence)
    assert not [url for url in asked if "/api/" in url]


async def test_spaces_and_missing_letters_do_not_matter_and_the_item_is_named(
    alice: Page, cast: Cast
) -> None:
    number = await travel(cast, "arrived")
    await look_up(alice, f" {number[2:6]} {number[6:10]}-{number[10]} ")
    await expect(shown(alice, number)).to_be_visible()
    await expect(verdict(alice, "read")).to_contain_text(
        "Hồ sơ gửi đến Trung tâm hành chính công Long Xuyên. So lại với nhãn."
    )


async def test_another_page_can_hand_an_item_over_to_be_scanned(
    alice: Page, cast: Cast
) -> None:
    number = await travel(cast, "arrived")
    await alice.goto(f"/scan?code={number}")
    await expect(shown(alice, number)).to_be_visible()
    await expect(alice).to_have_url(re.compile("/scan$"))


async def test_an_unknown_number_is_named_as_such_in_red(alice: Page) -> None:
    await look_up(alice, waybill(99999999))
    await expect(verdict(alice, "wrong")).to_contain_text(
        "Không có bưu gửi nào mang mã"
    )


async def test_a_hand_held_scanner_is_heard_wherever_the_focus_is(
    alice: Page, cast: Cast
) -> None:
    first, second = [await travel(cast, "arrived") for _ in range(2)]
    await alice.locator("body").focus()
    await scan_by_hand(alice, labels.own_url(first))
    await expect(shown(alice, first)).to_be_visible()
    field = alice.get_by_label("Nhập mã vận đơn")
    await field.fill("12")
    await scan_by_hand(alice, labels.own_url(second))
    await expect(shown(alice, second)).to_be_visible()


async def test_a_scanner_leaves_no_trace_in_the_field_it_typed_into(
    alice: Page, cast: Cast
) -> None:
    first, second = await travel(cast, "booked"), await travel(cast, "arrived")
    await look_up(alice, first)
    seal = alice.get_by_label("Số niêm phong")
    await seal.fill("NP5")
    await scan_by_hand(alice, second)
    await expect(alice.locator("[data-waiting]")).to_contain_text(spaced(second))
    await expect(seal).to_have_value("NP5")


async def test_a_seals_own_bar_code_goes_into_the_field_for_it(
    alice: Page, cast: Cast
) -> None:
    number = await travel(cast, "booked")
    await look_up(alice, number)
    await expect(shown(alice, number)).to_be_visible()
    seal = alice.get_by_label("Số niêm phong")
    await seal.focus()
    await scan_by_hand(alice, "NP00012345")
    await expect(seal).to_have_value("NP00012345")
    await expect(verdict(alice, "read")).to_be_visible()


async def test_a_persons_typing_is_not_taken_for_a_scanner(
    alice: Page, cast: Cast
) -> None:
    number = await travel(cast, "arrived")
    field = alice.get_by_label("Nhập mã vận đơn")
    await field.focus()
    await alice.keyboard.type(number, delay=AS_FAST_AS_A_PERSON)
    await expect(field).to_have_value(number)
    await expect(alice.locator("[data-typed-says]")).to_have_text(
        "Chữ số kiểm tra khớp."
    )


# What is asked, and what is sent


async def test_a_pickup_is_counted_sealed_and_proven_by_the_citizens_code(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "booked")
    await look_up(alice, number)
    await expect(alice.get_by_label("Bản chính", exact=True)).to_have_value("2")
    await alice.get_by_role("button", name="Bản sao: thêm một").click()
    await alice.get_by_role("button", name="Bản sao: bớt một").click()
    await alice.get_by_label("Số niêm phong").fill("np7")
    code = await people.code_for(number, "pickup")
    await alice.get_by_label("Mã 6 chữ số").fill(f"{code[:3]} {code[3:]}")
    await do(alice)
    await expect(verdict(alice, "good")).to_contain_text("Nhận từ người gửi")
    last = (await events(database, number))[-1]
    assert (last["step"], last["proof"], last["seal_no"]) == ("accepted", "code", "NP7")
    assert (last["originals"], last["copies"]) == (2, 1)


async def test_what_is_missing_is_named_and_nothing_is_sent(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "booked")
    await look_up(alice, number)
    await do(alice)
    problem = alice.locator("[data-act-problem]")
    await expect(problem).to_have_text("Hãy nhập số niêm phong.")
    await expect(alice.get_by_label("Số niêm phong")).to_be_focused()
    await alice.get_by_label("Số niêm phong").fill("NP1")
    await do(alice)
    await expect(problem).to_have_text("Mã gồm 6 chữ số.")
    assert len(await events(database, number)) == 1


async def test_a_count_that_differs_is_recorded_with_a_remark(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "booked")
    await look_up(alice, number)
    await alice.get_by_label("Bản chính", exact=True).fill("1")
    await alice.get_by_label("Số niêm phong").fill("NP7")
    await alice.get_by_label("Mã 6 chữ số").fill(
        await people.code_for(number, "pickup")
    )
    await do(alice)
    await expect(verdict(alice, "remark")).to_contain_text("khác với lần giao trước")
    assert (await events(database, number))[-1]["flags"] == ["count_mismatch"]


async def test_a_wrong_code_is_refused_and_asked_for_again(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "carried")
    right = await people.code_for(number, "delivery")
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    await look_up(alice, number)
    code = alice.get_by_label("Mã 6 chữ số")
    await code.fill(wrong)
    await do(alice)
    await expect(verdict(alice, "wrong")).to_contain_text("Còn 4 lần thử")
    await expect(code).to_have_value("")
    await code.fill(right)
    await do(alice)
    await expect(verdict(alice, "good")).to_be_visible()
    assert (await events(database, number))[-1]["step"] == "delivered"


async def sign(page: Page) -> None:
    pad = page.locator("[data-pad]")
    await pad.scroll_into_view_if_needed()
    box = await pad.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 40, box["y"] + 60)
    await page.mouse.down()
    for x, y in ((80, 100), (120, 50), (160, 110), (220, 70)):
        await page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    await page.mouse.up()


async def test_a_delivery_on_signature_shows_who_received_and_on_which_document(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "carried")
    dossier = await database.fetchval(
        "SELECT dossier FROM item WHERE waybill = $1", number
    )
    async with transaction() as connection:
        await instructions.set_deputy(
            connection, dossier, "Trần Văn Ba", "+84912000111", uuid4()
        )
    await look_up(alice, number)
    await alice.get_by_text("Chữ ký", exact=True).click()
    await do(alice)
    problem = alice.locator("[data-act-problem]")
    await expect(problem).to_have_text("Chưa có chữ ký.")
    await sign(alice)
    await alice.get_by_text("Người được ủy quyền", exact=True).click()
    await alice.get_by_label("Giấy tờ đã xem").select_option("passport")
    await alice.get_by_label("4 ký tự cuối").fill("12b4")
    async with alice.expect_request("**/api/scans") as asked:
        await do(alice)
    await expect(verdict(alice, "good")).to_be_visible()
    scan = json.loads((await asked.value).post_data or "")["scans"][0]
    proof = scan["proof"]
    assert proof.pop("signature").startswith("M")
    assert proof == {
        "kind": "signature",
        "receiver": "authorised",
        "id_kind": "passport",
        "id_last4": "12B4",
    }
    assert (await events(database, number))[-1]["proof"] == "signature"


async def test_a_label_printed_ahead_is_put_on_a_booked_item(
    alice: Page, cast: Cast, database: Any
) -> None:
    booked = await travel(cast, "booked")
    _, (blank, *_) = await print_pool(cast.bob, 2)
    await look_up(alice, blank)
    await expect(verdict(alice, "remark")).to_contain_text(
        f"Nhãn trắng {spaced(blank)}"
    )
    await alice.get_by_role("button", name=spaced(booked)).click()
    await expect(alice.locator("[data-item-label]")).to_contain_text(spaced(blank))
    await alice.get_by_label("Số niêm phong").fill("NP3")
    code = await people.code_for(booked, "pickup")
    await alice.get_by_label("Mã 6 chữ số").fill(code)
    await do(alice)
    await expect(verdict(alice, "good")).to_contain_text(spaced(blank))
    bound = """
        SELECT a.item = b.item FROM label a, label b
        WHERE a.waybill = $1 AND b.waybill = $2
        """
    assert await database.fetchval(bound, booked, blank)


async def test_a_blank_label_can_be_left_alone(alice: Page, cast: Cast) -> None:
    _, (blank, *_) = await print_pool(cast.bob, 1)
    await look_up(alice, blank)
    await alice.get_by_role("button", name="Bỏ nhãn trắng này").click()
    await expect(verdict(alice, "ready")).to_be_visible()
    number = await travel(cast, "arrived")
    await look_up(alice, number)
    await expect(shown(alice, number)).to_be_visible()
    await expect(alice.locator("[data-item-label]")).to_be_hidden()


async def test_an_attempt_needs_a_reason_and_another_reason_its_words(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "carried")
    await look_up(alice, number)
    await choose(alice, "Chưa phát được")
    await do(alice)
    problem = alice.locator("[data-act-problem]")
    await expect(problem).to_have_text("Hãy chọn lý do.")
    await expect(alice.get_by_text("Giấy tờ không đúng")).to_be_hidden()
    await alice.get_by_text("Lý do khác (ghi rõ)").click()
    await do(alice)
    await expect(problem).to_have_text("Hãy ghi rõ lý do khác.")
    await alice.get_by_label("Ghi chú").fill("Chó dữ trước cổng")
    await do(alice)
    await expect(verdict(alice, "good")).to_be_visible()
    last = (await events(database, number))[-1]
    assert (last["step"], last["reason"]) == ("attempted", "other")


async def test_an_item_is_released_to_someone_who_is_found_without_marks(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "accepted")
    await look_up(alice, number)
    await choose(alice, "Bàn giao cho người khác")
    await expect(alice.get_by_text("Bob", exact=True)).to_be_visible()
    await alice.get_by_label("Tìm người nhận").fill("chau doc")
    await expect(alice.get_by_text("Bob", exact=True)).to_be_hidden()
    await alice.get_by_text("Bưu cục Châu Đốc", exact=True).click()
    await do(alice)
    await expect(verdict(alice, "good")).to_be_visible()
    assert (await events(database, number))[-1]["towards"] == f"office:{cast.chau_doc}"


async def test_an_officer_gives_the_dossier_code_and_the_due_date(
    page: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "received")
    await enter(page, cast.charlie)
    await page.goto("/scan")
    await look_up(page, number)
    await page.get_by_label("Mã hồ sơ của cơ quan").fill("H01.26-261123-0007")
    await page.get_by_label("Ngày hẹn trả kết quả").fill("2030-01-15")
    await do(page)
    await expect(verdict(page, "good")).to_be_visible()
    code = await database.fetchval("SELECT code FROM dossier_code ORDER BY id DESC")
    assert code == "H01.26-261123-0007"


async def test_damage_and_a_broken_seal_are_said_along_with_any_step(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    await look_up(alice, number)
    await alice.get_by_text("Có gì bất thường?").click()
    await alice.get_by_role("checkbox", name="Niêm phong bị rách").check()
    await alice.get_by_label("Bưu gửi bị hư hỏng").check()
    await do(alice)
    await expect(verdict(alice, "remark")).to_contain_text("Niêm phong bị rách")
    last = (await events(database, number))[-1]
    assert set(last["flags"]) == {"seal_broken", "damaged"}


async def test_an_item_that_has_ended_is_shown_with_nothing_to_do(
    alice: Page, cast: Cast
) -> None:
    number = await travel(cast, "delivered")
    await look_up(alice, number)
    await expect(verdict(alice, "remark")).to_contain_text("không còn việc gì")
    await expect(alice.locator("[data-do]")).to_be_hidden()


async def test_a_position_goes_along_once_it_is_allowed(
    alice: Page, cast: Cast, database: Any
) -> None:
    await alice.context.grant_permissions(["geolocation"])
    spot = {"latitude": 10.37, "longitude": 105.43, "accuracy": 12.0}
    await alice.context.set_geolocation(spot)  # type: ignore[arg-type] # a dict is its TypedDict
    await alice.get_by_role("button", name="Gắn vị trí").click()
    await expect(alice.get_by_role("button", name="Vị trí ±12 m")).to_be_visible()
    await look_up(alice, await travel(cast, "arrived"))
    async with alice.expect_request("**/api/scans") as asked:
        await do(alice)
    scan = json.loads((await asked.value).post_data or "")["scans"][0]
    assert scan["position"] == {"lat": 10.37, "lon": 105.43, "accuracy_m": 12}
    await expect(verdict(alice, "good")).to_be_visible()


async def test_a_position_that_is_not_given_stops_nothing(
    alice: Page, cast: Cast
) -> None:
    await alice.get_by_role("button", name="Gắn vị trí").click()
    refused = alice.get_by_role("button", name="Không gắn vị trí")
    await expect(refused).to_be_visible()
    await look_up(alice, await travel(cast, "arrived"))
    await do(alice)
    await expect(verdict(alice, "good")).to_be_visible()


# When the world does not answer


async def test_a_scan_whose_answer_was_lost_is_sent_again_and_written_once(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    before = len(await events(database, number))

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await alice.route("**/api/scans", lose_the_answer)
    await look_up(alice, number)
    await do(alice)
    await expect(verdict(alice, "kept")).to_contain_text("Đã lưu trên máy này")
    await alice.unroute("**/api/scans")
    # It may go by itself before a finger is there: then the button is gone.
    await alice.evaluate("document.querySelector('[data-send-now]').click()")
    await expect(alice.locator('[data-log] [data-tone="good"]')).to_be_visible()
    assert len(await events(database, number)) == before + 1


async def test_a_session_that_ends_in_the_middle_loses_nothing(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "booked")
    code = await people.code_for(number, "pickup")
    await look_up(alice, number)
    await alice.get_by_label("Số niêm phong").fill("NP9")
    await alice.get_by_label("Mã 6 chữ số").fill(code)
    await database.execute("DELETE FROM session")
    await do(alice)
    dialog = alice.get_by_role("dialog")
    await expect(dialog).to_contain_text("vẫn còn nguyên")
    await dialog.get_by_label("Tên đăng nhập").fill("alice")
    await dialog.get_by_label("Mật khẩu").fill("wrong")
    await dialog.get_by_role("button", name="Đăng nhập và gửi").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("không đúng")
    await dialog.get_by_label("Mật khẩu").fill(people.PASSWORD)
    await dialog.get_by_role("button", name="Đăng nhập và gửi").click()
    await expect(dialog).to_be_hidden()
    await expect(verdict(alice, "good")).to_be_visible()
    last = (await events(database, number))[-1]
    assert (last["by"], last["seal_no"]) == (str(cast.alice.party), "NP9")


async def test_nobody_sends_the_scan_of_another_as_his_own(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    before = len(await events(database, number))
    await look_up(alice, number)
    await expect(shown(alice, number)).to_be_visible()
    await database.execute("DELETE FROM session")
    await do(alice)
    dialog = alice.get_by_role("dialog")
    await dialog.get_by_label("Tên đăng nhập").fill("bob")
    await dialog.get_by_label("Mật khẩu").fill(people.PASSWORD)
    await dialog.get_by_role("button", name="Đăng nhập và gửi").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("là của Alice")
    await dialog.get_by_role("button", name="Để sau").click()
    await expect(alice.locator('[data-log] [data-tone="kept"]')).to_be_visible()
    assert len(await events(database, number)) == before


async def test_a_slow_answer_does_not_hold_up_the_next_label(
    alice: Page, cast: Cast, database: Any
) -> None:
    first, second = [await travel(cast, "arrived") for _ in range(2)]
    answer = asyncio.Event()

    async def wait(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await alice.route("**/api/scans", wait)
    for number in (first, second):
        await look_up(alice, number)
        await expect(shown(alice, number)).to_be_visible()
        await do(alice)
    lines = alice.locator('[data-log] :is([data-tone="sending"], [data-tone="kept"])')
    await expect(lines).to_have_count(2)
    answer.set()
    recorded = alice.locator('[data-log] [data-tone="good"]')
    await expect(recorded).to_have_count(2)
    for number in (first, second):
        assert (await events(database, number))[-1]["step"] == "out"


async def test_what_is_said_of_a_phone_that_was_signed_out_stays_until_it_is_seen(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    await look_up(alice, number)
    await expect(shown(alice, number)).to_be_visible()
    phone = await alice.evaluate("localStorage.getItem('scan.device')")
    form = {"login": "alice", "password": people.PASSWORD, "device": phone}
    async with await people.visitor(None) as client:
        (await client.post("/api/sessions", json=form)).raise_for_status()
    await alice.context.set_offline(True)
    await do(alice)
    await expect(alice.locator('[data-log] [data-tone="kept"]')).to_be_visible()
    await lost.sign_out(phone, "lost", cast.dora)
    await lost.let_in(phone, cast.dora)
    await alice.context.set_offline(False)
    await expect(alice.locator('[data-log] [data-tone="good"]')).to_be_visible()
    notice = alice.locator("[data-notice]")
    await expect(notice).to_contain_text("đăng xuất từ xa")
    await alice.reload()
    await expect(notice).to_contain_text("đăng xuất từ xa")
    await notice.get_by_role("button", name="Đã xem").click()
    await expect(notice).to_be_hidden()


async def test_a_button_pressed_twice_is_one_scan(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    before = len(await events(database, number))
    await look_up(alice, number)
    await alice.locator("[data-do]").dblclick()
    await expect(verdict(alice, "good")).to_be_visible()
    assert len(await events(database, number)) == before + 1


# For everyone


async def test_the_page_can_be_used_by_keyboard_alone(
    page: Page, cast: Cast, database: Any
) -> None:
    first, second = [await travel(cast, "arrived") for _ in range(2)]
    await enter(page, cast.alice)
    await page.goto("/scan")
    await page.get_by_label("Nhập mã vận đơn").focus()
    for number in (first, second):
        await page.keyboard.type(number, delay=AS_FAST_AS_A_PERSON)
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-do]")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(verdict(page, "good")).to_contain_text(spaced(number))
    assert (await events(database, second))[-1]["step"] == "out"


async def test_what_happened_is_told_to_who_cannot_see(alice: Page, cast: Cast) -> None:
    number = await travel(cast, "arrived")
    await look_up(alice, number)
    await do(alice)
    said = alice.locator('[aria-live="assertive"][data-aloud]')
    await expect(said).to_have_text(f"Đã ghi: Mang đi phát. {spaced(number)}")


async def test_the_scan_page_is_accessible_in_every_state(
    page: Page, cast: Cast
) -> None:
    booked, carried = await travel(cast, "booked"), await travel(cast, "carried")
    await enter(page, cast.alice)
    await page.goto("/scan")
    await assert_accessible(page)
    await look_up(page, "DH 1234 5678 6 VN")
    await assert_accessible(page)
    await look_up(page, booked)
    await expect(shown(page, booked)).to_be_visible()
    await do(page)
    await assert_accessible(page)
    await page.get_by_role("button", name="Bỏ qua").click()
    await look_up(page, carried)
    await page.get_by_text("Chữ ký", exact=True).click()
    await assert_accessible(page)
    await choose(page, "Chưa phát được")
    await assert_accessible(page)


@pytest.mark.parametrize("address", ["/", "/login", "/no-such-page"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_open_pages_are_accessible(
    page: Page, address: str, scheme: Any
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.goto(address)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await assert_accessible(page)


async def test_the_page_speaks_english_to_who_asks_for_it(
    alice: Page, cast: Cast
) -> None:
    await alice.get_by_role("link", name="English").click()
    await expect(alice).to_have_title(re.compile("^Scan"))
    await expect(alice).to_have_url(re.compile("/scan$"))
    number = await travel(cast, "arrived")
    await alice.get_by_label("Type a waybill").fill(number)
    await alice.keyboard.press("Enter")
    await expect(alice.locator("[data-do]")).to_have_text("Take out for delivery")


async def test_before_the_decoder_under_150_kb_are_transferred(
    page: Page, cast: Cast, server: str
) -> None:
    sizes: dict[str, int] = {}

    async def weigh(response: Any) -> None:
        if response.status == 200:
            sizes[response.url] = (await response.request.sizes())["responseBodySize"]

    page.on("response", weigh)
    await enter(page, cast.alice)
    await page.goto("/scan", wait_until="networkidle")
    assert any(address.endswith("/scan.js") for address in sizes)
    own = sum(size for address, size in sizes.items() if "/npm/" not in address)
    assert 20_000 < own < 150_000, sizes
    # No script is found out about only in the one before it.
    asked = await page.eval_on_selector_all(
        "link[rel=modulepreload]", "links => links.map((link) => link.href)"
    )
    needed = set(shell().modules("/static/js/scan.js"))
    assert {address.removeprefix(server) for address in asked} == needed
    assert {address.rsplit("/", 1)[1] for address in needed} > {"scan.js", "shelf.js"}


async def test_who_is_not_logged_in_is_asked_to_and_comes_back(
    page: Page, cast: Cast
) -> None:
    await page.goto("/scan")
    await page.get_by_label("Tên đăng nhập").fill("alice")
    await page.get_by_label("Mật khẩu").fill(people.PASSWORD)
    await page.get_by_role("button", name="Đăng nhập").click()
    await expect(page).to_have_url(re.compile("/scan$"))
