"""What a dossier's clock says on a page: who used which hours, and why it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from postal_track.clock import Clock, Span, User, Why
from postal_track.custody import Leg
from routes import words
from routes.words import Pair, choose

USERS: Mapping[User, Pair] = {
    User.POST_OUT: ("Bưu điện, chiều đi", "Post, on the way out"),
    User.AGENCY: ("Cơ quan giải quyết", "Agency"),
    User.CITIZEN: ("Chờ người dân", "Waiting for the citizen"),
    User.POST_BACK: ("Bưu điện, chiều về", "Post, on the way back"),
}

SHORT: Mapping[User, Pair] = {
    User.POST_OUT: ("đi", "out"),
    User.AGENCY: ("cơ quan", "agency"),
    User.CITIZEN: ("người dân", "citizen"),
    User.POST_BACK: ("về", "back"),
}

WHYS: Mapping[Why, Pair] = {
    Why.SUPPLEMENT: (
        "Tạm dừng: chờ người dân bổ sung giấy tờ",
        "Stopped: papers are asked of the citizen",
    ),
    Why.ON_THE_WAY: (
        "Tạm dừng: giấy tờ bổ sung đang trên đường",
        "Stopped: the papers asked for are on their way",
    ),
    Why.TRANSFER: (
        "Tạm dừng: hồ sơ đang chuyển sang cơ quan khác",
        "Stopped: on its way to another agency",
    ),
    Why.UNDELIVERED: (
        "Chưa phát được, chờ người dân",
        "Could not be delivered, waiting for the citizen",
    ),
}

_WIDTH = 1000
_LEAST = 8
"""Narrower than this nobody sees a stretch of the strip."""


def user(each: User, lang: str) -> str:
    """Name who uses the time."""
    return choose(USERS[each], lang)


def short(each: User, lang: str) -> str:
    """Name him in a table's cell."""
    return choose(SHORT[each], lang)


def why(span: Span, lang: str) -> str:
    """Say why a span stops the statutory time; empty when it does not."""
    if span.why is None:
        return ""
    said = choose(WHYS[span.why], lang)
    if span.why is Why.UNDELIVERED and span.leg is Leg.RESULT and not span.reason:
        return said
    return f"{said} ({words.reason(span.reason, lang)})" if span.reason else said


def hours(number: float, clock: Clock, lang: str) -> str:
    """Say working hours as days and hours of work: ``2 ngày 3,5 giờ``."""
    minutes = round(abs(number) * 60)
    days, rest = divmod(minutes, round(clock.day_hours * 60))
    full, minutes = divmod(rest, 60)
    if days:
        half = rest / 60
        text = f"{half:.1f}".rstrip("0").rstrip(".")
        parts = [_counted(days, "ngày", "day", lang)]
        if text != "0":
            shown = text if lang == "en" else text.replace(".", ",")
            parts.append(f"{shown} {'hours' if lang == 'en' else 'giờ'}")
    else:
        parts = [_counted(full, "giờ", "hour", lang)] if full else []
        if minutes or not full:
            parts.append(_counted(minutes, "phút", "minute", lang))
    return ("-" if number < 0 else "") + " ".join(parts)


def _counted(number: int, vietnamese: str, english: str, lang: str) -> str:
    if lang == "en":
        return f"{number} {english}{'' if number == 1 else 's'}"
    return f"{number} {vietnamese}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the strip as it is drawn: where, how wide, whose."""

    x: float
    width: float
    user: User
    stopped: bool
    running: bool


def strip(clock: Clock) -> list[Piece]:
    """Lay the spans side by side; each as wide as its hours, and wide enough to see."""
    total = sum(max(span.hours, 0.01) for span in clock.spans)
    raw = [max(_LEAST, _WIDTH * max(span.hours, 0.01) / total) for span in clock.spans]
    scale = _WIDTH / sum(raw) if raw else 1
    pieces, x = [], 0.0
    for span, width in zip(clock.spans, raw, strict=True):
        wide = width * scale
        pieces.append(
            Piece(
                round(x, 1),
                round(wide, 1),
                span.user,
                span.why is not None,
                span.end is None,
            )
        )
        x += wide
    return pieces


def late(clock: Clock, due_on: date | None, today: date) -> bool:
    """Whether the agency has overdrawn its time, or its own date has passed."""
    working = clock.now is not None and clock.now.user is User.AGENCY
    return clock.over or bool(working and due_on is not None and due_on < today)
