"""A dossier taken in over the counter: the clerk's form and what he prints after it.

The form does its whole work without scripts: its lesser buttons (fill in the papers,
propose an office, one more line) send it back as it stands.
"""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import catalogue, receipts
from postal_track.bookings import book
from postal_track.custody import Role
from postal_track.errors import BadInput, OrderUsed
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import order_form
from routes.guards import only
from routes.language import language
from routes.order_form import LARGEST_FORM, Form, Typed

StaffRequest = Request[Actor, str, Any]

COUNTER = only(Role.CLERK, Role.SUPERVISOR)


@get("/dossiers/new", include_in_schema=False, guards=[COUNTER])
async def new_dossier(request: StaffRequest) -> Template:
    """Show an empty form."""
    return await _form(request, order_form.blank(language(request)))


@post(
    "/dossiers/new",
    include_in_schema=False,
    guards=[COUNTER],
    request_max_body_size=LARGEST_FORM,
)
async def register_dossier(request: StaffRequest, data: Form) -> Template | Redirect:
    """Take the dossier in, or show the form again with what it lacks."""
    given, lang = order_form.typed(data), language(request)
    if act := given.get("act"):
        if act == "fill":
            found = await catalogue.procedures(given.get("procedure"))
            chosen = found[0] if given.get("procedure") and found else None
            order_form.fill(given, chosen, lang)
        return await _form(request, given)
    try:
        booked = await book(order_form.order(given, "counter"), request.user)
    except BadInput as fault:
        problems = order_form.sentences(fault, lang)
        return await _form(request, given, problems, status=422)
    except OrderUsed as fault:
        # What was typed is for someone else: it goes on under an id of its own.
        given.fields = {**given.fields, **order_form.fresh()}
        return await _form(request, given, used=fault, status=409)
    return Redirect(f"/dossiers/{booked.token}/created", status_code=303)


async def _form(
    request: StaffRequest,
    given: Typed,
    problems: dict[str, str] | None = None,
    used: OrderUsed | None = None,
    status: int = 200,
) -> Template:
    context = {
        "typed": given,
        "problems": problems or {},
        "used": used,
        "preview": await order_form.proposed(given),
        **await order_form.choices(),
    }
    return Template("register.html", context=context, status_code=status)


@get("/dossiers/{token:str}/created", include_in_schema=False, guards=[COUNTER])
async def dossier_created(token: FromPath[str]) -> Template:
    """Give the waybill, the label and the citizen's link.

    Whoever has the token may see this: it opens the citizen's own page as well, and
    here is less than there.
    """
    context = {
        "receipt": await receipts.find(token),
        "public_url": settings().PUBLIC_URL,
        "sources": order_form.SOURCES,
    }
    return Template("registered.html", context=context)


ROUTES = [new_dossier, register_dossier, dossier_created]
