"""The commands of a person at a terminal: `postal-track run` and its like.

Each command is one line of COMMANDS. What it needs is imported when it runs, so that
one command does not pay for another. Knows no rule of the trade.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import NamedTuple, NoReturn

from postal_track import stack
from postal_track.settings import ROOT, Settings, SettingsError, settings

# The first answer takes a few seconds; from a cold disk it may take more.
PATIENCE = 60.0
GRACE = 10.0

# arq would tell of every job; a person wants to see what went wrong.
TROUBLE_ONLY = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(name)s: %(message)s"}},
    "handlers": {"terminal": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["terminal"]},
}


class Command(NamedTuple):
    """One command: what it does, and the function that does it and says how it went."""

    sentence: str
    act: Callable[[], int]


def run() -> int:
    """Start all of it, say where it is, and stop all of it at Ctrl-C or SIGTERM."""
    chosen = settings()
    signal.signal(signal.SIGTERM, _interrupt)
    stack.require_free_port(chosen.HOST, chosen.PORT)
    ready = _bring_up(chosen)
    asyncio.run(_with_pool(ready, "migrate"))
    try:
        with _children(ready) as children:
            _await_health(ready, children)
            asyncio.run(_with_pool(ready, "demo"))
            _greet(ready)
            _watch(chosen, children)
    except KeyboardInterrupt:
        return 0


def migrate() -> int:
    """Bring the tables up to date."""
    asyncio.run(_with_pool(settings(), "migrate"))
    return 0


def demo() -> int:
    """Load the demo, unless it is there."""
    asyncio.run(_with_pool(settings(), "migrate", "demo"))
    return 0


COMMANDS = {
    "run": Command("start everything and stop it again at Ctrl-C", run),
    "migrate": Command("bring the tables up to date", migrate),
    "demo": Command("load the demo, unless it is there", demo),
}


def main() -> int:
    """Do what the command line asks for; a fault is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="postal-track", description="Who holds the dossier, from hand to hand."
    )
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        words.add_parser(name, help=command.sentence, description=command.sentence)
    wanted = parser.parse_args()
    try:
        return COMMANDS[wanted.command].act()
    except (SettingsError, stack.StackError) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _with_pool(chosen: Settings, *acts: str) -> None:
    from postal_track import database

    await database.open_pool(chosen)
    try:
        if "migrate" in acts:
            await database.migrate()
        if "demo" in acts:
            from postal_track.demo import load_once

            await load_once()
    finally:
        await database.close_pool()


def _bring_up(chosen: Settings) -> Settings:
    """See to a database and a queue; return settings that name both."""
    if chosen.DATABASE_URL:
        stack.require_database(chosen.DATABASE_URL)
    if chosen.REDIS_URL:
        stack.require_redis(chosen.REDIS_URL)
    return replace(
        chosen,
        DATABASE_URL=stack.database_url(chosen),
        REDIS_URL=stack.redis_url(chosen),
    )


@contextmanager
def _children(chosen: Settings) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run the web server and the worker until the block ends, however it ends."""
    programs = {
        "web server": [
            *("uvicorn", "app:app", "--host", chosen.HOST, "--port", str(chosen.PORT)),
            *("--workers", str(chosen.WEB_PROCESSES)),
            # Addresses hold tokens that open a citizen's page: they are not logged.
            *("--no-access-log", "--log-level", "warning"),
        ],
        "worker": [
            *("arq", "postal_track.worker.WorkerSettings"),
            *("--custom-log-dict", "postal_track.__main__.TROUBLE_ONLY"),
        ],
    }
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, program in programs.items():
            children[name] = subprocess.Popen(
                [sys.executable, "-m", *program],
                cwd=ROOT,
                env=_environment(chosen),
                # Ctrl-C is for us; the children are told in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        yield children
    finally:
        _stop(children)


def _stop(children: dict[str, subprocess.Popen[bytes]]) -> None:
    # An impatient second Ctrl-C must not leave one of them behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + GRACE
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
        # Who is too slow, and what a killed web server left behind.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _await_health(
    chosen: Settings, children: dict[str, subprocess.Popen[bytes]]
) -> None:
    address = f"http://{_reachable(chosen.HOST)}:{chosen.PORT}/health"
    # A proxy set for this machine has nothing to do with a server on it.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while True:
        _all_alive(children)
        try:
            with direct.open(address, timeout=5):
                return
        except OSError as fault:
            if time.monotonic() > deadline:
                raise stack.StackError(
                    f"The web server is not well after {PATIENCE:.0f} s ({fault}); "
                    "what it said stands above."
                ) from None
        time.sleep(0.05)


def _watch(chosen: Settings, children: dict[str, subprocess.Popen[bytes]]) -> NoReturn:
    """Stay until a child dies; a server of ours that was killed is started again."""
    while True:
        time.sleep(1)
        _all_alive(children)
        stack.database_url(chosen)
        stack.redis_url(chosen)


def _all_alive(children: dict[str, subprocess.Popen[bytes]]) -> None:
    for name, child in children.items():
        if child.poll() is not None:
            raise stack.StackError(
                f"The {name} has ended by itself (exit code {child.returncode}); "
                "everything else is stopped."
            )


def _greet(chosen: Settings) -> None:
    from postal_track.demo import greeting

    print(f"Postal Track runs at http://{_reachable(chosen.HOST)}:{chosen.PORT}")
    print(greeting(chosen.PUBLIC_URL))
    print("Ctrl-C stops it.", flush=True)


def _reachable(host: str) -> str:
    """Return how a browser on this machine says this host."""
    if host in {"127.0.0.1", "0.0.0.0", "::", "::1", "localhost"}:  # noqa: S104
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _environment(chosen: Settings) -> dict[str, str]:
    """Tell the children where the servers are, so that they leave them to us."""
    told_twice = {"DATABASE_URL_FILE", "REDIS_URL_FILE"}
    ours = {name: value for name, value in os.environ.items() if name not in told_twice}
    return ours | {"DATABASE_URL": chosen.DATABASE_URL, "REDIS_URL": chosen.REDIS_URL}


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _die_with_parent() -> None:
    """Ask Linux to end this child when we are killed; elsewhere it stays behind."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
