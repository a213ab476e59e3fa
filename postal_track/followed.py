"""A dossier as its citizen may know of it, and the words that every sentence shares.

Pure: no table, no clock, no HTTP. Places are named as offices and agencies, persons not
at all: the page stands open to whoever has its link. Both languages stand side by side,
Vietnamese first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from postal_track.custody import (
    CITIZEN,
    TO_CITIZEN,
    Custody,
    Event,
    Kind,
    Leg,
    Party,
    PartyKind,
    Reason,
    Stage,
    Step,
    read,
    standing,
)
from postal_track.estimates import Expected
from postal_track.slots import Slot

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")


class Words(NamedTuple):
    """A text in both languages."""

    vi: str
    en: str

    def __add__(self, other: "Words") -> "Words":  # type: ignore[override] # joins texts
        return Words(self.vi + other.vi, self.en + other.en)

    def __bool__(self) -> bool:
        return bool(self.vi)

    def capital(self) -> "Words":
        """Begin a sentence with it."""
        return Words(
            self.vi[:1].upper() + self.vi[1:], self.en[:1].upper() + self.en[1:]
        )


NOTHING = Words("", "")


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of an item's ledger, as far as the citizen is told of it."""

    event: Event
    flags: tuple[Kind, ...] = ()
    reason: Reason | None = None
    proof: str = ""
    authorised: bool = False  # someone else received it, by the addressee's authority


@dataclass(frozen=True)  # no slots: what it tells is asked over and over, and kept
class Stretch:
    """One leg of the way: an item with its story, oldest first. ``fee`` is in VND."""

    waybill: str
    leg: Leg
    promised_on: date | None
    fee: int
    story: tuple[Happening, ...]

    @cached_property
    def now(self) -> Custody:
        """What the item is: its story, folded."""
        return read(each.event for each in self.story)

    @cached_property
    def stands(self) -> list[Happening]:
        """The story less what was later declared wrong."""
        right = standing(each.event for each in self.story)
        return [each for each in self.story if each.event in right]

    @property
    def homeward(self) -> bool:
        """Whether it is on its way to the citizen."""
        return self.leg in TO_CITIZEN

    def last(self, step: Step) -> Happening | None:
        """Tell what was said of this step last."""
        told = (each for each in reversed(self.stands) if each.event.step is step)
        return next(told, None)


@dataclass(frozen=True, slots=True)
class Paper:
    """One line of the list of papers."""

    name: str
    originals: int
    copies: int


@dataclass(frozen=True, slots=True)
class Pickup:
    """The code that proves a pickup; no ``digits``: it was wrong too often."""

    digits: str


@dataclass(frozen=True, slots=True)
class Wished:
    """What the citizen wants of the coming pickup or delivery: no name, no address."""

    slot: Slot | None = None
    held_at: Party | None = None
    elsewhere: bool = False
    deputised: bool = False

    def __bool__(self) -> bool:
        """Whether anything is wished."""
        return self != Wished()


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What is known of a dossier at the moment ``at``. Nothing here names a person.

    ``procedure`` is ``None`` when its very name is private; then ``papers`` have no
    names either. ``checking``: the open irregularities that a citizen should know of.
    """

    token: str
    service: str
    agency: Party
    office: Party
    names: dict[Party, Words]
    at: datetime
    procedure: Words | None = None
    in_person: bool = False
    takes_back_old: bool = False
    code: str = ""
    due_on: date | None = None
    initials: str = ""
    phone: str = ""
    papers: tuple[Paper, ...] = ()
    legs: tuple[Stretch, ...] = ()
    pickup: Pickup | None = None
    checking: tuple[Kind, ...] = ()
    expected: Mapping[str, Expected] = field(default_factory=dict)
    hoped: Expected | None = None
    tries: int = 3  # at a delivery, before it is held at the counter
    hold_days: int = 8
    wished_on: date | None = None  # the citizen's day for the coming visit
    wished: Wished = Wished()

    @property
    def today(self) -> date:
        """The day in An Giang."""
        return self.at.astimezone(LOCAL).date()

    @cached_property
    def leg(self) -> Stretch | None:
        """The leg that counts now: the newest of those that carry the case itself.

        Slips and old papers go along with it; what was cancelled counts only alone.
        """
        main = [leg for leg in self.legs if leg.leg not in ALONGSIDE] or self.legs
        alive = [leg for leg in main if leg.now.stage is not Stage.CANCELLED] or main
        return alive[-1] if alive else None


ALONGSIDE = frozenset({Leg.SLIP, Leg.OLD_PAPERS})
"""Legs that go along with the case and do not carry it."""

THING = {
    Leg.DOSSIER: Words("hồ sơ", "the dossier"),
    Leg.RESULT: Words("kết quả", "the result"),
    Leg.SUPPLEMENT: Words("giấy tờ bổ sung", "the further papers"),
    Leg.BRING_BACK: Words("hồ sơ trả lại", "the returned dossier"),
    Leg.OLD_PAPERS: Words("giấy tờ cũ", "the old papers"),
    Leg.SLIP: Words("giấy hẹn", "the appointment slip"),
    Leg.TRANSFER: Words("hồ sơ", "the dossier"),
}
"""What an item is called; the English ones fit behind "has", "took" and "reached"."""


def name(f: Followed, party: Party | None) -> Words:
    """Call a party as a citizen would; a member of staff is never named."""
    if party is None or party.kind is PartyKind.SYSTEM:
        return Words("bưu điện", "the post")
    if party == CITIZEN:
        return Words("Ông/Bà", "you")
    if party.kind is PartyKind.STAFF:
        return Words("nhân viên bưu điện", "a member of the post's staff")
    return f.names[party]


def staff(f: Followed, place: Party | None) -> Words:
    """Call someone of the post by where he belongs."""
    if place is None:
        return Words("Nhân viên bưu điện", "A member of the post's staff")
    vi, en = name(f, place)
    return Words(f"Nhân viên {vi}", f"A member of staff of {en}")


def carrier(f: Followed, place: Party | None) -> Words:
    """Call someone who goes from door to door by where he belongs."""
    if place is None:
        return Words("Bưu tá", "A carrier")
    vi, en = name(f, place)
    return Words(f"Bưu tá của {vi}", f"A carrier of {en}")


def whither(f: Followed, leg: Stretch) -> Words:
    """Call the one an item is for: the citizen, or the agency it is addressed to."""
    to = leg.now.addressee
    return name(f, to if to.kind is not PartyKind.SYSTEM else f.agency)


def handed_over(leg: Stretch) -> Words:
    """Say into whose hands an item was given."""
    thing = THING[leg.leg]
    if any(each.authorised for each in leg.stands):
        return Words(
            f"Người được Ông/Bà ủy quyền đã nhận {thing.vi}.",
            f"The person you authorised has received {thing.en}.",
        )
    return Words(f"Ông/Bà đã nhận {thing.vi}.", f"You have received {thing.en}.")


def counted(originals: int, copies: int) -> Words:
    """Say how many papers; a kind of which there is none is not mentioned."""
    vi, en = [], []
    if originals:
        vi.append(f"{originals} bản chính")
        en.append("1 original" if originals == 1 else f"{originals} originals")
    if copies:
        vi.append(f"{copies} bản sao")
        en.append("1 copy" if copies == 1 else f"{copies} copies")
    return Words(", ".join(vi), ", ".join(en))


# Days

_WEEKDAYS = (
    Words("thứ Hai", "Monday"),
    Words("thứ Ba", "Tuesday"),
    Words("thứ Tư", "Wednesday"),
    Words("thứ Năm", "Thursday"),
    Words("thứ Sáu", "Friday"),
    Words("thứ Bảy", "Saturday"),
    Words("Chủ nhật", "Sunday"),
)


def written(day: date) -> Words:
    """Write a day out: ``24/11/2026``, ``24 Nov 2026``."""
    return Words(f"{day:%d/%m/%Y}", f"{day:%-d %b %Y}")


UNTIL = Words("\u2013", "\u2013")
"""Between the first day and the last."""


def called(day: date, today: date) -> Words:
    """Name a day that is not far off: ``thứ Tư 25/11``, ``Wednesday 25 Nov``.

    No line breaks within it.
    """
    near = {
        0: Words("hôm nay", "today"),
        1: Words("ngày mai", "tomorrow"),
    }.get((day - today).days, _WEEKDAYS[day.weekday()])
    said = near + Words(f" {day:%-d/%-m}", f" {day:%-d %b}")
    return Words(*(each.replace(" ", "\u00a0") for each in said))


def spoken(day: date, today: date) -> Words:
    """Write a day as people speak of it: with its weekday, and whether it is near."""
    near = {
        0: Words("hôm nay, ", "today, "),
        1: Words("ngày mai, ", "tomorrow, "),
        -1: Words("hôm qua, ", "yesterday, "),
    }
    plain = _WEEKDAYS[day.weekday()] + Words(" ", " ") + written(day)
    return near.get((day - today).days, NOTHING) + plain
