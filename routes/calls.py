"""The people to be called because a text did not reach them, for who calls them."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import calls
from postal_track.errors import BadInput, Conflict
from postal_track.staff import Actor
from routes import by_hand, filters, sms_words
from routes.guards import only
from routes.language import language
from routes.measured import measures
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

READERS = only(*calls.READERS)
CALLERS = only(*calls.CALLERS)


@get("/sms/calls", include_in_schema=False, guards=[READERS])
async def call_list(request: StaffRequest) -> Template:
    """List the calls to be made, who has waited longest first."""
    after = filters.key(request.query_params.get("after", ""))
    page = await calls.calls(request.user, after)
    context = {
        "page": page,
        "after": after,
        "may_call": request.user.role in calls.CALLERS,
        "say": sms_words,
        **measures(language(request)),
    }
    return Template("sms_calls.html", context=context)


@get("/sms/calls/{number:int}", include_in_schema=False, guards=[READERS])
async def call_page(request: StaffRequest, number: FromPath[int]) -> Template:
    """Show one call: about which text, and why it did not arrive."""
    return await _page(request, number)


@post("/sms/calls/{number:int}", include_in_schema=False, guards=[CALLERS])
async def show_number(request: StaffRequest, number: FromPath[int]) -> Template:
    """Show the number in clear. A POST, for each showing is written down."""
    return await _page(request, number, show=True)


@post("/sms/calls/{number:int}/close", include_in_schema=False, guards=[CALLERS])
async def close_call(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """Note what came of a call."""
    note = data.get("note", "")
    try:
        await calls.close(number, note, request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _page(request, number, note=note, problems=problems)
    except Conflict as fault:
        problems = {"note": fault.sentence(language(request))}
        return await _page(request, number, note=note, problems=problems)
    return Redirect("/sms/calls", status_code=303)


@post("/sms/calls/{number:int}/mark", include_in_schema=False, guards=[CALLERS])
async def clear_mark(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """Let texts go to the number again, with a reason."""
    reason = data.get("reason", "")
    try:
        await calls.clear_mark(number, reason, request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _page(request, number, reason=reason, problems=problems)
    return Redirect(f"/sms/calls/{number}", status_code=303)


@get(
    ["/sms/calls/{number:int}/close", "/sms/calls/{number:int}/mark"],
    include_in_schema=False,
    guards=[READERS],
)
async def back_to_call(number: FromPath[int]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/sms/calls/{number}", status_code=303)


async def _page(
    request: StaffRequest,
    number: int,
    *,
    show: bool = False,
    note: str = "",
    reason: str = "",
    problems: dict[str, str] | None = None,
) -> Template:
    call = await calls.call(number, request.user, show=show)
    context = {
        "call": call,
        "may_call": request.user.role in calls.CALLERS,
        "note": note,
        "reason": reason,
        "problems": problems or {},
        "say": sms_words,
        **measures(language(request)),
    }
    return Template(
        "sms_call.html", context=context, status_code=422 if problems else 200
    )


ROUTES = [call_list, call_page, show_number, close_call, clear_mark, back_to_call]
