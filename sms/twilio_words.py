"""Twilio's words and its signature, for whoever hears from it without calling it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from twilio.request_validator import RequestValidator

from sms.status import Status

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "accepted": Status.SENT,
        "scheduled": Status.SENT,
        "queued": Status.SENT,
        "sending": Status.SENT,
        "sent": Status.SENT,
        "delivered": Status.DELIVERED,
        "read": Status.DELIVERED,
        "partially_delivered": Status.DELIVERED,
        "undelivered": Status.UNDELIVERED,
        "failed": Status.FAILED,
        "canceled": Status.FAILED,
    }
)
"""How far an outbound message is: Twilio's words for it, in ours."""


def is_signed(
    token: str, address: str, form: Mapping[str, Any], signature: str
) -> bool:
    """Whether Twilio signed this form for this address (X-Twilio-Signature)."""
    signed: bool = RequestValidator(token).validate(address, form, signature)
    return signed
