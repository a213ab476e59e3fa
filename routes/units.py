"""Units: which one an officer works for, who is in which, what its people did."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import staff, units
from postal_track.custody import Party, PartyKind, Role
from postal_track.errors import BadInput, NotFound, NotYourPlace
from postal_track.staff import Actor
from routes import by_hand, filters, measured
from routes.guards import only
from routes.language import language
from routes.order_form import Form
from routes.pages import inside

StaffRequest = Request[Actor, str, Any]

OFFICERS = only(Role.OFFICER)
MANAGERS = only(*units.MANAGERS)

CHANGES = {
    "joined": ("được đưa vào", "was let into"),
    "chief": ("làm lãnh đạo", "was made chief of"),
    "member": ("thôi làm lãnh đạo", "is no longer chief of"),
    "left": ("ra khỏi", "was taken out of"),
}


@post("/unit", include_in_schema=False, guards=[OFFICERS])
async def choose_unit(request: StaffRequest, data: Form) -> Redirect:
    """Work for one of one's units in this session, or for all."""
    unit = data.get("unit", "")
    number = filters.number(unit)
    if unit and number is None:
        raise NotYourPlace
    await staff.choose_unit(request.auth, number, request.user)
    return Redirect(inside(data.get("back", "/desk")), status_code=303)


@get("/memberships", include_in_schema=False, guards=[MANAGERS])
async def memberships_page(
    request: StaffRequest, done: FromQuery[str] = ""
) -> Template:
    """Show who is in which unit."""
    return await _page(request, done=done)


@post("/memberships", include_in_schema=False, guards=[MANAGERS])
async def let_in(request: StaffRequest, data: Form) -> Template | Redirect:
    """Let an officer into a unit."""
    agency = filters.number(data.get("agency", ""))
    if agency is None:
        raise NotFound
    try:
        await units.join(
            request.user, agency, data.get("login", ""), chief="chief" in data
        )
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _page(request, typed=data, problems=problems)
    return Redirect(f"/memberships?done=joined#unit-{agency}", status_code=303)


@post(
    "/memberships/{agency:int}/{member:int}",
    include_in_schema=False,
    guards=[MANAGERS],
)
async def change_membership(
    request: StaffRequest, agency: FromPath[int], member: FromPath[int], data: Form
) -> Redirect:
    """Make a member chief or no longer, or take him out."""
    act = data.get("act", "")
    if max(agency, member) > filters.LARGEST_ID or act not in CHANGES:
        raise NotFound
    if act == "left":
        await units.leave(request.user, agency, member)
    else:
        await units.lead(request.user, agency, member, chief=act == "chief")
    return Redirect(f"/memberships?done={act}#unit-{agency}", status_code=303)


async def _page(
    request: StaffRequest,
    *,
    done: str = "",
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Template:
    context = {
        "kept": await units.memberships(request.user),
        "changes": CHANGES,
        "done": done if done in CHANGES else "",
        "typed": typed or {},
        "problems": problems or {},
    }
    status = 422 if problems else 200
    return Template("memberships.html", context=context, status_code=status)


@get("/unit/people", include_in_schema=False, guards=[OFFICERS])
async def people_page(
    request: StaffRequest,
    unit: FromQuery[str] = "",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    who: FromQuery[str] = "",
) -> Template:
    """Show a unit's chief who confirmed what when, and what lies open."""
    led = [each for each in request.user.units if each.party in request.user.chief_of]
    chosen = filters.number(unit)
    if not led:
        raise NotFound
    usual = next((e for e in led if e.party == request.user.unit), led[0]).party
    party = Party(PartyKind.AGENCY, chosen) if chosen else usual
    lang, problems = language(request), dict[str, str]()
    try:
        work = await units.work(
            request.user,
            party,
            filters.day(since, "since"),
            filters.day(until, "until"),
            filters.number(who),
        )
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        work = await units.work(request.user, party)
    return Template(
        "people.html",
        context={
            "work": work,
            "led": led,
            "fields": {"since": since, "until": until, "who": who},
            "problems": problems,
            **measured.measures(lang),
        },
        status_code=422 if problems else 200,
    )


ROUTES = [choose_unit, memberships_page, let_in, change_membership, people_page]
