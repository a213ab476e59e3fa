"""What an order asks of the post, and whether it can be used.

Reads persons, phones, addresses and papers as people give them, and names every fault
at once. Finds positions, and so may wait for a geocoder; opens no transaction.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from postal_track.errors import BadAddress, BadPhone, Problem
from postal_track.phones import normalise
from postal_track.places import Located, Place, locate
from postal_track.slots import Slot

MOST_PAPERS = 40
MOST_OF_ONE_PAPER = 200
MOST_CODES = 5
LONGEST_NAME = 120
LONGEST_LINE = 240
LONGEST_SOURCE = 20
LARGEST_AMOUNT = 100_000_000
SERVICES = ("send", "receive", "both")
_DOSSIER_CODE = re.compile(r"\S(.{0,48}\S)?")


@dataclass(frozen=True, slots=True)
class PersonGiven:
    """A person as an order names him.

    ``ward`` is its code or name; empty: found in the address.
    """

    name: str
    phone: str
    address: str
    ward: str = ""


@dataclass(frozen=True, slots=True)
class PaperGiven:
    """One line of the list of papers."""

    name: str
    originals: int
    copies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked of the post for one dossier.

    ``id`` is the sender's: the same order twice is one dossier. ``procedure`` and
    ``agency`` are their codes, ``office`` the code of the post office that collects
    (empty: the nearest). ``codes`` are (source, code) as other systems gave them.
    ``slot``: when the citizen is there for the pickup.
    Money in VND: ``fee`` is the agency's (None: the procedure's own), due when
    ``fee_due`` says ("pickup", "delivery", "online"; empty: with the first leg);
    ``postage`` the post's (None: by the tariff), paid by the citizen or the agency.
    """

    id: UUID
    procedure: str
    agency: str
    service: str
    owner: PersonGiven
    filer: PersonGiven | None = None
    recipient: PersonGiven | None = None
    papers: Sequence[PaperGiven] = ()
    office: str = ""
    language: str = "vi"
    source: str = "counter"
    codes: Sequence[tuple[str, str]] = ()
    slot: Slot | None = None
    fee: int | None = None
    fee_due: str = ""
    postage: int | None = None
    postage_by: str = "citizen"


@dataclass(frozen=True, slots=True)
class Person:
    """A person who can be written down: ``phone`` is E.164, the address has a place."""

    part: str
    name: str
    phone: str
    address: str
    located: Located


@dataclass(slots=True)
class Draft:
    """An order as it was read, and what is wrong with it.

    ``persons`` lacks those whose address was not found.
    """

    order: Order
    persons: list[Person] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def start(self) -> Place | None:
        """Where the post goes first: to the papers, or with a result to its taker."""
        places = {person.part: person.located.place for person in self.persons}
        first = "recipient" if self.order.service == "receive" else "filer"
        return places.get(first) or places.get("owner")


def plain(text: str) -> str:
    """One line as it is kept: composed marks, single spaces, nothing invisible.

    Phones and Macs write the same Vietnamese letter in two ways; a NUL fits no column.
    """
    composed = unicodedata.normalize("NFC", text)
    visible = "".join(
        " " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each
        for each in composed
        if unicodedata.category(each) not in ("Cf", "Cs")
    )
    return " ".join(visible.split())


async def read(order: Order, *, ask: bool = True) -> Draft:
    """Read an order and note everything that is wrong with it. Raises nothing.

    Without ``ask`` no geocoder is waited for.
    """
    papers = [replace(each, name=plain(each.name)) for each in order.papers]
    codes = [(plain(source), plain(code)) for source, code in order.codes]
    draft = Draft(
        replace(
            order,
            procedure=plain(order.procedure),
            agency=plain(order.agency),
            office=plain(order.office),
            papers=papers,
            # A code said twice is said once.
            codes=list(dict.fromkeys(codes)),
        )
    )
    _read_choices(draft)
    _read_papers(draft)
    _read_codes(draft)
    _read_money(draft)
    for part, person in (
        ("owner", order.owner),
        ("filer", order.filer),
        ("recipient", order.recipient),
    ):
        if person is not None:
            await _read_person(draft, part, person, ask=ask)
    return draft


def _read_choices(draft: Draft) -> None:
    if draft.order.service not in SERVICES:
        _note(
            draft,
            "service",
            "Choose send, receive or both.",
            "Hãy chọn gửi, nhận hoặc cả hai.",
        )
    if draft.order.language not in ("vi", "en"):
        _note(draft, "language", "Choose vi or en.", "Hãy chọn vi hoặc en.")


def _read_papers(draft: Draft) -> None:
    papers = draft.order.papers
    if draft.order.service != "receive" and not papers:
        _note(
            draft, "papers", "List at least one paper.", "Hãy ghi ít nhất một giấy tờ."
        )
    if len(papers) > MOST_PAPERS:
        _note(
            draft,
            "papers",
            f"At most {MOST_PAPERS} lines.",
            f"Nhiều nhất {MOST_PAPERS} dòng.",
        )
    for at, paper in enumerate(papers):
        if not 0 < len(paper.name) <= LONGEST_LINE or not _counted(paper):
            _note(
                draft,
                f"papers.{at}",
                "Name the paper and count it: originals and copies are whole numbers "
                f"up to {MOST_OF_ONE_PAPER}, together at least one.",
                "Hãy ghi tên giấy tờ và số lượng: bản chính và bản sao là số nguyên "
                f"đến {MOST_OF_ONE_PAPER}, tổng ít nhất là một.",
            )


def _counted(paper: PaperGiven) -> bool:
    sane = all(0 <= n <= MOST_OF_ONE_PAPER for n in (paper.originals, paper.copies))
    return sane and paper.originals + paper.copies > 0


def _read_codes(draft: Draft) -> None:
    codes = draft.order.codes
    if len(codes) > MOST_CODES:
        _note(
            draft,
            "codes",
            f"At most {MOST_CODES} codes.",
            f"Nhiều nhất {MOST_CODES} mã.",
        )
    for at, (source, code) in enumerate(codes):
        named = 0 < len(source) <= LONGEST_SOURCE
        if not named or not _DOSSIER_CODE.fullmatch(code):
            _note(
                draft,
                f"codes.{at}",
                f"Name the system (up to {LONGEST_SOURCE} characters) and its code "
                "(up to 50).",
                f"Hãy ghi tên hệ thống (đến {LONGEST_SOURCE} ký tự) và mã hồ sơ "
                "(đến 50 ký tự).",
            )


def _read_money(draft: Draft) -> None:
    order = draft.order
    for name, amount in (("fee", order.fee), ("postage", order.postage)):
        if amount is not None and not 0 <= amount <= LARGEST_AMOUNT:
            _note(draft, name, "The amount is not plausible.", "Số tiền không hợp lý.")
    if order.fee_due not in ("", "pickup", "delivery", "online"):
        _note(
            draft,
            "fee_due",
            "Choose pickup, delivery or online.",
            "Hãy chọn khi thu gom, khi phát hoặc trực tuyến.",
        )
    if order.postage_by not in ("citizen", "agency"):
        _note(
            draft,
            "postage_by",
            "Choose citizen or agency.",
            "Hãy chọn người dân hoặc cơ quan.",
        )


async def _read_person(
    draft: Draft, part: str, given: PersonGiven, *, ask: bool
) -> None:
    name, address = plain(given.name), plain(given.address)
    phone = ""
    if not name:
        _note(draft, f"{part}.name", "Give the name.", "Hãy ghi họ tên.")
    elif len(name) > LONGEST_NAME:
        _too_long(draft, f"{part}.name", LONGEST_NAME)
    if not plain(given.phone):
        _note(draft, f"{part}.phone", "Give a phone number.", "Hãy ghi số điện thoại.")
    else:
        try:
            phone = normalise(given.phone).e164
        except BadPhone as fault:
            draft.problems.append(Problem.of(f"{part}.phone", fault))
    if not address:
        _note(draft, f"{part}.address", "Give the address.", "Hãy ghi địa chỉ.")
    elif len(address) > LONGEST_LINE:
        _too_long(draft, f"{part}.address", LONGEST_LINE)
    else:
        try:
            located = await locate(address, plain(given.ward), ask=ask)
        except BadAddress as fault:
            draft.problems.append(Problem.of(f"{part}.ward", fault))
        else:
            draft.persons.append(Person(part, name, phone, address, located))


def _note(draft: Draft, field: str, detail: str, detail_vi: str) -> None:
    draft.problems.append(Problem(field, detail, detail_vi))


def _too_long(draft: Draft, field: str, most: int) -> None:
    _note(draft, field, f"At most {most} characters.", f"Nhiều nhất {most} ký tự.")
