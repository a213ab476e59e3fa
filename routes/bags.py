"""Bags: made, filled, closed, labelled, handed on; their pages and their API.

What is put in, carried or taken out goes by ``handoffs.record``; which bag someone may
know of is ``bags``' to say.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, FromQuery, Parameter
from litestar.response import Redirect, Template
from msgspec import Meta

from postal_track import bags, labels
from postal_track.bags import Bag, Look
from postal_track.custody import Party, Role, Step
from postal_track.errors import (
    BadInput,
    ForgedLabel,
    NotAllowed,
    NotLoggedIn,
    PostalTrackError,
    Problem,
    UnknownBag,
)
from postal_track.holding import receivers
from postal_track.labels import STOCKS, genuine, parse_code
from postal_track.records import MAKERS
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import by_hand, filters, measured
from routes.by_hand import Ticked, Told
from routes.guards import only
from routes.language import language
from routes.openapi import answers, refuses
from routes.order_form import Form
from routes.payloads import PartyText

StaffRequest = Request[Actor, str, Any]

STAFF = only(Role.CARRIER, Role.CLERK, Role.SUPERVISOR, Role.OFFICER)
PACKERS = only(Role.CLERK, Role.SUPERVISOR)

WHOLE = {
    Role.CARRIER: Step.TAKEN,
    Role.CLERK: Step.ARRIVED,
    Role.SUPERVISOR: Step.ARRIVED,
    Role.OFFICER: Step.RECEIVED,
}
"""By which step each role takes a whole bag over, closed as it is."""


# Pages


@get("/bags", include_in_schema=False, guards=[STAFF])
async def bags_page(request: StaffRequest) -> Template:
    """List the bags under way that concern the reader; a clerk makes new ones."""
    return await _list(request)


@post("/bags", include_in_schema=False, guards=[PACKERS])
async def make_bag(request: StaffRequest, data: Form) -> Template | Redirect:
    """Make a bag and go on to fill it."""
    try:
        number = await bags.make(
            request.user,
            _house(data.get("to", "")),
            filters.number(data.get("part", "1")) or 0,
            filters.number(data.get("parts", "1")) or 0,
        )
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _list(request, data, problems, status=422)
    return Redirect(f"/bags/{number}", status_code=303)


def _house(text: str) -> Party:
    try:
        return Party.parse(text)
    except ValueError as fault:
        why = Problem(
            "to",
            "Choose the office or agency it goes to.",
            "Hãy chọn bưu cục hoặc cơ quan nhận túi.",
        )
        raise BadInput((why,)) from fault


async def _list(
    request: StaffRequest,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    status: int = 200,
) -> Template:
    actor, lang = request.user, language(request)
    found, known = await bags.listed(actor)
    packs = actor.role in (Role.CLERK, Role.SUPERVISOR) and actor.office is not None
    context = {
        "found": found,
        "name": lambda party: (
            known[party].name_en if lang == "en" else known[party].name
        ),
        "houses": [
            pair
            for pair in (await receivers(actor) if packs else [])
            if pair[0].kind.value != "staff" and pair[0] != actor.place
        ],
        "packs": packs,
        "typed": typed or {},
        "problems": problems or {},
        **measured.measures(lang),
    }
    return Template("bags.html", context=context, status_code=status)


@get("/bags/{number:str}", include_in_schema=False, guards=[STAFF])
async def bag_page(
    request: StaffRequest,
    number: FromPath[str],
    done: FromQuery[str] = "",
    tag: FromQuery[str] = "",
) -> Template:
    """Show one bag: what is inside, the seal, and what can be done with it."""
    return await _page(request, number, done=done, tag=tag)


@post("/bags/{number:str}/pack", include_in_schema=False, guards=[PACKERS])
async def pack(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Put an item into the bag."""
    return await _say(
        request, number, data, data.get("code", ""), Step.PACKED, bag=number
    )


@post("/bags/{number:str}/unpack", include_in_schema=False, guards=[PACKERS])
async def unpack(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Take an item out again."""
    return await _say(
        request, number, data, data.get("code", ""), Step.UNPACKED, bag=number
    )


@post("/bags/{number:str}/close", include_in_schema=False, guards=[PACKERS])
async def close_bag(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Close it with a seal; its label can then be printed."""
    try:
        await bags.close(number, data.get("seal_no", ""), request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _page(request, number, problems=problems, status=422)
    except PostalTrackError as fault:
        problems = {"seal_no": fault.sentence(language(request))}
        return await _page(request, number, problems=problems, status=409)
    return Redirect(f"/bags/{number}?done=closed", status_code=303)


@post("/bags/{number:str}/release", include_in_schema=False, guards=[STAFF])
async def release_bag(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Promise the bag to a receiver; it stays the giver's until he takes it over."""
    known = {str(party) for party, _ in await receivers(request.user)}
    if data.get("to", "") not in known:
        why = Problem("to", "Choose who receives it.", "Hãy chọn người nhận.")
        problems = by_hand.sentences(BadInput((why,)), language(request))
        return await _page(request, number, problems=problems, status=422)
    to = Party.parse(data["to"])
    return await _say(request, number, data, number, Step.RELEASED, to=to)


@post("/bags/{number:str}/recall", include_in_schema=False, guards=[STAFF])
async def recall_bag(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Take the promise back."""
    return await _say(request, number, data, number, Step.RECALLED)


@post("/bags/{number:str}/take", include_in_schema=False, guards=[STAFF])
async def take_bag(
    request: StaffRequest, number: FromPath[str], data: Form
) -> Template | Redirect:
    """Take the whole bag over, closed as it is: that it is full is inferred."""
    look = await bags.look(_code(number, data.get("tag", "")), request.user)
    step = WHOLE[request.user.role]
    to_us = look.bag.destination in request.user.places
    place = look.bag.destination if to_us else None
    return await _say(request, number, data, number, step, place=place)


async def _say(
    request: StaffRequest,
    number: str,
    data: dict[str, str],
    code: str,
    step: Step,
    *,
    place: Party | None = None,
    **more: Any,
) -> Template | Redirect:
    """Record one scan that a form says; the page again, with what became of it."""
    row = Ticked(code[:300], _id(data), place)
    said = by_hand.scan(request.user, row, step, **more)
    told = await by_hand.tell([said], language(request))
    if by_hand.smooth(told):
        return Redirect(f"/bags/{number}?done={step.value}", status_code=303)
    status = 409 if told[0].refused else 200
    return await _page(request, number, told=told, status=status)


def _code(number: str, tag: str) -> str:
    """Write a bag's code as its label has it, when the label was read."""
    return f"label/B/{number}/{tag}" if tag else number


def _id(form: dict[str, str]) -> UUID:
    try:
        return UUID(form.get("id", ""))
    except ValueError:
        return uuid4()


def _was_handed(look: Look) -> bool:
    """Whether there is a handover to write a paper of."""
    bag = look.bag
    carried = bool(look.inside) and bag.holder != bag.origin
    return bag.opened_at is not None or carried


async def _page(
    request: StaffRequest,
    number: str,
    *,
    status: int = 200,
    problems: dict[str, str] | None = None,
    told: list[Told] | None = None,
    done: str = "",
    tag: str = "",
) -> Template:
    actor, lang = request.user, language(request)
    look = await bags.look(_code(number, tag), actor)
    bag = look.bag
    # A carrier takes out of his own office's stock: it is not his before.
    places = actor.places if actor.role is not Role.CARRIER else frozenset[Party]()
    mine = {actor.party, *places}
    context = {
        "look": look,
        "tag": tag,
        "bag": bag,
        "name": lambda party: (
            look.names[party].name_en if lang == "en" else look.names[party].name
        ),
        "packs": bag.loose
        and bag.origin in mine
        and actor.role in (Role.CLERK, Role.SUPERVISOR),
        "holds": bag.holder in mine and not bag.loose and bag.opened_at is None,
        "takes": bag.holder not in mine and not bag.loose and bag.opened_at is None,
        "opens": actor.role is not Role.CARRIER
        and bool({bag.destination, bag.holder} & mine)
        and not bag.loose
        and bag.opened_at is None
        and not (bag.holder == bag.origin and bag.holder in mine),
        # A bag that was never carried has been handed to nobody.
        "papered": not look.blind
        and actor.role in MAKERS
        and (
            bag.opened_at is not None
            or (bool(look.inside) and bag.holder != bag.origin)
        ),
        "receivers": await receivers(actor),
        "problems": problems or {},
        "told": told or [],
        "done": done,
        "fresh": by_hand.fresh,
        **measured.measures(lang),
    }
    return Template("bag.html", context=context, status_code=status)


@get(
    [
        "/bags/{number:str}/pack",
        "/bags/{number:str}/unpack",
        "/bags/{number:str}/close",
        "/bags/{number:str}/release",
        "/bags/{number:str}/recall",
        "/bags/{number:str}/take",
        "/bags/{number:str}/record",
    ],
    include_in_schema=False,
    guards=[STAFF],
)
async def back_to_bag(number: FromPath[str]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/bags/{bags.number_of(number)}", status_code=303)


@get(
    [f"/bags/{{number:str}}/label.{ending}" for ending in ("pdf", "svg", "png")],
    include_in_schema=False,
    guards=[STAFF],
)
async def bag_label(
    request: StaffRequest,
    number: FromPath[str],
    layout: FromQuery[str] = "70x40",
) -> Response[bytes]:
    """Draw the bag's label: PDF, SVG or PNG."""
    stock = STOCKS.get(layout, labels.ROLL_70X40)
    label = await bags.label(number, request.user, stock)
    ending = request.url.path.rpartition(".")[2]
    if ending == "svg":
        return Response(labels.svg(label).encode(), media_type="image/svg+xml")
    if ending == "png":
        drawn = await asyncio.to_thread(labels.png, label)
        return Response(drawn, media_type="image/png")
    drawn = await asyncio.to_thread(labels.pdf, [label])
    return Response(
        drawn,
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{number}.pdf"'},
    )


@get(
    ["/B/{number:str}/{tag:str}", "/b/{number:str}/{tag:str}"], include_in_schema=False
)
async def read_bag_label(
    request: Request[Actor | None, str | None, Any],
    number: FromPath[str],
    tag: FromPath[str],
) -> Template | Redirect:
    """Send staff to the bag; a bag is nobody else's affair."""
    code = parse_code(f"{request.url.netloc}/B/{number}/{tag}")
    if not genuine(code):
        if "text/html" not in request.headers.get("accept", ""):
            raise ForgedLabel(code.waybill)
        context = {"code": code, "hotline": settings().HOTLINE}
        return Template("forged.html", context=context, status_code=403)
    room = f"/bags/{code.waybill}?tag={code.tag}" if request.user else "/"
    return Redirect(room, status_code=303)


# The API


class NewBag(msgspec.Struct, forbid_unknown_fields=True):
    """A bag to be made: where it goes, and which of how many it is."""

    to: PartyText
    part: Annotated[int, Meta(ge=1, le=bags.MOST_PARTS)] = 1
    parts: Annotated[int, Meta(ge=1, le=bags.MOST_PARTS)] = 1


class Seal(msgspec.Struct, forbid_unknown_fields=True):
    """The seal that a bag is closed with."""

    seal_no: Annotated[str, Meta(min_length=1, max_length=20)]


class BagTold(msgspec.Struct, omit_defaults=True):
    """A bag, and the waybills inside. ``label``: where its label is drawn."""

    number: str
    origin: str
    destination: str
    part: int
    parts: int
    holder: str
    label: str
    items: list[str]
    seal_no: str | None = None
    closed_at: datetime | None = None
    released_to: str | None = None
    opened_at: datetime | None = None


_EXAMPLE = BagTold(
    number="DT000000014VN",
    origin="office:1",
    destination="agency:2",
    part=2,
    parts=3,
    holder="office:1",
    label="/bags/DT000000014VN/label.pdf",
    items=["DH123456785VN"],
)


def _told(look: Look) -> BagTold:
    bag: Bag = look.bag
    return BagTold(
        number=bag.number,
        origin=str(bag.origin),
        destination=str(bag.destination),
        part=bag.part,
        parts=bag.parts,
        holder=str(bag.holder),
        label=f"/bags/{bag.number}/label.pdf",
        items=[each.waybill for each in look.inside],
        seal_no=bag.seal_no,
        closed_at=bag.closed_at,
        released_to=str(bag.released_to) if bag.released_to else None,
        opened_at=bag.opened_at,
    )


Number = Annotated[
    str,
    Parameter(
        max_length=40,
        description="The bag's number.",
        examples=[Example(value="DT000000014VN")],
    ),
]


@post(
    "/api/bags",
    guards=[PACKERS],
    tags=["Bags"],
    summary="Make a bag",
    description=(
        "An empty bag of one's own office. Items are put in by scans of the step "
        "`packed` that name the `bag`; a scan of the bag's own code is one of every "
        "item inside."
    ),
    responses=answers(201, BagTold, _EXAMPLE, "The bag")
    | refuses(400, NotLoggedIn(), NotAllowed()),
)
async def make_for_program(
    request: StaffRequest,
    data: Annotated[NewBag, Body(examples=[Example(value={"to": "agency:2"})])],
) -> BagTold:
    """Make a bag."""
    actor = request.user
    number = await bags.make(actor, Party.parse(data.to), data.part, data.parts)
    return _told(await bags.look(number, actor))


@get(
    "/api/bags/{number:str}",
    guards=[STAFF],
    tags=["Bags"],
    summary="Look at a bag",
    description="A bag that comes from, goes to or is at the one who asks.",
    responses=answers(200, BagTold, _EXAMPLE, "The bag, and what is inside now")
    | refuses(400, NotLoggedIn(), NotAllowed(), UnknownBag("DT000000014VN")),
)
async def look_for_program(request: StaffRequest, number: Number) -> BagTold:
    """Look at a bag."""
    return _told(await bags.look(number, request.user))


@post(
    "/api/bags/{number:str}/close",
    status_code=200,
    guards=[PACKERS],
    tags=["Bags"],
    summary="Close a bag",
    description="With the number of its seal. Nothing can be put in afterwards.",
    responses=answers(200, BagTold, _EXAMPLE, "The bag, closed")
    | refuses(400, NotLoggedIn(), NotAllowed(), UnknownBag("DT000000014VN")),
)
async def close_for_program(
    request: StaffRequest,
    number: Number,
    data: Annotated[Seal, Body(examples=[Example(value={"seal_no": "NP-0042"})])],
) -> BagTold:
    """Close a bag."""
    await bags.close(bags.number_of(number), data.seal_no, request.user)
    return _told(await bags.look(number, request.user))


ROUTES = [
    bags_page,
    make_bag,
    bag_page,
    pack,
    unpack,
    close_bag,
    release_bag,
    recall_bag,
    take_bag,
    back_to_bag,
    bag_label,
    read_bag_label,
    make_for_program,
    look_for_program,
    close_for_program,
]
