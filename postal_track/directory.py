"""What parties are called: offices, agencies and staff by name.

Names change seldom and are shown on every answer, so each process keeps them and reads
them again when it meets a party it does not know, or after a minute.
"""

import time
from dataclasses import dataclass, field

from postal_track.custody import CITIZEN, SYSTEM, Party, PartyKind
from postal_track.database import transaction

FRESH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Named:
    """A party's names: whole, and for staff also where he belongs.

    ``ward``: the code of that of an office or agency.
    """

    name: str
    name_en: str
    where: str = ""
    ward: str = ""


_PEOPLE = {
    CITIZEN: Named("Người dân", "The citizen"),
    SYSTEM: Named("Hệ thống", "The system"),
}


@dataclass(slots=True)
class _Shelf:
    names: dict[Party, Named] = field(default_factory=dict)
    read_at: float = float("-inf")


_shelf = _Shelf()


async def names(wanted: set[Party]) -> dict[Party, Named]:
    """Give the names of these parties.

    One that does not exist is named as it is written.
    """
    stale = time.monotonic() - _shelf.read_at > FRESH_SECONDS
    if stale or not wanted <= _shelf.names.keys():
        await _read()
    return {
        party: _shelf.names.get(party, Named(str(party), str(party)))
        for party in wanted
    }


def forget() -> None:
    """Read everything anew at the next question."""
    _shelf.read_at = float("-inf")


async def _read() -> None:
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT 'office' AS kind, id, name, name AS name_en, '' AS place, ward
            FROM office
            UNION ALL SELECT 'agency', id, name, name_en, '', ward FROM agency
            UNION ALL SELECT 'staff', s.id, s.name, s.name, coalesce(o.name, ''), ''
            FROM staff s
                LEFT JOIN office o ON o.id = s.office
            """
        )
    _shelf.names = _PEOPLE | {
        Party(PartyKind(row["kind"]), row["id"]): Named(
            row["name"], row["name_en"], row["place"], row["ward"]
        )
        for row in rows
    }
    _shelf.read_at = time.monotonic()
