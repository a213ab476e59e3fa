"""In which language a request is answered.

What was chosen, else what the browser prefers, else Vietnamese.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from litestar.connection import ASGIConnection

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
COOKIE = "lang"


def language(connection: ASGIConnection[Any, Any, Any, Any]) -> Literal["vi", "en"]:
    """Find it: ``?lang=``, the cookie, ``Accept-Language``, then Vietnamese.

    A page asks for every text it shows, so the answer is kept with the request.
    """
    kept: Literal["vi", "en"] | None = connection.scope["state"].get("language")
    if kept is None:
        kept = connection.scope["state"]["language"] = _found(connection)
    return kept


def _found(connection: ASGIConnection[Any, Any, Any, Any]) -> Literal["vi", "en"]:
    for chosen in (connection.query_params.get("lang"), connection.cookies.get(COOKIE)):
        if chosen in ("vi", "en"):
            return "en" if chosen == "en" else "vi"
    preferred = connection.headers.get("accept-language", "")
    for each in preferred.split(","):
        tag = each.split(";")[0].strip().lower()
        if tag.startswith("vi"):
            return "vi"
        if tag.startswith("en"):
            return "en"
    return "vi"


def teller(lang: str) -> Callable[[str, str], str]:
    """Make the ``t`` of a template: both texts stand at the place of use."""
    return (lambda vi, en: vi) if lang == "vi" else (lambda vi, en: en)


def local(moment: datetime) -> datetime:
    """Turn a time into An Giang's."""
    return moment.astimezone(LOCAL)


def clock(moment: datetime, lang: str = "vi") -> str:
    """Write a time: ``07:05 22/11/2026``, or ``22 Nov 2026, 07:05``."""
    return local(moment).strftime(
        "%H:%M %d/%m/%Y" if lang == "vi" else "%-d %b %Y, %H:%M"
    )


def day(moment: Any, lang: str = "vi") -> str:
    """Write a date, or the local day of a time."""
    then = local(moment) if isinstance(moment, datetime) else moment
    return str(then.strftime("%d/%m/%Y" if lang == "vi" else "%-d %b %Y"))


def money(dong: int) -> str:
    """Write VND: ``26.000 ₫``."""
    return f"{dong:,} ₫".replace(",", ".")
