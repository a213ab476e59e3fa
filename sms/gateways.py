"""What a gateway is: the way by which texts leave the house.

Each lives in a file of its own, `sms/gateway_<name>.py`, and keeps this contract.
Adding one is such a file, a test, and its name in the settings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from sms.rules import AfterSilence
from sms.status import Status


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text as it is handed to a gateway. `id`: the outbox row, ours for ever."""

    id: int
    recipient: str
    body: str
    template: str
    version: int
    language: str
    params: Mapping[str, str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gateway has of a text: its own id for it, and how far it is.

    `said`: the status in the gateway's own word.
    """

    provider_id: str
    status: Status = Status.SENT
    said: str = ""
    error_code: str = ""


class Gateway(Protocol):
    """A way out. All calls raise `sms.errors.GatewayError` and nothing else."""

    @property
    def name(self) -> str:
        """The name in the settings and in the outbox, at most 12 characters."""

    @property
    def after_silence(self) -> AfterSilence:
        """What may be done when a call of `send` was not answered."""

    @property
    def can_look(self) -> bool:
        """Whether `look` can say what became of a text."""

    async def send(self, text: Outgoing) -> Answer:
        """Hand a text over, once; never repeat it inside."""

    async def find(
        self, text: Outgoing, since: datetime, taken: Collection[str]
    ) -> Answer | None:
        """Say whether this text was accepted since then; `taken` are other texts'."""

    async def look(self, provider_id: str) -> Answer:
        """Say how far a text is that the gateway has accepted."""

    async def close(self) -> None:
        """Let connections go."""


def callback(base: str, gateway: str, message: int) -> str:
    """Return where a gateway sends the receipts of a text; empty when it cannot.

    The outbox id is in the address: a receipt thus names the text even when the answer
    to its sending was lost. Twilio takes no host with an underscore or without a dot.
    """
    host = urlsplit(base).hostname or ""
    if not re.fullmatch(r"[a-zA-Z0-9.-]*[.][a-zA-Z0-9-]+", host):
        return ""
    return f"{base}/sms/receipts/{gateway}/{message}"
