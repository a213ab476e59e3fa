"""What every test may lean on: a real PostgreSQL, Redis, web server and Chromium.

All of it lives in one temporary folder and starts when the first test asks for it.
The environment is set before any of our modules is imported, so that `settings()`
and `engine()` mean this run, in the tests and in the processes they start.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import hypothesis
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from redis.asyncio import Redis

from postal_track.settings import FIELDS, ROOT
from postal_track.stack import Stack
from postal_track.texting import FIELDS as TEXTING_FIELDS

# How long something takes says more of the machine than of the code.
expect.set_options(timeout=20_000)
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

TEMPLATE = "postal_track"
WORKING = "postal_track_test"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="postal-track-"))
    # PostgreSQL has a user of its own when the tests run as root.
    folder.chmod(0o755)
    return folder


RUN = _temporary_folder()
STACK = Stack(RUN, durable=False)
PORT = _free_port()

for name in (*FIELDS, *TEXTING_FIELDS):
    os.environ.pop(name, None)
    os.environ.pop(f"{name}_FILE", None)
os.environ |= {
    "VAR_DIR": str(RUN),
    "PORT": str(PORT),
    "PUBLIC_URL": f"http://127.0.0.1:{PORT}",
    "DATABASE_URL": STACK.postgres.url(WORKING),
    "REDIS_URL": STACK.redis.url(),
    "SECRET_KEY": "the-tests-own-key-that-opens-nothing-else",
    "BANK_BIN": "970403",
    "BANK_ACCOUNT": "0011012345678",
    "BANK_NAME": "Ngân hàng Thử",
    "BANK_HOLDER": "BUU DIEN TINH THU",
    "BANK_FEED_SECRET": "the-bank-s-own-key-that-opens-nothing-else",
    "PORTAL_FEED_SECRET": "the-portal-s-own-key-that-opens-nothing",
}

# The state in which a database is born, and the way back to it. The ledger's triggers
# refuse to forget, so they are silenced for the sweep.
REMEMBER_BIRTH = """
CREATE SCHEMA as_born;
CREATE TABLE as_born.tables (name text, columns text, seeded boolean);
DO $$
DECLARE one record; has_rows boolean; names text;
BEGIN
  FOR one IN
    SELECT oid, relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND NOT relispartition AND relname <> 'migration'
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', one.relname) INTO has_rows;
    SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute
    WHERE attrelid = one.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    INSERT INTO as_born.tables VALUES (one.relname, names, has_rows);
    IF has_rows THEN
      EXECUTE format('CREATE TABLE as_born.%I AS TABLE public.%I',
                     'rows_of_' || one.relname, one.relname);
    END IF;
  END LOOP;
END $$;
CREATE TABLE as_born.sequences AS
  SELECT format('%I.%I', schemaname, sequencename) AS name,
         coalesce(last_value, start_value) AS value, last_value IS NOT NULL AS used
  FROM pg_sequences WHERE schemaname = 'public';
CREATE FUNCTION as_born.restore() RETURNS void LANGUAGE plpgsql AS $$
DECLARE one record; has_rows boolean; dirty text[] := '{}';
BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);
  FOR one IN SELECT * FROM as_born.tables LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', one.name) INTO has_rows;
    IF has_rows OR one.seeded THEN dirty := dirty || format('public.%I', one.name);
    END IF;
  END LOOP;
  IF dirty <> '{}' THEN
    EXECUTE 'TRUNCATE ' || array_to_string(dirty, ', ') || ' CASCADE';
  END IF;
  FOR one IN SELECT * FROM as_born.tables WHERE seeded LOOP
    EXECUTE format('INSERT INTO public.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM
                    as_born.%I', one.name, one.columns, one.columns,
                   'rows_of_' || one.name);
  END LOOP;
  PERFORM setval(name::regclass, value, used) FROM as_born.sequences;
END $$;
"""


async def _command(statement: str, database: str = "postgres") -> None:
    connection = await asyncpg.connect(dsn=STACK.postgres.url(database))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def pytest_configure() -> None:
    """Let a run that is told to stop put away its servers, as at Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Stop what was started and take the folder away, tests or no tests."""
    STACK.leave()
    shutil.rmtree(RUN)


@pytest.fixture(scope="session")
def migrated() -> None:
    """A running PostgreSQL with a template that the migrations made."""
    STACK.use(database=True, queue=False)
    done = subprocess.run(
        [sys.executable, "-m", "postal_track", "migrate"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": STACK.postgres.url(TEMPLATE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
async def postgres(migrated: None) -> str:
    """The address of the database under test, a copy of the template."""
    await _command(f"CREATE DATABASE {WORKING} TEMPLATE {TEMPLATE}")
    await _command(REMEMBER_BIRTH, WORKING)
    return STACK.postgres.url(WORKING)


@pytest.fixture(scope="session")
async def pool(postgres: str) -> AsyncIterator[None]:
    """The pool of this process, open for the whole run on its one loop."""
    from postal_track.database import close_pool, open_pool
    from postal_track.worker import hush

    await open_pool()
    yield
    await hush()
    await close_pool()


@pytest.fixture
async def database(pool: None) -> AsyncIterator[Any]:
    """A database as it was born, and a connection of its own to look into it."""
    from postal_track.database import engine

    connection = await engine().get_new_connection()
    try:
        # Somebody who still holds a lock is a fault of the test before.
        await connection.execute("SET lock_timeout = '5s'")
        await connection.execute("SELECT as_born.restore()")
        await connection.execute("RESET lock_timeout")
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def new_database(
    postgres: str,
) -> AsyncIterator[Callable[[bool], Awaitable[str]]]:
    """Make further databases: `await new_database(True)` is migrated, False is empty.

    Returns the address. They are dropped at the end, whoever is still connected.
    """
    made: list[str] = []

    async def make(migrated: bool) -> str:
        name = f"another_{secrets.token_hex(4)}"
        template = TEMPLATE if migrated else "template1"
        await _command(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(name)
        return STACK.postgres.url(name)

    yield make
    for name in made:
        await _command(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    """An empty Redis; its address is `settings().REDIS_URL`."""
    STACK.use(database=False, queue=True)
    client = Redis.from_url(STACK.redis.url())
    await client.flushall()
    yield client
    await client.aclose()


@dataclass(frozen=True)
class Running:
    """One of our programs, running beside the tests."""

    child: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self.child.poll() is None

    def said(self) -> str:
        """Return the end of what it wrote."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-40:])


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return _free_port()


@contextmanager
def running(name: str, *arguments: str, **environment: str) -> Iterator[Running]:
    """Run one of our programs; it must live until the block ends.

    `running("web", "uvicorn", "app:app")` is `python -m uvicorn app:app`.
    """
    log = RUN / f"{name}.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    program = Running(child, log)
    try:
        yield program
        assert program.alive(), f"{name} has died:\n{program.said()}"
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@pytest.fixture
def run() -> Callable[..., AbstractContextManager[Running]]:
    """Run a program for one test: `with run("worker", "arq", "...") as worker`."""
    return running


@pytest.fixture(scope="session")
def server(postgres: str) -> Iterator[str]:
    """The address of the real web server, on the database and Redis of the tests."""
    STACK.use(database=True, queue=True)
    address = os.environ["PUBLIC_URL"]
    options = ("--host", "127.0.0.1", "--port", str(PORT))
    with running("web", "uvicorn", "app:app", *options) as web:
        deadline = time.monotonic() + 120
        while not _is_well(address):
            assert web.alive(), web.said()
            assert time.monotonic() < deadline, web.said()
            time.sleep(0.05)
        yield address


def _is_well(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.TransportError:
        return False


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found is not None, "Chromium is not installed: `make test` says how."
    return found


@pytest.fixture(scope="session")
async def launch() -> AsyncIterator[Callable[..., Awaitable[Browser]]]:
    """Start further browsers with flags of their own: `await launch("--flag")`.

    Each has its own new profile; all are closed at the end.
    """
    async with async_playwright() as playwright:

        async def start(*flags: str) -> Browser:
            return await playwright.chromium.launch(
                executable_path=_chromium(),
                args=[
                    "--no-sandbox",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--no-first-run",
                    *flags,
                ],
            )

        yield start


@pytest.fixture(scope="session")
async def browser(
    launch: Callable[..., Awaitable[Browser]],
) -> AsyncIterator[Browser]:
    """Debian's Chromium; ask it for a context of your own, or take `page`."""
    chromium = await launch()
    yield chromium
    await chromium.close()


@pytest.fixture
async def page(browser: Browser, server: str) -> AsyncIterator[Page]:
    """A page in Vietnam on our server: `await page.goto("/")`.

    An exception nobody caught in the page fails the test.
    """
    context = await browser.new_context(
        base_url=server, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh"
    )
    opened = await context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    yield opened
    await context.close()
    assert not faults


@pytest.fixture
async def cast(database: Any) -> Any:
    """The people of the tests in a database as it was born; see `tests/cast.py`."""
    from tests.cast import assemble

    return await assemble()
