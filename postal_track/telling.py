"""The citizen's page in plain words: who has the dossier, where it is, what is next.

Pure: puts together what `retold` says of the past, `prospects` of what comes and
`journey` of the way.
"""

from dataclasses import dataclass
from datetime import datetime

from postal_track.custody import (
    CITIZEN,
    ENDED,
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
from postal_track.journey import WHERE, Trip, Way, trips_of, way_of
from postal_track.prospects import (
    Arrival,
    Next,
    arrival,
    coming_next,
    late,
    papers,
    paying,
    todo,
)
from postal_track.retold import FOUND, Line, story


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """All that the citizen's page says."""

    holder: Words
    since: datetime | None
    limbo: Words
    next: Next
    late: Words
    late_by_agency: bool
    checking: tuple[Words, ...]
    todo: tuple[Words, ...]
    papers: tuple[Words, ...]
    fee: int
    paying: Words
    arrival: Arrival | None
    way: Way
    where: Words
    trips: tuple[Trip, ...]
    story: tuple[Line, ...]


def tell(f: Followed) -> Telling:
    """Say everything about a dossier in plain words."""
    leg = f.leg
    now = leg.now if leg else UNBORN
    coming = coming_next(f)
    way = way_of(f)
    return Telling(
        holder=_holder(f),
        since=now.since,
        limbo=_limbo(f, now),
        next=coming,
        late=late(f, coming),
        late_by_agency=coming.owed_by_agency,
        checking=tuple(FOUND[kind] for kind in f.checking),
        todo=tuple(todo(f)),
        papers=papers(f) if leg and _to_be_packed(leg) else (),
        fee=leg.fee if leg and leg.homeward and now.stage not in ENDED else 0,
        paying=paying(f),
        arrival=arrival(f),
        way=way,
        where=WHERE[way.now],
        trips=trips_of(f),
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
