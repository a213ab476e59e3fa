"""Who has read personal data: the one place that writes it down.

Whoever shows a name, a number or an address to staff, or finds a dossier by one, says
so here in the same transaction. Does not know what was shown, only what for.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from postal_track import tables
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.promises import LOCAL
from postal_track.staff import Actor

READERS = frozenset({Role.CARRIER, Role.CLERK, Role.OFFICER, Role.SUPERVISOR})
"""Who needs persons for his work. Who administers or audits sees the item only."""


def may_read(actor: Actor) -> bool:
    """Whether someone may see personal data of the dossiers within his reach."""
    return actor.role in READERS


async def note(actor: Actor, dossiers: Iterable[int], what: str) -> None:
    """Write down that someone has read of these dossiers' persons, and what for."""
    now = datetime.now(UTC)
    rows = [
        tables.Reading(staff=actor.staff, dossier=dossier, what=what, at=now)
        for dossier in sorted(set(dossiers))
    ]
    if rows:
        await tables.Reading.insert(*rows)


async def note_today(actor: Actor, dossiers: Iterable[int], what: str) -> None:
    """Write it down once a day for each dossier.

    For what a phone carries along and asks for again and again: that somebody had it on
    that day is what there is to know.
    """
    wanted = sorted(set(dossiers))
    if not wanted:
        return
    async with transaction() as connection:
        await connection.execute(
            """
            INSERT INTO reading (staff, dossier, what, at)
            SELECT $1, d, $3::varchar, now() FROM unnest($2::bigint[]) AS d
            WHERE NOT EXISTS (SELECT FROM reading r WHERE r.dossier = d
                AND r.staff = $1 AND r.what = $3::varchar AND r.at >= $4)
            """,
            actor.staff,
            wanted,
            what,
            datetime.now(LOCAL).replace(hour=0, minute=0, second=0, microsecond=0),
        )
