"""What is done with many at once at a desk: refused, asked for, handed over.

Every item keeps a reason and a count of its own; a reason for all is given to each that
has none. A list of which something cannot stand is shown again as it was typed.
"""

from datetime import date
from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template

from postal_track import desk as desks
from postal_track import errands
from postal_track.custody import UNACCEPTED, Leg, Party, PartyKind, Reason, Role, Step
from postal_track.desk import Slip, Tab
from postal_track.errands import Errand
from postal_track.errors import BadInput, PostalTrackError, Problem
from postal_track.handoffs import Scan
from postal_track.orders import plain
from postal_track.staff import Actor
from routes import by_hand, filters, measured
from routes import desk as pages
from routes.by_hand import Ticked, Told
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

OFFICERS = only(Role.OFFICER)


# Refusing


@post("/desk/refusals", include_in_schema=False, guards=[OFFICERS], status_code=200)
async def refuse_ticked(request: StaffRequest, data: Form) -> Template | Redirect:
    """Ask why each of the ticked is refused; then refuse them, all or those in order.

    The ticks of the desk come without reasons: then the page only asks.
    """
    lang = language(request)
    try:
        rows = by_hand.ticked(data)
    except BadInput as fault:
        return await _refusals(request, data, by_hand.sentences(fault, lang))
    if "asked" not in data:
        return await _refusals(request, data, {})
    said, problems = _refused(request.user, rows, data, lang)
    told: list[Told] = []
    if said and (data.get("mode") == "partly" or not problems):
        told = await by_hand.tell(said, lang)
    if not problems and by_hand.smooth(told):
        return Redirect(f"/desk?refused={len(told)}", status_code=303)
    return await _refusals(request, data, problems, told)


def _refused(
    actor: Actor, rows: list[Ticked], form: dict[str, str], lang: str
) -> tuple[list[Scan], dict[str, str]]:
    said, problems = [], {}
    for row in rows:
        own = form.get(f"reason.{row.waybill}", "") or form.get("reason", "")
        reason = filters.chosen(Reason, own)
        note = plain(form.get(f"note.{row.waybill}", ""))[:240]
        if reason not in UNACCEPTED:
            problems[row.waybill] = (
                "Say why it is not taken."
                if lang == "en"
                else "Hãy chọn lý do không tiếp nhận."
            )
        elif reason is Reason.OTHER and not note:
            problems[row.waybill] = (
                "Say which reason." if lang == "en" else "Hãy ghi rõ lý do."
            )
        else:
            scan = by_hand.scan(actor, row, Step.REFUSED, reason=reason, note=note)
            said.append(scan)
    return said, problems


async def _refusals(
    request: StaffRequest,
    typed: dict[str, str],
    problems: dict[str, str],
    told: list[Told] | None = None,
) -> Template:
    section = await desks.section(request.user, Tab.ARRIVING)
    ticked = [
        slip
        for slip in section.slips
        if f"item.{slip.waybill}" in typed and slip.stage in desks.AT_THE_COUNTER
    ]
    left = [
        slip
        for slip in section.slips
        if f"item.{slip.waybill}" in typed and slip not in ticked
    ]
    return await _page(
        request,
        "refusals.html",
        ticked,
        typed,
        problems,
        left=left,
        told=told or [],
        unaccepted=[each for each in Reason if each in UNACCEPTED],
    )


# Asking for papers


@post("/desk/supplements", include_in_schema=False, guards=[OFFICERS], status_code=200)
async def ask_ticked(request: StaffRequest, data: Form) -> Template | Redirect:
    """Ask how many papers are wanted for each of the ticked, and by when; then ask."""
    lang = language(request)
    try:
        rows = by_hand.ticked(data)
    except BadInput as fault:
        return await _supplements(request, data, by_hand.sentences(fault, lang))
    if "asked" not in data:
        return await _supplements(request, data, {})
    slips = {slip.waybill: slip for slip in await _lying(request.user)}
    said, problems = _asked(rows, slips, data, lang)
    done: dict[str, str] = {}
    partly = data.get("mode") == "partly"
    if said and (partly or not problems):
        by_token = {slip.token: slip.waybill for slip in slips.values()}
        for each in await errands.send_each(said, request.user, partly=partly):
            if each.error is not None:
                problems[by_token[each.token]] = _sentence(each.error, lang)
            elif each.waybill:
                done[by_token[each.token]] = each.waybill
    if not problems:
        return Redirect(f"/desk?supplements={len(done)}", status_code=303)
    return await _supplements(request, data, problems, done)


def _asked(
    rows: list[Ticked], slips: dict[str, Slip], form: dict[str, str], lang: str
) -> tuple[list[Errand], dict[str, str]]:
    said, problems = [], {}
    for row in rows:
        slip = slips.get(row.waybill)
        if slip is None:
            why = ("Hồ sơ không còn ở đây.", "It does not lie here any more.")
            problems[row.waybill] = why[1] if lang == "en" else why[0]
            continue
        try:
            said.append(_errand(row, slip, form))
        except BadInput as fault:
            problems[row.waybill] = _sentence(fault, lang)
    return said, problems


def _errand(row: Ticked, slip: Slip, form: dict[str, str]) -> Errand:
    return Errand(
        id=row.id,
        token=slip.token,
        leg=Leg.SUPPLEMENT,
        originals=by_hand.count(form, f"originals.{row.waybill}") or 0,
        copies=by_hand.count(form, f"copies.{row.waybill}") or 0,
        until=_until(form, row.waybill),
    )


def _until(form: dict[str, str], waybill: str) -> date | None:
    own = form.get(f"until.{waybill}", "") or form.get("until", "")
    return filters.day(own, "until")


async def _lying(actor: Actor) -> list[Slip]:
    """List what was received and lies with us: with a code or without."""
    bare = await desks.section(actor, Tab.UNREGISTERED)
    work = await desks.section(actor, Tab.WORK)
    return [slip for slip in (*bare.slips, *work.slips) if slip.waybill]


async def _supplements(
    request: StaffRequest,
    typed: dict[str, str],
    problems: dict[str, str],
    done: dict[str, str] | None = None,
) -> Template:
    lying = await _lying(request.user)
    ticked = [
        slip
        for slip in lying
        if f"item.{slip.waybill}" in typed and slip.waybill not in (done or {})
    ]
    return await _page(
        request, "supplements.html", ticked, typed, problems, asked=done or {}
    )


# Handing over


@post("/desk/hand-over", include_in_schema=False, guards=[OFFICERS])
async def hand_over(request: StaffRequest, data: Form) -> Template | Redirect:
    """Release the ticked to the carrier who fetches them, once they were counted.

    He counts them blindly before he accepts; a count that differs here is looked into
    before anything is said.
    """
    lang = language(request)
    try:
        rows = by_hand.ticked(data)
        to = _carrier(data.get("to", ""), (await _carriers(request.user)))
        _counted(by_hand.count(data, "counted"), len(rows))
    except BadInput as fault:
        return await _leaving(request, data, by_hand.sentences(fault, lang))
    told = await by_hand.tell(
        [by_hand.scan(request.user, row, Step.RELEASED, to=to) for row in rows], lang
    )
    if by_hand.smooth(told):
        return Redirect(f"/desk?over={len(told)}", status_code=303)
    return await _leaving(request, data, {}, told)


async def _carriers(actor: Actor) -> list[Party]:
    return (await desks.lay(actor, Tab.LEAVING)).carriers


def _carrier(text: str, known: list[Party]) -> Party:
    try:
        party = Party.parse(text)
    except ValueError:
        party = Party(PartyKind.SYSTEM)
    if party not in known:
        why = Problem("to", "Choose the carrier.", "Hãy chọn bưu tá đến lấy.")
        raise BadInput((why,))
    return party


def _counted(counted: int | None, ticked: int) -> None:
    if counted is None:
        why = Problem(
            "counted", "Count the envelopes.", "Hãy đếm số phong bì đưa cho bưu tá."
        )
        raise BadInput((why,))
    if counted != ticked:
        why = Problem(
            "counted",
            f"You counted {counted}, but {ticked} are ticked: compare them.",
            f"Đếm được {counted} nhưng đã chọn {ticked}: hãy đối chiếu lại.",
        )
        raise BadInput((why,))


async def _leaving(
    request: StaffRequest,
    typed: dict[str, str],
    problems: dict[str, str],
    told: list[Told] | None = None,
) -> Template:
    status = 422 if problems else 409 if any(e.refused for e in told or ()) else 200
    return await pages.show(
        request,
        tab=Tab.LEAVING,
        status=status,
        problems=problems,
        typed={**typed, "form": "over"},
        told=told,
    )


# Pages


def _sentence(fault: PostalTrackError, lang: str) -> str:
    if isinstance(fault, BadInput):
        return " ".join(by_hand.sentences(fault, lang).values())
    return fault.sentence("en" if lang == "en" else "vi")


async def _page(
    request: StaffRequest,
    template: str,
    slips: list[Slip],
    typed: dict[str, str],
    problems: dict[str, str],
    **more: Any,
) -> Template:
    context = {
        "slips": slips,
        "typed": typed,
        "problems": problems,
        "fresh": by_hand.fresh,
        **more,
        **measured.measures(language(request)),
    }
    refused = any(each.refused for each in more.get("told", ()))
    status = 422 if problems else 409 if refused else 200
    return Template(template, context=context, status_code=status)


@get(
    ["/desk/refusals", "/desk/supplements", "/desk/hand-over"],
    include_in_schema=False,
    guards=[OFFICERS],
)
async def back_to_desk() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/desk", status_code=303)


ROUTES = [refuse_ticked, ask_ticked, hand_over, back_to_desk]
