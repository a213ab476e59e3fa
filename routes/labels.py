"""Labels on paper: of one waybill, of a list, and pools printed ahead.

For the post's staff; an officer prints those of his agency's results. Which labels
someone may have is ``printing``'s, how they look ``labels``' to say.
"""

import re
from typing import Annotated, Any, Literal

from litestar import Request, Response, get, post
from litestar.openapi.spec import Example
from litestar.params import FromPath, FromQuery, Parameter
from litestar.response import Redirect, Template

from postal_track import catalogue, labels, printing
from postal_track.bookings import print_pool
from postal_track.custody import Role
from postal_track.errors import (
    BadInput,
    ForeignCode,
    ForgedLabel,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    PostalTrackError,
    Problem,
    UnknownWaybill,
)
from postal_track.labels import A4_3X8, ROLL_50X30, STOCKS
from postal_track.printing import Printable
from postal_track.staff import Actor
from routes import order_form
from routes.guards import only
from routes.language import language
from routes.openapi import answers, refuses
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

POST_ROLES = (Role.CARRIER, Role.CLERK, Role.SUPERVISOR, Role.ADMIN)
POST_STAFF = only(*POST_ROLES)
LARGEST_LIST = 256 * 1024

Layout = Literal["50x30", "70x40", "a4"]
LAYOUTS: dict[str, tuple[str, str]] = {
    "50x30": ("Máy in nhãn, 50 x 30 mm", "Label printer, 50 x 30 mm"),
    "70x40": ("Máy in nhãn, 70 x 40 mm", "Label printer, 70 x 40 mm"),
    "a4": ("Giấy A4, 24 nhãn 70 x 37 mm", "A4 sheet, 24 labels of 70 x 37 mm"),
}
PER_SHEET = A4_3X8.columns * A4_3X8.rows

Chosen = Annotated[
    Layout,
    Parameter(
        description="For a PDF: a label printer's roll, or an A4 sheet of 24.",
        examples=[Example(value="50x30")],
    ),
]
Skip = Annotated[
    int,
    Parameter(
        ge=0,
        lt=PER_SHEET,
        description="Labels of the first A4 sheet that are used up already.",
        examples=[Example(value=0)],
    ),
]

# A browser's own reader draws a PDF inside a small page with a style of its own. The
# file runs nothing, and loads nothing from anywhere.
_PDF_POLICY = (
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'"
)
_SEPARATORS = re.compile(r"[\r\n,;\t]+")


@get("/labels", include_in_schema=False, guards=[POST_STAFF])
async def labels_page(request: StaffRequest, waybills: FromQuery[str] = "") -> Template:
    """Show what can be printed, and the pools printed ahead."""
    return await _page(request, {"waybills": waybills[:20_000]})


async def _page(
    request: StaffRequest,
    typed: dict[str, str],
    problems: dict[str, str] | None = None,
    status: int = 200,
) -> Template:
    actor = request.user
    prints_ahead = actor.role in (Role.CLERK, Role.SUPERVISOR)
    context = {
        "typed": {"layout": "50x30", "skip": "0", "size": "24"} | typed,
        "problems": problems or {},
        "pools": await printing.pools(actor),
        "prints_ahead": prints_ahead,
        # Who has no office of his own says for which one.
        "offices": []
        if actor.office or not prints_ahead
        else await catalogue.offices(),
        "layouts": LAYOUTS,
        "per_sheet": PER_SHEET,
        "most": printing.MOST_PRINTED,
    }
    return Template("labels.html", context=context, status_code=status)


@post(
    "/labels/print",
    include_in_schema=False,
    guards=[POST_STAFF],
    status_code=200,
    request_max_body_size=LARGEST_LIST,
)
async def print_list(request: StaffRequest, data: Form) -> Template | Response[bytes]:
    """Draw the labels of a list of waybills, pasted or scanned."""
    lang = language(request)
    waybills, problems = _read_list(data.get("waybills", ""), lang)
    layout, skip = _layout(data)
    if not problems:
        try:
            found = await printing.find(waybills, request.user)
            return _pdf(await _drawn(found, layout, skip), "labels")
        except UnknownWaybill as fault:
            problems.append(fault.sentence(lang))
        except BadInput as fault:
            problems += order_form.sentences(fault, lang).values()
    return await _page(request, data, {"waybills": " ".join(problems)}, status=422)


def _read_list(text: str, lang: Any) -> tuple[list[str], list[str]]:
    """Read waybills and label codes, one a line; and say which cannot be read."""
    waybills, problems = [], []
    for line in filter(None, (each.strip() for each in _SEPARATORS.split(text))):
        try:
            waybills.append(_waybill(line))
        except PostalTrackError as fault:
            problems.append(fault.sentence(lang))
    if not waybills and not problems:
        empty = Problem(
            "waybills",
            "Scan or paste at least one waybill.",
            "Hãy quét hoặc dán ít nhất một mã vận đơn.",
        )
        problems.append(empty.detail_vi if lang == "vi" else empty.detail)
    return waybills, problems[:10]


def _waybill(line: str) -> str:
    code = labels.parse_code(line)
    if code.kind != "item":
        raise ForeignCode(line)
    if code.tag is not None and not labels.genuine(code):
        raise ForgedLabel(code.waybill)
    return code.waybill


def _layout(data: dict[str, str]) -> tuple[str, int]:
    layout, skip = data.get("layout", ""), data.get("skip", "")
    sane = skip.isascii() and skip.isdigit() and int(skip[:4]) < PER_SHEET
    return layout if layout in LAYOUTS else "50x30", int(skip) if sane else 0


async def _drawn(found: list[Printable], layout: str, skip: int) -> bytes:
    if layout != "a4":
        return await printing.draw(found, STOCKS[layout], labels.pdf)
    return await printing.draw(
        found, A4_3X8.stock, lambda drawn: labels.sheet(drawn, A4_3X8, skip)
    )


def _pdf(file: bytes, name: str) -> Response[bytes]:
    return Response(
        file,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{name}.pdf"',
            "Content-Security-Policy": _PDF_POLICY,
        },
    )


@post("/labels/pools", include_in_schema=False, guards=[POST_STAFF])
async def print_ahead(request: StaffRequest, data: Form) -> Template | Redirect:
    """Give out waybills for an office; the labels are then on the pool's page."""
    size, office = data.get("size", ""), data.get("office", "")
    try:
        number, _ = await print_pool(request.user, _whole(size), _whole(office) or None)
    except BadInput as fault:
        problems = order_form.sentences(fault, language(request))
        return await _page(request, data, problems, status=422)
    return Redirect(f"/labels/pools/{number}", status_code=303)


def _whole(text: str) -> int:
    digits = text.strip()
    sane = digits.isascii() and digits.isdigit() and len(digits) <= 9
    return int(digits) if sane else 0


@get("/labels/pools/{number:int}", include_in_schema=False, guards=[POST_STAFF])
async def pool_page(request: StaffRequest, number: FromPath[int]) -> Template:
    """Show one pool: how many of its labels are on an item, and ways to print it."""
    context = {
        "pool": await printing.pool(request.user, number),
        "layouts": LAYOUTS,
        "per_sheet": PER_SHEET,
    }
    return Template("label_pool.html", context=context)


@get(
    "/labels/pools/{number:int}/labels.pdf",
    include_in_schema=False,
    guards=[POST_STAFF],
)
async def pool_labels(
    request: StaffRequest,
    number: FromPath[int],
    layout: Chosen = "50x30",
    skip: Skip = 0,
    unbound: FromQuery[bool] = False,
) -> Response[bytes]:
    """Draw a pool's labels, all or only those that are on no item yet."""
    found = await printing.of_pool(request.user, number, unbound=unbound)
    return _pdf(await _drawn(found, layout, skip), f"pool-{number}")


_SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='50mm' height='30mm'>…</svg>"


@get(
    "/labels/{file:str}",
    guards=[only(*POST_ROLES, Role.OFFICER)],
    summary="Draw a label",
    description=(
        "The label of one waybill: `DH123456785VN.svg`, `.png` (for the dots of a "
        "label printer) or `.pdf` (a label printer's page, or `layout=a4` for a sheet "
        "with `skip` labels left out). QR, Code 128 and text; nothing personal."
    ),
    tags=["Labels"],
    media_type="image/svg+xml",
    responses={
        **answers(
            200,
            str,
            _SVG,
            "The label: image/svg+xml, image/png or application/pdf",
            "image/svg+xml",
        ),
        **refuses(
            400,
            NotLoggedIn(),
            NotAllowed(),
            NotFound(),
            UnknownWaybill("DH123456785VN"),
        ),
    },
)
async def draw_label(
    request: StaffRequest,
    file: Annotated[
        str,
        Parameter(
            max_length=40,
            description="A waybill and an ending: .svg, .png or .pdf",
            examples=[Example(value="DH123456785VN.svg")],
        ),
    ],
    layout: Chosen = "50x30",
    skip: Skip = 0,
    dpi: Annotated[
        Literal[203, 300, 600],
        Parameter(
            description="For a PNG: the dots per inch of the printer.",
            examples=[Example(value=203)],
        ),
    ] = 203,
) -> Response[bytes]:
    """Draw one label in the shape its ending asks for."""
    name, _, ending = file.rpartition(".")
    if ending not in ("svg", "png", "pdf"):
        raise NotFound
    waybill = _waybill(name)
    found = await printing.find([waybill], request.user)
    if ending == "pdf":
        return _pdf(await _drawn(found, layout, skip), waybill)
    stock = STOCKS.get(layout, ROLL_50X30)
    if ending == "png":
        drawn = await printing.draw(
            found, stock, lambda each: labels.png(each[0], dpi=dpi)
        )
        return Response(drawn, media_type="image/png")
    drawn = await printing.draw(found, stock, lambda each: labels.svg(each[0]).encode())
    return Response(drawn, media_type="image/svg+xml")


ROUTES = [
    labels_page,
    print_list,
    print_ahead,
    pool_page,
    pool_labels,
    draw_label,
]
