"""What the ledger promises, kept by the database: no edit, no delete, waybills never twice."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T23:41:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Append-only ledger, waybill numbers, indexes"

FORWARDS = """
-- Waybills are sequential; a number that was given out is never given again.
CREATE SEQUENCE waybill_serial MINVALUE 1 MAXVALUE 99999999 START 10000001 NO CYCLE;

-- A mistake in the ledger is mended by a correction that names it, never by an edit.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reading_append_only BEFORE UPDATE OR DELETE ON reading
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reading_no_truncate BEFORE TRUNCATE ON reading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What someone holds, and what is promised to him: short lists out of a long table.
CREATE INDEX item_held ON item (holder) WHERE stage NOT IN ('received', 'delivered');
CREATE INDEX item_promised ON item (released_to) WHERE released_to IS NOT NULL;
CREATE INDEX item_to_collect ON item (bound_for) WHERE stage = 'booked';
-- The reading of a story in the order of what happened.
CREATE INDEX event_story ON event (item, at, seq);
CREATE INDEX label_item ON label (item);
CREATE INDEX code_in_force ON one_time_code (item, purpose, id DESC);
CREATE INDEX irregularity_of_item ON irregularity (item);
CREATE INDEX irregularity_open ON irregularity (owner, due_at) WHERE ended_at IS NULL;
CREATE INDEX dossier_of_agency ON dossier (agency, id);
CREATE INDEX dossier_of_office ON dossier (office, id);
CREATE INDEX login_attempt_of_login ON login_attempt (login, at);
CREATE INDEX login_attempt_of_address ON login_attempt (address, at);
CREATE INDEX staff_agency_of_agency ON staff_agency (agency);
CREATE INDEX reading_of_dossier ON reading (dossier, at);
CREATE INDEX refused_scan_at ON refused_scan (at);
"""

BACKWARDS = """
DROP TRIGGER event_append_only ON event;
DROP TRIGGER event_no_truncate ON event;
DROP TRIGGER reading_append_only ON reading;
DROP TRIGGER reading_no_truncate ON reading;
DROP FUNCTION refuse_change();
DROP SEQUENCE waybill_serial;
DROP INDEX item_held, item_promised, item_to_collect, event_story, label_item, code_in_force,
    irregularity_of_item, irregularity_open, dossier_of_agency, dossier_of_office,
    login_attempt_of_login, login_attempt_of_address, staff_agency_of_agency, reading_of_dossier,
    refused_scan_at;
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
    # Many statements at once: asyncpg's simple protocol, on the connection of Piccolo's transaction.
    engine = engine_finder()
    async with engine.transaction() as current:
        await current.connection.execute(statements)
