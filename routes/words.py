"""What the trade's vocabulary is called on a page, in Vietnamese and in English.

One table per enum, each pair as a reader sees it. Knows no request: who asks brings
the language. A member without words is a fault that a test finds, not a case to guess.
"""

from collections.abc import Mapping

from postal_track.custody import Kind, Leg, PartyKind, Reason, Role, Stage, Step

Pair = tuple[str, str]

STAGES: Mapping[Stage, Pair] = {
    Stage.UNBORN: ("Chưa có gì", "Nothing yet"),
    Stage.BOOKED: ("Đã đặt lịch thu gom", "Pickup booked"),
    Stage.READY: ("Kết quả chờ bưu điện", "Result waiting for the post"),
    Stage.COLLECTED: ("Bưu tá đã thu gom", "Collected"),
    Stage.AT_OFFICE: ("Tại bưu cục", "At a post office"),
    Stage.IN_TRANSIT: ("Đang vận chuyển", "On the way"),
    Stage.OUT_FOR_DELIVERY: ("Đang đi phát", "Out for delivery"),
    Stage.ATTEMPTED: ("Phát chưa thành công", "Delivery attempted"),
    Stage.MISROUTED: ("Lạc hướng", "Misrouted"),
    Stage.HELD: ("Giữ tại quầy chờ người nhận", "Held at the counter"),
    Stage.MISSING: ("Đang tìm kiếm", "Being searched for"),
    Stage.RECEIVED: ("Cơ quan đã nhận", "Received by the agency"),
    Stage.DELIVERED: ("Đã phát cho người dân", "Delivered"),
    Stage.REFUSED: ("Cơ quan từ chối nhận", "Refused by the agency"),
    Stage.RETURNED: ("Đã chuyển hoàn", "Returned to the agency"),
    Stage.CANCELLED: ("Đã hủy", "Cancelled"),
    Stage.LOST: ("Thất lạc", "Lost"),
}

ACTS: Mapping[Step, Pair] = {
    Step.BOOKED: ("Đặt lịch thu gom", "Book a pickup"),
    Step.READY: ("Báo có kết quả", "Announce the result"),
    Step.PICKUP_FAILED: ("Chưa thu gom được", "Could not collect"),
    Step.ACCEPTED: ("Nhận từ người gửi", "Accept from the sender"),
    Step.TAKEN: ("Tôi nhận giữ", "Take it over"),
    Step.ARRIVED: ("Nhập bưu cục", "Take into the office"),
    Step.OUT: ("Mang đi phát", "Take out for delivery"),
    Step.RECEIVED: ("Cơ quan nhận", "Receive for the agency"),
    Step.REGISTERED: ("Cấp mã hồ sơ và ngày hẹn", "Give code and due date"),
    Step.RELEASED: ("Bàn giao cho người khác", "Release to someone"),
    Step.RECALLED: ("Rút lại bàn giao", "Recall the release"),
    Step.ATTEMPTED: ("Chưa phát được", "Could not deliver"),
    Step.HELD: ("Giữ tại quầy", "Hold at the counter"),
    Step.REDIRECTED: ("Đổi địa chỉ phát", "Redirect"),
    Step.REFUSED: ("Từ chối nhận", "Refuse"),
    Step.RETURNED: ("Nhận lại bưu gửi hoàn", "Take back"),
    Step.CANCELLED: ("Hủy yêu cầu", "Cancel"),
    Step.PACKED: ("Cho vào túi", "Put into a bag"),
    Step.UNPACKED: ("Lấy ra khỏi túi", "Take out of the bag"),
    Step.MISSED: ("Báo thất lạc, tìm kiếm", "Report missing"),
    Step.LOST: ("Kết luận thất lạc", "Declare lost"),
    Step.CORRECTED: ("Đính chính", "Correct"),
    Step.DELIVERED: ("Phát cho người dân", "Deliver to the citizen"),
}

DEEDS: Mapping[Step, Pair] = {
    Step.BOOKED: ("đã đặt lịch thu gom", "pickup booked"),
    Step.READY: ("đã có kết quả", "result ready"),
    Step.PICKUP_FAILED: ("chưa thu gom được", "pickup failed"),
    Step.ACCEPTED: ("đã nhận từ người gửi", "accepted from the sender"),
    Step.TAKEN: ("đã nhận giữ", "taken over"),
    Step.ARRIVED: ("đã đến bưu cục", "arrived at the office"),
    Step.OUT: ("đã mang đi phát", "taken out for delivery"),
    Step.RECEIVED: ("cơ quan đã nhận", "received by the agency"),
    Step.REGISTERED: ("đã cấp mã và ngày hẹn", "code and due date given"),
    Step.RELEASED: ("đã bàn giao, chờ bên nhận", "released, waiting for the receiver"),
    Step.RECALLED: ("đã rút lại bàn giao", "release recalled"),
    Step.ATTEMPTED: ("phát chưa thành công", "delivery attempted"),
    Step.HELD: ("giữ tại quầy chờ người nhận", "held at the counter"),
    Step.REDIRECTED: ("đã đổi địa chỉ phát", "redirected"),
    Step.REFUSED: ("cơ quan từ chối nhận", "refused by the agency"),
    Step.RETURNED: ("đã chuyển hoàn cơ quan", "returned to the agency"),
    Step.CANCELLED: ("đã hủy yêu cầu", "cancelled"),
    Step.PACKED: ("đã cho vào túi", "put into a bag"),
    Step.UNPACKED: ("đã lấy ra khỏi túi", "taken out of the bag"),
    Step.MISSED: ("đã báo thất lạc, đang tìm", "reported missing"),
    Step.LOST: ("đã kết luận thất lạc", "declared lost"),
    Step.CORRECTED: ("đã đính chính", "corrected"),
    Step.DELIVERED: ("đã phát cho người dân", "delivered"),
}

REASONS: Mapping[Reason, Pair] = {
    Reason.WRONG_ADDRESS: ("Sai địa chỉ", "Wrong address"),
    Reason.UNKNOWN: ("Không có người nhận này", "Addressee unknown"),
    Reason.ABSENT: ("Vắng nhà", "Nobody there"),
    Reason.REFUSED: ("Từ chối nhận", "Refused"),
    Reason.LATER: ("Hẹn lúc khác", "Asks for another time"),
    Reason.CANNOT_PAY: ("Chưa nộp được tiền", "Cannot pay"),
    Reason.ID_MISSING: ("Không có hoặc không khớp giấy tờ", "ID missing or no match"),
    Reason.NOT_AUTHORISED: ("Không được ủy quyền", "Not authorised"),
    Reason.OFFICE_CLOSED: ("Cơ quan đóng cửa", "Office closed"),
    Reason.WEATHER: ("Thời tiết hoặc phà", "Weather or ferry"),
    Reason.MISSING_PAPERS: ("Thiếu giấy tờ", "Papers are missing"),
    Reason.WRONG_PAPERS: ("Giấy tờ không đúng", "Papers are not in order"),
    Reason.WRONG_AGENCY: ("Không đúng cơ quan", "Not for this agency"),
    Reason.COUNT_MISMATCH: ("Sai số lượng", "The count does not match"),
    Reason.SEAL_BROKEN: ("Niêm phong bị rách", "The seal is broken"),
    Reason.WITHDRAWN: ("Người dân rút hồ sơ", "Withdrawn by the citizen"),
    Reason.DID_NOT_OCCUR: ("Việc này không xảy ra", "It did not occur"),
    Reason.INCORRECT_DATA: ("Ghi sai số liệu", "It was told wrongly"),
    Reason.NOT_FOUND: ("Không có khi kiểm đếm", "Not there when counted"),
    Reason.LEFT_BEHIND: ("Bên giao còn giữ", "The giver still has it"),
    Reason.NOT_ANNOUNCED: ("Có mặt nhưng chưa được báo giao", "There, not announced"),
    Reason.MISSORTED: ("Chia nhầm, của nơi khác", "Sorted wrongly, not for here"),
    Reason.OTHER: ("Lý do khác (ghi rõ)", "Other (say which)"),
}

KINDS: Mapping[Kind, Pair] = {
    Kind.UNANNOUNCED: (
        "Người giữ trước chưa báo bàn giao bưu gửi này.",
        "The last holder had not released this item.",
    ),
    Kind.COUNT_MISMATCH: (
        "Số bản chính hoặc bản sao khác với lần giao trước.",
        "The number of originals or copies differs from the last handover.",
    ),
    Kind.SEAL_BROKEN: (
        "Niêm phong bị rách hoặc khác số của lần giao trước.",
        "The seal is broken, or not the one of the last handover.",
    ),
    Kind.DAMAGED: ("Bưu gửi bị hư hỏng.", "The item is damaged."),
    Kind.MISROUTED: (
        "Bưu gửi này không phải gửi đến đây.",
        "This item was not on its way to this place.",
    ),
    Kind.WRONG_PLACE: (
        "Vị trí quét xa nơi đã khai.",
        "Scanned far from the place that was named.",
    ),
    Kind.CLOCK_SKEW: (
        "Đồng hồ của máy lệch so với hệ thống.",
        "The clock of the device does not agree with ours.",
    ),
    Kind.OUT_OF_ORDER: (
        "Bước này không khớp với những gì đã biết về bưu gửi.",
        "This step does not follow from what was known of the item.",
    ),
    Kind.FAILED_PROOF: (
        "Thiếu bằng chứng của người dân, hoặc mã sai năm lần.",
        "The citizen's proof is missing, or the code was wrong five times.",
    ),
    Kind.FORGED_LABEL: (
        "Nhãn này không phải do chúng tôi in.",
        "This label was not printed by us.",
    ),
    Kind.MISSING: (
        "Bưu gửi không có ở nơi phải có.",
        "The item is not where it should be.",
    ),
    Kind.NOT_LISTED: (
        "Bưu gửi có mặt nhưng không có trong danh sách.",
        "The item is there, but not on the list.",
    ),
    Kind.SILENT: (
        "Đã quá lâu không có tin gì về bưu gửi.",
        "Nothing was heard of the item for too long.",
    ),
    Kind.WRONG_RECEIVER: (
        "Giao cho người không phải người nhận và không được ủy quyền.",
        "It was handed to someone who is neither the addressee nor authorised.",
    ),
    Kind.DISPUTED: (
        "Người dân báo chưa nhận được bưu gửi.",
        "The citizen says that he did not receive the item.",
    ),
}

ROLES: Mapping[Role, Pair] = {
    Role.CARRIER: ("Bưu tá", "Carrier"),
    Role.CLERK: ("Giao dịch viên", "Clerk"),
    Role.OFFICER: ("Cán bộ một cửa", "Agency officer"),
    Role.SUPERVISOR: ("Kiểm soát viên", "Supervisor"),
    Role.ADMIN: ("Quản trị", "Administrator"),
    Role.AUDITOR: ("Kiểm toán", "Auditor"),
}

LEGS: Mapping[Leg, Pair] = {
    Leg.DOSSIER: ("Hồ sơ gửi đi", "Dossier to the agency"),
    Leg.RESULT: ("Kết quả trả về", "Result to the citizen"),
    Leg.SUPPLEMENT: ("Giấy tờ bổ sung", "Supplement to the agency"),
    Leg.BRING_BACK: ("Hồ sơ trả lại", "Dossier brought back"),
    Leg.OLD_PAPERS: ("Giấy tờ cũ thu hồi", "Old papers to the agency"),
    Leg.SLIP: ("Giấy tiếp nhận và hẹn trả", "Receipt and appointment slip"),
    Leg.TRANSFER: ("Chuyển giữa hai cơ quan", "Transfer between agencies"),
}

PARTIES: Mapping[PartyKind, Pair] = {
    PartyKind.CITIZEN: ("Người dân", "Citizen"),
    PartyKind.STAFF: ("Nhân viên", "Member of staff"),
    PartyKind.OFFICE: ("Bưu cục", "Post office"),
    PartyKind.AGENCY: ("Cơ quan", "Agency"),
    PartyKind.SYSTEM: ("Hệ thống", "System"),
}


def choose(pair: Pair, lang: str) -> str:
    """Take the text in this language: English for ``en``, else Vietnamese."""
    return pair[1] if lang == "en" else pair[0]


def stage(stage: Stage, lang: str) -> str:
    """Say what an item is now."""
    return choose(STAGES[stage], lang)


def step(step: Step, lang: str) -> str:
    """Say a step as an act that is about to be done: the words on a button."""
    return choose(ACTS[step], lang)


def did(step: Step, lang: str) -> str:
    """Say a step as something that happened: the words in a timeline."""
    return choose(DEEDS[step], lang)


def reason(reason: Reason, lang: str) -> str:
    """Say why a pickup or a delivery did not come about."""
    return choose(REASONS[reason], lang)


def kind(kind: Kind, lang: str) -> str:
    """Say what is wrong with a handover, as a sentence."""
    return choose(KINDS[kind], lang)


def role(role: Role, lang: str) -> str:
    """Say what a login is for."""
    return choose(ROLES[role], lang)


def leg(leg: Leg, lang: str) -> str:
    """Say which stretch of the way an item is."""
    return choose(LEGS[leg], lang)


def party(kind: PartyKind, lang: str) -> str:
    """Say what sort of party this is."""
    return choose(PARTIES[kind], lang)
