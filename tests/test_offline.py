"""The phone works all day without a signal, and ends in the same ledger.

Real Chromium at a phone's size, its network switched off for real; a bad network and a
server that falls ill in `tests/fault_proxy.py`. Most scans are told to the page's own
modules, some are typed.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    async_playwright,
    expect,
)

from postal_track import satchel
from postal_track.custody import CITIZEN, Kind, Reason, Role, Step
from postal_track.handoffs import Scan, record
from postal_track.s10 import spaced
from postal_track.staff import Actor
from routes import offline
from routes.shell import STATIC, digest, shell
from tests import cast as people
from tests.axe import assert_accessible
from tests.cast import Cast, token_of, travel
from tests.fault_proxy import FAULTS, FaultProxy, proxied

PHONE = {"width": 390, "height": 844}
HERE = {"locale": "vi-VN", "timezone_id": "Asia/Ho_Chi_Minh", "viewport": PHONE}
A_COLD_START_S = 5.0  # on a machine that does much else; the bar is a second

MODULE = """async (name) => {
    const scripts = document.querySelector('script[src*="/js/offline.js"]').src;
    return import(scripts.replace('offline.js', name));
}"""
KEEP = f"""async (payloads) => {{
    const {{ keep }} = await ({MODULE})('queue.js');
    const kept = await Promise.all(payloads.map((each) => keep('scan', each)));
    return kept.map(({{ id, at, seq, device }}) => ({{ id, at, seq, device }}));
}}"""
STATES = f"""async () => {{
    const {{ list }} = await ({MODULE})('queue.js');
    return (await list()).map(({{ state }}) => state);
}}"""
STOCKED = """async () => {
    const has = (store, key) => new Promise((tell) => {
        const asked = indexedDB.open('pocket');
        asked.onupgradeneeded = () => asked.transaction.abort();
        asked.onerror = () => tell(false);
        asked.onsuccess = () => {
            const found = asked.result.transaction(store).objectStore(store).get(key);
            found.onsuccess = () => {
                asked.result.close();
                tell(Boolean(found.result));
            };
        };
    });
    const app = async () =>
        (await navigator.serviceWorker.getRegistration())?.active?.state;
    for (const end = Date.now() + 25_000; Date.now() < end;) {
        const page = await (await caches.open('pages')).match('/scan');
        if (page && (await app()) === 'activated' && await has('things', 'satchel'))
            return true;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
}"""
SYNC = f"""async () => {{
    const {{ syncing }} = await ({MODULE})('syncing.js');
    await syncing.sync({{ now: true }});
    return syncing.way;
}}"""


def verdict(page: Page, tone: str) -> Any:
    return page.locator(f'[data-verdict][data-tone="{tone}"]')


def lines(page: Page, tone: str) -> Any:
    return page.locator(f'[data-log] [data-tone="{tone}"]')


async def log_in(context: BrowserContext, address: str, actor: Actor) -> None:
    cookie = {"name": "session", "value": await token_of(actor), "url": address}
    await context.add_cookies([cookie | {"httpOnly": True, "sameSite": "Lax"}])  # type: ignore[list-item] # a dict is its TypedDict


async def keep(page: Page, payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = await page.evaluate(KEEP, payloads)
    return kept


async def states(page: Page) -> list[str]:
    found: list[str] = await page.evaluate(STATES)
    return found


async def sync(page: Page) -> str:
    way: str = await page.evaluate(SYNC)
    return way


async def stocked(page: Page) -> None:
    """Open the scan page, and wait until the phone has all it needs."""
    await page.goto("/scan")
    assert await page.evaluate(STOCKED)
    await page.evaluate(f"async () => (await ({MODULE})('satchel.js')).refill()")


@asynccontextmanager
async def phone(
    browser: Browser, address: str, actor: Actor
) -> AsyncIterator[BrowserContext]:
    """Somebody's phone, logged in; faults that nobody caught fail the test."""
    context = await browser.new_context(base_url=address, **HERE)  # type: ignore[arg-type] # a dict is its TypedDict
    faults: list[str] = []
    context.on("weberror", lambda fault: faults.append(str(fault.error)))
    await log_in(context, address, actor)
    yield context
    await context.close()
    assert not faults


@pytest.fixture
async def alice(browser: Browser, server: str, cast: Cast) -> AsyncIterator[Page]:
    """Alice's phone on the scan page, with all that it needs."""
    async with phone(browser, server, cast.alice) as context:
        page = await context.new_page()
        await stocked(page)
        yield page


@pytest.fixture
async def proxy(server: str) -> AsyncIterator[FaultProxy]:
    """A bad network before the server."""
    async with proxied(server) as between:
        yield between


async def story(database: Any, number: str) -> list[Any]:
    """Tell what the ledger says of an item, in the order in which it happened."""
    rows: list[Any] = await database.fetch(
        """
        SELECT e.* FROM event e JOIN item i ON i.id = e.item
        WHERE i.waybill = $1 ORDER BY e.device_at, e.device_seq
        """,
        number,
    )
    return rows


async def typed(page: Page, number: str) -> None:
    await page.get_by_label("Nhập mã vận đơn").fill(number)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-item]:visible")).to_contain_text(spaced(number))


# Without a network


async def test_the_page_opens_cold_and_keeps_what_is_scanned(
    alice: Page, cast: Cast, database: Any
) -> None:
    held = await travel(cast, "accepted")
    foreign = await travel(cast, "arrived")
    await stocked(alice)
    await alice.context.set_offline(True)
    await alice.goto("about:blank")
    began = asyncio.get_running_loop().time()
    await alice.goto("/scan")
    await expect(alice.get_by_label("Nhập mã vận đơn")).to_be_editable()
    assert asyncio.get_running_loop().time() - began < A_COLD_START_S
    await typed(alice, held)
    await expect(alice.locator("[data-item-memory]")).to_contain_text("theo bản lưu")
    await alice.get_by_role("button", name="Mang đi phát").click()
    await expect(verdict(alice, "kept")).to_contain_text("Đã lưu trên máy này")
    # The phone goes on from what it was told, not from what the server last knew.
    await typed(alice, held)
    await expect(alice.locator("[data-item-memory]")).to_contain_text("Mang đi phát")
    await expect(alice.locator("[data-act-name]")).to_have_text("Chưa phát được")
    await alice.get_by_role("button", name="Bỏ qua").click()
    # Of what it has never seen it says so, and keeps it all the same.
    await typed(alice, foreign)
    await expect(alice.locator("[data-item-memory]")).to_contain_text("không có")
    await assert_accessible(alice)
    others = alice.locator("[data-others-list]")
    await others.get_by_role("button", name="Mang đi phát").click()
    await alice.locator("[data-do]").click()
    await expect(lines(alice, "kept")).to_have_count(2)
    await assert_accessible(alice)
    await alice.goto("/held")
    await expect(alice.get_by_role("heading", level=1)).to_have_text("Không có mạng")
    await alice.get_by_role("link", name="Quét nhãn").click()
    await expect(lines(alice, "kept")).to_have_count(2)
    told = await alice.locator("[data-log] time").first.get_attribute("datetime")
    await alice.context.set_offline(False)
    await expect(lines(alice, "good")).to_have_count(2)
    last = (await story(database, foreign))[-1]
    assert last["step"] == "out"
    # A scan's time is its own, whenever it was sent.
    assert told is not None
    assert last["device_at"] == datetime.fromisoformat(told)
    assert (await story(database, held))[-1]["device_seq"] == last["device_seq"] - 1


async def test_a_citizens_code_is_judged_once_it_is_sent_and_the_item_stays_his(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "carried")
    right = await people.code_for(number, "delivery")
    await stocked(alice)
    await alice.context.set_offline(True)
    await typed(alice, number)
    await alice.get_by_label("Mã 6 chữ số").fill(f"{(int(right) + 1) % 1_000_000:06}")
    await alice.locator("[data-do]").click()
    await expect(verdict(alice, "kept")).to_contain_text("vẫn do bạn giữ")
    await alice.context.set_offline(False)
    await expect(verdict(alice, "wrong")).to_contain_text("Còn 4 lần thử")
    await expect(lines(alice, "wrong")).to_contain_text("bị từ chối")
    holder = "SELECT holder FROM item WHERE waybill = $1"
    assert await database.fetchval(holder, number) == str(cast.alice.party)
    # It is on the list until she has seen it.
    await alice.reload()
    await alice.get_by_role("button", name="Đã xem").click()
    await expect(lines(alice, "wrong")).to_have_count(0)
    await typed(alice, number)
    await alice.get_by_label("Mã 6 chữ số").fill(right)
    await alice.locator("[data-do]").click()
    await expect(verdict(alice, "good")).to_be_visible()
    assert await database.fetchval(holder, number) == str(CITIZEN)


# A day


ROUNDS = (
    ("alice", Step.OUT),
    ("alice", Step.ATTEMPTED),
    ("bob", Step.ARRIVED),
    ("alice", Step.OUT),
    ("bob", Step.ARRIVED),
    ("alice", Step.TAKEN),
    ("alice", Step.OUT),
    ("alice", Step.ATTEMPTED),
    ("bob", Step.ARRIVED),
    ("bob", Step.OUT),
)
"""What happens to each of thirty items in a day: three hundred scans of two phones."""


def content(row: Any) -> tuple[Any, ...]:
    """Tell what a line says, whenever and in whatever order it arrived."""
    names = "step by place taker towards reason proof originals copies seal_no"
    names += " device device_at device_seq"
    return tuple(row[name] for name in names.split())


async def test_a_day_of_300_scans_offline_ends_in_the_same_ledger(
    browser: Browser, proxy: FaultProxy, cast: Cast, database: Any
) -> None:
    mine = [await travel(cast, "arrived") for _ in range(30)]
    twins = [await travel(cast, "arrived") for _ in range(30)]
    told: list[tuple[Actor, Step, int, dict[str, Any]]] = []
    async with (
        phone(browser, proxy.address, cast.alice) as hers,
        phone(browser, proxy.address, cast.bob) as his,
    ):
        pages = {"alice": await hers.new_page(), "bob": await his.new_page()}
        for page in pages.values():
            await stocked(page)
            await page.context.set_offline(True)
        for number, (who, step) in enumerate(ROUNDS):
            reason = {"reason": "absent"} if step is Step.ATTEMPTED else {}
            said = [{"code": each, "step": step.value} | reason for each in mine]
            kept = await keep(pages[who], said)
            actor = cast.alice if who == "alice" else cast.bob
            told += [(actor, step, n, each) for n, each in enumerate(kept)]
            if number == 3:
                await pages["alice"].reload()
            if number == 6:  # the page is gone, its scans are not
                await pages["alice"].close()
                pages["alice"] = await hers.new_page()
                await pages["alice"].goto("/scan")
        assert await states(pages["alice"]) == ["saved"] * 180
        # Alice's network is back: the server writes, and she never hears of it.
        proxy.fault = "hang"
        await hers.set_offline(False)
        await _until(lambda: len(proxy.lists) == 1)
        await pages["alice"].close()
        proxy.fault = ""
        page = await hers.new_page()
        await page.goto("/scan")
        await sync(page)
        await his.set_offline(False)
        assert await sync(pages["bob"]) == "idle"
        for each in (page, pages["bob"]):
            assert not {"saved", "sending", "refused"} & set(await states(each))
        await expect(page.locator("[data-count=sent]")).to_be_visible()
    assert max(map(len, proxy.lists)) <= 200
    await _the_same_day_online(told, twins)
    for one, twin in zip(mine, twins, strict=True):
        offline = [content(row) for row in (await story(database, one))[-10:]]
        online = [content(row) for row in (await story(database, twin))[-10:]]
        assert offline == online
    state = "SELECT stage, holder, attempts FROM item WHERE waybill = ANY($1)"
    assert len(set(await database.fetch(state, mine + twins))) == 1


async def _the_same_day_online(
    told: list[tuple[Actor, Step, int, dict[str, Any]]], twins: list[str]
) -> None:
    """Do to the twins what was done to the others, round by round as it happens."""
    for start in range(0, len(told), len(twins)):
        said = [
            Scan(
                id=uuid4(),
                code=twins[number],
                step=step,
                at=datetime.fromisoformat(kept["at"]),
                actor=actor,
                device=kept["device"],
                device_seq=kept["seq"],
                reason=Reason.ABSENT if step is Step.ATTEMPTED else None,
            )
            for actor, step, number, kept in told[start : start + len(twins)]
        ]
        assert not any(outcome.error for outcome in await record(said))


async def _until(so: Callable[[], bool]) -> None:
    """Wait for what happens in another task of this very loop."""
    async with asyncio.timeout(20):
        while not so():  # noqa: ASYNC110 - a list grows, nobody announces it
            await asyncio.sleep(0.02)


# A bad network, a server that is ill


async def test_whatever_the_network_does_each_scan_is_written_once(
    browser: Browser, proxy: FaultProxy, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    before = len(await story(database, number))
    async with phone(browser, proxy.address, cast.alice) as context:
        page = await context.new_page()
        await stocked(page)
        ids: set[str] = set()
        for fault in (each for each in FAULTS if each != "hang"):
            proxy.fault = fault
            said = {"code": number, "step": "out", "note": fault}
            ids |= {each["id"] for each in await keep(page, [said] * 4)}
            await sync(page)
            left = set(await states(page)) - {"sent", "remark"}
            assert left == {"saved"}, fault
            # A server that asks for a pause gets it: only a hand sends before that.
            if fault == "429":
                way = page.locator('[data-way="ill"]')
                await expect(way).to_contain_text("Máy chủ chưa nhận được")
                lists = len(proxy.lists)
                await keep(page, [said])
                await expect(lines(page, "kept")).not_to_have_count(0)
                assert len(proxy.lists) == lists
                proxy.fault = ""
                await page.get_by_role("button", name="Gửi ngay").click()
            proxy.fault = ""
            assert await sync(page) == "idle"
            assert not {"saved", "sending", "refused"} & set(await states(page)), fault
    rows = await story(database, number)
    assert len(rows) == before + 4 * (len(FAULTS) - 1) + 1
    assert ids <= {str(row["id"]) for row in rows}


async def test_one_scan_that_the_server_chokes_on_does_not_keep_the_others(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    bad = {"code": number, "step": "no such step"}
    good = {"code": number, "step": "out"}
    await alice.context.set_offline(True)
    await keep(alice, [good, bad, good])
    await alice.context.set_offline(False)
    await sync(alice)
    assert sorted(set(await states(alice)) - {"remark"}) == ["refused", "sent"]
    await expect(lines(alice, "wrong")).to_have_count(1)
    assert [row["step"] for row in (await story(database, number))[-2:]] == ["out"] * 2


async def test_a_server_that_dies_and_comes_back_has_each_scan_once(
    browser: Browser,
    proxy: FaultProxy,
    cast: Cast,
    database: Any,
    free_port: int,
    run: Callable[..., AbstractContextManager[Any]],
) -> None:
    number = await travel(cast, "arrived")
    before = len(await story(database, number))
    options = ("--host", "127.0.0.1", "--port", str(free_port))
    lives, proxy.upstream = proxy.upstream, f"http://127.0.0.1:{free_port}"
    said = {"code": number, "step": "out"}
    async with phone(browser, proxy.address, cast.alice) as context:
        page = await context.new_page()
        with run("dies", "uvicorn", "app:app", *options):
            await _well(proxy.upstream)
            await stocked(page)
            await keep(page, [said] * 2)
            assert await sync(page) == "idle"
        await keep(page, [said] * 2)
        await page.reload()  # there is no server; there is the app
        await expect(lines(page, "kept")).to_have_count(2)
        proxy.upstream = lives
        await sync(page)
        await expect(lines(page, "kept")).to_have_count(0)
    assert len(await story(database, number)) == before + 4


async def _well(address: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{address}/health")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def test_two_tabs_send_each_scan_once(
    browser: Browser, proxy: FaultProxy, cast: Cast
) -> None:
    number = await travel(cast, "arrived")
    async with phone(browser, proxy.address, cast.alice) as context:
        first, second = await context.new_page(), await context.new_page()
        await stocked(first)
        await second.goto("/scan")
        said = [{"code": number, "step": "out"}] * 10
        kept = await asyncio.gather(*(keep(page, said) for page in (first, second)))
        await asyncio.gather(sync(first), sync(second))
        # Each tab shows what the other has done.
        for page in (first, second):
            await expect(lines(page, "kept")).to_have_count(0)
            await expect(lines(page, "sending")).to_have_count(0)
        told = [id for each in proxy.lists for id in each]
        assert sorted(told) == sorted(each["id"] for tab in kept for each in tab)
        numbers = [each["seq"] for tab in kept for each in tab]
        assert sorted(numbers) == list(range(1, 21))


async def test_a_killed_browser_finds_its_scans_again(
    server: str, cast: Cast, database: Any, tmp_path: Path, free_port: int
) -> None:
    number = await travel(cast, "arrived")
    before = len(await story(database, number))
    async with async_playwright() as playwright:
        for life in ("first", "second"):
            child, context = await _bare_browser(playwright, tmp_path, free_port)
            page = context.pages[0] if context.pages else await context.new_page()
            if life == "first":
                await log_in(context, server, cast.alice)
                await page.goto(server)
                await page.goto(f"{server}/scan")
                await page.wait_for_function("document.body.dataset.me")
                await context.set_offline(True)
                await keep(page, [{"code": number, "step": "out"}] * 3)
                child.send_signal(signal.SIGKILL)
            else:
                await log_in(context, server, cast.alice)
                await page.goto(f"{server}/scan")
                written = page.locator('[data-tone="good"], [data-tone="remark"]')
                await expect(page.locator("[data-log]").locator(written)).to_have_count(
                    3
                )
                child.terminate()
            await asyncio.to_thread(child.wait)
    assert len(await story(database, number)) == before + 3


async def _bare_browser(
    playwright: Any, profile: Path, port: int
) -> tuple[subprocess.Popen[bytes], BrowserContext]:
    """Start a browser of its own, with a profile that stays, to be killed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    flags = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-sync"]
    flags += [f"--user-data-dir={profile}", f"--remote-debugging-port={port}"]
    child = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        [chromium, *flags, "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    await _listening(port)
    browser = await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
    return child, browser.contexts[0]


async def _listening(port: int) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(f"http://127.0.0.1:{port}/json/version")
                return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


# Who is logged in


async def test_what_waits_is_its_makers_and_waits_for_him(
    browser: Browser, server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    before = len(await story(database, number))
    async with phone(browser, server, cast.alice) as context:
        page = await context.new_page()
        await stocked(page)
        await context.set_offline(True)
        await keep(page, [{"code": number, "step": "out"}])
        # Somebody else logs in on the same phone, in another tab.
        await log_in(context, server, cast.bob)
        await context.set_offline(False)
        assert await sync(page) == "another"
        await expect(page.locator("[data-way]")).to_contain_text("chờ bạn đăng nhập")
        other = await context.new_page()
        await other.goto("/scan")
        await expect(other.locator("[data-others-wait]")).to_contain_text("1 lượt của")
        assert await sync(other) == "idle"
        assert len(await story(database, number)) == before
        # Her account is closed for a while: nothing is lost by that either.
        await log_in(context, server, cast.alice)
        await database.execute("UPDATE staff SET active = false WHERE login = 'alice'")
        assert await sync(page) == "login"
        assert await states(page) == ["saved"]
        await database.execute("UPDATE staff SET active = true WHERE login = 'alice'")
        assert await sync(page) == "idle"
    last = (await story(database, number))[-1]
    assert (last["by"], last["step"]) == (str(cast.alice.party), "out")


async def test_logging_out_warns_locks_what_waits_and_wipes_the_rest(
    alice: Page, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    await alice.context.set_offline(True)
    said = {"code": number, "step": "out", "note": "Chó dữ trước cổng"}
    await alice.route("**/api/scans", lambda route: route.abort())
    await keep(alice, [said])
    await alice.context.set_offline(False)
    await alice.locator("details.menu:has([data-logout]) summary").click()
    await alice.get_by_role("button", name="Đăng xuất", exact=True).click()
    dialog = alice.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 lượt còn nằm trên máy này")
    await assert_accessible(alice)
    await dialog.get_by_role("button", name="Gửi rồi đăng xuất").click()
    await expect(dialog.get_by_role("alert")).to_be_visible()
    await dialog.get_by_role("button", name="Đăng xuất ngay").click()
    await expect(alice).not_to_have_url("/scan")
    await expect(alice.locator("body[data-me]")).to_have_count(0)
    kept = await alice.evaluate(
        """async () => {
            const names = (await indexedDB.databases()).map(({ name }) => name);
            const queue = await new Promise((tell) => {
                const asked = indexedDB.open('queue');
                asked.onsuccess = () => tell(asked.result);
            });
            const rows = await new Promise((tell) => {
                const asked = queue.transaction('entries').objectStore('entries')
                    .getAll();
                asked.onsuccess = () => tell(asked.result);
            });
            queue.close();
            const text = (bytes) => new TextDecoder().decode(bytes);
            return { names, caches: await caches.keys(), rows: rows.length,
                     plain: JSON.stringify(rows) + text(rows[0].payload.bytes) };
        }"""
    )
    assert kept["rows"] == 1
    assert "pocket" not in kept["names"]
    assert all(name.startswith("shell") for name in kept["caches"])
    assert "cổng" not in kept["plain"]
    await log_in(alice.context, alice.url, cast.alice)
    await alice.unroute("**/api/scans")
    await alice.goto("/scan")
    await expect(lines(alice, "good")).to_have_count(1)
    assert (await story(database, number))[-1]["step"] == "out"


# Room, and new versions


async def test_a_full_phone_says_loudly_that_nothing_was_kept(
    browser: Browser, server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    async with phone(browser, server, cast.alice) as context:
        page = await context.new_page()
        devtools = await context.new_cdp_session(page)
        full = {"origin": server, "quotaSize": 1_000}
        await devtools.send("Storage.overrideQuotaForOrigin", full)
        await page.goto("/scan")
        await typed(page, number)
        await page.locator("[data-do]").click()
        await expect(verdict(page, "wrong")).to_contain_text("CHƯA GHI")
        problem = page.locator("[data-act-problem]")
        await expect(problem).to_contain_text("chưa được lưu")
        assert await states(page) == []
        await devtools.send("Storage.overrideQuotaForOrigin", {"origin": server})
        await page.locator("[data-do]").click()
        await expect(verdict(page, "good")).to_be_visible()
    assert (await story(database, number))[-1]["step"] == "out"


async def test_a_new_version_waits_for_a_tap_and_loses_nothing(
    browser: Browser, proxy: FaultProxy, cast: Cast
) -> None:
    number = await travel(cast, "arrived")
    async with phone(browser, proxy.address, cast.alice) as context:
        page = await context.new_page()
        await stocked(page)
        await page.reload()  # the worker is in charge from now on
        proxy.fault = "500"
        await keep(page, [{"code": number, "step": "out"}])
        proxy.worker = b"\n// newer\n"
        await page.evaluate(
            "navigator.serviceWorker.getRegistration().then((app) => app.update())"
        )
        await expect(page.locator("[data-update]")).to_be_visible()
        async with page.expect_navigation():
            await page.get_by_role("button", name="Dùng bản mới").click()
        await expect(page.locator("[data-update]")).to_be_hidden()
        await expect(lines(page, "kept")).to_have_count(1)
        proxy.fault = ""
        # It may go by itself before a finger is there: then the button is gone.
        await page.evaluate("document.querySelector('[data-send-now]').click()")
        await expect(lines(page, "good")).to_have_count(1)


async def test_the_decoder_is_on_the_phone_without_a_network(alice: Page) -> None:
    await alice.reload()
    await alice.context.set_offline(True)
    packaged = list(shell().packaged)
    assert any(address.endswith(".wasm") for address in packaged)
    sizes = await alice.evaluate(
        """(addresses) => Promise.all(addresses.map(async (address) =>
            (await (await fetch(address)).arrayBuffer()).byteLength))""",
        packaged,
    )
    assert min(sizes) > 0


# What the server gives for it


def test_the_list_of_files_is_made_from_the_files() -> None:
    listed = dict(shell().precached())
    own = {path for path in STATIC.rglob("*") if path.suffix in (".js", ".css")}
    worker = STATIC / "js" / "service-worker.js"
    for path in own - {worker}:
        name = path.relative_to(STATIC).as_posix()
        assert listed[shell().address(name)] == digest(shell().files[name])
    assert not any("service-worker" in address for address in listed)
    assert list(listed) == sorted(listed)  # or each process has a version of its own


async def test_a_version_is_kept_for_ever_and_another_not_at_all(server: str) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        now = await client.get(shell().address("js/scan.js"))
        assert "immutable" in now.headers["cache-control"]
        old = await client.get("/v/000000000000/js/scan.js")
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-store")
        assert (await client.get("/v/000000000000/../scan.py")).status_code == 404
        worker = await client.get("/sw.js")
        assert worker.headers["content-type"].startswith("text/javascript")
        assert worker.headers["service-worker-allowed"] == "/"
        assert worker.headers["cache-control"] == "no-cache"
        assert "worker-src 'self'" in worker.headers["content-security-policy"]
        assert shell().version in worker.text
        told = (await client.get("/manifest.webmanifest")).json()
        assert told["start_url"] in offline.PAGES
        assert {icon.get("purpose") for icon in told["icons"]} == {None, "maskable"}
        for icon in told["icons"]:
            drawn = await client.get(icon["src"])
            size = int(icon["sizes"].partition("x")[0])
            assert drawn.content[16:24] == size.to_bytes(4, "big") * 2


async def test_a_satchel_holds_its_owners_things_and_no_elses_key(
    server: str, cast: Cast
) -> None:
    mine = await travel(cast, "accepted")
    await travel(cast, "booked")
    told = {}
    for actor in (cast.alice, cast.amy):
        headers = {"authorization": f"Bearer {await token_of(actor)}"}
        async with httpx.AsyncClient(base_url=server, headers=headers) as client:
            told[actor.login] = (await client.get("/api/satchel")).json()
            wrong = await client.get("/api/satchel", headers={"x-done-by": "bob"})
            assert (wrong.status_code, wrong.json()["error"]) == (409, "AnotherLogin")
    assert [item["waybill"] for item in told["alice"]["items"]] == [mine]
    assert told["amy"]["items"] == []
    assert told["alice"]["key"] != told["amy"]["key"]
    skew = datetime.fromisoformat(told["alice"]["now"]) - datetime.now(UTC)
    assert abs(skew) < timedelta(minutes=1)


@pytest.mark.parametrize("to_citizen", [True, False])
def test_what_is_proposed_after_a_step_follows_the_rules(to_citizen: bool) -> None:
    carrier = Actor(1, "a", "A", Role.CARRIER, None, frozenset(), None)
    ways = {
        step: [option.step for option in options]
        for step, options in satchel.onward(carrier, to_citizen).items()
    }
    assert (Step.DELIVERED in ways[Step.OUT]) is to_citizen
    assert ways[Step.TAKEN][0] is Step.OUT
    assert ways[Step.PICKUP_FAILED][0] is Step.ACCEPTED
    assert ways[Step.DELIVERED] == []
    assert [option.step for option in satchel.unseen(Role.AUDITOR)] == []


async def test_a_clock_that_was_set_before_sending_is_doubted(cast: Cast) -> None:
    number = await travel(cast, "arrived")
    now = datetime.now(UTC)
    for hours in (0, 3):
        said = Scan(
            id=uuid4(),
            code=number,
            step=Step.OUT,
            at=now,
            actor=cast.alice,
            sent_at=now,
            skew=timedelta(hours=hours),
        )
        (outcome,) = await record([said])
        assert (Kind.CLOCK_SKEW in outcome.remarks) is (hours > 0)


async def test_a_skew_that_is_no_skew_refuses_no_scan(server: str, cast: Cast) -> None:
    number = await travel(cast, "arrived")
    headers = {"authorization": f"Bearer {await token_of(cast.alice)}"}
    said: dict[str, Any] = {"id": str(UUID(int=7)), "code": number, "step": "out"}
    said |= {"at": datetime.now(UTC).isoformat(), "skew_ms": 2**52}
    async with httpx.AsyncClient(base_url=server, headers=headers) as client:
        body = json.dumps({"device": "web-1", "scans": [said]})
        (outcome,) = (await client.post("/api/scans", content=body)).json()["outcomes"]
    assert outcome["result"] == "recorded"
