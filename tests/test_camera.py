"""The camera stays open, and what it can do is offered; it never goes black in silence.

Headless Chromium's fake camera has no lamp, no zoom and no BarcodeDetector of its own:
where a test is about one of these, the page is given one that says what it was told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from postal_track import labels
from postal_track.s10 import spaced
from tests import fake_camera
from tests.cast import Cast, enter, travel

Launch = Callable[..., Awaitable[Browser]]

LENS = """
    window.told = [];
    const set = {};
    const zoom = { min: 1, max: 4, step: 0.1 };
    MediaStreamTrack.prototype.getCapabilities = () => (
        { torch: true, zoom, focusMode: ['continuous'] });
    const settings = MediaStreamTrack.prototype.getSettings;
    MediaStreamTrack.prototype.getSettings = function () {
        return { ...settings.call(this), ...set };
    };
    MediaStreamTrack.prototype.applyConstraints = async ({ advanced: [wish] }) => {
        window.told.push(wish);
        Object.assign(set, wish);
    };
"""
"""A camera with a lamp and a zoom."""


TWO = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream=device-count=2",
)


def detector(body: str, formats: str = "['qr_code', 'code_128']") -> str:
    """Write a BarcodeDetector as a phone's browser has it."""
    return f"""
        window.BarcodeDetector = class {{
            static async getSupportedFormats() {{ return {formats}; }}
            async detect() {{ {body} }}
        }};
    """


def found(code: str) -> str:
    box = "{ x: 0, y: 0, width: 1, height: 1 }"
    return f"[{{ rawValue: '{code}', format: 'qr_code', boundingBox: {box} }}]"


@asynccontextmanager
async def looking(
    launch: Launch,
    server: str,
    cast: Cast,
    film: Path | None,
    script: str = "",
) -> AsyncIterator[Page]:
    """Open the scan page on a phone whose camera sees this film.

    Without a film the phone has two cameras, which see a test card.
    """
    browser = await launch(*(fake_camera.flags(film) if film else TWO))
    try:
        size: Any = {"width": 390, "height": 844}
        page = await browser.new_page(
            base_url=server,
            locale="vi-VN",
            viewport=size,
            has_touch=True,
            # What it keeps would hide what the network does not bring.
            service_workers="block",
        )
        if script:
            await page.add_init_script(script)
        await enter(page, cast.alice)
        await page.goto("/scan")
        yield page
    finally:
        await browser.close()


def state(page: Page, name: str) -> Any:
    return page.locator(f'[data-finder][data-state="{name}"]')


def item(page: Page, number: str) -> Any:
    return page.locator("[data-item]:visible", has_text=spaced(number))


def film_of(tmp_path: Path, *scenes: fake_camera.Scene) -> Path:
    return fake_camera.film(tmp_path / "film.y4m", scenes)


def label(number: str) -> bytes:
    return labels.png(labels.own_label(number))


async def test_the_phones_own_detector_is_used_where_it_knows_qr(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    number = await travel(cast, "arrived")
    own = detector(f"return {found(labels.own_url(number))};")
    asked: list[str] = []
    async with looking(launch, server, cast, film_of(tmp_path, (None, 2)), own) as page:
        page.on("request", lambda request: asked.append(request.url))
        await expect(item(page, number)).to_be_visible()
        assert not [url for url in asked if "/npm/" in url]


@pytest.mark.parametrize(
    "own",
    [
        detector("throw new DOMException('No service', 'NotSupportedError');"),
        detector("return [];", "['ean_13']"),
    ],
    ids=["broken", "without QR"],
)
async def test_where_the_phones_own_fails_zxing_reads(
    launch: Launch, server: str, cast: Cast, tmp_path: Path, own: str
) -> None:
    number = await travel(cast, "arrived")
    film = film_of(tmp_path, (label(number), 3))
    async with looking(launch, server, cast, film, own) as page:
        await expect(item(page, number)).to_be_visible()


async def test_lamp_and_zoom_are_offered_and_come_back_after_a_restart(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    film = film_of(tmp_path, (None, 2))
    async with looking(launch, server, cast, film, LENS) as page:
        lamp = page.get_by_role("button", name="Đèn")
        await lamp.click()
        await expect(lamp).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("button", name="Phóng to: 1 lần").click()
        await page.get_by_role("button", name="Phóng to: 1,5 lần").click()
        await expect(page.get_by_role("button", name="Phóng to: 2 lần")).to_be_visible()
        await page.evaluate("window.told.length = 0")
        # The screen goes dark, and the camera with it.
        await page.evaluate(
            """() => {
                Object.defineProperty(document, 'hidden',
                    { get: () => window.asleep, configurable: true });
                window.asleep = true;
                document.dispatchEvent(new Event('visibilitychange'));
            }"""
        )
        await expect(state(page, "closed")).to_be_visible()
        assert await page.evaluate("document.querySelector('video').srcObject === null")
        await page.evaluate(
            """() => {
                window.asleep = false;
                document.dispatchEvent(new Event('visibilitychange'));
            }"""
        )
        await expect(state(page, "open")).to_be_visible()
        await page.wait_for_function("window.told.length === 3")
        assert await page.evaluate("window.told") == [
            {"focusMode": "continuous"},
            {"torch": True},
            {"zoom": 2},
        ]


async def test_a_camera_without_lamp_or_zoom_offers_none(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    none = "MediaStreamTrack.prototype.getCapabilities = () => ({});"
    film = film_of(tmp_path, (None, 2))
    async with looking(launch, server, cast, film, none) as page:
        await expect(state(page, "open")).to_be_visible()
        for tool in ("[data-torch]", "[data-zoom]", "[data-camera-other]"):
            await expect(page.locator(tool)).to_be_hidden()


async def test_the_camera_that_was_chosen_is_opened_the_next_time(
    launch: Launch, server: str, cast: Cast
) -> None:
    which = "document.querySelector('video').srcObject?.getTracks()[0]"
    async with looking(launch, server, cast, None) as page:
        await expect(state(page, "open")).to_be_visible()
        first = await page.evaluate(f"{which}.getSettings().deviceId")
        await page.get_by_role("button", name="Máy ảnh khác").click()
        await page.wait_for_function(
            f"first => ![undefined, first].includes({which}?.getSettings().deviceId)",
            arg=first,
        )
        second = await page.evaluate(f"{which}.getSettings().deviceId")
        await page.reload()
        await expect(state(page, "open")).to_be_visible()
        assert await page.evaluate(f"{which}.getSettings().deviceId") == second
        # One that is gone is forgotten, and another opened.
        await page.evaluate("localStorage.setItem('scan.camera', 'gone')")
        await page.reload()
        await expect(state(page, "open")).to_be_visible()


async def test_a_silent_camera_says_so_and_is_opened_again(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    # Another program takes the camera: browsers mute the track and tell nothing else.
    mute = """
        window.muted = null;
        Object.defineProperty(MediaStreamTrack.prototype, 'muted',
            { get() { return this === window.muted; } });
    """
    async with looking(
        launch, server, cast, film_of(tmp_path, (None, 2)), mute
    ) as page:
        await expect(state(page, "open")).to_be_visible()
        await page.evaluate(
            """() => {
                window.muted = document.querySelector('video').srcObject.getTracks()[0];
                window.states = [];
                new MutationObserver(() => window.states.push(
                    [document.querySelector('[data-finder]').dataset.state,
                     document.querySelector('[data-camera-says]').textContent]))
                    .observe(document.querySelector('[data-finder]'),
                        { attributeFilter: ['data-state'] });
            }"""
        )
        await page.wait_for_function(
            """() => {
                const track = document.querySelector('video').srcObject?.getTracks()[0];
                return track && track !== window.muted && track.readyState === 'live';
            }"""
        )
        await expect(state(page, "open")).to_be_visible()
        states = await page.evaluate("window.states")
        names = list(dict.fromkeys(name for name, _ in states))
        assert names in (["lost", "starting", "open"], ["starting", "open"])
        assert all(words for name, words in states if name != "open")


async def test_a_black_picture_is_said_with_a_button_until_it_is_light_again(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    scenes: list[fake_camera.Scene] = [(fake_camera.DARKNESS, 5), (None, 5)]
    async with looking(launch, server, cast, film_of(tmp_path, *scenes)) as page:
        await expect(state(page, "black")).to_be_visible(timeout=15_000)
        await expect(page.locator("[data-camera-says]")).to_contain_text(
            "Hình đang tối"
        )
        again = page.get_by_role("button", name="Mở máy ảnh")
        await expect(again).to_be_visible()
        await expect(state(page, "open")).to_be_visible(timeout=15_000)
        await expect(page.locator("[data-veil]")).to_be_hidden()


async def test_a_decoder_that_does_not_come_is_said_and_asked_for_again(
    launch: Launch, server: str, cast: Cast, tmp_path: Path
) -> None:
    number = await travel(cast, "arrived")
    film = film_of(tmp_path, (label(number), 3))
    async with looking(launch, server, cast, film) as page:
        await page.route("**/npm/**", lambda route: route.abort())
        await page.reload()
        says = page.locator("[data-camera-says]")
        await expect(says).to_contain_text("bộ giải mã", timeout=15_000)
        await page.unroute("**/npm/**")
        await expect(item(page, number)).to_be_visible(timeout=15_000)
        await expect(page.locator("[data-veil]")).to_be_hidden()
