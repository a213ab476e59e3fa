"""The citizen's page in plain words: who has the dossier, where it is, what is next.

Pure: puts together what `retold` says of the past and `prospects` of what comes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from postal_track.custody import CITIZEN, UNBORN, Custody, Leg, PartyKind, Stage
from postal_track.followed import (
    NOTHING,
    THING,
    Followed,
    Stretch,
    Words,
    carrier,
    handed_over,
    name,
    staff,
)
from postal_track.prospects import Next, coming_next, late, papers, paying, todo
from postal_track.retold import FOUND, Line, story


class Spot(IntEnum):
    """Where on the round a dossier is: even numbers are stations, odd ones the road."""

    WITH_YOU = 0
    TO_OFFICE = 1
    AT_OFFICE = 2
    TO_AGENCY = 3
    AT_AGENCY = 4
    BACK_TO_OFFICE = 5
    BACK_AT_OFFICE = 6
    TO_YOU = 7
    WITH_YOU_AGAIN = 8


@dataclass(frozen=True, slots=True)
class Way:
    """The part of the round that this dossier makes, and where it is now."""

    first: Spot
    last: Spot
    now: Spot

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left."""
        return self.now is self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """All that the citizen's page says."""

    holder: Words
    since: datetime | None
    limbo: Words
    next: Next
    late: Words
    checking: tuple[Words, ...]
    todo: tuple[Words, ...]
    papers: tuple[Words, ...]
    fee: int
    paying: Words
    way: Way
    where: Words
    story: tuple[Line, ...]


def tell(f: Followed) -> Telling:
    """Say everything about a dossier in plain words."""
    leg = f.leg
    now = leg.now if leg else UNBORN
    coming = coming_next(f)
    way = _way(f)
    return Telling(
        holder=_holder(f),
        since=now.since,
        limbo=_limbo(f, now),
        next=coming,
        late=late(f, coming),
        checking=tuple(FOUND[kind] for kind in f.checking),
        todo=tuple(todo(f)),
        papers=papers(f) if now.stage is Stage.BOOKED else (),
        fee=leg.fee if leg and leg.leg is Leg.RESULT else 0,
        paying=paying(f),
        way=way,
        where=_SPOTS[way.now],
        story=story(f),
    )


def _holder(f: Followed) -> Words:
    leg = f.leg
    agency = name(f, f.agency)
    if leg is None:
        return Words(f"Hồ sơ đang ở {agency.vi}.", f"{agency.en} has the dossier.")
    now, thing = leg.now, THING[leg.leg]
    if now.stage is Stage.OUT_FOR_DELIVERY and now.holder.kind is PartyKind.STAFF:
        vi, en = carrier(f, now.holder_place)
        to = Words("Ông/Bà", "you") if leg.leg is Leg.RESULT else agency
        return Words(
            f"{vi} đang mang {thing.vi} đến {to.vi}.",
            f"{en} is on the way to {to.en} with {thing.en}.",
        )
    if now.holder == CITIZEN and now.stage is Stage.DELIVERED:
        return handed_over(leg)
    if now.holder == CITIZEN:
        return Words(f"Ông/Bà đang giữ {thing.vi}.", f"You have {thing.en}.")
    if now.holder.kind is PartyKind.STAFF:
        vi, en = staff(f, now.holder_place)
    else:
        vi, en = name(f, now.holder)
    return Words(f"{vi} đang giữ {thing.vi}.", f"{en} has {thing.en}.")


def _limbo(f: Followed, now: Custody) -> Words:
    if now.released_to is None:
        return NOTHING
    if now.stage is Stage.READY:
        vi, en = name(f, now.released_to)
        return Words(f"Đã báo {vi} đến lấy.", f"{en} has been asked to come for it.")
    vi, en = name(f, now.released_to)
    return Words(
        f"Đang bàn giao cho {vi}, chờ bên nhận xác nhận.",
        f"It is being handed to {en}, who has yet to confirm.",
    )


# The picture of the way

_SPOTS = {
    Spot.WITH_YOU: Words("ở chỗ Ông/Bà", "with you"),
    Spot.TO_OFFICE: Words("trên đường đến bưu cục", "on the way to a post office"),
    Spot.AT_OFFICE: Words("tại bưu cục", "at a post office"),
    Spot.TO_AGENCY: Words("trên đường đến cơ quan", "on the way to the agency"),
    Spot.AT_AGENCY: Words("tại cơ quan", "at the agency"),
    Spot.BACK_TO_OFFICE: Words(
        "trên đường từ cơ quan về bưu cục", "on the way back to a post office"
    ),
    Spot.BACK_AT_OFFICE: Words("tại bưu cục, trên đường về", "back at a post office"),
    Spot.TO_YOU: Words("trên đường đến Ông/Bà", "on the way to you"),
    Spot.WITH_YOU_AGAIN: Words("đã về đến Ông/Bà", "back with you"),
}


def _way(f: Followed) -> Way:
    first = Spot.AT_AGENCY if f.service == "receive" else Spot.WITH_YOU
    last = Spot.AT_AGENCY if f.service == "send" else Spot.WITH_YOU_AGAIN
    leg = f.leg
    if leg is None:
        return Way(first, last, first)
    spot = _spot(leg.now.stage, _was_at_office(leg))
    if leg.leg is Leg.RESULT:
        # The way back is the way out once more, from the agency.
        return Way(first, max(last, Spot.WITH_YOU_AGAIN), Spot(spot + 4))
    if leg.now.stage is Stage.DELIVERED:
        spot = Spot.WITH_YOU  # it was given back
    return Way(first, last, spot)


def _spot(stage: Stage, was_at_office: bool) -> Spot:
    match stage:
        case Stage.UNBORN | Stage.BOOKED | Stage.READY:
            return Spot.WITH_YOU
        case Stage.AT_OFFICE:
            return Spot.AT_OFFICE
        case Stage.RECEIVED | Stage.DELIVERED:
            return Spot.AT_AGENCY
        case Stage.COLLECTED | Stage.IN_TRANSIT:
            return Spot.TO_AGENCY if was_at_office else Spot.TO_OFFICE
        case _:
            return Spot.TO_AGENCY


def _was_at_office(leg: Stretch) -> bool:
    takers = (each.event.taker for each in leg.story)
    return any(taker and taker.kind is PartyKind.OFFICE for taker in takers)
