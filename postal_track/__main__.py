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
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

from postal_track import stack
from postal_track.errors import LedgerBroken, PostalTrackError
from postal_track.settings import ROOT, Settings, SettingsError, settings

Result = TypeVar("Result")

# The first answer takes a few seconds; from a cold disk it may take more.
PATIENCE = 60.0
GRACE = 10.0

# What `verify` and `seal` end with when the ledger is not as it was written: a person
# must look, and that is another matter than a database that does not answer.
BROKEN = 3
FAULTS_SHOWN = 20

WORKER = (
    *("arq", "postal_track.worker.WorkerSettings"),
    *("--custom-log-dict", "postal_track.__main__.TROUBLE_ONLY"),
)

# arq would tell of every job; a person wants to see what went wrong.
TROUBLE_ONLY = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(name)s: %(message)s"}},
    "handlers": {"terminal": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["terminal"]},
}


class Command(NamedTuple):
    """One command: what it does, and the function that does it and says how it went.

    ``options`` are argparse's; the function takes them by name.
    """

    sentence: str
    act: Callable[..., int]
    options: Mapping[str, Mapping[str, Any]] = {}


def run() -> int:
    """Start all of it, say where it is, and stop all of it at Ctrl-C or SIGTERM."""
    chosen = settings()
    signal.signal(signal.SIGTERM, _interrupt)
    stack.require_free_port(chosen.HOST, chosen.PORT)
    ready = _bring_up(chosen)
    asyncio.run(_with_pool(ready, "migrate"))
    try:
        with _children() as children:
            children["web server"] = _start(ready, *_web_server(ready))
            _await_health(ready, children)
            # Only now, so that the first page does not wait for it; texts can.
            children["worker"] = _start(ready, *WORKER)
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


def verify(files: list[Path]) -> int:
    """Hold the ledger against itself, its checkpoints and files that others kept."""
    from postal_track import audit, evidence

    kept = [evidence.read(path) for path in files]
    verdict = asyncio.run(_with_database(lambda: audit.verify(kept)))
    for remark in verdict.remarks[:FAULTS_SHOWN]:
        print(f"Worth a look: {remark}.")
    if verdict.faults:
        print(f"The ledger is broken. {verdict.faults[0]}.")
        for fault in verdict.faults[1:FAULTS_SHOWN]:
            print(f"Also: {fault}.")
        if len(verdict.faults) > FAULTS_SHOWN:
            print(f"And {len(verdict.faults) - FAULTS_SHOWN} faults more.")
        return BROKEN
    print(f"The ledger holds: {verdict.items:,} items with {verdict.events:,} lines.")
    if verdict.newest is None:
        print("It has not been sealed yet: nothing proves that it is the first one.")
    else:
        print(
            f"It is sealed up to checkpoint {verdict.newest.number}, of "
            f"{verdict.newest.at:%Y-%m-%d %H:%M} UTC, over "
            f"{verdict.newest.lines:,} lines."
        )
    for each in kept:
        print(f"{each.name} agrees with it.")
    return 0


def seal() -> int:
    """Seal what is new in the ledger."""
    from postal_track import checkpoints

    sealing = asyncio.run(_with_database(checkpoints.seal))
    made = sealing.checkpoint
    if sealing.fresh:
        print(
            f"Checkpoint {made.number} seals {made.items:,} items with "
            f"{made.lines:,} lines under the root {made.root.hex()}."
        )
    else:
        print(f"Nothing is new since checkpoint {made.number}.")
    return 0


def replay() -> int:
    """Write items anew that do not say what their stories say."""
    from postal_track import audit

    verdict = asyncio.run(_with_database(audit.rebuild))
    for mended in verdict.faults[:FAULTS_SHOWN]:
        print(f"Written anew: {mended.waybill}.")
    print(
        f"{verdict.items:,} items were read; {len(verdict.faults):,} were written anew."
    )
    return 0


COMMANDS = {
    "run": Command("start everything and stop it again at Ctrl-C", run),
    "migrate": Command("bring the tables up to date", migrate),
    "demo": Command("load the demo, unless it is there", demo),
    "verify": Command(
        "check every chain, item and checkpoint; ends with 3 when one is broken",
        verify,
        {
            "--with": {
                "dest": "files",
                "nargs": "+",
                "type": Path,
                "default": [],
                "metavar": "FILE",
                "help": "receipts or checkpoints that somebody kept: "
                "nothing under them may have changed",
            }
        },
    ),
    "seal": Command("seal what is new in the ledger with a signed checkpoint", seal),
    "replay": Command("write items anew that do not say what the ledger says", replay),
}


def main() -> int:
    """Do what the command line asks for; a fault is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="postal-track", description="Who holds the dossier, from hand to hand."
    )
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        said = words.add_parser(
            name, help=command.sentence, description=command.sentence
        )
        for option, form in command.options.items():
            said.add_argument(option, **form)
    wanted = vars(parser.parse_args())
    try:
        return COMMANDS[wanted.pop("command")].act(**wanted)
    except LedgerBroken as fault:
        print(fault, file=sys.stderr)
        return BROKEN
    except (SettingsError, stack.StackError, PostalTrackError) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _with_database(act: Callable[[], Awaitable[Result]]) -> Result:
    """Do something with the database; its tables must be there already."""
    from asyncpg import UndefinedTableError

    from postal_track import database

    await database.open_pool()
    try:
        return await act()
    except UndefinedTableError as fault:
        raise stack.StackError(
            f"The tables are not up to date ({fault}): run `postal-track migrate`."
        ) from None
    finally:
        await database.close_pool()


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
def _children() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Hold the programs that run beside us until the block ends, however it ends."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        yield children
    finally:
        _stop(children)


def _start(chosen: Settings, *program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *program],
        cwd=ROOT,
        # Texts of the console gateway would bury what a person is told here.
        env={"SMS_CONSOLE_PATH": str(_texts(chosen))} | _environment(chosen),
        # Ctrl-C is for us; the children are told in order.
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


def _texts(chosen: Settings) -> Path:
    return chosen.VAR_DIR / "texts.log"


def _web_server(chosen: Settings) -> list[str]:
    return [
        *("uvicorn", "app:app", "--host", chosen.HOST, "--port", str(chosen.PORT)),
        *("--workers", str(chosen.WEB_PROCESSES)),
        # Addresses hold tokens that open a citizen's page: they are not logged.
        *("--no-access-log", "--log-level", "warning"),
    ]


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
    print(f"Texts to citizens are written to {_texts(chosen)}.")
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
