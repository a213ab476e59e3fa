"""A small HTTP server that plays Twilio, and misbehaves on order.

It holds requests against what Twilio publishes in its OpenAPI document (api v2010,
`CreateMessage`, `ListMessage`, `FetchMessage`): path, Basic auth, form fields and their
shapes. It keeps every message it accepted, which is what tests count.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "the-token-of-the-double"
SENDER = "+15005550006"

NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")
SENDER_ID = re.compile(r"\+[1-9][0-9]{4,14}|[A-Za-z0-9 ]{1,11}")
SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")

# The form fields of CreateMessage; the values are checked for those we use.
CREATE: dict[str, Callable[[str], object]] = {
    "To": NUMBER.fullmatch,
    "From": SENDER_ID.fullmatch,
    "MessagingServiceSid": SERVICE.fullmatch,
    "Body": lambda value: 0 < len(value) <= 1600,
    "StatusCallback": lambda value: _is_address(value),
    "ValidityPeriod": lambda value: value.isdecimal() and 1 <= int(value) <= 36_000,
}
# Query fields of ListMessage.
LIST = {"To", "From", "DateSent", "DateSent<", "DateSent>", "PageSize", "Page"}
LIST |= {"PageToken"}


def _is_address(value: str) -> bool:
    parts = urlsplit(value)
    host = parts.hostname or ""
    return parts.scheme in ("http", "https") and "." in host and "_" not in host


@dataclass
class Message:
    """A message that was accepted."""

    sid: str
    to: str
    sender: str
    body: str
    callback: str
    created: datetime
    status: str = "queued"
    error_code: int | None = None

    def json(self) -> dict[str, object]:
        """Return the resource as `api.v2010.account.message` has it."""
        sent = None if self.status in ("queued", "accepted") else self.created
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{self.sid}"
        return {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": format_datetime(self.created),
            "date_sent": format_datetime(sent) if sent else None,
            "date_updated": format_datetime(self.created),
            "direction": "outbound-api",
            "error_code": self.error_code,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


@dataclass(frozen=True)
class Manner:
    """How one request to send is treated.

    `accept`: the message is taken. `after`: seconds until the answer; `once`: what the
    answer waits for. `drop`: the connection is cut in place of an answer. `status`,
    `code`: the answer, if no 201.
    """

    accept: bool = True
    after: float = 0.0
    once: asyncio.Event | None = None
    drop: bool = False
    status: int = 201
    code: int = 0
    retry_after: int | None = None


WELL = Manner()
TAKES_AND_DROPS = Manner(drop=True)
DROPS = Manner(accept=False, drop=True)
TAKES_AND_FAILS = Manner(status=500, code=20500)
FAILS = Manner(accept=False, status=500, code=20500)


def refuses(status: int, code: int, retry_after: int | None = None) -> Manner:
    """Answer with this error and take nothing."""
    return Manner(accept=False, status=status, code=code, retry_after=retry_after)


@dataclass
class Double:
    """The server. `manners`: for the next requests, one each; then `manner` decides.

    `took` is called for every message that is accepted.
    """

    manners: list[Manner] = field(default_factory=list)
    manner: Callable[[], Manner] = lambda: WELL
    receipts: Sequence[str] = ()
    answers_after: float = 0.0
    lists: bool = True
    took: Callable[[], None] = lambda: None
    messages: dict[str, Message] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    forms: list[dict[str, str]] = field(default_factory=list)
    address: str = ""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Double:
        app = web.Application()
        base = f"/2010-04-01/Accounts/{ACCOUNT}"
        app.router.add_post(f"{base}/Messages.json", self._create)
        app.router.add_get(f"{base}/Messages.json", self._list)
        app.router.add_get(f"{base}/Messages/{{sid}}.json", self._fetch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{port}"
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()
        await self._runner.cleanup()

    def count(self) -> Counter[tuple[str, str]]:
        """Count what was accepted, by number and body."""
        return Counter((one.to, one.body) for one in self.messages.values())

    async def tell(self, sid: str, status: str, error_code: int | None = None) -> int:
        """Send a status callback for a message; return how it was answered."""
        message = self.messages[sid]
        message.status, message.error_code = status, error_code
        form = {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "From": message.sender,
            "MessageSid": sid,
            "MessageStatus": status,
            "SmsSid": sid,
            "SmsStatus": status,
            "To": message.to,
        }
        if error_code is not None:
            form["ErrorCode"] = str(error_code)
        if status in ("delivered", "undelivered"):
            form["RawDlrDoneDate"] = f"{datetime.now(UTC):%y%m%d%H%M}"
        return await self.post(message.callback, form)

    async def post(
        self, address: str, form: dict[str, str], signature: str | None = None
    ) -> int:
        """Post a form the way Twilio does, signed."""
        signed = signature or RequestValidator(TOKEN).compute_signature(address, form)
        async with self._session.post(
            address, data=form, headers={"X-Twilio-Signature": signed}
        ) as answer:
            return answer.status

    async def _create(self, request: web.Request) -> web.StreamResponse:
        self.requests["create"] += 1
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if wrong := self._wrong(request) or self._wrong_form(request, form):
            return self._refuse(400, wrong[1], wrong[0])
        how = self.manners.pop(0) if self.manners else self.manner()
        # Taken or not is decided at once; a caller who goes away changes nothing.
        message = self._accept(form) if how.accept else None
        await asyncio.sleep(how.after or self.answers_after)
        if how.once:
            await how.once.wait()
        if how.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if how.status != 201 or message is None:
            return self._refuse(how.status, how.code, "on order", how.retry_after)
        return web.json_response(message.json(), status=201)

    def _accept(self, form: dict[str, str]) -> Message:
        message = Message(
            sid="SM" + secrets.token_hex(16),
            to=form["To"],
            sender=form.get("From", SENDER),
            body=form["Body"],
            callback=form.get("StatusCallback", ""),
            created=datetime.now(UTC),
            status="accepted" if "MessagingServiceSid" in form else "queued",
        )
        self.messages[message.sid] = message
        self.took()
        if self.receipts and message.callback:
            task = asyncio.create_task(self._tell_all(message.sid))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return message

    async def _tell_all(self, sid: str) -> None:
        for status in self.receipts:
            await self.tell(sid, status)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.requests["list"] += 1
        if wrong := self._wrong(request):
            return self._refuse(400, wrong[1], wrong[0])
        if unknown := set(request.query) - LIST:
            return self._fault(f"unknown query fields {sorted(unknown)}")
        if not self.lists:
            return self._refuse(503, 20503, "on order")
        wanted = request.query.get("To")
        found = [
            one
            for one in reversed(self.messages.values())
            if wanted is None or one.to == wanted
        ]
        size, page = (
            int(request.query.get(name, default))
            for name, default in (("PageSize", 50), ("Page", 0))
        )
        if not 1 <= size <= 1000:
            return self._fault("PageSize must be from 1 to 1000")
        more = len(found) > (page + 1) * size
        query = urlencode({**request.query, "Page": page + 1, "PageToken": "PAx"})
        return web.json_response(
            {
                "messages": [
                    one.json() for one in found[page * size : (page + 1) * size]
                ],
                "next_page_uri": f"{request.path}?{query}" if more else None,
                "page": page,
                "page_size": size,
                "uri": request.path_qs,
            }
        )

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        self.requests["fetch"] += 1
        if wrong := self._wrong(request):
            return self._refuse(400, wrong[1], wrong[0])
        message = self.messages.get(request.match_info["sid"])
        if message is None:
            return self._refuse(404, 20404, "not found")
        return web.json_response(message.json())

    def _wrong(self, request: web.Request) -> tuple[str, int] | None:
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            self.faults.append("no Basic auth with account and token")
            return "Authenticate", 20003
        return None

    def _wrong_form(
        self, request: web.Request, form: dict[str, str]
    ) -> tuple[str, int] | None:
        faults = []
        if request.content_type != "application/x-www-form-urlencoded":
            faults.append(f"content type {request.content_type}")
        for name, value in form.items():
            if name not in CREATE:
                faults.append(f"unknown or unused field {name}")
            elif not CREATE[name](value):
                faults.append(f"{name} is wrong: {value!r}")
        if "To" not in form:
            faults.append("To is required")
        if "Body" not in form:
            faults.append("Body is required without MediaUrl or ContentSid")
        if not {"From", "MessagingServiceSid"} & set(form):
            faults.append("From or MessagingServiceSid is required")
        self.faults += faults
        return ("; ".join(faults), 21604) if faults else None

    def _fault(self, sentence: str) -> web.Response:
        self.faults.append(sentence)
        return self._refuse(400, 20001, sentence)

    def _refuse(
        self, status: int, code: int, sentence: str, retry_after: int | None = None
    ) -> web.Response:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return web.json_response(
            {
                "code": code,
                "message": sentence,
                "more_info": f"https://www.twilio.com/docs/errors/{code}",
                "status": status,
            },
            status=status,
            headers=headers,
        )
