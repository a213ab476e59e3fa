"""What may go wrong with a text, and the sentence for it.

`GatewayError` is what every gateway raises, and nothing else; the others are said to
the person who asked for something that cannot be.
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """A gateway did not take a text, or nobody knows whether it did.

    `permanent`: trying the same again is of no use.
    `code`: the provider's own, as `sms.refusals` lists them; empty when it gave none.
    `retry_after`: seconds that the provider asked us to wait.
    `maybe_accepted`: the text may be on its way all the same; ask before it is sent
    again.
    """

    def __init__(
        self,
        sentence: str,
        *,
        permanent: bool = False,
        code: str = "",
        retry_after: float | None = None,
        maybe_accepted: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.permanent = permanent
        self.code = code
        self.retry_after = retry_after
        self.maybe_accepted = maybe_accepted


class SmsError(Exception):
    """The root of what is refused to a person."""

    detail: ClassVar[str] = "This cannot be done with a text."
    detail_vi: ClassVar[str] = "Không thể làm việc này với tin nhắn."

    def sentence(self, language: str = "vi") -> str:
        """Say it to a person, in his language."""
        return self.detail_vi if language == "vi" else self.detail

    def __str__(self) -> str:
        return self.detail


class UnknownMessage(SmsError):
    """There is no such text, or no such call to make."""

    detail = "There is no such text."
    detail_vi = "Không có tin nhắn này."


class ReasonMissing(SmsError):
    """Whoever sends a text again says why."""

    detail = "Say why the text is sent again."
    detail_vi = "Hãy ghi lý do gửi lại tin nhắn."


class StillUnderWay(SmsError):
    """The text is not done yet: sent again, it might arrive twice."""

    detail = "This text is still being sent; wait until it is known what became of it."
    detail_vi = "Tin nhắn này đang được gửi; hãy chờ đến khi biết kết quả."


class NoLongerTrue(SmsError):
    """What the text says does not hold any more."""

    detail = "This text is no longer true and is not sent again."
    detail_vi = "Nội dung tin nhắn này không còn đúng nên không được gửi lại."


class NumberOptedOut(SmsError):
    """The citizen wants no texts on this number."""

    detail = "The citizen has asked for no texts on this number."
    detail_vi = "Người dân đã yêu cầu không nhận tin nhắn ở số này."
