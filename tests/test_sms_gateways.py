from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sms.errors import GatewayError
from sms.gateway_brandname import Brandname, Contract, tag
from sms.gateway_console import Console
from sms.gateways import Gateway, Outgoing, callback
from sms.refusals import REFUSALS, Matter, refusal, sentence
from sms.status import Status
from tests.sms_cast import AN, close_all, twilio
from tests.twilio_double import DROPS, Double, Manner, refuses

NOW = datetime.now(UTC)


def outgoing(message: int = 7, **changes: Any) -> Outgoing:
    usual: dict[str, Any] = {
        "id": message,
        "recipient": AN,
        "body": "Ho so DH473124829VN da den.",
        "template": "S03_agency",
        "version": 1,
        "language": "vi",
        "params": {"code": "DH473124829VN", "date": "24/11"},
        "expires_at": None,
    }
    return Outgoing(**(usual | changes))


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double() as server:
        yield server
        await close_all()
        assert server.faults == []


# Twilio


async def test_a_request_to_twilio_has_the_fields_twilio_publishes(
    double: Double,
) -> None:
    answer = await twilio(double).send(outgoing())
    assert double.forms == [
        {
            "To": AN,
            "From": "+15005550006",
            "Body": "Ho so DH473124829VN da den.",
            "StatusCallback": "http://127.0.0.1:1/sms/receipts/twilio/7",
        }
    ]
    assert (answer.status, answer.said) == (Status.SENT, "queued")
    assert answer.provider_id in double.messages


async def test_a_messaging_service_picks_the_sender(double: Double) -> None:
    service = "MG" + "ab" * 16
    answer = await twilio(double, sender="", service=service).send(outgoing())
    assert double.forms[0]["MessagingServiceSid"] == service
    assert "From" not in double.forms[0]
    assert answer.said == "accepted"


@pytest.mark.parametrize(
    ("left", "validity"),
    [(timedelta(hours=2), 7199), (timedelta(days=2), 36_000), (timedelta(0), 5)],
)
async def test_twilio_is_told_until_when_a_text_is_true(
    double: Double, left: timedelta, validity: int
) -> None:
    await twilio(double).send(outgoing(expires_at=datetime.now(UTC) + left))
    assert abs(int(double.forms[0]["ValidityPeriod"]) - validity) <= 1


@pytest.mark.parametrize("host", ["http://localhost:8000", "http://a_b.example.vn", ""])
def test_no_receipts_are_asked_for_where_twilio_cannot_post(host: str) -> None:
    assert callback(host, "twilio", 7) == ""


async def test_twilio_is_searched_over_pages_by_number_and_body(double: Double) -> None:
    gateway = twilio(double)
    wanted = await gateway.send(outgoing(body="the one"))
    for number in range(250):
        await gateway.send(outgoing(body=f"another {number}"))
    found = await gateway.find(outgoing(body="the one"), NOW, ())
    assert found is not None
    assert found.provider_id == wanted.provider_id
    assert double.requests["list"] == 3
    taken = {wanted.provider_id}
    assert await gateway.find(outgoing(body="the one"), NOW, taken) is None
    assert await gateway.find(outgoing(recipient="+84987654321"), NOW, ()) is None


async def test_what_twilio_sent_long_before_is_not_the_one(double: Double) -> None:
    gateway = twilio(double)
    answer = await gateway.send(outgoing())
    double.messages[answer.provider_id].created = NOW - timedelta(minutes=10)
    assert await gateway.find(outgoing(), NOW, ()) is None


async def test_the_words_of_a_trial_account_do_not_hide_a_text(double: Double) -> None:
    gateway = twilio(double)
    answer = await gateway.send(outgoing())
    message = double.messages[answer.provider_id]
    message.body = f"Sent from your Twilio trial account - {message.body}"
    found = await gateway.find(outgoing(), NOW, ())
    assert found is not None


async def test_twilio_is_asked_how_far_a_text_is(double: Double) -> None:
    gateway = twilio(double)
    answer = await gateway.send(outgoing())
    double.messages[answer.provider_id].status = "undelivered"
    double.messages[answer.provider_id].error_code = 30005
    seen = await gateway.look(answer.provider_id)
    assert (seen.status, seen.error_code) == (Status.UNDELIVERED, "30005")


@pytest.mark.parametrize(
    ("how", "permanent", "code", "retry_after", "maybe"),
    [
        (refuses(400, 21211), True, "21211", None, False),
        (refuses(400, 21610), True, "21610", None, False),
        (refuses(429, 20429, 7), False, "20429", 7.0, False),
        (refuses(500, 20500), False, "20500", None, True),
        (refuses(503, 20503, 3), False, "20503", 3.0, True),
        (DROPS, False, "", None, True),
        (Manner(after=5.0), False, "", None, True),
    ],
)
async def test_every_fault_of_twilio_is_told_as_one_kind_of_error(
    double: Double,
    how: Manner,
    permanent: bool,
    code: str,
    retry_after: float | None,
    maybe: bool,
) -> None:
    double.manners = [how]
    with pytest.raises(GatewayError) as fault:
        await twilio(double, timeout=0.3).send(outgoing())
    told = fault.value
    assert (told.permanent, told.code) == (permanent, code)
    assert (told.retry_after, told.maybe_accepted) == (retry_after, maybe)


async def test_where_nobody_listens_nothing_can_have_been_taken(double: Double) -> None:
    with pytest.raises(GatewayError) as fault:
        await twilio(double, api="http://127.0.0.1:9").send(outgoing())
    assert not fault.value.maybe_accepted
    assert not fault.value.permanent


async def test_texts_go_through_a_proxy(double: Double) -> None:
    seen: list[str] = []

    async def pass_on(request: web.Request) -> web.Response:
        seen.append(str(request.url))
        return web.json_response({"code": 21211, "message": "no"}, status=400)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", pass_on)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy = f"http://127.0.0.1:{runner.addresses[0][1]}"
    with pytest.raises(GatewayError):
        await twilio(double, api="http://sms.example.vn", proxy=proxy).send(outgoing())
    assert seen[0].startswith("http://sms.example.vn/2010-04-01/Accounts/AC")
    await close_all()
    await runner.cleanup()


# The brand name


class Aggregator:
    """Plays an aggregator: knows templates, and takes a request id once."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        self.answer: tuple[int, dict[str, Any]] | None = None
        self.status: dict[str, Any] = {"status": "delivered"}

    async def __aenter__(self) -> Aggregator:
        app = web.Application()
        app.router.add_post("/messages", self._take)
        app.router.add_get("/messages/{id}", self._look)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.gateway = Brandname(
            Contract(
                url=f"http://127.0.0.1:{self.runner.addresses[0][1]}",
                user="buudien",
                password="a password",
                brand="BUUDIEN",
                templates={"S03_agency.1.vi": "90210"},
                callbacks="https://track.example.vn",
                secret=b"a key",
                timeout=0.3,
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gateway.close()
        await self.runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("Basic ")
        if self.answer:
            return web.json_response(self.answer[1], status=self.answer[0])
        wanted = await request.json()
        known = wanted["requestId"] in self.taken
        self.taken.setdefault(wanted["requestId"], wanted)
        code = "duplicate_request" if known else "accepted"
        return web.json_response(
            {"code": code, "messageId": f"bn-{wanted['requestId']}"}
        )

    async def _look(self, request: web.Request) -> web.Response:
        return web.json_response(self.status)


@pytest.fixture
async def aggregator() -> AsyncIterator[Aggregator]:
    async with Aggregator() as one:
        yield one


async def test_an_aggregator_gets_the_registered_template_and_its_parameters(
    aggregator: Aggregator,
) -> None:
    answer = await aggregator.gateway.send(outgoing())
    assert aggregator.taken["7"] == {
        "requestId": "7",
        "brandname": "BUUDIEN",
        "phone": "84912345678",
        "templateId": "90210",
        "params": {"code": "DH473124829VN", "date": "24/11"},
        "callbackUrl": "https://track.example.vn/sms/receipts/brandname/7/"
        + tag(b"a key", 7),
    }
    assert (answer.provider_id, answer.status) == ("bn-7", Status.SENT)


async def test_the_same_request_twice_is_one_text(aggregator: Aggregator) -> None:
    first = await aggregator.gateway.send(outgoing())
    again = await aggregator.gateway.send(outgoing())
    assert first.provider_id == again.provider_id
    assert len(aggregator.taken) == 1


async def test_a_wording_that_is_not_registered_is_not_sent(
    aggregator: Aggregator,
) -> None:
    with pytest.raises(GatewayError) as fault:
        await aggregator.gateway.send(outgoing(version=2))
    assert (fault.value.code, fault.value.permanent) == ("no_template", True)
    assert aggregator.taken == {}


@pytest.mark.parametrize(
    ("status", "told", "code", "permanent", "maybe"),
    [
        (200, {"code": "invalid_phone"}, "bad_number", True, False),
        (200, {"code": "something new"}, "text", True, False),
        (401, {}, "account", True, False),
        (429, {}, "busy", False, False),
        (502, {}, "", False, True),
    ],
)
async def test_the_refusals_of_an_aggregator_are_told_in_our_words(
    aggregator: Aggregator,
    status: int,
    told: dict[str, str],
    code: str,
    permanent: bool,
    maybe: bool,
) -> None:
    aggregator.answer = (status, told)
    with pytest.raises(GatewayError) as fault:
        await aggregator.gateway.send(outgoing())
    assert fault.value.code == code
    assert (fault.value.permanent, fault.value.maybe_accepted) == (permanent, maybe)


async def test_an_aggregator_is_asked_how_far_a_text_is(aggregator: Aggregator) -> None:
    assert (await aggregator.gateway.look("bn-7")).status is Status.DELIVERED
    aggregator.status = {"status": "failed", "error": "not_mobile"}
    seen = await aggregator.gateway.look("bn-7")
    assert (seen.status, seen.error_code) == (Status.FAILED, "not_mobile")


# The console


async def test_the_console_writes_a_text_down_and_finds_it_again(
    tmp_path: Path,
) -> None:
    gateway: Gateway = Console(tmp_path / "texts" / "sms.jsonl")
    assert await gateway.find(outgoing(), NOW, ()) is None
    answer = await gateway.send(outgoing())
    assert answer.status is Status.DELIVERED
    line = json.loads((tmp_path / "texts" / "sms.jsonl").read_text("utf-8"))
    assert (line["id"], line["to"]) == (7, AN)
    assert await gateway.find(outgoing(), NOW, ()) == answer
    assert await gateway.find(outgoing(77), NOW, ()) is None


async def test_the_console_speaks_to_whoever_started_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await Console().send(outgoing())
    assert "Ho so DH473124829VN da den." in capsys.readouterr().out


async def test_a_console_that_cannot_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(GatewayError):
        await Console(tmp_path / "file" / "sms.jsonl").send(outgoing())


# The table of refusals


def test_the_codes_that_matter_are_in_the_table() -> None:
    matters = {
        "21211": Matter.NUMBER,
        "21610": Matter.WISH,
        "21614": Matter.NUMBER,
        "30003": Matter.PHONE,
        "30005": Matter.NUMBER,
        "30006": Matter.NUMBER,
        "30007": Matter.TEXT,
        "20003": Matter.LINE,
        "20429": Matter.LINE,
    }
    assert {code: refusal(code).matter for code in matters} == matters
    assert refusal("99999").matter is Matter.TEXT


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_has_a_sentence_in_both_languages(code: str) -> None:
    assert sentence(code, "vi").endswith(".")
    assert sentence(code, "en").endswith(".")
    assert sentence(code, "vi") != sentence(code, "en")
    assert sentence("") == ""
