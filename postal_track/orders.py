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

MOST_PAPERS = 40
MOST_OF_ONE_PAPER = 200
MOST_CODES = 5
LONGEST_NAME = 120
LONGEST_LINE = 240
LONGEST_SOURCE = 20
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


async def read(order: Order) -> Draft:
    """Read an order and note everything that is wrong with it. Raises nothing."""
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
    for part, person in (
        ("owner", order.owner),
        ("filer", order.filer),
        ("recipient", order.recipient),
    ):
        if person is not None:
            await _read_person(draft, part, person)
    return draft


def _read_choices(draft: Draft) -> None:
    order = draft.order
    if order.service not in SERVICES:
        draft.problems.append(
            Problem(
                "service",
                "Choose send, receive or both.",
                "Hãy chọn gửi, nhận hoặc cả hai.",
            )
        )
    if order.language not in ("vi", "en"):
        draft.problems.append(
            Problem("language", "Choose vi or en.", "Hãy chọn vi hoặc en.")
        )


def _read_papers(draft: Draft) -> None:
    papers, say = draft.order.papers, draft.problems.append
    if draft.order.service != "receive" and not papers:
        say(
            Problem(
                "papers", "List at least one paper.", "Hãy ghi ít nhất một giấy tờ."
            )
        )
    if len(papers) > MOST_PAPERS:
        say(
            Problem(
                "papers",
                f"At most {MOST_PAPERS} lines.",
                f"Nhiều nhất {MOST_PAPERS} dòng.",
            )
        )
    for at, paper in enumerate(papers):
        if not paper.name or len(paper.name) > LONGEST_LINE or not _counted(paper):
            say(
                Problem(
                    f"papers.{at}",
                    "Name the paper in one line and count it: originals and copies "
                    f"are whole numbers up to {MOST_OF_ONE_PAPER}, together at least "
                    "one.",
                    "Hãy ghi tên giấy tờ trong một dòng và số lượng: bản chính và bản "
                    f"sao là số nguyên đến {MOST_OF_ONE_PAPER}, tổng ít nhất là một.",
                )
            )


def _counted(paper: PaperGiven) -> bool:
    sane = all(0 <= n <= MOST_OF_ONE_PAPER for n in (paper.originals, paper.copies))
    return sane and paper.originals + paper.copies > 0


def _read_codes(draft: Draft) -> None:
    codes, say = draft.order.codes, draft.problems.append
    if len(codes) > MOST_CODES:
        say(
            Problem(
                "codes", f"At most {MOST_CODES} codes.", f"Nhiều nhất {MOST_CODES} mã."
            )
        )
    for at, (source, code) in enumerate(codes):
        named = 0 < len(source) <= LONGEST_SOURCE
        if not named or not _DOSSIER_CODE.fullmatch(code):
            say(
                Problem(
                    f"codes.{at}",
                    f"Name the system (up to {LONGEST_SOURCE} characters) and its code "
                    "(up to 50).",
                    f"Hãy ghi tên hệ thống (đến {LONGEST_SOURCE} ký tự) và mã hồ sơ "
                    "(đến 50 ký tự).",
                )
            )


async def _read_person(draft: Draft, part: str, given: PersonGiven) -> None:
    say = draft.problems.append
    name, address, phone = plain(given.name), plain(given.address), ""
    if not 0 < len(name) <= LONGEST_NAME:
        say(
            Problem(
                f"{part}.name",
                f"Give the name, in up to {LONGEST_NAME} characters.",
                f"Hãy ghi họ tên, nhiều nhất {LONGEST_NAME} ký tự.",
            )
        )
    try:
        phone = normalise(given.phone).e164
    except BadPhone as fault:
        say(Problem.of(f"{part}.phone", fault))
    if not 0 < len(address) <= LONGEST_LINE:
        say(
            Problem(
                f"{part}.address",
                f"Give the address, in up to {LONGEST_LINE} characters.",
                f"Hãy ghi địa chỉ, nhiều nhất {LONGEST_LINE} ký tự.",
            )
        )
        return
    try:
        located = await locate(address, plain(given.ward))
    except BadAddress as fault:
        say(Problem.of(f"{part}.ward", fault))
        return
    draft.persons.append(Person(part, name, phone, address, located))
