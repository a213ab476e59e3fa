"""What irregularities, minutes and claims promise, kept by the database."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:55:40:000000"
VERSION = "1.38.0"
DESCRIPTION = "Irregularities end once and by whom they may, claims go one way"

FORWARDS = """
-- The list of what is to be put right, the most overdue first.
CREATE INDEX irregularity_due ON irregularity (due_at, id) WHERE ended_at IS NULL;
CREATE INDEX irregularity_ended ON irregularity (ended_at DESC, id DESC) WHERE ended_at IS NOT NULL;
CREATE INDEX minute_of_irregularity ON minute (irregularity, id);
CREATE INDEX claim_of_item ON claim (item, id);
CREATE INDEX claim_waiting ON claim (settle_by, id) WHERE state IN ('opened', 'accepted');
-- What was told since a moment; the ledger is written in that order.
CREATE INDEX event_recorded ON event USING brin (recorded_at) WITH (pages_per_range = 16, autosummarize = on);

-- One claim of a kind for one item at a time.
CREATE UNIQUE INDEX claim_one_open ON claim (item, kind) WHERE state IN ('opened', 'accepted');

-- An end is final. What two sides must agree on ends with the word of both, or by a supervisor;
-- a line that was declared wrong takes its irregularity with it.
CREATE FUNCTION irregularity_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.ended_at IS NOT NULL THEN
    RAISE EXCEPTION 'irregularity % has ended', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF (NEW.item, NEW.kind, NEW.opened_at) IS DISTINCT FROM (OLD.item, OLD.kind, OLD.opened_at)
     OR NEW.event IS DISTINCT FROM OLD.event THEN
    RAISE EXCEPTION 'irregularity % stays what it is', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.ended_at IS NULL OR NEW.kind NOT IN ('count_mismatch', 'seal_broken', 'damaged') THEN
    RETURN NEW;
  END IF;
  IF EXISTS (SELECT FROM staff WHERE id = NEW.ended_by AND role = 'supervisor')
     OR EXISTS (SELECT FROM event WHERE corrects = NEW.event)
     OR EXISTS (SELECT FROM minute g JOIN minute r ON r.irregularity = g.irregularity
                WHERE g.irregularity = NEW.id AND g.side = 'giver' AND r.side = 'receiver'
                  AND g.by <> r.by) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'irregularity % needs the minutes of both sides', NEW.id
    USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER irregularity_ends BEFORE UPDATE ON irregularity
    FOR EACH ROW EXECUTE FUNCTION irregularity_ends();
CREATE TRIGGER irregularity_kept BEFORE DELETE ON irregularity
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What was stated stays; its words, and a picture, may be erased for the person they speak of.
CREATE FUNCTION only_erase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_jsonb(NEW) - TG_ARGV[0] = to_jsonb(OLD) - TG_ARGV[0]
     AND coalesce(to_jsonb(NEW) ->> TG_ARGV[0], '') = '' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER minute_append_only BEFORE UPDATE ON minute
    FOR EACH ROW EXECUTE FUNCTION only_erase('words');
CREATE TRIGGER minute_kept BEFORE DELETE ON minute
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER envelope_photo_append_only BEFORE UPDATE ON envelope_photo
    FOR EACH ROW EXECUTE FUNCTION only_erase('picture');
CREATE TRIGGER envelope_photo_kept BEFORE DELETE ON envelope_photo
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Nothing is stated about what has ended.
CREATE FUNCTION irregularity_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT ended_at FROM irregularity WHERE id = NEW.irregularity FOR SHARE) IS NOT NULL THEN
    RAISE EXCEPTION 'irregularity % has ended', NEW.irregularity USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER minute_while_open BEFORE INSERT ON minute
    FOR EACH ROW EXECUTE FUNCTION irregularity_open();
CREATE TRIGGER envelope_photo_while_open BEFORE INSERT ON envelope_photo
    FOR EACH ROW EXECUTE FUNCTION irregularity_open();

-- opened -> accepted or rejected, accepted -> settled; what was decided is not decided again.
CREATE FUNCTION claim_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state, NEW.state) IN (('opened', 'accepted'), ('opened', 'rejected'), ('accepted', 'settled'))
     AND (OLD.decided_at IS NULL OR (NEW.amount, NEW.least, NEW.postage, NEW.reason)
          IS NOT DISTINCT FROM (OLD.amount, OLD.least, OLD.postage, OLD.reason)) THEN
    RETURN NEW;
  END IF;
  IF to_jsonb(NEW) - 'words' = to_jsonb(OLD) - 'words' AND NEW.words = '' THEN
    RETURN NEW;  -- erased
  END IF;
  RAISE EXCEPTION 'claim % cannot go from % to %', OLD.number, OLD.state, NEW.state
    USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER claim_goes_on BEFORE UPDATE ON claim
    FOR EACH ROW EXECUTE FUNCTION claim_goes_on();
CREATE TRIGGER claim_kept BEFORE DELETE ON claim
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER claim_kept ON claim;
DROP TRIGGER claim_goes_on ON claim;
DROP FUNCTION claim_goes_on;
DROP TRIGGER envelope_photo_while_open ON envelope_photo;
DROP TRIGGER minute_while_open ON minute;
DROP FUNCTION irregularity_open;
DROP TRIGGER envelope_photo_kept ON envelope_photo;
DROP TRIGGER envelope_photo_append_only ON envelope_photo;
DROP TRIGGER minute_kept ON minute;
DROP TRIGGER minute_append_only ON minute;
DROP FUNCTION only_erase;
DROP TRIGGER irregularity_kept ON irregularity;
DROP TRIGGER irregularity_ends ON irregularity;
DROP FUNCTION irregularity_ends;
DROP INDEX claim_one_open, event_recorded, claim_waiting, claim_of_item,
    minute_of_irregularity, irregularity_ended, irregularity_due;
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
