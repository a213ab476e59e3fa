"""Every way the service says no, in one tree; the class says the sentence.

Each error knows its sentence in English and in Vietnamese and the facts that belong in
it. Does not know of HTTP: which number an error answers with is for `routes` to say.
No sentence repeats a phone number, an address or a code: sentences end up in logs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

Language = Literal["vi", "en"]

# What a scanner or a person gave us is quoted in a sentence; a page of it is not.
QUOTED = 60


def quoted(text: str) -> str:
    """Text from outside as a sentence can hold it: one line, printable, not long."""
    shown = "".join(each if each.isprintable() else " " for each in text).strip()
    return shown if len(shown) <= QUOTED else shown[: QUOTED - 1] + "…"


@dataclass(eq=False)
class PostalTrackError(Exception):
    """The root: whatever the service refuses, and why.

    A subclass gives `detail` and `detail_vi`; the names in braces are its fields.
    """

    detail: ClassVar[str] = "Something went wrong."
    detail_vi: ClassVar[str] = "Có lỗi xảy ra."

    def sentence(self, language: Language = "vi") -> str:
        """Say it to a person, in his language."""
        template = self.detail_vi if language == "vi" else self.detail
        return template.format(**self._facts())

    def _facts(self) -> dict[str, Any]:
        facts = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: quoted(fact) if isinstance(fact, str) else fact
            for name, fact in facts.items()
        }

    def __str__(self) -> str:
        return self.sentence("en")

    def __reduce__(self) -> tuple[type[PostalTrackError], tuple[Any, ...]]:
        # Exception would rebuild itself from `args`, which keywords leave empty; job
        # results travel pickled.
        return type(self), tuple(getattr(self, each.name) for each in fields(self))


# Codes and labels


@dataclass(eq=False)
class BadWaybill(PostalTrackError, ValueError):
    """The text is not one of our waybills."""

    detail = "“{text}” is not a waybill."
    detail_vi = "“{text}” không phải là mã vận đơn."

    text: str


@dataclass(eq=False)
class WaybillLength(BadWaybill):
    """The text has more or fewer characters than a waybill."""

    detail = (
        "“{text}” is not a waybill: it has {found} characters, a waybill has 13, "
        "such as DH 1234 5678 5 VN."
    )
    detail_vi = (
        "“{text}” không phải là mã vận đơn: có {found} ký tự, mã vận đơn có 13 ký tự, "
        "ví dụ DH 1234 5678 5 VN."
    )

    found: int


@dataclass(eq=False)
class WaybillLetters(BadWaybill):
    """Letters and digits do not stand where they stand in a waybill."""

    detail = (
        "“{text}” is not one of our waybills: they start with DH, "
        "then have nine digits, and end with VN."
    )
    detail_vi = (
        "“{text}” không phải là mã vận đơn của dịch vụ: mã bắt đầu bằng DH, "
        "tiếp theo là chín chữ số và kết thúc bằng VN."
    )


@dataclass(eq=False)
class WaybillCheckDigit(BadWaybill):
    """A digit was mistyped or misread."""

    detail = (
        "“{text}” has a wrong digit: with this number the check digit would be "
        "{expected}, not {found}. Compare it with the label."
    )
    detail_vi = (
        "“{text}” có chữ số sai: với số này chữ số kiểm tra phải là {expected}, "
        "không phải {found}. Hãy so lại với nhãn."
    )

    expected: str
    found: str


@dataclass(eq=False)
class UnknownWaybill(PostalTrackError):
    """A well-formed waybill that was never given out."""

    detail = "No item has the waybill {waybill}."
    detail_vi = "Không có bưu gửi nào mang mã vận đơn {waybill}."

    waybill: str


@dataclass(eq=False)
class UnknownBag(PostalTrackError):
    """No bag has this number, or none that the asker may know of."""

    detail = "No bag has the number {number}."
    detail_vi = "Không có túi nào mang số {number}."

    number: str


@dataclass(eq=False)
class UnboundLabel(PostalTrackError):
    """A label of a pool that was not yet put on an item."""

    detail = "The label {waybill} is on no dossier yet: bind it to a booking at pickup."
    detail_vi = (
        "Nhãn {waybill} chưa gắn với hồ sơ nào: hãy gắn với yêu cầu khi thu gom."
    )

    waybill: str


@dataclass(eq=False)
class ForgedLabel(PostalTrackError):
    """The label's TAG is not ours: someone made it up, or it belongs elsewhere."""

    detail = (
        "The label of {waybill} was not printed by us. "
        "Keep the item and tell your supervisor."
    )
    detail_vi = (
        "Nhãn của {waybill} không do hệ thống in ra. "
        "Hãy giữ bưu gửi lại và báo cho người giám sát."
    )

    waybill: str


@dataclass(eq=False)
class ForeignCode(PostalTrackError):
    """Something was scanned that is not ours."""

    detail = "“{text}” is not a code of this service. Scan the label with DH … VN."
    detail_vi = (
        "“{text}” không phải là mã của dịch vụ này. Hãy quét nhãn có mã DH … VN."
    )

    text: str


@dataclass(eq=False)
class OtherPostsItem(ForeignCode):
    """A sound S10 identifier, but of another service or another country."""

    detail = "{text} is an item of another postal service ({issuer}), not a dossier."
    detail_vi = (
        "{text} là bưu gửi của dịch vụ bưu chính khác ({issuer}), không phải hồ sơ."
    )

    issuer: str


@dataclass(eq=False)
class MarkedCode(ForeignCode):
    """A desk scanner typed into a computer that was writing Vietnamese marks."""

    detail = (
        "The scanner typed Vietnamese marks into “{text}”: "
        "switch the Vietnamese keyboard off and scan again."
    )
    detail_vi = (
        "Bộ gõ tiếng Việt đã làm sai mã “{text}”: "
        "hãy tắt bộ gõ tiếng Việt rồi quét lại."
    )


@dataclass(eq=False)
class FontMissing(PostalTrackError):
    """Labels need a font with Vietnamese marks, which comes with the npm packages."""

    detail = "The font {path} is missing, so no label can be drawn: run `npm ci`."
    detail_vi = "Thiếu phông chữ {path} nên không vẽ được nhãn: hãy chạy `npm ci`."

    path: str


# What people write


@dataclass(eq=False)
class BadPhone(PostalTrackError, ValueError):
    """No Vietnamese subscriber can have this number."""

    detail = "This is not a Vietnamese phone number, such as 0912 345 678."
    detail_vi = "Đây không phải là số điện thoại Việt Nam, ví dụ 0912 345 678."


@dataclass(eq=False)
class PhoneWithLetters(BadPhone):
    """The number has letters or signs in it."""

    detail = "A phone number has digits only, such as 0912 345 678."
    detail_vi = "Số điện thoại chỉ gồm chữ số, ví dụ 0912 345 678."


@dataclass(eq=False)
class ForeignPhone(BadPhone):
    """A number of another country."""

    detail = "This is a number of another country (+{country}): give a Vietnamese one."
    detail_vi = "Đây là số của nước khác (+{country}): hãy nhập số điện thoại Việt Nam."

    country: int


@dataclass(eq=False)
class BadAddress(PostalTrackError, ValueError):
    """The address names no ward of the province, or several."""

    detail = (
        "The ward or commune of the address was not found in An Giang: "
        "choose it from the list."
    )
    detail_vi = (
        "Không tìm thấy phường, xã, đặc khu của địa chỉ trong tỉnh An Giang: "
        "hãy chọn trong danh sách."
    )


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field of a form, in both languages."""

    field: str
    detail: str
    detail_vi: str

    @classmethod
    def of(cls, field: str, error: PostalTrackError) -> Problem:
        """Make an error about one value the problem of the field it came in."""
        return cls(field, error.sentence("en"), error.sentence("vi"))


@dataclass(eq=False)
class BadInput(PostalTrackError, ValueError):
    """A form with one or more fields that cannot be used, all named at once."""

    problems: tuple[Problem, ...]

    def sentence(self, language: Language = "vi") -> str:
        """Say all that is wrong, so that nobody corrects a form field by field."""
        if language == "vi":
            return " ".join(f"{each.field}: {each.detail_vi}" for each in self.problems)
        return " ".join(f"{each.field}: {each.detail}" for each in self.problems)


# The citizen's one-time code


@dataclass(eq=False)
class BadCode(PostalTrackError):
    """The one-time code is not the one we sent."""

    detail = "The code is wrong. Tries left: {left}."
    detail_vi = "Mã không đúng. Còn {left} lần thử."

    left: int


@dataclass(eq=False)
class CodeLocked(PostalTrackError):
    """The code was wrong too often; a new one, or a signature, is needed."""

    detail = (
        "The code was wrong too often and is locked. "
        "Deliver on signature or ask your supervisor."
    )
    detail_vi = (
        "Nhập sai mã quá nhiều lần nên mã đã bị khóa. "
        "Hãy phát bằng chữ ký hoặc hỏi người giám sát."
    )


@dataclass(eq=False)
class CodeSpent(PostalTrackError):
    """A code to the phone was wrong too often, or its time is over."""

    detail = "This code is no longer valid: ask for a new one."
    detail_vi = "Mã này không còn dùng được: hãy xin mã mới."


@dataclass(eq=False)
class RequestOver(PostalTrackError):
    """What was asked was never confirmed, or was answered; it can be asked anew."""

    detail = "This request is over. Nothing was changed: please ask again."
    detail_vi = "Yêu cầu này đã hết hạn. Chưa có gì thay đổi: hãy gửi lại yêu cầu."


# Who may


@dataclass(eq=False)
class NotLoggedIn(PostalTrackError):
    """Nobody is logged in."""

    detail = "Log in first."
    detail_vi = "Hãy đăng nhập trước."


@dataclass(eq=False)
class SessionExpired(NotLoggedIn):
    """The login ended, perhaps in the middle of a form."""

    detail = "Your login has ended. Log in again: what you entered is kept."
    detail_vi = (
        "Phiên đăng nhập đã hết hạn. Hãy đăng nhập lại: nội dung đã nhập vẫn được giữ."
    )


@dataclass(eq=False)
class DeviceSignedOut(NotLoggedIn):
    """The phone was signed out: it has to wipe itself, and wait to be let in."""

    detail = (
        "This phone was signed out. A supervisor can let it in again; scans that wait "
        "on it are kept until then."
    )
    detail_vi = (
        "Máy này đã bị đăng xuất từ xa. Kiểm soát viên có thể cho máy vào lại; các lần "
        "quét chưa gửi vẫn được giữ trên máy đến lúc đó."
    )


@dataclass(eq=False)
class AnotherLogin(PostalTrackError):
    """What one person did on a phone is not sent under the login of another."""

    detail = "This was done by {login}, who must log in to send it."
    detail_vi = "Việc này do {login} làm, {login} phải đăng nhập mới gửi được."

    login: str


@dataclass(eq=False)
class LoginThrottled(PostalTrackError):
    """Too many failed logins in a row."""

    detail = "Too many failed logins. Try again in {seconds} seconds."
    detail_vi = "Đăng nhập sai quá nhiều lần. Hãy thử lại sau {seconds} giây."

    seconds: int


@dataclass(eq=False)
class NotAllowed(PostalTrackError):
    """The role does not reach this far."""

    detail = "Your role does not allow this."
    detail_vi = "Vai trò của bạn không được phép làm việc này."


@dataclass(eq=False)
class NotYourPlace(NotAllowed):
    """The role would do, but for another office or agency."""

    detail = "You do not act for this office or agency."
    detail_vi = "Bạn không được phân công ở bưu cục hoặc cơ quan này."


@dataclass(eq=False)
class TooOften(PostalTrackError):
    """Someone without a login asks more often than people do."""

    detail = (
        "Too many requests came from your connection. Try again in {minutes} minutes, "
        "or go to the nearest post office."
    )
    detail_vi = (
        "Có quá nhiều yêu cầu từ kết nối của bạn. Hãy thử lại sau {minutes} phút "
        "hoặc đến bưu cục gần nhất."
    )

    minutes: int

    @property
    def seconds(self) -> int:
        """Say the same for programs."""
        return self.minutes * 60


@dataclass(eq=False)
class TooManyGuesses(TooOften):
    """The digits of the phone were wrong too often for one waybill."""

    detail = (
        "The digits were wrong too often for this waybill. Open the link in your text "
        "message, or try again in {minutes} minutes."
    )
    detail_vi = (
        "Đã nhập sai quá nhiều lần cho mã vận đơn này. "
        "Hãy mở đường dẫn trong tin nhắn, hoặc thử lại sau {minutes} phút."
    )


@dataclass(eq=False)
class LookupClosed(TooOften):
    """So many wrong tries over so long are no mistake; other ways stay open."""

    detail = (
        "This waybill was tried with wrong digits again and again, so it can no longer "
        "be looked up here. Open the link in your text message, or call the post."
    )
    detail_vi = (
        "Mã vận đơn này đã bị nhập sai số nhiều lần nên không tra cứu ở đây được nữa. "
        "Hãy mở đường dẫn trong tin nhắn, hoặc gọi cho bưu điện."
    )


# Scans


@dataclass(eq=False)
class BadScan(PostalTrackError, ValueError):
    """One scan cannot be read; the others in its list are not concerned."""

    detail = "The scan cannot be read: {why}."
    detail_vi = "Không đọc được lượt quét: {why_vi}."

    why: str
    why_vi: str


@dataclass(eq=False)
class TooManyScans(PostalTrackError):
    """The list is longer than one call takes; nothing of it was written."""

    detail = "The list has {found} scans; send at most {limit} at a time."
    detail_vi = "Danh sách có {found} lượt quét; mỗi lần gửi tối đa {limit}."

    found: int
    limit: int


# The rest


@dataclass(eq=False)
class NotFound(PostalTrackError):
    """Nothing is there, or nothing that the asker may know of: the same answer."""

    detail = "There is nothing here."
    detail_vi = "Không tìm thấy nội dung này."


@dataclass(eq=False)
class NoMatch(NotFound):
    """No such waybill, or not these digits: whoever guesses learns no more."""

    detail = (
        "No dossier was found. Compare the waybill with your receipt, and the digits "
        "with the phone number you gave."
    )
    detail_vi = (
        "Không tìm thấy hồ sơ. Hãy so lại mã vận đơn với biên nhận, "
        "và 4 số cuối với số điện thoại đã đăng ký."
    )


@dataclass(eq=False)
class Conflict(PostalTrackError):
    """What was asked no longer fits what is; look again and repeat."""

    detail = "This was changed in the meantime: {why}."
    detail_vi = "Dữ liệu đã thay đổi: {why_vi}."

    why: str
    why_vi: str


@dataclass(eq=False)
class OrderUsed(PostalTrackError):
    """An order's id was spent on another dossier; the token is that one's."""

    detail = (
        "This order was registered already, with other contents. Nothing was changed: "
        "send it as a new order, or leave it."
    )
    detail_vi = (
        "Yêu cầu này đã được đăng ký trước đó với nội dung khác. Chưa có gì thay đổi: "
        "hãy gửi lại như một yêu cầu mới, hoặc bỏ qua."
    )

    token: str


# The ledger's proofs


@dataclass(eq=False)
class LedgerBroken(PostalTrackError):
    """The ledger contradicts what was sealed; nothing more is sealed or proven of it.

    ``where`` names the item and line, or the checkpoint.
    """

    detail = (
        "The ledger is not as it was sealed ({where}). Tell the administrator: "
        "`postal-track verify` says more."
    )
    detail_vi = (
        "Sổ giao nhận không khớp với lần chốt sổ trước ({where}). "
        "Hãy báo quản trị: lệnh `postal-track verify` cho biết chi tiết."
    )

    where: str


@dataclass(eq=False)
class SealKeyChanged(PostalTrackError):
    """The newest checkpoint was signed by a key that this server does not know."""

    detail = (
        "The last checkpoint was signed with the key {theirs}. Set SEAL_KEY to its "
        "secret half, or name it in SEAL_OLD_KEYS when the key was changed on purpose."
    )
    detail_vi = (
        "Lần chốt sổ trước được ký bằng khóa {theirs}. Hãy đặt SEAL_KEY là nửa bí mật "
        "của khóa đó, hoặc ghi khóa vào SEAL_OLD_KEYS nếu đã chủ động thay khóa."
    )

    theirs: str


@dataclass(eq=False)
class BadEvidence(PostalTrackError, ValueError):
    """A file that was to be held against the ledger proves nothing itself."""

    detail = "{file} is no proof: {why}."
    detail_vi = "{file} không phải là bằng chứng: {why}."

    file: str
    why: str
