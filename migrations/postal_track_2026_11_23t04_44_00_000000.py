"""One index of an item's lines is enough."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T04:44:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Find an item's lines by the one index that keeps them in a row"

FORWARDS = """
-- The lines of an item are few, and event_one_line (item, seq) finds them all: sorting them by time
-- costs less than a third index that every scan must write to, at a place of its own.
DROP INDEX event_story;
"""

BACKWARDS = """
CREATE INDEX event_story ON event (item, at, seq);
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
    # Many statements at once: asyncpg's simple protocol, on Piccolo's transaction.
    engine = engine_finder()
    async with engine.transaction() as current:
        await current.connection.execute(statements)
