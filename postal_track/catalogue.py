"""What can be chosen on an order: procedures with their papers, agencies, post offices.

Public knowledge, the same for everyone who asks. Knows neither orders nor persons.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from postal_track import tables
from postal_track.places import Place, distance_m

MOST_LISTED = 5_000
"""The country's list of procedures is about as long; a province has 2,000."""


@dataclass(frozen=True, slots=True)
class PaperAsked:
    """One line of the list of papers that a procedure asks for."""

    name: str
    name_en: str
    originals: int
    copies: int
    required: bool


@dataclass(frozen=True, slots=True)
class Procedure:
    """An administrative procedure. ``days``: working days; ``fee``: VND."""

    code: str
    name: str
    name_en: str
    days: int
    fee: int
    in_person: bool
    takes_back_old: bool
    papers: tuple[PaperAsked, ...] = ()


@dataclass(frozen=True, slots=True)
class Agency:
    """A government agency, by its code."""

    code: str
    name: str
    name_en: str
    ward: str


@dataclass(frozen=True, slots=True)
class Office:
    """A post office that collects and delivers; hubs only sort."""

    id: int
    code: str
    name: str
    ward: str
    place: Place


@dataclass(frozen=True, slots=True)
class Near:
    """An office and how far it is, in metres along the earth's surface."""

    office: Office
    distance_m: int


async def procedures(code: str = "") -> list[Procedure]:
    """List procedures by name, with their papers in order; with a code, that one."""
    wanted = tables.Procedure.select().order_by(tables.Procedure.name)
    if code:
        wanted = wanted.where(tables.Procedure.code == code)
    rows = await wanted.limit(MOST_LISTED)
    asked = await _papers([row["id"] for row in rows])
    return [
        Procedure(
            code=row["code"],
            name=row["name"],
            name_en=row["name_en"],
            days=row["days"],
            fee=row["fee"],
            in_person=row["in_person"],
            takes_back_old=row["takes_back_old"],
            papers=tuple(asked[row["id"]]),
        )
        for row in rows
    ]


async def _papers(of: Sequence[int]) -> dict[int, list[PaperAsked]]:
    paper = tables.ProcedurePaper
    rows = (
        await paper.select()
        .where(paper.procedure.is_in(list(of)))
        .order_by(paper.procedure)
        .order_by(paper.position)
        if of
        else []
    )
    papers: dict[int, list[PaperAsked]] = defaultdict(list)
    for row in rows:
        papers[row["procedure"]].append(
            PaperAsked(
                name=row["name"],
                name_en=row["name_en"],
                originals=row["originals"],
                copies=row["copies"],
                required=row["required"],
            )
        )
    return papers


async def agencies() -> list[Agency]:
    """List the agencies by name."""
    rows = await tables.Agency.select().order_by(tables.Agency.name).limit(MOST_LISTED)
    return [
        Agency(row["code"], row["name"], row["name_en"], row["ward"]) for row in rows
    ]


async def offices() -> list[Office]:
    """List the post offices by name."""
    office = tables.Office
    rows = (
        await office.select()
        .where(office.hub.eq(False))
        .order_by(office.name)
        .limit(MOST_LISTED)
    )
    return [
        Office(
            row["id"],
            row["code"],
            row["name"],
            row["ward"],
            Place(row["lat"], row["lon"]),
        )
        for row in rows
    ]


async def offices_near(place: Place, most: int = 5) -> list[Near]:
    """List the nearest post offices, the nearest first."""
    near = [Near(o, round(distance_m(place, o.place))) for o in await offices()]
    return sorted(near, key=lambda each: (each.distance_m, each.office.code))[:most]
