"""What I hold and what is promised to me, with the age of each; release and recall."""

from functools import partial
from typing import Any

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Template

from postal_track import cash
from postal_track.custody import Party, Role, Step
from postal_track.errors import BadInput, Problem
from postal_track.holding import Sight, held, receivers
from postal_track.staff import Actor
from routes import act_words, by_hand, measured
from routes.by_hand import Told
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

HOLDERS = only(Role.CARRIER, Role.CLERK, Role.SUPERVISOR, Role.OFFICER)


@get("/held", include_in_schema=False, guards=[HOLDERS])
async def held_page(
    request: StaffRequest, released: FromQuery[int] = 0, recalled: FromQuery[int] = 0
) -> Template:
    """List what I answer for, the oldest first, and what waits for my word."""
    return await _page(request, released=released, recalled=recalled)


@post("/held/release", include_in_schema=False, guards=[HOLDERS])
async def release(request: StaffRequest, data: Form) -> Template | Redirect:
    """Promise the ticked items to a receiver; they stay mine until he accepts them."""
    lang = language(request)
    try:
        to = await _receiver(data.get("to", ""), request.user)
        rows = by_hand.ticked(data)
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        return await _page(request, status=422, problems=problems, typed=data)
    scans = [by_hand.scan(request.user, r, Step.RELEASED, to=to) for r in rows]
    return await _done(request, await by_hand.tell(scans, lang), "released")


@post("/held/recall", include_in_schema=False, guards=[HOLDERS])
async def recall(request: StaffRequest, data: Form) -> Template | Redirect:
    """Take a promise back."""
    lang = language(request)
    try:
        rows = by_hand.ticked(data)
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        return await _page(request, status=422, problems=problems)
    scans = [by_hand.scan(request.user, row, Step.RECALLED) for row in rows]
    return await _done(request, await by_hand.tell(scans, lang), "recalled")


async def _receiver(text: str, actor: Actor) -> Party:
    """Find whom it goes to among those whom this person may release to."""
    known = {str(party): party for party, _ in await receivers(actor)}
    if text not in known:
        why = Problem("to", "Choose who receives it.", "Hãy chọn người nhận.")
        raise BadInput((why,))
    return known[text]


async def _done(
    request: StaffRequest, told: list[Told], what: str
) -> Template | Redirect:
    if by_hand.smooth(told):
        return Redirect(f"/held?{what}={len(told)}", status_code=303)
    status = 409 if any(each.refused for each in told) else 200
    return await _page(request, status=status, told=told)


async def _page(
    request: StaffRequest,
    *,
    status: int = 200,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    told: list[Told] | None = None,
    released: int = 0,
    recalled: int = 0,
) -> Template:
    holding, promised = await held(request.user)
    context = {
        "holding": holding,
        "promised": promised,
        "receivers": await receivers(request.user),
        "problems": problems or {},
        "typed": typed or {},
        "told": told or [],
        "released": released,
        "recalled": recalled,
        "fresh": by_hand.fresh,
        "cash": await cash.total(request.user),
        "badges": partial(_badges, lang=language(request)),
        **measured.measures(language(request)),
    }
    return Template("held.html", context=context, status_code=status)


def _badges(sight: Sight, lang: str) -> list[str]:
    """Say in short what the citizen wants: without a name or an address."""
    if sight.way is None:
        return []
    held = sight.wanted.hold_at
    office = sight.names[held].name if held else ""
    return act_words.badges(sight.wanted, sight.way, office, lang)


@get(["/held/release", "/held/recall"], include_in_schema=False, guards=[HOLDERS])
async def back_to_held() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/held", status_code=303)


ROUTES = [held_page, release, recall, back_to_held]
