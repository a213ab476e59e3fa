"""The list of items for staff, and the page of one item with its whole ledger."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track import boards, charges, readings, records, snapshots
from postal_track import history as histories
from postal_track.boards import Page, Wanted
from postal_track.custody import (
    ERRORS,
    FROM_CITIZEN,
    Custody,
    Leg,
    Party,
    Reason,
    Role,
    Stage,
    Step,
)
from postal_track.errors import BadInput, Conflict, PostalTrackError, Problem
from postal_track.staff import Actor
from routes import by_hand, clock_words, filters, measured, money_words, words
from routes.by_hand import Ticked
from routes.guards import logged_in, only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

FIELDS = (
    "q",
    "stage",
    "agency",
    "office",
    "late",
    "irregular",
    "since",
    "until",
    "before",
)

_STATIONS = (
    (Stage.COLLECTED,),
    (Stage.AT_OFFICE, Stage.IN_TRANSIT),
    (Stage.OUT_FOR_DELIVERY, Stage.ATTEMPTED, Stage.HELD, Stage.MISROUTED),
)
"""The stations between the first and the last; a row's first stage names it."""


@get("/items", include_in_schema=False, guards=[logged_in])
async def item_list(request: StaffRequest) -> Template:
    """List items: searched, filtered, one page of them."""
    fields = {name: request.query_params.get(name, "") for name in FIELDS}
    problems: dict[str, str] = {}
    page = Page([], {}, None)
    try:
        page = await boards.items(_wanted(fields), request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
    agencies, offices = await boards.choices(request.user)
    narrowed = any(fields[name] for name in FIELDS if name not in ("q", "before"))
    return Template(
        "items.html",
        context={
            "page": page,
            "fields": fields,
            "problems": problems,
            "narrowed": narrowed,
            "agencies": agencies,
            "offices": offices,
            "stages": [stage for stage in Stage if stage is not Stage.UNBORN],
            "older": filters.further("/items", fields, page.before)
            if page.before
            else None,
            "may_read": readings.may_read(request.user),
            **measured.measures(language(request)),
        },
        status_code=422 if problems else 200,
    )


def _wanted(fields: dict[str, str]) -> Wanted:
    return Wanted(
        text=fields["q"],
        stage=filters.chosen(Stage, fields["stage"]),
        agency=filters.number(fields["agency"]),
        office=filters.number(fields["office"]),
        late=bool(fields["late"]),
        irregular=bool(fields["irregular"]),
        since=filters.day(fields["since"], "since"),
        until=filters.day(fields["until"], "until"),
        before=filters.key(fields["before"]),
    )


@get("/items/{waybill:str}", include_in_schema=False, guards=[logged_in])
async def item_page(request: StaffRequest, waybill: FromPath[str]) -> Template:
    """Show one item: who holds it, its way, its ledger, its irregularities."""
    return await _page(request, waybill)


@post("/items/{waybill:str}", include_in_schema=False, guards=[logged_in])
async def show_persons(request: StaffRequest, waybill: FromPath[str]) -> Template:
    """Show the persons in clear. A POST, for each showing is written down."""
    return await _page(request, waybill, show=True)


@post(
    "/items/{waybill:str}/irregularities/{number:int}",
    include_in_schema=False,
    guards=[only(Role.SUPERVISOR)],
)
async def end_irregularity(
    request: StaffRequest,
    waybill: FromPath[str],
    number: FromPath[int],
    data: Form,
) -> Template | Redirect:
    """End an irregularity with a sentence."""
    ending = data.get("ending", "")
    try:
        await histories.end_trouble(waybill, number, ending, request.user)
    except (BadInput, Conflict) as fault:
        typed = {"number": number, "ending": ending}
        problem = _sentence(fault, language(request))
        return await _page(request, waybill, typed=typed, problem=problem)
    return Redirect(f"/items/{waybill}#irregularities", status_code=303)


@get(
    "/items/{waybill:str}/irregularities/{number:int}",
    include_in_schema=False,
    guards=[logged_in],
)
async def back_to_item(waybill: FromPath[str], number: FromPath[int]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/items/{waybill}#irregularities", status_code=303)


@post(
    "/items/{waybill:str}/corrections",
    include_in_schema=False,
    guards=[logged_in],
)
async def correct_line(
    request: StaffRequest, waybill: FromPath[str], data: Form
) -> Template | Redirect:
    """Declare a line of the ledger wrong; sent twice it is written once."""
    lang = language(request)
    try:
        row, said = _correction(waybill, data)
    except BadInput as fault:
        told = by_hand.sentences(fault, lang)
        return await _page(request, waybill, correction=data, problems=told)
    scan = by_hand.scan(request.user, row, Step.CORRECTED, **said)
    (outcome,) = await by_hand.tell([scan], lang)
    if outcome.refused:
        told = {"reason": outcome.refused}
        return await _page(request, waybill, correction=data, problems=told)
    number = filters.number(data.get("line", "")) or 1
    return Redirect(f"/items/{waybill}#line-{number}", status_code=303)


def _correction(waybill: str, form: dict[str, str]) -> tuple[Ticked, dict[str, Any]]:
    """Read which line is wrong, why, and how it truly was; raises ``BadInput``."""
    row = by_hand.row(waybill, form.get("id", ""))
    reason = filters.chosen(Reason, form.get("reason", ""))
    if reason not in ERRORS:
        why = Problem("reason", "Say what is wrong.", "Hãy chọn điều gì sai.")
        raise BadInput((why,))
    found = by_hand.found(form)
    if reason is Reason.DID_NOT_OCCUR:  # of what did not occur nothing was counted
        found = {"note": found["note"]}
    corrects = by_hand.row(waybill, form.get("corrects", "")).id
    return row, {"reason": reason, "corrects": corrects, **found}


@get("/items/{waybill:str}/corrections", include_in_schema=False, guards=[logged_in])
async def back_to_ledger(waybill: FromPath[str]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/items/{waybill}#ledger", status_code=303)


def _sentence(fault: PostalTrackError, lang: str) -> str:
    if isinstance(fault, BadInput):
        return " ".join(by_hand.sentences(fault, lang).values())
    return fault.sentence("en" if lang == "en" else "vi")


async def _page(
    request: StaffRequest,
    waybill: str,
    *,
    show: bool = False,
    typed: dict[str, Any] | None = None,
    problem: str = "",
    correction: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Template:
    item = await histories.history(waybill, request.user, show=show)
    lang = language(request)
    return Template(
        "item.html",
        context={
            "item": item,
            "account": await charges.account(waybill, request.user),
            "money_words": money_words,
            "cw": clock_words,
            "now": item.custody,
            "name": lambda party: _name(item.names, party, lang),
            "journey": _journey(item.leg, item.custody, lang),
            "may_read": readings.may_read(request.user),
            "may_end": request.user.role is Role.SUPERVISOR,
            "typed": typed or {},
            "problem": problem,
            "correction": correction or {},
            "problems": problems or {},
            "photos": await snapshots.of_item(item.waybill),
            "fresh": by_hand.fresh,
            "errors": sorted(ERRORS),
            "papered": lambda line: (
                request.user.role in records.MAKERS
                and records.hands_over(line.step, line.taker)
            ),
            **measured.measures(lang),
        },
        status_code=422 if problem or problems else 200,
    )


def _name(names: dict[Party, Any], party: Party, lang: str) -> str:
    named = names[party]
    return str(named.name_en if lang == "en" else named.name)


def _journey(leg: Leg, now: Custody, lang: str) -> list[tuple[str, str]]:
    """Lay the way out in stations: what each is called, and done, now or to come."""
    first = Stage.BOOKED if leg in FROM_CITIZEN else Stage.READY
    last = _last(leg, now)
    stations = ((first,), *_STATIONS, (last,))
    at = next((n for n, stages in enumerate(stations) if now.stage in stages), None)
    if at is None:
        return []  # cancelled, lost: its way is no longer this one
    ended = now.stage is last
    return [
        (
            words.stage(now.stage if n == at else stages[0], lang),
            "done" if n < at or (ended and n == at) else "now" if n == at else "",
        )
        for n, stages in enumerate(stations)
    ]


def _last(leg: Leg, now: Custody) -> Stage:
    if leg is Leg.TRANSFER or leg in FROM_CITIZEN:
        return Stage.REFUSED if now.stage is Stage.REFUSED else Stage.RECEIVED
    return Stage.RETURNED if now.stage is Stage.RETURNED else Stage.DELIVERED


ROUTES = [
    item_list,
    item_page,
    show_persons,
    end_irregularity,
    back_to_item,
    correct_line,
    back_to_ledger,
]
