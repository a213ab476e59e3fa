"""An order as a form carries it: read, shown again, made into an ``Order``.

The clerk's page and the citizen's ask for the same things in other words. A form that
cannot be used is shown again with all that was typed; nothing is judged here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID, uuid4

from litestar.enums import RequestEncodingType
from litestar.params import Body

from postal_track import catalogue
from postal_track.addresses import wards
from postal_track.catalogue import Near, PaperAsked, Procedure
from postal_track.errors import BadAddress, BadInput, Problem
from postal_track.orders import (
    MOST_CODES,
    MOST_PAPERS,
    Order,
    PaperGiven,
    PersonGiven,
    plain,
)
from postal_track.places import Located, locate
from routes import by_hand

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]

LARGEST_FORM = 128 * 1024
"""Bytes: forty papers of 240 letters fit several times."""

SOURCES = {
    "nominatim": ("bản đồ (nominatim)", "the map (nominatim)"),
    "ward centroid": (
        "tâm của phường, xã (ward centroid)",
        "the centre of the ward (ward centroid)",
    ),
}
"""How an address was found, as a page says it."""

PARTS = ("owner", "filer", "recipient")
_LONGEST_NUMBER = 6


@dataclass(frozen=True, slots=True)
class PaperTyped:
    """One line of the papers as it was typed: numbers may be anything yet."""

    name: str = ""
    originals: str = ""
    copies: str = ""


@dataclass(frozen=True, slots=True)
class CodeTyped:
    """A code of another system as it was typed."""

    source: str = ""
    code: str = ""


@dataclass(slots=True)
class Typed:
    """All that was typed, to be shown again."""

    fields: Mapping[str, str]
    papers: list[PaperTyped] = field(default_factory=list)
    codes: list[CodeTyped] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """Look one field up."""
        return self.fields.get(name, default)

    def paper_lines(self) -> list[PaperTyped]:
        """Lines to show: what was typed, and an empty one as long as there is room."""
        spare = [PaperTyped()] if len(self.papers) < MOST_PAPERS else []
        return [*self.papers, *spare]

    def code_lines(self) -> list[CodeTyped]:
        """Lines to show for codes: what was typed, and an empty one."""
        spare = [CodeTyped()] if len(self.codes) < MOST_CODES else []
        return [*self.codes, *spare]


def blank(lang: str) -> Typed:
    """Begin a form: a fresh order id, so that sending it twice is one dossier."""
    return Typed({**fresh(), "service": "both", "language": lang})


def fresh() -> dict[str, str]:
    """Make the hidden id of a new order."""
    return {"order": str(uuid4())}


def typed(form: Mapping[str, str]) -> Typed:
    """Read what was typed. Empty lines are left out, so numbers of lines move up."""
    papers = [
        PaperTyped(*(form.get(f"papers.{at}.{name}", "") for name in _PAPER))
        for at in _numbers(form, "papers")
    ]
    codes = [
        CodeTyped(*(form.get(f"codes.{at}.{name}", "") for name in _CODE))
        for at in _numbers(form, "codes")
    ]
    return Typed(
        form,
        [
            each
            for each in papers
            if plain(each.name) or _count(each.originals) or _count(each.copies)
        ],
        [each for each in codes if plain(each.code)],
    )


_PAPER = ("name", "originals", "copies")
_CODE = ("source", "code")


def again(order: Order) -> Typed:
    """Lay an order out as it was typed, to be mended; consent is asked for anew."""
    fields = {
        "order": str(order.id),
        "service": order.service,
        "procedure": order.procedure,
        "agency": order.agency,
        "office": order.office,
        "language": order.language,
    }
    for part in PARTS:
        person: PersonGiven | None = getattr(order, part)
        if person is not None:
            fields |= {
                part: "1",
                f"{part}.name": person.name,
                f"{part}.phone": person.phone,
                f"{part}.address": person.address,
                f"{part}.ward": person.ward,
            }
    if order.slot is not None:
        fields["day"] = order.slot.day.isoformat()
        fields["half"] = order.slot.half.value if order.slot.half else ""
    return Typed(
        fields,
        [PaperTyped(p.name, str(p.originals), str(p.copies)) for p in order.papers],
        [CodeTyped(source, code) for source, code in order.codes],
    )


def _numbers(form: Mapping[str, str], group: str) -> list[int]:
    found = set()
    for name in form:
        first, _, rest = name.partition(".")
        number = rest.partition(".")[0]
        if first == group and number.isascii() and number.isdigit():
            found.add(int(number[:_LONGEST_NUMBER]))
    return sorted(found)


def _count(text: str) -> int:
    """Read a number of sheets; what is no number is none that an order may have."""
    digits = text.strip()
    if not digits:
        return 0
    sane = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return int(digits) if sane else -1


def order(given: Typed, source: str) -> Order:
    """Make the order that was meant. ``BadInput`` when the form itself was damaged."""
    try:
        number = UUID(given.get("order"))
    except ValueError:
        raise BadInput(
            (
                Problem(
                    "order",
                    "The form is incomplete: open it anew.",
                    "Biểu mẫu bị thiếu: hãy mở lại trang này.",
                ),
            )
        ) from None
    service = given.get("service")
    return Order(
        id=number,
        procedure=given.get("procedure"),
        agency=given.get("agency"),
        service=service,
        owner=_person(given, "owner"),
        filer=_person(given, "filer") if given.get("filer") else None,
        recipient=_person(given, "recipient") if given.get("recipient") else None,
        # Who has only a result brought gives the post no papers.
        papers=[] if service == "receive" else list(_papers(given)),
        office=given.get("office"),
        language=given.get("language", "vi"),
        source=source,
        codes=[(each.source or "khác", each.code) for each in given.codes],
        # What it costs is a clerk's to say: a citizen's form has no word in it.
        **(_money(given) if source == "counter" else {}),
    )


def _money(given: Typed) -> dict[str, Any]:
    """Read what a clerk says of fees and postage; what is left empty is as usual."""
    amounts = {
        name: by_hand.money(given.fields, name) if given.get(name).strip() else None
        for name in ("fee", "postage")
    }
    by = "agency" if given.get("postage_by") == "agency" else "citizen"
    return amounts | {"fee_due": given.get("fee_due"), "postage_by": by}


def _person(given: Typed, part: str) -> PersonGiven:
    return PersonGiven(
        name=given.get(f"{part}.name"),
        phone=given.get(f"{part}.phone"),
        address=given.get(f"{part}.address"),
        ward=given.get(f"{part}.ward"),
    )


def _papers(given: Typed) -> Iterator[PaperGiven]:
    for each in given.papers:
        yield PaperGiven(each.name, _count(each.originals), _count(each.copies))


def fill(given: Typed, procedure: Procedure | None, lang: str) -> None:
    """Put the procedure's list of papers in place of what stands there."""
    if procedure is not None:
        given.papers = [
            PaperTyped(paper_name(each, lang), str(each.originals), str(each.copies))
            for each in procedure.papers
        ]


def paper_name(paper: PaperAsked, lang: str) -> str:
    """Name a paper as the agency compares it, and so that an English reader knows."""
    if lang != "en" or paper.name_en in ("", paper.name):
        return paper.name
    return f"{paper.name} ({paper.name_en})"


@dataclass(frozen=True, slots=True)
class Preview:
    """Where the post would go first, and the offices that are near."""

    located: Located
    ward_name: str
    offices: list[Near]


async def preview(address: str, ward: str) -> Preview:
    """Find a place and the offices around it; ``BadAddress`` when it is nowhere."""
    if not plain(address) and not plain(ward):
        raise BadAddress
    located = await locate(plain(address), plain(ward))
    return Preview(
        located,
        wards()[located.ward].name,
        await catalogue.offices_near(located.place),
    )


async def proposed(given: Typed) -> Preview | None:
    """Preview for what was typed so far, if that can be found."""
    service = given.get("service")
    other = "recipient" if service == "receive" else "filer"
    part = other if given.get(other) else "owner"
    try:
        return await preview(given.get(f"{part}.address"), given.get(f"{part}.ward"))
    except BadAddress:
        return None


async def choices() -> dict[str, Any]:
    """Give what the lists of the form offer."""
    return {
        "procedures": await catalogue.procedures(),
        "agencies": await catalogue.agencies(),
        "offices": await catalogue.offices(),
        "wards": list(wards().values()),
        "most_papers": MOST_PAPERS,
        "most_codes": MOST_CODES,
        "sources": SOURCES,
    }


def sentences(fault: BadInput, lang: str) -> dict[str, str]:
    """Say each field's problem; the first one when a field has several."""
    told: dict[str, str] = {}
    for each in fault.problems:
        told.setdefault(each.field, each.detail_vi if lang == "vi" else each.detail)
    return told
