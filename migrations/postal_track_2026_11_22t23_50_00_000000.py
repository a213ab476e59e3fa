"""Where the labels of a pool are found: few of them in a long table."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T23:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Index of the labels of a pool"

FORWARDS = "CREATE INDEX label_of_pool ON label (pool) WHERE pool IS NOT NULL"
BACKWARDS = "DROP INDEX label_of_pool"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="postal_track", description=DESCRIPTION)
    manager.add_raw(_up)
    manager.add_raw_backwards(_down)
    return manager


async def _up() -> None:
    await _run(FORWARDS)


async def _down() -> None:
    await _run(BACKWARDS)


async def _run(statement: str) -> None:
    engine = engine_finder()
    async with engine.transaction() as current:
        await current.connection.execute(statement)
