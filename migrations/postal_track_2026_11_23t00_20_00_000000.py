"""Finding a dossier by what people know of it: a code, four digits, a name."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-23T00:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Search by dossier code, last four digits and name"

FORWARDS = """
-- Names are typed without marks and in any order: "hoa nguyen" finds "Nguyễn Thị Hoa".
CREATE FUNCTION without_marks(words text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(
    regexp_replace(normalize(lower(words), NFD), '[\\u0300-\\u036f]', '', 'g'), 'đ', 'd'
);
CREATE INDEX person_by_name ON person
    USING gin (to_tsvector('simple'::regconfig, without_marks(name)));
CREATE INDEX person_by_last_four ON person (right(phone, 4));
-- The unique index begins with the source, which a searcher does not know.
CREATE INDEX dossier_code_as_typed ON dossier_code (upper(code));
"""

BACKWARDS = """
DROP INDEX dossier_code_as_typed, person_by_last_four, person_by_name;
DROP FUNCTION without_marks(text);
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
