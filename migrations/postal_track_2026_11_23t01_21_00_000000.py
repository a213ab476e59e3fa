"""What the end of a shift promises, kept by the database."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T01:21:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Who went home with what stays as it was said"

FORWARDS = """
-- A supervisor's page: one office, one day; and when someone last went home.
CREATE INDEX shift_end_of_office ON shift_end (office, ended_at);
CREATE INDEX shift_end_of_staff ON shift_end (staff, ended_at);
-- Whether an item was explained.
CREATE INDEX shift_line_of_item ON shift_line (item);

-- What was said at the end of a day is not unsaid; a note may be erased for the person it speaks of.
CREATE TRIGGER shift_end_append_only BEFORE UPDATE OR DELETE ON shift_end
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER shift_line_append_only BEFORE UPDATE ON shift_line
    FOR EACH ROW EXECUTE FUNCTION only_erase('note');
CREATE TRIGGER shift_line_kept BEFORE DELETE ON shift_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER shift_line_kept ON shift_line;
DROP TRIGGER shift_line_append_only ON shift_line;
DROP TRIGGER shift_end_append_only ON shift_end;
DROP INDEX shift_line_of_item, shift_end_of_staff, shift_end_of_office;
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
