from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar
from twilio.request_validator import RequestValidator

from postal_track import hearing, settings, texting
from postal_track.wording import LOCAL
from routes import sms_receipts
from routes.errors import HANDLERS
from sms.delivery import Courier
from sms.gateway_brandname import tag
from sms.inbound import Wish, understand
from sms.outbox import calls
from sms.segments import alphabet, segments
from sms.wishes import mark_of, opted_out
from tests.cast import assemble, order
from tests.sms_cast import (
    AN,
    BINH,
    close_all,
    courier,
    put_in,
    row,
    send_all,
    sweep_once,
    text,
    twilio,
    until,
)
from tests.twilio_double import ACCOUNT, SENDER, TAKES_AND_DROPS, TOKEN, Double


@pytest.fixture
async def web(database: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The handlers behind a real web server, known to Twilio by its own address."""
    app = Litestar(
        sms_receipts.ROUTES, exception_handlers=HANDLERS, openapi_config=None
    )
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
    )
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    chosen = replace(
        settings.settings(),
        PUBLIC_URL=address,
        TWILIO_ACCOUNT_SID=ACCOUNT,
        TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_FROM=SENDER,
    )
    # `hearing` reads them through its own name.
    monkeypatch.setattr(hearing, "settings", lambda: chosen)
    yield address
    server.should_exit = True
    await task


@pytest.fixture
async def double(web: str) -> AsyncIterator[Double]:
    async with Double() as server:
        yield server
        await close_all()
        assert server.faults == []


@pytest.fixture
async def hands(double: Double, web: str) -> Courier:
    return await courier(twilio(double, callbacks=web))


async def sent(hands: Courier, double: Double, **changes: Any) -> tuple[int, str]:
    """Send a text; return its ids, here and at Twilio."""
    [message] = await put_in(text(**changes))
    await sweep_once(hands)
    return message, list(double.messages)[-1]


async def test_a_receipt_says_that_a_text_was_delivered(
    database: Any, double: Double, hands: Courier
) -> None:
    message, sid = await sent(hands, double)
    assert await double.tell(sid, "sent") == 200
    assert (await row(database, message))["status"] == "sent"
    assert await double.tell(sid, "delivered") == 200
    done = await row(database, message)
    assert done["status"] == "delivered"
    assert done["ended_at"] is not None


async def test_receipts_twice_late_and_backwards_change_nothing(
    database: Any, double: Double, hands: Courier
) -> None:
    message, sid = await sent(hands, double)
    for said in ("delivered", "sent", "delivered", "sending", "queued", "sent"):
        assert await double.tell(sid, said) == 200
        assert (await row(database, message))["status"] == "delivered"
    kept = await database.fetch("SELECT said FROM sms_receipt")
    assert len(kept) == 4


async def test_receipts_that_overtake_the_answer_are_believed(
    database: Any, double: Double, hands: Courier
) -> None:
    double.receipts, double.answers_after = ("sent", "delivered"), 0.4
    [message] = await put_in(text())
    await hands.sweep()

    async def known() -> bool:
        return bool((await row(database, message))["status"] == "delivered")

    await until(known)
    assert hands.in_flight == 1
    await until(lambda: not hands.in_flight)
    done = await row(database, message)
    assert (done["status"], done["due_at"], done["unsure"]) == (
        "delivered",
        None,
        False,
    )
    assert done["cost"] == 1800


async def test_a_receipt_makes_a_text_known_whose_answer_was_lost(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners, double.lists = [TAKES_AND_DROPS], False
    message, sid = await sent(hands, double)
    assert (await row(database, message))["unsure"]
    await double.tell(sid, "sent")
    known = await row(database, message)
    assert (known["status"], known["provider_id"]) == ("sent", sid)
    assert not known["unsure"]
    await send_all(hands)
    assert double.requests["create"] == 1


async def test_a_word_not_known_yet_still_says_that_a_text_was_taken(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners, double.lists = [TAKES_AND_DROPS], False
    message, sid = await sent(hands, double)
    await double.tell(sid, "brand-new")
    known = await row(database, message)
    assert (known["status"], known["provider_id"]) == ("sent", sid)


async def test_an_undelivered_text_goes_to_the_second_number(
    database: Any, double: Double, hands: Courier
) -> None:
    message, sid = await sent(hands, double, fallback=BINH)
    await double.tell(sid, "undelivered", 30005)
    await double.tell(sid, "undelivered", 30005)
    assert (await row(database, message))["status"] == "undelivered"
    assert await mark_of(database, AN) == "30005"
    await send_all(hands)
    assert [form["To"] for form in double.forms] == [AN, BINH]
    assert await calls(database) == []


async def test_an_undelivered_text_without_a_second_number_is_a_call(
    database: Any, double: Double, hands: Courier
) -> None:
    message, sid = await sent(hands, double)
    await double.tell(sid, "undelivered", 30003)
    [call] = await calls(database)
    assert (call.message.id, call.code) == (message, "30003")
    assert await mark_of(database, AN) == "", "a phone that is off is no dead number"
    await double.tell(sid, "delivered")
    assert (await row(database, message))["status"] == "delivered"
    assert await calls(database) == []


async def test_a_receipt_for_the_unknown_is_answered_200(
    database: Any, double: Double, web: str
) -> None:
    form = {"MessageSid": "SM" + "0" * 32, "MessageStatus": "delivered"}
    address = f"{web}/sms/receipts/twilio/424242"
    assert await double.post(address, form) == 200
    assert await double.post(address, {}) == 200
    assert await double.post(address, form | {"MessageStatus": "brand-new"}) == 200


async def test_a_receipt_without_twilios_signature_is_refused(
    database: Any, double: Double, hands: Courier, web: str
) -> None:
    message, sid = await sent(hands, double)
    form = {"MessageSid": sid, "MessageStatus": "delivered"}
    address = f"{web}/sms/receipts/twilio/{message}"
    assert await double.post(address, form, signature="made up") == 403
    stolen = RequestValidator(TOKEN).compute_signature(address, {"a": "b"})
    assert await double.post(address, form, signature=stolen) == 403
    other = RequestValidator(TOKEN).compute_signature(f"{address}0", form)
    assert await double.post(address, form, signature=other) == 403
    async with httpx.AsyncClient() as client:
        assert (await client.post(address, data=form)).status_code == 403
    assert (await row(database, message))["status"] == "sent"


async def test_a_receipt_names_a_second_message_of_one_text_and_changes_nothing(
    database: Any,
    double: Double,
    hands: Courier,
    web: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    message, sid = await sent(hands, double)
    form = {"MessageSid": "SM" + "f" * 32, "MessageStatus": "failed"}
    assert await double.post(f"{web}/sms/receipts/twilio/{message}", form) == 200
    assert (await row(database, message))["provider_id"] == sid
    assert (await row(database, message))["status"] == "sent"
    assert "taken twice" in caplog.text


async def test_an_aggregators_receipt_is_believed_at_the_address_we_gave(
    database: Any, web: str
) -> None:
    [message] = await put_in(text())
    await database.execute(
        """
        UPDATE sms_message SET status = 'sent', gateway = 'brandname',
            provider_id = 'bn-1', due_at = NULL
        """
    )
    proof = tag(texting.receipts_key(settings.settings()), message)
    told = {"messageId": "bn-1", "status": "delivered"}
    path = f"{web}/sms/receipts/brandname/{message}"
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{path}/{proof[1:]}g", data=told)).status_code == 403
        assert (await client.post(f"{path}/đ", data=told)).status_code == 403
        assert (await row(database, message))["status"] == "sent"
        assert (await client.get(f"{path}/{proof}", params=told)).status_code == 200
        assert (await row(database, message))["status"] == "delivered"
        assert (await client.post(f"{path}/{proof}", data=told)).status_code == 200


async def answer(web: str, body: str, number: str = AN) -> str:
    """Answer a text, the way Twilio passes it on."""
    form = {"From": number, "To": SENDER, "Body": body, "MessageSid": "SM" + "1" * 32}
    address = f"{web}/sms/inbound/twilio"
    signature = RequestValidator(TOKEN).compute_signature(address, form)
    async with httpx.AsyncClient() as client:
        answered = await client.post(
            address, data=form, headers={"X-Twilio-Signature": signature}
        )
    assert answered.status_code == 200
    assert answered.headers["content-type"].startswith("application/xml")
    return answered.text


async def test_an_answer_stops_and_starts_texts(
    database: Any, double: Double, hands: Courier, web: str
) -> None:
    said = await answer(web, "Từ chối.")
    assert "khong gui tin nhan" in said
    assert await opted_out(database, AN)
    [message] = await put_in(text())
    await send_all(hands)
    assert (await row(database, message))["status"] == "suppressed"
    await answer(web, "nhan")
    assert not await opted_out(database, AN)


async def test_what_twilio_confirms_itself_is_not_confirmed_again(
    database: Any, web: str
) -> None:
    assert "<Message>" not in await answer(web, "STOP")
    assert await opted_out(database, AN)
    assert "<Message>" not in await answer(web, " start ")
    assert not await opted_out(database, AN)


async def test_an_answer_nobody_signed_changes_nothing(database: Any, web: str) -> None:
    async with httpx.AsyncClient() as client:
        refused = await client.post(
            f"{web}/sms/inbound/twilio", data={"From": AN, "Body": "STOP"}
        )
    assert refused.status_code == 403
    assert not await opted_out(database, AN)


async def test_a_waybill_is_answered_with_stage_and_day_alone(
    database: Any, web: str
) -> None:
    booked = await order(await assemble())
    today = datetime.now(LOCAL)
    said = await answer(web, f"  {str(booked.waybill).lower()} ")
    assert f"<Message>{booked.waybill}: Da dat lich thu gom, {today:%d/%m}.<" in said


async def test_what_is_no_waybill_of_ours_is_answered_with_what_would_be(
    database: Any, web: str
) -> None:
    unknown = await answer(web, "dh 4731 2482 9 vn")
    assert "<Message>" in unknown
    nonsense = await answer(web, "Xin chào bưu điện")
    assert "Soan ma van don" in nonsense
    assert "waybill" in await answer(web, "hello", number="+14155550123")
    for said in (unknown, nonsense):
        words = said.partition("<Message>")[2].partition("</Message>")[0]
        assert alphabet(words) == "GSM-7"
        assert segments(words) == 1


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("STOP", Wish.STOP),
        ("stop.", Wish.STOP),
        ("  Huỷ ", Wish.STOP),
        ("từ  chối", Wish.STOP),
        ("start", Wish.START),
        ("Nhận", Wish.START),
        ("please stop", Wish.OTHER),
        ("DH473124829VN", Wish.OTHER),
        ("", Wish.OTHER),
    ],
)
def test_an_answer_is_read_whatever_its_marks_and_case(body: str, wish: Wish) -> None:
    assert understand(body) is wish
