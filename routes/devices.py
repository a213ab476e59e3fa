"""Phones and desks that people log in with: a page, and JSON for programs.

Whose phone may be signed out by whom is ``lost``'s to say.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, Parameter
from litestar.response import Redirect, Template
from msgspec import Meta

from postal_track import lost
from postal_track.errors import BadInput, NotAllowed, NotFound, NotLoggedIn, Problem
from postal_track.lost import WARDENS, Phone
from postal_track.staff import Actor
from routes import by_hand, measured
from routes.guards import logged_in
from routes.language import language
from routes.openapi import answers, example, refuses
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]


# The page


@get("/devices", include_in_schema=False, guards=[logged_in])
async def device_page(request: StaffRequest) -> Template:
    """List my phones, and for a supervisor those of his office."""
    return await _page(request)


@post("/devices/{device:str}/name", include_in_schema=False, guards=[logged_in])
async def name_phone(
    request: StaffRequest, device: FromPath[str], data: Form
) -> Template | Redirect:
    """Give a phone a name."""
    try:
        await lost.call(device, data.get("name", ""), request.user)
    except BadInput as fault:
        return await _page(request, device, fault)
    return Redirect(f"/devices#{device}", status_code=303)


@post("/devices/{device:str}/out", include_in_schema=False, guards=[logged_in])
async def sign_phone_out(
    request: StaffRequest, device: FromPath[str], data: Form
) -> Template | Redirect:
    """Sign a phone out from afar."""
    try:
        await lost.sign_out(device, data.get("why", ""), request.user)
    except BadInput as fault:
        return await _page(request, device, fault)
    here = device == request.user.device
    return Redirect("/login" if here else f"/devices#{device}", status_code=303)


@post("/devices/{device:str}/in", include_in_schema=False, guards=[logged_in])
async def let_phone_in(request: StaffRequest, device: FromPath[str]) -> Redirect:
    """Let a phone in again."""
    await lost.let_in(device, request.user)
    return Redirect(f"/devices#{device}", status_code=303)


@get(
    [f"/devices/{{device:str}}/{what}" for what in ("name", "out", "in")],
    include_in_schema=False,
    guards=[logged_in],
)
async def back_to_devices(device: FromPath[str]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/devices#{device}", status_code=303)


async def _page(
    request: StaffRequest, device: str = "", fault: BadInput | None = None
) -> Template:
    lang = language(request)
    context = {
        "phones": await lost.phones(request.user),
        "warden": request.user.role in WARDENS,
        "device": device,
        "problems": by_hand.sentences(fault, lang) if fault else {},
        **measured.measures(lang),
    }
    return Template("devices.html", context=context, status_code=422 if fault else 200)


# JSON


class Device(msgspec.Struct, omit_defaults=True):
    """A phone or desk. ``skew_ms``: its clock less ours, when last measured.

    ``told_at``: when it learnt that it is out, and so wiped itself.
    """

    id: str
    name: str
    agent: str
    person: str
    office: str
    first_seen: datetime
    last_seen: datetime
    out: bool
    skew_ms: int | None = None
    signed_out_at: datetime | None = None
    signed_out_by: str = ""
    why: str = ""
    told_at: datetime | None = None


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """Why a phone is signed out."""

    why: Annotated[str, Meta(min_length=1, max_length=240)]


_SEEN = datetime.fromisoformat("2026-11-23T02:14:58Z")
_DEVICE = Device(
    "web-9a573f2d5f3a",
    "Bưu tá 12 - Samsung",
    "Mozilla/5.0 (Linux; Android 14; SM-A155F)",
    "Nguyễn Văn An",
    "Bưu cục Long Xuyên",
    _SEEN,
    _SEEN,
    out=False,
    skew_ms=-1800,
)
_ID = Parameter(
    max_length=40,
    description="What the phone calls itself.",
    examples=[Example(value="web-9a573f2d5f3a")],
)
_NO_WHY = BadInput((Problem("why", "Say why.", "Hãy ghi lý do."),))


@get(
    "/api/devices",
    guards=[logged_in],
    summary="Phones",
    description="Mine; for a supervisor those of his office, for an admin all.",
    tags=["Devices"],
    responses=answers(200, list[Device], [_DEVICE], "Mine first, then the silent ones")
    | refuses(NotLoggedIn()),
)
async def list_devices(request: StaffRequest) -> list[Device]:
    """List the phones within reach."""
    return [_told(each) for each in await lost.phones(request.user)]


@post(
    "/api/devices/{device:str}/out",
    guards=[logged_in],
    status_code=204,
    summary="Sign a phone out",
    description=(
        "Its sessions end at once; its next request is answered 401 `DeviceSignedOut`, "
        "upon which it takes all personal data off itself. What it has scanned and not "
        "sent stays on it, and is taken only under a login after it was let in again."
    ),
    tags=["Devices"],
    responses=refuses(400, NotLoggedIn(), NotFound(), _NO_WHY),
)
async def sign_device_out(
    request: StaffRequest,
    device: Annotated[str, _ID],
    data: Annotated[Why, Body(examples=[example(Why("left in a taxi"))])],
) -> None:
    """Sign a phone out from afar."""
    await lost.sign_out(device, data.why, request.user)


@post(
    "/api/devices/{device:str}/in",
    guards=[logged_in],
    status_code=204,
    summary="Let a phone in again",
    description="For supervisors and admins.",
    tags=["Devices"],
    responses=refuses(400, NotLoggedIn(), NotAllowed(), NotFound()),
)
async def let_device_in(request: StaffRequest, device: Annotated[str, _ID]) -> None:
    """Let a phone log in again."""
    await lost.let_in(device, request.user)


def _told(phone: Phone) -> Device:
    return Device(
        id=phone.id,
        name=phone.name,
        agent=phone.agent,
        person=phone.staff,
        office=phone.office,
        first_seen=phone.first_seen,
        last_seen=phone.last_seen,
        out=phone.out,
        skew_ms=phone.skew_ms,
        signed_out_at=phone.signed_out_at if phone.out else None,
        signed_out_by=phone.signed_out_by if phone.out else "",
        why=phone.why if phone.out else "",
        told_at=phone.told_at if phone.out else None,
    )


ROUTES = [
    device_page,
    name_phone,
    sign_phone_out,
    let_phone_in,
    back_to_devices,
    list_devices,
    sign_device_out,
    let_device_in,
]
