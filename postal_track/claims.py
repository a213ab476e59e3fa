"""A scan with its code read: who says it, of what, and whether he may say it at all.

Judges standing only: role, place, label, and that nothing is missing. Knows no item and
asks no database; what a scan means comes later.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from uuid import uuid5

from postal_track import bags
from postal_track.bags import Bag
from postal_track.custody import MAY, REASONS, STAYS, Party, Reason, Role, Step
from postal_track.errors import (
    BadScan,
    ForgedLabel,
    NotAllowed,
    NotYourPlace,
    PostalTrackError,
)
from postal_track.labels import genuine, parse_code
from postal_track.scans import Proof, Scan
from postal_track.settings import settings


@dataclass(frozen=True, slots=True)
class Claim:
    """A scan with its code read; or with the reason why it has no standing.

    ``bag``: the number of the bag it is about. ``whole``: its code is the bag's own;
    ``part``: it was made of such a scan, for one item.
    """

    scan: Scan
    waybill: str
    error: PostalTrackError | None
    forged: bool = False
    bag: str = ""
    whole: bool = False
    part: bool = False

    @classmethod
    def of(cls, scan: Scan) -> "Claim":
        """Read a scan's code and hold it against who says it."""
        try:
            code = parse_code(scan.code)
        except PostalTrackError as error:
            return cls(scan, "", error)
        whole = code.kind == "bag"
        if code.tag is not None and not genuine(code):
            fault = ForgedLabel(waybill=code.waybill)
            number = code.waybill if whole else ""
            return cls(scan, code.waybill, fault, not whole, bag=number, whole=whole)
        if whole:
            number = code.waybill
            return cls(scan, number, _bag_standing(scan), bag=number, whole=True)
        if scan.bag is None:
            return cls(scan, code.waybill, _standing(scan))
        try:
            number = bags.number_of(scan.bag)
        except PostalTrackError as error:
            return cls(scan, code.waybill, error)
        known = replace(scan, bag=number)
        return cls(known, code.waybill, _standing(known), bag=number)

    def of_each(self, bag: Bag, waybills: Iterable[str]) -> "list[Claim]":
        """Say of each item inside what was said of the bag as a whole.

        Counts and seals of items are not what was looked at: that the bag is complete
        is inferred.
        """
        scan = self.scan
        onward = bag.destination if scan.step is Step.TAKEN else None
        other_seal = scan.seal_no is not None and scan.seal_no != bag.seal_no
        said = replace(
            scan,
            bag=bag.number,
            to=scan.to or onward,
            originals=None,
            copies=None,
            seal_no=None,
            seal_broken=scan.seal_broken or other_seal,
            proof=None,
            bind_to=None,
        )
        return [
            Claim(
                replace(said, id=uuid5(scan.id, waybill), code=waybill),
                waybill,
                None,
                bag=bag.number,
                part=True,
            )
            for waybill in waybills
        ]

    def happened_at(self, now: datetime) -> tuple[datetime, bool]:
        """Correct the device's time by its measured skew.

        Say whether its clock is to be doubted.
        """
        scan, allowed = self.scan, tolerance()
        skew = now - scan.sent_at if scan.sent_at else timedelta(0)
        doubtful = abs(skew) > allowed
        # A clock that was set between scanning and sending tells a wrong time of one.
        if scan.skew is not None and scan.sent_at is not None:
            doubtful = doubtful or abs(scan.skew - skew) > allowed
        at = scan.at + skew
        if at > now + allowed or at < now - _oldest():
            return now, True  # no clock to go by: the server's is the best there is
        return min(at, now), doubtful


@cache
def tolerance() -> timedelta:
    """Say how far a device's clock may be off before it is doubted."""
    return timedelta(seconds=settings().CLOCK_TOLERANCE_SECONDS)


@cache
def _oldest() -> timedelta:
    return timedelta(days=settings().MAX_SCAN_AGE_DAYS)


def _standing(scan: Scan) -> PostalTrackError | None:
    """Say why this person may not say this at all; ``None`` when he may."""
    actor = scan.actor
    if scan.step in (Step.BOOKED, Step.READY):
        return BadScan(
            why="an item is not born by a scan",
            why_vi="bưu gửi không được tạo bằng cách quét",
        )
    if actor.role not in MAY[scan.step]:
        return NotAllowed()
    if not _speaks_for_place(scan):
        return NotYourPlace()
    return _complete(scan)


def _bag_standing(scan: Scan) -> PostalTrackError | None:
    """Say why this cannot be said of a whole bag; ``None`` when it can."""
    if scan.step is Step.PACKED:
        return BadScan(
            why="a bag is never put into a bag", why_vi="không đặt túi vào trong túi"
        )
    if scan.step not in bags.CARRIED:
        return BadScan(
            why="this is said of items, not of a bag: open the bag first",
            why_vi="bước này dành cho từng bưu gửi: hãy mở túi trước",
        )
    return _standing(scan)


def _speaks_for_place(scan: Scan) -> bool:
    """Whether he acts for the place he names; one who supervises all needs none."""
    place, actor = place_of(scan), scan.actor
    if place is None:
        return actor.role is Role.SUPERVISOR and scan.step in STAYS
    return place in actor.places


def _complete(scan: Scan) -> PostalTrackError | None:
    if scan.step in REASONS and scan.reason not in REASONS[scan.step]:
        return BadScan(why="a reason is needed", why_vi="cần ghi rõ lý do")
    if (scan.step is Step.CORRECTED) != (scan.corrects is not None):
        return BadScan(why="say which line is wrong", why_vi="cần chỉ rõ dòng nào sai")
    if scan.reason is Reason.OTHER and not scan.note.strip():
        return BadScan(why="'other' needs a note", why_vi="lý do khác cần ghi chú")
    if scan.step is Step.PACKED and scan.bag is None:
        return BadScan(why="say into which bag", why_vi="cần ghi cho vào túi nào")
    if scan.step is Step.RELEASED and scan.to is None:
        return BadScan(why="say to whom it is released", why_vi="cần ghi giao cho ai")
    if scan.step is Step.REGISTERED and not scan.dossier_code.strip():
        return BadScan(why="the dossier code is missing", why_vi="thiếu mã hồ sơ")
    if scan.step is Step.DELIVERED and not _proves(scan.proof):
        return BadScan(
            why="a delivery needs the recipient's code, or a signature with the kind "
            "of ID and its last four digits",
            why_vi="phát bưu gửi cần mã nhận, hoặc chữ ký cùng loại giấy tờ "
            "và 4 số cuối",
        )
    return None


def _proves(proof: Proof | None) -> bool:
    if proof is None:
        return False
    if proof.kind == "code":
        return bool(proof.code)
    return bool(proof.signature and proof.id_kind and len(proof.id_last4) == 4)


def place_of(scan: Scan) -> Party | None:
    """Name the office or agency that someone speaks for: his own, unless he says."""
    return scan.place or scan.actor.place
