"""What comes next for a dossier, by when, and what its citizen should have ready.

Pure. Says it in plain words; when a day has passed, it says so and whose word it was.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from postal_track import promises
from postal_track.custody import ENDED, Leg, Party, PartyKind, Stage, Step, tried_enough
from postal_track.estimates import Expected, Scope
from postal_track.followed import (
    LOCAL,
    NOTHING,
    THING,
    UNTIL,
    Followed,
    Stretch,
    Words,
    called,
    counted,
    name,
    whither,
    written,
)


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next. ``late``: how many days past ``by``, which is whose word."""

    said: Words
    by: date | None = None
    late: int = 0
    owed_by_agency: bool = False
    at_counter: bool = False  # ``by`` is the last day to come and fetch it


def coming_next(f: Followed) -> Next:
    """Say what happens next, by when, and whether that day has passed."""
    coming = _as_wished(f, _coming(f))
    overdue = (f.today - coming.by).days if coming.by else 0
    return replace(coming, late=max(0, overdue))


def _as_wished(f: Followed, coming: Next) -> Next:
    """Let the citizen's own day stand where the post comes to him next."""
    leg = f.leg
    visited = leg is not None and (
        leg.now.stage is Stage.BOOKED
        or (leg.homeward and leg.now.stage not in ENDED | {Stage.HELD})
    )
    if f.wished_on is None or not visited:
        return coming
    return replace(coming, by=f.wished_on)


def _coming(f: Followed) -> Next:
    leg, agency = f.leg, name(f, f.agency)
    if leg is None:
        said = Words(
            f"Khi có kết quả, {agency.vi} giao cho bưu điện mang đến cho Ông/Bà.",
            f"When the result is ready, {agency.en} gives it to the post for you.",
        )
        return Next(said, f.due_on, owed_by_agency=True)
    return (
        _before_the_post(f, leg)
        or _astray(f, leg)
        or _at_the_end(f, leg)
        or (_homeward(f, leg) if leg.homeward else _outward(f, leg))
    )


def _before_the_post(f: Followed, leg: Stretch) -> Next | None:
    """Say who comes for it, while the post does not have it."""
    thing, to = THING[leg.leg], whither(f, leg)
    if leg.now.stage is Stage.BOOKED:
        vi, en = name(f, f.office)
        said = Words(
            f"Bưu tá của {vi} đến lấy {thing.vi}.",
            f"A carrier of {en} comes for {thing.en}.",
        )
        asked = leg.last(Step.PICKUP_FAILED) or leg.last(Step.BOOKED)
        usual = _working_day_after(asked.event.at) if asked else None
        return Next(said, leg.now.next_on or usual)
    if leg.now.stage is Stage.READY:
        vi, en = name(f, leg.now.sender)
        said = Words(
            f"Bưu tá đến {vi} lấy {thing.vi}, rồi mang đến {to.vi}.",
            f"A carrier fetches {thing.en} at {en} and brings it to {to.en}.",
        )
        return Next(said, leg.promised_on)
    return None


def _working_day_after(moment: datetime) -> date:
    return promises.add_working_days(moment.astimezone(LOCAL).date(), 1)


def _astray(f: Followed, leg: Stretch) -> Next | None:
    """Say what is done when something went wrong."""
    thing, to = THING[leg.leg], whither(f, leg)
    match leg.now.stage:
        case Stage.MISROUTED:
            return Next(
                Words(
                    f"{thing.vi} đã đến nhầm nơi. Bưu điện mang về đúng {to.vi}.",
                    f"{thing.en} went to the wrong place. "
                    f"The post brings it to {to.en}.",
                ).capital(),
                leg.promised_on,
            )
        case Stage.MISSING:
            return Next(
                Words(
                    "Bưu điện đang tìm và gọi cho Ông/Bà khi có tin. "
                    "Người giữ sau cùng vẫn chịu trách nhiệm.",
                    "The post is searching and calls you when there is news. "
                    "Whoever held it last still answers for it.",
                )
            )
        case Stage.LOST:
            return Next(
                Words(
                    "Bưu điện gọi cho Ông/Bà về bồi thường và làm lại giấy tờ. "
                    "Ông/Bà có quyền khiếu nại.",
                    "The post calls you about compensation and replacing the papers. "
                    "You have the right to complain.",
                )
            )
        case _:
            return None


def _at_the_end(f: Followed, leg: Stretch) -> Next | None:
    """Say what follows where the post's own part has ended."""
    match leg.now.stage:
        case Stage.RECEIVED:
            return _at_agency(f, leg)
        case Stage.REFUSED:
            return Next(
                Words(
                    "Bưu điện mang hồ sơ về cho Ông/Bà.",
                    "The post brings the dossier back to you.",
                )
            )
        case Stage.RETURNED:
            vi, en = name(f, leg.now.holder)
            return Next(
                Words(
                    f"Ông/Bà đến {vi} nhận trong giờ hành chính.",
                    f"You can collect it at {en} in office hours.",
                )
            )
        case Stage.DELIVERED | Stage.CANCELLED:
            return Next(NOTHING)
        case _:
            return None


def _at_agency(f: Followed, leg: Stretch) -> Next:
    agency = whither(f, leg)
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


def _outward(f: Followed, leg: Stretch) -> Next:
    thing, to = THING[leg.leg], whither(f, leg)
    match leg.now.stage:
        case Stage.OUT_FOR_DELIVERY:
            said = Words(
                f"{to.vi} đếm giấy tờ và ký nhận {thing.vi}.",
                f"{to.en} counts the papers and signs for {thing.en}.",
            )
        case Stage.ATTEMPTED:
            said = Words(
                f"Bưu điện mang {thing.vi} đến {to.vi} một lần nữa.",
                f"The post takes {thing.en} to {to.en} again.",
            )
        case _:
            said = Words(
                f"Bưu điện mang {thing.vi} đến {to.vi}.",
                f"The post takes {thing.en} to {to.en}.",
            )
    return Next(said, leg.promised_on)


def _homeward(f: Followed, leg: Stretch) -> Next:
    now, thing = leg.now, THING[leg.leg]
    if now.stage is Stage.HELD:
        return _at_the_counter(f, leg)
    if f.wished.held_at is not None:
        vi, en = name(f, f.wished.held_at)
        return Next(
            Words(
                f"Bưu điện giữ {thing.vi} tại quầy của {vi} và nhắn tin khi có ở đó.",
                f"The post holds {thing.en} at the counter of {en}, "
                f"and sends a text once it is there.",
            ),
            leg.promised_on,
        )
    enough = tried_enough(now, f.tries)
    if not enough and (now.stage is Stage.ATTEMPTED or now.next_on):
        tried = leg.last(Step.ATTEMPTED)
        usual = _working_day_after(tried.event.at if tried else f.at)
        return Next(
            Words("Bưu tá đến lại.", "The carrier comes again."), now.next_on or usual
        )
    if enough:
        vi, en = name(f, f.office)
        return Next(
            Words(
                f"{thing.vi} sẽ chờ Ông/Bà tại quầy của {vi}.",
                f"{thing.en} will wait for you at the counter of {en}.",
            ).capital()
        )
    if now.stage is Stage.OUT_FOR_DELIVERY:
        out = leg.last(Step.OUT)
        day = out.event.at.astimezone(LOCAL).date() if out else leg.promised_on
        return Next(
            Words(
                f"Bưu tá giao {thing.vi} tận tay Ông/Bà.",
                f"The carrier puts {thing.en} into your hands.",
            ),
            day,
        )
    return Next(
        Words(
            f"Bưu điện mang {thing.vi} đến cho Ông/Bà, và nhắn tin trước khi phát.",
            f"The post brings you {thing.en}, and sends a text before it does.",
        ),
        leg.promised_on,
    )


def _at_the_counter(f: Followed, leg: Stretch) -> Next:
    held = leg.last(Step.HELD)
    vi, en = name(f, _office(f, leg.now.holder))
    until = held.event.at if held else f.at
    return Next(
        Words(
            f"Ông/Bà đến nhận tại quầy của {vi}.",
            f"You collect it at the counter of {en}.",
        ),
        leg.now.next_on or until.astimezone(LOCAL).date() + timedelta(days=f.hold_days),
        at_counter=True,
    )


def _office(f: Followed, holder: Party) -> Party:
    return holder if holder.kind is PartyKind.OFFICE else f.office


def late(f: Followed, coming: Next) -> Words:
    """Own up to a day that has passed; empty while it has not."""
    if not coming.late or coming.by is None:
        return NOTHING
    days, was = coming.late, written(coming.by)
    english_days = "one day" if days == 1 else f"{days} days"
    if coming.owed_by_agency:
        vi, en = whither(f, f.leg) if f.leg else name(f, f.agency)
        return Words(
            f"{vi} hẹn trả kết quả ngày {was.vi}, nay đã quá {days} ngày. "
            "Bưu điện chưa nhận được kết quả.",
            f"{en} promised the result for {was.en}, {english_days} ago. "
            "The post has not received it yet.",
        )
    if coming.at_counter:
        vi, en = name(f, f.leg.now.sender if f.leg else f.agency)
        return Words(
            f"Hạn nhận tại quầy đã hết ngày {was.vi}. Bưu gửi được trả về {vi}; "
            "hãy gọi cho bưu điện nếu Ông/Bà muốn nhận.",
            f"The time to collect it at the counter ended on {was.en}. It goes back to "
            f"{en}; please call the post if you want it.",
        )
    return Words(
        f"Bưu điện chậm {days} ngày so với đã hẹn ({was.vi}). "
        "Chúng tôi xin lỗi Ông/Bà.",
        f"The post is {english_days} later than promised ({was.en}). We are sorry.",
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """When something arrives, as far as those before it can tell."""

    what: Words
    between: Words
    learned: Words
    slow: Words = NOTHING


def arrival(f: Followed) -> Arrival | None:
    """Say when the item of now, or the result to come, will be where it goes."""
    leg, expected = f.leg, f.hoped
    what = Words("Dự kiến kết quả đến tay Ông/Bà", "The result is expected with you")
    if leg is not None and leg.waybill in f.expected:
        expected, to = f.expected[leg.waybill], whither(f, leg)
        what = Words(f"Dự kiến đến {to.vi}", f"Expected at {to.en}")
        if leg.homeward:
            what = Words("Dự kiến đến tay Ông/Bà", "Expected with you")
    if expected is None or not expected.learned:
        return None
    return Arrival(what, _between(f, expected), _learned(f, expected), _slow(expected))


def _between(f: Followed, expected: Expected) -> Words:
    first, last = called(expected.first, f.today), called(expected.last, f.today)
    if first == last:
        return first
    return first + Words(" ", " ") + UNTIL + Words(" ", " ") + last


def _learned(f: Followed, expected: Expected) -> Words:
    """Say how sure that is, and what it was learned from."""
    vi, en = _LIKE_IT[expected.scope]
    likely = called(expected.likely, f.today)
    alone = expected.first == expected.last
    said = Words(
        f"Cứ 10 bưu gửi {vi} gần đây thì 8 đến trong khoảng này",
        f"Of 10 recent items {en}, 8 came within this time",
    )
    if alone:
        return said + Words(".", ".")
    return said + Words(
        f"; nhiều khả năng nhất là {likely.vi}.", f"; the likeliest is {likely.en}."
    )


_LIKE_IT = {
    Scope.PAIR: Words("cùng tuyến", "between the same places"),
    Scope.DISTRICT: Words("cùng khu vực", "of the same area"),
    Scope.PROVINCE: Words("trong tỉnh", "of the province"),
}


def _slow(expected: Expected) -> Words:
    if not expected.slow:
        return NOTHING
    return Words(
        "Bưu gửi này đi chậm hơn thường lệ.", "This one takes longer than usual."
    )


_ID = Words("Căn cước (thẻ, hoặc trên VNeID).", "Your ID card, or VNeID on your phone.")


def todo(f: Followed) -> list[Words]:
    """List what the citizen should have ready now; empty: nothing to do."""
    leg = f.leg
    if leg is None:
        return []
    if leg.now.stage is Stage.BOOKED:
        return [_to_hand_over(leg), _ID]
    if leg.homeward and leg.now.stage not in ENDED:
        return _to_receive(f, leg)
    at_agency = leg.now.stage is Stage.RECEIVED and f.service == "send"
    if at_agency or leg.now.stage is Stage.RETURNED:
        return [
            Words(
                "Khi đến nhận: căn cước và giấy hẹn.",
                "To collect it: your ID and the appointment slip.",
            )
        ]
    return []


def _to_hand_over(leg: Stretch) -> Words:
    if leg.leg is Leg.DOSSIER:
        return Words(
            "Giấy tờ trong danh sách. Bưu tá đếm và niêm phong trước mặt Ông/Bà.",
            "The papers on the list. "
            "The carrier counts and seals them in front of you.",
        )
    return Words(
        "Giấy tờ mà cơ quan yêu cầu. Bưu tá đếm và niêm phong trước mặt Ông/Bà.",
        "The papers the agency asked for. "
        "The carrier counts and seals them in front of you.",
    )


def _to_receive(f: Followed, leg: Stretch) -> list[Words]:
    ready = [
        _ID,
        Words("Giấy hẹn trả kết quả, nếu có.", "The appointment slip, if you have it."),
        Words(
            "Mã nhận 6 số trong tin nhắn ngày phát. Chỉ đọc mã khi đã cầm phong bì.",
            "The 6-digit code in the text on the day of delivery. "
            "Say it only once you hold the envelope.",
        ),
    ]
    if f.takes_back_old and leg.leg is Leg.RESULT:
        ready.append(
            Words(
                "Giấy tờ cũ (bản chính), để bưu tá thu lại cho cơ quan.",
                "Your old paper (the original): "
                "the carrier takes it back for the agency.",
            )
        )
    if f.in_person:
        ready.append(
            Words(
                "Chính Ông/Bà phải nhận; không giao cho người khác.",
                "It is handed to you in person only.",
            )
        )
    elif f.wished.deputised:
        ready.append(
            Words(
                "Người được Ông/Bà cử nhận thay mang căn cước và đọc mã nhận.",
                "The person you named brings an ID card and says the code.",
            )
        )
    else:
        ready.append(
            Words(
                "Nhờ người khác nhận: người đó mang giấy ủy quyền và căn cước.",
                "If someone else receives it: your written authority and their ID.",
            )
        )
    return ready


def paying(f: Followed) -> Words:
    """Say what is to be paid, and when; empty once that is over."""
    leg = f.leg
    if leg is not None and leg.now.stage in ENDED - {Stage.RECEIVED}:
        return NOTHING
    if leg is None or not leg.homeward:
        return Words(
            "Số tiền phải trả khi nhận kết quả, nếu có, sẽ hiện ở đây.",
            "If anything is to be paid with the result, it will be shown here.",
        )
    if leg.fee:
        return Words(
            "Trả khi nhận; hãy lấy biên lai.",
            "Pay it when you receive it, and ask for a receipt.",
        )
    return Words(
        "Không phải trả gì khi nhận.", "There is nothing to pay when you receive it."
    )


def papers(f: Followed) -> tuple[Words, ...]:
    """List what travels: by name, or as a sum where the names would tell too much."""
    if f.procedure is not None:
        return tuple(
            Words(f"{each.name}: ", f"{each.name}: ")
            + counted(each.originals, each.copies)
            for each in f.papers
        )
    originals = sum(each.originals for each in f.papers)
    copies = sum(each.copies for each in f.papers)
    if not originals + copies:
        return ()
    return (counted(originals, copies).capital(),)
