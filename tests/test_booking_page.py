"""A citizen books by himself: without an account, without scripts, within limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from postal_track import asking, limits, slots
from postal_track.errors import TooOften
from postal_track.limits import BOOKINGS, Limit, knock
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, PHONE, Cast, texted, visitor
from tests.forms import fields

pytestmark = pytest.mark.usefixtures("server")

TYPED = {
    "procedure": "2.000",
    "agency": "AGENCY",
    "service": "both",
    "owner.name": OWNER,
    "owner.phone": PHONE,
    "owner.address": ADDRESS,
    "papers.0.name": "Đơn đề nghị",
    "papers.0.originals": "1",
    "consent": "1",
}


async def opened(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.get("/book")
    assert answer.status_code == 200
    return fields(answer.text, "/book")


async def book_it(client: httpx.AsyncClient, form: dict[str, str]) -> str:
    """Send the form and the code that comes to the phone; where that leads."""
    sent = await client.post("/book", data=form)
    assert sent.status_code == 303, sent.text
    return await confirmed(client, sent.headers["location"])


async def confirmed(client: httpx.AsyncClient, here: str) -> str:
    typed = {
        "_csrf_token": client.cookies["csrftoken"],
        "code": await texted(here.rsplit("/", 1)[1]),
    }
    done = await client.post(here, data=typed)
    assert done.status_code == 303, done.text
    return str(done.headers["location"])


async def booked(database: Any) -> int:
    return int(await database.fetchval("SELECT count(*) FROM dossier"))


async def test_a_citizen_books_without_account_and_without_scripts(
    browser: Browser, server: str, cast: Cast, database: Any
) -> None:
    context = await browser.new_context(
        base_url=server, locale="vi-VN", java_script_enabled=False
    )
    page = await context.new_page()
    await page.goto("/book")
    await page.select_option("#procedure", "1.000")
    await page.locator("[data-fill]").click()
    await page.select_option("#agency", "AGENCY")
    await page.fill("[id='owner.name']", OWNER)
    await page.fill("[id='owner.phone']", "84-912-345-678")
    await page.fill("[id='owner.address']", ADDRESS)
    await page.locator("[data-look]").click()
    await expect(page.locator("[data-preview]")).to_contain_text("Bưu cục Long Xuyên")
    await page.check("[name=consent]")
    await page.select_option("#day", index=3)
    await page.select_option("#half", "afternoon")
    await page.get_by_role("button", name="Gửi yêu cầu").click()
    await page.wait_for_url("**/book/confirm/*")
    assert await booked(database) == 0
    await page.fill("#code", await texted(page.url.rsplit("/", 1)[1]))
    await page.get_by_role("button", name="Xác nhận").click()
    await page.wait_for_url("**/book/done/*")

    row = await database.fetchrow(
        "SELECT d.token, d.source, i.waybill, e.by FROM dossier d "
        "JOIN item i ON i.dossier = d.id JOIN event e ON e.item = i.id"
    )
    assert (row["source"], row["by"]) == ("citizen", "citizen")
    await expect(page.locator("[data-waybill]")).to_have_text(row["waybill"])
    await expect(page.locator("[data-link]")).to_have_attribute(
        "href", f"/d/{row['token']}"
    )
    texts = await database.fetch("SELECT template, params FROM sms_message")
    assert {text["template"] for text in texts} == {"S15_code", "S01_booked"}
    day = slots.offered(datetime.now(UTC))[2]
    assert f"{day:%d/%m}" in {text["params"].get("date") for text in texts}
    await expect(page.get_by_text("buổi chiều")).to_be_visible()
    wish = await database.fetchrow("SELECT * FROM instruction")
    assert (wish["way"], wish["day"], wish["half"]) == ("pickup", day, "afternoon")
    await page.goto(f"/d/{row['token']}")
    await expect(page.get_by_text(f"{day:%d/%m/%Y}").first).to_be_visible()
    await context.close()


async def test_the_confirmation_tells_nothing_personal(
    cast: Cast, database: Any
) -> None:
    async with await visitor(None) as client:
        done = await client.get(await book_it(client, await opened(client) | TYPED))
        unknown = await client.get(f"/book/done/{'x' * 22}")
    assert done.status_code == 200
    # Its papers would tell what a private procedure is about.
    assert "Đơn đề nghị" not in done.text
    assert "Giấy tờ 1" in done.text
    for personal in (OWNER, ADDRESS, "0912 345", "+84", "Ghi chú ly hôn"):
        assert personal not in done.text
    assert unknown.status_code == 404


async def test_only_a_result_is_brought_when_that_is_what_was_asked(
    cast: Cast, database: Any
) -> None:
    async with await visitor(None) as client:
        form = await opened(client) | TYPED | {"service": "receive"}
        done = await client.get(await book_it(client, form))
    assert "data-waybill" not in done.text
    assert await booked(database) == 1
    assert await database.fetchval("SELECT count(*) FROM item") == 0


async def test_consent_is_never_ticked_beforehand_and_always_needed(
    cast: Cast, database: Any
) -> None:
    async with await visitor(None) as client:
        form = await opened(client)
        assert "consent" not in form
        wrong = TYPED | {"owner.phone": "gọi tôi nhé", "procedure": ""}
        del wrong["consent"]
        answer = await client.post("/book", data=form | wrong)
        # All that is wrong is told at once, and all that was typed is kept.
        assert answer.status_code == 422
        for field in ("consent", "owner.phone", "procedure"):
            assert f'id="{field}-problem"' in answer.text
        shown = fields(answer.text, "/book")
        assert "consent" not in shown
        assert {name: shown[name] for name in wrong} == wrong
    assert await booked(database) == 0


async def test_what_a_machine_fills_in_is_not_booked(cast: Cast, database: Any) -> None:
    async with await visitor(None) as client:
        form = await opened(client) | TYPED | {"website": "https://example.org"}
        answer = await client.post("/book", data=form)
    assert answer.status_code == 422
    assert "Hãy để trống ô này." in answer.text
    assert await booked(database) == 0


async def test_a_form_sent_from_another_site_is_not_booked(
    cast: Cast, database: Any
) -> None:
    async with await visitor(None) as client:
        form = await opened(client) | TYPED
        del form["_csrf_token"]
        answer = await client.post("/book", data=form)
    assert answer.status_code == 403
    assert await booked(database) == 0


async def test_the_same_booking_twice_is_one(cast: Cast, database: Any) -> None:
    async with await visitor(None) as client:
        form = await opened(client) | TYPED
        first, second = [await client.post("/book", data=form) for _ in range(2)]
        assert first.headers["location"] == second.headers["location"]
        # One code for both, and nothing booked before it.
        codes = "SELECT count(*) FROM sms_message"
        assert await database.fetchval(codes) == 1
        assert await booked(database) == 0
        done = await confirmed(client, first.headers["location"])
        assert await confirmed(client, first.headers["location"]) == done
        third = await client.post("/book", data=form)
        assert third.headers["location"] == done
        other = await client.post("/book", data=form | {"owner.name": "Lê Văn Tám"})
    assert other.status_code == 409
    assert done in other.text
    assert await booked(database) == 1


async def test_a_booking_that_nobody_confirms_is_on_no_run_and_is_forgotten(
    cast: Cast, database: Any
) -> None:
    async with await visitor(None) as client:
        sent = await client.post("/book", data=await opened(client) | TYPED)
        here = sent.headers["location"]
        page = await client.get(here)
        assert "0912•••678" in page.text
        for personal in (OWNER, ADDRESS, "+84", "Ghi chú ly hôn"):
            assert personal not in page.text
        await asking.sweep(datetime.now(UTC) + timedelta(hours=2))
        form = fields(page.text, here) if page.text.count("<form") == 1 else {}
        form |= {"_csrf_token": client.cookies["csrftoken"], "code": "123456"}
        late = await client.post(here, data=form)
        assert late.status_code == 409
        assert "đã hết hạn" in late.text
    row = await database.fetchrow("SELECT * FROM citizen_request")
    assert (row["state"], row["payload"], row["phone"]) == ("expired", {}, "")
    assert await booked(database) == 0
    assert await database.fetchval("SELECT count(*) FROM item") == 0


async def test_a_wrong_number_is_mended_in_the_browser_that_sent_it(
    cast: Cast, database: Any
) -> None:
    async with await visitor(None) as client:
        typed = TYPED | {"owner.phone": "0987 654 321", "recipient": "1"}
        typed |= {"recipient.name": "Lê Văn Tám", "recipient.phone": PHONE}
        typed |= {"recipient.address": ADDRESS}
        form = await opened(client) | typed
        sent = await client.post("/book", data=form)
        here = sent.headers["location"]
        again = f"/book/again/{here.rsplit('/', 1)[1]}"
        assert f'href="{again}"' in (await client.get(here)).text
        shown = fields((await client.get(again)).text, "/book")
        del typed["consent"]
        assert {name: shown[name] for name in typed} == typed
        assert shown["order"] == form["order"]
        assert "consent" not in shown
        # To everybody else it tells nothing.
        async with await visitor(None) as stranger:
            page = await stranger.get(here)
            assert "/book/again/" not in page.text
            assert (await stranger.get(again)).headers["location"] == "/book"
        mended = shown | {"owner.phone": PHONE, "consent": "1"}
        done = await book_it(client, mended)
        assert (await client.get(again)).headers["location"] == "/book"
    assert await booked(database) == 1
    assert done.startswith("/book/done/")
    phone = "SELECT phone FROM person WHERE part = 'owner'"
    assert await database.fetchval(phone) == "+84912345678"


@pytest.mark.parametrize("number", ["0296 3852 345", "1900 1234"])
async def test_a_code_needs_a_mobile_number(
    cast: Cast, database: Any, number: str
) -> None:
    async with await visitor(None) as client:
        typed = TYPED | {"owner.phone": number, "day": "2020-02-02"}
        answer = await client.post("/book", data=await opened(client) | typed)
        assert answer.status_code == 422
        assert 'id="day-problem"' in answer.text
        del typed["day"]
        answer = await client.post("/book", data=await opened(client) | typed)
        assert 'id="owner.phone-problem"' in answer.text
    assert await database.fetchval("SELECT count(*) FROM citizen_request") == 0


async def test_one_connection_books_so_often_and_then_is_asked_to_wait(
    cast: Cast, database: Any
) -> None:
    for _ in range(BOOKINGS.most - 1):
        await knock(BOOKINGS, "127.0.0.1")
    async with await visitor(None) as client:
        last = await client.post("/book", data=await opened(client) | TYPED)
        assert last.status_code == 303
        form = await opened(client) | TYPED
        answer = await client.post("/book", data=form)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        shown = fields(answer.text, "/book")
        assert shown["owner.name"] == OWNER
        assert shown["order"] == form["order"]
        # The form can still be looked at.
        assert (await client.get("/book")).status_code == 200
    assert await database.fetchval("SELECT count(*) FROM citizen_request") == 1


async def test_a_household_counts_as_one_and_its_address_is_not_kept(
    cast: Cast, database: Any
) -> None:
    tight = Limit("tight", 2, timedelta(hours=1))
    await knock(tight, "2001:db8:1:2::1")
    await knock(tight, "2001:db8:1:2:ffff::9")
    with pytest.raises(TooOften):
        await knock(tight, "2001:db8:1:2::1")
    await knock(tight, "2001:db8:1:3::1")
    await knock(tight, "::ffff:192.0.2.7")
    assert limits.neighbourhood("::ffff:192.0.2.7") == "192.0.2.7"
    rows = await database.fetch("SELECT key FROM tally")
    assert all(len(row["key"]) == 32 and b"2001" not in row["key"] for row in rows)


async def test_what_is_over_is_counted_no_more_and_taken_away(
    cast: Cast, database: Any
) -> None:
    tight = Limit("tight", 1, timedelta(hours=1))
    await knock(tight, "192.0.2.1")
    await database.execute("UPDATE tally SET ends_at = now() - interval '1 second'")
    await knock(tight, "192.0.2.2")
    assert await database.fetchval("SELECT count(*) FROM tally") == 1


async def test_english_readers_are_asked_in_english(cast: Cast) -> None:
    async with await visitor(None, lang="en") as client:
        page = await client.get("/book")
        wrong = await opened(client) | TYPED | {"owner.phone": "letters"}
        answer = await client.post("/book", data=wrong)
    assert "Book the post for your dossier" in page.text
    assert fields(page.text, "/book")["language"] == "en"
    assert "A phone number has digits only" in answer.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_its_faults_and_the_confirmation_are_accessible(
    page: Page, cast: Cast, scheme: Any
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.goto("/book")
    await assert_accessible(page)
    send = page.get_by_role("button", name="Gửi yêu cầu")
    await send.click()
    await page.wait_for_selector("[data-problems]")
    await assert_accessible(page)
    await page.select_option("#procedure", "1.000")
    await page.select_option("#agency", "AGENCY")
    await page.fill("[id='owner.name']", OWNER)
    await page.fill("[id='owner.phone']", PHONE)
    await page.fill("[id='owner.address']", ADDRESS)
    await expect(page.locator("[name='papers.0.name']")).to_have_value("Đơn đề nghị")
    await page.check("[name=consent]")
    await send.click()
    await page.wait_for_url("**/book/confirm/*")
    await assert_accessible(page)
    await page.fill("#code", await texted(page.url.rsplit("/", 1)[1]))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/book/done/*")
    await assert_accessible(page)
