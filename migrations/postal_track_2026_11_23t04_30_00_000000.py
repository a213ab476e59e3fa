"""The words of an irregularity can be erased, and what is to be erased is found."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T04:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Words of an irregularity can be erased"

FORWARDS = """
-- What someone wrote by hand may name a person: it goes with him, whenever it was ended. The
-- trigger that guards the rest looks only at what is not such an erasure.
DROP TRIGGER irregularity_ends ON irregularity;
CREATE TRIGGER irregularity_ends BEFORE UPDATE ON irregularity FOR EACH ROW
    WHEN (NOT (to_jsonb(NEW) - ARRAY['detail', 'ending'] = to_jsonb(OLD) - ARRAY['detail', 'ending']
        AND NEW.detail = '' AND (NEW.ending = OLD.ending OR NEW.ending = '-')))
    EXECUTE FUNCTION irregularity_ends();

-- A scan that was refused is kept by what was read; of old ones the words go.
CREATE INDEX refused_scan_kept ON refused_scan (code) WHERE scan <> '{}'::jsonb;
-- Confirmed requests as supervisors look at them.
CREATE INDEX citizen_request_confirmed ON citizen_request (confirmed_at)
    WHERE confirmed_at IS NOT NULL;
"""

BACKWARDS = """
DROP INDEX citizen_request_confirmed, refused_scan_kept;
DROP TRIGGER irregularity_ends ON irregularity;
CREATE TRIGGER irregularity_ends BEFORE UPDATE ON irregularity
    FOR EACH ROW EXECUTE FUNCTION irregularity_ends();
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
