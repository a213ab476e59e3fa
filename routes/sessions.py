"""Logging in for programs: a bearer token for a login and password."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, post
from litestar.params import Body
from msgspec import Meta

from postal_track.errors import DeviceSignedOut, LoginThrottled, NotLoggedIn
from postal_track.staff import Actor, log_in, log_out
from routes.guards import logged_in
from routes.openapi import answers, example, refuses


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """Who asks for a token. ``device`` is what the phone calls itself."""

    login: Annotated[str, Meta(max_length=40)]
    password: Annotated[str, Meta(max_length=200)]
    device: Annotated[str, Meta(max_length=40)] = ""
    device_name: Annotated[str, Meta(max_length=60)] = ""


class Token(msgspec.Struct):
    """A session; send it as ``Authorization: Bearer``."""

    token: str
    expires_at: datetime
    name: str
    role: str
    places: list[str]


_CREDENTIALS = Credentials("buuta.an", "the carrier's password")
_TOKEN = Token(
    token="4k0Xw1mC…",  # noqa: S106 - an example
    expires_at=datetime(2026, 11, 23, 19, 0, tzinfo=UTC),
    name="Nguyễn Văn An",
    role="carrier",
    places=["office:1"],
)


@post(
    "/api/sessions",
    status_code=201,
    summary="Log in",
    description="Answers with a bearer token. Failures are counted and slow down.",
    tags=["Sessions"],
    security=[{}],
    responses=answers(201, Token, _TOKEN, "The session")
    | refuses(400, NotLoggedIn(), DeviceSignedOut(), LoginThrottled(640)),
)
async def open_session(
    request: Request[Any, Any, Any],
    data: Annotated[Credentials, Body(examples=[example(_CREDENTIALS)])],
) -> Token:
    """Open a session for a program."""
    address = request.client.host if request.client else ""
    agent = request.headers.get("user-agent", "")
    opened = await log_in(
        data.login, data.password, address, agent, data.device, data.device_name
    )
    actor = opened.actor
    places = sorted(str(place) for place in actor.places)
    return Token(opened.token, opened.expires_at, actor.name, actor.role.value, places)


@delete(
    "/api/sessions",
    summary="Log out",
    description="Ends the session whose token is sent, on the server too.",
    tags=["Sessions"],
    guards=[logged_in],
    responses=refuses(NotLoggedIn()),
)
async def close_session(request: Request[Actor, str, Any]) -> None:
    """End the session that asks."""
    await log_out(request.auth)


ROUTES = [open_session, close_session]
