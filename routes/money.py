"""Money on pages: what is owed, what came in, cash, and one dossier's account.

Parses and shows; who may do what, and what follows, is `postal_track`'s to say.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import cash, charges, payments, statements
from postal_track.boards import today
from postal_track.charges import ChargeKind, Due, Wanted, Why
from postal_track.custody import Role
from postal_track.errors import BadInput, Conflict, NotFound, Problem
from postal_track.payments import Return
from postal_track.references import spaced as spaced_reference
from postal_track.s10 import spaced
from postal_track.staff import Actor
from routes import by_hand, filters, measured, money_words
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

READERS = only(*payments.READERS)
CASHIERS = only(*payments.CASHIERS)
REFUNDERS = only(*payments.REFUNDERS)
HANDLERS = only(*cash.TAKERS)
DAY_READERS = only(*cash.DAY_READERS)
SUPERVISORS = only(Role.SUPERVISOR)
STAFF = only(*Role)
CHANGERS = only(*charges.CHANGERS)


@dataclass
class Sent:
    """A statement as a form sends it."""

    file: UploadFile


def _page(
    request: StaffRequest,
    name: str,
    context: dict[str, Any],
    *,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    names: Any = None,
) -> Template:
    lang = language(request)
    known = names or {}
    return Template(
        name,
        context={
            "money_words": money_words,
            "spaced": spaced,
            "spaced_reference": spaced_reference,
            "fresh": by_hand.fresh,
            "problems": problems or {},
            "typed": typed or {},
            "name": lambda party: (
                known[party].name_en if lang == "en" else known[party].name
            ),
            **measured.measures(lang),
            **context,
        },
        status_code=422 if problems else 200,
    )


def _sentences(
    fault: BadInput | Conflict | NotFound, request: StaffRequest, field: str
) -> dict[str, str]:
    """Put a fault beside its fields, or beside the one that it must be of."""
    lang = language(request)
    if isinstance(fault, BadInput):
        return by_hand.sentences(fault, lang)
    return {field: fault.sentence(lang)}


# What is owed, and what waits for a person


@get("/money", include_in_schema=False, guards=[READERS])
async def money_page(
    request: StaffRequest, settled: FromQuery[int] = 0, returned: FromQuery[int] = 0
) -> Template:
    """Show what is owed, what did not match, and today's cash."""
    listed, sums = await payments.owed(request.user)
    left = await payments.unsettled(request.user)
    told = await cash.day(request.user, today())
    context = {
        "listed": listed,
        "sums": sums,
        "left": left,
        "told": told,
        "settled": settled,
        "returned": returned,
        "settles": request.user.role in payments.CASHIERS,
    }
    return _page(request, "money.html", context, names=told.names)


@get("/money/payments/{payment:int}", include_in_schema=False, guards=[CASHIERS])
async def payment_page(request: StaffRequest, payment: FromPath[int]) -> Template:
    """Show one payment that waits, with what it may mean."""
    return await _payment(request, payment)


async def _payment(
    request: StaffRequest,
    payment: int,
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Template:
    context = {
        "one": await payments.left_of(payment, request.user),
        "refunds": request.user.role in payments.REFUNDERS,
    }
    return _page(request, "money_payment.html", context, problems=problems, typed=typed)


@post("/money/payments/{payment:int}", include_in_schema=False, guards=[CASHIERS])
async def settle_payment(
    request: StaffRequest, payment: FromPath[int], data: Form
) -> Template | Redirect:
    """Give what is left of a payment to a dossier, with a reason."""
    code = data.get("chosen", "") or data.get("code", "")
    try:
        went = await payments.settle(payment, code, data.get("why", ""), request.user)
    except (BadInput, Conflict) as fault:
        problems = _sentences(fault, request, "code")
        return await _payment(request, payment, problems, data)
    return Redirect(f"/money?settled={went}", status_code=303)


@post(
    "/money/payments/{payment:int}/return",
    include_in_schema=False,
    guards=[REFUNDERS],
)
async def return_payment(
    request: StaffRequest, payment: FromPath[int], data: Form
) -> Template | Redirect:
    """Write that money went back, or is none of ours."""
    try:
        amount = by_hand.money(data, "amount")
        wanted = Return(
            id=by_hand.id_of(data),
            payment=payment,
            amount=amount,
            way=data.get("way", ""),
            reference=data.get("reference", ""),
            why=data.get("back_why", ""),
        )
        await payments.give_back(wanted, request.user)
    except (BadInput, Conflict) as fault:
        problems = _sentences(fault, request, "amount")
        if "why" in problems:
            problems["back_why"] = problems.pop("why")
        return await _payment(request, payment, problems, data)
    return Redirect(f"/money?returned={amount}", status_code=303)


@get("/money/payments/{payment:int}/return", include_in_schema=False, guards=[CASHIERS])
async def back_to_payment(payment: FromPath[int]) -> Redirect:
    """Lead back whoever asks again for what a form was sent to."""
    return Redirect(f"/money/payments/{payment}", status_code=303)


# Statements


@get("/money/statement", include_in_schema=False, guards=[CASHIERS])
async def statement_page(request: StaffRequest) -> Template:
    """Ask for a bank's statement."""
    return _page(request, "money_statement.html", {"read": None})


@post(
    "/money/statement",
    include_in_schema=False,
    guards=[CASHIERS],
    status_code=200,
    request_max_body_size=statements.LARGEST_FILE + 64 * 1024,
)
async def read_statement(
    request: StaffRequest,
    data: Annotated[Sent, Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Template:
    """Read a statement in, all of it or nothing; say what became of it."""
    try:
        told = await statements.take_in(
            await data.file.read(), data.file.filename, request.user
        )
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return _page(request, "money_statement.html", {"read": None}, problems=problems)
    return _page(request, "money_statement.html", {"read": told})


# Cash


@get("/money/cash", include_in_schema=False, guards=[HANDLERS])
async def cash_page(request: StaffRequest, done: FromQuery[str] = "") -> Template:
    """Show a carrier what he holds, a cashier what he has to count."""
    return await _cash(request, done=done[:20])


async def _cash(
    request: StaffRequest,
    *,
    done: str = "",
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Template:
    actor = request.user
    if actor.role is Role.CARRIER:
        held = await cash.held(actor)
        return _page(
            request,
            "money_held.html",
            {"held": held, "done": done},
            problems=problems,
            typed=typed,
            names=held.names,
        )
    told = await cash.day(actor, today())
    waiting = await cash.waiting(actor)
    context = {
        "waiting": waiting,
        "told": told,
        "carriers": await cash.carriers(actor),
        "counts": actor.office is not None,
        "done": done,
        "me": actor.party,
        "supervises": actor.role is Role.SUPERVISOR,
    }
    return _page(
        request,
        "money_cash.html",
        context,
        problems=problems,
        typed=typed,
        names=told.names,
    )


async def _act(
    request: StaffRequest, data: dict[str, str], field: str, done: str, work: Any
) -> Template | Redirect:
    """Do one thing with cash; what is wrong with it stands beside its field."""
    try:
        await work()
    except (BadInput, Conflict, NotFound) as fault:
        problems = _sentences(fault, request, field)
        return await _cash(request, problems=problems, typed=data)
    return Redirect(f"/money/cash?done={done}", status_code=303)


def _number(data: dict[str, str], name: str) -> int:
    return filters.key(data.get(name, "")) or 0


@post("/money/cash/release", include_in_schema=False, guards=[HANDLERS])
async def release_cash(request: StaffRequest, data: Form) -> Template | Redirect:
    """Say how much one hands in."""

    async def work() -> None:
        amount = by_hand.money(data, "amount")
        await cash.release(by_hand.id_of(data), amount, request.user)

    return await _act(request, data, "amount", "released", work)


@post("/money/cash/recall", include_in_schema=False, guards=[HANDLERS])
async def recall_cash(request: StaffRequest, data: Form) -> Template | Redirect:
    """Take that word back."""

    async def work() -> None:
        await cash.recall(_id(data), request.user)

    return await _act(request, data, "amount", "recalled", work)


@post("/money/cash/count", include_in_schema=False, guards=[CASHIERS])
async def count_cash(request: StaffRequest, data: Form) -> Template | Redirect:
    """Write what was counted, before what was said is shown."""
    id = by_hand.id_of(data)
    field = f"counted.{data.get('id', '')}"

    async def work() -> None:
        if not data.get("counted", "").strip():
            why = Problem("counted", "Count it first.", "Hãy đếm và ghi số tiền.")
            raise BadInput((why,))
        amount = by_hand.money(data, "counted")
        await cash.count(id, _number(data, "carrier"), amount, request.user)

    return await _act(request, data, field, "counted", work)


@post("/money/cash/explain", include_in_schema=False, guards=[CASHIERS])
async def explain_cash(request: StaffRequest, data: Form) -> Template | Redirect:
    """Say why it differs."""

    async def work() -> None:
        await cash.explain(_id(data), data.get("reason", ""), request.user)

    return await _act(request, data, "reason", "explained", work)


@post("/money/cash/agree", include_in_schema=False, guards=[HANDLERS])
async def agree_cash(request: StaffRequest, data: Form) -> Template | Redirect:
    """Agree to a count that differs."""

    async def work() -> None:
        await cash.agree(_id(data), request.user)

    return await _act(request, data, "reason", "agreed", work)


@post("/money/cash/close", include_in_schema=False, guards=[CASHIERS])
async def close_drawer(request: StaffRequest, data: Form) -> Template | Redirect:
    """Count the drawer and take it to the bank."""

    async def work() -> None:
        amount = by_hand.money(data, "drawer")
        await cash.close(
            by_hand.id_of(data),
            amount,
            data.get("why", ""),
            data.get("deposit", ""),
            request.user,
        )

    return await _act(request, data, "drawer", "closed", work)


@post("/money/cash/settle", include_in_schema=False, guards=[SUPERVISORS])
async def settle_cash(request: StaffRequest, data: Form) -> Template | Redirect:
    """Settle what a carrier holds by the books only."""

    async def work() -> None:
        amount = by_hand.money(data, "difference")
        await cash.let_go(
            by_hand.id_of(data),
            _number(data, "carrier"),
            -amount if data.get("way") == "less" else amount,
            data.get("settle_why", ""),
            request.user,
        )

    return await _act(request, data, "difference", "settled", work)


def _id(data: dict[str, str]) -> UUID:
    try:
        return UUID(data.get("id", ""))
    except ValueError:
        raise NotFound from None


@get(
    [
        "/money/cash/release",
        "/money/cash/recall",
        "/money/cash/count",
        "/money/cash/explain",
        "/money/cash/agree",
        "/money/cash/close",
        "/money/cash/settle",
    ],
    include_in_schema=False,
    guards=[HANDLERS],
)
async def back_to_cash() -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect("/money/cash", status_code=303)


@get("/money/day", include_in_schema=False, guards=[DAY_READERS])
async def day_page(request: StaffRequest, on: FromQuery[str] = "") -> Template:
    """Show the cash of a day, by office and carrier, with every difference."""
    problems: dict[str, str] = {}
    chosen = today()
    try:
        chosen = filters.day(on, "on") or chosen
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
    told = await cash.day(request.user, chosen)
    context = {
        "told": told,
        "today": chosen == today(),
        "on": on,
        "before": chosen - timedelta(days=1),
        "after": chosen + timedelta(days=1),
    }
    return _page(
        request, "money_day.html", context, problems=problems, names=told.names
    )


# One dossier's account


@get("/items/{waybill:str}/money", include_in_schema=False, guards=[STAFF])
async def account_page(
    request: StaffRequest, waybill: FromPath[str], done: FromQuery[str] = ""
) -> Template:
    """Show what a dossier costs and what was paid."""
    return await _account(request, waybill, done=done[:20])


async def _account(
    request: StaffRequest,
    waybill: str,
    *,
    done: str = "",
    problems: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
) -> Template:
    actor = request.user
    told = await charges.account(waybill, actor)
    kinds = [
        kind for kind in ChargeKind if charges.may_change(actor, kind, Why.MISTAKE)
    ]
    whys = [
        why
        for why in charges.BY_HAND
        if any(charges.may_change(actor, kind, why) for kind in ChargeKind)
    ]
    context = {
        "told": told,
        "waybill": waybill,
        "done": done,
        "cashier": actor.role in payments.CASHIERS and actor.office is not None,
        "kinds": kinds if actor.role in charges.CHANGERS else [],
        "whys": whys,
        "dues": list(Due),
    }
    return _page(
        request,
        "money_account.html",
        context,
        problems=problems,
        typed=typed,
        names=told.names,
    )


@post("/items/{waybill:str}/money/pay", include_in_schema=False, guards=[CASHIERS])
async def pay_at_counter(
    request: StaffRequest, waybill: FromPath[str], data: Form
) -> Template | Redirect:
    """Take money over the counter."""
    try:
        amount = by_hand.money(data, "amount")
        await payments.at_counter(by_hand.id_of(data), waybill, amount, request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _account(request, waybill, problems=problems, typed=data)
    return Redirect(f"/items/{waybill}/money?done=paid", status_code=303)


@post("/items/{waybill:str}/money/change", include_in_schema=False, guards=[CHANGERS])
async def change_charge(
    request: StaffRequest, waybill: FromPath[str], data: Form
) -> Template | Redirect:
    """Set a charge to another amount, with a reason."""
    kind = filters.chosen(ChargeKind, data.get("kind", ""))
    due = filters.chosen(Due, data.get("due", ""))
    why = filters.chosen(Why, data.get("reason", ""))
    try:
        missing = [
            Problem(name, "Choose one.", "Hãy chọn một mục.")
            for name, value in (("kind", kind), ("due", due), ("reason", why))
            if value is None
        ]
        if not data.get("charge", "").strip():
            missing.append(Problem("charge", "Write the amount.", "Hãy ghi số tiền."))
        if missing or kind is None or due is None or why is None:
            raise BadInput(tuple(missing))
        amount = by_hand.money(data, "charge")
        words = data.get("words", "")
        wanted = Wanted(kind=kind, due=due, amount=amount, why=why, words=words)
        await charges.change(waybill, wanted, request.user)
    except BadInput as fault:
        problems = by_hand.sentences(fault, language(request))
        return await _account(request, waybill, problems=problems, typed=data)
    return Redirect(f"/items/{waybill}/money?done=changed", status_code=303)


@get(
    ["/items/{waybill:str}/money/pay", "/items/{waybill:str}/money/change"],
    include_in_schema=False,
    guards=[STAFF],
)
async def back_to_account(waybill: FromPath[str]) -> Redirect:
    """Lead back whoever asks again for the page that a form was shown on."""
    return Redirect(f"/items/{waybill}/money", status_code=303)


ROUTES = [
    money_page,
    payment_page,
    settle_payment,
    return_payment,
    back_to_payment,
    statement_page,
    read_statement,
    cash_page,
    release_cash,
    recall_cash,
    count_cash,
    explain_cash,
    agree_cash,
    close_drawer,
    settle_cash,
    back_to_cash,
    day_page,
    account_page,
    pay_at_counter,
    change_charge,
    back_to_account,
]
