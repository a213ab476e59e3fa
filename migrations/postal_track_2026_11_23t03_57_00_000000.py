"""What memberships promise, and indexes for what is asked of people's work."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T03:57:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Who let whom into a unit stays; what is asked of readings and of an agency's work"

FORWARDS = """
-- Whoever is in a unit sees its citizens: who let him in is not to be rewritten.
CREATE TRIGGER membership_change_append_only BEFORE UPDATE OR DELETE ON membership_change
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE INDEX membership_change_of_agency ON membership_change (agency, id DESC);
-- The auditor asks by day and by person.
CREATE INDEX reading_at ON reading (at, id);
CREATE INDEX reading_of_staff ON reading (staff, at);
-- A unit's chief asks what its people said lately; lines of the road are not touched.
CREATE INDEX event_of_agency ON event (place, recorded_at) WHERE place LIKE 'agency:%';
"""

BACKWARDS = """
DROP INDEX event_of_agency, reading_of_staff, reading_at, membership_change_of_agency;
DROP TRIGGER membership_change_append_only ON membership_change;
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
