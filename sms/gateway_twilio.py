"""Texts by Twilio, through its own SDK.

Facts from Twilio's OpenAPI (api v2010) and its guides on status callbacks and errors.
Its Messages resource has no idempotency key: after silence we ask for what was sent to
this number with this body. Does not know the outbox.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from sms.errors import GatewayError
from sms.gateways import Answer, Outgoing, callback
from sms.rules import AfterSilence
from sms.status import Status
from sms.twilio_words import STATUSES

API = "https://api.twilio.com"

# Our clock and Twilio's, which has whole seconds only, may differ by this much.
SKEW = timedelta(minutes=2)

# How far the list of what was sent to one number is read.
PAGE_SIZE = 100
MOST_READ = 1000

# Twilio keeps a text in its queue for at most ten hours; below five seconds it advises
# against any limit.
LONGEST_VALIDITY = 36_000
SHORTEST_VALIDITY = 5


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose texts they are and how Twilio is reached.

    Texts leave from `sender` or by `service`, the messaging service that picks one.
    `callbacks`: our public address; empty when receipts cannot reach us.
    """

    sid: str
    token: str
    sender: str = ""
    service: str = ""
    api: str = API
    callbacks: str = ""
    timeout: float = 10.0
    proxy: str = ""


class Twilio:
    """The gateway to Twilio. Belongs to the event loop it is first used on."""

    name = "twilio"
    after_silence = AfterSilence.ASK
    can_look = True

    def __init__(self, account: Account) -> None:
        self.account = account
        self._http = _Http(account)
        self._client = Client(account.sid, account.token, http_client=self._http)

    async def send(self, text: Outgoing) -> Answer:
        """Create a Message."""
        wanted: dict[str, Any] = {"to": text.recipient, "body": text.body}
        if self.account.service:
            wanted["messaging_service_sid"] = self.account.service
        if self.account.sender:
            wanted["from_"] = self.account.sender
        if address := callback(self.account.callbacks, self.name, text.id):
            wanted["status_callback"] = address
        if text.expires_at is not None:
            left = int((text.expires_at - datetime.now(UTC)).total_seconds())
            wanted["validity_period"] = max(
                SHORTEST_VALIDITY, min(left, LONGEST_VALIDITY)
            )
        return self._answer(await self._client.messages.create_async(**wanted))

    async def find(
        self, text: Outgoing, since: datetime, taken: Collection[str]
    ) -> Answer | None:
        """Look for this body among what was sent to this number since then.

        By number alone, newest first: `date_sent` is empty until a message leaves
        Twilio, so its filter would hide the very one that is looked for.
        """
        older = 0
        async for found in await self._client.messages.stream_async(
            to=text.recipient, page_size=PAGE_SIZE, limit=MOST_READ
        ):
            if found.date_created is None or found.date_created < since - SKEW:
                older += 1
                if older > PAGE_SIZE:
                    break
            elif (
                str(found.direction).startswith("outbound")
                # A trial account has words of its own put before ours.
                and str(found.body).endswith(text.body)
                and found.sid not in taken
            ):
                return self._answer(found)
        return None

    async def look(self, provider_id: str) -> Answer:
        """Fetch a Message."""
        return self._answer(await self._client.messages(provider_id).fetch_async())

    async def close(self) -> None:
        """Close the connections to Twilio."""
        await self._http.close()

    def _answer(self, found: Any) -> Answer:
        said = str(found.status)
        return Answer(
            provider_id=found.sid,
            status=STATUSES.get(said, Status.SENT),
            said=said,
            error_code=str(found.error_code or ""),
        )


class _Http(AsyncTwilioHttpClient):  # type: ignore[misc] # carries no types
    """The SDK's client with what it leaves out: base address, time-outs, proxy.

    Answers other than success are told as GatewayError here, where the headers are.
    """

    def __init__(self, account: Account) -> None:
        # Our own session is made on the loop that uses it, not by whoever builds us.
        super().__init__(pool_connections=False)
        self._ours: aiohttp.ClientSession | None = None
        self._account = account
        self._limits = aiohttp.ClientTimeout(
            total=account.timeout, sock_connect=min(5.0, account.timeout)
        )

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's signature
        allow_redirects: bool = False,
    ) -> Response:
        """Make one request, once."""
        if self._ours is None:
            self._ours = aiohttp.ClientSession(
                timeout=self._limits,
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with self._ours.request(
                method.upper(),
                self._account.api.rstrip("/") + url.removeprefix(API),
                params={name: str(one) for name, one in (params or {}).items()},
                data=data,
                headers={**(headers or {}), **_proof(auth)},
                allow_redirects=False,
                proxy=self._account.proxy or None,
            ) as answer:
                text = await answer.text()
                if answer.status >= 300:
                    raise _refused(answer.status, text, answer.headers)
                return Response(answer.status, text, answer.headers)
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientProxyConnectionError,
        ) as fault:
            # No connection, so nothing was said to anybody.
            raise GatewayError(
                f"Twilio is not reached: {fault}", code="busy"
            ) from fault
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            raise GatewayError(
                f"Twilio did not answer: {type(fault).__name__}", maybe_accepted=True
            ) from fault

    async def close(self) -> None:
        """Close the session, if there was one."""
        if self._ours is not None:
            await self._ours.close()
            self._ours = None


def _proof(auth: tuple[str, str] | None) -> dict[str, str]:
    """Write account and token as Basic authentication has them."""
    if auth is None:
        return {}
    pair = b64encode(":".join(auth).encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _refused(status: int, text: str, headers: Mapping[str, str]) -> GatewayError:
    """Read an answer that is no success.

    A 429 was not processed and is safe to send again. After a 5xx the message may
    exist all the same (error 20500: POSTs are not idempotent).
    """
    try:
        told = json.loads(text)
        code, message = str(told.get("code") or ""), str(told.get("message") or "")
    except (ValueError, AttributeError):
        code, message = "", ""
    try:
        wait: float | None = float(headers.get("Retry-After", ""))
    except ValueError:
        wait = None
    sentence = f"Twilio answered {status}: {message}"[:240]
    if status == 429:
        return GatewayError(sentence, code=code or "20429", retry_after=wait)
    if status >= 500:
        return GatewayError(sentence, code=code, retry_after=wait, maybe_accepted=True)
    if status in (401, 403):
        code = code or "account"
    return GatewayError(sentence, permanent=True, code=code or "text")
