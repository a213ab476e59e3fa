from __future__ import annotations

import itertools

import pytest

from sms.status import ARROWS, Status, advance

Q, S, T, D, U, F, X, P = (
    Status.QUEUED,
    Status.SENDING,
    Status.SENT,
    Status.DELIVERED,
    Status.UNDELIVERED,
    Status.FAILED,
    Status.EXPIRED,
    Status.SUPPRESSED,
)

GRAPH = {
    Q: {S, T, D, U, F, X, P},
    S: {Q, T, D, U, F, X, P},
    T: {D, U, F},
    D: set(),
    U: {D},
    F: {D},
    X: {T, D, U},
    P: set(),
}


def test_the_arrows_are_these_and_no_others() -> None:
    assert {old: set(new) for old, new in ARROWS.items()} == GRAPH


@pytest.mark.parametrize("old", Status)
@pytest.mark.parametrize("told", Status)
def test_a_word_told_twice_changes_nothing_the_second_time(
    old: Status, told: Status
) -> None:
    once = advance(old, told)
    assert advance(once, told) is once


@pytest.mark.parametrize("order", list(itertools.permutations([T, D])))
def test_receipts_in_any_order_end_delivered(order: tuple[Status, ...]) -> None:
    status = S
    for told in order:
        status = advance(status, told)
    assert status is D


@pytest.mark.parametrize("order", list(itertools.permutations([T, U, D])))
def test_the_phone_has_the_last_word(order: tuple[Status, ...]) -> None:
    status = S
    for told in order:
        status = advance(status, told)
    assert status is D


def test_a_late_word_does_not_take_a_step_back() -> None:
    assert advance(D, T) is D
    assert advance(D, U) is D
    assert advance(U, T) is U


def test_what_was_withdrawn_stays_withdrawn() -> None:
    assert {advance(P, told) for told in Status} == {P}
