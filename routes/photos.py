"""Photos of envelopes: taken on the way, sent by a phone's queue, seen by staff."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from postal_track import snapshots
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    Problem,
)
from postal_track.snapshots import LARGEST_UPLOAD, Taken
from postal_track.staff import Actor
from routes.guards import logged_in, only
from routes.openapi import answers, refuses

StaffRequest = Request[Actor, str, Any]


class PhotoIn(msgspec.Struct):
    """A photo as a form sends it. ``id`` is yours: twice is once.

    ``code``: what a scanner gave. ``at``: the phone's time. ``scan``: the id of the
    scan that it goes with, if any.
    """

    id: UUID
    code: str
    photo: UploadFile
    at: datetime | None = None
    scan: UUID | None = None
    device: str = ""


class PhotoOut(msgspec.Struct):
    """A photo that is kept. ``digest``: SHA-256 of the picture as it is kept."""

    id: UUID
    waybill: str
    digest: str
    link: str


_ID = UUID("0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c15")
_PHOTO = PhotoOut(
    _ID, "DH123456785VN", "9f86d081884c7d65…", f"/items/DH123456785VN/photos/{_ID}"
)

_SENT = {
    "id": str(_ID),
    "code": "DH123456785VN",
    "photo": "(the file)",
    "at": "2026-11-23T02:14:58Z",
    "device": "web-9a573f2d5f3a",
}


@post(
    "/api/photos",
    guards=[only(*snapshots.TAKERS)],
    status_code=200,
    request_max_body_size=LARGEST_UPLOAD + 64 * 1024,
    summary="Keep a photo of an envelope",
    description=(
        "As a form (multipart) with `id`, `code`, `photo` and perhaps `at`, `scan`, "
        "`device`. JPEG or PNG, known by its content; it is encoded anew, so that no "
        "place and no camera stays in it. Safe to repeat: the same `id` is kept once. "
        "Never photograph an ID card."
    ),
    tags=["Scans"],
    responses=answers(200, PhotoOut, _PHOTO, "The photo, kept now or before")
    | refuses(
        400,
        NotLoggedIn(),
        NotAllowed(),
        NotFound(),
        Conflict(why="this id was spent on another photo", why_vi=""),
        413,
        BadInput((Problem("photo", "This is no picture.", "Đây không phải là ảnh."),)),
    ),
)
async def keep_photo(
    request: StaffRequest,
    data: Annotated[
        PhotoIn,
        Body(
            media_type=RequestEncodingType.MULTI_PART,
            examples=[Example(summary="Of a label", value=_SENT)],
        ),
    ],
) -> PhotoOut:
    """Keep a photo of an envelope."""
    at = data.at or datetime.now(UTC)
    taken = Taken(
        id=data.id,
        code=data.code[:300],
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        scan=data.scan,
        device=data.device,
    )
    kept = await snapshots.keep(taken, await data.photo.read(), request.user)
    link = f"/items/{kept.waybill}/photos/{kept.id}"
    return PhotoOut(kept.id, kept.waybill, kept.digest, link)


@get(
    "/items/{waybill:str}/photos/{photo:uuid}",
    include_in_schema=False,
    guards=[logged_in],
)
async def show_photo(
    request: StaffRequest, waybill: FromPath[str], photo: FromPath[UUID]
) -> Response[bytes]:
    """Show a photo; who looked is written down, so nobody else may keep a copy."""
    picture = await snapshots.show(waybill, photo, request.user)
    headers = {"Cache-Control": "no-store"}
    return Response(picture, media_type="image/jpeg", headers=headers)


ROUTES = [keep_photo, show_photo]
