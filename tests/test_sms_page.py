"""The texts as those see them who answer for them: masked, filtered, sent again."""

from __future__ import annotations

import re
from datetime import timedelta
from html import escape
from typing import Any

import pytest
from playwright.async_api import Page

from postal_track import texts
from postal_track.boards import midnight, today
from postal_track.bookings import PersonGiven
from postal_track.errors import BadInput, NotAllowed, NotFound
from postal_track.settings import settings
from postal_track.staff import Actor
from postal_track.texts import Wanted
from postal_track.wording import previews
from sms.status import Status
from tests.axe import assert_accessible
from tests.cast import ADDRESS, Cast, assemble, code_for, enter, travel, visitor


@pytest.fixture
async def cast(database: Any) -> Cast:
    return await assemble()


async def templates(actor: Actor, **wanted: Any) -> list[str]:
    page = await texts.texts(Wanted(**wanted), actor)
    return [text.template[:3] for text in page.texts]


async def sent(database: Any, template: str, status: str = "delivered") -> int:
    """Do as the worker did it: one attempt, taken; the provider's word on it."""
    message: int = await database.fetchval(
        """
        UPDATE sms_message SET status = $2::text, due_at = NULL, sent_at = now(),
            ended_at = now(), tries = 1, gateway = 'console', provider_id = 'P-1',
            error_code = CASE WHEN $2::text = 'undelivered' THEN '30003' ELSE '' END
        WHERE template = $1 RETURNING id
        """,
        template,
        status,
    )
    await database.execute(
        """
        INSERT INTO sms_attempt (message, number, gateway, outcome, started_at,
            ended_at, provider_id, error_code, error)
        VALUES ($1, 1, 'console', 'accepted', now(), now(), 'P-1', '', '')
        """,
        message,
    )
    await database.execute(
        """
        INSERT INTO sms_receipt (message, gateway, provider_id, said, error_code,
            received_at) VALUES ($1, 'console', 'P-1', $2, '', now())
        """,
        message,
        status,
    )
    return message


async def test_neither_code_nor_link_nor_number_is_ever_in_clear(
    cast: Cast, server: str, database: Any
) -> None:
    result = await travel(cast, "carried")
    code = await code_for(result, "delivery")
    slug = await database.fetchval("SELECT slug FROM dossier")
    row = await database.fetchrow("SELECT * FROM sms_message WHERE secret LIKE 'otp,%'")
    assert code in row["body"]
    for actor in (cast.dora, cast.dean, cast.frank, cast.eve):
        async with await visitor(actor) as client:
            pages = [
                await client.get("/sms"),
                await client.get(f"/sms/{row['id']}"),
                await client.get("/sms", params={"number": "0912 345 678"}),
            ]
        for page in pages:
            assert page.status_code == 200
            assert "0912•••678" in page.text
            assert code not in page.text
            assert slug not in page.text
            assert "+84912345678" not in page.text


async def test_texts_are_found_by_what_one_knows_of_them(
    cast: Cast, database: Any
) -> None:
    result = await travel(cast, "ready")
    other = PersonGiven("Lê Văn Tám", "0987 654 321", ADDRESS, "30307")
    booked = await travel(cast, "booked", owner=other)
    await sent(database, "S02_picked", "undelivered")
    await database.execute(
        "UPDATE sms_message SET created_at = $1 WHERE template = 'S02_picked'",
        midnight(today()) - timedelta(hours=1),
    )
    who = cast.dean
    assert await templates(who) == ["S01", "S06", "S03", "S02", "S01"]
    assert await templates(who, number="+84 912.345.678") == [
        "S06",
        "S03",
        "S02",
        "S01",
    ]
    assert await templates(who, waybill=booked.lower()) == ["S01"]
    assert await templates(who, waybill=result) == ["S06", "S03", "S02", "S01"]
    assert await templates(who, waybill="DH999999999VN") == []
    assert await templates(who, status=Status.UNDELIVERED) == ["S02"]
    assert await templates(who, template="S03_agency") == ["S03"]
    assert await templates(who, until=today() - timedelta(days=1)) == ["S02"]
    assert "S02" not in await templates(who, since=today())
    with pytest.raises(BadInput):
        await texts.texts(Wanted(number="not a number"), who)


async def test_finding_texts_by_a_number_is_written_down(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "booked")
    count = "SELECT count(*) FROM reading WHERE what = 'search' AND staff = $1"
    await texts.texts(Wanted(), cast.eve)
    await texts.texts(Wanted(number="0987 654 321"), cast.eve)
    assert await database.fetchval(count, cast.eve.staff) == 0
    await texts.texts(Wanted(number="0912 345 678"), cast.eve)
    assert await database.fetchval(count, cast.eve.staff) == 1


async def test_what_cannot_be_asked_for_is_said_beside_its_field(
    cast: Cast, server: str
) -> None:
    await travel(cast, "booked")
    async with await visitor(cast.eve, "en") as client:
        wrong = await client.get("/sms?number=abc&status=S&template=T&before=x")
        assert wrong.status_code == 422
        assert "digits only" in wrong.text
        assert 'value="abc"' in wrong.text
        empty = await client.get("/sms?number=&status=&template=&waybill=&since=")
        assert empty.status_code == 200
        assert "S01" in empty.text


async def test_a_supervisor_answers_for_the_texts_of_his_own_office(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "LISTED", 2)
    here = [await travel(cast, "booked") for _ in range(3)]
    for _ in range(3):
        await travel(cast, "booked", agency="OTHER", office="CD")
    found: list[str] = []
    before = None
    while True:
        page = await texts.texts(Wanted(before=before), cast.dora)
        found += [text.body for text in page.texts]
        before = page.before
        if before is None:
            break
    assert [next(w for w in here if w in body) for body in found] == here[::-1]
    theirs = (await texts.texts(Wanted(), cast.dean)).texts[0]
    with pytest.raises(NotFound):
        await texts.story(theirs.id, cast.dora)
    with pytest.raises(NotFound):
        await texts.again(theirs.id, "why", cast.dora)
    with pytest.raises(NotFound):
        await texts.story(10**9, cast.dean)


async def test_the_story_of_a_text_is_told_with_attempts_and_receipts(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "received")
    message = await sent(database, "S02_picked", "undelivered")
    async with await visitor(cast.eve, "en") as client:
        page = (await client.get(f"/sms/{message}")).text
        assert (await client.get("/sms/999999")).status_code == 404
    for words in ("Not delivered", "taken by the gateway", "P-1", waybill):
        assert words in page
    assert "The phone was off or out of reach" in page
    assert "Send again" not in page  # an auditor only looks


async def test_a_text_is_sent_again_with_a_reason_as_a_new_one(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "accepted")
    message = await sent(database, "S02_picked", "undelivered")
    path = f"/texts/{message}/again"
    async with await visitor(cast.dora) as client:
        empty = await client.post(path, data={"reason": " "})
        assert empty.status_code == 422
        assert "Hãy ghi lý do gửi lại tin nhắn." in empty.text
        done = await client.post(path, data={"reason": "Người dân đã mở máy"})
        assert done.status_code == 303
        page = (await client.get(done.headers["location"])).text
        assert "Người dân đã mở máy" in page
        assert f"/sms/{message}" in page
        # The new one is on its way: it is not sent a third time by a nervous hand.
        again = await client.post(
            done.headers["location"].replace("/sms/", "/texts/") + "/again",
            data={"reason": "again"},
        )
    assert again.status_code == 422
    assert "Tin nhắn này đang được gửi" in again.text
    row = await database.fetchrow(
        "SELECT resend_of, resend_by, status FROM sms_message ORDER BY id DESC LIMIT 1"
    )
    assert tuple(row) == (message, "dora", "queued")


async def test_only_supervisors_send_again_and_never_for_another_site(
    cast: Cast, server: str, page: Page, database: Any
) -> None:
    await travel(cast, "accepted")
    message = await sent(database, "S02_picked")
    for actor in (cast.eve, cast.frank, cast.alice):
        with pytest.raises(NotAllowed):
            await texts.again(message, "why", actor)
        async with await visitor(actor) as client:
            answer = await client.post(
                f"/texts/{message}/again", data={"reason": "why"}
            )
        assert answer.status_code == 403
    await enter(page, cast.dora)
    forged = await page.request.post(f"/texts/{message}/again", form={"reason": "why"})
    assert forged.status == 403
    assert await database.fetchval("SELECT count(*) FROM sms_message") == 2


async def test_who_carries_or_receives_reads_no_texts(cast: Cast, server: str) -> None:
    for actor in (cast.alice, cast.bob, cast.charlie):
        async with await visitor(actor) as client:
            assert (await client.get("/sms")).status_code == 403
            assert (await client.get("/sms/1")).status_code == 403
        with pytest.raises(NotAllowed):
            await texts.texts(Wanted(), actor)


async def test_a_supervisor_works_through_the_texts_in_a_browser(
    cast: Cast, page: Page, database: Any
) -> None:
    await travel(cast, "accepted")
    await sent(database, "S02_picked", "undelivered")
    await enter(page, cast.dora)
    await page.goto("/sms")
    await page.get_by_text("Lọc").click()
    await assert_accessible(page)
    await page.get_by_label("Tình trạng").select_option("undelivered")
    await page.get_by_role("button", name="Áp dụng").click()
    await page.get_by_role("link", name="0912•••678").click()
    await page.wait_for_url(re.compile(r"/sms/\d+$"))
    await assert_accessible(page)
    await page.get_by_role("link", name="Gửi lại…").click()
    await assert_accessible(page)
    await page.get_by_label("Lý do").fill("Đã gọi, máy đã bật")
    await page.get_by_role("button", name="Gửi lại tin này").click()
    await page.get_by_text("Đã gọi, máy đã bật").wait_for()


async def test_every_text_is_shown_with_its_longest_fields_and_its_price(
    cast: Cast, server: str, page: Page
) -> None:
    for actor in (cast.dora, cast.eve, cast.frank):
        async with await visitor(actor) as client:
            shown = (await client.get("/sms/texts")).text
        for preview in previews(hot=settings().HOTLINE):
            assert escape(preview.body) in shown
            assert f'id="{preview.template.name}"' in shown
            assert f"{preview.units}/160" in shown
        assert "2 đoạn" not in shown
    for actor in (cast.alice, cast.bob, cast.charlie):
        async with await visitor(actor) as client:
            assert (await client.get("/sms/texts")).status_code == 403
            assert (await client.get("/sms/costs")).status_code == 403
    await enter(page, cast.dora)
    await page.goto("/sms")
    await page.get_by_role("link", name="Mẫu tin").click()
    await page.wait_for_url("**/sms/texts")
    await assert_accessible(page)


async def test_what_texts_cost_is_added_up_by_gateway_and_template(
    cast: Cast, server: str, page: Page, database: Any
) -> None:
    await travel(cast, "registered")
    await database.execute(
        """
        UPDATE sms_message SET cost = 1800, created_at = CASE template
            WHEN 'S03_agency' THEN $1::timestamptz ELSE $2::timestamptz END,
            status = 'sent', sent_at = now(), gateway = 'console', provider_id = id
        WHERE template <> 'S01_booked'
        """,
        midnight(today()),
        midnight(today()) - timedelta(seconds=1),
    )
    now, day = today(), timedelta(days=1)
    both = await texts.costs(now - day, now, cast.dora)
    assert (both.texts, both.segments, both.cost) == (2, 2, 3600)
    [row] = (await texts.costs(now, now, cast.eve)).rows
    assert (row.gateway, row.template, row.cost) == ("console", "S03_agency", 1800)
    usual = await texts.costs(None, None, cast.dean)
    assert (usual.since, usual.until) == (now.replace(day=1), now)
    for since, until in ((now, now - day), (now - 400 * day, now)):
        with pytest.raises(BadInput):
            await texts.costs(since, until, cast.dora)
    with pytest.raises(NotAllowed):
        await texts.costs(None, None, cast.bob)

    await enter(page, cast.dora)
    await page.goto("/sms")
    await page.get_by_role("link", name="Chi phí").click()
    await page.wait_for_url("**/sms/costs")
    await assert_accessible(page)
    await page.get_by_label("Từ ngày").fill(f"{now - day}")
    await page.get_by_role("button", name="Tính").click()
    await page.get_by_text("3.600 ₫").wait_for()
    await assert_accessible(page)
    async with await visitor(cast.dora) as client:
        for period in (
            {"since": "yesterday"},
            {"since": "2026-11-23", "until": "2026-11-01"},
            {"since": "2001-01-01", "until": "2026-01-01"},
        ):
            answer = await client.get("/sms/costs", params=period)
            assert answer.status_code == 422
            assert 'class="problem"' in answer.text
        future = await client.get("/sms/costs", params={"since": "2099-12-31"})
        assert future.status_code == 200
