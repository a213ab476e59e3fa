"""What a carrier's day promises, kept by the database."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T03:53:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Photos of items stay as they were taken; runs are found by carrier"

FORWARDS = """
CREATE TRIGGER item_photo_append_only BEFORE UPDATE ON item_photo
    FOR EACH ROW EXECUTE FUNCTION only_erase('picture');
CREATE TRIGGER item_photo_kept BEFORE DELETE ON item_photo
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE INDEX item_photo_of_item ON item_photo (item);
CREATE INDEX item_photo_of_event ON item_photo (event) WHERE event IS NOT NULL;

CREATE INDEX run_stop_of_staff ON run_stop (staff, on_day);
CREATE INDEX carrier_round_of_staff ON carrier_round (staff);
CREATE INDEX device_of_staff ON device (staff);
-- The few phones that were ever signed out: every process knows them.
CREATE INDEX device_signed_out ON device (signed_out_at) WHERE signed_out_at IS NOT NULL;
"""

BACKWARDS = """
DROP INDEX device_signed_out, device_of_staff, carrier_round_of_staff, run_stop_of_staff,
    item_photo_of_event, item_photo_of_item;
DROP TRIGGER item_photo_kept ON item_photo;
DROP TRIGGER item_photo_append_only ON item_photo;
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
