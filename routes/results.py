"""Announcing many results at once: what was ticked, counted, and what became of each.

All or none, or those that are in order; the officer chooses. A list of which nothing
or not all was written is shown again as it was typed.
"""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template

from postal_track import desk as desks
from postal_track.bookings import Announced, Announcement, announce_results
from postal_track.custody import Role
from postal_track.desk import Tab
from postal_track.errors import BadInput, PostalTrackError
from postal_track.staff import Actor
from routes import by_hand, measured
from routes.by_hand import Ticked
from routes.guards import only
from routes.language import language
from routes.order_form import Form

StaffRequest = Request[Actor, str, Any]

OFFICERS = only(Role.OFFICER)

_ROW = "result."


@get("/desk/results", include_in_schema=False, guards=[OFFICERS])
async def results_page(request: StaffRequest) -> Template:
    """List the dossiers in work, each with what its result is."""
    return await _page(request)


@post("/desk/results", include_in_schema=False, guards=[OFFICERS])
async def announce_ticked(request: StaffRequest, data: Form) -> Template | Redirect:
    """Announce the ticked results: all, or those in order."""
    lang, partly = language(request), data.get("mode") == "partly"
    try:
        rows = by_hand.ticked(data, _ROW)
    except BadInput as fault:
        return await _page(request, data, by_hand.sentences(fault, lang))
    said, problems = _read(rows, data, lang)
    told: list[Announced] = []
    if said and (partly or not problems):
        told = await announce_results(said, request.user, partly=partly)
    for each in told:
        if each.error is not None:
            problems[each.token] = _sentence(each.error, lang)
    done = {each.token: each.waybill for each in told if each.waybill}
    if not problems:
        return Redirect(f"/desk?results={len(done)}", status_code=303)
    return await _page(request, data, problems, done)


def _read(
    rows: list[Ticked], form: dict[str, str], lang: str
) -> tuple[list[Announcement], dict[str, str]]:
    """Make announcements of what was typed; and say what no number was, by row."""
    said, problems = [], {}
    for row in rows:
        token = row.waybill  # a row is named by its dossier
        try:
            said.append(
                Announcement(
                    id=row.id,
                    token=token,
                    originals=by_hand.count(form, f"originals.{token}") or 0,
                    copies=by_hand.count(form, f"copies.{token}") or 0,
                    fee=by_hand.money(form, f"fee.{token}"),
                )
            )
        except BadInput as fault:
            problems[token] = _sentence(fault, lang)
    return said, problems


def _sentence(fault: PostalTrackError, lang: str) -> str:
    if isinstance(fault, BadInput):
        return " ".join(by_hand.sentences(fault, lang).values())
    return fault.sentence("en" if lang == "en" else "vi")


async def _page(
    request: StaffRequest,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    done: dict[str, str] | None = None,
) -> Template:
    return Template(
        "results.html",
        context={
            "section": await desks.section(request.user, Tab.WORK),
            "typed": typed or {},
            "problems": problems or {},
            "done": done or {},
            "fresh": by_hand.fresh,
            **measured.measures(language(request)),
        },
        status_code=422 if problems else 200,
    )


ROUTES = [results_page, announce_ticked]
