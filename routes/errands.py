"""What an agency asks the post to carry besides: a page for people, JSON for programs.

Sends papers back, asks for a supplement, hands over the appointment slip, transfers.
What an errand must have is ``errands.send``'s to say.
"""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, Parameter
from litestar.response import Redirect, Template

from postal_track import catalogue
from postal_track import errands as rules
from postal_track.custody import UNACCEPTED, Leg, Reason, Role
from postal_track.directory import names
from postal_track.errands import ERRANDS, Errand
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    Problem,
)
from postal_track.orders import plain
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import by_hand, filters
from routes.guards import only
from routes.language import language
from routes.openapi import answers, example, refuses
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

OFFICERS = only(Role.OFFICER)

LARGEST_ERRAND = 16 * 1024
"""Bytes of JSON: an errand has seven short fields."""


# The page


@get("/desk/errands/{token:str}", include_in_schema=False, guards=[OFFICERS])
async def errand_page(request: StaffRequest, token: FromPath[str]) -> Template:
    """Ask what is to be carried for this dossier."""
    return await _page(request, token)


@post("/desk/errands/{token:str}", include_in_schema=False, guards=[OFFICERS])
async def send_errand(
    request: StaffRequest, token: FromPath[str], data: Form
) -> Template | Redirect:
    """Open the leg that is asked for; the same form twice is one leg."""
    lang = language(request)
    try:
        waybill = await rules.send(_errand(token, data), request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        return await _page(request, token, data, problems)
    except Conflict as fault:
        problems = {"leg": fault.sentence("en" if lang == "en" else "vi")}
        return await _page(request, token, data, problems)
    return Redirect(f"/desk?sent={waybill}", status_code=303)


def _errand(token: str, form: dict[str, str]) -> Errand:
    leg = filters.chosen(Leg, form.get("leg", ""))
    if leg not in ERRANDS:
        why = Problem("leg", "Choose an errand.", "Hãy chọn việc cần chuyển.")
        raise BadInput((why,))
    return Errand(
        id=by_hand.id_of(form),
        token=plain(token),
        leg=leg,
        originals=by_hand.count(form, "originals") or 0,
        copies=by_hand.count(form, "copies") or 0,
        # Fields of another errand may have been filled in before this one was chosen.
        reason=filters.chosen(Reason, form.get("reason", ""))
        if leg is Leg.BRING_BACK
        else None,
        until=filters.day(form.get("until", ""), "until")
        if leg is Leg.SUPPLEMENT
        else None,
        to=plain(form.get("to", "")) if leg is Leg.TRANSFER else "",
    )


async def _page(
    request: StaffRequest,
    token: str,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Template:
    case = await rules.case(token, request.user)
    named = (await names({case.agency}))[case.agency]
    return Template(
        "errand.html",
        context={
            "case": case,
            "agency": named.name_en if language(request) == "en" else named.name,
            "legs": ERRANDS,
            "reasons": [each for each in Reason if each in UNACCEPTED],
            "agencies": await catalogue.agencies(),
            "typed": typed or {},
            "problems": problems or {},
            "fresh": by_hand.fresh,
        },
        status_code=422 if problems else 200,
    )


# JSON


class ErrandIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be carried. ``id`` is yours: twice is once.

    ``leg``: bring_back (papers go back to the citizen; needs ``reason``), supplement
    (papers are asked of the citizen; needs ``until``), slip (the receipt and
    appointment slip), transfer (needs ``to``, another agency's code).
    """

    id: UUID
    leg: Leg
    originals: int
    copies: int
    reason: Reason | None = None
    until: date | None = None
    to: str = ""


class ErrandOut(msgspec.Struct):
    """The item that is carried, and where the label to print for it is."""

    waybill: str
    label: str


_ERRAND = ErrandIn(
    UUID("0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c13"),
    Leg.BRING_BACK,
    1,
    0,
    Reason.MISSING_PAPERS,
)
_ASKED = ErrandIn(
    UUID("0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c14"),
    Leg.SUPPLEMENT,
    2,
    1,
    until=date(2026, 12, 15),
)
_NO_REASON = BadInput(
    (Problem("reason", "Say why they go back.", "Hãy chọn lý do trả lại."),)
)
_UNDER_WAY = Conflict(
    why="such papers are under way as DH123456785VN",
    why_vi="giấy tờ loại này đang được chuyển, mã DH123456785VN",
)


@post(
    "/api/dossiers/{token:str}/errands",
    guards=[OFFICERS],
    status_code=201,
    request_max_body_size=LARGEST_ERRAND,
    summary="Ask for an errand",
    description=(
        "The agency sends a dossier's papers back, asks the citizen for a supplement, "
        "hands over the appointment slip or transfers the dossier to another agency. "
        "Each is an item of its own with its waybill, under the same law of custody; "
        "the citizen is told by SMS where he has to know. Safe to repeat: the same "
        "`id` has one answer. Such an item already under way is a conflict."
    ),
    tags=["Orders"],
    responses={
        **answers(
            201,
            ErrandOut,
            ErrandOut("DH123456785VN", "/labels/DH123456785VN.pdf"),
            "The item, opened now or at the first time it was asked for",
        ),
        **refuses(
            400, NotLoggedIn(), NotAllowed(), NotFound(), _UNDER_WAY, 413, _NO_REASON
        ),
    },
)
async def ask_for_errand(
    request: StaffRequest,
    token: Annotated[
        str,
        Parameter(
            max_length=22,
            description="The dossier's token, from its order.",
            examples=[Example(value="q3Jt0pXv7mZk2aWc9bYd1A")],
        ),
    ],
    data: Annotated[
        ErrandIn,
        Body(examples=[example(_ERRAND, "Back"), example(_ASKED, "Supplement")]),
    ],
) -> ErrandOut:
    """Open the leg that an agency's program asks for."""
    said = Errand(
        id=data.id,
        token=token,
        leg=data.leg,
        originals=data.originals,
        copies=data.copies,
        reason=data.reason,
        until=data.until,
        to=data.to,
    )
    waybill = await rules.send(said, request.user)
    return ErrandOut(waybill, f"{settings().PUBLIC_URL}/labels/{waybill}.pdf")


ROUTES = [errand_page, send_errand, ask_for_errand]
