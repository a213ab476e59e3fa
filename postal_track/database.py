"""One engine, one pool per process, and the transaction that all work happens in.

Hot SQL runs on the connection `transaction()` yields; Piccolo's queries inside the
block join it. Knows no table. With no DATABASE_URL the embedded server is started at
the first connection, never at import.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout, suppress
from functools import cache
from io import StringIO
from typing import Any

import asyncpg
import msgspec
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

from postal_track import stack
from postal_track.settings import ROOT, Settings, settings

# An idle connection costs the server memory, a new one costs a scan 5 ms.
IDLE_SECONDS = 300.0

# The advisory lock of whoever migrates; any number that nobody else uses.
MIGRATING = 5_700_118

# How a file of Piccolo's names its migration.
MIGRATION = re.compile(r"^ID = \"([^\"]+)\"", re.MULTILINE)


class Connection(asyncpg.Connection):  # type: ignore[misc] # carries no types
    """A connection that is not swept between two uses.

    Sweeping costs each transaction one more way to the server and back. In return
    nothing may outlive its transaction: SET LOCAL and pg_advisory_xact_lock only, and
    whoever listens opens a connection of his own.
    """

    __slots__ = ()

    def get_reset_query(self) -> str:
        """Ask for nothing between two uses."""
        return ""


class Transaction(PostgresTransaction):
    """A Piccolo transaction that gives its connection back whatever happens.

    Piccolo's own keeps connection and context when BEGIN, COMMIT or ROLLBACK fails
    (a lost connection, a deferred constraint): the pool runs dry, and what the task
    does next would join a dead transaction.
    """

    __slots__ = ()

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        self.connection = await self.get_connection()  # type: ignore[no-untyped-call]
        try:
            self.transaction = self.connection.transaction()
            await self.begin()  # type: ignore[no-untyped-call]
        except BaseException:
            await self._give_back()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(
        self, exception_type: object, exception: object, traceback: object
    ) -> bool:
        if self._parent is not None:
            return exception is None
        try:
            if exception_type is not None:
                # When the connection is what failed, the server has rolled back, and
                # the first fault is the one to be heard.
                if not self._rolled_back:
                    with suppress(*stack.DATABASE_FAULTS):
                        await self.rollback()  # type: ignore[no-untyped-call]
            elif not self._committed and not self._rolled_back:
                await self.commit()  # type: ignore[no-untyped-call]
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return False

    async def _give_back(self) -> None:
        if self.engine.pool:
            await self.engine.pool.release(self.connection)
        else:
            await self.connection.close()


class Engine(PostgresEngine):
    """Piccolo's engine on our settings, with jsonb read and written as Python values.

    A `str` given for jsonb is taken to be JSON already: that is how Piccolo's columns
    hand it over. Rows come back as dicts and lists, so Piccolo's `load_json` is not
    needed.
    """

    def __init__(self) -> None:
        # How often the pool was opened and not yet closed again.
        self.users = 0
        self.chosen: Settings | None = None
        super().__init__(config={})

    async def check_version(self) -> None:
        """Ask nothing: an import must not open a connection."""

    async def prep_database(self) -> None:
        """Do nothing: no extension is needed."""

    async def start_connection_pool(self, **options: Any) -> None:
        """Open the pool that this process works with."""
        chosen = self.chosen or settings()
        limits = {
            "min_size": 1,
            "max_size": chosen.DB_POOL_SIZE,
            "max_inactive_connection_lifetime": IDLE_SECONDS,
        }
        self.pool = await stack.reach_database(
            asyncpg.create_pool(
                dsn=stack.database_url(chosen),
                connection_class=Connection,
                init=_speak_json,
                **(limits | options),
            )
        )

    async def get_new_connection(self) -> Any:
        """Open a connection outside the pool; the caller closes it."""
        connection = await stack.reach_database(
            asyncpg.connect(dsn=stack.database_url(self.chosen or settings()))
        )
        await _speak_json(connection)
        return connection

    def transaction(self, allow_nested: bool = True) -> Transaction:
        """Begin a transaction, or join the one this task is in."""
        return Transaction(engine=self, allow_nested=allow_nested)


@cache
def engine() -> Engine:
    """Return the one engine of this process."""
    return Engine()


@asynccontextmanager
async def transaction() -> AsyncIterator[Any]:
    """Yield the asyncpg connection of the current transaction; nested, join the outer.

    Commits when the outermost block ends, rolls back when it raises.
    """
    async with engine().transaction() as current:
        yield current.connection


@asynccontextmanager
async def look() -> AsyncIterator[Any]:
    """Yield a connection for one question; inside a transaction, that one's.

    A single statement is a transaction by itself: BEGIN and COMMIT would be two more
    ways to the server and back.
    """
    pool = engine().pool
    if pool is None or engine().current_transaction.get() is not None:
        async with transaction() as connection:
            yield connection
    else:
        async with pool.acquire() as connection:
            yield connection


def given(number: int, kind: str) -> str:
    """Write a list that a statement is given, so that its length stays hidden.

    A planner that sees how long a list is plans every statement anew, in the hope of
    a better plan for just so many rows: that takes longer than running it.
    """
    return f"(SELECT ${number}::{kind}[])::{kind}[]"


async def open_pool(chosen: Settings | None = None) -> None:
    """Open the pool on this event loop; opened twice, it must be closed twice.

    Raises StackError with a sentence when the database cannot be reached.
    """
    if engine().users == 0:
        engine().chosen = chosen
        await engine().start_connection_pool()
    engine().users += 1


async def close_pool() -> None:
    """Close the pool once the last that opened it is done, and leave the stack."""
    engine().users -= 1
    if engine().users == 0:
        await engine().close_connection_pool()
        stack.leave(engine().chosen or settings())


async def migrate() -> None:
    """Bring the tables up to date; of several that start at once, one does the work.

    Raises StackError when a migration fails.
    """
    alone = await engine().get_new_connection()
    try:
        if await _missing(alone):
            await alone.execute("SELECT pg_advisory_lock($1)", MIGRATING)
            await _migrate()
    finally:
        await alone.close()


async def _missing(connection: Any) -> set[str]:
    """Return the migrations that have not run, as Piccolo would find them."""
    files = (ROOT / "migrations").glob("*.py")
    known = {name for file in files for name in MIGRATION.findall(file.read_text())}
    if await connection.fetchval("SELECT to_regclass('migration') IS NULL"):
        return known
    return known - {
        row["name"]
        for row in await connection.fetch(
            "SELECT name FROM migration WHERE app_name = 'postal_track'"
        )
    }


async def _migrate() -> None:
    # Half a second of imports that only a change of tables needs.
    from piccolo.apps.migrations.commands.forwards import run_forwards

    try:
        with redirect_stdout(StringIO()):
            result = await run_forwards("postal_track")
    except asyncpg.PostgresError as fault:
        raise stack.StackError(
            f"The tables cannot be brought up to date: {fault}."
        ) from fault
    if not result.success:
        raise stack.StackError(
            f"The tables cannot be brought up to date: {result.message}."
        )


async def _speak_json(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            encoder=_to_json,
            decoder=msgspec.json.decode,
            format="text",
        )


def _to_json(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
