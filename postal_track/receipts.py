"""What an order became: waybill, office, what was counted, when the post will come.

For the one who has just placed it, by the dossier's token. Holds nothing personal, so
that a page or a print of it tells nobody's name, number or address.
"""

from dataclasses import dataclass
from datetime import date, datetime

from postal_track.database import transaction
from postal_track.errors import NotFound
from postal_track.promises import LOCAL, add_working_days
from postal_track.slots import Half, Slot


@dataclass(frozen=True, slots=True)
class PaperCounted:
    """One line of the list of papers."""

    name: str
    originals: int
    copies: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A dossier as it was just booked.

    ``waybill`` is ``None`` until there is an item: an order to bring a result only
    waits for the result. ``position_source`` says how the address was found.
    ``private``: neither the procedure nor its papers may be named to strangers.
    """

    token: str
    slug: str
    service: str
    waybill: str | None
    procedure: str
    procedure_en: str
    private: bool
    agency: str
    agency_en: str
    office: str
    office_name: str
    position_source: str
    created_at: datetime
    collected_on: date
    slot: Slot | None
    papers: tuple[PaperCounted, ...]


async def find(token: str) -> Receipt:
    """Find what an order became; ``NotFound`` for a token that was never given."""
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT d.id, d.token, d.slug, d.service, i.waybill, p.name AS procedure,
                p.name_en AS procedure_en, p.sensitive AS private, a.name AS agency,
                a.name_en AS agency_en,
                o.code AS office, o.name AS office_name, d.created_at,
                coalesce((SELECT position_source FROM person WHERE dossier = d.id
                    ORDER BY part = CASE d.service WHEN 'receive' THEN 'recipient'
                        ELSE 'filer' END DESC, part = 'owner' DESC LIMIT 1), '')
                    AS position_source,
                (SELECT w.day FROM instruction w WHERE w.dossier = d.id
                    AND w.way = 'pickup') AS wished_on,
                coalesce((SELECT w.half FROM instruction w WHERE w.dossier = d.id
                    AND w.way = 'pickup'), '') AS half
            FROM dossier d JOIN procedure p ON p.id = d.procedure
            JOIN agency a ON a.id = d.agency JOIN office o ON o.id = d.office
            LEFT JOIN item i ON i.dossier = d.id AND i.leg = 'dossier'
            WHERE d.token = $1
            """,
            token,
        )
        if row is None:
            raise NotFound
        papers = await connection.fetch(
            "SELECT name, originals, copies FROM paper WHERE dossier = $1 "
            "ORDER BY position",
            row["id"],
        )
    facts = dict(row)
    facts.pop("id")
    wished, half = facts.pop("wished_on"), facts.pop("half")
    booked_on = row["created_at"].astimezone(LOCAL).date()
    return Receipt(
        **facts,
        collected_on=wished or add_working_days(booked_on, 1),
        slot=Slot(wished, Half(half) if half else None) if wished else None,
        papers=tuple(PaperCounted(**each) for each in papers),
    )
