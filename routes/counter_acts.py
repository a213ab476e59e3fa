"""What a citizen asks for at the counter or on the phone, taken down by a clerk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import asking, catalogue, slots
from postal_track import wishes as citizens_wishes
from postal_track.addresses import wards
from postal_track.asks import Act, way
from postal_track.errors import BadInput, Conflict, NotFound
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import order_form
from routes.errors import number_of
from routes.filters import chosen
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

TAKERS = only(*citizens_wishes.AT_THE_COUNTER)


@get("/items/{waybill:str}/wishes", include_in_schema=False, guards=[TAKERS])
async def wish_list(request: StaffRequest, waybill: FromPath[str]) -> Template:
    """Show what can be taken down for an item's citizen now."""
    _, acts = await asking.open_at_counter(waybill, request.user)
    context = {"waybill": waybill, "acts": acts}
    return Template("item_wishes.html", context=context)


@get("/items/{waybill:str}/wishes/{act:str}", include_in_schema=False, guards=[TAKERS])
async def wish_form(
    request: StaffRequest, waybill: FromPath[str], act: FromPath[str]
) -> Template:
    """Ask what exactly is wanted."""
    return await _form(request, waybill, act, {})


@post("/items/{waybill:str}/wishes/{act:str}", include_in_schema=False, guards=[TAKERS])
async def take_wish_down(
    request: StaffRequest, waybill: FromPath[str], act: FromPath[str], data: Form
) -> Template | Redirect:
    """Do it, or show the form again with what it lacks."""
    try:
        await asking.ask_at_counter(waybill, _act(act), data, request.user)
    except (BadInput, Conflict) as fault:
        return await _form(request, waybill, act, data, fault)
    return Redirect(f"/items/{waybill}", status_code=303)


def _act(text: str) -> Act:
    act = chosen(Act, text)
    if act not in asking.AT_THE_COUNTER:
        raise NotFound
    return act


async def _form(
    request: StaffRequest,
    waybill: str,
    act: str,
    typed: Mapping[str, str],
    fault: BadInput | Conflict | None = None,
) -> Template:
    lang, wish = language(request), _act(act)
    followed, acts = await asking.open_at_counter(waybill, request.user)
    problems = order_form.sentences(fault, lang) if isinstance(fault, BadInput) else {}
    context: dict[str, Any] = {
        "back": f"/items/{waybill}",
        "action": f"/items/{waybill}/wishes/{wish.value}",
        "counter": True,
        "act": wish.value,
        "way": way(followed).value,
        "open": wish in acts,
        "typed": typed,
        "problems": problems,
        "refusal": "" if problems or fault is None else fault.sentence(lang),
        "lines": [],
        "days": slots.offered(datetime.now(UTC)),
        "wards": list(wards().values()) if wish is Act.REDIRECT else [],
        "offices": await catalogue.offices() if wish is Act.HOLD else [],
        "months": settings().RETENTION_MONTHS,
        "hotline": settings().HOTLINE,
    }
    return Template(
        "ask.html", context=context, status_code=number_of(fault) if fault else 200
    )


ROUTES = [wish_list, wish_form, take_wish_down]
