"""What a citizen's text says: the registered catalogue and how its fields are written.

The words stand in `data/sms_templates.json`, sixteen texts in Vietnamese without marks
and in English. Operators register them, so a changed text gets a new version. Each is
one GSM-7 segment with the longest fields. Does not know whom a text is for, or when.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from postal_track.custody import Reason
from postal_track.settings import settings
from sms.segments import ALONE, TooLongError, plain, segments, shorten, units

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

ROOM = max(ALONE.values())

# A name or a phrase that has to give way is never made shorter than this, as long as
# another code of the dossier would do.
LEAST = 12


class WordingError(ValueError):
    """A text is not in the catalogue, or a field of it was not given."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A text in words. `params`: the fields as they stand in it, by name."""

    template: str
    version: int
    body: str
    params: Mapping[str, str]


SHORTER: Mapping[str, str] = MappingProxyType(
    {
        "Trung tam Phuc vu hanh chinh cong": "TTPVHCC",
        "Public Administrative Service Centre": "PASC",
        "Van phong dang ky dat dai": "VPDKDD",
        "Uy ban nhan dan": "UBND",
        "People's Committee": "PC",
        "Tai nguyen va Moi truong": "TNMT",
        "Trung tam": "TT",
        "Buu dien": "BD",
        "Buu cuc": "BC",
        "Post office": "PO",
        "Department": "Dept",
        "Phuong": "P.",
        "Dac khu": "DK",
        "Tinh": "T.",
    }
)
"""How long words of names are shortened, before whole words are dropped."""

# What failed or was refused, as a citizen reads it. Both without a name and without
# the procedure: what the officer wrote stands on the citizen's page.
REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "wrong_address": ("sai dia chi", "wrong address"),
        "addressee_unknown": ("khong tim thay nguoi nhan", "addressee not known"),
        "absent": ("vang nha", "nobody in"),
        "refused": ("tu choi nhan", "refused"),
        "asks_for_later": ("hen lai", "asked for later"),
        "cannot_pay": ("chua thu duoc phi", "fee not paid"),
        "id_missing": ("thieu can cuoc", "no ID"),
        "not_authorised": ("khong duoc uy quyen", "not authorised"),
        "office_closed": ("co quan dong cua", "office closed"),
        "weather_or_ferry": ("thoi tiet, pha", "weather or ferry"),
        "missing_papers": ("thieu giay to", "papers missing"),
        "wrong_papers": ("giay to chua dung", "papers not in order"),
        "wrong_agency": ("sai noi nhan", "wrong agency"),
        "count_mismatch": ("sai so luong giay to", "count does not match"),
        "seal_broken": ("niem phong bi rach", "seal broken"),
        "withdrawn": ("Ong/Ba xin rut lai", "you withdrew it"),
        "other": ("ly do khac", "other reason"),
    }
)

# What a citizen asks for and confirms by a code, as he reads it.
ACTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "book": ("dat lich gom", "book a pickup"),
        "cancel": ("huy thu gom", "cancel it"),
        "reschedule": ("doi ngay hen", "change the day"),
        "redirect": ("doi noi phat", "redirect it"),
        "hold": ("giu tai quay", "hold it"),
        "deputy": ("cu nguoi nhan", "name a deputy"),
        "data": ("xem du lieu", "see your data"),
        "erasure": ("xoa du lieu", "erase your data"),
    }
)

_CODES = frozenset(str(reason) for reason in Reason)

_RELATIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "owner": ("chinh chu", "the owner"),
        "authorised": ("nguoi duoc uy quyen", "an authorised person"),
    }
)

_LANGUAGES = ("vi", "en")


# How a field is written


def _as_given(value: Any, _: str) -> str:
    return plain(str(value))


def _day(value: Any, _: str) -> str:
    if isinstance(value, datetime):
        value = value.astimezone(LOCAL)
    return f"{value:%d/%m}" if isinstance(value, date) else plain(str(value))


def _hour(value: Any, _: str) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(LOCAL):%H:%M}"
    return plain(str(value))


def _money(value: Any, _: str) -> str:
    """Write VND as a citizen reads it: 26000 is 26.000d."""
    if isinstance(value, int):
        return f"{value:,}d".replace(",", ".")
    return plain(str(value))


def _phrase(value: Any, language: str) -> str:
    """Write a reason in words, the citizen's own ones only.

    What the post says among itself is none of them; a run of digits may be a number.
    """
    said = str(value).strip()
    words = REASONS.get(said)
    if words is None and (not said or said in _CODES or re.search(r"\d{4}", said)):
        words = REASONS["other"]
    return words[_LANGUAGES.index(language)] if words else plain(str(value))


def _act(value: Any, language: str) -> str:
    """Write what a citizen asks for: one of the words that are registered."""
    words = ACTS.get(str(value))
    return words[_LANGUAGES.index(language)] if words else plain(str(value))


def _relation(value: Any, language: str) -> str:
    """Write who took the result: never a name, whatever is given."""
    for key, words in _RELATIONS.items():
        if value == key or value in words:
            return words[_LANGUAGES.index(language)]
    return _RELATIONS["authorised"][_LANGUAGES.index(language)]


@dataclass(frozen=True, slots=True)
class Field:
    """How a field is written, and the longest that may be counted on.

    `flexible`: may be shortened, by the rule of `sms.segments.shorten`.
    """

    write: Callable[[Any, str], str]
    longest: Any
    flexible: bool = False
    default: Any = None


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "code": Field(_as_given, "DH999999995VN"),
        "link": Field(_as_given, "bd.vn/Wm8Qk3Zp7A"),
        "hot": Field(_as_given, "0296123456"),
        "date": Field(_day, "28/12"),
        "due": Field(_day, "28/12"),
        "hold": Field(_day, "28/12"),
        "time": Field(_hour, "23:59"),
        "n": Field(_as_given, "999"),
        "k": Field(_as_given, "99"),
        "of": Field(_as_given, "99", default=3),
        "otp": Field(_as_given, "123456"),
        "cl": Field(_as_given, "KN2611230001"),
        "fee": Field(_money, 9_999_000),
        "f1": Field(_money, 9_999_000),
        "f2": Field(_money, 9_999_000),
        "act": Field(_act, "deputy"),
        "name": Field(_relation, "authorised"),
        "agency": Field(_as_given, "M" * 24, flexible=True),
        "po": Field(_as_given, "M" * 24, flexible=True),
        "reason": Field(_phrase, "addressee_unknown", flexible=True),
    }
)
"""Every field of the catalogue; the longest values are those the tables allow."""


# The catalogue


@dataclass(frozen=True, slots=True)
class Template:
    """One registered text in one language: words and fields by turns."""

    name: str
    version: int
    language: str
    text: str
    words: tuple[str, ...]
    fields: tuple[str, ...]


@cache
def catalogue() -> Mapping[tuple[str, str], Template]:
    """Return every registered text, by name and language."""
    path = Path(__file__).with_name("data") / "sms_templates.json"
    return MappingProxyType(
        {
            (name, language): _template(name, text["version"], language, text[language])
            for name, text in json.loads(path.read_text(encoding="utf-8")).items()
            for language in _LANGUAGES
        }
    )


def _template(name: str, version: int, language: str, text: str) -> Template:
    pieces = re.split(r"\{(\w+)\}", text)
    words, fields = tuple(pieces[::2]), tuple(pieces[1::2])
    if unknown := set(fields) - set(FIELDS):
        raise WordingError(f"{name} has fields without a rule: {sorted(unknown)}")
    return Template(name, version, language, text, words, fields)


def compose(
    name: str, language: str, /, *, link: str | None = None, **fields: Any
) -> Composed:
    """Write a text in one segment.

    Fields that the text has no place for are passed over. Dates, times and VND may be
    given as such or as they stand; `tok` is the slug that follows `link` (by the
    settings). `code` may be a list, the best first: the first that fits is taken. When
    there is no room, names and phrases give way, the longest first. What still is too
    long then goes out in two segments rather than cut.

    Raises WordingError for an unknown text or a missing field.
    """
    template = catalogue().get((name, language))
    if template is None:
        raise WordingError(f"There is no text {name} in {language}")
    if "tok" in fields:
        prefix = settings().SHORT_LINK if link is None else link
        fields["link"] = f"{prefix}{fields['tok']}"
    codes = fields.get("code")
    if isinstance(codes, Sequence) and not isinstance(codes, str):
        choices = [_filled(template, fields | {"code": one}) for one in codes]
        composed = next((one for one, whole in choices if whole), choices[-1][0])
    else:
        composed, _ = _filled(template, fields)
    return composed


def _filled(template: Template, given: Mapping[str, Any]) -> tuple[Composed, bool]:
    """Fill the fields in; say whether it fits with no name below LEAST."""
    values = {field: _written(field, template, given) for field in template.fields}
    body = _joined(template, values)
    whole = True
    if units(body) > ROOM:
        flexible = [one for one in template.fields if FIELDS[one].flexible]
        whole = _give_way(values, flexible, units(body) - ROOM)
        body = _joined(template, values)
        whole = whole and units(body) <= ROOM
    return Composed(template.name, template.version, body, values), whole


def _written(field: str, template: Template, given: Mapping[str, Any]) -> str:
    rule = FIELDS[field]
    value = given.get(field, rule.default)
    if value is None:
        raise WordingError(f"{template.name} needs the field {field}")
    return rule.write(value, template.language)


def _joined(template: Template, values: Mapping[str, str]) -> str:
    body = template.words[0]
    for field, words in zip(template.fields, template.words[1:], strict=True):
        body += values[field] + words
    return body


def _give_way(values: dict[str, str], flexible: list[str], excess: int) -> bool:
    """Shorten the flexible values to one length at which enough is won."""
    lengths = {field: units(values[field]) for field in flexible}
    limit = max(lengths.values(), default=0)
    while limit > 0 and excess > sum(
        max(0, length - limit) for length in lengths.values()
    ):
        limit -= 1
    for field in flexible:
        try:
            values[field] = shorten(values[field], limit, SHORTER)
        except TooLongError:
            return False
    return limit >= LEAST


# For the page that shows the catalogue


@dataclass(frozen=True, slots=True)
class Preview:
    """A registered text with its longest fields, and what it then takes."""

    template: Template
    body: str
    units: int
    segments: int


def previews(link: str | None = None, hot: str | None = None) -> Iterator[Preview]:
    """Write each text with the longest fields, and with our own link and hotline."""
    for template in catalogue().values():
        fields: dict[str, Any] = {
            field: FIELDS[field].longest for field in template.fields if field != "link"
        }
        fields["tok"] = "Wm8Qk3Zp7A"
        if hot is not None:
            fields["hot"] = hot
        composed = compose(template.name, template.language, link=link, **fields)
        yield Preview(
            template, composed.body, units(composed.body), segments(composed.body)
        )
