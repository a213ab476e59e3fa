"""What endings, sides and claims are called on a page. As in ``words``."""

from collections.abc import Mapping

from postal_track.complaints import Claimed, State
from postal_track.irregularities import Ending, Side
from routes.words import Pair, choose

ENDINGS: Mapping[Ending, Pair] = {
    Ending.FOUND: ("Tìm thấy, đầy đủ", "Found in order"),
    Ending.CORRECTED: ("Đã sửa cho đúng", "Put right"),
    Ending.NEW_SEAL: ("Đã niêm phong lại", "Sealed again"),
    Ending.REFORWARDED: ("Đã chuyển tiếp đúng hướng", "Sent on to where it belongs"),
    Ending.COMPENSATED: ("Đã bồi thường", "Compensated"),
    Ending.LOST: ("Thất lạc", "Lost"),
    Ending.UNFOUNDED: ("Không có gì bất thường", "Nothing was wrong"),
    Ending.OTHER: ("Khác (ghi rõ)", "Other (say how)"),
}

SIDES: Mapping[Side, Pair] = {
    Side.GIVER: ("Bên giao", "The giver"),
    Side.RECEIVER: ("Bên nhận", "The receiver"),
    Side.OTHER: ("Người khác", "Another"),
}

CLAIMED: Mapping[Claimed, Pair] = {
    Claimed.LOSS: ("Mất", "Loss"),
    Claimed.DELAY: ("Chậm", "Delay"),
    Claimed.DAMAGE: ("Hư hỏng", "Damage"),
}

STATES: Mapping[State, Pair] = {
    State.OPENED: ("Chờ quyết định", "To be decided"),
    State.ACCEPTED: ("Chấp nhận, chờ chi trả", "Accepted, to be paid"),
    State.REJECTED: ("Không chấp nhận", "Rejected"),
    State.SETTLED: ("Đã chi trả", "Settled"),
}


def ending(ending: Ending, lang: str) -> str:
    """Say how an irregularity ended."""
    return choose(ENDINGS[ending], lang)


def side(side: Side, lang: str) -> str:
    """Say for which side someone speaks."""
    return choose(SIDES[side], lang)


def claimed(kind: Claimed, lang: str) -> str:
    """Say what a claim is for."""
    return choose(CLAIMED[kind], lang)


def state(state: State, lang: str) -> str:
    """Say what became of a claim."""
    return choose(STATES[state], lang)
