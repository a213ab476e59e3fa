"""What handover papers promise, kept by the database."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T01:29:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "Papers are numbered in a row and stay as they were made"

FORWARDS = """
CREATE SEQUENCE handover_record_serial MAXVALUE 99999999;

-- A paper that was signed is not changed, and no line is slipped in later: its digest would tell.
CREATE TRIGGER handover_record_append_only BEFORE UPDATE OR DELETE ON handover_record
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER handover_record_line_append_only BEFORE UPDATE OR DELETE ON handover_record_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER handover_record_line_append_only ON handover_record_line;
DROP TRIGGER handover_record_append_only ON handover_record;
DROP SEQUENCE handover_record_serial;
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
