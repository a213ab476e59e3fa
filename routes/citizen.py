"""What a citizen opens without an account: the page of a dossier, and the look-up.

Parses and shows; what may be told, and how often, is `postal_track`'s to say.
"""

from typing import Annotated, Any

from litestar import Request, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery
from litestar.response import Redirect, Response, Template

from postal_track import (
    asks,
    following,
    glances,
    journey,
    lookups,
    misses,
    paying,
    wishes,
)
from postal_track.errors import (
    BadInput,
    BadWaybill,
    ForeignCode,
    NotFound,
    PostalTrackError,
    TooOften,
)
from postal_track.followed import spoken
from postal_track.retold import by_days
from postal_track.s10 import spaced
from postal_track.settings import settings
from postal_track.telling import tell
from routes import money_words
from routes.errors import number_of
from routes.language import language

AnyRequest = Request[Any, Any, Any]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/d/{token:str}", include_in_schema=False)
async def dossier_page(request: AnyRequest, token: FromPath[str]) -> Template:
    """Tell the whole story of a dossier to whoever has its link."""
    await misses.reading(address_of(request))
    try:
        followed = await following.follow(token)
    except NotFound:
        return await unknown(request)
    told = tell(followed)
    by = told.next.by
    return Template(
        "citizen.html",
        context={
            "f": followed,
            "told": told,
            "days": by_days(told.story),
            "by": spoken(by, followed.today) if by else None,
            "due": spoken(followed.due_on, followed.today) if followed.due_on else None,
            "spaced": spaced,
            "states": journey.TRIP_STATE,
            "hotline": settings().HOTLINE,
            "wishes": await wishes.on_page(token),
            "pay": await paying.on_page(token),
            "money_words": money_words,
            "acts": [
                *asks.words_open_to(followed),
                *asks.open_to(followed),
            ],
        },
    )


@get("/d/{token:str}/pay.png", include_in_schema=False)
async def pay_picture(
    request: AnyRequest, token: FromPath[str]
) -> Response[bytes] | Template:
    """Give the code to pay by as a picture, for a bank's app on the same phone."""
    await misses.reading(address_of(request))
    try:
        pay = await paying.on_page(token)
        if pay is None or not pay.now:
            raise NotFound
        picture = paying.picture(pay.reference, pay.now)
    except NotFound:
        return await unknown(request)
    return Response(
        picture, media_type="image/png", headers={"Cache-Control": "no-store"}
    )


@get("/s/{slug:str}", include_in_schema=False)
async def short_link(request: AnyRequest, slug: FromPath[str]) -> Template | Redirect:
    """Lead from the short address in a text to the dossier's page."""
    await misses.reading(address_of(request))
    try:
        token = await following.token_of(slug)
    except NotFound:
        return await unknown(request)
    return Redirect(f"/d/{token}", status_code=303)


async def unknown(request: AnyRequest) -> Template:
    """Answer every link that leads nowhere alike; who tries many is stopped."""
    await misses.missed(address_of(request))
    return Template(
        "unknown.html", context={"hotline": settings().HOTLINE}, status_code=404
    )


@get("/track", include_in_schema=False)
async def track_page(waybill: FromQuery[str] = "") -> Template:
    """Ask for waybill and digits. An address can carry the first, never the second."""
    return _form(waybill[:60], "", None, "vi")


@post("/track", include_in_schema=False)
async def track(request: AnyRequest, data: Form) -> Template | Redirect:
    """Open the dossier's page when both are right; by waybill alone, stage and day."""
    typed, last4 = data.get("waybill", "")[:300], data.get("last4", "")[:20]
    try:
        if not last4.strip():
            return Redirect(f"/track/{lookups.read(typed)}", status_code=303)
        await misses.reading(address_of(request))
        token = await lookups.token_for(typed, last4, address_of(request))
    except PostalTrackError as fault:
        return _form(typed, last4, fault, language(request))
    return Redirect(f"/d/{token}", status_code=303)


@get("/track/{waybill:str}", include_in_schema=False)
async def track_result(request: AnyRequest, waybill: FromPath[str]) -> Template:
    """Show stage and day of a waybill, no more."""
    try:
        seen = await glances.glance(waybill, address_of(request))
    except PostalTrackError as fault:
        return _form(waybill[:60], "", fault, language(request))
    return Template("track_result.html", context={"seen": seen, "spaced": spaced})


def _form(
    waybill: str, last4: str, fault: PostalTrackError | None, lang: Any
) -> Template:
    """Show the form: empty, or as typed with the fault where it belongs."""
    problems: dict[str, str] = {}
    if isinstance(fault, BadWaybill | ForeignCode):
        problems["waybill"] = fault.sentence(lang)
    elif isinstance(fault, BadInput):
        problems |= {
            each.field: each.detail_vi if lang == "vi" else each.detail
            for each in fault.problems
        }
    elif fault is not None:
        problems["form"] = fault.sentence(lang)
    waits = {"Retry-After": str(fault.seconds)} if isinstance(fault, TooOften) else {}
    return Template(
        "track.html",
        context={
            "waybill": waybill,
            "last4": last4,
            "problems": problems,
            "hotline": settings().HOTLINE,
        },
        status_code=number_of(fault) if fault else 200,
        headers=waits,
    )


def address_of(request: AnyRequest) -> str:
    """Tell from where a request comes."""
    return request.client.host if request.client else ""


ROUTES = [dossier_page, pay_picture, short_link, track_page, track, track_result]
