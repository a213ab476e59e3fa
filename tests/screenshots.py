"""Takes a picture of every page, as people see it: `make screenshots`.

Starts the whole service with its demo in a temporary folder, looks at each page on a
phone and at a desk, and leaves the pictures in var/screenshots. The two of the README
go to docs/pictures. Not a test: nothing is asserted but that pages open.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import asyncpg
import httpx
from playwright.async_api import Browser, Page, async_playwright

from postal_track.demo import PASSWORD
from postal_track.settings import ROOT
from postal_track.stack import Stack
from tests import fake_camera
from tests.shown import shown

PICTURES = ROOT / "docs" / "pictures"
SIZES = {"phone": (390, 844), "desk": (1280, 800)}

BANK = {
    "BANK_BIN": "970403",
    "BANK_ACCOUNT": "0011012345678",
    "BANK_NAME": "Ngân hàng Thử",
    "BANK_HOLDER": "BUU DIEN TINH THU",
}
"""An account of the standard's examples, so that the code to pay by is seen."""

PAGES = {
    "": ["/", "/track", "/book", "/login"],
    "buuta.an": [
        "/day",
        "/scan",
        "/scan?mode=pile",
        "/scan?mode=count",
        "/held",
        "/money/cash",
        "/devices",
    ],
    "gdv.giang": ["/dossiers/new", "/labels", "/held", "/items", "/runs"],
    "canbo.minh": [
        "/desk",
        "/desk?tab=work",
        "/desk?tab=leaving",
        "/desk?tab=coming",
        "/desk/lists",
        "/desk/lists?kind=results",
        "/unit/people",
        "/held",
    ],
    "quantri": ["/memberships"],
    "kiemtoan": ["/readings"],
    "gdv.hanh": ["/money/cash", "/money/statement"],
    "giamsat": [
        "/money",
        "/money/cash",
        "/money/day",
        "/items",
        "/requests",
        "/ratings",
        "/sms",
        "/sms/calls",
        "/sms/texts",
        "/sms/costs",
    ],
}
"""Whose pages are looked at; nobody's are the citizen's."""


def main() -> int:
    """Start, look, stop."""
    with shown(**BANK) as (address, folder):
        asyncio.run(_look(address, folder))
    return 0


async def _look(address: str, folder: Path) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        token = await _token(client, "buuta.an")
        client.headers["authorization"] = f"Bearer {token}"
        held = (await client.get("/api/held")).json()["items"]
        out = next(i for i in held if i["stage"] == "out_for_delivery" and i["mine"])
        label = (await client.get(f"/labels/{out['waybill']}.png")).content
    film = fake_camera.film(folder / "label.y4m", [(label, 3.0)])
    shots = ROOT / "var" / "screenshots"
    shots.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium")
            or shutil.which("chromium-browser"),
            args=["--no-sandbox", *fake_camera.flags(film)],
        )
        for size in SIZES:
            for who, paths in PAGES.items():
                page = await _open(browser, address, who, size)
                for path in paths:
                    await page.goto(path)
                    await _settle(page)
                    name = f"{who or 'citizen'}{_plain(path)}-{size}.png"
                    await page.screenshot(path=shots / name)
        token = await _citizens_token(folder, out["waybill"])
        await _for_the_readme(browser, address, token)
        await browser.close()


def _plain(path: str) -> str:
    """Name a file after a page."""
    return re.sub(r"[^a-z0-9]+", "-", path)


async def _token(client: httpx.AsyncClient, login: str) -> str:
    answer = await client.post(
        "/api/sessions", json={"login": login, "password": PASSWORD}
    )
    token: str = answer.raise_for_status().json()["token"]
    return token


async def _open(browser: Browser, address: str, who: str, size: str) -> Page:
    width, height = SIZES[size]
    context = await browser.new_context(
        base_url=address,
        locale="vi-VN",
        timezone_id="Asia/Ho_Chi_Minh",
        viewport={"width": width, "height": height},
    )
    page = await context.new_page()
    if who:
        await page.goto("/login")
        await page.get_by_label("Tên đăng nhập").fill(who)
        await page.get_by_label("Mật khẩu").fill(PASSWORD)
        await page.get_by_role("button", name="Đăng nhập").click()
        await page.wait_for_selector("body[data-role]")
    return page


async def _settle(page: Page) -> None:
    """Give a page the time to draw what a script adds; the camera runs on for ever."""
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(700)


async def _citizens_token(folder: Path, waybill: str) -> str:
    """Know the link that the citizen has in his texts."""
    connection = await asyncpg.connect(dsn=Stack(folder / "var").postgres.url())
    try:
        token: str = await connection.fetchval(
            """
            SELECT d.token FROM dossier d JOIN item i ON i.dossier = d.id
            WHERE i.waybill = $1
            """,
            waybill,
        )
    finally:
        await connection.close()
    return token


async def _for_the_readme(browser: Browser, address: str, token: str) -> None:
    carrier = await _open(browser, address, "buuta.an", "phone")
    await carrier.goto("/scan")
    await carrier.wait_for_selector("[data-item]:not([hidden])", timeout=20_000)
    await _settle(carrier)
    await carrier.screenshot(path=PICTURES / "scan.png")
    # The same delivery where there is no network, on the citizen's code.
    await carrier.context.set_offline(True)
    await carrier.fill("#code", "481203")
    await carrier.click("[data-do]")
    await carrier.wait_for_selector('[data-log] [data-tone="kept"]')
    await carrier.screenshot(path=PICTURES / "offline.png")
    citizen = await _open(browser, address, "", "phone")
    await citizen.goto(f"/d/{token}")
    await _settle(citizen)
    await citizen.screenshot(path=PICTURES / "citizen.png")
    await citizen.locator("#pay").evaluate("one => one.scrollIntoView()")
    await citizen.screenshot(path=PICTURES / "pay.png")
    carrier = await _open(browser, address, "buuta.an", "phone")
    for path, name in (("/day", "day"), ("/scan?mode=pile", "pile")):
        await carrier.goto(path)
        await _settle(carrier)
        await carrier.screenshot(path=PICTURES / f"{name}.png")
    officer = await _open(browser, address, "canbo.minh", "desk")
    await officer.goto("/desk")
    await _settle(officer)
    await officer.screenshot(path=PICTURES / "desk.png")


if __name__ == "__main__":
    raise SystemExit(main())
