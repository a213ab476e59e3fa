"""Texts under a registered brand name, by a Vietnamese aggregator over plain HTTP.

Aggregators take the number of a registered template and its parameters, not a body, and
know a text by the request id that its sender gave: the same id is taken once. Ours is
the outbox id. The names in the JSON are this file's; an aggregator that wants others is
another file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import httpx

from sms.errors import GatewayError
from sms.gateways import Answer, Outgoing, callback
from sms.rules import AfterSilence
from sms.status import Status

STATUSES: Mapping[str, Status] = MappingProxyType(
    {
        "queued": Status.SENT,
        "sent": Status.SENT,
        "delivered": Status.DELIVERED,
        "undelivered": Status.UNDELIVERED,
        "failed": Status.FAILED,
    }
)

CODES: Mapping[str, str] = MappingProxyType(
    {
        "invalid_phone": "bad_number",
        "not_mobile": "not_mobile",
        "blacklisted": "blocked",
        "unknown_template": "no_template",
        "template_mismatch": "text",
        "unauthorized": "account",
        "no_balance": "account",
        "rate_limited": "busy",
    }
)
"""The aggregator's words for a refusal, in those of `sms.refusals`."""

TAKEN, REPEATED = "accepted", "duplicate_request"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What was agreed with the aggregator.

    `templates`: the aggregator's number for each of ours, by "name.version.language".
    `secret`: signs the address that receipts come to, since aggregators do not sign.
    """

    url: str
    user: str
    password: str
    brand: str
    templates: Mapping[str, str] = field(default_factory=dict)
    callbacks: str = ""
    secret: bytes = b""
    timeout: float = 10.0
    proxy: str = ""


class Brandname:
    """The gateway to an aggregator. Belongs to the event loop it is first used on."""

    name = "brandname"
    # The same request id is taken once, however often it is sent.
    after_silence = AfterSilence.REPEAT
    can_look = True

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._ours: httpx.AsyncClient | None = None

    async def send(self, text: Outgoing) -> Answer:
        """Ask for a registered text with these parameters."""
        registered = f"{text.template}.{text.version}.{text.language}"
        number = self.contract.templates.get(registered)
        if number is None:
            raise GatewayError(
                f"{registered} is not registered", permanent=True, code="no_template"
            )
        wanted: dict[str, Any] = {
            "requestId": str(text.id),
            "brandname": self.contract.brand,
            "phone": text.recipient.removeprefix("+"),
            "templateId": number,
            "params": dict(text.params),
        }
        if address := callback(self.contract.callbacks, self.name, text.id):
            wanted["callbackUrl"] = f"{address}/{tag(self.contract.secret, text.id)}"
        told = await self._request("POST", "/messages", json=wanted)
        code = str(told.get("code", ""))
        if code not in (TAKEN, REPEATED):
            raise _refused(code, str(told.get("message", "")))
        return Answer(str(told.get("messageId") or text.id), Status.SENT, code)

    async def find(
        self, text: Outgoing, since: datetime, taken: Collection[str]
    ) -> Answer | None:
        """Say nothing: a text is repeated under its request id instead."""
        return None

    async def look(self, provider_id: str) -> Answer:
        """Ask how far a text is."""
        told = await self._request("GET", f"/messages/{provider_id}")
        said = str(told.get("status", ""))
        error = str(told.get("error") or "")
        return Answer(
            provider_id, STATUSES.get(said, Status.SENT), said, CODES.get(error, error)
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._ours is not None:
            await self._ours.aclose()
            self._ours = None

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        if self._ours is None:
            self._ours = httpx.AsyncClient(
                base_url=self.contract.url,
                auth=(self.contract.user, self.contract.password),
                timeout=self.contract.timeout,
                proxy=self.contract.proxy or None,
                limits=httpx.Limits(max_connections=None),
            )
        try:
            answer = await self._ours.request(method, path, **options)
        except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
            raise GatewayError(
                f"The aggregator is not reached: {fault}", code="busy"
            ) from fault
        except httpx.HTTPError as fault:
            raise GatewayError(
                f"The aggregator did not answer: {type(fault).__name__}",
                maybe_accepted=True,
            ) from fault
        return _read(answer)


def tag(secret: bytes, message: int) -> str:
    """Return the word that proves that an address for receipts came from us."""
    proof = hmac.digest(secret, f"sms receipt {message}".encode(), hashlib.sha256)
    return proof.hex()[:32]


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        told = {}
    if answer.status_code >= 500 or not isinstance(told, dict):
        raise GatewayError(
            f"The aggregator answered {answer.status_code}", maybe_accepted=True
        )
    if answer.status_code == 429:
        wait = answer.headers.get("Retry-After", "")
        raise GatewayError(
            "The aggregator is busy",
            code="busy",
            retry_after=float(wait) if wait.isdigit() else None,
        )
    if answer.status_code in (401, 403):
        raise GatewayError(
            f"The aggregator answered {answer.status_code}",
            permanent=True,
            code="account",
        )
    return told


def _refused(code: str, message: str) -> GatewayError:
    meant = CODES.get(code, "text")
    return GatewayError(
        f"The aggregator refused: {code} {message}"[:240],
        permanent=meant != "busy",
        code=meant,
    )
