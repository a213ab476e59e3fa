from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sms.rules import (
    AfterSilence,
    Ask,
    Candidate,
    End,
    Look,
    Rest,
    Rules,
    Send,
    Verdict,
    Wait,
    Way,
    judge,
)
from sms.status import UNSENT, Status

CODE = frozenset({"code"})
RULES = Rules(at_night=CODE, uncapped=CODE, anyway=CODE, cap=3, gap=5)
NOON = datetime(2026, 11, 23, 5, tzinfo=UTC)  # 12:00 in Vietnam
EVENING = datetime(2026, 11, 23, 14, tzinfo=UTC)  # 21:00
SMALL_HOURS = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)  # 02:30
SEVEN = datetime(2026, 11, 24, 0, tzinfo=UTC)  # 07:00 the next day
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

FIRST = Way("first", AfterSilence.ASK, True, LONG_AGO, LONG_AGO)
SECOND = Way("second", AfterSilence.REPEAT, False, LONG_AGO, LONG_AGO)
DUMB = Way("dumb", AfterSilence.CALL, False, LONG_AGO, LONG_AGO)


def resting(way: Way, until: datetime) -> Way:
    return Way(way.name, way.after_silence, way.can_look, until, way.next_at)


def due(now: datetime = NOON, **facts: Any) -> Candidate:
    usual: dict[str, Any] = {
        "id": 1,
        "status": Status.QUEUED,
        "recipient": "+84912345678",
        "template": "note",
        "unsure": False,
        "gateway": None,
        "avoid": (),
        "began": now - timedelta(minutes=1),
        "expires_at": None,
        "tried_at": None,
        "error_code": "",
        "opted_out": False,
        "mark": "",
        "told_today": 0,
        "last_told": None,
    }
    return Candidate(**(usual | facts))


def at(now: datetime, *ways: Way, **facts: Any) -> Verdict:
    return judge(due(now, **facts), ways or (FIRST, SECOND), RULES, now)


def test_by_day_a_text_goes_by_the_first_gateway() -> None:
    assert at(NOON) == Send("first")


def test_nothing_goes_between_nine_and_seven_but_codes() -> None:
    assert at(EVENING - timedelta(seconds=1)) == Send("first")
    assert at(EVENING) == Wait(SEVEN, held=True)
    assert at(SMALL_HOURS) == Wait(SEVEN - timedelta(days=1), held=True)
    assert at(SEVEN - timedelta(seconds=1)) == Wait(SEVEN, held=True)
    assert at(SEVEN) == Send("first")
    assert at(EVENING, template="code") == Send("first")


def test_a_text_that_is_no_longer_true_ends() -> None:
    over = {"expires_at": NOON}
    assert at(NOON, **over) == End(Status.EXPIRED, "expired")
    assert at(NOON, template="code", **over) == End(Status.EXPIRED, "expired")


def test_a_wish_and_a_mark_are_kept() -> None:
    assert at(NOON, opted_out=True) == End(Status.SUPPRESSED, "opted_out")
    assert at(NOON, opted_out=True, template="code") == Send("first")
    assert at(NOON, mark="21614") == End(Status.FAILED, "21614")
    assert at(NOON, recipient="") == End(Status.FAILED, "bad_number")


def test_the_cap_of_a_day_holds_a_text_until_the_next_morning() -> None:
    assert at(NOON, told_today=2) == Send("first")
    assert at(NOON, told_today=3) == Wait(SEVEN, held=True)
    assert at(NOON, told_today=3, template="code") == Send("first")


def test_two_texts_to_one_number_keep_their_distance() -> None:
    last = NOON - timedelta(seconds=4)
    assert at(NOON, last_told=last) == Wait(last + timedelta(seconds=5))
    assert at(NOON, last_told=NOON - timedelta(seconds=5)) == Send("first")


def test_a_gateway_that_rests_is_passed_over() -> None:
    later = NOON + timedelta(seconds=30)
    assert at(NOON, resting(FIRST, later), SECOND) == Send("second")
    assert at(NOON, resting(FIRST, later)) == Wait(later)
    assert at(NOON, FIRST, SECOND, avoid=("first",)) == Send("second")
    assert at(NOON, FIRST, avoid=("first",), error_code="30007") == End(
        Status.FAILED, "30007"
    )


def silent(**facts: Any) -> dict[str, Any]:
    usual = {
        "status": Status.SENDING,
        "unsure": True,
        "gateway": "first",
        "tried_at": NOON - timedelta(minutes=1),
    }
    return usual | facts


def test_after_silence_the_same_gateway_is_asked_before_anything_is_sent() -> None:
    assert at(NOON, **silent()) == Ask("first")
    assert at(NOON, SECOND, FIRST, **silent()) == Ask("first")


def test_after_silence_no_rule_sends_a_text_by_another_gateway() -> None:
    later = NOON + timedelta(minutes=5)
    assert at(NOON, resting(FIRST, later), SECOND, **silent()) == Wait(later)


def test_even_a_text_that_has_expired_or_that_nobody_wants_is_asked_about() -> None:
    assert at(NOON, **silent(expires_at=NOON, opted_out=True)) == Ask("first")


def test_what_nobody_can_answer_ends_with_a_call() -> None:
    unknown = End(Status.EXPIRED, "not_known")
    assert at(NOON, DUMB, **silent(gateway="dumb")) == unknown
    assert at(NOON, SECOND, **silent()) == unknown
    late = silent(tried_at=NOON - timedelta(hours=25))
    assert at(NOON, **late) == unknown


def test_a_gateway_that_takes_a_text_once_is_given_it_again() -> None:
    assert at(NOON, **silent(gateway="second")) == Send("second")
    assert at(EVENING, **silent(gateway="second", tried_at=EVENING)) == Wait(
        SEVEN, held=True
    )
    over = silent(gateway="second", expires_at=NOON)
    assert at(NOON, **over) == End(Status.EXPIRED, "not_known")


def test_a_text_without_a_receipt_is_looked_up_where_that_can_be() -> None:
    assert at(EVENING, status=Status.SENT, gateway="first") == Look("first")
    assert at(NOON, status=Status.SENT, gateway="second") == Rest()
    assert at(NOON, status=Status.SENT, gateway="gone") == Rest()


@pytest.mark.parametrize("status", sorted(set(Status) - UNSENT - {Status.SENT}))
def test_what_has_ended_is_never_sent_again(status: Status) -> None:
    assert at(NOON, status=status, gateway="first") == Rest()
    assert at(NOON, status=status, gateway="second", unsure=True) == Rest()


def test_nothing_is_tried_for_ever() -> None:
    old = {"began": NOON - timedelta(hours=25)}
    assert at(NOON, **old) == End(Status.FAILED, "gave_up")
    assert at(NOON, **old, error_code="20429") == End(Status.FAILED, "20429")


@pytest.mark.parametrize("tries", range(1, 20))
def test_waiting_grows_is_jittered_and_has_an_end(tries: int) -> None:
    waits = {RULES.back_off(tries) for _ in range(50)}
    longest = min(RULES.longest_wait, RULES.first_wait * 2 ** (tries - 1))
    assert len(waits) > 1
    assert all(longest / 2 <= wait <= longest for wait in waits)
    assert RULES.back_off(tries, at_least=10_000) == 10_000


def test_a_lease_outlives_the_call_it_is_for() -> None:
    assert RULES.lease > RULES.horizon + RULES.timeout
