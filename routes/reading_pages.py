"""The auditor's pages: who has read whose personal data, and the same to take along.

What is looked for travels in the body of a request: a phone number does not belong into
an address, which logs keep.
"""

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect, Template

from postal_track import reading_board, spreadsheets
from postal_track.errors import BadInput
from postal_track.reading_board import AUDITORS, Wanted
from postal_track.staff import Actor
from routes import by_hand, filters
from routes.guards import only
from routes.language import language
from routes.order_form import Form
from routes.words import choose

StaffRequest = Request[Actor, str, Any]

AUDITOR = only(*AUDITORS)

WHATS: dict[str, tuple[str, str]] = {
    "item": ("Xem đầy đủ trên trang bưu gửi", "Shown in full on an item's page"),
    "search": ("Tìm theo tên hoặc điện thoại", "Found by name or phone"),
    "call": ("Gọi điện cho người dân", "Call to the citizen"),
    "photo": ("Xem ảnh phong bì", "Photo of an envelope"),
    "list": ("Tải danh sách chuyển phát", "List of results taken along"),
    "slip": ("Lập giấy hẹn", "Appointment slip"),
    "audit": ("Kiểm tra theo người", "Audit by person"),
    "instructions": ("Xem yêu cầu của người dân", "A citizen's instructions"),
    "run": ("Tuyến phát trong ngày", "A carrier's run"),
    "day": ("Tuyến phát trong ngày", "A carrier's day"),
}
"""What each kind of reading is called; one that is new here is shown as it is."""


@get("/readings", include_in_schema=False, guards=[AUDITOR])
async def readings_page(request: StaffRequest) -> Template:
    """Show the readings of the last week."""
    return await _page(request, {})


@post("/readings", include_in_schema=False, guards=[AUDITOR], status_code=200)
async def find_readings(request: StaffRequest, data: Form) -> Template:
    """Find readings by person, dossier, staff, kind and day."""
    return await _page(request, data)


@post("/readings/taken", include_in_schema=False, guards=[AUDITOR], status_code=200)
async def take_readings(
    request: StaffRequest, data: Form
) -> Response[bytes] | Template:
    """Take what was found along as CSV."""
    named = {what: choose(pair, "vi") for what, pair in WHATS.items()}
    try:
        wanted = _wanted(data)
        file = await reading_board.sheet(wanted, request.user, named)
    except BadInput:
        return await _page(request, data)
    return Response(
        file,
        media_type=spreadsheets.CSV,
        headers={"Content-Disposition": 'attachment; filename="luot-xem.csv"'},
    )


def _wanted(form: dict[str, str]) -> Wanted:
    return Wanted(
        person=form.get("person", ""),
        dossier=form.get("dossier", ""),
        staff=form.get("staff", ""),
        what=form.get("what", "")[:40],
        since=filters.day(form.get("since", ""), "since"),
        until=filters.day(form.get("until", ""), "until"),
        before=filters.key(form.get("before", "")),
    )


async def _page(request: StaffRequest, typed: dict[str, str]) -> Template:
    lang, problems = language(request), dict[str, str]()
    try:
        found = await reading_board.board(_wanted(typed), request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        found = await reading_board.board(Wanted(), request.user)
    context = {
        "found": found,
        "typed": typed,
        "problems": problems,
        "whats": WHATS,
        "fields": ("person", "dossier", "staff", "what", "since", "until"),
    }
    status = 422 if problems else 200
    return Template("readings.html", context=context, status_code=status)


@get("/readings/taken", include_in_schema=False, guards=[AUDITOR])
async def back_to_readings() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/readings", status_code=303)


ROUTES = [readings_page, find_readings, take_readings, back_to_readings]
