from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postal_track.database import transaction
from sms import outcomes
from sms.delivery import LARGEST_CLAIM, Courier
from sms.errors import GatewayError
from sms.gateways import Answer, Outgoing
from sms.outbox import calls, cancel
from sms.rules import AfterSilence, Rules
from sms.status import Status
from sms.wishes import mark_of, opt_out, opted_out
from tests.sms_cast import (
    AN,
    BINH,
    QUICK,
    close_all,
    courier,
    outcomes_of,
    put_in,
    row,
    send_all,
    sweep_once,
    text,
    twilio,
    until,
)
from tests.twilio_double import (
    DROPS,
    FAILS,
    TAKES_AND_DROPS,
    TAKES_AND_FAILS,
    WELL,
    Double,
    Manner,
    refuses,
)


@pytest.fixture
async def double(database: Any) -> AsyncIterator[Double]:
    async with Double() as server:
        yield server
        await close_all()
        assert server.faults == []


@pytest.fixture
async def hands(double: Double) -> Courier:
    return await courier(twilio(double))


async def test_a_text_is_handed_over_once_and_known(
    database: Any, double: Double, hands: Courier
) -> None:
    [message] = await put_in(text())
    assert await hands.deliver([message]) == 1
    sent = await row(database, message)
    assert sent["status"] == "sent"
    assert sent["provider_id"] in double.messages
    assert (sent["unsure"], sent["due_at"], sent["cost"]) == (False, None, 1800)
    assert await outcomes_of(database, message) == ["accepted"]
    assert await hands.deliver([message]) == 0
    assert double.requests["create"] == 1


async def test_the_attempt_is_written_before_the_call(database: Any) -> None:
    seen: list[Any] = []

    class Watching(Dumb):
        async def send(self, text: Outgoing) -> Answer:
            attempt = await database.fetchrow(
                "SELECT outcome, gateway FROM sms_attempt WHERE message = $1", text.id
            )
            message = await row(database, text.id)
            seen.append((*attempt, message["status"], message["unsure"]))
            return Answer("one")

    await put_in(text())
    await sweep_once(await courier(Watching()))
    assert seen == [("sending", "dumb", "sending", True)]


@pytest.mark.parametrize("how", [TAKES_AND_DROPS, TAKES_AND_FAILS])
async def test_what_was_taken_without_an_answer_is_found_and_adopted(
    database: Any, double: Double, hands: Courier, how: Manner
) -> None:
    double.manners = [how]
    [message] = await put_in(text())
    await send_all(hands)
    assert (await row(database, message))["status"] == "sent"
    assert (await row(database, message))["provider_id"] in double.messages
    assert double.requests["create"] == 1
    assert await outcomes_of(database, message) == ["accepted"]


@pytest.mark.parametrize("how", [DROPS, FAILS])
async def test_what_was_not_taken_without_an_answer_is_asked_about_and_sent(
    database: Any, double: Double, hands: Courier, how: Manner
) -> None:
    double.manners = [how]
    [message] = await put_in(text())
    await send_all(hands)
    assert len(double.messages) == 1
    assert await outcomes_of(database, message) == ["not_taken", "accepted"]
    assert double.requests == {"create": 2, "list": 1}


async def test_a_gateway_that_takes_thirty_seconds_is_not_given_the_text_twice(
    database: Any, double: Double
) -> None:
    hands = await courier(
        twilio(double, timeout=0.5), rules=replace(QUICK, timeout=0.5)
    )
    double.manners = [Manner(after=30.0)]
    [message] = await put_in(text())
    await send_all(hands)
    assert (await row(database, message))["status"] == "sent"
    assert double.requests["create"] == 1


async def test_alike_texts_in_doubt_are_each_adopted_once(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners = [TAKES_AND_DROPS, TAKES_AND_DROPS, DROPS]
    messages = await put_in(text(), text(), text())
    await send_all(hands)
    ids = {(await row(database, one))["provider_id"] for one in messages}
    assert ids == set(double.messages)
    assert len(ids) == 3


async def test_an_older_text_alike_is_not_mistaken_for_the_one_in_doubt(
    double: Double, hands: Courier
) -> None:
    await put_in(text())
    await send_all(hands)
    double.manners = [DROPS]
    await put_in(text())
    await send_all(hands)
    assert len(double.messages) == 2


async def test_while_the_gateway_cannot_be_asked_nothing_is_sent_again(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners, double.lists = [TAKES_AND_DROPS], False
    [message] = await put_in(text())
    await sweep_once(hands)

    async def asked_often() -> bool:
        await sweep_once(hands)
        return double.requests["list"] >= 3

    await until(asked_often)
    assert (await row(database, message))["unsure"]
    assert double.requests["create"] == 1
    double.lists = True
    await send_all(hands)
    assert double.requests["create"] == 1


async def test_a_worker_that_died_after_the_call_leaves_a_question_not_a_second_text(
    database: Any, double: Double
) -> None:
    [message] = await put_in(text())
    gateway = twilio(double)
    dead = await courier(gateway)
    dead._keep = _dies  # type: ignore[method-assign, assignment]
    await dead.sweep()
    await until(lambda: not dead.in_flight)
    assert (await row(database, message))["status"] == "sending"

    other = await courier(gateway)
    assert await sweep_once(other) == 0, "the lease is still good"
    await database.execute("UPDATE sms_message SET due_at = now()")
    await send_all(other)
    assert (await row(database, message))["status"] == "sent"
    assert len(double.messages) == 1


async def _dies(*_: Any) -> None:
    raise ConnectionError


async def test_a_worker_whose_lease_has_run_out_does_not_call_any_more(
    database: Any, double: Double, hands: Courier
) -> None:
    [message] = await put_in(text())
    start = hands._start

    def late(job: Any) -> Any:
        job.deadline = 0.0
        return start(job)

    hands._start = late  # type: ignore[method-assign]
    await sweep_once(hands)
    assert double.requests["create"] == 0
    assert (await row(database, message))["status"] == "queued"
    assert not (await row(database, message))["unsure"]
    assert set(await outcomes_of(database, message)) == {"abandoned"}


async def test_a_worker_come_too_late_does_not_undo_what_the_next_has_begun(
    database: Any, hands: Courier
) -> None:
    [message] = await put_in(text())
    await database.execute(
        """
        UPDATE sms_message
        SET status = 'sending', unsure = true, tries = 2, gateway = 'twilio'
        """
    )
    async with transaction() as connection:
        await outcomes.requeue(connection, message, 1, 0.0)
        await outcomes.end(connection, message, Status.FAILED, "21211", number=1)
    assert (await row(database, message))["status"] == "sending"
    assert (await row(database, message))["unsure"]


async def test_too_many_requests_are_waited_out_as_long_as_twilio_says(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners = [refuses(429, 20429, retry_after=1)]
    [message] = await put_in(text())
    began = datetime.now(UTC)
    await send_all(hands)
    assert datetime.now(UTC) - began >= timedelta(seconds=1)
    assert len(double.messages) == 1
    assert await outcomes_of(database, message) == ["refused", "accepted"]
    assert double.requests["list"] == 0, "a 429 took nothing: nothing to ask"


@pytest.mark.parametrize("code", [21211, 21614])
async def test_a_number_that_takes_no_texts_is_marked_and_a_clerk_calls(
    database: Any, double: Double, hands: Courier, code: int
) -> None:
    double.manners = [refuses(400, code)]
    [message] = await put_in(text())
    await send_all(hands)
    assert (await row(database, message))["status"] == "failed"
    assert await mark_of(database, AN) == str(code)
    [call] = await calls(database)
    assert call.message.id == message
    assert call.why("vi") == call.message.trouble("vi") != ""

    [second] = await put_in(text())
    await send_all(hands)
    assert (await row(database, second))["status"] == "failed"
    assert double.requests["create"] == 1, "a marked number is not tried again"


async def test_who_opted_out_at_the_provider_is_opted_out_here(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners = [refuses(400, 21610)]
    await put_in(text())
    await send_all(hands)
    assert await opted_out(database, AN)
    [second] = await put_in(text())
    await send_all(hands)
    assert (await row(database, second))["status"] == "suppressed"
    assert double.requests["create"] == 1


async def test_a_second_number_is_tried_before_a_clerk_calls(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners = [refuses(400, 21614), refuses(400, 21211)]
    await put_in(text(fallback=BINH))
    await send_all(hands)
    assert [form["To"] for form in double.forms] == [AN, BINH]
    [call] = await calls(database)
    assert call.message.recipient == BINH


async def test_no_number_at_all_ends_on_the_list_of_calls(
    database: Any, double: Double, hands: Courier
) -> None:
    [message] = await put_in(text(recipient="0912 345 678"))
    await send_all(hands)
    [call] = await calls(database)
    assert (call.message.id, call.code) == (message, "bad_number")
    assert double.requests["create"] == 0


async def test_a_refused_account_holds_every_text_and_loses_none(
    database: Any, double: Double
) -> None:
    gateway = twilio(double, token="wrong")
    [message] = await put_in(text())
    hands = await courier(gateway)
    await sweep_once(hands)
    double.faults.clear()
    assert (await row(database, message))["status"] == "queued"
    line = await database.fetchrow("SELECT * FROM sms_line WHERE gateway = 'twilio'")
    assert line["paused_until"] > datetime.now(UTC) + timedelta(minutes=4)
    assert "401" in line["note"] or "400" in line["note"]


class Dumb:
    """A gateway that takes everything, or does as it is told."""

    name = "dumb"
    after_silence = AfterSilence.CALL
    can_look = False

    def __init__(self, name: str = "dumb", fault: GatewayError | None = None) -> None:
        self.name = name
        self.fault = fault
        self.taken: list[Outgoing] = []

    async def send(self, text: Outgoing) -> Answer:
        if self.fault:
            raise self.fault
        self.taken.append(text)
        return Answer(f"{self.name}-{text.id}")

    async def find(self, *_: Any) -> Answer | None:
        raise AssertionError("it cannot be asked")

    async def look(self, provider_id: str) -> Answer:
        raise AssertionError("it cannot be asked")

    async def close(self) -> None: ...


async def test_the_next_gateway_takes_over_when_the_first_is_not_reached(
    database: Any, double: Double
) -> None:
    gone = twilio(double, api="http://127.0.0.1:9")
    second = Dumb()
    [message] = await put_in(text())
    await send_all(await courier(gone, second))
    assert [one.id for one in second.taken] == [message]
    sent = await row(database, message)
    assert (sent["gateway"], sent["status"]) == ("dumb", "sent")
    assert await outcomes_of(database, message) == ["refused", "accepted"]


async def test_a_text_one_gateway_does_not_carry_goes_by_the_next(
    database: Any,
) -> None:
    refusing = GatewayError("not registered", permanent=True, code="no_template")
    first, second = Dumb("first", refusing), Dumb("second")
    [message] = await put_in(text())
    await send_all(await courier(first, second))
    assert [one.id for one in second.taken] == [message]


async def test_a_text_no_gateway_carries_fails_with_the_reason(database: Any) -> None:
    refusing = GatewayError("not registered", permanent=True, code="no_template")
    [message] = await put_in(text())
    await send_all(await courier(Dumb("first", refusing), Dumb("second", refusing)))
    failed = await row(database, message)
    assert (failed["status"], failed["error_code"]) == ("failed", "no_template")


async def test_after_silence_of_a_gateway_that_knows_nothing_a_clerk_calls(
    database: Any,
) -> None:
    silent = Dumb("silent", GatewayError("cut", maybe_accepted=True))
    second = Dumb("second")
    [message] = await put_in(text())
    await send_all(await courier(silent, second))
    ended = await row(database, message)
    assert (ended["status"], ended["error_code"]) == ("expired", "not_known")
    assert second.taken == [], "nobody may send what may have been sent"
    assert len(await calls(database)) == 1


async def test_a_gateway_silent_for_long_rests_and_the_next_is_used(
    database: Any,
) -> None:
    silent = Dumb("silent", GatewayError("cut", maybe_accepted=True))
    second = Dumb("second")
    await put_in(*[text() for _ in range(5)])
    hands = await courier(silent, second)
    await sweep_once(hands)
    [later] = await put_in(text())
    await sweep_once(hands)
    assert [one.id for one in second.taken] == [later]


async def test_a_text_of_yesterday_is_not_sent(
    database: Any, double: Double, hands: Courier
) -> None:
    [message] = await put_in(text(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    await send_all(hands)
    assert (await row(database, message))["status"] == "expired"
    assert double.requests["create"] == 0
    assert await calls(database) == []


async def test_a_text_is_not_sent_before_its_time(
    database: Any, double: Double, hands: Courier
) -> None:
    [message] = await put_in(text(not_before=datetime.now(UTC) + timedelta(hours=1)))
    assert await sweep_once(hands) == 0
    assert await hands.deliver([message]) == 0


async def test_what_is_withdrawn_in_time_is_not_sent(
    database: Any, double: Double, hands: Courier
) -> None:
    await put_in(
        text(group="dossier:1", template="S12_late"),
        text(group="dossier:1", template="S07_out"),
        text(group="dossier:2", template="S12_late"),
    )
    assert len(await cancel(database, "dossier:1", ["S12_late"])) == 1
    await send_all(hands)
    assert len(double.messages) == 2


async def test_what_may_be_on_its_way_is_not_withdrawn(
    database: Any, double: Double, hands: Courier
) -> None:
    double.manners, double.lists = [TAKES_AND_DROPS], False
    await put_in(text(group="dossier:1"))
    await sweep_once(hands)
    assert await cancel(database, "dossier:1", ["S03_agency"]) == []


NIGHT = datetime(2030, 1, 1, 16, tzinfo=UTC)  # 23:00 in Vietnam
MORNING = datetime(2030, 1, 2, 0, tzinfo=UTC)


async def test_the_night_holds_all_but_codes_and_the_morning_sends_them(
    database: Any, double: Double
) -> None:
    decent = replace(Rules(), rate=0, gap=0, looks=(), at_night=frozenset({"S07_out"}))
    now = NIGHT
    gateway = twilio(double)
    hands = await courier(gateway, rules=decent, now=lambda: now)
    await put_in(text("code", template="S07_out"))
    held = await put_in(*[text(f"note {n}") for n in range(LARGEST_CLAIM + 5)])
    await put_in(text("later code", template="S07_out"))
    # As if put a little ago: give_up counts from then.
    await database.execute("UPDATE sms_message SET created_at = $1", NIGHT)
    await sweep_once(hands)
    assert {form["Body"] for form in double.forms} == {"code", "later code"}
    assert {(await row(database, one))["due_at"] for one in held} == {MORNING}
    assert {(await row(database, one))["not_before"] for one in held} == {MORNING}
    now = MORNING
    await sweep_once(hands)
    assert len(double.messages) == len(held) + 2


async def test_a_dossier_does_not_cause_more_texts_a_day_than_the_cap(
    database: Any, double: Double
) -> None:
    rules = replace(QUICK, cap=3, uncapped=frozenset({"S07_out"}))
    gateway = twilio(double)
    hands = await courier(gateway, rules=rules)
    await put_in(*[text(f"{n}", group="dossier:1") for n in range(5)])
    await put_in(text("other", group="dossier:2"))
    await sweep_once(hands)
    await put_in(text("code", group="dossier:1", template="S07_out"))
    await sweep_once(hands)
    assert sorted(form["Body"] for form in double.forms) == [
        *"012",
        "code",
        "other",
    ]
    waiting = await database.fetch(
        "SELECT due_at FROM sms_message WHERE status = 'queued'"
    )
    assert len(waiting) == 2
    assert all(one["due_at"] > datetime.now(UTC) for one in waiting)


async def test_texts_to_one_number_keep_their_order_and_distance(
    database: Any, double: Double
) -> None:
    gateway = twilio(double)
    hands = await courier(gateway, rules=replace(QUICK, gap=0.3))
    await put_in(text("first"))
    await put_in(text("second"))
    await put_in(text("other", recipient=BINH))
    began = datetime.now(UTC)
    await send_all(hands)
    assert datetime.now(UTC) - began >= timedelta(seconds=0.3)
    to_an = [form["Body"] for form in double.forms if form["To"] == AN]
    assert to_an == ["first", "second"]


async def test_all_workers_together_keep_the_pace(
    database: Any, double: Double
) -> None:
    gateway = twilio(double)
    rules = replace(QUICK, rate=40)
    several = [await courier(gateway, rules=rules) for _ in range(3)]
    await put_in(*[text(f"{n}") for n in range(40)])
    began = datetime.now(UTC)
    await asyncio.gather(*(send_all(hands) for hands in several))
    # 40 texts at 40 a second: the last goes 39/40 of a second after the first.
    assert datetime.now(UTC) - began >= timedelta(seconds=0.95)
    assert len(double.messages) == 40


async def test_several_workers_take_each_text_once(
    database: Any, double: Double
) -> None:
    gateway = twilio(double)
    several = [await courier(gateway) for _ in range(4)]
    messages = await put_in(*[text(f"{n}") for n in range(300)])
    await asyncio.gather(
        *(hands.deliver(messages) for hands in several),
        *(send_all(hands) for hands in several),
    )
    assert len(double.messages) == 300
    assert set(double.count().values()) == {1}


async def test_a_worker_told_to_stop_finishes_what_it_has_begun(
    database: Any, double: Double, hands: Courier
) -> None:
    double.answers_after = 0.3
    messages = await put_in(*[text(f"{n}") for n in range(10)])
    await hands.sweep()
    assert hands.in_flight == 10
    await hands.close(5.0)
    assert {(await row(database, one))["status"] for one in messages} == {"sent"}
    await put_in(text())
    assert await hands.sweep() == 0


async def test_a_text_without_a_receipt_is_looked_up_until_it_is_known(
    database: Any, double: Double
) -> None:
    gateway = twilio(double)
    hands = await courier(gateway, rules=replace(QUICK, looks=(0.0, 0.0, 0.0)))
    [message] = await put_in(text())
    await sweep_once(hands)
    [sid] = double.messages
    double.messages[sid].status = "delivered"

    async def known() -> bool:
        await sweep_once(hands)
        return bool((await row(database, message))["status"] == "delivered")

    await until(known)
    assert (await row(database, message))["due_at"] is None


async def test_a_text_that_is_never_heard_of_again_is_not_looked_up_for_ever(
    database: Any, double: Double
) -> None:
    gateway = twilio(double)
    hands = await courier(gateway, rules=replace(QUICK, looks=(0.0, 0.0)))
    [message] = await put_in(text())

    async def left_alone() -> bool:
        await sweep_once(hands)
        return (await row(database, message))["due_at"] is None

    await until(left_alone)
    assert double.requests["fetch"] == 2
    assert (await row(database, message))["status"] == "sent"


async def test_a_heartbeat_is_seen_until_the_worker_leaves(
    database: Any, hands: Courier
) -> None:
    await put_in(text())
    await sweep_once(hands)
    await hands.beat(datetime.now(UTC))
    beat = await database.fetchrow("SELECT * FROM sms_heartbeat")
    assert (beat["worker"], beat["sent"]) == (hands.name, 1)
    assert beat["latency"] > 0
    await hands.say_goodbye()
    assert await database.fetchval("SELECT count(*) FROM sms_heartbeat") == 0


async def test_what_a_wish_stops_is_suppressed(
    database: Any, double: Double, hands: Courier
) -> None:
    await opt_out(database, AN, "page")
    [message] = await put_in(text(fallback=BINH))
    await send_all(hands)
    assert (await row(database, message))["status"] == "suppressed"
    assert double.requests["create"] == 0
    assert await calls(database) == []


async def test_texts_go_out_while_one_is_slow(
    database: Any, double: Double, hands: Courier
) -> None:
    answer = asyncio.Event()
    double.manners = [Manner(once=answer)]
    double.manner = lambda: WELL
    slow, *quick = await put_in(*[text(f"{n}") for n in range(50)])
    await hands.sweep()
    await until(lambda: len(double.messages) == 50 and hands.in_flight == 1)
    assert {(await row(database, one))["status"] for one in quick} == {"sent"}
    answer.set()
    await until(lambda: not hands.in_flight)
    assert (await row(database, slow))["status"] == "sent"


async def test_a_job_that_is_cut_off_keeps_no_hands(
    database: Any, double: Double
) -> None:
    hands = await courier(twilio(double), rules=replace(QUICK, parallel=8))
    double.answers_after = 0.3
    # A job for many waits until a quarter of the hands are free; one is, now.
    held = await put_in(*[text() for _ in range(7)])
    busy = [asyncio.create_task(hands.deliver(held))]
    await until(lambda: hands.in_flight == 7)
    more = await put_in(*[text() for _ in range(8)])
    waiting = asyncio.create_task(hands.deliver(more))
    await until(lambda: hands._free.locked())
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.gather(*busy)
    assert hands._free._value == 8
    await send_all(hands)
    assert len(double.messages) == 15


async def test_a_text_that_somebody_holds_does_not_hold_up_the_others(
    database: Any, double: Double, hands: Courier
) -> None:
    held, free = await put_in(text("held"), text("free"))
    async with database.transaction():
        await database.fetch("SELECT 1 FROM sms_message WHERE id = $1 FOR UPDATE", held)
        async with asyncio.timeout(5):
            assert await hands.deliver([held, free]) == 1
    assert [form["Body"] for form in double.forms] == ["free"]
    assert await hands.deliver([held, free]) == 1
