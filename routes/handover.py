"""Receiving in bulk: a bag is opened or a pile taken over, counted first, item by item.

Pages work without a script: every tap is a form. What may be said of an item, and what
needs a reason, is ``handovers``' to say.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect, Template
from msgspec import Meta

from postal_track import handovers
from postal_track.custody import Party, Reason
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    PostalTrackError,
    Problem,
    UnknownBag,
    UnknownWaybill,
)
from postal_track.handovers import WHY, Found, Mode, Said, Session, Way
from postal_track.records import MAKERS
from postal_track.staff import Actor
from routes import by_hand, filters, measured, words
from routes.guards import only
from routes.language import language
from routes.openapi import answers, refuses
from routes.order_form import Form
from routes.payloads import PartyText

StaffRequest = Request[Actor, str, Any]

RECEIVERS = only(*handovers.RECEIVERS)

FOUND: dict[Found, tuple[str, str]] = {
    Found.PRESENT: ("Có đủ", "There"),
    Found.MISSING: ("Thiếu", "Missing"),
    Found.EXTRA: ("Ngoài danh sách", "Not on the list"),
    Found.MISROUTED: ("Của nơi khác", "For somebody else"),
}


# Pages


@get("/handovers", include_in_schema=False, guards=[RECEIVERS])
async def handovers_page(request: StaffRequest) -> Template:
    """List what waits for the reader's word."""
    return await _list(request)


@post("/handovers", include_in_schema=False, guards=[RECEIVERS])
async def begin(request: StaffRequest, data: Form) -> Template | Redirect:
    """Begin to receive a bag or a pile."""
    lang = language(request)
    try:
        begun = await handovers.begin(
            _id(data),
            request.user,
            way=Way.EACH if data.get("way") == "each" else Way.COUNT,
            bag=data.get("bag", "").strip()[:300] or None,
            giver=_party(data.get("giver", "")),
            receiver=_party(data.get("receiver", "")),
        )
    except (NotFound, NotAllowed):
        raise
    except PostalTrackError as fault:
        named = by_hand.sentences(fault, lang) if isinstance(fault, BadInput) else {}
        problem = " ".join(named.values()) or fault.sentence(
            "en" if lang == "en" else "vi"
        )
        return await _list(request, typed=data, problem=problem, status=409)
    return Redirect(f"/handovers/{begun.id}", status_code=303)


def _id(form: dict[str, str]) -> UUID:
    try:
        return UUID(form.get("id", ""))
    except ValueError:
        return uuid4()


def _party(text: str) -> Party | None:
    try:
        return Party.parse(text) if text else None
    except ValueError as fault:
        raise NotFound from fault


async def _list(
    request: StaffRequest,
    *,
    typed: dict[str, str] | None = None,
    problem: str = "",
    status: int = 200,
) -> Template:
    waits = await handovers.waiting(request.user)
    lang = language(request)
    context = {
        "waits": waits,
        "mine": {request.user.party, *request.user.places},
        "name": lambda party: (
            waits.names[party].name_en if lang == "en" else waits.names[party].name
        ),
        "typed": typed or {},
        "problem": problem,
        "fresh": by_hand.fresh,
        **measured.measures(lang),
    }
    return Template("handovers.html", context=context, status_code=status)


@get("/handovers/{id:uuid}", include_in_schema=False, guards=[RECEIVERS])
async def handover_page(
    request: StaffRequest, id: FromPath[UUID], scanned: FromQuery[str] = ""
) -> Template:
    """Show a session: first the count, then the list, at last what came of it."""
    return await _page(request, id, scanned=scanned)


@post("/handovers/{id:uuid}/count", include_in_schema=False, guards=[RECEIVERS])
async def say_count(
    request: StaffRequest, id: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Say how many there are, before the list is shown."""
    counted = filters.number(data.get("counted", ""))
    if counted is None:
        why = Problem("counted", "Write how many there are.", "Hãy ghi số đã đếm.")
        return await _again(request, id, data, BadInput((why,)))
    try:
        await handovers.count(
            id, request.user, counted, data.get("seal_no"), "seal_broken" in data
        )
    except PostalTrackError as fault:
        return await _again(request, id, data, fault)
    return Redirect(f"/handovers/{id}", status_code=303)


@post("/handovers/{id:uuid}/see", include_in_schema=False, guards=[RECEIVERS])
async def see_one(
    request: StaffRequest, id: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Take note of a scanned item."""
    try:
        line = await handovers.see(id, request.user, data.get("code", "")[:300])
    except PostalTrackError as fault:
        return await _again(request, id, data, fault, field="code")
    return Redirect(f"/handovers/{id}?scanned={line.waybill}#scan", status_code=303)


@post("/handovers/{id:uuid}/settle", include_in_schema=False, guards=[RECEIVERS])
async def settle_one(
    request: StaffRequest, id: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Say what became of one item."""
    try:
        await handovers.settle(id, request.user, [_said(data)])
    except PostalTrackError as fault:
        return await _again(request, id, data, fault)
    anchor = data.get("waybill", "")[:13]
    return Redirect(f"/handovers/{id}?scanned={anchor}#list", status_code=303)


def _said(form: dict[str, str]) -> Said:
    waybill = form.get("waybill", "")[:13]
    try:
        outcome = Found(form.get("outcome", ""))
        reason = Reason(form["reason"]) if form.get("reason") else None
    except ValueError as fault:
        why = Problem(waybill, "Choose what it is.", "Hãy chọn tình trạng.")
        raise BadInput((why,)) from fault
    return Said(waybill, outcome, reason, form.get("note", "")[:240])


@post("/handovers/{id:uuid}/rest", include_in_schema=False, guards=[RECEIVERS])
async def rest_is_here(
    request: StaffRequest, id: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Say that all the others are there. Nothing that differs is said in bulk."""
    seen = await handovers.session(id, request.user)
    rest = [
        Said(line.waybill, Found.PRESENT)
        for line in seen.unsettled
        if line.announced and not line.astray
    ]
    try:
        await handovers.settle(id, request.user, rest)
    except PostalTrackError as fault:
        return await _again(request, id, data, fault)
    return Redirect(f"/handovers/{id}#end", status_code=303)


@post("/handovers/{id:uuid}/finish", include_in_schema=False, guards=[RECEIVERS])
async def end(
    request: StaffRequest, id: FromPath[UUID], data: Form
) -> Template | Redirect:
    """End the session."""
    mode = Mode.ROLLBACK if data.get("mode") == "rollback" else Mode.PROCEED
    try:
        await handovers.finish(id, request.user, mode, (), data.get("note", ""))
    except PostalTrackError as fault:
        return await _again(request, id, data, fault)
    return Redirect(f"/handovers/{id}", status_code=303)


@post("/handovers/{id:uuid}/cancel", include_in_schema=False, guards=[RECEIVERS])
async def leave_off(
    request: StaffRequest, id: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Leave off without receiving anything."""
    try:
        await handovers.cancel(id, request.user)
    except PostalTrackError as fault:
        return await _again(request, id, data, fault)
    return Redirect("/handovers", status_code=303)


async def _again(
    request: StaffRequest,
    id: UUID,
    data: dict[str, str],
    fault: PostalTrackError,
    field: str = "",
) -> Template:
    """Show the session with what was typed and what is wrong."""
    if isinstance(fault, NotFound):
        raise fault
    lang = language(request)
    if isinstance(fault, BadInput):
        problems = by_hand.sentences(fault, lang)
    else:
        problems = {field: fault.sentence("en" if lang == "en" else "vi")}
    status = 409 if isinstance(fault, Conflict) else 422
    return await _page(request, id, problems=problems, typed=data, status=status)


async def _page(
    request: StaffRequest,
    id: UUID,
    *,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    scanned: str = "",
    status: int = 200,
) -> Template:
    seen = await handovers.session(id, request.user)
    lang = language(request)
    lines = seen.lines or []
    context = {
        "it": seen,
        "line": next((each for each in lines if each.waybill == scanned), None),
        "writes": request.user.role in MAKERS,
        "receives": seen.receiver in {request.user.party, *request.user.places},
        "name": lambda party: (
            seen.names[party].name_en if lang == "en" else seen.names[party].name
        ),
        "found": lambda outcome: words.choose(FOUND[outcome], lang),
        "why": {
            outcome.value: [(r.value, words.reason(r, lang)) for r in reasons]
            for outcome, reasons in WHY.items()
        },
        "problems": problems or {},
        "typed": typed or {},
        **measured.measures(lang),
    }
    return Template("handover.html", context=context, status_code=status)


@get(
    [
        f"/handovers/{{id:uuid}}/{act}"
        for act in ("count", "see", "settle", "rest", "finish", "cancel", "record")
    ],
    include_in_schema=False,
    guards=[RECEIVERS],
)
async def back_to_handover(id: FromPath[UUID]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/handovers/{id}", status_code=303)


# The API


class NewHandover(msgspec.Struct, forbid_unknown_fields=True):
    """A session to begin: a bag by its code, or a giver.

    ``id`` is the caller's own: the same id is begun once. ``way``: ``count`` shows
    nothing before the count.
    """

    id: UUID
    way: Way = Way.COUNT
    bag: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    giver: PartyText | None = None
    receiver: PartyText | None = None


class Counted(msgspec.Struct, forbid_unknown_fields=True):
    """How many there are, and the seal as it was found."""

    counted: Annotated[int, Meta(ge=0, le=handovers.MOST_COUNTED)]
    seal_no: Annotated[str, Meta(max_length=20)] | None = None
    seal_broken: bool = False


class SeenCode(msgspec.Struct, forbid_unknown_fields=True):
    """What a scanner read of an item on the table."""

    code: Annotated[str, Meta(min_length=1, max_length=300)]


class LineSaid(msgspec.Struct, forbid_unknown_fields=True):
    """What one item came to. All but ``present`` needs a reason; ``other`` a note."""

    waybill: Annotated[str, Meta(max_length=13)]
    outcome: Found
    reason: Reason | None = None
    note: Annotated[str, Meta(max_length=240)] = ""


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    """The end of a session: ``rollback`` moves nothing when anything differs.

    ``note``: why the count differs from what was found.
    """

    mode: Mode
    lines: Annotated[list[LineSaid], Meta(max_length=5_000)] = []
    note: Annotated[str, Meta(max_length=240)] = ""


class LineTold(msgspec.Struct, omit_defaults=True):
    """One item of a session."""

    waybill: str
    announced: bool
    outcome: str | None = None
    reason: str | None = None
    note: str = ""


class HandoverTold(msgspec.Struct, omit_defaults=True):
    """A session. ``lines`` is absent while they are to be counted blindly."""

    id: str
    giver: str
    receiver: str
    way: str
    begun_at: datetime
    bag: str | None = None
    counted: int | None = None
    ending: str | None = None
    ended_at: datetime | None = None
    lines: list[LineTold] | None = None


_ID = UUID("0196f0c2-0000-7000-8000-000000000001")
_EXAMPLE = HandoverTold(
    id=str(_ID),
    giver="staff:4",
    receiver="agency:2",
    way="count",
    begun_at=datetime.fromisoformat("2026-03-02T01:00:00+00:00"),
    bag="DT000000014VN",
    counted=2,
    lines=[
        LineTold("DH123456785VN", True, "present"),
        LineTold("DH123456799VN", True, "missing", "not_found"),
    ],
)


def _told(seen: Session) -> HandoverTold:
    lines = [
        LineTold(
            each.waybill,
            each.announced,
            each.outcome.value if each.outcome else None,
            each.reason.value if each.reason else None,
            each.note,
        )
        for each in seen.lines or ()
    ]
    return HandoverTold(
        id=str(seen.id),
        giver=str(seen.giver),
        receiver=str(seen.receiver),
        way=seen.way.value,
        begun_at=seen.begun_at,
        bag=seen.bag,
        counted=seen.counted,
        ending=seen.ending,
        ended_at=seen.ended_at,
        lines=None if seen.lines is None else lines,
    )


_GONE = Conflict(why="it has ended", why_vi="phiên nhận đã kết thúc")
_UNSAID = BadInput((Problem("DH123456799VN", "Give a reason.", "Hãy ghi lý do."),))


@post(
    "/api/handovers",
    guards=[RECEIVERS],
    tags=["Handovers"],
    summary="Begin to receive",
    description=(
        "Open a closed bag, or take over what a giver has promised. Whoever begins "
        "what a colleague has begun joins him."
    ),
    responses=answers(201, HandoverTold, _EXAMPLE, "The session")
    | refuses(
        400, NotLoggedIn(), NotAllowed(), UnknownBag("DT000000014VN"), NotFound(), _GONE
    ),
)
async def begin_for_program(
    request: StaffRequest,
    data: Annotated[
        NewHandover,
        Body(examples=[Example(value={"id": str(_ID), "bag": "DT000000014VN"})]),
    ],
) -> HandoverTold:
    """Begin a session."""
    begun = await handovers.begin(
        data.id,
        request.user,
        way=data.way,
        bag=data.bag,
        giver=Party.parse(data.giver) if data.giver else None,
        receiver=Party.parse(data.receiver) if data.receiver else None,
    )
    return _told(begun)


@get(
    "/api/handovers/{id:uuid}",
    guards=[RECEIVERS],
    tags=["Handovers"],
    summary="Look at a session",
    description="For both sides. While it is to be counted, without its lines.",
    responses=answers(200, HandoverTold, _EXAMPLE, "The session")
    | refuses(400, NotLoggedIn(), NotAllowed(), NotFound()),
)
async def look_for_program(request: StaffRequest, id: FromPath[UUID]) -> HandoverTold:
    """Look at a session."""
    return _told(await handovers.session(id, request.user))


@post(
    "/api/handovers/{id:uuid}/count",
    status_code=200,
    guards=[RECEIVERS],
    tags=["Handovers"],
    summary="Say the count",
    description="Once, before the list is shown; with the seal as it was found.",
    responses=answers(200, HandoverTold, _EXAMPLE, "The session, with its lines")
    | refuses(400, NotLoggedIn(), NotAllowed(), NotFound(), _GONE),
)
async def count_for_program(
    request: StaffRequest,
    id: FromPath[UUID],
    data: Annotated[Counted, Body(examples=[Example(value={"counted": 12})])],
) -> HandoverTold:
    """Say how many there are."""
    return _told(
        await handovers.count(
            id, request.user, data.counted, data.seal_no, data.seal_broken
        )
    )


@post(
    "/api/handovers/{id:uuid}/lines",
    status_code=200,
    guards=[RECEIVERS],
    tags=["Handovers"],
    summary="Scan an item on the table",
    description="It is there; one that is not on the list gets a line of its own.",
    responses=answers(
        200, LineTold, LineTold("DH123456785VN", True, "present"), "Its line"
    )
    | refuses(
        400,
        NotLoggedIn(),
        NotAllowed(),
        NotFound(),
        UnknownWaybill("DH123456785VN"),
        _GONE,
    ),
)
async def see_for_program(
    request: StaffRequest,
    id: FromPath[UUID],
    data: Annotated[
        SeenCode, Body(examples=[Example(value={"code": "DH123456785VN"})])
    ],
) -> LineTold:
    """Take note of a scanned item."""
    line = await handovers.see(id, request.user, data.code)
    outcome = line.outcome.value if line.outcome else None
    return LineTold(line.waybill, line.announced, outcome)


@post(
    "/api/handovers/{id:uuid}/finish",
    status_code=200,
    guards=[RECEIVERS],
    tags=["Handovers"],
    summary="End a session",
    description=(
        "Custody of what is there moves, what is missing is reported. Every item needs "
        "an outcome and every difference a reason; `fields` names those that lack one."
    ),
    responses=answers(200, HandoverTold, _EXAMPLE, "The session, ended")
    | refuses(400, NotLoggedIn(), NotAllowed(), NotFound(), _GONE, _UNSAID),
)
async def finish_for_program(
    request: StaffRequest,
    id: FromPath[UUID],
    data: Annotated[
        Ending,
        Body(
            examples=[
                Example(
                    value={
                        "mode": "proceed",
                        "lines": [
                            {
                                "waybill": "DH123456799VN",
                                "outcome": "missing",
                                "reason": "not_found",
                            }
                        ],
                    }
                )
            ]
        ),
    ],
) -> HandoverTold:
    """End a session."""
    said = [
        Said(each.waybill, each.outcome, each.reason, each.note) for each in data.lines
    ]
    return _told(await handovers.finish(id, request.user, data.mode, said, data.note))


ROUTES = [
    handovers_page,
    begin,
    handover_page,
    say_count,
    see_one,
    settle_one,
    rest_is_here,
    end,
    leave_off,
    back_to_handover,
    begin_for_program,
    look_for_program,
    count_for_program,
    see_for_program,
    finish_for_program,
]
