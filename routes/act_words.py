"""What a citizen asks for, in words: on his page, and on the pages of staff."""

from collections.abc import Mapping

from postal_track.asks import Act, State, Way, Word
from postal_track.instructions import Instruction
from postal_track.slots import Half, Slot
from routes.language import day
from routes.words import Pair, choose

TITLES: Mapping[str, Pair] = {
    Act.BOOK: ("Đặt lịch gửi hồ sơ", "Book the post"),
    Act.CANCEL: ("Hủy thu gom", "Cancel the pickup"),
    Act.RESCHEDULE: ("Đổi ngày hẹn", "Change the day"),
    Act.REDIRECT: ("Phát đến địa chỉ khác", "Deliver to another address"),
    Act.HOLD: ("Tự nhận tại bưu cục", "Collect it at a post office"),
    Act.DEPUTY: ("Cử người nhận thay", "Let someone else receive it"),
    Act.DATA: ("Xem dữ liệu của tôi", "See my data"),
    Act.ERASURE: ("Yêu cầu xóa dữ liệu", "Ask for erasure"),
    Word.DISPUTE: ("Tôi chưa nhận được", "I did not receive this"),
    Word.CLAIM: ("Khiếu nại", "Make a claim"),
    Word.RATE: ("Đánh giá dịch vụ", "Rate the service"),
}

_OF_OTHERS: Mapping[str, Pair] = {
    Act.HOLD: ("Giữ tại quầy để tự nhận", "Hold at a counter"),
    Act.DATA: ("Xem dữ liệu cá nhân", "See their data"),
    Act.ERASURE: ("Xóa dữ liệu cá nhân", "Erase their data"),
}

ICONS: Mapping[str, str] = {
    Act.CANCEL: "cross",
    Act.RESCHEDULE: "calendar",
    Act.REDIRECT: "pin",
    Act.HOLD: "building",
    Act.DEPUTY: "person",
    Act.DATA: "search",
    Act.ERASURE: "cross",
    Word.DISPUTE: "alert",
    Word.CLAIM: "papers",
    Word.RATE: "check",
}

STATES: Mapping[State, Pair] = {
    State.ASKED: ("Chờ mã xác nhận", "Waits for its code"),
    State.CONFIRMED: ("Đã xác nhận", "Confirmed"),
    State.APPLIED: ("Đã thực hiện", "Done"),
    State.REFUSED: ("Không thực hiện", "Not done"),
    State.EXPIRED: ("Hết hạn", "Ran out"),
}

IN_PERSON: Pair = (
    "Chỉ giao tận tay người nhận: thủ tục này không cho người khác nhận thay.",
    "Hand it to the addressee in person only: this procedure lets nobody else have it.",
)

_HALVES: Mapping[Half, Pair] = {
    Half.MORNING: ("buổi sáng", "in the morning"),
    Half.AFTERNOON: ("buổi chiều", "in the afternoon"),
}


def title(act: str, lang: str) -> str:
    """Name what is asked for."""
    return choose(TITLES[act], lang)


def asked(act: str, lang: str) -> str:
    """Name the same for staff, who speak of somebody else's data."""
    return choose(_OF_OTHERS.get(act, TITLES[act]), lang)


def icon(act: str) -> str:
    """Name its icon."""
    return ICONS[act]


def state(state: State, lang: str) -> str:
    """Say what became of a request."""
    return choose(STATES[state], lang)


def slot(slot: Slot, lang: str) -> str:
    """Say a day, and which half of it."""
    half = f" {choose(_HALVES[slot.half], lang)}" if slot.half else ""
    return f"{day(slot.day, lang)}{half}"


def badges(wanted: Instruction, way: Way, office: str, lang: str) -> list[str]:
    """Say what is wanted in short, without a name or an address: for a list."""
    told: list[Pair] = []
    if wanted.slot is not None:
        when = slot(wanted.slot, lang)
        told.append(
            (f"hẹn lấy {when}", f"pick up {when}")
            if way is Way.PICKUP
            else (f"hẹn phát {when}", f"deliver {when}")
        )
    if wanted.hold_at is not None:
        told.append((f"giữ tại {office}", f"hold at {office}"))
    if wanted.address:
        told.append(("đổi địa chỉ phát", "other address"))
    if wanted.deputy_name:
        told.append(("người khác nhận thay", "someone else receives"))
    return [choose(pair, lang) for pair in told]


def instructions(wanted: Instruction, way: Way, office: str, lang: str) -> list[str]:
    """Say all that is wanted, in sentences, for whoever goes there. Personal."""
    told: list[Pair] = []
    if wanted.slot is not None:
        when = slot(wanted.slot, lang)
        told.append(
            (f"Người dân hẹn lấy {when}.", f"The citizen wants the pickup {when}.")
            if way is Way.PICKUP
            else (f"Người dân hẹn phát {when}.", f"The citizen wants it {when}.")
        )
    if wanted.hold_at is not None:
        told.append(
            (
                f"Người dân tự đến nhận: giữ tại quầy {office}, không mang đi phát.",
                f"The citizen fetches it: hold it at the counter of {office}.",
            )
        )
    if wanted.address:
        told.append((f"Phát tại: {wanted.address}", f"Deliver to: {wanted.address}"))
    if wanted.deputy_name:
        number = wanted.deputy_phone.replace("+84", "0", 1)
        told.append(
            (
                f"Người được ủy quyền nhận: {wanted.deputy_name}, {number}.",
                f"Authorised to receive it: {wanted.deputy_name}, {number}.",
            )
        )
    return [choose(pair, lang) for pair in told]
