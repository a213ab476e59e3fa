"""What a checkpoint promises, kept by the database: no edit, no delete, found by waybill."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:30:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "Append-only checkpoints, indexes of what was sealed"

FORWARDS = """
CREATE TRIGGER checkpoint_append_only BEFORE UPDATE OR DELETE ON checkpoint
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sealed_head_append_only BEFORE UPDATE OR DELETE ON sealed_head
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sealed_head_no_truncate BEFORE TRUNCATE ON sealed_head
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Leaves stand in the order of their bytes, whatever language the database speaks. A line
-- is sealed once: what has no new line is not sealed anew.
CREATE UNIQUE INDEX sealed_head_once ON sealed_head (waybill COLLATE "C", seq);
-- What one checkpoint sealed, in the order of its leaves.
CREATE INDEX sealed_head_of_checkpoint ON sealed_head (checkpoint, waybill COLLATE "C");
"""

BACKWARDS = """
DROP INDEX sealed_head_once, sealed_head_of_checkpoint;
DROP TRIGGER sealed_head_no_truncate ON sealed_head;
DROP TRIGGER sealed_head_append_only ON sealed_head;
DROP TRIGGER checkpoint_no_truncate ON checkpoint;
DROP TRIGGER checkpoint_append_only ON checkpoint;
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
