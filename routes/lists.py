"""Lists that an agency brings: pasted or uploaded, looked over, then taken in whole.

The looked-over list travels in the page itself: nothing is kept before the officer has
said yes. What a list means is ``postal_track.lists``' to say.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import catalogue, lists, registered, spreadsheets
from postal_track.boards import today
from postal_track.custody import Party, Role
from postal_track.errors import BadInput, NotFound, NotYourPlace
from postal_track.lists import (
    COLUMNS,
    NEEDED,
    TITLES,
    Checked,
    Fate,
    Given,
    Kind,
    Terms,
)
from postal_track.staff import Actor
from routes import by_hand, filters
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

OFFICERS = only(Role.OFFICER)

FATES: dict[Fate, tuple[str, str]] = {
    Fate.NEW: ("mới", "new"),
    Fate.CHANGED: ("thay đổi", "changes"),
    Fate.KNOWN: ("báo kết quả", "announces"),
    Fate.SAME: ("đã có", "known already"),
}

LARGEST = spreadsheets.LARGEST_FILE + 256 * 1024


@dataclass
class Sent:
    """A list as a form sends it."""

    file: UploadFile
    unit: str = ""
    procedure: str = ""
    ready: str = ""
    postage_by: str = ""


Upload = Annotated[Sent, Body(media_type=RequestEncodingType.MULTI_PART)]


@get("/desk/lists", include_in_schema=False, guards=[OFFICERS])
async def lists_page(
    request: StaffRequest,
    kind: FromQuery[str] = "codes",
    done: FromQuery[str] = "",
) -> Template:
    """Ask for a list."""
    chosen = filters.chosen(Kind, kind) or Kind.CODES
    told = [filters.number(each) for each in done.split("-")] if done else []
    counts = told if len(told) == 3 and None not in told else []
    return await _page(request, chosen, done=counts)


@post(
    "/desk/lists/{kind:str}/file",
    include_in_schema=False,
    guards=[OFFICERS],
    request_max_body_size=LARGEST,
)
async def look_over_file(
    request: StaffRequest, kind: FromPath[str], data: Upload
) -> Template:
    """Look an uploaded list over."""
    chosen = _kind(kind)
    typed = {
        "unit": data.unit,
        "procedure": data.procedure,
        "ready": data.ready,
        "postage_by": data.postage_by,
    }
    try:
        sheets = await spreadsheets.read(await data.file.read())
        given = lists.understand(chosen, sheets)
    except BadInput as fault:
        return await _page(request, chosen, typed=typed, fault=fault)
    return await _look_over(request, given, typed)


@post(
    "/desk/lists/{kind:str}/check",
    include_in_schema=False,
    guards=[OFFICERS],
    request_max_body_size=LARGEST,
)
async def look_over_text(
    request: StaffRequest, kind: FromPath[str], data: Form
) -> Template:
    """Look a pasted list over."""
    chosen = _kind(kind)
    try:
        given = lists.understand(chosen, [spreadsheets.text(data.get("list", ""))])
    except BadInput as fault:
        return await _page(request, chosen, typed=data, fault=fault)
    return await _look_over(request, given, data)


@post(
    "/desk/lists/{kind:str}",
    include_in_schema=False,
    guards=[OFFICERS],
    request_max_body_size=LARGEST,
)
async def take_in(
    request: StaffRequest, kind: FromPath[str], data: Form
) -> Template | Redirect:
    """Take a whole list in, or nothing of it."""
    chosen = _kind(kind)
    try:
        given = lists.understand(chosen, [spreadsheets.text(data.get("list", ""))])
    except BadInput as fault:
        return await _page(request, chosen, typed=data, fault=fault)
    try:
        told = await lists.take_in(
            by_hand.id_of(data), given, request.user, _terms(request, chosen, data)
        )
    except BadInput as fault:
        return await _look_over(request, given, data, fault)
    done = f"{told.written}-{told.announced}-{told.same}"
    return Redirect(f"/desk/lists?kind={chosen}&done={done}", status_code=303)


def _kind(text: str) -> Kind:
    chosen = filters.chosen(Kind, text)
    if chosen is None:
        raise NotFound
    return chosen


def _terms(request: StaffRequest, kind: Kind, form: dict[str, str]) -> Terms | None:
    if kind is Kind.CODES:
        return None
    try:
        unit = Party.parse(form["unit"]) if form.get("unit") else request.user.place
    except ValueError as fault:
        raise NotYourPlace from fault
    if unit is None:
        raise NotYourPlace
    return Terms(
        agency=unit,
        procedure=form.get("procedure", "")[:40],
        ready=form.get("ready", "yes") != "no",
        postage_by="agency" if form.get("postage_by") == "agency" else "citizen",
    )


async def _look_over(
    request: StaffRequest,
    given: Given,
    typed: dict[str, str],
    fault: BadInput | None = None,
) -> Template:
    terms = _terms(request, given.kind, typed)
    rows = await lists.check(given, request.user, terms)
    return await _page(
        request, given.kind, given=given, rows=rows, typed=typed, fault=fault
    )


async def _page(
    request: StaffRequest,
    kind: Kind,
    *,
    given: Given | None = None,
    rows: list[Checked] | None = None,
    typed: dict[str, str] | None = None,
    fault: BadInput | None = None,
    done: list[int | None] | None = None,
) -> Template:
    lang = language(request)
    faulty = [row for row in rows or () if row.problems]
    context = {
        "kind": kind,
        "given": given,
        "rows": rows or [],
        "faulty": faulty,
        "fates": FATES,
        "text": lists.written(given) if given else (typed or {}).get("list", ""),
        "typed": typed or {},
        "problems": list(by_hand.sentences(fault, lang).values()) if fault else [],
        "done": done or [],
        "columns": COLUMNS[kind],
        "needed": NEEDED[kind],
        "titles": TITLES,
        "procedures": await catalogue.procedures() if kind is Kind.RESULTS else [],
        "fresh": by_hand.fresh,
        "today": today(),
    }
    status = 422 if faulty or fault else 200
    return Template("lists.html", context=context, status_code=status)


@get("/desk/lists/{kind:str}/sample.xlsx", include_in_schema=False, guards=[OFFICERS])
async def sample(kind: FromPath[str]) -> Response[bytes]:
    """Give an empty list with the headings that we read."""
    chosen = _kind(kind)
    return _file(lists.sample(chosen), f"mau-{chosen}.xlsx", spreadsheets.XLSX)


@get("/desk/registered", include_in_schema=False, guards=[OFFICERS])
async def registered_list(
    request: StaffRequest,
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
) -> Response[bytes] | Template:
    """Give the list of results registered for posting; who took it is written down."""
    try:
        told = await registered.listed(
            request.user, filters.day(since, "since"), filters.day(until, "until")
        )
    except BadInput as fault:
        return await _page(request, Kind.RESULTS, fault=fault)
    name = f"chuyen-phat-{told.since:%Y%m%d}-{told.until:%Y%m%d}.xlsx"
    return _file(await registered.sheet(told), name, spreadsheets.XLSX)


def _file(content: bytes, name: str, kind: str) -> Response[bytes]:
    return Response(
        content,
        media_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@get(
    ["/desk/lists/{kind:str}", "/desk/lists/{kind:str}/{act:str}"],
    include_in_schema=False,
    guards=[OFFICERS],
)
async def back_to_lists(kind: FromPath[str]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/desk/lists?kind={_kind(kind)}", status_code=303)


ROUTES = [
    lists_page,
    look_over_file,
    look_over_text,
    take_in,
    sample,
    registered_list,
    back_to_lists,
]
