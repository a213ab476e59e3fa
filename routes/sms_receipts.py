"""Where providers tell us what became of a text, and what a citizen answered.

Handlers only: who speaks and what follows is for `postal_track.hearing`. What is said
of an unknown text is answered 200, or it would be said again for hours.
"""

from typing import Any

from litestar import MediaType, Request, get, post
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK
from twilio.twiml.messaging_response import MessagingResponse

from postal_track import hearing
from routes import words


@post(
    "/sms/receipts/twilio/{message:int}",
    status_code=HTTP_200_OK,
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def twilio_receipt(
    request: Request[Any, Any, Any], message: FromPath[int]
) -> str:
    """Hear a status callback of Twilio, signed by it."""
    form = await request.form()
    hearing.verify_twilio(_path(request), form, _signature(request))
    await hearing.receipt_from_twilio(message, form)
    return ""


@post(
    "/sms/inbound/twilio",
    status_code=HTTP_200_OK,
    media_type=MediaType.XML,
    include_in_schema=False,
)
async def twilio_inbound(request: Request[Any, Any, Any]) -> str:
    """Hear what a citizen answered, and answer him in TwiML."""
    form = await request.form()
    hearing.verify_twilio(_path(request), form, _signature(request))
    said = await hearing.answer(
        str(form.get("From", "")), str(form.get("Body", "")), words.stage
    )
    answer = MessagingResponse()
    if said:
        answer.message(said)
    return str(answer)


@post(
    "/sms/receipts/brandname/{message:int}/{tag:str}",
    status_code=HTTP_200_OK,
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def brandname_receipt(
    request: Request[Any, Any, Any], message: FromPath[int], tag: FromPath[str]
) -> str:
    """Hear a receipt that an aggregator posts."""
    await hearing.receipt_from_aggregator(message, tag, await request.form())
    return ""


@get(
    "/sms/receipts/brandname/{message:int}/{tag:str}",
    media_type=MediaType.TEXT,
    include_in_schema=False,
)
async def brandname_receipt_by_get(
    request: Request[Any, Any, Any], message: FromPath[int], tag: FromPath[str]
) -> str:
    """Hear a receipt from an aggregator that knows no other way."""
    await hearing.receipt_from_aggregator(message, tag, request.query_params)
    return ""


def _path(request: Request[Any, Any, Any]) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _signature(request: Request[Any, Any, Any]) -> str:
    return request.headers.get("x-twilio-signature", "")


ROUTES = [twilio_receipt, twilio_inbound, brandname_receipt, brandname_receipt_by_get]
