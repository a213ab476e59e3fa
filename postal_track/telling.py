"""The citizen's page in plain words: who has the dossier, where it is, what is next.

Pure: puts together what `retold` says of the past and `prospects` of what comes.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from postal_track.custody import (
    CITIZEN,
    ENDED,
    FROM_CITIZEN,
    TO_CITIZEN,
    UNBORN,
    Custody,
    Leg,
    PartyKind,
    Stage,
)
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
    whither,
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
        papers=papers(f) if leg and _to_be_packed(leg) else (),
        fee=leg.fee if leg and leg.homeward and now.stage not in ENDED else 0,
        paying=paying(f),
        way=way,
        where=_SPOTS[way.now],
        story=story(f),
    )


def _to_be_packed(leg: Stretch) -> bool:
    return leg.leg is Leg.DOSSIER and leg.now.stage is Stage.BOOKED


def _holder(f: Followed) -> Words:
    leg = f.leg
    agency = name(f, f.agency)
    if leg is None:
        return Words(f"Hồ sơ đang ở {agency.vi}.", f"{agency.en} has the dossier.")
    now, thing = leg.now, THING[leg.leg]
    if now.stage in _OWNED_UP_TO:
        vi, en = _OWNED_UP_TO[now.stage]
        return Words(vi.format(thing.vi), en.format(thing.en))
    if now.stage is Stage.OUT_FOR_DELIVERY and now.holder.kind is PartyKind.STAFF:
        vi, en = carrier(f, now.holder_place)
        to = whither(f, leg)
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


_OWNED_UP_TO = {
    Stage.MISSING: Words("Bưu điện đang tìm {}.", "The post is searching for {}."),
    Stage.LOST: Words(
        "Bưu điện đã làm mất {}. Chúng tôi xin lỗi Ông/Bà.",
        "The post has lost {}. We are sorry.",
    ),
    Stage.CANCELLED: Words("Yêu cầu đã được hủy.", "The request was cancelled."),
}
"""What matters more than who has it."""


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
    """Find the dossier's place on the round from citizen to agency and back."""
    kinds = {leg.leg for leg in f.legs}
    out = f.service != "receive" or not kinds.isdisjoint(FROM_CITIZEN)
    back = f.service != "send" or not kinds.isdisjoint(TO_CITIZEN)
    first = Spot.WITH_YOU if out else Spot.AT_AGENCY
    last = Spot.WITH_YOU_AGAIN if back else Spot.AT_AGENCY
    leg = f.leg
    if leg is None or leg.leg is Leg.TRANSFER:
        return Way(first, last, Spot.AT_AGENCY)
    # The way back is the way out once more, from the agency.
    return Way(first, last, Spot(_gone(leg) + (4 if leg.homeward else 0)))


def _gone(leg: Stretch) -> int:
    """Say how far an item is: 0 with its sender, 2 at an office, 4 at its end."""
    stage, holder = leg.now.stage, leg.now.holder
    if stage in (Stage.RECEIVED, Stage.DELIVERED):
        return 4 if holder == leg.now.addressee else 0
    if holder == leg.now.sender:
        return 0
    if holder.kind is PartyKind.OFFICE:
        return 2
    before_office = stage in (Stage.COLLECTED, Stage.IN_TRANSIT)
    return 1 if before_office and not _was_at_office(leg) else 3


def _was_at_office(leg: Stretch) -> bool:
    takers = (each.event.taker for each in leg.stands)
    return any(taker and taker.kind is PartyKind.OFFICE for taker in takers)
