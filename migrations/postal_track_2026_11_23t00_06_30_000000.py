"""What is still in hand, now that a journey can end in more ways."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:06:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes of what is in hand; one open item of a leg"

FORWARDS = """
DROP INDEX item_held;
CREATE INDEX item_held ON item (holder) WHERE stage NOT IN
    ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost');
-- A dossier has one open item of a kind; after it has ended there may be another.
CREATE UNIQUE INDEX item_open_leg ON item (dossier, leg) WHERE stage NOT IN
    ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost');
CREATE INDEX item_of_dossier ON item (dossier, id);
CREATE INDEX item_in_bag ON item (bag) WHERE bag IS NOT NULL;
-- A line is declared wrong once; the declaration itself is what would be corrected next.
CREATE UNIQUE INDEX event_corrected_once ON event (corrects) WHERE corrects IS NOT NULL;
"""

BACKWARDS = """
DROP INDEX item_held, item_open_leg, item_of_dossier, item_in_bag, event_corrected_once;
CREATE INDEX item_held ON item (holder) WHERE stage NOT IN ('received', 'delivered');
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="postal_track", description=DESCRIPTION)
    manager.add_raw(_up)
    manager.add_raw_backwards(_down)
    return manager


async def _up() -> None:
    await _run(FORWARDS)


async def _down() -> None:
    await _run(BACKWARDS)


async def _run(statements: str) -> None:
    engine = engine_finder()
    async with engine.transaction() as current:
        await current.connection.execute(statements)
