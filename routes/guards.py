"""Who asks: the session behind a request, and who may pass.

A session travels as an HttpOnly cookie for pages or as a bearer token for programs.
Only the rules of standing are asked here; what a role may do with an item is
``postal_track``'s to say.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware.csrf import CSRFMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from postal_track import devices
from postal_track.custody import Role
from postal_track.errors import (
    AnotherLogin,
    DeviceSignedOut,
    NotAllowed,
    NotLoggedIn,
    SessionExpired,
)
from postal_track.staff import Actor, whose

SESSION = "session"
DEVICE = "x-device"
SIGNED_OUT = "signed out"
DONE_BY = "x-done-by"
"""The login under which something was done on a phone that sends it now.

A phone goes from hand to hand: what waited on it is its maker's word, whoever is logged
in when the network returns.
"""
_FORM = b"application/x-www-form-urlencoded"
_SIGNED = ("/sms/receipts/", "/sms/inbound/")
_OPEN = (
    "/static/",
    "/v/",
    "/npm/",
    "/sw.js",
    "/manifest.webmanifest",
    "/offline",
    "/health",
    "/metrics",
    "/schema",
)


def token_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    """Find the session's token: bearer first, then the cookie."""
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token
    return connection.cookies.get(SESSION)


class Sessions:
    """Find out who asks, before anything else is done.

    ``scope["user"]`` is an Actor or ``None``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look the session up, unless the path is open to all."""
        scope["user"], scope["auth"] = None, None
        if scope["type"] == ScopeType.HTTP and not scope["path"].startswith(_OPEN):
            token = token_of(ASGIConnection(scope))
            if token:
                scope["auth"] = token
                try:
                    scope["user"] = await whose(token)
                    if scope["user"].device:
                        await devices.seen(scope["user"].device)
                except SessionExpired:
                    scope["auth"] = "expired"
                except DeviceSignedOut:
                    scope["auth"] = SIGNED_OUT
        await self.app(scope, receive, send)


class Forms:
    """Litestar's CSRF protection for whoever a browser could be tricked into being.

    A bearer token is never sent by a browser on its own, so programs need no second
    token; one that has no session at all is told to log in.
    """

    def __init__(self, app: ASGIApp, config: CSRFConfig) -> None:
        self.app = app
        self.checked = CSRFMiddleware(app, config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, unless a bearer token speaks or a provider signs its call."""
        headers = dict(scope.get("headers", []))
        bearer = headers.get(b"authorization", b"").lower().startswith(b"bearer ")
        signed = scope.get("path", "").startswith(_SIGNED)
        nobody = scope.get("path", "").startswith(
            "/api/"
        ) and f"{SESSION}=".encode() not in headers.get(b"cookie", b"")
        if headers.get(b"content-type", b"").startswith(_FORM) and not bearer:
            typed = await Request[Any, Any, Any](scope, receive).form()
            # Should the session turn out to be over, this is what must not be lost.
            scope["state"]["typed"] = [
                (name, value)
                for name, value in typed.multi_items()
                if isinstance(value, str) and name != "_csrf_token"
            ]
        unchecked = bearer or signed or nobody
        await (self.app if unchecked else self.checked)(scope, receive, send)


# Guards are asynchronous although they wait for nothing: Litestar would hand others to
# a thread, and that takes longer than all that they do.


async def logged_in(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Let members of staff pass, unless they send what another has done."""
    actor: Actor | None = connection.scope.get("user")
    if actor is None:
        # A phone whose session is long gone still has to learn that it is out.
        if device := devices.own_name(connection.headers.get(DEVICE, "")):
            await devices.check(device)
        if connection.scope.get("auth") == SIGNED_OUT:
            raise DeviceSignedOut
        raise (
            SessionExpired if connection.scope.get("auth") == "expired" else NotLoggedIn
        )
    maker = connection.headers.get(DONE_BY)
    if maker is not None and maker != actor.login:
        raise AnotherLogin(maker)


def only(
    *roles: Role,
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    """Make a guard that lets these roles pass."""

    async def guard(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        await logged_in(connection, handler)
        actor: Actor = connection.scope["user"]
        if actor.role not in roles:
            raise NotAllowed

    return guard
