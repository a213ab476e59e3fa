"""The officer's desk: confirm receipt, give code and due date, announce the result."""

from dataclasses import replace
from typing import Any

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Template

from postal_track import desk as desks
from postal_track.bookings import Announcement, announce_result
from postal_track.custody import UNACCEPTED, Reason, Role, Step
from postal_track.desk import Tab
from postal_track.errors import BadInput, PostalTrackError, Problem
from postal_track.handoffs import Scan
from postal_track.orders import plain
from postal_track.staff import Actor
from routes import by_hand, clock_words, filters, measured
from routes.by_hand import Ticked, Told
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

OFFICERS = only(Role.OFFICER)


@get("/desk", include_in_schema=False, guards=[OFFICERS])
async def desk_page(
    request: StaffRequest,
    tab: FromQuery[str] = "",
    code: FromQuery[str] = "",
    received: FromQuery[int] = 0,
    registered: FromQuery[str] = "",
    announced: FromQuery[str] = "",
    refused: FromQuery[str] = "",
    returned: FromQuery[str] = "",
    sent: FromQuery[str] = "",
    results: FromQuery[int] = 0,
    supplements: FromQuery[int] = 0,
    over: FromQuery[int] = 0,
) -> Template:
    """Lay out a part of the desk: the wanted, or that of what was scanned."""
    done = {
        "received": received,
        "registered": registered,
        "announced": announced,
        "refused": refused,
        "returned": returned,
        "sent": sent,
        "results": results,
        "supplements": supplements,
        "over": over,
    }
    chosen = filters.chosen(Tab, tab)
    if not code.strip():
        return await show(request, tab=chosen, then=_after(done), done=done)
    try:
        lies, waybill = await desks.locate(request.user, code[:300])
    except PostalTrackError as fault:
        sentence = fault.sentence("en" if language(request) == "en" else "vi")
        problems, typed = {"code": sentence}, {"code": code, "form": "scan"}
        return await show(
            request, tab=chosen, status=422, problems=problems, typed=typed
        )
    return await show(request, tab=lies, focus=waybill)


def _after(done: dict[str, Any]) -> tuple[Tab, ...]:
    """Go on where the work goes on after what was just done."""
    nexts = {
        "received": (Tab.UNREGISTERED,),
        "registered": (Tab.UNREGISTERED, Tab.WORK),
        "announced": (Tab.WORK, Tab.LEAVING),
        "results": (Tab.LEAVING,),
        "refused": (Tab.ARRIVING,),
        "returned": (Tab.RETURNING,),
        "over": (Tab.LEAVING,),
    }
    return next((tabs for name, tabs in nexts.items() if done[name]), ())


@post("/desk/receive", include_in_schema=False, guards=[OFFICERS])
async def receive(request: StaffRequest, data: Form) -> Template | Redirect:
    """Confirm receipt of the ticked items, each by a scan of its own.

    A row's own form may say more of its one item: what was counted, the seal, damage.
    """
    lang = language(request)
    try:
        rows = by_hand.ticked(data)
        found = by_hand.found(data) if len(rows) == 1 else {}
    except BadInput as fault:
        return await _again(request, data, fault, "receive")
    scans = [
        _as_scanned(by_hand.scan(request.user, r, Step.RECEIVED, **found), data)
        for r in rows
    ]
    told = await by_hand.tell(scans, lang)
    if by_hand.smooth(told):
        return Redirect(f"/desk?received={len(told)}", status_code=303)
    status = 409 if any(each.refused for each in told) else 200
    return await show(request, status=status, told=told)


def _as_scanned(said: Scan, form: dict[str, str]) -> Scan:
    """Tell what a scanner read of the label, if one did: only that shows a forgery."""
    read = form.get(f"code.{said.code}", "")[:300]
    return replace(said, code=read) if said.code in read.upper() else said


@post("/desk/refuse", include_in_schema=False, guards=[OFFICERS])
async def refuse(request: StaffRequest, data: Form) -> Template | Redirect:
    """Refuse what a carrier brings; its way back opens by itself."""
    reason = filters.chosen(Reason, data.get("reason", ""))
    try:
        (row, *_) = by_hand.ticked(data)
        if reason not in UNACCEPTED:
            raise BadInput((_no_reason(),))
        note = plain(data.get("note", ""))[:240]
        if reason is Reason.OTHER and not note:
            raise BadInput((_no_note(),))
    except BadInput as fault:
        return await _again(request, data, fault, "refuse")
    said = by_hand.scan(request.user, row, Step.REFUSED, reason=reason, note=note)
    return await _say(request, said, "refused")


@post("/desk/take-back", include_in_schema=False, guards=[OFFICERS])
async def take_back(request: StaffRequest, data: Form) -> Template | Redirect:
    """Confirm that what could not be delivered lies here again."""
    try:
        (row, *_) = by_hand.ticked(data)
        found = by_hand.found(data)
    except BadInput as fault:
        return await _again(request, data, fault, "take-back")
    said = by_hand.scan(request.user, row, Step.RETURNED, **found)
    return await _say(request, said, "returned")


async def _say(request: StaffRequest, said: Scan, done: str) -> Template | Redirect:
    told = await by_hand.tell([said], language(request))
    if by_hand.smooth(told):
        return Redirect(f"/desk?{done}={told[0].waybill}", status_code=303)
    return await show(request, status=409 if told[0].refused else 200, told=told)


def _no_reason() -> Problem:
    return Problem(
        "reason", "Say why it is not taken.", "Hãy chọn lý do không tiếp nhận."
    )


def _no_note() -> Problem:
    return Problem("note", "Say which reason.", "Hãy ghi rõ lý do.")


@post("/desk/register", include_in_schema=False, guards=[OFFICERS])
async def register(request: StaffRequest, data: Form) -> Template | Redirect:
    """Give a received dossier its code and due date."""
    waybill = plain(data.get("waybill", ""))
    try:
        due_on = filters.day(data.get("due_on", ""), "due_on")
        place, code = await desks.registrable(
            waybill, data.get("code", ""), due_on, request.user
        )
        row = Ticked(waybill, by_hand.id_of(data), place)
    except BadInput as fault:
        return await _again(request, data, fault, "register")
    said = by_hand.scan(
        request.user, row, Step.REGISTERED, dossier_code=code, due_on=due_on
    )
    return await _say(request, said, "registered")


@post("/desk/announce", include_in_schema=False, guards=[OFFICERS])
async def announce(request: StaffRequest, data: Form) -> Template | Redirect:
    """Announce that a result is ready; it waits here for the carrier."""
    try:
        said = Announcement(
            id=by_hand.id_of(data),
            token=plain(data.get("token", "")),
            originals=by_hand.count(data, "originals") or 0,
            copies=by_hand.count(data, "copies") or 0,
            fee=by_hand.money(data),
        )
        waybill = await announce_result(said, request.user)
    except BadInput as fault:
        return await _again(request, data, fault, "announce")
    return Redirect(f"/desk?announced={waybill}", status_code=303)


async def _again(
    request: StaffRequest, data: dict[str, str], fault: BadInput, form: str
) -> Template:
    """Show the desk with what was typed and what is wrong with it."""
    problems = by_hand.sentences(fault, language(request))
    typed = {**data, "form": form}
    tab = _TABS[form]
    return await show(request, tab=tab, status=422, problems=problems, typed=typed)


_TABS = {
    "receive": Tab.ARRIVING,
    "refuse": Tab.ARRIVING,
    "take-back": Tab.RETURNING,
    "register": Tab.UNREGISTERED,
    "announce": Tab.WORK,
}


async def show(
    request: StaffRequest,
    *,
    tab: Tab | None = None,
    then: tuple[Tab, ...] = (),
    focus: str = "",
    status: int = 200,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    told: list[Told] | None = None,
    done: dict[str, Any] | None = None,
) -> Template:
    """Show a part of the desk, with what was typed, told and done."""
    laid = await desks.lay(request.user, tab, focus, then)
    lang = language(request)
    context = {
        "desk": laid,
        "section": laid.section,
        "tabs": TABS,
        "cw": clock_words,
        "problems": problems or {},
        "typed": typed or {},
        "told": told or [],
        "done": done or {},
        "fresh": by_hand.fresh,
        "unaccepted": [each for each in Reason if each in UNACCEPTED],
        "name": lambda party: (
            laid.names[party].name_en if lang == "en" else laid.names[party].name
        ),
        "several": len(request.user.desk) > 1,
        **measured.measures(lang),
    }
    return Template("desk.html", context=context, status_code=status)


TABS: dict[Tab, tuple[str, str]] = {
    Tab.ARRIVING: ("Chờ ký nhận", "To receive"),
    Tab.UNREGISTERED: ("Chờ cấp mã", "To register"),
    Tab.WORK: ("Đang giải quyết", "In work"),
    Tab.LEAVING: ("Kết quả chờ giao", "Results to go"),
    Tab.RETURNING: ("Không phát được", "Undelivered"),
    Tab.RECOVERED: ("Giấy tờ cũ về", "Old papers"),
    Tab.COMING: ("Đang đến", "Coming"),
}


@get(
    [
        "/desk/receive",
        "/desk/refuse",
        "/desk/take-back",
        "/desk/register",
        "/desk/announce",
    ],
    include_in_schema=False,
    guards=[OFFICERS],
)
async def back_to_desk() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/desk", status_code=303)


ROUTES = [
    desk_page,
    receive,
    refuse,
    take_back,
    register,
    announce,
    back_to_desk,
]
