"""The texts that went out, for those who answer for them; sending one again.

Also what all of them say, and what they come to.
"""

from itertools import groupby
from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import texts, wording
from postal_track.custody import Role
from postal_track.errors import BadInput
from postal_track.settings import settings
from postal_track.staff import Actor
from postal_track.texting import texting
from postal_track.texts import Page, Wanted
from routes import by_hand, filters, sms_words
from routes.guards import only
from routes.language import language
from routes.order_form import Form
from sms.status import UNSENT, Status

StaffRequest = Request[Actor, str, Any]

READERS = only(Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR)
SENDERS = only(Role.SUPERVISOR)

FIELDS = ("status", "template", "number", "waybill", "since", "until", "before")


@get("/sms", include_in_schema=False, guards=[READERS])
async def sms_list(request: StaffRequest) -> Template:
    """List texts, the newest first."""
    fields = {name: request.query_params.get(name, "") for name in FIELDS}
    problems: dict[str, str] = {}
    page = Page([], None)
    try:
        page = await texts.texts(_wanted(fields), request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
    context = {
        "page": page,
        "fields": fields,
        "problems": problems,
        "narrowed": any(fields.values()),
        "older": filters.further("/sms", fields, page.before) if page.before else None,
        "say": sms_words,
        "statuses": list(Status),
    }
    return Template("sms.html", context=context, status_code=422 if problems else 200)


def _wanted(fields: dict[str, str]) -> Wanted:
    known = fields["template"] in sms_words.TEMPLATES
    return Wanted(
        status=filters.chosen(Status, fields["status"]),
        template=fields["template"] if known else "",
        number=fields["number"],
        waybill=fields["waybill"],
        since=filters.day(fields["since"], "since"),
        until=filters.day(fields["until"], "until"),
        before=filters.key(fields["before"]),
    )


@get("/sms/texts", include_in_schema=False, guards=[READERS])
async def sms_catalogue() -> Template:
    """Show what every text says, with its longest fields."""
    previews = wording.previews(hot=settings().HOTLINE)
    texts_of = {
        name: list(both) for name, both in groupby(previews, lambda p: p.template.name)
    }
    context = {"texts_of": texts_of, "room": wording.ROOM, "say": sms_words}
    return Template("sms_texts.html", context=context)


@get("/sms/costs", include_in_schema=False, guards=[READERS])
async def sms_costs(request: StaffRequest) -> Template:
    """Show what texts came to in a period, by gateway and template."""
    fields = {name: request.query_params.get(name, "") for name in ("since", "until")}
    problems: dict[str, str] = {}
    costs = None
    try:
        costs = await texts.costs(
            filters.day(fields["since"], "since"),
            filters.day(fields["until"], "until"),
            request.user,
        )
        fields = {"since": f"{costs.since}", "until": f"{costs.until}"}
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
    context = {
        "costs": costs,
        "fields": fields,
        "problems": problems,
        "prices": texting().SMS_PRICES,
        "say": sms_words,
    }
    return Template(
        "sms_costs.html", context=context, status_code=422 if problems else 200
    )


@get("/sms/{number:int}", include_in_schema=False, guards=[READERS])
async def sms_page(request: StaffRequest, number: FromPath[int]) -> Template:
    """Show one text with its attempts and the provider's receipts."""
    return await _page(request, number)


# Not under /sms/: what providers post there is signed, and bears no form's token.
@get("/texts/{number:int}/again", include_in_schema=False, guards=[SENDERS])
async def ask_why(request: StaffRequest, number: FromPath[int]) -> Template:
    """Ask why a text is to be sent again."""
    return await _page(request, number, asks=True)


@post("/texts/{number:int}/again", include_in_schema=False, guards=[SENDERS])
async def send_again(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """Send a text once more, as a new one, with a reason."""
    reason = data.get("reason", "")
    try:
        sent = await texts.again(number, reason, request.user)
    except BadInput as fault:
        problem = by_hand.sentences(fault, language(request))["reason"]
        return await _page(request, number, asks=True, reason=reason, problem=problem)
    return Redirect(f"/sms/{sent}", status_code=303)


async def _page(
    request: StaffRequest,
    number: int,
    *,
    asks: bool = False,
    reason: str = "",
    problem: str = "",
) -> Template:
    story = await texts.story(number, request.user)
    done = story.text.status not in UNSENT
    context = {
        "story": story,
        "text": story.text,
        "say": sms_words,
        "may_resend": request.user.role is Role.SUPERVISOR and done,
        "asks": asks,
        "reason": reason,
        "problem": problem,
    }
    return Template(
        "sms_text.html", context=context, status_code=422 if problem else 200
    )


ROUTES = [sms_list, sms_catalogue, sms_costs, sms_page, ask_why, send_again]
