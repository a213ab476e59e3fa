"""Texts, numbers and couriers that the tests of sending share."""

from __future__ import annotations

import asyncio
import itertools
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Any

from postal_track.database import transaction
from sms.delivery import Courier
from sms.gateway_twilio import Account, Twilio
from sms.gateways import Gateway
from sms.outbox import Text, put
from sms.rules import Rules
from tests.twilio_double import ACCOUNT, SENDER, TOKEN, Double

AN, BINH, CUC = "+84912345678", "+84987654321", "+84356789012"

# Nothing waits longer than a test may, and it is never night.
QUICK = Rules(
    night_starts=time(0),
    night_ends=time(0),
    gap=0,
    rate=0,
    timeout=5.0,
    settle=0.1,
    horizon=0.5,
    first_wait=0.1,
    longest_wait=0.5,
    looks=(),
    prices={"twilio": 1800},
)

_numbers = itertools.count(1)


def text(body: str = "Ho so DH473124829VN da den.", **changes: Any) -> Text:
    """A text to An, of its own key."""
    return replace(
        Text(
            key=f"test:{next(_numbers)}",
            recipient=AN,
            template="S03_agency",
            version=1,
            language="vi",
            params={"code": "DH473124829VN"},
            body=body,
        ),
        **changes,
    )


async def put_in(*texts: Text) -> list[int]:
    """Put texts into the outbox and commit."""
    async with transaction() as connection:
        return await put(connection, texts)


def twilio(double: Double, **changes: Any) -> Twilio:
    """The gateway to the double."""
    account = Account(
        sid=ACCOUNT,
        token=TOKEN,
        sender=SENDER,
        api=double.address,
        callbacks="http://127.0.0.1:1",
        timeout=QUICK.timeout,
    )
    opened.append(Twilio(replace(account, **changes)))
    return opened[-1]


opened: list[Twilio] = []


async def close_all() -> None:
    """Close every gateway that a test has opened, passed or failed."""
    while opened:
        await opened.pop().close()


async def courier(
    *gateways: Gateway, rules: Rules = QUICK, now: Callable[[], datetime] | None = None
) -> Courier:
    """A worker's hands, with lines to these gateways."""
    one = Courier(transaction, list(gateways), rules, clock=now)
    await one.open_lines()
    return one


async def until(
    condition: Callable[[], Any], patience: float = 60.0, every: float = 0.01
) -> None:
    """Wait until it holds; fail when it does not in time."""
    deadline = clock.monotonic() + patience
    while True:
        held = condition()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert clock.monotonic() < deadline, "it never came about"
        await asyncio.sleep(every)


async def send_all(hands: Courier, patience: float = 15.0) -> None:
    """Sweep until every text has left the outbox or ended."""

    async def done() -> bool:
        await hands.sweep()
        if hands.in_flight:
            return False
        async with transaction() as connection:
            left: int = await connection.fetchval(
                """
                SELECT count(*) FROM sms_message
                WHERE status IN ('queued', 'sending') OR unsure
                """
            )
        return left == 0

    await until(done, patience)


async def sweep_once(hands: Courier) -> int:
    """Sweep, and wait for what that took up."""
    taken = await hands.sweep()
    await until(lambda: not hands.in_flight)
    return taken


async def row(connection: Any, message: int) -> Any:
    """Return a row of the outbox."""
    return await connection.fetchrow("SELECT * FROM sms_message WHERE id = $1", message)


async def outcomes_of(connection: Any, message: int) -> Sequence[str]:
    """Return what became of each attempt, in order."""
    rows = await connection.fetch(
        "SELECT outcome FROM sms_attempt WHERE message = $1 ORDER BY number", message
    )
    return [one["outcome"] for one in rows]
