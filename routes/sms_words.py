"""What a text's statuses, attempts and templates are called on a page, in both tongues.

Knows no request: who asks brings the language.
"""

from collections.abc import Mapping

from routes.words import Pair, choose
from sms.status import Status

STATUSES: Mapping[Status, Pair] = {
    Status.QUEUED: ("Chờ gửi", "Queued"),
    Status.SENDING: ("Đang gửi", "Sending"),
    Status.SENT: ("Đã gửi, chờ báo nhận", "Sent, not yet confirmed"),
    Status.DELIVERED: ("Đã đến máy", "Delivered"),
    Status.UNDELIVERED: ("Không đến được máy", "Not delivered"),
    Status.FAILED: ("Gửi thất bại", "Failed"),
    Status.EXPIRED: ("Quá hạn, không gửi", "Expired, not sent"),
    Status.SUPPRESSED: ("Không gửi", "Withheld"),
}

LOOKS: Mapping[Status, str] = {
    Status.DELIVERED: "good",
    Status.UNDELIVERED: "wrong",
    Status.FAILED: "wrong",
    Status.EXPIRED: "remark",
    Status.SUPPRESSED: "remark",
}
"""The badge of a status; the others have a plain one."""

TEMPLATES: Mapping[str, Pair] = {
    "S01_booked": ("Đã đặt lịch thu gom", "Pickup booked"),
    "S02_picked": ("Đã thu gom", "Collected"),
    "S03_agency": ("Cơ quan đã nhận", "Received by the agency"),
    "S04_refused": ("Cơ quan chưa tiếp nhận", "Refused by the agency"),
    "S05_supplement": ("Cần bổ sung giấy tờ", "More papers needed"),
    "S06_result_ready": ("Đã có kết quả", "Result ready"),
    "S07_out": ("Đi phát, kèm mã nhận", "Out for delivery, with code"),
    "S08_delivered": ("Đã phát", "Delivered"),
    "S09_failed": ("Phát chưa thành công", "Delivery attempted"),
    "S10_hold": ("Lưu tại bưu cục", "Held at the counter"),
    "S11_returned": ("Đã trả về cơ quan", "Returned to the agency"),
    "S12_late": ("Báo chậm", "Late"),
    "S13_incident": ("Báo sự cố", "Incident"),
    "S14_paid": ("Đã thu tiền", "Paid"),
    "S15_code": ("Mã xác nhận yêu cầu", "Code for a request"),
    "S16_noted": ("Đã ghi yêu cầu", "Request noted"),
}

OUTCOMES: Mapping[str, Pair] = {
    "sending": ("đang chuyển cho cổng SMS", "being handed to the gateway"),
    "accepted": ("cổng SMS đã nhận", "taken by the gateway"),
    "refused": ("cổng SMS từ chối", "refused by the gateway"),
    "unsure": ("không rõ cổng SMS đã nhận chưa", "not known whether it was taken"),
    "not_taken": ("cổng SMS chưa nhận, sẽ gửi lại", "not taken, will be tried again"),
    "abandoned": ("dừng giữa chừng", "abandoned"),
}


def status(status: Status, lang: str) -> str:
    """Say what has become of a text."""
    return choose(STATUSES[status], lang)


def template(name: str, lang: str) -> str:
    """Say what a text is about; a name we do not know is shown as it is."""
    return choose(TEMPLATES.get(name, (name, name)), lang)


def outcome(what: str, lang: str) -> str:
    """Say what came of an attempt; a provider's own word is shown as it is."""
    return choose(OUTCOMES.get(what, (what, what)), lang)
