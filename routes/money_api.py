"""Money as programs tell it: a phone its cash, a bank or the portal what came in.

Parses and answers; what follows is `postal_track`'s to say.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.dto import AbstractDTO
from litestar.exceptions import ClientException
from litestar.openapi.spec import Reference, Schema
from litestar.params import Body, FromPath, HeaderParameter, Parameter
from litestar.typing import FieldDefinition
from msgspec import Meta

from postal_track import cash, feeds, holding
from postal_track.cash import Answer, Taken
from postal_track.errors import (
    DeviceSignedOut,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    TooManyScans,
    UnknownWaybill,
)
from postal_track.feeds import Feed, Told
from postal_track.settings import settings
from postal_track.staff import Actor
from routes.guards import logged_in
from routes.language import language
from routes.openapi import answers, example, refuses
from routes.payloads import Aware, sentence

StaffRequest = Request[Actor, str, Any]

MOST_TOLD = 500
"""Transactions of one call of a feed."""


class CashIn(msgspec.Struct, forbid_unknown_fields=True):
    """Cash that was taken for an item. ``id`` is the device's own: twice is once."""

    id: UUID
    code: Annotated[str, Meta(min_length=1, max_length=300)]
    amount: Annotated[int, Meta(gt=0, le=cash.LARGEST)]
    at: Aware


class CashList(msgspec.Struct, forbid_unknown_fields=True):
    """Cash that somebody took, at one door or during a day without signal."""

    taken: list[CashIn]


class CashOut(msgspec.Struct, omit_defaults=True):
    """What became of it. ``over``: VND for which nothing was owed, to be given back."""

    id: UUID
    result: Literal["recorded", "repeated", "refused"]
    over: int = 0
    error: str | None = None
    detail: str | None = None


class CashAnswers(msgspec.Struct):
    """The answers to a list, in its order, and all the cash one holds now."""

    outcomes: list[CashOut]
    holds: int


_ID = UUID("0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c21")
_AT = datetime(2026, 11, 23, 2, 14, 58, tzinfo=UTC)


@post(
    "/api/cash",
    status_code=200,
    summary="Tell of cash",
    description=(
        "Cash that was taken at a door; one or many, answered one by one in the same "
        "order. Safe to repeat: it is written once for its id. Beside a scan it may "
        "travel as the scan's `cash` instead. What was taken is written even when "
        "nothing was owed; `over` then says how much is to be given back."
    ),
    tags=["Money"],
    guards=[logged_in],
    responses=answers(
        200,
        CashAnswers,
        CashAnswers([CashOut(_ID, "recorded")], 81_500),
        "An outcome for each, in their order",
    )
    | refuses(
        400,
        NotLoggedIn(),
        DeviceSignedOut(),
        TooManyScans(found=10_000, limit=500),
        413,
    ),
)
async def tell_cash(
    request: StaffRequest,
    data: Annotated[
        CashList,
        Body(examples=[example(CashList([CashIn(_ID, "DH123456785VN", 81_500, _AT)]))]),
    ],
) -> CashAnswers:
    """Write cash down; answer each."""
    limit = settings().MAX_SCANS_PER_LIST
    if len(data.taken) > limit:
        raise TooManyScans(found=len(data.taken), limit=limit)
    taken = [Taken(each.id, each.code, each.amount, each.at) for each in data.taken]
    told = await cash.take(taken, request.user)
    lang = language(request)
    holds = await cash.total(request.user)
    return CashAnswers([_told(each, lang) for each in told], holds)


def _told(answer: Answer, lang: str) -> CashOut:
    if answer.error is not None:
        name = type(answer.error).__name__
        detail = sentence(answer.error, lang)
        return CashOut(answer.id, "refused", error=name, detail=detail)
    return CashOut(answer.id, "recorded" if answer.new else "repeated", answer.over)


class OwedOut(msgspec.Struct):
    """What is still to be paid when an item changes hands."""

    open: int
    paid: bool


@get(
    "/api/owed",
    summary="What is still to be paid",
    description=(
        "For whoever stands at a door and waits for a transfer to arrive: the amount "
        "that is still open, and whether all was paid. Custody never waits for it."
    ),
    tags=["Money"],
    guards=[logged_in],
    responses=answers(200, OwedOut, OwedOut(0, True), "What is open now")
    | refuses(400, NotLoggedIn(), DeviceSignedOut(), UnknownWaybill("DH123456785VN")),
)
async def tell_owed(
    request: StaffRequest,
    code: Annotated[
        str,
        Parameter(
            min_length=1,
            max_length=300,
            description="As it was read or typed.",
            examples=[example("DH 1234 5678 5 VN")],
        ),
    ],
) -> OwedOut:
    """Say what is still open."""
    sight = await holding.understand(code, request.user)
    return OwedOut(sight.fee, sight.charged and not sight.fee)


class TransactionIn(msgspec.Struct):
    """One transaction. ``id`` is the bank's or portal's own: twice is once.

    ``text`` is the transfer's, as it came; ``account`` where the money came in.
    """

    id: Annotated[str, Meta(min_length=1, max_length=80)]
    amount: int
    at: Aware
    text: Annotated[str, Meta(max_length=1000)] = ""
    account: Annotated[str, Meta(max_length=40)] = ""
    currency: Annotated[str, Meta(max_length=3)] = "VND"


class TransactionList(msgspec.Struct):
    """What came in since the last call, or again."""

    transactions: list[TransactionIn]


class Unread(TransactionList):
    """A call as it came. Nothing in it is looked at before its signature."""

    body: bytes = b""


class ByHand(AbstractDTO[TransactionList]):
    """Hands the body on as it was signed, letter by letter."""

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Generate nothing: the structs are what travels."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        """Describe the call as it is declared."""
        described: Reference | Schema = schema_creator.for_field_definition(
            field_definition
        )
        return described

    def decode_bytes(self, value: bytes) -> TransactionList:
        """Keep the body."""
        return Unread([], value)


class TransactionOut(msgspec.Struct, omit_defaults=True):
    """What became of a transaction.

    ``matched``: all of it found its dossier; else a person settles it. ``reason`` of a
    refusal: not_credit, currency, account, or differs (told before with another sum).
    """

    id: str
    result: Literal["booked", "repeated", "refused"]
    matched: bool = False
    reason: str | None = None


class TransactionAnswers(msgspec.Struct):
    """The answers, in the order of what was told."""

    outcomes: list[TransactionOut]


_TRANSACTION = TransactionIn(
    "FT26327123456", 81_500, _AT, "MBVCB.77.BD7K3M9QX2C.CT tu 0071", "0011012345678"
)
_list = msgspec.json.Decoder(TransactionList)


@post(
    "/api/payments/{feed:str}",
    status_code=200,
    dto=ByHand,
    return_dto=None,
    summary="Tell of money that came in",
    description=(
        "For the bank's feed (`bank`) and the public portal's (`portal`). Each call is "
        "signed: `X-Signature` is HMAC-SHA256 in hex, by the shared secret, over the "
        "value of `X-Timestamp` (seconds since 1970), a dot and the body; it is good "
        "for five minutes. Safe to repeat: a transaction is written once for its id. A "
        "transaction that is no money of ours is refused by itself."
    ),
    tags=["Money"],
    security=[{}],
    responses=answers(
        200,
        TransactionAnswers,
        TransactionAnswers([TransactionOut("FT26327123456", "booked", True)]),
        "An outcome for each, in their order",
    )
    | refuses(400, NotAllowed(), NotFound(), TooManyScans(found=10_000, limit=500)),
)
async def hear_feed(
    request: Request[Any, Any, Any],
    feed: FromPath[str],
    data: Annotated[
        TransactionList, Body(examples=[example(TransactionList([_TRANSACTION]))])
    ],
    at: Annotated[str, HeaderParameter(name="X-Timestamp", max_length=20)] = "",
    signature: Annotated[str, HeaderParameter(name="X-Signature", max_length=200)] = "",
) -> TransactionAnswers:
    """Believe a signed word, and write it."""
    try:
        speaker = Feed(feed)
    except ValueError:
        raise NotFound from None
    body = data.body if isinstance(data, Unread) else b""
    feeds.verify(speaker, at, signature, body)
    try:
        told = _list.decode(body)
    except msgspec.DecodeError as fault:
        raise ClientException(str(fault)) from fault
    if (found := len(told.transactions)) > MOST_TOLD:
        raise TooManyScans(found=found, limit=MOST_TOLD)
    heard = await feeds.hear(
        speaker,
        [
            Told(each.id, each.amount, each.at, each.text, each.account, each.currency)
            for each in told.transactions
        ],
    )
    return TransactionAnswers(
        [
            TransactionOut(
                each.id,
                each.result,  # type: ignore[arg-type] # one of the three
                each.matched,
                each.refused or None,
            )
            for each in heard
        ]
    )


ROUTES = [tell_cash, tell_owed, hear_feed]
