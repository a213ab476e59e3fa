"""What a list is asked for, read from an address: every field as a form sends it.

An empty field does not limit, and neither does one that nobody could have chosen; a
day that is no day is said beside its field.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from postal_track.errors import BadInput, Problem

Choice = TypeVar("Choice", bound=StrEnum)

_DAY_TYPED = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
LARGEST_ID = 2**31 - 1
_LARGEST_KEY = 2**63 - 1


def chosen(kind: type[Choice], text: str) -> Choice | None:
    """Read one of several; ``None`` for anything else."""
    return kind(text) if text in [*kind] else None


def number(text: str, largest: int = LARGEST_ID) -> int | None:
    """Read a number; ``None`` for anything else, and for what no column holds."""
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(largest))
    return int(text) if plain and int(text) <= largest else None


def key(text: str) -> int | None:
    """Read the key that a page before gave; ``None`` for anything else."""
    return number(text, _LARGEST_KEY)


def day(text: str, name: str) -> date | None:
    """Read a day as a browser sends it or a person types it.

    Raises ``BadInput`` on the field ``name``.
    """
    text = text.strip()
    if not text:
        return None
    for form in _DAY_TYPED:
        try:
            read = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day only
        except ValueError:
            continue
        if 2000 <= read.year < 2100:
            return read
    why = Problem(name, "Write a day as 31/12/2026.", "Hãy ghi ngày như 31/12/2026.")
    raise BadInput((why,))


def further(path: str, fields: Mapping[str, str], before: int) -> str:
    """Make the address of the next page: the same fields, from this key on."""
    kept = {name: value for name, value in fields.items() if value and name != "before"}
    return f"{path}?{urlencode(kept | {'before': before})}"
