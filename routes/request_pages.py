"""What citizens asked for and how they rated it, for supervisors."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import ratings, requests
from postal_track.custody import Party, Role
from postal_track.directory import Named
from postal_track.errors import BadInput, Conflict
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import by_hand, filters
from routes.errors import number_of
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

READERS = only(*requests.READERS)
DECIDERS = only(Role.SUPERVISOR)


@get("/requests", include_in_schema=False, guards=[READERS])
async def request_list(request: StaffRequest) -> Template:
    """List what was asked and confirmed, the newest first."""
    asked = request.query_params
    waiting = bool(asked.get("waiting"))
    page = await requests.listed(
        request.user, waiting=waiting, before=_moment(asked.get("before", ""))
    )
    kept = {"waiting": "1"} if waiting else {}
    last = page.requests[-1].at.isoformat() if page.more else ""
    return Template(
        "requests.html",
        context={
            "page": page,
            "waiting": waiting,
            "more": f"/requests?{urlencode(kept | {'before': last})}" if last else None,
            "name": _namer(page.names, language(request)),
        },
    )


def _moment(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else None


@get("/requests/{number:uuid}", include_in_schema=False, guards=[READERS])
async def request_page(request: StaffRequest, number: FromPath[UUID]) -> Template:
    """Show one request."""
    return await _page(request, number)


@post("/requests/{number:uuid}", include_in_schema=False, guards=[DECIDERS])
async def answer_request(
    request: StaffRequest, number: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Grant an erasure, or refuse it with a reason."""
    try:
        if data.get("answer") == "grant":
            await requests.grant(number, request.user)
        else:
            await requests.refuse(number, data.get("reason", ""), request.user)
    except (BadInput, Conflict) as fault:
        return await _page(request, number, data, fault)
    return Redirect(f"/requests/{number}", status_code=303)


async def _page(
    request: StaffRequest,
    number: UUID,
    typed: dict[str, str] | None = None,
    fault: BadInput | Conflict | None = None,
) -> Template:
    lang = language(request)
    asked, names = await requests.look(number, request.user)
    problems = by_hand.sentences(fault, lang) if isinstance(fault, BadInput) else {}
    return Template(
        "request.html",
        context={
            "asked": asked,
            "may_decide": asked.answer_by is not None
            and request.user.role is Role.SUPERVISOR,
            "typed": typed or {},
            "problems": problems,
            "refusal": fault.sentence("en" if lang == "en" else "vi")
            if isinstance(fault, Conflict)
            else "",
            "months": settings().RETENTION_MONTHS,
            "name": _namer(names, lang),
        },
        status_code=number_of(fault) if fault else 200,
    )


@get("/ratings", include_in_schema=False, guards=[only(*ratings.READERS)])
async def rating_page(request: StaffRequest) -> Template:
    """Show the share of satisfied citizens in a period."""
    fields = {name: request.query_params.get(name, "") for name in ("since", "until")}
    problems: dict[str, str] = {}
    found = None
    try:
        found = await ratings.satisfaction(
            filters.day(fields["since"], "since"),
            filters.day(fields["until"], "until"),
            request.user,
        )
        fields = {"since": f"{found.since}", "until": f"{found.until}"}
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
    return Template(
        "ratings.html",
        context={"found": found, "fields": fields, "problems": problems},
        status_code=422 if problems else 200,
    )


def _namer(names: dict[Party, Named], lang: str) -> Any:
    def name(party: Party) -> str:
        return names[party].name_en if lang == "en" else names[party].name

    return name


ROUTES = [request_list, request_page, answer_request, rating_page]
