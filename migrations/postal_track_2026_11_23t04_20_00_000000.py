"""One open item of a kind for a dossier: asked at its birth, not at each of its steps."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T04:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What turns up again is recorded, whatever was born meanwhile"

FORWARDS = """
-- As an index this refused to record that an ended item moved again (a lost result turns up, a
-- return is corrected) once another of its kind was under way. What happened is recorded, so the
-- rule holds for births only. Refused and recovered papers come envelope by envelope.
DROP INDEX item_open_leg;
CREATE FUNCTION item_open_leg() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM dossier WHERE id = NEW.dossier FOR NO KEY UPDATE;  -- one birth after the other
  IF EXISTS (SELECT FROM item WHERE dossier = NEW.dossier AND leg = NEW.leg AND stage NOT IN
      ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost')) THEN
    RAISE EXCEPTION 'dossier % has an open item of the leg %', NEW.dossier, NEW.leg
      USING ERRCODE = 'unique_violation', CONSTRAINT = 'item_open_leg';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER item_open_leg BEFORE INSERT ON item FOR EACH ROW
    WHEN (NEW.leg NOT IN ('bring_back', 'old_papers')) EXECUTE FUNCTION item_open_leg();
"""

BACKWARDS = """
DROP TRIGGER item_open_leg ON item;
DROP FUNCTION item_open_leg;
CREATE UNIQUE INDEX item_open_leg ON item (dossier, leg) WHERE stage NOT IN
    ('received', 'delivered', 'refused', 'returned', 'cancelled', 'lost');
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
