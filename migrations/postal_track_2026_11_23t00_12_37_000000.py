"""What the outbox needs beyond its columns: the short lists that workers and pages read."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:12:37:000000"
VERSION = "1.38.0"
DESCRIPTION = "Indexes of the outbox"

FORWARDS = """
-- What a worker looks for: a few rows out of millions that are done.
CREATE INDEX sms_message_due ON sms_message (due_at, id) WHERE due_at IS NOT NULL;
-- Of two texts that may be the one a gateway shows us, only one can be it.
CREATE UNIQUE INDEX sms_message_adopted_once ON sms_message (gateway, provider_id)
    WHERE provider_id IS NOT NULL;
CREATE INDEX sms_message_of_number ON sms_message (recipient, id);
CREATE INDEX sms_message_of_group ON sms_message ("group", id) WHERE "group" <> '';
CREATE INDEX sms_message_created ON sms_message (created_at);
CREATE INDEX sms_message_missed ON sms_message (status, id)
    WHERE status IN ('undelivered', 'failed', 'expired', 'suppressed');
CREATE INDEX sms_message_again ON sms_message (resend_of) WHERE resend_of IS NOT NULL;
CREATE INDEX sms_call_open ON sms_call (opened_at) WHERE closed_at IS NULL;

-- What was given may be no number at all: such a text is kept, and ends with a call.
ALTER TABLE sms_message DROP CONSTRAINT number_shape;
ALTER TABLE sms_message ADD CONSTRAINT number_shape
    CHECK (recipient = '' OR recipient ~ '^\\+[0-9]{6,15}$');
"""

BACKWARDS = """
DROP INDEX sms_message_due, sms_message_adopted_once, sms_message_of_number,
    sms_message_of_group, sms_message_created, sms_message_missed, sms_message_again,
    sms_call_open;
ALTER TABLE sms_message DROP CONSTRAINT number_shape;
ALTER TABLE sms_message ADD CONSTRAINT number_shape CHECK (
    recipient ~ '^\\+[0-9]{6,15}$' OR (erased_at IS NOT NULL AND recipient = '')
);
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
