"""What happened to a dossier, all its legs as one story in plain words.

Pure. Promises between two people of the post are left out: what counts is who took it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple

from postal_track.custody import (
    CITIZEN,
    UNBORN,
    Custody,
    Event,
    Kind,
    Leg,
    PartyKind,
    Reason,
    Step,
    apply,
)
from postal_track.followed import (
    LOCAL,
    NOTHING,
    THING,
    Followed,
    Happening,
    Stretch,
    Words,
    carrier,
    counted,
    handed_over,
    name,
    staff,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story: what happened, and what was wrong with it."""

    at: datetime
    said: Words
    wrong: tuple[Words, ...] = ()


def story(f: Followed) -> tuple[Line, ...]:
    """Tell all legs as one story, oldest first.

    Promises between two people of the post are left out: what counts is who took it.
    """
    lines = []
    for at, leg in enumerate(f.legs):
        now = UNBORN
        for place, happening in enumerate(leg.story):
            said = _said(f, leg, now, happening)
            now = apply(now, happening.event)
            if said is not None:
                wrong = tuple(FOUND[kind] for kind in happening.flags if kind in FOUND)
                line = Line(happening.event.at, said, wrong)
                lines.append(((happening.event.at, at, place), line))
    return tuple(line for _, line in sorted(lines, key=lambda each: each[0]))


def _said(f: Followed, leg: Stretch, now: Custody, h: Happening) -> Words | None:
    event, thing = h.event, THING[leg.leg]
    post, agency = name(f, event.place), name(f, f.agency)
    match event.step:
        case Step.BOOKED:
            return _booked(event, post)
        case Step.READY:
            return Words(
                f"{agency.vi} đã có kết quả và báo bưu điện đến lấy.",
                f"{agency.en} has the result and asked the post to come for it.",
            )
        case Step.PICKUP_FAILED:
            why = _why(h.reason)
            return Words(
                f"Chưa lấy được {thing.vi}: {why.vi}.",
                f"{thing.en} could not be collected: {why.en}.",
            ).capital()
        case Step.ACCEPTED:
            return _accepted(f, leg, now, event)
        case Step.TAKEN:
            vi, en = staff(f, event.place)
            return Words(
                f"{vi} nhận {thing.vi} để chuyển tiếp.",
                f"{en} took {thing.en} to carry it on.",
            )
        case Step.ARRIVED:
            return Words(
                f"{thing.vi} đến {post.vi}.", f"{thing.en} reached {post.en}."
            ).capital()
        case Step.OUT:
            vi, en = carrier(f, event.place)
            to = Words("Ông/Bà", "you") if leg.leg is Leg.RESULT else agency
            return Words(
                f"{vi} mang {thing.vi} đến {to.vi}.",
                f"{en} set out to {to.en} with {thing.en}.",
            )
        case Step.RECEIVED if event.taker == now.addressee:
            return Words(
                f"{agency.vi} ký nhận {thing.vi}.",
                f"{agency.en} signed for {thing.en}.",
            )
        case Step.RECEIVED:
            vi, en = name(f, event.taker)
            return Words(
                f"{vi} nhận nhầm {thing.vi}.", f"{en} got {thing.en} by mistake."
            )
        case Step.REGISTERED:
            return Words(
                f"{agency.vi} cấp mã hồ sơ và ngày hẹn trả kết quả.",
                f"{agency.en} gave the dossier a code and the day of the result.",
            )
        case Step.ATTEMPTED:
            why, number = _why(h.reason), now.attempts + 1
            return Words(
                f"Chưa phát được {thing.vi} (lần {number}): {why.vi}.",
                f"{thing.en} could not be delivered (try {number}): {why.en}.",
            ).capital()
        case Step.DELIVERED:
            return handed_over(leg) + _PROVED.get(h.proof, NOTHING)
        case _:
            return None


def _booked(event: Event, post: Words) -> Words:
    if event.by == CITIZEN:
        return Words(
            f"Ông/Bà đặt lịch; {post.vi} nhận việc thu gom.",
            f"You booked a pickup with {post.en}.",
        )
    return Words(
        f"{post.vi} ghi nhận yêu cầu thu gom hồ sơ.",
        f"{post.en} noted the request to collect the dossier.",
    )


def _accepted(f: Followed, leg: Stretch, now: Custody, event: Event) -> Words:
    thing = THING[leg.leg]
    over_the_counter = event.taker is not None and event.taker.kind is PartyKind.OFFICE
    who = name(f, event.place) if over_the_counter else carrier(f, event.place)
    giver = name(f, now.holder)
    papers = counted(event.originals or 0, event.copies or 0)
    inside = Words(f": {papers.vi}", f": {papers.en}") if papers.vi else NOTHING
    sealed = Words(", đã niêm phong", ", sealed") if event.seal_no else NOTHING
    return (
        Words(
            f"{who.vi} nhận {thing.vi} từ {giver.vi}",
            f"{who.en} accepted {thing.en} from {giver.en}",
        )
        + inside
        + sealed
        + Words(".", ".")
    )


_PROVED = {
    "code": Words(" Xác nhận bằng mã nhận.", " Confirmed by the code."),
    "signature": Words(" Xác nhận bằng chữ ký.", " Confirmed by signature."),
}

_REASONS = {
    Reason.WRONG_ADDRESS: Words("địa chỉ chưa đúng", "the address is not right"),
    Reason.UNKNOWN: Words(
        "không tìm thấy người nhận", "the addressee was not found there"
    ),
    Reason.ABSENT: Words("không có người ở nhà", "nobody was in"),
    Reason.REFUSED: Words("người nhận từ chối", "it was refused"),
    Reason.LATER: Words("Ông/Bà hẹn lúc khác", "you asked for another time"),
    Reason.CANNOT_PAY: Words("chưa trả được tiền", "the amount was not paid"),
    Reason.ID_MISSING: Words(
        "thiếu căn cước hoặc không khớp", "the ID was missing or did not match"
    ),
    Reason.NOT_AUTHORISED: Words(
        "người nhận chưa được ủy quyền", "the person was not authorised"
    ),
    Reason.OFFICE_CLOSED: Words("nơi nhận đóng cửa", "the place was closed"),
    Reason.WEATHER: Words("thời tiết hoặc phà", "weather or ferry"),
}


def _why(reason: Reason | None) -> Words:
    return (
        _REASONS.get(reason, Words("lý do khác", "another reason"))
        if reason
        else Words("chưa rõ lý do", "no reason was given")
    )


FOUND = {
    Kind.SEAL_BROKEN: Words(
        "Niêm phong không còn nguyên, hoặc khác số đã ghi.",
        "The seal was broken, or not the one on record.",
    ),
    Kind.DAMAGED: Words("Phong bì bị hư hỏng.", "The envelope was damaged."),
    Kind.COUNT_MISMATCH: Words(
        "Số giấy tờ đếm được khác với lần trước.",
        "The papers counted were not as many as the time before.",
    ),
    Kind.MISROUTED: Words(
        "Phong bì đến nhầm nơi.", "The envelope came to the wrong place."
    ),
}
"""What a citizen should know of; the rest is the post's own housekeeping."""


class Day(NamedTuple):
    """The lines of one day."""

    day: date
    lines: tuple[Line, ...]


def by_days(lines: Sequence[Line]) -> list[Day]:
    """Part a story into days, by the clock of An Giang."""
    return [
        Day(day, tuple(each))
        for day, each in groupby(lines, lambda line: line.at.astimezone(LOCAL).date())
    ]
