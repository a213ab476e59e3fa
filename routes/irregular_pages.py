"""Irregularities for staff: whose they are, what was said, how they end."""

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import irregularities, photographs, snapshots
from postal_track.complaints import READERS
from postal_track.custody import ABSENCES, Kind, Party, Reason
from postal_track.directory import Named
from postal_track.errors import BadInput, Conflict, PostalTrackError, Problem
from postal_track.irregularities import BY_HAND, WORKERS, Ending, Side
from postal_track.staff import Actor
from routes import by_hand, case_words, filters
from routes.guards import logged_in, only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

VIEWS = ("mine", "overdue", "all", "ended")
REASONS = tuple(reason for reason in Reason if reason in ABSENCES)


@dataclass
class Sent:
    """A photo as a form sends it."""

    photo: UploadFile


Photo = Annotated[Sent, Body(media_type=RequestEncodingType.MULTI_PART)]


@get("/irregularities", include_in_schema=False, guards=[logged_in])
async def case_list(request: StaffRequest) -> Template:
    """List them: one's own, the overdue, all within reach, those that have ended."""
    asked = request.query_params
    view = asked.get("view", "mine")
    view = view if view in VIEWS else "mine"
    kind = filters.chosen(Kind, asked.get("kind", ""))
    page = await irregularities.listed(
        request.user,
        mine=view in ("mine", "overdue"),
        ended=view == "ended",
        overdue=view == "overdue",
        kind=kind,
        after=filters.key(asked.get("after", "")),
    )
    kept = {"view": view} | ({"kind": kind.value} if kind else {})
    more = f"/irregularities?{urlencode(kept | {'after': page.after})}"
    lang = language(request)
    return Template(
        "irregularities.html",
        context={
            "page": page,
            "view": view,
            "kind": kind,
            "kinds": list(Kind),
            "more": more if page.after else None,
            "first": not asked.get("after"),
            "may_open": request.user.role in WORKERS,
            "may_claim": request.user.role in READERS,
            "name": _namer(page.names, lang),
            "case_words": case_words,
        },
    )


@get("/irregularities/new", include_in_schema=False, guards=[only(*WORKERS)])
async def new_case(request: StaffRequest, waybill: FromQuery[str] = "") -> Template:
    """Ask what is wrong with which item."""
    return _new(request, {"waybill": waybill[:40], "id": str(uuid4())}, {})


@post("/irregularities", include_in_schema=False, guards=[only(*WORKERS)])
async def open_case(request: StaffRequest, data: Form) -> Template | Redirect:
    """Open one by hand; or report an item missing, which is a scan."""
    waybill, kind = data.get("waybill", ""), filters.chosen(Kind, data.get("kind", ""))
    try:
        if kind is Kind.MISSING:
            number = await irregularities.report_missing(
                _id(data),
                waybill,
                filters.chosen(Reason, data.get("reason", "")) or Reason.OTHER,
                data.get("words", ""),
                request.user,
            )
        else:
            number = await irregularities.open_by_hand(
                waybill, kind or Kind.SILENT, data.get("words", ""), request.user
            )
    except BadInput as fault:
        return _new(request, data, by_hand.sentences(fault, language(request)))
    except PostalTrackError as fault:
        return _new(request, data, {"waybill": _sentence(fault, language(request))})
    return Redirect(f"/irregularities/{number}", status_code=303)


def _new(
    request: StaffRequest, typed: dict[str, str], problems: dict[str, str]
) -> Template:
    return Template(
        "irregularity_new.html",
        context={
            "typed": typed,
            "problems": problems,
            "kinds": [Kind.MISSING, *BY_HAND],
            "reasons": REASONS,
        },
        status_code=422 if problems else 200,
    )


def _id(data: dict[str, str]) -> UUID:
    try:
        return UUID(data.get("id", ""))
    except ValueError:
        return uuid4()


@get("/irregularities/{number:int}", include_in_schema=False, guards=[logged_in])
async def case_page(request: StaffRequest, number: FromPath[int]) -> Template:
    """Show one: what happened, the ledger around it, the minutes, the end."""
    return await _page(request, number)


@post(
    "/irregularities/{number:int}/minutes",
    include_in_schema=False,
    guards=[only(*WORKERS)],
)
async def add_statement(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """Put a statement into the minutes."""
    try:
        await irregularities.state(
            number,
            data.get("words", ""),
            request.user,
            side=filters.chosen(Side, data.get("side", "")),
            originals=_count("originals", data),
            copies=_count("copies", data),
            seal_no=data.get("seal_no", ""),
        )
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "minutes", data, fault)
    return _back(number, "minutes")


def _count(field: str, data: dict[str, str]) -> int | None:
    typed = data.get(field, "").strip()
    if not typed:
        return None
    count = filters.number(typed)
    return -1 if count is None else count  # which is no count, and is said to be none


@post(
    "/irregularities/{number:int}/owner",
    include_in_schema=False,
    guards=[only(*WORKERS)],
)
async def give_case(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """Take it over, or hand it to another owner."""
    try:
        if "to" in data:
            await irregularities.hand_over(
                number, _party(data["to"]), data.get("words", ""), request.user
            )
        else:
            await irregularities.take_over(number, request.user)
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "owner", data, fault)
    return _back(number, "owner")


def _party(text: str) -> Party:
    try:
        return Party.parse(text)
    except ValueError as fault:
        why = Problem("to", "Choose an owner.", "Hãy chọn người hoặc nơi xử lý.")
        raise BadInput((why,)) from fault


@post(
    "/irregularities/{number:int}/photos",
    include_in_schema=False,
    guards=[only(*WORKERS)],
)
async def add_photo(
    request: StaffRequest, number: FromPath[int], data: Photo
) -> Template | Redirect:
    """Keep a photo of the envelope."""
    try:
        await photographs.add(number, await data.photo.read(), request.user)
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "photos", {}, fault)
    return _back(number, "photos")


@get(
    "/irregularities/{number:int}/photos/{photo:int}",
    include_in_schema=False,
    guards=[logged_in],
)
async def show_photo(
    request: StaffRequest, number: FromPath[int], photo: FromPath[int]
) -> Response[bytes]:
    """Show a photo; who looked is written down, so nobody else may keep a copy."""
    picture = await photographs.show(number, photo, request.user)
    return Response(
        picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"}
    )


@post(
    "/irregularities/{number:int}/end", include_in_schema=False, guards=[only(*WORKERS)]
)
async def end_case(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """End it."""
    try:
        ending = filters.chosen(Ending, data.get("ending", ""))
        if ending is None:
            why = ("Choose how it ended.", "Hãy chọn kết quả xử lý.")
            raise BadInput((Problem("ending", *why),))
        await irregularities.end(number, ending, data.get("words", ""), request.user)
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "end", data, fault)
    return _back(number, "ended")


@post(
    "/irregularities/{number:int}/lost",
    include_in_schema=False,
    guards=[only(*WORKERS)],
)
async def lose_case(
    request: StaffRequest, number: FromPath[int], data: Form
) -> Template | Redirect:
    """Declare the item lost, and go on to the claim that settles it."""
    try:
        claim = await irregularities.declare_lost(
            _id(data), number, data.get("words", ""), request.user
        )
    except (BadInput, Conflict) as fault:
        return await _page(request, number, "lost", data, fault)
    return Redirect(f"/claims/{claim}", status_code=303)


@get(
    [
        "/irregularities/{number:int}/minutes",
        "/irregularities/{number:int}/owner",
        "/irregularities/{number:int}/photos",
        "/irregularities/{number:int}/end",
        "/irregularities/{number:int}/lost",
    ],
    include_in_schema=False,
    guards=[logged_in],
)
async def back_to_case(number: FromPath[int]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/irregularities/{number}", status_code=303)


def _back(number: int, part: str) -> Redirect:
    return Redirect(f"/irregularities/{number}#{part}", status_code=303)


def _sentence(fault: PostalTrackError, lang: str) -> str:
    return fault.sentence("en" if lang == "en" else "vi")


async def _page(
    request: StaffRequest,
    number: int,
    form: str = "",
    typed: dict[str, str] | None = None,
    fault: BadInput | Conflict | None = None,
) -> Template:
    lang = language(request)
    problems: dict[str, str] = {}
    if isinstance(fault, BadInput):
        problems = by_hand.sentences(fault, lang)
    elif fault is not None:
        problems = {"all": _sentence(fault, lang)}
    file = await irregularities.look(number, request.user)
    return Template(
        "irregularity.html",
        context={
            "file": file,
            "snapshots": await snapshots.of_irregularity(number),
            "case": file.case,
            "form": form,
            "typed": typed or {},
            "problems": problems,
            "fresh": str(uuid4()),
            "may_claim": request.user.role in READERS,
            "name": _namer(file.names, lang),
            "case_words": case_words,
        },
        status_code=422 if problems else 200,
    )


def _namer(names: dict[Party, Named], lang: str) -> Any:
    def name(party: Party) -> str:
        return names[party].name_en if lang == "en" else names[party].name

    return name


ROUTES = [
    case_list,
    new_case,
    open_case,
    case_page,
    add_statement,
    give_case,
    add_photo,
    show_photo,
    end_case,
    lose_case,
    back_to_case,
]
