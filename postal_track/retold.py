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
    whither,
    written,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story: what happened, and what was wrong with it."""

    at: datetime
    said: Words
    wrong: tuple[Words, ...] = ()


def story(f: Followed) -> tuple[Line, ...]:
    """Tell all legs as one story, oldest first, less what was declared wrong."""
    lines = []
    for at, leg in enumerate(f.legs):
        now = UNBORN
        for place, happening in enumerate(leg.stands):
            said = _said(f, leg, now, happening)
            if said and happening.event.corrects:
                said += Words(" (Đã đính chính.)", " (Corrected.)")
            now = apply(now, happening.event)
            if said:
                wrong = tuple(FOUND[kind] for kind in happening.flags if kind in FOUND)
                line = Line(happening.event.at, said, wrong)
                lines.append(((happening.event.at, at, place), line))
    return tuple(line for _, line in sorted(lines, key=lambda each: each[0]))


def _said(f: Followed, leg: Stretch, now: Custody, h: Happening) -> Words | None:
    event, thing = h.event, THING[leg.leg]
    post, to = name(f, event.place), whither(f, leg)
    match event.step:
        case Step.BOOKED:
            return _booked(event, post)
        case Step.READY:
            return Words(
                f"{post.vi} đã có {thing.vi} và báo bưu điện đến lấy.",
                f"{post.en} has {thing.en} ready and asked the post to come.",
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
            return Words(
                f"{vi} mang {thing.vi} đến {to.vi}.",
                f"{en} set out to {to.en} with {thing.en}.",
            )
        case Step.RECEIVED if event.taker == now.addressee:
            return Words(
                f"{to.vi} ký nhận {thing.vi}.", f"{to.en} signed for {thing.en}."
            )
        case Step.RECEIVED:
            vi, en = name(f, event.taker)
            return Words(
                f"{vi} nhận nhầm {thing.vi}.", f"{en} got {thing.en} by mistake."
            ).capital()
        case Step.REGISTERED:
            return Words(
                f"{post.vi} cấp mã hồ sơ và ngày hẹn trả kết quả.",
                f"{post.en} gave the dossier a code and the day of the result.",
            )
        case Step.ATTEMPTED:
            why, number = _why(h.reason), now.attempts + 1
            return Words(
                f"Chưa phát được {thing.vi} (lần {number}): {why.vi}.",
                f"{thing.en} could not be delivered (try {number}): {why.en}.",
            ).capital() + _again(event)
        case Step.HELD:
            return Words(
                f"{thing.vi} chờ Ông/Bà tại quầy của {post.vi}.",
                f"{thing.en} waits for you at the counter of {post.en}.",
            ).capital()
        case Step.REDIRECTED:
            return Words(
                "Nơi nhận được đổi theo ý Ông/Bà.",
                "The place of delivery was changed as you wished.",
            )
        case Step.REFUSED:
            why = _why(h.reason)
            return Words(
                f"{post.vi} không nhận {thing.vi}: {why.vi}.",
                f"{post.en} did not take {thing.en}: {why.en}.",
            )
        case Step.RETURNED:
            return Words(
                f"{post.vi} nhận lại {thing.vi}.", f"{post.en} took {thing.en} back."
            )
        case Step.CANCELLED:
            return Words("Yêu cầu đã được hủy.", "The request was cancelled.")
        case Step.MISSED:
            return Words(
                f"Không thấy {thing.vi} khi kiểm tại {post.vi}. Bưu điện đang tìm.",
                f"{thing.en} was not found at {post.en}. The search began.",
            ).capital()
        case Step.LOST:
            return Words(
                f"Bưu điện kết luận {thing.vi} đã thất lạc.",
                f"The post declared {thing.en} lost.",
            )
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
    Reason.MISSING_PAPERS: Words("thiếu giấy tờ", "papers are missing"),
    Reason.WRONG_PAPERS: Words("giấy tờ chưa đúng", "papers are not in order"),
    Reason.WRONG_AGENCY: Words("không đúng cơ quan", "it is not for this agency"),
    Reason.COUNT_MISMATCH: Words("số giấy tờ không khớp", "the count does not match"),
    Reason.SEAL_BROKEN: Words("niêm phong không còn nguyên", "the seal was broken"),
    Reason.WITHDRAWN: Words("Ông/Bà rút hồ sơ", "you withdrew the dossier"),
    Reason.NOT_FOUND: Words("không có khi kiểm đếm", "not there when it was counted"),
    Reason.LEFT_BEHIND: Words("còn ở nơi giao", "still where it came from"),
    Reason.NOT_ANNOUNCED: Words("có mặt ngoài danh sách", "there, but not on the list"),
    Reason.MISSORTED: Words("chia nhầm nơi nhận", "sorted to the wrong place"),
}


def _again(event: Event) -> Words:
    """Say for which day the next try was promised."""
    if event.next_on is None:
        return NOTHING
    day = written(event.next_on)
    return Words(f" Hẹn phát lại {day.vi}.", f" Next try on {day.en}.")


def _why(reason: Reason | None) -> Words:
    if reason is None:
        return Words("chưa rõ lý do", "no reason was given")
    return _REASONS.get(reason, Words("lý do khác", "another reason"))


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
    Kind.MISSING: Words(
        "Phong bì không có ở nơi phải có.", "The envelope is not where it should be."
    ),
    Kind.SILENT: Words(
        "Đã lâu không có tin về phong bì.",
        "Nothing has been heard of the envelope for long.",
    ),
    Kind.WRONG_RECEIVER: Words(
        "Phong bì được giao cho người khác, không đúng với hồ sơ.",
        "The envelope was handed to someone else, against what is on record.",
    ),
    Kind.DISPUTED: Words(
        "Ông/Bà báo chưa nhận được.", "You said that you did not receive it."
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
