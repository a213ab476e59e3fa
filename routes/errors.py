"""Which error answers with which number, and in which shape.

The only place that knows both. Programs get ``{"error", "detail"}``, people a page with
the same sentence.
"""

import logging
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect, Template
from litestar.status_codes import HTTP_500_INTERNAL_SERVER_ERROR

from postal_track.errors import (
    AnotherLogin,
    BadAddress,
    BadCode,
    BadInput,
    BadPhone,
    BadScan,
    BadWaybill,
    CodeLocked,
    CodeSpent,
    Conflict,
    DeviceSignedOut,
    FontMissing,
    ForeignCode,
    ForgedLabel,
    LedgerBroken,
    LoginThrottled,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    OrderUsed,
    PostalTrackError,
    RequestOver,
    SealKeyChanged,
    TooManyScans,
    TooOften,
    UnboundLabel,
    UnknownBag,
    UnknownWaybill,
)
from routes.headers import complete
from routes.language import language

logger = logging.getLogger(__name__)

NUMBERS: dict[type[PostalTrackError], int] = {
    BadWaybill: 400,
    ForeignCode: 400,
    BadScan: 400,
    BadInput: 422,
    BadPhone: 422,
    BadAddress: 422,
    NotLoggedIn: 401,
    NotAllowed: 403,
    ForgedLabel: 403,
    BadCode: 403,
    CodeSpent: 403,
    NotFound: 404,
    UnknownWaybill: 404,
    UnknownBag: 404,
    Conflict: 409,
    RequestOver: 409,
    AnotherLogin: 409,
    UnboundLabel: 409,
    OrderUsed: 409,
    LedgerBroken: 409,
    SealKeyChanged: 409,
    TooManyScans: 413,
    CodeLocked: 423,
    LoginThrottled: 429,
    TooOften: 429,
    FontMissing: 500,
}
"""By class; a subclass answers as its nearest parent that stands here."""

OTHERS: dict[int, tuple[str, str, str]] = {
    400: (
        "BadRequest",
        "Yêu cầu không đọc được: {why}",
        "The request cannot be read: {why}",
    ),
    401: ("NotLoggedIn", "Hãy đăng nhập trước.", "Log in first."),
    403: ("NotAllowed", "Bạn không được phép làm việc này.", "You may not do this."),
    404: ("NotFound", "Không tìm thấy trang này.", "There is no such page."),
    405: (
        "MethodNotAllowed",
        "Không gửi được theo cách này.",
        "This cannot be asked in this way.",
    ),
    413: ("TooLarge", "Dữ liệu gửi lên quá lớn.", "What was sent is too large."),
    429: (
        "TooManyRequests",
        "Quá nhiều yêu cầu, hãy thử lại sau ít phút.",
        "Too many requests: try again in a few minutes.",
    ),
    500: (
        "ServerFault",
        "Máy chủ gặp lỗi. Dữ liệu của bạn chưa được ghi, hãy thử lại.",
        "The server failed. Nothing was written: try again.",
    ),
}


def number_of(error: PostalTrackError) -> int:
    """Find the HTTP status of an error."""
    for kind in type(error).__mro__:
        if kind in NUMBERS:
            return NUMBERS[kind]
    return 400


def refused(request: Request[Any, Any, Any], error: PostalTrackError) -> Response[Any]:
    """Answer one of our own errors."""
    answer = {
        "error": type(error).__name__,
        "detail": error.sentence(language(request)),
    }
    if isinstance(error, BadInput):
        vietnamese = language(request) == "vi"
        fields = {
            p.field: p.detail_vi if vietnamese else p.detail for p in error.problems
        }
        answer |= {"fields": fields}  # type: ignore[dict-item] # the one error with parts
    headers = (
        {"Retry-After": str(error.seconds)}
        if isinstance(error, LoginThrottled | TooOften)
        else {}
    )
    return _respond(request, number_of(error), answer, headers)


def failed(request: Request[Any, Any, Any], fault: Exception) -> Response[Any]:
    """Answer what the framework raised, or what nobody expected."""
    status = (
        fault.status_code
        if isinstance(fault, HTTPException)
        else HTTP_500_INTERNAL_SERVER_ERROR
    )
    if status >= HTTP_500_INTERNAL_SERVER_ERROR:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=fault)
    name, vietnamese, english = OTHERS.get(status, OTHERS[400 if status < 500 else 500])
    sentence = vietnamese if language(request) == "vi" else english
    return _respond(
        request, status, {"error": name, "detail": sentence.format(why=_why(fault))}, {}
    )


def _why(fault: Exception) -> str:
    if (
        isinstance(fault, ValidationException)
        and isinstance(fault.extra, list)
        and fault.extra
    ):
        first = fault.extra[0]
        if isinstance(first, dict):
            return f"{first.get('key', '')} {first.get('message', '')}".strip()
    return fault.detail if isinstance(fault, HTTPException) else ""


def _respond(
    request: Request[Any, Any, Any],
    status: int,
    answer: dict[str, Any],
    headers: dict[str, str],
) -> Response[Any]:
    # Where no route matched, nobody has asked yet who it is.
    request.scope.setdefault("user", None)
    return complete(_shaped(request, status, answer, headers))


def _shaped(
    request: Request[Any, Any, Any],
    status: int,
    answer: dict[str, Any],
    headers: dict[str, str],
) -> Response[Any]:
    if not wants_page(request):
        return Response(
            msgspec.json.encode(answer),
            status_code=status,
            headers=headers,
            media_type="application/json",
        )
    if status == 401:
        return _ask_who(request, answer)
    return Template(
        "error.html",
        context=answer | {"status": status},
        status_code=status,
        headers=headers,
    )


def _ask_who(request: Request[Any, Any, Any], answer: dict[str, Any]) -> Response[Any]:
    """Send a reader to the login; hand a writer one that keeps what he typed."""
    path = request.url.path
    out = answer["error"] == DeviceSignedOut.__name__
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        told = "&out=true" if out else ""
        return Redirect(f"/login?next={quote(path + query)}{told}", status_code=303)
    kept = request.scope.get("state", {}).get("typed", [])
    problem = answer["detail"]
    context = {"next": path, "problem": problem, "login": "", "kept": kept, "out": out}
    return Template("login.html", context=context, status_code=401)


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a person asks, with a browser."""
    return not request.url.path.startswith(
        "/api/"
    ) and "text/html" in request.headers.get("accept", "")


HANDLERS: dict[int | type[Exception], Any] = {
    PostalTrackError: refused,
    HTTPException: failed,
    Exception: failed,
}
