"""What citizens want of our texts: said on their page, said over the counter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from postal_track import limits, texting, wishes
from postal_track.bookings import PersonGiven
from postal_track.custody import Step
from postal_track.errors import BadInput, NotAllowed, NotFound, TooOften
from postal_track.limits import Limit
from postal_track.wishes import Tongue, Wish
from sms import outcomes
from sms.wishes import mark_of, opted_out
from tests.axe import assert_accessible
from tests.cast import ADDRESS, Cast, code_for, enter, order, scan, travel, visitor
from tests.sms_cast import QUICK, close_all, courier, send_all, twilio
from tests.twilio_double import Double

NUMBER, SECOND = "+84912345678", "+84987654321"
SON = PersonGiven("Nguyễn Văn Con", "0987 654 321", ADDRESS, "30307")


async def token_of_dossier(database: Any) -> str:
    token: str = await database.fetchval("SELECT token FROM dossier")
    return token


async def test_whoever_has_the_link_stops_the_texts_and_wants_them_again(
    cast: Cast, server: str, database: Any
) -> None:
    await travel(cast, "booked")
    path = f"/d/{await token_of_dossier(database)}"
    async with await visitor(None) as client:
        assert "Đang nhắn tin đến số" in (await client.get(path)).text
        client.headers["x-csrftoken"] = client.cookies["csrftoken"]
        wanted = {"part": "owner", "wish": "stop"}
        done = await client.post(f"{path}/texts", data=wanted)
        assert (done.status_code, done.headers["location"]) == (303, f"{path}#texts")
        assert await opted_out(database, NUMBER)
        again = await client.post(f"{path}/texts", data=wanted)
        assert again.status_code == 303
        page = (await client.get(path)).text
        assert "Không nhắn tin đến số" in page
        assert "mã nhận kết quả vẫn được gửi" in page
        assert NUMBER not in page
        kept = await database.fetchrow("SELECT * FROM sms_opt_out")
        dossier = await database.fetchval("SELECT id FROM dossier")
        assert (kept["source"], kept["by"]) == ("page", f"dossier:{dossier}")
        await client.post(f"{path}/texts", data=wanted | {"wish": "start"})
    assert not await opted_out(database, NUMBER)


async def test_a_form_without_its_token_changes_nothing(
    cast: Cast, server: str, page: Page, database: Any
) -> None:
    await travel(cast, "booked")
    path = f"/d/{await token_of_dossier(database)}"
    await page.goto(path)
    forged = await page.request.post(
        f"{path}/texts", form={"part": "owner", "wish": "stop"}
    )
    assert forged.status == 403
    assert not await opted_out(database, NUMBER)


async def test_each_number_of_a_dossier_has_a_wish_of_its_own(
    cast: Cast, database: Any
) -> None:
    booked = await order(cast, recipient=SON)
    now = await wishes.on_page(booked.token)
    shown = {line.part: line.shown for line in now.lines}
    assert shown == {"owner": "0912•••678", "recipient": "0987•••321"}
    await wishes.say_on_page(booked.token, "recipient", Wish.STOP, "192.0.2.1")
    assert await opted_out(database, SECOND)
    assert not await opted_out(database, NUMBER)
    for part in ("filer", "", "owner'"):
        with pytest.raises(NotFound):
            await wishes.say_on_page(booked.token, part, Wish.STOP, "192.0.2.1")


async def test_the_next_texts_speak_the_language_that_was_chosen(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    path = f"/d/{await token_of_dossier(database)}"
    async with await visitor(None) as client:
        await client.get(path)
        client.headers["x-csrftoken"] = client.cookies["csrftoken"]
        done = await client.post(f"{path}/texts", data={"tongue": "en"})
        assert done.status_code == 303
        for bad in ("fr", "", "VI"):
            answer = await client.post(f"{path}/texts", data={"tongue": bad})
            assert answer.status_code == 422
        for form in ({"wish": "never", "part": "owner"}, {}, {"part": "owner"}):
            answer = await client.post(f"{path}/texts", data=form)
            assert answer.status_code == 422
    await wishes.speak_at_counter(waybill, Tongue.VIETNAMESE, cast.bob)
    await wishes.speak_at_counter(waybill, Tongue.ENGLISH, cast.bob)
    await scan(cast.bob, waybill, Step.ARRIVED)
    await scan(cast.alice, waybill, Step.OUT)
    await scan(cast.charlie, waybill, Step.RECEIVED)
    await scan(cast.charlie, waybill, Step.REGISTERED, dossier_code="H01.26-7")
    languages = await database.fetch("SELECT template, language FROM sms_message")
    assert {one["template"]: one["language"] for one in languages} == {
        "S01_booked": "vi",
        "S02_picked": "vi",
        "S03_agency": "en",
    }


async def test_links_that_lead_nowhere_and_too_many_wishes_are_stopped(
    cast: Cast, server: str, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await travel(cast, "booked")
    token = await token_of_dossier(database)
    async with await visitor(None) as client:
        await client.get("/track")
        client.headers["x-csrftoken"] = client.cookies["csrftoken"]
        for wrong in ("x", "A" * 22, "%00", "é"):
            answer = await client.post(f"/d/{wrong}/texts", data={"tongue": "en"})
            assert answer.status_code == 404
            for path in (f"/d/{wrong}", f"/s/{wrong}"):
                assert (await client.get(path)).status_code == 404
    monkeypatch.setattr(limits, "WISHES", Limit("wishes", 2, limits.WISHES.window))
    for _ in range(2):
        await wishes.speak_on_page(token, Tongue.ENGLISH, "192.0.2.7")
    with pytest.raises(TooOften):
        await wishes.say_on_page(token, "owner", Wish.STOP, "192.0.2.7")
    await wishes.say_on_page(token, "owner", Wish.STOP, "192.0.2.8")


async def test_a_clerk_does_it_over_the_counter(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    path = f"/items/{waybill}/texts"
    await outcomes.blame(database, NUMBER, "21614")
    async with await visitor(cast.bob) as client:
        assert f'href="{path}"' in (await client.get(f"/items/{waybill}")).text
        await client.post(path, data={"part": "owner", "wish": "stop"})
        seen = (await client.get(path)).text
        assert "0912•••678" in seen
        assert NUMBER not in seen
        assert "Từ chối tại quầy" in seen
        assert "(bob)" in seen
        empty = await client.post(path, data={"part": "owner", "reason": " "})
        assert empty.status_code == 422
        assert "Hãy ghi vì sao biết số này nhận được tin nhắn." in empty.text
        await client.post(path, data={"part": "owner", "reason": "Đổi SIM"})
        await client.post(path, data={"part": "owner", "wish": "start"})
        await client.post(path, data={"tongue": "en"})
        bad = await client.post(path, data={"part": "owner", "wish": "perhaps"})
        assert bad.status_code == 422
        nobody = await client.post(path, data={"part": "nobody", "wish": "stop"})
        assert nobody.status_code == 404
    assert await mark_of(database, NUMBER) == ""
    assert not await opted_out(database, NUMBER)
    assert await database.fetchval("SELECT language FROM dossier") == "en"


async def test_only_the_counter_of_ones_own_office_may(
    cast: Cast, server: str, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    path, stop = f"/items/{waybill}/texts", {"part": "owner", "wish": "stop"}
    expected = {
        "alice": 403,
        "charlie": 403,
        "eve": 403,
        "frank": 403,
        "ben": 404,
        "dora": 303,
    }
    for name, number in expected.items():
        async with await visitor(getattr(cast, name)) as client:
            assert (await client.post(path, data=stop)).status_code == number
            assert (await client.get(path)).status_code == (
                200 if number == 303 else number
            )
    with pytest.raises(NotAllowed):
        await wishes.at_counter(waybill, cast.eve)
    with pytest.raises(NotFound):
        await wishes.say_at_counter("DH999999999VN", "owner", Wish.STOP, cast.bob)
    with pytest.raises(BadInput):
        await wishes.clear_mark(waybill, "owner", "", cast.bob)


async def test_who_wants_no_texts_gets_the_code_and_nothing_else(
    cast: Cast, database: Any
) -> None:
    booked = await order(cast)
    await wishes.say_on_page(booked.token, "owner", Wish.STOP, "192.0.2.1")
    result = await travel(cast, "carried")
    async with Double() as double:
        rules = replace(QUICK, anyway=texting.rules(texting.texting()).anyway)
        await send_all(await courier(twilio(double), rules=rules))
        sent = [message.body for message in double.messages.values()]
    await close_all()
    assert len(sent) == 1
    assert await code_for(result, "delivery") in sent[0]
    left = await database.fetch("SELECT template, status FROM sms_message")
    withheld = {one["template"][:3] for one in left if one["status"] == "suppressed"}
    assert withheld == {"S01", "S02", "S03", "S06"}


async def test_the_citizen_does_it_without_scripts(
    cast: Cast, server: str, browser: Browser, database: Any
) -> None:
    booked = await order(cast, recipient=SON)
    context = await browser.new_context(
        base_url=server, locale="vi-VN", java_script_enabled=False
    )
    page = await context.new_page()
    await page.goto(f"/d/{booked.token}")
    await page.get_by_role("button", name="Ngừng nhắn tin 0987•••321").click()
    await page.get_by_role("button", name="Nhận lại tin nhắn 0987•••321").wait_for()
    assert await opted_out(database, SECOND)
    await page.get_by_label("English", exact=True).check()
    await page.get_by_role("button", name="Lưu ngôn ngữ").click()
    await page.get_by_label("English", exact=True).wait_for()
    assert await page.get_by_label("English", exact=True).is_checked()
    await page.get_by_role("button", name="Nhận lại tin nhắn").click()
    await page.get_by_role("button", name="Ngừng nhắn tin 0987•••321").wait_for()
    assert not await opted_out(database, SECOND)
    await context.close()


async def test_everybody_can_use_both_pages(
    cast: Cast, page: Page, database: Any
) -> None:
    waybill = await travel(cast, "booked")
    await outcomes.blame(database, NUMBER, "21614")
    token = await token_of_dossier(database)
    await page.goto(f"/d/{token}")
    await assert_accessible(page)
    await wishes.say_on_page(token, "owner", Wish.STOP, "192.0.2.1")
    await page.reload()
    await assert_accessible(page)
    await enter(page, cast.bob)
    await page.goto(f"/items/{waybill}/texts")
    await assert_accessible(page)
    await page.get_by_role("button", name="Nhắn tin trở lại").click()
    await page.get_by_role("button", name="Ngừng nhắn tin đến số này").wait_for()
    await assert_accessible(page)
