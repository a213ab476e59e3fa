"""One dossier from the citizen's door to the agency and back, as its people do it.

Everybody works in Chromium at a phone's width, logs in by the form, and holds labels
that the application made before the camera. Nothing is read from the database but what
a citizen would read on his own phone: the text with the code.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from tests import fake_camera
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, PASSWORD, PHONE, Cast
from tests.conftest import running

Launch = Callable[..., Awaitable[Browser]]


@asynccontextmanager
async def at_work(
    launch: Launch, server: str, login: str, film: Path | None = None
) -> AsyncIterator[Page]:
    """Log somebody in on a phone of his own; its camera sees the film."""
    browser = await launch(*(fake_camera.flags(film) if film else ()))
    page = await browser.new_page(
        base_url=server,
        locale="vi-VN",
        timezone_id="Asia/Ho_Chi_Minh",
        viewport={"width": 390, "height": 844},
    )
    try:
        await page.goto("/login")
        await page.get_by_label("Tên đăng nhập").fill(login)
        await page.get_by_label("Mật khẩu").fill(PASSWORD)
        await page.get_by_role("button", name="Đăng nhập").click()
        await expect(page.locator("body[data-role]")).to_be_visible()
        yield page
    finally:
        await browser.close()


async def said(page: Page, words: str) -> None:
    """Press the one big button, and wait until the page says that it is written.

    Its list says so for good, the big verdict only until the camera reads again.
    """
    await expect(page.locator("[data-do]")).to_have_text(words)
    await page.locator("[data-do]").click()
    newest = page.locator("[data-log] > *").first
    await expect(newest).to_contain_text(f"{words} · đã gửi")


async def scan(page: Page, waybill: str, words: str) -> None:
    """Type a waybill and do what is proposed."""
    await page.goto("/scan")
    await page.get_by_label("Nhập mã vận đơn").fill(waybill)
    await page.keyboard.press("Enter")
    await said(page, words)


async def film_of(page: Page, waybill: str, path: Path) -> Path:
    """Fetch the label that the application drew, and lay it before a camera."""
    answer = await page.request.get(f"/labels/{waybill}.png")
    assert answer.headers["content-type"] == "image/png"
    return fake_camera.film(path, [(None, 0.5), (await answer.body(), 5.0)])


async def text_of(database: Any, template: str) -> str:
    """Read a text as the citizen gets it."""
    body: str = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = $1 ORDER BY id DESC", template
    )
    return body


def code_in(text: str) -> str:
    """Read the code off the citizen's phone."""
    found = re.search(r"Ma nhan: (\d{6})\.", text)
    assert found is not None
    return found[1]


async def test_a_dossier_goes_to_the_agency_and_its_result_comes_back(
    launch: Launch, server: str, cast: Cast, database: Any, redis: Any, tmp_path: Path
) -> None:
    worker = ("arq", "postal_track.worker.WorkerSettings")
    with running("worker", *worker):
        async with at_work(launch, server, "bob") as clerk:
            waybill, link = await register(clerk)
            film = await film_of(clerk, waybill, tmp_path / "dossier.y4m")
        citizen = await (await launch()).new_page(base_url=server, locale="vi-VN")
        await citizen.set_viewport_size({"width": 390, "height": 844})
        code = await pickup_code(citizen, link)

        async with at_work(launch, server, "alice", film) as carrier:
            await collect(carrier, code)
            async with at_work(launch, server, "bob") as clerk:
                await scan(clerk, waybill, "Nhập bưu cục")
            await scan(carrier, waybill, "Mang đi phát")

        async with at_work(launch, server, "charlie") as officer:
            result = await serve(officer)

        async with at_work(launch, server, "bob") as clerk:
            film = await film_of(clerk, result, tmp_path / "result.y4m")
        async with at_work(launch, server, "alice", film) as carrier:
            await carrier.goto("/scan")
            await carrier.get_by_label("Số niêm phong").fill("NP000456")
            await said(carrier, "Nhận từ người gửi")
            await scan(carrier, result, "Mang đi phát")
            await citizen.goto(link)
            await expect(citizen.get_by_role("heading", level=1)).to_be_visible()
            await deliver(carrier, result, await text_of(database, "S07_out"))

        await citizen.goto(link)
        await expect(citizen.locator("main")).to_contain_text("Ông/Bà đã nhận kết quả")
        await assert_accessible(citizen)
        await sent(database)
        async with at_work(launch, server, "dora") as supervisor:
            await supervisor.goto("/sms")
            code = code_in(await text_of(database, "S07_out"))
            await expect(supervisor.locator("main")).not_to_contain_text(code)
            await assert_accessible(supervisor)
    told = await database.fetch("SELECT template FROM sms_message ORDER BY id")
    assert [row["template"] for row in told] == [
        "S01_booked",
        "S02_picked",
        "S03_agency",
        "S06_result_ready",
        "S07_out",
        "S08_delivered",
    ]
    assert await database.fetchval("SELECT count(*) FROM irregularity") == 0


async def register(clerk: Page) -> tuple[str, str]:
    """Take a dossier in over the counter; its waybill and the citizen's link."""
    await clerk.goto("/dossiers/new")
    await clerk.locator("[data-procedure]").select_option("1.000")
    await clerk.locator("[name=agency]").select_option("AGENCY")
    await clerk.locator("[name='owner.name']").fill(OWNER)
    await clerk.locator("[name='owner.phone']").fill(PHONE)
    await clerk.locator("[name='owner.address']").fill(ADDRESS)
    # The procedure's list of papers is filled in by itself.
    await expect(clerk.locator("[name='papers.0.name']")).not_to_have_value("")
    await clerk.locator("[data-register]").click()
    waybill = await clerk.locator("[data-waybill]").inner_text()
    link = await clerk.locator("[data-link]").get_attribute("href")
    assert link is not None
    await assert_accessible(clerk)
    return waybill.replace(" ", ""), link


async def pickup_code(citizen: Page, link: str) -> str:
    """Read the code from the citizen's page, opened from his text without a login."""
    await citizen.goto(link)
    digits = await citizen.locator(".code .digits").inner_text()
    await assert_accessible(citizen)
    return digits.replace(" ", "")


async def collect(carrier: Page, code: str) -> None:
    """Accept the sealed envelope at the door: camera, seal, the citizen's code."""
    await carrier.goto("/scan")
    await expect(carrier.locator("[data-item-waybill]")).to_be_visible(timeout=20_000)
    await carrier.get_by_label("Số niêm phong").fill("NP000123")
    await carrier.get_by_label("Mã 6 chữ số").fill(code)
    await assert_accessible(carrier)
    await said(carrier, "Nhận từ người gửi")


async def serve(officer: Page) -> str:
    """Receive at the desk, give code and due date, announce; the result's waybill."""
    await officer.goto("/desk")
    await officer.locator("[data-rows=receive] input[type=checkbox]").first.check()
    await officer.get_by_role("button", name="Ký nhận các hồ sơ đã chọn").click()
    await expect(officer.get_by_role("status")).to_contain_text("Đã ký nhận")
    await officer.get_by_label("Mã hồ sơ").fill("H01.26-261123-0001")
    due = date.today() + timedelta(days=5)  # noqa: DTZ011 - what a calendar shows
    await officer.get_by_label("Ngày hẹn trả").fill(due.isoformat())
    await officer.get_by_role("button", name="Cấp mã").click()
    await expect(officer.get_by_role("status")).to_contain_text("Đã cấp mã")
    await officer.get_by_text("Báo có kết quả").first.click()
    await officer.locator("form[action='/desk/announce'] button").first.click()
    done = officer.get_by_role("status")
    await expect(done).to_contain_text("Kết quả chờ bưu tá")
    await assert_accessible(officer)
    return (await done.locator(".waybill").inner_text()).replace(" ", "")


async def deliver(carrier: Page, waybill: str, text: str) -> None:
    """Hand the result over on the code that the citizen reads from his text."""
    code = code_in(text)
    await carrier.goto(f"/scan?code={waybill}")
    await carrier.get_by_label("Mã 6 chữ số").fill(code)
    await said(carrier, "Phát cho người dân")


async def sent(database: Any) -> None:
    """Wait until the worker has handed every text that is still true to the gateway."""
    unsent = """
        SELECT count(*) FROM sms_message
        WHERE status IN ('queued', 'sending') AND (not_before IS NULL OR due_at < now())
    """
    async with asyncio.timeout(60):
        while await database.fetchval(unsent):  # noqa: ASYNC110 - another process's work
            await asyncio.sleep(0.1)
