"""One pool, one transaction per use case, and what becomes of it when things fail."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from piccolo.apps.migrations.tables import Migration

from postal_track.database import close_pool, engine, migrate, open_pool, transaction
from postal_track.settings import ROOT, settings
from postal_track.stack import DATABASE_FAULTS, StackError


@pytest.fixture
async def slips(database: Any) -> AsyncIterator[Any]:
    """A table whose rule is looked at only when a transaction commits."""
    await database.execute(
        "CREATE TABLE slip (number int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
    )
    yield database
    await database.execute("DROP TABLE slip")


def held() -> int:
    """How many connections of the pool somebody has."""
    pool = engine().pool
    assert pool is not None
    return int(pool.get_size() - pool.get_idle_size())


async def migrate_in(address: str) -> tuple[int | None, str]:
    """Run the command on another database; how it ended and what it said."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "postal_track", "migrate"),
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": address},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await child.communicate()
    return child.returncode, said.decode()


async def test_a_block_that_ends_is_written(slips: Any) -> None:
    async with transaction() as connection:
        await connection.execute("INSERT INTO slip VALUES (1)")
        assert await slips.fetchval("SELECT count(*) FROM slip") == 0
    assert await slips.fetchval("SELECT count(*) FROM slip") == 1


async def test_a_block_that_raises_is_undone(slips: Any) -> None:
    async def write() -> None:
        async with transaction() as connection:
            await connection.execute("INSERT INTO slip VALUES (1)")
            raise LookupError

    with pytest.raises(LookupError):
        await write()
    assert await slips.fetchval("SELECT count(*) FROM slip") == 0


async def test_a_block_within_joins_the_outer_one(slips: Any) -> None:
    async def write() -> None:
        async with transaction() as outer:
            async with transaction() as inner:
                await inner.execute("INSERT INTO slip VALUES (1)")
            assert inner is outer
            raise LookupError

    with pytest.raises(LookupError):
        await write()
    assert await slips.fetchval("SELECT count(*) FROM slip") == 0


async def test_piccolo_joins_the_block(database: Any) -> None:
    found = "SELECT count(*) FROM migration WHERE name = 'none'"

    async def write() -> None:
        async with transaction() as connection:
            await Migration.insert(Migration(name="none", app_name="none"))
            assert await connection.fetchval(found) == 1
            raise LookupError

    with pytest.raises(LookupError):
        await write()
    assert await database.fetchval(found) == 0


async def test_a_commit_that_fails_gives_its_connection_back(slips: Any) -> None:
    for _ in range(settings().DB_POOL_SIZE + 1):
        with pytest.raises(asyncpg.UniqueViolationError):
            async with transaction() as connection:
                await connection.execute("INSERT INTO slip VALUES (1), (1)")
        assert not engine().transaction_exists()
    assert held() == 0


async def test_a_connection_that_is_cut_is_replaced(database: Any) -> None:
    async def be_cut() -> None:
        async with transaction() as connection:
            own = await connection.fetchval("SELECT pg_backend_pid()")
            await database.execute("SELECT pg_terminate_backend($1)", own)
            await connection.execute("SELECT 1")

    for _ in range(settings().DB_POOL_SIZE + 1):
        with pytest.raises(DATABASE_FAULTS):
            await be_cut()
        assert not engine().transaction_exists()
    async with transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_two_tasks_have_two_transactions(slips: Any) -> None:
    async def write(number: int) -> Any:
        async with transaction() as connection:
            await connection.execute("INSERT INTO slip VALUES ($1)", number)
            await asyncio.sleep(0)
            return await connection.fetchval("SELECT txid_current()")

    first, second = await asyncio.gather(write(1), write(2))
    assert first != second


@pytest.mark.parametrize(
    "value", [{"a": [1, None, "ư"]}, [1, 2], 3, True, {"nested": {"b": "c"}}]
)
@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_json_comes_back_as_it_went(
    database: Any, kind: str, value: object
) -> None:
    # What goes is Python; only the statement says which of the two it is.
    said = await database.fetchval(f"SELECT $1::{kind}", value)
    assert said == value


async def test_text_is_taken_to_be_json_already(database: Any) -> None:
    """As Piccolo's columns hand it over."""
    assert await database.fetchval("SELECT $1::jsonb", '{"a": 1}') == {"a": 1}


async def test_a_pool_opened_twice_is_closed_at_the_second_close(pool: None) -> None:
    await open_pool()
    await close_pool()
    async with transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_migrating_what_is_up_to_date_changes_nothing(database: Any) -> None:
    rows = "SELECT id, name, ran_on FROM migration ORDER BY id"
    before = await database.fetch(rows)
    await migrate()
    assert before
    assert await database.fetch(rows) == before


async def test_several_that_migrate_at_once_do_it_once(
    new_database: Callable[[bool], Awaitable[str]],
) -> None:
    empty = await new_database(False)
    ended = await asyncio.gather(*(migrate_in(empty) for _ in range(3)))
    assert ended == [(0, "")] * 3
    connection = await asyncpg.connect(dsn=empty)
    names = [
        row["name"] for row in await connection.fetch("SELECT name FROM migration")
    ]
    await connection.close()
    assert names
    assert len(names) == len(set(names))


async def test_an_engine_without_a_server_says_so(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    nobody = replace(settings(), DATABASE_URL=f"postgresql://127.0.0.1:{free_port}/x")
    monkeypatch.setattr(engine(), "chosen", nobody)
    with pytest.raises(StackError, match="The database does not answer"):
        await engine().get_new_connection()
