"""What citizens want of our texts, as their page and the counter's ask for it."""

from typing import Any, TypeVar

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import misses, wishes
from postal_track.errors import BadInput, NotFound, Problem
from postal_track.s10 import spaced
from postal_track.settings import settings
from postal_track.staff import Actor
from postal_track.wishes import Tongue, Wish
from routes import by_hand, filters
from routes.citizen import address_of
from routes.guards import only
from routes.language import language
from routes.order_form import Form

AnyRequest = Request[Any, Any, Any]
StaffRequest = Request[Actor, str, Any]

AT_THE_COUNTER = only(*wishes.AT_THE_COUNTER)

Choice = TypeVar("Choice", Wish, Tongue)


@post("/d/{token:str}/texts", include_in_schema=False)
async def choose(
    request: AnyRequest, token: FromPath[str], data: Form
) -> Template | Redirect:
    """Do what whoever has the link wants of the dossier's texts."""
    address = address_of(request)
    await misses.reading(address)
    try:
        if "tongue" in data:
            tongue = _chosen(Tongue, data, "tongue")
            await wishes.speak_on_page(token, tongue, address)
        else:
            wish = _chosen(Wish, data, "wish")
            await wishes.say_on_page(token, data.get("part", ""), wish, address)
    except NotFound:
        await misses.missed(address)
        return Template(
            "unknown.html", context={"hotline": settings().HOTLINE}, status_code=404
        )
    return Redirect(f"/d/{token}#texts", status_code=303)


@get("/d/{token:str}/texts", include_in_schema=False)
async def back_to_page(token: FromPath[str]) -> Redirect:
    """Lead to the page whoever asks again for what a form was sent to."""
    return Redirect(f"/d/{token}#texts", status_code=303)


@get("/items/{waybill:str}/texts", include_in_schema=False, guards=[AT_THE_COUNTER])
async def counter_page(request: StaffRequest, waybill: FromPath[str]) -> Template:
    """Show a clerk how the citizens of an item's dossier want to be told."""
    return await _counter(request, waybill)


@post("/items/{waybill:str}/texts", include_in_schema=False, guards=[AT_THE_COUNTER])
async def choose_at_counter(
    request: StaffRequest, waybill: FromPath[str], data: Form
) -> Template | Redirect:
    """Do what somebody asks for over the counter."""
    part, who = data.get("part", ""), request.user
    if "tongue" in data:
        tongue = _chosen(Tongue, data, "tongue")
        await wishes.speak_at_counter(waybill, tongue, who)
    elif "reason" in data:
        try:
            await wishes.clear_mark(waybill, part, data["reason"], who)
        except BadInput as fault:
            problem = by_hand.sentences(fault, language(request))["reason"]
            return await _counter(request, waybill, part, data["reason"], problem)
    else:
        wish = _chosen(Wish, data, "wish")
        await wishes.say_at_counter(waybill, part, wish, who)
    return Redirect(f"/items/{waybill}/texts", status_code=303)


def _chosen(kind: type[Choice], form: dict[str, str], name: str) -> Choice:
    """Read a choice that only a damaged form gets wrong."""
    choice = filters.chosen(kind, form.get(name, ""))
    if choice is None:
        why = Problem(
            name,
            "The form was damaged on its way: load the page again.",
            "Biểu mẫu bị lỗi khi gửi: hãy tải lại trang.",
        )
        raise BadInput((why,))
    return choice


async def _counter(
    request: StaffRequest,
    waybill: str,
    part: str = "",
    reason: str = "",
    problem: str = "",
) -> Template:
    context = {
        "waybill": waybill,
        "wishes": await wishes.at_counter(waybill, request.user),
        "part": part,
        "reason": reason,
        "problem": problem,
        "spaced": spaced,
    }
    return Template(
        "item_texts.html", context=context, status_code=422 if problem else 200
    )


ROUTES = [choose, back_to_page, counter_page, choose_at_counter]
