"""A statement is written after the payments that it tells of."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T04:14:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "A statement counts what was new in it, and so comes after its payments"

FORWARDS = """
ALTER TABLE payment ALTER CONSTRAINT payment_statement_fkey DEFERRABLE INITIALLY IMMEDIATE;
"""

BACKWARDS = """
ALTER TABLE payment ALTER CONSTRAINT payment_statement_fkey NOT DEFERRABLE;
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
