"""Going home: what is held is handed over or explained; who went home with what."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Template

from postal_track import cash
from postal_track import shifts as ends
from postal_track.boards import today
from postal_track.custody import Role
from postal_track.errors import BadInput
from postal_track.shifts import Stay, Why
from postal_track.staff import Actor
from routes import by_hand, filters, measured
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

WORKERS = only(*ends.WORKERS)

REASONS: dict[Stay, tuple[str, str]] = {
    Stay.AWAITING: ("Đã giao, chờ bên nhận xác nhận", "Released, not yet accepted"),
    Stay.TOMORROW: ("Đi phát lại ngày mai", "Goes out again tomorrow"),
    Stay.CITIZEN: ("Giữ lại cho người dân đến lấy", "Kept for the citizen to fetch"),
    Stay.SAFE: ("Cất trong tủ khóa qua đêm", "Locked up overnight"),
    Stay.CLOSED: ("Nơi nhận đã đóng cửa", "The receiver had closed"),
    Stay.WEATHER: ("Thời tiết hoặc phà", "Weather or ferry"),
    Stay.DISPUTED: ("Đang xử lý bất thường", "An irregularity is open"),
    Stay.OTHER: ("Lý do khác (ghi rõ)", "Other (say which)"),
}


@get("/shift", include_in_schema=False, guards=[WORKERS])
async def shift_page(request: StaffRequest, ended: FromQuery[int] = -1) -> Template:
    """Say what one holds before going home."""
    return await _page(request, ended=ended)


@post("/shift", include_in_schema=False, guards=[WORKERS])
async def end_shift(request: StaffRequest, data: Form) -> Template | Redirect:
    """Go home; every item that stays has its reason. Sent twice it is one end."""
    said = {
        field.removeprefix("reason."): _why(data, field.removeprefix("reason."))
        for field in data
        if field.startswith("reason.")
    }
    rest = Why(filters.chosen(Stay, data.get("rest", "")), data.get("rest_note", ""))
    try:
        left = await ends.end(by_hand.id_of(data), request.user, said, rest)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _page(request, typed=data, problems=problems)
    return Redirect(f"/shift?ended={left}", status_code=303)


def _why(form: dict[str, str], waybill: str) -> Why:
    reason = filters.chosen(Stay, form.get(f"reason.{waybill}", ""))
    return Why(reason, form.get(f"note.{waybill}", ""))


async def _page(
    request: StaffRequest,
    *,
    ended: int = -1,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Template:
    shift = await ends.shift(request.user)
    lang = language(request)
    return Template(
        "shift.html",
        context={
            "shift": shift,
            "cash": await cash.total(request.user),
            "reasons": REASONS,
            "ended": ended,
            "typed": typed or {},
            "problems": problems or {},
            "fresh": by_hand.fresh,
            "name": lambda party: (
                shift.names[party].name_en if lang == "en" else shift.names[party].name
            ),
            **measured.measures(lang),
        },
        status_code=422 if problems else 200,
    )


@get("/shifts", include_in_schema=False, guards=[only(Role.SUPERVISOR)])
async def shifts_page(request: StaffRequest, on: FromQuery[str] = "") -> Template:
    """Show a supervisor who went home with what, today or on a day past."""
    lang = language(request)
    problems: dict[str, str] = {}
    day = today()
    try:
        day = filters.day(on, "on") or day
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
    told = await ends.went_home(request.user, day)
    return Template(
        "shifts.html",
        context={
            "told": told,
            "today": day == today(),
            "reasons": REASONS,
            "typed": on,
            "problems": problems,
            "name": lambda party: (
                told.names[party].name_en if lang == "en" else told.names[party].name
            ),
            **measured.measures(lang),
        },
        status_code=422 if problems else 200,
    )


ROUTES = [shift_page, end_shift, shifts_page]
