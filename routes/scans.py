"""Scans in, answers out: the API of phones, desks and other systems.

Parses and answers; what a scan means is ``handoffs.record``'s.
"""

from functools import cache
from typing import Annotated, Any
from uuid import uuid5

import msgspec
from litestar import Request, Router, get, post
from litestar.dto import AbstractDTO
from litestar.exceptions import ClientException
from litestar.openapi.spec import Example, Reference, Schema
from litestar.params import Body, Parameter
from litestar.typing import FieldDefinition

from postal_track import cash, devices, holding
from postal_track.batching import Together
from postal_track.cash import Taken
from postal_track.errors import (
    BadScan,
    DeviceSignedOut,
    ForeignCode,
    ForgedLabel,
    NotLoggedIn,
    TooManyScans,
    UnboundLabel,
    UnknownWaybill,
    WaybillCheckDigit,
)
from postal_track.handoffs import Outcome, record
from postal_track.handoffs import Scan as DomainScan
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import payloads, scan_examples, words
from routes.guards import logged_in
from routes.language import language
from routes.openapi import answers, refuses
from routes.payloads import Item, Outcomes, PartlyRead, ScanList, ScanOutcome

StaffRequest = Request[Actor, str, Any]


class Held(msgspec.Struct):
    """What I answer for, and what is promised to me or my place."""

    items: list[Item]
    promised: list[Item]


class Receiver(msgspec.Struct):
    """Someone whom an item may be released to."""

    party: str
    text: str


@cache
def _together() -> Together[DomainScan, Outcome]:
    return Together(record, most=100, lanes=1, patience=0.5)


class ByHand(AbstractDTO[ScanList]):
    """Hands the body to ``payloads.read`` as it came.

    Litestar would make dictionaries first, and one bad scan would refuse the list.
    """

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Generate nothing: the structs are what travels."""

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        schema_creator: Any,
    ) -> Reference | Schema:
        """Describe the list as it is declared."""
        described: Reference | Schema = schema_creator.for_field_definition(
            field_definition
        )
        return described

    def decode_bytes(self, value: bytes) -> ScanList:
        """Read the body."""
        try:
            return payloads.read(value)
        except msgspec.DecodeError as fault:
            raise ClientException(str(fault)) from fault


@post(
    "/api/scans",
    status_code=200,
    dto=ByHand,
    return_dto=None,
    summary="Record scans",
    description=(
        "One scan or many, answered one by one in the same order. Safe to repeat: a "
        "scan is written once for its id. A rule that was broken comes back as a "
        "remark; only a claim without standing is refused."
    ),
    responses=answers(
        200, Outcomes, scan_examples.OUTCOMES, "An outcome for each, in their order"
    )
    | refuses(
        400,
        NotLoggedIn(),
        DeviceSignedOut(),
        TooManyScans(found=10_000, limit=500),
        413,
    ),
)
async def record_scans(
    request: StaffRequest,
    data: Annotated[ScanList, Body(examples=[Example(value=scan_examples.SCANS)])],
) -> Outcomes:
    """Write a list of scans; answer each."""
    unread = data.unread if isinstance(data, PartlyRead) else {}
    limit = settings().MAX_SCANS_PER_LIST
    if (found := len(data.scans) + len(unread)) > limit:
        raise TooManyScans(found=found, limit=limit)
    actor, lang = request.user, language(request)
    signed_out_at = await devices.check(data.device)
    scans = [
        payloads.scan(each, data.device, data.sent_at, actor) for each in data.scans
    ]
    # Single scans of many phones share a transaction; a list has one of its own.
    answered = [await _together()(scans[0])] if len(scans) == 1 else await record(scans)
    # After custody, and apart from it: no handover waits for money.
    paid = await _cash(data, actor)
    sights = await holding.sights([o.item for o in answered], [actor] * len(answered))
    told = [payloads.outcome(o, s, lang) for o, s in zip(answered, sights, strict=True)]
    for outcome in told:
        outcome.cash = paid.get(outcome.id)
    for place, (id, why) in unread.items():  # in their order: each finds its place
        told.insert(place, _unread(id, why, lang))
    await devices.seen(data.device, data.sent_at)
    waited = devices.waited(signed_out_at, (each.at for each in data.scans))
    return Outcomes(told, words.choose(_WAITED, lang) if waited else None)


_WAITED = (
    "Máy này từng bị đăng xuất từ xa. Các lần quét trước đó được ghi nhận theo lần "
    "đăng nhập mới của bạn.",
    "This phone was signed out for a while. What it had scanned before is recorded "
    "under your new login.",
)


async def _cash(data: ScanList, actor: Actor) -> dict[str, str]:
    """Write the cash that was told beside scans; what became of it, by scan.

    A refused scan does not give the money back: it is written all the same.
    """
    given = [each for each in data.scans if each.cash]
    if not given:
        return {}
    told = await cash.take(
        [
            Taken(uuid5(each.id, "cash"), each.code, each.cash, each.at)
            for each in given
        ],
        actor,
    )
    became = [
        "refused" if one.error else "recorded" if one.new else "repeated"
        for one in told
    ]
    return {str(each.id): one for each, one in zip(given, became, strict=True)}


def _unread(id: str, why: str, lang: str) -> ScanOutcome:
    """Refuse a scan that cannot be read, without harm to the others."""
    return ScanOutcome(
        id=id,
        result="refused",
        error="BadScan",
        detail=payloads.sentence(BadScan(why=why, why_vi=why), lang),
    )


@get(
    "/api/items",
    summary="Understand a code",
    description="Takes whatever a scanner gave: a label's address or a waybill.",
    responses=answers(200, Item, scan_examples.ITEM, "The item, as the asker sees it")
    | refuses(
        WaybillCheckDigit("DH123456784VN", "5", "4"),
        ForeignCode("https://example.org"),
        NotLoggedIn(),
        ForgedLabel("DH123456785VN"),
        UnknownWaybill("DH123456785VN"),
        UnboundLabel("DH123456785VN"),
    ),
)
async def understand_code(
    request: StaffRequest,
    code: Annotated[
        str,
        Parameter(
            min_length=1,
            max_length=300,
            description="As it was read or typed.",
            examples=[Example(value="DH 1234 5678 5 VN")],
        ),
    ],
) -> Item:
    """Say what item a code belongs to, who has it and what may be done with it now."""
    sight = await holding.understand(code, request.user)
    return payloads.item(sight, language(request), drawn=True)


@get(
    "/api/held",
    summary="What I hold",
    description=(
        "The items that the one who asks answers for, himself or his counter, and "
        "those that are promised to them; the oldest first."
    ),
    responses=answers(
        200, Held, Held([scan_examples.ITEM], []), "What is held and what is promised"
    )
    | refuses(NotLoggedIn()),
)
async def list_held(request: StaffRequest) -> Held:
    """List what I answer for, and what is promised to me or my place."""
    items, promised = await holding.held(request.user)
    lang = language(request)
    return Held(
        items=[payloads.item(sight, lang) for sight in items],
        promised=[payloads.item(sight, lang) for sight in promised],
    )


@get(
    "/api/receivers",
    summary="Whom I may release to",
    description="Colleagues of the same office, post offices and agencies.",
    responses=answers(
        200,
        list[Receiver],
        [
            Receiver("staff:4", "Nguyễn Văn An"),
            Receiver("office:2", "Bưu cục Châu Đốc"),
        ],
        "Parties, as a release names them in `to`",
    )
    | refuses(NotLoggedIn()),
)
async def list_receivers(request: StaffRequest) -> list[Receiver]:
    """List colleagues, offices and agencies that an item may be released to."""
    english = language(request) == "en"
    return [
        Receiver(str(party), named.name_en if english else named.name)
        for party, named in await holding.receivers(request.user)
    ]


router = Router(
    path="/",
    route_handlers=[record_scans, understand_code, list_held, list_receivers],
    guards=[logged_in],
    tags=["Scans"],
)
