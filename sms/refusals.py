"""What a provider's error code means for us: the one table.

For each code: whose matter it is, whether the number is marked so that nothing more is
sent to it, and the sentence a clerk reads. Codes of five digits are Twilio's error
dictionary; the named ones are ours, for providers without a table of their own and for
what we find ourselves. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Matter(StrEnum):
    """Whose matter a refusal is, and so what follows from it."""

    NUMBER = "number"  # this number gets no texts; the number is marked
    WISH = "wish"  # the citizen opted out at the provider
    PHONE = "phone"  # the phone was not reached this time; a clerk calls
    TEXT = "text"  # this gateway does not carry this text; another may
    LINE = "line"  # our account or the line to the gateway; no text is to blame
    OURS = "ours"  # found here, before any gateway was asked


@dataclass(frozen=True)
class Refusal:
    """One line of the table."""

    matter: Matter
    vi: str
    en: str


_BAD_NUMBER = Refusal(
    Matter.NUMBER,
    "Số điện thoại không đúng. Hãy hỏi lại người dân số khác.",
    "The number is wrong. Ask the citizen for another one.",
)
_NOT_MOBILE = Refusal(
    Matter.NUMBER,
    "Số này không nhận được tin nhắn (máy bàn hoặc đầu số dịch vụ). Hãy gọi điện.",
    "This number takes no texts (a landline or a service number). Call it instead.",
)
_DEAD_NUMBER = Refusal(
    Matter.NUMBER,
    "Số này không còn hoạt động. Hãy hỏi lại người dân số khác.",
    "This number is no longer in use. Ask the citizen for another one.",
)
_UNREACHED = Refusal(
    Matter.PHONE,
    "Điện thoại tắt máy hoặc ngoài vùng phủ sóng. Hãy gọi lại sau.",
    "The phone was off or out of reach. Call later.",
)
_LOST = Refusal(
    Matter.PHONE,
    "Nhà mạng không chuyển được tin nhắn. Hãy gọi điện.",
    "The network could not deliver the text. Call the citizen.",
)
_BLOCKED = Refusal(
    Matter.TEXT,
    "Nhà mạng chặn tin nhắn này. Hãy gọi điện và báo quản trị viên.",
    "The network blocked this text. Call the citizen and tell the administrator.",
)
_TEXT = Refusal(
    Matter.TEXT,
    "Cổng tin nhắn không nhận nội dung này. Hãy báo quản trị viên.",
    "The gateway does not take this wording. Tell the administrator.",
)
_ROUTE = Refusal(
    Matter.TEXT,
    "Cổng tin nhắn không gửi được đến mạng của số này. Hãy gọi điện.",
    "The gateway has no way to this number's network. Call the citizen.",
)
_ACCOUNT = Refusal(
    Matter.LINE,
    "Tài khoản tin nhắn bị từ chối. Quản trị viên cần kiểm tra cấu hình.",
    "The account at the gateway was refused. The administrator must check it.",
)
_BUSY = Refusal(
    Matter.LINE,
    "Cổng tin nhắn quá tải; tin sẽ được gửi sau.",
    "The gateway is overloaded; the text will be sent later.",
)

REFUSALS: Mapping[str, Refusal] = MappingProxyType(
    {
        # When a text is handed over.
        "20003": _ACCOUNT,  # authentication failed
        "20005": _ACCOUNT,  # account not active
        "20404": _ACCOUNT,  # no such account
        "20429": _BUSY,  # too many requests
        "21211": _BAD_NUMBER,  # invalid 'To'
        "21214": _BAD_NUMBER,  # 'To' cannot be reached
        "21217": _BAD_NUMBER,  # does not appear to be valid
        "21265": _NOT_MOBILE,  # 'To' is a short code
        "21266": _BAD_NUMBER,  # 'To' and 'From' are the same
        "21268": _NOT_MOBILE,  # premium rate or information service
        "21408": _ROUTE,  # region not enabled
        "21606": _ACCOUNT,  # 'From' cannot send
        "21608": _ACCOUNT,  # trial account, number not verified
        "21610": Refusal(
            Matter.WISH,
            "Người dân đã từ chối nhận tin nhắn. Hãy gọi điện nếu cần.",
            "The citizen has opted out of texts. Call if it must be.",
        ),
        "21611": _BUSY,  # the sender's queue is full
        "21612": _ROUTE,  # 'To' and 'From' cannot be connected
        "21614": _NOT_MOBILE,  # not a mobile number
        "21617": _TEXT,  # longer than 1,600 characters
        "21635": _NOT_MOBILE,  # a landline
        # When it was carried on.
        "30001": _LOST,  # queue overflow
        "30002": _ACCOUNT,  # account suspended
        "30003": _UNREACHED,
        "30004": Refusal(
            Matter.PHONE,
            "Số này chặn tin nhắn của chúng ta. Hãy gọi điện.",
            "This number blocks our texts. Call the citizen.",
        ),
        "30005": _DEAD_NUMBER,  # unknown destination
        "30006": _NOT_MOBILE,  # landline or unreachable carrier
        "30007": _BLOCKED,  # filtered
        "30008": _LOST,  # unknown error
        "30036": Refusal(
            Matter.PHONE,
            "Tin nhắn không đến kịp trước khi hết hạn. Hãy gọi điện nếu cần.",
            "The text did not arrive before it ran out. Call if it must be.",
        ),
        # Ours.
        "bad_number": _BAD_NUMBER,
        "not_mobile": _NOT_MOBILE,
        "dead_number": _DEAD_NUMBER,
        "unreached": _UNREACHED,
        "lost": _LOST,
        "blocked": _BLOCKED,
        "text": _TEXT,
        "route": _ROUTE,
        "account": _ACCOUNT,
        "busy": _BUSY,
        "no_template": Refusal(
            Matter.TEXT,
            "Mẫu tin này chưa đăng ký với nhà mạng. Hãy báo quản trị viên.",
            "This wording is not registered with the network. Tell the administrator.",
        ),
        "expired": Refusal(
            Matter.OURS,
            "Tin nhắn không còn đúng nên không được gửi.",
            "The text was no longer true and was not sent.",
        ),
        "opted_out": Refusal(
            Matter.OURS,
            "Người dân đã yêu cầu không nhận tin nhắn.",
            "The citizen has asked for no texts.",
        ),
        "withdrawn": Refusal(
            Matter.OURS,
            "Tin nhắn được rút lại vì sự việc đã thay đổi.",
            "The text was withdrawn: things have changed.",
        ),
        "gave_up": Refusal(
            Matter.OURS,
            "Không gửi được trong thời hạn cho phép. Hãy gọi điện.",
            "It could not be sent in the time allowed. Call the citizen.",
        ),
        "not_known": Refusal(
            Matter.OURS,
            "Không rõ tin nhắn đã được gửi hay chưa. Hãy gọi điện để chắc chắn.",
            "It is not known whether the text was sent. Call to be sure.",
        ),
    }
)

_UNKNOWN = Refusal(
    Matter.TEXT,
    "Cổng tin nhắn từ chối tin này. Hãy gọi điện.",
    "The gateway refused this text. Call the citizen.",
)


def refusal(code: str) -> Refusal:
    """Return what a code means; one that is not in the table concerns the text."""
    return REFUSALS.get(code, _UNKNOWN)


def sentence(code: str, language: str = "vi") -> str:
    """Say a code to a clerk; no code, no sentence."""
    if not code:
        return ""
    meant = refusal(code)
    return meant.vi if language == "vi" else meant.en
