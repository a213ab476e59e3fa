"""Handover papers: made of lines or of what was ticked, printed, verified by anyone.

Whoever holds a paper has its number and digest, and may ask without a login whether
the ledger still says the same.
"""

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import limits, papers, records, slips, spreadsheets
from postal_track.custody import Kind, Leg, Role
from postal_track.errors import NotFound
from postal_track.records import MAKERS, Told
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import by_hand, words
from routes.citizen import address_of
from routes.guards import logged_in, only
from routes.language import language
from routes.order_form import Form

AnyRequest = Request[Actor | None, str | None, Any]
StaffRequest = Request[Actor, str, Any]

_IN_QR = 32
"""Hex digits of the digest that a QR carries: 128 bits."""


@post(
    "/items/{waybill:str}/lines/{seq:int}/record",
    include_in_schema=False,
    guards=[only(*MAKERS)],
)
async def paper_of_line(
    request: StaffRequest, waybill: FromPath[str], seq: FromPath[int]
) -> Redirect:
    """Make the paper of one handover; the same line is the same paper."""
    number = await records.of_line(waybill, seq, request.user)
    return Redirect(f"/records/{number}", status_code=303)


@post("/desk/record", include_in_schema=False, guards=[only(Role.OFFICER)])
async def paper_of_ticked(request: StaffRequest, data: Form) -> Redirect:
    """Make one paper of the ticked items' latest handovers."""
    waybills = [row.waybill for row in by_hand.ticked(data)]
    number = await records.of_items(waybills, request.user)
    return Redirect(f"/records/{number}", status_code=303)


@post(
    "/desk/slips", include_in_schema=False, guards=[only(Role.OFFICER)], status_code=200
)
async def slips_of_ticked(request: StaffRequest, data: Form) -> Response[bytes]:
    """Make the appointment slips of the ticked dossiers: to print, or as data."""
    waybills = [row.waybill for row in by_hand.ticked(data)]
    told = await slips.read(waybills, request.user)
    if data.get("as") == "xlsx":
        content, kind = await slips.sheet(told, verified_at), spreadsheets.XLSX
        name = 'attachment; filename="giay-hen.xlsx"'
    else:
        content, kind = await slips.draw(told, verified_at), "application/pdf"
        name = 'inline; filename="giay-hen.pdf"'
    return Response(content, media_type=kind, headers={"Content-Disposition": name})


@post(
    "/handovers/{id:uuid}/record",
    include_in_schema=False,
    guards=[only(*MAKERS)],
)
async def paper_of_session(request: StaffRequest, id: FromPath[UUID]) -> Redirect:
    """Make the paper of what a receiving session took over."""
    number = await records.of_session(id, request.user)
    return Redirect(f"/records/{number}", status_code=303)


@post("/bags/{number:str}/record", include_in_schema=False, guards=[only(*MAKERS)])
async def paper_of_bag(request: StaffRequest, number: FromPath[str]) -> Redirect:
    """Make the paper of a bag as it was handed over."""
    paper = await records.of_bag(number, request.user)
    return Redirect(f"/records/{paper}", status_code=303)


@get("/records", include_in_schema=False)
async def ask_for_record(
    request: AnyRequest, number: FromQuery[str] = "", d: FromQuery[str] = ""
) -> Template | Redirect:
    """Ask for the number and digest of a paper, as they stand on it."""
    if not number:
        return _form(number, d, {})
    try:
        told = await _find(request, number, d)
    except NotFound:
        why = words.choose(
            (
                "Không có văn bản nào với số và mã kiểm tra này.",
                "There is no paper of this number and check code.",
            ),
            language(request),
        )
        return _form(number, d, {"number": why})
    return Redirect(f"/records/{told.number}?d={d.strip()}", status_code=303)


def _form(number: str, digest: str, problems: dict[str, str]) -> Template:
    context = {"number": number, "digest": digest, "problems": problems}
    status = 404 if problems else 200
    return Template("record_ask.html", context=context, status_code=status)


@get("/records/{number:str}", include_in_schema=False)
async def record_page(
    request: AnyRequest, number: FromPath[str], d: FromQuery[str] = ""
) -> Template:
    """Hold a paper against the ledger, line by line."""
    told = await _find(request, number, d)
    lang = language(request)
    return Template(
        "record.html",
        context={
            "told": told,
            "name": lambda party: (
                told.names[party].name_en if lang == "en" else told.names[party].name
            ),
        },
    )


@get("/records/{number:str}/paper.pdf", include_in_schema=False, guards=[logged_in])
async def record_pdf(request: StaffRequest, number: FromPath[str]) -> Response[bytes]:
    """Draw the paper to be signed; always in Vietnamese."""
    told = await records.find(number, request.user)
    return Response(
        await papers.draw(told, _say, verified_at(told.number, told.digest)),
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{told.number}.pdf"'},
    )


@get("/records/{number:str}/paper.xlsx", include_in_schema=False, guards=[logged_in])
async def record_sheet(request: StaffRequest, number: FromPath[str]) -> Response[bytes]:
    """Draw the same paper as a spreadsheet."""
    told = await records.find(number, request.user)
    return Response(
        await papers.draw_sheet(told, _say, verified_at(told.number, told.digest)),
        media_type=spreadsheets.XLSX,
        headers={"Content-Disposition": f'attachment; filename="{told.number}.xlsx"'},
    )


def verified_at(number: str, digest: str) -> str:
    """Say where whoever holds a paper finds out whether it is still true."""
    return f"{settings().PUBLIC_URL}/records/{number}?d={digest[:_IN_QR]}"


def _say(word: Leg | Kind) -> str:
    return words.leg(word, "vi") if isinstance(word, Leg) else words.kind(word, "vi")


async def _find(request: AnyRequest, number: str, digest: str) -> Told:
    if request.user is None:
        await limits.knock(records.ASKED, address_of(request))
    return await records.find(number, request.user, digest)


ROUTES = [
    paper_of_line,
    paper_of_ticked,
    paper_of_session,
    paper_of_bag,
    slips_of_ticked,
    ask_for_record,
    record_page,
    record_pdf,
    record_sheet,
]
