"""How long ago, how far off: measures as people say them. Knows no item."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any


def measures(lang: str) -> dict[str, Callable[..., Any]]:
    """Give a template its measures: ``age(since)`` and ``distance(metres)``."""
    now = datetime.now(UTC)
    return {
        "age": lambda since: age(since, now, lang),
        "distance": lambda metres: distance(metres, lang),
    }


def age(since: datetime, now: datetime, lang: str) -> str:
    """Say how long something has lasted: ``3 ngày 4 giờ``, ``3 days 4 hours``."""
    minutes = max(0, int((now - since) / timedelta(minutes=1)))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return _joined(_days(days, lang), _hours(hours, lang) if days < 7 else "")
    if hours:
        return _joined(
            _hours(hours, lang), _minutes(minutes, lang) if hours < 3 else ""
        )
    return _minutes(minutes, lang) or ("under a minute" if lang == "en" else "vừa xong")


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _days(number: int, lang: str) -> str:
    return _counted(number, "ngày", "day", lang)


def _hours(number: int, lang: str) -> str:
    return _counted(number, "giờ", "hour", lang)


def _minutes(number: int, lang: str) -> str:
    return _counted(number, "phút", "minute", lang)


def _counted(number: int, vietnamese: str, english: str, lang: str) -> str:
    if not number:
        return ""
    if lang == "en":
        return f"{number} {english}{'s' if number != 1 else ''}"
    return f"{number} {vietnamese}"


def distance(metres: float, lang: str) -> str:
    """Say how far: ``350 m``, ``3,2 km``, ``140 km``."""
    if metres < 1_000:
        return f"{round(metres, -1 if metres >= 100 else 0):.0f} m"
    kilometres = f"{metres / 1_000:.{1 if metres < 10_000 else 0}f}"
    return f"{kilometres if lang == 'en' else kilometres.replace('.', ',')} km"
