"""The demo's money: cash at doors, transfers that match and some that do not.

By the same code paths as real money. Made-up amounts; no account is named.
"""

import random
from datetime import datetime, timedelta
from uuid import UUID

from postal_track import cash, charges, payments
from postal_track.cash import Taken
from postal_track.payments import Credit
from postal_track.staff import Actor

POSTAGE = (26_000, 31_500)
"""VND for a dossier's way to the agency, by turns."""


async def at_the_door(
    waybill: str, carrier: Actor, clerk: Actor, chance: random.Random, at: datetime
) -> None:
    """Pay what is owed, as citizens do: in cash, by transfer, or not yet."""
    told = await charges.account(waybill, clerk)
    if not told.open:
        return
    way = chance.random()
    id = UUID(int=chance.getrandbits(128), version=4)
    if way < 0.45:
        await cash.take([Taken(id, waybill, told.open, at)], carrier)
    elif way < 0.8:
        text = f"MBVCB.{chance.randrange(10**9)}.{told.reference.lower()}.CT tu 0071"
        await _transfer(f"FT{id.hex[:12].upper()}", told.open, text, at)


async def _transfer(reference: str, amount: int, text: str, at: datetime) -> None:
    credit = Credit(
        method="transfer",
        reference=reference,
        amount=amount,
        at=at,
        via="feed",
        text=text,
    )
    await payments.take_in([credit])


async def leave_something_to_do(
    carrier: Actor, colleague: Actor, clerk: Actor, chance: random.Random, now: datetime
) -> None:
    """Leave money that nobody could place, a heap to count and one that differs."""
    ago = now - timedelta(hours=3)
    await _transfer("FTDEMO0001", 81_500, "chuyen tien ho so cho me", ago)
    await _transfer("FTDEMO0002", 12_000, "tra tien ca phe", ago)
    for who, short in ((carrier, 0), (colleague, 10_000)):
        holds = await cash.total(who)
        if holds <= short:
            continue
        id = UUID(int=chance.getrandbits(128), version=4)
        await cash.release(id, holds, who)
        if short:
            await cash.count(id, who.staff, holds - short, clerk)
            await cash.explain(id, "Thiếu một tờ 10.000", clerk)
