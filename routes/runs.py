"""Whose run things are put on: a page for clerks and supervisors.

Who may plan for which office is ``plans``'s to say.
"""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template

from postal_track import boards, plans
from postal_track.custody import Role
from postal_track.errors import BadInput
from postal_track.plans import Board, Line, Wanted
from postal_track.promises import add_working_days
from postal_track.runs import Do
from postal_track.slots import Half
from postal_track.staff import Actor
from routes import by_hand, filters, words
from routes.by_hand import Told
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

PLANNERS = only(Role.CLERK, Role.SUPERVISOR)

WARD = "ward."

DOING: dict[Do, words.Pair] = {
    Do.COLLECT: ("Thu gom", "Collect"),
    Do.FETCH: ("Nhận từ cơ quan", "Fetch"),
    Do.DELIVER: ("Phát", "Deliver"),
    Do.HAND_OVER: ("Giao cơ quan", "Hand over"),
}
"""What is to be done with an item, in a word."""


@get("/runs", include_in_schema=False, guards=[PLANNERS])
async def runs_page(request: StaffRequest) -> Template:
    """Show what is to be fetched and brought, and whose run it is on."""
    return await _page(request)


@post("/runs", include_in_schema=False, guards=[PLANNERS])
async def put_on_run(request: StaffRequest, data: Form) -> Template | Redirect:
    """Put the ticked items on a carrier's run."""
    lang, office = language(request), filters.number(data.get("office", ""))
    try:
        rows = by_hand.ticked(data)
        half = data.get("half", "")
        wanted = Wanted(
            rows=[(row.waybill, row.id) for row in rows],
            staff=filters.number(data.get("staff", "")),
            on_day=filters.day(data.get("on_day", ""), "on_day") or boards.today(),
            half=Half(half) if half in list(Half) else None,
        )
        put, outcomes = await plans.assign(wanted, request.user, office)
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        return await _page(request, office, typed=data, problems=problems)
    told = [by_hand.told(each, lang) for each in outcomes]
    if by_hand.smooth(told):
        of = f"&office={office}" if office else ""
        return Redirect(f"/runs?put={put}{of}", status_code=303)
    return await _page(request, office, told=told)


@post("/runs/rounds", include_in_schema=False, guards=[PLANNERS])
async def set_rounds(request: StaffRequest, data: Form) -> Template | Redirect:
    """Say who goes to which ward."""
    office = filters.number(data.get("office", ""))
    chosen = {
        name.removeprefix(WARD): filters.number(value)
        for name, value in data.items()
        if name.startswith(WARD)
    }
    try:
        await plans.set_rounds(chosen, request.user, office)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _page(request, office, typed=data, problems=problems)
    of = f"?office={office}" if office else ""
    return Redirect(f"/runs{of}#rounds", status_code=303)


@get("/runs/rounds", include_in_schema=False, guards=[PLANNERS])
async def back_to_runs() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/runs", status_code=303)


async def _page(
    request: StaffRequest,
    office: int | None = None,
    *,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    told: list[Told] | None = None,
) -> Template:
    actor, query = request.user, request.query_params
    offices = await plans.offices(actor)
    chosen = office or filters.number(query.get("office", "")) or actor.office
    board: Board | None = None
    if chosen is not None:
        board = await plans.board(actor, chosen)
    lang, day = language(request), boards.today()
    return Template(
        "runs.html",
        context={
            "board": board,
            "offices": {} if actor.office else offices,
            "office": chosen,
            "today": day,
            "next_day": add_working_days(day, 1),
            "typed": typed or {},
            "problems": problems or {},
            "told": told or [],
            "put": filters.number(query.get("put", "")) or 0,
            "fresh": by_hand.fresh,
            "what": lambda line: _what(line, lang),
        },
        status_code=422 if problems else 200,
    )


def _what(line: Line, lang: str) -> str:
    return words.choose(DOING[line.do], lang)


ROUTES = [runs_page, put_on_run, set_rounds, back_to_runs]
