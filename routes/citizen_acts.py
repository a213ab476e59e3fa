"""What a citizen asks for on his dossier's page, and confirms by a code to his phone.

One page for the question, one for the code, for every kind of request; a booking uses
the second, too. What may be asked, and what it does, is `postal_track`'s to say.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from postal_track import (
    asking,
    catalogue,
    complaints,
    following,
    limits,
    misses,
    own_data,
    sayings,
    slots,
    summaries,
    wanted,
)
from postal_track import wishes as citizens_wishes
from postal_track.addresses import wards
from postal_track.asking import Asked
from postal_track.asks import Act, State, Word, open_to, way, words_open_to
from postal_track.complaints import Claimed
from postal_track.errors import BadInput, NotFound, PostalTrackError, TooOften
from postal_track.limits import PRINTS
from postal_track.s10 import spaced
from postal_track.settings import settings
from postal_track.telling import tell
from routes import case_words, order_form
from routes.booking_page import SENT
from routes.citizen import address_of, unknown
from routes.errors import number_of
from routes.filters import chosen
from routes.language import language
from routes.order_form import Form

AnyRequest = Request[Any, Any, Any]

OWN_DATA = "own-data"
"""The cookie of who has just proved by a code that he asks for his own data."""


@get("/d/{token:str}/ask/{act:str}", include_in_schema=False)
async def question(
    request: AnyRequest, token: FromPath[str], act: FromPath[str]
) -> Template:
    """Ask what exactly is wanted, and which phone confirms it."""
    await misses.reading(address_of(request))
    return await _question(request, token, act, {})


@post("/d/{token:str}/ask/{act:str}", include_in_schema=False)
async def ask(
    request: AnyRequest, token: FromPath[str], act: FromPath[str], data: Form
) -> Template | Redirect:
    """Send the code, or show the form again with what it lacks."""
    address, wish = address_of(request), chosen(Act, act)
    await misses.reading(address)
    try:
        if wish is None or wish is Act.BOOK:
            raise NotFound
        followed = await following.follow(token)
        if wish is Act.REDIRECT:
            await limits.knock(limits.PLACES, address)
        payload = await wanted.read(followed, wish, data)
        number = await asking.ask(token, wish, payload, data.get("part", ""), address)
    except NotFound:
        return await unknown(request)
    except PostalTrackError as fault:
        return await _question(request, token, act, data, fault)
    return Redirect(f"/d/{token}/confirm/{number}", status_code=303)


async def _question(
    request: AnyRequest,
    token: str,
    act: str,
    typed: Mapping[str, str],
    fault: PostalTrackError | None = None,
) -> Template:
    lang, wish = language(request), chosen(Act, act)
    try:
        if wish is None or wish is Act.BOOK:
            raise NotFound
        followed = await following.follow(token)
    except NotFound:
        return await unknown(request)
    problems = order_form.sentences(fault, lang) if isinstance(fault, BadInput) else {}
    lines = (await citizens_wishes.on_page(token)).lines
    context: dict[str, Any] = {
        "back": f"/d/{token}",
        "action": f"/d/{token}/ask/{wish.value}",
        "counter": False,
        "act": wish.value,
        "way": way(followed).value,
        "open": wish in open_to(followed),
        "typed": typed,
        "problems": problems,
        "refusal": "" if problems or fault is None else fault.sentence(lang),
        "lines": lines,
        "days": slots.offered(datetime.now(UTC)),
        "wards": list(wards().values()) if wish is Act.REDIRECT else [],
        "offices": await catalogue.offices() if wish is Act.HOLD else [],
        "months": settings().RETENTION_MONTHS,
        "hotline": settings().HOTLINE,
    }
    return Template("ask.html", context=context, **_answer(fault))


def _answer(fault: PostalTrackError | None) -> dict[str, Any]:
    waits = {"Retry-After": str(fault.seconds)} if isinstance(fault, TooOften) else {}
    return {"status_code": number_of(fault) if fault else 200, "headers": waits}


# The code


@get("/d/{token:str}/confirm/{number:uuid}", include_in_schema=False)
async def code_page(
    request: AnyRequest, token: FromPath[str], number: FromPath[UUID]
) -> Template:
    """Ask for the code, or say what became of it."""
    return await _code_page(request, token, number)


@get("/book/confirm/{number:uuid}", include_in_schema=False)
async def booking_code_page(
    request: AnyRequest, number: FromPath[UUID]
) -> Template | Redirect:
    """Ask for the code of a booking."""
    return await _code_page(request, None, number)


@post("/d/{token:str}/confirm/{number:uuid}", include_in_schema=False)
async def confirm(
    request: AnyRequest, token: FromPath[str], number: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Hold the code against the one that was sent; do what was asked."""
    return await _confirm(request, token, number, data)


@post("/book/confirm/{number:uuid}", include_in_schema=False)
async def confirm_booking(
    request: AnyRequest, number: FromPath[UUID], data: Form
) -> Template | Redirect:
    """Do the same for a booking."""
    return await _confirm(request, None, number, data)


async def _confirm(
    request: AnyRequest, token: str | None, number: UUID, data: Mapping[str, str]
) -> Template | Redirect:
    address = address_of(request)
    here = _path(token, number)
    try:
        if data.get("act") == "again":
            await asking.send_again(number, token, address)
            return Redirect(here, status_code=303)
        asked = await asking.confirm(number, token, data.get("code", ""), address)
    except NotFound:
        return await unknown(request)
    except PostalTrackError as fault:
        return await _code_page(request, token, number, fault)
    if token is None and asked.token:
        return Redirect(f"/book/done/{asked.token}", status_code=303)
    answer = Redirect(here, status_code=303)
    if asked.act is Act.DATA:
        answer.set_cookie(
            Cookie(
                OWN_DATA,
                value=asking.pass_for(number),
                path=f"/d/{token}/data",
                max_age=round(asking.OPEN_FOR.total_seconds()),
                httponly=True,
                secure=settings().PUBLIC_URL.startswith("https://"),
                samesite="strict",
            )
        )
    return answer


async def _code_page(
    request: AnyRequest,
    token: str | None,
    number: UUID,
    fault: PostalTrackError | None = None,
) -> Template:
    await misses.reading(address_of(request))
    try:
        asked: Asked = await asking.look(number, token)
    except NotFound:
        return await unknown(request)
    context = {
        "asked": asked,
        "here": _path(token, number),
        "back": f"/d/{asked.token}" if asked.token else "/book",
        "waits": asked.state is State.ASKED,
        "mends": token is None and asking.admits(number, request.cookies.get(SENT, "")),
        "problem": fault.sentence(language(request)) if fault else "",
        "hotline": settings().HOTLINE,
    }
    return Template("confirm.html", context=context, **_answer(fault))


def _path(token: str | None, number: UUID) -> str:
    return f"/d/{token}/confirm/{number}" if token else f"/book/confirm/{number}"


# One's own data


@get("/d/{token:str}/data/{number:uuid}", include_in_schema=False)
async def own_data_page(
    request: AnyRequest, token: FromPath[str], number: FromPath[UUID]
) -> Template | Redirect:
    """Show somebody all that is kept about him, in the browser that had the code."""
    await misses.reading(address_of(request))
    if not asking.admits(number, request.cookies.get(OWN_DATA, "")):
        return Redirect(f"/d/{token}/ask/data", status_code=303)
    try:
        data = await own_data.collect(token, number)
    except NotFound:
        return await unknown(request)
    context = {"data": data, "token": token, "number": number}
    return Template("own_data.html", context=context)


@get("/d/{token:str}/data/{number:uuid}/download", include_in_schema=False)
async def own_data_file(
    request: AnyRequest, token: FromPath[str], number: FromPath[UUID]
) -> Response[bytes] | Template | Redirect:
    """Hand the same over as a file that programs can read."""
    await misses.reading(address_of(request))
    if not asking.admits(number, request.cookies.get(OWN_DATA, "")):
        return Redirect(f"/d/{token}/ask/data", status_code=303)
    try:
        data = await own_data.collect(token, number)
    except NotFound:
        return await unknown(request)
    return Response(
        msgspec.json.format(msgspec.json.encode(data.plain()), indent=1),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="du-lieu-cua-toi.json"'},
    )


# A plain receipt


@get("/d/{token:str}/receipt.pdf", include_in_schema=False)
async def summary(
    request: AnyRequest, token: FromPath[str]
) -> Response[bytes] | Template:
    """Hand over one plain page of what was carried and what has happened."""
    address = address_of(request)
    await misses.reading(address)
    await limits.knock(PRINTS, address)
    try:
        followed = await following.follow(token)
    except NotFound:
        return await unknown(request)
    drawn = await summaries.draw(followed, tell(followed), language(request))
    name = followed.leg.waybill if followed.leg else "ho-so"
    return Response(
        drawn,
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="bien-nhan-{name}.pdf"'},
    )


# What needs no code


@get("/d/{token:str}/say/{word:str}", include_in_schema=False)
async def saying(
    request: AnyRequest,
    token: FromPath[str],
    word: FromPath[str],
    done: FromQuery[str] = "",
) -> Template:
    """Ask what is to be said; afterwards, that it was."""
    await misses.reading(address_of(request))
    return await _saying(request, token, word, {}, done=done[:20])


@post("/d/{token:str}/say/{word:str}", include_in_schema=False)
async def say(
    request: AnyRequest, token: FromPath[str], word: FromPath[str], data: Form
) -> Template | Redirect:
    """Take it in, or show the form again with what it lacks."""
    address, said, number = address_of(request), chosen(Word, word), "1"
    await misses.reading(address)
    try:
        match said:
            case Word.DISPUTE:
                number = await sayings.dispute(token, data.get("words", ""), address)
            case Word.CLAIM:
                kind = chosen(Claimed, data.get("kind", ""))
                waybill, words = data.get("waybill", ""), data.get("words", "")
                number = await sayings.claim(token, waybill, kind, words, address)
            case Word.RATE:
                await sayings.rate(token, data, address)
            case None:
                raise NotFound
    except NotFound:
        return await unknown(request)
    except PostalTrackError as fault:
        return await _saying(request, token, word, data, fault)
    return Redirect(f"/d/{token}/say/{word}?done={number}", status_code=303)


async def _saying(
    request: AnyRequest,
    token: str,
    word: str,
    typed: Mapping[str, str],
    fault: PostalTrackError | None = None,
    done: str = "",
) -> Template:
    lang, said = language(request), chosen(Word, word)
    try:
        if said is None:
            raise NotFound
        followed = await following.follow(token)
    except NotFound:
        return await unknown(request)
    problems = order_form.sentences(fault, lang) if isinstance(fault, BadInput) else {}
    context: dict[str, Any] = {
        "token": token,
        "word": said.value,
        "open": said in words_open_to(followed),
        "typed": typed,
        "problems": problems,
        "refusal": "" if problems or fault is None else fault.sentence(lang),
        "done": done if done.isalnum() else "",
        "items": sayings.claimable(followed),
        "windows": {kind: complaints.window(kind) for kind in Claimed},
        "claims": await sayings.claims(token) if said is Word.CLAIM else [],
        "rated": await sayings.rated(token) if said is Word.RATE else None,
        "settle_months": settings().SETTLE_MONTHS,
        "case_words": case_words,
        "spaced": spaced,
        "hotline": settings().HOTLINE,
    }
    return Template("say.html", context=context, **_answer(fault))


ROUTES = [
    summary,
    own_data_page,
    own_data_file,
    saying,
    say,
    question,
    ask,
    code_page,
    booking_code_page,
    confirm,
    confirm_booking,
]
