"""Where an item is, for programs: by waybill alone, or with a phone's last digits.

The one address that strangers' programs ask over and over, hence bytes and an ETag.
"""

import hashlib
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, Parameter
from msgspec import UNSET, UnsetType

from postal_track import following, glances, lookups, misses
from postal_track.custody import Leg, Stage
from postal_track.errors import (
    LookupClosed,
    NoMatch,
    TooManyGuesses,
    TooOften,
    WaybillCheckDigit,
)
from postal_track.followed import Followed, Words
from postal_track.glances import Glance
from postal_track.retold import Line
from postal_track.telling import tell
from routes import words
from routes.citizen import address_of
from routes.language import language
from routes.openapi import answers, example, refuses


class StoryLine(msgspec.Struct, omit_defaults=True):
    """One thing that happened, in plain words; ``wrong``: what was not as it should."""

    at: datetime
    text: str
    wrong: list[str] = []


class Status(msgspec.Struct):
    """Where an item is. ``day``: of the last news, in An Giang.

    All from ``leg`` on is there only when the last four digits of the phone were told:
    ``holder_text`` says who has it, ``next_text`` what comes, ``by`` until when, and
    ``late_days`` how many days ago that was. ``expected_from`` and ``expected_to``:
    when it will be where it goes, if eight in ten of its like are to be right.
    ``timeline`` has all legs of the dossier, oldest first. ``page`` shows the same to a
    person.
    """

    waybill: str
    stage: Stage
    stage_text: str
    day: date
    leg: Leg | UnsetType = UNSET
    holder_text: str | UnsetType = UNSET
    since: datetime | UnsetType | None = UNSET
    next_text: str | UnsetType = UNSET
    by: date | UnsetType | None = UNSET
    late_days: int | UnsetType = UNSET
    expected_from: date | UnsetType | None = UNSET
    expected_to: date | UnsetType | None = UNSET
    fee: int | UnsetType = UNSET
    timeline: list[StoryLine] | UnsetType = UNSET
    page: str | UnsetType = UNSET


_BRIEF = Status("DH123456785VN", Stage.IN_TRANSIT, "On the way", date(2026, 11, 24))
_FULL = Status(
    waybill="DH123456785VN",
    stage=Stage.IN_TRANSIT,
    stage_text="On the way",
    day=date(2026, 11, 24),
    leg=Leg.DOSSIER,
    holder_text="A member of staff of Bưu cục Long Xuyên has the dossier.",
    since=datetime.fromisoformat("2026-11-24T02:15:00Z"),
    next_text="The post takes the dossier to Long Xuyên public service centre.",
    by=date(2026, 11, 25),
    late_days=0,
    expected_from=date(2026, 11, 25),
    expected_to=date(2026, 11, 27),
    fee=0,
    timeline=[
        StoryLine(
            datetime.fromisoformat("2026-11-23T08:30:00Z"),
            "A carrier of Bưu cục Long Xuyên accepted the dossier from you: "
            "3 originals, 1 copy, sealed.",
        )
    ],
    page="/d/Zm9sbG93LW15LWRvc3NpZQ",
)

_ANSWERS = answers(200, Status, _BRIEF, "What the asker is entitled to know")
_ANSWERS[200].examples = [
    example(_BRIEF, "By waybill alone"),
    example(_FULL, "With the last four digits"),
]

_encode = msgspec.json.Encoder().encode

_PUBLIC = {"Cache-Control": "public, max-age=30", "Vary": "Accept-Language, Cookie"}
_PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"}


@get(
    "/api/status/{waybill:str}",
    summary="Where an item is",
    description=(
        "By waybill alone: stage and day, no more. With `last4`, the last four digits "
        "of a phone of the dossier: the whole story. A waybill that does not exist and "
        "wrong digits get the same answer; a wrong check digit is told at once. "
        "Limited per address, and wrong digits per waybill as well. Send the `ETag` "
        "back as `If-None-Match` and nothing is sent when nothing is new."
    ),
    tags=["Public"],
    security=[{}],
    exclude_from_csrf=True,  # a cookie on it would keep it out of every cache
    responses=_ANSWERS
    | refuses(
        WaybillCheckDigit("DH123456784VN", "5", "4"),
        NoMatch(),
        TooOften(1),
        TooManyGuesses(42),
        LookupClosed(20_000),
    ),
)
async def status(
    request: Request[Any, Any, Any],
    waybill: FromPath[str],
    last4: Annotated[
        str | None,
        Parameter(
            pattern="^[0-9]{4}$",
            description="Last four digits of the phone of owner, filer or recipient.",
        ),
    ] = None,
) -> Response[bytes]:
    """Say where an item is: as much as the asker proved to be entitled to."""
    address = address_of(request)
    if last4 is None:
        brief = _brief(await glances.glance(waybill, address), language(request))
        return _answer(request, _encode(brief), _PUBLIC)
    await misses.reading(address)
    token = await lookups.token_for(waybill, last4, address)
    full = _full(await following.follow(token), waybill, language(request))
    return _answer(request, _encode(full), _PRIVATE)


def _answer(
    request: Request[Any, Any, Any], body: bytes, headers: dict[str, str]
) -> Response[bytes]:
    tag = f'"{hashlib.blake2b(body, digest_size=9).hexdigest()}"'
    known = request.headers.get("if-none-match", "")
    fresh = tag in known
    return Response(
        b"" if fresh else body,
        status_code=304 if fresh else 200,
        media_type="application/json",
        headers=headers | {"ETag": tag},
    )


def _brief(seen: Glance, lang: str) -> Status:
    return Status(seen.waybill, seen.stage, words.stage(seen.stage, lang), seen.day)


def _full(f: Followed, asked: str, lang: str) -> Status:
    told, waybill = tell(f), lookups.read(asked)
    leg = next((leg for leg in f.legs if leg.waybill == waybill), f.legs[-1])
    last = leg.story[-1].event.at
    expected = f.expected.get(leg.waybill)

    def say(both: Words) -> str:
        return words.choose(both, lang)

    return Status(
        waybill=leg.waybill,
        stage=leg.now.stage,
        stage_text=words.stage(leg.now.stage, lang),
        day=last.astimezone(glances.LOCAL).date(),
        leg=leg.leg,
        holder_text=say(told.holder),
        since=told.since,
        next_text=say(told.next.said),
        by=told.next.by,
        late_days=told.next.late,
        expected_from=expected.first if expected else None,
        expected_to=expected.last if expected else None,
        fee=told.fee,
        timeline=[_line(each, lang) for each in told.story],
        page=f"/d/{f.token}",
    )


def _line(line: Line, lang: str) -> StoryLine:
    return StoryLine(
        line.at,
        words.choose(line.said, lang),
        [words.choose(each, lang) for each in line.wrong],
    )


ROUTES = [status]
