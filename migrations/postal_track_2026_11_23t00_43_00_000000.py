"""The codes of a dossier, wherever one is named."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:43:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Find the codes of a dossier"

FORWARDS = """
-- Every list, desk and text names a dossier by its codes.
CREATE INDEX dossier_code_of_dossier ON dossier_code (dossier, id);
"""

BACKWARDS = """
DROP INDEX dossier_code_of_dossier;
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
