"""What a citizen's requests promise, kept by the database."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T03:51:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "A request goes one way, and is done as it was asked"

FORWARDS = """
-- asked -> confirmed, refused or expired; confirmed -> applied or refused. What was asked is
-- what is done: the payload never changes, it can only be erased.
CREATE FUNCTION citizen_request_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.act, NEW.digest, NEW.asked_at, NEW.part)
        IS DISTINCT FROM (OLD.id, OLD.act, OLD.digest, OLD.asked_at, OLD.part)
     OR (NEW.payload IS DISTINCT FROM OLD.payload AND NEW.payload <> '{}'::jsonb)
     OR (NEW.phone IS DISTINCT FROM OLD.phone AND NEW.phone <> '')
     OR (OLD.dossier IS NOT NULL AND NEW.dossier IS DISTINCT FROM OLD.dossier)
     OR (OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at)
     OR (OLD.decided_at IS NOT NULL AND NEW.decided_at IS DISTINCT FROM OLD.decided_at) THEN
    RAISE EXCEPTION 'request % stays what it is', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (('asked', 'confirmed'),
      ('asked', 'refused'), ('asked', 'expired'), ('confirmed', 'applied'), ('confirmed', 'refused')) THEN
    RAISE EXCEPTION 'request % cannot go from % to %', OLD.id, OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER citizen_request_goes_on BEFORE UPDATE ON citizen_request
    FOR EACH ROW EXECUTE FUNCTION citizen_request_goes_on();
CREATE TRIGGER citizen_request_kept BEFORE DELETE ON citizen_request
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- One question at a time: a newer one of its kind takes the place of the one before.
CREATE UNIQUE INDEX citizen_request_one_asked ON citizen_request (dossier, act)
    WHERE state = 'asked' AND act <> 'book';
-- One erasure waits for its word, or for its day.
CREATE UNIQUE INDEX citizen_request_one_erasure ON citizen_request (dossier, part)
    WHERE state = 'confirmed' AND act = 'erasure';
-- What a sweep looks for: what ran out, and what was confirmed and not yet done.
CREATE INDEX citizen_request_waiting ON citizen_request (expires_at)
    WHERE state IN ('asked', 'confirmed');
-- What a sweep still has to forget.
CREATE INDEX citizen_request_to_forget ON citizen_request (ended_at)
    WHERE state IN ('expired', 'refused') AND phone <> '';

-- A rating can be changed within a day; its words can be erased at any time.
CREATE FUNCTION rating_within_a_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.dossier <> OLD.dossier OR NEW.said_at <> OLD.said_at THEN
    RAISE EXCEPTION 'the rating of dossier % stays its own', OLD.dossier
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.stars = OLD.stars AND NEW.line = '' THEN
    RETURN NEW;
  END IF;
  IF OLD.said_at < now() - interval '1 day' THEN
    RAISE EXCEPTION 'the rating of dossier % is a day old', OLD.dossier
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER rating_within_a_day BEFORE UPDATE ON rating
    FOR EACH ROW EXECUTE FUNCTION rating_within_a_day();
CREATE TRIGGER rating_kept BEFORE DELETE ON rating
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER erasure_append_only BEFORE UPDATE OR DELETE ON erasure
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

BACKWARDS = """
DROP TRIGGER erasure_append_only ON erasure;
DROP TRIGGER rating_kept ON rating;
DROP TRIGGER rating_within_a_day ON rating;
DROP FUNCTION rating_within_a_day;
DROP INDEX citizen_request_to_forget, citizen_request_waiting, citizen_request_one_erasure,
    citizen_request_one_asked;
DROP TRIGGER citizen_request_kept ON citizen_request;
DROP TRIGGER citizen_request_goes_on ON citizen_request;
DROP FUNCTION citizen_request_goes_on;
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
