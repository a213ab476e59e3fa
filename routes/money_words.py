"""What is said of money on pages: kinds of charges, ways to pay, states of cash.

Pairs, Vietnamese first. Knows no page.
"""

from postal_track.cash import HandInState
from postal_track.charges import ChargeKind, Due, Why

KINDS: dict[ChargeKind, tuple[str, str]] = {
    ChargeKind.POSTAGE: ("Cước bưu chính", "Postage"),
    ChargeKind.STATE_FEE: ("Phí, lệ phí của cơ quan", "The agency's fee"),
}

DUES: dict[Due, tuple[str, str]] = {
    Due.PICKUP: ("khi thu gom", "at pickup"),
    Due.DELIVERY: ("khi nhận kết quả", "on delivery"),
    Due.ONLINE: ("trên Cổng dịch vụ công", "on the public portal"),
}

WHYS: dict[Why, tuple[str, str]] = {
    Why.ORDER: ("theo yêu cầu gửi", "by the order"),
    Why.TARIFF: ("theo bảng cước", "by the tariff"),
    Why.RESULT: ("cơ quan báo cùng kết quả", "announced with the result"),
    Why.ASKED: ("cơ quan yêu cầu", "the agency asks for it"),
    Why.MISTAKE: ("ghi sai, sửa lại", "it was wrong"),
    Why.WAIVED: ("miễn thu", "waived"),
    Why.BROUGHT_OVER: ("chuyển từ trước", "brought over"),
}

METHODS: dict[str, tuple[str, str]] = {
    "transfer": ("Chuyển khoản", "Bank transfer"),
    "portal": ("Cổng dịch vụ công", "Public portal"),
    "cash": ("Tiền mặt cho bưu tá", "Cash to the carrier"),
    "cashier": ("Tại quầy", "At the counter"),
}

STATES: dict[HandInState, tuple[str, str]] = {
    HandInState.RELEASED: ("chờ đếm", "to be counted"),
    HandInState.EXPLAIN: ("lệch, chờ lý do", "differs, needs a reason"),
    HandInState.AGREE: ("chờ đồng ý", "waits for agreement"),
    HandInState.ENDED: ("đã xong", "ended"),
}

FINDINGS: dict[str, tuple[str, str]] = {
    "unknown": ("Chưa rõ của hồ sơ nào", "No dossier found"),
    "over": ("Thừa: không còn gì phải trả", "Too much: nothing more is owed"),
}

PROPOSED: dict[str, tuple[str, str]] = {
    "own": ("hồ sơ này còn phải trả", "this dossier still owes"),
    "reference": ("nội dung gần giống mã", "the text is nearly its reference"),
    "amount": ("còn nợ đúng số tiền này", "owes just this amount"),
}

WAYS: dict[str, tuple[str, str]] = {
    "transfer": ("Chuyển khoản trả lại", "Transferred back"),
    "cash": ("Trả tiền mặt", "Paid back in cash"),
    "not_ours": ("Không phải tiền của bưu điện", "It is none of ours"),
}
