"""The phone is lost: known by name, signed out from afar, wiped, let in again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page

from postal_track import devices, lost
from postal_track.errors import (
    BadInput,
    DeviceSignedOut,
    NotAllowed,
    NotFound,
    NotLoggedIn,
)
from postal_track.staff import log_in, whose
from tests.axe import assert_accessible
from tests.cast import PASSWORD, Cast, enter, travel, visitor
from tests.forms import fields

PHONE = "web-9a573f2d5f3a"


@pytest.fixture(autouse=True)
def _looked_at_anew() -> None:
    devices.forget()


async def opened(login: str = "alice", phone: str = PHONE, name: str = "") -> str:
    """Log in on a phone; the session's token."""
    session = await log_in(login, PASSWORD, "10.0.0.1", "a browser", phone, name)
    return session.token


def scan_of(waybill: str, at: datetime) -> dict[str, Any]:
    return {"id": str(uuid4()), "code": waybill, "step": "out", "at": at.isoformat()}


async def send(token: str, waybill: str, at: datetime, phone: str = PHONE) -> Any:
    """Send a scan as a phone does."""
    body = {
        "device": phone,
        "sent_at": datetime.now(UTC).isoformat(),
        "scans": [scan_of(waybill, at)],
    }
    async with await visitor(None) as client:
        return await client.post(
            "/api/scans", json=body, headers={"authorization": f"Bearer {token}"}
        )


async def until(status: int, token: str, waybill: str, at: datetime) -> Any:
    """Send until the server answers so: every process looks again in two seconds."""
    deadline = time.monotonic() + 10
    answer = await send(token, waybill, at)
    while answer.status_code != status and time.monotonic() < deadline:
        answer = await send(token, waybill, at)
    assert answer.status_code == status
    return answer


async def test_a_phone_is_known_from_its_first_login_by_the_name_it_was_given(
    cast: Cast,
) -> None:
    await opened(name="Bưu tá 12 - Samsung")
    await opened()  # a name that is not said again stays
    (phone,) = await lost.phones(cast.alice)
    assert (phone.name, phone.staff) == ("Bưu tá 12 - Samsung", "Alice")
    assert phone.sessions == 2
    await lost.call(PHONE, " My  phone ", cast.alice)
    (phone,) = await lost.phones(cast.alice)
    assert phone.name == "My phone"
    with pytest.raises(BadInput):
        await lost.call(PHONE, " ", cast.alice)


async def test_a_desk_without_a_name_logs_in_as_before(cast: Cast) -> None:
    for nameless in ("", "no name of ours!", "x" * 41):
        assert (await whose(await opened(phone=nameless))).device == ""
    assert await lost.phones(cast.alice) == []


async def test_signing_out_ends_all_sessions_of_the_phone_and_no_other(
    cast: Cast,
) -> None:
    here, elsewhere = await opened(), await opened(phone="web-another")
    other = await opened("bob")  # two people on one phone
    await lost.sign_out(PHONE, "left on the ferry", cast.dora)
    for token in (here, other):
        with pytest.raises(DeviceSignedOut):
            await whose(token)
    assert (await whose(elsewhere)).login == "alice"


async def test_a_phone_that_is_out_opens_no_session_until_it_is_let_in(
    cast: Cast,
) -> None:
    await opened()
    await lost.sign_out(PHONE, "lost", cast.dora)
    with pytest.raises(DeviceSignedOut):
        await opened()
    with pytest.raises(NotLoggedIn) as fault:  # a stranger learns nothing
        await log_in("alice", "wrong", "10.0.0.1", "", PHONE)
    assert type(fault.value) is NotLoggedIn
    with pytest.raises(NotAllowed):
        await lost.let_in(PHONE, cast.alice)
    await lost.let_in(PHONE, cast.dora)
    assert (await whose(await opened())).device == PHONE


async def test_a_phone_says_when_it_learnt_that_it_is_out(cast: Cast) -> None:
    token = await opened()
    await lost.sign_out(PHONE, "lost", cast.dora)
    (phone,) = [p for p in await lost.phones(cast.dora) if p.id == PHONE]
    assert phone.out
    assert phone.told_at is None
    with pytest.raises(DeviceSignedOut):
        await whose(token)
    (phone,) = [p for p in await lost.phones(cast.dora) if p.id == PHONE]
    assert phone.told_at is not None
    assert phone.signed_out_by == "Dora"


async def test_everybody_sees_his_own_phones_and_a_supervisor_his_offices(
    cast: Cast,
) -> None:
    for login in ("alice", "amy", "bob", "dora"):
        await opened(login, f"web-{login}")
    expected = {
        cast.alice: {"alice"},
        cast.bob: {"bob"},
        cast.dora: {"alice", "bob", "dora"},
        cast.dean: {"alice", "amy", "bob", "dora"},
        cast.frank: {"alice", "amy", "bob", "dora"},
        cast.eve: set(),
    }
    for actor, logins in expected.items():
        assert {p.login for p in await lost.phones(actor)} == logins
    for actor in (cast.dora, cast.bob, cast.eve):
        with pytest.raises(NotFound):
            await lost.sign_out("web-amy", "not mine to say", actor)
    await lost.sign_out("web-alice", "lost", cast.alice)
    with pytest.raises(NotFound):
        await lost.sign_out("web-unknown", "lost", cast.dean)
    with pytest.raises(BadInput):
        await lost.sign_out("web-bob", "  ", cast.dora)


async def test_the_next_request_of_a_lost_phone_tells_it_to_wipe_itself(
    cast: Cast, server: str
) -> None:
    token = await opened()
    await lost.sign_out(PHONE, "lost", cast.dora)
    async with await visitor(None) as client:
        bearer = {"authorization": f"Bearer {token}"}
        answer = await client.get("/api/held", headers=bearer)
        assert (answer.status_code, answer.json()["error"]) == (401, "DeviceSignedOut")
        # Its session may be long gone: its name is enough.
        answer = await client.get("/api/held", headers={"x-device": PHONE})
        assert (answer.status_code, answer.json()["error"]) == (401, "DeviceSignedOut")
        answer = await client.get("/held", headers=bearer)
        assert answer.headers["location"] == "/login?next=/held&out=true"
        page = await client.get(answer.headers["location"])
        assert "data-out" in page.text
        form = {"login": "alice", "password": PASSWORD, "device": PHONE}
        answer = await client.post("/api/sessions", json=form)
        assert (answer.status_code, answer.json()["error"]) == (401, "DeviceSignedOut")


async def test_scans_of_a_lost_phone_count_only_under_a_login_after_it_was_let_in(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    await opened()
    scanned = datetime.now(UTC)
    await lost.sign_out(PHONE, "lost", cast.dora)
    # Nor under a login on another phone: whoever has found it may know a password.
    another = await opened(phone="web-another")
    answer = await until(401, another, waybill, scanned)
    assert answer.json()["error"] == "DeviceSignedOut"
    await lost.let_in(PHONE, cast.dora)
    token = await opened()
    answer = await until(200, token, waybill, scanned)
    assert answer.json()["outcomes"][0]["result"] == "recorded"
    assert "đăng xuất từ xa" in answer.json()["notice"]
    answer = await send(token, waybill, datetime.now(UTC))
    assert "notice" not in answer.json()


async def test_it_is_known_when_a_phone_was_seen_and_how_far_its_clock_is_off(
    cast: Cast, database: Any
) -> None:
    await opened()
    await database.execute("UPDATE device SET last_seen = now() - interval '9 days'")
    await devices.seen(PHONE, datetime.now(UTC) - timedelta(minutes=3))
    (phone,) = await lost.phones(cast.alice)
    assert datetime.now(UTC) - phone.last_seen < timedelta(minutes=1)
    assert phone.skew_ms == pytest.approx(-180_000, abs=2_000)


async def test_a_supervisor_signs_a_phone_out_and_lets_it_in_without_a_script(
    cast: Cast, server: str
) -> None:
    await opened(name="Samsung")
    async with await visitor(cast.dora) as client:
        page = (await client.get("/devices")).text
        assert "Samsung" in page
        answer = await client.post(f"/devices/{PHONE}/out", data={"why": ""})
        assert answer.status_code == 422
        assert "Hãy ghi lý do" in answer.text
        form = fields(page, f"/devices/{PHONE}/out") | {"why": "rơi xuống kênh"}
        answer = await client.post(f"/devices/{PHONE}/out", data=form)
        assert answer.headers["location"] == f"/devices#{PHONE}"
        page = (await client.get("/devices")).text
        assert "rơi xuống kênh" in page
        answer = await client.post(f"/devices/{PHONE}/in")
        assert answer.status_code == 303
        form = {"name": "Bưu tá 12"}
        answer = await client.post(f"/devices/{PHONE}/name", data=form)
        assert "Bưu tá 12" in (await client.get("/devices")).text
        listed = (await client.get("/api/devices")).json()
    assert [(d["id"], d["name"], d["out"]) for d in listed] == [
        (PHONE, "Bưu tá 12", False)
    ]


PUT = """async () => {
    localStorage.setItem('day', 'Nguyễn Thị Hoa'); localStorage.setItem('scan.seq', 7);
    sessionStorage.setItem('x', 'y');
    await caches.open('shell-1'); await caches.open('day');
    const put = (name, row) => new Promise((done) => {
        const asked = indexedDB.open(name);
        asked.onupgradeneeded = () =>
            asked.result.createObjectStore('rows', {keyPath: 'id'});
        asked.onsuccess = () => {
            const change = asked.result.transaction('rows', 'readwrite');
            change.objectStore('rows').put(row);
            change.oncomplete = () => { asked.result.close(); done(); };
        };
    });
    await put('queue-old', {id: 1, payload: {code: 'DH1'}, shown: {name: 'Hoa'}});
    await put('day', {id: 1, name: 'Nguyễn Thị Hoa'});
}"""

LEFT = """async () => {
    const names = (await indexedDB.databases()).map((each) => each.name);
    const rows = await new Promise((done) => {
        const asked = indexedDB.open('queue-old');
        asked.onsuccess = () => {
            const all = asked.result.transaction('rows').objectStore('rows').getAll();
            all.onsuccess = () => { asked.result.close(); done(all.result); };
        };
    });
    return {names, rows, words: Object.keys(localStorage).sort(),
            session: sessionStorage.length, caches: await caches.keys()};
}"""


async def test_a_lost_phone_wipes_itself_and_keeps_only_what_waits_to_be_sent(
    cast: Cast, page: Page, database: Any
) -> None:
    await page.goto("/login")
    await page.get_by_label("Tên đăng nhập").fill("alice")
    await page.get_by_label("Mật khẩu").fill(PASSWORD)
    await page.get_by_role("button", name="Đăng nhập").click()
    await page.wait_for_selector("body[data-role]")
    phone = await database.fetchval("SELECT id FROM device")
    assert phone == await page.evaluate("localStorage.getItem('scan.device')")
    await page.goto("/devices")
    await page.get_by_text("máy này").first.wait_for()
    await assert_accessible(page)
    await page.evaluate(PUT)
    await lost.sign_out(phone, "lost", cast.dora)
    await page.goto("/held")
    await page.get_by_text("Máy này đã bị đăng xuất từ xa").wait_for()
    await assert_accessible(page)
    left: dict[str, Any] = {}
    await page.wait_for_function("localStorage.getItem('day') === null")
    await page.wait_for_function(
        """() => indexedDB.databases().then(
            (all) => !all.some((each) => each.name === 'day'))"""
    )
    left = await page.evaluate(LEFT)
    assert left["rows"] == [{"id": 1, "payload": {"code": "DH1"}}]
    assert all(name.startswith("queue") for name in left["names"])
    assert all(word.startswith(("scan.", "queue.")) for word in left["words"])
    assert "scan.seq" in left["words"]
    assert all(name.startswith("shell") for name in left["caches"])
    assert left["session"] == 0
    # And it does not come in again with the right password.
    await page.get_by_label("Tên đăng nhập").fill("alice")
    await page.get_by_label("Mật khẩu").fill(PASSWORD)
    await page.get_by_role("button", name="Đăng nhập").click()
    await page.get_by_text("Máy này đã bị đăng xuất từ xa").wait_for()
    await enter(page, cast.dora)
    await page.goto("/devices")
    await page.get_by_text("Máy đã nhận lệnh xóa").wait_for()
    await assert_accessible(page)
