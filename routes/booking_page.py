"""A citizen books the post by himself, without an account.

The clerk's questions in plain words, on one page that works without scripts. A booking
counts once it was confirmed by a code to the citizen's phone; the page of the code is
that of all his requests.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import asking, catalogue, limits, receipts, slots
from postal_track.bookings import check
from postal_track.errors import (
    BadInput,
    NotFound,
    OrderUsed,
    PostalTrackError,
    Problem,
    TooOften,
)
from postal_track.orders import Order
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import order_form
from routes.errors import number_of
from routes.language import language
from routes.order_form import LARGEST_FORM, Form, Typed

AnyRequest = Request[Actor | None, str | None, Any]

SENT = "booking"
"""The cookie of the browser that sent a booking and may still mend it."""

TRAP = "website"
"""A field that no person sees; what fills it in is a machine."""


@get("/book", include_in_schema=False)
async def booking_form(request: AnyRequest) -> Template:
    """Show an empty form."""
    return await _form(request, order_form.blank(language(request)))


@post("/book", include_in_schema=False, request_max_body_size=LARGEST_FORM)
async def take_booking(request: AnyRequest, data: Form) -> Template | Redirect:
    """Send the code, or show the form again with what it lacks."""
    given, lang = order_form.typed(data), language(request)
    address = request.client.host if request.client else ""
    try:
        if act := given.get("act"):
            await limits.knock(limits.PLACES, address)
            return await _help(request, given, act)
        await limits.knock(limits.BOOKINGS, address)
        asked = await asking.ask_to_book(await _ready(given), address)
    except BadInput as fault:
        problems = order_form.sentences(fault, lang)
        return await _form(request, given, problems, fault=fault)
    except (OrderUsed, TooOften) as fault:
        return await _form(request, given, fault=fault)
    if isinstance(asked, str):
        return Redirect(f"/book/done/{asked}", status_code=303)
    answer = Redirect(f"/book/confirm/{asked}", status_code=303)
    answer.set_cookie(
        Cookie(
            SENT,
            value=asking.pass_for(asked),
            path="/book",
            max_age=round(asking.OPEN_FOR.total_seconds()),
            httponly=True,
            secure=settings().PUBLIC_URL.startswith("https://"),
            samesite="strict",
        )
    )
    return answer


@get("/book/again/{number:uuid}", include_in_schema=False)
async def mend_booking(
    request: AnyRequest, number: FromPath[UUID]
) -> Template | Redirect:
    """Show the form again as it was sent, in the browser that sent it."""
    try:
        if not asking.admits(number, request.cookies.get(SENT, "")):
            raise NotFound
        order = await asking.what_was_booked(number)
    except NotFound:
        return Redirect("/book", status_code=303)
    return await _form(request, order_form.again(order))


async def _help(request: AnyRequest, given: Typed, act: str) -> Template:
    """Do one of the form's lesser buttons, for a browser without scripts."""
    if act == "fill" and given.get("procedure"):
        found = await catalogue.procedures(given.get("procedure"))
        order_form.fill(given, found[0] if found else None, language(request))
    return await _form(request, given)


async def _ready(given: Typed) -> Order:
    """Make the order; ``BadInput`` from a machine, or without consent."""
    order = order_form.order(given, "citizen")
    if given.get(TRAP):
        raise BadInput(
            (Problem(TRAP, "Leave this field empty.", "Hãy để trống ô này."),)
        )
    slot = slots.read(given.get("day"), given.get("half"), datetime.now(UTC))
    wrong = [slot] if isinstance(slot, Problem) else []
    if not given.get("consent"):
        missing = Problem(
            "consent",
            "We need your consent to carry out the booking.",
            "Chúng tôi cần bạn đồng ý mới thực hiện được yêu cầu.",
        )
        wrong.append(missing)
    if wrong:
        # Whatever else is wrong is told at the same time.
        raise BadInput((*await check(order), *wrong))
    return replace(order, slot=None if isinstance(slot, Problem) else slot)


async def _form(
    request: AnyRequest,
    given: Typed,
    problems: dict[str, str] | None = None,
    fault: PostalTrackError | None = None,
) -> Template:
    context: dict[str, Any] = {
        "typed": given,
        "problems": problems or {},
        "refusal": "",
        "used": fault if isinstance(fault, OrderUsed) else None,
        "trap": TRAP,
        # Who comes too often has no more places looked up either.
        "preview": None
        if isinstance(fault, TooOften)
        else await order_form.proposed(given),
        "hotline": settings().HOTLINE,
        "days": slots.offered(datetime.now(UTC)),
        **await order_form.choices(),
    }
    headers = {}
    if isinstance(fault, OrderUsed):
        given.fields = {**given.fields, **order_form.fresh()}
    if isinstance(fault, TooOften):
        context["refusal"] = fault.sentence(language(request))
        headers = {"Retry-After": str(fault.seconds)}
    return Template(
        "book.html",
        context=context,
        status_code=number_of(fault) if fault else 200,
        headers=headers,
    )


@get("/book/done/{token:str}", include_in_schema=False)
async def booked(token: FromPath[str]) -> Template:
    """Tell what was booked, when the post comes and where to follow it."""
    context = {
        "receipt": await receipts.find(token),
        "public_url": settings().PUBLIC_URL,
        "hotline": settings().HOTLINE,
    }
    return Template("booked.html", context=context)


ROUTES = [booking_form, take_booking, mend_booking, booked]
