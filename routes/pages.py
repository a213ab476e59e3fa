"""The frame of all pages: what templates may call, the door, logging in and out."""

from typing import Any
from urllib.parse import urlsplit

from jinja2 import StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Redirect, Template

from postal_track.custody import Role
from postal_track.errors import DeviceSignedOut, LoginThrottled, NotLoggedIn
from postal_track.phones import mask
from postal_track.settings import settings
from postal_track.staff import Actor, log_in, log_out
from routes import act_words, words
from routes.guards import SESSION
from routes.language import COOKIE, clock, day, language, local, money
from routes.shell import shell

AnyRequest = Request[Actor | None, str | None, Any]

KEPT = "_kept."
"""What the fields of a form are called while it waits for a login."""

HOME = {
    Role.CARRIER: "/day",
    Role.CLERK: "/scan",
    Role.OFFICER: "/desk",
    Role.SUPERVISOR: "/items",
    Role.ADMIN: "/items",
    Role.AUDITOR: "/items",
}
"""Where each role begins its day."""


def prepare(engine: JinjaTemplateEngine) -> None:
    """Teach templates our words."""
    engine.engine.undefined = StrictUndefined
    engine.engine.trim_blocks = engine.engine.lstrip_blocks = True
    engine.engine.globals |= {
        "words": words,
        "act_words": act_words,
        "local": local,
        "money": money,
        "mask": mask,
    }
    engine.engine.globals |= {
        "kept_prefix": KEPT,
        "unit_choices": _units,
        "asset": _asset,
        "modules": _modules,
    }
    engine.engine.globals |= {"t": _both, "lang": _lang, "clock": _clock, "day": _day}


def _units(actor: Actor, lang: str) -> list[tuple[int, str]]:
    return [
        (each.party.id, each.name_en if lang == "en" else each.name)
        for each in actor.units
    ]


def _asset(path: str) -> str:
    return shell().address(path)


def _modules(path: str) -> list[str]:
    return shell().modules(path)


def _request(context: Context) -> AnyRequest | None:
    request: AnyRequest | None = context.get("request")
    return request


@pass_context
def _lang(context: Context) -> str:
    request = _request(context)
    return language(request) if request else "vi"


@pass_context
def _both(context: Context, vietnamese: str, english: str) -> str:
    return english if _lang(context) == "en" else vietnamese


@pass_context
def _clock(context: Context, moment: Any) -> str:
    return clock(moment, _lang(context))


@pass_context
def _day(context: Context, moment: Any) -> str:
    return day(moment, _lang(context))


@get("/", include_in_schema=False)
async def home(request: AnyRequest) -> Template | Redirect:
    """Open the front door: staff go to their work, citizens look a dossier up."""
    if request.user is not None:
        return Redirect(HOME[request.user.role], status_code=303)
    return Template("home.html")


@get("/login", include_in_schema=False)
async def login_page(
    request: AnyRequest, next: FromQuery[str] = "/", out: FromQuery[bool] = False
) -> Template | Redirect:
    """Ask who it is; ``out`` of a phone that was signed out, which is told so."""
    if request.user is not None:
        return Redirect(inside(next), status_code=303)
    problem = DeviceSignedOut().sentence(language(request)) if out else ""
    context = {"next": inside(next), "problem": problem, "login": "", "kept": []}
    return Template("login.html", context=context | {"out": out})


@post("/login", include_in_schema=False)
async def log_in_here(request: AnyRequest) -> Template | Redirect:
    """Open a session and go where one wanted to go.

    What a form held when its session ended comes along, and can be sent again.
    """
    form = await request.form()
    onward, login = inside(form.get("next", "/")), form.get("login", "")
    kept = [
        (name.removeprefix(KEPT), value)
        for name, value in form.multi_items()
        if name.startswith(KEPT)
    ]
    try:
        opened = await log_in(
            login,
            form.get("password", ""),
            _address(request),
            request.headers.get("user-agent", ""),
            form.get("device", ""),
            form.get("device_name", ""),
        )
    except (NotLoggedIn, LoginThrottled) as fault:
        status = 429 if isinstance(fault, LoginThrottled) else 401
        problem = _why(fault, language(request))
        context = {"next": onward, "problem": problem, "login": login, "kept": kept}
        context["out"] = isinstance(fault, DeviceSignedOut)
        return Template("login.html", context=context, status_code=status)
    answer: Template | Redirect
    if kept:
        answer = Template("resume.html", context={"onward": onward, "kept": kept})
    else:
        home = HOME[opened.actor.role] if onward == "/" else onward
        answer = Redirect(home, status_code=303)
    answer.set_cookie(
        Cookie(
            SESSION,
            value=opened.token,
            max_age=settings().SESSION_HOURS * 3600,
            httponly=True,
            secure=settings().PUBLIC_URL.startswith("https://"),
            samesite="lax",
        )
    )
    return answer


def _why(fault: NotLoggedIn | LoginThrottled, lang: Any) -> str:
    if isinstance(fault, LoginThrottled | DeviceSignedOut):
        return fault.sentence(lang)
    wrong = (
        "Tên đăng nhập hoặc mật khẩu không đúng.",
        "The login or the password is wrong.",
    )
    return words.choose(wrong, lang)


def inside(path: str) -> str:
    """Keep a redirect on our own site: a path of ours, never another host."""
    parts = urlsplit(path)
    ours = (
        path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc
    )
    return path if ours else "/"


def _address(request: AnyRequest) -> str:
    return request.client.host if request.client else ""


@post("/logout", include_in_schema=False)
async def log_out_here(request: AnyRequest) -> Redirect:
    """End the session, on the server too."""
    token = request.cookies.get(SESSION)
    if token:
        await log_out(token)
    answer = Redirect("/", status_code=303)
    answer.delete_cookie(SESSION)
    return answer


@get("/language/{chosen:str}", include_in_schema=False)
async def choose_language(
    chosen: FromPath[str], back: FromQuery[str] = "/"
) -> Redirect:
    """Keep a language for a year."""
    answer = Redirect(inside(back), status_code=303)
    if chosen in ("vi", "en"):
        answer.set_cookie(
            Cookie(COOKIE, value=chosen, max_age=365 * 86_400, samesite="lax")
        )
    return answer


@get("/look/{chosen:str}", include_in_schema=False)
async def choose_look(chosen: FromPath[str], back: FromQuery[str] = "/") -> Redirect:
    """Keep the colours for a year: those that are read in sunlight, or the usual."""
    answer = Redirect(inside(back), status_code=303)
    if chosen in ("sun", "plain"):
        answer.set_cookie(
            Cookie("look", value=chosen, max_age=365 * 86_400, samesite="lax")
        )
    return answer


ROUTES = [home, login_page, log_in_here, log_out_here, choose_language, choose_look]
