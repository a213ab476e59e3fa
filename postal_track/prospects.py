"""What comes next for a dossier, by when, and what its citizen should have ready.

Pure. Says it in plain words; when a day has passed, it says so and whose word it was.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from postal_track import promises
from postal_track.custody import ENDED, Leg, Stage, Step
from postal_track.followed import (
    LOCAL,
    NOTHING,
    Followed,
    Stretch,
    Words,
    counted,
    name,
    written,
)


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next. ``late``: how many days past ``by``, which is whose word."""

    said: Words
    by: date | None = None
    late: int = 0
    owed_by_agency: bool = False


def coming_next(f: Followed) -> Next:
    """Say what happens next, by when, and whether that day has passed."""
    coming = _coming(f)
    overdue = (f.today - coming.by).days if coming.by else 0
    return replace(coming, late=max(0, overdue))


def _coming(f: Followed) -> Next:
    leg, agency = f.leg, name(f, f.agency)
    if leg is None:
        said = Words(
            f"Khi có kết quả, {agency.vi} giao cho bưu điện mang đến cho Ông/Bà.",
            f"When the result is ready, {agency.en} gives it to the post for you.",
        )
        return Next(said, f.due_on, owed_by_agency=True)
    if leg.leg is Leg.RESULT:
        return _coming_back(f, leg)
    return _going_out(f, leg)


def _going_out(f: Followed, leg: Stretch) -> Next:
    agency = name(f, f.agency)
    match leg.now.stage:
        case Stage.BOOKED:
            vi, en = name(f, f.office)
            return Next(
                Words(
                    f"Bưu tá của {vi} đến lấy hồ sơ.",
                    f"A carrier of {en} comes for the dossier.",
                ),
                _pickup_day(leg),
            )
        case Stage.RECEIVED:
            return _at_agency(f)
        case Stage.DELIVERED:
            return Next(NOTHING)
        case Stage.OUT_FOR_DELIVERY:
            said = Words(
                f"{agency.vi} đếm giấy tờ và ký nhận hồ sơ.",
                f"{agency.en} counts the papers and signs for the dossier.",
            )
        case Stage.ATTEMPTED:
            said = Words(
                f"Bưu điện mang hồ sơ đến {agency.vi} một lần nữa.",
                f"The post takes the dossier to {agency.en} again.",
            )
        case Stage.MISROUTED:
            said = Words(
                f"Hồ sơ đã đến nhầm nơi. Bưu điện chuyển về đúng {agency.vi}.",
                f"The dossier went to the wrong place. "
                f"The post brings it to {agency.en}.",
            )
        case _:
            said = Words(
                f"Bưu điện mang hồ sơ đến {agency.vi}.",
                f"The post takes the dossier to {agency.en}.",
            )
    return Next(said, leg.promised_on)


def _pickup_day(leg: Stretch) -> date | None:
    asked = leg.last(Step.PICKUP_FAILED) or leg.last(Step.BOOKED)
    if asked is None:
        return None
    return promises.add_working_days(asked.astimezone(LOCAL).date(), 1)


def _at_agency(f: Followed) -> Next:
    agency = name(f, f.agency)
    if f.due_on is None:
        said = Words(
            f"{agency.vi} kiểm tra hồ sơ, rồi cấp mã hồ sơ và ngày hẹn trả kết quả.",
            f"{agency.en} checks the papers, then gives a dossier code "
            f"and the day of the result.",
        )
    elif f.service == "send":
        said = Words(
            f"{agency.vi} giải quyết hồ sơ. Ông/Bà đến đó nhận kết quả.",
            f"{agency.en} deals with the dossier. You collect the result there.",
        )
    else:
        said = Words(
            f"{agency.vi} giải quyết hồ sơ rồi giao kết quả cho bưu điện.",
            f"{agency.en} deals with the dossier, then gives the result to the post.",
        )
    return Next(said, f.due_on, owed_by_agency=True)


def _coming_back(f: Followed, leg: Stretch) -> Next:
    now = leg.now
    counter_until = held_until(f, leg)
    if counter_until is not None:
        vi, en = name(f, f.office)
        return Next(
            Words(
                f"Kết quả chờ Ông/Bà đến nhận tại {vi}, đến hết ngày ghi dưới đây.",
                f"The result waits for you at {en}, until the end of the day below.",
            ),
            counter_until,
        )
    match now.stage:
        case Stage.READY:
            vi, en = name(f, now.sender)
            said = Words(
                f"Bưu tá đến {vi} lấy kết quả, rồi mang đến cho Ông/Bà.",
                f"A carrier fetches the result at {en} and brings it to you.",
            )
        case Stage.OUT_FOR_DELIVERY:
            out = leg.last(Step.OUT) or now.since
            return Next(
                Words(
                    "Bưu tá giao kết quả tận tay Ông/Bà.",
                    "The carrier puts the result into your hands.",
                ),
                out.astimezone(LOCAL).date() if out else leg.promised_on,
            )
        case Stage.ATTEMPTED:
            tried = leg.last(Step.ATTEMPTED) or f.at
            return Next(
                Words("Bưu tá đến lại.", "The carrier comes again."),
                promises.add_working_days(tried.astimezone(LOCAL).date(), 1),
            )
        case Stage.MISROUTED:
            said = Words(
                "Kết quả đã đến nhầm nơi. Bưu điện mang về đúng địa chỉ của Ông/Bà.",
                "The result went to the wrong place. The post brings it to you.",
            )
        case Stage.DELIVERED:
            return Next(NOTHING)
        case _:
            said = Words(
                "Bưu điện mang kết quả đến cho Ông/Bà, và nhắn tin trước khi phát.",
                "The post brings you the result, and sends a text before it does.",
            )
    return Next(said, leg.promised_on)


def held_until(f: Followed, leg: Stretch) -> date | None:
    """Say until when a result waits at the counter after the last try."""
    now, tried = leg.now, leg.last(Step.ATTEMPTED)
    waits = now.stage in (Stage.ATTEMPTED, Stage.AT_OFFICE)
    if not waits or tried is None or now.attempts < f.tries:
        return None
    return tried.astimezone(LOCAL).date() + timedelta(days=f.hold_days)


def late(f: Followed, coming: Next) -> Words:
    """Own up to a day that has passed; empty while it has not."""
    if not coming.late or coming.by is None:
        return NOTHING
    days, was = coming.late, written(coming.by)
    english_days = "one day" if days == 1 else f"{days} days"
    if coming.owed_by_agency:
        vi, en = name(f, f.agency)
        return Words(
            f"{vi} hẹn trả kết quả ngày {was.vi}, nay đã quá {days} ngày. "
            "Bưu điện chưa nhận được kết quả.",
            f"{en} promised the result for {was.en}, {english_days} ago. "
            "The post has not received it yet.",
        )
    if f.leg and held_until(f, f.leg):
        return Words(
            f"Hạn nhận tại quầy đã hết ngày {was.vi}. Hãy gọi cho bưu điện.",
            f"The time to collect it at the counter ended on {was.en}. "
            "Please call the post.",
        )
    return Words(
        f"Bưu điện chậm {days} ngày so với đã hẹn ({was.vi}). "
        "Chúng tôi xin lỗi Ông/Bà.",
        f"The post is {english_days} later than promised ({was.en}). We are sorry.",
    )


_BRING_ID = Words(
    "Căn cước (thẻ, hoặc trên VNeID).", "Your ID card, or VNeID on your phone."
)


def todo(f: Followed) -> list[Words]:
    """List what the citizen should have ready now; empty: nothing to do."""
    leg = f.leg
    if leg is not None and leg.leg is Leg.RESULT:
        return [] if leg.now.stage in ENDED else _to_receive(f)
    if leg is not None and leg.now.stage is Stage.BOOKED:
        return [
            Words(
                "Giấy tờ trong danh sách. Bưu tá đếm và niêm phong trước mặt Ông/Bà.",
                "The papers on the list. "
                "The carrier counts and seals them in front of you.",
            ),
            _BRING_ID,
        ]
    if leg is not None and f.service == "send" and leg.now.stage is Stage.RECEIVED:
        return [
            Words(
                "Khi đến nhận kết quả: căn cước và giấy hẹn.",
                "To collect the result: your ID and the appointment slip.",
            )
        ]
    return []


def _to_receive(f: Followed) -> list[Words]:
    list_ = [
        _BRING_ID,
        Words(
            "Giấy hẹn trả kết quả, nếu có.", "The appointment slip, if you have one."
        ),
        Words(
            "Mã nhận 6 số trong tin nhắn ngày phát. Chỉ đọc mã khi đã cầm phong bì.",
            "The 6-digit code in the text on the day of delivery. "
            "Say it only once you hold the envelope.",
        ),
    ]
    if f.takes_back_old:
        list_.append(
            Words(
                "Giấy tờ cũ (bản chính), để bưu tá thu lại cho cơ quan.",
                "Your old paper (the original): "
                "the carrier takes it back for the agency.",
            )
        )
    if f.in_person:
        list_.append(
            Words(
                "Chính Ông/Bà phải nhận; không giao cho người khác.",
                "It is handed to you in person only.",
            )
        )
    else:
        list_.append(
            Words(
                "Nhờ người khác nhận: người đó mang giấy ủy quyền và căn cước.",
                "If someone else receives it: your written authority and their ID.",
            )
        )
    return list_


def paying(f: Followed) -> Words:
    """Say what is to be paid, and when; empty once that is over."""
    leg = f.leg
    if leg is None or leg.leg is not Leg.RESULT:
        return Words(
            "Số tiền phải trả khi nhận kết quả, nếu có, sẽ hiện ở đây.",
            "If anything is to be paid with the result, it will be shown here.",
        )
    if leg.now.stage in ENDED:
        return NOTHING
    if leg.fee:
        return Words(
            "Trả khi nhận kết quả; hãy lấy biên lai.",
            "Pay it when you receive the result, and ask for a receipt.",
        )
    return Words(
        "Không phải trả gì khi nhận kết quả.",
        "There is nothing to pay when you receive the result.",
    )


def papers(f: Followed) -> tuple[Words, ...]:
    """List what travels: by name, or as a sum where the names would tell too much."""
    if f.procedure is not None:
        return tuple(
            Words(f"{p.name}: ", f"{p.name}: ") + counted(p.originals, p.copies)
            for p in f.papers
        )
    originals = sum(p.originals for p in f.papers)
    copies = sum(p.copies for p in f.papers)
    if not originals + copies:
        return ()
    return (counted(originals, copies).capital(),)
