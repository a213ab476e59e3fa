"""My day: the page that a carrier goes by, and the same as JSON for his phone.

What belongs on the run and in which order is ``runs``'s to say; what an outcome means,
``handoffs.record``'s.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid5

import msgspec
from litestar import Request, get, post
from litestar.params import Body, FromQuery
from litestar.response import Redirect, Template
from msgspec import Meta

from postal_track import cash, holding, plans, runs
from postal_track.cash import Taken
from postal_track.custody import REASONS, Party, Reason, Role, Step
from postal_track.errors import BadInput, NotAllowed, NotFound, NotLoggedIn, Problem
from postal_track.handoffs import Proof
from postal_track.orders import plain
from postal_track.places import Place
from postal_track.promises import add_working_days
from postal_track.runs import Do, Run, Stop, Task
from postal_track.settings import settings
from postal_track.slots import Half
from postal_track.staff import Actor
from routes import by_hand, filters, measured, words
from routes.by_hand import Ticked, Told
from routes.guards import only
from routes.language import language
from routes.openapi import answers, example, refuses
from routes.order_form import Form
from routes.runs import DOING

StaffRequest = Request[Actor, str, Any]

CARRIERS = only(Role.CARRIER)

OUTCOMES = frozenset(
    {Step.DELIVERED, Step.ATTEMPTED, Step.PICKUP_FAILED, Step.OUT, Step.RELEASED}
)
"""What can be said on the page itself; a pickup is counted and sealed on /scan."""

USUAL = (
    Reason.ABSENT,
    Reason.LATER,
    Reason.WRONG_ADDRESS,
    Reason.UNKNOWN,
    Reason.REFUSED,
    Reason.CANNOT_PAY,
    Reason.ID_MISSING,
    Reason.NOT_AUTHORISED,
    Reason.WEATHER,
    Reason.OTHER,
)
"""Why a citizen was not served, the most usual first."""

CLOSED = (Reason.OFFICE_CLOSED, Reason.REFUSED, Reason.WEATHER, Reason.OTHER)
"""Why an agency was not."""


def geo(stop: Stop) -> str:
    """Make a link that opens a phone's own map; rough positions are looked up there."""
    text = ", ".join(filter(None, (stop.address, stop.ward)))
    if stop.place is None:
        return f"geo:0,0?q={quote(text)}" if text else ""
    spot = f"{stop.place.lat:.6f},{stop.place.lon:.6f}"
    return f"geo:{spot}?q={quote(text) if stop.rough and text else spot}"


def maps(stop: Stop) -> str:
    """Make the same link for a phone that does not know ``geo:``."""
    text = ", ".join(filter(None, (stop.address, stop.ward)))
    if stop.place is None or (stop.rough and stop.address):
        return f"https://maps.apple.com/?q={quote(text)}" if text else ""
    return f"https://maps.apple.com/?ll={stop.place.lat:.6f},{stop.place.lon:.6f}"


def _of_apple(request: StaffRequest) -> bool:
    agent = request.headers.get("user-agent", "")
    return "iPhone" in agent or "iPad" in agent


# The page


@get("/day", include_in_schema=False, guards=[CARRIERS])
async def day_page(request: StaffRequest, taken: FromQuery[int] = 0) -> Template:
    """Show today's run."""
    return await _page(request, taken=taken)


@post("/day/order", include_in_schema=False, guards=[CARRIERS])
async def arrange(request: StaffRequest, data: Form) -> Redirect:
    """Move a stop, put it off, or order the run anew from where he is."""
    actor, key = request.user, plain(data.get("key", ""))[:24]
    what = data.get("what", "")
    if what == "route":
        await runs.run(actor, _from(data) or actor.location)
        return Redirect("/day", status_code=303)
    if what in ("skip", "again"):
        await runs.skip(actor, key, what == "skip")
    elif what == "first":
        await runs.reorder(actor, [key])
    else:
        await runs.move(actor, key, -1 if what == "up" else 1)
    return Redirect(f"/day#{key}", status_code=303)


def _from(form: dict[str, str]) -> Place | None:
    try:
        place = Place(float(form.get("lat", "")), float(form.get("lon", "")))
    except ValueError:
        return None
    on_earth = -90 <= place.lat <= 90 and -180 <= place.lon <= 180
    return place if on_earth else None


@post("/day/take", include_in_schema=False, guards=[CARRIERS])
async def take(request: StaffRequest, data: Form) -> Redirect:
    """Take on what nobody of the office goes for yet."""
    waybills = [name.removeprefix("item.") for name in data if name.startswith("item.")]
    taken = await plans.take(waybills[:100], request.user)
    return Redirect(f"/day?taken={taken}", status_code=303)


@post("/day/outcome", include_in_schema=False, guards=[CARRIERS])
async def say_outcome(request: StaffRequest, data: Form) -> Template | Redirect:
    """Tell what became of a stop's items, as the phone's queue would."""
    lang = language(request)
    try:
        rows, step, more = by_hand.ticked(data), *_outcome(data)
    except BadInput as fault:
        problems = by_hand.sentences(fault, lang)
        return await _page(request, typed=data, problems=problems)
    if step is Step.RELEASED:
        more["to"] = await _agency(data, request.user)
    scans = [by_hand.scan(request.user, row, step, **more) for row in rows]
    told = await by_hand.tell(scans, lang)
    await _take_cash(data, rows, request.user)
    if by_hand.smooth(told):
        return Redirect("/day", status_code=303)
    why = " ".join(dict.fromkeys(each.refused for each in told if each.refused))
    refused = {"code": why} if why else {}
    return await _page(request, typed=data, problems=refused, told=told)


def _outcome(form: dict[str, str]) -> tuple[Step, dict[str, Any]]:
    """Read what happened; raises ``BadInput`` beside the field."""
    step = filters.chosen(Step, form.get("step", ""))
    if step not in OUTCOMES:
        why = Problem("items", "Say what happened.", "Hãy chọn kết quả.")
        raise BadInput((why,))
    if step is Step.DELIVERED:
        return step, {"proof": Proof("code", code=_code(form))}
    if step not in REASONS:
        return step, {}
    reason = filters.chosen(Reason, form.get("reason", ""))
    if reason not in REASONS[step]:
        why = Problem("reason", "Say why.", "Hãy chọn lý do.")
        raise BadInput((why,))
    note = plain(form.get("note", ""))[:240]
    if reason is Reason.OTHER and not note:
        why = Problem("note", "Say which reason.", "Hãy ghi rõ lý do.")
        raise BadInput((why,))
    again_on = filters.day(form.get("again_on", ""), "again_on")
    return step, {"reason": reason, "note": note, "again_on": again_on}


async def _take_cash(form: dict[str, str], rows: list[Ticked], actor: Actor) -> None:
    """Write the cash that was ticked, under the id of its scan: twice is once."""
    amount = filters.number(form.get("cash", ""))
    if amount:
        now = datetime.now(UTC)
        taken = [Taken(uuid5(r.id, "cash"), r.waybill, amount, now) for r in rows[:1]]
        await cash.take(taken, actor)


def _code(form: dict[str, str]) -> str:
    code = "".join(form.get("code", "").split())
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        why = Problem(
            "code", "Enter the six digits.", "Hãy nhập đủ 6 chữ số của mã nhận."
        )
        raise BadInput((why,))
    return code


async def _agency(form: dict[str, str], actor: Actor) -> Party:
    """Find the agency that takes it; one that items may be released to."""
    known = {str(party): party for party, _ in await holding.receivers(actor)}
    if form.get("to", "") not in known:
        raise NotFound
    return known[form["to"]]


async def _page(
    request: StaffRequest,
    *,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    told: list[Told] | None = None,
    taken: int = 0,
) -> Template:
    run = await runs.run(request.user)
    held, promised = await holding.held(request.user)
    lang, link = language(request), maps if _of_apple(request) else geo
    typed = typed or {}
    return Template(
        "day.html",
        context={
            "run": run,
            "held": held,
            "cash": await cash.total(request.user),
            "promised": [each for each in promised if each.custody.released_to],
            "link": link,
            "typed": typed,
            "tried": {n.removeprefix("item.") for n in typed if n.startswith("item.")},
            "problems": problems or {},
            "told": told or [],
            "taken": taken,
            "usual": USUAL,
            "closed": CLOSED,
            "tomorrow": add_working_days(run.day, 1),
            "tries": settings().DELIVERY_ATTEMPTS,
            "fresh": by_hand.fresh,
            "what": lambda task: what(task, lang),
            **measured.measures(lang),
        },
        status_code=422 if problems else 200,
    )


def what(task: Task, lang: str) -> str:
    """Say what is to be done with an item."""
    return words.choose(DOING[task.do], lang)


# JSON


class PaperOut(msgspec.Struct):
    """One line of the list that is counted at the door."""

    name: str
    originals: int
    copies: int


class TaskOut(msgspec.Struct, omit_defaults=True):
    """One item of a stop.

    ``here``: in his hands. ``ready``: on its way to the addressee, so that it can be
    handed over. ``fee``: VND to collect.
    """

    waybill: str
    do: Do
    do_text: str
    leg: str
    leg_text: str
    stage: str
    here: bool
    ready: bool
    attempts: int = 0
    fee: int = 0
    originals: int | None = None
    copies: int | None = None
    seal_no: str | None = None
    in_person: bool = False
    takes_back_old: bool = False
    promised_on: date | None = None
    late: bool = False
    papers: list[PaperOut] = []


class StopOut(msgspec.Struct, omit_defaults=True):
    """One door, with what is personal about it: keep it no longer than today.

    ``rough``: the position is the centre of the ward. ``metres``: from the stop before,
    as the crow flies. ``deputy``: who else may receive it.
    """

    key: str
    name: str
    address: str
    ward: str
    tel: str
    geo: str
    maps: str
    tasks: list[TaskOut]
    half: Half | None = None
    lat: float | None = None
    lon: float | None = None
    rough: bool = False
    metres: int | None = None
    fee: int = 0
    skipped: bool = False
    agency: str = ""
    deputy: str = ""
    deputy_tel: str = ""


class FreeOut(msgspec.Struct, omit_defaults=True):
    """What nobody of the office goes for yet; see ``/api/day/take``."""

    waybill: str
    do: Do
    ward: str
    half: Half | None = None
    promised_on: date | None = None


class DoneOut(msgspec.Struct, omit_defaults=True):
    """One thing done today."""

    waybill: str
    step: Step
    step_text: str
    at: datetime
    reason: str | None = None


class DayOut(msgspec.Struct):
    """A carrier's run of one day, in the order in which he goes.

    ``fee``: VND to collect on it. ``indoors``: what he holds and takes back to the
    counter. ``later``: how many of his are for another day.
    """

    day: date
    made_at: datetime
    stops: list[StopOut]
    indoors: list[str]
    free: list[FreeOut]
    done: list[DoneOut]
    later: int
    fee: int
    metres: int


class Spot(msgspec.Struct, forbid_unknown_fields=True):
    """A position in degrees. Used once for the order, and not kept."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


Key = Annotated[str, Meta(max_length=24)]


class OrderIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How to go: ``keys`` in this order, or the shortest way from ``start``.

    ``skip`` are put off to the end, ``again`` taken in again.
    """

    keys: Annotated[list[Key], Meta(max_length=runs.MOST_STOPS)] = []
    start: Spot | None = None
    skip: Annotated[list[Key], Meta(max_length=runs.MOST_STOPS)] = []
    again: Annotated[list[Key], Meta(max_length=runs.MOST_STOPS)] = []


class TakeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What to take on."""

    waybills: Annotated[list[Key], Meta(min_length=1, max_length=100)]


_STOP = StopOut(
    key="DH123456785VN",
    name="Nguyễn Thị Hoa",
    address="12 Trần Hưng Đạo, Phường Long Xuyên",
    ward="Phường Long Xuyên",
    tel="tel:+84912345678",
    geo="geo:10.366100,105.423000?q=10.366100,105.423000",
    maps="https://maps.apple.com/?ll=10.366100,105.423000",
    tasks=[
        TaskOut(
            "DH123456785VN",
            Do.DELIVER,
            "Deliver",
            "result",
            "Result to the citizen",
            "out_for_delivery",
            here=True,
            ready=True,
            fee=26_000,
            originals=1,
        )
    ],
    half=Half.MORNING,
    lat=10.3661,
    lon=105.423,
    metres=1240,
    fee=26_000,
)
_DAY = DayOut(
    date(2026, 11, 23),
    datetime.fromisoformat("2026-11-23T00:30:00Z"),
    [_STOP],
    indoors=[],
    free=[FreeOut("DH123456794VN", Do.COLLECT, "Phường Long Xuyên")],
    done=[],
    later=1,
    fee=26_000,
    metres=1240,
)


@get(
    "/api/day",
    guards=[CARRIERS],
    summary="My day",
    description=(
        "A carrier's run of today in the order in which he goes: what, for whom, "
        "where, what to count and to collect. Personal: each dossier's reading is "
        "noted once a day, and nothing of it is to outlive the day on a phone."
    ),
    tags=["Day"],
    responses=answers(200, DayOut, _DAY, "Today's run")
    | refuses(NotLoggedIn(), NotAllowed()),
)
async def my_day(request: StaffRequest) -> DayOut:
    """Tell a carrier's run of today."""
    return _day(await runs.run(request.user), language(request))


@post(
    "/api/day/order",
    guards=[CARRIERS],
    status_code=200,
    summary="Change the order of my day",
    description=(
        "By hand, or anew by the shortest way from a position, which is not kept. What "
        "was put off stays on the run, at its end."
    ),
    tags=["Day"],
    responses=answers(200, DayOut, _DAY, "Today's run in its new order")
    | refuses(400, NotLoggedIn(), NotAllowed(), NotFound()),
)
async def order_my_day(
    request: StaffRequest,
    data: Annotated[
        OrderIn,
        Body(
            examples=[
                example(OrderIn(keys=["DH123456785VN", "agency:3"]), "By hand"),
                example(OrderIn(start=Spot(10.3661, 105.423)), "From here"),
                example(OrderIn(skip=["agency:3"]), "Put off"),
            ]
        ),
    ],
) -> DayOut:
    """Change the order."""
    actor = request.user
    for key in data.skip:
        await runs.skip(actor, key, skipped=True)
    for key in data.again:
        await runs.skip(actor, key, skipped=False)
    start = Place(data.start.lat, data.start.lon) if data.start else None
    run = await runs.run(actor, start)
    if data.keys:
        run = await runs.reorder(actor, data.keys)
    return _day(run, language(request))


@post(
    "/api/day/take",
    guards=[CARRIERS],
    status_code=200,
    summary="Take on what nobody goes for",
    description="What a colleague was quicker to take stays his.",
    tags=["Day"],
    responses=answers(200, DayOut, _DAY, "Today's run with what was taken on")
    | refuses(400, NotLoggedIn(), NotAllowed()),
)
async def take_on(
    request: StaffRequest,
    data: Annotated[TakeIn, Body(examples=[example(TakeIn(["DH123456794VN"]))])],
) -> DayOut:
    """Take pickups on."""
    await plans.take(data.waybills, request.user)
    return _day(await runs.run(request.user), language(request))


def _day(run: Run, lang: str) -> DayOut:
    return DayOut(
        day=run.day,
        made_at=run.made_at,
        stops=[_stop(stop, lang) for stop in run.stops],
        indoors=[task.waybill for task in run.indoors],
        free=[
            FreeOut(f.waybill, f.do, f.ward, f.half, f.promised_on) for f in run.free
        ],
        done=[
            DoneOut(
                d.waybill,
                d.step,
                words.choose(words.DEEDS[d.step], lang),
                d.at,
                d.reason,
            )
            for d in run.done
        ],
        later=run.later,
        fee=run.fee,
        metres=round(run.metres),
    )


def _stop(stop: Stop, lang: str) -> StopOut:
    deputy, number = stop.deputy or ("", "")
    return StopOut(
        key=stop.key,
        name=words.choose(stop.name, lang),
        address=stop.address,
        ward=stop.ward,
        tel=f"tel:{stop.phone}" if stop.phone else "",
        geo=geo(stop),
        maps=maps(stop),
        tasks=[_task(task, lang) for task in stop.tasks],
        half=stop.half,
        lat=stop.place.lat if stop.place else None,
        lon=stop.place.lon if stop.place else None,
        rough=stop.rough,
        metres=None if stop.metres is None else round(stop.metres),
        fee=stop.fee,
        skipped=stop.skipped,
        agency=f"agency:{stop.agency}" if stop.agency else "",
        deputy=deputy,
        deputy_tel=f"tel:{number}" if number else "",
    )


def _task(task: Task, lang: str) -> TaskOut:
    return TaskOut(
        waybill=task.waybill,
        do=task.do,
        do_text=what(task, lang),
        leg=task.leg.value,
        leg_text=words.leg(task.leg, lang),
        stage=task.stage.value,
        here=task.here,
        ready=task.ready,
        attempts=task.attempts,
        fee=task.fee,
        originals=task.originals,
        copies=task.copies,
        seal_no=task.seal_no,
        in_person=task.in_person,
        takes_back_old=task.takes_back_old,
        promised_on=task.promised_on,
        late=task.late,
        papers=[PaperOut(p.name, p.originals, p.copies) for p in task.papers],
    )


@get(
    [f"/day/{what}" for what in ("order", "take", "outcome")],
    include_in_schema=False,
    guards=[CARRIERS],
)
async def back_to_day() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/day", status_code=303)


ROUTES = [
    day_page,
    arrange,
    take,
    say_outcome,
    back_to_day,
    my_day,
    order_my_day,
    take_on,
]
