"""Piles and counting: label after label without a pause, one decision at the end.

Every scan of a pile keeps the time it was scanned at and an id of its own; what does
not fit is shown and dealt with by one tap; counting moves nobody's custody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from postal_track import labels
from postal_track.custody import Step
from postal_track.s10 import spaced
from tests import fake_camera
from tests.axe import assert_accessible
from tests.cast import Cast, enter, scan, travel
from tests.test_scan_page import Launch, events, verdict, watching
from tests.usb_scanner import scan_by_hand


async def promised(cast: Cast) -> str:
    """Have Bob hand an item of his office to Alice, who has yet to take it."""
    number = await travel(cast, "arrived")
    await scan(cast.bob, number, Step.RELEASED, to=cast.alice.party)
    return number


async def turn(page: Page, mode: str) -> None:
    await page.get_by_role("radio", name=mode).check()


async def type_in(page: Page, number: str) -> None:
    await page.get_by_label("Nhập mã vận đơn").fill(number)
    await page.get_by_role("button", name="Tra mã này").click()


def line(page: Page, number: str) -> Any:
    return page.locator(f'[data-pile] [data-waybill="{number}"]')


@pytest.fixture
async def alice(page: Page, cast: Cast) -> Page:
    """Alice's phone, without a camera, on the scan page."""
    await page.set_viewport_size({"width": 390, "height": 844})
    await enter(page, cast.alice)
    await page.goto("/scan")
    return page


async def test_a_pile_is_held_against_what_was_promised_and_recorded_at_once(
    launch: Launch, server: str, cast: Cast, database: Any, tmp_path: Path
) -> None:
    numbers = [await promised(cast) for _ in range(3)]
    stranger = await travel(cast, "arrived")
    missing = await promised(cast)
    scenes: list[fake_camera.Scene] = [(None, 2.0)]
    scenes += [
        (labels.png(labels.own_label(number)), 1.2) for number in (*numbers, stranger)
    ]
    film = fake_camera.film(tmp_path / "pile.y4m", scenes)
    async with watching(launch, server, film, cast.alice) as page:
        await page.goto("/scan?mode=pile")
        await expect(page.get_by_label("So với danh sách")).to_contain_text("(4)")
        title = page.locator("[data-verdict-title]")
        await expect(page.locator("[data-pile-fitting] li")).to_have_count(3)
        await expect(title).to_have_text("3 / 4")
        await expect(page.locator("[data-verdict-text]")).to_contain_text(
            "1 không có trong danh sách này"
        )
        await expect(page.locator("[data-pile-missing]")).to_contain_text("Còn thiếu 1")
        await page.locator("[data-pile-missing] summary").click()
        await expect(page.locator("[data-pile-missing]")).to_contain_text(
            spaced(missing)
        )
        # One tap for what does not fit, one decision for all.
        await line(page, stranger).get_by_role("button", name="Ghi cùng").click()
        await page.get_by_role("button", name="Mang đi phát: 4").click()
        await expect(page.locator('[data-log] [data-tone="good"]')).to_have_count(4)
    told = [(await events(database, number))[-1] for number in (*numbers, stranger)]
    assert {each["step"] for each in told} == {"out"}
    assert len({each["id"] for each in told}) == 4
    times = [each["at"] for each in told]
    assert times == sorted(times)
    # They lay before the camera more than a second apart, and were sent together.
    assert (times[2] - times[0]).total_seconds() > 2


async def test_a_pile_survives_a_reload_and_a_day_without_a_network(
    alice: Page, cast: Cast, database: Any
) -> None:
    numbers = [await promised(cast) for _ in range(2)]
    await alice.reload()
    await turn(alice, "Cả chồng")
    title = alice.locator("[data-verdict-title]")
    await expect(title).to_have_text("0 / 2")
    await alice.context.set_offline(True)
    await scan_by_hand(alice, labels.own_url(numbers[0]))
    await expect(title).to_have_text("1 / 2")
    await alice.context.set_offline(False)
    await alice.reload()
    await expect(title).to_have_text("1 / 2")
    await alice.context.set_offline(True)
    await alice.get_by_label("Nhập mã vận đơn").fill(numbers[1])
    await alice.keyboard.press("Enter")
    await expect(verdict(alice, "good")).to_contain_text("Đủ cả danh sách")
    # Scanned a second time it is still one.
    await scan_by_hand(alice, labels.own_url(numbers[1]))
    await expect(title).to_have_text("2 / 2")
    await alice.get_by_role("button", name="Mang đi phát: 2").click()
    await expect(title).to_have_text("Đã lưu 2 lượt quét")
    await expect(alice.locator('[data-log] [data-tone="kept"]')).to_have_count(2)
    await alice.context.set_offline(False)
    await expect(alice.locator('[data-log] [data-tone="good"]')).to_have_count(2)
    for number in numbers:
        assert [e["step"] for e in await events(database, number)].count("out") == 1


async def test_what_a_pile_cannot_take_is_named_and_never_recorded(
    alice: Page, cast: Cast, server: str, database: Any
) -> None:
    number, ended = await promised(cast), await travel(cast, "delivered")
    forged = await travel(cast, "arrived")
    await alice.reload()
    await turn(alice, "Cả chồng")
    await expect(alice.locator("[data-verdict-title]")).to_have_text("0 / 1")
    await scan_by_hand(alice, "https://example.org/something")
    await expect(verdict(alice, "wrong")).to_contain_text("Không phải nhãn")
    await scan_by_hand(alice, labels.label_url(server, forged, "ABCDEFGH"))
    await expect(line(alice, forged)).to_contain_text("không do hệ thống in ra")
    await type_in(alice, ended)
    await type_in(alice, number)
    await expect(line(alice, ended)).to_contain_text("Không làm được việc đã chọn")
    await expect(alice.get_by_text("Cần xem: 3")).to_be_visible()
    # What sticks lies over what scrolls by, which axe takes for small targets.
    await alice.evaluate(
        """document.querySelectorAll('.modes, [data-pile-record], .verdict')
            .forEach((one) => one.style.position = 'static')"""
    )
    await assert_accessible(alice)
    before = [len(await events(database, each)) for each in (ended, forged)]
    await alice.get_by_role("button", name="Mang đi phát: 1").click()
    await expect(alice.locator('[data-log] [data-tone="good"]')).to_have_count(1)
    assert [len(await events(database, each)) for each in (ended, forged)] == before
    await line(alice, forged).get_by_role("button", name="Bỏ ra").click()
    await expect(line(alice, forged)).to_be_hidden()
    await line(alice, ended).get_by_role("button", name="Mở riêng").click()
    await expect(alice.locator("[data-item]:visible")).to_contain_text(spaced(ended))


async def test_a_pile_is_released_to_one_person_who_must_be_named(
    alice: Page, cast: Cast, database: Any
) -> None:
    numbers = [await travel(cast, "accepted") for _ in range(2)]
    await alice.reload()
    await turn(alice, "Cả chồng")
    await alice.get_by_label("So với danh sách").select_option("held")
    for number in numbers:
        await type_in(alice, number)
        await expect(line(alice, number)).to_be_visible()
    await alice.locator("[data-pile-steps]").get_by_text("Bàn giao").click()
    record = alice.get_by_role("button", name="Bàn giao cho người khác: 2")
    await record.click()
    await expect(alice.get_by_role("alert")).to_contain_text(["", "Hãy chọn người"])
    await alice.get_by_label("Bàn giao cho ai?").select_option(str(cast.bob.party))
    await record.click()
    await expect(alice.locator('[data-log] [data-tone="good"]')).to_have_count(2)
    for number in numbers:
        last = (await events(database, number))[-1]
        assert (last["step"], last["towards"]) == ("released", str(cast.bob.party))


async def test_counting_compares_with_the_number_announced_and_records_nothing(
    alice: Page, cast: Cast, database: Any
) -> None:
    numbers = [await travel(cast, "arrived") for _ in range(3)]
    before = [len(await events(database, each)) for each in numbers]
    await turn(alice, "Đếm")
    await alice.get_by_label("Số lượng được báo").fill("3")
    title = alice.locator("[data-verdict-title]")
    await scan_by_hand(alice, labels.own_url(numbers[0]))
    await expect(title).to_have_text("1 / 3")
    for number in numbers[:2]:
        await type_in(alice, number)
    await expect(title).to_have_text("2 / 3")
    await expect(alice.locator("[data-verdict-text]")).to_contain_text("Còn thiếu 1")
    await alice.get_by_role("button", name="Đếm tay: thêm một").click()
    await expect(verdict(alice, "good")).to_contain_text("Đủ số")
    await alice.reload()
    await expect(title).to_have_text("3 / 3")
    await scan_by_hand(alice, numbers[2])
    await expect(verdict(alice, "remark")).to_contain_text("Thừa 1")
    await assert_accessible(alice)
    await alice.get_by_role("button", name="Đếm lại từ đầu").click()
    await expect(title).to_have_text("0 / 3")
    assert [len(await events(database, each)) for each in numbers] == before


async def test_the_switch_lies_by_the_thumb_and_turns_by_keyboard(alice: Page) -> None:
    switch = alice.get_by_role("group", name="Cách quét")
    box = await switch.bounding_box()
    assert box is not None
    assert box["y"] > 844 * 0.75
    await switch.get_by_label("Từng cái").focus()
    await alice.keyboard.press("ArrowRight")
    await expect(alice.locator("[data-pile]")).to_be_visible()
    await alice.keyboard.press("ArrowRight")
    await expect(alice.locator("[data-counting]")).to_be_visible()
    await alice.goto("/scan?mode=pile")
    await expect(alice.locator("[data-pile]")).to_be_visible()
