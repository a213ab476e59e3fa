"""A dossier's way as a picture: from the citizen to the agency and back, leg by leg.

Pure. Says of every station and of every leg whether it is done, goes on now or is to
come, and the day that belongs to it; how that looks is the page's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum

from postal_track.custody import (
    CITIZEN,
    ENDED,
    FROM_CITIZEN,
    TO_CITIZEN,
    Leg,
    PartyKind,
    Stage,
    Step,
)
from postal_track.estimates import Expected
from postal_track.followed import (
    ALONGSIDE,
    LOCAL,
    NOTHING,
    UNTIL,
    Followed,
    Happening,
    Stretch,
    Words,
    name,
    whither,
    written,
)


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


WHERE = {
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


class State(StrEnum):
    """How far something on the way is."""

    DONE = "done"
    NOW = "now"
    AHEAD = "ahead"
    OVER = "over"  # ended otherwise than it should have
    NEVER = "never"  # cancelled


STATE = {
    State.DONE: Words("xong", "done"),
    State.NOW: Words("đang ở đây", "it is here now"),
    State.AHEAD: Words("chưa tới", "to come"),
    State.OVER: Words("không thành", "came to nothing"),
    State.NEVER: Words("đã hủy", "cancelled"),
}


TRIP_STATE = STATE | {State.NOW: Words("đang đi", "under way")}


@dataclass(frozen=True, slots=True)
class Station:
    """One station of the round. ``when``: the day it was reached, or is to be."""

    spot: Spot
    called: Words
    state: State
    when: Words = NOTHING


@dataclass(frozen=True, slots=True)
class Way:
    """The part of the round that this dossier makes, and where it is now."""

    first: Spot
    last: Spot
    now: Spot
    stations: tuple[Station, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left."""
        return self.now is self.last

    @property
    def told(self) -> Words:
        """Describe the picture to whoever does not see it."""
        said = NOTHING
        for each in self.stations:
            when = Words(" ", " ") + each.when if each.when else NOTHING
            said += each.called + Words(": ", ": ") + STATE[each.state] + when
            said += Words(". ", ". ")
        return said


@dataclass(frozen=True, slots=True)
class Trip:
    """One leg of the way. ``when``: when it ended, or is expected to."""

    called: Words
    state: State
    said: Words
    waybill: str = ""


def way_of(f: Followed) -> Way:
    """Find the dossier's place on the round from citizen to agency and back."""
    kinds = {leg.leg for leg in f.legs}
    out = f.service != "receive" or not kinds.isdisjoint(FROM_CITIZEN)
    back = f.service != "send" or not kinds.isdisjoint(TO_CITIZEN)
    first = Spot.WITH_YOU if out else Spot.AT_AGENCY
    last = Spot.WITH_YOU_AGAIN if back else Spot.AT_AGENCY
    leg = f.leg
    if leg is None or leg.leg is Leg.TRANSFER:
        now = Spot.AT_AGENCY
    else:  # the way back is the way out once more, from the agency
        now = Spot(_gone(leg) + (4 if leg.homeward else 0))
    stations = [Spot(n) for n in range(first, last + 1, 2)]
    return Way(
        first, last, now, tuple(_station(f, spot, now, last) for spot in stations)
    )


def _gone(leg: Stretch) -> int:
    """Say how far an item is: 0 with its sender, 2 at an office, 4 at its end."""
    stage, holder = leg.now.stage, leg.now.holder
    if stage in (Stage.RECEIVED, Stage.DELIVERED):
        return 4 if holder == leg.now.addressee else 0
    if holder.kind is PartyKind.OFFICE:
        return 2
    if holder.kind is not PartyKind.STAFF and holder == leg.now.sender:
        return 0
    before_office = stage in (Stage.COLLECTED, Stage.IN_TRANSIT)
    return 1 if before_office and not _was_at_office(leg) else 3


def _was_at_office(leg: Stretch) -> bool:
    return _first(leg, at_office=True) is not None


def _first(leg: Stretch, *, at_office: bool = False) -> Happening | None:
    """Give the first that took the item over from its sender, or the first office."""
    for each in leg.stands:
        taker = each.event.taker
        if taker is None or each.event.step in (Step.BOOKED, Step.READY):
            continue
        if not at_office or taker.kind is PartyKind.OFFICE:
            return each
    return None


def _station(f: Followed, spot: Spot, now: Spot, last: Spot) -> Station:
    if spot < now or (spot is now and now is last):
        state = State.DONE
    else:
        state = State.NOW if spot is now else State.AHEAD
    return Station(spot, _CALLED[spot], state, _when(f, spot, state))


_CALLED = {
    Spot.WITH_YOU: Words("Ông/Bà gửi", "You send"),
    Spot.AT_OFFICE: Words("Bưu điện", "The post"),
    Spot.AT_AGENCY: Words("Cơ quan", "Agency"),
    Spot.BACK_AT_OFFICE: Words("Bưu điện", "The post"),
    Spot.WITH_YOU_AGAIN: Words("Ông/Bà nhận", "You receive"),
}


def _when(f: Followed, spot: Spot, state: State) -> Words:
    """Write the day of a station: reached, or expected; none that is not known."""
    out, home = _newest(f, FROM_CITIZEN), _newest(f, TO_CITIZEN)
    leg = out if spot <= Spot.AT_AGENCY else home
    reached = _reached(leg, spot) if leg and state is not State.AHEAD else None
    if reached is not None:
        return _short(reached)
    if state is State.AHEAD and spot is Spot.AT_AGENCY and out:
        return _short_range(f.expected.get(out.waybill))
    if state is State.AHEAD and spot is Spot.WITH_YOU_AGAIN:
        return _short_range(f.expected.get(home.waybill) if home else f.hoped)
    return NOTHING


def _reached(leg: Stretch, spot: Spot) -> datetime | None:
    """Tell when an item came to a station, or left the one it began at."""
    found: Happening | None = None
    if spot is Spot.WITH_YOU:
        found = _first(leg)
    elif spot in (Spot.AT_OFFICE, Spot.BACK_AT_OFFICE):
        found = _first(leg, at_office=True)
    elif leg.now.stage in (Stage.RECEIVED, Stage.DELIVERED):
        return leg.now.since
    return found.event.at if found else None


def _newest(f: Followed, kinds: Iterable[Leg]) -> Stretch | None:
    """Give the newest leg of these kinds that carries the case itself."""
    wanted = frozenset(kinds) - ALONGSIDE
    found = [leg for leg in f.legs if leg.leg in wanted]
    alive = [leg for leg in found if leg.now.stage is not Stage.CANCELLED]
    return next(reversed(alive or found), None)


def _short(moment: datetime) -> Words:
    return _day(moment.astimezone(LOCAL).date())


def _day(day: date) -> Words:
    return Words(f"{day:%-d/%-m}", f"{day:%-d %b}")


def _short_range(expected: Expected | None) -> Words:
    """Write a range as it fits under a station."""
    if expected is None:
        return NOTHING
    first, last = _day(expected.first), _day(expected.last)
    return first if first == last else first + UNTIL + last


# Leg by leg


def trips_of(f: Followed) -> tuple[Trip, ...]:
    """Tell of every leg in one line: those that were, that go on, that are to come."""
    told = [_trip(f, leg) for leg in f.legs]
    if hoped := _to_come(f):
        told.append(hoped)
    return tuple(told)


_NAMES = {
    Leg.DOSSIER: Words("Hồ sơ gửi đi", "Your dossier, out"),
    Leg.RESULT: Words("Kết quả trả về", "The result, back to you"),
    Leg.SUPPLEMENT: Words("Giấy tờ bổ sung", "Further papers, out"),
    Leg.BRING_BACK: Words("Hồ sơ trả lại", "Your dossier, back to you"),
    Leg.OLD_PAPERS: Words("Giấy tờ cũ thu lại", "Old papers, to the agency"),
    Leg.SLIP: Words("Giấy hẹn", "Appointment slip, to you"),
    Leg.TRANSFER: Words("Chuyển cơ quan khác", "On to another agency"),
}


def _trip(f: Followed, leg: Stretch) -> Trip:
    now = leg.now
    state = _ENDINGS.get(now.stage, State.NOW)
    if now.stage in (Stage.RECEIVED, Stage.DELIVERED):
        to = Words("Ông/Bà", "you") if now.holder == CITIZEN else whither(f, leg)
        when = written(now.since.astimezone(LOCAL).date()) if now.since else NOTHING
        said = Words(f"{to.vi} đã nhận ", f"With {to.en} since ") + when
    elif now.stage in ENDED:
        said = _ENDED_AS[now.stage]
    else:
        said = _under_way(f, leg)
    return Trip(_NAMES[leg.leg], state, said + Words(".", "."), leg.waybill)


_ENDINGS = {
    Stage.RECEIVED: State.DONE,
    Stage.DELIVERED: State.DONE,
    Stage.CANCELLED: State.NEVER,
    Stage.REFUSED: State.OVER,
    Stage.RETURNED: State.OVER,
    Stage.LOST: State.OVER,
}

_ENDED_AS = {
    Stage.CANCELLED: Words("Đã hủy", "Cancelled"),
    Stage.REFUSED: Words("Cơ quan không nhận", "The agency did not take it"),
    Stage.RETURNED: Words("Đã trả về cơ quan", "Taken back to the agency"),
    Stage.LOST: Words("Đã thất lạc", "Lost"),
}


def _under_way(f: Followed, leg: Stretch) -> Words:
    """Say at whom an item is, and when it is expected where it goes."""
    now = leg.now
    if now.stage is Stage.MISSING:
        return Words("Bưu điện đang tìm", "The post is searching for it")
    if now.stage is Stage.HELD:
        vi, en = name(f, now.holder)
        return Words(f"Chờ Ông/Bà tại {vi}", f"Waits for you at {en}")
    if now.stage is Stage.BOOKED:
        where = Words("Chờ bưu tá đến lấy", "The carrier is to come for it")
    elif now.stage is Stage.READY:
        where = Words("Chờ bưu điện đến lấy", "Waits for the post")
    else:
        place = now.holder if now.holder.kind is PartyKind.OFFICE else now.holder_place
        vi, en = name(f, place)
        where = Words(f"Đang ở {vi}", f"With {en}")
    expected = f.expected.get(leg.waybill)
    if expected is None:
        return where
    to = whither(f, leg)
    vi, en = ("dự kiến", "expected") if expected.learned else ("hẹn", "promised")
    return (
        where + Words(f"; {vi} đến {to.vi} ", f"; {en} at {to.en} ") + _span(expected)
    )


def _to_come(f: Followed) -> Trip | None:
    """Tell of the result that has not set out, when the post is to bring it."""
    has_result = any(leg.leg in (Leg.RESULT, Leg.BRING_BACK) for leg in f.legs)
    if has_result or f.service == "send" or _is_over(f):
        return None
    said = Words(
        "Sau khi cơ quan giải quyết xong", "Once the agency has dealt with the dossier"
    )
    if f.hoped:
        said += Words("; dự kiến đến Ông/Bà ", "; expected with you ") + _span(f.hoped)
    return Trip(_NAMES[Leg.RESULT], State.AHEAD, said + Words(".", "."))


def _is_over(f: Followed) -> bool:
    leg = f.leg
    return leg is not None and leg.now.stage in (Stage.CANCELLED, Stage.LOST)


def _span(expected: Expected) -> Words:
    if expected.first == expected.last:
        return written(expected.last)
    return written(expected.first) + UNTIL + written(expected.last)
