"""What a label's QR opens when an ordinary camera reads it.

Staff go to the item, everyone else to its public page. A label we did not print is
told to be one.
"""

from typing import Any

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Redirect, Template

from postal_track.errors import ForgedLabel
from postal_track.labels import genuine, parse_code
from postal_track.settings import settings
from postal_track.staff import Actor
from routes.errors import wants_page


# A QR is compact in upper case; some phones put the address into lower case.
@get(
    ["/T/{waybill:str}/{tag:str}", "/t/{waybill:str}/{tag:str}"],
    include_in_schema=False,
)
async def read_label(
    request: Request[Actor | None, str | None, Any],
    waybill: FromPath[str],
    tag: FromPath[str],
) -> Template | Redirect:
    """Send the one who reads a label where he can do something with it."""
    code = parse_code(f"{request.url.netloc}/T/{waybill}/{tag}")
    if not genuine(code):
        if not wants_page(request):
            raise ForgedLabel(code.waybill)
        context = {"code": code, "hotline": settings().HOTLINE}
        return Template("forged.html", context=context, status_code=403)
    room = "items" if request.user else "track"
    return Redirect(f"/{room}/{code.waybill}", status_code=303)


ROUTES = [read_label]
