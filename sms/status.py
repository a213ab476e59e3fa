"""What has become of a text.

A state machine that takes a provider's word twice, late and out of order. Pure: no
clock, no table, no provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """Where a text stands; each with where it may go from there."""

    QUEUED = "queued"  # -> sending, expired, suppressed; any word of a provider
    SENDING = "sending"  # -> sent, failed, expired, or back to queued if not accepted
    SENT = "sent"  # a gateway answers for it -> delivered, undelivered, failed
    DELIVERED = "delivered"  # nothing follows
    UNDELIVERED = "undelivered"  # -> delivered: the phone itself has the last word
    FAILED = "failed"  # -> what a receipt proves after all
    EXPIRED = "expired"  # no longer true -> what a receipt proves after all
    SUPPRESSED = "suppressed"  # not wanted, or withdrawn in time; nothing follows


ARROWS: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.QUEUED: frozenset(Status) - {Status.QUEUED},
        Status.SENDING: frozenset(Status) - {Status.SENDING},
        Status.SENT: frozenset({Status.DELIVERED, Status.UNDELIVERED, Status.FAILED}),
        Status.DELIVERED: frozenset(),
        Status.UNDELIVERED: frozenset({Status.DELIVERED}),
        # We gave up without knowing; a receipt knows.
        Status.FAILED: frozenset({Status.DELIVERED}),
        Status.EXPIRED: frozenset({Status.SENT, Status.DELIVERED, Status.UNDELIVERED}),
        Status.SUPPRESSED: frozenset(),
    }
)

UNSENT = frozenset({Status.QUEUED, Status.SENDING})
"""Somebody still has to do something."""

MISSED = frozenset({Status.UNDELIVERED, Status.FAILED})
"""The citizen was not told, as far as anybody knows."""


def advance(old: Status, reported: Status) -> Status:
    """Return where a text stands after a report; what cannot follow changes nothing.

    Reports come twice, late and in any order, so a step back is no error.
    """
    return reported if reported in ARROWS[old] else old
