"""The page that scans: its frame and its words. What it does is in static/js/scan.js.

Knows no item and no rule; the page asks /api for both.
"""

from typing import Any

from litestar import Request, get
from litestar.response import Template

from postal_track.custody import REASONS, Reason, Step
from postal_track.staff import Actor
from routes import words
from routes.guards import logged_in
from routes.language import language

Choice = tuple[Reason, words.Pair, list[Step]]


@get("/scan", guards=[logged_in], include_in_schema=False)
async def scan_page(request: Request[Actor, str, Any]) -> Template:
    """Show the scanner, which stays open while labels pass before it."""
    lang = language(request)
    acts = {f"step_{step.value}": words.step(step, lang) for step in words.ACTS}
    return Template("scan.html", context={"reasons": _reasons(), "acts": acts})


def _reasons() -> list[Choice]:
    """List the reasons that can be chosen, each with the steps that it can explain."""
    return [
        (reason, pair, [step for step, known in REASONS.items() if reason in known])
        for reason, pair in words.REASONS.items()
    ]
