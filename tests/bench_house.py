"""Databases with web servers of their own, as they run in production, for a while.

Durable, on loopback only, and gone when the block ends.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from postal_track.settings import FIELDS, ROOT
from postal_track.stack import Stack
from postal_track.staff import open_session
from tests import bench_data

PROCESSES = 2
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class House:
    """A database with its web server, and a login of everyone who works there."""

    url: str
    port: int
    items: int
    tokens: Mapping[int, str]
    folder: Path


@contextmanager
def scratch() -> Iterator[Path]:
    """Make a folder for all that is written, and an environment that knows no other."""
    folder = Path(tempfile.mkdtemp(prefix="postal-track-bench-"))
    # PostgreSQL has a user of its own when we are root.
    folder.chmod(0o755)
    for name in FIELDS:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ |= {
        "VAR_DIR": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PUBLIC_URL": "https://track.example.vn",
        # One address sends it all; it is counted as ever, but not asked to wait.
        "PUBLIC_READS_PER_MINUTE": "10000000",
    }
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def house(stack: Stack, name: str, items: int) -> AsyncIterator[House]:
    """Make a database of so many items, and serve it."""
    url = stack.postgres.url(name)
    await command(stack.postgres.url("postgres"), f"CREATE DATABASE {name}")
    environment = {"DATABASE_URL": url, "REDIS_URL": stack.redis.url()}
    _migrate(environment)
    connection = await asyncpg.connect(url)
    try:
        await bench_data.fill(connection, items)
        staff = await connection.fetch("SELECT id FROM staff")
        tokens = {
            row["id"]: (await open_session(connection, row["id"])).token
            for row in staff
        }
    finally:
        await connection.close()
    async with served("app:app", environment) as port:
        yield House(url, port, items, tokens, stack.folder)


def _migrate(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postal_track", "migrate"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)


async def command(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement, timeout=600)
    finally:
        await connection.close()


@asynccontextmanager
async def served(
    program: str, environment: Mapping[str, str], path: str = "/health"
) -> AsyncIterator[int]:
    """Serve with uvicorn as `postal-track run` does; the port."""
    port = free_port()
    # Clients that go away in the middle of a request, as those of a load do, are told
    # of at length.
    with (Path(os.environ["VAR_DIR"]) / "servers.log").open("a") as log:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "uvicorn", program, "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", str(PROCESSES)),
            *("--no-access-log", "--log-level", "warning"),
            cwd=ROOT,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await first_answer(port, path, child)
        yield port
    finally:
        await stop(child)


async def stop(child: Process) -> None:
    """Ask it to stop, as Ctrl-C would; then make it and its children stop."""
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)
    with suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), 30)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def first_answer(port: int, path: str, child: Process) -> None:
    """Wait for the first 200."""
    deadline = time.monotonic() + PATIENCE
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as asked:
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise RuntimeError(f"the server ended with {child.returncode}")
            with suppress(httpx.TransportError):
                if (await asked.get(path)).status_code == 200:
                    return
            await asyncio.sleep(0.01)
    raise RuntimeError(f"nothing answers {path} after {PATIENCE:.0f} s")
