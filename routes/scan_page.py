"""The page that scans: its frame and its words. What it does is in static/js/scan.js.

Knows no item and no rule; the page asks /api for both.
"""

from litestar import get
from litestar.response import Template

from routes import words
from routes.guards import logged_in


@get("/scan", guards=[logged_in], include_in_schema=False)
async def scan_page() -> Template:
    """Show the scanner, which stays open while labels pass before it."""
    return Template("scan.html", context={"reasons": words.REASONS})
