"""Claims for staff: taken in, decided, paid."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import complaints
from postal_track.complaints import READERS, TAKERS, Claimed, State
from postal_track.custody import Party, Role
from postal_track.directory import Named
from postal_track.errors import BadInput, Conflict, PostalTrackError, Problem
from postal_track.staff import Actor
from routes import by_hand, case_words, filters
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]


@get("/claims", include_in_schema=False, guards=[only(*READERS)])
async def claim_list(request: StaffRequest) -> Template:
    """List claims, those first that are to be settled first."""
    asked = request.query_params
    state = filters.chosen(State, asked.get("state", ""))
    page = await complaints.listed(
        request.user, state=state, after=asked.get("after") or None
    )
    kept = {"state": state.value} if state else {}
    more = f"/claims?{urlencode(kept | {'after': page.after or ''})}"
    return Template(
        "claims.html",
        context={
            "page": page,
            "state": state,
            "states": list(State),
            "more": more if page.after else None,
            "may_take": request.user.role in TAKERS,
            "name": _namer(page.names, language(request)),
            "case_words": case_words,
        },
    )


@get("/claims/new", include_in_schema=False, guards=[only(*TAKERS)])
async def new_claim(request: StaffRequest, waybill: FromQuery[str] = "") -> Template:
    """Ask what the citizen claims, for which item."""
    return _new(request, {"waybill": waybill[:40]}, {})


@post("/claims", include_in_schema=False, guards=[only(*TAKERS)])
async def open_claim(request: StaffRequest, data: Form) -> Template | Redirect:
    """Take a claim in."""
    kind = filters.chosen(Claimed, data.get("kind", ""))
    lang = language(request)
    try:
        if kind is None:
            why = ("Choose what it is for.", "Hãy chọn nội dung khiếu nại.")
            raise BadInput((Problem("kind", *why),))
        number = await complaints.open_at_counter(
            data.get("waybill", ""), kind, data.get("words", ""), request.user
        )
    except BadInput as fault:
        return _new(request, data, by_hand.sentences(fault, lang))
    except PostalTrackError as fault:
        return _new(request, data, {"waybill": _sentence(fault, lang)})
    return Redirect(f"/claims/{number}", status_code=303)


def _new(
    request: StaffRequest, typed: dict[str, str], problems: dict[str, str]
) -> Template:
    windows = {kind: complaints.window(kind) for kind in Claimed}
    return Template(
        "claim_new.html",
        context={
            "typed": typed,
            "problems": problems,
            "windows": windows,
            "case_words": case_words,
        },
        status_code=422 if problems else 200,
    )


@get("/claims/{number:str}", include_in_schema=False, guards=[only(*READERS)])
async def claim_page(request: StaffRequest, number: FromPath[str]) -> Template:
    """Show one claim."""
    return await _page(request, number)


@post(
    "/claims/{number:str}/accept",
    include_in_schema=False,
    guards=[only(Role.SUPERVISOR)],
)
async def accept_claim(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Accept it with an amount."""
    try:
        await complaints.accept(
            number,
            _money(data.get("postage", "")),
            _money(data.get("amount", "")),
            data.get("reason", ""),
            request.user,
        )
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "accept", data, fault)
    return Redirect(f"/claims/{number}", status_code=303)


def _money(typed: str) -> int | None:
    """Read an amount as people write it: 104000, 104.000, 104 000 đ."""
    return filters.number(
        typed.strip().rstrip("đdĐD ").replace(".", "").replace(" ", "")
    )


@post(
    "/claims/{number:str}/reject",
    include_in_schema=False,
    guards=[only(Role.SUPERVISOR)],
)
async def reject_claim(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Reject it for a reason."""
    try:
        await complaints.reject(number, data.get("reason", ""), request.user)
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "reject", data, fault)
    return Redirect(f"/claims/{number}", status_code=303)


@post("/claims/{number:str}/settle", include_in_schema=False, guards=[only(*TAKERS)])
async def settle_claim(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Say that it was paid."""
    try:
        await complaints.settle(number, data.get("receipt", ""), request.user)
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "settle", data, fault)
    return Redirect(f"/claims/{number}", status_code=303)


@get(
    [
        "/claims/{number:str}/accept",
        "/claims/{number:str}/reject",
        "/claims/{number:str}/settle",
    ],
    include_in_schema=False,
    guards=[only(*READERS)],
)
async def back_to_claim(number: FromPath[str]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/claims/{number}", status_code=303)


def _sentence(fault: PostalTrackError, lang: str) -> str:
    return fault.sentence("en" if lang == "en" else "vi")


async def _page(
    request: StaffRequest,
    number: str,
    form: str = "",
    typed: dict[str, str] | None = None,
    fault: BadInput | Conflict | None = None,
) -> Template:
    lang = language(request)
    problems: dict[str, str] = {}
    if isinstance(fault, BadInput):
        problems = by_hand.sentences(fault, lang)
    elif fault is not None:
        problems = {"all": _sentence(fault, lang)}
    claim, names = await complaints.look(number, request.user)
    return Template(
        "claim.html",
        context={
            "claim": claim,
            "form": form,
            "typed": typed or {},
            "problems": problems,
            "times": complaints.least(1),
            "name": _namer(names, lang),
            "case_words": case_words,
        },
        status_code=422 if problems else 200,
    )


def _namer(names: dict[Party, Named], lang: str) -> Any:
    def name(party: Party) -> str:
        return names[party].name_en if lang == "en" else names[party].name

    return name


ROUTES = [
    claim_list,
    new_claim,
    open_claim,
    claim_page,
    accept_claim,
    reject_claim,
    settle_claim,
    back_to_claim,
]
