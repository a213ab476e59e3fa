"""What bags and receiving sessions promise, kept by the database: by trigger and index."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:43:40:000000"
VERSION = "1.38.0"
DESCRIPTION = "Bag numbers, indexes of bags, differences that need a reason"

FORWARDS = """
CREATE SEQUENCE bag_serial MINVALUE 1 MAXVALUE 99999999 NO CYCLE;

-- What was put into a bag, and what is in it: few rows of long tables.
CREATE INDEX event_packed ON event (bag) WHERE step = 'packed';
CREATE INDEX bag_at ON bag (holder) WHERE opened_at IS NULL;
CREATE INDEX bag_promised ON bag (released_to) WHERE released_to IS NOT NULL;
CREATE INDEX bag_destined ON bag (destination) WHERE opened_at IS NULL;

-- Two people who open one bag, or count one pile, do it together.
CREATE UNIQUE INDEX handover_one_of_bag ON handover (bag)
    WHERE ended_at IS NULL AND bag IS NOT NULL;
CREATE UNIQUE INDEX handover_one_of_pile ON handover (giver, receiver)
    WHERE ended_at IS NULL AND bag IS NULL;
CREATE INDEX handover_of_receiver ON handover (receiver, begun_at DESC);
CREATE INDEX handover_of_giver ON handover (giver, begun_at DESC);
CREATE INDEX handover_line_of_item ON handover_line (item);

CREATE TRIGGER bag_scan_append_only BEFORE UPDATE OR DELETE ON bag_scan
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bag_scan_no_truncate BEFORE TRUNCATE ON bag_scan
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER handover_kept BEFORE DELETE ON handover
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER handover_line_kept BEFORE DELETE ON handover_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A session ends once; whatever it is ended by, every line has an outcome then, and a
-- count that differs from what was found has its explanation.
CREATE FUNCTION handover_ends() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE found int;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'handover % has ended', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.ended_at IS NULL OR NEW.ending = 'cancelled' THEN
    RETURN NEW;
  END IF;
  IF EXISTS (SELECT FROM handover_line WHERE handover = NEW.id AND outcome IS NULL) THEN
    RAISE EXCEPTION 'handover % has lines without an outcome', NEW.id
      USING ERRCODE = 'check_violation';
  END IF;
  SELECT count(*) INTO found FROM handover_line
    WHERE handover = NEW.id AND outcome <> 'missing';
  IF NEW.way = 'count' AND NEW.counted IS NULL THEN
    RAISE EXCEPTION 'handover % was not counted', NEW.id
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.counted <> found AND NEW.note = '' THEN
    RAISE EXCEPTION 'handover %: counted %, found %', NEW.id, NEW.counted, found
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER handover_ends BEFORE INSERT OR UPDATE ON handover
    FOR EACH ROW EXECUTE FUNCTION handover_ends();

CREATE FUNCTION handover_line_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT ended_at FROM handover WHERE id = NEW.handover FOR SHARE) IS NOT NULL THEN
    RAISE EXCEPTION 'handover % has ended', NEW.handover
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER handover_line_open BEFORE INSERT OR UPDATE ON handover_line
    FOR EACH ROW EXECUTE FUNCTION handover_line_open();
"""

BACKWARDS = """
DROP TRIGGER handover_line_open ON handover_line;
DROP FUNCTION handover_line_open;
DROP TRIGGER handover_ends ON handover;
DROP FUNCTION handover_ends;
DROP TRIGGER handover_line_kept ON handover_line;
DROP TRIGGER handover_kept ON handover;
DROP TRIGGER bag_scan_no_truncate ON bag_scan;
DROP TRIGGER bag_scan_append_only ON bag_scan;
DROP INDEX handover_line_of_item, handover_of_giver, handover_of_receiver,
    handover_one_of_pile, handover_one_of_bag, bag_destined, bag_promised, bag_at,
    event_packed;
DROP SEQUENCE bag_serial;
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
