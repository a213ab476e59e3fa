"""What a bank or the public portal tells of money, signed; nothing else is believed.

The signature is HMAC-SHA256 over the time it was made, a dot and the body, and is good
for five minutes: what was heard on its way cannot be told again later. Told again
within that time, the same transaction is the same money.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from postal_track import payments
from postal_track.errors import NotAllowed, NotFound
from postal_track.orders import plain
from postal_track.payments import Booked, Credit
from postal_track.settings import settings

GOOD_FOR = timedelta(minutes=5)
LARGEST = 10_000_000_000
"""VND. Beyond it a feed speaks of something else."""


class Feed(StrEnum):
    """Who tells of money."""

    BANK = "bank"
    PORTAL = "portal"


_METHODS = {Feed.BANK: "transfer", Feed.PORTAL: "portal"}


def sign(secret: str, at: int, body: bytes) -> str:
    """Make the signature of a body at a time (seconds since 1970), in hex."""
    said = str(at).encode() + b"." + body
    return hmac.digest(secret.encode(), said, sha256).hex()


def verify(
    feed: Feed, at: str, signature: str, body: bytes, now: datetime | None = None
) -> None:
    """Make sure who speaks, and that he speaks now.

    Raises ``NotFound`` when no such feed is set up, and ``NotAllowed``.
    """
    chosen = settings()
    secrets = {
        Feed.BANK: chosen.BANK_FEED_SECRET,
        Feed.PORTAL: chosen.PORTAL_FEED_SECRET,
    }
    secret = secrets[feed]
    if not secret:
        raise NotFound
    if not (at.isascii() and at.isdigit() and len(at) <= 12 and signature.isascii()):
        raise NotAllowed
    right = sign(secret, int(at), body)
    if not hmac.compare_digest(right, signature.strip().lower()):
        raise NotAllowed
    moment = now or datetime.now(UTC)
    if abs(moment.timestamp() - int(at)) > GOOD_FOR.total_seconds():
        raise NotAllowed


@dataclass(frozen=True, slots=True)
class Told:
    """One transaction as a feed tells it. ``account``: where the money came in."""

    id: str
    amount: int
    at: datetime
    text: str
    account: str = ""
    currency: str = "VND"


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of it: ``booked`` or ``repeated``, or why it is no money of ours.

    ``refused``: "not_credit", "currency", "account", "differs" or empty. ``matched``:
    all of it found its dossier.
    """

    id: str
    result: str
    matched: bool = False
    refused: str = ""


async def hear(feed: Feed, told: Sequence[Told]) -> list[Heard]:
    """Write what a feed tells, whose signature was verified; answer each in order."""
    faults = [_fault(feed, each) for each in told]
    good = [each for each, fault in zip(told, faults, strict=True) if not fault]
    booked = iter(
        await payments.take_in([_credit(feed, each) for each in good]) if good else []
    )
    return [
        Heard(each.id, "refused", refused=fault)
        if fault
        else _heard(each.id, next(booked))
        for each, fault in zip(told, faults, strict=True)
    ]


def _fault(feed: Feed, told: Told) -> str:
    if not 0 < told.amount <= LARGEST:
        return "not_credit"  # a debit, or nothing
    if told.currency != "VND":
        return "currency"
    ours = settings().BANK_ACCOUNT
    if feed is Feed.BANK and ours and told.account not in ("", ours):
        return "account"
    return ""


def _credit(feed: Feed, told: Told) -> Credit:
    return Credit(
        method=_METHODS[feed],
        reference=told.id,
        amount=told.amount,
        at=told.at,
        via="feed",
        text=plain(told.text),
    )


def _heard(id: str, booked: Booked) -> Heard:
    if booked.differs:
        return Heard(id, "refused", refused="differs")
    return Heard(id, "booked" if booked.new else "repeated", booked.matched)
